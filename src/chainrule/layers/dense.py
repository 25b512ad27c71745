"""The fully connected layer."""

from __future__ import annotations

from math import prod
from typing import Any

from ..constraints import Boolean, Interval
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, Value
from .regularizers import MAYBE_REGULARIZER, Regularizer
from .weight_constraints import MAYBE_WEIGHT_CONSTRAINT, WeightConstraint


class Dense(Layer):
    """Affine map ``z = x W + b``.

    Parameters  units : int >= 1, number of outputs O ; bias : bool = True
                weight_init, bias_init : Initializer or its name; weight_init=None follows the next activation
                weight_regularizer : Regularizer or None, a penalty on these weights alone
                weight_constraint : WeightConstraint or None, what every update of the weights goes through
    Shapes      x (N, I) or (N, ..., I) ; weight (I, O) ; bias (O,) ; z (N, O) or (N, ..., O)
    Backward    dx = dz Wᵀ ;  dW = xᵀ dz ;  db = Σₙ dz
    Raises      ShapeError when x has no feature axis ; ParameterError when units < 1

    Example
        >>> Dense(128)
        Dense(128)
    """

    linear = True
    width_argument = "units"
    channel_map = "dense"
    stepwise = True
    hyperparameters = {
        "units": Interval(int, 1),
        "bias": Boolean(),
        "weight_regularizer": MAYBE_REGULARIZER,
        "weight_constraint": MAYBE_WEIGHT_CONSTRAINT,
    }

    def __init__(
        self,
        units: int,
        *,
        bias: bool = True,
        weight_init: Any = None,
        bias_init: Any = "zeros",
        weight_regularizer: Regularizer | None = None,
        weight_constraint: WeightConstraint | None = None,
    ):
        self.units, self.bias, self.weight_init, self.bias_init = units, bias, weight_init, bias_init
        self.weight_regularizer, self.weight_constraint = weight_regularizer, weight_constraint

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        if len(shapes[0]) < 2:
            raise ShapeError(f"Dense: expected input (N, I), got {shapes[0]}; give each sample at least one feature.")
        n_in = shapes[0][-1]
        units = int(self.units)
        rules: dict[str, Any] = {"regularizer": self.weight_regularizer, "constraint": self.weight_constraint}
        found = {"weight": Parameter((n_in, units), self.weight_init, fan_in=n_in, fan_out=units, **rules)}
        if self.bias:
            found["bias"] = Parameter((units,), self.bias_init, fan_in=n_in, fan_out=units, decay=False)
        return found

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape = xs[0].shape
        x = k.reshape(xs[0], (prod(shape[:-1]), shape[-1]))
        w = k.param("weight")
        z = k.matmul(x, w)
        if self.bias:
            z = k.add(z, k.param("bias"))
        return k.reshape(z, (*shape[:-1], z.shape[1])), Saved(x=x, w=w, shape=shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dz = k.reshape(dy, (saved.x.shape[0], saved.w.shape[1]))
        k.grad("weight", k.matmul(saved.x, dz, transpose_a=True))
        if self.bias:
            k.grad("bias", k.sum(dz, axis=0))
        return k.reshape(k.matmul(dz, saved.w, transpose_b=True), saved.shape)
