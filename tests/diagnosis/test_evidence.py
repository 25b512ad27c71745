"""A finding rests on evidence that the network could do better; each test is a set-up that was judged wrongly before."""

import warnings

import numpy as np
import pytest

from chainrule import LSTM, Dense, Flatten, Input, Network, ReLU, Softmax, Tanh
from chainrule.diagnosis.reference import names_or_sizes, reference_scores, separation
from chainrule.errors import DataError, DivergenceError
from chainrule.layers import Activation
from chainrule.losses import BinaryCrossEntropy
from chainrule.ops import Saved


class Threshold(Activation):
    """``a = [z > 0]``: its derivative is 0 everywhere."""

    def apply(self, k, z):
        return k.greater(z, 0.0), Saved(z=z)

    def derivative(self, k, saved):
        return k.multiply(saved.z, 0.0)


def watched(net, X, y, **fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(X, y, verbose=0, diagnose=True, **fit)
    return net.diagnosis_


def drawn(n=600, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


# ---------------------------------------------------------------- what simple models say


def test_class_numbers_are_names_ratings_are_sizes():
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(5, 4)) * 3
    label = rng.integers(0, 5, 400)
    assert names_or_sizes(middles[label] + rng.normal(size=(400, 4)), label)[1] is True
    x = rng.normal(size=(400, 4))
    rating = np.clip(np.rint(2 + x[:, 0] + rng.normal(0, 0.4, 400)), 0, 4)
    assert names_or_sizes(x, rating)[1] is not True


def test_several_answers_have_a_reference():
    x = drawn()
    y = np.stack([x[:, 0] > 0, x[:, 1] * x[:, 2] > 0, np.random.default_rng(1).random(len(x)) > 0.5], axis=1).astype(int)
    found = reference_scores(x.astype(float), y, classes=True)
    assert found.informative and 0.5 < found.chance < 0.6 and 0.6 < found.best < 0.9


def test_a_weak_signal_is_told_from_none():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    noise = rng.normal(size=(400, 1))
    assert reference_scores(x, 0.45 * x[:, :1] + noise, classes=False).informative
    assert not reference_scores(x, noise, classes=False).informative


def test_rare_classes_that_the_inputs_do_not_tell_apart():
    rng = np.random.default_rng(0)
    x, rare = rng.normal(size=(2000, 5)), rng.random(2000) < 0.03
    area, error = separation(x, rare)
    assert area < 0.5 + 3 * error
    x[rare, 0] += 3
    area, error = separation(x, rare)
    assert area > 0.9


# ---------------------------------------------------------------- faults


def test_softmax_on_answers_that_do_not_exclude_each_other():
    X = drawn()
    y = (X[:, :3] > 0).astype(int)
    net = Network([Dense(24), ReLU(), Dense(3), Softmax()], random_state=0)
    found = watched(net, X, y, loss=BinaryCrossEntropy(from_probabilities=True), epochs=10)
    assert found.cause.name == "output-activation"


def test_a_step_as_activation_cuts_the_gradient_off():
    X = drawn()
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    found = watched(Network([Dense(4), Threshold(), Dense(2)], random_state=0), X, y, epochs=20, learning_rate=0.01)
    assert found.cause.name == "gradient-cut-off" and found.cause.layers == ("0.dense",)


def test_class_numbers_given_as_floats():
    rng = np.random.default_rng(0)
    middles, label = rng.normal(size=(5, 6)) * 2, rng.integers(0, 5, 600)
    X = (middles[label] + rng.normal(size=(600, 6))).astype(np.float32)
    net = Network([Dense(24), ReLU(), Dense(1)], random_state=0)
    found = watched(net, X, label[:, None].astype(np.float32), loss="mae", epochs=20, learning_rate=0.01)
    assert found.cause.name == "wrong-loss"


def test_a_recurrent_state_of_one_number_is_too_small():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 6, 1)).astype(np.float32)
    y = np.concatenate([X[:, -1] * X[:, -2], X[:, 0] + X[:, -3]], axis=1)
    found = watched(Network([LSTM(1), Dense(2)], random_state=0), X, y, epochs=40, learning_rate=0.02)
    assert found.cause.name in ("too-little-capacity", "bottleneck")


