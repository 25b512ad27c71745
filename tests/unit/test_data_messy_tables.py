"""Tables as people write them: numbers, dates, labels and layouts of many kinds come out right, and what was guessed is
said.
"""

from __future__ import annotations

import datetime
import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import ClassLabels, ColumnFormat, Table, TableFormat, TablePreprocessor, read_table
from chainrule.data.booleans_in_text import are_booleans
from chainrule.data.dates_in_text import parse_dates
from chainrule.data.numbers_in_text import NumberStyle, looks_like_number, parse_number
from chainrule.data.unknown import UnknownValuesWarning
from chainrule.errors import ChainruleError, DataError, ParameterError, TableError


def read(tmp_path: Path, content: str | bytes, name: str = "data.csv", **options: Any) -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    kinds = options.pop("kinds", None)
    return read_table(path, format=TableFormat(**options), kinds=kinds)


def cells(table: Table, name: str) -> list[Any]:
    return [None if value != value else value for value in table.column(name).values.tolist()]


def column(*texts: str, name: str = "x", others: str = "") -> str:
    """A file of one column (and one of row numbers, so that there is a delimiter)."""
    rows = "\n".join(f'{i};"{text}"' for i, text in enumerate(texts))
    return f"i;{name}\n{rows}\n{others}"


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1,5", "2,75", "-3"], [1.5, 2.75, -3]),
        (["1.234,5", "12", "7"], [1234.5, 12, 7]),
        (["1,163.74", "12.5", "900"], [1163.74, 12.5, 900]),
        (["1 234,50", "3", "12 345 678"], [1234.5, 3, 12345678]),
        (["1\u202f234,50", "3,25", "7"], [1234.5, 3.25, 7]),
        (["1'234.50", "3.25", "7"], [1234.5, 3.25, 7]),
        (["1,23,456", "3,00,000", "7.5"], [123456, 300000, 7.5]),
        (["$4,000.50", "-$12.25", "€ 7.5"], [4000.5, -12.25, 7.5]),
        (["4.000,50 €", "12,25 €", "7 €"], [4000.5, 12.25, 7]),
        (["12.5%", "7 %", "100%"], [12.5, 7, 100]),
        (["50%", "0.25", "1"], [0.5, 0.25, 1]),
        (["(1,234.50)", "17.25", "(3)"], [-1234.5, 17.25, -3]),
        (["\u22125.5", "+3.5", "2-"], [-5.5, 3.5, -2]),
        (["1,5e3", "2E-1", "7,25"], [1500, 0.2, 7.25]),
        (["1.234.567", "12", "5"], [1234567, 12, 5]),
        ([",5", "1,25", "2"], [0.5, 1.25, 2]),
        (["-", "n/a", "1.5"], [None, None, 1.5]),
        (["#N/A", "#DIV/0!", "1,5"], [None, None, 1.5]),
        (["unknown", "1,5", "missing"], [None, 1.5, None]),
    ],
)
def test_numbers_of_many_kinds(tmp_path: Path, texts: list[str], numbers: list[float | None]) -> None:
    table = read(tmp_path, column(*texts))
    assert table.column("x").kind == "numeric"
    assert cells(table, "x") == pytest.approx(numbers, nan_ok=True)


@pytest.mark.parametrize(
    "texts",
    [
        ["1_00", "25_00"],
        ["192.168.100.100", "10.0.0.1"],
        ["1.2.3", "4.5.6"],
        ["555-1234", "555-9876"],
        ["(5", "6)"],
        ["--5", "+-3"],
        ["$", "€"],
        ["1,2,3", "4,5,6"],
        ["0,123,456", "1"],
        ["12:30", "13:45"],
        ["A12", "B7"],
    ],
)
def test_texts_that_are_no_numbers(tmp_path: Path, texts: list[str]) -> None:
    assert read(tmp_path, column(*texts)).column("x").kind != "numeric"
    assert not all(looks_like_number(text) for text in texts)


def test_the_convention_is_found_from_the_whole_file(tmp_path: Path) -> None:
    """1.234 alone is a number below two; beside decimal commas its point parts thousands."""
    german = read(tmp_path, "a;b;c\n1.234;2,5;x\n2.500;0,75;y\n")
    assert cells(german, "a") == [1234, 2500] and cells(german, "b") == [2.5, 0.75]
    assert any(note.startswith("Decimal comma, 2 columns: 'a', 'b'") and "--decimal" in note for note in german.notes)
    english = read(tmp_path, 'a,b,c\n"1,234",2.5,x\n"2,500",0.75,y\n')
    assert cells(english, "a") == [1234, 2500] and cells(english, "b") == [2.5, 0.75]
    assert any(note.startswith("Separators of thousands, 1 column: 'a'") for note in english.notes)
    plain = read(tmp_path, "a,b\n1.234,2.5\n2.500,0.75\n")
    assert cells(plain, "a") == [1.234, 2.5] and plain.notes == []


def test_what_no_cell_says_is_guessed_aloud_and_can_be_changed(tmp_path: Path) -> None:
    text = 'a,b\n"1,234",x\n"2,500",y\n'
    table = read(tmp_path, text)
    assert cells(table, "a") == [1234, 2500]
    assert any("'a'" in note and "is read as" in note and "--decimal" in note for note in table.notes)
    assert cells(read(tmp_path, text, decimal=","), "a") == [1.234, 2.5]
    assert cells(read(tmp_path, text, thousands=","), "a") == [1234, 2500]
    assert cells(read(tmp_path, "a;b\n1,234;x\n2,500;y\n"), "a") == [1.234, 2.5]
    assert cells(read(tmp_path, "a;b\n1.234;x\n2.500;y\n", decimal=","), "a") == [1234, 2500]


def test_a_few_other_cells_are_named_and_count_as_missing(tmp_path: Path) -> None:
    texts = [str(i / 2) for i in range(200)] + ["abt. 7", "see note", "see note"]
    table = read(tmp_path, column(*texts))
    assert table.column("x").kind == "numeric" and table.column("x").is_missing.sum() == 3
    assert any("3 of 203 cells do not: 'see note' (2 times), 'abt. 7'" in note for note in table.notes)
    half = read(tmp_path, column(*texts[:10], "u", "v", "w", "z"))
    assert half.column("x").kind == "categorical"
    codes = read(tmp_path, column(*(["1", "2", "3"] * 20 + ["X"])))  # as many codes as these may be categories
    assert codes.column("x").kind == "categorical"


