"""What binarised layers have in common: weights of which the layer sees the sign."""

from __future__ import annotations

from dataclasses import replace

from .base import Parameter

#: Why a clip of 0 is refused.
NO_GRADIENT = "With 0 no gradient reaches the weights."


def as_signs(parameters: dict[str, Parameter], clip: float, scaled: bool) -> dict[str, Parameter]:
    """The same parameters with a weight of which the layer sees the sign."""
    how = {"clip": float(clip)} | ({"scaled": True} if scaled else {})
    weight = replace(parameters["weight"], representation=("Sign", how), decay=False)
    return parameters | {"weight": weight}
