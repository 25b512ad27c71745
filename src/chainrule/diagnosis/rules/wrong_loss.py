"""A loss that does not fit the task."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..reference import SAMPLES
from ..rule import Rule

#: Different numbers from 0 on that may be classes though they are stored as floats.
_FEW = 20


class WrongLoss(Rule):
    """Squared error on classes: with class numbers as targets it takes class 2 for twice class 1; with zeros and ones
    behind a sigmoid or softmax its gradient has the factor σ'(z), which is 0 where the answer is most wrong."""

    code, name, tier, always = "CR204", "wrong-loss", 2, True
    explains = ("*",)
    paper = "Golik, Doetsch and Ney, Cross-entropy vs. squared error training, Interspeech 2013"

    @staticmethod
    def _grave(case: Case) -> str:
        """How grave class numbers as targets are: an error where they are names and not sizes, or where rounding what the
        network says meets them clearly less often than a simple model of classes does on samples that it has not seen."""
        hits, names = case.data.named
        if names or case.data.design is None or case.outputs is None or case.outputs.size != case.data.target.size:
            return "error"
        own = float((np.rint(case.outputs.reshape(-1)) == case.data.target.reshape(-1)).mean())
        n = min(len(case.data.rows), SAMPLES)
        if own < hits - 3 * float(np.sqrt(max(hits * (1 - hits), 1e-4) / n)) - 0.02:
            return "error"
        return "note" if names is False else "warning"

    def check(self, case: Case) -> Iterable[Finding]:
        loss, classes = case.loss, case.data.looks_like_classes
        if loss is None or not loss.needs_target or not case.network.output_shapes:
            return
        shape = case.output_shape
        units = shape[-1] if shape else 1
        # Numbers that are stored as such may be meant as such: grades, counts.
        meant = classes is not None
        if not meant and units == 1 and (case.data.counted or 100) <= _FEW:
            classes = case.data.counted
        if classes is None:
            return
        if loss.kind == "numbers":
            if units > 1 and units != classes:
                return
            numbered = units == 1 and classes > 2
            last = case.last_call
            squashed = last is not None and last.role in ("activation", "softmax")
            if numbered:
                what = "class numbers" if meant else "numbers that may be classes"
                text = f"{loss.name} on {classes} {what}"
                equation = (
                    f'ℓ = (z − c)² for c in 0, ..., {classes - 1}: class {classes - 1} is "{classes - 1} times" class 1'
                )
            else:
                text = f"{loss.name} on classes"
                equation = (
                    "dz = 2 (σ(z) − y) σ'(z), while cross-entropy has dz = σ(z) − y"
                    if squashed
                    else ("ℓ = (z − y)² punishes z = 3 for y = 1, which is right, as much as z = −1, which is wrong")
                )
            wanted = (
                {"activation": "identity", "loss": "binary_cross_entropy", "units": 1}
                if classes == 2 and units == 1
                else {"activation": "identity", "loss": "softmax_cross_entropy", "units": classes}
            )
            yield self.finding(
                text,
                severity="note" if not meant else self._grave(case) if numbered else case.severity("error", "warning"),
                where="output",
                evidence={"classes": classes, "output units": units},
                threshold=Threshold(2, "targets of so few different whole numbers are classes", "kind of the targets"),
                equation=equation,
                cause="The targets are classes, the loss is one for numbers."
                if meant
                else "If the targets are classes and no quantities, the loss is the wrong one; give them as whole numbers.",
                changes=[Change("output", wanted)],
            )
        elif loss.kind == "independent" and loss.probabilities and units > 1 and units == classes:
            y = case.data.target
            if y.ndim == 2 and y.shape[1] == units and units > 2:
                yield self.finding(
                    "binary cross-entropy on classes that exclude each other",
                    severity=case.severity("warning"),
                    where="output",
                    evidence={"classes": classes},
                    threshold=Threshold(1, "one class a sample", "Σ y = 1 in every row"),
                    equation="K yes-or-no answers instead of one choice of K: the outputs need not sum to 1",
                    cause="Every sample has exactly one class; the loss treats the classes as independent.",
                    changes=[Change("output", {"activation": "identity", "loss": "softmax_cross_entropy", "units": units})],
                )
