"""Pictures of any size inside one of a fixed size, with borders, and the way back for boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Floats

__all__ = ["Letterbox"]


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in another: neither cut nor stretched, in the middle, with black borders.

    The same as ``fit="pad"`` of ``ImageData``, whose rounding it follows.

    Parameters  picture, inside : (height, width) of the picture, and of what it is put into

    Example
        >>> box = Letterbox((100, 200), (64, 64))
        >>> box.forward(np.array([[0, 0, 200, 100.0]]))
        array([[ 0., 16., 64., 48.]])
    """

    picture: tuple[int, int]
    inside: tuple[int, int]

    def _factors(self) -> tuple[Floats, Floats]:
        (height, width), (down, across) = self.picture, self.inside
        scale = min(across / width, down / height)
        w, h = max(1, round(width * scale)), max(1, round(height * scale))
        factor = np.array([w / width, h / height] * 2)
        return factor, np.array([(across - w) // 2, (down - h) // 2] * 2, np.float64)

    def forward(self, boxes: Floats) -> Floats:
        """Boxes of the picture, as they lie inside."""
        factor, start = self._factors()
        return np.asarray(boxes * factor + start)

    def back(self, boxes: Floats) -> Floats:
        """Boxes found inside, as they lie in the picture, clipped to it."""
        factor, start = self._factors()
        height, width = self.picture
        return np.asarray(np.clip((boxes - start) / factor, 0, [width, height, width, height]))
