"""What a search has found: every trial with its parameters and its score, as a table and as a picture."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..report.figures import PALETTE, check_picture_path, new_figure, save_figure, tidy

__all__ = ["SearchResults", "TrialResult"]

_COLOURS = {"complete": PALETTE[0], "pruned": "#999999", "failed": "#cc3333"}


@dataclass(frozen=True)
class TrialResult:
    """One trial.

    Parameters  number : from 0 on ; state : "complete", "pruned" or "failed" ; score : the last one, NaN for none ;
                parameters ; epochs : that were trained ; seconds ; reason : why it failed, ""
    """

    number: int
    state: str
    score: float
    parameters: dict[str, Any]
    epochs: int
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class SearchResults:
    """All trials of a study.

    Parameters  trials ; metric : what the score is ; higher : whether more of it is better
                logarithmic : the parameters that were searched by their logarithms, and are drawn so
    """

    trials: Sequence[TrialResult]
    metric: str
    higher: bool
    logarithmic: frozenset[str] = frozenset()

    @property
    def ranked(self) -> list[TrialResult]:
        """The complete trials, the best first, then the others by number."""
        done = [trial for trial in self.trials if trial.state == "complete" and math.isfinite(trial.score)]
        done.sort(key=lambda trial: -trial.score if self.higher else trial.score)
        return done + [trial for trial in self.trials if trial not in done]

    @property
    def best(self) -> TrialResult:
        """The best complete trial. Raises  ParameterError where none is complete"""
        first = self.ranked[0] if self.trials else None
        if first is None or first.state != "complete" or not math.isfinite(first.score):
            reasons = {trial.reason for trial in self.trials if trial.reason}
            why = f" Of those that failed: {sorted(reasons)[0]}" if reasons else ""
            raise ParameterError(f"None of {len(self.trials)} trials is complete, so there is no best one.{why}")
        return first

    def table(self) -> list[dict[str, Any]]:
        """One row for each trial, the best first: what a DataFrame takes."""
        return [
            {
                "trial": t.number,
                "state": t.state,
                self.metric: t.score,
                **t.parameters,
                "epochs": t.epochs,
                "seconds": t.seconds,
            }
            for t in self.ranked
        ]

    def picture(self, path: str | os.PathLike[str], title: str = "") -> Path:
        """Draws the scores in the order of the trials, and over each parameter. Raises  ParameterError for no trials"""
        place = check_picture_path(path)
        shown = [trial for trial in self.trials if math.isfinite(trial.score)]
        if not shown:
            raise ParameterError("picture: no trial has a score yet.")
        names = list(dict.fromkeys(name for trial in shown for name in trial.parameters))[:7]
        across = min(4, len(names) + 1)
        down = -(-(len(names) + 1) // across)
        figure = new_figure(3.6 * across, 3.2 * down, title)
        grid = figure.subplots(down, across, squeeze=False).ravel()
        self._over(grid[0], shown, [trial.number for trial in shown], "trial")
        best: list[float] = []
        pick = max if self.higher else min
        for trial in sorted((t for t in shown if t.state == "complete"), key=lambda t: t.number):
            best.append(pick([*best[-1:], trial.score]))
        done = sorted(t.number for t in shown if t.state == "complete")
        grid[0].step(done, best, where="post", color=PALETTE[1], label="best so far")
        grid[0].legend(frameon=False)
        for axes, name in zip(grid[1:], names, strict=False):
            some = [trial for trial in shown if name in trial.parameters]
            values = [trial.parameters[name] for trial in some]
            numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
            self._over(axes, some, values if numbers else [str(v)[:20] for v in values], name.replace("_", " "))
            if numbers and name in self.logarithmic:
                axes.set_xscale("log")
        for axes in grid[len(names) + 1 :]:
            axes.set_visible(False)
        return save_figure(figure, place)

    def _over(self, axes: Any, trials: Sequence[TrialResult], x: Sequence[Any], name: str) -> None:
        for state, colour in _COLOURS.items():
            chosen = [i for i, trial in enumerate(trials) if trial.state == state]
            if chosen:
                axes.scatter([x[i] for i in chosen], [trials[i].score for i in chosen], s=18, color=colour, label=state)
        tidy(axes, name, self.metric.replace("_", " "))
