"""The loop that runs a plan: tables of calls, step after step, without coming back to Python.

A step is divided into phases, and a phase into as many parts as there are threads. The parts of a phase may run at the same
time; a phase begins when all parts of the one before are done. Every thread has a part of its own, but does that of another
when it finds it not begun: when other programs keep a core busy, the thread that is missing is not waited for. What is
computed does not depend on who computes it, since the parts are fixed.
"""

from __future__ import annotations

from numba import cfunc, njit, types

from .intrinsics import atomic_add, atomic_claim, atomic_load, call4, pause, set_word, word

#: Words of a table's row: function, four arguments.
ROW_WORDS = 5
#: Words of the shared block, and of each part's block after it. They fill cache lines of their own.
SHARED_WORDS, PART_WORDS = 24, 8
#: Looks at a phase that is not done before a thread does another's part (about 2 microseconds) ...
COURTESY = 64
#: ... and before it offers its processor to whoever holds the part that is missing (about 20).
PATIENCE = 1000


@njit(error_model="numpy")
def _run(shared, own, phase, step):
    """The rows of one part of one phase."""
    phases, cell = word(own, 0), word(own, 1)
    at, rows = word(phases, 2 * phase), word(phases, 2 * phase + 1)
    if phase == 0:
        set_word(cell, 0, step)
        set_word(cell, 1, word(shared, 1) + step)
    for row in range(rows):
        status = call4(word(at, 0), word(at, 1), word(at, 2), word(at, 3), word(at, 4))
        # A failed call must not leave other threads waiting: note it and go on.
        if status != 0 and word(own, 3) == 0:
            set_word(own, 3, row + 1)
            set_word(own, 4, types.int64(status))
            set_word(shared, 5, 1)
        at += 8 * ROW_WORDS


@cfunc(types.int32(types.int64), error_model="numpy")
def run_thread(shared):
    """One thread's share of all steps. The function that GOMP_parallel starts in every thread.

    shared: 0 steps, 1 number of the first step, 2 parts, 3 omp_get_thread_num, 4 sched_yield, 5 any error, 6 phases of a
    step, 8 parts done so far
    then for each part: 0 address and number of rows of its phases, 1 its cell (step of this call, step of all), 2 the phase
    that nobody has begun yet, 3 first error: row + 1, 4 status
    """
    steps, parts, phases, sched_yield = word(shared, 0), word(shared, 2), word(shared, 6), word(shared, 4)
    first = shared + 8 * SHARED_WORDS
    if parts == 1:
        for step in range(steps):
            _run(shared, first, 0, step)
        return 0
    me = types.int64(call4(word(shared, 3), 0, 0, 0, 0))
    done, total = shared + 64, steps * phases
    now = 0
    while now < total:
        step, phase = now // phases, now % phases
        looks = 0
        while atomic_load(done) < (now + 1) * parts:
            # Its own part first, then, after a moment, any that nobody has begun.
            for other in range(parts if looks >= COURTESY else 1):
                own = first + 8 * PART_WORDS * ((me + other) % parts)
                if atomic_load(own + 16) == now and atomic_claim(own + 16, now, now + 1):
                    _run(shared, own, phase, step)
                    atomic_add(done, 1)
            pause()
            looks += 1
            if looks > PATIENCE:
                call4(sched_yield, 0, 0, 0, 0)
        now = max(now + 1, atomic_load(done) // parts)
    return 0
