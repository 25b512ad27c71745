"""What models of sequences of tokens share: checks of their parameters, graphs that share weights, files."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar, Self

import numpy as np

from ..data.text import Tokenizer, get_tokenizer
from ..errors import ModelFileError, NotFittedError, ParameterError
from ..layers import GRU, LSTM
from ..model import Network, load
from ..network.files import load as load_with_extra
from ..optimizers import Optimizer, Schedule, get_optimizer
from ..registry import Configurable, finite_number, from_config, to_config

__all__ = ["CELLS", "SequenceModel", "check_integer", "check_share", "copy_weights"]

#: Recurrent layers by name, and how many states each carries from step to step.
CELLS: dict[str, tuple[Any, int]] = {"lstm": (LSTM, 2), "gru": (GRU, 1)}
Path = str | os.PathLike[str]


class SequenceModel(Configurable):
    """Base of the models: constructors only store their arguments, and what a fit learns ends in ``_``."""

    file_key: ClassVar[str]
    #: Names of plain values that a fit learns beside the network and the tokenizers.
    _facts: ClassVar[tuple[str, ...]] = ()
    network_: Network

    cell: str
    optimizer: Any
    learning_rate: Any
    clip_norm: float | None
    random_state: int | None

    @property
    def network(self) -> Network:
        """The network that was trained.

        Raises      NotFittedError before a fit
        """
        self._require_fitted("network")
        return self.network_

    def _tokenizers(self) -> dict[str, Tokenizer]:
        """The fitted tokenizers by the names of their attributes."""
        raise NotImplementedError

    def _ready(self) -> None:
        """Makes what is not kept in a file: the graphs that generate."""
        raise NotImplementedError

    def _check_common(self, *integers: str) -> None:
        for name in integers:
            check_integer(self, name)
        if self.cell not in CELLS:
            raise ParameterError(f"{type(self).__name__}: cell must be one of {', '.join(CELLS)}. Got {self.cell!r}.")
        check_share(self, "dropout")
        self._make_optimizer()

    def _make_optimizer(self) -> Optimizer:
        optimizer = get_optimizer(self.optimizer)
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        if self.clip_norm is not None:
            optimizer.clip_norm = self.clip_norm
        optimizer.validate()
        return optimizer

    def _require_fitted(self, what: str) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"This {type(self).__name__} has learned nothing yet. Call fit before {what}.")

    def save(self, path: Path) -> None:
        """Writes the network and its vocabulary to one file (safetensors and JSON), atomically; ``load`` reads it."""
        self._require_fitted("save")
        kept = {
            "args": json.dumps(to_config(self)["args"]),  # as text, since the file's own reader does not know tokenizers
            "facts": {name: getattr(self, name) for name in self._facts},
            "tokenizers": {name: made.state() for name, made in self._tokenizers().items()},
        }
        self.network_.save(path, extra={self.file_key: kept})

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote. No code from the file is run.

        Raises      ModelFileError when the file is missing, damaged, foreign, or holds something else
        """
        network, state = load(path), load_with_extra(path, Network)[1].get(cls.file_key)
        where = f"The model file {os.fspath(path)!r}"
        if not isinstance(state, dict):
            raise ModelFileError(f"{where} holds no {cls.__name__}.")
        try:
            config = {"class": cls.__name__, "args": json.loads(state["args"])}
            known = ({cls.__name__: cls}, Tokenizer.registry, Optimizer.registry, Schedule.registry)
            made: Self = from_config(config, *known)
            for name in cls._facts:
                setattr(made, name, state["facts"][name])
            for name, held in state["tokenizers"].items():
                setattr(made, name, Tokenizer.from_state(held))
            made.network_ = network
            made._check_loaded()
            made._ready()
        except ModelFileError:
            raise
        except Exception as error:
            # The values come from the file and nobody has checked them: whatever they lead to, the file is bad.
            raise ModelFileError(f"{where} is damaged: {type(error).__name__}: {error}.") from error
        return made

    def _check_loaded(self) -> None:
        limits = self.network_.index_limits()
        if limits != [len(made) for made in self._tokenizers().values()]:
            raise ModelFileError("its network and its vocabulary do not belong together.")

    @staticmethod
    def _fitted_tokenizer(tokenizer: Any, texts: Any) -> Tokenizer:
        """A tokenizer of this kind with a vocabulary of these texts; one that has a vocabulary keeps it."""
        made = get_tokenizer(tokenizer)
        if hasattr(made, "vocabulary_"):
            return made
        return type(made)(**made.config()).fit(texts)


def copy_weights(source: Network, target: Network) -> None:
    """Gives each parameter of the target the values of that of the same name in the source."""
    for name, array in target.parameters.items():
        np.copyto(array, source.parameters[name])


def check_integer(task: Any, name: str, *, low: int = 1) -> None:
    """ParameterError unless the argument is an int of at least ``low``."""
    value = getattr(task, name)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise ParameterError(f"{type(task).__name__}: {name} must be an int of at least {low}. Got {value!r}.")


def check_share(task: Any, name: str) -> None:
    """ParameterError unless the argument is a number in [0, 1)."""
    value = getattr(task, name)
    if not finite_number(value) or not 0 <= value < 1:
        raise ParameterError(f"{type(task).__name__}: {name} must be a number from 0 to below 1. Got {value!r}.")
