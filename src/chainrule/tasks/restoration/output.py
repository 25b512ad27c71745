"""Where restored pictures are written, and pictures that show them beside what they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import ParameterError
from ...images.writing import as_pixels, write_picture
from ...report.restoration_picture import RestoredPicture, restoration_picture
from ..scores import Prediction
from ..task_model import Samples
from .restoration_model import RestorationModel, RestoredPictures

__all__ = ["default_place", "draw", "write"]

_SHOWN = 6


def default_place(model: RestorationModel, samples: Samples) -> Path:
    """Where pictures go if nobody says it: one beside where the command runs, several into a folder."""
    result = model.degradation.result
    if samples.count > 1:
        return Path(result)
    return Path(f"{_stem(str((samples.names or ['picture'])[0]))}-{result}.png")


def write(place: Path, model: RestorationModel, samples: Samples, prediction: Prediction) -> str:
    """Writes one picture to a file, or all into a folder; what was written, in words.

    Raises      ParameterError for several pictures and one file, or a place that cannot be written
    """
    restored: Any = prediction.values
    assert isinstance(restored, RestoredPictures)
    result = model.degradation.result
    if place.suffix and not place.is_dir():
        if samples.count > 1:
            raise ParameterError(
                f"--output: {samples.count:,} pictures do not go into one file, {str(place)!r}. Name a folder: -o {result}/"
            )
        write_picture(as_pixels(restored[0]), place)
        return str(place)
    try:
        place.mkdir(exist_ok=True, parents=True)
    except OSError as error:
        raise ParameterError(f"--output: the folder {str(place)!r} cannot be made: {error.strerror}.") from error
    used: set[str] = set()
    for name, picture in zip(samples.names or [], restored, strict=True):
        stem, count = _stem(str(name)), 1
        while (unique := stem if count == 1 else f"{stem}-{count}") in used:
            count += 1
        used.add(unique)
        write_picture(as_pixels(picture), place / f"{unique}.png")
    return f"{samples.count:,} {result} picture{'s' * (samples.count != 1)} to {place}/"


def _stem(name: str) -> str:
    return Path(name).stem.replace("[", "-").replace("]", "") or "picture"


def draw(place: Path, model: RestorationModel, samples: Samples, prediction: Prediction, *, title: str) -> None:
    """Some pictures as they were given, restored, and as they truly are."""
    restored: Any = prediction.values
    assert isinstance(restored, RestoredPictures)
    rows: list[RestoredPicture] = []
    step = max(1, samples.count // _SHOWN)
    for i in range(0, samples.count, step)[:_SHOWN]:
        given, made, truth = restored.compared(i)
        rows.append(
            RestoredPicture(Path(str((samples.names or [])[i])).name, given, made, truth, restored.measured.get(i, {}))
        )
    degradation = model.degradation
    restoration_picture(rows, place, title=title, words=(degradation.before, degradation.result))
