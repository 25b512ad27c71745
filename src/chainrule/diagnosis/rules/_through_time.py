"""How much of the gradient reaches each step of a sequence, as it was sampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..case import Case
from ..statistics import CallInfo, Sample

Array = NDArray[np.float64]


def sequences(case: Case) -> list[list[CallInfo]]:
    """The recurrent layers, those together that read the same sequence (both directions of one, for instance)."""
    found: dict[int, list[CallInfo]] = {}
    for call in case.statistics.calls.values():
        if any(s.calls[call.key].time is not None for s in case.window):
            found.setdefault(call.inputs[0], []).append(call)
    return list(found.values())


def profile(call: CallInfo, sample: Sample) -> Array | None:
    """‖dhₜ‖ beside that of the step where the gradient begins, at each position; None where there is none."""
    norms = sample.calls[call.key].time
    if norms is None or not np.isfinite(norms).all():
        return None
    begins = norms[np.flatnonzero(norms)] if norms.any() else norms[:0]
    if not len(begins):
        return None
    found: Array = norms / (begins[0] if call.layer.reverse else begins[-1])
    return found


def reached(calls: list[CallInfo], sample: Sample) -> Array | None:
    """The same, of the layer that it reaches best, for layers that read one sequence."""
    found = [p for call in calls if (p := profile(call, sample)) is not None]
    return np.max(found, axis=0) if found else None


def unreached(calls: list[CallInfo], sample: Sample, limit: float) -> float:
    """The share of the steps whose gradient is below the limit; 0 where none is known."""
    found = reached(calls, sample)
    return 0.0 if found is None else float((found < limit).mean())
