"""net.equations: the printed text is parsed and computed here, and must give what the engine gives."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import chainrule.layers as layers
from chainrule import Network
from chainrule.engine.random import uniform
from chainrule.errors import NotFittedError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import (
    Add,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Identity,
    Input,
    Layer,
    Multiply,
    ReLU,
    Reshape,
    Softmax,
    State,
)
from chainrule.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy, get_loss
from chainrule.network import NetworkGraph
from chainrule.ops import OPS, Saved
from chainrule.optimizers import LBFGS, SGD, Adam, AdamW, Optimizer
from chainrule.plan.equations import Equations
from chainrule.plan.equations.terms import BATCH, number_term, shape_text
from chainrule.training.trace import trace

RNG = np.random.default_rng(0)
N = 5

# ------------------------------------------------------------ a reader of the printed mathematics

_TOKEN = re.compile(
    r"\s*(?P<number>\d[\d.]*(?:e-?\d+)?(?:/\(\d+ N\)|/[\dN.]+)?)"
    r"|\s*(?P<word>log Σₖ exp|[ΣΠ][ₙₖᵢⱼₗ]*|max[ₙₖᵢⱼₗ]+|if|else|at|[A-Za-zα-ω_]+[₀-₉]*[⁰¹²³⁴-⁹]*′*ᵀ?)"
    r"|\s*(?P<sign>[-−+⊙/()\[\]|√²ᵀ,>≥=:])"
)


def times(a: Any, b: Any) -> Any:
    """a ⊙ b, where one of them may hold one number a sample."""
    if np.ndim(a) == 2 and np.ndim(b) == 1 and len(a) == len(b) != a.shape[1]:
        return a * b[:, None]
    return a * b


class Reader:
    """Computes an expression as it is printed: juxtaposition is a product, of matrices where both are."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.names, self.tokens, at = names, [], 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            assert match, text[at:]
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind]))
            at = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        assert wanted is None or token == wanted, (token, wanted, self.tokens)
        self.at += 1
        return token

    def whole(self) -> Any:
        value = self.sum()
        assert self.at == len(self.tokens), self.tokens[self.at :]
        return value

    def sum(self) -> Any:
        negative = self.peek() == "−" and self.take()
        value = self.product()
        value = -value if negative else value
        while self.peek() in ("+", "−"):
            sign, right = self.take(), self.product()
            if np.ndim(value) == 2 and np.shape(right) == (N,):
                right = right[:, None]  # a sum over the outputs of each row, in a line about outputs
            value = value + right if sign == "+" else value - right
        return value

    def product(self) -> Any:
        value = self.factor()
        while True:
            token = self.peek()
            if token == "⊙":
                self.take()
                value = times(value, self.factor())
            elif token == "/":
                self.take()
                value = value / self.factor()
            elif token in ("", "+", "−", ")", "]", ",", ">", "≥", "=", "if", "else", "at", ":") or (
                token == "|" and self.bars
            ):
                return value
            else:
                right = self.factor()
                value = value @ right if np.ndim(value) == 2 and np.ndim(right) == 2 else value * right

    bars = 0

    def factor(self) -> Any:
        kind, token = self.tokens[self.at]
        if token.startswith(("Σ", "max")) and token not in ("max",):
            self.take()
            negative = self.peek() == "−" and self.take()
            value = -self.product() if negative else self.product()
            letters = token.removeprefix("Σ").removeprefix("max")
            axes = None if not letters else tuple({"ₙ": 0, "ₖ": -1, "ᵢ": 1}[c] for c in letters)
            return (np.max if token.startswith("max") else np.sum)(value, axis=axes, keepdims=self.keeps(value, axes))
        value = self.primary(kind)
        while self.peek() in ("²", "ᵀ", "[") and not (kind == "number" and self.peek() == "["):
            token = self.take()
            if token == "[":
                index = self.index()
                value = value[index]
            else:
                value = value**2 if token == "²" else value.T
        return value

    def keeps(self, value: Any, axes: Any) -> bool:
        # Σₖ inside a larger expression over rows keeps its axis; over samples it gives a bias.
        return axes == (-1,) and np.ndim(value) == 2 and self.keep

    keep = True

    def index(self) -> Any:
        if self.peek() != ":" and self.tokens[self.at + 1][1] != ":":
            value = self.sum()
            self.take("]")
            return value
        parts: list[Any] = []
        while True:
            numbers: list[int | None] = [None, None]
            if self.peek() != ":":
                numbers[0] = int(self.take())
            self.take(":")
            if self.peek() not in (",", "]"):
                numbers[1] = int(self.take())
            parts.append(slice(*numbers))
            if self.take() == "]":
                return tuple(parts)

    def primary(self, kind: str) -> Any:
        token = self.take()
        if kind == "number":
            top, _, bottom = token.partition("/")
            below = bottom.strip("()").split() if bottom else []
            return float(top) / np.prod([N if b == "N" else float(b) for b in below])
        if token == "√":
            return np.sqrt(self.factor())
        if token == "|":
            self.bars += 1
            value = self.sum()
            self.bars -= 1
            self.take("|")
            return np.abs(value)
        if token == "[":
            left = self.sum()
            sign = self.take()
            right = self.sum()
            self.take("]")
            return np.asarray({">": left > right, "≥": left >= right, "=": left == right}[sign], float)
        if token == "(":
            value = self.sum()
            if self.peek() == "if":
                self.take()
                condition = self.sum()
                if self.peek() in (">", "≥"):
                    condition = condition > self.sum() if self.take() == ">" else condition >= self.sum()
                self.take("else")
                value = np.where(np.asarray(condition) != 0, value, self.sum())
            self.take(")")
            return value
        if token == "log Σₖ exp":
            self.take("(")
            value = self.sum()
            self.take(")")
            top = np.max(value, axis=-1, keepdims=True)
            found = top + np.log(np.sum(np.exp(value - top), axis=-1, keepdims=True))
            return found if self.keep else found[..., 0]
        if self.peek() == "(" and token not in self.names:
            return self.call(token)
        if token not in self.names and token.endswith("²"):
            return self.names[token[:-1]] ** 2
        return self.names[token.removesuffix("ᵀ")].T if token.endswith("ᵀ") else self.names[token]

    def call(self, name: str) -> Any:
        self.take("(")
        values = [self.sum()]
        while self.peek() in (",", "at"):
            self.take()
            values.append(self.sum())
        self.take(")")
        x = values[0]
        if name == "reshape":
            return ("reshape", x)
        if name == "scatter":
            out = np.zeros(self.names["_table"])
            np.add.at(out, values[1].ravel(), x.reshape(-1, x.shape[-1]))
            return out
        if name == "onehot":
            return np.eye(self.names["_classes"])[np.asarray(x, int)]
        if name == "softmax":
            e = np.exp(x - np.max(x, axis=-1, keepdims=True))
            return e / e.sum(axis=-1, keepdims=True)
        if name == "concat":
            return np.concatenate(values, axis=-1)
        if name in ("erf", "erfc"):
            return np.vectorize(getattr(math, name))(x)
        functions: dict[str, Any] = {
            "max": np.maximum, "min": np.minimum, "exp": np.exp, "log": np.log, "tanh": np.tanh, "sign": np.sign,
            "argmax": lambda a: np.argmax(a, axis=-1), "σ": lambda a: 1 / (1 + np.exp(-a)), "sin": np.sin, "cos": np.cos,
        }  # fmt: skip
        return functions[name](*values)


