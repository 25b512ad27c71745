"""What the normalising layers have in common: their hyperparameters, γ and β, and rows of mean 0 and variance 1."""

from __future__ import annotations

from math import prod
from typing import Any

from ..constraints import AnyOf, Boolean, Interval, OneOf
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, Value


class _Normalisation(Layer):
    """Base of the normalising layers: ``epsilon``, and γ and β where ``affine`` asks for them."""

    role = "normalisation"

    epsilon: float
    affine: bool | str
    gamma_init: Any
    beta_init: Any
    hyperparameters = {
        "epsilon": Interval(float, 1e-30),
        "affine": AnyOf(Boolean(), OneOf("gamma", "beta")),
    }

    @property
    def scales(self) -> bool:
        """Whether γ is learned; else it is 1."""
        return self.affine in (True, "gamma")

    @property
    def shifts(self) -> bool:
        """Whether β is learned; else it is 0."""
        return self.affine in (True, "beta")

    def scale_and_shift(self, shape: Shape) -> dict[str, Parameter]:
        """γ and β of this shape, as far as they are learned.

        Neither decays: γ drawn to 0 would switch the channel off, and β is a bias.
        """
        both = {
            "gamma": Parameter(shape, self.gamma_init, decay=False),
            "beta": Parameter(shape, self.beta_init, decay=False),
        }
        return {name: both[name] for name, there in (("gamma", self.scales), ("beta", self.shifts)) if there}


class _GroupNormalisation(_Normalisation):
    """Base of the layers that normalise each sample's groups of channels on their own."""

    def group_count(self, channels: int) -> int:
        """Into how many groups the channels are divided."""
        raise NotImplementedError

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        shape, name = shapes[0], type(self).__name__
        if len(shape) < 2:
            raise ShapeError(f"{name}: expected input (N, ..., C), got {shape}; give each sample at least one channel.")
        groups = self.group_count(shape[-1])
        if shape[-1] % groups:
            raise ShapeError(f"{name}: {groups} groups do not divide the {shape[-1]} channels of input {shape}.")
        if prod(shape[1:]) == groups:
            raise ShapeError(f"{name}: of input {shape} it would normalise single elements, which makes all of them β.")
        return self.scale_and_shift(shape[-1:])

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape = xs[0].shape
        x = k.reshape(xs[0], (shape[0], prod(shape[1:-1]), shape[-1]))
        n, groups = standardise_groups(k, x, self.group_count(shape[-1]), float(self.epsilon))
        gamma = k.param("gamma") if self.scales else None
        y = n if gamma is None else k.multiply(n, gamma)
        if self.shifts:
            y = k.add(y, k.param("beta"))
        return k.reshape(y, shape), Saved(n=n, gamma=gamma, groups=groups)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        shape = dy.shape
        dn = k.reshape(dy, saved.n.shape)
        if saved.gamma is not None:
            k.grad("gamma", channel_sum(k, k.multiply(dn, saved.n)))
        if self.shifts:
            k.grad("beta", channel_sum(k, dn))
        if saved.gamma is not None:
            dn = k.multiply(dn, saved.gamma)
        return k.reshape(standardise_groups_backward(k, saved.groups, dn), shape)


def called(value: Value, name: str) -> Value:
    """The value, which equations show by this name."""
    value.name = name
    return value


def by_channel(k: Builder, x: Value) -> Value:
    """x as (N, C), or as (N, M, C) with all places of a sample on one axis."""
    return x if x.ndim == 2 else k.reshape(x, (x.shape[0], prod(x.shape[1:-1]), x.shape[-1]))


def channel_sum(k: Builder, x: Value) -> Value:
    """Σ over all axes but the last, of (N, C) or (N, M, C).

    First within each sample, then over the samples: rounding errors grow with M + N instead of M N, and samples can be
    divided among threads.
    """
    return k.sum(x if x.ndim == 2 else k.sum(x, axis=1), axis=0)


def inverse_root(k: Builder, u: Value) -> Value:
    """1 / √u, as √u / u: not a number where u, made of squares, has overflowed. There 1 / √u would be 0, and what is divided
    by the root would become 0 without a word."""
    return k.divide(k.sqrt(u), u)


def standardise(k: Builder, x: Value, epsilon: float) -> tuple[Value, Saved]:
    """Rows x (R, K) with mean 0 and variance 1: n = (x − μ) / √(σ² + ε), with σ² = Σ (x − μ)² / K in a second pass."""
    centred = k.subtract(x, called(k.mean(x, axis=1, keepdims=True), "mean"))
    variance = called(k.mean(k.square(centred), axis=1, keepdims=True), "variance")
    r = called(inverse_root(k, k.add(variance, epsilon)), "r")
    n = called(k.multiply(centred, r), "n")
    return n, Saved(n=n, r=r)


def standardise_backward(k: Builder, saved: Saved, dn: Value) -> Value:
    """dx = (dn − Σ dn / K − n ⊙ Σ (dn ⊙ n) / K) / √(σ² + ε) for the rows of ``standardise``."""
    through_mean = k.mean(dn, axis=1, keepdims=True)
    through_variance = k.mean(k.multiply(dn, saved.n), axis=1, keepdims=True)
    inner = k.subtract(k.subtract(dn, through_mean), k.multiply(saved.n, through_variance))
    return k.multiply(inner, saved.r)


def standardise_groups(k: Builder, x: Value, groups: int, epsilon: float) -> tuple[Value, Saved]:
    """x (N, M, C) normalised for each sample and each of ``groups`` groups of neighbouring channels; the same shape."""
    rows, turned = _group_rows(k, x, groups), groups > 1 and x.shape[1] > 1
    n, saved = standardise(k, rows, epsilon)
    return _from_rows(k, n, x.shape, turned), Saved(rows=saved, groups=groups, turned=turned)


def standardise_groups_backward(k: Builder, saved: Saved, dn: Value) -> Value:
    """dx for ``standardise_groups``."""
    rows = _group_rows(k, dn, saved.groups)
    return _from_rows(k, standardise_backward(k, saved.rows, rows), dn.shape, saved.turned)


def _group_rows(k: Builder, x: Value, groups: int) -> Value:
    """One row for each sample and group. Channels come first in memory where a group is not a whole sample."""
    samples, places, channels = x.shape
    turned = k.transpose(x, (0, 2, 1)) if groups > 1 and places > 1 else x
    return k.reshape(turned, (samples * groups, places * channels // groups))


def _from_rows(k: Builder, rows: Value, shape: Shape, turned: bool) -> Value:
    samples, places, channels = shape
    if not turned:
        return k.reshape(rows, shape)
    return k.transpose(k.reshape(rows, (samples, channels, places)), (0, 2, 1))
