"""The letters of the equations."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_SUPER = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

#: Letters by the names that layers give their parameters, states and values between; others are written in full.
LETTERS = {
    "weight": ("W", "W"),
    "bias": ("b", "b"),
    "query_weight": ("Wq", "W_q"),
    "query_bias": ("bq", "b_q"),
    "key_weight": ("Wk", "W_k"),
    "key_bias": ("bk", "b_k"),
    "value_weight": ("Wv", "W_v"),
    "value_bias": ("bv", "b_v"),
    "output_weight": ("Wo", "W_o"),
    "output_bias": ("bo", "b_o"),
    "recurrent_weight": ("U", "U"),
    "recurrent_bias": ("v", "v"),
    "da": ("da", r"\mathrm{d}a"),
    "slope": ("α", r"\alpha"),
    "gamma": ("γ", r"\gamma"),
    "beta": ("β", r"\beta"),
    "scale": ("γ", r"\gamma"),
    "shift": ("β", r"\beta"),
    "mean": ("μ", r"\mu"),
    "variance": ("v", "v"),  # not σ², which a layer's number above would make σ²²
}


def word(name: str) -> tuple[str, str]:
    """A name in full, as text and LaTeX."""
    return name, name if len(name) == 1 else r"\mathrm{" + escape(name) + "}"


def escape(text: str) -> str:
    """Text for LaTeX's math mode, character by character."""
    special = {"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "}
    return "".join(special.get(c, "\\" + c if c in "_{}$%&#" else c) for c in text)


def upright(text: str, command: str = "text") -> str:
    """Words in LaTeX. Special characters stand outside of ``\\text``, where MathJax and KaTeX agree about them."""
    parts = re.split(r"([_{}$%&#\\^~])", text)
    return "".join(escape(p) if n % 2 else rf"\{command}{{{p}}}" for n, p in enumerate(parts) if p)


@dataclass(frozen=True)
class Symbol:
    """One letter with its marks.

    Parameters
        text, latex : the letter ; layer : its superscript, None for none ; index : its subscript, None for none
        primes : to tell two apart that would be alike ; gradient : whether it is the derivative dJ/d(...)
    """

    text: str
    latex: str
    layer: int | None = None
    index: int | None = None
    primes: int = 0
    gradient: bool = False

    @property
    def d(self) -> Symbol:
        """The symbol of the gradient."""
        return replace(self, gradient=True)

    def __str__(self) -> str:
        index = "" if self.index is None else str(self.index).translate(SUBSCRIPTS)
        layer = "" if self.layer is None else str(self.layer).translate(_SUPER)
        primes = "′" * self.primes if self.primes <= 3 else f"⁽{str(self.primes).translate(_SUPER)}⁾"
        return f"{'d' if self.gradient else ''}{self.text}{index}{layer}{primes}"

    def as_latex(self, more: str = "") -> str:
        """LaTeX; ``more`` goes into the superscript, such as a transposition."""
        primes = r"\prime" * self.primes if self.primes <= 3 else f"({self.primes})"
        above = f"{'' if self.layer is None else self.layer}{primes}{more}"
        base = "{" + self.latex + "}" if "^" in self.latex and above else self.latex
        index = "" if self.index is None else f"_{{{self.index}}}"
        return (r"\mathrm{d}" if self.gradient else "") + base + index + (f"^{{{above}}}" if above else "")


class Names:
    """Gives out symbols so that no two are alike."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, letter: tuple[str, str], layer: int | None = None, index: int | None = None) -> Symbol:
        """The symbol, with primes where it is taken."""
        symbol = Symbol(*letter, layer=layer, index=index)
        while str(symbol) in self._taken:
            symbol = replace(symbol, primes=symbol.primes + 1)
        self._taken.add(str(symbol))
        return symbol
