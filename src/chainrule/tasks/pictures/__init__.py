"""Pictures: what a picture shows is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..task import Prepared, Task
from .settings import PictureSettings

__all__ = ["TASK", "PictureSettings", "Pictures"]


class Pictures(Task):
    """Learning which of several classes a picture shows."""

    name = "pictures"
    noun = ("picture", "pictures")
    file_key = "images"
    how = "Pictures lie in a folder that has one folder for each class, or in an .npz file."
    example = "PICTURE.png"
    draws = True
    settings = PictureSettings
    kernels = ("images and graphs",)

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        return 3 if data.suffix.lower() == ".npz" or data.is_dir() else 0

    def read(self, settings: PictureSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: PictureSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: PictureSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def draw(self, place: Path, model: Any, samples: Any, prediction: Any, *, title: str, seed: int = 0) -> None:
        from .drawing import draw

        draw(place, model, samples, prediction, title=title, seed=seed)

    def model(self) -> type[Any]:
        from .picture_model import PictureModel

        return PictureModel


TASK = Pictures()
