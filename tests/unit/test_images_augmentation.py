"""Random changes of pictures: what each does to the pixels, to masks and to targets; the kernel against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.errors import ParameterError, UnknownNameError
from chainrule.images import Augmentation, ImageData, resampling
from chainrule.images.augmentation import Draw
from chainrule.images.resampling import resample, resample_classes

NOTHING, ONE = np.zeros(3, np.float32), np.ones(3, np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pictures(n: int = 40, height: int = 9, width: int = 7, channels: int = 3, seed: int = 0) -> np.ndarray:
    return rng(seed).integers(0, 256, (n, height, width, channels), np.uint8)


def changed(x: np.ndarray, augmentation: Augmentation, seed: int = 0) -> tuple[np.ndarray, Draw]:
    draw = augmentation.draw(len(x), x.shape[1], x.shape[2], rng(seed))
    c = x.shape[3]
    return resample(x, np.arange(len(x)), draw, NOTHING[:c], ONE[:c]), draw


@pytest.fixture(params=["kernel", "numpy"])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs on the compiled kernel and on NumPy (on NumPy twice where there is no kernel)."""
    if request.param == "numpy":
        monkeypatch.setattr(resampling, "_kernel", lambda: None)
    return str(request.param)


# ---------------------------------------------------------------- each change


def test_nothing_is_exact(each_way: str) -> None:
    x = pictures()
    rows = np.array([3, 3, 0, 39])
    mean, std = np.array([0.1, 0.2, 0.3], np.float32), np.array([0.5, 1, 2], np.float32)
    found = resample(x, rows, None, mean, std)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (x[rows] / 255 - mean) / std, atol=1e-6)
    floats = x.astype(np.float32)
    np.testing.assert_allclose(resample(floats, rows, None, mean, std), (floats[rows] - mean) / std, rtol=1e-5)


@pytest.mark.parametrize(("flip", "mirrors"), [
    ("horizontal", [(slice(None), slice(None, None, -1))]), (True, [(slice(None), slice(None, None, -1))]),
    ("vertical", [(slice(None, None, -1), slice(None))]),
    ("both", [(slice(None), slice(None, None, -1)), (slice(None, None, -1), slice(None)),
              (slice(None, None, -1), slice(None, None, -1))]),
])  # fmt: skip
def test_flips_move_whole_pixels(each_way: str, flip: Any, mirrors: list[Any]) -> None:
    x = pictures(60)
    found, _ = changed(x, Augmentation(flip=flip))
    unit = x / np.float32(255)
    seen = set()
    for picture, original in zip(found, unit, strict=True):
        kinds = [original, *(original[m] for m in mirrors)]
        same = [i for i, kind in enumerate(kinds) if np.allclose(kind, picture, atol=1e-6)]
        assert same, "neither the picture nor a mirror image of it"
        seen.add(same[0])
    assert seen == set(range(len(mirrors) + 1))


@pytest.mark.parametrize("fill", ["edge", "reflect", "zero"])
@pytest.mark.parametrize("shift", [2, 0.3])
def test_shifts_move_whole_pixels(each_way: str, fill: str, shift: float) -> None:
    x = pictures(50)
    found, draw = changed(x, Augmentation(shift=shift, fill=fill))
    mode: Any = {"edge": "edge", "reflect": "reflect", "zero": "constant"}[fill]
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode=mode) / np.float32(255)
    assert draw.matrix is not None
    moves = np.rint(draw.matrix[:, [2, 5]]).astype(int)
    # 0.3 of 9 and of 7 pixels are 2 whole ones
    assert set(moves[:, 0]) == set(moves[:, 1]) == {-2, -1, 0, 1, 2}
    for picture, original, (dy, dx) in zip(found, padded, moves, strict=True):
        np.testing.assert_allclose(picture, original[2 + dy : 11 + dy, 2 + dx : 9 + dx], atol=1e-6)


def test_rotation_by_a_right_angle_and_its_direction(each_way: str) -> None:
    x = pictures(1, 8, 8)
    turn = np.array([[0, 1, 0, -1, 0, 7]], np.float32)  # y = j, x = 7 - i
    draw = Draw(turn, None, None, None, None, None, "edge")
    found = resample(x, np.arange(1), draw, NOTHING, ONE)[0]
    expected = np.array([[x[0, j, 7 - i] for j in range(8)] for i in range(8)]) / np.float32(255)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("augmentation", [Augmentation(rotate=30), Augmentation(crop=0.6), Augmentation(zoom=0.4)])