def test_missing_values_can_be_named(tmp_path: Path) -> None:
    text = column("5", "-999", "7", "-999.0", "8", "nope")
    table = read(tmp_path, text, na_values=["-999", "nope"])
    assert cells(table, "x") == [5, None, 7, None, 8, None]
    text = column("none", "mild", "none")
    assert cells(read(tmp_path, text), "x") == [None, "mild", None]
    assert cells(read(tmp_path, text, keep_default_na=False), "x") == ["none", "mild", "none"]


def test_numbers_of_a_new_file_are_read_as_in_training(tmp_path: Path) -> None:
    train = read(tmp_path, "a;b;y\n" + "".join(f"{i},234;{i}%;{i % 2}\n" for i in range(1, 9)))
    preprocessor = TablePreprocessor("y").fit(train)
    again = TablePreprocessor.from_config(json.loads(json.dumps(preprocessor.to_config())))
    new = read_table(_write(tmp_path, "a;b\n1,234;3%\n"), kinds=again.kinds_)
    assert cells(new, "a") == [1.234] and cells(new, "b") == [3]
    np.testing.assert_allclose(again.transform(new)["numeric"], preprocessor.transform(train)["numeric"][:1] * [[1, 0]] + (
        again.transform(new)["numeric"] * [[0, 1]]
    ), rtol=1e-6)  # fmt: skip
    with pytest.raises(TableError, match=r"line 2: expected a number in column 'a', got 'oops'.*--na-values"):
        read_table(_write(tmp_path, "a;b\noops;3%\n"), kinds=again.kinds_)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(-(10**9), 10**9),
    st.integers(0, 2),
    st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (".", "")]),
)
def test_numbers_come_back_from_every_style(whole: int, digits: int, signs: tuple[str, str]) -> None:
    decimal, thousands = signs
    value = whole / 10**digits
    text = f"{value:,.{digits}f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
    assert parse_number(text, NumberStyle(decimal, thousands)) == pytest.approx(value)


# ---------------------------------------------------------------- labels


def _write(tmp_path: Path, text: str, name: str = "new.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "labels",
    [
        ["1001234567890123457", "1001234567890123459"],
        ["007", "042"],
        [str(2**53 + 1), str(2**53 + 3)],
        ["1.0", "2.0"],
        ["$1,000", "$2,000"],
        ["+1", "-1"],
        ["123456789012345678901234567890", "123456789012345678901234567891"],
        ["none", "mild", "severe"],
        ["NA", "EU"],
        ["null", "x"],
    ],
)
def test_labels_come_back_as_they_are_written(tmp_path: Path, labels: list[str]) -> None:
    rows = [labels[i % len(labels)] for i in range(40)]
    text = "i;a;y\n" + "".join(f"r{i % 5};{i / 8};{label}\n" for i, label in enumerate(rows))
    table = read(tmp_path, text)
    preprocessor = TablePreprocessor("y").fit(table)
    assert preprocessor.task_ == "classification" and preprocessor.classes_ is not None
    again = TablePreprocessor.from_config(json.loads(json.dumps(preprocessor.to_config())))
    for fitted in (preprocessor, again):
        codes, kept = fitted.transform_target(table)
        assert len(kept) == 40 and [str(label) for label in fitted.inverse_target(codes).tolist()] == rows
    new = read_table(tmp_path / "data.csv", kinds=again.kinds_)
    assert [str(label) for label in again.inverse_target(again.transform_target(new)[0])] == rows


def test_labels_of_dataframes_keep_their_digits() -> None:
    large = [2**53 + 1, 2**53 + 3] * 10
    for values in (large, pd.array([*large[:-1], None], dtype="Int64")):
        table = Table.from_dataframe(pd.DataFrame({"x": np.arange(20.0), "y": values}))
        preprocessor = TablePreprocessor("y", task="classification").fit(table)
        assert preprocessor.classes_ is not None and preprocessor.classes_.classes.tolist() == large[:2]
    assert ClassLabels.fit(np.array(large)).classes.tolist() == large[:2]


def test_labels_in_another_spelling_are_known(tmp_path: Path) -> None:
    train = read(tmp_path, "a,y\n" + "".join(f"{i},{'True' if i % 3 else 'False'}\n" for i in range(30)))
    preprocessor = TablePreprocessor("y").fit(train)
    for spelled in (["true", "false"], ["1", "0"], ["YES", "no"]):
        new = read(tmp_path, "a,y\n1," + spelled[0] + "\n2," + spelled[1] + "\n")
        assert preprocessor.inverse_target(preprocessor.transform_target(new)[0]).tolist() == ["True", "False"]
    codes = TablePreprocessor("y").fit(read(tmp_path, "a,y\n" + "1,007\n2,042\n" * 9))
    assert codes.inverse_target(codes.transform_target(read(tmp_path, "a,y\n1,7\n2,42\n"))[0]).tolist() == ["007", "042"]
    with pytest.raises(DataError, match=r"labels that were not there in training: '8', the first at row 1"):
        codes.transform_target(read(tmp_path, "a,y\n1,7\n2,8\n"))


