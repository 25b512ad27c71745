"""Masks of sequences through layers whose outputs look at windows of steps."""

from __future__ import annotations

from ..ops.value import Shape
from .base import Builder, Value


def as_column(k: Builder, mask: Value, ndim: int = 3) -> Value:
    """The mask (N, T) as (N, T, 1, ...), which multiplies sequences of that many dimensions."""
    return k.reshape(mask, (*mask.shape, *(1,) * (ndim - 2)))


def lengthen(k: Builder, x: Value, steps: int) -> Value:
    """x (N, T, ...) with so many zeros more at its end."""
    return k.pad(x, ((0, 0), (0, steps), *(((0, 0),) * (x.ndim - 2)))) if steps > 0 else x


def shorten(k: Builder, x: Value, steps: int) -> Value:
    """The first steps of x (N, T, ...)."""
    return x if x.shape[1] == steps else k.slice(x, 1, 0, steps)


def window_mask(
    k: Builder, mask: Value, outputs: int, *, stride: Shape, padding: tuple[tuple[int, int], ...], reach: int
) -> Value:
    """Which outputs of windows over a sequence the sequence without padding has as well.

    Output t reads the steps s t − p, ..., s t − p + r − 1. A sequence of L steps has it when that ends before L + p', p and
    p' being the zeros before and after: when step s t + r − 1 − p − p' counts. Where padding stands in front, step s t has
    to count, too. A sequence that is shorter than one window keeps the first output.

    Parameters  mask (N, T) ; outputs : their number T' ; reach : r, steps from the first to the last of a window
    """
    before, after = padding[0]
    shift = reach - 1 - before - after
    found = mask
    if shift < 0:
        gone = k.pad(k.subtract(1.0, mask), ((0, 0), (-shift, 0)))
        found = k.subtract(1.0, gone)
    found = _every(k, found, 0, outputs, stride[0])
    if shift <= 0:
        return found
    found = k.multiply(found, _every(k, mask, shift, outputs, stride[0]))
    some = k.max(found, axis=1, keepdims=True)
    first = k.maximum(k.slice(found, 1, 0, 1), k.subtract(1.0, some))
    found = first if outputs == 1 else k.concat([first, k.slice(found, 1, 1, outputs)], axis=1)
    found.name = "m"
    return found


def _every(k: Builder, mask: Value, start: int, count: int, stride: int) -> Value:
    """``count`` elements of each row, ``stride`` apart."""
    n = mask.shape[0]
    part = k.slice(mask, 1, start, start + (count - 1) * stride + 1)
    if stride == 1:
        return part
    picked, _ = k.max_pool(k.reshape(part, (*part.shape, 1)), kernel=(1,), stride=(stride,), padding=((0, 0),))
    return k.reshape(picked, (n, count))
