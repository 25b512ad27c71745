"""What upsampling layers have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from ..constraints import Constraint, OneOf
from ._spatial import check_image, size_of_each_axis, sizes
from .base import Builder, Layer, Saved, Value


class _UpSampling(Layer):
    """Base of the upsampling layers."""

    role = "reshaping"
    axes: ClassVar[int]
    #: {name: method of the op ``resample``}
    methods: ClassVar[dict[str, str]]
    scale: Any
    method: str

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        return super().constraints() | {"scale": size_of_each_axis(cls.axes), "method": OneOf(*cls.methods)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        check_image(self, self.axes, x.shape)
        size = tuple(n * s for n, s in zip(x.shape[1:-1], sizes(self.scale, self.axes), strict=True))
        return k.resample(x, size=size, method=self.methods[self.method]), Saved(spatial=x.shape[1:-1])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.resample_backward(dy, spatial=saved.spatial, method=self.methods[self.method])
