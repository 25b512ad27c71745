"""What the frozen part of a network makes of the samples, computed once: an epoch then costs what the rest costs.

A layer is in the frozen part when its inputs are, and no step changes what it computes: it is frozen or has no parameters,
draws no random numbers, and does not use the statistics of the batch. So steps that begin with the kept features are the
steps that begin with the samples, to the bit, since the features are computed in batches of the same size. Two things change
the last digits: a last batch of fewer than six samples, and sequences, which other batches pad to other lengths.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.memory import memory_limit
from ..network import NetworkGraph
from ..ops.value import FREE, Shape
from ..plan.lower import fixed_tensors, lower_features
from .feeds import ArrayFeed, DataSetFeed, Feed, Order, Pace, Piece, SequenceFeed
from .intake import Intake

if TYPE_CHECKING:
    from .runtime import Runtime
    from .state import FitState

__all__ = ["FrozenFeatures"]

Array = NDArray[Any]


class _Boundary(NamedTuple):
    """Where the frozen part ends. Parameters  tensors : by number ; shapes : of one sample ; layers : of the frozen part"""

    tensors: tuple[int, ...]
    shapes: tuple[Shape, ...]
    layers: tuple[str, ...]


class FrozenFeatures:
    """A feed whose pieces hold features of the samples in place of the samples, as far as the network is frozen.

    Parameters
        network : trained or evaluated ; runtime : compiles the frozen part
        intake : the samples, their targets and the objective
        keep : "auto" where that changes no number ; True or a number: random changes of the samples, and random layers of
            the frozen part, are drawn so many times, and the epochs take these rounds by turns ; False never
        batch_size : of the steps ; changing : whether an epoch holds other samples than the one before
    """

    def __init__(
        self,
        network: NetworkGraph,
        runtime: Runtime,
        intake: Intake,
        keep: bool | int | str,
        *,
        batch_size: int,
        changing: bool = False,
    ) -> None:
        self._network, self._runtime, self._given = network, runtime, intake
        self._exactly = keep == "auto"
        self._rounds = int(keep) if changing and not isinstance(keep, str) else 1
        self._possible = keep is not False and not (changing and self._exactly) and not intake.exact
        self._batch_size = batch_size
        self._made_for: object = None
        self._boundary: _Boundary | None = None
        self._made: dict[int, Feed] = {}
        self._feed: Feed = intake.feed
        self._cost = (0.0, 0.0)
        self.plans = intake.feed.plans

    # ------------------------------------------------------------ before an epoch

    def follow(self, state: FitState, *, weights_may_change: bool = False) -> Intake:
        """The samples as the next epoch takes them, with what is frozen now.

        Parameters  weights_may_change : whether something else than the steps may have changed the frozen part
        """
        # A probe looks into all layers at the very samples of a step.
        boundary = None if state.probe is not None or not self._possible else self._found(weights_may_change)
        if boundary is None:
            self._feed = self._given.feed
            return self._given
        number = state.epoch % self._rounds
        if number not in self._made:
            self._made[number] = self._features(boundary, number)
        self._feed = self._made[number]
        objective = replace(self._given.objective, start=boundary.tensors, before=self._cost)
        return self._given._replace(feed=self._feed, objective=objective)  # type: ignore[arg-type]

    def _found(self, weights_may_change: bool) -> _Boundary | None:
        network = self._network
        trains = tuple(name for name in network.parameters if network.trainable(name))
        key = (trains, tuple(sorted(network.frozen)), network.signature(contents=True))
        if weights_may_change and self._boundary is not None:
            key = (*key, self._checksum(self._boundary.layers))  # type: ignore[assignment]
        if key != self._made_for:
            self._boundary = self._end_of_frozen_part()
            self._made.clear()
            if weights_may_change and self._boundary is not None:
                key = (*key[:3], self._checksum(self._boundary.layers))  # type: ignore[assignment]
            self._made_for = key
        return self._boundary

    def _checksum(self, layers: Sequence[str]) -> int:
        """A checksum of the numbers of the frozen part, which shows whether a callback has changed them."""
        found = 0
        for arena in (self._network.parameters, self._network.states):
            for name, array in arena.items():
                if name.rpartition(".")[0] in layers:
                    found = zlib.crc32(array.tobytes(), found)
        return found

    def _end_of_frozen_part(self) -> _Boundary | None:
        """None where nothing is frozen at the beginning, or what it makes cannot be kept."""
        network, n = self._network, self._given.feed.n_samples
        partly = getattr(self._given.feed, "whole", False)
        if (
            n is None
            or partly
            or network.samples is not None
            or self._given.objective.constants
            or self._given.objective.sparse
        ):
            return None
        fixed, plain = fixed_tensors(network, repeatable=self._exactly)
        inside = [call for call in network.calls if fixed.issuperset(call.outputs)]
        owners = {name.rpartition(".")[0] for name in network.parameters}
        if len(inside) == len(network.calls) or not any(call.name in owners for call in inside):
            return None
        read = {i for call in network.calls if call not in inside for i in call.inputs} | set(network.output_ids)
        wanted = tuple(sorted(read & fixed))
        shapes = _fixed_shapes(network, wanted) if plain.issuperset(wanted) else None
        if shapes is None or (isinstance(self._given.feed, SequenceFeed) and self._given.feed.masks):
            return None
        size = sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes) * np.dtype(network.dtype).itemsize
        if n * size * self._rounds > memory_limit(None):
            return None
        return _Boundary(wanted, shapes, tuple(dict.fromkeys(call.name for call in inside)))

    # ------------------------------------------------------------ the features

    def _features(self, boundary: _Boundary, number: int) -> Feed:
        feed = self._given.feed
        if isinstance(feed, ArrayFeed):
            rows: Any = slice(None) if feed.rows is None else feed.rows
            others = {name: a[rows] for name, a in feed.arrays.items() if name[0] != "x"}
            found, _ = self._computed(boundary, feed, None)
            return ArrayFeed(found | others, self._dtypes(found) | feed.dtypes)
        if isinstance(feed, SequenceFeed):
            found, _ = self._computed(boundary, feed, None)
            order = np.concatenate(feed.batches(self._batch_size))
            by_row = {name: np.empty((int(order.max()) + 1, *a.shape[1:]), a.dtype) for name, a in found.items()}
            for name, a in found.items():
                by_row[name][order] = a
            return _FeaturesOfSequences(feed, by_row)
        rng = np.random.default_rng([number, 1]) if self._rounds > 1 or not self._exactly else None
        found, others = self._computed(boundary, feed, rng)
        return ArrayFeed(found | others, self._dtypes(found | others))

    @staticmethod
    def _dtypes(arrays: dict[str, Array]) -> dict[str, np.dtype[Any]]:
        return {name: a.dtype for name, a in arrays.items()}

    def _computed(
        self, boundary: _Boundary, feed: Feed, rng: np.random.Generator | None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The features of all samples, and what comes with them, in the order of the feed's pieces."""
        network, executables = self._network, self._runtime.predictors(self._network)
        executables.limit = max(executables.limit, feed.plans)
        taken_out = sorted(self._given.objective.taken_out)
        parts: dict[str, list[Array]] = {}
        for piece in feed.pieces(self._batch_size, lambda batch, shapes: 1, rng, shuffle=False):
            compiled = executables.get(
                ("features", boundary.tensors, piece.batch, piece.shapes, *taken_out),
                lambda piece=piece: lower_features(  # type: ignore[misc]
                    network, piece.batch, boundary.tensors, shapes=piece.shapes, taken_out=taken_out
                ),
            )
            plan = compiled.executable.plan
            self._cost = (plan.flops / piece.batch, plan.bytes / piece.batch)
            for step in range(piece.steps):
                rows: Any = slice(step * piece.batch, (step + 1) * piece.batch)
                rows = rows if piece.order is None else piece.order[rows]
                data = {name: np.ascontiguousarray(a[rows]) for name, a in piece.data.items()}
                with compiled.lock:
                    found = compiled.executable.run({name: data[name] for name in compiled.executable.plan.inputs})
                for name, a in found.items():
                    parts.setdefault(name, []).append(np.array(a))
                if isinstance(feed, DataSetFeed):
                    for name, a in data.items():
                        if name[0] != "x":
                            parts.setdefault(name, []).append(a)
        whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        return {n: a for n, a in whole.items() if n[0] == "x"}, {n: a for n, a in whole.items() if n[0] != "x"}

    # ------------------------------------------------------------ as a feed: what the current epoch is made of

    @property
    def n_samples(self) -> int | None:
        return self._given.feed.n_samples

    @property
    def shapes(self) -> Any:
        """The shapes of one sample of what a piece holds, None where they vary."""
        return getattr(self._feed, "shapes", None)

    def steps(self, batch_size: int) -> int | None:
        return self._given.feed.steps(batch_size)

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        return self._feed.pieces(batch_size, pace, rng, shuffle=shuffle)


