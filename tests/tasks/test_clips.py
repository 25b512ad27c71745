"""Clips of video: the data set, the networks, the model, and the commands."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule import load
from chainrule.architectures.clip_networks import CLIP_NETWORKS, clip_network
from chainrule.cli.main import main
from chainrule.errors import DataError, ImageError, ParameterError, ShapeError, UnknownNameError
from chainrule.images import Augmentation
from chainrule.tasks import ClipModel
from chainrule.video import ClipData, holds_clips, write_frames

Clips = list[NDArray[np.uint8]]


def moving(n: int, seed: int = 0, frames: int = 12, side: int = 16) -> tuple[Clips, list[str]]:
    """A bright bar that moves to the right or to the left: no single frame tells which."""
    rng = np.random.default_rng(seed)
    clips, labels = [], []
    for i in range(n):
        right = i % 2 == 0
        clip = rng.integers(0, 60, (frames + int(rng.integers(0, 4)), side, side, 1)).astype(np.uint8)
        start = int(rng.integers(side))
        for t, frame in enumerate(clip):
            at = (start + (t if right else -t)) % side
            frame[:, at : at + 3] = 220
        clips.append(clip)
        labels.append("right" if right else "left")
    return clips, labels


def in_folders(folder: Path, n: int = 16, kind: str = "") -> Path:
    clips, labels = moving(n)
    for i, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        write_frames(folder / label / f"{i}{kind}", clip)
    return folder


@pytest.mark.parametrize("name", ["video.clip_data", "architectures.clip_networks", "tasks.clips.settings"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.{name}"))
    assert found.attempted and not found.failed


# ---------------------------------------------------------------- the data set


def test_windows_cover_every_clip_and_short_clips_repeat_their_last_frame() -> None:
    clips = [np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8) for n in (3, 8, 20)]
    data = ClipData(clips, ["a", "b", "b"], length=8, workers=1)
    assert data.clip_of.tolist() == [0, 1, 2, 2, 2] and data.n_samples == 5
    batch = next(data.batches(5))
    seen = np.rint(batch.inputs[0][:, :, 0, 0, 0] * 255).astype(int)
    assert seen[0].tolist() == [0, 1, 2, 2, 2, 2, 2, 2] and seen[1].tolist() == list(range(8))
    assert {v for row in seen[2:].tolist() for v in row} == set(range(20))
    assert batch.targets[0].tolist() == [0, 1, 1, 1, 1]
    skipped = ClipData(clips, length=4, step=3, workers=1)
    window = next(skipped.batches(9)).inputs[0][-1, :, 0, 0, 0] * 255
    assert np.rint(window).tolist() == [10, 13, 16, 19]


def test_one_change_is_made_to_all_frames() -> None:
    rng = np.random.default_rng(0)
    still = np.repeat(rng.integers(0, 256, (6, 1, 16, 16, 3)).astype(np.uint8), 12, axis=1)
    augmentation = Augmentation(flip="both", crop=0.6, rotate=20, brightness=0.2, contrast=0.2, cutout=0.2)
    data = ClipData(still, length=8, augmentation=augmentation, workers=1)
    x = next(data.batches(6, np.random.default_rng(1))).inputs[0]
    assert np.allclose(x, x[:, :1], atol=1e-5)  # whatever was done, nothing moves
    plain = next(data.batches(6)).inputs[0]
    assert np.abs(x - plain).mean() > 0.02
    assert np.array_equal(x, next(data.batches(6, np.random.default_rng(1))).inputs[0])


def test_files_stream_when_they_do_not_fit(tmp_path: Path) -> None:
    folder = in_folders(tmp_path / "clips", 6)
    kept = ClipData.from_folder(folder, length=8, size=16, channels=1, workers=2)
    streamed = ClipData.from_folder(folder, length=8, size=16, channels=1, keep_bytes=0, workers=2)
    assert kept.classes == ["left", "right"] and not streamed._kept and len(kept._kept) == 6
    for a, b in zip(kept.batches(4, np.random.default_rng(0)), streamed.batches(4, np.random.default_rng(0)), strict=True):
        assert np.array_equal(a.inputs[0], b.inputs[0]) and np.array_equal(a.targets[0], b.targets[0])
    first, second = kept.split(0.5, 0)
    assert first.n_clips == second.n_clips == 3
    standard = kept.standardised()
    values = np.concatenate([batch.inputs[0] for batch in standard.batches(8)])
    assert abs(values.mean()) < 0.2 and abs(values.std() - 1) < 0.2


def test_bad_clips(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="one size and kind"):
        ClipData([np.zeros((3, 4, 4, 1), np.uint8), np.zeros((3, 5, 4, 1), np.uint8)])
    with pytest.raises(ShapeError, match="clip 0 must have shape"):
        ClipData([np.zeros((0, 4, 4, 1), np.uint8)])
    with pytest.raises(DataError, match="clip 1 has values that are not finite"):
        ClipData([np.zeros((3, 4, 4, 1)), np.full((3, 4, 4, 1), np.nan)])
    with pytest.raises(DataError, match="whole numbers from 0 to 255"):
        ClipData([np.full((3, 4, 4, 1), 300)])
    with pytest.raises(ParameterError, match="length must be an int"):
        ClipData(np.zeros((1, 3, 4, 4, 1), np.uint8), length=0)
    with pytest.raises(ImageError, match="expected one folder for each class"):
        ClipData.from_folder(tmp_path)
    (tmp_path / "wave").mkdir()
    with pytest.raises(ImageError, match="the folder of class 'wave' holds no clip"):
        ClipData.from_folder(tmp_path)
    (tmp_path / "wave" / "1.mp4").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"1\.mp4: it is no video"):
        ClipData.from_folder(tmp_path)


def test_folders_of_clips_are_told_from_folders_of_pictures(tmp_path: Path) -> None:
    clips = in_folders(tmp_path / "clips", 4)
    assert holds_clips(clips)
    pytest.importorskip("av")
    assert holds_clips(in_folders(tmp_path / "videos", 2, ".mp4")) and holds_clips(in_folders(tmp_path / "gifs", 2, ".gif"))
    assert not holds_clips(clips / "left")  # a class with its clips is no set of classes
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name / "garden").mkdir(parents=True)
        for picture in ("a", "b", "k7"):
            (tmp_path / "pictures" / name / "garden" / f"{picture}.png").write_bytes(b"")
    assert not holds_clips(tmp_path / "pictures")


# ---------------------------------------------------------------- networks, models, commands


@pytest.mark.parametrize("name", sorted(CLIP_NETWORKS))
def test_networks_learn_what_only_movement_tells(name: str) -> None:
    clips, labels = moving(32)
    data = ClipData(clips, labels, length=8, workers=1).standardised()
    test = ClipData(*moving(12, seed=1), length=8, workers=1).standardised(like=data)
    net = clip_network(name)(2, channels=(8, 16), input_shape=data.shape, random_state=0)
    net.fit(data, epochs=12, batch_size=8, learning_rate=0.005, optimizer="adamw", threads=1, verbose=0)
    assert net.evaluate(test)["accuracy"] > 0.85


def test_unknown_networks_and_bad_arguments() -> None:
    with pytest.raises(UnknownNameError, match="conv3d"):
        clip_network("conv3")
    with pytest.raises(ParameterError, match="heads must divide"):
        clip_network("frames_attention")(2, channels=(8, 18))


def test_commands_and_the_saved_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    in_folders(tmp_path / "bars", 24)
    options = [
        "--epochs",
        "8",
        "--frames",
        "8",
        "--channels",
        "1",
        "--augment",
        "none",
        "--network",
        "conv3d",
        "--threads",
        "1",
    ]
    assert main(["train", "bars", *options]) == 0
    said = capsys.readouterr().out
    assert "24 clips, 2 classes" in said and "bars.chainrule" in said
    model = load("bars.chainrule")
    assert isinstance(model, ClipModel)
    assert model.evaluate("bars")["accuracy"] > 0.7
    clips, labels = moving(4, seed=5)
    assert model.predict(clips).shape == (4,) and model.score(clips, labels) >= 0.5
    assert np.allclose(model.predict_proba(clips[0]), model.predict_proba([clips[0]]))
    assert main(["predict", "bars.chainrule", "bars", "-o", "bars.csv"]) == 0
    assert (tmp_path / "bars.csv").read_text().splitlines()[0] == "clip,predicted_class,probability_left,probability_right"
    assert main(["predict", "bars.chainrule", "bars/left/1"]) == 0
    assert main(["show", "bars.chainrule", "--no-equations"]) == 0
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["predict", "bars.chainrule", "empty"], "there is no frame in it"),
        (["predict", "bars.chainrule", "none.mp4"], "no such file"),
        (["train", "bars", "--frames", "1"], "--frames"),
        (["train", "bars", "--grid", "a.png"], "--grid draws pictures"),
        (["train", "empty", "--task", "clips"], "expected one folder for each class"),
    ):
        capsys.readouterr()
        assert main(arguments) == 2, arguments
        assert message in capsys.readouterr().err.replace("\n", " "), arguments
    with pytest.raises(ShapeError, match="trained on clips of shape"):
        model.read(ClipData(np.zeros((1, 9, 8, 8, 1), np.uint8), length=8))
