"""Average pooling of sequences."""

from __future__ import annotations

from typing import ClassVar

from ._pooling import _AveragePooling


class AveragePool1D(_AveragePooling):
    """Mean of each window ``y[n, t, c] = 1/K Σ x[n, s t + u − p, c]`` over u = 0, ..., kernel − 1.

    K counts the elements of the window that are not padding, or all of them with count_padding. Each spatial size becomes
    ⌊(size + padding before + after − kernel) / s⌋ + 1.

    Windows of the padded steps of sequences (see Masking) are left out as Conv1D does it.

    Parameters
        kernel : int >= 1 or one in a tuple = 2, size of the windows
        stride : int >= 1 or one in a tuple, or None = None for the kernel: windows side by side
        padding : "valid" (none), "same" (sizes become ⌈size / s⌉), int >= 0 or one in a tuple,
            or a (before, after) pair in a tuple = "valid"; less than the kernel
        count_padding : bool = False as in Keras ; True counts padding as zeros, PyTorch's default
        ceil : bool = False ; whether a last window that reaches beyond the image is taken, too, so that sizes are rounded up
    Shapes      x (N, T, C) ; y (N, T', C)
    Backward    dx[n, t', c] = Σ dy / K over the windows that t' lies in
    Raises      ShapeError when x is not (N, T, C), a window is larger than the padded sequence, or a window may lie in
                padding alone ; ParameterError when an argument is out of range
    References  LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998

    Example
        >>> AveragePool1D(3, stride=2)
        AveragePool1D(3, stride=2)
    """

    axes: ClassVar[int] = 1
