"""Metrics as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ..tasks.scores import Scores
from .console import number, out, table

__all__ = ["show_scores"]

_MOST_CLASSES = 10


def show_scores(
    title: str, scores: Scores, others: Sequence[tuple[str, Scores]], *, target: str, unit: str = "rows"
) -> None:
    """Prints the metrics, those of other predictions beside them, and the classes when they are few.

    Parameters  others : name and metrics of each ; target : what was predicted ; unit : what was scored
    """
    own = target if len(target) <= 16 else "the target"
    units = {"log loss": "nats", "RMSE": f"unit of {own}", "MAE": f"unit of {own}"}
    rows = []
    for name, value in scores.values.items():
        unit_of = units.get(name, "dB" if name.startswith("PSNR") else "")
        label = f"{name} ({unit_of})" if unit_of else name
        rows.append((label, number(value), *(number(other.values[name]) for _, other in others)))
    table(("metric", "network", *(name for name, _ in others)), rows, title=title)
    if 0 < len(scores.by_class) <= _MOST_CLASSES:
        out().print()
        more = scores.more_by_class
        table(
            ("class", *more, "precision", "recall", "F1", scores.counted or unit),
            [
                (label, *(number(values[i]) for values in more.values()), number(a), number(b), number(c), f"{n:,}")
                for i, (label, a, b, c, n) in enumerate(scores.by_class)
            ],
        )
