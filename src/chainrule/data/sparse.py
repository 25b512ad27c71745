"""Sparse matrices as samples: checked rows, of which a network takes some at a time, so that the whole is never dense."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..errors import DataError, DtypeError, ShapeError
from ._types import Array
from .arrays import check_range

__all__ = ["SparseRows", "is_sparse", "sparse_rows"]

#: A dense part of the rows, where the user of the rows does not say how many, is about this large.
_PART_BYTES = 16 * 2**20


def is_sparse(X: Any) -> bool:
    """Whether X is a sparse matrix or sparse array of SciPy, in any of its formats."""
    return hasattr(X, "tocsr") and hasattr(X, "nnz")


class SparseRows:
    """The rows of a sparse matrix, checked, of one number type; to take some of them is as with an array.

    Parameters  matrix : CSR matrix of finite numbers
    Attributes  shape : (N, features) ; dtype ; nbytes : of all entries ; entries : how many there are

    An engine reads ``extents``, ``indices`` and ``values``; the entries of row i are those from ``extents[i, 0]`` to
    ``extents[i, 1]``.
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape: tuple[int, int] = (int(matrix.shape[0]), int(matrix.shape[1]))
        self.dtype: np.dtype[Any] = matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Self:
        return type(self)(self.matrix[rows])

    @property
    def entries(self) -> int:
        """How many numbers are kept."""
        return int(self.matrix.nnz)

    @property
    def nbytes(self) -> int:
        return int(self.matrix.data.nbytes + self.matrix.indices.nbytes + self.matrix.indptr.nbytes)

    @cached_property
    def extents(self) -> Array:
        """(N, 2) int64, where the entries of each row begin and end."""
        ends = self.matrix.indptr.astype(np.int64)
        return np.ascontiguousarray(np.stack([ends[:-1], ends[1:]], axis=1))

    @cached_property
    def indices(self) -> Array:
        """(entries,) int32, their columns."""
        return np.ascontiguousarray(self.matrix.indices, np.int32)

    @cached_property
    def values(self) -> Array:
        """(entries,) float32, their numbers."""
        return np.ascontiguousarray(self.matrix.data, np.float32)

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """The same rows as numbers of this type; themselves where they are."""
        return self if self.dtype == dtype else type(self)(self.matrix.astype(dtype))

    def dense(self, rows: Any = slice(None)) -> Array:
        """These rows (an index array or a slice; all by default) as a dense array."""
        return np.asarray(self.matrix[rows].toarray())

    def dot(self, b: Array) -> Array:
        """The rows times a dense matrix (features, ...)."""
        return np.asarray(self.matrix @ b)

    def transposed_dot(self, b: Array) -> Array:
        """The transposed rows times a dense matrix (N, ...)."""
        return np.asarray(self.matrix.T @ b)

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
