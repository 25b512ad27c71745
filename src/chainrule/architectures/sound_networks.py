"""Networks that take sound of any length as it is: the first layer is a mel spectrogram, and masks tell padding."""

from __future__ import annotations

from typing import Any

from ..constraints import OneOf
from ..initializers import Normal
from ..layers import (
    LSTM,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    Input,
    Masking,
    MaxPool2D,
    MelSpectrogram,
    ReLU,
    Reshape,
    SpecAugment,
    TimeDistributed,
)
from ..model import Network
from ..network import Bidirectional

__all__ = ["SHORTENINGS", "frames_of", "sound_classifier", "sound_transcriber"]

#: How many frames of 10 ms a step of a transcriber's output may stand for.
SHORTENINGS = (1, 2, 4, 8)
#: Start weights by which all labels are about equally probable at first. An output that begins with an opinion writes labels
#: where nothing is said, and CTC then keeps them there: on few sentences, training fails from many of such starts.
_NEARLY_EQUAL = Normal(0.05)


def frames_of(rate: float) -> dict[str, Any]:
    """Arguments of MelSpectrogram for a sampling rate: frames of about 32 ms, a power of two, every 10 ms."""
    n_fft = 2
    while n_fft < 0.025 * rate:
        n_fft *= 2
    return {"n_fft": n_fft, "hop": max(1, round(rate / 100))}


def _spectrogram(rate: float, mels: int, cover: float) -> tuple[Any, Any, Any]:
    """(the samples, their lengths, the normalised mel spectrogram (N, F, mels, 1))."""
    x, lengths = Input((None,)), Input((), dtype="int")
    h = BatchNorm()(MelSpectrogram(rate, mels=mels, **frames_of(rate))(Masking()(x, lengths)))
    if cover:
        h = SpecAugment(cover, cover)(h)
    return x, lengths, TimeDistributed(Reshape((mels, 1)))(h)


def _convolved(h: Any, channels: int, kernel: Any, padding: Any, pool: tuple[int, int] | None) -> Any:
    # Batch normalisation subtracts the mean, so a bias before it would be of no use.
    h = ReLU()(BatchNorm()(Conv2D(channels, kernel, padding=padding, bias=False)(h)))
    return h if pool is None else MaxPool2D(pool)(h)


def sound_classifier(
    classes: int,
    *,
    rate: float,
    mels: int = 40,
    width: int = 32,
    dropout: float = 0.3,
    cover: float = 0.15,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """Which of several classes a sound of any length belongs to.

    A mel spectrogram, batch normalisation of each band, three convolutions over time and frequency of which the last sees
    all frequencies, the mean and the largest of every channel over time, dropout, and one output a class. Its inputs are
    samples (N, T) and the lengths (N,) of the sounds in them.

    Parameters  classes ; rate : samples a second ; mels : bands, divisible by 4 ; width : channels of the first convolution
                dropout ; cover : share of time and of frequency that SpecAugment covers at most in training
    References  Sainath and Parada, Convolutional neural networks for small-footprint keyword spotting, Interspeech 2015
    """
    x, lengths, h = _spectrogram(rate, mels, cover)
    h = _convolved(h, width, 3, 1, (2, 2))
    h = _convolved(h, 2 * width, 3, 1, (1, 2))
    h = TimeDistributed(Flatten())(_convolved(h, 4 * width, (3, mels // 4), (1, 0), None))
    h = Concat()(GlobalAveragePool()(h), GlobalMaxPool()(h))
    z = Dense(classes)(Dropout(dropout)(h))
    network = Network(inputs=[x, lengths], outputs=z, random_state=random_state, dtype=dtype)
    network.build()
    return network


def sound_transcriber(
    labels: int,
    *,
    rate: float,
    mels: int = 40,
    width: int = 32,
    units: int = 96,
    shorten: int = 4,
    dropout: float = 0.3,
    cover: float = 0.1,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """What is said in a sound of any length, by CTC: the logits of labels, blank included, for every few frames.

    A mel spectrogram, convolutions over time and frequency as in ``sound_classifier``, an LSTM in both directions, and one
    output a label.

    The fewer steps the output has, the fewer ways there are to lay a text along a sound, and the sooner CTC finds the right
    one: of few sentences that are cut into 40 ms, many random starts never do.

    Parameters  labels : with the blank ; shorten : 1, 2, 4 or 8 frames of 10 ms for each step of the output, so that a label
                has two steps or more ; units : of the LSTM in each direction ; others : as of ``sound_classifier``
    Raises      ParameterError for another ``shorten``
    References  Graves and Jaitly, Towards end-to-end speech recognition with recurrent neural networks, 2014
    """
    OneOf(*SHORTENINGS).check("sound_transcriber", "shorten", shorten)
    x, lengths, h = _spectrogram(rate, mels, cover)
    first = min(shorten, 2)
    h = _convolved(h, width, 3, 1, (first, 2))
    h = _convolved(h, 2 * width, 3, 1, (shorten // first, 2))
    h = TimeDistributed(Flatten())(_convolved(h, 4 * width, (3, mels // 4), (1, 0), None))
    h = Bidirectional(LSTM(units, return_sequences=True, forget_bias=0.0))(Dropout(dropout)(h))
    z = Dense(labels, weight_init=_NEARLY_EQUAL)(Dropout(dropout)(h))
    network = Network(inputs=[x, lengths], outputs=z, random_state=random_state, dtype=dtype)
    network.build()
    return network
