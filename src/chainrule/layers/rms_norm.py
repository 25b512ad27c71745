"""Normalisation by the root mean square."""

from __future__ import annotations

from math import prod
from typing import Any

from ..constraints import Interval
from ..ops.value import Shape
from ._normalisation import inverse_root
from .base import Builder, Layer, Parameter, Saved, ShapeError, Value


class RMSNorm(Layer):
    """Root mean square normalisation ``y = γ ⊙ x / r``, ``r = √(Σ x² / C + ε)`` over the last axis.

    Parameters  epsilon : number > 0 = 1e-6 ; gamma_init : Initializer, its name or a number
    Shapes      x, y (N, ..., C) ; gamma γ (C,), without decay
    Backward    with n = x / r:  dγ = Σ dy ⊙ n ;  dx = (dy ⊙ γ − n Σ (dy ⊙ γ ⊙ n) / C) / r
    Raises      ShapeError when a sample has no axis ; ParameterError when epsilon is out of its range
    References  Zhang and Sennrich, Root mean square layer normalization, NeurIPS 2019

    Example
        >>> RMSNorm()
        RMSNorm()
    """

    role = "normalisation"
    stepwise = True
    hyperparameters = {"epsilon": Interval(float, 1e-30)}

    def __init__(self, *, epsilon: float = 1e-6, gamma_init: Any = "ones"):
        self.epsilon, self.gamma_init = epsilon, gamma_init

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        if len(shapes[0]) < 2:
            raise ShapeError(f"RMSNorm: expected input (N, ..., C), got {shapes[0]}; give each sample at least one feature.")
        return {"gamma": Parameter(shapes[0][-1:], self.gamma_init, decay=False)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape = xs[0].shape
        x = k.reshape(xs[0], (prod(shape[:-1]), shape[-1]))
        squares = k.mean(k.square(x), -1, keepdims=True)
        r = inverse_root(k, k.add(squares, float(self.epsilon)))
        n, gamma = k.multiply(x, r), k.param("gamma")
        return k.reshape(k.multiply(n, gamma), shape), Saved(n=n, r=r, gamma=gamma)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        shape, n = dy.shape, saved.n
        dy = k.reshape(dy, n.shape)
        k.grad("gamma", k.sum(k.multiply(dy, n), axis=0))
        dn = k.multiply(dy, saved.gamma)
        along = k.mean(k.multiply(dn, n), -1, keepdims=True)
        return k.reshape(k.multiply(k.subtract(dn, k.multiply(n, along)), saved.r), shape)
