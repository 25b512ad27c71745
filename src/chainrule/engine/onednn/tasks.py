"""How each op is divided among threads, and which kernel calls do each thread's part.

A task is one node of the plan. Its parts are what each thread does; what a part reads and writes are ranges of elements,
from which ``schedule.py`` finds where threads must wait for each other. Calls are made later, when every value has an
address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

from numpy.typing import NDArray

from ...ops import Node, Value
from ...plan.memory import is_view, root
from .primitives import Matrix
from .program import BLOCK, COLUMN, CONSTANT, FULL, INTEGERS, Program, Unsupported, compile_program

#: A range of elements of a root value or arena: (key, first, end).
Access = tuple[int, int, int]


@dataclass
class Address:
    """An address in a block of arguments that is known when memory is planned: a value's, plus elements."""

    value: Value
    elements: int = 0

    @property
    def bytes(self) -> int:
        """From the start of the value."""
        return self.elements * (2 if self.value.dtype == "bfloat16" else 4)


@dataclass(eq=False)
class Memory:
    """Working memory, in bytes: the same object is the same memory."""

    bytes: int


@dataclass
class Within:
    """An address in working memory, some elements (of 4 bytes) from its start."""

    memory: Memory
    elements: int


@dataclass
class Block:
    """An array of words of its own, given by its address (operands of a program)."""

    words: list[Any]


@dataclass
class Code:
    """An int32 array given by its address (the code of a program)."""

    words: list[int]


@dataclass
class Data:
    """A constant array given by its address."""

    array: NDArray[Any]


@dataclass
class Float:
    """A float32 in the low half of a word."""

    value: float


@dataclass
class Function:
    """The address of a function of oneDNN."""

    name: str


@dataclass
class Cell:
    """The address of a run-time cell: "seed", or "step" of the thread."""

    name: str


@dataclass
class Call:
    """A kernel and its block of arguments: ints, or the things above."""

    kernel: str
    words: list[Any]


@dataclass
class ProductCall:
    """A matrix product C = A B as a primitive of oneDNN: matrices, and where they start."""

    matrices: tuple[Matrix, Matrix, Matrix]
    addresses: tuple[Address, Address, Address]


@dataclass
class Part:
    """What one thread does of a task."""

    calls: list[Call | ProductCall] = field(default_factory=list)
    reads: list[Access] = field(default_factory=list)
    writes: list[Access] = field(default_factory=list)


@dataclass
class Task:
    """One node, divided. parts[t] is None for a thread that has nothing to do. fallback: run by the reference kernel."""

    node: Node
    parts: list[Part | None]
    fallback: bool = False
    #: Values of a fused node that share memory: {id(value): the value whose memory it uses}.
    aliases: dict[int, Value] = field(default_factory=dict)


def access(value: Value, first: int = 0, end: int | None = None) -> Access:
    """The elements first..end of a value, as a range of the memory it lies in."""
    r = root(value)
    end = value.size if end is None else end
    if r.base is not None:
        return id(r.base), r.offset + first, r.offset + end
    return id(r), first, end


