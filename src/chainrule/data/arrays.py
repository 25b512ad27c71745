"""From whatever users hold (arrays, lists, DataFrames, tensors) to checked arrays of numbers.

``as_features`` and ``as_targets`` copy only when they must: an array of the right dtype comes back
itself, and a memory-mapped one stays on disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ShapeError

from ._types import Array
from .containers import place_of, to_array, to_labels, to_numbers
from .frames import column_names, frame_kind

__all__ = ["as_features", "as_targets", "check_features", "check_lengths", "check_range", "feature_names"]

CHUNK_BYTES = 64 * 2**20  # what a check reads at a time, so that no memory map is loaded whole


def as_features(
    X: Any,
    *,
    name: str = "X",
    dtype: npt.DTypeLike = np.float32,
    allow_nan: bool = False,
    ndim: int | tuple[int, ...] | None = None,
    min_samples: int = 1,
) -> Array:
    """Features as a checked array of ``dtype``; samples along axis 0.

    Parameters
        X : array, nested list, pandas or polars DataFrame, or object with ``__dlpack__`` (torch, jax)
        name : what the error messages call it
        dtype : a float dtype, or an integer one (token indices: the values must then be whole numbers)
        allow_nan : keep NaN (missing values); infinity is refused all the same
        ndim : the number(s) of dimensions accepted; None means two or more
        min_samples : the fewest samples accepted
    Shapes      X (N, ...) -> (N, ...), C-contiguous unless it is a memory map. No copy is made when X is
                already such an array, so the result may share memory with X.
    Raises
        ShapeError : ragged rows, or a wrong number of dimensions
        DtypeError : text, dates or objects where numbers belong; a sparse matrix
        DataError : empty, complex, NaN, infinite, or too large for ``dtype``
    Example
        >>> as_features([[1, 2], [3, 4]])
        array([[1., 2.],
               [3., 4.]], dtype=float32)
        >>> as_features([[1, 2], [3]])
        Traceback (most recent call last):
        ...
        chainrule.errors.ShapeError: X is ragged: row 0 has length 2, row 1 has length 1. Pad or cut all to one length, ...
    """
    source, columns = to_array(X, name)
    if source.ndim and 0 in source.shape:
        _check_size(source, name, max(1, min_samples))
    _check_ndim(source, name, ndim, at_least=2)
    _check_size(source, name, min_samples)
    numeric = to_numbers(source, name, columns)
    return _finish(numeric, np.dtype(dtype), name, columns, allow_nan)


def as_targets(
    y: Any,
    *,
    name: str = "y",
    dtype: npt.DTypeLike | None = None,
    allow_nan: bool = False,
    ndim: int | tuple[int, ...] | None = None,
    min_samples: int = 1,
) -> Array:
    """Targets as a checked array; samples along axis 0.

    Parameters
        y : as for ``as_features``, and also a Series or a flat list
        dtype : None keeps the kind that came (labels may be text); a dtype asks for numbers of it
        allow_nan : keep NaN (only for numbers)
        ndim : the number(s) of dimensions accepted; None means one or more
        min_samples : the fewest samples accepted
    Shapes      y (N,) or (N, ...) -> the same
    Raises      as ``as_features``; DataError for a missing label, DtypeError for text mixed with numbers
    Example
        >>> as_targets(["cat", "dog"]).tolist()
        ['cat', 'dog']
        >>> as_targets([1, 2], dtype="float32")
        array([1., 2.], dtype=float32)
    """
    if y is None:
        raise DataError(f"Training requires y to be passed, but the target y is None (argument {name!r}).")
    source, columns = to_array(y, name)
    if source.ndim and 0 in source.shape:
        _check_size(source, name, max(1, min_samples))
    _check_ndim(source, name, ndim, at_least=1)
    _check_size(source, name, min_samples)
    if dtype is not None:
        return _finish(to_numbers(source, name, columns), np.dtype(dtype), name, columns, allow_nan)
    if source.dtype.kind == "O":
        source = to_labels(source, name, columns, allow_nan)
    if source.dtype.kind in "UT" or (source.dtype.kind == "O"):
        return source
    source = to_numbers(source, name, columns)
    return _finish(source, source.dtype.newbyteorder("="), name, columns, allow_nan)


def feature_names(X: Any) -> list[str] | None:
    """The column names of a DataFrame whose names are all text; None for anything else."""
    library, is_series = frame_kind(X)
    if library is None or is_series or not all(isinstance(name, str) for name in X.columns):
        return None
    return column_names(X)


def check_lengths(**arrays: Any) -> int:
    """The number of samples that all arrays have; those that are None are passed over.

    Raises      DataError naming the arrays and both lengths
    Example
        >>> check_lengths(X=[[1], [2]], y=[0, 1], sample_weight=None)
        2
        >>> check_lengths(X=[[1], [2]], y=[0])
        Traceback (most recent call last):
        ...
        chainrule.errors.DataError: X has 2 samples but y has 1. Every array needs one entry a sample.
    """
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if not lengths:
        raise DataError("No arrays to take the number of samples from.")
    first, n = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != n:
            raise DataError(f"{first} has {n} samples but {name} has {length}. Every array needs one entry a sample.")
    return n


def check_features(X: Array, n_features_expected: int, *, name: str = "X", owner: str = "model") -> None:
    """Raise ShapeError unless the last axis of X has the number of features that ``owner`` was trained on."""
    got = X.shape[-1] if X.ndim else 0
    if got != n_features_expected:
        raise ShapeError(
            f"{name} has {got} features, but {owner} is expecting {n_features_expected} features as input. "
            f"Pass the columns it was trained on, in the same order; got shape {X.shape}."
        )


def check_range(array: Array, dtype: np.dtype[Any], name: str) -> None:
    """DataError when a finite number of the array becomes infinite in the smaller float ``dtype``; with its place."""
    if array.dtype.kind == dtype.kind == "f" and array.itemsize > dtype.itemsize:
        limit = np.finfo(dtype).max
        for start, chunk in _chunks(array):
            if max(chunk.max(), -chunk.min()) > limit:
                at = np.unravel_index(int(np.abs(chunk).argmax()), chunk.shape)
                place = ", ".join(map(str, (start + int(at[0]), *(int(i) for i in at[1:]))))
                raise DataError(
                    f"{name} contains values too large for {dtype}: {name}[{place}] is {chunk[at]!s} (the limit is "
                    f"{limit:.3g}). Divide {name} by its scale first."
                )


# ---------------------------------------------------------------- shape


def _check_ndim(array: Array, name: str, ndim: int | tuple[int, ...] | None, *, at_least: int) -> None:
    if ndim is None:
        if array.ndim >= at_least:
            return
        expected = f"at least {at_least} dimension{'s' if at_least > 1 else ''}"
    else:
        accepted = (ndim,) if isinstance(ndim, int) else ndim
        if array.ndim in accepted:
            return
        expected = " or ".join(str(n) for n in accepted) + (" dimension" if accepted == (1,) else " dimensions")
    got = "a single number" if array.ndim == 0 else f"{array.ndim} (shape {array.shape})"
    advice = ""
    if array.ndim == 1 and ndim != 1:
        advice = (
            f" Reshape your data: {name}.reshape(-1, 1) if it is one feature of many samples, "
            f"{name}.reshape(1, -1) if it is one sample of many features."
        )
    elif array.ndim == 2 and ndim == 1 and array.shape[1] == 1:
        advice = f" Reshape your data to one dimension with {name}.ravel()."
    elif array.ndim >= 2 and ndim is not None:
        advice = f" Reshape your data, e.g. {name}.reshape(len({name}), -1), or choose layers made for this shape."
    raise ShapeError(f"{name} must have {expected}, got {got}.{advice}")


def _check_size(array: Array, name: str, min_samples: int) -> None:
    n = array.shape[0] if array.ndim else 1
    if n < min_samples:
        raise DataError(f"{name} has {n} sample(s) (shape={array.shape}) while a minimum of {min_samples} is required.")
    if array.ndim > 1 and 0 in array.shape[1:]:
        raise DataError(f"{name} has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")


# ---------------------------------------------------------------- numbers -> the dtype asked for


def _finish(source: Array, dtype: np.dtype[Any], name: str, columns: list[str] | None, allow_nan: bool) -> Array:
    if dtype.kind in "iu" and source.dtype != dtype:
        _check_whole(source, dtype, name, columns)
    if source.dtype == dtype:
        out = source if isinstance(source, np.memmap) else np.ascontiguousarray(source)
    else:
        with np.errstate(over="ignore"):
            out = np.array(source, dtype=dtype, order="C", subok=False)
    if dtype.kind == "f" and (source.dtype.kind == "f" or dtype.itemsize < 4):
        _check_finite(out, source, name, columns, allow_nan)
    return out


def _chunks(array: Array) -> Iterator[tuple[int, Array]]:
    """The array in slices along axis 0 of at most 64 MiB (one row at least), each with its first row."""
    row_bytes = max(1, array.itemsize * math.prod(array.shape[1:]))
    step = max(1, CHUNK_BYTES // row_bytes)
    for start in range(0, array.shape[0], step):
        yield start, np.asarray(array[start : start + step])


def _check_finite(out: Array, source: Array, name: str, columns: list[str] | None, allow_nan: bool) -> None:
    """Refuse NaN (unless allowed) and infinity, and say where the first one is."""
    n_bad, first = 0, None
    for start, chunk in _chunks(out):
        if _all_finite(chunk):
            continue
        bad = np.isinf(chunk) if allow_nan else ~np.isfinite(chunk)
        count = int(np.count_nonzero(bad))
        if count and first is None:
            at = np.unravel_index(int(bad.argmax()), bad.shape)
            first = (start + int(at[0]), *(int(i) for i in at[1:]))
        n_bad += count
    if first is None:
        return
    value, place = source[first], place_of(first, columns)
    if np.isfinite(value):
        raise DataError(
            f"{name} contains values too large for {out.dtype}: {n_bad} of {out.size}, the first {place}: {value!s} "
            f"(it becomes infinity; the limit is {np.finfo(out.dtype).max:.3g}). Scale the feature first."
        )
    what = "NaN" if np.isnan(value) else "infinity (inf)"
    raise DataError(
        f"{name} contains {what}: {n_bad} of {out.size} values{'' if allow_nan else ' are not finite'}, "
        f"the first {place}. Fill in or leave out such samples first."
    )


def _all_finite(chunk: Array) -> bool:
    """A finite sum of squares proves every term finite, and is the fastest thing to compute: no mask is made."""
    if chunk.flags.c_contiguous and chunk.dtype.itemsize >= 4:
        flat = chunk.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.dot(flat, flat)):
                return True
    return bool(np.isfinite(chunk).all())


def _check_whole(source: Array, dtype: np.dtype[Any], name: str, columns: list[str] | None) -> None:
    limits = np.iinfo(dtype)
    for start, chunk in _chunks(source):
        if chunk.dtype.kind == "b":
            return
        with np.errstate(invalid="ignore"):
            good = (chunk >= limits.min) & (chunk <= limits.max)
            if chunk.dtype.kind == "f":
                good &= chunk == np.rint(chunk)
        if not good.all():
            at = np.unravel_index(int(np.argmin(good)), good.shape)
            index = (start + int(at[0]), *(int(i) for i in at[1:]))
            raise DataError(
                f"{name} must hold whole numbers from {limits.min} to {limits.max} ({dtype}), "
                f"got {source[index]!s} {place_of(index, columns)}."
            )
