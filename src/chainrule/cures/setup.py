"""What a training is made of, as data: the network's definition, the settings of the fit, and weights that are kept."""

from __future__ import annotations

import copy
import difflib
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from ..network import Definition
from ..network.definition import Weights
from ..optimizers import Optimizer
from ..training import FitSettings

__all__ = ["Setup"]


@dataclass(frozen=True)
class Setup:
    """One way to train.

    Parameters
        definition : of the network ; fit : settings of the fit; their optimizer becomes an object that holds its learning
        rate
        weights : by layer and name, kept instead of drawn anew
        range_test : whether the learning rate is found by a range test ; integer_targets : whether y is to be cast to ints
        finite : whether samples that are not finite are left out
    """

    definition: Definition
    fit: FitSettings
    weights: Weights = field(default_factory=dict)
    range_test: bool = False
    integer_targets: bool = False
    finite: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.fit.optimizer, Optimizer) or self.fit.learning_rate is not None:
            object.__setattr__(self, "fit", self.fit.with_own_optimizer())

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer, which holds the learning rate."""
        return cast(Optimizer, self.fit.optimizer)

    def changed(self, **fit: Any) -> Setup:
        """The same with other arguments of fit."""
        return replace(self, fit=self.fit.replace(**fit))

    def with_optimizer(self, **attributes: Any) -> Setup:
        """The same with other arguments of the optimizer."""
        optimizer = copy.deepcopy(self.optimizer)
        for name, value in attributes.items():
            setattr(optimizer, name, value)
        optimizer.validate()
        return self.changed(optimizer=optimizer)

    def source(self, *, functional: bool = False) -> str:
        """The network and the fit as Python; arguments that are as fit has them are left out."""
        lines = [f"net = {line}" if i == 0 else line for i, line in enumerate(self.definition.source().split("\n"))]
        if functional or not self.definition.sequential:
            lines = self.definition.source(functional=True).split("\n")
            lines[-1] = f"net = {lines[-1]}"
        data = ["X", "y"]
        if self.finite:
            checks = (f"np.isfinite({a}).reshape(len({a}), -1).all(axis=1)" for a in data)
            lines.append(f"whole = {' & '.join(checks)}")
            data = [f"{a}[whole]" for a in data]
        data[1] += ".astype(int)" * self.integer_targets
        defaults = FitSettings.defaults()
        shown = self.fit.arguments("objective", "learning", "data", "stopping")
        arguments = [
            f"    {name}={_shown(value)},"
            for name, value in shown.items()
            if name == "optimizer" or value is not defaults[name]
        ]
        return "\n".join([*lines, "net.fit(", f"    {', '.join(data)},", *arguments, ")"])

    def patch(self, other: Setup) -> str:
        """What to change in this source to get the other's, as a unified diff without its head; "" when nothing."""
        functional = not (self.definition.sequential and other.definition.sequential)
        before, after = (s.source(functional=functional).split("\n") for s in (self, other))
        diff = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
        return "\n".join(line for line in diff if not line.startswith("@@"))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value)
