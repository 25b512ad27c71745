"""The focal loss of yes-or-no outputs."""

from __future__ import annotations

from ..constraints import Interval, Maybe
from ..ops.value import Shape
from .base import Array, Builder, ElementwiseLoss, Saved, Value
from .numeric import sigmoid


class BinaryFocal(ElementwiseLoss):
    """Focal loss ``ℓ = −α y (1 − h)^γ log h − (1 − α) (1 − y) h^γ log(1 − h)`` with h = σ(z), in nats.

    A cross-entropy whose terms fade where the answer is right already: at h = 0.9 and γ = 2 a "yes" costs a hundredth. So a
    few hard answers are not drowned by many easy ones, such as the background of pictures. It is summed over the outputs of
    a sample, and of pictures and sequences the mean over the pixels or steps is taken. From logits it is computed with
    −log h = log(1 + e⁻ᶻ) and (1 − h)^γ = exp(−γ log(1 + eᶻ)), so that nothing overflows or cancels.

    Parameters  gamma γ : >= 0 = 2, how fast terms fade; 0 is the cross-entropy ; alpha α : in [0, 1] or None, the weight of
                "yes" beside that of "no"; None is a weight of 1 for both
    Shapes      z, y, ℓ (N, ...) ; y in [0, 1], may lack a last axis of size 1
    Backward    dz = dℓ ⊙ (α y (1 − h)^γ (γ h log h − (1 − h)) − (1 − α) (1 − y) h^γ (γ (1 − h) log(1 − h) − h))
    Raises      ParameterError when gamma or alpha is out of its range ; DataError for targets outside [0, 1]
    References  Lin, Goyal, Girshick, He and Dollár, Focal loss for dense object detection, ICCV 2017

    Example
        >>> BinaryFocal(2.0, alpha=0.25)
        BinaryFocal(alpha=0.25)
    """

    name = "binary_focal"
    reduction = "sum"
    probabilities = True
    reads_logits = True
    hyperparameters = {
        "gamma": Interval(float, 0),
        "alpha": Maybe(Interval(float, 0, 1, closed="both")),
    }

    def __init__(self, gamma: float = 2.0, *, alpha: float | None = None):
        self.gamma, self.alpha = gamma, alpha

    @property
    def threshold(self) -> float:
        return 0.0

    def own_activation(self, outputs: int) -> str:
        return "sigmoid"

    def prediction(self, z: Array) -> Array:
        return sigmoid(z)

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        self._require((y >= 0) & (y <= 1), y, "between 0 and 1", "Encode no and yes as 0 and 1.")

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        gamma = float(self.gamma)
        yes_cost, no_cost = k.softplus(k.negative(z)), k.softplus(z)  # −log h, −log(1 − h)
        yes, no = y, k.subtract(1.0, y)
        if self.alpha is not None:
            yes, no = k.multiply(yes, float(self.alpha)), k.multiply(no, 1 - float(self.alpha))
        if gamma:
            yes = k.multiply(yes, k.exp(k.multiply(no_cost, -gamma)))
            no = k.multiply(no, k.exp(k.multiply(yes_cost, -gamma)))
        loss = k.add(k.multiply(yes, yes_cost), k.multiply(no, no_cost))
        return loss, Saved(z=z, yes=yes, no=no, yes_cost=yes_cost, no_cost=no_cost)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        gamma = float(self.gamma)
        h, rest = k.sigmoid(saved.z), k.sigmoid(k.negative(saved.z))
        falling, rising = rest, h
        if gamma:
            falling = k.add(rest, k.multiply(k.multiply(h, saved.yes_cost), gamma))
            rising = k.add(h, k.multiply(k.multiply(rest, saved.no_cost), gamma))
        return k.subtract(k.multiply(saved.no, rising), k.multiply(saved.yes, falling))
