"""What a fit reports of every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import DataError, UnknownNameError


class History(Mapping[str, list[float]]):
    """The numbers of every epoch: ``history["loss"]`` is a list with one number for each epoch, empty before the first one.

    Attributes
        epochs : numbers of the epochs, from 1
        values : {name: one number an epoch}; "loss" is the mean over the epoch's samples of the loss that was minimised,
            "val_..." come from the validation data at the end of the epoch, "learning_rate" is that of the last step,
            "seconds" the time of the epoch with validation and callbacks
        interrupted : whether Ctrl-C ended the fit
        stopped : whether a callback ended the fit before its last epoch
        diverged : whether the fit ended with a DivergenceError

    Example
        >>> history = History()
        >>> history.append(1, {"loss": 0.5})
        >>> history.append(2, {"loss": 0.25})
        >>> history["loss"], history.best("loss")
        ([0.5, 0.25], 2)
    """

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.values_: dict[str, list[float]] = {}
        self.interrupted = False
        self.stopped = False
        self.diverged = False

    def append(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Adds an epoch. A name that an epoch lacks is NaN there, so that all lists stay as long as ``epochs``."""
        self.epochs.append(epoch)
        for name, value in logs.items():
            self.values_.setdefault(name, [float("nan")] * (len(self.epochs) - 1)).append(float(value))
        for numbers in self.values_.values():
            if len(numbers) < len(self.epochs):
                numbers.append(float("nan"))

    def best(self, name: str = "val_loss", *, largest: bool = False) -> int:
        """The number of the epoch with the smallest (largest) value of this name.

        Raises      UnknownNameError ; DataError when no epoch has a value that is a number
        """
        numbers = self[name]
        known = [i for i, value in enumerate(numbers) if value == value]
        if not known:
            reason = f"{name!r} is NaN in all of them" if self.epochs else "no epoch was finished"
            raise DataError(f"History: there is no best epoch, since {reason}.")
        pick = max if largest else min
        return self.epochs[pick(known, key=lambda i: numbers[i])]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists and numbers, ready for JSON or a DataFrame."""
        return {"epoch": list(self.epochs), **{name: list(numbers) for name, numbers in self.values_.items()}}

    def state(self) -> dict[str, Any]:
        """The part of the history that a checkpoint keeps."""
        return {"epochs": list(self.epochs), "values": {n: list(v) for n, v in self.values_.items()}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> History:
        """The history that ``state`` described."""
        history = cls()
        history.epochs = [int(e) for e in state["epochs"]]
        history.values_ = {str(n): [float(x) for x in v] for n, v in state["values"].items()}
        return history

    def __getitem__(self, name: str) -> list[float]:
        if not self.epochs:
            return []  # the names are not known before the first epoch is over
        if name not in self.values_:
            raise UnknownNameError("history entry", name, self.values_)
        return self.values_[name]

    def __contains__(self, name: object) -> bool:
        return name in self.values_

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)

    def __repr__(self) -> str:
        if not self.epochs:
            return "History(no epoch)"
        last = ", ".join(f"{n}={v[-1]:.4g}" for n, v in self.values_.items() if n != "seconds")
        ends = [name for name in ("interrupted", "stopped", "diverged") if getattr(self, name)]
        return f"History({len(self.epochs)} epochs; last: {last}{'; ' + ', '.join(ends) if ends else ''})"
