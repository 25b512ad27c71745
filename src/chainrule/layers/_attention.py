"""What the attention layers have in common: the shapes of queries, keys and values, masks and dropout."""

from __future__ import annotations

from ..ops.value import Shape
from .base import Builder, Layer, ShapeError, Value


class _Attention(Layer):
    """Base of the attention layers: they take (x), (query, context) or (query, key, value)."""

    arity = None
    stepwise = True  # a mask of the query is one of the output

    causal: bool
    dropout: float

    def looks_ahead(self, place: int) -> bool:
        return place > 0 or not self.causal

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
