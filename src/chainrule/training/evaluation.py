"""The loss and the metrics of a network on data, without changing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.reference import ReferenceEngine
from ..errors import ParameterError
from ..layers import Identity, Input
from ..losses import Loss
from ..metrics import Accuracy, BinaryAccuracy, LabelErrorRate, Metric, get_metric
from ..network import NetworkGraph
from ..ops.value import Shape
from ..plan import Plan
from .executables import Compiled, Executables, total
from .feeds import ArrayFeed, Feed, Piece, SequenceFeed, taken
from .objective import Objective
from .prediction import samples_at_once

Array = NDArray[Any]


def choose_metrics(metrics: Any, loss: Loss, output_shape: tuple[int, ...]) -> list[Metric]:
    """Metrics of a network's first output.

    None gives accuracy for losses of classes (of each output where there are several yes-or-no outputs), the error rate of
    labels for targets of a length of their own, and nothing for losses of numbers; () gives none. A metric by name gets the
    thresholds of the loss and, for several yes-or-no outputs, is the one of multilabel targets; a Metric is taken as it is.
    """
    units = output_shape[-1] if output_shape else 1
    if metrics is None:
        if loss.own_length:
            return [LabelErrorRate(blank=loss.blank)]
        if loss.threshold is not None:
            return [_fitting(BinaryAccuracy() if units > 1 else Accuracy(), loss, units)]
        return [Accuracy()] if any(dtype == "int" for _, dtype in loss.target((2, *output_shape))) else []
    given = [metrics] if isinstance(metrics, (str, Metric)) else list(metrics)
    found = [_fitting(get_metric(m), loss, units) if isinstance(m, str) else get_metric(m) for m in given]
    for metric in found:
        metric.validate()
    names = [metric.name for metric in found]
    if len(set(names)) < len(names):
        raise ParameterError(f"metrics: each may be given once. Got {', '.join(names)}.")
    return found


def _fitting(metric: Metric, loss: Loss, units: int) -> Metric:
    """The metric with the thresholds of the loss, where that decides between yes and no."""
    raw = loss.threshold
    if raw is None:
        return metric
    fitting = {
        "raw_threshold": float(raw),
        "threshold": float(loss.prediction(np.array([raw], np.float64))[0]),
        "multilabel": units > 1,
    }
    return type(metric)(**{name: value for name, value in fitting.items() if name in metric.argument_names()})


def evaluate(
    executables: Executables, network: NetworkGraph, objective: Objective, feed: Feed, *, batch_size: int | None = None
) -> dict[str, float]:
    """{"loss": mean over the samples, metric name: its value}, with layers as in prediction.

    The loss is that of the data alone, without penalties. A network of a graph takes all of it at once. Metrics are those
    of the first output, with its sample weights.
    """
    # A mean over samples is computed in the plan; NumPy computes the others, and weighted means, from all outputs together.
    metrics = objective.metrics
    inside = [m for m in metrics if m.fits_plan(objective.losses[0]) and objective.weights[0] is None]
    outside = [m for m in metrics if m not in inside]
    computed = replace(objective, metrics=inside)
    sums: dict[str, float] = {}
    terms = 0
    kept: dict[str, list[Array]] = {"y0": [], "w0": [], "output0": []}
    executables.limit = max(executables.limit, feed.plans)
    given = {} if objective.start else getattr(feed, "arrays", {})
    at_once = network.samples or batch_size or samples_at_once(network, given)
    for piece in feed.pieces(at_once, lambda batch, shapes: 1024):

        def lower(batch: int = piece.batch, shapes: tuple[Shape, ...] = piece.shapes) -> Plan:
            return computed.lower(network, None, batch, shapes, training=False, backward=False, outputs=bool(outside))

        key = ("evaluate", piece.batch, piece.shapes, bool(outside), *computed.full_key)
        compiled = executables.get(key, lower)
        with compiled.lock:
            if outside:
                found = _run_keeping(compiled, piece, kept)
            else:
                found = compiled.executable.run_steps(piece.data, piece.order, {}, steps=piece.steps)
        for name, values in found.items():
            sums[name] = sums.get(name, 0.0) + total(name, values, piece.terms or piece.batch)
        terms += (piece.terms or piece.batch) * piece.steps
    means = {name.removeprefix("metric."): value / terms for name, value in sums.items()}
    if outside:
        if isinstance(feed, SequenceFeed) and feed.masks:
            # Batches have lengths of their own: their steps count as samples, those of the padding with weight 0.
            kept = {n: [a.reshape(-1, *a.shape[2:]) for a in arrays] for n, arrays in kept.items()}
            kept["w0"] = [(w > 0).astype(w.dtype) for w in kept["w0"]]
        y, z = np.concatenate(kept["y0"]), np.concatenate(kept["output0"])
        w = np.concatenate(kept["w0"]) if kept["w0"] else None
        if w is not None and w.shape == (*y.shape, 1):
            w = w.reshape(y.shape)
        prediction = objective.losses[0].prediction(z)
        means |= {m.name: m(y, prediction, w) for m in outside}
    return {"loss": means["loss"]} | {m.name: means[m.name] for m in metrics}


def evaluate_outputs(
    objective: Objective, outputs: Sequence[Array], targets: Mapping[str, Array], weights: Mapping[str, Array]
) -> dict[str, float]:
    """What ``evaluate`` gives, in float64, for outputs that are known already.

    Where float32 cannot tell targets apart, this compares the outputs with the targets themselves.

    Parameters  outputs : of all samples ; targets, weights : {"y0": ..., "w0": ...} of all samples
    """
    inputs = [Input(z.shape[1:]) for z in outputs]
    network = NetworkGraph(inputs=inputs, outputs=[Identity()(x) for x in inputs], dtype="float64").build()
    arrays = {f"x{i}": z for i, z in enumerate(outputs)} | {**targets, **weights}
    exact = {name: a if name[0] == "y" and a.dtype.kind in "iu" else a.astype(np.float64) for name, a in arrays.items()}
    for i, loss in enumerate(objective.losses):
        kind = loss.target(outputs[i].shape)[objective.forms[i]][1]
        exact[f"y{i}"] = exact[f"y{i}"].astype(np.int32 if kind == "int" else np.float64)
    feed = ArrayFeed(exact, {name: a.dtype for name, a in exact.items()})
    return evaluate(Executables(ReferenceEngine("float64"), network.arenas()), network, objective, feed)


def _run_keeping(compiled: Compiled, piece: Piece, kept: dict[str, list[Array]]) -> dict[str, NDArray[np.float64]]:
    """Runs a piece step by step, keeping targets, weights and outputs of the first output."""
    numbers: dict[str, list[float]] = {}
    for i in range(piece.steps):
        rows: Any = slice(i * piece.batch, (i + 1) * piece.batch)
        if piece.order is not None:
            rows = piece.order[rows]
        inputs = {name: taken(piece.data[name], rows) for name in compiled.executable.plan.inputs}
        for name, array in compiled.executable.run(inputs).items():
            if array.ndim == 0:
                numbers.setdefault(name, []).append(float(array))
            elif name == "output0":
                kept["output0"].append(array)
        for name in ("y0", "w0"):
            if name in inputs:
                kept[name].append(inputs[name])
    return {name: np.array(values) for name, values in numbers.items()}
