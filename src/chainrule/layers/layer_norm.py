"""Layer normalisation."""

from __future__ import annotations

from math import prod
from typing import Any

from ..constraints import Interval
from ..ops.value import Shape
from ._normalisation import _Normalisation, standardise, standardise_backward
from .base import Builder, Parameter, Saved, ShapeError, Value


class LayerNorm(_Normalisation):
    """Layer normalisation ``y = γ ⊙ (x − μ) / √(σ² + ε) + β`` with mean and variance over the last axis, or the last axes.

    ``μ = Σ x / m`` and ``σ² = Σ (x − μ)² / m`` over the m elements of the last ``axes`` axes, for each sample (and each
    place of it, such as a step of a sequence) on its own. So it does the same in training and in prediction.

    Parameters  axes : int >= 1 = 1, how many of the last axes are normalised together
                epsilon : float > 0 = 1e-5
                affine : bool, "gamma" or "beta" = True, whether to learn γ and β, or one of them alone
                gamma_init, beta_init : Initializer, its name or a number
    Shapes      x, y (N, ..., C) ; gamma γ, beta β: the last ``axes`` axes of x, without decay
    Backward    with n = (x − μ) / √(σ² + ε) and dn = dy ⊙ γ:  dγ = Σ dy ⊙ n ;  dβ = Σ dy ;
                dx = (dn − Σ dn / m − n ⊙ Σ (dn ⊙ n) / m) / √(σ² + ε)
    Raises      ShapeError when a sample has fewer axes, or only one element is normalised, which would always give β ;
                ParameterError when axes or epsilon is out of its range
    References  Ba, Kiros and Hinton, Layer normalization, arXiv:1607.06450, 2016

    Example
        >>> LayerNorm(epsilon=1e-6)
        LayerNorm(epsilon=1e-06)
    """

    stepwise = True
    hyperparameters = {"axes": Interval(int, 1)}

    def __init__(
        self,
        axes: int = 1,
        *,
        epsilon: float = 1e-5,
        affine: bool | str = True,
        gamma_init: Any = "ones",
        beta_init: Any = "zeros",
    ):
        self.axes, self.epsilon, self.affine = axes, epsilon, affine
        self.gamma_init, self.beta_init = gamma_init, beta_init

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        shape, axes = shapes[0], int(self.axes)
        if len(shape) <= axes:
            raise ShapeError(f"LayerNorm: expected samples of at least {axes} axes, got input {shape}; choose fewer axes.")
        if prod(shape[-axes:]) == 1:
            raise ShapeError(f"LayerNorm: of input {shape} it would normalise single elements, which makes all of them β.")
        return self.scale_and_shift(shape[-axes:])

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape, axes = xs[0].shape, int(self.axes)
        width = prod(shape[-axes:])
        y, rows = standardise(k, k.reshape(xs[0], (prod(shape[:-axes]), width)), float(self.epsilon))
        gamma = k.reshape(k.param("gamma"), (width,)) if self.scales else None
        if gamma is not None:
            y = k.multiply(y, gamma)
        if self.shifts:
            y = k.add(y, k.reshape(k.param("beta"), (width,)))
        return k.reshape(y, shape), Saved(rows=rows, gamma=gamma)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        shape = dy.shape
        dn = k.reshape(dy, saved.rows.n.shape)
        own = shape[-int(self.axes) :]
        if saved.gamma is not None:
            k.grad("gamma", k.reshape(k.sum(k.multiply(dn, saved.rows.n), axis=0), own))
        if self.shifts:
            k.grad("beta", k.reshape(k.sum(dn, axis=0), own))
        if saved.gamma is not None:
            dn = k.multiply(dn, saved.gamma)
        return k.reshape(standardise_backward(k, saved.rows, dn), shape)
