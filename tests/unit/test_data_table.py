"""chainrule.data.table: real tables from files and DataFrames; every bad file is told apart and placed."""

from __future__ import annotations

import datetime
import gzip
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data.column_encoders import texts_of
from chainrule.data.table import Column, Table, read_table, write_predictions
from chainrule.errors import DtypeError, MissingDependencyError, ParameterError, ShapeError, TableError


def read(tmp_path: Path, content: str | bytes, name: str = "data.csv", **options: Any) -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, **options)


def cells(table: Table, name: str) -> list[Any]:
    return table.column(name).values.tolist()


# ---------------------------------------------------------------- what can be read


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    text = 'name,size,note\nRex,31.5,"a, b; c | d\te"\nTom,4,plain\n'.replace(",", delimiter)
    table = read(tmp_path, text)
    assert table.names == ["name", "size", "note"] and len(table) == 2
    assert cells(table, "size") == [31.5, 4.0]


def test_kinds_and_missing_markers(tmp_path: Path) -> None:
    markers = ["", "NA", "N/A", "NaN", "nan", "null", "None", "?", " "]
    rows = "\n".join(f"{m},{m},x" for m in markers)
    table = read(tmp_path, f"n,t,u\n{rows}\n-1e3,word,y\ninf,2,z\n")
    assert [table.column(c).kind for c in "ntu"] == ["numeric", "categorical", "categorical"]
    assert table.column("n").is_missing.sum() == table.column("t").is_missing.sum() == len(markers)
    assert cells(table, "n")[-2:] == [-1000.0, np.inf]
    assert cells(table, "t")[-2:] == ["word", "2"]
    assert "n" in repr(table)


def test_numbers_with_underscores_are_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a\n1_000\n2\n").column("a").values.tolist() == [1000, 2]
    assert read(tmp_path, "a\n1_00\n2\n").column("a").kind == "categorical"


