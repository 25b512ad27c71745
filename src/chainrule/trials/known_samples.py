"""What a diagnosis sees of the samples of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.sequences import Sequences
from ..data.sparse import SparseRows, is_sparse
from ..diagnosis.data_facts import ROWS, WIDTH, DataFacts
from ..errors import ChainruleError
from ..losses import Loss
from ..network import NetworkGraph
from ..ops import SparseMatrix
from ..ops.value import FREE
from ..training import Session
from ..training.intake import is_stream
from ..training.samples import Recorder, Samples, collect

__all__ = ["KnownSamples", "samples_of", "validation_of"]

Array = NDArray[Any]
Rows = NDArray[np.int64]
#: Of samples with more bytes than this only some are looked at.
_LARGE = 256 * 2**20


class KnownSamples:
    """Facts about the samples of a training, and what a network puts out for those that are looked at.

    Parameters
        samples : of the training, None where there are none ; held : the validation samples, or None
        losses : one for each output
    Attributes  data : the facts
    """

    def __init__(
        self, network: NetworkGraph, samples: Samples | None, held: Samples | None, losses: Sequence[Loss]
    ) -> None:  # fmt: skip
        self.held = None if held is None else _few_enough(held)
        self.samples = None if samples is None else _few_enough(samples)
        self.data = DataFacts([], [])
        if self.samples is None or samples is None:
            return
        inputs, targets = self.samples.dense_inputs(WIDTH), self.samples.dense_targets()
        validation = None
        if self.held is not None:
            found = self.held.dense_inputs(WIDTH), self.held.dense_targets()
            same = len(found[0]) == len(inputs) and len(found[1]) == len(targets)
            alike = all(a.shape[1:] == b.shape[1:] for a, b in zip(found[0], inputs, strict=False))
            validation = found if same and (alike or self.held.ragged) else None
        classes = [_classes_of(loss, shape) for loss, shape in zip(losses, network.output_shapes, strict=False)]
        total = None if samples.by_step else samples.total if samples.total is not None else len(samples)
        independent = self.samples.nodes is None
        self.data = DataFacts(inputs, targets, network.index_limits(), classes, validation, total, independent)

    def outputs(self, session: Session) -> list[Array] | None:
        """The raw outputs for ``data.rows``, one array for each output; None where they cannot be computed."""
        return None if self.samples is None else _outputs(session, self.samples, self.data.rows)

    def held_outputs(self, session: Session) -> tuple[list[Array] | None, Rows]:
        """The raw outputs for validation samples, and the rows of these samples."""
        if self.held is None or self.data.validation is None:
            return None, np.zeros(0, np.int64)
        rows = np.arange(len(self.data.validation[1][0]))[:ROWS]
        return _outputs(session, self.held, rows), rows


def samples_of(network: NetworkGraph, X: Any, y: Any, weight: Any, losses: Sequence[Loss]) -> Samples | None:
    """The samples as they are, finite or not; None for what are no samples, of which the fit itself has complained."""
    graph, unlabelled = network.samples is not None, [loss.ignore_label for loss in losses]
    try:
        if isinstance(X, Recorder) or is_stream(X, y):
            return collect(X, ROWS, graph=graph, unlabelled=unlabelled)
        inputs, targets = _arrays(X, len(network.input_ids), graph), _arrays(y, len(network.output_ids), graph)
        if any(a.dtype.kind not in "biuf" or not a.shape for a in (*inputs, *targets) if not isinstance(a, SparseMatrix)):
            return None
        if any(a.shape[0] != len(targets[0]) for a in (*inputs, *targets)) or not len(targets[0]):
            return None
        return Samples.of(inputs, targets, weight, graph=graph, unlabelled=unlabelled)
    except (ChainruleError, TypeError, ValueError, IndexError):
        return None


def validation_of(network: NetworkGraph, given: Any, losses: Sequence[Loss]) -> Samples | None:
    """The samples of ``validation_data``; None where there are none."""
    if isinstance(given, (tuple, list)) and len(given) >= 2:
        return samples_of(network, given[0], given[1], given[2] if len(given) > 2 else None, losses)
    return None if given is None else samples_of(network, given, None, None, losses)


def _arrays(values: Any, count: int, graph: bool) -> list[Any]:
    several = count > 1 and isinstance(values, (list, tuple))
    return [_array(v, graph) for v in (values if several else [values])]


def _array(value: Any, graph: bool) -> Any:
    if isinstance(value, (Sequences, SparseMatrix, SparseRows)):
        return value
    if is_sparse(value):
        return SparseMatrix.of(value) if graph else SparseRows(value.tocsr())
    return np.asarray(value)


def _few_enough(samples: Samples) -> Samples:
    """Some of the samples, where looking at samples means to copy all of them first; else all."""
    if not (samples.ragged or samples.nodes is not None or samples.nbytes > _LARGE):
        return samples
    count = ROWS
    if samples.by_step:  # every step counts as a sample
        steps = next(len(y.values) / len(y) for y in samples.targets if isinstance(y, Sequences))
        count = min(ROWS, max(20, int(4 * ROWS / steps)))
    elif samples.nodes is None:
        count = min(ROWS, max(20, int(len(samples) * _LARGE / max(1, samples.nbytes))))
    return samples.drawn(count)


def _outputs(session: Session, samples: Samples, rows: Rows) -> list[Array] | None:
    whole = samples.by_step or samples.nodes is not None
    try:
        with np.errstate(all="ignore"):
            found = (samples if whole else samples.take(rows)).outputs(session)
    except ChainruleError:
        return None
    return [np.asarray(z[rows] if whole else z, np.float64) for z in found]


def _classes_of(loss: Loss, shape: tuple[int, ...]) -> int | None:
    """The number of classes that an output tells apart; None for numbers."""
    shape = tuple(2 if s == FREE else s for s in shape)
    units = shape[-1] if shape else 1
    if any(dtype == "int" for _, dtype in loss.target((2, *shape))):
        return units
    return None if loss.threshold is None else 2 if units == 1 else units
