"""An output activation that does not fit the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ...layers import Curve
from ...losses import Loss
from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from ..statistics import CallInfo


class OutputActivation(Rule):
    """A cross-entropy on logits puts its own softmax or sigmoid on them: an activation before it bounds or cuts the logits,
    so that some probabilities cannot be reached and the gradient passes one more σ'. A cross-entropy of probabilities needs
    an output that makes probabilities."""

    code, name, tier, always = "CR202", "output-activation", 2, True
    explains = ("*",)
    paper = "Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2"

    def check(self, case: Case) -> Iterable[Finding]:
        call, loss = case.last_call, case.loss
        if call is None or loss is None:
            return
        if case.output_shape[-1:] == (1,) and call.role == "softmax":
            return  # a softmax of one unit is another fault
        bent = call.role in ("activation", "softmax")
        if loss.reads_logits:
            if bent:
                yield from self._bounded(case, call, loss)
        elif loss.reads_probabilities:
            made = call.layer.probabilities if bent else None
            if made not in (loss.kind, "exclusive"):  # exclusive probabilities are probabilities of each class, too
                yield self._unbounded(case, call, loss.name)
            elif made != loss.kind and self._several(case):
                yield self._shared(case, call.key)

    @staticmethod
    def _several(case: Case) -> bool:
        """Whether some samples have no, or more than one, answer that is yes."""
        y = case.data.target
        return y.ndim > 1 and bool((np.abs(y.sum(axis=-1) - 1) > 1e-3).any())

    def _shared(self, case: Case, key: str) -> Finding:
        yes = np.asarray(case.data.target, np.float64).sum(axis=-1)
        least = float(np.where(yes > 1, yes * np.log(np.maximum(yes, 1)), 0.0).mean())
        return self.finding(
            "softmax on answers that do not exclude each other",
            where=key,
            layers=(key,),
            evidence={"yes a sample, at most": yes.max(), "at least": yes.min(), "least mean loss, in nats": least},
            threshold=Threshold(1, "yes a sample", "Σ softmax(z) = 1"),
            equation="Σₖ pₖ = 1: of two answers that are yes one has p ≤ 1/2, and where all are no some pₖ is ≥ 1 / K",
            cause="Softmax divides one probability among the outputs; yes-or-no answers need a sigmoid each.",
            changes=[Change("output", {"activation": "identity", "loss": "binary_cross_entropy"})],
        )

    def _bounded(self, case: Case, call: CallInfo, loss: Loss) -> Iterable[Finding]:
        classes = case.output_shape[-1] if case.output_shape else 1
        own = loss.own_activation(classes)
        applies = f" and applies its own {own}" if own else ""
        curve, activation, made = call.layer.curve(), call.layer.kind(), call.layer.probabilities
        least, equation = _floor(curve, activation, own, classes)
        if curve.high == math.inf and curve.low <= -1:
            severity = case.severity("warning")  # unbounded upwards, and hardly bounded below
        elif not loss.probabilities:
            severity = case.severity("error", "warning")
        else:
            severity = "error"
        if made == "log" and own == "softmax":
            return  # softmax of log-probabilities is the probabilities again: exact, if wasteful
        yield self.finding(
            f"{activation} before {loss.name}" + (", which applies its own" if made and own else ""),
            severity=severity,
            where=call.key,
            layers=(call.key,),
            evidence={**least, "classes": classes},
            threshold=Threshold(0.0, "the loss of a sample must be able to reach 0", "range of the activation"),
            equation=equation,
            cause=f"The loss {loss.name} expects numbers without bounds{applies}; it is given the output of {activation}.",
            changes=[Change("output", {"activation": "identity", "loss": loss.name})],
        )

    def _unbounded(self, case: Case, call: CallInfo, loss: str) -> Finding:
        shown = "a linear layer" if call.layer.linear else call.layer.kind()
        return self.finding(
            f"{loss} of probabilities on the output of {shown}",
            where=call.key,
            layers=(call.key,),
            evidence={}
            if case.outputs is None
            else {"least output": case.outputs.min(), "largest output": case.outputs.max()},
            threshold=Threshold(0.0, "probabilities lie in [0, 1] and sum to 1", "definition of a probability"),
            equation="ℓ = −log h with h outside of (0, 1]: cut off, with gradient 0",
            cause=f"The loss takes the outputs for probabilities (from_probabilities=True); {shown} does not make any.",
            changes=[Change("output", {"activation": "identity", "loss": loss})],
        )


def _floor(curve: Curve, activation: str, own: str | None, classes: int) -> tuple[dict[str, float], str]:
    """The least loss of a sample whose logits are within the range of the activation, where it is known, and an equation."""
    low, high = curve.low, curve.high
    if own not in ("softmax", "sigmoid"):
        return {}, f"{low:g} ≤ z = {activation}(·) ≤ {high:g}"
    name = "least loss that a sample can have, in nats"
    if own == "softmax":
        spread = high - low
        floor = math.log1p((classes - 1) * math.exp(-spread)) if math.isfinite(spread) else 0.0
        if math.isfinite(spread):
            return {name: floor}, f"ℓ ≥ log(1 + (K − 1) e^−({high:g} − {low:g})) = {floor:.3g} nats with K = {classes}"
        return {name: floor}, f"z = {activation}(·) ≥ {low:.3g}: where it is {low:.3g} for all classes, its derivative is 0"
    # One yes-or-no output: "no" needs z → −∞, "yes" z → +∞.
    no = math.log1p(math.exp(low)) if low > -math.inf else 0.0
    yes = math.log1p(math.exp(-high)) if high < math.inf else 0.0
    worst, chance = max(no, yes), 1 / (1 + math.exp(-low)) if low > -math.inf else 0
    return {name: worst}, f'σ({low:g}) = {chance:.3g} ≤ p: a "no" costs ≥ {no:.3g} nats'
