"""train -> show -> predict on pictures, as a user types it, and what is said about pictures that will not do."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.tasks import PictureModel

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")


def shape_picture(kind: str, rng: np.random.Generator, side: int = 16) -> np.ndarray:
    """A disc, a cross or stripes in a random colour on dark noise."""
    y, x = np.mgrid[:side, :side]
    cy, cx = rng.uniform(side * 0.4, side * 0.6, 2)
    shown = {
        "disc": (y - cy) ** 2 + (x - cx) ** 2 < (side * 0.3) ** 2,
        "cross": (abs(y - cy) < side * 0.1) | (abs(x - cx) < side * 0.1),
        "stripes": (y + int(cy)) % 4 < 2,
    }[kind]
    pixels = rng.integers(0, 60, (side, side, 3)).astype(np.uint8)
    pixels[shown] = rng.integers(120, 256, 3)
    return pixels


KINDS = ("cross", "disc", "stripes")


@pytest.fixture(scope="module")
def shapes(folder: Path) -> Path:
    """shapes/cross/0.png ... in three sizes, one of them a JPEG, one with alpha; and a model trained on them."""
    rng = np.random.default_rng(0)
    for kind in KINDS:
        (folder / "shapes" / kind).mkdir(parents=True)
        for i in range(24):
            pixels = shape_picture(kind, rng, side=(16, 20, 16)[i % 3])
            Image.fromarray(pixels).save(folder / "shapes" / kind / f"{i:02d}.{'jpg' if i % 4 == 1 else 'png'}")
    return folder / "shapes"


TRAIN = ("--size", "16", "--epochs", "12", "--augment", "flip,shift=1", "--learning-rate", "0.01")


@pytest.fixture(scope="module")
def trained(run: Any, folder: Path, shapes: Path) -> str:
    done = run("train", "shapes", *TRAIN, "--plot", "shapes-curves.png", "--grid", "shapes-grid.png", "-m", "s.chainrule")
    assert (done.code, done.err) == (0, ""), done
    return str(done.out)


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)}.*?\s(-?[\d.,e-]+)(\s|$)", text, re.M)
    assert found, f"no {name!r} in:\n{text}"
    return float(found[1].replace(",", ""))


def test_train(trained: str, folder: Path) -> None:
    for text in ("shapes: 72 pictures, 3 classes", "cross, disc, stripes", "16 × 16 pixels, stretch, colours, standardised",
                 "45 pictures to train on, 9 to validate on, 18 to test on", "flip=True, shift=1", "Conv2D(32)", "2 sizes",
                 "val_accuracy", "Test part (18 pictures)", "most frequent class",
                 "chainrule predict s.chainrule PICTURE.png",
                 "Saved s.chainrule and shapes-curves.png and shapes-grid.png"):  # fmt: skip
        assert text in trained, (text, trained)
    assert metric(trained, "accuracy") > 0.7
    for name in ("shapes-curves.png", "shapes-grid.png"):
        assert np.asarray(Image.open(folder / name).convert("RGB")).std() > 20


def test_show(run: Any, trained: str) -> None:
    shown = run("show", "s.chainrule")
    assert shown.code == 0
    for text in ("Classes", "cross, disc, stripes", "45 pictures of shapes", "flip=True", "stretched to 16 × 16",
                 "red, green",
                 "(x / 255 − mean) / std, mean 0.", "Conv2D(32", "GlobalAveragePool", "backward"):  # fmt: skip
        assert text in shown.out, text


def test_predict_one_picture(run: Any, trained: str, folder: Path) -> None:
    Image.fromarray(shape_picture("disc", np.random.default_rng(5), side=40)).save(folder / "new.png")
    done = run("predict", "s.chainrule", "new.png")
    assert (done.code, done.err) == (0, "") and "accuracy" not in done.out
    lines = done.out.splitlines()
    assert lines[0] == "new.png" and len(lines) == 4 and sorted(line.split()[0] for line in lines[1:]) == list(KINDS)
    shares = [float(line.split()[1]) for line in lines[1:]]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.2)


@pytest.mark.slow
def test_predict_many(run: Any, trained: str, folder: Path) -> None:
    done = run("predict", "s.chainrule", "shapes", "-o", "s.csv", "--grid", "g.png")
    assert done.code == 0 and metric(done.out, "accuracy") > 0.8
    assert "Against the names of the folders of 72 pictures" in done.out and "Wrote s.csv: 72 pictures" in done.out
    with (folder / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["picture", "predicted_class", *(f"probability_{kind}" for kind in KINDS)]
    assert rows[0]["picture"] == "shapes/cross/00.png" and len(rows) == 72
    p = np.array([[float(row[f"probability_{kind}"]) for kind in KINDS] for row in rows])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert [KINDS[k] for k in p.argmax(axis=1)] == [row["predicted_class"] for row in rows]
    assert (folder / "g.png").is_file()
    two = run("predict", "s.chainrule", "shapes/disc/02.png", "shapes/cross/03.png")
    assert two.code == 0 and "shapes/disc/02.png" in two.out and "probability" in two.out and "accuracy" not in two.out
    out = run("predict", "s.chainrule", "shapes/disc", "-o", "-")
    assert out.out.splitlines()[0].startswith("picture,predicted_class") and len(out.out.splitlines()) == 25


def test_the_model_in_python(trained: str, folder: Path) -> None:
    """The command line and Python see the same picture, and the model file holds all that is needed."""
    model = chainrule.load(folder / "s.chainrule")
    assert isinstance(model, PictureModel)
    assert model.classes == list(KINDS) and model.preprocessor.shape == (16, 16, 3)
    files = sorted((folder / "shapes" / "disc").iterdir())[:5]
    p = model.predict_proba(files)
    pixels = np.stack([model.preprocessor.read(file) for file in files])
    z = np.asarray(model.network.predict(model.preprocessor.normalise(pixels)), np.float64)
    np.testing.assert_allclose(p, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), atol=1e-5)
    assert model.predict(folder / "shapes").shape == (72,) and model.score(folder / "shapes") > 0.7
    np.testing.assert_allclose(model.predict_proba(pixels), p, atol=1e-5)
    assert model.evaluate(files, ["disc"] * 5)["accuracy"] == np.mean(model.predict(files) == "disc")


@pytest.mark.slow
def test_equal_seeds_give_equal_models(run: Any, folder: Path, shapes: Path) -> None:
    for name in ("a", "b"):
        done = run("train", "shapes", "--size", "8", "--epochs", "2", "-m", f"{name}-shapes.chainrule", "-q")
        assert (done.code, done.out, done.err) == (0, "", "")
    assert (folder / "a-shapes.chainrule").read_bytes() == (folder / "b-shapes.chainrule").read_bytes()


@pytest.mark.slow
def test_npz_and_named_networks(run: Any, folder: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.stack([shape_picture(KINDS[k], rng).max(axis=2) for k in y])
    np.savez(folder / "digits.npz", images=X, labels=y)
    done = run("train", "digits.npz", "--epochs", "2", "--network", "lenet5", "--augment", "none", "--test-fraction", "0.2",
               "--optimizer", "sgd", "--batch-size", "7", "--verbose")  # fmt: skip
    assert done.code == 0 and "16 × 16 pixels, grey" in done.out and "Augmentation  none" in done.out, done
    assert "Note" not in done.out and "Saved digits.chainrule" in done.out
    again = run("predict", "digits.chainrule", "digits.npz", "-o", "d.csv")
    assert again.code == 0 and "Against the labels of 60 pictures" in again.out
    (folder / "digits").mkdir()
    for k in range(3):  # classes that are numbers, in folders that are text
        (folder / "digits" / str(k)).mkdir()
        Image.fromarray(X[k]).save(folder / "digits" / str(k) / "x.png")
    assert "Against the names of the folders of 3" in run("predict", "digits.chainrule", "digits").out


@pytest.mark.slow
def test_parts_that_are_there_are_used(run: Any, folder: Path, shapes: Path) -> None:
    for part, rows in (("train", range(16)), ("val", range(16, 20)), ("test", range(20, 24))):
        for kind in KINDS[: 3 if part != "test" else 2]:
            (folder / "parts" / part / kind).mkdir(parents=True)
            for i in rows:
                file = next((shapes / kind).glob(f"{i:02d}.*"))
                (folder / "parts" / part / kind / file.name).write_bytes(file.read_bytes())
    done = run("train", "parts", "--epochs", "1", "--size", "8")
    assert done.code == 0 and "48 pictures to train on, 12 to validate on, 8 to test on" in done.out, done
    (folder / "parts" / "test" / "blob").mkdir()
    (folder / "parts" / "test" / "blob" / "a.png").write_bytes(file.read_bytes())
    refused(run("train", "parts", "--epochs", "1"), ["parts/test", "'blob'", "cross, disc, stripes"])


@pytest.mark.slow
def test_broken_pictures(run: Any, folder: Path, shapes: Path) -> None:
    import shutil

    shutil.copytree(shapes, folder / "broken")
    (folder / "broken" / "disc" / "bad.png").write_bytes(b"nothing")
    whole = (folder / "broken" / "disc" / "00.png").read_bytes()
    (folder / "broken" / "disc" / "cut.png").write_bytes(whole[: len(whole) // 2])
    options = ("--epochs", "1", "--size", "8")
    refused(run("train", "broken", *options), ["broken/disc/bad.png", "no picture"])
    done = run("train", "broken", *options, "--broken", "skip")
    assert done.code == 0 and "72 pictures" in done.out and done.err == "", done
    assert "broken/disc/bad.png" in done.out and "broken/disc/cut.png" in done.out
    refused(run("predict", "broken.chainrule", "broken"), ["bad.png"])
    done = run("predict", "broken.chainrule", "broken", "--broken", "skip")
    assert done.code == 0 and "2 of 74 pictures" in done.err and "bad.png" in done.err


def in_this_process(capfd: Any, *arguments: str) -> SimpleNamespace:
    from chainrule.cli.main import main

    capfd.readouterr()
    code = main(arguments)
    out, err = capfd.readouterr()
    return SimpleNamespace(code=code, out=out, err=err)


def refused(done: Any, expected: list[str]) -> None:
    assert done.code == 2, done
    assert done.err.startswith("Error: ") and "Traceback" not in done.err and done.err.count("Error:") == 1, done.err
    assert done.out == ""
    for text in expected:
        assert text in done.err, done.err


OPTIONS = [
    (("--target", "kind"), ["--target is for tables and texts, but shapes is read as pictures"]),
    (("--hidden", "12"), ["--hidden is for tables"]),
    (("--size", "big"), ["--size", "'big'", "48x64"]),
    (("--size", "0"), ["--size"]),
    (("--size", "4x4x4"), ["--size"]),
    (("--fit", "squash"), ["--fit"]),
    (("--channels", "2"), ["--channels", "3"]),
    (("--augment", "rotat=3"), ["'rotat'", "Did you mean 'rotate'?"]),
    (("--augment", "rotate"), ["rotate=0.1"]),
    (("--augment", "crop=2"), ["crop"]),
    (("--network", "resnt20"), ["architecture 'resnt20'", "Did you mean 'resnet20'?"]),
    (("--broken", "ignore"), ["--broken", "skip"]),
    (("--grid", "a.bmp"), [".png"]),
    (("--grid", "a.png", "--test-fraction", "0"), ["--grid", "--test-fraction 0"]),
    (("--network", "unet"), ["unet"]),
    (("--network", "vgg_small", "--size", "4"), ["vgg_small", "at least 8"]),
]


@pytest.mark.slow
def test_options(shapes: Path, folder: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for arguments, expected in OPTIONS:
        done = in_this_process(capfd, "train", "shapes", "-q", *arguments)
        assert done.code == 2 and done.out == "", (arguments, done)
        for text in expected:
            assert text in done.err, (arguments, done.err)
    done = in_this_process(capfd, "train", "flowers.csv", "--size", "8", "-t", "kind")
    assert done.code == 2 and "--size is for clips and detection and pictures" in done.err
    for data, words in (("nowhere", "no such file or folder"), ("shapes/cross/00.png", "is one picture")):
        done = in_this_process(capfd, "train", data)
        assert done.code == 2 and words in done.err, done
    done = in_this_process(capfd, "train", "flowers.csv")
    assert done.code == 2 and "--target is missing" in done.err


def test_folders_and_files(run: Any, trained: str, shapes: Path, folder: Path, capfd: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(folder)
    bad = folder / "bad"
    for name in ("void", "one/cat", "empty/cat", "empty/dog", "few/cat", "few/dog"):
        (bad / name).mkdir(parents=True)
    picture = (shapes / "disc" / "00.png").read_bytes()
    for name in ("one/cat/1.png", "empty/cat/1.png", "few/cat/1.png", "few/dog/1.png"):
        (bad / name).write_bytes(picture)
    np.savez(bad / "numbers.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.linspace(0, 1, 4))
    np.savez(bad / "one.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.zeros(4, int))
    (bad / "no.npz").write_bytes(b"no")
    np.savez(bad / "first.npz", images=np.zeros((4, 3, 8, 8), np.uint8), labels=np.arange(4) % 2)
    objects = np.array([np.zeros((2, 2), np.uint8), None], object)
    np.savez(bad / "objects.npz", images=objects, labels=np.arange(2))
    (bad / "cut.png").write_bytes(picture[: len(picture) * 2 // 3])
    cases: list[tuple[tuple[str, ...], list[str]]] = [
        (("train", "bad/void"), ["expected one folder for each class"]),
        (("train", "shapes/disc"), ["24 pictures but no folders"]),
        (("train", "bad/one"), ["one class only, 'cat'"]),
        (("train", "bad/empty"), ["bad/empty/dog", "holds no picture"]),
        (("train", "bad/few"), ["cannot be split", "--test-fraction 0"]),
        (("train", "bad/numbers.npz"), ["must be classes"]),
        (("train", "bad/one.npz"), ["one class only"]),
        (("train", "bad/no.npz"), ["no .npz file that can be read"]),
        (("train", "bad/first.npz"), ["first.npz", "8 channels", "images.transpose(0, 2, 3, 1)"]),
        (("train", "bad/objects.npz"), ["objects.npz", "Python objects", "one size"]),
        (("predict", "s.chainrule", "bad/cut.png"), ["cut.png", "damaged or cut short", "--broken skip"]),
        (("diagnose", "shapes", "--hidden", "3"), ["--hidden is for tables and texts", "shapes is read as pictures"]),
        (("diagnose", "s.chainrule"), ["is a model", "give data"]),
        (("train", "gone.npz"), ["no such file"]),
        (("predict", "s.chainrule", "gone.png"), ["gone.png", "no such file"]),
        (("predict", "s.chainrule", "bad/void"), ["no picture"]),
        (("predict", "s.chainrule", "shapes", "-o", "a.xlsx"), [".csv"]),
        (("predict", "s.chainrule", "shapes", "--broken", "x"), ["--broken"]),
        (("predict", "s.chainrule", "bad/numbers.npz"), ["shape (8, 8, 1)", "(16, 16, 3)"]),
        (("predict", "s.chainrule", "flowers.csv"), ["flowers.csv", "no picture"]),
    ]
    for arguments, expected in cases:
        refused(in_this_process(capfd, *arguments), expected)


@pytest.mark.slow
def test_no_picture_is_left_alone_in_the_last_batch(run: Any, folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (17, 1, 1), np.uint8)  # batch normalisation sees one value a picture
    np.savez(folder / "dots.npz", images=images, labels=np.arange(17) % 2)
    done = run("train", "dots.npz", "--epochs", "1", "--test-fraction", "0", "-m", "dots.chainrule")
    assert done.code == 0 and "batches of 17" in done.out, done


@pytest.mark.slow
def test_a_table_model_takes_several_tables_and_draws_no_grid(run: Any, trained: str) -> None:
    assert run("train", "flowers.csv", "-t", "kind", "--epochs", "1", "-m", "t.chainrule", "-q").code == 0
    assert "of 180 rows" in run("predict", "t.chainrule", "flowers.csv", "flowers.csv").out
    refused(run("predict", "t.chainrule", "flowers.csv", "--grid", "a.png"), ["--grid"])


def test_without_pillow(run: Any, trained: str, folder: Path) -> None:
    blocked = folder / "blocked" / "PIL"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('not there')", encoding="utf-8")
    sources = str(Path(sys.modules["chainrule"].__file__ or "").parents[1])
    done = run("predict", "s.chainrule", "shapes/disc/00.png", PYTHONPATH=f"{blocked.parent}:{sources}")
    assert done.code == 1 and "needs Pillow" in done.err and "chainrule[images]" in done.err
