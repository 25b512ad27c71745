"""What a step minimises: the losses of a network's outputs, and what their targets and weights are like."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ParameterError
from ..losses import Loss
from ..metrics import Metric
from ..network import NetworkGraph
from ..ops import SparseMatrix
from ..ops.value import Shape
from ..optimizers import Optimizer
from ..plan import Plan, lower_training
from ..registry import identity

__all__ = ["Objective"]


@dataclass(frozen=True, eq=False)
class Objective:
    """J = Σᵢ vᵢ Lᵢ, and how the arrays of a batch are to be read.

    Parameters
        losses : L, one for each output
        forms : of the targets of each output, as in ``Loss.target``; empty for the first form of all
        weights : the kind of weights of each output: None, "sample" or "element", as in ``lower_training``; empty for none
        loss_weights : v, the factor of each loss; None for 1
        metrics : of the first output, computed along with the loss
        constants : inputs, by number, that are constant sparse matrices and no part of a batch
        start : tensors, by number, that a batch holds in place of the network's inputs; empty for the inputs
        before : (FLOPs, bytes) for each sample of making these from the inputs
        sparse : inputs, by number, of which a batch holds sparse rows
        taken_out : states of layers that are subtracted from inputs and targets before they are narrowed (``Origins``)
    """

    losses: Sequence[Loss]
    forms: Sequence[int] = ()
    weights: Sequence[str | None] = ()
    loss_weights: Sequence[float] | None = None
    metrics: Sequence[Metric] = ()
    constants: Mapping[int, SparseMatrix] = field(default_factory=dict)
    start: tuple[int, ...] = ()
    before: tuple[float, float] = (0.0, 0.0)
    taken_out: Collection[str] = ()
    sparse: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.losses)
        for name, default in (("forms", 0), ("weights", None)):
            value = list(getattr(self, name)) or [default] * count
            if len(value) != count:
                raise ParameterError(f"Objective: {name} must be one for each of {count} losses. Got {value!r}.")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "losses", list(self.losses))
        object.__setattr__(self, "metrics", list(self.metrics))

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What tells the plans of two objectives apart, where the losses and the metrics are the same objects."""
        digests = (one.digest for one in self.constants.values())
        return (*self.forms, *self.weights, *digests, self.start, self.sparse, *sorted(self.taken_out))

    @property
    def full_key(self) -> tuple[Hashable, ...]:
        """What tells the plans of two objectives apart, whatever their losses are."""
        return (*self.key, *(self.loss_weights or ()), *map(identity, self.losses), *map(identity, self.metrics))

    def lower(
        self,
        network: NetworkGraph,
        optimizer: Optimizer | None,
        batch: int,
        shapes: Sequence[Shape] | None = None,
        **options: Any,
    ) -> Plan:
        """The plan of a step. Parameters  shapes : of one sample of each input ; options : of ``lower_training``"""
        plan = lower_training(
            network,
            self.losses,
            optimizer,
            batch,
            shapes=shapes,
            targets=self.forms,
            weights=self.weights,
            loss_weights=self.loss_weights,
            metrics=self.metrics,
            constants=self.constants,
            start=self.start,
            taken_out=self.taken_out,
            sparse=self.sparse,
            **options,
        )
        if self.start:
            plan.beside = (round(self.before[0] * batch), round(self.before[1] * batch))
        return plan
