"""Tables that are read in chunks give what they give when they are read at once."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.cli.main import main
from chainrule.data import Table, TablePreprocessor, read_table
from chainrule.data import table_files as module
from chainrule.data.stored_rows import RowStore
from chainrule.data.table_files import TableFiles, table_paths
from chainrule.data.table_statistics import TableStatistics
from chainrule.errors import DataError, TableError
from chainrule.tasks import TableSettings
from chainrule.tasks.scores import Prediction, Tally, score_classes, score_numbers
from chainrule.tasks.tables import TASK


def rows_of(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(n):
        age, town = rng.uniform(18, 80), ["Rome, Italy", 'The "Hague"', "New\nYork"][int(rng.integers(3))]
        text = town.replace('"', '""')
        shop, day = int(rng.integers(40)), 1 + i % 28
        lines.append(
            f'{"" if i % 20 == 3 else round(age, 2)},"{text}",shop {shop:02d},2023-{1 + i % 12:02d}-{day:02d},'
            f"{'yes' if age > 50 else 'no'}"
        )
    return lines


HEADER = "age,town,shop,day,bought"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("large")
    lines = rows_of(600)
    (place / "whole.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (place / "many").mkdir()
    for i in range(3):
        (place / "many" / f"{i}.csv").write_text(
            "\n".join([HEADER, *lines[200 * i : 200 * i + 200]]) + "\n", encoding="utf-8"
        )
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    settings = TableSettings(data=folder / "many" / "*.csv", target="bought", hidden=(16,), epochs=25, learning_rate=0.02)
    return TASK.prepare(TASK.read(settings), settings).train().model


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LETTERS", 700)
    monkeypatch.setattr(module, "_ROWS", 50)


def same(found: Any, expected: Any) -> None:
    """Whether two configurations are equal but for the last digits of numbers."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-9, abs=1e-12) if isinstance(expected, float) else expected)


# ---------------------------------------------------------------- reading


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quotes.csv", "\n".join([HEADER, *rows_of(240)]) + "\n"),
        ("windows.csv", "\r\n".join(["a,b", *(f"{i},text {i % 7}" for i in range(300))])),
        ("inches.csv", "size,kind\n" + "".join(f'{i} {i}" pipe,{"xy"[i % 2]}\n' for i in range(200))),
        ("decimal.csv", "a;b\n" + "".join(f"{i},5;{i * 1000:,}\n".replace(",", ".", 0) for i in range(200))),
        ("comments.csv", "# made by hand\nsize,kind\n" + "".join(f"{i},x\n# {i}\n\n" for i in range(150))),
        ("spaces.txt", "a b c\n" + "".join(f"  {i}   {i * 0.5} {i % 3}\n" for i in range(200))),
        ("ends.csv", "a,b,\n" + "".join(f"{i},{i % 5},\n" for i in range(200))),
        ("latin.csv", "a,b\n" + "".join(f"{i},Zürich {i % 3}\n" for i in range(200))),
    ],
)
def test_chunks_are_the_table_that_is_read_at_once(tmp_path: Path, name: str, text: str) -> None:
    place = tmp_path / name
    place.write_bytes(text.encode("cp1252" if name == "latin.csv" else "utf-8"))
    whole = read_table(place)
    chunks = list(TableFiles([place]).chunks())
    assert len(chunks) > 1
    joined = Table.joined([chunk.table for chunk in chunks])
    assert joined.names == whole.names and joined.n_rows == whole.n_rows
    for column in whole.names:
        np.testing.assert_array_equal(joined.column(column).values, whole.column(column).values)
    zipped = tmp_path / f"{name}.gz"
    zipped.write_bytes(gzip.compress(place.read_bytes()))
    assert sum(chunk.table.n_rows for chunk in TableFiles([zipped]).chunks()) == whole.n_rows


