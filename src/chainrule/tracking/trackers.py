"""Trackers: which boxes of successive frames are the same object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes import Detections
from ..boxes.geometry import Floats, iou
from ..constraints import Interval, Maybe
from ..errors import DataError, MissingDependencyError, ParameterError, ShapeError
from ..registry import Configurable
from .kalman import BoxFilter

__all__ = ["ByteTrack", "Sort", "Tracks", "assigned"]

Ints = NDArray[np.int64]


def assigned(cost: Floats, most: float) -> tuple[Ints, Ints]:
    """The pairs (rows, columns) of the least total cost, without those that cost more than ``most`` (Hungarian method).

    Parameters  cost (n, m), infinite where a pair is impossible
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise MissingDependencyError("SciPy", "Tracking", extra="tracking") from error
    if not cost.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # Impossible pairs cost so much that one of them never pays, and are taken out afterwards.
    able = np.isfinite(cost) & (cost <= most)
    large = 1.0 + 2 * min(cost.shape) * (float(np.abs(cost[able]).max()) if able.any() else 1.0)
    rows, columns = linear_sum_assignment(np.where(able, cost, large))
    kept = able[rows, columns]
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)


@dataclass(frozen=True)
class Tracks:
    """Boxes with the identity of the object that each is of.

    Parameters  frames (n,) : of each box, counted from 1 ; ids (n,) ; boxes (n, 4) ; scores (n,) ; classes (n,)
    """

    frames: Ints
    ids: Ints
    boxes: Floats
    scores: Floats
    classes: Ints

    def __post_init__(self) -> None:
        n = len(self.frames)
        for name, shape in (("ids", (n,)), ("boxes", (n, 4)), ("scores", (n,)), ("classes", (n,))):
            if np.shape(getattr(self, name)) != shape:
                raise ShapeError(f"Tracks: {name} must have shape {shape}. Got {np.shape(getattr(self, name))}.")

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        objects, frames = len(np.unique(self.ids)), len(np.unique(self.frames))
        return f"Tracks({objects:,} objects, {len(self):,} boxes, {frames:,} frames)"

    def at(self, frame: int) -> Tracks:
        """The boxes of one frame."""
        return self.take(self.frames == frame)

    def take(self, rows: Any) -> Tracks:
        """These boxes alone."""
        return Tracks(self.frames[rows], self.ids[rows], self.boxes[rows], self.scores[rows], self.classes[rows])

    @staticmethod
    def joined(parts: Sequence[Tracks]) -> Tracks:
        """All boxes of several, ordered by frame and identity."""
        empty = np.zeros(0, np.int64)
        if not parts:
            return Tracks(empty, empty, np.zeros((0, 4)), np.zeros(0), empty)
        names = ("frames", "ids", "boxes", "scores", "classes")
        whole = Tracks(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        return whole.take(np.lexsort((whole.ids, whole.frames)))

    def filled(self, most: int) -> Tracks:
        """With boxes between those of an object that was not seen for at most so many frames, on a straight line.

        Parameters  most : frames without a box
        """
        added = [self]
        for number in np.unique(self.ids):
            mine = self.take(self.ids == number)
            mine = mine.take(np.argsort(mine.frames, kind="stable"))
            for i in range(len(mine) - 1):
                first, last = int(mine.frames[i]), int(mine.frames[i + 1])
                if not 1 < last - first <= most + 1:
                    continue
                frames = np.arange(first + 1, last)
                share = ((frames - first) / (last - first))[:, None]
                n = len(frames)
                added.append(
                    Tracks(
                        frames,
                        np.full(n, number),
                        (1 - share) * mine.boxes[i] + share * mine.boxes[i + 1],
                        np.full(n, min(mine.scores[i], mine.scores[i + 1])),
                        np.full(n, mine.classes[i]),
                    )
                )
        return Tracks.joined(added)


class ByteTrack(Configurable):
    """Follows objects through frames by where their boxes are; boxes of low score only continue a track.

    Each frame every track is moved on by a Kalman filter. Then

    1. boxes with a score of at least ``high`` are given to the tracks whose predicted boxes overlap them, so that the sum of
       1 − IoU is least (Hungarian method) ;
    2. tracks that got none are given boxes with a score between ``low`` and ``high`` in the same way: an object that is half
       hidden is found with a low score, and an error of the detector has no track that waits for it ;
    3. boxes of high score that are left begin a track, which is told from its ``sure``-th frame on, the first ones included.

    A track without a box is kept for ``lost`` frames. Objects of different classes are never confused.

    Parameters
        high = 0.6, low = 0.1 : scores ; new : score from which a box begins a track = high
        overlap : least IoU of a box and the track it is given to = 0.3 ; low_overlap : of the second step = 0.3
        lost : frames = 30 ; sure : boxes after which a track is told = 2
        appearance : share in [0, 1] of the likeness of looks in the cost of the first step = 0; needs vectors
        fill : whether frames without a box, up to this number, are filled in afterwards = 0
    Raises      ParameterError when an argument is out of its range
    References  Zhang et al., ByteTrack: multi-object tracking by associating every detection box, ECCV 2022

    Example
        >>> boxes = [[[x, 0, x + 10, 20]] for x in range(0, 12, 2)]
        >>> frames = [Detections(box, [0.9], [0]) for box in boxes]
        >>> ByteTrack().track(frames)
        Tracks(1 objects, 6 boxes, 6 frames)
    """

    hyperparameters = {
        "high": Interval(float),
        "low": Interval(float),
        "new": Maybe(Interval(float)),
        "overlap": Interval(float, 0, 1, closed="both"),
        "low_overlap": Interval(float, 0, 1, closed="both"),
        "lost": Interval(int, 0),
        "sure": Interval(int, 1),
        "appearance": Interval(float, 0, 1, closed="both"),
        "fill": Interval(int, 0),
    }

    def __init__(
        self,
        *,
        high: float = 0.6,
        low: float = 0.1,
        new: float | None = None,
        overlap: float = 0.3,
        low_overlap: float = 0.3,
        lost: int = 30,
        sure: int = 2,
        appearance: float = 0.0,
        fill: int = 0,
    ) -> None:
        self.high, self.low, self.new = high, low, new
        self.overlap, self.low_overlap = overlap, low_overlap
        self.lost, self.sure, self.appearance, self.fill = lost, sure, appearance, fill

    def validate(self) -> None:
        """ParameterError when an argument is out of its range."""
        super().validate()
        if self.low > self.high:
            raise ParameterError(
                f"{type(self).__name__}: low must not be above high. Got low={self.low:g} and high={self.high:g}."
            )

    def track(self, frames: Iterable[Detections], vectors: Iterable[Any] | None = None) -> Tracks:
        """The tracks of a whole video.

        Parameters  frames : what was found in each frame, in order ; vectors : of each frame the looks of its boxes (n, d),
                    needed where ``appearance`` is above 0
        Raises      ParameterError, DataError when vectors are missing or do not fit
        """
        self.validate()
        state = _State(self)
        looks = iter(vectors) if vectors is not None else None
        for frame in frames:
            state.step(frame, None if looks is None else np.asarray(next(looks), np.float64))
        found = state.told()
        return found.filled(self.fill) if self.fill else found


class Sort(ByteTrack):
    """Simple online and real-time tracking: as ``ByteTrack`` without boxes of low score.

    Parameters  high : score from which boxes count = 0.5 ; overlap, lost, sure, appearance, fill : as of ByteTrack
    References  Bewley, Ge, Ott, Ramos and Upcroft, Simple online and realtime tracking, ICIP 2016

    Example
        >>> Sort(high=0.3)
        Sort(high=0.3)
    """

    def __init__(
        self,
        *,
        high: float = 0.5,
        overlap: float = 0.3,
        lost: int = 10,
        sure: int = 3,
        appearance: float = 0.0,
        fill: int = 0,
    ) -> None:
        super().__init__(high=high, low=high, overlap=overlap, lost=lost, sure=sure, appearance=appearance, fill=fill)


class _State:
    """What a tracker knows after some frames."""

    def __init__(self, settings: ByteTrack) -> None:
        self.settings, self.frame, self.next = settings, 0, 1
        self.filter = BoxFilter(np.zeros((0, 4)))
        self.ids, self.classes = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.since, self.boxes = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.looks: list[Any] = []
        self.rows: list[tuple[int, int, Floats, float, int]] = []
        self.counts: dict[int, int] = {}

    def step(self, found: Detections, looks: Floats | None) -> None:
        s = self.settings
        self.frame += 1
        if s.appearance and (looks is None or len(looks) != len(found)):
            raise DataError(
                f"{type(s).__name__}: appearance={s.appearance:g} needs one vector for each box. Frame {self.frame} has "
                f"{len(found)} boxes and {'no' if looks is None else len(looks)} vectors."
            )
        self.filter.move()
        high = np.flatnonzero(found.scores >= s.high)
        low = np.flatnonzero((found.scores >= s.low) & (found.scores < s.high))
        free = np.arange(len(self.ids))
        rows, columns = self._matched(free, found, high, looks, s.overlap, s.appearance)
        left = np.setdiff1d(high, columns)
        waiting = np.setdiff1d(free, rows)
        # Only a track that was seen a moment ago is continued by a doubtful box.
        recent = waiting[self.since[waiting] == 0]
        more_rows, more_columns = self._matched(recent, found, low, looks, s.low_overlap, 0.0)
        rows, columns = np.concatenate([rows, more_rows]), np.concatenate([columns, more_columns])
        self.since += 1
        self.filter.measure(rows, found.boxes[columns])
        self.since[rows] = 0
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            self._tell(int(self.ids[row]), found, column)
            if looks is not None:
                self.looks[row] = 0.9 * self.looks[row] + 0.1 * _unit(looks[column])
        begin = left[found.scores[left] >= (s.high if s.new is None else s.new)]
        self.filter.add(BoxFilter(found.boxes[begin]))
        new = np.arange(self.next, self.next + len(begin))
        self.next += len(begin)
        self.ids = np.concatenate([self.ids, new])
        self.classes = np.concatenate([self.classes, found.classes[begin]])
        self.since = np.concatenate([self.since, np.zeros(len(begin), np.int64)])
        for number, column in zip(new.tolist(), begin.tolist(), strict=True):
            self.looks.append(None if looks is None else _unit(looks[column]))
            self._tell(number, found, column)
        # A track that was never sure is not waited for.
        sure = np.array([self.counts[number] >= s.sure for number in self.ids.tolist()], bool)
        kept = np.flatnonzero((self.since <= s.lost) & (sure | (self.since == 0)))
        self.filter.keep(kept)
        self.ids, self.classes, self.since = self.ids[kept], self.classes[kept], self.since[kept]
        self.looks = [self.looks[row] for row in kept.tolist()]

    def _matched(
        self, tracks: Ints, found: Detections, boxes: Ints, looks: Floats | None, least: float, appearance: float
    ) -> tuple[Ints, Ints]:
        """Tracks and boxes that belong together."""
        if not len(tracks) or not len(boxes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        overlap = iou(self.filter.boxes[tracks], found.boxes[boxes])
        cost = 1 - overlap
        if appearance and looks is not None:
            likeness = np.stack([self.looks[row] for row in tracks]) @ np.stack([_unit(looks[b]) for b in boxes]).T
            cost = (1 - appearance) * cost + appearance * (1 - likeness) / 2
        other = self.classes[tracks][:, None] != found.classes[boxes][None, :]
        cost = np.where((overlap < least) | other, np.inf, cost)
        rows, columns = assigned(cost, np.inf)
        return tracks[rows], boxes[columns]

    def _tell(self, number: int, found: Detections, column: int) -> None:
        self.counts[number] = self.counts.get(number, 0) + 1
        self.rows.append((self.frame, number, found.boxes[column], float(found.scores[column]), int(found.classes[column])))

    def told(self) -> Tracks:
        """Boxes of the tracks that became sure, with identities from 1 on."""
        kept = [row for row in self.rows if self.counts[row[1]] >= self.settings.sure]
        order = {number: i + 1 for i, number in enumerate(dict.fromkeys(row[1] for row in kept))}
        if not kept:
            return Tracks.joined([])
        return Tracks.joined(
            [
                Tracks(
                    np.array([row[0] for row in kept]),
                    np.array([order[row[1]] for row in kept]),
                    np.stack([row[2] for row in kept]),
                    np.array([row[3] for row in kept]),
                    np.array([row[4] for row in kept]),
                )
            ]
        )


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
