"""The sign as an activation, with a gradient that goes straight through."""

from __future__ import annotations

from ..constraints import Boolean, Interval
from .base import Activation, Builder, Saved, Value


class Sign(Activation):
    """Sign activation ``a = 1 where z ≥ 0, else −1``, for networks whose activations are one bit each.

    With ``stochastic=True`` a is drawn anew in training: it is 1 with probability σ̂(z) = min(max((z + 1) / 2, 0), 1); in
    prediction it is the sign. The derivative of the sign is 0 nearly everywhere, so the gradient goes straight through where
    ``|z| ≤ clip``, as if a were z there.

    Parameters  clip : number > 0 = 1 ; stochastic : bool = False
    Shapes      z, a : any
    Backward    dz = da ⊙ [|z| ≤ clip]    (the straight-through estimator, not the derivative)
    Raises      ParameterError when clip is not above 0
    References  Courbariaux, Hubara, Soudry, El-Yaniv, Bengio, Binarized neural networks, 2016

    Example
        >>> Sign()
        Sign()
    """

    activation_name = "sign"
    hyperparameters = {
        "clip": Interval(float, 0, closed="neither", hint="With 0 no gradient goes through."),
        "stochastic": Boolean(),
    }

    def __init__(self, *, clip: float = 1.0, stochastic: bool = False):
        self.clip, self.stochastic = clip, stochastic

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        if k.training and self.stochastic:
            p = k.minimum(k.maximum(k.multiply(k.add(z, 1.0), 0.5), 0.0), 1.0)
            return k.where_(k.greater(p, k.random_uniform(z.shape)), 1.0, -1.0), Saved(z=z)
        # The sign of NaN is NaN, so that a network that has diverged does not look healthy.
        return k.add(k.sign(z), k.equal(z, 0.0)), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.greater_equal(float(self.clip), k.absolute(saved.z))
