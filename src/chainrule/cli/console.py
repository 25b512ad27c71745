"""What the commands print, and how: to a terminal of any width with colours, or plainly to a file or pipe."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from .sources import display_name
from .terminal import known_letters, neutral

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "facts", "fitted", "heading", "is_terminal", "number", "out", "plain", "shortened", "size", "table", "waiting", "warn",
]  # fmt: skip

#: Width of what is not printed to a terminal, where nothing needs to fit.
_PIPE_WIDTH = 120
#: Letters of the longest name in the first column of pairs.
_LONGEST_NAME = 64


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return bool(sys.stdout.isatty())


@cache
def _console_class() -> type[Console]:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

    class SafeConsole(Console):
        """The one place that prints: what comes out of labels, names and files reaches no terminal as a command to it."""

        def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else neutral(text), style, control)

        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*(display_name(one) if isinstance(one, str) else one for one in objects), **how)

    return SafeConsole


def out(*, stderr: bool = False) -> Console:
    """A console on standard output (or error). Colours follow the terminal and NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return _console_class()(file=stream, width=width, highlight=False, emoji=False, markup=False)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Says on a terminal, from the first moment on, what is being done."""
    if is_terminal() or sys.stderr.isatty():
        from rich.text import Text

        ascii_only = "utf" not in (getattr(sys.stdout, "encoding", "") or "").lower()
        console = out(stderr=not is_terminal())
        shown = Text(display_name(text), no_wrap=True, overflow="ellipsis")
        with console.status(shown, spinner="line" if ascii_only else "dots"):
            yield
    else:
        yield


def plain(text: str) -> None:
    """Text as it is: not wrapped, not coloured."""
    out().print(text, soft_wrap=True)


def fitted(text: str) -> None:
    """Lines of columns with two spaces or more between them, such as equations: on a terminal that is too narrow for a
    line, its last columns go on in the next line instead of being broken anywhere."""
    console = out()
    for line in text.split("\n"):
        rest, margin = line, ""
        while is_terminal() and len(margin + rest) > console.width:
            gaps = [m for m in re.finditer(r"(?<=\S) {2,}(?=\S)", rest) if len(margin) + m.start() <= console.width]
            if not gaps:
                break
            console.print(margin + rest[: gaps[-1].start()], soft_wrap=True)
            # Below the column it belongs to, where there is room for it.
            start = gaps[-2].end() if len(gaps) > 1 else len(rest) - len(rest.lstrip())
            after = rest[gaps[-1].end() :]
            indent = len(margin) + start + 2
            rest, margin = after, " " * (indent if indent + len(after) <= console.width else 8)
        console.print(margin + rest, soft_wrap=True)


def warn(text: str) -> None:
    """A line on standard error that is no error."""
    out(stderr=True).print(text, style="yellow", soft_wrap=not sys.stderr.isatty())


def heading(text: str) -> None:
    """A title over a part of the output."""
    out().print(f"\n{text}", style="bold cyan", soft_wrap=not is_terminal())


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Pairs of a word and what it is, in two columns; long texts go on below themselves."""
    from rich.text import Text

    console = out()
    longest = _LONGEST_NAME if console.width >= 76 else _LONGEST_NAME // 2
    rows = [(shortened(name, longest), text) for name, text in rows]
    margin = max((len(name) for name, _ in rows), default=0) + 2
    room = max(20, console.width - margin) if is_terminal() else sys.maxsize
    for name, text in rows:
        first, *more = textwrap.wrap(_as_shown(text), room, break_on_hyphens=False) or [""]
        console.print(Text(name.ljust(margin), style="cyan").append(first, style="default"), soft_wrap=True)
        for line in more:
            console.print(" " * margin + line, soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, title: str = "") -> None:
    """A table; its first ``left`` columns hold words, the others numbers. Words are cut where a terminal is too narrow."""
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    console = out()
    columns, rows = list(columns), [[_as_shown(one_line(text)) for text in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    over = sum(widths) + 2 * len(widths) - 2 - console.width
    # The widest columns of words give up the room that a narrow terminal lacks, then those of numbers the lines go on below.
    for i in sorted(range(left), key=lambda i: -widths[i]):
        if over > 0 and is_terminal():
            given_up = min(over, max(0, widths[i] - 8))
            widths[i], over = widths[i] - given_up, over - given_up

    def line(row: Sequence[str]) -> str:
        cells = []
        for i, (text, width) in enumerate(zip(row, widths, strict=True)):
            text = text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"
            fill = " " * (width - cell_len(text))
            cells.append(text + fill if i < left else fill + text)
        return "  ".join(cells).rstrip()

    if title:
        console.print(f"\n{title}", style="bold cyan")
    console.print(Text(line(columns), style="bold"), soft_wrap=True)
    console.print("─" * (sum(widths) + 2 * len(widths) - 2), style="bright_black", soft_wrap=True)
    for row in rows:
        console.print(line(row), soft_wrap=True)


def _as_shown(text: str) -> str:
    """The text as it will stand on the screen, for what is laid out by its width."""
    return known_letters(display_name(text), sys.stdout)


def one_line(text: str) -> str:
    """The text without line ends, which would break a row of a table."""
    return " ".join(text.split("\n")) if "\n" in text else text


def shortened(text: str, most: int) -> str:
    """The text in one line, and of a longer one its beginning."""
    line = one_line(text)
    return line if len(line) <= most else line[: most - 1] + "…"


def number(value: float) -> str:
    """A measured number with four significant digits, at most four of them after the point: 0.9737, 12.35, 1234000."""
    if value != value or abs(value) == float("inf"):
        return "-" if value != value else str(value)
    if value and abs(value) < 1e-3:
        return f"{value:.2e}"
    decimals = 4 if abs(value) < 10 else 2 if abs(value) < 1000 else 1 if abs(value) < 10_000 else 0
    return f"{value:,.{decimals}f}"


def size(count: float) -> str:
    """A count with a prefix: 950, 11.4 k, 2.05 M."""
    for step, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= step:
            return f"{count / step:.3g}{prefix}"
    return f"{count:.3g}"
