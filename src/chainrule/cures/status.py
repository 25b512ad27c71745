"""What a cure says while it runs, and how long its parts take."""

from __future__ import annotations

import time

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
    """Says on a terminal what is being done. Parameters  verbose : 0 says nothing"""

    def __init__(self, verbose: int) -> None:
        from rich.console import Console

        self.console = Console(stderr=True) if verbose else None
        terminal = self.console is not None and self.console.is_terminal
        self.status = self.console.status("") if self.console is not None and terminal else None

    def announce(self, text: str) -> None:
        """A line that stays, on a terminal or not."""
        if self.console is not None:
            self.console.print(f"cure: {text}.", highlight=False)

    def say(self, text: str) -> None:
        """Shows, on a terminal, what is being done now."""
        if self.status is not None:
            self.status.update(f"cure: {text}")

    def __enter__(self) -> Status:
        if self.status is not None:
            self.status.start()
        return self

    def __exit__(self, *details: object) -> None:
        if self.status is not None:
            self.status.stop()