def test_column_without_any_value_is_numeric(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n,1\n,2\n").column("a").kind == "numeric"


def test_quotes_embedded_newlines_bom_and_blank_lines(tmp_path: Path) -> None:
    table = read(tmp_path, '\ufeffname, "the note"\r\n"O""Neil", "two\nlines"\r\n\r\nÅse,"x, y"\r\n')
    assert table.names == ["name", "the note"]
    assert cells(table, "name") == ['O"Neil', "Åse"]
    assert cells(table, "the note") == ["two\nlines", "x, y"]


def test_suffixes(tmp_path: Path) -> None:
    assert len(read(tmp_path, gzip.compress(b"a,b\n1,2\n", mtime=0), "data.csv.gz")) == 1
    assert cells(read(tmp_path, "a\tb\nx,1\t2\n", "data.tsv"), "a") == ["x,1"]
    assert len(read(tmp_path, "a b\n1\n", "data.txt")) == 1
    assert cells(read(tmp_path, "a;b,c\n1;2\n", "data.csv", delimiter=";"), "b,c") == [2.0]


def test_blank_column_names_are_numbered(tmp_path: Path) -> None:
    assert read(tmp_path, ",a\n0,1\n").names == ["unnamed_1", "a"]


def test_other_encodings(tmp_path: Path) -> None:
    assert cells(read(tmp_path, "a\nÅ\n".encode("latin-1"), encoding="latin-1"), "a") == ["Å"]
    assert cells(read(tmp_path, "a\nÅ\n".encode("utf-16"), encoding="utf-16"), "a") == ["Å"]


def test_kinds_can_be_fixed(tmp_path: Path) -> None:
    table = read(tmp_path, "code,x\n01,1\n02,2\n", kinds={"code": "categorical", "elsewhere": "numeric"})
    assert cells(table, "code") == ["01", "02"]
    with pytest.raises(TableError, match="line 3: expected a number in column 'x', got 'two'"):
        read(tmp_path, "code,x\n01,1\n02,two\n", kinds={"x": "numeric"})


# ---------------------------------------------------------------- what cannot


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("\ufeff", "empty"),
        ("a,b\n", "header but no rows"),
        ("a,b\n1,2\n1\n", "line 3: expected 2 fields.*got 1"),
        ('a,b\n"x\ny",2\n\n1,2,3\n', "line 5: expected 2 fields.*got 3"),
        ("1.5,2.5,x\n1,2,3\n", "line 1: expected a header line"),
        ('a,b\n1,2\n"open,3\n4,5\n', "line 3: a quote is opened in this row and never closed"),
        ('a,b\n"x"y,2\n', "line 2: the row cannot be read"),
        ("a,b\n1,2\nx,мир\n".encode("cp1251"), r"line 3: byte 0xEC at offset 10 is not utf-8.*--encoding latin-1"),
        ("a,b\n1,2\nx,caf\u00e9\ny,\u00e9\u00e9".encode() + b"\xe9", "line 4: byte 0xE9 at offset 22 is not utf-8"),
        (b"a,b\n1,\x002\n", "line 2: a NUL byte at offset 6"),
        (bytes(range(256)) * 4, "binary file"),
        (b"PK\x03\x04rest", "Excel"),
        (b"PAR1rest", "Parquet"),
        (b"\x89PNG\r\n", "PNG"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-12], "damaged or cut off"),
        (b"\x1f\x8bnonsense", "damaged or cut off"),
    ],
)
def test_bad_content(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(TableError, match=f"(?s){message}") as caught:
        read(tmp_path, content)
    assert str(tmp_path / "data.csv") in str(caught.value)


def test_bad_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(TableError, match=r"no such file. Did you mean 'train.csv'\?"):
        read_table(tmp_path / "trian.csv")
    with pytest.raises(TableError, match=r"folder .* does not exist"):
        read_table(tmp_path / "no" / "a.csv")
    with pytest.raises(TableError, match="this is a folder"):
        read_table(tmp_path)
    with pytest.raises(TableError, match=r"expected a file named .csv.*got '.xlsx'"):
        read_table(tmp_path / "a.xlsx")
    with pytest.raises(TableError, match="not gzipped"):
        read(tmp_path, "a\n1\n", "a.csv.gz")
    with pytest.raises(ParameterError, match="unknown encoding 'utf-9'"):
        read(tmp_path, "a\n1\n", encoding="utf-9")
    with pytest.raises(TableError, match="cannot be read"):
        read_table("a\0b.csv")

    def deny(self: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(TableError, match="permission"):
        read_table(tmp_path / "train.csv")


# ---------------------------------------------------------------- Parquet


def test_parquet(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "i": [1, None, 3],
            "f": [0.5, 1.5, None],
            "t": ["a", None, "NA"],
            "b": [True, False, None],
            "d": [datetime.date(2020, 1, 2)] * 3,
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    for other in (table, Table.from_dataframe(frame)):
        assert [c.kind for c in other.columns.values()] == ["numeric"] * 2 + ["categorical"] * 2 + ["datetime"]
        np.testing.assert_array_equal(other.column("i").values, [1.0, np.nan, 3.0])
        assert cells(other, "t") == ["a", None, None] and cells(other, "b") == ["True", "False", None]
        assert cells(other, "d")[0] == datetime.datetime(2020, 1, 2)


def test_bad_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content, message in [(b"", "empty"), (b"a,b\n1,2\n", "not a Parquet file"), (b"PAR1xxPAR1", "not a Parquet")]:
        with pytest.raises(TableError, match=message):
            read(tmp_path, content, "a.parquet")
    pl.DataFrame({"a": [[1], [2]]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(TableError, match="'a' holds lists"):
        read_table(tmp_path / "b.parquet")
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "c.parquet")
    with pytest.raises(TableError, match="0 rows"):
        read_table(tmp_path / "c.parquet")
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "d.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingDependencyError, match=r"needs pyarrow.*chainrule\[parquet\]"):
        read_table(tmp_path / "b.parquet")


# ---------------------------------------------------------------- tables and DataFrames


def test_from_pandas() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "t": ["a", np.nan],
            "b": [True, False],
            "c": pd.Categorical(["u", "v"]),
            "o": np.array([1, None], dtype=object),
            "i": pd.array([1, pd.NA], dtype="Int64"),
            "m": pd.array([True, pd.NA], dtype="boolean"),
            3: pd.to_datetime(["2020-01-02", None]),
        }
    )
    table = Table.from_dataframe(frame)
    assert [c.kind[0] for c in table.columns.values()] == list("nccc" + "nncd")
    assert cells(table, "t") == ["a", None] and cells(table, "b") == ["True", "False"]
    assert cells(table, "3") == [datetime.datetime(2020, 1, 2), None]
    assert np.isnan(cells(table, "i")[1]) and np.isnan(cells(table, "o")[1])


def test_numbers_and_times_of_other_types_are_numbers() -> None:
    frame = pd.DataFrame({
        "decimal": [Decimal("1.5"), None, Decimal("NaN")],
        "duration": pd.to_timedelta(["1 h", None, "90 s"]),
        "large": [2**53 + 1, None, 5],
    })  # fmt: skip
    table = Table.from_dataframe(frame)
    np.testing.assert_array_equal(table.column("decimal").values, [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(table.column("duration").values, [3600, np.nan, 90])
    polars = Table.from_dataframe(pl.DataFrame({"large": [2**53 + 1, None, 5]}))
    assert texts_of(polars, "large") == [str(2**53 + 1), None, "5"]


def test_bad_frames() -> None:
    with pytest.raises(DtypeError, match="DataFrame, got list"):
        Table.from_dataframe([[1]])
    with pytest.raises(DtypeError, match="got Series"):
        Table.from_dataframe(pd.Series([1]))
    assert Table.from_dataframe(pd.DataFrame([[1, 2]], columns=["a", "a"])).names == ["a", "a_2"]
    with pytest.raises(TableError, match="0 rows"):
        Table.from_dataframe(pd.DataFrame({"a": []}))
    with pytest.raises(TableError, match="0 columns"):
        Table.from_dataframe(pd.DataFrame())


def test_table() -> None:
    table = Table({"age": Column("numeric", np.array([1.0, 2.0, 3.0]))}, source="t.csv")
    assert cells(table.take(np.array([2, 0])), "age") == [3.0, 1.0]
    with pytest.raises(TableError, match=r"t.csv has no column 'agee'. Did you mean 'age'\? Its columns are: 'age'"):
        table.column("agee")
    with pytest.raises(TableError, match="no columns"):
        Table({})
    with pytest.raises(ShapeError, match="different lengths"):
        Table({"a": Column("numeric", np.ones(2)), "b": Column("numeric", np.ones(3))})


# ---------------------------------------------------------------- writing

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).map(lambda s: f"x{s}x")
floats = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(floats, st.none() | text, st.integers(-(2**53), 2**53)), min_size=1, max_size=8))
def test_round_trip(tmp_path: Path, rows: list[tuple[float, str | None, int]]) -> None:
    x, t, i = (list(column) for column in zip(*rows, strict=True))
    write_predictions(tmp_path / "out.csv", {"x": np.array(x), "t, or text": [*t[:-1], "last"], "i": i})
    table = read_table(tmp_path / "out.csv")
    np.testing.assert_array_equal(table.column("x").values, x)
    assert cells(table, "t, or text") == [*t[:-1], "last"]
    assert cells(table, "i") == i


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"
    write_predictions(path, {"a": [1], "p": np.array([0.1], dtype=np.float32)})
    before = path.read_text()

    def fail(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(TableError, match="No space left"):
            write_predictions(path, {"a": [2]})
    assert path.read_text() == before and [p.name for p in tmp_path.iterdir()] == ["out.csv"]
    write_predictions(path, {"a": [2]})
    assert path.read_text() == "a\n2\n"
    write_predictions(path, {"a": pd.Series([1, pd.NA], dtype="Int64"), "b": pl.Series([None, 0.5])})
    assert path.read_text() == "a,b\n1,\n,0.5\n"


def test_bad_writing(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="different lengths"):
        write_predictions(tmp_path / "a.csv", {"a": [1], "b": [1, 2]})
    with pytest.raises(TableError, match="no columns"):
        write_predictions(tmp_path / "a.csv", {})
    with pytest.raises(TableError, match="No such file"):
        write_predictions(tmp_path / "no" / "a.csv", {"a": [1]})
    with pytest.raises(TableError, match="UTF-8"):
        write_predictions(tmp_path / "a.csv", {"a": ["\ud800"]})
    assert list(tmp_path.iterdir()) == []


def test_texts_of_a_data_frame_are_read_as_single_values_are() -> None:
    texts = [" Rome", "Rome", None, "n/a", "", "NA ", "Oslo", "n/a"]
    alone = Table.from_dataframe(pd.DataFrame({"town": pd.Series(texts, dtype=object)})).column("town")
    mixed = Table.from_dataframe(pd.DataFrame({"town": pd.Series([*texts, True], dtype=object)})).column("town")
    assert alone.kind == mixed.kind == "categorical"
    assert alone.values.tolist() == mixed.values.tolist()[:-1]
    assert alone.written is not None and mixed.written is not None
    assert alone.written.tolist() == mixed.written.tolist()[:-1]
    assert alone.values.tolist() == ["Rome", "Rome", None, None, None, None, "Oslo", None]
