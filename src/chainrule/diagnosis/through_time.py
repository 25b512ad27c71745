"""The chain rule through time: what each step of a sequence does to the gradient of a recurrent layer, and by which factor.

The gradient that is followed is G = ∂J/∂hₜ for SimpleRNN and GRU and G = ∂J/∂cₜ for LSTM, with all that reaches it from
later steps. From a step to the one before it back-propagation applies one factor after the other, and ‖·‖ is measured after
each:

    SimpleRNN   dzₜ = Gₜ ⊙ σ'(zₜ)                  "activation"   ‖dzₜ‖ / ‖Gₜ‖
                pₜ₋₁ = dzₜ Uᵀ                       "weight"       ‖pₜ₋₁‖ / ‖dzₜ‖
    LSTM        kₜ₋₁ = Gₜ ⊙ fₜ                      "gate"         ‖kₜ₋₁‖ / ‖Gₜ‖, the constant error carousel
                pₜ₋₁ = kₜ₋₁ + (daₜ Uᵀ) ⊙ oₜ₋₁ ⊙ (1 − tanh²(cₜ₋₁))   "weight"   ‖pₜ₋₁‖ / ‖kₜ₋₁‖, what the weights add
    GRU         kₜ₋₁ = Gₜ ⊙ zₜ                      "gate"         ‖kₜ₋₁‖ / ‖Gₜ‖
                pₜ₋₁ = kₜ₋₁ + [daʳ daᶻ r ⊙ daⁿ]ₜ Uᵀ   "weight"       ‖pₜ₋₁‖ / ‖kₜ₋₁‖, what the weights add
    each        Gₜ₋₁ = pₜ₋₁ + what the layers above pass to step t − 1 itself    "join"   ‖Gₜ₋₁‖ / ‖pₜ₋₁‖

So ‖G₁‖ / ‖G_T‖ is the product of all of them and the logarithms add up, with no rest. A loss that reads the last
state alone has no joins: then the gradient through time is the plain product of the Jacobians ∂hₜ/∂hₜ₋₁. With
``return_sequences`` new gradients enter on the way; the join holds what they add, and all other factors are of the
gradient that is passed on. The two branches of a gated cell are a sum, not a product. Hence the second factor is what
the branch through the weights makes of the carried one, and ``beside`` has the factors of that branch alone: the
slopes of the gates, Uᵀ, and the output gate.

Where a mask says that a step is padding the state is handed on, so all of its factors are 1. Where back-propagation is
truncated a factor "truncation" takes the join's place. Norms are √(meanₙ ‖·‖²) over the samples.

References  Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 1997 ; Pascanu, Mikolov and Bengio, On the
            difficulty of training recurrent neural networks, ICML 2013
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TimeChain", "time_chain"]

Array = NDArray[Any]
#: Rows of the table that ``print`` shows, at most.
_ROWS = 12


@dataclass(frozen=True)
class TimeChain:
    """The gradient of one recurrent layer through time.

    Parameters
        layer, kind : key of the call and name of its class
        order : (T,) positions in the sequence (from 0), in the order in which the gradient passes them; fewer where all
            samples end in padding
        norms : (T,) ‖G‖ at each of them, of ∂J/∂hₜ, for an LSTM of ∂J/∂cₜ ; hidden : (T,) ‖∂J/∂hₜ‖ at each position, in time
        gains : {role: (T − 1,)}, the factors from order[j] to order[j + 1], in the order in which they are applied
        beside : the same of the branch of a gated cell through its weights, beginning at G
        means : {what: mean over the steps and units}: σ'(z) as "activation", the carrying gate as "gate"
        step : the step of the training that the weights are of
        words : {role: what the factor is called in this cell}, where it has a name of its own
    """

    layer: str
    kind: str
    order: Array = field(repr=False)
    norms: Array = field(repr=False)
    hidden: Array = field(repr=False)
    gains: Mapping[str, Array] = field(repr=False)
    beside: Mapping[str, Array] = field(default_factory=dict, repr=False)
    means: Mapping[str, float] = field(default_factory=dict)
    step: int | None = None
    words: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """The number of steps T."""
        return len(self.order)

    @property
    def by_position(self) -> Array:
        """``norms`` in time, from the first position of the sequence to the last; 0 where no gradient is."""
        found = np.zeros_like(self.hidden)
        found[self.order] = self.norms
        return found

    @property
    def ratio(self) -> float:
        """‖G‖ at the last step that the gradient reaches beside that at the one it begins at."""
        return float(self.norms[-1] / self.norms[0]) if self.norms[0] else math.nan

    @property
    def log10(self) -> float:
        """log₁₀ of ``ratio``"""
        return _log10(self.ratio)

    @property
    def step_gains(self) -> Array:
        """(T − 1,) The gain of each step, the product of its factors but for joins: of the gradient that is passed on."""
        with np.errstate(all="ignore"):
            kept = [g for role, g in self.gains.items() if role != "join"]
            return np.prod(kept, axis=0) if kept else np.ones(max(0, len(self) - 1))

    @property
    def passed_log10(self) -> float:
        """log₁₀ of the product of ``step_gains``; ``log10`` where there are no joins."""
        return sum(v for role, v in self.factors().items() if role != "join")

    def factors(self) -> dict[str, float]:
        """{role: log₁₀ of the product of its gains}; they add up to ``log10``."""
        with np.errstate(all="ignore"):
            return {role: float(np.log10(g).sum()) for role, g in self.gains.items()}

    def shares(self) -> dict[str, float]:
        """{role: its share of ``passed_log10``}; they add up to 1, and one that works against it is negative. Joins, which
        are no part of what is passed on, have none."""
        total = self.passed_log10
        if not math.isfinite(total) or abs(total) < 1e-12:
            return {}
        return {role: value / total for role, value in self.factors().items() if role != "join"}

    def cumulative(self) -> dict[str, Array]:
        """{role: (T,) log₁₀ of the product of its gains so far}, in the order of ``order``; at each step they add up to
        log₁₀ of ``norms`` beside the first of them."""
        with np.errstate(all="ignore"):
            return {role: np.concatenate([[0.0], np.cumsum(np.log10(g))]) for role, g in self.gains.items()}

    def names(self) -> dict[str, str]:
        """{role: what the factor is called in this cell}"""
        return {role: self._name(role) for role in self.gains}

    def _name(self, role: str) -> str:
        return self.words.get(role) or _NAMES[role]

    def reach(self, share: float = 1e-3) -> int:
        """How many steps have at least this share of the largest gradient: over so many steps the layer can learn."""
        most = float(self.norms.max())
        return int((self.norms >= share * most).sum()) if most > 0 else 0

    def sentence(self) -> str:
        """In words: how much the gradient changes through time, and what does it."""
        steps, log = len(self) - 1, self.passed_log10
        if steps < 1:
            return f"{self.layer}: the sequence has one step, so nothing passes through time."
        if not self.norms.any():
            return f"{self.layer}: no gradient reaches any step."
        if not np.isfinite(self.norms).all():
            return f"{self.layer}: the gradient is not finite."
        if not math.isfinite(log):
            gone = np.flatnonzero(self.step_gains == 0)
            at = int(self.order[gone[0] + 1]) + 1 if len(gone) else 1
            why = ", where back-propagation is truncated" if "truncation" in self.gains else ""
            return f"{self.layer}: through time no gradient passes to step {at}{why}."
        change = f"shrinks {_times(-log)} times" if log < 0 else f"grows {_times(log)} times"
        shares = {role: share for role, share in self.shares().items() if abs(share) >= 0.005}
        factors, parts = self.factors(), []
        for role, share in sorted(shares.items(), key=lambda item: -abs(item[1])):
            name = self._name(role) + (f" (mean {self.means[role]:.2g})" if role in self.means else "")
            if min(shares.values()) >= 0:
                parts.append(f"{100 * share:.0f} % of it is {name}")
            else:  # factors that work against each other have no shares that could be read
                verb = "shrinks" if factors[role] < 0 else "grows"
                parts.append(f"{name} {verb} it {_times(abs(factors[role]))} times")
        what = "the gradient" if "join" not in self.gains else "what is passed on of the gradient"
        text = f"{self.layer}: through time {what} {change} over {steps} step{'s' if steps > 1 else ''}"
        text += f": {', '.join(parts)}." if parts else "."
        if "join" in self.gains:
            whole = f"{self.ratio:.3g} times" if math.isfinite(self.ratio) else "not comparable with"
            text += f" With the gradients that enter on the way, that of the first step is {whole} the last one's."
        return text

    def __str__(self) -> str:
        roles = list(self.gains)
        rows = [("step t", "‖G‖", *(self._name(role) for role in roles))]
        places = sorted({int(i) for i in np.linspace(0, len(self) - 1, min(_ROWS, len(self)))})
        for j in places:
            cells = [f"{self.gains[role][j - 1]:.3g}" if j else "" for role in roles]
            rows.append((str(int(self.order[j]) + 1), f"{self.norms[j]:.3g}", *cells))
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
        return "\n".join([*lines, self.sentence()])


#: What a factor is called, by role; the gates by the class of the layer.
_NAMES = {
    "activation": "σ'(z)",
    "weight": "the recurrent weights Uᵀ",
    "join": "joins",
    "truncation": "truncation",
}


def _log10(x: float) -> float:
    return math.log10(x) if x > 0 else -math.inf if x == 0 else math.nan


def _times(log: float) -> str:
    """10^log as it is read, also where a float has no room for it."""
    if log < 300:
        return f"{10**log:.3g}"
    return f"1e{log:.0f}"


# ------------------------------------------------------------ the factors of each cell


@dataclass(frozen=True)
class _Cell:
    """What a cell does, in the order in which the gradient passes: arrays (N, T, H), the last step of time first.

    Parameters  followed : G ; stages : {role: the gradient after this factor, (N, T − 1, H)} ;
                beside : the same of the branch through the weights ; means, words : as in TimeChain
    """

    followed: Array
    stages: dict[str, Array]
    beside: dict[str, Array] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Given:
    """What a cell is looked at with, arrays in the order in which the gradient passes.

    Parameters  layer ; u : the recurrent weight ; arrays : by name as ``LayerTrace.inside`` ; counts : (N, T, 1), False
                where a step is padding ; before : hₜ₋₁ of every step
    """

    layer: Any
    u: Array
    arrays: Mapping[str, Array]
    counts: Array

    def before(self, name: str) -> Array:
        """The state before each step: that of the next place in this order, at last the first state."""
        states = self.arrays[name]
        first = self.arrays.get(f"{name}0", np.zeros_like(states[:, 0]))
        return np.concatenate([states[:, 1:], first[:, None]], axis=1)

    def mean(self, values: Array) -> float:
        """The mean over the units and the steps that count."""
        number = int(self.counts.sum()) * values.shape[2]
        return float(np.where(self.counts, values, 0.0).sum() / number) if number else math.nan


def _simple_rnn(given: _Given) -> _Cell:
    g, h = given.arrays["dh"], given.arrays["h"]
    slope = 1 - h**2 if given.layer.activation == "tanh" else (h > 0).astype(h.dtype)
    dz = np.where(given.counts, g * slope, g)
    p = np.where(given.counts, dz @ given.u.T, g)
    return _Cell(g, {"activation": dz[:, :-1], "weight": p[:, :-1]}, means={"activation": given.mean(slope)})


def _lstm(given: _Given) -> _Cell:
    dh, c, gates, counts = given.arrays["dh"], given.arrays["c"], given.arrays["gates"], given.counts
    i, f, g, o = np.split(gates, 4, axis=2)
    steps = c.shape[1]
    # A step of padding hands on h and c, so its o is that of the last step that counts; before any, h is not made of c.
    held = np.zeros_like(c)
    shown = np.zeros_like(c[:, 0])
    for j in reversed(range(steps)):
        held[:, j] = shown = np.where(counts[:, j], o[:, j], shown)
    th = np.tanh(c)
    out = held * (1 - th**2)
    followed, carried, side = np.empty_like(c), np.empty_like(c), np.empty_like(c)
    da = np.empty_like(gates)
    before = given.before("c")
    dc = given.arrays.get("dc_last", np.zeros_like(shown))
    cut = given.layer.truncate or 0
    for j in range(steps):
        # dc is what comes along the cell states alone; while a sample is in padding it waits beside dh.
        d = followed[:, j] = dc + dh[:, j] * out[:, j]
        i_, f_, g_, o_ = i[:, j], f[:, j], g[:, j], o[:, j]
        parts = [d * g_ * i_ * (1 - i_), d * before[:, j] * f_ * (1 - f_), d * i_ * (1 - g_**2)]
        parts.append(dh[:, j] * th[:, j] * o_ * (1 - o_))
        da[:, j] = np.where(counts[:, j], np.concatenate(parts, axis=1), 0.0)
        dc = np.where(counts[:, j], d * f_, dc)
        number = steps - 1 - j
        if cut and number and number % cut == 0:
            dc = np.zeros_like(dc)
        carried[:, j] = np.where(counts[:, j], d * f_, d)
    back = da @ given.u.T
    side[:, :-1] = np.where(counts[:, :-1], back[:, :-1] * out[:, 1:], 0.0)
    return _Cell(
        followed,
        {"gate": carried[:, :-1], "weight": (carried + side)[:, :-1]},
        {"gates": da[:, :-1], "weight": back[:, :-1], "output": side[:, :-1]},
        {"gate": given.mean(f), "output": given.mean(o * (1 - th**2))},
        {"gate": "the forget gate f", "weight": "what the weights Uᵀ add"},
    )


def _gru(given: _Given) -> _Cell:
    dh, counts, u = given.arrays["dh"], given.counts, given.u
    r, z, new, q = np.split(given.arrays["gates"], 4, axis=2)
    units, before = len(u), given.before("h")
    dn, dz = dh * (1 - z) * (1 - new**2), dh * (before - new) * z * (1 - z)
    if given.layer.reset == "after":
        inner = np.concatenate([dn * q * r * (1 - r), dz, dn * r], axis=2)
        side = inner @ u.T
    else:
        dq = dn @ u[:, 2 * units :].T
        inner = np.concatenate([dq * before * r * (1 - r), dz, dn], axis=2)
        side = dq * r + inner[:, :, : 2 * units] @ u[:, : 2 * units].T
    inner, side = np.where(counts, inner, 0.0), np.where(counts, side, 0.0)
    carried = np.where(counts, dh * z, dh)
    return _Cell(
        dh,
        {"gate": carried[:, :-1], "weight": (carried + side)[:, :-1]},
        {"gates": inner[:, :-1], "weight": side[:, :-1]},
        {"gate": given.mean(z)},
        {"gate": "the update gate z", "weight": "what the weights Uᵀ add"},
    )


#: By the op that runs the cell.
_CELLS: dict[str, Callable[[_Given], _Cell]] = {"simple_rnn": _simple_rnn, "lstm": _lstm, "gru": _gru}


def time_chain(key: str, layer: Any, inside: Mapping[str, Array], u: Array, step: int | None = None) -> TimeChain | None:
    """The chain through time of one use of a layer; None where it has no cell that is known.

    Parameters  key : of the call ; layer : it ; inside : as ``LayerTrace.inside``, arrays of N samples in float64 ;
                u : the recurrent weight ; step : of the training
    """
    cell = _CELLS.get(getattr(layer, "cell", ""))
    if cell is None or "dh" not in inside:
        return None
    turn = -1 if not layer.reverse else 1
    # N dh is the gradient of the sample's own loss, so that the number of samples does not matter.
    scale = {name: len(a) if name in ("dh", "above", "dc_last") else 1 for name, a in inside.items()}
    arrays = {name: a[:, ::turn] * scale[name] if a.ndim == 3 else a * scale[name] for name, a in inside.items()}
    n, steps, _ = arrays["dh"].shape
    mask = inside.get("mask")
    counts = np.ones((n, steps, 1), bool) if mask is None else mask[:, ::turn, None] > 0
    with np.errstate(all="ignore"):
        found = cell(_Given(layer, np.asarray(u, np.float64), arrays, counts))
        norms = _norms(found.followed)
        gains: dict[str, Array] = {}
        last = norms[:-1]
        for role, stage in found.stages.items():
            now = _norms(stage)
            gains[role], last = _ratio(now, last), now
        number = steps - 1 - np.arange(steps - 1)
        cut = number % layer.truncate == 0 if layer.truncate else np.zeros(steps - 1, bool)
        rest = _ratio(norms[1:], last)
        if cut.any():
            gains["truncation"] = np.where(cut, rest, 1.0)
        if "above" in arrays:
            gains["join"] = np.where(cut, 1.0, rest)
        beside, last = {}, norms[:-1]
        for role, stage in found.beside.items():
            now = _norms(stage)
            beside[role], last = _ratio(now, last), now
    # Where all samples end in padding, the gradient begins at the last step that counts.
    start = int(np.argmax(norms > 0))
    gains, beside = ({role: g[start:] for role, g in factors.items()} for factors in (gains, beside))
    order, hidden = np.arange(steps)[::turn], _norms(arrays["dh"])[::turn]
    kind = type(layer).__name__
    return TimeChain(key, kind, order[start:], norms[start:], hidden, gains, beside, found.means, step, found.words)


def _ratio(after: Array, before: Array) -> Array:
    """after / before; 1 where both are 0, since nothing changes a gradient that is 0 already."""
    found: Array = np.where((after == 0) & (before == 0), 1.0, after / before)
    return found


def _norms(x: Array) -> Array:
    """(T,) √(meanₙ ‖xₙₜ‖²)"""
    found: Array = np.sqrt((x**2).sum(axis=2).mean(axis=0))
    return found


def steepest(chains: Mapping[str, TimeChain]) -> TimeChain:
    """The one whose gradient changes most."""

    def change(chain: TimeChain) -> float:
        log = chain.passed_log10
        return math.inf if math.isnan(log) else abs(log)

    return max(chains.values(), key=change)
