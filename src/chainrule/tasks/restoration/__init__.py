"""Restoration: good pictures from spoilt ones, without their noise, with colours, or larger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..task import Prepared, Task
from .settings import TASKS, RestorationSettings

if TYPE_CHECKING:
    from .picture_restorer import PictureRestorer
    from .restoration_model import RestorationModel

__all__ = ["TASK", "PictureRestorer", "Restoration", "RestorationModel", "RestorationSettings"]


class Restoration(Task):
    """Taking noise out of pictures, colouring grey ones, and making small ones larger."""

    name = "restoration"
    what = "good pictures to learn restoration from"
    noun = ("picture", "pictures")
    file_key = "restoration"
    how = "A folder of good pictures with --task denoise, colour or enlarge is learned to be restored."
    example = "PICTURE.png -o out.png"
    draws = True
    writes = ("a folder, such as out/", "a .png, .jpg or .webp file for one picture")
    formats = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
    writes_tables = False
    settings = RestorationSettings
    kernels = ("images and graphs",)

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        return 9 if given.get("task") in TASKS else 0

    def read(self, settings: RestorationSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: RestorationSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: RestorationSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def draw(self, place: Path, model: Any, samples: Any, prediction: Any, *, title: str, seed: int = 0) -> None:
        from .output import draw

        draw(place, model, samples, prediction, title=title)

    def default_place(self, model: Any, samples: Any) -> Path:
        from .output import default_place

        return default_place(model, samples)

    def write(self, place: Path, model: Any, samples: Any, prediction: Any) -> str:
        from .output import write

        return write(place, model, samples, prediction)

    def model(self) -> type[Any]:
        from .restoration_model import RestorationModel

        return RestorationModel


TASK = Restoration()


def __getattr__(name: str) -> Any:
    """What trains and restores, imported when it is first used, because ``chainrule --help`` reads this file."""
    if name == "PictureRestorer":
        from .picture_restorer import PictureRestorer

        return PictureRestorer
    if name == "RestorationModel":
        from .restoration_model import RestorationModel

        return RestorationModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
