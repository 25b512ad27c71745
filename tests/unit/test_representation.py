"""How parameters are held: masks, signs, and ways of one's own; in fits, files, copies, checkpoints and equations."""

import copy
import json
import pickle
import struct
import warnings

import numpy as np
import pytest

import chainrule
from chainrule import Dense, Network
from chainrule.errors import DataError, ModelFileError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import (
    GRU,
    LSTM,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    DepthwiseConv2D,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Input,
    Layer,
    MultiHeadAttention,
    Parameter,
    ReLU,
    SimpleRNN,
)
from chainrule.network import Bits, Definition, LowPrecision, Masked, NetworkGraph, Representation, Sign
from chainrule.ops import Saved
from chainrule.optimizers import LBFGS, SGD, Adam, AdamW, Nadam, Optimizer, RMSprop
from chainrule.testing import check_layer
from chainrule.training import Callback, Checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6)).astype(np.float32)
y = (X[:, 0] * X[:, 1] > 0).astype(int)
MASK = RNG.random((6, 9)) < 0.3
QUIET = {"verbose": 0, "epochs": 3, "batch_size": 16}
NAME = "0.dense.weight"
ENGINES = ["reference", "onednn"]


class Halved(Representation):
    """A representation of a user: the layer sees w times a scale of its own for each output, and w stays above −limit."""

    def __init__(self, scale, *, limit=0.25):
        self.scale, self.limit = np.asarray(scale), limit

    def value(self, k, held):
        return k.multiply(held.stored, held["scale"])

    def gradient(self, k, held, dvalue):
        return k.multiply(dvalue, held["scale"])

    def constrain(self, k, held, w):
        return k.maximum(w, -self.limit)

    def project(self, w):
        return np.maximum(w, w.dtype.type(-self.limit))


def made(random_state=0, **options):
    return Network([Dense(9), ReLU(), Dense(2)], random_state=random_state, **options).build((6,))


def halved():
    return Halved(np.linspace(0.5, 2, 9), limit=0.1)


HOW = {"masked": lambda: Masked(MASK), "sign": lambda: Sign(clip=0.5), "own": halved}


# ------------------------------------------------------------ what is computed


@pytest.mark.parametrize("engine", ENGINES)
def test_a_masked_layer_computes_with_the_masked_weights(engine):
    net = made()
    dense = net.parameters[NAME].copy()
    net.predict(X)  # a plan compiled before
    net.represent(NAME, Masked(MASK))
    np.testing.assert_array_equal(net.parameters[NAME], dense * MASK)
    hidden = np.maximum(X @ (dense * MASK), 0)
    np.testing.assert_allclose(net.predict(X), hidden @ net.parameters["2.dense.weight"], rtol=1e-4, atol=1e-5)
    assert net.representation(NAME) == Masked(MASK) and net.representation("2.dense.weight") is None


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1, momentum=0.9),
        SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        Adam(0.01, l2=0.01, l1=0.001),
        AdamW(0.01, weight_decay=0.1),
        Nadam(0.01),
        RMSprop(0.01, clip_norm=1.0),
        LBFGS(),
    ],
    ids=repr,
)
def test_zeros_stay_exactly_zero(engine, optimizer):
    net = made().fit(X, y, **QUIET, optimizer=optimizer, engine=engine)
    net.represent(NAME, Masked(MASK))
    before = net.parameters[NAME].copy()
    net.fit(X, y, **QUIET, optimizer=optimizer, engine=engine)
    assert (net.parameters[NAME][~MASK] == 0).all() and (net.parameters[NAME][MASK] != before[MASK]).any()


@pytest.mark.parametrize("name", sorted(Optimizer.registry))
def test_no_optimizer_moves_a_zero(name):
    kind = Optimizer.registry[name]
    if kind.__module__.partition(".")[0] != "chainrule":
        pytest.skip("a class of another test")
    dense = made().represent(NAME, Masked(np.ones_like(MASK)))
    dense.partial_fit(X, y, optimizer=kind())  # the optimizer's state is one of dense weights
    dense.represent(NAME, Masked(MASK))
    for _ in range(3):
        dense.fit(X, y, **QUIET, optimizer=kind())
        assert (dense.parameters[NAME][~MASK] == 0).all()
    if not kind().full_batch:
        again = made().represent(NAME, Masked(np.ones_like(MASK)))
        for mask in (np.ones_like(MASK), MASK, MASK & (np.arange(9) < 5)):
            again.represent(NAME, Masked(mask))
            again.partial_fit(X, y, optimizer=kind())
            assert (again.parameters[NAME][~mask] == 0).all()


