"""What an engine is: it compiles plans to executables, and executables run on arrays.

Beside arrays there are sparse rows, for inputs of the dtype "sparse". They are objects that have ``shape``, ``len`` and
``[]`` as arrays do; ``extents``, (N, 2) int64, which says where the entries of each row begin and end in ``indices`` (int32,
their columns) and ``values`` (float32); and ``dot(b)`` and ``transposed_dot(b)``, the products with a dense matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops import Value
from ..plan.plan import Plan

Array = NDArray[Any]


class Executable:
    """A plan bound to its arenas, ready to run. One thread at a time may run it.

    Parameters  plan : optimised ; arenas : {name: flat array}, written in place
    """

    def __init__(self, plan: Plan, arenas: Mapping[str, Array]) -> None:
        self.plan, self.arenas = plan, dict(arenas)

    def run(
        self, inputs: Mapping[str, Array], scalars: Mapping[str, float] | None = None, *, step: int = 0, seed: int = 0
    ) -> dict[str, Array]:
        """One step.

        Parameters
            inputs : by the names of plan.inputs, of exactly their shapes ; scalars : by the names of plan.scalars
            step, seed : select the random numbers; the same pair gives the same numbers
        Returns     {name: array} of plan.outputs, copies that stay valid
        """
        raise NotImplementedError

    def predict(self, x: Array) -> Array:
        """``run`` for a plan of one input "x0" and one output "output0": x of its shape and dtype, C-contiguous."""
        return self.run({"x0": x})["output0"]

    def lay_out(self) -> None:
        """Reads again what ``Plan.steady`` says changes rarely, where the engine keeps it in another order."""

    def run_steps(
        self,
        data: Mapping[str, Array],
        order: NDArray[np.int64] | None,
        scalars: Mapping[str, NDArray[np.float64]],
        *,
        steps: int,
        step: int = 0,
        seed: int = 0,
    ) -> dict[str, NDArray[np.float64]]:
        """Many steps over resident data, each on the next ``plan.batch`` samples.

        Parameters
            data : by the names of plan.inputs, with all samples on axis 0
            order : sample numbers, steps × batch of them; None takes the samples as they lie
            scalars : by name, one number a step
            step : number of the first step, for random numbers
        Returns     {name: (steps,)} of the plan's scalar outputs
        """
        batch, found = self.plan.batch, {n: np.zeros(steps) for n, v in self.plan.outputs.items() if v.shape == ()}
        for i in range(steps):
            rows: Any = slice(i * batch, (i + 1) * batch) if order is None else order[i * batch : (i + 1) * batch]
            inputs = {name: data[name][rows] for name in self.plan.inputs}
            outputs = self.run(inputs, {n: float(v[i]) for n, v in scalars.items()}, step=step + i, seed=seed)
            for name, values in found.items():
                values[i] = outputs[name]
        return found


class Engine:
    """Compiles plans.

    Attributes  name : "reference" or "onednn" ; dtypes : the precisions it offers ; threads : how many it uses
    """

    name: str = ""
    dtypes: tuple[str, ...] = ("float32",)
    threads: int = 1

    def compile(self, plan: Plan, arenas: Mapping[str, Array]) -> Executable:
        """Binds an optimised plan to its arenas (of the engine's precision)."""
        raise NotImplementedError

    def prepare(self, *groups: str) -> None:
        """Gets ready what networks of these kinds need ("images and graphs", "sequences"; all when none is named)."""

    def explain(self, plan: Plan) -> list[str]:
        """What the engine would choose for the nodes of an optimised plan, in words; nothing by default."""
        return []

    def describe(self) -> dict[str, str]:
        """What ``chainrule info`` prints about the engine."""
        raise NotImplementedError


def arena_view(arenas: Mapping[str, Array], value: Value) -> Array:
    """The array of a value that lies in an arena."""
    base = value.base if value.base is not None else value
    offset = value.offset if value.base is not None else 0
    return arenas[base.name][offset : offset + value.size].reshape(value.shape)
