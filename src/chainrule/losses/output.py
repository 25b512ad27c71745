"""A loss that is the network's output itself."""

from __future__ import annotations

from ..ops.value import Shape
from .base import Array, Builder, ElementwiseLoss, Saved, Value


class OutputLoss(ElementwiseLoss):
    """``ℓ = z``: what the network puts out is what is minimised, as a mean over the outputs of a sample.

    So a term of the objective can be written with layers: a divergence, a penalty, the score of a critic. With a negative
    factor (``loss_weights``) the output is maximised. There is nothing to compare with, so targets are not read; where a fit
    asks for some, any numbers of the output's shape will do.

    Shapes      z, ℓ (N, ...) ; y is not read
    Backward    dz = dℓ

    Example
        >>> OutputLoss()
        OutputLoss()
    """

    name = "output"
    needs_target = False

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)

    def forward(self, k: Builder, z: Value, y: Value | None) -> tuple[Value, Saved]:
        return k.copy(z), Saved(z=z)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(k.equal(saved.z, saved.z), dl)  # dl, in the shape of z
