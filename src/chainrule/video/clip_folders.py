"""Folders of clips: one folder for each class, and in it videos, or folders of frames."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import ImageError
from ..images.folder import PARTS
from ..images.picture import SUFFIXES
from .reading import ANIMATIONS, VIDEOS

__all__ = ["clip_folders", "holds_clips"]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    return sorted(
        (entry for entry in os.scandir(folder) if not entry.name.startswith((".", "__MACOSX"))), key=lambda e: e.name
    )


def holds_clips(folder: Path) -> bool:
    """Whether a folder has class folders with clips: videos, or only folders whose pictures are numbered frames.

    A part such as ``train`` counts as well. Nothing is decoded, and of large folders only the beginning is looked at.
    """
    classes = [Path(entry.path) for entry in _entries(folder) if entry.is_dir()][:20]
    if any(place.name.lower() in PARTS for place in classes):
        return any(holds_clips(place) for place in classes if place.name.lower() in PARTS)
    return bool(classes) and all(_is_class_of_clips(place) for place in classes)


def _is_class_of_clips(folder: Path) -> bool:
    inside = _entries(folder)[:50]
    if any(entry.is_file() and entry.name.lower().endswith(VIDEOS) for entry in inside):
        return True
    pictures = [entry for entry in inside if entry.is_file() and entry.name.lower().endswith(SUFFIXES)]
    if pictures:
        return all(entry.name.lower().endswith(ANIMATIONS) and _moves(Path(entry.path)) for entry in pictures[:5])
    clips = [Path(entry.path) for entry in inside if entry.is_dir()]
    return bool(clips) and all(_is_sequence(clip) for clip in clips[:5])


def _moves(path: Path) -> bool:
    try:
        from PIL import Image

        with Image.open(path) as image:
            return getattr(image, "n_frames", 1) > 1
    except Exception:  # whoever reads the file says what is wrong with it
        return False


def _is_sequence(folder: Path) -> bool:
    """Whether the pictures of a folder have one name with a number that counts."""
    names = [entry.name for entry in _entries(folder) if entry.is_file() and entry.name.lower().endswith(SUFFIXES)]
    stems = {re.sub(r"\d+", "#", name) for name in names}
    numbers = [int(found[-1]) for name in names if (found := re.findall(r"\d+", name))]
    whole = len(names) >= 2 and len(stems) == 1 and len(numbers) == len(names)
    return whole and max(numbers) - min(numbers) == len(names) - 1


def clip_folders(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """{class: its clips}, sorted by name; a clip is a video, an animated GIF, or a folder of frames.

    Raises      ImageError: no such folder, no class folders, a class without a clip
    """
    place = Path(folder)
    if not place.is_dir():
        raise ImageError(f"{place}: there is no such folder.")
    found: dict[str, list[Path]] = {}
    for entry in _entries(place):
        if not entry.is_dir():
            continue
        clips = [
            Path(one.path) for one in _entries(Path(entry.path))
            if one.is_dir() or one.name.lower().endswith(VIDEOS + ANIMATIONS)
        ]  # fmt: skip
        if not clips:
            raise ImageError(
                f"{entry.path}: the folder of class {entry.name!r} holds no clip. Put videos, or folders of frames, into it."
            )
        found[entry.name] = clips
    if not found:
        raise ImageError(
            f"{place}: expected one folder for each class with clips inside, such as {place}/wave/1.mp4 or {place}/wave/1/"
            "001.png; found none."
        )
    return found
