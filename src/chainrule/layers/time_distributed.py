"""Any layer, applied to every step of sequences."""

from __future__ import annotations

from math import prod

from ..constraints import Instance
from ..errors import ParameterError
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, State, Value


class TimeDistributed(Layer):
    """Applies a layer to every step of sequences by itself: ``y[n, t] = layer(x[n, t])``.

    All steps of all samples become one batch, so a convolution runs over the frames of a video, and the parameters are
    shared by all steps. Layers that work on the last axis alone, such as Dense and activations, take sequences without it.

    Parameters  layer : a layer of one input and one output
    Shapes      x (N, T, ...) ; y (N, T, ...) with the layer's output of each step
    Backward    dx[n, t] = the layer's dx for dy[n, t]
    Raises      ShapeError when x has no axis of steps, or the layer does not take a step ; ParameterError when layer is no
                layer

    Example
        >>> from chainrule.layers import Conv2D
        >>> TimeDistributed(Conv2D(8, 3))
        TimeDistributed(Conv2D(8, kernel=3))
    """

    stepwise = True
    hyperparameters = {"layer": Instance(Layer, hint="Give one as Conv2D(8, 3).")}

    def __init__(self, layer: Layer):
        self.layer = layer

    def validate(self) -> None:
        super().validate()
        if self.layer.arity == 2 or self.layer.output_count != 1:
            raise ParameterError(
                f"TimeDistributed: expected a layer of one input and one output, such as Conv2D(8, 3). Got {self.layer!r}."
            )

    @property
    def role(self) -> str:
        # An activation inside has the facts of one, and this layer has not.
        return "other" if self.layer.role in ("activation", "softmax") else self.layer.role

    @property
    def linear(self) -> bool:
        return self.layer.linear

    @property
    def channel_map(self) -> str | None:
        # Units of the layer inside are its own argument, and what it pools may be the channels of a step.
        return "each" if self.layer.channel_map == "each" and self.role != "pooling" else None

    @property
    def passes_scale(self) -> bool:
        return self.layer.passes_scale

    def index_limit(self) -> int | None:
        return self.layer.index_limit()

    @staticmethod
    def _steps(shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(f"TimeDistributed: expected sequences (N, T, ...), got {shape}.")
        return (prod(shape[:2]), *shape[2:])

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        return self.layer.parameters(self._steps(shapes[0]))

    def states(self, *shapes: Shape) -> dict[str, State]:
        return self.layer.states(self._steps(shapes[0]))

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        y, saved = self.layer.forward(k, k.reshape(x, self._steps(x.shape)))
        return k.reshape(y, (*x.shape[:2], *y.shape[1:])), Saved(own=saved, shape=x.shape, inner=y.shape)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value | None:
        dx = self.layer.backward(k, saved.own, k.reshape(dy, saved.inner))
        assert not isinstance(dx, tuple)
        return None if dx is None else k.reshape(dx, saved.shape)
