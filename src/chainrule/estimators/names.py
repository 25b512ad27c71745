"""Names of parameters: an unknown one is refused with the name that was probably meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import UnknownNameError

__all__ = ["check_names", "with_checked_names"]

#: Names that other libraries, or earlier versions of this one, have for a parameter.
_OTHER_NAMES = {
    "alpha": "l2",
    "alphas": "l2",
    "dropout_rate": "dropout",
    "hidden_layer_sizes": "hidden",
    "hidden_layers": "hidden",
    "hidden_units": "hidden",
    "kernel_initializer": "weight_init",
    "learning_rate_init": "learning_rate",
    "lookback": "window",
    "lr": "learning_rate",
    "max_epochs": "epochs",
    "max_iter": "epochs",
    "module": "layers",
    "n_iter_no_change": "patience",
    "n_jobs": "threads",
    "nonlinearity": "activation",
    "period": "season",
    "seed": "random_state",
    "solver": "optimizer",
    "tol": "tolerance",
    "transform": "transformation",
    "units": "hidden",
    "weight_decay": "l2",
}


def check_names(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises UnknownNameError for the first given name that is not known, with the name that was probably meant.

    Example
        >>> check_names("NeuralClassifier", ["max_iter"], ["epochs", "hidden"])
        Traceback (most recent call last):
        ...
        chainrule.errors.UnknownNameError: Unknown parameter of NeuralClassifier 'max_iter'. Here it is called 'epochs'. ...
    """
    known = list(known)
    for name in given:
        if name not in known:
            ours = _OTHER_NAMES.get(name)
            hint = f" Here it is called {ours!r}." if ours in known else None
            raise UnknownNameError(f"parameter of {owner}", name, known, hint)


def with_checked_names(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor, which refuses unknown names as ``check_names`` does. Its signature stays as it is."""
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        check_names(type(self).__name__, kwargs, known)
        init(self, *args, **kwargs)

    return checked
