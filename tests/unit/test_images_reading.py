"""chainrule.images: one picture, folders of them, and everything that can be wrong with both."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError, ImageError, ParameterError
from chainrule.images import ImageData, ImagePreprocessor, class_folders, picture_files, read_picture
from chainrule.images.picture import MAX_PIXELS, read_header, read_mask

Image = pytest.importorskip("PIL.Image")


def colours(height: int = 6, width: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write(path: Path, pixels: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    image.save(path, **options)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes of 6 coloured pictures 6 × 4."""
    for k, name in enumerate(("cat", "dog")):
        for i in range(6):
            write(tmp_path / "pets" / name / f"{i}.png", colours(seed=10 * k + i))
    return tmp_path / "pets"


# ---------------------------------------------------------------- kinds of pictures


def test_rgb_and_grey(tmp_path: Path) -> None:
    pixels = colours()
    path = write(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_picture(path), pixels)
    grey = read_picture(path, channels=1)
    assert grey.shape == (6, 4, 1)
    np.testing.assert_allclose(grey[..., 0], pixels @ [0.299, 0.587, 0.114], atol=1)
    flat = write(tmp_path / "b.png", pixels[..., 0])
    np.testing.assert_array_equal(read_picture(flat), np.repeat(pixels[..., :1], 3, axis=2))
    assert read_header(flat) == (6, 4, True) and read_header(path) == (6, 4, False)


def test_sixteen_bits_keep_their_upper_half(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 65535], [1000, 20000, 40000, 60000]], np.uint16)
    path = write(tmp_path / "a.png", values)
    np.testing.assert_array_equal(read_picture(path, channels=1)[..., 0], values >> 8)


def test_palette_bits_alpha_and_cmyk(tmp_path: Path) -> None:
    pixels = colours()
    palette = Image.fromarray(pixels).quantize(256)
    found = read_picture(write(tmp_path / "p.png", palette))
    np.testing.assert_array_equal(found, np.asarray(palette.convert("RGB")))

    bits = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(read_picture(write(tmp_path / "1.png", bits), channels=1)[..., 0], bits * 255)

    alpha = np.full((6, 4, 1), 255, np.uint8)
    alpha[0], alpha[1] = 0, 128
    found = read_picture(write(tmp_path / "rgba.png", np.concatenate([pixels, alpha], axis=2)))
    assert (found[0] == 255).all()  # transparent is white
    np.testing.assert_array_equal(found[2:], pixels[2:])
    np.testing.assert_allclose(found[1], (pixels[1].astype(float) + 255) / 2, atol=1.5)
    grey_alpha = np.stack([pixels[..., 0], alpha[..., 0]], axis=2)
    assert (read_picture(write(tmp_path / "la.png", grey_alpha), channels=1)[0] == 255).all()
    see_through = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    see_through.putpalette([10, 20, 30, 200, 100, 50])
    found = read_picture(write(tmp_path / "t.png", see_through, transparency=0))
    assert found.tolist() == [[[255, 255, 255], [200, 100, 50]]]

    smooth = np.repeat(np.repeat(colours(2, 2), 16, axis=0), 16, axis=1)
    cmyk = Image.fromarray(smooth).convert("CMYK")
    found = read_picture(write(tmp_path / "c.jpg", cmyk, quality=98))
    assert np.abs(found.astype(int) - smooth).mean() < 6


def test_pictures_are_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    pixels = np.repeat(np.repeat(colours(2, 3), 16, axis=0), 16, axis=1)  # 32 high, 48 wide
    for orientation, upright in ((1, pixels), (3, pixels[::-1, ::-1]), (6, np.rot90(pixels, -1)), (8, np.rot90(pixels)),
                                 (2, pixels[:, ::-1]), (5, pixels.transpose(1, 0, 2))):  # fmt: skip
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = write(tmp_path / f"{orientation}.jpg", pixels, exif=exif, quality=98)
        assert read_header(path)[:2] == upright.shape[:2]
        found = read_picture(path)
        assert found.shape == upright.shape and np.abs(found.astype(int) - upright).mean() < 6
        assert read_picture(path, size=(8, 8)).shape == (8, 8, 3)


