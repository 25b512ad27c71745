"""Which law starts the weights in front of an activation."""

from __future__ import annotations

import math

from chainrule.errors import ParameterError
from chainrule.initializers.base import Initializer
from chainrule.initializers.glorot import GlorotUniform
from chainrule.initializers.he import HeNormal
from chainrule.initializers.lecun import LeCunNormal

__all__ = ["default_for"]


def default_for(variance: float | None) -> Initializer:
    """The law that keeps signal and gradient in size in front of an activation.

    An activation σ says which variance it needs: ``fan_in Var(w) = 1 / E[σ(z)²]`` for z ~ N(0, 1), and at most 2
    (``layer.curve().start_variance``). It is 2 for ReLU, 2 / (1 + α²) with a slope α left of zero, and 1 for SELU.

    ===================================================== =======================================
    None: σ saturates (tanh, sigmoid), or there is none   `GlorotUniform`
    1                                                     `LeCunNormal`
    any other number                                      `HeNormal` with the slope of that variance
    ===================================================== =======================================

    Parameters  variance : fan_in Var(w), in (0, 2], or None
    Raises      ParameterError when variance is outside of (0, 2]

    Example
        >>> default_for(2.0)
        HeNormal(negative_slope=0.0)
        >>> default_for(2 / (1 + 0.2**2))
        HeNormal(negative_slope=0.2)
        >>> default_for(None)
        GlorotUniform()
    """
    if variance is None:
        return GlorotUniform()
    if not 0 < variance <= 2:
        raise ParameterError(f"The variance of a start law, times its fan-in, must lie in (0, 2]. Got {variance!r}.")
    # Slopes are known to about six digits, as the variance may have been measured.
    slope = float(f"{math.sqrt(2 / variance - 1):.6g}")
    return LeCunNormal() if abs(slope - 1) < 1e-5 else HeNormal(slope)
