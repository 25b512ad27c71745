"""Numbers as people write them: which convention a column follows, and what its cells are under it.

A number may have a decimal comma, separators of thousands, a currency, a per cent sign, a unit's sign in front or behind, or
accountants' brackets for what is negative. One cell such as 1,234 does not say what its comma means; all cells of a file
together nearly always do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Evidence",
    "NumberStyle",
    "gather_evidence",
    "is_missing_number",
    "looks_like_number",
    "parse_number",
    "style_from",
    "unit_of",
    "without_unit",
]

#: Texts that stand for a missing value wherever they occur, in lower case.
MISSING = frozenset(
    {
        "", "na", "n/a", "nan", "null", "none", "?", "<na>", "-nan", "nat", "(null)", "\\n", "-", "--", "---", "–",
        "—", ".", "..",
        "#n/a", "#na", "#n/a n/a", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!",
    }
)  # fmt: skip
#: Texts that stand for a missing number in a column of numbers; in a column of texts they may be a category.
MISSING_NUMBERS = frozenset(
    {"missing", "unknown", "nil", "n.a.", "n.a", "n/d", "nd", "n.d.", "not available", "not applicable", "undefined", "tbd",
     "tba", "k.a.", "k. a.", "unbekannt", "*", "**", "***", "…", "..."}
)  # fmt: skip

#: A longer text with signs in it is no number.
_LONGEST = 80
_SPACES = "\u0020\u00a0\u202f\u2009"
_CURRENCY = (
    r"(?:[$€£¥₹₩₽₺₫₴₪฿₦]|R\$|US\$|C\$|A\$|HK\$|kr\.?|zł|Kč|Ft|Rs\.?|Fr\.|CHF|USD|EUR|GBP|JPY"
    r"|CNY|INR|CAD|AUD|NZD|SGD|HKD|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|RUB|UAH|ILS|AED|SAR|ZAR|KRW|THB|IDR|MXN|BRL)"
)
#: The hyphen, the minus, and the dashes that are set in its place.
_MINUS = "-\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d"
_SIGN = f"[+\\{_MINUS}]"
_NUMBER = re.compile(
    rf"(?:{_CURRENCY}\s*(?=\())?(?P<open>\()?\s*(?P<sign>{_SIGN})?\s*(?:{_CURRENCY})?\s*(?P<sign2>{_SIGN})?\s*"
    rf"(?P<body>\d(?:[\d.,'’_{_SPACES}]*\d)?|[.,]\d+|\d[\d.,'’]*[.,])(?P<exponent>[eE][+\-]?\d+|[dD][+\-]\d+)?"
    rf"\s*(?:{_CURRENCY})?\s*(?P<percent>%)?\s*(?:{_CURRENCY})?(?P<close>\))?(?P<after>[\{_MINUS}])?",
    re.ASCII | re.IGNORECASE,
)
#: Zeros in front are of a number that names something, such as 0007x, and not of a quantity.
_PADDED = re.compile(r"[+\-]?0\d")
_WITH_UNIT = re.compile(r"(?P<number>.*[\d.,])\s*(?P<unit>[^\d\s.,;:()\[\]{}+\-=<>~*?!][^\d]{0,11}?[23]?)", re.ASCII)
#: Groups of three digits, or of two and at last three as in India; not after a leading zero.
_GROUPED = {
    sign: re.compile(rf"[1-9]\d{{0,2}}(?:{re.escape(sign)}\d{{2,3}})*{re.escape(sign)}\d{{3}}", re.ASCII)
    for sign in (",", ".", " ", "'", "_")
}

#: What a cell says about the sign before the fraction: it is a point, it is a comma, or it may be either.
Verdict = Literal[".", ",", "either", "none"]


@dataclass(frozen=True)
class NumberStyle:
    """The signs in numbers. Parameters  decimal : "." or "," ; thousands : the separators allowed ; percent : 1 or 0.01"""

    decimal: str = "."
    thousands: str = ""
    percent: float = 1.0


PLAIN = NumberStyle()


@dataclass
class Evidence:
    """What the distinct cells of a column say about how its numbers are written.

    Attributes
        numbers : how many distinct cells read as a number in some convention ; others : those that do not
        point, comma : how many say that the decimal sign is a point, a comma ; either : examples that could be both
        separators : signs seen between groups of digits ; percent : cells with a per cent sign ; currency : cells with more
    """

    numbers: int
    others: list[str]
    point: int
    comma: int
    either: list[str]
    separators: set[str]
    percent: int


def parse_number(cell: str, style: NumberStyle = PLAIN) -> float | None:
    """The number in a cell, NaN for a missing one, None for any other text.

    Example
        >>> parse_number("1_000") is None, parse_number("1_000", NumberStyle(thousands="_"))
        (True, 1000.0)
        >>> parse_number("(1.234,50 €)", NumberStyle(decimal=",", thousands="."))
        -1234.5
    """
    if style.decimal == "." and "_" not in cell:
        try:
            return float(cell)
        except ValueError:
            pass
    stripped = cell.strip()
    if stripped.lower() in MISSING:
        return float("nan")
    return _decorated(stripped, style)


def is_missing_number(cell: str) -> bool:
    """Whether a text in a column of numbers is a word for a missing one."""
    return cell.strip().lower() in MISSING_NUMBERS


def looks_like_number(cell: str) -> bool:
    """Whether a text is a number in some convention."""
    found = _matched(cell.strip())
    return found is not None and _verdict(found["body"])[0] is not None


def unit_of(cell: str) -> str | None:
    """The unit behind a number, "" where a text is no number with a unit, None for a number alone and a missing one.

    Example
        >>> unit_of("5.5 kg"), unit_of("21°C"), unit_of("50 m2"), unit_of("12 Main Street 5"), unit_of("007x"), unit_of("7")
        ('kg', '°C', 'm2', '', '', None)
    """
    stripped = cell.strip()
    if looks_like_number(stripped) or stripped.lower() in MISSING or stripped.lower() in MISSING_NUMBERS:
        return None
    found = _WITH_UNIT.fullmatch(stripped) if len(stripped) <= _LONGEST else None
    if found is None or _PADDED.match(found["number"]) or not looks_like_number(found["number"]):
        return ""
    return found["unit"]


def without_unit(cell: str, unit: str) -> str:
    """The cell without its unit, where it ends in that."""
    stripped = cell.strip()
    return stripped[: -len(unit)].rstrip() if stripped.endswith(unit) else cell


def gather_evidence(cells: Iterable[str]) -> Evidence:
    """What these distinct cells say. Texts for missing values are passed over."""
    found = Evidence(0, [], 0, 0, [], set(), 0)
    for cell in cells:
        stripped = cell.strip()
        lower = stripped.lower()
        if lower in MISSING or lower in MISSING_NUMBERS:
            continue
        match = _matched(stripped)
        verdict, separators = (None, "") if match is None else _verdict(match["body"])
        if match is None or verdict is None:
            found.others.append(stripped)
            continue
        found.numbers += 1
        found.percent += match["percent"] is not None
        found.separators.update(separators)
        if verdict == ".":
            found.point += 1
        elif verdict == ",":
            found.comma += 1
        elif verdict == "either":
            found.either.append(stripped)
    return found


def style_from(evidence: Evidence, decimal: str, thousands: str | None = None) -> NumberStyle:
    """The style of a column whose decimal sign is known."""
    if thousands is None:
        other = "," if decimal == "." else "."
        seen = evidence.separators - {decimal}
        grouped_by_other = other in seen or any(other in cell for cell in evidence.either)
        thousands = "".join(sorted(seen | ({other} if grouped_by_other else set())))
    every_one = evidence.percent == evidence.numbers
    return NumberStyle(decimal, thousands, 1.0 if every_one or not evidence.percent else 0.01)


def _matched(text: str) -> re.Match[str] | None:
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or (match["open"] is None) != (match["close"] is None):
        return None
    signs = [s for s in (match["sign"], match["sign2"], match["after"], match["open"]) if s]
    return match if len(signs) <= 1 else None


def _unified(body: str) -> str:
    """The digits with one kind of space and one kind of apostrophe."""
    body = body.replace("’", "'")
    for space in _SPACES[1:]:
        body = body.replace(space, " ")
    return body


def _verdict(body: str) -> tuple[Verdict | None, str]:
    """What the digits of a number say about the decimal sign, and the separators of groups; None if they are no number."""
    body = _unified(body)
    separators = ""
    whole, fraction = body, ""
    for sign in (" ", "'", "_"):
        if sign in body:
            last = max(body.rfind("."), body.rfind(","))
            if last > body.rfind(sign):
                whole, fraction = body[:last], body[last:]
            if not _GROUPED[sign].fullmatch(whole):
                return None, ""
            if fraction:
                return (".", sign) if fraction[0] == "." else (",", sign)
            return "none", sign
    points, commas = body.count("."), body.count(",")
    if points and commas:
        decimal = "." if body.rfind(".") > body.rfind(",") else ","
        other = "," if decimal == "." else "."
        if body.count(decimal) > 1 or not _GROUPED[other].fullmatch(body[: body.rfind(decimal)]):
            return None, ""
        return (".", other) if decimal == "." else (",", other)
    sign = "." if points else ","
    if points + commas > 1:  # several of one kind part groups, so the other one is the decimal sign
        if not _GROUPED[sign].fullmatch(body):
            return None, ""
        return (",", ".") if sign == "." else (".", ",")
    if points + commas == 1:
        if _GROUPED[sign].fullmatch(body):
            return "either", ""
        return (".", "") if sign == "." else (",", "")
    return "none", separators


def _decorated(text: str, style: NumberStyle) -> float | None:
    """A number with separators, a currency, a per cent sign or brackets."""
    match = _matched(text)
    if match is None:
        return None
    body = _unified(match["body"])
    whole, sign, fraction = body.partition(style.decimal)
    for separator in style.thousands:
        if separator in whole:
            if not _GROUPED[separator].fullmatch(whole):
                return None
            whole = whole.replace(separator, "")
    digits = f"{whole or '0'}.{fraction}" if sign else whole
    if not re.fullmatch(r"\d+(?:\.\d*)?", digits, re.ASCII):
        return None
    number = float(digits + (match["exponent"] or "").upper().replace("D", "E"))  # Fortran writes 1.5D+02
    if match["percent"]:
        number *= style.percent
    negative = match["open"] or any(match[name] and match[name] in _MINUS for name in ("sign", "sign2", "after"))
    return -number if negative else number
