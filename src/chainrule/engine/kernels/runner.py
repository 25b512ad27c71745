"""The loop that runs a plan: a table of calls for each thread, step after step, without coming back to Python."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"

from __future__ import annotations

from numba import cfunc, types

from .intrinsics import call4, set_word, word

#: Words of a table's row: function (0: barrier), four arguments.
ROW_WORDS = 5
#: Words of the shared block, and of each thread's part after it.
SHARED_WORDS, THREAD_WORDS = 8, 8


@cfunc(types.int32(types.int64), error_model="numpy")
def run_thread(shared):
    """One thread's share of all steps. The function that GOMP_parallel starts in every thread.

    shared: 0 steps, 1 number of the first step, 2 threads, 3 omp_get_thread_num, 4 GOMP_barrier
    then for each thread: 0 its table, 1 rows, 2 its cell (step of this call, step of all), 3 first error: row + 1, 4 status
    """
    steps, first, threads = word(shared, 0), word(shared, 1), word(shared, 2)
    number, barrier = word(shared, 3), word(shared, 4)
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
                call4(barrier, 0, 0, 0, 0)
            else:
                status = call4(function, word(at, 1), word(at, 2), word(at, 3), word(at, 4))
                # A failed call must not leave the other threads waiting at a barrier: note it and go on.
                if status != 0 and word(own, 3) == 0:
                    set_word(own, 3, row + 1)
                    set_word(own, 4, types.int64(status))
            at += 8 * ROW_WORDS
    return 0
