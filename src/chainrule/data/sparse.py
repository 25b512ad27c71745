"""Sparse matrices as samples: rows that become dense a batch at a time, so that the whole is never dense in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import DataError, DtypeError, ShapeError
from ._types import Array
from .arrays import check_range
from .batches import Batch, shuffled_order, split_validation

__all__ = ["SparseData", "SparseRows", "is_sparse", "sparse_rows"]

#: A dense part of the rows, where the user of the rows does not say how many, is about this large.
_PART_BYTES = 16 * 2**20


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or sparse array of SciPy, in any of its formats."""
    return hasattr(X, "tocsr") and hasattr(X, "nnz")


class SparseRows:
    """The rows of a sparse matrix, checked, of one number type.

    Parameters  matrix : CSR matrix of finite numbers
    Attributes  shape : (N, features)
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape: tuple[int, int] = (int(matrix.shape[0]), int(matrix.shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Self:
        return type(self)(self.matrix[rows])

    def dense(self, rows: Any) -> Array:
        """These rows (an index array or a slice) as a dense array."""
        return np.asarray(self.matrix[rows].toarray())

    @property
    def rows_at_once(self) -> int:
        """How many dense rows take a moderate amount of memory, and are enough for a fast matrix product."""
        return max(8, _PART_BYTES // max(1, self.shape[1] * int(self.matrix.dtype.itemsize)))


def sparse_rows(X: Any, *, name: str = "X", dtype: npt.DTypeLike = np.float32) -> SparseRows:
    """A sparse matrix of SciPy, in any format, as checked rows of this dtype.

    Raises      ShapeError unless it has two dimensions ; DtypeError for complex numbers and objects ; DataError when it
    is empty, or
                holds NaN, infinity or numbers too large for the dtype
    """
    shape = tuple(X.shape)
    if len(shape) != 2:
        raise ShapeError(f"{name} must have shape (N, features). Got a sparse array of shape {shape}.")
    if shape[0] < 1:
        raise DataError(f"{name} has 0 sample(s) (shape={shape}) while a minimum of 1 is required.")
    if shape[1] < 1:
        raise DataError(f"{name} has 0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    matrix = X.tocsr()
    if matrix.dtype.kind == "c":
        raise DataError(f"Complex data not supported: {name} is a sparse matrix of {matrix.dtype}.")
    if matrix.dtype.kind not in "biuf":
        raise DtypeError(f"{name} must hold numbers. Got a sparse matrix of {matrix.dtype}.")
    finite = np.isfinite(matrix.data)
    if not finite.all():
        entry = int((~finite).argmax())
        row = int(np.searchsorted(matrix.indptr, entry, "right")) - 1
        what = "NaN" if np.isnan(matrix.data[entry]) else "infinity"
        raise DataError(f"Input {name} contains {what}, first in row {row}, column {int(matrix.indices[entry])}.")
    check_range(matrix.data, np.dtype(dtype), name)
    return SparseRows(matrix.astype(dtype, copy=False))


class SparseData:
    """Batches of a sparse matrix; each becomes dense when it is made (see ``chainrule.data.Batches``).

    Parameters  rows : N samples ; targets : (N, ...), None to predict ; sample_weight : (N,) or None

    Example
        >>> from scipy.sparse import csr_array
        >>> data = SparseData(sparse_rows(csr_array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])), np.array([0, 1, 1]))
        >>> [batch.inputs[0].tolist() for batch in data.batches(2)]
        [[[0.0, 2.0], [1.0, 0.0]], [[0.0, 0.0]]]
    """

    def __init__(self, rows: SparseRows, targets: Array | None = None, sample_weight: Array | None = None) -> None:
        self.rows, self.targets, self.sample_weight = rows, targets, sample_weight

    @property
    def n_samples(self) -> int:
        """The number of samples N."""
        return len(self.rows)

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch of batches of ``batch_size`` samples; the last one may be smaller."""
        n = len(self.rows)
        order = np.arange(n) if rng is None or not shuffle else shuffled_order(n, rng)
        for start in range(0, n, batch_size):
            part = order[start : start + batch_size]
            yield Batch(
                (self.rows.dense(part),),
                () if self.targets is None else (self.targets[part],),
                None if self.sample_weight is None else self.sample_weight[part],
            )

    def take(self, samples: Any) -> Self:
        """These samples (an index array or a slice) as a data set."""
        weight = None if self.sample_weight is None else self.sample_weight[samples]
        return type(self)(self.rows[samples], None if self.targets is None else self.targets[samples], weight)

    def split(self, fraction: float, random_state: Any = None) -> tuple[Self, Self]:
        """Two parts at random, each class in both in its proportion where the targets are class indices.

        Parameters  fraction : of the samples in the second part, in (0, 1) ; random_state : int, Generator or None
        """
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)
        y = self.targets
        classes = None
        if y is not None and y.size == len(y) and y.dtype.kind in "biu" and (np.unique(y, return_counts=True)[1] > 1).any():
            classes = y.reshape(-1)
        first, second = split_validation(len(self.rows), fraction, rng, classes)
        return self.take(first), self.take(second)
