"""Methods that an object has only when its parameters allow them."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any

__all__ = ["available_if"]


class _Available:
    def __init__(self, function: Callable[..., Any], condition: Callable[[Any], bool]) -> None:
        self.function, self.condition = function, condition
        update_wrapper(self, function)

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self.function
        if not self.condition(instance):
            name = self.function.__name__
            raise AttributeError(
                f"{owner.__name__} has no {name} with loss={instance.loss!r}, which gives no probabilities. "
                f"Use a cross-entropy loss (loss=None picks one)."
            )
        return MethodType(self.function, instance)


def available_if(condition: Callable[[Any], bool]) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: ``hasattr(estimator, method)`` is whether ``condition(estimator)`` holds."""
    return lambda function: _Available(function, condition)
