"""Attention with several heads."""

from __future__ import annotations

from math import prod, sqrt

from ..constraints import Boolean, Interval, Maybe
from ..errors import ParameterError
from ..ops.value import Shape
from ._attention import _Attention
from .base import Builder, Parameter, Saved, ShapeError, Value


class MultiHeadAttention(_Attention):
    """Multi-head attention ``y = [Y¹ ... Yʰ] Wᵒ + bᵒ``, ``Yⁱ = softmax(Qⁱ Kⁱᵀ / √D) Vⁱ`` for each of h heads.

    with ``Q = q W + b`` of the query, ``K = k W`` of the key and ``V = v W + b`` of the value, each cut into h parts of D
    features. Each head looks for something else. Keys that a mask says are padding get probability 0. The key has no bias:
    it would change all scores of a query alike, which softmax does not see.

    Parameters  heads : int >= 1, number h
                width : int or None = None ; features h D of all heads together, a multiple of h; None takes those of the
                query
                causal : bool = False ; whether a step sees no later ones (the last query stands beside the last key)
                dropout : float in [0, 1) = 0 ; the share of the probabilities that is set to 0 in training
                bias : bool = True ; masked : bool = False, whether a mask is the last input: 1 where a query may look at a
                key, else 0
                weight_init : Initializer or its name = "glorot_uniform"
    Shapes      query (N, T, I), key (N, S, J), value (N, S, L), given as (query, key, value), as (query, context) with the
                context as key and value, or as one x for all three ; mask (N, T, S) or (N, h, T, S) ; query, key and value
                weights (I, hD), (J, hD), (L, hD) ; output_weight (hD, I) ; y (N, T, I). A query that may look at nothing
                gets bᵒ.
    Backward    of every head dV = Pᵀ dY ;  dP = dY Vᵀ ;  dS = P ⊙ (dP − Σₖ dP ⊙ P) ;  dQ = dS K / √D ;  dK = dSᵀ Q / √D ;
                and of each product as in Dense
    Raises      ShapeError when the shapes do not fit, or heads does not divide the width ; ParameterError for a bad
                hyperparameter
    References  Vaswani et al., Attention is all you need, NeurIPS 2017

    Example
        >>> MultiHeadAttention(8, causal=True)
        MultiHeadAttention(8, causal=True)
    """

    hyperparameters = {
        "heads": Interval(int, 1),
        "width": Maybe(Interval(int, 1)),
        "causal": Boolean(),
        "dropout": Interval(float, 0, 1),
        "bias": Boolean(),
        "masked": Boolean(),
    }

    def __init__(
        self,
        heads: int,
        *,
        width: int | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        masked: bool = False,
        weight_init: object = "glorot_uniform",
    ):
        self.heads, self.width, self.causal, self.dropout = heads, width, causal, dropout
        self.bias, self.masked, self.weight_init = bias, masked, weight_init

    def validate(self) -> None:
        super().validate()
        if self.width is not None and self.width % self.heads:
            raise ParameterError(f"MultiHeadAttention: width must be a multiple of heads={self.heads}. Got {self.width!r}.")

    def _width(self, query: Shape) -> int:
        width = query[2] if self.width is None else int(self.width)
        if width % int(self.heads):
            raise ShapeError(
                f"MultiHeadAttention: heads={self.heads} does not divide the {width} features of the query {query}. "
                f"Choose another number of heads, or give width."
            )
        return width

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        query, key, value = self._three(self._apart(shapes)[0])
        width = self._width(query)
        found: dict[str, Parameter] = {}
        for name, n_in in (("query", query[2]), ("key", key[2]), ("value", value[2])):
            found |= self._dense(name, n_in, width)
        return found | self._dense("output", width, query[2])

    def _dense(self, name: str, n_in: int, n_out: int) -> dict[str, Parameter]:
        found = {f"{name}_weight": Parameter((n_in, n_out), self.weight_init, fan_in=n_in, fan_out=n_out)}
        if self._has_bias(name):
            found[f"{name}_bias"] = Parameter((n_out,), "zeros", fan_in=n_in, fan_out=n_out, decay=False)
        return found

    def _has_bias(self, name: str) -> bool:
        return self.bias and name != "key"

    def _affine(self, k: Builder, name: str, x: Value) -> Value:
        """x W + b of all steps."""
        z = k.matmul(k.reshape(x, (prod(x.shape[:-1]), x.shape[-1])), k.param(f"{name}_weight"))
        return k.add(z, k.param(f"{name}_bias")) if self._has_bias(name) else z

    def _affine_backward(self, k: Builder, name: str, x: Value, dz: Value) -> Value:
        flat = k.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
        k.grad(f"{name}_weight", k.matmul(flat, dz, transpose_a=True))
        if self._has_bias(name):
            k.grad(f"{name}_bias", k.sum(dz, axis=0))
        return k.matmul(dz, k.param(f"{name}_weight"), transpose_b=True)

    def forward(self, k: Builder, *inputs: Value) -> tuple[Value, Saved]:
        xs, mask = self._apart(inputs)
        shapes = self._three(tuple(x.shape for x in xs))
        width, heads = self._width(shapes[0]), int(self.heads)
        query, key, value = xs[0], xs[min(1, len(xs) - 1)], xs[-1]
        parts = []
        for letter, name, x in (("q", "query", query), ("k", "key", key), ("v", "value", value)):
            part = self._affine(k, name, x)
            part.name = letter.upper()
            parts.append(k.reshape(part, (*x.shape[:2], heads, width // heads)))
        y, own = self._attend(k, parts, 1 / sqrt(width // heads), mask, key)
        y.name = "Y"
        joined = k.reshape(y, (*query.shape[:2], width))
        out = k.reshape(self._affine(k, "output", joined), query.shape)
        return out, Saved(xs=(query, key, value), own=own, joined=joined, n=len(xs))

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value | tuple[Value | None, ...]:
        dz = k.reshape(dy, (prod(dy.shape[:2]), dy.shape[2]))
        d_joined = self._affine_backward(k, "output", saved.joined, dz)
        d_joined.name = "dY"
        found = self._attend_back(k, saved.own, k.reshape(d_joined, saved.own.parts[0].shape))
        dxs = []
        for name, x, part in zip(("query", "key", "value"), saved.xs, found, strict=True):
            flat = k.reshape(part, (prod(part.shape[:2]), prod(part.shape[2:])))
            dxs.append(k.reshape(self._affine_backward(k, name, x, flat), x.shape))
        dq, dk, dv = dxs
        own = (dq, dk, dv) if saved.n == 3 else (dq, k.add(dk, dv)) if saved.n == 2 else (k.add(dq, k.add(dk, dv)),)
        return (*own, None) if self.masked else own if len(own) > 1 else own[0]
