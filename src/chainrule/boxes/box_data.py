"""A set of pictures with boxes that a detector trains on: read, changed and turned into targets while it trains."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data.batches import Batch
from ..errors import DataError, ParameterError, ShapeError
from ..images.background import default_workers, in_background
from ..images.picture import read_header
from ..images.preprocessor import ImagePreprocessor
from ..images.resampling import prepare, resample
from ..images.sources import ArraySource, FileSource, Source
from .augmentation import BoxAugmentation
from .average_precision import Objects
from .heat_maps import encoded
from .letterbox import Letterbox

__all__ = ["BoxData"]

Rows = NDArray[np.int64]


class BoxData:
    """Pictures with boxes, for ``Network.fit`` and ``evaluate``: the targets are heat maps and distances to sides.

    Parameters
        pictures : paths of files, or an array (N, H, W, C) or (N, H, W) of uint8 or floats in [0, 1]
        objects : of each picture, boxes in its own pixels ; classes : names
        size : (height, width), multiples of the stride, that all pictures are put into, with borders; None for arrays whose
            sides are multiples already ; channels : 3 or 1 for files
        stride : pixels from one place of the targets to the next = 4 ; mean, std : of the channels
        augmentation : BoxAugmentation or None ; balanced : whether pictures of rare classes are drawn more often in training
        workers, keep_bytes : as of ImageData
    Attributes  n_samples ; shape : (H, W, C) ; sizes : (height, width) of the pictures as they came ; preprocessor
    """

    def __init__(
        self,
        pictures: Sequence[Path] | NDArray[Any],
        objects: Sequence[Objects],
        classes: Sequence[str],
        *,
        size: tuple[int, int] | None = None,
        channels: int = 3,
        stride: int = 4,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        augmentation: BoxAugmentation | None = None,
        balanced: bool = False,
        workers: int | None = None,
        keep_bytes: int = 512 * 2**20,
    ) -> None:
        if len(pictures) != len(objects):
            raise DataError(f"BoxData: got {len(pictures):,} pictures and boxes of {len(objects):,}.")
        if not len(pictures):
            raise DataError("BoxData: there are no pictures.")
        self.classes, self.stride, self.balanced = list(classes), stride, balanced
        self.paths: list[Path] | None = None
        source: Source
        if isinstance(pictures, np.ndarray):
            pixels = pictures[..., None] if pictures.ndim == 3 else pictures
            if pixels.ndim != 4:
                raise ShapeError(f"BoxData: pictures must have shape (N, H, W, C) or (N, H, W). Got {pictures.shape}.")
            source = ArraySource(pixels)
            own = (int(pixels.shape[1]), int(pixels.shape[2]))
            size = own if size is None else size
            if size != own:
                source = ArraySource(_padded(pixels, size))
            self.sizes = [own] * len(pixels)
            channels = int(pixels.shape[3])
        else:
            if size is None:
                raise ParameterError("BoxData: pictures in files need size=, the height and width they are put into.")
            self.paths = [Path(path) for path in pictures]
            self.sizes = [read_header(path)[:2] for path in self.paths]
            source = FileSource(self.paths, (*size, channels), resize=True, fit="pad", keep_bytes=keep_bytes)
        if size[0] % stride or size[1] % stride:
            raise ShapeError(f"BoxData: both sides of size={size} must be multiples of the stride {stride}.")
        self.shape = (size[0], size[1], channels)
        self.preprocessor = ImagePreprocessor(size, channels=channels, fit="pad", mean=mean, std=std)
        self._source = source
        self.objects = list(objects)
        self._fitted = [self._inside(one, own) for one, own in zip(objects, self.sizes, strict=True)]
        self.rows: Rows = np.arange(len(objects))
        self.workers = default_workers() if workers is None else workers
        self.augmentation = augmentation
        if augmentation is not None:
            augmentation.validate()

    def _inside(self, one: Objects, own: tuple[int, int]) -> Objects:
        """Objects where they lie in the letterbox."""
        return Objects(Letterbox(own, self.shape[:2]).forward(one.boxes), one.classes, one.crowd)

    @property
    def n_samples(self) -> int:
        """The number of pictures N."""
        return len(self.rows)

    def __repr__(self) -> str:
        boxes = sum(len(self.objects[row].boxes) for row in self.rows.tolist())
        size = " × ".join(map(str, self.shape))
        return f"BoxData({self.n_samples:,} pictures {size}, {boxes:,} boxes, {len(self.classes)} classes)"

    def take(self, indices: Any) -> Self:
        """These pictures alone; files that were decoded are shared."""
        found = copy.copy(self)
        found.rows = self.rows[np.asarray(indices, np.int64)]
        return found

    def split(self, fraction: float, random_state: Any = None) -> tuple[Self, Self]:
        """Two parts at random, the second one with this share of the pictures and without augmentation."""
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)
        held = round(fraction * self.n_samples)
        if not 0 < held < self.n_samples:
            raise DataError(f"BoxData.split: {self.n_samples} pictures cannot be divided with a share of {fraction:g}.")
        order = rng.permutation(self.n_samples)
        first, second = self.take(np.sort(order[held:])), self.take(np.sort(order[:held]))
        second.augmentation, second.balanced = None, False
        return first, second

    def truth(self) -> list[Objects]:
        """The objects of these pictures, in the pixels of the pictures as they came."""
        return [self.objects[row] for row in self.rows.tolist()]

    def pictures(self, indices: Any = None) -> NDArray[Any]:
        """Pixels inside the letterbox, before anything random and before normalising: (n, H, W, C)."""
        rows = self.rows if indices is None else self.rows[np.asarray(indices, np.int64)]
        array, places = self._source.fetch(rows)
        return np.asarray(array[places])

    def check(self) -> Self:
        """Reads every picture once, so that one that cannot be read stops now rather than in the middle of training.

        Raises      ImageError naming the first file that cannot be read
        """
        step = 64
        for start in range(0, self.n_samples, step):
            self._source.fetch(self.rows[start : start + step])
        return self

    def standardised(self, like: BoxData | ImagePreprocessor | None = None) -> Self:
        """The same pictures with channels of mean 0 and variance 1. Parameters  like : take its mean and std"""
        from ..images import ImageData

        found = copy.copy(self)
        if like is None:
            chosen = np.unique(np.linspace(0, self.n_samples - 1, min(256, self.n_samples)).astype(int))
            measured = ImageData(self.pictures(chosen), workers=1).standardised().preprocessor
        else:
            measured = like if isinstance(like, ImagePreprocessor) else like.preprocessor
        config = {**self.preprocessor.config(), "mean": measured.mean, "std": measured.std}
        found.preprocessor = ImagePreprocessor(**config)
        return found

    # ------------------------------------------------------------ batches

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch, made by other threads ahead of time; see ``Batches``."""
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        order = self.rows
        if rng is not None and shuffle:
            order = self._balanced_order(rng) if self.balanced else self.rows[rng.permutation(self.n_samples)]
        seed = None if rng is None or self.augmentation is None else int(rng.integers(2**63))

        def task(number: int) -> Callable[[], Batch]:
            rows = order[number * batch_size : (number + 1) * batch_size]
            return lambda: self._batch(rows, None if seed is None else np.random.default_rng([seed, number]))

        prepare()
        return in_background(map(task, range(math.ceil(self.n_samples / batch_size))), workers=self.workers)

    def _balanced_order(self, rng: np.random.Generator) -> Rows:
        """Pictures drawn in proportion to their need: √(1 / share of the pictures) of the rarest class that they show."""
        shows = np.zeros((self.n_samples, len(self.classes)), bool)
        for i, row in enumerate(self.rows.tolist()):
            shows[i, self.objects[row].classes] = True
        need = 1 / np.sqrt(np.maximum(shows.mean(axis=0), 1 / self.n_samples))
        weight = np.where(shows, need, 0).max(axis=1)
        weight[weight == 0] = need.min()
        # As even as possible: each picture as often as its share says, and the rest at random.
        expected = weight / weight.sum() * self.n_samples
        times = np.floor(expected).astype(int)
        rest = expected - times
        left = self.n_samples - int(times.sum())
        if left:
            times[rng.choice(self.n_samples, left, replace=False, p=rest / rest.sum())] += 1
        drawn: Rows = rng.permutation(np.repeat(self.rows, times))
        return drawn

    def _batch(self, rows: Rows, rng: np.random.Generator | None) -> Batch:
        mean, std = (
            np.broadcast_to(np.asarray(v, np.float32), (self.shape[2],))
            for v in (self.preprocessor.mean, self.preprocessor.std)
        )
        n, size = len(rows), self.shape[:2]
        if rng is not None and self.augmentation is not None:
            others = rng.choice(self.rows, (n, 3)) if self.augmentation.mosaic else np.zeros((n, 0), np.int64)
            wanted = np.concatenate([rows, others.ravel()])
            array, places = self._source.fetch(wanted)
            pixels = array[places]
            partners = n + np.arange(others.size).reshape(others.shape)
            objects = [self._fitted[row] for row in wanted.tolist()]
            x, boxes = self.augmentation.changed(pixels, objects, partners, mean, std, rng)
        else:
            array, places = self._source.fetch(rows)
            x = resample(array, places, None, mean, std)
            boxes = [self._fitted[row] for row in rows.tolist()]
        return Batch((x,), encoded(boxes, size, len(self.classes), self.stride))


def _padded(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Pictures of an array put into a larger or smaller size, each as a file would be."""
    from PIL import Image

    from ..images.picture import fitted

    if pixels.dtype != np.uint8:
        raise ParameterError("BoxData: pictures that are brought to a size must be uint8. Give x * 255 as uint8.")
    out = np.zeros((len(pixels), *size, pixels.shape[3]), np.uint8)
    for i, one in enumerate(pixels):
        image = Image.fromarray(one if one.shape[2] == 3 else one[..., 0])
        out[i] = np.asarray(fitted(image, size, "pad")).reshape(*size, pixels.shape[3])
    return out
