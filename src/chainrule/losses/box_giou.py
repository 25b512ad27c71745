"""The loss of boxes by their generalised intersection over union."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..ops.value import Shape
from .base import Array, Builder, Loss, Saved, Value

__all__ = ["BoxGIoU"]

#: Logarithms of sides are kept between −10 and 10, where the squares of all areas are normal float32 numbers.
_LARGEST = 10.0


class BoxGIoU(Loss):
    """Loss ``ℓ = Σ w (1 − GIoU) / max(1, Σ w)`` of boxes that are given, at places inside them, by their sides' distances.

    z holds the logarithms of the predicted distances p = eᶻ (left, top, right, bottom), y the true ones t and, as its fifth
    number, the weight w of the place. With I, U and C the areas of the intersection, of the union and of the smallest box
    around both, GIoU = I / U − (C − U) / C. It is 1 for equal boxes, does not depend on their size, and, unlike I / U alone,
    tells how far a box is from being right where it is much too large or too small.

    Shapes      z (N, ..., 4) ; y (N, ..., 5) with distances >= 0 in any unit of length and w >= 0 ; ℓ (N,)
    Backward    gᴵ = −1 / U − gᴬ ;  gᴬ = I / U² − 1 / C ;  gᶜ = U / C² ; for the left side
                dz = dℓ w / max(1, Σ w) p (gᴵ hᴵ [p < t] + gᴬ (p↑ + p↓) + gᶜ hᶜ [p ≥ t]), with hᴵ and hᶜ the heights of I and
                C and p↑ + p↓ that of the predicted box; for the others alike. Beyond |z| = 10 it is 0
    Raises      ShapeError when z is not (N, ..., 4) ; DataError for targets that are negative or not finite
    References  Rezatofighi et al., Generalized intersection over union, CVPR 2019; the weights over the inside of a box: Liu
                et al., Training-time-friendly network for real-time object detection, AAAI 2020

    Example
        >>> BoxGIoU()
        BoxGIoU()
        >>> import numpy as np
        >>> BoxGIoU().prediction(np.log([[2.0, 1.0, 2.0, 3.0]])).round(3)
        array([[2., 1., 2., 3.]])
    """

    name = "box_giou"
    kind = "numbers"
    reads_logits = True

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        if len(output_shape) < 2 or output_shape[-1] != 4:
            raise ShapeError(
                f"BoxGIoU: expected the four sides of boxes (N, ..., 4), got an output of shape {output_shape}."
            )
        return [((*output_shape[:-1], 5), "float")]

    def own_activation(self, outputs: int) -> str:
        return "exp"

    def prediction(self, z: Array) -> Array:
        return np.asarray(np.exp(np.clip(z, -_LARGEST, _LARGEST)))

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        self.target_form(y, output_shape)
        expected = "finite distances and weights of at least 0"
        self._require(np.isfinite(y) & (y >= 0), y, expected, "Give left, top, right, bottom and the weight of each place.")

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        if z.ndim < 2 or z.shape[-1] != 4:
            raise ShapeError(f"BoxGIoU: expected the four sides of boxes (N, ..., 4), got {z.shape}.")
        last = z.ndim - 1
        true, weight = k.slice(y, last, 0, 4), k.slice(y, last, 4, 5)
        p = k.exp(k.maximum(k.minimum(z, _LARGEST), -_LARGEST))
        size, true_size = self._size(k, p), self._size(k, true)
        inner, outer = self._size(k, k.minimum(p, true)), self._size(k, k.maximum(p, true))
        intersection, around = self._area(k, inner), self._area(k, outer)
        union = k.subtract(k.add(self._area(k, size), self._area(k, true_size)), intersection)
        overlap, filled = k.divide(intersection, union), k.divide(union, around)
        loss = k.subtract(2.0, k.add(overlap, filled))
        places = tuple(range(1, z.ndim))
        share = k.divide(1.0, k.maximum(k.sum(weight, axis=places), 1.0))
        saved = Saved(
            z=z, p=p, true=true, weight=weight, size=size, inner=inner, outer=outer, union=union, around=around,
            overlap=overlap, filled=filled, share=share,
        )  # fmt: skip
        return k.multiply(k.sum(k.multiply(loss, weight), axis=places), share), saved

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        z, p, union, around = saved.z, saved.p, saved.union, saved.around
        by_area = k.subtract(k.divide(saved.overlap, union), k.divide(1.0, around))
        by_intersection = k.subtract(k.divide(-1.0, union), by_area)
        by_around = k.divide(saved.filled, around)
        smaller = k.greater(saved.true, p)
        inside = k.multiply(smaller, self._across(k, k.multiply(saved.inner, by_intersection)))
        outside = k.multiply(k.subtract(1.0, smaller), self._across(k, k.multiply(saved.outer, by_around)))
        slope = k.add(k.add(inside, outside), self._across(k, k.multiply(saved.size, by_area)))
        within = k.greater(_LARGEST, k.absolute(z))
        each = k.reshape(k.multiply(saved.share, dl), (z.shape[0], *(1,) * (z.ndim - 1)))
        return k.multiply(k.multiply(k.multiply(slope, p), within), k.multiply(saved.weight, each))

    @staticmethod
    def _size(k: Builder, sides: Value) -> Value:
        """Width and height (N, ..., 2): left + right, top + bottom."""
        last = sides.ndim - 1
        return k.add(k.slice(sides, last, 0, 2), k.slice(sides, last, 2, 4))

    @staticmethod
    def _area(k: Builder, size: Value) -> Value:
        last = size.ndim - 1
        return k.multiply(k.slice(size, last, 0, 1), k.slice(size, last, 1, 2))

    @staticmethod
    def _across(k: Builder, size: Value) -> Value:
        """What the area changes by when a side moves: the height for left and right, the width for top and bottom."""
        last = size.ndim - 1
        width, height = k.slice(size, last, 0, 1), k.slice(size, last, 1, 2)
        return k.concat([height, width, height, width], axis=last)
