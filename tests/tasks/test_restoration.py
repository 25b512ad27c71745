"""Noise taken out of pictures, colours put in, small pictures made larger: in Python and by the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule import load
from chainrule.architectures import dncnn, super_resolution, unet
from chainrule.cli.main import main
from chainrule.errors import DataError, ImageError, ModelFileError, NotFittedError, ParameterError, ShapeError
from chainrule.images.writing import write_picture
from chainrule.tasks.restoration import PictureRestorer, RestorationModel
from chainrule.tasks.restoration.any_size import AnySize
from chainrule.tasks.restoration.measures import colourfulness, from_luminance, luminance
from chainrule.tasks.restoration.noise import Noise
from chainrule.tasks.restoration.patch_data import PatchData

pytest.importorskip("PIL")


def scenes(n: int, seed: int = 0, *, side: int = 40) -> list[np.ndarray]:
    """Pictures of a blue sky above green ground, with a bright disc; of several sizes."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(n):
        height, width = rng.integers(side, side + 16, 2)
        y, x = np.mgrid[:height, :width]
        line, at = rng.integers(15, 25), rng.integers(8, 30, 2)
        picture = np.where((y < line)[..., None], [0.35, 0.55, 0.9], [0.2, 0.4, 0.1])
        picture[np.hypot(y - at[0], x - at[1]) < 6] = [0.95, 0.9, 0.75]
        found.append(picture.astype(np.float32))
    return found


SMALL = {"width": 8, "patch": 16, "batch_size": 16, "random_state": 0}


@pytest.fixture(scope="module")
def denoiser() -> PictureRestorer:
    grey = [one.mean(axis=2) for one in scenes(10)]
    return PictureRestorer(depth=4, patches=320, epochs=8, learning_rate=0.01, sigma=(5, 40), **SMALL).fit(grey)


def test_noise_of_unknown_strength_is_taken_out(denoiser) -> None:
    grey = [one.mean(axis=2) for one in scenes(2, 1)]
    for sigma in (15, 30):
        found = denoiser.evaluate(grey, sigma=sigma)
        assert found["psnr"] > found["psnr_of_noisy"] + 2
    assert found["psnr_of_noisy"] == pytest.approx(20 * np.log10(255 / 30), abs=0.3)
    restored = denoiser.predict(grey[0])
    assert restored.shape == (*grey[0].shape, 1) and restored.min() >= 0 and restored.max() <= 1
    noisy = grey[0] + 0.1 * np.random.default_rng(0).normal(size=grey[0].shape)
    known = denoiser.evaluate([noisy], [grey[0]])  # both are given
    assert known["psnr"] > known["psnr_of_noisy"] and denoiser.score([grey[0]]) > 20
    with pytest.raises(DataError, match="y has 2 pictures for 1"):
        denoiser.evaluate([noisy], grey)
    with pytest.raises(ShapeError, match="its truth has shape"):
        denoiser.evaluate([noisy], [grey[0][:-1]])
    with pytest.raises(ShapeError, match="learned from grey pictures"):
        denoiser.predict(scenes(1)[0])


@pytest.mark.parametrize("colours", ["classes", "mean"])
def test_grey_pictures_get_the_colours_of_what_is_like_them(tmp_path, colours) -> None:
    pytest.importorskip("skimage")
    photos = scenes(12)
    model = PictureRestorer("colour", colours=colours, patches=160, epochs=6, learning_rate=0.02, **SMALL | {"width": 16})
    found = model.fit(photos[:10]).evaluate(photos[10:])
    assert found["psnr"] > found["psnr_of_grey"] + 2 and found["psnr"] > found["psnr_of_mean_colour"] + 1
    assert found["colourfulness"] > 0.3 * found["colourfulness_of_truth"]
    model.save(tmp_path / "c.chainrule")
    grey = photos[10].mean(axis=2)
    opened = load(tmp_path / "c.chainrule")
    np.testing.assert_array_equal(opened.predict(grey), model.predict(grey))
    assert opened.predict(grey).shape == photos[10].shape
    with pytest.raises(DataError, match="is grey"):
        model.evaluate([grey])


def test_small_pictures_are_made_larger() -> None:
    photos = scenes(10)
    model = PictureRestorer("enlarge", depth=3, patches=160, epochs=6, learning_rate=0.01, **SMALL).fit(photos[:8])
    found = model.evaluate(photos[8:])
    assert found["psnr"] > found["psnr_of_bicubic"] + 0.3
    assert model.predict(photos[0][:9, :7]).shape == (18, 14, 3) and model.predict(photos[0][..., 0]).shape[2] == 1


