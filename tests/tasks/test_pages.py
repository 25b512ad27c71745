"""Finding lines on pages, and reading them: from annotated pages to one model that reads pages, and what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import chainrule
from chainrule.cli.main import app
from chainrule.errors import DataError, ParameterError
from chainrule.pages import read_text_pages
from chainrule.tasks.lines.settings import LineSettings
from chainrule.tasks.lines.training import prepare as prepare_lines
from chainrule.tasks.lines.training import read as read_lines
from chainrule.tasks.pages.page_model import PageModel, text_map
from chainrule.tasks.pages.settings import PageSettings
from chainrule.tasks.pages.training import prepare, read

from .test_lines import LETTERS, written

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """Pages of lines in the small script of the other tests, each with its text file."""
    place, rng = tmp_path_factory.mktemp("pages"), np.random.default_rng(0)
    for number in range(8):
        page, rows = np.full((224, 192), 230, np.uint8), []
        for top in range(8, 200, 26):
            text = "".join(rng.choice(list(LETTERS), rng.integers(3, 9)))
            line, left = written(text), int(rng.integers(4, 40))
            page[top : top + 16, left : left + line.shape[1]] = line
            right = left + line.shape[1]
            rows.append(f"{left},{top},{right},{top},{right},{top + 16},{left},{top + 16},{text}\n")
        Image.fromarray(page).save(place / f"{number}.png")
        (place / f"{number}.txt").write_text("".join(rows))
    return place


@pytest.fixture(scope="module")
def reader(folder: Path) -> Any:
    """A reader of the right form that has hardly learned anything."""
    settings = LineSettings(data=folder, task="read", height=16, width=4, epochs=1, batch_size=16, augment="none")
    return prepare_lines(read_lines(settings), settings).train().model


@pytest.fixture(scope="module")
def trained(folder: Path) -> Any:
    settings = PageSettings(data=folder, epochs=24, batch_size=2, width=4, page_width=192, learning_rate=0.01, seed=0)
    prepared = prepare(read(settings), settings)
    assert prepared.samples == 5 and len(prepared.test) == 2
    return prepared.train().model


def test_lines_are_found_and_saved(trained: PageModel, folder: Path, tmp_path: Path) -> None:
    scores = trained.evaluate(folder)
    assert scores["f1"] > 0.8, scores
    trained.save(tmp_path / "m.chainrule")
    loaded = chainrule.load(tmp_path / "m.chainrule")
    page = folder / "0.png"
    with Image.open(page) as picture:
        pixels = np.asarray(picture)
    lines = trained.read_page(page)
    assert loaded.read_page(page) == lines == trained.read_page(pixels) == trained.predict(folder)[0]
    assert [line.box[1] for line in lines] == sorted(line.box[1] for line in lines)
    # Light text on dark paper and twice the size are found alike.
    assert len(trained.read_page(255 - pixels)) == len(lines)
    large = np.array([line.box for line in trained.read_page(np.kron(pixels, np.ones((2, 2), np.uint8)))])
    assert np.median(np.abs(large / 2 - [line.box for line in lines])) < 3
    with pytest.raises(ParameterError, match="no option of pages"):
        trained.predict(page, delimiter=",")
    with pytest.raises(AttributeError, match="finds lines"):
        trained.predict_proba(page)
    with pytest.raises(DataError, match="no text files"):
        trained.evaluate([pixels])


def test_a_reader_is_part_of_the_same_file(trained: PageModel, reader: Any, folder: Path, tmp_path: Path) -> None:
    both = PageModel(trained.finder, page_width=192, threshold=trained.threshold, enlarged=trained.enlarged, reader=reader)
    both.save(tmp_path / "both.chainrule")
    loaded = chainrule.load(tmp_path / "both.chainrule")
    assert loaded.read_page(folder / "0.png") == both.read_page(folder / "0.png")
    cut = reader.read(folder)
    assert len(cut.truth) == cut.count == sum(len(page.lines) for page in read_text_pages(folder))
    assert "character_error_rate" in loaded.evaluate(folder)
    assert loaded.network.parameters.count == trained.finder.parameters.count + reader.network.parameters.count
    with pytest.raises(ParameterError, match="must write down the text"):
        PageModel(trained.finder, page_width=64, reader=trained)


def test_lines_of_one_page_are_not_parted(folder: Path) -> None:
    settings = LineSettings(data=folder, task="read", height=16, seed=1)
    parts = read_lines(settings)
    assert parts.test is not None and parts.test.sources is not None
    pages = set(parts.test.sources)
    assert len(parts.test) == 8 * len(pages) and parts.train.n_samples % 8 == 0


def test_strips_of_a_high_page_agree_with_the_page_as_a_whole(trained: PageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.tasks.pages import page_model

    rng = np.random.default_rng(0)
    ink = np.zeros((520, 192), np.uint8)
    for top in range(10, 500, 30):
        ink[top : top + 14, 20:150] = rng.integers(0, 255, (14, 130))
    whole = text_map(trained.finder, ink)
    monkeypatch.setattr(page_model, "_STRIP", 256)
    parts = text_map(trained.finder, ink)
    assert whole.shape == parts.shape == (260, 96) and np.abs(whole - parts).max() < 0.05


def test_what_cannot_be_learned(folder: Path, tmp_path: Path, trained: PageModel) -> None:
    trained.save(tmp_path / "m.chainrule")
    with pytest.raises(ParameterError, match="does not read pictures of lines"):
        read(PageSettings(data=folder, reader=tmp_path / "m.chainrule"))
    Image.fromarray(np.full((64, 64), 255, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match="nothing to learn"):
        read(PageSettings(data=tmp_path))
    (tmp_path / "a.txt").write_text("1,1,40,20\n")
    with pytest.raises(DataError, match="no texts"):
        read_lines(LineSettings(data=tmp_path, task="read"))
    with pytest.raises(DataError, match="cannot be divided"):
        read(PageSettings(data=tmp_path, test_fraction=0.5))
    with pytest.raises(ParameterError, match="multiple of 16"):
        PageSettings(data=folder, page_width=100)


@pytest.mark.slow
def test_the_commands(trained: PageModel, reader: Any, folder: Path, tmp_path: Path) -> None:
    run, model, lines = CliRunner(), tmp_path / "m.chainrule", tmp_path / "lines.chainrule"
    reader.save(lines)
    options = ["--epochs", "1", "--width", "4", "--reader", str(lines), "-m", str(model)]
    done = run.invoke(app, ["train", str(folder), *options])
    assert done.exit_code == 0 and "differentiable binarisation" in done.output and "F1" in done.output, done.output
    assert run.invoke(app, ["show", str(model)]).exit_code == 0
    done = run.invoke(app, ["read", str(model), str(folder / "0.png"), "-o", str(tmp_path / "boxes.png")])
    assert done.exit_code == 0 and (tmp_path / "boxes.png").is_file(), done.output
    trained.save(model)
    done = run.invoke(app, ["predict", str(model), str(folder), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0 and len(list((tmp_path / "out").glob("*.png"))) == 8, done.output
    assert "page,text,left" in (tmp_path / "out" / "lines.csv").read_text()
    done = run.invoke(app, ["read", str(model), str(folder / "0.png")])
    assert isinstance(done.exception, ParameterError) and "--reader" in str(done.exception)
