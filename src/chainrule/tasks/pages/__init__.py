"""Pages: where lines of text are, and, with a reader of lines, what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..task import Prepared, Task
from .settings import PageSettings

__all__ = ["TASK", "PageSettings", "Pages"]


class Pages(Task):
    """Learning to find the lines of text of pages."""

    name = "pages"
    what = "pages with the places of their lines"
    noun = ("page", "pages")
    file_key = "pages"
    how = "Beside page.jpg lies page.txt with x1,y1,x2,y2,x3,y3,x4,y4,TEXT for each line; --task detect-text says so."
    example = "PAGES/ -o out/"
    writes = ("a folder, such as out/, for pages with their lines",)
    settings = PageSettings
    kernels = ("images and graphs",)

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        if given.get("task") == "detect-text":
            return 9
        if "task" in given or not data.is_dir():
            return 0
        from ...pages import is_text_pages

        return 6 if is_text_pages(data) else 0

    def read(self, settings: PageSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: PageSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: PageSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def table(self, model: Any, samples: Any, prediction: Any) -> Mapping[str, Sequence[Any]]:
        from .output import table

        return table(samples.names, prediction.values)

    def preview(self, model: Any, samples: Any, prediction: Any) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        from .output import preview

        return preview(samples, prediction)

    def write(self, place: Path, model: Any, samples: Any, prediction: Any) -> str:
        from .output import write

        return write(place, samples, prediction)

    def model(self) -> type[Any]:
        from .page_model import PageModel

        return PageModel


TASK = Pages()


def __getattr__(name: str) -> Any:
    """The model, imported when it is first used, because ``chainrule --help`` reads this file."""
    if name == "PageModel":
        from .page_model import PageModel

        return PageModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
