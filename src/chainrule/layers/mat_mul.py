"""The matrix product of two inputs."""

from __future__ import annotations

from ..constraints import Boolean
from .base import Builder, Layer, Saved, ShapeError, Value


class MatMul(Layer):
    """Matrix products of two inputs ``Y = A B``, one for each sample (and for each place on axes before the last two).

    Parameters  transpose_a, transpose_b : bool = False ; whether A, or B, is taken with its last two axes exchanged
    Shapes      A (N, ..., M, K) ; B (N, ..., K, L) ; Y (N, ..., M, L) ; the first axes are alike
    Backward    dA = dY Bᵀ ;  dB = Aᵀ dY ; with transposed inputs their transposes
    Raises      ShapeError when the shapes do not fit ; ParameterError when an argument is not a bool

    Example
        >>> from chainrule.layers import Input
        >>> similarity = MatMul(transpose_b=True)(Input((5, 16)), Input((9, 16)))
    """

    arity = 2
    hyperparameters = {
        "transpose_a": Boolean(),
        "transpose_b": Boolean(),
    }

    def __init__(self, *, transpose_a: bool = False, transpose_b: bool = False):
        self.transpose_a, self.transpose_b = transpose_a, transpose_b

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        a, b = xs
        if a.ndim != b.ndim or a.ndim < 3:
            raise ShapeError(f"MatMul: expected inputs (N, ..., M, K) and (N, ..., K, L), got {a.shape} and {b.shape}.")
        y = k.batch_matmul(a, b, transpose_a=self.transpose_a, transpose_b=self.transpose_b)
        return y, Saved(a=a, b=b)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, ...]:
        a, b, ta, tb = saved.a, saved.b, self.transpose_a, self.transpose_b
        da = (b, dy, tb, True) if ta else (dy, b, False, not tb)
        db = (dy, a, True, ta) if tb else (a, dy, not ta, False)
        return tuple(k.batch_matmul(m, n, transpose_a=t, transpose_b=u) for m, n, t, u in (da, db))
