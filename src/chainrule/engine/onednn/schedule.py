"""Where threads must wait for each other, and the epochs between the waits."""

from __future__ import annotations

from collections.abc import Sequence

from .tasks import Access, Task


def _clash(spot: Access, others: Sequence[Access]) -> bool:
    key, first, end = spot
    return any(k == key and first < e and f < end for k, f, e in others)


def barriers(tasks: Sequence[Task], threads: int) -> list[bool]:
    """For each task whether all threads must have finished what comes before it.

    They must where a thread reads what another has written since the last wait, or writes what another has read or written.
    """
    if threads == 1:
        return [False] * len(tasks)
    reads: list[list[Access]] = [[] for _ in range(threads)]
    writes: list[list[Access]] = [[] for _ in range(threads)]
    found = []
    for task in tasks:
        wait = task.fallback
        for t, part in enumerate(task.parts):
            if part is None or wait:
                continue
            for other in range(threads):
                if other == t:
                    continue
                if any(_clash(spot, writes[other]) for spot in (*part.reads, *part.writes)) or any(
                    _clash(spot, reads[other]) for spot in part.writes
                ):
                    wait = True
                    break
        found.append(wait)
        if wait:
            reads, writes = [[] for _ in range(threads)], [[] for _ in range(threads)]
        for t, part in enumerate(task.parts):
            if part is not None:
                reads[t] += part.reads
                writes[t] += part.writes
    return found


def epochs(waits: Sequence[bool], threads: int) -> list[int]:
    """Of each task, the number of waits before it; with one thread every task is an epoch of its own."""
    if threads == 1:
        return list(range(len(waits)))
    count, found = 0, []
    for wait in waits:
        count += wait
        found.append(count)
    return found
