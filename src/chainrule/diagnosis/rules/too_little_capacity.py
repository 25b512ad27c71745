"""A network too small for the task."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class TooLittleCapacity(Rule):
    """The loss has settled above what a simple model reaches, and there are few units, or fewer parameters than that model
    has effective ones: no weights of this network fit the data better."""

    code, name, tier, always = "CR706", "too-little-capacity", 6, True
    explains = ("loss-not-falling", "poor-fit", "under-training", "dead-units", "dying-units", "collapsed-units")
    paper = "Hornik, Approximation capabilities of multilayer feedforward networks, 1991"

    def check(self, case: Case) -> Iterable[Finding]:
        if not case.harmed or case.outcome.diverged:
            return
        hidden = case.passages
        narrowest = min((u for u, _ in hidden), default=0)
        linear = len(case.weighted) < 2
        reference = case.data.reference
        curved = reference is not None and reference.curved > reference.linear + 2 * reference.error
        small = narrowest <= 4 if hidden else linear and curved
        freedom = 0.0 if reference is None else reference.freedom * max(1, case.outputs_count)
        # A network that learned nothing has another fault; one that learned, and settled too high, is too small.
        few = bool(hidden) and case.settled and not case.outcome.failed and case.network.parameters.count < freedom
        if not small and not few:
            return
        layers = tuple(c.key for u, c in hidden if u <= max(4, narrowest))
        yield self.finding(
            "a linear model cannot fit this data" if linear else f"{narrowest} unit(s) in {layers[0]} are too few",
            severity="error" if small else "warning",
            where=layers[0] if layers else "network",
            layers=layers,
            evidence={
                "units of the narrowest hidden layer": narrowest,
                "parameters": case.network.parameters.count,
                "effective parameters of a simple model": freedom,
                "score": case.outcome.score,
                "score of the best simple model": case.outcome.reference,
            },
            threshold=Threshold(
                4, "units of a hidden layer, of a network that fits worse than a simple model", "Hornik 1991"
            ),
            equation=f"score {case.outcome.score:.3g}, a simple model reaches {case.outcome.reference:.3g}",
            cause="The network is too small to represent the function.",
            changes=[
                Change("capacity", {"layers": layers, "factor": 16.0 if not linear else 1.0}),
                Change("epochs", {"factor": 3.0}),
            ],
            score=4 / max(1, narrowest),
        )
