"""How the ops on images are divided among threads: convolutions by oneDNN, pooling, resampling and moments by kernels.

Images lie with channels last throughout, as users hold them, so nothing is ever reordered but weights. Each thread has
samples of its own; of a single image, rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ...errors import EngineError
from ...ops import Node, Value
from ...ops.spatial import covered
from .calls import (
    Access,
    Address,
    AnyCall,
    Block,
    Call,
    Code,
    Memory,
    Part,
    PrimitiveCall,
    ProductCall,
    Scratch,
    Task,
    Within,
    access,
    bounds,
    by_samples,
    memory_access,
)
from .chain import Chain, home_of
from .library import open_library
from .primitives import (
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    SRC,
    WEIGHTS,
    Blocking,
    Convolution,
    Matrix,
    Primitive,
    convolution,
    reorder,
)
from .program import Unsupported

#: Bytes of a call's arrays that stay in the second-level cache, so that what follows finds them there.
CACHED = 768 * 1024


def _three(sizes: Sequence[int], fill: int = 1) -> list[int]:
    """Sizes of three spatial axes; missing ones come first."""
    return [*[fill] * (3 - len(sizes)), *sizes]


def grain(bytes_a_sample: int, samples: int) -> int:
    """How many samples a call should work on."""
    return max(1, min(samples, CACHED // max(1, bytes_a_sample)))


# ---------------------------------------------------------------- convolutions


def _described(node: Node) -> tuple[str, Convolution]:
    """The pass ("forward", "data" or "weights") and the convolution of a node, for all its samples."""
    attrs, kind = node.attrs, {"conv": "forward", "conv_backward_data": "data", "conv_backward_weights": "weights"}[node.op]
    a, b, c = node.inputs[0], node.inputs[1], node.outputs[0]
    x, y, w = {"forward": (a, c, b), "data": (c, a, b), "weights": (a, b, c)}[kind]
    before, after = zip(*attrs["padding"], strict=True)
    dtype = "bfloat16" if "bfloat16" in (a.dtype, b.dtype) else "float"
    return kind, Convolution(
        x.shape[0],
        attrs["groups"],
        x.shape[-1],
        y.shape[-1],
        spatial=x.shape[1:-1],
        output=y.shape[1:-1],
        kernel=w.shape[:-2],
        stride=attrs["stride"],
        dilation=attrs["dilation"],
        before=before,
        after=after,
        dtype=dtype,
    )


def _usable(primitive: Primitive) -> bool:
    """Whether oneDNN has a kernel of its own; ``ref`` is hundreds of times slower."""
    return "ref" not in primitive.implementation


def _make(kind: str, c: Convolution, layout: Any) -> Primitive:
    return convolution(open_library(), kind, c, layout)


def _weight_layout(kind: str, c: Convolution) -> tuple[Any, Primitive]:
    """ "plain" where a fast kernel reads weights as they lie, otherwise the layout that oneDNN wants; and the primitive."""
    chosen = _make(kind, c, None)
    if kind == "forward" and c.dtype == "float" and chosen.implementation.startswith("brg"):
        plain = _make(kind, c, "plain")
        if plain.implementation.startswith("brg"):
            return "plain", plain
    if not _usable(chosen):
        raise Unsupported
    number = DIFF_WEIGHTS if kind == "weights" else WEIGHTS
    return chosen.descriptors[number].blocking(), chosen


def _simple(c: Convolution, layout: Blocking) -> list[int] | None:
    """Words 5 to 11 of the kernels in ``kernels/weights.py``, or None when the layout is of another kind."""
    taps = list(layout.strides[2:])
    if c.groups > 1 or len({axis for axis, _ in layout.blocks}) < len(layout.blocks) or any(a > 1 for a, _ in layout.blocks):
        return None
    if any(s != k * t for s, t, k in zip(taps, taps[1:], c.kernel[1:], strict=False)):
        return None
    words, inner = [taps[-1]], 1
    found: dict[int, tuple[int, int]] = {}
    for axis, size in reversed(layout.blocks):
        found[axis], inner = (size, inner), inner * size
    for axis in (1, 0):
        size, step = found.get(axis, (1, 0))
        words += [layout.strides[axis], size, step]
    return words


def _weight_words(c: Convolution, plain: Value, blocked: Memory, words: list[int], rows: tuple[int, int]) -> list[Any]:
    return [prod(c.kernel), c.inputs, c.outputs, Address(plain), blocked, *words, *rows]


def block_weights(node: Node, w: Value, c: Convolution, primitive: Primitive, threads: int) -> tuple[Memory, Task]:
    """Memory for weights in the layout of a primitive, and the task that puts them there."""
    descriptor = primitive.descriptors[WEIGHTS]
    memory, layout = Memory(descriptor.bytes), descriptor.blocking()
    words = _simple(c, layout) if c.dtype == "float" and w.dtype == "float" else None
    rows = prod(c.kernel) * c.inputs
    if words is None:
        tensor = c.plain_weights(w.dtype)
        call = PrimitiveCall(partial(reorder, open_library(), tensor, descriptor), {SRC: Address(w), DST: memory})
        part = Part([call], [access(w)], [memory_access(memory)])
        return memory, Task(_reordering(node, w, layout), [part, *[None] * (threads - 1)])
    parts: list[Part | None] = []
    # Rows are cut where blocks are, so that two threads do not write into one line.
    multiple = c.inputs if rows >= 4096 else rows
    for t, (a, b) in enumerate(pairwise(bounds(rows, threads, multiple))):
        whole = access(w, a * c.outputs, b * c.outputs)
        made = Part([Call("block_weights", _weight_words(c, w, memory, words, (a, b)))], [whole], [(id(memory), t, t + 1)])
        parts.append(made if b > a else None)
    return memory, Task(_reordering(node, w, layout), parts)


def _reordering(node: Node, w: Value, layout: Blocking) -> Node:
    """A node for the plan's listing."""
    return Node("reorder", (w,), (), {"layout": layout}, node.where)


