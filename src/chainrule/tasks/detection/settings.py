"""The settings of a training on pictures with boxes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..option import LEARNING, READING, option
from ..settings import TrainingSettings, pretrained_body, size_of_text, task_option

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["DetectionSettings"]


def _bodies() -> Iterable[str]:
    from ...architectures.center_net import BODIES

    return BODIES


@dataclass(frozen=True, kw_only=True)
class DetectionSettings(TrainingSettings):
    """The settings of a training on pictures with boxes.

    Example
        >>> DetectionSettings(data="cells").body, DetectionSettings(data="cells", pretrained="efficientnet-lite0").body
        ('residual', 'efficientnet_lite0')
    """

    task: str = task_option("detect", "detect")
    size: tuple[int, int] | None = option(
        None,
        str,
        "Size that pictures are put into, such as 256 or 192x256 (height x width), multiples of 32.",
        metavar="PIXELS",
        shown="by the size of the objects",
        parse=size_of_text,
    )
    augment: str = option(
        "light",
        str,
        "Random changes in training: light, none, or a list such as flip=both,zoom=0.3,mosaic=0.5,colour=0.1.",
        metavar="LIST",
    )
    network: str | None = option(
        None,
        str,
        "Body of the detector: residual, efficientnet_lite0, mobilenet_small, resnet20 or vgg_small.",
        metavar="NAME",
        shown="residual, or that of --pretrained",
        known=_bodies,
    )
    pretrained: str | None = pretrained_body("pictures", own=False)
    width: int = option(32, int, "Channels of the detector at a quarter of the picture's size.", metavar="N")
    balanced: bool = option(False, bool, "Show pictures with rare classes more often.")
    mirrored: bool = option(False, bool, "Find boxes in each picture and in its mirror image: better, and twice as long.")
    wrong_boxes: str | None = option(
        None,
        str,
        "What boxes that are empty, exchanged or outside do: stop, clip (put right, else left out), or skip.",
        metavar="WHAT",
        shown="clip",
        uses=READING,
        known=lambda: ("stop", "clip", "skip"),
    )

    broken: str | None = option(
        None,
        str,
        "What a picture that cannot be read, or is missing, does: stop, or skip it.",
        metavar="WHAT",
        shown="stop",
        uses=READING | LEARNING,
        known=lambda: ("stop", "skip"),
    )

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...architectures.center_net import BODIES
        from ...boxes.checking import WRONG
        from ...constraints import Boolean, Interval, Maybe, OneOf

        return {
            **super().constraints(),
            "task": OneOf("detect"),
            "network": Maybe(OneOf(*BODIES)),
            "pretrained": OneOf("efficientnet-lite0", "efficientnet_lite0"),
            "balanced": Boolean(),
            "mirrored": Boolean(),
            "width": Interval(int, 8, 512),
            "wrong_boxes": OneOf(*WRONG),
            "broken": OneOf("stop", "skip"),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError

        super().check_together()
        if self.size is not None and any(side % 32 or side < 32 for side in self.size):
            raise ParameterError(f"--size must be multiples of 32, such as 192x256. Got {self.size[0]}x{self.size[1]}.")
        if self.pretrained is not None and self.body != self.network is not None:
            raise ParameterError(
                f"--pretrained {self.pretrained} is another network than --network {self.network}, for which there are no "
                "pretrained weights. Leave one of them out."
            )
        self.augmentation()

    @property
    def body(self) -> str:
        """The name of the detector's body: the network that was asked for, or the pretrained one."""
        if self.pretrained is not None:
            return self.pretrained.replace("-", "_")
        return self.network or "residual"

    def augmentation(self) -> Any:
        """The BoxAugmentation that ``augment`` names, None for none. Raises  ParameterError"""
        from ...boxes import BoxAugmentation

        return None if self.augment.strip().lower() in ("none", "") else BoxAugmentation.from_text(self.augment)
