"""How a table is written in a file: what a user may say about it, and what was found out about one column."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from chainrule.constraints import Interval, Maybe
from chainrule.errors import ParameterError

__all__ = ["ColumnFormat", "ColumnKind", "DateOrder", "TableFormat"]

ColumnKind = Literal["numeric", "categorical", "datetime"]
DateOrder = Literal["ymd", "dmy", "mdy"]

_DECIMALS = (".", ",")
_THOUSANDS = (",", ".", " ", "'", "")


@dataclass(frozen=True)
class TableFormat:
    """How the cells of a text file are to be read. What is None is found out from the file, and shown as a note.

    Parameters
        delimiter : one character between the fields of a row; " " stands for any number of spaces and tabs
        encoding : of the characters, such as "utf-8" or "latin-1"
        decimal : "." or ",", the sign before the fraction of a number
        thousands : ",", ".", " " or "'", the sign between groups of three digits; "" when there is none
        na_values : further texts that stand for a missing value
        keep_default_na : whether the usual texts for a missing value (an empty cell, NA, NaN, null, None, ?, -, #N/A, ...)
            stand for one, too; an empty cell is missing in any case
        header : whether the first line names the columns; without such a line (False) they are called column_1,
            column_2, ...
        comment : character that a line begins with when it is not part of the table
        day_first : whether 3/4/2020 is the 3rd of April (True) or the 4th of March (False)
        max_memory : the most bytes of text that are read, after decompressing; None is a quarter of the machine's memory
    Raises      ParameterError for an argument that cannot be, or for two that contradict each other
    Example
        >>> TableFormat(decimal=",", thousands=".").decimal
        ','
        >>> TableFormat(decimal=",", thousands=",")
        Traceback (most recent call last):
        ...
        chainrule.errors.ParameterError: decimal and thousands are both ','; they must differ.
    """

    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    na_values: Sequence[str] = ()
    keep_default_na: bool = True
    header: bool = True
    comment: str | None = None
    day_first: bool | None = None
    max_memory: int | None = None

    def __post_init__(self) -> None:
        _character("delimiter", self.delimiter, '"\r\n')
        _character("comment", self.comment, '"\r\n')
        if self.delimiter is not None and self.delimiter == self.comment:
            raise ParameterError(f"delimiter and comment are both {self.delimiter!r}; they must differ.")
        if self.decimal not in (None, *_DECIMALS):
            raise ParameterError(f"decimal must be '.' or ','. Got {self.decimal!r}.")
        if self.thousands not in (None, *_THOUSANDS):
            known = ", ".join(map(repr, _THOUSANDS))
            raise ParameterError(
                f"thousands must be one of {known} (the last means that there is none). Got {self.thousands!r}."
            )
        if self.decimal is not None and self.decimal == self.thousands:
            raise ParameterError(f"decimal and thousands are both {self.decimal!r}; they must differ.")
        if isinstance(self.na_values, str) or not all(isinstance(text, str) for text in self.na_values):
            raise ParameterError(f"na_values must be a list of texts. Got {self.na_values!r}.")
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except (LookupError, TypeError, ValueError):
                raise ParameterError(f"unknown encoding {self.encoding!r}; try 'utf-8', 'latin-1' or 'utf-16'.") from None
        Maybe(Interval(int, 1, hint="It is a number of bytes.")).check("", "max_memory", self.max_memory)


@dataclass(frozen=True)
class ColumnFormat:
    """How the cells of one column are written, as it was found out from a file. A model keeps it, so that the cells of
    another file are read alike.

    Parameters
        kind : "numeric", "categorical" or "datetime"
        decimal, thousands : signs in its numbers ; percent : what one per cent counts, 1 or 0.01
        missing : texts that stand for a missing value in this column, besides the usual ones
        truth : whether it holds the numbers 0 and 1 alone, so that "yes" and "False" can be read, too
        unit : that stands behind each number, such as "kg"
        order : of day, month and year in its dates ; epoch : seconds in one unit of its time stamps, None when they are
            texts
    """

    kind: ColumnKind
    decimal: str = "."
    thousands: str = ""
    percent: float = 1.0
    missing: tuple[str, ...] = ()
    truth: bool = False
    unit: str = ""
    order: DateOrder = "ymd"
    epoch: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to say besides the kind."""
        return self == ColumnFormat(self.kind)

    def to_config(self) -> dict[str, Any]:
        """The settings that differ from the defaults, in types that JSON can hold."""
        plain = asdict(ColumnFormat(self.kind))
        held = {name: value for name, value in asdict(self).items() if value != plain[name]}
        if "missing" in held:
            held["missing"] = list(held["missing"])
        return {"kind": self.kind, **held}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ColumnFormat:
        """The format that ``to_config`` wrote; ValueError when that is not what came."""
        known = {field.name for field in fields(cls)}
        if unknown := set(config) - known:
            raise ValueError(f"a column's format has the unknown parts {', '.join(sorted(unknown))}")
        values = dict(config)
        values["missing"] = tuple(values.get("missing", ()))
        self = cls(**values)
        good = (
            self.kind in ("numeric", "categorical", "datetime")
            and self.decimal in _DECIMALS
            and self.thousands in _THOUSANDS
            and self.percent in (1.0, 0.01)
            and isinstance(self.truth, bool)
            and isinstance(self.unit, str)
            and self.order in ("ymd", "dmy", "mdy")
            and (self.epoch is None or (isinstance(self.epoch, float) and 0 < self.epoch <= 1))
            and all(isinstance(text, str) for text in self.missing)
        )
        if not good:
            raise ValueError(f"a column's format is damaged: {dict(config)!r}")
        return self


def _character(name: str, value: str | None, forbidden: str) -> None:
    if value is not None and (not isinstance(value, str) or len(value) != 1 or value in forbidden):
        raise ParameterError(f"{name} must be one character, not a quote or the end of a line. Got {value!r}.")
