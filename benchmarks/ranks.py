"""Data-parallel training beside one process: samples a second of both, and what a sum over the ranks costs.

    python -m benchmarks.ranks --ranks 2

Each runs in turn in processes of its own, with one thread for each rank. The efficiency is the speed of R ranks over R times
the speed of one. The sums of arrays of several sizes give the latency and the bandwidth of the model of costs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", default="mlp,cnn,lstm")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return _child(given.child)
    mpiexec = Path(sys.executable).with_name("mpiexec")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def measured(name: str, ranks: int) -> dict[str, Any]:
        command = [str(mpiexec), "-n", str(ranks), sys.executable, "-m", "benchmarks.ranks", "--child", name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    for name in given.only.split(","):
        best = {1: 0.0, given.ranks: 0.0}
        for _ in range(given.turns):
            for ranks in best:
                best[ranks] = max(best[ranks], measured(name, ranks)["samples"])
        efficiency = best[given.ranks] / (given.ranks * best[1])
        speeds = f"1 rank {best[1]:,.0f} samples/s, {given.ranks} ranks {best[given.ranks]:,.0f}"
        print(f"{name}: {speeds}, efficiency {efficiency:.2f}", flush=True)
    for size, seconds in measured("sums", given.ranks)["sums"]:
        speed = 4 * size / seconds / 1e9
        print(f"a sum of {size:,} numbers over {given.ranks} ranks: {seconds * 1e6:,.1f} µs, {speed:.2f} GB/s")
    return 0


def _child(name: str) -> int:
    from chainrule.training.distributed import Ranks

    ranks = Ranks.world()
    if name == "sums":
        found = []
        for size in (1, 1000, 10_000, 100_000, 1_000_000, 4_000_000):
            array = np.ones(size, np.float32)
            times = []
            for _ in range(max(30, min(400, 40_000_000 // size))):
                ranks.least(0)  # begin together
                begun = time.perf_counter()
                ranks.summed(array)
                times.append(time.perf_counter() - begun)
            found.append((size, min(times)))  # of a quiet moment: other programs make a rank wait for its turn
        result: dict[str, Any] = {"sums": found}
    else:
        net, X, y, batch = _workload(name)
        fit = {"batch_size": batch, "verbose": 0, "distributed": ranks.size > 1, "threads": 1}
        net.fit(X, y, epochs=1, **fit)
        begun = time.perf_counter()
        net.fit(X, y, epochs=2, **fit)
        result = {"samples": 2 * len(X) / (time.perf_counter() - begun)}
    if ranks.rank == 0:
        print(json.dumps(result))
    return 0


def _workload(name: str) -> tuple[Any, np.ndarray, np.ndarray, int]:
    from chainrule import LSTM, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU

    rng = np.random.default_rng(0)
    if name == "mlp":  # W4
        net = Network([Dense(1024), ReLU(), Dense(1024), ReLU(), Dense(10)], random_state=0)
        return net, rng.normal(size=(2560, 784)).astype(np.float32), rng.integers(0, 10, 2560), 128
    if name == "cnn":  # about W7
        layers: list[Any] = [Conv2D(32, 3, padding="same"), ReLU(), Conv2D(64, 3, padding="same"), ReLU(), MaxPool2D(2)]
        layers += [Conv2D(128, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
        return (
            Network(layers, random_state=0),
            rng.normal(size=(512, 32, 32, 3)).astype(np.float32),
            rng.integers(0, 10, 512),
            64,
        )
    net = Network([LSTM(128), Dense(10)], random_state=0)  # W10
    return net, rng.normal(size=(640, 100, 32)).astype(np.float32), rng.integers(0, 10, 640), 64


if __name__ == "__main__":
    sys.exit(main())
