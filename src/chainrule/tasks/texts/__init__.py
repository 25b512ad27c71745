"""Texts: a column of a table is predicted from the sentences of another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..task import Prepared, Task
from .settings import TextSettings

__all__ = ["TASK", "TextSettings", "Texts"]


class Texts(Task):
    """Learning a label or a number from the words of a text."""

    name = "texts"
    noun = ("text", "texts")
    file_key = "texts"
    how = "Name the column of texts by --text."
    example = '"a sentence"'
    settings = TextSettings
    kernels = ("sequences",)

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        return 2 if given.get("text") is not None else 0

    def read(self, settings: TextSettings) -> Any:
        from .training import read

        return read(settings)

    def prepare(self, data: Any, settings: TextSettings) -> Prepared:
        from .training import prepare

        return prepare(data, settings)

    def resume(self, model: Any, settings: TextSettings) -> Prepared:
        from .training import resume

        return resume(model, settings)

    def piped(self, model: Any, data: Path) -> Any:
        """A table where the first line names the column of texts, else each line as a text."""
        lines = data.read_text(encoding="utf-8", errors="replace").splitlines()
        named = bool(lines) and any(model.text in lines[0].split(sign) for sign in (",", ";", "\t", "|"))
        return data if named else [line for line in lines if line.strip()] or data

    def model(self) -> type[Any]:
        from .text_model import TextModel

        return TextModel


TASK = Texts()
