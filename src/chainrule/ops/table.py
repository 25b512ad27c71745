"""The op set: what chainrule knows of an op, and the table of all ops.

Each family of ops is a file of this folder. There an op has one entry: a method of the Builder that emits it, marked with
``op`` and with all that plans, engines and equations want to know of it:

    @op("elementwise", "sin({0})", r"\\sin({0})", rule=..., flops=out_size)
    def sin(self, x: Value) -> Value:
        \"\"\"The sine\"\"\"
        return self.emit("sin", x)[0]

Kinds
    elementwise  output element i depends on element i of each input (after NumPy broadcasting)
    view         the same elements under another shape; costs nothing
    row          works on the last axis, row by row
    reduce       sums or maxima over axes
    product      matrix products and convolutions
    window       works on windows of the spatial axes of images (see ``spatial``)
    sequence     works through time, or between the steps of sequences (see ``recurrent``)
    move         copies elements to other places

A shape rule takes the inputs' values and the attributes and returns the outputs as (shape, dtype) pairs; it raises
ShapeError with both shapes when they do not fit. FLOPs count a multiply-add as 2 and a transcendental as 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import ShapeError
from .value import Node, Shape, Value

Attrs = dict[str, Any]
Out = tuple[Shape, str]
ShapeRule = Callable[[tuple[Value, ...], Attrs], list[Out]]
Flops = Callable[[Node], int]
#: One of the equations of an op that takes several lines: left side and right side as text, and the same in LaTeX.
Step = tuple[str, str, str, str]
Method = TypeVar("Method", bound=Callable[..., Any])

KINDS = ("elementwise", "view", "row", "reduce", "product", "window", "sequence", "move")


@dataclass(frozen=True)
class OpSpec:
    """What chainrule knows of an op.

    Parameters
        name : as in Node.op ; kind : see the module ; rule : the shape rule ; flops : of one node
        text : a format of the inputs' names, {0} first, for equations in plain text; {name} is an attribute
        latex : the same in LaTeX
        precedence : 0 atom or call, 1 product, 2 sum; tells where parentheses go
        more : (text, latex, precedence) of the outputs after the first
        steps : of an op that takes several lines, these lines from its attributes; @0, @1, ... stand for the inputs
        states : letters of the outputs that hold a state for every step of a sequence, of the first outputs
        cheap : computing it again takes no longer than reading its result from memory
        takes_epilogue : a product that can take along the elementwise ops that follow it
        joins_chain : a reduction that an elementwise chain can take along when it is over all axes but the last
        takes_sparse : whether its first input may be sparse rows
        random : its result is drawn anew at every step, from the attribute ``stream``
    """

    name: str
    kind: str
    rule: ShapeRule
    flops: Flops
    text: str
    latex: str
    precedence: int = 0
    more: tuple[tuple[str, str, int], ...] = ()
    steps: Callable[[Attrs], list[Step]] | None = None
    states: str = ""
    cheap: bool = False
    takes_epilogue: bool = False
    joins_chain: bool = False
    takes_sparse: bool = False
    random: bool = False

    @property
    def transparent(self) -> bool:
        """Whether equations write its input in its place, as they do for a copy and another shape."""
        return self.text == "{0}"


#: Every op by its name. The families fill it as they are imported.
OPS: dict[str, OpSpec] = {}


def register(spec: OpSpec) -> None:
    """Adds an op to the table; ValueError when its kind is unknown or another op has its name."""
    if spec.kind not in KINDS:
        raise ValueError(f"the op {spec.name!r} has the kind {spec.kind!r}; kinds are {', '.join(KINDS)}.")
    if spec.name in OPS:
        raise ValueError(f"there is an op {spec.name!r} already; give the new one another name.")
    OPS[spec.name] = spec


def op(kind: str, text: str, latex: str | None = None, precedence: int = 0, **spec: Any) -> Callable[[Method], Method]:
    """Marks the Builder's method that emits an op, and adds the op to the table under the method's name.

    Parameters  as in OpSpec ; latex : the text by default ; a method may end in "_" where its name is a word of Python
    """

    def marked(method: Method) -> Method:
        name = method.__name__.removesuffix("_")
        register(OpSpec(name, kind, text=text, latex=text if latex is None else latex, precedence=precedence, **spec))
        return method

    return marked


# ------------------------------------------------------------ for shape rules and FLOPs


def broadcast(op: str, shapes: list[Shape]) -> Shape:
    """NumPy's broadcasting rule; ShapeError names the op and every shape."""
    ndim = max(len(s) for s in shapes)
    out = []
    for axis in range(-ndim, 0):
        sizes = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        if len(sizes) > 1:
            raise ShapeError(f"{op}: the shapes {' and '.join(map(str, shapes))} do not broadcast (axis {axis} differs).")
        out.append(sizes.pop() if sizes else 1)
    return tuple(out)


def normalise_axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """The axes as sorted non-negative numbers; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if any(not -ndim <= a < ndim for a in axes):
        raise ShapeError(f"axis {axis} is out of range for an array of {ndim} dimensions.")
    return tuple(sorted({a % ndim for a in axes}))


def same_shape(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    """The shape rule of an op whose result has the shape of its first input."""
    return [(inputs[0].shape, "float")]


def out_size(node: Node) -> int:
    """One operation for each element of the first output."""
    return node.outputs[0].size


def in_size(node: Node) -> int:
    """One operation for each element of the first input."""
    return node.inputs[0].size


def per_input(count: int) -> Flops:
    """That many operations for each element of the first input."""
    return lambda node: count * node.inputs[0].size


def no_flops(node: Node) -> int:
    """Nothing is computed."""
    return 0


def node_flops(node: Node) -> int:
    """Floating-point operations of one node; a fused node is the sum of its parts."""
    if "nodes" in node.attrs:
        return sum(node_flops(n) for n in node.attrs["nodes"])
    return OPS[node.op].flops(node)


def node_bytes(node: Node, itemsize: int = 4) -> int:
    """Bytes read and written by one node when nothing is cached."""
    if node.op in OPS and OPS[node.op].kind == "view":
        return 0
    return sum(v.bytes(itemsize) for v in (*node.inputs, *node.outputs) if v.role != "constant")
