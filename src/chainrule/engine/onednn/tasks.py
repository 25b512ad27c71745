"""How each op is divided among threads, and which kernel calls do each thread's part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

from ...ops import Node, Value
from ...plan.memory import is_view
from .alignment import align
from .attention import attention
from .calls import (
    Address,
    AnyCall,
    Call,
    Float,
    Memory,
    Part,
    ProductCall,
    Task,
    Within,
    access,
    bounds,
    by_samples,
    clash,
)
from .chain import COMPRESSED, Chain, head_of, home_of
from .compressed import pack, sign_bits, sign_product, signed_product, sparse_product
from .convolution import convolve, weight_gradient
from .images import channel_moments, pad, pool, resample
from .int8 import int8_product, quantize
from .kept import kept_outer, kept_product, put_kept, spread_kept, take_kept
from .primitives import Matrix
from .program import MACHINE_OPS, Unsupported
from .recurrent import SEQUENCE_OPS, count_uses, sequence_task
from .sparse import sparse_matmul, sparse_rows_matmul

#: Fewer elements than this are not worth dividing.
_SMALL = 2048


def _row_cuts(shape: Sequence[int], threads: int) -> list[int] | None:
    """Cuts of axis 0 in elements, or None when one thread should do it all."""
    size = prod(shape)
    if threads == 1 or size < _SMALL or not shape:
        return None
    if len(shape) == 1:
        return bounds(size, threads, 16)
    # A single image is divided by its rows.
    count = shape[1] if shape[0] == 1 and len(shape) > 2 else shape[0]
    if count < threads:
        return None
    width = size // count
    return [c * width for c in bounds(count, threads)]


def _solo(threads: int, part: Part) -> list[Part | None]:
    return [part, *[None] * (threads - 1)]


def _whole(node: Node, calls: Sequence[AnyCall]) -> Part:
    reads = [access(v) for v in node.inputs if v.role not in ("constant", "scalar")]
    return Part(list(calls), reads, [access(v) for v in node.outputs])


# ---------------------------------------------------------------- elementwise


def elementwise(node: Node, threads: int) -> list[Task]:
    """A fused node, with or without a matrix product at its head, or a single elementwise op."""
    members = node.attrs.get("nodes", [node])
    product = head_of(node)
    if product is not None:
        # The product is made in the memory of an output, where the chain then works in place.
        home = home_of(product, members[1:], node.outputs)
        chain = Chain.of(node, members[1:], {id(product.outputs[0]): home})
        cuts = _matmul_cuts(product, threads, only_rows=True)[1]
        used = [c for c in cuts if c[1] > c[0]]
        chain.divide_sums(len(used) if len(used) == 1 else threads)
        parts: list[Part | None] = []
        by_rows = _matmul_parts(product, threads, home, only_rows=True)
        width = chain.shape[1]
        for t, (part, (a, b)) in enumerate(zip(by_rows, cuts, strict=True)):
            if part is None:
                parts.append(None)
                continue
            epilogue = chain.part(t, a * width, b * width, True)
            part.calls += epilogue.calls
            part.reads += epilogue.reads
            part.writes += epilogue.writes
            parts.append(part)
        return chain.tasks(parts)
    chain = Chain.of(node, members, {})
    shape, program = chain.shape, chain.program
    size = prod(shape)
    cuts_of = _row_cuts(shape, threads) if program.rows == 1 or len(shape) > 1 else None
    if threads == 1 and len(shape) > 2:
        cuts_of = [0, size]
    if cuts_of is None or (program.rows > 1 and any(c % program.columns for c in cuts_of)):
        chain.divide_sums(1)
        return chain.tasks(_solo(threads, chain.part(0, 0, size, True)))
    chain.divide_sums(threads)
    if len(shape) > 2 and shape[0] >= threads:
        width = size // shape[0]
        starts = [c // width for c in cuts_of]
        parts = by_samples(starts, lambda t, a, b: chain.part(t, a * width, b * width, a == starts[t]))
        return chain.tasks(parts)
    return chain.tasks([chain.part(t, a, b, True) if b > a else None for t, (a, b) in enumerate(pairwise(cuts_of))])


# ---------------------------------------------------------------- matrix products


def _matmul_cuts(node: Node, threads: int, *, only_rows: bool = False) -> tuple[str, list[tuple[int, int]]]:
    """("rows" or "columns", a range for each thread): the longer side is cut, so that less is packed twice."""
    m, n = node.outputs[0].shape
    k = node.inputs[0].size // m if m else 0
    flops = 2 * m * n * k
    solo = [*[(0, m)], *[(m, m)] * (threads - 1)]
    if threads == 1 or flops < 40_000:
        return "rows", solo
    if not only_rows and n >= 32 * threads and (m < threads or (n >= 4 * m and flops > 8e6) or (m == 1)):
        cuts = bounds(n, threads, 16)
        return "columns", list(pairwise(cuts))
    if m < threads:
        return "rows", solo
    cuts = bounds(m, threads, 8 if m >= 16 * threads else 1)
    return "rows", list(pairwise(cuts))


def _matmul_parts(node: Node, threads: int, home: Value | None = None, *, only_rows: bool = False) -> list[Part | None]:
    a, b = node.inputs
    out = node.outputs[0] if home is None else home
    m, n = node.outputs[0].shape
    ta, tb = node.attrs["transpose_a"], node.attrs["transpose_b"]
    k = a.shape[0] if ta else a.shape[1]
    axis, ranges = _matmul_cuts(node, threads, only_rows=only_rows)
    parts: list[Part | None] = []
    for low, high in ranges:
        if low >= high:
            parts.append(None)
            continue
        r0, r1, c0, c1 = (low, high, 0, n) if axis == "rows" else (0, m, low, high)
        a_at, b_at = (r0 if ta else r0 * k), (c0 * k if tb else c0)
        part = Part()
        part.reads.append(access(a) if ta or axis == "columns" else access(a, r0 * k, r1 * k))
        part.reads.append(access(b))
        part.writes.append(access(out, r0 * n, r1 * n))
        if _is_row_product(node):
            words = [k, c1 - c0, Address(a), Address(b, c0), n, Address(out, c0)]
            part.calls.append(Call("row_product", words))
        else:
            left = Matrix(r1 - r0, k, *((1, m) if ta else (k, 1)), a.dtype)
            right = Matrix(k, c1 - c0, *((1, k) if tb else (n, 1)), b.dtype)
            result = Matrix(r1 - r0, c1 - c0, n, 1)
            spots = (Address(a, a_at), Address(b, b_at), Address(out, r0 * n + c0))
            part.calls.append(ProductCall((left, right, result), spots))
        parts.append(part)
    return parts


def matmul(node: Node, threads: int) -> Task | list[Task]:
    if _is_row_product(node) and threads > 1 and node.inputs[1].size >= _STREAMED:
        return _row_by_stretches(node, threads)
    return Task(node, _matmul_parts(node, threads))


#: Elements of a matrix from which a product of one row is bound by reading the matrix.
_STREAMED = 32768


def _is_row_product(node: Node) -> bool:
    plain = not node.attrs["transpose_b"] and all(v.dtype == "float" for v in node.inputs)
    return node.outputs[0].shape[0] == 1 and plain


def _row_by_stretches(node: Node, threads: int) -> list[Task]:
    """y = x W with W cut into stretches of rows, so that each thread reads one stretch of memory; then the sum of all."""
    (a, b), out = node.inputs, node.outputs[0]
    k, n = b.shape
    partial = Memory(4 * n * threads)
    key = id(partial)
    parts: list[Part | None] = []
    for t, (low, high) in enumerate(pairwise(bounds(k, threads))):
        words = [high - low, n, Address(a, low), Address(b, low * n), n, Within(partial, t * n)]
        reads = [access(a, low, high), access(b, low * n, high * n)]
        parts.append(Part([Call("row_product", words)], reads, [(key, t * n, (t + 1) * n)]))
    total = Call("reduce", [1, threads, n, partial, Address(out), 0, 0, n])
    whole = Part([total], [(key, 0, threads * n)], [access(out)])
    return [Task(node, parts), Task(node, _solo(threads, whole))]


# ---------------------------------------------------------------- rows of the last axis


def _by_rows(node: Node, threads: int, columns: int, call: Callable[[int, int], Call]) -> Task:
    """Divides the rows of the last axis; every input and output has ``columns`` or 1 elements a row."""
    shape = node.inputs[0].shape
    rows = prod(shape) // columns if columns else 0
    cuts = _row_cuts(shape, threads) if len(shape) > 1 else None
    row_cuts = [0, rows] if cuts is None else [c // columns for c in cuts]
    parts: list[Part | None] = []
    for a, b in pairwise(row_cuts):
        part = Part([call(a, b)])
        for values, places in ((node.inputs, part.reads), (node.outputs, part.writes)):
            for v in values:
                width = v.size // rows if rows else 0
                places.append(access(v, a * width, b * width))
        parts.append(part if b > a else None)
    return Task(node, parts + [None] * (threads - len(parts)))


def softmax_cross_entropy(node: Node, threads: int) -> Task:
    z, y = node.inputs
    loss, dz = node.outputs
    k, wide = z.shape[-1], y.dtype == "float"
    smoothing = Float(node.attrs["label_smoothing"])

    def call(a: int, b: int) -> Call:
        at = [
            Address(z, a * k),
            Address(y, a * k if wide else a),
            int(not wide),
            smoothing,
            Address(loss, a),
            Address(dz, a * k),
        ]
        return Call("softmax_cross_entropy", [b - a, k, *at, Memory(4 * (b - a) + 64)])

    return _by_rows(node, threads, k, call)


def softmax(node: Node, threads: int) -> Task:
    x, out = node.inputs[0], node.outputs[0]
    k, mode = x.shape[-1], {"softmax": 0, "log_softmax": 1, "log_sum_exp": 2}[node.op]

    def call(a: int, b: int) -> Call:
        target = Address(out, a if mode == 2 else a * k)
        return Call("softmax", [b - a, k, Address(x, a * k), target, mode, Memory(4 * k + 64)])

    return _by_rows(node, threads, k, call)


def argmax(node: Node, threads: int) -> Task:
    x, out = node.inputs[0], node.outputs[0]
    k = x.shape[-1]
    return _by_rows(node, threads, k, lambda a, b: Call("argmax", [b - a, k, Address(x, a * k), Address(out, a)]))


# ---------------------------------------------------------------- reductions


def reduce(node: Node, threads: int) -> Task:
    x, out, axes = node.inputs[0], node.outputs[0], node.attrs["axis"]
    mode = {"sum": 0, "max": 1}[node.op]
    # Axes of size 1 change nothing, wherever they lie.
    wide = [i for i, n in enumerate(x.shape) if n != 1]
    kept = [i for i in wide if i not in axes]
    over = [i for i in wide if i in axes]
    if x.size == 0 or any(over[0] < i < over[-1] for i in kept if over):
        raise Unsupported
    outer = prod(x.shape[i] for i in kept if over and i < over[0])
    count, inner = prod(x.shape[i] for i in over), prod(x.shape[i] for i in kept if not over or i > over[-1])
    by_first = bool(over) and kept[:1] == [0] and over[0] > 0

    def call(a0: int, a1: int, low: int, high: int) -> Call:
        words = [a1 - a0, count, inner, Address(x, a0 * count * inner), Address(out, a0 * inner), mode, low, high]
        return Call("reduce", words)

    if threads > 1 and outer == 1 and inner >= 32 * threads and x.size >= 8 * _SMALL:
        cuts = bounds(inner, threads, 16)
        parts: list[Part | None] = [
            Part([call(0, 1, a, b)], [access(x)], [access(out, a, b)]) if b > a else None for a, b in pairwise(cuts)
        ]
        return Task(node, parts)
    if threads > 1 and x.shape[0] >= threads and x.size >= _SMALL and by_first:
        lead = bounds(x.shape[0], threads)
        per = outer // x.shape[0]
        parts = []
        for a, b in pairwise(lead):
            a, b = a * per, b * per
            reads, writes = access(x, a * count * inner, b * count * inner), access(out, a * inner, b * inner)
            parts.append(Part([call(a, b, 0, inner)], [reads], [writes]) if b > a else None)
        return Task(node, parts)
    return Task(node, _solo(threads, _whole(node, [call(0, outer, 0, inner)])))


def moments(node: Node, threads: int) -> Task:
    x, out = node.inputs[0], node.outputs[0]
    columns = out.shape[1]
    rows = x.size // columns

    def part(low: int, high: int) -> Part | None:
        if high <= low:
            return None
        call = Call("moments", [rows, columns, Address(x), Address(out), low, high])
        return Part([call], [access(x)], [access(out, r * columns + low, r * columns + high) for r in range(5)])

    if threads > 1 and columns >= 32 * threads and x.size >= 8 * _SMALL:
        return Task(node, [part(a, b) for a, b in pairwise(bounds(columns, threads, 16))])
    return Task(node, _solo(threads, _whole(node, [Call("moments", [rows, columns, Address(x), Address(out), 0, columns])])))


# ---------------------------------------------------------------- moving elements


def concat(node: Node, threads: int) -> Task:
    out, axis = node.outputs[0], node.attrs["axis"]
    outer, tail = prod(out.shape[:axis]), prod(out.shape[axis + 1 :])
    calls, at = [], 0
    for v in node.inputs:
        n = v.shape[axis] * tail
        calls.append(Call("copy_blocks", [outer, n, Address(v), n, Address(out, at), out.shape[axis] * tail]))
        at += n
    return Task(node, _solo(threads, _whole(node, calls)))


def slice_(node: Node, threads: int) -> Task:
    x, out, axis = node.inputs[0], node.outputs[0], node.attrs["axis"]
    outer, tail = prod(out.shape[:axis]), prod(out.shape[axis + 1 :])
    n, stride = out.shape[axis] * tail, x.shape[axis] * tail
    call = Call("copy_blocks", [outer, n, Address(x, node.attrs["start"] * tail), stride, Address(out), n])
    return Task(node, _solo(threads, _whole(node, [call])))


def transpose(node: Node, threads: int) -> Task:
    x, out, axes = node.inputs[0], node.outputs[0], node.attrs["axes"]
    if x.ndim > 6:
        raise Unsupported
    strides = [prod(x.shape[i + 1 :]) for i in range(x.ndim)]
    lead = [1] * (6 - x.ndim)
    words = [Address(x), Address(out), *lead, *out.shape, *[0] * len(lead), *(strides[i] for i in axes)]
    return Task(node, _solo(threads, _whole(node, [Call("permute", words)])))


def cast(node: Node, threads: int) -> Task:
    x, out = node.inputs[0], node.outputs[0]

    def make(t: int, a: int, b: int) -> Part:
        call = Call("to_bfloat16", [b - a, Address(x, a), Address(out, a)])
        return Part([call], [access(x, a, b)], [access(out, a, b)])

    if x.ndim > 2 and x.shape[0] >= threads:
        wide = x.size // x.shape[0]
        return Task(node, by_samples(bounds(x.shape[0], threads), lambda t, a, b: make(t, a * wide, b * wide)))
    cuts = _row_cuts(x.shape, threads) or [0, x.size, *[x.size] * (threads - 1)]
    return Task(node, [make(t, a, b) if b > a else None for t, (a, b) in enumerate(pairwise(cuts))])


def gather(node: Node, threads: int) -> Task:
    table, index = node.inputs
    out, width = node.outputs[0], table.shape[1]

    def part(a: int, b: int) -> Part:
        words = [b - a, width, Address(table), table.shape[0], Address(index, a), Address(out, a * width)]
        reads = [access(table), access(index, a, b)]
        return Part([Call("gather", words)], reads, [access(out, a * width, b * width)])

    return Task(node, _stretches(index, out.size, threads, part))


def take_rows(node: Node, threads: int) -> Task:
    table, rows = node.inputs
    out, width = node.outputs[0], prod(table.shape[1:])

    def part(a: int, b: int) -> Part:
        words = [b - a, width, Address(table), Address(rows, a), Address(out, a * width)]
        return Part([Call("take_rows", words)], [access(table), access(rows, a, b)], [access(out, a * width, b * width)])

    return Task(node, _stretches(rows, out.size, threads, part))


def put_rows(node: Node, threads: int) -> Task:
    """Into the table's own place. No row occurs twice, so threads may put theirs at the same time."""
    table, rows, x = node.inputs
    out, width = node.outputs[0], prod(table.shape[1:])
    if out.base is None or out.base is not table.base or out.offset != table.offset:
        raise Unsupported

    def part(a: int, b: int) -> Part:
        words = [b - a, width, Address(out), Address(rows, a), Address(x, a * width)]
        return Part([Call("put_rows", words)], [access(rows, a, b), access(x, a * width, b * width)], [access(out)])

    return Task(node, _stretches(rows, x.size, threads, part))


