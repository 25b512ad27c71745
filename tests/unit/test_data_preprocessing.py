"""chainrule.data.preprocessing: tables to arrays, learned on the training rows only. And the demo data set."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.column_encoders import Standardizer
from chainrule.data.datasets import load_digits
from chainrule.data.preprocessing import TablePreprocessor
from chainrule.data.table import Column, Table
from chainrule.data.unknown import UnknownValuesWarning
from chainrule.errors import DataError, MissingDependencyError, ModelFileError, NotFittedError, ParameterError, TableError


def make(**columns: list[Any]) -> Table:
    """Numbers (None: missing) are numeric columns, anything else is categorical."""
    made = {}
    for name, values in columns.items():
        if all(v is None or isinstance(v, (int, float)) for v in values):
            made[name] = Column("numeric", np.array([np.nan if v is None else v for v in values], dtype=np.float64))
        else:
            array = np.empty(len(values), dtype=object)
            array[:] = values
            made[name] = Column("categorical", array)
    return Table(made, source="pets.csv")


TRAIN = make(
    size=[1, 2, 3, None, 2, 2],
    flat=[7, 7, 7, 7, 7, 7],
    colour=["red", "blue", "red", None, "red", "blue"],
    kind=["a", "b", "b", "a", "a", "a"],
    sold=["yes", "no", "no", "no", "yes", "yes"],
)


def test_classification_table() -> None:
    prep = TablePreprocessor("sold").fit(TRAIN)
    assert prep.task_ == "classification" and prep.classes_ is not None
    assert prep.classes_.classes.tolist() == ["no", "yes"]
    assert prep.numeric_names_ == [
        "size", "size is missing", "flat", "colour=blue", "colour=red", "colour is missing", "kind=a", "kind=b",
    ]  # fmt: skip
    features, y = prep.training_arrays(TRAIN)
    numeric = features["numeric"]
    assert numeric.dtype == np.float32 and numeric.shape == (6, 8) and features["categories"] == []
    np.testing.assert_allclose(numeric[:, 0], np.array([-1, 0, 1, 0, 0, 0]) / np.sqrt(0.4), rtol=1e-6)
    assert numeric[:, 1].tolist() == [0, 0, 0, 1, 0, 0]
    assert not numeric[:, 2].any()
    assert numeric[:, 3:6].tolist()[:4] == [[0, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert y.dtype == np.int32 and y.tolist() == [1, 0, 0, 0, 1, 1]
    assert prep.inverse_target(y).tolist() == TRAIN.column("sold").values.tolist()
    assert any("'flat' is 7 in every row" in note for note in prep.notes_)


def test_prediction_table() -> None:
    prep = TablePreprocessor("sold").fit(TRAIN)
    new = make(kind=["c", None], colour=["green", None], size=[None, 4], flat=[9, 7], more=["x", "y"])
    with pytest.warns(UnknownValuesWarning, match=r"100% of the values of 'colour' .* such as 'green'"):
        numeric = prep.transform(new)["numeric"]
    assert numeric[:, 3:].tolist() == [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0]]  # unknown: zeros; missing: own column
    assert numeric[0, :3].tolist() == [0, 1, 0]


def test_only_training_rows_count() -> None:
    table = make(x=[0, 2, 1000], t=["u", "v", "w"], y=[0.5, 1.5, 9.5])
    prep = TablePreprocessor("y", exclude=["t"]).fit(table.take(np.array([0, 1])))
    assert prep.encoders_[0].mean == 1.0  # type: ignore[union-attr]
    assert prep.transform(table)["numeric"].tolist() == [[-1], [1], [999]]


def test_embedding_columns() -> None:
    towns = [f"town{i % 20:02d}" for i in range(60)]
    table = make(town=[*towns[:-1], None], n=list(np.linspace(0, 1, 60)), y=list(np.linspace(0.5, 9, 60)))
    prep = TablePreprocessor("y").fit(table)
    ((name, codes, cardinality),) = prep.transform(table)["categories"]
    assert (name, cardinality, codes.dtype) == ("town", 21, np.int32)
    assert codes[:3].tolist() == [1, 2, 3] and codes[-1] == 0
    ((_, codes, _),) = prep.transform(make(town=["nowhere", "town03"], n=[0.5, 1]))["categories"]
    assert codes.tolist() == [0, 4]
    assert TablePreprocessor("y", embed_from=20).fit(table).transform(table)["categories"] == []
    assert prep.kinds_ == {"town": "categorical", "n": "numeric"}


def test_regression_target() -> None:
    table = make(x=[1, 2, 3, 4], price=[10.5, 20.5, None, 30.5])
    prep = TablePreprocessor("price").fit(table)
    features, y = prep.training_arrays(table)
    assert prep.task_ == "regression" and prep.classes_ is None
    assert len(features["numeric"]) == len(y) == 3 and y.dtype == np.float32
    assert abs(y.mean()) < 1e-6 and abs(y.std() - 1) < 1e-6
    np.testing.assert_allclose(prep.inverse_target(y), [10.5, 20.5, 30.5], rtol=1e-6)
    assert prep.transform_target(table)[1].tolist() == [0, 1, 3]
    assert prep.notes_[0] == "1 row has no target 'price': left out."
    assert len(prep.transform(table)["numeric"]) == 4


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"] * 10, "classification"),
        (["True", "False"] * 10, "classification"),
        ([0, 1] * 10, "classification"),
        ([0, 5], "classification"),
        ([0, 1, 2, 3] * 5, "classification"),
        ([0, 1, 2, 3, 4] * 2, "regression"),
        (list(range(21)) * 10, "regression"),
        (list(range(20)) * 5, "classification"),
        ([0.5, 1.5] * 10, "regression"),
    ],
)
def test_task_rule(y: list[Any], task: str) -> None:
    table = make(x=list(np.linspace(0, 1, len(y))), y=y)
    prep = TablePreprocessor("y").fit(table)
    assert prep.task_ == task
    labels = prep.inverse_target(prep.transform_target(table)[0])
    if task == "classification":
        assert labels.tolist() == y
    else:
        np.testing.assert_allclose(labels, y, atol=1e-5)


def test_task_can_be_chosen() -> None:
    table = make(x=[0, 1, 2], y=[1, 2, 2])
    assert TablePreprocessor("y", task="regression").fit(table).task_ == "regression"
    with pytest.raises(TableError, match=r"whole numbers or text in 'y', got 0.5 in row 1"):
        TablePreprocessor("y", task="classification").fit(make(x=[0, 1], y=[1, 0.5]))
    with pytest.raises(TableError, match=r"row 0 .*expected a number.*'a'"):
        TablePreprocessor("y", task="regression").fit(make(x=[0, 1], y=["a", "b"]))


def test_notes() -> None:
    n = 30
    table = make(
        name=[f"person {i}" for i in range(n)],
        blank=[None] * n,
        row=list(range(n)),
        ward=["w"] * n,
        remark=[f"r{i // 2 if i < 6 else i}" for i in range(n)],
        typo=[*map(str, range(5)), "1o"] * 2 + [str(i % 7) for i in range(n - 12)],
        y=["a", "b"] * 15,
    )
    prep = TablePreprocessor("y").fit(table)
    assert [e.name for e in prep.encoders_] == ["row", "ward", "typo"]
    text = "\n".join(prep.notes_)
    for expected in (
        "'name' has a different text in every row, like an identifier: left out",
        "'blank' has no value in any row: left out",
        "'row' counts the rows up",
        "'ward' is 'w' in every row",
        "'remark' has 27 different texts in 30 rows, 24 of them once, so about 80% of new rows would have a text that "
        "nothing",
        "'typo' is taken as text because of 2 value(s) that are no numbers, e.g. '1o'",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("table", "target", "message"),
    [
        (TRAIN, "sould", r"no column 'sould'. Did you mean 'sold'\? Its columns are: 'size', 'flat'"),
        (make(x=[1, 2], y=[None, None]), "y", "'y' is missing in every row"),
        (make(x=[1, 2], y=["a", "a"]), "y", "'a' in every row; two are needed"),
        (make(x=[1, 2, 3], y=["a", "b", "c"]), "y", "different value in every row"),
        (make(y=[1, 2]), "y", "no column to learn from"),
        (make(t=["p", "q"], y=[1, 2]), "y", "no column to learn from.*identifier"),
        (make(x=[1, np.inf], y=[1, 2]), "y", "pets.csv, column 'x', row 1 .*inf"),
        (make(x=[1, 2], y=[1.5, np.inf]), "y", "column 'y', row 1 .*inf"),
    ],
)
def test_bad_training_tables(table: Table, target: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        TablePreprocessor(target).fit(table)


def test_bad_prediction_tables() -> None:
    prep = TablePreprocessor("sold").fit(TRAIN)
    with pytest.raises(TableError, match=r"lacks 2 column\(s\).*'colour', 'kind'. Did you mean 'color'\?"):
        prep.transform(make(size=[1], flat=[1], color=["red"]))
    good: dict[str, list[Any]] = {"flat": [7, 7], "colour": ["red", "red"], "kind": ["a", "b"]}
    with pytest.raises(TableError, match=r"column 'size', row 1 .*expected a number.*got 'big'"):
        prep.transform(make(size=["1", "big"], **good))
    with pytest.raises(TableError, match=r"row 0 .*overflows float32"):
        prep.transform(make(size=[1e300, 1], **good))
    assert prep.transform(make(size=["3", None], **good))["numeric"][1, 1] == 1
    with pytest.raises(DataError, match=r"'maybe'.*Known labels: 'no', 'yes'"):
        prep.transform_target(make(sold=["maybe"]))


def test_codes_that_read_as_numbers_stay_categories() -> None:
    train = make(code=["1", "2", "X", "1"], y=[0.5, 1, 2, 3])
    prep = TablePreprocessor("y").fit(train)
    assert prep.transform(make(code=[2, 1, 2.5]))["numeric"].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_bad_parameters() -> None:
    with pytest.raises(ParameterError, match="embed_from"):
        TablePreprocessor("sold", embed_from=0).fit(TRAIN)
    with pytest.raises(ParameterError, match="task"):
        TablePreprocessor("sold", task="guess").fit(TRAIN)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="list of column names"):
        TablePreprocessor("sold", exclude="size").fit(TRAIN)
    with pytest.raises(TableError, match=r"'sise'. Did you mean 'size'"):
        TablePreprocessor("sold", exclude=["sise"]).fit(TRAIN)
    with pytest.raises(NotFittedError, match="fit"):
        TablePreprocessor("sold").transform(TRAIN)


def test_config_round_trip() -> None:
    towns = [f"t{i % 5}" for i in range(20)]
    table = make(town=towns, size=[*range(19), None], kind=["a", "b"] * 10, y=["u", "v", "v", "u"] * 5, z=[0.1, 0.7] * 10)
    for target in ("y", "z", "size"):
        prep = TablePreprocessor(target, embed_from=3).fit(table)
        again = TablePreprocessor.from_config(json.loads(json.dumps(prep.to_config(), allow_nan=False)))
        assert again.to_config() == prep.to_config()
        (features, y), (features2, y2) = prep.training_arrays(table), again.training_arrays(table)
        np.testing.assert_array_equal(features["numeric"], features2["numeric"])
        np.testing.assert_array_equal(features["categories"][0][1], features2["categories"][0][1])
        np.testing.assert_array_equal(y, y2)
        assert again.inverse_target(y).tolist() == prep.inverse_target(y).tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"formats": {"x": {"kind": "numeric", "decimal": "x"}}},
        {"formats": {"x": {"kind": "numeric", "more": 1}}},
        {"columns": [{"kind": "datetime", "name": "x", "mean": 0, "std": 1, "cycles": ["eon"], "indicator": False}]},
        {"task": "guess"},
        {"task": "regression"},
        {"classes": {"kind": "int"}},
        {"scale": [1]},
        {"columns": [{"kind": "eval", "name": "x"}]},
        {"columns": [{"kind": "numeric", "name": "x", "mean": float("nan"), "std": 1, "indicator": False}]},
        {"columns": [{"kind": "numeric", "name": 3, "mean": 0, "std": 1, "indicator": False}]},
        {"columns": [{"kind": "embedded", "name": "x", "categories": [1]}]},
        {"columns": [{"kind": "numeric", "name": "x", "mean": 0, "std": 1, "indicator": False, "extra": 1}]},
        {"columns": None},
    ],
)
def test_damaged_config(change: dict[str, Any]) -> None:
    config = {**TablePreprocessor("sold").fit(TRAIN).to_config(), **change}
    with pytest.raises(ModelFileError, match="damaged"):
        TablePreprocessor.from_config(config)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e300, 1e300, allow_subnormal=False), min_size=1, max_size=20))
def test_standardising_never_gives_nan(values: list[float]) -> None:
    x = np.array(values)
    scale = Standardizer.fit(x)
    z = scale.apply(x)
    assert np.isfinite([scale.mean, scale.std]).all() and scale.std >= 0
    assert np.isfinite(z).all() and np.abs(z).max() <= 2 * np.sqrt(len(x)) + 1


def test_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_digits()
    assert X.shape == (1797, 64) and X.dtype == np.float32 and X.min() == 0 and X.max() == 1
    assert y.shape == (1797,) and np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"scikit-learn.*chainrule\[sklearn\]"):
        load_digits()
