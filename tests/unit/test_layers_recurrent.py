"""Layers on sequences: states, masks and lengths, directions, truncation, attention; and bad sequences."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule import Network, NeuralClassifier, layers, load
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError
from chainrule.layers import (
    GRU,
    LSTM,
    AveragePool1D,
    BatchNorm,
    Concat,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    GlobalMaxPool,
    Input,
    LayerNorm,
    Masking,
    MaxPool1D,
    MultiHeadAttention,
    PositionalEncoding,
    ReLU,
    ScaledDotProductAttention,
    SimpleRNN,
    TimeDistributed,
)
from chainrule.network import Bidirectional, NetworkGraph, TransformerDecoderBlock, TransformerEncoderBlock
from chainrule.plan.equations import Equations
from chainrule.testing import check_layer
from chainrule.training import gradient_through_time
from chainrule.training.trace import trace

RNG = np.random.default_rng(7)
CELLS = [SimpleRNN, LSTM, GRU, lambda *a, **k: GRU(*a, reset="before", **k)]
NAMES = ["SimpleRNN", "LSTM", "GRU", "GRU-before"]
each_cell = pytest.mark.parametrize("cell", CELLS, ids=NAMES)


def lengths_and_numbers(limit: int):
    return lambda rng, shape, dtype: rng.integers(1, limit, shape) if dtype == "int" else rng.normal(size=shape)


# ---------------------------------------------------------------- start weights


def test_start_weights() -> None:
    net = NetworkGraph([LSTM(8), Dense(1)], random_state=0).build((5, 3))
    u, b = net.parameters["0.lstm.recurrent_weight"], net.parameters["0.lstm.bias"]
    for gate in np.split(u, 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(8), atol=1e-6)
    np.testing.assert_array_equal(b, np.repeat([0, 1, 0, 0], 8))
    assert abs(net.parameters["0.lstm.weight"]).max() <= np.sqrt(6 / (3 + 8))
    net = NetworkGraph([LSTM(2, forget_bias=3.0, recurrent_init="zeros")]).build((5, 3))
    np.testing.assert_array_equal(net.parameters["0.lstm.bias"], np.repeat([0, 3, 0, 0], 2))
    assert not net.parameters["0.lstm.recurrent_weight"].any()


# ---------------------------------------------------------------- states


@each_cell
def test_first_states_and_returned_states(cell) -> None:
    layer = cell(3, return_state=True, return_sequences=True)
    xs = [Input((4, 2)), *(Input((3,)) for _ in layer.carried)]
    y, *states = layer(*xs)
    net = NetworkGraph(inputs=xs, outputs=Concat()(cell(2)(y), *states))
    assert check_layer(net, *([(4, 2)] + [(3,)] * len(states))).largest_error < 1e-8


@each_cell
def test_going_on_from_a_returned_state_is_one_sequence(cell) -> None:
    layer = cell(3, return_state=True, return_sequences=True)
    x = Input((6, 2))
    whole = Network(inputs=x, outputs=list(layer(x)), random_state=1).build()
    first = [Input((2, 2)), *(Input((3,)) for _ in layer.carried)]
    part = Network(inputs=first, outputs=list(layer(*first))).build()
    part.parameters.assign(dict(whole.parameters.items()))
    data = RNG.normal(size=(5, 6, 2)).astype(np.float32)
    wanted = whole.predict(data)
    states, found = [np.zeros((5, 3), np.float32) for _ in layer.carried], []
    for t in range(0, 6, 2):
        y, *states = part.predict([data[:, t : t + 2], *states])
        found.append(y)
    np.testing.assert_allclose(np.concatenate(found, axis=1), wanted[0], atol=1e-6)
    for a, b in zip(states, wanted[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_only_the_state_may_be_used_and_files_keep_several_outputs(tmp_path) -> None:
    x = Input((4, 2))
    _, _, c = LSTM(3, return_state=True)(x)
    net = Network(inputs=x, outputs=Dense(1)(c), random_state=0)
    assert check_layer(net, (4, 2)).largest_error < 1e-8
    X, y = RNG.normal(size=(20, 4, 2)), RNG.normal(size=(20, 1))
    net.fit(X, y, epochs=1, verbose=0)
    wanted = net.predict(X)
    net.save(tmp_path / "m.chainrule")
    np.testing.assert_array_equal(load(tmp_path / "m.chainrule").predict(X), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), wanted)
    assert "dh¹" not in str(net.equations()) and "dc¹" in str(net.equations())


# ---------------------------------------------------------------- masks


def gradients(net: NetworkGraph, data, target) -> dict[str, np.ndarray]:
    t = trace(net, data, target, loss="squared_error")
    return {name: t[name] for name in t if name.split(".")[-1].startswith("d") and name.count(".") == 2} | {
        "dx": t.get("dx")
    }


def body(kind: str):
    return {
        "SimpleRNN": [SimpleRNN(3)], "LSTM": [LSTM(3)], "GRU": [GRU(3)], "before": [GRU(3, reset="before")],
        "reverse": [LSTM(3, reverse=True)], "both": [Bidirectional(GRU(3))],
        "stacked": [LSTM(3, return_sequences=True), Dropout(0.0), Dense(4), ReLU(), LayerNorm(), Bidirectional(LSTM(3))],
        "summed": [Bidirectional(LSTM(3, return_sequences=True), merge="sum"), GlobalAveragePool()],
        "max": [GRU(3, return_sequences=True), GlobalMaxPool()],
        "attention": [MultiHeadAttention(2), GlobalAveragePool()],
        "dot": [ScaledDotProductAttention(), GlobalMaxPool()],
        "causal": [PositionalEncoding(9), TransformerEncoderBlock(4, heads=2, causal=True), GlobalAveragePool()],
        "distributed": [TimeDistributed(Dense(5)), GRU(2)],
    }[kind]  # fmt: skip


BODIES = [
    "SimpleRNN",
    "LSTM",
    "GRU",
    "before",
    "reverse",
    "both",
    "stacked",
    "summed",
    "max",
    "attention",
    "dot",
    "causal",
    "distributed",
]


@pytest.mark.parametrize("kind", BODIES)
def test_padding_changes_nothing(kind) -> None:
    """Value, dx and every gradient of padded sequences are those of the sequences without padding, whatever stands there."""
    lengths, steps = [3, 5, 1], 5
    x, n = Input((steps, 4)), Input((), dtype="int")
    layers = [*body(kind), Dense(2)]
    h = Masking()(x, n)
    for layer in layers:
        h = layer(h)
    net = NetworkGraph(inputs=[x, n], outputs=h, random_state=0, dtype="float64").build()
    data, target = RNG.normal(size=(3, steps, 4)), RNG.normal(size=(3, 2))
    whole = trace(net, [data, np.array(lengths)], target, loss="squared_error")
    totals: dict[str, np.ndarray] = {}
    for i, length in enumerate(lengths):
        short = Input((length, 4))
        h = short
        for layer in layers:
            h = layer(h)
        alone = NetworkGraph(inputs=short, outputs=h, dtype="float64").build()
        renamed = dict(zip(alone.parameters, [p for p in net.parameters], strict=True))
        alone.parameters.assign({name: net.parameters[other] for name, other in renamed.items()})
        t = trace(alone, data[i : i + 1, :length], target[i : i + 1], loss="squared_error")
        np.testing.assert_allclose(whole.outputs[0][i], t.outputs[0][0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(whole.d_inputs[0][i, :length], t.d_inputs[0][0] / 3, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(whole.d_inputs[0][i, length:], 0)
        for name, layer in t.layers.items():
            for key, g in layer.gradients.items():
                other = renamed[f"{name}.{key}"]
                totals[other] = totals.get(other, 0) + g / 3
    for layer in whole.layers.values():
        for key, g in layer.gradients.items():
            np.testing.assert_allclose(g, totals[f"{layer.name}.{key}"], rtol=1e-9, atol=1e-12, err_msg=key)


@pytest.mark.slow
@each_cell
def test_equations_with_masks(cell) -> None:
    for merge in ("concat", "sum"):
        x, n = Input((4, 2)), Input((), dtype="int")
        h = Bidirectional(cell(3, return_sequences=True), merge=merge)(Masking()(x, n))
        net = NetworkGraph(inputs=[x, n], outputs=cell(2)(h))
        report = check_layer(net, (4, 2), (), dtypes=["float", "int"], draw=lengths_and_numbers(5))
        assert report.largest_error < 1e-8


def test_a_mask_may_have_holes_and_lie_in_front() -> None:
    x, m = Input((4, 2)), Input((4,))
    net = NetworkGraph(inputs=[x, m], outputs=LSTM(3)(Masking()(x, m)), dtype="float64", random_state=0).build()
    data, mask = RNG.normal(size=(2, 4, 2)), np.array([[0, 0, 1, 1], [1, 0, 0, 1.0]])
    found = trace(net, [data, mask]).outputs[0]
    short = NetworkGraph([LSTM(3)], dtype="float64").build((2, 2))
    short.parameters.assign({n: net.parameters[p] for n, p in zip(short.parameters, net.parameters, strict=True)})
    wanted = trace(short, np.stack([data[0, 2:], data[1, [0, 3]]])).outputs[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_padding_of_an_embedding() -> None:
    net = Network([Input((4,), dtype="int"), Embedding(6, 3, padding=0), LSTM(5), Dense(2)], random_state=0).build()
    X, y = np.array([[1, 2, 0, 0], [3, 4, 5, 1]]), np.array([0, 1])
    t = trace(net, X, y, loss="softmax_cross_entropy")
    assert not t["0.embedding.z"][0, 2:].any() and not t["0.embedding.dweight"][0].any()
    short = Network([Input((2,), dtype="int"), Embedding(6, 3, padding=0), LSTM(5), Dense(2)]).build()
    short.parameters.assign(dict(net.parameters.items()))
    np.testing.assert_allclose(net.predict(X)[:1], short.predict(X[:1, :2]), rtol=1e-5, atol=1e-6)
    before = net.parameters["0.embedding.weight"][0].copy()
    net.fit(np.tile(X, (8, 1)), np.tile(y, 8), epochs=2, verbose=0)
    np.testing.assert_array_equal(net.parameters["0.embedding.weight"][0], before)


# ---------------------------------------------------------------- through time


@each_cell
def test_truncated_gradients_reach_so_far_back(cell) -> None:
    net = NetworkGraph([cell(3, truncate=2), Dense(1)], random_state=0).build((5, 2))
    t = trace(net, RNG.normal(size=(4, 5, 2)), RNG.normal(size=(4, 1)), loss="squared_error")
    reached = [bool(abs(t["dx"][:, step]).max()) for step in range(5)]
    assert reached == [False, False, False, False, True]  # steps 0 1 | 2 3 | 4
    name = next(n for n in t if n.endswith(".dh"))
    assert t[name].shape == (4, 5, 3) and not t[name][:, 3].any() and t[name][:, 4].any()


def test_the_gradient_of_every_state_is_in_the_trace() -> None:
    net = NetworkGraph([SimpleRNN(3), Dense(1)], random_state=0, dtype="float64").build((6, 2))
    t = trace(net, RNG.normal(size=(2, 6, 2)), RNG.normal(size=(2, 1)), loss="squared_error")
    dh, u = t["0.simple_rnn.dh"], net.parameters["0.simple_rnn.recurrent_weight"]
    np.testing.assert_allclose(dh[:, -1], t["0.simple_rnn.dz"])
    full = NetworkGraph([SimpleRNN(3, return_sequences=True)], dtype="float64").build((6, 2))
    full.parameters.assign({n: net.parameters[n] for n in full.parameters})
    states = trace(full, t["x"]).outputs[0]
    for step in range(5):
        np.testing.assert_allclose(dh[:, step], (dh[:, step + 1] * (1 - states[:, step + 1] ** 2)) @ u.T, rtol=1e-10)


def test_equations_read_like_a_textbook() -> None:
    net = NetworkGraph([LSTM(4), Dense(1)]).build((7, 3))
    text = str(Equations(net, "squared_error", "sgd"))
    for line in (
        "a¹ = x W¹ + b¹",
        "[iₜ fₜ gₜ oₜ] = [σ σ tanh σ] (a¹ₜ + hₜ₋₁ U¹)",
        "cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ",
        "hₜ = oₜ ⊙ tanh(cₜ)",
        "h¹ = h_T",
        "dcₜ = dhₜ ⊙ oₜ ⊙ (1 − tanh²(cₜ)) + dcₜ₊₁ ⊙ fₜ₊₁",
        "dU¹ = (hₜ₋₁)ᵀ da¹",
    ):
        assert line in text, text
    latex = Equations(net, "squared_error").latex()
    assert r"c_t &= f_t \odot c_{t-1} + i_t \odot g_t" in latex and "@" not in latex and latex.count("{") == latex.count("}")
    text = str(Equations(NetworkGraph([GRU(4, reverse=True)]).build((7, 3)), "squared_error"))
    assert "nₜ = tanh(a¹ₜ + rₜ ⊙ (hₜ₊₁ Uⁿ + v¹))" in text and "h¹ = h₁" in text and "@" not in text
    text = str(Equations(NetworkGraph([MultiHeadAttention(2, causal=True)]).build((7, 4)), "squared_error"))
    assert "S = 0.7071 Q¹ K¹ᵀ, −∞ where s > t" in text and "dS = P ⊙ (dP − Σₖ dP ⊙ P)" in text


def test_learning_needs_memory() -> None:
    """The first number of a sequence is asked for at its end: nothing but a carried state can know it."""
    X = RNG.normal(size=(400, 12, 1)).astype(np.float32)
    y = (X[:, 0, 0] > 0).astype(int)
    for layer in (LSTM(12), GRU(12)):
        net = Network([layer, Dense(2)], random_state=0)
        net.fit(X, y, epochs=60, learning_rate=0.02, batch_size=50, verbose=0)
        assert net.evaluate(X, y)["accuracy"] > 0.95


# ---------------------------------------------------------------- attention and blocks


@pytest.mark.slow
def test_blocks() -> None:
    assert check_layer(TransformerEncoderBlock(4, heads=2, hidden=5), (3, 4)).largest_error < 1e-7
    assert check_layer(TransformerEncoderBlock(4, heads=1, dropout=0.2, norm_first=False), (3, 4)).largest_error < 1e-7
    block = TransformerDecoderBlock(4, heads=2, activation="relu")
    assert check_layer(block, (3, 4), (2, 5)).largest_error < 1e-7


def test_causal_attention_sees_no_later_step() -> None:
    net = NetworkGraph([TransformerEncoderBlock(4, heads=2, causal=True)], dtype="float64", random_state=0).build((5, 4))
    x = RNG.normal(size=(1, 5, 4))
    changed = x.copy()
    changed[:, 3:] += 1
    one, other = (trace(net, a).outputs[0] for a in (x, changed))
    np.testing.assert_allclose(one[:, :3], other[:, :3], rtol=1e-12)
    assert abs(one[:, 3:] - other[:, 3:]).min() > 1e-6


def test_sinusoidal_positions() -> None:
    net = NetworkGraph([PositionalEncoding(6)]).build((5, 4))
    found = trace(net, np.zeros((1, 5, 4))).outputs[0][0]
    for t in range(5):
        wanted = [np.sin(t), np.cos(t), np.sin(t / 100), np.cos(t / 100)]
        np.testing.assert_allclose(found[t], wanted, atol=1e-6)


# ---------------------------------------------------------------- PyTorch


@pytest.mark.peer
def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    x = torch.randn(3, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for ours, theirs in (
        (LSTM(5, return_sequences=True), torch.nn.LSTM),
        (GRU(5, return_sequences=True), torch.nn.GRU),
        (SimpleRNN(5, return_sequences=True), torch.nn.RNN),
    ):
        torch.manual_seed(0)
        peer = theirs(4, 5, batch_first=True).double()
        net = NetworkGraph([ours], dtype="float64").build((6, 4))
        w, u, bi, bh = (p.detach().numpy().T for p in peer.parameters())
        name = f"0.{type(ours).kind()}."
        values = {"weight": w, "recurrent_weight": u, "bias": bi + bh}
        if isinstance(ours, GRU):
            values["bias"] = bi + np.concatenate([bh[:10], np.zeros(5)])
            values["recurrent_bias"] = bh[10:]
        net.parameters.assign({name + key: value for key, value in values.items()})
        target = RNG.normal(size=(3, 6, 5))
        t = trace(net, x.detach().numpy(), target, loss="squared_error")
        out = peer(x)[0]
        x.grad = None
        ((out - torch.from_numpy(target)) ** 2).mean().backward()
        np.testing.assert_allclose(t.outputs[0], out.detach().numpy(), rtol=1e-10)
        np.testing.assert_allclose(t["dx"], x.grad.numpy(), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(t[name + "drecurrent_weight"], peer.weight_hh_l0.grad.numpy().T, rtol=1e-8, atol=1e-12)
    peer = torch.nn.MultiheadAttention(4, 2, batch_first=True).double()
    net = NetworkGraph([MultiHeadAttention(2)], dtype="float64").build((6, 4))
    name = "0.multi_head_attention."
    rows = [p.detach().numpy().T for p in torch.chunk(peer.in_proj_weight, 3)]
    values = {f"{part}_weight": w for part, w in zip(("query", "key", "value"), rows, strict=True)}
    net.parameters.assign({name + key: value for key, value in values.items()})
    net.parameters.assign({name + "output_weight": peer.out_proj.weight.detach().numpy().T})
    padding = torch.tensor([[False] * 4 + [True] * 2] * 3)
    wanted = peer(x, x, x)[0].detach().numpy()
    np.testing.assert_allclose(trace(net, x.detach().numpy()).outputs[0], wanted, rtol=1e-8)
    a, m = Input((6, 4)), Input((6,))
    masked = NetworkGraph(inputs=[a, m], outputs=MultiHeadAttention(2)(Masking()(a, m)), dtype="float64").build()
    masked.parameters.assign(dict(zip(masked.parameters, net.parameters.values(), strict=True)))
    wanted = peer(x, x, x, key_padding_mask=padding)[0].detach().numpy()
    found = trace(masked, [x.detach().numpy(), (~padding).numpy().astype(float)]).outputs[0]
    np.testing.assert_allclose(found[:, :4], wanted[:, :4], rtol=1e-8)


# ---------------------------------------------------------------- bad sequences


def masked(kind: str) -> Network:
    x = Input((4, 2))
    m = Input((), dtype="int") if kind == "lengths" else Input((4,))
    return Network(inputs=[x, m], outputs=Dense(1)(GRU(3)(Masking()(x, m))), random_state=0).build()


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("lengths", [4, 0, 1], r"X\[1\]\[1\] is 0, but a sequence needs at least one step"),
        ("lengths", [4, -2, 1], r"X\[1\]\[1\] is -2"),
        ("lengths", [4, 3, 5], r"X\[1\]\[2\] is 5, but the sequences have 4 steps"),
        ("mask", [[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], r"X\[1\]\[1\] is 0 at every step"),
        ("mask", [[1, 1, 0, 0], [2, 0, 0, 0], [1, 1, 1, 1]], r"X\[1\]\[1, 0\] is 2.0; a mask holds 1"),
    ],
)
def test_bad_lengths_and_masks(kind, given, words) -> None:
    net, X = masked(kind), RNG.normal(size=(3, 4, 2))
    for act in (lambda: net.predict([X, given]), lambda: net.fit([X, given], np.zeros((3, 1)), verbose=0)):
        with pytest.raises(DataError, match=words):
            act()
    with pytest.raises(DataError, match=words):
        trace(net, [X, given])


def test_a_mask_of_another_shape() -> None:
    with pytest.raises(ShapeError, match=r"X\[1\] has 5 features, but the network is expecting 4"):
        masked("mask").predict([np.zeros((3, 4, 2)), np.ones((3, 5))])
    x, m = Input((4, 2)), Input((5,))
    with pytest.raises(ShapeError, match=r"Masking: expected lengths \(N,\) or a mask .*4\) for sequences"):
        NetworkGraph(inputs=[x, m], outputs=Masking()(x, m)).build()
    x, m = Input((4, 2)), Input(())
    with pytest.raises(DtypeError, match='dtype="int"'):
        NetworkGraph(inputs=[x, m], outputs=Masking()(x, m)).build()


@each_cell
def test_bad_inputs_of_cells(cell) -> None:
    with pytest.raises(ShapeError, match=r"expected sequences \(N, T, I\), got \(2, 5\). Embed indices first"):
        NetworkGraph([cell(3)]).build((5,))
    with pytest.raises(ShapeError, match="expected sequences"):
        NetworkGraph([cell(3)]).build((5, 2, 2))
    with pytest.raises(ShapeError, match="positive sizes"):
        NetworkGraph([cell(3)]).build((0, 2))
    layer = cell(3)
    x, h = Input((4, 2)), Input((4,))
    states = [h] * len(layer.carried)
    with pytest.raises(ShapeError, match=r"first state h₀ must be \(2, 3\), got \(2, 4\)"):
        NetworkGraph(inputs=[x, h], outputs=layer(x, *states)).build()
    with pytest.raises(ShapeError, match="all or none"):
        NetworkGraph(inputs=[x, h], outputs=layer(x, h, h, h)).build()


def test_bad_tokens() -> None:
    net = Network([Input((3,), dtype="int"), Embedding(5, 2, padding=0), LSTM(2), Dense(2)], random_state=0).build()
    good, y = [[1, 2, 0]], [0]
    for bad, words in (
        ([[1, 5, 2]], r"X\[1, 1\] is 5"),
        ([[1, -1, 2]], r"X\[1, 1\] is -1"),
        ([[0, 0, 0]], r"X\[1\] holds nothing but padding"),
    ):
        with pytest.raises(DataError, match=words):
            net.predict(good + bad)
        with pytest.raises(DataError, match=words):
            net.fit(good + bad, y * 2, verbose=0)
    with pytest.raises(ShapeError, match="X has 4 features, but the network is expecting 3"):
        net.predict([[1, 2, 3, 4]])
    with pytest.raises(ShapeError, match="ragged"):
        net.predict([[1, 2, 3], [1, 2]])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: NetworkGraph([MultiHeadAttention(3)]).build((5, 4)), ShapeError, "heads=3 does not divide the 4 features"),
        (lambda: NetworkGraph([MultiHeadAttention(2)]).build((4,)), ShapeError, r"expected sequences \(N, T, I\)"),
        (lambda: NetworkGraph([PositionalEncoding(3)]).build((5, 4)), ShapeError, "have 5 steps, and the encoding knows 3"),
        (lambda: NetworkGraph([TimeDistributed(Dense(3))]).build(()), ShapeError, "expected sequences"),
        (lambda: Bidirectional(Dense(3)), ParameterError, "expected a recurrent layer"),
        (lambda: Bidirectional(LSTM(3, return_state=True)), ParameterError, "without return_state"),
        (lambda: Bidirectional(LSTM(3), merge="product"), ParameterError, 'merge must be "concat" or "sum"'),
        (lambda: TransformerEncoderBlock(6, heads=4), ParameterError, "heads must be an int that divides width=6"),
        (lambda: TransformerEncoderBlock(0), ParameterError, "width must be an int of at least 1"),
        (lambda: TransformerDecoderBlock(4, heads=2, norm_first=None), ParameterError, "norm_first must be"),
        (lambda: NetworkGraph([TransformerEncoderBlock(4, heads=2)]).build((5, 3)), ShapeError, "layer"),
    ],
)
def test_bad_attention(make, error, words) -> None:
    with pytest.raises(error, match=words):
        make()


def test_shapes_of_two_inputs_that_do_not_fit() -> None:
    a, b = Input((3, 4)), Input((5, 2))
    with pytest.raises(ShapeError, match="same number of features D"):
        NetworkGraph(inputs=[a, b], outputs=ScaledDotProductAttention()(a, b)).build()
    with pytest.raises(ShapeError, match=r"key .* and value .* same number of samples and steps"):
        NetworkGraph(inputs=[a, b], outputs=MultiHeadAttention(2)(a, a, b)).build()
    with pytest.raises(ShapeError, match="Got 4 inputs"):
        NetworkGraph(inputs=[a, b], outputs=MultiHeadAttention(2)(a, a, a, b)).build()


# ---------------------------------------------------------------- embeddings updated by rows


@pytest.mark.parametrize("engine", ["reference", "onednn"])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_a_sparse_update_touches_only_the_rows_of_the_batch(engine, clip) -> None:
    from chainrule.optimizers import SGD, Adam

    X = np.array([[1, 2, 2, 0], [5, 2, 1, 0]])
    y = np.array([0, 1])
    found = {}
    for name, optimizer in (("sgd", SGD(0.5, clip_norm=clip)), ("adam", Adam(0.1, clip_norm=clip))):
        for sparse in (False, True):
            layers = [Input((4,), dtype="int"), Embedding(50, 3, padding=0, sparse=sparse), GRU(4), Dense(2)]
            net = Network(layers, random_state=0).build()
            before = net.parameters["0.embedding.weight"].copy()
            for _ in range(3):
                net.fit(X, y, epochs=1, optimizer=optimizer, batch_size=2, shuffle=False, verbose=0, engine=engine)
            after = net.parameters["0.embedding.weight"]
            changed = np.flatnonzero((before != after).any(axis=1))
            assert changed.tolist() == [1, 2, 5], (name, sparse)
            found[name, sparse] = net.parameters.flat.copy()
        # Here every row that is seen is seen at every step, so lazy moments are those of the dense update.
        np.testing.assert_allclose(found[name, True], found[name, False], atol=1e-5)


def test_a_sparse_update_with_weight_decay_is_dense_and_shared_tables_too() -> None:
    from chainrule.losses import SquaredError
    from chainrule.optimizers import SGD, Adam
    from chainrule.plan import lower_training

    def ops(net: NetworkGraph, optimizer) -> set[str]:
        plan = lower_training(net, [SquaredError()], optimizer, 4)
        return {n.op for n in plan.nodes}

    net = NetworkGraph([Input((3,), dtype="int"), Embedding(50, 2, sparse=True), LSTM(2)]).build()
    assert "put_rows" in ops(net, Adam())
    assert "put_rows" not in ops(net, Adam(weight_decay=0.1)) | ops(net, SGD(l2=0.1)) | ops(net, SGD(l1=0.1))
    a, b, table = Input((3,), dtype="int"), Input((3,), dtype="int"), Embedding(50, 2, sparse=True)
    twice = NetworkGraph(inputs=[a, b], outputs=LSTM(2)(Concat()(table(a), table(b)))).build()
    assert "put_rows" not in ops(twice, Adam())
    net.freeze("0.embedding")
    assert "put_rows" not in ops(net, Adam())
    with pytest.raises(ParameterError, match="sparse must be True or False"):
        NetworkGraph([Input((3,), dtype="int"), Embedding(50, 2, sparse=1)])


def test_norms_of_the_gradient_through_time(tmp_path) -> None:
    from chainrule.report import gradient_through_time_picture
    from chainrule.training import gradient_through_time

    net = NetworkGraph([LSTM(3, return_sequences=True), GRU(2), Dense(1)], random_state=0).build((6, 2))
    X, y = RNG.normal(size=(4, 6, 2)), RNG.normal(size=(4, 1))
    found = gradient_through_time(net, X, y, loss="squared_error")
    assert list(found) == ["0.lstm", "1.gru"] and found["0.lstm"].shape == (6,)
    alone = [gradient_through_time(net, X[i : i + 1], y[i : i + 1], loss="squared_error")["1.gru"] for i in range(4)]
    np.testing.assert_allclose(found["1.gru"], np.sqrt(np.mean(np.square(alone), axis=0)))
    with pytest.raises(ParameterError, match="no recurrent layer"):
        gradient_through_time(NetworkGraph([Dense(1)]).build((2,)), X[:, 0], y, loss="squared_error")
    pytest.importorskip("matplotlib")
    picture = gradient_through_time_picture({"a": {"b": found["1.gru"], "zero": np.zeros(6)}}, tmp_path / "n.png")
    assert picture.stat().st_size > 5000
    with pytest.raises(DataError, match="one norm of at least 0 a step"):
        gradient_through_time_picture({"a": {"b": [-1.0]}}, tmp_path / "n.png")
    with pytest.raises(ParameterError, match="no line to draw"):
        gradient_through_time_picture({"a": {}}, tmp_path / "n.png")


def test_clip_norm_cures_an_exploding_gradient() -> None:
    """The recurrent weight stretches by 1.8 at each step: the gradient grows 10⁴ times, and one step of SGD is too far."""
    from chainrule.errors import DivergenceError
    from chainrule.initializers import Orthogonal
    from chainrule.optimizers import SGD
    from chainrule.training import gradient_through_time

    rng = np.random.default_rng(0)
    X = rng.uniform(size=(600, 50, 1)).astype(np.float32)
    y = X.mean(axis=1)

    def fresh() -> Network:
        cell = SimpleRNN(32, activation="relu", recurrent_init=Orthogonal(gain=1.8))
        return Network([cell, Dense(1)], random_state=0).build((50, 1))

    norms = gradient_through_time(fresh(), X[:50], y[:50], loss="squared_error")["0.simple_rnn"]
    assert norms[0] > 1000 * norms[-1]
    with pytest.raises(DivergenceError):
        fresh().fit(X, y, epochs=3, batch_size=50, optimizer=SGD(0.01), loss="squared_error", verbose=0)
    net = fresh()
    net.fit(X, y, epochs=40, batch_size=50, optimizer=SGD(0.01, clip_norm=1.0), loss="squared_error", verbose=0)
    assert net.history_["loss"][0] > 100 and net.evaluate(X, y)["loss"] < 1


MASKED_WINDOWS = {
    "same": lambda: [Conv1D(4, 3, padding="same"), GlobalAveragePool()],
    "valid": lambda: [Conv1D(4, 2, dilation=2), LSTM(3)],
    "strided": lambda: [Conv1D(4, 3, stride=2, padding=1), GlobalMaxPool()],
    "more padding than kernel": lambda: [Conv1D(4, 3, padding=((3, 3),)), GlobalAveragePool()],
    "two": lambda: [Conv1D(4, 3), BatchNorm(), ReLU(), Conv1D(4, 3), GlobalAveragePool()],
    "max pool": lambda: [Conv1D(4, 3, padding="same"), MaxPool1D(2), GlobalAveragePool()],
    "overlapping max pool": lambda: [MaxPool1D(3, stride=1, padding="same"), GlobalAveragePool()],
    "average pool": lambda: [Conv1D(4, 3), AveragePool1D(2), GRU(3)],
    "kernel longer than the text": lambda: [Conv1D(4, 7), ReLU(), MaxPool1D(4), GlobalMaxPool()],
}


@pytest.mark.parametrize("name", MASKED_WINDOWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_convolutions_and_pooling_of_padded_sequences_are_those_without_padding(name, dtype) -> None:
    padded = np.array([[3, 4, 5, 6, 2, 0, 0, 0, 0, 0]])
    layers = [Input((None,), dtype="int"), Embedding(9, 8, padding=0), *MASKED_WINDOWS[name](), Dense(2)]
    net = Network(layers, random_state=0, dtype=dtype).build()
    found = net.predict(padded[:, :5])
    gradients = []
    for steps in (5, 6, 9, 10):
        np.testing.assert_allclose(net.predict(padded[:, :steps]), found, atol=1e-6)
        if name != "two":  # the statistics of a batch count all steps
            other = copy.deepcopy(net)
            other.fit(padded[:, :steps], [1], epochs=1, optimizer="sgd", learning_rate=1.0, loss="cross_entropy", verbose=0)
            gradients.append(other.parameters.flat.copy())
    for other in gradients[1:]:
        np.testing.assert_allclose(other, gradients[0], atol=1e-6)


def test_convolutions_of_texts_padded_in_front() -> None:
    layers = [Input((None,), dtype="int"), Embedding(9, 8, padding=0), Conv1D(4, 3), GlobalAveragePool(), Dense(2)]
    net = Network(layers, random_state=0).build()
    np.testing.assert_allclose(net.predict([[0, 0, 3, 4, 5, 6]]), net.predict([[3, 4, 5, 6]]), atol=1e-6)


# ---------------------------------------------------------------- free lengths


def test_a_free_length_is_written_as_t() -> None:
    layers = [Embedding(9, 8), Conv1D(4, 3), ReLU(), MaxPool1D(2), LSTM(8, return_sequences=True), Dense(2)]
    net = Network([Input((None,), dtype="int"), *layers]).build()
    for text in (str(net.equations(loss="cross_entropy")), net.equations(loss="cross_entropy").latex()):
        assert "T" in text and "⌊(T − 2)/2⌋" in text and "1000" not in text and "500" not in text
    text = str(net.equations(loss="cross_entropy"))
    for part in ("x (N, T) indices", "z² (N, T − 2, 4)", "z⁴ (N, ⌊(T − 2)/2⌋, 2)", "J = 1/(⌊(T − 2)/2⌋ N) Σ"):
        assert part in text
    lines = net.summary().splitlines()
    assert lines[2].split()[-3:] == ["T×8", "72", "0"] and "(T − 2)×4" in lines[3] and lines[-1].endswith("of T = 8 steps")
    assert "the plan of T = 20 steps" in net.plan(length=20).show() and "32×20" in net.plan(length=20).show()
    with pytest.raises(ParameterError, match="length must be an int"):
        net.plan(length=0)
    net = Network([LSTM(8), Dense(2)]).build((8, 3))
    assert "x (N, 8, 3)" in str(net.equations()) and "T =" not in net.summary() + net.plan().show()


def test_free_lengths_of_two_inputs_and_short_ones() -> None:
    a, b = Input((None, 4)), Input((None, 4))
    net = Network(inputs=[a, b], outputs=MultiHeadAttention(2)(a, b)).build()
    assert "x₀ (N, T₀, 4)" in str(net.equations()) and "x₁ (N, T₁, 4)" in str(net.equations()) and "T₀×4" in net.summary()
    x, mask = Input((None, 4)), Input((None,))
    net = Network(inputs=[x, mask], outputs=GRU(2)(Masking()(x, mask))).build()
    assert "x₀ (N, T, 4)" in str(net.equations()) and "x₁ (N, T)" in str(net.equations())
    net = Network([Input((None, 13)), PositionalEncoding(16), Dense(13)]).build()
    assert "z¹ (N, T, 13)" in str(net.equations(loss="squared_error"))


def test_a_free_length_of_few_steps() -> None:
    net = Network([Input((None, 3)), PositionalEncoding(4), GlobalAveragePool()]).build()
    assert net.predict(np.ones((2, 3, 3))).shape == (2, 3)
    with pytest.raises(ShapeError, match="5 steps, and the encoding knows 4"):
        net.predict(np.ones((2, 5, 3)))


# ---------------------------------------------------------------- as users of other libraries write it


def test_an_embedding_first_in_a_list_takes_indices() -> None:
    tokens = RNG.integers(0, 9, (20, 5))
    net = Network([Embedding(9, 3), LSTM(4), Dense(2)], random_state=0).fit(tokens, tokens[:, 0] % 2, epochs=1, verbose=0)
    assert net.input_dtypes == ["int"] and net.predict(tokens).shape == (20, 2)
    model = NeuralClassifier(layers=[Embedding(9, 3), LSTM(4), Dense(1)], epochs=1).fit(tokens, tokens[:, 0] % 2)
    assert model.predict(tokens).shape == (20,)
    with pytest.raises(DataError, match=r"X\[0, 1\] is 9; indices"):
        net.predict([[0, 9, 0, 0, 0]])
    with pytest.raises(DataError, match="must hold whole numbers"):
        net.predict(tokens + 0.5)


@each_cell
def test_initial_state_is_a_further_input(cell) -> None:
    x, *states = Input((5, 3)), *(Input((4,)) for _ in cell(4).carried)
    layer = cell(4)
    given = states[0] if len(states) == 1 else states
    net = Network(inputs=[x, *states], outputs=[layer(x, *states), layer(x, initial_state=given)], random_state=0).build()
    outputs = net.predict([RNG.normal(size=(2, 5, 3)), *(RNG.normal(size=(2, 4)) for _ in states)])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert len(net.layers) == 1


def test_several_outputs_in_a_list_of_layers() -> None:
    with pytest.raises(ParameterError, match=r"item 0, LSTM\(4, return_state=True\), has 3 outputs, and in a list"):
        Network([LSTM(4, return_state=True), Dense(2)])
    with pytest.raises(ParameterError, match=r"Got NetworkGraph\(3 layers"):
        TimeDistributed(Bidirectional(LSTM(3))).validate()


def test_the_gradient_through_time_has_the_loss_of_the_fit() -> None:
    x = RNG.normal(size=(6, 4, 2))
    net = Network([GRU(3), Dense(1)], random_state=0)
    with pytest.raises(ParameterError, match="give the loss"):
        gradient_through_time(net.build((4, 2)), x, x[:, 0, :1])
    net.fit(x, x[:, 0, :1], epochs=1, verbose=0)
    assert gradient_through_time(net, x, x[:, 0, :1])["0.gru"].shape == (4,)


# ---------------------------------------------------------------- sequences of pictures


@pytest.mark.parametrize("kind", [layers.ConvLSTM2D, layers.ConvGRU2D])
@pytest.mark.parametrize("engine", ["reference", "onednn"])
def test_states_of_pictures_pass_from_one_layer_to_the_next(kind: Any, engine: str) -> None:
    """An encoder hands its states to a decoder; the gradient with respect to the encoder's input goes through them."""
    from chainrule.layers import Input

    dtype = "float64" if engine == "reference" else "float32"
    x, later = Input((3, 4, 3, 1)), Input((2, 4, 3, 1))
    _, *states = kind(2, return_state=True)(x)
    y = kind(2, return_sequences=True)(later, initial_state=states)
    net = Network(inputs=[x, later], outputs=y, random_state=0, dtype=dtype).build()
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(2, *shape)).astype(dtype) for shape in ((3, 4, 3, 1), (2, 4, 3, 1))]
    target = rng.normal(size=(2, 2, 4, 3, 2)).astype(dtype)
    found = net.input_gradient(given, target, loss="squared_error")[0]
    assert found.shape == given[0].shape
    step = 1e-5 if engine == "reference" else 1e-2
    for place in [(0, 0, 1, 1, 0), (1, 2, 3, 0, 0)]:
        loss = []
        for sign in (1, -1):
            moved = given[0].copy()
            moved[place] += sign * step
            loss.append(net.evaluate([moved, given[1]], target, loss="squared_error")["loss"])
        expected = (loss[0] - loss[1]) / (2 * step)
        assert found[place] == pytest.approx(expected, rel=1e-5 if engine == "reference" else 0.05, abs=1e-6)


