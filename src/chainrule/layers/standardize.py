"""Standardisation by statistics of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Boolean
from ..ops.value import Shape
from ._normalisation import by_channel
from .base import Builder, Layer, Saved, ShapeError, State, Value

#: Statistics are taken of so many bytes at a time.
_PART_BYTES = 2**24


class Standardize(Layer):
    """``y = (x − μ) / s`` for each feature (the last axis), with the mean μ and standard deviation s of the training data.

    As the first layer it lets a network take raw inputs. With ``inverse=True`` it is ``y = s x + μ``: as the last layer of
    a regression it lets a network put out raw targets while its weights work on standardised ones. The first fit measures
    μ and s, over all training samples and all axes but the last: of the input that the layer is connected to, or, inverse,
    of the targets of its output. A feature that is constant has s = 1. Nothing of it is learned; prediction, files and
    exports use the same numbers.

    Digits are kept that float32 would lose: where μ is large beside s, data of float64 are centred before they are narrowed,
    and outputs are float64. Of targets this needs a loss of the difference of output and target, such as the squared error.

    With an inverse layer the squared error is s² times that of standardised targets, and so is its gradient:
    ``fit(..., loss_weights=[1 / y.var()])`` takes the factor out.

    Parameters  inverse : bool = False
    Shapes      x, y (N, ..., C) ; states mean μ, scale s (C,), which start at 0 and 1, and what float32 rounds off the mean
    Backward    dx = dy / s ; inverse: dx = s dy
    Raises      ShapeError when x has no feature axis ; ParameterError when inverse is no bool, and, by the first fit, when
                the layer is connected to no input (inverse: is no output) of the network
    References  LeCun, Bottou, Orr, Müller, Efficient backprop, 1998, section 4.3

    Example
        >>> Standardize(inverse=True)
        Standardize(inverse=True)
    """

    role = "normalisation"
    #: Where a mean has more deviations than this, the data lose more than three of their seven decimal digits with it.
    far = 16.0
    linear = True
    stepwise = True
    hyperparameters = {"inverse": Boolean()}

    def __init__(self, *, inverse: bool = False):
        self.inverse = inverse

    @property
    def measures(self) -> str:
        return "targets" if self.inverse else "inputs"

    def states(self, *shapes: Shape) -> dict[str, State]:
        if len(shapes[0]) < 2:
            raise ShapeError(f"Standardize: expected input (N, ..., C), got {shapes[0]}; give each sample a feature axis.")
        shape = shapes[0][-1:]
        return {"mean": State(shape, 0.0), "scale": State(shape, 1.0), "remainder": State(shape, 0.0, optional=True)}

    def origin(self, states: Mapping[str, NDArray[Any]]) -> tuple[str, NDArray[np.float64]] | None:
        if not bool((np.abs(states["mean"]) > self.far * states["scale"]).any()):
            return None
        return "mean", states["mean"].astype(np.float64) + states["remainder"]

    def measure(self, data: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        count = data.size // data.shape[-1]
        largest = np.max([np.abs(rows).max(axis=0) for rows in _parts(data)], axis=0)
        unit = np.maximum(largest, np.finfo(np.float64).tiny)  # so that no square overflows
        mean = sum((rows / unit).sum(axis=0) for rows in _parts(data)) / count
        square = sum(((rows / unit - mean) ** 2).sum(axis=0) for rows in _parts(data)) / count
        scale = np.sqrt(square) * unit
        mean = mean * unit
        # What differs by rounding only is constant.
        size = np.abs(mean) * 4 * np.finfo(data.dtype if data.dtype.kind == "f" else np.float64).eps
        # The digits of the mean that float32 has no room for: no equation needs them, but what is subtracted from float64.
        remainder = mean - mean.astype(np.float32)
        return {"mean": mean, "scale": np.where(scale > size, scale, 1.0), "remainder": remainder}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, mean, scale = by_channel(k, xs[0]), k.state("mean"), k.state("scale")
        if self.inverse:
            return k.reshape(k.add(k.multiply(x, scale), mean), xs[0].shape), Saved(scale=scale)
        return k.reshape(k.divide(k.subtract(x, mean), scale), xs[0].shape), Saved(scale=scale)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        d = by_channel(k, dy)
        return k.reshape(k.multiply(d, saved.scale) if self.inverse else k.divide(d, saved.scale), dy.shape)


def _parts(data: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """The rows (..., C) in float64, some at a time, so that a file on the disk is never in memory as a whole."""
    step = max(1, _PART_BYTES * len(data) // max(1, 8 * data.size))
    for start in range(0, len(data), step):
        yield np.asarray(data[start : start + step], np.float64).reshape(-1, data.shape[-1])
