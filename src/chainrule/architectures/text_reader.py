"""A network that reads lines of text of any width: convolutions, an LSTM in both directions, and CTC."""

from __future__ import annotations

from typing import Any

from ..errors import ParameterError
from ..layers import (
    LSTM,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Masking,
    MaxPool2D,
    ReLU,
    TimeDistributed,
)
from ..model import Network
from ..network import Bidirectional

__all__ = ["text_reader"]


def text_reader(
    labels: int,
    *,
    height: int = 32,
    width: int = 32,
    units: int = 128,
    shorten: int = 4,
    dropout: float = 0.2,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """CRNN: the logits of labels, blank included, for every few columns of a line of text.

    A line lies with its columns first, (N, W, H, 1), so that its width is the length of a sequence, and ink is large and
    paper 0. Three convolutions with batch normalisation and ReLU each halve the height, a fourth sees all of what is left;
    then an LSTM reads in both directions.

    Parameters  labels : with the blank ; height : of a line in pixels, a multiple of 8 ; width : channels of the first
                convolution ; units : of the LSTM in each direction ; shorten : 2 or 4 columns for each step of the output
    References  Shi, Bai and Yao, An end-to-end trainable neural network for image-based sequence recognition, TPAMI 2017
    """
    if height < 8 or height % 8:
        raise ParameterError(f"text_reader: height must be a multiple of 8. Got {height!r}.")
    if shorten not in (2, 4):
        raise ParameterError(f"text_reader: shorten must be 2 or 4. Got {shorten!r}.")
    x, lengths = Input((None, height, 1)), Input((), dtype="int")
    h = Masking()(x, lengths)
    for channels, pool in ((width, (2, 2)), (2 * width, (shorten // 2, 2)), (3 * width, (1, 2))):
        # Batch normalisation subtracts the mean, so a bias before it would be of no use.
        h = MaxPool2D(pool)(ReLU()(BatchNorm()(Conv2D(channels, 3, padding=1, bias=False)(h))))
    h = ReLU()(BatchNorm()(Conv2D(4 * width, (3, height // 8), padding=(1, 0), bias=False)(h)))
    h = Dropout(dropout)(TimeDistributed(Flatten())(h))
    h = Dropout(dropout)(Bidirectional(LSTM(units, return_sequences=True))(h))
    network = Network(inputs=[x, lengths], outputs=Dense(labels)(h), random_state=random_state, dtype=dtype)
    network.build()
    return network
