"""Goes through a recorded plan in order and writes its equations.

A value that is asked for (a layer's output, a gradient) is a line of its own. Others are written into the lines that use
them, unless the layer named them, they are random, long and used twice, or very long: these get a letter and a line too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...network.parameters import block_of, kind_of
from ...ops import OPS, Node, Value
from ...ops.value import Shape
from .record import Record, Target, arena_symbol
from .symbols import LETTERS, Symbol, word
from .terms import (
    ATOM,
    BATCH,
    PRODUCT,
    Term,
    addends_of,
    bracket,
    call,
    dimension,
    factors_of,
    fill,
    function,
    number_term,
    product,
    symbol_term,
    total,
)

#: Characters above which an expression that is used more than once, or any expression, gets a letter of its own.
LONG, TOO_LONG = 24, 64
_SUB = {"n": "ₙ", "i": "ᵢ", "j": "ⱼ", "k": "ₖ", "l": "ₗ", "m": "ₘ"}


@dataclass
class Line:
    """One equation: ``left relation right``, with the shape of the left side, for all or only some parameters."""

    section: int
    left: Term
    relation: str
    right: Term
    shape: Shape
    runs: frozenset[int] = frozenset()


class Writer:
    """Writes the equations of a record into ``lines``."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.lines: list[Line] = []
        self.terms: dict[int, Term] = {}
        self.runs: dict[int, frozenset[int]] = {}
        self.assigned: set[tuple[str, int]] = set()
        self.uses = self._count_uses()
        for node in record.nodes:
            self._node(node)

    # ------------------------------------------------------------ which values get a line

    def _count_uses(self) -> dict[int, int]:
        """How often each value is written when nothing but the targets has a line; views count as what they show."""
        uses: dict[int, int] = {}
        for node in reversed(self.record.nodes):
            for v in node.inputs[:1] if _inverts_a_root(node) else node.inputs:
                if OPS[node.op].transparent:
                    uses[id(v)] = uses.get(id(v), 0) + max(1, uses.get(id(node.outputs[0]), 0))
                else:
                    uses[id(v)] = uses.get(id(v), 0) + 1
        return uses

    def _node(self, node: Node) -> None:
        at = self.record.section_of[id(node)]
        alias = self.record.sections[at].alias
        inputs = [symbol_term(alias[id(v)]) if id(v) in alias else self._read(v) for v in node.inputs]
        self._steps(at, node, inputs)
        for number, value in enumerate(node.outputs):
            # A number for all parameters, such as a norm, does not make an array one of all parameters.
            sources = [v for v in node.inputs if v.shape != () or value.shape == ()]
            self.runs[id(value)] = frozenset[int]().union(*(self.runs.get(id(v), frozenset()) for v in sources))
            term = self._express(node, inputs, number)
            targets = self.record.targets.get(id(value), [])
            chained = self.record.gradient_chain.get(id(value))
            if targets:
                self._define(value, term, targets, view=OPS[node.op].kind == "view")
            elif chained is not None:
                self._line(at, chained, "←", term, value)
            elif not OPS[node.op].transparent and self._wants_letter(node, value, term):
                letter = word("u" if OPS[node.op].random else "c" if value.shape == () else "t")
                if value.name:
                    letter = LETTERS.get(value.name) or word(value.name)
                level = self.record.layer_level.get(node.where.layer)
                symbol = self.record.names.new(letter, layer=level)
                self._line(at, symbol, "∼" if OPS[node.op].random else "=", term, value)
            else:
                self.terms[id(value)] = term
        if node.op == "copy" and node.outputs[0].base is not None and id(node.inputs[0]) not in self.terms:
            # A leaf is stored as it is: what _assignments asked for was not met by any node.
            for target in self.record.targets.get(id(node.inputs[0]), []):
                if target.section == at:
                    self._line(at, target.symbol, "←", inputs[0], node.inputs[0])

    def _steps(self, at: int, node: Node, inputs: list[Term]) -> None:
        """The lines of an op that takes several, such as one that runs through time."""
        steps = OPS[node.op].steps
        for left, right, tex_left, tex_right in () if steps is None else steps(node.attrs):
            for number, term in enumerate(inputs):
                right, tex_right = right.replace(f"@{number}", term.text), tex_right.replace(f"@{number}", term.latex)
            self.lines.append(Line(at, Term(left, tex_left), "=", Term(right, tex_right), ()))

    def _wants_letter(self, node: Node, value: Value, term: Term) -> bool:
        named = value.name and value.base is None and node.where.phase in ("forward", "backward")
        if OPS[node.op].random or named:
            return True
        length, uses = len(term.text), self.uses.get(id(value), 0)
        if node.where.phase == "update" and value.shape == () and length > LONG:
            return True
        return (length > TOO_LONG and node.where.phase != "loss") or (uses > 1 and length > LONG)

    def _define(self, value: Value, term: Term, targets: list[Target], *, view: bool) -> None:
        """The line of a target, and one for each further letter of the same value."""
        first, *others = targets
        if first.increment is not None:
            term = self._read(first.increment)
        elif view and term.symbol is not None:
            term = function("reshape", [term])
        self._line(first.section, first.symbol, first.relation, term, value)
        for other in others:
            if other.symbol != first.symbol:
                self._line(other.section, other.symbol, other.relation, self.terms[id(value)], value, rename=False)

    def _line(self, at: int, symbol: Symbol, relation: str, term: Term, value: Value, *, rename: bool = True) -> None:
        left = symbol_term(symbol)
        runs = self.runs.get(id(value), frozenset())
        self.lines.append(Line(at, left, relation, term, value.shape, runs))
        if rename:
            self.terms[id(value)] = left
        if relation == "←":
            self.assigned.update((str(symbol), run) for run in runs or {-1})

    # ------------------------------------------------------------ expressions

    def _read(self, value: Value) -> Term:
        """How a value is written where it is used."""
        if id(value) in self.terms:
            return self.terms[id(value)]
        if value.role == "constant":
            return number_term(value.constant)
        if value.role == "scalar":
            return symbol_term(Symbol("η", r"\eta") if value.name == "lr" else Symbol(*word(value.name)))
        if id(value) in self.record.symbols:
            symbol, run = self.record.symbols[id(value)], -1
        else:
            base = value.base if value.base is not None else value
            symbol = arena_symbol(kind_of(base.name))
            block, runs = block_of(base.name), self.record.runs
            run = next((i for i, r in enumerate(runs) if r.block == block and r.start <= value.offset < r.stop), -1)
            self.runs[id(value)] = frozenset({run})
        if (str(symbol), run) in self.assigned:
            # It was given a new value before, and what is meant here is the one it had.
            return Term(f"{symbol}_old", symbol.as_latex(r"\text{old}"))
        return symbol_term(symbol)

    def _express(self, node: Node, inputs: list[Term], output: int) -> Term:
        if OPS[node.op].steps is not None:
            return steps_output(node, inputs, output)
        if OPS[node.op].transparent:
            return inputs[0]
        if OPS[node.op].kind == "reduce" and "axis" in node.attrs:
            return self._reduce(node, inputs[0])
        special: Callable[[Node, list[Term], int], Term] = getattr(self, f"_op_{node.op}", call)
        return special(node, inputs, output)

    def _op_add(self, node: Node, inputs: list[Term], output: int) -> Term:
        return self._sum(node, inputs, 1)

    def _op_subtract(self, node: Node, inputs: list[Term], output: int) -> Term:
        return self._sum(node, inputs, -1)

    def _sum(self, node: Node, inputs: list[Term], sign: int) -> Term:
        flat = [self._of_all(v) for v in node.inputs]
        return total([*addends_of(inputs[0], 1, flat[0]), *addends_of(inputs[1], sign, flat[1])])

    def _of_all(self, value: Value) -> bool:
        """Whether a number is a sum over a stretch of the parameters; there is one for each stretch."""
        return value.shape == () and value.role == "temporary" and bool(self.runs.get(id(value)))

    def _op_multiply(self, node: Node, inputs: list[Term], output: int) -> Term:
        (n1, s1, a1), (n2, s2, a2) = (factors_of(v, t) for v, t in zip(node.inputs, inputs, strict=True))
        return product(n1 * n2, [*s1, *s2], [*a1, *a2])

    def _op_negative(self, node: Node, inputs: list[Term], output: int) -> Term:
        number, scalars, arrays = factors_of(node.inputs[0], inputs[0])
        return product(-number, scalars, arrays)

    def _op_divide(self, node: Node, inputs: list[Term], output: int) -> Term:
        top, bottom = inputs
        if _inverts_a_root(node):
            top, bottom = number_term(1.0), top
        written = bracket(top, PRODUCT, last=False), bracket(bottom, ATOM, last=False)
        if " / " in top.text and top.precedence:
            written = bracket(top, ATOM), written[1]
        return Term(f"{written[0].text} / {written[1].text}", rf"\frac{{{top.latex}}}{{{bottom.latex}}}", PRODUCT)

    def _op_where(self, node: Node, inputs: list[Term], output: int) -> Term:
        condition, *rest = inputs
        if condition.text.startswith("[") and condition.text.endswith("]") and node.inputs[0].producer is not None:
            condition = Term(condition.text[1:-1], condition.latex[1:-1])
        return call(node, [condition, *rest])

    def _op_matmul(self, node: Node, inputs: list[Term], output: int) -> Term:
        sides = []
        for term, turned in zip(inputs, (node.attrs["transpose_a"], node.attrs["transpose_b"]), strict=True):
            sides.append(_transposed(term) if turned else bracket(term, ATOM, last=False))
        return Term(f"{sides[0].text} {sides[1].text}", rf"{sides[0].latex} \, {sides[1].latex}", PRODUCT)

    def _op_sparse_matmul(self, node: Node, inputs: list[Term], output: int) -> Term:
        x = bracket(inputs[0], ATOM, last=False)
        return Term(f"{node.attrs['text']} {x.text}", rf"{node.attrs['latex']} \, {x.latex}", PRODUCT)

    def _op_sparse_rows_matmul(self, node: Node, inputs: list[Term], output: int) -> Term:
        x = _transposed(inputs[0]) if node.attrs["transpose"] else bracket(inputs[0], ATOM, last=False)
        b = bracket(inputs[1], ATOM, last=False)
        return Term(f"{x.text} {b.text}", rf"{x.latex} \, {b.latex}", PRODUCT)

    def _op_transpose(self, node: Node, inputs: list[Term], output: int) -> Term:
        if node.inputs[0].ndim == 2 and tuple(node.attrs["axes"]) == (1, 0):
            return _transposed(inputs[0])
        return function("transpose", inputs)

    def _reduce(self, node: Node, term: Term) -> Term:
        """A reduction over axes, with their letters below its sign."""
        text, latex = (template.removesuffix(" {0}") for template in (OPS[node.op].text, OPS[node.op].latex))
        shape, axes = node.inputs[0].shape, node.attrs["axis"]
        letters = "" if len(axes) == len(shape) > 1 or self.runs.get(id(node.inputs[0])) else _axis_letters(shape, axes)
        inner = bracket(term, PRODUCT)
        below = f"_{{{letters}}}" if letters else ""
        return Term(
            f"{text}{''.join(_SUB[c] for c in letters)} {inner.text}", f"{latex}{below} {inner.latex}", PRODUCT, open=True
        )

    def _op_previous(self, node: Node, inputs: list[Term], output: int) -> Term:
        text, latex = ("ₜ₊₁", "_{t+1}") if node.attrs["reverse"] else ("ₜ₋₁", "_{t-1}")
        if inputs[0].text.startswith("[h"):
            return Term(f"h{text}", f"h{latex}")
        return Term(inputs[0].text + text, f"{{{inputs[0].latex}}}{latex}")

    def _op_slice(self, node: Node, inputs: list[Term], output: int) -> Term:
        maker = node.inputs[0].producer
        states = () if maker is None else zip(maker.outputs, OPS[maker.op].states, strict=False)
        letter = next((letter for v, letter in states if v is node.inputs[0]), None)
        if maker is not None and letter is not None and node.attrs["axis"] == 1:
            return Term(f"{letter}₁", f"{letter}_1") if maker.attrs["reverse"] else Term(f"{letter}_T", f"{letter}_T")
        axis, ndim = node.attrs["axis"], node.inputs[0].ndim
        where = (
            ":, " * axis + f"{dimension(node.attrs['start'])}:{dimension(node.attrs['stop'])}" + ", :" * (ndim - axis - 1)
        )
        x = bracket(inputs[0], ATOM, last=False)
        return Term(f"{x.text}[{where}]", f"{x.latex}[{where}]")

    def _op_softmax_cross_entropy(self, node: Node, inputs: list[Term], output: int) -> Term:
        smoothing, classes = node.attrs["label_smoothing"], node.inputs[0].shape[-1]
        z, y = inputs
        if smoothing:
            y = total([(1, product(1 - smoothing, (), (y,)), False), (1, number_term(smoothing / classes), False)])
        return call(node, [z, y], output)


