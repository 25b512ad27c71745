"""SqueezeNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..layers import Concat, Conv2D, GlobalAveragePool, Input, MaxPool2D, ReLU
from ..model import Network
from ._parts import check_count

__all__ = ["squeezenet", "squeezenet_weights"]

#: Channels of the squeezing convolution and of each of the two that expand, for the modules 2 to 9.
_FIRE = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
#: The modules that are followed by pooling, beside the first convolution.
_POOLED = (4, 8)


def squeezenet(
    classes: int = 1000, *, input_shape: Any = None, random_state: Any = None, dtype: str = "float32"
) -> Network:  # fmt: skip
    """SqueezeNet 1.0: the accuracy of AlexNet with fifty times fewer weights, 1.2 million for 1,000 classes.

    A 7×7 convolution, then modules "fire" that squeeze to few channels by a 1×1 convolution and expand by 1×1 and 3×3
    convolutions side by side; logits are means over the picture. The layers are named "conv1", "fire2", ... "fire9" (the
    output of each module) and "conv10", so that features can be taken anywhere: ``network.taps("fire3", "fire5")``.

    Parameters  classes : int >= 1 ; input_shape : (H, W, C) of one picture; None leaves it to the first fit ;
                random_state, dtype : as in Network
    Shapes      x (N, H, W, C), any size from 21 up ; y (N, classes)
    References  Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model size, 2016

    Example
        >>> squeezenet(10, input_shape=(64, 64, 3)).output_shapes
        [(10,)]
    """
    check_count("squeezenet", classes=classes)
    x = Input(input_shape) if input_shape is not None else Input((None, None, 3))
    h = ReLU().named("conv1")(Conv2D(96, 7, stride=2).named("conv1.convolution")(x))
    h = MaxPool2D(3, stride=2, ceil=True)(h)
    for number, (few, many) in enumerate(_FIRE, 2):
        name = f"fire{number}"
        s = ReLU().named(f"{name}.squeezed")(Conv2D(few, 1).named(f"{name}.squeeze")(h))
        ones = ReLU().named(f"{name}.ones")(Conv2D(many, 1).named(f"{name}.expand1")(s))
        threes = ReLU().named(f"{name}.threes")(Conv2D(many, 3, padding=1).named(f"{name}.expand3")(s))
        h = Concat().named(name)(ones, threes)
        if number in _POOLED:
            h = MaxPool2D(3, stride=2, ceil=True)(h)
    h = ReLU().named("conv10")(Conv2D(classes, 1, padding=1).named("conv10.convolution")(h))
    made = Network(inputs=x, outputs=GlobalAveragePool()(h), random_state=random_state, dtype=dtype)
    if input_shape is not None:
        made.build(input_shape)
    return made


def squeezenet_weights(network: Network, arrays: Mapping[str, NDArray[Any]], *, bgr: bool = False) -> Network:
    """Gives a built SqueezeNet the weights of a file of another library, in the order of its convolutions.

    Parameters
        arrays : kernels (O, I, H, W) and biases (O,) by any names, 26 of each, in their order; the last, of the classes,
            may be of another number and is then left out
        bgr : whether the file's network takes blue first; here red comes first
    Raises      ModelFileError when they are no weights of SqueezeNet 1.0
    """
    kernels = [np.asarray(a, np.float32) for a in arrays.values() if np.ndim(a) == 4]
    biases = [np.asarray(a, np.float32) for a in arrays.values() if np.ndim(a) == 1 and np.asarray(a).dtype.kind == "f"]
    own = [name for name in network.parameters if name.endswith(".weight")]
    own.sort(key=lambda name: _order(name))
    if len(kernels) < len(own) - 1 or len(biases) != len(kernels):
        raise ModelFileError(f"SqueezeNet 1.0 has 26 kernels and biases. Got {len(kernels)} and {len(biases)}.")
    for i, (name, kernel, bias) in enumerate(zip(own, kernels, biases, strict=False)):
        target = network.parameters[name]
        turned = kernel.transpose(2, 3, 1, 0)
        if i == 0 and bgr:
            turned = turned[:, :, ::-1]
        if turned.shape != target.shape:
            if i == len(own) - 1:
                break
            raise ModelFileError(f"the weights of {name!r} have shape {target.shape}; the file has {turned.shape} there.")
        target[...] = turned
        network.parameters[name.replace(".weight", ".bias")][...] = bias
    return network


def _order(name: str) -> tuple[int, int]:
    """The place of a convolution: by its module, and within it squeeze, then 1×1, then 3×3."""
    module, _, part = name.partition(".")
    number = int(module.removeprefix("conv").removeprefix("fire"))
    return number, ("convolution", "squeeze", "expand1", "expand3").index(part.partition(".")[0])
