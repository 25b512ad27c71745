"""Watched trainings: what happens in a fit is sampled, and a diagnosis made of it.

``Network.diagnose`` trains a copy of the network for a while; ``Network.fit(diagnose=True)`` watches the fit itself. Both
end in a ``Case`` that the rules of ``chainrule.diagnosis`` look at. The network that is asked about is never changed by it.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data.batches import Batches
from .data.sequences import Sequences
from .diagnosis import Diagnosis, Rule
from .diagnosis.case import Case
from .diagnosis.data_facts import ROWS, WIDTH, DataFacts
from .diagnosis.examine import examine
from .diagnosis.outcome import Outcome
from .diagnosis.rank import Rank, participation
from .diagnosis.reference import SAMPLES
from .diagnosis.statistics import Statistics
from .diagnosis.through_time import TimeChain, time_chain
from .errors import ChainruleError, DataError, DivergenceError, DtypeError, ParameterError, ShapeError
from .losses import Loss
from .network import NetworkGraph
from .ops import SparseMatrix
from .ops.value import FREE
from .optimizers import Optimizer, get_optimizer
from .registry import finite_number
from .training import Callback, FitState
from .training.intake import is_stream
from .training.moment import MORE_SAMPLES, Moment
from .training.probe import Found, Probe
from .training.samples import Recorder, Samples, collect, recorded
from .training.trace import trace

__all__ = ["DiagnosisWarning", "Watch", "diagnose", "through_time", "watched_fit"]

Array = NDArray[Any]
#: Steps that a trial takes at most, and seconds.
TRIAL_STEPS, TRIAL_SECONDS = 3000, 20.0
#: Epochs with a fault that cannot be learned with before on_fault="stop" ends the fit.
PATIENCE = 3
#: Bytes of samples of which only some are looked at.
_LARGE = 256 * 2**20
#: Rows of a layer's outputs that its effective rank is of, at most.
MORE_ROWS = 1024
#: Arguments that say how to train. Given otherwise than in the last fit, a diagnosis is of another one.
_TRAINING = ("optimizer", "learning_rate", "epochs", "batch_size", "shuffle")
#: Of the samples that a diagnosis keeps for pictures, at most.
_SHOWN_BYTES = 1 << 23
#: Errors of the data that a diagnosis reports as findings.
_DATA_ERRORS = (DataError, ShapeError, DtypeError)


class DiagnosisWarning(UserWarning):
    """A watched fit is not healthy. The message names the cause; ``network.diagnosis_`` has all of it."""


class Watch(Callback):
    """Samples the statistics of a fit.

    Parameters  every : sample every so many steps; None keeps the cost below 3 % of the time (see training.probe) ;
                seconds, steps : the fit ends when they are over, after some steps of an epoch at last, None never ;
                check : called after an epoch with the watch; True ends the fit
    Attributes  statistics, fit : of the training, after the fit has begun
    """

    def __init__(
        self,
        every: int | None = None,
        *,
        seconds: float | None = None,
        steps: int | None = None,
        check: Any = None,
    ) -> None:
        if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
            raise ParameterError(
                f"diagnose: the number of steps between samples must be an int of at least 1. Got {every!r}."
            )
        self.every, self.seconds, self.steps, self.check = every, seconds, steps, check
        self.statistics: Statistics | None = None
        self.fit: FitState | None = None
        self.cut = False
        self.probe: Probe | None = None
        #: What made a look inside fail, in words.
        self.error = ""
        self.start: Moment | None = None
        self.latest: Moment | None = None

    def on_fit_begin(self, state: FitState) -> None:
        self.fit, self.statistics = state, Statistics(state.network)
        self.first_step = state.step
        self._started = time.perf_counter()
        self.probe = state.probe = Probe(self._take, self.every)

    def _take(self, run: Any, found: Found, sizes: dict[str, int], rate: float) -> None:
        assert self.statistics is not None and self.fit is not None
        self.statistics.add(run.step, run.epoch, run.piece.batch, rate, found, sizes)
        if self.start is None:
            self.start = self.latest = Moment(self.fit, run, MORE_SAMPLES)
            self.start.keep_weights()
        elif self.start.recurrent:
            self.latest = Moment(self.fit, run)  # looked at with the weights of the end

    def look_inside(self) -> None:
        """Looks at the weights of the start and of the end, with samples that the fit saw then, as is too dear at a step."""
        if self.statistics is None or self.fit is None or self.latest is None or self.start is None:
            return
        end = self.start.now() if self.latest is self.start else self.latest
        last = max(self.fit.step, self.start.step + 1)
        try:
            for step, moment in ((self.start.step, self.start), (last, end)):
                if known := self._chains(moment, step):
                    self.statistics.through_time[step] = known
            for step, moment in ((self.start.step, self.start), (last, self.start.now())):
                self.statistics.ranks[step] = self._ranks(moment)
        except Exception as error:  # a user's layer, as in a probe; the fit was not harmed
            self.error = f"{type(error).__name__}: {error}"

    def _chains(self, moment: Moment, step: int) -> dict[str, TimeChain]:
        assert self.statistics is not None
        calls, found = list(self.statistics.calls.values()), {}
        parameters = moment.parameters()
        for n, inside in moment.inside().items():
            weight = parameters.get(f"{calls[n].name}.recurrent_weight")
            chain = None if weight is None else time_chain(calls[n].key, calls[n].layer, inside, weight, step)
            if chain is not None:
                found[calls[n].key] = chain
        return found

    def _ranks(self, moment: Moment) -> dict[str, Rank]:
        """Of the layers with units, and of activations, which make other directions of them."""
        assert self.statistics is not None
        calls, found = list(self.statistics.calls.values()), {}
        parameters = moment.parameters()
        for n, output in moment.outputs().items():
            call = calls[n]
            if call.role not in ("weight", "activation") or output.ndim < 2 or output.shape[-1] < 2:
                continue
            rows = output.reshape(-1, output.shape[-1])
            # Places and steps beyond what is cheap are left out evenly.
            rows = rows[:: max(1, -(-len(rows) // MORE_ROWS))]
            own = [parameters[p] for p in call.parameters if p in parameters and parameters[p].ndim > 1]
            weight = max(own, key=lambda w: w.size) if own else None
            found[call.key] = Rank(
                output.shape[-1],
                participation(rows),
                math.nan if weight is None else participation(weight.reshape(-1, weight.shape[-1]), centred=False),
                len(rows),
            )
        return found

    def _over(self, state: FitState, times: float = 1.0) -> bool:
        late = self.seconds is not None and time.perf_counter() - self._started > times * self.seconds
        return late or (self.steps is not None and state.step - self.first_step >= times * self.steps)

    def on_batch_chunk_end(self, state: FitState, logs: Mapping[str, float]) -> None:
        # An epoch that is not yet over is worth waiting for; one that goes on for ever is not.
        if self._over(state, 2.0):
            self.cut = True
            raise KeyboardInterrupt

    def on_epoch_end(self, state: FitState, epoch: int, logs: Mapping[str, float]) -> None:
        over = epoch < state.epochs and self._over(state)
        if over or (self.check is not None and self.check(self, epoch)):
            self.cut = state.stop = True


# ---------------------------------------------------------------- before and after


def diagnose(
    network: Any,
    X: Any,
    y: Any = None,
    *,
    rules: Sequence[Rule] = (),
    every: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    **arguments: Any,
) -> Diagnosis:
    """``Network.diagnose``."""
    if seconds is not None and not (finite_number(seconds) and seconds > 0):
        raise ParameterError(f"diagnose: seconds must be a positive number. Got {seconds!r}.")
    most = TRIAL_SECONDS if seconds is None else min(TRIAL_SECONDS, seconds)
    _check_rules(rules)
    last = getattr(network, "fit_settings_", None)
    fitted = {} if last is None else last.arguments("objective", "learning")
    history_now = getattr(network, "history_", None)
    known = bool(fitted)
    given = {name: value for name, value in arguments.items() if value is not None}
    # How else to train is asked about a fit that is to come, which goes on from the weights that are there.
    coming = any(name in given and fitted.get(name) != given[name] for name in _TRAINING)
    diverged = bool(network._trained) and bool(getattr(history_now, "diverged", False))
    trained = bool(network._trained) and not diverged and not coming
    if network._trained and not known:  # loaded from a file
        fitted = {"loss": getattr(network, "loss_", None), "optimizer": getattr(network, "optimizer_", "adam")}
    if "optimizer" in given and "learning_rate" not in given:
        fitted.pop("learning_rate", None)
    settings = {**fitted, **given}
    # After a fit the training is run again, from start weights drawn anew: with an int as random_state the same ones. So it
    # is after one that diverged, whose weights are what it has left.
    replayed = known and (trained or diverged)
    twin = _anew(network) if replayed else copy.deepcopy(network)
    epochs, batch = int(settings.get("epochs", 20)), settings.get("batch_size", 32)
    planned = epochs
    limit = TRIAL_STEPS if steps is None else _steps(steps)
    if trained and not replayed and steps is None:
        limit = min(limit, 200)
    n = (X.n_samples or 0) if isinstance(X, Batches) else 0 if is_stream(X, y) else _length(X)
    if n and isinstance(batch, int) and batch > 0:
        epochs = max(1, min(epochs, limit // max(1, -(-n // batch))))
    watch = Watch(every, seconds=most, steps=None if n else limit)
    X = _kept(X, y)
    options = {**settings, "epochs": epochs, "verbose": 0, "callbacks": [watch], "diagnose": False}
    options["early_stopping"] = copy.deepcopy(settings.get("early_stopping"))  # the user's own keeps what it saw
    fault: dict[str, str] = {}
    try:
        twin.fit(X, y, **options)
    except DivergenceError as error:
        fault = _fault(error, watch)
    except _DATA_ERRORS as error:
        fault = {"error": str(error), "kind": "data"}
    except KeyboardInterrupt:  # pragma: no cover
        raise
    cut = watch.cut or getattr(getattr(twin, "history_", None), "interrupted", False)
    complete = not fault and not cut and (trained or epochs >= planned)
    if not trained:
        subject, history = twin, twin.history_ if hasattr(twin, "history_") else {}
    else:
        subject, history = network, history_now if history_now is not None else {}
    case = _case(
        subject, X, y, watch, {**settings, "epochs": planned}, fault=fault, history=history, complete=complete,
        fresh=replayed or not network._trained, seconds=most,
    )  # fmt: skip
    return _examine(case, watch, rules)


def _examine(case: Case, watch: Watch, rules: Sequence[Rule]) -> Diagnosis:
    watch.look_inside()
    diagnosis = examine(case, rules=rules)
    error = watch.error or (watch.probe.error if watch.probe is not None else "")
    if error:
        diagnosis.errors["statistics"] = error
    if case.network.built and case.data.inputs:
        rows = max(1, _SHOWN_BYTES // max(1, sum(np.asarray(x[:1]).nbytes for x in case.data.inputs)))
        diagnosis.subject = case.network, [np.array(x[: min(rows, 512)]) for x in case.data.inputs]
    return diagnosis


def _steps(steps: Any) -> int:
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ParameterError(f"diagnose: steps must be an int of at least 1. Got {steps!r}.")
    return int(steps)


def _check_rules(rules: Any) -> None:
    several = isinstance(rules, (list, tuple))
    for rule in rules if several else [rules]:
        if not several or isinstance(rule, type) or not hasattr(rule, "check"):
            raise ParameterError(
                f"rules must be a list of instances of chainrule.diagnosis.Rule, such as rules=[MyRule()]. Got {rules!r}."
            )


def _length(X: Any) -> int:
    try:
        first = X[0] if isinstance(X, (list, tuple)) and X and hasattr(X[0], "__array__") else X
        return len(first)
    except TypeError:
        return 0


def through_time(network: NetworkGraph, X: Any, y: Any, *, loss: Any = None) -> dict[str, TimeChain]:
    """The gains of the gradient through time of every recurrent layer for these samples; nothing is learned or changed.

    ``diagnosis.through_time()`` has the same of the samples and weights of a training. What is measured is said in
    chainrule.diagnosis.through_time.

    Parameters  network : built ; X, y, loss : as in ``training.trace``, by default the loss of the last fit
    Returns     {layer's name: TimeChain} in the order of the layers
    Raises      ParameterError when there is no recurrent layer, or no loss ; as ``trace``

    Example
        >>> from chainrule.layers import Dense, SimpleRNN
        >>> net = NetworkGraph([SimpleRNN(4), Dense(1)], random_state=0).build((50, 1))
        >>> chain = through_time(net, np.ones((2, 50, 1)), np.ones((2, 1)), loss="squared_error")["0.simple_rnn"]
        >>> sorted(chain.factors()), bool(np.isclose(sum(chain.factors().values()), chain.log10))
        (['activation', 'weight'], True)
    """
    loss = getattr(network, "loss_", None) if loss is None else loss
    if loss is None:
        raise ParameterError("through_time: the network was not fitted yet, so give the loss.")
    found: dict[str, TimeChain] = {}
    for key, layer in trace(network, X, y, loss=loss).layers.items():
        if "recurrent_weight" in layer.parameters:
            chain = time_chain(key, network.layers[layer.name], layer.inside, layer.parameters["recurrent_weight"])
            found |= {} if chain is None else {key: chain}
    if not found:
        raise ParameterError("through_time: the network has no recurrent layer (SimpleRNN, LSTM or GRU).")
    return found


# ---------------------------------------------------------------- during


def watched_fit(
    network: Any,
    X: Any,
    y: Any = None,
    *,
    on_fault: str = "warn",
    every: int | None = None,
    rules: Sequence[Rule] = (),
    **arguments: Any,
) -> Any:
    """``Network.fit(diagnose=True)``: the fit, watched, and ``network.diagnosis_`` at its end.

    Parameters  on_fault : "warn" gives a DiagnosisWarning at the end ; "stop" also ends the fit when it cannot succeed ;
                "cure" stops and has ``network.cure`` change the network, then trains it
    """
    if on_fault not in ("warn", "stop", "cure"):
        raise ParameterError(f'fit: on_fault must be "warn", "stop" or "cure". Got {on_fault!r}.')
    _check_rules(rules)
    fresh = not network._trained
    X = _kept(X, y)
    hopeless = _Hopeless(network, X, y, arguments, fresh) if on_fault != "warn" else None
    watch = Watch(every, check=hopeless)
    callbacks = arguments.pop("callbacks", ())
    several = isinstance(callbacks, (list, tuple))
    every_callback = [*(callbacks if several else [] if callbacks is None else [callbacks]), watch]
    network.diagnosis_ = None
    try:
        network.fit(X, y, **arguments, callbacks=every_callback, diagnose=False)
    except (DivergenceError, *_DATA_ERRORS) as error:
        fault = _fault(error, watch) if isinstance(error, DivergenceError) else {"error": str(error), "kind": "data"}
        case = _case(network, X, y, watch, arguments, fault=fault, history=_history(network, watch), fresh=fresh)
        network.diagnosis_ = _examine(case, watch, rules)
        if on_fault == "cure" and isinstance(error, DivergenceError):
            return _cure(network, X, y, arguments)
        cause = network.diagnosis_.cause
        if cause is None or cause.name == "data-error":
            raise
        raise type(error)(f"{error} Diagnosis: {cause.title}. {cause.cause}".rstrip()) from error
    complete = not network.history_.interrupted and not watch.cut
    case = _case(network, X, y, watch, arguments, history=network.history_, complete=complete, fresh=fresh)
    network.diagnosis_ = _examine(case, watch, rules)
    if hopeless is not None and watch.cut and network.diagnosis_.healthy:
        network.diagnosis_ = hopeless.diagnosis or network.diagnosis_
    if not network.diagnosis_.healthy and on_fault == "cure":
        return _cure(network, X, y, arguments)
    for name, error_text in network.diagnosis_.errors.items():
        what = "no statistics could be taken" if name == "statistics" else f"the rule {name!r} failed"
        warnings.warn(f"{what}: {error_text}", DiagnosisWarning, stacklevel=3)
    if not network.diagnosis_.healthy:
        cause = network.diagnosis_.cause
        stopped = " The fit was stopped." if watch.cut else ""
        warnings.warn(
            f"{cause.title}. {cause.cause}{stopped} See network.diagnosis_ for all of it.", DiagnosisWarning, stacklevel=3
        )
    return network


def _history(network: Any, watch: Watch) -> Any:
    return watch.fit.history if watch.fit is not None else getattr(network, "history_", {})


def _cure(network: Any, X: Any, y: Any, arguments: dict[str, Any]) -> Any:
    """Has ``cure`` change the network and train it; ``network.cure_`` is the evidence."""
    silent = ("verbose", "callbacks", "resume", "diagnose", "on_fault")
    given = {name: value for name, value in arguments.items() if value is not None and name not in silent}
    if not given.get("validation_split"):
        given.pop("validation_split", None)
    given["verbose"] = min(1, arguments.get("verbose", 1))
    diagnosis = network.diagnosis_
    cure = network.cure(X, y, diagnosis=diagnosis, in_place=True, **given)
    network.cure_, network.diagnosis_ = cure, diagnosis
    return network


class _Hopeless:
    """Asks, after epochs 1, 2, 3, 4, 6, 8, 12, ..., whether errors persist that the fit cannot recover from."""

    #: Faults whose outcome more epochs do not change.
    NAMES = (
        "non-finite-data", "constant-targets", "softmax-one-unit", "output-activation", "output-range", "wrong-loss",
        "constant-initialisation", "gradient-cut-off", "no-parameters", "dead-units", "vanishing-gradients",
        "exploding-gradients", "learning-rate-too-large", "saturated-units", "initialisation-too-large",
        "missing-nonlinearity",
    )  # fmt: skip

    def __init__(self, network: Any, X: Any, y: Any, arguments: dict[str, Any], fresh: bool) -> None:
        self.network, self.X, self.y, self.arguments, self.fresh = network, X, y, arguments, fresh
        self.next, self.seen = 1, 0
        self.facts: _Seen | None = None
        self.diagnosis: Diagnosis | None = None

    def __call__(self, watch: Watch, epoch: int) -> bool:
        if epoch < self.next:
            return False
        self.next = max(epoch + 1, math.ceil(1.4 * epoch))
        case = _case(
            self.network, self.X, self.y, watch, self.arguments, history=_history(self.network, watch), fresh=self.fresh,
            seen=self.facts,
        )  # fmt: skip
        self.facts = case.seen
        found = examine(case, only=self.NAMES)
        wrong = [f for f in found.findings if f.severity == "error"]
        self.seen = self.seen + 1 if wrong and case.outcome.failed else 0
        self.diagnosis = found
        return self.seen >= PATIENCE


# ---------------------------------------------------------------- the case


def _fault(error: Exception, watch: Watch) -> dict[str, str]:
    culprit = None if watch.fit is None else watch.fit.culprit
    found = {"error": str(error), "kind": "divergence"}
    if culprit is not None:
        found["place"] = culprit.place
        found["step"] = str(culprit.run.step + culprit.step)
        if culprit.last_loss is not None:
            found["last_loss"] = str(culprit.last_loss)
    return found


def _kept(X: Any, y: Any) -> Any:
    """What a watched fit is to read in place of X, so that what a stream yields can be looked at afterwards."""
    return recorded(X, ROWS) if is_stream(X, y) else X


def _samples(network: Any, X: Any, y: Any, weight: Any, losses: Sequence[Loss]) -> Samples | None:
    """The samples as they are, finite or not; None where they are no samples, which fit itself has complained of."""
    graph, unlabelled = network.samples is not None, [loss.ignore_label for loss in losses]
    try:
        if isinstance(X, Recorder) or is_stream(X, y):
            return collect(X, ROWS, graph=graph, unlabelled=unlabelled)
        inputs, targets = _arrays(X, len(network.input_ids)), _arrays(y, len(network.output_ids))
        if any(a.dtype.kind not in "biuf" or not a.shape for a in (*inputs, *targets) if not isinstance(a, SparseMatrix)):
            return None
        if any(a.shape[0] != len(targets[0]) for a in (*inputs, *targets)) or not len(targets[0]):
            return None
        return Samples.of(inputs, targets, weight, graph=graph, unlabelled=unlabelled)
    except (ChainruleError, TypeError, ValueError, IndexError):
        return None


def _arrays(values: Any, count: int) -> list[Any]:
    several = count > 1 and isinstance(values, (list, tuple))
    return [
        v if isinstance(v, Sequences) else SparseMatrix.of(v) if hasattr(v, "tocsr") or isinstance(v, SparseMatrix)
        else np.asarray(v)
        for v in (values if several else [values])
    ]  # fmt: skip


class _Seen:
    """What a diagnosis sees of the samples: facts of them, and what a network puts out for those that are looked at.

    Parameters  samples : None where there are none ; held : validation samples or None
    """

    def __init__(self, network: Any, samples: Samples | None, held: Samples | None, losses: Sequence[Loss]) -> None:
        self.held = None if held is None else _few(held)
        self.samples = None if samples is None else _few(samples)
        self.data = DataFacts([], [])
        if self.samples is None or samples is None:
            return
        inputs, targets = self.samples.dense_inputs(WIDTH), self.samples.dense_targets()
        validation = None
        if self.held is not None:
            found = self.held.dense_inputs(WIDTH), self.held.dense_targets()
            same = len(found[0]) == len(inputs) and len(found[1]) == len(targets)
            alike = all(a.shape[1:] == b.shape[1:] for a, b in zip(found[0], inputs, strict=False))
            validation = found if same and (alike or self.held.ragged) else None
        classes = [_classes_of(loss, shape) for loss, shape in zip(losses, network.output_shapes, strict=False)]
        total = None if samples.by_step else samples.total if samples.total is not None else len(samples)
        independent = self.samples.nodes is None
        self.data = DataFacts(inputs, targets, network.index_limits(), classes, validation, total, independent)

    def outputs(self, network: Any, rows: NDArray[np.int64] | None = None) -> list[Array] | None:
        """For ``data.rows``, one array for each output."""
        return None if self.samples is None else _outputs(network, self.samples, self.data.rows if rows is None else rows)

    def held_outputs(self, network: Any) -> tuple[list[Array] | None, NDArray[np.int64]]:
        """For validation samples, and which they are."""
        if self.held is None or self.data.validation is None:
            return None, np.zeros(0, np.int64)
        rows = np.arange(len(self.data.validation[1][0]))[:ROWS]
        return _outputs(network, self.held, rows), rows


def _few(samples: Samples) -> Samples:
    """As many as are looked at, where all of them would have to be copied to be looked at."""
    if not (samples.ragged or samples.nodes is not None or samples.nbytes > _LARGE):
        return samples
    count = ROWS
    if samples.by_step:  # each step is one
        steps = next(len(y.values) / len(y) for y in samples.targets if isinstance(y, Sequences))
        count = min(ROWS, max(20, int(4 * ROWS / steps)))
    elif samples.nodes is None:
        count = min(ROWS, max(20, int(len(samples) * _LARGE / max(1, samples.nbytes))))
    return samples.drawn(count)


def _outputs(network: Any, samples: Samples, rows: NDArray[np.int64]) -> list[Array] | None:
    whole = samples.by_step or samples.nodes is not None
    try:
        with np.errstate(all="ignore"):
            found = (samples if whole else samples.take(rows)).outputs(network)
    except ChainruleError:
        return None
    return [np.asarray(z[rows] if whole else z, np.float64) for z in found]


def _classes_of(loss: Loss, shape: tuple[int, ...]) -> int | None:
    """How many classes an output tells apart; None for numbers."""
    shape = tuple(2 if s == FREE else s for s in shape)
    units = shape[-1] if shape else 1
    if any(dtype == "int" for _, dtype in loss.target((2, *shape))):
        return units
    return None if loss.threshold is None else 2 if units == 1 else units


def _case(
    network: Any,
    X: Any,
    y: Any,
    watch: Watch,
    settings: Mapping[str, Any],
    *,
    fault: Mapping[str, str] | None = None,
    history: Any = None,
    complete: bool = True,
    fresh: bool = True,
    seen: _Seen | None = None,
    seconds: float = TRIAL_SECONDS,
) -> Case:
    state = watch.fit
    losses: list[Loss] = [] if state is None else list(state.losses)
    samples: Samples | None = None
    if seen is None:
        samples = _samples(network, X, y, settings.get("sample_weight"), losses)
        seen = _Seen(network, samples, _validation(network, settings.get("validation_data"), losses), losses)
    data, statistics = seen.data, watch.statistics or Statistics(network)
    data.width = statistics.narrowest()
    judged = network.built and data.samples and not data.non_finite and losses
    outputs = seen.outputs(network) if judged else None
    optimizer: Optimizer | None = None if state is None else state.optimizer
    if optimizer is None:
        try:
            optimizer = get_optimizer(settings.get("optimizer", "adam"))
        except ChainruleError:
            optimizer = None
    values = {} if history is None else {name: list(history[name]) for name in history}
    held: list[tuple[list[float], int]] = []

    def hold_out(number: int) -> tuple[float, int]:
        if not held:
            held.append(_hold_out(network, samples, settings, losses, data.classes, seconds))
        scores, count = held[0]
        return (scores[number], count) if scores else (math.nan, 0)

    outcomes = _outcomes(network, seen, losses, statistics, values, outputs, fault or {}, complete, state)
    case = Case(
        network=network,
        losses=losses,
        optimizer=optimizer,
        data=data,
        statistics=statistics,
        history=values,
        batch_size=network.samples or int(settings.get("batch_size", 32)),
        epochs=int(settings.get("epochs", 20)),
        shuffle=bool(settings.get("shuffle", True)),
        steps=0 if state is None else state.step,
        outcome=outcomes[0],
        outputs=None if outputs is None else outputs[0],
        fault=fault or {},
        fresh=fresh,
        hold_out=lambda: hold_out(0),
    )
    case.seen = seen
    if len(outcomes) > 1:
        case.by_output = [
            replace(
                case, losses=[losses[i]], data=data.of_output(i), statistics=statistics.of_output(i), outcome=outcomes[i],
                outputs=None if outputs is None else outputs[i], hold_out=partial(hold_out, i),
            )
            for i in range(len(outcomes))
        ]  # fmt: skip
    return case


def _validation(network: Any, given: Any, losses: Sequence[Loss]) -> Samples | None:
    if isinstance(given, (tuple, list)) and len(given) >= 2:
        return _samples(network, given[0], given[1], given[2] if len(given) > 2 else None, losses)
    return None if given is None else _samples(network, given, None, None, losses)


def _final_loss(epochs: Array, statistics: Statistics) -> float:
    """The loss at the end. The mean over an epoch is smoothest, but that over one of few epochs has the start in it."""
    last = [s.loss for s in statistics.samples if 3 * s.step >= statistics.samples[-1].step]
    if len(epochs) > 2 or len(last) < 3:
        return float(epochs[-1]) if len(epochs) else (last or [math.nan])[-1]
    return float(np.median(last))


def _hold_out(
    network: Any,
    samples: Samples | None,
    settings: Mapping[str, Any],
    losses: Sequence[Loss],
    classes: Sequence[int | None],
    seconds: float,
) -> tuple[list[float], int]:
    """The score of each output on a fifth of the samples, of a copy that starts anew and is trained on the others; and how
    many they are."""
    if samples is None or len(samples) < 40:
        return [], 0
    order = np.random.default_rng(0).permutation(len(samples))
    count = max(20, len(samples) // 5)
    held, kept = samples.take(order[:count]), samples.take(order[count:])
    twin = _anew(network)
    batch = int(settings.get("batch_size", 32))
    epochs = max(1, min(int(settings.get("epochs", 20)), TRIAL_STEPS // max(1, -(-len(kept) // batch))))
    names = ("loss", "optimizer", "learning_rate", "batch_size", "shuffle", "engine", "threads", "loss_weights")
    given = {name: settings[name] for name in names if settings.get(name) is not None}
    try:
        twin.fit(
            kept.X, kept.y, **given, sample_weight=kept.weight, epochs=epochs, verbose=0,
            callbacks=[Watch(10**9, seconds=seconds)],
        )  # fmt: skip
        targets, outputs = held.dense_targets(), held.outputs(twin)
    except ChainruleError:
        return [], 0
    found = [
        _score(loss, np.asarray(z, np.float64), np.asarray(v), c)
        for loss, z, v, c in zip(losses, outputs, targets, classes, strict=True)
    ]
    return found, count


def _anew(network: Any) -> Any:
    """A copy of the network with new start weights; layers that are frozen keep what they have, as in every fit."""
    twin = copy.deepcopy(network)
    twin._trained = False
    seeded = isinstance(network.random_state, (int, np.integer))
    twin.rng = np.random.default_rng(network.random_state if seeded else 0)
    twin.restart()
    return twin


def _score(loss: Loss, z: Array | None, y: Array, classes: int | None, pooled: bool = False) -> float:
    """Accuracy for classes, R² for numbers (``pooled``: of all outputs together); NaN where it is not defined."""
    if z is None or not np.isfinite(z).all() or not len(z):
        return math.nan
    if classes is not None:
        exclusive = z.ndim == 2 and y.shape == z.shape and z.shape[1] > 1 and bool((y.sum(axis=1) == 1).all())
        if loss.threshold is not None and not exclusive:
            said = z > loss.threshold
            truth = (y > 0.5 if y.min() >= 0 else y > 0).reshape(said.shape) if y.size == said.size else None
            return math.nan if truth is None else float((said == truth).mean())
        truth = y if y.ndim < z.ndim else y.argmax(axis=-1)
        return float((z.argmax(axis=-1) == truth.reshape(z.shape[:-1])).mean()) if truth.size == z[..., 0].size else math.nan
    if y.size != z.size:
        return math.nan
    predicted, target = loss.prediction(z).reshape(len(z), -1), y.reshape(len(y), -1).astype(np.float64)
    variance = target.var(axis=0)
    kept = variance > 0
    if not kept.any():
        return math.nan
    with np.errstate(all="ignore"):
        wrong = ((predicted - target) ** 2).mean(axis=0)
        return float(1 - (wrong.sum() / variance.sum() if pooled else (wrong[kept] / variance[kept]).mean()))


def _baseline(loss: Loss, y: Array, classes: int | None) -> float:
    """The loss of the best constant output, where it is known in closed form."""
    if not y.size or not np.isfinite(y).all():
        return math.nan
    if loss.name == "softmax_cross_entropy":
        if y.dtype.kind == "f" and y.ndim > 1 and classes is not None and y.shape[-1] == classes:
            p = y.reshape(-1, classes).mean(axis=0)
        else:
            p = np.unique(y, return_counts=True)[1] / y.size
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())
    if loss.name == "binary_cross_entropy":
        p = y.reshape(len(y), -1).astype(np.float64).mean(axis=0)
        p = np.clip(p, 1e-12, 1 - 1e-12)
        entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
        return float(entropy.mean() if loss.reduction == "mean" else entropy.sum())
    flat = y.reshape(len(y), -1).astype(np.float64)
    if loss.name == "squared_error":
        return float(flat.var(axis=0).mean())
    if loss.name == "absolute_error":
        return float(np.abs(flat - np.median(flat, axis=0)).mean())
    return math.nan


def _outcomes(
    network: Any,
    seen: _Seen,
    losses: Sequence[Loss],
    statistics: Statistics,
    history: Mapping[str, Sequence[float]],
    outputs: Sequence[Array] | None,
    fault: Mapping[str, str],
    complete: bool,
    state: FitState | None,
) -> list[Outcome]:
    """How it went, for each output: its scores are its own, the losses are those that were minimised, of all together."""
    data = seen.data
    epochs = np.asarray(history.get("loss", ()), np.float64)
    start = statistics.samples[0].loss if statistics.samples else math.nan
    final = _final_loss(epochs, statistics)
    diverged = fault.get("kind") == "divergence"
    if not losses or not data.samples or data.non_finite:
        return [Outcome(start=start, final=final, diverged=diverged, complete=complete, losses=epochs)]
    classes = list(data.classes)
    held_outputs, rows = seen.held_outputs(network) if outputs is not None and not diverged else (None, data.rows[:0])
    weights = (None if state is None else state.objective.loss_weights) or [1.0] * len(losses)
    baseline = sum(
        w * _baseline(loss, np.asarray(y), c) for w, loss, y, c in zip(weights, losses, data.targets, classes, strict=True)
    )
    found = []
    for i, (loss, c) in enumerate(zip(losses, classes, strict=True)):
        own = data if len(losses) == 1 else data.of_output(i)
        pooled = own.code_share is not None
        score = _score(loss, None if outputs is None else outputs[i], own.target, c, pooled)
        held = math.nan
        if held_outputs is not None and data.validation is not None:
            held = _score(loss, held_outputs[i], np.asarray(data.validation[1][i])[rows], c, pooled)
        outcome = Outcome(
            score=score, validation=held, start=start, final=final, baseline=baseline, diverged=diverged, complete=complete,
            losses=epochs,
        )  # fmt: skip
        if (reference := own.reference) is not None:
            outcome = replace(
                outcome, chance=reference.chance, reference=reference.best, error=reference.error,
                informative=reference.informative, classes=c is not None, judged=min(len(data.rows), SAMPLES),
                spread=reference.spread, hidden=own.rare_and_hidden,
            )  # fmt: skip
        found.append(outcome)
    return found
