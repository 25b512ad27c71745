"""What the recurrent layers have in common: inputs and outputs, first states, masks, and the products over all steps."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from ..constraints import Boolean, Interval, Maybe
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, Tensor, Value


class _Recurrent(Layer):
    """Base of the recurrent layers.

    A subclass states how many ``gates`` its product has, which ``states`` it carries, and its cell: ``run(k, a, ...)`` and
    ``run_backward(k, saved, ...)``.
    """

    width_argument = "units"
    arity = None
    letter = "h"
    #: The op that runs the cell through time.
    cell: ClassVar[str]
    #: Gates of the product a = x W + b, and the letters of the states carried from step to step.
    gates: ClassVar[int]
    carried: ClassVar[tuple[str, ...]] = ("h",)

    units: int
    return_sequences: bool
    return_state: bool
    reverse: bool
    truncate: int | None
    weight_init: Any
    recurrent_init: Any
    hyperparameters = {
        "units": Interval(int, 1),
        "return_sequences": Boolean(),
        "return_state": Boolean(),
        "reverse": Boolean(),
        "truncate": Maybe(Interval(int, 1)),
    }

    @property
    def recurrent_variance(self) -> float:
        """``fan_in Var(w)`` of the recurrent weights that keeps a state in size; 1 where σ saturates, as in the gates."""
        return 1.0

    @property
    def output_count(self) -> int:
        return 1 + len(self.carried) * bool(self.return_state)

    def looks_ahead(self, place: int) -> bool:
        return place == 0 and bool(self.reverse or self.return_state or not self.return_sequences)

    def __call__(self, *inputs: Tensor, initial_state: Tensor | Sequence[Tensor] = ()) -> Any:
        """Connects the layer. The first states are further inputs, or ``initial_state``: a Tensor, or one for each state."""
        states = [initial_state] if isinstance(initial_state, Tensor) else list(initial_state)
        return super().__call__(*inputs, *states)

    # ------------------------------------------------------------ shapes and parameters

    def _check_inputs(self, shapes: tuple[Shape, ...]) -> None:
        name, units = type(self).__name__, int(self.units)
        x, *states = shapes
        if len(x) != 3:
            hint = " Embed indices first, or give each step features: (N, T, 1)." if len(x) == 2 else ""
            raise ShapeError(f"{name}: expected sequences (N, T, I), got {x}.{hint}")
        if x[1] < 1:
            raise ShapeError(f"{name}: a sequence needs at least one step, got {x}.")
        if len(states) not in (0, len(self.carried)):
            wanted = " and ".join(f"{s}₀" for s in self.carried)
            raise ShapeError(f"{name}: besides x it takes the first states {wanted}, all or none. Got {len(states)} more.")
        for letter, shape in zip(self.carried, states, strict=False):
            if shape != (x[0], units):
                raise ShapeError(f"{name}: the first state {letter}₀ must be {(x[0], units)}, got {shape}.")

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        self._check_inputs(shapes)
        n_in, units = shapes[0][2], int(self.units)
        return {
            "weight": self._gates(n_in, self.weight_init),
            "recurrent_weight": self._gates(units, self.recurrent_init),
            **self._biases(units),
        }

    def _gates(self, rows: int, init: Any) -> Parameter:
        """A matrix of one (rows, units) matrix a gate, each drawn by itself."""
        units = int(self.units)
        return Parameter((rows, self.gates * units), (init,) * self.gates, fan_in=rows, fan_out=units)

    def _biases(self, units: int) -> dict[str, Parameter]:
        return {"bias": Parameter((self.gates * units,), "zeros", decay=False)}

    # ------------------------------------------------------------ equations

    def run(self, k: Builder, a: Value, start: dict[str, Value], mask: Value | None) -> tuple[list[Value], Saved]:
        """Emits the cell through time: (every state of all steps, what its backward pass needs)."""
        raise NotImplementedError

    def run_backward(
        self, k: Builder, saved: Saved, given: dict[str, Value | None]
    ) -> tuple[Value, list[Value], Value, Value | None]:
        """Emits the cell's backward pass: (da, gradients of the first states, dh of every step, gradient of the recurrent
        product where it is not da)"""
        raise NotImplementedError

    def recurrent_gradients(self, k: Builder, saved: Saved, product: Value) -> None:
        """Gives the recurrent weight its gradient: one product over all steps, ``dU = Σₜ hₜ₋₁ᵀ daₜ``."""
        h0 = saved.start.get("h0")
        before = k.previous(saved.h, h0=h0, reverse=bool(self.reverse))
        k.grad("recurrent_weight", k.matmul(_flat(k, before), _flat(k, product), transpose_a=True))

    def forward(self, k: Builder, *xs: Value) -> tuple[Any, Saved]:
        self._check_inputs(tuple(x.shape for x in xs))
        x, mask = xs[0], k.mask_of(xs[0])
        n, t, _ = x.shape
        flat, w = _flat(k, x), k.param("weight")
        a = k.add(k.matmul(flat, w), k.param("bias"))
        a.name = "a"
        start = {f"{s}0": v for s, v in zip(self.carried, xs[1:], strict=False)}
        states, own = self.run(k, k.reshape(a, (n, t, a.shape[1])), start, mask)
        last = 0 if self.reverse else t - 1
        ends = [k.reshape(k.slice(s, 1, last, last + 1), (n, s.shape[2])) for s in states[: self._ends()]]
        if self.return_sequences:
            y = states[0]
            if mask is not None:
                y = k.multiply(y, k.reshape(mask, (n, t, 1)))
                k.set_mask(y, mask)
        else:
            y = ends[0]
        for letter, end in zip(self.carried, ends, strict=False):
            end.name = letter
        saved = Saved(x=flat, w=w, shape=x.shape, start=start, mask=mask, h=states[0], own=own)
        return ((y, *ends) if self.return_state else y), saved

    def _ends(self) -> int:
        """How many states are needed after the last step."""
        return len(self.carried) if self.return_state else 0 if self.return_sequences else 1

    def backward(self, k: Builder, saved: Saved, dy: Any) -> Value | tuple[Value | None, ...]:
        dy, *dends = dy if isinstance(dy, tuple) else (dy,)
        given: dict[str, Value | None] = {"mask": saved.mask, "dh": None, "dh_last": None}
        if self.return_sequences:
            if dy is not None and saved.mask is not None:
                dy = k.multiply(dy, k.reshape(saved.mask, (*saved.shape[:2], 1)))
            given["dh"] = dy
        else:
            given["dh_last"] = dy
        for letter, end in zip(self.carried, dends, strict=False):
            name = f"d{letter}_last"
            before = given.get(name)
            given[name] = end if before is None else before if end is None else k.add(before, end)
        da, first, every, product = self.run_backward(k, saved, given)
        # What a look through time needs; for training nothing is computed for it.
        inside = {"dh": every, "above": given["dh"], "mask": saved.mask, "dc_last": given.get("dc_last"), **saved.start}
        inside |= {name: value for name, value in {"h": saved.h, **vars(saved.own)}.items() if name in ("h", "c", "gates")}
        for name, value in inside.items():
            if value is not None:
                k.watch(name, value)
        da.name = "da"
        flat = _flat(k, da)
        k.grad("weight", k.matmul(saved.x, flat, transpose_a=True))
        k.grad("bias", k.sum(flat, axis=0))
        self.recurrent_gradients(k, saved, da if product is None else product)
        dx = k.reshape(k.matmul(flat, saved.w, transpose_b=True), saved.shape)
        return (dx, *first) if saved.start else dx


def _flat(k: Builder, x: Value) -> Value:
    """(N, T, ...) as (N T, ...): all steps of all samples as rows."""
    return k.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