@pytest.mark.usefixtures("small_chunks")
def test_parquet_in_chunks(folder: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_csv(folder / "whole.csv", parse_dates=["day"])
    frame["count"] = pandas.array([None if i % 9 == 0 else i for i in range(len(frame))], dtype="Int64")
    frame.to_parquet(tmp_path / "a.parquet")
    whole = read_table(tmp_path / "a.parquet")
    joined = Table.joined([chunk.table for chunk in TableFiles([tmp_path / "a.parquet"]).chunks()])
    for column in whole.names:
        np.testing.assert_array_equal(joined.column(column).values, whole.column(column).values)
        assert joined.column(column).kind == whole.column(column).kind


def test_patterns_and_folders(folder: Path) -> None:
    names = [path.name for path in table_paths(folder / "many" / "[01].csv") or []]
    assert names == ["0.csv", "1.csv"] and len(table_paths(folder / "many") or []) == 3
    assert table_paths(folder / "whole.csv") is None
    with pytest.raises(TableError, match="no file has such a name"):
        table_paths(folder / "*.parquet")


@pytest.mark.usefixtures("small_chunks")
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, folder: Path) -> None:
    def read(*paths: Path) -> None:
        for _ in TableFiles(paths).chunks():
            pass

    good = folder / "many" / "0.csv"
    (tmp_path / "other.csv").write_text("age,town,shop,day,sold\n1,a,b,2023-01-01,yes\n")
    with pytest.raises(TableError, match=r"other.csv has other columns .* lacks 'bought' and has 'sold'"):
        read(good, tmp_path / "other.csv")
    (tmp_path / "cut.csv").write_text("a,b\n" + "1,2\n" * 500 + "3\n")
    with pytest.raises(TableError, match=r"line 502: expected 2 fields"):
        read(tmp_path / "cut.csv")
    (tmp_path / "word.csv").write_text("a,b\n" + "1,2\n" * 300 + "x,2\n" * 200)
    with pytest.raises(TableError, match=r"line 3\d\d: expected a number in column 'a', got 'x'"):
        read(tmp_path / "word.csv")
    (tmp_path / "quote.csv").write_text('a,b\n1,"2\n' + "1,2\n" * 400)
    with pytest.raises(TableError, match="never closed"):
        read(tmp_path / "quote.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(TableError, match="empty"):
        read(tmp_path / "empty.csv")
    half = gzip.compress(("a,b\n" + "".join(f"{i},{i * 7 % 11}\n" for i in range(5000))).encode())[:-2000]
    (tmp_path / "half.csv.gz").write_bytes(half)
    with pytest.raises(TableError, match="damaged"):
        read(tmp_path / "half.csv.gz")
    with pytest.raises(TableError, match="endings csv, parquet"):
        read(good, tmp_path / "a.parquet")
    pytest.importorskip("pyarrow")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    with pytest.raises(TableError, match="damaged"):
        read(tmp_path / "bad.parquet")


@pytest.mark.usefixtures("small_chunks")
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "a.csv"
    place.write_text("a,b\n" + "1,2\n" * 1000)
    chunks = TableFiles([place]).chunks()
    next(chunks)
    with place.open("a") as file:
        file.write("3,4\n")
    with pytest.raises(TableError, match="has changed while it was read"):
        list(chunks)


# ---------------------------------------------------------------- learning the preprocessing


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from(["text", "number", "few", "truth"]))
def test_the_preprocessing_is_that_of_all_rows_at_once(seed: int, chunks: int, target: str) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 120))
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, n).astype("timedelta64[D]")
    columns: dict[str, Any] = {
        "x": [None if rng.random() < 0.1 else float(v) for v in rng.normal(1e6, 3, n)],
        "huge": (rng.normal(size=n) * 1e200).tolist(),
        "same": [7.0] * n,
        "flag": [bool(v) for v in rng.integers(0, 2, n)],
        "zero or one": rng.integers(0, 2, n).tolist(),
        "colour": [["red", "blue", None][int(v)] for v in rng.integers(0, 3, n)],
        "shop": [f"shop {int(v)}" for v in rng.integers(0, 30, n)],
        "id": [f"u{i}" for i in range(n)],
        "day": days.astype(object).tolist(),
        "none": [None] * n,
        "y": {
            "text": [["a", "b", "c"][int(v)] for v in rng.integers(0, 3, n)],
            "number": rng.normal(5, 2, n).tolist(),
            "few": rng.integers(0, 3, n).tolist(),
            "truth": [bool(v) for v in rng.integers(0, 2, n)],
        }[target],
    }
    whole = Table.from_columns(columns)
    expected = TablePreprocessor("y").fit(whole)
    statistics = TableStatistics("y")
    for rows in np.array_split(np.arange(n), chunks):
        statistics.update(whole.take(rows))
    found = statistics.preprocessor()
    same(found.to_config(), expected.to_config())
    np.testing.assert_allclose(found.transform(whole)["numeric"], expected.transform(whole)["numeric"], rtol=1e-4, atol=1e-5)


