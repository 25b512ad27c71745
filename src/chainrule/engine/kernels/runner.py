"""The loop that runs a plan: tables of calls, step after step, without coming back to Python; and the threads that share it.

A step is divided into phases, and a phase into as many parts as there are threads. The parts of a phase may run at the same
time; a phase begins when all parts of the one before are done. Every thread has a part of its own, but does that of another
when it finds it not begun: when other programs keep a core busy, the thread that is missing is not waited for. What is
computed does not depend on who computes it, since the parts are fixed.

The blocks, in 64-bit words
    job      0 steps, 1 number of the first step, 2 parts, 3 omp_set_num_threads, 4 sched_yield, 5 any error,
             6 phases of a step, 7 omp_get_max_threads ; 8 parts done, ever ; 16 limit: phases to do, ever,
             17 phase at which this run began, 18 pthread_sigmask, 19 signals to hold back, 20 place for those held back
             before, 21 SIG_BLOCK, 22 SIG_SETMASK ; 24 workers inside ; then for each part: 0 address and number of rows of
             its phases, 1 its cell (step of this run, step of all), 2 the phase that nobody has begun,
             3 first error: row + 1, 4 status
    pool     0 number of the last job ; 8 the job ; 16 workers asleep ; 24 syscall, 25 number of futex,
             26 omp_set_num_threads
    worker   0 pool, 1 its number from 1

"Ever" means that counters go on from run to run and are never set back, so a worker that comes late finds nothing to do,
or joins what runs now, and never has to be waited for.
"""

from __future__ import annotations

from numba import cfunc, njit, types

from .intrinsics import atomic_add, atomic_claim, atomic_load, atomic_store, call4, call6, pause, set_word, word

#: Words of a table's row: function, four arguments.
ROW_WORDS = 5
#: Words of a job before its parts, and of each part: whole cache lines.
JOB_WORDS, PART_WORDS = 32, 8
#: Looks at a phase that is not done before a thread does another's part (about 2 microseconds) ...
COURTESY = 64
#: ... and before it offers its processor to whoever holds the part that is missing (about 20).
PATIENCE = 1000
#: Looks of an idle worker for a new job before it goes to sleep (about half a millisecond).
IDLE = 20000

_FUTEX_WAIT, _FUTEX_WAKE = 128, 129


@njit(error_model="numpy")
def _run(job, own, phase, step):
    """The rows of one part of one phase."""
    phases, cell = word(own, 0), word(own, 1)
    at, rows = word(phases, 2 * phase), word(phases, 2 * phase + 1)
    if phase == 0:
        set_word(cell, 0, step)
        set_word(cell, 1, word(job, 1) + step)
    for row in range(rows):
        status = call4(word(at, 0), word(at, 1), word(at, 2), word(at, 3), word(at, 4))
        # A failed call must not leave other threads waiting: note it and go on.
        if status != 0 and word(own, 3) == 0:
            set_word(own, 3, row + 1)
            set_word(own, 4, types.int64(status))
            set_word(job, 5, 1)
        at += 8 * ROW_WORDS


@njit(error_model="numpy")
def _work(job, me):
    """Does parts of a job until all its phases are done."""
    parts, phases = word(job, 2), word(job, 6)
    done, limit, first = job + 64, job + 128, job + 8 * JOB_WORDS
    looks, last = 0, types.int64(-1)
    while True:
        now = atomic_load(done) // parts
        if now >= atomic_load(limit):
            return
        if now != last:
            looks, last = 0, now
        found = False
        # Its own part first, then, after a moment, any that nobody has begun.
        for other in range(parts if looks >= COURTESY else 1):
            own = first + 8 * PART_WORDS * ((me + other) % parts)
            if not found and atomic_load(own + 16) == now and atomic_claim(own + 16, now, now + 1):
                since = now - word(job, 17)
                _run(job, own, since % phases, since // phases)
                atomic_add(done, 1)
                found = True
        if not found:
            pause()
            looks += 1
            if looks > PATIENCE:
                call4(word(job, 4), 0, 0, 0, 0)


@cfunc(types.int32(types.int64, types.int64), error_model="numpy")
def run_job(job, pool):
    """Runs all steps of a job, with the help of the pool's workers (pool 0: alone).

    Signals wait until it is over: oneDNN's sgemm uses the stack pointer for other things, and a signal that comes then, such
    as Ctrl-C, would be written over whatever memory it points at. The workers hold all signals back from their start.
    """
    call4(word(job, 18), word(job, 21), word(job, 19), word(job, 20), 0)
    # oneDNN's products are divided by the plan, not again by oneDNN.
    before = types.int64(call4(word(job, 7), 0, 0, 0, 0))
    if before != 1:
        call4(word(job, 3), 1, 0, 0, 0)
    steps, phases = word(job, 0), word(job, 6)
    if pool == 0:
        for step in range(steps):
            for phase in range(phases):
                _run(job, job + 8 * JOB_WORDS, phase, step)
    else:
        base = word(job, 16)
        set_word(job, 17, base)
        atomic_store(job + 128, base + steps * phases)
        atomic_store(pool + 64, job)
        atomic_add(pool, 1)
        if atomic_load(pool + 128) > 0:
            call6(word(pool, 24), word(pool, 25), pool, _FUTEX_WAKE, word(job, 2) - 1, 0, 0)
        _work(job, types.int64(0))
    if before != 1:
        call4(word(job, 3), before, 0, 0, 0)
    call4(word(job, 18), word(job, 22), word(job, 20), 0, 0)
    return 0


@cfunc(types.int64(types.int64), error_model="numpy")
def work_forever(own):
    """A worker: looks for jobs, first eagerly, then asleep. The function that pthread_create starts."""
    pool, me = word(own, 0), word(own, 1)
    call4(word(pool, 26), 1, 0, 0, 0)
    seen, looks = types.int64(0), 0
    while True:
        number = atomic_load(pool)
        if number == seen:
            looks += 1
            pause()
            if looks > IDLE:
                atomic_add(pool + 128, 1)
                # The kernel compares the low 32 bits with what was seen, so a job that came just now is not slept through.
                call6(word(pool, 24), word(pool, 25), pool, _FUTEX_WAIT, number & 0xFFFFFFFF, 0, 0)
                atomic_add(pool + 128, -1)
                looks = 0
            continue
        seen, looks = number, 0
        job = atomic_load(pool + 64)
        if job == 0:
            continue
        inside = job + 192
        atomic_add(inside, 1)
        # Whoever takes a job away changes the pool's job first and then waits until nobody is inside.
        if atomic_load(pool + 64) == job:
            _work(job, me)
        atomic_add(inside, -1)
    return types.int64(0)
