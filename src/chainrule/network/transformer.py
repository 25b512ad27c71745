"""The blocks of transformers, as networks of layers."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean, Interval
from ..errors import ParameterError
from ..layers import Add, Dense, Dropout, LayerNorm, MultiHeadAttention, Tensor
from ..layers.base import get_activation
from .graph import NetworkGraph


def TransformerEncoderBlock(
    width: int,
    *,
    heads: int = 8,
    hidden: int | None = None,
    dropout: float = 0.0,
    activation: Any = "gelu",
    norm_first: bool = True,
    causal: bool = False,
) -> NetworkGraph:
    """Transformer encoder block ``u = x + A(LN(x))``, ``y = u + F(LN(u))`` with attention A and ``F(u) = φ(u W¹ + b¹) W² +
    b²``.

    With norm_first=False, as in the paper: ``u = LN(x + A(x))``, ``y = LN(u + F(u))``. With causal=True it is the block of a
    decoder without context, as in GPT. The block is a network: it stands in a list of layers like a layer.

    Parameters  width : int, features D of x ; heads : int = 8, that divide D ; hidden : int, features of F inside = 4 D
                dropout : float in [0, 1) = 0, of the attention's weights and of A and F ; activation φ : a name or layer
                = "gelu" ; norm_first : bool = True ; causal : bool = False, whether a step sees no later ones
    Shapes      x, y (N, T, D) ; a mask of x goes on to y
    Backward    dx = du + dA of du ;  du = dy + dF of dy (the gradient passes both sums undiminished)
    Raises      ParameterError for a bad hyperparameter ; ShapeError, when the network is built, when x is not (N, T, D)
    References  Vaswani et al., Attention is all you need, NeurIPS 2017 ; Xiong et al., On layer normalization in the
                transformer architecture, ICML 2020 (norm_first)

    Example
        >>> block = TransformerEncoderBlock(16, heads=4)
        >>> NetworkGraph([block, Dense(2)]).build((10, 16)).output_shapes
        [(10, 2)]
    """
    _check(width, heads, norm_first)
    x = Tensor()
    attention = MultiHeadAttention(heads, causal=causal, dropout=dropout)
    u = _around(x, lambda h: attention(h), dropout, norm_first)
    return NetworkGraph(inputs=x, outputs=_around(u, _feed_forward(width, hidden, activation), dropout, norm_first))


def TransformerDecoderBlock(
    width: int,
    *,
    heads: int = 8,
    hidden: int | None = None,
    dropout: float = 0.0,
    activation: Any = "gelu",
    norm_first: bool = True,
) -> NetworkGraph:
    """Transformer decoder block: causal attention of x to itself, attention to a context, and ``F``, each around a sum.

    ``u = x + A(LN(x))``, ``v = u + B(LN(u), context)``, ``y = v + F(LN(v))``; with norm_first=False LN comes after each
    sum. Called on two Tensors: ``block(x, context)``. A mask of the context hides its padding from x.

    Parameters  width : int, features D of x ; heads : int = 8 ; hidden : int, features of F inside = 4 D ; dropout : = 0 ;
                activation : name or layer = "gelu" ; norm_first : bool = True
    Shapes      x, y (N, T, D) ; context (N, S, E)
    Backward    through each sum as in TransformerEncoderBlock; the context gets its gradient from B
    Raises      ParameterError for a bad hyperparameter ; ShapeError, when the network is built, when shapes do not fit
    References  Vaswani et al., Attention is all you need, NeurIPS 2017

    Example
        >>> from chainrule.layers import Input
        >>> x, context = Input((5, 16)), Input((9, 16))
        >>> y = TransformerDecoderBlock(16, heads=4)(x, context)
    """
    _check(width, heads, norm_first)
    x, context = Tensor(), Tensor()
    own, other = (MultiHeadAttention(heads, causal=c, dropout=dropout) for c in (True, False))
    u = _around(x, lambda h: own(h), dropout, norm_first)
    v = _around(u, lambda h: other(h, context), dropout, norm_first)
    y = _around(v, _feed_forward(width, hidden, activation), dropout, norm_first)
    return NetworkGraph(inputs=[x, context], outputs=y)


def _check(width: Any, heads: Any, norm_first: Any) -> None:
    owner = "A transformer block"
    Interval(int, 1).check(owner, "width", width)
    Interval(int, 1).check(owner, "heads", heads)
    if width % heads:
        raise ParameterError(f"{owner}: heads must be an int that divides width={width}. Got {heads!r}.")
    Boolean().check(owner, "norm_first", norm_first)


def _around(x: Tensor, f: Any, dropout: float, norm_first: bool) -> Tensor:
    """x + f(LN(x)), or LN(x + f(x))."""
    h = f(LayerNorm()(x)) if norm_first else f(x)
    if dropout:
        h = Dropout(dropout)(h)
    total: Tensor = Add(broadcast=False)(x, h)
    return total if norm_first else LayerNorm()(total)


def _feed_forward(width: int, hidden: int | None, activation: Any) -> Any:
    inner, outer, phi = Dense(4 * width if hidden is None else hidden), Dense(width), get_activation(activation)
    return lambda h: outer(phi(inner(h)))
