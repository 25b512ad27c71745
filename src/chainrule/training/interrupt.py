"""Ctrl-C during a fit: never in the middle of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class InterruptGuard:
    """Puts off Ctrl-C while the engine works, so that no step is left half done.

    While ``busy`` is true, the first Ctrl-C is only noted (``pending``); a second one, or one while nothing runs, raises
    KeyboardInterrupt at once. Outside the main thread, or where the program handles the signal itself, nothing is changed.
    """

    def __init__(self) -> None:
        self.busy = False
        self.pending = False
        self._before: Any = None

    def __enter__(self) -> InterruptGuard:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.busy and not self.pending:
            self.pending = True
            return
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raises the KeyboardInterrupt that was put off."""
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt
