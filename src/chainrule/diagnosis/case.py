"""What rules look at: one network, its data, and what its training has shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..losses import Loss
from ..network import NetworkGraph
from ..optimizers import Optimizer
from .chain import Chain, chain_of
from .data_facts import DataFacts
from .outcome import Outcome
from .reference import SAMPLES
from .statistics import CallInfo, Sample, Statistics

__all__ = ["WINDOW", "Case"]

Array = NDArray[Any]
#: How many of the last samples a symptom has to persist in.
WINDOW = 8
#: Roles of layers that pass on the numbers that they are given.
_PASSING_ON = ("regularisation", "reshaping")


@dataclass
class Case:
    """One network on its data.

    Parameters
        network : the network as it is now ; losses : one for each output, empty where no loss fits
        optimizer : the optimizer of the training, or None ; data : facts about inputs and targets
        statistics : those of the sampled steps, empty where no step was run
        history : {name: one number an epoch} ; batch_size, epochs, shuffle : as in the training
        steps : how many steps were done ; outcome : the result of the training
        outputs : what the network gives for ``data.rows``, raw, as in prediction; None where it is not known
        fault : {"error": text, "place": text} of an error that ended the training
        fresh : whether the statistics begin with the start weights
        hold_out : a function that trains a copy of the network without some samples, and returns the score of the copy on
            these samples and their number
        by_output : for a network with several outputs, one case for each output, in which it is the only one
        seen : the data that the facts were computed from
    """

    network: NetworkGraph
    losses: Sequence[Loss]
    optimizer: Optimizer | None
    data: DataFacts
    statistics: Statistics
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int = 1
    shuffle: bool = True
    steps: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    outputs: Array | None = None
    fault: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = True
    hold_out: Callable[[], tuple[float, int]] | None = None
    by_output: Sequence[Case] = ()
    seen: Any = None

    # ------------------------------------------------------------ samples

    @property
    def samples(self) -> list[Sample]:
        return self.statistics.samples

    @property
    def first(self) -> Sample | None:
        return self.samples[0] if self.samples else None

    @cached_property
    def window(self) -> list[Sample]:
        """The last samples with a finite loss."""
        return [s for s in self.samples if math.isfinite(s.loss)][-WINDOW:]

    @cached_property
    def chains(self) -> list[Chain]:
        """The chain of gains at each sample of the window."""
        return [chain_of(self.statistics, s.step) for s in self.window]

    def persistent(self, flags: Sequence[bool]) -> bool:
        """Whether something held in more than half of the samples of the window, the last sample among them."""
        return bool(flags) and flags[-1] and 2 * sum(flags) > len(flags)

    def lasting(self, holds: Callable[[Sample], bool], share: float = 0.5) -> bool:
        """Whether something held in more than this share of all steps. A sample stands for all steps up to the next
        sample."""
        finite = [s for s in self.samples if math.isfinite(s.loss)]
        if not finite:
            return False
        ends = [*(s.step for s in finite[1:]), max(self.steps, finite[-1].step + 1)]
        lengths = [end - s.step for s, end in zip(finite, ends, strict=True)]
        good = sum(n for s, n in zip(finite, lengths, strict=True) if holds(s))
        return good > share * sum(lengths)

    # ------------------------------------------------------------ structure

    @property
    def loss(self) -> Loss | None:
        return self.losses[0] if self.losses else None

    @cached_property
    def rate(self) -> float:
        """The learning rate of the first sampled step; that of the optimizer where no step was sampled."""
        if self.samples:
            return self.samples[0].learning_rate
        return float(self.optimizer.rates(np.array([1.0]))[0]) if self.optimizer is not None else math.nan

    @cached_property
    def path(self) -> list[CallInfo]:
        """The calls on the path from an input to the output that passes the most layers with weights."""
        makers, depth = self.statistics.makers, self.statistics.depth
        ends = [i for i in self.statistics.output_ids if i in makers]
        if not ends:
            return []
        at, found = max(ends, key=lambda i: depth[i]), []
        while at in makers:
            found.append(makers[at])
            at = max(makers[at].inputs, key=lambda i: depth.get(i, -1))
        return found[::-1]

    @cached_property
    def last_call(self) -> CallInfo | None:
        """The call that makes the first output, seen through layers that only reshape or drop."""
        makers = self.statistics.makers
        at = self.statistics.output_ids[0] if self.statistics.output_ids else -1
        while at in makers and makers[at].role in _PASSING_ON:
            at = makers[at].inputs[0]
        return makers.get(at)

    @cached_property
    def hidden_activations(self) -> list[CallInfo]:
        """All activations but the one that makes the output."""
        last = self.last_call
        return [c for c in self.statistics.of_role("activation") if last is None or c.key != last.key]

    @cached_property
    def weighted(self) -> list[CallInfo]:
        """The calls with weights on the path."""
        return [c for c in self.path if c.role == "weight"]

    def users(self, call: CallInfo) -> list[CallInfo]:
        """The calls that read an output of this one."""
        return [c for c in self.statistics.calls.values() if not set(call.outputs).isdisjoint(c.inputs)]

    def following(self, call: CallInfo, *roles: str) -> CallInfo | None:
        """The first call after this one that has one of these roles and stands before the next layer with weights; None
        where there is none."""
        at = call
        while True:
            users = self.users(at)
            if not users:
                return None
            at = users[0]
            if at.role in roles:
                return at
            if at.role in ("weight", "join"):
                return None

    def weight(self, call: CallInfo) -> str | None:
        """The name of the parameter that multiplies the input of the call: its largest one with several axes."""
        arrays = {p: self.network.parameters.entries[p] for p in call.parameters}
        names = [p for p, e in arrays.items() if len(e.shape) > 1]
        return max(names, key=lambda p: arrays[p].size) if names else None

    @property
    def dropouts(self) -> list[CallInfo]:
        """Calls that drop a share ``rate`` of what they are given."""
        return [c for c in self.statistics.of_role("regularisation") if hasattr(c.layer, "rate")]

    # ------------------------------------------------------------ how it went

    @cached_property
    def update_ratios(self) -> list[float]:
        """For each sample, the median of |Δw| / |w| over the weights."""
        found = []
        for s in self.samples:
            ratios = [p.update_ratio for name, p in s.parameters.items() if self.network.parameters.entries[name].decay]
            known = [r for r in ratios if r is not None and math.isfinite(r)]
            if known:
                found.append(float(np.median(known)))
        return found

    @cached_property
    def update_ratio(self) -> float:
        """The median of ``update_ratios`` over all samples; NaN where there are none."""
        return float(np.median(self.update_ratios)) if self.update_ratios else math.nan

    @cached_property
    def epoch_losses(self) -> Array:
        return np.asarray(self.history.get("loss", ()), np.float64)

    def _ratios(self, sample: Sample) -> list[float]:
        """|Δw| / |w| of each weight. |w| counts as at least the norm that Glorot's law would give, so that the steps of
        weights that start near 0 do not seem to be large."""
        found = []
        for name, p in sample.parameters.items():
            e = self.network.parameters.entries[name]
            if p.update is None or not e.decay or len(e.shape) < 2:
                continue
            if p.gradient is not None and p.gradient.norm == 0:
                continue  # the weight stays where it is because it has no gradient, not because of the step size
            fan_in, fan_out = e.size // e.shape[-1], e.shape[-1]
            law = math.sqrt(2 / (fan_in + fan_out) * e.size)
            found.append(p.update.norm / max(p.value.norm, law))
        return found

    @cached_property
    def step_ratios(self) -> list[float]:
        """For each sample, the median of |Δw| / |w| over the weights."""
        return [float(np.median(r)) for s in self.samples if (r := self._ratios(s))]

    @cached_property
    def median_step_ratio(self) -> float:
        return float(np.nanmedian(self.step_ratios)) if self.step_ratios else math.nan

    @cached_property
    def fastest_ratio(self) -> float:
        """|Δw| / |w| of the weight that moves most, exceeded in a tenth of the samples; NaN where it is not known."""
        found = [max(r) for s in self.samples if (r := self._ratios(s))]
        return float(np.quantile(found, 0.9)) if found else math.nan

    @cached_property
    def gradient_zero(self) -> bool:
        """Whether the gradient of every parameter was exactly 0 in all samples of the window."""
        norms = [p.gradient.norm for s in self.window for p in s.parameters.values() if p.gradient is not None]
        return bool(norms) and max(norms) == 0

    @cached_property
    def rising(self) -> bool:
        """Whether the loss ended above its start, and above the loss of the best constant output, by more than a tenth."""
        o = self.outcome
        if not (math.isfinite(o.final) and math.isfinite(o.start)):
            return False
        most = max(o.start, o.baseline) if math.isfinite(o.baseline) else o.start
        return o.final > most + 0.1 * abs(most)

    @cached_property
    def oscillating(self) -> bool:
        """Whether the loss rose by more than a twentieth in at least a third of the epochs of the second half."""
        losses = self.epoch_losses
        second = losses[len(losses) // 2 :]
        if len(second) < 4 or not np.isfinite(second).all():
            return False
        rises = np.diff(second) > 0.05 * np.abs(second[:-1])
        return bool(rises.mean() >= 1 / 3)

    @cached_property
    def noisy_training(self) -> bool:
        """Whether the loss in training, with Dropout at work, stayed above seven tenths of that of the best constant
        output."""
        o = self.outcome
        return math.isfinite(o.final) and math.isfinite(o.baseline) and o.final > 0.7 * o.baseline

    def units(self, call: CallInfo) -> int:
        """How many units a call with weights has: the size of the last axis of its weight; 0 where it has no weight."""
        name = self.weight(call)
        return 0 if name is None else self.network.parameters.entries[name].shape[-1]

    @cached_property
    def passages(self) -> list[tuple[int, CallInfo]]:
        """(units, call) of the hidden layers that the whole signal of a sample has to pass: layers whose output is one
        vector, recurrent layers, whose state is all that is kept from step to step, and convolutions whose channels are
        pooled over all places."""
        found = []
        for call in self.weighted[:-1]:
            units = self.units(call)
            if call.layer.recurrence is not None:
                units = int(call.layer.units)
            elif call.layer.index_limit() is not None or call.layer.arity != 1:
                continue
            elif not call.layer.stepwise and not self._vector(call):
                pooled = self.following(call, "pooling")
                if pooled is None or not self._vector(pooled):
                    continue
            if units:
                found.append((units, call))
        return found

    def _vector(self, call: CallInfo) -> bool:
        """Whether the output of one sample has a number for each unit and no other axis."""
        sample = self.first
        y = None if sample is None else sample.calls[call.key].output
        return y is not None and y.units is not None and sample is not None and y.count == sample.batch * y.units.shape[1]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one sample of the output that this case is about (the first output where there are several); () where
        the network is not built."""
        shapes = dict(zip(self.network.output_ids, self.network.output_shapes, strict=False))
        found: tuple[int, ...] = next((shapes[i] for i in self.statistics.output_ids if i in shapes), ())
        return found

    @property
    def outputs_count(self) -> int:
        """How many numbers the output of one sample has."""
        return int(np.prod([s for s in self.output_shape if s > 0]))

    @cached_property
    def settled(self) -> bool:
        """Whether the loss has settled: over the last quarter of the epochs it fell by less than a two-hundredth an
        epoch."""
        losses = self.epoch_losses
        if len(losses) < 8 or not np.isfinite(losses).all():
            return False
        quarter = len(losses) // 4
        before, after = float(losses[-2 * quarter : -quarter].mean()), float(losses[-quarter:].mean())
        return before - after < 0.005 * quarter * abs(before)

    def before(self, key: str) -> CallInfo | None:
        """The call with weights that comes before an activation."""
        makers = self.statistics.makers
        at = makers.get(self.statistics.calls[key].inputs[0])
        while at is not None and at.role != "weight":
            at = makers.get(at.inputs[0])
        return at

    def negative_bias(self, key: str) -> float | None:
        """The mean of the start biases before an activation, where it is clearly below 0; None where it is not, and where
        it is not known."""
        call = self.before(key)
        if call is None or self.first is None or not self.fresh:
            return None
        for name in call.parameters:
            sample = self.first.parameters.get(name)
            if sample is not None and len(self.network.parameters.entries[name].shape) == 1 and sample.value.mean < -0.5:
                return sample.value.mean
        return None

    def silent_at_start(self, key: str) -> float | None:
        """The share of the units whose slope was 0 for every sample of the first sampled step; None where it is not
        known."""
        if self.first is None:
            return None
        slope = self.first.calls[key].slope
        if slope is None or slope.units is None:
            return None
        return float((slope.unit_zeros >= 1.0).mean())

    def bypassed(self, key: str) -> bool:
        """Whether the network has a join, such as a residual one, by which a gradient can pass around a call."""
        return any(c.role == "join" for c in self.statistics.calls.values())

    def held_out_score(self) -> tuple[float, float]:
        """The score on samples that were not trained on, and its standard error; NaN where the score cannot be known."""
        reference = self.data.reference
        if reference is None:
            return math.nan, 0.0
        n = len(self.data.validation[0][0]) if self.data.validation is not None else 0
        if math.isfinite(self.outcome.validation) and n >= 20:
            return self.outcome.validation, self._error_of(n)
        if self.hold_out is None:
            return math.nan, 0.0
        score, count = self.hold_out()
        return score, self._error_of(max(1, count))

    def _error_of(self, count: int) -> float:
        """The error that ``Reference.error`` would be for a score on ``count`` samples: ∝ 1 / √n for accuracy, ∝ 1 / n for
        R²."""
        assert self.data.reference is not None
        scale = min(len(self.data.rows), SAMPLES) / count
        return self.data.reference.error * (math.sqrt(scale) if self.data.classification else scale)

    def rarest_recall(self) -> float:
        """The share of the samples of the rarest class that the network recognises; NaN where it is not known."""
        labels, loss, z = self.data.class_labels, self.loss, self.outputs
        if labels is None or loss is None or z is None or not np.isfinite(z).all():
            return math.nan
        values, counts = np.unique(labels, return_counts=True)
        rare, here = values[counts.argmin()], labels[self.data.rows]
        if z.ndim == 2 and z.shape[1] > 1:
            said = z.argmax(axis=1)
        elif loss.threshold is not None and z.size == len(here):
            said = np.where(z.reshape(-1) > loss.threshold, values.max(), values.min())
        else:
            return math.nan
        return float((said[here == rare] == rare).mean()) if (here == rare).any() else math.nan

    @property
    def harmed(self) -> bool:
        """Whether the training ended clearly worse than it should have."""
        return self.outcome.poor

    @cached_property
    def harmed_unseen(self) -> bool:
        """Whether the network tells classes apart clearly worse than a simple model does, each on samples that it has not
        seen."""
        reference = self.data.reference
        if reference is None or not self.outcome.classes or not self.outcome.complete or not reference.informative:
            return False
        score, _ = self.held_out_score()
        n = len(self.data.validation[0][0]) if self.data.validation is not None else max(20, self.data.samples // 5)
        spread = math.sqrt(max(reference.best * (1 - reference.best), 1e-4) / n)
        return math.isfinite(score) and score < reference.best - 3 * spread - 0.02

    def severity(self, when_harmed: str = "error", otherwise: str = "note") -> str:
        """The severity of a fault that matters only where the training has suffered from it."""
        return when_harmed if self.harmed else otherwise

    def require(self, what: str) -> None:
        """Raises the ParameterError of a rule that cannot be checked, because the case lacks what it needs."""
        raise ParameterError(f"the case has no {what}.")
