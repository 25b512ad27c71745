"""A network graph with what fits leave on it, and with the compiled plans that belong to it on this machine."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import NotFittedError
from ..layers import Tensor
from ..losses import Loss
from ..metrics import Metric
from ..network import NetworkGraph
from ..optimizers import Optimizer, Schedule
from .continuation import Continuation
from .evaluation import choose_metrics
from .history import History
from .runtime import Runtime
from .settings import FitSettings

if TYPE_CHECKING:
    from ..diagnosis import Diagnosis
    from .packed import PackedNetwork

__all__ = ["Trainable"]


class Trainable(NetworkGraph):
    """A network graph that can be trained by a ``Session``.

    Parameters  as of NetworkGraph
    Attributes  (after a fit; NetworkGraph has none of them before)
        history_ : History of the last fit ; loss_ : the Loss, a list of them for several outputs ; optimizer_ : the
        Optimizer
        metrics_ : list of Metrics ; loss_weights_ : list or None
        diagnosis_, cure_ : of the last fit that was watched
        fit_settings_ : the FitSettings of the last fit, of the groups "objective" and "learning"
    """

    history_: History
    loss_: Loss | list[Loss]
    optimizer_: Optimizer
    metrics_: list[Metric]
    loss_weights_: list[float] | None
    fit_settings_: FitSettings
    diagnosis_: Diagnosis | None
    cure_: object
    _forms: list[int]
    #: What predicts in place of the network's own plans, until the network is fitted again.
    _packed: PackedNetwork | None = None

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

    def loss_of_first_output(self, what: str) -> Loss:
        """The loss of the last fit, of the first output. Raises  NotFittedError, which says that ``what`` needs it"""
        losses = self.fit_config_.get("loss")
        if losses is None:
            raise NotFittedError(f"{what} need a loss, so fit the network first, or leave them out.")
        first: Loss = losses[0]
        return first

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

    # What belongs to this machine, or was made by looking at the network.
    _not_copied = (*NetworkGraph._not_copied, "_runtime", "fit_settings_", "diagnosis_", "cure_")

    def __getstate__(self) -> dict[str, Any]:
        # Plans are compiled again when they are needed.
        trainer = self._runtime.trainer
        going_on = self._runtime.continuation if trainer is None else Continuation.of(trainer)
        return super().__getstate__() | {"engine": self._runtime.wanted, "continuation": going_on}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        wanted = state.pop("engine", ("auto", None, state["dtype"]))
        continuation = state.pop("continuation", None)
        super().__setstate__(state)
        self._runtime = Runtime(self)
        self._runtime.wanted = wanted
        self._runtime.continuation = continuation
