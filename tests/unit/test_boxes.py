"""Boxes: geometry, suppression, average precision, what is wrong with them, the letterbox, and targets."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.boxes import (
    BoxAugmentation,
    BoxData,
    Detections,
    Letterbox,
    Objects,
    as_boxes,
    average_precision,
    checked_boxes,
    decoded,
    encoded,
    from_centres,
    iou,
    non_maximum_suppression,
    paired_iou,
    to_centres,
)
from chainrule.boxes.augmentation import moved
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError

average_precision_module = importlib.import_module("chainrule.boxes.average_precision")

Floats = NDArray[np.float64]


def random_boxes(rng: np.random.Generator, n: int, side: float = 100) -> Floats:
    start = rng.uniform(0, side * 0.8, (n, 2))
    return np.concatenate([start, start + rng.uniform(1, side * 0.6, (n, 2))], axis=1)


MODULES = ["geometry", "suppression", "average_precision", "letterbox", "augmentation"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.boxes.{name}"))
    assert found.attempted and not found.failed


def test_overlap_of_boxes_is_that_of_their_pixels() -> None:
    rng = np.random.default_rng(0)
    a, b = np.rint(random_boxes(rng, 6, 30)), np.rint(random_boxes(rng, 5, 30))
    canvas = np.zeros((11, 60, 60), bool)
    for i, (left, top, right, bottom) in enumerate(np.concatenate([a, b]).astype(int)):
        canvas[i, top:bottom, left:right] = True
    wanted = [[(p & q).sum() / (p | q).sum() for q in canvas[6:]] for p in canvas[:6]]
    assert np.allclose(iou(a, b), wanted)
    assert np.allclose(paired_iou(a[:5], b), np.diag(iou(a[:5], b)))
    assert np.allclose(from_centres(to_centres(a)), a)
    assert iou(np.zeros((0, 4)), b).shape == (0, 5)
    assert iou(np.array([[3, 3, 3, 5.0]]), np.array([[3, 3, 3, 5.0]])) == 0


@pytest.mark.parametrize("few", [0, 10**9])  # by the compiled kernel, and by NumPy
def test_suppression_against_its_definition(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.boxes.suppression._FEW", few)
    rng = np.random.default_rng(1)
    for _ in range(20):
        n = int(rng.integers(0, 30))
        boxes, scores, classes = random_boxes(rng, n), rng.random(n), rng.integers(0, 2, n)
        kept: list[int] = []
        for i in np.argsort(-scores, kind="stable").tolist():
            if all(classes[i] != classes[j] or iou(boxes[[i]], boxes[[j]])[0, 0] <= 0.4 for j in kept):
                kept.append(i)
        assert non_maximum_suppression(boxes, scores, classes, threshold=0.4).tolist() == kept
        assert non_maximum_suppression(boxes, scores, classes, threshold=0.4, most=3).tolist() == kept[:3]
        names = np.array(["cell", "dust"])[classes]
        assert non_maximum_suppression(boxes, scores, names, threshold=0.4).tolist() == kept
    assert non_maximum_suppression([[0, 0, 1, 1], [0, 0, 1, 1]], [1, 2], threshold=1).tolist() == [1, 0]
    assert non_maximum_suppression([[0, 0, 1, 1], [5, 5, 5, 5]], [1, 2], most=0).tolist() == []
    with pytest.raises(ParameterError, match="threshold"):
        non_maximum_suppression([[0, 0, 1, 1]], [1], threshold=2)
    with pytest.raises(ParameterError, match="most"):
        non_maximum_suppression([[0, 0, 1, 1]], [1], most=-1)


def test_matching_by_the_kernel_is_that_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        n, m = (int(v) for v in rng.integers(1, 12, 2))
        crowd = rng.random(m) < 0.2
        ignored = crowd | (rng.random(m) < 0.3)
        # Few different overlaps, so that many are equal and some lie at a level.
        picture = average_precision_module._Picture(
            np.zeros(n), np.zeros(n), rng.integers(0, 21, (n, m)) / 20, crowd, np.zeros(m)
        )
        both = []
        for few in (0, 10**9):
            monkeypatch.setattr(average_precision_module, "_FEW", few)
            both.append(average_precision_module._matched(picture, ignored))
        assert np.array_equal(both[0][0], both[1][0]) and np.array_equal(both[0][1], both[1][1])


@pytest.mark.peer
@pytest.mark.parametrize("seed", range(4))
def test_average_precision_against_pycocotools(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(average_precision_module, "_FEW", 0 if seed % 2 else 10**9)  # by the compiled kernel, or by NumPy
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rng = np.random.default_rng(seed)
    true, found, images, annotations, results = [], [], [], [], []
    for picture in range(12):
        n, m = int(rng.integers(0, 8)), int(rng.integers(0, 12))
        boxes, classes, crowd = random_boxes(rng, n, 300), rng.integers(0, 3, n), rng.random(n) < 0.15
        near = boxes[rng.integers(0, n, m)] + rng.normal(0, 6, (m, 4)) if n else random_boxes(rng, m, 300)
        guess = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:]) + 1], axis=1)
        scores = np.round(rng.random(m), 2)  # with ties
        labels = rng.integers(0, 3, m)
        true.append(Objects(boxes, classes, crowd))
        found.append(Detections(guess, scores, labels))
        images.append({"id": picture, "height": 600, "width": 600})
        for box, c, many in zip(boxes, classes, crowd, strict=True):
            size = box[2:] - box[:2]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": picture, "category_id": int(c) + 1, "iscrowd": int(many),
                 "bbox": [*box[:2], *size], "area": float(size.prod())}
            )  # fmt: skip
        for box, score, c in zip(guess, scores, labels, strict=True):
            bbox = [*box[:2], *(box[2:] - box[:2])]
            results.append({"image_id": picture, "category_id": int(c) + 1, "bbox": bbox, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = coco.COCO()
        theirs.dataset = {
            "images": images, "annotations": annotations, "categories": [{"id": i + 1, "name": str(i)} for i in range(3)]
        }  # fmt: skip
        theirs.createIndex()
        judge = evaluation.COCOeval(theirs, theirs.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    ours = average_precision(true, found, 3)
    numbers = [ours.ap, ours.ap50, ours.ap75, *(ours.by_area[name] for name in ("small", "medium", "large")), ours.recall]
    assert np.allclose(np.nan_to_num(numbers, nan=-1), judge.stats[[0, 1, 2, 3, 4, 5, 8]], atol=1e-9)


def test_average_precision_at_its_limits() -> None:
    box = [[0, 0, 10, 10.0]]
    perfect = average_precision([Objects(box, [0])], [Detections(box, [0.5], [0])], 1)
    assert (perfect.ap, perfect.ap50, perfect.recall) == (1, 1, 1)
    nothing = average_precision([Objects(box, [0])], [Detections([], [], [])], 1)
    assert nothing.ap == 0 and nothing.recall == 0
    assert np.isnan(average_precision([Objects([], [])], [Detections(box, [0.5], [0])], 1).ap)
    # A class without objects does not count, whatever is claimed of it.
    assert average_precision([Objects(box, [0])], [Detections(box * 2, [0.5, 0.9], [0, 1])], 2).ap == 1
    with pytest.raises(DataError, match="from 0 to 0"):
        average_precision([Objects(box, [1])], [Detections([], [], [])], 1)
    with pytest.raises(DataError, match="1 pictures, and found boxes of 2"):
        average_precision([Objects(box, [0])], [Detections([], [], [])] * 2, 1)


def test_wrong_boxes_are_put_right_or_left_out() -> None:
    given = [[1, 1, 5, 5], [5, 5, 1, 1], [-3, 2, 4, 30], [2, 2, 2, 8], [50, 50, 60, 60], [np.nan, 0, 1, 1]]
    boxes, rows, wrong = checked_boxes(given, (20, 10), "a.xml")
    assert boxes.tolist() == [[1, 1, 5, 5], [1, 1, 5, 5], [0, 2, 4, 20]] and rows.tolist() == [0, 1, 2]
    done = [one.done for one in wrong]
    assert done == ["turned round", "clipped", "left out", "left out", "left out"]
    assert "a.xml: the box (-3, 2, 4, 30) leaves the picture of 20 × 10" in str(wrong[1])
    assert checked_boxes(given, (20, 10), "a.xml", wrong="skip")[1].tolist() == [0]
    with pytest.raises(DataError, match=r"a\.xml: the box \(5, 5, 1, 1\) has its sides exchanged"):
        checked_boxes(given, (20, 10), "a.xml", wrong="stop")
    with pytest.raises(ParameterError):
        checked_boxes(given, (20, 10), "a.xml", wrong="maybe")


def test_bad_arrays_of_boxes() -> None:
    with pytest.raises(ShapeError, match=r"\(n, 4\)"):
        as_boxes([[1, 2, 3]])
    with pytest.raises(DtypeError, match="numbers"):
        as_boxes([["a", 1, 2, 3]])
    with pytest.raises(DataError, match="box 1 is not finite"):
        as_boxes([[0, 0, 1, 1], [0, 0, np.inf, 1]])
    with pytest.raises(ShapeError, match="as many scores"):
        Detections([[0, 0, 1, 1]], [0.1, 0.2], [0])


@pytest.mark.parametrize("size", [(48, 64), (64, 33), (7, 200)])
def test_letterbox_goes_back_and_follows_the_pixels(size: tuple[int, int]) -> None:
    from PIL import Image

    from chainrule.images.picture import fitted

    picture = np.zeros((*size, 3), np.uint8)
    top, left, bottom, right = size[0] // 4, size[1] // 4, size[0] // 2 + 1, size[1] // 2 + 1
    picture[top:bottom, left:right] = 255
    boxes = np.array([[left, top, right, bottom]], np.float64)
    lettered = Letterbox(size, (96, 96))
    shown = np.asarray(fitted(Image.fromarray(picture), (96, 96), "pad"))[..., 0] > 127
    inside = lettered.forward(boxes)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert np.abs(inside[0] - seen).max() <= 1
    assert np.allclose(lettered.back(inside), boxes)


@pytest.mark.parametrize("text", ["flip=both", "shift=0.2", "zoom=0.4", "crop=0.6", "rotate=90, flip", "zoom=0.3, shift=9"])
def test_boxes_go_where_their_pixels_go(text: str) -> None:
    from chainrule.images.resampling import resample

    rng = np.random.default_rng(3)
    augmentation = BoxAugmentation.from_text(text)
    for _ in range(6):
        left, top = rng.integers(10, 25, 2)
        pixels = np.zeros((1, 48, 64, 1), np.uint8)
        pixels[0, top : top + 14, left : left + 20] = 255
        if "rotate" in text:
            augmentation.rotate = 0
            draw = augmentation.draw(1, 48, 64, rng)
            quarter = BoxAugmentation(rotate=90).draw(1, 48, 64, np.random.default_rng(0))
            quarter.matrix[0] = [0, 1, -8, -1, 0, 55]  # type: ignore[index]
            draw = quarter
        else:
            draw = augmentation.draw(1, 48, 64, rng)
        shown = resample(pixels, np.array([0]), draw, np.zeros(1, np.float32), np.ones(1, np.float32))[0, ..., 0] > 0.5
        found = moved(Objects([[left, top, left + 20, top + 14]], [0]), draw, 48, 64)
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        if len(found.boxes):
            seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
            assert np.abs(found.boxes[0] - seen).max() <= 1.0
        else:
            assert shown.sum() < 0.5 * 280


def test_a_box_at_the_edge_is_cut_or_taken_out() -> None:
    far = BoxAugmentation(shift=30).draw(1, 40, 40, np.random.default_rng(0))
    far.matrix[0] = [1, 0, 0, 0, 1, 10]  # type: ignore[index]  # looks 10 pixels to the right
    found = moved(Objects([[0, 0, 12, 20], [4, 0, 30, 20]], [0, 1]), far, 40, 40)
    assert found.boxes.tolist() == [[0, 0, 20, 20]] and found.classes.tolist() == [1]


def test_mosaics_show_parts_of_four_pictures_with_their_boxes() -> None:
    rng = np.random.default_rng(0)
    pixels = np.zeros((8, 64, 64, 1), np.uint8)
    objects = []
    for picture in pixels:
        spots = rng.integers(2, 54, (6, 2))
        for y, x in spots:
            picture[y : y + 8, x : x + 8] = 255
        objects.append(Objects([[x, y, x + 8, y + 8] for y, x in spots], [0] * 6))
    data = BoxData(pixels, objects, ["spot"], augmentation=BoxAugmentation(mosaic=1, flip="both"), workers=1)
    batch = next(data.batches(8, np.random.default_rng(1)))
    heat = batch.targets[0]
    assert batch.inputs[0].shape == (8, 64, 64, 1) and (heat == 1).sum() > 20
    lit = batch.inputs[0].reshape(8, 16, 4, 16, 4).max(axis=(2, 4))
    assert (lit[heat[..., 0] == 1] > 0.9).mean() > 0.97
    again = next(data.batches(8, np.random.default_rng(1)))
    assert np.array_equal(batch.inputs[0], again.inputs[0])


def test_targets_say_their_boxes_again() -> None:
    rng = np.random.default_rng(5)
    objects = []
    for _ in range(4):
        cells = rng.permutation(12)[:5]
        start = np.stack([cells % 4, cells // 4], axis=1) * 32 + rng.uniform(0, 8, (5, 2))
        objects.append(Objects(np.concatenate([start, start + rng.uniform(5, 23, (5, 2))], axis=1), rng.integers(0, 3, 5)))
    for stride in (4, 8):
        heat, sides = encoded(objects, (96, 128), 3, stride)
        assert heat.shape == (4, 96 // stride, 128 // stride, 3) and np.allclose(
            sides[..., 4].sum(axis=(1, 2)), 5, atol=1e-4
        )
        # The network reads no weights: places without an object have any sides.
        found = decoded(heat, np.maximum(sides[..., :4], 0.1), stride, least=0.999)
        wanted = [Detections(one.boxes, np.ones(5), one.classes) for one in objects]
        result = average_precision(objects, found, 3)
        assert result.ap > (0.99 if stride == 4 else 0.8), result
        assert average_precision(objects, wanted, 3).ap == 1


def test_tiny_objects_and_those_at_the_edge_have_a_place() -> None:
    heat, sides = encoded([Objects([[0, 0, 1, 1], [63.5, 40, 64, 41]], [0, 0])], (64, 64), 1, 4)
    assert (heat == 1).sum() == 2 and np.isfinite(sides).all() and np.isclose(sides[..., 4].sum(), 2)
    crowd, _ = encoded([Objects([[0, 0, 60, 60]], [0], [True])], (64, 64), 1, 4)
    assert crowd.max() == 0


def test_sets_of_boxes_are_checked() -> None:
    pictures = np.zeros((2, 32, 32, 3), np.uint8)
    with pytest.raises(DataError, match="2 pictures and boxes of 1"):
        BoxData(pictures, [Objects([], [])], ["a"])
    with pytest.raises(ShapeError, match="multiples of the stride"):
        BoxData(pictures[:, :30, :30], [Objects([], [])] * 2, ["a"])
    with pytest.raises(ParameterError, match="mosaic"):
        BoxData(pictures, [Objects([], [])] * 2, ["a"], augmentation=BoxAugmentation(mosaic=3))
    with pytest.raises(ParameterError, match="mixup"):
        BoxAugmentation(mixup=0.5).validate()


def test_balanced_sampling_shows_rare_classes_more_often() -> None:
    objects = [Objects([[0, 0, 9, 9]], [0])] * 45 + [Objects([[0, 0, 9, 9]], [1])] * 5
    data = BoxData(np.zeros((50, 32, 32, 1), np.uint8), objects, ["often", "rare"], balanced=True, workers=1)
    rare = 0.0
    for batch in data.batches(50, np.random.default_rng(0)):
        rare = float((batch.targets[0].max(axis=(1, 2))[:, 1] == 1).sum())
    assert 10 <= rare <= 16  # √(1 / 0.1) / √(1 / 0.9) = 3 times as often as the others
