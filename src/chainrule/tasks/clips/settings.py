"""The settings of a training on clips of video."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..option import option
from ..settings import TrainingSettings, size_of_text, task_option

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["ClipSettings"]

_FITS = ("stretch", "crop", "pad")


def _networks() -> Iterable[str]:
    from ...architectures.clip_networks import CLIP_NETWORKS

    return CLIP_NETWORKS


@dataclass(frozen=True, kw_only=True)
class ClipSettings(TrainingSettings):
    """The settings of a training on clips of video.

    Example
        >>> ClipSettings(data="actions").frames
        16
    """

    task: str = task_option("clips", "clips")
    frames: int = option(16, int, "Frames that the network sees at a time.", metavar="N")
    every: int = option(1, int, "Take every N-th frame.", metavar="N")
    size: tuple[int, int] | None = option(
        None, str, "Size that frames get, such as 64 or 48x64 (height x width).", metavar="PIXELS", shown="at most 64",
        parse=size_of_text,
    )  # fmt: skip
    fit: str | None = option(
        None, str, "How they get it: stretch them, crop the middle, or pad with black.", metavar="HOW", shown="stretch",
        known=lambda: _FITS,
    )  # fmt: skip
    channels: int | None = option(
        None, int, "3 for colours, 1 for grey.", metavar="N", shown="3", known=lambda: ("1", "3")
    )  # fmt: skip
    augment: str = option(
        "light", str, "Random changes, alike for all frames of a clip: light, none, or a list such as flip,shift=0.1.",
        metavar="LIST",
    )  # fmt: skip
    network: str = option(
        "r2plus1d", str, "Network: r2plus1d, conv3d, frames_gru or frames_attention.", metavar="NAME", known=_networks
    )

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...architectures.clip_networks import CLIP_NETWORKS
        from ...constraints import Interval, OneOf

        return {
            **super().constraints(),
            "task": OneOf("clips"),
            "frames": Interval(int, 2, 1024),
            "every": Interval(int, 1),
            "fit": OneOf(*_FITS),
            "channels": OneOf(1, 3, hint="3 stands for colours, 1 for grey."),
            "network": OneOf(*CLIP_NETWORKS),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        made = self.augmentation()
        if made is not None and made.mixup:
            raise ParameterError("--augment: mixup is for pictures, not for clips. Leave it out.")

    def augmentation(self) -> Any:
        """The Augmentation that ``augment`` names, None for none. Raises  ParameterError"""
        from ...images import Augmentation

        return None if self.augment.strip().lower() in ("none", "") else Augmentation.from_text(self.augment)
