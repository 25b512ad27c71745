"""The results as tables: for a terminal, and as Markdown for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import workloads as W

__all__ = ["markdown", "show", "tables"]

Row = dict[str, Any]
#: Of a cell: name of the library that the ratios of chainrule are taken against.
_OWN = "chainrule"


@dataclass
class Table:
    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    #: Numbers of the rows that are chainrule's, and of those that begin a workload.
    own: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)


def tables(results: Row) -> list[Table]:
    """A table for each kind of result there is."""
    found = [
        _times(kind, title, results)
        for kind, title in (("training", "A training step"), ("prediction", "A prediction, NumPy in and NumPy out"))
    ]
    return [t for t in (*found, _fits(results), _footprint(results)) if t is not None]


def _times(kind: str, title: str, results: Row) -> Table | None:
    cells = [c for c in results["cells"] if c["kind"] == kind]
    if not cells:
        return None
    table = Table(title, ["network", "library", "median", "best", "speed (median)", "speed (best)", "of peak"])
    peak = results["peak"].get("gflops")
    for name in dict.fromkeys(c["workload"] for c in cells):
        group = [c for c in cells if c["workload"] == name]
        table.first.append(len(table.rows))
        for cell in sorted(group, key=lambda c: c.get("median_s", float("inf"))):
            if cell["peer"] == _OWN:
                table.own.append(len(table.rows))
            row = [name, _label(cell)]
            if "median_s" in cell:
                row += [_time(cell["median_s"]), _time(cell["best_s"])]
                row += [_ratio(group, cell, "median_s"), _ratio(group, cell, "best_s")]
                row += [f"{cell['flops'] / cell['best_s'] / 1e9 / peak:.0%}" if peak else "-"]
            else:
                row += ["failed", *["-"] * 4]
            table.rows.append(row)
    return table


def _fits(results: Row) -> Table | None:
    rows = [r for r in results["fit"] if "peer" in r]
    if not rows:
        return None
    title = f"{W.FIT.name[0].upper()}{W.FIT.name[1:]}: from a new process to the end of the fit (cold), and again (warm)"
    table = Table(title, ["library", "cold", "cold, best", "speed", "warm", "warm, best", "speed", "test accuracy"])
    for row in sorted(rows, key=lambda r: r.get("cold_s", float("inf"))):
        if row["peer"] == _OWN:
            table.own.append(len(table.rows))
        shown = [_label(row)]
        if "cold_s" in row:
            shown += [_time(row["cold_s"]), _time(row["cold_best_s"]), _ratio(rows, row, "cold_s")]
            shown += [_time(row["warm_s"]), _time(row["warm_best_s"]), _ratio(rows, row, "warm_s")]
            low, high = row["accuracy_range"]
            shown += [f"{row['accuracy']:.3f} ({low:.3f} to {high:.3f})"]
        else:
            shown += ["failed", *["-"] * 6]
        table.rows.append(shown)
    return table


def _footprint(results: Row) -> Table | None:
    rows = results["footprint"]
    if not rows:
        return None
    title = f"Footprint; memory at most, training {W.MEMORY.name}"
    table = Table(title, ["library", "import", "import, best", "memory after import", "memory in training", "installed"])
    for row in rows:
        if row["peer"] == _OWN:
            table.own.append(len(table.rows))
        sizes = [f"{row[k]:,.0f} MB" if k in row else "-" for k in ("import_mb", "training_mb", "installed_mb")]
        table.rows.append([row["peer"], _time(row["import_s"]), _time(row["import_best_s"]), *sizes])
    return table


def _label(cell: Row) -> str:
    return f"{cell['peer']} {cell['variant']}".strip()


def _ratio(group: Sequence[Row], cell: Row, key: str) -> str:
    """The time of the fastest other library over this one's: above 1 is faster than all of them."""
    others = [c[key] for c in group if c["peer"] != _OWN and key in c]
    return f"{min(others) / cell[key]:.2f}×" if others else "-"


