"""Classes of which one drowns the others."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class ImbalancedClasses(Rule):
    """When one class has almost all samples, always answering it has a small loss, and the gradient of the rare classes
    drowns."""

    code, name, tier, always = "CR702", "imbalanced-classes", 8, True
    explains = POOR_RESULT
    paper = "He and Garcia, Learning from imbalanced data, IEEE TKDE 2009"

    def check(self, case: Case) -> Iterable[Finding]:
        counts = case.data.class_counts
        if counts is None or len(counts) < 2 or case.data.samples < 40:
            return
        limit = 10.0
        ratio = float(counts.max() / counts.min())
        if ratio < limit:
            return
        recall = case.rarest_recall()
        area, error = case.data.rare_separation
        # Rare samples that the inputs do not tell from others cannot be found by any network.
        bad = recall == recall and recall < 0.5 and area > 0.5 + 2 * error
        yield self.finding(
            f"the largest class has {ratio:.3g} times as many samples as the smallest",
            severity=case.severity("error", "warning") if bad else "note",
            where="targets",
            evidence={"largest class": counts.max(), "smallest class": counts.min(), "ratio": ratio}
            | ({"recall of the rarest class": recall} if recall == recall else {})
            | ({"of a simple model, area under its curve": area} if error else {}),
            threshold=Threshold(limit, "ratio of class sizes", "SageMaker Debugger, ClassImbalance; He and Garcia 2009"),
            equation=f"always the largest class is right in {100 * counts.max() / counts.sum():.1f} % of the samples",
            cause="The rare classes hardly count in the mean loss.",
            changes=[Change("class_weight", {"value": "balanced"})],
            score=ratio / limit,
        )
