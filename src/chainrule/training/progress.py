"""Live progress of a fit: one line that is updated in place on a terminal and in a notebook, one line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from .state import FitState

#: Seconds between two drawings of the line.
_EVERY = 0.1
_BAR = 16


class LiveLine(Protocol):
    """A line that is drawn again and again in one place."""

    def draw(self, head: str, share: float | None, tail: str) -> None:
        """Shows two texts, and between them a bar of which this share is full; None for no bar."""

    def end(self, text: str) -> None:
        """Takes the line away, and leaves the text in its place; an empty text leaves nothing."""


class _TerminalLine:
    """Parameters  stream : a terminal"""

    def __init__(self, stream: Any) -> None:
        from rich.console import Console
        from rich.live import Live

        self._stream = stream
        self._live = Live(console=Console(file=stream), auto_refresh=False, transient=True)
        self._live.start()

    def draw(self, head: str, share: float | None, tail: str) -> None:
        from rich.text import Text

        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{head} ", style="bold")
        if share is not None:
            full = round(share * _BAR)
            line.append("━" * full, style="cyan").append("━" * (_BAR - full), style="dim").append("  ")
        line.append(tail)
        self._live.update(line, refresh=True)

    def end(self, text: str) -> None:
        self._live.stop()
        if text:
            self._stream.write(text + "\n")
            self._stream.flush()


class _NotebookLine:
    """A line below the cell of a notebook that runs, made of HTML."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle = display(HTML(""), display_id=True)

    def draw(self, head: str, share: float | None, tail: str) -> None:
        bar = f'<progress value="{share or 0:.4f}" max="1" style="width: 12em; vertical-align: middle"></progress> '
        self._show(f"<b>{escape(head)}</b> {bar if share is not None else ''}{escape(tail)}")

    def end(self, text: str) -> None:
        self._show(escape(text))

    def _show(self, inside: str) -> None:
        made = f'<div style="font-family: monospace; white-space: pre-wrap">{inside}</div>' if inside else ""
        self._handle.update(self._html(made))


def _in_notebook() -> bool:
    """Whether a kernel of IPython runs this, so that a notebook shows what is displayed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def live_line(stream: Any) -> LiveLine | None:
    """A line that is updated in place: on the stream where that is a terminal, below the cell of a notebook that runs, and
    None where neither is there."""
    if bool(getattr(stream, "isatty", lambda: False)()):
        return _TerminalLine(stream)
    return _NotebookLine() if stream in (sys.stdout, sys.stderr) and _in_notebook() else None


class Progress(Callback):
    """Prints epoch, loss, metrics, samples a second and the remaining time.

    Parameters  verbose : 1 a live line on a terminal and in a notebook, else plain lines ; 2 plain lines everywhere ;
                stream : where to, standard output by default
    """

    on_every_rank = False
    changes_weights = False

    def __init__(self, verbose: int = 1, stream: Any = None) -> None:
        self.verbose, self.stream = verbose, stream

    def on_fit_begin(self, state: FitState) -> None:
        self._out = self.stream if self.stream is not None else sys.stdout
        self._line = live_line(self._out) if self.verbose == 1 else None
        self._started = time.perf_counter()
        self._drawn = 0.0
        self._first = state.epoch
        self._rate = 0.0
        self._logs: dict[str, float] = {}

    def on_epoch_begin(self, state: FitState, epoch: int) -> None:
        self._epoch_started = time.perf_counter()

    def on_batch_chunk_end(self, state: FitState, logs: Logs) -> None:
        now = time.perf_counter()
        self._rate = logs["samples"] / max(logs["seconds"], 1e-9)
        if self._line is None or now - self._drawn < _EVERY:
            return
        shown = {**self._logs, "loss": logs["loss"]}
        total = state.samples_an_epoch
        part = min(1.0, logs["samples"] / total) if total else 0.0
        self._draw(self._line, state, state.epoch + part, shown)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        self._logs = {name: value for name, value in logs.items() if name not in ("learning_rate", "seconds")}
        if self._line is None:
            line = f"epoch {epoch}/{state.epochs}  {self._numbers(self._logs)}  {_count(self._rate)} samples/s"
            self._print(f"{line}  {logs['seconds']:.2f} s")
        elif time.perf_counter() - self._drawn >= _EVERY:
            self._draw(self._line, state, epoch, self._logs)

    def on_fit_end(self, state: FitState) -> None:
        history, text = state.history, ""
        if history.interrupted:
            text = f"Interrupted after epoch {state.epoch} of {state.epochs}; what was learned so far is kept."
        elif self._line is not None and history.epochs:
            done = len(history.epochs) if not self._first else state.epoch - self._first
            line = f"epoch {state.epoch}/{state.epochs}  {self._numbers(self._logs)}  {_count(self._rate)} samples/s"
            text = f"{line}  {done} epochs in {_time(time.perf_counter() - self._started)}"
        if self._line is not None:
            self._line.end(text)
            self._line = None
        elif text:
            self._print(text)

    def close(self) -> None:
        """Takes the live line away; also called when a fit ends with an error."""
        if self._line is not None:
            self._line.end("")
            self._line = None

    # ------------------------------------------------------------ text

    def _print(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()

    def _draw(self, line: LiveLine, state: FitState, epochs_done: float, shown: dict[str, float]) -> None:
        self._drawn = time.perf_counter()
        total = state.epochs - self._first
        share = min(1.0, (epochs_done - self._first) / max(total, 1))
        seconds = self._drawn - self._started
        left = seconds / share - seconds if share > 0 else 0.0
        head = f"epoch {min(int(epochs_done) + 1, state.epochs)}/{state.epochs}"
        line.draw(head, share, f"{self._numbers(shown)}  {_count(self._rate)} samples/s  {_time(left)} left")

    @staticmethod
    def _numbers(logs: dict[str, float]) -> str:
        return "  ".join(f"{name} {_number(value)}" for name, value in logs.items())


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"


def _count(number: float) -> str:
    for prefix in ("", " k", " M"):
        if number < 999.5:
            return f"{number:.3g}{prefix}"
        number /= 1000
    return f"{number:.3g} G"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
