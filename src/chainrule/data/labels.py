"""Class labels and what kind of target an array is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainrule.errors import DataError, ModelFileError, ShapeError

from ._types import Array
from .arrays import as_targets

__all__ = ["ClassLabels", "TargetKind", "target_kind"]

TargetKind = Literal["binary", "multiclass", "multilabel", "continuous", "multioutput"]
_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "U": "text", "O": "text", "T": "text"}
_DTYPES = {"bool": np.bool_, "int": np.int64, "float": np.float64, "text": np.object_}


class ClassLabels:
    """The labels of a classification, sorted, and their numbers 0..K-1.

    Parameters  classes : (K,) sorted distinct labels: bools, ints, floats that are whole numbers, or text
    Shapes      y (N,) labels <-> (N,) int32
    Raises      DataError for labels that are missing, continuous or not known
    Example
        >>> labels = ClassLabels.fit(["dog", "cat", "dog"])
        >>> labels.encode(["cat", "dog"])
        array([0, 1], dtype=int32)
        >>> labels.decode([1, 1]).tolist()
        ['dog', 'dog']
    """

    def __init__(self, classes: Array) -> None:
        self.classes = classes
        self._index = {label: i for i, label in enumerate(classes.tolist())}

    @classmethod
    def fit(cls, y: Any, *, name: str = "y") -> ClassLabels:
        """The labels that occur in ``y``."""
        return cls(np.unique(_label_array(y, name)))

    @property
    def n_classes(self) -> int:
        """The number of labels K."""
        return len(self.classes)

    def encode(self, y: Any, *, name: str = "y") -> npt.NDArray[np.int32]:
        """The number of each label."""
        array = _label_array(y, name)
        codes = np.fromiter((self._index.get(v, -1) for v in array.tolist()), dtype=np.int32, count=len(array))
        if len(codes) and codes.min() < 0:
            row = int(codes.argmin())
            unseen = sorted(set(array[codes < 0].tolist()), key=str)
            raise DataError(
                f"{name} has labels that were not there in training: {_listed(unseen)}, the first at row {row}. "
                f"Known labels: {_listed(self.classes.tolist())}."
            )
        return codes

    def decode(self, codes: Any) -> Array:
        """The label of each number."""
        index = as_targets(codes, name="codes", dtype=np.int64, min_samples=0) if len(codes) else np.zeros(0, np.int64)
        if index.size and (index.min() < 0 or index.max() >= self.n_classes):
            raise DataError(f"Class numbers must be from 0 to {self.n_classes - 1}, got {index.min()} to {index.max()}.")
        return self.classes[index]

    def to_config(self) -> dict[str, Any]:
        """The labels as JSON can hold them, with their dtype."""
        kind = _KINDS[self.classes.dtype.kind]
        dtype = self.classes.dtype.kind if kind == "text" else self.classes.dtype.name
        return {"kind": kind, "dtype": dtype, "labels": self.classes.tolist()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ClassLabels:
        """The labels that ``to_config`` wrote."""
        try:
            kind, name, labels = config["kind"], config["dtype"], list(config["labels"])
            types: tuple[type, ...] = {"bool": (bool,), "int": (int,), "float": (int, float), "text": (str,)}[kind]
            if not labels or not all(isinstance(v, types) for v in labels) or len(set(labels)) != len(labels):
                raise ValueError("labels are missing, repeated, or of another kind")
            dtype = np.dtype({"O": object, "U": str, "T": object}[name] if kind == "text" else name)
            if _KINDS.get(dtype.kind) != kind:
                raise ValueError(f"dtype {name!r} does not hold labels of kind {kind!r}")
            return cls(np.array(labels, dtype=dtype))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelFileError(f"The saved class labels are damaged: {error}.") from error

    def __repr__(self) -> str:
        return f"ClassLabels({_listed(self.classes.tolist())})"


def target_kind(y: Any) -> TargetKind:
    """What ``y`` asks to be predicted.

    | kind | y |
    |---|---|
    | binary | (N,) or (N, 1) of one or two labels: text, bools, or whole numbers of any dtype |
    | multiclass | the same with more than two labels |
    | multilabel | (N, K >= 2) of zeros and ones (a one-hot matrix is one too) |
    | continuous | (N,) or (N, 1) of floats, not all of them whole numbers |
    | multioutput | any other (N, K >= 2) |

    Whole numbers are always taken for labels, so a regression estimator must not ask.

    Raises      DtypeError, DataError as ``as_targets``; ShapeError for more than two dimensions
    Example
        >>> target_kind([0, 1, 1]), target_kind(["a", "b", "c"]), target_kind([0.5, 1.0])
        ('binary', 'multiclass', 'continuous')
        >>> target_kind([[0, 1], [1, 1]]), target_kind([[0.5, 1], [2, 3]])
        ('multilabel', 'multioutput')
    """
    array = as_targets(y, ndim=(1, 2))
    if array.ndim == 2 and array.shape[1] > 1:
        is_indicator = array.dtype.kind in "biuf" and bool(((array == 0) | (array == 1)).all())
        return "multilabel" if is_indicator else "multioutput"
    if array.dtype.kind == "f" and not bool((array == np.rint(array)).all()):
        return "continuous"
    return "binary" if len(np.unique(array)) <= 2 else "multiclass"


def _label_array(y: Any, name: str) -> Array:
    array = as_targets(y, name=name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array.ravel()
    if array.ndim != 1:
        raise ShapeError(f"{name} must be one label a sample, shape (N,), got shape {array.shape}.")
    if array.dtype.kind == "f":
        fractional = array != np.rint(array)
        if fractional.any():
            row = int(fractional.argmax())
            raise DataError(
                f"Unknown label type: continuous. {name} has {array[row]} at row {row}; class labels must be text, "
                "bools or whole numbers. To predict a quantity use a regressor."
            )
    return array


def _listed(values: list[Any], limit: int = 10) -> str:
    shown = ", ".join(repr(v) for v in values[:limit])
    return shown if len(values) <= limit else f"{shown}, ... ({len(values)} in all)"
