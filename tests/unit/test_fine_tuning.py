"""Learning from what is learned: frozen layers and their features, rates of their own, layers that learn later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePool,
    Input,
    MaxPool2D,
    Network,
    ReLU,
    Tanh,
)
from chainrule.data import Sequences
from chainrule.errors import ParameterError, UnknownNameError
from chainrule.images import Augmentation, ImageData
from chainrule.layers import Layer
from chainrule.optimizers import SGD, AdamW
from chainrule.training import Callback, GradualUnfreezing
from chainrule.trials.watched import DiagnosisWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(107, 8, 8, 3)).astype(np.float32)
Y = RNG.integers(0, 3, len(X))


def pictures(*inside: Layer) -> Network:
    """A frozen body with batch normalisation, and a head that draws random numbers."""
    layers = [Conv2D(8, 3, bias=False), BatchNorm(), ReLU(), *inside, MaxPool2D(2), Conv2D(8, 3), GlobalAveragePool()]
    body = Network(layers, random_state=1).build((8, 8, 3))
    head = [Dense(8).named("hidden"), ReLU(), Dropout(0.3), Dense(3).named("classes")]
    return Network([body, *head], random_state=0).build((8, 8, 3)).freeze(body)


def starts(network: Network, data: Any, y: Any, **settings: Any) -> list[bool]:
    """Whether the steps of each epoch begin with features."""
    seen: list[bool] = []

    class Look(Callback):
        changes_weights = False

        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            seen.append(bool(state.objective.start))

    callbacks = [*settings.pop("callbacks", []), Look()]
    network.fit(data, y, **{"epochs": 3, "verbose": 0, "callbacks": callbacks, **settings})
    return seen


def equal(a: Network, b: Network) -> bool:
    return all(np.array_equal(a.parameters[n], b.parameters[n]) for n in a.parameters) and all(
        a.history_[n] == b.history_[n] for n in a.history_ if n != "seconds"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": AdamW(0.01), "learning_rate_factors": {"hidden": 0.1}},
        {"validation_split": 0.2, "batch_size": 16},
        {"shuffle": False, "batch_size": 107, "threads": 2},
        {"sample_weight": np.linspace(0, 2, len(X)), "validation_data": (X[:9], Y[:9])},
    ],
    ids=["plain", "rates", "split", "all at once", "weights"],
)
def test_features_that_are_kept_change_no_bit(settings: dict[str, Any]) -> None:
    kept, plain = pictures(), pictures()
    assert starts(kept, X, Y, **settings) == [True] * 3
    assert starts(plain, X, Y, keep_features=False, **settings) == [False] * 3
    assert equal(kept, plain)


def test_pictures_without_random_changes_have_features_that_are_kept() -> None:
    data = ImageData((X * 40 + 128).clip(0, 255).astype(np.uint8), Y)
    kept, plain = pictures(), pictures()
    assert starts(kept, data, None, validation_data=data) == [True] * 3
    starts(plain, data, None, validation_data=data, keep_features=False)
    assert equal(kept, plain)


def test_random_changes_are_drawn_once_only_where_the_user_asks_for_it() -> None:
    data = ImageData((X * 40 + 128).clip(0, 255).astype(np.uint8), Y, augmentation=Augmentation(flip="horizontal"))
    assert starts(pictures(), data, None) == [False] * 3
    assert starts(pictures(), data, None, keep_features=2) == [True] * 3
    assert starts(pictures(Dropout(0.5)), X, Y) == [True] * 3  # the features are those before Dropout
    alone = Network([Dropout(0.5), Dense(4).named("body"), Dense(3)], random_state=0).build((5,)).freeze("body")
    assert starts(alone, X[:, 0, 0].repeat(2, axis=1)[:, :5], Y) == [False] * 3
    assert starts(alone, X[:, 0, 0].repeat(2, axis=1)[:, :5], Y, keep_features=True) == [True] * 3


def test_statistics_of_the_batch_and_what_learns_are_no_part_of_the_features() -> None:
    learning = pictures()
    learning.unfreeze("1.batch_norm")
    before = learning.states["1.batch_norm.running_mean"].copy()
    starts(learning, X, Y)
    assert not np.array_equal(learning.states["1.batch_norm.running_mean"], before)


def test_a_callback_that_changes_the_frozen_part_is_noticed() -> None:
    class Double(Callback):
        def on_epoch_begin(self, state: Any, epoch: int) -> None:
            if epoch == 2:
                state.network.parameters["0.conv2d.weight"][...] *= 2

    kept, plain = pictures(), pictures()
    starts(kept, X, Y, callbacks=[Double()])
    starts(plain, X, Y, callbacks=[Double()], keep_features=False)
    assert equal(kept, plain)


def test_a_graph_with_two_ways_keeps_both() -> None:
    def made() -> Network:
        x = Input((6,))
        body = Dense(5).named("body.0")(x)
        other = Dense(4).named("body.1")(Tanh()(body))
        z = Add()(Dense(3).named("head")(other), Dense(3).named("skip")(body), Dense(3).named("raw")(x))
        return Network(inputs=x, outputs=z, random_state=0).build().freeze("body")

    x = X[:, :2, 0].reshape(len(X), 6)
    kept, plain = made(), made()
    assert starts(kept, x, Y) == [True] * 3
    starts(plain, x, Y, keep_features=False)
    assert equal(kept, plain)


def test_sequences_of_any_length_have_features_of_one_size() -> None:
    def made() -> Network:
        layers = [Input((None,), dtype="int"), Embedding(20, 6, padding=0).named("body"), GlobalAveragePool(), Dense(2)]
        return Network(layers, random_state=0).build().freeze("body")

    texts = Sequences([RNG.integers(1, 20, size=n) for n in RNG.integers(2, 30, size=90)])
    y = RNG.integers(0, 2, 90)
    kept, plain = made(), made()
    assert starts(kept, texts, y, validation_data=(texts, y)) == [True] * 3
    starts(plain, texts, y, validation_data=(texts, y), keep_features=False)
    assert np.abs(kept.predict(texts) - plain.predict(texts)).max() < 1e-5
    # What each step of a sequence gives has no size of its own.
    steps = Network([Input((None,), dtype="int"), Embedding(20, 6).named("body"), Dense(2)], random_state=0).build()
    steps.freeze("body")
    assert starts(steps, texts, Sequences([np.zeros(n, np.int64) for n in texts.lengths])) == [False] * 3


def test_a_watched_fit_sees_all_layers() -> None:
    network = pictures()
    with pytest.warns(DiagnosisWarning, match="frozen at random start weights"):
        network.fit(X, Y, epochs=2, verbose=0, diagnose=True)
    assert not network.diagnosis_.errors  # type: ignore[union-attr]


# ---------------------------------------------------------------- names


def test_layers_are_frozen_by_prefix_and_by_pattern() -> None:
    names = ["stem", "block1.a", "block1.b", "block10.a", "head"]
    net = Network([Dense(2).named(name) for name in names], random_state=0).build((2,))
    assert net.freeze("block1").frozen == {"block1.a", "block1.b"}
    assert net.unfreeze("block1.b").frozen == {"block1.a"}
    assert net.freeze("block*.a", "stem").frozen == {"block1.a", "block10.a", "stem"}
    for wrong in ("block", "body", "block2*"):
        with pytest.raises(UnknownNameError, match="Unknown layer"):
            net.freeze(wrong)


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "nadam", "radam", "adamax", "rmsprop", "adagrad", "lion"])
def test_layers_have_learning_rates_of_their_own(name: str) -> None:
    def steps(factors: dict[str, float] | None) -> dict[str, Any]:
        net = Network([Dense(4).named("body.a"), Tanh(), Dense(3).named("body.b"), Dense(3).named("head")], random_state=0)
        net.build((3,))
        before = {n: net.parameters[n].astype(np.float64) for n in net.parameters}
        net.fit(X[:, 0, 0], Y, epochs=1, batch_size=107, optimizer=name, learning_rate_factors=factors, verbose=0)
        return {n: net.parameters[n] - before[n] for n in before}

    plain, grouped = steps(None), steps({"body": 0.125, "body.b": 2.0})
    for parameter, factor in (
        ("body.a.weight", 0.125),
        ("body.b.weight", 2.0),
        ("head.weight", 1.0),
        ("body.a.bias", 0.125),
    ):
        assert grouped[parameter] == pytest.approx(factor * plain[parameter], rel=1e-2, abs=1e-7)


def test_rows_of_an_embedding_and_decay_have_the_rate_of_their_layer() -> None:
    def after(factors: dict[str, float] | None, **optimizer: float) -> Any:
        net = Network([Embedding(9, 4).named("body"), GlobalAveragePool(), Dense(2)], random_state=0).build((5,))
        before = net.parameters["body.weight"].copy()
        y = Y[:40] % 2
        net.fit(
            np.arange(200).reshape(40, 5) % 7, y, epochs=1, batch_size=40, optimizer=SGD(0.5, **optimizer), verbose=0,
            learning_rate_factors=factors,
        )  # fmt: skip
        return net.parameters["body.weight"] - before

    for decay in ({}, {"weight_decay": 0.1}):
        assert after({"body": 0.25}, **decay) == pytest.approx(0.25 * after(None, **decay), rel=1e-3, abs=1e-7)


def test_factors_go_on_with_partial_fit_and_are_written_as_equations() -> None:
    net = Network([Dense(4).named("body"), Dense(1).named("head")], random_state=0).build((3,))
    x, y = X[:, 0, 0], Y[:, None].astype(np.float32)
    net.partial_fit(x, y, optimizer="adam", learning_rate_factors={"body": 0.5})
    net.partial_fit(x, y)
    text = str(net.equations())
    assert "0.5 η / (1 − 0.9ᵗ)" in text and "for W¹ b¹" in text
    before = net.parameters["body.weight"].copy()
    net.partial_fit(x, y, learning_rate_factors={"body": 1e-9})
    assert np.abs(net.parameters["body.weight"] - before).max() < 1e-8


@pytest.mark.parametrize("factors", [{"body": 0}, {"body": -1}, {"body": "much"}, {"body": np.nan}, ["body"], {1: 0.5}])
def test_bad_factors_are_refused(factors: Any) -> None:
    net = Network([Dense(4).named("body"), Dense(1)], random_state=0)
    with pytest.raises(ParameterError, match="learning_rate_factors must be None or a dict from names of layers"):
        net.fit(X[:, 0, 0], Y.astype(float), learning_rate_factors=factors, verbose=0)


def test_factors_of_unknown_layers_and_of_line_searches_are_refused() -> None:
    net = Network([Dense(4).named("body"), Dense(1)], random_state=0)
    with pytest.raises(UnknownNameError, match=r"Unknown layer 'bodies'\. Did you mean 'body'"):
        net.fit(X[:, 0, 0], Y.astype(float), learning_rate_factors={"bodies": 0.1}, verbose=0)
    with pytest.raises(ParameterError, match="LBFGS changes all weights along one line"):
        net.fit(X[:, 0, 0], Y.astype(float), optimizer="lbfgs", learning_rate_factors={"body": 0.1}, verbose=0)


# ---------------------------------------------------------------- gradual unfreezing


def test_groups_begin_to_learn_one_after_the_other() -> None:
    def made() -> Network:
        layers: list[Any] = []
        for i in range(3):
            layers += [Dense(6).named(f"body.{i}"), Tanh()]
        return Network([*layers, Dense(3).named("head")], random_state=0).build((3,))

    changed: list[set[str]] = []

    class Look(Callback):
        def on_epoch_begin(self, state: Any, epoch: int) -> None:
            self.before = {n: a.copy() for n, a in state.network.parameters.items()}

        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            now = state.network.parameters
            changed.append({n.split(".weight")[0] for n in now if "weight" in n and (now[n] != self.before[n]).any()})

    kept, plain = made(), made()
    gradually = GradualUnfreezing("body.2", ["body.1"], "body.0", every=2)
    kept.fit(X[:, 0, 0], Y, epochs=7, verbose=0, callbacks=[gradually, Look()])
    assert changed[0] == changed[1] == {"head"}
    assert changed[2] == {"head", "body.2"} and changed[4] == {"head", "body.1", "body.2"} and len(changed[6]) == 4
    plain.fit(X[:, 0, 0], Y, epochs=7, verbose=0, callbacks=gradually, keep_features=False)
    assert equal(kept, plain)
    with pytest.raises(ParameterError, match="at least one group"):
        GradualUnfreezing()