def unique_rows(node: Node, threads: int) -> Task:
    index, (found, place) = node.inputs[0], node.outputs
    memory = Memory(4 * node.attrs["rows"] + 64)
    words = [index.size, node.attrs["rows"], Address(index), Address(found), found.size, Address(place), memory]
    return Task(node, _solo(threads, _whole(node, [Call("unique_rows", words)])))


def _stretches(index: Value, size: int, threads: int, part: Callable[[int, int], Part]) -> list[Part | None]:
    """A part for each thread's stretch of the indices, by the first axis as elementwise chains are cut; one where it is
    small."""
    count, first = index.size, index.shape[0] if index.shape else 1
    if threads == 1 or size < _SMALL or first < threads:
        return _solo(threads, part(0, count))
    cuts = [c * (count // first) for c in bounds(first, threads)]
    return [part(a, b) if b > a else None for a, b in pairwise(cuts)]


def scatter_add(node: Node, threads: int) -> Task:
    index, x = node.inputs
    out = node.outputs[0]
    call = Call("scatter_add", [index.size, x.shape[-1], Address(x), Address(index), Address(out), out.shape[0]])
    return Task(node, _solo(threads, _whole(node, [call])))


def one_hot(node: Node, threads: int) -> Task:
    index, out = node.inputs[0], node.outputs[0]
    call = Call("one_hot", [index.size, node.attrs["classes"], Address(index), Address(out)])
    return Task(node, _solo(threads, _whole(node, [call])))


_TASKS: dict[str, Callable[[Node, int], Task | list[Task]]] = {
    "matmul": matmul,
    "sparse_matmul": sparse_matmul,
    "sparse_rows_matmul": sparse_rows_matmul,
    "pack_signs": pack,
    "sign_bits": sign_bits,
    "signed_matmul": signed_product,
    "quantize": quantize,
    "fused": elementwise,
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax": softmax,
    "log_softmax": softmax,
    "log_sum_exp": softmax,
    "argmax": argmax,
    "sum": reduce,
    "max": reduce,
    "moments": moments,
    "cast": cast,
    "concat": concat,
    "slice": slice_,
    "transpose": transpose,
    "gather": gather,
    "scatter_add": scatter_add,
    "unique_rows": unique_rows,
    "take_rows": take_rows,
    "put_rows": put_rows,
    "take_kept": take_kept,
    "put_kept": put_kept,
    "spread_kept": spread_kept,
    "kept_outer": kept_outer,
    "one_hot": one_hot,
    "attention": attention,
    "attention_backward": attention,
    "ctc": align,
    "label_error_rate": align,
    "max_pool": pool,
    "max_pool_backward": pool,
    "average_pool": pool,
    "average_pool_backward": pool,
    "resample": resample,
    "resample_backward": resample,
    "pad": pad,
    "channel_moments": channel_moments,
}


def make_tasks(nodes: Sequence[Node], threads: int, kept: Sequence[Value] = ()) -> list[Task]:
    """A task for every node that computes. What the kernels do not offer becomes a fallback to the reference engine.

    Weights are laid out for convolutions at the start of the step where they do not change before, and the threads' sums of
    weight gradients are added up when something reads them: so all layers wait once for each.

    Parameters  kept : values that the plan gives out
    """
    uses = count_uses(nodes, kept)
    early: list[Task] = []
    tasks: list[Task] = []
    late: list[Task] = []
    written: set[int] = set()

    def flush(node: Node | None) -> None:
        """Adds the delayed sums that a node reads, or all of them."""
        nonlocal late
        spots = [] if node is None else [access(v) for v in (*node.inputs, *node.outputs)]
        now = [t for t in late if node is None or clash(access(t.node.outputs[0]), spots)]
        tasks.extend(now)
        late = [t for t in late if t not in now]

    for node in nodes:
        if is_view(node) or all(v.size == 0 for v in node.outputs):
            continue
        flush(node)
        try:
            if any(v.size == 0 for v in node.inputs):
                raise Unsupported
            head = head_of(node)
            if head is not None and head.op != "matmul":
                made, first = convolve(node, threads)
                (tasks if access(head.inputs[1])[0] in written else early).extend(first)
                tasks += made
            elif node.op == "conv_backward_weights":
                made, after = weight_gradient(node, threads)
                tasks += made
                late += after
            elif node.op in SEQUENCE_OPS:
                tasks.append(sequence_task(node, threads, uses))
            else:
                tasks += _tasks_of(node, threads)
        except Unsupported:
            members = node.attrs.get("nodes", [node])
            for member in members:
                if len(members) > 1:
                    tasks += make_tasks([member], threads)
                else:
                    tasks.append(Task(member, _solo(threads, _whole(member, [])), fallback=True))
        written.update(access(v)[0] for v in node.outputs)
    flush(None)
    return early + tasks


def _tasks_of(node: Node, threads: int) -> list[Task]:
    if node.op == "fused" and node.attrs["nodes"][0].op == "matmul":
        product, *chain = node.attrs["nodes"]
        if _matmul_cuts(product, threads)[0] == "columns":
            # A product cut by columns leaves no thread whole rows, so what follows it comes after a wait.
            made = {id(product.outputs[0]), *(id(m.outputs[0]) for m in chain)}
            outside = [v for m in chain for v in m.inputs if id(v) not in made]
            rest = Node("fused", (product.outputs[0], *outside), node.outputs, {"nodes": chain}, node.where)
            return make_tasks([product, rest], threads)
    if node.attrs.get("nodes", [node])[0].op in COMPRESSED:
        form = node.attrs.get("nodes", [node])[0].op.split("_")[0]
        compressed = {"sparse": sparse_product, "binary": sign_product, "int8": int8_product, "kept": kept_product}[form]
        made_first, rest_of = compressed(node, threads)
        return made_first + (make_tasks(rest_of, threads) if rest_of else [])
    builder: Callable[[Node, int], Task | list[Task]] | None
    builder = elementwise if node.op in MACHINE_OPS else _TASKS.get(node.op)
    if builder is None:
        raise Unsupported
    made_tasks = builder(node, threads)
    return made_tasks if isinstance(made_tasks, list) else [made_tasks]
