"""Cross-entropy of classes that exclude each other."""

from __future__ import annotations

import numpy as np

from ..constraints import Interval, Maybe
from ..errors import ShapeError
from ._classes import _OfClasses, for_each_class
from ._cross_entropy import _CrossEntropy
from .base import Array, Builder, Saved, Value
from .numeric import SMALLEST_NORMAL, softmax


class SoftmaxCrossEntropy(_CrossEntropy, _OfClasses):
    """Cross-entropy of softmax(z) against classes, from logits: ``ℓ = log Σₖ exp(zₖ) − Σₖ tₖ zₖ``, in nats.

    The softmax itself is never formed for the loss, so logits of ±1e4 are exact.

    Parameters  label_smoothing : s in [0, 1) = 0 ; the target becomes (1 − s) t + s / K
                from_probabilities : bool = False ; z is the distribution p itself and ℓ = −Σₖ tₖ log pₖ. p is then cut
                below at 2⁻¹²⁶, the smallest normal float32, so −log p is at most 87.3; it is not made to sum to 1.
                ignore_label : int or None = None ; entries of this label (pixels of no class, nodes without a label) have no
                part in J, which becomes the mean over all others
    Shapes      z (N, ..., K) ; y (N, ...) int class indices, or (N, ..., K) float distributions ; ℓ (N, ...)
    Backward    dz = dℓ ⊙ (softmax(z) − t) ; from probabilities dp = −dℓ ⊙ t / p, and 0 where p was cut
    Raises      ParameterError when label_smoothing is outside [0, 1) ; ShapeError when z has no class axis ;
                DataError for class indices outside 0 .. K − 1 and for rows that are no distribution
    References  label smoothing: Szegedy et al., Rethinking the inception architecture, CVPR 2016

    Example
        >>> SoftmaxCrossEntropy(label_smoothing=0.1)
        SoftmaxCrossEntropy(label_smoothing=0.1)
    """

    name = "softmax_cross_entropy"
    reduction = "mean"
    hyperparameters = {
        "ignore_label": Maybe(Interval(int)),
    }

    def __init__(self, *, label_smoothing: float = 0.0, from_probabilities: bool = False, ignore_label: int | None = None):
        self.label_smoothing, self.from_probabilities = label_smoothing, from_probabilities
        self.ignore_label = ignore_label

    def prediction(self, z: Array) -> Array:
        return z if self.from_probabilities else softmax(z)

    def own_activation(self, outputs: int) -> str | None:
        return None if self.from_probabilities else "softmax"

    def of_best_constant(self, y: Array, outputs: int) -> float:
        """The entropy of the mean distribution."""
        if y.dtype.kind == "f" and y.ndim > 1 and y.shape[-1] == outputs:
            p = y.reshape(-1, outputs).mean(axis=0, dtype=np.float64)
        else:
            p = np.zeros(outputs)
            labels, counts = np.unique(y, return_counts=True)
            p[: len(labels)] = counts / y.size
        p = p * (1 - self.label_smoothing) + self.label_smoothing / outputs
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        if z.ndim < 2:
            raise ShapeError(f"SoftmaxCrossEntropy: expected logits (N, K), got {z.shape}.")
        if not self.from_probabilities:
            loss, dz = k.softmax_cross_entropy(z, y, label_smoothing=self.label_smoothing)
            return loss, Saved(dz=dz)
        classes = z.shape[-1]
        t = k.one_hot(y, classes) if y.dtype == "int" else y
        if self.label_smoothing:
            t = k.add(k.multiply(t, 1 - self.label_smoothing), self.label_smoothing / classes)
        p = k.maximum(z, SMALLEST_NORMAL)
        loss = k.negative(k.sum(k.multiply(t, k.log(p)), axis=-1))
        return loss, Saved(dz=k.negative(k.multiply(k.equal(p, z), k.divide(t, p))))

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(saved.dz, for_each_class(k, dl))
