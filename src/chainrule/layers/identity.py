"""The layer that does nothing."""

from __future__ import annotations

from .base import Activation, Builder, Layer, Saved, Value


class Identity(Layer):
    """Identity ``a = z``: stands where a layer is asked for and none is wanted. It costs nothing.

    Known to `get_activation` as "identity". It is no `Activation` itself: what comes after it decides how the weights in
    front of it start.

    Shapes      z, a : any
    Backward    dz = da

    Example
        >>> Identity()
        Identity()
    """

    role = "reshaping"
    stepwise = True

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return xs[0], Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


Activation.by_name["identity"] = Identity
