"""Restoration: pictures from pictures, without their noise or with colours."""

from __future__ import annotations

from typing import Any

from ..task import Task

__all__ = ["TASK", "Restoration"]


class Restoration(Task):
    """Taking noise out of pictures, and colouring grey ones, by ``chainrule restore`` and ``PictureRestorer``."""

    name = "restoration"
    noun = ("picture", "pictures")
    file_key = "picture restorer"

    def model(self) -> type[Any]:
        from .picture_restorer import PictureRestorer

        return PictureRestorer


TASK = Restoration()
