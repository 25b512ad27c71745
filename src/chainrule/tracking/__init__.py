"""Tracking: which boxes in the frames of a video are the same object, and how well that was found.

Needs SciPy for its assignment (``pip install 'chainrule[tracking]'``), which is imported when the first boxes are paired.
"""

from .kalman import BoxFilter
from .metrics import TrackingScores, tracking_scores
from .mot_file import read_detections, read_tracks, write_tracks
from .trackers import ByteTrack, Sort, Tracks

__all__ = [
    "BoxFilter",
    "ByteTrack",
    "Sort",
    "TrackingScores",
    "Tracks",
    "read_detections",
    "read_tracks",
    "tracking_scores",
    "write_tracks",
]
