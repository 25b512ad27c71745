"""Pruning in one shot, while training, sparse from the start, and lottery tickets."""

import copy
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule import Dense, Network
from chainrule.errors import DataError, NotFittedError, ParameterError, UnknownNameError
from chainrule.layers import BatchNorm, Conv2D, Dropout, Embedding, Flatten, GlobalAveragePool, Layer, MaxPool2D, ReLU
from chainrule.network import Masked, Sign
from chainrule.optimizers import SGD, Adam
from chainrule.sparsity import GradualPruning, RigL, lottery_ticket, prune, sensitivity, sparsity
from chainrule.sparsity.allocation import block_sums, erdos_renyi, masks_of
from chainrule.training import Callback, Checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(320, 20)).astype(np.float32)
y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
QUIET = {"verbose": 0, "batch_size": 32}
NAMES = ["0.dense.weight", "2.dense.weight", "4.dense.weight"]


def made(seed=0):
    return Network([Dense(40), ReLU(), Dense(30), ReLU(), Dense(2)], random_state=seed).build((20,))


def zeros(net):
    return {name: float((net.parameters[name] == 0).mean()) for name in NAMES}


# ------------------------------------------------------------ one shot


def test_global_magnitude_takes_the_smallest_of_all():
    net = made()
    before = {name: array.copy() for name, array in net.parameters.items()}
    pruned = prune(net, 0.8)
    for name in net.parameters:
        np.testing.assert_array_equal(net.parameters[name], before[name])  # a copy was pruned
    every = np.concatenate([np.abs(net.parameters[n]).ravel() for n in NAMES])
    total = every.size
    assert pruned.sparsity().zeros == round(0.8 * total)
    cut = np.sort(every)[round(0.8 * total)]
    for name in NAMES:
        np.testing.assert_array_equal(pruned.parameters[name] != 0, np.abs(net.parameters[name]) >= cut)
    np.testing.assert_array_equal(pruned.parameters["0.dense.bias"], net.parameters["0.dense.bias"])


@pytest.mark.parametrize("method", ["magnitude", "random"])
def test_by_layer_each_has_the_same_share(method):
    pruned = prune(made(), 0.75, method=method, scope="layer")
    assert zeros(pruned) == dict.fromkeys(NAMES, 0.75)


def test_random_pruning_does_not_look_at_the_weights():
    net = made()
    a, b, c = (prune(net, 0.5, method="random", random_state=seed) for seed in (0, 0, 1))
    assert a.representation(NAMES[0]) == b.representation(NAMES[0]) != c.representation(NAMES[0])
    kept = np.abs(net.parameters[NAMES[0]])[a.representation(NAMES[0]).mask != 0]
    assert abs(kept.mean() / np.abs(net.parameters[NAMES[0]]).mean() - 1) < 0.1


def test_erdos_renyi_gives_large_layers_more_zeros_and_keeps_the_total():
    pruned = prune(made(), 0.8, scope="erk")
    found = zeros(pruned)
    assert found[NAMES[1]] > found[NAMES[0]] > found[NAMES[2]]
    assert pruned.sparsity().sparsity == pytest.approx(0.8, abs=0.002)
    shapes = {"a": (3, 3, 16, 32), "b": (1000, 1000), "c": (4, 2)}
    shares = erdos_renyi(shapes, 0.9)
    sizes = {name: np.prod(shape) for name, shape in shapes.items()}
    assert sum(shares[n] * sizes[n] for n in shapes) == pytest.approx(0.9 * sum(sizes.values()))
    ratio = (1 - shares["b"]) / (1 - shares["a"])
    assert ratio == pytest.approx((2000 / 1e6) / (54 / sizes["a"])) and shares["c"] == 0
    assert erdos_renyi(shapes, 0.0) == {"a": 0.0, "b": 0.0, "c": 0.0}


