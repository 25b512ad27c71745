"""A picture of pictures: what they were taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...images import ImageData
from ...report import prediction_grid
from ..scores import Prediction
from ..task_model import Samples
from .picture_model import PictureModel

__all__ = ["draw"]

#: Pictures of the grid, and how many of them may be mistakes.
_GRID, _MISTAKES = 32, 8


def draw(place: Path, model: PictureModel, samples: Samples, prediction: Prediction, *, title: str, seed: int = 0) -> None:
    """Some pictures with what they were taken for: the surest mistakes first, then others at random."""
    data: ImageData = samples.data
    p, y = prediction.probabilities, samples.truth
    assert p is not None
    if y is None:
        chosen, said = np.arange(min(_GRID, len(p))), title
    else:
        rng = np.random.default_rng(seed)
        wrong = np.flatnonzero(p.argmax(axis=1) != y)
        mistakes = wrong[np.argsort(-p[wrong].max(axis=1), kind="stable")][:_MISTAKES]
        right = rng.permutation(np.flatnonzero(p.argmax(axis=1) == y))[: _GRID - len(mistakes)]
        chosen = np.concatenate([mistakes, right])
        said = f"{title}: {len(y) - len(wrong):,} of {len(y):,} right"
        if len(mistakes):
            said += f"; the {len(mistakes)} surest mistakes first" if len(mistakes) > 1 else "; the mistake first"
    true = None if y is None else y[chosen]
    shown, classes = list(data.pictures(chosen)), model.classes or []
    prediction_grid(shown, p[chosen], classes, place, true=true, title=said, columns=min(8, len(chosen)))
