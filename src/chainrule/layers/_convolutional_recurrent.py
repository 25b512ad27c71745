"""What the recurrent layers of pictures have in common: their inputs, first states, and the sums over all steps."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from ..constraints import Boolean, Constraint, Interval
from ..ops.value import Shape
from ._spatial import size_of_each_axis, sizes
from .base import Builder, Layer, Parameter, Saved, ShapeError, Tensor, Value


class _ConvolutionalRecurrent(Layer):
    """Base of the layers that carry states (N, H, W, F) through sequences of pictures (N, T, H, W, C).

    A subclass states how many ``gates`` the product with its input has, which states it carries, and a step of its cell:
    ``step(k, a, states) -> (states, kept)`` and ``step_back(k, kept, dstates) -> (da, dstates before)``. All steps are
    written out, so passes fuse them like any other equations. The convolution with the input, and the gradients of both
    kernels, are each one product over all steps.
    """

    width_argument = "channels"
    arity = None
    letter = "h"
    gates: ClassVar[int]
    carried: ClassVar[tuple[str, ...]] = ("h",)
    hyperparameters = {"channels": Interval(int, 1), "return_sequences": Boolean(), "return_state": Boolean()}

    channels: int
    kernel: Any
    return_sequences: bool
    return_state: bool
    weight_init: Any
    recurrent_init: Any

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        return super().constraints() | {"kernel": size_of_each_axis(2)}

    @property
    def output_count(self) -> int:
        return 1 + len(self.carried) * bool(self.return_state)

    def looks_ahead(self, place: int) -> bool:
        return place == 0 and bool(self.return_state or not self.return_sequences)

    def __call__(self, *inputs: Tensor, initial_state: Tensor | Sequence[Tensor] = ()) -> Any:
        """Connects the layer. The first states are further inputs, or ``initial_state``: a Tensor, or one for each state."""
        states = [initial_state] if isinstance(initial_state, Tensor) else list(initial_state)
        return super().__call__(*inputs, *states)

    # ------------------------------------------------------------ shapes and parameters

    def _check_inputs(self, shapes: tuple[Shape, ...]) -> None:
        name, (x, *states) = type(self).__name__, shapes
        if len(x) != 5 or x[1] < 1:
            hint = " Give grey pictures an axis of one channel: (N, T, H, W, 1)." if len(x) == 4 else ""
            raise ShapeError(f"{name}: expected sequences of pictures (N, T, H, W, C), got {x}.{hint}")
        if len(states) not in (0, len(self.carried)):
            wanted = " and ".join(f"{s}₀" for s in self.carried)
            raise ShapeError(f"{name}: besides x it takes the first states {wanted}, all or none. Got {len(states)} more.")
        wanted_shape = (x[0], x[2], x[3], int(self.channels))
        for letter, shape in zip(self.carried, states, strict=False):
            if shape != wanted_shape:
                raise ShapeError(f"{name}: the first state {letter}₀ must be {wanted_shape}, got {shape}.")

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        self._check_inputs(shapes)
        return {
            "weight": self._kernel(shapes[0][-1], self.gates, self.weight_init),
            **self._recurrent(),
            "bias": Parameter((self.gates * int(self.channels),), self._bias_init(), decay=False),
        }

    def _recurrent(self) -> dict[str, Parameter]:
        return {"recurrent_weight": self._kernel(int(self.channels), self.gates, self.recurrent_init)}

    def _bias_init(self) -> Any:
        return "zeros"

    def _kernel(self, inputs: int, gates: int, init: Any) -> Parameter:
        """Kernels of several gates side by side, each drawn by itself."""
        size, channels = sizes(self.kernel, 2), int(self.channels)
        fan_in, fan_out = prod(size) * inputs, prod(size) * channels
        return Parameter((*size, inputs, gates * channels), (init,) * gates, fan_in=fan_in, fan_out=fan_out)

    @property
    def _window(self) -> dict[str, Any]:
        """ "same": of an even kernel the odd element of padding is at the end."""
        padding = tuple(((size - 1) // 2, size // 2) for size in sizes(self.kernel, 2))
        return {"stride": (1, 1), "padding": padding, "dilation": (1, 1)}

    # ------------------------------------------------------------ what a subclass states

    def step(self, k: Builder, a: Value, states: list[Value | None]) -> tuple[list[Value], dict[str, Value | None]]:
        """Emits one step: (the states after it, what its way back needs). A state of None is 0."""
        raise NotImplementedError

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None], *, first: bool
    ) -> tuple[Value, list[Value | None]]:
        """Emits (da, gradients of the states before the step). Parameters  first : whether nobody wants the latter"""
        raise NotImplementedError

    def recurrent_gradients(self, k: Builder, kept: list[dict[str, Value | None]], das: list[Value]) -> None:
        """Gives the recurrent kernel its gradient: one product over all steps, ``dU = Σₜ hₜ₋₁ ⋆ daₜ``."""
        self._product(k, "recurrent_weight", [(one["before"], da) for one, da in zip(kept, das, strict=True)])

    def _product(self, k: Builder, name: str, pairs: list[tuple[Value | None, Value]]) -> None:
        """Gives a kernel its gradient from pairs (input, gradient of the output); inputs that are 0 are left out."""
        there = [(x, dy) for x, dy in pairs if x is not None]
        size, weight = sizes(self.kernel, 2), k.param(name)
        if not there:
            k.grad(name, k.multiply(weight, 0.0))
            return
        x, dy = (k.concat(list(part), axis=0) if len(there) > 1 else part[0] for part in zip(*there, strict=True))
        k.grad(name, k.conv_backward_weights(x, dy, kernel=size, **self._window))

    # ------------------------------------------------------------ equations

    def forward(self, k: Builder, *xs: Value) -> tuple[Any, Saved]:
        self._check_inputs(tuple(x.shape for x in xs))
        x, *given = xs
        n, t, h, w, c = x.shape
        flat, weight = k.reshape(x, (n * t, h, w, c)), k.param("weight")
        a = k.add(k.conv(flat, weight, **self._window), k.param("bias"))
        a.name = "a"
        steps = k.reshape(a, (n, t, h, w, a.shape[-1]))
        states: list[Value | None] = list(given) if given else [None] * len(self.carried)
        kept, outputs = [], []
        for i in range(t):
            now = k.reshape(k.slice(steps, 1, i, i + 1), (n, h, w, a.shape[-1]))
            after, one = self.step(k, now, states)
            one["before"] = states[0]
            states = list(after)
            kept.append(one)
            outputs.append(after[0])
        ends = [state for state in states if state is not None]
        y = self._stacked(k, outputs) if self.return_sequences else ends[0]
        saved = Saved(x=flat, weight=weight, shape=x.shape, kept=kept, given=len(given))
        return ((y, *ends) if self.return_state else y), saved

    def backward(self, k: Builder, saved: Saved, dy: Any) -> Value | tuple[Value | None, ...]:
        dy, *dends = dy if isinstance(dy, tuple) else (dy,)
        n, t, h, w, _ = saved.shape
        grads: list[Value | None] = list(dends) if dends else [None] * len(self.carried)
        if not self.return_sequences:
            grads[0] = _sum(k, grads[0], dy)
        das: list[Value] = []
        for i in reversed(range(t)):
            if self.return_sequences and dy is not None:
                mine = k.reshape(k.slice(dy, 1, i, i + 1), (n, h, w, int(self.channels)))
                grads[0] = _sum(k, grads[0], mine)
            da, grads = self.step_back(k, saved.kept[i], grads, first=i == 0 and not saved.given)
            das.append(da)
        das.reverse()
        self.recurrent_gradients(k, saved.kept, das)
        every = self._stacked(k, das)
        flat = k.reshape(every, (n * t, h, w, every.shape[-1]))
        flat.name = "da"
        k.grad("weight", k.conv_backward_weights(saved.x, flat, kernel=sizes(self.kernel, 2), **self._window))
        k.grad("bias", k.sum(flat, axis=(0, 1, 2)))
        dx = k.reshape(k.conv_backward_data(flat, saved.weight, spatial=(h, w), **self._window), saved.shape)
        return (dx, *grads) if saved.given else dx

    @staticmethod
    def _stacked(k: Builder, steps: list[Value]) -> Value:
        """(N, H, W, F) of every step as (N, T, H, W, F)."""
        columns = [k.reshape(one, (one.shape[0], 1, *one.shape[1:])) for one in steps]
        return k.concat(columns, axis=1) if len(columns) > 1 else columns[0]

    def _part(self, k: Builder, a: Value, gate: int) -> Value:
        """The channels of one gate."""
        channels = int(self.channels)
        return k.slice(a, 3, gate * channels, (gate + 1) * channels)


def _sum(k: Builder, a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else k.add(a, b)


def slope_of_sigmoid(k: Builder, s: Value) -> Value:
    """s (1 − s)"""
    return k.multiply(s, k.subtract(1.0, s))