@pytest.mark.parametrize("structure, width", [("blocks4", 4), ("blocks16", 16)])
@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_blocks_go_as_a_whole(structure, width, scope):
    net = made()
    pruned = prune(net, 0.6, structure=structure, scope=scope)
    for name in NAMES:
        kept = block_sums((pruned.parameters[name] != 0).astype(float), width)
        sizes = block_sums(np.ones((*kept.shape[:-1], net.parameters[name].shape[-1])), width)
        assert ((kept == 0) | (kept == sizes)).all()
    assert pruned.sparsity().sparsity == pytest.approx(0.6, abs=0.02)
    if scope == "layer":  # the blocks with the smallest mean
        means = block_sums(np.abs(net.parameters[NAMES[0]]).astype(float), width)[:, :2]
        stays = block_sums((pruned.parameters[NAMES[0]] != 0).astype(float), width)[:, :2] > 0
        assert means[stays].min() >= means[~stays].max()


def test_what_is_pruned_stays_pruned():
    once = prune(made(), 0.5, method="random")
    twice = prune(once, 0.7)
    for name in NAMES:
        assert not ((once.parameters[name] == 0) & (twice.parameters[name] != 0)).any()
    assert twice.sparsity().sparsity == pytest.approx(0.7, abs=0.001)
    assert prune(once, 0.2).sparsity().zeros == once.sparsity().zeros


def test_every_layer_keeps_something():
    net = made()
    net.parameters[NAMES[1]][...] *= 1e-6
    for structure in (None, "blocks4"):
        pruned = prune(net, 0.999, structure=structure)
        assert all(np.count_nonzero(pruned.parameters[name]) for name in NAMES)
    net.parameters[NAMES[1]][...] = 0  # all are alike
    assert prune(net, 0.5).representation(NAMES[1]).kept >= 1


def test_some_layers_only_and_in_place():
    net = made()
    assert prune(net, 0.5, layers=["2.dense"], in_place=True) is net
    assert zeros(net) == {NAMES[0]: 0.0, NAMES[1]: 0.5, NAMES[2]: 0.0}
    body = Network([Dense(40), ReLU()], random_state=0).build((20,))
    a, b = (Network([body, Dense(n)], random_state=0).build((20,)) for n in (2, 3))
    prune(a, 0.5, in_place=True, layers="0.dense")
    assert (b.parameters["0.dense.weight"] == 0).mean() == 0.5  # it is the same layer


def test_embeddings_biases_normalisations_and_frozen_layers_stay():
    words = RNG.integers(0, 30, size=(40, 5))
    net = Network([Embedding(30, 8), GlobalAveragePool(), Dense(16), BatchNorm(), Dense(2)], random_state=0).build((5,))
    net.freeze("4.dense")
    pruned = prune(net, 0.5)
    assert list(pruned.representations()) == ["2.dense.weight"]
    pruned.fit(words, y[:40], epochs=2, **QUIET)


@pytest.mark.parametrize("engine", ["reference", "onednn"])
def test_fine_tuning_brings_the_score_back(engine):
    net = made().fit(X, y, epochs=30, learning_rate=0.01, **QUIET, engine=engine)
    dense = net.evaluate(X, y)["accuracy"]
    pruned = prune(net, 0.85)
    fallen = pruned.evaluate(X, y)["accuracy"]
    pruned.fit(X, y, epochs=30, learning_rate=0.01, **QUIET, engine=engine)
    assert dense > 0.95 and pruned.evaluate(X, y)["accuracy"] > max(fallen, 0.95)
    assert pruned.sparsity().sparsity == pytest.approx(0.85, abs=0.001)


def test_a_pruned_network_is_saved_small(tmp_path):
    net = Network([Dense(200), ReLU(), Dense(200), ReLU(), Dense(10)], random_state=0).build((100,))
    net.save(tmp_path / "dense")
    for share, most in ((0.9, 0.17), (0.95, 0.1)):
        pruned = prune(net, share)
        pruned.save(tmp_path / "pruned")
        sizes = [(tmp_path / name).stat().st_size for name in ("pruned", "dense")]
        assert sizes[0] <= most * sizes[1] + 2000
        again = chainrule.load(tmp_path / "pruned")
        for name in net.parameters:
            np.testing.assert_array_equal(again.parameters[name], pruned.parameters[name])


# ------------------------------------------------------------ what is said


