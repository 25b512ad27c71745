"""What a task is: from data and settings to a training that can begin.

    read(settings) -> data          prepare(data, settings) -> Prepared          Prepared.train() -> Trained
    resume(model, settings) -> Prepared, for a model that was trained before

Each folder below ``tasks/`` is one task. It declares itself by an attribute ``TASK`` in its ``__init__``, so a new task is a
new folder and no other file changes. Declarations import nothing heavy, because ``chainrule --help`` reads all of them.
"""

from __future__ import annotations

import copy
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import DataError, ParameterError
from .option import Option, Use, flag, options_of

if TYPE_CHECKING:
    from ..diagnosis import Diagnosis
    from ..sparsity import Candidate, Frontier, Measure, Quantization
    from ..training import Callback, History
    from ..training.settings import FitSettings
    from .scores import Prediction, Scores
    from .settings import TrainingSettings
    from .task_model import Samples, TaskModel

__all__ = ["Prepared", "PreparedEstimator", "PreparedNetwork", "Task", "Trained", "all_tasks", "task_for", "task_of"]


class Task(ABC):
    """One kind of thing that can be learned.

    Attributes
        name : of the folder, which users read as the plural of what is learned from: "tables"
        what : one set of such data: "a table" ; noun : its samples, one and several
        file_key : the key under which the files of its models hold their preprocessing
        settings : the dataclass of its settings, None for a task that only Python can train
        how : a sentence that says how the command is told to do this task
        kernels : groups of compiled kernels that its networks need
        example : what ``chainrule predict MODEL`` may be followed by ; draws : whether ``draw`` can show predictions
        writes : places that ``write`` knows besides a CSV file, in words; () for none
        formats : endings of the names of files that ``write`` knows, such as ".json", besides a folder
        writes_tables : whether predictions can be rows of a CSV file
    """

    name: ClassVar[str]
    what: ClassVar[str] = ""
    noun: ClassVar[tuple[str, str]]
    file_key: ClassVar[str]
    how: ClassVar[str] = ""
    settings: ClassVar[type[TrainingSettings] | None] = None
    kernels: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = ""
    draws: ClassVar[bool] = False
    writes: ClassVar[tuple[str, ...]] = ()
    formats: ClassVar[tuple[str, ...]] = ()
    writes_tables: ClassVar[bool] = True

    def options(self) -> Mapping[str, Option]:
        """The options of the settings by name; none for a task that only Python can train."""
        return {} if self.settings is None else options_of(self.settings)

    def recognises(self, data: Path, given: Mapping[str, Any]) -> int:
        """How surely these data are for this task: 0 for not at all; the task with the highest number learns them.

        Parameters  data : a file or folder, which may be missing ; given : the options that were typed
        """
        return 0

    def read(self, settings: Any) -> Any:
        """The data that the settings name, in parts for training, validation and test.

        Raises      DataError, TableError, ImageError when they cannot be learned from
        """
        raise NotImplementedError

    def prepare(self, data: Any, settings: Any) -> Prepared:
        """The training of a new network on data that ``read`` gave. Raises  as ``read`` ; ParameterError"""
        raise NotImplementedError

    def resume(self, model: Any, settings: Any) -> Prepared:
        """More training of a model on the data that the settings name; settings that are None are the model's own.

        A part to test on is taken off only where the settings ask for one. With the data and the seed of the first training
        it is the part that the model has never learned from.

        Raises      ParameterError for a task that does not define it ; others as ``read``
        """
        raise ParameterError(
            f"A model of {self.name} cannot be trained further, as its task has no method resume. Train a new model, or "
            f"diagnose the data themselves."
        )

    def piped(self, model: Any, data: Path) -> Any:
        """What a model of this task reads when data come by standard input. Parameters  data : a file with all of it"""
        return data

    def draw(self, place: Path, model: Any, samples: Samples, prediction: Prediction, *, title: str, seed: int = 0) -> None:
        """Writes a picture of samples with their predictions, for a task that ``draws``."""
        raise NotImplementedError

    def table(self, model: Any, samples: Samples, prediction: Prediction) -> Mapping[str, Sequence[Any]] | None:
        """The columns of a CSV file with the predictions; None for those of the samples and one prediction for each."""
        return None

    def preview(
        self, model: Any, samples: Samples, prediction: Prediction
    ) -> tuple[Sequence[str], Sequence[Sequence[str]]] | None:
        """What is shown of predictions that are written nowhere: headings and rows; None for one prediction a sample."""
        return None

    def default_place(self, model: Any, samples: Samples) -> Path | None:
        """Where ``write`` puts predictions that no place was named for; None where they are shown on the screen."""
        return None

    def write(self, place: Path, model: Any, samples: Samples, prediction: Prediction) -> str:
        """Writes predictions to a place that is no CSV file; what was written, in words. Only where ``writes`` says so."""
        raise NotImplementedError

    @abstractmethod
    def model(self) -> type[Any]:
        """The class of the task's models, which ``chainrule.load`` gives."""


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Parameters  model : with its preprocessing ; history : of the epochs ; best_epoch : whose weights were kept, None for the
                last one ; early : whether it stopped before its last epoch because the validation loss no longer fell
    """

    model: TaskModel
    history: History
    best_epoch: int | None
    early: bool


@dataclass(frozen=True)
class Prepared(ABC):
    """A training that can begin.

    Parameters
        task ; title : what is learned from what ; learner : a Network or an estimator
        data : what it learns, (X, y) or a data set alone ; settings : of its fit
        make_model : the model of a trained learner and of facts about the training
        name : of the data ; samples : how many are learned from, those to validate on among them
        description : pairs of a word and what it is, for people ; test : data kept apart, which the model can read, or None
        guess : gives the name and the metrics of the best guess without a network, from the truth of the test data
        units : of the loss and the accuracy, for a picture of the learning curves
    """

    task: Task
    title: str
    learner: Any
    data: tuple[Any, ...]
    settings: FitSettings
    make_model: Callable[[Any, Mapping[str, Any]], TaskModel]
    name: str
    samples: int
    description: Sequence[tuple[str, str]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    test: Any = None
    guess: Callable[[Any], tuple[str, Scores]] | None = None
    units: Mapping[str, str] = field(default_factory=dict)

    @abstractmethod
    def train(self, callbacks: Sequence[Callback] = (), *, watch: bool = False) -> Trained:
        """Trains the learner. Parameters  watch : look for faults on the way, for ``diagnosis_of_training``"""

    @abstractmethod
    def diagnosis_of_training(self) -> Diagnosis:
        """The diagnosis of a training that was watched."""

    @abstractmethod
    def diagnose(self) -> Diagnosis:
        """A diagnosis of why the learner does not learn, made on a copy of it."""

    @abstractmethod
    def cure(self, seconds: float, diagnosis: Diagnosis) -> tuple[Any, Any]:
        """(the Cure, the cured learner), searched for so many seconds."""

    def prune(self, **options: Any) -> tuple[Frontier, Any]:
        """(the Frontier, the recommended learner). The networks are measured by the metrics of the test part, where there
        is one. Parameters  options : of ``chainrule.sparsity.frontier``
        """
        found = self._frontier({"measure": self.measure(), **self._to_go_on(), **options})
        return found, self.with_network(found.network)

    def quantize(self, **options: Any) -> tuple[Quantization, Any]:
        """(the Quantization, the learner of the better network). Parameters  options : of
        ``chainrule.sparsity.quantization``"""
        from ..sparsity import quantization

        network, X, y = self._network_and_samples()
        found = quantization(network, X, y, **{"measure": self.measure(), **options})
        return found, self.with_network(found.network)

    @abstractmethod
    def _network_and_samples(self) -> tuple[Any, Any, Any]:
        """The learner's network, and X and y as it takes them."""

    def measure(self) -> Measure | None:
        """What models with other networks are compared by on the test part, such as accuracy; None where there is none."""
        if self.test is None:
            return None
        from ..sparsity import Measure

        model = self.make_model(self.learner, {})
        samples = model.read(self.test)
        if samples.truth is None:
            raise DataError(f"The test part cannot be used: {samples.refused or samples.missing}")
        name = model.compared_by

        def of(network: Any) -> float:
            # What is measured is what will predict: zeros and numbers of 8 bits by the kernels for them.
            network = copy.deepcopy(network)
            network.pack(in_place=True)
            made = self.make_model(self.with_network(network), {})
            return float(made.scores(samples, made.prediction(samples)).values[name])

        return Measure(name, True, of)

    def save_compressed(self, learner: Any, measured: Candidate, place: Path) -> None:
        """Writes the model of a network that was made smaller, with the metrics of the test part."""
        model = self.make_model(learner, {"compressed": measured.name})
        if self.test is not None:
            samples = model.read(self.test)
            scores = model.scores(samples, model.prediction(samples))
            model.facts["test"] = {metric: float(value) for metric, value in scores.values.items()}
            model.facts["test rows"] = scores.samples
        model.save(place)

    @abstractmethod
    def with_network(self, network: Any) -> Any:
        """A learner like this one that has another network."""

    @abstractmethod
    def _to_go_on(self) -> dict[str, Any]:
        """The arguments of more training."""

    @abstractmethod
    def _frontier(self, options: Mapping[str, Any]) -> Frontier:
        """The frontier of the learner's network on the data."""

    def save(self, learner: Any, place: Path) -> None:
        """Writes the model with this learner, such as a cured one."""
        self.make_model(learner, {"data": self.name, "rows": self.samples, **self.facts}).save(place)

    def _trained(self, learner: Any, history: History, best: int | None, early: bool) -> Trained:
        facts = {"data": self.name, "rows": self.samples, "epochs": len(history.epochs), "kept epoch": best, **self.facts}
        return Trained(self.make_model(learner, facts), history, best, early)


