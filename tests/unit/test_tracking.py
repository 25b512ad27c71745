"""Tracking: the Kalman filter, SORT and ByteTrack, the metrics, MOT files, looks, and the command."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.boxes import Detections
from chainrule.errors import DataError, ParameterError, ShapeError

pytest.importorskip("scipy")

from chainrule.tracking import (
    BoxFilter,
    ByteTrack,
    Sort,
    Tracks,
    read_detections,
    read_tracks,
    tracking_scores,
    write_tracks,
)
from chainrule.tracking.appearance import appearance_vectors
from chainrule.tracking.trackers import assigned

Floats = NDArray[np.float64]


@pytest.mark.parametrize("name", ["trackers", "metrics"])
def test_examples_of_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"chainrule.tracking.{name}"))
    assert found.attempted and not found.failed


def walk(rng: np.random.Generator, objects: int = 5, frames: int = 40) -> Tracks:
    """Boxes that move nearly straight, some of them for a part of the time."""
    parts = []
    for number in range(1, objects + 1):
        first, last = int(rng.integers(1, frames // 3)), int(rng.integers(frames // 2, frames + 1))
        start, step = rng.uniform(0, 300, 2), rng.uniform(-6, 6, 2)
        times = np.arange(first, last + 1)
        at = start + step * (times - first)[:, None] + rng.normal(0, 0.5, (len(times), 2))
        size = rng.uniform(30, 60, 2)
        n = len(times)
        boxes = np.concatenate([at, at + size], axis=1)
        parts.append(Tracks(times, np.full(n, number), boxes, np.ones(n), np.zeros(n, np.int64)))
    return Tracks.joined(parts)


def seen(rng: np.random.Generator, true: Tracks, miss: float = 0.1, false: float = 0.3) -> list[Detections]:
    found = []
    for frame in range(1, int(true.frames.max()) + 1):
        boxes = true.at(frame).boxes
        boxes = boxes[rng.random(len(boxes)) > miss]
        extra = rng.uniform(0, 300, (rng.poisson(false), 2))
        boxes = np.concatenate([boxes + rng.normal(0, 1.5, boxes.shape), np.concatenate([extra, extra + 30], axis=1)])
        found.append(Detections(boxes, rng.uniform(0.6, 1, len(boxes)), np.zeros(len(boxes), int)))
    return found


# ---------------------------------------------------------------- parts


def test_the_filter_is_that_of_each_track_alone() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([[0, 0, 20, 40], [100, 50, 130, 90], [10, 10, 40, 80]], float)
    together = BoxFilter(boxes)
    alone = [BoxFilter(boxes[i : i + 1]) for i in range(3)]
    for _ in range(5):
        together.move()
        rows = np.array([0, 2])
        new = together.boxes[rows] + rng.normal(0, 2, (2, 4))
        together.measure(rows, new)
        for i, one in enumerate(alone):
            one.move()
            if i in rows:
                one.measure(np.array([0]), new[list(rows).index(i)][None])
    assert np.allclose(together.mean, np.concatenate([one.mean for one in alone]))
    assert np.allclose(together.covariance, np.concatenate([one.covariance for one in alone]))


def test_the_filter_learns_a_velocity_and_stays_a_covariance() -> None:
    box = np.array([[0, 0, 20, 40]], float)
    one = BoxFilter(box)
    for t in range(1, 40):
        one.move()
        one.measure(np.array([0]), box + np.array([3 * t, -t, 3 * t, -t]))
    assert np.allclose(one.mean[0, 4:6], [3, -1], atol=0.1)
    assert np.allclose(one.covariance, one.covariance.transpose(0, 2, 1)) and np.linalg.eigvalsh(one.covariance[0]).min() > 0
    before = one.boxes.copy()
    for _ in range(10):
        one.move()
    assert np.allclose(one.boxes - before, [[30, -10, 30, -10]], atol=2)
    nobody = BoxFilter(np.zeros((0, 4)))
    nobody.move()
    assert nobody.boxes.shape == (0, 4)


def test_assignment_leaves_impossible_pairs_out() -> None:
    cost = np.array([[0.1, np.inf, np.inf], [np.inf, np.inf, np.inf], [0.2, 0.3, np.inf]])
    rows, columns = assigned(cost, np.inf)
    assert (rows.tolist(), columns.tolist()) == ([0, 2], [0, 1])
    assert assigned(np.full((2, 2), np.inf), 1.0)[0].size == 0 and assigned(np.zeros((0, 3)), 1.0)[0].size == 0


# ---------------------------------------------------------------- trackers


@pytest.mark.parametrize("tracker", [ByteTrack(high=0.5), Sort()])
def test_trackers_follow_objects(tracker: ByteTrack) -> None:
    rng = np.random.default_rng(1)
    true = walk(rng)
    clean = tracking_scores(true, tracker.track(seen(rng, true, miss=0, false=0)))
    assert clean.mota > 0.95 and clean.idf1 > 0.9
    noisy = tracking_scores(true, tracker.track(seen(rng, true)))
    assert noisy.mota > 0.6 and noisy.idf1 > 0.7


def test_doubtful_boxes_continue_a_track_and_begin_none() -> None:
    boxes = [Detections([[x, 0, x + 20, 40]], [0.9 if x < 20 or x > 40 else 0.2], [0]) for x in range(0, 60, 2)]
    doubtful = [Detections([[200, 0, 220, 40]], [0.2], [0])] * 30
    both = [
        Detections(np.concatenate([a.boxes, b.boxes]), np.concatenate([a.scores, b.scores]), [0, 0])  # type: ignore[arg-type]
        for a, b in zip(boxes, doubtful, strict=True)
    ]
    found = ByteTrack().track(both)
    assert set(found.ids.tolist()) == {1} and len(found) == 30
    assert len(Sort(lost=30).track(both)) < 25


def test_classes_are_never_confused_and_gaps_are_filled() -> None:
    frames = [Detections([[x, 0, x + 20, 40]] * 2, [0.9, 0.8], [0, 1]) for x in range(0, 20, 2)]
    found = ByteTrack().track(frames)
    assert all(len(set(found.classes[found.ids == i].tolist())) == 1 for i in (1, 2)) and found.ids.max() == 2
    gap = [Detections(np.zeros((0, 4)), [], []) if 4 <= i < 7 else frame for i, frame in enumerate(frames)]
    assert len(ByteTrack().track(gap)) == 14 and len(ByteTrack(fill=2).track(gap)) == 14
    filled = ByteTrack(fill=3).track(gap)
    assert len(filled) == 20 and np.allclose(filled.at(6).boxes[0], [10, 0, 30, 40])
    assert len(ByteTrack().track([])) == 0 and len(ByteTrack().track([frames[0]])) == 0


def test_looks_decide_where_places_do_not() -> None:
    # Two objects meet and go back: where they are does not tell them apart.
    a, b = [0, 10, 20, 24, 20, 10, 0], [60, 50, 40, 30, 40, 50, 60]
    frames, looks = [], []
    rng = np.random.default_rng(0)
    for left, right in zip(a, b, strict=True):
        frames.append(Detections([[left, 0, left + 30, 60], [right, 0, right + 30, 60]], [0.9, 0.9], [0, 0]))
        looks.append(np.array([[1, 0, 0], [0, 1, 0]]) + rng.normal(0, 0.05, (2, 3)))
    found = ByteTrack(appearance=0.8, overlap=0.05).track(frames, looks)
    first = found.take(found.ids == 1)
    assert first.boxes[:, 0].tolist() == a
    with pytest.raises(DataError, match="needs one vector for each box"):
        ByteTrack(appearance=0.5).track(frames)


def test_vectors_of_looks_are_means_over_parts_of_boxes() -> None:
    features = np.zeros((6, 8, 2), np.float32)
    features[:3, :4, 0], features[3:, :4, 1] = 4, 8
    found = appearance_vectors(features, np.array([[0, 0, 40, 60]]), (60, 80), rows=2)
    mean = features.mean(axis=(0, 1))
    assert np.allclose(found[0], np.concatenate([[4, 0] - mean, [0, 8] - mean]))
    assert appearance_vectors(features, np.zeros((0, 4)), (60, 80)).shape == (0, 6)
    assert np.isfinite(appearance_vectors(features, np.array([[79, 59, 500, 500]]), (60, 80))).all()
    with pytest.raises(ShapeError, match=r"\(h, w, C\)"):
        appearance_vectors(features[0], np.zeros((0, 4)), (60, 80))


def test_bad_arguments() -> None:
    for wrong in ({"overlap": 2}, {"low": 0.9}, {"lost": -1}, {"sure": 0}, {"appearance": -0.1}, {"fill": 1.5}):
        with pytest.raises(ParameterError):
            ByteTrack(**wrong).track([])  # type: ignore[arg-type]


# ---------------------------------------------------------------- metrics


@pytest.mark.peer
@pytest.mark.parametrize("seed", range(3))
def test_metrics_against_motmetrics(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "asfarray", np.asarray, raising=False)  # which motmetrics still asks for
    mm: Any = pytest.importorskip("motmetrics")
    pd: Any = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    true = walk(rng, 6, 30)
    found = Sort(sure=1, lost=3, high=0.5).track(seen(rng, true, miss=0.25, false=0.7))
    # Identities that change on the way are switches.
    ids = np.where((found.frames > 15) & (found.ids < 3), found.ids + 50, found.ids)
    found = Tracks(found.frames, ids, found.boxes, found.scores, found.classes)
    ours = tracking_scores(true, found)

    def table(tracks: Tracks) -> Any:
        index = pd.MultiIndex.from_arrays([tracks.frames, tracks.ids], names=["FrameId", "Id"])
        size = tracks.boxes[:, 2:] - tracks.boxes[:, :2]
        return pd.DataFrame(np.concatenate([tracks.boxes[:, :2], size], axis=1), index, ["X", "Y", "Width", "Height"])

    accumulator = mm.utils.compare_to_groundtruth(table(true), table(found), "iou", distth=0.5)
    names = ["mota", "motp", "idf1", "idp", "idr", "num_switches", "num_false_positives", "num_misses"]
    theirs = mm.metrics.create().compute(accumulator, metrics=names).iloc[0]
    mine = [
        ours.mota, ours.motp, ours.idf1, ours.id_precision, ours.id_recall, ours.switches, ours.false_boxes, ours.misses
    ]  # fmt: skip
    assert np.allclose(theirs.to_numpy(float), mine), (theirs, mine)


@pytest.mark.parametrize("seed", range(2))
def test_hota_against_its_definition(seed: int) -> None:
    """Every true pair c of an object and a track has A(c) = |TPA| / (|TPA| + |FNA| + |FPA|), counted box by box."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    true = walk(rng, 4, 15)
    found = Sort(sure=1, lost=3, high=0.5).track(seen(rng, true, miss=0.25, false=0.7))
    ids = np.where((found.frames > 7) & (found.ids < 3), found.ids + 50, found.ids)
    found = Tracks(found.frames, ids, found.boxes, found.scores, found.classes)

    def overlap(a: Floats, b: Floats) -> float:
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        both = max(width, 0) * max(height, 0)
        return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))

    frames = range(1, 16)
    tables = {t: [[overlap(a, b) for b in found.at(t).boxes] for a in true.at(t).boxes] for t in frames}
    similar: dict[tuple[int, int], float] = {}
    for t in frames:
        table = np.array(tables[t]).reshape(len(true.at(t)), len(found.at(t)))
        for i, a in enumerate(true.at(t).ids.tolist()):
            for j, b in enumerate(found.at(t).ids.tolist()):
                around = table[i].sum() + table[:, j].sum() - table[i, j]
                similar[a, b] = similar.get((a, b), 0) + (table[i, j] / around if around > 0 else 0)
    length = {(0, i): int((true.ids == i).sum()) for i in true.ids} | {
        (1, i): int((found.ids == i).sum()) for i in found.ids
    }
    scores = []
    for alpha in np.arange(0.05, 0.96, 0.05):
        pairs = []
        for t in frames:
            a, b = true.at(t).ids.tolist(), found.at(t).ids.tolist()
            table = np.array(tables[t]).reshape(len(a), len(b))
            likely = [[similar[i, j] / (length[0, i] + length[1, j] - similar[i, j]) for j in b] for i in a]
            for i, j in zip(*linear_sum_assignment(-np.array(likely).reshape(table.shape) * table), strict=True):
                if table[i, j] >= alpha - 1e-12:
                    pairs.append((a[i], b[j]))
        total = 0.0
        for a, b in pairs:
            agree = pairs.count((a, b))
            total += agree / (length[0, a] + length[1, b] - agree)
        hits = len(pairs)
        scores.append((hits / (len(true) + len(found) - hits), total / max(hits, 1)))
    det, ass = np.array(scores).T
    ours = tracking_scores(true, found)
    assert np.allclose([det.mean(), ass.mean(), np.sqrt(det * ass).mean()], [ours.det_a, ours.ass_a, ours.hota])


