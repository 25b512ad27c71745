"""The hinge loss of yes-or-no outputs."""

from __future__ import annotations

from ..ops.value import Shape
from .base import Array, Builder, ElementwiseLoss, Saved, Value


class Hinge(ElementwiseLoss):
    """Hinge loss ``ℓ = max(0, 1 − y z)`` with y in {−1, +1}, summed over the outputs of a sample.

    The loss of a linear support vector machine, per output; with one output a class and +1 for the right one it is
    one-against-all. For classes that exclude each other see MultiClassHinge.

    Shapes      z, y, ℓ (N, ...) ; y may lack a last axis of size 1
    Backward    dz = −y [y z < 1] ⊙ dℓ
    Raises      DataError for targets other than −1 and +1
    References  Cortes and Vapnik, Support-vector networks, Machine Learning 20, 1995

    Example
        >>> Hinge()
        Hinge()
    """

    name = "hinge"
    reads_logits = True
    reduction = "sum"
    no_and_yes = (-1, 1)

    @property
    def threshold(self) -> float:
        return 0.0

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        self._require((y == 1) | (y == -1), y, "-1 or +1", "For labels 0 and 1 give 2 * y - 1.")

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        short = k.subtract(1.0, k.multiply(y, z))
        return k.relu(short), Saved(short=short, y=y)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.negative(k.multiply(saved.y, k.greater(saved.short, 0.0)))
