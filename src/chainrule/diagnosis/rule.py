"""What a rule is: it looks at a case and yields findings. A user's own rule is a subclass with a name and ``check``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from ..registry import register
from .case import Case
from .change import Change
from .finding import Finding, Threshold

__all__ = ["POOR_RESULT", "Rule"]

#: Findings that see the result alone; any fault that keeps a network from learning may explain them.
POOR_RESULT = ("loss-not-falling", "poor-fit", "under-training", "too-little-capacity")


class Rule:
    """One kind of fault.

    A subclass states its ``code``, ``name``, ``tier`` and what it ``explains``, and yields findings from ``check(case)``. A
    rule whose class says ``always = True`` takes part in every later diagnosis; any other one in those that are given
    ``rules=[MyRule()]``.

    Attributes
        code, name : the code and the name of its findings
        tier : where the fault lies in the order of causes: 1 data, 2 output and loss, 3 scales and start weights,
            4 structure, 5 step size, batch and regularisation, 6 capacity, 7 and 8 what the chain rule shows, 9 length, 10
            the result alone. A finding of a lower tier can explain one of a higher tier
        explains : the names of the findings that may follow from this one, "*" for all
        paper : a paper that describes the fault

    Example
        >>> class TooDeep(Rule):
        ...     code, name, tier = "X001", "too-deep", 4
        ...
        ...     def check(self, case):
        ...         if len(case.weighted) > 100:
        ...             yield self.finding("more than 100 layers", evidence={"layers": len(case.weighted)})
    """

    #: Every rule that takes part in each diagnosis, in the order of definition.
    registry: ClassVar[dict[str, type[Rule]]] = {}
    code: ClassVar[str] = ""
    name: ClassVar[str] = ""
    tier: ClassVar[int] = 5
    explains: ClassVar[tuple[str, ...]] = ()
    paper: ClassVar[str] = ""
    always: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.always:
            register(Rule.registry, cls)

    def check(self, case: Case) -> Iterable[Finding]:
        """The findings of this rule; nothing when all is well."""
        raise NotImplementedError

    def finding(
        self,
        title: str,
        *,
        severity: str = "error",
        where: str = "network",
        layers: Iterable[str] = (),
        evidence: dict[str, float] | None = None,
        threshold: Threshold | None = None,
        equation: str = "",
        cause: str = "",
        explanation: str = "",
        changes: Iterable[Change] = (),
        score: float = 1.0,
    ) -> Finding:
        """A Finding with the code, the name and the paper of this rule."""
        return Finding(
            self.code, self.name, title, severity, where, tuple(layers),
            {k: float(v) for k, v in (evidence or {}).items()}, threshold, equation, cause,
            explanation or (type(self).__doc__ or "").split("\n\n")[0].strip(), self.paper, tuple(changes), float(score),
        )  # fmt: skip
