"""Gradients that vanish on their way back."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Case
from ..chain import chain_of
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import POOR_RESULT, Rule


class VanishingGradients(Rule):
    """By the chain rule |dz¹| is |dz^L| times the product of all gains |dz^l| / |dz^(l+1)|, each a factor of the weights Wᵀ
    and one of σ'(z). A logistic σ' is 0.25 at most: ten layers leave a millionth."""

    code, name, tier, always = "CR601", "vanishing-gradients", 7, True
    explains = (*POOR_RESULT, "bottleneck", "collapsed-units")
    paper = "Hochreiter 1991; Bengio, Simard and Frasconi 1994; Glorot and Bengio, AISTATS 2010"

    def check(self, case: Case) -> Iterable[Finding]:
        chains = [c for c in case.chains if len(c.blocks) >= 2]
        ratios = [c.ratio for c in chains]
        known = [r for r in ratios if r == r]
        if not known:
            return
        severe, clear = 1e-3, 1e-2
        limit = clear if case.outcome.failed else severe
        lasts = case.lasting(lambda s: chain_of(case.statistics, s.step).ratio < limit)
        if not case.persistent([r < limit for r in known]) and not lasts:
            return
        chain = chains[-1]
        if chain.ratio == 0 and any(share >= 0.999 for share in case.statistics.dead_units().values()):
            return  # dead units say it better
        shares, slope = chain.shares(), chain.mean_slope()
        by_slope = shares.get("activation", 0.0) >= shares.get("weight", 0.0)
        bounded = [c for c in case.hidden_activations if c.layer.curve().saturates]
        changes = []
        if bounded:
            changes.append(Change("activation", {"layers": tuple(c.key for c in bounded), "to": "relu"}))
        changes += [
            Change("normalise", {"by": "batch_norm"}),
            Change("residual", {"layers": ()}),
            Change("initialise", {"layers": (), "law": "auto"}),
        ]
        factors = " · ".join(f"{b.gain:.2g}" for b in chain.blocks[:8])
        yield self.finding(
            f"the gradient vanishes: {1 / chain.ratio:.2g} times smaller in the first layer"
            if chain.ratio
            else "the gradient is 0 in the first layer",
            severity=case.severity("error"),
            where=chain.blocks[-1].lower,
            layers=[b.lower for b in chain.blocks],
            evidence={
                "|dz¹| / |dz^L|": chain.ratio,
                "mean σ'(z)": 1.0 if slope is None else slope,
                "layers": len(chain.blocks),
            }
            | {f"share of {role}": share for role, share in shares.items()},
            threshold=Threshold(
                limit, "|dz¹| / |dz^L| in most of the last steps sampled", "AutoTrainer (Zhang et al. 2021): 1e-3"
            ),
            equation=f"|dz¹| / |dz^L| = {factors} = {chain.ratio:.2g}",
            cause=chain.sentence() + (" The cause is σ'." if by_slope and shares else ""),
            changes=changes,
            score=limit / max(chain.ratio, 1e-30),
        )
