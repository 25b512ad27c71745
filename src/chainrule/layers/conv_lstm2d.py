"""Long short-term memory of pictures."""

from __future__ import annotations

from typing import Any

from ..constraints import Interval
from ._convolutional_recurrent import _ConvolutionalRecurrent, _sum, slope_of_sigmoid
from .base import Builder, Value


class ConvLSTM2D(_ConvolutionalRecurrent):
    """Long short-term memory of pictures: ``cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ``, ``hₜ = oₜ ⊙ tanh(cₜ)``, t = 1, ..., T.

    with ``aₜ = xₜ ∗ W + hₜ₋₁ ∗ U + b`` and the gates ``iₜ = σ(aⁱₜ)``, ``fₜ = σ(aᶠₜ)``, ``gₜ = tanh(aᵍₜ)``, ``oₜ = σ(aᵒₜ)``.
    Every place has a cell of its own, which sees the surroundings of the place through the convolutions: so it can learn
    that what was to the left a moment ago is here now. Outside the picture x and h are 0.

    Parameters
        channels : int >= 1, number F of hidden channels ; kernel : int >= 1 or two = 3, size of both kernels
        return_sequences : bool = False ; whether y is hₜ of all steps (N, T, H, W, F), else the last one (N, H, W, F)
        return_state : bool = False ; whether the layer also hands out its states after the last step: ``y, h, c = layer(x)``
        forget_bias : float = 1.0 ; what the bias of f begins with; the others begin with 0
        weight_init = "glorot_uniform", recurrent_init = "glorot_uniform" : Initializers or their names, for each gate by
            itself
    Shapes      x (N, T, H, W, C), and h₀, c₀ (N, H, W, F) where given as further inputs, else 0 ; W (k, k, C, 4F) ;
                U (k, k, F, 4F) ; b (4F,), gates in the order i, f, g, o ; y (N, H, W, F) or (N, T, H, W, F)
    Backward    dhₜ = dyₜ + daₜ₊₁ ∗ᵀ U ;  dcₜ = dhₜ ⊙ oₜ ⊙ (1 − tanh²(cₜ)) + dcₜ₊₁ ⊙ fₜ₊₁ ;
                daⁱₜ = dcₜ ⊙ gₜ ⊙ iₜ ⊙ (1 − iₜ) ;  daᶠₜ = dcₜ ⊙ cₜ₋₁ ⊙ fₜ ⊙ (1 − fₜ) ;
                daᵍₜ = dcₜ ⊙ iₜ ⊙ (1 − gₜ²) ;  daᵒₜ = dhₜ ⊙ tanh(cₜ) ⊙ oₜ ⊙ (1 − oₜ) ;
                dW = Σₜ xₜ ⋆ daₜ ;  dU = Σₜ hₜ₋₁ ⋆ daₜ ;  db = Σ da ;  dxₜ = daₜ ∗ᵀ W
    Raises      ShapeError when x is not (N, T, H, W, C) or a state is not (N, H, W, F) ; ParameterError for a bad
                hyperparameter
    References  Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting, NeurIPS
                2015, without its peephole connections, as in later work and other libraries

    Example
        >>> ConvLSTM2D(32, return_sequences=True)
        ConvLSTM2D(32, return_sequences=True)
    """

    gates = 4
    carried = ("h", "c")
    hyperparameters = {"forget_bias": Interval(float)}

    def __init__(
        self,
        channels: int,
        kernel: int | tuple[int, ...] = 3,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        forget_bias: float = 1.0,
        weight_init: Any = "glorot_uniform",
        recurrent_init: Any = "glorot_uniform",
    ):
        self.channels, self.kernel = channels, kernel
        self.return_sequences, self.return_state, self.forget_bias = return_sequences, return_state, forget_bias
        self.weight_init, self.recurrent_init = weight_init, recurrent_init

    def _bias_init(self) -> Any:
        return ("zeros", float(self.forget_bias), "zeros", "zeros")

    def step(self, k: Builder, a: Value, states: list[Value | None]) -> tuple[list[Value], dict[str, Value | None]]:
        before, cell = states
        if before is not None:
            a = k.add(a, k.conv(before, k.param("recurrent_weight"), **self._window))
        i, f, g, o = (self._part(k, a, gate) for gate in range(4))
        i, f, g, o = k.sigmoid(i), k.sigmoid(f), k.tanh(g), k.sigmoid(o)
        c = k.multiply(i, g)
        if cell is not None:
            c = k.add(k.multiply(f, cell), c)
        shown = k.tanh(c)
        return [k.multiply(o, shown), c], {"i": i, "f": f, "g": g, "o": o, "cell": cell, "shown": shown}

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None], *, first: bool
    ) -> tuple[Value, list[Value | None]]:
        i, f, g, o, shown = (_there(kept[name]) for name in ("i", "f", "g", "o", "shown"))
        dh, dc = grads
        do = None
        if dh is not None:
            do = k.multiply(k.multiply(dh, shown), slope_of_sigmoid(k, o))
            dc = _sum(k, k.multiply(k.multiply(dh, o), k.subtract(1.0, k.square(shown))), dc)
        assert dc is not None
        di = k.multiply(k.multiply(dc, g), slope_of_sigmoid(k, i))
        dg = k.multiply(k.multiply(dc, i), k.subtract(1.0, k.square(g)))
        cell = kept["cell"]
        df = k.multiply(dc, 0.0) if cell is None else k.multiply(k.multiply(dc, cell), slope_of_sigmoid(k, f))
        da = k.concat([di, df, dg, k.multiply(dc, 0.0) if do is None else do], axis=3)
        if first:
            return da, [None, None]
        spatial = da.shape[1:3]
        return da, [
            k.conv_backward_data(da, k.param("recurrent_weight"), spatial=spatial, **self._window),
            k.multiply(dc, f),
        ]


def _there(value: Value | None) -> Value:
    assert value is not None
    return value
