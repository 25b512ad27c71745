"""A set of clips that a network trains on: windows of frames, changed alike for all frames of a window."""

from __future__ import annotations

import copy
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data import ClassLabels, check_lengths
from ..data.batches import Batch, split_validation
from ..errors import DataError, ParameterError, ShapeError
from ..images.augmentation import Augmentation, Draw
from ..images.background import default_workers, in_background
from ..images.picture import fitted
from ..images.preprocessor import ImagePreprocessor, size_of
from ..images.resampling import prepare, resample
from .clip_folders import clip_folders
from .reading import read_clip

__all__ = ["ClipData"]

Rows = NDArray[np.int64]
Clip = NDArray[np.uint8]


class ClipData:
    """Clips with their classes, for ``Network.fit``, ``evaluate`` and ``predict`` in place of X and y.

    A sample is a window of ``length`` frames, every ``step``-th one; a clip gives as many windows as fit side by side, the
    last one at its end, and one that is too short repeats its last frame. In training a window begins at random around its
    place, and one random change (crop, flip, shift, turn, brightness) is made to all of its frames alike.

    Parameters
        clips : an array (N, T, H, W, C) or (N, T, H, W) of uint8 or of floats in [0, 1] ; a list of such clips (T, H, W, C)
            of any lengths ; or paths of videos and of folders of frames
        y : labels (N,), or None ; length = 16, step = 1 : frames ; size : (height, width) that frames in files get = 64
        channels : 3 or 1 for files ; fit : as of ImageData ; mean, std : of the channels ; augmentation ; workers
        keep_bytes : of decoded clips that are kept in memory = 512 MiB; others are read again when they are needed
    Attributes  n_samples : windows ; n_clips ; shape : (length, H, W, C) ; labels, classes ; clip_of : of each window
    Raises      ImageError, ShapeError, ParameterError

    Example
        >>> data = ClipData(np.zeros((3, 20, 8, 8, 1), np.uint8), ["a", "b", "a"], length=8)
        >>> data
        ClipData(3 clips, 9 windows 8 × 8 × 8 × 1, 2 classes)
    """

    def __init__(
        self,
        clips: Any,
        y: Any = None,
        *,
        length: int = 16,
        step: int = 1,
        size: int | Sequence[int] | None = None,
        channels: int = 3,
        fit: str = "stretch",
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        augmentation: Augmentation | None = None,
        workers: int | None = None,
        keep_bytes: int = 512 * 2**20,
    ) -> None:
        for name, value in (("length", length), ("step", step)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
                raise ParameterError(f"ClipData: {name} must be an int of at least 1. Got {value!r}.")
        self.length, self.step, self.fit = int(length), int(step), fit
        self.paths: list[Path] | None = None
        self._kept: dict[int, NDArray[Any]] = {}
        self._room, self._lock = int(keep_bytes), threading.Lock()
        self.frame_counts: list[int] = []
        if len(clips) and all(isinstance(one, (str, os.PathLike)) for one in clips):
            self.paths = [Path(one) for one in clips]
            shape = (*size_of(64 if size is None else size), int(channels))
        else:
            arrays = [_frames_of(one, i) for i, one in enumerate(clips)]
            if not arrays:
                raise DataError("ClipData: there are no clips.")
            shapes = sorted({one.shape[1:] for one in arrays})
            if len(shapes) > 1:
                raise ShapeError(f"ClipData: clips must have frames of one size and kind. Got {shapes[0]} and {shapes[1]}.")
            if size is not None and size_of(size) != shapes[0][:2]:
                raise ParameterError(f"ClipData: size={size!r} resizes clips in files; the arrays have {shapes[0][:2]}.")
            shape = shapes[0]
            self._kept, self._room = dict(enumerate(arrays)), 0
        self.preprocessor = ImagePreprocessor(shape[:2], channels=shape[2], fit=fit, mean=mean, std=std)
        self.preprocessor.validate()
        self.shape: tuple[int, int, int, int] = (self.length, *shape)
        self.labels: ClassLabels | None = None
        self._targets: NDArray[np.int32] | None = None
        n = len(self.paths) if self.paths is not None else len(self._kept)
        if y is not None:
            check_lengths(clips=range(n), y=y)
            self.labels = ClassLabels.fit(y)
            self._targets = self.labels.encode(y)
        self.workers = default_workers() if workers is None else int(workers)
        self.frame_counts = [len(self._clip(i)) for i in range(n)]  # also says at once which file cannot be read
        self.clips: Rows = np.arange(n)
        self._place_windows()
        self.augmentation = augmentation
        if augmentation is not None:
            augmentation.validate()
            if augmentation.mixup:
                raise ParameterError("ClipData: mixup is for pictures. Leave it out.")

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], **options: Any) -> Self:
        """The clips of a folder that has one folder for each class. Parameters  options : as of ClipData"""
        found = clip_folders(folder)
        paths = [path for clips in found.values() for path in clips]
        return cls(paths, [name for name, clips in found.items() for _ in clips], **options)

    def _place_windows(self) -> None:
        """The windows of the clips: where each begins, and which clip it is of."""
        span, starts, clip_of = (self.length - 1) * self.step + 1, [], []
        for place, row in enumerate(self.clips.tolist()):
            room = max(0, self.frame_counts[row] - span)
            count = 1 + math.ceil(room / span)
            starts += np.rint(np.linspace(0, room, count)).astype(int).tolist()
            clip_of += [place] * count
        self._starts, self.clip_of = np.array(starts, np.int64), np.array(clip_of, np.int64)

    @property
    def n_samples(self) -> int:
        """The number of windows."""
        return len(self._starts)

    @property
    def n_clips(self) -> int:
        """The number of clips N."""
        return len(self.clips)

    @property
    def targets(self) -> NDArray[np.int32] | None:
        """The class number of each clip (N,), None without."""
        return None if self._targets is None else self._targets[self.clips]

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return [] if self.labels is None else [str(label) for label in self.labels.classes.tolist()]

    def __repr__(self) -> str:
        what = f"{self.n_clips:,} clips, {self.n_samples:,} windows {' × '.join(map(str, self.shape))}"
        return f"ClipData({what}{f', {len(self.classes)} classes' if self.labels is not None else ''})"

    def take(self, indices: Any) -> Self:
        """These clips alone; decoded clips are shared."""
        index = np.asarray(indices)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        if index.ndim != 1 or not len(index) or index.min() < 0 or index.max() >= self.n_clips:
            raise DataError(f"ClipData.take: expected one number or more, from 0 to {self.n_clips - 1}. Got {indices!r}.")
        found = copy.copy(self)
        found.clips = self.clips[index]
        found._place_windows()
        return found

    def split(self, fraction: float, random_state: Any = None) -> tuple[Self, Self]:
        """Two parts at random, whole clips in each, each class in its proportion; only the first keeps the augmentation."""
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)
        first, second = split_validation(self.n_clips, fraction, rng, self.targets)
        return self.take(first), self.take(second).augmented(None)

    def augmented(self, augmentation: Augmentation | None) -> Self:
        """The same clips with other random changes in training, or with none."""
        found = copy.copy(self)
        found.augmentation = augmentation
        return found

    def labelled(self, labels: ClassLabels, y: Any = None) -> Self:
        """The same clips with their classes numbered as by ``labels``. Raises  DataError for a class that is none"""
        if y is None:
            if self.labels is None or self._targets is None:
                raise DataError("ClipData.labelled: these clips have no classes. Give them as y.")
            y = self.labels.decode(self._targets[self.clips])
        found = copy.copy(self)
        found._targets = np.zeros(len(self.frame_counts), np.int32)
        found._targets[self.clips] = labels.encode(y)
        found.labels = labels
        return found

    def standardised(self, like: ClipData | None = None) -> Self:
        """The same clips with channels of mean 0 and variance 1. Parameters  like : take its mean and std"""
        found = copy.copy(self)
        if like is None:
            chosen = self.clips[np.unique(np.linspace(0, self.n_clips - 1, min(100, self.n_clips)).astype(int))]
            values = np.concatenate([self._clip(i)[:: max(1, self.frame_counts[i] // 8)] for i in chosen.tolist()])
            top = 255.0 if values.dtype == np.uint8 else 1.0
            flat = values.reshape(-1, self.shape[-1]) / top
            mean, deviation = flat.mean(axis=0, dtype=np.float64), flat.std(axis=0, dtype=np.float64)
            config = {"mean": mean.tolist(), "std": np.where(deviation > 1e-6, deviation, 1.0).tolist()}
        else:
            config = {"mean": like.preprocessor.mean, "std": like.preprocessor.std}
        found.preprocessor = ImagePreprocessor(**{**self.preprocessor.config(), **config})
        return found

    def frames(self, clip: int) -> NDArray[Any]:
        """All frames of a clip at the size of the windows, before anything random: (T, H, W, C)."""
        return self._clip(int(self.clips[clip]))

    # ------------------------------------------------------------ batches

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch, made by other threads ahead of time; see ``Batches``."""
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        order = np.arange(self.n_samples) if rng is None or not shuffle else rng.permutation(self.n_samples)
        seed = None if rng is None else int(rng.integers(2**63))

        def task(number: int) -> Callable[[], Batch]:
            rows = order[number * batch_size : (number + 1) * batch_size]
            return lambda: self._batch(rows, None if seed is None else np.random.default_rng([seed, number]))

        prepare()
        workers = self.workers if self.paths is not None else min(1, self.workers)
        return in_background(map(task, range(math.ceil(self.n_samples / batch_size))), workers=workers)

    def _batch(self, rows: Rows, rng: np.random.Generator | None) -> Batch:
        _, height, width, channels = self.shape
        mean, std = (
            np.broadcast_to(np.asarray(v, np.float32), (channels,)) for v in (self.preprocessor.mean, self.preprocessor.std)
        )
        out = np.empty((len(rows), *self.shape), np.float32)
        draw = None
        if rng is not None and self.augmentation is not None:
            draw = self.augmentation.draw(len(rows), height, width, rng)
        span = (self.length - 1) * self.step + 1
        for place, row in enumerate(rows.tolist()):
            clip, start = self._clip(int(self.clips[self.clip_of[row]])), int(self._starts[row])
            if rng is not None:
                start = int(np.clip(start + rng.integers(-(span // 2), span // 2 + 1), 0, max(0, len(clip) - span)))
            numbers = np.minimum(start + self.step * np.arange(self.length), len(clip) - 1)
            out[place] = resample(clip, numbers, None if draw is None else _repeated(draw, place, self.length), mean, std)
        if self._targets is None:
            return Batch((out,), ())
        return Batch((out,), (self._targets[self.clips[self.clip_of[rows]]],))

    def _clip(self, row: int) -> NDArray[Any]:
        """The frames of a clip, from memory or from its file."""
        with self._lock:
            if row in self._kept:
                return self._kept[row]
        assert self.paths is not None
        height, width, channels = self.preprocessor.shape
        found = _sized(read_clip(self.paths[row], channels=channels), (height, width), self.fit)
        with self._lock:
            if row not in self._kept and found.nbytes <= self._room:
                self._kept[row] = found
                self._room -= found.nbytes
        return found


def _repeated(draw: Draw, i: int, times: int) -> Draw:
    """What was drawn for one sample, for each of its frames."""
    return Draw(
        None if draw.matrix is None else np.repeat(draw.matrix[i : i + 1], times, axis=0),
        None if draw.gain is None else np.repeat(draw.gain[i : i + 1], times),
        None if draw.offset is None else np.repeat(draw.offset[i : i + 1], times),
        None if draw.holes is None else np.repeat(draw.holes[i : i + 1], times, axis=0),
        None,
        None,
        draw.fill,
    )


def _sized(frames: Clip, size: tuple[int, int], fit: str) -> Clip:
    if frames.shape[1:3] == size:
        return frames
    from PIL import Image

    out = np.empty((len(frames), *size, frames.shape[3]), np.uint8)
    for i, frame in enumerate(frames):
        image = Image.fromarray(frame if frame.shape[2] == 3 else frame[..., 0])
        out[i] = np.asarray(fitted(image, size, fit)).reshape(out.shape[1:])
    return out


def _frames_of(clip: Any, number: int) -> NDArray[Any]:
    """(T, H, W, C) of uint8 or float32."""
    found = np.asarray(clip)
    if found.ndim == 3:
        found = found[..., None]
    if found.ndim != 4 or 0 in found.shape:
        raise ShapeError(
            f"ClipData: clip {number} must have shape (T, H, W, C) or (T, H, W), with a frame. Got {found.shape}."
        )
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise DataError(f"ClipData: clip {number} has values that are not finite.")
        return np.ascontiguousarray(found, np.float32)
    if found.dtype.kind not in "iub" or found.min() < 0 or found.max() > 255:
        raise DataError(f"ClipData: clip {number} must hold whole numbers from 0 to 255, or floats. Got {found.dtype}.")
    return np.ascontiguousarray(found, np.uint8)
