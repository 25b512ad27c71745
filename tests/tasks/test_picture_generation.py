"""Generators of pictures: objectives, classes, measures, faults, files and the command."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule
from chainrule.cli.main import main
from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError, ShapeError
from chainrule.images.writing import picture_lattice, write_animation, write_picture
from chainrule.tasks.picture_generation.faults import Record, faults_of
from chainrule.tasks.picture_generation.picture_generator import OBJECTIVES, PictureGenerator
from chainrule.tasks.picture_generation.sample_metrics import (
    frechet_distance,
    kernel_distance,
    precision_and_recall,
    separation,
    variety,
)


def bars(n: int = 256, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with a bright bar, upright ("up") or lying ("flat"), at one of several places."""
    rng = np.random.default_rng(seed)
    X, y = np.zeros((n, 8, 8), np.uint8), rng.integers(0, 2, n)
    for picture, kind, at in zip(X, y, rng.integers(1, 6, n), strict=True):
        (picture if kind else picture.T)[:, at : at + 2] = 255
    return X, np.array(["flat", "up"])[y]


def model(**more) -> PictureGenerator:
    return PictureGenerator(**{"width": 8, "noise": 8, "epochs": 2, "batch_size": 32, "random_state": 0, **more})


def test_asked_for_a_class_it_makes_pictures_of_that_class() -> None:
    X, y = bars(1024)
    made = model(epochs=25, learning_rate=0.002, average=0.98).fit(X, y)
    for name in ("flat", "up"):
        pictures = made.sample(100, labels=name, random_state=1)[..., 0].astype(float)
        along, across = pictures.mean(axis=1).var(axis=1), pictures.mean(axis=2).var(axis=1)
        assert ((along > across) == (name == "up")).mean() > 0.9
    assert made.history_["generator"] and not any(fault.name == "collapse" for fault in made.faults_)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_objective_trains_and_gives_bytes(objective: str) -> None:
    X, _ = bars(96)
    made = model(objective=objective, critic_steps=2, spectral=objective == "wasserstein").fit(X[..., None] / 255)
    assert np.isfinite(made.history_["loss"]).all()
    sample = made.sample(5, truncation=0.7, random_state=0)
    assert sample.shape == (5, 8, 8, 1) and sample.dtype == np.uint8
    way = made.interpolate(3, frames=4, random_state=0)
    assert way.shape == (12, 8, 8, 1)
    np.testing.assert_array_equal(sample, made.sample(5, truncation=0.7, random_state=0))


def test_measures_and_files(tmp_path) -> None:
    X, y = bars(200)
    made = model(average=None).fit(X, y)
    found = made.evaluate(X, y)
    assert found["frechet"] > found["frechet of real"] >= 0 and 0 <= found["precision"] <= 1
    made.save(tmp_path / "g.chainrule")
    again = chainrule.load(tmp_path / "g.chainrule")
    np.testing.assert_array_equal(again.sample(4, labels="up", random_state=3), made.sample(4, labels="up", random_state=3))
    chainrule.Network([chainrule.Dense(1)]).build((2,)).save(tmp_path / "n.chainrule")
    with pytest.raises(ModelFileError, match="holds no PictureGenerator"):
        PictureGenerator.load(tmp_path / "n.chainrule")


def test_distances_of_normal_distributions_are_what_they_must_be() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 4))
    wide = 3 * b + 1
    # ‖μ‖² = 4, and for each of four axes (3 − 1)².
    assert frechet_distance(a, wide) == pytest.approx(4 + 4 * 4, rel=0.1)
    assert abs(frechet_distance(a, b)) < 0.02 and abs(kernel_distance(a[:800], b[:800])) < 0.1 < kernel_distance(
        a[:800], wide[:800]
    )
    precision, recall = precision_and_recall(a[:500], b[:500])
    assert precision > 0.85 and recall > 0.85
    assert precision_and_recall(a[:500], a[:500] + 50) == (0.0, 0.0)
    assert separation([1, 2, 3], [0, 0, 0]) == 1.0 and separation([1], [1]) == 0.5
    assert variety(np.array([[0.0], [2.0]])) == 2.0
    with pytest.raises(ShapeError):
        frechet_distance(a, b[:, :2])


