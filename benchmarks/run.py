"""Measures the cells: opens a process for each, lets those of one workload take turns, and collects what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from . import workloads as W
from .machine import describe, installed_mb
from .peers import installed, load

ROOT = Path(__file__).resolve().parent.parent
#: How often the processes of one workload take turns.
ROUNDS = 6
#: Seconds that a library may take to import, compile and answer.
PATIENCE = 300

Log = Callable[[str], None]
Row = dict[str, Any]


class Process:
    """One child. Its errors come back as answers {"error": ...}."""

    def __init__(self, peer: str, threads: int, *, timing: bool = True) -> None:
        env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        env |= {f"{k}_NUM_THREADS": str(threads) for k in ("OMP", "MKL", "OPENBLAS", "BLIS", "NUMBA")}
        if timing:
            env |= load(peer).environment
        env["PYTHONPATH"] = os.pathsep.join(p for p in (str(ROOT), *_extra_path(), env.get("PYTHONPATH")) if p)
        self.started = time.time()
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            preexec_fn=_limited_to(threads),
        )

    def ask(self, **command: Any) -> Row:
        import threading

        assert self.process.stdin is not None and self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watchdog.cancel()
        if line:
            answer: Row = json.loads(line)
            return answer
        code = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines()
        return {"error": f"the process ended with {code}: {said[-1] if said else 'no message'}"[:300]}

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def _extra_path() -> list[str]:
    """Where chainrule lies when it is not installed: the checkout."""
    import importlib.util

    return [] if importlib.util.find_spec("chainrule") else [str(ROOT / "src")]


def _limited_to(threads: int) -> Callable[[], None] | None:
    """Keeps a child on as many processors as it may have threads: some libraries take all they see."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpus = sorted(os.sched_getaffinity(0))
    return None if threads >= len(cpus) else lambda: os.sched_setaffinity(0, cpus[:threads])


def run(
    peers: Sequence[str], kinds: Iterable[str], *, budget: float, threads: int, match: str = "", log: Log = print
) -> Row:
    """All results as plain data.  Needs chainrule to be importable, from the checkout where it is not installed.

    Parameters
        peers : names, without chainrule ; kinds : "training", "prediction", "fit", "footprint"
        budget : seconds of timing for each cell ; threads : each library may use ; match : part of a workload's name
    """
    sys.path[:0] = _extra_path()
    names, kinds = ["chainrule", *peers], list(kinds)
    versions = {d: v for name in names for d, v in (installed(name) or {"chainrule": _own_version()}).items()}
    results: Row = {
        "machine": describe(threads),
        "versions": versions,
        "notes": {name: load(name).note for name in names},
        "budget_s": budget,
        "peak": {},
        "cells": [],
        "fit": [],
        "footprint": [],
    }
    timed = [(i, w) for i, w in enumerate(W.WORKLOADS) if w.kind in kinds and match.lower() in w.name.lower()]
    if timed:
        peak = _PeakMeter(threads)
        try:
            for i, workload in timed:
                log(workload.name)
                results["cells"] += _workload(i, workload, names, budget, threads, peak)
        finally:
            results["peak"] = peak.close()
    if "fit" in kinds and match.lower() in W.FIT.name.lower():
        log(W.FIT.name)
        results["fit"] = _fits([n for n in names if "fit" in load(n).kinds], budget, threads)
    if "footprint" in kinds and not match:
        log("import, memory and size")
        results["footprint"] = [_footprint(n, threads) for n in names if "footprint" in load(n).kinds]
    return results


def _own_version() -> str:
    import chainrule

    return chainrule.__version__


class _PeakMeter:
    """Measures the peak again and again, among the cells, and keeps the best: the machine may be busy at any one time."""

    def __init__(self, threads: int) -> None:
        self.process = Process("chainrule", threads)
        self.result = self.process.ask(do="open", kind="peak", threads=threads)
        self.seen = [self.result["gflops"]] if "gflops" in self.result else []

    def measure(self) -> None:
        if self.seen:
            self.seen.append(self.process.ask(do="measure").get("gflops", 0.0))

    def close(self) -> Row:
        self.process.close()
        return {**self.result, "gflops": max(self.seen), "median_gflops": median(self.seen)} if self.seen else self.result


# ---------------------------------------------------------------- steps and predictions


