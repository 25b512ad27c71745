"""How convolutions are divided among threads, and which kernel makes each part.

Images lie with channels last throughout, as users hold them, so nothing is ever reordered but weights. Each thread has
samples of its own; of a single image, rows. All parts of one convolution read its weights in one layout, and which kernels
oneDNN has for a layout depends on the sizes of the part, so the layout is chosen for all parts at once (``_suitable``).

Where oneDNN has only its ``ref`` kernel (hundreds of times slower than others) or its ``gemm`` (up to 16 times slower than
what follows, 1.5 times in the middle), the division changes, and where that does not help, the convolution becomes a matrix
product of the image's windows. So there is a fast kernel for every shape on every processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, Literal

from ...errors import EngineError
from ...ops import Node, Value
from ...ops.spatial import covered
from .calls import (
    Access,
    Address,
    AnyCall,
    Call,
    Memory,
    Part,
    PrimitiveCall,
    ProductCall,
    Task,
    Within,
    access,
    bounds,
    by_samples,
    memory_access,
)
from .chain import Chain, home_of
from .images import divided, grain, three
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
from .winograd import Filtering, minimal_filtering

#: "plain": weights as parameters lie.
Layout = Blocking | Literal["plain"]

# ---------------------------------------------------------------- which kernel


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


def _make(kind: str, c: Convolution, layout: Layout | None) -> Primitive:
    return convolution(open_library(), kind, c, layout)


def _is_fast(primitive: Primitive, c: Convolution) -> bool:
    """Whether oneDNN has a kernel of its own; its product of windows is used in bfloat16 only, where ours cannot be."""
    name = primitive.implementation
    return "ref" not in name and ("gemm" not in name or c.dtype != "float")


@dataclass
class _Kernels:
    """The layout in which all parts of a convolution read its weights, and the primitive of a typical part."""

    layout: Layout
    primitive: Primitive


def _suitable(kind: str, shapes: Sequence[Convolution]) -> _Kernels | None:
    """A layout in which oneDNN has fast kernels for all of these shapes; None where there is none."""
    shapes = list(dict.fromkeys(shapes))
    number = DIFF_WEIGHTS if kind == "weights" else WEIGHTS
    layouts: list[Layout] = []
    for i, shape in enumerate(shapes):
        try:
            chosen = _make(kind, shape, None)
        except EngineError:
            continue
        # Kernels of one family read weights as they lie, too, and are as fast with them.
        if i == 0 and kind == "forward" and shape.dtype == "float" and chosen.implementation.startswith("brg"):
            layouts.append("plain")
        layouts.append(chosen.descriptors[number].blocking())
    for layout in dict.fromkeys(layouts):
        try:
            made = [_make(kind, shape, layout) for shape in shapes]
        except (EngineError, KeyError):
            continue
        if all(map(_is_fast, made, shapes)):
            return _Kernels(layout, made[0])
    return None


def _fast_for(kind: str, c: Convolution, layout: Layout) -> bool:
    return _is_fast(_make(kind, c, layout), c)


def _pieces(kind: str, c: Convolution, layout: Layout) -> list[Convolution]:
    """The convolution of c.samples samples in as few calls as fast kernels allow; one of a single sample is known to be."""
    found: list[Convolution] = []
    left = c.samples
    while left:
        count = left
        while count > 1 and not _fast_for(kind, replace(c, samples=count), layout):
            count -= 1
        found.append(replace(c, samples=count))
        left -= count
    return found


# ---------------------------------------------------------------- weights in blocks


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


def _reordering(node: Node, w: Value, layout: Blocking | str) -> Node:
    """A node for the plan's listing."""
    return Node("reorder", (w,), (), {"layout": layout}, node.where)


# ---------------------------------------------------------------- forward and dx


@dataclass
class _Division:
    """How a forward pass or dx is made.

    Parameters
        kernels : None where oneDNN has no fast kernel; then products of windows
        by_rows : whether a single image is divided among threads by rows of the output
        filtering : in place of both
    """

    kernels: _Kernels | None
    by_rows: bool
    filtering: Filtering | None = None


