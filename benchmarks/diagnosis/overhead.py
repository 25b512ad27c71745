"""``python -m benchmarks.diagnosis.overhead``: what watching a fit costs, as a ratio to the same fit unwatched.

Fits of equal length take turns, watched and not. Ratios are of the best and of the median times; fits that are both
unwatched are compared as well, to show the scatter. The share is of the time that probes took, compiling included.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import Network, layers
from chainrule.trials import Watch


def _mlp() -> list[Any]:
    return [layers.Dense(256), layers.ReLU(), layers.Dense(256), layers.ReLU(), layers.Dense(10)]


def _cnn() -> list[Any]:
    return [
        layers.Conv2D(32, 3, padding="same"), layers.ReLU(), layers.Conv2D(64, 3, padding="same"), layers.ReLU(),
        layers.MaxPool2D(2), layers.Flatten(), layers.Dense(128), layers.ReLU(), layers.Dense(10),
    ]  # fmt: skip


def _lstm() -> list[Any]:
    return [layers.LSTM(128), layers.Dense(10)]


#: (name, layers, shape of a sample, batch, steps of an epoch, epochs of a long fit): the workloads of the comparison with
#: other libraries that have these names.
NETWORKS: list[tuple[str, Callable[[], list[Any]], tuple[int, ...], int, int, int]] = [
    ("W3  784-256-256-10, batch 128", _mlp, (784,), 128, 100, 40),
    ("W7  conv32-conv64-dense128, batch 64", _cnn, (28, 28, 1), 64, 40, 18),
    ("W10 LSTM 128, 100 steps of 64, batch 64", _lstm, (100, 64), 64, 40, 12),
]


def seconds(net: Network, X: Any, y: Any, batch: int, epochs: int, watch: Watch | None) -> float:
    callbacks = [] if watch is None else [watch]
    started = time.perf_counter()
    net.fit(X, y, batch_size=batch, epochs=epochs, verbose=0, learning_rate=1e-4, callbacks=callbacks)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--match", default="", help="only networks whose name holds this")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    for name, make, shape, batch, per_epoch, long in NETWORKS:
        if options.match not in name:
            continue
        X = rng.normal(size=(batch * per_epoch, *shape)).astype(np.float32)
        y = rng.integers(0, 10, len(X))
        for epochs in (1, long):
            times: dict[str, list[float]] = {"plain": [], "watched": [], "again": []}
            shares, taken = [], 0
            for _ in range(options.repeats):
                for kind, found in times.items():
                    watch = Watch() if kind == "watched" else None
                    # A network of its own for every fit: what a first fit compiles counts.
                    found.append(seconds(Network(make(), random_state=0), X, y, batch, epochs, watch))
                    if watch is not None and watch.probe is not None:
                        shares.append(watch.probe.seconds / found[-1])
                        taken = watch.probe.taken
            best = {kind: min(found) for kind, found in times.items()}
            median = {kind: statistics.median(found) for kind, found in times.items()}
            print(
                f"{name:40} {epochs * per_epoch:5} steps, {best['plain']:6.2f} s: watched / plain "
                f"{best['watched'] / best['plain']:.3f} best, {median['watched'] / median['plain']:.3f} median; "
                f"plain again / plain {best['again'] / best['plain']:.3f}, {median['again'] / median['plain']:.3f}; probes "
                f"{statistics.median(shares):.3f} in {taken} samples",
                flush=True,
            )


if __name__ == "__main__":
    main()
