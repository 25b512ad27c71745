"""train -> show -> predict on tables of every kind."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)}.*?\s(-?[\d.,e-]+)(\s|$)", text, re.M)
    assert found, f"no {name!r} in:\n{text}"
    return float(found[1].replace(",", ""))


@pytest.mark.slow
def test_numbers_and_text_labels(run, folder):
    done = run("train", "flowers.csv", "--target", "kind", "--epochs", "60", "--plot", "curves.png")
    assert (done.code, done.err) == (0, "")
    assert metric(done.out, "accuracy") >= 0.95
    for text in ("90 rows", "3 classes (lily, rose, tulip)", "most frequent class", "log loss (nats)", "macro F1",
                 "time left", "Saved flowers.chainrule and curves.png", "chainrule predict flowers.chainrule"):  # fmt: skip
        assert text in done.out
    assert "\x1b" not in done.out and not any(line != line.rstrip() for line in done.out.splitlines())
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")

    shown = run("show", "flowers.chainrule")
    assert shown.code == 0
    for text in ("Trained on", "flowers.csv", "(x −", "Dense(128)", "parameters", "FLOPs", "softmax", "backward", "update"):
        assert text in shown.out
    assert "backward" not in run("show", "flowers.chainrule", "--no-equations").out

    done = run("predict", "flowers.chainrule", "flowers.csv", "-o", "flowers-out.csv")
    assert done.code == 0 and metric(done.out, "accuracy") >= 0.95 and "Wrote flowers-out.csv: 90 rows" in done.out
    rows, given = read(folder / "flowers-out.csv"), read(folder / "flowers.csv")
    names = ["predicted_kind", "probability_lily", "probability_rose", "probability_tulip"]
    assert list(rows[0]) == ["length", "width", "kind", *names]
    assert all(row[name] == old[name] for row, old in zip(rows, given, strict=True) for name in old)
    p = np.array([[float(row[name]) for name in names[1:]] for row in rows])
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5)
    assert [("lily", "rose", "tulip")[i] for i in p.argmax(axis=1)] == [row["predicted_kind"] for row in rows]

    (folder / "new.csv").write_text("width,other,length\n0.1,a,0\n-4.1,b,6.2\n", encoding="utf-8")
    done = run("predict", "flowers.chainrule", "new.csv")
    assert done.code == 0 and "predicted_kind" in done.out and "accuracy" not in done.out
    assert [line.split()[-2] for line in done.out.splitlines()[2:4]] == ["rose", "lily"]


@pytest.mark.slow
def test_equal_seeds_give_equal_models(run, folder):
    for name in ("a", "b"):
        assert run("train", "flowers.csv", "-t", "kind", "--epochs", "3", "-m", f"{name}.chainrule", "--quiet").out == ""
    assert (folder / "a.chainrule").read_bytes() == (folder / "b.chainrule").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("file", ["people.csv", "people.tsv"])
def test_categories_missing_values_and_quoted_fields(run, folder, file):
    done = run("train", file, "--target", "bought", "--epochs", "60", "--hidden", "16", "--model", "people.chainrule")
    assert (done.code, done.err) == (0, "")
    assert "'id' has a different text in every row" in done.out and "one-hot" in done.out
    assert metric(done.out, "accuracy") > 0.7 and metric(done.out, "ROC AUC") > 0.8
    shown = run("show", "people.chainrule", "--no-equations")
    assert shown.code == 0 and "missing: mean and a column" in shown.out and 'The "Hague"' in shown.out
    done = run("predict", "people.chainrule", file, "-o", "people-out.csv")
    assert done.code == 0
    rows = read(folder / "people-out.csv")
    assert len(rows) == 120 and rows[0]["id"] == "0000x" and {row["code"] for row in rows} == {f"00{i}" for i in range(7)}
    assert {row["town"] for row in rows} == {"", "Rome, Italy", 'The "Hague"', "New\nYork"}
    assert {row["predicted_bought"] for row in rows} == {"yes", "no"}


@pytest.mark.slow
def test_regression_with_an_embedding(run, folder):
    done = run("train", "shops.csv", "--target", "sales", "--epochs", "120", "--learning-rate", "0.005")
    assert (done.code, done.err) == (0, "")
    assert "1 embedded" in done.out and "a number (mean" in done.out and "mean" in done.out
    assert metric(done.out, "R²") > 0.8 and metric(done.out, "RMSE (unit of sales)") < 250
    shown = run("show", "shops.chainrule")
    assert shown.code == 0 and "embedded: 40 categories" in shown.out and "Embedding(41" in shown.out
    done = run("predict", "shops.chainrule", "shops.csv", "-o", "shops-out.csv")
    assert done.code == 0 and metric(done.out, "R²") > 0.8
    rows = read(folder / "shops-out.csv")
    assert list(rows[0]) == ["shop", "area", "sales", "predicted_sales"]
    (folder / "one.csv").write_text("shop,area\nnever seen,100\n", encoding="utf-8")
    done = run("predict", "shops.chainrule", "one.csv", "-o", "-")
    assert done.code == 0 and done.out.splitlines()[0] == "shop,area,predicted_sales"
    assert 1000 < float(done.out.splitlines()[1].split(",")[-1]) < 3500


@pytest.mark.slow
def test_parquet(run, folder):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = read(folder / "flowers.csv")
    columns = {name: [float(r[name]) if name != "kind" else r[name] for r in rows] for name in rows[0]}
    parquet.write_table(pyarrow.table(columns), folder / "flowers.parquet")
    options = ("--epochs", "60", "--model", "parquet.chainrule")
    assert metric(run("train", "flowers.parquet", "--target", "kind", *options).out, "accuracy") > 0.9
    done = run("predict", "parquet.chainrule", "flowers.parquet", "-o", "parquet-out.csv")
    assert done.code == 0 and len(read(folder / "parquet-out.csv")) == 90


@pytest.mark.slow
def test_options(run):
    done = run(
        "train", "flowers.csv", "-t", "kind", "--hidden", "none", "--epochs", "5", "--test-fraction", "0", "--verbose",
        "--engine", "reference", "--precision", "float64",
        "--optimizer", "sgd", "--learning-rate", "0.1", "--validation-fraction", "0",
        "--exclude", "width", "--batch-size", "10", "--loss", "cross_entropy", "-m", "linear.chainrule",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert "1 numbers → Dense(3)" in done.out and "Test part" not in done.out and "sgd, softmax" in done.out
    assert [f" {i}/5 " in done.out for i in range(1, 6)] == [True] * 5
    done = run("train", "flowers.csv", "-t", "length", "--task", "regression", "--epochs", "2", "-m", "r.chainrule", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
