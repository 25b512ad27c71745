"""Values that were not there in training, so that a prediction can make no use of them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MOSTLY", "UnknownValues", "UnknownValuesWarning"]

#: Above this share of unknown values a warning is due.
MOSTLY = 0.5


class UnknownValuesWarning(UserWarning):
    """Most of what a network is given was not there in training, so that it can make no use of it."""


class UnknownValues(NamedTuple):
    """The values of a column that were not there in training.

    Parameters  share : of the values that are not missing ; examples : up to three of them ; expected : the share of
    training rows
                that were treated like them
    """

    share: float
    examples: list[str]
    expected: float = 0.0
