"""Connectionist temporal classification: values, gradients, engines, decoding, error rates, and what cannot be."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import LSTM, Bidirectional, Conv1D, Dense, Input, Masking, Network
from chainrule.data import Sequences, beam_search_decode, best_path_decode
from chainrule.engine import get_engine
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import DataError, DivergenceError, DtypeError, EngineError, ParameterError, ShapeError
from chainrule.losses import CTC, get_loss
from chainrule.metrics import LabelErrorRate, character_error_rate, edit_distance, error_rate, word_error_rate
from chainrule.ops import Builder, Value
from chainrule.plan import Plan

try:
    ENGINES: tuple[Any, ...] = (ReferenceEngine("float64"), ReferenceEngine("float32"), get_engine("onednn", threads=2))
except EngineError:
    ENGINES = (ReferenceEngine("float64"), ReferenceEngine("float32"))
RNG = np.random.default_rng(0)


def run(op: str, z: Any, y: Any, mask: Any = None, engine: Any = ENGINES[0], **attrs: Any) -> list[np.ndarray]:
    """The outputs of one op."""
    dtype = "float64" if engine is ENGINES[0] else "float32"
    arrays = {"x0": np.asarray(z, dtype), "x1": np.asarray(y, np.int32)}
    if mask is not None:
        arrays["x2"] = np.asarray(mask, dtype)
    k = Builder()
    values = {n: Value(a.shape, "int" if n == "x1" else "float", "input", n) for n, a in arrays.items()}
    found = getattr(k, op)(values["x0"], values["x1"], mask=values.get("x2"), **attrs)
    outputs = {str(i): v for i, v in enumerate(found if isinstance(found, tuple) else (found,))}
    plan = Plan(k.nodes, values, outputs, {}, k.scalars, 1)
    executable = engine.compile(plan, {})
    if hasattr(executable, "temporaries"):
        assert executable.native
        executable.temporaries.view(np.float32)[...] = np.nan
    return list(executable.run(arrays).values())


def collapse(path: Any) -> tuple[int, ...]:
    return tuple(int(k) for k, _ in itertools.groupby(path) if k)


def by_all_paths(z: np.ndarray, y: Any) -> float:
    """−ln P(y | x) as the sum over every path there is."""
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    paths = itertools.product(range(z.shape[1]), repeat=len(z))
    found = sum(p[np.arange(len(z)), path].prod() for path in paths if collapse(path) == tuple(y))
    return -np.log(found) if found else np.inf


def padded(targets: list[list[int]], length: int) -> np.ndarray:
    return np.array([row + [0] * (length - len(row)) for row in targets])


# ------------------------------------------------------------ the op


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: f"{type(e).__name__}")
@pytest.mark.parametrize("y", [[], [1], [2, 2], [1, 2], [1, 2, 1], [2, 2, 2], [1, 1, 1, 1, 1]])
def test_the_loss_is_the_sum_over_all_paths(y: list[int], engine: Any) -> None:
    z = RNG.normal(size=(1, 5, 3))
    loss, dz = run("ctc", z, padded([y], 6), engine=engine)
    assert loss[0] == pytest.approx(by_all_paths(z[0], y), rel=2e-6)
    if not np.isfinite(loss[0]):
        assert not dz.any()  # five equal labels do not fit into five steps
        assert run("ctc", z, padded([y], 6), engine=engine, zero_infinity=True)[0][0] == 0


def test_the_gradient_by_finite_differences() -> None:
    z, y, h = RNG.normal(size=(4, 6, 4)), padded([[1, 2, 2], [3], [], [1, 1, 3]], 4), 1e-6
    mask = np.array([[1] * 6, [1, 1, 0, 1, 0, 1], [0, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]])
    dz = run("ctc", z, y, mask)[1]
    for at in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[at] += h
        down[at] -= h
        numeric = (run("ctc", up, y, mask)[0] - run("ctc", down, y, mask)[0])[at[0]] / (2 * h)
        assert dz[at] == pytest.approx(numeric, abs=2e-9)
    assert not dz[mask == 0].any()


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 7),
    steps=st.integers(1, 30),
    classes=st.integers(2, 20),
    longest=st.integers(1, 12),
    scale=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    masked=st.booleans(),
    blank=st.sampled_from([0, 1]),
    seed=st.integers(0, 2**16),
)
def test_engines_agree(
    n: int, steps: int, classes: int, longest: int, scale: float, masked: bool, blank: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    z = (rng.normal(size=(n, steps, classes)) * scale).astype(np.float32)
    y = np.where(np.arange(longest) < rng.integers(0, longest + 1, (n, 1)), rng.integers(1, classes, (n, longest)), 0)
    y = np.where(y == blank, 0, y) if blank else y
    y = np.where(np.arange(longest) < (y == 0).argmax(axis=1)[:, None] + longest * (y != 0).all(axis=1)[:, None], y, blank)
    mask = rng.random((n, steps)) < 0.7 if masked else None
    wanted = run("ctc", z, y, mask, zero_infinity=True, blank=blank)
    for engine in ENGINES[1:]:
        loss, dz = run("ctc", z, y, mask, engine, zero_infinity=True, blank=blank)
        np.testing.assert_allclose(loss, wanted[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(dz, wanted[1], atol=2e-6)
        rates = run("label_error_rate", z, y, mask, engine, blank=blank)[0]
        np.testing.assert_allclose(rates, run("label_error_rate", z, y, mask, blank=blank)[0], rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: f"{type(e).__name__}")
def test_extreme_logits_are_exact(engine: Any) -> None:
    z = np.full((2, 3, 3), -1e4)
    z[0, [0, 1, 2], [1, 0, 2]] = 1e4  # the path 1 ∅ 2, nearly certain
    z[1] = z[0]
    loss, dz = run("ctc", z, [[1, 2], [2, 1]], engine=engine)
    # 2 1 needs both labels at two of the steps where they have probability e^−20000 each.
    np.testing.assert_allclose(loss, [0.0, 4e4], atol=1e-9)
    assert np.abs(dz[0]).max() == 0
    np.testing.assert_allclose(dz[1].sum(axis=1), 0, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: f"{type(e).__name__}")
def test_no_number_stays_no_number_and_other_samples_stay_good(engine: Any) -> None:
    z = np.zeros((3, 4, 3))
    z[1, 2, 1] = np.nan
    z[2, 0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        loss, dz = run("ctc", z, [[1], [1], [2]], engine=engine)
    assert np.isfinite(loss[0]) and np.isnan(loss[1:]).all()
    assert np.isfinite(dz[0]).all() and np.isnan(dz[1]).any()
    mask = np.ones((3, 4))
    mask[1, 2] = mask[2, 0] = 0  # what does not count may be anything
    with np.errstate(invalid="ignore"):
        loss, dz = run("ctc", z, [[1], [1], [2]], mask, engine)
    assert np.isfinite(loss).all() and np.isfinite(dz).all()


def test_bad_shapes() -> None:
    k = Builder()

    def v(*shape: int, dtype: str = "float") -> Value:
        return Value(shape, dtype)

    with pytest.raises(ShapeError, match=r"expected logits \(N, T, K\)"):
        k.ctc(v(2, 3), v(2, 1, dtype="int"))
    with pytest.raises(ShapeError, match=r"int labels \(2, L\)"):
        k.ctc(v(2, 3, 4), v(3, 1, dtype="int"))
    with pytest.raises(ShapeError, match="one of the 4 labels"):
        k.ctc(v(2, 3, 4), v(2, 1, dtype="int"), blank=4)
    with pytest.raises(ShapeError, match=r"mask must have shape \(2, 3\)"):
        k.label_error_rate(v(2, 3, 4), v(2, 1, dtype="int"), mask=v(2, 4))


@pytest.mark.peer
@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_against_pytorch(scale: float) -> None:
    torch = pytest.importorskip("torch")
    for steps, classes, longest in ((12, 5, 4), (1, 3, 1), (40, 30, 15), (5, 2, 3)):
        n = 7
        z = RNG.normal(size=(n, steps, classes)) * scale
        lengths, inputs = RNG.integers(0, longest + 1, n), RNG.integers(1, steps + 1, n)
        y = np.where(np.arange(longest) < lengths[:, None], RNG.integers(1, classes, (n, longest)), 0)
        zt = torch.tensor(z, requires_grad=True)
        loss = torch.nn.functional.ctc_loss(
            torch.log_softmax(zt, -1).transpose(0, 1), torch.tensor(y), torch.tensor(inputs), torch.tensor(lengths),
            reduction="none", zero_infinity=True,
        )  # fmt: skip
        loss.sum().backward()
        found = run("ctc", z, y, np.arange(steps) < inputs[:, None], zero_infinity=True)
        np.testing.assert_allclose(found[0], loss.detach().numpy(), rtol=1e-9)
        np.testing.assert_allclose(found[1], zt.grad.numpy(), atol=1e-8)


# ------------------------------------------------------------ in a network


def bumps(n: int, seed: int = 0) -> tuple[Sequences, Sequences]:
    """Sequences with bumps of three kinds, and the kinds in their order."""
    rng = np.random.default_rng(seed)
    xs, ys = [], []
    for _ in range(n):
        labels = rng.integers(1, 4, rng.integers(0, 4))
        parts = [np.zeros((rng.integers(2, 5), 4))]
        for label in labels:
            bump = np.zeros((rng.integers(2, 4), 4))
            bump[:, label] = 1
            parts += [bump, np.zeros((rng.integers(1, 4), 4))]
        x = np.concatenate(parts)
        xs.append((x + 0.1 * rng.normal(size=x.shape)).astype(np.float32))
        ys.append(labels if len(labels) else np.array([0]))
    return Sequences(xs), Sequences(ys)


def recogniser(stride: int = 1) -> Network:
    x, lengths = Input((None, 4)), Input((), dtype="int")
    h = Conv1D(12, 3, stride=stride, padding=1)(Masking()(x, lengths))
    z = Dense(4)(Bidirectional(LSTM(12, return_sequences=True))(h))
    return Network(inputs=[x, lengths], outputs=z, random_state=0)


def test_a_network_learns_to_read_sequences_of_any_length() -> None:
    (x, y), (v, w) = bumps(200), bumps(40, seed=1)
    net = recogniser()
    net.fit([x, x.lengths], y, loss="ctc", epochs=16, learning_rate=0.015, verbose=0, validation_data=([v, v.lengths], w))
    assert net.history_["val_label_error_rate"][-1] < 0.05
    scores = net.evaluate([v, v.lengths], w)
    assert scores["label_error_rate"] < 0.05
    z = net.predict([v, v.lengths])
    truth = [[int(k) for k in labels if k] for labels in w]
    assert error_rate(truth, best_path_decode(z)) < 0.05
    assert error_rate(truth, [found[0][0] for found in beam_search_decode(z, beams=4)]) < 0.05


def test_padding_changes_nothing_and_outputs_have_the_steps_of_their_sample() -> None:
    (x, y), net = bumps(12), recogniser(stride=2).build()
    z = net.predict([x, x.lengths])
    assert z.lengths.tolist() == [(n + 1) // 2 for n in x.lengths]
    for i in range(len(x)):
        np.testing.assert_allclose(net.predict([x[i : i + 1], x.lengths[i : i + 1]])[0], z[i], atol=1e-6)
    loss = CTC(zero_infinity=True)
    whole = net.evaluate([x, x.lengths], y, loss=loss)["loss"]
    each = [net.evaluate([x[i : i + 1], x.lengths[i : i + 1]], y[i : i + 1], loss=loss)["loss"] for i in range(len(x))]
    assert whole == pytest.approx(np.mean(each), rel=1e-5)
    dense = net.evaluate([x.padded(), x.lengths], y.padded(length=7), loss=loss)["loss"]
    assert dense == pytest.approx(whole, rel=1e-5)


def test_gradients_of_a_whole_network_by_finite_differences() -> None:
    x, y, net = RNG.normal(size=(3, 7, 2)), padded([[1, 2], [2], []], 3), Network([Dense(3)], random_state=0).build((7, 2))
    t = net.trace(x, y, loss="ctc")
    w = net.parameters["0.dense.weight"]
    for at in ((0, 0), (1, 2)):
        losses = []
        for h in (1e-2, -1e-2):
            w[at] += h
            losses.append(net.trace(x, y, loss="ctc").loss)
            w[at] -= h
        assert t["0.dense.dweight"][at] == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=1e-3)


def test_sample_weights_count_samples() -> None:
    x, y = RNG.normal(size=(4, 6, 2)).astype(np.float32), padded([[1], [2], [1, 2], [2, 2]], 2)
    net = Network([Dense(3)], random_state=0).build((6, 2))
    whole = net.evaluate(x, y, loss="ctc", sample_weight=[2, 0, 0, 2])["loss"]
    assert whole == pytest.approx(net.evaluate(x[[0, 3]], y[[0, 3]], loss="ctc")["loss"], rel=1e-5)


def test_a_target_that_is_longer_than_its_sample_is_named() -> None:
    (x, y), net = bumps(30), recogniser(stride=7)
    with pytest.raises(DataError, match=r"y\[\d+\] has \d labels and needs \d steps .* puts out \d"):
        net.fit([x, x.lengths], y, loss="ctc", epochs=1, verbose=0)
    net.fit([x, x.lengths], y, loss=CTC(zero_infinity=True), epochs=1, verbose=0)
    dense = RNG.normal(size=(2, 3, 2))
    with pytest.raises(DataError, match=r"y\[1\] has 2 labels and needs 4 steps|y\[1\] has 3 labels and needs 4 steps"):
        Network([Dense(3)]).fit(dense, [[1, 2, 0], [1, 1, 2]], loss="ctc", epochs=1, verbose=0)
    with pytest.raises(DivergenceError):  # seen by nobody before: the lengths are those of a mask inside
        k = Network([Dense(3)]).build((3, 2))
        k.parameters["0.dense.weight"][...] = np.nan
        k.fit(dense, [[1], [2]], loss="ctc", epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("y", "error", "match"),
    [
        ([[3, 0]], DataError, r"class indices from 0 to 2.*y\[0, 0\] = 3"),
        ([[-1, 0]], DataError, r"y\[0, 0\] = -1"),
        ([[0, 1]], DataError, r"y\[0, 1\] = 1 stands behind a blank"),
        ([[0.5, 1.0]], ShapeError, r"whole numbers \(N, L\)"),
        ([[[1, 2]]], ShapeError, r"whole numbers \(N, L\)"),
    ],
)
def test_targets_that_cannot_be(y: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        Network([Dense(3)]).fit(RNG.normal(size=(1, 5, 2)), y, loss="ctc", epochs=1, verbose=0)


def test_outputs_and_blanks_that_cannot_be() -> None:
    with pytest.raises(ShapeError, match=r"expected an output \(N, T, K\)"):
        Network([Dense(3)]).fit(RNG.normal(size=(2, 5)), [[1], [2]], loss="ctc", epochs=1, verbose=0)
    with pytest.raises(ParameterError, match="blank=3 is not one of the 3"):
        Network([Dense(3)]).fit(RNG.normal(size=(1, 5, 2)), [[1]], loss=CTC(blank=3), epochs=1, verbose=0)
    for wrong in (-1, True, 0.5):
        with pytest.raises(ParameterError, match="blank must be"):
            CTC(blank=wrong).validate()  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="zero_infinity"):
        CTC(zero_infinity=1).validate()  # type: ignore[arg-type]
    assert get_loss("ctc") == CTC()


def test_equations_say_what_is_computed() -> None:
    text = str(Network([Dense(3)]).build((5, 2)).equations(loss="ctc"))
    assert "αₜ(j) = ln pₜ(sⱼ)" in text and "J = 1/N Σₙ −ln P(y | x)" in text and "labels" in text


# ------------------------------------------------------------ decoding


def test_beam_search_finds_the_most_probable_labels() -> None:
    z = RNG.normal(size=(6, 5, 3))
    for sample, found in zip(z, beam_search_decode(z, beams=100), strict=True):
        p = np.exp(sample) / np.exp(sample).sum(axis=1, keepdims=True)
        sums: dict[tuple[int, ...], float] = {}
        for path in itertools.product(range(3), repeat=5):
            sums[collapse(path)] = sums.get(collapse(path), 0.0) + float(p[np.arange(5), path].prod())
        best = max(sums, key=sums.__getitem__)
        assert tuple(found[0][0]) == best
        for labels, score in found:
            assert np.exp(score) == pytest.approx(sums[tuple(labels)], rel=1e-6)
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_decoding_takes_lengths_and_sequences() -> None:
    p = np.eye(3)[[[1, 1, 0, 1], [2, 0, 0, 2]]]
    assert best_path_decode(p) == [[1, 1], [2, 2]]
    assert best_path_decode(p, lengths=[2, 0]) == [[1], []]
    assert best_path_decode(Sequences([p[0], p[1, :1]])) == [[1, 1], [2]]
    assert best_path_decode(p, blank=1) == [[0], [2, 0, 2]]
    assert beam_search_decode(p, lengths=[1, 0], beams=1, logits=False)[1] == [([], 0.0)]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"outputs": np.zeros((2, 3))}, ShapeError, r"\(N, T, K\)"),
        ({"outputs": np.full((1, 2, 3), np.nan)}, DataError, "not finite"),
        ({"blank": 3}, ParameterError, "blank must be one of the 3"),
        ({"lengths": [3]}, ShapeError, "lengths must be"),
        ({"lengths": [1, 1]}, ShapeError, "lengths must be"),
    ],
)
def test_what_cannot_be_decoded(arguments: dict[str, Any], error: type[Exception], match: str) -> None:
    given = {"outputs": np.zeros((1, 2, 3)), **arguments}
    for decode in (best_path_decode, beam_search_decode):
        with pytest.raises(error, match=match):
            decode(**given)
    with pytest.raises(ParameterError, match="beams"):
        beam_search_decode(np.zeros((1, 2, 3)), beams=0)
    with pytest.raises(DataError, match="distribution"):
        beam_search_decode(np.zeros((1, 2, 3)), logits=False)


# ------------------------------------------------------------ error rates


@settings(max_examples=60, deadline=None)
@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edit_distance_by_the_table(a: str, b: str) -> None:
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    table[:, 0], table[0] = range(len(a) + 1), range(len(b) + 1)
    for i, j in itertools.product(range(len(a)), range(len(b))):
        table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (a[i] != b[j]))
    assert edit_distance(a, b) == edit_distance(b, a) == table[-1, -1]


def test_error_rates() -> None:
    assert character_error_rate(["abcd", ""], ["abxd", "y"]) == 0.5
    assert word_error_rate(["one two", "three"], ["one  too", "three four"]) == pytest.approx(2 / 3)
    assert LabelErrorRate()(np.array([[1, 2], [0, 0]]), np.eye(3)[[[1, 2], [1, 0]]], [1, 3]) == 0.75
    with pytest.raises(ShapeError, match="2 sequences but found has 1"):
        error_rate(["a", "b"], ["a"])
    with pytest.raises(DataError, match="no label"):
        error_rate([""], ["a"])
    with pytest.raises(DtypeError, match="list of sequences"):
        error_rate("ab", "ab")
    with pytest.raises(DtypeError, match="lists of texts"):
        word_error_rate("a b", "a b")
    with pytest.raises(ShapeError, match=r"\(N, L\)"):
        LabelErrorRate()(np.array([1, 2]), np.zeros((2, 3)))
