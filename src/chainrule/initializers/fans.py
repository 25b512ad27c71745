"""How many inputs and outputs a weight connects."""

from __future__ import annotations

import math

from chainrule.errors import ShapeError

__all__ = ["compute_fans"]


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Fan-in and fan-out of a weight.

    ``fan_in = r I`` and ``fan_out = r O``, with r the number of taps of the kernel (1 for a matrix).

    Parameters  shape : (I, O) of a dense weight, (kh, kw, I, O) of a convolution's kernel, or any (..., I, O)
    Returns     (fan_in, fan_out)
    Raises      ShapeError when there are fewer than two dimensions

    Example
        >>> compute_fans((64, 32))
        (64, 32)
        >>> compute_fans((3, 3, 16, 32))
        (144, 288)
    """
    if len(shape) < 2:
        raise ShapeError(
            f"The shape of a weight must be (I, O) or (kh, kw, I, O) to have fans. Got {shape!r} instead. "
            "Give a bias or a scale the fans of its layer's weight."
        )
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]
