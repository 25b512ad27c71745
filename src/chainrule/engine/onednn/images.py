"""How the ops on images that are not convolutions are divided among threads: pooling, resampling, padding and moments.

Images lie with channels last throughout, as users hold them. Each thread has samples of its own; of a single image, rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ...ops import Node, Value
from .calls import (
    Address,
    Block,
    Call,
    Code,
    Memory,
    Part,
    Scratch,
    Task,
    Within,
    access,
    bounds,
    by_samples,
    memory_access,
)
from .program import Unsupported

#: Bytes of a call's arrays that stay in the second-level cache, so that what follows finds them there.
CACHED = 768 * 1024


def three(sizes: Sequence[int], fill: int = 1) -> list[int]:
    """Sizes of three spatial axes; missing ones come first."""
    return [*[fill] * (3 - len(sizes)), *sizes]


def grain(bytes_a_sample: int, samples: int) -> int:
    """How many samples a call should work on."""
    return max(1, min(samples, CACHED // max(1, bytes_a_sample)))


# ---------------------------------------------------------------- windows


def divided(samples: int, threads: int) -> list[int]:
    """Cuts of the samples among threads; one thread takes all where there are fewer samples than threads."""
    if samples < threads:
        return [0, samples, *[samples] * (threads - 1)]
    return bounds(samples, threads)


def pool(node: Node, threads: int) -> Task:
    """max_pool, average_pool and their backward passes."""
    attrs, op = node.attrs, node.op
    backward = op.endswith("_backward")
    image, pooled = (node.outputs[0], node.inputs[0]) if backward else (node.inputs[0], node.outputs[0])
    if image.dtype != "float":
        raise Unsupported
    sizes = [*three(image.shape[1:-1]), *three(pooled.shape[1:-1]), *three(attrs["kernel"])]
    window = [*three(attrs["stride"]), *three([before for before, _ in attrs["padding"]], 0)]
    index: Value | None = None
    if op.startswith("max"):
        index = node.inputs[1] if backward else node.outputs[1]
    whole = prod(attrs["kernel"]) if attrs.get("count_padding") else 0
    wide, narrow = image.size // image.shape[0], pooled.size // image.shape[0]
    # Nobody reads the index of a prediction.
    asked = index is not None and (backward or 1 not in node.attrs.get("unused", ()))

    def make(t: int, a: int, b: int) -> Part:
        last: Any = Address(index, a * narrow) if index is not None and asked else (0 if index is not None else whole)
        words = [b - a, image.shape[-1], *sizes, *window, Address(image, a * wide), Address(pooled, a * narrow), last]
        part = Part([Call(op, words)])
        (part.writes if backward else part.reads).append(access(image, a * wide, b * wide))
        (part.reads if backward else part.writes).append(access(pooled, a * narrow, b * narrow))
        if index is not None and asked:
            (part.reads if backward else part.writes).append(access(index, a * narrow, b * narrow))
        return part

    axis = 5 - image.ndim
    aligned = attrs["kernel"][0] == attrs["stride"][0] and not any(attrs["padding"][0])
    if image.shape[0] == 1 and not backward and aligned and pooled.shape[1] >= threads > 1:
        # A single image is divided by rows, where windows do not reach over them.
        return Task(node, _pool_rows(op, image, pooled, index if asked else None, sizes, window, axis, whole, threads))
    return Task(node, by_samples(divided(image.shape[0], threads), make))


def _pool_rows(
    op: str,
    image: Value,
    pooled: Value,
    index: Value | None,
    sizes: list[int],
    window: list[int],
    axis: int,
    whole: int,
    threads: int,
) -> list[Part | None]:
    """Parts of a pooling of one image: rows of the first spatial axis, number ``axis`` of three."""
    stride, line, narrow = window[axis], image.size // image.shape[1], pooled.size // pooled.shape[1]
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(pooled.shape[1], threads)):
        own = list(sizes)
        own[axis], own[3 + axis] = (b - a) * stride, b - a
        last: Any = whole if op == "average_pool" else (0 if index is None else Address(index, a * narrow))
        places = [Address(image, a * stride * line), Address(pooled, a * narrow), last]
        part = Part([Call(op, [1, image.shape[-1], *own, *window, *places])])
        part.reads.append(access(image, a * stride * line, b * stride * line))
        part.writes.append(access(pooled, a * narrow, b * narrow))
        if index is not None:
            part.writes.append(access(index, a * narrow, b * narrow))
        parts.append(part)
    return parts


def resample(node: Node, threads: int) -> Task:
    """resample and its backward pass, by tables of what each output mixes."""
    from ..reference.convolution import taps

    backward = node.op == "resample_backward"
    image, output = (node.outputs[0], node.inputs[0]) if backward else (node.inputs[0], node.outputs[0])
    counts, numbers, weights = [], [], []
    for i, (size, wanted) in enumerate(zip(three(image.shape[1:-1]), three(output.shape[1:-1]), strict=True)):
        axis = i - (3 - (image.ndim - 2))  # among those of the image; axes that it does not have are 1 long
        mixed = taps(size, wanted, node.attrs["method"] if axis >= 0 else "nearest", max(axis, 0))
        counts.append(len(mixed))
        numbers.append(Code([int(i) for index, _ in mixed for i in index]))
        found = np.concatenate([np.asarray(weight, np.float32) for _, weight in mixed])
        weights.append(Code([int(i) for i in found.view(np.int32)]))
    wide, narrow = image.size // image.shape[0], output.size // image.shape[0]
    sizes = [*three(image.shape[1:-1]), *three(output.shape[1:-1])]

    def make(t: int, a: int, b: int) -> Part:
        arrays = [Address(image, a * wide), Address(output, a * narrow), int(backward)]
        part = Part([Call("interpolate", [b - a, image.shape[-1], *sizes, *counts, *numbers, *weights, *arrays])])
        (part.writes if backward else part.reads).append(access(image, a * wide, b * wide))
        (part.reads if backward else part.writes).append(access(output, a * narrow, b * narrow))
        return part

    return Task(node, by_samples(divided(image.shape[0], threads), make))


def pad(node: Node, threads: int) -> Task:
    x, out = node.inputs[0], node.outputs[0]
    if x.dtype != "float" or x.ndim > 5:
        raise Unsupported
    padding = list(node.attrs["padding"])
    # Missing axes come after the first, which is cut among threads.
    inner = [*[1] * (5 - x.ndim), *x.shape[1:]]
    outer = [*[1] * (5 - x.ndim), *out.shape[1:]]
    before = [*[0] * (5 - x.ndim), *(p for p, _ in padding[1:])]

    def words(a: int, b: int, low: int, count: int) -> list[Any]:
        wide, narrow = x.size // x.shape[0], out.size // out.shape[0]
        return [b - a, *inner, count, *outer, low, *before, Address(x, a * wide), Address(out, a * narrow)]

    if any(padding[0]):
        call = Call("pad", words(0, x.shape[0], padding[0][0], out.shape[0]))
        return Task(node, [Part([call], [access(x)], [access(out)]), *[None] * (threads - 1)])
    wide, narrow = x.size // x.shape[0], out.size // x.shape[0]

    def make(t: int, a: int, b: int) -> Part:
        reads, writes = access(x, a * wide, b * wide), access(out, a * narrow, b * narrow)
        return Part([Call("pad", words(a, b, 0, b - a))], [reads], [writes])

    return Task(node, by_samples(divided(x.shape[0], threads), make))


# ---------------------------------------------------------------- moments


def channel_moments(node: Node, threads: int) -> list[Task]:
    """Mean and sum of squared deviations of each channel: each thread's own, then all together."""
    x, (mean, squares) = node.inputs[0], node.outputs
    columns, samples = x.shape[-1], x.shape[0]
    rows = x.size // columns // samples
    cuts = bounds(samples, threads) if samples >= threads and x.size >= 4096 else [0, samples]
    count = len(cuts) - 1
    means, deviations = Memory(4 * columns * count), Memory(4 * columns * count)

    def make(t: int, a: int, b: int) -> Part:
        places: list[Any] = [Within(means, t * columns), Within(deviations, t * columns)]
        if count == 1:
            places = [Address(mean), Address(squares)]
        words = [(b - a) * rows, columns, Address(x, a * rows * columns), *places, (a - cuts[t]) * rows]
        part = Part(
            [Call("channel_moments", [*words, Scratch(8 * (columns + 128))])],
            [access(x, a * rows * columns, b * rows * columns)],
        )
        if count == 1:
            part.writes += [access(mean), access(squares)]
        else:
            own = (t * columns, (t + 1) * columns)
            part.writes += [memory_access(means, *own), memory_access(deviations, *own)]
        return part

    tasks = [Task(node, by_samples(cuts, make) + [None] * (threads - count))]
    if count > 1:
        sizes = Block([(b - a) * rows for a, b in pairwise(cuts)])
        call = Call("join_channel_moments", [count, columns, means, deviations, sizes, Address(mean), Address(squares)])
        part = Part([call], [memory_access(means), memory_access(deviations)], [access(mean), access(squares)])
        tasks.append(Task(node, [part, *[None] * (threads - 1)]))
    return tasks
