"""The hinge loss of classes that exclude each other."""

from __future__ import annotations

from ..errors import ShapeError
from ..ops.value import Shape
from ._classes import _OfClasses
from .base import Builder, Saved, Value

#: Stands for minus infinity in float32: below every score that a network gives.
_LOWEST = -(2.0 - 2.0**-23) * 2.0**127


class MultiClassHinge(_OfClasses):
    """Multi-class hinge loss ``ℓ = max(0, 1 + max_{j ≠ y} zⱼ − z_y)``.

    The right class must lead every other one by at least 1 (Crammer and Singer; scikit-learn's ``hinge_loss`` and Keras'
    ``categorical_hinge`` are the same).

    Shapes      z (N, ..., K) with K >= 2 ; y (N, ...) int class indices ; ℓ (N, ...)
    Backward    dz = dℓ [ℓ > 0] ⊙ (onehot(strongest other class) − onehot(y))
    Raises      ShapeError when there are fewer than 2 classes ; DataError for class indices outside 0 .. K − 1
    References  Crammer and Singer, On the algorithmic implementation of multiclass kernel-based vector machines,
                Journal of Machine Learning Research 2, 2001

    Example
        >>> MultiClassHinge()
        MultiClassHinge()
    """

    name = "multi_class_hinge"
    reads_logits = True

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        return [(output_shape[:-1], "int")]

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if z.ndim < 2 or z.shape[-1] < 2:
            raise ShapeError(f"MultiClassHinge: expected scores (N, K) of at least 2 classes, got {z.shape}.")
        right = k.one_hot(y, z.shape[-1])
        others = k.where_(right, _LOWEST, z)
        short = k.add(k.subtract(k.max(others, axis=-1), k.sum(k.multiply(right, z), axis=-1)), 1.0)
        return k.relu(short), Saved(short=short, right=right, others=others)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        strongest = k.one_hot(k.argmax(saved.others), saved.right.shape[-1])
        scale = k.multiply(k.greater(saved.short, 0.0), dl)
        return k.multiply(k.subtract(strongest, saved.right), k.reshape(scale, (*scale.shape, 1)))
