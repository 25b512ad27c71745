"""What an optimizer is: one update equation over flat arenas.

    slots                        arenas it keeps, each as long as the parameters ("m", "v")
    scalars(t, lr)               numbers that change from step to step, in float64, for steps t = 1, 2, ...
    update(k, w, g)              emits the update of the parameters w with the gradient g

``w``, ``g`` and the slots are one flat arena each, so an update is one fused pass over memory whatever the network.
Penalties, clipping and decay are added by the plan, in this order: g ← g + l2 w + l1 sign(w); clip; decay; update.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, UnknownNameError
from ..ops import Builder, Value

__all__ = ["Builder", "Optimizer", "Value", "get_optimizer"]

Floats = NDArray[np.float64]


class Optimizer:
    """Base of every optimizer.

    Parameters
        learning_rate : > 0, or a schedule
        l1, l2 : >= 0 ; add l1 Σ|w| + ½ l2 Σ w² to the loss, over weights, not biases
        weight_decay : >= 0 ; decoupled: w ← w − learning_rate · weight_decay · w, over weights, not biases
        clip_norm : > 0 or None ; scales the whole gradient so that its 2-norm is at most this
        clip_value : > 0 or None ; cuts every entry of the gradient to [−clip_value, clip_value]
    References  decoupled decay: Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019
    """

    registry: ClassVar[dict[str, type[Optimizer]]] = {}
    name: ClassVar[str] = ""
    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ):
        self.learning_rate = learning_rate
        self.l1, self.l2, self.weight_decay = l1, l2, weight_decay
        self.clip_norm, self.clip_value = clip_norm, clip_value

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            Optimizer.registry[cls.name] = cls

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"

    def validate(self) -> None:
        """ParameterError when a number is out of its range."""
        name, rate = type(self).__name__, self.learning_rate
        if isinstance(rate, (int, float)) and not (np.isfinite(rate) and rate > 0):
            raise ParameterError(f"{name}: learning_rate must be positive and finite. Got {rate!r}.")
        if not isinstance(rate, (int, float)) and not callable(rate):
            raise ParameterError(f"{name}: learning_rate must be a number or a schedule. Got {rate!r}.")
        for key in ("l1", "l2", "weight_decay"):
            value = getattr(self, key)
            if not (isinstance(value, (int, float)) and np.isfinite(value) and value >= 0):
                raise ParameterError(f"{name}: {key} must be a number of at least 0. Got {value!r}.")
        for key in ("clip_norm", "clip_value"):
            value = getattr(self, key)
            if value is not None and not (isinstance(value, (int, float)) and value > 0):
                raise ParameterError(f"{name}: {key} must be a positive number or None. Got {value!r}.")

    def slot_start(self) -> dict[str, float]:
        """The value every slot starts with. Zero by default."""
        return dict.fromkeys(self.slots, 0.0)

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        """The step scalars, by the names that ``update`` asks ``k.scalar`` for."""
        return {"lr": lr}

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        """Emits the update of w by ``k.assign``."""
        raise NotImplementedError


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """The optimizer of this name with its defaults, or the optimizer itself. UnknownNameError lists the names."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if optimizer not in Optimizer.registry:
        raise UnknownNameError("optimizer", optimizer, Optimizer.registry)
    return Optimizer.registry[optimizer]()
