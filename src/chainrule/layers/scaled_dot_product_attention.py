"""Attention without parameters."""

from __future__ import annotations

from math import sqrt

from ..constraints import Boolean, Interval
from ..ops.value import Shape
from ._attention import _Attention
from .base import Builder, Parameter, Saved, ShapeError, Value


class ScaledDotProductAttention(_Attention):
    """Scaled dot-product attention ``Y = P V``, ``P = softmax(Q Kᵀ / √D)`` over the keys, for each sample.

    Every step of the query looks at all steps of the key, at those most that are like it, and gets the mean of their values
    with these weights. Keys that a mask says are padding get weight 0.

    Parameters  causal : bool = False ; whether a step sees no later ones (the last query stands beside the last key)
                dropout : float in [0, 1) = 0 ; the share of the weights P that is set to 0 in training
                masked : bool = False, whether a mask (N, T, S) is the last input: 1 where a query may look at a key, else 0
    Shapes      Q (N, T, D), K (N, S, D), V (N, S, E), given as (Q, K, V), as (Q, K) with V = K, or as one x for all three ;
                P (N, T, S) ; y (N, T, E). A query that may look at nothing gets 0.
    Backward    dV = Pᵀ dY ;  dP = dY Vᵀ ;  dS = P ⊙ (dP − Σₖ dP ⊙ P) ;  dQ = dS K / √D ;  dK = dSᵀ Q / √D
    Raises      ShapeError when the shapes do not fit ; ParameterError for a bad hyperparameter
    References  Vaswani et al., Attention is all you need, NeurIPS 2017

    Example
        >>> from chainrule.layers import Input
        >>> query, memory = Input((5, 16)), Input((9, 16))
        >>> y = ScaledDotProductAttention()(query, memory)
    """

    hyperparameters = {
        "causal": Boolean(),
        "dropout": Interval(float, 0, 1),
        "masked": Boolean(),
    }

    def __init__(self, *, causal: bool = False, dropout: float = 0.0, masked: bool = False):
        self.causal, self.dropout, self.masked = causal, dropout, masked

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        query, key, _ = self._three(self._apart(shapes)[0])
        if query[2] != key[2]:
            raise ShapeError(
                f"ScaledDotProductAttention: query {query} and key {key} must have the same number of features D. "
                f"Bring one to the size of the other by Dense."
            )
        return {}

    def forward(self, k: Builder, *inputs: Value) -> tuple[Value, Saved]:
        self.parameters(*(x.shape for x in inputs))
        xs, mask = self._apart(inputs)
        query, key, value = xs[0], xs[min(1, len(xs) - 1)], xs[-1]
        parts = [k.reshape(x, (*x.shape[:2], 1, x.shape[2])) for x in (query, key, value)]
        y, own = self._attend(k, parts, 1 / sqrt(query.shape[2]), mask, key)
        y = k.reshape(y, (*query.shape[:2], value.shape[2]))
        return y, Saved(own=own, shapes=[x.shape for x in (query, key, value)], n=len(xs))

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value | tuple[Value | None, ...]:
        q, _, v = saved.own.parts
        found = self._attend_back(k, saved.own, k.reshape(dy, (*q.shape[:3], v.shape[3])))
        dq, dk, dv = (k.reshape(d, shape) for d, shape in zip(found, saved.shapes, strict=True))
        own = (dq, dk, dv) if saved.n == 3 else (dq, k.add(dk, dv)) if saved.n == 2 else (k.add(dq, k.add(dk, dv)),)
        return (*own, None) if self.masked else own if len(own) > 1 else own[0]
