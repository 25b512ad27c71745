"""The simplest recurrent layer."""

from __future__ import annotations

from typing import Any

from ..constraints import OneOf
from ._recurrent import _Recurrent
from .base import Builder, Saved, Value, get_activation


class SimpleRNN(_Recurrent):
    """Elman's recurrent layer ``hₜ = tanh(xₜ W + hₜ₋₁ U + b)``, t = 1, ..., T.

    Its gradient passes through T products with U and T slopes of tanh, so it vanishes or explodes with the length of the
    sequence; LSTM and GRU were made to avoid that.

    Parameters
        units : int >= 1, number H of hidden units
        activation : "tanh" or "relu" = "tanh"
        return_sequences : bool = False ; whether y is hₜ of all steps (N, T, H), else the last one (N, H)
        return_state : bool = False ; whether the layer also hands out its state after the last step: ``y, h = layer(x)``
        reverse : bool = False ; whether time runs from the last step to the first
        truncate : int >= 1 or None ; no gradient passes from step k, 2k, ... to the one before (truncated back-propagation
            through time), so that its way is at most k steps
        bias : bool = True
        dropout, recurrent_dropout : in [0, 1) = 0 ; in training the share of the features of x, and of the state h in the
            recurrent product, that is set to 0: the same ones at every step of a sequence (Gal and Ghahramani 2016)
        weight_init = "glorot_uniform", recurrent_init = "orthogonal" : Initializers or their names ; b begins with 0
    Shapes      x (N, T, I), and h₀ (N, H) where given as a second input, else 0 ; W (I, H) ; U (H, H) ; b (H,) ;
                y (N, H) or (N, T, H). Where a mask says that a step is padding, hₜ = hₜ₋₁, and y of all steps is 0.
    Backward    dhₜ = dyₜ + daₜ₊₁ Uᵀ ;  daₜ = dhₜ ⊙ (1 − hₜ²) ;  dW = Σₜ xₜᵀ daₜ ;  dU = Σₜ hₜ₋₁ᵀ daₜ ;  db = Σₜ daₜ ;
                dxₜ = daₜ Wᵀ ;  dh₀ = da₁ Uᵀ
    Raises      ShapeError when x is not (N, T, I) or a state is not (N, H) ; ParameterError for a bad hyperparameter
    References  Elman, Finding structure in time, Cognitive Science 1990

    Example
        >>> SimpleRNN(16, activation="relu")
        SimpleRNN(16, activation='relu')
    """

    recurrence, cell = "simple", "simple_rnn"
    gates = 1
    hyperparameters = {"activation": OneOf("tanh", "relu")}

    def __init__(
        self,
        units: int,
        *,
        activation: str = "tanh",
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
        self.units, self.activation = units, activation
        self.return_sequences, self.return_state = return_sequences, return_state
        self.reverse, self.truncate = reverse, truncate
        self.bias, self.dropout, self.recurrent_dropout = bias, dropout, recurrent_dropout
        self.weight_init, self.recurrent_init = weight_init, recurrent_init

    @property
    def recurrent_variance(self) -> float:
        return get_activation(self.activation).curve().start_variance or 1.0

    def run(self, k: Builder, a: Value, start: dict[str, Value], mask: Value | None) -> tuple[list[Value], Saved]:
        u = k.param("recurrent_weight")
        h = k.simple_rnn(a, u, activation=self.activation, mask=mask, reverse=self.reverse, **start)
        return [h], Saved(h=h, u=u)

    def run_backward(
        self, k: Builder, saved: Saved, given: dict[str, Value | None]
    ) -> tuple[Value, list[Value], Value, Value | None]:
        da, dh0, every = k.simple_rnn_backward(
            saved.own.h, saved.own.u, activation=self.activation, reverse=self.reverse, truncate=self.truncate or 0, **given
        )
        return da, [dh0], every, None

    def step(
        self, k: Builder, a: Value, shown: Value | None, states: list[Value | None]
    ) -> tuple[list[Value], dict[str, Value | None]]:
        if shown is not None:
            a = k.add(a, k.matmul(shown, k.param("recurrent_weight")))
        h = k.tanh(a) if self.activation == "tanh" else k.relu(a)
        return [h], {"h": h}

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None]
    ) -> tuple[Value, Value, list[Value | None]]:
        h, dh = kept["h"], grads[0]
        assert h is not None and dh is not None
        slope = k.subtract(1.0, k.square(h)) if self.activation == "tanh" else k.greater(h, 0.0)
        da = k.multiply(dh, slope)
        return da, da, [None]
