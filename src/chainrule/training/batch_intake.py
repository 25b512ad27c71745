"""From batches, which a data set makes or the user's iterator yields, to the arrays that a network's plans read."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.batches import Batch, Batches, IteratorData
from ..errors import DataError, ParameterError, ShapeError
from ..losses import Loss
from ..network import NetworkGraph
from ..ops.value import FREE
from .feeds import ArrayFeed, DataSetFeed, StreamFeed
from .intake import Intake, check_sample_shape, choose_losses, input_arrays, input_dtypes, reading_dtypes, take_arrays
from .targets import target_array

__all__ = ["DataSetIntake", "StreamIntake", "batch_intake"]

Array = NDArray[Any]
#: How many samples of a data set are looked at before training.
_LOOKED_AT = 32


class _BatchIntake:
    """Batches, each checked and turned into the arrays of a plan. The first decides what all others must be like."""

    def __init__(self, network: NetworkGraph, class_weight: Any) -> None:
        kinds = set(reading_dtypes(network))
        # float64 holds every 32-bit index exactly, so inputs of both kinds can be read as that and converted afterwards.
        self.input_dtype: Any = kinds.pop() if len(kinds) == 1 else np.float64
        self.network, self.class_weight = network, class_weight
        self.scalars = [i for i in range(len(network.input_ids)) if network.input_is_scalar(i)]
        if isinstance(class_weight, str):
            raise ParameterError(
                f"class_weight={class_weight!r} needs the counts of all classes, which batches do not tell. "
                "Give the weights as a dict {class: weight}."
            )

    def _arrays(self, batches: Iterable[Batch], losses: list[Loss], like: Intake) -> Iterator[Mapping[str, Array]]:
        """The arrays of every batch, each checked to be like the first one."""
        for number, batch in enumerate(batches):
            try:
                found = self._intake(batch, losses, like.objective.weights)
            except (ShapeError, DataError) as error:
                raise type(error)(f"Batch {number} (counted from 0): {error}") from error
            if found.objective.forms != like.objective.forms:
                raise DataError(f"Batch {number} (counted from 0): targets have another form than those of the first batch.")
            assert isinstance(found.feed, ArrayFeed)
            yield found.feed.arrays

    def _targets(self, batch: Batch) -> list[Array]:
        count = len(self.network.output_ids)
        if not batch.targets:
            raise ShapeError("the data set has no targets, which fit and evaluate need: give it y, such as ImageData(X, y).")
        if len(batch.targets) != count or len(batch.inputs) != len(self.network.input_ids):
            raise ShapeError(
                f"the network has {len(self.network.input_ids)} input(s) and {count} output(s); a batch has "
                f"{len(batch.inputs)} and {len(batch.targets)}. Several go in tuples: ((x0, x1), (y0, y1))."
            )
        return [target_array(y, name=f"y[{i}]" if count > 1 else "y") for i, y in enumerate(batch.targets)]

    def _intake(self, batch: Batch, losses: list[Loss], kinds: Sequence[str | None] | None) -> Intake:
        ys = self._targets(batch)
        if [x.dtype for x in batch.inputs] == input_dtypes(self.network) == ["float32"] and self.network.samples is None:
            # IteratorData has checked the values already; to look at millions of them again would take as long.
            xs: list[Any] = list(batch.inputs)
            if self.network.input_shapes is not None:
                check_sample_shape(xs[0], self.network.input_shapes[0], "X")
        else:
            xs = input_arrays(self.network, batch.inputs[0] if len(batch.inputs) == 1 else list(batch.inputs))
        weight = batch.sample_weight
        if kinds is not None:
            if weight is None and any(kind == "sample" for kind in kinds) and self.class_weight is None:
                weight = np.ones(len(xs[0]))
            elif weight is not None and None in kinds:
                raise DataError("it has sample weights, the first batch had none. Give weights in every batch or in none.")
        return take_arrays(self.network, xs, ys, losses, sample_weight=weight, class_weight=self.class_weight)


class StreamIntake(_BatchIntake):
    """What the user's iterator yields.

    Parameters  source : as in IteratorData ; network : built by ``build`` with the first batch when it is not yet
    """

    def __init__(self, source: Any, network: NetworkGraph, *, class_weight: Any = None) -> None:
        super().__init__(network, class_weight)
        # A network with free sizes checks by itself whether a batch fits.
        free = any(FREE in (t or ()) for t in network.declared_input_shapes() or network.input_shapes or [])
        self.data = IteratorData(source, input_dtype=self.input_dtype, free=free, scalars=self.scalars)
        self._iterator: Iterator[Batch] = self.data.batches()
        self.first: Batch | None = next(self._iterator)
        self.shapes = [x.shape[1:] for x in self.first.inputs]
        try:
            self.length: int | None = len(source)
        except TypeError:
            self.length = None

    def take(self, loss: Any) -> Intake:
        """The batches as a feed, once the network is built."""
        assert self.first is not None
        losses = choose_losses(loss, self._targets(self.first), self.network)
        intake = self._intake(self.first, losses, None)

        def epoch() -> Iterator[Mapping[str, Array]]:
            batches: Iterable[Batch] = self.data.batches()
            if self.first is not None:
                batches, self.first = chain([self.first], self._iterator), None
            return self._arrays(batches, losses, intake)

        return intake._replace(feed=StreamFeed(epoch, self.length))


class DataSetIntake(_BatchIntake):
    """What a data set that makes its own batches gives.

    Parameters  data : as ``Batches`` says ; network : built by ``build`` with the first batch when it is not yet ;
                training : whether steps learn from it, so that it may change samples at random
    """

    def __init__(self, data: Batches, network: NetworkGraph, *, class_weight: Any = None, training: bool = False) -> None:
        super().__init__(network, class_weight)
        self.data, self.training = data, training
        self.free = any(FREE in (t or ()) for t in network.declared_input_shapes() or network.input_shapes or [])
        self.first = self._first(None)
        self.shapes = [x.shape[1:] for x in self.first.inputs]

    def take(self, loss: Any) -> Intake:
        """The data set as a feed, once the network is built."""
        # The loss is chosen by the targets as they are; when they are mixed at random, they may look like another kind.
        losses = choose_losses(loss, self._targets(self.first), self.network)
        first = self._first(np.random.default_rng(0)) if self.training else self.first
        intake = self._intake(first, losses, None)

        def epoch(batch_size: int, rng: np.random.Generator | None, shuffle: bool) -> Iterator[Mapping[str, Array]]:
            with closing(self._checked(batch_size, rng, shuffle)) as batches:
                yield from self._arrays(batches, losses, intake)

        arrays = intake.feed.arrays  # type: ignore[union-attr]
        size = sum(int(a.nbytes) for a in arrays.values()) // first.n_samples
        return intake._replace(feed=DataSetFeed(epoch, self.data.n_samples, size, free=self.free))

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All samples in order, as they are."""
        return self._checked(batch_size, None, False)

    def _checked(self, batch_size: int, rng: np.random.Generator | None, shuffle: bool) -> Generator[Batch]:
        made = self.data.batches(batch_size, rng, shuffle=shuffle)
        try:
            yield from IteratorData(
                lambda: made, input_dtype=self.input_dtype, free=self.free, scalars=self.scalars
            ).batches()
        finally:
            close = getattr(made, "close", None)  # lets go of threads
            if callable(close):
                close()

    def _first(self, rng: np.random.Generator | None) -> Batch:
        with closing(self._checked(_LOOKED_AT, rng, False)) as batches:
            return next(batches)


def batch_intake(
    X: Any, network: NetworkGraph, *, class_weight: Any = None, training: bool = False
) -> DataSetIntake | StreamIntake:
    """The intake of a stream of batches (see ``is_stream``)."""
    if isinstance(X, Batches):
        return DataSetIntake(X, network, class_weight=class_weight, training=training)
    return StreamIntake(X, network, class_weight=class_weight)
