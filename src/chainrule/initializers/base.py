"""What an initialiser is: a law from which the weights of a layer are drawn before training."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.constraints import Constrained, Constraint, Interval
from chainrule.errors import DtypeError, ParameterError, ShapeError
from chainrule.registry import register

__all__ = ["Initializer"]


class Initializer(Constrained, ABC):
    """A law for the first values of a parameter.

    A subclass is a frozen dataclass: its fields are the parameters of the law, finite numbers unless
    `hyperparameters` says otherwise, and checked when it is made; it holds no arrays and no random state,
    and equal fields make equal initialisers. It writes one method, `_draw`.

    Values are drawn in float64 and then rounded to the dtype asked for, so that one seed gives the same
    weights, up to rounding, in float32 and float64.

    Attributes
        name            the name in the registry ("he_normal")
        data_dependent  whether the network must rescale the weights by the layer's measured output; such a law has
                        `rescale`, which is called up to `max_iterations` times
    """

    registry: ClassVar[dict[str, type[Initializer]]] = {}
    name: ClassVar[str] = ""
    data_dependent: ClassVar[bool] = False
    max_iterations: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(Initializer.registry, cls)

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
        owner, count = type(self).__name__, Interval(int, 1)
        fan_in, fan_out = count.check(owner, "fan_in", fan_in), count.check(owner, "fan_out", fan_out)
        target = np.dtype(dtype)
        if target.kind != "f":
            raise DtypeError(f"The dtype of {type(self).__name__} must be a floating dtype. Got {target} instead.")
        values = self._draw(_checked_shape(self, shape), rng, fan_in, fan_out)
        return np.ascontiguousarray(values, dtype=target).reshape(shape)

    @abstractmethod
    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        """Values of the law in float64; the arguments are checked."""

    def rescale(self, weight: NDArray[Any], output: NDArray[Any]) -> tuple[NDArray[Any], bool]:
        """Of a law that is data_dependent: a better weight, and whether the given one was good already.

        Parameters
            weight  as it is now
            output  that the layer gave with it for the first batch
        """
        raise NotImplementedError

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """What each parameter of the law may be: any finite number, where the class states nothing else."""
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # every concrete subclass is a dataclass
        return {field.name: Interval(float) for field in fields} | super().constraints()

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as plain Python values, ready for JSON."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]  # every concrete subclass is a dataclass
        values = {field.name: getattr(self, field.name) for field in fields}
        return {key: value.item() if isinstance(value, np.generic) else value for key, value in values.items()}


def _checked_shape(initializer: Initializer, shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(Interval(int, 1).holds(size) for size in shape):
        raise ShapeError(
            f"The shape given to {type(initializer).__name__} must be a tuple of integers >= 1. Got {shape!r} instead."
        )
    return tuple(int(size) for size in shape)