class PreparedNetwork(Prepared):
    """A training of a Network."""

    def _given(self) -> dict[str, Any]:
        """The arguments of the fit that were set; all others are the network's own, or the defaults."""
        return {name: getattr(self.settings, name) for name in self.settings.given}

    def with_network(self, network: Any) -> Any:
        return network

    def _to_go_on(self) -> dict[str, Any]:
        return self._given()

    def _network_and_samples(self) -> tuple[Any, Any, Any]:
        return (self.learner, *self.data, None)[:3]

    def _frontier(self, options: Mapping[str, Any]) -> Frontier:
        from ..sparsity import frontier

        return frontier(self.learner, *self.data, **options)

    def train(self, callbacks: Sequence[Callback] = (), *, watch: bool = False) -> Trained:
        network = self.learner
        given = self._given()
        given["callbacks"] = [*given.get("callbacks", ()), *callbacks]
        network.fit(*self.data, **given, verbose=0, diagnose=watch)
        history, stopping = network.history_, self.settings.early_stopping
        best = getattr(stopping, "best_epoch_", None) if history.epochs else None
        return self._trained(network, history, best, getattr(stopping, "stopped_epoch_", None) is not None)

    def diagnosis_of_training(self) -> Diagnosis:
        found: Diagnosis = self.learner.diagnosis_
        return found

    def diagnose(self) -> Diagnosis:
        found: Diagnosis = self.learner.diagnose(*self.data, **self._given())
        return found

    def cure(self, seconds: float, diagnosis: Diagnosis) -> tuple[Any, Any]:
        # A cure holds out samples of its own where there are no validation data.
        arguments = {
            name: value for name, value in self._given().items() if name != "validation_split" and value is not None
        }
        found = self.learner.cure(*self.data, **arguments, time_budget=seconds, diagnosis=diagnosis)
        return found, found.network


