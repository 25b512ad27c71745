"""Lines as maps that a network learns, and maps as lines (differentiable binarisation).

Lines lie close to each other, so what is learned is the inside of each line: the places that are farther from its edges than
the offset D = A (1 − r²) / L, with A its area, L the length of its outline and r the shrinking ratio. What is found is made
larger by the same offset. Around the edges, up to D on both sides, the true threshold falls from 0.7 to 0.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats
from ..errors import MissingDependencyError
from .quadrilaterals import areas_and_lengths, bounds, edge_distances

__all__ = ["SHRINK", "STRIDE", "decoded_lines", "encoded_lines"]

#: Pixels of the page for a place of the map; the shrinking ratio r. The paper's 0.4 leaves a sixth of a line's height, which
#: is less than a place at this stride; 0.6 leaves a third.
STRIDE, SHRINK = 2, 0.6
_LOW, _HIGH = 0.3, 0.7
#: Lines of fewer pixels in height are not counted: the network could not see them.
_LEAST = 4.0
#: A rectangle that is turned is taken where it has less than this share of the area of the level one.
_SLANTED = 0.7


def encoded_lines(lines: Floats, size: tuple[int, int], *, unread: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """What the network should say of a page: text, places that count, thresholds, and where these count.

    Parameters  lines (n, 4, 2) in pixels ; size : (H, W) of the page, multiples of STRIDE ; unread (n,) : lines that are
                neither text nor paper, such as those that nobody could read: their places do not count
    Shapes      (H / 2, W / 2, 4)

    Example
        >>> from chainrule.pages import of_boxes
        >>> maps = encoded_lines(of_boxes([[8, 8, 40, 28]]), (64, 64))
        >>> maps.shape, float(maps[9, 12, 0]), float(maps[1, 1, 0])
        ((32, 32, 4), 1.0, 0.0)
    """
    height, width = size[0] // STRIDE, size[1] // STRIDE
    out = np.zeros((height, width, 4), np.float32)
    out[..., 1], out[..., 2] = 1, _LOW
    for i, (line, area, length) in enumerate(zip(lines, *areas_and_lengths(lines), strict=True)):
        offset = float(area * (1 - SHRINK**2) / max(length, 1e-9))
        left, top, right, bottom = (bounds(line[None])[0] + np.array([-1, -1, 1, 1]) * offset) / STRIDE
        rows = slice(max(0, int(top)), min(height, int(np.ceil(bottom))))
        columns = slice(max(0, int(left)), min(width, int(np.ceil(right))))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        y = (np.arange(rows.start, rows.stop) + 0.5)[:, None] * STRIDE
        x = (np.arange(columns.start, columns.stop) + 0.5)[None, :] * STRIDE
        inside, place = edge_distances(line, x, y), out[rows, columns]
        if (unread is not None and unread[i]) or 2 * area / max(length, 1e-9) < _LEAST:
            place[..., 1][inside > 0] = 0
            continue
        # A place that the edge crosses is text in part, so edges are known more finely than the stride.
        place[..., 0] = np.maximum(place[..., 0], np.clip((inside - offset) / STRIDE + 0.5, 0, 1))
        near = np.abs(inside) < offset
        threshold = _LOW + (_HIGH - _LOW) * (1 - np.abs(inside) / max(offset, 1e-9))
        place[..., 2][near] = np.maximum(place[..., 2][near], threshold[near])
        place[..., 3][near] = 1
    out[..., 3] *= out[..., 1]
    return out


def decoded_lines(
    text: NDArray[Any],
    *,
    threshold: float = 0.5,
    enlarged: float = 1.0,
    least_score: float = 0.55,
    least_height: float = 4.0,
) -> tuple[Floats, Floats]:
    """Lines (n, 4, 2) in pixels of the page and their scores (n,), from the map (H, W) of probabilities of text.

    The map is interpolated to the pixels of the page, and pixels above the threshold that touch are a line. Its outline is
    the smallest rectangle around them, level where that is nearly as good, made larger by the offset by which lines were
    shrunk; its score is their mean probability.

    Parameters  threshold ; enlarged : by which share of the offset lines are made larger, less where a network marks more
                than the inside = 1 ; least_score : of a line = 0.55 ; least_height : in pixels = 4
    Raises      MissingDependencyError without SciPy
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise MissingDependencyError("SciPy", "Finding lines of text in maps", extra="reading") from error
    if not text.size:
        return np.zeros((0, 4, 2)), np.zeros(0)
    text = _finer(_finer(np.asarray(text, np.float32), 0), 1)
    labels, count = ndimage.label(text > threshold, structure=np.ones((3, 3), int))
    if not count:
        return np.zeros((0, 4, 2)), np.zeros(0)
    scores = np.asarray(ndimage.mean(text, labels, np.arange(1, count + 1)), np.float64)
    found, kept = [], []
    for number, (place, score) in enumerate(zip(ndimage.find_objects(labels), scores, strict=True), 1):
        if score < least_score:
            continue
        rows, columns = np.nonzero(labels[place] == number)
        corners = _rectangle(rows + place[0].start, columns + place[1].start)
        line = _larger(corners, enlarged)
        if min(np.hypot(*(line[1] - line[0])), np.hypot(*(line[3] - line[0]))) >= least_height:
            found.append(line)
            kept.append(score)
    return np.array(found).reshape(-1, 4, 2), np.array(kept)


