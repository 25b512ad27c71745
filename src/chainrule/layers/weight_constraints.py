"""What the weights of one layer may be after every update: ``Dense(64, weight_constraint=MaxNorm(3.0))``."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from ..constraints import POSITIVE, Instance, Interval, Maybe, OneOrMore
from ..errors import ShapeError
from ..ops import Builder, Value
from ..registry import Configurable

__all__ = ["MaxNorm", "NonNegative", "UnitNorm", "WeightConstraint"]

#: A norm below this counts as this, so that weights of 0 stay 0.
_TINY = 1e-30


class WeightConstraint(Configurable):
    """Base of every constraint: a subclass says which weights are stored where an update has made w."""

    registry: ClassVar[dict[str, type[WeightConstraint]]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            WeightConstraint.registry[cls.__name__] = cls

    def apply(self, k: Builder, w: Value) -> Value:
        """Emits the weights that are stored."""
        raise NotImplementedError


#: What an argument ``weight_constraint`` of a layer may be.
MAYBE_WEIGHT_CONSTRAINT = Maybe(Instance(WeightConstraint, hint="Give one as MaxNorm(3.0)."))


class _ByNorm(WeightConstraint):
    """Base of constraints on norms over some axes of the weights."""

    axes: int | tuple[int, ...] | None
    hyperparameters = {"axes": Maybe(OneOrMore(Interval(int), hint="None stands for all axes but the last."))}

    def norm(self, k: Builder, w: Value) -> Value:
        """Emits ‖w‖, with 1 on the axes that it is over."""
        axes: Any = tuple(range(w.ndim - 1)) if self.axes is None else self.axes
        given = [int(axes)] if isinstance(axes, Integral) else [int(a) for a in axes]
        if w.ndim < 2 or not all(-w.ndim <= a < w.ndim for a in given):
            raise ShapeError(f"{type(self).__name__}: weights of shape {w.shape} have no norms over the axes {given}.")
        squares = k.sum(k.square(w), axis=tuple(sorted({a % w.ndim for a in given})), keepdims=True)
        return k.maximum(k.sqrt(squares), _TINY)


class MaxNorm(_ByNorm):
    """``w ← w min(1, limit / ‖w‖)`` for the incoming weights of each unit (all axes but the last).

    It lets learning rates be large without weights that grow without end; it was made to go with Dropout.

    Parameters  limit : > 0 = 2 ; axes : int or several ints, the axes that a norm is over; None for all but the last
    Raises      ParameterError when limit is not a positive, finite number, or axes are no ints ; ShapeError when the weights
                have no such axes
    References  Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014, section 5.1

    Example
        >>> MaxNorm(3.0)
        MaxNorm(3.0)
    """

    hyperparameters = {"limit": POSITIVE}

    def __init__(self, limit: float = 2.0, *, axes: int | tuple[int, ...] | None = None):
        self.limit, self.axes = limit, axes

    def apply(self, k: Builder, w: Value) -> Value:
        return k.multiply(w, k.minimum(k.divide(float(self.limit), self.norm(k, w)), 1.0))


class UnitNorm(_ByNorm):
    """``w ← w / ‖w‖`` for the incoming weights of each unit (all axes but the last); weights of 0 stay 0.

    Parameters  axes : int or several ints, the axes that a norm is over; None for all but the last
    Raises      ParameterError when axes are no ints ; ShapeError when the weights have no such axes

    Example
        >>> UnitNorm()
        UnitNorm()
    """

    def __init__(self, *, axes: int | tuple[int, ...] | None = None):
        self.axes = axes

    def apply(self, k: Builder, w: Value) -> Value:
        return k.divide(w, self.norm(k, w))


class NonNegative(WeightConstraint):
    """``w ← max(0, w)``.

    Example
        >>> NonNegative()
        NonNegative()
    """

    def apply(self, k: Builder, w: Value) -> Value:
        return k.maximum(w, 0.0)
