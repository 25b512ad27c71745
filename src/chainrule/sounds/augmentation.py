"""Random changes of sound in training."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import ParameterError, UnknownNameError

__all__ = ["SoundAugmentation"]

Floats = NDArray[np.float32]
_CONSTRAINTS = {
    "shift": Interval(float, 0, 60, closed="both"),
    "speed": Interval(float, 0, 0.9, closed="both"),
    "gain": Interval(float, 0, 60, closed="both"),
    "noise": Interval(float, 0, 10, closed="both"),
    "rate": Interval(float, 1),
}


@dataclass(frozen=True)
class SoundAugmentation:
    """Random changes of a sound (T,), drawn anew each time; 0 of each leaves it out.

    Parameters
        shift : seconds at most that the sound begins later, with silence in front, or earlier, without its beginning
        speed : share at most by which it is faster or slower, and higher or lower with that
        gain : decibels at most by which it is louder or softer
        noise : the loudest white noise that is added, as a share of the loudness (root mean square) of the sound
        rate : samples a second, filled in by whoever knows it
    Raises      ParameterError for numbers that are out of their range

    Example
        >>> change = SoundAugmentation(gain=6.0)
        >>> change(np.ones(4, np.float32), np.random.default_rng(0)).shape
        (4,)
    """

    shift: float = 0.0
    speed: float = 0.0
    gain: float = 0.0
    noise: float = 0.0
    rate: float = 16000.0

    def __post_init__(self) -> None:
        for name, constraint in _CONSTRAINTS.items():
            constraint.check("SoundAugmentation", name, getattr(self, name))

    @classmethod
    def from_text(cls, text: str, **more: Any) -> Self:
        """From a list such as ``"shift=0.1,speed=0.1"``, or "light".

        Raises      ParameterError, UnknownNameError

        Example
            >>> SoundAugmentation.from_text("gain=6,noise=0.1", rate=8000.0)
            SoundAugmentation(shift=0.0, speed=0.0, gain=6.0, noise=0.1, rate=8000.0)
        """
        if text.strip().lower() == "light":
            return cls(**{"shift": 0.1, "speed": 0.1, "gain": 6.0, "noise": 0.1, **more})
        known, given = [one.name for one in fields(cls) if one.name != "rate"], dict[str, float]()
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition("=")
            if name.strip() not in known:
                raise UnknownNameError("change of sound", name.strip(), [*known, "light", "none"])
            try:
                given[name.strip()] = float(value)
            except ValueError:
                raise ParameterError(f"augment: {part!r} must be a name and a number, such as shift=0.1.") from None
        return cls(**{**given, **more})

    def __call__(self, wave: Floats, rng: np.random.Generator) -> Floats:
        """The changed sound."""
        if self.speed:
            factor = 1 + rng.uniform(-self.speed, self.speed)
            places = np.arange(max(1, int(len(wave) / factor))) * factor
            wave = np.interp(places, np.arange(len(wave)), wave).astype(np.float32)
        if self.shift:
            by = int(rng.uniform(-1, 1) * min(self.shift * self.rate, len(wave) / 2))
            wave = np.concatenate([np.zeros(by, np.float32), wave]) if by > 0 else wave[-by:]
        if self.gain:
            wave = wave * np.float32(10 ** (rng.uniform(-self.gain, self.gain) / 20))
        if self.noise:
            loudness = float(np.sqrt(np.mean(np.square(wave), dtype=np.float64)))
            level = np.float32(self.noise * loudness * rng.uniform() ** 2)
            wave = wave + level * rng.standard_normal(len(wave), dtype=np.float32)
        return np.asarray(wave, np.float32)