class _FeaturesOfSequences:
    """Features of sequences in the batches that the sequences themselves are taken in. Parameters  x : by row"""

    plans = 2

    def __init__(self, feed: SequenceFeed, features: dict[str, Array]) -> None:
        self._feed = feed
        rows = max(len(a) for a in features.values())
        others = {name: a[:rows] for name, a in feed.arrays.items() if name[0] != "x"}
        self.arrays: dict[str, Any] = features | others

    @property
    def n_samples(self) -> int:
        return self._feed.n_samples

    def steps(self, batch_size: int) -> int:
        return self._feed.steps(batch_size)

    def pieces(
        self, batch_size: int, pace: Pace, rng: np.random.Generator | None = None, *, shuffle: bool = True
    ) -> Iterator[Piece]:
        for size, group in groupby(self._feed.batches(batch_size, rng if shuffle else None), len):
            batches = list(group)
            while batches:
                steps = min(len(batches), pace(size, self._shapes))
                order: Order = np.concatenate(batches[:steps]).astype(np.int64, copy=False)
                yield Piece(self.arrays, order, size, steps)
                batches = batches[steps:]

    @property
    def _shapes(self) -> tuple[Shape, ...]:
        return Piece(self.arrays, None, 0, 0).shapes


def _fixed_shapes(network: NetworkGraph, tensors: Sequence[int]) -> tuple[Shape, ...] | None:
    """The shapes of one sample of these tensors; None where one of them depends on a size that is free."""
    shapes = network.sample_shapes()
    if any(FREE in shape for shape in network.input_shapes or []):
        given = network.input_shapes or []
        others = [
            tuple(max(1, c // 2) if s == FREE else s for s, c in zip(shape, concrete, strict=True))
            for shape, concrete in zip(given, network.concrete(), strict=True)
        ]
        changed = network.sample_shapes(others)
        if any(shapes[i] != changed[i] for i in tensors):
            return None
    return tuple(shapes[i] for i in tensors)