def test_words_for_missing_are_classes_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    rows = ["none", "mild", "severe", ""] * 10
    text = "a,b,y\n" + "".join(f"{i},{i % 7},{word}\n" for i, word in enumerate(rows))
    preprocessor = TablePreprocessor("y").fit(read(tmp_path, text))
    assert preprocessor.classes_ is not None and preprocessor.classes_.classes.tolist() == ["mild", "none", "severe"]
    assert "10 rows have no target 'y': left out." in preprocessor.notes_
    assert any("'none' in the target is taken for a class (10 rows)" in note for note in preprocessor.notes_)
    said = text.replace("3,3,", "none,3,")  # a number of another column is "none" as well
    preprocessor = TablePreprocessor("y").fit(read(tmp_path, said))
    assert preprocessor.classes_ is not None and preprocessor.classes_.classes.tolist() == ["mild", "severe"]
    assert any(note.startswith("20 rows have no target 'y' ('none': 10, empty: 10)") for note in preprocessor.notes_)
    preprocessor = TablePreprocessor("y").fit(read(tmp_path, text, na_values=["none"]))
    assert preprocessor.classes_ is not None and preprocessor.classes_.classes.tolist() == ["mild", "severe"]
    numbers = TablePreprocessor("b").fit(read(tmp_path, text.replace(",6,", ",NA,")))
    assert any("no target 'b' ('NA': 5)" in note for note in numbers.notes_)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            [f"{i / 7:.3f}" for i in range(60)] + ["n.v.", "about 7"] * 10,
            r"'y' holds numbers, but 20 of 80 cells.*'n.v.' \(10 times",
        ),
        (["1", "2", "3", "4"] * 19 + ["n.v."] * 4, r"'y' holds numbers, but 4 of 80 cells are none: 'n.v.' \(4 times\)"),
        ([f"word {i}" for i in range(70)] + ["a", "b"] * 5, "72 classes in 80 rows, 70 of them in a single row"),
        ([f"2024-01-{1 + i % 28:02d}" for i in range(80)], "holds dates"),
    ],
)
def test_targets_that_are_no_classes(tmp_path: Path, targets: list[str], message: str) -> None:
    table = read(tmp_path, "a;y\n" + "".join(f"{i / 3};{target}\n" for i, target in enumerate(targets)))
    with pytest.raises(TableError, match=message):
        TablePreprocessor("y").fit(table)


def test_targets_of_codes_are_classes(tmp_path: Path) -> None:
    table = read(tmp_path, "a,y\n" + "".join(f"{i},{'1X2'[i % 3]}\n" for i in range(30)))
    assert TablePreprocessor("y").fit(table).task_ == "classification"


# ---------------------------------------------------------------- booleans, categories, unknown values


def test_booleans_are_one_thing_in_every_spelling(tmp_path: Path) -> None:
    train = read(tmp_path, "a,b,y\n" + "".join(f"{i % 2 == 0},{i % 2},{i / 7}\n" for i in range(20)))
    preprocessor = TablePreprocessor("y").fit(train)
    expected = preprocessor.transform(train.take(np.array([0, 1])))["numeric"]
    again = TablePreprocessor.from_config(json.loads(json.dumps(preprocessor.to_config())))
    for yes, no in (("true", "false"), ("1", "0"), ("Yes", "NO"), ("T", "F"), ("on", "off")):
        path = _write(tmp_path, f"a,b\n{yes},{no}\n{no},{yes}\n")
        np.testing.assert_array_equal(again.transform(read_table(path, kinds=again.kinds_))["numeric"], expected)
    frame = pd.DataFrame({"a": [True, False], "b": [False, True]})
    np.testing.assert_array_equal(again.transform(Table.from_dataframe(frame))["numeric"], expected)
    mixed = read(tmp_path, "a,y\n" + "True,1.5\ntrue,2.5\nFALSE,3.5\nfalse,4\nno,5\ntrue,6\n")
    assert TablePreprocessor("y").fit(mixed).numeric_names_ == ["a=FALSE", "a=true"]  # of equally frequent ones the first
    assert not are_booleans(["t", "n"]) and not are_booleans(["yes"]) and not are_booleans(["f", "m"])


def test_a_column_of_unknown_values_is_reported(tmp_path: Path) -> None:
    train = read(tmp_path, "a,b,y\n" + "".join(f"{'uv'[i % 2]},{i},{i / 7}\n" for i in range(20)))
    preprocessor = TablePreprocessor("y").fit(train)
    assert preprocessor.unknown_values(train) == {}
    new = read(tmp_path, "a,b\nw,1\nu,2\nw,3\nz,4\n")
    ((name, found),) = preprocessor.unknown_values(new).items()
    assert name == "a" and found.share == 0.75 and found.examples == ["w", "z"]
    with pytest.warns(UnknownValuesWarning, match=r"75% of the values of 'a' were not there in training, such as 'w', 'z'"):
        preprocessor.transform(new)
    with pytest.warns(UnknownValuesWarning, match=r"'b' is empty in every row"):
        preprocessor.transform(read(tmp_path, "a,b\nu,\nv,\n"))


def test_texts_that_hardly_repeat_are_left_out_with_the_evidence(tmp_path: Path) -> None:
    names = [f"name {i // 2 if i < 12 else i}" for i in range(60)]
    towns = [f"town {i % 20}" if i < 55 else f"village {i}" for i in range(60)]
    text = "name,town,y\n" + "".join(f"{n},{t},{i / 7}\n" for i, (n, t) in enumerate(zip(names, towns, strict=True)))
    preprocessor = TablePreprocessor("y").fit(read(tmp_path, text))
    assert [encoder.name for encoder in preprocessor.encoders_] == ["town"]
    assert any(
        "'name' has 54 different texts in 60 rows, 48 of them once, so about 80% of new rows" in n
        for n in preprocessor.notes_
    )
    kept = TablePreprocessor("y", keep=["name"]).fit(read(tmp_path, text))
    assert [encoder.name for encoder in kept.encoders_] == ["name", "town"]
    codes = preprocessor.transform(read(tmp_path, text))["categories"][0][1]
    assert (codes[55:] == 0).all() and (codes[:55] > 0).all()  # what is there once trains the vector of the unknown


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["2024-03-01", "2024-02-29"], "2024-03-01"),
        (["2024-03-01T12:30:05.25", "2024-02-29T00:00:00"], "2024-03-01T12:30:05.25"),
        (["2024-03-01 12:30+02:00", "2024-02-29 00:00-05:30"], "2024-03-01T10:30"),
        (["2024-03-01T12:30:00Z", "2024-02-29T00:00:00Z"], "2024-03-01T12:30"),
        (["2024/3/1", "2024/12/31"], "2024-03-01"),
        (["01.03.2024", "31.12.2023"], "2024-03-01"),
        (["1/3/2024", "31/12/2023"], "2024-03-01"),
        (["3/1/2024", "12/31/2023"], "2024-03-01"),
        (["3/1/24 3:05 PM", "12/31/99 12:00 am"], "2024-03-01T15:05"),
        (["1 March 2024", "31 Dec 2023"], "2024-03-01"),
        (["Mar 1, 2024", "Dec 31, 2023"], "2024-03-01"),
        (["Fri, 01 Mar 2024 12:00:00 GMT", "Sun, 31 Dec 2023 00:00:00 GMT"], "2024-03-01T12:00"),
        (["01/Mar/2024:12:00:00 +0100", "31/Dec/2023:00:00:00 +0100"], "2024-03-01T11:00"),
        (["2024-03", "2023-12"], "2024-03-01"),
        (["12:30", "23:59:30"], "1970-01-01T12:30"),
    ],
)
def test_dates_of_many_kinds(tmp_path: Path, texts: list[str], first: str) -> None:
    table = read(tmp_path, column(*texts, ""))
    assert table.column("x").kind == "datetime"
    assert table.column("x").values[0] == np.datetime64(first) and table.column("x").is_missing.tolist() == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    "texts", [["2024-02-30", "2024-13-01"], ["32/01/2024", "01/32/2024"], ["v1.2.2024b", "x"], ["25:61", "99:99"]]
)
def test_texts_that_are_no_dates(tmp_path: Path, texts: list[str]) -> None:
    assert read(tmp_path, column(*texts)).column("x").kind == "categorical"


