"""Gated recurrent units of pictures."""

from __future__ import annotations

from typing import Any

from ._convolutional_recurrent import _ConvolutionalRecurrent, _sum, slope_of_sigmoid
from .base import Builder, Parameter, Value


class ConvGRU2D(_ConvolutionalRecurrent):
    """Gated recurrent units of pictures: ``hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁``, t = 1, ..., T.

    with ``rₜ = σ(xₜ ∗ Wʳ + hₜ₋₁ ∗ Uʳ + bʳ)``, ``zₜ = σ(xₜ ∗ Wᶻ + hₜ₋₁ ∗ Uᶻ + bᶻ)`` and the new value
    ``nₜ = tanh(xₜ ∗ Wⁿ + (rₜ ⊙ hₜ₋₁) ∗ V + bⁿ)``. It does nearly what ConvLSTM2D does with three quarters of its weights.
    Outside the picture x and h are 0.

    Parameters
        channels : int >= 1, number F of hidden channels ; kernel : int >= 1 or two = 3, size of all kernels
        return_sequences : bool = False ; whether y is hₜ of all steps (N, T, H, W, F), else the last one (N, H, W, F)
        return_state : bool = False ; whether the layer also hands out its state after the last step: ``y, h = layer(x)``
        weight_init = "glorot_uniform", recurrent_init = "glorot_uniform" : Initializers or their names, for each gate by
            itself; biases begin with 0
    Shapes      x (N, T, H, W, C), and h₀ (N, H, W, F) where given as a second input, else 0 ; W (k, k, C, 3F), gates in the
                order r, z, n ; U (k, k, F, 2F), of r and z ; V (k, k, F, F) ; b (3F,) ; y (N, H, W, F) or (N, T, H, W, F)
    Backward    dnₜ = dhₜ ⊙ (1 − zₜ) ;  daⁿₜ = dnₜ ⊙ (1 − nₜ²) ;  daᶻₜ = dhₜ ⊙ (hₜ₋₁ − nₜ) ⊙ zₜ ⊙ (1 − zₜ) ;
                daʳₜ = (daⁿₜ ∗ᵀ V) ⊙ hₜ₋₁ ⊙ rₜ ⊙ (1 − rₜ) ;  dhₜ = dyₜ + dhₜ₊₁ ⊙ zₜ₊₁ + [daʳ daᶻ]ₜ₊₁ ∗ᵀ U +
                (daⁿₜ₊₁ ∗ᵀ V) ⊙ rₜ₊₁ ;
                dW = Σₜ xₜ ⋆ daₜ ;  dU = Σₜ hₜ₋₁ ⋆ [daʳ daᶻ]ₜ ;  dV = Σₜ (rₜ ⊙ hₜ₋₁) ⋆ daⁿₜ ;  db = Σ da ;  dxₜ = daₜ ∗ᵀ W
    Raises      ShapeError when x is not (N, T, H, W, C) or the state is not (N, H, W, F) ; ParameterError for a bad
                hyperparameter
    References  Ballas, Yao, Pal and Courville, Delving deeper into convolutional networks for learning video
                representations, ICLR 2016

    Example
        >>> ConvGRU2D(32, return_sequences=True)
        ConvGRU2D(32, return_sequences=True)
    """

    gates = 3

    def __init__(
        self,
        channels: int,
        kernel: int | tuple[int, ...] = 3,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        weight_init: Any = "glorot_uniform",
        recurrent_init: Any = "glorot_uniform",
    ):
        self.channels, self.kernel = channels, kernel
        self.return_sequences, self.return_state = return_sequences, return_state
        self.weight_init, self.recurrent_init = weight_init, recurrent_init

    def _recurrent(self) -> dict[str, Parameter]:
        channels = int(self.channels)
        return {
            "recurrent_weight": self._kernel(channels, 2, self.recurrent_init),
            "candidate_weight": self._kernel(channels, 1, self.recurrent_init),
        }

    def step(self, k: Builder, a: Value, states: list[Value | None]) -> tuple[list[Value], dict[str, Value | None]]:
        (before,) = states
        channels = int(self.channels)
        gates, new = k.slice(a, 3, 0, 2 * channels), self._part(k, a, 2)
        let = None
        if before is not None:
            gates = k.add(gates, k.conv(before, k.param("recurrent_weight"), **self._window))
        r, z = k.sigmoid(self._part(k, gates, 0)), k.sigmoid(self._part(k, gates, 1))
        if before is not None:
            let = k.multiply(r, before)
            new = k.add(new, k.conv(let, k.param("candidate_weight"), **self._window))
        value = k.tanh(new)
        h = k.multiply(k.subtract(1.0, z), value)
        if before is not None:
            h = k.add(h, k.multiply(z, before))
        return [h], {"r": r, "z": z, "value": value, "let": let}

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None], *, first: bool
    ) -> tuple[Value, list[Value | None]]:
        r, z, value, before = kept["r"], kept["z"], kept["value"], kept["before"]
        (dh,) = grads
        assert r is not None and z is not None and value is not None and dh is not None
        dn = k.multiply(k.multiply(dh, k.subtract(1.0, z)), k.subtract(1.0, k.square(value)))
        change = k.negative(value) if before is None else k.subtract(before, value)
        dz = k.multiply(k.multiply(dh, change), slope_of_sigmoid(k, z))
        if before is None:
            return k.concat([k.multiply(dz, 0.0), dz, dn], axis=3), [None]
        spatial = dn.shape[1:3]
        dlet = k.conv_backward_data(dn, k.param("candidate_weight"), spatial=spatial, **self._window)
        dr = k.multiply(k.multiply(dlet, before), slope_of_sigmoid(k, r))
        gates = k.concat([dr, dz], axis=3)
        da = k.concat([gates, dn], axis=3)
        if first:
            return da, [None]
        back = k.conv_backward_data(gates, k.param("recurrent_weight"), spatial=spatial, **self._window)
        return da, [_sum(k, back, k.add(k.multiply(dlet, r), k.multiply(dh, z)))]

    def recurrent_gradients(self, k: Builder, kept: list[dict[str, Value | None]], das: list[Value]) -> None:
        channels = int(self.channels)
        gates = [k.slice(da, 3, 0, 2 * channels) for da in das]
        self._product(k, "recurrent_weight", [(one["before"], da) for one, da in zip(kept, gates, strict=True)])
        new = [self._part(k, da, 2) for da in das]
        self._product(k, "candidate_weight", [(one["let"], da) for one, da in zip(kept, new, strict=True)])
