"""Which steps of sequences count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, DtypeError
from ..ops.value import Shape
from .base import Builder, Layer, Saved, ShapeError, Value


class Masking(Layer):
    """Says which steps of sequences count; ``y = x``. The layers after it give the result of the sequences without padding.

    The second input is the length of every sequence, or a mask. Recurrent layers hand their state on over steps that do not
    count, attention gives them probability 0, and global pooling leaves them out. The mask goes on through layers that
    work step by step (Dense, activations, Dropout, LayerNorm, recurrent layers with return_sequences=True, attention,
    ...). An Embedding with padding=... finds its mask by itself.

    Shapes      x (N, T, ...) ; lengths (N,) int, from 1 to T, given by ``Input((), dtype="int")``, or a mask (N, T) of 0 and
                1, given by ``Input((T,))`` ; y as x
    Backward    dx = dy
    Raises      ShapeError when the mask is not (N, T) ; DtypeError when lengths are not int ; DataError, when data enters,
                for a length below 1 or above T, a mask of other numbers than 0 and 1, or one that leaves nothing of a
                sequence

    Example
        >>> from chainrule.layers import GRU, Input
        >>> x, lengths = Input((20, 8)), Input((), dtype="int")
        >>> h = GRU(16)(Masking()(x, lengths))
    """

    role = "reshaping"
    arity = 2

    def masks(self, place: int) -> bool:
        return True

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, given = xs
        if x.ndim < 2:
            raise ShapeError(f"Masking: expected sequences (N, T, ...), got {x.shape}.")
        if given.ndim == 1 and given.dtype != "int":
            raise DtypeError('Masking: lengths must be whole numbers. Declare them by Input((), dtype="int").')
        if given.ndim != 1 and given.shape != x.shape[:2]:
            raise ShapeError(
                f"Masking: expected lengths (N,) or a mask {x.shape[:2]} for sequences {x.shape}. Got {given.shape}."
            )
        if given.ndim == 1:
            mask = k.sequence_mask(given, x.shape[1])
            mask.name = "m"
        else:
            mask = k.multiply(given, 1.0) if given.dtype == "int" else given
        y = k.reshape(k.reshape(x, (x.size,)), x.shape)  # a value of its own: x is not masked for other layers
        k.set_mask(y, mask)
        return y, Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> tuple[Value, None]:
        return dy, None

    def check_data(self, place: int, values: NDArray[Any], shapes: tuple[Shape, ...], name: str) -> None:
        if place == 0:
            return
        if values.ndim == 1:
            # The number of steps is not known where sequences keep lengths of their own.
            check_lengths_of_sequences(values, shapes[0][0] if shapes[0] else np.iinfo(np.int32).max, name)
            return
        if not np.isin(values, (0, 1)).all():
            at = tuple(np.argwhere(~np.isin(values, (0, 1)))[0])
            raise DataError(f"{name}{list(map(int, at))} is {values[at]}; a mask holds 1 where a step counts and else 0.")
        empty = np.flatnonzero(~values.any(axis=1))
        if len(empty):
            raise DataError(
                f"{name}[{empty[0]}] is 0 at every step: nothing of that sequence counts ({len(empty)} such rows). "
                f"Leave such sequences out."
            )


def check_lengths_of_sequences(lengths: NDArray[Any], steps: int, name: str) -> None:
    """DataError, with the place, when a length is below 1 or above the number of steps."""
    wrong = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(wrong):
        n, value = int(wrong[0]), int(lengths[wrong[0]])
        what = "a sequence needs at least one step" if value < 1 else f"the sequences have {steps} steps"
        raise DataError(
            f"{name}[{n}] is {value}, but {what}. Lengths count the steps of each sequence that are not padding, "
            f"from 1 to {steps}."
        )
