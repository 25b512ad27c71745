"""Controlled experiments on real digits, one for each phenomenon of training: measured, shown, and concluded from the data.

from chainrule.laboratory import run
outcome = run("vanishing")
print(outcome)
outcome.save_picture("vanishing.png")
"""

from __future__ import annotations

from typing import Any

from ..errors import UnknownNameError
from .depth import Depth
from .experiment import Claim, Experiment, Outcome, Table
from .exploding import Exploding
from .initialisation import Initialisation
from .optimizers import Optimizers
from .relu import Rectifiers
from .sparsity import Sparsity
from .stability import Stability
from .vanishing import Vanishing

__all__ = ["EXPERIMENTS", "Claim", "Experiment", "Outcome", "Table", "experiment", "run"]

#: The experiments by name, in the order in which a course meets them.
EXPERIMENTS: dict[str, type[Experiment]] = {
    kind.name: kind for kind in (Vanishing, Exploding, Rectifiers, Initialisation, Depth, Stability, Optimizers, Sparsity)
}


def experiment(name: str, *, quick: bool = False, **arguments: Any) -> Experiment:
    """The experiment of this name; arguments are those of its class. quick : fewer networks, a few seconds."""
    if name not in EXPERIMENTS:
        raise UnknownNameError("experiment", name, EXPERIMENTS)
    kind = EXPERIMENTS[name]
    known = kind.argument_names()
    for argument in arguments:
        if argument not in known:
            raise UnknownNameError(f"argument of the experiment {name!r}", argument, known)
    return kind(**{**(kind.quick if quick else {}), **arguments})


def run(name: str, *, quick: bool = False, **arguments: Any) -> Outcome:
    """Runs an experiment and returns what it measured.

    Example
        >>> outcome = run("stability", quick=True)
        >>> outcome.claims[0].holds
        True
    """
    return experiment(name, quick=quick, **arguments).run()
