"""A signal during a fit (Ctrl-C, a profiler's timer, a resized window) must not touch what is computed, nor other memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chainrule.engine import get_engine
from chainrule.errors import EngineError

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)

# In a process of its own: before signals were held back, the heap was damaged and the process died.
PROGRAM = """
import signal, numpy as np
from chainrule import Dense, Network, ReLU

seen = 0
def count(number, frame):
    global seen
    seen += 1

def fit():
    X = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    net = Network([Dense(96), ReLU(), Dense(3)], random_state=0)
    net.fit(X, np.arange(2000) % 3, epochs=150, batch_size=500, threads={threads}, engine="onednn", verbose=0)
    return net.parameters.flat

calm = fit()
signal.signal(signal.SIGALRM, count)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
disturbed = fit()
signal.setitimer(signal.ITIMER_REAL, 0)
blocks = [np.zeros(n) for n in range(1, 3000, 7)]
assert seen > 0 and (calm == disturbed).all()
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_signals_do_not_disturb_a_fit(threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(threads=threads)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
