"""What a server needs to know of a model: how requests become what it reads, and what it says about them.

One class for each kind of object that ``chainrule.load`` gives. Models of tasks say themselves what they take, so a new task
is served without a change here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.columns import object_array
from ..errors import DataError, ParameterError
from ..estimators import Autoencoder, NeuralClassifier, NeuralForecaster, NeuralRegressor
from ..model import Network
from ..tasks.option import Use
from ..tasks.scores import Prediction
from ..tasks.task import task_of
from ..tasks.task_model import Samples, TaskModel
from ..training.intake import input_arrays

__all__ = ["Predicted", "ServedModel", "Work", "served_model"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Work:
    """The samples of one request, read and checked.

    Parameters
        count : of the samples
        arrays : what is predicted from, one entry for each sample, None where requests are not joined
        data : the samples, for a model that does not join them ; names : of the samples, such as their files
        notes : sentences for the one who asks
    """

    count: int
    arrays: list[Array] | None = None
    data: Any = None
    names: Sequence[str] | None = None
    notes: list[str] = field(default_factory=list)


class Predicted(Protocol):
    """Predictions of the joined samples of several requests."""

    def part(self, rows: slice) -> Any:
        """Those of some of the samples."""


class ServedModel(ABC):
    """A model that is served.

    Attributes  kind : what it is, such as "table" ; takes_files : whether ``from_files`` takes any
    """

    kind: str
    takes_files = False

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What it takes and gives, as plain data; the page makes its form from this."""

    @abstractmethod
    def from_plain(self, data: Any) -> Work:
        """The samples of a JSON text. Raises  an error of ours that says what was expected and what came"""

    def from_files(self, files: Sequence[Path], names: Sequence[str], most_bytes: int) -> Work:
        """The samples of files. Parameters  names : as the client calls them ; most_bytes : of the text of a table

        Raises      as ``from_plain``
        """
        raise DataError(f"A model of this kind ({self.kind}) takes JSON, not files.")

    def predict(self, arrays: Sequence[Array], batch: int) -> Any:
        """Predictions, whose ``part`` gives those of some samples. Parameters  batch : samples computed at a time"""
        raise NotImplementedError

    def predict_alone(self, work: Work) -> Any:
        """The prediction of one request, for a model that does not join them."""
        raise NotImplementedError

    @abstractmethod
    def answer(self, work: Work, found: Any) -> dict[str, Any]:
        """The answer to a request as plain data, but for arrays. Parameters  found : its part of the predictions"""


def padded(arrays: Sequence[Array], batch: int) -> list[list[Array]]:
    """The arrays in batches whose sizes are powers of two, so that a few plans serve any number of requests.

    The last entry is repeated where a batch is not full; whoever uses this drops what is predicted for the repetitions.
    Texts, whose plans depend on their lengths, stay as they are.
    """
    n = len(arrays[0])
    if any(array.dtype == object for array in arrays):
        return [[array[at : at + batch] for array in arrays] for at in range(0, n, batch)]
    found = []
    for at in range(0, n, batch):
        size = min(batch, n - at)
        full = min(batch, 1 << (size - 1).bit_length())
        part = [array[at : at + size] for array in arrays]
        found.append([np.concatenate([a, np.repeat(a[-1:], full - size, axis=0)]) if full > size else a for a in part])
    return found


# ---------------------------------------------------------------- models of tasks


@dataclass(frozen=True)
class _Predictions:
    """A prediction that can be cut into those of several requests."""

    whole: Prediction

    def part(self, rows: slice) -> Prediction:
        return self.whole.take(rows)


