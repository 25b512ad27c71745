"""Networks that share layers share their parameters and states."""

import copy
import gc
import pickle
import threading
import warnings
import weakref

import numpy as np
import pytest

import chainrule
from chainrule import Dense, Network
from chainrule.errors import EngineError, ParameterError, ShapeError
from chainrule.layers import BatchNorm, Dropout, Input, ReLU, Standardize, Tanh
from chainrule.network.store import variables_of
from chainrule.optimizers import SGD, Adam
from chainrule.training import Checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5)).astype(np.float32)
y = (X[:, 0] * X[:, 1] > 0).astype(int)
QUIET = {"verbose": 0, "epochs": 2, "batch_size": 16}
ENGINES = ["reference", "onednn"]


def body(**options):
    return Network([Dense(7), ReLU(), Dense(6), Tanh()], random_state=1, **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_inside_another_keeps_its_weights(engine):
    inner = body().fit(X, RNG.normal(size=(60, 6)), **QUIET, engine=engine)
    kept = {name: array.copy() for name, array in inner.parameters.items()}
    hidden = inner.predict(X)
    outer = Network([inner, Dense(2)], random_state=0).build((5,))
    for name, array in kept.items():
        np.testing.assert_array_equal(outer.parameters[name], array)
    head = outer.parameters["4.dense.weight"], outer.parameters["4.dense.bias"]
    np.testing.assert_allclose(outer.predict(X), hidden @ head[0] + head[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_change_in_one_is_seen_in_the_other(engine):
    inner = body().fit(X, RNG.normal(size=(60, 6)), **QUIET, engine=engine)
    inner.predict(X)  # compiled before the other network exists
    view = inner.parameters["0.dense.weight"]
    outer = Network([inner, Dense(2)], random_state=0).fit(X, y, **QUIET, engine=engine)
    np.testing.assert_array_equal(view, outer.parameters["0.dense.weight"])
    assert np.shares_memory(view, outer.parameters["0.dense.weight"])
    before = outer.predict(X)
    inner.parameters["2.dense.weight"][...] = 0
    inner.parameters["2.dense.bias"][...] = 0
    assert (inner.predict(X) == 0).all()
    np.testing.assert_allclose(outer.predict(X), np.tile(outer.parameters["4.dense.bias"], (60, 1)), rtol=1e-6)
    assert (outer.predict(X) != before).any()


@pytest.mark.parametrize("order", ["inner first", "outer first"])
def test_the_order_of_building_does_not_matter(order):
    inner = body()
    outer = Network([inner, Dense(2)], random_state=1)
    if order == "inner first":
        inner.build((5,))
    outer.build((5,))
    assert inner.built  # a network inside another is built with it
    for name in inner.parameters:
        assert np.shares_memory(inner.parameters[name], outer.parameters[name])
    outer.fit(X, y, **QUIET)
    hidden = np.tanh(
        np.maximum(X @ outer.parameters["0.dense.weight"] + outer.parameters["0.dense.bias"], 0)
        @ outer.parameters["2.dense.weight"]
        + outer.parameters["2.dense.bias"]
    )
    np.testing.assert_allclose(inner.predict(X), hidden, rtol=1e-4, atol=1e-5)


def test_a_network_of_its_own_has_one_block_and_the_numbers_it_always_had():
    plain, again = body().build((5,)), body().build((5,))
    assert len(plain.parameters.blocks) == 1
    np.testing.assert_array_equal(plain.parameters.flat, again.parameters.flat)
    np.testing.assert_array_equal(plain.parameters.packed(), plain.parameters.flat)
    shared = Network([plain, Dense(2)]).build((5,))
    assert len(shared.parameters.blocks) == 2
    with pytest.raises(EngineError, match="2 blocks"):
        _ = shared.parameters.flat
    whole = shared.parameters.packed()
    assert whole.size == Network([body(), Dense(2)]).build((5,)).parameters.flat.size
    shared.parameters.unpack(whole * 2)
    np.testing.assert_array_equal(plain.parameters.flat, 2 * again.parameters.flat)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
def test_sharing_does_not_change_what_a_fit_computes(engine, optimizer):
    """The same start weights, once in one block and once in two: the same numbers."""
    inner = body().build((5,))
    shared = Network([inner, Dense(2)], random_state=3).build((5,))
    alone = copy.deepcopy(shared)
    assert len(alone.parameters.blocks) == 1
    for net in (shared, alone):
        net.rng = np.random.default_rng(7)
        net.fit(X, y, **QUIET, optimizer=optimizer, engine=engine)
    for name in shared.parameters:
        np.testing.assert_allclose(shared.parameters[name], alone.parameters[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"l2": 0.01}, {"l1": 0.01}, {"weight_decay": 0.1}, {"clip_norm": 0.01}, {"clip_value": 0.001}]
)
def test_penalties_and_clipping_see_all_blocks_and_nothing_else(options):
    inner = body().build((5,))
    other = Network([inner, Dense(3)], random_state=9).build((5,))
    shared = Network([inner, Dense(2)], random_state=3).build((5,))
    alone = copy.deepcopy(shared)
    untouched = other.parameters["4.dense.weight"].copy()
    for net in (shared, alone):
        net.rng = np.random.default_rng(7)
        net.fit(X, y, **QUIET, optimizer=Adam(0.01, **options))
    assert shared.history_["loss"] == pytest.approx(alone.history_["loss"], rel=1e-5)
    for name in shared.parameters:
        np.testing.assert_allclose(shared.parameters[name], alone.parameters[name], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(other.parameters["4.dense.weight"], untouched)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_networks_with_one_body_are_trained_in_turn(engine):
    """Each with its own head, loss and optimizer."""
    shared = body()
    a = Network([shared, Dense(2)], random_state=0)
    b = Network([shared, Dense(1)], random_state=0)
    target = X[:, :1] - X[:, 1:2]
    for _ in range(15):
        a.partial_fit(X, y, optimizer=Adam(0.01), engine=engine)
        b.partial_fit(X, target, loss="squared_error", optimizer=SGD(0.02, momentum=0.9), engine=engine)
    assert np.shares_memory(a.parameters["0.dense.weight"], b.parameters["0.dense.weight"])
    assert a.history_["loss"][-1] < a.history_["loss"][0] and b.history_["loss"][-1] < b.history_["loss"][0]
    assert a.evaluate(X, y)["loss"] < np.log(2) and b.evaluate(X, target)["loss"] < target.var()


def test_adversarial_networks():
    """The generator learns through a discriminator that its network keeps frozen, and the discriminator learns alone."""
    generator = Network([Dense(8), ReLU(), Dense(5)], random_state=0)
    discriminator = Network([Dense(8), ReLU(), Dense(1)], random_state=1)
    noise = RNG.normal(size=(60, 3)).astype(np.float32)
    gan = Network([generator, discriminator], random_state=2).build((3,)).freeze(discriminator)
    real = X + 3
    for _ in range(30):
        made = generator.predict(noise)
        kept = [array.copy() for array in generator.parameters.values()]
        discriminator.partial_fit(
            np.concatenate([real, made]), np.repeat([1, 0], 60), loss="binary_cross_entropy", learning_rate=0.01
        )
        for old, array in zip(kept, generator.parameters.values(), strict=True):
            np.testing.assert_array_equal(old, array)
        kept = [array.copy() for array in discriminator.parameters.values()]
        gan.partial_fit(noise, np.ones(60, int), loss="binary_cross_entropy", learning_rate=0.01)
        for old, array in zip(kept, discriminator.parameters.values(), strict=True):
            np.testing.assert_array_equal(old, array)
    assert abs(generator.predict(noise).mean() - 3) < 2  # it began near 0


def test_freezing():
    inner = body().fit(X, RNG.normal(size=(60, 6)), **QUIET)
    inner.freeze("0.dense")
    outer = Network([inner, Dense(2)], random_state=0)
    assert outer.frozen == {"0.dense"}  # what is frozen in a network is frozen in those made of it
    kept = {name: array.copy() for name, array in inner.parameters.items()}
    outer.freeze(inner).fit(X, y, **QUIET)
    assert outer.frozen == {*inner.layers}
    for name, array in kept.items():
        np.testing.assert_array_equal(inner.parameters[name], array)
    outer.unfreeze(inner.layer("2.dense")).fit(X, y, **QUIET)
    np.testing.assert_array_equal(inner.parameters["0.dense.weight"], kept["0.dense.weight"])
    assert (inner.parameters["2.dense.weight"] != kept["2.dense.weight"]).any()
    with pytest.raises(ParameterError, match="does not stand in this network"):
        outer.freeze(Dense(3))


@pytest.mark.parametrize("engine", ENGINES)
def test_running_statistics_are_shared(engine):
    inner = Network([Dense(6), BatchNorm(), ReLU()], random_state=0)
    outer = Network([inner, Dense(2)], random_state=0).fit(X, y, **QUIET, engine=engine)
    assert np.shares_memory(inner.states["1.batch_norm.running_mean"], outer.states["1.batch_norm.running_mean"])
    z = X @ inner.parameters["0.dense.weight"] + inner.parameters["0.dense.bias"]
    mean, variance = inner.states["1.batch_norm.running_mean"], inner.states["1.batch_norm.running_var"]
    assert (mean != 0).all()
    gamma, beta = inner.parameters["1.batch_norm.gamma"], inner.parameters["1.batch_norm.beta"]
    wanted = np.maximum((z - mean) / np.sqrt(variance + inner.layer("1.batch_norm").epsilon) * gamma + beta, 0)
    np.testing.assert_allclose(inner.predict(X), wanted, rtol=1e-3, atol=1e-4)
    kept = mean.copy()
    Network([inner, Dense(1)], random_state=0).freeze(inner).fit(X, X[:, :1], **QUIET, engine=engine)
    np.testing.assert_array_equal(mean, kept)


def test_what_was_measured_on_data_stays():
    """A fit of the outer network does not measure the inputs of the inner one again, nor draw its weights by data."""
    inner = Network([Standardize(), Dense(6, weight_init="lsuv"), ReLU()], random_state=0)
    inner.fit(X * 5 + 2, RNG.normal(size=(60, 6)), **QUIET)
    mean = inner.states["0.standardize.mean"].copy()
    weight = inner.parameters["1.dense.weight"].copy()
    outer = Network([inner, Dense(2, weight_init="lsuv")], random_state=0).freeze(inner)
    outer.fit(X, y, **QUIET)
    np.testing.assert_array_equal(inner.states["0.standardize.mean"], mean)
    np.testing.assert_array_equal(inner.parameters["1.dense.weight"], weight)
    loaded = Network([pickle.loads(pickle.dumps(inner)), Dense(2)]).fit(X, y, **QUIET)
    np.testing.assert_array_equal(loaded.states["0.standardize.mean"], mean)


def test_a_part_of_a_network_and_layers_in_the_functional_form():
    x = Input((5,))
    h = Tanh()(Dense(7)(x))
    a = Network(inputs=x, outputs=Dense(2)(h), random_state=0).fit(X, y, **QUIET)
    features = Network(inputs=x, outputs=h).build()
    b = Network(inputs=x, outputs=Dense(3)(h), random_state=5).build()
    assert np.shares_memory(features.parameters["0.dense.weight"], a.parameters["0.dense.weight"])
    assert np.shares_memory(b.parameters["0.dense.weight"], a.parameters["0.dense.weight"])
    wanted = np.tanh(X @ a.parameters["0.dense.weight"] + a.parameters["0.dense.bias"])
    np.testing.assert_allclose(features.predict(X), wanted, rtol=1e-4, atol=1e-5)
    head = a.parameters["2.dense.weight"].copy()
    features.fit(X, np.zeros((60, 7)), **QUIET)
    np.testing.assert_array_equal(a.parameters["2.dense.weight"], head)  # in its block, but not its own


def test_a_siamese_network_trains_its_encoder():
    encoder = body()
    left, right = Input((5,)), Input((5,))
    from chainrule.layers import Concat

    net = Network(inputs=[left, right], outputs=Dense(2)(Concat()(encoder(left), encoder(right))), random_state=0)
    net.fit([X, X[::-1].copy()], y, **QUIET)
    assert encoder.built and np.shares_memory(encoder.parameters["0.dense.weight"], net.parameters["0.dense.weight"])


# ------------------------------------------------------------ copies and files


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_copies_made_together_share_and_copies_made_apart_do_not(copier):
    inner = body().build((5,))
    outer = Network([inner, Dense(2)], random_state=0).fit(X, y, **QUIET)
    apart, (first, second) = copier(outer), copier((inner, outer))
    assert np.shares_memory(first.parameters["0.dense.weight"], second.parameters["0.dense.weight"])
    assert first.parameters.blocks[0].ctypes.data % 64 == 0
    kept = outer.predict(X)
    for net in (apart, second):
        np.testing.assert_array_equal(net.predict(X), kept)
        net.fit(X, y, **QUIET)
    np.testing.assert_array_equal(outer.predict(X), kept)
    np.testing.assert_array_equal(first.parameters["0.dense.weight"], second.parameters["0.dense.weight"])
    again = Network([first, Dense(4)]).build((5,))
    assert np.shares_memory(again.parameters["0.dense.weight"], second.parameters["0.dense.weight"])


def test_a_copy_of_a_part_leaves_the_rest_behind():
    shared = body()
    Network([shared, Dense(5000)], random_state=0).build((5,))
    assert len(pickle.dumps(shared)) < 10_000


def test_a_file_holds_the_whole_outer_network(tmp_path):
    inner = body().fit(X, RNG.normal(size=(60, 6)), **QUIET)
    outer = Network([inner, Dense(2)], random_state=0).freeze(inner).fit(X, y, **QUIET)
    outer.save(tmp_path / "outer.chainrule")
    inner.save(tmp_path / "inner.chainrule")
    loaded, part = chainrule.load(tmp_path / "outer.chainrule"), chainrule.load(tmp_path / "inner.chainrule")
    np.testing.assert_array_equal(loaded.predict(X), outer.predict(X))
    assert loaded.frozen == outer.frozen and len(loaded.parameters.blocks) == 1
    np.testing.assert_array_equal(part.predict(X), inner.predict(X))
    again = Network([part, Dense(2)]).build((5,))
    assert np.shares_memory(again.parameters["0.dense.weight"], part.parameters["0.dense.weight"])


def test_a_checkpoint_holds_the_network_alone(tmp_path):
    """Resuming one network leaves the head of another, which lies in the same block, as it is."""
    shared = body()
    a = Network([shared, Dense(2)], random_state=0).build((5,))
    b = Network([shared, Dense(3)], random_state=0).build((5,))
    path = tmp_path / "b.checkpoint"
    b.fit(X, y, **QUIET, callbacks=[Checkpoint(path)])
    through = copy.deepcopy(b)
    a.fit(X, y, **QUIET)
    head = a.parameters["4.dense.weight"].copy()
    b.fit(X, y, **QUIET | {"epochs": 4}, resume=path)
    np.testing.assert_array_equal(a.parameters["4.dense.weight"], head)
    through.fit(X, y, **QUIET | {"epochs": 4}, resume=path)
    np.testing.assert_allclose(b.predict(X), through.predict(X), rtol=1e-5, atol=1e-6)


def test_early_stopping_restores_the_network_alone():
    shared = body()
    a = Network([shared, Dense(2)], random_state=0).build((5,))
    head = a.parameters["4.dense.weight"]
    part = Network([shared], random_state=0)

    class TrainsTheOther(chainrule.training.Callback):
        def on_epoch_end(self, trainer, epoch, logs):
            head[...] = epoch

    part.fit(X, np.zeros((60, 6)), **QUIET, early_stopping=True, callbacks=[TrainsTheOther()])
    assert (head == 2).all()


def test_equations_and_diagnosis_of_a_network_that_shares():
    inner = body().build((5,))
    outer = Network([inner, Dense(2)], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is a short fit, and the diagnosis says so
        outer.fit(X, y, **QUIET, diagnose=True)
    text = str(outer.equations())
    apart = str(copy.deepcopy(outer).equations())
    assert text.split("update")[0] == apart.split("update")[0]
    assert "4.dense" in outer.summary() and outer.plan().nodes
    traced = outer.trace(X[:3], y[:3])
    wanted = copy.deepcopy(outer).trace(X[:3], y[:3])["0.dense.dweight"]
    np.testing.assert_allclose(traced["0.dense.dweight"], wanted, rtol=1e-6, atol=1e-9)


# ------------------------------------------------------------ errors and lifetimes


def test_a_layer_cannot_have_two_shapes_or_kinds():
    layer = Dense(4)
    Network([layer]).build((5,))
    with pytest.raises(ShapeError, match=r"'0.dense' has 'weight' of shape \(5, 4\) .* needs shape \(6, 4\)"):
        Network([layer]).build((6,))
    with pytest.raises(ParameterError, match=r"float32 weights .* this network is float64.*copy.deepcopy"):
        Network([layer], dtype="float64").build((5,))
    Network([copy.deepcopy(layer)], dtype="float64").build((6,))
    activation = ReLU()  # has no arrays, so nothing to disagree about
    Network([Dense(2), activation]).build((3,))
    Network([Dense(2), activation], dtype="float64").build((4,))


def test_a_build_that_fails_leaves_nothing_behind():
    layer, bad = Dense(4), Dense(3, weight_init=lambda *a: 1 / 0)
    with pytest.raises(Exception):  # noqa: B017 - whatever the initializer raises
        Network([layer, bad]).build((5,))
    assert variables_of(layer) is None
    Network([layer]).build((6,))


def test_arrays_live_as_long_as_somebody_needs_them():
    layer = Dense(4)
    net = Network([layer]).build((5,))
    block = weakref.ref(net.parameters.blocks[0].base)
    del net
    gc.collect()
    again = Network([layer]).build((5,))
    assert again.parameters.blocks[0].base is block()
    del again, layer
    gc.collect()
    assert block() is None


def test_a_restart_draws_new_weights_in_place():
    shared = body()
    outer = Network([shared, BatchNorm(), Dense(2)], random_state=0).fit(X, y, **QUIET).freeze("0.dense")
    frozen, old = shared.parameters["0.dense.weight"].copy(), shared.parameters["2.dense.weight"].copy()
    outer.restart()
    np.testing.assert_array_equal(shared.parameters["0.dense.weight"], frozen)
    assert (shared.parameters["2.dense.weight"] != old).all()
    assert (outer.states["4.batch_norm.running_mean"] == 0).all()


def test_predictions_from_many_threads():
    shared = body()
    nets = [Network([shared, Dropout(0.5), Dense(n)], random_state=0).build((5,)) for n in (2, 3)]
    wanted = [net.predict(X) for net in nets]
    wrong = []

    def ask(net, expected):
        for n in (60, 7, 1) * 5:
            if not np.allclose(net.predict(X[:n]), expected[:n], rtol=1e-5, atol=1e-6):
                wrong.append(n)

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(nets * 3, wanted * 3, strict=True)]
    for thread in threads:
        thread.start()
    for _ in range(5):  # built and used meanwhile
        Network([shared, Dense(4)]).build((5,)).predict(X)
    for thread in threads:
        thread.join()
    assert not wrong


def test_networks_built_at_the_same_time_share():
    shared = body()
    nets = [Network([shared, Dense(2)], random_state=i) for i in range(8)]
    threads = [threading.Thread(target=net.build, args=((5,),)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({net.parameters["0.dense.weight"].ctypes.data for net in nets}) == 1
