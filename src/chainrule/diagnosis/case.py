"""All that rules look at: one network, its data, and what its training showed."""

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
#: Samples at the end that a symptom has to persist over.
WINDOW = 8
#: Roles of layers that pass on the numbers that they are given.
_PASSING_ON = ("regularisation", "reshaping")


@dataclass
class Case:
    """One network on its data.

    Parameters
        network : as it is now ; losses : one for each output, empty where none fits ; optimizer : or None
        data : facts ; statistics : of the steps sampled, empty when none was run
        history : {name: one number an epoch} ; batch_size, epochs, shuffle : of the training ; steps : that were done
        outcome : of the training ; outputs : of the network for ``data.rows``, raw, as in prediction; None when not known
        fault : {"error": text, "place": text} of an error that ended it ; fresh : whether the statistics begin at the start
            weights ; hold_out : trains a copy without some samples, and gives (its score on those, how many there are)
        by_output : with several outputs one case for each, in which it is the only one ; seen : what the facts came from
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
        """The last samples whose numbers are finite."""
        return [s for s in self.samples if math.isfinite(s.loss)][-WINDOW:]

    @cached_property
    def chains(self) -> list[Chain]:
        """The chains of the window."""
        return [chain_of(self.statistics, s.step) for s in self.window]

    def persistent(self, flags: Sequence[bool]) -> bool:
        """Whether something held in more than half of the window, the last sample among them."""
        return bool(flags) and flags[-1] and 2 * sum(flags) > len(flags)

    def lasting(self, holds: Callable[[Sample], bool], share: float = 0.5) -> bool:
        """Whether something held in more than this share of all steps; a sample stands for those up to the next one."""
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
        """The learning rate of the first sampled step, or of the optimizer."""
        if self.samples:
            return self.samples[0].learning_rate
        return float(self.optimizer.rates(np.array([1.0]))[0]) if self.optimizer is not None else math.nan

    @cached_property
    def path(self) -> list[CallInfo]:
        """The calls from the input to the output with the most layers with weights."""
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
        """Activations other than the last call."""
        last = self.last_call
        return [c for c in self.statistics.of_role("activation") if last is None or c.key != last.key]

    @cached_property
    def weighted(self) -> list[CallInfo]:
        """Calls with weights, along the path."""
        return [c for c in self.path if c.role == "weight"]

    def users(self, call: CallInfo) -> list[CallInfo]:
        return [c for c in self.statistics.calls.values() if not set(call.outputs).isdisjoint(c.inputs)]

    def following(self, call: CallInfo, *roles: str) -> CallInfo | None:
        """The first call of one of these roles after this one, before the next layer with weights; None where there is
        none."""
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
        """Name of the call's parameter that multiplies its input: the one with the most dimensions."""
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
        """Of each sample, the median over the weights of |Δw| / |w|."""
        found = []
        for s in self.samples:
            ratios = [p.update_ratio for name, p in s.parameters.items() if self.network.parameters.entries[name].decay]
            known = [r for r in ratios if r is not None and math.isfinite(r)]
            if known:
                found.append(float(np.median(known)))
        return found

    @cached_property
    def update_ratio(self) -> float:
        """The median of ``update_ratios`` over all samples; NaN where it is not known."""
        return float(np.median(self.update_ratios)) if self.update_ratios else math.nan

    @cached_property
    def epoch_losses(self) -> Array:
        return np.asarray(self.history.get("loss", ()), np.float64)

    def _ratios(self, sample: Sample) -> list[float]:
        """|Δw| / |w| of each weight; |w| is at least what Glorot's law would give it, so that weights that start near 0 do
        not seem to make large steps."""
        found = []
        for name, p in sample.parameters.items():
            e = self.network.parameters.entries[name]
            if p.update is None or not e.decay or len(e.shape) < 2:
                continue
            if p.gradient is not None and p.gradient.norm == 0:
                continue  # it is not the step size that keeps it where it is
            fan_in, fan_out = e.size // e.shape[-1], e.shape[-1]
            law = math.sqrt(2 / (fan_in + fan_out) * e.size)
            found.append(p.update.norm / max(p.value.norm, law))
        return found

    @cached_property
    def step_ratios(self) -> list[float]:
        """Of each sample, the median over the weights of |Δw| / |w|."""
        return [float(np.median(r)) for s in self.samples if (r := self._ratios(s))]

    @cached_property
    def median_step_ratio(self) -> float:
        return float(np.nanmedian(self.step_ratios)) if self.step_ratios else math.nan

    @cached_property
    def fastest_ratio(self) -> float:
        """|Δw| / |w| of the weight that moves most, at the fastest tenth of the samples; NaN where it is not known."""
        found = [max(r) for s in self.samples if (r := self._ratios(s))]
        return float(np.quantile(found, 0.9)) if found else math.nan

    @cached_property
    def gradient_zero(self) -> bool:
        """Whether the gradient of every parameter was exactly 0 in the window."""
        norms = [p.gradient.norm for s in self.window for p in s.parameters.values() if p.gradient is not None]
        return bool(norms) and max(norms) == 0

    @cached_property
    def rising(self) -> bool:
        """Whether the loss ended above its start, and above that of the best constant, by more than a tenth."""
        o = self.outcome
        if not (math.isfinite(o.final) and math.isfinite(o.start)):
            return False
        most = max(o.start, o.baseline) if math.isfinite(o.baseline) else o.start
        return o.final > most + 0.1 * abs(most)

    @cached_property
    def oscillating(self) -> bool:
        """Whether the loss of epochs rose by more than a twentieth in a third of the second half."""
        losses = self.epoch_losses
        second = losses[len(losses) // 2 :]
        if len(second) < 4 or not np.isfinite(second).all():
            return False
        rises = np.diff(second) > 0.05 * np.abs(second[:-1])
        return bool(rises.mean() >= 1 / 3)

    @cached_property
    def noisy_training(self) -> bool:
        """Whether the loss in training is far above what the network does without Dropout: more than twice as far as it
        fell."""
        o = self.outcome
        return math.isfinite(o.final) and math.isfinite(o.baseline) and o.final > 0.7 * o.baseline

    def units(self, call: CallInfo) -> int:
        """Units of a call with weights: the size of the last axis of its weight; 0 where it has none."""
        name = self.weight(call)
        return 0 if name is None else self.network.parameters.entries[name].shape[-1]

    @cached_property
    def passages(self) -> list[tuple[int, CallInfo]]:
        """(units, call) of the hidden layers that all of a sample's signal passes at once: dense layers, recurrent layers,
        whose state is all that is kept from step to step, and convolutions whose channels are pooled over all places."""
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
        return y is not None and y.units is not None and y.count == sample.batch * y.units.shape[1]  # type: ignore[union-attr]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one sample of the output that this case is of, the first one where there are several; () when not built."""
        shapes = dict(zip(self.network.output_ids, self.network.output_shapes, strict=False))
        found: tuple[int, ...] = next((shapes[i] for i in self.statistics.output_ids if i in shapes), ())
        return found

    @property
    def outputs_count(self) -> int:
        """Numbers that the output has."""
        return int(np.prod([s for s in self.output_shape if s > 0]))

    @cached_property
    def settled(self) -> bool:
        """Whether the loss hardly fell any more: by less than a two-hundredth an epoch over the last quarter of them."""
        losses = self.epoch_losses
        if len(losses) < 8 or not np.isfinite(losses).all():
            return False
        quarter = len(losses) // 4
        before, after = float(losses[-2 * quarter : -quarter].mean()), float(losses[-quarter:].mean())
        return before - after < 0.005 * quarter * abs(before)

    def before(self, key: str) -> CallInfo | None:
        """The call with weights that an activation follows."""
        makers = self.statistics.makers
        at = makers.get(self.statistics.calls[key].inputs[0])
        while at is not None and at.role != "weight":
            at = makers.get(at.inputs[0])
        return at

    def negative_bias(self, key: str) -> float | None:
        """The mean start bias before an activation where it lies clearly below 0; None where it does not, or is not
        known."""
        call = self.before(key)
        if call is None or self.first is None or not self.fresh:
            return None
        for name in call.parameters:
            sample = self.first.parameters.get(name)
            if sample is not None and len(self.network.parameters.entries[name].shape) == 1 and sample.value.mean < -0.5:
                return sample.value.mean
        return None

    def silent_at_start(self, key: str) -> float | None:
        """The share of units whose slope was 0 for all samples of the first step sampled."""
        if self.first is None:
            return None
        slope = self.first.calls[key].slope
        if slope is None or slope.units is None:
            return None
        return float((slope.unit_zeros >= 1.0).mean())

    def bypassed(self, key: str) -> bool:
        """Whether a residual join leads around a call."""
        return any(c.role == "join" for c in self.statistics.calls.values())

    def held_out_score(self) -> tuple[float, float]:
        """(score on samples that were not trained on, its standard error); NaN where it cannot be known."""
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
        """``Reference.error`` for the score of so many samples: of accuracy ∝ 1 / √n, of R² ∝ 1 / n."""
        assert self.data.reference is not None
        scale = min(len(self.data.rows), SAMPLES) / count
        return self.data.reference.error * (math.sqrt(scale) if self.data.classification else scale)

    def rarest_recall(self) -> float:
        """The share of the rarest class's samples that the network finds; NaN where it is not known."""
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
        """Whether the training went clearly worse than it should."""
        return self.outcome.poor

    @cached_property
    def harmed_unseen(self) -> bool:
        """Whether the network tells classes apart clearly worse than a simple model does, both on samples they have not
        seen."""
        reference = self.data.reference
        if reference is None or not self.outcome.classes or not self.outcome.complete or not reference.informative:
            return False
        score, _ = self.held_out_score()
        n = len(self.data.validation[0][0]) if self.data.validation is not None else max(20, self.data.samples // 5)
        spread = math.sqrt(max(reference.best * (1 - reference.best), 1e-4) / n)
        return math.isfinite(score) and score < reference.best - 3 * spread - 0.02

    def severity(self, when_harmed: str = "error", otherwise: str = "note") -> str:
        """How grave something is that only matters when the training suffers."""
        return when_harmed if self.harmed else otherwise

    def require(self, what: str) -> None:
        """ParameterError for a rule that cannot be checked here."""
        raise ParameterError(f"the case has no {what}.")
