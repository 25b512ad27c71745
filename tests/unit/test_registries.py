"""Classes of a user's own enter the registries without taking the place of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from chainrule import Dense, Network, load
from chainrule.data.text.base import Tokenizer
from chainrule.data.text.words import WordTokenizer
from chainrule.diagnosis.rule import Rule
from chainrule.diagnosis.rules import BatchTooLarge
from chainrule.errors import UnknownNameError
from chainrule.initializers import Initializer
from chainrule.layers import ReLU, get_activation
from chainrule.losses import Huber, get_loss
from chainrule.losses.base import Loss
from chainrule.metrics import MeanSquaredError, get_metric
from chainrule.metrics.base import Metric
from chainrule.optimizers import Adam, get_optimizer
from chainrule.optimizers.base import Optimizer


@pytest.mark.parametrize(
    ("base", "cls"), [(Metric, MeanSquaredError), (Loss, Huber), (Optimizer, Adam), (Tokenizer, WordTokenizer)]
)
def test_a_subclass_that_inherits_a_name_does_not_take_it(base: type, cls: type) -> None:
    own = type("OwnOfThisTest", (cls,), {})
    try:
        assert base.registry[cls.name] is cls
        assert base.registry["OwnOfThisTest"] is own
    finally:
        del base.registry["OwnOfThisTest"]


def test_a_rule_that_inherits_a_name_does_not_take_it() -> None:
    own = type("OwnOfThisTest", (BatchTooLarge,), {})
    try:
        assert Rule.registry["batch-too-large"] is BatchTooLarge and Rule.registry["OwnOfThisTest"] is own
    finally:
        del Rule.registry["OwnOfThisTest"]


def test_a_model_with_an_optimizer_of_ones_own_is_loaded_again(tmp_path) -> None:
    X, y = np.ones((8, 3)), np.zeros((8, 1))
    own = type("OwnOfThisTest", (Adam,), {})
    try:
        net = Network([Dense(1)], random_state=0)
        net.fit(X, y, epochs=1, optimizer=own(), loss="squared_error", verbose=0)
        net.save(tmp_path / "own.chainrule")
        again = load(tmp_path / "own.chainrule")
        np.testing.assert_array_equal(again.predict(X), net.predict(X))
        assert Optimizer.registry["adam"] is Adam
    finally:
        del Optimizer.registry["OwnOfThisTest"]


@dataclass(frozen=True)
class Checkerboard(Initializer):
    """Weights of +scale and −scale by turns."""

    scale: float = 0.5
    name: ClassVar[str] = "checkerboard"

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
        return self.scale * np.where(np.indices(shape).sum(axis=0) % 2, -1.0, 1.0)


@dataclass(frozen=True)
class Doubling(Checkerboard):
    """Weights that are doubled until the layer's outputs are as large as 1 somewhere."""

    data_dependent: ClassVar[bool] = True
    max_iterations: ClassVar[int] = 20
    name: ClassVar[str] = "doubling"

    def rescale(self, weight: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, bool]:
        return (weight, True) if np.abs(output).max() >= 1 else (2 * weight, False)


def test_an_initialiser_of_ones_own_is_saved_loaded_and_found_by_its_name(tmp_path: Path) -> None:
    net = Network([Dense(3, weight_init=Checkerboard(0.25)), Dense(2, weight_init="checkerboard")], random_state=0).build(
        (4,)
    )
    assert set(np.unique(net.parameters["0.dense.weight"])) == {-0.25, 0.25}
    assert set(np.unique(net.parameters["1.dense.weight"])) == {-0.5, 0.5}
    net.save(tmp_path / "net")
    again = load(tmp_path / "net")
    assert again.layer("0.dense").weight_init == Checkerboard(0.25)
    np.testing.assert_array_equal(again.parameters["0.dense.weight"], net.parameters["0.dense.weight"])


def test_an_initialiser_of_ones_own_may_look_at_the_data() -> None:
    x = np.array([[1e-3, 0.0], [0.0, 5e-4]], np.float32)
    net = Network([Dense(2, weight_init=Doubling())], random_state=0)
    net.fit(x, np.zeros((2, 2), np.float32), learning_rate=1e-9, epochs=1, verbose=0, engine="reference")
    assert np.abs(net.predict(x)).max() == pytest.approx(1.024, rel=1e-4)


def test_a_name_is_found_in_capital_and_small_letters_and_so_is_a_class_of_ones_own() -> None:
    class OwnError(MeanSquaredError):
        pass

    try:
        assert isinstance(get_metric("OwnError"), OwnError) and isinstance(get_metric("ownerror"), OwnError)
    finally:
        del Metric.registry["OwnError"]
    assert get_metric("ACC") == get_metric("accuracy") and get_loss("MSE") == get_loss("mse")
    assert isinstance(get_activation("ReLU"), ReLU) and type(get_optimizer("Adam")) is type(get_optimizer("adam"))
    with pytest.raises(UnknownNameError, match="Did you mean 'relu'"):
        get_activation("relo")