def _workload(
    number: int, workload: W.Workload, names: Sequence[str], budget: float, threads: int, peak: _PeakMeter
) -> list[Row]:
    cells = [
        (name, variant)
        for name in names
        if workload.kind in load(name).kinds
        for variant in load(name).variants(workload.kind, workload)
    ]
    rows, open_cells = [], []
    try:
        for name, variant in cells:
            process = Process(name, threads)
            answer = process.ask(do="open", kind=workload.kind, peer=name, variant=variant, workload=number, threads=threads)
            row: Row = {"workload": workload.name, "kind": workload.kind, "peer": name, "variant": variant, **answer}
            row["flops"] = workload.flops
            rows.append(row)
            if "error" in answer:
                process.close()
            else:
                open_cells.append((process, row, list[float]()))
        for turn in range(ROUNDS):
            peak.measure()
            for process, row, samples in open_cells if turn % 2 == 0 else open_cells[::-1]:
                answer = process.ask(do="measure", seconds=budget / ROUNDS)
                samples += answer.get("samples", [])
                row |= {key: answer[key] for key in answer if key == "error"}
    finally:
        for process, _, _ in open_cells:
            process.close()
    for _, row, samples in open_cells:
        if samples:
            row |= {"median_s": median(samples), "best_s": min(samples), "samples": len(samples)}
    _check(workload, rows)
    return rows


def _check(workload: W.Workload, rows: list[Row]) -> None:
    """Adds "off": how far each cell is from the numbers that every library must compute."""
    wanted = W.expected_losses(workload) if workload.kind == "training" else None
    for row in rows:
        if "check" not in row:
            continue
        if wanted is None:
            row["off"] = row["check"]
        else:
            row["off"] = max(abs(a - b) / abs(b) for a, b in zip(row["check"], wanted, strict=True))
        # NaN is not within the tolerance either.
        row["agrees"] = bool(row["off"] <= W.TOLERANCE[row["variant"] or "float32"])


# ---------------------------------------------------------------- whole fits


def _fits(names: Sequence[str], budget: float, threads: int) -> list[Row]:
    cells = [(name, variant) for name in names for variant in load(name).variants("fit")]
    turns = 3 if budget >= 0.5 else 1
    found: dict[tuple[str, str], list[Row]] = {cell: [] for cell in cells}
    with tempfile.TemporaryDirectory() as folder:
        data = _digits(Path(folder))
        if data is None:
            return [{"error": "the digits come with scikit-learn, which is not installed"}]
        for _ in range(turns):
            for name, variant in cells:
                with Process(name, threads) as process:
                    command = {"peer": name, "variant": variant, "data": str(data), "threads": threads, "repeats": 3}
                    answer = process.ask(do="open", kind="fit", **command)
                    if "ended" in answer:
                        answer["cold_s"] = answer.pop("ended") - process.started
                found[name, variant].append(answer)
    rows = []
    for (name, variant), answers in found.items():
        row: Row = {"workload": W.FIT.name, "kind": "fit", "peer": name, "variant": variant}
        good = [a for a in answers if "cold_s" in a]
        if good:
            cold, warm = [a["cold_s"] for a in good], [s for a in good for s in a["warm_s"]]
            accuracy = [v for a in good for v in a["accuracy"]]
            row |= {
                "cold_s": median(cold),
                "cold_best_s": min(cold),
                "import_s": min(a["import_s"] for a in good),
                "warm_s": median(warm),
                "warm_best_s": min(warm),
                "accuracy": median(accuracy),
                "accuracy_range": [min(accuracy), max(accuracy)],
            }
        else:
            row["error"] = answers[-1]["error"]
        rows.append(row)
    return rows


def _digits(folder: Path) -> Path | None:
    import numpy as np

    from chainrule.data.datasets import load_digits
    from chainrule.errors import MissingDependencyError

    try:
        x, y = load_digits()
    except MissingDependencyError:
        return None
    order = np.random.default_rng(0).permutation(len(x))
    n, path = W.FIT.train, folder / "digits.npz"
    np.savez(path, x=x[order[:n]], y=y[order[:n]], x_test=x[order[n:]], y_test=y[order[n:]])
    return path


# ---------------------------------------------------------------- footprint


def _footprint(name: str, threads: int) -> Row:
    peer = load(name)
    row: Row = {"peer": name, "import": peer.import_statement}
    times = [_seconds(peer.import_statement) - _seconds("pass") for _ in range(4)][1:]  # the first one reads the files
    row |= {"import_s": median(times), "import_best_s": min(times), "installed_mb": installed_mb(peer.distributions[0])}
    with Process(name, threads, timing=False) as process:
        return row | process.ask(do="open", kind="memory", peer=name, variant="", threads=threads)


def _seconds(statement: str) -> float:
    path = os.pathsep.join([*_extra_path(), os.environ.get("PYTHONPATH", "")])
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", statement], check=False, env={**os.environ, "PYTHONPATH": path}, capture_output=True
    )
    return time.perf_counter() - begun
