"""Group normalisation."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval
from ._normalisation import _GroupNormalisation


class GroupNorm(_GroupNormalisation):
    """Group normalisation ``y = γ ⊙ (x − μ) / √(σ² + ε) + β`` with mean and variance of each sample and group of channels.

    The C channels (the last axis) are divided into ``groups`` groups of neighbours; ``μ = Σ x / m`` and
    ``σ² = Σ (x − μ)² / m`` are over the m elements of a group at all places of one sample. No sample sees another, so it
    does the same in training and in prediction, and for any batch size. One group normalises the whole sample; as many
    groups as channels are InstanceNorm.

    Parameters  groups : int >= 1, a divisor of C ; epsilon : float > 0 = 1e-5
                affine : bool, "gamma" or "beta" = True, whether to learn γ and β (one a channel), or one of them alone
                gamma_init, beta_init : Initializer, its name or a number
    Shapes      x, y (N, C), (N, T, C) or (N, H, W, C) ; gamma γ, beta β (C,), without decay
    Backward    with n = (x − μ) / √(σ² + ε) and dn = dy ⊙ γ:  dγ = Σ dy ⊙ n ;  dβ = Σ dy, over all axes but the last ;
                dx = (dn − Σ dn / m − n ⊙ Σ (dn ⊙ n) / m) / √(σ² + ε), Σ over the group
    Raises      ShapeError when the groups do not divide the channels, or a group has a single element, which would always
                give β ; ParameterError when groups or epsilon is out of its range
    References  Wu and He, Group normalization, ECCV 2018

    Example
        >>> GroupNorm(8)
        GroupNorm(8)
    """

    channel_map = None  # which channels share their statistics depends on their number
    hyperparameters = {"groups": Interval(int, 1)}

    def __init__(
        self,
        groups: int,
        *,
        epsilon: float = 1e-5,
        affine: bool | str = True,
        gamma_init: Any = "ones",
        beta_init: Any = "zeros",
    ):
        self.groups, self.epsilon, self.affine = groups, epsilon, affine
        self.gamma_init, self.beta_init = gamma_init, beta_init

    def group_count(self, channels: int) -> int:
        return int(self.groups)
