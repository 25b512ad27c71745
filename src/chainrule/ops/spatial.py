"""The geometry of images, which convolution, pooling and resampling share.

An image is (N, *spatial, C), channels last, with 1, 2 or 3 spatial axes: sequences, images and volumes are one op each. A
window on a spatial axis covers ``dilation (kernel − 1) + 1`` elements, and

    output = (input + padding before + padding after − covered) // stride + 1

Attributes hold one entry for each spatial axis; padding is a (before, after) pair.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from .table import Attrs
from .value import Shape

Pairs = tuple[tuple[int, int], ...]


def covered(kernel: int, dilation: int = 1) -> int:
    """How many elements of an axis a window covers.

    >>> covered(3, 2)
    5
    """
    return dilation * (kernel - 1) + 1


def sliding(*, padding: Sequence[tuple[int, int]], **sizes: Sequence[int]) -> Attrs:
    """The attributes of an op on windows, as tuples, which a plan can compare.

    >>> sliding(stride=[2, 2], padding=[[1, 1], (0, 0)])
    {'stride': (2, 2), 'padding': ((1, 1), (0, 0))}
    """
    return {name: tuple(size) for name, size in sizes.items()} | {"padding": tuple(map(tuple, padding))}


def windows(op: str, spatial: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Shape:
    """How many windows fit on each spatial axis; ShapeError with the numbers of the axis on which none does.

    >>> windows("conv", (28, 28), (5, 5), (2, 2), ((2, 2), (0, 0)), (1, 1))
    (14, 12)
    """
    sizes = []
    for axis, (size, k, s, (before, after), d) in enumerate(zip(spatial, kernel, stride, padding, dilation, strict=True)):
        if min(k, s, d) < 1 or min(before, after) < 0:
            raise ShapeError(
                f"{op}: kernel, stride and dilation must be at least 1 and padding at least 0; "
                f"on spatial axis {axis} they are {k}, {s}, {d} and ({before}, {after})."
            )
        padded, cover = size + before + after, covered(k, d)
        if cover > padded:
            parts = f" ({size} with padding {before} + {after})" if before or after else ""
            spread = f" (size {k}, dilation {d})" if d > 1 else ""
            raise ShapeError(
                f"{op}: on spatial axis {axis} the kernel covers {cover} elements{spread} and the image has {padded}"
                f"{parts}. Use a smaller kernel, more padding, or larger images."
            )
        sizes.append((padded - cover) // s + 1)
    return tuple(sizes)


def image(op: str, shape: Shape) -> int:
    """The number of spatial axes of an image; ShapeError when it is none."""
    if not 3 <= len(shape) <= 5:
        raise ShapeError(
            f"{op}: expected (N, *spatial, C) with 1, 2 or 3 spatial axes, such as images (N, H, W, C). Got {shape}."
        )
    return len(shape) - 2


def match(op: str, axes: int, attrs: Attrs, names: Sequence[str]) -> None:
    for name in names:
        if len(attrs[name]) != axes:
            raise ShapeError(f"{op}: {name} {attrs[name]} has {len(attrs[name])} entries for {axes} spatial axes.")
