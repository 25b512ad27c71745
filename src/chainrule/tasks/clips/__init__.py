"""Clips: what happens in a video is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..task import Prepared, Task
from .settings import ClipSettings

__all__ = ["TASK", "ClipSettings", "Clips"]


class Clips(Task):
    """Learning which of several classes a clip of video shows."""

    name = "clips"
    what = "clips of video"
    noun = ("clip", "clips")
    file_key = "clips"
    how = "Clips (videos, or folders of numbered frames) lie in a folder that has one folder for each class."
    example = "VIDEO.mp4"
    settings = ClipSettings
    kernels = ("images and graphs", "sequences")

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        if given.get("task") == "clips":
            return 9
        if "task" in given or not data.is_dir():
            return 0
        from ...video.clip_folders import holds_clips

        return 5 if holds_clips(data) else 0

    def read(self, settings: ClipSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: ClipSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: ClipSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def model(self) -> type[Any]:
        from .clip_model import ClipModel

        return ClipModel


TASK = Clips()