def computed(equations: Equations, names: dict[str, Any]) -> dict[str, Any]:
    """All lines of forward, loss and backward computed in the order in which they are printed."""
    names = dict(names)
    for phase, sections in equations._phases:
        if phase == "update":
            break
        for _, lines in sections:
            for line in lines:
                left = line.left.text
                if line.relation == "∼":
                    assert line.right.text == "U(0, 1)"
                    names[left] = names["_random"](tuple(N if s == BATCH else s for s in line.shape))
                    continue
                reader = Reader(line.right.text, names)
                # Inside the loss each sample's ℓ is a number; elsewhere rows keep their axis.
                reader.keep = phase != "loss"
                value = reader.whole()
                shape = tuple(N * (s // BATCH) if s % BATCH == 0 and s else s for s in line.shape)
                value = np.asarray(value[1] if isinstance(value, tuple) else value, float)
                value = value.reshape(shape) if value.size == np.prod(shape) else np.broadcast_to(value, shape)
                names[left] = names[left] + value if line.relation == "+=" else value
    return names


def names_of(net: NetworkGraph, xs: list[Any], ys: list[Any], losses: list[Loss]) -> dict[str, Any]:
    equations = Equations(net, losses)
    symbols = equations._record.parameter_symbols
    found: dict[str, Any] = {str(symbols[n]): net.parameters[n].astype(float) for n in net.parameters}
    found |= {("x" if len(xs) == 1 else f"x{'₀₁₂'[i]}"): x for i, x in enumerate(xs)}
    for i, (y, loss) in enumerate(zip(ys, losses, strict=True)):
        one_hot = isinstance(loss, SoftmaxCrossEntropy) and np.asarray(y).dtype.kind == "i"
        value = np.eye(net.output_shapes[i][-1])[y] if one_hot else y
        found["y" if len(ys) == 1 else f"y{'₀₁₂'[i]}"] = value
    draws = iter(range(1, 100))
    found["_random"] = lambda shape: uniform(int(np.prod(shape)), 0, next(draws), 0).reshape(shape).astype(float)
    found["_classes"] = net.output_shapes[0][-1] if net.output_shapes[0] else 1
    found["_table"] = next((net.parameters[n].shape for n in net.parameters if "embedding" in n), None)
    return found


def agree(net: NetworkGraph, xs: list[Any], ys: list[Any], losses: list[Any], targets: list[int] | None = None) -> Equations:
    """The printed equations, computed, give what the engine computes."""
    made = [get_loss(one) for one in losses]
    t = trace(net, xs if len(xs) > 1 else xs[0], ys if len(ys) > 1 else ys[0], loss=made)
    equations = Equations(net, made, "sgd", targets=targets)
    found = computed(equations, names_of(net, xs, ys, made))
    np.testing.assert_allclose(found["J"], t.loss, rtol=1e-5)
    record = equations._record
    checked = 0
    for use, call in zip(t.layers.values(), net.calls, strict=True):
        symbol = record.tensors[call.output]
        np.testing.assert_allclose(found[str(symbol)], use.output, rtol=1e-5, atol=1e-6, err_msg=str(symbol))
        for name, gradient in use.gradients.items():
            full = f"{call.name}.{name}"
            if net.trainable(full):
                d = str(record.parameter_symbols[full].d)
                np.testing.assert_allclose(found[d], gradient, rtol=1e-4, atol=1e-6, err_msg=d)
                checked += 1
        if str(symbol.d) in found and use.d_output is not None:
            np.testing.assert_allclose(found[str(symbol.d)], use.d_output, rtol=1e-4, atol=1e-6, err_msg=str(symbol.d))
    assert checked
    well_formed(equations)
    return equations


def well_formed(equations: Equations) -> None:
    text, latex = str(equations), equations.latex()
    assert all(len(line) <= 110 and line == line.rstrip() for line in text.splitlines()), text
    bare = re.sub(r"\\[{}]", "", latex)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0 and latex.count(r"\left(") == latex.count(r"\right)")
    for row in latex.splitlines()[1:-1]:
        assert row.endswith(r"\\") and row.count("{") == row.count("}") and re.sub(r"\\&", "", row).count("&") <= 3, row
    assert not re.search(r"[^ -~\n]", latex), latex
    assert equations._repr_latex_().startswith("$$") and repr(equations) == text


# ------------------------------------------------------------ what is printed is what is computed

ACTIVATIONS = sorted(layers.Activation.by_name)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name: str) -> None:
    net = NetworkGraph([Dense(4), layers.get_activation(name), Dense(3)], random_state=0).build((6,))
    agree(net, [RNG.normal(size=(N, 6)) * 2], [RNG.normal(size=(N, 3))], ["squared_error"])


#: Losses of outputs of another form: sequences of labels, boxes, and maps of text.
OF_ANOTHER_FORM = ("ctc", "box_giou", "differentiable_binarization")


@pytest.mark.parametrize("name", sorted(set(Loss.registry) - set(OF_ANOTHER_FORM)))
def test_every_loss(name: str) -> None:
    loss = get_loss(name)
    net = NetworkGraph([Dense(4), ReLU(), Dense(3)], random_state=0).build((6,))
    dtype = loss.target((N, 3))[0][1]
    y: Any = RNG.integers(0, 3, N) if dtype == "int" else RNG.integers(0, 2, (N, 3)).astype(float)
    if name in ("kl_divergence", "sum"):
        y = RNG.dirichlet(np.ones(3), N)
    if name in ("hinge",):
        y = 2 * y - 1
    agree(net, [RNG.normal(size=(N, 6))], [y], [loss])


def test_losses_with_arguments_and_other_forms_of_targets() -> None:
    net = NetworkGraph([Dense(3)], random_state=0).build((6,))
    x, y = RNG.normal(size=(N, 6)), RNG.integers(0, 3, N)
    agree(net, [x], [y], [SoftmaxCrossEntropy(label_smoothing=0.1)])
    agree(net, [x], [np.eye(3)[y]], ["softmax_cross_entropy"], targets=[1])
    agree(net, [x], [np.eye(3)[y]], [BinaryCrossEntropy(label_smoothing=0.2)])


def test_dropout_draws_the_same_numbers() -> None:
    net = NetworkGraph([Dense(40), Dropout(0.3), ReLU(), Dropout(0.5), Dense(2)], random_state=0).build((6,))
    agree(net, [RNG.normal(size=(N, 6))], [RNG.normal(size=(N, 2))], ["squared_error"])


def test_joins_shared_layers_several_inputs_and_outputs() -> None:
    a, b = Input((2,), dtype="int"), Input((6,))
    shared = Dense(6)
    h = shared(Flatten()(Embedding(5, 3)(a)))
    g = shared(b)
    s = Add()(h, g, h)
    product = Multiply()(s, g)
    joined = Concat()(product, b)
    net = NetworkGraph(inputs=[a, b], outputs=[Softmax()(s), Dense(1)(joined), s], random_state=0).build()
    xs = [RNG.integers(0, 5, (N, 2)), RNG.normal(size=(N, 6))]
    ys = [RNG.normal(size=(N, 6)), RNG.integers(0, 2, (N, 1)).astype(float), RNG.normal(size=(N, 6))]
    text = str(agree(net, xs, ys, ["squared_error", "binary_cross_entropy", "squared_error"]))
    assert "dW² += " in text and "db² += " in text and "z²′ = x₁ W² + b²" in text and "dh² += " in text


def test_frozen_layers_end_the_chain() -> None:
    net = NetworkGraph([Dense(4), ReLU(), Dense(3), ReLU(), Dense(2)], random_state=0).build((6,)).freeze("0.dense")
    text = str(agree(net, [RNG.normal(size=(N, 6))], [RNG.normal(size=(N, 2))], ["squared_error"]))
    assert "W¹ (6, 4) frozen" in text and "dW¹" not in text and "da¹" not in text and "dW²" in text
    net.freeze("2.dense")
    text = str(Equations(net, "squared_error", "sgd"))
    assert "dz²" not in text and "dW³" in text


def test_deep_networks_are_printed_in_full() -> None:
    net = NetworkGraph([layer for _ in range(60) for layer in (Dense(3), ReLU())], random_state=0).build((3,))
    equations = Equations(net, "squared_error", "sgd")
    text = str(equations)
    assert "z⁶⁰ = a⁵⁹ W⁶⁰ + b⁶⁰" in text and "dW¹ = xᵀ dz¹" in text and "W_{60}" not in equations.latex()
    well_formed(equations)


# ------------------------------------------------------------ how it is printed


def test_the_textbook_network() -> None:
    net = NetworkGraph([Dense(128), ReLU(), Dense(10)], random_state=0).build((64,))
    assert str(Equations(net, "softmax_cross_entropy", Adam(0.01), batch=32)) == (
        """\
forward  N = 32 samples
  0.dense  Dense(128)  z¹ = x W¹ + b¹    x (N, 64)  W¹ (64, 128)  b¹ (128,)  z¹ (N, 128)
  1.relu   ReLU()      a¹ = max(0, z¹)   a¹ (N, 128)
  2.dense  Dense(10)   z² = a¹ W² + b²   W² (128, 10)  b² (10,)  z² (N, 10)
loss
  J = 1/N Σₙ (log Σₖ exp(z²) − Σₖ y ⊙ z²)   y (N,) classes, as one-hot
backward
  loss     dz² = 1/N (softmax(z²) − y)   dz² (N, 10)
  2.dense  dW² = a¹ᵀ dz²                 dW² (128, 10)
           db² = Σₙ dz²                  db² (10,)
           da¹ = dz² W²ᵀ                 da¹ (N, 128)
  1.relu   dz¹ = da¹ ⊙ [a¹ > 0]          dz¹ (N, 128)
  0.dense  dW¹ = xᵀ dz¹                  dW¹ (64, 128)
           db¹ = Σₙ dz¹                  db¹ (128,)
update  Adam(0.01), for each parameter w with gradient g = dw
  m ← 0.9 m + 0.1 g
  v ← 0.999 v + 0.001 g²
  w ← w − step m / (root √v + 1e-8)
  root = 1 / √(1 − 0.999ᵗ)
  step = η / (1 − 0.9ᵗ)"""
    )


def test_the_textbook_network_in_latex() -> None:
    net = NetworkGraph([Dense(3), ReLU(), Dense(1)], random_state=0).build((2,))
    latex = Equations(net, "squared_error", "sgd").latex()
    for row in (
        r"z^{1} &= x \, W^{1} + b^{1} && \text{0.dense  Dense(3)} \quad x \in \mathbb{R}^{N \times 2}",
        r"a^{1} &= \max(0, z^{1})",
        r"J &= \frac{1}{N} \, \sum \left(z^{2} - y\right)^2",
        r"\mathrm{d}W^{2} &= a^{1\top} \, \mathrm{d}z^{2} && \text{2.dense} \\",
        r"\mathrm{d}b^{1} &= \sum_{n} \mathrm{d}z^{1} \\",
        r"w &\leftarrow w - \eta \, g \\",
    ):
        assert row in latex, latex


def test_penalties_clipping_and_decay() -> None:
    net = NetworkGraph([Dense(3), ReLU(), Dense(1)], random_state=0).build((2,))
    optimizer = AdamW(0.1, l1=0.01, l2=0.03, weight_decay=0.1, clip_norm=1.0, clip_value=0.5)
    equations = Equations(net, "squared_error", optimizer)
    text = str(equations)
    assert "J = 1/N Σ (z² − y)² + 0.015 Σ w² + 0.01 Σ |w|   y (N, 1)  Σ over W¹ W²" in text
    update = [line.split("   ")[0].strip() for line in text.partition("for each")[2].splitlines()[1:]]
    assert [line for line in update if line] == [
        "g ← g + 0.03 w",
        "g ← g + 0.01 sign(w)",
        "c = max(Σ (9.09495e-13 g)², 1e-36)",
        "c′ = min(9.09495e-13 √c / c, 1)",
        "g ← c′ g",
        "g ← min(max(g, −0.5), 0.5)",
        "w ← w − 0.1 η w",
        "m ← 0.9 m + 0.1 g",
        "v ← 0.999 v + 0.001 g²",
        "w ← w − step m / (root √v + 1e-8)",
        "root = 1 / √(1 − 0.999ᵗ)",
        "step = η / (1 − 0.9ᵗ)",
    ]
    assert re.search(r"w ← w − 0\.1 η w +for W¹ W²\n", text) and "_old" not in text
    well_formed(equations)


@pytest.mark.parametrize("name", sorted(Optimizer.registry))
def test_every_optimizer(name: str) -> None:
    net = NetworkGraph([Dense(3), ReLU(), Dense(1)], random_state=0).build((2,))
    equations = Equations(net, "squared_error", name)
    assert "←" in str(equations).partition("update")[2] and "_old" not in str(equations)
    well_formed(equations)


def test_lbfgs_says_what_it_does_beyond_the_plan() -> None:
    equations = Equations(NetworkGraph([layers.Dense(1)]).build((2,)), "squared_error", LBFGS(history=5))
    assert str(equations).splitlines()[-5:] == [
        "  gradient ← g",
        "  p = −H gradient, over all parameters",
        "  H from the pairs s = Δw, y = Δgradient of the last 5 steps",
        "  w ← w + α p",
        "  α by line search from 1.0 (strong Wolfe conditions)",
    ]
    assert r"w &\leftarrow w + \alpha \, p \\" in equations.latex()
    well_formed(equations)


def test_nesterov_reads_the_new_velocity() -> None:
    net = NetworkGraph([Dense(1)]).build((2,))
    text = str(Equations(net, "squared_error", SGD(0.1, momentum=0.9, nesterov=True)))
    assert text.endswith("  velocity ← 0.9 velocity + g\n  w ← w − η (g + 0.9 velocity)")


def test_an_old_value_that_is_read_after_a_new_one_is_told_apart() -> None:
    class Late(Optimizer):
        slots = ("m",)

        def update(self, k: Any, w: Any, g: Any, slot: Any) -> None:
            k.assign(slot["m"], k.multiply(g, 0.5))
            k.assign(w, k.subtract(w, slot["m"]))

    text = str(Equations(NetworkGraph([Dense(1)]).build((2,)), "squared_error", Late()))
    assert text.endswith("  m ← 0.5 g\n  w ← w − m_old")


def test_prediction_only() -> None:
    net = NetworkGraph([Dense(3), Dropout(0.5), Identity(), Dense(1)]).build((2,))
    text = str(Equations(net))
    assert text.splitlines()[0] == "forward" and "loss" not in text and "y (" not in text
    assert re.search(r"1\.dropout +Dropout\(0\.5\) +z¹ passes unchanged", text) and "z² = z¹ W² + b²" in text
    well_formed(Equations(net))


def test_sequences_and_reshapes() -> None:
    net = NetworkGraph([Reshape((3, 4)), Dense(2), Flatten(), Dense(1)], random_state=0).build((12,))
    equations = Equations(net, "squared_error")
    text = str(equations)
    assert "h⁰ = reshape(x)" in text and "z¹ (N, 3, 2)" in text and "dW¹ = h⁰ᵀ dz¹" in text and "update" not in text
    well_formed(equations)


class Running(Layer):
    """A user's own layer with a state, an unknown letter, and a constant of the batch."""

    def parameters(self, *shapes: Any) -> Any:
        return {"gain_factor": layers.Parameter((1,), "ones")}

    def states(self, *shapes: Any) -> Any:
        return {"mean": State((shapes[0][-1],), 0.0)}

    def forward(self, k: Any, *xs: Any) -> Any:
        m = k.mean(xs[0], axis=0)
        k.set_state("mean", k.add(k.multiply(k.state("mean"), 0.9), k.multiply(m, 0.1)))
        w = k.param("gain_factor")
        return k.multiply(k.subtract(xs[0], k.state("mean")), w), Saved(x=xs[0], w=w)

    def backward(self, k: Any, saved: Any, dy: Any) -> Any:
        k.grad("gain_factor", k.reshape(k.sum(k.multiply(dy, saved.x)), (1,)))
        return k.multiply(dy, saved.w)


def test_own_layers_print_too() -> None:
    net = NetworkGraph([Dense(2), Running(), Dense(1)], random_state=0).build((3,))
    equations = Equations(net, "squared_error", "sgd")
    text = str(equations)
    assert "μ² ← 0.9 μ² + 1/(10 N) Σₙ z¹" in text
    assert "z² = (z¹ − μ²_old) ⊙ gain_factor²" in text
    assert "dgain_factor² = Σ dz² ⊙ z¹" in text and "dz¹ = dz² ⊙ gain_factor²" in text
    assert r"\mathrm{gain\_factor}^{2}" in equations.latex() and r"\mu^{2\text{old}}" in equations.latex()
    well_formed(equations)


def test_loss_weights_and_custom_names() -> None:
    x = Input(3)
    net = NetworkGraph(inputs=x, outputs=[Dense(1).named("left_{1}")(x), Dense(1).named("right")(x)]).build()
    equations = Equations(net, ["mse", "mse"], loss_weights=[0.5, 2])
    assert "J = 1/(2 N) Σ (z¹ − y₀)² + 2/N Σ (z² − y₁)²" in str(equations) and "  left_{1}  Dense(1)" in str(equations)
    assert r"\text{left}\_\{\text{1}\}\text{  Dense(1)}" in equations.latex()
    well_formed(equations)


def test_bad_input() -> None:
    with pytest.raises(NotFittedError):
        Equations(NetworkGraph([Dense(1)]))
    net = NetworkGraph([Dense(1)]).build((2,))
    with pytest.raises(ShapeError, match="1 output"):
        Equations(net, ["mse", "mse"])
    with pytest.raises(ShapeError, match="loss weight"):
        Equations(net, "mse", loss_weights=[1.0, 2.0])
    with pytest.raises(ParameterError, match="needs a loss"):
        Equations(net, None, "sgd")
    with pytest.raises(UnknownNameError):
        Equations(net, "squared_eror")


def test_nothing_of_the_network_changes() -> None:
    net = NetworkGraph([Dense(3), Running()], random_state=0).build((2,))
    before = net.parameters.flat.copy(), net.states.flat.copy(), net.rng.bit_generator.state
    optimizer = Adam()
    Equations(net, "squared_error", optimizer)
    np.testing.assert_array_equal(net.parameters.flat, before[0])
    np.testing.assert_array_equal(net.states.flat, before[1])
    assert net.rng.bit_generator.state == before[2] and repr(optimizer) == "Adam()"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / BATCH, "1/N"),
        (-2 / BATCH, "−2/N"),
        (1 / (10 * BATCH), "1/(10 N)"),
        (2 / (3 * BATCH), "2/(3 N)"),
        (0.3 / BATCH, "0.3/N"),
        (1 / (BATCH - 1), "1/(N − 1)"),
        (BATCH / (BATCH - 1), "N/(N − 1)"),
        (1 / (16 * BATCH - 1), "1/(16N − 1)"),
        (0.1 / (1024 * BATCH - 1), "1/(10 (1024N − 1))"),
        (-3 / (2 * BATCH - 1), "−3/(2N − 1)"),
        (0.01 / (50176 * BATCH - 1), "1/(100 (50176N − 1))"),
        (1 - 0.9, "0.1"),
        (1 / 3, "1/3"),
        (1e-8, "1e-8"),
        (0.0, "0"),
        (1e6, "1e6"),
        (0.70710678, "0.707107"),
        (3.4028234663852886e38, "3.40282e38"),
        (float("inf"), "∞"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number_term(value).text == text


def test_shapes() -> None:
    assert [shape_text(s) for s in ((BATCH, 3), (3 * BATCH, 2), (4,), ())] == ["(N, 3)", "(3N, 2)", "(4,)", "()"]


def test_every_op_has_a_template_that_can_be_filled() -> None:
    for spec in OPS.values():
        for text, latex, _ in ((spec.text, spec.latex, 0), *spec.more):
            filled = latex.format(*"abc", share=0.5)
            assert filled.count("{") == filled.count("}")
            assert text.format(*"abc", share=0.5)


def test_a_layer_with_many_arguments_leaves_the_equations_their_room() -> None:
    convolution = layers.Conv2D(4, 3, padding="same", bias=False, weight_init="he_normal")
    net = Network([convolution, layers.BatchNorm(), Flatten(), Dense(2)]).build((8, 8, 3))
    lines = str(net.equations()).splitlines()
    assert lines[1] == "  0.conv2d      Conv2D(4, kernel=3, padding='same', bias=False, weight_init='he_normal')"
    assert "z¹ = x ∗ W¹" in lines[2] and all(len(line) <= 110 for line in lines)
    assert any(line.endswith("z² = (z¹ − running_mean²) ⊙ γ² ⊙ r² + β²") for line in lines)  # in one piece
    assert len({line.index(" = ") for line in lines if " = " in line}) == 1  # aligned
