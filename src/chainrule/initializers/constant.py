"""Initialisers without randomness: zeros, ones, and any one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.initializers.base import Initializer

__all__ = ["Constant", "Ones", "Zeros"]


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros, ``w = 0``: the usual start of a bias.

    As a weight it never learns: all units of a layer get the same gradient, so they stay alike.

    Example
        >>> import numpy as np
        >>> Zeros()((3,), np.random.default_rng(0), fan_in=2, fan_out=3)
        array([0., 0., 0.], dtype=float32)
    """

    name: ClassVar[str] = "zeros"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones(Initializer):
    """All ones, ``w = 1``: the usual start of the scale of a normalisation.

    Example
        >>> import numpy as np
        >>> Ones()((3,), np.random.default_rng(0), fan_in=3, fan_out=3)
        array([1., 1., 1.], dtype=float32)
    """

    name: ClassVar[str] = "ones"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return np.ones(shape)


@dataclass(frozen=True)
class Constant(Initializer):
    """One number everywhere, ``w = value``: the bias of an LSTM's forget gate (1), the slope of PReLU (0.25).

    Parameters  value : finite float ; in the unit of the parameter
    Raises      ParameterError when value is not finite

    Example
        >>> import numpy as np
        >>> Constant(0.25)((2,), np.random.default_rng(0), fan_in=2, fan_out=2)
        array([0.25, 0.25], dtype=float32)
    """

    value: float
    name: ClassVar[str] = "constant"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return np.full(shape, float(self.value))
