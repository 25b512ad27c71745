"""What models of sequences of tokens share: checks of their parameters, graphs that share weights, files."""

from __future__ import annotations

import copy
import json
import os
from typing import Any, ClassVar, Self

import numpy as np

from ..constraints import POSITIVE, Interval, Maybe, OneOf
from ..data.text import Tokenizer, get_tokenizer
from ..errors import ModelFileError, NotFittedError
from ..layers import GRU, LSTM
from ..model import Network, load
from ..network.files import load as load_with_extra
from ..optimizers import Optimizer, Schedule, get_optimizer
from ..optimizers.base import LEARNING_RATE
from ..registry import Configurable, from_config, to_config

__all__ = ["CELLS", "SequenceModel", "copy_weights"]

#: Recurrent layers by name, and how many states each carries from step to step.
CELLS: dict[str, tuple[Any, int]] = {"lstm": (LSTM, 2), "gru": (GRU, 1)}
Path = str | os.PathLike[str]


class SequenceModel(Configurable):
    """Base of the models: constructors only store their arguments, and what a fit learns ends in ``_``.

    Parameters
        tokenizer : a tokenizer or its name, see the model ; cell : "lstm" or "gru" ; units : int = 256, of a recurrent layer
        embedding : int = 128, length of a token's vector ; dropout : in [0, 1) = 0 ; epochs : int = 10
        batch_size : int = 64 ; optimizer = "adam" ; learning_rate : number > 0, a Schedule or a function = 0.002, None for
            the optimizer's own ; clip_norm : float = 1.0, the norm that the gradient is cut to, None for none
        validation_fraction : in [0, 1) = 0, the share of the data that is measured after each epoch only
        random_state : int or None ; verbose : 0, 1 or 2 ; engine, threads : see chainrule.engine.get_engine
    """

    file_key: ClassVar[str]
    #: Names of plain values that a fit learns beside the network and the tokenizers.
    _facts: ClassVar[tuple[str, ...]] = ()
    network_: Network

    hyperparameters = {
        "cell": OneOf(*CELLS),
        "units": Interval(int, 1),
        "embedding": Interval(int, 1),
        "dropout": Interval(float, 0, 1),
        "epochs": Interval(int, 1),
        "batch_size": Interval(int, 1),
        "learning_rate": Maybe(LEARNING_RATE),
        "clip_norm": Maybe(POSITIVE),
        "validation_fraction": Interval(float, 0, 1),
    }

    def __init__(
        self,
        tokenizer: Any,
        *,
        cell: str,
        units: int = 256,
        embedding: int = 128,
        dropout: float = 0.0,
        epochs: int = 10,
        batch_size: int = 64,
        optimizer: Any = "adam",
        learning_rate: Any = 0.002,
        clip_norm: float | None = 1.0,
        validation_fraction: float = 0.0,
        random_state: int | None = None,
        verbose: int = 0,
        engine: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.cell, self.units, self.embedding, self.dropout = cell, units, embedding, dropout
        self.epochs, self.batch_size = epochs, batch_size
        self.optimizer, self.learning_rate, self.clip_norm = optimizer, learning_rate, clip_norm
        self.validation_fraction, self.random_state, self.verbose = validation_fraction, random_state, verbose
        self.engine, self.threads = engine, threads

    def validate(self) -> None:
        """ParameterError when an argument is out of its range ; UnknownNameError for an optimizer that is not known."""
        super().validate()
        self._make_optimizer()

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

    def _make_optimizer(self) -> Optimizer:
        optimizer = copy.deepcopy(get_optimizer(self.optimizer))  # the user's own object stays as it is
        if self.learning_rate is not None:
            optimizer.learning_rate = self.learning_rate
        if self.clip_norm is not None:
            optimizer.clip_norm = self.clip_norm
        optimizer.validate()
        return optimizer

    def _fit_network(self, X: Any, y: Any, callbacks: Any, **settings: Any) -> Self:
        """Trains ``network_`` as the arguments say, and makes what generates. Parameters  settings : more of the fit"""
        self.network_.fit(
            X,
            y,
            optimizer=self._make_optimizer(),
            epochs=int(self.epochs),
            batch_size=int(self.batch_size),
            metrics=(),
            callbacks=callbacks,
            verbose=int(self.verbose),
            engine=self.engine,
            threads=self.threads,
            **settings,
        )
        self.history_ = self.network_.history_
        self._ready()
        return self

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
