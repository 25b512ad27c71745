"""Any container that users hold (list, DataFrame, tensor, ...) to an array, and any array to numbers.

What comes out may still have any shape and hold NaN: ``arrays.py`` checks that.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.errors import DataError, DtypeError, ShapeError

from ._types import Array
from .frames import column_array, column_names, frame_array, frame_kind

__all__ = ["place_of", "to_array", "to_labels", "to_numbers"]

_MISSING = ("NAType", "NaTType")  # pandas.NA and pandas.NaT, by name so that pandas is not imported


def to_array(data: Any, name: str) -> tuple[Array, list[str] | None]:
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
            was, now = ("a single value" if k is None else f"length {k}" for k in (lengths[0], length))
            return ShapeError(
                f"{name} is ragged: row 0 has {was}, row {row} has {now}. Pad or cut all to one length, "
                f"or keep the lengths with chainrule.data.Sequences({name})."
            )
    return ShapeError(f"{name} is ragged: its rows do not form one rectangular array ({error}).")


def _describe(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def to_numbers(array: Array, name: str, columns: list[str] | None) -> Array:
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
        raise _not_a_number(array[index].item(), index, name, columns, f"text (dtype {array.dtype})")
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
            raise DataError(f"Complex data not supported: {name} has {value!r} {place_of(index, columns)}.")
        if isinstance(value, (list, tuple, np.ndarray)):
            raise ShapeError(f"{name} is ragged: the value {place_of(index, columns)} is itself a {type(value).__name__}.")
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
        f"{name} must hold numbers, got {what} {place_of(index, columns)}: {shown}. Each value of this argument must be "
        "neither a string nor another object but a number; for a table with text columns use TablePreprocessor."
    )


def to_labels(array: Array, name: str, columns: list[str] | None, allow_nan: bool) -> Array:
    """An object array of labels: all text stays, all numbers become numbers, a mixture is refused."""
    flat = array.ravel().tolist()
    is_missing = [_is_missing(value) for value in flat]
    is_text = [isinstance(value, str) for value in flat]
    if any(is_missing) and not (allow_nan and not any(is_text)):
        at = is_missing.index(True)
        place = place_of(tuple(int(i) for i in np.unravel_index(at, array.shape)), columns)
        raise DataError(
            f"{name} has {sum(is_missing)} missing label(s), like NaN, the first {place}. Leave these samples out."
        )
    if all(is_text):
        return array
    if any(is_text):
        text, other = flat[is_text.index(True)], flat[is_text.index(False)]
        raise DtypeError(f"{name} mixes text ({text!r}) with other values ({other!r}). Use one kind of label throughout.")
    if any(is_missing):
        return _object_numbers(array, name, columns)
    _object_numbers(array, name, columns)
    plain = np.array(flat)
    return plain.reshape(array.shape) if plain.dtype.kind in "biuf" else _object_numbers(array, name, columns)


def place_of(index: tuple[int, ...], columns: list[str] | None) -> str:
    """``at row 3, column 1 ('age')``; rows and columns are counted from 0 as in NumPy."""
    if len(index) == 1:
        return f"at row {index[0]}"
    if len(index) == 2:
        column = f" ({columns[index[1]]!r})" if columns else ""
        return f"at row {index[0]}, column {index[1]}{column}"
    return f"at index {index}"
