"""A choice between two inputs, element by element."""

from __future__ import annotations

from ._join import check_joined
from .base import Builder, Layer, Saved, Value


class Where(Layer):
    """A choice ``y = a where c ≠ 0, else b``, element by element, by a condition such as a mask or what Compare makes.

    Shapes      c, a, b : the same, or 1 on an axis, which is then repeated ; y : the larger sizes
    Backward    da = dy where c ≠ 0, else 0 ;  db = dy where c = 0, else 0 ;  c has no gradient
    Raises      ShapeError when there are not three inputs, or their shapes do not fit

    Example
        >>> from chainrule.layers import Compare, Input
        >>> x, other = Input((4,)), Input((4,))
        >>> y = Where()(Compare("greater", 0.0)(x), x, other)
    """

    role = "join"
    arity = 3

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        check_joined("Where", xs)
        condition, a, b = xs
        if condition.dtype == "int":
            condition = k.add(condition, 0.0)
        return k.where_(condition, a, b), Saved(condition=condition, shapes=[x.shape for x in xs])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value | None, ...]:
        c = saved.condition
        return None, k.sum_to(k.where_(c, dy, 0.0), saved.shapes[1]), k.sum_to(k.where_(c, 0.0, dy), saved.shapes[2])