def test_a_large_picture_is_computed_in_parts_and_gives_the_same() -> None:
    rng = np.random.default_rng(0)
    for network, step, scale in ((dncnn(1, width=4, depth=4), 2, 1), (super_resolution(2, width=4, depth=3), 1, 2)):
        network.build((16, 16, 1))
        for value in network.parameters.values():
            value += 0.1 * rng.standard_normal(value.shape)
        picture = rng.random((311, 603, 1), np.float32)
        parts, whole = AnySize(network, step=step, margin=24)(picture), AnySize(network, step=step)(picture)
        assert parts.shape == (scale * 311, scale * 603, 1)
        np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_patches_are_spoilt_anew_in_training_and_the_same_for_validation() -> None:
    pairs = [Noise(sigma=(30, 30)).pair((255 * one[..., :1]).astype(np.uint8)) for one in scenes(3)]
    data = PatchData(pairs, Noise(sigma=(30, 30)), side=16, count=10)
    first, second = (list(data.batches(4)) for _ in range(2))
    assert [len(batch.inputs[0]) for batch in first] == [4, 4, 2] and data.n_samples == 10
    np.testing.assert_array_equal(first[0].inputs[0], second[0].inputs[0])
    rng = np.random.default_rng(0)
    assert not np.array_equal(next(data.batches(4, rng)).inputs[0], next(data.batches(4, rng)).inputs[0])
    noise = np.concatenate([batch.inputs[0] - batch.targets[0] for batch in first])
    assert noise.std() == pytest.approx(30 / 255, rel=0.1)
    rest, part = data.split(0.4, 0)
    assert len(rest.pairs) == 2 and len(part.pairs) == 1
    with pytest.raises(DataError, match="cannot be divided"):
        part.split(0.5)


def test_measures_and_networks() -> None:
    assert colourfulness(np.full((4, 4, 3), 0.3)) == 0 < colourfulness(scenes(1)[0])
    light, colours = luminance(scenes(1)[0])
    np.testing.assert_allclose(from_luminance(light, colours), scenes(1)[0], atol=1e-5)
    assert luminance(np.ones((1, 1, 3)))[0][0, 0, 0] == pytest.approx(235 / 255)
    assert unet(3, channels=(4, 8, 8), shrink=4, input_shape=(16, 16, 1)).output_shapes == [(4, 4, 3)]
    with pytest.raises(ParameterError, match="power of 2 of at most 4"):
        unet(3, channels=(4, 8, 8), shrink=8)
    with pytest.raises(ShapeError, match="multiples of 2"):
        dncnn(input_shape=(15, 16, 1))


def test_what_does_not_fit_is_refused(denoiser) -> None:
    photos = scenes(2)
    with pytest.raises(ParameterError, match="task"):
        PictureRestorer("sharpen").fit(photos)
    with pytest.raises(ParameterError, match="sigma must be"):
        PictureRestorer(sigma=(50, 15), patch=16).fit(photos)
    with pytest.raises(DataError, match="smaller than a patch of 64"):
        PictureRestorer(patch=64).fit(photos)
    with pytest.raises(ParameterError, match="multiple of 8"):
        PictureRestorer("colour", patch=20).fit(photos)
    with pytest.raises(DataError, match="all pictures are grey"):
        PictureRestorer("colour", patch=16).fit([photos[0][..., 0], photos[1][..., 0]])
    with pytest.raises(DataError, match="not finite"):
        PictureRestorer(patch=16).fit([photos[0] * np.nan])
    with pytest.raises(DataError, match="bytes, or numbers"):
        PictureRestorer(patch=16).fit([photos[0] * 100])
    with pytest.raises(ShapeError, match="picture 0 must be"):
        PictureRestorer(patch=16).fit([np.zeros((40, 40, 4))])
    with pytest.raises(DataError, match="no picture"):
        PictureRestorer().fit([])
    with pytest.raises(NotFittedError):
        PictureRestorer().predict(photos[0])
    with pytest.raises(ParameterError, match="for spoil=True"):
        denoiser.predict(photos[0][..., 0], sigma=5)
    with pytest.raises(ImageError):
        denoiser.predict("missing.png")


def test_a_file_of_another_network_is_refused(tmp_path, denoiser) -> None:
    place = tmp_path / "m.chainrule"
    dncnn(3, width=4, depth=3, input_shape=(16, 16, 3), random_state=0).save(
        place, extra={"restoration": {"format": 1, "degradation": Noise().state(), "facts": {}}}
    )
    with pytest.raises(ModelFileError, match="do not belong together"):
        load(place)
    denoiser.model_.network.save(place)
    with pytest.raises(ModelFileError, match="holds no RestorationModel"):
        RestorationModel.load(place)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("restoration") / "photos"
    folder.mkdir()
    for i, one in enumerate(scenes(8)):
        write_picture(one, folder / f"{i}.png")
    return folder


FEW = ["--epochs", "1", "--patches", "32", "--width", "8", "--depth", "3", "--patch", "16", "--seed", "0"]


