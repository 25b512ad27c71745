"""What the commands that make a model smaller share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tasks.option import Use

if TYPE_CHECKING:
    from ..tasks.task import Prepared

__all__ = ["prepared_for_compression", "write_json"]


def prepared_for_compression(place: Path, data: Path, given: Mapping[str, Any]) -> Prepared:
    """The training that a model would go on with, with a part of the data kept apart to measure with."""
    from ..errors import ParameterError
    from ..tasks import load
    from ..tasks.task import refuse_foreign, task_of
    from .sources import resolve

    loaded = load(resolve(place))
    task = task_of(loaded)
    if task is None or task.settings is None:
        raise ParameterError(
            f"{place} holds a {type(loaded).__name__} without the preprocessing of data, so {data} cannot be read for it. "
            "Use chainrule.load, and chainrule.sparsity.frontier or quantization, in Python."
        )
    refuse_foreign(task, given, Use.COMPRESS, f"{place} is a model of {task.name}")
    typed = {**given, **({"test": resolve(given["test"])} if "test" in given else {})}
    if "test" not in typed:
        typed.setdefault("test_fraction", 0.25)
    settings = task.settings.typed(resolve(data), typed)
    if not settings.keeps_test_part:
        raise ParameterError("--test-fraction 0 leaves nothing to measure the models with. Give a share above 0, or --test.")
    return task.resume(loaded, settings)


def write_json(place: Path, found: Mapping[str, Any]) -> None:
    """Writes what was measured."""
    import json

    from ..files import write_whole

    write_whole(place, json.dumps(found, indent=1) + "\n", what="--json")
