"""Samples of any kind that fit takes, in memory, so that some can be held out or looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.batches import Batch, Batches
from ..data.sequences import Sequences
from ..data.sparse import SparseRows
from ..errors import ChainruleError
from ..ops import SparseMatrix

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Recorder", "Samples", "collect", "recorded"]

Array = NDArray[Any]
Rows = NDArray[np.int64]
#: The most bytes of samples of a stream that are kept in memory.
_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Samples:
    """Samples of which some can be taken.

    Parameters
        inputs, targets : one array or Sequences for each input and output; an input of a graph may be a SparseMatrix
        weight : (N,) or None ; nodes : of a graph, the nodes whose targets count; else None
        unlabelled : for each output, the label that stands for none ; total : how many samples there are where these are
            some of them; None when that is not known

    Of a graph some samples are all nodes, with the targets of some: others get the label that stands for none, or the weight
    0 where targets are numbers.
    """

    inputs: Sequence[Any]
    targets: Sequence[Any]
    weight: Array | None = None
    nodes: Rows | None = None
    unlabelled: Sequence[int | None] = ()
    total: int | None = None

    @classmethod
    def of(
        cls,
        inputs: Sequence[Any],
        targets: Sequence[Any],
        weight: Any = None,
        *,
        graph: bool = False,
        unlabelled: Sequence[int | None] = (),
    ) -> Samples:
        """Samples from arrays as fit takes them. Parameters  graph : whether the samples are the nodes of a graph"""
        weight = None if weight is None else np.asarray(weight)
        if not graph:
            return cls(inputs, targets, weight, total=len(targets[0]))
        counts = np.ones(len(targets[0]), bool) if weight is None else weight > 0
        for y, none in zip(targets, unlabelled, strict=False):
            if none is not None and y.dtype.kind in "iu":
                counts &= (y.reshape(len(y), -1) != none).all(axis=1)
        nodes = np.flatnonzero(counts)
        return cls(inputs, targets, weight, nodes, unlabelled, len(nodes))

    def __len__(self) -> int:
        return len(self.targets[0]) if self.nodes is None else len(self.nodes)

    @property
    def X(self) -> Any:
        """The inputs in the form that fit takes: one array, or a list of arrays."""
        return self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)

    @property
    def y(self) -> Any:
        return self.targets[0] if len(self.targets) == 1 else list(self.targets)

    @property
    def validation(self) -> tuple[Any, ...]:
        """The samples as ``validation_data`` of fit. Only those of a graph have weights, which leave nodes out."""
        return (self.X, self.y) if self.nodes is None or self.weight is None else (self.X, self.y, self.weight)

    @property
    def ragged(self) -> bool:
        return any(isinstance(a, Sequences) for a in (*self.inputs, *self.targets))

    @property
    def by_step(self) -> bool:
        """Whether there is one target for each step, so that predictions are compared step by step."""
        return any(isinstance(y, Sequences) for y in self.targets)

    @property
    def nbytes(self) -> int:
        """The bytes of all samples as plain arrays; of a graph's sparse matrix, none."""
        return sum(
            math.prod(a.shape) * a.dtype.itemsize if isinstance(a, SparseRows) else int(getattr(a, "nbytes", 0))
            for a in (*self.inputs, *self.targets)
        )

    # ------------------------------------------------------------ some of them

    def take(self, rows: Any) -> Samples:
        """The samples with these numbers, from 0 to ``len(self) - 1``."""
        if self.nodes is not None:
            return self._take_nodes(np.asarray(rows))
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, inputs=[x[rows] for x in self.inputs], targets=[y[rows] for y in self.targets], weight=weight)

    def _take_nodes(self, rows: Rows) -> Samples:
        assert self.nodes is not None
        nodes, targets, masked = self.nodes[rows], list[Any](), False
        for y, none in zip(self.targets, [*self.unlabelled, *([None] * len(self.targets))], strict=False):
            if none is not None and y.dtype.kind in "iu":
                kept = np.full_like(y, none)
                kept[nodes] = y[nodes]
                targets.append(kept)
            else:
                targets.append(y)
                masked = True
        weight = self.weight
        if masked or weight is not None:
            whole = np.ones(len(targets[0])) if weight is None else weight
            weight = np.zeros(len(whole))
            # J is a mean over all nodes, so the weights of those that are left are raised until they count as much as all
            # did.
            weight[nodes] = whole[nodes] * (whole[self.nodes].sum() / max(whole[nodes].sum(), 1e-30))
        return replace(self, targets=targets, weight=weight, nodes=nodes)

    def first(self, count: int) -> Samples:
        return self if len(self) <= count else self.take(np.arange(count))

    def drawn(self, count: int, seed: int = 0) -> Samples:
        """This number of samples, drawn at random and in their old order; all samples where there are no more."""
        if len(self) <= count:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False)))

    # ------------------------------------------------------------ as plain arrays

    def dense_inputs(self, longest: int) -> list[Array]:
        """One array for each input, all with the same rows as ``dense_targets``: Sequences padded and cut after so many
        steps, or one row for each step where targets are of steps."""
        found = []
        for x in self.inputs:
            if isinstance(x, Sequences):
                if self.by_step:
                    same = isinstance(self.targets[0], Sequences) and np.array_equal(x.lengths, self.targets[0].lengths)
                    found.append(x.values.reshape(len(x.values), -1) if same else self._repeated(_cut(x, longest)))
                else:
                    found.append(_cut(x, longest))
            elif isinstance(x, SparseMatrix):
                found.append(_dense_rows(x, self.nodes if self.nodes is not None else np.arange(x.shape[0])))
            else:
                x = x.dense() if isinstance(x, SparseRows) else np.asarray(x)
                found.append(x[self.nodes] if self.nodes is not None else self._repeated(x) if self.by_step else x)
        return found

    def _repeated(self, x: Array) -> Array:
        """Repeats each sample once for every step of its targets."""
        found: Array = np.repeat(x, next(y.lengths for y in self.targets if isinstance(y, Sequences)), axis=0)
        return found

    def dense_targets(self) -> list[Array]:
        """One array for each output: all steps of Sequences one after the other, and of a graph the nodes that count."""
        if self.nodes is not None:
            return [np.asarray(y)[self.nodes] for y in self.targets]
        return [y.values if isinstance(y, Sequences) else self._repeated(y) if self.by_step else np.asarray(y)
                for y in self.targets]  # fmt: skip

    def outputs(self, session: Session) -> list[Array]:
        """The raw outputs of a network, with the same rows as ``dense_targets``."""
        several = session.predict(self.X)
        if self.nodes is not None:
            return [np.asarray(z)[self.nodes] for z in several]
        return [z.values if isinstance(z, Sequences) else self._repeated(z) if self.by_step else np.asarray(z)
                for z in several]  # fmt: skip


