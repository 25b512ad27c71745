"""Ops between processes that train one network together."""

from __future__ import annotations

from typing import Any, Protocol

from .emitter import Emitter
from .table import in_size, op, same_shape
from .value import Value

__all__ = ["Communication", "Summing"]


class Summing(Protocol):
    """Those who take part in a sum; each calls it for the same sums in the same order."""

    def sum_in_place(self, array: Any) -> None:
        """Puts the sum of the contiguous arrays of all of them in the place of each."""


class Communication(Emitter):
    """Methods of the Builder that emit such ops."""

    @op("move", "Σᵣ {0}", r"\sum_r {0}", 2, rule=same_shape, flops=in_size)
    def all_reduce(self, x: Value, ranks: Summing) -> Value:
        """The sum of what each of the processes has for x, in the memory of x"""
        return self.emit("all_reduce", x, ranks=ranks)[0]
