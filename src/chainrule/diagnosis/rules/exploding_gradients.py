"""Gradients that grow on their way back."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class ExplodingGradients(Rule):
    """The product of gains that are above 1 grows with the depth: |dz¹| is many times |dz^L|, and a step size that suits
    the last layers throws the first ones out."""

    code, name, tier, always = "CR602", "exploding-gradients", 7, True
    explains = (*POOR_RESULT, "non-finite", "dead-units", "saturated-units")
    paper = "Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, ICML 2013"

    def check(self, case: Case) -> Iterable[Finding]:
        chains = [c for c in case.chains if len(c.blocks) >= 2 and math.isfinite(c.ratio)]
        limit = 70.0
        if not chains or not case.persistent([c.ratio > limit for c in chains]):
            return
        chain = chains[-1]
        factors = " · ".join(f"{b.gain:.2g}" for b in chain.blocks[:8])
        yield self.finding(
            f"the gradient explodes: {chain.ratio:.2g} times larger in the first layer",
            severity=case.severity("error"),
            where=chain.blocks[-1].lower,
            layers=[b.lower for b in chain.blocks],
            evidence={"|dz¹| / |dz^L|": chain.ratio, "layers": len(chain.blocks)}
            | {f"share of {role}": share for role, share in chain.shares().items()},
            threshold=Threshold(
                limit, "|dz¹| / |dz^L| in most of the last steps sampled", "AutoTrainer (Zhang et al. 2021): 70"
            ),
            equation=f"|dz¹| / |dz^L| = {factors} = {chain.ratio:.2g}",
            cause=chain.sentence(),
            changes=[
                Change("initialise", {"layers": (), "law": "auto"}),
                Change("clip", {"norm": 1.0}),
                Change("normalise", {"by": "batch_norm"}),
            ],
            score=chain.ratio / limit,
        )
