"""Convolutions by minimal filtering give what direct ones give, forwards and backwards, whatever their sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Network
from chainrule.engine import get_engine
from chainrule.engine.onednn import winograd
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.layers import BatchNorm, Conv2D, Dense, Flatten, ReLU
from chainrule.ops import Builder, Value
from chainrule.plan import Plan, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)


@pytest.fixture(autouse=True)
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minimal filtering for all channels and sizes, also on processors on which oneDNN's kernels are used."""
    monkeypatch.setattr(winograd, "_FEWEST_CHANNELS", 0)
    monkeypatch.setattr(winograd, "_FEWEST_TILES", 1)
    monkeypatch.setattr(winograd, "_is_faster_here", lambda: True)


def passes(x: tuple[int, ...], w: tuple[int, ...], padding: Any) -> Plan:
    """A convolution with a chain behind it, and its dx."""
    k = Builder()
    a, b, c = Value(x, "float", "input", "x"), Value(w, "float", "input", "w"), Value(w[-1:], "float", "input", "b")
    window = {"stride": (1, 1), "padding": padding, "dilation": (1, 1), "groups": 1}
    y = k.relu(k.add(k.conv(a, b, **window), c))
    dx = k.conv_backward_data(y, b, spatial=x[1:-1], **window)
    return optimise(Plan(k.nodes, {"x": a, "w": b, "b": c}, {"y": y, "dx": dx}, {}, k.scalars, 1))


def compared(x: tuple[int, ...], w: tuple[int, ...], padding: Any, threads: int) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in (("x", x), ("w", w), ("b", w[-1:]))
    }  # fmt: skip
    plan = passes(x, w, padding)
    wanted = ReferenceEngine("float64").compile(passes(x, w, padding), {}).run(arrays)
    executable = get_engine("onednn", threads=threads).compile(plan, {})
    assert sum("minimal filtering" in line for line in get_engine("onednn").explain(plan)) == 2
    for _ in range(2):  # what a run leaves behind must not matter to the next
        executable.temporaries.view(np.float32)[...] = np.nan
        found = executable.run(arrays)
        for name, value in wanted.items():
            assert np.abs(found[name] - value).max() <= 5e-6 * max(1.0, np.abs(value).max()), name


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.tuples(st.integers(1, 11), st.integers(1, 11)),
    st.sampled_from([8, 9, 16, 33, 64]),
    st.sampled_from([8, 15, 16, 17, 48]),
    st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2),
    st.integers(1, 3),
)
def test_random_shapes(samples: int, size: Any, inputs: int, outputs: int, padding: Any, threads: int) -> None:
    if any(s + a + b < 3 for s, (a, b) in zip(size, padding, strict=True)):
        return
    compared((samples, *size, inputs), (3, 3, inputs, outputs), padding, threads)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_more_tiles_than_fit_into_the_cache_and_more_channels_than_a_stretch(threads: int) -> None:
    compared((3, 24, 21, 16), (3, 3, 16, 8), ((1, 1), (1, 1)), threads)
    compared((1, 4, 5, 600), (3, 3, 600, 32), ((1, 1), (1, 1)), threads)


def test_other_convolutions_are_not_made_so() -> None:
    k = Builder()
    x, w = Value((2, 8, 8, 64), "float", "input", "x"), Value((3, 3, 64, 64), "float", "input", "w")
    group = Value((3, 3, 32, 64), "float", "input", "v")
    one = {"padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    outputs = [
        k.conv(x, w, stride=(2, 2), **one),
        k.conv(x, w, stride=(1, 1), **(one | {"dilation": (2, 2)})),
        k.conv(x, group, stride=(1, 1), **(one | {"groups": 2})),
    ]
    named = {f"o{i}": v for i, v in enumerate(outputs)}
    plan = optimise(Plan(k.nodes, {"x": x, "w": w, "v": group}, named, {}, k.scalars, 2))
    assert not any("minimal filtering" in line for line in get_engine("onednn").explain(plan))


def test_a_network_learns_the_same_as_on_the_reference_engine() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 7, 7, 3)).astype(np.float32), np.arange(12) % 3

    def learned(engine: str) -> Any:
        body = [Conv2D(16, 3, padding="same"), BatchNorm(), ReLU(), Conv2D(20, 3), ReLU(), Flatten(), Dense(3)]
        net = Network(body, random_state=0)
        net.fit(X, y, epochs=3, batch_size=5, optimizer="sgd", learning_rate=0.05, engine=engine, verbose=0)
        return net.predict(X)

    assert np.allclose(learned("onednn"), learned("reference"), atol=2e-4)


@pytest.mark.parametrize("rows", [5, 6, 7, 9, 14])
def test_the_prediction_of_a_sample_does_not_depend_on_the_others(rows: int) -> None:
    rng = np.random.default_rng(0)
    net = Network([Conv2D(24, 3, padding="same"), ReLU(), Conv2D(16, 3)], random_state=0).build((rows, 10, 8))
    X = rng.normal(size=(7, rows, 10, 8)).astype(np.float32)
    whole = net.predict(X)
    for n in (1, 2, 5):
        assert np.array_equal(net.predict(X[:n].copy()), whole[:n])
    assert np.array_equal(net.pack().predict(X), whole)
