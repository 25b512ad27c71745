"""The gradient through time against explicit Jacobians, and what a diagnosis says of it."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import GRU, LSTM, Bidirectional, Dense, Embedding, GlobalAveragePool, Input, Masking, Network, SimpleRNN
from chainrule.data import Sequences
from chainrule.diagnosis import Diagnosis, TimeChain
from chainrule.errors import ParameterError, UnknownNameError
from chainrule.initializers import Normal, Orthogonal
from chainrule.trials import DiagnosisWarning, Watch, through_time

RNG = np.random.default_rng(0)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# ---------------------------------------------------------------- the cells, once more and by themselves


def rnn_step(p: dict[str, Any], x: Any, state: Any) -> tuple[Any, dict[str, Any]]:
    z = x @ p["weight"] + state[0] @ p["recurrent_weight"] + p["bias"]
    if p["activation"] == "relu":
        return (np.maximum(z, 0),), {"slope": (z > 0).astype(float)}
    return (np.tanh(z),), {"slope": 1 - np.tanh(z) ** 2}


def lstm_step(p: dict[str, Any], x: Any, state: Any) -> tuple[Any, dict[str, Any]]:
    h, c = state
    i, f, g, o = np.split(x @ p["weight"] + h @ p["recurrent_weight"] + p["bias"], 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c + i * g
    return (o * np.tanh(c), c), {"gate": f, "o": o}


def gru_step(p: dict[str, Any], x: Any, state: Any) -> tuple[Any, dict[str, Any]]:
    (h,) = state
    a, u, H = x @ p["weight"] + p["bias"], p["recurrent_weight"], len(state[0])
    r, z = sigmoid(a[:H] + h @ u[:, :H]), sigmoid(a[H : 2 * H] + h @ u[:, H : 2 * H])
    if p["reset"] == "after":
        n = np.tanh(a[2 * H :] + r * (h @ u[:, 2 * H :] + p["recurrent_bias"]))
    else:
        n = np.tanh(a[2 * H :] + (r * h) @ u[:, 2 * H :])
    return ((1 - z) * n + z * h,), {"gate": z}


STEPS = {"SimpleRNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}


def numeric_gradient(f: Any, at: Any) -> Any:
    found = np.empty_like(at)
    for i in range(at.size):
        h = np.zeros_like(at)
        h[i] = 1e-6
        found[i] = (f(at + h) - f(at - h)) / 2e-6
    return found


def jacobian(f: Any, at: Any) -> Any:
    return np.stack([numeric_gradient(lambda v, k=k: f(v)[k], at) for k in range(len(f(at)))])


def explicit(cell: Any, p: dict[str, Any], xs: Any, loss: Any, every: bool) -> dict[str, Any]:
    """‖G‖ of every step and ‖·‖ after every factor of the steps between, of one sample, from finite differences alone.

    loss : of h_T, or with every of all h (T, H)
    """
    kind, T, H = type(cell).__name__, len(xs), int(cell.units)
    step = STEPS[kind]
    zero = (np.zeros(H), np.zeros(H)) if kind == "LSTM" else (np.zeros(H),)
    states, insides = [zero], []
    for x in xs:
        state, inside = step(p, x, states[-1])
        states.append(state)
        insides.append(inside)

    def rest(t: int, state: Any, own: bool = True) -> float:
        """The loss as a function of the state after step t; without own, of later steps alone."""
        hs = [s[0] for s in states[1 : t + 1]] + [state[0]]
        for x in xs[t + 1 :]:
            state, _ = step(p, x, state)
            hs.append(state[0])
        if not every:
            return loss(hs[-1])
        hs = np.stack(hs)
        if not own:
            hs[t] = states[t + 1][0]
        return loss(hs)

    def of_cell(t: int, own: bool = True) -> Any:
        """G after step t: of c with h = o tanh(c) made of it, or of h."""
        if kind == "LSTM":
            o = insides[t]["o"]
            return numeric_gradient(lambda c: rest(t, (o * np.tanh(c), c), own), states[t + 1][1])
        return numeric_gradient(lambda h: rest(t, (h,), own), states[t + 1][0])

    G = [of_cell(t) for t in range(T)]
    stages: dict[str, list[Any]] = {}
    for t in reversed(range(1, T)):
        passed = of_cell(t - 1, own=False)
        if kind == "SimpleRNN":
            first = G[t] * insides[t]["slope"]
            J = jacobian(lambda h, t=t: step(p, xs[t], (h,))[0][0], states[t][0])
            np.testing.assert_allclose(J.T @ G[t], passed, atol=1e-7)
            stages.setdefault("activation", []).append(first)
        else:
            stages.setdefault("gate", []).append(G[t] * insides[t]["gate"])
        stages.setdefault("weight", []).append(passed)
    return {"G": np.stack(G), "stages": {role: np.stack(v) for role, v in stages.items()}}


CELLS = {
    "tanh": lambda **o: SimpleRNN(3, recurrent_init="glorot_normal", **o),
    "relu": lambda **o: SimpleRNN(4, activation="relu", **o),
    "lstm": lambda **o: LSTM(3, **o),
    "gru": lambda **o: GRU(3, **o),
    "gru, reset before": lambda **o: GRU(3, reset="before", **o),
}
each_cell = pytest.mark.parametrize("make", CELLS.values(), ids=list(CELLS))


def network(layers: list[Any], shape: tuple[int, ...]) -> Network:
    net = Network(layers, random_state=1, dtype="float64").build(shape)
    for name in net.parameters:
        if "bias" in name:
            net.parameters[name][...] += np.random.default_rng(2).uniform(0.1, 0.6, size=net.parameters[name].shape)
    return net


def own(net: Network, key: str, cell: Any) -> dict[str, Any]:
    p = {name.rpartition(".")[2]: net.parameters[name] for name in net.parameters if name.startswith(key + ".")}
    return p | {"activation": getattr(cell, "activation", ""), "reset": getattr(cell, "reset", "")}


@each_cell
@pytest.mark.parametrize("every", [False, True], ids=["last step", "every step"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
def test_every_factor_is_that_of_the_explicit_jacobians(make: Any, every: bool, reverse: bool) -> None:
    cell = make(return_sequences=every, reverse=reverse)
    net = network([cell, Dense(2)], (5, 2))
    X = RNG.normal(size=(1, 5, 2))
    y = RNG.normal(size=(1, 5, 2) if every else (1, 2))
    (key,) = [k for k in net.layers if "dense" not in k]
    chain = through_time(net, X, y, loss="squared_error")[key]
    W, b = (net.parameters[f"1.dense.{n}"] for n in ("weight", "bias"))
    turn = -1 if reverse else 1
    target = y[0][::turn] if every else y[0]
    wanted = explicit(cell, own(net, key, cell), X[0][::turn], lambda h: ((h @ W + b - target) ** 2).mean(), every)
    norm = lambda a: np.sqrt((a**2).sum(axis=-1))  # noqa: E731
    G = norm(wanted["G"])[::-1]
    np.testing.assert_allclose(chain.norms, G, rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(chain.order, np.arange(5)[::-turn])
    last = G[:-1]
    for role, stage in wanted["stages"].items():
        np.testing.assert_allclose(chain.gains[role], norm(stage) / last, rtol=2e-5, err_msg=role)
        last = norm(stage)
    assert list(chain.gains) == [*wanted["stages"], *(["join"] if every else [])]
    if every:
        np.testing.assert_allclose(chain.gains["join"], G[1:] / last, rtol=2e-5)
    assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9, abs=1e-12)
    assert sum(chain.shares().values()) == pytest.approx(1)
    assert chain.passed_log10 == pytest.approx(np.log10(chain.step_gains).sum())


@each_cell
def test_logarithms_add_up_over_many_samples_and_steps(make: Any) -> None:
    net = network([make(return_sequences=True), make(), Dense(1)], (40, 3))
    X, y = RNG.normal(size=(9, 40, 3)), RNG.normal(size=(9, 1))
    lower, upper = through_time(net, X, y, loss="squared_error").values()
    assert "join" in lower.gains and "join" not in upper.gains
    for chain in (lower, upper):
        assert len(chain) == 40 and chain.norms.shape == (40,) and chain.step_gains.shape == (39,)
        assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)
        assert chain.norms[-1] / chain.norms[0] == pytest.approx(10**chain.log10)
    # All that is between the last stage of a step and the next gradient is what enters from above.
    product = np.prod([upper.gains[role] for role in upper.gains], axis=0)
    np.testing.assert_allclose(product, upper.norms[1:] / upper.norms[:-1], rtol=1e-12)
    assert upper.sentence().startswith(upper.layer) and upper.sentence() in str(upper)
    assert "enter on the way" in lower.sentence() and "enter on the way" not in upper.sentence()


@each_cell
def test_the_branch_through_the_weights_adds_up_to_what_is_passed(make: Any) -> None:
    net = network([make(), Dense(1)], (7, 2))
    X, y = RNG.normal(size=(1, 7, 2)), RNG.normal(size=(1, 1))
    (chain,) = through_time(net, X, y, loss="squared_error").values()
    if chain.kind == "SimpleRNN":
        assert not chain.beside
        return
    beside = np.prod(list(chain.beside.values()), axis=0) * chain.norms[:-1]
    carried = chain.gains["gate"] * chain.norms[:-1]
    passed = chain.step_gains * chain.norms[:-1]
    # Two vectors and their sum: the triangle's sides.
    assert (passed <= carried + beside + 1e-12).all() and (passed >= np.abs(carried - beside) - 1e-12).all()


@each_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_changes_nothing(make: Any, reverse: bool) -> None:
    """A padded step hands the gradient on: factors of 1, and elsewhere those of the sequence without padding."""

    def build(T: int) -> Network:
        x, lengths = Input((T, 2)), Input((), dtype="int")
        h = make(reverse=reverse)(Masking()(x, lengths))
        return Network(inputs=[x, lengths], outputs=Dense(1)(h), random_state=1, dtype="float64").build()

    long, short = build(9), build(5)
    short.parameters.assign(dict(long.parameters.items()))
    X, y = RNG.normal(size=(3, 9, 2)), RNG.normal(size=(3, 1))
    X[:, 5:] = 0
    (padded,) = through_time(long, [X, np.array([5, 5, 5])], y, loss="squared_error").values()
    (plain,) = through_time(short, [X[:, :5], np.array([5, 5, 5])], y, loss="squared_error").values()
    assert padded.log10 == pytest.approx(plain.log10, rel=1e-9, abs=1e-12) or reverse
    at = slice(4, None) if not reverse else slice(0, 4)
    for role, gains in plain.gains.items():
        np.testing.assert_allclose(padded.gains[role][at], gains, rtol=1e-9)
        if not reverse:
            np.testing.assert_allclose(padded.gains[role][:4], 1, rtol=1e-12)
    assert padded.means == pytest.approx(plain.means)
    # Sequences of lengths of their own: still without a rest.
    (mixed,) = through_time(long, [X, np.array([3, 5, 9])], y, loss="squared_error").values()
    assert sum(mixed.factors().values()) == pytest.approx(mixed.log10, rel=1e-9)
    assert "join" not in mixed.gains
    product = np.prod(list(mixed.gains.values()), axis=0)
    np.testing.assert_allclose(product, mixed.norms[1:] / mixed.norms[:-1], rtol=1e-9)


@each_cell
def test_sequences_that_all_end_in_padding_with_a_loss_at_every_step(make: Any) -> None:
    net = network([Embedding(9, 3, padding=0), make(return_sequences=True), GlobalAveragePool(), Dense(2)], (6,))
    tokens = RNG.integers(1, 9, (4, 6))
    tokens[:, 4:] = 0
    (chain,) = through_time(net, tokens, np.array([0, 1, 0, 1]), loss="softmax_cross_entropy").values()
    assert list(chain.order) == [3, 2, 1, 0] and not chain.by_position[4:].any()
    assert np.isfinite(chain.log10) and sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)


@each_cell
def test_one_step(make: Any) -> None:
    net = network([make(), Dense(1)], (1, 2))
    (chain,) = through_time(net, RNG.normal(size=(3, 1, 2)), np.ones((3, 1)), loss="squared_error").values()
    assert chain.log10 == 0 and not sum(chain.factors().values()) and not chain.shares()
    assert "one step" in chain.sentence() and chain.sentence() in str(chain)


@each_cell
def test_truncation(make: Any) -> None:
    net = network([make(truncate=3), Dense(1)], (8, 2))
    (chain,) = through_time(net, RNG.normal(size=(3, 8, 2)), np.ones((3, 1)), loss="squared_error").values()
    assert chain.gains["truncation"][1] == 0 and chain.log10 == -np.inf
    assert "no gradient passes to step 6, where back-propagation is truncated" in chain.sentence()
    assert chain.reach() == 2
    net = network([make(truncate=3, return_sequences=True), Dense(1)], (8, 2))
    (chain,) = through_time(net, RNG.normal(size=(3, 8, 2)), np.ones((3, 8, 1)), loss="squared_error").values()
    assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)


def test_a_gradient_that_is_zero() -> None:
    """Dead units pass nothing: one factor is 0, and the logarithms still add up to −∞."""
    cell = SimpleRNN(3, activation="relu")
    net = Network([cell, Dense(1)], random_state=0, dtype="float64").build((6, 2))
    net.parameters["0.simple_rnn.bias"][...] = -9
    X, y = RNG.normal(size=(3, 6, 2)), np.ones((3, 1))
    (chain,) = through_time(net, X, y, loss="squared_error").values()
    assert chain.norms[0] > 0 and not chain.norms[1:].any() and chain.log10 == -np.inf
    assert sum(chain.factors().values()) == -np.inf and "no gradient passes to step 5" in chain.sentence()


def test_both_directions_and_states_that_are_handed_on() -> None:
    net = network([Bidirectional(LSTM(3, return_sequences=True)), Bidirectional(GRU(2)), Dense(1)], (6, 2))
    chains = through_time(net, RNG.normal(size=(3, 6, 2)), np.ones((3, 1)), loss="squared_error")
    assert [list(c.order[:2]) for c in chains.values()] == [[5, 4], [0, 1], [5, 4], [0, 1]]
    for chain in chains.values():
        assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)
    # An encoder whose states alone are used: the gradient enters at its last step, in h and in c.
    a, b = Input((5, 2)), Input((4, 2))
    _, h, c = LSTM(3, return_state=True)(a)
    net = Network(inputs=[a, b], outputs=Dense(1)(LSTM(3)(b, h, c)), random_state=0, dtype="float64").build()
    data = [RNG.normal(size=(3, 5, 2)), RNG.normal(size=(3, 4, 2))], RNG.normal(size=(3, 1))
    encoder = next(iter(through_time(net, *data, loss="squared_error").values()))
    assert "join" not in encoder.gains
    np.testing.assert_allclose(encoder.step_gains, encoder.norms[1:] / encoder.norms[:-1], rtol=1e-10)


# ---------------------------------------------------------------- in a diagnosis


def remember_first(T: int, n: int = 320) -> tuple[Any, Any]:
    X = np.random.default_rng(0).normal(size=(n, T, 1)).astype(np.float32)
    return X, (X[:, 0, 0] > 0).astype(int)


def test_a_diagnosis_looks_at_the_start_and_the_end() -> None:
    X, y = remember_first(30)
    net = Network([LSTM(8), Dense(2)], random_state=0)
    found = net.diagnose(X, y, epochs=3)
    assert not found.errors
    start, end = found.through_time(step=0), found.through_time()
    assert isinstance(end, TimeChain) and (start.step, end.step) == (0, 30)
    fresh = Network([LSTM(8), Dense(2)], random_state=0).build((30, 1))
    u = fresh.parameters["0.lstm.recurrent_weight"]
    assert u.shape == (8, 32) and start.norms[0] != end.norms[0]
    assert found.through_time("0.lstm").sentence() == end.sentence()
    assert end.sentence() in str(found.chain())
    with pytest.raises(UnknownNameError, match=r"0\.lstm"):
        found.through_time("1.dense")
    with pytest.raises(ParameterError, match="no recurrent layer"):
        Diagnosis().through_time()


def test_the_start_is_that_of_the_start_weights() -> None:
    X, y = remember_first(12, 64)
    net = Network([GRU(5), Dense(2)], random_state=3).build((12, 1))
    wanted = through_time(net, X[:32], y[:32], loss="softmax_cross_entropy")["0.gru"]
    found = net.diagnose(X, y, epochs=20, batch_size=32, shuffle=False, learning_rate=0.05).through_time(step=0)
    np.testing.assert_allclose(found.norms, wanted.norms, rtol=1e-6)
    for role in wanted.gains:
        np.testing.assert_allclose(found.gains[role], wanted.gains[role], rtol=1e-6)


@pytest.mark.parametrize("cell", [SimpleRNN, LSTM, GRU])
def test_sampled_norms_are_those_of_the_trace(cell: Any) -> None:
    X, y = remember_first(9, 32)
    net = Network([cell(4), Dense(2)], random_state=0).build((9, 1))
    wanted = through_time(net, X, y, loss="softmax_cross_entropy")[f"0.{cell.kind()}"]
    first = net.diagnose(X, y, epochs=1, batch_size=32, shuffle=False).statistics.samples[0]
    norms = first.calls[f"0.{cell.kind()}"].time
    np.testing.assert_allclose(norms * np.sqrt(32), wanted.hidden, rtol=1e-4)


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_watched_recurrent_fit_gives_the_same_numbers_to_the_bit(engine: str) -> None:
    X, y = remember_first(15)

    def fit(**more: Any) -> Network:
        net = Network([Bidirectional(LSTM(6, return_sequences=True)), GRU(5), Dense(2)], random_state=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosisWarning)
            return net.fit(X, y, epochs=3, verbose=0, engine=engine, **more)

    plain, watched = fit(), fit(diagnose=True)
    np.testing.assert_array_equal(plain.parameters.flat, watched.parameters.flat)
    assert plain.history_["loss"] == watched.history_["loss"]
    assert not watched.diagnosis_.errors and len(watched.diagnosis_.statistics.chains_through_time()) == 3


def test_the_chain_follows_states_that_are_handed_on() -> None:
    """From a decoder to its encoder there is no way but the states."""
    a, b = Input((5, 2)), Input((4, 2))
    _, h, c = LSTM(3, return_state=True).named("encoder")(a)
    net = Network(inputs=[a, b], outputs=Dense(1)(LSTM(3).named("decoder")(b, h, c)), random_state=0, dtype="float64")
    net.build()
    A, B, y = RNG.normal(size=(20, 5, 2)), RNG.normal(size=(20, 4, 2)), RNG.normal(size=(20, 1))
    found = net.diagnose([A, B], y, loss="squared_error", epochs=1, batch_size=20, shuffle=False, every=1)
    assert not found.errors and "gradient-cut-off" not in found
    chain = found.chain(0)
    assert [g.key for g in chain if g.role == "weight"][-2:] == ["decoder", "encoder"]
    t = net.trace([A, B], y, loss="squared_error")
    dh, dc = t.layers["decoder"].d_inputs[1:]
    assert chain.input_norm == pytest.approx(float(np.sqrt((dh**2).sum() + (dc**2).sum())), rel=1e-10)
    assert sum(chain.factors().values()) == pytest.approx(chain.log10, rel=1e-9)
    assert set(chain.through_time) == {"encoder", "decoder"}


def test_a_fit_from_a_stream_of_lengths_of_their_own() -> None:
    X = Sequences([RNG.normal(size=(int(t), 1)).astype(np.float32) for t in RNG.integers(3, 20, 120)])
    y = np.arange(120) % 2
    net = Network([Input((None, 1)), GRU(6), Dense(2)], random_state=0)
    watch = Watch()
    net.fit(X, y, epochs=2, verbose=0, callbacks=[watch])
    watch.look_inside()
    assert watch.statistics is not None and not watch.error
    assert all(np.isfinite(c.log10) for c in watch.statistics.chains_through_time().values())


def test_nothing_to_follow() -> None:
    net = Network([Dense(1)], dtype="float64").build((2,))
    with pytest.raises(ParameterError, match="no recurrent layer"):
        through_time(net, np.ones((3, 2)), np.ones((3, 1)), loss="squared_error")
    with pytest.raises(ParameterError, match="give the loss"):
        through_time(net, np.ones((3, 2)), np.ones((3, 1)))


# ---------------------------------------------------------------- rules and changes


def recall(T: int, n: int = 500) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, n)
    X = 0.1 * rng.normal(size=(n, T, 4))
    X[np.arange(n), 0, y] += 1.5
    return X.astype(np.float32), y


def names(found: Diagnosis) -> set[str]:
    return {f.name for root in found.findings for f in (root, *root.symptoms)}


def test_a_gradient_that_vanishes_through_time_is_found() -> None:
    X, y = recall(90)
    net = Network([SimpleRNN(12, recurrent_init=Orthogonal(0.7)), Dense(4)], random_state=0)
    found = net.diagnose(X, y, epochs=6, learning_rate=0.003)
    assert not found.errors and found.cause is not None and found.cause.name == "vanishing-through-time"
    assert found.cause.evidence["share of weight"] > 0.5 and "the recurrent weights" in found.cause.cause
    assert found.cause.severity == "error" and found.cause.threshold is not None
    kinds = [(c.kind, c["to"] if c.kind == "recurrent" else None) for c in found.cause.changes]
    assert kinds[:2] == [("recurrent_init", None), ("recurrent", "lstm")] and ("recurrent", "gru") in kinds
    assert found.cause.score >= 1 and "vanishing-gradients" not in names(found)


def test_a_forget_gate_that_is_closed_is_opened() -> None:
    X, y = recall(90)
    net = Network([LSTM(8, forget_bias=-4.0), Dense(4)], random_state=0)
    found = net.diagnose(X, y, epochs=4, learning_rate=0.003)
    assert found.cause is not None and found.cause.name == "vanishing-through-time"
    first = found.cause.changes[0]
    assert first.kind == "forget_bias" and first["value"] == pytest.approx(np.log(89), abs=0.06)
    assert "the forget gate f (mean 0.0" in found.cause.cause


def test_truncation_is_named() -> None:
    X, y = recall(60)
    net = Network([GRU(8, truncate=5), Dense(4)], random_state=0)
    found = net.diagnose(X, y, epochs=4)
    assert "vanishing-through-time" in names(found)
    (finding,) = [f for r in found.findings for f in (r, *r.symptoms) if f.name == "vanishing-through-time"]
    assert "truncate" in str(finding.changes[0]) and "truncated" in finding.cause


def test_a_gradient_that_explodes_through_time_is_found() -> None:
    X, y = recall(60)
    net = Network([SimpleRNN(16, recurrent_init=Normal(std=0.6)), Dense(4)], random_state=0)
    found = net.diagnose(X, y, epochs=4)
    (finding,) = [f for r in found.findings for f in (r, *r.symptoms) if f.name == "exploding-through-time"]
    assert finding.evidence["spectral radius of U"] > 1.5
    assert [c.kind for c in finding.changes] == ["recurrent_init", "clip", "recurrent", "recurrent"]


def test_weights_that_blow_up_a_state_are_too_large() -> None:
    """A state of ReLU that is stretched by √2 · 1.6 in each of 60 steps."""
    X, y = recall(60, 100)
    net = Network([SimpleRNN(16, activation="relu", recurrent_init=Orthogonal(2.3)), Dense(4)], random_state=0)
    found = net.diagnose(X, y, epochs=2, optimizer="sgd")
    assert "initialisation-too-large" in names(found)
    (finding,) = [f for f in found.findings if f.name == "initialisation-too-large"]
    assert "in each step of the sequence" in finding.equation


HEALTHY: dict[str, Any] = {
    "lstm": (lambda: [LSTM(16, forget_bias=3.0)], 40, 15),
    "simple": (lambda: [SimpleRNN(16)], 20, 15),
    "both directions": (lambda: [Bidirectional(GRU(8))], 60, 12),
    "stacked": (lambda: [GRU(12, return_sequences=True), GRU(12)], 12, 12),
    "both directions, padded": (lambda: [Bidirectional(LSTM(8, return_sequences=True)), GlobalAveragePool()], 30, 12),
}


@pytest.mark.parametrize("case", HEALTHY.values(), ids=list(HEALTHY))
def test_networks_that_learn_are_left_alone(case: Any) -> None:
    make, T, epochs = case
    X, y = recall(T, 800)
    net = Network([*make(), Dense(4)], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, y, epochs=epochs, learning_rate=0.01, diagnose=True, verbose=0)
    assert net.diagnosis_.healthy and net.evaluate(X, y)["accuracy"] > 0.9


def test_a_report_shows_the_gradient_through_time() -> None:
    X, y = recall(30, 200)
    net = Network([GRU(6, return_sequences=True), LSTM(6), Dense(4)], random_state=0)
    found = net.diagnose(X, y, epochs=1)
    pytest.importorskip("rich")
    from rich.console import Console

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(found.report().__rich__())
    text = console.export_text()
    assert "The gradient through time" in text and "30 steps" in text and "the forget gate f" in text
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    page = found.report().html()
    assert "The gradient through time" in page and "the update gate z" in page
