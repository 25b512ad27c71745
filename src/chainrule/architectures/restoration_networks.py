"""Networks of convolutions alone that make a picture from a picture: without its noise, or larger."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval, OneOf
from ..layers import Add, BatchNorm, Conv2D, DepthToSpace, ReLU, Resize2D, Subtract, Tensor
from ..model import Network
from ._parts import InputShape, check_count, check_divides, finished

__all__ = ["dncnn", "super_resolution"]


def _body(x: Tensor, width: int, depth: int, outputs: int, *, stride: int = 1) -> Tensor:
    """Convolutions with normalisation and ReLU, of which the last begins at 0, so that the picture stays as it came."""
    first = Conv2D(width, 3, padding=1) if stride == 1 else Conv2D(width, 2 * stride, stride=stride, padding=stride // 2)
    layers: list[Any] = [first, ReLU()]
    for _ in range(depth - 2):
        layers += [Conv2D(width, 3, padding=1, bias=False, weight_init="he_normal"), BatchNorm(), ReLU()]
    for layer in [*layers, Conv2D(outputs, 3, padding=1, weight_init="zeros")]:
        x = layer(x)
    return x


def dncnn(
    channels: int = 1,
    *,
    width: int = 64,
    depth: int = 12,
    shrink: int = 2,
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """DnCNN, which takes noise of unknown strength out of pictures: convolutions find the noise, which is subtracted.

    With ``shrink`` the convolutions work on a picture whose sides are so many times smaller: the first one has that stride,
    and a sub-pixel convolution makes the noise of every pixel at the end. They then see more of the picture, and take a
    quarter of the time (FFDNet). The paper of DnCNN has width 64, depth 17 (20 where the strength is unknown), shrink 1.

    Parameters  channels : of the picture = 1 ; width : channels of the convolutions = 64 ; depth : of them >= 2 = 12
                shrink : 1, 2 or 4 = 2 ; input_shape : (H, W, C) of one picture, None leaves it to the first fit
                random_state, dtype : as in Network
    Shapes      x (N, H, W, channels), both sides multiples of shrink ; y (N, H, W, channels)
    Raises      ParameterError for an argument out of its range ; ShapeError where shrink does not divide the sides
    References  Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017 ;
                Zhang, Zuo and Zhang, FFDNet, IEEE TIP 2018

    Example
        >>> from chainrule.architectures import dncnn
        >>> dncnn(width=8, depth=4, input_shape=(24, 24, 1)).output_shapes
        [(24, 24, 1)]
    """
    check_count("dncnn", channels=channels, width=width)
    Interval(int, 2).check("dncnn", "depth", depth)
    OneOf(1, 2, 4).check("dncnn", "shrink", shrink)
    check_divides("dncnn", input_shape, shrink, f"its convolutions work at a {shrink}th of the size")
    picture = Tensor()
    noise = _body(picture, width, depth, shrink**2 * channels, stride=shrink)
    if shrink > 1:
        noise = DepthToSpace(shrink)(noise)
    clean = Subtract()(picture, noise)
    return finished(Network(inputs=picture, outputs=clean, random_state=random_state, dtype=dtype), input_shape)


def super_resolution(
    factor: int = 2,
    *,
    channels: int = 1,
    width: int = 64,
    depth: int = 12,
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """A picture with ``factor`` times as many pixels a side: what bicubic interpolation makes of it, and the detail that is
    missing there, which the convolutions of DnCNN find at the size of the small picture.

    Parameters  factor : 2, 3, ... = 2 ; channels : of the picture = 1 ; width, depth : of the convolutions = 64, 12
                input_shape : (H, W, C) of one small picture ; random_state, dtype : as in Network
    Shapes      x (N, H, W, channels) ; y (N, factor H, factor W, channels)
    References  Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional
                neural network, CVPR 2016 ; Kim, Lee and Lee, Accurate image super-resolution using very deep convolutional
                networks, CVPR 2016

    Example
        >>> from chainrule.architectures import super_resolution
        >>> super_resolution(2, width=8, depth=4, input_shape=(12, 16, 1)).output_shapes
        [(24, 32, 1)]
    """
    check_count("super_resolution", factor=factor, channels=channels, width=width)
    Interval(int, 2).check("super_resolution", "depth", depth)
    picture = Tensor()
    detail = DepthToSpace(factor)(_body(picture, width, depth, factor**2 * channels))
    large = Add()(Resize2D(scale=factor, method="bicubic")(picture), detail)
    return finished(Network(inputs=picture, outputs=large, random_state=random_state, dtype=dtype), input_shape)
