"""A diagnosis, and its cure, as one page that a student can read: findings with their equations, numbers and papers, and
pictures of what was measured."""

from __future__ import annotations

import datetime
import importlib.util
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import ChainruleError, MissingDependencyError, ParameterError
from ..files import write_whole
from . import plots

__all__ = ["DiagnosisReport"]

_TEMPLATES = Path(__file__).parent / "templates"
#: Rows of a table of rejected changes, at most.
_MOST_REJECTED = 40
#: Layers whose effective rank is drawn, at most.
_MOST_RANKS = 24
#: Recurrent layers whose gradient through time is drawn, at most.
_MOST_SEQUENCES = 6


class DiagnosisReport:
    """What a diagnosis found, what a cure changed, and the pictures: in the terminal, in a notebook, as one HTML file.

    Parameters
        diagnosis : a Diagnosis, or None ; cure : a Cure, or None ; its own diagnosis is taken where none is given
        network : that the diagnosis is about, for its summary and the histograms of z ; X : samples for those, by
            default what the diagnosis looked at
        title : of the page

    The file holds its pictures as SVG and its style, loads nothing from elsewhere and runs no script. Everything that comes
    from users (names of layers and classes, messages of rules) is escaped.

    Example
        >>> from chainrule.diagnosis import Diagnosis
        >>> report = DiagnosisReport(Diagnosis(evidence={"accuracy": 0.97}))
        >>> "healthy" in str(report), "<html" in report.html()
        (True, True)
    """

    def __init__(
        self,
        diagnosis: Any = None,
        *,
        cure: Any = None,
        network: plots.ShownNetwork | None = None,
        X: Any = None,
        title: str = "Diagnosis of a network",
    ) -> None:
        self.cure = cure
        self.diagnosis = diagnosis if diagnosis is not None or cure is None else cure.diagnosis
        self.network, self.X, self.title = network, X, title
        if self.diagnosis is None and cure is None:
            raise ParameterError("DiagnosisReport: give a diagnosis, a cure, or both.")

    # ------------------------------------------------------------ as a page

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the page, at once or not at all; returns its path.

        Raises      ParameterError when the file cannot be written ; MissingDependencyError without jinja2 or matplotlib
        """
        place = Path(path)
        if place.suffix.lower() not in (".html", ".htm"):
            raise ParameterError(f"A report is written to a file named .html. Got {os.fspath(path)!r}.")
        if not place.parent.is_dir():
            raise ParameterError(
                f"{os.fspath(path)!r}: the folder {os.fspath(place.parent)!r} does not exist. Make it first."
            )
        write_whole(place, self.html(), what="report", error=ParameterError)
        return place

    def html(self) -> str:
        """The whole page."""
        from markupsafe import escape

        body = self._body(made=datetime.date.today().isoformat())
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head>{head}<title>{escape(self.title)}</title>'
            f"<style>body {{ margin: 0; background: #fff; }}</style></head>\n<body>\n{body}\n</body></html>\n"
        )

    def _repr_html_(self) -> str:
        """The page without its head, for a notebook."""
        return self._body()

    def _body(self, made: str = "") -> str:
        if importlib.util.find_spec("jinja2") is None:
            raise MissingDependencyError("jinja2", "A report as HTML", extra="report")
        import jinja2

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["figure"] = _figure
        environment.filters["clean"] = lambda text: " ".join(str(text).split())
        d = self.diagnosis
        return environment.get_template("diagnosis.html.j2").render(
            css=(_TEMPLATES / "diagnosis.css").read_text(encoding="utf-8"),
            title=self.title,
            verdict=self.verdict,
            healthy=d is None or d.healthy,
            network=self._summary(),
            findings=() if d is None else d.findings,
            notes=() if d is None else d.notes,
            errors={} if d is None else d.errors,
            evidence={} if d is None else {k: v for k, v in d.evidence.items() if v == v},
            cure=self._cure(),
            pictures=self._pictures(),
            version=__version__,
            made=made,
        )

    @property
    def verdict(self) -> str:
        """In one sentence."""
        d = self.diagnosis
        if d is None:
            return "Changes were tried without a diagnosis."
        if d.healthy:
            return "Healthy: no fault was found."
        more = f", and {len(d.findings) - 1} more" if len(d.findings) > 1 else ""
        return f"{d.cause.title[:1].upper()}{d.cause.title[1:]}{more}."

    def _summary(self) -> str:
        if self.network is None:
            return ""
        try:
            return str(self.network.summary())
        except ChainruleError:
            return repr(self.network)

    def _cure(self) -> dict[str, Any] | None:
        c = self.cure
        if c is None:
            return None
        kinds = {"+": "add", "-": "remove"}
        picture = ""
        if c.baseline.runs and c.changes:
            before = [run.curve for run in c.baseline.runs.values()]
            after = [run.curve for run in c.best.runs.values()]
            picture = plots.svg(8.2, 3.6, lambda figure: plots.paired_curves(figure.subplots(), before, after, c.score_name))
        return {
            "improved": c.improved,
            "verdict": self.cure_verdict,
            "changes": [(str(change), _adds(c, change)) for change in c.changes],
            "picture": picture,
            "caption": "both networks see the same samples in the same order, from the same seeds; thin lines are the "
            "seeds, thick ones their mean. The score is measured on samples that neither has trained on.",
            "patch": [(kinds.get(line[:1], "same"), line) for line in c.patch().split("\n")] if c.changes else [],
            "advice": c.advice,
            "rejected": [
                ("; ".join(map(str, r.changes)), "" if r.score is None else f"{r.score:.4f}", r.reason)
                for r in c.rejected[:_MOST_REJECTED]
            ],
        }

    @property
    def cure_verdict(self) -> str:
        """What the cure achieved, in one sentence; "" without one."""
        c = self.cure
        if c is None:
            return ""
        if c.changes and not c.improved:
            return (
                f"The network is put right where it was wrong; held-out {c.score_name} is {c.best.score:.4f}, which "
                f"is not measurably better than {c.baseline.score:.4f} (spread {c.evidence.spread:.4f})."
            )
        if not c.improved:
            return f"{c.no_change} The network stays as it was."
        return (
            f"Held-out {c.score_name} rises from {c.baseline.score:.4f} to {c.best.score:.4f}, by "
            f"{c.evidence.difference:.4f}; the spread between {c.evidence.seeds} seeds is {c.evidence.spread:.4f}."
        )

    # ------------------------------------------------------------ pictures

    def _pictures(self) -> list[dict[str, str]]:
        """Those for which there are measurements."""
        found: list[dict[str, str]] = []

        def add(title: str, caption: str, width: float, height: float, draw: Callable[[Any], None]) -> None:
            found.append({"title": title, "caption": caption, "svg": plots.svg(width, height, draw)})

        d = self.diagnosis
        if d is not None and len(d.history.get("loss", ())):
            add(
                "The loss",
                "The loss J that is minimised, the mean over the samples of each epoch.",
                8.2,
                3.3,
                lambda figure: plots.loss_curves(figure.subplots(), d.history),
            )
        statistics = None if d is None else d.statistics
        if statistics is not None and statistics.samples:
            steps, layers, norms = statistics.gradient_norms()
            if layers and np.isfinite(norms).any():
                height = 1.2 + 0.32 * max(4, len(layers))
                add(
                    "The gradient by layer over time",
                    "Each row is a layer with weights, the first one at the bottom; the colour is the size of the "
                    "gradient at its z, grey where it is 0 or not finite. A gradient that vanishes gets darker "
                    "downwards, one that explodes brighter.",
                    8.2,
                    height,
                    lambda figure: plots.gradient_heat_map(figure, steps, layers, norms),
                )
            chain = d.chain()
            if chain.blocks and any(math.isfinite(g.log10) for b in chain.blocks for g in b.gains):
                add(
                    "The chain of gains",
                    "By the chain rule dzˡ = σ'(zˡ) ⊙ (Wˡ⁺¹ dzˡ⁺¹). From the output (left) to the first layer (right), each "
                    "bar is what one factor adds to the size of the gradient in powers of ten; together they make the last "
                    f"bar. {chain.sentence()}",
                    8.2,
                    4.2,
                    lambda figure: plots.chain_waterfall(figure.subplots(), chain),
                )
            through = list(chain.through_time.values())[:_MOST_SEQUENCES]
            shown_through = [c for c in through if len(c) > 1 and c.norms[0] > 0 and np.isfinite(c.norms).all()]
            if shown_through:
                columns = min(2, len(shown_through))
                rows = math.ceil(len(shown_through) / columns)
                add(
                    "The gradient through time",
                    "How much of the gradient is left at each step of the sequence, from where it begins back in time, in "
                    "powers of ten (black), and what each factor has made of it so far; the coloured lines add up to the "
                    f"black one. {' '.join(c.sentence() for c in shown_through)}",
                    8.2,
                    0.3 + (3.2 if columns == 1 else 2.9) * rows,
                    lambda figure: _draw_through_time(figure, shown_through, rows, columns),
                )
            ranks = statistics.ranks
            if ranks and len(ranks[max(ranks)]) > 1:
                start, end = ranks[min(ranks)], dict(list(ranks[max(ranks)].items())[:_MOST_RANKS])
                add(
                    "Effective rank by layer",
                    "In how many directions the outputs of a layer vary over samples: (tr C)² / tr C² of their covariance "
                    "C, 1 where all units say the same, at most the number of units (grey). A network that learns uses few "
                    "or many, as its task needs.",
                    8.2,
                    1.2 + 0.36 * max(2, len(end)),
                    lambda figure: plots.effective_ranks(figure.subplots(), start, end),
                )
            dead = statistics.dead_units()
            if dead:
                add(
                    "Dead units by layer",
                    "The share of units of each activation whose slope was 0 for every sample in the last steps sampled. No "
                    "gradient passes a dead unit, so nothing can bring it back.",
                    8.2,
                    1.0 + 0.34 * max(2, len(dead)),
                    lambda figure: plots.dead_units(figure.subplots(), dead),
                )
        shown = self._histograms()
        if shown:
            rows = math.ceil(min(len(shown), 12) / 3)
            add(
                "What the activations are given",
                "The distribution of z before each activation, for the first samples. Green is the live zone, where the "
                "slope σ'(z) is at least a tenth of its largest; outside of it hardly any gradient passes.",
                8.2,
                0.4 + 2.0 * rows,
                lambda figure: plots.histograms(figure, shown),
            )
        return found

    def _histograms(self) -> list[plots.Histogram]:
        network, X = self.network, self.X
        if (network is None or X is None) and getattr(self.diagnosis, "subject", None) is not None:
            network, inputs = self.diagnosis.subject
            X = inputs[0] if len(inputs) == 1 else inputs
        if network is None or X is None or not network.built:
            return []
        try:
            return plots.z_histograms(network, X)
        except (ChainruleError, TypeError, ValueError):
            # Data that the network cannot take is what the findings are about.
            return []

    # ------------------------------------------------------------ in a terminal

    def __rich__(self) -> Any:
        """What ``rich.print(report)`` shows."""
        from .terminal import render

        return render(self)

    def print(self, console: Any = None) -> None:
        """Shows the report on the terminal. Parameters  console : of rich, None for standard output"""
        from rich.console import Console

        (console or Console(highlight=False)).print(self.__rich__())

    def __str__(self) -> str:
        parts = [str(self.diagnosis)] if self.diagnosis is not None else []
        parts += [str(self.cure)] if self.cure is not None else []
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        return f"DiagnosisReport({self.verdict!r})"


def _draw_through_time(figure: Any, chains: list[Any], rows: int, columns: int) -> None:
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, one in zip(grid.flat, chains, strict=False):
        plots.through_time(axes, one)
    for axes in grid.flat[len(chains) :]:
        axes.set_visible(False)


def _adds(cure: Any, change: Any) -> str:
    found: Mapping[str, Any] = cure.adds
    one = found.get(change)
    return "" if one is None else f"{one.difference:+.4f}"


def _figure(value: Any) -> str:
    """A number as it is read: 0.97, 1,234, 3.1e-05."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if not math.isfinite(number):
        return "not finite" if number != number else str(number)
    if number == int(number) and abs(number) < 1e6:
        return f"{int(number):,}"
    return f"{number:.4g}"