def test_the_table():
    net = prune(made(), 0.5, layers=["0.dense"])
    table = net.sparsity()
    assert table["0.dense.weight"].zeros == 400 and table["0.dense.weight"].sparsity == 0.5
    assert table.elements == 20 * 40 + 40 * 30 + 30 * 2 and table.zeros == 400 and table.others == 72
    assert "0.dense.weight" in str(table) and "50.0%" in str(table) and "Masked(400 of 800 kept)" in str(table)
    assert sparsity(net) == table
    with pytest.raises(NotFittedError):
        Network([Dense(2)]).sparsity()


def test_sensitivity_prunes_one_parameter_at_a_time():
    net = made().fit(X, y, epochs=30, learning_rate=0.01, **QUIET)
    before = {name: array.copy() for name, array in net.parameters.items()}
    found = sensitivity(net, X, y, sparsities=(0.0, 0.5, 0.95))
    assert found.metric == "accuracy" and found.dense == net.evaluate(X, y)["accuracy"]
    assert list(found.scores) == NAMES and all(s[0.0] == pytest.approx(found.dense) for s in found.scores.values())
    alone = prune(net, 0.95, scope="layer", layers=["2.dense"])
    assert found.scores[NAMES[1]][0.95] == pytest.approx(alone.evaluate(X, y)["accuracy"])
    assert "95%" in str(found) and not net.representations()
    for name in net.parameters:
        np.testing.assert_array_equal(net.parameters[name], before[name])
    losses = sensitivity(net, X, y, sparsities=[0.9], metric="loss")
    assert all(scores[0.9] > losses.dense for scores in losses.scores.values())
    with pytest.raises(UnknownNameError):
        sensitivity(net, X, y, metric="nothing")


# ------------------------------------------------------------ while training


class Follows(Callback):
    """The sparsity after every epoch, and whether a zero came back."""

    def __init__(self):
        self.seen, self.back, self.masks = [], False, {}

    def on_epoch_end(self, state, epoch, logs):
        self.seen.append(sparsity(state.network).sparsity)
        for name, how in state.network.representations().items():
            kept = how.mask != 0
            self.back |= bool((state.network.parameters[name][~kept] != 0).any())
            self.back |= bool((kept & ~self.masks.get(name, np.ones_like(kept))).any())
            self.masks[name] = kept.copy()


@pytest.mark.parametrize("engine", ["reference", "onednn"])
@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.05, momentum=0.9, weight_decay=0.001)], ids=repr)
def test_gradual_pruning_follows_the_cubic_schedule(engine, optimizer):
    follows = Follows()
    net = made()
    net.fit(X, y, epochs=12, **QUIET, optimizer=optimizer, engine=engine, callbacks=[
        GradualPruning(0.9, initial=0.2, begin=2, end=8, every=5), follows])  # fmt: skip
    wanted = [0.0, 0.2, *(0.9 + (0.2 - 0.9) * (1 - (e - 2) / 6) ** 3 for e in range(3, 9)), *[0.9] * 4]
    np.testing.assert_allclose(follows.seen, wanted, atol=0.002)
    assert not follows.back and net.evaluate(X, y)["accuracy"] > 0.8


def test_the_steps_of_pruning_do_not_depend_on_the_speed():
    class Slow(Callback):
        def on_batch_chunk_end(self, state, logs):
            self.chunks = getattr(self, "chunks", 0) + 1

    nets = []
    for _ in range(2):
        net = made().fit(X, y, epochs=6, **QUIET, callbacks=[GradualPruning(0.8, every=7), Slow()])
        nets.append(net)
    for name in nets[0].parameters:
        np.testing.assert_array_equal(nets[0].parameters[name], nets[1].parameters[name])


def test_gradual_pruning_of_blocks_by_layer_and_at_random():
    for options in ({"structure": "blocks4"}, {"scope": "layer"}, {"scope": "erk"}, {"method": "random"}):
        net = made().fit(X, y, epochs=4, **QUIET, callbacks=[GradualPruning(0.7, every=4, **options)])
        assert net.sparsity().sparsity == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("kind", [lambda: GradualPruning(0.8, every=6), lambda: RigL(0.8, every=6)])
