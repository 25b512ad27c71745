"""From whatever users hold (arrays, lists, DataFrames, tensors) to checked arrays of numbers.

``as_features`` and ``as_targets`` copy only when they must: an array of the right dtype comes back
itself, and a memory-mapped one stays on disk.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, DtypeError, ShapeError

from ._types import Array
from .frames import column_array, column_names, frame_array, frame_kind

__all__ = ["as_features", "as_targets", "check_features", "check_lengths", "feature_names"]

CHUNK_BYTES = 64 * 2**20  # what a check reads at a time, so that no memory map is loaded whole
_MISSING = ("NAType", "NaTType")  # pandas.NA and pandas.NaT, by name so that pandas is not imported


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
        >>> as_features([[1.0, float("nan")]])
        Traceback (most recent call last):
        ...
        chainrule.errors.DataError: X contains NaN: 1 of 2 values are not finite, the first at row 0, column 1. Fill in or leave out such samples first.
    """
    source, columns = _to_array(X, name)
    if source.ndim and 0 in source.shape:
        _check_size(source, name, max(1, min_samples))
    _check_ndim(source, name, ndim, at_least=2)
    _check_size(source, name, min_samples)
    numeric = _numbers(source, name, columns)
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
    source, columns = _to_array(y, name)
    if source.ndim and 0 in source.shape:
        _check_size(source, name, max(1, min_samples))
    _check_ndim(source, name, ndim, at_least=1)
    _check_size(source, name, min_samples)
    if dtype is not None:
        return _finish(_numbers(source, name, columns), np.dtype(dtype), name, columns, allow_nan)
    if source.dtype.kind == "O":
        source = _labels(source, name, columns, allow_nan)
    if source.dtype.kind in "UT" or (source.dtype.kind == "O"):
        return source
    source = _numbers(source, name, columns)
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


# ---------------------------------------------------------------- what came -> some array


def _to_array(data: Any, name: str) -> tuple[Array, list[str] | None]:
    """Any accepted container as an array of whatever dtype it has, and its column names if it has any."""
    if isinstance(data, np.ma.MaskedArray):
        return np.ma.filled(data.astype(np.float64), np.nan), None
    if isinstance(data, np.memmap):
        return data, None
    if isinstance(data, np.ndarray):
        return np.asarray(data), None
    library, is_series = frame_kind(data)
    if library is not None:
        if is_series:
            return column_array(data, library), None
        return frame_array(data, library), column_names(data)
    if hasattr(data, "nnz") and (hasattr(data, "toarray") or hasattr(data, "todense")):
        raise DtypeError(
            f"{name} is a sparse matrix ({type(data).__name__}); a dense array is needed. "
            f"Convert it with {name}.toarray() if it fits in memory."
        )
    if hasattr(data, "__dlpack__"):
        return _from_dlpack(data, name), None
    return _from_sequence(data, name), None


def _from_dlpack(data: Any, name: str) -> Array:
    try:
        return np.from_dlpack(data)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        if hasattr(data, "__array__"):
            try:
                return np.asarray(data)
            except (RuntimeError, TypeError, ValueError):
                pass
        raise DtypeError(
            f"{name} is a {type(data).__module__}.{type(data).__name__} that cannot be read as a NumPy array "
            f"({error}). Detach it and move it to the CPU first, e.g. {name}.detach().cpu().float()."
        ) from error


def _from_sequence(data: Any, name: str) -> Array:
    if data is None or isinstance(data, (str, bytes, dict, set, frozenset, Iterator)):
        raise DtypeError(
            f"{name} must be an array, a list of rows or a DataFrame, got {_describe(data)}."
            + (" Turn it into a list first." if isinstance(data, (set, frozenset, Iterator)) else "")
        )
    try:
        array = np.asarray(data)
    except OverflowError as error:
        raise DataError(f"{name} contains a whole number too large for any float: {error}.") from error
    except (ValueError, TypeError) as error:
        raise _ragged(data, name, error) from error
    if array.dtype.kind in "US":  # NumPy made text of all of it: keep numbers apart from text
        array = np.array(data, dtype=object) if _has_numbers(data) else array
    if array.ndim == 0 and array.dtype.kind == "O":
        raise DtypeError(f"{name} must be an array, a list of rows or a DataFrame, got {_describe(data)}.")
    return array


