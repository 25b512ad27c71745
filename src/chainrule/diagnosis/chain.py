"""The explanation along the chain rule: how much each layer shrinks or enlarges the gradient, and by which factor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import ParameterError
from .statistics import Sample, Statistics
from .through_time import TimeChain

__all__ = ["Chain", "Gain", "chain_of"]


@dataclass(frozen=True)
class Gain:
    """The gain of the gradient in one layer on its way back.

    Parameters
        key : the key of the call ; kind : the class of the layer ; role : as in CallInfo, and "join" also for the sum of
            gradients at a branch
        incoming, outgoing : |dJ/d(output)| and |dJ/d(input)| ; mean_slope : the mean of σ'(z), for activations
    """

    key: str
    kind: str
    role: str
    incoming: float
    outgoing: float
    mean_slope: float | None = None

    @property
    def gain(self) -> float:
        """outgoing / incoming; NaN for 0 / 0"""
        return self.outgoing / self.incoming if self.incoming else math.nan

    @property
    def log10(self) -> float:
        return math.log10(self.gain) if self.gain > 0 else -math.inf if self.gain == 0 else math.nan


@dataclass(frozen=True)
class Block:
    """The way of the gradient from dz of one layer with weights to dz of the one before it; its gain is the product of the
    gains of the layers between them.

    Parameters  upper, lower : keys of the two layers ; gains : in the order in which the gradient passes
    """

    upper: str
    lower: str
    gains: tuple[Gain, ...]

    @property
    def gain(self) -> float:
        """|dz^lower| / |dz^upper|"""
        return self.gains[-1].outgoing / self.gains[0].incoming if self.gains[0].incoming else math.nan

    def factor(self, role: str) -> float:
        """The product of the gains of this role, such as "weight" (Wᵀ) or "activation" (σ'(z)); 1 where there is none."""
        return math.prod(g.gain for g in self.gains if g.role == role)


class Chain:
    """The gains along the path from the loss to the first layer with weights.

    ``|dz¹| = |dz^L| × Π gains``, exactly: the logarithms of all gains add up to the logarithm of the ratio.

    Attributes
        step : the step at which the gains were measured ; gains : one for every layer on the path, from the output to the
            input ; blocks : the same gains, cut at the layers with weights ; output_norm, input_norm : |dz^L| and |dz¹|

    Where the gradient branches (residual joins, several uses of an output), the path follows the branch with the most
    layers, and one more gain with the role "join" accounts for what the other branches add. A recurrent layer is one gain on
    the path; what happens inside of it is in ``through_time``, {key: TimeChain}, where it was looked at.
    """

    def __init__(self, step: int, gains: tuple[Gain, ...], through_time: Mapping[str, TimeChain] | None = None) -> None:
        self.step, self.gains, self.through_time = step, gains, dict(through_time or {})
        blocks: list[Block] = []
        start = None
        for i, gain in enumerate(gains):
            if gain.role != "weight":
                continue
            if start is not None:
                blocks.append(Block(gains[start].key, gain.key, gains[start:i]))
            start = i
        self.blocks = tuple(blocks)

    @property
    def output_norm(self) -> float:
        """|dz| of the last layer with weights."""
        return next((g.incoming for g in self.gains if g.role == "weight"), math.nan)

    @property
    def input_norm(self) -> float:
        """|dz| of the first layer with weights."""
        return next((g.incoming for g in reversed(self.gains) if g.role == "weight"), math.nan)

    @property
    def ratio(self) -> float:
        """|dz¹| / |dz^L|"""
        return self.input_norm / self.output_norm if self.output_norm else math.nan

    @property
    def log10(self) -> float:
        """log₁₀ |dz¹| / |dz^L|"""
        ratio = self.ratio
        return math.log10(ratio) if ratio > 0 else -math.inf if ratio == 0 else math.nan

    def factors(self) -> dict[str, float]:
        """{role: log₁₀ of the product of its gains}, over the blocks; they add up to ``log10``."""
        found: dict[str, float] = {}
        for block in self.blocks:
            for gain in block.gains:
                found[gain.role] = found.get(gain.role, 0.0) + gain.log10
        return found

    def shares(self) -> dict[str, float]:
        """{role: its share of the total change in logarithms}; they add up to 1, and one that works against it is
        negative."""
        total = self.log10
        if not math.isfinite(total) or abs(total) < 1e-12:
            return {}
        return {role: value / total for role, value in self.factors().items()}

    def mean_slope(self) -> float | None:
        """The mean of σ'(z) over the activations of the blocks."""
        slopes = [g.mean_slope for b in self.blocks for g in b.gains if g.mean_slope is not None]
        return sum(slopes) / len(slopes) if slopes else None

    def __iter__(self) -> Iterator[Gain]:
        return iter(self.gains)

    def __len__(self) -> int:
        return len(self.gains)

    def sentence(self) -> str:
        """A sentence that says how much the gradient changes, and which factors change it."""
        ratio, layers = self.ratio, len(self.blocks)
        if layers and self.output_norm == 0:
            return "The gradient is already 0 at the output: the loss of these samples cannot fall further."
        if not layers or not math.isfinite(ratio):
            return "The gradient passes fewer than two layers with weights." if not layers else "The gradient is not finite."
        if ratio == 0:
            zero = next((g for g in self.gains if g.gain == 0 or g.outgoing == 0), self.gains[-1])
            return f"The gradient is 0 from layer {zero.key!r} on downwards."
        change = f"shrinks {1 / ratio:.3g} times" if ratio < 1 else f"grows {ratio:.3g} times"
        parts, slope, factors = [], self.mean_slope(), self.factors()
        shares = {role: share for role, share in self.shares().items() if abs(share) >= 0.005}
        for role, share in sorted(shares.items(), key=lambda item: -abs(item[1])):
            mean = f" (mean {slope:.2g})" if role == "activation" and slope is not None else ""
            name = _NAMES.get(role, role) + mean
            if min(shares.values()) > -_AGAINST:
                parts.append(f"{100 * share:.0f} % of it is {name}")
            else:
                times, grows = 10 ** min(abs(factors[role]), 300), factors[role] > 0
                parts.append(f"{name} {'grows' if grows else 'shrinks'} it {times:.3g} times")
        return f"The gradient {change} over {layers} layer{'s' if layers > 1 else ''}: {', '.join(parts[:3])}."

    def __str__(self) -> str:
        rows = [("layer", "gain", "log₁₀", "factor")]
        for g in self.gains:
            known = not math.isnan(g.gain)
            shown = (f"{g.gain:.3g}", f"{g.log10:+.2f}") if known else ("-", "-")
            rows.append((g.key, *shown, _NAMES.get(g.role, g.role)))
        widths = [max(len(r[i]) for r in rows) for i in range(4)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
        return "\n".join([*lines, self.sentence(), *(chain.sentence() for chain in self.through_time.values())])

    def __repr__(self) -> str:
        return f"Chain(step={self.step}, {len(self.blocks)} blocks, ratio={self.ratio:.3g})"


#: Factors that work against each other by more than this share of the whole have no shares that could be read.
_AGAINST = 0.1

_NAMES = {
    "weight": "the weights Wᵀ",
    "activation": "σ'(z)",
    "normalisation": "the normalisation",
    "pooling": "pooling",
    "regularisation": "Dropout",
    "join": "joins",
    "softmax": "the softmax",
    "reshaping": "reshaping",
    "other": "other layers",
}


def chain_of(statistics: Statistics | None, step: int | None = None) -> Chain:
    """The chain of the sampled step nearest to ``step``, or of the last one for None.

    Raises  ParameterError when no step was sampled
    """
    sample = None if statistics is None else statistics.nearest(step)
    if statistics is None or sample is None:
        raise ParameterError("chain: no step was sampled. Call net.diagnose(X, y), or fit(..., diagnose=True).")
    return Chain(sample.step, tuple(_gains(statistics, sample)), statistics.chains_through_time(step))


def _gains(statistics: Statistics, sample: Sample) -> list[Gain]:
    """The gains along the path with the most layers with weights, from the output to the input."""
    makers, depth = statistics.makers, statistics.depth
    known = [i for i in statistics.output_ids if i in makers]
    if not known:
        return []
    at = max(known, key=lambda i: depth[i])
    gains: list[Gain] = []
    while at in makers:
        call = makers[at]
        here = sample.calls[call.key]
        incoming = here.incoming
        if incoming is None:
            break
        place = max(range(len(call.inputs)), key=lambda p: depth.get(call.inputs[p], -1))
        passed, below = here.passed[place], call.inputs[place]
        slope = None if here.slope is None else here.slope.mean
        if passed is None:
            # This is the last layer on the path: what it passes to the input of the network is not computed.
            gains.append(Gain(call.key, call.kind, call.role, incoming, math.nan, slope))
            break
        gains.append(Gain(call.key, call.kind, call.role, incoming, passed.norm, slope))
        maker = makers.get(below)
        if maker is not None and (_branches(statistics, below) or sample.calls[maker.key].several):
            whole = sample.calls[maker.key].incoming
            if whole is not None:
                gains.append(Gain(f"branch at {maker.key}", "branch", "join", passed.norm, whole))
        at = below
    return gains


def _branches(statistics: Statistics, tensor: int) -> bool:
    uses = sum(call.inputs.count(tensor) for call in statistics.calls.values())
    return uses + (tensor in statistics.output_ids) > 1
