"""Elementwise ops: element i of the output depends on element i of each input, after NumPy's broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from .emitter import Emitter, Operand
from .table import Attrs, Method, Out, op, out_size
from .table import broadcast as broadcast_shapes
from .value import Shape, Value


def elementwise(
    text: str, latex: str | None = None, precedence: int = 0, *, cheap: bool = False
) -> Callable[[Method], Method]:
    """Marks the method of an elementwise op that takes as many operands as the method, and gives floats."""

    def marked(method: Method) -> Method:
        name, arity = method.__name__.removesuffix("_"), method.__code__.co_argcount - 1

        def rule(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
            assert len(inputs) == arity, (name, len(inputs))
            return [(broadcast_shapes(name, [v.shape for v in inputs]), "float")]

        return op("elementwise", text, latex, precedence, rule=rule, flops=out_size, cheap=cheap)(method)

    return marked


def _of_attribute(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(tuple(attrs["shape"]), "float")]


#: Coefficients of erf⁻¹(u) / u by w = −log(1 − u²), around w = 2.5 and around √w = 3, the highest power first.
#: M. Giles, Approximating the erfinv function, GPU Computing Gems 2, 2011, table 5.
_INVERSE_ERF_MIDDLE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
_INVERSE_ERF_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip


class Elementwise(Emitter):
    """The Builder's elementwise ops."""

    @elementwise("{0} + {1}", precedence=2, cheap=True)
    def add(self, a: Operand, b: Operand) -> Value:
        """a + b"""
        return self.emit("add", a, b)[0]

    @elementwise("{0} − {1}", "{0} - {1}", 2, cheap=True)
    def subtract(self, a: Operand, b: Operand) -> Value:
        """a - b"""
        return self.emit("subtract", a, b)[0]

    @elementwise("{0} ⊙ {1}", r"{0} \odot {1}", 1, cheap=True)
    def multiply(self, a: Operand, b: Operand) -> Value:
        """a * b, element by element"""
        return self.emit("multiply", a, b)[0]

    @elementwise("{0} / {1}", precedence=1)
    def divide(self, a: Operand, b: Operand) -> Value:
        """a / b"""
        return self.emit("divide", a, b)[0]

    @elementwise("max({0}, {1})", r"\max({0}, {1})", cheap=True)
    def maximum(self, a: Operand, b: Operand) -> Value:
        """The larger of a and b; NaN where either is NaN"""
        return self.emit("maximum", a, b)[0]

    @elementwise("min({0}, {1})", r"\min({0}, {1})", cheap=True)
    def minimum(self, a: Operand, b: Operand) -> Value:
        """The smaller of a and b; NaN where either is NaN"""
        return self.emit("minimum", a, b)[0]

    @elementwise("[{0} > {1}]", cheap=True)
    def greater(self, a: Operand, b: Operand) -> Value:
        """1.0 where a > b, else 0.0"""
        return self.emit("greater", a, b)[0]

    @elementwise("[{0} ≥ {1}]", r"[{0} \ge {1}]", cheap=True)
    def greater_equal(self, a: Operand, b: Operand) -> Value:
        """1.0 where a >= b, else 0.0"""
        return self.emit("greater_equal", a, b)[0]

    @elementwise("[{0} = {1}]", cheap=True)
    def equal(self, a: Operand, b: Operand) -> Value:
        """1.0 where a == b, else 0.0"""
        return self.emit("equal", a, b)[0]

    @elementwise("({1} if {0} else {2})", r"({1} \text{{ if }} {0} \text{{ else }} {2})")
    def where_(self, condition: Value, a: Operand, b: Operand) -> Value:
        """a where condition is not 0, else b"""
        return self.emit("where", condition, a, b)[0]

    @elementwise("{0}")
    def copy(self, x: Operand) -> Value:
        """x at a place of its own"""
        return self.emit("copy", x)[0]

    @elementwise("−{0}", "-{0}", 1, cheap=True)
    def negative(self, x: Value) -> Value:
        """-x"""
        return self.emit("negative", x)[0]

    @elementwise("|{0}|", r"\lvert {0} \rvert", cheap=True)
    def absolute(self, x: Value) -> Value:
        """|x|"""
        return self.emit("absolute", x)[0]

    @elementwise("sign({0})", r"\operatorname{{sign}}({0})", cheap=True)
    def sign(self, x: Value) -> Value:
        """-1, 0 or 1"""
        return self.emit("sign", x)[0]

    @elementwise("{0}²", "{0}^2", cheap=True)
    def square(self, x: Value) -> Value:
        """x²"""
        return self.emit("square", x)[0]

    @elementwise("√{0}", r"\sqrt{{{0}}}")
    def sqrt(self, x: Value) -> Value:
        """√x"""
        return self.emit("sqrt", x)[0]

    @elementwise("exp({0})", r"\exp({0})")
    def exp(self, x: Value) -> Value:
        """eˣ"""
        return self.emit("exp", x)[0]

    @elementwise("exp({0}) − 1", r"e^{{{0}}} - 1", 2)
    def expm1(self, x: Value) -> Value:
        """eˣ - 1, exact near 0"""
        return self.emit("expm1", x)[0]

    @elementwise("log({0})", r"\log({0})")
    def log(self, x: Value) -> Value:
        """The natural logarithm"""
        return self.emit("log", x)[0]

    @elementwise("log(1 + {0})", r"\log(1 + {0})")
    def log1p(self, x: Value) -> Value:
        """log(1 + x), exact near 0"""
        return self.emit("log1p", x)[0]

    @elementwise("sin({0})", r"\sin({0})")
    def sin(self, x: Value) -> Value:
        """The sine of x in radians"""
        return self.emit("sin", x)[0]

    @elementwise("cos({0})", r"\cos({0})")
    def cos(self, x: Value) -> Value:
        """The cosine of x in radians"""
        return self.emit("cos", x)[0]

    @elementwise("⌊{0}⌋", r"\lfloor {0} \rfloor")
    def floor(self, x: Value) -> Value:
        """The largest whole number that is not above x"""
        return self.emit("floor", x)[0]

    @elementwise("round({0})", r"\operatorname{{round}}({0})")
    def round(self, x: Value) -> Value:
        """The whole number nearest to x, the even one of two that are equally near"""
        return self.emit("round", x)[0]

    @elementwise("tanh({0})", r"\tanh({0})")
    def tanh(self, x: Value) -> Value:
        """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)"""
        return self.emit("tanh", x)[0]

    @elementwise("σ({0})", r"\sigma({0})")
    def sigmoid(self, x: Value) -> Value:
        """1 / (1 + e⁻ˣ), without overflow"""
        return self.emit("sigmoid", x)[0]

    @elementwise("log(1 + exp({0}))", r"\log(1 + e^{{{0}}})")
    def softplus(self, x: Value) -> Value:
        """log(1 + eˣ), without overflow"""
        return self.emit("softplus", x)[0]

    @elementwise("erf({0})", r"\operatorname{{erf}}({0})")
    def erf(self, x: Value) -> Value:
        """The error function"""
        return self.emit("erf", x)[0]

    @elementwise("erfc({0})", r"\operatorname{{erfc}}({0})")
    def erfc(self, x: Value) -> Value:
        """1 − erf(x), with its digits where that difference would lose them"""
        return self.emit("erfc", x)[0]

    @elementwise("max(0, {0})", r"\max(0, {0})", cheap=True)
    def relu(self, x: Value) -> Value:
        """max(0, x)"""
        return self.emit("relu", x)[0]

    @op("elementwise", "U(0, 1)", rule=_of_attribute, flops=lambda node: 10 * out_size(node), random=True)
    def random_uniform(self, shape: Shape) -> Value:
        """Numbers in [0, 1), new at every step, from the plan's seed: the same on every engine and thread count."""
        self.random_count += 1
        return self.emit("random_uniform", shape=tuple(shape), stream=self.random_count)[0]

    def random_normal(self, shape: Shape) -> Value:
        """Numbers of mean 0 and variance 1, normally distributed: √2 erf⁻¹(u) of uniform u in (−1, 1).

        The inverse of the error function is Giles's approximation, whose relative error is below 4e-7: every number is as
        exact as the engine's float32. The largest that can come is 5.4 in size, once in 2²⁴ draws.
        """
        u = self.add(self.multiply(self.random_uniform(shape), 2.0), 2.0**-24 - 1.0)
        w = self.negative(self.log(self.multiply(self.subtract(1.0, u), self.add(u, 1.0))))
        middle = self._polynomial(self.subtract(w, 2.5), _INVERSE_ERF_MIDDLE)
        tail = self._polynomial(self.subtract(self.sqrt(self.maximum(w, 5.0)), 3.0), _INVERSE_ERF_TAIL)
        factor = self.where_(self.greater(w, 5.0), tail, middle)
        return self.multiply(self.multiply(factor, u), sqrt(2.0))

    def _polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's rule, the coefficient of the highest power first."""
        found: Value = self.add(self.multiply(x, coefficients[0]), coefficients[1])
        for c in coefficients[2:]:
            found = self.add(self.multiply(found, x), c)
        return found
