"""What one setting of a task is called and means, on the command line and in Python.

Every setting of a task is a field of its frozen dataclass of settings, and the field carries an ``Option``: the words of
the help, the form in which it is typed, and the uses that it has. The commands make their options from these fields, so a
setting is written once, and an option that a use does not have is refused by its name. Only the standard library is imported
here, because ``chainrule --help`` reads all of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Option", "Use", "flag", "option", "options_of"]


class Use(Enum):
    """The purposes for which a setting can be given."""

    TRAIN = "training a model"
    DIAGNOSE = "diagnosing the training on data"
    RESUME = "diagnosing a model that was trained"
    PREDICT = "predicting with a model that was trained"
    COMPRESS = "making a model that was trained smaller"


#: Uses by the names that many options share.
LEARNING = frozenset({Use.TRAIN, Use.DIAGNOSE})
ALSO_LATER = LEARNING | {Use.RESUME, Use.COMPRESS}
TESTING = frozenset({Use.TRAIN, Use.COMPRESS})
READING = frozenset(Use)


@dataclass(frozen=True)
class Option:
    """How a setting is typed and described.

    Parameters
        kind : the type of the typed value: int, float, str, bool, Path or list
        help : a sentence or two for the help text ; metavar : what stands for the value there
        short : a second spelling such as "-t" ; shown : the default in words, "" where the default itself is shown
        uses : what the setting is for ; parse : makes the value from the typed one
        known : returns the names that the value may have, for completion
        name, default : of the setting, filled in by ``options_of``
    """

    kind: Any
    help: str
    metavar: str | None = None
    short: str | None = None
    shown: str = ""
    uses: frozenset[Use] = LEARNING
    parse: Callable[[Any], Any] | None = None
    known: Callable[[], Iterable[str]] | None = None
    name: str = ""
    default: Any = None

    @property
    def flag(self) -> str:
        """The spelling on the command line: ``--weight-decay``."""
        return flag(self.name)


def flag(name: str) -> str:
    """The option of the command line that sets this setting: ``flag("weight_decay")`` is ``"--weight-decay"``."""
    return "--" + name.replace("_", "-")


def option(default: Any, kind: Any, help: str, **more: Any) -> Any:
    """A field of a dataclass of settings. Parameters  default : of the setting ; others : as in ``Option``"""
    return field(default=default, metadata={"option": Option(kind, help, **more)})


def options_of(settings: type) -> Mapping[str, Option]:
    """The options of a dataclass of settings by their names, in the order of its fields."""
    return {
        one.name: dataclasses.replace(one.metadata["option"], name=one.name, default=one.default)
        for one in dataclasses.fields(settings)
        if "option" in one.metadata
    }
