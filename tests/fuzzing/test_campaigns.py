"""Short runs of kills while saving, signals during fits and hostile arguments, and proof that faults are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals of POSIX")

FOLDER = Path(__file__).parent
NAMES = ["model", "estimator", "checkpoint"], ["network", "early-stopping", "estimator", "checkpoint"]
CAMPAIGNS = [f"kill-{name}" for name in NAMES[0]] + [f"interrupt-{name}" for name in NAMES[1]]


def python(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """A process of one thread, as forks need it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(FOLDER), *sys.path])}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )


@pytest.mark.slow
def test_hostile_arguments_are_refused_by_one_message() -> None:
    done = python(str(FOLDER / "fuzz.py"), "hostile-arguments", "--rounds", "600")
    assert done.returncode == 0 and "60 trials, 0 faults" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_kills_and_signals_at_any_moment_leave_everything_whole() -> None:
    done = python(str(FOLDER / "fuzz.py"), *CAMPAIGNS, "--rounds", "50")
    assert done.returncode == 0 and done.stdout.count("5 trials, 0 faults") == len(CAMPAIGNS), done.stdout + done.stderr


BROKEN_SAVES = """
import sys, time
from pathlib import Path
from interrupts import kill_while_saving
place = Path(sys.argv[1]) / "a"

def half():
    place.write_text("half")
    time.sleep(60)

def stray():
    (place.parent / ".a.part").write_text("x")
    time.sleep(60)

def fails():
    raise ValueError

def good():
    time.sleep(60)

def check():
    content = place.read_text() if place.exists() else ""
    place.write_text("good")
    return None if content in ("good", "") else f"found {content!r}"

sys.stderr = None
for save in (good, half, fails, stray):
    print(kill_while_saving(save, check, place.parent, 0.3))
"""


@pytest.mark.slow
def test_what_a_kill_breaks_is_found(tmp_path: Path) -> None:
    done = python("-c", BROKEN_SAVES, str(tmp_path))
    assert done.stdout.splitlines() == [
        "None",
        "found 'half'",
        "the process that saves ended by itself, with 256",
        "left unfinished after the next save: ['.a.part']",
    ], done


BROKEN_FITS = """
import signal, time
import interrupts
from interrupts import Sender, interrupt
interrupts.PATIENCE = 3.0
INT, TERM = signal.SIGINT, signal.SIGTERM

def good():
    time.sleep(60)

def loses():
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(60)

def ends():
    pass

def fails():
    raise ValueError("x")

def keeps_a_handler():
    signal.signal(INT, lambda *a: ended.append(1))
    while not ended:
        time.sleep(0.01)

def takes_sigterm():
    signal.signal(INT, signal.default_int_handler)
    signal.signal(TERM, lambda *a: ended.append(1))
    while not ended:
        time.sleep(0.01)
    signal.signal(TERM, signal.SIG_DFL)

with Sender() as sender:
    for fit, number in ((good, INT), (loses, INT), (ends, INT), (fails, 0), (keeps_a_handler, INT), (takes_sigterm, TERM)):
        ended = []
        print(interrupt(lambda trigger: (trigger.on_fit_begin(None), fit()), number, 0.3, sender, early=False))
"""


@pytest.mark.slow
def test_what_a_signal_breaks_is_found() -> None:
    done = python("-c", BROKEN_FITS)
    assert done.stdout.splitlines() == [
        "None",
        "the signal was lost: the fit went on",
        "the fit returned before the signal came",
        "the fit ended with ValueError: x",
        "the handler of signal 2 is another than before",
        "after the signal 15 the fit returned",
    ], done
