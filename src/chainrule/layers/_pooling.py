"""What the pooling layers of one, two and three dimensions have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import ParameterError
from ..ops.value import Shape
from ._spatial import check_image, check_pairs, check_sizes, find_padding, sizes
from .base import Builder, Layer, Saved, Value


class _Pooling(Layer):
    """Base of the pooling layers over windows: how the windows are given."""

    axes: ClassVar[int]
    kernel: Any
    stride: Any
    padding: Any

    def validate(self) -> None:
        check_sizes(self, "kernel", self.axes)
        if self.stride is not None:
            check_sizes(self, "stride", self.axes)
        check_pairs(self, "padding", self.axes, words=("valid", "same"))

    def _window(self, shape: Shape) -> dict[str, Any]:
        """kernel, stride and padding for an input of this shape."""
        check_image(self, self.axes, shape)
        kernel = sizes(self.kernel, self.axes)
        stride = kernel if self.stride is None else sizes(self.stride, self.axes)
        padding = find_padding(self.padding, shape[1:-1], kernel, stride, (1,) * self.axes)
        return {"kernel": kernel, "stride": stride, "padding": padding}


class _MaxPooling(_Pooling):
    """Base of the max pooling layers."""

    def __init__(
        self, kernel: int | tuple[int, ...] = 2, *, stride: int | tuple[int, ...] | None = None, padding: Any = "valid"
    ):
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        window = self._window(xs[0].shape)
        y, index = k.max_pool(xs[0], **window)
        return y, Saved(index=index, spatial=xs[0].shape[1:-1], window=window)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.max_pool_backward(dy, saved.index, spatial=saved.spatial, **saved.window)


class _AveragePooling(_Pooling):
    """Base of the average pooling layers."""

    count_padding: bool

    def __init__(
        self,
        kernel: int | tuple[int, ...] = 2,
        *,
        stride: int | tuple[int, ...] | None = None,
        padding: Any = "valid",
        count_padding: bool = False,
    ):
        self.kernel, self.stride, self.padding, self.count_padding = kernel, stride, padding, count_padding

    def validate(self) -> None:
        super().validate()
        if not isinstance(self.count_padding, bool):
            raise ParameterError(f"{type(self).__name__}: count_padding must be True or False. Got {self.count_padding!r}.")

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        window = {**self._window(xs[0].shape), "count_padding": self.count_padding}
        return k.average_pool(xs[0], **window), Saved(spatial=xs[0].shape[1:-1], window=window)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.average_pool_backward(dy, spatial=saved.spatial, **saved.window)
