"""Objects as plain data: the arguments of a constructor, and back through a registry of known classes.

    to_config(obj)                      {"class": "Adam", "args": {"learning_rate": 0.001, ...}}, ready for JSON
    from_config(config, *registries)    the object again; only classes in the registries can be made, no code is run by name
    named(kind, name, registry)         the class of a name that a user gave
    identity(value)                     a key that tells values apart, for what is kept under them

Works on every class whose constructor stores its arguments under the same names. ``Configurable`` gives such a class its
configuration, comparison by value, representation and the checks of its arguments.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Hashable, Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from .constraints import Constrained
from .errors import ModelFileError, ParameterError, UnknownNameError, did_you_mean

__all__ = ["Configurable", "from_config", "identity", "named", "register", "to_config"]


Entry = TypeVar("Entry")


class Configurable(Constrained):
    """Base of objects that are what their constructor was given: equal when the class and the arguments are.

    Example
        >>> class Scale(Configurable):
        ...     def __init__(self, factor=1.0):
        ...         self.factor = factor
        >>> Scale(2.0)
        Scale(2.0)
        >>> Scale(2.0) == Scale(2.0), Scale(2.0).config()
        (True, {'factor': 2.0})
    """

    @classmethod
    def _signature(cls) -> dict[str, inspect.Parameter]:
        """The constructor's arguments; those that it passes on as ``**common`` are taken from the base's constructor."""
        found: dict[str, inspect.Parameter] = {}
        for owner in cls.__mro__:
            if "__init__" not in vars(owner) or owner is object:
                continue
            parameters = list(inspect.signature(vars(owner)["__init__"]).parameters.values())[1:]
            for p in parameters:
                if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                    found.setdefault(p.name, p)
            if not any(p.kind == p.VAR_KEYWORD for p in parameters):
                break
        return found

    @classmethod
    def argument_names(cls) -> list[str]:
        """Names of the constructor's arguments."""
        return list(cls._signature())

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given."""
        return {name: getattr(self, name) for name in self.argument_names()}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Configurable)
        return bool(_comparable(self.config()) == _comparable(other.config()))

    def __hash__(self) -> int:
        # The arguments may be changed after construction, so the hash may not depend on them.
        return hash(type(self))

    def __repr__(self) -> str:
        signature, shown = self._signature(), []
        for i, (key, value) in enumerate(self.config().items()):
            parameter = signature[key]
            if parameter.default is parameter.empty or _comparable(value) != _comparable(parameter.default):
                positional = i == 0 and parameter.kind != parameter.KEYWORD_ONLY
                shown.append(repr(value) if positional else f"{key}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _comparable(value: Any) -> Any:
    """The value with sequences as lists and arrays unpacked, so that == is a bool and a round trip through JSON is equal."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_comparable(v) for v in value]
    if isinstance(value, Mapping):
        return {key: _comparable(v) for key, v in value.items()}
    return value


