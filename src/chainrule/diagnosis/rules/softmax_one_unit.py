"""A softmax over a single unit."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule


class SoftmaxOneUnit(Rule):
    """A softmax over one unit is e^z / e^z = 1 whatever z is, so its derivative is 0 and nothing is learned."""

    code, name, tier, always = "CR201", "softmax-one-unit", 2, True
    explains = ("*",)
    paper = "Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990"

    def check(self, case: Case) -> Iterable[Finding]:
        for call in case.statistics.of_role("softmax"):
            sizes = [s.calls[call.key].output for s in case.samples[:1]]
            units = sizes[0].units.shape[1] if sizes and sizes[0] is not None and sizes[0].units is not None else None
            if units is None and call is case.last_call and case.network.output_shapes:
                shape = case.output_shape
                units = shape[-1] if shape else 1
            if units == 1:
                yield self._finding(call.key, case)
        shape = case.output_shape
        own = case.loss is not None and case.loss.own_activation(1) == "softmax"
        if own and shape[-1:] == (1,) and (case.last_call is None or case.last_call.role != "softmax"):
            yield self._finding("output", case)

    def _finding(self, where: str, case: Case) -> Finding:
        regression = not case.data.classification and case.data.looks_like_classes is None
        if regression:
            change = Change("output", {"activation": "identity", "loss": "squared_error"})
        elif case.data.looks_like_classes in (None, 2):
            change = Change("output", {"activation": "identity", "loss": "binary_cross_entropy", "units": 1})
        else:
            units = case.data.looks_like_classes
            change = Change("output", {"activation": "identity", "loss": "softmax_cross_entropy", "units": units})
        return self.finding(
            "softmax over one unit",
            where=where,
            layers=() if where == "output" else (where,),
            evidence={"units": 1},
            threshold=Threshold(2, "a softmax needs at least two units", "Σ softmax(z) = 1"),
            equation="a = e^z / e^z = 1  ⇒  ∂a/∂z = a (1 − a) = 0",
            cause="The output is 1 for every sample, whatever the weights are, and its derivative is 0.",
            changes=[change],
        )
