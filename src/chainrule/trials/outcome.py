"""How a training went: the scores of its outputs, and its losses beside those of the best constant output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnosis.outcome import Outcome
from ..diagnosis.reference import SAMPLES
from ..diagnosis.statistics import Statistics
from ..losses import Loss
from ..training import Session
from .known_samples import KnownSamples

__all__ = ["outcomes", "score_of"]

Array = NDArray[Any]


def outcomes(
    session: Session,
    known: KnownSamples,
    losses: Sequence[Loss],
    loss_weights: Sequence[float] | None,
    statistics: Statistics,
    history: Mapping[str, Sequence[float]],
    outputs: Sequence[Array] | None,
    fault: Mapping[str, str],
    complete: bool,
) -> list[Outcome]:
    """One outcome for each output. The scores are those of the output, the losses those of all outputs together.

    Parameters
        outputs : of the network for ``known.data.rows`` ; fault : of the training, see Case
        complete : whether the training was not cut short
    """
    data = known.data
    epochs = np.asarray(history.get("loss", ()), np.float64)
    start = statistics.samples[0].loss if statistics.samples else math.nan
    final = _final_loss(epochs, statistics)
    diverged = fault.get("kind") == "divergence"
    if not losses or not data.samples or data.non_finite:
        return [Outcome(start=start, final=final, diverged=diverged, complete=complete, losses=epochs)]
    classes = list(data.classes)
    held_outputs, rows = known.held_outputs(session) if outputs is not None and not diverged else (None, data.rows[:0])
    weights = loss_weights or [1.0] * len(losses)
    shapes = session.network.output_shapes
    baseline = sum(
        w * _baseline(loss, np.asarray(y), shape[-1] if shape else 1)
        for w, loss, y, shape in zip(weights, losses, data.targets, shapes, strict=True)
    )
    found = []
    for i, (loss, c) in enumerate(zip(losses, classes, strict=True)):
        own = data if len(losses) == 1 else data.of_output(i)
        pooled = own.code_share is not None
        score = score_of(loss, None if outputs is None else outputs[i], own.target, c, pooled)
        held = math.nan
        if held_outputs is not None and data.validation is not None:
            held = score_of(loss, held_outputs[i], np.asarray(data.validation[1][i])[rows], c, pooled)
        outcome = Outcome(
            score=score, validation=held, start=start, final=final, baseline=baseline, diverged=diverged, complete=complete,
            losses=epochs,
        )  # fmt: skip
        if (reference := own.reference) is not None:
            outcome = replace(
                outcome, chance=reference.chance, reference=reference.best, error=reference.error,
                informative=reference.informative, classes=c is not None, judged=min(len(data.rows), SAMPLES),
                spread=reference.spread, hidden=own.rare_and_hidden,
            )  # fmt: skip
        found.append(outcome)
    return found


def score_of(loss: Loss, z: Array | None, y: Array, classes: int | None, pooled: bool = False) -> float:
    """Accuracy for classes, R² for numbers (``pooled``: of all outputs together); NaN where it is not defined."""
    if z is None or not np.isfinite(z).all() or not len(z):
        return math.nan
    if classes is not None:
        exclusive = z.ndim == 2 and y.shape == z.shape and z.shape[1] > 1 and bool((y.sum(axis=1) == 1).all())
        if loss.threshold is not None and not exclusive:
            said = z > loss.threshold
            truth = (y > 0.5 if y.min() >= 0 else y > 0).reshape(said.shape) if y.size == said.size else None
            return math.nan if truth is None else float((said == truth).mean())
        truth = y if y.ndim < z.ndim else y.argmax(axis=-1)
        return float((z.argmax(axis=-1) == truth.reshape(z.shape[:-1])).mean()) if truth.size == z[..., 0].size else math.nan
    if y.size != z.size:
        return math.nan
    predicted, target = loss.prediction(z).reshape(len(z), -1), y.reshape(len(y), -1).astype(np.float64)
    variance = target.var(axis=0)
    varied = variance > 0
    if not varied.any():
        return math.nan
    with np.errstate(all="ignore"):
        wrong = ((predicted - target) ** 2).mean(axis=0)
        return float(1 - (wrong.sum() / variance.sum() if pooled else (wrong[varied] / variance[varied]).mean()))


def _final_loss(epochs: Array, statistics: Statistics) -> float:
    """The loss at the end.

    The mean over an epoch is the smoothest measure of it; but where there are few epochs, the mean over the last one still
    contains the start.
    """
    last = [s.loss for s in statistics.samples if 3 * s.step >= statistics.samples[-1].step]
    if len(epochs) > 2 or len(last) < 3:
        return float(epochs[-1]) if len(epochs) else (last or [math.nan])[-1]
    return float(np.median(last))


def _baseline(loss: Loss, y: Array, outputs: int) -> float:
    """The loss of the best constant output; NaN where it is not known."""
    return loss.of_best_constant(y, outputs) if y.size and np.isfinite(y).all() else math.nan
