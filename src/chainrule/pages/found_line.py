"""A line that was found on a page."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FoundLine"]

Corner = tuple[float, float]


class FoundLine(NamedTuple):
    """A line of a page.

    Parameters  text : what it says, "" where nobody read it ; box : left, top, right, bottom in whole pixels ; probability :
                of the text, or that it is text where nobody read it ; corners : of a line that may be slanted, clockwise
                from where it begins on top; () for those of the box
    """

    text: str
    box: tuple[int, int, int, int]
    probability: float
    corners: tuple[Corner, ...] = ()
