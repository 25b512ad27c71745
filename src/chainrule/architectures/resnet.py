"""Residual networks for small pictures."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from ..errors import ParameterError
from ..layers import Dense, GlobalAveragePool, ReLU
from ..model import Network
from ..network import Residual
from ._parts import InputShape, check_count, check_widths, convolution, finished, normalised


def resnet(
    depth: int = 20,
    classes: int = 10,
    *,
    channels: Any = (16, 32, 64),
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """The residual network of ``depth`` layers that its paper trains on CIFAR-10: stages of blocks ``relu(f(x) + x)``.

    f is convolution, batch normalisation, ReLU, convolution, batch normalisation. The first block of each stage after the
    first halves both sides; its shortcut is a 1×1 convolution of stride 2 with batch normalisation (the paper's option B),
    and the identity everywhere else. At the end stands the mean over all places, then one fully connected layer.

    Parameters  depth : 2 + 2 · stages · blocks, so 8, 14, 20, 32, 44, 56, 110, ... for three stages = 20
                classes : int >= 1 = 10, logits ; channels : of each stage = (16, 32, 64)
                input_shape : (H, W, C) of one picture; None leaves it to the first fit ; random_state, dtype : as in Network
    Shapes      x (N, H, W, C) of any size ; logits (N, classes)
    Start       normal by He's law for the convolutions, as in the paper; γ = 1 and β = 0
    Raises      ParameterError when depth is none of these, or another argument is out of its range
    References  He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016. It trains with
                SGD(0.1, momentum=0.9, weight_decay=1e-4), batches of 128, shifted and flipped pictures

    Example
        >>> from chainrule.architectures import resnet
        >>> resnet(20, input_shape=(32, 32, 3)).parameters.count
        272474
    """
    check_count("resnet", classes=classes)
    widths = check_widths("resnet", "channels", channels)
    step = 2 * len(widths)
    whole = isinstance(depth, Integral) and not isinstance(depth, bool)
    if not whole or depth < 2 + step or (depth - 2) % step:
        known = ", ".join(str(2 + step * blocks) for blocks in range(1, 6))
        raise ParameterError(f"resnet: depth must be 2 + {step} · blocks, such as {known}. Got {depth!r}.")
    layers, before = convolution(widths[0]), widths[0]
    for width in widths:
        for _ in range((int(depth) - 2) // step):
            wider = width != before
            stride = 2 if wider else 1
            path = [*convolution(width, stride=stride), *normalised(width)]
            shortcut = normalised(width, kernel=1, stride=stride) if wider else None
            layers += [Residual(path, shortcut), ReLU()]
            before = width
    layers += [GlobalAveragePool(), Dense(classes, weight_init="he_normal")]
    return finished(Network(layers, random_state=random_state, dtype=dtype), input_shape)


def resnet20(classes: int = 10, **options: Any) -> Network:
    """``resnet(20, classes, ...)``: 272,474 weights and 41 million multiply-adds for a colour picture of 32×32.

    Parameters  as in ``resnet``

    Example
        >>> from chainrule.architectures import resnet20
        >>> len([name for name in resnet20(input_shape=(32, 32, 3)).layers if "conv" in name])
        21
    """
    return resnet(20, classes, **options)
