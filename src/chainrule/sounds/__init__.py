"""Sound: files at any sampling rate as arrays, random changes for training, and windows over long recordings."""

from .augmentation import SoundAugmentation
from .sound_file import SOUNDS, read_sound, resample, sound_blocks
from .waves import as_waves, windows_in, windows_of

__all__ = ["SOUNDS", "SoundAugmentation", "as_waves", "read_sound", "resample", "sound_blocks", "windows_in", "windows_of"]
