"""A convolution of each channel by itself."""

from __future__ import annotations

from typing import Any, ClassVar

from ..constraints import Interval
from ._convolution import _Convolution
from .base import Layer
from .regularizers import Regularizer
from .weight_constraints import WeightConstraint


class DepthwiseConv2D(_Convolution):
    """Convolution of each channel by itself
    ``z[n, i, j, m c + q] = Σ x[n, s i + d u − p, s j + d v − p, c] W[u, v, 0, m c + q] + b[m c + q]``
    with q = 0, ..., m − 1: `Conv2D` with groups = C and O = m C.

    With a Conv2D of kernel 1 behind it, which mixes the channels, it is a separable convolution: nearly the same for about
    1 / O + 1 / (kh kw) of the work.

    Parameters
        kernel : int >= 1 or two, size of the kernel
        multiplier : int >= 1 = 1, number m of outputs for each channel
        stride : int >= 1 or two = 1 ; dilation : int >= 1 or two = 1
        padding : "valid" (none), "same", int >= 0 or two, or two (before, after) pairs = "valid"; see Conv2D
        bias : bool = True
        weight_init, bias_init : Initializer or its name; weight_init=None follows the next activation
        weight_regularizer, weight_constraint : a Regularizer and a WeightConstraint of these weights, or None
    Shapes      x (N, H, W, C) ; weight W (kh, kw, 1, m C) ; bias b (m C,) ; z (N, H', W', m C)
    Backward    dx = dz ∗ᵀ W ; dW = x ⋆ dz ; db = Σ dz over all axes but the last    (each channel by itself)
    Raises      ShapeError when x is not (N, H, W, C), or the kernel is larger than the padded image ;
                ParameterError when an argument is out of range
    References  Howard et al., MobileNets: efficient convolutional neural networks for mobile vision applications, 2017

    Example
        >>> DepthwiseConv2D(3, padding="same")
        DepthwiseConv2D(3, padding='same')
    """

    width_argument = None  # as many as the input has, times the multiplier
    channel_map = "each"
    axes: ClassVar[int] = 2
    hyperparameters = {"multiplier": Interval(int, 1)}

    def __init__(
        self,
        kernel: int | tuple[int, ...],
        *,
        multiplier: int = 1,
        stride: int | tuple[int, ...] = 1,
        padding: Any = "valid",
        dilation: int | tuple[int, ...] = 1,
        bias: bool = True,
        weight_init: Any = None,
        bias_init: Any = "zeros",
        weight_regularizer: Regularizer | None = None,
        weight_constraint: WeightConstraint | None = None,
    ):
        self.kernel, self.multiplier = kernel, multiplier
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.bias, self.weight_init, self.bias_init = bias, weight_init, bias_init
        self.weight_regularizer, self.weight_constraint = weight_regularizer, weight_constraint

    def validate(self) -> None:
        Layer.validate(self)  # what a convolution adds is about groups, which are the channels here

    def _counts(self, inputs: int) -> tuple[int, int]:
        return inputs * int(self.multiplier), inputs
