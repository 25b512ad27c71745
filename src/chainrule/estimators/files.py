"""Files of fitted estimators: parameters and fitted state as plain data beside the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..data.text import Tokenizer
from ..errors import ModelFileError
from ..ops.value import FREE
from ..optimizers import Schedule
from ..training import History
from .features import Features
from .parameters import is_integer

if TYPE_CHECKING:
    from ..losses import Loss
    from ..model import Network

__all__ = ["Files", "Path"]

Path = str | os.PathLike[str]
_FILE_KEY = "estimator"
#: Parameters that a file does not keep: ``layers`` are the network itself, and callbacks are code.
_NOT_SAVED = ("layers", "callbacks")


class Files(Features):
    """Saves and loads an estimator.

    The state of a fitted estimator is its network and the attributes that ``_state`` names: these are saved, restored
    and pickled together, and there are no others (but for what ``_keep`` takes from the network, and the evidence of a
    cure).
    """

    #: Names of the fitted attributes; a subclass adds those that say what its outputs mean.
    _state: ClassVar[tuple[str, ...]] = (
        "n_features_in_",
        "sample_shape_",
        "feature_names_in_",
        "tokenizer_",
        "input_mean_",
        "input_scale_",
        "pixel_range_",
    )
    network_: Network

    def _require_fitted(self, what: str) -> None:
        raise NotImplementedError

    def _keep(self, network: Network) -> None:
        raise NotImplementedError

    def _loss_for(self, network: Network) -> tuple[Loss, int]:
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Writes the fitted estimator to one file (safetensors), atomically; ``load`` reads it.

        Callbacks and a random state other than an int are not kept, since they are no plain data. A function that is
        given as ``learning_rate`` is not kept either, since files hold no code.

        Raises      NotFittedError ; ParameterError when a parameter cannot be written as data ; ModelFileError when the file
                    cannot be written
        """
        extra = self.to_extra()
        self.network_.save(path, extra=extra)

    def to_extra(self) -> dict[str, Any]:
        """What a file keeps beside the network, for ``Network.save``. Raises as ``save``."""
        self._require_fitted("save")
        params = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_SAVED}
        if not is_integer(self.random_state):
            params["random_state"] = None
        if isinstance(params.get("pretrained"), os.PathLike):
            params["pretrained"] = os.fspath(params["pretrained"])
        if isinstance(params.get("tokenizer"), Tokenizer):
            params["tokenizer"] = self.tokenizer.name  # its settings are in the state of the fitted one
        if callable(self.learning_rate) and not isinstance(self.learning_rate, Schedule):
            params["learning_rate"] = None
        found = {
            "class": type(self).__name__,
            "params": {name: _to_plain(value) for name, value in params.items()},
            "custom": self.layers is not None,
            "state": {name: _to_plain(getattr(self, name)) for name in self._state if hasattr(self, name)},
            "history": self.history_.state(),
        }
        # As one entry, since a mapping with just the keys "class" and "args" would be read as an object.
        return {_FILE_KEY: found}

    @classmethod
    def load(cls, path: Path) -> Self:
        """The estimator that ``save`` wrote. No code from the file is run.

        Raises      ModelFileError when the file is missing, damaged, foreign, or holds something else than this estimator
        """
        from ..model import Network
        from ..network.files import load

        network, extra = load(path, Network)
        where = f"The model file {os.fspath(path)!r}"
        held = extra.get(_FILE_KEY)
        if not isinstance(held, dict):
            raise ModelFileError(f"{where} holds a Network, no {cls.__name__}. Use chainrule.load.")
        if held.get("class") != cls.__name__:
            raise ModelFileError(f"{where} holds a {held.get('class')!r:.60}, no {cls.__name__}.")
        try:
            return cls._from_file(network, held, extra["fit"])
        except ModelFileError:
            raise
        except Exception as error:
            # The values come from the file and nobody has checked them: whatever they lead to, the file is bad.
            raise ModelFileError(
                f"{where} is damaged: its part {_FILE_KEY!r} does not fit ({type(error).__name__}: {error})."
            ) from error

    @classmethod
    def _from_file(cls, network: Network, held: Mapping[str, Any], fit: Mapping[str, Any]) -> Self:
        held = held if "state" in held else _brought_up_to_date(held)
        params = {name: _from_plain(value) for name, value in held["params"].items()}
        state = {name: _from_plain(value) for name, value in held["state"].items() if name in cls._state}
        tokenizer = state.get("tokenizer_")
        if tokenizer is not None:
            params["tokenizer"] = type(tokenizer)(**tokenizer.config())
        if held["custom"]:
            params["layers"] = cls._layers_of(network)
        found = cls(**params)
        for name, value in state.items():
            setattr(found, name, value)
        network.take_up(fit)
        network.history_ = History.from_state(held["history"])
        found._check_loaded(network)
        found._keep(network)
        return found

    @staticmethod
    def _layers_of(network: Network) -> Any:
        """The same layers, without the weights: a new fit starts anew as it did with the layers once given."""
        from ..model import Network

        inputs, outputs = network._tensors
        return Network(inputs=inputs, outputs=outputs, dtype=network.dtype)

    def _check_loaded(self, network: Network) -> None:
        """Raises when the loaded parts do not belong together."""
        if self._takes_texts():
            (limit,), size = network.index_limits(), len(self._vocabulary())
            # An embedding of the user's own may have room for more.
            if (
                network.input_shapes != [(FREE,)]
                or limit is None
                or limit < size
                or (limit > size and self._given_layers is None)
            ):
                raise ModelFileError("its network and its vocabulary do not belong together.")
        elif network.input_shapes != [self.sample_shape_]:
            raise ModelFileError(f"the network takes {network.input_shapes}, the estimator {self.sample_shape_}.")
        else:
            self._check_scales()
        self._loss_for(network)

    def _check_scales(self) -> None:
        if self.input_scale_ is not None and self.input_mean_ is not None:
            for values in (self.input_mean_, self.input_scale_):
                if np.shape(values) != self.sample_shape_ or not np.isfinite(np.asarray(values, np.float64)).all():
                    raise ModelFileError("the scales of its inputs are damaged.")


