"""A report in the terminal: panels for the findings, the chain of gains as bars, the cure as a coloured patch."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["render"]

_STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}
#: Columns of the widest bar, and bars shown.
_WIDTH, _BARS = 36, 24
#: Recurrent layers shown, columns of a line through time, and powers of ten that it has room for.
_SEQUENCES, _COLUMNS, _DECADES = 6, 60, 12


def render(report: Any) -> Any:
    """The report as something that rich prints."""
    from rich.console import Group
    from rich.text import Text

    d = report.diagnosis
    healthy = d is None or d.healthy
    parts: list[Any] = [Text(report.verdict, style="bold green" if healthy else "bold red"), Text("")]
    if d is not None:
        parts += [_finding(f) for f in d.findings]
        parts += [Text(f"note  {f.code} {f.title}", style="cyan") for f in d.notes]
        parts += [Text(f"rule {name!r} failed: {error}", style="yellow") for name, error in d.errors.items()]
        if d.statistics is not None and d.statistics.samples:
            chain = d.chain()
            parts += _chain(chain)
            parts += _through_time(list(chain.through_time.values())[:_SEQUENCES])
        if healthy and d.evidence:
            parts.append(_evidence(d.evidence))
    if report.cure is not None:
        parts += _cure(report)
    return Group(*parts)


def _finding(f: Any) -> Any:
    from rich.panel import Panel
    from rich.text import Text

    style = _STYLES.get(f.severity, "white")
    text = Text()
    if f.cause:
        text.append(f"{f.cause}\n")
    if f.equation:
        text.append(f"\n  {f.equation}\n\n", style="italic")
    if f.explanation:
        text.append(" ".join(f.explanation.split()) + "\n", style="bright_black")
    for name, value in f.evidence.items():
        text.append(f"  {name}  ", style="cyan").append(f"{float(value):.4g}\n")
    if f.threshold is not None:
        text.append("  limit  ", style="cyan").append(f"{f.threshold}\n")
    for i, change in enumerate(f.changes):
        text.append("do     " if i == 0 else "or     ", style="green").append(f"{change}\n")
    for s in f.symptoms:
        text.append("then   ", style="bright_black").append(f"{s.code} {s.title}\n", style="bright_black")
    if f.paper:
        text.append("read   ", style="bright_black").append(f.paper, style="bright_black")
    text.rstrip()
    title = Text(f" {f.severity}  {f.code}  {f.title} ", style=f"bold {style}")
    return Panel(text, title=title, title_align="left", border_style=style)


def _chain(chain: Any) -> list[Any]:
    """The links as bars: to the left they shrink the gradient, to the right they grow it."""
    from rich.text import Text

    gains = [g for block in chain.blocks for g in block.gains if math.isfinite(g.log10)]
    if not gains:
        return []
    parts: list[Any] = [Text("\nThe chain of gains, from the output to the first layer", style="bold cyan")]
    most = max(max(abs(g.log10) for g in gains), 1e-9)
    name = max(len(g.key) for g in gains[:_BARS])
    half = _WIDTH // 2
    for g in gains[:_BARS]:
        length = round(half * abs(g.log10) / most)
        left = " " * (half - length) + "█" * length if g.log10 < 0 else " " * half
        right = "█" * length if g.log10 >= 0 else ""
        style = {"activation": "dark_orange", "weight": "blue"}.get(g.role, "magenta")
        what = {"activation": "σ'(z)", "weight": "Wᵀ"}.get(g.role, g.role)
        line = Text(f"  {g.key:<{name}}  {what:<6}  ").append(left, style=style).append("│", style="bright_black")
        parts.append(line.append(right.ljust(half), style=style).append(f"  ×{g.gain:.3g}"))
    if len(gains) > _BARS:
        parts.append(Text(f"  and {len(gains) - _BARS} more"))
    parts.append(Text(f"  {chain.sentence()}\n"))
    return parts


def _through_time(chains: list[Any]) -> list[Any]:
    """What is left of the gradient at each step of a sequence, as a line of bars: a full one is the largest."""
    from rich.text import Text

    shown = [c for c in chains if len(c) > 1 and max(c.norms) > 0 and all(map(math.isfinite, c.norms))]
    if not shown:
        return []
    parts: list[Any] = [
        Text("The gradient through time, from the first step of the sequence to the last", style="bold cyan")
    ]
    for c in shown:
        norms = [float(x) for x in c.by_position]
        most, columns = max(norms), min(_COLUMNS, len(norms))
        bars = ""
        for i in range(columns):
            part = norms[i * len(norms) // columns : (i + 1) * len(norms) // columns]
            log = math.log10(max(part) / most) if max(part) > 0 else -math.inf
            bars += " ▁▂▃▄▅▆▇█"[max(0, min(8, math.ceil(8 * (1 + log / _DECADES))))] if log > -_DECADES else " "
        parts.append(Text("  ").append(bars, style="blue").append(f"  {len(norms)} steps", style="bright_black"))
        parts.append(Text(f"  {c.sentence()}\n"))
    return parts


def _evidence(evidence: Any) -> Any:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in evidence.items():
        table.add_row(name, f"{value:.4g}")
    return table


def _cure(report: Any) -> list[Any]:
    from rich.text import Text

    c = report.cure
    parts: list[Any] = [Text("\nThe cure", style="bold cyan")]
    parts.append(Text(report.cure_verdict, style="bold green" if c.improved else "yellow"))
    for change in c.changes:
        adds = c.adds.get(change)
        parts.append(Text(f"  {change}" + ("" if adds is None else f"  ({adds.difference:+.4f})")))
    if c.changes:
        parts.append(Text(""))
        for line in c.patch().split("\n"):
            parts.append(Text(line, style={"+": "green", "-": "red"}.get(line[:1], "bright_black")))
    parts += [Text(f"To do by hand: {text}", style="yellow") for text in c.advice]
    if c.rejected:
        parts.append(Text(f"\nLooked at and not kept: {len(c.rejected)}", style="bright_black"))
        parts += [Text(f"  {r}", style="bright_black") for r in c.rejected[:6]]
    return parts
