"""chainrule. A step is one of ``Trainer``'s, with samples gathered in a shuffled order as in every epoch of a fit."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..workloads import FitTask, Workload, data, parameters
from .base import Floats, Ints, Peer, Predict, Training

ESTIMATOR = "NeuralClassifier"


class Measured(Peer):
    distributions = ("chainrule",)
    import_statement = "from chainrule import Dense, Network, ReLU"
    note = "Trainer's steps on shuffled samples; Network.predict; Network.fit"

    def __init__(self, threads: int, variant: str = "") -> None:
        super().__init__(threads, variant)
        import chainrule

        self.library = chainrule
        self.precision = "bfloat16" if variant == "bfloat16" else "float32"

    @classmethod
    def variants(cls, kind: str, workload: Workload | None = None) -> tuple[str, ...]:
        if kind == "fit":
            return ("", ESTIMATOR)
        if workload is not None and workload.bfloat16 and _has_bfloat16():
            return ("", "bfloat16")
        return ("",)

    def _network(self, workload: Workload) -> Any:
        cr = self.library
        hidden = cr.ReLU if workload.activation == "relu" else cr.Sigmoid
        layers = [layer for units in workload.sizes[1:-1] for layer in (cr.Dense(units), hidden())]
        network = cr.Network([*layers, cr.Dense(workload.sizes[-1])]).build(workload.sizes[0])
        arrays = [array for pair in parameters(workload) for array in pair]
        network.parameters.assign(dict(zip(network.parameters, arrays, strict=True)))
        return network

    def training(self, workload: Workload) -> Training:
        return _Steps(self, workload)

    def predictor(self, workload: Workload) -> Predict:
        predict: Predict = self._network(workload).predict
        return predict

    def fit(self, task: FitTask, x: Floats, y: Ints) -> Predict:
        cr = self.library
        options: dict[str, Any] = {"epochs": task.epochs, "batch_size": task.batch, "learning_rate": task.learning_rate}
        if self.variant == ESTIMATOR:
            model = cr.NeuralClassifier(hidden=[task.hidden], tolerance=None, threads=self.threads, **options).fit(x, y)
            predict: Predict = model.predict
            return predict
        network = cr.Network([cr.Dense(task.hidden), cr.ReLU(), cr.Dense(10)])
        network.fit(x, y, optimizer="adam", verbose=0, threads=self.threads, **options)
        return lambda x: network.predict(x).argmax(axis=1)


class _Steps(Training):
    def __init__(self, peer: Measured, workload: Workload) -> None:
        from chainrule.engine import get_engine
        from chainrule.losses import SoftmaxCrossEntropy
        from chainrule.optimizers import SGD, Adam
        from chainrule.training import Objective, Trainer

        network = peer._network(workload)
        optimizer = (Adam if workload.optimizer == "adam" else SGD)(workload.learning_rate)
        engine = get_engine(threads=peer.threads, dtype=peer.precision)
        self.trainer = Trainer(network, Objective([SoftmaxCrossEntropy()]), optimizer, engine=engine)
        self.executable = self.trainer.executable(workload.batch).executable
        x, y = data(workload)
        self.data = {"x0": x, "y0": y.astype(np.int32)}
        self.batch, self.samples, self.rng = workload.batch, len(x), np.random.default_rng(2)
        self.orders: dict[int, Any] = {}

    def _steps(self, order: Any, n: int) -> Any:
        scalars = self.trainer.scalars(n)
        found = self.executable.run_steps(self.data, order, scalars, steps=n, step=self.trainer.state.step)
        self.trainer.state.step += n
        return found["loss"]

    def losses(self, n: int) -> list[float]:
        return [float(v) for v in self._steps(np.arange(n * self.batch), n)]

    def run(self, n: int) -> None:
        if n not in self.orders:
            epochs = -(-n * self.batch // self.samples)
            order = np.concatenate([self.rng.permutation(self.samples) for _ in range(epochs)])
            self.orders[n] = order[: n * self.batch]
        self._steps(self.orders[n], n)


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; without it the figures would be those of an emulation."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return False
    return any(flag in flags.split() for flag in ("avx512_bf16", "amx_bf16"))


class Peak:
    """The machine's float32 peak, as far as products of large matrices reach it.

    A chain of 4 products (1024, 1024) × (1024, 1024), between a thin product that begins it and one that ends it, so that
    its input and output are small. It needs no compiler, and gives what a network could reach, which is below the limit on
    the processor's sheet.
    """

    SIZE, LAYERS, THIN, REPEATS = 1024, 4, 16, 4

    def __init__(self, threads: int) -> None:
        from chainrule import Dense, Network
        from chainrule.engine import get_engine
        from chainrule.ops.memory import aligned_zeros
        from chainrule.plan import lower_prediction, optimise

        sizes = [*[self.SIZE] * (self.LAYERS + 1), self.THIN]
        network = Network([Dense(n, bias=False) for n in sizes], random_state=0).build(self.THIN)
        engine = get_engine(threads=threads)
        plan = optimise(lower_prediction(network, self.SIZE))
        arenas = {"parameters": network.parameters.flat, "states": network.states.flat}
        arenas |= {n: aligned_zeros(v.size, "float32") for n, v in plan.arenas.items() if n not in arenas}
        self.executable, self.engine = engine.compile(plan, arenas), engine.name
        self.x = {"x0": np.random.default_rng(0).standard_normal((self.SIZE, self.THIN), np.float32)}
        self.flops = plan.flops
        self.executable.run(self.x)

    def gflops(self) -> float:
        """GFLOP/s of the best of some chains, each some hundredths of a second on two processors."""
        best = float("inf")
        for _ in range(self.REPEATS):
            begun = time.perf_counter()
            self.executable.run(self.x)
            best = min(best, time.perf_counter() - begun)
        return self.flops / best / 1e9
