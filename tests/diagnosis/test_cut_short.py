"""Trials that end before the planned training does are judged with care."""

from __future__ import annotations

import numpy as np

from chainrule import Dense, Network
from chainrule.layers import ReLU


def test_a_trial_that_was_cut_short_does_not_say_that_nothing_can_be_learned() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 200)).astype(np.float32)
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)
    net = Network([Dense(16), ReLU(), Dense(2)], random_state=0)
    found = net.diagnose(X, y, learning_rate=2e-4, epochs=200, batch_size=50, steps=16)
    assert "loss-not-falling" not in [f.name for f in found.findings]


def test_the_loss_at_the_end_of_few_epochs_is_not_that_of_their_start() -> None:
    """The mean over the only epoch is above what the loss came to."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 10)).astype(np.float32)
    y = 3 * X[:, :1] + X[:, 1:2]
    net = Network([Dense(32), ReLU(), Dense(1)], random_state=0)
    found = net.diagnose(X, y, epochs=1, batch_size=16, learning_rate=3e-3)
    assert found.evidence["loss at the end"] < 0.5 * found.history["loss"][-1]
