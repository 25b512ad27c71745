"""The settings of a training on pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..option import LEARNING, READING, option
from ..settings import TrainingSettings, check_fine_tuning, distributed_training, fine_tuning, pretrained_body, size_of_text

if TYPE_CHECKING:
    from ...constraints import Constraint

__all__ = ["PictureSettings"]

_FITS = ("stretch", "crop", "pad")


def _networks() -> Iterable[str]:
    from ...architectures import ARCHITECTURES

    return ("auto", *sorted(ARCHITECTURES))


@dataclass(frozen=True, kw_only=True)
class PictureSettings(TrainingSettings):
    """The settings of a training on pictures.

    Example
        >>> PictureSettings(data="photos", size=(48, 64)).network
        'auto'
    """

    size: tuple[int, int] | None = option(
        None,
        str,
        "Size that pictures in files get, such as 64 or 48x64 (height x width).",
        metavar="PIXELS",
        shown="at most 64",
        parse=size_of_text,
    )
    fit: str | None = option(
        None,
        str,
        "How they get it: stretch them, crop the middle, or pad with black.",
        metavar="HOW",
        shown="stretch",
        known=lambda: _FITS,
    )
    channels: int | None = option(
        None, int, "3 for colours, 1 for grey.", metavar="N", shown="as they are", known=lambda: ("1", "3")
    )
    augment: str | None = option(
        None,
        str,
        "Random changes in training: light, none, or a list such as flip,shift=0.1,rotate=10,mixup=0.2.",
        metavar="LIST",
        shown="light; none on a frozen pretrained body",
    )
    pretrained: str | None = pretrained_body("pictures")
    fine_tune: bool = fine_tuning()
    network: str = option(
        "auto", str, "Network: auto, lenet5, vgg_small, resnet20, mobilenet_small, ...", metavar="NAME", known=_networks
    )
    broken: str | None = option(
        None,
        str,
        "What a picture that cannot be read does: stop, or skip it.",
        metavar="WHAT",
        shown="stop",
        uses=READING | LEARNING,
        known=lambda: ("stop", "skip"),
    )

    distributed: bool = distributed_training()

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ...architectures import get_architecture
        from ...constraints import Accepted, OneOf

        def known_network(name: Any) -> None:
            if name != "auto":
                get_architecture(name)

        return {
            **super().constraints(),
            "fit": OneOf(*_FITS),
            "channels": OneOf(1, 3, hint="3 stands for colours, 1 for grey."),
            "network": Accepted(known_network, "auto or the name of an architecture"),
            "broken": OneOf("stop", "skip"),
        }

    def check_together(self) -> None:
        from ...errors import ParameterError
        from ...images.preprocessor import size_of

        super().check_together()
        if self.size is not None:
            size_of(self.size)
        self.augmentation()
        check_fine_tuning(self)
        if self.data.suffix.lower() == ".npz" and not self.data.is_dir():
            for name in ("size", "fit", "channels", "broken"):
                if getattr(self, name) is not None:
                    raise ParameterError(
                        f"--{name} is for files of pictures; those of an .npz file are used as they are. Leave it out."
                    )

    def augmentation(self) -> Any:
        """The Augmentation that ``augment`` names, None for none. Raises  ParameterError"""
        from ...images import Augmentation

        text = self.augment
        if text is None:
            # Pictures that stay as they are have features that are computed once.
            text = "none" if self.pretrained is not None and not self.fine_tune else "light"
        return None if text.strip().lower() in ("none", "") else Augmentation.from_text(text)
