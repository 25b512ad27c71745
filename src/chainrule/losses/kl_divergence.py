"""The Kullback-Leibler divergence between distributions."""

from __future__ import annotations

from ..errors import ShapeError
from ..ops.value import Shape
from ._classes import _OfClasses, for_each_class
from .base import Array, Builder, Saved, Value
from .numeric import SMALLEST_NORMAL, softmax


class KLDivergence(_OfClasses):
    """Divergence of softmax(z) from a distribution t: ``ℓ = Σₖ tₖ (log tₖ − log softmax(z)ₖ)``, in nats, with 0 log 0 = 0.

    It is the cross-entropy less the entropy of t, so its gradient is the cross-entropy's and its smallest value is 0. From
    logits by log-sum-exp: logits of ±1e4 are exact.

    Shapes      z (N, ..., K) ; y = t (N, ..., K), rows >= 0 with sum 1 ; ℓ (N, ...)
    Backward    dz = dℓ ⊙ (softmax(z) − t)
    Raises      ShapeError when z has no class axis ; DataError for rows that are no distribution
    References  Kullback and Leibler, On information and sufficiency, Annals of Mathematical Statistics 22, 1951

    Example
        >>> KLDivergence()
        KLDivergence()
    """

    name = "kl_divergence"
    reads_logits = True
    probabilities = True

    def prediction(self, z: Array) -> Array:
        return softmax(z)

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        return [(output_shape, "float")]

    def own_activation(self, outputs: int) -> str:
        return "softmax"

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if z.ndim < 2:
            raise ShapeError(f"KLDivergence: expected logits (N, K), got {z.shape}.")
        cross_entropy, dz = k.softmax_cross_entropy(z, y)
        # 0 log 0 = 0 because the logarithm of what replaces 0 is finite.
        negentropy = k.sum(k.multiply(y, k.log(k.maximum(y, SMALLEST_NORMAL))), axis=-1)
        return k.add(cross_entropy, negentropy), Saved(dz=dz)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(saved.dz, for_each_class(k, dl))
