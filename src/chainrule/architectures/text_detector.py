"""A network that marks where text is on a page of any size."""

from __future__ import annotations

from typing import Any

from ..layers import Add, Concat, Conv2D, Input, ReLU, Tensor, UpSampling2D
from ..model import Network
from ..network import Residual
from ._parts import check_count, convolution, normalised

__all__ = ["text_detector"]


def text_detector(*, width: int = 16, channels: int = 1, random_state: Any = None, dtype: str = "float32") -> Network:
    """The logits of a map of text and of a map of thresholds, at half the size of a page of any size.

    Residual convolutions see the page at 1/2, 1/4, 1/8 and 1/16 of its size. A feature pyramid brings what the coarser
    levels say back to 1/4, where all of them are joined, and a head beside the finest features makes the two maps. The loss
    is ``DifferentiableBinarization``; ``chainrule.pages`` makes targets of lines, and lines of maps.

    Parameters  width : channels at half the size = 16, twice as many at each halving up to 1/8 ; channels : of a page = 1 ;
                random_state, dtype : as in Network
    Shapes      x (N, H, W, channels), sides multiples of 16 ; y (N, H / 2, W / 2, 2)
    References  Liao, Wan, Yao, Chen and Bai, Real-time scene text detection with differentiable binarization, AAAI 2020,
                with a smaller body; Lin et al., Feature pyramid networks for object detection, CVPR 2017

    Example
        >>> network = text_detector(width=8, random_state=0)
        >>> network.outputs_for([(64, 96, 1)])
        [(32, 48, 2)]
    """
    check_count("text_detector", width=width, channels=channels)
    page = Input((None, None, channels))
    fine = x = _applied(page, convolution(width, stride=2))
    levels = []
    for wide in (2 * width, 4 * width, 4 * width):
        x = _applied(x, convolution(wide, stride=2))
        x = ReLU()(Residual([*convolution(wide), *normalised(wide)])(x))
        levels.append(x)
    joined, upper = [], None
    for i, level in reversed(list(enumerate(levels))):
        beside = _applied(level, normalised(2 * width, kernel=1))
        upper = ReLU()(beside if upper is None else Add()(UpSampling2D(2)(upper), beside))
        small = _applied(upper, convolution(width))
        joined.append(small if i == 0 else UpSampling2D(2**i)(small))
    x = UpSampling2D(2)(_applied(Concat()(*joined), convolution(width)))
    x = _applied(Concat()(x, fine), convolution(width))
    network = Network(inputs=page, outputs=Conv2D(2, 1).named("maps")(x), random_state=random_state, dtype=dtype)
    network.build()
    return network


def _applied(x: Tensor, layers: list[Any]) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x
