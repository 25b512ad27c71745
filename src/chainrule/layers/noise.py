"""Layers that draw random numbers: noise from nothing, and noise on top of a signal."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Real
from typing import Any

from ..constraints import Interval, OneOf, OneOrMore
from ..errors import ParameterError
from ..ops.value import Shape
from .base import SIZES, Builder, Layer, Saved, Value, sizes_of


class Noise(Layer):
    """Random numbers of a shape of their own for each sample of its input, drawn anew at every step, also in prediction.

    Generators begin with it: the numbers are made inside the compiled step and no array of them exists outside. They are a
    function of the seed of the fit, the step and the place, so they are the same on every engine. The input says only how
    many samples there are, and gets no gradient.

    Parameters  shape : of one sample, an int or a tuple
                distribution : "normal" (mean 0, variance 1) or "uniform" (over [−1, 1))
    Shapes      x (N, ...) ; y (N, *shape)
    Backward    dx = 0
    Raises      ParameterError when the shape or the distribution is not known

    Example
        >>> Noise(64)
        Noise(64)
    """

    role = "other"
    hyperparameters = {"shape": SIZES, "distribution": OneOf("normal", "uniform")}

    def __init__(self, shape: int | Sequence[int], *, distribution: str = "normal"):
        self.shape, self.distribution = shape, distribution

    def _sample(self) -> Shape:
        return sizes_of(self.shape)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        shape = (xs[0].shape[0], *self._sample())
        if self.distribution == "normal":
            return k.random_normal(shape), Saved()
        return k.add(k.multiply(k.random_uniform(shape), 2.0), -1.0), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        return None


class GaussianNoise(Layer):
    """In training ``y = x + σ n`` with n drawn anew from N(0, 1) for every element at every step; else ``y = x``.

    Parameters  stddev : σ >= 0, or (lowest, highest): then each sample has a σ of its own, uniform between the two
    Shapes      x, y : any
    Backward    dx = dy
    Raises      ParameterError when σ is negative or not finite, or the lowest is above the highest
    References  Bishop, Training with noise is equivalent to Tikhonov regularization, Neural Computation 7, 1995

    Example
        >>> GaussianNoise(0.1)
        GaussianNoise(0.1)
    """

    role = "regularisation"
    linear = True
    stepwise = True
    hyperparameters = {"stddev": OneOrMore(Interval(float, 0), count=2, hint="Two are (lowest, highest).")}

    def __init__(self, stddev: float | Sequence[float]):
        self.stddev = stddev

    def _range(self) -> tuple[float, float]:
        stddev: Any = self.stddev
        low, high = (stddev, stddev) if isinstance(stddev, Real) else stddev
        return float(low), float(high)

    def validate(self) -> None:
        super().validate()
        low, high = self._range()
        if low > high:
            raise ParameterError(f"GaussianNoise: stddev must be (lowest, highest). Got {self.stddev!r}.")

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, (low, high) = xs[0], self._range()
        if not k.training or high == 0:
            return x, Saved()
        n = k.random_normal(x.shape)
        if low == high:
            return k.add(x, k.multiply(n, high)), Saved()
        sigma = k.add(k.multiply(k.random_uniform((x.shape[0], *(1,) * (x.ndim - 1))), high - low), low)
        return k.add(x, k.multiply(n, sigma)), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


class GaussianSample(Layer):
    """A sample from a normal distribution, ``z = μ + exp(v / 2) ⊙ n`` with n drawn anew from N(0, 1); in prediction z = μ.

    Its two inputs are the mean μ and the logarithm v of the variance. Drawn like this, z has a gradient by both.

    Shapes      μ, v, z (N, ...)
    Backward    dμ = dz ;  dv = ½ dz ⊙ exp(v / 2) ⊙ n
    References  Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014

    Example
        >>> GaussianSample()
        GaussianSample()
    """

    arity = 2
    role = "join"
    channel_map = "each"
    stepwise = True

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        mean, log_variance = xs
        if mean.shape != log_variance.shape:
            raise ParameterError(f"GaussianSample: mean {mean.shape} and log-variance {log_variance.shape} must be alike.")
        if not k.training:
            return mean, Saved(part=None)
        part = k.multiply(k.exp(k.multiply(log_variance, 0.5)), k.random_normal(mean.shape))
        return k.add(mean, part), Saved(part=part)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, Value | None]:
        return dy, None if saved.part is None else k.multiply(k.multiply(dy, saved.part), 0.5)


class GaussianDivergence(Layer):
    """The Kullback-Leibler divergence of N(μ, exp v) from N(0, 1), ``½ Σ (μ² + eᵛ − 1 − v)`` over a sample's numbers.

    Its output is to be minimised as it is (loss "output") beside the error of a reconstruction.

    Shapes      μ, v (N, ...) ; y (N, 1)
    Backward    dμ = dy μ ;  dv = ½ dy (eᵛ − 1)
    References  Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014, appendix B

    Example
        >>> GaussianDivergence()
        GaussianDivergence()
    """

    arity = 2
    role = "join"

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        mean, log_variance = xs
        if mean.shape != log_variance.shape:
            raise ParameterError(
                f"GaussianDivergence: mean {mean.shape} and log-variance {log_variance.shape} must be alike."
            )
        flat = (mean.shape[0], prod(mean.shape[1:]))
        grown = k.expm1(log_variance)
        each = k.subtract(k.add(k.square(mean), grown), log_variance)
        total = k.multiply(k.sum(k.reshape(each, flat), axis=1, keepdims=True), 0.5)
        return total, Saved(mean=mean, grown=grown)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, Value]:
        dy = k.reshape(dy, (dy.shape[0], *(1,) * (saved.mean.ndim - 1)))
        return k.multiply(saved.mean, dy), k.multiply(k.multiply(saved.grown, dy), 0.5)
