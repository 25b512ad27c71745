"""The settings of a training on a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..option import option
from ..settings import TabularSettings, distributed_training, list_of_names

__all__ = ["TableSettings"]


@dataclass(frozen=True, kw_only=True)
class TableSettings(TabularSettings):
    """The settings of a training on a table.

    Example
        >>> settings = TableSettings(data="people.csv", target="bought", hidden=(16,))
        >>> settings.hidden, settings.epochs
        ((16,), None)
    """

    exclude: tuple[str, ...] = option((), list, "Columns not to learn from.", metavar="COL,...", parse=list_of_names)

    keep: tuple[str, ...] = option(
        (),
        list,
        "Columns of text to learn from although most of their texts occur once.",
        metavar="COL,...",
        parse=list_of_names,
    )

    distributed: bool = distributed_training()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "exclude", tuple(self.exclude))
        object.__setattr__(self, "keep", tuple(self.keep))

    def model_arguments(self) -> dict[str, Any]:
        """What ``TableModel.create`` takes beside the data and the loss."""
        names = ("hidden", "activation", "random_state", "dtype")
        return {**{name: getattr(self, name) for name in names}, "reading": self.reading()}
