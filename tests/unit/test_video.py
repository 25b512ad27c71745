"""Video: frames read and written."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chainrule.errors import ImageError, ParameterError
from chainrule.video import frames, reading, write_frames
from chainrule.video.reading import read_clip


def moving(n: int = 6, side: tuple[int, int] = (32, 48)) -> NDArray[np.uint8]:
    clip = np.full((n, *side, 3), 30, np.uint8)
    for t, frame in enumerate(clip):
        frame[8:20, 4 + 4 * t : 16 + 4 * t] = [200, 10 * t, 60]
    return clip


@pytest.mark.parametrize(("name", "error"), [("folder", 0), ("a.gif", 25), ("a.mp4", 25), ("a.avi", 25)])
def test_frames_come_back(tmp_path: Path, name: str, error: int) -> None:
    if name.endswith(("mp4", "avi")):
        pytest.importorskip("av")
    clip = moving()
    assert write_frames(tmp_path / name, clip) == 6
    again = read_clip(tmp_path / name)
    assert again.shape == clip.shape
    assert np.abs(again.astype(int) - clip).mean() <= error
    grey = read_clip(tmp_path / name, channels=1, most=2)
    assert grey.shape == (2, 32, 48, 1)


def test_numbers_in_names_are_sorted_as_numbers(tmp_path: Path) -> None:
    for i in range(12):
        Image.new("L", (4, 4), i).save(tmp_path / f"frame{i}.png")
    assert [int(frame[0, 0, 0]) for frame in frames(tmp_path, channels=1)] == list(range(12))


def test_bad_videos(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with pytest.raises(ImageError, match="no such file or folder"):
        list(frames(tmp_path / "none.mp4"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="there is no frame in it"):
        list(frames(tmp_path / "empty"))
    for name, content in (("a.mp4", b"no video"), ("b.gif", b"GIF89a"), ("c.mp4", b""), ("d.gif", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=f"{name}: it is no (video|animation) that can be read"):
            list(frames(tmp_path / name))
    Image.new("L", (4, 4)).save(tmp_path / "one.png")
    with pytest.raises(ImageError, match="expected a video, got one picture"):
        list(frames(tmp_path / "one.png"))
    Image.new("L", (4, 4)).save(tmp_path / "empty" / "1.png")
    Image.new("L", (4, 5)).save(tmp_path / "empty" / "2.png")
    with pytest.raises(ImageError, match="frame 1 has 5 × 4 pixels"):
        list(frames(tmp_path / "empty"))
    write_frames(tmp_path / "cut.mp4", moving(20))
    whole = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"cut\.mp4"):
        list(frames(tmp_path / "cut.mp4"))
    with pytest.raises(ParameterError, match=r"a \.gif or a video"):
        write_frames(tmp_path / "a.docx", moving())
    with pytest.raises(ImageError, match="no frame to write"):
        write_frames(tmp_path / "a.gif", [])
    for name in ("a.mp4", "a.gif"):
        with pytest.raises(ParameterError, match="no folder"):
            write_frames(tmp_path / "nowhere" / name, moving())


def test_a_strip_of_frames(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from chainrule.errors import ShapeError
    from chainrule.report import frames_picture

    film = np.random.default_rng(0).random((4, 8, 12))
    rows = {"seen": film, "true": film[:2, ..., None], "foreseen": np.zeros((2, 8, 12, 3), np.uint8)}
    place = frames_picture(rows, tmp_path / "strip.png", first={"true": 5, "foreseen": 5}, title="A film")
    with Image.open(place) as picture:
        assert picture.width > 2 * picture.height
    with pytest.raises(ShapeError, match="one size"):
        frames_picture({"a": film, "b": film[:, :4]}, place)
    with pytest.raises(ShapeError, match="must be frames"):
        frames_picture({"a": film[0, 0]}, place)
    with pytest.raises(ParameterError, match="no row"):
        frames_picture({}, place)
    with pytest.raises(ParameterError, match="first must"):
        frames_picture({"a": film}, place, first={"b": 2})


def test_examples_of_the_docstrings_run() -> None:
    found = doctest.testmod(reading)
    assert found.attempted and not found.failed
