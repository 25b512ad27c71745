"""What the layers on images (N, *spatial, C) have in common: how sizes and padding are given, checked and found."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from ..errors import ParameterError, ShapeError
from ..ops.spatial import covered
from ..ops.value import Shape
from .base import Layer

Pairs = tuple[tuple[int, int], ...]
_LETTERS = {1: "T", 2: "H, W", 3: "D, H, W"}


def _integer(value: Any, low: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= low


def _listed(value: Any, length: int) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) == length


def check_image(layer: Layer, axes: int, shape: Shape) -> None:
    """ShapeError unless the input is (N, *spatial, C) with this many spatial axes."""
    if len(shape) != axes + 2:
        hint = f" Reshape(({', '.join(['...'] * axes)}, 1)) adds an axis of one channel." if len(shape) == axes + 1 else ""
        raise ShapeError(f"{type(layer).__name__}: expected input (N, {_LETTERS[axes]}, C), got {shape}.{hint}")


def check_sizes(layer: Layer, name: str, axes: int, *, low: int = 1) -> None:
    """ParameterError unless the argument ``name`` is an int of at least ``low``, or one for each spatial axis."""
    value = getattr(layer, name)
    if not (_integer(value, low) or (_listed(value, axes) and all(_integer(v, low) for v in value))):
        raise ParameterError(
            f"{type(layer).__name__}: {name} must be an int of at least {low}, or {axes} of them. Got {value!r}."
        )


def sizes(value: Any, axes: int) -> tuple[int, ...]:
    """One int for each spatial axis.

    >>> sizes(3, 2), sizes([3, 5], 2)
    ((3, 3), (3, 5))
    """
    return (int(value),) * axes if isinstance(value, Integral) else tuple(int(v) for v in value)


def check_pairs(layer: Layer, name: str, axes: int, *, words: tuple[str, ...] = ()) -> None:
    """ParameterError unless the argument ``name`` is a word, an int, an int or a (before, after) pair for each axis."""
    value = getattr(layer, name)
    good = value in words if isinstance(value, str) else _integer(value, 0)
    if _listed(value, axes):
        good = all(_integer(v, 0) or (_listed(v, 2) and all(_integer(i, 0) for i in v)) for v in value)
    if not good:
        named = "".join(f'"{word}", ' for word in words)
        raise ParameterError(
            f"{type(layer).__name__}: {name} must be {named}an int of at least 0, or {axes} of them, one for each spatial "
            f"axis, each an int or a (before, after) pair: {((1, 2),) * axes}. Got {value!r}."
        )


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
