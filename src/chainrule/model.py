"""``Network``, the class users see: a graph of layers that can be trained, asked, shown and saved."""

from __future__ import annotations

import copy
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data.batches import Batches, split_validation
from .data.sequences import Sequences
from .engine.base import Engine
from .errors import DataError, DtypeError, ParameterError, ShapeError
from .layers import Tensor
from .losses import Loss
from .metrics import Metric
from .network import Arena, NetworkGraph
from .ops.memory import aligned_zeros
from .ops.table import node_flops
from .ops.value import FREE
from .optimizers import Optimizer, Schedule, get_optimizer
from .plan import Plan, lower_prediction, lower_training, optimise
from .registry import identity
from .training import Callback, EarlyStopping, Trainer
from .training.checkpoint import CheckpointFile
from .training.data_dependent import (
    data_dependent_parameters,
    initialise_from_data,
    measure_statistics,
    standardising_layers,
)
from .training.evaluation import choose_metrics, evaluate, predict_sequences
from .training.executables import Compiled, Executables
from .training.feeds import ArrayFeed, SequenceFeed
from .training.intake import (
    DataSetIntake,
    Intake,
    batch_intake,
    choose_losses,
    dense_and_constant,
    input_arrays,
    input_dtypes,
    is_stream,
    take_arrays,
    target_arrays,
)

__all__ = ["Network", "load"]

Array = NDArray[Any]
Path = str | os.PathLike[str]
#: How many random numbers a seed may be: all of them exact in JSON.
_SEEDS = 2**53


