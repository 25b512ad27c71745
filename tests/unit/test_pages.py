"""Pages of text: annotations, maps of lines and back, reading order, lines cut out, pages drawn, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.boxes import iou, paired_iou
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError
from chainrule.images.lines import installed_fonts
from chainrule.pages import (
    PageData,
    as_quadrilaterals,
    bounds,
    cut_line,
    decoded_lines,
    encoded_lines,
    is_text_pages,
    line_scores,
    matched_lines,
    of_boxes,
    read_text_pages,
    reading_order,
    synthetic_pages,
)
from chainrule.pages.quadrilaterals import areas_and_lengths

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("scipy")


def turned(box: tuple[float, float, float, float], degrees: float) -> np.ndarray:
    """The corners of a box turned around its middle."""
    corners, angle = of_boxes(np.array([box]))[0], np.radians(degrees)
    middle = corners.mean(axis=0)
    return (corners - middle) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + middle


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("seed", range(4))
def test_level_lines_come_back_from_their_maps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tops = np.arange(5, 280, 31) + rng.integers(0, 6, 9)
    lefts, widths, heights = rng.integers(2, 80, 9), rng.integers(12, 200, 9), rng.integers(10, 25, 9)
    boxes = np.stack([lefts, tops, lefts + widths, tops + heights], axis=1).astype(float)
    lines, scores = decoded_lines(encoded_lines(of_boxes(boxes), (320, 320))[..., 0])
    overlaps = iou(boxes, bounds(lines))
    assert len(lines) == 9 and (scores > 0.6).all() and (overlaps.max(axis=1) > 0.8).all()


@pytest.mark.parametrize("degrees", [-25, -8, 12, 40])
def test_slanted_lines_come_back_slanted(degrees: float) -> None:
    line = turned((60, 140, 260, 166), degrees)
    found, _ = decoded_lines(encoded_lines(line[None], (320, 320))[..., 0])
    assert len(found) == 1
    # The corners are in the order of the true ones, so a line that is cut out is not upside down.
    assert np.abs(found[0] - line).max() < 8
    assert areas_and_lengths(found)[0][0] == pytest.approx(areas_and_lengths(line[None])[0][0], rel=0.25)


def test_maps_of_thresholds_and_of_what_counts() -> None:
    boxes = of_boxes(np.array([[16, 16, 80, 40], [16, 60, 80, 84.0], [100, 16, 120, 18]]))
    maps = encoded_lines(boxes, (128, 128), unread=np.array([False, True, False]))
    text, counted, threshold, edges = np.moveaxis(maps, 2, 0)
    assert text[14, 20] == 1 and text[9, 20] == 0 and text[36, 20] == 0
    assert counted[14, 20] == 1 and counted[36, 20] == 0, "a line that nobody could read is neither text nor paper"
    assert counted[8, 55] == 0, "a line of two pixels in height cannot be seen"
    assert threshold.max() <= 0.7 and threshold[8, 20] > 0.6 and threshold.min() == pytest.approx(0.3)
    assert edges[8, 20] == 1 and edges[14, 20] == 0 and edges[50, 5] == 0
    assert encoded_lines(np.zeros((0, 4, 2)), (32, 32))[..., 1].all()
    assert decoded_lines(np.zeros((8, 8)))[0].shape == (0, 4, 2)
    speck = np.zeros((8, 8))
    speck[3, 3] = 1
    assert not len(decoded_lines(speck, least_height=8)[0])


def test_quadrilaterals_as_they_are_given() -> None:
    crossed = as_quadrilaterals([[0, 0, 4, 2, 4, 0, 0, 2]])[0]  # two corners are exchanged
    assert crossed.tolist() == [[0, 0], [4, 0], [4, 2], [0, 2]]
    assert as_quadrilaterals([[[0, 0], [0, 2], [4, 2], [4, 0]]])[0, 1].tolist() == [4, 0]
    assert as_quadrilaterals([]).shape == (0, 4, 2)
    with pytest.raises(ShapeError, match="corners"):
        as_quadrilaterals(np.zeros((2, 5)))
    with pytest.raises(DtypeError, match="numbers"):
        as_quadrilaterals([["a"] * 8])
    with pytest.raises(DataError, match="line 1"):
        as_quadrilaterals([[0] * 8, [np.nan] * 8])


# ---------------------------------------------------------------- annotations


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        Image.fromarray(np.full((60, 100), 255, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("\ufeff10,10,50,10,50,20,10,20,TOTAL, 12.30\n\n60,10,90,10,90,20,60,20,###\n", "utf-8")
    (tmp_path / "gt_b.txt").write_bytes("10,10,50,20,Caf\u00e9\n".encode("cp1252"))
    return tmp_path


def test_text_files_beside_pictures(folder: Path) -> None:
    assert is_text_pages(folder)
    first, second = read_text_pages(folder)
    assert first.texts == ("TOTAL, 12.30", "###") and first.unread.tolist() == [False, True] and not first.wrong
    assert bounds(first.lines).tolist() == [[10, 10, 50, 20], [60, 10, 90, 20]]
    assert second.texts == ("Caf\u00e9",) and bounds(second.lines).tolist() == [[10, 10, 50, 20]]


def test_text_files_in_a_folder_of_their_own(folder: Path) -> None:
    (folder / "img").mkdir()
    (folder / "box").mkdir()
    for place in folder.glob("*.png"):
        place.rename(folder / "img" / place.name)
    for place in folder.glob("*.txt"):
        place.rename(folder / "box" / place.name)
    assert len(read_text_pages(folder)) == 2


def test_boxes_of_other_formats_are_lines(folder: Path) -> None:
    for place in folder.glob("*.txt"):
        place.unlink()
    (folder / "annotations.json").write_text(
        '{"images": [{"id": 1, "file_name": "a.png", "height": 60, "width": 100}],'
        '"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 6, 20, 10]}],'
        '"categories": [{"id": 1, "name": "text"}]}'
    )
    page = read_text_pages(folder)[0]
    assert bounds(page.lines).tolist() == [[5, 6, 25, 16]] and page.texts is None


def test_annotations_that_cannot_be_used(folder: Path) -> None:
    (folder / "a.txt").write_text("10,10,50,10,50,20,10,20,good\n10,x,50,10\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: expected x1,y1"):
        read_text_pages(folder)
    (folder / "a.txt").write_text("10,10,500,10,500,20,10,20,wide\n30,30,30,30,30,30,30,30,empty\n")
    page = read_text_pages(folder)[0]
    assert bounds(page.lines).tolist() == [[10, 10, 100, 20]] and page.texts == ("wide",) and len(page.wrong) == 2
    with pytest.raises(DataError, match="leaves the picture"):
        read_text_pages(folder, wrong="stop")
    (folder / "c.txt").write_text("10,10,50,10,50,20,10,20,lost\n")
    with pytest.raises(DataError, match=r"c\.txt: there is no picture c"):
        read_text_pages(folder)
    with pytest.raises(DataError, match="no such folder"):
        read_text_pages(folder / "nothing")
    for place in folder.glob("*.txt"):
        place.unlink()
    with pytest.raises(DataError, match="no picture has a file of lines"):
        read_text_pages(folder)


# ---------------------------------------------------------------- order, matching, cutting


def test_reading_order_of_rows_and_of_columns() -> None:
    receipt = [(10 + 200 * (i % 2), 30 * (i // 2) + 3 * (i % 2), 60 + 200 * (i % 2), 30 * (i // 2) + 20) for i in range(10)]
    assert reading_order(np.array(receipt, float)).tolist() == list(range(10))
    prose = [(220 * c, 30 * r, 220 * c + 200, 30 * r + 20) for c in range(2) for r in range(6)]
    title = [(100, -40, 320, -20)]
    mixed = np.array([*prose, *title], float)
    assert reading_order(mixed).tolist() == [12, *range(12)]
    shuffled = np.random.default_rng(0).permutation(13)
    assert shuffled[reading_order(mixed[shuffled])].tolist() == [12, *range(12)]
    assert reading_order(np.zeros((0, 4))).tolist() == []


def test_matching_is_one_to_one() -> None:
    true = np.array([[0, 0, 100, 20], [0, 30, 100, 50], [0, 60, 100, 80.0]])
    found = np.array([[0, 0, 100, 19], [0, 1, 100, 20], [0, 62, 100, 80], [200, 0, 300, 20.0]])
    unread = np.array([False, False, True])
    numbers, counts = matched_lines(true, found, unread)
    assert numbers.tolist() == [0, -1, -1, -1] and counts.tolist() == [True, True, False, True]
    scores = line_scores([true], [found], [unread])
    assert scores["precision"] == pytest.approx(1 / 3) and scores["recall"] == 0.5
    assert line_scores([true[:0]], [found[:0]])["F1"] == 0


def test_a_slanted_line_is_cut_out_level() -> None:
    page = np.full((200, 300), 255, np.uint8)
    pen = Image.fromarray(page)
    from PIL import ImageDraw

    line = turned((60, 90, 240, 110), 20)
    ImageDraw.Draw(pen).polygon([tuple(corner) for corner in line], fill=0)
    cut = cut_line(np.asarray(pen), line)
    assert abs(cut.shape[0] - 20) <= 1 and abs(cut.shape[1] - 180) <= 1 and (cut[3:-3, 3:-3] < 40).all()
    assert cut_line(page, np.array([[290, 190], [310, 190], [310, 210], [290, 210]])).shape == (10, 10)


# ---------------------------------------------------------------- data


def test_parts_of_pages_agree_with_their_maps() -> None:
    boxes = np.array([[40 + 10 * i, 30 + 40 * i, 260, 54 + 40 * i] for i in range(8)], float)
    page = np.full((400, 320), 240, np.uint8)
    for left, top, right, bottom in boxes.astype(int).tolist():
        page[top:bottom, left:right] = 20
    data = PageData([page, 255 - page], [of_boxes(boxes)] * 2, width=320, size=160, parts=3, workers=1)
    assert data.n_samples == 6 and not data.repeats_samples
    batches = list(data.batches(4, np.random.default_rng(0)))
    again = list(data.batches(4, np.random.default_rng(0)))
    assert [len(batch.inputs[0]) for batch in batches] == [4, 2]
    assert all(np.array_equal(a.inputs[0], b.inputs[0]) for a, b in zip(batches, again, strict=True))
    still = [next(data.take([0, 1], change=False).batches(6)) for _ in range(2)]
    assert np.array_equal(still[0].inputs[0], still[1].inputs[0])
    for batch in (*batches, still[0]):
        x, text = batch.inputs[0][..., 0], batch.targets[0][..., 0] > 0.5
        ink = x.reshape(len(x), 80, 2, 80, 2).mean(axis=(2, 4))
        for one, true in zip(ink, text, strict=True):
            assert not true.any() or one[true].mean() > one[~true].mean() + 0.2, "text lies where there is ink"
    with pytest.raises(DataError, match="no pages"):
        PageData([], [], width=320)
    with pytest.raises(DataError, match="lines of 1"):
        PageData([page, page], [of_boxes(boxes)], width=320)
    with pytest.raises(ParameterError, match="multiple of 16"):
        PageData([page], [of_boxes(boxes)], width=320, size=100)


def test_drawn_pages_have_ink_in_their_lines() -> None:
    if not installed_fonts():
        pytest.skip("this machine has no fonts")
    first, again = (synthetic_pages(["Total 12.30", "Cash"], 2, random_state=5) for _ in range(2))
    for (page, lines, texts), (same, *_) in zip(first, again, strict=True):
        assert np.array_equal(page, same) and len(lines) == len(texts) > 5
        assert all(cut_line(page, line).min() < np.median(page) - 30 for line in lines)
        assert (paired_iou(bounds(lines)[:-1], bounds(lines)[1:]) < 0.3).all()
    with pytest.raises(DataError, match="no text"):
        synthetic_pages([" "], 1)
    with pytest.raises(ParameterError, match="at least 64"):
        synthetic_pages(["a"], 1, size=(10, 10))
