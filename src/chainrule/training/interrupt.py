"""Ctrl-C and SIGTERM during a fit: never in the middle of a step, and never lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from ..errors import Terminated


class _Termination:
    """Whether SIGTERM came, and within how many calls that the process shall finish first. Of the main thread."""

    depth = 0
    requested = False


@contextmanager
def sigterm_at_end() -> Iterator[None]:
    """A block, or as a decorator a function, that is finished well before a SIGTERM ends the process.

    A fit that runs in it ends after its current step, as by Ctrl-C, and the code after the fit keeps what was learned. Where
    the outermost of such blocks ends, ``Terminated`` is raised: a SystemExit with the code 143, so that the process ends as
    one expects of SIGTERM, after its ``finally`` clauses, unless the caller catches it. A SIGTERM that comes while no fit
    runs raises Terminated at once; a second one ends the process.

    Outside the main thread, and in a program that handles SIGTERM itself, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if not _Termination.depth:
        _Termination.requested = False
    mine = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    _Termination.depth += 1
    try:
        if mine:
            signal.signal(signal.SIGTERM, _terminate)
        yield
    finally:
        _Termination.depth -= 1
        if mine:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if not _Termination.depth and _Termination.requested:
            _Termination.requested = False
            raise Terminated


def _terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM while no fit runs."""
    if _Termination.requested:
        _end_process(number)
    _Termination.requested = True
    if not _frees_an_object(frame):
        raise Terminated


def _end_process(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class InterruptGuard:
    """Turns Ctrl-C (SIGINT) and SIGTERM into a KeyboardInterrupt at a place where a fit can end well.

    While ``busy`` is true, the engine works, and the first signal is only noted (``pending``), so that no step is left half
    done. So it is while an object is being freed, since Python throws away every exception that is raised there. Otherwise a
    KeyboardInterrupt is raised at once; it stays noted until ``handled`` is called, since it may still be thrown away where
    Python runs code of its own (callbacks of weak references, generators that are freed).

    A second Ctrl-C is raised at once in any case; a second SIGTERM ends the process. After a SIGTERM the guard, or the
    ``sigterm_at_end`` around it, raises Terminated at its end.

    Outside the main thread, and for a signal that the program handles itself, nothing is changed.
    """

    def __init__(self) -> None:
        self.busy = False
        self.pending = False
        self._before: dict[int, Any] = {}
        self._scope: Any = None

    def __enter__(self) -> InterruptGuard:
        if threading.current_thread() is threading.main_thread():
            self._scope = sigterm_at_end()
            self._scope.__enter__()
            usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _terminate}
            for number, handler in usual.items():
                if signal.getsignal(number) is handler:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        if self._scope is not None:
            scope, self._scope = self._scope, None
            scope.__exit__(kind, error, trace)

    def _note(self, number: int, frame: FrameType | None) -> None:
        first, self.pending = not self.pending, True
        if number == signal.SIGTERM:
            if _Termination.requested:
                _end_process(number)
            _Termination.requested = True
        if (first and self.busy) or _frees_an_object(frame):
            return
        raise KeyboardInterrupt

    @property
    def terminated(self) -> bool:
        """Whether the process was asked to end, by SIGTERM."""
        return _Termination.requested

    def terminate(self) -> None:
        """Lets the process end after the fit, as SIGTERM does: another rank was asked to."""
        _Termination.requested = True

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
