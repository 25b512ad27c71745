"""From cells of text to columns of numbers, dates or categories: all cells of a file together say how it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from chainrule.errors import TableError

from ._types import Array, FloatArray, ObjectArray
from .booleans_in_text import truth_of
from .csv_file import TextColumns
from .dates_in_text import (
    DateEvidence,
    are_compact_dates,
    epoch_unit,
    gather_dates,
    parse_dates,
    parse_epoch,
)
from .numbers_in_text import (
    MISSING,
    Evidence,
    NumberStyle,
    gather_evidence,
    is_missing_number,
    parse_number,
    style_from,
    unit_of,
    without_unit,
)
from .table_format import ColumnFormat, ColumnKind, DateOrder, TableFormat

__all__ = ["Column", "object_array", "read_columns", "written_numbers"]

#: A column is one of numbers (or dates) when at most this share of its cells is something else.
MOST_OTHERS = 0.1
#: So many different numbers, or fewer, may just as well be codes: then a word among them is a code, too.
FEW_NUMBERS = 16
_SAMPLE, _DATE_SAMPLE = 1000, 200
#: Numbers that people write for missing ones, and how many different other numbers make a -1 look like one.
_NINES, _MANY_NUMBERS = frozenset({99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0, 99.9, 999.9, 9999.9, 999.99}), 10
#: The texts for a missing number as they are mostly spelled, for reading the common case fast.
_SPELLED = {spelled: "nan" for word in MISSING for spelled in (word, word.upper(), word.title())}
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Parameters
        kind : "numeric", "categorical" or "datetime"
        values : (N,) float64 with NaN for missing ; objects, each str or None ; or datetime64[us] in UTC with NaT
        written : (N,) the cells as they are written in the source where the values do not tell that ("007", the word
            that stood
            for a missing value), None elsewhere ; None for a column without such cells
        format : how the cells are written; None where there are no texts
    """

    kind: ColumnKind
    values: Array
    written: ObjectArray | None = None
    format: ColumnFormat | None = None

    @property
    def is_missing(self) -> Array:
        """(N,) bool."""
        if self.kind == "numeric":
            return np.isnan(self.values)
        if self.kind == "datetime":
            return np.isnat(self.values)
        return np.array([value is None for value in self.values], dtype=bool)

    def take(self, rows: Array | slice) -> Column:
        """The column of these rows, in this order."""
        written = None if self.written is None else self.written[rows]
        return Column(self.kind, self.values[rows], written, self.format)


@dataclass
class _Draft:
    """A column on its way: what was found out about it so far."""

    name: str
    cells: Sequence[str]
    given: ColumnFormat | None
    column: Column | None = None
    numbers: Evidence | None = None
    dates: DateEvidence | None = None
    distinct: set[str] = field(default_factory=set)
    words: frozenset[str] = frozenset()
    unit: str = ""
    whole: Sequence[str] | None = None


def read_columns(
    text: TextColumns, table_format: TableFormat, kinds: Mapping[str, ColumnKind | ColumnFormat]
) -> tuple[dict[str, Column], list[str]]:
    """The columns, and notes on what was found out about how they are written.

    Raises      TableError, with line and column, for a cell that is no number (or date) in a column that has to be of them
    """
    return _Reader(text, table_format, kinds).read()


