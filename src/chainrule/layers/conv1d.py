"""Convolution of sequences."""

from __future__ import annotations

from typing import ClassVar

from ._convolution import _Convolution


class Conv1D(_Convolution):
    """Convolution of sequences ``z[n, t, o] = Σ x[n, s t + d u − p, c] W[u, c, o] + b[o]``.

    As everywhere in deep learning the kernel is not flipped (a cross-correlation), and x is 0 outside the sequence. Each
    spatial size becomes ⌊(size + padding before + after − d (kernel − 1) − 1) / s⌋ + 1, and p is the padding before.

    Where a mask says that steps are padding (see Masking), they are 0, and the mask goes on with the outputs that the
    sequence without padding has: the result is exactly its own. That holds for padding at the end, but not for
    padding="same" with a stride, which depends on the length; for padding in front, with stride 1 and no padding or
    "same". A sequence shorter than the kernel gets zeros at its end.

    Parameters
        channels : int >= 1, number of outputs O
        kernel : int >= 1 or one in a tuple, size of the kernel
        stride : int >= 1 or one in a tuple = 1, step s from one output to the next
        padding : "valid" (none), "same", int >= 0 or one in a tuple, or a (before, after) pair in a tuple
            = "valid". "same" as in Keras and TensorFlow: sizes become ⌈size / s⌉, an odd element of padding at the end
        dilation : int >= 1 or one in a tuple = 1, step d from one element of the kernel to the next
        groups : int >= 1 = 1, dividing C and O ; output group g sees input group g only (groups = C: depthwise)
        bias : bool = True
        weight_init, bias_init : Initializer or its name; weight_init=None follows the next activation
        weight_regularizer, weight_constraint : a Regularizer and a WeightConstraint of these weights, or None
    Shapes      x (N, T, C) ; weight W (kernel, C / groups, O) ; bias b (O,) ; z (N, T', O)
    Backward    dx = dz ∗ᵀ W ; dW = x ⋆ dz ; db = Σ dz over all axes but the last    (∗ᵀ is the transpose of the
                linear map x ↦ x ∗ W, ⋆ correlates x with dz)
    Raises      ShapeError when x is not (N, T, C), groups does not divide C, or the kernel is larger than the
                padded sequence ; ParameterError when an argument is out of range, or groups does not divide channels
    References  Waibel et al., Phoneme recognition using time-delay neural networks, IEEE Trans. ASSP 1989

    Example
        >>> Conv1D(16, 5)
        Conv1D(16, kernel=5)
    """

    axes: ClassVar[int] = 1
