"""A moment of a training, kept so that it can be looked at closely when the training is over."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.sparse import SparseRows
from ..engine.reference import ReferenceEngine
from ..plan import Plan, lower_trace
from ..plan.passes import eliminate_dead_code
from .divergence import Run

if TYPE_CHECKING:
    from .state import FitState

__all__ = ["Moment"]

Array = NDArray[Any]
#: The most samples that are traced forwards and backwards, and the most of the start that are traced forwards only; the most
#: bytes of samples that are kept, and of memory that a trace may need.
SAMPLES, MORE_SAMPLES, _KEPT, BYTES = 32, 256, 2**23, 128e6
#: The operations of a trace: this share of those of the training, since the reference engine takes some ten times as long
#: for an operation as the fast one; but at least and at most so many.
_SHARE, _LEAST, _MOST = 1.5e-3, 1e8, 2e9


class Moment:
    """Some samples of one step, with the weights before that step or with the present ones.

    Parameters  state : of the training ; run : the piece whose first step it is ; samples : that are kept, at most
    Attributes  step : number of it ; network : of the training
    """

    def __init__(self, state: FitState, run: Run, samples: int = SAMPLES) -> None:
        self.state, self.network, self.step, self.seed = state, state.network, run.step, run.seed
        self.shapes, self._flops = run.piece.shapes, run.executable.plan.flops
        # Where samples belong together, such as the nodes of a graph, some of them are no batch.
        whole = bool(state.objective.constants) or any(call.layer.samples() is not None for call in self.network.calls)
        names = () if whole else run.executable.plan.inputs
        given = run.piece.data
        bytes_each = sum(given[name].dtype.itemsize * math.prod(given[name].shape[1:]) for name in names)
        rows: Any = slice(0, max(1, min(samples, run.piece.batch, _KEPT // max(1, bytes_each))))
        if run.piece.order is not None:
            rows = run.piece.order[rows]
        several = {name: given[name][rows] for name in names}
        self.inputs = {name: a.dense() if isinstance(a, SparseRows) else np.array(a) for name, a in several.items()}
        self._kept: Mapping[str, Array] | None = None

    @property
    def recurrent(self) -> bool:
        """Whether the network has a recurrent layer."""
        return any(name.endswith(".recurrent_weight") for name in self.network.parameters)

    def keep_weights(self) -> None:
        """Copies the present weights, to be used in the later traces instead of those of that time."""
        if self.inputs:
            self._kept = {name: array.copy() for name, array in self._weights().items()}

    def _weights(self) -> dict[str, Array]:
        return self.network.arenas()

    def now(self) -> Moment:
        """The same samples with the weights that the network has when it is traced."""
        found = copy.copy(self)
        found._kept = None
        return found

    def inside(self) -> dict[int, dict[str, Array]]:
        """What recurrent layers have inside in forward and backward pass: {number of the call: {name: array}}, in float64.

        Computed by the reference engine for at most ``SAMPLES`` samples, fewer for a large network; nothing is changed.
        """
        if not self.inputs or not self.recurrent:
            return {}
        inside: dict[int, dict[str, Array]] = {}
        for full, array in self._run(SAMPLES, "inside.", self.state.losses, "float64").items():
            _, number, name = full.split(".", 2)
            inside.setdefault(int(number), {})[name] = array
        return inside

    def outputs(self) -> dict[int, Array]:
        """The first output of every layer, as in prediction, for at most all samples that were kept: {number of the call:
        array}."""
        if not self.inputs:
            return {}
        found = self._run(MORE_SAMPLES, "y.", None, self.network.dtype)
        return {int(name[2:]): array for name, array in found.items() if name.count(".") == 1}

    def _run(self, most: int, prefix: str, losses: Any, dtype: str) -> dict[str, Array]:
        count = min(most, *(len(a) for a in self.inputs.values()))
        plan = self._plan(count, prefix, losses)
        allowed = min(_MOST, max(_LEAST, _SHARE * self._flops * self.state.step))
        fewer = max(1, min(count, int(count * min(allowed / max(plan.flops, 1), BYTES / max(plan.bytes, 1)))))
        if fewer < count:
            plan, count = self._plan(fewer, prefix, losses), fewer
        weights = self._kept or self._weights()
        arenas = {name: weights[name].astype(dtype) for name in plan.arenas}
        given = {name: self.inputs[name][:count] for name in plan.inputs}
        with np.errstate(all="ignore"):
            return ReferenceEngine(dtype).compile(plan, arenas).run(given, step=self.step, seed=self.seed)

    def parameters(self) -> dict[str, Array]:
        """The parameters of this moment by name."""
        if self._kept is None:
            return dict(self.network.parameters.items())
        parameters = self.network.parameters
        return {name: parameters.part(self._kept, "parameters", name) for name in parameters}

    def _plan(self, batch: int, prefix: str, losses: Any) -> Plan:
        objective = self.state.objective
        plan = lower_trace(
            self.network,
            losses,
            batch,
            shapes=self.network.concrete(self.shapes),
            targets=objective.forms,
            weights=objective.weights,
            training=losses is not None,
        )
        plan.outputs = {name: value for name, value in plan.outputs.items() if name.startswith(prefix)}
        return eliminate_dead_code(plan)
