"""Layers with weights and nothing nonlinear between them."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from ..statistics import CallInfo


class MissingNonlinearity(Rule):
    """A linear map of a linear map is one linear map: W² (W¹ x + b¹) + b² = W x + b. Without an activation between them two
    layers can do no more than one."""

    code, name, tier, always = "CR402", "missing-nonlinearity", 4, True
    explains = ("*",)
    paper = "Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.1"

    def check(self, case: Case) -> Iterable[Finding]:
        pairs, before, nonlinear = [], None, False
        for call in case.path:
            # Another branch of a join may hold what is nonlinear.
            linear = call.layer.linear and len(call.inputs) == 1
            if linear and call.role == "weight":
                if before is not None:
                    pairs.append((before, call))
                before = call
            elif not linear:
                nonlinear = nonlinear or call is not case.last_call
                before = None
        if not pairs:
            return
        whole = not nonlinear
        if not whole:
            # A factorised layer (depthwise and pointwise, a low-rank pair) is meant to be linear.
            pairs = [(a, b) for a, b in pairs if a.layer.stepwise and b.layer.stepwise and not self._low_rank(case, a, b)]
            if not pairs:
                return
        reference = case.data.reference
        helpful = reference is not None and reference.curved > reference.linear + 2 * reference.error
        yield self.finding(
            "no activation in the whole network"
            if whole
            else f"no activation between {pairs[0][0].key} and {pairs[0][1].key}",
            severity=("error" if case.harmed or helpful else "warning") if whole else case.severity("warning"),
            where=pairs[0][0].key,
            layers=tuple(dict.fromkeys(c.key for pair in pairs for c in pair)),
            evidence={"layers with weights": len(case.weighted), "pairs without an activation": len(pairs)},
            threshold=Threshold(
                0, "pairs of linear layers with nothing nonlinear between", "a product of matrices is a matrix"
            ),
            equation="W² (W¹ x + b¹) + b² = (W² W¹) x + (W² b¹ + b²): one linear layer",
            cause="The activations were left out, so the network can only draw straight lines.",
            changes=[Change("insert_activation", {"after": tuple(a.key for a, _ in pairs), "to": "relu"})],
        )

    @staticmethod
    def _low_rank(case: Case, a: CallInfo, b: CallInfo) -> bool:
        first, second = case.weight(a), case.weight(b)
        if first is None or second is None:
            return True
        inputs, middle = case.network.parameters.entries[first].shape[-2:]
        outputs = case.network.parameters.entries[second].shape[-1]
        return bool(middle < min(inputs, outputs))
