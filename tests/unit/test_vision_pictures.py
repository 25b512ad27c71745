"""Pictures of segmentations and of adversarial samples."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import ParameterError, ShapeError
from chainrule.report import adversarial_picture, segmentation_picture

pytest.importorskip("matplotlib")
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["segmentation_picture", "adversarial_picture"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.report.{name}"))
    assert found.attempted and not found.failed


@pytest.mark.parametrize("shape", [(1, 8, 8), (5, 8, 6, 1), (3, 8, 8, 3)])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("with_truth", [False, True])
def test_masks_are_drawn(shape: tuple[int, ...], classes: int, with_truth: bool, tmp_path: Path) -> None:
    pictures = RNG.integers(0, 256, shape)
    masks, truth = RNG.integers(0, classes, (2, *shape[:3]))
    path = tmp_path / "masks.png"
    assert segmentation_picture(pictures, masks, path, true=truth if with_truth else None) == path
    assert path.stat().st_size > 2000


def test_colours_say_what_was_found_missed_and_claimed(tmp_path: Path) -> None:
    from matplotlib.image import imread

    predicted, true = np.zeros((2, 1, 3, 1), bool)
    predicted[0, :2], true[0, 1:] = True, True
    segmentation_picture(np.zeros((1, 3, 1)), predicted, path := tmp_path / "m.png", true=true)
    pixels = imread(path)[..., :3]
    seen = {tuple(np.round(colour, 2)) for colour in pixels.reshape(-1, 3)[::7]}
    for colour in ((213, 94, 0), (0, 158, 115), (86, 180, 233)):  # claimed wrongly, found, missed, over black
        wanted = tuple(np.round(0.55 * np.array(colour) / 255, 2))
        assert any(np.allclose(wanted, one, atol=0.015) for one in seen)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros((2, 8, 8)), np.zeros((2, 4, 4), int)), ShapeError, r"predicted has shape \(2, 4, 4\).*\(2, 8, 8\)"),
        ((np.zeros((8, 8)), np.zeros((8, 8), int)), ShapeError, r"\(N, H, W, 1 or 3\)"),
        ((np.zeros((0, 8, 8)), np.zeros((0, 8, 8), int)), ShapeError, "expected pictures"),
        ((np.zeros((1, 8, 8)), np.full((1, 8, 8), 0.3)), ParameterError, "p > 0.5"),
    ],
)
def test_masks_that_do_not_fit(arguments: tuple, error: type[Exception], message: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    with pytest.raises(error, match=message):
        segmentation_picture(*arguments, tmp_path / "m.png")
    with pytest.raises(ShapeError, match="true has shape"):
        segmentation_picture(np.zeros((1, 8, 8)), np.zeros((1, 8, 8)), tmp_path / "m.png", true=np.zeros((1, 4, 8)))
    with pytest.raises(ParameterError, match="columns"):
        segmentation_picture(np.zeros((1, 8, 8)), np.zeros((1, 8, 8)), tmp_path / "m.png", columns=0)
    with pytest.raises(ParameterError, match=r"\.png"):
        segmentation_picture(np.zeros((1, 8, 8)), np.zeros((1, 8, 8)), tmp_path / "m.txt")


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 8, 6, 1), (2, 8, 8, 3)])
def test_adversarial_samples_are_drawn(shape: tuple[int, ...], tmp_path: Path) -> None:
    x = RNG.random(shape)
    path = tmp_path / "a.png"
    words = ["three"] * len(x)
    assert adversarial_picture(x, x + 0.05, path, before=words, after=words) == path and path.stat().st_size > 2000
    with pytest.raises(ShapeError, match="of one shape"):
        adversarial_picture(x, x[:, :4], path)
    with pytest.raises(ShapeError, match="before has 0 entries"):
        adversarial_picture(x, x, path, before=[])
    with pytest.raises(ParameterError, match="factor"):
        adversarial_picture(x, x, path, factor=0)
    with pytest.raises(ShapeError, match="expected pictures"):
        adversarial_picture(np.zeros((2, 3)), np.zeros((2, 3)), path)