def bounds(count: int, threads: int, multiple: int = 1) -> list[int]:
    """threads + 1 cuts of 0..count into near-equal parts at multiples."""
    units = -(-count // multiple)
    return [min(count, units * t // threads * multiple) for t in range(threads)] + [count]


#: Fewer elements than this are not worth dividing.
_SMALL = 2048


def _row_cuts(shape: Sequence[int], threads: int) -> list[int] | None:
    """Cuts of axis 0 in elements, or None when one thread should do it all."""
    size = prod(shape)
    if threads == 1 or size < _SMALL or not shape:
        return None
    if len(shape) == 1:
        return bounds(size, threads, 16)
    if shape[0] < threads:
        return None
    width = size // shape[0]
    return [c * width for c in bounds(shape[0], threads)]


def _solo(threads: int, part: Part) -> list[Part | None]:
    return [part, *[None] * (threads - 1)]


def _whole(node: Node, calls: Sequence[Call | ProductCall]) -> Part:
    reads = [access(v) for v in node.inputs if v.role not in ("constant", "scalar")]
    return Part(list(calls), reads, [access(v) for v in node.outputs])


# ---------------------------------------------------------------- elementwise


def _program_call(program: Program, first: int, end: int, aliases: dict[int, Value]) -> Call:
    """The elements first..end of the iteration; both lie on row boundaries when something is broadcast."""
    if program.rows == 1:
        rows, columns = 1, end - first
    else:
        rows, columns = (end - first) // program.columns, program.columns
    row = first // program.columns if program.rows > 1 else 0
    operands: list[Any] = []
    for o in program.operands:
        value = aliases.get(id(o.value), o.value) if o.value is not None else None
        if o.kind == CONSTANT:
            operands += [o.kind, Float(o.number), 0]
        elif value is None:
            operands += [o.kind, 0, 0]
        else:
            shift = {FULL: first, INTEGERS: first, COLUMN: row}.get(o.kind, 0)
            operands += [o.kind, Address(value, shift), 0]
    code = [word for line in program.code for word in line]
    memory = Memory(len(program.operands) * (4 * BLOCK + 8) + 64)
    words = [rows, columns, len(program.operands), len(program.code), Block(operands), Code(code), memory]
    return Call("elementwise", [*words, Cell("seed"), Cell("step"), first])


def _elementwise_part(program: Program, node: Node, first: int, end: int, aliases: dict[int, Value]) -> Part:
    part = Part([_program_call(program, first, end, aliases)])
    for o in program.operands:
        if o.value is None or id(o.value) in aliases:
            continue
        if o.kind in (FULL, INTEGERS):
            spot = access(o.value, first, end)
        elif o.kind == COLUMN:
            spot = access(o.value, first // program.columns, -(-end // program.columns))
        else:
            spot = access(o.value)
        is_output = any(o.value is v for v in node.outputs) or (o.value.base is not None and o.value.producer is not None)
        (part.writes if is_output else part.reads).append(spot)
    return part


def elementwise(node: Node, threads: int) -> Task:
    """A fused node, with or without a matrix product at its head, or a single elementwise op."""
    members = node.attrs.get("nodes", [node])
    product = members[0] if members[0].op == "matmul" else None
    chain = members[1:] if product is not None else members
    shape = chain[-1].outputs[0].shape
    program = compile_program(chain, node.outputs)
    size = prod(shape)
    if product is None:
        cuts = _row_cuts(shape, threads) if program.rows == 1 or len(shape) > 1 else None
        if cuts is None:
            return Task(node, _solo(threads, _elementwise_part(program, node, 0, size, {})))
        return Task(node, [_elementwise_part(program, node, a, b, {}) if b > a else None for a, b in pairwise(cuts)])
    # The product is made in the memory of the last output, where the chain then works in place.
    home = chain[-1].outputs[0]
    aliases = {id(product.outputs[0]): home}
    parts: list[Part | None] = []
    by_rows = _matmul_parts(product, threads, home, only_rows=True)
    width = shape[1]
    for part, (a, b) in zip(by_rows, _matmul_cuts(product, threads, only_rows=True)[1], strict=True):
        if part is None:
            parts.append(None)
            continue
        epilogue = _elementwise_part(program, node, a * width, b * width, aliases)
        part.calls += epilogue.calls
        part.reads += epilogue.reads
        part.writes += epilogue.writes
        parts.append(part)
    return Task(node, parts, aliases=aliases)


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
_STREAMED = 65536


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
    cuts = _row_cuts(x.shape, threads) or [0, x.size, *[x.size] * (threads - 1)]
    parts: list[Part | None] = []
    for a, b in pairwise(cuts):
        call = Call("to_bfloat16", [b - a, Address(x, a), Address(out, a)])
        parts.append(Part([call], [access(x, a, b)], [access(out, a, b)]) if b > a else None)
    return Task(node, parts)


def gather(node: Node, threads: int) -> Task:
    table, index = node.inputs
    out = node.outputs[0]
    call = Call("gather", [index.size, table.shape[1], Address(table), table.shape[0], Address(index), Address(out)])
    return Task(node, _solo(threads, _whole(node, [call])))


def scatter_add(node: Node, threads: int) -> Task:
    index, x = node.inputs
    out = node.outputs[0]
    call = Call("scatter_add", [index.size, x.shape[-1], Address(x), Address(index), Address(out), out.shape[0]])
    return Task(node, _solo(threads, _whole(node, [call])))


def one_hot(node: Node, threads: int) -> Task:
    index, out = node.inputs[0], node.outputs[0]
    call = Call("one_hot", [index.size, node.attrs["classes"], Address(index), Address(out)])
    return Task(node, _solo(threads, _whole(node, [call])))


def sparse_matmul(node: Node, threads: int) -> Task:
    from .sparse import sparse_matmul  # it needs what is defined here

    return sparse_matmul(node, threads)


_TASKS: dict[str, Callable[[Node, int], Task | list[Task]]] = {
    "matmul": matmul,
    "sparse_matmul": sparse_matmul,
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
    "one_hot": one_hot,
}


def make_tasks(nodes: Sequence[Node], threads: int, elementwise_ops: set[str]) -> list[Task]:
    """A task for every node that computes. What the kernels do not offer becomes a fallback to the reference engine."""
    tasks: list[Task] = []
    for node in nodes:
        if is_view(node):
            continue
        if all(v.size == 0 for v in node.outputs):
            continue
        if node.op == "fused" and node.attrs["nodes"][0].op == "matmul":
            product, *chain = node.attrs["nodes"]
            if _matmul_cuts(product, threads)[0] == "columns":
                # A product cut by columns leaves no thread whole rows, so what follows it comes after a wait.
                made = {id(product.outputs[0]), *(id(m.outputs[0]) for m in chain)}
                outside = [v for m in chain for v in m.inputs if id(v) not in made]
                rest = Node("fused", (product.outputs[0], *outside), node.outputs, {"nodes": chain}, node.where)
                tasks += make_tasks([product, rest], threads, elementwise_ops)
                continue
        builder: Callable[[Node, int], Task | list[Task]] | None
        builder = elementwise if node.op in elementwise_ops else _TASKS.get(node.op)
        try:
            if builder is None or any(v.size == 0 for v in node.inputs):
                raise Unsupported
            made_tasks = builder(node, threads)
            tasks += made_tasks if isinstance(made_tasks, list) else [made_tasks]
        except Unsupported:
            members = node.attrs.get("nodes", [node])
            for member in members:
                if len(members) > 1:
                    tasks += make_tasks([member], threads, elementwise_ops)
                else:
                    tasks.append(Task(member, _solo(threads, _whole(member, [])), fallback=True))
    return tasks