class _Same:
    """A key of an object that can be compared by identity only. It keeps the object, so that its id is not given away."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def identity(value: Any) -> Hashable:
    """A key that two values share exactly when they are the same, for what is computed once and then used again.

    A representation is for readers and leaves things out (the middle of a long array, the entries of a sparse matrix), so
    two values may look alike. Here arrays are compared by type, shape and content, sequences and mappings by their entries,
    objects of ``Configurable`` and dataclasses by class and arguments, numbers by type and bits (0.0 is not −0.0, NaN is
    itself), and whatever else can be hashed as itself; an object that cannot be hashed is the same as itself only.

    Example
        >>> long = np.zeros(2000)
        >>> other = np.where(np.arange(2000) == 1000, 1.0, 0.0)
        >>> repr(long) == repr(other), identity(long) == identity(other), identity([long]) == identity([np.zeros(2000)])
        (True, False, True)
    """
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind is float:
        return kind, value.hex()
    if kind is tuple or kind is list:
        return kind, tuple([identity(entry) for entry in value])
    if kind is dict:
        return kind, frozenset(
            [(key if type(key) is str else identity(key), identity(entry)) for key, entry in value.items()]
        )
    return _identity_of_others(value)


#: Types whose equal values are the same; what follows is common in plans, so it is decided by few comparisons.
_PLAIN = frozenset({type(None), bool, int, str, bytes})


def _identity_of_others(value: Any) -> Hashable:
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.hasobject:
            return type(value), value.shape, identity(value.tolist())
        content = np.ascontiguousarray(value).tobytes()
        return type(value), value.dtype.str, value.shape, hashlib.sha256(content).digest()
    if isinstance(value, (list, tuple)):
        return type(value), tuple([identity(entry) for entry in value])
    if isinstance(value, Set):
        return type(value), frozenset(map(identity, value))
    if isinstance(value, Mapping):
        return type(value), frozenset((identity(key), identity(entry)) for key, entry in value.items())
    if isinstance(value, Configurable):
        return type(value), identity(value.config())
    if is_dataclass(value) and not isinstance(value, type) and type(value).__eq__ is not object.__eq__:
        return type(value), tuple(identity(getattr(value, f.name)) for f in fields(value) if f.compare)
    try:
        hash(value)
    except TypeError:
        return _Same(value)
    return type(value), value


def to_config(obj: Any) -> dict[str, Any]:
    """The class's name and the constructor's arguments, ready for JSON; arguments may be such objects themselves.

    Parameters  obj : has ``config()``, the constructor's arguments as a dict
    Raises      ParameterError when an argument cannot be written as data (a function, an object without ``config``)
    """
    where = type(obj).__name__
    return {"class": where, "args": {key: _encode(value, f"{where}.{key}") for key, value in obj.config().items()}}


def _encode(value: Any, where: str) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_encode(v, where) for v in value]
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise ParameterError(f"{where} cannot be saved: the keys of a dict must be text. Got {list(value)!r}.")
        if set(value) == {"class", "args"}:
            raise ParameterError(f"{where} cannot be saved: a dict with the keys 'class' and 'args' means an object.")
        return {key: _encode(v, where) for key, v in value.items()}
    if callable(getattr(value, "config", None)) and not isinstance(value, type):
        return to_config(value)
    raise ParameterError(
        f"{where} cannot be saved: expected numbers, text, lists, or an object of chainrule. Got {value!r}. "
        "For a learning rate of your own write a subclass of Schedule instead of a function."
    )


def register(registry: dict[str, type], cls: type) -> None:
    """Enters a class into a registry of names, from the base's ``__init_subclass__``.

    The key is the ``name`` that the class states itself. A class that only inherits a name, as a user's subclass of ``Adam``
    does, is entered under the name of the class: it does not take the place of its base, and a saved model finds it.
    A class without any name is a base and is not entered.

    Example
        >>> known = {}
        >>> class Adam:
        ...     name = "adam"
        >>> class Mine(Adam):
        ...     pass
        >>> register(known, Adam), register(known, Mine)
        (None, None)
        >>> sorted(known)
        ['Mine', 'adam']
    """
    own = vars(cls).get("name")
    if own or (own is None and getattr(cls, "name", "")):
        registry[own or cls.__name__] = cls


def named(
    kind: str, name: str, registry: Mapping[str, type[Entry]], aliases: Mapping[str, str] | None = None
) -> type[Entry]:
    """The class of this name, or of another name of it, in capital or small letters.

    Parameters  kind : what the names are of, for the error ; aliases : other names, and the names in the registry they mean
    Raises      UnknownNameError, with the names

    Example
        >>> class Adam:
        ...     pass
        >>> named("optimizer", "ADAM", {"adam": Adam}) is named("optimizer", "adam", {"adam": Adam}) is Adam
        True
    """
    aliases = {} if aliases is None else aliases
    small = name.lower()
    for key in (name, aliases.get(small, small)):
        if key in registry:
            return registry[key]
    for key, cls in registry.items():  # a class of a user's, under the name of the class
        if key.lower() == small:
            return cls
    raise UnknownNameError(kind, name, [*registry, *aliases])


def from_config(config: Any, *registries: Mapping[str, type]) -> Any:
    """The object that ``to_config`` described.

    Parameters  config : {"class": name, "args": {...}} ; registries : mappings whose values are the classes that may be made
    Raises      ModelFileError when the config is malformed, names an unknown class, or has arguments the class refuses

    Example
        >>> class Scale(Configurable):
        ...     def __init__(self, factor=1.0):
        ...         self.factor = factor
        >>> from_config({"class": "Scale", "args": {"factor": 3.0}}, {"scale": Scale})
        Scale(3.0)
    """
    if not _is_config(config):
        raise ModelFileError(f'Expected an object as {{"class": name, "args": {{...}}}}. Got {config!r:.200}.')
    known = {cls.__name__: cls for registry in registries for cls in registry.values()}
    name = config["class"]
    if name not in known:
        raise ModelFileError(
            f"Unknown class {name!r}.{did_you_mean(name, known)} If it is your own, import its module before loading. "
            f"Known: {', '.join(sorted(known))}."
        )
    arguments = {key: _decode(value, registries) for key, value in config["args"].items()}
    try:
        made = known[name](**arguments)
        # Constructors only store, so a damaged number would be seen far from here.
        if isinstance(made, Constrained):
            made.validate()
        return made
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"The class {name} refuses the arguments {config['args']!r:.200}: {error}") from error


def _is_config(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and set(value) == {"class", "args"}
        and isinstance(value["class"], str)
        and isinstance(value["args"], Mapping)
        and all(isinstance(key, str) for key in value["args"])
    )


def _decode(value: Any, registries: tuple[Mapping[str, type], ...]) -> Any:
    if _is_config(value):
        return from_config(value, *registries)
    if isinstance(value, list):
        return [_decode(v, registries) for v in value]
    if isinstance(value, Mapping):
        return {key: _decode(v, registries) for key, v in value.items()}
    return value
