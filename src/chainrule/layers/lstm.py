"""Long short-term memory."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean, Interval, Maybe
from ..ops.value import Shape
from ._recurrent import _Recurrent
from ._steps import part, slope_of_sigmoid
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
        bias : bool = True
        dropout, recurrent_dropout : in [0, 1) = 0 ; in training the share of the features of x, and of the state h in the
            recurrent product, that is set to 0: the same ones at every step of a sequence (Gal and Ghahramani 2016)
        projection : int >= 1 or None ; features P of the state h, which a matrix R makes: ``hₜ = (oₜ ⊙ tanh(cₜ)) R``
        peepholes : bool = False ; whether the gates see the cell: ``aⁱₜ`` and ``aᶠₜ`` get p ⊙ cₜ₋₁ more, and ``aᵒₜ`` p ⊙ cₜ
        forget_bias : float = 1.0 ; what the bias of f begins with; the others begin with 0
        weight_init = "glorot_uniform", recurrent_init = "orthogonal" : Initializers or their names, for each gate by itself
    Shapes      x (N, T, I), and h₀, c₀ (N, H) where given as further inputs, else 0 ; W (I, 4H) ; U (H, 4H) ; b (4H,), gates
                in the order i, f, g, o ; y (N, H) or (N, T, H). Where a mask says that a step is padding, hₜ = hₜ₋₁ and
                cₜ = cₜ₋₁, and y of all steps is 0. With a projection h, y and the rows of U have P features, and R is
                (H, P); peephole (3, H) has those of i, f and o.
    Backward    dhₜ = dyₜ + daₜ₊₁ Uᵀ ;  dcₜ = dhₜ ⊙ oₜ ⊙ (1 − tanh²(cₜ)) + dcₜ₊₁ ⊙ fₜ₊₁ ;  daⁱₜ = dcₜ ⊙ gₜ ⊙ iₜ ⊙ (1 − iₜ) ;
                daᶠₜ = dcₜ ⊙ cₜ₋₁ ⊙ fₜ ⊙ (1 − fₜ) ;  daᵍₜ = dcₜ ⊙ iₜ ⊙ (1 − gₜ²) ;  daᵒₜ = dhₜ ⊙ tanh(cₜ) ⊙ oₜ ⊙ (1 − oₜ) ;
                dW = Σₜ xₜᵀ daₜ ;  dU = Σₜ hₜ₋₁ᵀ daₜ ;  db = Σₜ daₜ ;  dxₜ = daₜ Wᵀ
    Raises      ShapeError when x is not (N, T, I) or a state is not (N, H) ; ParameterError for a bad hyperparameter
    References  Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 1997 ; Gers, Schmidhuber and Cummins,
                Learning to forget, Neural Computation 2000 ; Gers, Schraudolph and Schmidhuber, Learning precise timing with
                LSTM recurrent networks, JMLR 2002 (peepholes) ; Sak, Senior and Beaufays, Long short-term memory recurrent
                neural network architectures for large scale acoustic modeling, INTERSPEECH 2014 (projection)

    Example
        >>> LSTM(128, return_sequences=True)
        LSTM(128, return_sequences=True)
    """

    recurrence, cell = "cell", "lstm"
    gates = 4
    carried = ("h", "c")
    hyperparameters = {
        "forget_bias": Interval(float),
        "projection": Maybe(Interval(int, 1)),
        "peepholes": Boolean(),
    }

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        reverse: bool = False,
        truncate: int | None = None,
        bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        projection: int | None = None,
        peepholes: bool = False,
        forget_bias: float = 1.0,
        weight_init: Any = "glorot_uniform",
        recurrent_init: Any = "orthogonal",
    ):
        self.units = units
        self.return_sequences, self.return_state = return_sequences, return_state
        self.reverse, self.truncate, self.forget_bias = reverse, truncate, forget_bias
        self.bias, self.dropout, self.recurrent_dropout = bias, dropout, recurrent_dropout
        self.projection, self.peepholes = projection, peepholes
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

    def widths(self) -> dict[str, int]:
        units = int(self.units)
        return {"h": units if self.projection is None else int(self.projection), "c": units}

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        found, units = super().parameters(*shapes), int(self.units)
        if self.peepholes:
            found["peephole"] = Parameter((3, units), "zeros", decay=False)
        if self.projection is not None:
            wide = int(self.projection)
            found["projection_weight"] = Parameter((units, wide), self.weight_init, fan_in=units, fan_out=wide)
        return found

    def written_out(self, k: Builder) -> bool:
        return self.peepholes or self.projection is not None or super().written_out(k)

    def _peephole(self, k: Builder, gate: int) -> Value:
        """(1, H) of i, f or o."""
        return k.slice(k.param("peephole"), 0, gate, gate + 1)

    def step(
        self, k: Builder, a: Value, shown: Value | None, states: list[Value | None]
    ) -> tuple[list[Value], dict[str, Value | None]]:
        units, cell = int(self.units), states[1]
        if shown is not None:
            a = k.add(a, k.matmul(shown, k.param("recurrent_weight")))
        i, f, g, o = (part(k, a, gate, units) for gate in range(4))
        if self.peepholes and cell is not None:
            i, f = (k.add(z, k.multiply(self._peephole(k, gate), cell)) for gate, z in enumerate((i, f)))
        i, f, g = k.sigmoid(i), k.sigmoid(f), k.tanh(g)
        c = k.multiply(i, g)
        if cell is not None:
            c = k.add(k.multiply(f, cell), c)
        o = k.sigmoid(k.add(o, k.multiply(self._peephole(k, 2), c)) if self.peepholes else o)
        tanh = k.tanh(c)
        wide = k.multiply(o, tanh)
        h = wide if self.projection is None else k.matmul(wide, k.param("projection_weight"))
        kept = {"i": i, "f": f, "g": g, "o": o, "cell": cell, "c": c, "tanh": tanh, "wide": wide}
        return [h, c], kept

    def step_back(
        self, k: Builder, kept: dict[str, Value | None], grads: list[Value | None]
    ) -> tuple[Value, Value, list[Value | None]]:
        i, f, g, o, tanh = (_there(kept[name]) for name in ("i", "f", "g", "o", "tanh"))
        dh, dc = _there(grads[0]), grads[1]
        if self.projection is not None:
            kept["dh"] = dh
            dh = k.matmul(dh, k.param("projection_weight"), transpose_b=True)
        do = k.multiply(k.multiply(dh, tanh), slope_of_sigmoid(k, o))
        through = k.multiply(k.multiply(dh, o), k.subtract(1.0, k.square(tanh)))
        dc = through if dc is None else k.add(dc, through)
        if self.peepholes:
            dc = k.add(dc, k.multiply(do, self._peephole(k, 2)))
        cell = kept["cell"]
        di = k.multiply(k.multiply(dc, g), slope_of_sigmoid(k, i))
        df = k.multiply(dc, 0.0) if cell is None else k.multiply(k.multiply(dc, cell), slope_of_sigmoid(k, f))
        dg = k.multiply(k.multiply(dc, i), k.subtract(1.0, k.square(g)))
        da = k.concat([di, df, dg, do], axis=1)
        below = k.multiply(dc, f)
        if self.peepholes:
            for gate, dz in enumerate((di, df)):
                below = k.add(below, k.multiply(dz, self._peephole(k, gate)))
        return da, da, [None, below]

    def step_gradients(self, k: Builder, kept: list[dict[str, Value | None]], das: list[Value]) -> None:
        units = int(self.units)
        if self.peepholes:
            rows = []
            for row, gate, name in ((0, 0, "cell"), (1, 1, "cell"), (2, 3, "c")):
                sums = [k.multiply(part(k, da, gate, units), _there(one[name])) for one, da in zip(kept, das, strict=True)
                        if one[name] is not None]  # fmt: skip
                if sums:
                    total = k.sum(k.concat(sums, axis=0) if len(sums) > 1 else sums[0], axis=0, keepdims=True)
                else:
                    total = k.multiply(self._peephole(k, row), 0.0)
                rows.append(total)
            k.grad("peephole", k.concat(rows, axis=0))
        if self.projection is not None:
            wide, dh = (_joined(k, [_there(one[name]) for one in kept]) for name in ("wide", "dh"))
            k.grad("projection_weight", k.matmul(wide, dh, transpose_a=True))


def _joined(k: Builder, steps: list[Value]) -> Value:
    return k.concat(steps, axis=0) if len(steps) > 1 else steps[0]


def _there(value: Value | None) -> Value:
    assert value is not None
    return value
