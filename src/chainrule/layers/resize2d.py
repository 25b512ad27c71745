"""Images of another size."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from numbers import Real
from typing import Any

from ..constraints import POSITIVE, Interval, Maybe, OneOf, OneOrMore
from ..errors import ParameterError
from ..ops.resampling import COORDINATES, ROUNDINGS
from ..ops.value import Shape
from ._spatial import check_image, sizes
from .base import Builder, Layer, Saved, ShapeError, Value

_METHODS = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic", "area": "area"}

#: The largest denominator of a factor as a ratio: 2/3 as a decimal number is meant to be 2/3.
_FINEST = 1000


class Resize2D(Layer):
    """Brings images to another size, larger or smaller: each pixel of y is the nearest pixel of x, or a mixture of pixels.

    Pixel p of O on an axis of I pixels lies at s of the image: with coordinates="half_pixel" s = (p + ½) I / O − ½, with
    "align_corners" s = p (I − 1) / (O − 1), with "asymmetric" s = p I / O. "bilinear" mixes the two pixels around s on each
    axis by their distances, "bicubic" four of them, "area" takes the mean of the pixels that the new pixel covers. Where a
    scale f does not make a whole number of pixels, O / I is f in the first and the last of these equations, as in other
    libraries.

    Parameters
        size : int >= 1 or two, (H', W') of the output ; scale : number > 0 or two, factors in place of the size
        method : "nearest", "bilinear", "bicubic" or "area" = "bilinear" ; coordinates : as above = "half_pixel"
        rounding : of "nearest": "round_up" (⌊s + ½⌋), "round_down" (⌈s − ½⌉), "floor" or "ceil" = "round_up"
    Shapes      x (N, H, W, C) ; y (N, H', W', C), with scale (N, ⌊scale H⌋, ⌊scale W⌋, C)
    Backward    dx[n, u, v, c] = Σ dy[n, i, j, c] times the weight of u, v in i, j, over all i, j
    Raises      ShapeError when x is not (N, H, W, C), or nothing would be left ; ParameterError when size or scale is out of
                its range, or both or none are given ; UnknownNameError for another method, coordinates or rounding
    References  Keys, Cubic convolution interpolation for digital image processing, IEEE Trans. ASSP 1981 (here a = −3/4)

    Example
        >>> Resize2D((32, 48), method="bicubic")
        Resize2D((32, 48), method='bicubic')
    """

    role = "reshaping"
    hyperparameters = {
        "size": Maybe(OneOrMore(Interval(int, 1), count=2)),
        "scale": Maybe(OneOrMore(POSITIVE, count=2)),
        "method": OneOf(*_METHODS),
        "coordinates": OneOf(*COORDINATES),
        "rounding": OneOf(*ROUNDINGS),
    }

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        *,
        scale: float | tuple[float, float] | None = None,
        method: str = "bilinear",
        coordinates: str = "half_pixel",
        rounding: str = "round_up",
    ):
        self.size, self.scale, self.method = size, scale, method
        self.coordinates, self.rounding = coordinates, rounding

    def _scales(self) -> list[Any]:
        scale: Any = self.scale
        return [scale] * 2 if isinstance(scale, Real) else list(scale)

    def _ratios(self, spatial: Shape) -> str:
        """The factors as ratios old:new, as ``resample`` takes them; "" where they make whole sizes."""
        scales = [Fraction(float(f)).limit_denominator(_FINEST) for f in self._scales()]
        if all((n * f).denominator == 1 for n, f in zip(spatial, scales, strict=True)):
            return ""
        return "/" + ",".join(f"{f.denominator}:{f.numerator}" for f in scales)

    def validate(self) -> None:
        super().validate()
        if (self.size is None) == (self.scale is None):
            raise ParameterError(f"Resize2D: give either size or scale. Got size={self.size!r} and scale={self.scale!r}.")

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        check_image(self, 2, x.shape)
        if self.size is not None:
            size = sizes(self.size, 2)
        else:
            # A factor such as 2/3 of 9 pixels is not to lose a pixel to rounding.
            size = tuple(floor(n * float(f) + 1e-6) for n, f in zip(x.shape[1:-1], self._scales(), strict=True))
            if min(size) < 1:
                raise ShapeError(f"Resize2D: scale {self.scale} leaves nothing of images {x.shape}.")
        method = f"{_METHODS[self.method]}/{self.coordinates}/{self.rounding}"
        if self.size is None:
            method += self._ratios(x.shape[1:-1])
        return k.resample(x, size=size, method=method), Saved(spatial=x.shape[1:-1], method=method)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.resample_backward(dy, spatial=saved.spatial, method=saved.method)
