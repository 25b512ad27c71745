"""Long short-term memory."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval
from ..ops.value import Shape
from ._recurrent import _Recurrent
from .base import Builder, Parameter, Saved, Value


class LSTM(_Recurrent):
    """Long short-term memory: ``cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ``, ``hₜ = oₜ ⊙ tanh(cₜ)``, t = 1, ..., T.

    with ``aₜ = xₜ W + hₜ₋₁ U + b`` and the gates ``iₜ = σ(aⁱₜ)``, ``fₜ = σ(aᶠₜ)``, ``gₜ = tanh(aᵍₜ)``, ``oₜ = σ(aᵒₜ)``: i
    lets new values in, f keeps old ones, o lets the cell show. Along the cell state the gradient passes from step to step
    as ``dcₜ ⊙ fₜ``, with no product, so where f is near 1 it neither vanishes nor explodes. That is why the bias of f
    begins with 1.

    Parameters
        units : int >= 1, number H of hidden units
        return_sequences : bool = False ; whether y is hₜ of all steps (N, T, H), else the last one (N, H)
        return_state : bool = False ; whether the layer also hands out its states after the last step: ``y, h, c = layer(x)``
        reverse : bool = False ; whether time runs from the last step to the first
        truncate : int >= 1 or None ; no gradient passes from step k, 2k, ... to the one before (truncated back-propagation
            through time), so that its way is at most k steps
        forget_bias : float = 1.0 ; what the bias of f begins with; the others begin with 0
        weight_init = "glorot_uniform", recurrent_init = "orthogonal" : Initializers or their names, for each gate by itself
    Shapes      x (N, T, I), and h₀, c₀ (N, H) where given as further inputs, else 0 ; W (I, 4H) ; U (H, 4H) ; b (4H,), gates
                in the order i, f, g, o ; y (N, H) or (N, T, H). Where a mask says that a step is padding, hₜ = hₜ₋₁ and
                cₜ = cₜ₋₁, and y of all steps is 0.
    Backward    dhₜ = dyₜ + daₜ₊₁ Uᵀ ;  dcₜ = dhₜ ⊙ oₜ ⊙ (1 − tanh²(cₜ)) + dcₜ₊₁ ⊙ fₜ₊₁ ;  daⁱₜ = dcₜ ⊙ gₜ ⊙ iₜ ⊙ (1 − iₜ) ;
                daᶠₜ = dcₜ ⊙ cₜ₋₁ ⊙ fₜ ⊙ (1 − fₜ) ;  daᵍₜ = dcₜ ⊙ iₜ ⊙ (1 − gₜ²) ;  daᵒₜ = dhₜ ⊙ tanh(cₜ) ⊙ oₜ ⊙ (1 − oₜ) ;
                dW = Σₜ xₜᵀ daₜ ;  dU = Σₜ hₜ₋₁ᵀ daₜ ;  db = Σₜ daₜ ;  dxₜ = daₜ Wᵀ
    Raises      ShapeError when x is not (N, T, I) or a state is not (N, H) ; ParameterError for a bad hyperparameter
    References  Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 1997 ; Gers, Schmidhuber and Cummins,
                Learning to forget, Neural Computation 2000

    Example
        >>> LSTM(128, return_sequences=True)
        LSTM(128, return_sequences=True)
    """

    recurrence, cell = "cell", "lstm"
    gates = 4
    carried = ("h", "c")
    hyperparameters = {"forget_bias": Interval(float)}

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        reverse: bool = False,
        truncate: int | None = None,
        forget_bias: float = 1.0,
        weight_init: Any = "glorot_uniform",
        recurrent_init: Any = "orthogonal",
    ):
        self.units = units
        self.return_sequences, self.return_state = return_sequences, return_state
        self.reverse, self.truncate, self.forget_bias = reverse, truncate, forget_bias
        self.weight_init, self.recurrent_init = weight_init, recurrent_init

    def _biases(self, units: int) -> dict[str, Parameter]:
        shape: Shape = (4 * units,)
        return {"bias": Parameter(shape, ("zeros", float(self.forget_bias), "zeros", "zeros"), decay=False)}

    def run(self, k: Builder, a: Value, start: dict[str, Value], mask: Value | None) -> tuple[list[Value], Saved]:
        u = k.param("recurrent_weight")
        h, c, gates = k.lstm(a, u, mask=mask, reverse=self.reverse, **start)
        return [h, c], Saved(c=c, u=u, gates=gates)

    def run_backward(
        self, k: Builder, saved: Saved, given: dict[str, Value | None]
    ) -> tuple[Value, list[Value], Value, Value | None]:
        own, given = saved.own, given | {"c0": saved.start.get("c0")}
        da, dh0, dc0, every = k.lstm_backward(
            own.c, own.u, own.gates, reverse=self.reverse, truncate=self.truncate or 0, **given
        )
        return da, [dh0, dc0], every, None
