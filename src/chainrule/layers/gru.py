"""Gated recurrent unit."""

from __future__ import annotations

from typing import Any

from ..constraints import OneOf
from ..errors import ParameterError
from ._recurrent import _flat, _Recurrent
from ._steps import part, slope_of_sigmoid
from .base import Builder, Parameter, Saved, Value


class GRU(_Recurrent):
    """Gated recurrent unit: ``hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁``, t = 1, ..., T.

    with ``rₜ = σ(xₜ Wʳ + hₜ₋₁ Uʳ + bʳ)``, ``zₜ = σ(xₜ Wᶻ + hₜ₋₁ Uᶻ + bᶻ)`` and the new value

        nₜ = tanh(xₜ Wⁿ + bⁿ + rₜ ⊙ (hₜ₋₁ Uⁿ + v))   reset="after": the gate works after the product (PyTorch, cuDNN, Keras)
        nₜ = tanh(xₜ Wⁿ + bⁿ + (rₜ ⊙ hₜ₋₁) Uⁿ)       reset="before": it works before (the paper)

    Where z is near 1 the state, and its gradient, pass from step to step unchanged.

    Parameters
        units : int >= 1, number H of hidden units
        reset : "after" or "before" = "after" ; "after" needs one product a step instead of two, one after the other
        return_sequences : bool = False ; whether y is hₜ of all steps (N, T, H), else the last one (N, H)
        return_state : bool = False ; whether the layer also hands out its state after the last step: ``y, h = layer(x)``
        reverse : bool = False ; whether time runs from the last step to the first
        truncate : int >= 1 or None ; no gradient passes from step k, 2k, ... to the one before (truncated back-propagation
            through time), so that its way is at most k steps
        bias : bool = True
        dropout, recurrent_dropout : in [0, 1) = 0 ; in training the share of the features of x, and of the state h in the
            recurrent product, that is set to 0: the same ones at every step of a sequence (Gal and Ghahramani 2016)
        weight_init = "glorot_uniform", recurrent_init = "orthogonal" : Initializers or their names, for each gate by itself;
            biases begin with 0
    Shapes      x (N, T, I), and h₀ (N, H) where given as a second input, else 0 ; W (I, 3H) ; U (H, 3H) ; b (3H,), gates in
                the order r, z, n ; v (H,) with reset="after" ; y (N, H) or (N, T, H). Where a mask says that a step is
                padding, hₜ = hₜ₋₁, and y of all steps is 0.
    Backward    dhₜ = dyₜ + dhₜ₊₁ ⊙ zₜ₊₁ + [daʳ daᶻ r ⊙ daⁿ]ₜ₊₁ Uᵀ (after), dyₜ + dhₜ₊₁ ⊙ zₜ₊₁ + [daʳ daᶻ]ₜ₊₁ [Uʳ Uᶻ]ᵀ +
                rₜ₊₁ ⊙ (daⁿₜ₊₁ Uⁿᵀ) (before) ;  daⁿₜ = dhₜ ⊙ (1 − zₜ) ⊙ (1 − nₜ²) ;  daᶻₜ = dhₜ ⊙ (hₜ₋₁ − nₜ) ⊙ zₜ ⊙ (1 −
                zₜ) ;
                daʳₜ = daⁿₜ ⊙ (hₜ₋₁ Uⁿ + v) ⊙ rₜ ⊙ (1 − rₜ) (after), (daⁿₜ Uⁿᵀ) ⊙ hₜ₋₁ ⊙ rₜ ⊙ (1 − rₜ) (before) ;
                dW = Σₜ xₜᵀ daₜ ;  db = Σₜ daₜ ;  dxₜ = daₜ Wᵀ
    Raises      ShapeError when x is not (N, T, I) or a state is not (N, H) ; ParameterError for a bad hyperparameter
    References  Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014

    Example
        >>> GRU(64, reset="before")
        GRU(64, reset='before')
    """

    recurrence, cell = "gated", "gru"
    gates = 3
    hyperparameters = {"reset": OneOf("after", "before")}

    def __init__(
        self,
        units: int,
        *,
        reset: str = "after",
        return_sequences: bool = False,
        return_state: bool = False,
        reverse: bool = False,
        truncate: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_init: Any = "glorot_uniform",
        recurrent_init: Any = "orthogonal",
    ):
        self.units, self.reset = units, reset
        self.return_sequences, self.return_state = return_sequences, return_state
        self.reverse, self.truncate = reverse, truncate
        self.bias, self.dropout, self.recurrent_dropout = bias, dropout, recurrent_dropout
        self.weight_init, self.recurrent_init = weight_init, recurrent_init

    def _biases(self, units: int) -> dict[str, Parameter]:
        found = super()._biases(units)
        if self.reset == "after":
            found["recurrent_bias"] = Parameter((units,), "zeros", decay=False)
        return found

    def run(self, k: Builder, a: Value, start: dict[str, Value], mask: Value | None) -> tuple[list[Value], Saved]:
        u = k.param("recurrent_weight")
        bias = k.param("recurrent_bias") if self.reset == "after" and self.bias else None
        h, gates = k.gru(a, u, reset=self.reset, bias=bias, mask=mask, reverse=self.reverse, **start)
        return [h], Saved(h=h, u=u, gates=gates, bias=bias)

    def run_backward(
        self, k: Builder, saved: Saved, given: dict[str, Value | None]
    ) -> tuple[Value, list[Value], Value, Value | None]:
        own, given = saved.own, given | {"h0": saved.start.get("h0"), "bias": saved.own.bias}
        da, product, dh0, every = k.gru_backward(
            own.h, own.u, own.gates, reset=self.reset, reverse=self.reverse, truncate=self.truncate or 0, **given
        )
        return da, [dh0], every, product

    def recurrent_gradients(self, k: Builder, saved: Saved, product: Value) -> None:
        if self.reset == "after":
            super().recurrent_gradients(k, saved, product)
            units = int(self.units)
            if not self.bias:
                return
            k.grad("recurrent_bias", k.slice(k.sum(_flat(k, product), axis=0), 0, 2 * units, 3 * units))
            return
        # The product of the new value is with r ⊙ h, which the cell has kept.
        units = int(self.units)
        before = k.previous(saved.h, h0=saved.start.get("h0"), reverse=bool(self.reverse))
        reset = k.slice(saved.own.gates, 2, 3 * units, 4 * units)
        gates, new = k.slice(product, 2, 0, 2 * units), k.slice(product, 2, 2 * units, 3 * units)
        parts = [
            k.matmul(_flat(k, before), _flat(k, gates), transpose_a=True),
            k.matmul(_flat(k, reset), _flat(k, new), transpose_a=True),
        ]
        k.grad("recurrent_weight", k.concat(parts, axis=1))

    def step(
        self, k: Builder, a: Value, shown: Value | None, states: list[Value | None]
    ) -> tuple[list[Value], dict[str, Value | None]]:
        units, before = int(self.units), states[0]
        product = None if shown is None else k.matmul(shown, k.param("recurrent_weight"))
        if self.bias:
            own = k.param("recurrent_bias")
            q = own if product is None else k.add(part(k, product, 2, units), own)
        else:
            q = k.multiply(part(k, a, 2, units), 0.0) if product is None else part(k, product, 2, units)
        r, z = (
            k.sigmoid(
                part(k, a, gate, units) if product is None else k.add(part(k, a, gate, units), part(k, product, gate, units))
            )
            for gate in (0, 1)
        )
        new = k.tanh(k.add(part(k, a, 2, units), k.multiply(r, q)))
        h = k.multiply(k.subtract(1.0, z), new)
        if before is not None:
            h = k.add(h, k.multiply(z, before))
        return [h], {"r": r, "z": z, "new": new, "q": q, "before": before}

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None]
    ) -> tuple[Value, Value, list[Value | None]]:
        r, z, new, q, dh = kept["r"], kept["z"], kept["new"], kept["q"], grads[0]
        assert r is not None and z is not None and new is not None and q is not None and dh is not None
        dn = k.multiply(k.multiply(dh, k.subtract(1.0, z)), k.subtract(1.0, k.square(new)))
        moved = k.negative(new) if kept["before"] is None else k.subtract(kept["before"], new)
        dz = k.multiply(k.multiply(dh, moved), slope_of_sigmoid(k, z))
        dr = k.multiply(k.multiply(dn, q), slope_of_sigmoid(k, r))
        dq = k.multiply(dn, r)
        kept["dq"] = dq
        return k.concat([dr, dz, dn], axis=1), k.concat([dr, dz, dq], axis=1), [k.multiply(dh, z)]

    def step_gradients(self, k: Builder, kept: list[dict[str, Value | None]], das: list[Value]) -> None:
        if self.bias:
            every = [one["dq"] for one in kept if one["dq"] is not None]
            k.grad("recurrent_bias", k.sum(k.concat(every, axis=0) if len(every) > 1 else every[0], axis=0))

    def validate(self) -> None:
        super().validate()
        if self.reset == "before" and self.recurrent_dropout:
            raise ParameterError('GRU: recurrent_dropout works with reset="after". Got reset="before".')