def test_a_pruning_fit_is_resumed_bit_for_bit(kind, tmp_path):
    path, middle = tmp_path / "at", tmp_path / "middle"

    class Copies(Callback):
        def on_epoch_begin(self, state, epoch):
            if epoch == 4:
                middle.write_bytes(path.read_bytes())

    through = made().fit(X, y, epochs=8, **QUIET, callbacks=[kind(), Checkpoint(path), Copies()])
    resumed = made(seed=0).fit(X, y, epochs=8, **QUIET, callbacks=[kind(), Checkpoint(path)], resume=middle)
    for name in through.parameters:
        np.testing.assert_array_equal(resumed.parameters[name], through.parameters[name])
    assert resumed.representations() == through.representations()


def test_pruning_goes_with_dropout_convolutions_and_early_stopping():
    pictures = RNG.normal(size=(60, 8, 8, 2)).astype(np.float32)
    net = Network([Conv2D(8, 3), ReLU(), MaxPool2D(2), Flatten(), Dropout(0.2), Dense(2)], random_state=0)
    follows = Follows()
    net.fit(pictures, y[:60], epochs=8, **QUIET, validation_split=0.2, early_stopping=8, callbacks=[
        GradualPruning(0.6, every=1, end=4), follows])  # fmt: skip
    assert follows.seen[-1] == pytest.approx(0.6, abs=0.01) and not follows.back
    # What the best epoch had comes back with its mask.
    for name, how in net.representations().items():
        assert (net.parameters[name][how.mask == 0] == 0).all()


def test_an_average_of_weights_is_pruned_too():
    from chainrule.training import WeightAveraging

    net = made().fit(X, y, epochs=8, **QUIET, callbacks=[GradualPruning(0.8, every=5, end=6), WeightAveraging(start=2)])
    assert net.sparsity().sparsity == pytest.approx(0.8, abs=0.002)


# ------------------------------------------------------------ RigL


@pytest.mark.parametrize("engine", ["reference", "onednn"])
def test_rigl_is_sparse_from_start_to_end_and_moves_its_weights(engine):
    follows = Follows()
    masks = []

    class Masks(Callback):
        def on_epoch_begin(self, state, epoch):
            masks.append({n: how.mask.copy() for n, how in state.network.representations().items()})

    net = made()
    net.fit(X, y, epochs=20, learning_rate=0.01, **QUIET, engine=engine,
            callbacks=[RigL(0.8, every=5, end=15), follows, Masks()])  # fmt: skip
    assert min(follows.seen) >= 0.799 and max(follows.seen) <= 0.87  # what has just grown is zero
    assert {n: m.sum() for n, m in masks[0].items()} == {n: m.sum() for n, m in masks[-1].items()}
    assert any((masks[0][n] != masks[-1][n]).any() for n in NAMES)
    assert all((masks[-1][n] == masks[-2][n]).all() for n in NAMES)  # after the end they stay
    assert {type(how) for how in net.representations().values()} == {Masked}
    assert net.evaluate(X, y)["accuracy"] > 0.85
    assert masks[0][NAMES[0]].mean() > masks[0][NAMES[1]].mean()  # Erdős-Rényi


def test_rigl_grows_where_the_gradient_is_largest():
    """Only inputs 0 to 2 have a say in the answer: weights gather there."""
    net = made().fit(X, y, epochs=40, learning_rate=0.01, **QUIET, callbacks=[RigL(0.9, every=10, scope="layer")])
    kept = (net.representation(NAMES[0]).mask != 0).sum(axis=1)
    assert kept[:3].mean() > 1.5 * kept[3:].mean()


# ------------------------------------------------------------ lottery tickets


