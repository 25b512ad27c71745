"""Lines: what is written in pictures of lines of text, and on pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..task import Prepared, Task
from .settings import LineSettings

if TYPE_CHECKING:
    from .line_model import LineModel

__all__ = ["TASK", "LineModel", "LineSettings", "Lines"]


class Lines(Task):
    """Learning to read lines of text."""

    name = "lines"
    what = "pictures of lines of text"
    noun = ("line", "lines")
    file_key = "lines"
    how = "Lines lie in a folder with a file labels.csv that has the text of each, or on pages with text files; --task read."
    example = "LINE.png"
    settings = LineSettings
    kernels = ("images and graphs", "sequences", "alignment")

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        if given.get("task") == "read":
            return 9
        if "task" in given or not data.is_dir():
            return 0
        from ...images.folder import PICTURES, files_of_kind
        from ..labels_file import find_labels_file

        return 5 if find_labels_file(data) is not None and files_of_kind(data, PICTURES) else 0

    def read(self, settings: LineSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: LineSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: LineSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def table(self, model: Any, samples: Any, prediction: Any) -> Mapping[str, Sequence[Any]] | None:
        from ..transcription import table_of_texts

        return table_of_texts(samples, prediction)

    def preview(self, model: Any, samples: Any, prediction: Any) -> tuple[Sequence[str], Sequence[Sequence[str]]] | None:
        from ..transcription import preview_of_texts

        return preview_of_texts(samples, prediction)

    def model(self) -> type[Any]:
        from .line_model import LineModel

        return LineModel


TASK = Lines()


def __getattr__(name: str) -> Any:
    """The model, imported when it is first used, because ``chainrule --help`` reads this file."""
    if name == "LineModel":
        from .line_model import LineModel

        return LineModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
