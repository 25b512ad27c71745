"""Networks that foresee the next frames of a video."""

from __future__ import annotations

from typing import Any

from ..errors import ParameterError
from ..layers import (
    BatchNorm,
    Conv2D,
    ConvLSTM2D,
    DepthToSpace,
    Input,
    LeakyReLU,
    Permute,
    ReLU,
    Reshape,
    Tensor,
    TimeDistributed,
)
from ..model import Network
from ..network import Residual
from ._parts import check_count, check_divides

__all__ = ["conv_lstm_forecaster", "simvp"]


def conv_lstm_forecaster(
    frames: int,
    *,
    input_shape: tuple[int, int, int, int],
    channels: int = 32,
    layers: int = 1,
    kernel: int = 3,
    patch: int = 4,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """Convolutional LSTM: an encoder reads the frames, and a decoder that begins with its states writes the next ones.

    A convolution of stride ``patch`` makes the frames smaller, where the layers of ConvLSTM2D work; the decoder, which sees
    the encoder's last state at every step, gives patches that are put together to frames again.

    Parameters
        frames : how many to foresee ; input_shape : (T, H, W, C), sides multiples of the patch ; channels, layers, kernel :
        of ConvLSTM2D = 32, 1, 3 ; patch = 4 ; random_state, dtype : as in Network
    Shapes      x (N, T, H, W, C) ; y (N, frames, H, W, C), numbers without bounds: logits for a cross-entropy, or values
    References  Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting,
                NeurIPS 2015

    Example
        >>> conv_lstm_forecaster(5, input_shape=(10, 16, 16, 1), channels=8).output_shapes
        [(5, 16, 16, 1)]
    """
    check_count("conv_lstm_forecaster", frames=frames, channels=channels, layers=layers, kernel=kernel, patch=patch)
    _, height, width, depth = input_shape
    check_divides("conv_lstm_forecaster", (height, width, depth), patch, f"it sees patches of {patch}×{patch} pixels")
    picture = Input(input_shape)
    x = LeakyReLU(0.2)(TimeDistributed(Conv2D(channels, patch, stride=patch, weight_init="he_normal"))(picture))
    states: list[list[Tensor]] = []
    for _ in range(layers):
        x, h, c = ConvLSTM2D(channels, kernel, return_sequences=True, return_state=True)(x)
        states.append([h, c])
    # The last state, once for every frame that is foreseen: (N, h, w, F) -> (N, frames, h, w, F).
    small = (height // patch, width // patch)
    wide = Conv2D(frames * channels, 1, weight_init="he_normal")(states[-1][0])
    y = Permute((3, 1, 2, 4))(Reshape((*small, frames, channels))(wide))
    for _, state in zip(range(layers), states, strict=True):
        y = ConvLSTM2D(channels, kernel, return_sequences=True)(y, initial_state=state)
    y = TimeDistributed(Conv2D(patch * patch * depth, 1))(y)
    y = TimeDistributed(DepthToSpace(patch))(y)
    network = Network(inputs=picture, outputs=y, random_state=random_state, dtype=dtype)
    network.build(input_shape)
    return network


def simvp(
    frames: int,
    *,
    input_shape: tuple[int, int, int, int],
    channels: int = 128,
    blocks: int = 4,
    patch: int = 4,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """All frames at once: their patches are channels of one picture, and residual convolutions make the next frames of them.

    Without recurrence: as fast as a network for pictures, and, as the SimVP paper found, hardly worse than recurrent ones.

    Parameters  frames, input_shape, patch, random_state, dtype : as in ``conv_lstm_forecaster`` ; channels = 128, blocks =
                4 : of the residual blocks
    Shapes      x (N, T, H, W, C) ; y (N, frames, H, W, C), numbers without bounds
    References  Gao, Tan, Wu and Li, SimVP: simpler yet better video prediction, CVPR 2022, in a smaller form

    Example
        >>> simvp(5, input_shape=(10, 16, 16, 1), channels=16, blocks=1).output_shapes
        [(5, 16, 16, 1)]
    """
    check_count("simvp", frames=frames, channels=channels, blocks=blocks, patch=patch)
    steps, height, width, depth = input_shape
    check_divides("simvp", (height, width, depth), patch, f"it sees patches of {patch}×{patch} pixels")
    if steps < 1:
        raise ParameterError(f"simvp: expected at least one frame. Got input_shape={input_shape}.")
    picture = Input(input_shape)
    # (N, T, H, W, C) -> (N, H, W, T C): what happens at a place is its channels.
    x = Reshape((height, width, steps * depth))(Permute((2, 3, 1, 4))(picture))
    x = Conv2D(channels, patch, stride=patch, bias=False, weight_init="he_normal")(x)
    x = ReLU()(BatchNorm()(x))
    for _ in range(blocks):
        x = ReLU()(Residual([*_normalised(channels, 5), ReLU(), *_normalised(channels, 3)])(x))
    x = Conv2D(frames * depth * patch * patch, 1)(x)
    # DepthToSpace takes the channels of a place as (patch, patch, frames · depth).
    x = DepthToSpace(patch)(x)
    y = Permute((3, 1, 2, 4))(Reshape((height, width, frames, depth))(x))
    network = Network(inputs=picture, outputs=y, random_state=random_state, dtype=dtype)
    network.build(input_shape)
    return network


def _normalised(channels: int, kernel: int) -> list[Any]:
    return [Conv2D(channels, kernel, padding="same", bias=False, weight_init="he_normal"), BatchNorm()]
