"""``chainrule predict``: a saved model on new data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..tasks.option import Use
from .options import with_task_options

if TYPE_CHECKING:
    from ..tasks.scores import Tally

__all__ = ["predict"]

#: Samples of the preview; classes of a single sample; digits of numbers and decimals of probabilities in the file.
_PREVIEW, _CLASSES, _DIGITS, _DECIMALS = 10, 10, 9, 6
#: Letters of the longest bar, of a cell of the preview, and of a cell that says which sample it is.
_BAR, _CELL, _NAME = 24, 20, 48


@with_task_options(Use.PREDICT)
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model that chainrule train saved.")],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Table with the columns of training, in any order, or many of them ('new/*.csv'); pictures, "
            "folders of pictures, or an .npz file; texts "
            "in quotes for a model of texts; or - for standard input.",
        ),
    ],
    given: Mapping[str, Any],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="CSV or Parquet file to write, - for standard output; of boxes also a .json file (COCO), or a folder "
            "such as out/ for the pictures with their boxes; of restored pictures a .png file or a folder. "
            "[default: show some rows]",
        ),
    ] = None,
    grid: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Pictures: draw them with their predictions (.png, .svg, .pdf)."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Predict new data with a trained model.

    Tables may be larger than the memory: a large file, or many files, are read, predicted and written in chunks.

    The file that --output names gets all columns of a table, unchanged, and after them predicted_TARGET and, for classes,
    probability_CLASS for each class. Where the true answers are there, the metrics are printed: in the target column of a
    table, in the names of the folders of pictures, or in an .npz file.
    """
    from ..errors import ParameterError
    from ..report import check_picture_path
    from ..tasks import load
    from ..tasks.task import refuse_foreign, task_of
    from . import predictions_file
    from .console import out, waiting, warn
    from .metrics_table import show_scores
    from .sources import resolve

    if output is None or predictions_file.is_table(output):
        predictions_file.check_place(output)
    with waiting(f"Reading {model} ..."):
        loaded = load(resolve(model))
    task = task_of(loaded)
    if task is None or task.settings is None:
        raise ParameterError(
            f"{model} holds a {type(loaded).__name__} without the preprocessing of data, so the command cannot use it. "
            f"Use it in Python: chainrule.load({str(model)!r})."
        )
    to_stdout = predictions_file.check_place(output, task)
    refuse_foreign(task, given, Use.PREDICT, f"{model} is a model of {task.name}")
    if loaded.network.representations():
        loaded.network.pack(in_place=True)  # zeros, signs and numbers of 8 bits have kernels of their own
    if grid is not None:
        if not task.draws:
            raise ParameterError(f"--grid draws pictures, and {model} is a model of {task.name}. Leave it out.")
        check_picture_path(grid)
    parts = loaded.parts(_source(task, loaded, data), **task.settings.parsed(given))
    refused, count = "", 0
    tally: Tally | None = None
    written: list[str] = []
    is_table = output is not None and predictions_file.is_table(output)
    with predictions_file.writer(output) if output is not None and is_table else nullcontext() as write:
        while True:
            with waiting(f"Reading {data[0]} ..."):
                samples = next(parts, None)
            if samples is None:
                break
            for note in samples.notes:
                warn(note)
            with waiting(f"Predicting {count + samples.count:,} {task.noun[count + samples.count != 1]} ..."):
                prediction = loaded.prediction(samples)
            if count == 0:
                first = samples, prediction
                if output is None:
                    output = task.default_place(loaded, samples)
                if output is not None and write is None:
                    written.append(f"Wrote {task.write(output, loaded, samples, prediction)}")
                elif write is None and not quiet:
                    _preview(task, loaded, samples, prediction)
            else:
                tally = _tallied(tally, loaded, [samples, prediction] if tally else [*first, samples, prediction])
            count += samples.count
            if output is not None and write is not None:
                written = [_write_columns(output, write, task, loaded, samples, prediction, count)]
            refused = refused or samples.refused
    if not quiet and not to_stdout:
        if (first[0].truth is not None if tally is None else tally.n) and not refused:
            scores = loaded.scores(*first) if tally is None else tally.scores()
            title = f"Against {first[0].against} of {scores.samples:,} {task.noun[scores.samples != 1]}"
            show_scores(title, scores, [], target=loaded.target, unit=task.noun[1])
        elif refused:
            warn(f"No metrics: {refused}")
    if grid is not None:
        task.draw(grid, loaded, *first, title=f"Predictions of {model.name}")
    if not quiet and not to_stdout:
        for line in [*written, *([] if grid is None else [f"Wrote {grid}"])]:
            out().print(line, style="bold green", soft_wrap=True)


def _source(task: Any, model: Any, data: Sequence[str]) -> Any:
    """What the model reads: one file, several, or texts as they were typed."""
    from ..errors import ParameterError
    from .sources import STANDARD_INPUT, resolve

    if STANDARD_INPUT in data:
        if len(data) > 1:
            raise ParameterError("- stands for all of standard input, so it is given alone.")
        return task.piped(model, resolve(STANDARD_INPUT))
    if len(data) == 1:
        found = resolve(data[0])
        return data[0] if found == Path(data[0]) else str(found)  # a sentence is no path, and stays as it was typed
    return list(data)


