"""What an initialiser is: a law from which the weights of a layer are drawn before training."""

from __future__ import annotations

import dataclasses
import math
import numbers
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.errors import DtypeError, ParameterError, ShapeError

__all__ = ["Initializer"]


class Initializer(ABC):
    """A law for the first values of a parameter.

    A subclass is a frozen dataclass: its fields are the parameters of the law, checked by `validate`
    when it is made; it holds no arrays and no random state, and equal fields make equal initialisers.
    It writes one method, `_draw`.

    Values are drawn in float64 and then rounded to the dtype asked for, so that one seed gives the same
    weights, up to rounding, in float32 and float64.

    Attributes
        name            the name in the registry ("he_normal")
        data_dependent  whether the network must rescale the weights by the layer's measured output
    """

    name: ClassVar[str] = ""
    data_dependent: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.validate()

    def __call__(
        self,
        shape: tuple[int, ...],
        rng: np.random.Generator,
        *,
        fan_in: int,
        fan_out: int,
        dtype: DTypeLike = np.float32,
    ) -> NDArray[Any]:
        """A new C-contiguous array of the given shape, drawn from the law.

        Parameters
            shape    dimensions of the parameter, each >= 1
            rng      numpy.random.Generator ; the only source of randomness
            fan_in   inputs that one output sums over (see `compute_fans`)
            fan_out  outputs that one input reaches
            dtype    a floating dtype
        Raises  ShapeError for a bad shape, ParameterError for a bad fan or rng, DtypeError for a dtype
                that is not floating
        """
        if not isinstance(rng, np.random.Generator):
            raise ParameterError(
                f"The rng of {type(self).__name__} must be a numpy.random.Generator. Got {rng!r} instead. "
                "Make one with numpy.random.default_rng(seed)."
            )
        for parameter, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
            if not _is_integer(fan) or fan < 1:
                raise ParameterError(
                    f"The {parameter} of {type(self).__name__} must be an integer >= 1. Got {fan!r} instead."
                )
        target = np.dtype(dtype)
        if target.kind != "f":
            raise DtypeError(f"The dtype of {type(self).__name__} must be a floating dtype. Got {target} instead.")
        values = self._draw(_checked_shape(self, shape), rng, int(fan_in), int(fan_out))
        return np.ascontiguousarray(values, dtype=target).reshape(shape)

    @abstractmethod
    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        """Values of the law in float64; the arguments are checked."""

    def validate(self) -> None:
        """Raise ParameterError when a parameter of the law is outside its range."""
        for parameter in self.config():
            self._check(parameter)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as plain Python values, ready for JSON."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # every concrete subclass is a dataclass
        values = {field.name: getattr(self, field.name) for field in fields}
        return {key: value.item() if isinstance(value, np.generic) else value for key, value in values.items()}

    def _check(self, parameter: str, *, minimum: float = -math.inf, integer: bool = False) -> None:
        """Raise ParameterError unless the field is a finite number (or an integer) >= minimum."""
        value = getattr(self, parameter)
        good = _is_integer(value) if integer else _is_finite_number(value)
        if not good or value < minimum:
            kind = "an integer" if integer else "a finite number"
            bound = "" if minimum == -math.inf else f" >= {minimum:g}"
            raise ParameterError(f"The {parameter} of {type(self).__name__} must be {kind}{bound}. Got {value!r} instead.")


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_finite_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _checked_shape(initializer: Initializer, shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(_is_integer(size) and size >= 1 for size in shape):
        raise ShapeError(
            f"The shape given to {type(initializer).__name__} must be a tuple of integers >= 1. Got {shape!r} instead."
        )
    return tuple(int(size) for size in shape)
