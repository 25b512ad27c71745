"""Statistics of a training at the sampled steps: of the output, the slope and the gradient of every layer, and of every
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

#: How many of the newest samples keep a number for every unit; older samples keep one number for the whole layer.
UNITS_KEPT = 24


@dataclass(frozen=True)
class Moments:
    """Moments of one array: its number of elements, mean, standard deviation, minimum, maximum, share of zeros, and norm
    √Σx².

    ``units`` is a table (5, C) with Σx, Σx², minimum, maximum and zeros of each unit (the last axis); None in old samples.
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
        """The moments of several arrays, from the tables (5, C) that the op ``moments`` makes. All tables are taken
        together, because a probe has dozens of small ones.

        Parameters  counts : the number of elements of each array
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
        """The root mean square √(Σx² / m)."""
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
        """The share of zeros of each unit."""
        return self._per_unit(4)

    @property
    def unit_stds(self) -> Array:
        with np.errstate(all="ignore"):
            found: Array = np.sqrt(np.maximum(self._per_unit(1) - self._per_unit(0) ** 2, 0.0))
        return found

    def without_units(self) -> Moments:
        """The same moments without the table of units."""
        return Moments(self.count, self.mean, self.std, self.least, self.largest, self.zeros, self.norm)


@dataclass(frozen=True)
class CallInfo:
    """One use of a layer, as the statistics describe it.

    Parameters
        key : the name of the layer, with "#2" for its second use ; name : the name of the layer ; kind : that of its class
        role : what the layer is, as it states itself (``Layer.role``)
        inputs, output : numbers of tensors ; more : the tensors of further outputs, such as states of a recurrent layer
        parameters : names of its parameters ; frozen : whether fits leave them as they are
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
        """The tensors of all outputs."""
        return (self.output, *self.more)


@dataclass(frozen=True)
class CallSample:
    """The moments that one use of a layer had at one step.

    Parameters  output : those of its output ; slope : those of σ'(z), for activations ; gradient : those of dJ/d(output) ;
                passed : those of the gradient that it passes back to each input, None where it passes none, and for inputs
                of the network ; states : those of the gradient of each further output ;
                time : ‖∂J/∂hₜ‖ at every step of a recurrent layer, (T,)
    """

    output: Moments | None
    slope: Moments | None
    gradient: Moments | None
    passed: tuple[Moments | None, ...]
    states: tuple[Moments | None, ...] = ()
    time: Array | None = field(default=None, repr=False, compare=False)

    @property
    def incoming(self) -> float | None:
        """The norm of the gradients of all outputs together; None where no output has a gradient."""
        norms = [m.norm for m in (self.gradient, *self.states) if m is not None]
        return math.hypot(*norms) if norms else None

    @property
    def several(self) -> bool:
        """Whether more than one output has a gradient, such as the sequence and the last state of a recurrent layer."""
        return sum(m is not None for m in (self.gradient, *self.states)) > 1


@dataclass(frozen=True)
class ParameterSample:
    """The moments of a parameter at one step: those of its values, of its gradient, and of the change that the step makes to
    it (None where it is not known)."""

    value: Moments
    gradient: Moments | None
    update: Moments | None

    @property
    def update_ratio(self) -> float | None:
        """|Δw| / |w|, the size of the step relative to the weights; None where the step is not known, or w is 0."""
        if self.update is None or self.value.norm == 0:
            return None
        return self.update.norm / self.value.norm


