"""The loss and the metrics of a network on data, without changing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.sequences import Sequences
from ..errors import ParameterError, ShapeError
from ..losses import Loss
from ..metrics import Accuracy, BinaryAccuracy, Metric, get_metric
from ..network import NetworkGraph
from ..ops import SparseMatrix
from ..ops.value import FREE, Shape
from ..plan import lower_prediction, lower_training
from ..registry import identity
from .executables import Compiled, Executables, total
from .feeds import Feed, Piece, SequenceFeed

Array = NDArray[Any]


def choose_metrics(metrics: Any, loss: Loss, output_shape: tuple[int, ...]) -> list[Metric]:
    """Metrics of a network's first output.

    None gives accuracy for losses of classes (of each output where there are several yes-or-no outputs) and nothing for
    losses of numbers; () gives none. A metric by name gets the thresholds of the loss and, for several yes-or-no outputs, is
    the one of multilabel targets; a Metric is taken as it is.
    """
    units = output_shape[-1] if output_shape else 1
    if metrics is None:
        if loss.threshold is not None:
            return [_fitting(BinaryAccuracy() if units > 1 else Accuracy(), loss, units)]
        return [Accuracy()] if any(dtype == "int" for _, dtype in loss.target((2, *output_shape))) else []
    given = [metrics] if isinstance(metrics, (str, Metric)) else list(metrics)
    found = [_fitting(get_metric(m), loss, units) if isinstance(m, str) else get_metric(m) for m in given]
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
    executables: Executables,
    network: NetworkGraph,
    losses: Sequence[Loss],
    feed: Feed,
    *,
    forms: Sequence[int],
    weights: Sequence[str | None],
    loss_weights: Sequence[float] | None = None,
    metrics: Sequence[Metric] = (),
    batch_size: int | None = None,
    constants: Mapping[int, SparseMatrix] | None = None,
) -> dict[str, float]:
    """{"loss": mean over the samples, metric name: its value}, with layers as in prediction.

    The loss is that of the data alone, without penalties. A network of a graph takes all of it at once. Metrics are those
    of the first output, with its sample weights.
    """
    # A mean over samples is computed in the plan; the rest (and weighted means) by NumPy from all outputs together.
    inside = [m for m in metrics if m.fits_plan(losses[0]) and weights[0] is None]
    outside = [m for m in metrics if m not in inside]
    sums: dict[str, float] = {}
    terms = 0
    kept: dict[str, list[Array]] = {"y0": [], "w0": [], "output0": []}
    executables.limit = max(executables.limit, feed.plans)
    at_once = network.samples or batch_size or samples_at_once(network, getattr(feed, "arrays", {}))
    for piece in feed.pieces(at_once, lambda batch, shapes: 1024):

        def lower(batch: int = piece.batch, shapes: tuple[Shape, ...] = piece.shapes) -> Any:
            return lower_training(
                network,
                losses,
                None,
                batch,
                shapes=shapes,
                targets=forms,
                weights=weights,
                loss_weights=loss_weights,
                metrics=inside,
                training=False,
                backward=False,
                outputs=bool(outside),
                constants=constants,
            )

        parts = [*forms, *weights, *(loss_weights or ()), *map(identity, losses), *map(identity, inside)]
        parts += [m.digest for m in (constants or {}).values()]
        compiled = executables.get(("evaluate", piece.batch, piece.shapes, bool(outside), *parts), lower)
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
        prediction = losses[0].prediction(z)
        means |= {m.name: m(y, prediction, w) for m in outside}
    return {"loss": means["loss"]} | {m.name: means[m.name] for m in metrics}


def _run_keeping(compiled: Compiled, piece: Piece, kept: dict[str, list[Array]]) -> dict[str, NDArray[np.float64]]:
    """Runs a piece step by step, keeping targets, weights and outputs of the first output."""
    numbers: dict[str, list[float]] = {}
    for i in range(piece.steps):
        rows: Any = slice(i * piece.batch, (i + 1) * piece.batch)
        if piece.order is not None:
            rows = piece.order[rows]
        inputs = {name: np.ascontiguousarray(piece.data[name][rows]) for name in compiled.executable.plan.inputs}
        for name, array in compiled.executable.run(inputs).items():
            if array.ndim == 0:
                numbers.setdefault(name, []).append(float(array))
            elif name == "output0":
                kept["output0"].append(array)
        for name in ("y0", "w0"):
            if name in inputs:
                kept[name].append(inputs[name])
    return {name: np.array(values) for name, values in numbers.items()}


def samples_at_once(network: NetworkGraph, arrays: Mapping[str, Array | Sequences]) -> int:
    """``network.samples_at_once`` for the longest of the samples x0, x1, ..., or where none are given."""
    xs = [arrays[f"x{i}"] for i in range(len(network.input_ids)) if f"x{i}" in arrays]
    longest = [(int(x.lengths.max()), *x.values.shape[1:]) if isinstance(x, Sequences) else x.shape[1:] for x in xs]
    return network.samples_at_once(longest if len(longest) == len(network.input_ids) else None)


def predict_sequences(
    network: NetworkGraph, executables: Executables, xs: Sequence[Array | Sequences], batch_size: int | None
) -> list[Array | Sequences]:
    """The outputs for inputs of which some are Sequences, in the order of the samples.

    Raises      ShapeError when an output for each step has another number of steps than its sample
    """
    dtypes = {f"x{i}": np.int32 if d == "int" else network.dtype for i, d in enumerate(network.input_dtypes)}
    exact = [f"x{i}" for i, reads in enumerate(network.reads_padding()) if reads]
    feed = SequenceFeed({f"x{i}": x for i, x in enumerate(xs)}, dtypes, exact=exact)
    executables.limit = max(executables.limit, feed.plans)
    lengths = [x.lengths for x in xs if isinstance(x, Sequences)]
    free = [FREE in shape for shape in network.output_shapes]
    found: list[list[Array]] = [[] for _ in network.output_ids]
    batch_size = batch_size or samples_at_once(network, feed.arrays)
    rows = feed.batches(batch_size)
    for piece, which in zip(feed.pieces(batch_size, lambda batch, shapes: 1), rows, strict=True):
        compiled = executables.get(
            ("predict", piece.batch, piece.shapes),
            lambda batch=piece.batch, shapes=piece.shapes: lower_prediction(network, batch, shapes=shapes),  # type: ignore[misc]
        )
        with compiled.lock:
            outputs = compiled.executable.run(piece.data)
        for i, parts in enumerate(found):
            z = outputs[f"output{i}"]
            if not free[i]:
                parts.append(z)
                continue
            steps = next(
                (one[which] for one, shape in zip(lengths, piece.shapes, strict=False) if shape[0] == z.shape[1]), None
            )
            if steps is None:
                raise ShapeError(
                    f"predict: the output has {z.shape[1]} steps for sequences of {[s[0] for s in piece.shapes]}, so it "
                    "cannot be cut to the lengths of the samples. Predict arrays of one length, such as X.padded()."
                )
            parts.extend(z[n, :t] for n, t in enumerate(steps))
    order = np.concatenate(rows)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    whole: list[Array | Sequences] = []
    for i, parts in enumerate(found):
        whole.append(Sequences([parts[n] for n in back]) if free[i] else np.concatenate(parts)[back])
    return whole
