"""What ``chainrule predict`` does with pictures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, ImageError, ParameterError
from ..images import ImageData, picture_files
from ..report import check_picture_path
from . import choices, predictions_file
from .console import out, plain, table, warn
from .image_model import ImageModel
from .scores import score_classes, show_scores
from .table_model import Prediction
from .train_images_run import draw_grid, reading

__all__ = ["read", "run"]

#: Pictures of which the table shows the prediction; classes of a single picture; decimals of probabilities in the file.
_PREVIEW, _CLASSES, _DECIMALS = 20, 10, 6
_BAR = 24


def run(
    place: Path, given: Sequence[Path], output: Path | None, *, broken: str = "stop", grid: Path | None = None,
    quiet: bool = False,
) -> None:  # fmt: skip
    """Predicts and writes, or shows."""
    to_stdout = predictions_file.check_place(output)
    choices.known_name("--broken", broken, ("skip", "stop"))
    if grid is not None:
        check_picture_path(grid)
    model = ImageModel.load(place)
    data, names = read(model, given, broken)
    prediction = model.predict(data)
    if output is not None:
        _write(output, model, names, prediction)
    elif not quiet:
        if len(names) == 1:
            _one(model, names[0], prediction)
        else:
            _many(model, names, prediction)
    if to_stdout:
        return
    if not quiet:
        _scores(model, data, prediction)
    if grid is not None:
        draw_grid(grid, data, prediction, model.classes, title=f"Predictions of {place.name}")
    if not quiet:
        written = [] if output is None else [f"Wrote {output}: {len(names):,} pictures"]
        for line in [*written, *([] if grid is None else [f"Wrote {grid}"])]:
            out().print(line, style="bold green", soft_wrap=True)


def read(model: ImageModel, given: Sequence[Path], broken: str) -> tuple[ImageData, list[str]]:
    """The pictures and what to call them; with their classes when they lie in folders named like classes."""
    if any(path.suffix.lower() == ".npz" for path in given):
        return _from_npz(model, given)
    files = list(_files(given))
    if not files:
        raise ImageError(f"{', '.join(map(str, given))}: there is no picture in it.")
    with warnings.catch_warnings(), reading(f"reading {len(files):,} pictures ..."):
        warnings.simplefilter("ignore")  # said below
        data = model.data(files, on_error=broken)
    if data.skipped:
        warn(f"{len(data.skipped):,} of {len(files):,} pictures cannot be read and are left out. {data.skipped[0][1]}")
    files = data.files()
    folders = [file.parent.name for file in files]
    if any(path.is_dir() for path in given) and all(folder in model.classes for folder in folders):
        # As labels: those of an .npz file may be numbers, whose folders have them as text.
        data = data.labelled(model.labels, model.labels.decode([model.classes.index(folder) for folder in folders]))
    return data, [str(file) for file in files]


def _from_npz(model: ImageModel, given: Sequence[Path]) -> tuple[ImageData, list[str]]:
    if len(given) > 1:
        raise ParameterError(f"One .npz file at a time. Got {', '.join(map(str, given))}.")
    whole = ImageData.from_npz(given[0], mean=model.preprocessor.mean, std=model.preprocessor.std)
    if whole.shape != model.preprocessor.shape:
        raise DataError(
            f"{given[0]}: its pictures have shape {whole.shape}, and the model was trained on {model.preprocessor.shape} "
            "(height, width, channels)."
        )
    return whole.labelled(model.labels), [f"{given[0].name}[{i}]" for i in range(whole.n_samples)]


def _files(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if path.is_dir():
            yield from picture_files(path)
        else:
            yield path


# ------------------------------------------------------------ what is said


def _one(model: ImageModel, name: str, prediction: Prediction) -> None:
    """All classes of one picture, the most probable first, with a bar for each."""
    from rich.text import Text

    assert prediction.probabilities is not None
    p = prediction.probabilities[0]
    console = out()
    console.print(Text(name, style="bold"), soft_wrap=True)
    order = np.argsort(-p, kind="stable")[:_CLASSES]
    width = max(len(model.classes[k]) for k in order)
    for k in order:
        full = round(_BAR * float(p[k]))
        line = Text(f"  {model.classes[k].ljust(width)}  {100 * p[k]:5.1f} %  ", style="bold" if k == order[0] else "")
        console.print(line.append("━" * full, style="cyan"), soft_wrap=True)
    if len(p) > _CLASSES:
        plain(f"  and {len(p) - _CLASSES} less probable classes")


def _many(model: ImageModel, names: Sequence[str], prediction: Prediction) -> None:
    p = prediction.probabilities
    assert p is not None
    rows = []
    for name, row in zip(names[:_PREVIEW], p, strict=False):
        first, second = np.argsort(-row, kind="stable")[:2]
        rows.append((name, model.classes[first], f"{row[first]:.3f}", f"{model.classes[second]} {row[second]:.3f}"))
    table(("picture", "class", "probability", "next"), rows)
    if len(names) > _PREVIEW:
        out().print(f"{len(names) - _PREVIEW:,} more pictures. Write them all with: -o out.csv")


def _scores(model: ImageModel, data: ImageData, prediction: Prediction) -> None:
    y, p = data.targets, prediction.probabilities
    if y is None or p is None:
        return
    scores = score_classes(model.classes, y, p.argmax(axis=1), p)
    what = "labels" if data.paths is None else "names of the folders"
    title = f"Against the {what} of {scores.rows:,} picture{'s' * (scores.rows != 1)}"
    show_scores(title, scores, [], target="class", unit="pictures")


def _write(output: Path, model: ImageModel, names: Sequence[str], prediction: Prediction) -> None:
    assert prediction.probabilities is not None
    columns: dict[str, Sequence[Any]] = {"picture": names, "predicted_class": prediction.values.tolist()}
    for i, name in enumerate(model.classes):
        columns[f"probability_{name}"] = np.round(prediction.probabilities[:, i], _DECIMALS).tolist()
    predictions_file.write(output, columns)
