"""What a change is carried out with: the function of its kind, and what such functions may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...diagnosis import Change
from ...errors import ChainruleError
from ...network import NetworkGraph
from ..setup import Setup

__all__ = ["CARRIED_OUT", "Array", "CarryOut", "Context", "NotApplicable", "carries_out", "nothing"]

Array = NDArray[Any]


class NotApplicable(ChainruleError):
    """A change cannot be made here; the message says why."""


@dataclass
class Context:
    """What a change may look at: the network that is to be cured (built), its inputs, and its targets as plain arrays."""

    network: NetworkGraph
    xs: list[Any]
    ys: list[Array]


CarryOut = Callable[[Setup, Change, Context], Setup]
#: The function that carries out each kind of change.
CARRIED_OUT: dict[str, CarryOut] = {}


def carries_out(kind: str) -> Callable[[CarryOut], CarryOut]:
    """Decorates the function that carries out this kind of change."""

    def register(carry_out: CarryOut) -> CarryOut:
        CARRIED_OUT[kind] = carry_out
        return carry_out

    return register


def nothing(where: str) -> NotApplicable:
    """The error of a change that finds nothing which it could change."""
    return NotApplicable(f"there is no {where}")
