"""Translation: from a text to a text."""

from __future__ import annotations

from typing import Any

from ..task import Task

__all__ = ["TASK", "Translation"]


class Translation(Task):
    """Turning a sequence of tokens into another. It is trained and used from Python, by ``Translator``."""

    name = "translation"
    noun = ("text", "texts")
    file_key = "translator"

    def model(self) -> type[Any]:
        from .translator import Translator

        return Translator


TASK = Translation()
