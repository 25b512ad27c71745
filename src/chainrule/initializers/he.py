"""He's laws: they make up for the half of the signal that a rectifier drops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.initializers.base import Initializer

__all__ = ["HeNormal", "HeUniform"]


@dataclass(frozen=True)
class HeNormal(Initializer):
    """Normal law ``w ~ N(0, 2 / ((1 + α²) fan_in))``, α the slope left of zero. The start for ReLU.

    A rectifier of slope α keeps ``(1 + α²) / 2`` of the second moment of a symmetric signal; the law
    multiplies by the inverse, so that the signal is as large after many layers as after one.

    Parameters  negative_slope : float = 0.0 ; α, without unit: 0 for ReLU, 0.01 for the usual leaky ReLU
    Raises      ParameterError when negative_slope is not finite
    References  He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", 2015, equations 10 and 15

    Example
        >>> import numpy as np
        >>> w = HeNormal()((800, 300), np.random.default_rng(0), fan_in=800, fan_out=300)
        >>> print(f"{w.std():.3f}")
        0.050
    """

    negative_slope: float = 0.0
    name: ClassVar[str] = "he_normal"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return math.sqrt(_variance(self.negative_slope, fan_in)) * rng.standard_normal(shape)


@dataclass(frozen=True)
class HeUniform(Initializer):
    """Uniform law ``w ~ U(-b, b)`` with ``b = √(6 / ((1 + α²) fan_in))``, of the variance of `HeNormal`.

    Parameters  negative_slope : float = 0.0 ; α, without unit: 0 for ReLU, 0.01 for the usual leaky ReLU
    Raises      ParameterError when negative_slope is not finite
    References  He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", 2015, equations 10 and 15

    Example
        >>> import numpy as np
        >>> w = HeUniform()((600, 300), np.random.default_rng(0), fan_in=600, fan_out=300)
        >>> print(f"{abs(w).max():.3f}")
        0.100
    """

    negative_slope: float = 0.0
    name: ClassVar[str] = "he_uniform"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        bound = math.sqrt(3.0 * _variance(self.negative_slope, fan_in))
        return rng.uniform(-bound, bound, shape)


def _variance(negative_slope: float, fan_in: int) -> float:
    return 2.0 / ((1.0 + float(negative_slope) ** 2) * fan_in)
