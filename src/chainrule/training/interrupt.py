"""Ctrl-C and SIGTERM during a fit: never in the middle of a step, and never lost."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class InterruptGuard:
    """Turns Ctrl-C (SIGINT) and SIGTERM into a KeyboardInterrupt at a place where a fit can end well.

    While ``busy`` is true, the engine works, and the first signal is only noted (``pending``), so that no step is left half
    done. So it is while an object is being freed, since Python throws away every exception that is raised there. Otherwise a
    KeyboardInterrupt is raised at once; it stays noted until ``handled`` is called, since it may still be thrown away where
    Python runs code of its own (callbacks of weak references, generators that are freed).

    A second Ctrl-C is raised at once in any case; a second SIGTERM ends the process, as SIGTERM does everywhere else.

    Outside the main thread, and for a signal that the program handles itself, nothing is changed.
    """

    def __init__(self) -> None:
        self.busy = False
        self.pending = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) is usual:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        first, self.pending = not self.pending, True
        if number == signal.SIGTERM and not first:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if (first and self.busy) or _frees_an_object(frame):
            return
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raises the KeyboardInterrupt of a signal that was noted."""
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def handled(self) -> None:
        """To be called when the KeyboardInterrupt has arrived."""
        self.pending = False


def _frees_an_object(frame: FrameType | None) -> bool:
    """Whether the code that runs was called to free an object."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
