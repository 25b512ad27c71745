"""Classes of a user's own enter the registries without taking the place of ours."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import Dense, Network, load
from chainrule.data.text.base import Tokenizer
from chainrule.data.text.words import WordTokenizer
from chainrule.diagnosis.rule import Rule
from chainrule.diagnosis.rules import BatchTooLarge
from chainrule.losses import Huber
from chainrule.losses.base import Loss
from chainrule.metrics import MeanSquaredError
from chainrule.metrics.base import Metric
from chainrule.optimizers import Adam
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
