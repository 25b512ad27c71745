"""What is measured: the networks, their data and start weights, and what they must compute.

Everything is made from fixed seeds with NumPy, so that every process of every library has the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Params = list[tuple[Floats, Floats]]

#: Batches that lie in memory and are trained on in turn.
BATCHES = 8
#: Losses of the first steps that are compared, and how far they may be off.
CHECKED_STEPS = 6
TOLERANCE = {"float32": 0.002, "bfloat16": 0.02}


@dataclass(frozen=True)
class Workload:
    """A fully connected network that is trained, or asked, at one batch size.

    Parameters
        name : for ``--match`` and the table ; sizes : inputs, hidden units, outputs ; batch : samples a step
        activation : of the hidden layers ; optimizer : "sgd" or "adam" ; learning_rate : of it, 0 where nothing is learned
        kind : "training" or "prediction" ; bfloat16 : whether chainrule is measured in that precision too
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    kind: str = "training"
    bfloat16: bool = False

    @property
    def flops(self) -> int:
        """FLOPs of the matrix products of one step (a multiply-add is 2), biases and activations left out.

        The backward pass has two products for each forward one, but none for the gradient of the data.
        """
        products = [2 * self.batch * i * o for i, o in pairwise(self.sizes)]
        return sum(products) if self.kind == "prediction" else 3 * sum(products) - products[0]


_BIG = (784, 1024, 1024, 10)
_ADAM: dict[str, Any] = {"optimizer": "adam", "learning_rate": 1e-4}

WORKLOADS: tuple[Workload, ...] = (
    Workload("64-32-10, batch 32, SGD", (64, 32, 10), 32),
    Workload("784-128-10, batch 64, SGD", (784, 128, 10), 64),
    Workload("784-256-256-10, batch 128, Adam", (784, 256, 256, 10), 128, **_ADAM),
    Workload("784-1024-1024-10, batch 128, Adam", _BIG, 128, **_ADAM, bfloat16=True),
    Workload("784-30×10-10 sigmoid, batch 10, SGD", (784, *[30] * 10, 10), 10, activation="sigmoid"),
    *(Workload(f"784-1024-1024-10, predict {n}", _BIG, n, learning_rate=0.0, kind="prediction") for n in (1, 32, 1024)),
)
#: The network whose training gives the peak memory.
MEMORY = WORKLOADS[3]


@dataclass(frozen=True)
class FitTask:
    """A whole ``fit`` on scikit-learn's digits, each library with its own start weights and order of the samples.

    1,400 samples are seven full batches, so that no library compiles a second time for a short last one.
    """

    name: str = "fit digits 64-100-10, 20 epochs, batch 200, Adam"
    hidden: int = 100
    batch: int = 200
    epochs: int = 20
    learning_rate: float = 0.001
    train: int = 1400


FIT = FitTask()


def parameters(workload: Workload) -> Params:
    """(weight (I, O), bias (O,)) of every layer. Drawn so that the signal neither dies nor explodes."""
    rng = np.random.default_rng(0)
    gain = 2.0 if workload.activation == "relu" else 1.0
    return [
        ((rng.standard_normal((i, o)) * np.sqrt(gain / i)).astype(np.float32), np.zeros(o, np.float32))
        for i, o in pairwise(workload.sizes)
    ]


def data(workload: Workload) -> tuple[Floats, NDArray[np.int64]]:
    """Samples (BATCHES · batch, I), most of them dark like pictures of digits, and their classes."""
    rng = np.random.default_rng(1)
    n = BATCHES * workload.batch
    x = rng.random((n, workload.sizes[0]), np.float32) * (rng.random((n, workload.sizes[0])) < 0.3)
    return x.astype(np.float32), rng.integers(0, workload.sizes[-1], n)


def batches(workload: Workload) -> list[tuple[Floats, NDArray[np.int64]]]:
    """The same data as BATCHES contiguous batches."""
    x, y = data(workload)
    rows = [slice(i * workload.batch, (i + 1) * workload.batch) for i in range(BATCHES)]
    return [(np.ascontiguousarray(x[r]), np.ascontiguousarray(y[r])) for r in rows]


# ---------------------------------------------------------------- what every library must compute, in float64


def expected_losses(workload: Workload) -> list[float]:
    """The losses of the first steps, by the textbook's equations in NumPy."""
    params = [a.astype(np.float64) for pair in parameters(workload) for a in pair]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in params]
    losses = []
    for t, (x, y) in enumerate(batches(workload)[:CHECKED_STEPS], start=1):
        outputs = list(_forward(workload, params, x))
        z, rows = outputs[-1], np.arange(len(y))
        shifted = z - z.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        losses.append(float(-log_p[rows, y].mean()))
        dz = np.exp(log_p)
        dz[rows, y] -= 1
        dz /= len(y)
        for layer in reversed(range(len(params) // 2)):
            weight, bias = params[2 * layer], params[2 * layer + 1]
            a = outputs[layer]
            gradients = (a.T @ dz, dz.sum(axis=0))
            if layer:
                dz = (dz @ weight.T) * ((a > 0) if workload.activation == "relu" else a * (1 - a))
            for i, (p, g) in enumerate(zip((weight, bias), gradients, strict=True), start=2 * layer):
                if workload.optimizer == "sgd":
                    p -= workload.learning_rate * g
                    continue
                m, v = moments[i]
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= workload.learning_rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return losses


def expected_outputs(workload: Workload) -> NDArray[np.float64]:
    """The raw outputs (logits) of the first batch."""
    params = [a.astype(np.float64) for pair in parameters(workload) for a in pair]
    outputs: NDArray[np.float64] = list(_forward(workload, params, batches(workload)[0][0]))[-1]
    return outputs


def _forward(workload: Workload, params: list[Any], x: Any) -> Iterator[Any]:
    """The input and what comes out of every layer."""
    a = x.astype(np.float64)
    yield a
    for layer in range(len(params) // 2):
        a = a @ params[2 * layer] + params[2 * layer + 1]
        if layer < len(params) // 2 - 1:
            a = np.maximum(a, 0) if workload.activation == "relu" else 1 / (1 + np.exp(-a))
        yield a
