"""Live progress of a fit: one line that updates on a terminal, one plain line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from .state import FitState

#: Seconds between two drawings of the line.
_EVERY = 0.1
_BAR = 16


class Progress(Callback):
    """Prints epoch, loss, metrics, samples a second and the remaining time.

    Parameters  verbose : 1 a live line on a terminal, else plain lines ; 2 plain lines everywhere ;
                stream : where to, standard output by default
    """

    def __init__(self, verbose: int = 1, stream: Any = None) -> None:
        self.verbose, self.stream = verbose, stream

    def on_fit_begin(self, state: FitState) -> None:
        self._out = self.stream if self.stream is not None else sys.stdout
        self._console: Any = None
        self._live: Any = None
        if self.verbose == 1 and bool(getattr(self._out, "isatty", lambda: False)()):
            from rich.console import Console
            from rich.live import Live

            self._console = Console(file=self._out)
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
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
        if self._live is None or now - self._drawn < _EVERY:
            return
        shown = {**self._logs, "loss": logs["loss"]}
        total = state.samples_an_epoch
        part = min(1.0, logs["samples"] / total) if total else 0.0
        self._draw(state, state.epoch + part, shown)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        self._logs = {name: value for name, value in logs.items() if name not in ("learning_rate", "seconds")}
        if self._live is None:
            line = f"epoch {epoch}/{state.epochs}  {self._numbers(self._logs)}  {_count(self._rate)} samples/s"
            self._print(f"{line}  {logs['seconds']:.2f} s")
        elif time.perf_counter() - self._drawn >= _EVERY:
            self._draw(state, epoch, self._logs)

    def on_fit_end(self, state: FitState) -> None:
        self.close()
        seconds = time.perf_counter() - self._started
        history = state.history
        if history.interrupted:
            self._print(f"Interrupted after epoch {state.epoch} of {state.epochs}; what was learned so far is kept.")
        elif self._console is not None and history.epochs:
            done = len(history.epochs) if not self._first else state.epoch - self._first
            line = f"epoch {state.epoch}/{state.epochs}  {self._numbers(self._logs)}  {_count(self._rate)} samples/s"
            self._print(f"{line}  {done} epochs in {_time(seconds)}")

    def close(self) -> None:
        """Takes the live line away; also called when a fit ends with an error."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # ------------------------------------------------------------ text

    def _print(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()

    def _draw(self, state: FitState, epochs_done: float, shown: dict[str, float]) -> None:
        from rich.text import Text

        self._drawn = time.perf_counter()
        total = state.epochs - self._first
        share = min(1.0, (epochs_done - self._first) / max(total, 1))
        seconds = self._drawn - self._started
        left = seconds / share - seconds if share > 0 else 0.0
        full = round(share * _BAR)
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"epoch {min(int(epochs_done) + 1, state.epochs)}/{state.epochs} ", style="bold")
        line.append("━" * full, style="cyan").append("━" * (_BAR - full), style="dim")
        line.append(f"  {self._numbers(shown)}  {_count(self._rate)} samples/s  {_time(left)} left")
        self._live.update(line, refresh=True)

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
