"""What the recurrent layers have in common: inputs and outputs, first states, masks, and the products over all steps."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

from ..constraints import Boolean, Interval, Maybe
from ..ops.value import Shape
from ._steps import walk, walk_back
from .base import Builder, Layer, Parameter, Saved, ShapeError, Tensor, Value


class _Recurrent(Layer):
    """Base of the recurrent layers.

    A subclass states how many ``gates`` its product has, which ``states`` it carries, and its cell: ``run(k, a, ...)`` and
    ``run_backward(k, saved, ...)``, which are one op through time, and ``step`` and ``step_back``, which write a step out in
    equations. The latter are used where the op does not know an option (``written_out``).
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
    bias: bool
    dropout: float
    recurrent_dropout: float
    weight_init: Any
    recurrent_init: Any
    hyperparameters = {
        "units": Interval(int, 1),
        "return_sequences": Boolean(),
        "return_state": Boolean(),
        "reverse": Boolean(),
        "truncate": Maybe(Interval(int, 1)),
        "bias": Boolean(),
        "dropout": Interval(float, 0, 1),
        "recurrent_dropout": Interval(float, 0, 1),
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

    def widths(self) -> dict[str, int]:
        """The features of each state."""
        return dict.fromkeys(self.carried, int(self.units))

    def _check_inputs(self, shapes: tuple[Shape, ...]) -> None:
        name, widths = type(self).__name__, self.widths()
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
            if shape != (x[0], widths[letter]):
                raise ShapeError(f"{name}: the first state {letter}₀ must be {(x[0], widths[letter])}, got {shape}.")

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        self._check_inputs(shapes)
        return {
            "weight": self._gates(shapes[0][2], self.weight_init),
            "recurrent_weight": self._gates(self.widths()["h"], self.recurrent_init),
            **(self._biases(int(self.units)) if self.bias else {}),
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

    def written_out(self, k: Builder) -> bool:
        """Whether the steps are written out as equations, since the op through time lacks an option."""
        return bool(k.training and self.recurrent_dropout)

    def step(
        self, k: Builder, a: Value, shown: Value | None, states: list[Value | None]
    ) -> tuple[list[Value], dict[str, Value | None]]:
        """Emits one step: (the states after it, what its way back needs).

        Parameters  a : (N, G H) ; shown : the state h before the step as the product sees it, after dropout ; states : those
                    before the step. What is None is 0.
        """
        raise NotImplementedError

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None]
    ) -> tuple[Value, Value, list[Value | None]]:
        """Emits (da, gradient of the recurrent product, gradients of the states before the step without that product)."""
        raise NotImplementedError

    def step_gradients(self, k: Builder, kept: list[dict[str, Value | None]], das: list[Value]) -> None:
        """Gives the other parameters of the recurrence their gradients, from all steps that were written out."""

    def recurrent_gradients(self, k: Builder, saved: Saved, product: Value) -> None:
        """Gives the recurrent weight its gradient: one product over all steps, ``dU = Σₜ hₜ₋₁ᵀ daₜ``."""
        h0 = saved.start.get("h0")
        before = k.previous(saved.h, h0=h0, reverse=bool(self.reverse))
        k.grad("recurrent_weight", k.matmul(_flat(k, before), _flat(k, product), transpose_a=True))

    def forward(self, k: Builder, *xs: Value) -> tuple[Any, Saved]:
        self._check_inputs(tuple(x.shape for x in xs))
        x, mask = xs[0], k.mask_of(xs[0])
        n, t, features = x.shape
        drop = _kept_share(k, (n, 1, features), float(self.dropout))
        flat, w = _flat(k, x if drop is None else k.multiply(x, drop)), k.param("weight")
        a = k.matmul(flat, w)
        if self.bias:
            a = k.add(a, k.param("bias"))
        a.name = "a"
        start = {f"{s}0": v for s, v in zip(self.carried, xs[1:], strict=False)}
        steps = k.reshape(a, (n, t, a.shape[1]))
        if self.written_out(k):
            between = _kept_share(k, (n, self.widths()["h"]), float(self.recurrent_dropout))
            states, own = walk(self, k, steps, start, mask, between)
        else:
            states, own = self.run(k, steps, start, mask)
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
        saved = Saved(x=flat, w=w, shape=x.shape, start=start, mask=mask, h=states[0], own=own, drop=drop)
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
        walked = getattr(saved.own, "walked", None)
        back = self.run_backward(k, saved, given) if walked is None else walk_back(self, k, saved, given)
        da, first, every, product = back
        # What a look through time needs; for training nothing is computed for it.
        inside = {"dh": every, "above": given["dh"], "mask": saved.mask, "dc_last": given.get("dc_last"), **saved.start}
        inside |= {name: value for name, value in {"h": saved.h, **vars(saved.own)}.items() if name in ("h", "c", "gates")}
        for name, value in inside.items():
            if value is not None:
                k.watch(name, value)
        da.name = "da"
        flat = _flat(k, da)
        k.grad("weight", k.matmul(saved.x, flat, transpose_a=True))
        if self.bias:
            k.grad("bias", k.sum(flat, axis=0))
        if walked is None:
            self.recurrent_gradients(k, saved, da if product is None else product)
        dx = k.reshape(k.matmul(flat, saved.w, transpose_b=True), saved.shape)
        if saved.drop is not None:
            dx = k.multiply(dx, saved.drop)
        return (dx, *first) if saved.start else dx


def _flat(k: Builder, x: Value) -> Value:
    """(N, T, ...) as (N T, ...): all steps of all samples as rows."""
    return k.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _kept_share(k: Builder, shape: Shape, rate: float) -> Value | None:
    """Dropout's factors, 0 or 1 / (1 − rate), the same at every step of a sequence; None where nothing is dropped."""
    if not k.training or rate == 0:
        return None
    return k.multiply(k.greater_equal(k.random_uniform(shape), rate), 1 / (1 - rate))