class _OfTask(ServedModel):
    """A model of ``chainrule train``."""

    takes_files = True

    def __init__(self, model: TaskModel) -> None:
        self.model, self.kind = model, model.noun[0]
        task = task_of(model)
        options = {} if task is None else task.options()
        self._limits_memory = "max_memory" in options and Use.PREDICT in options["max_memory"].uses

    def describe(self) -> dict[str, Any]:
        model = self.model
        return {
            "kind": self.kind,
            "target": model.target,
            "classes": model.classes,
            "fields": model.fields(),
            "takes_files": True,
            "trained_on": dict(model.trained_on()),
        }

    def from_plain(self, data: Any) -> Work:
        return self._work(self.model.read(self.model.from_plain(data)))

    def from_files(self, files: Sequence[Path], names: Sequence[str], most_bytes: int) -> Work:
        reading = {"max_memory": most_bytes} if self._limits_memory else {}
        if self._limits_memory and len(files) > 1:
            raise DataError(f"A model of {self.model.noun[1]} takes one file a request. Got {len(files)}.")
        samples = self.model.read(files[0] if len(files) == 1 else list(files), **reading)
        return self._work(samples, names if samples.count == len(names) and not self._limits_memory else None)

    def _work(self, samples: Samples, names: Sequence[str] | None = None) -> Work:
        arrays = self.model.arrays(samples)
        notes = [*samples.notes, *self.model.doubts(samples)]
        return Work(samples.count, arrays, samples if arrays is None else None, names, notes)

    def predict(self, arrays: Sequence[Array], batch: int) -> _Predictions:
        n, parts = len(arrays[0]), [self.model.predicted(part) for part in padded(arrays, batch)]
        if len(parts) == 1:
            return _Predictions(_Predictions(parts[0]).part(slice(0, n)))
        values = np.concatenate([part.values for part in parts])[:n]
        p = [part.probabilities for part in parts]
        return _Predictions(Prediction(values, None if p[0] is None else np.concatenate(p)[:n]))  # type: ignore[arg-type]

    def predict_alone(self, work: Work) -> Prediction:
        return self.model.prediction(work.data)

    def answer(self, work: Work, found: Prediction) -> dict[str, Any]:
        answer: dict[str, Any] = {"target": self.model.target, **self.model.to_plain(found)}
        if work.names is not None:
            answer["names"] = list(work.names)
        return answer | ({"notes": work.notes} if work.notes else {})


# ---------------------------------------------------------------- networks and estimators


@dataclass(frozen=True)
class _Arrays:
    """Arrays that can be cut into those of several requests."""

    arrays: list[Array]

    def part(self, rows: slice) -> list[Array]:
        return [array[rows] for array in self.arrays]


class _OfNetwork(ServedModel):
    """A Network without preprocessing: arrays in, raw outputs out."""

    kind = "network"

    def __init__(self, network: Network) -> None:
        network.require_built("serve")
        self.network = network

    def describe(self) -> dict[str, Any]:
        network = self.network
        return {
            "kind": self.kind,
            "inputs": [list(shape) for shape in network.input_shapes or []],
            "outputs": [list(shape) for shape in network.output_shapes],
            "fields": [],
            "takes_files": False,
        }

    def from_plain(self, data: Any) -> Work:
        several = len(self.network.input_ids) > 1
        if several and not (isinstance(data, list) and len(data) == len(self.network.input_ids)):
            raise DataError(
                f"The network has {len(self.network.input_ids)} inputs: expected a list of that many arrays, one for each."
            )
        given = [_numbers(one) for one in data] if several else _numbers(data)
        xs = input_arrays(self.network, given)
        if self.network.samples is not None:  # all nodes of a graph are one batch
            return Work(len(xs[0]), None, xs)
        return Work(len(xs[0]), [np.asarray(x) for x in xs])

    def predict(self, arrays: Sequence[Array], batch: int) -> _Arrays:
        n = len(arrays[0])
        parts = [self._outputs(part) for part in padded(arrays, batch)]
        return _Arrays([np.concatenate(outputs)[:n] for outputs in zip(*parts, strict=True)])

    def predict_alone(self, work: Work) -> list[Array]:
        return self._outputs(work.data)

    def _outputs(self, xs: Sequence[Array]) -> list[Array]:
        found = self.network.predict(xs[0] if len(xs) == 1 else list(xs))
        return list(found) if isinstance(found, tuple) else [found]

    def answer(self, work: Work, found: list[Array]) -> dict[str, Any]:
        if not all(np.isfinite(array).all() for array in found):
            raise DataError(
                "The outputs of the network are not finite for these inputs: they are far from those that it was trained on."
            )
        listed = [array.tolist() for array in found]
        return {"outputs": listed[0] if len(listed) == 1 else listed}


def _numbers(data: Any, *, missing: bool = False) -> Array:
    """Nested lists of numbers as an array. Parameters  missing : whether null may stand for a number that is not known

    Raises      DataError for anything else
    """
    try:
        found = np.asarray(data)
        if missing and found.dtype == object and not any(isinstance(one, str) for one in found.ravel()):
            found = found.astype(np.float64)  # None becomes NaN
    except (ValueError, TypeError, OverflowError):
        found = np.empty(0, object)
    if found.dtype.kind not in "iuf" or not found.size:
        raise DataError(
            "Expected nested lists of numbers with one entry for each sample, all of one shape. Got others: lists of "
            "different lengths, a text, null, or nothing at all."
        )
    return found


