"""What binarised layers have in common: weights of which the layer sees the sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import ParameterError
from .base import Parameter, check_number


def check_clip(layer: Any) -> None:
    """ParameterError unless the layer's clip is a finite number above 0."""
    check_number(layer, "clip", low=0)
    if layer.clip == 0:
        raise ParameterError(f"{type(layer).__name__}: clip must be above 0, or no gradient reaches the weights. Got 0.")


def as_signs(parameters: dict[str, Parameter], clip: float) -> dict[str, Parameter]:
    """The same parameters with a weight of which the layer sees the sign."""
    weight = replace(parameters["weight"], representation=("Sign", {"clip": float(clip)}), decay=False)
    return parameters | {"weight": weight}
