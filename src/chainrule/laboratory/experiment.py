"""What an experiment of the laboratory is: a question, measurements, and what they say."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ..constraints import Constraint, Interval
from ..registry import Configurable
from ..report.figures import check_picture_path, new_figure, save_figure

__all__ = ["Claim", "Experiment", "Outcome", "Table"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Claim:
    """Something the theory predicts, whether the measurements agree, and the numbers that decide it."""

    statement: str
    holds: bool
    evidence: str

    def __str__(self) -> str:
        return (
            f"{'✓' if self.holds else '✗'} {self.statement}: {'measured' if self.holds else 'not so here'}, {self.evidence}"
        )


@dataclass(frozen=True)
class Table:
    """Measured numbers as text, ready to be shown.

    Attributes  title ; columns : names, with units ; rows : cells ; left : how many first columns hold words
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    left: int = 1

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        shown = [
            "  ".join(c.ljust(w) if i < self.left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
            for line in lines
        ]
        return "\n".join([self.title, shown[0].rstrip(), "─" * len(shown[0]), *(line.rstrip() for line in shown[1:])])


class Experiment(Configurable):
    """Base of the experiments. A subclass measures; its tables, picture and claims are functions of what was measured.

    So a claim says what the data say: with other data it is another, which is how the tests check it.

    Parameters  seed : int >= 0 = 0, of the split of the digits and of all start weights ; others : see each experiment
    """

    #: Name on the command line.
    name: ClassVar[str] = ""
    #: In one line, for the list of experiments.
    title: ClassVar[str] = ""
    question: ClassVar[str] = ""
    #: What is varied, what is kept, what is measured.
    method: ClassVar[str] = ""
    references: ClassVar[tuple[str, ...]] = ()
    #: Of the picture, in inches.
    size: ClassVar[tuple[float, float]] = (11.0, 4.2)
    #: Arguments of a run that takes a few seconds and shows the same with fewer networks.
    quick: ClassVar[dict[str, Any]] = {}

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """What each argument may be: one whose default is an int is an int of at least 1 (the seed 0), unless stated."""
        whole = [name for name, argument in cls._signature().items() if type(argument.default) is int]
        counts = {name: Interval(int, 0 if name == "seed" else 1) for name in whole}
        return counts | super().constraints()

    @abstractmethod
    def measure(self, progress: Progress) -> dict[str, Any]:
        """Runs everything; the measurements as lists, numbers and text."""

    @abstractmethod
    def tables(self, data: dict[str, Any]) -> list[Table]:
        """The measurements as tables."""

    @abstractmethod
    def claims(self, data: dict[str, Any]) -> list[Claim]:
        """What the theory predicts, beside what was measured."""

    @abstractmethod
    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        """The measurements as a picture, on a figure of matplotlib."""

    def run(self, progress: Progress | None = None) -> Outcome:
        """Measures and concludes.

        Parameters  progress : called with (networks done, networks in all)
        Raises      ParameterError for bad arguments ; MissingDependencyError when the digits are not installed
        """
        self.validate()
        started = time.perf_counter()
        data = self.measure(progress or (lambda done, of: None))
        return Outcome(self, data, self.tables(data), self.claims(data), time.perf_counter() - started)


@dataclass(frozen=True)
class Outcome:
    """What an experiment measured and what follows.

    Attributes  experiment ; data : the measurements, ready for JSON ; tables ; claims ; seconds : it took
    """

    experiment: Experiment
    data: dict[str, Any] = field(repr=False)
    tables: list[Table] = field(repr=False)
    claims: list[Claim]
    seconds: float

    def save_picture(self, path: str | os.PathLike[str]) -> Path:
        """Draws the picture to a file, .png, .svg, .pdf or .jpg; returns its path."""
        place = check_picture_path(path)
        figure = new_figure(*self.experiment.size, self.experiment.title)
        self.experiment.draw(figure, self.data)
        return save_figure(figure, place)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON."""
        return {
            "experiment": self.experiment.name,
            "arguments": {key: list(v) if isinstance(v, tuple) else v for key, v in self.experiment.config().items()},
            "seconds": self.seconds,
            "claims": [{"statement": c.statement, "holds": c.holds, "evidence": c.evidence} for c in self.claims],
            "data": self.data,
        }

    def __str__(self) -> str:
        e = self.experiment
        parts = [f"{e.title}\n{e.question}", *map(str, self.tables), "\n".join(map(str, self.claims))]
        return "\n\n".join(parts)
