"""Boxes around objects: geometry, formats of annotation, augmentation, targets, and how good found boxes are.

Boxes are (left, top, right, bottom) in pixels. Detection, tracking and the reading of text stand on this.
"""

from .annotations import Annotations, annotation_kind, read_annotations, write_coco
from .augmentation import BoxAugmentation
from .average_precision import AveragePrecision, Detections, Objects, average_precision
from .box_data import BoxData
from .checking import WrongBox, checked_boxes
from .geometry import areas, as_boxes, clipped, from_centres, iou, paired_iou, to_centres
from .heat_maps import decoded, encoded
from .letterbox import Letterbox
from .suppression import non_maximum_suppression

__all__ = [
    "Annotations",
    "AveragePrecision",
    "BoxAugmentation",
    "BoxData",
    "Detections",
    "Letterbox",
    "Objects",
    "WrongBox",
    "annotation_kind",
    "areas",
    "as_boxes",
    "average_precision",
    "checked_boxes",
    "clipped",
    "decoded",
    "encoded",
    "from_centres",
    "iou",
    "non_maximum_suppression",
    "paired_iou",
    "read_annotations",
    "to_centres",
    "write_coco",
]
