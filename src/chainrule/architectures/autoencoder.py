"""A convolutional autoencoder."""

from __future__ import annotations

from typing import Any

from ..layers import Conv2D, ConvTranspose2D, ReLU, Sigmoid
from ..model import Network
from ._parts import InputShape, check_count, check_divides, check_widths, finished


def autoencoder(
    channels: int = 1,
    *,
    widths: Any = (16, 32),
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """A convolutional autoencoder: makes a small code of a picture and the picture again from the code.

    The encoder halves both sides with each 4×4 convolution of stride 2 and ReLU; the decoder mirrors it with transposed
    convolutions and ends in a sigmoid, so pictures are numbers in [0, 1]. Fit it with y = X: ``net.fit(X, X)``, or with
    noisy X and clean y to remove noise.

    Parameters  channels : int >= 1 = 1, of the picture, 3 for colour ; widths : channels of each level of the encoder
                input_shape : (H, W, C) of one picture; None leaves it to the first fit ; random_state, dtype : as in Network
    Shapes      x, y (N, H, W, channels), both sides multiples of 2^levels
    Start       He's law before ReLU, Glorot's before the sigmoid ; the paper names none
    Raises      ParameterError for an argument out of its range ; ShapeError when a side cannot be halved so often
    References  Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 2006 ;
                Masci et al., Stacked convolutional auto-encoders for hierarchical feature extraction, ICANN 2011

    Example
        >>> from chainrule.architectures import autoencoder
        >>> autoencoder(input_shape=(28, 28, 1)).output_shapes
        [(28, 28, 1)]
    """
    check_count("autoencoder", channels=channels)
    levels = check_widths("autoencoder", "widths", widths)
    check_divides("autoencoder", input_shape, 2 ** len(levels), f"it halves the picture {len(levels)} times")
    layers: list[Any] = []
    for width in levels:
        layers += [Conv2D(width, 4, stride=2, padding=1), ReLU()]
    for width in levels[-2::-1]:
        layers += [ConvTranspose2D(width, 4, stride=2, padding=1), ReLU()]
    layers += [ConvTranspose2D(channels, 4, stride=2, padding=1), Sigmoid()]
    return finished(Network(layers, random_state=random_state, dtype=dtype), input_shape)
