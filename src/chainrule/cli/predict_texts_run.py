"""What ``chainrule predict`` does with texts: sentences typed after the model's name, or the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data import read_table
from ..data.column_encoders import texts_of
from ..data.table import TEXT_SUFFIXES
from . import choices, predictions_file
from .console import heading, number, out, table
from .table_model import Prediction
from .text_model import TextModel, require_texts

__all__ = ["run"]

#: Rows of the preview; classes of a single text; decimals of probabilities; width of the longest bar, and of a text.
_PREVIEW, _CLASSES, _DECIMALS, _BAR, _TEXT = 10, 10, 6, 24, 48


def run(
    place: Path, given: Sequence[str], output: Path | None, *, delimiter: str | None = None, encoding: str = "utf-8",
    quiet: bool = False,
) -> None:  # fmt: skip
    """Predicts and writes, or shows."""
    to_stdout = predictions_file.check_place(output)
    model = TextModel.load(place)
    columns: dict[str, Sequence[Any]]
    if len(given) == 1 and _is_table(given[0]):
        data = read_table(
            given[0], delimiter=choices.delimiter_of(delimiter), encoding=encoding, kinds={model.text: "categorical"}
        )
        texts = require_texts(data, model.text)
        columns = {name: texts_of(data, name) for name in data.names}
    else:
        texts = list(given)
        columns = {model.text: texts}
    prediction = model.predict(texts)
    if output is None:
        if not quiet:
            _show(model, texts, prediction)
        return
    columns |= _new_columns(model, prediction, set(columns))
    predictions_file.write(output, columns)
    if not quiet and not to_stdout:
        out().print(f"Wrote {output}: {len(texts):,} rows", style="bold green", soft_wrap=True)


def _is_table(argument: str) -> bool:
    """Whether what was typed is a file, or named like a table, rather than a sentence."""
    suffixes = (*TEXT_SUFFIXES, ".parquet", ".gz")
    try:
        return Path(argument).is_file() or (" " not in argument and argument.lower().endswith(suffixes))
    except OSError:  # too long for a name
        return False


def _new_columns(model: TextModel, prediction: Prediction, taken: set[str]) -> dict[str, Sequence[Any]]:
    def unused(name: str) -> str:
        new, count = name, 1
        while new in taken:
            count += 1
            new = f"{name}_{count}"
        return new

    found: dict[str, Sequence[Any]] = {unused(f"predicted_{model.target}"): prediction.values.tolist()}
    if prediction.probabilities is not None:
        for i, label in enumerate(model.classes or []):
            found[unused(f"probability_{label}")] = np.round(prediction.probabilities[:, i], _DECIMALS).tolist()
    return found


def _show(model: TextModel, texts: Sequence[str], prediction: Prediction) -> None:
    classes, p = model.classes, prediction.probabilities
    if p is not None and classes is not None and len(texts) == 1:
        heading(_short(texts[0], 2 * _TEXT))
        order = np.argsort(-p[0], kind="stable")[:_CLASSES]
        rows = [(classes[i], f"{p[0, i]:.3f}", "━" * round(_BAR * float(p[0, i]))) for i in order]
        width = max(len(bar) for *_, bar in rows)
        table((model.target, "probability", ""), [(name, value, bar.ljust(width)) for name, value, bar in rows])
        return
    rows_ = []
    for i, text in enumerate(texts[:_PREVIEW]):
        sure = [] if p is None else [f"{p[i].max():.3f}"]
        value = prediction.values[i]
        rows_.append((_short(text), number(float(value)) if p is None else str(value), *sure))
    table((model.text, f"predicted {model.target}", *(["probability"] if p is not None else [])), rows_)
    if len(texts) > _PREVIEW:
        out().print(f"{len(texts) - _PREVIEW:,} more rows. Write all columns of all rows with: -o out.csv")


def _short(text: str, most: int = _TEXT) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
