"""A network together with the preprocessing of the table that it was trained on: what ``chainrule train`` saves."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Table, TableFeatures, TablePreprocessor
from ..errors import ModelFileError, ParameterError
from ..layers import Concat, Dense, Embedding, Flatten, Input
from ..layers.base import get_activation
from ..losses import Loss, get_loss
from ..model import Network, load
from ..network.files import load as load_with_extra

__all__ = ["IMAGES", "Prediction", "TableModel"]

Array = NDArray[Any]
#: Losses by task; those of classes give probabilities, those of numbers may be standardised.
LOSSES = {
    "classification": ("binary_cross_entropy", "softmax_cross_entropy"),
    "regression": ("absolute_error", "huber", "squared_error"),
}
_KEY, _FORMAT = "table", 1
#: Under this name a model of pictures keeps its preprocessing; see image_model.py, which imports more.
IMAGES = "images"
TEXTS = "texts"


@dataclass(frozen=True)
class Prediction:
    """What a model says of N rows.

    Parameters  values : labels, or numbers in the target's unit (N,) ; probabilities : (N, K) by class, None in a regression
    """

    values: Array
    probabilities: Array | None


class TableModel:
    """A network and its preprocessing.

    Parameters
        network : one input of numbers (N, F) if there are any, then one of indices (N, 1) for each embedded column
        preprocessor : fitted ; facts : plain data about the training, shown by ``chainrule show``
    """

    def __init__(self, network: Network, preprocessor: TablePreprocessor, facts: Mapping[str, Any] | None = None) -> None:
        self.network, self.preprocessor = network, preprocessor
        self.facts: dict[str, Any] = dict(facts or {})

    @classmethod
    def create(
        cls,
        preprocessor: TablePreprocessor,
        features: TableFeatures,
        loss: Loss,
        *,
        hidden: Sequence[int],
        activation: str,
        random_state: int,
        dtype: str = "float32",
    ) -> TableModel:
        """A network that fits the preprocessed columns and the loss, not trained.

        A column of K categories that is not one-hot encoded gets an embedding of ceil(√K) numbers, at most 32.
        Two classes get one output with the logistic loss, K classes get K outputs.
        """
        classes = preprocessor.classes_
        outputs = 1 if classes is None or loss.name == "binary_cross_entropy" else classes.n_classes
        inputs, parts = [], []
        if features["numeric"].shape[1]:
            inputs.append(Input(features["numeric"].shape[1]))
            parts.append(inputs[0])
        for _, _, cardinality in features["categories"]:
            index = Input(1, dtype="int")
            inputs.append(index)
            vector = Embedding(cardinality, width=min(32, math.ceil(math.sqrt(cardinality))))(index)
            parts.append(Flatten()(vector))
        x = parts[0] if len(parts) == 1 else Concat()(*parts)
        for units in hidden:
            x = get_activation(activation)(Dense(units)(x))
        network = Network(inputs=inputs, outputs=Dense(outputs)(x), random_state=random_state, dtype=dtype)
        network.build()
        return cls(network, preprocessor)

    @staticmethod
    def default_loss(preprocessor: TablePreprocessor, name: str | None) -> Loss:
        """The loss of this name, or the one that fits the target.

        Raises      UnknownNameError, ParameterError when it is not one for the task
        """
        classes = preprocessor.classes_
        if name is None:
            fitting = (
                "squared_error" if classes is None else f"{'binary' if classes.n_classes == 2 else 'softmax'}_cross_entropy"
            )
            return get_loss(fitting)
        loss = get_loss(name)
        task = preprocessor.task_
        allowed = [
            known for known in LOSSES[task] if known != "binary_cross_entropy" or classes is None or classes.n_classes == 2
        ]
        if not any(loss.name == known for known in allowed):
            what = f"of {classes.n_classes} classes" if classes is not None else "a number"
            raise ParameterError(
                f"--loss {name}: the target {preprocessor.target!r} is {what}, which needs one of: {', '.join(allowed)}."
            )
        return loss

    @staticmethod
    def inputs(features: TableFeatures) -> Any:
        """What the network's fit and predict take: one array, or a list of one for each input."""
        numeric = [features["numeric"]] if features["numeric"].shape[1] else []
        arrays = [*numeric, *(index[:, None] for _, index, _ in features["categories"])]
        return arrays[0] if len(arrays) == 1 else arrays

    def predict(self, table: Table) -> Prediction:
        """Labels and probabilities, or numbers, of all rows; the target column is not needed."""
        z = self.network.predict(self.inputs(self.preprocessor.transform(table)))
        p = np.asarray(self._loss.prediction(np.asarray(z, np.float64)), np.float64)
        if self.preprocessor.classes_ is None:
            return Prediction(self.preprocessor.inverse_target(p.reshape(len(p))), None)
        if p.shape[1:] in ((), (1,)):
            p = p.reshape(len(p), 1)
            p = np.concatenate([1 - p, p], axis=1)
        return Prediction(self.preprocessor.inverse_target(p.argmax(axis=1)), p)

    @property
    def _loss(self) -> Loss:
        loss = self.network.loss_
        assert isinstance(loss, Loss)
        return loss

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one file, atomically."""
        held = {"format": _FORMAT, "preprocessing": self.preprocessor.to_config(), "facts": self.facts}
        self.network.save(path, extra={_KEY: held})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableModel:
        """The model of a file that ``save`` wrote.

        Raises      ModelFileError also for a model without preprocessing, which only Python can use
        """
        network, held = load(path), load_with_extra(path, Network)[1].get(_KEY)
        if held is None:
            raise ModelFileError(
                f"The model file {os.fspath(path)!r} holds a network without the preprocessing of a table, so it cannot be "
                f"used on one. Use it in Python: chainrule.load({os.fspath(path)!r}).predict(X)."
            )
        try:
            if held["format"] > _FORMAT:
                raise ModelFileError(
                    f"it was written by a newer chainrule (table format {held['format']}). Upgrade chainrule."
                )
            self = cls(network, TablePreprocessor.from_config(held["preprocessing"]), held["facts"])
            self._check()
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelFileError(f"The model file {os.fspath(path)!r}: {error}") from error
        return self

    def _check(self) -> None:
        """ModelFileError unless network and preprocessing belong together."""
        numeric = len(self.preprocessor.numeric_names_)
        embedded = [e for e in self.preprocessor.encoders_ if hasattr(e, "cardinality")]
        wanted = [*([(numeric,)] if numeric else []), *((1,) for _ in embedded)]
        if self.network.input_shapes != wanted:
            raise ModelFileError(f"the network takes {self.network.input_shapes}, its preprocessing gives {wanted}.")
        limits = [limit for limit in self.network.index_limits() if limit is not None]
        if limits != [e.cardinality for e in embedded] or not hasattr(self.network, "loss_"):
            raise ModelFileError("its network and its preprocessing do not belong together.")
        classes = self.preprocessor.classes_
        units = self.network.output_shapes[0][-1]
        if units != 1 and (classes is None or units != classes.n_classes):
            raise ModelFileError(f"its network has {units} outputs, which do not fit its target.")
