"""Standardisation by statistics of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Boolean
from ..ops.value import Shape
from ._normalisation import by_channel
from .base import Builder, Layer, Saved, ShapeError, State, Value


class Standardize(Layer):
    """``y = (x − μ) / s`` for each feature (the last axis), with the mean μ and standard deviation s of the training data.

    As the first layer it lets a network take raw inputs. With ``inverse=True`` it is ``y = s x + μ``: as the last layer of
    a regression it lets a network put out raw targets while its weights work on standardised ones. The first fit measures
    μ and s, over all training samples and all axes but the last: of the input that the layer is connected to, or, inverse,
    of the targets of its output. A feature that is constant has s = 1. Nothing of it is learned; prediction, files and
    exports use the same numbers.

    With an inverse layer the squared error is s² times that of standardised targets, and so is its gradient:
    ``fit(..., loss_weights=[1 / y.var()])`` takes the factor out.

    Parameters  inverse : bool = False
    Shapes      x, y (N, ..., C) ; states mean μ, scale s (C,), which start at 0 and 1
    Backward    dx = dy / s ; inverse: dx = s dy
    Raises      ShapeError when x has no feature axis ; ParameterError when inverse is no bool, and, by the first fit, when
                the layer is connected to no input (inverse: is no output) of the network
    References  LeCun, Bottou, Orr, Müller, Efficient backprop, 1998, section 4.3

    Example
        >>> Standardize(inverse=True)
        Standardize(inverse=True)
    """

    role = "normalisation"
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
        return {"mean": State(shapes[0][-1:], 0.0), "scale": State(shapes[0][-1:], 1.0)}

    def measure(self, data: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        rows = np.asarray(data).reshape(-1, np.shape(data)[-1])
        mean = rows.mean(axis=0, dtype=np.float64)
        scale = rows.std(axis=0, dtype=np.float64)
        # What differs by rounding only is constant.
        size = np.abs(mean) * 4 * np.finfo(rows.dtype if rows.dtype.kind == "f" else np.float64).eps
        return {"mean": mean, "scale": np.where(scale > size, scale, 1.0)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, mean, scale = by_channel(k, xs[0]), k.state("mean"), k.state("scale")
        if self.inverse:
            return k.reshape(k.add(k.multiply(x, scale), mean), xs[0].shape), Saved(scale=scale)
        return k.reshape(k.divide(k.subtract(x, mean), scale), xs[0].shape), Saved(scale=scale)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        d = by_channel(k, dy)
        return k.reshape(k.multiply(d, saved.scale) if self.inverse else k.divide(d, saved.scale), dy.shape)
