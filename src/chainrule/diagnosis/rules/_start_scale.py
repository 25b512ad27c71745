"""How large start weights are compared with the law that fits their activation."""

from __future__ import annotations

import math
from math import sqrt
from typing import NamedTuple

from ..case import Case
from ..statistics import CallInfo, Moments


def _matrices(case: Case, call: CallInfo) -> list[str]:
    """The names of the largest weight of a layer, and of its recurrent weight, which is applied once for each step."""
    own = [case.weight(call), f"{call.name}.recurrent_weight"]
    return list(dict.fromkeys(name for name in own if name in call.parameters))


def constant(weights: Moments) -> bool:
    """Whether all weights are equal, up to the variance that rounding in float32 leaves of equal numbers."""
    return weights.std <= 1e-3 * abs(weights.mean)


class Scale(NamedTuple):
    """The scale of the start weights of one layer: their standard deviation, that of the law, the ratio of the two, and the
    growth of the signal that comes of it.

    ``growth`` is the ratio; for the recurrent weights of a layer whose activation does not saturate it is ratio^T, since no
    bound stops the state from growing over T steps.
    """

    key: str
    std: float
    law: float
    ratio: float
    growth: float


def start_scales(case: Case) -> list[Scale]:
    """The scales of every layer with weights on the path.

    The law is that of the activation that follows (``Curve.start_variance``), and LeCun's where that saturates or there is
    none; a layer whose output is normalised is left out, since
    the scale of its weights is of no effect. Only where the start was seen.
    """
    found: list[Scale] = []
    if case.first is None or not case.fresh:
        return []
    declared = case.network.declared()
    for call, name in [(c, matrix) for c in case.weighted for matrix in _matrices(case, c)]:
        sample = case.first.parameters.get(name)
        if sample is None or call.layer.index_limit() is not None:
            continue
        if constant(sample.value):
            continue  # another fault
        if case.following(call, "normalisation") is not None:
            continue
        activation = case.following(call, "activation")
        recurrent = name.endswith(".recurrent_weight")
        if recurrent:
            variance = float(getattr(call.layer, "recurrent_variance", 1.0))
        else:
            variance = (activation.layer.curve().start_variance if activation is not None else None) or 1.0
        law = sqrt(variance / max(1, declared[name].fan_in))
        spread = sample.value.rms
        ratio, time = spread / law, case.first.calls[call.key].time
        steps = len(time) if recurrent and variance > 1 and time is not None else 1
        found.append(Scale(call.key, spread, law, ratio, math.exp(min(700.0, steps * math.log(max(ratio, 1e-300))))))
    return found
