"""How the gradient passes through the steps of a sequence."""

from __future__ import annotations

from typing import Any

from ..diagnosis.through_time import TimeChain, time_chain
from ..errors import ParameterError
from ..network import NetworkGraph
from ..training.trace import trace

__all__ = ["through_time"]


def through_time(network: NetworkGraph, X: Any, y: Any, *, loss: Any = None) -> dict[str, TimeChain]:
    """The gains of the gradient through time in every recurrent layer, for these samples; nothing is learned or changed.

    ``diagnosis.through_time()`` gives the same for the samples and the weights of a training.
    chainrule.diagnosis.through_time says what is measured.

    Parameters  network : built ; X, y, loss : as in ``training.trace``; the loss is by default that of the last fit
    Returns     {layer's name: TimeChain} in the order of the layers
    Raises      ParameterError when there is no recurrent layer, or no loss ; as ``trace``

    Example
        >>> import numpy as np
        >>> from chainrule.layers import Dense, SimpleRNN
        >>> net = NetworkGraph([SimpleRNN(4), Dense(1)], random_state=0).build((50, 1))
        >>> chain = through_time(net, np.ones((2, 50, 1)), np.ones((2, 1)), loss="squared_error")["0.simple_rnn"]
        >>> sorted(chain.factors()), bool(np.isclose(sum(chain.factors().values()), chain.log10))
        (['activation', 'weight'], True)
    """
    loss = getattr(network, "loss_", None) if loss is None else loss
    if loss is None:
        raise ParameterError("through_time: the network was not fitted yet, so give the loss.")
    found: dict[str, TimeChain] = {}
    for key, layer in trace(network, X, y, loss=loss).layers.items():
        if "recurrent_weight" in layer.parameters:
            chain = time_chain(key, network.layers[layer.name], layer.inside, layer.parameters["recurrent_weight"])
            found |= {} if chain is None else {key: chain}
    if not found:
        raise ParameterError("through_time: the network has no recurrent layer (SimpleRNN, LSTM or GRU).")
    return found
