"""A process that measures one cell: one library on one workload. It obeys lines of JSON and answers each with one.

    {"do": "open", "kind": "training", "peer": "torch", "variant": "", "workload": 3, "threads": 2}
    {"do": "measure", "seconds": 0.2}         {"samples": [seconds a step, ...]}

Between two commands it sleeps, so that several can stand ready and take turns: what disturbs the machine for a while
disturbs all libraries alike. Kinds are "training", "prediction", "fit", "memory" and "peak".
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import numpy as np

from . import workloads as W
from .peers import load
from .peers.base import Peer

#: Seconds that one sample should last: the clock and the call then cost nothing, and a pause spoils few of them.
SAMPLE = 0.005
#: Seconds of steps before the first sample.
WARM_UP = 0.1
_SETTLE = 0.02


class Cell:
    """What stands ready to be timed: ``run(n)`` makes n steps."""

    def __init__(self, run: Any, unit: int) -> None:
        self.run, self.unit = run, unit
        begun, done = time.perf_counter(), 0
        while done < 3 or time.perf_counter() - begun < WARM_UP:
            run(unit)
            done += 1
        begun = time.perf_counter()
        run(unit)
        self.steps = unit * max(1, round(SAMPLE / max(time.perf_counter() - begun, 1e-7)))
        run(self.steps)

    def measure(self, seconds: float) -> list[float]:
        """Seconds a step, of as many samples as fit."""
        time.sleep(_SETTLE)  # threads of the process before may still spin
        self.run(self.unit)
        found: list[float] = []
        stop = time.perf_counter() + seconds
        while not found or time.perf_counter() < stop:
            begun = time.perf_counter()
            self.run(self.steps)
            found.append((time.perf_counter() - begun) / self.steps)
        return found


def open_training(peer: Peer, workload: W.Workload) -> tuple[Cell, dict[str, Any]]:
    begun = time.perf_counter()
    training = peer.training(workload)
    losses = training.losses(W.CHECKED_STEPS)
    setup = time.perf_counter() - begun
    return Cell(training.run, W.BATCHES), {"check": losses, "setup_s": setup}


def open_prediction(peer: Peer, workload: W.Workload) -> tuple[Cell, dict[str, Any]]:
    xs = [x for x, _ in W.batches(workload)]
    begun = time.perf_counter()
    predict = peer.predictor(workload)
    outputs = np.asarray(predict(xs[0]), np.float64)
    setup = time.perf_counter() - begun
    at = 0

    def run(n: int) -> None:
        nonlocal at
        for _ in range(n):
            predict(xs[at % len(xs)])
            at += 1

    return Cell(run, 1), {"check": _difference(outputs, workload, peer.probabilities), "setup_s": setup}


def _difference(outputs: Any, workload: W.Workload, probabilities: bool) -> float:
    """How far the outputs are off, relative to the largest."""
    wanted = W.expected_outputs(workload)
    if probabilities:
        e = np.exp(wanted - wanted.max(axis=1, keepdims=True))
        wanted = e / e.sum(axis=1, keepdims=True)
    return float(np.abs(outputs - wanted).max() / np.abs(wanted).max())


def fit(command: dict[str, Any]) -> dict[str, Any]:
    """One fit from the start of this process, then some more."""
    with np.load(command["data"]) as file:
        arrays = {name: file[name] for name in file.files}
    begun = time.perf_counter()
    peer = load(command["peer"])(command["threads"], command["variant"])
    imported = time.perf_counter()
    predict = peer.fit(W.FIT, arrays["x"], arrays["y"])
    ended, first = time.time(), time.perf_counter() - imported
    accuracy, warm = [_accuracy(predict, arrays)], []
    for _ in range(command["repeats"]):
        begun_fit = time.perf_counter()
        predict = peer.fit(W.FIT, arrays["x"], arrays["y"])
        warm.append(time.perf_counter() - begun_fit)
        accuracy.append(_accuracy(predict, arrays))
    return {"ended": ended, "import_s": imported - begun, "first_s": first, "warm_s": warm, "accuracy": accuracy}


def _accuracy(predict: Any, arrays: dict[str, Any]) -> float:
    return float((np.asarray(predict(arrays["x_test"])) == arrays["y_test"]).mean())


def memory(command: dict[str, Any]) -> dict[str, Any]:
    """Megabytes: of the process with NumPy alone, after the import, and at most in training."""
    base = _peak_memory_mb()
    peer = load(command["peer"])(command["threads"], command["variant"])
    imported = _peak_memory_mb()
    training = peer.training(W.MEMORY)
    training.losses(W.CHECKED_STEPS)
    training.run(4 * W.BATCHES)
    return {"base_mb": base, "import_mb": imported, "training_mb": _peak_memory_mb()}


def _peak_memory_mb() -> float:
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    # Libraries print what they like: answers go to the true standard output, all else to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cell: Cell | None = None
    peak: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "measure" and peak is not None:
                answer: dict[str, Any] = {"gflops": peak.gflops()}
            elif command["do"] == "measure":
                assert cell is not None
                answer = {"samples": cell.measure(command["seconds"])}
            elif command["kind"] == "fit":
                answer = fit(command)
            elif command["kind"] == "memory":
                answer = memory(command)
            elif command["kind"] == "peak":
                from .peers.chainrule_ import Peak

                peak = Peak(command["threads"])
                answer = {"gflops": peak.gflops(), "engine": peak.engine}
            else:
                peer = load(command["peer"])(command["threads"], command["variant"])
                workload = W.WORKLOADS[command["workload"]]
                opened = open_training if command["kind"] == "training" else open_prediction
                cell, answer = opened(peer, workload)
        except Exception as error:  # the run goes on with the other cells
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
