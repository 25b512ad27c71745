"""What the losses that measure the overlap of two regions have in common."""

from __future__ import annotations

from ..errors import ShapeError
from ..ops.value import Shape
from ._classes import _OfClasses
from .base import Array, Builder, Saved, Value
from .numeric import SMALLEST_NORMAL, sigmoid, softmax


class _Overlap(_OfClasses):
    """Base of losses ``ℓ = 1 − (a I + s) / (b I + c P + d T + s)`` with I = Σ p t, P = Σ p, T = Σ t over the pixels of a
    sample; a subclass states (a, b, c, d) and s as ``smooth``.

    p is the probability of a pixel: σ(z) of a single output, else softmax(z) over K classes, and then ℓ is the mean over the
    classes.
    """

    probabilities = True
    reads_logits = True
    smooth: float

    def coefficients(self) -> tuple[float, float, float, float]:
        """(a, b, c, d)"""
        raise NotImplementedError

    def prediction(self, z: Array) -> Array:
        return sigmoid(z) if z.shape[-1] == 1 else softmax(z)

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        if output_shape[-1] == 1:
            return [(output_shape, "float"), (output_shape[:-1], "float")]
        return super().target(output_shape)

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        if output_shape[-1] > 1:
            super().validate_targets(y, output_shape)
            return
        self.target_form(y, output_shape)
        self._require((y >= 0) & (y <= 1), y, "in [0, 1]: 1 where a pixel is of the region", "Give y > 0 for a mask.")

    def own_activation(self, outputs: int) -> str:
        return "sigmoid" if outputs == 1 else "softmax"

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        if z.ndim < 2:
            name = type(self).__name__
            raise ShapeError(f"{name}: expected logits (N, ..., K) of the pixels of a region, got {z.shape}.")
        classes, places, s = z.shape[-1], tuple(range(1, z.ndim - 1)), float(self.smooth)
        a, b, c, d = self.coefficients()
        t = k.one_hot(y, classes) if y.dtype == "int" else k.reshape(y, z.shape)
        p = k.sigmoid(z) if classes == 1 else k.softmax(z)

        def over_places(x: Value, factor: float) -> Value:
            total = k.sum(x, axis=places, keepdims=True) if places else x
            return total if factor == 1 else k.multiply(total, factor)

        both = k.multiply(p, t)
        top = k.add(over_places(both, a), s)
        bottom = k.add(k.add(over_places(p, c), over_places(t, d)), s)
        if b:
            bottom = k.add(bottom, over_places(both, b))
        # Where there is nothing to divide by, top is 0 as well, and so is the quotient.
        bottom = k.maximum(bottom, SMALLEST_NORMAL)
        quotient = k.divide(top, bottom)
        overlap = k.multiply(k.sum(quotient, axis=tuple(range(1, z.ndim))), 1 / classes)
        return k.subtract(1.0, overlap), Saved(p=p, t=t, bottom=bottom, quotient=quotient)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        p, classes = saved.p, saved.p.shape[-1]
        a, b, c, _ = self.coefficients()
        each = k.multiply(k.reshape(dl, (dl.shape[0], *(1,) * (p.ndim - 1))) if dl.shape else dl, -1 / classes)
        # −dℓ/dp = (a t − q (b t + c)) / U for the quotient q of bottom U
        below = k.multiply(saved.quotient, c)
        if b:
            below = k.multiply(saved.quotient, k.add(k.multiply(saved.t, b), c))
        slope = k.divide(k.subtract(k.multiply(saved.t, a), below), saved.bottom)
        if classes == 1:
            dz = k.multiply(slope, k.multiply(p, k.subtract(1.0, p)))
        else:
            dz = k.multiply(p, k.subtract(slope, k.sum(k.multiply(p, slope), axis=-1, keepdims=True)))
        return k.multiply(dz, each)
