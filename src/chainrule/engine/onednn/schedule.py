"""Where threads must wait for each other, the epochs between the waits, and tasks that take turns sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .calls import AnyCall, Part, Task, clash
from .images import CACHED


def barriers(tasks: Sequence[Task], threads: int) -> list[bool]:
    """For each task whether all threads must have finished what comes before it.

    They must where a thread reads what another has written since the last wait, or writes what another has read or written.
    """
    if threads == 1:
        return [task.fallback or (i > 0 and tasks[i - 1].fallback) for i, task in enumerate(tasks)]
    reads: list[list[tuple[int, int, int]]] = [[] for _ in range(threads)]
    writes: list[list[tuple[int, int, int]]] = [[] for _ in range(threads)]
    found = []
    for task in tasks:
        wait = task.fallback
        for t, part in enumerate(task.parts):
            if part is None or wait:
                continue
            for other in range(threads):
                if other == t:
                    continue
                if any(clash(spot, writes[other]) for spot in (*part.reads, *part.writes)) or any(
                    clash(spot, reads[other]) for spot in part.writes
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


@dataclass
class Group:
    """Tasks that every thread does one after the other, or, where there are several, by turns for a few samples at a time.

    So what one has made is still in the cache when the next one reads it.
    """

    tasks: list[Task]
    wait: bool = False
    #: Samples a turn, for each thread.
    turns: list[list[tuple[int, int]]] = field(default_factory=list)

    def calls(self, thread: int) -> list[AnyCall]:
        """What a thread does, in order."""
        parts = [task.parts[thread] for task in self.tasks]
        if len(self.tasks) == 1:
            return parts[0].calls if parts[0] is not None else []
        return [call for a, b in self.turns[thread] for part in parts if part and part.cut for call in part.cut(a, b).calls]


def take_turns(tasks: Sequence[Task], waits: Sequence[bool], threads: int) -> list[Group]:
    """Groups in the order in which they run.

    A task that cannot be cut (a sum over all samples, such as a weight's gradient) does not end a group: it comes after it,
    as long as what joins the group later neither needs its result nor changes what it reads.
    """
    groups: list[Group] = []
    run: list[Task] = []
    later: list[Task] = []
    wait = False

    def close() -> None:
        nonlocal run, later, wait
        if run:
            groups.append(_group(run, threads))
        groups.extend(Group([task]) for task in later)
        if groups and (run or later):
            groups[-len(later) - bool(run)].wait = wait
            wait = False
        run, later = [], []

    for task, waiting in zip(tasks, waits, strict=True):
        if waiting:
            close()
            wait = True
        if task.fallback:
            close()
            groups.append(Group([task], wait=wait))
            wait = False
        elif not all(part is None or part.cut for part in task.parts):
            later.append(task)
            if not run:
                close()
        else:
            if not (all(_takes_turns(a, task) for a in run) and all(_independent(task, x) for x in later)):
                close()
            run.append(task)
    close()
    return groups


def _independent(task: Task, other: Task) -> bool:
    """Whether a task may run before another that comes first in the plan; threads do not meet here."""
    for a, b in zip(task.parts, other.parts, strict=True):
        if a is None or b is None:
            continue
        if any(clash(spot, b.writes) for spot in (*a.reads, *a.writes)) or any(clash(spot, b.reads) for spot in a.writes):
            return False
    return True


def _takes_turns(first: Task, then: Task) -> bool:
    """Whether a task may do its first samples before an earlier one has done its last."""
    for a, b in zip(first.parts, then.parts, strict=True):
        if a is None or b is None or a.cut is None or b.cut is None:
            if a is not b:
                return False
            continue
        if a.samples != b.samples:
            return False
        low, high = a.samples
        middle = (low + high) // 2
        if middle == low:
            continue
        ahead, behind = b.cut(low, middle), a.cut(middle, high)
        if any(clash(spot, behind.writes) for spot in (*ahead.reads, *ahead.writes)):
            return False
        if any(clash(spot, behind.reads) for spot in ahead.writes):
            return False
    return True


def _group(run: list[Task], threads: int) -> Group:
    if len(run) == 1:
        return Group(run)
    turns: list[list[tuple[int, int]]] = []
    for t in range(threads):
        parts = [part for task in run if (part := task.parts[t]) is not None]
        if not parts:
            turns.append([])
            continue
        low, high = parts[0].samples
        largest = max(_bytes(part) for part in parts)
        count = max(1, min(high - low, -(-largest // CACHED)))
        cuts = [low + (high - low) * i // count for i in range(count + 1)]
        turns.append(list(pairwise(cuts)))
    return Group(run, turns=turns)


def _bytes(part: Part) -> int:
    """What a part reads and writes when nothing is cached."""
    return 4 * sum(end - first for _, first, end in {*part.reads, *part.writes})


def epochs(groups: Sequence[Group], threads: int) -> list[int]:
    """Of each group, the number of waits before it; with one thread every group is an epoch of its own."""
    if threads == 1:
        return list(range(len(groups)))
    count, found = 0, []
    for group in groups:
        count += group.wait
        found.append(count)
    return found