def test_days_and_months_are_told_apart_by_all_cells(tmp_path: Path) -> None:
    day_first = read(tmp_path, column("03/04/2024", "05/06/2024", "25/06/2024"))
    assert day_first.column("x").values[0] == np.datetime64("2024-04-03")
    assert any("the day first ('0" in note and "--day-first" in note for note in day_first.notes)
    assert read(tmp_path, column("03/04/2024", "06/25/2024")).column("x").values[0] == np.datetime64("2024-03-04")
    other = read(tmp_path, "x,z\n03/04/2024,25/12/2023\n01/02/2024,26/12/2023\n")  # another column of the file tells
    assert other.column("x").values[0] == np.datetime64("2024-04-03")
    ordered = read(tmp_path, column("01/02/2024", "02/02/2024", "03/02/2024", "01/03/2024"))  # only so the rows ascend
    assert ordered.column("x").values[0] == np.datetime64("2024-02-01")
    open_ = column("03/04/2024", "05/06/2024", "01/02/2024")
    guessed = read(tmp_path, open_)
    assert guessed.column("x").values[0] == np.datetime64("2024-03-04")
    assert any("though no cell says so" in note for note in guessed.notes)
    assert read(tmp_path, open_, day_first=True).column("x").values[0] == np.datetime64("2024-04-03")


def test_time_stamps(tmp_path: Path) -> None:
    seconds = 1_700_000_000
    for unit, name in ((1, "created_at"), (1000, "Timestamp"), (10**6, "eventTime"), (10**9, "ts")):
        table = read(tmp_path, column(*[str((seconds + 3600 * i) * unit) for i in range(5)], name=name))
        assert table.column(name).values[0] == np.datetime64(seconds, "s"), name
        assert any("since 1970" in note for note in table.notes)
    assert read(tmp_path, column(str(seconds), str(seconds + 1), name="phone")).column("phone").kind == "numeric"
    compact = read(tmp_path, column(*[f"202401{d:02d}" for d in range(1, 9)]))
    assert compact.column("x").values[7] == np.datetime64("2024-01-08")


def _series(tmp_path: Path, form: str, n: int = 1200) -> Table:
    start = datetime.datetime(2019, 1, 1)
    moments = [start + datetime.timedelta(hours=13 * i) for i in range(n)]
    return read(tmp_path, "t;y\n" + "".join(f"{m.strftime(form)};{i / 9}\n" for i, m in enumerate(moments)))


def test_dates_become_a_trend_and_cycles(tmp_path: Path) -> None:
    table = _series(tmp_path, "%d.%m.%Y %H:%M")
    preprocessor = TablePreprocessor("y").fit(table)
    waves = [f"t {wave} of {cycle}" for cycle in ("day", "week", "month") for wave in ("sine", "cosine")]
    assert preprocessor.numeric_names_ == ["t", *waves]  # less than two years: a year was not seen twice
    numeric = preprocessor.transform(table)["numeric"]
    assert np.corrcoef(numeric[:, 0], preprocessor.transform_target(table)[0])[0, 1] > 0.999999
    np.testing.assert_allclose(numeric[:, 1::2] ** 2 + numeric[:, 2::2] ** 2, 1, rtol=1e-5)
    np.testing.assert_allclose(numeric[24, 1], np.sin(2 * np.pi * ((13 * 24) % 24) / 24), atol=1e-6)
    again = TablePreprocessor.from_config(json.loads(json.dumps(preprocessor.to_config())))
    assert again.to_config() == preprocessor.to_config()
    assert "trend" in again.encoders_[0].describe() and "day, week, month" in again.encoders_[0].describe()
    new = read_table(_write(tmp_path, "t\n03.04.2021 05:00\n"), kinds=again.kinds_)  # the order is that of training
    assert new.column("t").values[0] == np.datetime64("2021-04-03T05:00")
    frame = Table.from_dataframe(pd.DataFrame({"t": pd.to_datetime(["2021-04-03 07:00"]).tz_localize("Europe/Berlin")}))
    np.testing.assert_array_equal(again.transform(frame)["numeric"], again.transform(new)["numeric"])
    texts = Table.from_dataframe(pd.DataFrame({"t": ["03.04.2021 05:00"]}))
    np.testing.assert_array_equal(again.transform(texts)["numeric"], again.transform(new)["numeric"])
    with pytest.raises(TableError, match=r"column 't', row 0 .*expected a date, as in training, got 'soon'"):
        again.transform(Table.from_dataframe(pd.DataFrame({"t": ["soon"]})))
    with pytest.raises(TableError, match="line 2: expected a date in column 't', got 'soon'"):
        read_table(_write(tmp_path, "t\nsoon\n"), kinds=again.kinds_)