LAYERS = {
    "LSTM": ((12, 7), lambda: [LSTM(9)], "recurrent_weight"),
    "GRU": ((12, 7), lambda: [GRU(9)], "weight"),
    # Few steps: a recurrent matrix of signs stretches what goes through it at every step, rounding too.
    "SimpleRNN": ((4, 7), lambda: [SimpleRNN(9)], "recurrent_weight"),
    "attention": ((12, 8), lambda: [MultiHeadAttention(2), Flatten()], "weight"),
    "Conv2D": ((10, 10, 16), lambda: [Conv2D(32, 3, padding="same"), GlobalAveragePool()], "weight"),
    "strided": ((9, 9, 3), lambda: [Conv2D(16, 3, stride=2), Flatten()], "weight"),
    "depthwise": ((8, 8, 16), lambda: [DepthwiseConv2D(3), GlobalAveragePool()], "weight"),
    "transposed": ((5, 5, 8), lambda: [ConvTranspose2D(16, 3, stride=2), GlobalAveragePool()], "weight"),
    "wide": ((600,), lambda: [Dense(256), ReLU(), Dense(128), ReLU()], "weight"),
    "steps": ((12, 7), lambda: [Dense(16), Flatten()], "weight"),
}


@pytest.mark.parametrize("how", ["masked", "sign"])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_on_both_engines(kind, how):
    shape, layers, part = LAYERS[kind]
    x = RNG.normal(size=(24, *shape)).astype(np.float32)
    nets = []
    for engine in ENGINES:
        net = Network([*layers(), Dense(2)], random_state=0).build(shape)
        name = next(n for n in net.parameters if n.endswith(part) and net.parameters[n].ndim > 1)
        mask = np.random.default_rng(1).random(net.parameters[name].shape) < 0.4
        net.represent(name, Masked(mask) if how == "masked" else Sign())
        net.fit(x, y[:24], epochs=2, batch_size=10, verbose=0, optimizer=SGD(0.01), engine=engine)
        nets.append(net)
        if how == "masked":
            assert (net.parameters[name][~mask] == 0).all()
    for name in nets[0].parameters:
        np.testing.assert_allclose(nets[0].parameters[name], nets[1].parameters[name], rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(nets[0].predict(x), nets[1].predict(x), rtol=5e-3, atol=5e-4)
    np.testing.assert_allclose(nets[1].predict(x[:1]), nets[1].predict(x)[:1], rtol=1e-3, atol=1e-4)


def test_zeros_stay_zero_when_pruned_between_steps_of_one_optimizer():
    """Momentum of the time before would move them."""
    net = made().partial_fit(X, y, optimizer=SGD(0.1, momentum=0.95))
    net.represent(NAME, Masked(MASK))
    for _ in range(3):
        net.partial_fit(X, y)
        assert (net.parameters[NAME][~MASK] == 0).all()
    net.represent(NAME, Masked(MASK & (np.arange(9) < 4)))
    net.partial_fit(X, y)
    assert (net.parameters[NAME][:, 4:] == 0).all()
    net.represent(NAME, None).partial_fit(X, y)
    assert (net.parameters[NAME][~MASK] != 0).any()


def test_weights_written_under_a_mask_go_with_the_next_fit():
    net = made().represent(NAME, Masked(MASK))
    net.parameters[NAME][...] = 1
    net.fit(X, y, **QUIET)
    assert (net.parameters[NAME][~MASK] == 0).all()


def test_a_fit_under_a_mask_is_that_of_plain_arithmetic():
    net = made(dtype="float64").represent(NAME, Masked(MASK))
    W, b = net.parameters[NAME].copy(), net.parameters["0.dense.bias"].copy()
    V, c = net.parameters["2.dense.weight"].copy(), net.parameters["2.dense.bias"].copy()
    x, t = X.astype(np.float64), RNG.normal(size=(64, 2))
    for _ in range(3):
        z = x @ W + b
        a = np.maximum(z, 0)
        d = 2 * (a @ V + c - t) / 2 / 64
        da = d @ V.T * (z > 0)
        V, c = V - 0.1 * a.T @ d, c - 0.1 * d.sum(0)
        W, b = W - 0.1 * (x.T @ da) * MASK, b - 0.1 * da.sum(0)
    net.fit(x, t, loss="squared_error", optimizer=SGD(0.1), epochs=3, batch_size=64, verbose=0)
    scale = net.history_["loss"][0] / ((np.maximum(x @ W + b, 0) @ V + c - t) ** 2).mean()
    assert np.isfinite(scale)
    np.testing.assert_allclose(net.parameters[NAME] != 0, MASK)
    if np.allclose(net.parameters["2.dense.weight"], V, rtol=1e-6):
        np.testing.assert_allclose(net.parameters[NAME], W, rtol=1e-6, atol=1e-9)
    else:  # the loss is the mean over the outputs, or half of it: another factor of the same gradient
        pytest.fail("the equations of the loss in this test are not those of squared_error")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sign_layer_computes_with_signs_and_its_gradient_goes_straight_through(engine):
    net = made().represent(NAME, Sign())
    w = net.parameters[NAME]
    w[0, :3] = (0.0, 0.9999, -0.9999)
    signs = np.where(w >= 0, 1, -1).astype(np.float32)
    hidden = np.maximum(X @ signs + net.parameters["0.dense.bias"], 0)
    np.testing.assert_allclose(net.predict(X), hidden @ net.parameters["2.dense.weight"], rtol=1e-4, atol=1e-4)
    outside = net.parameters[NAME].copy()
    net.fit(X, y, **QUIET, optimizer=Adam(0.05), engine=engine)
    assert (np.abs(net.parameters[NAME]) <= 1).all() and (net.parameters[NAME] != outside).any()
    found = net.trace(X, y, loss="softmax_cross_entropy")
    dz = found["0.dense.dz"]
    np.testing.assert_allclose(found["0.dense.dweight"], X.T @ dz, rtol=1e-5, atol=1e-7)
    net.parameters[NAME][2, 2] = 1.5  # beyond the clip no gradient comes through
    assert net.trace(X, y, loss="softmax_cross_entropy")["0.dense.dweight"][2, 2] == 0


def test_a_network_of_signs_learns():
    net = Network([Dense(64), BatchNorm(), ReLU(), Dense(2)], random_state=0).build((6,)).represent(NAME, Sign())
    net.fit(X, y, epochs=100, optimizer=Adam(0.02), verbose=0)
    assert net.evaluate(X, y)["accuracy"] > 0.9


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", HOW)
def test_a_watched_fit_gives_the_same_numbers(how, engine):
    nets = [made().represent(NAME, HOW[how]()) for _ in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fit is short, and the diagnosis says so
        for net, watched in zip(nets, (False, 1), strict=True):
            net.fit(X, y, **QUIET, optimizer=Adam(0.01, clip_norm=0.5, l2=0.01), engine=engine, diagnose=watched)
    for name in nets[0].parameters:
        np.testing.assert_array_equal(nets[0].parameters[name], nets[1].parameters[name])


@pytest.mark.parametrize("options", [{"clip_norm": 0.05}, {"clip_value": 0.001}, {"l2": 0.1, "l1": 0.01}], ids=repr)
def test_the_engines_agree_on_clipped_and_penalised_updates(options):
    nets = []
    for engine in ENGINES:
        net = made().represent(NAME, Masked(MASK)).represent("2.dense.weight", Sign())
        nets.append(net.fit(X, y, **QUIET, optimizer=SGD(0.1, momentum=0.9, **options), engine=engine))
    assert nets[0].history_["loss"] == pytest.approx(nets[1].history_["loss"], rel=1e-4)
    for name in nets[0].parameters:
        np.testing.assert_allclose(nets[0].parameters[name], nets[1].parameters[name], rtol=1e-3, atol=1e-4)


def test_the_norm_of_a_gradient_is_that_under_the_mask():
    step = {}
    for name, mask in (("all", np.ones_like(MASK)), ("masked", MASK)):
        net = made(dtype="float64").represent(NAME, Masked(mask))
        net.parameters[NAME][~MASK] = 0  # the same function
        old = {n: a.copy() for n, a in net.parameters.items()}
        net.fit(X, y, epochs=1, batch_size=64, verbose=0, optimizer=SGD(1.0, clip_norm=1e-3))
        moved = {n: a - old[n] for n, a in net.parameters.items()}
        assert sum((d**2).sum() for d in moved.values()) == pytest.approx(1e-6, rel=1e-6)
        step[name] = moved
    masked, whole = (step[name]["2.dense.weight"] for name in ("masked", "all"))
    ratio = np.linalg.norm(masked) / np.linalg.norm(whole)
    assert ratio > 1
    np.testing.assert_allclose(masked, ratio * whole, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("how", HOW)
def test_convolutions_embeddings_and_engines_agree(how):
    pictures = RNG.normal(size=(8, 6, 6, 3)).astype(np.float32)
    nets = []
    for engine in ENGINES:
        net = Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(2)], random_state=0).build((6, 6, 3))
        shape = net.parameters["0.conv2d.weight"].shape
        chosen = {
            "masked": Masked(np.random.default_rng(1).random(shape) < 0.5),
            "sign": Sign(),
            "own": Halved(np.linspace(0.5, 2, 4)),
        }
        net.represent("0.conv2d.weight", chosen[how])
        nets.append(net.fit(pictures, y[:8], epochs=2, batch_size=3, verbose=0, engine=engine))
    for name in nets[0].parameters:
        np.testing.assert_allclose(nets[0].parameters[name], nets[1].parameters[name], rtol=1e-3, atol=1e-4)


def test_a_masked_embedding_is_not_updated_by_rows():
    words = RNG.integers(0, 20, size=(30, 4))
    net = Network([Embedding(20, 5), GlobalAveragePool(), Dense(2)], random_state=0).build((4,))
    mask = RNG.random((20, 5)) < 0.5
    net.represent("0.embedding.weight", Masked(mask)).fit(words, y[:30], **QUIET)
    assert (net.parameters["0.embedding.weight"][~mask] == 0).all()


def test_networks_that_share_a_layer_share_how_it_is_held():
    body = Network([Dense(9), ReLU()], random_state=0).build((6,))
    a, b = (Network([body, Dense(2)], random_state=i).build((6,)) for i in range(2))
    a.fit(X, y, **QUIET)
    b.predict(X)
    a.represent(NAME, Masked(MASK))
    assert b.representation(NAME) is a.representation(NAME)
    b.fit(X, y, **QUIET)
    assert (body.parameters[NAME][~MASK] == 0).all()


def test_predictions_follow_a_change():
    net = made().represent(NAME, Sign())
    net.predict(X)
    net.predict(X)  # the quick way
    net.represent(NAME, None)
    w, v = net.parameters[NAME], net.parameters["2.dense.weight"]
    np.testing.assert_allclose(net.predict(X), np.maximum(X @ w, 0) @ v, rtol=1e-4, atol=1e-5)
    net.represent(NAME, Halved(np.full(9, 0.5)))
    w = net.parameters[NAME]
    np.testing.assert_allclose(net.predict(X), np.maximum(X @ (w / 2), 0) @ v, rtol=1e-4, atol=1e-5)
    net.represent(NAME, Halved(np.full(9, 2.0)))  # the same equations, other numbers
    np.testing.assert_allclose(net.predict(X), np.maximum(X @ (w * 2), 0) @ v, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------ what keeps it


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "through", ["file", "deepcopy", "pickle", "definition", "checkpoint"], ids=lambda name: f"through {name}"
)
def test_a_representation_survives(how, through, tmp_path):
    net = made().represent(NAME, HOW[how]())
    path = tmp_path / "at"
    net.fit(X, y, **QUIET, callbacks=[Checkpoint(path)])
    if through == "file":
        net.save(path)
        again = chainrule.load(path)
    elif through == "deepcopy":
        again = copy.deepcopy(net)
    elif through == "pickle":
        again = pickle.loads(pickle.dumps(net))
    elif through == "definition":
        again, names = Definition.of(net).build(Network)
        again.build((6,))
        Definition.put_weights(again, names, Definition.weights_of(net))
    else:
        again = made(random_state=5).represent(NAME, HOW[how]())
        again.fit(X, y, **QUIET, resume=path)
    assert again.representation(NAME) == net.representation(NAME) is not None
    np.testing.assert_array_equal(again.parameters[NAME], net.parameters[NAME])
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    shown = [str(n.equations(loss="softmax_cross_entropy", optimizer=SGD(0.1))) for n in (again, net)]
    assert shown[0] == shown[1] and type(net.representation(NAME)).__name__ in shown[0]
    kept = net.parameters[NAME].copy()
    again.fit(X, y, **QUIET)
    np.testing.assert_array_equal(net.parameters[NAME], kept)  # a copy, not the same arrays
    if how == "masked":
        assert (again.parameters[NAME][~MASK] == 0).all()
        again.represent(NAME, Masked(np.zeros_like(MASK)))
        assert net.representation(NAME) == Masked(MASK)


def test_files_hold_only_what_is_kept(tmp_path):
    def size(net):
        net.save(tmp_path / "net")
        loaded = chainrule.load(tmp_path / "net")
        for name in net.parameters:
            np.testing.assert_array_equal(loaded.parameters[name], net.parameters[name])
        return (tmp_path / "net").stat().st_size

    net = Network([Dense(300, bias=False), ReLU(), Dense(300, bias=False)], random_state=0).build((300,))
    dense = size(net)
    for kept, most in ((0.1, 0.17), (0.01, 0.025), (0.5, 0.56)):
        for name in net.parameters:
            net.represent(name, None).represent(name, Masked(np.random.default_rng(2).random((300, 300)) < kept))
        assert size(net) <= most * dense


def test_binarised_networks_saved_for_predictions_hold_a_bit_for_each_sign(tmp_path):
    net = Network([Dense(512), BatchNorm(), ReLU(), Dense(512), ReLU(), Dense(512)], random_state=0).build((512,))
    net.save(tmp_path / "dense")
    for name in ("0.dense.weight", "3.dense.weight", "5.dense.weight"):
        net.represent(name, Sign(clip=0.7))
    x = RNG.normal(size=(20, 512)).astype(np.float32)
    net.fit(x, x, epochs=1, verbose=0)
    net.save(tmp_path / "latent")
    net.save(tmp_path / "bits", for_prediction=True)
    sizes = {name: (tmp_path / name).stat().st_size for name in ("dense", "latent", "bits")}
    assert sizes["bits"] < sizes["dense"] / 28 * 1.2 and sizes["latent"] > 0.9 * sizes["dense"]  # the rest are biases
    for name in sizes.keys() - {"dense"}:
        np.testing.assert_array_equal(chainrule.load(tmp_path / name).predict(x), net.predict(x))
    assert chainrule.load(tmp_path / "latent").representation("0.dense.weight") == Sign(clip=0.7)
    loaded = chainrule.load(tmp_path / "bits")
    assert loaded.representation("0.dense.weight") == Bits() and not loaded.trainable("0.dense.weight")
    kept = loaded.parameters["0.dense.weight"].copy()
    loaded.fit(x, x, epochs=1, verbose=0)
    np.testing.assert_array_equal(loaded.parameters["0.dense.weight"], kept)
    loaded.save(tmp_path / "again")  # as it is
    assert (tmp_path / "again").stat().st_size < 1.2 * sizes["bits"]
    made().represent(NAME, Masked(MASK)).save(tmp_path / "masked", for_prediction=True)
    assert chainrule.load(tmp_path / "masked").representation(NAME) == Masked(MASK)


@pytest.mark.parametrize("bits", [np.zeros(3, np.uint8), np.zeros(8, np.int32), np.zeros((8, 1), np.uint8)])
def test_damaged_bits_are_refused(bits):
    with pytest.raises(ModelFileError, match="damaged"):
        Bits.unpack({}, {"bits": bits}, (8, 8), np.float32)


@pytest.mark.parametrize("kind, digits", [("bfloat16", 7), ("float16", 10)])
def test_low_precision_is_rounded_once_and_takes_half_the_place(kind, digits, tmp_path):
    net = Network([Dense(200), ReLU(), Dense(200)], random_state=0).build((200,))
    exact = net.parameters[NAME].copy()
    net.save(tmp_path / "dense")
    for name in (NAME, "2.dense.weight"):
        net.represent(name, LowPrecision(kind))
    rounded = net.parameters[NAME]
    error = np.abs(rounded - exact) / np.abs(exact)
    assert 0 < error.max() <= 2.0 ** -(digits + 1) * (1.001 if kind == "bfloat16" else 100)  # float16 is coarser near 0
    assert np.median(error) < 2.0 ** -(digits + 1)
    net.save(tmp_path / "half")
    assert (tmp_path / "half").stat().st_size < 0.52 * (tmp_path / "dense").stat().st_size
    again, x = chainrule.load(tmp_path / "half"), RNG.normal(size=(9, 200)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    assert again.representation(NAME) == LowPrecision(kind)
    again.fit(x, x, epochs=1, verbose=0)
    np.testing.assert_array_equal(again.parameters[NAME], rounded)


def test_rounding_to_sixteen_bits_is_that_of_the_standard():
    w = np.float32(
        [1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8), 1 + 2**-8 + 2**-20, 3e38, np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-41]
    )
    found = LowPrecision().project(w)
    np.testing.assert_array_equal(found[:4], np.float32([1, 1 + 2**-6, -1, 1 + 2**-7]))  # ties to even
    assert np.isfinite(found[4]) and found[5] == np.inf and found[6] == -np.inf and np.isnan(found[7])
    assert np.signbit(found[9]) and not np.signbit(found[8]) and 0 <= found[10] < 2e-41
    with pytest.raises(DataError, match="float16"):
        LowPrecision("float16").project(np.float32([1e6]))
    net = made()
    net.parameters[NAME][0, 0] = 1e6
    with pytest.raises(DataError, match="float16"):
        net.represent(NAME, LowPrecision("float16"))
    assert net.representation(NAME) is None and net.parameters[NAME][0, 0] == 1e6
    with pytest.raises(ParameterError, match="kind must be"):
        made().represent(NAME, LowPrecision("int4"))
    for bits in (np.zeros((2, 3), np.uint16), np.zeros((3, 2), np.int32)):
        with pytest.raises(ModelFileError, match="damaged"):
            LowPrecision.unpack({}, {"bits": bits}, (3, 2), np.float32)


def test_whatever_is_written_for_a_user_stays_under_the_mask():
    net = made().represent(NAME, Masked(MASK)).represent("2.dense.weight", Sign(clip=0.5))
    net.parameters.assign({NAME: np.ones((6, 9)), "2.dense.weight": np.full((9, 2), 3.0)})
    np.testing.assert_array_equal(net.parameters[NAME], MASK)
    assert (net.parameters["2.dense.weight"] == 0.5).all()
    net.parameters.unpack(np.ones_like(net.parameters.packed()))
    np.testing.assert_array_equal(net.parameters[NAME], MASK)


def test_a_checkpoint_after_a_representation_has_gone(tmp_path):
    net = made().represent(NAME, Masked(MASK)).partial_fit(X, y)
    net.represent(NAME, None).partial_fit(X, y)
    again = pickle.loads(pickle.dumps(net)).partial_fit(X, y)
    assert np.isfinite(again.predict(X)).all()

    class Frees(Callback):
        def on_epoch_begin(self, state, epoch):
            if epoch == 2:
                state.network.represent(NAME, None)

    path = tmp_path / "at"
    net.represent(NAME, Masked(MASK)).fit(X, y, **QUIET, callbacks=[Frees(), Checkpoint(path)])
    made().fit(X, y, **QUIET | {"epochs": 4}, resume=path)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 8), (70000, 2), (257, 511)])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 1.0])
