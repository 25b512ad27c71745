"""Several networks that share layers, trained in turn, each with an objective and an optimizer of its own.

    x, z = Input((2,)), Noise(8)
    fake = generator(z(x))
    turns = Turns(
        [
            Turn([critic(x), critic(fake)], "binary_cross_entropy", targets=[1, 0], learns=critic),
            Turn(critic(fake), "binary_cross_entropy", targets=1, learns=generator),
        ],
        inputs=x,
    )
    turns.fit(X, epochs=10)

All turns are objectives on one graph of layers. A round, all steps of all turns, is one plan, so an epoch is one call of the
engine however small the networks are; and what one turn has computed is not computed again by the next one where no
parameter has changed that it depends on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, Maybe
from ..errors import NotFittedError, ParameterError
from ..layers import Layer, Tensor
from ..losses import Loss, get_loss
from ..network import NetworkGraph
from ..ops import Builder, Value
from ..ops.value import Shape
from ..optimizers import Optimizer, Schedule, get_optimizer
from ..plan import Plan
from ..plan.turns import PlannedTurn, lower_round, scalar_prefix, slot_prefix
from .callbacks import Callback, Logs
from .data_dependent import data_dependent_parameters, standardising_layers
from .executables import Executables
from .feeds import ArrayFeed
from .history import History
from .intake import input_arrays, input_dtypes
from .interrupt import sigterm_at_end
from .objective import Objective
from .settings import FitSettings
from .state import FitState
from .trainable import Trainable
from .trainer import Trainer

__all__ = ["Turn", "Turns"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
#: What a target or a weight may be: a tensor of the graph, a number that stands for it everywhere, or nothing.
Given = Tensor | float | None
#: Seeds are drawn below this number: all of them are exact in JSON.
_SEEDS = 2**53


class Turn:
    """One of the objectives of ``Turns``: what is minimised, and what learns from it.

    The objective is J = Σᵢ vᵢ Lᵢ, where Lᵢ is the mean over the batch of wᵢ ℓᵢ(zᵢ, yᵢ) for the output zᵢ, its target yᵢ and
    its weight wᵢ. No gradient goes into targets and weights, which may be tensors of the same graph: the output of a
    teacher, the input itself, an advantage.

    Parameters
        outputs : a Tensor of the graph, or a list of them
        loss : a loss or its name, or a list with one for each output. "output" minimises the output itself
        learns : networks and layers that are trained in this turn; all others stay as they are, and the gradient goes
            through them
        targets : for each output a Tensor, a number, or None where the loss needs none; one for all, or a list
        weights : the same for the weights of samples, or of the entries of ℓ
        loss_weights : v, a number for each output, below 0 to maximise it; None for 1
        optimizer : an Optimizer or its name = "adam" ; learning_rate : takes the place of the optimizer's own
        steps : how many steps it has in a round = 1, each on samples of its own
        average : d in (0, 1), to keep a moving average of the learned parameters, w̄ ← d w̄ + (1 − d) w with each step, which
            ``Turns.take_average`` gives the layers; None for none
        name : of its objective in the history; None takes "turn1", "turn2", ...
    Raises      ParameterError, UnknownNameError for arguments that do not fit together
    """

    def __init__(
        self,
        outputs: Tensor | Sequence[Tensor],
        loss: Any,
        *,
        learns: Any,
        targets: Any = None,
        weights: Any = None,
        loss_weights: Sequence[float] | None = None,
        optimizer: str | Optimizer = "adam",
        learning_rate: Any = None,
        steps: int = 1,
        average: float | None = None,
        name: str | None = None,
    ) -> None:
        self.outputs: list[Tensor] = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        if not self.outputs or not all(isinstance(t, Tensor) for t in self.outputs):
            raise ParameterError(f"Turn: outputs must be Tensors of a graph, such as Dense(1)(x). Got {outputs!r}.")
        count = len(self.outputs)
        self.losses: list[Loss] = [get_loss(one) for one in _each("loss", loss, count)]
        self.targets = [_given("targets", one) for one in _each("targets", targets, count)]
        self.weights = [_given("weights", one) for one in _each("weights", weights, count)]
        for one, target in zip(self.losses, self.targets, strict=True):
            one.validate()
            if target is None and one.needs_target:
                raise ParameterError(
                    f"Turn: {type(one).__name__} compares an output with a target. Give targets= a number, or a Tensor "
                    f'such as an Input; loss="output" minimises the output itself.'
                )
        factors = [1.0] * count if loss_weights is None else list(loss_weights)
        if len(factors) != count or not all(map(Interval(float).holds, factors)):
            raise ParameterError(f"Turn: loss_weights must be one finite number for each of {count} outputs. Got {factors}.")
        self.loss_weights = [float(one) for one in factors]
        self.learns = list(learns) if isinstance(learns, (list, tuple)) else [learns]
        if not self.learns or not all(isinstance(one, (NetworkGraph, Layer)) for one in self.learns):
            raise ParameterError(f"Turn: learns must be networks or layers of the graph. Got {learns!r}.")
        self.optimizer = copy.deepcopy(get_optimizer(optimizer))
        if learning_rate is not None:
            self.optimizer.learning_rate = copy.deepcopy(learning_rate)
        self.optimizer.validate()
        if self.optimizer.full_batch:
            raise ParameterError(
                f"Turn: {type(self.optimizer).__name__} looks for a minimum of one function of all samples, and a turn "
                f"changes the function of the next one. Use another optimizer, such as Adam."
            )
        self.steps = Interval(int, 1).check("Turn", "steps", steps)
        self.average = Maybe(Interval(float, 0, 1, closed="neither")).check("Turn", "average", average)
        self.name = name

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors that it reads."""
        return [t for t in (*self.outputs, *self.targets, *self.weights) if isinstance(t, Tensor)]


