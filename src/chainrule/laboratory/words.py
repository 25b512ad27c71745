"""Numbers as the laboratory writes them, and means."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["geometric_mean", "percent", "scientific", "times"]


def geometric_mean(values: Any) -> Any:
    """The geometric mean over the first axis; of a plain list of numbers a number. What is not positive counts as 1e-300."""
    array = np.maximum(np.asarray(values, float), 1e-300)
    if not array.size:
        return 1.0 if array.ndim == 1 else []
    found = np.exp(np.log(array).mean(axis=0))
    return float(found) if found.ndim == 0 else found.tolist()


def scientific(value: float) -> str:
    """0.12, 3.4e-05, 2.1e+07."""
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def percent(share: Any) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * float(share):.1f} %"


def times(ratio: Any) -> str:
    """A factor: 3.2×, 410×, 4.1e+05×."""
    ratio = float(ratio)
    return f"{ratio:.2f}×" if 0.1 <= ratio < 10 else f"{ratio:.0f}×" if 10 <= ratio < 1e4 else f"{ratio:.1e}×"
