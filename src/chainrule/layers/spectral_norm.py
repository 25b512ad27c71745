"""Spectral normalisation of any layer with a weight."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from ..constraints import Instance
from ..errors import ParameterError
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, State, Value


class SpectralNorm(Layer):
    """Any layer whose weight is divided by its largest singular value, ``y = layer(x; w / σ(w))``.

    Such a layer stretches no difference of inputs by more than 1 (a dense one; a convolution by a small factor), so a
    network of them with ReLU has slopes that stay bounded. Critics of generative networks learn steadily with it, and under
    the Wasserstein objective they need it or something like it.

    Parameters  layer : with a parameter "weight" of two axes or more, such as Dense or Conv2D
    Shapes      those of the layer ; σ is that of the weight as a matrix (all axes but the last, O), found by power
                iteration, one step with every training step
    Backward    that of the layer, then dw = (dvalue − ⟨dvalue, value⟩ v uᵀ) / σ ; see ``network.SpectrallyNormalised``
    Raises      ParameterError when layer is no layer ; ShapeError when it has no weight
    References  Miyato, Kataoka, Koyama, Yoshida, Spectral normalization for generative adversarial networks, ICLR 2018

    Example
        >>> from chainrule.layers import Conv2D
        >>> SpectralNorm(Conv2D(8, 3))
        SpectralNorm(Conv2D(8, 3))
    """

    hyperparameters = {"layer": Instance(Layer, hint="Give one as Dense(8).")}

    def __init__(self, layer: Layer):
        self.layer = layer

    def validate(self) -> None:
        super().validate()
        if isinstance(self.layer, SpectralNorm):
            raise ParameterError(f"SpectralNorm: the weight of the layer is normalised already. Got {self.layer!r}.")

    @property
    def role(self) -> str:
        return self.layer.role

    @property
    def linear(self) -> bool:
        return self.layer.linear

    @property
    def channel_map(self) -> str | None:
        return None  # its weights are divided by a number that all of them decide

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        found = self.layer.parameters(*shapes)
        weight = found.get("weight")
        if weight is None or len(weight.shape) < 2:
            raise ShapeError(f"SpectralNorm: {self.layer!r} has no weight of two axes or more to normalise.")
        start = np.random.default_rng(weight.shape[-1]).normal(size=weight.shape[-1])
        start /= sqrt(float(start @ start))
        return {**found, "weight": replace(weight, representation=("SpectrallyNormalised", {"u": start}))}

    def states(self, *shapes: Shape) -> dict[str, State]:
        return self.layer.states(*shapes)

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        found: tuple[Value, Saved] = self.layer.forward(k, *xs)
        return found

    def backward(self, k: Builder, saved: Saved, dy: Any) -> Value | tuple[Value | None, ...] | None:
        return self.layer.backward(k, saved, dy)
