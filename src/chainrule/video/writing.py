"""Frames written: as pictures in a folder, as an animated GIF, or as a video file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, MissingDependencyError, ParameterError
from .reading import VIDEOS

__all__ = ["write_frames"]


def write_frames(place: str | os.PathLike[str], frames: Iterable[NDArray[np.uint8]], *, rate: float = 10.0) -> int:
    """Writes frames (H, W, 3), (H, W, 1) or (H, W) of uint8 to a .gif, a video such as .mp4, or a folder of PNG files.

    Parameters  rate : frames a second, of a file
    Returns     how many frames were written
    Raises      ImageError without a frame ; ParameterError for another ending, a folder that does not exist, and a file that
                cannot be written ; MissingDependencyError without PyAV
    """
    path, suffix = Path(place), Path(place).suffix.lower()
    if not suffix or path.is_dir():
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ParameterError(f"the folder {str(path)!r} cannot be made: {error.strerror}.") from error
        return _folder(path, frames)
    if suffix == ".gif" or suffix in VIDEOS:
        if not path.parent.is_dir():
            raise ParameterError(f"{path} cannot be written: there is no folder {str(path.parent)!r}. Make it first.")
        try:
            return _gif(path, frames, rate) if suffix == ".gif" else _video(path, frames, rate)
        except OSError as error:  # of PyAV, too
            raise ParameterError(f"{path} cannot be written: {error.strerror or error}.") from error
    raise ParameterError(f"frames are written to a folder, a .gif or a video such as .mp4. Got {str(path)!r}.")


def _image(frame: NDArray[np.uint8]) -> Any:
    from PIL import Image

    pixels = np.asarray(frame, np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _first(frames: Iterable[NDArray[np.uint8]], path: Path) -> Iterator[NDArray[np.uint8]]:
    waiting = iter(frames)
    try:
        first = next(waiting)
    except StopIteration:
        raise ImageError(f"{path}: there is no frame to write.") from None
    return chain([first], waiting)


def _folder(path: Path, frames: Iterable[NDArray[np.uint8]]) -> int:
    count = 0
    for count, frame in enumerate(_first(frames, path), 1):
        _image(frame).save(path / f"{count:06d}.png")
    return count


def _gif(path: Path, frames: Iterable[NDArray[np.uint8]], rate: float) -> int:
    images = [
        _image(frame).convert("P" if np.ndim(frame) == 3 and frame.shape[2] == 3 else "L") for frame in _first(frames, path)
    ]
    images[0].save(path, save_all=True, append_images=images[1:], duration=round(1000 / rate), loop=0)
    return len(images)


def _video(path: Path, frames: Iterable[NDArray[np.uint8]], rate: float) -> int:
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError("av", f"Writing the video {path}", extra="video") from error
    from fractions import Fraction

    count = 0
    with av.open(str(path), "w") as container:
        stream: Any = None
        for frame in _first(frames, path):
            count += 1
            picture = np.asarray(_image(frame).convert("RGB"))
            picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]  # the usual codecs need even sides
            if stream is None:
                stream = container.add_stream("mpeg4", rate=Fraction(rate).limit_denominator(1000))
                stream.height, stream.width, stream.pix_fmt = picture.shape[0], picture.shape[1], "yuv420p"
                stream.bit_rate = 4_000_000
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return count
