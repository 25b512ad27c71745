"""What a training is made of, as data: the network's definition, the arguments of fit, and weights that are kept."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import ParameterError, UnknownNameError
from ..network import Definition
from ..network.definition import Weights
from ..optimizers import get_optimizer

__all__ = ["FIT_ARGUMENTS", "Setup", "fit_arguments"]

#: The arguments of ``Network.fit`` that say how to learn, with the defaults that ``fit`` has.
FIT_ARGUMENTS: dict[str, Any] = {
    "loss": None,
    "optimizer": "adam",
    "epochs": 20,
    "batch_size": 32,
    "shuffle": True,
    "sample_weight": None,
    "class_weight": None,
    "loss_weights": None,
    "early_stopping": None,
    "validation_split": 0.0,
}


def fit_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with defaults filled in and the optimizer as an object that holds its learning rate.

    Raises  UnknownNameError for an argument that is none of those
    """
    found = dict(FIT_ARGUMENTS)
    for name, value in given.items():
        if name not in found and name != "learning_rate":
            raise UnknownNameError("argument of fit that a cure can use", name, [*found, "learning_rate"])
        found[name] = value
    for name in ("epochs", "batch_size"):
        value = found[name]
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ParameterError(f"{name} must be an int of at least 1. Got {value!r}.")
    optimizer = copy.deepcopy(get_optimizer(found["optimizer"]))
    rate = found.pop("learning_rate", None)
    if rate is not None:
        optimizer.learning_rate = rate
    optimizer.validate()
    found["optimizer"] = optimizer
    return found


@dataclass(frozen=True)
class Setup:
    """One way to train.

    Attributes
        definition : of the network ; fit : arguments of fit ; weights : by layer and name, kept instead of drawn anew
        range_test : whether the learning rate is found by a range test ; integer_targets : whether y is to be cast to ints
        finite : whether samples that are not finite are left out
    """

    definition: Definition
    fit: dict[str, Any]
    weights: Weights = field(default_factory=dict)
    range_test: bool = False
    integer_targets: bool = False
    finite: bool = False

    def changed(self, **fit: Any) -> Setup:
        """The same with other arguments of fit."""
        return replace(self, fit={**self.fit, **fit})

    def with_optimizer(self, **attributes: Any) -> Setup:
        """The same with other arguments of the optimizer."""
        optimizer = copy.deepcopy(self.fit["optimizer"])
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
        arguments = [
            f"    {name}={_shown(value)},"
            for name, value in self.fit.items()
            if not (name != "optimizer" and value is FIT_ARGUMENTS[name])
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
