"""A network together with the preprocessing of its task: what ``chainrule train`` saves and ``chainrule.load`` gives."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ModelFileError
from .scores import Prediction, Scores, score_classes, score_numbers

if TYPE_CHECKING:
    from ..model import Network

__all__ = ["Samples", "TaskModel"]

Array = NDArray[Any]
Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Samples:
    """Samples that a model has read.

    Parameters
        data : in the form that the model's ``prediction`` takes ; count : how many there are
        columns : makes what stands beside the predictions in a file, and before them in a table on the screen
        truth : the true class numbers or values of ``rows``, None where they are not known
        rows : numbers of the samples whose truth is known ; against : what the truth is, in words, such as "the column 'y'"
        missing : why there is no truth, in words ; refused : why a truth that is there cannot be used, "" where it can
        names : what single samples are called on the screen, None for their numbers ; notes : sentences about what was read
        numbers : identities of the samples in the data that they came from, where these have some
    """

    data: Any
    count: int
    columns: Callable[[], Mapping[str, Sequence[Any]]]
    truth: Any = None
    rows: Array | None = None
    against: str = ""
    missing: str = ""
    refused: str = ""
    names: Sequence[str] | None = None
    notes: Sequence[str] = ()
    numbers: Sequence[int] | None = None


class TaskModel(ABC):
    """A trained network that takes data as they are: it holds the preprocessing, too.

    Attributes
        network : the Network ; facts : plain data about the training, which ``chainrule show`` prints
        target : name of what is predicted ; labels : of the classes, an array, or None where numbers are predicted
    """

    #: Under this name the preprocessing stands in a model file; what its samples are called, one and several.
    file_key: ClassVar[str]
    noun: ClassVar[tuple[str, str]]

    facts: dict[str, Any]

    # ------------------------------------------------------------ what a task states

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network, which takes preprocessed arrays."""

    @property
    @abstractmethod
    def target(self) -> str:
        """The name of what is predicted."""

    @property
    @abstractmethod
    def labels(self) -> Array | None:
        """The labels of the classes in the order of their numbers, None where numbers are predicted."""

    @abstractmethod
    def read(self, data: Any, y: Any = None, **reading: Any) -> Samples:
        """The samples in any form that the task knows. Parameters  y : the truth ; reading : how files are read"""

    def parts(self, data: Any, **reading: Any) -> Iterator[Samples]:
        """The samples of ``read``, in parts where together they may be more than the memory holds.

        Parameters and errors as of ``read``, but for the truth, which the data hold
        """
        yield self.read(data, **reading)

    def arrays(self, samples: Samples) -> list[Array] | None:
        """What is predicted from: arrays with one entry for each sample, so that those of several ``read`` calls may be
        joined along their first axis. None for a model whose samples cannot be joined; it overrides ``prediction``."""
        return None

    def predicted(self, arrays: Sequence[Array]) -> Prediction:
        """Labels and probabilities, or numbers, from what ``arrays`` made."""
        raise NotImplementedError

    def prediction(self, samples: Samples) -> Prediction:
        """Labels and probabilities, or numbers, of samples that ``read`` made."""
        found = self.arrays(samples)
        assert found is not None
        return self.predicted(found)

    def doubts(self, samples: Samples) -> list[str]:
        """Sentences about why predictions for these samples may be poor, such as categories that training never saw."""
        return []

    def from_plain(self, data: Any) -> Any:
        """What ``read`` takes, made from the plain data of a JSON text that a stranger sent, so never the path of a file.

        Raises      DataError where the data have not the form that the model takes
        """
        raise DataError(f"A model of {self.noun[1]} takes files. Send them as a form, or one as the body of the request.")

    def to_plain(self, prediction: Prediction) -> dict[str, Any]:
        """A prediction as plain data for JSON: "predictions" with one entry for each sample, and what is known about them:
        the "probabilities" of the "classes", or the "confidence" of each entry, from 0 to 1."""
        found: dict[str, Any] = {"predictions": prediction.values.tolist()}
        if prediction.probabilities is not None and self.classes is None:
            found["confidence"] = prediction.probabilities[:, 0].tolist()
        elif prediction.probabilities is not None:
            found |= {"classes": self.classes, "probabilities": prediction.probabilities.tolist()}
        return found

    def fields(self) -> list[dict[str, Any]]:
        """What ``from_plain`` takes for one sample, as plain data: the name and the kind of each field, the categories where
        they are known. Empty for a model that takes files alone."""
        return []

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The data that a model file holds beside the network."""

    @classmethod
    @abstractmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Path) -> Self:
        """The model of a file. Parameters  network : of the file ; extra : the rest of the file ; place : its path"""

    @abstractmethod
    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What ``chainrule show`` prints: headings, each with pairs of a word and what it is."""

    # ------------------------------------------------------------ predicting and scoring

    def predict(self, data: Any, **reading: Any) -> Array:
        """The labels, or numbers in the unit of the target, of new samples: (N,).

        Parameters  data : see the class ; reading : how a file is read, such as ``delimiter=";"``
        Raises      DataError, TableError, ImageError when the data do not fit the model
        """
        return self.prediction(self.read(data, **reading)).values

    def predict_parts(self, data: Any, **reading: Any) -> Iterator[Prediction]:
        """Predictions for data that are larger than the memory, some tens of thousands of samples at a time.

        Parameters  data : as in ``predict``; of tables and texts also a folder or a pattern of files ("new/*.parquet"), a
                    list of files, or one large file ; reading : how files are read
        Raises      as ``predict``
        """
        for samples in self.parts(data, **reading):
            yield self.prediction(samples)

    def predict_proba(self, data: Any, **reading: Any) -> Array:
        """The probabilities of the classes: (N, K), in the order of ``labels``.

        Raises      as ``predict`` ; AttributeError for a model that predicts numbers
        """
        if self.labels is None:
            raise AttributeError(f"This {type(self).__name__} predicts numbers, which have no probabilities. Use predict.")
        found = self.prediction(self.read(data, **reading)).probabilities
        assert found is not None
        return found

    def evaluate(self, data: Any, y: Any = None, **reading: Any) -> dict[str, float]:
        """The metrics on samples whose truth is known: {"accuracy", "log_loss", "macro_f1"}, also "roc_auc" for two
        classes; {"r2", "rmse", "mae"} for numbers.

        Parameters  data : see the class ; y : the truth (N,), None where the data hold it
        Raises      as ``predict`` ; DataError where no truth is known
        """
        samples = self.read(data, y, **reading)
        if samples.truth is None:
            raise DataError(f"{type(self).__name__}.evaluate: {samples.refused or samples.missing} Pass evaluate(data, y).")
        return self.scores(samples, self.prediction(samples)).named()

    def score(self, data: Any, y: Any = None, **reading: Any) -> float:
        """The accuracy of classes, or R² of numbers. Parameters and errors as in ``evaluate``"""
        return self.evaluate(data, y, **reading)["r2" if self.labels is None else "accuracy"]

    def scores(self, samples: Samples, prediction: Prediction) -> Scores:
        """All metrics of a prediction, on the samples whose truth is known."""
        assert samples.truth is not None
        rows = slice(None) if samples.rows is None else samples.rows
        if self.labels is None:
            return score_numbers(samples.truth, prediction.values[rows])
        assert prediction.probabilities is not None
        p = prediction.probabilities[rows]
        return score_classes(self.labels.tolist(), samples.truth, p.argmax(axis=1), p)

    @property
    def compared_by(self) -> str:
        """The metric of ``scores`` by which models with smaller networks are compared; more of it is better."""
        return "R²" if self.labels is None else "accuracy"

    @property
    def classes(self) -> list[str] | None:
        """The labels as text, None where numbers are predicted."""
        return None if self.labels is None else [str(label) for label in self.labels.tolist()]

    # ------------------------------------------------------------ files

    def save(self, path: Path) -> None:
        """Writes the network and its preprocessing to one file, atomically; ``chainrule.load`` reads it.

        Raises      ModelFileError when the file cannot be written
        """
        self.network.save(path, extra=self.state())

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model of a file that ``save`` wrote.

        Raises      ModelFileError when the file is missing, damaged, foreign, or holds something else
        """
        from ..model import load
        from ..network.files import load as load_with_extra
        from ..network.graph import NetworkGraph

        network, extra = load(path), load_with_extra(path, NetworkGraph)[1]
        if cls.file_key not in extra:
            raise ModelFileError(
                f"The model file {os.fspath(path)!r} holds no {cls.__name__}. chainrule.load gives what it holds."
            )
        return cls.opened(network, extra, path)

    @classmethod
    def opened(cls, network: Network, extra: Mapping[str, Any], path: Path) -> Self:
        """The model of an opened file; everything that is wrong with it is a ModelFileError."""
        where = f"The model file {os.fspath(path)!r}"
        try:
            return cls.from_state(network, extra, path)
        except ModelFileError as error:
            if str(error).startswith("The model file"):
                raise
            raise ModelFileError(f"{where}: {error}") from error
        except Exception as error:
            # The values come from the file and nobody has checked them: whatever they lead to, the file is bad.
            raise ModelFileError(f"{where} is damaged: {type(error).__name__}: {error}.") from error

    # ------------------------------------------------------------ words

    def trained_on(self) -> list[tuple[str, str]]:
        """What is known about the training: the data, its length, the metrics of the test part."""
        held, many = self.facts, self.noun[1]
        rows = []
        if "data" in held and "rows" in held:
            parts = [f"{held['rows']:,} {many} of {held['data']}"]
            if "epochs" in held:
                parts.append(f"{held['epochs']} epochs")
            if held.get("kept epoch"):
                parts.append(f"weights of epoch {held['kept epoch']} kept")
            rows.append(("Trained on", ", ".join(parts)))
        if held.get("compressed"):
            rows.append(("Made smaller", str(held["compressed"])))
        if held.get("test"):
            scores = ", ".join(f"{name} {_four_digits(value)}" for name, value in held["test"].items())
            rows.append(("Test part", f"{scores} ({held.get('test rows', 0):,} {many})"))
        return rows

    def __repr__(self) -> str:
        what = "a number" if self.classes is None else f"{len(self.classes)} classes"
        return f"{type(self).__name__}({self.target!r}: {what}; {self.network.parameters.count:,} parameters)"


def _four_digits(value: Any) -> str:
    number = float(value)
    return "-" if not np.isfinite(number) else f"{number:.4f}" if abs(number) < 10 else f"{number:,.4g}"