def test_packing_masks(shape, kept):
    rng = np.random.default_rng(3)
    mask = rng.random(shape) < kept
    stored = np.where(mask, rng.normal(size=shape), 0).astype(np.float32)
    how, again = Masked.unpack({}, Masked(mask).pack(stored), shape, np.float32)
    np.testing.assert_array_equal(again, stored)
    assert how == Masked(mask)


def damaged(packed, change):
    found = {name: array.copy() for name, array in packed.items()}
    change(found)
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(values=p["values"][:-1]),
        lambda p: p.update(counts=p["counts"] + 1),
        lambda p: p.update(places=np.full_like(p["places"], 65535)),
        lambda p: p.update(places=p["places"].astype(np.int64)),
        lambda p: p.update(places=p["places"][::-1].copy()),
        lambda p: p.update(counts=np.full_like(p["counts"], 2**32 - 1)),
        lambda p: p.update(bits=np.zeros(3, np.uint8)),
    ],
)
def test_damaged_masks_are_refused(change):
    mask = np.zeros((1000, 100), bool)
    mask[::37, ::29] = True
    packed = Masked(mask).pack(np.ones(mask.shape, np.float32))
    with pytest.raises(ModelFileError, match=r"damaged|values"):
        Masked.unpack({}, damaged(packed, change), mask.shape, np.float32)


