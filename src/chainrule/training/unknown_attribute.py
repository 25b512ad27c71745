"""What to say of an attribute that a network does not have."""

from __future__ import annotations

from typing import Any

from ..errors import did_you_mean

__all__ = ["unknown_attribute"]

#: What methods of other libraries' networks are here.
_ELSEWHERE = {
    "add": "Give all layers at once: Network([Dense(16), ReLU(), Dense(1)]).",
    "compile": "fit takes the loss and the optimizer: fit(X, y, loss=..., optimizer=...).",
    "fit_generator": "fit takes an iterable of batches (x, y) as X.",
    "forward": "The outputs are given by predict(X).",
    "get_weights": "The arrays are in parameters and states, by name.",
    "predict_classes": "The largest output says the class: predict(X).argmax(axis=-1).",
    "predict_proba": "predict gives the raw outputs: end the network with Softmax() or Sigmoid(), or use NeuralClassifier.",
    "set_weights": "Assign to the arrays in parameters and states, by name: net.parameters[name][...] = values.",
    "score": "Use evaluate(X, y), or NeuralClassifier and NeuralRegressor.",
    "state_dict": "The arrays are in parameters and states, by name; save(path) writes them.",
    "test_on_batch": "Use evaluate(X, y).",
    "train_on_batch": "Use partial_fit(X, y).",
}


def unknown_attribute(network: object, name: str) -> Any:
    """Stands for ``__getattr__``: raises an AttributeError that says what is meant, where that is known.

    An error that came from a property of that name is raised again as it was.
    """
    kind = type(network)
    if hasattr(kind, name):
        return object.__getattribute__(network, name)
    if name.startswith("_") or name.endswith("_"):
        raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
    public = [known for known in dir(kind) if not known.startswith("_")]
    hint = f" {_ELSEWHERE[name]}" if name in _ELSEWHERE else did_you_mean(name, public)
    raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}.{hint}")
