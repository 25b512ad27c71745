"""Weights that predictions keep in a second order follow every way in which a network's numbers can be changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Network, load
from chainrule.engine import get_engine
from chainrule.layers import BatchNorm, Conv2D, Dense, Flatten, ReLU
from chainrule.network.store import views
from chainrule.training.callbacks import Callback

rng = np.random.default_rng(0)
NATIVE = get_engine("auto").name != "reference"


def network(images: bool = False) -> Network:
    body: list[Any] = [Conv2D(8, 3), BatchNorm(), ReLU(), Flatten()] if images else [Dense(37), ReLU()]
    return Network([*body, Dense(21), ReLU(), Dense(5)], random_state=0).build((6, 6, 3) if images else (50,))


def samples(images: bool, n: int = 9) -> Any:
    return rng.normal(size=(n, 6, 6, 3) if images else (n, 50)).astype(np.float32)


def expected(net: Network, X: Any) -> Any:
    """The prediction of a copy, for which everything is laid out anew."""
    return copy.deepcopy(net).predict(X)


def by_name(net: Network) -> None:
    net.parameters[next(iter(net.parameters))][...] *= 0.5


def by_the_flat_array(net: Network) -> None:
    net.parameters.flat[...] *= 0.5


def by_assignment(net: Network) -> None:
    net.parameters.assign({name: 0.5 * array for name, array in net.parameters.items()})


def by_a_fit(net: Network) -> None:
    X = samples(len(net.input_shapes[0]) == 3)
    net.fit(X, np.arange(len(X)) % 5, epochs=1, batch_size=4, learning_rate=0.1, verbose=0)


def by_a_pass(net: Network) -> None:
    X = samples(len(net.input_shapes[0]) == 3)
    net.partial_fit(X, np.arange(len(X)) % 5, learning_rate=0.1)


def by_full_batches(net: Network) -> None:
    X = samples(len(net.input_shapes[0]) == 3)
    net.fit(X, np.arange(len(X)) % 5, optimizer="lbfgs", epochs=2, verbose=0)


def by_a_network_that_shares_the_layers(net: Network) -> None:
    by_a_fit(Network([net], random_state=1).build(net.input_shapes[0]))


@pytest.mark.parametrize("images", [False, True], ids=["dense", "images"])
@pytest.mark.parametrize(
    "change",
    [
        by_name, by_the_flat_array, by_assignment, by_a_fit, by_a_pass, by_full_batches, by_a_network_that_shares_the_layers,
    ],
)  # fmt: skip
def test_a_prediction_follows_each_change(change: Callable[[Network], None], images: bool) -> None:
    net, X = network(images), samples(images)
    before = net.predict(X)
    assert np.array_equal(net.predict(X), before)
    change(net)
    found = net.predict(X)
    assert not np.allclose(found, before)
    assert np.array_equal(found, expected(net, X))
    assert np.array_equal(net.predict(X[:4]), expected(net, X[:4]))


@pytest.mark.parametrize("images", [False, True], ids=["dense", "images"])
def test_a_view_that_is_kept_may_be_written_at_any_time(images: bool) -> None:
    net, X = network(images), samples(images)
    weights = [net.parameters[name] for name in net.parameters if name.endswith("weight")]
    part = weights[-1][1:3]
    for _ in range(3):
        for array in (*weights, part):
            array *= 0.9
            assert np.array_equal(net.predict(X), expected(net, X))
    flat = net.parameters.flat
    del weights, part
    net.predict(X)
    flat *= 0.9
    assert np.array_equal(net.predict(X), expected(net, X))


def test_weights_are_laid_out_once_where_nobody_can_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X = network(), samples(False)
    net.predict(X)
    net.predict(X)
    (compiled,) = net._runtime.predictors(net)._kept.values()
    laid_out: list[int] = []
    monkeypatch.setattr(compiled.executable, "lay_out", lambda: laid_out.append(1))
    for _ in range(3):
        net.predict(X)
        net.predict(X, batch_size=20)
    assert not laid_out
    kept = net.parameters["0.dense.bias"]
    assert views(net.parameters.blocks[0]) == 1
    net.predict(X)
    net.predict(X)
    assert len(laid_out) == 2
    del kept
    net.predict(X)
    net.predict(X)
    assert len(laid_out) == 3, "once more after the view was given back, and then no more"


def test_a_callback_sees_the_weights_of_its_step() -> None:
    net, X = network(), samples(False, 12)
    seen: list[Any] = []

    class Predicts(Callback):
        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            seen.append((net.predict(X), expected(net, X)))

    net.fit(X, np.arange(12) % 5, epochs=3, batch_size=4, learning_rate=0.1, callbacks=[Predicts()], verbose=0)
    assert len(seen) == 3 and all(np.array_equal(a, b) for a, b in seen)
    assert not np.allclose(seen[0][0], seen[2][0])


@pytest.mark.skipif(not NATIVE, reason="of the compiled engine")
def test_plans_of_other_batch_sizes_have_the_same_panels_and_a_loaded_copy_has_its_own(tmp_path: Path) -> None:
    net, X = network(), samples(False)
    net.predict(X)
    net.predict(X[:5])
    first, second = (compiled.executable for compiled in net._runtime.predictors(net)._kept.values())
    panels = [panels for *_, panels in getattr(first, "_steady", [])]
    assert [id(p) for *_, p in getattr(second, "_steady", [])] == [id(p) for p in panels]
    net.save(tmp_path / "net.chainrule")
    other = load(tmp_path / "net.chainrule")
    assert np.array_equal(other.predict(X), net.predict(X))
    by_name(other)
    assert not np.allclose(other.predict(X), net.predict(X))
