"""LeCun's laws: they keep the variance of the signal through a linear or self-normalising layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.initializers.base import Initializer

__all__ = ["LeCunNormal", "LeCunUniform"]


@dataclass(frozen=True)
class LeCunNormal(Initializer):
    """Normal law ``w ~ N(0, 1 / fan_in)``: ``Var z = Var x`` for z = x W. The start for SELU.

    References  LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998, section 4.6;
                Klambauer, Unterthiner, Mayr, Hochreiter, "Self-Normalizing Neural Networks", 2017

    Example
        >>> import numpy as np
        >>> w = LeCunNormal()((400, 500), np.random.default_rng(0), fan_in=400, fan_out=500)
        >>> print(f"{w.std():.3f}")
        0.050
    """

    name: ClassVar[str] = "lecun_normal"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return math.sqrt(1.0 / fan_in) * rng.standard_normal(shape)


@dataclass(frozen=True)
class LeCunUniform(Initializer):
    """Uniform law ``w ~ U(-b, b)`` with ``b = √(3 / fan_in)``, of variance ``1 / fan_in``.

    References  LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998, section 4.6

    Example
        >>> import numpy as np
        >>> w = LeCunUniform()((300, 500), np.random.default_rng(0), fan_in=300, fan_out=500)
        >>> print(f"{abs(w).max():.3f}")
        0.100
    """

    name: ClassVar[str] = "lecun_uniform"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        bound = math.sqrt(3.0 / fan_in)
        return rng.uniform(-bound, bound, shape)
