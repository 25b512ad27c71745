"""Transposed convolution of volumes."""

from __future__ import annotations

from typing import ClassVar

from ._transposed_convolution import _TransposedConvolution


class ConvTranspose3D(_TransposedConvolution):
    """Transposed convolution of volumes ``z = x ∗ᵀ W + b``: every element of x adds a kernel, scaled by it, to the output,
    s apart from its neighbour's: ``z[n, s h + d t − p, s i + d u − p, s j + d v − p, o] += x[n, h, i, j, c] W[t, u, v, o,
    c]``.

    It is what a convolution with weight W does to gradients, not its inverse, and makes volumes larger. A kernel that is
    a multiple of the stride covers every output equally often; others leave a pattern.

    Parameters
        channels : int >= 1, number of outputs O
        kernel : int >= 1 or three, size of the kernel
        stride : int >= 1 or three = 1, step s
        padding : "valid" (none), "same", int >= 0 or three, or
            three (before, after) pairs = "valid": what is cut off the borders of the
            output (p before), "same" so that size times stride is left
        output_padding : int >= 0 or three = 0, less than the stride: elements added at the end of the output
        dilation : int >= 1 or three = 1, step d from one element of the kernel to the next
        groups : int >= 1 = 1, dividing C and O ; output group g sees input group g only
        bias : bool = True
        weight_init, bias_init : Initializer or its name; weight_init=None follows the next activation
        weight_regularizer, weight_constraint : a Regularizer and a WeightConstraint of these weights, or None
    Shapes      x (N, D, H, W, C) ; weight W (kd, kh, kw, O / groups, C) ; bias b (O,) ; z (N, D', H', W', O), with each
                spatial size (size − 1) s + d (kernel − 1) + 1 − padding before − after + output_padding, or
                size · s for "same"
    Backward    dx = dz ∗ W ; dW = dz ⋆ x ; db = Σ dz over all axes but the last    (dz is convolved with the same W)
    Raises      ShapeError when x is not (N, D, H, W, C), groups does not divide C, or nothing is left of the output ;
                ParameterError when an argument is out of range, or groups does not divide channels
    References  Zeiler et al., Deconvolutional networks, CVPR 2010 ;
                Odena et al., Deconvolution and checkerboard artifacts, Distill 2016

    Example
        >>> ConvTranspose3D(8, 4, stride=2, padding="same")
        ConvTranspose3D(8, kernel=4, stride=2, padding='same')
    """

    axes: ClassVar[int] = 3
