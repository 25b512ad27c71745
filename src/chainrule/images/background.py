"""Work done ahead of time by other threads, given out in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["default_workers", "in_background"]

T = TypeVar("T")


def default_workers() -> int:
    """As many threads as there are processors, at most 8: decoding a picture keeps one busy."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, allowed))


def in_background(tasks: Iterable[Callable[[], T]], *, workers: int) -> Iterator[T]:
    """The results of the tasks, in their order, while at most ``workers + 1`` of them are begun or wait to be taken.

    So the order does not depend on which thread was quicker, and the memory does not depend on how many tasks there are. An
    error of a task is raised when its turn comes. When the caller stops, tasks that have not begun are given up.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="chainrule-images")
    waiting: deque[Future[T]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
