"""One score for trainings with different outputs and losses: how good their predictions of held-out samples are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import Loss, get_loss
from ..metrics import Metric, get_metric
from ..training import Session
from ..training.samples import Samples

__all__ = ["Scorer", "Scores"]

Array = NDArray[Any]
#: Targets with more distinct whole numbers than this are quantities, not classes.
_MOST_CLASSES = 100


class Scorer:
    """Scores the first output of a network; a larger score is better.

    Parameters
        y : targets of the first output ; loss : as given to fit, or None ; classes : whether the targets are classes,
            None finds out ; metric : a metric or its name in place of accuracy or R²
    Attributes
        name : of the score ; worst : that of a fit that diverged ; most : the largest there is ; chance : that of the best
            constant, None when not known ; kind : "labels" (class indices), "one-hot", "yes-no"
        (several labels at once) or "numbers"

    Accuracy where the targets are classes, the balanced one (mean over the classes) where one class is more than three times
    as frequent as another; else R², not below −1. Both are of the predictions, so that networks with other losses compare.
    """

    def __init__(self, y: Array, loss: Any = None, *, classes: bool | None = None, metric: Any = None) -> None:
        self.metric: Metric | None = None if metric is None else get_metric(metric)
        self.kind = self._kind(np.asarray(y), loss, classes)
        self.labels = np.unique(y) if self.kind == "labels" else np.array([])
        self.balanced = False
        if self.kind in ("labels", "one-hot"):
            index = np.asarray(y) if self.kind == "labels" else np.asarray(y).argmax(axis=-1)
            counts = np.unique(index, return_counts=True)[1]
            self.balanced = bool(counts.max() > 3 * counts.min())
        names = {"numbers": "R²", "yes-no": "accuracy of labels"}
        self.name = names.get(self.kind, "balanced accuracy" if self.balanced else "accuracy")
        self.worst = -1.0 if self.kind == "numbers" else 0.0
        self.most, self.chance = 1.0, None if self.kind == "yes-no" else 0.0
        if self.kind in ("labels", "one-hot"):
            self.chance = 1 / len(counts) if self.balanced else float(counts.max() / counts.sum())
        if self.metric is not None:
            self.name, self.worst, self.most, self.chance = self.metric.name, -np.inf, np.inf, None

    def strata(self, y: Array) -> Array | None:
        """The class of every sample, (n,), to draw from each in proportion; None where there are none."""
        y = np.asarray(y)
        if self.kind == "one-hot" and y.ndim == 2:
            return np.asarray(y.argmax(axis=-1))
        labels = y.reshape(-1)
        if self.kind != "labels" or len(labels) != len(y) or np.unique(labels, return_counts=True)[1].max() < 2:
            return None
        return labels

    @staticmethod
    def _kind(y: Array, loss: Any, classes: bool | None) -> str:
        given = loss[0] if isinstance(loss, (list, tuple)) and loss else loss
        known = None if given is None else get_loss(given).kind
        if classes is None and known in ("exclusive", "independent"):
            classes = True
        if y.ndim > 1 and y.shape[-1] > 1:
            binary = bool(((y == 0) | (y == 1)).all())
            if not binary or classes is False:
                return "labels" if y.dtype.kind in "iub" and classes else "numbers"
            return "one-hot" if bool((y.sum(axis=-1) == 1).all()) else "yes-no"
        if classes is None:
            distinct = len(np.unique(y)) if y.dtype.kind in "iub" else _MOST_CLASSES + 1
            classes = y.dtype.kind == "b" or distinct <= (20 if known else _MOST_CLASSES)
        return "labels" if classes else "numbers"

    def __call__(self, session: Session, held: Samples) -> float:
        """The score of a fitted network on held-out samples."""
        if self.metric is not None:
            weight = held.weight if held.nodes is not None else None
            value = session.evaluate(held.X, held.y, metrics=[self.metric], sample_weight=weight)[self.metric.name]
            return float(value if self.metric.better == "higher" else -value)
        return self.of(held.outputs(session)[0], held.dense_targets()[0], session.losses[0])

    def of(self, z: Array, y: Array, loss: Loss) -> float:
        """The score of raw outputs."""
        z, y = np.asarray(z, dtype=np.float64), np.asarray(y)
        if self.kind == "numbers":
            return self._r2(z.reshape(len(z), -1), y.reshape(len(y), -1).astype(np.float64))
        if self.kind == "yes-no":
            limit = 0.5 if loss.threshold is None else loss.threshold
            return float(np.mean((z.reshape(y.shape) > limit) == (y > 0.5)))
        predicted, truth = self._classes(z, loss, y)
        right = predicted == truth
        if not self.balanced:
            return float(right.mean())
        return float(np.mean([right[truth == c].mean() for c in np.unique(truth)]))

    def _classes(self, z: Array, loss: Any, y: Array) -> tuple[Array, Array]:
        if self.kind == "one-hot":
            return z.argmax(axis=-1), y.argmax(axis=-1)
        flat = y.reshape(-1)
        if z.size == flat.size:
            z = z.reshape(-1)
            if len(self.labels) == 2:
                limit = float(np.mean(self.labels)) if loss.threshold is None else loss.threshold
                return self.labels[(z > limit).astype(int)], flat
            # Where one output stands for several classes, the prediction is the nearest label.
            return self.labels[np.abs(z[:, None] - self.labels[None, :]).argmin(axis=1)], flat
        return z.reshape(len(flat), -1).argmax(axis=1), flat

    @staticmethod
    def _r2(z: Array, y: Array) -> float:
        if z.shape != y.shape:
            return -1.0
        spread = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        with np.errstate(all="ignore"):
            r2 = 1 - ((z - y) ** 2).sum(axis=0) / np.where(spread > 0, spread, 1.0)
        return float(np.clip(np.nan_to_num(r2, nan=-1.0, neginf=-1.0), -1.0, 1.0).mean())

    def resolution(self, score: float, n: int) -> float:
        """The standard error of a score near this one, since only n samples are held out."""
        if self.metric is not None:
            return 0.0
        if self.kind == "numbers":
            return 0.005
        p = min(max(score, 0.5 / n), 1 - 0.5 / n)
        return float(np.sqrt(p * (1 - p) / n))


class Scores:
    """The mean score of all outputs of a network with several.

    Parameters  ys : targets, one array for each output ; loss : as given to fit ; classes : as of Scorer, by output
    """

    metric: Metric | None = None

    def __init__(self, ys: Sequence[Array], loss: Any = None, *, classes: Sequence[bool | None] | None = None) -> None:
        losses = list(loss) if isinstance(loss, (list, tuple)) else [loss] * len(ys)
        whether = [None] * len(ys) if classes is None else classes
        self.parts = [Scorer(y, one, classes=c) for y, one, c in zip(ys, losses, whether, strict=True)]
        self.kind = self.parts[0].kind
        self.name = f"mean of {', '.join(part.name for part in self.parts)}"
        self.worst = float(np.mean([part.worst for part in self.parts]))
        self.most, self.chance = 1.0, None

    def strata(self, y: Array) -> Array | None:
        """The class of every sample by the first output; see ``Scorer.strata``."""
        return self.parts[0].strata(y)

    def __call__(self, session: Session, held: Samples) -> float:
        """The score of a fitted network on held-out samples."""
        outputs, targets = held.outputs(session), held.dense_targets()
        return float(np.mean([part.of(z, y, loss) for part, z, y, loss in
                              zip(self.parts, outputs, targets, session.losses, strict=True)]))  # fmt: skip

    def resolution(self, score: float, n: int) -> float:
        """See ``Scorer.resolution``. All outputs are scored on the same samples, so their mean is no more exact than one."""
        return max(part.resolution(score, n) for part in self.parts)
