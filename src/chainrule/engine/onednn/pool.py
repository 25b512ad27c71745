"""The threads that share the steps of plans, and the blocks through which they are given work; see kernels/runner.py."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ...ops.memory import aligned_zeros
from .library import FUTEX, Library, threads_can_wait

#: Layout of a job; see kernels/runner.py.
JOB_WORDS, PART_WORDS, ROW_WORDS = 32, 8, 5
#: Signals that can come at any moment, for which products may not be interrupted; see kernels/runner.py.
_SIGNALS = signal.valid_signals() - {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}


class Pool:
    """Worker threads of this process. They spin for half a millisecond after a job, then sleep until the next."""

    def __init__(self, library: Library, kernels: Mapping[str, int]) -> None:
        if not threads_can_wait():
            raise EngineError(f"threads are not supported on {platform.platform()}; use threads=1.")
        self.kernels, self.library = kernels, library
        self.block: NDArray[np.int64] = aligned_zeros(32, np.int64)
        self.block[24:27] = [library.address("syscall"), FUTEX[platform.machine()], library.address("omp_set_num_threads")]
        self.address = int(self.block.ctypes.data)
        self.control = (ctypes.c_int64 * 32).from_address(self.address)
        self.workers: list[NDArray[np.int64]] = []
        self.lock = threading.Lock()

    def need(self, count: int) -> None:
        """Makes sure that there are ``count`` workers. Fewer, where the system gives no more, only means slower."""
        with self.lock:
            while len(self.workers) < count:
                own = aligned_zeros(8, np.int64)
                own[:2] = [self.address, len(self.workers) + 1]
                handle = ctypes.c_ulong()
                create = self.library.c.pthread_create
                create.argtypes = [ctypes.c_void_p] * 4
                start = ctypes.c_void_p(self.kernels["work_forever"])
                # A new thread holds back the signals that the one that makes it does.
                before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
                try:
                    failed = create(ctypes.byref(handle), None, start, ctypes.c_void_p(int(own.ctypes.data)))
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                if failed:
                    return
                self.library.c.pthread_detach.argtypes = [ctypes.c_ulong]
                self.library.c.pthread_detach(handle)
                self.workers.append(own)


def _signal_set() -> NDArray[np.int64]:
    """The signals to hold back as the C library's set of 1024 bits."""
    bits = np.zeros(1024, np.uint8)
    bits[[int(number) - 1 for number in _SIGNALS]] = 1
    return np.packbits(bits, bitorder="little").view(np.int64)


_held_back = _signal_set()
_pool: Pool | None = None
_making = threading.Lock()
#: Blocks of jobs that are over, by their length. They are never given back to the system, because a worker that comes late
#: may still look at one.
_spare: dict[int, list[NDArray[np.int64]]] = {}


def pool(library: Library, kernels: Mapping[str, int], workers: int) -> Pool:
    """The process's pool with at least this many workers."""
    global _pool
    with _making:
        if _pool is None:
            _pool = Pool(library, kernels)
        _pool.need(workers)
        return _pool


class Job:
    """The block of one stretch of a plan.

    Parameters  parts : into which each phase is divided ; phases : of a step
    """

    def __init__(self, library: Library, kernels: Mapping[str, int], parts: int, phases: int) -> None:
        length = JOB_WORDS + PART_WORDS * parts
        spare = _spare.get(length)
        self.words = spare.pop() if spare else aligned_zeros(length, np.int64)
        self.words[:24] = 0
        self.words[JOB_WORDS:] = 0
        names = ("omp_set_num_threads", "sched_yield", "omp_get_max_threads")
        set_threads, sched_yield, get_threads = (library.address(n) for n in names)
        self.words[2:8] = [parts, set_threads, sched_yield, 0, phases, get_threads]
        self._held_before = np.zeros_like(_held_back)
        sets = [int(_held_back.ctypes.data), int(self._held_before.ctypes.data)]
        self.words[18:23] = [library.address("pthread_sigmask"), *sets, int(signal.SIG_BLOCK), int(signal.SIG_SETMASK)]
        self.parts, self.process = parts, os.getpid()
        self.address = int(self.words.ctypes.data)
        self.control: Any = (ctypes.c_int64 * length).from_address(self.address)
        self.pool = pool(library, kernels, parts - 1) if parts > 1 else None
        self._pool_address = self.pool.address if self.pool is not None else 0
        self._run = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64)(kernels["run_job"])

    def set_part(self, part: int, phases: int, cell: int) -> None:
        """Where the part's phases and its cell are."""
        at = JOB_WORDS + PART_WORDS * part
        self.words[at : at + 2] = [phases, cell]

    def run(self, steps: int, first: int) -> None:
        """Runs steps; EngineError when a kernel failed."""
        control = self.control
        control[0], control[1] = steps, first
        self._run(self.address, self._pool_address)
        if control[5]:
            control[5] = 0
            for part in range(self.parts):
                at = JOB_WORDS + PART_WORDS * part
                row, status = control[at + 3], control[at + 4]
                control[at + 3] = 0
                if row:
                    raise EngineError(f"a kernel of the plan failed (row {row - 1} of part {part}, status {status}).")

    def close(self) -> None:
        """Waits until no worker looks at the job's tables, then gives its block back for other jobs."""
        if self.pool is not None and self.process == os.getpid():
            # Changing the job and looking for workers inside are in this order in the worker, too.
            if self.pool.control[8] == self.address:
                self.pool.control[8] = 0
            time.sleep(0)
            while self.control[24]:
                time.sleep(0)
            _spare.setdefault(len(self.words), []).append(self.words)
            self.pool = None

    def __del__(self) -> None:
        self.close()