class Network(NetworkGraph):
    """A neural network: layers one after the other, or a graph of them.

    Parameters
        layers : a list of layers and networks applied one after the other; or None
        inputs, outputs : the functional form instead: Tensors made by Input and by calling layers
        random_state : int, numpy Generator or None; draws the start weights, the order of samples, Dropout
        dtype : "float32" or "float64"; float64 runs on the reference engine
    Attributes  (after fit)
        history_ : History of the fit ; loss_ : the Loss, a list of them for several outputs ; optimizer_ : the Optimizer ;
        metrics_ : list of Metrics ; loss_weights_ : list or None
    Shapes      those of one sample are fixed by the first fit, by ``build``, or by Input as the first item

    Equal seeds give equal results to the bit, for one machine, engine and number of threads.

    Example
        >>> import numpy as np
        >>> from chainrule.layers import Dense, Tanh
        >>> X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(-1, 1)
        >>> net = Network([Dense(16), Tanh(), Dense(1)], random_state=0)
        >>> net = net.fit(X, X**2, learning_rate=0.02, epochs=100, engine="reference", verbose=0)
        >>> net.history_["loss"][-1] < 0.01, net.predict(X).shape
        (True, (64, 1))
    """

    def __init__(
        self,
        layers: Sequence[Any] | None = None,
        *,
        inputs: Tensor | Sequence[Tensor] | None = None,
        outputs: Tensor | Sequence[Tensor] | None = None,
        random_state: Any = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__(layers, inputs=inputs, outputs=outputs, random_state=random_state, dtype=dtype)
        self._trained = False
        self._engine_wanted: tuple[str, int | None, str] = ("auto", None, dtype)
        self._forget_executables()

    def _forget_executables(self) -> None:
        self._engine: Engine | None = None
        self._predictors: Executables | None = None
        self._differentiators: Executables | None = None
        self._again: tuple[tuple[int, ...], Array, Compiled] | None = None
        self._trainer: Trainer | None = None
        self._lock = threading.Lock()

    # ------------------------------------------------------------ training

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: str | Loss | Sequence[Any] | None = None,
        optimizer: str | Optimizer = "adam",
        learning_rate: Any = None,
        epochs: int = 20,
        batch_size: int = 32,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        sample_weight: Any = None,
        class_weight: Any = None,
        loss_weights: Sequence[float] | None = None,
        metrics: str | Metric | Iterable[str | Metric] | None = None,
        callbacks: Callback | Sequence[Callback] = (),
        early_stopping: bool | int | EarlyStopping | None = None,
        verbose: int = 1,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
        resume: Path | None = None,
        diagnose: bool | int = False,
        on_fault: str = "warn",
    ) -> Network:
        """Trains the network; fitting again goes on from the weights it has, with a new optimizer state.

        Parameters
            X : samples (N, ...) as an array, memory map or DataFrame ; Sequences of different lengths (for an
                Input((None, ...)); batches are made of samples of about one length) ; a list of one for each input ; or,
                without y, a data set such as ImageData, or an iterable (or a function that returns an iterator) of batches
                ``(x, y)`` or ``(x, y, sample_weight)``
            y : targets (N,) or (N, ...), or Sequences with one target a step ; a list of one for each output
            loss : a loss or its name, for several outputs one for all or a list. None picks: class indices (int or bool
                targets, one for each row of several outputs) softmax_cross_entropy; zeros and ones of int or bool dtype, one
                for each output, binary_cross_entropy; all others squared_error. ``loss_`` tells which. A cross-entropy by
                name (or picked) takes probabilities where the output comes from Softmax or Sigmoid, else logits
            optimizer : an Optimizer or its name ; it is copied ; learning_rate : number or schedule in its place
            epochs : int >= 1, passes over the data (with resume: in all) ; batch_size : int >= 1, samples a step; the last
                batch of an epoch may be smaller, and its gradient is the mean over its own samples
            validation_data : (X, y), (X, y, sample_weight) or a data set, evaluated after every epoch as "val_..."
            validation_split : in [0, 1) = 0; this share of the samples, drawn at random (each class in proportion when y
                holds class indices), is taken out of the training data and evaluated instead
            shuffle : draw a new order of the samples for every epoch
            sample_weight : (N,) of numbers >= 0, factors of each sample's loss (of all outputs); not normalised
            class_weight : {class: weight}, an array by class, or "balanced" = N / (K · count), for class indices; for K
                yes-or-no outputs an array of K factors; a list of these for several outputs
            loss_weights : factors of the losses of several outputs in the sum that is minimised
            metrics : of the first output, names or Metrics. None: accuracy for losses of classes. Those that are no mean
                over samples are computed on the validation data only. On training data they are those of the changing
                weights during the epoch, and not weighted
            callbacks : called between epochs ; early_stopping : an EarlyStopping, True for its defaults, or its patience; it
                follows "val_loss", or "loss" without validation data
            verbose : 0 silent, 1 live progress on a terminal, 2 one line an epoch
            engine, threads : see chainrule.engine.get_engine ; precision : "float32" or "bfloat16" (products only)
            resume : a file of the callback Checkpoint; the fit goes on bit for bit as if it had never stopped, when all
                other arguments are the same
            diagnose : watch the fit and say at its end, in ``diagnosis_``, what is wrong with it, if anything; a number
                samples every so many steps, True so many that they cost less than 3 % of the time, but for the first eight.
                The numbers of the fit do not change
            on_fault : with diagnose, "warn" gives a DiagnosisWarning ; "stop" also ends a fit that cannot succeed ; "cure"
                changes the network as ``cure`` does, and trains it
        Raises
            ShapeError, DtypeError, DataError : X or y does not fit ; ParameterError : another argument is out of its range
            DivergenceError : a number stopped being finite; the weights before that step are kept

        A network of a graph (with GraphConv) takes all nodes as one batch, so batch_size and shuffle have no say. Its nodes
        may have the label -1, which stands for no label: J and the metrics are means over the others.

        Ctrl-C ends the fit after the step that runs and keeps what was learned: fit returns as usual, with
        ``history_.interrupted`` True. A second Ctrl-C raises KeyboardInterrupt.

        The loss of an epoch in ``history_`` is the mean over its samples of what was minimised, penalties included.
        """
        if diagnose is not False:
            from .trials import watched_fit

            named = dict(
                loss=loss, optimizer=optimizer, learning_rate=learning_rate, epochs=epochs, batch_size=batch_size,
                validation_data=validation_data, validation_split=validation_split, shuffle=shuffle,
                sample_weight=sample_weight, class_weight=class_weight, loss_weights=loss_weights, metrics=metrics,
                callbacks=callbacks, early_stopping=early_stopping, verbose=verbose, engine=engine, threads=threads,
                precision=precision, resume=resume,
            )  # fmt: skip
            watched_fit(self, X, y, on_fault=on_fault, every=None if diagnose is True else diagnose, **named)
            return self
        if on_fault != "warn":
            raise ParameterError(f"fit: on_fault={on_fault!r} needs a fit that is watched: give diagnose=True, too.")
        epochs, batch_size = _positive("epochs", epochs), _positive("batch_size", batch_size)
        if verbose not in (0, 1, 2):
            raise ParameterError(f"fit: verbose must be 0, 1 or 2. Got {verbose!r}.")
        _check_split(validation_split)
        if self.samples is not None:
            batch_size, shuffle = self.samples, False
            if validation_split:
                raise ParameterError(
                    "fit: validation_split takes nodes out of the graph. Give validation_data=(X, y_validation) with all "
                    "nodes, "
                    "and the label -1 for those that are not validated on."
                )
        if validation_split and validation_data is not None:
            raise ParameterError("fit: give either validation_data or validation_split, not both.")
        # The optimizer is the network's own: schedules keep state in it, and the user's may serve another fit.
        chosen = copy.deepcopy(get_optimizer(optimizer))
        if learning_rate is not None:
            chosen.learning_rate = copy.deepcopy(learning_rate)
        chosen.validate()
        given = _callbacks(callbacks)
        checkpoint = None if resume is None else CheckpointFile(resume)
        self.fit_arguments_ = {
            "loss": loss, "optimizer": optimizer, "learning_rate": learning_rate, "epochs": epochs, "batch_size": batch_size,
            "shuffle": shuffle, "class_weight": class_weight, "loss_weights": loss_weights,
        }  # fmt: skip
        self._use_engine(engine, threads, precision)
        intake, validation, seed = self._take(
            X, y, loss, sample_weight, class_weight, validation_split, None if checkpoint is None else checkpoint.seed
        )
        weights_of_losses = self._loss_weights(loss_weights)
        chosen_metrics = choose_metrics(metrics, intake.losses[0], self.output_shapes[0])
        if validation_data is not None:
            validation = self._validation(validation_data, intake.losses)
        if checkpoint is None and not self._trained:
            self._initialise(intake, batch_size)
        trainer = self._new_trainer(intake, chosen, chosen_metrics, weights_of_losses, seed)
        stopping = _early_stopping(early_stopping, validation is not None)
        every = [*given, *([] if stopping is None else [stopping])]
        if verbose:
            from .training.progress import Progress

            every.append(Progress(verbose))
        if isinstance(chosen.learning_rate, Schedule):
            chosen.learning_rate.reset()
        self.history_ = trainer.history
        try:
            trainer.fit(
                intake.feed,
                epochs=epochs,
                batch_size=batch_size,
                shuffle=shuffle,
                validation=None if validation is None else self._validator(validation, trainer),
                callbacks=every,
                resume=checkpoint,
            )
        finally:
            self.history_ = trainer.history
            self._trained = True
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: Any = None,
        optimizer: str | Optimizer | None = None,
        learning_rate: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        class_weight: Any = None,
        loss_weights: Sequence[float] | None = None,
        metrics: Any = None,
        engine: str | None = None,
        threads: int | None = None,
        precision: str | None = None,
    ) -> Network:
        """One pass over the data that goes on from weights, optimizer state and step count of the last call.

        Parameters  as in ``fit``. The first call (and one that names another loss or optimizer than before) starts anew with
                    ``optimizer`` ("adam" by default); a learning_rate given later changes the rate and keeps the state.
                    ``history_`` gets one more epoch. engine, threads and precision stay as they were when not given.
                    Copies and pickles of a network start with a new optimizer state
        Raises      as ``fit``
        """
        batch_size = _positive("batch_size", batch_size)
        name, count, kind = self._engine_wanted
        kind = "float32" if kind == "float64" else kind
        self._use_engine(engine or name, count if threads is None else threads, precision or kind)
        trainer = self._trainer
        if loss is None and trainer is not None:
            loss = trainer.losses
        intake, _, seed = self._take(X, y, loss, sample_weight, class_weight, 0.0, None if trainer is None else trainer.seed)
        chosen = None if optimizer is None else copy.deepcopy(get_optimizer(optimizer))
        same = trainer is not None and intake.losses == trainer.losses
        if trainer is not None and chosen is not None:
            # A name, or a rate beside it, says which optimizer, not at which rate: one of that kind goes on.
            alike = type(chosen) is type(trainer.optimizer)
            named = isinstance(optimizer, str) or learning_rate is not None
            same = same and alike and (named or chosen == trainer.optimizer)
        if self.samples is not None:
            batch_size, shuffle = self.samples, False
        if trainer is not None and trainer.constants != intake.constants:
            trainer.constants = intake.constants
        if trainer is None or not same:
            chosen = chosen or copy.deepcopy(get_optimizer("adam"))
            if learning_rate is not None:
                chosen.learning_rate = copy.deepcopy(learning_rate)
            chosen.validate()
            if not self._trained:
                self._initialise(intake, batch_size)
            found = choose_metrics(metrics, intake.losses[0], self.output_shapes[0])
            trainer = self._new_trainer(intake, chosen, found, self._loss_weights(loss_weights), seed)
        elif learning_rate is not None:
            trainer.optimizer.learning_rate = copy.deepcopy(learning_rate)
            trainer.optimizer.validate()
        trainer.forms, trainer.weights = intake.forms, intake.weights
        self._forms = list(intake.forms)
        self._trained = True
        self.history_ = trainer.history
        trainer.fit(intake.feed, epochs=trainer.epoch + 1, batch_size=batch_size, shuffle=shuffle)
        return self

    def _take(
        self,
        X: Any,
        y: Any,
        loss: Any,
        sample_weight: Any,
        class_weight: Any,
        validation_split: float,
        seed: int | None,
    ) -> tuple[Intake, Intake | None, int]:
        """Training data, the part of it that is validated on, and the seed of the fit, drawn when it is None.

        Builds the network when it is not built yet; before the seed is drawn, so that a network built before and one built
        here have the same weights.
        """
        if is_stream(X, y):
            divisible = isinstance(X, Batches) and hasattr(X, "split")
            if (validation_split and not divisible) or sample_weight is not None:
                what = "validation_split" if validation_split and not divisible else "sample_weight"
                raise ParameterError(
                    f"fit: {what} does not go with an iterator of batches. Use validation_data=, and yield "
                    f"(x, y, sample_weight)."
                )
            stream = batch_intake(X, self, class_weight=class_weight, training=True)
            self.build(*stream.shapes)
            seed = int(self.rng.integers(_SEEDS)) if seed is None else seed
            if not validation_split:
                return stream.take(loss), None, seed
            learned, held_out = X.split(validation_split, np.random.default_rng(seed))
            intake = batch_intake(learned, self, class_weight=class_weight, training=True).take(loss)
            return intake, batch_intake(held_out, self).take(intake.losses), seed
        if y is None:
            raise ParameterError("fit: y is missing. Pass fit(X, y), or an iterable of batches (x, y) as X.")
        xs = input_arrays(self, X)
        ys = target_arrays(y, len(self.output_ids))
        self.build(*(tuple(None if s == FREE else s for s in x.shape[1:]) for x in xs))
        seed = int(self.rng.integers(_SEEDS)) if seed is None else seed
        weights = {"sample_weight": sample_weight}
        if not validation_split:
            return take_arrays(self, xs, ys, loss, **weights, class_weight=class_weight), None, seed
        losses = choose_losses(loss, ys, self)
        classes = None
        if len(ys) == 1 and not isinstance(ys[0], Sequences) and _holds_classes(losses[0], ys[0], self.output_shapes[0]):
            classes = np.asarray(ys[0]).reshape(-1)
        train, held_out = split_validation(len(xs[0]), validation_split, np.random.default_rng(seed), classes)
        # The weights of classes are for learning; what is held out is measured as it is.
        kept = take_arrays(self, xs, ys, losses, **weights, rows=held_out)
        return take_arrays(self, xs, ys, losses, **weights, class_weight=class_weight, rows=train), kept, seed

    def _validation(self, data: Any, losses: list[Loss]) -> Intake:
        if isinstance(data, Batches):
            return DataSetIntake(data, self).take(losses)
        if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
            raise ParameterError("fit: validation_data must be (X, y), (X, y, sample_weight) or a data set.")
        try:
            return self._intake(data[0], data[1], losses, data[2] if len(data) == 3 else None)
        except (ShapeError, DtypeError, DataError) as error:
            raise type(error)(f"validation_data: {error}") from error

    def _intake(self, X: Any, y: Any, losses: Any, sample_weight: Any) -> Intake:
        xs = input_arrays(self, X)
        return take_arrays(self, xs, target_arrays(y, len(self.output_ids)), losses, sample_weight=sample_weight)

    def _validator(self, intake: Intake, trainer: Trainer) -> Callable[[], dict[str, float]]:
        return lambda: evaluate(
            self._predicting(),
            self,
            trainer.losses,
            intake.feed,
            forms=intake.forms,
            weights=intake.weights,
            loss_weights=trainer.loss_weights,
            metrics=self.metrics_,
            constants=intake.constants,
        )

    def _initialise(self, intake: Intake, batch_size: int) -> None:
        """What the network takes from the data: statistics of all samples, start weights from the first ones."""
        if standardising_layers(self):
            if not isinstance(intake.feed, (ArrayFeed, SequenceFeed)) or intake.constants:
                raise ParameterError(
                    "Standardize needs the data as dense arrays or Sequences, not as an iterator or a sparse matrix."
                )
            measure_statistics(self, intake.feed.all())
        if isinstance(intake.feed, (ArrayFeed, SequenceFeed)) and not intake.constants:
            initialise_from_data(self, self._predicting(), intake.feed.first(max(batch_size, 256)))
        elif data_dependent_parameters(self):
            raise ParameterError(
                "LSUV needs the data as dense arrays, not as an iterator or a sparse matrix; use another initializer."
            )

    def _start_from(self, X: Any, y: Any, loss: Any, batch_size: int) -> None:
        """Takes from these samples what a first fit takes from its data, so that it may be a stream."""
        self._initialise(self._intake(X, y, loss, None), batch_size)
        self._trained = True

    def _loss_weights(self, loss_weights: Sequence[float] | None) -> list[float] | None:
        if loss_weights is None:
            return None
        try:
            found = [float(w) for w in loss_weights]
        except (TypeError, ValueError):
            found = []
        if len(found) != len(self.output_ids) or not all(np.isfinite(found)) or min(found) < 0:
            raise ParameterError(
                f"loss_weights must be one finite number of at least 0 for each of {len(self.output_ids)} output(s). "
                f"Got {loss_weights!r}."
            )
        return found

    def _new_trainer(
        self,
        intake: Intake,
        optimizer: Optimizer,
        metrics: list[Metric],
        loss_weights: list[float] | None,
        seed: int,
    ) -> Trainer:
        assert self._engine is not None
        trainer = Trainer(
            self,
            intake.losses,
            optimizer,
            engine=self._engine,
            metrics=[m for m in metrics if m.fits_plan(intake.losses[0]) and not self._masked(intake)],
            loss_weights=loss_weights,
            forms=intake.forms,
            weights=intake.weights,
            seed=seed,
            rng=self.rng,
            constants=intake.constants,
        )
        self._trainer = trainer
        self.loss_ = intake.losses[0] if len(intake.losses) == 1 else intake.losses
        self.optimizer_, self.metrics_, self.loss_weights_ = optimizer, metrics, loss_weights
        self._forms = list(intake.forms)
        return trainer

    @staticmethod
    def _masked(intake: Intake) -> bool:
        """Whether the first output has targets within a sample that no metric in a plan may count: padding, no label."""
        unlabelled = intake.losses[0].ignore_label is not None and intake.weights[0] == "element"
        return unlabelled or (isinstance(intake.feed, SequenceFeed) and "w0" in intake.feed.masks)

    # ------------------------------------------------------------ using

    def predict(self, X: Any, *, batch_size: int | None = None) -> Any:
        """The raw outputs for any number of samples, as (N, ...) ; a tuple of arrays for several outputs. Outputs
        for each step of Sequences are Sequences again.

        Raw means before the loss's link: logits for cross-entropies. ``net.loss_.prediction(z)`` makes them probabilities.

        Parameters  X : as in fit ; batch_size : samples computed at a time, None finds how many
        Raises      NotFittedError before the shapes are known ; ShapeError, DtypeError, DataError when X does not fit
        """
        again = self._again
        if again is not None and type(X) is np.ndarray and X.shape == again[0] and X.dtype == self.dtype:
            # The shape of the call before: a small network answers in microseconds, so little is looked at anew.
            _, arena, compiled = again
            same = arena is self.parameters.flat and X.flags.c_contiguous
            enough = batch_size is None or (type(batch_size) is int and len(X) <= batch_size)
            if same and enough and math.isfinite(np.add.reduce(X, axis=None)):
                with compiled.lock:
                    return compiled.executable.predict(X)
        self.require_built("predict")
        batch_size = _positive_or_none("batch_size", batch_size)
        if isinstance(X, Batches):
            return self._predict_batches(DataSetIntake(X, self), batch_size)
        quick = self._quick_input(X)
        xs = quick or input_arrays(self, X)
        dense, constants = dense_and_constant(xs)
        executables = self._predicting()
        if any(isinstance(x, Sequences) for x in xs):
            several = predict_sequences(self, executables, xs, batch_size)
            return several[0] if len(several) == 1 else tuple(several)
        n, dtypes = len(xs[0]), input_dtypes(self)
        shapes = tuple(x.shape[1:] for x in xs)
        batch_size = self.samples or batch_size or self.samples_at_once(shapes)
        found: list[Array] = []
        for start in range(0, n, batch_size):
            stop = min(start + batch_size, n)
            batch = stop - start
            inputs = {
                f"x{i}": np.ascontiguousarray(x if batch == n else x[start:stop], d)
                for i, (x, d) in enumerate(zip(xs, dtypes, strict=True))
                if i in dense
            }
            compiled = executables.get(
                ("predict", batch, shapes, *(m.digest for m in constants.values())),
                lambda batch=batch: lower_prediction(self, batch, shapes=shapes, constants=constants),  # type: ignore[misc]
            )
            with compiled.lock:
                outputs = compiled.executable.run(inputs)
            if batch == n:
                found = [outputs[f"output{i}"] for i in range(len(self.output_ids))]
                if quick is not None and len(found) == 1:
                    self._again = (X.shape, self.parameters.flat, compiled)
                break
            if not found:
                found = [np.empty((n, *outputs[f"output{i}"].shape[1:]), outputs[f"output{i}"].dtype)
                         for i in range(len(self.output_ids))]  # fmt: skip
            for i, whole in enumerate(found):
                whole[start:stop] = outputs[f"output{i}"]
        return found[0] if len(found) == 1 else tuple(found)

    def _predict_batches(self, intake: DataSetIntake, batch_size: int | None) -> Any:
        parts = []
        for batch in intake.batches(batch_size or self.samples_at_once()):
            found = self.predict(batch.inputs[0] if len(batch.inputs) == 1 else list(batch.inputs), batch_size=batch_size)
            parts.append(found if isinstance(found, tuple) else (found,))
        whole = [np.concatenate(part) for part in zip(*parts, strict=True)]
        return whole[0] if len(whole) == 1 else tuple(whole)

    def _quick_input(self, X: Any) -> list[Array] | None:
        """X where it needs no conversion: an array of the right dtype, shape and order, all finite; else None."""
        if type(X) is not np.ndarray or self.input_shapes is None or len(self.input_shapes) != 1:
            return None
        right = X.dtype == self.dtype and X.flags.c_contiguous and X.shape[1:] == self.input_shapes[0] and len(X) > 0
        right = right and self.input_dtypes[0] == "float" and self.samples in (None, len(X))
        if not right or not np.isfinite(np.add.reduce(X, axis=None)):
            return None
        return [X]

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
        """{"loss": mean over the samples, metric name: its value}, with Dropout and the like as in prediction.

        Parameters  X, y : as in fit ; loss : that of the last fit by default ; metrics : those of the last fit by default ;
                    sample_weight : (N,) ; weights the metrics as a mean, and the loss as in fit (not normalised)
        Raises      NotFittedError before the shapes are known ; ShapeError, DtypeError, DataError when X or y does not fit
        """
        self.require_built("evaluate")
        batch_size = _positive_or_none("batch_size", batch_size)
        loss = getattr(self, "loss_", None) if loss is None else loss
        if is_stream(X, y):
            intake = batch_intake(X, self).take(loss)
        else:
            if y is None:
                raise ParameterError("evaluate: y is missing. Pass evaluate(X, y).")
            intake = self._intake(X, y, loss, sample_weight)
        if metrics is None and hasattr(self, "metrics_"):
            metrics = self.metrics_
        return evaluate(
            self._predicting(),
            self,
            intake.losses,
            intake.feed,
            forms=intake.forms,
            weights=intake.weights,
            loss_weights=getattr(self, "loss_weights_", None),
            metrics=choose_metrics(metrics, intake.losses[0], self.output_shapes[0]),
            batch_size=batch_size,
            constants=intake.constants,
        )

    def input_gradient(self, X: Any, y: Any, *, loss: Any = None, batch_size: int | None = None) -> Any:
        """dJ/dX of the mean loss J over all samples given, as (N, ...) ; a tuple of arrays for several inputs.

        Layers act as in prediction. Nothing is learned. Of sample n alone the gradient is N times its row.

        Parameters  X, y : as in fit ; loss : that of the last fit by default ; batch_size : samples computed at a time
        Raises      as ``evaluate`` ; ParameterError when an input has no gradient (indices, a sparse matrix)
        """
        self.require_built("input_gradient")
        batch_size = _positive_or_none("batch_size", batch_size)
        intake = self._intake(X, y, getattr(self, "loss_", None) if loss is None else loss, None)
        if not isinstance(intake.feed, ArrayFeed):
            raise ParameterError("input_gradient: give arrays of one length, such as X.padded() of Sequences.")
        if "int" in self.input_dtypes or intake.constants:
            kind = "a sparse matrix" if intake.constants else "indices"
            raise ParameterError(f"input_gradient: an input of {kind} has no gradient.")
        executables = self._differentiating()
        n, weights = intake.feed.n_samples, getattr(self, "loss_weights_", None)
        parts: list[list[Array]] = [[] for _ in self.input_ids]
        batch_size = self.samples or batch_size or self.samples_at_once(intake.feed.shapes)
        for piece in intake.feed.pieces(batch_size, lambda batch, shapes: 1):
            same = (*intake.forms, *intake.weights, *(weights or ()), *map(identity, intake.losses))
            compiled = executables.get(
                (piece.batch, piece.shapes, *same),
                lambda batch=piece.batch, shapes=piece.shapes: lower_training(  # type: ignore[misc]
                    self,
                    intake.losses,
                    None,
                    batch,
                    shapes=shapes,
                    targets=intake.forms,
                    weights=intake.weights,
                    loss_weights=weights,
                    training=False,
                    input_gradients=True,
                    parameter_gradients=False,
                ),
            )
            with compiled.lock:
                found = compiled.executable.run({name: piece.data[name] for name in compiled.executable.plan.inputs})
            for i, part in enumerate(parts):
                shape = (piece.batch, *piece.shapes[i])
                dx = found.get(f"dx{i}", np.zeros(shape, self.dtype))
                part.append(dx * dx.dtype.type(piece.batch / n))
        whole = [np.concatenate(part) for part in parts]
        return whole[0] if len(whole) == 1 else tuple(whole)

    # ------------------------------------------------------------ seeing

    def plan(
        self,
        batch: int = 32,
        *,
        training: bool = True,
        loss: Any = None,
        optimizer: str | Optimizer | None = None,
        length: int | None = None,
    ) -> Plan:
        """The optimised plan of one step: ``print(net.plan().show())``.

        It says, too, which kernels the engine chooses for convolutions, and where and why it reorders their weights.

        Parameters
            batch : samples ; training : False for the plan of a prediction
            loss, optimizer : those of the last fit; before any, squared_error and adam. A loss by name is read as in fit
            length : what stands for a length that the inputs leave free; None for a short one, which a note names
        """
        self.require_built("plan")
        batch = self.samples or _positive("batch", batch)
        shapes = self.concrete()
        if length is not None:
            length = _positive("length", length)
            shapes = [tuple(length if s == FREE else s for s in shape) for shape in self.input_shapes or []]
        steps = self._stand_in_length(shapes)
        if not training:
            return _explained(optimise(lower_prediction(self, batch, shapes=shapes)), steps)
        loss = getattr(self, "loss_", "squared_error") if loss is None else loss
        optimizer = getattr(self, "optimizer_", "adam") if optimizer is None else optimizer
        losses = choose_losses(loss, None, self)
        return _explained(optimise(lower_training(self, losses, get_optimizer(optimizer), batch, shapes=shapes)), steps)

    def summary(self) -> str:
        """A table of the layers as text: name, layer, shape of its output for one sample, parameters, FLOPs a sample.

        T stands for a free length; the FLOPs are then those of a sample of the length that the last line names.
        """
        from .plan.equations.record import output_sizes

        self.require_built("summary")
        batch = self.samples or 1
        plan, sizes = lower_prediction(self, batch), output_sizes(self)
        flops: dict[str, int] = {}
        for node in plan.nodes:
            flops[node.where.layer] = flops.get(node.where.layer, 0) + node_flops(node)
        flops = {name: count // batch for name, count in flops.items()}
        rows = [("layer", "what", "output", "parameters", "FLOPs")]
        seen: set[str] = set()
        for call in self.calls:
            count = sum(a.size for name, a in self.parameters.items() if name.rpartition(".")[0] == call.name)
            shape = "×".join(f"({s})" if " " in s and s[0] != "⌊" else s for s in sizes[call.output]) or "1"
            again = call.name in seen
            frozen = " (frozen)" if call.name in self.frozen else ""
            shown = "shared" if again and count else f"{count:,}{frozen}" if count else "-"
            rows.append((call.name, repr(call.layer), shape, shown, "" if again else f"{flops.get(call.name, 0):,}"))
            seen.add(call.name)
        frozen_count = sum(a.size for name, a in self.parameters.items() if not self.trainable(name))
        total = self.parameters.count
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join(c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
                 for row in rows]  # fmt: skip
        rule = "─" * len(lines[0])
        size = total * np.dtype(self.dtype).itemsize
        last = (
            f"{total:,} parameters ({size / 1e6:.3g} MB), {total - frozen_count:,} of them learn; "
            f"{sum(flops.values()):,} FLOPs a sample{self._stand_in_length()}"
        )
        return "\n".join([lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:]), rule, last])

    def _stand_in_length(self, shapes: Sequence[tuple[int, ...]] | None = None) -> str:
        """`` of T = 8 steps``, where a plan is for inputs whose length is free; else nothing."""
        pairs = zip(self.input_shapes or [], self.concrete(shapes), strict=True)
        found = sorted({size for free, given in pairs for s, size in zip(free, given, strict=True) if s == FREE})
        return f" of T = {', '.join(map(str, found))} steps" if found else ""

    def equations(self, *, loss: Any = None, optimizer: str | Optimizer | None = None) -> Any:
        """The chain rule of this very network: forward, loss, backward and update, with shapes.

        ``print`` shows it as text, a notebook as mathematics, ``.latex()`` gives the source; see chainrule.plan.equations.

        Parameters  loss, optimizer : those of the last fit by default; before any fit the forward pass alone is shown;
                    a loss by name is read as in fit
        Raises      NotFittedError before the shapes are known
        """
        from .plan.equations import Equations

        self.require_built("equations")
        config = self.fit_config_
        return Equations(
            self,
            config.get("loss") if loss is None else choose_losses(loss, None, self),
            config.get("optimizer") if optimizer is None else optimizer,
            targets=config.get("forms") if loss is None else None,
            loss_weights=config.get("loss_weights"),
        )

    def trace(self, X: Any, y: Any = None, *, loss: Any = None, **options: Any) -> Any:
        """Every z, a, dz, da, dW and db for these samples, by name. See chainrule.training.trace.

        A loss by name is read as in fit, and so is none before any fit.
        """
        from .training.trace import trace

        if y is not None and loss is None:
            loss = getattr(self, "loss_", None)
        if y is not None and self.built:
            loss = choose_losses(loss, target_arrays(y, len(self.output_ids)), self)
        return trace(self, X, y, loss=loss, **options)

    def diagnose(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: Any = None,
        optimizer: str | Optimizer | None = None,
        learning_rate: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        rules: Sequence[Any] = (),
        every: int | None = None,
        steps: int | None = None,
        seconds: float | None = None,
        **options: Any,
    ) -> Any:
        """What keeps this network from learning these samples, if anything: a chainrule.diagnosis.Diagnosis.

        A copy of the network is trained as ``fit`` would with the same arguments, for at most ``steps`` steps, and watched.
        The network itself, its random numbers and its running statistics stay as they are. After a fit its history and its
        weights are judged, and the copy shows how the gradient passes; before any, the copy's training is judged.

        Parameters
            X, y, loss, optimizer, learning_rate, epochs, batch_size : as in ``fit``; None takes those of the last fit, then
                fit's own defaults ; options : more of its arguments, such as validation_data
            rules : more rules to ask (instances of chainrule.diagnosis.Rule)
            every : take statistics every so many steps ; steps : of the copy's training, 3,000 at most by default ;
                seconds : after which that training ends with its epoch, 20 by default
        Data that fit would refuse (NaN, wrong shapes) is a finding here, not an error. Of a stream of batches up to 2,000
        samples that the copy is trained on are judged; an iterator, which can be read once, is read: give a function that
        returns a new one. Of a graph the labelled nodes are judged, of several outputs each one.

        Example
            >>> import numpy as np
            >>> from chainrule.layers import Dense, ReLU
            >>> X = np.random.default_rng(0).normal(size=(200, 5))
            >>> net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
            >>> net.diagnose(X, X[:, :1], learning_rate=1e-9, engine="reference", epochs=3).cause.name
            'learning-rate-too-small'
        """
        from .trials import diagnose

        return diagnose(
            self, X, y, loss=loss, optimizer=optimizer, learning_rate=learning_rate, epochs=epochs, batch_size=batch_size,
            rules=rules, every=every, steps=steps, seconds=seconds, **options,
        )  # fmt: skip

    @property
    def fit_config_(self) -> dict[str, Any]:
        """What the last fit used: "loss" (a list), "optimizer", "metrics", "loss_weights", "forms"; empty before it."""
        if not hasattr(self, "loss_"):
            return {}
        losses = self.loss_ if isinstance(self.loss_, list) else [self.loss_]
        return {
            "loss": losses,
            "optimizer": getattr(self, "optimizer_", None),
            "metrics": list(self.metrics_),
            "loss_weights": self.loss_weights_,
            "forms": self._forms,
        }

    def report(
        self, X: Any, y: Any = None, *, diagnosis: Any = None, cure: Any = None, title: str = "", **arguments: Any
    ) -> Any:
        """The diagnosis of this network as a page: ``net.report(X, y).save("report.html")``; a notebook shows it.

        Parameters
            X, y : as in ``diagnose`` ; diagnosis : made before; by default that of the last watched fit, or a new one
            cure : a Cure, whose evidence is shown, too ; title : of the page ; arguments : of ``diagnose``
        Returns     a chainrule.report.DiagnosisReport ; the network is not changed
        """
        from .report import DiagnosisReport

        if diagnosis is None and cure is not None:
            diagnosis = cure.diagnosis
        if diagnosis is None:
            diagnosis = getattr(self, "diagnosis_", None) or self.diagnose(X, y, **arguments)
        shown = self
        if not self.built:
            shown = copy.deepcopy(self)
            try:
                shown.build(*(tuple(None if s == FREE else s for s in x.shape[1:]) for x in input_arrays(shown, X)))
            except (DataError, ShapeError, DtypeError):
                shown = self  # what is wrong with the data is in the findings
        return DiagnosisReport(diagnosis, cure=cure, network=shown, X=X, title=title or "Diagnosis of a network")

    # ------------------------------------------------------------ curing

    def cure(
        self,
        X: Any,
        y: Any = None,
        *,
        time_budget: float = 60.0,
        seeds: int = 3,
        validation_data: tuple[Any, Any] | None = None,
        validation_split: float = 0.25,
        metric: Any = None,
        diagnosis: Any = None,
        changes: Iterable[Any] | None = None,
        start: str = "auto",
        in_place: bool = False,
        refit: bool = True,
        verbose: int = 1,
        engine: str = "auto",
        precision: str = "float32",
        **fit: Any,
    ) -> Any:
        """Finds out which changes make the network learn, proves it, and returns the changed network with the evidence.

        The changes that the diagnosis calls for are tried alone and together in paired runs: the same samples, the same
        orders and the same seeds as the network as it is. One is kept only when the held-out score rises, in the mean, by
        more than the spread between seeds. ``print(cure)`` shows what was changed, as a patch of the Python that
        defines and trains the network, and what was tried and rejected; ``cure.network`` is the new network, trained.

        Parameters
            X, y : all data, as in fit ; of batches up to 5,000 samples are kept for the trials, of a graph nodes held out
            time_budget : seconds for all of it: at most a quarter for the diagnosis, trials that are as long as fits (see
                ``runs_of`` of the Cure), and the final training, unless that takes more than a third and comes on top
            seeds : int >= 2, runs of each setup (two may do where time is short)
            validation_data, validation_split : held out for the scores
            metric : a Metric or its name, of the first output. None: accuracy for classes (the mean over the classes when
                they are unequal), R² for numbers, the mean of these for several outputs
            diagnosis : made by ``diagnose`` before, None makes one ; changes : Changes to try in place of a diagnosis's
            start : "fresh" draws new start weights for every seed (not those of frozen layers), "own" begins with the
                weights that the network has; "auto" is "own" for a network never fitted whose weights were set by hand
            in_place : whether this network becomes the cured one ; refit : whether the changed network is at last trained on
                all the data, for all its epochs ; verbose : 1 says on a terminal what is being done
            engine, precision, fit : arguments of ``fit`` as they were; by default what the last fit used
        Returns     a Cure ; its network is this one, unchanged, when nothing wins
        Raises      ParameterError, ShapeError, DataError for bad arguments or data

        Example
            >>> from chainrule.layers import Dense, Tanh
            >>> X = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
            >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
            >>> from chainrule.diagnosis import Change
            >>> net = Network([Dense(16), Tanh(), Dense(2)], random_state=0)
            >>> faster = Change("learning_rate", {"value": 0.03})
            >>> found = net.cure(X, y, learning_rate=1e-5, epochs=20, changes=[faster])
            >>> found.changes == (faster,), found.best.score > 0.9
            (True, True)
        """
        from .cures import cure

        return cure(
            self,
            X,
            y,
            time_budget=time_budget,
            seeds=seeds,
            validation_data=validation_data,
            validation_split=validation_split,
            metric=metric,
            diagnosis=diagnosis,
            changes=changes,
            start=start,
            in_place=in_place,
            refit=refit,
            verbose=verbose,
            engine=engine,
            precision=precision,
            **fit,
        )

    # ------------------------------------------------------------ keeping

    def save(self, path: Path, *, extra: dict[str, Any] | None = None) -> None:
        """Writes layers, parameters and what the last fit used to one file (safetensors), atomically.

        Parameters  path : of the file ; extra : more plain data to keep with it, given back by chainrule.network.files.load
        """
        from .network.files import save

        save(self, path, {**(extra or {}), "fit": self._plain_config()})

    def _plain_config(self) -> dict[str, Any]:
        config = self.fit_config_
        if config:
            rate = getattr(config["optimizer"], "learning_rate", None)
            if callable(rate) and not isinstance(rate, Schedule):
                # A plain function is code, and files hold none: its last rate stands for it.
                config["optimizer"] = copy.copy(config["optimizer"])
                config["optimizer"].learning_rate = self._trainer.learning_rate() if self._trainer else 0.001
            del config["metrics"]
        return config

    def __getstate__(self) -> dict[str, Any]:
        # Executables are compiled again when they are needed; the graph is rebuilt from the calls, so that a deep network
        # does not nest as deep in the pickle.
        dropped = (
            "_engine", "_predictors", "_differentiators", "_again", "_trainer", "_lock", "_tensors", "fit_arguments_",
            "diagnosis_", "cure_",
        )  # fmt: skip
        state = {name: value for name, value in vars(self).items() if name not in dropped}
        state["inputs"] = [(t.shape, t.dtype) for t in self._tensors[0]]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        inputs = [Tensor(shape=shape, dtype=dtype) for shape, dtype in state.pop("inputs")]
        vars(self).update(state)
        tensors = dict(zip(self.input_ids, inputs, strict=True))
        for call in self.calls:
            made = Tensor.several(call.layer, tuple(tensors[i] for i in call.inputs), len(call.outputs))
            tensors.update(zip(call.outputs, made, strict=True))
        self._tensors = (inputs, [tensors[i] for i in self.output_ids])
        for arena in (self.parameters, self.states):
            _align(arena)
        self._forget_executables()

    # ------------------------------------------------------------ engines

    def _use_engine(self, engine: str, threads: int | None, precision: str) -> None:
        wanted = (engine, threads, self.dtype if self.dtype == "float64" else precision)
        if precision not in ("float32", "bfloat16") or (precision == "bfloat16" and self.dtype == "float64"):
            raise ParameterError(
                f'precision must be "float32" or "bfloat16" (of a float32 network). Got {precision!r} for a {self.dtype} '
                f'network; a float64 network is made by Network(..., dtype="float64").'
            )
        if wanted != self._engine_wanted or self._engine is None:
            self._engine_wanted = wanted
            self._engine, self._predictors, self._again, self._trainer = None, None, None, None
            self._differentiators = None
            self._get_engine()

    def _get_engine(self) -> Engine:
        if self._engine is None:
            from .engine import get_engine

            name, threads, dtype = self._engine_wanted
            self._engine = get_engine(name, dtype=dtype, threads=threads)
        return self._engine

    def _arenas(self) -> dict[str, Array]:
        return {"parameters": self.parameters.flat, "states": self.states.flat}

    def _predicting(self) -> Executables:
        """The executables of predict and evaluate, over the arenas as they are now."""
        with self._lock:
            found = self._predictors
            if found is None or found.arenas["parameters"] is not self.parameters.flat:
                self._again = None
                found = self._predictors = Executables(self._get_engine(), self._arenas())
            return found

    def _differentiating(self) -> Executables:
        """The executables of ``input_gradient``, over the arenas as they are now."""
        with self._lock:
            found = self._differentiators
            if found is None or found.arenas["parameters"] is not self.parameters.flat:
                found = self._differentiators = Executables(self._get_engine(), self._arenas())
            return found


