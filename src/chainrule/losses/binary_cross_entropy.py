"""Cross-entropy of yes-or-no outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..constraints import POSITIVE, OneOrMore
from ..errors import ShapeError
from ..ops.value import Shape
from ._cross_entropy import _CrossEntropy
from .base import Array, Builder, ElementwiseLoss, Saved, Value
from .numeric import LARGEST_BELOW_ONE, SMALLEST_NORMAL, sigmoid


class BinaryCrossEntropy(_CrossEntropy, ElementwiseLoss):
    """The logistic loss ``ℓ = −w y log h − (1 − y) log(1 − h)`` with h = σ(z), over any number of outputs, in nats.

    Summed over the outputs of a sample: J = −1/m Σ w y log h + (1 − y) log(1 − h); of pictures and sequences the mean over
    the pixels or steps. From logits it is computed as
    ℓ = max(z, 0) − y z + log(1 + exp(−|z|)) (w = 1): no h is formed and nothing cancels, so logits of ±1e4 are exact and so
    are the small losses of sure and right outputs.

    Parameters  label_smoothing : s in [0, 1) = 0 ; the target becomes (1 − s) y + s / 2
                from_probabilities : bool = False ; z is h itself. h is then cut to [2⁻¹²⁶, 1 − 2⁻²⁴], the smallest normal
                float32 and the largest below 1, so ℓ is at most 87.3 (y = 1) or 16.6 (y = 0). Logits need no such cut.
                pos_weight : w > 0 = 1, what a "yes" counts beside a "no", or one for each output (the last axis): the number
                of "no" over that of "yes" makes both count the same
    Shapes      z, y, ℓ (N, ...) ; y in [0, 1], may lack a last axis of size 1
    Backward    with c = 1 + (w − 1) y:  dz = (c σ(z) − w y) ⊙ dℓ ; from probabilities dh = (c h − w y) / (h (1 − h)) ⊙ dℓ,
                and 0 where h was cut
    Raises      ParameterError when label_smoothing is outside [0, 1) or a weight is not positive ; ShapeError when there are
                not as many weights as outputs ; DataError for targets outside [0, 1]

    Example
        >>> BinaryCrossEntropy(label_smoothing=0.1)
        BinaryCrossEntropy(label_smoothing=0.1)
    """

    name = "binary_cross_entropy"
    reduction = "sum"
    hyperparameters = {
        "pos_weight": OneOrMore(POSITIVE),
    }

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        from_probabilities: bool = False,
        pos_weight: float | Sequence[float] = 1.0,
    ):
        self.label_smoothing, self.from_probabilities = label_smoothing, from_probabilities
        self.pos_weight = pos_weight

    @property
    def threshold(self) -> float:
        return 0.5 if self.from_probabilities else 0.0

    def _weights(self) -> list[float]:
        """One weight, or one for each output."""
        several = isinstance(self.pos_weight, Iterable) and not isinstance(self.pos_weight, str)
        return list(self.pos_weight) if several else [self.pos_weight]  # type: ignore[arg-type, list-item]

    def _weighted(self, k: Builder, y: Value) -> Value:
        """w y"""
        weights = [float(w) for w in self._weights()]
        if len(weights) == 1:
            return y if weights[0] == 1 else k.multiply(y, weights[0])
        if y.ndim < 2 or y.shape[-1] != len(weights):
            raise ShapeError(f"BinaryCrossEntropy: {len(weights)} weights of pos_weight do not fit outputs of {y.shape}.")
        axis = y.ndim - 1
        return k.concat([k.multiply(k.slice(y, axis, i, i + 1), w) for i, w in enumerate(weights)], axis=axis)

    def prediction(self, z: Array) -> Array:
        return z if self.from_probabilities else sigmoid(z)

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        cure = "Encode no and yes as 0 and 1."
        self._require((y >= 0) & (y <= 1), y, "between 0 and 1", cure)

    def own_activation(self, outputs: int) -> str | None:
        return None if self.from_probabilities else "sigmoid"

    def of_best_constant(self, y: Array, outputs: int) -> float:
        """With p the share of yes of an output, h = w p / (w p + 1 − p) is best."""
        p = y.reshape(len(y), -1).astype(np.float64).mean(axis=0) * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        p = np.clip(p, 1e-12, 1 - 1e-12).reshape(-1, outputs)
        yes = p * np.asarray(self._weights(), np.float64)
        h = yes / (yes + 1 - p)
        return float(-(yes * np.log(h) + (1 - p) * np.log(1 - h)).sum(axis=-1).mean())

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if self.label_smoothing:
            y = k.add(k.multiply(y, 1 - self.label_smoothing), 0.5 * self.label_smoothing)
        if self.from_probabilities:
            h = k.minimum(k.maximum(z, SMALLEST_NORMAL), LARGEST_BELOW_ONE)
            weighted = self._weighted(k, y)
            yes = k.multiply(weighted, k.log(h))
            no = k.multiply(k.subtract(1.0, y), k.log1p(k.negative(h)))
            return k.negative(k.add(yes, no)), Saved(z=z, y=y, weighted=weighted, h=h)
        weighted = self._weighted(k, y)
        if weighted is y:
            linear = k.subtract(k.relu(z), k.multiply(y, z))
            return k.add(linear, k.softplus(k.negative(k.absolute(z)))), Saved(z=z, y=y, weighted=y)
        # −log h = log(1 + e⁻ᶻ) and −log(1 − h) = log(1 + eᶻ) are both without overflow.
        yes, no = k.multiply(weighted, k.softplus(k.negative(z))), k.multiply(k.subtract(1.0, y), k.softplus(z))
        return k.add(yes, no), Saved(z=z, y=y, weighted=weighted)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        y, weighted = saved.y, saved.weighted

        def difference(h: Value) -> Value:
            """c h − w y"""
            return k.subtract(h if weighted is y else k.multiply(h, k.add(k.subtract(weighted, y), 1.0)), weighted)

        if not self.from_probabilities:
            return difference(k.sigmoid(saved.z))
        h = saved.h
        inside = k.equal(h, saved.z)
        # (c h − w y) / (h (1 − h)) in two divisions: their product can be below the smallest normal number.
        slope = k.divide(k.divide(difference(h), k.subtract(1.0, h)), h)
        return k.multiply(inside, slope)