def _cut(x: Sequences, longest: int) -> Array:
    length = min(longest, int(x.lengths.max()))
    if length == int(x.lengths.max()):
        return x.padded()
    return Sequences([sample[:length] for sample in x]).padded()


def _dense_rows(matrix: SparseMatrix, rows: Rows) -> Array:
    found = np.zeros((len(rows), matrix.shape[1]))
    for i, row in enumerate(rows):
        at = slice(matrix.indptr[row], matrix.indptr[row + 1])
        found[i, matrix.indices[at]] = matrix.values[at]
    return found


# ---------------------------------------------------------------- of streams


class Recorder:
    """A stream of batches that keeps a copy of the first samples it yields, so that the source is read only once.

    Parameters  source : as fit takes it ; most : samples that are kept

    ``fit`` takes it in place of the source; an iterator stays one that serves a single epoch.
    """

    def __init__(self, source: Any, most: int) -> None:
        self.source, self.most = source, most
        self.kept: list[tuple[Any, ...]] = []
        #: whole: as many samples were kept as are wanted, or all of an epoch ; ended: an epoch came to its end.
        self.whole = self.ended = False

    def __iter__(self) -> Iterator[Any]:
        iterable = isinstance(self.source, Iterable) or not callable(self.source)
        return self._following(iter(self.source if iterable else self.source()))

    def _following(self, batches: Iterator[Any]) -> Iterator[Any]:
        record = _Record(self.most)
        for item in batches:
            if not self.whole and record.add(item):
                self._keep(record)
                self.whole = True
            yield item
        if not self.whole:
            self._keep(record)
            self.whole = self.ended = bool(record.batches)

    def _keep(self, record: _Record) -> None:
        self.kept = record.batches


