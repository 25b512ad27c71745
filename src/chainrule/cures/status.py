"""What a cure says while it runs, and how long its parts take."""

from __future__ import annotations

import sys
import time

from ..training.progress import LiveLine, live_line

__all__ = ["Clock", "Status"]


class Clock:
    """Measures how long the parts of a cure take, one after the other.

    Parameters  started : when the first one began, by time.perf_counter
    Attributes  parts : {part: seconds} ; last : when the last part ended
    """

    def __init__(self, started: float) -> None:
        self.last, self.parts = started, dict.fromkeys(("diagnosis", "trials", "final training"), 0.0)

    def done(self, part: str) -> None:
        """Notes that a part has ended."""
        now = time.perf_counter()
        self.parts[part] += now - self.last
        self.last = now


class Status:
    """Says what is being done: in one line that is updated in place, and in lines that stay, on standard error.

    Parameters  verbose : 0 says nothing
    """

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        self._line: LiveLine | None = None

    def announce(self, text: str) -> None:
        """A line that stays."""
        if self.verbose:
            if self._line is not None:
                self._line.end("")
            print(f"cure: {text}.", file=sys.stderr, flush=True)
            self._line = live_line(sys.stderr)

    def say(self, text: str) -> None:
        """Shows what is being done now, where a line can be updated."""
        if self._line is not None:
            self._line.draw("cure:", None, text)

    def __enter__(self) -> Status:
        self._line = live_line(sys.stderr) if self.verbose else None
        return self

    def __exit__(self, *details: object) -> None:
        if self._line is not None:
            self._line.end("")
            self._line = None