def steps_output(node: Node, inputs: list[Term], output: int) -> Term:
    """What an output of an op of several lines is called after them."""
    spec = OPS[node.op]
    text, latex, precedence = (spec.text, spec.latex, spec.precedence) if not output else spec.more[output - 1]
    return Term(fill(text, inputs, {}, precedence), fill(latex, inputs, {}, precedence, latex=True), precedence)


def _inverts_a_root(node: Node) -> bool:
    """Whether it is √u / u, which is written as the 1 / √u that it is for every number u."""
    if node.op != "divide":
        return False
    made = node.inputs[0].producer
    return made is not None and made.op == "sqrt" and made.inputs[0] is node.inputs[1]


def _transposed(term: Term) -> Term:
    if term.symbol is not None:
        return Term(f"{term.text}ᵀ", term.symbol.as_latex(r"\top"))
    inner = bracket(term, -1)
    return Term(f"{inner.text}ᵀ", f"{inner.latex}^{{\\top}}")


def _axis_letters(shape: Shape, axes: tuple[int, ...]) -> str:
    """n for the batch, k for the last axis, i, j, l, m for those between."""
    found, between = "", iter("ijlm")
    for axis, size in enumerate(shape):
        first = axis == 0 and size and not size % BATCH
        letter = "n" if first else "k" if axis == len(shape) - 1 and axis else next(between, "m")
        if axis in axes:
            found += letter
    return found
