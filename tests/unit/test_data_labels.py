"""chainrule.data.labels: class labels to numbers and back, and what kind of target an array is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.labels import ClassLabels, target_kind
from chainrule.errors import DataError, DtypeError, ModelFileError, ShapeError

label_lists = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.integers(-(2**50), 2**50).map(float), min_size=1),
    st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1),
)


@settings(max_examples=60, deadline=None)
@given(label_lists)
def test_round_trip(y: list[Any]) -> None:
    labels = ClassLabels.fit(y)
    assert labels.classes.tolist() == sorted(set(y))
    codes = labels.encode(y)
    assert codes.dtype == np.int32
    assert labels.decode(codes).tolist() == y
    again = ClassLabels.from_config(json.loads(json.dumps(labels.to_config())))
    assert again.decode(again.encode(y)).tolist() == y
    assert again.classes.dtype.kind == labels.classes.dtype.kind


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float32, "U3", object])
def test_dtype_is_kept(dtype: Any) -> None:
    y = np.array(["a", "b"], dtype) if dtype in ("U3", object) else np.array([0, 1], dtype)
    labels = ClassLabels.fit(y)
    again = ClassLabels.from_config(labels.to_config())
    assert labels.decode([1, 0]).dtype == y.dtype
    assert again.classes.dtype.kind == y.dtype.kind


def test_column_vector_and_series() -> None:
    assert ClassLabels.fit([[2], [1]]).encode([[1], [2]]).tolist() == [0, 1]
    assert ClassLabels.fit(pd.Series(["x", "y"])).n_classes == 2
    assert repr(ClassLabels.fit([1, 2])) == "ClassLabels(1, 2)"
    assert ClassLabels.fit([1, 2]).decode([]).tolist() == []


def test_unseen_labels_are_named() -> None:
    labels = ClassLabels.fit(["cat", "dog"])
    with pytest.raises(DataError, match=r"'bird', 'fish', the first at row 1\. Known labels: 'cat', 'dog'"):
        labels.encode(["cat", "fish", "bird"])
    with pytest.raises(DataError, match="Known labels: 1, 2"):
        ClassLabels.fit([1, 2]).encode(["1"])
    with pytest.raises(DataError, match=r"\(30 in all\)"):
        ClassLabels.fit(range(30)).encode([99])


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0.5, 1.0], DataError, "Unknown label type: continuous.*0.5 at row 0"),
        ([1.0, np.nan], DataError, "NaN"),
        (["a", None], DataError, "missing"),
        (["a", 1], DtypeError, "mixes"),
        ([[0, 1], [1, 0]], ShapeError, "one label a sample"),
        ([], DataError, "0 sample"),
        (None, DataError, "requires y"),
    ],
)
def test_bad_labels(y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ClassLabels.fit(y)


def test_bad_codes() -> None:
    labels = ClassLabels.fit([5, 6])
    for codes in ([2], [-1]):
        with pytest.raises(DataError, match="from 0 to 1"):
            labels.decode(codes)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"kind": "int", "dtype": "int64", "labels": []},
        {"kind": "int", "dtype": "int64", "labels": [1, 1]},
        {"kind": "int", "dtype": "int64", "labels": ["a"]},
        {"kind": "int", "dtype": "object", "labels": [1]},
        {"kind": "int", "dtype": "int8", "labels": [1000]},
        {"kind": "code", "dtype": "int8", "labels": [1]},
        {"kind": "text", "dtype": "V8", "labels": ["a"]},
        {"kind": "int", "dtype": "int8", "labels": None},
    ],
)
def test_damaged_config(config: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="damaged"):
        ClassLabels.from_config(config)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        ([0, 1, 1], "binary"),
        ([1, 1], "binary"),
        ([True, False], "binary"),
        (["a", "b"], "binary"),
        ([-1.0, 1.0], "binary"),
        ([[0], [1]], "binary"),
        ([0, 1, 2], "multiclass"),
        (["a", "b", "c"], "multiclass"),
        ([0.0, 1.0, 2.0], "multiclass"),
        ([0.5, 1.0], "continuous"),
        ([[0.5], [1.0]], "continuous"),
        ([[0, 1], [1, 1]], "multilabel"),
        (np.eye(3), "multilabel"),
        ([[0, 2], [1, 1]], "multioutput"),
        ([[0.5, 2], [1, 1]], "multioutput"),
        ([["a", "b"], ["c", "d"]], "multioutput"),
    ],
)
def test_target_kind(y: Any, kind: str) -> None:
    assert target_kind(y) == kind


def test_target_kind_of_an_image() -> None:
    with pytest.raises(ShapeError):
        target_kind(np.ones((2, 2, 2)))
