"""Live progress of a fit for the command line: a table of epochs that grows, and below it a bar with the time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..training.callbacks import Callback, Logs
from .console import is_terminal, out, size

if TYPE_CHECKING:
    from ..training import FitState

#: Seconds between two drawings of the bar; rows of a fit that is not verbose; seconds without a row after which one comes.
_EVERY, _ROWS, _LONGEST = 0.08, 10, 2.0


class ProgressTable(Callback):
    """Prints a row for some of the epochs, or all of them, and on a terminal a bar for the epoch that runs.

    Parameters  every_epoch : a row for each epoch, else about ten in all, more for slow epochs
    """

    on_every_rank = False
    changes_weights = False

    def __init__(self, *, every_epoch: bool = False) -> None:
        self.every_epoch = every_epoch

    def on_fit_begin(self, state: FitState) -> None:
        self._console = out()
        self._live: Any = None
        if is_terminal():
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._started = self._row_at = time.perf_counter()
        self._first_done: float | None = None
        self._drawn = 0.0
        self._epoch = self._last_row = 0
        self._since_row = (0.0, 0.0)  # samples and seconds of training, so that the rate is a mean and does not flicker
        self._now = (0.0, 0.0)
        self._rate = 0.0
        self._logs: dict[str, float] = {}
        self._widths: dict[str, int] = {}

    def on_batch_chunk_end(self, state: FitState, logs: Logs) -> None:
        self._now = (logs["samples"], logs["seconds"])
        self._rate = (self._since_row[0] + self._now[0]) / max(self._since_row[1] + self._now[1], 1e-9)
        total = state.samples_an_epoch
        self._draw(state, state.epoch + (min(1.0, logs["samples"] / total) if total else 0.0), logs["loss"])

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        self._epoch = epoch
        if self._first_done is None:
            self._first_done = time.perf_counter()
        self._since_row = (self._since_row[0] + self._now[0], self._since_row[1] + self._now[1])
        self._now = (0.0, 0.0)
        self._logs = {name: value for name, value in logs.items() if name not in ("learning_rate", "seconds")}
        due = epoch == 1 or epoch >= self._last_row + max(1, state.epochs // _ROWS) or epoch == state.epochs
        if self.every_epoch or due or time.perf_counter() - self._row_at > _LONGEST:
            self._row(state, epoch)
        self._draw(state, epoch, logs["loss"])

    def on_fit_end(self, state: FitState) -> None:
        if self._epoch > self._last_row:
            self._row(state, self._epoch)
        self.close()

    def close(self) -> None:
        """Takes the bar away; also called when a fit ends with an error."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    # ------------------------------------------------------------ text

    def _left(self, state: FitState, done: float) -> str:
        """The time left; not known before one epoch is done, which also prepares what all others use."""
        now = time.perf_counter()
        if self._first_done is not None and done > 1:
            return duration((now - self._first_done) / (done - 1) * (state.epochs - done))
        seconds = now - self._started
        return duration(seconds / done * (state.epochs - done)) if done > 0 and seconds > _LONGEST else "-"

    def _row(self, state: FitState, epoch: int) -> None:
        narrow = self._console.width < 76
        gap = 1 if narrow else 2
        if not self._widths:
            count = len(f"{state.epochs}") * 2 + 1
            self._widths = {"epoch": max(count, 5), **{name: max(len(name), 7) for name in self._logs}, "samples/s": 9}
            if not narrow:
                self._widths["time left"] = 9
            # What a narrow terminal has no room for is left out, the least important first.
            for name in ("samples/s", *(n for n in self._logs if not n.startswith("val_") and n != "loss"), "loss"):
                if sum(self._widths.values()) + gap * (len(self._widths) - 1) > self._console.width:
                    self._widths.pop(name, None)
            head = (" " * gap).join(name.rjust(width) for name, width in self._widths.items())
            self._console.print(head, style="bold", no_wrap=True, overflow="ellipsis", crop=True)
        cells = {"epoch": f"{epoch}/{state.epochs}", "samples/s": size(self._rate)}
        cells |= {name: f"{v:.4f}" if abs(v) < 100 else f"{v:.4g}" for name, v in self._logs.items()}
        cells["time left"] = self._left(state, epoch)
        line = (" " * gap).join(cells.get(name, "-").rjust(width) for name, width in self._widths.items())
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        self._last_row, self._row_at, self._since_row = epoch, time.perf_counter(), (0.0, 0.0)

    def _draw(self, state: FitState, done: float, loss: float) -> None:
        now = time.perf_counter()
        if self._live is None or now - self._drawn < _EVERY:
            return
        from rich.text import Text

        self._drawn = now
        share = min(1.0, done / max(state.epochs, 1))
        after = f"  loss {loss:.4f}  {size(self._rate)} samples/s  {self._left(state, done)} left"
        before = f"epoch {min(int(done) + 1, state.epochs)}/{state.epochs} "
        room = max(4, min(30, self._console.width - len(before) - len(after) - 1))
        full = round(share * room)
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(before, style="bold").append("━" * full, style="cyan").append("━" * (room - full), style="bright_black")
        self._live.update(line.append(after), refresh=True)


def duration(seconds: float) -> str:
    """A time for people: 0.4 s, 12 s, 3:05 min, 1:02:03 h."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
