"""The logarithm of the softmax function."""

from __future__ import annotations

from .base import Activation, Builder, Curve, Saved, ShapeError, Value


class LogSoftmax(Activation):
    """Logarithm of the softmax over the last axis ``aₖ = zₖ − log Σⱼ exp(zⱼ)``, in nats; never log(softmax(z)).

    Shapes      z, a (N, ..., K)
    Backward    dz = da − eᵃ Σₖ daₖ
    Raises      ShapeError when z has no class axis

    Example
        >>> LogSoftmax()
        LogSoftmax()
    """

    role = "softmax"
    probabilities = "log"
    activation_name = "log_softmax"

    def curve(self) -> Curve:
        return Curve(high=0.0)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        if xs[0].ndim < 2:
            raise ShapeError(f"LogSoftmax: expected input (N, ..., K), got {xs[0].shape}; there are no classes to sum over.")
        a = k.log_softmax(xs[0])
        return a, Saved(a=a)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.subtract(dy, k.multiply(k.exp(saved.a), k.sum(dy, axis=-1, keepdims=True)))
