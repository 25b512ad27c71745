"""How much of the gradient reaches each step of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..losses import Loss
from ..network import NetworkGraph
from .trace import trace

__all__ = ["gradient_through_time"]


def gradient_through_time(
    network: NetworkGraph, X: Any, y: Any, *, loss: str | Loss | Sequence[str | Loss] | None = None
) -> dict[str, NDArray[np.float64]]:
    """The norm of the gradient of the state at every step, ``√(meanₙ ‖N dhₜ‖²)``, of each recurrent layer.

    dhₜ = ∂J/∂hₜ takes in all that comes back through later steps. Where its norm falls from the last step to the first, what
    a sequence held early cannot be learned (the gradient vanishes); where it grows, it explodes. N dhₜ is the gradient of
    the sample's own loss, so that the number of samples does not matter. Nothing is learned or changed; see ``trace``.

    Parameters  network : built, with a recurrent layer ; X, y, loss : as in ``trace``, by default
                the loss of the last fit
    Returns     {layer's name: (T,)} in the order of the layers
    Raises      ParameterError when there is no recurrent layer ; as ``trace``

    Example
        >>> from chainrule.layers import LSTM, Dense
        >>> net = NetworkGraph([LSTM(4), Dense(1)], random_state=0).build((50, 1))
        >>> norms = gradient_through_time(net, np.ones((2, 50, 1)), np.ones((2, 1)), loss="squared_error")
        >>> norms["0.lstm"].shape
        (50,)
    """
    loss = getattr(network, "loss_", None) if loss is None else loss
    if loss is None:
        raise ParameterError("gradient_through_time: the network was not fitted yet, so give the loss.")
    found = {}
    for name, layer in trace(network, X, y, loss=loss).layers.items():
        if "dh" in layer.inside:
            dh = layer.inside["dh"] * len(layer.inside["dh"])
            found[name] = np.sqrt((dh**2).sum(axis=2).mean(axis=0))
    if not found:
        raise ParameterError("gradient_through_time: the network has no recurrent layer (SimpleRNN, LSTM or GRU).")
    return found
