"""Texts as users hold them, checked: lists, arrays and Series of str, or of bytes in UTF-8."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...errors import DataError, DtypeError, ShapeError
from ..frames import column_array, frame_kind

__all__ = ["as_texts", "is_text"]


def is_text(X: Any) -> bool:
    """Whether X holds texts, one a sample: a list, a one-dimensional array or a Series with text or bytes in it."""
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and (X.dtype.kind in "UST" or (X.dtype.kind == "O" and _any_text(X.tolist())))
    if isinstance(X, (list, tuple)):
        return _any_text(X)
    library, is_series = frame_kind(X)
    return bool(is_series) and library is not None and is_text(np.asarray(column_array(X, library), dtype=object))


def _any_text(values: Any) -> bool:
    return any(isinstance(value, (str, bytes)) for value in values)


def as_texts(X: Any, *, name: str = "X") -> list[str]:
    """The texts as a list of str; bytes are read as UTF-8.

    Raises      DataError, with the row, for a missing text (None, NaN), a text without any letter or sign, bytes that are
                not UTF-8, and for no texts at all ; DtypeError for a value that is no text ; ShapeError for one text alone

    Example
        >>> as_texts(["good", b"caf\\xc3\\xa9"])
        ['good', 'café']
        >>> as_texts(["good", " "])
        Traceback (most recent call last):
        ...
        chainrule.errors.DataError: X[1] is an empty text (' '), so there is nothing to read in it. Leave such rows out.
    """
    if isinstance(X, (str, bytes)):
        raise ShapeError(f"{name} must be a list of texts, got a single one. Put it in a list: [{_short(X)}].")
    library, is_series = frame_kind(X)
    if library is not None and is_series:
        X = column_array(X, library)
    if isinstance(X, np.ndarray) and X.ndim != 1:
        raise ShapeError(f"{name} must be a list of texts, one a sample. Got shape {X.shape}.")
    if not isinstance(X, Iterable):
        raise DtypeError(f"{name} must be a list of texts, got {type(X).__name__}.")
    values = X.tolist() if isinstance(X, np.ndarray) else list(X)
    if not values:
        raise DataError(f"{name} has 0 texts while a minimum of 1 is required.")
    return [value if type(value) is str and value.isascii() and value.strip() else _text(value, f"{name}[{i}]")
            for i, value in enumerate(values)]  # fmt: skip


def _text(value: Any, where: str) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{where} is not UTF-8: byte 0x{value[error.start]:02X} at place {error.start} of {_short(value)}. Decode "
                "it with its own encoding first, such as value.decode('latin-1')."
            ) from error
    missing = value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    if missing:
        raise DataError(f"{where} is missing ({value!r}); every sample needs a text. Leave such rows out.")
    if not isinstance(value, str):
        raise DtypeError(f"{where} must be a text, got {type(value).__name__}: {_short(value)}.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where} is no text of Unicode: {value[error.start]!a} at place {error.start} is half a sign, such as bytes "
            'that are not UTF-8 become with errors="surrogateescape". Read it with its own encoding.'
        ) from error
    if not value.strip():
        raise DataError(f"{where} is an empty text ({value!r}), so there is nothing to read in it. Leave such rows out.")
    return str(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
