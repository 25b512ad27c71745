"""A small VGG."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..layers import Dense, Flatten, MaxPool2D
from ..model import Network
from ._parts import InputShape, check_count, check_widths, convolution, finished


def vgg_small(
    classes: int = 10,
    *,
    stages: Any = ((64, 64), (128, 128), (256,)),
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """VGG for small pictures: stages of 3×3 convolutions, each stage followed by max pooling that halves both sides.

    Each convolution is followed by batch normalisation, which the paper did not have yet, and ReLU. One fully connected
    layer takes the place of the paper's three, which hold most of its weights.

    Parameters  classes : int >= 1 = 10, logits ; stages : the channels of the convolutions of each stage
                input_shape : (H, W, C) of one picture; None leaves it to the first fit ; random_state, dtype : as in Network
    Shapes      x (N, H, W, C), both sides at least 2 to the number of stages ; pooling leaves out an odd last
                row or column ; logits (N, classes)
    Start       uniform by Glorot and Bengio's law, which the paper names as the start that needs no training before
    Raises      ParameterError for an argument out of its range ; ShapeError when pooling would leave nothing
    References  Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015 ;
                Ioffe and Szegedy, Batch normalization, ICML 2015

    Example
        >>> from chainrule.architectures import vgg_small
        >>> vgg_small(stages=((16, 16), (32,)), input_shape=(8, 8, 3)).output_shapes
        [(10,)]
    """
    check_count("vgg_small", classes=classes)
    levels = [check_widths("vgg_small", f"stages[{i}]", widths) for i, widths in enumerate(stages)]
    smallest = 2 ** len(levels)
    if input_shape is not None and min(input_shape[:2]) < smallest:
        raise ShapeError(
            f"vgg_small: it halves the picture {len(levels)} times, so both sides must be at least {smallest}. "
            f"Got input_shape={input_shape}. Enlarge the pictures, or use fewer stages."
        )
    layers: list[Any] = []
    for widths in levels:
        for channels in widths:
            layers += convolution(channels, init="glorot_uniform")
        layers.append(MaxPool2D(2))
    layers += [Flatten(), Dense(classes, weight_init="glorot_uniform")]
    return finished(Network(layers, random_state=random_state, dtype=dtype), input_shape)
