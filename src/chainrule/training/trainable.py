"""A network graph with what fits leave on it, and with the compiled plans that belong to it on this machine."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..layers import Tensor
from ..losses import Loss
from ..metrics import Metric
from ..network import Arena, NetworkGraph
from ..ops.memory import aligned_zeros
from ..optimizers import Optimizer, Schedule
from .evaluation import choose_metrics
from .history import History
from .runtime import Runtime
from .settings import FitSettings

__all__ = ["Trainable"]

#: Attributes that copies and pickles leave out: what belongs to this machine, or was made by looking at the network.
_NOT_COPIED = ("_runtime", "_tensors", "fit_settings_", "diagnosis_", "cure_")


class Trainable(NetworkGraph):
    """A network graph that can be trained by a ``Session``.

    Parameters  as of NetworkGraph
    Attributes  (after a fit; NetworkGraph has none of them before)
        history_ : History of the last fit ; loss_ : the Loss, a list of them for several outputs ; optimizer_ : the
        Optimizer
        metrics_ : list of Metrics ; loss_weights_ : list or None
        fit_settings_ : the FitSettings of the last fit, of the groups "objective" and "learning"
    """

    history_: History
    loss_: Loss | list[Loss]
    optimizer_: Optimizer
    metrics_: list[Metric]
    loss_weights_: list[float] | None
    fit_settings_: FitSettings
    _forms: list[int]

    def __init__(
        self,
        layers: Sequence[Any] | None = None,
        *,
        inputs: Tensor | Sequence[Tensor] | None = None,
        outputs: Tensor | Sequence[Tensor] | None = None,
        random_state: Any = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__(layers, inputs=inputs, outputs=outputs, random_state=random_state, dtype=dtype)
        #: Whether the weights were trained or loaded, so that the next fit goes on from them as they are.
        self._trained = False
        self._runtime = Runtime(self)

    # ------------------------------------------------------------ what the last fit used

    @property
    def fit_config_(self) -> dict[str, Any]:
        """What the last fit used: "loss" (a list), "optimizer", "metrics", "loss_weights", "forms"; empty before it."""
        if not hasattr(self, "loss_"):
            return {}
        return {
            "loss": self.loss_ if isinstance(self.loss_, list) else [self.loss_],
            "optimizer": getattr(self, "optimizer_", None),
            "metrics": list(self.metrics_),
            "loss_weights": self.loss_weights_,
            "forms": self._forms,
        }

    def plain_fit_config(self) -> dict[str, Any]:
        """``fit_config_`` as far as a file can hold it."""
        config = self.fit_config_
        if config:
            rate = getattr(config["optimizer"], "learning_rate", None)
            if callable(rate) and not isinstance(rate, Schedule):
                # A plain function is code, and files hold none: the last rate that it gave stands for it.
                trainer = self._runtime.trainer
                config["optimizer"] = copy.copy(config["optimizer"])
                config["optimizer"].learning_rate = 0.001 if trainer is None else trainer.learning_rate()
            del config["metrics"]
        return config

    def take_up(self, config: Mapping[str, Any]) -> None:
        """Takes the weights as trained, and the losses and the optimizer from what ``plain_fit_config`` kept in a file."""
        self._trained = True
        losses = config.get("loss")
        if isinstance(losses, list) and losses and all(isinstance(one, Loss) for one in losses):
            self.loss_ = losses[0] if len(losses) == 1 else losses
            self.loss_weights_ = config.get("loss_weights")
            self._forms = [int(form) for form in config.get("forms") or [0] * len(losses)]
            self.metrics_ = choose_metrics(None, losses[0], self.output_shapes[0])
            if isinstance(config.get("optimizer"), Optimizer):
                self.optimizer_ = config["optimizer"]

    # ------------------------------------------------------------ copies and pickles

    def __getstate__(self) -> dict[str, Any]:
        # Plans are compiled again when they are needed; the graph is rebuilt from the calls, so that a deep network does not
        # nest as deep in the pickle.
        state = {name: value for name, value in vars(self).items() if name not in _NOT_COPIED}
        state["inputs"] = [(t.shape, t.dtype) for t in self._tensors[0]]
        state["engine"] = self._runtime.wanted
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        inputs = [Tensor(shape=shape, dtype=dtype) for shape, dtype in state.pop("inputs")]
        wanted = state.pop("engine", ("auto", None, state["dtype"]))
        vars(self).update(state)
        tensors = dict(zip(self.input_ids, inputs, strict=True))
        for call in self.calls:
            made = Tensor.several(call.layer, tuple(tensors[i] for i in call.inputs), len(call.outputs))
            tensors.update(zip(call.outputs, made, strict=True))
        self._tensors = (inputs, [tensors[i] for i in self.output_ids])
        for arena in (self.parameters, self.states):
            _align(arena)
        self._runtime = Runtime(self)
        self._runtime.wanted = wanted


def _align(arena: Arena) -> None:
    flat = aligned_zeros(arena.flat.size, arena.flat.dtype)
    np.copyto(flat, arena.flat)
    arena.flat = flat
