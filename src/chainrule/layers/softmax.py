"""The softmax function."""

from __future__ import annotations

from .base import Activation, Builder, Curve, Saved, ShapeError, Value


class Softmax(Activation):
    """Softmax over the last axis ``aₖ = exp(zₖ) / Σⱼ exp(zⱼ)``, computed from z − max z, which cannot overflow.

    For training as a classifier leave it out: `SoftmaxCrossEntropy` takes the logits z and is exact.

    Shapes      z, a (N, ..., K)
    Backward    dz = a ⊙ (da − Σₖ daₖ aₖ)
    Raises      ShapeError when z has no class axis

    Example
        >>> Softmax()
        Softmax()
    """

    role = "softmax"
    probabilities = "exclusive"
    activation_name = "softmax"

    def curve(self) -> Curve:
        return Curve(low=0.0, high=1.0, steepest=0.25, saturates=True)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        if xs[0].ndim < 2:
            raise ShapeError(f"Softmax: expected input (N, ..., K), got {xs[0].shape}; there are no classes to sum over.")
        a = k.softmax(xs[0])
        return a, Saved(a=a)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.multiply(saved.a, k.subtract(dy, k.sum(k.multiply(dy, saved.a), axis=-1, keepdims=True)))
