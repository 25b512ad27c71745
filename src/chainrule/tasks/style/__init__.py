"""Style transfer: a photo as a painter would have painted it."""

from __future__ import annotations

from typing import Any

from ..task import Task

__all__ = ["TASK", "StyleTransfer"]


class StyleTransfer(Task):
    """Painting photos as a painting is painted, by ``chainrule style``, in Python ``transfer`` and ``StyleNetwork``."""

    name = "style"
    noun = ("picture", "pictures")
    file_key = "style network"

    def model(self) -> type[Any]:
        from .style_network import StyleNetwork

        return StyleNetwork


TASK = StyleTransfer()
