"""Reading lines of text: from pictures and a file of labels to a model that reads lines and pages, and what cannot be."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import chainrule
from chainrule.cli.main import app
from chainrule.errors import DataError, ImageError, ModelFileError, ParameterError, ShapeError
from chainrule.images.lines import LineAugmentation, as_columns, find_lines, installed_fonts, synthetic_lines
from chainrule.tasks.lines.settings import LineSettings
from chainrule.tasks.lines.training import prepare, read

Image = pytest.importorskip("PIL.Image")
#: Letters of four columns each, as bars of two heights: so small a script is learned in seconds.
LETTERS = {"a": [1, 1, 0, 0], "b": [0, 1, 1, 1], "c": [1, 0, 1, 0]}


def written(text: str, *, size: int = 4, paper: int = 230) -> np.ndarray:
    """A picture (16, W) of a text in the script of LETTERS."""
    columns = [np.zeros((16, 4))]
    for letter in text:
        glyph = np.zeros((16, 2 * size))
        for i, on in enumerate(LETTERS[letter]):
            glyph[4 + 2 * i : 6 + 2 * i, 1:-1] = on
        columns += [glyph, np.zeros((16, 3))]
    return (paper * (1 - 0.8 * np.concatenate([*columns, np.zeros((16, 4))], axis=1))).astype(np.uint8)


def pixels_of(place: Path) -> np.ndarray:
    with Image.open(place) as picture:
        return np.asarray(picture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    place, rng = tmp_path_factory.mktemp("lines"), np.random.default_rng(0)
    rows = []
    for i in range(60):
        text = "".join(rng.choice(list(LETTERS), rng.integers(1, 6)))
        Image.fromarray(written(text, paper=int(rng.integers(180, 256)))).save(place / f"{i}.png")
        rows.append((f"{i}.png", text))
    with (place / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "text"), *rows])
    return place


@pytest.fixture(scope="module")
def trained(folder: Path) -> Any:
    settings = LineSettings(
        data=folder, task="read", height=16, width=8, epochs=30, batch_size=6, test_fraction=0.2, augment="none", seed=0,
        learning_rate=0.005,
    )  # fmt: skip
    return prepare(read(settings), settings).train().model


def test_lines_are_read(trained: Any, folder: Path, tmp_path: Path) -> None:
    scores = trained.evaluate(folder)
    assert scores["character_error_rate"] < 0.15
    trained.save(tmp_path / "m.chainrule")
    loaded = chainrule.load(tmp_path / "m.chainrule")
    files = [folder / "0.png", folder / "1.png"]
    assert loaded.predict(files).tolist() == trained.predict(files).tolist()
    pixels = pixels_of(files[0])
    assert loaded.predict([pixels]).tolist() == loaded.predict(files[:1]).tolist()
    # Light text on dark paper, colours, and another size are read alike.
    assert loaded.predict([255 - pixels, np.stack([pixels] * 3, axis=2)]).tolist() == [loaded.predict([pixels])[0]] * 2
    with pytest.raises(AttributeError, match="texts"):
        loaded.predict_proba(files)
    with pytest.raises(ParameterError, match="no option of lines"):
        loaded.predict(files, delimiter=",")


def test_a_page_is_read_in_order(trained: Any) -> None:
    texts = ["abc", "cab", "bb"]
    page = np.full((130, 160), 230, np.uint8)
    for i, (text, left) in enumerate(zip(texts, (10, 60, 30), strict=True)):
        line = written(text)
        page[15 + 38 * i : 31 + 38 * i, left : left + line.shape[1]] = line
    found = trained.read_page(page)
    assert len(found) == 3 and [line.box[1] for line in found] == sorted(line.box[1] for line in found)
    for line, left in zip(found, (10, 60, 30), strict=True):
        assert abs(line.box[0] - left - 4) <= 3 and 0 < line.probability <= 1
    known = trained.read_page(page, boxes=[(10, 15, 51, 31)])
    assert len(known) == 1
    assert trained.read_page(np.full((50, 50), 255, np.uint8)) == []
    with pytest.raises(ParameterError, match="box 0"):
        trained.read_page(page, boxes=[(10, 15, 500, 31)])


@pytest.mark.slow
def test_the_commands(trained: Any, folder: Path, tmp_path: Path) -> None:
    run, model = CliRunner(), tmp_path / "m.chainrule"
    options = ["--task", "read", "--height", "16", "--width", "4", "--epochs", "1", "-m", str(model)]
    done = run.invoke(app, ["train", str(folder), *options])
    assert done.exit_code == 0 and "3 characters" in done.output and "character error rate" in done.output, done.output
    trained.save(model)
    done = run.invoke(app, ["predict", str(model), str(folder), "-o", str(tmp_path / "out.csv")])
    assert done.exit_code == 0 and len((tmp_path / "out.csv").read_text().splitlines()) == 61
    done = run.invoke(app, ["read", str(model), str(folder / "0.png"), "-o", str(tmp_path / "boxes.png")])
    assert done.exit_code == 0, done.output
    assert pixels_of(tmp_path / "boxes.png").shape[:2] == pixels_of(folder / "0.png").shape[:2]
    done = run.invoke(app, ["read", str(model), str(folder / "0.png"), str(folder / "1.png"), "-o", str(tmp_path / "b.csv")])
    assert done.exit_code == 0 and "page,text,left" in (tmp_path / "b.csv").read_text()
    done = run.invoke(app, ["read", str(model), str(folder / "0.png"), str(folder / "1.png"), "-o", str(tmp_path / "b.png")])
    assert isinstance(done.exception, ParameterError) and "Give a folder" in str(done.exception)
    assert run.invoke(app, ["show", str(model)]).exit_code == 0


def test_synthetic_lines_have_the_letters_of_fonts() -> None:
    if not installed_fonts():
        pytest.skip("this machine has no fonts")
    first, again = (synthetic_lines(["Total 12.30", "x"], random_state=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape[1:] == (32, 1) and len(first[0]) > len(first[1]) and first[0].max() > 150
    with pytest.raises(ImageError, match="no font"):
        synthetic_lines(["a"], fonts=[])
    with pytest.raises(ImageError, match="has its letters"):
        synthetic_lines(["\U000f1234"], random_state=0)


def test_random_changes_of_lines() -> None:
    line = as_columns(written("abc"), 16)
    for seed in range(8):
        one, two = (LineAugmentation()(line, np.random.default_rng(seed)) for _ in range(2))
        assert np.array_equal(one, two) and one.dtype == np.uint8 and one.shape[1:] == (16, 1)
        assert 0.8 < len(one) / len(line) < 1.2


def test_lines_of_a_page_by_their_ink() -> None:
    page = np.full((80, 300), 200, np.uint8)
    for left, top, right, bottom in ((20, 10, 120, 20), (200, 10, 280, 20), (20, 40, 150, 52)):
        page[top:bottom, left:right:3] = 30
    boxes = find_lines(page)
    assert len(boxes) == 3 and [box[1] for box in boxes] == [9, 9, 39] and boxes[0][0] < boxes[1][0]
    assert len(find_lines(255 - page)) == 3
    assert find_lines(np.zeros((20, 20))) == []


@pytest.mark.parametrize(
    ("picture", "error", "match"),
    [
        (np.zeros((2, 3, 4, 5)), ShapeError, "must be a picture"),
        (np.zeros((0, 5)), ImageError, "no pixels"),
        (np.full((4, 4), np.nan), DataError, "not finite"),
        (np.zeros((1, 200)), ImageError, "too wide"),
        ("missing.png", ImageError, "missing.png"),
    ],
)
def test_pictures_that_are_no_lines(picture: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        as_columns(picture, 32)


def test_data_that_cannot_be_learned_from(folder: Path, tmp_path: Path, trained: Any) -> None:
    with pytest.raises(DataError, match="no file of labels"):
        read(LineSettings(data=tmp_path, task="read"))
    (tmp_path / "labels.csv").write_text("a.png,abc\n")
    with pytest.raises(DataError, match="no line with the name of a picture"):
        read(LineSettings(data=tmp_path, task="read"))
    Image.fromarray(written("abc")).save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("a.png,abc\nb.png,a\n")
    with pytest.raises(ImageError, match=r"line 2: there is no picture 'b\.png'"):
        read(LineSettings(data=tmp_path, task="read"))
    (tmp_path / "labels.csv").write_text("a.png,abc\n")
    with pytest.raises(DataError, match="cannot be split"):
        read(LineSettings(data=tmp_path, task="read"))
    with pytest.raises(ParameterError, match="multiple of 8"):
        LineSettings(data=folder, height=20)
    with pytest.raises(DataError, match="'x'"):
        trained.units.encode(["xyz"], name="texts")
    held = trained.state()
    held["lines"]["height"] = 24
    with pytest.raises(ModelFileError, match="belong together"):
        type(trained).from_state(trained.network, held, "m.chainrule")