def _division(kind: str, c: Convolution, wide: int, threads: int) -> _Division:
    """Rows of a single image, or samples, with kernels that suit every part.

    Parameters  wide : elements that a sample reads and writes
    """
    if kind == "data" and _by_columns(c):
        return _Division(None, False)
    rows = kind == "forward" and c.samples == 1 and c.output[0] >= threads > 1
    if (filtering := minimal_filtering(kind, c, threads)) is not None:
        return _Division(None, rows, filtering)
    if rows:
        try:
            slabs = [slab_of(c, a, b)[0] for a, b in pairwise(bounds(c.output[0], threads))]
        except Unsupported:
            slabs = []
        kernels = _suitable(kind, slabs) if slabs else None
        whole = _suitable(kind, [c]) if kernels is None else None
        return _Division(kernels or whole, whole is None)
    per_thread = -(-c.samples // threads) if c.samples >= threads else c.samples
    typical = replace(c, samples=grain(4 * wide, per_thread))
    # The last samples may be fewer, and one by one they can always be done.
    return _Division(_suitable(kind, [typical, replace(c, samples=1)]), False)


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
    division = _division(kind, c, sum(widths), threads)
    filtering = division.filtering
    if kind == "data" and division.kernels is None and filtering is None:
        return _scatter(node, c, source, w, out, chain, threads), []
    kernels = division.kernels
    early: list[Task] = []
    memory: Memory | None = None
    if kernels is not None and kernels.layout != "plain":
        memory, task = block_weights(node, w, c, kernels.primitive, threads)
        early.append(task)
    elif filtering is not None:
        memory = filtering.filters
        early.append(Task(_reordering(node, w, "minimal filtering"), filtering.transformation(w, threads)))
    weights: Address | Memory = Address(w) if memory is None else memory
    weight_access: Access = access(w) if memory is None else (id(memory), 0, threads)
    copied = kernels is None and filtering is None
    columns = [Memory(_window_bytes(c, threads)) for _ in range(threads)] if copied else None

    def part(t: int, shape: Convolution, read: tuple[int, int], written: tuple[int, int], fresh: bool) -> Part:
        """The convolution of these elements of the source to these of the output, and what follows it there."""
        done = Part([], [access(source, *read), weight_access], [access(out, *written)])
        if filtering is not None:
            done.calls = filtering.calls(t, shape, Address(source, read[0]), Address(out, written[0]))
        elif kernels is None:
            assert columns is not None
            done.calls = _products_of_windows(shape, Address(source, read[0]), w, Address(out, written[0]), columns[t])
        else:
            first = 0
            for piece in _pieces(kind, shape, kernels.layout):
                at = [a + first * wide for a, wide in zip((read[0], written[0]), widths, strict=True)]
                spots = (Address(source, at[0]), weights, Address(out, at[1]))
                places: dict[int, Address | Memory | Within]
                places = dict(zip((numbers[0], WEIGHTS, numbers[1]), spots, strict=True))
                done.calls.append(PrimitiveCall(partial(_make, kind, piece, kernels.layout), places))
                first += piece.samples
        if chain is not None:
            _append(done, chain.part(t, *written, fresh))
        return done

    def of_samples(t: int, a: int, b: int) -> Part:
        read, written = ((a * wide, b * wide) for wide in widths)
        return part(t, replace(c, samples=b - a), read, written, a == cuts[t])

    if chain is not None:
        chain.divide_sums(threads if division.by_rows or samples >= threads else 1)
    if division.by_rows:
        line, wide = source.size // source.shape[1], made.size // made.shape[1]
        parts: list[Part | None] = []
        # Tiles have two rows: cut between them, all parts together compute what one part does, to the bit.
        for t, (a, b) in enumerate(pairwise(bounds(made.shape[1], threads, 1 if filtering is None else 2))):
            if b == a:
                parts.append(None)
                continue
            if kernels is None:
                slab, first, end = _rows_of(c, a, b), 0, c.spatial[0]
            else:
                slab, first, end = slab_of(c, a, b)
            parts.append(part(t, slab, (first * line, end * line), (a * wide, b * wide), True))
    else:
        cuts = divided(samples, threads)
        parts = by_samples(cuts, of_samples)
    if chain is not None:
        return chain.tasks(parts), early
    return [Task(node, parts)], early


def _append(part: Part, more: Part) -> None:
    part.calls += more.calls
    part.reads += more.reads
    part.writes += more.writes


def slab_of(c: Convolution, first: int, end: int) -> tuple[Convolution, int, int]:
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


# ---------------------------------------------------------------- products of windows


def _by_columns(c: Convolution) -> bool:
    """Whether dx is better made by a matrix product and a sum.

    oneDNN's kernels work on 16 channels at a time and are slow with strides: measured, this is up to 5 times as fast for one
    channel, twice for 6 or for 16 with a stride, equal for 64 with a stride or 8 without.
    """
    plain = c.groups == 1 and c.dtype == "float" and max(c.dilation) == 1
    return plain and (c.inputs < 8 or (max(c.stride) > 1 and c.inputs <= 32))


def _rows_of(c: Convolution, first: int, end: int) -> Convolution:
    """The convolution of the whole image that makes rows first..end of its output alone."""
    return replace(c, output=(end - first, *c.output[1:]), before=(c.before[0] - first * c.stride[0], *c.before[1:]))


def _stretches(c: Convolution) -> list[tuple[int, int, int, int]]:
    """Samples and rows of the output (first and end of both) whose windows are copied at a time, and stay in the cache."""
    if c.dtype != "float":
        raise Unsupported
    row = 4 * prod(c.output[1:]) * prod(c.kernel) * (c.inputs // c.groups)
    step = grain(row * c.output[0], c.samples)
    lines = c.output[0] if step > 1 else grain(row, c.output[0])
    return [
        (n, min(n + step, c.samples), r, min(r + lines, c.output[0]))
        for n in range(0, c.samples, step)
        for r in range(0, c.output[0], lines)
    ]


def _window_bytes(c: Convolution, threads: int) -> int:
    """Memory for the windows that are copied at a time."""
    places = max((b - a) * (s - r) for a, b, r, s in _stretches(c)) * prod(c.output[1:])
    return 4 * places * prod(c.kernel) * (c.inputs // c.groups)


def _window_words(c: Convolution, image: Address, group: int, columns: Memory) -> list[Any]:
    """The words of the kernels in ``kernels/columns.py``; image : where the first one begins."""
    inner = c.inputs // c.groups
    sizes = [*three(c.spatial), *three(c.output), *three(c.kernel), *three(c.stride), *three(c.before, 0)]
    own = Address(image.value, image.elements + group * inner)
    return [c.samples, inner, *sizes, own, columns, c.inputs, *three(c.dilation)]


def _group_matrix(c: Convolution) -> Matrix:
    """A group's weights (*kernel · I / G, O / G)."""
    return Matrix(prod(c.kernel) * (c.inputs // c.groups), c.outputs // c.groups, c.outputs, 1)


def _products_of_windows(c: Convolution, x: Address, w: Value, y: Address, columns: Memory) -> list[AnyCall]:
    """y as windows of x, as rows of a matrix, times the weights."""
    calls: list[AnyCall] = []
    weights, line = _group_matrix(c), prod(c.output[1:])
    for n, m, r, s in _stretches(c):
        rows = (m - n) * (s - r) * line
        shape = replace(_rows_of(c, r, s), samples=m - n)
        image = Address(x.value, x.elements + n * prod(c.spatial) * c.inputs)
        start = y.elements + (n * c.output[0] + r) * line * c.outputs
        for g in range(c.groups):
            calls.append(Call("image_to_columns", _window_words(shape, image, g, columns)))
            left = Matrix(rows, weights.rows, weights.rows, 1)
            result = Matrix(rows, weights.columns, c.outputs, 1)
            places = (columns, Address(w, g * weights.columns), Address(y.value, start + g * weights.columns))
            calls.append(ProductCall((left, weights, result), places))
    return calls


def _scatter(node: Node, c: Convolution, dy: Value, w: Value, out: Value, chain: Chain | None, threads: int) -> list[Task]:
    """dx as dy Wᵀ, whose rows are windows (*kernel, I), added up where the windows lie."""
    if c.dtype != "float":
        raise Unsupported
    samples, places, weights = c.samples, prod(c.output), _group_matrix(c)
    columns = weights.rows
    wide, narrow = prod(c.spatial) * c.inputs, places * c.outputs
    count = threads if samples >= threads else 1
    cuts = bounds(samples, count)
    step = grain(4 * places * columns, -(-samples // count))
    if chain is not None:
        chain.divide_sums(count)
    memories = [Memory(4 * step * places * columns) for _ in range(count)]
    turned = Matrix(weights.columns, columns, 1, c.outputs)

    def part(t: int, a: int, b: int) -> Part:
        done = Part([], [access(dy, a * narrow, b * narrow), access(w)], [access(out, a * wide, b * wide)])
        for first in range(a, b, step):
            n = min(step, b - first)
            for g in range(c.groups):
                left = Matrix(n * places, weights.columns, c.outputs, 1)
                own = g * weights.columns
                spots = (Address(dy, first * narrow + own), Address(w, own), memories[t])
                done.calls.append(ProductCall((left, turned, Matrix(n * places, columns, columns, 1)), spots))
                words = _window_words(replace(c, samples=n), Address(out, first * wide), g, memories[t])
                done.calls.append(Call("columns_to_image", words))
        if chain is not None:
            _append(done, chain.part(t, a * wide, b * wide, a == cuts[t]))
        return done

    parts = by_samples(cuts, part) + [None] * (threads - count)
    return chain.tasks(parts) if chain is not None else [Task(node, parts)]


# ---------------------------------------------------------------- dW


def _gradient_kernels(c: Convolution, threads: int) -> tuple[list[int], _Kernels | None]:
    """Cuts of the samples among threads, and kernels that suit all of the stretches."""
    cuts = bounds(c.samples, threads) if c.samples >= threads else [0, c.samples]
    kernels = _suitable("weights", [replace(c, samples=b - a) for a, b in pairwise(cuts)])
    if kernels is None and len(cuts) > 2 and c.samples % threads:
        # Stretches of two sizes may have no layout in common.
        whole = _suitable("weights", [c])
        if whole is not None:
            return [0, c.samples], whole
    return cuts, kernels


def weight_gradient(node: Node, threads: int) -> tuple[list[Task], list[Task]]:
    """conv_backward_weights: (each thread's own sum over its samples, the sum of all of them, wanted later)."""
    kind, c = _described(node)
    (x, dy), dw = node.inputs, node.outputs[0]
    samples = c.samples
    cuts, kernels = _gradient_kernels(c, threads)
    count = len(cuts) - 1
    wide_x, wide_y = x.size // samples, dy.size // samples
    plain = kernels is None or kernels.layout == "plain"
    bytes_of_one = 4 * dw.size if kernels is None else kernels.primitive.descriptors[DIFF_WEIGHTS].bytes
    size = -(-bytes_of_one // 64) * 16
    direct = plain and count == 1
    partial_sums = Memory(4 * size * count)
    columns = None if kernels is not None else [Memory(_window_bytes(c, threads)) for _ in range(count)]
    parts: list[Part | None] = []
    for t, (a, b) in enumerate(pairwise(cuts)):
        reads = [access(x, a * wide_x, b * wide_x), access(dy, a * wide_y, b * wide_y)]
        writes = [access(dw) if direct else memory_access(partial_sums, t * size, (t + 1) * size)]
        target: Address | Within = Address(dw) if direct else Within(partial_sums, t * size)
        shape, at_x, at_dy = replace(c, samples=b - a), Address(x, a * wide_x), Address(dy, a * wide_y)
        if kernels is None:
            assert columns is not None
            calls = _gradient_of_windows(shape, at_x, at_dy, target, columns[t])
        else:
            places: dict[int, Address | Memory | Within] = {SRC: at_x, DIFF_DST: at_dy, DIFF_WEIGHTS: target}
            calls = [PrimitiveCall(partial(_make, kind, shape, kernels.layout), places)]
        parts.append(Part(calls, reads, writes))
    parts += [None] * (threads - count)
    main = Task(node, parts)
    if direct:
        return [main], []
    rows = prod(c.kernel) * (c.inputs // c.groups)
    words = None
    if not plain:
        assert kernels is not None and isinstance(kernels.layout, Blocking)
        words = _simple(c, kernels.layout)
        if words is None:
            return [main], [_add_by_reorders(node, c, kernels.primitive, partial_sums, size, count, threads)]
    total: list[Part | None] = []
    for a, b in pairwise(bounds(rows, threads if rows * c.outputs >= 8192 else 1)):
        low, high = a * c.outputs, b * c.outputs
        if words is None:
            call = Call("reduce", [1, count, size, partial_sums, Address(dw), 0, low, high])
        else:
            call = Call("unblock_weights", [*_weight_words(c, dw, partial_sums, words, (a, b)), count, size])
        total.append(Part([call], [memory_access(partial_sums)], [access(dw, low, high)]) if b > a else None)
    return [main], [Task(node, total + [None] * (threads - len(total)))]


def _gradient_of_windows(c: Convolution, x: Address, dy: Address, dw: Address | Within, columns: Memory) -> list[AnyCall]:
    """dW as the sum over stretches of windows of x, as rows of a matrix, turned, times dy."""
    calls: list[AnyCall] = []
    weights, line = _group_matrix(c), prod(c.output[1:])
    for i, (n, m, r, s) in enumerate(_stretches(c)):
        rows = (m - n) * (s - r) * line
        shape = replace(_rows_of(c, r, s), samples=m - n)
        image = Address(x.value, x.elements + n * prod(c.spatial) * c.inputs)
        start = dy.elements + (n * c.output[0] + r) * line * c.outputs
        for g in range(c.groups):
            calls.append(Call("image_to_columns", _window_words(shape, image, g, columns)))
            left = Matrix(weights.rows, rows, 1, weights.rows)
            right = Matrix(rows, weights.columns, c.outputs, 1)
            own = g * weights.columns
            target: Address | Within
            target = Address(dw.value, own) if isinstance(dw, Address) else Within(dw.memory, dw.elements + own)
            places = (columns, Address(dy.value, start + own), target)
            calls.append(ProductCall((left, right, weights), places, add=i > 0))
    return calls


def _add_by_reorders(
    node: Node, c: Convolution, primitive: Primitive, partial_sums: Memory, size: int, count: int, threads: int
) -> Task:
    """The sums of all threads for layouts that only oneDNN knows: each thread's as parameters lie, then their sum."""
    dw = node.outputs[0]
    plain = Memory(4 * dw.size * count)
    calls: list[AnyCall] = []
    for t in range(count):
        make = partial(reorder, open_library(), primitive.descriptors[DIFF_WEIGHTS], c.plain_weights("float"))
        calls.append(PrimitiveCall(make, {SRC: Within(partial_sums, t * size), DST: Within(plain, t * dw.size)}))
    calls.append(Call("reduce", [1, count, dw.size, plain, Address(dw), 0, 0, dw.size]))
    part = Part(calls, [memory_access(partial_sums)], [access(dw), memory_access(plain)])
    return Task(node, [part, *[None] * (threads - 1)])


# ---------------------------------------------------------------- in words

_PASSES = {"forward": "", "data": " dx", "weights": " dW"}


def explain(node: Node, threads: int) -> str | None:
    """Which kernel a convolution uses, whether it is slow for its FLOPs, and where its weights are reordered and why.

    None for any other node.
    """
    if node.op not in ("conv", "conv_backward_data", "conv_backward_weights"):
        return None
    kind, c = _described(node)
    name = f"{node.where.layer}{_PASSES[kind]}"
    if kind == "data" and _by_columns(c):
        return f"{name}: a matrix product and a sum of windows, for few channels or a stride; weights as they lie"
    if kind == "weights":
        kernels = _gradient_kernels(c, threads)[1]
    else:
        wide = (node.inputs[0].size + node.outputs[0].size) // c.samples
        division = _division(kind, c, wide, threads)
        if division.filtering is not None:
            return (
                f"{name}: minimal filtering, 16 products for 2 × 2 outputs in place of 36; weights transformed once a step"
            )
        kernels = division.kernels
    if kernels is None and c.dtype != "float":
        return f"{name}: NumPy, SLOW: oneDNN has no fast kernel for it"
    if kernels is None:
        slow = ", SLOW for its FLOPs: the matrices are narrow" if _is_narrow(c) else ""
        return f"{name}: a matrix product of copied windows, since the library has no fast kernel for this shape{slow}"
    used = kernels.primitive.implementation
    if kernels.layout == "plain":
        return f"{name}: {used}, weights as they lie"
    axes = ("outputs", "inputs") if c.groups == 1 else ("groups", "outputs", "inputs")
    found = [f"{size} {axes[axis]}" for axis, size in kernels.layout.blocks if axis < len(axes)]
    blocks = " × ".join(found) or "another order"
    if kind == "weights":
        return f"{name}: {used}, made in blocks of {blocks}; reordered as the threads' sums are added up"
    return f"{name}: {used}, weights reordered once a step into blocks of {blocks}, multiplied at once"


def _is_narrow(c: Convolution) -> bool:
    """Whether copying windows takes longer than multiplying them."""
    return c.outputs // c.groups < 8
