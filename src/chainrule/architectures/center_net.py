"""A detector of objects without anchors."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

from ..errors import ParameterError, ShapeError, UnknownNameError
from ..initializers import Constant, Normal
from ..layers import Add, Conv2D, Input, ReLU, Tensor, UpSampling2D
from ..model import Network
from ..network import Residual
from ._parts import check_count, convolution, normalised

__all__ = ["BODIES", "center_net"]

#: Probability that the heat map begins with everywhere: objects are rare, and a map of 1/2 would drown them at first.
_PRIOR = 0.02
#: Units of the stride that the distances to the sides begin with.
_SIDE = 4.0
#: Deviation of the weights of both heads' last layers at the start. The outputs then begin as their biases. Were they spread
#: widely, the first steps would push the features of objects, which are few among all places, below 0, where a ReLU
#: learns no more: all boxes would keep one size for a long time.
_HEAD = 0.01
#: The coarsest places: pixels from one to the next.
_COARSEST = 32
#: Networks whose layers below the mean over all places can be a body, besides "residual".
BODIES = ("residual", "efficientnet_lite0", "mobilenet_small", "resnet20", "vgg_small")


def center_net(
    classes: int,
    *,
    input_shape: tuple[int, int, int],
    body: str | Network = "residual",
    width: int = 32,
    stride: int = 4,
    pretrained: bool = False,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """A one-stage detector: at every ``stride``-th place how probably it is an object's middle, and the sides of its box.

    A body sees the picture at 1/4, 1/8, 1/16 and 1/32 of its size. From the coarsest the features come back up, doubled and
    added to those of the body (a feature pyramid), until the ``stride``. There two heads of a 3×3 convolution and a 1×1
    convolution give the logits of a heat map for each class (HeatMapFocal) and the logarithms of the distances to the four
    sides in units of the stride (BoxGIoU). ``chainrule.boxes`` makes targets of boxes, and boxes of outputs.

    Parameters
        classes : int >= 1 ; input_shape : (H, W, C), multiples of 32
        body : "residual" (strides from the first layer on, the fastest), the name of an architecture in BODIES, or a built
            Network for pictures of this shape, such as one that was trained to tell pictures apart ; its layers before the
            mean over all places are used, with their weights
        width : channels at 1/4 of the size, and of the heads = 32; twice as many at each halving, 1.5 times as many on
            the way up
        stride : 4 or 8 = 4 ; pretrained : bool = False, weights of the body that were learned on ImageNet, where there are
        random_state, dtype : as in Network
    Shapes      x (N, H, W, C) ; heat (N, H / s, W / s, classes) ; sides (N, H / s, W / s, 4)
    Raises      ParameterError for an argument out of its range ; ShapeError for sides that are no multiples of 32
    References  Zhou, Wang and Krähenbühl, Objects as points, 2019; Liu et al., Training-time-friendly network for real-time
                object detection, AAAI 2020; Lin et al., Feature pyramid networks for object detection, CVPR 2017

    Example
        >>> from chainrule.architectures import center_net
        >>> center_net(3, input_shape=(64, 96, 3)).output_shapes
        [(16, 24, 3), (16, 24, 4)]
    """
    check_count("center_net", classes=classes, width=width)
    if stride not in (4, 8):
        raise ParameterError(f"center_net: stride must be 4 or 8. Got {stride!r}.")
    height, across, _ = input_shape
    if height % _COARSEST or across % _COARSEST:
        raise ShapeError(f"center_net: both sides of the picture must be multiples of {_COARSEST}. Got {input_shape}.")
    if body == "residual":
        if pretrained:
            raise ParameterError("center_net: the body 'residual' has no pretrained weights; efficientnet_lite0 has.")
        picture, levels = _residual(input_shape, width)
    else:
        picture, levels = _levels_of(_body(body, input_shape, pretrained, random_state, dtype), stride)
    channels = max(16, 3 * width // 2)
    for coarse in (8, 16, _COARSEST):  # a body that stops early is continued
        if coarse > stride and coarse not in levels:
            levels[coarse] = _applied(levels[coarse // 2], convolution(channels, stride=2))
    x = _applied(levels[_COARSEST], convolution(channels, kernel=1))
    level = _COARSEST
    while level > stride:
        level //= 2
        beside = _applied(levels[level], normalised(channels, kernel=1))
        x = ReLU()(Add()(UpSampling2D(2)(x), beside))
        x = _applied(x, convolution(channels))
    rare, near = Constant(log(_PRIOR / (1 - _PRIOR))), Constant(log(_SIDE * 4 / stride))
    heat = Conv2D(classes, 1, weight_init=Normal(_HEAD), bias_init=rare).named("heat")(_applied(x, convolution(width)))
    sides = Conv2D(4, 1, weight_init=Normal(_HEAD), bias_init=near).named("sides")(_applied(x, convolution(width)))
    network = Network(inputs=picture, outputs=[heat, sides], random_state=random_state, dtype=dtype)
    network.build(input_shape)
    return network


def _applied(x: Tensor, layers: list[Any]) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _residual(input_shape: tuple[int, int, int], width: int) -> tuple[Tensor, dict[int, Tensor]]:
    picture = Input(input_shape)
    x = _applied(picture, [*convolution(max(8, width // 2), stride=2), *convolution(width, stride=2)])
    levels, channels, at = {}, width, 4
    for blocks in (1, 2, 2, 1):
        if at > 4:
            x = _applied(x, convolution(channels, stride=2))
        for _ in range(blocks):
            x = ReLU()(Residual([*convolution(channels), *normalised(channels)])(x))
        levels[at] = x
        at, channels = 2 * at, 2 * channels
    return picture, levels


def _body(body: Any, shape: tuple[int, int, int], pretrained: bool, random_state: Any, dtype: str) -> Network:
    if isinstance(body, Network):
        return body.build(shape) if not body.built else body  # type: ignore[return-value]
    if body not in BODIES:
        raise UnknownNameError("body of a detector", body, BODIES)
    from .registry import get_architecture

    make: Callable[..., Network] = get_architecture(body)
    more = {"pretrained": True} if pretrained else {}
    if pretrained and body != "efficientnet_lite0":
        raise ParameterError(f"center_net: the body {body!r} has no pretrained weights; efficientnet_lite0 has.")
    return make(2 if not pretrained else 1000, input_shape=shape, random_state=random_state, dtype=dtype, **more)


def _levels_of(body: Network, finest: int) -> tuple[Tensor, dict[int, Tensor]]:
    """The input of a network, and its last features at each 1/4, 1/8, ... of the picture's size."""
    if len(body.input_ids) != 1 or body.input_shapes is None or len(body.input_shapes[0]) != 3:
        raise ShapeError("center_net: the body must be a built network for pictures (H, W, C), with one input.")
    height, width, _ = body.input_shapes[0]
    names: dict[int, str] = {}
    for call in body.calls:
        shape = body.sample_shape(call.output)
        if shape is None or len(shape) != 3:
            break
        for level in (4, 8, 16, _COARSEST):
            if level >= finest and shape[:2] == (height // level, width // level):
                names[level] = call.name
    if finest not in names:
        raise ShapeError(f"center_net: the body has no features at 1/{finest} of the picture's size {height} × {width}.")
    return body.inputs[0], {level: body.output_of(name) for level, name in names.items()}
