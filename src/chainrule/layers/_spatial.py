"""What the layers on images (N, *spatial, C) have in common: how sizes and padding are given, checked and found."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from ..constraints import AnyOf, Constraint, EachOf, Interval, OneOf, OneOrMore
from ..errors import ShapeError
from ..ops.spatial import covered
from ..ops.value import Shape
from .base import Layer

Pairs = tuple[tuple[int, int], ...]
_LETTERS = {1: "T", 2: "H, W", 3: "D, H, W"}


def size_of_each_axis(axes: int, *, low: int = 1) -> Constraint:
    """What an argument may be that is one int for all spatial axes, or one for each."""
    return OneOrMore(Interval(int, low), count=axes)


class Borders(AnyOf):
    """What an argument may be that says how much is added or cut off on each spatial axis, such as a padding.

    Parameters  axes : how many spatial axes there are ; words : that are allowed in place of numbers, such as "same"
    """

    def __init__(self, axes: int, *words: str) -> None:
        size = Interval(int, 0)
        either = AnyOf(size, EachOf(size, count=2))
        super().__init__(*([OneOf(*words)] if words else []), size, EachOf(either, count=axes))
        self.axes = axes

    @property
    def parts(self) -> list[str]:
        several = f"{self.axes} of them, one for each spatial axis, each an int or a (before, after) pair"
        return [*(part for one in self.inner[:-1] for part in one.parts), f"{several}, such as {((1, 2),) * self.axes}"]


def check_image(layer: Layer, axes: int, shape: Shape) -> None:
    """ShapeError unless the input is (N, *spatial, C) with this many spatial axes."""
    if len(shape) != axes + 2:
        hint = f" Reshape(({', '.join(['...'] * axes)}, 1)) adds an axis of one channel." if len(shape) == axes + 1 else ""
        raise ShapeError(f"{type(layer).__name__}: expected input (N, {_LETTERS[axes]}, C), got {shape}.{hint}")


def sizes(value: Any, axes: int) -> tuple[int, ...]:
    """One int for each spatial axis.

    >>> sizes(3, 2), sizes([3, 5], 2)
    ((3, 3), (3, 5))
    """
    return (int(value),) * axes if isinstance(value, Integral) else tuple(int(v) for v in value)


def pairs(value: Any, axes: int) -> Pairs:
    """(before, after) for each spatial axis.

    >>> pairs(1, 2), pairs((1, (0, 2)), 2)
    (((1, 1), (1, 1)), ((1, 1), (0, 2)))
    """
    each = (value,) * axes if isinstance(value, Integral) else value
    return tuple((int(v), int(v)) if isinstance(v, Integral) else (int(v[0]), int(v[1])) for v in each)


def find_padding(padding: Any, spatial: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Pairs:
    """(before, after) for each spatial axis. "same" makes the output ⌈input / stride⌉, with the odd one after.

    >>> find_padding("same", (5, 6), (3, 3), (2, 2), (1, 1))
    ((1, 1), (0, 1))
    """
    if not isinstance(padding, str):
        return pairs(padding, len(spatial))
    if padding == "valid":
        return ((0, 0),) * len(spatial)
    found = []
    for size, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + covered(k, d) - size, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)
