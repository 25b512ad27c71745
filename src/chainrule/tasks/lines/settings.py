"""The settings of a training on lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..option import option
from ..settings import TrainingSettings, task_option

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["LineSettings"]


@dataclass(frozen=True, kw_only=True)
class LineSettings(TrainingSettings):
    """The settings of a training on lines of text.

    Example
        >>> LineSettings(data="lines").height
        32
    """

    task: str = task_option("read", "read")
    height: int = option(32, int, "Height in pixels that lines are brought to, a multiple of 8.", metavar="PIXELS")
    synthetic: int = option(
        0, int, "Lines that are drawn with the fonts of this machine and learned from as well.", metavar="N"
    )
    augment: str = option(
        "light", str, "Random changes in training: light or none.", metavar="NAME", known=lambda: ("light", "none")
    )
    width: int = option(32, int, "Channels of the first convolution.", metavar="N")

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...constraints import Interval, OneOf

        return {
            **super().constraints(),
            "task": OneOf("read"),
            "height": Interval(int, 8, 128, closed="both"),
            "synthetic": Interval(int, 0),
            "augment": OneOf("light", "none"),
            "width": Interval(int, 4, 512),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        if self.height % 8:
            raise ParameterError(f"--height must be a multiple of 8. Got {self.height}.")
