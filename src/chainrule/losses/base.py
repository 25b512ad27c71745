"""What a loss is.

A loss compares the network's output z with the target y and says how wrong each part of it is:

    forward(k, z, y)             ℓ and what backward needs ; ℓ has the shape of z, or of z without its last axis
    backward(k, saved, dl)       dz = dℓ ⊙ ∂ℓ/∂z ; dl has a shape that broadcasts to ℓ's

The plan makes the number that is minimised from it, J = Σ c ℓ, with c = w / m for a batch of m samples with weights w
(w = 1 where none are given), divided further by the number of entries of ℓ in one sample where ``reduction`` is "mean".
So dl is c itself, and no loss knows about weights or batch sizes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import UnknownNameError
from ..ops import Builder, Saved, Value
from ..ops.value import Shape

__all__ = ["Builder", "Loss", "Saved", "Value", "get_loss"]


class Loss:
    """Base of every loss. Constructors only store what they are given."""

    registry: ClassVar[dict[str, type[Loss]]] = {}
    #: Name by which users ask for the loss.
    name: ClassVar[str] = ""
    #: Over the entries of ℓ within one sample: "mean" or "sum".
    reduction: ClassVar[str] = "mean"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            Loss.registry[cls.name] = cls

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        """The (shape, dtype) that targets may have for an output of this shape; the first is the usual one."""
        return [(output_shape, "float")]

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        raise NotImplementedError

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        raise NotImplementedError


def get_loss(loss: str | Loss) -> Loss:
    """The loss of this name, or the loss itself. UnknownNameError lists the names."""
    if isinstance(loss, Loss):
        return loss
    if loss not in Loss.registry:
        raise UnknownNameError("loss", loss, Loss.registry)
    return Loss.registry[loss]()