def test_a_file_cannot_ask_for_much_more_memory_than_it_has():
    with pytest.raises(ModelFileError, match="much larger than the file"):
        Masked.unpack({}, {"values": np.zeros(0, np.float32)}, (1 << 20, 1 << 20), np.float32)


def edited(path, edit):
    """The file with its description changed."""
    blob = path.read_bytes()
    (size,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + size])
    description = json.loads(header["__metadata__"]["chainrule"])
    description.pop("checksum", None)
    edit(description)
    description["format"] = 2  # files of this format have no checksum, so what the description says is looked at
    header["__metadata__"]["chainrule"] = json.dumps(description)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob[8 + size :])


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda d: d["representations"][NAME].update({"class": "Nothing"}), "not known here"),
        (lambda d: d["representations"].update({"9.dense.weight": d["representations"].pop(NAME)}), "no parameter"),
        (lambda d: d.update(representations=[1]), "damaged"),
        (lambda d: d["representations"][NAME].update({"args": {"other": 1}}), "damaged"),
        (lambda d: d["representations"].pop(NAME), "belongs to no layer|is missing"),
        (lambda d: d["representations"][NAME].update({"class": "Sign"}), "damaged"),
    ],
)
def test_damaged_files_are_refused(edit, message, tmp_path):
    path = tmp_path / "net"
    made().represent(NAME, Masked(MASK)).save(path)
    edited(path, edit)
    with pytest.raises(ModelFileError, match=message):
        chainrule.load(path)