def load(path: Path) -> Network:
    """The network that ``Network.save`` wrote, with the loss and optimizer of its last fit.

    Raises      ModelFileError when the file is missing, damaged, foreign or of a newer version
    """
    from .network.files import load as load_file

    network, extra = load_file(path, Network)
    network._trained = True
    config = extra.get("fit") or {}
    losses = config.get("loss")
    if isinstance(losses, list) and losses and all(isinstance(one, Loss) for one in losses):
        network.loss_ = losses[0] if len(losses) == 1 else losses
        network.loss_weights_ = config.get("loss_weights")
        network._forms = [int(form) for form in config.get("forms") or [0] * len(losses)]
        network.metrics_ = choose_metrics(None, losses[0], network.output_shapes[0])
        if isinstance(config.get("optimizer"), Optimizer):
            network.optimizer_ = config["optimizer"]
    return network


def _holds_classes(loss: Loss, y: Array, output_shape: tuple[int, ...]) -> bool:
    """Whether y holds one class a sample, at least one of them twice, so that a split can keep their proportions."""
    indices = loss.threshold is not None or any(d == "int" for _, d in loss.target((2, *output_shape)))
    if not indices or y.dtype.kind not in "biu" or y.size != len(y):
        return False
    return bool((np.unique(y, return_counts=True)[1] > 1).any())


