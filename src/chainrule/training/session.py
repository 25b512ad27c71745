"""A network at work: fits, single passes, predictions, evaluations and input gradients over its compiled plans."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, Maybe
from ..data.batches import Batches, repeats_samples, split_validation
from ..data.sequences import Sequences
from ..data.sparse import SparseRows
from ..errors import DataError, DtypeError, ParameterError, ShapeError
from ..losses import Loss
from ..metrics import Metric
from ..ops import SparseMatrix
from ..ops.value import FREE
from ..optimizers import Optimizer, get_optimizer
from ..optimizers.schedules import Schedule
from .batch_intake import DataSetIntake, batch_intake
from .callbacks import Callback
from .checkpoint import CheckpointFile
from .data_dependent import (
    data_dependent_parameters,
    initialise_from_data,
    measure_statistics,
    standardising_layers,
)
from .distributed import Ranks
from .evaluation import choose_metrics, evaluate, evaluate_outputs
from .feeds import ArrayFeed, SequenceFeed
from .frozen_features import FrozenFeatures
from .gradual_unfreezing import GradualUnfreezing
from .history import History
from .intake import Intake, choose_losses, input_arrays, is_stream, take_arrays, target_arrays
from .interrupt import sigterm_at_end
from .objective import Objective
from .prediction import loss_and_input_gradient, predict
from .settings import FitSettings
from .trainable import Trainable
from .trainer import Trainer

__all__ = ["Session"]

Array = NDArray[Any]
#: Seeds are drawn below this number: all of them are exact in JSON.
_SEEDS = 2**53
_NOT_MEASURED = "Standardize needs the data as dense arrays or Sequences, not as an iterator or a sparse matrix."

#: What the number of samples that are computed at a time may be.
_BATCH_SIZE = Maybe(Interval(int, 1))


class Session:
    """Trains a network, and computes with it, on this machine.

    A session keeps nothing of its own: what a fit leaves is on the network, and compiled plans are in the network's
    ``Runtime``. So sessions of one network share all of it.

    Parameters  network : that is worked with

    Example
        >>> from chainrule import Dense, Network
        >>> X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
        >>> session = Session(Network([Dense(1)], random_state=0))
        >>> settings = FitSettings(epochs=30, learning_rate=0.05, engine="reference", verbose=0)
        >>> session.fit(X, 3 * X, settings)["loss"][-1] < 0.1
        True
    """

    def __init__(self, network: Trainable) -> None:
        self.network, self.runtime = network, network._runtime

    @classmethod
    def of(cls, network: Trainable) -> Session:
        """The session of a network."""
        return cls(network)

    # ------------------------------------------------------------ settings

    def last_settings(self) -> FitSettings:
        """What the last fit was made with, as far as it is known; for a network that was never fitted, the defaults."""
        network = self.network
        if hasattr(network, "fit_settings_"):
            return FitSettings.of({}, network.fit_settings_)
        if not hasattr(network, "loss_"):
            return FitSettings()
        # A file keeps what it was learned with, and the history how long.
        found: dict[str, Any] = {"loss": network.loss_, "loss_weights": network.loss_weights_}
        if hasattr(network, "optimizer_"):
            found["optimizer"] = network.optimizer_
        if hasattr(network, "history_") and network.history_.epochs:
            found["epochs"] = len(network.history_.epochs)
        return FitSettings.of({}, FitSettings(**found))

    def settings(self, given: Mapping[str, Any]) -> FitSettings:
        """The settings of the last fit but for these arguments, of which None stands for none given.

        An optimizer that is given has its own learning rate.
        """
        named = {name: value for name, value in given.items() if value is not None}
        rate = {"learning_rate": None} if "optimizer" in named and "learning_rate" not in named else {}
        base = self.last_settings()
        return FitSettings.of(named, base.replace(**rate) if rate else base)

    @property
    def losses(self) -> list[Loss]:
        """The losses of the last fit, one for each output of the network."""
        found = self.network.loss_
        return found if isinstance(found, list) else [found]

    # ------------------------------------------------------------ training

    @sigterm_at_end()
    def fit(self, X: Any, y: Any, settings: FitSettings) -> History:
        """``Network.fit``, without a diagnosis."""
        network = self.network
        network._packed = None
        settings = self._of_graph(settings)
        optimizer = settings.make_optimizer()
        checkpoint = None if settings.resume is None else CheckpointFile(settings.resume)
        network.fit_settings_ = settings.only("objective", "learning")
        ranks = Ranks.world() if settings.distributed else None
        threads = settings.threads
        if ranks is not None:
            ranks.check(settings, optimizer, network)
            threads = threads or ranks.threads()
            # Before anything is drawn: start weights, the part to validate on, the order of the samples.
            network.rng.bit_generator.state = ranks.of_first(network.rng.bit_generator.state)
        self.use_engine(settings.engine, threads, settings.precision)
        intake, validation, seed = self._read(X, y, settings, None if checkpoint is None else checkpoint.seed, checkpoint)
        loss_weights = self._loss_weights(settings.loss_weights)
        metrics = choose_metrics(settings.metrics, intake.losses[0], network.output_shapes[0])
        if settings.validation_data is not None:
            validation = self._validation(settings.validation_data, intake.losses)
        if checkpoint is None and not network._trained:
            self._initialise(intake, settings.batch_size)
        if ranks is not None:
            names = ("epochs", "batch_size", "shuffle", "learning_rate", "validation_split", "class_weight", "precision")
            facts: dict[str, Any] = {name: repr(getattr(settings, name)) for name in names}
            facts["the losses"] = [one.name for one in intake.losses]
            facts["the optimizer"] = repr(optimizer)
            facts["the checkpoint"] = None if checkpoint is None else (checkpoint.epoch, checkpoint.step)
            seed = ranks.begin(network, intake.feed, facts, seed)
        trainer = self._new_trainer(intake, optimizer, metrics, loss_weights, seed, ranks)
        if isinstance(optimizer.learning_rate, Schedule):
            optimizer.learning_rate.reset()
        network.history_ = trainer.state.history
        features = held_out = None
        frozen = not all(map(network.trainable, network.parameters))
        unfreezing = any(isinstance(callback, GradualUnfreezing) for callback in settings.own_callbacks)
        if settings.epochs > 1 and not optimizer.full_batch and (frozen or unfreezing) and ranks is None:
            features = self._features_of(intake, settings, changing=isinstance(X, Batches) and not repeats_samples(X))
            held_out = None if validation is None else self._features_of(validation, settings)

        def validate() -> dict[str, float]:
            assert validation is not None
            measured = validation if held_out is None else held_out.follow(trainer.state)
            return self._evaluate(measured, loss_weights, metrics)

        try:
            trainer.fit(
                intake.feed if features is None else features,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                shuffle=settings.shuffle,
                validation=None if validation is None else validate,
                callbacks=self._callbacks(settings, validation is not None, ranks),
                resume=checkpoint,
            )
        finally:
            network.history_ = trainer.state.history
            network._trained = True
            trainer.state.objective = replace(trainer.state.objective, start=(), before=(0.0, 0.0))
        return network.history_

    def _features_of(self, intake: Intake, settings: FitSettings, *, changing: bool = False) -> FrozenFeatures:
        return FrozenFeatures(
            self.network, self.runtime, intake, settings.keep_features, batch_size=settings.batch_size, changing=changing
        )  # fmt: skip

    @sigterm_at_end()
    def partial_fit(self, X: Any, y: Any, settings: FitSettings) -> History:
        """``Network.partial_fit``. What the settings were not explicitly given stays as it was in the last pass."""
        network, given = self.network, settings.given
        network._packed = None
        engine, threads, precision = self.runtime.wanted
        self.use_engine(
            settings.engine if "engine" in given else engine,
            settings.threads if "threads" in given else threads,
            settings.precision if "precision" in given else "float32" if precision == "float64" else precision,
        )
        trainer, settings = self.runtime.trainer_to_go_on_with(network), self._of_graph(settings)
        if settings.loss is None and trainer is not None:
            settings = settings.replace(loss=list(trainer.state.losses))
        intake, _, seed = self._read(X, y, settings, None if trainer is None else trainer.seed)
        if trainer is None or not self._goes_on(trainer, intake, settings):
            optimizer = settings.make_optimizer()
            if not network._trained:
                self._initialise(intake, settings.batch_size)
            metrics = choose_metrics(settings.metrics, intake.losses[0], network.output_shapes[0])
            trainer = self._new_trainer(intake, optimizer, metrics, self._loss_weights(settings.loss_weights), seed)
        else:
            trainer.change_rates(settings.learning_rate, settings.learning_rate_factors)
        # The same losses and metrics, on targets and inputs that may be read in another way.
        taken = intake.objective
        trainer.state.objective = replace(
            trainer.state.objective,
            forms=taken.forms,
            weights=taken.weights,
            constants=taken.constants,
            taken_out=taken.taken_out,
            sparse=taken.sparse,
        )
        network._forms = list(taken.forms)
        network._trained = True
        network.history_ = trainer.state.history
        return trainer.fit(
            intake.feed,
            epochs=trainer.state.epoch + 1,
            batch_size=settings.batch_size,
            shuffle=settings.shuffle,
        )

    @staticmethod
    def _goes_on(trainer: Trainer, intake: Intake, settings: FitSettings) -> bool:
        """Whether the settings name the same losses and optimizer, so that a pass goes on with the optimizer's state."""
        if intake.losses != list(trainer.state.losses):
            return False
        if "optimizer" not in settings.given:
            return True
        chosen = settings.optimizer
        if type(get_optimizer(chosen)) is not type(trainer.optimizer):
            return False
        # A name, or a rate beside it, says which optimizer, not at which rate: one of that kind goes on.
        return isinstance(chosen, str) or settings.learning_rate is not None or chosen == trainer.optimizer

    def _of_graph(self, settings: FitSettings) -> FitSettings:
        """The settings as a network of a graph takes them: all nodes are one batch."""
        if self.network.samples is None:
            return settings
        if settings.validation_split:
            raise ParameterError(
                "fit: validation_split takes nodes out of the graph. Give validation_data=(X, y_validation) with all "
                "nodes, and the label -1 for those that are not validated on."
            )
        made = copy.copy(settings)
        object.__setattr__(made, "batch_size", self.network.samples)
        object.__setattr__(made, "shuffle", False)
        return made

    @staticmethod
    def _callbacks(settings: FitSettings, validated: bool, ranks: Ranks | None = None) -> list[Callback]:
        stopping = settings.make_early_stopping(validated)
        found: list[Callback] = [*settings.own_callbacks, *([] if stopping is None else [stopping])]
        if settings.verbose:
            from .progress import Progress

            found.append(Progress(settings.verbose))
        return found if ranks is None or ranks.rank == 0 else [one for one in found if one.on_every_rank]

    def _new_trainer(
        self,
        intake: Intake,
        optimizer: Optimizer,
        metrics: list[Metric],
        loss_weights: list[float] | None,
        seed: int,
        ranks: Ranks | None = None,
    ) -> Trainer:
        network, losses = self.network, intake.losses
        centred = 0 in intake.origins.outputs
        inside = [m for m in metrics if m.fits_plan(losses[0]) and not intake.masked and (m.of_differences or not centred)]
        objective = replace(intake.objective, loss_weights=loss_weights, metrics=inside)
        trainer = Trainer(
            network, objective, optimizer, engine=self.runtime.engine(), seed=seed, rng=network.rng, ranks=ranks
        )
        self.runtime.trainer = trainer
        network.loss_ = losses[0] if len(losses) == 1 else losses
        network.optimizer_, network.metrics_, network.loss_weights_ = optimizer, metrics, loss_weights
        network._forms = list(objective.forms)
        return trainer

    def _loss_weights(self, loss_weights: Sequence[float] | None) -> list[float] | None:
        if loss_weights is None:
            return None
        count = len(self.network.output_ids)
        try:
            found = [float(w) for w in loss_weights]
        except (TypeError, ValueError):
            found = []
        if len(found) != count or not all(np.isfinite(found)) or min(found) < 0:
            raise ParameterError(
                f"loss_weights must be one finite number of at least 0 for each of {count} output(s). Got {loss_weights!r}."
            )
        return found

    # ------------------------------------------------------------ the data of a fit

    def _read(
        self, X: Any, y: Any, settings: FitSettings, seed: int | None, checkpoint: CheckpointFile | None = None
    ) -> tuple[Intake, Intake | None, int]:  # fmt: skip
        """The training data, the part of them that is validated on, and the seed of the fit, drawn when it is None.

        Builds the network when it is not built yet; before the seed is drawn, so that a network built before and one built
        here have the same weights. A new network measures the data, since what it finds decides how they are read.

        Parameters  checkpoint : that the fit goes on from
        """
        network, class_weight, split = self.network, settings.class_weight, settings.validation_split
        if is_stream(X, y):
            divisible = isinstance(X, Batches) and hasattr(X, "split")
            if (split and not divisible) or settings.sample_weight is not None:
                what = "validation_split" if split and not divisible else "sample_weight"
                raise ParameterError(
                    f"fit: {what} does not go with an iterator of batches. Use validation_data=, and yield "
                    f"(x, y, sample_weight)."
                )
            stream = batch_intake(X, network, class_weight=class_weight, training=True)
            network.build(*stream.shapes)
            seed = self._seed(seed)
            if not split:
                return stream.take(settings.loss), None, seed
            learned, held_out = X.split(split, np.random.default_rng(seed))
            intake = batch_intake(learned, network, class_weight=class_weight, training=True).take(settings.loss)
            return intake, batch_intake(held_out, network).take(intake.losses), seed
        if y is None:
            raise ParameterError("fit: y is missing. Pass fit(X, y), or an iterable of batches (x, y) as X.")
        xs = input_arrays(network, X)
        ys = target_arrays(y, len(network.output_ids))
        network.build(*(tuple(None if s == FREE else s for s in x.shape[1:]) for x in xs))
        seed, weight = self._seed(seed), settings.sample_weight
        states = None if checkpoint is None else checkpoint.states(network)
        if not split:
            if checkpoint is None:
                self._measure(xs, ys, settings.loss)
            intake = take_arrays(
                network, xs, ys, settings.loss, sample_weight=weight, class_weight=class_weight, states=states
            )
            return intake, None, seed
        losses = choose_losses(settings.loss, ys, network)
        classes = None
        if len(ys) == 1 and not isinstance(ys[0], Sequences) and _holds_classes(losses[0], ys[0], network.output_shapes[0]):
            classes = np.asarray(ys[0]).reshape(-1)
        train, held = split_validation(len(xs[0]), split, np.random.default_rng(seed), classes)
        # The weights of classes are for learning; what is held out is measured as it is.
        if checkpoint is None:
            self._measure(xs, ys, losses, train)
        validation = take_arrays(network, xs, ys, losses, sample_weight=weight, rows=held, states=states)
        intake = take_arrays(
            network, xs, ys, losses, sample_weight=weight, class_weight=class_weight, rows=train, states=states
        )
        return intake, validation, seed

    def _measure(self, xs: Sequence[Any], ys: Sequence[Any], loss: Any, rows: Array | None = None) -> None:
        """Gives the layers of a new network that measure the data their states.

        Parameters  rows : the samples that take part, None for all
        """
        network = self.network
        if network._trained or not standardising_layers(network):
            return
        if any(isinstance(x, (SparseMatrix, SparseRows)) for x in xs):
            raise ParameterError(_NOT_MEASURED)
        arrays: dict[str, Array] = {}
        for letter, several in (("x", xs), ("y", ys)):
            for i, one in enumerate(several):
                taken = one if rows is None else one[rows]
                arrays[f"{letter}{i}"] = taken.values if isinstance(taken, Sequences) else taken
        for i, (one, shape) in enumerate(zip(choose_losses(loss, ys, network), network.output_shapes, strict=True)):
            if ys[i].dtype.kind == "f" or all(kind != "int" for _, kind in one.target((2, *shape))):
                arrays[f"y{i}"] = np.asarray(arrays[f"y{i}"], np.promote_types(ys[i].dtype, np.float32))
        measure_statistics(network, arrays)

    def _seed(self, seed: int | None) -> int:
        return int(self.network.rng.integers(_SEEDS)) if seed is None else seed

    def _validation(self, data: Any, losses: list[Loss]) -> Intake:
        if isinstance(data, Batches):
            return DataSetIntake(data, self.network).take(losses)
        if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
            raise ParameterError("fit: validation_data must be (X, y), (X, y, sample_weight) or a data set.")
        try:
            return self._intake(data[0], data[1], losses, data[2] if len(data) == 3 else None)
        except (ShapeError, DtypeError, DataError) as error:
            raise type(error)(f"validation_data: {error}") from error

    def _intake(self, X: Any, y: Any, losses: Any, sample_weight: Any) -> Intake:
        xs, ys = self._checked(X, y)
        return take_arrays(self.network, xs, ys, losses, sample_weight=sample_weight)

    def _checked(self, X: Any, y: Any) -> tuple[list[Any], list[Any]]:
        return input_arrays(self.network, X), target_arrays(y, len(self.network.output_ids))

    def _initialise(self, intake: Intake, batch_size: int) -> None:
        """Takes from the data what the first fit of a network takes: statistics of all samples, and start weights."""
        network, feed = self.network, intake.feed
        dense = isinstance(feed, (ArrayFeed, SequenceFeed)) and not intake.objective.constants
        if standardising_layers(network) and not isinstance(feed, (ArrayFeed, SequenceFeed)):
            raise ParameterError(_NOT_MEASURED)
        if dense:
            assert isinstance(feed, (ArrayFeed, SequenceFeed))
            first = feed.first(max(batch_size, 256))
            initialise_from_data(network, self.runtime.predictors(network), first, intake.objective.taken_out)
        elif data_dependent_parameters(network):
            raise ParameterError(
                "LSUV needs the data as dense arrays, not as an iterator or a sparse matrix; use another initializer."
            )
        for arena in (network.parameters, network.states):
            for variable in arena.variables.values():
                variable.started = True

    def start_from(self, X: Any, y: Any, settings: FitSettings) -> None:
        """Takes from these samples what a first fit takes from its data, so that the fit itself may read a stream."""
        self._measure(*self._checked(X, y), settings.loss)
        self._initialise(self._intake(X, y, settings.loss, None), settings.batch_size)
        self.network._trained = True

    # ------------------------------------------------------------ computing

    def use_engine(self, engine: str = "auto", threads: int | None = None, precision: str = "float32") -> None:
        """Chooses what computes from now on. Parameters and errors as of ``Network.fit``"""
        self.runtime.use_engine(self.network, engine, threads, precision)

    def predict(self, X: Any, batch_size: int | None = None) -> list[Any]:
        """The raw outputs, one array (or Sequences) for each output of the network; see ``Network.predict``."""
        self.network.require_built("predict")
        batch_size = _BATCH_SIZE.check("", "batch_size", batch_size)
        if self.network._packed is not None:
            found = self.network._packed.raw_outputs(X, batch_size)
            return list(found) if isinstance(found, tuple) else [found]
        return predict(self.network, self.runtime, X, batch_size)

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: Any = None,
        metrics: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
    ) -> dict[str, float]:
        """``Network.evaluate``."""
        network = self.network
        network.require_built("evaluate")
        batch_size = _BATCH_SIZE.check("", "batch_size", batch_size)
        loss = getattr(network, "loss_", None) if loss is None else loss
        if is_stream(X, y):
            intake = batch_intake(X, network).take(loss)
        else:
            if y is None:
                raise ParameterError("evaluate: y is missing. Pass evaluate(X, y).")
            intake = self._intake(X, y, loss, sample_weight)
        if metrics is None:
            metrics = getattr(network, "metrics_", None)
        chosen = choose_metrics(metrics, intake.losses[0], network.output_shapes[0])
        return self._evaluate(intake, getattr(network, "loss_weights_", None), chosen, batch_size)

    def _evaluate(
        self,
        intake: Intake,
        loss_weights: Sequence[float] | None,
        metrics: Sequence[Metric],
        batch_size: int | None = None,
    ) -> dict[str, float]:
        objective = replace(intake.objective, loss_weights=loss_weights, metrics=metrics)
        by_outputs = bool(intake.exact) or (self.network._packed is not None and not intake.origins)
        if by_outputs and isinstance(intake.feed, ArrayFeed) and not objective.constants and self.network.samples is None:
            return self._evaluate_by_outputs(intake, objective, batch_size)
        executables = self.runtime.predictors(self.network)
        return evaluate(executables, self.network, objective, intake.feed, batch_size=batch_size)

    def _evaluate_by_outputs(self, intake: Intake, objective: Objective, batch_size: int | None) -> dict[str, float]:
        """Evaluates outputs: of a packed network, and against the targets as they were given, where the dtype of the plans
        cannot tell them apart."""
        assert isinstance(intake.feed, ArrayFeed)
        feed = intake.feed
        given = feed.given()
        rows = slice(None) if feed.rows is None else feed.rows
        inputs = [x[rows] for x in intake.inputs or (feed.arrays[f"x{i}"] for i in range(len(self.network.input_ids)))]
        outputs = self.predict(inputs[0] if len(inputs) == 1 else inputs, batch_size)
        targets = {
            name: intake.exact[name][rows] if name in intake.exact else a for name, a in given.items() if name[0] == "y"
        }
        return evaluate_outputs(objective, outputs, targets, {name: a for name, a in given.items() if name[0] == "w"})

    def loss_and_input_gradient(
        self, X: Any, y: Any, *, loss: Any = None, loss_weights: Sequence[float] | None = None, batch_size: int | None = None
    ) -> tuple[float, list[Array]]:
        """J, and dJ/dX of every input; see ``Network.input_gradient``. Parameters  loss_weights : as of a fit"""
        network = self.network
        network.require_built("input_gradient")
        batch_size = _BATCH_SIZE.check("", "batch_size", batch_size)
        intake = self._intake(X, y, getattr(network, "loss_", None) if loss is None else loss, None)
        weights = getattr(network, "loss_weights_", None) if loss_weights is None else loss_weights
        return loss_and_input_gradient(network, self.runtime, intake, weights, batch_size)


def _holds_classes(loss: Loss, y: Array, output_shape: tuple[int, ...]) -> bool:
    """Whether y holds one class a sample, at least one of them twice, so that a split can keep their proportions."""
    indices = loss.threshold is not None or any(d == "int" for _, d in loss.target((2, *output_shape)))
    if not indices or y.dtype.kind not in "biu" or y.size != len(y):
        return False
    return bool((np.unique(y, return_counts=True)[1] > 1).any())
