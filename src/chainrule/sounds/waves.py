"""Sounds in any form that users have as arrays of samples, and windows over long ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Sequences
from ..errors import DataError, DtypeError, ParameterError, ShapeError, SoundError
from .sound_file import read_sound, resample

__all__ = ["as_waves", "windows_in", "windows_of"]

Floats = NDArray[np.float32]


def as_waves(sounds: Any, rate: float, *, given_rate: float | None = None, name: str = "sounds") -> list[Floats]:
    """Each sound as float32 (T,) in −1 ... 1 at one sampling rate.

    Parameters
        sounds : a list of files and of arrays (T,) or (T, channels), Sequences, or an array (N, T). Whole numbers are taken
            for what their 16 or 32 bits hold, uint8 for 8 bits around 128; floats are as they are
        rate : of the result ; given_rate : of arrays, None for the same. Files know theirs
    Raises      SoundError naming the file ; ShapeError, DtypeError, DataError for arrays that are no sound, each naming it
    """
    if isinstance(sounds, (str, os.PathLike)) or not hasattr(sounds, "__len__"):
        raise DtypeError(f"{name} must be a list of files or arrays. Got {type(sounds).__name__}. For one sound: [sound].")
    if not len(sounds):
        raise DataError(f"{name} has 0 sounds while a minimum of 1 is required.")
    found = []
    for i, one in enumerate(sounds):
        if isinstance(one, (str, os.PathLike)):
            found.append(read_sound(one, rate=rate)[0])
            continue
        wave = _as_wave(one, f"{name}[{i}]")
        found.append(wave if given_rate in (None, rate) else resample(wave, given_rate, rate))
    return found


def _as_wave(one: Any, where: str) -> Floats:
    array = np.asarray(one)
    if array.dtype.kind not in "iuf":
        raise DtypeError(f"{where} must be samples of sound, numbers (T,). Got {array.dtype}.")
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] > 32):
        raise ShapeError(f"{where} must be samples (T,), or (T, channels) with at most 32 channels. Got {array.shape}.")
    if not len(array):
        raise SoundError(f"{where} has no samples. Leave it out.")
    wave = array.astype(np.float32)
    if array.dtype == np.uint8:
        wave = (wave - np.float32(128)) / np.float32(128)
    elif array.dtype.kind in "iu":
        wave = wave / np.float32(2 ** (8 * array.dtype.itemsize - 1))
    elif not np.isfinite(array).all():
        at = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f"{where} has a sample that is not finite, at {at}. Fill in or leave out such sounds.")
    elif np.abs(array).max() > 8:
        raise DataError(
            f"{where} has samples up to {np.abs(array).max():g}; as floats sound lies in −1 ... 1. Divide samples of 16 "
            "bits by 32768, or give them as int16."
        )
    return wave.mean(axis=1, dtype=np.float32) if wave.ndim == 2 else wave


def windows_of(wave: Floats, size: int, step: int) -> tuple[Sequences, NDArray[np.int64]]:
    """Windows of a long sound, and where each begins; a last one that would be shorter is laid back to end with the sound.

    Parameters  wave : (T,) ; size, step : of the windows in samples. A sound that is shorter than a window is one window
    """
    if step < 1 or size < 1:
        raise ParameterError(f"windows_of: size and step must be at least 1 sample. Got {size} and {step}.")
    last = max(0, len(wave) - size)
    starts = np.unique(np.append(np.arange(0, last + 1, step), last))
    parts: Sequence[Floats] = [wave[start : start + size] for start in starts]
    return Sequences(parts), starts


def windows_in(blocks: Iterable[Floats], size: int, step: int) -> Iterator[tuple[Floats, int]]:
    """(a window, where it begins) of sound that comes in blocks, the same as those of ``windows_of``; no more than a window
    and a block are held."""
    held, begin = np.zeros(0, np.float32), 0  # the samples from ``begin`` on
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= size + step:  # the next window is whole, too, so the last one begins there or later
            yield held[:size].copy(), begin
            held, begin = held[step:], begin + step
    end = max(0, begin + len(held) - size)
    if end > begin:
        yield held[:size].copy(), begin
    yield held[end - begin :].copy(), end
