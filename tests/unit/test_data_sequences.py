"""Samples of different lengths: the container, the buckets, and networks that learn from them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Dense, Input, Network, load
from chainrule.data import Sequences, length_buckets
from chainrule.diagnosis import Change
from chainrule.errors import DataError, DtypeError, ShapeError
from chainrule.layers import (
    GRU,
    LSTM,
    Conv1D,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    Masking,
    MultiHeadAttention,
    SimpleRNN,
)
from chainrule.network import Bidirectional
from chainrule.training.feeds import SequenceFeed


def ragged(n: int = 200, top: int = 30, seed: int = 0, width: int | None = None) -> Sequences:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, top + 1, n)
    if width is None:
        return Sequences([rng.integers(0, 9, t) for t in lengths])
    return Sequences([rng.normal(size=(t, width)) for t in lengths])


# ------------------------------------------------------------ the container


@given(st.lists(st.lists(st.integers(-5, 5), min_size=1, max_size=7), min_size=1, max_size=9), st.data())
def test_rows_come_back_as_they_went_in(samples: list[list[int]], data: st.DataObject) -> None:
    x = Sequences(samples)
    assert [a.tolist() for a in x] == samples
    rows = data.draw(st.lists(st.integers(0, len(samples) - 1), min_size=1))
    assert [a.tolist() for a in x[rows]] == [samples[i] for i in rows]
    longest = max(len(samples[i]) for i in rows)
    padded = x.padded(rows, longest + 2, padding=99)
    assert padded.tolist() == [samples[i] + [99] * (longest + 2 - len(samples[i])) for i in rows]


@pytest.mark.parametrize(
    ("samples", "error", "says"),
    [
        ([], DataError, "0 samples"),
        ([[1], []], DataError, r"X\[1\] has length 0"),
        ([[1.0], [2.0, float("nan")]], DataError, r"X\[1\].*step 1"),
        ([[[1.0, 2.0]], [[1.0]]], ShapeError, r"X\[1\]"),
        ([[1], ["a"]], DtypeError, r"X\[1\] must hold numbers"),
        ("abc", DtypeError, "list of sequences"),
        ([1, 2], ShapeError, r"X\[0\] must be a sequence"),
    ],
)
def test_bad_samples_are_named(samples: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Sequences(samples)


def test_a_sequence_longer_than_asked_for_is_not_cut() -> None:
    with pytest.raises(ShapeError, match="3 steps, more than the 2"):
        Sequences([[1, 2, 3]]).padded(length=2)


# ------------------------------------------------------------ buckets


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(1, 4))
@settings(max_examples=60)
def test_buckets_are_the_best_of_their_number(lengths: list[int], most: int) -> None:
    sizes = np.array(lengths)
    edges = length_buckets(sizes, waste=0.0, most=most)
    work = edges[np.searchsorted(edges, sizes)].sum()
    options = [
        np.array(chosen)
        for k in range(1, most + 1)
        for chosen in combinations(np.unique(sizes).tolist(), k)
        if chosen[-1] == sizes.max()
    ]
    assert len(edges) <= most and work == min(e[np.searchsorted(e, sizes)].sum() for e in options)


@pytest.mark.parametrize("top", [10, 60, 1000])
def test_padding_is_under_a_tenth_of_the_work(top: int) -> None:
    x = Sequences([np.zeros(t) for t in np.random.default_rng(top).integers(1, top + 1, 4000)])
    feed = SequenceFeed({"x0": x}, {"x0": np.float32})
    rng = np.random.default_rng(0)
    seen = []
    for piece in feed.pieces(32, lambda batch, shapes: 1, rng):
        seen.append(piece.batch)
    assert sum(seen) == 4000 and 0 < feed.padding < 0.1
    assert len(feed._edges[0]) <= 16


@pytest.mark.parametrize("long", [[300_000], [3_000, 300_000], [1_000] * 5, []])
def test_a_few_long_samples_pad_no_batch_of_short_ones(long: list[int]) -> None:
    lengths = [*np.random.default_rng(0).integers(20, 60, 200 - len(long)).tolist(), *long]
    x = Sequences.from_flat(np.zeros(sum(lengths), np.int32), np.concatenate([[0], np.cumsum(lengths)]))
    feed = SequenceFeed({"x0": x, "y0": np.arange(200)}, {"x0": np.int32, "y0": np.int32})
    for rng in (None, np.random.default_rng(0)):
        pieces = list(feed.pieces(32, lambda batch, shapes: 1, rng))
        assert feed.padding < 0.1 and len(pieces) == feed.steps(32) <= 7 + len(long)
        assert sorted(np.concatenate([p.data["y0"] for p in pieces])) == list(range(200))
        assert max(p.data["x0"].nbytes for p in pieces) <= 4 * max(32 * 60, max(long, default=0) * len(long))


def test_a_batch_of_all_samples_is_cut_only_where_most_of_it_would_be_padding() -> None:
    for long, batches in ((30, 1), (3000, 2)):
        x = Sequences([np.zeros(t, int) for t in [*range(20, 30), long]])
        feed = SequenceFeed({"x0": x}, {"x0": np.int32})
        assert len(feed.batches(11)) == len(feed.batches(100)) == batches
        assert feed.first(11)["x0"].shape == (12 - batches, 30 if batches == 1 else 29)


def test_padding_of_pairs_of_lengths_is_under_a_tenth() -> None:
    rng = np.random.default_rng(1)
    source = rng.integers(3, 14, 6000)
    target = np.clip(source + rng.integers(-3, 4, 6000), 1, None)
    x, y = (Sequences([np.zeros(t, int) for t in lengths]) for lengths in (source, target))
    feed = SequenceFeed(
        {"x0": x, "x1": y, "y0": y}, dict.fromkeys(("x0", "x1", "y0", "w0"), np.int32), masks={"w0": ("y0", ())}
    )
    shapes = {piece.shapes for piece in feed.pieces(32, lambda batch, shapes: 1, rng)}
    assert 0 < feed.padding < 0.1 and len(shapes) <= feed.plans


def test_every_epoch_has_every_sample_once_in_another_order() -> None:
    x = ragged(100)
    feed = SequenceFeed({"x0": x, "y0": np.arange(100)}, {"x0": np.int32, "y0": np.int32})
    rng = np.random.default_rng(0)
    epochs = [np.concatenate([p.data["y0"] for p in feed.pieces(16, lambda b, s: 1, rng)]) for _ in range(2)]
    assert all(sorted(e) == list(range(100)) for e in epochs) and (epochs[0] != epochs[1]).any()


# ------------------------------------------------------------ networks


def bag(classes: int = 2) -> Network:
    return Network([Input((None,), dtype="int"), Embedding(9, 8), Dense(classes)], random_state=0)


def test_outputs_for_each_step_come_back_at_their_lengths() -> None:
    x, net = ragged(), bag().build()
    z = net.predict(x, batch_size=16)
    assert isinstance(z, Sequences) and z.lengths.tolist() == x.lengths.tolist()
    for i in (0, 7, 199):
        np.testing.assert_allclose(z[i], net.predict(x[i][None])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("engine", ["reference", "onednn"])
def test_a_loss_over_steps_is_the_mean_over_those_that_are_there(engine: str) -> None:
    x = ragged()
    y = Sequences([np.arange(len(s)) % 3 for s in x])
    net = bag(3)
    net.fit(x, y, epochs=1, batch_size=16, verbose=0, engine=engine)
    z = net.predict(x)
    logits = z.values - z.values.max(axis=1, keepdims=True)
    nats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), y.values]
    found = net.evaluate(x, y, batch_size=32)
    assert found["loss"] == pytest.approx(nats.mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((z.values.argmax(axis=1) == y.values).mean())


def test_a_step_on_ragged_targets_is_that_of_the_padded_ones_with_weights() -> None:
    """One batch of all samples: the gradient is that of the mean over the steps that are there."""
    x = ragged(20, 6, width=3)
    y = Sequences([s[:, :2] * 2 for s in x])
    nets = [Network([Input((None, 3)), Dense(2)], random_state=0, dtype="float64") for _ in range(2)]
    nets[0].fit(x, y, optimizer="sgd", learning_rate=0.1, batch_size=20, epochs=3, verbose=0)
    flat = (x.values, y.values)
    for net, data in ((nets[1], flat),):
        net.fit(data[0][None], data[1][None], optimizer="sgd", learning_rate=0.1, batch_size=1, epochs=3, verbose=0)
    for name in nets[0].parameters:
        np.testing.assert_allclose(nets[0].parameters[name], nets[1].parameters[name], rtol=1e-9)
    np.testing.assert_allclose(nets[0].history_["loss"], nets[1].history_["loss"])


def test_weights_of_samples_count_for_all_their_steps() -> None:
    x = ragged(30, width=2)
    y = Sequences([s.sum(axis=1, keepdims=True) for s in x])
    weight = (np.arange(30) < 20).astype(float)
    nets = [Network([Input((None, 2)), Dense(1)], random_state=0) for _ in range(2)]
    found = [nets[0].build().evaluate(x, y, loss="mse", sample_weight=weight)["loss"]]
    found.append(nets[1].build().evaluate(x[:20], y[:20], loss="mse")["loss"])
    assert found[0] * len(x.values) == pytest.approx(found[1] * len(x[:20].values), rel=1e-5)


def test_fit_with_early_stopping_saving_and_partial_fit(tmp_path: Any) -> None:
    x = ragged(300, width=2)
    y = np.array([s.sum() > 0 for s in x])
    net = Network([Input((None, 2)), Dense(8), GlobalAveragePool(), Dense(1)], random_state=0)
    net.fit(x, y, epochs=6, validation_split=0.2, early_stopping=2, verbose=0, metrics=["roc_auc"])
    assert net.history_["loss"][-1] < net.history_["loss"][0] and "val_roc_auc" in net.history_
    net.partial_fit(x, y)
    net.save(tmp_path / "m.chainrule")
    again = load(tmp_path / "m.chainrule")
    assert again.input_shapes == [(-1, 2)]
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    padded = x.padded(dtype=np.float32)
    assert again.predict(padded[:, :7]).shape == again.predict(padded).shape == (300, 1)


def test_equal_seeds_give_equal_fits() -> None:
    x = ragged(150)
    y = Sequences([s % 2 for s in x])
    runs = [bag().fit(x, y, epochs=2, verbose=0).parameters.flat for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_lbfgs_takes_sequences() -> None:
    x = ragged(60, width=2)
    y = Sequences([s.sum(axis=1, keepdims=True) for s in x])
    net = Network([Input((None, 2)), Dense(1)], random_state=0).fit(x, y, optimizer="lbfgs", epochs=20, verbose=0)
    assert net.history_["loss"][-1] < 1e-4


# ------------------------------------------------------------ bad input


def test_a_parameter_may_not_depend_on_a_free_length() -> None:
    with pytest.raises(ShapeError, match=r"1.dense.weight.*another length"):
        Network([Input((None, 2)), Flatten(), Dense(1)]).build()


def test_sequences_for_a_network_of_one_length() -> None:
    net = Network([Input((4, 2)), Dense(1)]).build()
    with pytest.raises(ShapeError, match=r"Input\(\(None, \.\.\.\)\)"):
        net.predict(ragged(3, width=2))


@pytest.mark.parametrize("width", [1, 3])
def test_steps_of_another_width(width: int) -> None:
    with pytest.raises(ShapeError, match=r"\(T, 2\)"):
        Network([Input((None, 2)), Dense(1)]).build().predict(ragged(3, width=width))


def test_an_index_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(DataError, match=r"X\[1\]\[2\] is 9"):
        bag().build().predict(Sequences([[1, 2], [1, 2, 9]]))


def test_numbers_where_indices_belong() -> None:
    with pytest.raises(DataError, match=r"X\[1\]"):
        bag().build().predict(Sequences([[1.0, 2.0], [1.5]]))


def test_targets_with_another_number_of_steps() -> None:
    x = ragged(10)
    with pytest.raises(ShapeError, match="one target for each step"):
        bag().fit(x, Sequences([np.zeros(len(s) + 1, int) for s in x]), verbose=0)
    with pytest.raises(DataError, match="10 samples but y has 9"):
        bag().fit(x, x[:9], verbose=0)


def test_class_weight_with_a_target_a_step() -> None:
    x = ragged(10)
    alike, balanced, plain = (
        bag(9).fit(x, x, class_weight=w, epochs=2, shuffle=False, verbose=0).history_["loss"]
        for w in ([1.0] * 9, "balanced", None)
    )
    np.testing.assert_allclose(alike, plain, rtol=1e-5)
    assert np.isfinite(balanced).all() and abs(balanced[-1] - plain[-1]) > 1e-6


def test_ragged_lists_of_numbers_say_what_to_do() -> None:
    with pytest.raises(ShapeError, match=r"row 1 has length 1.*Sequences"):
        bag().build().predict([[1, 2], [1]])


def test_lengths_are_compared_with_the_sequences_that_come() -> None:
    x, n = Input((None, 2)), Input((), dtype="int")
    net = Network(inputs=[x, n], outputs=Dense(1)(LSTM(3)(Masking()(x, n))), random_state=0)
    data = ragged(40, width=2)
    net.fit([data, data.lengths], np.zeros((40, 1)), epochs=1, verbose=0)
    net.evaluate([data, data.lengths], np.zeros((40, 1)))
    together = net.predict([data, data.lengths])
    alone = net.predict([data[3][None], data.lengths[3:4]])
    np.testing.assert_allclose(together[3], alone[0], rtol=1e-4, atol=1e-6)
    padded = data.padded(length=50)
    np.testing.assert_allclose(net.predict([padded, data.lengths]), together, rtol=1e-4, atol=1e-6)
    with pytest.raises(DataError, match="51, but the sequences have 50 steps"):
        net.predict([padded, np.full(40, 51)])
    with pytest.raises(DataError, match="at least one step"):
        net.predict([padded, np.zeros(40, int)])


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [LSTM(4), Dense(2)],
        lambda: [Bidirectional(GRU(4)), Dense(2)],
        lambda: [Dense(4), GlobalAveragePool(), Dense(2)],
        lambda: [Conv1D(4, 1), GlobalMaxPool(), Dense(2)],
        lambda: [MultiHeadAttention(1), SimpleRNN(3, return_sequences=True), Dense(2)],
    ],
)
def test_a_network_without_masks_is_given_no_padding(layers: Any) -> None:
    rng = np.random.default_rng(0)
    x = Sequences([rng.normal(size=(t, 3)).astype(np.float32) for t in rng.integers(1, 12, 60)])
    net = Network([Input((None, 3)), *layers()], random_state=0).build()
    assert net.reads_padding() == [True]
    alone = [net.predict(one[None])[0] for one in x]
    for found, wanted in zip(net.predict(x), alone, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    feed = SequenceFeed({"x0": x, "y0": np.arange(60)}, {"x0": np.float32, "y0": np.int32}, exact=["x0"])
    pieces = list(feed.pieces(8, lambda batch, shapes: 1, rng))
    assert feed.padding == 0 and len(pieces) == feed.steps(8)
    assert sorted(np.concatenate([p.data["y0"] for p in pieces])) == list(range(60))


def test_which_networks_read_padding() -> None:
    x, n, tokens = Input((None, 3)), Input((), dtype="int"), Input((None,), dtype="int")
    masked = Network(inputs=[x, n], outputs=LSTM(2)(Dense(3)(Masking()(x, n))))
    assert masked.reads_padding() == [False, False]
    assert not any(Network([tokens, Embedding(9, 2, padding=0), LSTM(2)]).reads_padding())
    assert all(Network([tokens, Embedding(9, 2), LSTM(2)]).reads_padding())
    past = [LSTM(2, return_sequences=True), MultiHeadAttention(1, causal=True), Dense(2)]
    assert not any(Network([tokens, Embedding(9, 2), *past]).reads_padding())
    assert all(Network([tokens, Embedding(9, 2), *past, GlobalAveragePool()]).reads_padding())


def test_a_network_of_free_lengths_is_reported_and_cured(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    x = Sequences([rng.normal(size=(t, 3)) for t in rng.integers(1, 8, 60)])
    y = np.array([int(one[0, 0] > 0) for one in x])
    net = Network([Input((None, 3)), LSTM(4), Dense(2)], random_state=0).fit(x, y, epochs=1, verbose=0)
    net.report(x, y).save(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 1000
    whole = rng.normal(size=(60, 5, 3))
    changes = [Change("learning_rate", {"value": 0.01})]
    found = net.cure(whole, y, epochs=2, changes=changes, time_budget=5, validation_split=0.5)
    assert found.network.input_shapes == [(-1, 3)]


def test_batches_of_an_iterator_may_have_lengths_of_their_own() -> None:
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 9, (n, t)) for n, t in ((4, 3), (4, 6), (2, 5))]

    def batches() -> Any:
        return iter([(x, x % 2) for x in tokens])

    net = bag().fit(batches, epochs=2, engine="reference", verbose=0)
    assert np.isfinite(net.history_["loss"]).all() and net.input_shapes == [(-1,)]
    wrong = [(np.zeros((2, 4, 3)), [0, 1]), (np.zeros((2, 5, 2)), [0, 1])]
    recurrent = Network([Input((None, 3)), LSTM(4), Dense(2)], random_state=0)
    with pytest.raises(ShapeError, match=r"Batch 1 .*\(5, 2\)|Batch 1 .*\(N, T, 3\)"):
        recurrent.fit(lambda: iter(wrong), epochs=1, verbose=0)
    with pytest.raises(ShapeError, match="Every batch needs the same shape"):
        Network([LSTM(4), Dense(2)]).fit(lambda: iter([wrong[0], (np.zeros((2, 5, 3)), [0, 1])]), epochs=1, verbose=0)
