"""The scores on samples that a copy of the network is not trained on."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from ..errors import ChainruleError
from ..losses import Loss
from ..training import FitSettings, Session
from ..training.samples import Samples
from ..training.trainable import Trainable
from .outcome import score_of
from .watch import Watch

__all__ = ["TRIAL_SECONDS", "TRIAL_STEPS", "restarted", "scores_held_out"]

#: The most steps, and seconds, that a trial takes.
TRIAL_STEPS, TRIAL_SECONDS = 3000, 20.0


def restarted(network: Trainable) -> Trainable:
    """A copy of the network with new start weights, which an int as random_state makes the same as the first ones. Layers
    that are frozen keep their weights, as in every fit."""
    twin = copy.deepcopy(network)
    twin._trained = False
    seeded = isinstance(network.random_state, (int, np.integer))
    twin.rng = np.random.default_rng(network.random_state if seeded else 0)
    twin.restart()
    return twin


def scores_held_out(
    network: Trainable,
    samples: Samples | None,
    settings: FitSettings,
    losses: Sequence[Loss],
    classes: Sequence[int | None],
    seconds: float,
) -> tuple[list[float], int]:
    """The score of each output on a fifth of the samples, for a copy that is trained from its start on the others; and the
    number of these samples. No scores where there are too few samples, or the training fails."""
    if samples is None or len(samples) < 40:
        return [], 0
    order = np.random.default_rng(0).permutation(len(samples))
    count = max(20, len(samples) // 5)
    held, kept = samples.take(order[:count]), samples.take(order[count:])
    epochs = max(1, min(settings.epochs, TRIAL_STEPS // max(1, -(-len(kept) // settings.batch_size))))
    session = Session.of(restarted(network))
    short = settings.only("objective", "learning", "machine").replace(
        class_weight=None,  # the score counts all samples alike
        sample_weight=kept.weight,
        epochs=epochs,
        verbose=0,
        callbacks=[Watch(10**9, seconds=seconds)],
        precision="float32",
    )
    try:
        session.fit(kept.X, kept.y, short)
        targets, outputs = held.dense_targets(), held.outputs(session)
    except ChainruleError:
        return [], 0
    found = [
        score_of(loss, np.asarray(z, np.float64), np.asarray(v), c)
        for loss, z, v, c in zip(losses, outputs, targets, classes, strict=True)
    ]
    return found, count
