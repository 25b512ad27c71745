"""The search itself: a study of Optuna, whose trials joblib runs."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from ..constraints import Interval, Maybe, OneOf
from ..errors import ChainruleError, MissingDependencyError, ParameterError
from .results import SearchResults, TrialResult
from .space import chosen, distributions

try:
    import joblib
    import optuna
    from optuna.storages import journal as optuna_journal
except ImportError as error:
    raise MissingDependencyError(error.name or "optuna", "A search for hyperparameters", extra="tune") from error

__all__ = ["Tuner"]

Path_ = str | os.PathLike[str]
_SAMPLERS: dict[str, Callable[[int], Any]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=False, constant_liar=True),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "grid": lambda seed: None,
}
_PRUNERS: dict[str, Callable[[], Any]] = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(),
    "none": lambda: optuna.pruners.NopPruner(),
}


class _Grid(optuna.samplers.GridSampler):
    """Optuna's grid, which would stop a study that it runs itself; here the loop asks whether the grid is exhausted."""

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        with suppress(RuntimeError):
            super().after_trial(study, trial, state, values)


class Tuner:
    """A search for the parameters with the best score.

    Optuna's sampler proposes parameters from what the trials before have shown, its pruner ends a trial whose score after
    some epochs is worse than that of others at the same epoch, and its storage keeps the study, so that a search that was
    stopped goes on where it was. Trials run in processes of their own by joblib, each with one processor.

    Parameters
        train : called with the parameters of a trial and ``report(epoch, score)``, gives the score. NetworkTrials,
            EstimatorTrials and TaskTrials are made for this; a function of one's own need not call ``report``
        space : name -> (low, high), (low, high, "log"), a list of values, or a distribution of Optuna
        trials : of the whole study, those of an earlier search among them ; seconds : after which no new trial is begun
        workers : processes ; backend : of joblib, "loky" or "dask" (a Client of dask.distributed must be there)
        sampler : "tpe", "random", "grid" (lists alone) or one of Optuna
        pruner : "median", "halving", "hyperband", "none" or one of Optuna
        storage : a file that keeps the study: a journal (.log), or SQLite (.db) ; None keeps nothing
        name : of the study in the storage ; random_state : seed of the sampler
        higher : whether more of the score is better; None takes ``train.higher``, or False
    Attributes  results_ : SearchResults ; best_parameters_, best_score_
    Raises      ParameterError, MissingDependencyError
    References  T. Akiba et al., Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019

    A trial that fails with an error of chainrule, such as one that diverges, is noted with its reason, and the search goes
    on.

    Example
        >>> def train(parameters, report):
        ...     return (parameters["x"] - 2) ** 2
        >>> tuner = Tuner(train, {"x": (0.0, 5.0)}, trials=40).search()
        >>> abs(tuner.best_parameters_["x"] - 2) < 0.5
        True
    """

    def __init__(
        self,
        train: Callable[[Mapping[str, Any], Callable[[int, float], None]], float],
        space: Mapping[str, Any],
        *,
        trials: int = 50,
        seconds: float | None = None,
        workers: int = 1,
        backend: str = "loky",
        sampler: Any = "tpe",
        pruner: Any = "median",
        storage: Path_ | None = None,
        name: str = "chainrule",
        random_state: int = 0,
        higher: bool | None = None,
    ) -> None:
        if not callable(train):
            raise ParameterError(f"Tuner: train must be a function of (parameters, report). Got {train!r:.200}.")
        self.train, self.space = train, dict(space) if isinstance(space, Mapping) else space
        self.trials = Interval(int, 1).check("Tuner", "trials", trials)
        self.seconds = Maybe(Interval(float, 0, closed="neither")).check("Tuner", "seconds", seconds)
        self.workers = Interval(int, 1).check("Tuner", "workers", workers)
        self.backend = OneOf("loky", "dask", "threading").check("Tuner", "backend", backend)
        self.name, self.random_state = name, Interval(int, 0).check("Tuner", "random_state", random_state)
        self.higher = bool(getattr(train, "higher", False)) if higher is None else higher
        self.metric = str(getattr(train, "metric", "score"))
        self._distributions, self._choices = distributions(self.space)
        self._sampler = self._named(sampler, "sampler", _SAMPLERS, optuna.samplers.BaseSampler)
        self._pruner = self._named(pruner, "pruner", _PRUNERS, optuna.pruners.BasePruner)
        if sampler == "grid" and set(self._choices) != set(self._distributions):
            raise ParameterError("Tuner: the sampler 'grid' needs a list of values for every parameter.")
        self.storage = None if storage is None else Path(storage)
        if self.storage is not None and self.storage.suffix not in (".log", ".db"):
            raise ParameterError(
                f"Tuner: storage must be a file named .log (a journal) or .db (SQLite). Got {str(storage)!r}."
            )
        if self.storage is not None and not self.storage.parent.is_dir():
            raise ParameterError(f"Tuner: the folder of the storage {str(storage)!r} does not exist. Make it first.")

    @staticmethod
    def _named(given: Any, what: str, known: Mapping[str, Any], kind: type) -> Any:
        if not isinstance(given, kind):
            OneOf(*known, hint=f"Or an object of Optuna: optuna.{what}s.").check("Tuner", what, given)
        return given

    # ------------------------------------------------------------ the search

    def search(self, on_trial: Callable[[TrialResult], None] | None = None) -> Tuner:
        """Runs trials until there are as many as asked for, or the time is over; returns itself.

        Parameters  on_trial : called in this process after a trial, with one worker alone
        Raises      ParameterError for a study of another space or direction in the storage, and where no trial was complete
                    KeyboardInterrupt when it was interrupted: ``results_`` then has the trials that are done
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with tempfile.TemporaryDirectory(prefix="chainrule-search-") if self.workers > 1 else nullcontext() as folder:
            place = self.storage if self.storage is not None else Path(folder) / "study.log" if folder else None
            study = self._study(place)
            self._check_study(study)
            begun = time.time()
            try:
                if self.workers == 1:
                    _run(self, place, study, begun, on_trial)
                else:
                    with self._workers():
                        tasks = (joblib.delayed(_run)(self, place, None, begun, None, i) for i in range(self.workers))
                        joblib.Parallel(n_jobs=self.workers)(tasks)
                    study = self._study(place)
            except KeyboardInterrupt:
                self._keep(self._study(place) if place is not None else study, required=False)
                raise
            self._keep(study)
        return self

    def _workers(self) -> Any:
        """The context in which joblib's workers are those that were asked for.

        Raises      ParameterError where the backend has none: Dask without a client
        """
        # One processor for each worker, whatever its libraries think.
        inner = {"inner_max_num_threads": 1} if self.backend == "loky" else {}
        try:
            return joblib.parallel_config(backend=self.backend, **inner)
        except (ImportError, ValueError) as error:
            raise ParameterError(
                f"Tuner: the backend {self.backend!r} cannot be used here. For Dask, pip install 'dask[distributed]' and "
                "connect to the cluster first: from dask.distributed import Client; client = Client('scheduler:8786')."
            ) from error

    def _study(self, place: Path | None, worker: int = 0) -> Any:
        """The study of the storage, or a new one."""
        sampler, pruner = self._sampler, self._pruner
        if sampler == "grid":
            sampler = _Grid(
                {n: list(getattr(d, "choices", ())) for n, d in self._distributions.items()},
                seed=self.random_state,
            )
        elif isinstance(sampler, str):
            sampler = _SAMPLERS[sampler](self.random_state + worker)
        storage: Any = None
        try:
            if place is not None and place.suffix == ".db":
                storage = f"sqlite:///{place}"
            elif place is not None:
                backend = optuna_journal.JournalFileBackend(str(place))
                storage = optuna.storages.JournalStorage(backend)
            return optuna.create_study(
                study_name=self.name,
                storage=storage,
                sampler=sampler,
                pruner=_PRUNERS[pruner]() if isinstance(pruner, str) else pruner,
                direction="maximize" if self.higher else "minimize",
                load_if_exists=True,
            )
        except ImportError as error:
            raise MissingDependencyError(error.name or "sqlalchemy", "A study in SQLite", extra="tune") from error
        except Exception as error:
            raise ParameterError(
                f"Tuner: the study in {str(place)!r} cannot be opened: {type(error).__name__}: {error}."
            ) from error

    def _check_study(self, study: Any) -> None:
        if (study.direction.name == "MAXIMIZE") != self.higher:
            raise ParameterError(
                f"Tuner: the study {self.name!r} in {str(self.storage)!r} searches for the "
                f"{'highest' if study.direction.name == 'MAXIMIZE' else 'lowest'} score. Give another name= or storage=."
            )
        for trial in study.get_trials(deepcopy=False):
            if trial.distributions and trial.distributions != self._distributions:
                raise ParameterError(
                    f"Tuner: the study {self.name!r} in {str(self.storage)!r} has another space of parameters "
                    f"({', '.join(trial.distributions)}). Give the same space, or another name= or storage=."
                )

    def run_trial(self, study: Any) -> Any:
        """Asks for parameters, trains with them and tells the score; gives the trial as the study has it.

        Raises      KeyboardInterrupt when the training was interrupted
        """
        trial = study.ask(self._distributions)
        epochs = 0

        def report(epoch: int, score: float) -> None:
            nonlocal epochs
            epochs = epoch
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        def end(state: Any, score: float | None = None) -> Any:
            trial.set_user_attr("epochs", epochs)
            return study.tell(trial, score, state)

        states = optuna.trial.TrialState
        try:
            score = float(self.train(chosen(trial.params, self._choices), report))
        except optuna.TrialPruned:
            return end(states.PRUNED)
        except (ChainruleError, MemoryError) as error:
            trial.set_user_attr("reason", f"{type(error).__name__}: {error}"[:500])
            return end(states.FAIL)
        except BaseException:
            end(states.FAIL)
            raise
        if not math.isfinite(score):
            trial.set_user_attr("reason", f"The score is {score}.")
            return end(states.FAIL)
        return end(states.COMPLETE, score)

    # ------------------------------------------------------------ what was found

    def _keep(self, study: Any, required: bool = True) -> None:
        trials = [self._result(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
        logarithmic = frozenset(name for name, d in self._distributions.items() if getattr(d, "log", False))
        self.results_ = SearchResults(trials, self.metric, self.higher, logarithmic)
        if not required and not any(trial.state == "complete" for trial in trials):
            return
        best = self.results_.best
        self.best_parameters_, self.best_score_ = best.parameters, best.score

    def _result(self, trial: Any) -> TrialResult:
        state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
        score = trial.value
        if score is None and trial.intermediate_values:
            score = trial.intermediate_values[max(trial.intermediate_values)]
        seconds = trial.duration.total_seconds() if trial.duration is not None else float("nan")
        return TrialResult(
            trial.number,
            state,
            float("nan") if score is None else float(score),
            chosen(trial.params, self._choices),
            int(trial.user_attrs.get("epochs", 0)),
            seconds,
            str(trial.user_attrs.get("reason", "")),
        )


def _run(
    tuner: Tuner,
    place: Path | None,
    study: Any,
    begun: float,
    on_trial: Callable[[TrialResult], None] | None = None,
    worker: int = 0,
) -> None:
    """Runs trials, in the process of a worker, until the study has enough of them.

    Parameters  begun : when the search began; trials that run since before belong to a process that is gone
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = tuner._study(place, worker) if study is None else study
    while tuner.seconds is None or time.time() < begun + tuner.seconds:
        trials = study.get_trials(deepcopy=False)
        now = sum(t.state.is_finished() or (t.datetime_start and t.datetime_start.timestamp() >= begun) for t in trials)
        exhausted = isinstance(study.sampler, _Grid) and study.sampler.is_exhausted(study)
        if now >= tuner.trials or exhausted:
            return
        trial = tuner.run_trial(study)
        if on_trial is not None:
            on_trial(tuner._result(trial))
