"""``chainrule read``: prints what is written on pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["read"]


def read(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="Model that chainrule train --task detect-text --reader, or --task read, saved."
        ),
    ],
    pages: Annotated[list[Path], typer.Argument(metavar="PAGE...", help="Pictures of pages, or of single lines.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to draw the page with the boxes of its lines (.png, .jpg); of several pages a folder. A .csv file "
            "gets texts and boxes instead.",
        ),
    ] = None,
) -> None:
    """Print the text of pages in reading order, line by line.

    A model of pages (--task detect-text) finds the lines as it learned to, and its reader reads them. A model of lines alone
    finds them by where there is ink, so pages should be printed, level and evenly lit.
    """
    from ..errors import ParameterError
    from ..tasks import load
    from ..tasks.lines import LineModel
    from ..tasks.pages import PageModel
    from . import predictions_file
    from .console import out, plain, waiting
    from .sources import resolve

    with waiting(f"Reading {model} ..."):
        loaded = load(resolve(model))
    if isinstance(loaded, PageModel) and loaded.reader is None:
        raise ParameterError(
            f"{model} finds lines and cannot read them: it was trained without a reader. Train it with --reader "
            "LINES, a model "
            "that --task read made; chainrule predict shows the lines."
        )
    if not isinstance(loaded, (LineModel, PageModel)):
        raise ParameterError(
            f"{model} holds a {type(loaded).__name__}, which does not read text. Train one with --task read."
        )
    csv = output is not None and output.suffix.lower() == ".csv"
    if output is not None and not csv:
        places = _places(output, pages)
    columns: dict[str, list[Any]] = {name: [] for name in ("page", "text", "left", "top", "right", "bottom", "probability")}
    for number, page in enumerate(pages):
        with waiting(f"Reading {page} ..."):
            found = loaded.read_page(resolve(page))
        if len(pages) > 1:
            out().print(str(page), style="bold", soft_wrap=True)
        for line in found:
            plain(line.text)
            for name, value in zip(columns, (str(page), line.text, *line.box, round(line.probability, 6)), strict=True):
                columns[name].append(value)
        if output is not None and not csv:
            _draw(page, found, places[number])
    if output is not None:
        if csv:
            with predictions_file.writer(output) as write:
                write(columns)
        out().print(f"Wrote {output}", style="bold green", soft_wrap=True)


def _places(output: Path, pages: list[Path]) -> list[Path]:
    """Where each page is drawn: the file, or in a folder of this name."""
    from ..errors import ParameterError

    if output.suffix:
        if len(pages) > 1:
            raise ParameterError(
                f"--output {output} is one file, and there are {len(pages)} pages. Give a folder, such as out/."
            )
        if output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            raise ParameterError(f"--output must be a .png, .jpg or .csv file, or a folder. Got {output}.")
        return [output]
    output.mkdir(parents=True, exist_ok=True)
    return [output / f"{page.stem}.png" for page in pages]


def _draw(page: Path, found: list[Any], place: Path) -> None:
    from PIL import Image

    from ..pages import drawn_lines

    Image.fromarray(drawn_lines(page, found)).save(place)
