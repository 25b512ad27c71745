"""What ``chainrule show`` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import TablePreprocessor
from ..model import Network, load
from ..network.files import load as load_with_extra
from .console import facts, fitted, heading, number, out, size
from .table_model import IMAGES, TEXTS, TableModel
from .train_run import inputs_text, target_text

if TYPE_CHECKING:
    from .image_model import ImageModel
    from .text_model import TextModel

__all__ = ["layer_table", "run"]


def run(place: Path, *, equations: bool = True) -> None:
    """Prints everything about a model file."""
    extra = load_with_extra(place, Network)[1]
    model = TableModel.load(place) if "table" in extra else None
    network = load(place) if model is None else model.network
    heading(f"{place} ({size(place.stat().st_size)}B)")
    if IMAGES in extra:
        from .image_model import ImageModel

        _pictures(ImageModel.load(place))
    elif TEXTS in extra:
        from .text_model import TextModel

        _texts(TextModel.load(place))
    elif model is None:
        facts([("Made by", "Network.save: a network without the preprocessing of a table")])
    else:
        facts(_facts(model))
        heading("Preprocessing")
        _columns(model.preprocessor)
    heading("Network")
    layer_table(network)
    if equations:
        heading("Equations")
        fitted(str(network.equations()))


def _texts(model: TextModel) -> None:
    """What a model of texts was trained on, and how it cuts them into tokens."""
    held, tokenizer = model.facts, model.estimator.tokenizer_
    kept = f", weights of epoch {held['kept epoch']} kept" if held.get("kept epoch") else ""
    classes = model.classes
    rows = [("Target", f"{model.target}: " + ("a number" if classes is None else _some(classes, 12)))]
    if "data" in held:
        rows.append(("Trained on", f"{held['rows']:,} texts of {held['data']}, {held['epochs']} epochs{kept}"))
    if held.get("test"):
        scores = ", ".join(f"{name} {number(value)}" for name, value in held["test"].items())
        rows.append(("Test part", f"{scores} ({held.get('test rows', 0):,} texts)"))
    facts(rows)
    heading("Preprocessing")
    facts(
        [
            ("Column", f"{model.text}: texts"),
            ("Tokens", f"{tokenizer.name.replace('_', ' ')}, a vocabulary of {len(tokenizer):,}: {tokenizer!r}"),
        ]
    )


def _pictures(model: ImageModel) -> None:
    """What a model of pictures was trained on, and what it does to every picture."""
    held, p = model.facts, model.preprocessor
    kept = f", weights of epoch {held['kept epoch']} kept" if held.get("kept epoch") else ""
    rows = [("Classes", _some(model.classes, 12))]
    if "data" in held:
        rows.append(("Trained on", f"{held['rows']:,} pictures of {held['data']}, {held['epochs']} epochs{kept}"))
        rows.append(("Augmentation", str(held.get("augmentation", "none"))))
    if held.get("test"):
        scores = ", ".join(f"{name} {number(value)}" for name, value in held["test"].items())
        rows.append(("Test part", f"{scores} ({held.get('test rows', 0):,} pictures)"))
    facts(rows)
    heading("Preprocessing")
    height, width, channels = p.shape
    how = {"stretch": "stretched to", "crop": "the middle, resized to", "pad": "padded with black to"}[p.fit]
    mean, std = (", ".join(f"{v:.4g}" for v in np.broadcast_to(v, (channels,))) for v in (p.mean, p.std))
    facts(
        [
            ("Resize", f"{how} {height} × {width} pixels (height × width)"),
            ("Channels", {1: "grey", 3: "red, green, blue"}.get(channels, str(channels))),
            ("Normalise", f"(x / 255 − mean) / std, mean {mean}, std {std}"),
        ]
    )


def _facts(model: TableModel) -> list[tuple[str, str]]:
    held = model.facts
    rows = [("Target", target_text(model.preprocessor)), ("Inputs", inputs_text(model.preprocessor))]
    kept = f", weights of epoch {held['kept epoch']} kept" if held.get("kept epoch") else ""
    if "data" in held:
        rows.append(("Trained on", f"{held['rows']:,} rows of {held['data']}, {held['epochs']} epochs{kept}"))
    if held.get("test"):
        scores = ", ".join(f"{name} {number(value)}" for name, value in held["test"].items())
        rows.append(("Test part", f"{scores} ({held.get('test rows', 0):,} rows)"))
    return rows


def _columns(preprocessor: TablePreprocessor) -> None:
    rows = [(encoder.name, encoder.describe()) for encoder in preprocessor.encoders_]
    facts(rows)
    if preprocessor.notes_:
        out().print()
        facts([("Note", note) for note in preprocessor.notes_])


def _some(values: Any, most: int = 6) -> str:
    return ", ".join(map(str, values[:most])) + (f", ... ({len(values)} in all)" if len(values) > most else "")


def layer_table(network: Network) -> None:
    """The layers of a network as a table: shapes of one sample, parameters, FLOPs."""
    fitted(network.summary())