def test_a_file_of_before_is_read(tmp_path):
    path = tmp_path / "net"
    made().save(path)
    edited(path, lambda d: d.pop("representations", None))
    np.testing.assert_array_equal(chainrule.load(path).predict(X), made().predict(X))


def test_a_checkpoint_knows_how_parameters_are_held(tmp_path):
    path = tmp_path / "at"
    made().represent(NAME, Masked(MASK)).fit(X, y, **QUIET, callbacks=[Checkpoint(path)])
    with pytest.raises(ModelFileError, match=r"holds '0.dense.weight' as Masked, this network holds it as it is"):
        made().fit(X, y, **QUIET | {"epochs": 4}, resume=path)
    other = made().represent(NAME, Masked(np.ones_like(MASK)))
    other.fit(X, y, **QUIET | {"epochs": 4}, resume=path)
    assert other.representation(NAME) == Masked(MASK) and (other.parameters[NAME][~MASK] == 0).all()


def test_early_stopping_restores_masks_with_the_weights():
    net = made().represent(NAME, Masked(np.ones_like(MASK)))

    class Prunes(Callback):
        def on_epoch_begin(self, state, epoch):
            if epoch == 3:
                state.network.represent(NAME, Masked(np.zeros_like(MASK)))
                state.network.parameters["2.dense.bias"][...] = (50, -50)

    stopping = chainrule.training.EarlyStopping("loss", patience=2)
    net.fit(X, y, **QUIET | {"epochs": 5}, callbacks=[Prunes()], early_stopping=stopping)
    assert stopping.best_epoch_ < 3
    assert net.representation(NAME).kept == MASK.size and (net.parameters[NAME] != 0).all()


