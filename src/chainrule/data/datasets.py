"""Small real data sets for demonstrations and tests; nothing is downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chainrule.errors import MissingDependencyError

__all__ = ["load_digits"]


def load_digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The 1,797 handwritten digits that come with scikit-learn, read from its file without importing it.

    Shapes      X (1797, 64): 8 x 8 images row by row, float32 from 0 to 1 ; y (1797,): int64 from 0 to 9
    Raises      MissingDependencyError when scikit-learn, or its file of digits, is not installed
    Example
        >>> X, y = load_digits()
        >>> X.shape, y[:5].tolist()
        ((1797, 64), [0, 1, 2, 3, 4])
    """
    spec = importlib.util.find_spec("sklearn")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or []:
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            rows = np.loadtxt(path, delimiter=",", dtype=np.float32)
            return np.ascontiguousarray(rows[:, :-1] / np.float32(16)), rows[:, -1].astype(np.int64)
    raise MissingDependencyError("scikit-learn", "The digits data set", extra="sklearn")
