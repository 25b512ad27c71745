"""What predictions of sounds look like in files and on the screen, where they are texts or windows of long sounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["preview", "table"]

_ROWS = 20


def table(model: Any, samples: Any, prediction: Any) -> Mapping[str, Sequence[Any]] | None:
    """The columns of a CSV file of texts; None for classes, which are written as those of every task."""
    if model.units is None:
        return None
    given = dict(samples.columns())
    return {
        **given,
        "text": prediction.values.tolist(),
        "probability": [round(float(p), 6) for p in prediction.probabilities[:, 0]],
    }


def preview(model: Any, samples: Any, prediction: Any) -> tuple[Sequence[str], Sequence[Sequence[str]]] | None:
    """Rows of texts, or of windows with the class of each; None for one class a sound."""
    columns = dict(samples.columns())
    if model.units is None and "seconds" not in columns:
        return None
    many = min(samples.count, _ROWS)
    sure = prediction.probabilities[:many].max(axis=1)
    rows = [
        (*(str(cells[i]) for cells in columns.values()), str(prediction.values[i]), f"{sure[i]:.3f}") for i in range(many)
    ]
    return (*columns, "text" if model.units is not None else "class", "probability"), rows
