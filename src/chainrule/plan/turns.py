"""From several objectives on one graph of layers, trained in turn, to one plan of a whole round."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

from ..errors import ShapeError
from ..losses import ElementwiseLoss, Loss
from ..network import Call, NetworkGraph
from ..ops import Builder, Value
from ..ops.value import Shape
from ..optimizers import Optimizer
from ..registry import identity
from .lower import _Lowering
from .plan import Plan

__all__ = ["PlannedTurn", "lower_round", "scalar_prefix", "slot_prefix"]

#: How many random numbers a layer may ask for in one call. Each call of a network has streams of its own, so that two turns
#: that use one call see the same numbers.
_STREAMS = 64


@dataclass(frozen=True, eq=False)
class PlannedTurn:
    """One objective of a round, on the tensors of a network by their numbers.

    Parameters
        name : of the output of the plan that is its J
        outputs, losses, loss_weights : J = Σᵢ vᵢ Lᵢ
        targets : of each output a tensor, a number that stands for the target everywhere, or None where the loss needs none
        weights : of each output a tensor (N,) or of the shape of ℓ, a number, or None for 1
        learns : names of the layers that are trained ; optimizer : makes the update ; steps : how often in a round
    """

    name: str
    outputs: Sequence[int]
    losses: Sequence[Loss]
    loss_weights: Sequence[float]
    targets: Sequence[int | float | None]
    weights: Sequence[int | float | None]
    learns: Collection[str]
    optimizer: Optimizer
    steps: int = 1

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What tells the plans of two turns apart."""
        return (
            self.name, *self.outputs, *map(identity, self.losses), *self.loss_weights, *map(identity, self.targets),
            *map(identity, self.weights), *sorted(self.learns), self.steps,
        )  # fmt: skip

    @property
    def tensors(self) -> list[int]:
        """All tensors that it reads."""
        more = [t for t in (*self.targets, *self.weights) if isinstance(t, int) and not isinstance(t, bool)]
        return [*self.outputs, *more]


def slot_prefix(turn: int) -> str:
    """What stands before the names of the slots of a turn's optimizer."""
    return f"{turn}."


def scalar_prefix(turn: int, step: int) -> str:
    """What stands before the names of the scalars of a turn's optimizer, in its step number ``step`` of the round."""
    return f"{turn}.{step}."


class _TurnLowering(_Lowering):
    """The lowering of one step of one turn, on its share of the samples of a round."""

    def __init__(
        self,
        network: NetworkGraph,
        turn: PlannedTurn,
        number: int,
        rows: tuple[int, int],
        round_: _Round,
        repetition: int,
    ) -> None:
        learned = set(turn.learns) - network.frozen
        frozen = {name for name in network.layers if name not in learned}
        super().__init__(network.part(turn.tensors, frozen), rows[1] - rows[0], round_.training, round_.shapes)
        self.turn, self.number, self.round, self.repetition = turn, number, round_, repetition
        self.arenas, self.inputs = round_.arenas, round_.inputs
        with self.k.at("forward"):
            for name, at in zip(self.inputs, network.input_ids, strict=True):
                x = self.inputs[name]
                self.tensors[at] = x if rows == (0, round_.batch) else self.k.slice(x, 0, *rows)

    def begin(self, call: Call) -> None:
        # A turn keeps the states of the layers that it trains itself.
        self.k.training = self.training and call.name not in self.round.still
        self.k.keeps_states = call.name in self.turn.learns
        self.k.random_count = (self.repetition * len(self.round.places) + self.round.places[call.output]) * _STREAMS

    def arena(self, kind: str, block: int = 0) -> Value:
        slot = kind.removeprefix("slot.")
        return super().arena(kind if slot == kind else f"slot.{slot_prefix(self.number)}{slot}", block)

    def given(self, tensor: int | float | None, loss: Loss, z: Value) -> Value:
        """A target as a value: a tensor of the network, or a number that stands for it everywhere."""
        if tensor is None:
            return self.k.constant(0.0)
        if isinstance(tensor, float):
            if not isinstance(loss, ElementwiseLoss):
                raise ShapeError(f"turn {self.turn.name!r}: {type(loss).__name__} takes no number as its target.")
            return self.k.constant(tensor)
        found = self.tensors[tensor]
        forms = loss.target(z.shape)
        if (found.shape, found.dtype) in forms:
            return found
        if isinstance(loss, ElementwiseLoss) and found.size == z.size and found.dtype == "float":
            return self.k.reshape(found, z.shape)
        wanted = " or ".join(f"{shape} {dtype}" for shape, dtype in forms)
        raise ShapeError(
            f"turn {self.turn.name!r}: {type(loss).__name__} of an output of shape {z.shape} needs a target of shape "
            f"{wanted}. Got {found.shape} {found.dtype}."
        )

    def factor(self, tensor: int | float | None) -> Value | None:
        """A weight as a value."""
        if tensor is None:
            return None
        if isinstance(tensor, float):
            return self.k.constant(tensor)
        found = self.tensors[tensor]
        return self.k.reshape(found, (self.batch,)) if found.size == self.batch else found

    def emit(self, *, update: bool) -> Value:
        """Emits the step and returns J."""
        turn = self.turn
        self.forward()
        zs = [self.tensors[i] for i in turn.outputs]
        with self.k.at("loss"):
            targets = [self.given(t, loss, z) for t, loss, z in zip(turn.targets, turn.losses, zs, strict=True)]
            weights = [self.factor(w) for w in turn.weights]
        total, first, _ = self.loss(zs, turn.losses, turn.loss_weights, targets, weights)
        if not update:
            return total
        self.backward(first)
        if not any(self.network.trainable(f"{layer}.{name}") for layer, name in self.k.gradients):
            raise ShapeError(
                f"turn {turn.name!r}: no parameter of the layers that it trains has an influence on its outputs. "
                f"Let outputs= depend on the layers of learns=."
            )
        sparse = self.sparse(turn.optimizer)
        self.place_gradients(sparse)
        total = self.update(turn.optimizer, total, sparse)
        for name, scalar in self.k.scalars.items():
            scalar.name = scalar_prefix(self.number, self.repetition) + name
        return total