def test_dates_of_old_models_stay_categories(tmp_path: Path) -> None:
    table = read(tmp_path, "t,y\n2024-01-01,1.5\n2024-01-02,2.5\n2024-01-01,2\n", kinds={"t": "categorical"})
    config = TablePreprocessor("y").fit(table).to_config()
    old = {**config, "version": 1}
    del old["formats"], old["keep"]
    again = TablePreprocessor.from_config(old)
    new = read_table(_write(tmp_path, "t\n2024-01-02\n"), kinds=again.kinds_)
    assert again.transform(new)["numeric"].tolist() == [[0, 1]]


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)))
def test_dates_come_back_from_every_order(moment: datetime.datetime) -> None:
    for form, order in (
        ("%Y-%m-%dT%H:%M:%S.%f", "ymd"),
        ("%d.%m.%Y %H:%M:%S.%f", "dmy"),
        ("%m/%d/%Y %I:%M:%S.%f %p", "mdy"),
    ):
        found, others = parse_dates([moment.strftime(form)], order)  # type: ignore[arg-type]
        assert not others and found[0] == np.datetime64(moment)


# ---------------------------------------------------------------- layouts


@pytest.mark.parametrize(
    ("text", "names", "first", "note"),
    [
        ("sep=;\na;b\n1;x\n", ["a", "b"], [1, "x"], ""),
        ('"sep=|"\na|b\n1|x\n', ["a", "b"], [1, "x"], ""),
        ("# made by hand\n# in May\na,b\n1,x\n", ["a", "b"], [1, "x"], "2 lines of comments above"),
        ("# made, by hand\na,b\n1,x\n# end\n", ["a", "b"], [1, "x"], "1 line of comments among the rows"),
        ("# a b\n1.5 2\n3 4\n5 6\n", ["a", "b"], [1.5, 2], "names are taken from the line '# a b'"),
        ("#a,b\nu,v\nw,x\n", ["a", "b"], ["u", "v"], "names are taken from the line"),
        ("#c,d\na,b\nu,1\nw,2\n", ["a", "b"], ["u", 1], "1 line of comments above"),
        ("#a,b\n1,2\n3,4\n", ["a", "b"], [1, 2], "names are taken from the line"),
        ("a  b   c\n1   2 x\n 3 4   y\n5 6 z\n", ["a", "b", "c"], [1, 2, "x"], "parted by spaces"),
        ("a b\n1\t2\n3  4\n5 6\n", ["a", "b"], [1, 2], "parted by spaces"),
        (
            "Sales of 2024\n\na,b\n1,x\n2,y\n3,z\n",
            ["a", "b"],
            [1, "x"],
            "1 line above the header passed over: 'Sales of 2024'",
        ),
        ("a,b\nkm,kg\n1,2\n3,4\n5,6\n", ["a", "b"], [1, 2], "seems, units: 'km', 'kg'"),
        ("x,x\nmean,std\n1,2\n3,4\n5,6\n", ["x mean", "x std"], [1, 2], "header has two lines"),
        ("a,b,a,a\n1,2,3,4\n", ["a", "b", "a_2", "a_3"], [1, 2, 3, 4], "2 column names repeated"),
        ("a,a,a_2\n1,2,3\n", ["a", "a_3", "a_2"], [1, 2, 3], "1 column name repeated"),
        ("a,b,\n1,x,\n2,y,\n", ["a", "b"], [1, "x"], "ends in a delimiter"),
        ("a,b\n1,x,\n2,y,\n", ["a", "b"], [1, "x"], "ends in a delimiter"),
        ("a,b\nr1,1,x\nr2,2,y\n", ["row_name", "a", "b"], ["r1", 1, "x"], "one field more than the header"),
        ("text\nhello, you\nbye\n", ["text"], ["hello, you"], ""),
        ("x\n1,5\n2,75\n", ["x"], [1.5], "Decimal comma"),
        ("a;b\r1;x\r2;y\r", ["a", "b"], [1, "x"], ""),
    ],
)
def test_layouts(tmp_path: Path, text: str, names: list[str], first: list[Any], note: str) -> None:
    table = read(tmp_path, text)
    assert table.names == names
    assert [cells(table, name)[0] for name in names] == first
    assert note in " ".join(table.notes)


def test_lines_are_counted_below_what_is_passed_over(tmp_path: Path) -> None:
    text = "# c\nsome title\n\na,b\n1,2\n\n# c\n3,4\n5,x\n6,y\n"
    with pytest.raises(TableError, match="line 9: expected a number in column 'b', got 'x'"):
        read(tmp_path, text, kinds={"b": "numeric"})
    with pytest.raises(TableError, match=r"line 4: expected 2 fields.*--delimiter"):
        read(tmp_path, "# c\na,b\n1,2\n1,2,3\n5,6\n")


def test_files_without_names_of_columns(tmp_path: Path) -> None:
    text = "39, State-gov, 77516, Bachelors, 13\n50, Private, 83311, Masters, 14\n"
    with pytest.raises(TableError, match=r"line 1: expected a header line.*--no-header, in Python header=False"):
        read(tmp_path, text)
    for numbers in ("1,-1,155\n2,-1,160\n", "5.1,3.5,setosa\n4.9,3,setosa\n", "1,1\n2,2\n"):
        with pytest.raises(TableError, match="looks like data"):
            read(tmp_path, numbers)
    table = read(tmp_path, text, header=False)
    assert table.names == [f"column_{i}" for i in range(1, 6)] and cells(table, "column_1") == [39, 50]
    for years in ("country,2019,2020\nx,1,2\n", "country,2020,2019\nx,1,2\n", "0,1,2\n5,6,7\n"):
        assert len(read(tmp_path, years)) == 1
    with pytest.raises(TableError, match="line 3: expected a number in column 'column_2', got 'x'"):
        read(tmp_path, "1,2\n1,3\n1,x\n", header=False, kinds={"column_2": "numeric"})


