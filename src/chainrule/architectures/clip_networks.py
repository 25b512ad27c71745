"""Networks that tell clips of video apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ParameterError, UnknownNameError
from ..layers import (
    GRU,
    AdaptiveAveragePool2D,
    BatchNorm,
    Conv2D,
    Conv3D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    PositionalEncoding,
    ReLU,
    TimeDistributed,
)
from ..model import Network
from ..network import TransformerEncoderBlock
from ._parts import check_count, check_widths

__all__ = ["CLIP_NETWORKS", "clip_network", "conv3d", "frames_attention", "frames_gru", "r2plus1d"]

ClipShape = tuple[int, int, int, int]
_DROPOUT = 0.3
#: Frames that the positions of self-attention are made for.
_MOST_FRAMES = 1024


def conv3d(classes: int, *, channels: Any = (16, 32, 64, 128), **options: Any) -> Network:
    """3D convolutions, which see some frames and pixels at a time: the first halves pictures, the others time as well.

    Parameters  classes : int >= 1, logits ; channels : of each convolution ; options : input_shape (T, H, W, C),
                random_state, dtype
    Shapes      x (N, T, H, W, C) ; logits (N, classes)
    References  Tran et al., Learning spatiotemporal features with 3D convolutional networks, ICCV 2015

    Example
        >>> conv3d(4, input_shape=(8, 32, 32, 3)).output_shapes
        [(4,)]
    """
    layers: list[Any] = []
    for i, width in enumerate(_checked("conv3d", classes, channels)):
        layers += _normalised(Conv3D(width, 3, stride=(2 if i else 1, 2, 2), padding=1, bias=False, weight_init="he_normal"))
    return _finished([*layers, GlobalAveragePool(), Dropout(_DROPOUT), Dense(classes)], options)


def r2plus1d(classes: int, *, channels: Any = (16, 32, 64, 128), **options: Any) -> Network:
    """(2+1)D convolutions: each 3D convolution is one over the pixels of a frame and one over the frames of a pixel.

    It has fewer weights than the 3D convolution, and one nonlinearity more.

    Parameters, shapes  as ``conv3d``
    References  Tran et al., A closer look at spatiotemporal convolutions for action recognition, CVPR 2018

    Example
        >>> r2plus1d(4, input_shape=(8, 32, 32, 3)).output_shapes
        [(4,)]
    """
    layers: list[Any] = []
    for i, width in enumerate(_checked("r2plus1d", classes, channels)):
        common: dict[str, Any] = {"bias": False, "weight_init": "he_normal"}
        layers += _normalised(Conv3D(width, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1), **common))
        layers += _normalised(Conv3D(width, (3, 1, 1), stride=(2 if i else 1, 1, 1), padding=(1, 0, 0), **common))
    return _finished([*layers, GlobalAveragePool(), Dropout(_DROPOUT), Dense(classes)], options)


def frames_gru(classes: int, *, channels: Any = (16, 32, 64, 96), units: int = 64, **options: Any) -> Network:
    """A convolutional network for every frame, the mean of each quarter of its features, and a GRU over the frames.

    Parameters  as ``conv3d`` ; units : of the GRU = 64
    References  Donahue et al., Long-term recurrent convolutional networks for visual recognition and description, CVPR 2015

    Example
        >>> frames_gru(4, input_shape=(8, 32, 32, 3)).output_shapes
        [(4,)]
    """
    check_count("frames_gru", units=units)
    layers = _each_frame(_checked("frames_gru", classes, channels))
    return _finished([*layers, GRU(units), Dropout(_DROPOUT), Dense(classes)], options)


def frames_attention(
    classes: int, *, channels: Any = (16, 32, 64, 96), heads: int = 4, blocks: int = 1, **options: Any
) -> Network:
    """A convolutional network for every frame, self-attention between the frames, and the mean over them.

    Parameters  as ``conv3d`` ; heads, blocks : of the transformer; heads divide the last of the channels
    References  Arnab et al., ViViT: a video vision transformer, ICCV 2021

    Example
        >>> frames_attention(4, input_shape=(8, 32, 32, 3)).output_shapes
        [(4,)]
    """
    widths = _checked("frames_attention", classes, channels)
    check_count("frames_attention", heads=heads, blocks=blocks)
    if widths[-1] % heads:
        raise ParameterError(f"frames_attention: heads must divide the last of the channels, {widths[-1]}. Got {heads}.")
    layers = [*_each_frame(widths), PositionalEncoding(_MOST_FRAMES)]
    layers += [TransformerEncoderBlock(widths[-1], heads=heads, hidden=2 * widths[-1]) for _ in range(blocks)]
    return _finished([*layers, GlobalAveragePool(), Dropout(_DROPOUT), Dense(classes)], options)


#: Every network for clips by its name.
CLIP_NETWORKS: dict[str, Callable[..., Network]] = {
    "conv3d": conv3d,
    "frames_attention": frames_attention,
    "frames_gru": frames_gru,
    "r2plus1d": r2plus1d,
}


def clip_network(name: str) -> Callable[..., Network]:
    """The function that makes networks of this name, given the number of classes. Raises  UnknownNameError"""
    if name not in CLIP_NETWORKS:
        raise UnknownNameError("network for clips", name, CLIP_NETWORKS)
    return CLIP_NETWORKS[name]


def _checked(owner: str, classes: int, channels: Any) -> tuple[int, ...]:
    check_count(owner, classes=classes)
    return check_widths(owner, "channels", channels)


def _normalised(layer: Any) -> list[Any]:
    return [layer, BatchNorm(), ReLU()]


def _each_frame(widths: tuple[int, ...]) -> list[Any]:
    layers: list[Any] = []
    for width in widths:
        frame = Conv2D(width, 3, stride=2, padding=1, bias=False, weight_init="he_normal")
        layers += [TimeDistributed(frame), BatchNorm(), ReLU()]
    # The mean of each quarter, not of the whole, so that it is known where something is.
    return [*layers, TimeDistributed(AdaptiveAveragePool2D(2)), TimeDistributed(Flatten()), Dense(widths[-1])]


def _finished(layers: list[Any], options: dict[str, Any]) -> Network:
    shape: ClipShape | None = options.pop("input_shape", None)
    network = Network(layers, **options)
    if shape is not None:
        network.build(shape)
    return network
