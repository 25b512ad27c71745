"""An array that is learned like a weight and given out as if it were data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.value import Shape
from .base import SIZES, Builder, Layer, Parameter, Saved, Value, sizes_of


class LearnedArray(Layer):
    """The same learned array for each sample, ``y[n] = a``, whatever the input is.

    With it a network can change what it looks at in place of how it looks: a picture that is to please a frozen network is
    the one parameter of a network that begins with it (style transfer, feature visualisation, adversarial patches). Frozen,
    it is a constant of the graph, such as the Gram matrices of a painting.

    Parameters  shape : of one sample, an int or a tuple
                init : Initializer, its name or a number = 0
    Shapes      x (N, ...), which says only how many samples there are ; array a (*shape), without decay ; y (N, *shape)
    Backward    da = Σₙ dy[n] ;  dx = 0
    Raises      ParameterError when the shape is no shape

    Example
        >>> LearnedArray((32, 32, 3), init="uniform")
        LearnedArray((32, 32, 3), init='uniform')
    """

    role = "other"
    hyperparameters = {"shape": SIZES}

    def __init__(self, shape: int | Sequence[int], *, init: Any = 0.0):
        self.shape, self.init = shape, init

    def _sample(self) -> Shape:
        return sizes_of(self.shape)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        return {"array": Parameter(self._sample(), self.init, decay=False)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        a = k.param("array")
        one = k.reshape(k.copy(a), (1, *a.shape))
        samples = xs[0].shape[0]
        return (one if samples == 1 else k.concat([one] * samples, axis=0)), Saved(shape=a.shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        k.grad("array", k.reshape(dy, saved.shape) if dy.shape[0] == 1 else k.sum(dy, axis=0))