def _each(name: str, value: Any, count: int) -> list[Any]:
    """A list with one value for each output, from a list or from one value that holds for all outputs."""
    found = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(found) != count:
        raise ParameterError(f"Turn: {name} must be one for all outputs, or a list of {count}. Got {len(found)}.")
    return found


def _given(name: str, value: Any) -> Given:
    if value is None or isinstance(value, Tensor):
        return value
    if not Interval(float).holds(value):
        raise ParameterError(f"Turn: {name} must be numbers or Tensors of the graph. Got {value!r:.80}.")
    return float(value)


class _Averaged(Optimizer):
    """An optimizer that keeps a moving average of the parameters beside its own slots.

    The average of step t holds the parameters before it; it starts at 0, so it is divided by 1 − dᵗ in the end.
    """

    def __init__(self, inner: Optimizer, decay: float) -> None:
        vars(self).update(vars(inner))
        self.inner, self.decay = inner, decay
        self.by_variable = inner.by_variable  # type: ignore[misc]

    @property
    def slots(self) -> tuple[str, ...]:
        return (*self.inner.slots, "average")

    def validate(self) -> None:
        self.inner.validate()

    def slot_start(self) -> dict[str, float]:
        return {**self.inner.slot_start(), "average": 0.0}

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        return self.inner.scalars(t, lr)

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        average = slot["average"]
        k.assign(average, k.add(k.multiply(average, self.decay), k.multiply(w, 1 - self.decay)))
        self.inner.update(k, w, g, {name: value for name, value in slot.items() if name != "average"})


class _Together(Optimizer):
    """The optimizers of all turns as one, for the trainer: their slots and scalars, each under names of its own."""

    def __init__(self, parts: Sequence[tuple[Optimizer, int]]) -> None:
        super().__init__(1.0)
        self.parts = parts

    def validate(self) -> None:
        for optimizer, _ in self.parts:
            optimizer.validate()

    def rates(self, t: Floats) -> Floats:
        optimizer, steps = self.parts[0]
        return optimizer.rates(t * steps)

    def slot_start(self) -> dict[str, float]:
        return {
            f"{slot_prefix(number)}{slot}": start
            for number, (optimizer, _) in enumerate(self.parts)
            for slot, start in optimizer.slot_start().items()
        }

    def scalars(self, t: Floats, lr: Floats) -> dict[str, Floats]:
        found = {}
        for number, (optimizer, steps) in enumerate(self.parts):
            for step in range(steps):
                own = (t - 1) * steps + step + 1
                for name, values in optimizer.scalars(own, optimizer.rates(own)).items():
                    found[scalar_prefix(number, step) + name] = values
        return found


@dataclass(frozen=True, eq=False)
class _RoundObjective(Objective):
    """What a round minimises. Parameters  turns ; still : names of layers that act as in prediction"""

    turns: Sequence[PlannedTurn] = ()
    still: frozenset[str] = frozenset()

    def lower(
        self,
        network: NetworkGraph,
        optimizer: Optimizer | None,
        batch: int,
        shapes: Sequence[Shape] | None = None,
        **options: Any,
    ) -> Plan:
        return lower_round(network, self.turns, batch, shapes=shapes, still=self.still, **options)


