"""What a hyperparameter may be, stated as data: each constraint checks a value, and says in words what it asks for.

    Interval(int, 1)                    an int of at least 1
    Interval(float, 0, 1)               a number from 0 to below 1
    Boolean()                           True or False
    OneOf("float32", "bfloat16")        one of these values
    Instance(Loss)                      an object of this class
    Accepted(get_loss, "a loss ...")    what a function accepts
    EachOf(Interval(int, 1))            a list of such values
    Maybe(...)                          None, or what the inner constraint asks for
    AnyOf(..., ...)                     what one of several constraints asks for
    Anything()                          every value, because something else checks it

Every refusal has one form: "epochs must be an int of at least 1. Got 0.", after the owner's name where there is one. So the
arguments of a fit, of an estimator, of a task and of the command are refused in the same words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sized
from numbers import Integral, Real
from typing import Any

import numpy as np

from .errors import ParameterError, did_you_mean

__all__ = [
    "Accepted",
    "AnyOf",
    "Anything",
    "Boolean",
    "Constraint",
    "EachOf",
    "Instance",
    "Interval",
    "Maybe",
    "OneOf",
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
        return (self.kind is int or math.isfinite(value)) and self._contains(value)

    def _contains(self, value: Any) -> bool:
        above = self.low is None or value > self.low or (self.with_low and value == self.low)
        below = self.high is None or value < self.high or (self.with_high and value == self.high)
        return bool(above and below)

    def plain(self, value: Any) -> Any:
        return int(value) if self.kind is int else value


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
    """

    def __init__(self, *kinds: Any, words: str | None = None, hint: str = "") -> None:
        self.kinds, self.hint = kinds, hint
        self._words = [words] if words else [_with_article(kind.__name__) for kind in kinds]

    @property
    def parts(self) -> list[str]:
        return self._words

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.kinds)


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
    """A list or another sequence (but no text) whose entries all meet one constraint. Parameters  inner ; fewest : entries

    Example
        >>> EachOf(Interval(int, 1), fewest=1).words
        'a list of at least 1 value, each an int of at least 1'
    """

    def __init__(self, inner: Constraint, *, fewest: int = 0) -> None:
        self.inner, self.fewest = inner, fewest

    @property
    def parts(self) -> list[str]:
        some = f"of at least {self.fewest} value{'s' * (self.fewest > 1)}, each" if self.fewest else "of values, each"
        return [f"a list {some} {self.inner.words}"]

    def holds(self, value: Any) -> bool:
        if isinstance(value, (str, bytes, Mapping)) or not (isinstance(value, Iterable) and isinstance(value, Sized)):
            return False
        return len(value) >= self.fewest and all(self.inner.holds(one) for one in value)

    def plain(self, value: Any) -> Any:
        return [self.inner.plain(one) for one in value]


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


def check_all(owner: str, constraints: Mapping[str, Constraint], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that have a constraint, checked in the order of the constraints and plain.

    Parameters  owner : what the arguments belong to, for the error ; constraints, values : by the names of the arguments
    Raises      ParameterError for the first value that is not allowed

    Example
        >>> check_all("Forest", {"trees": Interval(int, 1)}, {"trees": 3, "name": "oak"})
        {'trees': 3}
    """
    return {name: one.check(owner, name, values[name]) for name, one in constraints.items() if name in values}


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _with_article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _listed(parts: list[str]) -> str:
    """``a, b or c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
