"""A small MobileNet."""

from __future__ import annotations

from typing import Any

from ..constraints import POSITIVE
from ..layers import BatchNorm, Dense, DepthwiseConv2D, GlobalAveragePool, ReLU
from ..model import Network
from ._parts import InputShape, check_count, convolution, finished

#: (channels, stride) of each block, after a first convolution of 32 channels.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def mobilenet_small(
    classes: int = 10,
    *,
    width: float = 0.5,
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """MobileNet for small pictures: each 3×3 convolution is split into one of each channel by itself and a 1×1 convolution.

    A block is depthwise convolution, batch normalisation, ReLU, 1×1 convolution, batch normalisation, ReLU, which takes
    about a ninth of the products of a full 3×3 convolution. Seven blocks of the paper's thirteen, and a first convolution of
    stride 1, suit pictures of 32×32.

    Parameters  classes : int >= 1 = 10, logits ; width : > 0 = 0.5, the paper's α, factor of all numbers of channels
                input_shape : (H, W, C) of one picture; None leaves it to the first fit ; random_state, dtype : as in Network
    Shapes      x (N, H, W, C) of any size ; logits (N, classes)
    Start       normal by He's law; the paper names none
    Raises      ParameterError for an argument out of its range
    References  Howard et al., MobileNets: efficient convolutional neural networks for mobile vision applications, 2017

    Example
        >>> from chainrule.architectures import mobilenet_small
        >>> mobilenet_small(input_shape=(32, 32, 3)).parameters.count
        141994
    """
    check_count("mobilenet_small", classes=classes)
    POSITIVE.check("mobilenet_small", "width", width)

    def scaled(channels: int) -> int:
        return max(1, round(channels * width))

    layers = convolution(scaled(32))
    for channels, stride in _BLOCKS:
        # A channel by itself has 9 inputs, so He's law with its own fan-in.
        layers += [DepthwiseConv2D(3, stride=stride, padding=1, bias=False, weight_init="he_normal"), BatchNorm(), ReLU()]
        layers += convolution(scaled(channels), kernel=1)
    layers += [GlobalAveragePool(), Dense(classes, weight_init="he_normal")]
    return finished(Network(layers, random_state=random_state, dtype=dtype), input_shape)