class _Reader:
    """One reading of a file."""

    def __init__(self, text: TextColumns, table_format: TableFormat, kinds: Mapping[str, ColumnKind | ColumnFormat]) -> None:
        self.text, self.format, self.notes = text, table_format, list[str]()
        self.na = frozenset(word.strip() for word in table_format.na_values)
        self.longest = max(map(len, MISSING | self.na))
        self.na_numbers = {n for word in self.na if (n := parse_number(word)) is not None and n == n}
        self.drafts = []
        for name, cells in zip(text.names, text.cells, strict=True):
            kind = kinds.get(name)
            given = ColumnFormat(kind) if isinstance(kind, str) else kind
            self.drafts.append(_Draft(name, cells, given))

    def read(self) -> tuple[dict[str, Column], list[str]]:
        for draft in self.drafts:
            self._look_at(draft)
        self._finish_numbers()
        self._finish_dates()
        for draft in self.drafts:
            if draft.column is None:
                draft.column = self._texts(draft)
        for draft in self.drafts:
            if draft.given is None and draft.column is not None and draft.column.kind == "numeric":
                self._note_stand_ins(draft.name, draft.column.values)
        return {draft.name: draft.column for draft in self.drafts if draft.column is not None}, self.notes

    def _note_stand_ins(self, name: str, values: FloatArray) -> None:
        """Reports a number such as -999 that seems to stand for missing values. It stays a number, since it may be one."""
        found = stand_in(values)
        if found is not None:
            number, count, low, high = found
            self.notes.append(
                f"Column {name!r} holds {number:g} in {count:,} of {len(values):,} cells, and otherwise numbers from "
                f"{low:g} to {high:g}. If {number:g} stands for a missing value, say so: --na-values {number:g}, in Python "
                f'na_values=["{number:g}"].'
            )

    # ------------------------------------------------------------ one column alone

    def _look_at(self, draft: _Draft) -> None:
        """Numbers in plain writing are done at once; else what the distinct cells say is gathered."""
        kind = draft.given.kind if draft.given else None
        if kind == "categorical":
            draft.column = self._texts(draft)
            return
        if kind != "datetime":
            draft.column = self._plain_numbers(draft)
            if draft.column is not None:
                self._see_time_stamps(draft)
                return
        elif draft.given is not None and draft.given.epoch is not None:
            numbers = self._plain_numbers(draft)
            if numbers is not None:
                draft.column = Column(
                    "datetime", parse_epoch(numbers.values, draft.given.epoch), numbers.written, draft.given
                )
                return
        self._take_off_unit(draft)
        draft.distinct = set(draft.cells)
        if kind != "datetime":
            sample = _spread(draft.cells, _SAMPLE)
            seen = gather_evidence(sample)
            if kind == "numeric" or seen.numbers >= len(seen.others):
                draft.numbers = gather_evidence(draft.distinct)
        if draft.numbers is None or not draft.numbers.numbers:
            draft.dates = self._date_evidence(draft)

    def _take_off_unit(self, draft: _Draft) -> None:
        """Leaves the numbers of cells such as "5 kg", where all cells that are no numbers have one unit."""
        known = "" if draft.given is None else draft.given.unit
        if draft.given is not None and not known:
            return
        units = Counter(unit_of(cell) for cell in _spread(draft.cells, _SAMPLE))
        unit = known or max((unit for unit in units if unit), key=units.__getitem__, default="")
        if not unit or (not known and units[unit] <= FEW_NUMBERS):
            return
        if not known and units.total() - units[unit] - units[None] > MOST_OTHERS * units.total():
            return
        draft.unit, draft.whole = unit, draft.cells
        draft.cells = [without_unit(cell, unit) for cell in draft.cells]

    def _plain_numbers(self, draft: _Draft) -> Column | None:
        """The column when every cell is a number in plain writing, or missing; None otherwise."""
        cells = draft.cells
        if self.text.underscores and any("_" in cell for cell in cells):
            return None
        try:
            values = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            try:
                get = _SPELLED.get if self.format.keep_default_na else {"": "nan"}.get
                values = np.fromiter((float(get(cell, cell)) for cell in cells), np.float64, len(cells))
            except ValueError:
                filled = self._without_words(cells)
                if filled is None:
                    return None
                values = filled
        points = self.format.decimal == "," or (draft.given is not None and draft.given.decimal == ",")
        if points and self.format.decimal != "." and any("." in cell for cell in cells):
            return None
        if self.na_numbers:
            values[np.isin(values, list(self.na_numbers))] = np.nan
        return Column("numeric", values, written_numbers(cells, values), draft.given)

    def _without_words(self, cells: Sequence[str]) -> FloatArray | None:
        """Numbers in plain writing with texts for missing ones among them."""
        known: dict[str, float] = {}
        for cell in set(cells):
            try:
                known[cell] = float(cell)
            except ValueError:
                if not self._is_missing(cell):
                    return None
                known[cell] = np.nan
        return np.fromiter(map(known.__getitem__, cells), np.float64, len(cells))

    def _is_missing(self, cell: str) -> bool:
        text = cell.strip()
        return not text or text in self.na or (self.format.keep_default_na and text.lower() in MISSING)

    def _see_time_stamps(self, draft: _Draft) -> None:
        """Turns numbers that are counts since 1970, or days such as 20240131, into instants."""
        column = draft.column
        assert column is not None
        if draft.given is not None:
            return
        unit = epoch_unit(draft.name, column.values)
        if unit is not None:
            found = ColumnFormat("datetime", epoch=unit)
            draft.column = Column("datetime", parse_epoch(column.values, unit), _all_written(draft.cells), found)
            what = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}[unit]
            self.notes.append(f"Column {draft.name!r} holds time stamps: {what} since 1970.")
        elif are_compact_dates(column.values):
            instants, _ = parse_dates([cell.strip().split(".")[0] for cell in draft.cells], "ymd")
            draft.column = Column("datetime", instants, _all_written(draft.cells), ColumnFormat("datetime"))
            self.notes.append(
                f"Column {draft.name!r} holds dates: year, month and day in one number ({draft.cells[0].strip()})."
            )

    def _date_evidence(self, draft: _Draft) -> DateEvidence | None:
        sample = gather_dates(_spread(draft.cells, _DATE_SAMPLE))
        if not _is_forced(draft, "datetime") and sample.dates <= len(sample.others):
            return None
        in_order = not (sample.day_first or sample.month_first or sample.either)
        return sample if in_order and sample.dates else gather_dates(draft.distinct)

    # ------------------------------------------------------------ numbers of the whole file

    def _finish_numbers(self) -> None:
        """Finds out which decimal sign the file has, and reads the columns of numbers by it."""
        found = [d for d in self.drafts if d.numbers is not None and (d.numbers.numbers or _is_forced(d, "numeric"))]
        if not found:
            return
        commas = sum(d.numbers.comma > d.numbers.point for d in found if d.numbers)
        points = sum(d.numbers.point > d.numbers.comma for d in found if d.numbers)
        plain = [d for d in self.drafts if d.column is not None and d.column.kind == "numeric" and d.given is None]
        if commas or any(d.numbers.either for d in found if d.numbers):
            # A column such as 1.234 and 2.500 reads as plain numbers, though its points may part thousands.
            with_points = [(d, gather_evidence(set(d.cells))) for d in plain if any("." in cell for cell in d.cells)]
            points += sum(evidence.point > 0 for _, evidence in with_points)
            if commas > points and self.format.decimal is None:
                for draft, evidence in with_points:
                    if not evidence.point and not evidence.others:
                        draft.column, draft.numbers, draft.distinct = None, evidence, set(draft.cells)
                        found.append(draft)
        by_sign: dict[str, list[str]] = {"decimal comma": [], "separators of thousands": [], "per cent": []}
        guessed: list[tuple[str, str, NumberStyle]] = []
        places = {id(draft): i for i, draft in enumerate(self.drafts)}
        for draft in sorted(found, key=lambda draft: places[id(draft)]):
            style, is_guess = self._style_of(draft, commas, points)
            if not self._read_numbers(draft, style):
                continue
            if style.decimal == ",":
                by_sign["decimal comma"].append(draft.name)
            if style.thousands:
                by_sign["separators of thousands"].append(draft.name)
            if draft.numbers is not None and draft.numbers.percent:
                by_sign["per cent"].append(draft.name)
            if is_guess and draft.numbers is not None:
                guessed.append((draft.name, draft.numbers.either[0], style))
        self._note_styles(by_sign, guessed)

    def _style_of(self, draft: _Draft, commas: int, points: int) -> tuple[NumberStyle, bool]:
        """How the numbers of a column are written, and whether that is only a guess."""
        evidence, given = draft.numbers, draft.given
        assert evidence is not None
        thousands = self.format.thousands
        if self.format.decimal is not None:
            return style_from(evidence, self.format.decimal, thousands), False
        if thousands in (",", "."):
            return style_from(evidence, "." if thousands == "," else ",", thousands), False
        if evidence.comma != evidence.point:
            return style_from(evidence, "," if evidence.comma > evidence.point else ".", thousands), False
        if given is not None and given.kind == "numeric" and not given.is_plain:
            seen = style_from(evidence, given.decimal, thousands)
            both = "".join(sorted(set(seen.thousands) | set(given.thousands)))
            return NumberStyle(given.decimal, both, given.percent), False
        if not evidence.either:
            return style_from(evidence, "." if points >= commas else ",", thousands), False
        if commas != points:
            return style_from(evidence, "," if commas > points else ".", thousands), False
        either_comma = any("," in cell for cell in evidence.either)
        decimal = "," if either_comma and self.text.delimiter == ";" else "."
        return style_from(evidence, decimal, thousands), True

    def _read_numbers(self, draft: _Draft, style: NumberStyle) -> bool:
        """Makes a column of numbers if all but a few cells are numbers."""
        words = self._known_words(draft)
        known: dict[str, float] = {}
        others: set[str] = set()
        for cell in draft.distinct:
            text = cell.strip()
            number = np.nan if self._is_missing(cell) or text in words else parse_number(cell, style)
            if number is None and draft.given is not None and draft.given.truth and truth_of(text) is not None:
                number = float(bool(truth_of(text)))
            if number is None and is_missing_number(cell):
                number = np.nan
            if number is None:
                others.add(cell)
                number = np.nan
            known[cell] = number
        values = np.fromiter(map(known.__getitem__, draft.cells), np.float64, len(draft.cells))
        if self.na_numbers:
            values[np.isin(values, list(self.na_numbers))] = np.nan
        if others:
            counts = Counter(cell for cell in draft.cells if cell in others)
            n_others, n_numbers = sum(counts.values()), int((~np.isnan(values)).sum())
            forced = _is_forced(draft, "numeric")
            few = n_others <= MOST_OTHERS * (n_others + n_numbers)
            distinct = len({number for number in known.values() if number == number})
            if not few or (not forced and distinct <= FEW_NUMBERS):
                if forced:
                    self._refuse(draft, counts, "a number")
                return False
            self._note_others(draft.name, counts, n_others + n_numbers, "numbers")
        elif draft.given is None and not (~np.isnan(values)).any():
            return False
        missing = tuple(sorted({cell.strip() for cell, number in known.items() if number != number and cell.strip()}))
        missing = tuple(word for word in missing if word.lower() not in MISSING)
        thousands = _only_known(style.thousands)
        found = ColumnFormat("numeric", style.decimal, thousands, style.percent, missing, unit=draft.unit)
        written = written_numbers(draft.cells, values) if draft.whole is None else _all_written(draft.whole)
        draft.column = Column("numeric", values, written, found)
        if draft.unit and draft.given is None:
            self.notes.append(f"Column {draft.name!r} holds numbers with the unit {draft.unit!r}.")
        return True

    def _known_words(self, draft: _Draft) -> frozenset[str]:
        return frozenset(draft.given.missing) if draft.given is not None else frozenset()

    def _note_styles(self, by_sign: dict[str, list[str]], guessed: list[tuple[str, str, NumberStyle]]) -> None:
        options = {
            "decimal comma": "--decimal, in Python decimal=",
            "separators of thousands": "--thousands, in Python thousands=",
        }
        for what, names in by_sign.items():
            if names:
                change = f" (to change that: {options[what]})" if what in options else ""
                self.notes.append(
                    f"{what[0].upper()}{what[1:]}, {len(names)} column{'s' * (len(names) > 1)}: {_listed(names)}{change}."
                )
        for name, example, style in guessed:
            as_read = parse_number(example, style)
            self.notes.append(
                f"Column {name!r}: {example!r} is read as {as_read:,.10g}, though no cell of the file says whether the "
                "sign in it "
                "parts thousands or the fraction. To read it otherwise: --decimal, in Python decimal=."
            )

    # ------------------------------------------------------------ dates of the whole file

    def _finish_dates(self) -> None:
        """Finds out whether the day or the month comes first, and reads the columns of dates by it."""
        found = [
            d
            for d in self.drafts
            if d.column is None and d.dates is not None and (d.dates.dates or _is_forced(d, "datetime"))
        ]
        days = sum(d.dates.day_first > 0 for d in found if d.dates)
        months = sum(d.dates.month_first > 0 for d in found if d.dates)
        for draft in found:
            evidence, given = draft.dates, draft.given
            assert evidence is not None
            is_guess = False
            order: DateOrder
            if self.format.day_first is not None:
                order = "dmy" if self.format.day_first else "mdy"
            elif bool(evidence.day_first) != bool(evidence.month_first):
                order = "dmy" if evidence.day_first else "mdy"
            elif given is not None and given.kind == "datetime" and given.order != "ymd":
                order = given.order
            elif days != months:
                order = "dmy" if days > months else "mdy"
            else:
                is_guess, order = bool(evidence.either), self._order_by_sorting(draft) if evidence.either else "ymd"
            self._read_dates(draft, order, is_guess)

    def _order_by_sorting(self, draft: _Draft) -> DateOrder:
        """Where no cell tells days from months: the order in which the rows ascend or descend, else what the signs
        suggest.
        """
        sorted_by = []
        orders: tuple[DateOrder, ...] = ("dmy", "mdy")
        for order in orders:
            steps = np.diff(parse_dates(draft.cells, order)[0].astype(np.int64))
            if (steps >= 0).all() or (steps <= 0).all():
                sorted_by.append(order)
        if len(sorted_by) == 1:
            return sorted_by[0]
        return "dmy" if draft.dates is not None and draft.dates.point else "mdy"

    def _read_dates(self, draft: _Draft, order: DateOrder, is_guess: bool) -> None:
        evidence = draft.dates
        assert evidence is not None
        words = self._known_words(draft) | self.na
        cells: Sequence[str] = [("" if cell.strip() in words else cell) for cell in draft.cells] if words else draft.cells
        instants, others = parse_dates(cells, order)
        n = int((~np.isnat(instants)).sum())
        n_others = sum(others.values())
        forced = _is_forced(draft, "datetime")
        if n_others > MOST_OTHERS * (n + n_others):
            if forced:
                self._refuse(draft, others, "a date")
            return
        if others:
            self._note_others(draft.name, others, n + n_others, "dates")
        missing = tuple(sorted({*others, *(draft.given.missing if draft.given else ())}))
        numeric_order = bool(evidence.either or evidence.day_first or evidence.month_first)
        found = ColumnFormat("datetime", missing=missing, order=order if numeric_order else "ymd")
        draft.column = Column("datetime", instants, _all_written(draft.cells), found)
        if numeric_order:
            first = "day" if order == "dmy" else "month"
            example = (evidence.either or [next(cell for cell in draft.cells if cell.strip())])[0]
            sure = ", though no cell says so" if is_guess else ""
            self.notes.append(
                f"Column {draft.name!r} holds dates with the {first} first ({example!r}{sure}; to change that: "
                "--day-first, in "
                "Python day_first=)."
            )

    # ------------------------------------------------------------ texts, and cells that do not fit

    def _texts(self, draft: _Draft) -> Column:
        longest, usual, na = self.longest, MISSING if self.format.keep_default_na else frozenset({""}), self.na
        texts: list[str | None] = [cell.strip() for cell in draft.whole or draft.cells]
        rows = [i for i, t in enumerate(texts) if t is not None and len(t) <= longest and (t.lower() in usual or t in na)]
        words = {texts[row] or None for row in rows}
        written = None
        if words - {None}:
            written = object_array([None] * len(texts))
            for row in rows:
                written[row] = texts[row] or None
        for row in rows:
            texts[row] = None
        values = object_array(texts)
        missing = tuple(sorted(self.na.intersection(word for word in words if word)))
        found = draft.given or (ColumnFormat("categorical", missing=missing) if missing else None)
        return Column("categorical", values, written, found)

    def _refuse(self, draft: _Draft, others: Mapping[str, int], what: str) -> None:
        cell = next(iter(others))
        row = next(i for i, c in enumerate(draft.cells) if c.strip() == cell.strip())
        more = f" ({sum(others.values())} such cells)" if sum(others.values()) > 1 else ""
        raise TableError(
            f"{self.text.source}, line {self.text.line_of(row)}: expected {what} in column {draft.name!r}, got "
            f"{cell.strip()!r}{more}. "
            "Correct it, leave it empty, or name it as missing: --na-values, in Python na_values=."
        )

    def _note_others(self, name: str, others: Mapping[str, int], n: int, what: str) -> None:
        count = sum(others.values())
        self.notes.append(
            f"Column {name!r} holds {what}, but {count} of {n:,} cells do not: {_counted(others)}. They count as missing."
        )