def _samples(data: Any, shape: Sequence[int]) -> Work:
    """Samples of one shape. Raises  DataError for others"""
    X = _numbers(data)
    if X.shape[1:] != tuple(shape):
        raise DataError(f"Expected samples of shape {shape}, as in training: (N, {str(shape)[1:]}. Got {X.shape}.")
    return Work(len(X), [X.astype(np.float64)])


def _texts(data: Any) -> Work:
    """One text or a list of texts, also as rows with a field "text". Raises  DataError for anything else"""
    texts = [data] if isinstance(data, str) else data
    if isinstance(texts, list):
        texts = [one["text"] if isinstance(one, Mapping) and set(one) == {"text"} else one for one in texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise DataError('Expected a list of texts, such as ["one", "two"].')
    return Work(len(texts), [object_array(texts)])


class _OfEstimator(ServedModel):
    """A NeuralClassifier or NeuralRegressor: rows of numbers or texts in, labels or numbers out."""

    kind = "estimator"

    def __init__(self, estimator: NeuralClassifier | NeuralRegressor) -> None:
        self.estimator = estimator
        self._texts = getattr(estimator, "tokenizer_", None) is not None
        one_label = isinstance(estimator, NeuralClassifier) and getattr(estimator, "_kind", "") != "multilabel"
        self._labels: Any = estimator.classes_ if one_label and hasattr(estimator, "predict_proba") else None

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": self.kind, "estimator": type(self.estimator).__name__, "takes_files": False}
        found["fields"] = [{"name": "text", "kind": "text"}] if self._texts else []
        if not self._texts:
            found["inputs"] = [list(self.estimator.sample_shape_)]
        return found

    def from_plain(self, data: Any) -> Work:
        return _texts(data) if self._texts else _samples(data, self.estimator.sample_shape_)

    def predict(self, arrays: Sequence[Array], batch: int) -> _Arrays:
        n = len(arrays[0])
        parts = [self._predicted(part[0].tolist() if self._texts else part[0]) for part in padded(arrays, batch)]
        return _Arrays([np.concatenate(found)[:n] for found in zip(*parts, strict=True)])

    def _predicted(self, X: Any) -> list[Array]:
        if self._labels is None:
            return [self.estimator.predict(X)]
        p = self.estimator.predict_proba(X)
        return [self._labels[p.argmax(axis=1)], p]

    def answer(self, work: Work, found: list[Array]) -> dict[str, Any]:
        answer: dict[str, Any] = {"predictions": found[0].tolist()}
        if len(found) > 1:
            answer |= {"classes": [str(label) for label in self._labels.tolist()], "probabilities": found[1].tolist()}
        return answer


class _OfTranslator(ServedModel):
    """A Translator: texts in, texts out."""

    kind = "translator"

    def __init__(self, model: Any) -> None:
        self.model = model

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "fields": [{"name": "text", "kind": "text"}], "takes_files": False}

    def from_plain(self, data: Any) -> Work:
        return _texts(data)

    def predict(self, arrays: Sequence[Array], batch: int) -> _Arrays:
        return _Arrays([object_array(self.model.translate(arrays[0].tolist()))])

    def answer(self, work: Work, found: list[Array]) -> dict[str, Any]:
        return {"predictions": found[0].tolist()}


class _OfGenerator(ServedModel):
    """A TextGenerator: the beginning of a text in, the text that the model writes out."""

    kind = "text generator"
    _OPTIONS = ("length", "temperature", "top_k", "top_p", "random_state")

    def __init__(self, model: Any) -> None:
        self.model = model

    def describe(self) -> dict[str, Any]:
        fields = [{"name": "prompt", "kind": "text"}]
        return {"kind": self.kind, "fields": fields, "options": list(self._OPTIONS), "takes_files": False}

    def from_plain(self, data: Any) -> Work:
        if isinstance(data, list) and len(data) == 1 and isinstance(data[0], (str, Mapping)):
            data = data[0]
        given = {"prompt": data} if isinstance(data, str) else data
        if not isinstance(given, Mapping) or not isinstance(given.get("prompt", ""), str):
            raise DataError('Expected one text to begin with, or an object such as {"prompt": "Once", "length": 100}.')
        unknown = [name for name in given if name not in ("prompt", *self._OPTIONS)]
        if unknown:
            raise ParameterError(f"Unknown option {unknown[0]!r:.60}. Known: prompt, {', '.join(self._OPTIONS)}.")
        length = given.get("length", 200)
        return Work(1 if not isinstance(length, int) else max(1, length), None, dict(given))

    def predict_alone(self, work: Work) -> str:
        written: str = self.model.generate(**work.data)
        return written

    def answer(self, work: Work, found: str) -> dict[str, Any]:
        return {"predictions": [found]}


