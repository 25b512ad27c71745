"""Sounds: what is heard in a sound, one of several classes, or words in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..task import Prepared, Task
from .settings import SoundSettings

if TYPE_CHECKING:
    from .sound_classifier import SoundClassifier
    from .sound_model import SoundModel

__all__ = ["TASK", "SoundClassifier", "SoundModel", "SoundSettings", "Sounds"]


class Sounds(Task):
    """Learning which of several classes a sound is, or to write down what is said in it."""

    name = "sounds"
    what = "a folder of sounds"
    noun = ("sound", "sounds")
    file_key = "sounds"
    how = "Sounds lie in a folder that has one folder for each class, or a file labels.csv with their texts."
    example = "CLIP.wav"
    settings = SoundSettings
    kernels = ("images and graphs", "sequences", "alignment")

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        if given.get("task") == "listen":
            return 9
        if "task" in given or not data.is_dir():
            return 0
        from ...images.folder import files_of_kind
        from ...sounds import SOUNDS

        return 4 if files_of_kind(data, SOUNDS) else 0

    def read(self, settings: SoundSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: SoundSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: SoundSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def table(self, model: Any, samples: Any, prediction: Any) -> Mapping[str, Sequence[Any]] | None:
        from .output import table

        return table(model, samples, prediction)

    def preview(self, model: Any, samples: Any, prediction: Any) -> tuple[Sequence[str], Sequence[Sequence[str]]] | None:
        from .output import preview

        return preview(model, samples, prediction)

    def model(self) -> type[Any]:
        from .sound_model import SoundModel

        return SoundModel


TASK = Sounds()


def __getattr__(name: str) -> Any:
    """What trains and predicts, imported when it is first used, because ``chainrule --help`` reads this file."""
    if name == "SoundClassifier":
        from .sound_classifier import SoundClassifier

        return SoundClassifier
    if name == "SoundModel":
        from .sound_model import SoundModel

        return SoundModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
