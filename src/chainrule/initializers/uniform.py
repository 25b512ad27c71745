"""The uniform law on a given interval."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ParameterError
from chainrule.initializers.base import Initializer

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform law ``w ~ U(low, high)``, of variance ``(high - low)² / 12``, whatever the size of the layer.

    Parameters  low : float = -0.05 ; high : float = 0.05, >= low ; both in the unit of the weight
    Raises      ParameterError when low > high, or a bound or their distance is not finite

    Example
        >>> import numpy as np
        >>> w = Uniform(-0.1, high=0.1)((500, 400), np.random.default_rng(0), fan_in=500, fan_out=400)
        >>> print(f"{w.min():.2f} {w.max():.2f}")
        -0.10 0.10
    """

    low: float = -0.05
    high: float = field(default=0.05, kw_only=True)
    name: ClassVar[str] = "uniform"

    def validate(self) -> None:
        super().validate()
        if self.low > self.high:
            raise ParameterError(f"Uniform: low must be at most high. Got low={self.low!r} and high={self.high!r}.")
        if not np.isfinite(float(self.high) - float(self.low)):
            raise ParameterError(
                f"Uniform: the interval must have a finite length. Got low={self.low!r} and high={self.high!r}."
            )

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return rng.uniform(self.low, self.high, shape)