@dataclass
class _Round:
    """What the steps of a round share: their inputs and arenas, and which layers act as in prediction."""

    arenas: dict[str, Value]
    inputs: dict[str, Value]
    batch: int
    shapes: Sequence[Shape]
    training: bool
    still: Collection[str]
    places: dict[int, int]


def lower_round(
    network: NetworkGraph,
    turns: Sequence[PlannedTurn],
    batch: int,
    *,
    shapes: Sequence[Shape] | None = None,
    still: Collection[str] = (),
    training: bool = True,
    update: bool = True,
) -> Plan:
    """All steps of all turns, one after the other, as one plan.

    Every step of a turn that has several takes its own share of the samples of the round; turns with fewer steps take the
    first shares. So the turns of a round see the same samples and, at equal places of the network, the same random numbers,
    and what one of them has computed with parameters that nobody has changed since is not computed again by the next.

    Parameters
        turns : in their order ; batch : the samples of a round ; shapes : of one sample of each input
        still : names of layers that act as in prediction, such as those of a teacher
        training : whether Dropout and the like train ; update : False computes the objectives only
    Outputs     "loss", the sum of the J of all turns, each the mean over its steps ; "metric.NAME" the J of a turn times the
                samples of the round
    """
    steps = max(turn.steps for turn in turns)
    if batch < steps:
        raise ShapeError(f"a round of {steps} steps needs at least {steps} samples. Got {batch}.")
    given = network.concrete(shapes)
    inputs = {
        f"x{i}": Value((batch, *shape), dtype, "input", f"x{i}")
        for i, (shape, dtype) in enumerate(zip(given, network.input_dtypes, strict=True))
    }
    places = {output: n for n, call in enumerate(network.calls) for output in call.outputs}
    shared = _Round({}, inputs, batch, given, training, still, places)
    nodes, scalars = [], dict[str, Value]()
    found: dict[str, Value] = {}
    last = Builder()
    for number, turn in enumerate(turns):
        parts = []
        for repetition in range(turn.steps):
            rows = (batch * repetition // steps, batch * (repetition + 1) // steps)
            low = _TurnLowering(network, turn, number, rows, shared, repetition)
            parts.append(low.emit(update=update))
            nodes += low.k.nodes
            scalars |= {scalar.name: scalar for scalar in low.k.scalars.values()}
        last.nodes = []
        with last.at("loss"):
            total = parts[0]
            for part in parts[1:]:
                total = last.add(total, part)
            if len(parts) > 1:
                total = last.multiply(total, 1 / len(parts))
            found["loss"] = last.add(found["loss"], total) if "loss" in found else total
            found[f"metric.{turn.name}"] = last.multiply(total, float(batch))
        nodes += last.nodes
    return Plan(nodes, inputs, found, shared.arenas, scalars, batch)