def convolve(node: Node, threads: int) -> tuple[list[Task], list[Task]]:
    """conv or conv_backward_data, alone or at the head of a fused node: (tasks, tasks that can run at the step's start)."""
    members = node.attrs.get("nodes", [node])
    product, following = members[0], members[1:]
    kind, c = _described(product)
    source, w = product.inputs
    made = product.outputs[0]
    aliases, chain, out = {}, None, made
    if following:
        out = home_of(product, following, node.outputs)
        aliases = {id(made): out}
        chain = Chain.of(node, following, aliases)
    samples = c.samples
    numbers = (SRC, DST) if kind == "forward" else (DIFF_DST, DIFF_SRC)
    widths = (source.size // samples, made.size // samples)
    if kind == "data" and _by_columns(c):
        return _scatter(node, c, source, w, out, chain, threads), []
    by_rows = kind == "forward" and samples == 1 and made.shape[1] >= threads > 1
    per_thread = -(-samples // threads) if samples >= threads else samples
    typical = replace(c, samples=grain(4 * sum(widths), per_thread))
    layout, primitive = _weight_layout(kind, typical)
    early: list[Task] = []
    memory: Memory | None = None
    if layout != "plain":
        memory, task = block_weights(node, w, typical, primitive, threads)
        early.append(task)
    weights: Address | Memory = Address(w) if memory is None else memory
    weight_access: Access = access(w) if memory is None else (id(memory), 0, threads)

    def part(t: int, shape: Convolution, read: tuple[int, int], written: tuple[int, int], fresh: bool) -> Part:
        """The convolution of these elements of the source to these of the output, and what follows it there."""
        spots = (Address(source, read[0]), weights, Address(out, written[0]))
        places: dict[int, Address | Memory | Within] = dict(zip((numbers[0], WEIGHTS, numbers[1]), spots, strict=True))
        call = PrimitiveCall(partial(_make, kind, shape, layout), places)
        done = Part([call], [access(source, *read), weight_access], [access(out, *written)])
        if chain is not None:
            _append(done, chain.part(t, *written, fresh))
        return done

    def of_samples(t: int, a: int, b: int) -> Part:
        read, written = ((a * wide, b * wide) for wide in widths)
        return part(t, replace(c, samples=b - a), read, written, a == cuts[t])

    if chain is not None:
        chain.divide_sums(threads if by_rows or samples >= threads else 1)
    if by_rows:
        line, wide = source.size // source.shape[1], made.size // made.shape[1]
        parts: list[Part | None] = []
        for t, (a, b) in enumerate(pairwise(bounds(made.shape[1], threads))):
            slab, first, end = _slab(c, a, b)
            parts.append(part(t, slab, (first * line, end * line), (a * wide, b * wide), True))
    else:
        cuts = _divided(samples, threads)
        parts = by_samples(cuts, of_samples)
    if chain is not None:
        return chain.tasks(parts), early
    return [Task(node, parts)], early


def _by_columns(c: Convolution) -> bool:
    """Whether dx is better made by a matrix product and a sum.

    oneDNN's kernels work on 16 channels at a time and are slow with strides: measured, this is up to 5 times as fast for one
    channel, twice for 6 or for 16 with a stride, equal for 64 with a stride or 8 without.
    """
    plain = c.groups == 1 and c.dtype == "float" and max(c.dilation) == 1
    return plain and (c.inputs < 8 or (max(c.stride) > 1 and c.inputs <= 32))


def _scatter(node: Node, c: Convolution, dy: Value, w: Value, out: Value, chain: Chain | None, threads: int) -> list[Task]:
    """dx as dy Wᵀ, whose rows are windows (*kernel, I), added up where the windows lie."""
    samples, places, columns = c.samples, prod(c.output), prod(c.kernel) * c.inputs
    wide, narrow = prod(c.spatial) * c.inputs, places * c.outputs
    count = threads if samples >= threads else 1
    cuts = bounds(samples, count)
    step = grain(4 * places * columns, -(-samples // count))
    if chain is not None:
        chain.divide_sums(count)
    window = [*_three(c.spatial), *_three(c.output), *_three(c.kernel), *_three(c.stride), *_three(c.before, 0)]
    memories = [Memory(4 * step * places * columns) for _ in range(count)]
    left, right = Matrix(step * places, c.outputs, c.outputs, 1), Matrix(c.outputs, columns, 1, c.outputs)

    def part(t: int, a: int, b: int) -> Part:
        done = Part([], [access(dy, a * narrow, b * narrow), access(w)], [access(out, a * wide, b * wide)])
        for first in range(a, b, step):
            n = min(step, b - first)
            matrices = (replace(left, rows=n * places), right, Matrix(n * places, columns, columns, 1))
            done.calls.append(ProductCall(matrices, (Address(dy, first * narrow), Address(w), memories[t])))
            image = [n, c.inputs, *window, Address(out, first * wide), memories[t]]
            done.calls.append(Call("columns_to_image", image))
        if chain is not None:
            _append(done, chain.part(t, a * wide, b * wide, a == cuts[t]))
        return done

    parts = by_samples(cuts, part) + [None] * (threads - count)
    return chain.tasks(parts) if chain is not None else [Task(node, parts)]


def _append(part: Part, more: Part) -> None:
    part.calls += more.calls
    part.reads += more.reads
    part.writes += more.writes


def _slab(c: Convolution, first: int, end: int) -> tuple[Convolution, int, int]:
    """The convolution that makes rows first..end of one image's output, and the rows of the image that it reads."""
    stride, cover, size = c.stride[0], covered(c.kernel[0], c.dilation[0]), c.spatial[0]
    low, high = first * stride - c.before[0], (end - 1) * stride - c.before[0] + cover
    a, b = min(max(0, low), size), max(0, min(size, high))
    if b <= a:
        raise Unsupported
    shape = replace(
        c,
        spatial=(b - a, *c.spatial[1:]),
        output=(end - first, *c.output[1:]),
        before=(max(0, -low), *c.before[1:]),
        after=(max(0, high - size), *c.after[1:]),
    )
    return shape, a, b


def weight_gradient(node: Node, threads: int) -> tuple[list[Task], list[Task]]:
    """conv_backward_weights: (each thread's own sum over its samples, the sum of all of them, wanted later)."""
    kind, c = _described(node)
    (x, dy), dw = node.inputs, node.outputs[0]
    samples = c.samples
    cuts = bounds(samples, threads) if samples >= threads else [0, samples]
    count = len(cuts) - 1
    layout, primitive = _weight_layout(kind, replace(c, samples=cuts[1] - cuts[0]))
    size = -(-primitive.descriptors[DIFF_WEIGHTS].bytes // 64) * 16
    partial_sums = Memory(4 * size * count)
    parts: list[Part | None] = []
    for t, (a, b) in enumerate(pairwise(cuts)):
        wide_x, wide_y = x.size // samples, dy.size // samples
        make = partial(_make, kind, replace(c, samples=b - a), layout)
        arguments: dict[int, Address | Memory | Within] = {
            SRC: Address(x, a * wide_x),
            DIFF_DST: Address(dy, a * wide_y),
            DIFF_WEIGHTS: Within(partial_sums, t * size),
        }
        reads = [access(x, a * wide_x, b * wide_x), access(dy, a * wide_y, b * wide_y)]
        parts.append(Part([PrimitiveCall(make, arguments)], reads, [memory_access(partial_sums, t * size, (t + 1) * size)]))
    parts += [None] * (threads - count)
    main = Task(node, parts)
    words = _simple(c, layout)
    if words is None:
        return [main], [_add_by_reorders(node, c, primitive, partial_sums, size, count, threads)]
    rows = prod(c.kernel) * c.inputs
    total: list[Part | None] = []
    for a, b in pairwise(bounds(rows, threads if rows * c.outputs >= 8192 else 1)):
        block = [*_weight_words(c, dw, partial_sums, words, (a, b)), count, size]
        write = access(dw, a * c.outputs, b * c.outputs)
        total.append(Part([Call("unblock_weights", block)], [memory_access(partial_sums)], [write]) if b > a else None)
    return [main], [Task(node, total + [None] * (threads - len(total)))]


def _add_by_reorders(
    node: Node, c: Convolution, primitive: Primitive, partial_sums: Memory, size: int, count: int, threads: int
) -> Task:
    """The same for layouts that only oneDNN knows: each thread's sum as parameters lie, then their sum."""
    dw = node.outputs[0]
    plain = Memory(4 * dw.size * count)
    calls: list[AnyCall] = []
    for t in range(count):
        make = partial(reorder, open_library(), primitive.descriptors[DIFF_WEIGHTS], c.plain_weights("float"))
        calls.append(PrimitiveCall(make, {SRC: Within(partial_sums, t * size), DST: Within(plain, t * dw.size)}))
    calls.append(Call("reduce", [1, count, dw.size, plain, Address(dw), 0, 0, dw.size]))
    part = Part(calls, [memory_access(partial_sums)], [access(dw), memory_access(plain)])
    return Task(node, [part, *[None] * (threads - 1)])


# ---------------------------------------------------------------- windows


def _divided(samples: int, threads: int) -> list[int]:
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
    sizes = [*_three(image.shape[1:-1]), *_three(pooled.shape[1:-1]), *_three(attrs["kernel"])]
    window = [*_three(attrs["stride"]), *_three([before for before, _ in attrs["padding"]], 0)]
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
    return Task(node, by_samples(_divided(image.shape[0], threads), make))


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
    for size, wanted in zip(_three(image.shape[1:-1]), _three(output.shape[1:-1]), strict=True):
        mixed = taps(size, wanted, node.attrs["method"])
        counts.append(len(mixed))
        numbers.append(Code([int(i) for index, _ in mixed for i in index]))
        found = np.concatenate([np.asarray(weight, np.float32) for _, weight in mixed])
        weights.append(Code([int(i) for i in found.view(np.int32)]))
    wide, narrow = image.size // image.shape[0], output.size // image.shape[0]
    sizes = [*_three(image.shape[1:-1]), *_three(output.shape[1:-1])]

    def make(t: int, a: int, b: int) -> Part:
        arrays = [Address(image, a * wide), Address(output, a * narrow), int(backward)]
        part = Part([Call("interpolate", [b - a, image.shape[-1], *sizes, *counts, *numbers, *weights, *arrays])])
        (part.writes if backward else part.reads).append(access(image, a * wide, b * wide))
        (part.reads if backward else part.writes).append(access(output, a * narrow, b * narrow))
        return part

    return Task(node, by_samples(_divided(image.shape[0], threads), make))


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

    return Task(node, by_samples(_divided(x.shape[0], threads), make))


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


_PASSES = {"forward": "", "data": " dx", "weights": " dW"}


def explain(node: Node, threads: int) -> str | None:
    """Which kernel a convolution uses, and where its weights are reordered and why; None for any other node."""
    if node.op not in ("conv", "conv_backward_data", "conv_backward_weights"):
        return None
    kind, c = _described(node)
    name = f"{node.where.layer}{_PASSES[kind]}"
    if kind == "data" and _by_columns(c):
        return f"{name}: a matrix product and a sum of windows, for few channels or a stride; weights as they lie"
    try:
        layout, primitive = _weight_layout(kind, replace(c, samples=max(1, c.samples // threads)))
    except (Unsupported, EngineError):
        return f"{name}: NumPy, since oneDNN has no fast kernel for it"
    if layout == "plain":
        return f"{name}: {primitive.implementation}, weights as they lie"
    axes = ("outputs", "inputs") if c.groups == 1 else ("groups", "outputs", "inputs")
    blocks = " × ".join(f"{size} {axes[axis]}" for axis, size in layout.blocks if axis < len(axes)) or "another order"
    if kind == "weights":
        return f"{name}: {primitive.implementation}, made in blocks of {blocks}; reordered as the threads' sums are added up"
    return f"{name}: {primitive.implementation}, weights reordered once a step into blocks of {blocks}, multiplied at once"
