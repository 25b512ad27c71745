"""Ops between processes that train one network together."""

from __future__ import annotations

from typing import Protocol

from .emitter import Emitter
from .table import in_size, op, same_shape
from .value import Value

__all__ = ["Communication", "Summing"]


class Summing(Protocol):
    """Those who take part in a sum; each calls it for the same sums in the same order."""

    def summed(self, array: object) -> object:
        """The sum of the arrays that all of them give."""


class Communication(Emitter):
    """Methods of the Builder that emit such ops."""

    @op("move", "Σᵣ {share:g} {0}", r"\sum_r {share:g}\, {0}", 2, rule=same_shape, flops=in_size)
    def all_reduce(self, x: Value, ranks: Summing, share: float) -> Value:
        """The sum, over all processes, of ``share`` times what each has for x"""
        return self.emit("all_reduce", x, ranks=ranks, share=share)[0]