def test_options_that_contradict(tmp_path: Path) -> None:
    for options in (
        {"decimal": ";"}, {"thousands": "x"}, {"decimal": ",", "thousands": ","}, {"na_values": "NA"}, {"delimiter": ";;"},
        {"encoding": "utf-9"}, {"max_memory": 0}, {"comment": "#", "delimiter": "#"},
    ):  # fmt: skip
        with pytest.raises(ParameterError):
            TableFormat(**options)  # type: ignore[arg-type]
    assert read(tmp_path, "a;b\n%x\n1;2\n", comment="%").names == ["a", "b"]
    assert ColumnFormat.from_config(ColumnFormat("numeric", ",", missing=("n.v.",)).to_config()).missing == ("n.v.",)


def test_encodings_are_found(tmp_path: Path) -> None:
    text = "name,x\nÅse,1\nJosé,2\n" + "plain,3\n" * 20
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"):
        table = read(tmp_path, text.encode(encoding))
        assert cells(table, "name")[:2] == ["Åse", "José"], encoding
    assert any("Windows-1252" in note and "'Åse'" in note and "--encoding" in note for note in table.notes)


def test_long_cells(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1," + "x" * 200_000 + "\n2,y\n")
    assert len(cells(table, "b")[0]) == 200_000


@pytest.mark.slow
def test_files_that_grow_when_decompressed_are_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 500_000)
    assert len(read(tmp_path, bomb, "data.csv.gz")) == 500_000
    with pytest.raises(TableError, match=r"refused.*2,000,004 bytes once it is decompressed.*--max-memory"):
        read(tmp_path, bomb, "data.csv.gz", max_memory=10**6)
    lying = bomb[:-4] + (10).to_bytes(4, "little")
    with pytest.raises(TableError, match=r"refused.*more than 1,000,000 bytes"):
        read(tmp_path, lying, "data.csv.gz", max_memory=10**6)
    with pytest.raises(TableError, match="refused"):
        read(tmp_path, "a,b\n" + "1,2\n" * 100, max_memory=100)
    assert len(read(tmp_path, gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"), "data.csv.gz")) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_refused_instead_of_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert stat.S_ISFIFO((tmp_path / "pipe.csv").stat().st_mode)
    with pytest.raises(TableError, match="this is a pipe"):
        read_table(tmp_path / "pipe.csv")


@pytest.mark.slow
def test_many_columns(tmp_path: Path) -> None:
    n = 20_000
    header = ",".join(f"c{i}" for i in range(n)) + ",y\n"
    table = read(tmp_path, header + "".join(",".join(["1.5"] * n) + f",{i % 2}\n" for i in range(3)))
    assert len(table.names) == n + 1
    repeated = read(tmp_path, ",".join(["same"] * n) + "\n" + ",".join(["1"] * n) + "\n")
    assert len(set(repeated.names)) == n and repeated.names[-1] == f"same_{n}"


# ---------------------------------------------------------------- whatever comes

_SEEDS = [
    "a,b,c,y\n" + "".join(f"{i},{i / 7:.3f},{'uvw'[i % 3]},{'yes' if i % 2 else 'no'}\n" for i in range(30)),
    "sep=;\n# note\nt;p;y\n" + "".join(f"{1 + i % 28:02d}.03.2024 10:00;1.{i:03d},5 €;{i / 3}\n" for i in range(30)),
    'x  y\n' + "".join(f"{i}  {i * i}\n" for i in range(30)),
    'name,"the, note",y,\n' + "".join(f'"n{i}","two\nlines ""q""",{"none" if i % 3 else "NA"},\n' for i in range(30)),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(len(_SEEDS)))
@pytest.mark.filterwarnings("ignore::chainrule.data.UnknownValuesWarning")
def test_no_damage_to_a_file_leads_to_another_error_than_ours(tmp_path: Path, seed: int) -> None:
    rng, good = np.random.default_rng(seed), _SEEDS[seed].encode()
    signs = [
        b",",
        b";",
        b'"',
        b"\n",
        b"\r",
        b"\0",
        b"#",
        b" ",
        b"-",
        b"\xff",
        b"9" * 400,
        b"1e999",
        b"\xe2\x88\x92",
        b"NA",
        b"99:99",
        b"_",
    ]
    outcomes = set()
    for _ in range(120):
        data = bytearray(good)
        for _ in range(int(rng.integers(1, 8))):
            at, n = int(rng.integers(len(data) + 1)), int(rng.integers(0, 6))
            data[at : at + n] = signs[int(rng.integers(len(signs)))] if rng.random() < 0.7 else rng.bytes(n)
        (tmp_path / "a.csv").write_bytes(bytes(data[: int(rng.integers(1, len(data) + 1))] if rng.random() < 0.2 else data))
        try:
            table = read_table(tmp_path / "a.csv")
            preprocessor = TablePreprocessor(table.names[-1]).fit(table)
            features, y = preprocessor.training_arrays(table)
            again = TablePreprocessor.from_config(json.loads(json.dumps(preprocessor.to_config(), allow_nan=False)))
            assert again.to_config() == preprocessor.to_config()
            assert np.isfinite(features["numeric"]).all() and len(y) == len(features["numeric"])
            again.transform(read_table(tmp_path / "a.csv", kinds=again.kinds_))
            outcomes.add("read")
        except ChainruleError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_long_names_and_long_cells_are_no_trouble(tmp_path: Path) -> None:
    for name in ("x" * 5000 + ".csv", "x" * 5000, "x" * 5000 + ".foo"):
        with pytest.raises(TableError):
            read_table(tmp_path / name)
    long = "1 " * 100_000 + "x"
    assert read(tmp_path, column(long, "1/" * 50_000, "1,5")).column("x").kind == "categorical"


# ---------------------------------------------------------------- kinds of mess that came up later


def rows_of(*texts: str) -> str:
    return "".join(text + "\n" for text in texts)


FORTY = [f"{i},{i % 3}" for i in range(40)]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["$(1,105.68)", "$12.50", "$3"], [-1105.68, 12.5, 3]),
        (["($ 1,105.68)", "$ 12.50", "$ 3"], [-1105.68, 12.5, 3]),
        (["\u2013105.68", "12.5", "3"], [-105.68, 12.5, 3]),
        (["\uff0d7", "\u20105.5", "3\u2013"], [-7, -5.5, -3]),
        (["Rs. 1,100.58", "Rs 2.5", "Fr. 3"], [1100.58, 2.5, 3]),
        (["1.5D+02", "-2D-1", "3"], [150, -0.2, 3]),
        (["\u200b5", "\ufeff6.5", "7\u200e"], [5, 6.5, 7]),
    ],
)
def test_further_ways_to_write_numbers(tmp_path: Path, texts: list[str], numbers: list[float]) -> None:
    assert cells(read(tmp_path, column(*texts)), "x") == pytest.approx(numbers)


