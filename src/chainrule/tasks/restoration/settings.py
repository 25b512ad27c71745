"""The settings of a training that restores pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..option import ALSO_LATER, LEARNING, READING, Use, option
from ..settings import TrainingSettings, task_option

if TYPE_CHECKING:
    from ...constraints import Constraint
    from .degradation import Degradation

__all__ = ["TASKS", "RestorationSettings", "strengths"]

TASKS = ("denoise", "colour", "enlarge")
_HERE = frozenset({Use.PREDICT})


def strengths(typed: str) -> tuple[float, float]:
    """``"15:50"`` as (15, 50), ``"25"`` as (25, 25)."""
    from ...errors import ParameterError

    try:
        numbers = [float(part) for part in typed.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not 0 <= numbers[0] <= numbers[-1] <= 255:
        raise ParameterError(f"--sigma must be a number from 0 to 255, or two such as 15:50. Got {typed!r}.")
    return numbers[0], numbers[-1]


@dataclass(frozen=True, kw_only=True)
class RestorationSettings(TrainingSettings):
    """The settings of a training that restores pictures.

    Example
        >>> RestorationSettings(data="photos", task="colour").degradation(3).result
        'coloured'
    """

    task: str = task_option("denoise", *TASKS)
    sigma: tuple[float, float] = option(
        (0.0, 55.0),
        str,
        "Standard deviation of the noise in bytes, such as 25, or 15:50 for an unknown one in between.",
        metavar="LOW:HIGH",
        shown="0:55; 25 to predict",
        uses=READING,
        parse=strengths,
    )
    factor: int = option(2, int, "How many times as many pixels a side gets: 2, 3 or 4.", metavar="N")
    colours: str = option(
        "classes",
        str,
        "How colours are learned: classes (vivid), or mean (paler, by the squared error).",
        metavar="HOW",
        known=lambda: ("classes", "mean"),
    )
    channels: int | None = option(
        None, int, "3 for colours, 1 for grey.", metavar="N", shown="as they are", known=lambda: ("1", "3")
    )
    width: int = option(48, int, "Channels of the convolutions; of the first ones of a U-Net half as many.", metavar="N")
    depth: int = option(10, int, "Convolutions of the network that finds noise or detail.", metavar="N")
    patch: int | None = option(
        None, int, "Pixels of a side of the patches that are learned from.", metavar="N", shown="48; 96 for colour, enlarge"
    )
    patches: int = option(4000, int, "Patches of an epoch.", metavar="N", uses=ALSO_LATER)
    broken: str | None = option(
        None,
        str,
        "What a picture that cannot be read does: stop, or skip it.",
        metavar="WHAT",
        shown="stop",
        uses=READING | LEARNING,
        known=lambda: ("stop", "skip"),
    )
    spoil: bool = option(
        False, bool, "DATA are good pictures: spoil them first, and say how near the results are to them.", uses=_HERE
    )

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...constraints import Boolean, Interval, OneOf

        return {
            **super().constraints(),
            "task": OneOf(*TASKS),
            "factor": OneOf(2, 3, 4),
            "colours": OneOf("classes", "mean"),
            "channels": OneOf(1, 3, hint="3 stands for colours, 1 for grey."),
            "width": Interval(int, 2, 1024),
            "depth": Interval(int, 2, 100),
            "patch": Interval(int, 16, 1024),
            "patches": Interval(int, 1),
            "broken": OneOf("stop", "skip"),
            "spoil": Boolean(),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        for name, task in (("sigma", "denoise"), ("factor", "enlarge"), ("colours", "colour")):
            if self.task != task and getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise ParameterError(f"--{name} is for --task {task}. This one is to {self.task}. Leave it out.")
        if self.channels is not None and self.task != "denoise":
            raise ParameterError(f"--channels is for --task denoise. This one is to {self.task}. Leave it out.")
        if self.patience is not None:
            raise ParameterError("--patience: the rate falls to the end of the epochs, so none is left out. Set --epochs.")
        step = self.degradation(self.channels or 1).step
        if self.patch is not None and self.patch % step:
            raise ParameterError(f"--patch must be a multiple of {step} for --task {self.task}. Got {self.patch}.")

    def degradation(self, channels: int) -> Degradation:
        """How the pictures are spoilt. Parameters  channels : of pictures whose noise is to be taken out"""
        from .degradation import Degradation

        own: dict[str, dict[str, Any]] = {
            "denoise": {"sigma": self.sigma, "channels": channels},
            "colour": {"colours": self.colours},
            "enlarge": {"factor": self.factor},
        }
        return Degradation.of({"task": self.task, **own[self.task]})
