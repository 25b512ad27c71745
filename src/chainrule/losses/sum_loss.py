"""Several losses of one output, added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..constraints import Accepted, EachOf, Interval, Maybe
from ..errors import ParameterError, ShapeError
from ..ops.value import Shape
from .base import Array, Builder, Loss, Saved, Value, get_loss


class SumLoss(Loss):
    """The weighted sum of several losses of the same output and target: ``ℓ = Σᵢ cᵢ ℓᵢ``, ℓᵢ the i-th loss of a sample.

    What a raw output means (probabilities, a threshold) and what kind of target there is, is what the first loss says.

    Parameters  losses : at least one, losses or names = ("binary_cross_entropy", "dice"), for one region ; weights : cᵢ
                >= 0, None for 1 each
    Shapes      z, y : as all of the losses take them ; ℓ (N,)
    Backward    dz = Σᵢ cᵢ dzᵢ
    Raises      ParameterError when losses or weights are none of these, or a loss ignores labels ;
                ShapeError when the losses have no form of target in common

    Example
        >>> from chainrule.losses import BinaryCrossEntropy, DiceLoss
        >>> SumLoss([BinaryCrossEntropy(), DiceLoss()], weights=[1.0, 0.5])
        SumLoss([BinaryCrossEntropy(), DiceLoss()], weights=[1.0, 0.5])
    """

    name = "sum"
    hyperparameters = {
        "losses": EachOf(
            Accepted(lambda loss: get_loss(loss).validate(), "a loss or its name"),
            fewest=1,
            hint="Give them as [BinaryCrossEntropy(), DiceLoss()].",
        ),
        "weights": Maybe(EachOf(Interval(float, 0))),
    }

    def __init__(
        self,
        losses: Sequence[str | Loss] = ("binary_cross_entropy", "dice"),
        *,
        weights: Sequence[float] | None = None,
    ):
        self.losses, self.weights = losses, weights

    def validate(self) -> None:
        super().validate()
        for loss in self._parts:
            if loss.ignore_label is not None:
                raise ParameterError(f"SumLoss: {loss!r} ignores labels, which the others would not.")
        if self.weights is not None and len(self.weights) != len(self.losses):
            raise ParameterError(
                f"SumLoss: weights must be one number of at least 0 for each of {len(self.losses)} loss(es). "
                f"Got {self.weights!r}."
            )

    @property
    def _parts(self) -> list[Loss]:
        return [get_loss(one) for one in self.losses]

    @property
    def _first(self) -> Loss:
        self.validate()
        return self._parts[0]

    @property
    def probabilities(self) -> bool:  # type: ignore[override]
        return self._first.probabilities

    @property
    def kind(self) -> str:
        return self._first.kind

    @property
    def reads_logits(self) -> bool:  # type: ignore[override]
        return self._first.reads_logits

    def own_activation(self, outputs: int) -> str | None:
        return self._first.own_activation(outputs)

    @property
    def of_differences(self) -> bool:  # type: ignore[override]
        return all(loss.of_differences for loss in self._parts)

    @property
    def threshold(self) -> float | None:
        return self._first.threshold

    @property
    def predicts_raw(self) -> bool:
        return self._first.predicts_raw

    def prediction(self, z: Array) -> Array:
        return self._first.prediction(z)

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        self.validate()
        first, *others = self._parts
        forms = [form for form in first.target(output_shape) if all(form in one.target(output_shape) for one in others)]
        if not forms:
            raise ShapeError(
                f"SumLoss: {self._parts} have no form of target in common for an output of shape {output_shape}."
            )
        return forms

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        for loss in self._parts:
            loss.validate_targets(y, output_shape)

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        weights = [1.0] * len(self.losses) if self.weights is None else [float(w) for w in self.weights]
        total, kept = None, []
        for loss, weight in zip(self._parts, weights, strict=True):
            ell, saved = loss.forward(k, z, y)
            factor = weight / loss.entries(ell.shape)
            one: Any = k.sum(ell, axis=tuple(range(1, ell.ndim))) if ell.ndim > 1 else ell
            one = k.multiply(one, factor)
            total = one if total is None else k.add(total, one)
            kept.append((loss, saved, factor, ell.ndim))
        assert total is not None
        return total, Saved(kept=kept)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        total: Value | None = None
        for loss, inner, factor, ndim in saved.kept:
            part = k.multiply(k.reshape(dl, (dl.shape[0], *(1,) * (ndim - 1))) if dl.shape else dl, factor)
            dz = loss.backward(k, inner, part)
            total = dz if total is None else k.add(total, dz)
        assert total is not None
        return total
