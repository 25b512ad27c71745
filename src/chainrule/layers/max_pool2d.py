"""Max pooling of images."""

from __future__ import annotations

from typing import ClassVar

from ._pooling import _MaxPooling


class MaxPool2D(_MaxPooling):
    """Largest element of each window ``y[n, i, j, c] = max x[n, s i + u − p, s j + v − p, c]`` over u < kh and v < kw.

    Padding is never the largest. Each spatial size becomes ⌊(size + padding before + after − kernel) / s⌋ + 1.

    Parameters
        kernel : int >= 1 or two = 2, size of the windows
        stride : int >= 1 or two, or None = None for the kernel: windows side by side
        padding : "valid" (none), "same" (sizes become ⌈size / s⌉), int >= 0 or two,
            or two (before, after) pairs = "valid"; less than the kernel
        ceil : bool = False ; whether a last window that reaches beyond the image is taken, too, so that sizes are rounded up
    Shapes      x (N, H, W, C) ; y (N, H', W', C)
    Backward    dx[n, i', j', c] = Σ dy over the windows whose largest element is at i', j'    (the first of several)
    Raises      ShapeError when x is not (N, H, W, C), a window is larger than the padded image, or a window may lie in
                padding alone ; ParameterError when an argument is out of range
    References  Riesenhuber and Poggio, Hierarchical models of object recognition in cortex, Nature Neuroscience 1999

    Example
        >>> MaxPool2D(3, stride=2, padding="same")
        MaxPool2D(3, stride=2, padding='same')
    """

    axes: ClassVar[int] = 2
