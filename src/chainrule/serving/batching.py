"""Predictions for many requests at once: one thread takes all that wait and computes them together.

No request is held back in the hope of more: a batch is what has come while the one before was computed. So a lone request is
answered at once, and under load the batches become as large as the load.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .served_model import ServedModel, Work

__all__ = ["Batcher", "QueueFull"]

Array = NDArray[Any]


class QueueFull(Exception):
    """As many requests wait as may wait."""


@dataclass
class _Item:
    """One request that waits. Parameters  model : that was served when it came ; work : of it ; answer : of its client"""

    model: ServedModel
    work: Work
    answer: Future[Any] = field(default_factory=Future)

    @property
    def key(self) -> Any:
        """What requests have in common whose samples may be joined."""
        arrays = self.work.arrays
        return None if arrays is None else (id(self.model), *((a.dtype.kind, a.shape[1:]) for a in arrays))


class Batcher:
    """The thread that predicts.

    Parameters
        batch : samples that are predicted at once ; waiting : requests that may wait
        on_batch : called with the samples and the seconds of every batch
    """

    def __init__(self, batch: int, waiting: int, on_batch: Callable[[int, float], None] = lambda samples, seconds: None):
        self.batch, self.waiting, self._on_batch = batch, waiting, on_batch
        self._queue: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="chainrule-predictions", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    def submit(self, model: ServedModel, work: Work) -> Future[Any]:
        """The answer to come: what ``model.answer`` makes. Raises  QueueFull when too many requests wait"""
        item = _Item(model, work)
        with self._changed:
            if self._closed or len(self._queue) >= self.waiting:
                raise QueueFull
            self._queue.append(item)
            self._changed.notify()
        return item.answer

    def close(self) -> None:
        """Ends the thread after the batch that it computes; requests that still wait get QueueFull."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        while self._queue:
            answer = self._queue.popleft().answer
            if answer.set_running_or_notify_cancel():  # False when its client has given it up
                answer.set_exception(QueueFull())

    # ------------------------------------------------------------ the thread

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                items = self._next_batch()
            items = [item for item in items if item.answer.set_running_or_notify_cancel()]
            if not items:
                continue
            begun = time.perf_counter()
            try:
                self._predict(items)
            except BaseException as error:  # whatever it is, its client hears of it and the thread goes on
                if len(items) == 1:
                    items[0].answer.set_exception(error)
                else:  # one of them is to blame, and the others shall have their answers
                    for item in items:
                        self._alone(item)
            self._on_batch(sum(item.work.count for item in items), time.perf_counter() - begun)

    def _next_batch(self) -> list[_Item]:
        """The request that has waited longest, and those behind it that can be joined with it, while a batch has room."""
        first = self._queue.popleft()
        if first.key is None:
            return [first]
        taken, left, room = [first], deque[_Item](), self.batch - first.work.count
        while self._queue:
            item = self._queue.popleft()
            if item.key == first.key and item.work.count <= room:
                taken.append(item)
                room -= item.work.count
            else:
                left.append(item)
        self._queue.extend(left)
        return taken

    def _alone(self, item: _Item) -> None:
        try:
            self._predict([item])
        except BaseException as error:
            item.answer.set_exception(error)

    def _predict(self, items: Sequence[_Item]) -> None:
        model, first = items[0].model, items[0].work
        if first.arrays is None:
            items[0].answer.set_result(model.answer(first, model.predict_alone(first)))
            return
        joined = first.arrays
        if len(items) > 1:
            parts = [item.work.arrays or [] for item in items]
            joined = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        found = model.predict(joined, self.batch)
        at = 0
        answers = []
        for item in items:
            answers.append(model.answer(item.work, found.part(slice(at, at + item.work.count))))
            at += item.work.count
        for item, answer in zip(items, answers, strict=True):
            item.answer.set_result(answer)