class _OfForecaster(ServedModel):
    """A NeuralForecaster: a series so far in, its next values out. Series are forecast one after the other."""

    kind = "forecaster"
    _PARTS = ("y", "X", "level")

    def __init__(self, model: NeuralForecaster) -> None:
        self.model = model
        self._further = int(getattr(model, "n_features_in_", 0) or 0)

    def describe(self) -> dict[str, Any]:
        example: dict[str, Any] = {"y": [0.0] * self.model.window, "level": 0.9}
        if self._further:
            example["X"] = [[0.0] * self._further] * self.model.window
        return {
            "kind": self.kind,
            "window": self.model.window,
            "horizons": self.model.horizons_.tolist(),
            "further_columns": self._further,
            "fields": [],
            "takes_files": False,
            "example": example,
        }

    def from_plain(self, data: Any) -> Work:
        given = {"y": data} if isinstance(data, list) else data
        if not isinstance(given, Mapping):
            raise DataError('Expected the series so far: a list of numbers, or {"y": [...], "X": [[...]], "level": 0.9}.')
        unknown = [name for name in given if name not in self._PARTS]
        if unknown:
            raise ParameterError(f"Unknown option {unknown[0]!r:.60}. Known: {', '.join(self._PARTS)}.")
        arrays = {name: _numbers(given[name], missing=True) for name in ("y", "X") if given.get(name) is not None}
        if "X" in arrays and "y" not in arrays:
            raise DataError('Expected the series under "y" beside the further columns under "X".')
        count = len(arrays["y"]) if "y" in arrays else 1
        return Work(count, None, {**arrays, "level": given.get("level", 0.9)})

    def predict_alone(self, work: Work) -> Any:
        given = dict(work.data)
        return self.model.predict_interval(given.get("X"), given.get("y"), level=given["level"])

    def answer(self, work: Work, found: Any) -> dict[str, Any]:
        answer = {"predictions": found.mean.tolist(), "horizons": found.horizons.tolist(), "level": found.level}
        answer |= {name: getattr(found, name).tolist() for name in ("lower", "median", "upper", "naive")}
        return answer if found.seasonal_naive is None else answer | {"seasonal_naive": found.seasonal_naive.tolist()}


class _OfAutoencoder(ServedModel):
    """An Autoencoder: samples in; their codes, what is made of these, and how far that is from the samples out."""

    kind = "autoencoder"

    def __init__(self, model: Autoencoder) -> None:
        self.model = model

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, "inputs": [list(self.model.sample_shape_)], "fields": [], "takes_files": False}

    def from_plain(self, data: Any) -> Work:
        return _samples(data, self.model.sample_shape_)

    def predict(self, arrays: Sequence[Array], batch: int) -> _Arrays:
        n = len(arrays[0])
        parts = []
        for (X,) in padded(arrays, batch):
            codes = self.model.transform(X)
            parts.append((codes, self.model.inverse_transform(codes), -self.model.score_samples(X)))
        return _Arrays([np.concatenate(found)[:n] for found in zip(*parts, strict=True)])

    def answer(self, work: Work, found: list[Array]) -> dict[str, Any]:
        codes, made, errors = (array.tolist() for array in found)
        return {"predictions": made, "codes": codes, "errors": errors}


def served_model(loaded: Any) -> ServedModel:
    """What serves an object that ``chainrule.load`` gave. Zeros, signs and numbers of 8 bits are multiplied packed.

    Raises      ParameterError for an object that no class here serves
    """
    network = loaded if isinstance(loaded, Network) else getattr(loaded, "network", None)
    if isinstance(network, Network) and network.representations():
        network.pack(in_place=True)
    if isinstance(loaded, TaskModel):
        return _OfTask(loaded)
    if isinstance(loaded, Network):
        return _OfNetwork(loaded)
    if isinstance(loaded, (NeuralClassifier, NeuralRegressor)):
        return _OfEstimator(loaded)
    if isinstance(loaded, NeuralForecaster):
        return _OfForecaster(loaded)
    if isinstance(loaded, Autoencoder):
        return _OfAutoencoder(loaded)
    if hasattr(loaded, "translate"):
        return _OfTranslator(loaded)
    if hasattr(loaded, "generate"):
        return _OfGenerator(loaded)
    raise ParameterError(
        f"A {type(loaded).__name__} cannot be served. Models of chainrule train, Networks, classifiers, regressors, "
        "forecasters, autoencoders, translators and text generators can be."
    )
