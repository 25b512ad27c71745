"""Each kind of change, carried out on a definition and the arguments of fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainrule import (
    GRU,
    LSTM,
    Dense,
    Dropout,
    Flatten,
    Network,
    ReLU,
    Reshape,
    Sigmoid,
    SimpleRNN,
    Softmax,
    Standardize,
    Tanh,
)
from chainrule.cures.apply import ORDER, Context, NotApplicable, apply
from chainrule.cures.changes import CARRIED_OUT
from chainrule.cures.setup import Setup
from chainrule.diagnosis import KINDS, Change
from chainrule.errors import UnknownNameError
from chainrule.initializers import Normal
from chainrule.layers import Conv2D
from chainrule.network import Definition
from chainrule.optimizers import SGD, Cosine
from chainrule.training import FitSettings

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 6)).astype(np.float32)
Y = {"labels": np.arange(40) % 3, "numbers": rng.normal(size=(40, 1)) * 100}


def setup(layers, y="labels", fit=None, freeze=()):
    network = Network(layers, random_state=0).build(6)
    network.freeze(*freeze)
    return Setup(Definition.of(network), FitSettings.of(fit or {})), Context(network, [X], [Y[y]])


def layers(made):
    return [repr(made.definition.layers[u.layer]) for u in made.definition.uses]


def mlp():
    return [Dense(8), Sigmoid(), Dense(8), Sigmoid(), Dense(3)]


def change(kind, **arguments):
    return Change(kind, arguments)


def test_every_kind_is_carried_out_and_ordered():
    assert set(CARRIED_OUT) == set(KINDS) == set(ORDER)


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (change("activation", to="relu"), ["Dense(8)", "ReLU()", "Dense(8)", "ReLU()", "Dense(3)"]),
        (change("activation", layers="3.sigmoid", to="tanh"), ["Dense(8)", "Sigmoid()", "Dense(8)", "Tanh()", "Dense(3)"]),
        (change("normalise", by="batch_norm"),
         ["Dense(8)", "BatchNorm()", "Sigmoid()", "Dense(8)", "BatchNorm()", "Sigmoid()", "Dense(3)"]),
        (change("normalise", by="layer_norm", after=("2.dense",)),
         ["Dense(8)", "Sigmoid()", "Dense(8)", "LayerNorm()", "Sigmoid()", "Dense(3)"]),
        (change("residual"),
         ["Dense(8)", "Sigmoid()", "Dense(8)", "Sigmoid()", "Add(broadcast=False)", "Dense(3)"]),
        (change("capacity", factor=2.0), ["Dense(16)", "Sigmoid()", "Dense(16)", "Sigmoid()", "Dense(3)"]),
        (change("capacity", layers="2.dense", factor=0.01), ["Dense(8)", "Sigmoid()", "Dense(1)", "Sigmoid()", "Dense(3)"]),
        (change("dropout", rate=0.3),
         ["Dense(8)", "Sigmoid()", "Dropout(0.3)", "Dense(8)", "Sigmoid()", "Dropout(0.3)", "Dense(3)"]),
        (change("scale_inputs", method="standard"), ["Standardize()", *map(repr, mlp())]),
        (change("output", activation="softmax", loss="squared_error", units=5),
         ["Dense(8)", "Sigmoid()", "Dense(8)", "Sigmoid()", "Dense(5)", "Softmax()"]),
        (change("insert_activation", after=("4.dense",), to="relu"), [*map(repr, mlp()), "ReLU()"]),
        (change("initialise", layers=("0.dense",), law="lsuv"),
         ["Dense(8, weight_init='lsuv')", "Sigmoid()", "Dense(8)", "Sigmoid()", "Dense(3)"]),
    ],
)  # fmt: skip
def test_structure(one, wanted):
    start, context = setup(mlp())
    made = apply(start, [one], context)
    assert layers(made) == wanted
    network, _ = made.definition.build(Network, random_state=0)
    network.build(6)
    assert network.predict(X).shape[0] == 40
    assert layers(start) == list(map(repr, mlp()))


def test_output_takes_the_old_activation_away():
    start, context = setup([Dense(8), ReLU(), Dense(1), Softmax()])
    made = apply(start, [change("output", activation="identity", loss="binary_cross_entropy")], context)
    assert layers(made) == ["Dense(8)", "ReLU()", "Dense(1)"] and made.fit["loss"] == "binary_cross_entropy"


def test_labels_as_floats_become_ints_for_a_loss_of_classes():
    start, context = setup([Dense(1)])
    context.ys = [Y["labels"].astype(float)]
    made = apply(start, [change("output", activation="identity", loss="softmax_cross_entropy", units=3)], context)
    assert made.integer_targets and "X, y.astype(int)," in made.source()


def test_initialise_by_the_default_law():
    start, context = setup([Dense(8, weight_init=Normal(9.0), bias_init="ones"), Tanh(), Dense(3, weight_init="zeros")])
    made = apply(start, [change("initialise", law="auto")], context)
    assert layers(made) == ["Dense(8)", "Tanh()", "Dense(3)"]


def test_scaled_targets_keep_raw_units():
    start, context = setup([Dense(4), ReLU(), Dense(1)], y="numbers", fit={"loss": "squared_error"})
    made = apply(start, [change("scale_targets", method="standard")], context)
    assert layers(made)[-1] == "Standardize(inverse=True)"
    assert made.fit["loss_weights"] == [pytest.approx(1 / Y["numbers"].var(), rel=1e-3)]


def test_residual_needs_equal_shapes():
    start, context = setup([Dense(8), ReLU(), Dense(4), ReLU(), Dense(3)])
    with pytest.raises(NotApplicable, match="shape of its input"):
        apply(start, [change("residual")], context)
    start, context = setup([Reshape((2, 3, 1)), Conv2D(4, 1), ReLU(), Conv2D(4, 1), ReLU(), Flatten(), Dense(3)])
    made = apply(start, [change("residual")], context)
    assert layers(made).count("Add(broadcast=False)") == 1


def test_a_linear_network_gets_a_hidden_layer():
    start, context = setup([Dense(3)])
    made = apply(start, [change("capacity", factor=16.0)], context)
    assert layers(made) == ["Dense(128)", "ReLU()", "Dense(3)"]


def test_training():
    start, context = setup(mlp(), fit={"optimizer": SGD(0.5, l2=0.1), "epochs": 10})
    wanted = [
        (change("learning_rate", factor=0.1), lambda m: m.fit["optimizer"].learning_rate == pytest.approx(0.05)),
        (change("learning_rate", value=0.2), lambda m: m.fit["optimizer"].learning_rate == 0.2),
        (change("learning_rate", range_test=True), lambda m: m.range_test),
        (change("clip", norm=2.0), lambda m: m.fit["optimizer"].clip_norm == 2.0),
        (change("optimizer", name="adam"), lambda m: m.fit["optimizer"].name == "adam" and m.fit["optimizer"].l2 == 0.1),
        (
            change("weight_decay", value=0.01),
            lambda m: (m.fit["optimizer"].l2, m.fit["optimizer"].weight_decay) == (0, 0.01),
        ),
        (change("batch_size", value=8), lambda m: m.fit["batch_size"] == 8),
        (change("epochs", factor=3.0), lambda m: m.fit["epochs"] == 30),
        (change("early_stopping", patience=4), lambda m: (m.fit["early_stopping"], m.fit["validation_split"]) == (4, 0.2)),
        (change("class_weight", value="balanced"), lambda m: m.fit["class_weight"] == "balanced"),
    ]
    for one, holds in wanted:
        assert holds(apply(start, [one], context)), one
    assert start.fit["optimizer"] == SGD(0.5, l2=0.1)
    assert apply(setup(mlp(), fit={"shuffle": False})[0], [change("shuffle")], context).fit["shuffle"] is True


def test_learning_rate_comes_after_the_optimizer():
    start, context = setup(mlp(), fit={"optimizer": "sgd"})
    made = apply(start, [change("learning_rate", value=0.3), change("optimizer", name="adam")], context)
    assert made.fit["optimizer"].name == "adam" and made.fit["optimizer"].learning_rate == 0.3


def test_unfreeze():
    start, context = setup(mlp(), freeze=("0.dense", "2.dense"))
    made = apply(start, [change("unfreeze", layers=("0.dense",))], context)
    assert made.definition.frozen == {"2.dense"} and start.definition.frozen == {"0.dense", "2.dense"}


def test_revive_draws_only_dead_units_anew():
    start, context = setup([Dense(8), ReLU(), Dense(3)])
    network = context.network
    network.parameters["0.dense.bias"][2:5] = -100.0
    before = network.parameters["0.dense.weight"].copy()
    made = apply(start, [change("revive", layers=("1.relu",))], context)
    after = made.weights["0.dense"]["weight"]
    assert (made.weights["0.dense"]["bias"] == 0).all()
    assert np.array_equal(np.delete(after, [2, 3, 4], 1), np.delete(before, [2, 3, 4], 1))
    np.testing.assert_array_equal(network.parameters["0.dense.weight"], before)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (change("activation", to="sigmoid"), "no hidden activation other than sigmoid"),
        (change("activation", to="relo"), "Did you mean 'relu'"),
        (change("unfreeze"), "no frozen layer"),
        (change("dropout", rate=0.0), "no Dropout"),
        (change("optimizer", name="adam"), "adam already"),
        (change("batch_size", value=32), "32 already"),
        (change("capacity", factor=1.0), "changes nothing"),
        (change("scale_targets"), "cannot be scaled"),
        (change("revive"), "no unit that is dead"),
        (change("shuffle"), "shuffled already"),
        (change("data", advice="look"), "by hand"),
        (change("weight_decay", value=-1.0), "weight_decay must be"),
    ],
)
def test_what_does_not_apply_says_why(one, reason):
    start, context = setup(mlp())
    with pytest.raises(NotApplicable, match=reason):
        apply(start, [one], context)


def test_scaled_inputs_are_not_scaled_twice():
    start, context = setup([Standardize(), Dense(3)])
    with pytest.raises(NotApplicable, match="not scaled yet"):
        apply(start, [change("scale_inputs")], context)


def test_a_schedule_has_no_factor():
    start, context = setup(mlp(), fit={"learning_rate": Cosine(0.1, total=100)})
    with pytest.raises(NotApplicable, match="schedule"):
        apply(start, [change("learning_rate", factor=0.1)], context)


def test_dropout_layers_are_set_or_taken_out():
    start, context = setup([Dense(8), ReLU(), Dropout(0.9), Dense(3)])
    assert layers(apply(start, [change("dropout", rate=0.2)], context))[2] == "Dropout(0.2)"
    assert len(layers(apply(start, [change("dropout", rate=0.0)], context))) == 3


def test_patch_is_a_diff_of_python():
    start, context = setup(mlp(), fit={"optimizer": "sgd", "learning_rate": 9.0})
    made = apply(start, [change("activation", to="relu"), change("learning_rate", value=0.1)], context)
    patch = start.patch(made).split("\n")
    assert "-    Sigmoid()," in patch and "+    ReLU()," in patch
    assert "-    optimizer=SGD(9.0)," in patch and "+    optimizer=SGD(0.1)," in patch
    assert start.patch(start) == ""
    joined = apply(start, [change("residual")], context)
    assert any("Add(broadcast=False)(" in line and line.startswith("+") for line in start.patch(joined).split("\n"))


def test_unknown_arguments_of_fit():
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        FitSettings.of({"epoch": 3})


def recurrent(layers):
    network = Network(layers, random_state=0).build((7, 2))
    x = rng.normal(size=(40, 7, 2)).astype(np.float32)
    return Setup(Definition.of(network), FitSettings.of({})), Context(network, [x], [Y["labels"]])


def test_a_simple_recurrent_layer_becomes_a_gated_one():
    start, context = recurrent([SimpleRNN(4, return_sequences=True, recurrent_init="normal", truncate=3), GRU(5), Dense(3)])
    made = apply(start, [change("recurrent", to="lstm")], context)
    assert layers(made) == ["LSTM(4, return_sequences=True, truncate=3)", "GRU(5)", "Dense(3)"]
    made = apply(start, [change("recurrent", to="lstm", layers=("1.gru",))], context)
    assert layers(made)[1] == "LSTM(5)"
    made.definition.build(Network)[0].build((7, 2))
    with pytest.raises(NotApplicable, match="recurrent layer other than lstm"):
        apply(recurrent([LSTM(3), Dense(3)])[0], [change("recurrent", to="lstm")], context)


def test_recurrent_weights_and_forget_gates_begin_anew():
    start, context = recurrent([SimpleRNN(4, recurrent_init=Normal(3.0), return_sequences=True), LSTM(5), Dense(3)])
    start = dataclasses.replace(start, weights=Definition.weights_of(context.network))
    made = apply(start, [change("recurrent_init", law="orthogonal")], context)
    assert layers(made)[0] == "SimpleRNN(4, return_sequences=True)"
    assert set(made.weights) == {"2.dense"}
    made = apply(start, [change("forget_bias", value=2.5)], context)
    assert layers(made)[1] == "LSTM(5, forget_bias=2.5)" and set(made.weights) == {"0.simple_rnn", "2.dense"}
    with pytest.raises(NotApplicable, match="there is no layer with a forget gate that learns"):
        apply(recurrent([GRU(3), Dense(3)])[0], [change("forget_bias", value=1.0)], context)
