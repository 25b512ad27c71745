"""Random changes of training pictures that carry the boxes of their objects along."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import ParameterError
from ..images.augmentation import Augmentation, Draw
from ..images.resampling import resample
from .average_precision import Objects
from .geometry import Floats, areas

__all__ = ["BoxAugmentation", "moved"]

#: Of an object that was cut off at the edge this share of its box must be left, and so many pixels of each side.
_SEEN, _SIDE = 0.35, 2.0


class BoxAugmentation(Augmentation):
    """New random versions of pictures and of the boxes in them: what ``Augmentation`` does, mosaics and colours.

    Boxes go through the same affine map as the pixels and are cut off at the edge; where less than about a third of a box
    would be left it is taken out. Of a picture that was turned, a box is the smallest one around its turned corners.

    Parameters
        flip, crop, shift, rotate, zoom, brightness, contrast, cutout, fill : as of Augmentation; fill = "zero", since an
            edge that goes on would repeat objects
        mosaic : share of the pictures in [0, 1] = 0 that are put together from parts of four, which shows objects in other
            surroundings, and more of them
        colour : in [0, 1) = 0 ; each channel becomes stronger or weaker by up to this share, each by itself
    Raises      ParameterError when an argument is out of its range
    References  mosaics: Bochkovskiy, Wang and Liao, YOLOv4: optimal speed and accuracy of object detection, 2020

    Example
        >>> BoxAugmentation.from_text("flip, zoom=0.3, mosaic=0.5")
        BoxAugmentation(mosaic=0.5, flip=True, zoom=0.3)
    """

    LIGHT: ClassVar[dict[str, Any]] = {
        "flip": "horizontal", "zoom": 0.3, "shift": 0.15, "brightness": 0.15, "contrast": 0.2, "colour": 0.1,
    }  # fmt: skip

    hyperparameters = {"mosaic": Interval(float, 0, 1, closed="both"), "colour": Interval(float, 0, 1)}

    def __init__(self, *, mosaic: float = 0, colour: float = 0, fill: str = "zero", **common: Any) -> None:
        super().__init__(fill=fill, **common)
        self.mosaic, self.colour = mosaic, colour

    def validate(self) -> None:
        super().validate()
        if self.mixup:
            raise ParameterError("BoxAugmentation: mixup mixes targets of whole pictures and cannot be used with boxes.")

    def changed(
        self,
        pixels: NDArray[Any],
        objects: list[Objects],
        partners: NDArray[np.int64],
        mean: NDArray[np.float32],
        std: NDArray[np.float32],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], list[Objects]]:
        """The first n of the pictures, changed at random and normalised, and their boxes.

        Parameters  pixels (m, H, W, C) ; objects : of the m ; partners (n, 3) : rows of pictures that fill a mosaic ;
                    mean, std (C,) : as of ImageData ; rng : where all of the randomness comes from
        """
        n, (height, width) = len(partners), pixels.shape[1:3]
        tints = 1 + rng.uniform(-self.colour, self.colour, (n, pixels.shape[3])) if self.colour else None
        whole = np.array(rng.random(n) >= self.mosaic)
        draw = self.draw(n, height, width, rng)
        out = np.empty((n, *pixels.shape[1:]), np.float32)
        boxes: list[Objects] = []
        for i in range(n):
            # The gain of a channel is that of its deviation: (g x − m) / s = (x − m / g) / (s / g).
            tint = np.float32(1) if tints is None else tints[i].astype(np.float32)
            colours = (mean / tint).astype(np.float32), (std / tint).astype(np.float32)
            one = _only(draw, i)
            if whole[i]:
                out[i] = resample(pixels, np.array([i]), one, *colours)[0]
                boxes.append(moved(objects[i], one, height, width))
            else:
                rows = np.array([i, *partners[i]])
                out[i], found = self._mosaic(pixels, rows, [objects[r] for r in rows], colours, rng)
                boxes.append(found)
        return out, boxes

    def _mosaic(
        self,
        pixels: NDArray[Any],
        rows: NDArray[np.int64],
        objects: list[Objects],
        colours: tuple[NDArray[np.float32], NDArray[np.float32]],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], Objects]:
        """Four pictures, each changed by itself and shown in one of four windows that meet near the middle."""
        height, width = pixels.shape[1:3]
        middle = rng.uniform(0.35, 0.65, 2) * [height, width]
        y, x = int(middle[0]), int(middle[1])
        draw = self.draw(4, height, width, rng)
        out = np.empty(pixels.shape[1:], np.float32)
        boxes, classes, crowd = [], [], []
        for j, (row, one) in enumerate(zip(rows, objects, strict=True)):
            top, bottom = (0, y) if j < 2 else (y, height)
            left, right = (0, x) if j % 2 == 0 else (x, width)
            this = _only(draw, j)
            # The window may look at any part of the picture, not only at the corner that it stands in.
            ahead = rng.uniform(0, 1, 2) * [height - (bottom - top), width - (right - left)] - [top, left]
            this = _shifted(this, np.rint(ahead))
            out[top:bottom, left:right] = resample(pixels, np.array([row]), this, *colours)[0, top:bottom, left:right]
            found = moved(one, this, height, width, window=(left, top, right, bottom))
            boxes.append(found.boxes)
            classes.append(found.classes)
            crowd.append(found.crowd)
        return out, Objects(np.concatenate(boxes), np.concatenate(classes), np.concatenate(crowd))  # type: ignore[arg-type]


def _only(draw: Draw, i: int) -> Draw:
    """What was drawn for one picture."""
    row = slice(i, i + 1)
    return Draw(
        None if draw.matrix is None else draw.matrix[row],
        None if draw.gain is None else draw.gain[row],
        None if draw.offset is None else draw.offset[row],
        None if draw.holes is None else draw.holes[row],
        None,
        None,
        draw.fill,
    )


def _shifted(draw: Draw, pixels: Floats) -> Draw:
    """The same of a picture that is looked at further down and to the right by so many pixels."""
    matrix = np.array([[1, 0, 0, 0, 1, 0]], np.float32) if draw.matrix is None else draw.matrix.copy()
    a, b, c, d, e, f = matrix[0]
    matrix[0, 2] = a * pixels[0] + b * pixels[1] + c
    matrix[0, 5] = d * pixels[0] + e * pixels[1] + f
    return Draw(matrix, draw.gain, draw.offset, draw.holes, None, None, draw.fill)


def moved(
    objects: Objects, draw: Draw, height: int, width: int, *, window: tuple[float, float, float, float] | None = None
) -> Objects:
    """The objects of one picture after the changes of place that were drawn for it, cut off at the edge of the window.

    Parameters  draw : of one picture ; window : left, top, right, bottom of what is seen, None for the whole picture
    """
    left, top, right, bottom = window or (0, 0, width, height)
    boxes = objects.boxes
    if draw.matrix is not None:
        a, b, c, d, e, f = draw.matrix[0].astype(np.float64)
        # A pixel's number is half less than the place of its middle.
        forward = np.array([[a, b], [d, e]])
        start = np.array([c, f]) + 0.5 - forward @ [0.5, 0.5]
        back = np.linalg.inv(forward)
        corners = boxes[:, [1, 0, 1, 2, 3, 0, 3, 2]].reshape(-1, 4, 2)
        found = (corners - start) @ back.T
        boxes = np.concatenate([found.min(axis=1)[:, ::-1], found.max(axis=1)[:, ::-1]], axis=1)
    seen = np.clip(boxes, [left, top, left, top], [right, bottom, right, bottom])
    size = seen[:, 2:] - seen[:, :2]
    kept = (areas(seen) >= _SEEN * np.maximum(areas(boxes), 1e-9)) & (size.min(axis=1, initial=np.inf) >= _SIDE)
    if draw.holes is not None:
        middle = (seen[:, :2] + seen[:, 2:]) / 2
        t, lft, btm, r = draw.holes[0]
        kept &= ~((middle[:, 0] > lft) & (middle[:, 0] < r) & (middle[:, 1] > t) & (middle[:, 1] < btm))
    assert objects.crowd is not None
    return Objects(seen[kept], objects.classes[kept], objects.crowd[kept])