def _time(seconds: float) -> str:
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


# ---------------------------------------------------------------- words around the tables


def _machine(results: Row) -> str:
    m = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        f"{m['cpu']}; {m['cpus']} processors, {m['threads']} threads each; {m['memory_gb']} GB; {m['system']}; "
        f"Python {m['python']}; {m['date']}. {versions}."
    )


def _legend(results: Row) -> list[str]:
    peak = results["peak"]
    lines = [
        "Speed: the time of the fastest library other than chainrule over the time of this one; above 1 is faster than all."
    ]
    if "gflops" in peak:
        lines.append(
            f"Peak: {peak['gflops']:.0f} GFLOP/s in float32, the best of products of 1024×1024 matrices by "
            f"{peak['engine']}, measured between the cells. Shares count the FLOPs of matrix products only, at the best "
            "time."
        )
        if peak["median_gflops"] < 0.85 * peak["gflops"]:
            lines.append(
                f"The machine was not calm: the same products ran at {peak['median_gflops'] / peak['gflops']:.0%} of their "
                "best in the median. Trust the best times more than the medians, or measure again."
            )
    return lines


def _warnings(results: Row) -> list[str]:
    found = []
    for cell in results["cells"]:
        if not cell.get("agrees", True):
            limit = W.TOLERANCE[cell["variant"] or "float32"]
            found.append(f"{cell['workload']}: {_label(cell)} is off by {cell['off']:.2%}, more than {limit:.1%}.")
    for row in (*results["cells"], *results["fit"], *results["footprint"]):
        if "error" in row:
            where = ", ".join(str(row[k]) for k in ("workload", "peer", "variant") if row.get(k))
            found.append(f"{where}: {row['error']}" if where else f"fit: {row['error']}")
    found += [f"{name} is not installed and was left out." for name in results.get("left_out", [])]
    checked = [c for c in results["cells"] if "agrees" in c]
    if checked and all(c["agrees"] for c in checked):
        found.append(
            f"All {len(checked)} cells compute what float64 NumPy does, losses and outputs within "
            f"{W.TOLERANCE['float32']:.1%} (bfloat16 {W.TOLERANCE['bfloat16']:.0%})."
        )
    return found


def markdown(results: Row) -> str:
    """All tables as Markdown, chainrule's rows in bold."""
    lines = [_machine(results), ""]
    for table in tables(results):
        lines += [f"**{table.title}**", ""]
        lines.append("| " + " | ".join(table.columns) + " |")
        left = 2 if table.columns[0] == "network" else 1
        lines.append("|" + "|".join("---" if i < left else "--:" for i in range(len(table.columns))) + "|")
        for i, row in enumerate(table.rows):
            cells = list(row)
            if table.first and i not in table.first:
                cells[0] = ""
            if i in table.own:
                cells = [f"**{c}**" if c and j >= left - 1 else c for j, c in enumerate(cells)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join([*lines, *(f"- {line}" for line in (*_legend(results), *_warnings(results)))])


def show(results: Row) -> None:
    """Prints all tables to the terminal."""
    from rich.console import Console
    from rich.table import Table as Drawn

    console = Console()
    width = None if console.is_terminal else 120
    console = Console(width=width)
    console.print(_machine(results), highlight=False)
    for table in tables(results):
        drawn = Drawn(title=table.title, title_justify="left", title_style="bold")
        left = 2 if table.columns[0] == "network" else 1
        for i, column in enumerate(table.columns):
            drawn.add_column(column, justify="left" if i < left else "right", no_wrap=i >= left)
        for i, row in enumerate(table.rows):
            if i in table.first and i:
                drawn.add_section()
            cells = ["" if table.first and i not in table.first and j == 0 else c for j, c in enumerate(row)]
            drawn.add_row(*cells, style="bold green" if i in table.own else None)
        console.print(drawn)
    for line in (*_legend(results), *_warnings(results)):
        console.print(f"• {line}", highlight=False)