# ------------------------------------------------------------------------------------------------------------------------


def stand_in(values: FloatArray) -> tuple[float, int, float, float] | None:
    """A number that seems to stand for missing values, how often it occurs, and the least and the largest other number.

    It is written in nines (or -1 among numbers that are not negative), occurs more than once, is the least or the largest of
    the column, and lies further from all others than these do from each other; -1 only has to be the one negative number
    among many different ones.
    """
    known = values[~np.isnan(values)]
    if len(known) < 5:
        return None
    for number in (float(known.min()), float(known.max())):
        others = known[known != number]
        count = len(known) - len(others)
        if count < 2 or len(others) < 3:
            continue
        low, high = float(others.min()), float(others.max())
        if number == -1:
            if low >= 0 and len(np.unique(others)) >= _MANY_NUMBERS:
                return number, count, low, high
        elif abs(number) in _NINES and min(abs(number - low), abs(number - high)) > max(high - low, abs(number) / 2):
            return number, count, low, high
    return None


def written_numbers(cells: Sequence[str], values: FloatArray) -> ObjectArray | None:
    """The cells of whole numbers that are not written as Python writes them, and the words for missing ones."""
    missing = np.isnan(values)
    known = values[~missing] if missing.any() else values
    is_whole = bool((known == np.rint(known)).all())
    if is_whole and not missing.any() and _are_canonical(cells, values):
        return None
    if is_whole and not (missing.any() and _are_canonical([c for c, m in zip(cells, missing, strict=True) if not m], known)):
        return object_array([cell.strip() or None for cell in cells])
    if not missing.any():
        return None
    out = object_array([None] * len(cells))
    for row in np.flatnonzero(missing).tolist():
        out[row] = cells[row].strip() or None
    return out if any(out[missing]) else None


