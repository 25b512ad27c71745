"""Penalties on the weights of one layer: ``Dense(64, weight_regularizer=L2(1e-4))``."""

from __future__ import annotations

from typing import ClassVar

from ..constraints import Constraint, Instance, Interval, Maybe
from ..ops import Builder, Value
from ..registry import Configurable

__all__ = ["L1", "L1L2", "L2", "Regularizer"]


class Regularizer(Configurable):
    """Base of every penalty that is added to the loss for one parameter, on top of ``l1`` and ``l2`` of the optimizer.

    A subclass states the penalty and its derivative; the plan adds them to J and to the gradient of the parameter.
    """

    registry: ClassVar[dict[str, type[Regularizer]]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        Regularizer.registry[cls.__name__] = cls

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """What each argument may be: a finite number of at least 0, where the class states nothing else."""
        return {name: Interval(float, 0) for name in cls.argument_names()} | super().constraints()

    def penalty(self, k: Builder, w: Value) -> Value:
        """Emits what is added to J."""
        raise NotImplementedError

    def gradient(self, k: Builder, w: Value) -> Value:
        """Emits the derivative of the penalty by w."""
        raise NotImplementedError


#: What an argument ``weight_regularizer`` of a layer may be.
MAYBE_REGULARIZER = Maybe(Instance(Regularizer, hint="Give one as L2(1e-4)."))


class L1(Regularizer):
    """``J ← J + λ Σ |w|``: makes weights that matter little exactly small; the derivative is λ sign(w).

    Parameters  strength λ : >= 0 = 0.01
    Raises      ParameterError when strength is not a finite number of at least 0

    Example
        >>> L1(1e-4)
        L1(0.0001)
    """

    def __init__(self, strength: float = 0.01):
        self.strength = strength

    def penalty(self, k: Builder, w: Value) -> Value:
        return k.multiply(k.sum(k.absolute(w)), float(self.strength))

    def gradient(self, k: Builder, w: Value) -> Value:
        return k.multiply(k.sign(w), float(self.strength))


class L2(Regularizer):
    """``J ← J + ½ λ Σ w²``, as ``l2`` of an optimizer; the derivative is λ w. (Keras has no ½: its L2(λ) is L2(2 λ) here.)

    Parameters  strength λ : >= 0 = 0.01
    Raises      ParameterError when strength is not a finite number of at least 0

    Example
        >>> L2(1e-4)
        L2(0.0001)
    """

    def __init__(self, strength: float = 0.01):
        self.strength = strength

    def penalty(self, k: Builder, w: Value) -> Value:
        return k.multiply(k.sum(k.square(w)), 0.5 * float(self.strength))

    def gradient(self, k: Builder, w: Value) -> Value:
        return k.multiply(w, float(self.strength))


class L1L2(Regularizer):
    """Both at once: ``J ← J + l1 Σ |w| + ½ l2 Σ w²`` (elastic net).

    Parameters  l1, l2 : >= 0 = 0.01
    Raises      ParameterError when a strength is not a finite number of at least 0
    References  Zou and Hastie, Regularization and variable selection via the elastic net, JRSS B 2005

    Example
        >>> L1L2(l1=1e-4, l2=1e-3)
        L1L2(l1=0.0001, l2=0.001)
    """

    def __init__(self, *, l1: float = 0.01, l2: float = 0.01):
        self.l1, self.l2 = l1, l2

    def penalty(self, k: Builder, w: Value) -> Value:
        return k.add(L1(self.l1).penalty(k, w), L2(self.l2).penalty(k, w))

    def gradient(self, k: Builder, w: Value) -> Value:
        return k.add(L1(self.l1).gradient(k, w), L2(self.l2).gradient(k, w))