def _brought_up_to_date(held: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of an earlier layout holds, which had an entry of its own for each part of the state.

    A forecaster of that layout cannot be read: it saw its series in another scale.
    """
    if held["class"] == "NeuralForecaster":
        raise ModelFileError("a NeuralForecaster of an earlier version cannot be read. Fit it again and save it.")
    tokenizer = held.get("tokenizer")
    found: dict[str, Any] = {
        "tokenizer_": None if tokenizer is None else {"tokenizer": tokenizer},
        "input_mean_": None,
        "input_scale_": None,
        **held["target"],
    }
    if tokenizer is None:
        found["n_features_in_"] = int(held["n_features_in"])
        found["sample_shape_"] = {"tuple": list(held.get("sample_shape", [held["n_features_in"]]))}
    if held["feature_names_in"] is not None:
        found["feature_names_in_"] = np.array(held["feature_names_in"], dtype=object)
    return {**held, "state": found}


def _to_plain(value: Any) -> Any:
    """The value so that it survives JSON: tuples, mappings and tokenizers are told apart from lists."""
    if isinstance(value, tuple):
        return {"tuple": [_to_plain(v) for v in value]}
    if isinstance(value, list):
        return [_to_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {"mapping": [[_to_plain(k), _to_plain(v)] for k, v in value.items()]}
    if isinstance(value, Tokenizer):
        return {"tokenizer": value.state()}
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_plain(v) for v in value]
    if isinstance(value, dict) and len(value) == 1:
        if "tuple" in value:
            return tuple(_from_plain(v) for v in value["tuple"])
        if "mapping" in value:
            return {_from_plain(k): _from_plain(v) for k, v in value["mapping"]}
        if "tokenizer" in value:
            return Tokenizer.from_state(value["tokenizer"])
    return value
