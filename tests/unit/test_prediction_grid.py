"""The picture of predictions: colours say right and wrong, any kind of pixels is drawn, bad input is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ChainruleError, DataError, ParameterError, ShapeError
from chainrule.report import prediction_grid

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
P = np.array([[0.9, 0.1], [0.2, 0.8]])


def share(path: Path, colour: tuple[int, int, int]) -> float:
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return float((np.abs(pixels - colour).max(axis=2) < 12).mean())


def grey(n: int = 2) -> np.ndarray:
    return np.full((n, 8, 8), 128, np.uint8)


def test_right_is_blue_and_wrong_is_orange(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    prediction_grid(grey(), P, ["cat", "dog"], path, true=[0, 1])
    assert share(path, BLUE) > 0.005 and share(path, ORANGE) == 0
    prediction_grid(grey(), P, ["cat", "dog"], path, true=[1, 0])
    assert share(path, ORANGE) > 0.005 and share(path, BLUE) == 0
    prediction_grid(grey(), P, ["cat", "dog"], path)
    assert share(path, ORANGE) == share(path, BLUE) == 0


@pytest.mark.parametrize("pictures", [
    grey(), grey()[..., None], np.zeros((2, 4, 6, 3)), np.zeros((2, 4, 4), np.uint16), np.zeros((2, 3, 3, 3)) - 2,
    [np.zeros((2, 3), np.uint8), np.zeros((200, 100, 3), np.uint8)],
])  # fmt: skip
def test_every_kind_of_pixels(tmp_path: Path, pictures: Any) -> None:
    path = prediction_grid(pictures, P, ["a name that is far too long for its place", "b"], tmp_path / "a.svg", title="T")
    assert path.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(("n", "columns"), [(1, None), (9, None), (23, None), (5, 1), (5, 8)])
def test_any_number_of_pictures(tmp_path: Path, n: int, columns: int | None) -> None:
    p = np.full((n, 3), 1 / 3)
    prediction_grid(grey(n), p, ["a", "b", "c"], tmp_path / "a.png", columns=columns, true=[0] * n)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((grey(3), P, ["a", "b"]), ShapeError),
        ((grey(), P, ["a"]), ShapeError),
        ((grey(0), P[:0], ["a", "b"]), ShapeError),
        ((np.zeros((2, 3, 3, 2)), P, ["a", "b"]), ShapeError),
        ((grey(), P, ["a", "b"], "a.bmp"), ParameterError),
        ((grey(), P, ["a", "b"], "nowhere/a.png"), ParameterError),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[Any, ...], error: type[ChainruleError]) -> None:
    path = tmp_path / (arguments[3] if len(arguments) > 3 else "a.png")
    with pytest.raises(error):
        prediction_grid(*arguments[:3], path)
    with pytest.raises(ShapeError):
        prediction_grid(grey(), P, ["a", "b"], tmp_path / "a.png", true=[0])
    with pytest.raises(ParameterError):
        prediction_grid(grey(), P, ["a", "b"], tmp_path / "a.png", columns=0)
    for unknown in (["a", "z"], [0, 2], [-1, 0], [0, 0.5]):
        with pytest.raises(DataError, match="a true class is"):
            prediction_grid(grey(), P, ["a", "b"], tmp_path / "a.png", true=unknown)


def test_true_classes_may_be_names(tmp_path: Path) -> None:
    drawn = [prediction_grid(grey(), P, ["a", "b"], tmp_path / f"{i}.png", true=true).read_bytes()
             for i, true in enumerate(([0, 1], ["a", "b"], np.array(["a", "b"]), [1, 0]))]  # fmt: skip
    assert drawn[0] == drawn[1] == drawn[2] != drawn[3]