def _align(arena: Arena) -> None:
    flat = aligned_zeros(arena.flat.size, arena.flat.dtype)
    np.copyto(flat, arena.flat)
    arena.flat = flat


def _explained(plan: Plan, steps: str) -> Plan:
    """The plan with what the usual engine would choose for it, and of how many steps it is where their number is free."""
    from .engine import get_engine

    if steps:
        plan.notes.append(f"the length of the samples is free: this is the plan{steps}")
    plan.notes.extend(get_engine().explain(plan))
    return plan


def _positive_or_none(name: str, value: Any) -> int | None:
    """``_positive`` where None leaves the choice to the network."""
    return None if value is None else _positive(name, value)


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ParameterError(f"{name} must be an int of at least 1. Got {value!r}.")
    return int(value)  # NumPy's ints would get into the shapes of plans


def _check_split(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)) or not 0 <= value < 1:
        raise ParameterError(f"validation_split must be a number from 0 to below 1. Got {value!r}.")


def _callbacks(callbacks: Any) -> list[Callback]:
    several = isinstance(callbacks, Iterable) and not isinstance(callbacks, Callback)
    found = list(callbacks) if several else [] if callbacks is None else [callbacks]
    for callback in found:
        if not isinstance(callback, Callback):
            raise ParameterError(
                f"callbacks must be instances of chainrule.training.Callback. Got {callback!r}. "
                "A function becomes one by LambdaCallback(on_epoch_end=function)."
            )
    return found


def _early_stopping(wanted: Any, validated: bool) -> EarlyStopping | None:
    if wanted is None or wanted is False:
        return None
    if isinstance(wanted, EarlyStopping):
        return wanted
    monitor = "val_loss" if validated else "loss"
    if wanted is True:
        return EarlyStopping(monitor)
    if isinstance(wanted, int):
        return EarlyStopping(monitor, patience=wanted)
    raise ParameterError(f"early_stopping must be an EarlyStopping, True, or an int of epochs (patience). Got {wanted!r}.")
