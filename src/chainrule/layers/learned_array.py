"""An array that is learned like a weight and given out as if it were data."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ..errors import ParameterError
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, Value


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

    def __init__(self, shape: int | Sequence[int], *, init: Any = 0.0):
        self.shape, self.init = shape, init

    def _sample(self) -> Shape:
        return (int(self.shape),) if isinstance(self.shape, Integral) else tuple(int(s) for s in self.shape)  # type: ignore[union-attr]

    def validate(self) -> None:
        sizes = [self.shape] if isinstance(self.shape, Integral) else self.shape
        good = isinstance(sizes, (list, tuple)) and len(sizes) > 0
        if not good or any(isinstance(s, bool) or not isinstance(s, Integral) or s < 1 for s in sizes):  # type: ignore[union-attr]
            raise ParameterError(f"LearnedArray: shape must be positive sizes, such as (32, 32, 3). Got {self.shape!r}.")

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        return {"array": Parameter(self._sample(), self.init, decay=False)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        a = k.param("array")
        one = k.reshape(k.copy(a), (1, *a.shape))
        samples = xs[0].shape[0]
        return (one if samples == 1 else k.concat([one] * samples, axis=0)), Saved(shape=a.shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        k.grad("array", k.reshape(dy, saved.shape) if dy.shape[0] == 1 else k.sum(dy, axis=0))
