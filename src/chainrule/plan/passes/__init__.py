"""Passes over a plan: each small, each a function from a plan to a new plan that changes nothing of the one it is given."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from ..plan import Plan
from .common import eliminate_common
from .dead_code import eliminate_dead_code, needed
from .fuse import fuse
from .recompute import recompute
from .signs import multiply_signs

__all__ = ["PASSES", "eliminate_common", "eliminate_dead_code", "fuse", "multiply_signs", "needed", "optimise", "recompute"]

#: In their order. What is computed for nothing goes first and once more, so that every pass sees what is read, and by whom.
PASSES: tuple[Callable[[Plan], Plan], ...] = (
    eliminate_dead_code,
    multiply_signs,
    eliminate_common,
    eliminate_dead_code,
    recompute,
    fuse,
)


def optimise(plan: Plan) -> Plan:
    """All passes in their order."""
    return reduce(lambda found, one: one(found), PASSES, plan)