def _new_columns(model: Any, prediction: Any, taken: Sequence[str]) -> dict[str, Sequence[Any]]:
    """The predictions as columns; a name that the data have already gets "_2", as after predicting twice."""
    import numpy as np

    used = set(taken)

    def unused(name: str) -> str:
        new, count = name, 1
        while new in used:
            count += 1
            new = f"{name}_{count}"
        used.add(new)
        return new

    name = unused(f"predicted_{model.target}")
    if model.classes is None:
        return {name: [float(f"{v:.{_DIGITS}g}") for v in prediction.values.tolist()]}
    columns: dict[str, Sequence[Any]] = {name: prediction.values.tolist()}
    for i, label in enumerate(model.classes):
        columns[unused(f"probability_{label}")] = np.round(prediction.probabilities[:, i], _DECIMALS).tolist()
    return columns


def _tallied(tally: Tally | None, model: Any, parts: Sequence[Any]) -> Tally:
    """The tally with further parts. Parameters  parts : samples and their prediction, one after the other"""
    from ..tasks.scores import Tally

    made = Tally(model.classes) if tally is None else tally
    for samples, prediction in zip(parts[::2], parts[1::2], strict=True):
        if samples.truth is not None:
            made.update(samples.truth, prediction.take(samples.rows))
    return made


def _write_columns(output: Path, write: Any, task: Any, model: Any, samples: Any, prediction: Any, count: int) -> str:
    """Writes one part of the predictions; what was written so far, in words. Parameters  count : samples so far"""
    columns, many = task.table(model, samples, prediction), f"{count:,} {task.noun[count != 1]}"
    if columns is not None:
        write(columns)
        rows = len(next(iter(columns.values()), ()))
        return f"Wrote {output}: {rows:,} {model.target} of {many}, columns {', '.join(columns)}"
    columns = dict(samples.columns())
    given_names = list(columns)
    new = _new_columns(model, prediction, given_names)
    write({**columns, **new})
    listed = ", ".join(list(new)[:4]) + (f", ... ({len(new)} in all)" if len(new) > 4 else "")
    return f"Wrote {output}: {many}, new columns {listed}"


def _preview(task: Any, model: Any, samples: Any, prediction: Any) -> None:
    """What the task shows; else all classes of one sample, and the first of several with how sure each is."""
    own = task.preview(model, samples, prediction)
    if own is not None:
        from .console import out, table

        head, rows = own
        table(head, rows)
        more = samples.count - len(rows)
        places = ", or ".join(("a .csv file", *task.writes))
        out().print(f"{f'{more:,} more {task.noun[more != 1]}. ' if more > 0 else ''}Write all of it: -o with {places}.")
        return
    if samples.count == 1 and model.classes is not None:
        _one(model, samples, prediction)
    else:
        _several(model, samples, prediction)


def _one(model: Any, samples: Any, prediction: Any) -> None:
    """The classes of one sample, the most probable first, with a bar for each."""
    import numpy as np
    from rich.text import Text

    from .console import is_terminal, out, plain, shortened

    console, p = out(), prediction.probabilities[0]
    if samples.names is not None:
        console.print(samples.names[0], style="bold", soft_wrap=True)
    order = np.argsort(-p, kind="stable")[:_CLASSES]
    names = [shortened(model.classes[k], _NAME if not is_terminal() else max(8, console.width // 2)) for k in order]
    width = max(map(len, names))
    for name, k in zip(names, order, strict=True):
        line = Text(f"  {name.ljust(width)}  {100 * p[k]:5.1f} %  ", style="bold" if k == order[0] else "")
        room = max(1, min(_BAR, console.width - len(line) - 1))
        console.print(line.append("━" * round(room * float(p[k])), style="cyan"), soft_wrap=True)
    if len(p) > _CLASSES:
        plain(f"  and {len(p) - _CLASSES} less probable classes")


def _several(model: Any, samples: Any, prediction: Any) -> None:
    """The first samples, with as many of the given columns as fit; what was true is the most useful one to see beside."""
    import numpy as np
    from rich.cells import cell_len

    from .console import out, table

    name = f"predicted_{model.target}"
    new = {name: [_short(v) for v in prediction.values[:_PREVIEW].tolist()]}
    if prediction.probabilities is not None:
        p = prediction.probabilities[:_PREVIEW]
        new["probability"] = [f"{row.max():.3f}" for row in p]
        if len(model.classes) > 2:
            second = [int(np.argsort(-row, kind="stable")[1]) for row in p]
            new["next"] = [f"{_short(model.classes[k])} {row[k]:.3f}" for k, row in zip(second, p, strict=True)]
    only = len(samples.columns()) == 1
    given = {n: [_short(v, _NAME if only else _CELL) for v in cells[:_PREVIEW]] for n, cells in samples.columns().items()}
    if not only and "next" in new:
        del new["next"]

    def width(n: str, cells: Sequence[str]) -> int:
        return max(cell_len(text) for text in (n, *cells)) + 2

    room = out().width - 4 - sum(width(n, cells) for n, cells in new.items())
    kept = set()
    for n in sorted(given, key=lambda n: n != model.target):
        if only or width(n, given[n]) <= room:
            room -= width(n, given[n])
            kept.add(n)
    columns = {n: cells for n, cells in given.items() if n in kept} | {
        (n if n not in kept else f"{n}_2"): c for n, c in new.items()
    }
    numbers = [str(i + 1) for i in range(len(new[name]))]
    table(("row", *columns), list(zip(numbers, *columns.values(), strict=True)), left=2 if only else 0)
    more = samples.count - _PREVIEW
    text = f"{more:,} more {model.noun[more != 1]}. " if more > 0 else ""
    out().print(f"{text}Write all of them, with all columns, to a file: -o out.csv")


def _short(value: Any, most: int = _CELL) -> str:
    from .console import shortened

    text = "" if value is None or value != value else f"{value:.6g}" if isinstance(value, float) else str(value)
    return shortened(text, most)
