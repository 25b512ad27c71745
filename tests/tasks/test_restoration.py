"""Noise taken out of pictures, and colours put in."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import load
from chainrule.cli.main import main
from chainrule.errors import DataError, ModelFileError, NotFittedError, ParameterError, ShapeError
from chainrule.images.writing import write_picture
from chainrule.tasks.restoration.measures import colourfulness, psnr
from chainrule.tasks.restoration.picture_restorer import PictureRestorer


def scenes(n: int, seed: int = 0) -> list[np.ndarray]:
    """Pictures of a blue sky above green ground, with a bright disc; of several sizes."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(n):
        height, width = rng.integers(40, 56, 2)
        y, x = np.mgrid[:height, :width]
        line, at = rng.integers(15, 25), rng.integers(8, 30, 2)
        picture = np.where((y < line)[..., None], [0.35, 0.55, 0.9], [0.2, 0.4, 0.1])
        picture[np.hypot(y - at[0], x - at[1]) < 6] = [0.95, 0.9, 0.75]
        found.append(picture.astype(np.float32))
    return found


SMALL = {"width": 8, "patch": 16, "batch_size": 16, "random_state": 0}


def test_noise_of_unknown_strength_is_taken_out() -> None:
    grey = [one.mean(axis=2) for one in scenes(12)]
    model = PictureRestorer(depth=4, patches=600, epochs=8, learning_rate=0.005, sigma=(5, 40), **SMALL).fit(grey[:10])
    for sigma in (15, 30):
        found = model.evaluate(grey[10:], sigma=sigma)
        assert found["psnr"] > found["psnr of noisy"] + 3
    assert found["psnr of noisy"] == pytest.approx(20 * np.log10(255 / 30), abs=0.3)
    restored = model.predict(grey[0])
    assert restored.shape == (*grey[0].shape, 1) and restored.min() >= 0 and restored.max() <= 1


def test_grey_pictures_get_the_colours_of_what_is_like_them(tmp_path) -> None:
    pytest.importorskip("skimage")
    photos = scenes(12)
    model = PictureRestorer("colour", patches=240, epochs=5, learning_rate=0.01, **SMALL).fit(photos[:10])
    found = model.evaluate(photos[10:])
    assert found["psnr"] > found["psnr of grey"] + 2 and found["psnr"] > found["psnr of mean colour"] + 1
    assert found["colourfulness"] > 0.3 * found["colourfulness of truth"]
    model.save(tmp_path / "c.chainrule")
    grey = photos[10].mean(axis=2)
    np.testing.assert_array_equal(load(tmp_path / "c.chainrule").predict(grey), model.predict(grey))
    with pytest.raises(ModelFileError, match="holds no PictureRestorer"):
        model.network.save(tmp_path / "n.chainrule")
        PictureRestorer.load(tmp_path / "n.chainrule")


def test_measures() -> None:
    assert psnr(np.full(4, 0.01), np.zeros(4)) == pytest.approx(40) and psnr([1.0], [1.0]) == float("inf")
    assert colourfulness(np.full((4, 4, 3), 0.3)) == 0 < colourfulness(scenes(1)[0])
    with pytest.raises(ShapeError):
        psnr(np.zeros(3), np.zeros(4))


def test_what_does_not_fit_is_refused() -> None:
    photos = scenes(2)
    with pytest.raises(ParameterError, match="task"):
        PictureRestorer("sharpen").fit(photos)
    with pytest.raises(ParameterError, match="sigma must be"):
        PictureRestorer(sigma=(50, 15)).fit(photos)
    with pytest.raises(ShapeError, match="a patch has 64 pixels"):
        PictureRestorer(patch=64).fit(photos)
    with pytest.raises(ParameterError, match="multiple of 8"):
        PictureRestorer("colour", patch=20).fit(photos)
    with pytest.raises(DataError, match="Some are grey"):
        PictureRestorer("colour", patch=16).fit([photos[0], photos[1][..., 0]])
    with pytest.raises(DataError, match="not finite"):
        PictureRestorer(patch=16).fit([photos[0] * np.nan])
    with pytest.raises(ShapeError, match="picture 0 must be"):
        PictureRestorer(patch=16).fit([np.zeros((40, 40, 4))])
    with pytest.raises(DataError, match="no picture"):
        PictureRestorer().fit([])
    with pytest.raises(NotFittedError):
        PictureRestorer().predict(photos[0])


def test_the_command_trains_and_restores(tmp_path, capsys, monkeypatch) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i, one in enumerate(scenes(4)):
        write_picture(one, tmp_path / "photos" / f"{i}.png")
    learned = ["restore", "train", "photos", "--epochs", "1", "--patches", "32", "--width", "4", "--seed", "0"]
    assert main([*learned, "--sigma", "15:50", "-o", "m.chainrule"]) == 0
    assert "psnr of noisy" in capsys.readouterr().out
    assert main(["restore", "m.chainrule", "photos/0.png", "-o", "out.png"]) == 0
    (tmp_path / "out").mkdir()
    assert main(["restore", "m.chainrule", "photos/0.png", "photos/1.png", "-o", "out"]) == 0
    assert (tmp_path / "out" / "1.png").is_file()
    capsys.readouterr()
    for wrong, words in (
        (["restore", "m.chainrule", "photos/0.png", "--epochs", "2"], "--epochs is for training"),
        (["restore", "m.chainrule"], "give a model and pictures"),
        (["restore", "train", "photos", "--sigma", "much"], "--sigma must be"),
        (["restore", "m.chainrule", "photos/0.png", "photos/1.png"], "into a folder that exists"),
    ):
        assert main(wrong) == 2 and words in capsys.readouterr().err
