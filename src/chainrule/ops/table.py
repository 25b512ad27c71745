"""The op set. Each op has one entry: its name, its kind, its shape rule, its FLOPs and how it is written.

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
from math import prod
from typing import Any

from ..errors import ShapeError
from . import recurrent, spatial
from .value import Node, Shape, Value

Attrs = dict[str, Any]
Out = tuple[Shape, str]
ShapeRule = Callable[[tuple[Value, ...], Attrs], list[Out]]
Flops = Callable[[Node], int]


@dataclass(frozen=True)
class OpSpec:
    """What chainrule knows of an op.

    Parameters
        name : as in Node.op ; kind : see the module ; rule : the shape rule ; flops : of one node
        text : a format of the inputs' names, {0} first, for equations in plain text; {name} is an attribute
        latex : the same in LaTeX
        precedence : 0 atom or call, 1 product, 2 sum; tells where parentheses go
        more : (text, latex, precedence) of the outputs after the first
        cheap : computing it again takes no longer than reading its result from memory
        takes_epilogue : a product that can take along the elementwise ops that follow it
        joins_chain : a reduction that an elementwise chain can take along when it is over all axes but the last
    """

    name: str
    kind: str
    rule: ShapeRule
    flops: Flops
    text: str
    latex: str
    precedence: int = 0
    more: tuple[tuple[str, str, int], ...] = ()
    cheap: bool = False
    takes_epilogue: bool = False
    joins_chain: bool = False


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


def _elementwise_rule(name: str, arity: int, dtype: str) -> ShapeRule:
    def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
        assert len(inputs) == arity, (name, len(inputs))
        return [(broadcast(name, [v.shape for v in inputs]), dtype)]

    return rule


def _out_size(node: Node) -> int:
    return node.outputs[0].size


def _in_size(node: Node) -> int:
    return node.inputs[0].size


def _zero(node: Node) -> int:
    return 0


def _matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    a, b = (v.shape for v in inputs)
    if len(a) != 2 or len(b) != 2:
        raise ShapeError(f"matmul: expected two matrices, got shapes {a} and {b}.")
    m, ka = a[::-1] if attrs["transpose_a"] else a
    kb, n = b[::-1] if attrs["transpose_b"] else b
    if ka != kb:
        flags = "".join(f", {t}" for t in ("transpose_a", "transpose_b") if attrs[t])
        raise ShapeError(f"matmul: inner sizes {ka} and {kb} differ (shapes {a} and {b}{flags}).")
    return [((m, n), "float")]


def _matmul_flops(node: Node) -> int:
    a = node.inputs[0].shape
    return 2 * node.outputs[0].size * (a[0] if node.attrs["transpose_a"] else a[1])


def _sparse_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    rows, columns = attrs["matrix"].shape[::-1] if attrs["transpose"] else attrs["matrix"].shape
    x = inputs[0]
    if x.ndim != 2 or x.shape[0] != columns:
        raise ShapeError(
            f"sparse_matmul: a sparse {rows}×{columns} matrix needs ({columns}, ...) at its right, got {x.shape}."
        )
    return [((rows, x.shape[1]), "float")]


def _reduce(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    shape, axes = inputs[0].shape, attrs["axis"]
    kept = (1 if i in axes else s for i, s in enumerate(shape))
    return [(tuple(kept) if attrs["keepdims"] else tuple(s for i, s in enumerate(shape) if i not in axes), "float")]


def _moments(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    if not inputs[0].shape or not inputs[0].size:
        raise ShapeError(f"moments: expected an array with a last axis and at least one element, got {inputs[0].shape}.")
    return [((5, inputs[0].shape[-1]), "float")]


def _channel_moments(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    shape = inputs[0].shape
    if len(shape) < 2 or 0 in shape[:-1]:
        raise ShapeError(f"channel_moments: expected (N, ..., C) with at least one element a channel. Got {shape}.")
    return [(shape[-1:], "float"), (shape[-1:], "float")]


def _same(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(inputs[0].shape, "float")]


def _row_scalar(dtype: str) -> ShapeRule:
    def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
        return [(inputs[0].shape[:-1], dtype)]

    return rule


def _cross_entropy(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    z, y = inputs
    wanted = z.shape[:-1] if y.dtype == "int" else z.shape
    if y.shape != wanted:
        raise ShapeError(f"softmax_cross_entropy: logits {z.shape} need targets {wanted}, got {y.shape}.")
    return [(z.shape[:-1], "float"), (z.shape, "float")]


def _reshape(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, shape = inputs[0], tuple(attrs["shape"])
    if prod(shape) != x.size:
        raise ShapeError(f"reshape: {x.shape} has {x.size} elements, {shape} has {prod(shape)}.")
    return [(shape, x.dtype)]


def _transpose(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, order = inputs[0], attrs["axes"]
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(f"transpose: {order} is no order of the {x.ndim} axes of {x.shape}.")
    return [(tuple(x.shape[i] for i in order), x.dtype)]


def _concat(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    axis, first = attrs["axis"], inputs[0].shape
    for v in inputs[1:]:
        if v.ndim != len(first) or any(i != axis and s != t for i, (s, t) in enumerate(zip(first, v.shape, strict=True))):
            raise ShapeError(f"concat: shapes {[v.shape for v in inputs]} differ elsewhere than on axis {axis}.")
    total = sum(v.shape[axis] for v in inputs)
    return [((*first[:axis], total, *first[axis + 1 :]), inputs[0].dtype)]


def _slice(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, axis, start, stop = inputs[0], attrs["axis"], attrs["start"], attrs["stop"]
    if not 0 <= start <= stop <= x.shape[axis]:
        raise ShapeError(f"slice: {start}:{stop} is outside axis {axis} of {x.shape}.")
    return [((*x.shape[:axis], stop - start, *x.shape[axis + 1 :]), x.dtype)]


def _gather(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    table, index = inputs
    if table.ndim != 2 or index.dtype != "int":
        raise ShapeError(f"gather: expected a table (rows, width) and integer indices, got {table.shape}, {index.dtype}.")
    return [((*index.shape, table.shape[1]), "float")]


def _scatter_add(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    index, x = inputs
    if x.shape[:-1] != index.shape:
        raise ShapeError(f"scatter_add: indices {index.shape} do not fit rows {x.shape}.")
    return [((attrs["rows"], x.shape[-1]), "float")]


def _unique_rows(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    index = inputs[0]
    return [((min(index.size, attrs["rows"]),), "int"), (index.shape, "int")]


def _take_rows(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    table, rows = inputs
    return [((*rows.shape, *table.shape[1:]), "float")]


def _put_rows(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    table, rows, x = inputs
    if x.shape != (*rows.shape, *table.shape[1:]):
        raise ShapeError(f"put_rows: {x.shape} does not fit {rows.shape} rows of {table.shape}.")
    return [(table.shape, "float")]


def _one_hot(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [((*inputs[0].shape, attrs["classes"]), "float")]


def _random(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(tuple(attrs["shape"]), "float")]


OPS: dict[str, OpSpec] = {}


def _register(
    name: str,
    kind: str,
    rule: ShapeRule,
    flops: Flops,
    text: str,
    latex: str | None = None,
    precedence: int = 0,
    more: tuple[tuple[str, str, int], ...] = (),
    **traits: bool,
) -> None:
    OPS[name] = OpSpec(name, kind, rule, flops, text, text if latex is None else latex, precedence, more, **traits)


# name: (arity, text, latex, precedence)
_ELEMENTWISE: dict[str, tuple[int, str, str, int]] = {
    "add": (2, "{0} + {1}", "{0} + {1}", 2),
    "subtract": (2, "{0} − {1}", "{0} - {1}", 2),
    "multiply": (2, "{0} ⊙ {1}", r"{0} \odot {1}", 1),
    "divide": (2, "{0} / {1}", r"{0} / {1}", 1),
    "maximum": (2, "max({0}, {1})", r"\max({0}, {1})", 0),
    "minimum": (2, "min({0}, {1})", r"\min({0}, {1})", 0),
    "greater": (2, "[{0} > {1}]", r"[{0} > {1}]", 0),
    "greater_equal": (2, "[{0} ≥ {1}]", r"[{0} \ge {1}]", 0),
    "equal": (2, "[{0} = {1}]", r"[{0} = {1}]", 0),
    "where": (3, "({1} if {0} else {2})", r"({1} \text{{ if }} {0} \text{{ else }} {2})", 0),
    "copy": (1, "{0}", "{0}", 0),
    "negative": (1, "−{0}", "-{0}", 1),
    "absolute": (1, "|{0}|", r"\lvert {0} \rvert", 0),
    "sign": (1, "sign({0})", r"\operatorname{{sign}}({0})", 0),
    "square": (1, "{0}²", "{0}^2", 0),
    "sqrt": (1, "√{0}", r"\sqrt{{{0}}}", 0),
    "exp": (1, "exp({0})", r"\exp({0})", 0),
    "expm1": (1, "exp({0}) − 1", r"e^{{{0}}} - 1", 2),
    "log": (1, "log({0})", r"\log({0})", 0),
    "log1p": (1, "log(1 + {0})", r"\log(1 + {0})", 0),
    "tanh": (1, "tanh({0})", r"\tanh({0})", 0),
    "sigmoid": (1, "σ({0})", r"\sigma({0})", 0),
    "softplus": (1, "log(1 + exp({0}))", r"\log(1 + e^{{{0}}})", 0),
    "erf": (1, "erf({0})", r"\operatorname{{erf}}({0})", 0),
    "relu": (1, "max(0, {0})", r"\max(0, {0})", 0),
}
_CHEAP = {
    "add", "subtract", "multiply", "maximum", "minimum", "greater", "greater_equal", "equal", "negative", "absolute",
    "sign", "square", "relu",
}  # fmt: skip
for _name, (_arity, _text, _latex, _prec) in _ELEMENTWISE.items():
    _register(
        _name,
        "elementwise",
        _elementwise_rule(_name, _arity, "float"),
        _out_size,
        _text,
        _latex,
        _prec,
        cheap=_name in _CHEAP,
    )

_register("matmul", "product", _matmul, _matmul_flops, "{0} {1}", precedence=1, takes_epilogue=True)
_register(
    "sparse_matmul",
    "product",
    _sparse_matmul,
    lambda n: 2 * n.attrs["matrix"].entries * n.inputs[0].shape[1],
    "A {0}",
    r"A \, {0}",
    1,
)
_register("sum", "reduce", _reduce, _in_size, "Σ {0}", r"\sum {0}", joins_chain=True)
_register(
    "channel_moments",
    "reduce",
    _channel_moments,
    lambda n: 4 * _in_size(n),
    "mean({0})",
    r"\operatorname{{mean}}({0})",
    more=(("Σ ({0} − mean({0}))²", r"\sum ({0} - \operatorname{{mean}}({0}))^2", 2),),
)
_register("max", "reduce", _reduce, _in_size, "max {0}", r"\max {0}")
_register("moments", "reduce", _moments, lambda n: 6 * _in_size(n), "moments({0})", r"\operatorname{{moments}}({0})")
_register("softmax", "row", _same, lambda n: 5 * _in_size(n), "softmax({0})", r"\operatorname{{softmax}}({0})")
_register("log_softmax", "row", _same, lambda n: 5 * _in_size(n), "{0} − log Σₖ exp({0})", r"{0} - \log\sum_k e^{{{0}}}", 2)
_register(
    "log_sum_exp", "row", _row_scalar("float"), lambda n: 4 * _in_size(n), "log Σₖ exp({0})", r"\log\sum_k e^{{{0}}}", 1
)
_register("argmax", "row", _row_scalar("int"), _in_size, "argmax({0})", r"\operatorname{{argmax}}({0})")
_register(
    "softmax_cross_entropy",
    "row",
    _cross_entropy,
    lambda n: 8 * _in_size(n),
    "log Σₖ exp({0}) − Σₖ {1} ⊙ {0}",
    r"\log\sum_k e^{{{0}}} - \sum_k {1} \odot {0}",
    2,
    (("softmax({0}) − {1}", r"\operatorname{{softmax}}({0}) - {1}", 2),),
)
_register("reshape", "view", _reshape, _zero, "{0}")
_register("transpose", "move", _transpose, _zero, "{0}ᵀ", "{0}^T")
_register("concat", "move", _concat, _zero, "concat")
_register("slice", "move", _slice, _zero, "{0}[…]", r"{0}[\dots]")
_register("gather", "move", _gather, _zero, "{0}[{1}]", "{0}[{1}]")
_register(
    "scatter_add",
    "move",
    _scatter_add,
    lambda n: n.inputs[1].size,
    "scatter({1} at {0})",
    r"\operatorname{{scatter}}({1} \text{{ at }} {0})",
)
_register(
    "unique_rows",
    "move",
    _unique_rows,
    _in_size,
    "rows({0})",
    r"\operatorname{{rows}}({0})",
    more=(("place({0})", r"\operatorname{{place}}({0})", 0),),
)
_register("take_rows", "move", _take_rows, _zero, "{0}[{1}]", "{0}[{1}]")
_register("put_rows", "move", _put_rows, _zero, "{0}[{1}] = {2}", "{0}[{1}] = {2}")
_register("one_hot", "move", _one_hot, _zero, "onehot({0})", r"\operatorname{{onehot}}({0})")
_register("random_uniform", "elementwise", _random, lambda n: 10 * _out_size(n), "U(0, 1)", r"U(0, 1)")

_register("conv", "product", spatial.conv, spatial.conv_flops, "{0} ∗ {1}", r"{0} \ast {1}", 1, takes_epilogue=True)
_register(
    "conv_backward_data",
    "product",
    spatial.conv_backward_data,
    spatial.conv_flops,
    "{0} ∗ᵀ {1}",
    r"{0} \ast^{{\top}} {1}",
    1,
    takes_epilogue=True,
)
_register(
    "conv_backward_weights", "product", spatial.conv_backward_weights, spatial.conv_flops, "{0} ⋆ {1}", r"{0} \star {1}", 1
)
_register(
    "max_pool",
    "window",
    spatial.max_pool,
    spatial.pool_flops,
    "maxpool({0})",
    r"\operatorname{{maxpool}}({0})",
    more=(("argmaxpool({0})", r"\operatorname{{argmaxpool}}({0})", 0),),
)
_register(
    "max_pool_backward",
    "window",
    spatial.max_pool_backward,
    spatial.pool_flops,
    "scatter({0} at {1})",
    r"\operatorname{{scatter}}({0} \text{{ at }} {1})",
)
_register(
    "average_pool", "window", spatial.average_pool, spatial.pool_flops, "avgpool({0})", r"\operatorname{{avgpool}}({0})"
)
_register(
    "average_pool_backward",
    "window",
    spatial.average_pool_backward,
    spatial.pool_flops,
    "avgpoolᵀ({0})",
    r"\operatorname{{avgpool}}^{{\top}}({0})",
)
_register("resample", "window", spatial.resample, spatial.resample_flops, "resample({0})", r"\operatorname{{resample}}({0})")
_register(
    "resample_backward",
    "window",
    spatial.resample_backward,
    spatial.resample_flops,
    "resampleᵀ({0})",
    r"\operatorname{{resample}}^{{\top}}({0})",
)
_register("pad", "move", spatial.pad, _zero, "pad({0})", r"\operatorname{{pad}}({0})")


# Their equations step by step are in plan/equations/steps.py; here is what their outputs are called.
_HS, _IFGO, _RZNQ = ("[h₁ … h_T]", r"[h_1 \dots h_T]"), ("[i f g o]", "[i f g o]", 0), ("[r z n q]", "[r z n q]", 0)
_DH0, _DC0, _DH = (("dh₀", r"\mathrm{{d}}h_0", 0), ("dc₀", r"\mathrm{{d}}c_0", 0), ("dh", r"\mathrm{{d}}h", 0))
_DA_LSTM = ("[daⁱ daᶠ daᵍ daᵒ]", r"[\mathrm{{d}}a^i \; \mathrm{{d}}a^f \; \mathrm{{d}}a^g \; \mathrm{{d}}a^o]")
_DA_GRU = ("[daʳ daᶻ daⁿ]", r"[\mathrm{{d}}a^r \; \mathrm{{d}}a^z \; \mathrm{{d}}a^n]")
_DU_GRU = ("[daʳ daᶻ r ⊙ daⁿ]", r"[\mathrm{{d}}a^r \; \mathrm{{d}}a^z \; r \odot \mathrm{{d}}a^n]", 0)
# name: what the outputs are called, the first without its precedence
_CELLS: dict[str, tuple[tuple[str, str], tuple[tuple[str, str, int], ...]]] = {
    "simple_rnn": (_HS, ()),
    "lstm": (_HS, (("[c₁ … c_T]", r"[c_1 \dots c_T]", 0), _IFGO)),
    "gru": (_HS, (_RZNQ,)),
    "simple_rnn_backward": (("[da₁ … da_T]", r"[\mathrm{{d}}a_1 \dots \mathrm{{d}}a_T]"), (_DH0, _DH)),
    "lstm_backward": (_DA_LSTM, (_DH0, _DC0, _DH)),
    "gru_backward": (_DA_GRU, (_DU_GRU, _DH0, _DH)),
}
for _name, (_first, _more) in _CELLS.items():
    _cell_rule = (recurrent.backward if _name.endswith("_backward") else recurrent.forward)(_name)
    _register(_name, "sequence", _cell_rule, recurrent.flops, *_first, more=_more)
_register("previous", "move", recurrent.previous, _zero, "prev({0})", r"\operatorname{{prev}}({0})")
_register(
    "sequence_mask",
    "move",
    recurrent.sequence_mask,
    _zero,
    "[t < {0}]",
    r"[t < {0}]",
)
_register("attention", "sequence", recurrent.attention, recurrent.attention_flops, "P {2}", r"P \, {2}", 1, (("P", "P", 0),))
_register(
    "attention_backward",
    "sequence",
    recurrent.attention_backward,
    recurrent.attention_flops,
    "dQ",
    r"\mathrm{{d}}Q",
    more=(("dK", r"\mathrm{{d}}K", 0), ("Pᵀ {0}", r"P^{{\top}} {0}", 1)),
)

_register("cast", "move", lambda inputs, attrs: [(inputs[0].shape, attrs["to"])], _zero, "{0}")


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