def test_a_callback_may_begin_to_prune_at_any_epoch():
    class Prunes(Callback):
        def on_epoch_begin(self, state, epoch):
            if epoch == 2:
                state.network.represent(NAME, Masked(MASK))

    net = made().fit(X, y, **QUIET, callbacks=[Prunes()])
    assert (net.parameters[NAME][~MASK] == 0).all() and (net.parameters[NAME][MASK] != 0).all()


# ------------------------------------------------------------ what is shown


def test_equations_show_it():
    net = made().represent(NAME, Masked(MASK))
    text = str(net.equations(loss="softmax_cross_entropy", optimizer=SGD(0.1)))
    assert (
        "Masked(" in text and "⊙ M¹" in text and "M¹" in str(net.equations(loss="softmax_cross_entropy", optimizer=Adam()))
    )
    net.represent(NAME, Sign(clip=0.5))
    text = str(net.equations(loss="softmax_cross_entropy", optimizer=SGD(0.1)))
    assert "Sign(clip=0.5)" in text and "0.5" in text.split("update")[1]
    assert net.equations(loss="softmax_cross_entropy", optimizer=SGD(0.1)).latex()
    net.represent(NAME, halved())
    assert "Halved" in str(net.equations(loss="softmax_cross_entropy"))


def test_a_definition_prints_it():
    net = made().represent(NAME, Sign(clip=0.5)).represent("2.dense.weight", Masked(np.ones((9, 2))))
    source = Definition.of(net).source()
    assert ".represent('0.dense.weight', Sign(clip=0.5)).represent('2.dense.weight', Masked(...))" in source
    edited = Definition.of(net).with_arguments("2.dense", units=3)
    assert list(edited.representations) == [NAME]  # the mask would not fit
    assert not Definition.of(net).remove("0.dense").representations.keys() & {NAME}


