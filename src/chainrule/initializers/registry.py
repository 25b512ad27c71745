"""Initialisers by name, for estimators, the command line and model files."""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.errors import ParameterError, UnknownNameError
from chainrule.initializers.base import Initializer

__all__ = ["INITIALIZERS", "get"]

#: Every law by its name. A law of one's own enters itself, when its class is made.
INITIALIZERS = Initializer.registry


def get(name_or_object: str | Initializer, **config: Any) -> Initializer:
    """The initialiser of that name, made with the given arguments; an initialiser is returned as it is.

    ``get(law.name, **law.config()) == law`` for every law.

    Parameters  name_or_object : a name ("he_normal") or an Initializer ; config : the law's constructor arguments
    Raises      UnknownNameError for a name that is not known; ParameterError for anything that is no name,
                and for arguments that the law does not take, lacks or refuses

    Example
        >>> get("he_normal")
        HeNormal(negative_slope=0.0)
        >>> get("constant", value=0.5)
        Constant(value=0.5)
        >>> get("he_norml")
        Traceback (most recent call last):
        ...
        chainrule.errors.UnknownNameError: Unknown initializer 'he_norml'. Did you mean 'he_normal'? Known: ...
    """
    if isinstance(name_or_object, Initializer):
        if config:
            raise ParameterError(
                f"Arguments go with the name of an initializer. Got {name_or_object!r}, made already, "
                f"and {', '.join(config)}. Give the arguments when you make it."
            )
        return name_or_object
    if not isinstance(name_or_object, str):
        raise ParameterError(
            f"An initializer must be a name or an Initializer. Got {name_or_object!r} instead. "
            f"Names: {', '.join(sorted(INITIALIZERS))}."
        )
    if name_or_object not in INITIALIZERS:
        raise UnknownNameError("initializer", name_or_object, INITIALIZERS)
    law = INITIALIZERS[name_or_object]
    taken = {parameter.name: parameter for parameter in inspect.signature(law).parameters.values()}
    for argument in config:
        if argument not in taken:
            raise UnknownNameError(f"argument of {law.__name__}", argument, taken)
    missing = [name for name, parameter in taken.items() if parameter.default is parameter.empty and name not in config]
    if missing:
        raise ParameterError(
            f"{law.__name__} needs its {' and '.join(missing)}. Give it as get({law.name!r}, {missing[0]}=...)."
        )
    return law(**config)
