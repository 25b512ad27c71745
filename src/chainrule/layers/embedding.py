"""A table of learned vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Boolean, Interval, Maybe
from ..errors import DataError, DtypeError, ParameterError
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, Value
from .regularizers import MAYBE_REGULARIZER, Regularizer
from .weight_constraints import MAYBE_WEIGHT_CONSTRAINT, WeightConstraint


class Embedding(Layer):
    """Looks learned vectors up: ``y[n, ...] = W[x[n, ...]]``.

    Its input holds indices: give it ``Input(shape, dtype="int")``. Data is checked against the number of rows once, where
    it enters the network (`index_limit`), not at every step.

    Parameters  rows : int >= 1, number of vectors V ; width : int >= 1, their length O
                padding : int in 0, ..., V − 1 or None = None ; the index that fills sequences up: its vector is 0 and
                stays 0, and the layers after it know that such a step does not count (see Masking)
                sparse : bool = False ; whether an update reads and writes only the rows that the batch has, so that it
                costs as much as the batch and not as the table. Plain SGD does the same either way; the slots of an
                optimizer that has any (momentum, Adam) stand still for rows that do not occur, which a dense update lets
                decay and move on. With l1, l2 or weight_decay every row changes, and the update is dense. weight_init :
                Initializer or its name = "uniform", U(−0.05, 0.05)
                weight_regularizer, weight_constraint : a Regularizer and a WeightConstraint of the weights, or None
    Shapes      x (N, ...) int in 0, ..., V − 1 ; weight W (V, O) ; y (N, ..., O)
    Backward    dW[v] = Σ dy[n, ...] over all places where x[n, ...] = v ; x has no gradient
    Raises      DtypeError when x is not of integers ; ParameterError when rows or width < 1 ; DataError, when data
                enters, for an index outside the table, or a sequence of nothing but padding

    Example
        >>> Embedding(1000, width=16)
        Embedding(1000, width=16)
    """

    stepwise = True
    hyperparameters = {
        "rows": Interval(int, 1),
        "width": Interval(int, 1),
        "padding": Maybe(Interval(int, 0)),
        "sparse": Boolean(),
        "weight_regularizer": MAYBE_REGULARIZER,
        "weight_constraint": MAYBE_WEIGHT_CONSTRAINT,
    }

    def __init__(
        self,
        rows: int,
        width: int,
        *,
        padding: int | None = None,
        sparse: bool = False,
        weight_init: Any = "uniform",
        weight_regularizer: Regularizer | None = None,
        weight_constraint: WeightConstraint | None = None,
    ):
        self.rows, self.width, self.padding, self.sparse = rows, width, padding, sparse
        self.weight_init = weight_init
        self.weight_regularizer, self.weight_constraint = weight_regularizer, weight_constraint

    def validate(self) -> None:
        super().validate()
        if self.padding is not None and self.padding >= self.rows:
            raise ParameterError(
                f"Embedding: padding must be one of the rows 0, ..., {self.rows - 1}, or None. Got {self.padding!r}."
            )

    def masks(self, place: int) -> bool:
        return self.padding is not None

    def index_limit(self) -> int:
        return int(self.rows)

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        rows, width = int(self.rows), int(self.width)
        rules: dict[str, Any] = {"regularizer": self.weight_regularizer, "constraint": self.weight_constraint}
        return {"weight": Parameter((rows, width), self.weight_init, fan_in=rows, fan_out=width, **rules)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        if xs[0].dtype != "int":
            raise DtypeError(
                f"Embedding: expected indices, got numbers of shape {xs[0].shape}. "
                f'Begin the network with Input(shape, dtype="int").'
            )
        index, mask = xs[0], None
        y = k.gather(k.param("weight"), index)
        if self.padding is not None:
            mask = k.subtract(1.0, k.equal(index, float(self.padding)))
            mask.name = "m"
            y = k.multiply(y, k.reshape(mask, (*mask.shape, 1)))
            if mask.ndim == 2:
                k.set_mask(y, mask)
        return y, Saved(index=index, mask=mask)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        if saved.mask is not None:
            dy = k.multiply(dy, k.reshape(saved.mask, (*saved.mask.shape, 1)))
        k.grad("weight", k.scatter_add(saved.index, dy, rows=int(self.rows)), sparse=self.sparse)

    def check_data(self, place: int, values: NDArray[Any], shapes: tuple[Shape, ...], name: str) -> None:
        if self.padding is None or values.ndim != 2:
            return
        empty = np.flatnonzero((values == self.padding).all(axis=1))
        if len(empty):
            raise DataError(
                f"{name}[{empty[0]}] holds nothing but padding ({self.padding}): there is nothing to learn or predict from "
                f"({len(empty)} such rows of {len(values)}). Leave such rows out, or give an empty text a token of its own."
            )


def check_indices(index: NDArray[Any], limit: int, *, name: str = "X") -> None:
    """DataError, with the place, when an index is outside 0, ..., limit − 1. For use where data enters a network.

    Parameters  index : integers ; limit : see Layer.index_limit ; name : of the array in the message

    Example
        >>> check_indices(np.array([[0, 3]]), 3)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        chainrule.errors.DataError: X[0, 1] is 3; indices must be in 0, ..., 2 ...
    """
    if index.size and (index.min() < 0 or index.max() >= limit):
        at = np.argwhere((index < 0) | (index >= limit))[0]
        place = ", ".join(map(str, at))
        raise DataError(
            f"{name}[{place}] is {index[tuple(at)]}; indices must be in 0, ..., {limit - 1} "
            f"(the network's embedding has {limit} rows). Encode unknown values as one of the rows, or add rows."
        )
