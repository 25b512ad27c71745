"""What an optimizer is: one update equation over flat arenas.

    slots                        arenas it keeps, each as long as the parameters ("m", "v")
    scalars(t, lr)               numbers that change from step to step, in float64, for steps t = 1, 2, ...
    update(k, w, g)              emits the update of the parameters w with the gradient g

``w``, ``g`` and the slots are one flat arena each, so an update is one fused pass over memory whatever the network.
Penalties, clipping and decay are added by the plan, in this order: g ← g + l2 w + l1 sign(w); clip (each variable, then the
whole norm, then each value); decay; update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..constraints import POSITIVE, AnyOf, DictOf, Instance, Interval, Maybe
from ..errors import ParameterError
from ..ops import Builder, Value
from ..ops.builder import scalar_of
from ..registry import Configurable, named, register
from .schedules import Schedule

__all__ = ["LEARNING_RATE", "LEARNING_RATE_FACTORS", "Builder", "Floats", "Optimizer", "Value", "get_optimizer"]

Floats = NDArray[np.float64]

#: What the factors may be by which the learning rates of layers differ.
LEARNING_RATE_FACTORS = DictOf(
    POSITIVE,
    keys="names of layers",
    hint='Give them as {"body": 0.1}. Layers that shall not learn at all are frozen: network.freeze(...).',
)
#: What a learning rate may be.
LEARNING_RATE = AnyOf(POSITIVE, Instance(Schedule), Instance(Callable, words="a function"))


class Optimizer(Configurable):
    """Base of every optimizer.

    Parameters
        learning_rate : > 0, or a Schedule; a function of the step numbers works too but cannot be saved
        l1, l2 : >= 0 = 0 ; add l1 Σ|w| + ½ l2 Σ w² to the loss, over weights, not biases
        weight_decay : >= 0 = 0 ; decoupled: w ← w − learning_rate · weight_decay · w, over weights, not biases
        clip_norm : > 0 or None ; scales the whole gradient so that its 2-norm is at most this
        clip_variable_norm : > 0 or None ; scales the gradient of each parameter by itself so that its 2-norm is at most this
        clip_value : > 0 or None ; cuts every entry of the gradient to [−clip_value, clip_value]
        learning_rate_factors : {layers: factor > 0} or None ; the learning rate of these layers is that many times the
            optimizer's, such as {"body": 0.1}. Layers are named as in ``Network.freeze``; where several entries name a
            layer, the last one counts
    References  decoupled decay: Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019
    """

    registry: ClassVar[dict[str, type[Optimizer]]] = {}
    name: ClassVar[str] = ""
    #: Whether the training loop hands over the whole data and the optimizer drives it (see LBFGS), not step by step.
    full_batch: ClassVar[bool] = False
    #: Whether ``update`` is called once for each parameter, with arrays of its shape, and not for flat arrays of many.
    by_variable: ClassVar[bool] = False
    hyperparameters = {
        "learning_rate": LEARNING_RATE,
        "l1": Interval(float, 0),
        "l2": Interval(float, 0),
        "weight_decay": Interval(float, 0),
        "learning_rate_factors": Maybe(LEARNING_RATE_FACTORS),
        "clip_norm": Maybe(POSITIVE),
        "clip_value": Maybe(POSITIVE),
        "clip_variable_norm": Maybe(POSITIVE),
    }

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        clip_variable_norm: float | None = None,
        learning_rate_factors: Mapping[str, float] | None = None,
    ):
        self.learning_rate_factors = learning_rate_factors
        self.learning_rate = learning_rate
        self.l1, self.l2, self.weight_decay = l1, l2, weight_decay
        self.clip_norm, self.clip_value, self.clip_variable_norm = clip_norm, clip_value, clip_variable_norm

    @property
    def each_variable(self) -> bool:
        """Whether the plan has to update every parameter by itself."""
        return self.by_variable or self.clip_variable_norm is not None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(Optimizer.registry, cls)

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the arenas kept between steps, each as long as the parameters. A subclass states them as a tuple."""
        return ()

    def validate(self) -> None:
        super().validate()
        if self.learning_rate_factors and self.full_batch:
            raise ParameterError(
                f"{type(self).__name__} changes all weights along one line, so layers cannot have learning rates of their "
                f"own. Leave learning_rate_factors out, or use another optimizer."
            )

    def rates(self, t: Floats) -> Floats:
        """The learning rates of the steps t (1, 2, ...), from the number or the schedule, in float64.

        Raises  ParameterError when a schedule gives another shape, or a rate that is negative or not finite
        """
        t = np.asarray(t, np.float64)
        if not callable(self.learning_rate):
            return np.full(t.shape, float(self.learning_rate))
        found = np.asarray(self.learning_rate(t), np.float64)
        if found.shape != t.shape or not (np.isfinite(found) & (found >= 0)).all():
            raise ParameterError(
                f"{type(self).__name__}: the schedule must give one finite rate of at least 0 for each of {t.size} steps "
                f"from {t.min() if t.size else 0:.0f}. Got shape {found.shape}: {found!r:.200}."
            )
        return found

    def slot_start(self) -> dict[str, float]:
        """The value every slot starts with. Zero by default."""
        return dict.fromkeys(self.slots, 0.0)

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        """The step scalars, by the names that ``update`` asks ``k.scalar`` for."""
        return {"lr": lr}

    def step_scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        """``scalars`` for the steps t, and again for each factor of ``learning_rate_factors``, by ``scalar_of`` names."""
        found = {name: np.asarray(value, np.float64) for name, value in self.scalars(t, lr).items()}
        for factor in {float(value) for value in (self.learning_rate_factors or {}).values()} - {1.0}:
            of_group = self.scalars(t, factor * lr).items()
            found |= {scalar_of(name, factor): np.asarray(value, np.float64) for name, value in of_group}
        return found

    def scalar_equations(self) -> dict[str, tuple[str, str]]:
        """How step scalars other than the learning rate η are made, for printed equations: {name: (text, LaTeX)}."""
        return {}

    def method_equations(self) -> list[tuple[str, str]]:
        """What an optimizer does with the gradient outside the plan, for printed equations: lines (text, LaTeX)."""
        return []

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        """Emits the update of w by ``k.assign``."""
        raise NotImplementedError


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """The optimizer of this name with its defaults, or the optimizer itself.

    Raises  UnknownNameError, with the names ; ParameterError for what is neither a name nor an Optimizer

    Example
        >>> get_optimizer("adam")
        Adam()
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if not isinstance(optimizer, str):
        raise ParameterError(f"An optimizer must be a name or an Optimizer, such as Adam(0.001). Got {optimizer!r}.")
    return named("optimizer", optimizer, Optimizer.registry)()
