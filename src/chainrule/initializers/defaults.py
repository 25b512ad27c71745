"""Which law starts the weights in front of an activation."""

from __future__ import annotations

from chainrule.errors import ParameterError
from chainrule.initializers.base import Initializer
from chainrule.initializers.glorot import GlorotUniform
from chainrule.initializers.he import HeNormal
from chainrule.initializers.lecun import LeCunNormal

__all__ = ["default_for"]

_RECTIFIERS = frozenset({"relu", "elu", "gelu", "silu", "softplus"})
_USUAL_SLOPES = {
    "leaky_relu": 0.01,
    "prelu": 0.25,  # where its slope starts
    "rrelu": 11 / 48,  # the mean of a slope drawn from U(1/8, 1/3)
}


def default_for(activation_name: str | None, *, negative_slope: float | None = None) -> Initializer:
    """The initialiser that keeps signal and gradient in size in front of that activation.

    ======================================== =======================================
    relu, elu, gelu, silu, softplus          `HeNormal`
    leaky_relu, prelu, rrelu                 `HeNormal` with the activation's slope
    selu                                     `LeCunNormal`
    tanh, sigmoid, softmax, any other, None  `GlorotUniform`
    ======================================== =======================================

    Parameters  activation_name : name of the activation after the layer, None for none
                negative_slope : float or None = None ; α of leaky_relu (0.01), prelu (0.25) or rrelu (11/48,
                the mean), None for the number in brackets
    Raises      ParameterError when negative_slope is given for an activation that has none

    Example
        >>> default_for("relu")
        HeNormal(negative_slope=0.0)
        >>> default_for("leaky_relu", negative_slope=0.2)
        HeNormal(negative_slope=0.2)
        >>> default_for(None)
        GlorotUniform()
    """
    if activation_name in _USUAL_SLOPES:
        return HeNormal(_USUAL_SLOPES[activation_name] if negative_slope is None else negative_slope)
    if negative_slope is not None:
        raise ParameterError(
            f"The negative_slope belongs to {', '.join(_USUAL_SLOPES)}. "
            f"Got negative_slope={negative_slope!r} for {activation_name!r} instead. Leave it out."
        )
    if activation_name in _RECTIFIERS:
        return HeNormal()
    return LeCunNormal() if activation_name == "selu" else GlorotUniform()
