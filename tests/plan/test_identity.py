"""What is computed once and used again is told apart by what it is, never by how it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from chainrule import Dense, Network
from chainrule.diagnosis.change import Change
from chainrule.engine import get_engine
from chainrule.engine.onednn.program import compile_program
from chainrule.errors import EngineError
from chainrule.initializers import Constant
from chainrule.layers import Add, GraphConv, Input
from chainrule.losses import ElementwiseLoss
from chainrule.metrics import Metric
from chainrule.ops import Builder, Saved, SparseMatrix, Value
from chainrule.plan import Plan, optimise
from chainrule.registry import Configurable, identity

ENGINES = ["reference"]
try:
    get_engine("onednn")
    ENGINES.append("onednn")
except EngineError:
    pass


class Scale(Configurable):
    def __init__(self, factor=1.0):
        self.factor = factor


@dataclass(frozen=True)
class Point:
    x: object


def _spike(at: int) -> np.ndarray:
    return np.where(np.arange(2000) == at, 1.0, 0.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_spike(900), _spike(901)),
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(["a", None], object), np.array(["b", None], object)),
        (0.0, -0.0),
        (1, 1.0),
        (True, 1),
        ((1, 2), [1, 2]),
        ({"a": _spike(900)}, {"a": _spike(901)}),
        ({1, 2}, {1, 3}),
        (Scale(_spike(900)), Scale(_spike(901))),
        (Scale([SparseMatrix.of(np.eye(3))]), Scale([SparseMatrix.of(np.eye(3)[::-1])])),
        (Point(_spike(900)), Point(_spike(901))),
        (bytearray(b"a"), bytearray(b"a")),
        (len, abs),
    ],
)
def test_values_that_differ_have_different_keys(one: object, other: object) -> None:
    assert identity(one) != identity(other)
    for value in (one, other):
        assert identity(value) == identity(value)
        assert hash(identity(value)) == hash(identity(value))


def test_equal_values_have_one_key() -> None:
    assert identity({"a": 1, "b": [np.zeros(3)]}) == identity({"b": [np.zeros(3)], "a": 1})
    assert identity(Scale(_spike(3))) == identity(Scale(_spike(3)))
    assert identity(Point(_spike(3))) == identity(Point(_spike(3)))
    assert identity(float("nan")) == identity(float("nan"))
    assert identity(SparseMatrix.of(np.eye(2))) == identity(SparseMatrix.of(np.eye(2)))
    assert identity(np.arange(6).reshape(2, 3).T) == identity(np.ascontiguousarray(np.arange(6).reshape(2, 3).T))


def test_changes_of_many_rows_are_told_apart() -> None:
    rows = np.arange(2000)
    others = np.where(rows == 1000, 0, rows)
    one, other = Change("leave_out", {"rows": rows}), Change("leave_out", {"rows": others})
    assert repr(one) == repr(other) and one != other
    assert {one: 1, other: 2}[Change("leave_out", {"rows": rows.copy()})] == 1
    assert one != "leave_out"


def test_two_classes_of_one_name_are_two() -> None:
    other = type("Scale", (Configurable,), {"__init__": lambda self, factor=1.0: setattr(self, "factor", factor)})
    assert repr(other(2.0)) == repr(Scale(2.0))
    assert identity(other(2.0)) != identity(Scale(2.0))


@pytest.mark.parametrize("engine", ENGINES)
def test_two_graphs_of_equally_many_edges_stay_two(engine: str) -> None:
    path = SparseMatrix.from_edges([(0, 1), (1, 2)], nodes=4)
    star = SparseMatrix.from_edges([(2, 3), (0, 3)], nodes=4)
    assert repr(path) == repr(star)
    options = {"weight_init": Constant(1.0), "normalise": False, "self_loops": False}
    x = Input((2,))
    a = GraphConv(3, path, **options)(x)
    b = GraphConv(3, star, **options)(x)
    X = np.arange(8.0).reshape(4, 2)
    # Networks in float64 run on the reference engine.
    dtype = "float64" if engine == "reference" else "float32"
    net = Network(inputs=x, outputs=Add()(a, b), dtype=dtype, random_state=0).build()
    wanted = (path.to_dense() + star.to_dense()) @ X @ np.ones((2, 3))
    np.testing.assert_allclose(net.predict(X), wanted, rtol=1e-6)


def test_attributes_with_arrays_are_compared_entry_by_entry() -> None:
    k = Builder()
    x = Value((2, 4000), role="input", name="x")
    order = np.arange(4000)
    first, second = (k.emit("slice", x, axis=1, start=0, stop=10, note=note)[0] for note in (order, order[::-1].copy()))
    third = k.emit("slice", x, axis=1, start=0, stop=10, note=order.copy())[0]
    plan = optimise(Plan(k.nodes, {"x": x}, {"a": first, "b": second, "c": third}, {}, {}, 1))
    assert plan.outputs["a"] is plan.outputs["c"]
    assert plan.outputs["a"] is not plan.outputs["b"]


@pytest.mark.parametrize("engine", ENGINES)
def test_zero_and_minus_zero_are_two_constants(engine: str) -> None:
    k = Builder()
    x = Value((3,), role="input", name="x")
    up, down = k.divide(x, 0.0), k.divide(x, -0.0)
    plan = optimise(Plan(k.nodes, {"x": x}, {"up": up, "down": down}, {}, {}, 1))
    found = get_engine(engine).compile(plan, {}).run({"x": np.ones(3, np.float32)})
    assert (found["up"] == np.inf).all()
    assert (found["down"] == -np.inf).all()


def test_a_program_keeps_two_constants_too() -> None:
    k = Builder()
    x = Value((3,), role="input", name="x")
    up, down = k.divide(x, 0.0), k.divide(x, -0.0)
    program = compile_program(k.nodes, (up, down))
    assert len([o for o in program.operands if o.value is None and o.kind == 5]) == 2


class Weighted(ElementwiseLoss):
    """``ℓ = c (z − y)²`` with a factor for each output."""

    def __init__(self, factors):
        self.factors = factors

    def apply(self, k, z, y):
        d, c = k.subtract(z, y), float(np.sum(self.factors))
        return k.multiply(k.square(d), c), Saved(d=d, c=c)

    def derivative(self, k, saved):
        return k.multiply(saved.d, 2.0 * saved.c)


class Mark(Metric):
    """1 for every sample, times the sum of the marks."""

    def __init__(self, marks):
        self.marks = marks

    def measure(self, y, p, weight):
        return float(np.sum(self.marks))

    def forward(self, k, z, y):
        return k.add(k.multiply(k.sum(z, axis=1), 0.0), float(np.sum(self.marks)))


Mark.name = "mark_of_test"  # given late, so that the list of all metrics does not grow


def test_losses_and_metrics_with_arrays_are_told_apart() -> None:
    X, y = np.ones((5, 3)), np.zeros((5, 1))
    net = Network([Dense(1, weight_init=Constant(1.0))], random_state=0).build((3,))
    one, three = _spike(900), 3 * _spike(900)
    assert repr(Weighted(one)) == repr(Weighted(three))
    assert net.evaluate(X, y, loss=Weighted(one))["loss"] == pytest.approx(9.0)
    assert net.evaluate(X, y, loss=Weighted(three))["loss"] == pytest.approx(27.0)
    small, large = (net.input_gradient(X, y, loss=Weighted(f)) for f in (one, three))
    np.testing.assert_allclose(large, 3 * small, rtol=1e-6)
    for marks, wanted in ((one, 1.0), (three, 3.0)):
        found = net.evaluate(X, y, loss="mse", metrics=[Mark(marks)])
        assert found["mark_of_test"] == pytest.approx(wanted)
