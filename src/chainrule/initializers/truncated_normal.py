"""The normal law without its tails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.constraints import Interval
from chainrule.initializers.base import Initializer

__all__ = ["TruncatedNormal"]

CUT = 2.0  # in standard deviations of the normal law before it is cut


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal law cut at two standard deviations: ``w ~ N(mean, std²)`` given ``|w - mean| <= 2 std``.

    Exact: values outside are drawn again until they are inside (4.6 % of them at the first draw).
    ``std`` is that of the law before the cut; the weights themselves spread by 0.880 std.

    Parameters  std : float >= 0 = 0.01 ; standard deviation before the cut, in the unit of the weight
                mean : float = 0.0
    Raises      ParameterError when std is negative or a parameter is not finite

    Example
        >>> import numpy as np
        >>> w = TruncatedNormal(0.5)((500, 400), np.random.default_rng(0), fan_in=500, fan_out=400)
        >>> print(f"{abs(w).max():.3f} {w.std():.2f}")
        1.000 0.44
    """

    std: float = 0.01
    mean: float = field(default=0.0, kw_only=True)
    name: ClassVar[str] = "truncated_normal"
    hyperparameters = {"std": Interval(float, 0)}

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        z = rng.standard_normal(int(np.prod(shape)))
        outside = np.flatnonzero(np.abs(z) > CUT)
        while outside.size:
            z[outside] = rng.standard_normal(outside.size)
            outside = outside[np.abs(z[outside]) > CUT]
        return (self.mean + self.std * z).reshape(shape)
