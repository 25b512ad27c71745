"""``python -m benchmarks.diagnosis.overhead``: what watching a fit costs, as a ratio to the same fit unwatched."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from chainrule import Network, layers
from chainrule.trials import Watch

#: (name, layers, shape of a sample, classes, batch, samples, epochs)
NETWORKS: list[tuple[str, Any, tuple[int, ...], int, int, int, int]] = [
    ("784-256-256-10, batch 128, Adam",
     lambda: [layers.Dense(256), layers.ReLU(), layers.Dense(256), layers.ReLU(), layers.Dense(10)],
     (784,), 10, 128, 12800, 8),
    ("CNN 28×28: 16, 32, batch 64",
     lambda: [layers.Conv2D(16, 3), layers.ReLU(), layers.MaxPool2D(2), layers.Conv2D(32, 3), layers.ReLU(),
              layers.MaxPool2D(2), layers.Flatten(), layers.Dense(10)], (28, 28, 1), 10, 64, 6400, 2),
    ("LSTM 128, 50 steps of 32, batch 64",
     lambda: [layers.LSTM(128), layers.Dense(10)], (50, 32), 10, 64, 6400, 2),
]  # fmt: skip


def seconds(make: Any, X: Any, y: Any, batch: int, epochs: int, watch: Watch | None) -> float:
    net = Network(make(), random_state=0)
    net.fit(X[: 2 * batch], y[: 2 * batch], batch_size=batch, epochs=1, verbose=0)  # plans and kernels are compiled
    started = time.perf_counter()
    net.fit(X, y, batch_size=batch, epochs=epochs, verbose=0, callbacks=[] if watch is None else [watch])
    return time.perf_counter() - started


def main() -> None:
    rng = np.random.default_rng(0)
    for name, make, shape, classes, batch, n, epochs in NETWORKS:
        X = rng.normal(size=(n, *shape)).astype(np.float32)
        y = rng.integers(0, classes, n)
        plain, watched, watch = [], [], Watch()
        for _ in range(5):
            plain.append(seconds(make, X, y, batch, epochs, None))
            watch = Watch()
            watched.append(seconds(make, X, y, batch, epochs, watch))
        ratio = statistics.median(w / p for w, p in zip(watched, plain, strict=True))
        taken = len(watch.statistics.samples) if watch.statistics is not None else 0
        steps = epochs * (n // batch)
        print(f"{name:40} {ratio:.3f} of the plain time ({min(plain):.2f} s), {taken} samples in {steps} steps", flush=True)


if __name__ == "__main__":
    main()
