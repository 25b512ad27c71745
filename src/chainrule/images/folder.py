"""Folders of pictures: one folder for each class, or pictures alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import ImageError
from .picture import SUFFIXES

__all__ = ["PARTS", "class_folders", "picture_files"]

#: Names of folders that are parts of a data set rather than classes.
PARTS = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_KINDS = "PNG, JPEG, BMP, GIF, WebP or TIFF"


def picture_files(folder: str | os.PathLike[str]) -> list[Path]:
    """All pictures below a folder, sorted by name; hidden files and what is not named like a picture are passed over.

    Links to folders are followed, but not to those that the folder itself lies in.

    Raises      ImageError when the folder does not exist or may not be read
    """
    return _pictures(_checked(folder), set())


def class_folders(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """{class: its pictures}, from a folder that has one folder for each class; sorted by name.

    Pictures may lie in further folders inside a class.

    Raises      ImageError, naming the folder: it does not exist, has no class folders, only folders such as train and
                test, or a class without pictures
    """
    place = _checked(folder)
    above = _above(place)
    names = sorted(e.name for e in os.scandir(place) if _shown(e.name) and _is_folder(e) and _identity(e.path) not in above)
    if not names:
        loose = len(picture_files(place))
        found = f"{loose:,} picture{'s' * (loose != 1)} but no folders" if loose else "no folders"
        raise ImageError(
            f"{place}: expected one folder for each class, with its pictures inside, such as {place}/cat/1.jpg and "
            f"{place}/dog/1.jpg; found {found}."
        )
    if all(name.lower() in PARTS for name in names):
        raise ImageError(
            f"{place}: {', '.join(names)} look like the parts of a data set, not like classes. "
            f"Give one of them, such as {place / names[0]}."
        )
    folders = {name: _identity(place / name) for name in names}
    first_of: dict[tuple[int, int], str] = {}
    for name, folder_identity in folders.items():
        other = first_of.setdefault(folder_identity, name)
        if other != name:
            raise ImageError(
                f"{place / name}: the classes {other!r} and {name!r} are one folder, so every picture would belong to both. "
                "Remove the link."
            )
    # A link from one class into another, or back to the whole, would count pictures of one class for the other.
    found_in = {name: _pictures(place / name, set(folders.values()) - {folders[name]}) for name in names}
    empty = [name for name, files in found_in.items() if not files]
    if empty:
        more = f" ({len(empty)} such classes: {', '.join(empty[:5])}{', ...' * (len(empty) > 5)})" if len(empty) > 1 else ""
        raise ImageError(
            f"{place / empty[0]}: the folder of class {empty[0]!r} holds no picture ({_KINDS}){more}. "
            "Put pictures into it, or remove it."
        )
    return found_in


def _checked(folder: str | os.PathLike[str]) -> Path:
    place = Path(folder)
    if not os.path.exists(place):
        raise ImageError(f"{place}: there is no such folder.")
    if not place.is_dir():
        raise ImageError(f"{place}: expected a folder, got a file.")
    if not os.access(place, os.R_OK | os.X_OK):
        raise ImageError(f"{place}: the folder may not be read: permission denied.")
    return place


def _shown(name: str) -> bool:
    return not name.startswith((".", "__MACOSX"))


Identity = tuple[int, int]


def _identity(folder: str | os.PathLike[str]) -> Identity:
    """What tells a folder from others, by whatever links it is reached."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _above(folder: Path) -> set[Identity]:
    """The folder and all that it lies in."""
    place = folder.resolve()
    return {_identity(above) for above in (place, *place.parents)}


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _pictures(folder: Path, never: set[Identity]) -> list[Path]:
    """The pictures below a folder, sorted; ``never`` are folders that no link may lead into."""
    seen = never | (_above(folder) - {_identity(folder)})
    return sorted(_walk(folder, seen), key=lambda path: path.as_posix())


def _walk(folder: Path, seen: set[Identity]) -> Iterator[Path]:
    """Pictures below a folder; a folder reached twice through links is entered once."""
    identity = _identity(folder)
    if identity in seen:
        return
    seen.add(identity)
    for entry in os.scandir(folder):
        if not _shown(entry.name):
            continue
        if _is_folder(entry):
            yield from _walk(Path(entry.path), seen)
        elif entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path)
