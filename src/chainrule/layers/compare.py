"""A comparison of two inputs, or of one with a number."""

from __future__ import annotations

from ..constraints import Interval, Maybe, OneOf
from ..errors import ShapeError
from ._join import check_joined
from .base import Builder, Layer, Saved, Value

_NUMBER = Interval(float)


class Compare(Layer):
    """A comparison ``y = 1 where a > b, else 0``, element by element, of two inputs or of one with a number.

    It makes conditions for Where, and masks. Its inputs may be indices.

    Parameters  op : "greater", "greater_equal", "less", "less_equal" or "equal" = "greater"
                number : float or None = None ; what the only input is compared with; None compares two inputs
    Shapes      a, b : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    the derivative is 0 wherever there is one, so no gradient goes back
    Raises      ShapeError when there are not as many inputs as op needs, or their shapes do not fit

    Example
        >>> Compare("less_equal", 0.5)
        Compare('less_equal', 0.5)
    """

    role = "other"
    arity = None
    hyperparameters = {
        "op": OneOf("greater", "greater_equal", "less", "less_equal", "equal"),
        "number": Maybe(_NUMBER),
    }

    def __init__(self, op: str = "greater", number: float | None = None):
        self.op, self.number = op, number

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        wanted = 2 if self.number is None else 1
        if len(xs) != wanted:
            raise ShapeError(f"Compare: expected {wanted} input(s) with number={self.number!r}. Got {len(xs)}.")
        if wanted == 2:
            check_joined("Compare", xs)
        a, b = (*xs, *([] if self.number is None else [k.constant(float(self.number))]))
        if self.op.startswith("less"):
            a, b = b, a
        if self.op == "equal":
            return k.equal(a, b), Saved(n=wanted)
        return (k.greater(a, b) if self.op in ("greater", "less") else k.greater_equal(a, b)), Saved(n=wanted)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[None, ...]:
        return (None,) * int(saved.n)
