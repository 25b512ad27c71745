"""A network together with the preprocessing of the table that it was trained on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data import Table, TableFeatures, TablePreprocessor
from ...data.labels import ClassLabels
from ...errors import DataError, ModelFileError
from ...exchange.onnx_preprocessing import TablePreprocessing
from ...layers import Concat, Dense, Embedding, Flatten, Input
from ...layers.base import get_activation
from ...losses import Loss
from ...model import Network
from ..scores import Prediction
from ..tabular import as_table, files_in_chunks, given_columns, parts_of, plain_rows
from ..task_model import Samples, TaskModel
from ..words import some

__all__ = ["TableModel"]

Array = NDArray[Any]
_FORMAT = 1
#: Columns that are described one by one, and notes.
_MOST_COLUMNS, _MOST_NOTES = 200, 30


class TableModel(TaskModel):
    """A network and the preprocessing of its table: it takes rows as they stand in a file or a DataFrame.

    ``chainrule.load`` gives one for a model file that ``chainrule train`` wrote for a table.

    Parameters
        network : one input of numbers (N, F) if there are any, then one of indices (N, 1) for each embedded column
        preprocessor : fitted ; facts : plain data about the training ; reading : how files of new rows are read, such as
        {"delimiter": ";"}
    Data        what ``predict`` and the others take: the path of a file ; a pandas or polars DataFrame ; a dict of columns ;
                a list of dicts, one for each row ; a Table ; an array (N, F) with the columns that the model learned from.
                The columns may stand in any order, and further ones are passed over. The target may be missing, except in
                ``evaluate`` and ``score`` without y

    Example
        >>> import tempfile
        >>> from pathlib import Path
        >>> from chainrule.tasks.tables import TASK, TableSettings
        >>> place = Path(tempfile.mkdtemp()) / "t.csv"
        >>> _ = place.write_text("size,kind\\n" + "\\n".join(f"{i},{'large' if i > 19 else 'small'}" for i in range(40)))
        >>> settings = TableSettings(data=place, target="kind", hidden=(8,), epochs=60, learning_rate=0.02)
        >>> model = TASK.prepare(TASK.read(settings), settings).train().model
        >>> model.predict([{"size": 3}, {"size": 35}]).tolist()
        ['small', 'large']
    """

    file_key: ClassVar[str] = "table"
    noun: ClassVar[tuple[str, str]] = ("row", "rows")

    def __init__(
        self,
        network: Network,
        preprocessor: TablePreprocessor,
        facts: Mapping[str, Any] | None = None,
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        self._network, self.preprocessor = network, preprocessor
        self.facts = dict(facts or {})
        self.reading: dict[str, Any] = dict(reading or {})

    @property
    def network(self) -> Network:
        return self._network

    @property
    def target(self) -> str:
        return self.preprocessor.target

    @property
    def labels(self) -> Array | None:
        classes: ClassLabels | None = self.preprocessor.classes_
        return None if classes is None else classes.classes

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
        reading: Mapping[str, Any] | None = None,
    ) -> TableModel:
        """A network that fits the preprocessed columns and the loss, not trained.

        A column of K categories that is not one-hot encoded gets an embedding of ceil(√K) numbers, at most 32.
        Two classes get one output with the logistic loss, K classes get K outputs.
        """
        classes = preprocessor.classes_
        outputs = 1 if classes is None or loss.kind == "independent" else classes.n_classes
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
        return cls(network, preprocessor, reading=reading)

    @staticmethod
    def inputs(features: TableFeatures) -> Any:
        """What the network's fit and predict take: one array, or a list of one for each input."""
        numeric = [features["numeric"]] if features["numeric"].shape[1] else []
        arrays = [*numeric, *(index[:, None] for _, index, _ in features["categories"])]
        return arrays[0] if len(arrays) == 1 else arrays

    def read(self, data: Any, y: Any = None, **reading: Any) -> Samples:
        kinds = dict(self.preprocessor.kinds_)
        is_file = isinstance(data, (str, os.PathLike))
        how = {**(self.reading if is_file else {}), **reading}
        table = as_table(data, kinds, [e.name for e in self.preprocessor.encoders_], **how)
        if y is not None:
            truths = Table.from_columns({self.target: y}, source="y").columns
            table = Table({**table.columns, **truths}, source=table.source)
        truth, rows, missing, refused = None, None, "", ""
        if self.target not in table.columns:
            missing = f"{table.source} has no column {self.target!r}."
        elif table.column(self.target).is_missing.all():
            missing = f"{table.source}: the column {self.target!r} is empty."
        else:
            try:
                encoded, rows = self.preprocessor.transform_target(table)
                truth = encoded if self.labels is not None else self.preprocessor.inverse_target(encoded)
            except DataError as error:  # the predictions are good all the same
                refused = str(error)
        return Samples(
            table,
            table.n_rows,
            lambda: given_columns(data, table, **how),
            truth,
            rows,
            f"the column {self.target!r}",
            missing,
            refused,
        )

    def parts(self, data: Any, **reading: Any) -> Iterator[Samples]:
        files = files_in_chunks(data, {**self.reading, **reading}, dict(self.preprocessor.kinds_))
        return super().parts(data, **reading) if files is None else parts_of(self, files)

    def arrays(self, samples: Samples) -> list[Array]:
        made = self.inputs(self.preprocessor.features(samples.data))
        return made if isinstance(made, list) else [made]

    def prediction(self, samples: Samples) -> Prediction:
        made = self.inputs(self.preprocessor.transform(samples.data))  # which warns of unknown values
        return self.predicted(made if isinstance(made, list) else [made])

    def predicted(self, arrays: Sequence[Array]) -> Prediction:
        z = self.network.predict(arrays[0] if len(arrays) == 1 else list(arrays))
        p = np.asarray(self._loss.prediction(np.asarray(z, np.float64)), np.float64)
        if self.preprocessor.classes_ is None:
            return Prediction(self.preprocessor.inverse_target(p.reshape(len(p))))
        if p.shape[1:] in ((), (1,)):
            p = p.reshape(len(p), 1)
            p = np.concatenate([1 - p, p], axis=1)
        return Prediction(self.preprocessor.inverse_target(p.argmax(axis=1)), p)

    def onnx_preprocessing(self) -> TablePreprocessing:
        p = self.preprocessor
        scale = None if p.classes_ is not None else (p.inverse_target(np.zeros(1))[0], p.inverse_target(np.ones(1))[0])
        return TablePreprocessing(p.encoders_, None if scale is None else (float(scale[0]), float(scale[1] - scale[0])))

    def doubts(self, samples: Samples) -> list[str]:
        return self.preprocessor.doubts(samples.data)

    def from_plain(self, data: Any) -> Any:
        return plain_rows(data, [encoder.name for encoder in self.preprocessor.encoders_])

    def fields(self) -> list[dict[str, Any]]:
        kinds = {"Numeric": "number", "DateTime": "date"}
        return [
            {
                "name": encoder.name,
                "kind": kinds.get(type(encoder).__name__, "category"),
                **({"categories": list(encoder.categories)} if hasattr(encoder, "categories") else {}),
            }
            for encoder in self.preprocessor.encoders_
        ]

    @property
    def _loss(self) -> Loss:
        loss = self.network.loss_
        assert isinstance(loss, Loss)
        return loss

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held = {"format": _FORMAT, "preprocessing": self.preprocessor.to_config(), "facts": self.facts}
        return {self.file_key: held | ({"reading": self.reading} if self.reading else {})}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (table format {held['format']}). Upgrade chainrule.")
        preprocessor = TablePreprocessor.from_config(held["preprocessing"])
        self = cls(network, preprocessor, held["facts"], held.get("reading"))
        self._check()
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

    # ------------------------------------------------------------ words

    def target_text(self) -> str:
        """The target and what it is."""
        classes = self.classes
        if classes is None:
            scale = self.preprocessor.scale_
            return f"{self.target}: a number (mean {scale.mean:.4g}, standard deviation {scale.std:.4g})"
        return f"{self.target}: {len(classes)} classes ({some(classes)})"

    def inputs_text(self) -> str:
        """How the columns become numbers, in short."""
        kinds = [type(e).__name__ for e in self.preprocessor.encoders_]
        words = {
            "Numeric": "standardised",
            "DateTime": "dates as trend and cycles",
            "OneHot": "one-hot encoded",
            "Embedded": "embedded",
        }
        parts = [f"{kinds.count(kind)} {word}" for kind, word in words.items() if kind in kinds]
        width = len(self.preprocessor.numeric_names_)
        return f"{len(kinds)} columns ({', '.join(parts)})" + (f", {width} numbers a row" if width else "")

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        columns = [(encoder.name, encoder.describe()) for encoder in self.preprocessor.encoders_[:_MOST_COLUMNS]]
        notes = list(self.preprocessor.notes_)
        if len(notes) > _MOST_NOTES:
            notes[_MOST_NOTES - 1] = (
                f"and {len(notes) - _MOST_NOTES + 1:,} more notes, in the attribute preprocessor.notes_."
            )
        more = len(self.preprocessor.encoders_) - _MOST_COLUMNS
        if more > 0:
            columns.append(("...", f"and {more:,} more columns"))
        return [
            ("", [("Target", self.target_text()), ("Inputs", self.inputs_text()), *self.trained_on()]),
            ("Preprocessing", [*columns, *(("Note", note) for note in notes[:_MOST_NOTES])]),
        ]
