"""Residual connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ParameterError
from ..layers import Add, Layer, Tensor
from .graph import NetworkGraph


def Residual(layers: Sequence[Any], shortcut: Any = None) -> NetworkGraph:
    """Residual block ``y = f(x) + x``, or ``y = f(x) + s(x)``: what the layers learn is added to what they are given.

    The block is a network: it stands in a list of layers like a layer, and is called on a Tensor in the functional form.
    Used twice, it shares its parameters.

    Parameters  layers : the list of layers and networks of f ; shortcut : a layer, a network or a list of them that brings x
                to the shape of f(x); None adds x itself
    Shapes      x : any ; f(x), and s(x) or x : the same ; y : that shape
    Backward    dx = df + ds, with df and ds what f and s pass back for dy; ds = dy without a shortcut, so that the gradient
                reaches layers far below undiminished
    Raises      ParameterError when layers or shortcut is none of these ;
                ShapeError, when the network is built, that names the two layers whose outputs do not fit, and their shapes
    References  He et al., Deep residual learning for image recognition, CVPR 2016

    Example
        >>> from chainrule.layers import Dense, ReLU
        >>> block = Residual([Dense(16), ReLU(), Dense(16)])
        >>> wider = Residual([Dense(32), ReLU(), Dense(32)], shortcut=Dense(32, bias=False))
        >>> NetworkGraph([block, wider, Dense(1)]).build((16,)).output_shapes
        [(1,)]
    """
    if not _is_list(layers) or not layers:
        raise ParameterError(f"Residual: expected a list of layers, such as Residual([Dense(16), ReLU()]). Got {layers!r}.")
    x = Tensor()
    path = _apply(layers, x, "layers")
    around = x if shortcut is None else _apply(shortcut if _is_list(shortcut) else [shortcut], x, "shortcut")
    return NetworkGraph(inputs=x, outputs=Add(broadcast=False)(path, around))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _apply(layers: Sequence[Any], x: Tensor, what: str) -> Tensor:
    for i, item in enumerate(layers):
        if not isinstance(item, (Layer, NetworkGraph)):
            raise ParameterError(
                f"Residual: item {i} of {what} must be a layer or a network, such as Dense(16). Got {item!r}."
            )
        x = item(x)
    return x
