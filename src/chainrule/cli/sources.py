"""Where data come from: a file, a folder, or a pipe. What comes through a pipe is kept in a temporary file meanwhile."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

__all__ = ["STANDARD_INPUT", "clean_up", "display_name", "resolve"]

STANDARD_INPUT = "-"
#: How files begin, and the endings of their names; everything else is taken for a text table.
_BEGINNINGS = {
    b"PAR1": ".parquet", b"PK\x03\x04": ".npz", b"\x1f\x8b": ".csv.gz",
    b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif",
}  # fmt: skip
_folder: Path | None = None
_read_standard_input = False


def resolve(typed: str | Path) -> Path:
    """The path of a file that can be read from its beginning more than once.

    Parameters  typed : the path of a file or folder, which is given back ; "-" for standard input ; a pipe, such as the one
                of ``<(command)`` in a shell
    Raises      DataError when standard input is empty, or asked for twice
    """
    from ..errors import DataError

    global _read_standard_input
    if str(typed) == STANDARD_INPUT:
        if _read_standard_input:
            raise DataError("Standard input can be read once, and - stands for it twice. Give a file for one of them.")
        _read_standard_input = True
        if sys.stdin is None:
            raise DataError("- stands for standard input, and this process has none. Give a file.")
        if sys.stdin.isatty():
            print("Reading from the keyboard; Ctrl-D at the beginning of a line ends the input.", file=sys.stderr)
        return _copy_to_temporary_file(sys.stdin.buffer, "standard-input")
    path = Path(typed)
    try:
        piped = stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):  # whoever reads the file says why it cannot be read
        return path
    if not piped:
        return path
    with path.open("rb") as stream:
        return _copy_to_temporary_file(cast(BinaryIO, stream), path.name.split(".")[0] or "pipe")


def _copy_to_temporary_file(stream: BinaryIO, name: str) -> Path:
    """A file with everything that comes through the stream."""
    from ..errors import DataError

    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="chainrule-"))
    beginning = stream.read(8)
    if not beginning:
        raise DataError("Standard input is empty." if name == "standard-input" else f"The pipe {name!r} is empty.")
    suffix = next((end for mark, end in _BEGINNINGS.items() if beginning.startswith(mark)), ".csv")
    place = _folder / f"{name}{suffix}"
    with place.open("wb") as file:
        file.write(beginning)
        shutil.copyfileobj(stream, file)
    return place


def display_name(text: str) -> str:
    """The text with files that came through a pipe named without their temporary folder."""
    return text if _folder is None else text.replace(f"{_folder}/", "")


def clean_up() -> None:
    """Deletes what was kept."""
    global _folder, _read_standard_input
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)
    _folder, _read_standard_input = None, False