def test_interpolation_is_exact_on_planes(each_way: str, augmentation: Augmentation) -> None:
    """Bilinear interpolation reproduces a·y + b·x + c inside the picture."""
    height, width = 31, 25
    y, x = np.mgrid[:height, :width].astype(np.float32)
    plane = np.broadcast_to((2 * y - 3 * x + 7)[None, ..., None], (20, height, width, 1)).astype(np.float32).copy()
    found, draw = changed(plane, augmentation)
    assert draw.matrix is not None
    a, b, c, d, e, f = (column[:, None, None] for column in draw.matrix.T)
    at_y, at_x = a * y + b * x + c, d * y + e * x + f
    inside = (at_y >= 0) & (at_y <= height - 1) & (at_x >= 0) & (at_x <= width - 1)
    assert inside.mean() > 0.5 and not np.allclose(found[..., 0], plane[..., 0])
    np.testing.assert_allclose(found[..., 0][inside], (2 * at_y - 3 * at_x + 7)[inside], atol=2e-3)
    assert found.min() >= plane.min() - 1e-3 and found.max() <= plane.max() + 1e-3


def test_windows_and_zooms_have_the_sizes_asked_for() -> None:
    crops = Augmentation(crop=0.5).draw(500, 20, 20, rng()).matrix
    zooms = Augmentation(zoom=0.25).draw(500, 20, 20, rng()).matrix
    assert crops is not None and zooms is not None
    assert 0.5 <= crops[:, 0].min() < 0.55 and 0.95 < crops[:, 0].max() <= 1
    corners = np.stack([crops[:, 2], crops[:, 2] + 19 * crops[:, 0]], axis=1)
    assert corners.min() > -0.5 and corners.max() < 19.5  # a window lies in the picture
    assert 0.8 - 1e-6 <= zooms[:, 0].min() < 0.82 and 1.23 < zooms[:, 0].max() <= 1.25 + 1e-6


def test_brightness_and_contrast_stay_in_range(each_way: str) -> None:
    x = pictures()
    found, draw = changed(x, Augmentation(brightness=0.4, contrast=0.5))
    assert draw.gain is not None and draw.offset is not None and 0.5 <= draw.gain.min() < draw.gain.max() <= 1.5
    expected = np.clip(x / np.float32(255) * draw.gain[:, None, None, None] + draw.offset[:, None, None, None], 0, 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.min() == 0 and found.max() == 1
    # What range floats have is not known.
    floats, draw = changed(x.astype(np.float32) - 100, Augmentation(brightness=0.4))
    assert draw.offset is not None
    np.testing.assert_allclose(
        floats, x - 100.0 + draw.offset[:, None, None, None], atol=1e-4
    )  # no range is known of floats


def test_cutout_empties_a_square(each_way: str) -> None:
    x = np.full((200, 10, 12, 1), 200, np.uint8)
    data = ImageData(x, augmentation=Augmentation(cutout=0.5), mean=0.25, std=0.5)
    found = next(data.batches(200, rng())).inputs[0][..., 0]
    empty = found == 0
    np.testing.assert_allclose(np.unique(found), [0, (200 / 255 - 0.25) / 0.5], rtol=1e-6)
    assert empty.sum(axis=(1, 2)).max() == 25 and empty.any(axis=(1, 2)).all() and empty.any(axis=0).all()
    rows, columns = empty[0].any(axis=1), empty[0].any(axis=0)
    np.testing.assert_array_equal(empty[0], rows[:, None] & columns)


def test_mixup_mixes_pictures_and_targets_alike(each_way: str) -> None:
    x = np.zeros((8, 2, 2, 1), np.uint8)
    x[4:] = 255
    data = ImageData(x, [0] * 4 + [1] * 4, augmentation=Augmentation(mixup=1.0))
    batch = next(data.batches(8, rng(3)))
    mixed, y = batch.inputs[0][:, 0, 0, 0], batch.targets[0]
    assert y.shape == (8, 2) and y.dtype == np.float32
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed, y[:, 1], atol=1e-6)  # white is class 1
    assert ((y[:, 1] > 0.01) & (y[:, 1] < 0.99)).any()
    numbers = ImageData(x, x[:, 0, 0, 0] / 255.0, augmentation=Augmentation(mixup=1.0))
    batch = next(numbers.batches(8, rng(3)))
    np.testing.assert_allclose(batch.targets[0], batch.inputs[0][:, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("fill", ["edge", "reflect", "zero"])
def test_masks_move_with_their_pictures(fill: str) -> None:
    """A picture that shows its own mask still does after any change of place."""
    classes = np.kron(rng().integers(0, 4, (30, 4, 4)), np.ones((5, 6), int)).astype(np.uint8)
    augmentation = Augmentation(flip="both", shift=3, rotate=40, zoom=0.3, crop=0.7, fill=fill)
    data = ImageData(classes * np.uint8(60), masks=classes, augmentation=augmentation)
    batch = next(data.batches(30, rng()))
    shown, masks = batch.inputs[0][..., 0] * 255 / 60, batch.targets[0]
    assert masks.dtype == np.int32 and masks.shape == (30, 20, 24)
    assert (np.abs(shown - masks) < 0.5).mean() > 0.8  # but for pixels between two classes
    assert (masks != classes).mean() > 0.3
    whole = next(data.batches(30))
    np.testing.assert_array_equal(whole.targets[0], classes)


# ---------------------------------------------------------------- the kernel against NumPy


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(1, 6), height=st.integers(1, 17), width=st.integers(1, 17), channels=st.integers(1, 4),
    floats=st.booleans(), seed=st.integers(0, 10_000), fill=st.sampled_from(["edge", "reflect", "zero"]),
    options=st.fixed_dictionaries({}, optional={
        "flip": st.sampled_from(["horizontal", "both"]), "crop": st.floats(0.2, 0.9), "shift": st.integers(0, 30),
        "rotate": st.floats(0, 180), "zoom": st.floats(0, 0.9), "brightness": st.floats(0, 1), "contrast": st.floats(0, 1),
        "cutout": st.floats(0, 0.9), "mixup": st.floats(0, 2),
    }),
)  # fmt: skip
def test_kernel_and_numpy_agree(
    n: int, height: int, width: int, channels: int, floats: bool, seed: int, fill: str, options: dict[str, Any]
) -> None:
    x = pictures(n + 2, height, width, channels, seed)
    source = x.astype(np.float32) / 3 - 20 if floats else x
    rows = rng(seed).integers(0, n + 2, n)
    draw = Augmentation(fill=fill, **options).draw(n, height, width, rng(seed))
    mean, std = np.linspace(0, 1, channels, dtype=np.float32), np.linspace(0.5, 2, channels, dtype=np.float32)
    found = resample(source, rows, draw, mean, std)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "_kernel", lambda: None)
        expected = resample(source, rows, draw, mean, std)
    # Where a place lies on a pixel's edge, rounding of it may take another pixel, with a weight of nearly 0.
    scale = np.abs(source).max() + 1 if floats else 1
    np.testing.assert_allclose(found, expected, atol=3e-3 * scale)


