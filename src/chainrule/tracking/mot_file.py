"""Text files of the MOT challenge: one box a line, ``frame, id, left, top, width, height, score, ...``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..boxes import Detections
from ..boxes.geometry import Floats
from ..errors import DataError
from ..files import write_whole
from .trackers import Tracks

__all__ = ["read_detections", "read_tracks", "write_tracks"]

_LARGEST = 10_000_000


def read_detections(path: str | os.PathLike[str]) -> list[Detections]:
    """What was found in each frame, from frame 1 to the last that has a box; frames without boxes are empty.

    Raises      DataError, naming the line, for what is no such file
    """
    rows = list(_lines(Path(path)))
    last = max((int(row[0]) for row in rows), default=0)
    if not last:
        raise DataError(
            f"{os.fspath(path)}: there is no box in it. Expected lines frame, id, left, top, width, height, score."
        )
    table = np.array(rows)
    frames, found = table[:, 0].astype(int), []
    order = np.argsort(frames, kind="stable")
    starts = np.searchsorted(frames[order], np.arange(1, last + 2))
    for first, end in pairwise(starts.tolist()):
        part = table[order[first:end]]
        found.append(Detections(_corners(part), part[:, 6], np.zeros(len(part), np.int64)))
    return found


def read_tracks(path: str | os.PathLike[str], *, every_class: bool = False) -> Tracks:
    """Tracks, such as the truth of a video or what a tracker wrote.

    In files of a truth the seventh number 0 marks a box that does not count, and is left out unless ``every_class``.

    Raises      DataError, naming the line, for what is no such file, or an object that has two boxes in one frame
    """
    rows = [row for row in _lines(Path(path)) if every_class or row[6] != 0]
    if not rows:
        raise DataError(
            f"{os.fspath(path)}: there is no track in it. Expected lines frame, id, left, top, width, height, ..."
        )
    table = np.array(rows)
    frames, ids = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    pairs, counts = np.unique(np.stack([frames, ids]), axis=1, return_counts=True)
    if (counts > 1).any():
        frame, number = pairs[:, counts > 1][:, 0].tolist()
        raise DataError(f"{os.fspath(path)}: object {number} has {counts.max()} boxes in frame {frame}; it may have one.")
    order = np.lexsort((ids, frames))
    return Tracks(frames, ids, _corners(table), table[:, 6], np.zeros(len(table), np.int64)).take(order)


def write_tracks(path: str | os.PathLike[str], tracks: Tracks) -> None:
    """Writes tracks as ``frame,id,left,top,width,height,score,-1,-1,-1``."""
    lines = []
    for frame, number, box, score in zip(
        tracks.frames.tolist(), tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist(), strict=True
    ):
        left, top, right, bottom = box
        lines.append(f"{frame},{number},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},{score:.4f},-1,-1,-1\n")
    write_whole(path, "".join(lines))


def _corners(table: Floats) -> Floats:
    return np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)


def _lines(path: Path) -> Iterator[list[float]]:
    """The first seven numbers of every line; a missing score is 1."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: it cannot be read as text ({error}).") from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace(",", " ").replace(";", " ").split()
        if not words:
            continue
        where = f"{path}, line {number}"
        try:
            values = [float(word) for word in words[:7]]
        except ValueError:
            raise DataError(
                f"{where}: expected numbers frame, id, left, top, width, height, score. Got {line!r:.80}."
            ) from None
        if len(values) < 6:
            raise DataError(f"{where}: expected frame, id, left, top, width, height, score. Got {len(values)} numbers.")
        if not np.isfinite(values).all():
            raise DataError(f"{where}: a number is not finite: {line!r:.80}.")
        if values[0] != int(values[0]) or not 1 <= values[0] <= _LARGEST:
            raise DataError(f"{where}: frames are whole numbers from 1 on. Got {words[0]}.")
        if values[4] <= 0 or values[5] <= 0:
            raise DataError(f"{where}: width and height must be above 0. Got {words[4]} and {words[5]}.")
        yield [*values, *[1.0] * (7 - len(values))]