def _finer(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Twice as many values along an axis, between the neighbours: those of pixels where a place of the map has two."""
    size = values.shape[axis]
    before, after = (np.take(values, np.clip(np.arange(size) + step, 0, size - 1), axis=axis) for step in (-1, 1))
    pairs = np.stack([0.75 * values + 0.25 * before, 0.75 * values + 0.25 * after], axis=axis + 1)
    shape = list(values.shape)
    shape[axis] *= STRIDE
    return pairs.reshape(shape)


def _rectangle(rows: NDArray[Any], columns: NDArray[Any]) -> Floats:
    """The rectangle around places: level, or the smallest one where its text is clearly slanted."""
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    level = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    # The outermost places of each row are all that an outline needs.
    first, last = (np.full(bottom - top, value) for value in (right, left))
    np.minimum.at(first, rows - top, columns)
    np.maximum.at(last, rows - top, columns + 1)
    y = np.arange(top, bottom, dtype=np.float64)
    points = np.concatenate([np.stack([x, y + d], axis=1) for x in (first, last) for d in (0, 1)])
    if len(y) < 3 or (right - left) * (bottom - top) <= 1.6 * len(rows):
        return level
    from scipy.spatial import ConvexHull

    outline = points[ConvexHull(points).vertices]
    edges = np.roll(outline, -1, axis=0) - outline
    best, smallest = level, np.inf
    for angle in np.unique(np.mod(np.arctan2(edges[:, 1], edges[:, 0]), np.pi / 2).round(6)):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        turned = outline @ turn.T
        (l, t), (r, b) = turned.min(axis=0), turned.max(axis=0)
        if (r - l) * (b - t) < smallest:
            smallest = (r - l) * (b - t)
            best = np.array([[l, t], [r, t], [r, b], [l, b]]) @ turn
    return level if smallest > _SLANTED * (right - left) * (bottom - top) else _from_top_left(best)


def _from_top_left(corners: Floats) -> Floats:
    """The same rectangle beginning where text would: its first edge is the one nearest to pointing to the right.

    A line of text is taken to be wider than high, unless it is level.
    """
    edges = np.roll(corners, -1, axis=0) - corners
    length = np.hypot(edges[:, 0], edges[:, 1])
    rightness = np.where(length >= length.max() - 1e-9, edges[:, 0], -np.inf)
    return np.roll(corners, -int(rightness.argmax()), axis=0)


def _larger(corners: Floats, share: float) -> Floats:
    """The rectangle whose shrunken one this is: D of the larger rectangle solves a quadratic equation."""
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    w, h = max(float(np.hypot(*across)), 1e-9), max(float(np.hypot(*down)), 1e-9)
    q, s = 1 - SHRINK**2, w + h
    # q (w + 2 D)(h + 2 D) = 2 D (w + h + 4 D)
    offset = (-2 * s * (1 - q) + np.sqrt(4 * s * s * (1 - q) ** 2 + 4 * (8 - 4 * q) * q * w * h)) / (2 * (8 - 4 * q))
    u, v = across / w * offset * share, down / h * offset * share
    return np.asarray(corners + np.array([-u - v, u - v, u + v, v - u]))
