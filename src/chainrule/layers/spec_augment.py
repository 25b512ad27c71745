"""SpecAugment: random stretches of time and bands of frequency are covered in training."""

from __future__ import annotations

import numpy as np

from ..constraints import Interval
from ..ops.value import Shape
from .base import Builder, Layer, Saved, ShapeError, State, Value


class SpecAugment(Layer):
    """Covers random stretches of frames and bands of frequencies of each sample in training: ``y = x ⊙ m``; else ``y = x``.

    A stretch of time begins anywhere and covers from 0 to ``time`` of the frames, a band of frequency from 0 to
    ``frequency`` of the bands, each drawn anew for every sample at every step. What is covered becomes 0, so the layer
    belongs behind a normalisation, whose mean is 0.

    Parameters
        time, frequency : shares in [0, 1] = 0.2, 0.2, the largest width of what is covered
        times, frequencies : int >= 0 = 1, 1, how many stretches and bands
        longest : int = 8192, the most frames that a spectrogram may have
    Shapes      x, y (N, F, M), or (N, F, M, C) ; state places (longest,)
    Backward    dx = dy ⊙ m
    Raises      ShapeError when x is no spectrogram ; ParameterError when a share is outside [0, 1]
    References  Park et al., SpecAugment: a simple data augmentation method for automatic speech recognition,
                Interspeech 2019

    Example
        >>> SpecAugment(0.2, 0.3)
        SpecAugment(0.2, frequency=0.3)
    """

    role = "regularisation"
    linear = True
    stepwise = True
    hyperparameters = {
        "time": Interval(float, 0, 1, closed="both"),
        "frequency": Interval(float, 0, 1, closed="both"),
        "times": Interval(int, 0),
        "frequencies": Interval(int, 0),
        "longest": Interval(int, 1),
    }

    def __init__(
        self, time: float = 0.2, frequency: float = 0.2, *, times: int = 1, frequencies: int = 1, longest: int = 8192
    ):
        self.time, self.frequency, self.times, self.frequencies = time, frequency, times, frequencies
        self.longest = longest

    def states(self, *shapes: Shape) -> dict[str, State]:
        return {"places": State((int(self.longest),), np.arange(int(self.longest)))}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        if x.ndim not in (3, 4):
            raise ShapeError(f"SpecAugment: expected a spectrogram (N, F, M) or (N, F, M, C), got {x.shape}.")
        if max(x.shape[1:3]) > self.longest:
            raise ShapeError(
                f"SpecAugment: a spectrogram of {x.shape[1]} frames and {x.shape[2]} bands is larger than longest="
                f"{self.longest}. Raise that."
            )
        masks: list[Value] = []
        if k.training:
            for axis, share, count in ((1, self.time, self.times), (2, self.frequency, self.frequencies)):
                masks += [self._uncovered(k, x.shape, axis, float(share)) for _ in range(int(count) if share else 0)]
        y = x
        for m in masks:
            y = k.multiply(y, m)
        return y, Saved(masks=masks)

    @staticmethod
    def _uncovered(k: Builder, shape: Shape, axis: int, share: float) -> Value:
        """0 in a random stretch of an axis of each sample, 1 elsewhere."""
        size, one = shape[axis], (shape[0], *(1,) * (len(shape) - 1))
        places = k.reshape(k.slice(k.state("places"), 0, 0, size), (size, *(1,) * (len(shape) - axis - 1)))
        width = k.multiply(k.random_uniform(one), share * size)
        start = k.multiply(k.random_uniform(one), k.subtract(float(size), width))
        covered = k.multiply(k.greater_equal(places, start), k.greater(k.add(start, width), places))
        return k.subtract(1.0, covered)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        for m in saved.masks:
            dy = k.multiply(dy, m)
        return dy
