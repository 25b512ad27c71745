"""How much of the gradient reaches each step of a sequence at the sampled steps of the training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..case import Case
from ..statistics import CallInfo, Sample

Array = NDArray[np.float64]


def sequences(case: Case) -> list[list[CallInfo]]:
    """The recurrent layers, grouped by the sequence that they read, such as the two directions of a bidirectional layer."""
    found: dict[int, list[CallInfo]] = {}
    for call in case.statistics.calls.values():
        if any(s.calls[call.key].time is not None for s in case.window):
            found.setdefault(call.inputs[0], []).append(call)
    return list(found.values())


def profile(call: CallInfo, sample: Sample) -> Array | None:
    """‖dhₜ‖ at each position, divided by that of the step where the gradient begins; None where there is no gradient."""
    norms = sample.calls[call.key].time
    if norms is None or not np.isfinite(norms).all():
        return None
    begins = norms[np.flatnonzero(norms)] if norms.any() else norms[:0]
    if not len(begins):
        return None
    found: Array = norms / (begins[0] if call.layer.reverse else begins[-1])
    return found


def reached(calls: list[CallInfo], sample: Sample) -> Array | None:
    """The largest ``profile`` at each position among layers that read the same sequence."""
    found = [p for call in calls if (p := profile(call, sample)) is not None]
    return np.max(found, axis=0) if found else None


def unreached(calls: list[CallInfo], sample: Sample, limit: float) -> float:
    """The share of the steps whose gradient is below the limit; 0 where no gradient is known."""
    found = reached(calls, sample)
    return 0.0 if found is None else float((found < limit).mean())
