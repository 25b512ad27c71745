"""Which layers of a packed network multiply by the kernel for their form, and which by the dense one, as measured here.

A kernel that is faster by itself need not be so in its place: there what it reads lies elsewhere in the caches, threads wait
for each other, and what follows a dense product may no longer be done on its way. So layers are measured by themselves to
know how much each would gain, and whole predictions to decide: with all the layers that gain something, with those that
gain much, and with none of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.base import Engine, Executable
from ..ops import Builder, Value
from ..ops.memory import aligned_copy
from ..ops.value import Shape
from ..plan import Plan, optimise
from ..plan.frozen import FrozenWeight, Geometry
from .timing import best_times, times_in_turn

__all__ = ["CompressedChoice"]

#: The kernel for a weight's form is tried where it takes less than one of these shares of the dense kernel's time.
_SHARES = (0.97, 0.75)
#: A prediction with such kernels must take less than this share of the time of the dense one.
_GAIN = 0.97
#: A time this many times as long as another is not looked at more closely.
_CLEAR = 1.3


class CompressedChoice:
    """What was measured of the layers of one network, and what was chosen for each batch.

    Example
        >>> choice = CompressedChoice()
        >>> choice.share  # of the dense kernel's time, below which a layer uses the kernel for its form
        0.0
    """

    def __init__(self) -> None:
        self.share = 0.0
        self._engine: Engine | None = None
        #: The time of the kernel for a weight's form as a share of the dense one's, by weight and shape of its inputs.
        self._shares: dict[tuple[int, Shape], float] = {}
        self._chosen: dict[Hashable, float] = {}
        self._asked: list[float] = []

    def __getstate__(self) -> dict[str, Any]:
        """What was measured holds for this process alone."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        CompressedChoice.__init__(self)

    def prefers(self, x: Shape, weight: FrozenWeight, geometry: Geometry | None) -> bool:
        """Whether a plan that is being lowered is to use the kernel for the weight's form, for x of this shape."""
        engine = self._engine
        if engine is None or engine.name == "reference" or not self.share:
            return False
        key = id(weight), x
        if key not in self._shares:
            self._shares[key] = share_of_dense_time(engine, x, weight, geometry)
        self._asked.append(self._shares[key])
        return self._shares[key] < self.share

    def fastest(
        self, batch: Hashable, engine: Engine, lower: Callable[[], Plan], compiled: Callable[[Plan], Executable]
    ) -> tuple[Plan, Executable | None]:
        """The plan whose kernels are the fastest together, and its executable where it was measured now.

        Parameters  batch : what the choice is for, and kept by ; lower : makes the plan, with what ``prefers`` says
                    compiled : makes it ready to run
        """
        self._engine = engine
        if batch in self._chosen:
            return self._plan(self._chosen[batch], lower), None
        found: dict[frozenset[int], tuple[float, Plan]] = {}
        for share in _SHARES:
            plan = self._plan(share, lower)
            chosen = frozenset(i for i, asked in enumerate(self._asked) if asked < share)
            if chosen:
                found.setdefault(chosen, (share, plan))
        dense = self._plan(0.0, lower)
        if not found:
            self._chosen[batch] = 0.0
            return dense, None
        tried = [(0.0, dense), *found.values()]
        ready = [compiled(plan) for _, plan in tried]
        times = times_in_turn([partial(one.run, inputs_like(one.plan)) for one in ready], fewest=6, clear=_CLEAR)
        best = min(range(len(tried)), key=lambda i: min(times[i]))
        # Beside other programs the fastest time can be one of luck, so most turns must say the same.
        typical = statistics.median(mine / dense for mine, dense in zip(times[best], times[0], strict=True))
        if max(typical, min(times[best]) / min(times[0])) >= _GAIN:
            best = 0
        self._chosen[batch] = tried[best][0]
        return tried[best][1], ready[best]

    def _plan(self, share: float, lower: Callable[[], Plan]) -> Plan:
        self.share, self._asked = share, []
        try:
            return lower()
        finally:
            self.share = 0.0


def inputs_like(plan: Plan) -> dict[str, NDArray[Any]]:
    """Numbers that a plan's inputs could be."""
    rng = np.random.default_rng(0)
    found: dict[str, NDArray[Any]] = {}
    for name, value in plan.inputs.items():
        whole = value.dtype == "int"
        found[name] = np.zeros(value.shape, np.int32) if whole else rng.normal(size=value.shape).astype(np.float32)
    return found


def share_of_dense_time(engine: Engine, shape: Shape, weight: FrozenWeight, geometry: Geometry | None) -> float:
    """The time of the kernel for the weight's form over that of the dense one, by the times of both in turn."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    runs: list[Executable] = []
    for compressed in (False, True):
        k, value = Builder(training=False), Value(shape, "float", "input", "x0")
        base = Value((int(np.prod(weight.shape)),), role="arena", name="w")
        w = Value(weight.shape, role="parameter", name="w", base=base)
        if compressed:
            y = weight.compressed_product(k, value, geometry)
        else:
            y = k.matmul(value, w) if geometry is None else k.conv(value, w, **geometry)
        arenas = {} if compressed else {"w": base}
        # In a packed network weights are constants, which engines lay out beforehand.
        plan = Plan(k.nodes, {"x0": value}, {"output0": y}, arenas, k.scalars, shape[0], constants=frozenset(arenas))
        runs.append(engine.compile(optimise(plan), {} if compressed else {"w": aligned_copy(weight.dense().reshape(-1))}))
    if not getattr(runs[1], "native", True):
        return float("inf")  # this engine has no kernel for it
    dense, other = best_times([partial(run.predict, x) for run in runs], seconds=0.3, clear=_CLEAR)
    return other / dense
