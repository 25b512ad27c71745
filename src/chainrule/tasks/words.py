"""What several tasks say about their data and their training, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..training import EarlyStopping
from ..training.settings import FitSettings

__all__ = ["some", "training_text"]


def some(values: Sequence[Any], most: int = 6) -> str:
    """The values with commas between them; of many only the first, and how many there are."""
    return ", ".join(map(str, values[:most])) + (f", ... ({len(values):,} in all)" if len(values) > most else "")


def training_text(fit: FitSettings) -> str:
    """The optimizer, the loss, the batches and the epochs of a fit, in words."""
    optimizer, stopping = fit.optimizer, fit.early_stopping
    assert not isinstance(optimizer, str)
    decay = f" with weight decay {optimizer.weight_decay:g}" if optimizer.weight_decay else ""
    loss = (fit.loss if isinstance(fit.loss, str) else getattr(fit.loss, "name", "")).replace("_", " ")
    when = f"{fit.epochs} epochs"
    if isinstance(stopping, EarlyStopping):
        when = f"at most {fit.epochs} epochs, {stopping.patience} without better validation loss"
    return f"{optimizer.name}{decay}, {loss}, batches of {fit.batch_size}, {when}"
