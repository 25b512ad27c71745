"""The samples of a cure: read once, and split into those that trials train on and those that are held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import split_validation
from ..diagnosis.data_facts import DataFacts
from ..errors import ChainruleError, DataError, ParameterError, ShapeError
from ..network import NetworkGraph
from ..ops.value import FREE
from ..training import FitSettings
from ..training.intake import choose_losses, input_arrays, is_stream, target_arrays
from ..training.samples import Recorder, Samples, collect
from ..training.trainable import Trainable
from .scorer import Scorer, Scores

__all__ = ["all_samples", "not_finite", "shapes_of", "split"]

#: The number of samples of a stream that are kept in memory.
STREAM_SAMPLES = 5000


def all_samples(probe: Trainable, X: Any, y: Any, settings: FitSettings) -> Samples:
    """All samples, checked; of a stream as many as are kept in memory. Builds the network."""
    weight, graph, count = settings.sample_weight, probe.samples is not None, len(probe.output_ids)
    if not (stream := isinstance(X, Recorder) or is_stream(X, y)):
        if y is None:
            raise ParameterError("cure: y is missing. Pass cure(X, y), or an iterable of batches (x, y) as X.")
        xs, ys = input_arrays(probe, X), list[Any](target_arrays(y, count))
    else:
        if weight is not None:
            raise ParameterError("cure: sample_weight does not go with batches. Let them be (x, y, sample_weight).")
        found = collect(X, STREAM_SAMPLES, graph=graph)
        if found is None:
            raise DataError(
                "cure: the batches hold no samples (x, y) of one shape that could be kept. An iterator that was read before "
                "is empty: give a function that returns a new one, or X and y as arrays."
            )
        xs, ys, weight = input_arrays(probe, found.X), list[Any](target_arrays(found.y, count)), found.weight
    if any(len(a) != len(xs[0]) for a in (*xs, *ys)):
        raise ShapeError(f"cure: X and y must have one length. Got {', '.join(str(len(a)) for a in (*xs, *ys))}.")
    if weight is not None and np.asarray(weight).shape != (len(xs[0]),):
        raise ShapeError(
            f"cure: sample_weight must have one entry for each of {len(xs[0])} samples. Got {np.asarray(weight).shape}."
        )
    probe.build(*(tuple(None if s == FREE else s for s in x.shape[1:]) for x in xs))
    unlabelled = [loss.ignore_label for loss in choose_losses(settings.loss, ys, probe)] if graph else []
    made = Samples.of(xs, ys, weight, graph=graph, unlabelled=unlabelled)
    return replace(made, total=found.total) if stream and found is not None else made


def shapes_of(samples: Samples) -> list[Any]:
    """The shapes of one sample of each input, with None for a length that is free."""
    return [tuple(None if s == FREE else s for s in x.shape[1:]) for x in samples.inputs]


def split(
    whole: Samples, given: Any, share: float, probe: Trainable, scorer: Scorer | Scores
) -> tuple[Samples, Samples]:  # fmt: skip
    """The samples to train on, and those that are held out; of a graph the nodes that count in each.

    Parameters
        whole : all samples ; given : validation_data, None to hold out this share of the samples ; probe : the network
    """
    graph = whole.nodes is not None
    if given is not None:
        try:
            if is_stream(given, None) and not isinstance(given, (tuple, list)):
                found = collect(given, STREAM_SAMPLES)
                given = () if found is None else (found.X, found.y)
            if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
                raise ParameterError("cure: validation_data must be (X, y), (X, y, sample_weight) or batches.")
            xs, ys = input_arrays(probe, given[0]), list[Any](target_arrays(given[1], len(whole.targets)))
            weight = given[2] if len(given) > 2 else None
            return whole, Samples.of(xs, ys, weight if graph else None, graph=graph, unlabelled=whole.unlabelled)
        except ChainruleError as error:
            raise type(error)(f"validation_data: {error}") from error
    n, what = len(whole), "labelled node(s)" if graph else "sample(s)"
    if n < 8:
        raise DataError(f"cure: {n} {what} are too few to hold some out. Give at least 8, or validation_data=.")
    y = None if whole.by_step else whole.dense_targets()[0]
    labels = y.reshape(-1) if y is not None and scorer.kind == "labels" and y.size == n else None
    if labels is not None and np.unique(labels, return_counts=True)[1].max() < 2:
        labels = None
    train, held = split_validation(n, share, np.random.default_rng(0), labels)
    kept = whole.take(held)
    return whole.take(train), kept if graph else replace(kept, weight=None)


def not_finite(network: NetworkGraph, X: Any, y: Any) -> NDArray[np.int64]:
    """The samples with a value that is NaN or infinite, of one array of inputs and one of targets; none of other data."""
    plain = isinstance(X, np.ndarray) and isinstance(y, np.ndarray) and network.samples is None
    if not plain or X.dtype.kind not in "biuf" or y.dtype.kind not in "biuf" or len(X) != len(y):
        return np.zeros(0, np.int64)
    return DataFacts([X], [y]).broken