# ------------------------------------------------------------ layers that ask for it, networks not built yet


class Binary(Layer):
    """y = x sign(W), by a representation that the layer asks for."""

    def __init__(self, units):
        self.units = units

    def parameters(self, shape):
        return {"weight": Parameter((shape[1], self.units), "glorot_uniform", representation=Sign())}

    def forward(self, k, x):
        w = k.param("weight")
        return k.matmul(x, w), Saved(x=x, w=w)

    def backward(self, k, saved, dy):
        k.grad("weight", k.matmul(saved.x, dy, transpose_a=True))
        return k.matmul(dy, saved.w, transpose_b=True)


def test_a_layer_may_ask_for_a_representation():
    net = Network([Binary(8), ReLU(), Dense(2)], random_state=0).fit(X, y, **QUIET)
    assert isinstance(net.representation("0.binary.weight"), Sign)
    assert set(np.unique(net.predict(X) != 0)) == {True}


def test_check_layer_takes_layers_with_representations():
    class Scaled(Binary):
        def parameters(self, shape):
            how = Halved(np.linspace(0.5, 2, self.units), limit=100.0)
            return {"weight": Parameter((shape[1], self.units), "glorot_uniform", representation=how)}

    assert check_layer(Scaled(3), (4,)).compared > 50


def test_before_the_network_is_built():
    net = Network([Dense(9), ReLU(), Dense(2)], random_state=0).represent(NAME, Masked(MASK))
    assert net.representations() == {NAME: Masked(MASK)}
    net = copy.deepcopy(net)
    net.fit(X, y, **QUIET)
    assert (net.parameters[NAME][~MASK] == 0).all()
    with pytest.raises(ShapeError, match="its mask"):
        Network([Dense(5)]).represent(NAME, Masked(MASK)).build((6,))
    with pytest.raises(UnknownNameError):
        Network([Dense(5)]).represent("7.dense.weight", Masked(MASK))
    with pytest.raises(UnknownNameError):
        Network([Dense(5)]).represent("0.dense.wait", Sign()).build((6,))


