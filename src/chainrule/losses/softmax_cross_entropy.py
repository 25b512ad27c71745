"""Cross-entropy of classes that exclude each other."""

from __future__ import annotations

from ..constraints import Boolean, Interval, Maybe
from ..errors import ShapeError
from ..ops.value import Shape
from .base import Array, Builder, Loss, Saved, Value
from .numeric import SMALLEST_NORMAL, softmax


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax(z) against classes, from logits: ``ℓ = log Σₖ exp(zₖ) − Σₖ tₖ zₖ``, in nats.

    The softmax itself is never formed for the loss, so logits of ±1e4 are exact.

    Parameters  label_smoothing : s in [0, 1) = 0 ; the target becomes (1 − s) t + s / K
                from_probabilities : bool = False ; z is the distribution p itself and ℓ = −Σₖ tₖ log pₖ. p is then cut
                below at 2⁻¹²⁶, the smallest normal float32, so −log p is at most 87.3; it is not made to sum to 1.
                ignore_label : int or None = None ; entries of this label (pixels of no class, nodes without a label) have no
                part in J, which becomes the mean over all others
    Shapes      z (N, ..., K) ; y (N, ...) int class indices, or (N, ..., K) float distributions ; ℓ (N, ...)
    Backward    dz = dℓ ⊙ (softmax(z) − t) ; from probabilities dp = −dℓ ⊙ t / p, and 0 where p was cut
    Raises      ParameterError when label_smoothing is outside [0, 1) ; ShapeError when z has no class axis ;
                DataError for class indices outside 0 .. K − 1 and for rows that are no distribution
    References  label smoothing: Szegedy et al., Rethinking the inception architecture, CVPR 2016

    Example
        >>> SoftmaxCrossEntropy(label_smoothing=0.1)
        SoftmaxCrossEntropy(label_smoothing=0.1)
    """

    name = "softmax_cross_entropy"
    reduction = "mean"
    probabilities = True
    hyperparameters = {
        "label_smoothing": Interval(float, 0, 1),
        "from_probabilities": Boolean(),
        "ignore_label": Maybe(Interval(int)),
    }

    def __init__(self, *, label_smoothing: float = 0.0, from_probabilities: bool = False, ignore_label: int | None = None):
        self.label_smoothing, self.from_probabilities = label_smoothing, from_probabilities
        self.ignore_label = ignore_label

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        return [(output_shape[:-1], "int"), (output_shape, "float")]

    @property
    def reads_logits(self) -> bool:  # type: ignore[override]  # a class may state it, and instances compute it
        return not self.from_probabilities

    @property
    def predicts_raw(self) -> bool:
        return self.from_probabilities

    def prediction(self, z: Array) -> Array:
        return z if self.from_probabilities else softmax(z)

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        if self.target_form(y, output_shape) == 0:
            self._require_classes(y, output_shape[-1])
        else:
            self._require_distributions(y)

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        if z.ndim < 2:
            raise ShapeError(f"SoftmaxCrossEntropy: expected logits (N, K), got {z.shape}.")
        if not self.from_probabilities:
            loss, dz = k.softmax_cross_entropy(z, y, label_smoothing=self.label_smoothing)
            return loss, Saved(dz=dz)
        classes = z.shape[-1]
        t = k.one_hot(y, classes) if y.dtype == "int" else y
        if self.label_smoothing:
            t = k.add(k.multiply(t, 1 - self.label_smoothing), self.label_smoothing / classes)
        p = k.maximum(z, SMALLEST_NORMAL)
        loss = k.negative(k.sum(k.multiply(t, k.log(p)), axis=-1))
        return loss, Saved(dz=k.negative(k.multiply(k.equal(p, z), k.divide(t, p))))

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        if dl.shape:
            dl = k.reshape(dl, (*dl.shape, 1))
        return k.multiply(saved.dz, dl)
