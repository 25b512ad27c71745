"""JAX: one jitted step whose parameters and optimizer state are donated."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..workloads import FitTask, Workload, batches, parameters
from .base import KEEP_FREED_MEMORY, Floats, Ints, Peer, Predict, Training


class Measured(Peer):
    distributions = ("jax", "jaxlib")
    import_statement = "import jax, jax.numpy"
    environment = KEEP_FREED_MEMORY
    note = "one jitted step, parameters and optimizer state donated, malloc that keeps freed pages"

    def __init__(self, threads: int, variant: str = "") -> None:
        super().__init__(threads, variant)  # XLA takes as many threads as the process may use
        import jax

        self.jax = jax

    def _start(self, arrays: Any, optimizer: str) -> tuple[Any, Any]:
        jnp = self.jax.numpy
        params = [tuple(jnp.array(a) for a in pair) for pair in arrays]
        if optimizer == "sgd":
            return params, ()
        zeros = [[tuple(jnp.zeros_like(a) for a in pair) for pair in params] for _ in range(2)]
        return params, (zeros[0], zeros[1], jnp.float32(0))

    def training(self, workload: Workload) -> Training:
        jnp = self.jax.numpy
        params, state = self._start(parameters(workload), workload.optimizer)
        step = _step(workload.activation, workload.optimizer, workload.learning_rate)
        return _Steps(step, params, state, [(jnp.array(x), jnp.array(y, jnp.int32)) for x, y in batches(workload)])

    def predictor(self, workload: Workload) -> Predict:
        params, _ = self._start(parameters(workload), "sgd")
        forward = _forward(workload.activation)
        return lambda x: np.asarray(forward(params, x))

    def fit(self, task: FitTask, x: Floats, y: Ints) -> Predict:
        rng = np.random.default_rng()
        sizes = (x.shape[1], task.hidden, 10)
        arrays = [
            ((rng.standard_normal((i, o)) * np.sqrt(2 / i)).astype(np.float32), np.zeros(o, np.float32))
            for i, o in pairwise(sizes)
        ]
        params, state = self._start(arrays, "adam")
        step, classes = _step("relu", "adam", task.learning_rate), y.astype(np.int32)
        for _ in range(task.epochs):
            order = rng.permutation(len(x))
            for i in range(0, len(x), task.batch):
                rows = order[i : i + task.batch]
                params, state, _ = step(params, state, x[rows], classes[rows])
        self.jax.block_until_ready(params)
        forward = _forward("relu")
        return lambda x: np.asarray(forward(params, x)).argmax(axis=1)


class _Steps(Training):
    def __init__(self, step: Any, params: Any, state: Any, pairs: Any) -> None:
        self.step, self.params, self.state, self.pairs, self.done = step, params, state, pairs, 0

    def _next(self) -> Any:
        x, y = self.pairs[self.done % len(self.pairs)]
        self.done += 1
        self.params, self.state, loss = self.step(self.params, self.state, x, y)
        return loss

    def losses(self, n: int) -> list[float]:
        return [float(self._next()) for _ in range(n)]

    def run(self, n: int) -> None:
        for _ in range(n):
            loss = self._next()
        loss.block_until_ready()


@cache
def _forward(activation: str) -> Any:
    import jax

    hidden = (lambda z: jax.numpy.maximum(z, 0)) if activation == "relu" else jax.nn.sigmoid

    def forward(params: Any, x: Any) -> Any:
        for weight, bias in params[:-1]:
            x = hidden(x @ weight + bias)
        return x @ params[-1][0] + params[-1][1]

    return jax.jit(forward)


@cache
def _step(activation: str, optimizer: str, rate: float) -> Any:
    """Kept, so that a second fit does not compile again."""
    import jax
    import jax.numpy as jnp

    forward = _forward(activation)

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(params, x)), y[:, None], axis=1).mean()

    def sgd(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(params, x, y)
        return jax.tree.map(lambda p, g: p - rate * g, params, g), state, loss

    def adam(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(params, x, y)
        m, v, t = state
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        size, root = rate / (1 - 0.9**t), 1 / jnp.sqrt(1 - 0.999**t)
        params = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) * root + 1e-8), params, m, v)
        return params, (m, v, t), loss

    return jax.jit(adam if optimizer == "adam" else sgd, donate_argnums=(0, 1))
