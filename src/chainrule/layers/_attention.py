"""What the attention layers have in common: the shapes of queries, keys and values, masks and dropout."""

from __future__ import annotations

from typing import TypeVar

from ..errors import ParameterError
from ..ops.value import Shape
from .base import Builder, Layer, Saved, ShapeError, Value

T = TypeVar("T")
#: The score of keys that a mask takes out.
_FAR_BELOW = -3.0e38


class _Attention(Layer):
    """Base of the attention layers: they take (x), (query, context) or (query, key, value)."""

    arity = None
    stepwise = True  # a mask of the query is one of the output

    causal: bool
    dropout: float
    masked: bool

    def validate(self) -> None:
        super().validate()
        if self.masked and self.causal:
            raise ParameterError(
                f"{type(self).__name__}: a mask says itself which later steps are seen. Got masked=True and causal=True."
            )

    def _apart(self, xs: tuple[T, ...]) -> tuple[tuple[T, ...], T | None]:
        """The inputs, and the mask that comes last where the layer takes one."""
        if not self.masked:
            return xs, None
        if len(xs) < 2:
            raise ShapeError(f"{type(self).__name__}: with masked=True a mask is its last input. Got {len(xs)} input(s).")
        return xs[:-1], xs[-1]

    def _attend(self, k: Builder, parts: list[Value], scale: float, mask: Value | None, keys: Value) -> tuple[Value, Saved]:
        """(Y, what its way back needs) of q, k and v (N, T, heads, D). Parameters  keys : whose mask of padding counts"""
        keep = self._keep(k, parts[0], parts[1])
        if mask is None:
            y, p = k.attention(*parts, scale=scale, causal=self.causal, mask=k.mask_of(keys), keep=keep)
            return y, Saved(parts=parts, p=p, keep=keep, scale=scale, turned=None)
        n, t, heads, _ = parts[0].shape
        s = parts[1].shape[1]
        if mask.shape not in ((n, t, s), (n, 1, t, s), (n, heads, t, s)):
            raise ShapeError(f"{type(self).__name__}: the mask must be {(n, t, s)} or {(n, heads, t, s)}. Got {mask.shape}.")
        allowed = k.greater(k.reshape(mask, (n, 1, t, s)) if mask.ndim == 3 else mask, 0.5)
        if (padding := k.mask_of(keys)) is not None:
            allowed = k.multiply(allowed, k.reshape(padding, (n, 1, 1, s)))
        turned = [k.transpose(part, (0, 2, 1, 3)) for part in parts]
        scores = k.multiply(k.batch_matmul(turned[0], turned[1], transpose_b=True), scale)
        # A query that may look at nothing gets probability 0 everywhere.
        p = k.multiply(k.softmax(k.where_(allowed, scores, _FAR_BELOW)), allowed)
        p.name = "P"
        kept = p if keep is None else k.multiply(p, keep)
        y = k.transpose(k.batch_matmul(kept, turned[2]), (0, 2, 1, 3))
        return y, Saved(parts=parts, p=p, keep=keep, scale=scale, turned=turned, kept=kept)

    def _attend_back(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, Value, Value]:
        """(dQ, dK, dV)"""
        if saved.turned is None:
            q, keys, v = saved.parts
            return k.attention_backward(dy, q, keys, v, saved.p, scale=saved.scale, keep=saved.keep)
        q, keys, v = saved.turned
        dy = k.transpose(dy, (0, 2, 1, 3))
        dv = k.batch_matmul(saved.kept, dy, transpose_a=True)
        dp = k.batch_matmul(dy, v, transpose_b=True)
        if saved.keep is not None:
            dp = k.multiply(dp, saved.keep)
        inner = k.sum(k.multiply(dp, saved.p), axis=3, keepdims=True)
        ds = k.multiply(k.multiply(saved.p, k.subtract(dp, inner)), saved.scale)
        dq, dk = k.batch_matmul(ds, keys), k.batch_matmul(ds, q, transpose_a=True)
        first, second, third = (k.transpose(one, (0, 2, 1, 3)) for one in (dq, dk, dv))
        return first, second, third

    def looks_ahead(self, place: int) -> bool:
        return place > 0 or not self.causal  # a mask may let a query see what comes later

    def _three(self, shapes: tuple[Shape, ...]) -> tuple[Shape, Shape, Shape]:
        """The shapes of query, key and value."""
        name = type(self).__name__
        if not 1 <= len(shapes) <= 3:
            raise ShapeError(f"{name} takes x, or query and context, or query, key and value. Got {len(shapes)} inputs.")
        for shape in shapes:
            if len(shape) != 3 or shape[1] < 1:
                raise ShapeError(f"{name}: expected sequences (N, T, I) of at least one step, got {shape}.")
        query, key, value = shapes[0], shapes[min(1, len(shapes) - 1)], shapes[-1]
        if key[:2] != value[:2]:
            raise ShapeError(f"{name}: key {key} and value {value} must have the same number of samples and steps.")
        if query[0] != key[0]:
            raise ShapeError(f"{name}: query {query} and key {key} must have the same number of samples.")
        return query, key, value

    def _keep(self, k: Builder, queries: Value, keys: Value) -> Value | None:
        """Dropout's factors for the probabilities, 0 or 1 / (1 − rate), of (N, T, heads, D) queries and keys."""
        rate = float(self.dropout)
        if not k.training or rate == 0:
            return None
        n, t, heads, _ = queries.shape
        keep = k.greater_equal(k.random_uniform((n, heads, t, keys.shape[1])), rate)
        return k.multiply(keep, 1 / (1 - rate))
