"""Instance normalisation."""

from __future__ import annotations

from typing import Any

from ..ops.value import Shape
from ._normalisation import _GroupNormalisation
from .base import Parameter, ShapeError


class InstanceNorm(_GroupNormalisation):
    """Instance normalisation ``y = γ ⊙ (x − μ) / √(σ² + ε) + β`` with mean and variance of each channel of each sample.

    ``μ = Σ x / m`` and ``σ² = Σ (x − μ)² / m`` are over the m places of one channel (the last axis) of one sample. It keeps
    no running statistics, so it does the same in training and in prediction.

    Parameters  epsilon : float > 0 = 1e-5
                affine : bool, "gamma" or "beta" = True, whether to learn γ and β (one a channel), or one of them alone
                gamma_init, beta_init : Initializer, its name or a number
    Shapes      x, y (N, T, C) or (N, H, W, C) ; gamma γ, beta β (C,), without decay
    Backward    with n = (x − μ) / √(σ² + ε) and dn = dy ⊙ γ:  dγ = Σ dy ⊙ n ;  dβ = Σ dy, over all axes but the last ;
                dx = (dn − Σ dn / m − n ⊙ Σ (dn ⊙ n) / m) / √(σ² + ε), Σ over the places of a sample
    Raises      ShapeError when a sample has a single place, which would always give β ;
                ParameterError when epsilon is out of its range
    References  Ulyanov, Vedaldi and Lempitsky, Instance normalization: the missing ingredient for fast stylization,
                arXiv:1607.08022, 2016

    Example
        >>> InstanceNorm(affine=False)
        InstanceNorm(affine=False)
    """

    def __init__(
        self,
        *,
        epsilon: float = 1e-5,
        affine: bool | str = True,
        gamma_init: Any = "ones",
        beta_init: Any = "zeros",
    ):
        self.epsilon, self.affine = epsilon, affine
        self.gamma_init, self.beta_init = gamma_init, beta_init

    def group_count(self, channels: int) -> int:
        return channels

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        if len(shapes[0]) < 3:
            raise ShapeError(f"InstanceNorm: expected input (N, T, C) or (N, H, W, C), got {shapes[0]}; use LayerNorm here.")
        return super().parameters(*shapes)
