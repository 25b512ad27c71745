"""Statistics of a training at the steps that were sampled: of every layer's output, slope and gradient, and of every
update."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import NetworkGraph
from .rank import Rank
from .through_time import TimeChain

__all__ = ["CallInfo", "CallSample", "Moments", "ParameterSample", "Sample", "Statistics"]

Array = NDArray[Any]

#: Samples that keep the numbers of every unit; older ones keep those of the whole layer.
UNITS_KEPT = 24


@dataclass(frozen=True)
class Moments:
    """Of one array: how many elements it has, mean, standard deviation, least, largest, share of zeros, and norm √Σx².

    ``units`` holds (5, C): Σx, Σx², min, max and zeros of each unit (the last axis), None in old samples.
    """

    count: int
    mean: float
    std: float
    least: float
    largest: float
    zeros: float
    norm: float
    units: Array | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_all(cls, tables: Sequence[Array], counts: Sequence[int]) -> list[Moments]:
        """Those of several arrays, from their tables (5, C) as the op ``moments`` makes them; all in a few operations, as a
        probe has dozens of small ones.

        Parameters  counts : of elements in all, for each
        """
        if not tables:
            return []
        t = np.concatenate(tables, axis=1, dtype=np.float64)
        widths = np.array([table.shape[1] for table in tables])
        starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
        n = np.asarray(counts, np.float64)
        rows = np.maximum(1.0, n / widths)
        with np.errstate(all="ignore"):  # a run that diverges has infinities of both signs
            sums, squares, zeros = np.add.reduceat(t[[0, 1, 4]], starts, axis=1)
            least, largest = np.minimum.reduceat(t[2], starts), np.maximum.reduceat(t[3], starts)
            mean = sums / n
            # Σx² / m − mean² loses digits where the mean is large beside the deviation; the units' own means are closer.
            each = np.repeat(rows, widths)
            means = t[0] / each
            within = np.maximum(t[1] / each - means**2, 0.0)
            between = (means - np.repeat(np.add.reduceat(means, starts) / widths, widths)) ** 2
            std = np.sqrt(np.add.reduceat(within + between, starts) / widths)
            table = np.stack([mean, std, least, largest, zeros / n, np.sqrt(squares)], axis=1).tolist()
        return [
            cls(count, m, s, low, high, none, norm, units)
            for count, (m, s, low, high, none, norm), units in zip(counts, table, tables, strict=True)
        ]

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.norm))

    @property
    def rms(self) -> float:
        """√(Σx² / m)"""
        return self.norm / float(np.sqrt(self.count))

    def _per_unit(self, row: int) -> Array:
        assert self.units is not None
        found: Array = np.asarray(self.units[row], np.float64) * (self.units.shape[1] / self.count)
        return found

    @property
    def unit_means(self) -> Array:
        return self._per_unit(0)

    @property
    def unit_zeros(self) -> Array:
        """Share of zeros of each unit."""
        return self._per_unit(4)

    @property
    def unit_stds(self) -> Array:
        with np.errstate(all="ignore"):
            found: Array = np.sqrt(np.maximum(self._per_unit(1) - self._per_unit(0) ** 2, 0.0))
        return found

    def without_units(self) -> Moments:
        return Moments(self.count, self.mean, self.std, self.least, self.largest, self.zeros, self.norm)


@dataclass(frozen=True)
class CallInfo:
    """One use of a layer, as the statistics know it.

    Parameters
        key : its name, with "#2" for a second use ; name : of the layer ; kind : the name of its class
        role : of the layer, as it states it (``Layer.role``)
        inputs, output : numbers of tensors ; more : further outputs, the states of a recurrent layer
        parameters : their names ; frozen : whether they learn
    """

    key: str
    name: str
    kind: str
    role: str
    inputs: tuple[int, ...]
    output: int
    parameters: tuple[str, ...]
    frozen: bool
    layer: Any = field(repr=False, compare=False)
    more: tuple[int, ...] = ()

    @property
    def outputs(self) -> tuple[int, ...]:
        """All its outputs."""
        return (self.output, *self.more)


@dataclass(frozen=True)
class CallSample:
    """A use of a layer at one step.

    Parameters  output : of its output ; slope : of σ'(z), for activations ; gradient : of dJ/d(output) ;
                passed : of what it passes back to each input, None where it passes nothing or to the network's input ;
                states : of the gradient of each further output ; time : ‖∂J/∂hₜ‖ of every step of a recurrent layer (T,)
    """

    output: Moments | None
    slope: Moments | None
    gradient: Moments | None
    passed: tuple[Moments | None, ...]
    states: tuple[Moments | None, ...] = ()
    time: Array | None = field(default=None, repr=False, compare=False)

    @property
    def incoming(self) -> float | None:
        """The norm of the gradient of all outputs together; None where none reaches one of them."""
        norms = [m.norm for m in (self.gradient, *self.states) if m is not None]
        return math.hypot(*norms) if norms else None

    @property
    def several(self) -> bool:
        """Whether more than one output is given a gradient, as the sequence and the last state of a recurrent layer."""
        return sum(m is not None for m in (self.gradient, *self.states)) > 1


@dataclass(frozen=True)
class ParameterSample:
    """A parameter at one step: of its values, its gradient and the change that the step makes (None when not known)."""

    value: Moments
    gradient: Moments | None
    update: Moments | None

    @property
    def update_ratio(self) -> float | None:
        """|Δw| / |w|, the relative size of a step; None where it is not known or w is 0."""
        if self.update is None or self.value.norm == 0:
            return None
        return self.update.norm / self.value.norm


@dataclass(frozen=True)
class Sample:
    """All statistics of one step. Parameters  step : from 0 ; epoch : from 1 ; batch : samples ; learning_rate : of it"""

    step: int
    epoch: int
    batch: int
    loss: float
    learning_rate: float
    calls: dict[str, CallSample]
    parameters: dict[str, ParameterSample]

    def without_units(self) -> Sample:
        def bare(m: Moments | None) -> Moments | None:
            return None if m is None else m.without_units()

        calls = {
            key: CallSample(
                bare(c.output),
                bare(c.slope),
                bare(c.gradient),
                tuple(map(bare, c.passed)),
                tuple(map(bare, c.states)),
                c.time,
            )
            for key, c in self.calls.items()
        }
        parameters = {
            name: ParameterSample(p.value.without_units(), bare(p.gradient), bare(p.update))
            for name, p in self.parameters.items()
        }
        return Sample(self.step, self.epoch, self.batch, self.loss, self.learning_rate, calls, parameters)


class Statistics:
    """The samples of one training, in order.

    Parameters  network : built
    Attributes  calls : CallInfo in the order of computation, by key ; samples : Samples, old ones without units ;
                through_time : {step: {key of a recurrent layer: TimeChain}}, of the start and the end ;
                ranks : {step: {key of a layer with units, or of an activation: Rank}}, of the same
    """

    def __init__(self, network: NetworkGraph) -> None:
        self.calls: dict[str, CallInfo] = {}
        self.input_ids, self.output_ids = tuple(network.input_ids), tuple(network.output_ids)
        self.samples: list[Sample] = []
        self.through_time: dict[int, dict[str, TimeChain]] = {}
        self.ranks: dict[int, dict[str, Rank]] = {}
        uses: dict[str, int] = {}
        for one in network.calls:
            uses[one.name] = nth = uses.get(one.name, 0) + 1
            own = tuple(p for p in network.parameters if p.rpartition(".")[0] == one.name)
            key = one.name if nth == 1 else f"{one.name}#{nth}"
            self.calls[key] = CallInfo(
                key, one.name, type(one.layer).__name__, one.layer.role,
                one.inputs, one.output, own, one.name in network.frozen, one.layer, one.more,
            )  # fmt: skip

        #: What computes each tensor that is not an input of the network.
        self.makers = {i: call for call in self.calls.values() for i in call.outputs}
        #: Of each tensor, the layers on the longest path from an input: those with weights count more than all others.
        self.depth: dict[int, int] = {}
        for call in self.calls.values():
            below = max((self.depth.get(i, 0) for i in call.inputs), default=0)
            for i in call.outputs:
                self.depth[i] = below + 1 + len(self.calls) * (call.role == "weight")

    def of_output(self, number: int) -> Statistics:
        """The same statistics, for a look at one output alone."""
        found = copy.copy(self)
        found.output_ids = self.output_ids[number : number + 1]
        return found

    def add(self, step: int, epoch: int, batch: int, learning_rate: float, found: Mapping[str, Array], sizes: Any) -> Sample:
        """Takes in what a probe computed.

        Parameters  found : the outputs of ``lower_statistics`` ; sizes : {name: number of elements} of what each is about
        """
        names = list(sizes)
        moments = dict(zip(names, Moments.of_all([found[n] for n in names], [sizes[n] for n in names]), strict=True)).get
        calls = {}
        for n, info in enumerate(self.calls.values()):
            passed = tuple(moments(f"dx.{n}.{i}") for i in range(len(info.inputs)))
            states = tuple(moments(f"dy.{n}.{j}") for j in range(1, len(info.outputs)))
            with np.errstate(all="ignore"):
                time = np.sqrt(found[f"time.{n}"], dtype=np.float64) if f"time.{n}" in found else None
            calls[info.key] = CallSample(moments(f"y.{n}"), moments(f"slope.{n}"), moments(f"dy.{n}"), passed, states, time)
        parameters = {}
        for name in (name[2:] for name in found if name.startswith("w.")):
            value = moments(f"w.{name}")
            assert value is not None
            parameters[name] = ParameterSample(value, moments(f"d.{name}"), moments(f"u.{name}"))
        sample = Sample(step, epoch, batch, float(found["loss"]), learning_rate, calls, parameters)
        if len(self.samples) >= UNITS_KEPT:
            old = len(self.samples) - UNITS_KEPT
            # The first sample keeps its units: it shows the start.
            if old:
                self.samples[old] = self.samples[old].without_units()
        self.samples.append(sample)
        return sample

    @property
    def last(self) -> Sample | None:
        return self.samples[-1] if self.samples else None

    def nearest(self, step: int | None) -> Sample | None:
        """The sample nearest to a step, the last one for None."""
        if step is None or not self.samples:
            return self.last
        return min(self.samples, key=lambda s: abs(s.step - step))

    def chains_through_time(self, step: int | None = None) -> dict[str, TimeChain]:
        """Those taken nearest to a step, the last ones for None; empty where there are none."""
        known = self.through_time
        if not known:
            return {}
        return known[max(known) if step is None else min(known, key=lambda s: abs(s - step))]

    def rank(self, key: str, *, start: bool = False) -> Rank | None:
        """That of a layer at the end, or at the start; None where it is not known."""
        known = self.ranks
        return known[(min if start else max)(known)].get(key) if known else None

    def of_role(self, *roles: str) -> list[CallInfo]:
        """The calls with one of these roles, in order."""
        return [c for c in self.calls.values() if c.role in roles]

    def gradient_norms(self) -> tuple[list[int], list[str], Array]:
        """(steps, keys of the calls with weights, norms (steps, calls)) of dz, for a picture over time."""
        keys = [c.key for c in self.of_role("weight")]
        table = [[np.nan if (g := s.calls[key].incoming) is None else g for key in keys] for s in self.samples]
        return [s.step for s in self.samples], keys, np.array(table, np.float64).reshape(len(self.samples), len(keys))

    def dead_units(self) -> dict[str, float]:
        """{key of an activation: share of units whose slope was 0 for every sample of the last steps sampled}."""
        found = {}
        for call in self.of_role("activation"):
            silent = self.silent_units(call.key)
            if silent is not None:
                found[call.key] = float(silent.mean())
        return found

    def narrowest(self) -> int | None:
        """Numbers of one sample in the narrowest layer; None where a way leads around a layer, or nothing was sampled."""
        if not self.samples or len(self.input_ids) > 1 or any(len(c.inputs) > 1 for c in self.calls.values()):
            return None
        sample = self.samples[0]
        sizes = [c.output.count // sample.batch for c in sample.calls.values() if c.output is not None]
        return min(sizes, default=None)

    def silent_units(self, key: str, window: int = 8) -> Array | None:
        """Of each unit, whether σ'(z) was 0 for every sample in the last steps sampled; None where it is not known."""
        tables = [s.calls[key].slope for s in self.samples[-window:]]
        known = [t.unit_zeros for t in tables if t is not None and t.units is not None]
        if not known:
            return None
        silent: Array = np.min(known, axis=0) >= 1.0
        return silent