@pytest.mark.parametrize(
    ("task", "more", "shown", "result"),
    [
        ("denoise", ["--sigma", "15:50"], "PSNR of noisy", "denoised"),
        pytest.param("colour", ["--colours", "mean"], "PSNR of mean colour", "coloured", marks=pytest.mark.slow),
        pytest.param("enlarge", ["--factor", "2"], "PSNR of bicubic", "enlarged", marks=pytest.mark.slow),
    ],
)
def test_the_commands_train_and_restore(photos, tmp_path, capsys, monkeypatch, task, more, shown, result) -> None:
    pytest.importorskip("matplotlib")
    if task == "colour":
        pytest.importorskip("skimage")
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(photos), "--task", task, *FEW, *more, "-m", "m.chainrule", "--grid", "g.png"]) == 0
    assert shown in capsys.readouterr().out and (tmp_path / "g.png").stat().st_size > 1000
    one = str(photos / "0.png")
    assert main(["predict", "m.chainrule", one]) == 0
    assert (tmp_path / f"0-{result}.png").is_file()
    assert main(["predict", "m.chainrule", one, "-o", "out.jpg"]) == 0 and (tmp_path / "out.jpg").is_file()
    assert main(["predict", "m.chainrule", str(photos), "-o", "out/"]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"{i}.png" for i in range(8)]
    assert main(["predict", "m.chainrule", one, str(photos), "--spoil", "-o", "spoilt", "--grid", "h.png"]) == 0
    assert shown in capsys.readouterr().out and (tmp_path / "spoilt" / "0-2.png").is_file()
    assert main(["show", "m.chainrule"]) == 0 and task in capsys.readouterr().out
    for wrong, words in (
        (["predict", "m.chainrule", one, "--epochs", "2"], "No such option"),
        (["predict", "m.chainrule", one, "-o", "out.csv"], "gives pictures, no table"),
        (["predict", "m.chainrule", str(photos), "-o", "one.png"], "do not go into one file"),
        (["predict", "m.chainrule", one, "-o", "nowhere/one.png"], "does not exist"),
        (["predict", "m.chainrule", "nothing.png"], "nothing.png"),
    ):
        assert main(wrong) == 2 and words in capsys.readouterr().err


@pytest.mark.slow
def test_a_saved_model_restores_in_a_new_process(denoiser, tmp_path) -> None:
    denoiser.save(tmp_path / "m.chainrule")
    np.save(tmp_path / "x.npy", scenes(1)[0].mean(axis=2))
    code = "import numpy as np, chainrule; np.save('y.npy', chainrule.load('m.chainrule').predict(np.load('x.npy')))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), denoiser.predict(np.load(tmp_path / "x.npy")), atol=1e-6)


@pytest.mark.slow
def test_more_training_and_diagnosis_of_a_saved_model(denoiser, photos, tmp_path, capsys) -> None:
    place = tmp_path / "m.chainrule"
    denoiser.save(place)
    assert main(["diagnose", str(place), str(photos), "--epochs", "1"]) in (0, 1)
    assert main(["diagnose", str(photos), "--task", "denoise", *FEW]) in (0, 1)
    capsys.readouterr()


def test_wrong_settings_and_folders_are_one_error(photos, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    for wrong, words in (
        (["--sigma", "much"], "--sigma must be"),
        (["--sigma", "50:15"], "--sigma must be"),
        (["--task", "colour", "--sigma", "25"], "--sigma is for --task denoise"),
        (["--factor", "3"], "--factor is for --task enlarge"),
        (["--patch", "17"], "multiple of 2"),
        (["--test-fraction", "0.99"], "none is left"),
        (["--patch", "512"], "smaller than a patch"),
        (["--target", "x"], "--target is for"),
    ):
        given = ["train", str(photos), *(["--task", "denoise"] if "--task" not in wrong else []), *wrong]
        assert main(given) == 2 and words in capsys.readouterr().err, wrong
    for folder, words in (("empty", "no picture"), ("broken", "a.png"), ("missing", "missing")):
        assert main(["train", folder, "--task", "denoise"]) == 2 and words in capsys.readouterr().err
    write_picture(scenes(1)[0], tmp_path / "broken" / "b.png")
    write_picture(scenes(1)[0], tmp_path / "broken" / "c.png")
    given = ["train", "broken", "--task", "denoise", "--broken", "skip", *FEW]
    assert main(given) == 0 and "cannot be read" in capsys.readouterr().out


def test_the_web_service_takes_and_gives_pictures(denoiser) -> None:
    from chainrule.serving.served_model import _OfTask

    served = _OfTask(denoiser.model_)
    work = served.from_plain((255 * scenes(1)[0][..., 0]).astype(int).tolist())
    answer = served.answer(work, served.predict_alone(work))["predictions"]
    assert len(answer) == 1 and np.shape(answer[0]) == (*scenes(1)[0].shape[:2], 1) and isinstance(answer[0][0][0][0], int)
    with pytest.raises(DataError, match="nested lists"):
        served.from_plain([["a"]])


@pytest.mark.parametrize("factor", [3, 4])
def test_other_factors(factor) -> None:
    model = PictureRestorer("enlarge", factor=factor, depth=2, patches=4, epochs=1, **SMALL | {"patch": 24}).fit(scenes(2))
    assert model.predict(scenes(1)[0][:7, :5]).shape == (7 * factor, 5 * factor, 3)
    with pytest.raises(ParameterError, match="factor"):
        PictureRestorer("enlarge", factor=5).fit(scenes(2))
