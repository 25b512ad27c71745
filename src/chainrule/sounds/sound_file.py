"""Sound files as arrays of one channel at one sampling rate.

WAV files of whole numbers are read by Python's own library where soundfile is not installed; all others need it. Both belong
to the extra "sound", with soxr for files of another sampling rate.
"""

from __future__ import annotations

import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import MissingDependencyError, SoundError
from ..images.folder import Kind

__all__ = ["SOUNDS", "rate_of", "read_sound", "resample"]

Floats = NDArray[np.float32]
_RATE = Interval(float, 1, hint="It is samples a second.")
#: Files that are taken for sound.
SOUNDS = Kind(
    "sound", (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au"), "WAV, FLAC, OGG, MP3, AIFF or AU", SoundError
)


def read_sound(path: str | os.PathLike[str], *, rate: float | None = None) -> tuple[Floats, float]:
    """(samples, rate): one channel in −1 ... 1, the mean of all channels of the file, and samples a second.

    Parameters  path : a file that soundfile reads (WAV of 8, 16, 24 or 32 bits or floats, FLAC, OGG, MP3, ...)
                rate : samples a second that are wanted; sound of another rate is resampled. None for that of the file
    Raises      SoundError, naming the file: it is missing, a folder, empty, cut short, no sound, or has samples that are no
                numbers ; MissingDependencyError where a library of the extra "sound" is needed ; ParameterError for a rate
    """
    if rate is not None:
        _RATE.check("read_sound", "rate", rate)
    place = Path(path)
    _check_file(place)
    samples, own = _read(place)
    if not len(samples):
        raise SoundError(f"{place}: the file holds no sound, 0 samples. Leave it out.")
    good = np.isfinite(samples)
    if not good.all():
        at = int(np.argwhere(~good)[0][0])
        raise SoundError(
            f"{place}: sample {at} is {samples[at].ravel()[~good[at].ravel()][0]}, no finite number "
            f"({int((~good).sum())} such samples). Write the file again, or leave it out."
        )
    mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim == 2 else samples
    if rate is None or rate == own:
        return np.ascontiguousarray(mono, np.float32), float(own)
    return resample(mono, own, rate), float(rate)


def resample(samples: Any, rate: float, wanted: float) -> Floats:
    """Sound at another sampling rate, by soxr in its high quality. Parameters  samples : (T,) ; rate, wanted : a second

    Raises      MissingDependencyError without soxr (the extra "sound") ; ParameterError for rates below 1
    """
    for name, value in (("rate", rate), ("wanted", wanted)):
        _RATE.check("resample", name, value)
    try:
        import soxr
    except ImportError as error:
        raise MissingDependencyError("soxr", f"sound at {rate:g} Hz for a model at {wanted:g} Hz", "sound") from error
    found: Floats = np.asarray(soxr.resample(np.asarray(samples, np.float32), rate, wanted), np.float32)
    # A sound of a few samples may become one of none.
    return found if len(found) else np.asarray(samples, np.float32)[:1]


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


def _read(place: Path) -> tuple[NDArray[np.float32], float]:
    """The samples (T,) or (T, channels), and the rate."""
    try:
        import soundfile
    except ImportError as error:
        if place.suffix.lower() != ".wav":
            raise MissingDependencyError("soundfile", f"reading {place.name}", "sound") from error
        return _read_wave(place, error)
    try:
        samples, rate = soundfile.read(str(place), dtype="float32", always_2d=False)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError, OSError) as error:
        raise SoundError(f"{place}: the file cannot be read as sound ({SOUNDS.formats}): {error}") from error
    return samples, float(rate)


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
    place = Path(path)
    _check_file(place)
    try:
        import soundfile
    except ImportError:
        return read_sound(place)[1]
    try:
        return float(soundfile.info(str(place)).samplerate)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError, OSError) as error:
        raise SoundError(f"{place}: the file cannot be read as sound ({SOUNDS.formats}): {error}") from error
