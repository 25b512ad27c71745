"""``chainrule track``: the objects of a video, followed from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..boxes import Detections
    from ..tracking import TrackingScores, Tracks

__all__ = ["track"]


def track(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DETECTOR",
            help="Model that chainrule train --task detect saved, or a MOT text file of boxes that were found.",
        ),
    ],
    video: Annotated[
        Path | None,
        typer.Argument(metavar="[VIDEO]", help="Folder of frames, .gif, or a video file; of a text file only to draw on."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="MOT text file of the tracks. [default: none]")
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(metavar="PLACE", help="Draw the tracks: a folder for frames, a .gif or a video such as .mp4."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="MOT text file of the true tracks: print MOTA, IDF1 and HOTA.")
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="bytetrack, or sort, which uses no doubtful boxes.")
    ] = "bytetrack",
    high: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Score from which a box surely is of an object. [default: 0.6; sort: 0.5]"),
    ] = None,
    low: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="bytetrack: score from which a box continues a track. [default: 0.1]"),
    ] = None,
    new: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="bytetrack: score from which a box begins a track. [default: --high]"),
    ] = None,
    overlap: Annotated[
        float, typer.Option(metavar="IOU", help="Least overlap of a box and the track it is given to.")
    ] = 0.3,
    lost: Annotated[int, typer.Option(metavar="N", help="Frames that an object may be out of sight.")] = 30,
    sure: Annotated[int, typer.Option(metavar="N", help="Boxes after which a track counts.")] = 2,
    fill: Annotated[int, typer.Option(metavar="N", help="Fill in up to N frames in which an object was not found.")] = 20,
    appearance: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Weight of the looks of objects, from the detector's features, from 0 to 1."),
    ] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Follow objects through a video: each gets a number that it keeps.

    Boxes come from a detector, frame by frame, or from a text file in the form of the MOT challenge. They are joined to
    tracks by a Kalman filter and the Hungarian method.
    """
    from ..errors import ParameterError, UnknownNameError
    from ..tracking import ByteTrack, Sort, read_tracks, tracking_scores, write_tracks
    from .console import out, waiting
    from .options import path_to_write

    common: dict[str, Any] = {"overlap": overlap, "lost": lost, "sure": sure, "fill": fill, "appearance": appearance}
    if method not in ("bytetrack", "sort"):
        raise UnknownNameError("method", method, ["bytetrack", "sort"])
    if method == "sort":
        for name, value in (("--low", low), ("--new", new)):
            if value is not None:
                raise ParameterError(f"{name} is for bytetrack, which continues tracks by doubtful boxes. Leave it out.")
        tracker: ByteTrack = Sort(**common) if high is None else Sort(high=high, **common)
    else:
        given: dict[str, Any] = {
            name: value for name, value in (("high", high), ("low", low), ("new", new)) if value is not None
        }
        tracker = ByteTrack(**common, **given)
    tracker.validate()
    if output is not None:
        path_to_write("--output", output)
    true = None if truth is None else read_tracks(truth)
    with waiting(f"Reading {source} ..."):
        found, looks = _found(source, video, tracker)
    tracks = tracker.track(found, looks)
    written = []
    if output is not None:
        write_tracks(output, tracks)
        written.append(f"Wrote {output}: {len(tracks):,} boxes of {len(set(tracks.ids.tolist())):,} objects")
    if draw is not None:
        if video is None:
            raise ParameterError("--draw needs the frames of the video: chainrule track DETECTIONS.txt FRAMES/ --draw out/")
        from ..video import frames, write_frames

        with waiting(f"Drawing {draw} ..."):
            count = write_frames(draw, _drawn(frames(video), tracks))
        written.append(f"Wrote {draw}: {count:,} frames")
    if not quiet:
        many = len(set(tracks.ids.tolist()))
        out().print(
            f"{len(found):,} frames, {sum(map(len, found)):,} boxes found, {many:,} object{'s' * (many != 1)} followed."
        )
        if true is not None:
            _say(tracking_scores(true, tracks))
        for line in written:
            out().print(line, style="bold green", soft_wrap=True)


def _found(source: Path, video: Path | None, tracker: Any) -> tuple[list[Detections], list[Any] | None]:
    """What was found in each frame, and the looks of the boxes where they count."""
    from ..errors import ParameterError
    from ..tracking import read_detections

    if source.suffix.lower() in (".txt", ".csv"):
        if tracker.appearance:
            raise ParameterError("--appearance needs a detector, whose features are the looks of boxes. Leave it out.")
        return read_detections(source), None
    from ..tasks import Detector, load
    from ..video import frames
    from .sources import resolve

    detector = load(resolve(source))
    if not isinstance(detector, Detector):
        raise ParameterError(
            f"{source} holds a {type(detector).__name__}. Tracking needs a detector, which chainrule train --task detect "
            "saves, or a MOT text file of boxes."
        )
    if video is None:
        raise ParameterError(f"Give the frames, too: chainrule track {source} FRAMES/")
    least = getattr(tracker, "low", tracker.high)
    found, looks = [], []
    for one, vectors in detector.followed(frames(video, channels=detector.channels), vectors=bool(tracker.appearance)):
        kept = one.scores >= least
        found.append(one.take(kept))
        looks.append(None if vectors is None else vectors[kept])
    return found, looks if tracker.appearance else None


def _drawn(pictures: Iterator[Any], tracks: Tracks) -> Iterator[Any]:
    from ..boxes.drawing import colour_of, drawn_boxes

    for number, picture in enumerate(pictures, 1):
        here = tracks.at(number)
        yield drawn_boxes(picture, here.boxes, [str(i) for i in here.ids], [colour_of(int(i)) for i in here.ids])


def _say(scores: TrackingScores) -> None:
    from .console import number, table

    rows = [
        ("MOTA", number(scores.mota)), ("IDF1", number(scores.idf1)), ("HOTA", number(scores.hota)),
        ("mean 1 − IoU of matched boxes", number(scores.motp)), ("identity precision", number(scores.id_precision)),
        ("identity recall", number(scores.id_recall)), ("switches of identity", f"{scores.switches:,}"),
        ("false boxes", f"{scores.false_boxes:,}"), ("misses", f"{scores.misses:,} of {scores.true_boxes:,}"),
    ]  # fmt: skip
    table(("metric", "tracks"), rows, title="Against the true tracks")
