"""Layers that no gradient reaches, or that were frozen before they learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..case import Case
from ..change import Change
from ..finding import Finding, Threshold
from ..rule import Rule
from ..statistics import CallInfo


class GradientCutOff(Rule):
    """A layer learns only if it is not frozen and a path of nonzero derivatives leads from the loss to it."""

    code, name, tier, always = "CR403", "gradient-cut-off", 4, True
    explains = ("*",)
    paper = "Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 1986"

    def check(self, case: Case) -> Iterable[Finding]:
        yield from self._frozen(case)
        yield from self._unconnected(case)

    def _frozen(self, case: Case) -> Iterable[Finding]:
        frozen = [c for c in case.statistics.calls.values() if c.name in case.network.frozen and c.parameters]
        raw = [c for c in frozen if self._untrained(case, c)]
        if not raw or len(frozen) == len([c for c in case.statistics.calls.values() if c.parameters]):
            return
        share = (
            sum(case.network.parameters.entries[p].size for c in raw for p in c.parameters) / case.network.parameters.count
        )
        yield self.finding(
            f"{', '.join(c.key for c in raw[:3])} frozen at random start weights",
            severity="error" if case.harmed else "warning",
            where=raw[0].key,
            layers=[c.key for c in raw],
            evidence={"share of the parameters that is frozen": share},
            threshold=Threshold(0, "layers that are frozen and were never trained", "Δw = 0"),
            equation=f"Δw = 0 for {100 * share:.0f} % of the parameters, which are random numbers",
            cause="The layers were frozen before they had learned anything.",
            changes=[Change("unfreeze", {"layers": tuple(dict.fromkeys(c.name for c in raw))})],
        )

    @staticmethod
    def _untrained(case: Case, call: CallInfo) -> bool:
        """Whether the weights are still those of the start: biases all exactly what a start gives them."""
        parameters = case.network.parameters
        name = case.weight(call)
        flat = [p for p in call.parameters if p != name]
        if name is None:
            return False
        if flat:
            return all(bool((parameters[p] == parameters[p].flat[0]).all()) for p in flat)
        entry = parameters.entries[name].shape
        fan_in, fan_out = int(np.prod(entry[:-1])), entry[-1]
        std = float(parameters[name].std())
        laws = (1 / fan_in, 2 / fan_in, 2 / (fan_in + fan_out))
        return any(abs(std / np.sqrt(v) - 1) < 4 / np.sqrt(parameters[name].size) for v in laws)

    def _unconnected(self, case: Case) -> Iterable[Finding]:
        if not case.window:
            return
        cut: list[str] = []
        for call in case.statistics.calls.values():
            if not call.parameters or call.name in case.network.frozen:
                continue
            here = [s.calls[call.key] for s in case.window]
            missing = all(h.incoming is None for h in here)
            if missing or self._zero_by_layer(case, call):
                cut.append(call.key)
        steps = self._steps(case)
        cut += [
            c.key
            for c in case.statistics.calls.values()
            if c.parameters and c.key not in cut and self._below(case, c, steps)
        ]
        if not cut:
            return
        yield self.finding(
            f"no gradient reaches {', '.join(cut[:3])}",
            where=cut[-1],
            layers=cut,
            evidence={"layers without a gradient": len(cut)},
            threshold=Threshold(0, "layers that the chain rule does not reach", "∂J/∂w = 0 for every sample"),
            equation="∂J/∂w = ∂J/∂z · ∂z/∂w with ∂J/∂z = 0 at every step",
            cause="The layer is not connected to the loss, or a layer above passes no gradient back.",
            changes=[Change("residual", {"layers": tuple(cut)})],
        )

    @staticmethod
    def _steps(case: Case) -> set[str]:
        """Activations whose slope is 0 for all samples and units while their output differs: a step, or a wrong derivative.

        A dead unit gives one value; a saturated one is another fault.
        """
        found = set()
        for call in case.hidden_activations:
            seen = [s.calls[call.key] for s in case.window]
            flat = [
                c.slope is not None and c.slope.zeros >= 1.0 and c.output is not None and c.output.units is not None
                and float(np.max(c.output.unit_stds)) > 1e-3 * max(c.output.rms, 1e-30)
                for c in seen
            ]  # fmt: skip
            if flat and all(flat) and not call.layer.curve().saturates:
                found.add(call.key)
        return found

    @staticmethod
    def _below(case: Case, call: CallInfo, steps: set[str]) -> bool:
        """Whether one of these activations stands between a layer and the next one with weights, on every way up."""
        if call.name in case.network.frozen or not steps:
            return False
        above = case.following(call, "activation")
        return above is not None and above.key in steps

    @staticmethod
    def _zero_by_layer(case: Case, call: CallInfo) -> bool:
        """Whether the gradient is exactly 0 and it is no activation that makes it so."""
        for sample in case.window:
            if sample.calls[call.key].incoming != 0:
                return False
        # Up the network: the first layer that is given a gradient and passes none.
        sample = case.window[-1]
        for user in case.users(call):
            at: CallInfo | None = user
            while at is not None:
                given = sample.calls[at.key].incoming
                if given is not None and given > 0:
                    return at.role not in ("activation", "softmax", "weight", "pooling", "normalisation")
                at = next(iter(case.users(at)), None)
        return False
