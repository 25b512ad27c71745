"""The structural similarity of pictures."""

from __future__ import annotations

import numpy as np

from ..constraints import Interval
from ..errors import ParameterError, ShapeError
from .base import Array, Metric


class SSIM(Metric):
    """Structural similarity: how alike light, contrast and structure of two pictures are in small windows, 1 for equal ones.

    In each window with means μ, variances σ² and covariance σ_xy

        SSIM = (2 μ_x μ_y + c₁) (2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁) (σ_x² + σ_y² + c₂))

    with c₁ = (0.01 R)² and c₂ = (0.03 R)²; the mean over all windows that lie inside the picture, over channels, frames and
    samples. Unlike the mean squared error it notices that a blurred picture has lost its structure.

    Parameters  data_range R : > 0 = 1.0, 255 for bytes ; window : odd int >= 3 = 7, side of the windows
    Shapes      y, prediction (N, H, W), (N, H, W, C) or (N, T, H, W, C), each side at least the window
    Raises      ShapeError when a picture is smaller than a window ; ParameterError for an argument out of its range
    References  Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity,
                IEEE Trans. Image Processing 2004

    Example
        >>> pictures = np.random.default_rng(0).random((2, 16, 16))
        >>> SSIM()(pictures, pictures)
        1.0
    """

    name = "ssim"
    of_numbers = True
    hyperparameters = {"data_range": Interval(float, 0, closed="neither"), "window": Interval(int, 3)}

    def __init__(self, *, data_range: float = 1.0, window: int = 7):
        self.data_range, self.window = data_range, window

    def validate(self) -> None:
        super().validate()
        if self.window % 2 == 0:
            raise ParameterError(f"SSIM: window must be odd, so that a window has a middle. Got {self.window!r}.")

    def measure(self, y: Array, p: Array, weight: Array | None) -> float:
        y = y[..., None] if y.ndim == 3 else y
        p = p.reshape(y.shape) if p.size == y.size else p
        if y.ndim not in (4, 5) or y.shape != p.shape or min(y.shape[-3:-1]) < self.window:
            raise ShapeError(
                f"SSIM: expected pictures (N, H, W), (N, H, W, C) or (N, T, H, W, C) of one shape, with sides of at least "
                f"{self.window}. Got {y.shape} and {p.shape}."
            )
        scores = np.array(
            [self._picture(one.astype(np.float64), two.astype(np.float64)) for one, two in zip(y, p, strict=True)]
        )
        return self.average(scores, weight)

    def _picture(self, x: Array, y: Array) -> float:
        """The mean over the windows of one sample (..., H, W, C)."""
        c1, c2 = (0.01 * self.data_range) ** 2, (0.03 * self.data_range) ** 2
        count = self.window**2
        # Deviations from a mean of their own, so that the differences below lose no digits.
        middle = x.mean()
        x, y = x - middle, y - middle
        mean_x, mean_y = self._means(x), self._means(y)
        sample = count / (count - 1)
        var_x, var_y = sample * (self._means(x * x) - mean_x**2), sample * (self._means(y * y) - mean_y**2)
        both = sample * (self._means(x * y) - mean_x * mean_y)
        mean_x, mean_y = mean_x + middle, mean_y + middle
        top = (2 * mean_x * mean_y + c1) * (2 * both + c2)
        return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())

    def _means(self, x: Array) -> Array:
        """The mean of every window, from a table of sums."""
        table = np.zeros((*x.shape[:-3], x.shape[-3] + 1, x.shape[-2] + 1, x.shape[-1]))
        table[..., 1:, 1:, :] = x.cumsum(axis=-3).cumsum(axis=-2)
        w = self.window
        total = table[..., w:, w:, :] - table[..., :-w, w:, :] - table[..., w:, :-w, :] + table[..., :-w, :-w, :]
        return np.asarray(total / w**2)
