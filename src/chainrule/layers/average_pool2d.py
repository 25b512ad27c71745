"""Average pooling of images."""

from __future__ import annotations

from typing import ClassVar

from ._pooling import _AveragePooling


class AveragePool2D(_AveragePooling):
    """Mean of each window ``y[n, i, j, c] = 1/K Σ x[n, s i + u − p, s j + v − p, c]`` over u < kh and v < kw.

    K counts the elements of the window that are not padding, or all of them with count_padding. Each spatial size becomes
    ⌊(size + padding before + after − kernel) / s⌋ + 1.

    Parameters
        kernel : int >= 1 or two = 2, size of the windows
        stride : int >= 1 or two, or None = None for the kernel: windows side by side
        padding : "valid" (none), "same" (sizes become ⌈size / s⌉), int >= 0 or two,
            or two (before, after) pairs = "valid"; less than the kernel
        count_padding : bool = False as in Keras ; True counts padding as zeros, PyTorch's default
        ceil : bool = False ; whether a last window that reaches beyond the image is taken, too, so that sizes are rounded up
    Shapes      x (N, H, W, C) ; y (N, H', W', C)
    Backward    dx[n, i', j', c] = Σ dy / K over the windows that i', j' lies in
    Raises      ShapeError when x is not (N, H, W, C), a window is larger than the padded image, or a window may lie in
                padding alone ; ParameterError when an argument is out of range
    References  LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998

    Example
        >>> AveragePool2D(3, stride=2)
        AveragePool2D(3, stride=2)
    """

    axes: ClassVar[int] = 2
