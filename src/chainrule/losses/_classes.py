"""What the losses of classes have in common: which targets they take."""

from __future__ import annotations

from ..ops.value import Shape
from .base import Array, Builder, Loss, Value


class _OfClasses(Loss):
    """Base of the losses of classes that exclude each other: targets are class indices, or distributions over the classes.

    A subclass that takes only one of the two says so in ``target``.
    """

    kind = "exclusive"

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        return [(output_shape[:-1], "int"), (output_shape, "float")]

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        _, dtype = self.target(output_shape)[self.target_form(y, output_shape)]
        if dtype == "int":
            self._require_classes(y, output_shape[-1])
        else:
            self._require_distributions(y)


def for_each_class(k: Builder, dl: Value) -> Value:
    """dℓ of each sample or place, beside the classes."""
    return k.reshape(dl, (*dl.shape, 1)) if dl.shape else dl
