"""Cross-entropy of classes that exclude each other."""

from __future__ import annotations

from ..errors import ParameterError, ShapeError
from ..ops.value import Shape
from .base import Builder, Loss, Saved, Value


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax(z) against classes, from logits: ``ℓ = log Σₖ exp(zₖ) − Σₖ tₖ zₖ``, in nats.

    The softmax itself is never formed for the loss, so logits of ±1e4 are exact.

    Parameters  label_smoothing : s in [0, 1) = 0 ; the target becomes (1 − s) t + s / K
    Shapes      z (N, ..., K) ; y (N, ...) int class indices, or (N, ..., K) float distributions ; ℓ (N, ...)
    Backward    dz = dℓ ⊙ (softmax(z) − t)
    Raises      ParameterError when label_smoothing is outside [0, 1)
    References  label smoothing: Szegedy et al., Rethinking the inception architecture, CVPR 2016
    """

    name = "softmax_cross_entropy"

    def __init__(self, *, label_smoothing: float = 0.0):
        self.label_smoothing = label_smoothing

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        return [(output_shape[:-1], "int"), (output_shape, "float")]

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if not 0 <= self.label_smoothing < 1:
            raise ParameterError(f"SoftmaxCrossEntropy: label_smoothing must be in [0, 1). Got {self.label_smoothing!r}.")
        if z.ndim < 2:
            raise ShapeError(f"SoftmaxCrossEntropy: expected logits (N, K), got {z.shape}.")
        loss, dz = k.softmax_cross_entropy(z, y, label_smoothing=self.label_smoothing)
        return loss, Saved(dz=dz)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        if dl.shape:
            dl = k.reshape(dl, (*dl.shape, 1))
        return k.multiply(saved.dz, dl)
