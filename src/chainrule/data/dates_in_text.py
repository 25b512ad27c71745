"""Dates and times as people write them, to instants of microseconds.

03/04/2020 alone does not say which number is the month; all cells of a column, or of a file, nearly always do.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ._types import Array
from .numbers_in_text import MISSING
from .table_format import DateOrder

__all__ = ["DateEvidence", "Instants", "epoch_unit", "gather_dates", "instants_from_datetimes", "parse_dates", "parse_epoch"]

Instants = npt.NDArray[np.datetime64]

#: The names of months and their abbreviations in English, German, French, Spanish, Italian, Portuguese and Dutch, without
#: accents. No name stands for different months in two of these languages.
_MONTH_NAMES = (
    "jan january januar janner janvier janv enero ene gennaio gen janeiro januari",
    "feb february februar feber fevrier fevr fev febrero febbraio fevereiro februari",
    "mar march marz maerz mars marzo marco maart mrt mrz",
    "apr april avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "jun june juni juin junio giugno giu junho",
    "jul july juli juillet juil julio luglio lug julho",
    "aug august aout aou agosto ago augustus",
    "sep sept september septembre septiembre setiembre settembre sett set setembro",
    "oct october oktober okt octobre octubre ottobre ott outubro out",
    "nov november novembre noviembre novembro",
    "dec december dezember dez decembre diciembre dic dicembre dezembro",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_WEEKDAYS = (
    "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nes(?:day)?)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:ur(?:day)?)?|sun(?:day)?"
    "|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so"
    "|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lun|mer|jeu|ven|sam|dim"
    "|lunes|martes|miercoles|jueves|viernes|sabado|domingo|mie|jue|vie|sab|dom"
    "|lunedi|martedi|mercoledi|giovedi|venerdi|sabato|domenica|gio"
    "|segunda|terca|quarta|quinta|sexta|seg|ter|qua|qui|sex"
    "|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|ma|wo|vr|za|zo"
)
_WEEKDAY = rf"(?:(?:{_WEEKDAYS})(?:-feira)?\.?,?\s+)?"
#: What stands behind the number of a day, and between day, month and year, in these languages.
_ORDINAL, _OF = r"(?:st|nd|rd|th|er|e|o|a)?", r"(?:de\s+|d'|del\s+)?"
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>Z|UTC|GMT|[+\-]\d{2}(?::?\d{2})?)?"
)
_AND_TIME = rf"(?:(?:T|\s*,\s*|\s+|:){_TIME})?"
#: Each with the groups day, month, year, or first and second where the order is open.
_DATES = (
    r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?:(?P=sep)(?P<day>\d{1,2}))?",
    r"(?P<first>\d{1,2})(?P<sep>[-/.])\s?(?P<second_>\d{1,2})(?P=sep)\s?(?P<year>\d{4}|\d{2})",
    rf"{_WEEKDAY}(?P<day>\d{{1,2}}){_ORDINAL}[\s\-/.]*{_OF}{_MONTH}[\s\-/.,]*{_OF}(?P<year>\d{{4}}|\d{{2}})",
    rf"{_WEEKDAY}{_MONTH}[\s\-/.]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[\s\-/]+(?P<year>\d{{4}})",
    rf"{_MONTH}[\s\-/.,]+{_OF}(?P<year>\d{{4}})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
)
#: Quarters, which stand for their first day, and weeks of ISO 8601, which stand for their Monday.
_PERIODS = (
    r"(?P<year>\d{4})[\s\-/]?Q(?P<quarter>[1-4])",
    r"Q(?P<quarter>[1-4])[\s\-/]?(?P<year>\d{4})",
    r"(?P<year>\d{4})-?W(?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?",
)
_FORMS = [re.compile(form, re.IGNORECASE | re.ASCII) for form in (*(date + _AND_TIME for date in _DATES), _TIME, *_PERIODS)]
_EPOCH = datetime.datetime(1970, 1, 1)
#: Seconds since 1970 of the years 2000 to 2040: numbers in between may be time stamps.
_STAMPS = (946_684_800.0, 2_208_988_800.0)
_TIME_NAMES = frozenset({"time", "date", "datetime", "timestamp", "stamp", "ts", "epoch", "created", "updated", "modified",
                         "unix", "utc", "at", "when"})  # fmt: skip
_FEWEST_COMPACT = 5
#: A longer text is no date.
_LONGEST = 60


@dataclass
class DateEvidence:
    """What the distinct cells of a column say about its dates.

    Attributes
        dates : how many distinct cells are dates or times in some order ; others : those that are none
        day_first, month_first : how many can only be read in that order ; either : examples that can be read in both ;
        point : whether the numbers are parted by points or hyphens, as where days come first
    """

    dates: int = 0
    others: list[str] = field(default_factory=list)
    day_first: int = 0
    month_first: int = 0
    either: list[str] = field(default_factory=list)
    point: bool = False


def gather_dates(cells: Iterable[str]) -> DateEvidence:
    """What these distinct cells say. Texts for missing values are passed over."""
    found = DateEvidence()
    for cell in cells:
        text = cell.strip()
        if text.lower() in MISSING:
            continue
        match = None if text.isdigit() else _matched(text)
        if match is None or (_instant(match, "dmy") is None and _instant(match, "mdy") is None):
            found.others.append(text)
            continue
        found.dates += 1
        held = match.groupdict()
        if held.get("first") is not None:
            first, second = int(held["first"]), int(held["second_"])
            found.point |= held["sep"] != "/"
            if first > 12:
                found.day_first += 1
            elif second > 12:
                found.month_first += 1
            elif first != second:
                found.either.append(text)
    return found


def parse_dates(cells: Sequence[str], order: DateOrder) -> tuple[Instants, dict[str, int]]:
    """The instants (UTC where a zone is given), NaT for missing ones, and {text that is no date: how many cells}."""
    quick = _iso(cells)
    if quick is not None:
        return quick, {}
    known: dict[str, int | None] = {}
    others: dict[str, int] = {}
    out = np.full(len(cells), np.datetime64("NaT"), "datetime64[us]")
    for row, cell in enumerate(cells):
        if cell in known:
            value = known[cell]
        else:
            match = _matched(cell.strip())
            value = known[cell] = None if match is None else _instant(match, order)
        if value is not None:
            out[row] = np.datetime64(value, "us")
        elif (text := cell.strip()).lower() not in MISSING:
            others[text] = others.get(text, 0) + 1
    return out, others


def parse_epoch(numbers: Array, unit: float) -> Instants:
    """Instants from counts since 1970 of ``unit`` seconds; NaN becomes NaT."""
    out = np.full(numbers.shape, np.datetime64("NaT"), "datetime64[us]")
    with np.errstate(invalid="ignore", over="ignore"):
        micros = np.rint(numbers * (unit * 1e6))
        good = np.abs(micros) < 2.0**62
    out[good] = micros[good].astype(np.int64).astype("datetime64[us]")
    return out


def epoch_unit(name: str, numbers: Array) -> float | None:
    """Seconds in a unit of what seem to be time stamps: a column named like one, whose numbers all fall into 2000 to
    2040.
    """
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    if not words & _TIME_NAMES and not any(word.endswith(("time", "date", "stamp")) for word in words):
        return None
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    for unit in (1.0, 1e-3, 1e-6, 1e-9):
        if _STAMPS[0] <= low * unit and high * unit <= _STAMPS[1]:
            return unit
    return None


def are_compact_dates(numbers: Array) -> bool:
    """Whether whole numbers such as 20240131 are dates: all are days of the calendar, and there are several."""
    known = numbers[~np.isnan(numbers)]
    if not len(known) or known.min() < 19000101 or known.max() > 21001231 or (known != np.rint(known)).any():
        return False
    whole = np.unique(known.astype(np.int64))
    month, day = whole // 100 % 100, whole % 100
    if len(whole) < _FEWEST_COMPACT or month.min() < 1 or month.max() > 12 or day.min() < 1 or day.max() > 31:
        return False
    try:
        for value in whole.tolist():
            datetime.date(value // 10000, value // 100 % 100, value % 100)
    except ValueError:
        return False
    return True


def instants_from_datetimes(values: Iterable[object]) -> Instants | None:
    """Instants from Python's or pandas' dates (None: missing); None when something else is among them."""
    out: list[datetime.datetime | None] = []
    for value in values:
        if value is None or type(value).__name__ == "NaTType":
            out.append(None)
        elif isinstance(value, datetime.datetime):
            plain = datetime.datetime(
                value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond
            )
            offset = value.utcoffset()
            out.append(plain if offset is None else plain - offset)
        elif isinstance(value, datetime.date):
            out.append(datetime.datetime(value.year, value.month, value.day))
        else:
            return None
    return np.array(out, "datetime64[us]")


def _iso(cells: Sequence[str]) -> Instants | None:
    """The common case, fast: every cell is a date of ISO 8601, or empty."""
    try:
        first = next(cell for cell in cells if cell)
    except StopIteration:
        return None
    if len(first) < 10 or first[4:5] != "-":
        return None
    try:
        values = [datetime.datetime.fromisoformat(cell) if cell else None for cell in cells]
        if any(value is not None and value.tzinfo is not None for value in values):
            return instants_from_datetimes(values)
        return np.array(cells, "datetime64[us]")
    except (ValueError, OverflowError):
        return None


def _matched(text: str) -> re.Match[str] | None:
    if not text.isascii():  # without accents, and with º as o
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    for form in _FORMS if len(text) <= _LONGEST else ():
        match = form.fullmatch(text)
        if match is not None:
            return match
    return None


def _instant(match: re.Match[str], order: DateOrder) -> int | None:
    """Microseconds since 1970; None when the calendar has no such day, or the day no such time."""
    held = match.groupdict()
    if "year" in held:
        if held.get("week"):
            try:
                start = datetime.date.fromisocalendar(int(held["year"]), int(held["week"]), int(held["weekday"] or 1))
            except ValueError:
                return None
            held["year"], month, day = str(start.year), start.month, start.day
        elif held.get("quarter"):
            day, month = 1, 3 * int(held["quarter"]) - 2
        elif held.get("first") is not None:
            first, second = int(held["first"]), int(held["second_"])
            day, month = (second, first) if order == "mdy" else (first, second)
        else:
            named = held["month"]
            month = int(named) if named.isdigit() else _MONTHS[named.lower()]
            day = int(held.get("day") or 1)
        year = int(held["year"])
        if len(held["year"]) == 2:
            year += 1900 if year >= 69 else 2000  # as POSIX has it
    else:
        year, month, day = 1970, 1, 1
    hour, minute, second = (int(held.get(name) or 0) for name in ("hour", "minute", "second"))
    if held.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if held["half"][0] in "pP" else 0)
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    difference = moment - _EPOCH
    micros = (difference.days * 86400 + difference.seconds) * 10**6
    micros += int((held.get("fraction") or "0").ljust(6, "0")[:6])
    zone = held.get("zone") or ""
    if zone[:1] in ("+", "-"):
        minutes = int(zone[1:3]) * 60 + int(zone[3:].replace(":", "") or 0)
        micros -= (1 if zone[0] == "+" else -1) * minutes * 60 * 10**6
    return micros
