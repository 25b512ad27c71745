"""What a search may choose: ranges and lists, as people write them, become the distributions of Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MissingDependencyError, ParameterError

try:
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
except ImportError as error:
    raise MissingDependencyError("optuna", "A search for hyperparameters", extra="tune") from error

__all__ = ["chosen", "distributions", "typed_range"]

Space = Mapping[str, BaseDistribution]


def distributions(space: Mapping[str, Any]) -> tuple[dict[str, BaseDistribution], dict[str, list[Any]]]:
    """The distributions, and the values of those that are chosen from a list.

    Parameters  space : name -> (low, high), of ints or of floats ; (low, high, "log") for a range whose logarithm is drawn ;
                a list of values ; a distribution of Optuna
    Raises      ParameterError for anything else
    """
    found: dict[str, BaseDistribution] = {}
    choices: dict[str, list[Any]] = {}
    if not isinstance(space, Mapping) or not space:
        raise ParameterError(
            f"space must be a dict with one parameter or more, such as {{'units': (16, 256)}}. Got {space!r:.200}."
        )
    for name, given in space.items():
        if isinstance(given, BaseDistribution):
            found[name] = given
        elif isinstance(given, list) and given:
            # Optuna keeps plain values alone, so a choice is its number, and any object may be chosen.
            plain = all(value is None or isinstance(value, (bool, int, float, str)) for value in given)
            found[name] = CategoricalDistribution(given if plain else [_label(i, value) for i, value in enumerate(given)])
            choices[name] = given
        elif isinstance(given, tuple) and len(given) in (2, 3):
            found[name] = _range(name, *given)
        else:
            raise _refused(name, given)
    return found, choices


def _label(number: int, value: Any) -> str:
    return f"{number}: {value!r:.80}"


def _refused(name: str, given: Any) -> ParameterError:
    return ParameterError(
        f"space: {name!r} must be (low, high), (low, high, 'log'), or a list of values. Got {given!r:.200}."
    )


def _range(name: str, low: Any, high: Any, how: Any = "") -> BaseDistribution:
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (low, high))
    if not numbers or how not in ("", "log") or not low < high or (how == "log" and low <= 0):
        raise _refused(name, (low, high, how) if how else (low, high))
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=how == "log")
    return FloatDistribution(float(low), float(high), log=how == "log")


def chosen(parameters: Mapping[str, Any], choices: Mapping[str, list[Any]]) -> dict[str, Any]:
    """The parameters of a trial with the objects that their labels stand for."""
    found = dict(parameters)
    for name, values in choices.items():
        labels = {_label(i, value): value for i, value in enumerate(values)}
        if isinstance(found.get(name), str) and found[name] in labels:
            found[name] = labels[found[name]]
    return found


def typed_range(text: str) -> tuple[str, Any]:
    """``"learning_rate=1e-4..1e-1:log"`` and ``"optimizer=adam,sgd"`` as a name and what a space has for it.

    Values of a list stay texts. Raises  ParameterError for another form
    """
    name, equals, given = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_")
    wrong = ParameterError(
        f"--search {text!r}: write NAME=LOW..HIGH, NAME=LOW..HIGH:log, or NAME=VALUE;VALUE, such as "
        "learning_rate=1e-4..1e-1:log or hidden=64;128,64."
    )
    if not equals or not name or not given:
        raise wrong
    if ".." not in given:
        return name, [value.strip() for value in given.split(";" if ";" in given else ",") if value.strip()]
    bounds, _, how = given.partition(":")
    try:
        low, high = (float(v) if any(c in v for c in ".eE") else int(v) for v in bounds.split("..", 1))
    except ValueError:
        raise wrong from None
    return name, (low, high, "log") if how == "log" else (low, high)