def test_texts_beyond_counting_are_forgotten_and_the_frequent_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.data.table_statistics._MOST_TEXTS", 100)
    statistics = TableStatistics("y", keep=["word"])
    for chunk in range(20):
        words = [f"often {i % 20}" for i in range(100)] + [f"once {chunk}-{i}" for i in range(50)]
        statistics.update(Table.from_columns({"word": words, "x": list(range(150)), "y": ["a", "b", "c"] * 50}))
    word = next(e for e in statistics.preprocessor().encoders_ if e.name == "word")
    assert set(word.categories) >= {f"often {i}" for i in range(20)} and len(word.categories) < 300  # type: ignore[union-attr]


def test_a_target_that_cannot_be_learned() -> None:
    for values, pattern in (([1.0] * 9, "two are needed"), ([f"t{i}" for i in range(9)], "different value in every row")):
        statistics = TableStatistics("y", task="classification")
        statistics.update(Table.from_columns({"x": list(range(9)), "y": values}))
        with pytest.raises(TableError, match=pattern):
            statistics.preprocessor()


# ---------------------------------------------------------------- rows on the disk


def test_an_epoch_has_every_row_once_in_another_order_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.data.stored_rows._FILE_BYTES", 400)
    store = RowStore(300, np.random.default_rng(0))
    for at in range(0, 300, 60):
        rows = np.arange(at, at + 60)
        store.append([rows[:, None].astype(np.float32), rows[:, None].astype(np.int32)], rows.astype(np.int32))
    data = store.finish()
    assert data.n_samples == 300 and "9 files" in repr(data)
    rng = np.random.default_rng(1)
    orders = []
    for shuffled in (rng, rng, None):
        batches = list(data.batches(7, shuffled))
        assert [b.n_samples for b in batches] == [7] * 42 + [6]
        order = np.concatenate([b.targets[0] for b in batches])
        assert sorted(order.tolist()) == list(range(300))
        np.testing.assert_array_equal(np.concatenate([b.inputs[0] for b in batches])[:, 0], order)
        np.testing.assert_array_equal(np.concatenate([b.inputs[1] for b in batches])[:, 0], order)
        orders.append(order)
    assert (orders[0] != orders[1]).any()
    again = np.concatenate([b.targets[0] for b in data.batches(7, np.random.default_rng(1))])
    np.testing.assert_array_equal(again, orders[0])
    first = orders[0][:70]
    assert len(set((first // 60).tolist())) == 5, "a batch has rows from all over the table"


def test_a_disk_that_is_too_small_and_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    store = RowStore(10**15, np.random.default_rng(0))
    with pytest.raises(DataError, match="TMPDIR"):
        store.append([np.zeros((1, 100), np.float32)], np.zeros(1, np.float32))
    with pytest.raises(DataError, match="no rows"):
        RowStore(1, np.random.default_rng(0)).finish()


# ---------------------------------------------------------------- training and predicting


def test_many_files_are_learned_as_one_table(model: Any, folder: Path) -> None:
    assert model.score(folder / "whole.csv") > 0.9 and model.facts["rows"] + 150 > 400
    kinds = [type(encoder).__name__ for encoder in model.preprocessor.encoders_]
    assert kinds == ["Numeric", "OneHot", "Embedded", "DateTime"]


@pytest.mark.usefixtures("small_chunks")
def test_predictions_in_chunks_are_those_of_the_whole_table(model: Any, folder: Path) -> None:
    expected = model.predict_proba(folder / "whole.csv")
    parts = list(model.predict_parts(folder / "many" / "*.csv"))
    assert len(parts) > 3
    np.testing.assert_allclose(np.concatenate([part.probabilities for part in parts]), expected, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts]), model.predict(folder / "whole.csv"))


@pytest.mark.usefixtures("small_chunks")
def test_the_command_predicts_in_chunks(
    model: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save("m.chainrule")
    many = str(folder / "many" / "*.csv")
    assert main(["predict", "m.chainrule", str(folder / "whole.csv"), "-o", "whole.csv"]) == 0
    whole = capsys.readouterr().out
    assert main(["predict", "m.chainrule", many, "-o", "many.csv"]) == 0
    chunks = capsys.readouterr().out
    assert (tmp_path / "many.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert chunks.replace("many.csv", "whole.csv") == whole, "metrics, too"
    assert main(["predict", "m.chainrule", many, "-o", "-"]) == 0
    assert capsys.readouterr().out == (tmp_path / "whole.csv").read_text()
    if pytest.importorskip("pyarrow"):
        pandas = pytest.importorskip("pandas")
        assert main(["predict", "m.chainrule", many, "-o", "many.parquet"]) == 0
        found, expected = pandas.read_parquet("many.parquet"), pandas.read_csv("whole.csv")
        assert (found["predicted_bought"] == expected["predicted_bought"]).all()
        np.testing.assert_allclose(found["probability_yes"], expected["probability_yes"])
    (tmp_path / "bad.csv").write_text(f"{HEADER}\n" + '1,"Rome, Italy",shop 01,2023-01-01,yes\n' * 60 + "x,1,1\n")
    assert main(["predict", "m.chainrule", str(tmp_path / "bad.csv"), str(tmp_path / "bad.csv"), "-o", "many.csv"]) == 2
    assert (tmp_path / "many.csv").read_text() == (tmp_path / "whole.csv").read_text(), "half a file replaces nothing"


def test_the_command_trains_on_a_pattern_and_on_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = str(folder / "many")
    assert main(["train", f"{data}/*.csv", "-t", "bought", "--epochs", "2", "--hidden", "8"]) == 0
    text = capsys.readouterr().out
    assert "3 files, 600 rows" in text and "Test part" in text and (tmp_path / "many.chainrule").exists()
    assert main(["train", data, "-t", "age", "--epochs", "1", "-m", "age.chainrule", "-q"]) == 0
    assert chainrule.load("age.chainrule").labels is None
    assert main(["train", f"{data}/*.csv", "-t", "boughd"]) == 2
    assert "Did you mean 'bought'?" in capsys.readouterr().err


def test_a_tally_of_parts_has_the_metrics_of_all() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 3):
        y, p = rng.integers(0, k, 500), rng.dirichlet(np.ones(k), 500)
        expected = score_classes(list(range(k)), y, p.argmax(axis=1), p)
        tally = Tally(list(range(k)))
        for rows in np.array_split(np.arange(500), 4):
            tally.update(y[rows], Prediction(p[rows].argmax(axis=1), p[rows]))
        found = tally.scores()
        assert found.values == pytest.approx(expected.values, abs=1e-4) and found.by_class == [
            (label, *map(pytest.approx, numbers)) for label, *numbers in expected.by_class
        ]
    y, z = rng.normal(1e6, 1, 300), rng.normal(1e6, 1, 300)
    numbers = Tally(None)
    for rows in np.array_split(np.arange(300), 3):
        numbers.update(y[rows], Prediction(z[rows]))
    assert numbers.scores().values == pytest.approx(score_numbers(y, z).values, rel=1e-9)


def test_chunks_of_many_columns_have_fewer_rows(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame(np.arange(1200 * 2000, dtype=np.float32).reshape(1200, 2000)).add_prefix("x")
    frame.to_parquet(tmp_path / "wide.parquet", index=False)
    chunks = [chunk.table for chunk in TableFiles([tmp_path / "wide.parquet"]).chunks()]
    assert len(chunks) > 1 and max(table.n_rows for table in chunks) * 2000 <= 2**20
    found = np.concatenate([table.column("x7").values for table in chunks])
    np.testing.assert_array_equal(found, frame["x7"])