def test_a_dash_or_a_letter_between_digits_makes_no_number() -> None:
    for text in ("5–10", "1D2", "3D", "D+2", "$(5", "($5", "2–"[:1] + "–3", "1 – 2"):
        assert not looks_like_number(text), text


@pytest.mark.parametrize("unit", ["kg", " kg", "°C", " m²", " km/h", " m2", "th", " µg/l"])
def test_numbers_with_one_unit_are_numbers(tmp_path: Path, unit: str) -> None:
    text = "i;x;y\n" + "".join(f"{i};{i},5{unit};{'ab'[i % 2]}\n" for i in range(30))
    table = read(tmp_path, text)
    assert cells(table, "x") == [i + 0.5 for i in range(30)]
    assert f"Column 'x' holds numbers with the unit '{unit.strip()}'." in table.notes
    assert table.column("x").written is not None and table.column("x").written[2] == f"2,5{unit}"
    kept = TablePreprocessor("y").fit(table).kinds_
    assert ColumnFormat.from_config(json.loads(json.dumps(kept["x"].to_config()))) == kept["x"]
    new = read(tmp_path, f"i;x;y\n1;1.234,5{unit};a\n2;7;b\n", kinds=kept)
    assert cells(new, "x") == [1234.5, 7]
    with pytest.raises(TableError, match="expected a number in column 'x', got '3 miles'"):
        read(tmp_path, "i;x;y\n1;3 miles;a\n", kinds=kept)


@pytest.mark.parametrize(
    "cell", [lambda i: f"{i} {'kg' if i % 2 else 'g'}", lambda i: f"{i} Main Street {i}", lambda i: f"{i % 4} rooms"]
)
def test_several_units_and_few_numbers_stay_texts(tmp_path: Path, cell: Any) -> None:
    table = read(tmp_path, "i,x\n" + rows_of(*(f"{i},{cell(i)}" for i in range(40))))
    assert table.column("x").kind == "categorical" and table.column("x").values[3] == cell(3)


def test_labels_with_a_unit_come_back_as_they_are_written(tmp_path: Path) -> None:
    table = read(tmp_path, "i,x\n" + rows_of(*(f"{i},{i % 18 + 1} stars" for i in range(180))))
    preprocessor = TablePreprocessor("x").fit(table)
    assert preprocessor.task_ == "classification"
    y, _ = preprocessor.transform_target(table)
    assert preprocessor.inverse_target(y).tolist() == [f"{i % 18 + 1} stars" for i in range(180)]


def test_what_keeps_excel_from_changing_cells(tmp_path: Path) -> None:
    table = read(tmp_path, 'i,x,y\n1,="007",="a"\n2,="010",b\n')
    assert cells(table, "x") == [7, 10] and table.column("x").written.tolist() == ["007", "010"]
    assert cells(table, "y") == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("i,'na me',y\n" + rows_of(*(f"{i},'a, b''s',x" for i in range(9))), "quoted by apostrophes"),
        ("i,na me,y\n" + rows_of(*(f'{i},"a, b\'s" ,x' for i in range(9))), "Spaces between a quote"),
    ],
)
def test_quotes_of_other_kinds(tmp_path: Path, text: str, note: str) -> None:
    table = read(tmp_path, text)
    assert table.names == ["i", "na me", "y"] and cells(table, "na me") == ["a, b's"] * 9
    assert note in " ".join(table.notes)


def test_backslashes_before_quotes(tmp_path: Path) -> None:
    table = read(tmp_path, "i,x,y\n" + rows_of(*(rf'{i},"say \"hi\", please",z' for i in range(9))))
    assert cells(table, "x") == ['say "hi", please'] * 9 and "backslash" in " ".join(table.notes)


def test_apostrophes_in_words_are_no_quotes(tmp_path: Path) -> None:
    table = read(tmp_path, "i,x\n" + rows_of(*(f"{i},rock 'n' roll" for i in range(9))))
    assert cells(table, "x") == ["rock 'n' roll"] * 9
    with pytest.raises(TableError, match="never closed"):
        read(tmp_path, 'i,x\n1,"a\n2,b\n')


@pytest.mark.parametrize(
    ("end", "note"),
    [
        ("\nSource: office of statistics\n", "1 line below the table passed over: 'Source: office of statistics'"),
        ("(1) estimated\nSource: ours\n\x1a", "2 lines below the table passed over: '(1) estimated'"),
        (",\n, \n", "2 rows without any value below the table"),
        ("\x1a", ""),
    ],
)
def test_what_stands_below_a_table(tmp_path: Path, end: str, note: str) -> None:
    table = read(tmp_path, "a,b\n" + rows_of(*FORTY) + end)
    assert table.n_rows == 40 and cells(table, "a")[-1] == 39 and note in " ".join(table.notes)


def test_a_row_that_was_cut_off_is_no_remark(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"line 42: expected 2 fields"):
        read(tmp_path, "a,b\n" + rows_of(*FORTY) + "40")
    with pytest.raises(TableError, match=r"expected 2 fields"):
        read(tmp_path, "a,b\n1,2\nno row at all\n" + rows_of(*FORTY))


@pytest.mark.parametrize("delimiter", ["~", "^", "\x1f", "\x01"])
def test_rare_delimiters(tmp_path: Path, delimiter: str) -> None:
    table = read(tmp_path, delimiter.join("abc") + "\n" + rows_of(*(delimiter.join([str(i), "x", "2.5"]) for i in range(9))))
    assert table.names == ["a", "b", "c"] and cells(table, "c") == [2.5] * 9


