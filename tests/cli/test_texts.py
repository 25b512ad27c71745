"""Texts on the command line."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from chainrule import NeuralClassifier

from .conftest import Run

GOOD, BAD = ["good", "great", "fine", "lovely"], ["bad", "poor", "dull", "awful"]
REST = ["the", "film", "plot", "a", "was", "and", "it", "of", "cast", "story"]


def write(place: Path, rows: list[tuple[object, object]], names: tuple[str, str] = ("review", "label")) -> None:
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([names, *rows])


def reviews(n: int = 200) -> list[tuple[object, object]]:
    rng = random.Random(0)
    rows: list[tuple[object, object]] = []
    for i in range(n):
        words = [*rng.choices(REST, k=rng.randint(2, 9)), rng.choice(GOOD if i % 2 else BAD)]
        rng.shuffle(words)
        rows.append((" ".join(words), "positive" if i % 2 else "negative"))
    return rows


@pytest.fixture(scope="module")
def place(folder: Path, run: Run) -> Path:
    write(folder / "reviews.csv", [*reviews(), ("", "positive"), ("no label here", "")])
    done = run("train", "reviews.csv", "--text", "review", "--target", "label", "--learning-rate", "0.01")
    assert done.code == 0, done.err
    assert "2 rows have no text or no target: left out" in done.out and "most frequent class" in done.out
    assert "epoch" in done.out and "Saved reviews.chainrule" in done.out
    return folder


@pytest.mark.slow
def test_a_sentence_gets_classes_with_probabilities(place: Path, run: Run) -> None:
    done = run("predict", "reviews.chainrule", "a great film and a lovely cast")
    assert done.code == 0
    first, second = [line.split() for line in done.out.splitlines() if line.strip().startswith(("positive", "negative"))]
    assert first[0] == "positive" and float(first[1]) > 80
    assert float(first[1]) + float(second[1]) == pytest.approx(100, abs=0.2)
    several = run("predict", "reviews.chainrule", "a dull plot", "fine story")
    assert several.code == 0 and "negative" in several.out and "positive" in several.out


@pytest.mark.slow
def test_a_table_gets_new_columns(place: Path, run: Run) -> None:
    write(place / "new.csv", reviews(6))
    assert run("predict", "reviews.chainrule", "new.csv", "-o", "out.csv").code == 0
    with (place / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["review", "label", "predicted_label", "probability_negative", "probability_positive"]
    assert all(row["predicted_label"] == row["label"] for row in rows)


@pytest.mark.slow
def test_python_loads_the_same_model(place: Path, run: Run) -> None:
    model = NeuralClassifier.load(place / "reviews.chainrule")
    assert model.predict(["a dull plot", "a fine plot"]).tolist() == ["negative", "positive"]
    shown = run("show", "reviews.chainrule", "--no-equations")
    assert shown.code == 0 and "WordTokenizer" in shown.out and "review: texts" in shown.out


@pytest.mark.slow
def test_numbers_from_texts(place: Path, run: Run) -> None:
    write(
        place / "stars.csv", [(text, 0.5 if label == "negative" else 4.5) for text, label in reviews()], ("review", "stars")
    )
    done = run("train", "stars.csv", "--text", "review", "-t", "stars", "--task", "regression", "--tokenizer", "words")
    assert done.code == 0 and "RMSE" in done.out
    assert "predicted_stars" in run("predict", "stars.chainrule", "a good film").out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reviews.csv", "--text", "revew", "-t", "label"), "no column 'revew'. Did you mean 'review'?"),
        (("reviews.csv", "--text", "review", "-t", "lable"), "no column 'lable'. Did you mean 'label'?"),
        (("reviews.csv", "--text", "review", "-t", "review"), "both 'review'"),
        (("reviews.csv", "--text", "review"), "--target is missing"),
        (("reviews.csv", "--text", "review", "-t", "label", "--tokenizer", "letters"), "characters"),
        (("reviews.csv", "-t", "label", "--tokenizer", "words"), "--text"),
        (("one.csv", "--text", "review", "-t", "label"), "in every row"),
        (("latin.csv", "--text", "review", "-t", "label", "--encoding", "utf-8"), "line 3: byte 0xE9"),
        (("empty.csv", "--text", "review", "-t", "label"), "has no text in any row"),
    ],
)
def test_bad_input_is_one_clear_error(place: Path, run: Run, arguments: tuple[str, ...], says: str) -> None:
    write(place / "one.csv", [("a good film", "yes")] * 5)
    write(place / "empty.csv", [("", "yes"), ("", "no")])
    (place / "latin.csv").write_bytes("review,label\ngood,yes\ncafé,no\n".encode("latin-1"))
    done = run("train", *arguments)
    assert done.code == 2 and says in done.err and "Traceback" not in done.err


@pytest.mark.slow
def test_bad_input_of_predict(place: Path, run: Run) -> None:
    for arguments, says in (
        (("",), "The argument after 'reviews.chainrule' is empty"),
        (("missing.csv",), "no such file"),
        (("flowers.csv",), "no column 'review'"),
    ):
        done = run("predict", "reviews.chainrule", *arguments)
        assert done.code == 2 and says in done.err and "Traceback" not in done.err
