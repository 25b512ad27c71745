"""A fit that skips the zeros of masked matrices learns what a fit that multiplies by them learns."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Network, ReLU
from chainrule.layers import Dropout, MaxNorm
from chainrule.losses import SquaredError
from chainrule.network import Masked
from chainrule.network import representation as held
from chainrule.network.representation import Masked as Mask
from chainrule.optimizers import SGD, Adafactor, Adam, AdamW, RMSprop
from chainrule.sparsity import GradualPruning, RigL, prune
from chainrule.training import Callback, Checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 24)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
QUIET: dict[str, Any] = {"verbose": 0, "batch_size": 20, "metrics": ()}


@pytest.fixture(autouse=True)
def _small_matrices_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "_SPARSE_SIZE", 500)


def made(layers: Any = None, dtype: str = "float32", inputs: tuple[int, ...] = (24,)) -> Network:
    layers = layers or [Dense(40), ReLU(), Dense(32), ReLU(), Dense(2)]
    return Network(layers, random_state=0, dtype=dtype).build(inputs)


def ops(net: Network, batch: int = 20) -> list[str]:
    plan = net._runtime.trainer.executable(batch).executable.plan
    return [m.op for node in plan.nodes for m in node.attrs.get("nodes", [node])]


def both(net: Network, monkeypatch: pytest.MonkeyPatch, x: Any = X, y: Any = Y, **fit: Any) -> tuple[Network, Network]:
    """The network after a fit that skips zeros, and after one that does not."""
    dense = copy.deepcopy(net)
    net.fit(x, y, **{**QUIET, "epochs": 4, **fit})
    with monkeypatch.context() as patch:
        patch.setattr(Mask, "is_sparse", False)
        dense.fit(x, y, **{**QUIET, "epochs": 4, **copy.deepcopy(fit)})
        assert not any("kept" in op for op in ops(dense))
    for name, w in net.parameters.items():
        size = float(np.abs(dense.parameters[name]).max())
        np.testing.assert_allclose(w, dense.parameters[name], rtol=2e-3, atol=2e-4 * max(size, 1e-3), err_msg=name)
        how = net.representation(name)
        if isinstance(how, Masked):
            assert (w[how.mask == 0] == 0).all()
    return net, dense


@pytest.mark.parametrize("engine", ["onednn", "reference"])
@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.05, momentum=0.9, nesterov=True),
        SGD(0.05, l2=0.01, l1=0.001),
        Adam(0.01),
        Adam(0.01, clip_norm=0.1),
        AdamW(0.01, weight_decay=0.1, clip_variable_norm=0.05),
        RMSprop(0.003, clip_value=0.01),
    ],
    ids=lambda optimizer: repr(optimizer)[:40],
)
def test_every_optimizer_learns_the_same(optimizer: Any, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, _ = both(prune(made(), 0.85, scope="layer"), monkeypatch, optimizer=optimizer, engine=engine)
    assert {"kept_matmul", "kept_outer", "take_kept", "put_kept"} <= set(ops(net))
    assert "spread_kept" not in ops(net)


def test_optimizers_and_rules_that_need_whole_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    net, _ = both(prune(made(), 0.85, scope="layer"), monkeypatch, optimizer=Adafactor(0.01))
    assert "spread_kept" in ops(net) and "put_kept" not in ops(net)
    layers = [Dense(40, weight_constraint=MaxNorm(0.5)), ReLU(), Dense(32), ReLU(), Dense(2)]
    net, _ = both(prune(made(layers), 0.85, scope="layer"), monkeypatch, optimizer=Adam(0.01))
    assert {"spread_kept", "put_kept"} <= set(ops(net))
    assert (np.linalg.norm(net.parameters["0.dense.weight"], axis=0) <= 0.5001).all()


def test_sequences_dropout_two_threads_and_frozen_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = RNG.normal(size=(60, 3, 24)).astype(np.float32)
    layers = [Dense(40), ReLU(), Dropout(0.3), Dense(32), ReLU(), Dense(2)]
    net = prune(made(layers, inputs=(3, 24)), 0.9, scope="layer")
    both(net, monkeypatch, steps, steps[:, :, :2], loss=SquaredError(), threads=2)
    net = prune(made(), 0.9, scope="layer")
    net.freeze("0.dense")
    both(net, monkeypatch)


def test_a_layer_that_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Dense(24)
    net = prune(made([shared, ReLU(), shared, ReLU(), Dense(2)]), 0.9, scope="layer")
    both(net, monkeypatch)


def test_gradients_by_finite_differences() -> None:
    """One step of plain descent with rate 1 shows the gradient; float64."""
    net = prune(made(dtype="float64"), 0.9, scope="layer")
    x, y = X[:20].astype(float), Y[:20]
    before = {name: w.copy() for name, w in net.parameters.items()}
    net.fit(x, y, epochs=1, optimizer=SGD(1.0), **QUIET)
    assert "kept_outer" in ops(net)
    gradients = {name: before[name] - w for name, w in net.parameters.items()}
    net.parameters.assign(before)
    for name, g in gradients.items():
        for place in [tuple(p) for p in np.argwhere(before[name] != 0)[::7]]:
            losses = []
            for step in (1e-6, -1e-6):
                net.parameters[name][place] = before[name][place] + step
                losses.append(net.evaluate(x, y, metrics=())["loss"])
            net.parameters[name][place] = before[name][place]
            assert g[place] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-8)
        how = net.representation(name)
        if isinstance(how, Masked):
            assert (g[how.mask == 0] == 0).all()


def test_few_zeros_and_few_samples_are_multiplied() -> None:
    net = prune(made(), 0.5, scope="layer").fit(X, Y, epochs=1, **QUIET)
    assert not any("kept" in op for op in ops(net))
    net = prune(made(), 0.9, scope="layer").fit(X, Y, epochs=1, **QUIET | {"batch_size": 4})
    assert not any("kept_matmul" in op for op in ops(net, 4))
    text = prune(made(), 0.9, scope="layer").fit(X, Y, epochs=1, **QUIET).equations()
    assert "kept(" not in str(text)


def test_a_mask_that_changes_in_a_fit_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Looks(Callback):
        def on_epoch_begin(self, state: Any, epoch: int) -> None:
            seen.append({name: how.mask != 0 for name, how in state.network.representations().items()})

    def callbacks() -> list[Callback]:
        return [GradualPruning(0.9, every=3, end=5), Looks()]

    net, _ = both(made(), monkeypatch, epochs=8, callbacks=callbacks())
    assert "kept_matmul" in ops(net)
    assert seen[0].keys() == seen[-1].keys()
    # A mask with more places than before, put there between two fits.
    name = "0.dense.weight"
    wider = net.representation(name).mask != 0
    wider[0] = True
    net.represent(name, Masked(wider))
    both(net, monkeypatch)
    assert (net.parameters[name][0] != 0).sum() > 5


@pytest.mark.parametrize("every", [1, 2, 5])
def test_rigl_needs_the_gradient_of_the_zeros_only_before_it_moves_weights(
    every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[bool] = []

    class Looks(Callback):
        def on_batch_chunk_end(self, state: Any, logs: Any) -> None:
            plan = state.network._runtime.trainer.executable(20).executable.plan
            used.append(any(m.op == "kept_outer" for node in plan.nodes for m in node.attrs.get("nodes", [node])))

    # Moments of weights that are dropped and grow again are the one thing in which the two ways differ.
    layers = ["0.dense", "2.dense"]  # the gradients of two classes are opposite: in the last layer weights tie
    callbacks = [RigL(0.85, every=every, scope="layer", layers=layers), Looks()]
    net, _ = both(made(), monkeypatch, epochs=6, optimizer=SGD(0.1), callbacks=callbacks)
    assert {type(how) for how in net.representations().values()} == {Masked}
    shares = [how.kept / how.mask.size for how in net.representations().values() if how.mask.size > 500]
    assert shares == pytest.approx([0.15, 0.15], abs=0.01)
    assert any(used)


@pytest.mark.parametrize("kind", [lambda: GradualPruning(0.9, every=6), lambda: RigL(0.9, every=6, scope="layer")])
def test_a_sparse_fit_is_resumed_bit_for_bit(kind: Any, tmp_path: Any) -> None:
    path, middle = tmp_path / "at", tmp_path / "middle"

    class Copies(Callback):
        def on_epoch_begin(self, state: Any, epoch: int) -> None:
            if epoch == 6:
                middle.write_bytes(path.read_bytes())

    through = made().fit(X, Y, epochs=9, **QUIET, callbacks=[kind(), Checkpoint(path), Copies()])
    resumed = made().fit(X, Y, epochs=9, **QUIET, callbacks=[kind(), Checkpoint(path)], resume=middle)
    assert "kept_matmul" in ops(through)
    for name in through.parameters:
        np.testing.assert_array_equal(resumed.parameters[name], through.parameters[name])
    assert resumed.representations() == through.representations()


def test_threads_give_the_same_numbers() -> None:
    found = []
    for threads in (1, 2):
        net = prune(made(), 0.9, scope="layer").fit(X, Y, epochs=3, threads=threads, **QUIET)
        found.append({name: w.copy() for name, w in net.parameters.items()})
    for name, w in found[0].items():
        np.testing.assert_allclose(w, found[1][name], rtol=1e-4, atol=1e-6)


def test_divergence_keeps_the_zeros() -> None:
    from chainrule.errors import DivergenceError

    net = prune(made(), 0.9, scope="layer")
    with pytest.raises(DivergenceError):
        net.fit(1e4 * X, X[:, :2], loss="squared_error", optimizer=SGD(1e6), epochs=3, **QUIET)
    for name, how in net.representations().items():
        assert (net.parameters[name][how.mask == 0] == 0).all() and np.isfinite(net.parameters[name]).all()
