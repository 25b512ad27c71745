"""PyTorch: eager, with fused optimizers."""

from __future__ import annotations

from typing import Any

from ..workloads import FitTask, Workload, batches, parameters
from .base import KEEP_FREED_MEMORY, Floats, Ints, Peer, Predict, Training


class Measured(Peer):
    distributions = ("torch",)
    import_statement = "import torch"
    environment = KEEP_FREED_MEMORY
    note = "eager, optimizers with fused=True, inference_mode, malloc that keeps freed pages"

    def __init__(self, threads: int, variant: str = "") -> None:
        super().__init__(threads, variant)
        import torch

        torch.set_num_threads(threads)
        self.torch = torch

    def _module(self, sizes: tuple[int, ...], activation: str) -> Any:
        nn = self.torch.nn
        hidden = nn.ReLU if activation == "relu" else nn.Sigmoid
        layers: list[Any] = []
        for i in range(len(sizes) - 1):
            layers += [nn.Linear(sizes[i], sizes[i + 1]), hidden()]
        return nn.Sequential(*layers[:-1])

    def _started(self, workload: Workload) -> Any:
        module = self._module(workload.sizes, workload.activation)
        arrays = [a for weight, bias in parameters(workload) for a in (weight.T.copy(), bias)]
        with self.torch.no_grad():
            for parameter, array in zip(module.parameters(), arrays, strict=True):
                parameter.copy_(self.torch.from_numpy(array))
        return module

    def training(self, workload: Workload) -> Training:
        module = self._started(workload)
        make = self.torch.optim.Adam if workload.optimizer == "adam" else self.torch.optim.SGD
        optimizer = make(module.parameters(), lr=workload.learning_rate, fused=True)
        pairs = [(self.torch.from_numpy(x), self.torch.from_numpy(y)) for x, y in batches(workload)]
        return _Steps(module, optimizer, self.torch.nn.functional.cross_entropy, pairs)

    def predictor(self, workload: Workload) -> Predict:
        torch, module = self.torch, self._started(workload).eval()

        def predict(x: Floats) -> Any:
            with torch.inference_mode():
                return module(torch.from_numpy(x)).numpy()

        return predict

    def fit(self, task: FitTask, x: Floats, y: Ints) -> Predict:
        torch = self.torch
        module = self._module((x.shape[1], task.hidden, 10), "relu")
        optimizer = torch.optim.Adam(module.parameters(), lr=task.learning_rate, fused=True)
        xs, ys = torch.from_numpy(x), torch.from_numpy(y)
        for _ in range(task.epochs):
            for rows in torch.randperm(len(xs)).split(task.batch):
                _step(module, optimizer, torch.nn.functional.cross_entropy, xs[rows], ys[rows])

        def predict(x: Floats) -> Any:
            with torch.inference_mode():
                return module(torch.from_numpy(x)).argmax(1).numpy()

        return predict


def _step(module: Any, optimizer: Any, criterion: Any, x: Any, y: Any) -> Any:
    optimizer.zero_grad(set_to_none=True)
    loss = criterion(module(x), y)
    loss.backward()
    optimizer.step()
    return loss


class _Steps(Training):
    def __init__(self, module: Any, optimizer: Any, criterion: Any, pairs: Any) -> None:
        self.parts, self.pairs, self.done = (module, optimizer, criterion), pairs, 0

    def _next(self) -> Any:
        x, y = self.pairs[self.done % len(self.pairs)]
        self.done += 1
        return _step(*self.parts, x, y)

    def losses(self, n: int) -> list[float]:
        return [self._next().item() for _ in range(n)]

    def run(self, n: int) -> None:
        for _ in range(n):
            self._next()
