"""A recurrent layer in both directions of time."""

from __future__ import annotations

from ..errors import ParameterError
from ..layers import Add, Concat, Layer, Tensor
from .graph import NetworkGraph


def Bidirectional(layer: Layer, *, merge: str = "concat") -> NetworkGraph:
    """A recurrent layer through time in both directions, ``y = [f(x) r(x)]`` or ``y = f(x) + r(x)``, r from the last step
    back.

    The reverse layer has parameters of its own and the hyperparameters of the one given. Padding that a mask knows of
    changes neither direction. The pair is a network: it stands in a list of layers like a layer.

    Parameters  layer : a recurrent layer (SimpleRNN, LSTM, GRU) without return_state ; merge : "concat" or "sum" = "concat"
    Shapes      x (N, T, I) ; y (N, 2H), or (N, T, 2H) with return_sequences=True ; with merge="sum" H instead of 2H
    Backward    dx = the sum of what both pass back
    Raises      ParameterError when layer is no recurrent layer, returns its state, or merge is another word
    References  Schuster and Paliwal, Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing 1997

    Example
        >>> net = NetworkGraph([Bidirectional(LSTM(8)), Layer.registry["Dense"](2)])
        >>> net.build((20, 3)).output_shapes
        [(2,)]
    """
    if not isinstance(layer, Layer) or "reverse" not in layer.argument_names() or layer.output_count > 1:
        raise ParameterError(
            f"Bidirectional: expected a recurrent layer without return_state, such as LSTM(64). Got {layer!r}."
        )
    if merge not in ("concat", "sum"):
        raise ParameterError(f'Bidirectional: merge must be "concat" or "sum". Got {merge!r}.')
    x = Tensor()
    back = type(layer)(**(layer.config() | {"reverse": not layer.config()["reverse"]}))
    if layer.name:
        back.named(f"{layer.name}.reverse")
    join = Concat() if merge == "concat" else Add(broadcast=False)
    return NetworkGraph(inputs=x, outputs=join(layer(x), back(x)))
