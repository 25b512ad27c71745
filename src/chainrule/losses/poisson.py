"""The loss of counts."""

from __future__ import annotations

import numpy as np

from ..constraints import Boolean
from ..ops.value import Shape
from .base import Array, Builder, ElementwiseLoss, Saved, Value
from .numeric import SMALLEST_NORMAL


class Poisson(ElementwiseLoss):
    """Negative log-likelihood of counts y under a Poisson law, from the log-rate: ``ℓ = exp(z) − y z``, in nats.

    Mean over the outputs of a sample. The term log y!, which no weight changes, is left out. A rate is a number like any
    other: exp(z) overflows in float32 above z = 88.7, and then the loss is infinite as it must be.

    Parameters  log_input : bool = True ; False: z is the rate r itself (after Softplus, say) and ℓ = r − y log r. r is then
                cut below at 2⁻¹²⁶, the smallest normal float32.
    Shapes      z, y, ℓ (N, ...) ; y >= 0, may lack a last axis of size 1
    Backward    dz = (exp(z) − y) ⊙ dℓ ; with log_input=False dr = (1 − y / r) ⊙ dℓ, and 0 where r was cut
    Raises      DataError for negative targets

    Example
        >>> Poisson(log_input=False)
        Poisson(log_input=False)
    """

    name = "poisson"
    kind = "counts"
    hyperparameters = {"log_input": Boolean()}

    def __init__(self, *, log_input: bool = True):
        self.log_input = log_input

    @property
    def reads_logits(self) -> bool:  # type: ignore[override]  # a class may state it, and instances compute it
        return self.log_input

    @property
    def predicts_raw(self) -> bool:
        return not self.log_input

    def own_activation(self, outputs: int) -> str | None:
        return "exp" if self.log_input else None

    def prediction(self, z: Array) -> Array:
        if not self.log_input:
            return z
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        super().validate_targets(y, output_shape)
        self._require(y >= 0, y, "counts of at least 0", "Use SquaredError or AbsoluteError for numbers of either sign.")

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if self.log_input:
            rate = k.exp(z)
            return k.subtract(rate, k.multiply(y, z)), Saved(rate=rate, y=y)
        rate = k.maximum(z, SMALLEST_NORMAL)
        return k.subtract(rate, k.multiply(y, k.log(rate))), Saved(rate=rate, y=y, z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        if self.log_input:
            return k.subtract(saved.rate, saved.y)
        return k.multiply(k.equal(saved.rate, saved.z), k.subtract(1.0, k.divide(saved.y, saved.rate)))
