"""Methods that an object has only when its parameters allow them."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

__all__ = ["available_if"]

#: Says why an object lacks the method, None when it has it.
Condition = Callable[[Any], str | None]


class _Available:
    def __init__(self, function: Callable[..., Any], why_not: Condition) -> None:
        self.function, self.why_not = function, why_not
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self.function
        reason = self.why_not(instance)
        if reason is not None:
            raise AttributeError(f"{owner.__name__} has no {self.function.__name__} {reason}")
        return MethodType(self.function, instance)


def available_if(why_not: Condition) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: ``hasattr(estimator, method)`` is whether ``why_not(estimator)`` is None, else it says why."""
    return lambda function: _Available(function, why_not)
