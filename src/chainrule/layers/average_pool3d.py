"""Average pooling of volumes."""

from __future__ import annotations

from typing import ClassVar

from ._pooling import _AveragePooling


class AveragePool3D(_AveragePooling):
    """Mean of each window ``y[n, q, c] = 1/K Σ x[n, s q + r − p, c]`` over r < kernel, with places q, r of three axes each.

    K counts the elements of the window that are not padding, or all of them with count_padding. Each spatial size becomes
    ⌊(size + padding before + after − kernel) / s⌋ + 1.

    Parameters
        kernel : int >= 1 or three = 2, size of the windows
        stride : int >= 1 or three, or None = None for the kernel: windows side by side
        padding : "valid" (none), "same" (sizes become ⌈size / s⌉), int >= 0 or three,
            or three (before, after) pairs = "valid"; less than the kernel
        count_padding : bool = False as in Keras ; True counts padding as zeros, PyTorch's default
        ceil : bool = False ; whether a last window that reaches beyond the image is taken, too, so that sizes are rounded up
    Shapes      x (N, D, H, W, C) ; y (N, D', H', W', C)
    Backward    dx[n, q', c] = Σ dy / K over the windows that q' lies in
    Raises      ShapeError when x is not (N, D, H, W, C), a window is larger than the padded volume, or a window may lie in
                padding alone ; ParameterError when an argument is out of range
    References  LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998

    Example
        >>> AveragePool3D(3, stride=2)
        AveragePool3D(3, stride=2)
    """

    axes: ClassVar[int] = 3
