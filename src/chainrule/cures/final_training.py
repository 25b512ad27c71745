"""The last part of a cure: the changed network is trained on all samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import DivergenceError
from ..training import FitSettings, Session
from ..training.samples import Samples
from ..training.trainable import Trainable
from .search import Search
from .setup import Setup
from .status import Clock, Status

__all__ = ["reserve_time", "train_best"]

#: The largest share of the time budget that is kept for the final training; a longer one comes on top of the budget.
_SHARE = 0.34


def reserve_time(search: Search, whole: Samples, budget: float, status: Status) -> None:
    """Keeps time of the budget for the final training, or says that it comes on top."""
    count = max(len(whole), whole.total or 0)
    needed = search.each * (1 if whole.nodes is not None else count / len(search.runs.train))
    if needed <= budget * _SHARE:
        search.reserved = needed
    else:
        status.announce(
            f"should a change win, the final training on all {count:,} samples takes about {needed:.0f} s more than "
            f"the {budget:g} s of its budget (in Python, refit=False leaves it out)"
        )


def train_best(
    search: Search, whole: Samples, stream: Any, settings: FitSettings, clock: Clock
) -> tuple[Trainable, Setup]:  # fmt: skip
    """The network of the best setup, trained on all samples, and that setup.

    Parameters
        whole : all samples in memory ; stream : what they came from, None for arrays. The network is trained on the whole
            stream if that can be read again and the fit needs no part of it held out
        settings : of the user, for what is no part of a setup: the machine and the metrics

    A training can end badly by chance, such as in a spike of the loss. One that scores less, on samples that it has seen,
    than the runs did is repeated from the next seed while there is time; the best one is taken.
    """
    runs, best = search.runs, search.best
    held = runs.held.first(runs.judged(best.length))
    expected = float(np.mean([max(run.score, run.seen) for run in best.runs.values()]))
    expected -= 2 * runs.scorer.resolution(expected, len(held))
    setup, found = best.setup.changed(sample_weight=whole.weight), list[tuple[float, Trainable]]()
    for seed in search.seeds:
        started = time.perf_counter()
        session = Session.of(runs.network(setup, seed))
        try:
            _fit(session, setup.fit, runs.data(setup, whole), stream, settings)
        except DivergenceError:
            if not found and seed == search.seeds[-1]:
                raise
            continue
        found.append((runs.score(session, runs.data(setup, held)), session.network))
        clock.done("final training")
        if found[-1][0] >= expected or clock.last + (clock.last - started) > runs.end:
            break
    return max(found, key=lambda item: item[0])[1], setup


def _fit(session: Session, fit: FitSettings, whole: Samples, stream: Any, settings: FitSettings) -> None:
    held_out = fit.early_stopping is not None or fit.validation_split
    fit = fit.replace(**settings.arguments("machine"), metrics=settings.metrics, verbose=0)
    if stream is None or isinstance(getattr(stream, "source", stream), Iterator) or held_out:
        session.fit(whole.X, whole.y, fit)
        return
    session.start_from(whole.X, whole.y, fit)
    session.fit(stream, None, fit.replace(sample_weight=None))
