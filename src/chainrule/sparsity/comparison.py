"""What networks that do the same job cost: how good they are, how fast they predict, and how large they are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..data.batches import Batches
from ..data.sequences import Sequences
from ..errors import ChainruleError, ParameterError
from ..metrics import R2, Metric, get_metric
from ..network.files import save
from ..training.intake import input_arrays, is_stream
from ..training.packed import PackedNetwork
from ..training.samples import collect
from ..training.session import Session
from ..training.timing import best_times
from ..training.trainable import Trainable

__all__ = [
    "BATCHES", "Candidate", "Measure", "Unmeasured", "as_text", "candidates", "cells", "checked_batches", "first_inputs",
    "head",
]  # fmt: skip

#: The batch sizes for which the time of a prediction is measured.
BATCHES = (1, 256)


@dataclass(frozen=True)
class Measure:
    """How good a network is, as one number on held-out samples.

    Parameters  name : of the number ; higher : whether more is better ; of : gives the number of a network
    """

    name: str
    higher: bool
    of: Callable[[Any], float] = field(repr=False)

    def loss(self, score: float, dense: float) -> float:
        """How much worse a score is than that of the dense network: a difference, or the share by which a loss is larger."""
        return dense - score if self.higher else (score - dense) / max(abs(dense), 1e-12)

    @classmethod
    def on(cls, network: Trainable, X: Any, y: Any, *, metric: Any = None, sample_weight: Any = None) -> Measure:
        """The metric on these samples: the first of the network's own of which more is better, R² for losses of numbers, or
        the loss where R² does not fit.

        Parameters  network : trained ; X, y, sample_weight : as of ``evaluate`` ; metric : a Metric or its name
        """

        def evaluated(tried: Any, chosen: Any) -> dict[str, float]:
            return Session(tried).evaluate(X, y, metrics=chosen, sample_weight=sample_weight)

        if metric is not None:
            one: Metric = get_metric(metric)
            return cls(one.name, one.better == "higher", lambda tried: evaluated(tried, [metric])[one.name])
        own = [m for m in getattr(network, "metrics_", None) or [] if m.better == "higher"]
        if not own:
            try:
                found = evaluated(network, None)
                name = next((n for n in found if n != "loss"), "")
                if name:
                    return cls(name, get_metric(name).better == "higher", lambda tried: evaluated(tried, None)[name])
                if np.isfinite(evaluated(network, [R2()])["r2"]):
                    return cls("R²", True, lambda tried: evaluated(tried, [R2()])["r2"])
            except ChainruleError:
                pass
            return cls("loss", False, lambda tried: evaluated(tried, None)["loss"])
        name = own[0].name
        return cls(name, True, lambda tried: evaluated(tried, [own[0]])[name])


@dataclass(frozen=True)
class Candidate:
    """One network, measured.

    Attributes
        name ; network : trained ; sparsity : the share of weights that the dense network has and this one has not
        score : on held-out samples ; seconds : {batch size: time of a prediction}
        file_bytes : of the network's file ; memory_bytes : of its weights as they are held for predictions
    """

    name: str
    network: Trainable = field(repr=False)
    sparsity: float
    score: float
    seconds: Mapping[int, float]
    file_bytes: int
    memory_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The measurements as plain data."""
        return {
            "name": self.name,
            "sparsity": self.sparsity,
            "score": self.score,
            "seconds": {str(batch): s for batch, s in self.seconds.items()},
            "file_bytes": self.file_bytes,
            "memory_bytes": self.memory_bytes,
        }


@dataclass(frozen=True)
class Unmeasured:
    """A network before its speed and size are known. Parameters  as of Candidate"""

    name: str
    network: Trainable
    sparsity: float
    score: float


def candidates(found: Sequence[Unmeasured], inputs: Any, batches: Sequence[int] = BATCHES) -> list[Candidate]:
    """The networks with the times of their predictions and their sizes.

    Networks are packed for it, as everybody would who only predicts. All of them predict in turn, and of each the
    fastest run counts.

    Parameters  inputs : samples as ``predict`` takes them, repeated where a batch needs more
    """
    packed = [PackedNetwork(one.network, one.network._runtime.engine()) for one in found]
    times: list[dict[int, float]] = [{} for _ in found]
    for batch in batches:
        given = _some(inputs, batch)
        best = best_times([partial(p.predict, given) for p in packed])
        for mine, seconds in zip(times, best, strict=True):
            mine[batch] = seconds
    return [
        Candidate(one.name, one.network, one.sparsity, one.score, mine, file_bytes(one.network), p.nbytes)
        for one, p, mine in zip(found, packed, times, strict=True)
    ]


def file_bytes(network: Trainable) -> int:
    """How large the file of a network is."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "network.chainrule"
        save(network, place, {"fit": network.plain_fit_config()})
        return place.stat().st_size


def first_inputs(network: Trainable, X: Any, y: Any, most: int) -> Any:
    """Some samples as ``predict`` takes them, from samples or a data set."""
    if isinstance(X, Batches) or is_stream(X, y):
        found = collect(X, most)
        if found is None:
            raise ParameterError("The time of a prediction needs samples, and the data gives none. Give arrays.")
        return found.X
    arrays = [x[:most] for x in input_arrays(network, X)]
    return arrays[0] if len(arrays) == 1 else arrays


def checked_batches(what: str, batches: Sequence[int]) -> tuple[int, ...]:
    """Numbers of samples. ParameterError unless there is one, and all are ints of at least 1"""
    sizes = tuple(batches)
    if not sizes or any(isinstance(b, bool) or not isinstance(b, (int, np.integer)) or b < 1 for b in sizes):
        raise ParameterError(f"{what}: batches must be numbers of samples, ints of at least 1. Got {batches!r}.")
    return sizes


def _some(inputs: Any, count: int) -> Any:
    """So many samples, those that there are again and again where they are fewer."""
    several = inputs if isinstance(inputs, list) else [inputs]
    rows = np.arange(count) % len(several[0])
    taken = [x[rows] if isinstance(x, Sequences) else np.ascontiguousarray(np.asarray(x)[rows]) for x in several]
    return taken if isinstance(inputs, list) else taken[0]


# ---------------------------------------------------------------- words


def as_text(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Rows as a table of text, the first of them its head. Parameters  left : columns that hold words"""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])


def head(measure: str, batches: Sequence[int]) -> tuple[str, ...]:
    """The names of the columns of ``cells``."""
    times = [f"{'1 sample' if b == 1 else f'{b:,} samples'}" for b in batches]
    return ("network", measure, *(part for t in times for part in (t, "speed")), "file", "memory")


def cells(one: Candidate, dense: Candidate) -> tuple[str, ...]:
    """A candidate as a row of a table: its times in microseconds or milliseconds, and how many times as fast it is."""
    times = [part for b, s in one.seconds.items() for part in (duration(s), f"{dense.seconds[b] / s:.2f}×")]
    return (one.name, f"{one.score:.4f}", *times, size(one.file_bytes), size(one.memory_bytes))


def duration(seconds: float) -> str:
    """Milliseconds, or microseconds where they are few."""
    return f"{1e6 * seconds:.0f} µs" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


def size(count: float) -> str:
    """Bytes as people write them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
