"""A factor and an offset for each feature, learned or given."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean, EachOf, Interval, Maybe
from ..errors import ParameterError
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, State, Value


class Scale(Layer):
    """Learned factors and offsets ``y = w ⊙ x + b``, one of each for every channel, or of a given shape.

    Parameters  shape : of w and b for one sample, with 1 on an axis along which they are repeated; None = (C,), one for each
                channel (the last axis) ; weight, bias : bool = True, whether there are factors, and offsets ;
                weight_init, bias_init : Initializer, its name or a number
                fixed : bool = False, whether w and b are states that no fit changes, such as a mask
    Shapes      x, y (N, ..., C) ; weight w, bias b of ``shape``, without decay
    Backward    dx = w ⊙ dy ;  dw = Σ x ⊙ dy and db = Σ dy over all axes along which they are repeated
    Raises      ShapeError when x does not have the shape's sizes ; ParameterError when shape is not the sizes of a sample,
                or there is neither factor nor offset

    Example
        >>> Scale(weight=False)  # a bias for each channel
        Scale(weight=False)
    """

    role = "other"  # it learns a size and no direction
    linear = True
    stepwise = True
    hyperparameters = {
        "shape": Maybe(EachOf(Interval(int, 1), hint="They are the sizes of a sample.")),
        "weight": Boolean(),
        "bias": Boolean(),
        "fixed": Boolean(),
    }

    def __init__(
        self,
        shape: tuple[int, ...] | None = None,
        *,
        weight: bool = True,
        bias: bool = True,
        weight_init: Any = "ones",
        bias_init: Any = "zeros",
        fixed: bool = False,
    ):
        self.shape, self.weight, self.bias, self.fixed = shape, weight, bias, fixed
        self.weight_init, self.bias_init = weight_init, bias_init

    def validate(self) -> None:
        super().validate()
        if not (self.weight or self.bias):
            raise ParameterError("Scale: at least one of weight and bias must be True.")

    def _sizes(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"Scale: expected input (N, ..., C), got {shape}; give each sample at least one feature.")
        if self.shape is None:
            return shape[-1:]
        sizes = tuple(int(s) for s in self.shape)
        wrong = any(own not in (1, s) for own, s in zip(reversed(sizes), reversed(shape[1:]), strict=False))
        if wrong or len(sizes) > len(shape) - 1:
            raise ShapeError(f"Scale: factors of shape {sizes} do not fit samples of shape {shape[1:]}.")
        return sizes

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        sizes, found = self._sizes(shapes[0]), dict[str, Parameter]()
        if self.fixed:
            return found
        if self.weight:
            found["weight"] = Parameter(sizes, self.weight_init, decay=False)
        if self.bias:
            found["bias"] = Parameter(sizes, self.bias_init, decay=False)
        return found

    def states(self, *shapes: Shape) -> dict[str, State]:
        if not self.fixed:
            return {}
        sizes, wanted = self._sizes(shapes[0]), {"weight": self.weight, "bias": self.bias}
        return {name: State(sizes, float(name == "weight")) for name, there in wanted.items() if there}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        y, w, held = xs[0], None, k.state if self.fixed else k.param
        if self.weight:
            w = held("weight")
            y = k.multiply(y, w)
        if self.bias:
            y = k.add(y, held("bias"))
        return y, Saved(x=xs[0], w=w, sizes=self._sizes(xs[0].shape))

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        # As of one sample: the batch is one more axis along which they are repeated.
        if self.fixed:
            return k.multiply(dy, saved.w) if self.weight else dy
        whole = (*(1,) * (dy.ndim - len(saved.sizes)), *saved.sizes)
        if self.bias:
            k.grad("bias", k.reshape(k.sum_to(dy, whole), saved.sizes))
        if not self.weight:
            return dy
        k.grad("weight", k.reshape(k.sum_to(k.multiply(saved.x, dy), whole), saved.sizes))
        return k.multiply(dy, saved.w)
