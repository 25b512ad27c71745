"""The array types that the files of this folder share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "FloatArray", "IndexArray", "ObjectArray"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
ObjectArray = npt.NDArray[np.object_]
