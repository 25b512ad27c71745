"""The looks of boxes as vectors, from the features that a network has anyway."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats
from ..errors import ShapeError

__all__ = ["appearance_vectors"]


def appearance_vectors(features: NDArray[np.float32], boxes: Floats, size: tuple[int, int], *, rows: int = 3) -> Floats:
    """A vector for each box: the mean features of its upper, middle and lower part, less their mean over the picture.

    Parameters  features (h, w, C) : of a picture, such as those of a detector's body ; boxes (n, 4) in pixels ; size :
                (height, width) of the picture in the same pixels ; rows : parts = 3
    Shapes      (n, rows · C)
    Raises      ShapeError when the features are not (h, w, C)
    """
    if features.ndim != 3:
        raise ShapeError(f"appearance_vectors: expected features (h, w, C) of one picture. Got {features.shape}.")
    h, w, channels = features.shape
    centred = features - features.mean(axis=(0, 1))
    # Sums over any rectangle from a table of sums.
    table = np.zeros((h + 1, w + 1, channels))
    table[1:, 1:] = centred.astype(np.float64).cumsum(axis=0).cumsum(axis=1)
    scale = np.array([w / size[1], h / size[0]] * 2)
    out = np.empty((len(boxes), rows * channels))
    for i, (left, top, right, bottom) in enumerate(np.asarray(boxes, np.float64).reshape(-1, 4) * scale):
        x0 = int(np.clip(np.floor(left), 0, w - 1))
        x1 = int(np.clip(np.ceil(right), x0 + 1, w))
        edges = np.linspace(top, bottom, rows + 1)
        for j in range(rows):
            y0 = int(np.clip(np.floor(edges[j]), 0, h - 1))
            y1 = int(np.clip(np.ceil(edges[j + 1]), y0 + 1, h))
            total = table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
            out[i, j * channels : (j + 1) * channels] = total / ((y1 - y0) * (x1 - x0))
    return out
