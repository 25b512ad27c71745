"""Convolution of images."""

from __future__ import annotations

from typing import ClassVar

from ._convolution import _Convolution


class Conv2D(_Convolution):
    """Convolution of images ``z[n, i, j, o] = Σ x[n, s i + d u − p, s j + d v − p, c] W[u, v, c, o] + b[o]``.

    As everywhere in deep learning the kernel is not flipped (a cross-correlation), and x is 0 outside the image. Each
    spatial size becomes ⌊(size + padding before + after − d (kernel − 1) − 1) / s⌋ + 1, and p is the padding before.

    Where a mask says that the last steps along H are padding (see Masking), it goes on as in Conv1D: spectrograms and
    lines of text of different lengths, which lie along H, give the result of each by itself.

    Parameters
        channels : int >= 1, number of outputs O
        kernel : int >= 1 or two, size of the kernel
        stride : int >= 1 or two = 1, step s from one output to the next
        padding : "valid" (none), "same", int >= 0 or two, or two (before, after) pairs
            = "valid". "same" as in Keras and TensorFlow: sizes become ⌈size / s⌉, an odd element of padding at the end
        dilation : int >= 1 or two = 1, step d from one element of the kernel to the next
        groups : int >= 1 = 1, dividing C and O ; output group g sees input group g only (groups = C: depthwise)
        bias : bool = True
        weight_init, bias_init : Initializer or its name; weight_init=None follows the next activation
        weight_regularizer, weight_constraint : a Regularizer and a WeightConstraint of these weights, or None
    Shapes      x (N, H, W, C) ; weight W (kh, kw, C / groups, O) ; bias b (O,) ; z (N, H', W', O)
    Backward    dx = dz ∗ᵀ W ; dW = x ⋆ dz ; db = Σ dz over all axes but the last    (∗ᵀ is the transpose of the
                linear map x ↦ x ∗ W, ⋆ correlates x with dz)
    Raises      ShapeError when x is not (N, H, W, C), groups does not divide C, or the kernel is larger than the
                padded image ; ParameterError when an argument is out of range, or groups does not divide channels
    References  LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998 ;
                Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016

    Example
        >>> Conv2D(16, 3)
        Conv2D(16, kernel=3)
    """

    axes: ClassVar[int] = 2