def test_one_pixel_of_pictures_is_an_lstm() -> None:
    """With kernels of one place ConvLSTM2D computes, at every place, what LSTM computes."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 5, 1, 1, 3)).astype(np.float32)
    pictures = Network([layers.ConvLSTM2D(4, 1, return_sequences=True)], random_state=0).build((5, 1, 1, 3))
    plain = Network([layers.LSTM(4, return_sequences=True)], random_state=0).build((5, 3))
    for name in ("weight", "recurrent_weight", "bias"):
        theirs = next(v for key, v in pictures.parameters.items() if key.endswith(f".{name}"))
        mine = next(v for key, v in plain.parameters.items() if key.endswith(f".{name}"))
        mine[...] = theirs.reshape(mine.shape)
    assert np.allclose(pictures.predict(x)[:, :, 0, 0], plain.predict(x[:, :, 0, 0]), atol=1e-5)


def test_bad_sequences_of_pictures() -> None:
    for kind, states in ((layers.ConvLSTM2D, 2), (layers.ConvGRU2D, 1)):
        with pytest.raises(ShapeError, match=r"\(N, T, H, W, C\).*axis of one channel"):
            Network([kind(2)]).build((3, 4, 4))
        wrong = layers.Input((3, 3, 2))
        x = layers.Input((3, 4, 4, 1))
        with pytest.raises(ShapeError, match="first state"):
            Network(inputs=[x, wrong], outputs=kind(2)(x, *[wrong] * states)).build()
        with pytest.raises(ParameterError, match="channels must be"):
            Network([kind(0)])


@pytest.mark.parametrize(("cell", "options"), [
    (SimpleRNN, {}), (GRU, {}), (GRU, {"bias": False, "reverse": True}), (LSTM, {}),
    (LSTM, {"reverse": True, "truncate": 2}),
    (SimpleRNN, {"truncate": 2}),
])  # fmt: skip
def test_steps_that_are_written_out_are_those_of_the_op_through_time(
    monkeypatch: pytest.MonkeyPatch, cell: Any, options: dict[str, Any]
) -> None:
    """With masks, first states and truncated gradients, step by step and in one op."""
    rng = np.random.default_rng(0)
    x, m = rng.normal(size=(5, 4, 3)), np.arange(4) < np.array([4, 1, 3, 4, 2])[:, None]
    starts = [rng.normal(size=(5, 2)) for _ in cell.carried]
    learned = []
    for written in (False, True):
        monkeypatch.setattr(cell, "written_out", lambda self, k, written=written: written)
        sequences, mask = Input((4, 3)), Input((4,))
        first = [Input((2,)) for _ in starts]
        y = cell(2, return_sequences=True, **options)(Masking()(sequences, mask), initial_state=first)
        net = Network(inputs=[sequences, mask, *first], outputs=y, dtype="float64", random_state=0)
        given = [x, m.astype(float), *starts]
        net.fit(given, np.ones((5, 4, 2)), epochs=2, optimizer="sgd", learning_rate=0.1, verbose=0)
        learned.append((net.parameters.flat.copy(), net.predict(given)))
    np.testing.assert_allclose(learned[1][0], learned[0][0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(learned[1][1], learned[0][1], rtol=1e-9, atol=1e-12)


def test_a_dropped_state_needs_the_reset_gate_behind_the_product() -> None:
    with pytest.raises(ParameterError, match='recurrent_dropout works with reset="after"'):
        Network([GRU(2, reset="before", recurrent_dropout=0.1)])
