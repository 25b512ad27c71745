"""Data-parallel training beside one process, what a sum over the ranks costs, and a model of both for more ranks.

    python -m benchmarks.ranks --ranks 2
    python -m benchmarks.ranks --write docs/distributed.md

Each runs in turn in processes of its own, with one thread for each rank. The efficiency of R ranks is their speed over R
times the speed of one, on batches of the same size in all. The model of docs/distributed.md takes from one rank the time of
a step on a whole batch and on a part of one, and from the ranks what the sums of arrays of several sizes take. Its tables
are printed as they stand in that page, and --write puts them there. "Without sums" is what the machine allows: as many
processes that train at the same time, each by itself on its part of the batch, and share its memory and caches.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SIZES = (1, 1000, 10_000, 100_000, 1_000_000, 4_000_000)
#: Between these lines a page of documentation has the tables of this program.
_BEGIN, _END = "<!-- measured by benchmarks.ranks -->", "<!-- end -->"
RANKS = (2, 4, 16, 64, 256, 1024)


class Cost(NamedTuple):
    """What the time of a step is made of, in seconds.

    T(R) = u + w / R + 2 α log₂ R + 2 (R - 1)/R 4 P / β

    Parameters  update : u, what every rank does in full ; work : w, what is divided with the batch
                parameters : P ; latency : α ; bandwidth : β, bytes a second
    """

    update: float
    work: float
    parameters: int
    latency: float
    bandwidth: float

    def step(self, ranks: int, larger: float = 1.0) -> float:
        """Seconds of a step; ``larger`` multiplies the batch."""
        sums = 2 * self.latency * math.log2(ranks) + 2 * (ranks - 1) / ranks * 4 * self.parameters / self.bandwidth
        return self.update + self.work * larger / ranks + (sums if ranks > 1 else 0.0)

    def efficiency(self, ranks: int, larger: float = 1.0) -> float:
        return self.step(1, larger) / (ranks * self.step(ranks, larger))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", default="W4,W7,W8,W10")
    parser.add_argument("--write", type=Path, help="a page of documentation whose tables are replaced")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return _child(given.child)
    mpiexec = Path(sys.executable).with_name("mpiexec")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def measured(name: str, ranks: int) -> dict[str, Any]:
        command = [str(mpiexec), "-n", str(ranks), sys.executable, "-m", "benchmarks.ranks", "--child", name]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    sums = [measured("sums", given.ranks)["sums"] for _ in range(given.turns)]
    fastest = [(size, min(seconds)) for size, *seconds in zip(SIZES, *([s for _, s in turn] for turn in sums), strict=True)]
    lines = [f"| numbers | a sum over {given.ranks} ranks | GB/s |", "|---|---|---|"]
    for size, seconds in fastest:
        lines.append(f"| {size:,} | {seconds * 1e6:,.0f} µs | {4 * size / seconds / 1e9:.2f} |")
    latency = fastest[0][1] / (2 * math.log2(given.ranks))
    bandwidth = max(2 * (given.ranks - 1) / given.ranks * 4 * size / seconds for size, seconds in fastest)
    lines += ["", f"So α = {latency * 1e6:.1f} µs and β = {bandwidth / 1e9:.1f} GB/s.", ""]
    lines.append(
        f"| network | parameters | step of 1 rank | on 1/{given.ranks} of the batch | step of {given.ranks} ranks "
        "| efficiency | without sums | by the model |"
    )
    lines.append("|---|---|---|---|---|---|---|---|")
    costs = {}
    for name in given.only.split(","):
        best: dict[str, float] = {}
        for _ in range(given.turns):
            for key, child, ranks in (
                ("one", name, 1),
                ("part", f"{name}/{given.ranks}", 1),
                ("apart", f"{name}/{given.ranks}", given.ranks),
                ("all", name, given.ranks),
            ):
                found = measured(child, ranks)
                best[key] = min(best.get(key, math.inf), found["step"])
        work = (best["one"] - best["part"]) / (1 - 1 / given.ranks)
        cost = costs[name] = Cost(max(0.0, best["one"] - work), work, found["parameters"], latency, bandwidth)
        efficiency, at_most = (best["one"] / (given.ranks * best[key]) for key in ("all", "apart"))
        lines.append(
            f"| {name}: {found['title']} | {cost.parameters:,} | {best['one'] * 1e3:.1f} ms | {best['part'] * 1e3:.1f} ms "
            f"| {best['all'] * 1e3:.1f} ms | {efficiency:.2f} | {at_most:.2f} | {cost.efficiency(given.ranks):.2f} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    lines += ["", "| efficiency by the model | " + " | ".join(f"{ranks:,} ranks" for ranks in RANKS) + " |"]
    lines.append("|---|" + "---|" * len(RANKS))
    for name, cost in costs.items():
        lines.append(f"| {name}, the same batch | " + " | ".join(f"{cost.efficiency(ranks):.2f}" for ranks in RANKS) + " |")
        larger = (f"{cost.efficiency(ranks, ranks):.2f}" for ranks in RANKS)
        lines.append(f"| {name}, the same batch on every rank | " + " | ".join(larger) + " |")
    print("\n".join(lines))
    if given.write is not None:
        before, rest = given.write.read_text(encoding="utf-8").split(_BEGIN)
        after = rest.split(_END)[1]
        given.write.write_text("\n".join([before + _BEGIN, "", *lines, "", _END + after]), encoding="utf-8")
    return 0


def _child(name: str) -> int:
    from chainrule.training.distributed import Ranks

    ranks = Ranks.world()
    if name == "sums":
        found = []
        for size in SIZES:
            array = np.ones(size, np.float32)
            times = []
            for _ in range(max(30, min(400, 40_000_000 // size))):
                ranks.least(0)  # begin together
                begun = time.perf_counter()
                ranks.sum_in_place(array)
                times.append(time.perf_counter() - begun)
            found.append((size, min(times)))  # of a quiet moment: other programs make a rank wait for its turn
        result: dict[str, Any] = {"sums": found}
    else:
        name, _, parts = name.partition("/")
        title, net, X, y, batch, optimizer = _workload(name)
        batch //= int(parts or 1)
        together = ranks.size > 1 and not parts
        steps = 4
        X, y = X[: steps * batch], y[: steps * batch]
        fit = {"batch_size": batch, "verbose": 0, "distributed": together, "threads": 1, "optimizer": optimizer}
        net.fit(X, y, epochs=1, **fit)
        times = []
        for _ in range(6):
            ranks.least(0)
            begun = time.perf_counter()
            net.fit(X, y, epochs=1, **fit)
            times.append((time.perf_counter() - begun) / steps)
        result = {"step": min(times), "parameters": net.parameters.count, "title": title}
    if ranks.rank == 0:
        print(json.dumps(result))
    return 0


def _workload(name: str) -> tuple[str, Any, np.ndarray, np.ndarray, int, Any]:
    """The title of a workload of benchmarks.workloads, its network, samples for four steps, the batch and the optimizer."""
    from chainrule import LSTM, BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
    from chainrule.optimizers import SGD, Adam

    def block(channels: int) -> list[Any]:
        return [Conv2D(channels, 3, padding="same", bias=False), BatchNorm(), ReLU()]

    optimizer: Any = Adam(1e-4)
    layers: list[Any]
    if name == "W4":
        title, shape, batch = "perceptron 784-1024-1024-10, Adam", (784,), 128
        layers = [Dense(1024), ReLU(), Dense(1024), ReLU(), Dense(10)]
    elif name == "W7":
        title, shape, batch = "two convolutions and Dense(128) on 28 × 28, Adam", (28, 28, 1), 64
        layers = [Conv2D(32, 3, padding="same"), ReLU(), Conv2D(64, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten()]
        layers += [Dense(128), ReLU(), Dense(10)]
    elif name == "W8":
        title, shape, batch, optimizer = (
            "five convolutions with BatchNorm on 32 × 32, momentum",
            (32, 32, 3),
            32,
            SGD(1e-3, momentum=0.9),
        )
        layers = [*block(64), *block(64), MaxPool2D(2), *block(128), *block(128), MaxPool2D(2), *block(256), MaxPool2D(2)]
        layers += [Flatten(), Dense(10)]
    else:
        title, shape, batch = "LSTM(128) over 100 steps, Adam", (100, 64), 64
        layers = [LSTM(128), Dense(10)]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4 * batch, *shape)).astype(np.float32)
    return title, Network(layers, random_state=0), X, rng.integers(0, 10, 4 * batch), batch, optimizer


if __name__ == "__main__":
    sys.exit(main())
