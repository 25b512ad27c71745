"""The settings of a training on pages with lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..option import READING, option
from ..settings import TrainingSettings, task_option

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["PageSettings"]


@dataclass(frozen=True, kw_only=True)
class PageSettings(TrainingSettings):
    """The settings of a training on pages with lines of text.

    Example
        >>> PageSettings(data="pages").width
        16
    """

    task: str = task_option("detect-text", "detect-text")
    page_width: int | None = option(
        None,
        int,
        "Width in pixels that pages are brought to, a multiple of 16.",
        metavar="PIXELS",
        shown="lines get about 20 pixels in height",
    )
    reader: Path | None = option(
        None,
        Path,
        "Model that reads lines, made by --task read. It is saved in the same file, and chainrule read then reads "
        "whole pages.",
        metavar="MODEL",
    )
    synthetic: int = option(0, int, "Pages that are drawn with the fonts of this machine and learned from too.", metavar="N")
    augment: str = option(
        "light", str, "Random changes in training: light or none.", metavar="NAME", known=lambda: ("light", "none")
    )
    width: int = option(16, int, "Channels of the network at half the size of a page.", metavar="N")
    wrong_boxes: str | None = option(
        None,
        str,
        "What lines that are empty or outside the page do: stop, clip (put right, else left out), or skip.",
        metavar="WHAT",
        shown="clip",
        uses=READING,
        known=lambda: ("stop", "clip", "skip"),
    )

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...boxes.checking import WRONG
        from ...constraints import Interval, OneOf

        return {
            **super().constraints(),
            "task": OneOf("detect-text"),
            "page_width": Interval(int, 32, 4096, closed="both"),
            "synthetic": Interval(int, 0),
            "augment": OneOf("light", "none"),
            "width": Interval(int, 4, 512),
            "wrong_boxes": OneOf(*WRONG),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        if self.page_width is not None and self.page_width % 16:
            raise ParameterError(f"--page-width must be a multiple of 16. Got {self.page_width}.")
