"""The focal loss of classes that exclude each other."""

from __future__ import annotations

from ..constraints import Interval
from ..errors import ShapeError
from ._classes import _OfClasses, for_each_class
from .base import Array, Builder, Saved, Value
from .numeric import SMALLEST_NORMAL, softmax


class SoftmaxFocal(_OfClasses):
    """Focal loss of softmax(z) against classes, from logits: ``ℓ = −Σₖ tₖ (1 − pₖ)^γ log pₖ`` with p = softmax(z), in nats.

    A cross-entropy whose terms fade where the answer is right already, so that a few hard samples are not drowned by many
    easy ones. The weight of a class (α in the paper) is ``class_weight`` of fit. 1 − p is taken as −(e^(log p) − 1), which
    keeps its digits where p is nearly 1.

    Parameters  gamma γ : >= 0 = 2, how fast terms fade; 0 is the cross-entropy
    Shapes      z (N, ..., K) ; y (N, ...) int class indices, or (N, ..., K) float distributions ; ℓ (N, ...)
    Backward    with g = −t ⊙ ((1 − p)^γ − γ p (1 − p)^(γ − 1) log p):  dz = dℓ ⊙ (g − p Σₖ gₖ)
    Raises      ParameterError when gamma is below 0 ; ShapeError when z has no class axis ;
                DataError for class indices outside 0 .. K − 1 and for rows that are no distribution
    References  Lin, Goyal, Girshick, He and Dollár, Focal loss for dense object detection, ICCV 2017

    Example
        >>> SoftmaxFocal(1.5)
        SoftmaxFocal(1.5)
    """

    name = "softmax_focal"
    reads_logits = True
    probabilities = True
    hyperparameters = {"gamma": Interval(float, 0)}

    def __init__(self, gamma: float = 2.0):
        self.gamma = gamma

    def prediction(self, z: Array) -> Array:
        return softmax(z)

    def own_activation(self, outputs: int) -> str:
        return "softmax"

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        if z.ndim < 2:
            raise ShapeError(f"SoftmaxFocal: expected logits (N, K), got {z.shape}.")
        gamma = float(self.gamma)
        t = k.one_hot(y, z.shape[-1]) if y.dtype == "int" else y
        log_p = k.log_softmax(z)
        p = k.softmax(z)
        fading: Value | float = 1.0
        slope: Value | float = 0.0
        if gamma:
            rest = k.maximum(k.negative(k.expm1(log_p)), SMALLEST_NORMAL)  # 1 − p
            fading = k.exp(k.multiply(k.log(rest), gamma))
            slope = k.multiply(k.divide(k.multiply(fading, p), rest), gamma)  # γ p (1 − p)^(γ − 1)
        loss = k.negative(k.sum(k.multiply(k.multiply(t, fading), log_p), axis=-1))
        return loss, Saved(p=p, g=k.multiply(t, k.subtract(k.multiply(log_p, slope), fading)))

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        dz = k.subtract(saved.g, k.multiply(saved.p, k.sum(saved.g, axis=-1, keepdims=True)))
        return k.multiply(dz, for_each_class(k, dl))
