"""How values are written: an op's template filled with its inputs, with parentheses where the precedence asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from math import isinf, isnan
from string import Formatter
from typing import Any

from ...ops import OPS, Node, Value
from ...ops.value import Shape
from .symbols import Symbol

#: The batch size with which networks are lowered for printing. A size that is a multiple of it, or a number that is a
#: simple fraction over it or over N − 1, is written with N. It is a large prime, and so is half of N − 1, so that nothing
#: else in a network is such a number.
BATCH = 1_300_199

#: Lengths of sequences with which networks of free lengths are lowered for printing, primes like BATCH and far apart. The
#: small ones are for networks that take short sequences only.
LENGTHS = (10_007, 14_009, 17_011, 23_003, 31_013)
SHORT_LENGTHS = (997, 241, 61, 31, 13, 7, 5, 3, 2)
#: Sizes this far from one of LENGTHS are it and some more or less.
_NEAR = 300

#: The letter of every free length while equations are written: {10007: "T"}.
_LETTERS: ContextVar[Mapping[int, str] | None] = ContextVar("_LETTERS", default=None)

ATOM, PRODUCT, SUM = 0, 1, 2


@dataclass(frozen=True)
class Term:
    """An expression.

    Parameters
        text, latex : how it is written ; precedence : ATOM, PRODUCT or SUM
        open : begins with Σ or the like and takes in all that follows, so it may stand last only
        symbol : when it is just a symbol ; number : when it is just a number
        factors : number, scalars and arrays of a product ; addends : (sign, term, whether of all parameters) of a sum
    """

    text: str
    latex: str
    precedence: int = ATOM
    open: bool = False
    symbol: Symbol | None = None
    number: float | None = None
    factors: tuple[float, tuple[Term, ...], tuple[Term, ...]] | None = None
    addends: tuple[tuple[int, Term, bool], ...] | None = None

    @property
    def negative(self) -> bool:
        return self.text.startswith("−")


def symbol_term(symbol: Symbol) -> Term:
    return Term(str(symbol), symbol.as_latex(), symbol=symbol)


def bracket(term: Term, limit: int, *, last: bool = True) -> Term:
    """The term in parentheses when its precedence is above the limit."""
    if term.precedence <= limit and (last or not term.open):
        return term
    return Term(f"({term.text})", rf"\left({term.latex}\right)")


# ------------------------------------------------------------ shapes and numbers


@contextmanager
def lengths_written(letters: Mapping[int, str]) -> Iterator[None]:
    """Within it, sizes and numbers that come from these lengths are written with their letters."""
    token = _LETTERS.set(letters)
    try:
        yield
    finally:
        _LETTERS.reset(token)


def dimension(size: int) -> str:
    """A size, with N for the batch and T for a free length."""
    count, rest = divmod(size, BATCH)
    if rest or not count:
        return _of_length(size)
    if count == 1:
        return "N"
    text = _of_length(count)
    return f"({text}) N" if " " in text and text[0] not in "⌊(" else f"{text} N" if not text.isdigit() else f"{text}N"


def _of_length(size: int) -> str:
    """A size without the batch: T, 4T, T − 2, ⌊T/2⌋."""
    for length, letter in (_LETTERS.get() or {}).items():
        count, rest = divmod(size, length)
        if count and not rest:
            return letter if count == 1 else f"{_of_length(count)}{letter}"
        if length not in LENGTHS:
            continue
        for parts in range(1, 9):
            # size = ⌊(T + more) / parts⌋ for each of ``parts`` numbers; the least is taken.
            least = size * parts - length
            if -_NEAR <= least <= _NEAR:
                more = 0 if least <= 0 < least + parts else least + parts - 1 if least < 0 else least
                shifted = letter if not more else f"{letter} {'+' if more > 0 else '−'} {abs(more)}"
                return shifted if parts == 1 else f"⌊{shifted if not more else f'({shifted})'}/{parts}⌋"
    return str(size)


def shape_text(shape: Shape) -> str:
    """A shape as Python writes it: (N, 64), (128,), ()."""
    return f"({', '.join(map(dimension, shape))}{',' if len(shape) == 1 else ''})"


def _short(value: float) -> str | None:
    """The number in at most six digits, None when that is not exact."""
    text = f"{value:.6g}"
    return text if abs(float(text) - value) <= 1e-12 * abs(value) else None


def _ratio(value: float) -> tuple[str, int] | None:
    """The number as top and bottom: 3 and 1, 1 and 10, 0.3 and 1, 2 and 3. None when it is no simple fraction."""
    ratio = Fraction(value).limit_denominator(1_000_000)
    simple = abs(ratio - value) <= 1e-12 * value and ratio.numerator < 10_000
    short = _short(value)
    if short is not None and not (simple and 1 in (ratio.numerator, ratio.denominator)):
        return short, 1
    return (str(ratio.numerator), ratio.denominator) if simple else None


def number_term(value: float) -> Term:
    """A number: as a fraction over N where it is one, else in at most six digits."""
    if isnan(value) or isinf(value):
        text = "NaN" if isnan(value) else "∞" if value > 0 else "−∞"
        latex = {"NaN": r"\mathrm{NaN}", "∞": r"\infty", "−∞": r"-\infty"}[text]
        return Term(text, latex, number=value)
    if value < 0:
        positive = number_term(-value)
        return Term("−" + positive.text, "-" + positive.latex, max(positive.precedence, PRODUCT), number=value)
    short = _short(value)
    for length, letter in (_LETTERS.get() or {}).items():
        top = value * length
        if abs(value - length) < 1e-9 or (short is None and abs(top - round(top)) < 1e-12 and 0 < round(top) < 1000):
            return Term(letter, letter, number=value) if value > 1 else _fraction(str(round(top)), letter, value)
    if short is None:
        for top, text in ((value * BATCH, "N"), (value * (BATCH - 1), "(N − 1)")):
            ratio = _ratio(top) if 1e-6 < top < 1e4 else None
            if ratio is not None:
                above, below = ratio
                return _fraction(above, text if below == 1 else f"({_of_length(below)} {text})", value)
        if abs(value * (BATCH - 1) / BATCH - 1) < 1e-12:
            return _fraction("N", "(N − 1)", value)
        for limit in (10_000, 10_000_000) if 1e-7 < value * BATCH < 1e4 else ():
            near = float(Fraction(value * BATCH).limit_denominator(limit))
            excess = value * BATCH / near - 1 if near else 0.0
            if 1e-13 < excess < 1e-6:  # a / (c N − 1) is a / (c N) and 1 / (c N) of it more
                count = round(1 / (excess * BATCH))
                ratio = _ratio(value * (count * BATCH - 1)) if count > 1 else None
                if ratio is not None:
                    above, below = ratio
                    many = f"{dimension(count * BATCH)} − 1"
                    return _fraction(above, f"({many})" if below == 1 else f"({below} ({many}))", value)
        plain = Fraction(value).limit_denominator(1000)
        if value < 1000 and abs(plain - value) < 1e-14 * value:
            return _fraction(str(plain.numerator), str(plain.denominator), value)
    text = f"{value:.6g}"
    mantissa, _, exponent = text.partition("e")
    if exponent:
        power = str(int(exponent))
        tens = f"10^{{{power}}}"
        latex = tens if mantissa == "1" else rf"{mantissa} \cdot {tens}"
        return Term(f"{mantissa}e{power}", latex, number=value)
    return Term(text, text, number=value)


def _fraction(top: str, bottom: str, value: float) -> Term:
    inner = bottom[1:-1] if bottom.startswith("(") else bottom
    latex = rf"\frac{{{top}}}{{{inner.replace('−', '-')}}}"
    return Term(f"{top}/{bottom}", latex, PRODUCT, number=value)


# ------------------------------------------------------------ sums and products


def product(number: float, scalars: Sequence[Term], arrays: Sequence[Term]) -> Term:
    """number · scalars · (array ⊙ array ⊙ ...)"""
    factors = (number, tuple(scalars), tuple(arrays))
    count = len(scalars) + len(arrays)
    if not count:
        return number_term(number)
    if count == 1 and number == 1:
        return (*scalars, *arrays)[0]
    written: list[Term] = []
    for i, term in enumerate([*scalars, *arrays]):
        alone = len(arrays) <= 1 and i == count - 1
        # A quotient or a matrix product is read as a whole only when nothing stands beside it.
        limit = PRODUCT if alone or (i < len(scalars) and " / " not in term.text) else ATOM
        written.append(bracket(term, limit, last=i == count - 1))
        if written[-1].negative:
            written[-1] = bracket(written[-1], -1)
    coefficient = number_term(abs(number))
    if number == 0 or coefficient.text != "1" or isnan(number):
        written.insert(0, coefficient)
    first = len(written) - len(arrays)
    text = " ".join([*(t.text for t in written[:first]), " ⊙ ".join(t.text for t in written[first:])]).strip()
    latex = r" \, ".join(
        [*(t.latex for t in written[:first]), *([r" \odot ".join(t.latex for t in written[first:])] * bool(arrays))]
    )
    sign = "−" if number < 0 else ""
    precedence = written[-1].precedence if len(written) == 1 and not sign else PRODUCT
    return Term(sign + text, sign.replace("−", "-") + latex, precedence, written[-1].open, factors=factors)


def factors_of(value: Value, term: Term) -> tuple[float, tuple[Term, ...], tuple[Term, ...]]:
    """A term as the factors of a product."""
    if term.factors is not None:
        return term.factors
    if term.number is not None:
        return term.number, (), ()
    return (1.0, (term,), ()) if value.shape == () else (1.0, (), (term,))


def total(addends: Sequence[tuple[int, Term, bool]]) -> Term:
    """A sum with signs; what stands for all parameters is written once, however many stretches they lie in."""
    kept: list[tuple[int, Term, bool]] = []
    for sign, term, everywhere in addends:
        if not (everywhere and any(e and s == sign and t.text == term.text for s, t, e in kept)):
            kept.append((sign, term, everywhere))
    text = latex = ""
    for i, (sign, term, _) in enumerate(kept):
        written = bracket(term, SUM if sign > 0 else PRODUCT)
        minus = sign < 0
        plain, tex = written.text, written.latex
        if written.negative and written.precedence <= PRODUCT and tex.startswith("-"):
            minus, plain, tex = not minus, plain[1:], tex[1:]
        if i == 0:
            text, latex = ("−" if minus else "") + plain, ("-" if minus else "") + tex
        else:
            text, latex = f"{text} {'−' if minus else '+'} {plain}", f"{latex} {'-' if minus else '+'} {tex}"
    if len(kept) == 1 and kept[0][0] > 0:
        return kept[0][1]
    return Term(text, latex, SUM, addends=tuple(kept))


def addends_of(term: Term, sign: int, everywhere: bool) -> tuple[tuple[int, Term, bool], ...]:
    """A term as the addends of a sum."""
    if term.addends is not None and sign > 0:
        return tuple((s, t, e or everywhere) for s, t, e in term.addends)
    return ((sign, term, everywhere),)


# ------------------------------------------------------------ templates

_OPENING = ("(", "[", "{", "|", ",", ">", "=", "≥", "∈", ":", r"\ge", r"\lvert", r"\left(", "&", r"\\")
_CLOSING = (")", "]", "}", "|", ",", ">", "=", "≥", "∈", ":", r"\ge", r"\rvert", r"\right)", "&", r"\\", " if", " else")


def fill(template: str, terms: Sequence[Term], attrs: dict[str, Any], precedence: int, *, latex: bool = False) -> str:
    """The template with {0}, {1}, ... for the terms and {name} for attributes; parentheses where they are needed."""
    parts = list(Formatter().parse(template))
    text = ""
    for n, (literal, name, _, _) in enumerate(parts):
        text += literal
        if name is None:
            continue
        if not name.isdigit():
            text += f"{attrs[name]:.6g}" if isinstance(attrs[name], float) else str(attrs[name])
            continue
        after = parts[n + 1][0] if n + 1 < len(parts) else ""
        last = n + 1 == len(parts) or (n + 2 == len(parts) and parts[n + 1][1] is None and not after)
        term = terms[int(name)]
        left, right = text.rstrip(), after.strip()
        closed = left.endswith((*_OPENING, " if", " else")) and (
            after.startswith((" if", " else")) or right.startswith(_CLOSING)
        )
        if not closed:
            if right.startswith(("²", "ᵀ", "^", "[")):
                crowded = (
                    right.startswith(("²", "^"))
                    and term.symbol is not None
                    and term.text[-1] not in "abcdefghijklmnopqrstuvwxyz"
                )
                term = bracket(term, -1 if crowded else ATOM, last=False)
            elif left.endswith(("⊙", r"\odot", "/", "·")) or right.startswith(("⊙", r"\odot", "/", "·")):
                term = bracket(term, ATOM if left.endswith("/") else PRODUCT, last=last)
            elif left.endswith(("−", "-")):
                term = bracket(term, PRODUCT, last=last)
            elif left.endswith("+") or (not left and right.startswith(("+", "−", "-"))):
                term = bracket(term, SUM)
            else:
                term = bracket(
                    term,
                    PRODUCT if left.endswith(("Σ", "Σₖ", r"\sum", r"\sum_k")) else max(0, precedence if not left else ATOM),
                    last=last,
                )
        text += term.latex if latex else term.text
    return text


def call(node: Node, terms: Sequence[Term], output: int = 0) -> Term:
    """An op by its template in the table; ops without slots as a function of their inputs."""
    spec = OPS[node.op]
    text, latex, precedence = (spec.text, spec.latex, spec.precedence) if not output else spec.more[output - 1]
    if terms and "{0}" not in text and "{1}" not in text:
        return function(text, terms)
    opens = text.startswith(("Σ", "log Σ"))
    return Term(
        fill(text, terms, node.attrs, precedence), fill(latex, terms, node.attrs, precedence, latex=True), precedence, opens
    )


def function(name: str, terms: Sequence[Term]) -> Term:
    """name(term, term, ...)"""
    escaped = name.replace("_", r"\_")
    inside = ", ".join(t.latex for t in terms)
    return Term(f"{name}({', '.join(t.text for t in terms)})", rf"\operatorname{{{escaped}}}({inside})")