class _Schedules(Callback):
    """Tells the learning-rate schedules of all turns that an epoch is over."""

    def __init__(self, parts: Sequence[tuple[Optimizer, int]]) -> None:
        self.schedules = [(o.learning_rate, steps) for o, steps in parts if isinstance(o.learning_rate, Schedule)]

    def on_fit_begin(self, state: FitState) -> None:
        for schedule, steps in self.schedules:
            schedule.reset()
            schedule.bind((state.steps_an_epoch or 1) * steps)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        for schedule, _ in self.schedules:
            schedule.epoch_end(schedule.monitored(logs))


class Turns:
    """Objectives on one graph of layers that are minimised in turn, each by the layers that it names.

    A round has all steps of all turns, one after the other; an epoch has as many rounds as the samples fill. The turns of a
    round see the same samples (a turn of k steps k batches of them) and, where they share a layer that draws random numbers,
    the same numbers. A layer that some turn trains acts as in training in all turns, and keeps its running statistics in
    those that train it. A layer with something to learn that no turn trains acts as in prediction, and so do all layers of a
    network of which no turn trains any, such as a teacher. What stands in the graph by itself and has nothing to learn, such
    as GaussianNoise, acts as in training.

    Networks that stand in the graph share its layers: ``generator.predict`` gives what was learned so far.

    Parameters
        turns : the Turns of a round, in their order
        inputs : the Input of the graph, or a list of them in the order of the arrays that ``fit`` is given
        random_state : int, numpy Generator or None; draws start weights, the order of the samples, and noise
        dtype : "float32" or "float64"; float64 runs on the reference engine
    Attributes  network : the graph of all turns, whose outputs are all tensors that they read
                history_ : after a fit; the objective of each turn under its name, and "loss", their sum
    Raises      ParameterError when a name is used twice, or a turn trains what does not stand in the graph

    Example
        >>> from chainrule import Dense, Input, Network
        >>> x = Input((3,))
        >>> teacher, student = Network([Dense(1)], random_state=0), Network([Dense(4), Dense(1)], random_state=1)
        >>> turns = Turns([Turn(student(x), "squared_error", targets=teacher(x), learns=student)], inputs=x, random_state=0)
        >>> X = np.random.default_rng(0).normal(size=(256, 3)).astype(np.float32)
        >>> turns = turns.fit(X, epochs=30, verbose=0)
        >>> turns.history_["loss"][-1] < 0.05 * turns.history_["loss"][0]
        True
    """

    history_: History

    def __init__(
        self,
        turns: Turn | Sequence[Turn],
        *,
        inputs: Tensor | Sequence[Tensor],
        random_state: Any = None,
        dtype: str = "float32",
    ) -> None:
        self.turns = [turns] if isinstance(turns, Turn) else list(turns)
        if not self.turns or not all(isinstance(turn, Turn) for turn in self.turns):
            raise ParameterError(f"Turns: expected a list of Turn(...). Got {turns!r}.")
        self.names = [turn.name or f"turn{i}" for i, turn in enumerate(self.turns, 1)]
        if len(set(self.names)) < len(self.names) or "loss" in self.names:
            raise ParameterError(f"Turns: each turn needs a name of its own, other than 'loss'. Got {self.names}.")
        tensors = {id(t): t for turn in self.turns for t in turn.tensors}
        self.network = Trainable(
            inputs=inputs, outputs=list(tensors.values()), random_state=random_state, dtype=dtype
        )  # fmt: skip
        self._numbers = dict(zip(tensors, self.network.output_ids, strict=True))
        self._learns = [self.network.named(*turn.learns) for turn in self.turns]
        learned = {name for names in self._learns for name in names}
        parts = [set(self.network.named(part)) for part, _ in self.network._inside]
        #: Layers of networks of which nothing is learned.
        self._still = {name for part in parts if not part & learned for name in part} - learned
        self._trainer: Trainer | None = None

    def __repr__(self) -> str:
        return f"Turns({', '.join(f'{n}: {t.steps} step(s)' for n, t in zip(self.names, self.turns, strict=True))})"

    # ------------------------------------------------------------ training

    @sigterm_at_end()
    def fit(
        self,
        X: Any,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        validation_data: Any = None,
        callbacks: Any = None,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
        verbose: int = 1,
    ) -> Turns:
        """Trains all turns, from the weights that the layers have, with new states of the optimizers.

        Parameters
            X : the samples (N, ...), or a list with one array for each input
            epochs : int >= 1 ; batch_size : int >= 1, the samples of one step; samples at the end of an epoch that do not
                fill a round are left out of it
            shuffle : whether the samples are put in a new order for every epoch
            validation_data : samples as X, on which the objectives are evaluated after every epoch, as "val_..."
            callbacks, engine, threads, precision, verbose : as of ``Network.fit``
        Raises      ShapeError, DtypeError, DataError : X does not fit ; ParameterError ; DivergenceError
        """
        settings = FitSettings(
            epochs=epochs, batch_size=batch_size, shuffle=shuffle, callbacks=callbacks, engine=engine, threads=threads,
            precision=precision, verbose=verbose,
        )  # fmt: skip
        feed = self._feed(X, "X", whole=True)
        held_out = None if validation_data is None else self._feed(validation_data, "validation_data", whole=False)
        self.network._runtime.use_engine(self.network, engine, threads, precision)
        self._trainer = self._new_trainer()
        return self._run(feed, settings, held_out)

    @sigterm_at_end()
    def partial_fit(self, X: Any, *, batch_size: int = 32, shuffle: bool = True) -> Turns:
        """Makes one pass over the samples, with the optimizers as the last pass or fit has left them.

        Parameters and errors as of ``fit``
        """
        feed = self._feed(X, "X", whole=True)
        if self._trainer is None:
            self._trainer = self._new_trainer()
        settings = FitSettings(
            epochs=self._trainer.state.epoch + 1, batch_size=batch_size, shuffle=shuffle, verbose=0
        )  # fmt: skip
        return self._run(feed, settings, None)

    def take_average(self) -> Turns:
        """Gives the layers the moving averages that turns with ``average=`` have kept since the last ``fit`` began.

        Raises      NotFittedError before a fit
        """
        trainer = self._trainer
        if trainer is None or not trainer.state.step:
            raise NotFittedError("take_average: fit the turns first.")
        parameters = self.network.parameters
        for number, (turn, names) in enumerate(zip(self.turns, self._learns, strict=True)):
            if turn.average is None:
                continue
            share = 1 - turn.average ** (trainer.state.step * turn.steps)
            for full, variable in parameters.variables.items():
                if full.rpartition(".")[0] in names and full.rpartition(".")[0] not in self.network.frozen:
                    kept = parameters.part(trainer.arenas, f"slot.{slot_prefix(number)}average", full)
                    variable.array[...] = kept / share
                    variable.project()
                    variable.changed()
        return self

    def evaluate(self, X: Any, *, batch_size: int | None = None) -> dict[str, float]:
        """The objective of each turn by its name, and "loss", their sum, with layers as in prediction.

        Parameters  X : as in ``fit`` ; batch_size : samples computed at a time, None chooses the number
        """
        return self._evaluate(self._feed(X, "X", whole=False), batch_size)

    def _run(self, feed: ArrayFeed, settings: FitSettings, held_out: ArrayFeed | None) -> Turns:
        trainer = self._trainer
        assert trainer is not None
        together = trainer.optimizer
        assert isinstance(together, _Together)
        self.history_ = trainer.state.history
        shown: list[Callback] = []
        if settings.verbose:
            from .progress import Progress

            shown.append(Progress(settings.verbose))
        try:
            trainer.fit(
                feed,
                epochs=settings.epochs,
                batch_size=settings.batch_size * max(turn.steps for turn in self.turns),
                shuffle=settings.shuffle,
                validation=None if held_out is None else partial(self._evaluate, held_out, None),
                callbacks=[_Schedules(together.parts), *settings.own_callbacks, *shown],
            )
        finally:
            for learned in (one for turn in self.turns for one in turn.learns):
                if isinstance(learned, Trainable):
                    learned._trained = True
            for name in {name for names in self._learns for name in names}:
                for arena in (self.network.parameters, self.network.states):
                    for full, variable in arena.variables.items():
                        variable.started |= full.startswith(f"{name}.")
        return self

    def _new_trainer(self) -> Trainer:
        network = self.network
        own = [copy.deepcopy(turn.optimizer) for turn in self.turns]
        parts = [
            (one if turn.average is None else _Averaged(one, turn.average), turn.steps)
            for one, turn in zip(own, self.turns, strict=True)
        ]
        planned = [replace(one, optimizer=o) for one, (o, _) in zip(self._planned(), parts, strict=True)]
        losses = [loss for turn in planned for loss in turn.losses]
        return Trainer(
            network,
            _RoundObjective(losses, turns=planned, still=self._acting_still()),
            _Together(parts),
            engine=network._runtime.engine(),
            seed=int(network.rng.integers(_SEEDS)),
            rng=network.rng,
        )

    def _acting_still(self) -> frozenset[str]:
        """The layers that act as in prediction."""
        learned = {name for names in self._learns for name in names}
        names = (full.rpartition(".")[0] for arena in (self.network.parameters, self.network.states) for full in arena)
        return frozenset(self._still | {name for name in names if name not in learned})

    def _planned(self) -> list[PlannedTurn]:
        """The turns in terms of the graph's tensors."""

        def number(given: Given) -> int | float | None:
            return self._numbers[id(given)] if isinstance(given, Tensor) else given

        return [
            PlannedTurn(
                name,
                [self._numbers[id(t)] for t in turn.outputs],
                turn.losses,
                turn.loss_weights,
                [number(t) for t in turn.targets],
                [number(w) for w in turn.weights],
                learns,
                turn.optimizer,
                turn.steps,
            )
            for name, turn, learns in zip(self.names, self.turns, self._learns, strict=True)
        ]

    # ------------------------------------------------------------ data

    def _feed(self, X: Any, name: str, *, whole: bool) -> ArrayFeed:
        """The samples, checked; builds the graph when it is not built yet."""
        network = self.network
        xs = input_arrays(network, X)
        network.build(*(x.shape[1:] for x in xs))
        self._check_start()
        arrays = {f"x{i}": x for i, x in enumerate(xs)}
        for turn in self.turns:
            for z, loss, target in zip(turn.outputs, turn.losses, turn.targets, strict=True):
                at = self._numbers.get(id(target)) if isinstance(target, Tensor) else None
                if at in network.input_ids:
                    shape = network.output_shapes[network.output_ids.index(self._numbers[id(z)])]
                    y = xs[network.input_ids.index(at)]
                    loss.validate_targets(y.reshape(len(y), *shape) if y[0].size == np.prod(shape) else y, (len(y), *shape))
        return ArrayFeed(arrays, dict(zip(arrays, input_dtypes(network), strict=True)), whole=whole)

    def _check_start(self) -> None:
        """ParameterError when a layer has to take something from data that only the fit of a network of its own gives it."""
        network = self.network
        states = network.states.variables
        wanted = [layer for layer, *_ in standardising_layers(network)] if any(
            call.layer.measures for call in network.calls
        ) else []  # fmt: skip
        wanted = [n for n in wanted if any(f.startswith(f"{n}.") and not v.started for f, v in states.items())]
        wanted += [n for n, p, _ in data_dependent_parameters(network) if not network.parameters.variables[p].started]
        if wanted:
            raise ParameterError(
                f"Turns: the layer {wanted[0]!r} takes its start from data. Fit the network that it stands in first, or use "
                f"layers that start without data."
            )

    def _evaluate(self, feed: ArrayFeed, batch_size: int | None) -> dict[str, float]:
        network = self.network
        if not network.built:
            raise NotFittedError("Turns.evaluate: fit the turns first.")
        executables: Executables = network._runtime.predictors(network)
        turns = [replace(turn, steps=1) for turn in self._planned()]
        batch_size = batch_size or network.samples_at_once(feed.shapes)
        totals = dict.fromkeys(self.names, 0.0)
        for piece in feed.pieces(batch_size, lambda batch, shapes: 1):
            lower: Callable[[], Plan] = partial(
                lower_round, network, turns, piece.batch, shapes=piece.shapes, training=False, update=False
            )
            key = ("turns", piece.batch, piece.shapes, *(part for turn in turns for part in turn.key))
            compiled = executables.get(key, lower)
            with compiled.lock:
                found = compiled.executable.run(piece.data)
            for name in totals:
                totals[name] += float(found[f"metric.{name}"])
        means = {name: value / feed.n_samples for name, value in totals.items()}
        return {"loss": sum(means.values()), **means}
