"""The loop that runs a plan: a table of calls for each thread, step after step, without coming back to Python."""

from __future__ import annotations

from numba import cfunc, njit, types

from .intrinsics import atomic_add, atomic_load, atomic_store, call4, pause, set_word, word

#: Words of a table's row: function (0: barrier), four arguments.
ROW_WORDS = 5
#: Words of the shared block, and of each thread's part after it.
SHARED_WORDS, THREAD_WORDS = 24, 8
#: Looks at the barrier before a waiting thread offers its processor to others (some 20 microseconds).
PATIENCE = 1000


@njit(error_model="numpy")
def _wait(shared, threads, sched_yield):
    """Waits until all threads have come here. Arrivals and generation lie on cache lines of their own.

    A thread that waits long gives its processor up: when other programs keep a core busy, the thread that is waited for may
    need just this one. OpenMP's own barrier would spin for milliseconds.
    """
    arrived, generation = shared + 64, shared + 128
    current = atomic_load(generation)
    if atomic_add(arrived, 1) == threads - 1:
        atomic_store(arrived, 0)
        atomic_store(generation, current + 1)
        return
    looks = 0
    while atomic_load(generation) == current:
        pause()
        looks += 1
        if looks > PATIENCE:
            call4(sched_yield, 0, 0, 0, 0)


@cfunc(types.int32(types.int64), error_model="numpy")
def run_thread(shared):
    """One thread's share of all steps. The function that GOMP_parallel starts in every thread.

    shared: 0 steps, 1 number of the first step, 2 threads, 3 omp_get_thread_num, 4 sched_yield, 5 any error,
    8 arrivals and 16 generation of the barrier
    then for each thread: 0 its table, 1 rows, 2 its cell (step of this call, step of all), 3 first error: row + 1, 4 status
    """
    steps, first, threads = word(shared, 0), word(shared, 1), word(shared, 2)
    number, sched_yield = word(shared, 3), word(shared, 4)
    me = types.int64(call4(number, 0, 0, 0, 0)) if threads > 1 else types.int64(0)
    own = shared + 8 * (SHARED_WORDS + THREAD_WORDS * me)
    table, rows, cell = word(own, 0), word(own, 1), word(own, 2)
    for step in range(steps):
        set_word(cell, 0, step)
        set_word(cell, 1, first + step)
        at = table
        for row in range(rows):
            function = word(at, 0)
            if function == 0:
                _wait(shared, threads, sched_yield)
            else:
                status = call4(function, word(at, 1), word(at, 2), word(at, 3), word(at, 4))
                # A failed call must not leave the other threads waiting at a barrier: note it and go on.
                if status != 0 and word(own, 3) == 0:
                    set_word(own, 3, row + 1)
                    set_word(own, 4, types.int64(status))
                    set_word(shared, 5, 1)
            at += 8 * ROW_WORDS
    if threads > 1:
        # All leave together, so that nobody spins at the end of OpenMP's region.
        _wait(shared, threads, sched_yield)
    return 0
