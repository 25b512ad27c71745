"""Gradients by the input, attacks and training against them, compared with what can be computed by hand."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from chainrule import BatchNorm, Conv2D, Dense, Dropout, Embedding, Flatten, Input, Network, NeuralClassifier, ReLU, Tanh
from chainrule.adversarial import FGSM, PGD, AdversarialBatches
from chainrule.errors import DataError, NotFittedError, ParameterError, ShapeError
from chainrule.layers import Add
from chainrule.training.session import Session


def linear(dtype: str = "float32") -> tuple[Network, np.ndarray, np.ndarray]:
    """A linear model whose gradient by the input is known: dz = softmax(z) − onehot(y), dx = dz Wᵀ."""
    rng = np.random.default_rng(0)
    net = Network([Dense(3)], random_state=0, dtype=dtype).build((5,))
    return net, rng.uniform(0.2, 0.8, (8, 5)).astype(dtype), rng.integers(0, 3, 8)


def explicit(net: Network, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    w, b = (net.parameters[f"0.dense.{n}"].astype(np.float64) for n in ("weight", "bias"))
    z = x @ w + b
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return (p - np.eye(3)[y]) @ w.T / len(x)


@pytest.mark.parametrize("name", ["fgsm", "pgd", "batches"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.adversarial.{name}"))
    assert found.attempted and not found.failed


# ---------------------------------------------------------------- dJ/dx


@pytest.mark.parametrize("batch_size", [1024, 3, 1])
def test_input_gradient_is_the_formula(batch_size: int) -> None:
    net, x, y = linear()
    found = net.input_gradient(x, y, batch_size=batch_size)
    np.testing.assert_allclose(found, explicit(net, x, y), atol=1e-7)


def test_input_gradient_of_a_deep_network_by_finite_differences() -> None:
    rng = np.random.default_rng(0)
    net = Network([Conv2D(3, 3), Tanh(), BatchNorm(), Flatten(), Dropout(0.5), Dense(4)], random_state=0, dtype="float64")
    x, y = rng.normal(size=(3, 5, 5, 2)), np.array([0, 3, 1])
    net.build((5, 5, 2))
    found, h = net.input_gradient(x, y, loss="softmax_cross_entropy"), 1e-6
    for _ in range(10):
        at = tuple(int(rng.integers(s)) for s in x.shape)
        up, down = x.copy(), x.copy()
        up[at] += h
        down[at] -= h
        losses = [net.evaluate(v, y, loss="softmax_cross_entropy")["loss"] for v in (up, down)]
        assert found[at] == pytest.approx((losses[0] - losses[1]) / (2 * h), abs=1e-6)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_the_loss_that_comes_with_a_gradient_is_that_of_an_evaluation(batch_size: int | None) -> None:
    net, x, y = linear()
    value, (gradient,) = Session(net).loss_and_input_gradient(x, y, batch_size=batch_size)
    assert value == pytest.approx(net.evaluate(x, y)["loss"], rel=1e-5)
    np.testing.assert_allclose(gradient, explicit(net, x, y), atol=1e-7)


def test_input_gradient_follows_the_weights_and_learns_nothing() -> None:
    net, x, y = linear()
    before = {n: a.copy() for n, a in net.parameters.items()}
    first = net.input_gradient(x, y)
    assert all((net.parameters[n] == a).all() for n, a in before.items())
    net.fit(x, y, epochs=5, learning_rate=0.1, verbose=0)
    second = net.input_gradient(x, y)
    np.testing.assert_allclose(second, explicit(net, x, y), atol=1e-7)
    assert abs(second - first).max() > 1e-4


def test_input_gradient_keeps_its_plans() -> None:
    net, x, y = linear()
    net.input_gradient(x, y)
    kept = net._runtime.differentiators(net)
    net.input_gradient(x + 0.01, y)
    assert net._runtime.differentiators(net) is kept and len(kept) == 1


def test_input_gradient_of_several_inputs_and_of_none() -> None:
    a, b = Input((3,)), Input((3,))
    net = Network(inputs=[a, b], outputs=Dense(2)(Add()(a, b)), random_state=0).build()
    x = np.ones((2, 3), np.float32)
    first, second = net.input_gradient([x, x], np.array([0, 1]))
    np.testing.assert_array_equal(first, second)
    words = Network([Input((4,), dtype="int"), Embedding(5, 3), Flatten(), Dense(2)], random_state=0).build()
    with pytest.raises(ParameterError, match="indices has no gradient"):
        words.input_gradient(np.zeros((2, 4), int), np.array([0, 1]))
    with pytest.raises(NotFittedError):
        Network([Dense(2)]).input_gradient(x, np.array([0, 1]))


# ---------------------------------------------------------------- attacks


def test_fgsm_is_its_formula() -> None:
    net, x, y = linear()
    g = explicit(net, x, y)
    np.testing.assert_allclose(FGSM(0.1)(net, x, y), x + 0.1 * np.sign(g), atol=1e-6)
    np.testing.assert_allclose(FGSM(0.1, targeted=True)(net, x, y), x - 0.1 * np.sign(g), atol=1e-6)
    np.testing.assert_allclose(FGSM(0.4)(net, x, y), np.clip(x + 0.4 * np.sign(g), 0, 1), atol=1e-6)
    np.testing.assert_allclose(FGSM(3, clip=None)(net, x, y), x + 3 * np.sign(g), atol=1e-5)
    length = np.linalg.norm(g, axis=1, keepdims=True)
    np.testing.assert_allclose(FGSM(0.1, norm=2)(net, x, y), x + 0.1 * g / length, atol=1e-6)


def test_one_step_of_pgd_without_a_random_start_is_fgsm() -> None:
    net, x, y = linear()
    for norm in ("inf", 2):
        one = PGD(0.1, steps=1, norm=norm, random_start=False)(net, x, y)
        np.testing.assert_allclose(one, FGSM(0.1, norm=norm)(net, x, y), atol=1e-6)


@pytest.mark.parametrize("norm", ["inf", 2, np.inf])
@pytest.mark.parametrize("epsilon", [0.02, 0.3, 2.0])
@pytest.mark.parametrize("batch_size", [1024, 3])
def test_pgd_stays_in_the_ball_and_in_the_range_and_raises_the_loss(norm: object, epsilon: float, batch_size: int) -> None:
    rng = np.random.default_rng(1)
    net = Network([Conv2D(4, 3), ReLU(), Flatten(), Dense(3)], random_state=0).build((6, 6, 1))
    x, y = rng.random((7, 6, 6, 1), np.float32), rng.integers(0, 3, 7)
    before = x.copy()
    found = PGD(epsilon, norm=norm, random_state=0, batch_size=batch_size)(net, x, y)
    assert found.dtype == np.float32 and (x == before).all() and found.min() >= 0 and found.max() <= 1
    change = (found - x).reshape(len(x), -1).astype(np.float64)
    length = np.linalg.norm(change, axis=1) if norm == 2 else abs(change).max(axis=1)
    assert (length <= epsilon * (1 + 1e-5)).all()
    loss = "softmax_cross_entropy"
    assert net.evaluate(found, y, loss=loss)["loss"] > net.evaluate(x, y, loss=loss)["loss"]


def test_pgd_finds_the_corner_that_a_linear_model_cannot_resist() -> None:
    net, x, y = linear()
    found = PGD(0.1, steps=40, random_state=0)(net, x, y)
    losses = [net.evaluate(v, y, loss="softmax_cross_entropy")["loss"] for v in (FGSM(0.1)(net, x, y), found)]
    assert losses[1] >= losses[0] - 1e-6


def test_random_starts_come_from_the_seed() -> None:
    net, x, y = linear()
    one, same, other = (PGD(0.1, steps=1, step=0.01, random_state=s)(net, x, y) for s in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_targeted_attack_leads_to_its_target() -> None:
    net, x, _ = linear()
    wanted = np.full(len(x), 2)
    found = PGD(1.0, steps=40, targeted=True, random_state=0)(net, x, wanted)
    assert (net.predict(found).argmax(1) == 2).sum() >= (net.predict(x).argmax(1) == 2).sum()
    assert net.predict(found)[:, 2].mean() > net.predict(x)[:, 2].mean()


def test_a_gradient_of_zero_moves_nothing() -> None:
    net, x, y = linear()
    net.parameters["0.dense.weight"][...] = 0
    for norm in ("inf", 2):
        np.testing.assert_array_equal(FGSM(0.1, norm=norm)(net, x, y), x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda n, x, y: FGSM(0)(n, x, y),
            ParameterError,
            "epsilon must be a finite number above 0. Got 0. It is in the unit of X",
        ),
        (lambda n, x, y: FGSM(float("nan"))(n, x, y), ParameterError, "epsilon"),
        (lambda n, x, y: FGSM(0.1, norm=1)(n, x, y), ParameterError, "norm must be"),
        (lambda n, x, y: FGSM(0.1, clip=(1, 0))(n, x, y), ParameterError, "clip must be None or a list of 2 rising values"),
        (lambda n, x, y: FGSM(0.1, clip=3)(n, x, y), ParameterError, "clip must be None or a list of 2 rising values"),
        (lambda n, x, y: FGSM(0.1, batch_size=0)(n, x, y), ParameterError, "batch_size"),
        (lambda n, x, y: PGD(0.1, steps=0)(n, x, y), ParameterError, "steps"),
        (lambda n, x, y: PGD(0.1, step=-1)(n, x, y), ParameterError, "step must be"),
        (lambda n, x, y: FGSM(0.1)(n, 255 * x, y), DataError, r"within clip=\(0.0, 1.0\)"),
        (lambda n, x, y: FGSM(0.1)(n, x, y[:3]), DataError, "8 samples and y has 3"),
        (lambda n, x, y: FGSM(0.1)(n, x[:, :2], y), ShapeError, "features"),
        (lambda n, x, y: FGSM(0.1)(Network([Dense(2)]), x, y), NotFittedError, "FGSM"),
        (lambda n, x, y: AdversarialBatches(n, x, y, "fgsm"), ParameterError, "attack must be an Attack"),
        (lambda n, x, y: AdversarialBatches(n, x, y, FGSM(-1)), ParameterError, "epsilon"),
        (lambda n, x, y: AdversarialBatches(n, x, y, FGSM(0.1), share=0), ParameterError, "share"),
        (lambda n, x, y: AdversarialBatches(n, x, y, FGSM(0.1), batch_size=0), ParameterError, "batch_size"),
        (lambda n, x, y: AdversarialBatches(n, x, y[:3], FGSM(0.1)), ShapeError, "one target for each sample"),
    ],
)
def test_bad_arguments(make, error: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        make(*linear())


# ---------------------------------------------------------------- training


def test_an_estimator_is_told_to_give_its_network() -> None:
    _, x, y = linear()
    model = NeuralClassifier(hidden=[4], epochs=1, random_state=0).fit(x, y)
    with pytest.raises(ParameterError, match=r"FGSM: expected a Network, got NeuralClassifier.*network_"):
        FGSM(0.1)(model, x, y)
    with pytest.raises(ParameterError, match=r"AdversarialBatches: expected a Network, got NeuralClassifier"):
        AdversarialBatches(model, x, y, FGSM(0.1))
    assert FGSM(0.1)(model.network_, x, np.searchsorted(model.classes_, y)).shape == x.shape


def test_batches_attack_their_share_with_the_weights_of_the_moment() -> None:
    net, x, y = linear()
    for share, attacked in ((1.0, 4), (0.5, 2), (0.01, 1)):
        source = AdversarialBatches(net, x, y, FGSM(0.05), share=share, batch_size=4, shuffle=False)
        (first, labels), _ = list(source)
        assert len(source) == 2 and (labels == y[:4]).all()
        changed = (abs(first - x[:4]) > 0.01).any(axis=1)
        assert changed.sum() == attacked and changed[:attacked].all()


@pytest.mark.slow
def test_adversarial_training_makes_a_network_harder_to_mislead() -> None:
    rng = np.random.default_rng(0)
    # One coordinate says the class with a wide margin, thirty say it with a narrow one that an attack can turn over.
    y = rng.integers(0, 2, 400)
    x = np.full((400, 31), 0.5) + rng.normal(0, 0.02, (400, 31))
    x += (2 * y[:, None] - 1) * np.r_[0.2, np.full(30, 0.03)]
    x = np.clip(x, 0, 1).astype(np.float32)
    attack = PGD(0.1, steps=5, random_state=0)

    def trained(robust: bool) -> Network:
        net = Network([Dense(16), ReLU(), Dense(2)], random_state=0)
        data = (AdversarialBatches(net, x, y, attack, batch_size=50),) if robust else (x, y)
        return net.fit(*data, epochs=80 if robust else 15, batch_size=50, learning_rate=0.02, verbose=0)

    plain, robust = trained(False), trained(True)
    attacked = [net.evaluate(attack(net, x, y), y)["accuracy"] for net in (plain, robust)]
    assert plain.evaluate(x, y)["accuracy"] > 0.99 and robust.evaluate(x, y)["accuracy"] > 0.95
    assert attacked[0] < 0.3 and attacked[1] > 0.9
    again = trained(True)
    np.testing.assert_array_equal(again.predict(x), robust.predict(x))  # equal seeds, equal results
