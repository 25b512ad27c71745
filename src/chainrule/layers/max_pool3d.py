"""Max pooling of volumes."""

from __future__ import annotations

from typing import ClassVar

from ._pooling import _MaxPooling


class MaxPool3D(_MaxPooling):
    """Largest element of each window ``y[n, q, c] = max x[n, s q + r − p, c]`` over r < kernel,
    with places q, r of three axes each.

    Padding is never the largest. Each spatial size becomes ⌊(size + padding before + after − kernel) / s⌋ + 1.

    Parameters
        kernel : int >= 1 or three = 2, size of the windows
        stride : int >= 1 or three, or None = None for the kernel: windows side by side
        padding : "valid" (none), "same" (sizes become ⌈size / s⌉), int >= 0 or three,
            or three (before, after) pairs = "valid"; less than the kernel
        ceil : bool = False ; whether a last window that reaches beyond the image is taken, too, so that sizes are rounded up
    Shapes      x (N, D, H, W, C) ; y (N, D', H', W', C)
    Backward    dx[n, q', c] = Σ dy over the windows whose largest element is at q'    (the first of several)
    Raises      ShapeError when x is not (N, D, H, W, C), a window is larger than the padded volume, or a window may lie in
                padding alone ; ParameterError when an argument is out of range
    References  Riesenhuber and Poggio, Hierarchical models of object recognition in cortex, Nature Neuroscience 1999

    Example
        >>> MaxPool3D(3, stride=2, padding="same")
        MaxPool3D(3, stride=2, padding='same')
    """

    axes: ClassVar[int] = 3
