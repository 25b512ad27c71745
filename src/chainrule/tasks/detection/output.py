"""What becomes of found boxes: rows of a table, a COCO file, pictures with frames, a picture of the wrong cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...boxes import Detections, write_coco
from ...boxes.drawing import colour_of, drawn_boxes
from ...errors import ParameterError
from ...images import read_picture
from ...report.box_picture import BoxedPicture, box_picture
from ..scores import Prediction
from ..task_model import Samples
from .calibration import matched
from .detector import Detector

__all__ = ["draw", "preview", "table", "write"]

_SHOWN = 12


def table(model: Detector, samples: Samples, prediction: Prediction) -> Mapping[str, Sequence[Any]]:
    """One row for each box with a score of at least the threshold."""
    columns: dict[str, list[Any]] = {n: [] for n in ("picture", "class", "score", "left", "top", "right", "bottom")}
    for name, found in zip(samples.names or [], prediction.values, strict=True):
        sure = found.above(model.threshold)
        for box, score, c in zip(sure.boxes.tolist(), sure.scores.tolist(), sure.classes.tolist(), strict=True):
            row = (name, model.class_names[c], round(score, 6), *(round(v, 2) for v in box))
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    return columns


def preview(model: Detector, samples: Samples, prediction: Prediction) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """How many objects of each class the first pictures show."""
    rows = []
    for name, found in list(zip(samples.names or [], prediction.values, strict=True))[:10]:
        counts = np.bincount(found.above(model.threshold).classes, minlength=len(model.class_names))
        rows.append((name, *(str(count) for count in counts.tolist())))
    return ("picture", *model.class_names), rows


def write(place: Path, model: Detector, samples: Samples, prediction: Prediction) -> str:
    """Writes a COCO file (.json: all boxes with their scores), or a folder: the pictures with frames, and a CSV and a COCO
    file. Returns what was written, in words."""
    names = [str(name) for name in samples.names or []]
    sizes, found = [samples.data.sizes[row] for row in samples.data.rows.tolist()], list(prediction.values)
    if place.suffix.lower() == ".json":
        write_coco(place, names, found, model.class_names, sizes=sizes, numbers=samples.numbers)
        return f"{place}: {sum(map(len, found)):,} boxes of {samples.count:,} pictures"
    from ...data import write_predictions

    try:
        place.mkdir(exist_ok=True, parents=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(place)!r} cannot be made: {error.strerror}.") from error
    used: set[str] = set()
    for name, one, picture in zip(names, found, _pictures(samples), strict=True):
        stem, count = Path(name).stem, 1
        while (unique := stem if count == 1 else f"{stem}-{count}") in used:
            count += 1
        used.add(unique)
        _saved(place / f"{unique}.png", picture, one.above(model.threshold), model.class_names)
    write_predictions(place / "boxes.csv", table(model, samples, prediction))
    write_coco(place / "boxes.coco.json", names, found, model.class_names, sizes=sizes, numbers=samples.numbers)
    return f"{place}: {samples.count:,} pictures with their boxes, boxes.csv and boxes.coco.json"


def _pictures(samples: Samples) -> Any:
    data = samples.data
    for i, row in enumerate(data.rows.tolist()):
        yield data.pictures([i])[0] if data.paths is None else read_picture(data.paths[row])


def _saved(place: Path, picture: Any, found: Detections, classes: Sequence[str]) -> None:
    from PIL import Image

    captions = [f"{classes[c]} {score:.2f}" for c, score in zip(found.classes, found.scores, strict=True)]
    pixels = drawn_boxes(picture, found.boxes, captions, [colour_of(int(c)) for c in found.classes])
    Image.fromarray(pixels).save(place)


def draw(place: Path, model: Detector, samples: Samples, prediction: Prediction, *, title: str) -> None:
    """Pictures with their boxes, those with the most errors first: right, claimed wrongly, missed."""
    found = [one.above(model.threshold) for one in prediction.values]
    entries: list[BoxedPicture] = []
    pictures, names = list(range(samples.count)), samples.names or []
    states, errors = [], np.zeros(samples.count, int)
    for i in pictures:
        if samples.truth is None:
            states.append((np.ones(len(found[i]), bool), np.zeros(0, bool)))
            continue
        right, seen = matched(samples.truth[i], found[i])
        states.append((right, seen))
        errors[i] = (~right).sum() + (~seen).sum()
    order = np.argsort(-errors, kind="stable")[:_SHOWN]
    for i in order.tolist():
        right, seen = states[i]
        row = samples.data.rows[i]
        picture = samples.data.pictures([i])[0] if samples.data.paths is None else read_picture(samples.data.paths[row])
        labels = [model.class_names[c] for c in found[i].classes]
        missed = np.zeros((0, 4)) if samples.truth is None else samples.truth[i].boxes[~seen]
        missed_labels = [] if samples.truth is None else [model.class_names[c] for c in samples.truth[i].classes[~seen]]
        entries.append(
            BoxedPicture(
                picture, Path(str(names[i])).name, found[i].boxes, labels, found[i].scores, right, missed, missed_labels
            )
        )
    if samples.truth is not None:
        count = int(errors.sum())
        title += f": {count:,} error{'s' * (count != 1)} in {samples.count:,} pictures; those with the most first"
    box_picture(entries, place, title=title, judged=samples.truth is not None)
