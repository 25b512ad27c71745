"""What the pooling layers of one, two and three dimensions have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from ..constraints import Boolean, Constraint, Maybe
from ..ops.value import Shape
from ._spatial import Borders, Pairs, check_image, find_padding, size_of_each_axis, sizes
from ._window_mask import as_column, lengthen, shorten, window_mask
from .base import Builder, Layer, Saved, Value


def together(padding: Pairs, more: Pairs) -> Pairs:
    """Both paddings of each axis in one.

    >>> together(((1, 1),), ((0, 1),))
    ((1, 2),)
    """
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(padding, more, strict=True))


class _Pooling(Layer):
    """Base of the pooling layers over windows: how the windows are given."""

    role = "pooling"
    axes: ClassVar[int]
    kernel: Any
    stride: Any
    padding: Any
    ceil: bool

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        sizes = size_of_each_axis(cls.axes)
        return super().constraints() | {
            "kernel": sizes,
            "stride": Maybe(sizes),
            "padding": Borders(cls.axes, "valid", "same"),
            "ceil": Boolean(),
        }

    def _window(self, shape: Shape) -> dict[str, Any]:
        """kernel, stride and padding for an input of this shape."""
        check_image(self, self.axes, shape)
        kernel = sizes(self.kernel, self.axes)
        stride = kernel if self.stride is None else sizes(self.stride, self.axes)
        padding = find_padding(self.padding, shape[1:-1], kernel, stride, (1,) * self.axes)
        return {"kernel": kernel, "stride": stride, "padding": padding}

    def _lacking(self, shape: Shape, window: dict[str, Any]) -> Pairs:
        """How much the last window reaches beyond the padding on each axis, with ``ceil``; (0, 0) without it.

        A window that would begin behind the image, in the padding after it, is left out.
        """
        found = []
        for size, k, s, (before, after) in zip(
            shape[1:-1], window["kernel"], window["stride"], window["padding"], strict=True
        ):
            windows = -(-(size + before + after - k) // s) + 1
            windows -= (windows - 1) * s >= size + before
            found.append((0, max(0, (windows - 1) * s + k - (size + before + after)) if self.ceil else 0))
        return tuple(found)

    def _masked(self, k: Builder, x: Value, window: dict[str, Any]) -> tuple[Value, Value | None]:
        """x and its mask where it has one, with padding up to one window."""
        mask = k.mask_of(x)
        if mask is None:
            return x, None
        lacking = window["kernel"][0] - x.shape[1] - sum(window["padding"][0])
        return lengthen(k, x, lacking), lengthen(k, mask, lacking)

    @staticmethod
    def _pooled(k: Builder, y: Value, mask: Value | None, window: dict[str, Any]) -> tuple[Value, Value | None]:
        """y with 0 where a window is not one of the sequence without padding, and its mask as a column."""
        if mask is None:
            return y, None
        of = {"stride": window["stride"], "padding": window["padding"], "reach": window["kernel"][0]}
        found = window_mask(k, mask, y.shape[1], **of)
        column = as_column(k, found, y.ndim)
        y = k.where_(column, y, 0.0)
        k.set_mask(y, found)
        return y, column


class _MaxPooling(_Pooling):
    """Base of the max pooling layers."""

    def __init__(
        self,
        kernel: int | tuple[int, ...] = 2,
        *,
        stride: int | tuple[int, ...] | None = None,
        padding: Any = "valid",
        ceil: bool = False,
    ):
        self.kernel, self.stride, self.padding, self.ceil = kernel, stride, padding, ceil

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        window, steps = self._window(xs[0].shape), xs[0].shape[1]
        window["padding"] = together(window["padding"], self._lacking(xs[0].shape, window))
        x, mask = self._masked(k, xs[0], window)
        if mask is not None:
            x = k.where_(as_column(k, mask, x.ndim), x, float("-inf"))  # padding is never the largest
        y, index = k.max_pool(x, **window)
        y, there = self._pooled(k, y, mask, window)
        return y, Saved(index=index, spatial=x.shape[1:-1], window=window, there=there, steps=steps)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy = dy if saved.there is None else k.multiply(dy, saved.there)
        return shorten(k, k.max_pool_backward(dy, saved.index, spatial=saved.spatial, **saved.window), saved.steps)


class _AveragePooling(_Pooling):
    """Base of the average pooling layers."""

    linear = True

    count_padding: bool
    hyperparameters = {"count_padding": Boolean()}

    def __init__(
        self,
        kernel: int | tuple[int, ...] = 2,
        *,
        stride: int | tuple[int, ...] | None = None,
        padding: Any = "valid",
        count_padding: bool = False,
        ceil: bool = False,
    ):
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.count_padding, self.ceil = count_padding, ceil

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        window, steps = self._window(xs[0].shape), xs[0].shape[1]
        x, around = xs[0], None
        lacking, counts = self._lacking(x.shape, window), self.count_padding
        if counts and any(after for _, after in lacking):
            # The padding that was asked for counts, what the last window reaches beyond it does not.
            around, counts = [(0, 0), *window["padding"], (0, 0)], False
            x = k.pad(x, around)
            window["padding"] = lacking
        else:
            window["padding"] = together(window["padding"], lacking)
        x, mask = self._masked(k, x, window)
        column = None if mask is None else as_column(k, mask, x.ndim)
        if column is not None:
            x = k.multiply(x, column)
        y, there = self._pooled(k, k.average_pool(x, **window, count_padding=counts), mask, window)
        saved = Saved(spatial=x.shape[1:-1], window=window, there=there, column=column, steps=steps)
        saved.counts, saved.around, saved.size = counts, around, xs[0].shape
        return y, saved

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        dy = dy if saved.there is None else k.multiply(dy, saved.there)
        dx = k.average_pool_backward(dy, spatial=saved.spatial, **saved.window, count_padding=saved.counts)
        if saved.around is not None:
            for axis, (before, _) in enumerate(saved.around[1:-1], 1):
                dx = k.slice(dx, axis, before, before + saved.size[axis])
        return shorten(k, dx if saved.column is None else k.multiply(dx, saved.column), saved.steps)
