"""Batch normalisation."""

from __future__ import annotations

from math import prod
from typing import Any

from ..constraints import Interval
from ..ops.value import Shape
from ._normalisation import _Normalisation, called, inverse_root
from .base import Builder, Parameter, Saved, ShapeError, State, Value


class BatchNorm(_Normalisation):
    """Batch normalisation ``y = γ ⊙ (x − μ) / √(σ² + ε) + β``, for each channel (the last axis) over all other axes.

    In training ``μ = Σ x / m`` and ``σ² = Σ (x − μ)² / m`` are those of the batch, with m values a channel, and the running
    statistics follow them: ``running_mean ← momentum running_mean + (1 − momentum) μ`` and
    ``running_var ← momentum running_var + (1 − momentum) m / (m − 1) σ²``, which is unbiased. Each batch counts as one
    step of them and is normalised by its own m, also a last batch that is shorter. In prediction μ and σ² are the running
    statistics, which stay as they are; so they are in training when the layer is frozen (``Network.freeze``).
    With only one value a channel (a batch of one sample without other axes) σ² would be 0 and y = β whatever x is: such a
    batch cannot be trained on.

    The padded steps of sequences (see Masking) count in the statistics of a batch as all others do; their mask goes on.

    A bias just before is of no use, as subtracting μ takes it out: Dense(units, bias=False) saves it.

    Parameters  momentum : float in [0, 1) = 0.9, the share of the old running statistics kept at each step (other libraries
                call 1 − momentum the momentum) ; epsilon : float > 0 = 1e-5
                affine : bool, "gamma" or "beta" = True, whether to learn γ and β, or one of them alone
                gamma_init, beta_init : Initializer, its name or a number
    Shapes      x, y (N, C), (N, T, C) or (N, H, W, C) ; gamma γ, beta β (C,), without decay ;
                states running_mean, running_var (C,), which start at 0 and 1
    Backward    with n = (x − μ) / √(σ² + ε):  dγ = Σ dy ⊙ n ;  dβ = Σ dy ;
                dx = γ / √(σ² + ε) ⊙ (dy − Σ dy / m − n ⊙ Σ (dy ⊙ n) / m) ; with running statistics
                dx = γ / √(σ² + ε) ⊙ dy
    Raises      ShapeError when x has no channel axis, or in training only one value a channel ;
                ParameterError when momentum or epsilon is out of its range
    References  Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate
                shift, ICML 2015

    Example
        >>> BatchNorm(momentum=0.99)
        BatchNorm(momentum=0.99)
    """

    linear = True  # in prediction
    uses_batch_statistics = True
    stepwise = True
    hyperparameters = {"momentum": Interval(float, 0, 1)}

    def __init__(
        self,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        affine: bool | str = True,
        gamma_init: Any = "ones",
        beta_init: Any = "zeros",
    ):
        self.momentum, self.epsilon, self.affine = momentum, epsilon, affine
        self.gamma_init, self.beta_init = gamma_init, beta_init

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        if len(shapes[0]) < 2:
            raise ShapeError(
                f"BatchNorm: expected input (N, ..., C), got {shapes[0]}; give each sample at least one channel."
            )
        return self.scale_and_shift(shapes[0][-1:])

    def states(self, *shapes: Shape) -> dict[str, State]:
        return {"running_mean": State(shapes[0][-1:], 0.0), "running_var": State(shapes[0][-1:], 1.0)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, epsilon = xs[0], float(self.epsilon)
        m = prod(x.shape[:-1])
        if k.training:
            if m == 1:
                raise ShapeError(
                    f"BatchNorm: training needs more than one value a channel, got a batch of {x.shape}, whose variance "
                    f"is 0. Choose a batch_size that leaves no single sample over (or Network.freeze the layer)."
                )
            mean, squares = k.channel_moments(x)
            called(mean, "mean")
            variance = called(k.multiply(squares, 1 / m), "variance")
            keep = float(self.momentum)
            old_mean, old_variance = k.state("running_mean"), k.state("running_var")
            k.set_state("running_mean", k.add(k.multiply(old_mean, keep), k.multiply(mean, 1 - keep)))
            k.set_state("running_var", k.add(k.multiply(old_variance, keep), k.multiply(squares, (1 - keep) / (m - 1))))
        else:
            mean, variance = k.state("running_mean"), k.state("running_var")
        r = called(inverse_root(k, k.add(variance, epsilon)), "r")
        scale = k.multiply(k.param("gamma"), r) if self.scales else r
        y = k.multiply(k.subtract(x, mean), scale)
        if self.shifts:
            y = k.add(y, k.param("beta"))
        return y, Saved(x=x, mean=mean, r=r, scale=scale, m=m if k.training else None)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        # Written with x − μ in place of n = (x − μ) r: it is cheaper to compute again than to keep.
        m, r, axes = saved.m, saved.r, tuple(range(dy.ndim - 1))
        if self.affine or m is not None:
            centred = k.subtract(saved.x, saved.mean)
            total = k.sum(dy, axes)
            along = k.multiply(k.sum(k.multiply(dy, centred), axes), r)
        if self.scales:
            k.grad("gamma", along)
        if self.shifts:
            k.grad("beta", total)
        dx = dy
        if m is not None:
            shared = k.multiply(total, 1 / m)
            dx = k.subtract(k.subtract(dx, shared), k.multiply(centred, k.multiply(k.multiply(along, r), 1 / m)))
        return k.multiply(dx, saved.scale)