def _has_numbers(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        return any(_has_numbers(value) for value in data)
    return isinstance(data, numbers.Number)


def _ragged(data: Any, name: str, error: Exception) -> ShapeError:
    lengths = [len(row) if hasattr(row, "__len__") and not isinstance(row, str) else None for row in data]
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            was, now = (("a single value" if n is None else f"{n} values") for n in (lengths[0], length))
            return ShapeError(
                f"{name} is ragged: row 0 has {was} and row {row} has {now}. Every row needs as many values; "
                "pad or cut the rows to one length."
            )
    return ShapeError(f"{name} is ragged: its rows do not form one rectangular array ({error}).")


def _describe(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


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


# ---------------------------------------------------------------- some array -> numbers


def _numbers(array: Array, name: str, columns: list[str] | None) -> Array:
    """The array itself when it holds real numbers; converted when it holds them as objects."""
    kind = array.dtype.kind
    if kind in "biuf":
        return array
    if kind == "c":
        raise DataError(
            f"Complex data not supported: {name} has dtype {array.dtype}. "
            f"Pass real numbers, e.g. {name}.real and {name}.imag as separate features."
        )
    if kind == "O":
        return _object_numbers(array, name, columns)
    if kind in "UST":
        index = (0,) * array.ndim
        raise _not_a_number(array[index], index, name, columns, f"text (dtype {array.dtype})")
    what = "dates or durations" if kind in "Mm" else "records"
    advice = f"turn them into numbers first, e.g. {name}.astype('int64')" if kind in "Mm" else "pass plain columns"
    raise DtypeError(f"{name} must hold numbers, got {what} (dtype {array.dtype}): {advice}.")


def _object_numbers(array: Array, name: str, columns: list[str] | None) -> Array:
    flat = array.ravel()
    foreign = {t for t in set(map(type, flat.tolist())) if not _is_number_type(t)}
    if foreign:
        at = next(i for i, value in enumerate(flat) if type(value) in foreign)
        value = flat[at]
        index = tuple(int(i) for i in np.unravel_index(at, array.shape))
        if isinstance(value, complex):
            raise DataError(f"Complex data not supported: {name} has {value!r} {_place(index, columns)}.")
        if isinstance(value, (list, tuple, np.ndarray)):
            raise ShapeError(
                f"{name} is ragged: the value {_place(index, columns)} is itself a {type(value).__name__}."
            )
        what = "text" if isinstance(value, (str, bytes)) else f"a {type(value).__name__}"
        raise _not_a_number(value, index, name, columns, what)
    try:
        missing = np.array([_is_missing(value) for value in flat], dtype=bool)
        out = np.full(flat.shape, np.nan)
        out[~missing] = flat[~missing].astype(np.float64)
    except OverflowError as error:
        raise DataError(f"{name} contains a whole number too large for any float: {error}.") from error
    return out.reshape(array.shape)


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in _MISSING or (isinstance(value, float) and math.isnan(value))


def _is_number_type(cls: type) -> bool:
    if cls is type(None) or cls.__name__ == "NAType":
        return True
    return issubclass(cls, (numbers.Real, np.bool_)) or cls.__name__ == "Decimal"


def _not_a_number(value: object, index: tuple[int, ...], name: str, columns: list[str] | None, what: str) -> DtypeError:
    shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:37] + "..."
    return DtypeError(
        f"{name} must hold numbers, got {what} {_place(index, columns)}: {shown}. Each value of this argument must be "
        "neither a string nor another object but a number; for a table with text columns use TablePreprocessor."
    )


def _labels(array: Array, name: str, columns: list[str] | None, allow_nan: bool) -> Array:
    """An object array of labels: all text stays, all numbers become numbers, a mixture is refused."""
    flat = array.ravel().tolist()
    is_missing = [_is_missing(value) for value in flat]
    is_text = [isinstance(value, str) for value in flat]
    if any(is_missing) and not (allow_nan and not any(is_text)):
        at = is_missing.index(True)
        place = _place(tuple(int(i) for i in np.unravel_index(at, array.shape)), columns)
        raise DataError(
            f"{name} has {sum(is_missing)} missing label(s), like NaN, the first {place}. Leave these samples out."
        )
    if all(is_text):
        return array
    if any(is_text):
        text, other = flat[is_text.index(True)], flat[is_text.index(False)]
        raise DtypeError(
            f"{name} mixes text ({text!r}) with other values ({other!r}). Use one kind of label throughout."
        )
    if any(is_missing):
        return _object_numbers(array, name, columns)
    _object_numbers(array, name, columns)
    plain = np.array(flat)
    return plain.reshape(array.shape) if plain.dtype.kind in "biuf" else _object_numbers(array, name, columns)


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
    """Refuse NaN and infinity. A finite sum proves every term finite: clean data is read once, without a mask."""
    n_bad, first = 0, None
    for start, chunk in _chunks(out):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(chunk.sum()):
                continue
        bad = np.isinf(chunk) if allow_nan else ~np.isfinite(chunk)
        count = int(np.count_nonzero(bad))
        if count and first is None:
            at = np.unravel_index(int(bad.argmax()), bad.shape)
            first = (start + int(at[0]), *(int(i) for i in at[1:]))
        n_bad += count
    if first is None:
        return
    value, place = source[first], _place(first, columns)
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
                f"got {source[index]!s} {_place(index, columns)}."
            )


def _place(index: tuple[int, ...], columns: list[str] | None) -> str:
    """``at row 3, column 1 ('age')``; rows and columns are counted from 0 as in NumPy."""
    if len(index) == 1:
        return f"at row {index[0]}"
    if len(index) == 2:
        column = f" ({columns[index[1]]!r})" if columns else ""
        return f"at row {index[0]}, column {index[1]}{column}"
    return f"at index {index}"
