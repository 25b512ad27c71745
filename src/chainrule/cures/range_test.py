"""The range test: how large the learning rate may be, found in some dozens of steps."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import POSITIVE, Interval
from ..errors import DivergenceError, ParameterError
from ..training import FitSettings, Session
from ..training.intake import choose_losses, several, target_arrays
from ..training.samples import Samples
from ..training.trainable import Trainable

__all__ = ["RangeTest", "range_test"]

Array = NDArray[Any]
#: The moving average of the losses, and how far above the least one of them the test ends.
_SMOOTHING, _BLOWN_UP = 0.8, 4.0


@dataclass(frozen=True)
class RangeTest:
    """The losses of one run in which the rate grows from step to step.

    Attributes
        rates, losses : of each step, losses as a moving average ; diverged : whether it ended in numbers that are not finite
        suggested : a tenth of the rate at the least loss, less the steps by which the average lags; None when the loss never
            fell by more than batches differ, or was still falling when the time was over
    """

    rates: list[float]
    losses: list[float]
    diverged: bool
    suggested: float | None

    def __str__(self) -> str:
        found = "the loss never fell" if self.suggested is None else f"suggested learning rate {self.suggested:.2g}"
        return f"range test from {self.rates[0]:.1g} to {self.rates[-1]:.1g} in {len(self.rates)} steps: {found}"


def range_test(
    network: Trainable,
    X: Any,
    y: Any,
    *,
    loss: Any = None,
    optimizer: Any = "adam",
    batch_size: int = 32,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    seed: int = 0,
    sample_weight: Any = None,
    **fit: Any,
) -> RangeTest:
    """Trains a copy of the network with a rate that grows by the same factor at each step, ``ηₜ = η₀ (η₁/η₀)^(t/T)``.

    Parameters
        network : a Network, which stays as it is ; X, y : arrays or Sequences, of a graph all nodes ; sample_weight : (N,)
        loss, optimizer, batch_size and others : as in fit ; lowest, highest : rates, 0 < lowest < highest ;
        steps : int >= 10 ; seed : of the order of the samples
    Raises      ParameterError for bad arguments ; what ``fit`` raises for bad data
    References  Smith, Cyclical learning rates for training neural networks, WACV 2017, section 3.3

    Example
        >>> from chainrule import Dense, Network
        >>> X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
        >>> found = range_test(Network([Dense(1)], random_state=0), X, X.sum(axis=1), optimizer="sgd")
        >>> 0.001 < found.suggested < 1
        True
    """
    graph, ys = network.samples is not None, target_arrays(y, len(network.output_ids))
    xs = [x if hasattr(x, "shape") else np.asarray(x) for x in several(X, len(network.input_ids), "X", "input")]
    unlabelled = [one.ignore_label for one in choose_losses(loss, ys, network)] if graph else []
    samples = Samples.of(xs, ys, sample_weight, graph=graph, unlabelled=unlabelled)
    named = {"loss": loss, "optimizer": optimizer, "batch_size": batch_size}
    settings = FitSettings.of({**{name: value for name, value in named.items() if value is not None}, **fit})
    return rates_of(network, samples, settings, lowest=lowest, highest=highest, steps=steps, seed=seed)


def rates_of(
    network: Trainable,
    samples: Samples,
    settings: FitSettings,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    seed: int = 0,
    seconds: float = math.inf,
) -> RangeTest:
    """``range_test`` of samples of any kind. Parameters  settings : of the fit ; seconds : after which no step is begun"""
    lowest = POSITIVE.check("range_test", "lowest", lowest)
    highest = Interval(float, lowest, closed="neither").check("range_test", "highest", highest)
    steps = Interval(int, 10).check("range_test", "steps", steps)
    session = Session.of(copy.deepcopy(network))
    chosen = settings.make_optimizer()
    if chosen.full_batch:
        raise ParameterError(f"range_test: {chosen.name} finds its step by a search of its own.")
    n, batch = len(samples), min(settings.batch_size, len(samples))
    # The first step begins a training; those after it go on with its loss and its optimizer, at other rates.
    first = settings.only("objective", "machine").replace(optimizer=chosen, batch_size=batch, shuffle=False)
    others = FitSettings.of({"batch_size": batch, "shuffle": False, "class_weight": settings.class_weight})
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(n) for _ in range(math.ceil(steps * batch / n))])
    rates = np.geomspace(lowest, highest, steps)
    found: list[float] = []
    average, diverged, late, deadline = 0.0, False, False, time.perf_counter() + seconds
    for i, rate in enumerate(rates):
        if time.perf_counter() > deadline:
            late = True
            break
        # A step of a graph is of all its nodes.
        some = samples if samples.nodes is not None else samples.take(order[i * batch : (i + 1) * batch])
        try:
            step = (first if i == 0 else others).replace(learning_rate=float(rate), sample_weight=some.weight)
            history = session.partial_fit(some.X, some.y, step)
        except DivergenceError:
            diverged = True
            break
        average = _SMOOTHING * average + (1 - _SMOOTHING) * history["loss"][-1]
        found.append(average / (1 - _SMOOTHING ** (i + 1)))
        # The first losses are those of start weights; only after some is it known that they do not just scatter.
        if i >= 10 and not found[-1] < _BLOWN_UP * abs(min(found)) + 1e-12:
            break
    return RangeTest([float(r) for r in rates[: len(found)]], found, diverged, _suggest(rates, found, late))


def _suggest(rates: Array, losses: list[float], late: bool) -> float | None:
    if len(losses) < 20:
        return None
    lag = round(_SMOOTHING / (1 - _SMOOTHING))
    # At the first rates nothing moves: their losses tell how much batches differ.
    first = np.asarray(losses[5:15])
    lowest = int(np.argmin(losses))
    fall = float(first.mean()) - losses[lowest]
    if lowest < 10 or not fall > max(2 * float(first.std()), 1e-3 * abs(float(first.mean()))):
        return None
    if late and lowest >= len(losses) - 1 - lag:
        return None
    return float(f"{float(rates[lowest - lag]) / 10:.2g}")
