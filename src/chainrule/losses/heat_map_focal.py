"""The focal loss of heat maps, whose peaks are the places of objects."""

from __future__ import annotations

from ..constraints import Interval
from ..errors import ShapeError
from .base import Array, Builder, Loss, Saved, Value
from .numeric import SMALLEST_NORMAL, sigmoid


class HeatMapFocal(Loss):
    """Focal loss of a heat map with peaks of 1, with h = σ(z) and n = max(1, the number of places where y = 1):

        ℓ = (1 / n) Σ [y = 1] (1 − h)^γ (−log h) + [y < 1] (1 − y)^β h^γ (−log(1 − h))

    summed over all places and classes of a sample, in nats. A place beside a peak is an error that counts less, the nearer
    it is to the peak, because a box from there would be nearly right. All is computed from logits, and nothing overflows.

    Parameters  gamma γ : >= 0 = 2, how fast terms fade where the answer is right ; beta β : >= 0 = 4, how fast they fade
                towards a peak
    Shapes      z, y (N, ..., K) ; y in [0, 1] ; ℓ (N,)
    Backward    dz = dℓ / n ⊙ (−[y = 1] (1 − h)^γ (1 − h − γ h log h) + [y < 1] (1 − y)^β h^γ (h − γ (1 − h) log(1 − h)))
    Raises      ParameterError when gamma or beta is out of its range ; DataError for targets outside [0, 1] ;
                ShapeError when z has no axis of classes
    References  Law and Deng, CornerNet: detecting objects as paired keypoints, ECCV 2018; Zhou, Wang and Krähenbühl, Objects
                as points, 2019

    Example
        >>> HeatMapFocal(beta=2.0)
        HeatMapFocal(beta=2.0)
    """

    name = "heat_map_focal"
    probabilities = True
    reads_logits = True
    hyperparameters = {"gamma": Interval(float, 0), "beta": Interval(float, 0)}

    def __init__(self, gamma: float = 2.0, *, beta: float = 4.0):
        self.gamma, self.beta = gamma, beta

    @property
    def threshold(self) -> float:
        return 0.0

    def own_activation(self, outputs: int) -> str:
        return "sigmoid"

    def prediction(self, z: Array) -> Array:
        return sigmoid(z)

    def validate_targets(self, y: Array, output_shape: tuple[int, ...]) -> None:
        self.target_form(y, output_shape)
        self._require((y >= 0) & (y <= 1), y, "between 0 and 1", "A heat map is 1 at the places of objects and falls to 0.")

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        if z.ndim < 2:
            raise ShapeError(f"HeatMapFocal: expected logits (N, ..., K), got {z.shape}.")
        gamma, beta, places = float(self.gamma), float(self.beta), tuple(range(1, z.ndim))
        peak = k.greater_equal(y, 1.0)
        yes_cost, no_cost = k.softplus(k.negative(z)), k.softplus(z)  # −log h, −log(1 − h)
        yes, no = peak, k.subtract(1.0, peak)
        if beta:
            no = k.multiply(no, k.exp(k.multiply(k.log(k.maximum(k.subtract(1.0, y), SMALLEST_NORMAL)), beta)))
        if gamma:
            yes = k.multiply(yes, k.exp(k.multiply(no_cost, -gamma)))
            no = k.multiply(no, k.exp(k.multiply(yes_cost, -gamma)))
        share = k.divide(1.0, k.maximum(k.sum(peak, axis=places), 1.0))
        total = k.sum(k.add(k.multiply(yes, yes_cost), k.multiply(no, no_cost)), axis=places)
        saved = Saved(z=z, yes=yes, no=no, yes_cost=yes_cost, no_cost=no_cost, share=share)
        return k.multiply(total, share), saved

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        gamma, z = float(self.gamma), saved.z
        h, rest = k.sigmoid(z), k.sigmoid(k.negative(z))
        falling, rising = rest, h
        if gamma:
            falling = k.add(rest, k.multiply(k.multiply(h, saved.yes_cost), gamma))
            rising = k.add(h, k.multiply(k.multiply(rest, saved.no_cost), gamma))
        slope = k.subtract(k.multiply(saved.no, rising), k.multiply(saved.yes, falling))
        each = k.multiply(saved.share, dl)
        return k.multiply(slope, k.reshape(each, (z.shape[0], *(1,) * (z.ndim - 1))))