@dataclass(frozen=True)
class Sample:
    """All statistics of one step.

    Parameters  step : its number, from 0 ; epoch : its number, from 1 ; batch : how many samples it had ;
                learning_rate : the rate of this step
    """

    step: int
    epoch: int
    batch: int
    loss: float
    learning_rate: float
    calls: dict[str, CallSample]
    parameters: dict[str, ParameterSample]

    def without_units(self) -> Sample:
        """The same sample without the tables of units."""

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
    Attributes  calls : one CallInfo for each use of a layer, by key, in the order of computation ;
                samples : one Sample for each sampled step, old ones without tables of units ;
                through_time : {step: {key of a recurrent layer: TimeChain}}, at the start and at the end of the training ;
                ranks : {step: {key of a layer with units, or of an activation: Rank}}, at the same two steps
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

        #: The call that computes each tensor; inputs of the network have none.
        self.makers = {i: call for call in self.calls.values() for i in call.outputs}
        #: The length of the longest path from an input to each tensor. A layer with weights counts more than all others
        #: together.
        self.depth: dict[int, int] = {}
        for call in self.calls.values():
            below = max((self.depth.get(i, 0) for i in call.inputs), default=0)
            for i in call.outputs:
                self.depth[i] = below + 1 + len(self.calls) * (call.role == "weight")

    def of_output(self, number: int) -> Statistics:
        """The same statistics with this output as the only one of the network."""
        found = copy.copy(self)
        found.output_ids = self.output_ids[number : number + 1]
        return found

    def add(self, step: int, epoch: int, batch: int, learning_rate: float, found: Mapping[str, Array], sizes: Any) -> Sample:
        """Adds the sample of a step that a probe has computed.

        Parameters  found : the outputs of ``lower_statistics`` ; sizes : {name of an output: number of elements of the array
                    whose moments it holds}
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
        """The sample of the step nearest to ``step``; the last sample for None."""
        if step is None or not self.samples:
            return self.last
        return min(self.samples, key=lambda s: abs(s.step - step))

    def chains_through_time(self, step: int | None = None) -> dict[str, TimeChain]:
        """The chains through time of the step nearest to ``step``, by layer; those of the end for None; empty where there
        are none."""
        known = self.through_time
        if not known:
            return {}
        return known[max(known) if step is None else min(known, key=lambda s: abs(s - step))]

    def rank(self, key: str, *, start: bool = False) -> Rank | None:
        """The rank of a layer at the end of the training, or at its start; None where it is not known."""
        known = self.ranks
        return known[(min if start else max)(known)].get(key) if known else None

    def of_role(self, *roles: str) -> list[CallInfo]:
        """The calls with one of these roles, in order."""
        return [c for c in self.calls.values() if c.role in roles]

    def gradient_norms(self) -> tuple[list[int], list[str], Array]:
        """The norms of dz over time, for a picture: (steps, keys of the calls with weights, norms of shape (steps,
        calls))."""
        keys = [c.key for c in self.of_role("weight")]
        table = [[np.nan if (g := s.calls[key].incoming) is None else g for key in keys] for s in self.samples]
        return [s.step for s in self.samples], keys, np.array(table, np.float64).reshape(len(self.samples), len(keys))

    def dead_units(self) -> dict[str, float]:
        """For each activation, by key, the share of its units whose slope was 0 for every sample of the last sampled
        steps."""
        found = {}
        for call in self.of_role("activation"):
            silent = self.silent_units(call.key)
            if silent is not None:
                found[call.key] = float(silent.mean())
        return found

    def narrowest(self) -> int | None:
        """How many numbers of one sample the narrowest layer holds; None where a path leads around a layer, or no step was
        sampled."""
        if not self.samples or len(self.input_ids) > 1 or any(len(c.inputs) > 1 for c in self.calls.values()):
            return None
        sample = self.samples[0]
        sizes = [c.output.count // sample.batch for c in sample.calls.values() if c.output is not None]
        return min(sizes, default=None)

    def silent_units(self, key: str, window: int = 8) -> Array | None:
        """For each unit, whether σ'(z) was 0 for every sample in the last sampled steps; None where that is not known."""
        tables = [s.calls[key].slope for s in self.samples[-window:]]
        known = [t.unit_zeros for t in tables if t is not None and t.units is not None]
        if not known:
            return None
        silent: Array = np.min(known, axis=0) >= 1.0
        return silent
