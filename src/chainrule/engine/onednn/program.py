"""From a chain of elementwise nodes to a program of the register machine in ``kernels/elementwise.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

from ...ops import Node, Value
from ...ops.value import Shape
from ...registry import identity

# The machine's numbers, repeated here so that running does not import Numba; the tests compare them with the kernels'.
BLOCK = 512
REGISTER, FULL, SCALAR, ROW, COLUMN, CONSTANT, INTEGERS, ACCUMULATOR = range(8)
OPERATIONS = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "greater", "greater_equal", "equal", "where", "copy",
    "negative", "absolute", "sign", "square", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf",
    "erfc", "relu", "random_uniform", "multiply_add", "from_int", "root_quotient", "add_columns",
)  # fmt: skip
CODES = {name: i for i, name in enumerate(OPERATIONS)}
#: The ops of a plan that the machine does; its other operations are made of several ops, or belong to a sum.
MACHINE_OPS = frozenset(OPERATIONS) - {"multiply_add", "from_int", "root_quotient", "add_columns"}


class Unsupported(Exception):
    """The kernels have no such op, or not for these shapes; the engine falls back to the reference kernel."""


@dataclass
class Operand:
    """kind : as above ; value : the array, or None for a register ; number : of a constant"""

    kind: int
    value: Value | None = None
    number: float = 0.0


@dataclass
class Program:
    """A compiled chain.

    Parameters  rows, columns : of the iteration ; operands ; code : (operation, destination, five sources) each
    """

    rows: int
    columns: int
    operands: list[Operand] = field(default_factory=list)
    code: list[tuple[int, ...]] = field(default_factory=list)


def _same_memory(a: Value, b: Value) -> bool:
    return a.base is not None and a.base is b.base and a.offset < b.offset + b.size and b.offset < a.offset + a.size


def _iteration(shape: Shape, inputs: list[Value], columns: int = 0) -> tuple[int, int, dict[int, int]]:
    """Rows and columns that suit every broadcast operand, and the operands' kinds. columns : wanted anyway, 0 for none"""
    size, kinds = prod(shape), {}
    for v in inputs:
        lead = (1,) * (len(shape) - v.ndim) + v.shape
        if v.role == "constant":
            kinds[id(v)] = CONSTANT
        elif lead == shape:
            kinds[id(v)] = FULL
        elif v.size == 1:
            kinds[id(v)] = SCALAR
        else:
            wide = [i for i, (s, t) in enumerate(zip(lead, shape, strict=True)) if t > 1 and s == t]
            narrow = [i for i, (s, t) in enumerate(zip(lead, shape, strict=True)) if t > 1 and s != t]
            if min(wide) > max(narrow):
                kinds[id(v)], c = ROW, v.size
            elif max(wide) < min(narrow):
                kinds[id(v)], c = COLUMN, size // v.size
            else:
                raise Unsupported
            if columns not in (0, c):
                raise Unsupported
            columns = c
    return (size // columns if columns else 1), columns or size, kinds


def _root_quotient(n: Node, alone: Callable[[Value], Node | None]) -> tuple[list[Value], set[int]] | None:
    """a s / (√v r + e), as in Adam: the sources a, s, v, r, e and the nodes it takes in, or None."""
    if n.op != "divide":
        return None
    below = alone(n.inputs[1])
    if below is None or below.op != "add":
        return None
    e = below.inputs[1]
    if e.role != "constant" or e.constant < 1e-30:
        return None
    one = Value((), role="constant", constant=1.0)
    inside, taken, r = alone(below.inputs[0]), {id(below)}, one
    if inside is not None and inside.op == "multiply" and inside.inputs[1].size == 1:
        taken.add(id(inside))
        r, inside = inside.inputs[1], alone(inside.inputs[0])
    if inside is None or inside.op != "sqrt":
        return None
    taken.add(id(inside))
    a, s, above = n.inputs[0], one, alone(n.inputs[0])
    if above is not None and above.op == "multiply":
        (a, s), taken = above.inputs, taken | {id(above)}
    return [a, s, inside.inputs[0], r, e], taken


def chain_shape(nodes: list[Node]) -> Shape:
    """The shape of the elements that a chain works on."""
    return next(n.outputs[0].shape for n in nodes if n.op != "sum")


def compile_program(nodes: list[Node], outputs: tuple[Value, ...], product: Value | None = None) -> Program:
    """The program of a chain of elementwise nodes of one shape, and of sums of them over all axes but the last.

    Parameters  outputs : values that must reach memory ; product : a value made just before by a matmul, read as an input
    Raises      Unsupported when the machine lacks one of the ops, or cannot broadcast one of the operands
    """
    if any(n.op not in MACHINE_OPS and n.op != "sum" for n in nodes):
        raise Unsupported
    made = {id(n.outputs[0]) for n in nodes}
    inputs = list({id(v): v for n in nodes for v in n.inputs if id(v) not in made}.values())
    shape = chain_shape(nodes)
    rows, columns, kinds = _iteration(shape, inputs, shape[-1] if any(n.op == "sum" for n in nodes) else 0)
    program = Program(rows, columns)
    index: dict[object, int] = {}

    def operand(key: object, kind: int, value: Value | None = None, number: float = 0.0) -> int:
        if key not in index:
            index[key] = len(program.operands)
            program.operands.append(Operand(kind, value, number))
        return index[key]

    asked = {id(v) for v in outputs}
    # Assignments come last, so that whatever reads the old value of a parameter or slot has read it.
    assignments = [n for n in nodes if n.op == "copy" and n.outputs[0].base is not None]
    rest = [n for n in nodes if n not in assignments]
    uses: dict[int, list[Node]] = {}
    for n in nodes:
        for v in n.inputs:
            uses.setdefault(id(v), []).append(n)
    direct: dict[int, Value] = {}
    for n in list(assignments):
        origin = n.inputs[0]
        if id(origin) not in made or id(origin) in asked or id(origin) in direct:
            continue
        start = next(i for i, m in enumerate(rest) if m.outputs[0] is origin)
        # The value may be computed straight into its place when nothing later still reads what was there.
        if not any(_same_memory(n.outputs[0], v) for m in rest[start + 1 :] for v in m.inputs) and not any(
            _same_memory(n.outputs[0], v) for m in assignments if m is not n for v in m.inputs
        ):
            direct[id(origin)] = n.outputs[0]
            assignments.remove(n)

    maker = {id(n.outputs[0]): n for n in rest}

    def alone(v: Value) -> Node | None:
        """The node that makes v, when only one node of the chain uses v and nothing else does."""
        p = maker.get(id(v))
        return p if p is not None and len(uses[id(v)]) == 1 and id(v) not in asked and id(v) not in direct else None

    folded: set[int] = set()
    combined: dict[int, tuple[str, list[Value]]] = {}
    for n in rest:
        quotient = _root_quotient(n, alone)
        if quotient is not None:
            combined[id(n)] = ("root_quotient", quotient[0])
            folded |= quotient[1]
    for n in rest:
        # a b + c in one instruction, when nothing else needs a b.
        if n.op == "add" and id(n) not in folded and n.inputs[0] is not n.inputs[1]:
            for v, other in (n.inputs, n.inputs[::-1]):
                p = alone(v)
                if p is not None and p.op == "multiply" and id(p) not in folded:
                    combined[id(n)] = ("multiply_add", [*p.inputs, other])
                    folded.add(id(p))
                    break

    def reads(n: Node) -> list[Value]:
        return combined[id(n)][1] if id(n) in combined else list(n.inputs)

    steps = [n for n in rest if id(n) not in folded] + assignments
    last: dict[int, int] = {}
    for i, n in enumerate(steps):
        for v in reads(n):
            last[id(v)] = i
    free: list[int] = []
    at: dict[int, int] = {}

    def register() -> int:
        return free.pop() if free else operand(object(), REGISTER)

    def source(v: Value, temporary: list[int]) -> int:
        if id(v) in at:
            return at[id(v)]
        kind = CONSTANT if v.role == "constant" else kinds[id(v)]
        if kind == CONSTANT:
            return operand(("constant", identity(v.constant)), CONSTANT, None, v.constant)
        if v.dtype == "int":
            if kind != FULL:
                raise Unsupported
            place, whole = register(), operand(id(v), INTEGERS, v)
            program.code.append((CODES["from_int"], place, *[whole] * 5))
            temporary.append(place)
            return place
        return operand(id(v), kind, v)

    def release(i: int, n: Node, temporary: list[int]) -> None:
        """Gives registers back that nothing after step i reads."""
        free.extend(temporary)
        for v in {id(v): v for v in reads(n)}.values():
            place = at.get(id(v))
            if last[id(v)] == i and place is not None and program.operands[place].kind == REGISTER:
                free.append(place)

    for i, n in enumerate(steps):
        temporary: list[int] = []
        sources = [source(v, temporary) for v in reads(n)]
        result = n.outputs[0]
        if n.op == "sum":
            target = operand(("sum", id(result)), ACCUMULATOR, result)
            program.code.append((CODES["add_columns"], target, *sources * 5))
            release(i, n, temporary)
            continue
        if id(result) in direct:
            target = operand(("out", id(result)), FULL, direct[id(result)])
        elif result.base is not None or id(result) in asked:
            target = operand(("out", id(result)), FULL, result)
        else:
            target = register()
        at[id(result)] = target
        if n.op == "random_uniform":
            program.code.append((CODES[n.op], target, target, target, n.attrs["stream"], target, target))
        else:
            op = combined[id(n)][0] if id(n) in combined else n.op
            program.code.append((CODES[op], target, *sources, *[sources[-1]] * (5 - len(sources))))
        release(i, n, temporary)
        if id(result) not in last and program.operands[target].kind == REGISTER:
            free.append(target)
    return program
