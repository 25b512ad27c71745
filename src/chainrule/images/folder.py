"""Folders of pictures, or of other files: one folder for each class, or files alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, ImageError
from .picture import SUFFIXES

__all__ = ["PARTS", "PICTURES", "Kind", "class_folders", "files_of_kind", "own_parts", "picture_files"]

#: Names of folders that are parts of a data set rather than classes.
PARTS = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Files of one kind, such as pictures.

    Parameters  noun : one of them ; suffixes : that their names end in ; formats : in words ; error : what is raised
    """

    noun: str
    suffixes: tuple[str, ...]
    formats: str
    error: type[DataError]


PICTURES = Kind("picture", SUFFIXES, "PNG, JPEG, BMP, GIF, WebP or TIFF", ImageError)


def picture_files(folder: str | os.PathLike[str]) -> list[Path]:
    """All pictures below a folder. As ``files_of_kind``; raises ImageError"""
    return files_of_kind(folder, PICTURES)


def own_parts(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The folders of a data set that is divided, by "train", "validation" and "test"; empty where the part to train on is
    missing, or there are other folders."""
    place = Path(folder)
    inside = [p for p in place.iterdir() if p.is_dir() and _shown(p.name)] if place.is_dir() else []
    parts = {PARTS[p.name.lower()]: p for p in inside if p.name.lower() in PARTS}
    return parts if "train" in parts and all(p.name.lower() in PARTS for p in inside) else {}


def files_of_kind(folder: str | os.PathLike[str], kind: Kind) -> list[Path]:
    """All files of a kind below a folder, sorted by name; hidden files and what is named otherwise are passed over.

    Links to folders are followed, but not to those that the folder itself lies in.

    Raises      the kind's error when the folder does not exist or may not be read
    """
    return _files(_checked(folder, kind), set(), kind)


def class_folders(folder: str | os.PathLike[str], kind: Kind = PICTURES) -> dict[str, list[Path]]:
    """{class: its files}, from a folder that has one folder for each class; sorted by name.

    Files may lie in further folders inside a class.

    Raises      the kind's error, naming the folder: it does not exist, has no class folders, only folders such as train and
                test, or a class without files
    """
    place = _checked(folder, kind)
    above = _above(place)
    names = sorted(e.name for e in os.scandir(place) if _shown(e.name) and _is_folder(e) and _identity(e.path) not in above)
    if not names:
        ending = kind.suffixes[0]
        loose = len(files_of_kind(place, kind))
        found = f"{loose:,} {kind.noun}{'s' * (loose != 1)} but no folders" if loose else "no folders"
        raise kind.error(
            f"{place}: expected one folder for each class, with its {kind.noun}s inside, such as "
            f"{place}/dog/1{ending}; found {found}."
        )
    if all(name.lower() in PARTS for name in names):
        raise kind.error(
            f"{place}: {', '.join(names)} look like the parts of a data set, not like classes. "
            f"Give one of them, such as {place / names[0]}."
        )
    folders = {name: _identity(place / name) for name in names}
    first_of: dict[tuple[int, int], str] = {}
    for name, folder_identity in folders.items():
        other = first_of.setdefault(folder_identity, name)
        if other != name:
            raise kind.error(
                f"{place / name}: the classes {other!r} and {name!r} are one folder, so every {kind.noun} would belong to "
                "both. Remove the link."
            )
    # A link from one class into another, or back to the whole, would count files of one class for the other.
    found_in = {name: _files(place / name, set(folders.values()) - {folders[name]}, kind) for name in names}
    empty = [name for name, files in found_in.items() if not files]
    if empty:
        more = f" ({len(empty)} such classes: {', '.join(empty[:5])}{', ...' * (len(empty) > 5)})" if len(empty) > 1 else ""
        raise kind.error(
            f"{place / empty[0]}: the folder of class {empty[0]!r} holds no {kind.noun} ({kind.formats}){more}. "
            f"Put {kind.noun}s into it, or remove it."
        )
    return found_in


def _checked(folder: str | os.PathLike[str], kind: Kind) -> Path:
    place = Path(folder)
    if not os.path.exists(place):
        raise kind.error(f"{place}: there is no such folder.")
    if not place.is_dir():
        raise kind.error(f"{place}: expected a folder, got a file.")
    if not os.access(place, os.R_OK | os.X_OK):
        raise kind.error(f"{place}: the folder may not be read: permission denied.")
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


def _files(folder: Path, never: set[Identity], kind: Kind) -> list[Path]:
    """The files of a kind below a folder, sorted; ``never`` are folders that no link may lead into."""
    seen = never | (_above(folder) - {_identity(folder)})
    return sorted(_walk(folder, seen, kind.suffixes), key=lambda path: path.as_posix())


def _walk(folder: Path, seen: set[Identity], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder; a folder reached twice through links is entered once."""
    identity = _identity(folder)
    if identity in seen:
        return
    seen.add(identity)
    for entry in os.scandir(folder):
        if not _shown(entry.name):
            continue
        if _is_folder(entry):
            yield from _walk(Path(entry.path), seen, suffixes)
        elif entry.name.lower().endswith(suffixes):
            yield Path(entry.path)
