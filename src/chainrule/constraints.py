"""What a hyperparameter may be, stated as data: each constraint checks a value, and says in words what it asks for.

    Interval(int, 1)                    an int of at least 1
    Interval(float, 0, 1)               a number from 0 to below 1
    POSITIVE                            a finite number above 0
    Boolean()                           True or False
    OneOf("float32", "bfloat16")        one of these values
    Instance(Loss)                      an object of this class
    Accepted(get_loss, "a loss ...")    what a function accepts
    EachOf(Interval(int, 1))            a list of such values
    OneOrMore(Interval(int, 1))         one such value, or a list of them
    DictOf(Interval(int, 1))            a dict from names to such values
    Maybe(...)                          None, or what the inner constraint asks for
    AnyOf(..., ...)                     what one of several constraints asks for
    Anything()                          every value, because something else checks it

Every refusal has one form: "epochs must be an int of at least 1. Got 0.", after the owner's name where there is one. So the
arguments of a layer, an optimizer, a fit, an estimator, a task and of the command are refused in the same words. Layers,
losses, optimizers and all others whose constructors take numbers are ``Constrained``: each class states its arguments once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sized
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .errors import ParameterError, did_you_mean

__all__ = [
    "POSITIVE",
    "Accepted",
    "AnyOf",
    "Anything",
    "Boolean",
    "Constrained",
    "Constraint",
    "DictOf",
    "EachOf",
    "Instance",
    "Interval",
    "Maybe",
    "OneOf",
    "OneOrMore",
    "check_all",
]


class Constraint:
    """Base of all constraints.

    A subclass says in ``parts`` what a value must be, and in ``holds`` whether one is.

    Attributes  hint : a sentence for a refused value that says what to do instead; "" for none
    """

    hint: str = ""

    @property
    def parts(self) -> list[str]:
        """What a value must be, as alternatives of which one must hold."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What a value must be, as the end of "the argument must be ..."."""
        return _listed(self.parts)

    def holds(self, value: Any) -> bool:
        """Whether the value is allowed."""
        raise NotImplementedError

    def plain(self, value: Any) -> Any:
        """An allowed value as a plain Python object: NumPy's integers become int, since they would get into shapes."""
        return value

    def check(self, owner: str, name: str, value: Any) -> Any:
        """The value, plain.

        Parameters  owner : of the argument, such as "NeuralClassifier", or "" where the name says enough
        Raises      ParameterError when the constraint does not hold

        Example
            >>> Interval(int, 1).check("", "epochs", 0)
            Traceback (most recent call last):
            chainrule.errors.ParameterError: epochs must be an int of at least 1. Got 0.
        """
        if self.holds(value):
            return self.plain(value)
        where = f"{owner}: {name}" if owner else name
        hint = self.explain(value)
        raise ParameterError(f"{where} must be {self.words}. Got {value!r:.200}.{f' {hint}' if hint else ''}")

    def explain(self, value: Any) -> str:
        """What the error says after the value that came: by default the hint."""
        return self.hint

    def __repr__(self) -> str:
        return f"<{self.words}>"


