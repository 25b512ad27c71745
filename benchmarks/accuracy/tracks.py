"""Tracking people through two sequences of MOT15, from the boxes of a Faster R-CNN that come with the data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chainrule.tracking import ByteTrack, read_detections, read_tracks, tracking_scores

from . import data


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("--high", type=float, default=0.6)
    parser.add_argument("--new", type=float)
    args = parser.parse_args()

    def run(seed: int) -> dict[str, Any]:
        found = {}
        for name in ("tud_campus", "tud_stadtmitte"):
            true = read_tracks(args.data / "mot" / f"{name}_gt.txt")
            tracker = ByteTrack(high=args.high, new=args.new, fill=20)
            scores = tracking_scores(true, tracker.track(read_detections(args.data / "mot" / f"{name}_det_frcnn.txt")))
            found |= {f"{name}_{key}": value for key, value in asdict(scores).items()}
        return found

    data.each_seed(args, run, "tud_campus_mota")


if __name__ == "__main__":
    main()
