"""The settings of a training on sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..option import READING, option
from ..settings import TrainingSettings, task_option

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["SoundSettings"]


@dataclass(frozen=True, kw_only=True)
class SoundSettings(TrainingSettings):
    """The settings of a training on sounds.

    Example
        >>> SoundSettings(data="sounds", rate=8000).augment
        'light'
    """

    task: str = task_option("listen", "listen")
    rate: float | None = option(
        None,
        float,
        "Samples a second that all sounds are brought to.",
        metavar="HERTZ",
        shown="the most frequent, at most 16000",
    )
    augment: str = option(
        "light",
        str,
        "Random changes in training: light, none, or a list such as shift=0.1,speed=0.1,gain=6,noise=0.1.",
        metavar="LIST",
    )
    units: str = option(
        "auto",
        str,
        "What texts are written in: words, characters, or auto to find out.",
        metavar="NAME",
        known=lambda: ("auto", "words", "characters"),
    )
    mels: int = option(40, int, "Bands of the mel spectrogram, a multiple of 4.", metavar="N")
    width: int = option(32, int, "Channels of the first convolution.", metavar="N")
    window: float | None = option(
        None,
        float,
        "Seconds of the windows in which a long sound is predicted, half a window apart.",
        metavar="SECONDS",
        shown="the whole sound",
        uses=READING,
    )

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...constraints import Interval, OneOf

        return {
            **super().constraints(),
            "task": OneOf("listen"),
            "rate": Interval(float, 1000, 400_000),
            "units": OneOf("auto", "words", "characters"),
            "mels": Interval(int, 8, 256),
            "width": Interval(int, 4, 512),
            "window": Interval(float, 0.05, 3600),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        self.augmentation(16000.0)
        if self.mels % 4:
            raise ParameterError(f"--mels must be a multiple of 4. Got {self.mels}.")

    def augmentation(self, rate: float) -> Any:
        """The SoundAugmentation that ``augment`` names, None for none. Raises  ParameterError"""
        from ...sounds import SoundAugmentation

        if self.augment.strip().lower() in ("none", ""):
            return None
        return SoundAugmentation.from_text(self.augment, rate=float(rate))
