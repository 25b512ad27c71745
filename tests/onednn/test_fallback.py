"""An op that the fast engine lacks is run by the reference kernel, whatever its kind and wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Dense, Network
from chainrule.engine import get_engine
from chainrule.engine.reference import ReferenceEngine
from chainrule.engine.reference.kernels import KERNELS
from chainrule.errors import EngineError
from chainrule.layers import Activation, Conv2D, Flatten, ReLU
from chainrule.ops import OPS, Builder, OpSpec, Saved, SparseMatrix, Value
from chainrule.plan import Plan, optimise
from chainrule.testing import check_layer

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)

MATRIX = SparseMatrix.from_edges([(0, 1), (1, 2), (3, 5), (4, 4)], nodes=6)


def _same(inputs, attrs):
    return [(inputs[0].shape, "float")]


def _broadcast(inputs, attrs):
    return [(np.broadcast_shapes(*(v.shape for v in inputs)), "float")]


#: {kind: (arity, shape rule, kernel, attributes)} of an op that no engine has.
NEW = {
    "elementwise": (2, _broadcast, lambda a, x, y: np.sin(x) - y, {}),
    "row": (1, _same, lambda a, x: np.cumsum(x, axis=-1), {}),
    "reduce": (1, lambda v, a: [(v[0].shape[-1:], "float")], lambda a, x: np.median(x.reshape(-1, x.shape[-1]), 0), {}),
    "product": (2, lambda v, a: [((v[0].shape[0], v[1].shape[0]), "float")], lambda a, x, y: x @ np.abs(y.T), {}),
    "sparse": (1, _same, lambda a, x: a["matrix"].dot(np.square(x)), {"matrix": MATRIX}),
    "window": (1, _same, lambda a, x: np.roll(x, 1, axis=0) * a["factor"], {"factor": 0.5}),
    "sequence": (2, _same, lambda a, x, y: np.cumsum(x + y, axis=0), {"given": ("h0",)}),
    "move": (1, lambda v, a: [(v[0].shape[::-1], "float"), (v[0].shape, "int")],
             lambda a, x: (x.T[::-1], np.argsort(x, axis=-1).astype(np.int32)), {}),
    "view": (1, lambda v, a: [((v[0].size,), "float")], lambda a, x: x.reshape(-1), {}),
}  # fmt: skip


@pytest.fixture(params=NEW)
def op(request, monkeypatch):
    """A new op of each kind, registered as one of the package's own: (name, arity, attributes)."""
    arity, rule, kernel, attrs = NEW[request.param]
    name = f"new_{request.param}"
    text = f"new({', '.join(f'{{{i}}}' for i in range(arity))})"
    kind = {"sparse": "product"}.get(request.param, request.param)
    monkeypatch.setitem(OPS, name, OpSpec(name, kind, rule, lambda node: node.outputs[0].size, text, text))
    monkeypatch.setitem(KERNELS, name, kernel)
    return name, arity, attrs


