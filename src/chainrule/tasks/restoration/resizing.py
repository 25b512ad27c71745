"""Pictures of numbers brought to another size by Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDependencyError

__all__ = ["resized"]


def resized(picture: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """The picture (H, W, C) of this (H', W') by bicubic interpolation, over as many pixels as one new pixel covers.

    Raises      MissingDependencyError without Pillow
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingDependencyError("pillow", "Resizing pictures", extra="images") from None
    if picture.shape[:2] == size:
        return np.asarray(picture, np.float32)
    channels = [
        np.asarray(Image.fromarray(np.ascontiguousarray(one, np.float32)).resize(size[::-1], Image.Resampling.BICUBIC))
        for one in np.moveaxis(np.asarray(picture), -1, 0)
    ]
    return np.stack(channels, axis=-1)
