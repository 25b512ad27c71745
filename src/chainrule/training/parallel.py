"""Many small trainings side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

__all__ = ["map_all"]


def _silent(done: int, of: int) -> None:
    pass


def map_all(jobs: Sequence[Callable[[], Any]], progress: Callable[[int, int], None] = _silent) -> list[Any]:
    """Runs all jobs, as many at a time as there are cores; returns the results in the order of the jobs.

    An epoch is one call of the engine that holds no lock of Python's, so threads are enough: they share the data and the
    compiled kernels, and the numbers do not depend on how many there are. Jobs should train with ``threads=1``.

    Parameters  jobs : functions without arguments ; progress : called with (jobs done, jobs in all) as they end
    Raises      what a job raises; those that have not begun are then dropped
    """
    workers = max(1, min(len(jobs), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
    pool = ThreadPoolExecutor(workers)
    try:
        futures = [pool.submit(job) for job in jobs]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in done:
                one.result()
            progress(len(jobs) - len(waiting), len(jobs))
        return [one.result() for one in futures]
    finally:
        # After Ctrl-C or an error, jobs that have not begun are dropped.
        pool.shutdown(wait=True, cancel_futures=True)
