"""How large start weights are beside the law for their activation."""

from __future__ import annotations

from math import prod, sqrt

from ..case import Case

#: Variance of a weight times its fan-in that keeps the size of what passes, by the activation that follows.
_GAIN = {"relu": 2.0, "leaky_relu": 2.0, "prelu": 2.0, "elu": 1.5, "gelu": 2.0, "silu": 2.0, "selu": 1.0}


def start_scales(case: Case) -> list[tuple[str, float, float, float]]:
    """(key, std of the start weights, that of the law, their ratio) of every layer with weights on the path.

    The law is He's for ReLU and its relatives and LeCun's for others; a layer whose output is normalised is left out, since
    the scale of its weights is of no effect. Only where the start was seen.
    """
    found = []
    if case.first is None or not case.fresh:
        return []
    for call in case.weighted:
        name = case.weight(call)
        sample = case.first.parameters.get(name) if name is not None else None
        if name is None or sample is None or call.kind == "Embedding":
            continue
        if sample.value.std <= 1e-6 * abs(sample.value.mean):
            continue  # constant: another fault
        if case.following(call, "normalisation") is not None:
            continue
        activation = case.following(call, "activation")
        shape = case.network.parameters.entries[name].shape
        fan_in = prod(shape[:-1]) if len(shape) > 2 else shape[0]
        if call.kind.startswith("Depthwise"):
            fan_in = prod(shape[:-2]) if len(shape) > 3 else fan_in
        gain = _GAIN.get(activation.layer.activation_name or "", 1.0) if activation is not None else 1.0
        law = sqrt(gain / max(1, fan_in))
        spread = sample.value.rms
        found.append((call.key, spread, law, spread / law))
    return found
