"""What convolutions of one, two and three dimensions have in common."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from ..constraints import Boolean, Constraint, Interval
from ..errors import ParameterError
from ..ops.value import Shape
from ._spatial import Borders, check_image, find_padding, size_of_each_axis, sizes
from ._window_mask import as_column, lengthen, shorten, window_mask
from .base import Builder, Layer, Parameter, Saved, ShapeError, Value
from .regularizers import MAYBE_REGULARIZER, Regularizer
from .weight_constraints import MAYBE_WEIGHT_CONSTRAINT, WeightConstraint


class _Convolution(Layer):
    """Base of the convolutions ``z = x ∗ W + b``: parameters and equations for any number of spatial axes."""

    linear = True
    width_argument: ClassVar[str | None] = "channels"
    axes: ClassVar[int]

    # What the layers state under these names. An annotation alone makes no attribute.
    channels: int
    kernel: Any
    stride: Any
    padding: Any
    dilation: Any
    groups: int
    bias: bool
    weight_init: Any
    bias_init: Any
    weight_regularizer: Regularizer | None
    weight_constraint: WeightConstraint | None
    hyperparameters = {
        "channels": Interval(int, 1),
        "groups": Interval(int, 1),
        "bias": Boolean(),
        "weight_regularizer": MAYBE_REGULARIZER,
        "weight_constraint": MAYBE_WEIGHT_CONSTRAINT,
    }

    def __init__(
        self,
        channels: int,
        kernel: int | tuple[int, ...],
        *,
        stride: int | tuple[int, ...] = 1,
        padding: Any = "valid",
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Any = None,
        bias_init: Any = "zeros",
        weight_regularizer: Regularizer | None = None,
        weight_constraint: WeightConstraint | None = None,
    ):
        self.channels, self.kernel, self.stride, self.padding, self.dilation = channels, kernel, stride, padding, dilation
        self.groups, self.bias, self.weight_init, self.bias_init = groups, bias, weight_init, bias_init
        self.weight_regularizer, self.weight_constraint = weight_regularizer, weight_constraint

    @property
    def channel_map(self) -> str | None:
        return "dense" if self.groups == 1 else None

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        sizes = size_of_each_axis(cls.axes)
        return super().constraints() | {
            "kernel": sizes,
            "stride": sizes,
            "padding": Borders(cls.axes, "valid", "same"),
            "dilation": sizes,
        }

    def validate(self) -> None:
        super().validate()
        if self.channels % self.groups:
            raise ParameterError(
                f"{type(self).__name__}: groups={self.groups} does not divide channels={self.channels}. "
                f"Each group makes the same number of channels."
            )

    def _counts(self, inputs: int) -> tuple[int, int]:
        """(channels, groups) for this number of input channels."""
        return int(self.channels), int(self.groups)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        check_image(self, self.axes, shapes[0])
        inputs = shapes[0][-1]
        channels, groups = self._counts(inputs)
        if inputs % groups:
            raise ShapeError(
                f"{type(self).__name__}: groups={groups} does not divide the {inputs} channels of the input {shapes[0]}."
            )
        kernel = sizes(self.kernel, self.axes)
        fan_in, fan_out = prod(kernel) * inputs // groups, prod(kernel) * channels // groups
        shape = (*kernel, inputs // groups, channels)
        rules: dict[str, Any] = {"regularizer": self.weight_regularizer, "constraint": self.weight_constraint}
        found = {"weight": Parameter(shape, self.weight_init, fan_in=fan_in, fan_out=fan_out, **rules)}
        if self.bias:
            found["bias"] = Parameter((channels,), self.bias_init, fan_in=fan_in, fan_out=fan_out, decay=False)
        return found

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, w = xs[0], k.param("weight")
        spatial, kernel = x.shape[1:-1], sizes(self.kernel, self.axes)
        stride, dilation = sizes(self.stride, self.axes), sizes(self.dilation, self.axes)
        padding = find_padding(self.padding, spatial, kernel, stride, dilation)
        _, groups = self._counts(x.shape[-1])
        window: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        mask, reach = k.mask_of(x), dilation[0] * (kernel[0] - 1) + 1
        column, steps = None, x.shape[1]
        if mask is not None:
            # Padding is 0 as all outside the sequence is, and a sequence shorter than the kernel gets more of it.
            column, lacking = as_column(k, mask, x.ndim), reach - steps - sum(padding[0])
            x = k.multiply(x, column)
            x.name = "x"
            x, mask = lengthen(k, x, lacking), lengthen(k, mask, lacking)
        z = k.conv(x, w, **window)
        if self.bias:
            z = k.add(z, k.param("bias"))
        if mask is not None:
            k.set_mask(z, window_mask(k, mask, z.shape[1], stride=stride, padding=padding, reach=reach))
        return z, Saved(x=x, w=w, window=window, column=column, steps=steps)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        k.grad("weight", k.conv_backward_weights(saved.x, dy, kernel=saved.w.shape[:-2], **saved.window))
        if self.bias:
            k.grad("bias", k.sum(dy, axis=tuple(range(dy.ndim - 1))))
        dx = k.conv_backward_data(dy, saved.w, spatial=saved.x.shape[1:-1], **saved.window)
        return dx if saved.column is None else k.multiply(shorten(k, dx, saved.steps), saved.column)