def test_metrics_at_their_limits() -> None:
    rng = np.random.default_rng(0)
    true = walk(rng, 3, 12)
    perfect = tracking_scores(true, true)
    assert (perfect.mota, perfect.idf1, perfect.hota, perfect.motp) == (1, 1, pytest.approx(1), 0)
    nothing = tracking_scores(true, Tracks.joined([]))
    assert nothing.mota == 0 and nothing.idf1 == 0 and nothing.hota == 0 and nothing.misses == len(true)
    with pytest.raises(DataError, match="no true box"):
        tracking_scores(Tracks.joined([]), true)


# ---------------------------------------------------------------- files and the command


def test_files_come_back(tmp_path: Path) -> None:
    true = walk(np.random.default_rng(2))
    place = tmp_path / "tracks.txt"
    write_tracks(place, true)
    again = read_tracks(place)
    assert np.array_equal(again.ids, true.ids) and np.allclose(again.boxes, true.boxes, atol=0.011)
    found = read_detections(place)
    assert len(found) == true.frames.max() and sum(map(len, found)) == len(true)
    place.write_text("3,-1,1,2,5,5,0.5\n1,-1,0,0,4,4\n")
    gaps = read_detections(place)
    assert [len(one) for one in gaps] == [1, 0, 1] and gaps[0].scores.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no"),
        ("1,1,a,0,5,5,1", "line 1: expected numbers"),
        ("1,1,0,0,5,5,1\n2,1,0,0,5", "line 2: expected frame, id, left, top"),
        ("1,1,0,0,5,nan,1", "not finite"),
        ("0,1,0,0,5,5,1", "whole numbers from 1"),
        ("1.5,1,0,0,5,5,1", "whole numbers from 1"),
        ("99999999999,1,0,0,5,5,1", "whole numbers from 1"),
        ("1,1,0,0,0,5,1", "above 0"),
        ("1,1,0,0,5,5,1\n1,1,3,3,5,5,1", "object 1 has 2 boxes in frame 1"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    place = tmp_path / "bad.txt"
    place.write_text(text)
    with pytest.raises(DataError, match=message):
        read_tracks(place)
    with pytest.raises(DataError, match="no such file"):
        read_tracks(tmp_path / "none.txt")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from chainrule.cli.main import main
    from chainrule.video import frames, write_frames

    rng = np.random.default_rng(3)
    true = walk(rng, 3, 8)
    write_tracks(tmp_path / "gt.txt", true)
    lines = [
        f"{t},-1,{b[0]},{b[1]},{b[2] - b[0]},{b[3] - b[1]},0.9"
        for t, b in zip(true.frames, true.boxes.tolist(), strict=True)
    ]
    (tmp_path / "det.txt").write_text("\n".join(lines))
    write_frames(tmp_path / "frames", [np.full((300, 400, 3), 40, np.uint8)] * 8)
    place, out, drawn = (str(tmp_path / name) for name in ("det.txt", "out.txt", "drawn"))
    arguments = ["track", place, str(tmp_path / "frames"), "-o", out, "--draw", drawn, "--truth", str(tmp_path / "gt.txt")]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "3 objects followed" in said and "MOTA" in said and "HOTA" in said
    assert tracking_scores(true, read_tracks(out)).mota > 0.9
    assert len(list(frames(drawn))) == 8 and max(int(frame.max()) for frame in frames(drawn)) > 200
    assert main(["track", place, "--method", "sort", "-q"]) == 0
    for arguments, message in (
        (["track", place, "--method", "deep"], "Unknown method 'deep'"),
        (["track", place, "--method", "sort", "--low", "0.2"], "--low is for bytetrack"),
        (["track", place, "--draw", drawn], "needs the frames"),
        (["track", place, "--appearance", "0.5"], "needs a detector"),
        (["track", str(tmp_path / "none.txt")], "no such file"),
    ):
        capsys.readouterr()
        assert main(arguments) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")