def test_other_layouts_of_memory(each_way: str) -> None:
    x = pictures(6, 8, 8)
    expected = resample(x, np.arange(6), None, NOTHING, ONE)
    wide = x.astype(np.uint16) * 257
    for source in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], wide):
        np.testing.assert_allclose(resample(source, np.arange(6), None, NOTHING, ONE), expected, atol=1e-6)
    assert resample_classes(x[..., 0], np.array([2, 1]), None).tolist() == x[[2, 1], ..., 0].tolist()


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("arguments", [
    {"flip": "sideways"}, {"flip": 1}, {"crop": 0}, {"crop": 1}, {"crop": 1.5}, {"shift": -1}, {"shift": 1.5},
    {"rotate": 181}, {"rotate": -1},
    {"rotate": "much"}, {"zoom": 1}, {"brightness": 2}, {"contrast": -0.1}, {"cutout": 1}, {"mixup": -1},
    {"mixup": float("nan")}, {"fill": "green"},
])  # fmt: skip
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"Augmentation: {next(iter(arguments))}"):
        ImageData(pictures(), augmentation=Augmentation(**arguments))


def test_from_text() -> None:
    made = Augmentation.from_text("flip=vertical, shift=3,rotate=7.5 , fill=zero")
    assert made == Augmentation(flip="vertical", shift=3, rotate=7.5, fill="zero")
    assert Augmentation.from_text("light,shift=2") == Augmentation(**{**Augmentation.LIGHT, "shift": 2})
    assert Augmentation.from_text("") == Augmentation()
    with pytest.raises(UnknownNameError, match=r"'rotat'.*Did you mean 'rotate'"):
        Augmentation.from_text("rotat=3")
    with pytest.raises(ParameterError, match=r"rotate=0\.1"):
        Augmentation.from_text("rotate")
    with pytest.raises(ParameterError, match="crop"):
        Augmentation.from_text("crop=3")


def test_masks_cannot_be_mixed() -> None:
    with pytest.raises(ParameterError, match="mixup"):
        ImageData(pictures(), masks=pictures()[..., 0], augmentation=Augmentation(mixup=0.2))


@pytest.mark.parametrize("slope", [0.0, 1e-30, -1e-30, 1e-38, 1e-6, -1e-6])
def test_lines_that_hardly_lean(each_way: str, slope: float) -> None:
    """Rows far outside, on the border and inside, of a map that is nearly straight."""
    x = pictures(3, 6, 5, 1)
    matrix = np.array([[1, slope, far, slope, 1, 0.25] for far in (-20.0, 0.5, 20.0)], np.float32)
    found = resample(x, np.arange(3), Draw(matrix, None, None, None, None, None, "edge"), NOTHING[:1], ONE[:1])[..., 0]
    unit, right = x[..., 0] / np.float32(255), np.minimum(np.arange(5) + 1, 4)
    across = 0.75 * unit + 0.25 * unit[:, :, right]
    expected = np.stack([
        np.repeat(across[0][:1], 6, axis=0),
        0.5 * across[1] + 0.5 * across[1][np.minimum(np.arange(6) + 1, 5)],
        np.repeat(across[2][-1:], 6, axis=0),
    ])  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-4)