def _are_canonical(cells: Sequence[str], values: FloatArray) -> bool:
    """Whether ``str(int(value))`` is what each cell says: numbers below 2⁵³ whose texts are as long as their digits."""
    size = np.abs(values)
    if not len(values) or size.max() >= 2.0**53:
        return not len(values)
    digits = np.searchsorted(_TENS, size, side="right") + (values < 0)
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    return bool((np.maximum(digits, 1) == lengths).all()) and not (np.signbit(values) & (values == 0)).any()


_TENS = 10.0 ** np.arange(16)


def object_array(values: Sequence[str | None]) -> ObjectArray:
    """A one-dimensional array of these objects."""
    out: ObjectArray = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _all_written(cells: Sequence[str]) -> ObjectArray:
    return object_array([cell.strip() or None for cell in cells])


def _is_forced(draft: _Draft, kind: ColumnKind) -> bool:
    return draft.given is not None and draft.given.kind == kind


def _only_known(thousands: str) -> str:
    """One separator of thousands, as a format holds it."""
    return thousands[:1]


def _spread(cells: Sequence[str], most: int) -> set[str]:
    """Cells from all over the column."""
    step = max(1, len(cells) // most)
    return set(cells[::step])


def _counted(counts: Mapping[str, int]) -> str:
    """``'n/v' (3 times), '-'``: the most frequent ones first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [repr(_short(text.strip())) + (f" ({count:,} times)" if count > 1 else "") for text, count in ranked[:_SHOWN]]
    return ", ".join(shown) + (f", ... ({len(ranked)} different ones)" if len(ranked) > _SHOWN else "")


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(repr(name) for name in every[:_SHOWN])
    return shown + (f", ... ({len(every)} in all)" if len(every) > _SHOWN else "")


def _short(text: str, most: int = 30) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
