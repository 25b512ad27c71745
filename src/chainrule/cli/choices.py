"""What the options of the commands mean, checked before any file is read."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ParameterError, UnknownNameError

__all__ = [
    "TASKS",
    "column_list",
    "delimiter_of",
    "fraction",
    "hidden_units",
    "known_name",
    "not_negative",
    "output_place",
    "positive",
    "positive_number",
    "seed",
]

TASKS = ("auto", "classification", "regression")


def delimiter_of(text: str | None) -> str | None:
    """The character between fields; None to find it out. "tab" and "\\t" are the tab, which is hard to type."""
    if text is None:
        return None
    text = "\t" if text.lower() in ("tab", "\\t") else text
    if len(text) != 1 or text in '"\r\n':
        raise ParameterError(f"--delimiter must be one character, such as ; or the word tab. Got {text!r}.")
    return text


def hidden_units(text: str) -> list[int]:
    """``"128,64"`` as [128, 64]; ``"none"`` as [], a linear model."""
    if text.strip().lower() in ("none", "0", ""):
        return []
    try:
        units = [int(part) for part in text.replace(" ", "").split(",")]
    except ValueError:
        units = [0]
    if min(units) < 1:
        raise ParameterError(
            f"--hidden must be whole numbers of at least 1 with commas between, such as 128,64, or none. Got {text!r}."
        )
    return units


def column_list(texts: Sequence[str]) -> list[str]:
    """``["a,b", "c"]`` as ["a", "b", "c"]."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def known_name(option: str, name: str, known: Sequence[str]) -> str:
    """The name in small letters; UnknownNameError when it is not one of those known."""
    if name.lower() not in known:
        raise UnknownNameError(f"value of {option}", name, known)
    return name.lower()


def fraction(option: str, value: float) -> float:
    """A share from 0 to below 1."""
    if not 0 <= value < 1:
        raise ParameterError(f"{option} must be a number from 0 to below 1, such as 0.25. Got {value:g}.")
    return value


def positive(option: str, value: int | None) -> None:
    """Whole numbers of at least 1, or none given."""
    if value is not None and value < 1:
        raise ParameterError(f"{option} must be a whole number of at least 1. Got {value}.")


def positive_number(option: str, value: float | None) -> None:
    """Finite numbers above 0, or none given."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ParameterError(f"{option} must be a number above 0. Got {value:g}.")


def not_negative(option: str, value: float) -> None:
    """Finite numbers of at least 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ParameterError(f"{option} must be a number of at least 0. Got {value:g}.")


def seed(value: int) -> int:
    """Whole numbers of at least 0."""
    if value < 0:
        raise ParameterError(f"--seed must be a whole number of at least 0. Got {value}.")
    return value


def output_place(option: str, path: Path) -> Path:
    """A place where a file can be written; ParameterError before the work rather than after it."""
    folder = path.parent
    if path.is_dir():
        raise ParameterError(f"{option}: {str(path)!r} is a folder; give the path of a file in it.")
    if not folder.is_dir():
        raise ParameterError(f"{option}: the folder {str(folder)!r} does not exist. Make it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise ParameterError(f"{option}: the folder {str(folder)!r} may not be written to. Give another place.")
    return path
