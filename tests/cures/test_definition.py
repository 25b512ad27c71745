"""A network's definition as data: edits, and networks built from it."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Add, Concat, Dense, Dropout, Input, Network, ReLU, Residual, Sigmoid, Tanh
from chainrule.errors import ParameterError, UnknownNameError
from chainrule.layers import BatchNorm
from chainrule.network import Definition

X = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)


def same(a, b):
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def graph():
    x = Input((5,))
    h = Dense(4).named("first")(x)
    shared = Dense(4)
    left, right = shared(Tanh()(h)), shared(h)
    return Network(inputs=x, outputs=[Dense(1)(Add()(left, right)), Concat()(left, right)], random_state=3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Network([Dense(4), Sigmoid(), Dense(2)], random_state=3),
        lambda: Network([Input((5,)), Residual([Dense(5), ReLU()]), Dense(2)], random_state=3),
        graph,
    ],
)
def test_unchanged_definition_builds_an_equal_network(make):
    network = make().build(5)
    again, names = Definition.of(network).build(Network, random_state=3)
    again.build(5)
    assert list(again.layers) == list(network.layers) and all(names[n] == n for n in names)
    for name in network.parameters:
        same(network.parameters[name], again.parameters[name])
    one, two = network.predict(X), again.predict(X)
    for a, b in zip(*((v if isinstance(v, tuple) else (v,)) for v in (one, two)), strict=True):
        same(a, b)


def test_edits_do_not_change_what_they_begin_with():
    network = Network([Dense(4), Sigmoid(), Dense(2)], random_state=0)
    first = Definition.of(network)
    text = first.source()
    changed = first.replace("1.sigmoid", ReLU()).insert_after("0.dense", BatchNorm()).with_arguments("0.dense", units=9)
    assert first.source() == text and network.layer("0.dense").units == 4
    assert [repr(changed.layers[u.layer]) for u in changed.uses] == ["Dense(9)", "BatchNorm()", "ReLU()", "Dense(2)"]
    made, names = changed.build(Network, random_state=0)
    made.build(5)
    assert names["batch_norm after 0.dense"] == "1.batch_norm" and made.predict(X).shape == (20, 2)


def test_default_start_weights_follow_the_new_activation():
    wide = Definition.of(Network([Dense(400), Sigmoid(), Dense(1)])).replace("1.sigmoid", ReLU())
    made, _ = wide.build(Network, random_state=0)
    made.build(100)
    assert made.parameters["0.dense.weight"].std() == pytest.approx((2 / 100) ** 0.5, rel=0.05)


def test_join_and_remove_in_a_graph():
    made = Definition.of(graph())
    made = made.join(made.inputs[0][0], "first", Concat())
    network, _ = made.build(Network, random_state=0)
    assert network.build(5).output_shapes == [(1,), (8,)]
    assert not made.sequential
    without = made.remove("1.tanh")
    assert "1.tanh" not in without.layers
    assert without.build(Network, random_state=0)[0].build(5).output_shapes == [(1,), (8,)]
    with pytest.raises(ParameterError, match="joins several inputs"):
        made.remove("concat after first")


def test_insert_at_input_rewires_every_user():
    made = Definition.of(graph()).insert_at_input(0, Dropout(0.1))
    first = made.uses[0]
    assert made.layers[first.layer].__class__ is Dropout and first.inputs == (made.inputs[0][0],)
    assert all(made.inputs[0][0] not in u.inputs for u in made.uses[1:])


def test_removing_the_last_layer_moves_the_output():
    made = Definition.of(Network([Dense(3), Sigmoid()])).remove("1.sigmoid")
    assert made.outputs == [made.uses[0].output]
    assert made.build(Network)[0].build(5).output_shapes == [(3,)]


@pytest.mark.parametrize("make", [lambda: Network([Dense(4), ReLU(), Dense(2)]), graph])
def test_source_is_python_that_makes_the_network(make):
    import chainrule

    definition = Definition.of(make())
    text = definition.source()
    *lines, last = text.split("\n")
    scope = dict(vars(chainrule), **{name: getattr(chainrule, name) for name in chainrule.__all__})
    if definition.sequential:
        made = eval(text, scope)
    else:
        exec("\n".join(lines), scope)
        made = eval(last, scope)
    made.build(5)
    assert [repr(c.layer) for c in made.calls] == [repr(definition.layers[u.layer]) for u in definition.uses]
    assert [c.inputs for c in made.calls] == [c.inputs for c in make().calls]


def test_weights_are_carried_by_layer():
    network = Network([Dense(4), Sigmoid(), Dense(2)], random_state=0).build(5)
    kept = Definition.weights_of(network, ["2.dense"])
    assert list(kept) == ["2.dense"]
    made, names = Definition.of(network).insert_after("0.dense", BatchNorm()).build(Network, random_state=1)
    made.build(5)
    Definition.put_weights(made, names, kept)
    same(made.parameters["3.dense.weight"], network.parameters["2.dense.weight"])
    assert not np.array_equal(made.parameters["0.dense.weight"], network.parameters["0.dense.weight"])


def test_frozen_layers_and_precision_are_kept():
    network = Network([Dense(4), Dense(2)], dtype="float64").freeze("0.dense")
    made, _ = Definition.of(network).insert_at_input(0, Dropout(0.1)).build(Network)
    assert made.frozen == {"1.dense"} and made.dtype == "float64"
    assert 'dtype="float64"' in Definition.of(network).source() and ".freeze(" in Definition.of(network).source()


def test_bad_edits():
    made = Definition.of(Network([Dense(4)]))
    for edit in (lambda: made.replace("x", ReLU()), lambda: made.remove("x"), lambda: made.insert_after("x", ReLU())):
        with pytest.raises(UnknownNameError):
            edit()
    with pytest.raises(ParameterError, match="no argument 'width'"):
        made.with_arguments("0.dense", width=3)
    with pytest.raises(ParameterError):
        made.with_arguments("0.dense", units=0)
