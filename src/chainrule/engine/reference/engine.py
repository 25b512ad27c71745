"""Runs a plan node by node in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ...errors import EngineError
from ...ops import OPS, Node, Value
from ...plan.plan import Plan
from .. import random
from ..base import Array, Engine, Executable, arena_view
from .kernels import KERNELS


def compute(node: Node, arrays: list[Array], *, dtype: Any, step: int, seed: int) -> tuple[Array, ...]:
    """The outputs of one node from its inputs."""
    if node.op not in KERNELS:
        raise EngineError(f"the reference engine has no kernel for the op {node.op!r}.")
    kernel = KERNELS[node.op]
    if OPS[node.op].random:
        kernel = partial(kernel, lambda size: random.uniform(size, seed, node.attrs["stream"], step))
    with np.errstate(all="ignore"):
        result = kernel(node.attrs, *arrays)
        return tuple(
            np.asarray(r, np.int32 if v.dtype == "int" else dtype)
            for r, v in zip(result if isinstance(result, tuple) else (result,), node.outputs, strict=True)
        )


class ReferenceExecutable(Executable):
    """A plan run by NumPy, one node after the other."""

    def __init__(self, plan: Plan, arenas: Mapping[str, Array], dtype: Any) -> None:
        super().__init__(plan, arenas)
        self.dtype = np.dtype(dtype)
        self.nodes = [m for n in plan.nodes for m in n.attrs.get("nodes", [n])]
        #: When set, called with every node and its outputs as they are computed.
        self.watch: Any = None

    def run(
        self, inputs: Mapping[str, Array], scalars: Mapping[str, float] | None = None, *, step: int = 0, seed: int = 0
    ) -> dict[str, Array]:
        arrays: dict[int, Array] = {}
        for name, v in self.plan.inputs.items():
            x: Any = inputs[name]
            if v.dtype != "sparse":
                x = np.asarray(x, np.int32 if v.dtype == "int" else self.dtype)
            if x.shape != v.shape:
                raise EngineError(f"input {name!r}: the plan was made for shape {v.shape}, got {x.shape}.")
            arrays[id(v)] = x
        for name, v in self.plan.scalars.items():
            arrays[id(v)] = np.asarray((scalars or {})[name], self.dtype)

        def read(v: Value) -> Array:
            if id(v) in arrays:
                return arrays[id(v)]
            if v.role == "constant":
                return np.asarray(v.constant, self.dtype)
            return arena_view(self.arenas, v)

        for node in self.nodes:
            results = compute(node, [read(v) for v in node.inputs], dtype=self.dtype, step=step, seed=seed)
            for v, result in zip(node.outputs, results, strict=True):
                arrays[id(v)] = result
                if v.base is not None:
                    arena_view(self.arenas, v)[...] = result
            if self.watch is not None:
                self.watch(node, results)
        return {name: np.array(read(v)) for name, v in self.plan.outputs.items()}


class ReferenceEngine(Engine):
    """NumPy on any machine. Parameters  dtype : "float32" or "float64" """

    name = "reference"
    dtypes = ("float32", "float64")

    def __init__(self, dtype: str = "float32") -> None:
        self.dtype = dtype

    def compile(self, plan: Plan, arenas: Mapping[str, Array]) -> ReferenceExecutable:
        return ReferenceExecutable(plan, arenas, self.dtype)

    def describe(self) -> dict[str, str]:
        return {"engine": "reference", "library": f"NumPy {np.__version__}", "precision": self.dtype}
