"""How good tracks are: MOTA, IDF1 and HOTA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes.geometry import Floats, iou
from ..errors import DataError
from .trackers import Tracks, assigned

__all__ = ["TrackingScores", "tracking_scores"]

#: Overlaps that HOTA is a mean over.
_OVERLAPS = np.arange(0.05, 0.96, 0.05)


@dataclass(frozen=True)
class TrackingScores:
    """How good tracks are.

    Parameters
        mota : 1 − (misses + false boxes + switches) / true boxes ; motp : mean 1 − IoU of matched boxes (less is better)
        idf1, id_precision, id_recall : of boxes, when each true object may have one identity for the whole video
        hota, det_a, ass_a : detection and association, and the geometric mean of both, over overlaps of 0.05 to 0.95
        switches, false_boxes, misses, true_boxes
    """

    mota: float
    motp: float
    idf1: float
    id_precision: float
    id_recall: float
    hota: float
    det_a: float
    ass_a: float
    switches: int
    false_boxes: int
    misses: int
    true_boxes: int


def tracking_scores(true: Tracks, found: Tracks, *, overlap: float = 0.5) -> TrackingScores:
    """The metrics of found tracks.

    For MOTA a true object keeps the track of the frame before while they still overlap; all others are paired so that the
    sum of 1 − IoU is least. It switches when it is paired with another track than the last time. For IDF1 objects and tracks
    are paired once for the whole video, so that as many boxes as possible agree.

    Parameters  true, found : tracks of the same frames ; overlap : IoU from which two boxes can be of one object = 0.5
    Raises      DataError when there is no true box
    References  Bernardin and Stiefelhagen, Evaluating multiple object tracking performance: the CLEAR MOT metrics, 2008;
                Ristani et al., Performance measures and a data set for multi-target, multi-camera tracking, ECCV workshops
                2016; Luiten et al., HOTA: a higher order metric for evaluating multi-object tracking, IJCV 2021

    Example
        >>> import numpy as np
        >>> one = Tracks(np.arange(1, 4), np.ones(3, int), np.tile([0.0, 0, 9, 9], (3, 1)), np.ones(3), np.zeros(3, int))
        >>> tracking_scores(one, one).mota
        1.0
    """
    if not len(true):
        raise DataError("tracking_scores: there is no true box to compare with.")
    frames = np.union1d(true.frames, found.frames).tolist()
    pairs = [(true.at(frame), found.at(frame)) for frame in frames]
    overlaps = [iou(t.boxes, f.boxes) for t, f in pairs]
    misses = false = switches = 0
    distance, matches = 0.0, 0
    last: dict[int, int] = {}
    for (t, f), both in zip(pairs, overlaps, strict=True):
        cost = np.where(both >= overlap, 1 - both, np.inf)
        rows: list[int] = []
        columns: list[int] = []
        for row, number in enumerate(t.ids.tolist()):
            before = np.flatnonzero(f.ids == last.get(number, -1))
            if len(before) and np.isfinite(cost[row, before[0]]) and int(before[0]) not in columns:
                rows.append(row)
                columns.append(int(before[0]))
        free_rows = np.setdiff1d(np.arange(len(t)), rows)
        free_columns = np.setdiff1d(np.arange(len(f)), columns)
        more_rows, more_columns = assigned(cost[np.ix_(free_rows, free_columns)], np.inf)
        rows += free_rows[more_rows].tolist()
        columns += free_columns[more_columns].tolist()
        for row, column in zip(rows, columns, strict=True):
            number, track = int(t.ids[row]), int(f.ids[column])
            switches += number in last and last[number] != track
            last[number] = track
            distance += float(cost[row, column])
        matches += len(rows)
        misses += len(t) - len(rows)
        false += len(f) - len(rows)
    hit = _identity_hits(true, found, pairs, overlaps, overlap)
    hota, det_a, ass_a = _hota(true, found, pairs, overlaps)
    return TrackingScores(
        mota=1 - (misses + false + switches) / len(true),
        motp=distance / matches if matches else float("nan"),
        idf1=2 * hit / (len(true) + len(found)),
        id_precision=hit / len(found) if len(found) else float("nan"),
        id_recall=hit / len(true),
        hota=hota,
        det_a=det_a,
        ass_a=ass_a,
        switches=switches,
        false_boxes=false,
        misses=misses,
        true_boxes=len(true),
    )


def _identity_hits(
    true: Tracks, found: Tracks, pairs: list[tuple[Tracks, Tracks]], overlaps: list[Floats], least: float
) -> int:
    """The most boxes that agree when every object has one track at most."""
    objects, tracks = np.unique(true.ids), np.unique(found.ids)
    agree = np.zeros((len(objects), len(tracks)))
    for (t, f), both in zip(pairs, overlaps, strict=True):
        row, column = np.nonzero(both >= least)
        np.add.at(agree, (np.searchsorted(objects, t.ids[row]), np.searchsorted(tracks, f.ids[column])), 1)
    rows, columns = assigned(-agree, np.inf)
    return int(agree[rows, columns].sum())


def _hota(
    true: Tracks, found: Tracks, pairs: list[tuple[Tracks, Tracks]], overlaps: list[Floats]
) -> tuple[float, float, float]:
    objects, tracks = np.unique(true.ids), np.unique(found.ids)
    if not len(tracks):
        return 0.0, 0.0, 0.0
    of_object, of_track = (np.searchsorted(all_, part.ids) for all_, part in ((objects, true), (tracks, found)))
    seen, drawn = np.bincount(of_object, minlength=len(objects)), np.bincount(of_track, minlength=len(tracks))
    possible = np.zeros((len(objects), len(tracks)))
    places = [(np.searchsorted(objects, t.ids), np.searchsorted(tracks, f.ids)) for t, f in pairs]
    for (rows, columns), both in zip(places, overlaps, strict=True):
        around = both.sum(axis=0)[None, :] + both.sum(axis=1)[:, None] - both
        share = np.divide(both, around, out=np.zeros_like(both), where=around > 0)
        np.add.at(possible, (rows[:, None], columns[None, :]), share)
    likely = possible / (seen[:, None] + drawn[None, :] - possible)
    matched = np.zeros((len(_OVERLAPS), len(objects), len(tracks)))
    hits = np.zeros(len(_OVERLAPS))
    for (rows, columns), both in zip(places, overlaps, strict=True):
        first, second = assigned(-(likely[np.ix_(rows, columns)] * both), np.inf)
        for level, least in enumerate(_OVERLAPS):
            good = both[first, second] >= least - 1e-12
            hits[level] += good.sum()
            np.add.at(matched[level], (rows[first[good]], columns[second[good]]), 1)
    det = hits / np.maximum(1, len(true) + len(found) - hits)
    around = np.maximum(1, seen[:, None] + drawn[None, :] - matched)
    ass = (matched * (matched / around)).sum(axis=(1, 2)) / np.maximum(1, hits)
    return float(np.sqrt(det * ass).mean()), float(det.mean()), float(ass.mean())
