"""The frontier of pruning: what accuracy, speed and size a network has at each sparsity."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..constraints import Interval
from ..data.batches import Batches, split_validation
from ..data.sequences import Sequences
from ..errors import ParameterError
from ..optimizers import Cosine, Schedule
from ..training.intake import input_arrays, is_stream, target_arrays
from ..training.samples import Samples
from ..training.session import Session
from ..training.settings import FitSettings
from ..training.trainable import Trainable
from .comparison import (
    BATCHES,
    Candidate,
    Measure,
    Unmeasured,
    as_text,
    candidates,
    cells,
    checked_batches,
    first_inputs,
    head,
)
from .prune import prune
from .table import sparsity as table_of
from .weights import check_network, check_sparsity

__all__ = ["SPARSITIES", "STRUCTURES", "Frontier", "checked_sparsities", "frontier"]

SPARSITIES = (0.5, 0.8, 0.9, 0.95)
#: The names of structures as the command and the table write them, and as ``prune`` takes them.
STRUCTURES = {"none": None, "blocks": "blocks4", "units": "units"}
#: Epochs of fine-tuning after each step: this share of those of the last fit, and at least so many steps; and their bounds.
_SHARE, _STEPS, _FEWEST, _MOST = 0.2, 500, 3, 40
#: Held-out samples that are kept for the times of predictions.
_TIMED = 256


@dataclass(frozen=True)
class Frontier:
    """What a network loses and gains by pruning; ``print`` shows it as a table.

    Attributes
        measure : how good a network is ; tolerance : how much of it may be lost ; structure : of the pruning
        steps : the dense network, then one Candidate for each sparsity ; epochs : of fine-tuning after each
    """

    measure: Measure
    tolerance: float
    structure: str | None
    steps: Sequence[Candidate]
    epochs: int

    @property
    def dense(self) -> Candidate:
        """The network without pruning."""
        return self.steps[0]

    @property
    def recommended(self) -> Candidate:
        """The sparsest network within the tolerance; the dense one where no other is."""
        within = [s for s in self.steps if self.measure.loss(s.score, self.dense.score) <= self.tolerance]
        return max(within or [self.dense], key=lambda step: step.sparsity)

    @property
    def network(self) -> Any:
        """The recommended network."""
        return self.recommended.network

    def conclusion(self) -> str:
        """What the measurements say, in sentences."""
        best, dense, name = self.recommended, self.dense, self.measure.name
        within = f"{self.tolerance:g}" if self.measure.higher else f"{self.tolerance:.1%}"
        if best is dense:
            return (
                f"None of the pruned networks keeps the {name} within {within} of the dense one's, so the dense network "
                f"stays. Try a smaller sparsity, more epochs of fine-tuning, or a larger tolerance."
            )
        faster = [f"{dense.seconds[b] / s:.2f} times as fast for {_samples(b)}" for b, s in best.seconds.items()]
        text = (
            f"{best.name} is the sparsest within {within} of the dense {name} ({best.score:.4f} against {dense.score:.4f}): "
            f"{' and '.join(faster)}, and {dense.file_bytes / best.file_bytes:.1f} times smaller as a file."
        )
        if all(dense.seconds[b] / s < 1.1 for b, s in best.seconds.items()):
            text += (
                " Its predictions are hardly faster: layers of this size are computed as fast with all of their weights. "
                "Structure units makes small networks faster."
                if self.structure != "units"
                else " Its predictions are hardly faster: most of their time does not depend on the number of units."
            )
        return text

    def rows(self) -> list[tuple[str, ...]]:
        """The head and the rows of the table."""
        batches = list(self.dense.seconds)
        return [head(self.measure.name, batches), *(cells(step, self.dense) for step in self.steps)]

    def __str__(self) -> str:
        return f"{as_text(self.rows())}\n{self.conclusion()}"

    def to_dict(self) -> dict[str, Any]:
        """Everything that was measured as plain data, ready for JSON."""
        return {
            "measure": self.measure.name,
            "higher_is_better": self.measure.higher,
            "tolerance": self.tolerance,
            "structure": self.structure,
            "epochs": self.epochs,
            "steps": [step.to_dict() for step in self.steps],
            "recommended": self.recommended.name,
        }

    def save_picture(self, path: str | os.PathLike[str], title: str = "") -> Path:
        """Draws the measure, the times and the sizes over the sparsity to a file, .png, .svg, .pdf or .jpg.

        Raises      ParameterError when the file cannot be written ; MissingDependencyError without matplotlib
        """
        from ..report import frontier_picture

        return frontier_picture(self, path, title=title)


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count:,} samples"


def frontier(
    network: Trainable,
    X: Any,
    y: Any = None,
    *,
    sparsities: Sequence[float] = SPARSITIES,
    structure: str | None = None,
    method: str = "magnitude",
    scope: str | None = None,
    layers: Iterable[str] | None = None,
    tolerance: float = 0.005,
    held_out: float = 0.25,
    metric: Any = None,
    measure: Measure | None = None,
    batches: Sequence[int] = BATCHES,
    random_state: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **fit: Any,
) -> Frontier:
    """Prunes a copy of a trained network further and further, with fine-tuning after each step, and measures every step.

    Each step begins with the weights of the one before: the smallest go, and what is left is trained some epochs more with
    the settings of the last fit, at a learning rate that falls to 0 along a cosine. The network itself stays as it is.

    Parameters
        X, y, fit : as of ``fit``; None for y where X is a data set. epochs is a fifth of the last fit's by default, and at
            least 500 steps, but from 3 to 40
        sparsities : shares of zeros, or of removed units, each in [0, 1) ; structure : "none" (or None) for single weights,
            "blocks" for four neighbouring outputs each, "units" for whole units and channels, which are really removed; also
            "blocks4" and "blocks16" ; method, scope, layers, random_state : as of ``prune``
        tolerance : how much worse than the dense network the recommended one may be, >= 0: a difference of the metric, or a
            share of the loss where there is no metric
        held_out : share of the samples that are not trained on, on which all networks are measured; ``validation_data``
            takes its place. Samples that the network has learned from make the dense one look better than it is
        metric : a Metric or its name ; None takes the accuracy, or R² ; measure : another way to measure
        batches : numbers of samples for which the time of a prediction is measured
        progress : called with (steps done, steps in all)
    Raises
        NotFittedError : the network was not trained ; ParameterError : an argument is out of its range, or nothing can be
        pruned ; others as ``fit``

    Example
        >>> import numpy as np
        >>> from chainrule import Dense, Network
        >>> from chainrule.layers import ReLU
        >>> X = np.random.default_rng(0).normal(size=(400, 8)).astype("float32")
        >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
        >>> net = Network([Dense(64), ReLU(), Dense(2)], random_state=0)
        >>> net = net.fit(X, y, epochs=40, learning_rate=0.01, verbose=0)
        >>> found = frontier(net, X, y, sparsities=(0.5, 0.8), tolerance=0.05)
        >>> [round(step.sparsity, 2) for step in found.steps]
        [0.0, 0.5, 0.8]
    """
    shares = checked_sparsities(sparsities)
    chosen = STRUCTURES.get(structure, structure) if structure is not None else None
    lost = Interval(float, 0).check("frontier", "tolerance", tolerance)
    sizes = checked_batches("frontier", batches)
    check_network("frontier", network)
    names = None if layers is None else list(layers)
    prune(network, shares[0], method=method, scope=scope, structure=chosen, layers=names)  # what is wrong is said at once
    learned, held = _divide(network, X, y, held_out, fit)
    settings = _settings(network, {**fit, **learned[1]}, _count(*learned[0]))
    own = measure or Measure.on(network, held.X, held.y, metric=metric, sample_weight=held.weight)
    timed = first_inputs(network, held.X, held.y, max(_TIMED, max(sizes)))
    whole = table_of(network).elements
    already = table_of(network).sparsity
    found = [Unmeasured("dense" if not already else f"as it was, {already:.1%} sparse", network, already, own.of(network))]
    before, removed = network, 0.0
    for done, share in enumerate(shares):
        if progress is not None:
            progress(done, len(shares))
        # Units that are gone are no longer there to be counted: a share of the units of the dense network is a larger one of
        # those that are left.
        now = 1 - (1 - share) / (1 - removed) if chosen == "units" else share
        small = prune(before, now, method=method, scope=scope, structure=chosen, layers=names, random_state=random_state)
        Session(small).fit(*learned[0], settings)
        table = table_of(small)
        found.append(
            Unmeasured(_name(share, chosen), small, 1 - (table.elements - table.zeros) / whole, own.of(small))
        )  # fmt: skip
        before, removed = small, share
    if progress is not None:
        progress(len(shares), len(shares))
    return Frontier(own, float(lost), chosen, candidates(found, timed, sizes), settings.epochs)


def _name(share: float, structure: str | None) -> str:
    return (
        f"{100 * share:g} % of {'units removed' if structure == 'units' else 'blocks zero' if structure else 'weights zero'}"
    )


def checked_sparsities(sparsities: Sequence[float], what: str = "sparsities") -> list[float]:
    """Rising shares above 0 and below 1. Parameters  what : they are called in errors"""
    given = [sparsities] if isinstance(sparsities, (int, float)) else list(sparsities)
    shares = [check_sparsity(share, f"each of {what}") for share in given]
    if not shares or sorted(set(shares)) != shares or shares[0] == 0:
        raise ParameterError(
            f"{what} must be rising shares of zeros, above 0 and below 1, such as 0.5, 0.8, 0.9. "
            f"Got {', '.join(f'{share:g}' for share in shares) or 'none'}."
        )
    return shares


@dataclass(frozen=True)
class _Held:
    """Samples that are not trained on. Parameters  as of ``evaluate``"""

    X: Any = field(repr=False)
    y: Any = field(repr=False)
    weight: Any = field(default=None, repr=False)


def _divide(
    network: Trainable, X: Any, y: Any, share: float, fit: Mapping[str, Any]
) -> tuple[tuple[tuple[Any, Any], dict[str, Any]], _Held]:
    """((X, y) to train on, arguments of the fit that go with them), and what is held out."""
    given = fit.get("validation_data")
    if given is not None:
        parts = (given, None) if isinstance(given, Batches) else tuple(given)
        return ((X, y), {"validation_data": None}), _Held(*parts)
    rng = np.random.default_rng(0)
    Interval(float, 0, 1, closed="neither").check("frontier", "held_out", share)
    if is_stream(X, y):
        if not (isinstance(X, Batches) and hasattr(X, "split")):
            raise ParameterError("frontier: of an iterator of batches nothing can be held out. Give validation_data=(X, y).")
        learned, held = X.split(share, rng)
        return ((learned, None), {}), _Held(held, None)
    if network.samples is not None:
        raise ParameterError(
            "frontier: the nodes of a graph are one sample. Give validation_data=(X, y_validation) with all nodes."
        )
    xs, ys = input_arrays(network, X), target_arrays(y, len(network.output_ids))
    weight = fit.get("sample_weight")
    samples = Samples.of(xs, ys, weight)
    labels = None
    if len(ys) == 1 and not isinstance(ys[0], Sequences) and ys[0].dtype.kind in "biu" and ys[0].size == len(ys[0]):
        flat = np.asarray(ys[0]).reshape(-1)
        labels = flat if np.unique(flat, return_counts=True)[1].max() > 1 else None
    rows = split_validation(len(samples), share, rng, labels)
    train, test = (samples.take(part) for part in rows)
    return ((train.X, train.y), {} if weight is None else {"sample_weight": train.weight}), _Held(
        test.X, test.y, test.weight
    )


def _count(X: Any, y: Any) -> int | None:
    """How many samples there are; None where that is not known."""
    if isinstance(X, Batches):
        return X.n_samples
    if y is None or is_stream(X, y):
        return None
    return len(y[0] if isinstance(y, list) else y)


def _settings(network: Trainable, fit: Mapping[str, Any], samples: int | None) -> FitSettings:
    """The settings of fine-tuning: those of the last fit, for fewer epochs, at a rate that falls to 0."""
    given = {"verbose": 0, "metrics": (), **{name: value for name, value in fit.items() if value is not None}}
    if "epochs" not in given:
        history = getattr(network, "history_", None)
        last = len(history.epochs) if history is not None and history.epochs else Session(network).last_settings().epochs
        batch = Session(network).settings(given).batch_size
        long_enough = math.ceil(_STEPS / math.ceil(samples / batch)) if samples else _FEWEST
        given["epochs"] = min(_MOST, max(_FEWEST, math.ceil(_SHARE * last), long_enough))
    settings = Session(network).settings(given)
    optimizer = settings.make_optimizer()
    if "learning_rate" not in given and not optimizer.full_batch:
        rate = optimizer.learning_rate
        if isinstance(rate, Schedule):
            schedule = copy.deepcopy(rate)
            schedule.bind(1)  # in steps or epochs, as it counts them
            rate = float(np.max(schedule(np.arange(1.0, 10_001.0))))
        if isinstance(rate, (int, float)):
            optimizer = copy.deepcopy(optimizer)
            optimizer.learning_rate = Cosine(float(rate), total=settings.epochs, unit="epochs")
            settings = settings.replace(optimizer=optimizer, learning_rate=None)
    return settings
