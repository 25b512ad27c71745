"""Sound files as arrays of one channel at one sampling rate.

WAV files of whole numbers are read by Python's own library where soundfile is not installed; all others need it. Both belong
to the extra "sound", with soxr for files of another sampling rate.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..data.memory import memory_limit
from ..errors import MissingDependencyError, SoundError
from ..images.folder import Kind

__all__ = ["SOUNDS", "rate_of", "read_sound", "resample", "sound_blocks"]

Floats = NDArray[np.float32]
_RATE = Interval(float, 1, hint="It is samples a second.")
#: Samples of all channels that are read at a time.
_BLOCK = 1 << 20
#: Files that are taken for sound.
SOUNDS = Kind(
    "sound", (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au"), "WAV, FLAC, OGG, MP3, AIFF or AU", SoundError
)


def read_sound(
    path: str | os.PathLike[str], *, rate: float | None = None, max_memory: int | None = None
) -> tuple[Floats, float]:
    """(samples, rate): one channel in −1 ... 1, the mean of all channels of the file, and samples a second.

    Parameters  path : a file that soundfile reads (WAV of 8, 16, 24 or 32 bits or floats, FLAC, OGG, MP3, ...)
                rate : samples a second that are wanted; sound of another rate is resampled. None for that of the file
                max_memory : the most bytes that the samples may take, None for a quarter of the machine's memory
    Raises      SoundError, naming the file: it is missing, a folder, empty, cut short, too large, no sound, or has samples
                that are no numbers ; MissingDependencyError where a library of the extra "sound" is needed ;
                ParameterError for a rate
    """
    if rate is not None:
        _RATE.check("read_sound", "rate", rate)
    most, held = memory_limit(max_memory), 0
    own, blocks = _opened(Path(path))
    parts = []
    for block in blocks:
        held += block.nbytes
        if held > most:
            raise SoundError(
                f"{os.fspath(path)}: the sound takes more than {most:,} bytes of memory. Cut it into parts, or hear it in "
                f"windows (--window)."
            )
        parts.append(block)
    mono = np.concatenate(parts)
    return (mono, own) if rate is None or rate == own else (resample(mono, own, rate), float(rate))


def sound_blocks(path: str | os.PathLike[str], *, rate: float) -> Iterator[Floats]:
    """A file of any length in blocks of some seconds, one channel at this rate, so that the whole need not be in memory.

    Parameters and errors as of ``read_sound``
    """
    _RATE.check("sound_blocks", "rate", rate)
    own, blocks = _opened(Path(path))
    if own == rate:
        yield from blocks
        return
    stream = _soxr(own, rate).ResampleStream(own, rate, 1, dtype="float32")
    count, first = 0, np.zeros(1, np.float32)
    for block in blocks:
        first = first if count else block[:1]
        found = stream.resample_chunk(block)
        count += len(found)
        yield found
    found = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    # A sound of a few samples may become one of none.
    yield found if count + len(found) else first


def resample(samples: Any, rate: float, wanted: float) -> Floats:
    """Sound at another sampling rate, by soxr in its high quality. Parameters  samples : (T,) ; rate, wanted : a second

    Raises      MissingDependencyError without soxr (the extra "sound") ; ParameterError for rates below 1
    """
    for name, value in (("rate", rate), ("wanted", wanted)):
        _RATE.check("resample", name, value)
    found: Floats = np.asarray(_soxr(rate, wanted).resample(np.asarray(samples, np.float32), rate, wanted), np.float32)
    # A sound of a few samples may become one of none.
    return found if len(found) else np.asarray(samples, np.float32)[:1]


def _soxr(rate: float, wanted: float) -> Any:
    try:
        import soxr
    except ImportError as error:
        raise MissingDependencyError("soxr", f"sound at {rate:g} Hz for a model at {wanted:g} Hz", "sound") from error
    return soxr


def _check_file(place: Path) -> None:
    if not place.exists():
        raise SoundError(f"{place}: there is no such file.")
    if place.is_dir():
        raise SoundError(f"{place}: expected a sound file, got a folder.")
    if not os.access(place, os.R_OK):
        raise SoundError(f"{place}: the file may not be read: permission denied.")
    size = place.stat().st_size
    if not size:
        raise SoundError(f"{place}: the file is empty (0 bytes).")
    with place.open("rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        said = int.from_bytes(head[4:8], "little") + 8
        # Programs that write to a pipe do not know the length, and leave 0 or the largest number there.
        if size < said < 2**31 - 64:
            raise SoundError(f"{place}: the file is cut short: it has {size:,} of the {said:,} bytes that its head tells.")


def _opened(place: Path) -> tuple[float, Iterator[Floats]]:
    """(the rate, blocks of one channel, checked) of a file."""
    _check_file(place)
    try:
        import soundfile
    except ImportError as error:
        if place.suffix.lower() != ".wav":
            raise MissingDependencyError("soundfile", f"reading {place.name}", "sound") from error
        samples, rate = _read_wave(place, error)
        return rate, _checked(place, iter([samples]))
    with _errors_named(place, soundfile):
        file = soundfile.SoundFile(str(place))
        if not file.samplerate >= 1:
            raise SoundError(f"{place}: its head tells a rate of {file.samplerate} samples a second.")
    return float(file.samplerate), _checked(place, _blocks(place, soundfile, file))


def _blocks(place: Path, soundfile: Any, file: Any) -> Iterator[NDArray[np.float32]]:
    # The head of a file may claim any length, so memory is taken for what there really is.
    size = max(1, _BLOCK // max(1, file.channels))
    with file:
        while True:
            with _errors_named(place, soundfile):
                block = file.read(size, dtype="float32")
            if not len(block):
                return
            yield block


def _checked(place: Path, blocks: Iterator[NDArray[np.float32]]) -> Iterator[Floats]:
    """The blocks as one channel. Raises  SoundError for samples that are no numbers, and where there are none at all"""
    count = 0
    for block in blocks:
        good = np.isfinite(block)
        if not good.all():
            at = int(np.argwhere(~good)[0][0])
            raise SoundError(
                f"{place}: sample {count + at} is {block[at].ravel()[~good[at].ravel()][0]}, no finite number "
                f"({int((~good).sum())} such samples). Write the file again, or leave it out."
            )
        count += len(block)
        if len(block):
            mono = block.mean(axis=1, dtype=np.float32) if block.ndim == 2 else block
            yield np.ascontiguousarray(mono, np.float32)
    if not count:
        raise SoundError(f"{place}: the file holds no sound, 0 samples. Leave it out.")


@contextmanager
def _errors_named(place: Path, soundfile: Any) -> Iterator[None]:
    try:
        yield
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError, OSError, MemoryError) as error:
        raise SoundError(f"{place}: the file cannot be read as sound ({SOUNDS.formats}): {error}") from error


def _read_wave(place: Path, missing: ImportError) -> tuple[NDArray[np.float32], float]:
    """A WAV file of whole numbers, by Python's own library."""
    try:
        with wave.open(str(place), "rb") as file:
            channels, width, rate, count = file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()
            data = np.frombuffer(file.readframes(count), np.uint8)
    except wave.Error as error:
        if "unknown format" in str(error):
            raise MissingDependencyError(
                "soundfile", f"reading {place.name}, which holds no whole numbers", "sound"
            ) from missing
        raise SoundError(f"{place}: the file cannot be read as sound: {error}") from error
    except (EOFError, OSError) as error:
        raise SoundError(f"{place}: the file cannot be read as sound: it ends too soon. {error}") from error
    data = data[: len(data) // (width * channels) * width * channels].reshape(-1, width)
    if width == 1:
        whole = (data[:, 0].astype(np.int64) - 128) << 24
    else:
        padded = np.zeros((len(data), 4), np.uint8)
        padded[:, 4 - width :] = data
        whole = padded.view("<i4")[:, 0].astype(np.int64)
    samples = (whole / 2.0**31).astype(np.float32)
    return samples if channels == 1 else samples.reshape(-1, channels), float(rate)


def rate_of(path: str | os.PathLike[str]) -> float:
    """The sampling rate of a file, from its beginning alone. Raises  as ``read_sound``"""
    return _opened(Path(path))[0]
