"""Cross-entropy of yes-or-no outputs."""

from __future__ import annotations

from ..errors import ParameterError
from ..ops.value import Shape
from ..registry import finite_number
from .base import Array, Builder, ElementwiseLoss, Saved, Value
from .numeric import LARGEST_BELOW_ONE, SMALLEST_NORMAL, sigmoid


class BinaryCrossEntropy(ElementwiseLoss):
    """The logistic loss ``ℓ = −y log h − (1 − y) log(1 − h)`` with h = σ(z), over any number of outputs, in nats.

    Summed over the outputs of a sample: J = −1/m Σ y log h + (1 − y) log(1 − h); of pictures and sequences the mean over the
    pixels or steps. From logits it is computed as
    ℓ = max(z, 0) − y z + log(1 + exp(−|z|)): no h is formed and nothing cancels, so logits of ±1e4 are exact and so are
    the small losses of sure and right outputs.

    Parameters  label_smoothing : s in [0, 1) = 0 ; the target becomes (1 − s) y + s / 2
                from_probabilities : bool = False ; z is h itself. h is then cut to [2⁻¹²⁶, 1 − 2⁻²⁴], the smallest normal
                float32 and the largest below 1, so ℓ is at most 87.3 (y = 1) or 16.6 (y = 0). Logits need no such cut.
    Shapes      z, y, ℓ (N, ...) ; y in [0, 1], may lack a last axis of size 1
    Backward    dz = (σ(z) − y) ⊙ dℓ ; from probabilities dh = (h − y) / (h (1 − h)) ⊙ dℓ, and 0 where h was cut
    Raises      ParameterError when label_smoothing is outside [0, 1) ; DataError for targets outside [0, 1]

    Example
        >>> BinaryCrossEntropy(label_smoothing=0.1)
        BinaryCrossEntropy(label_smoothing=0.1)
    """

    name = "binary_cross_entropy"
    reduction = "sum"
    probabilities = True

    def __init__(self, *, label_smoothing: float = 0.0, from_probabilities: bool = False):
        self.label_smoothing, self.from_probabilities = label_smoothing, from_probabilities

    @property
    def threshold(self) -> float:
        return 0.5 if self.from_probabilities else 0.0

    def validate(self) -> None:
        if not finite_number(self.label_smoothing) or not 0 <= self.label_smoothing < 1:
            raise ParameterError(f"BinaryCrossEntropy: label_smoothing must be in [0, 1). Got {self.label_smoothing!r}.")

    @property
    def predicts_raw(self) -> bool:
        return self.from_probabilities

    def prediction(self, z: Array) -> Array:
        return z if self.from_probabilities else sigmoid(z)

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        cure = "Encode no and yes as 0 and 1."
        self._require((y >= 0) & (y <= 1), y, "between 0 and 1", cure)

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if self.label_smoothing:
            y = k.add(k.multiply(y, 1 - self.label_smoothing), 0.5 * self.label_smoothing)
        if self.from_probabilities:
            h = k.minimum(k.maximum(z, SMALLEST_NORMAL), LARGEST_BELOW_ONE)
            yes = k.multiply(y, k.log(h))
            no = k.multiply(k.subtract(1.0, y), k.log1p(k.negative(h)))
            return k.negative(k.add(yes, no)), Saved(z=z, y=y, h=h)
        linear = k.subtract(k.relu(z), k.multiply(y, z))
        return k.add(linear, k.softplus(k.negative(k.absolute(z)))), Saved(z=z, y=y)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        if not self.from_probabilities:
            return k.subtract(k.sigmoid(saved.z), saved.y)
        h = saved.h
        inside = k.equal(h, saved.z)
        # (h − y) / (h (1 − h)) in two divisions: their product can be below the smallest normal number.
        slope = k.divide(k.divide(k.subtract(h, saved.y), k.subtract(1.0, h)), h)
        return k.multiply(inside, slope)