@pytest.mark.parametrize("rewind", [0, 2])
def test_a_lottery_ticket_begins_with_its_early_weights(rewind):
    net = made()
    early = made().fit(X, y, epochs=rewind, **QUIET) if rewind else net
    found = lottery_ticket(net, X, y, sparsity=0.8, rounds=3, rewind=rewind, epochs=6, batch_size=32)
    for name in NAMES:
        kept = found.start.parameters[name] != 0
        np.testing.assert_array_equal(found.start.parameters[name][kept], early.parameters[name][kept])
        np.testing.assert_array_equal(found.start.representation(name).mask, found.network.representation(name).mask)
    shares = [1 - 0.2 ** (n / 3) for n in range(4)]
    np.testing.assert_allclose([r["sparsity"] for r in found.rounds], shares, atol=0.002)
    assert not net.representations() and len(found.network.history_["loss"]) == 6 - rewind
    again = copy.deepcopy(found.start)
    again.fit(X, y, epochs=6 - rewind, **QUIET)
    assert again.sparsity().sparsity == pytest.approx(0.8, abs=0.002)


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize("function", [
    lambda n: prune(n, 0.5), lambda n: prune(n, 0.5, structure="units"), lambda n: sensitivity(n, X, y), sparsity,
    lambda n: lottery_ticket(n, X, y, sparsity=0.5),
])  # fmt: skip
def test_what_is_no_network(function):
    class Estimator:
        network_ = None

    for wrong in (3, None, X):
        with pytest.raises(ParameterError, match="expected a Network"):
            function(wrong)
    with pytest.raises(ParameterError, match="network_"):
        function(Estimator())


@pytest.mark.parametrize("share", [1, 1.0, -0.1, float("nan"), "0.5", None, True, 2])
def test_a_sparsity_is_in_zero_to_one(share):
    for use in (
        lambda: prune(made(), share),
        lambda: prune(made(), share, structure="units"),
        lambda: made().fit(X, y, epochs=2, **QUIET, callbacks=[GradualPruning(share)]),
        lambda: made().fit(X, y, epochs=2, **QUIET, callbacks=[RigL(share)]),
        lambda: lottery_ticket(made(), X, y, sparsity=share),
        lambda: sensitivity(made(), X, y, sparsities=[share]),
    ):
        with pytest.raises(ParameterError, match="must be a number from 0 to below 1"):
            use()


def test_bad_input():
    with pytest.raises(NotFittedError):
        prune(Network([Dense(2)]), 0.5)
    with pytest.raises(ParameterError, match="no weights that can be pruned"):
        prune(Network([ReLU()]).build((3,)), 0.5)
    with pytest.raises(ParameterError, match="no weights that can be pruned"):
        prune(made().freeze("0.dense", "2.dense", "4.dense"), 0.5)
    with pytest.raises(ParameterError, match="no weights that can be pruned"):
        prune(made(), 0.5, layers=["1.relu"])
    with pytest.raises(UnknownNameError, match="Did you mean"):
        prune(made(), 0.5, layers=["0.dens"])
    with pytest.raises(ParameterError, match="held as Sign"):
        prune(made().represent(NAMES[0], Sign()), 0.5)
    for options, message in (
        ({"method": "size"}, "method must be one of"),
        ({"scope": "all"}, "scope must be one of"),
        ({"structure": "rows"}, "structure must be"),
        ({"structure": "units", "in_place": True}, "in place"),
        ({"structure": "units", "scope": "erk"}, "units have"),
    ):
        with pytest.raises(ParameterError, match=message):
            prune(made(), 0.5, **options)
    bad = made()
    bad.parameters[NAMES[1]][0, 0] = np.nan
    for structure in (None, "units"):
        with pytest.raises(DataError, match=r"2\.dense\.weight"):
            prune(bad, 0.5, structure=structure)


@pytest.mark.parametrize(
    "callback, message",
    [
        (GradualPruning(0.9, end=5), "ends after 5 epochs, and the fit has 3"),
        (GradualPruning(0.9, begin=2, end=1), "begin must be at most end, which is 1 epochs. Got 2"),
        (GradualPruning(0.9, begin=float("nan")), "begin must be a finite number of at least 0"),
        (GradualPruning(0.9, every=0), "every must be an int"),
        (GradualPruning(0.5, initial=0.7), "initial=0.7 is above"),
        (GradualPruning(0.5, structure="units"), "between two fits"),
        (GradualPruning(0.5, method="size"), "method must be"),
        (RigL(0.9, end=5), "ends after 5 epochs, and the fit has 3"),
        (RigL(0.9, fraction=1.0), "fraction must be"),
        (RigL(0.9, scope="global"), 'scope must be "erk" or "layer"'),
    ],
)
def test_bad_schedules(callback, message):
    with pytest.raises(ParameterError, match=message):
        made().fit(X, y, epochs=3, **QUIET, callbacks=[callback])


