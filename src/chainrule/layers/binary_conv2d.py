"""Convolution of images with weights of one bit."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean, Interval
from ..ops.value import Shape
from ._binary import NO_GRADIENT, as_signs
from .base import Parameter
from .conv2d import Conv2D


class BinaryConv2D(Conv2D):
    """Convolution of images ``z = x ∗ sign(W) + b`` with weights that are −1 or 1 for whatever reads them.

    Fits change the stored weights W by the gradient of the sign where ``|W| ≤ clip``, as if it were W itself, and keep them
    in [−clip, clip]. After a ``Sign`` activation x is −1 or 1, too, and ``net.pack()`` multiplies bits; outside the image x
    is 0, as everywhere. Pooling belongs before the normalisation and the sign, where it still sees sizes.

    With ``scaled=True`` each output has the factor ``α = mean |W|`` of its weights, as in XNOR-Net:
    ``z = (x ∗ sign(W)) ⊙ α + b``.

    Parameters
        channels, kernel, stride, padding, dilation, groups : as of Conv2D ; clip : number > 0 = 1 ; bias : bool = False
        scaled : bool = False, whether the signs of an output have the mean size of its weights
        weight_init, bias_init : Initializer or its name
    Shapes      x (N, H, W, C) ; weight W (kh, kw, C / groups, O) ; bias b (O,) ; z (N, H', W', O)
    Backward    dx = dz ∗ᵀ sign(W) ; dW = (x ⋆ dz) ⊙ [|W| ≤ clip] ; db = Σ dz over all axes but the last
    Raises      as Conv2D ; ParameterError when clip is not above 0
    References  Courbariaux, Hubara, Soudry, El-Yaniv, Bengio, Binarized neural networks, 2016 ;
                Rastegari, Ordonez, Redmon, Farhadi, XNOR-Net, ECCV 2016

    Example
        >>> BinaryConv2D(128, 3, padding="same")
        BinaryConv2D(128, kernel=3, padding='same')
    """

    hyperparameters = {"clip": Interval(float, 0, closed="neither", hint=NO_GRADIENT), "scaled": Boolean()}

    def __init__(
        self,
        channels: int,
        kernel: int | tuple[int, ...],
        *,
        stride: int | tuple[int, ...] = 1,
        padding: Any = "valid",
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        clip: float = 1.0,
        scaled: bool = False,
        bias: bool = False,
        weight_init: Any = "glorot_uniform",
        bias_init: Any = "zeros",
    ):
        super().__init__(
            channels, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias,
            weight_init=weight_init, bias_init=bias_init,
        )  # fmt: skip
        self.clip, self.scaled = clip, scaled

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        return as_signs(super().parameters(*shapes), self.clip, self.scaled)
