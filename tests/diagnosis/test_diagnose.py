"""Diagnosis as users ask for it: before, during and after a fit, on good and on bad input."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import Network
from chainrule.diagnosis import Change, Diagnosis, Finding, Rule
from chainrule.errors import ChainruleError, DataError, DivergenceError, ParameterError, UnknownNameError
from chainrule.layers import Activation, BatchNorm, Dense, Dropout, Layer, ReLU, Sigmoid, Softmax
from chainrule.ops import Saved
from chainrule.trials import DiagnosisWarning, Watch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 6)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
NUMBERS = (X[:, :1] * X[:, 1:2] + X[:, 2:3]).astype(np.float32)


def good(seed: int = 0) -> Network:
    return Network([Dense(32), ReLU(), Dense(2)], random_state=seed)


def state(net: Network) -> dict[str, Any]:
    return {
        "parameters": net.parameters.flat.copy(),
        "states": net.states.flat.copy(),
        "rng": json.dumps(net.rng.bit_generator.state),
        "trained": net._trained,
        "names": sorted(vars(net)),
    }


# ---------------------------------------------------------------- no harm


def test_nothing_is_changed_before_a_fit() -> None:
    net = Network([Dense(16), BatchNorm(), ReLU(), Dropout(0.2), Dense(2)], random_state=0)
    net.build((6,))
    before = state(net)
    net.diagnose(X, LABELS, epochs=3)
    after = state(net)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    other = Network([Dense(16), BatchNorm(), ReLU(), Dropout(0.2), Dense(2)], random_state=0)
    fitted = net.fit(X, LABELS, epochs=3, verbose=0).predict(X)
    np.testing.assert_array_equal(fitted, other.fit(X, LABELS, epochs=3, verbose=0).predict(X))


def test_nothing_is_changed_after_a_fit() -> None:
    net = good().fit(X, LABELS, epochs=40, learning_rate=0.01, verbose=0)
    before, history = state(net), net.history_.to_dict()
    assert net.diagnose(X, LABELS).healthy
    after = state(net)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    assert net.history_.to_dict() == history


@pytest.mark.parametrize("every", [True, 1, 7])
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_watched_fit_gives_the_same_numbers_to_the_bit(every: Any, engine: str) -> None:
    def fit(**more: Any) -> Network:
        net = Network([Dense(16), BatchNorm(), Sigmoid(), Dropout(0.3), Dense(2)], random_state=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosisWarning)
            return net.fit(X, LABELS, epochs=4, batch_size=50, verbose=0, engine=engine, **more)

    plain, watched = fit(), fit(diagnose=every)
    np.testing.assert_array_equal(plain.parameters.flat, watched.parameters.flat)
    np.testing.assert_array_equal(plain.states.flat, watched.states.flat)
    assert plain.history_["loss"] == watched.history_["loss"]
    assert not watched.diagnosis_.errors
    if every is not True and every == 1:
        steps = [s.step for s in watched.diagnosis_.statistics.samples]
        assert steps == [i for i in range(20) if i % 5 != 4]  # the short last batches are not sampled


def test_samples_are_those_of_the_step() -> None:
    """What a probe says of the first step is what ``trace`` computes for the same samples in float64."""
    net = Network([Dense(8), Sigmoid(), Dense(2)], random_state=0).build((6,))
    t = net.trace(X[:64], LABELS[:64], loss="softmax_cross_entropy")
    statistics = net.diagnose(X[:64], LABELS[:64], epochs=1, batch_size=64, shuffle=False).statistics
    first = statistics.samples[0]
    assert first.loss == pytest.approx(t.loss, rel=1e-5)
    z = t["0.dense.z"]
    told = first.calls["0.dense"].output
    assert (told.mean, told.std) == (pytest.approx(z.mean(), rel=1e-3, abs=1e-5), pytest.approx(z.std(), rel=1e-4))
    assert (told.least, told.largest) == (pytest.approx(z.min(), rel=1e-5), pytest.approx(z.max(), rel=1e-5))
    np.testing.assert_allclose(told.unit_means, z.mean(axis=0), atol=1e-5)
    a = t["1.sigmoid.a"]
    assert first.calls["1.sigmoid"].slope.mean == pytest.approx((a * (1 - a)).mean(), rel=1e-4)
    weight = first.parameters["0.dense.weight"]
    assert weight.gradient.norm == pytest.approx(np.linalg.norm(t["0.dense.dweight"]), rel=1e-4)
    # Adam's first step is the learning rate in the direction of the sign of each gradient.
    assert weight.update.norm == pytest.approx(0.001 * np.sqrt(6 * 8), rel=1e-3)


# ---------------------------------------------------------------- before, during, after


FAULTS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "learning-rate-too-large": ([Dense(32), ReLU(), Dense(2)], {"learning_rate": 5.0}),
    "learning-rate-too-small": ([Dense(32), ReLU(), Dense(2)], {"learning_rate": 1e-7}),
    "constant-initialisation": ([Dense(32, weight_init="zeros"), ReLU(), Dense(2, weight_init="zeros")], {}),
    "vanishing-gradients": (
        [layer for _ in range(9) for layer in (Dense(16), Sigmoid())] + [Dense(2)],
        {"optimizer": "sgd", "learning_rate": 0.1},
    ),
    "dead-units": ([Dense(32, bias_init=-30.0), ReLU(), Dense(2)], {}),
    "output-activation": ([Dense(32), ReLU(), Dense(2), ReLU()], {}),
    "too-much-dropout": ([Dense(32), ReLU(), Dropout(0.97), Dense(2)], {}),
    "too-much-weight-decay": ([Dense(32), ReLU(), Dense(2)], {"optimizer": "l2"}),
}


def build(name: str) -> tuple[Network, dict[str, Any]]:
    from chainrule.optimizers import Adam

    layers, options = FAULTS[name]
    if options.get("optimizer") == "l2":
        options = {"optimizer": Adam(l2=3.0)}
    return Network(layers, random_state=0), options


@pytest.mark.parametrize("name", FAULTS)
def test_before(name: str) -> None:
    net, options = build(name)
    found = net.diagnose(X, LABELS, epochs=20, **options)
    assert found.cause is not None and found.cause.name == name
    assert not net.built


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_during_and_after(name: str) -> None:
    net, options = build(name)
    with pytest.warns(DiagnosisWarning, match=r"net|learning|weight|unit|gradient|relu|Dropout|decay"):
        net.fit(X, LABELS, epochs=20, verbose=0, diagnose=True, **options)
    assert net.diagnosis_.cause.name == name
    net, options = build(name)
    net.fit(X, LABELS, epochs=20, verbose=0, **options)
    assert net.diagnose(X, LABELS).cause.name == name


def test_a_healthy_fit_says_so_with_evidence() -> None:
    net = good().fit(X, LABELS, epochs=40, learning_rate=0.01, verbose=0, diagnose=True)
    found = net.diagnosis_
    assert found.healthy and found.cause is None and not found.errors
    assert found.evidence["score on training samples"] > 0.9
    assert "healthy" in str(found) and "score" in str(found) and repr(found) == "Diagnosis(healthy)"
    json.dumps(found.to_dict())


def test_a_finding_is_complete() -> None:
    found = good().diagnose(X, LABELS, learning_rate=1e-7, epochs=5)
    first = found.cause
    assert first.severity == "error" and first.code == "CR502" and first.where == "optimizer"
    assert first.threshold.source and first.paper and first.explanation and first.equation and first.cause
    assert first.evidence["learning rate"] == pytest.approx(1e-7)
    assert next(c.kind for c in first.changes) == "learning_rate"
    assert "loss-not-falling" in [s.name for s in first.symptoms]
    assert "learning-rate-too-small" in found and "loss-not-falling" in found and "CR502" in found
    assert first.title in str(found)
    json.dumps(found.to_dict())


def test_a_hopeless_fit_is_stopped() -> None:
    net = Network([Dense(32, bias_init=-50.0), ReLU(), Dense(2)], random_state=0)
    with pytest.warns(DiagnosisWarning, match="The fit was stopped"):
        net.fit(X, LABELS, epochs=200, verbose=0, diagnose=True, on_fault="stop")
    assert len(net.history_["loss"]) < 20 and net.history_.stopped
    healthy = good()
    healthy.fit(X, LABELS, epochs=40, verbose=0, diagnose=True, on_fault="stop")
    assert len(healthy.history_["loss"]) == 40


def test_a_fault_is_cured() -> None:
    net = Network([Dense(16), ReLU(), Dense(2)], random_state=0)
    net.fit(X, LABELS, epochs=15, learning_rate=1e-7, verbose=0, diagnose=True, on_fault="cure")
    assert net.diagnosis_.cause.name == "learning-rate-too-small"
    assert net.evaluate(X, LABELS)["accuracy"] > 0.8
    assert net.cure_.changes


def test_a_diverging_fit_says_why_and_keeps_its_error() -> None:
    net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
    with pytest.raises(DivergenceError, match="Diagnosis: the learning rate 50 is too large"):
        net.fit(X, NUMBERS, optimizer="sgd", learning_rate=50.0, epochs=20, verbose=0, diagnose=True)
    assert net.diagnosis_.cause.name == "learning-rate-too-large"
    assert "non-finite" in net.diagnosis_
    assert np.isfinite(net.parameters.flat).all()


# ---------------------------------------------------------------- bad input


def test_a_network_without_parameters() -> None:
    found = Network([ReLU()], random_state=0).diagnose(X, X, epochs=2)
    assert found.cause.name == "no-parameters"


def test_labels_of_one_class() -> None:
    found = good().diagnose(X, np.ones(len(X), int), epochs=2)
    assert found.cause.name == "constant-targets"


def test_one_sample() -> None:
    assert good().diagnose(X[:1], LABELS[:1], epochs=2).cause.name == "too-few-samples"
    for n in (2, 3, 5):
        assert isinstance(good().diagnose(X[:n], LABELS[:n], epochs=2), Diagnosis)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_data_that_is_not_finite(bad: float) -> None:
    wrong = X.copy()
    wrong[3, 2] = bad
    found = good().diagnose(wrong, LABELS, epochs=2)
    assert found.cause.name == "non-finite-data" and found.cause.where == "data"
    net = good()
    with pytest.raises(DataError, match="Diagnosis: X holds 1 value"):
        net.fit(wrong, LABELS, epochs=2, verbose=0, diagnose=True)
    assert net.diagnosis_.cause.name == "non-finite-data"
    numbers = NUMBERS.copy()
    numbers[7] = bad
    assert Network([Dense(1)]).diagnose(X, numbers, epochs=2).cause.where == "targets"


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [(X, LABELS[:-1]), (X, LABELS + 5), (np.zeros((0, 6)), np.zeros(0, int)), (X[:, :, None, None], NUMBERS), (X, None)],
    ids=["lengths", "classes", "empty", "shape", "no targets"],
)
def test_data_that_does_not_fit_is_a_finding_or_a_clear_error(inputs: Any, targets: Any) -> None:
    try:
        found = good().diagnose(inputs, targets, epochs=2)
    except ChainruleError as error:
        assert str(error)
    else:
        assert not found.healthy and found.cause.name in ("data-error", "too-few-samples")


def test_a_custom_layer_without_statistics() -> None:
    class Odd(Activation):
        """Its derivative works in the backward pass and fails when asked for alone."""

        def apply(self, k: Any, z: Any) -> Any:
            return k.tanh(z), Saved(z=z)

        def derivative(self, k: Any, saved: Any) -> Any:
            z = saved.__dict__.pop("z")
            return k.subtract(1.0, k.square(k.tanh(z)))

    net = Network([Dense(16), Odd(), Dense(2)], random_state=0)
    net.fit(X, LABELS, epochs=30, learning_rate=0.01, verbose=0, diagnose=True)
    assert isinstance(net.diagnosis_, Diagnosis) and net.diagnosis_.statistics.samples
    assert net.diagnosis_.chain().blocks
    assert net.evaluate(X, LABELS)["accuracy"] > 0.85


def test_a_layer_that_passes_no_gradient() -> None:
    class Detach(Layer):
        def forward(self, k: Any, *xs: Any) -> Any:
            return xs[0], Saved()

        def backward(self, k: Any, saved: Any, dy: Any) -> Any:
            return None

    found = Network([Dense(16), ReLU(), Detach(), Dense(2)], random_state=0).diagnose(X, LABELS, epochs=5)
    causes = [f for f in (*found.findings, *found.notes) if f.name == "gradient-cut-off"]
    assert causes and causes[0].layers == ("0.dense",)


def test_a_rule_that_raises_is_reported_and_training_goes_on() -> None:
    class Broken(Rule):
        code, name = "X1", "broken"

        def check(self, case: Any) -> Any:
            raise ZeroDivisionError("a mistake")

    found = good().diagnose(X, LABELS, epochs=40, rules=[Broken()])
    assert found.errors == {"broken": "ZeroDivisionError: a mistake"} and found.healthy
    assert "[rule failed] broken" in str(found)


def test_a_rule_of_the_users_own() -> None:
    class Wide(Rule):
        """Layers of many units."""

        code, name, tier = "X2", "wide", 4

        def check(self, case: Any) -> Any:
            for call in case.weighted:
                if case.units(call) > 20:
                    yield self.finding("many units", where=call.key, evidence={"units": case.units(call)})

    found = good().diagnose(X, LABELS, epochs=40, rules=[Wide()])
    assert [f.name for f in found.findings] == ["wide"] and found.cause.where == "0.dense"
    assert "wide" not in Rule.registry
    with pytest.raises(ParameterError, match="rules must be a list of instances"):
        good().diagnose(X, LABELS, rules=["wide"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_fault": "explode"}, "on_fault must be"),
        ({"diagnose": 0}, "number of steps"),
        ({"diagnose": -3}, "number of steps"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        good().fit(X, LABELS, **{"diagnose": True, "verbose": 0, **options})


def test_bad_steps_and_changes() -> None:
    with pytest.raises(ParameterError, match="steps must be"):
        good().diagnose(X, LABELS, steps=0)
    with pytest.raises(UnknownNameError, match="kind of change"):
        Change("magic")
    with pytest.raises(ParameterError, match="has no argument"):
        Change("clip", {"value": 1})
    with pytest.raises(ParameterError, match="severity"):
        Finding("X", "x", "x", severity="bad")
    with pytest.raises(UnknownNameError):
        Change("clip")["value"]


def test_batches_from_an_iterator() -> None:
    batches = [(X[i : i + 40], LABELS[i : i + 40]) for i in range(0, 240, 40)]
    found = good().diagnose(batches, epochs=3)
    assert isinstance(found, Diagnosis) and found.statistics.samples
    net = good().fit(batches, epochs=40, learning_rate=0.02, verbose=0, diagnose=True)
    assert net.diagnosis_.statistics.samples


def test_several_inputs_and_outputs() -> None:
    from chainrule.layers import Concat, Input

    a, b = Input((6,)), Input((6,))
    h = ReLU()(Dense(16)(Concat()(a, b)))
    net = Network(inputs=[a, b], outputs=[Dense(2)(h), Dense(1)(h)], random_state=0)
    found = net.diagnose([X, X[:, ::-1].copy()], [LABELS, NUMBERS], epochs=15)
    assert isinstance(found, Diagnosis) and not found.errors and found.chain().gains


def test_a_softmax_at_the_end_and_a_loaded_network(tmp_path: Any) -> None:
    from chainrule import load

    net = Network([Dense(32), ReLU(), Dense(2), Softmax()], random_state=0).fit(X, LABELS, epochs=40, verbose=0)
    assert net.diagnose(X, LABELS).healthy
    net.save(tmp_path / "net.chainrule")
    assert load(tmp_path / "net.chainrule").diagnose(X, LABELS).healthy


def test_watch_may_be_a_callback() -> None:
    watch = Watch(every=2)
    good().fit(X, LABELS, epochs=2, verbose=0, callbacks=[watch])
    assert [s.step for s in watch.statistics.samples] == [0, 2, 4, 6, 8, 10, 12, 14]


def test_whole_numbers_that_are_stored_as_floats_may_be_classes():
    """Grades and counts are numbers, class numbers are not: only the user knows, so it is a note."""
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    y = np.clip(np.rint(X[:, :1] * 1.5 + 2), 0, 4)
    net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
    found = net.diagnose(X, y.astype(np.float64), epochs=40, learning_rate=0.01)
    assert found.healthy and [n.title for n in found.notes if n.name == "wrong-loss"] == [
        "squared_error on 5 numbers that may be classes"
    ]
    assert net.diagnose(X, y.astype(int), loss="squared_error", epochs=5).cause.name == "wrong-loss"
    # Numbers with gaps, or other than whole ones, are numbers.
    for numbers in (y * 2, y + 0.5, y - 1):
        assert all(n.name != "wrong-loss" for n in net.diagnose(X, numbers, epochs=5).notes)
