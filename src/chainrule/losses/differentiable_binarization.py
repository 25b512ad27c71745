"""The loss of text detection by a map that is compared with a map of thresholds."""

from __future__ import annotations

from ..constraints import Interval
from ..errors import ShapeError
from ..ops.value import Shape
from .base import Array, Builder, Loss, Saved, Value
from .numeric import sigmoid

__all__ = ["DifferentiableBinarization"]


class DifferentiableBinarization(Loss):
    """Loss of a map p = σ(z₁) of text beside a map t = σ(z₂) of thresholds, and of their soft comparison b = σ(k (p − t)):

        ℓ = ℓˢ + α ℓᵇ + β ℓᵗ

    with y the true text, m the places that count, τ the true thresholds and u the places where these count, around the edges
    of texts. ℓˢ = Σ m w H(y, p) / max(1, Σ m w) is the cross-entropy in nats, with weights w of 1 where there is text and of
    min(1, 3 n¹ / n⁰) elsewhere, n¹ and n⁰ being the places with and without text. ℓᵇ is the Dice loss
    1 − (2 Σ m b y + 1) / (Σ m b + Σ m y + 1), and ℓᵗ = Σ u |t − τ| / max(1, Σ u). As the comparison is steep (k = 50), the
    network learns to make p clear where a threshold would decide, and small gaps between two texts stay open. In the paper
    the hardest of the places without text are chosen in place of a weight for all of them.

    Parameters  steepness k : > 0 = 50 ; binary α : >= 0 = 1 ; thresholds β : >= 0 = 10
    Shapes      z (N, ..., 2) ; y (N, ..., 4): y and m in {0, 1} or between, τ in [0, 1], u >= 0 ; ℓ (N,)
    Backward    with I = Σ m b y and U = Σ m b + Σ m y + 1:  db = m ((2 I + 1) / U − 2 y) / U ;
                dz₁ = dℓ (m w (p − y) / max(1, Σ m w) + α db k b (1 − b) p (1 − p)) ;
                dz₂ = dℓ (β u sign(t − τ) / max(1, Σ u) − α db k b (1 − b)) t (1 − t)
    Raises      ShapeError when z is not (N, ..., 2) ; DataError for targets out of their ranges ; ParameterError
    References  Liao, Wan, Yao, Chen and Bai, Real-time scene text detection with differentiable binarization, AAAI 2020

    Example
        >>> DifferentiableBinarization(thresholds=5.0)
        DifferentiableBinarization(thresholds=5.0)
    """

    name = "differentiable_binarization"
    kind = "numbers"
    reads_logits = True
    hyperparameters = {
        "steepness": Interval(float, 0, closed="neither"),
        "binary": Interval(float, 0),
        "thresholds": Interval(float, 0),
    }

    def __init__(self, *, steepness: float = 50.0, binary: float = 1.0, thresholds: float = 10.0):
        self.steepness, self.binary, self.thresholds = steepness, binary, thresholds

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        self._check(output_shape)
        return [((*output_shape[:-1], 4), "float")]

    def own_activation(self, outputs: int) -> str:
        return "sigmoid"

    def prediction(self, z: Array) -> Array:
        return sigmoid(z)

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        expected = "between 0 and 1"
        self._require((y >= 0) & (y <= 1), y, expected, "Give text, places that count, thresholds, and where these count.")

    @staticmethod
    def _check(shape: Shape) -> None:
        if len(shape) < 2 or shape[-1] != 2:
            raise ShapeError(
                f"DifferentiableBinarization: expected logits of text and of thresholds (N, ..., 2), got {shape}."
            )

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        self._check(z.shape)
        last, places = z.ndim - 1, tuple(range(1, z.ndim))
        zp, zt = k.slice(z, last, 0, 1), k.slice(z, last, 1, 2)
        text, counted, tau, edges = (k.slice(y, last, i, i + 1) for i in range(4))
        p, t = k.sigmoid(zp), k.sigmoid(zt)
        b = k.sigmoid(k.multiply(k.subtract(p, t), float(self.steepness)))

        def total(x: Value) -> Value:
            return k.sum(x, axis=places, keepdims=True)

        inside = k.multiply(counted, text)
        with_text = total(inside)
        without = k.subtract(total(counted), with_text)
        # A sample without text still learns from all of its places, with the weight of one place of text.
        share = k.divide(k.multiply(k.maximum(with_text, 1.0), 3.0), k.maximum(without, 1.0))
        weight = k.add(inside, k.multiply(k.subtract(counted, inside), k.minimum(share, 1.0)))
        weight = k.divide(weight, k.maximum(total(weight), 1.0))
        entropy = k.subtract(k.softplus(zp), k.multiply(text, zp))
        shown = k.multiply(counted, b)
        top = k.add(k.multiply(total(k.multiply(shown, text)), 2.0), 1.0)
        bottom = k.add(k.add(total(shown), with_text), 1.0)
        quotient = k.divide(top, bottom)
        off = k.subtract(t, tau)
        edge_weight = k.divide(edges, k.maximum(total(edges), 1.0))
        loss = k.add(k.sum(k.multiply(weight, entropy), axis=places), k.multiply(
            k.sum(k.subtract(1.0, quotient), axis=places), float(self.binary)))  # fmt: skip
        loss = k.add(loss, k.multiply(
            k.sum(k.multiply(edge_weight, k.absolute(off)), axis=places), float(self.thresholds)))  # fmt: skip
        saved = Saved(
            z=z, p=p, t=t, b=b, text=text, counted=counted, weight=weight, quotient=quotient, bottom=bottom, off=off,
            edge_weight=edge_weight,
        )  # fmt: skip
        return loss, saved

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        p, t, b = saved.p, saved.t, saved.b
        db = k.multiply(saved.counted, k.divide(k.subtract(saved.quotient, k.multiply(saved.text, 2.0)), saved.bottom))
        compared = k.multiply(k.multiply(db, k.multiply(b, k.subtract(1.0, b))), float(self.binary * self.steepness))
        dzp = k.add(
            k.multiply(saved.weight, k.subtract(p, saved.text)),
            k.multiply(compared, k.multiply(p, k.subtract(1.0, p))),
        )
        sign = k.subtract(k.greater(saved.off, 0.0), k.greater(0.0, saved.off))
        dt = k.subtract(k.multiply(k.multiply(saved.edge_weight, sign), float(self.thresholds)), compared)
        dzt = k.multiply(dt, k.multiply(t, k.subtract(1.0, t)))
        each = k.reshape(dl, (saved.z.shape[0], *(1,) * (saved.z.ndim - 1))) if dl.shape else dl
        return k.multiply(k.concat([dzp, dzt], axis=saved.z.ndim - 1), each)
