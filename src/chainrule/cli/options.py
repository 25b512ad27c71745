"""The options of the commands, made from the settings of the tasks.

A command is a function with its own arguments, and one called ``given`` for those of the tasks. ``with_task_options`` gives
it the signature from which typer makes the command line: every setting that some task has for the command's uses is one
option, and its help says which tasks have it. A setting is therefore written once, at its field.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from ..tasks.option import Option, Use
from ..tasks.task import all_tasks

__all__ = ["options_for", "path_to_write", "with_task_options"]

F = TypeVar("F", bound=Callable[..., None])


def options_for(*uses: Use) -> dict[str, Option]:
    """Every option that some task has for one of these uses; the help names the tasks where not all have it."""
    able = [task for task in all_tasks() if task.settings is not None]
    found: dict[str, Option] = {}
    for task in able:
        for name, option in task.options().items():
            if option.uses.intersection(uses):
                found.setdefault(name, option)
    # Those with a short spelling come first, then those of most tasks.
    owners = {name: sum(name in task.options() for task in able) for name in found}
    names = sorted(found, key=lambda name: (not found[name].short, -owners[name]))
    return {name: _described(name, found[name], able) for name in names}


def _described(name: str, option: Option, able: list[Any]) -> Option:
    owners = [task for task in able if name in task.options()]
    text = option.help
    if len(owners) < len(able):
        text = f"{', '.join(task.name for task in owners).capitalize()}: {text[0].lower()}{text[1:]}"
    defaults = [_default(task.options()[name]) for task in owners]
    if any(defaults):
        others = [f"{task.name}: {d}" for task, d in zip(owners, defaults, strict=True) if d != defaults[0]]
        text += f" [default: {'; '.join([defaults[0], *others])}]"
    return replace(option, help=text)


def _default(option: Option) -> str:
    return option.shown or ("" if option.default in (None, (), False) else str(option.default))


def _parameter(option: Option) -> inspect.Parameter:
    def complete(incomplete: str) -> list[str]:
        return [] if option.known is None else [name for name in option.known() if name.startswith(incomplete)]

    kind: Any = list[str] if option.kind is list else option.kind
    spellings = [option.flag, *([option.short] if option.short else [])]
    made = typer.Option(
        *spellings,
        metavar=option.metavar,
        help=option.help,
        show_default=False,
        autocompletion=complete if option.known is not None else None,
    )
    default = False if kind is bool else None
    annotation: Any = Annotated[kind if kind is bool else kind | None, made]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def with_task_options(*uses: Use) -> Callable[[F], F]:
    """Gives a command the options of the tasks; its argument ``given`` gets those that were typed, by name."""

    def decorate(function: F) -> F:
        options = options_for(*uses)
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "given"]
        hints = get_type_hints(function, include_extras=True)
        # Arguments first, then the options of the tasks, then those of the command alone.
        first = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.default is p.empty]
        last = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.default is not p.empty]
        parameters = [
            *(p.replace(annotation=hints[p.name]) for p in first),
            *(_parameter(option) for option in options.values()),
            *(p.replace(annotation=hints[p.name]) for p in last),
        ]

        @functools.wraps(function)
        def command(**values: Any) -> None:
            given = {name: values.pop(name) for name in options}
            typed: Mapping[str, Any] = {n: v for n, v in given.items() if v is not None and v is not False and v != []}
            function(**values, given=typed)

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command  # type: ignore[return-value]

    return decorate


def path_to_write(option: str, path: Path) -> Path:
    """A place where a file can be written; ParameterError before the work rather than after it."""
    import os

    from ..errors import ParameterError

    folder = path.parent
    if path.is_dir():
        raise ParameterError(f"{option}: {str(path)!r} is a folder; give the path of a file in it.")
    if not folder.is_dir():
        raise ParameterError(f"{option}: the folder {str(folder)!r} does not exist. Make it first: mkdir -p {folder}")
    if not os.access(folder, os.W_OK):
        raise ParameterError(f"{option}: the folder {str(folder)!r} may not be written to. Give another place.")
    return path