class Interval(Constraint):
    """A finite number between two bounds.

    Parameters
        kind : int, or float for any real number ; low, high : the bounds, None for none
        closed : which bounds are allowed themselves: "left", "right", "both" or "neither"
        hint : see Constraint

    Booleans are no numbers here, and neither NaN nor an infinite number lies in any interval.

    Example
        >>> Interval(float, 0, 1).words, Interval(float, 0, None, closed="neither").words
        ('a number from 0 to below 1', 'a finite number above 0')
    """

    def __init__(
        self,
        kind: type[int] | type[float],
        low: float | None = None,
        high: float | None = None,
        *,
        closed: str = "left",
        hint: str = "",
    ) -> None:
        if closed not in ("left", "right", "both", "neither"):
            raise ParameterError(f'Interval: closed must be "left", "right", "both" or "neither". Got {closed!r}.')
        self.kind, self.low, self.high, self.hint = kind, low, high, hint
        self.with_low, self.with_high = closed in ("left", "both"), closed in ("right", "both")

    @property
    def parts(self) -> list[str]:
        return [self._range()]

    def _range(self) -> str:
        of = "an int" if self.kind is int else "a number" if self.high is not None else "a finite number"
        low = None if self.low is None else f"{self.low:g}"
        high = None if self.high is None else f"{self.high:g}"
        if low is None:
            return of if high is None else f"{of} of at most {high}" if self.with_high else f"{of} below {high}"
        if high is None:
            return f"{of} of at least {low}" if self.with_low else f"{of} above {low}"
        if self.with_low:
            return f"{of} from {low} to {'' if self.with_high else 'below '}{high}"
        return f"{of} above {low} and {'at most' if self.with_high else 'below'} {high}"

    def holds(self, value: Any) -> bool:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral if self.kind is int else Real):
            return False
        return (self.kind is int or _is_finite(value)) and self._contains(value)

    def _contains(self, value: Any) -> bool:
        above = self.low is None or value > self.low or (self.with_low and value == self.low)
        below = self.high is None or value < self.high or (self.with_high and value == self.high)
        return bool(above and below)

    def plain(self, value: Any) -> Any:
        return int(value) if self.kind is int else value


#: A finite number above 0, such as a learning rate.
POSITIVE = Interval(float, 0, closed="neither")


class Boolean(Constraint):
    """True or False, of Python or of NumPy."""

    @property
    def parts(self) -> list[str]:
        return ["True", "False"]

    def holds(self, value: Any) -> bool:
        return isinstance(value, (bool, np.bool_))

    def plain(self, value: Any) -> Any:
        return bool(value)


class OneOf(Constraint):
    """One of these values: texts, numbers or None. Parameters  values : at least one ; hint : see Constraint

    Example
        >>> OneOf(0, 1, 2).words
        '0, 1 or 2'
    """

    def __init__(self, *values: str | int | float | None, hint: str = "") -> None:
        self.values, self.hint = values, hint

    @property
    def parts(self) -> list[str]:
        return [_quoted(value) for value in self.values]

    def holds(self, value: Any) -> bool:
        plain = value is None or isinstance(value, (str, Real, np.bool_))
        return plain and any(value is one or value == one for one in self.values)

    def explain(self, value: Any) -> str:
        texts = [one for one in self.values if isinstance(one, str)]
        return self.hint or (did_you_mean(value, texts).strip() if isinstance(value, str) else "")


class Instance(Constraint):
    """An object of one of these classes.

    Parameters  kinds : the classes ; words : what they are called, by default "a Loss or an Optimizer" after their names

    The arguments of an object that is ``Constrained`` are checked as well.
    """

    def __init__(self, *kinds: Any, words: str | None = None, hint: str = "") -> None:
        self.kinds, self.hint = kinds, hint
        self._words = [words] if words else [_with_article(kind.__name__) for kind in kinds]

    @property
    def parts(self) -> list[str]:
        return self._words

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.kinds)

    def check(self, owner: str, name: str, value: Any) -> Any:
        value = super().check(owner, name, value)
        if isinstance(value, Constrained):
            value.validate()
        return value


class Accepted(Constraint):
    """What a function takes without an error: names of a registry, and objects that look after themselves.

    Parameters
        function : raises an error of chainrule, which says what is wrong, for a value that is not allowed
        words : what a value must be

    Example
        >>> from chainrule.losses import get_loss
        >>> Accepted(get_loss, "a loss or its name").holds("squared_eror")
        False
    """

    def __init__(self, function: Callable[[Any], object], words: str) -> None:
        self.function, self._words = function, words

    @property
    def parts(self) -> list[str]:
        return [self._words]

    def holds(self, value: Any) -> bool:
        try:
            self.function(value)
        except ParameterError:
            return False
        return True

    def check(self, owner: str, name: str, value: Any) -> Any:
        self.function(value)
        return value


