"""How a cure is searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..constraints import Accepted, Anything, Boolean, Constraint, Instance, Interval, Maybe, OneOf
from ..diagnosis import Change, Diagnosis
from ..metrics import Metric, get_metric

__all__ = ["CureOptions"]


def _checked(constraint: Constraint) -> dict[str, Constraint]:
    return {"constraint": constraint}


@dataclass(frozen=True, eq=False, kw_only=True)
class CureOptions:
    """The arguments of ``Network.cure`` that are none of the training, checked; ``Network.cure`` describes them.

    Raises      ParameterError for a value out of its range
    """

    time_budget: float = field(default=60.0, metadata=_checked(Interval(float, 0, closed="neither")))
    seeds: int = field(default=3, metadata=_checked(Interval(int, 2, hint="The spread between the seeds decides.")))
    validation_data: Any = field(default=None, metadata=_checked(Anything()))
    validation_split: float = field(default=0.25, metadata=_checked(Interval(float, 0, 1, closed="neither")))
    metric: str | Metric | None = field(default=None, metadata=_checked(Maybe(Accepted(get_metric, "a metric or its name"))))
    diagnosis: Diagnosis | None = field(default=None, metadata=_checked(Maybe(Instance(Diagnosis))))
    changes: Sequence[Change] | None = field(default=None, metadata=_checked(Anything()))
    start: str = field(default="auto", metadata=_checked(OneOf("auto", "fresh", "own")))
    in_place: bool = field(default=False, metadata=_checked(Boolean()))
    refit: bool = field(default=True, metadata=_checked(Boolean()))
    verbose: int = field(default=1, metadata=_checked(OneOf(0, 1, 2)))

    @classmethod
    def taken_from(cls, settings: dict[str, Any], **given: Any) -> CureOptions:
        """The options with these values; what of the arguments of a fit is about a cure is taken out of ``settings``.

        What is held out of the trials, and what is shown, says nothing about the fits.
        """
        names = ("validation_data", "validation_split", "verbose")
        return cls(**given, **{name: settings.pop(name) for name in names if name in settings})

    def __post_init__(self) -> None:
        if not self.validation_split:
            object.__setattr__(self, "validation_split", type(self).validation_split)
        for one in fields(self):
            value = one.metadata["constraint"].check("cure", one.name, getattr(self, one.name))
            object.__setattr__(self, one.name, value)