#: The upright picture of pixels stored with each orientation.
UPRIGHT = {
    1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1), 6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].swapaxes(0, 1), 8: np.rot90,
}  # fmt: skip


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "webp"])
def test_every_format_is_turned_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    pixels = np.repeat(np.repeat(colours(2, 3), 16, axis=0), 16, axis=1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    near = 6 if suffix == "jpg" else 0
    path = write(tmp_path / f"a.{suffix}", pixels, exif=exif, **options)
    upright = UPRIGHT[orientation](pixels)
    assert read_header(path) == (*upright.shape[:2], False)
    assert np.abs(read_picture(path).astype(int) - upright).mean() <= near
    small = read_picture(path, size=(upright.shape[0] // 8, upright.shape[1] // 8))
    assert np.abs(small.astype(int) - upright[4::8, 4::8]).mean() <= 24
    if suffix in ("tif", "png"):
        classes = np.arange(6, dtype=np.uint8).reshape(2, 3).repeat(2, axis=0)
        mask = write(tmp_path / f"m.{suffix}", classes, exif=exif)
        turned = UPRIGHT[orientation](classes)
        picture = write(tmp_path / "p.png", np.zeros((*turned.shape, 3), np.uint8))
        np.testing.assert_array_equal(read_mask(mask, of=picture), turned)
        assert read_header(mask) == (*turned.shape, True)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(16, 64), (64, 16)])
def test_a_sideways_photograph_made_narrow_keeps_its_detail(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    photograph = Image.fromarray(rng.integers(0, 256, (32, 48, 3), np.uint8)).resize((1536, 1024), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(tmp_path / "a.jpg", photograph, exif=exif, quality=95)
    whole = Image.fromarray(np.ascontiguousarray(UPRIGHT[orientation](np.asarray(Image.open(path)))))
    wanted = np.asarray(whole.resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.abs(read_picture(path, size=size).astype(int) - wanted).mean() < 1


def test_sizes(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, 10:30] = 255
    path = write(tmp_path / "a.png", pixels)
    assert (read_picture(path, size=(10, 10), fit="crop") > 200).all()
    stretched = read_picture(path, size=(10, 20), fit="stretch")[..., 0]
    assert (stretched[:, :4] == 0).all() and (stretched[:, 6:14] == 255).all()
    padded = read_picture(path, size=(20, 20), fit="pad")[..., 0]
    assert (padded[:4] == 0).all() and (padded[-4:] == 0).all() and padded[10, 10] == 255
    large = np.repeat(np.repeat(colours(4, 4), 100, axis=0), 100, axis=1)
    path = write(tmp_path / "b.jpg", large, quality=95)
    whole = np.asarray(Image.open(path).resize((4, 4), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read_picture(path, size=(4, 4)) - whole).max() < 6  # a JPEG decoded in short is still the picture


# ---------------------------------------------------------------- broken pictures


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(path: Path) -> Path:
    """A PNG of a hundred bytes that claims 40,000 × 40,000 pixels."""
    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def broken(folder: Path) -> dict[str, Path]:
    whole = write(folder / "whole.png", colours(64, 64)).read_bytes()
    photo = write(folder / "whole.jpg", colours(64, 64)).read_bytes()
    files = {
        "corrupt.png": whole[:200] + bytes(200) + whole[400:],
        "cut.png": whole[: len(whole) // 2],
        "cut.jpg": photo[: len(photo) // 2],
        "empty.png": b"",
        "text.png": b"this is no picture at all",
        "head.jpg": photo[:20],
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    write(folder / "float.tif", np.ones((4, 4), np.float32))
    (folder / "whole.png").unlink(), (folder / "whole.jpg").unlink()
    return {name: folder / name for name in (*files, "float.tif", "missing.png")} | {"bomb.png": bomb(folder / "bomb.png")}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("corrupt.png", "damaged or cut short|cannot be opened"),
        ("cut.png", "damaged or cut short"),
        ("cut.jpg", "damaged or cut short"),
        ("empty.png", "empty"),
        ("text.png", "no picture"),
        ("head.jpg", "damaged or cut short|no picture|cannot be opened"),
        ("float.tif", "floating-point"),
        ("missing.png", "no such file"),
        ("bomb.png", "refused"),
    ],
)
def test_a_broken_picture_names_its_file(tmp_path: Path, name: str, words: str) -> None:
    path = broken(tmp_path)[name]
    with pytest.raises(ImageError, match=words) as found:
        read_picture(path)
    assert name in str(found.value)
    with pytest.raises(ImageError, match="folder"):
        read_picture(tmp_path)


def test_a_picture_just_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.images import picture

    assert picture.MAX_PIXELS == MAX_PIXELS == Image.MAX_IMAGE_PIXELS
    path = write(tmp_path / "a.png", colours(10, 11))
    monkeypatch.setattr(picture, "MAX_PIXELS", 109)
    with pytest.raises(ImageError, match=r"a\.png.*10 × 11.*at most 109"):
        read_picture(path)


def test_broken_pictures_stop_or_are_left_out(tmp_path: Path, pets: Path) -> None:
    for path in broken(tmp_path).values():
        if path.exists():
            path.rename(pets / "cat" / path.name)
    data = ImageData.from_folder(pets, size=8, workers=2)
    with pytest.raises(ImageError, match="cat"):
        list(data.batches(4))
    with pytest.warns(UserWarning, match="8 of 20 pictures cannot be read and are left out. The first: .*bomb"):
        data = ImageData.from_folder(pets, size=8, on_error="skip", workers=2)
    assert data.n_samples == 12 and len(data.skipped) == 8 and data.skipped[0][0].name == "bomb.png"
    assert [len(b.targets[0]) for b in data.batches(5)] == [5, 5, 2]
    for path in (pets / "dog").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(ImageError, match="No picture of class 'dog'"):
        ImageData.from_folder(pets, size=8, on_error="skip")
    for path in (pets / "cat").iterdir():
        path.write_bytes(b"x")
    with pytest.raises(ImageError, match="None of the 20"):
        ImageData.from_folder(pets, size=8, on_error="skip")


# ---------------------------------------------------------------- folders


def test_a_folder_of_classes(pets: Path) -> None:
    (pets / ".hidden").mkdir()
    (pets / "cat" / "Thumbs.db").write_bytes(b"x")
    (pets / "cat" / ".x.png").write_bytes(b"x")
    write(pets / "cat" / "deeper" / "7.PNG", colours())
    (pets / "dog" / "loop").symlink_to(pets / "dog")
    found = class_folders(pets)
    assert list(found) == ["cat", "dog"] and len(found["cat"]) == 7 and len(found["dog"]) == 6
    assert len(picture_files(pets)) == 13
    data = ImageData.from_folder(pets)
    assert data.classes == ["cat", "dog"] and data.shape == (6, 4, 3) and data.n_samples == 13
    assert data.targets is not None and data.targets.tolist() == [0] * 7 + [1] * 6
    X, y = data.arrays()
    assert X.shape == (13, 6, 4, 3) and y is not None
    first = read_picture(data.files()[0])
    np.testing.assert_array_equal(data.pictures([0])[0], first)
    np.testing.assert_allclose(X[0], first / 255, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "nowhere", "no such folder"),
        (lambda p: write(p / "a.png", colours()), "got a file"),
        (lambda p: _made(p / "void"), "found no folders"),
        (lambda p: write(p / "loose" / "1.png", colours()).parent, "found 1 picture but no folders"),
        (
            lambda p: [_made(p / "e" / "cat"), write(p / "e" / "dog" / "1.png", colours())][1].parents[1],
            "cat.*holds no picture",
        ),
        (lambda p: write(p / "s" / "train" / "cat" / "1.png", colours()).parents[2], "parts of a data set.*train"),
    ],
)
def test_folders_that_will_not_do(tmp_path: Path, make: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        ImageData.from_folder(make(tmp_path))


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_several_sizes_without_a_resize(pets: Path) -> None:
    write(pets / "dog" / "wide.png", colours(6, 9))
    with pytest.raises(ImageError, match=r"wide\.png: 6 × 9 pixels.*0\.png, has 6 × 4.*size="):
        list(ImageData.from_folder(pets).batches(4))
    assert [b.n_samples for b in ImageData.from_folder(pets, size=5).batches(8)] == [8, 5]


def test_grey_is_found_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "1.png", colours()[..., 0])
    assert ImageData.from_folder(tmp_path).shape == (6, 4, 1)
    write(tmp_path / "b" / "2.png", colours())
    assert ImageData.from_folder(tmp_path).shape == (6, 4, 3)
    assert ImageData.from_folder(tmp_path, channels=1).shape == (6, 4, 1)


# ---------------------------------------------------------------- masks in files


def test_masks_in_files(tmp_path: Path) -> None:
    classes = np.random.default_rng(0).integers(0, 3, (6, 4)).astype(np.uint8)
    picture = write(tmp_path / "x.png", colours())
    palette = Image.fromarray(classes)
    palette = palette.convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    for name, mask in (("grey", classes), ("palette", palette), ("rgb", np.repeat(classes[..., None], 3, axis=2))):
        np.testing.assert_array_equal(read_mask(write(tmp_path / f"{name}.png", mask), of=picture), classes)
    black_white = write(tmp_path / "bw.png", (classes > 0).astype(np.uint8) * 255)
    np.testing.assert_array_equal(read_mask(black_white), classes > 0)
    void = Image.fromarray((classes > 0).astype(np.uint8) * 255).convert("P")
    np.testing.assert_array_equal(read_mask(write(tmp_path / "grey palette.png", void)), classes > 0)
    void.putpalette([0, 0, 0, *[128, 0, 0] * 254, 224, 224, 192])  # 255 is the label of pixels without one
    np.testing.assert_array_equal(read_mask(write(tmp_path / "void.png", void)), (classes > 0) * 255)
    data = ImageData([picture], masks=[tmp_path / "grey.png"])
    batch = next(data.batches(1))
    np.testing.assert_array_equal(batch.targets[0][0], classes)
    with pytest.raises(ImageError, match=r"small\.png: the mask is 3 × 4.*x\.png is 6 × 4"):
        next(ImageData([picture], masks=[write(tmp_path / "small.png", classes[:3])], size=4).batches(1))
    with pytest.raises(ImageError, match="the mask has colours"):
        read_mask(write(tmp_path / "c.png", colours()))
    with pytest.raises(DataError, match="X has 1 samples but masks has 2"):
        ImageData([picture], masks=[picture, picture])


# ---------------------------------------------------------------- preprocessing


def test_preprocessor(pets: Path) -> None:
    p = ImagePreprocessor((6, 4), mean=[0.1, 0.2, 0.3], std=[0.5, 1.0, 2.0])
    pixels = p.read(pets / "cat" / "0.png")
    expected = (pixels / 255 - [0.1, 0.2, 0.3]) / [0.5, 1.0, 2.0]
    np.testing.assert_allclose(p.normalise(pixels[None])[0], expected, atol=1e-6)
    again = ImagePreprocessor(**p.config())
    assert again == p and again.shape == (6, 4, 3)
    with pytest.raises(DataError.__mro__[1], match="expected pictures"):
        p.normalise(pixels[None, :3])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 0}, "size"), ({"size": (3, 4, 5)}, "size"), ({"size": "big"}, "size"),
        ({"size": 4, "channels": 2}, "channels"),
        ({"size": 4, "fit": "squash"}, "fit"), ({"size": 4, "std": 0}, "std"), ({"size": 4, "mean": [1, 2]}, "mean"),
    ],
)  # fmt: skip
def test_bad_preprocessing(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        ImagePreprocessor(**arguments).validate()


# ---------------------------------------------------------------- links and pipes


def test_links_in_circles_count_no_picture_for_another_class(pets: Path) -> None:
    before = {name: len(files) for name, files in class_folders(pets).items()}
    (pets / "cat" / "all").symlink_to(pets)
    (pets / "cat" / "others").symlink_to(pets / "dog")
    (pets / "cat" / "up").symlink_to("..")
    (pets / "whole").symlink_to(".")
    (pets / "cat" / "itself").symlink_to("itself")
    assert {name: len(files) for name, files in class_folders(pets).items()} == before
    assert len(picture_files(pets / "cat")) == 6 + 6  # a link to the other folder, asked for alone
    (pets / "hound").symlink_to("dog")
    with pytest.raises(ImageError, match="the classes 'dog' and 'hound' are one folder"):
        class_folders(pets)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_refused_instead_of_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(ImageError, match="got a pipe"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(ImageError, match="a pipe or a device"):
        ImageData.from_npz(tmp_path / "a.npz")
