"""Text generation: a language model writes on."""

from __future__ import annotations

from typing import Any

from ..task import Task

__all__ = ["TASK", "TextGeneration"]


class TextGeneration(Task):
    """Writing the next token of a text, again and again. It is trained and used from Python, by ``TextGenerator``."""

    name = "text_generation"
    noun = ("text", "texts")
    file_key = "text generator"

    def model(self) -> type[Any]:
        from .text_generator import TextGenerator

        return TextGenerator


TASK = TextGeneration()
