"""Random graphs of ops: no pass changes what a plan computes, or the plan that it was given.

A plan without any pass, after each pass alone and after all of them is run in float64 by the reference engine; outputs and
arenas must agree to the bit, since passes neither reorder sums nor combine ops. The fast engine, which computes in the
memory that is planned, must agree up to rounding.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.engine import get_engine
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.ops import Builder, SparseMatrix, Value
from chainrule.plan import Plan, optimise
from chainrule.plan.passes import PASSES
from chainrule.registry import identity

try:
    get_engine("onednn")
    FAST = True
except EngineError:
    FAST = False

N, C = 4, 3
GRAPHS = [SparseMatrix.from_edges(edges, nodes=N) for edges in ([(0, 1), (1, 2)], [(2, 3), (0, 3)])]
#: Views of the arena "weights" as (shape, offset); the last two lie over others.
PLACES = [((C, C), 0), ((C,), 16), ((N, C), 32), ((2, C), 0), ((C,), 19)]
ARENA = 64
#: Of the elementwise ops those whose results stay moderate, and of these the ones that do not jump.
ROUGH = ("greater", "greater_equal", "equal", "sign", "where_", "maximum", "minimum", "relu", "absolute")
UNARY = ("negative", "absolute", "sign", "square", "tanh", "sigmoid", "softplus", "erf", "relu", "copy")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "greater", "greater_equal", "equal")
NUMBERS = (0.0, -0.0, 1.0, 0.5, -2.0)


class Graph:
    """Draws a plan op by op."""

    def __init__(self, draw, smooth: bool) -> None:
        self.draw, self.smooth, self.k = draw, smooth, Builder()
        self.inputs = {
            "x": Value((N, C), "float", "input", "x"),
            "v": Value((C,), "float", "input", "v"),
            "s": Value((), "float", "input", "s"),
            "q": Value((2, 4, 4, 2), "float", "input", "q"),
            "i": Value((N,), "int", "input", "i"),
        }
        self.arena = Value((ARENA,), role="arena", name="weights")
        self.places = [Value(shape, "float", "parameter", "w", base=self.arena, offset=at) for shape, at in PLACES]
        self.pool = [v for v in self.inputs.values() if v.dtype == "float"] + self.places
        self.calls: list[tuple] = []
        for _ in range(draw(st.integers(2, 14), label="nodes")):
            self._step()
        self.outputs = {}
        made = [v for v in self.pool if v.base is None]
        for n in range(draw(st.integers(1, 4), label="outputs")):
            self.outputs[f"o{n}"] = draw(st.sampled_from(made[-8:]), label="output")

    def plan(self) -> Plan:
        arenas = {"weights": self.arena}
        return Plan(list(self.k.nodes), self.inputs, dict(self.outputs), arenas, self.k.scalars, N)

    def _of(self, fits=lambda v: True) -> Value | None:
        found = [v for v in self.pool if fits(v)]
        # Late values and places of the arena more often than others: the graph grows deep, and reads what it overwrites.
        often = found[-3:] * 2 + [v for v in found if v.base is not None]
        return self.draw(st.sampled_from(found + often)) if found else None

    def _add(self, *values: Value) -> None:
        self.pool += [v for v in values if v.dtype == "float"]

    def _step(self) -> None:
        kinds = (
            ["elementwise"] * 9
            + ["again"] * 2
            + ["assign"] * 2
            + ["overwrite"] * 2
            + ["product", "reduce", "move", "row", "image", "other"]
        )
        kind = self.draw(st.sampled_from(kinds), label="kind")
        getattr(self, f"_{kind}")()

    def _call(self, method: str, *args, **kwargs) -> None:
        self.calls.append((method, args, kwargs))
        made = getattr(self.k, method)(*args, **kwargs)
        self._add(*(made if isinstance(made, tuple) else (made,)))

    def _again(self) -> None:
        """The same op on the same inputs: what one computation is enough for, if nothing was assigned between."""
        if self.calls:
            method, args, kwargs = self.draw(st.sampled_from(self.calls), label="again")
            self._call(method, *args, **kwargs)

    def _elementwise(self) -> None:
        names = [n for n in (*UNARY, *BINARY, "divide", "where_") if not (self.smooth and n in ROUGH)]
        name = self.draw(st.sampled_from(names), label="op")
        a = self._of()
        if name in UNARY:
            return self._call(name, a)
        numbers = st.sampled_from(NUMBERS)

        def fits(v):
            try:
                return len(np.broadcast_shapes(a.shape, v.shape)) <= 4
            except ValueError:
                return False

        b = self.draw(numbers, label="number") if self.draw(st.integers(0, 3)) == 0 else self._of(fits)
        if name == "divide":
            # By something away from 0, so that rounding does not grow without bounds.
            return self._call("divide", a, self.k.add(self.k.square(b), 1.0) if isinstance(b, Value) else 2.0)
        if name == "where_":
            return self._call(name, a, b, self.draw(numbers))
        self._call(name, *((a, b) if self.draw(st.booleans()) else (b, a)))

    def _assign(self) -> Value | None:
        """To a place that nothing has been assigned to yet; what is read from it later is the new value."""
        free = [p for p in self.places if not any(self._overlap(p, w) for w in self.written())]
        if not free:
            return None
        place = self.draw(st.sampled_from(free), label="place")
        values = [v for v in self.pool if v.shape == place.shape]
        self.k.assign(place, self.draw(st.sampled_from(values), label="value"))
        return place

    def _overwrite(self) -> None:
        """Something that is computed from a place before it is overwritten, and goes on to be computed after it."""
        place = self.draw(st.sampled_from(self.places), label="read")
        self._call(self.draw(st.sampled_from(UNARY[:1] + UNARY[3:8])), place)
        made = self.pool[-1]
        if self.draw(st.booleans()):
            self._step()
        self._assign()
        self._call("multiply", made, self.draw(st.sampled_from((2.0, 3.0))))

    def written(self) -> list[Value]:
        return [v for n in self.k.nodes for v in n.outputs if v.base is not None]

    @staticmethod
    def _overlap(a: Value, b: Value) -> bool:
        return a.offset < b.offset + b.size and b.offset < a.offset + a.size

    def _product(self) -> None:
        a = self._of(lambda v: v.ndim == 2)
        ta, tb = self.draw(st.booleans()), self.draw(st.booleans())
        inner = a.shape[0] if ta else a.shape[1]
        b = self._of(lambda v: v.ndim == 2 and v.shape[1 if tb else 0] == inner)
        if b is not None:
            self._call("matmul", a, b, transpose_a=ta, transpose_b=tb)

    def _reduce(self) -> None:
        a = self._of()
        name = self.draw(st.sampled_from(("sum", "mean") if self.smooth else ("sum", "max", "mean")))
        axes = self.draw(st.sampled_from([None, *range(a.ndim), tuple(range(a.ndim - 1)) or None]))
        if a.size:
            self._call(name, a, axes, keepdims=self.draw(st.booleans()))

    def _row(self) -> None:
        a = self._of(lambda v: v.ndim > 0)
        name = self.draw(st.sampled_from(["softmax", "log_softmax", "log_sum_exp", "cross_entropy", "moments"]))
        if name == "cross_entropy":
            z = self._of(lambda v: v.shape == (N, C))
            return self._call("softmax_cross_entropy", z, self.inputs["i"])
        self._call(name, a)

    def _move(self) -> None:
        a = self._of(lambda v: v.ndim > 0)
        name = self.draw(st.sampled_from(["reshape", "transpose", "slice", "concat", "gather", "reshape"]))
        if name == "reshape":
            shape = self.draw(st.sampled_from([(-1,), (1, -1), (a.shape[0], -1), a.shape[::-1]]))
            return self._call(name, a, shape)
        if name == "transpose":
            return self._call(name, a)
        if name == "slice":
            axis = self.draw(st.integers(0, a.ndim - 1))
            return self._call(name, a, axis, 0, max(1, a.shape[axis] - 1))
        if name == "concat":
            return self._call(name, [a, self._of(lambda v: v.shape == a.shape)], 0)
        table = self._of(lambda v: v.ndim == 2 and v.shape[0] >= C)
        if table is not None:
            self._call("gather", table, self.inputs["i"])

    def _image(self) -> None:
        q = self._of(lambda v: v.shape == (2, 4, 4, 2))
        name = self.draw(st.sampled_from(["max_pool", "average_pool", "channel_moments", "conv"]))
        if name == "channel_moments":
            return self._call(name, q)
        if name == "conv":
            w = self._of(lambda v: v.size == 4)
            if w is not None:
                weight = self.k.reshape(w, (1, 1, 2, 2))
                self._call("conv", q, weight, stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1))
            return None
        if self.smooth and name == "max_pool":
            return None
        self._call(name, q, kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)))

    def _other(self) -> None:
        x = self._of(lambda v: v.shape == (N, C))
        name = self.draw(st.sampled_from(["random_uniform", "sparse_matmul", "one_hot"]))
        if name == "random_uniform":
            return self._call(name, x.shape)
        if name == "one_hot":
            return self._call(name, self.inputs["i"], C)
        self._call(name, self.draw(st.sampled_from(GRAPHS)), x, transpose=self.draw(st.booleans()))


def _data(seed: int, dtype: str) -> tuple[dict, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {"x": rng.normal(size=(N, C)), "v": rng.normal(size=C), "s": np.array(rng.normal()),
              "q": rng.normal(size=(2, 4, 4, 2))}  # fmt: skip
    arrays = {name: np.asarray(a, dtype) for name, a in arrays.items()} | {"i": rng.integers(0, C, N).astype(np.int32)}
    return arrays, rng.normal(size=ARENA).astype(dtype)


def _run(engine, plan: Plan, seed: int = 0, steps: int = 2) -> list[np.ndarray]:
    """Outputs and arena after some steps."""
    arrays, weights = _data(seed, engine.dtype)
    executable = engine.compile(plan, {"weights": weights})
    found = []
    for step in range(steps):
        found += list(executable.run({n: arrays[n] for n in plan.inputs}, step=step, seed=seed).values())
        found.append(weights.copy())
    return found


def _snapshot(plan: Plan) -> object:
    """Everything that a pass could change of a plan."""
    values = {id(v): v for n in plan.nodes for v in (*n.inputs, *n.outputs)} | {id(v): v for v in plan.outputs.values()}
    return (
        [(id(n), n.op, [*map(id, n.inputs)], [*map(id, n.outputs)], identity(n.attrs), n.where) for n in plan.nodes],
        [(name, id(v)) for name, v in plan.outputs.items()],
        [(i, v.shape, v.dtype, v.role, v.name, v.constant, id(v.base), v.offset, id(v.shares), id(v.producer))
         for i, v in values.items()],
        [*plan.inputs], [*plan.arenas], [*plan.scalars], plan.batch, [*plan.notes],
    )  # fmt: skip


SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@given(data=st.data())
@SETTINGS
def test_passes_change_no_number(data) -> None:
    plan = Graph(data.draw, smooth=False).plan()
    engine = ReferenceEngine("float64")
    with np.errstate(all="ignore"):
        wanted = _run(engine, plan)
        for one in dict.fromkeys((*PASSES, optimise)):
            found = _run(engine, one(plan))
            assert len(found) == len(wanted)
            for a, b in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"after {one.__name__}")


@given(data=st.data())
@SETTINGS
def test_passes_leave_the_plan_that_they_are_given_as_it_is(data) -> None:
    plan = Graph(data.draw, smooth=False).plan()
    for one in PASSES:
        before = _snapshot(plan)
        found = one(plan)
        assert _snapshot(plan) == before, one.__name__
        assert found.nodes is not plan.nodes and found.outputs is not plan.outputs
        assert set(found.outputs) == set(plan.outputs)
        plan = found


@given(data=st.data())
@SETTINGS
def test_optimised_plans_are_in_order_and_compute_nothing_twice_or_for_nobody(data) -> None:
    plan = optimise(Graph(data.draw, smooth=False).plan())
    made: dict[int, int] = {}
    for number, node in enumerate(plan.nodes):
        members = node.attrs.get("nodes", [node])
        inside = set()
        for member in members:
            for v in member.inputs:
                leaf = v.producer is None
                assert leaf or id(v) in inside or id(v) in made, f"{member.op} reads what was not made yet"
            inside.update(id(v) for v in member.outputs)
        outside = {id(v) for v in node.inputs}
        assert all(id(v) in outside or id(v) in inside for m in members for v in m.inputs)
        assert all(id(v) in inside for v in node.outputs)
        made |= dict.fromkeys((id(v) for v in node.outputs), number)
    assert all(v.producer is None or id(v) in made for v in plan.outputs.values())
    read = {id(v) for n in plan.nodes for v in n.inputs} | {id(v) for v in plan.outputs.values()}
    for node in plan.nodes:
        for number, v in enumerate(node.outputs):
            unused = number in node.attrs.get("unused", ())
            assert unused == (id(v) not in read and v.base is None), (node.op, number)


@pytest.mark.skipif(not FAST, reason="the onednn engine cannot be used here")
@given(data=st.data(), threads=st.sampled_from([1, 2]))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_fast_engine_agrees_in_memory_that_is_shared(data, threads: int) -> None:
    plan = Graph(data.draw, smooth=True).plan()
    with np.errstate(all="ignore"):
        wanted = _run(ReferenceEngine("float64"), plan)
        engine = get_engine("onednn", threads=threads)
        engine.dtype = "float32"
        found = _run(engine, optimise(plan))
    for a, b in zip(found, wanted, strict=True):
        if np.isfinite(b).all() and np.abs(b).max(initial=0) < 1e3:
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
