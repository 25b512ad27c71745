"""Max pooling of sequences."""

from __future__ import annotations

from typing import ClassVar

from ._pooling import _MaxPooling


class MaxPool1D(_MaxPooling):
    """Largest element of each window ``y[n, t, c] = max x[n, s t + u − p, c]`` over u = 0, ..., kernel − 1.

    Padding is never the largest. Each spatial size becomes ⌊(size + padding before + after − kernel) / s⌋ + 1.

    Windows of the padded steps of sequences (see Masking) are left out as Conv1D does it.

    Parameters
        kernel : int >= 1 or one in a tuple = 2, size of the windows
        stride : int >= 1 or one in a tuple, or None = None for the kernel: windows side by side
        padding : "valid" (none), "same" (sizes become ⌈size / s⌉), int >= 0 or one in a tuple,
            or a (before, after) pair in a tuple = "valid"; less than the kernel
        ceil : bool = False ; whether a last window that reaches beyond the image is taken, too, so that sizes are rounded up
    Shapes      x (N, T, C) ; y (N, T', C)
    Backward    dx[n, t', c] = Σ dy over the windows whose largest element is at t'    (the first of several)
    Raises      ShapeError when x is not (N, T, C), a window is larger than the padded sequence, or a window may lie in
                padding alone ; ParameterError when an argument is out of range
    References  Riesenhuber and Poggio, Hierarchical models of object recognition in cortex, Nature Neuroscience 1999

    Example
        >>> MaxPool1D(3, stride=2, padding="same")
        MaxPool1D(3, stride=2, padding='same')
    """

    axes: ClassVar[int] = 1