def test_faults_are_found_in_the_numbers() -> None:
    healthy = Record([0.5] * 8, [0.8] * 8, [0.2] * 7, [0.25] * 6)
    assert faults_of(healthy, 0.6) == []
    assert [f.name for f in faults_of(Record([0.1], [0.9]), 0.6)] == ["collapse"]
    assert [f.name for f in faults_of(Record([0.5] * 4, [1.0] * 4), 0.6)] == ["winning critic"]
    to_and_fro = Record([0.5] * 8, [0.8] * 8, [0.4] * 7, [0.1] * 6)
    (fault,) = faults_of(to_and_fro, 0.6)
    assert fault.name == "oscillation" and "0.4" in fault.title and "learning rate" in str(fault)


def test_what_does_not_fit_is_refused() -> None:
    X, y = bars(40)
    with pytest.raises(DataError, match="one picture has no variety"):
        model().fit(X[:1])
    with pytest.raises(DataError, match="need as many labels"):
        model().fit(X, y[:5])
    with pytest.raises(DataError, match="one label for each picture"):
        model().fit(X, np.full(40, np.nan))
    with pytest.raises(DataError, match="not finite"):
        model().fit(np.where(X > 9, np.nan, 0.0))
    with pytest.raises(DataError, match=r"numbers in \[0, 1\]"):
        model().fit(X * 1.0)
    with pytest.raises(ShapeError, match="must be halved"):
        model().fit(np.zeros((4, 18, 9, 1)))
    with pytest.raises(ShapeError, match="pictures of one size"):
        model().fit(np.zeros((4, 8, 8, 4)))
    with pytest.raises(ParameterError, match="objective"):
        model(objective="cross").fit(X)
    with pytest.raises(NotFittedError):
        model().sample()
    made = model(epochs=1).fit(X)
    with pytest.raises(ParameterError, match="without labels"):
        made.sample(2, labels="up")
    made = model(epochs=1).fit(X, y)
    with pytest.raises(DataError, match="no class is named 'round'"):
        made.sample(2, labels="round")


def test_the_command_trains_and_makes_pictures(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("PIL")
    X, y = bars(60)
    for i, (picture, name) in enumerate(zip(X, y, strict=True)):
        (tmp_path / "bars" / name).mkdir(parents=True, exist_ok=True)
        write_picture(picture, tmp_path / "bars" / name / f"{i}.png")
    small = ["--epochs", "1", "--width", "4"]
    assert main(["generate", "train", "bars", "-o", "g.chainrule", *small, "--size", "8", "--seed", "0"]) == 0
    assert "60 pictures of 2 classes, 8 × 8, 1 channel(s)" in capsys.readouterr().out
    assert main(["generate", "g.chainrule", "-n", "9", "-o", "grid.png", "--labels", "up", "--animation", "way.gif"]) == 0
    from PIL import Image

    with Image.open("grid.png") as grid, Image.open("way.gif") as way:
        assert grid.size == (28, 28) and way.n_frames == 60
    np.savez("bars.npz", X)
    assert main(["generate", "train", "bars.npz", *small]) == 0
    capsys.readouterr()
    for wrong, words in (
        (["generate", "g.chainrule", "--epochs", "3"], "--epochs is for training"),
        (["generate", "train", "bars", "-n", "3"], "--count is for making pictures"),
        (["generate", "train"], "give a model, or the word train"),
        (["generate", "train", "nowhere"], "no such folder"),
        (["generate", "g.chainrule", "-o", "grid.txt"], "A picture is written to a file named"),
        (["generate", "nothing.chainrule"], "nothing.chainrule"),
        (["generate", "g.chainrule", "-n", "0"], "--count must be an int of at least 1"),
        (["generate", "g.chainrule", "--animation", "way.mp4"], "file named .gif"),
        (["generate", "train", "bars", "--size", "0"], "--size must be an int of at least 1"),
    ):
        assert main(wrong) == 2 and words in capsys.readouterr().err


def test_lattices_and_animations(tmp_path) -> None:
    pytest.importorskip("PIL")
    lattice = picture_lattice(np.zeros((5, 4, 6, 3), np.uint8), columns=3, gap=1)
    assert lattice.shape == (9, 20, 3) and (lattice[4] == 255).all() and (lattice[5:, 14:] == 255).all()
    with pytest.raises(ShapeError):
        picture_lattice(np.zeros((2, 4, 6, 2)))
    with pytest.raises(ParameterError, match=r"named \.gif"):
        write_animation([lattice], tmp_path / "a.mp4")
