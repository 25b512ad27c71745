"""The weights that trials start with instead of new ones."""

from __future__ import annotations

import numpy as np

from ..network import Definition
from ..network.definition import Weights
from ..training.trainable import Trainable

__all__ = ["kept_weights"]


def kept_weights(probe: Trainable, was_built: bool, start: str) -> Weights:
    """The weights of the network that every trial starts with; all other weights are drawn anew for each seed.

    Weights of frozen layers are always kept, as they came from somewhere. All weights are kept where the user has asked for
    it, or has set them by hand: in a network that was never fitted, and whose weights are not those that its seed draws.

    Parameters
        probe : a copy of the network, built ; was_built : whether the network itself was built ; start : see
        ``Network.cure``
    """
    own = start == "own"
    if start == "auto" and was_built and not probe._trained:
        own = True
        seed = probe.random_state
        if isinstance(seed, (int, np.integer)):
            drawn, names = Definition.of(probe).build(type(probe), random_state=seed)
            drawn.build(*probe.buildable_shapes)
            own = any(
                not np.array_equal(array, drawn.parameters[f"{names[full.rpartition('.')[0]]}.{full.rpartition('.')[2]}"])
                for full, array in probe.parameters.items()
            )
    return Definition.weights_of(probe, None if own else probe.frozen)
