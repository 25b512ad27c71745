"""The normal law with a given spread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.constraints import Interval
from chainrule.initializers.base import Initializer

__all__ = ["Normal"]


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal law ``w ~ N(mean, std²)``, whatever the size of the layer.

    Parameters  std : float >= 0 = 0.01 ; standard deviation, in the unit of the weight
                mean : float = 0.0
    Raises      ParameterError when std is negative or a parameter is not finite

    Example
        >>> import numpy as np
        >>> w = Normal(0.02)((500, 400), np.random.default_rng(0), fan_in=500, fan_out=400)
        >>> print(f"{w.std():.3f}")
        0.020
    """

    std: float = 0.01
    mean: float = field(default=0.0, kw_only=True)
    name: ClassVar[str] = "normal"
    hyperparameters = {"std": Interval(float, 0)}

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return self.mean + self.std * rng.standard_normal(shape)