class _OnceRecorder(Recorder):
    """A recorder of an iterator, which can be read only once. It is an iterator itself, so that an empty one is noticed."""

    def __init__(self, source: Any, most: int) -> None:
        super().__init__(source, most)
        self._record = _Record(most)
        self.kept = self._record.batches

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            item = next(self.source)
        except StopIteration:
            self.ended = True
            raise
        if not self.whole:
            self.whole = self._record.add(item)
        return item


class _SizedRecorder(Recorder):
    """A recorder of a source that knows how many batches it has."""

    def __len__(self) -> int:
        return len(self.source)


class _Record:
    """Copies of batches, up to a number of samples or bytes."""

    def __init__(self, most: int) -> None:
        self.most, self.batches = most, list[tuple[Any, ...]]()
        self.samples = self.bytes = 0

    def add(self, item: Any) -> bool:
        """Keeps a copy of a batch; returns whether enough is kept. The fit itself complains of what is no batch."""
        with suppress(Exception):
            inputs, targets = item[0], item[1]
            copied = tuple(tuple(np.array(a) for a in (part if isinstance(part, tuple) else (part,))) for part in
                           (inputs, targets))  # fmt: skip
            weight = np.array(item[2]) if len(item) > 2 and item[2] is not None else None
            self.batches.append((*copied, weight))
            self.samples += len(copied[0][0])
            self.bytes += sum(a.nbytes for part in copied for a in part)
        return self.samples >= self.most or self.bytes >= _MOST_BYTES


def recorded(source: Any, most: int) -> Any:
    """What fit is to read in place of the source, and ``collect`` then: a Recorder, or a data set itself, which can be read
    again."""
    if isinstance(source, Batches):
        return source
    if isinstance(source, Iterator):
        return _OnceRecorder(source, most)
    return (_SizedRecorder if hasattr(source, "__len__") else Recorder)(source, most)


def collect(stream: Any, most: int, *, graph: bool = False, unlabelled: Sequence[int | None] = ()) -> Samples | None:
    """Samples of a stream: of a Recorder those that it kept, else the first it yields; of a data set that can be split so
    many at random, without random changes. None when there are none with targets, or their shapes do not fit together.
    """
    total: int | None = None
    if isinstance(stream, Batches):
        total = stream.n_samples
        batches = _of_data_set(stream, most)
    else:
        recorder = stream if isinstance(stream, Recorder) else recorded(stream, most)
        if not isinstance(stream, Recorder):
            for _ in recorder:
                if recorder.whole:
                    break
        batches = recorder.kept[:1] if graph else recorder.kept  # a batch of a graph is all of it
        if recorder.ended:
            total = sum(len(xs[0]) for xs, _, _ in batches)
    if not batches or any(not ys for _, ys, _ in batches):
        return None
    try:
        inputs = [_joined([xs[i] for xs, _, _ in batches]) for i in range(len(batches[0][0]))]
        targets = [_joined([ys[i] for _, ys, _ in batches]) for i in range(len(batches[0][1]))]
        weights = [w for _, _, w in batches]
        weight = None if any(w is None for w in weights) else np.concatenate(weights)
        found = Samples.of(inputs, targets, weight, graph=graph, unlabelled=unlabelled)
    except (ChainruleError, ValueError, IndexError, AttributeError, TypeError):
        return None
    found = replace(found, total=total)
    return found if graph else found.first(most)


def _of_data_set(data: Any, most: int) -> list[tuple[Any, ...]]:
    n = data.n_samples
    part, rng = data, None
    if n is not None and n > most:
        if hasattr(data, "split"):
            part = data.split(most / n, np.random.default_rng(0))[1]
        else:
            rng = np.random.default_rng(0)  # its first samples may all be of one class
    record = _Record(most)
    made = part.batches(min(256, most), rng, shuffle=rng is not None)
    try:
        for batch in made:
            if record.add(batch if isinstance(batch, Batch) else tuple(batch)):
                break
    finally:
        close = getattr(made, "close", None)  # lets go of threads
        if callable(close):
            close()
    return record.batches


def _joined(parts: list[Array]) -> Any:
    """The arrays joined along the samples; as Sequences where their samples have different lengths."""
    if all(p.shape[1:] == parts[0].shape[1:] for p in parts):
        return np.concatenate(parts)
    return Sequences([sample for part in parts for sample in part])