def test_quarters_and_weeks(tmp_path: Path) -> None:
    table = read(tmp_path, "q,w,v\n2023Q4,2024-W01,Q1 2024\n2024 Q1,2024W02-3,Q2/2024\n2024-Q2,2020-W53,Q3 2024\n")
    assert [str(v)[:10] for v in table.column("q").values] == ["2023-10-01", "2024-01-01", "2024-04-01"]
    assert [str(v)[:10] for v in table.column("w").values] == ["2024-01-01", "2024-01-10", "2020-12-28"]
    assert [str(v)[:10] for v in table.column("v").values] == ["2024-01-01", "2024-04-01", "2024-07-01"]
    assert parse_dates(["2023-W53"], "ymd")[1] == {"2023-W53": 1}


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1251", ["Москва", "Новосибирск", "Екатеринбург", "Казань"]),
        ("shift_jis", ["東京", "大阪", "名古屋"]),
        ("gb18030", ["北京", "上海", "广州"]),
    ],
)
def test_other_alphabets_are_found_out_and_shown(tmp_path: Path, encoding: str, words: list[str]) -> None:
    pytest.importorskip("charset_normalizer")
    text = "i;x\n" + rows_of(*(f"{i};{words[i % len(words)]}" for i in range(60)))
    table = read(tmp_path, text.encode(encoding))
    assert cells(table, "x")[: len(words)] == words and words[0] in " ".join(table.notes)


def test_accents_of_unknown_encodings_are_not_guessed(tmp_path: Path) -> None:
    words = ["Plzeň", "Děčín", "Ústí nad Labem", "Žďár"]
    text = "i;x\n" + rows_of(*(f"{i};{words[i % 4]}" for i in range(60)))
    for encoding in ("cp1250", "cp852"):
        try:
            table = read(tmp_path, text.encode(encoding))
        except TableError as error:
            assert "--encoding" in str(error)
        else:
            assert "--encoding" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("cells_", "expected"),
    [
        (["1. März 2024", "24. Dez. 2023", "Montag, 5. Januar 2024"], ["2024-03-01", "2023-12-24", "2024-01-05"]),
        (["1er août 2023", "15 déc. 2023", "lundi 5 février 2024"], ["2023-08-01", "2023-12-15", "2024-02-05"]),
        (["5 de enero de 2024", "3 sept. 2023", "miércoles 7 agosto 2024"], ["2024-01-05", "2023-09-03", "2024-08-07"]),
        (["5 gennaio 2024", "6 sett. 2023", "lunedì 8 luglio 2024"], ["2024-01-05", "2023-09-06", "2024-07-08"]),
        (["1º de março de 2024", "segunda-feira, 8 de janeiro de 2024"], ["2024-03-01", "2024-01-08"]),
        (["12 mei 2024", "3 mrt. 2024", "vrijdag 9 augustus 2024"], ["2024-05-12", "2024-03-03", "2024-08-09"]),
        (["mai 2024", "décembre 2023", "marzo de 2024"], ["2024-05-01", "2023-12-01", "2024-03-01"]),
    ],
)
def test_names_of_months_in_seven_languages(tmp_path: Path, cells_: list[str], expected: list[str]) -> None:
    found, others = parse_dates(cells_, "dmy")
    assert [str(day)[:10] for day in found] == expected and not others
    table = read(tmp_path, column(*cells_, *cells_))
    assert table.column("x").kind == "datetime"


@pytest.mark.parametrize("text", ["Mars Rover 2024", "3 a 2024", "32 mai 2024", "mai", "so 5", "5 outer 2024", "may 5"])
def test_what_only_looks_like_the_name_of_a_month(text: str) -> None:
    assert np.isnat(parse_dates([text], "dmy")[0]).all()


@pytest.mark.parametrize(
    ("usual", "number", "told"),
    [
        ([20.5, 21, 19, 22.5, 18, 25], -999, True),
        ([20.5, 21, 19, 22.5, 18, 25], 9999, True),
        (list(range(30)), -1, True),
        (list(range(950, 1040)), 999, False),
        ([0, 1, 0, 1, 1, 0], -1, False),
        ([-300, 200, 1500, -800, 700], -999, False),
        ([-5, 4, 3, -7, 12, 10], -1, False),
    ],
)
def test_numbers_that_seem_to_stand_for_missing_values_are_reported(
    tmp_path: Path, usual: list[float], number: int, told: bool
) -> None:
    texts = [f"{value:g}" for value in usual] + [str(number)] * 2
    table = read(tmp_path, column(*texts))
    assert cells(table, "x")[-1] == number  # it stays a number until the user says otherwise
    notes = [note for note in table.notes if "na_values" in note]
    assert len(notes) == told and all(f"holds {number} in 2 of" in note for note in notes)
    again = read(tmp_path, column(*texts), na_values=(str(number),))
    assert cells(again, "x")[-1] is None and not [note for note in again.notes if "stands for" in note]


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
@pytest.mark.parametrize(
    "words",
    [["café", "théâtre à Genève", "Évry", "forêt"], ["Straße", "München", "Ärzte", "größer"], ["niño", "España", "¿qué?"]],
    ids=["French", "German", "Spanish"],
)
def test_western_encodings_of_other_systems(tmp_path: Path, words: list[str], encoding: str) -> None:
    text = "place,x\n" + "".join(f"{word},{i}\n" for i, word in enumerate(words)) + "plain,9\n" * 8
    table = read(tmp_path, text.encode(encoding))
    assert cells(table, "place")[: len(words)] == words
    assert any({"cp1252": "Windows-1252", "mac_roman": "Mac Roman"}[encoding] in note for note in table.notes)


def test_underscores_part_thousands(tmp_path: Path) -> None:
    table = read(tmp_path, column("1_000", "12_500.5", "3", "1_000_000"))
    assert cells(table, "x") == [1000.0, 12500.5, 3.0, 1_000_000.0]