class EachOf(Constraint):
    """A list or another sequence (but no text) whose entries all meet one constraint.

    Parameters
        inner : of each entry ; fewest : entries at least ; count : entries exactly, in place of fewest
        rising : whether each entry must be above the one before ; hint : see Constraint

    Example
        >>> EachOf(Interval(int, 1), fewest=1).words
        'a list of at least 1 value, each an int of at least 1'
        >>> EachOf(Interval(float), count=2, rising=True).words
        'a list of 2 rising values, each a finite number'
    """

    def __init__(
        self, inner: Constraint, *, fewest: int = 0, count: int | None = None, rising: bool = False, hint: str = ""
    ) -> None:
        self.inner, self.fewest, self.count, self.rising, self.hint = inner, fewest, count, rising, hint

    @property
    def parts(self) -> list[str]:
        some = f"at least {self.fewest} " if self.fewest else "" if self.count is None else f"{self.count} "
        many = "values" if 1 not in (self.fewest, self.count) else "value"
        return [f"a list of {some}{'rising ' * self.rising}{many}, each {self.inner.words}"]

    def holds(self, value: Any) -> bool:
        if not self._has_length(value) or not all(self.inner.holds(one) for one in value):
            return False
        return not (self.rising and any(not a < b for a, b in pairwise(value)))

    def _has_length(self, value: Any) -> bool:
        return _is_list(value) and (len(value) >= self.fewest if self.count is None else len(value) == self.count)

    def check(self, owner: str, name: str, value: Any) -> Any:
        if self._has_length(value):
            value = _check_entries(self.inner, owner, name, value)
        return super().check(owner, name, value)

    def plain(self, value: Any) -> Any:
        return [self.inner.plain(one) for one in value]


class OneOrMore(Constraint):
    """One value that meets a constraint, or a list of such values.

    Parameters
        inner : of each value ; count : how many values a list has, None for any number from 1 ; hint : see Constraint

    Example
        >>> OneOrMore(Interval(int, 1), count=2).words
        'an int of at least 1 or a list of 2 of them'
    """

    def __init__(self, inner: Constraint, *, count: int | None = None, hint: str = "") -> None:
        self.inner, self.count, self.hint = inner, count, hint

    @property
    def parts(self) -> list[str]:
        return [*self.inner.parts, f"a list of {'' if self.count is None else f'{self.count} of '}them"]

    def holds(self, value: Any) -> bool:
        if not _is_list(value):
            return self.inner.holds(value)
        return self._has_length(value) and all(self.inner.holds(one) for one in value)

    def _has_length(self, value: Any) -> bool:
        return _is_list(value) and (len(value) >= 1 if self.count is None else len(value) == self.count)

    def check(self, owner: str, name: str, value: Any) -> Any:
        if self._has_length(value):
            return _check_entries(self.inner, owner, name, value)
        return super().check(owner, name, value)

    def plain(self, value: Any) -> Any:
        return [self.inner.plain(one) for one in value] if _is_list(value) else self.inner.plain(value)


class DictOf(Constraint):
    """A dict whose keys are names and whose values all meet one constraint.

    Parameters  inner : of each value ; keys : what the names are of ; hint : see Constraint

    Example
        >>> DictOf(Interval(int, 1), keys="names of columns").words
        'a dict from names of columns to values, each an int of at least 1'
    """

    def __init__(self, inner: Constraint, *, keys: str = "names", hint: str = "") -> None:
        self.inner, self.keys, self.hint = inner, keys, hint

    @property
    def parts(self) -> list[str]:
        return [f"a dict from {self.keys} to values, each {self.inner.words}"]

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping) and all(isinstance(k, str) and self.inner.holds(v) for k, v in value.items())

    def plain(self, value: Any) -> Any:
        return {key: self.inner.plain(one) for key, one in value.items()}


