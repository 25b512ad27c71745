"""What reaches the terminal: signs that it would obey are made visible, letters that it lacks are replaced, and a reader
that has gone away is no error."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["known_letters", "neutral", "prepared_streams"]

#: Control characters as their pictures; marks of the direction of writing, and line ends of other kinds, as U+FFFD.
_VISIBLE = {c: 0x2400 + c for c in range(32) if chr(c) not in "\n\t"} | {0x7F: 0x2421}
_VISIBLE |= dict.fromkeys(
    [*range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)], 0xFFFD
)

#: What stands for a sign on a terminal without it; of others the letter below their accents, else "?".
_ASCII = {
    "─": "-", "━": "=", "│": "|", "┃": "|", "→": "->", "←": "<-", "…": "~", "×": "x", "·": ".", "−": "-",
    "–": "-", "—": "-",
    "Σ": "sum ", "Π": "prod ", "√": "sqrt", "∂": "d", "∇": "grad ", "∈": " in ", "≤": "<=", "≥": ">=", "≠": "!=",
    "≈": "~", "∞": "inf",
    "⊙": "*", "ᵀ": "'", "✓": "+", "✗": "x", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "eps", "η": "eta",
    "θ": "theta", "λ": "lambda", "μ": "mu", "σ": "sigma", "τ": "tau", "φ": "phi", "ℓ": "l",
    "“": '"', "”": '"', "’": "'", "‘": "'",
    "²": "^2", "³": "^3", "•": "*", "\ufffd": "?", "█": "#", "▌": "|", "▏": "|",
}  # fmt: skip


def neutral(text: str) -> str:
    """Text that no terminal obeys: an escape sequence in a label or in the name of a column is shown, not followed.

    Every sign stays one sign, so that columns keep their widths; newlines and tabs stay.
    """
    return text.translate(_VISIBLE)


def known_letters(text: str, stream: Any) -> str:
    """The text with signs that the stream lacks replaced, so that lines are cut where they end on the screen."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text if "utf" in encoding.lower() else text.encode(encoding, "chainrule").decode(encoding)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """Signs in place of those that the terminal lacks, for ``errors="chainrule"``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = []
    for sign in error.object[error.start : error.end]:
        plain = _ASCII.get(sign) or unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
        if not plain and 0x2400 <= ord(sign) < 0x2420:
            plain = "^" + chr(ord(sign) - 0x2400 + 64)
        elif not plain and 0x2500 <= ord(sign) < 0x2600:
            plain = "-"
        found.append(plain or "?")
    try:
        "".join(found).encode(error.encoding)
    except (UnicodeError, LookupError):
        return "?" * len(found), error.end
    return "".join(found), error.end


codecs.register_error("chainrule", _replaced)


class _ToNobody(io.FileIO):
    """A file that goes on as if it were read when its reader has gone away, as ``head`` does after some lines."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            nobody = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nobody, self.fileno())
            os.close(nobody)
            return len(data)  # type: ignore[arg-type]


@contextmanager
def prepared_streams() -> Iterator[None]:
    """Standard output and error as the commands need them, and afterwards as they were."""
    before = sys.stdout, sys.stderr
    # A process may be started without them; what it says is then for nobody.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    made, replaced = [], []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        below = getattr(stream, "buffer", None)
        unbuffered = isinstance(below, io.FileIO)
        if type(stream) is io.TextIOWrapper and isinstance(getattr(below, "raw", below), io.FileIO):
            stream.flush()
            replaced.append(stream)  # it owns the file that the new one writes to
            raw: Any = _ToNobody(stream.fileno(), "w", closefd=False)
            lines = stream.line_buffering or name == "stderr"
            stream = io.TextIOWrapper(
                raw if unbuffered else io.BufferedWriter(raw), stream.encoding, "chainrule",
                line_buffering=lines, write_through=unbuffered,
            )  # fmt: skip
            setattr(sys, name, stream)
            made.append(stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="chainrule")
            if stream.isatty() and _is_ascii():
                stream.reconfigure(encoding="ascii", errors="chainrule")
    try:
        yield
    finally:
        try:
            for stream in made:
                stream.flush()
        finally:
            sys.stdout, sys.stderr = before


def _is_ascii() -> bool:
    """Whether LC_ALL, LC_CTYPE or LANG say that the terminal knows no UTF-8; Python itself looks past them."""
    given = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if given[1].upper() == "C.UTF-8" and not given[0]:  # Python sets it for itself in place of the language C
        given[1] = ""
    said = next((name for name in given if name), "")
    return bool(said) and "UTF" not in said.upper() and not os.environ.get("PYTHONIOENCODING")
