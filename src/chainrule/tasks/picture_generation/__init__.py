"""Picture generation: new pictures like those of a collection."""

from __future__ import annotations

from typing import Any

from ..task import Task

__all__ = ["TASK", "PictureGeneration"]


class PictureGeneration(Task):
    """Making new pictures, by ``chainrule generate`` and from Python by ``PictureGenerator``."""

    name = "picture_generation"
    noun = ("picture", "pictures")
    file_key = "picture generator"

    def model(self) -> type[Any]:
        from .picture_generator import PictureGenerator

        return PictureGenerator


TASK = PictureGeneration()