def test_fits_without_single_steps_cannot_prune_on_the_way():
    with pytest.raises(ParameterError, match="LBFGS searches along lines"):
        made().fit(X, y, epochs=3, **QUIET, optimizer="lbfgs", callbacks=[GradualPruning(0.9)])
    stream = ((X[i : i + 32], y[i : i + 32]) for i in range(0, 320, 32))
    with pytest.raises(ParameterError, match="number of steps in an epoch is not known"):
        made().fit(stream, epochs=1, verbose=0, callbacks=[GradualPruning(0.9)])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rounds": 0}, "rounds must be"),
        ({"rewind": -1}, "rewind must be"),
        ({"rewind": 20}, "leaves nothing to train"),
        ({"structure": "units"}, "no weights can be rewound"),
    ],
)
def test_bad_lottery_tickets(options, message):
    with pytest.raises(ParameterError, match=message):
        lottery_ticket(made(), X, y, sparsity=0.5, **options)


def test_no_layer_knows_that_it_is_pruned():
    assert "represent" not in inspect.getsource(Dense) and "mask" not in inspect.getsource(Layer.forward)


# ------------------------------------------------------------ masks for any shapes


@given(
    shapes=st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple), min_size=1, max_size=4),
    share=st.floats(0, 0.999),
    scope=st.sampled_from(["global", "layer", "erk"]),
    structure=st.sampled_from([None, "blocks4", "blocks16"]),
    before=st.floats(0, 1),
    seed=st.integers(0, 2**16),
)
def test_masks_of_any_shapes(shapes, share, scope, structure, before, seed):
    rng = np.random.default_rng(seed)
    scores = {str(i): np.abs(rng.normal(size=shape)).astype(np.float32) for i, shape in enumerate(shapes)}
    scores = {n: np.where(rng.random(a.shape) < 0.2, 0, a) for n, a in scores.items()}  # ties
    kept = {n: rng.random(a.shape) >= before for n, a in scores.items()}
    for a in kept.values():
        a.reshape(-1)[int(rng.integers(a.size))] = True
    masks = masks_of(scores, kept, share, scope, structure)
    width = {None: 1, "blocks4": 4, "blocks16": 16}[structure]
    for n, mask in masks.items():
        assert mask.shape == scores[n].shape and mask.any()
        assert not (mask & ~kept[n]).any()  # what was pruned stays pruned
        if width > 1 and kept[n].all():
            sums = block_sums(mask.astype(float), width)
            assert np.isin(sums, [0, *{float(s) for s in block_sums(np.ones(mask.shape), width).ravel()}]).all()
    if structure is None and scope == "global" and all(k.all() for k in kept.values()):
        total = sum(a.size for a in scores.values())
        left = sum(int(m.sum()) for m in masks.values())
        assert total - round(share * total) <= left <= total - round(share * total) + len(masks)
        if left == total - round(share * total):
            stays = np.concatenate([scores[n][m] for n, m in masks.items()])
            goes = np.concatenate([scores[n][~m] for n, m in masks.items()])
            assert not goes.size or stays.min() >= goes.max() or len(masks) > 1


def test_rigl_and_gradual_pruning_of_shared_layers():
    from chainrule.layers import Add, Input

    a, b, shared = Input((20,)), Input((20,)), Dense(16)
    out = Dense(2)(ReLU()(Add()(shared(a), shared(b))))
    for callback in (RigL(0.8, every=3), GradualPruning(0.8, every=3)):
        net = copy.deepcopy(Network(inputs=[a, b], outputs=out, random_state=0))
        net.fit([X, X[::-1].copy()], y, epochs=4, **QUIET, callbacks=[callback])
        assert net.sparsity().sparsity == pytest.approx(0.8, abs=0.05)
