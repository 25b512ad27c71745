"""The Dice loss: how little a predicted region and the true one overlap."""

from __future__ import annotations

from ..errors import ParameterError, ShapeError
from ..ops.value import Shape
from ..registry import finite_number
from .base import Array, Builder, Loss, Saved, Value
from .numeric import SMALLEST_NORMAL, sigmoid, softmax


class DiceLoss(Loss):
    """Soft Dice loss of a region, from logits: ``ℓ = 1 − (2 Σ p t + s) / (Σ p + Σ t + s)``, summed over the pixels of a
    sample.

    p is the probability of a pixel: σ(z) of a single output, else softmax(z) over K classes, and then ℓ is the mean over the
    classes. It measures overlap, so a small region counts as much as a large one, where the mean over pixels of a
    cross-entropy is nearly all background. Its gradient is weak far from the target: ``SumLoss([BinaryCrossEntropy(),
    DiceLoss()])`` learns faster.

    Parameters  smooth : s >= 0 = 1, in pixels; keeps a sample without the region from 0 / 0. With s = 0 and neither
                region nor prediction ℓ is 1
    Shapes      z (N, ..., 1) ; y (N, ..., 1) or (N, ...) in [0, 1], or z (N, ..., K) ; y (N, ...) int class indices or
                (N, ..., K) float distributions ; ℓ (N,)
    Backward    with I = Σ p t and U = Σ p + Σ t + s:  dp = −(2 t − (2 I + s) / U) / U ;  dz = dp ⊙ p (1 − p), or
                dz = p ⊙ (dp − Σₖ p dp) of K classes
    Raises      ShapeError when z has no class axis ; DataError for targets that mean nothing ;
                ParameterError when smooth is below 0
    References  Milletari, Navab and Ahmadi, V-Net: fully convolutional neural networks for volumetric medical image
                segmentation, 3DV 2016

    Example
        >>> DiceLoss(smooth=0.5)
        DiceLoss(smooth=0.5)
    """

    name = "dice"
    probabilities = True

    def __init__(self, *, smooth: float = 1.0):
        self.smooth = smooth

    def validate(self) -> None:
        if not finite_number(self.smooth) or self.smooth < 0:
            raise ParameterError(f"DiceLoss: smooth must be a number of at least 0. Got {self.smooth!r}.")

    @property
    def threshold(self) -> float | None:
        return None

    def prediction(self, z: Array) -> Array:
        return sigmoid(z) if z.shape[-1] == 1 else softmax(z)

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        if output_shape[-1] == 1:
            return [(output_shape, "float"), (output_shape[:-1], "float")]
        return [(output_shape[:-1], "int"), (output_shape, "float")]

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        form = self.target_form(y, output_shape)
        if output_shape[-1] == 1:
            self._require((y >= 0) & (y <= 1), y, "in [0, 1]: 1 where a pixel is of the region", "Give y > 0 for a mask.")
        elif form == 0:
            self._require_classes(y, output_shape[-1])
        else:
            self._require_distributions(y)

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        if z.ndim < 2:
            raise ShapeError(f"DiceLoss: expected logits (N, ..., K) of the pixels of a region, got {z.shape}.")
        classes, places, s = z.shape[-1], tuple(range(1, z.ndim - 1)), float(self.smooth)
        t = k.one_hot(y, classes) if y.dtype == "int" else k.reshape(y, z.shape)
        p = k.sigmoid(z) if classes == 1 else k.softmax(z)

        def over_places(x: Value) -> Value:
            return k.sum(x, axis=places, keepdims=True) if places else x

        top = k.add(k.multiply(over_places(k.multiply(p, t)), 2.0), s)
        # With nothing to divide by top is 0 as well, and so is the quotient.
        bottom = k.maximum(k.add(k.add(over_places(p), over_places(t)), s), SMALLEST_NORMAL)
        quotient = k.divide(top, bottom)
        overlap = k.multiply(k.sum(quotient, axis=tuple(range(1, z.ndim))), 1 / classes)
        return k.subtract(1.0, overlap), Saved(p=p, t=t, bottom=bottom, quotient=quotient)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        p, classes = saved.p, saved.p.shape[-1]
        each = k.multiply(k.reshape(dl, (dl.shape[0], *(1,) * (p.ndim - 1))) if dl.shape else dl, -1 / classes)
        slope = k.divide(k.subtract(k.multiply(saved.t, 2.0), saved.quotient), saved.bottom)
        if classes == 1:
            dz = k.multiply(slope, k.multiply(p, k.subtract(1.0, p)))
        else:
            dz = k.multiply(p, k.subtract(slope, k.sum(k.multiply(p, slope), axis=-1, keepdims=True)))
        return k.multiply(dz, each)
