"""The Kalman filter of boxes that move with nearly constant velocity, for all tracks at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..boxes.geometry import Floats, from_centres, to_centres

__all__ = ["BoxFilter"]

Rows = NDArray[np.int64]

#: Deviations of place and of velocity, as shares of a box's height, after each frame and in a measurement.
_PLACE, _VELOCITY = 1 / 20, 1 / 160


class BoxFilter:
    """State ``(x, y, w, h, x', y', w', h')`` of each of n tracks: middle, size, and how they change from frame to frame.

    A frame moves the mean μ ← F μ and the covariance P ← F P Fᵀ + Q. A measurement z = H μ + noise of covariance R corrects
    both: with the gain ``K = P Hᵀ (H P Hᵀ + R)⁻¹``, μ ← μ + K (z − H μ) and P ← P − K (H P Hᵀ + R) Kᵀ. Deviations are
    proportional to the height of the box, since near objects move, and are measured, by more pixels.

    Parameters  boxes (n, 4) : left, top, right, bottom at the first frame
    Attributes  mean (n, 8) ; covariance (n, 8, 8)
    References  Kalman, A new approach to linear filtering and prediction problems, 1960; Wojke, Bewley and Paulus, Simple
                online and realtime tracking with a deep association metric, ICIP 2017, for the noises
    """

    def __init__(self, boxes: Floats) -> None:
        z = to_centres(np.asarray(boxes, np.float64).reshape(-1, 4))
        self.mean = np.concatenate([z, np.zeros_like(z)], axis=1)
        deviation = np.concatenate([np.full(4, 2 * _PLACE), np.full(4, 10 * _VELOCITY)]) * z[:, 3:4]
        self.covariance = deviation[:, :, None] ** 2 * np.eye(8)

    def __len__(self) -> int:
        return len(self.mean)

    def add(self, other: BoxFilter) -> None:
        """Takes up the tracks of another filter, after its own."""
        self.mean = np.concatenate([self.mean, other.mean])
        self.covariance = np.concatenate([self.covariance, other.covariance])

    def keep(self, rows: Rows) -> None:
        """Keeps these tracks alone."""
        self.mean, self.covariance = self.mean[rows], self.covariance[rows]

    def move(self) -> None:
        """One frame further."""
        if not len(self.mean):
            return
        step = np.eye(8)
        step[:4, 4:] = np.eye(4)
        height = np.maximum(self.mean[:, 3:4], 1.0)
        deviation = np.concatenate([np.full(4, _PLACE), np.full(4, _VELOCITY)]) * height
        self.mean = self.mean @ step.T
        self.covariance = step @ self.covariance @ step.T + deviation[:, :, None] ** 2 * np.eye(8)
        self.mean[:, 2:4] = np.maximum(self.mean[:, 2:4], 1.0)

    def measure(self, rows: Rows, boxes: Floats) -> None:
        """Corrects these tracks by the boxes that were found for them."""
        z, mean, covariance = to_centres(np.asarray(boxes, np.float64)), self.mean[rows], self.covariance[rows]
        if not len(z):
            return
        noise = (_PLACE * np.maximum(mean[:, 3:4], 1.0)) ** 2
        spread = covariance[:, :4, :4] + noise[:, :, None] * np.eye(4)
        gain = np.linalg.solve(spread, covariance[:, :4, :]).transpose(0, 2, 1)
        self.mean[rows] = mean + np.einsum("nij,nj->ni", gain, z - mean[:, :4])
        self.covariance[rows] = covariance - gain @ spread @ gain.transpose(0, 2, 1)

    @property
    def boxes(self) -> Floats:
        """Where the tracks are held to be: (n, 4), left, top, right, bottom."""
        return from_centres(self.mean[:, :4])
