"""Ops that work on the last axis, row by row."""

from __future__ import annotations

from ..errors import ShapeError
from .emitter import Emitter
from .table import Attrs, Out, in_size, op, per_input, same_shape
from .value import Value


def _number(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(inputs[0].shape[:-1], "float")]


def _index(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(inputs[0].shape[:-1], "int")]


def _cross_entropy(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    z, y = inputs
    wanted = z.shape[:-1] if y.dtype == "int" else z.shape
    if y.shape != wanted:
        raise ShapeError(f"softmax_cross_entropy: logits {z.shape} need targets {wanted}, got {y.shape}.")
    return [(z.shape[:-1], "float"), (z.shape, "float")]


class Row(Emitter):
    """The Builder's ops on the last axis."""

    @op("row", "softmax({0})", r"\operatorname{{softmax}}({0})", rule=same_shape, flops=per_input(5))
    def softmax(self, x: Value) -> Value:
        """eˣ / Σ eˣ over the last axis, without overflow"""
        return self.emit("softmax", x)[0]

    @op("row", "{0} − log Σₖ exp({0})", r"{0} - \log\sum_k e^{{{0}}}", 2, rule=same_shape, flops=per_input(5))
    def log_softmax(self, x: Value) -> Value:
        """x - log Σ eˣ over the last axis"""
        return self.emit("log_softmax", x)[0]

    @op("row", "log Σₖ exp({0})", r"\log\sum_k e^{{{0}}}", 1, rule=_number, flops=per_input(4))
    def log_sum_exp(self, x: Value) -> Value:
        """log Σ eˣ over the last axis, which disappears"""
        return self.emit("log_sum_exp", x)[0]

    @op("row", "argmax({0})", r"\operatorname{{argmax}}({0})", rule=_index, flops=in_size)
    def argmax(self, x: Value) -> Value:
        """Index of the first largest element of each row, as int"""
        return self.emit("argmax", x)[0]

    @op(
        "row",
        "log Σₖ exp({0}) − Σₖ {1} ⊙ {0}",
        r"\log\sum_k e^{{{0}}} - \sum_k {1} \odot {0}",
        2,
        rule=_cross_entropy,
        flops=per_input(8),
        more=(("softmax({0}) − {1}", r"\operatorname{{softmax}}({0}) - {1}", 2),),
    )
    def softmax_cross_entropy(self, z: Value, y: Value, *, label_smoothing: float = 0.0) -> tuple[Value, Value]:
        """Per row (ℓ, dℓ/dz) with ℓ = log Σ eᶻ - Σ t z and dℓ/dz = softmax(z) - t.

        t is y as one-hot (int) or as a distribution (float), smoothed to (1 - s) t + s / K.
        """
        loss, dz = self.emit("softmax_cross_entropy", z, y, label_smoothing=float(label_smoothing))
        return loss, dz
