"""What the layers that join several inputs have in common."""

from __future__ import annotations

from ..errors import ShapeError
from .base import Value


def check_joined(layer: str, xs: tuple[Value, ...], *, alike_but: int | None = None, broadcast: bool = True) -> None:
    """ShapeError unless there are two inputs or more, and their shapes fit.

    They must have the same number of axes, and on each axis the same size, or 1 (which is repeated). NumPy would also put
    missing axes in front, but there the batch stands: (N, C) and (N, H, W, C) would meet N with W.

    Parameters  alike_but : an axis on which sizes may differ; then 1 is not repeated on the others either
                broadcast : whether 1 is repeated
    """
    shapes = [x.shape for x in xs]
    text = " and ".join(map(str, shapes))
    if len(xs) < 2:
        raise ShapeError(f"{layer} joins two inputs or more, such as {layer}()(a, b). Got {len(xs)}: {text}.")
    if len({len(s) for s in shapes}) > 1:
        raise ShapeError(f"{layer}: the shapes {text} have different numbers of axes. Use Reshape to make them alike.")
    repeated = {1} if broadcast and alike_but is None else set()
    for axis, sizes in enumerate(zip(*shapes, strict=True)):
        if axis != alike_but and len(set(sizes) - repeated) > 1:
            raise ShapeError(
                f"{layer}: the shapes {text} differ on axis {axis}. Make them alike, for example by a layer on one of them."
            )
