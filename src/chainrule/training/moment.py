"""A moment of a training, kept so that it can be looked at closely when the training is over."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..engine.reference import ReferenceEngine
from ..plan import Plan, lower_trace
from ..plan.passes import eliminate_dead_code
from .divergence import Run

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["Moment"]

Array = NDArray[Any]
#: Samples that are looked at, at most; and what looking at them may cost.
SAMPLES, FLOPS, BYTES = 32, 2e9, 128e6


class Moment:
    """Some samples of one step, and the weights before it or those of now.

    Parameters  trainer : of the training ; run : the piece whose first step it is
    Attributes  step : number of it ; network : of the training
    """

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self.trainer, self.network, self.step, self.seed = trainer, trainer.network, run.step, run.seed
        self.shapes = run.piece.shapes
        recurrent = any("recurrent_weight" in name for name in self.network.parameters)
        # Where samples belong together, as the nodes of a graph, a part of them is no batch.
        whole = bool(trainer.constants) or any(call.layer.samples() is not None for call in self.network.calls)
        rows: Any = slice(0, min(SAMPLES, run.piece.batch))
        if run.piece.order is not None:
            rows = run.piece.order[rows]
        names = run.executable.plan.inputs if recurrent and not whole else ()
        self.inputs = {name: np.array(run.piece.data[name][rows]) for name in names}
        self._kept: Mapping[str, Array] | None = None

    def keep_weights(self) -> None:
        """Copies the weights as they are now; without it those of the moment of looking are taken."""
        if self.inputs:
            self._kept = {"parameters": self.network.parameters.flat.copy(), "states": self.network.states.flat.copy()}

    def now(self) -> Moment:
        """The same samples with the weights of the moment of looking."""
        found = copy.copy(self)
        found._kept = None
        return found

    def inside(self) -> dict[int, dict[str, Array]]:
        """What recurrent layers have inside in forward and backward pass: {number of the call: {name: array}}, in float64.

        Computed by the reference engine for at most ``SAMPLES`` samples, fewer for a large network; nothing is changed.
        """
        if not self.inputs:
            return {}
        count = min(len(a) for a in self.inputs.values())
        plan = self._plan(count)
        fewer = max(1, min(count, int(count * min(FLOPS / max(plan.flops, 1), BYTES / max(plan.bytes, 1)))))
        if fewer < count:
            plan, count = self._plan(fewer), fewer
        weights = self._kept or {"parameters": self.network.parameters.flat, "states": self.network.states.flat}
        arenas = {name: weights[name].astype(np.float64) for name in plan.arenas}
        given = {name: self.inputs[name][:count] for name in plan.inputs}
        with np.errstate(all="ignore"):
            found = ReferenceEngine("float64").compile(plan, arenas).run(given, step=self.step, seed=self.seed)
        inside: dict[int, dict[str, Array]] = {}
        for full, array in found.items():
            _, number, name = full.split(".", 2)
            inside.setdefault(int(number), {})[name] = array
        return inside

    def parameters(self) -> dict[str, Array]:
        """The parameters of this moment by name."""
        if self._kept is None:
            return dict(self.network.parameters.items())
        flat = self._kept["parameters"]
        entries = self.network.parameters.entries
        return {name: flat[e.offset : e.offset + e.size].reshape(e.shape) for name, e in entries.items()}

    def _plan(self, batch: int) -> Plan:
        trainer = self.trainer
        plan = lower_trace(
            self.network,
            trainer.losses,
            batch,
            shapes=self.network.concrete(self.shapes),
            targets=trainer.forms,
            weights=trainer.weights,
        )
        plan.outputs = {name: value for name, value in plan.outputs.items() if name.startswith("inside.")}
        return plan.replace(eliminate_dead_code(plan.nodes, plan.outputs.values()))
