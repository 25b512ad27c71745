"""Glorot's laws: a compromise that keeps the signal forward and the gradient backward."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.initializers.base import Initializer

__all__ = ["GlorotNormal", "GlorotUniform"]


@dataclass(frozen=True)
class GlorotNormal(Initializer):
    """Normal law ``w ~ N(0, 2 / (fan_in + fan_out))``. The start for tanh, sigmoid and linear layers.

    Keeping ``Var z = Var x`` asks for the variance 1 / fan_in, keeping ``Var dx = Var dz`` asks for
    1 / fan_out; the law takes their harmonic mean.

    References  Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
                networks", 2010, equation 12

    Example
        >>> import numpy as np
        >>> w = GlorotNormal()((300, 500), np.random.default_rng(0), fan_in=300, fan_out=500)
        >>> print(f"{w.std():.3f}")
        0.050
    """

    name: ClassVar[str] = "glorot_normal"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return math.sqrt(2.0 / (fan_in + fan_out)) * rng.standard_normal(shape)


@dataclass(frozen=True)
class GlorotUniform(Initializer):
    """Uniform law ``w ~ U(-b, b)`` with ``b = √(6 / (fan_in + fan_out))``, of variance 2 / (fan_in + fan_out).

    References  Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
                networks", 2010, equation 16

    Example
        >>> import numpy as np
        >>> w = GlorotUniform()((300, 300), np.random.default_rng(0), fan_in=300, fan_out=300)
        >>> print(f"{abs(w).max():.3f}")
        0.100
    """

    name: ClassVar[str] = "glorot_uniform"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)
