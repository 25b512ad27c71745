"""The arguments of a fit as methods take them, ``**settings``: for type checkers, for signatures and for documentation."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from ..losses import Loss
from ..metrics import Metric
from ..optimizers import Optimizer
from .callbacks import Callback, EarlyStopping
from .settings import FitSettings

__all__ = ["FitOptions", "PassOptions", "takes_settings"]

F = TypeVar("F", bound=Callable[..., Any])
Path = str | os.PathLike[str]


def takes_settings(options: type | None = None, *, last: bool = False) -> Callable[[F], F]:
    """Shows the arguments of a fit, which a method takes as ``**settings``, in its signature and its documentation.

    Parameters
        options : PassOptions, where the method takes these alone; None shows every argument that FitSettings has
        last : whether an argument that is not given is that of the last fit

    In the docstring a line ``{settings}`` stands for the text of the arguments. An argument that the method need not have
    the default of, because it may also be left as it was, is shown with the default None.
    """

    def decorate(method: F) -> F:
        own, defaults = FitSettings.__annotations__, FitSettings.defaults()
        # Annotations are texts here, in a TypedDict within a ForwardRef.
        kinds = {name: own[name] for name in FitSettings.names()} if options is None else options.__annotations__
        types = {name: str(getattr(kind, "__forward_arg__", kind)) for name, kind in kinds.items()}
        if method.__doc__:
            method.__doc__ = method.__doc__.replace("            {settings}", FitSettings.documentation(types))
        signature = inspect.signature(method)
        kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if last or types[name] != own[name] else defaults[name],
                annotation=types[name],
            )
            for name in types
        ]
        first = [p for p in kept if p.kind is not p.KEYWORD_ONLY]
        method.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*first, *made, *(p for p in kept if p.kind is p.KEYWORD_ONLY)]
        )
        return method

    return decorate


class PassOptions(TypedDict, total=False):
    """The arguments of ``Network.partial_fit`` for type checkers: those of FitSettings that say how one pass is made."""

    loss: str | Loss | Sequence[Any] | None
    optimizer: str | Optimizer | None
    learning_rate: Any
    learning_rate_factors: Mapping[str, float] | None
    batch_size: int
    shuffle: bool
    sample_weight: Any
    class_weight: Any
    loss_weights: Sequence[float] | None
    metrics: str | Metric | Iterable[str | Metric] | None
    engine: str | None
    threads: int | None
    precision: str | None


class FitOptions(TypedDict, total=False):
    """The arguments of ``Network.fit`` for type checkers alone: those of FitSettings, which a test compares with these."""

    loss: str | Loss | Sequence[Any] | None
    optimizer: str | Optimizer
    learning_rate: Any
    learning_rate_factors: Mapping[str, float] | None
    epochs: int
    batch_size: int
    validation_data: Any
    validation_split: float
    shuffle: bool
    sample_weight: Any
    class_weight: Any
    loss_weights: Sequence[float] | None
    metrics: str | Metric | Iterable[str | Metric] | None
    callbacks: Callback | Sequence[Callback]
    early_stopping: bool | int | EarlyStopping | None
    keep_features: bool | int | str
    verbose: int
    engine: str
    threads: int | None
    precision: str
    distributed: bool
    resume: Path | None
