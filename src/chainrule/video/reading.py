"""Frames of a video: from a folder of pictures, a GIF, or an MP4, AVI and the like, one after the other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, MissingDependencyError
from ..images import picture_files, read_picture
from ..images.picture import MAX_PIXELS, SUFFIXES

__all__ = ["ANIMATIONS", "VIDEOS", "frames", "is_video", "natural_order", "read_clip"]

Frame = NDArray[np.uint8]
#: Files whose frames Pillow reads, and those that PyAV reads.
ANIMATIONS = (".gif", ".webp", ".apng")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


def natural_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """A key that sorts frame2 before frame10."""
    return tuple((0, int(part)) if part.isdigit() else (1, part.lower()) for part in re.split(r"(\d+)", name) if part)


def is_video(path: Path) -> bool:
    """Whether a file is named like a video."""
    return path.suffix.lower() in ANIMATIONS + VIDEOS


def frames(place: str | os.PathLike[str], *, channels: int = 3) -> Iterator[Frame]:
    """The frames of a video in order, each (H, W, channels) uint8; only one is in memory at a time.

    Parameters  place : a folder of pictures, in the order of their names with numbers as numbers ; an animated GIF or WebP ;
                or a video file, which needs PyAV (``pip install 'chainrule[video]'``) ; channels : 3 or 1
    Raises      ImageError, naming the file, when it is missing, empty, damaged, no video, or frames differ in size ;
                MissingDependencyError without PyAV

    Example
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> for i in range(3):
        ...     Image.new("RGB", (8, 6), (i, i, i)).save(folder / f"{i}.png")
        >>> [int(frame[0, 0, 0]) for frame in frames(folder)]
        [0, 1, 2]
    """
    path = Path(place)
    if not path.exists():
        raise ImageError(f"{path}: there is no such file or folder.")
    if path.is_dir():
        source = _from_folder(path, channels)
    elif path.suffix.lower() in ANIMATIONS:
        source = _from_animation(path, channels)
    elif path.suffix.lower() in SUFFIXES:
        raise ImageError(f"{path}: expected a video, got one picture. Give the folder with all frames.")
    else:
        source = _from_video(path, channels)
    shape: tuple[int, ...] | None = None
    for number, frame in enumerate(source):
        if shape is not None and frame.shape != shape:
            raise ImageError(
                f"{path}: frame {number} has {frame.shape[0]} × {frame.shape[1]} pixels (height × width), the first has "
                f"{shape[0]} × {shape[1]}. All frames of a video need one size."
            )
        shape = frame.shape
        yield frame
    if shape is None:
        raise ImageError(f"{path}: there is no frame in it.")


def read_clip(place: str | os.PathLike[str], *, channels: int = 3, most: int | None = None) -> Frame:
    """All frames of a video (T, H, W, channels). Parameters  most : frames to read ; others : as of ``frames``"""
    found: list[Frame] = []
    for frame in frames(place, channels=channels):
        found.append(frame)
        if sum(one.size for one in found[:1]) * len(found) > 8 * MAX_PIXELS:
            raise ImageError(f"{os.fspath(place)}: its frames take more than {8 * MAX_PIXELS:,} bytes. Cut it into clips.")
        if most is not None and len(found) >= most:
            break
    return np.stack(found)


def _from_folder(folder: Path, channels: int) -> Iterator[Frame]:
    files = sorted(picture_files(folder), key=lambda path: natural_order(path.relative_to(folder).as_posix()))
    for file in files:
        yield read_picture(file, channels=channels)


def _from_animation(path: Path, channels: int) -> Iterator[Frame]:
    try:
        from PIL import Image, ImageSequence
    except ImportError as error:
        raise MissingDependencyError("Pillow", "Reading animated pictures", extra="images") from error
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(f"{path}: refused: it claims {image.height:,} × {image.width:,} pixels a frame.")
            for frame in ImageSequence.Iterator(image):
                pixels = np.asarray(frame.convert("L" if channels == 1 else "RGB"), np.uint8)
                yield pixels.reshape(*pixels.shape[:2], channels)
    except ImageError:
        raise
    except Exception as error:  # what the decoders raise for damaged data is not one kind of error
        raise ImageError(f"{path}: it is no animation that can be read ({str(error) or type(error).__name__}).") from error


def _from_video(path: Path, channels: int) -> Iterator[Frame]:
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError("av", f"Reading the video {path}", extra="video") from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ImageError(f"{path}: there is no picture in it, only sound.")
            stream: Any = container.streams.video[0]
            if stream.width * stream.height > MAX_PIXELS:
                raise ImageError(f"{path}: refused: it claims {stream.height:,} × {stream.width:,} pixels a frame.")
            for frame in container.decode(stream):
                pixels = frame.to_ndarray(format="gray" if channels == 1 else "rgb24")
                yield np.asarray(pixels, np.uint8).reshape(*pixels.shape[:2], channels)
    except ImageError:
        raise
    except Exception as error:  # PyAV has an error class for every code of FFmpeg
        raise ImageError(f"{path}: it is no video that can be read ({str(error) or type(error).__name__}).") from error