class PreparedEstimator(Prepared):
    """A training of an estimator, which holds its settings itself."""

    def with_network(self, network: Any) -> Any:
        return self.learner.with_network(network)

    def _to_go_on(self) -> dict[str, Any]:
        # The estimator knows the others; its epochs are those of a whole training.
        return {"epochs": self.settings.epochs} if "epochs" in self.settings.given else {}

    def _network_and_samples(self) -> tuple[Any, Any, Any]:
        made = self.learner.prepared(*self.data)
        return (made.network, *made.data)

    def _frontier(self, options: Mapping[str, Any]) -> Frontier:
        found: Frontier = self.learner.prune(*self.data, **options).frontier_
        return found

    def train(self, callbacks: Sequence[Callback] = (), *, watch: bool = False) -> Trained:
        estimator = self.learner
        estimator.callbacks = list(callbacks)
        estimator.fit(*self.data)
        history = estimator.history_
        done = len(history.epochs)
        losses = list(history["val_loss"]) if done and "val_loss" in history else []
        best = 1 + min(range(done), key=losses.__getitem__) if losses else None
        return self._trained(estimator, history, best, done < estimator.epochs and not history.interrupted)

    def diagnosis_of_training(self) -> Diagnosis:
        return self.diagnose()

    def diagnose(self) -> Diagnosis:
        found: Diagnosis = self.learner.diagnose(*self.data)
        return found

    def cure(self, seconds: float, diagnosis: Diagnosis) -> tuple[Any, Any]:
        better = self.learner.cure(*self.data, time_budget=seconds, diagnosis=diagnosis, verbose=1)
        return better.cure_, better


# ---------------------------------------------------------------- finding tasks


@cache
def all_tasks() -> tuple[Task, ...]:
    """Every task: one for each folder below ``tasks/``, in the order of their names."""
    package = import_module(__package__ or "chainrule.tasks")
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__) if found.ispkg)
    return tuple(import_module(f"{package.__name__}.{name}").TASK for name in names)


def task_for(data: Path, given: Mapping[str, Any], use: Use) -> Task:
    """The task that these data and options ask for.

    Parameters  given : the typed options by name
    Raises      ParameterError for an option that this task does not have, or not for this use
    """
    able = [task for task in all_tasks() if task.settings is not None]
    found = max(able, key=lambda task: task.recognises(data, given))
    refuse_foreign(found, given, use, f"{data} is read as {found.what or found.name}")
    return found


def task_of(model: Any) -> Task | None:
    """The task whose model this is, None for anything else, such as a Network."""
    return next((task for task in all_tasks() if task.file_key == getattr(model, "file_key", None)), None)


def refuse_foreign(task: Task, given: Mapping[str, Any], use: Use, because: str) -> None:
    """ParameterError for the first option that the task does not have, or not for this use.

    Parameters  given : typed options ; because : the facts that decided on the task, such as "a.csv is read as a table"
    """
    from ..errors import ParameterError

    own = task.options()
    for name in given:
        others = [other for other in all_tasks() if name in other.options()]
        if name in own and use in own[name].uses:
            continue
        if name in own:
            uses = " and ".join(sorted(one.value for one in own[name].uses))
            raise ParameterError(f"{flag(name)} is for {uses}, not for {use.value}. Leave it out.")
        names = " and ".join(other.name for other in others)
        how = " ".join(other.how for other in others)
        raise ParameterError(f"{flag(name)} is for {names}, but {because}. Leave it out. {how}".strip())