class Twice(Representation):
    """The layer sees 2 w, and has a product of its own for predictions."""

    def value(self, k, held):
        return k.multiply(held.stored, 2.0)

    def gradient(self, k, held, dvalue):
        return k.multiply(dvalue, 2.0)

    def matmul(self, k, held, x, *, transpose_a, transpose_b):
        if held.training or transpose_a or transpose_b:
            return None
        return k.multiply(k.matmul(x, held.stored), 2.0)

    def conv(self, k, held, x, **geometry):
        return None if held.training else k.multiply(k.conv(x, held.stored, **geometry), 2.0)


@pytest.mark.parametrize("shape, layer", [((6,), Dense(4)), ((5, 5, 2), Conv2D(4, 3))])
def test_a_representation_may_choose_another_op(shape, layer):
    """It is lowered to a product with the stored array, and what the dense product would need is not computed."""
    net = Network([copy.deepcopy(layer)], random_state=0).build(shape)
    name = next(iter(net.parameters))
    x = RNG.normal(size=(3, *shape)).astype(np.float32)
    once = net.predict(x)
    net.represent(name, Twice())
    np.testing.assert_allclose(net.predict(x), 2 * once, rtol=1e-4, atol=1e-5)
    nodes = net.plan(3, training=False).nodes
    weights = [n for n in nodes if any(v.shape == net.parameters[name].shape for v in n.outputs)]
    assert not weights
    assert any(v.shape == net.parameters[name].shape for n in net.plan(3).nodes for v in n.outputs)


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    "how, error, message",
    [
        (Masked(np.ones((9, 6))), ShapeError, r"shape \(6, 9\) and its mask \(9, 6\)"),
        (Masked(np.full((6, 9), 0.5)), ParameterError, "zeros and ones"),
        (Masked(np.full((6, 9), np.nan)), ParameterError, "zeros and ones"),
        (Masked(np.full((6, 9), "a")), ParameterError, "zeros and ones"),
        (Sign(clip=0), ParameterError, "clip must be a finite number above 0"),
        (Sign(clip=float("nan")), ParameterError, "clip must be"),
        (Sign(clip="1"), ParameterError, "clip must be"),
        ("masked", ParameterError, "expected a Representation"),
    ],
)
def test_bad_representations(how, error, message):
    net = made()
    before = net.parameters[NAME].copy()
    with pytest.raises(error, match=message):
        net.represent(NAME, how)
    np.testing.assert_array_equal(net.parameters[NAME], before)
    with pytest.raises(UnknownNameError, match="Did you mean"):
        net.represent("0.dense.weights", Sign())


def test_a_representation_that_gives_another_shape_says_so():
    class Flat(Representation):
        def value(self, k, held):
            return k.reshape(held.stored, (54,))

    with pytest.raises(ShapeError, match=r"Flat.value gave shape \(54,\)"):
        made().represent(NAME, Flat()).predict(X)


def test_a_class_that_cannot_be_found_again_is_not_saved(tmp_path):
    class _Hidden(Representation):
        pass

    with pytest.raises(ParameterError, match="could not be found again"):
        made().represent(NAME, _Hidden()).save(tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_graphs_can_be_represented_without_a_model_on_top():
    x = Input((6,))
    graph = NetworkGraph(inputs=x, outputs=Dense(9)(x), random_state=0).build().represent(NAME, Masked(MASK))
    assert (copy.deepcopy(graph).parameters[NAME][~MASK] == 0).all()