# ---------------------------------------------------------------- no faults


def test_a_narrow_code_is_what_an_autoencoder_is_for():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(800, 3)) @ rng.normal(size=(3, 20)) / 2 + rng.normal(0, 0.5, (800, 20))).astype(np.float32)
    net = Network([Dense(32), Tanh(), Dense(3), Dense(32), Tanh(), Dense(20)], random_state=0)
    assert watched(net, X, X, epochs=60, learning_rate=0.005).healthy


def test_rare_cases_that_nothing_tells_apart_are_no_fault():
    rng = np.random.default_rng(0)
    X, y = drawn(2000), (rng.random(2000) < 0.03).astype(int)
    assert watched(Network([Dense(12), ReLU(), Dense(2)], random_state=0), X, y, epochs=8, learning_rate=0.002).healthy


def test_ratings_are_a_regression():
    X = drawn(900)
    y = np.clip(np.rint(2 + X[:, :1] + np.random.default_rng(1).normal(0, 0.5, (900, 1))), 0, 4).astype(np.float32)
    net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
    assert watched(net, X, y, loss="mse", epochs=40, learning_rate=0.005).healthy


def test_each_output_is_judged_by_its_own_shape():
    X, x = drawn(800), Input(6)
    h = ReLU()(Dense(32)(x))
    net = Network(inputs=x, outputs=[Dense(1)(h), Dense(2)(h)], random_state=0)
    assert watched(net, X, [X[:, :1] + X[:, 1:2], (X[:, 2] > 0).astype(int)], epochs=40, learning_rate=0.01).healthy


# ---------------------------------------------------------------- asked after the fit


def test_after_a_fit_that_diverged_the_start_is_looked_at():
    X = drawn()
    y = X[:, :1] * 1000
    net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
    with pytest.raises(DivergenceError):
        net.fit(X, y, optimizer="sgd", learning_rate=1.0, epochs=5, verbose=0)
    names = [f.name for f in net.diagnose(X, y).findings]
    assert names[0] == "unscaled-targets" and "initialisation-too-large" not in names


def test_after_a_fit_that_refused_the_data_its_arguments_are_known():
    X, y = drawn(), np.arange(600) % 4 + 1
    net = Network([Dense(16), ReLU(), Dense(4)], random_state=0)
    with pytest.raises(DataError):
        net.fit(X, y, loss="sparse_categorical_crossentropy", verbose=0)
    assert net.diagnose(X, y).cause.name == "data-error"


def test_frozen_layers_keep_what_they_learned_when_a_fit_is_run_again():
    X = np.random.default_rng(0).normal(size=(500, 4, 4)).astype(np.float32)
    y = (X[:, 0, 0] * X[:, 1, 1] > 0).astype(int)
    net = Network([Flatten(), Dense(32), ReLU(), Dense(2)], random_state=0).fit(
        X, y, epochs=40, learning_rate=0.01, verbose=0
    )
    net.freeze("1.dense").fit(X, y, epochs=5, verbose=0)
    sampled = net.diagnose(X, y).statistics.samples[0].calls["1.dense"].output
    z = X.reshape(500, 16) @ net.parameters["1.dense.weight"] + net.parameters["1.dense.bias"]
    assert np.isclose(sampled.std, z.std(), rtol=0.1)


def test_other_arguments_ask_about_a_fit_that_is_to_come():
    X = drawn()
    y = (X[:, 0] > 0).astype(int)
    net = Network([Dense(16), ReLU(), Dense(2)], random_state=0).fit(X, y, epochs=20, learning_rate=0.01, verbose=0)
    assert net.diagnose(X, y).healthy
    assert net.diagnose(X, y, optimizer="sgd", learning_rate=1e4).cause.name == "learning-rate-too-large"
