"""Changes carried out on a setup, in an order in which none undoes another. A change that does not apply says why."""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnosis import Change
from ..errors import ChainruleError
from .changes import CARRIED_OUT, Context, NotApplicable
from .setup import Setup

__all__ = ["ORDER", "Context", "NotApplicable", "apply", "in_order"]

#: Kinds of change in the order in which they are carried out together: the structure first, and the learning rate last,
#: since it depends on all else.
ORDER = (
    "unfreeze", "output", "recurrent", "activation", "insert_activation", "capacity", "normalise", "residual", "dropout",
    "scale_inputs", "scale_targets", "initialise", "recurrent_init", "forget_bias", "revive", "shuffle", "class_weight",
    "batch_size", "epochs", "early_stopping", "optimizer", "weight_decay", "clip", "learning_rate", "leave_out", "data",
)  # fmt: skip


def apply(setup: Setup, changes: Iterable[Change], context: Context) -> Setup:
    """The setup with all changes.

    Raises  NotApplicable when one of them cannot be made
    """
    for change in in_order(changes):
        try:
            setup = CARRIED_OUT[change.kind](setup, change, context)
        except NotApplicable:
            raise
        except ChainruleError as error:
            raise NotApplicable(f"{change}: {error}") from error
    return setup


def in_order(changes: Iterable[Change]) -> list[Change]:
    """The changes in the order in which they are carried out."""
    return sorted(changes, key=lambda change: ORDER.index(change.kind))