def compare(emit, shapes, *, batch=6, steps=3):
    """The plan of ``emit`` on both engines, once and in several steps, in poisoned memory."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    def plan():
        k = Builder()
        values = {name: Value(shape, "float", "input", name) for name, shape in shapes.items()}
        with k.at("forward", "test"):
            outputs = emit(k, *values.values())
        return optimise(Plan(k.nodes, values, outputs, {}, k.scalars, batch))

    wanted = ReferenceEngine("float64").compile(plan(), {}).run(arrays)
    fell_back = False
    for threads in (1, 2, 3):
        executable = get_engine("onednn", threads=threads).compile(plan(), {})
        executable.temporaries.view(np.float32)[...] = np.nan
        fell_back |= any(segment.fallback for segment in executable.segments)
        for step in range(steps):
            found = executable.run(arrays, step=step)
            for name, w in wanted.items():
                np.testing.assert_allclose(found[name], w, rtol=2e-5, atol=2e-5, err_msg=f"{name}, {threads} threads")
    return fell_back


@pytest.fixture(autouse=True)
def divide_everything(monkeypatch):
    monkeypatch.setattr("chainrule.engine.onednn.engine._WORTH_DIVIDING", 0.0)


def apply(k, op, x, y):
    name, arity, attrs = op
    return k.emit(name, *((x, y)[:arity]), **attrs)


def test_an_op_alone(op):
    fell_back = compare(lambda k, x, y: {f"o{i}": v for i, v in enumerate(apply(k, op, x, y))}, {"x": (6, 6), "y": (6, 6)})
    assert fell_back or OPS[op[0]].kind == "view"


def test_an_op_between_elementwise_chains(op):
    def emit(k, x, y):
        first = k.tanh(k.add(k.multiply(x, y), 1.0))
        out = apply(k, op, first, k.square(y))[0]
        last = k.relu(k.add(k.multiply(out, 3.0), 0.5))
        return {"last": last, "first": k.multiply(first, 2.0), "sum": k.sum(last)}

    compare(emit, {"x": (6, 6), "y": (6, 6)})


def test_an_op_before_and_after_products(op):
    def emit(k, x, w, b):
        z = k.relu(k.add(k.matmul(x, w), b))
        out = k.reshape(apply(k, op, z, x)[0], (-1, 2))
        return {"o": k.relu(k.add(k.matmul(out, k.slice(w, 0, 0, 2)), b))}

    compare(emit, {"x": (6, 6), "w": (6, 6), "b": (6,)})


def test_an_op_that_reads_an_op_that_is_missing_too(op):
    def emit(k, x, y):
        out = apply(k, op, x, y)[0]
        again = apply(k, op, k.reshape(out, (6, 6)) if out.size == 36 else k.add(x, out), y)[0]
        return {"o": again, "p": k.add(again, 1.0)}

    compare(emit, {"x": (6, 6), "y": (6, 6)})


@pytest.mark.parametrize("shapes", [((4, 6), (6,)), ((4, 1), (1, 6)), ((2, 3, 4), (3, 1)), ((6,), ())])
def test_an_elementwise_op_with_broadcasting(monkeypatch, shapes):
    rule, kernel = NEW["elementwise"][1:3]
    monkeypatch.setitem(OPS, "new", OpSpec("new", "elementwise", rule, lambda node: 1, "new({0}, {1})", "new"))
    monkeypatch.setitem(KERNELS, "new", kernel)

    def emit(k, x, y):
        out = k.emit("new", k.square(x), y)[0]
        return {"o": k.multiply(k.add(out, x), k.emit("new", out, 0.25)[0])}

    assert compare(emit, dict(zip("xy", shapes, strict=True)))


def test_a_large_chain_with_a_missing_op_is_divided_around_it(monkeypatch):
    rule, kernel = NEW["elementwise"][1:3]
    monkeypatch.setitem(OPS, "new", OpSpec("new", "elementwise", rule, lambda node: 1, "new({0}, {1})", "new"))
    monkeypatch.setitem(KERNELS, "new", kernel)

    def emit(k, x, y):
        z = x
        for i in range(8):
            z = k.add(k.multiply(z, 0.9), y)
            if i in (0, 5):
                z = k.emit("new", z, y)[0]
        return {"o": z, "s": k.sum(z, axis=0)}

    assert compare(emit, {"x": (300, 40), "y": (40,)})


def test_an_elementwise_op_of_two_outputs(monkeypatch):
    def rule(inputs, attrs):
        return [(inputs[0].shape, "float")] * 2

    monkeypatch.setitem(
        OPS, "both", OpSpec("both", "elementwise", rule, lambda n: 2, "sin({0})", "s", more=(("cos", "c", 0),))
    )
    monkeypatch.setitem(KERNELS, "both", lambda attrs, x: (np.sin(x), np.cos(x)))

    def emit(k, x):
        s, c = k.emit("both", k.multiply(x, 2.0))
        product = k.matmul(c, c, transpose_b=True)
        return {"o": k.add(k.square(s), k.square(c)), "c": k.add(c, 1.0), "p": product, "q": k.add(s, 1.0)}

    assert compare(emit, {"x": (5, 7)})


def test_a_sum_of_its_own_that_a_chain_takes_along(monkeypatch):
    rule, kernel = NEW["reduce"][1:3]
    monkeypatch.setitem(OPS, "middle", OpSpec("middle", "reduce", rule, lambda n: 1, "m {0}", "m {0}", joins_chain=True))
    monkeypatch.setitem(KERNELS, "middle", kernel)

    def emit(k, x, w):
        z = k.add(k.relu(x), w)
        m = k.emit("middle", z, axis=(0,), keepdims=False)[0]
        return {"z": z, "m": m, "n": k.add(m, 1.0)}

    assert compare(emit, {"x": (40, 6), "w": (6,)})


@pytest.mark.parametrize("transpose", [False, True])
def test_a_product_that_takes_an_epilogue(monkeypatch, transpose):
    """It stands where a matrix product would, before a bias and an activation."""
    _, rule, kernel, _ = NEW["product"]
    monkeypatch.setitem(
        OPS, "new", OpSpec("new", "product", rule, lambda node: 1, "{0} {1}", "{0} {1}", takes_epilogue=True)
    )
    monkeypatch.setitem(KERNELS, "new", kernel)

    def emit(k, x, w, b):
        z = k.emit("new", x, k.transpose(w) if transpose else w)[0]
        return {"o": k.relu(k.add(z, b)), "sum": k.sum(k.relu(k.add(z, b)), axis=0)}

    assert compare(emit, {"x": (40, 8), "w": (8, 8), "b": (8,)})


class Wave(Activation):
    """``a = sin(z) ``; its derivative is cos(z), and the op that makes both is new to every engine."""

    def apply(self, k, z):
        return k.emit("wave", z, 0.0)[0], Saved(z=z)

    def derivative(self, k, saved):
        return k.emit("wave", saved.z, float(np.pi / 2))[0]


def test_a_network_with_a_missing_op_trains_alike_on_both_engines(monkeypatch):
    rule = NEW["elementwise"][1]
    monkeypatch.setitem(OPS, "wave", OpSpec("wave", "elementwise", rule, lambda n: 1, "sin({0} + {1})", r"\sin({0} + {1})"))
    monkeypatch.setitem(KERNELS, "wave", lambda attrs, z, shift: np.sin(z + shift))
    assert check_layer(Wave(), (5,)).largest_error < 1e-6
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(30, 8, 8, 2)).astype(np.float32), rng.integers(0, 3, 30)
    found = []
    for engine in ("reference", "onednn"):
        net = Network([Conv2D(4, 3), Wave(), Flatten(), Dense(6), Wave(), ReLU(), Dense(3)], random_state=0)
        net.fit(X, y, epochs=3, batch_size=8, engine=engine, threads=2 if engine == "onednn" else None, verbose=0)
        found.append((net.history_["loss"], net.predict(X)))
    assert "sin(" in net.equations().latex() or "sin(" in str(net.equations())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_a_view_of_its_own_may_be_the_gradient_of_a_weight(monkeypatch):
    rule, kernel = NEW["view"][1:3]
    monkeypatch.setitem(OPS, "flat", OpSpec("flat", "view", rule, lambda n: 0, "{0}", "{0}"))
    monkeypatch.setitem(KERNELS, "flat", kernel)

    class Flat(Dense):
        def backward(self, k, saved, dy):
            dx = super().backward(k, saved, dy)
            key = (k.where.layer, "weight")
            k.gradients[key] = k.reshape(k.emit("flat", k.gradients[key])[0], k.gradients[key].shape)
            return dx

    assert check_layer(Flat(3), (4,)).largest_error < 1e-6


@pytest.mark.skipif(not get_engine("onednn").library.has_bfloat16, reason="this processor has no bfloat16")
def test_a_convolution_that_falls_back_reads_what_was_rounded(monkeypatch):
    shapes = {"x": (8, 12, 12, 32), "w": (3, 3, 32, 32)}

    def plan():
        k = Builder()
        x, w = (Value(shape, "float", "input", name) for name, shape in shapes.items())
        y = k.conv(x, w, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1))
        return optimise(Plan(k.nodes, {"x": x, "w": w}, {"y": k.relu(y)}, {}, {}, 8))

    rng = np.random.default_rng(2)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    wanted = ReferenceEngine("float64").compile(plan(), {}).run(arrays)["y"]
    monkeypatch.setattr("chainrule.engine.onednn.images._usable", lambda primitive: False)
    executable = get_engine("onednn", dtype="bfloat16").compile(plan(), {})
    assert any(segment.fallback for segment in executable.segments)
    np.testing.assert_allclose(executable.run(arrays)["y"], wanted, rtol=0.05, atol=0.5)