class AnyOf(Constraint):
    """What at least one of several constraints asks for.

    Example
        >>> AnyOf(Interval(int, 1), OneOf("auto")).words
        'an int of at least 1 or "auto"'
    """

    def __init__(self, *inner: Constraint, hint: str = "") -> None:
        self.inner, self.hint = inner, hint

    @property
    def parts(self) -> list[str]:
        return [part for one in self.inner for part in one.parts]

    def holds(self, value: Any) -> bool:
        return any(one.holds(value) for one in self.inner)

    def check(self, owner: str, name: str, value: Any) -> Any:
        fitting = next((one for one in self.inner if one.holds(value)), None)
        return super().check(owner, name, value) if fitting is None else fitting.check(owner, name, value)

    def plain(self, value: Any) -> Any:
        return next((one.plain(value) for one in self.inner if one.holds(value)), value)

    def explain(self, value: Any) -> str:
        return self.hint or next((text for one in self.inner if (text := one.explain(value))), "")


class Maybe(AnyOf):
    """None, or what the inner constraint asks for.

    Example
        >>> Maybe(Interval(int, 1)).check("get_engine", "threads", 0)
        Traceback (most recent call last):
        chainrule.errors.ParameterError: get_engine: threads must be None or an int of at least 1. Got 0.
    """

    def __init__(self, inner: Constraint, *, hint: str = "") -> None:
        super().__init__(OneOf(None), inner, hint=hint)

    def check(self, owner: str, name: str, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(self.inner[1], Accepted):
            return self.inner[1].check(owner, name, value)  # its own error says more
        return super().check(owner, name, value)


class Anything(Constraint):
    """Every value. For what can only be checked together with other arguments, such as weights of samples with the samples.

    Parameters  words : what a value should be, for documentation
    """

    def __init__(self, words: str = "anything") -> None:
        self._words = words

    @property
    def parts(self) -> list[str]:
        return [self._words]

    def holds(self, value: Any) -> bool:
        return True


class Constrained:
    """Base of objects whose constructor stores its arguments under their names: a class states what each may be.

    Constructors only store; ``validate`` checks, where the object is taken into use. Rules about several arguments at once
    are added by a class in its own ``validate``, after ``super().validate()``.

    Example
        >>> class Forest(Constrained):
        ...     hyperparameters = {"trees": Interval(int, 1), "share": Interval(float, 0, 1)}
        ...     def __init__(self, trees, *, share=0.5):
        ...         self.trees, self.share = trees, share
        >>> Forest(0).validate()
        Traceback (most recent call last):
        chainrule.errors.ParameterError: Forest: trees must be an int of at least 1. Got 0.
    """

    #: What each argument may be, by name. A class states its own; what its bases state about others holds as well.
    hyperparameters: ClassVar[Mapping[str, Constraint]] = {}

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """What each argument may be, by name, of the class and its bases together."""
        found: dict[str, Constraint] = {}
        for one in reversed(cls.__mro__):
            found |= vars(one).get("hyperparameters", {})
        return found

    def validate(self) -> None:
        """Checks the arguments. Raises  ParameterError for the first argument that is not what its class allows"""
        for name, constraint in type(self).constraints().items():
            constraint.check(type(self).__name__, name, getattr(self, name))


def check_all(owner: str, constraints: Mapping[str, Constraint], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that have a constraint, checked in the order of the constraints and plain.

    Parameters  owner : what the arguments belong to, for the error ; constraints, values : by the names of the arguments
    Raises      ParameterError for the first value that is not allowed

    Example
        >>> check_all("Forest", {"trees": Interval(int, 1)}, {"trees": 3, "name": "oak"})
        {'trees': 3}
    """
    return {name: one.check(owner, name, values[name]) for name, one in constraints.items() if name in values}


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond all floats
        return False


def _is_list(value: Any) -> bool:
    several = isinstance(value, Iterable) and isinstance(value, Sized) and not isinstance(value, (str, bytes, Mapping))
    return several and getattr(value, "ndim", 1) > 0  # an array without axes has no length


def _check_entries(inner: Constraint, owner: str, name: str, values: Any) -> list[Any]:
    """The entries of a list, checked one by one, so that an error names the entry that is wrong."""
    return [inner.check(owner, f"{name}[{i}]", value) for i, value in enumerate(values)]


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _with_article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _listed(parts: list[str]) -> str:
    """``a, b or c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
