"""How many directions a layer uses: the effective rank of its outputs and of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rank", "participation"]

Array = NDArray[Any]
#: How many operations the product xᵀx may cost.
_FLOPS = 1e9


@dataclass(frozen=True)
class Rank:
    """The effective ranks of one layer with units.

    Parameters
        units : how many units the layer has ; outputs : the effective rank of their outputs, over the samples and the places
            of images or steps of sequences ; weight : the effective rank of the weight matrix; NaN where there is none, or
            where it would take too long ; rows : how many vectors ``outputs`` was computed from, which is the most it can be
    """

    units: int
    outputs: float
    weight: float
    rows: int


def participation(x: Array, *, centred: bool = True) -> float:
    """The participation ratio ``(Σ λᵢ)² / Σ λᵢ² = (tr C)² / ‖C‖²`` of C = xᵀx for x (rows, units), with the mean row
    subtracted where ``centred``: k where the rows vary equally in k directions, 1 for a single one, 0 where they do not
    vary.

    It is exact without eigenvalues, as both traces are sums over the smaller one of xᵀx and xxᵀ. Like the exponential of the
    entropy of the spectrum it is at most the rank, and does not count directions of next to no size.

    Returns     NaN where x is empty or not finite, or where the product would take too long
    References  Roy and Vetterli, The effective rank, EUSIPCO 2007 ; Gao et al., A theory of multineuronal dimensionality,
                dynamics and measurement, 2017

    Example
        >>> round(participation(np.eye(4), centred=False), 6), participation(np.ones((5, 3)))
        (4.0, 0.0)
    """
    rows, units = x.shape
    if not x.size or 2.0 * rows * units * min(rows, units) > _FLOPS:
        return float("nan")
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        largest = float(np.abs(x).max())
        if not np.isfinite(largest):
            return float("nan")
        y = x - x.mean(axis=0) if centred else x
        # Equal rows can still differ by rounding.
        spread = float(np.abs(y).max())
        if spread <= 1e-6 * largest:
            return 0.0
        y = y / spread
        gram = y.T @ y if units <= rows else y @ y.T
        return float(np.trace(gram) ** 2 / (gram**2).sum())
