"""How long several ways to compute the same take, beside each other on a machine that others use, too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["best_times", "times_in_turn"]


def best_times(
    runs: Sequence[Callable[[], Any]],
    *,
    fewest: int = 5,
    most: int = 40,
    seconds: float = 1.5,
    clear: float | None = None,
) -> list[float]:
    """The fastest time of each run in seconds, of ``times_in_turn``."""
    return [min(times) for times in times_in_turn(runs, fewest=fewest, most=most, seconds=seconds, clear=clear)]


def times_in_turn(
    runs: Sequence[Callable[[], Any]],
    *,
    fewest: int = 5,
    most: int = 40,
    seconds: float = 1.5,
    clear: float | None = None,
) -> list[list[float]]:
    """The times of each run in seconds, one of every turn.

    The runs take turns, so that what else the machine does disturbs all alike, and each runs once before it is timed, so
    that its weights are in the cache as far as they fit. It ends when the two fastest times of every run agree within 5 %,
    as a processor that other programs use seldom gives the same time twice unless nothing disturbed it.

    Parameters  fewest, most : turns ; seconds : after which no turn begins once there were the fewest
                clear : ends already after two turns where the slowest time of one run, so many times over, is still faster
                than every time of all others, which is enough to know which is the fastest
    """
    found: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()  # compiles its plan
    end = time.perf_counter() + seconds
    for turn in range(most):
        if turn >= fewest and (time.perf_counter() > end or all(_agree(times) for times in found)):
            break
        if clear is not None and turn >= 2 and _one_is_ahead(found, clear):
            break
        for run, times in zip(runs, found, strict=True):
            run()
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return found


def _agree(times: list[float]) -> bool:
    first, second = sorted(times)[:2]
    return second <= 1.05 * first


def _one_is_ahead(found: list[list[float]], clear: float) -> bool:
    ahead = min(found, key=min)
    return all(clear * max(ahead) < min(times) for times in found if times is not ahead)
