"""What transposed convolutions of one, two and three dimensions have in common."""

from __future__ import annotations

from math import prod
from typing import Any

from ..constraints import Constraint
from ..errors import ParameterError
from ..ops.spatial import covered
from ..ops.value import Shape
from ._convolution import _Convolution
from ._spatial import Pairs, check_image, find_padding, size_of_each_axis, sizes
from .base import Builder, Parameter, Saved, ShapeError, Value
from .regularizers import Regularizer
from .weight_constraints import WeightConstraint


class _TransposedConvolution(_Convolution):
    """Base of the transposed convolutions: what is ``backward`` of data in a convolution is ``forward`` here."""

    channel_map = None  # its kernel has the axes (outputs, inputs)
    output_padding: Any

    def __init__(
        self,
        channels: int,
        kernel: int | tuple[int, ...],
        *,
        stride: int | tuple[int, ...] = 1,
        padding: Any = "valid",
        output_padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Any = None,
        bias_init: Any = "zeros",
        weight_regularizer: Regularizer | None = None,
        weight_constraint: WeightConstraint | None = None,
    ):
        self.channels, self.kernel, self.stride, self.padding, self.dilation = channels, kernel, stride, padding, dilation
        self.output_padding, self.groups, self.bias = output_padding, groups, bias
        self.weight_init, self.bias_init = weight_init, bias_init
        self.weight_regularizer, self.weight_constraint = weight_regularizer, weight_constraint

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        return super().constraints() | {"output_padding": size_of_each_axis(cls.axes, low=0)}

    def validate(self) -> None:
        super().validate()
        extra, stride = sizes(self.output_padding, self.axes), sizes(self.stride, self.axes)
        if any(e >= s for e, s in zip(extra, stride, strict=True)):
            raise ParameterError(
                f"{type(self).__name__}: output_padding must be less than the stride {self.stride!r}: it tells apart "
                f"the sizes that the stride makes alike. Got {self.output_padding!r}."
            )
        if self.padding == "same" and any(extra):
            raise ParameterError(
                f'{type(self).__name__}: padding="same" fixes the output at size times stride, so output_padding must be 0. '
                f"Got {self.output_padding!r}."
            )

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        check_image(self, self.axes, shapes[0])
        inputs, channels, groups = shapes[0][-1], int(self.channels), int(self.groups)
        if inputs % groups:
            raise ShapeError(
                f"{type(self).__name__}: groups={groups} does not divide the {inputs} channels of the input {shapes[0]}."
            )
        kernel = sizes(self.kernel, self.axes)
        # Steps of the stride between them, only so many elements of the kernel meet at one output.
        meeting = prod(kernel) / prod(sizes(self.stride, self.axes))
        fan_in, fan_out = max(1, round(meeting * inputs / groups)), prod(kernel) * channels // groups
        shape = (*kernel, channels // groups, inputs)
        rules: dict[str, Any] = {"regularizer": self.weight_regularizer, "constraint": self.weight_constraint}
        found = {"weight": Parameter(shape, self.weight_init, fan_in=fan_in, fan_out=fan_out, **rules)}
        if self.bias:
            found["bias"] = Parameter((channels,), self.bias_init, fan_in=fan_in, fan_out=fan_out, decay=False)
        return found

    def _output(self, spatial: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[Shape, Pairs]:
        """The spatial sizes of the output, and the padding of the convolution that this is the transpose of."""
        if self.padding == "same":
            size = tuple(i * s for i, s in zip(spatial, stride, strict=True))
            return size, find_padding("same", size, kernel, stride, dilation)
        padding = find_padding(self.padding, spatial, kernel, stride, dilation)
        extra, found = sizes(self.output_padding, self.axes), []
        for axis, (i, k, s, d, pair, e) in enumerate(zip(spatial, kernel, stride, dilation, padding, extra, strict=True)):
            found.append((i - 1) * s + covered(k, d) - sum(pair) + e)
            if found[-1] < 1:
                raise ShapeError(
                    f"{type(self).__name__}: on spatial axis {axis} the output would have {found[-1]} elements: "
                    f"({i} − 1) · stride {s} + {covered(k, d)} covered by the kernel − padding {pair[0]} − {pair[1]} "
                    f"+ output_padding {e}. Use less padding."
                )
        return tuple(found), padding

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, w = xs[0], k.param("weight")
        kernel, stride, dilation = (sizes(v, self.axes) for v in (self.kernel, self.stride, self.dilation))
        spatial, padding = self._output(x.shape[1:-1], kernel, stride, dilation)
        window: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": int(self.groups)}
        z = k.conv_backward_data(x, w, spatial=spatial, **window)
        if self.bias:
            z = k.add(z, k.param("bias"))
        return z, Saved(x=x, w=w, window=window)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        k.grad("weight", k.conv_backward_weights(dy, saved.x, kernel=saved.w.shape[:-2], **saved.window))
        if self.bias:
            k.grad("bias", k.sum(dy, axis=tuple(range(dy.ndim - 1))))
        return k.conv(dy, saved.w, **saved.window)
