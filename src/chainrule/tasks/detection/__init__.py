"""Detection: where objects are in pictures, and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..task import Prepared, Task
from .settings import DetectionSettings

__all__ = ["TASK", "Detection", "DetectionSettings"]


class Detection(Task):
    """Learning to put boxes around objects in pictures."""

    name = "detection"
    what = "pictures with boxes"
    noun = ("picture", "pictures")
    file_key = "detection"
    how = "Boxes are given as COCO (.json), Pascal VOC (.xml) or YOLO (data.yaml); --task detect says so."
    example = "PICTURES/ -o out/"
    draws = True
    writes = ("a folder, such as out/, for pictures with their boxes", "a .json file for COCO")
    formats = (".json",)
    settings = DetectionSettings
    kernels = ("images and graphs", "boxes")

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        if given.get("task") == "detect":
            return 9
        if "task" in given or not data.exists():
            return 0
        from ...boxes.annotations import is_annotated

        return 4 if is_annotated(data) else 0

    def read(self, settings: DetectionSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: DetectionSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: DetectionSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def draw(self, place: Path, model: Any, samples: Any, prediction: Any, *, title: str, seed: int = 0) -> None:
        from .output import draw

        draw(place, model, samples, prediction, title=title)

    def table(self, model: Any, samples: Any, prediction: Any) -> Mapping[str, Sequence[Any]]:
        from .output import table

        return table(model, samples, prediction)

    def preview(self, model: Any, samples: Any, prediction: Any) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        from .output import preview

        return preview(model, samples, prediction)

    def write(self, place: Path, model: Any, samples: Any, prediction: Any) -> str:
        from .output import write

        return write(place, model, samples, prediction)

    def model(self) -> type[Any]:
        from .detector import Detector

        return Detector


TASK = Detection()
