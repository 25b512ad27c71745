"""The pictures of a diagnosis, each a function that draws on axes of matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .figures import PALETTE, new_figure, tidy

__all__ = [
    "Histogram",
    "ShownNetwork",
    "chain_waterfall",
    "dead_units",
    "effective_ranks",
    "gradient_heat_map",
    "histograms",
    "loss_curves",
    "paired_curves",
    "svg",
    "through_time",
    "z_histograms",
]

Array = NDArray[Any]
#: The colours of what a link of the chain rule is made of.
ROLE_COLOURS = {"weight": PALETTE[0], "activation": PALETTE[1], "normalisation": PALETTE[2], "join": PALETTE[3]}
ROLE_NAMES = {"weight": "weights Wᵀ", "activation": "slope σ'(z)", "join": "joins"}
#: Samples whose z a histogram counts, bars of it, and histograms in one picture.
_SAMPLES, _BARS, _MOST = 512, 60, 12


def plain(text: object) -> str:
    """Text that matplotlib does not read as mathematics."""
    return str(text).replace("$", r"\$")


def svg(width: float, height: float, draw: Callable[[Any], None]) -> str:
    """A picture as SVG that fits its place in a page; text stays text."""
    import matplotlib

    figure = new_figure(width, height)
    draw(figure)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "chainrule"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    start = text.index("<svg")
    head, rest = text[start:].split(">", 1)
    for word in ("width", "height"):
        before, _, after = head.partition(f' {word}="')
        head = before + after.partition('"')[2] if after else head
    return f'{head} role="img">{rest}'


# ---------------------------------------------------------------- over time


def loss_curves(axes: Any, history: Mapping[str, Sequence[float]]) -> None:
    """The loss of every epoch, and that on validation data."""
    for name, colour, label in (("loss", PALETTE[0], "training"), ("val_loss", PALETTE[1], "validation")):
        if name in history:
            values = np.asarray(history[name], float)
            marker = "o" if len(values) < 3 else ""
            axes.plot(range(1, len(values) + 1), values, marker=marker, color=colour, linewidth=2, label=label)
    known = np.concatenate([np.asarray(history[n], float) for n in ("loss", "val_loss") if n in history])
    known = known[np.isfinite(known)]
    if known.size and known.min() > 0 and known.max() > 50 * known.min():
        axes.set_yscale("log")
    tidy(axes, "epoch", "loss J")
    axes.legend(frameon=False, fontsize=10)


def gradient_heat_map(figure: Any, steps: Sequence[int], layers: Sequence[str], norms: Array) -> None:
    """|dz| of every layer with weights (rows, the first layer at the bottom) at the sampled steps."""
    axes = figure.subplots()
    with np.errstate(all="ignore"):
        table = np.log10(np.where(norms > 0, norms, np.nan)).T
    table = np.where(np.isfinite(table), table, np.nan)
    colours = axes.pcolormesh(np.ma.masked_invalid(table), cmap="viridis")
    axes.set_yticks([i + 0.5 for i in range(len(layers))], [plain(name) for name in layers])
    places = sorted({int(i) for i in np.linspace(0, len(steps) - 1, min(8, len(steps)))})
    axes.set_xticks([i + 0.5 for i in places], [str(steps[i]) for i in places])
    axes.set_xlabel("step (as sampled)", fontsize=11)
    axes.set_facecolor("0.85")
    bar = figure.colorbar(colours, ax=axes, label="log₁₀ ‖dz‖")
    bar.outline.set_visible(False)


# ---------------------------------------------------------------- the chain


def chain_waterfall(axes: Any, chain: Any) -> None:
    """From the last layer's gradient to the first one's: what each link takes or gives, in powers of ten."""
    gains = [g for block in chain.blocks for g in block.gains if math.isfinite(g.log10)]
    level, seen = 0.0, set()
    for i, gain in enumerate(gains):
        colour = ROLE_COLOURS.get(gain.role, PALETTE[6])
        label = ROLE_NAMES.get(gain.role, gain.role) if gain.role not in seen else None
        seen.add(gain.role)
        axes.bar(i, gain.log10, bottom=level, color=colour, width=0.8, label=label)
        axes.plot([i - 0.4, i + 1.4], [level + gain.log10] * 2, color="0.5", linewidth=0.7)
        level += gain.log10
    axes.bar(len(gains), level, color="0.35", width=0.8, label="in all")
    axes.axhline(0, color="0.3", linewidth=0.8)
    names = [plain(g.key) for g in gains] + ["all"]
    every = max(1, math.ceil(len(names) / 26))
    axes.set_xticks(range(0, len(names), every), names[::every], rotation=60, ha="right", rotation_mode="anchor")
    tidy(axes, "", "powers of ten of ‖dz‖")
    axes.legend(frameon=False, fontsize=10)


def through_time(axes: Any, chain: Any) -> None:
    """log₁₀ of the gradient of each step of a sequence beside that where it begins, and the factors that add up to it."""
    positions = np.asarray(chain.order) + 1
    colours = {**ROLE_COLOURS, "gate": PALETTE[2], "truncation": PALETTE[4]}
    for role, values in chain.cumulative().items():
        shown = np.where(np.isfinite(values), values, np.nan)
        axes.plot(positions, shown, color=colours.get(role, PALETTE[6]), linewidth=1.6, label=chain.names()[role])
    with np.errstate(all="ignore"):
        whole = np.log10(np.asarray(chain.norms) / chain.norms[0])
    marker = "o" if len(positions) < 3 else ""
    shown = np.where(np.isfinite(whole), whole, np.nan)
    axes.plot(positions, shown, marker=marker, color="0.15", linewidth=2.4, label="in all")
    axes.axhline(0, color="0.3", linewidth=0.8)
    tidy(axes, "step t of the sequence", "powers of ten of ‖G‖", plain(chain.layer))
    axes.margins(y=0.1)
    axes.legend(frameon=False, fontsize=8)


# ---------------------------------------------------------------- layers


class Histogram:
    """How the z of one activation are spread.

    Attributes  layer, kind ; counts, edges ; zone : (low, high) where the slope is at least a tenth of its largest, or
                None ; inside : the share of z in it
    """

    def __init__(self, layer: str, kind: str, z: Array, zone: tuple[float, float] | None = None) -> None:
        self.layer, self.kind, self.zone = layer, kind, zone
        z = np.asarray(z, float).reshape(-1)
        finite = z[np.isfinite(z)]
        self.not_finite = 1 - len(finite) / max(1, len(z))
        low, high = np.quantile(finite, [0.001, 0.999]) if len(finite) else (-1.0, 1.0)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        self.counts, self.edges = np.histogram(finite, _BARS, (float(low), float(high)))
        self.inside = math.nan
        if self.zone is not None and len(finite):
            self.inside = float(np.mean((finite >= self.zone[0]) & (finite <= self.zone[1])))


class ShownNetwork(Protocol):
    """What a page needs of a network, which stands above this folder: its summary, and what it computes for samples."""

    input_ids: list[int]

    @property
    def built(self) -> bool: ...

    def layer(self, name: str) -> Any: ...

    def summary(self) -> str: ...

    def trace(self, X: Any) -> Any: ...


def z_histograms(network: ShownNetwork, X: Any) -> list[Histogram]:
    """A histogram of what each hidden activation is given, for the first samples. Nothing is changed."""
    several = isinstance(X, (list, tuple)) and len(network.input_ids) > 1
    first = [np.asarray(x)[:_SAMPLES] for x in X] if several else np.asarray(X)[:_SAMPLES]
    trace = network.trace(first)
    found = []
    for name, layer in trace.layers.items():
        made = network.layer(layer.name)
        if made.role == "activation":
            found.append(Histogram(name, layer.kind, layer.inputs[0], made.curve().live))
    return found


def histograms(figure: Any, found: Sequence[Histogram]) -> None:
    """The histograms beside each other, the live zone behind them."""
    shown = list(found)[:_MOST]
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(shown) :]:
        axes.set_visible(False)
    for axes, h in zip(grid.flat, shown, strict=False):
        low, high = float(h.edges[0]), float(h.edges[-1])
        margin = 0.05 * (high - low)
        axes.set_xlim(low - margin, high + margin)
        if h.zone is not None:
            axes.axvspan(max(h.zone[0], low - margin), min(h.zone[1], high + margin), color=PALETTE[2], alpha=0.16, lw=0)
        axes.bar(h.edges[:-1], h.counts, np.diff(h.edges), align="edge", color=PALETTE[0])
        inside = "" if math.isnan(h.inside) else f", {100 * h.inside:.0f} % live"
        tidy(axes, "", "", f"{plain(h.layer)}{inside}")
        axes.set_yticks([])


def dead_units(axes: Any, shares: Mapping[str, float]) -> None:
    """The share of units of each activation whose slope was 0 for every sample."""
    names = list(shares)
    axes.barh(range(len(names)), [100 * shares[n] for n in names], color=PALETTE[1])
    axes.set_yticks(range(len(names)), [plain(n) for n in names])
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    tidy(axes, "dead units (per cent)")


def effective_ranks(axes: Any, start: Mapping[str, Any], end: Mapping[str, Any]) -> None:
    """The effective rank of each layer's outputs, at the start and at the end, behind it the number of units."""
    names = list(end)
    places = np.arange(len(names))
    axes.barh(places, [end[n].units for n in names], height=0.8, color="0.9", label="units")
    axes.barh(places - 0.18, [start[n].outputs if n in start else 0 for n in names], 0.3, color=PALETTE[5], label="start")
    axes.barh(places + 0.18, [end[n].outputs for n in names], 0.3, color=PALETTE[0], label="end")
    axes.set_yticks(places, [plain(n) for n in names])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_xlim(left=0.8)
    axes.invert_yaxis()
    tidy(axes, "effective rank")
    axes.legend(fontsize=8)


# ---------------------------------------------------------------- the cure


def paired_curves(axes: Any, before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], score: str) -> None:
    """The held-out score of every epoch, before and after: the mean over the seeds, and each seed."""
    for runs, colour, label in ((before, PALETTE[1], "as it was"), (after, PALETTE[0], "changed")):
        known = [np.asarray(r, float) for r in runs if len(r)]
        if not known:
            axes.plot([], [], color=colour, label=f"{label} (diverged at once)")
            continue
        for run in known:
            axes.plot(range(1, len(run) + 1), run, color=colour, alpha=0.3, linewidth=1)
        length = min(map(len, known))
        mean = np.mean([run[:length] for run in known], axis=0)
        axes.plot(range(1, length + 1), mean, "o-" if length < 3 else "-", color=colour, linewidth=2.4, label=label)
    tidy(axes, "epoch", f"held-out {plain(score)}")
    axes.legend(frameon=False, fontsize=10)
