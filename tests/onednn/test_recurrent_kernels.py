"""Kernels through time against the reference engine: every cell, odd sizes, masks, first states, divisions of the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engine import get_engine
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.layers import GRU, LSTM, Concat, Input, Masking, SimpleRNN
from chainrule.losses import SquaredError
from chainrule.network import NetworkGraph
from chainrule.ops import Builder, Value
from chainrule.ops.memory import aligned_zeros
from chainrule.optimizers import SGD
from chainrule.plan import Plan, lower_prediction, lower_training, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)

CELLS = {
    "tanh": lambda n, **k: SimpleRNN(n, **k),
    "relu": lambda n, **k: SimpleRNN(n, activation="relu", **k),
    "lstm": lambda n, **k: LSTM(n, **k),
    "after": lambda n, **k: GRU(n, **k),
    "before": lambda n, **k: GRU(n, reset="before", **k),
}


def network(kind: str, units: int, steps: int, *, states: bool, masked: bool, **options) -> NetworkGraph:
    layer = CELLS[kind](units, return_state=True, **options)
    x, m = Input((steps, 3)), Input((steps,))
    first = [Input((units,)) for _ in layer.carried] if states else []
    y, *ends = layer(Masking()(x, m) if masked else x, *first)
    # Every output counts, so that gradients come in by all of them; a single end goes through on its own.
    outputs = [y, Concat()(*ends) if len(ends) > 1 else ends[0]]
    return NetworkGraph(inputs=[x, *([m] if masked else []), *first], outputs=outputs, random_state=units).build()


def compare(net: NetworkGraph, batch: int, seed: int, *, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    data = {f"x{i}": rng.normal(size=(batch, *s)) for i, s in enumerate(net.input_shapes or [])}
    if masked:
        data["x1"] = (rng.uniform(size=data["x1"].shape) < 0.7).astype(float)
    data |= {f"y{i}": rng.normal(size=(batch, *s)) for i, s in enumerate(net.output_shapes)}
    options = {"input_gradients": True, "outputs": True, "targets": [0, 0]}

    def run(engine, dtype):
        plan = optimise(lower_training(net, [SquaredError()] * 2, None, batch, **options))
        arenas = {name: aligned_zeros(v.size, dtype) for name, v in plan.arenas.items()}
        arenas["parameters"][...] = net.parameters.flat
        executable = engine.compile(plan, arenas)
        if hasattr(executable, "temporaries"):
            assert executable.native  # nothing falls back to NumPy
            executable.temporaries.view(np.float32)[...] = np.nan
        kinds = {n: np.int32 if v.dtype == "int" else dtype for n, v in plan.inputs.items()}
        found = executable.run({n: np.ascontiguousarray(data[n], kinds[n]) for n in plan.inputs})
        return found | {n: net.parameters.view(arenas["gradients"], n) for n in net.parameters}

    wanted = run(ReferenceEngine("float64"), np.float64)
    for threads in (1, 2, 3):
        for name, value in run(get_engine("onednn", threads=threads), np.float32).items():
            # A gradient is a sum over all steps of all rows: where they cancel, it is as exact as its summands.
            whole = max(float(abs(wanted[n]).max(initial=0)) for n in net.parameters) if name in net.parameters else 0.0
            scale = max(1e-6, 0.2 * whole, float(abs(wanted[name]).max(initial=0)))
            np.testing.assert_allclose(value / scale, wanted[name] / scale, atol=2e-5, err_msg=f"{name}, {threads} threads")


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(CELLS)),
    units=st.sampled_from([1, 3, 15, 16, 17, 40, 64, 70]),
    steps=st.integers(1, 5),
    batch=st.sampled_from([1, 2, 5, 7, 50, 100]),
    states=st.booleans(),
    masked=st.booleans(),
    reverse=st.booleans(),
    sequences=st.booleans(),
    truncate=st.sampled_from([None, 1, 2, 3]),
    seed=st.integers(0, 99),
)
def test_cells(kind, units, steps, batch, states, masked, reverse, sequences, truncate, seed) -> None:
    options = {"reverse": reverse, "return_sequences": sequences, "truncate": truncate}
    net = network(kind, units, steps, states=states, masked=masked, **options)
    compare(net, batch, seed, masked=masked)


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_wide_cells(kind) -> None:
    net = network(kind, 150, 7, states=True, masked=True, return_sequences=True)
    compare(net, 33, 1, masked=True)


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_prediction_keeps_nothing_for_a_backward_pass(kind) -> None:
    net = NetworkGraph([CELLS[kind](20)], random_state=0).build((6, 4))
    x = np.random.default_rng(0).normal(size=(9, 6, 4)).astype(np.float32)
    plan = optimise(lower_prediction(net, 9))
    wanted = ReferenceEngine().compile(plan, {"parameters": net.parameters.flat}).run({"x0": x})["output0"]
    executable = get_engine("onednn", threads=2).compile(plan, {"parameters": net.parameters.flat})
    for _ in range(2):
        executable.temporaries.view(np.float32)[...] = np.nan
        np.testing.assert_allclose(executable.run({"x0": x})["output0"], wanted, atol=1e-5)


def test_numbers_do_not_depend_on_rebuilding() -> None:
    """A plan whose values already share memory is compiled again, as after a fork."""
    net = NetworkGraph([LSTM(20, return_sequences=True), LSTM(8)], random_state=0).build((6, 4))
    plan = optimise(lower_training(net, [SquaredError()], SGD(0.1), 12))
    rng = np.random.default_rng(0)
    data = {"x0": rng.normal(size=(12, 6, 4)).astype(np.float32), "y0": rng.normal(size=(12, 8)).astype(np.float32)}
    found = []
    for threads in (2, 1, 3):
        arenas = {name: aligned_zeros(v.size, np.float32) for name, v in plan.arenas.items()}
        arenas["parameters"][...] = net.parameters.flat
        executable = get_engine("onednn", threads=threads).compile(plan, arenas)
        for step in range(3):
            executable.run(data, {"lr": 0.1}, step=step)
        found.append(arenas["parameters"])
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    batch=st.sampled_from([1, 2, 5]),
    queries=st.sampled_from([1, 3, 17, 40]),
    keys=st.sampled_from([1, 5, 16, 33]),
    heads=st.sampled_from([1, 2, 5]),
    d=st.sampled_from([1, 4, 16]),
    e=st.sampled_from([1, 8, 20]),
    causal=st.booleans(),
    masked=st.booleans(),
    dropped=st.booleans(),
    seed=st.integers(0, 99),
)
def test_attention(batch, queries, keys, heads, d, e, causal, masked, dropped, seed) -> None:
    rng = np.random.default_rng(seed)
    shapes = {"q": (batch, queries, heads, d), "k": (batch, keys, heads, d), "v": (batch, keys, heads, e)}
    arrays = {n: rng.normal(size=s) for n, s in shapes.items()} | {"dy": rng.normal(size=(batch, queries, heads, e))}
    arrays["mask"] = (rng.uniform(size=(batch, keys)) < 0.6).astype(float)
    arrays["keep"] = rng.uniform(size=(batch, heads, queries, keys))
    k = Builder()
    values = {n: Value(a.shape, "float", "input", n) for n, a in arrays.items()}
    keep, mask = values["keep"] if dropped else None, values["mask"] if masked else None
    q, keyed, v = values["q"], values["k"], values["v"]
    y, p = k.attention(q, keyed, v, scale=0.3, causal=causal, mask=mask, keep=keep)
    back = k.attention_backward(values["dy"], q, keyed, v, p, scale=0.3, keep=keep)
    outputs = dict(zip(("y", "p", "dq", "dk", "dv"), (y, p, *back), strict=True))
    plan = optimise(Plan(k.nodes, values, outputs, {}, k.scalars, batch))
    wanted = ReferenceEngine("float64").compile(plan, {}).run(arrays)
    for threads in (1, 2, 3):
        executable = get_engine("onednn", threads=threads).compile(plan, {})
        assert executable.native
        executable.temporaries.view(np.float32)[...] = np.nan
        found = executable.run({n: a.astype(np.float32) for n, a in arrays.items()})
        for name, w in wanted.items():
            np.testing.assert_allclose(found[name], w, atol=2e-5, err_msg=f"{name}, {threads} threads")
