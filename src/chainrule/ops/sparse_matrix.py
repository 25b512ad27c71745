"""A constant sparse matrix, as compressed sparse rows: the adjacency of a graph, or features that are mostly zero."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import DataError, DtypeError, ParameterError, ShapeError

__all__ = ["SparseMatrix"]

Array = NDArray[Any]


class SparseMatrix:
    """A matrix of which only the entries that are not zero are kept. It never changes, so layers and plans may share it.

    Row i has the entries ``values[indptr[i]:indptr[i + 1]]`` in the columns ``indices[indptr[i]:indptr[i + 1]]``, in
    ascending order, each column once.

    Parameters  shape : (rows, columns) ; indptr (rows + 1,), indices (entries,) : ints ; values (entries,) : numbers, in
                float64 Text in their place is what ``config`` made of them
    Raises      ShapeError, DataError when the arrays do not describe a matrix of that shape

    Example
        >>> a = SparseMatrix.from_edges([(0, 1), (1, 2)], nodes=3)
        >>> a
        SparseMatrix(3×3, 4 entries)
        >>> a.to_dense()
        array([[0., 1., 0.],
               [1., 0., 1.],
               [0., 1., 0.]])
    """

    def __init__(self, shape: Sequence[int], indptr: Any, indices: Any, values: Any) -> None:
        rows, columns = _shape(shape)
        self.shape = (rows, columns)
        self.indptr = _decoded(indptr, np.int64)
        self.indices = _decoded(indices, np.int32)
        self.values = _decoded(values, np.float64)
        ends = self.indptr
        if ends.shape != (rows + 1,) or ends[0] != 0 or ends[-1] != len(self.indices) or (np.diff(ends) < 0).any():
            raise ShapeError(f"SparseMatrix: indptr must rise from 0 to the number of entries, in {rows + 1} numbers.")
        if self.indices.shape != self.values.shape or self.indices.ndim != 1:
            raise ShapeError(f"SparseMatrix: {self.indices.shape} column numbers for {self.values.shape} values.")
        if len(self.indices) and not 0 <= self.indices.min() <= self.indices.max() < columns:
            raise DataError(f"SparseMatrix: column numbers must be from 0 to {columns - 1}.")
        if not np.isfinite(self.values).all():
            raise DataError("SparseMatrix: the values must be finite. Remove or fill in the missing ones.")
        for array in (self.indptr, self.indices, self.values):
            array.flags.writeable = False
        self._transposed: SparseMatrix | None = None
        self._digest = ""
        self._cache: dict[str, Any] = {}

    # ------------------------------------------------------------ from what users hold

    @classmethod
    def of(cls, matrix: Any, *, name: str = "matrix") -> SparseMatrix:
        """The matrix from a SparseMatrix, a matrix or array of scipy.sparse, or a dense array (rows, columns)."""
        if isinstance(matrix, cls):
            return matrix
        if hasattr(matrix, "tocsr"):
            csr = matrix.tocsr().copy()
            _check_kind(csr.data, name)
            csr.sum_duplicates()
            csr.eliminate_zeros()
            return cls(csr.shape, csr.indptr, csr.indices, csr.data)
        dense = np.asarray(matrix)
        _check_kind(dense, name)
        if dense.ndim != 2:
            raise ShapeError(f"{name} must be a matrix (rows, columns). Got an array of shape {dense.shape}.")
        rows, columns = np.nonzero(dense)
        return cls.from_entries(rows, columns, dense[rows, columns], shape=dense.shape)

    @classmethod
    def from_entries(cls, rows: Any, columns: Any, values: Any, *, shape: Sequence[int]) -> SparseMatrix:
        """The matrix from entries in any order; several at one place are added, and sums of 0 left out."""
        r, c, v = np.asarray(rows, np.int64).ravel(), np.asarray(columns, np.int64).ravel(), np.asarray(values, np.float64)
        height, width = _shape(shape)
        v = np.broadcast_to(v, r.shape)
        if r.shape != c.shape:
            raise ShapeError(f"SparseMatrix: {len(r)} row numbers for {len(c)} column numbers.")
        for numbers, size, what in ((r, height, "row"), (c, width, "column")):
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < size:
                raise DataError(
                    f"SparseMatrix: {what} numbers must be from 0 to {size - 1}, got {numbers.min()} to {numbers.max()}."
                )
        place, where = np.unique(r * width + c, return_inverse=True)
        summed = np.bincount(where.ravel(), v, len(place))
        place, summed = place[summed != 0], summed[summed != 0]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(place // max(width, 1), minlength=height))])
        return cls((height, width), indptr, place % max(width, 1), summed)

    @classmethod
    def from_edges(
        cls, edges: Any, *, nodes: int | None = None, weights: Any = None, directed: bool = False
    ) -> SparseMatrix:
        """The adjacency of a graph: 1 (or its weight) for each edge, in both directions unless ``directed``.

        Parameters  edges : (edges, 2) of node numbers, an edge given twice counts once ; nodes : how many there are; None
                    takes the largest number + 1, so say it when the last nodes may have no edge ; weights : (edges,)
        Raises      ShapeError, DtypeError, DataError when edges are no pairs of node numbers
        """
        pairs = np.asarray(edges)
        if pairs.size == 0:
            pairs = np.zeros((0, 2), np.int64)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise ShapeError(f"edges must be pairs of node numbers, shape (edges, 2). Got shape {pairs.shape}.")
        if pairs.dtype.kind not in "iu":
            raise DtypeError(f"edges must be whole numbers of nodes. Got {pairs.dtype}.")
        count = int(pairs.max(initial=-1)) + 1 if nodes is None else nodes
        if len(pairs) and (pairs.min() < 0 or pairs.max() >= count):
            raise DataError(f"edges must name nodes from 0 to {count - 1}. Got {pairs.min()} to {pairs.max()}.")
        w = np.ones(len(pairs)) if weights is None else np.asarray(weights, np.float64)
        if w.shape != (len(pairs),):
            raise ShapeError(f"weights must be one for each of {len(pairs)} edges. Got shape {w.shape}.")
        a, b = pairs.astype(np.int64).T
        if not directed:
            a, b, w = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([w, w])
        _, first = np.unique(a * max(count, 1) + b, return_index=True)
        return cls.from_entries(a[first], b[first], w[first], shape=(count, count))

    # ------------------------------------------------------------ looking

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return 2

    @property
    def entries(self) -> int:
        """How many entries are kept."""
        return len(self.values)

    @property
    def rows(self) -> Array:
        """The row of each entry."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    @property
    def transposed(self) -> SparseMatrix:
        """The transpose; the matrix itself when it is symmetric."""
        if self._transposed is None:
            turned = SparseMatrix.from_entries(self.indices, self.rows, self.values, shape=self.shape[::-1])
            self._transposed = self if turned.digest == self.digest else turned
            turned._transposed = self
        return self._transposed

    @property
    def digest(self) -> str:
        """A text that is equal for equal matrices only."""
        if not self._digest:
            found = hashlib.sha256(repr(self.shape).encode())
            for array in (self.indptr, self.indices, self.values):
                found.update(array.tobytes())
            self._digest = found.hexdigest()
        return self._digest

    def to_dense(self) -> Array:
        """The matrix as an array of float64."""
        dense = np.zeros(self.shape)
        dense[self.rows, self.indices] = self.values
        return dense

    @property
    def transpose_order(self) -> Array:
        """For each entry of ``transposed`` in its order, the number that it has here."""
        if "order" not in self._cache:
            self._cache["order"] = np.lexsort((self.rows, self.indices))
        found: Array = self._cache["order"]
        return found

    def dot(self, x: Array, *, scale: Array | None = None, transpose: bool = False) -> Array:
        """The product with a dense (columns, ...) array, in the precision of x.

        Parameters  scale : (entries,), factors of the entries ; transpose : multiply by the transpose, x is (rows, ...)
        """
        matrix = self.transposed if transpose else self
        weight = matrix.values.astype(x.dtype)
        if scale is not None:
            weight = weight * (scale[self.transpose_order] if transpose else scale)
        out = np.zeros((matrix.shape[0], *x.shape[1:]), x.dtype)
        filled = np.flatnonzero(np.diff(matrix.indptr))
        if len(filled):
            weighted = weight.reshape(-1, *(1,) * (x.ndim - 1)) * x[matrix.indices]
            out[filled] = np.add.reduceat(weighted, matrix.indptr[filled], axis=0)
        return out

    def propagation(self, *, normalise: bool = True, self_loops: bool = True) -> SparseMatrix:
        """``Â = D^(−½) (A + I) D^(−½)`` with D the sums of the rows of A + I; without self_loops the same of A.

        Without normalise it is A + I, or A. A node without an edge has a row of zeros, but for its own loop.

        Raises      ShapeError when A is not square ; DataError for negative weights, which have no root
        """
        key = f"propagation {normalise} {self_loops}"
        if key not in self._cache:
            n = self.shape[0]
            if self.shape[1] != n:
                raise ShapeError(f"an adjacency must be square. Got {self.shape[0]}×{self.shape[1]}.")
            loops = np.arange(n if self_loops else 0)
            rows, columns = np.concatenate([self.rows, loops]), np.concatenate([self.indices, loops])
            values = np.concatenate([self.values, np.ones(len(loops))])
            if normalise:
                if (values < 0).any():
                    raise DataError(f"an adjacency to be normalised must not have negative weights. Got {values.min():g}.")
                degree = np.bincount(rows, values, n)
                root = np.sqrt(degree, out=np.ones(n), where=degree > 0)
                values = values / (root[rows] * root[columns])
            self._cache[key] = SparseMatrix.from_entries(rows, columns, values, shape=(n, n))
        found: SparseMatrix = self._cache[key]
        return found

    # ------------------------------------------------------------ as plain data

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, the arrays as text."""
        arrays = {"indptr": self.indptr, "indices": self.indices, "values": self.values}
        return {"shape": list(self.shape)} | {n: base64.b64encode(a.tobytes()).decode() for n, a in arrays.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseMatrix) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __deepcopy__(self, memo: Any) -> SparseMatrix:
        return self

    def __reduce__(self) -> Any:
        return SparseMatrix, (self.shape, self.indptr, self.indices, self.values)

    def __repr__(self) -> str:
        return f"SparseMatrix({self.shape[0]}×{self.shape[1]}, {self.entries} entries)"


def _shape(shape: Any) -> tuple[int, int]:
    sizes = tuple(shape)
    if len(sizes) != 2 or not all(Interval(int, 0).holds(size) for size in sizes):
        raise ParameterError(f"SparseMatrix: the shape must be (rows, columns). Got {shape!r}.")
    return int(sizes[0]), int(sizes[1])


def _decoded(values: Any, dtype: Any) -> Array:
    if isinstance(values, str):
        return np.frombuffer(base64.b64decode(values), dtype).copy()
    return np.array(values, dtype)


def _check_kind(array: Array, name: str) -> None:
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{name} must hold numbers. Got {array.dtype}.")
