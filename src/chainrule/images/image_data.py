"""A set of pictures that a network trains on: from memory or from files, read and changed while it trains."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, Maybe
from ..data import ClassLabels, as_features, as_targets, check_lengths
from ..data.batches import Batch, split_validation
from ..errors import DataError, DtypeError, ImageError, ParameterError, ShapeError
from .augmentation import Augmentation, Draw
from .background import default_workers, in_background
from .folder import class_folders
from .npz_file import read_npz
from .picture import read_header
from .preprocessor import ImagePreprocessor, size_of
from .resampling import prepare, resample, resample_classes
from .sources import ArraySource, FileSource, Source

__all__ = ["ImageData"]

Array = NDArray[Any]
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
#: Files whose beginnings are looked at to find out whether pictures have colours; pictures that mean and std are taken of.
_LOOKED_AT, _MEASURED = 64, 2000
_READ_AT_ONCE = 32
_ON_ERROR = ("stop", "skip")


class ImageData:
    """Pictures with their targets, for ``Network.fit``, ``evaluate`` and ``predict`` in place of X and y.

    Pictures are read, decoded, resized, changed at random and normalised by other threads while the network trains, in an
    order that depends on the random state alone. Files decoded once are kept in memory while there is room; a larger set
    streams. Training (a generator is given to ``batches``) draws new random changes for every epoch; evaluation has none.

    Parameters
        X : pictures (N, H, W, C) or (N, H, W): an array or a memory map, whose integers are taken for 0 .. 255 (uint8) or
            0 .. 65535 (uint16), floats as they are ; or a list of files
        y : class labels (N,) (ints, text, bools) ; numbers (N,) or (N, K) of floats ; None
        masks : in place of y, a class for each pixel: (N, H, W) of ints, or a list of files; 0 and 255 alone are 0 and 1
        size : (height, width), or one int for both, that pictures in files are resized to ; None: they must be of one size
        channels : 3 (RGB) or 1 (grey) for files ; None: grey when the first pictures looked at have no colours
        fit : how files are resized: "stretch" to the size, "crop" the middle, or "pad" with black
        mean, std : of the channels, ``z = (x / range − mean) / std`` = 0 and 1; see ``standardised``
        augmentation : an Augmentation, or None
        on_error : what a file that cannot be read does: "stop" with an error when it is reached, or "skip": all files are
            read once beforehand, those that cannot be are left out with a warning and listed in ``skipped``
        workers : threads that read = as many as processors, at most 8
        keep_bytes : of decoded files that are kept in memory = 512 MiB
    Attributes
        n_samples ; shape : (H, W, C) ; targets : class numbers (N,), numbers, or None ; labels : ClassLabels of the classes,
        or None ; classes : their names as text ; paths : of the files, or None ; preprocessor : ImagePreprocessor ;
        skipped : list of (path, reason)
    Raises      ImageError naming the file ; DataError, ShapeError, DtypeError for arrays that do not fit ;
                ParameterError ; MissingDependencyError for files without Pillow

    Example
        >>> import numpy as np
        >>> X = np.zeros((4, 8, 8), np.uint8)
        >>> data = ImageData(X, ["cat", "dog", "cat", "dog"], augmentation=Augmentation(flip="horizontal"))
        >>> data
        ImageData(4 pictures 8 × 8 × 1, 2 classes, Augmentation(flip='horizontal'))
        >>> batch = next(data.batches(3))
        >>> batch.inputs[0].shape, batch.targets[0].tolist()
        ((3, 8, 8, 1), [0, 1, 0])
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        masks: Any = None,
        size: int | Sequence[int] | None = None,
        channels: int | None = None,
        fit: str = "stretch",
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        augmentation: Augmentation | None = None,
        on_error: str = "stop",
        workers: int | None = None,
        keep_bytes: int = 512 * 2**20,
    ) -> None:
        if y is not None and masks is not None:
            raise ParameterError("ImageData: give either y or masks, not both.")
        if on_error not in _ON_ERROR:
            raise ParameterError(f"ImageData: on_error must be 'stop' or 'skip'. Got {on_error!r}.")
        workers = Maybe(Interval(int, 1)).check("ImageData", "workers", workers)
        keep_bytes = Interval(int, 0).check("ImageData", "keep_bytes", keep_bytes)
        self.workers = default_workers() if workers is None else workers
        self.skipped: list[tuple[Path, str]] = []
        self.paths: list[Path] | None = None
        if _is_files(X):
            paths = [Path(path) for path in X]
            check_lengths(X=paths, y=y, masks=masks)
            shape = self._shape_of_files(paths, size, channels)
            self.paths = paths
            self._source: Source = FileSource(
                paths, shape, resize=size is not None, fit=fit, keep_bytes=keep_bytes
            )  # fmt: skip
        else:
            pixels = _pixels(X)
            shape = (pixels.shape[1], pixels.shape[2], pixels.shape[3])
            if size is not None and size_of(size) != shape[:2]:
                raise ParameterError(
                    f"ImageData: size={size!r} resizes pictures in files; the array has {shape[0]} × {shape[1]}. "
                    "Resize it beforehand, for example with PIL.Image."
                )
            if channels is not None and channels != shape[2]:
                raise ShapeError(f"ImageData: channels={channels!r}, but the array has {shape[2]} (shape {pixels.shape}).")
            self._source = ArraySource(pixels)
        self.shape: tuple[int, int, int] = shape
        self.preprocessor = ImagePreprocessor(shape[:2], channels=shape[2], fit=fit, mean=mean, std=std)
        if self.paths is not None:
            self.preprocessor.validate()
        self.rows: Rows = np.arange(self._source.n)
        self.labels: ClassLabels | None = None
        self._all_targets: Array | None = None
        self._masks: Source | None = None
        if y is not None:
            self._take_targets(y)
        elif masks is not None:
            self._take_masks(masks, fit, size is not None, int(keep_bytes))
        self.augmentation: Augmentation | None = None
        self._augment(augmentation)
        if on_error == "skip" and self.paths is not None:
            self._leave_out_broken()

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], **options: Any) -> Self:
        """The pictures of a folder that has one folder for each class, in the order of their names.

        Parameters  folder : such as "photos" with photos/cat/1.jpg, photos/dog/1.png ; options : as of ImageData
        Raises      ImageError: no such folder, no class folders, a class without pictures, a picture that cannot be read
        """
        found = class_folders(folder)
        paths = [path for files in found.values() for path in files]
        return cls(paths, [name for name, files in found.items() for _ in files], **options)

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str], *, max_memory: int | None = None, **options: Any) -> Self:
        """The arrays of a NumPy file .npz: pictures under "images", "X" or "x", labels under "labels" or "y".

        One array of three or four axes and one of one axis are found under any names.

        Parameters  max_memory : the most bytes that the arrays may have, None for a quarter of the machine's memory
        Raises      ImageError when the file cannot be read, is too large, or it is not clear which arrays are meant
        """
        images, labels = _npz_arrays(Path(path), max_memory)
        try:
            return cls(images, labels, **options)
        except (DataError, ShapeError, DtypeError) as error:
            raise type(error)(f"{os.fspath(path)}: {error}") from error

    # ------------------------------------------------------------ what there is

    @property
    def n_samples(self) -> int:
        """The number of pictures N."""
        return len(self.rows)

    @property
    def repeats_samples(self) -> bool:
        """Whether every epoch has the same pictures, since none is changed at random."""
        return self.augmentation is None

    @property
    def targets(self) -> Array | None:
        """Class numbers (N,) int32, numbers (N, ...) float32, or None; masks are read with their pictures."""
        return None if self._all_targets is None else self._all_targets[self.rows]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their numbers; empty without classes."""
        return [] if self.labels is None else [str(label) for label in self.labels.classes.tolist()]

    def files(self) -> list[Path]:
        """The files of these pictures, in order.

        Raises      DataError when they came as an array
        """
        if self.paths is None:
            raise DataError("ImageData.files: these pictures came as an array, not from files.")
        return [self.paths[row] for row in self.rows.tolist()]

    def pictures(self, indices: Any = None) -> Array:
        """Pixels as they are stored, before anything random and before normalising: (n, H, W, C).

        Parameters  indices : which of the N pictures; None takes all
        """
        rows = self.rows if indices is None else self.rows[np.asarray(indices, np.int64)]
        return np.concatenate([a[places] for a, places in self._fetched(rows)])

    def __len__(self) -> int:
        return self.n_samples

    def __repr__(self) -> str:
        what = f"{self.n_samples:,} pictures {' × '.join(map(str, self.shape))}"
        target = f", {len(self.classes)} classes" if self.labels is not None else ", masks" * (self._masks is not None)
        changes = "" if self.augmentation is None else f", {self.augmentation!r}"
        return f"ImageData({what}{target}{changes})"

    # ------------------------------------------------------------ other views of the same pictures

    def take(self, indices: Any) -> Self:
        """These pictures alone, in this order. Nothing is copied, and decoded files are shared."""
        index = np.asarray(indices)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        index = index.astype(np.int64)
        if index.ndim != 1 or not len(index) or index.min() < 0 or index.max() >= self.n_samples:
            raise DataError(f"ImageData.take: expected one number or more, from 0 to {self.n_samples - 1}. Got {indices!r}.")
        found = copy.copy(self)
        found.rows = self.rows[index]
        return found

    def split(self, fraction: float, random_state: Any = None) -> tuple[Self, Self]:
        """Two parts at random; each class is in both in its proportion. Only the first one keeps the augmentation.

        Parameters  fraction : of the pictures in the second part, in (0, 1) ; random_state : int, Generator or None
        Raises      ParameterError, DataError when there are too few
        """
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)
        stratify = self.targets if self.labels is not None else None
        first, second = split_validation(self.n_samples, fraction, rng, stratify)
        return self.take(first), self.take(second).augmented(None)

    def augmented(self, augmentation: Augmentation | None) -> Self:
        """The same pictures with other random changes in training, or with none."""
        found = copy.copy(self)
        found._augment(augmentation)
        return found

    def standardised(self, like: ImageData | ImagePreprocessor | None = None) -> Self:
        """The same pictures with channels of mean 0 and variance 1.

        Parameters  like : take its mean and std; None measures these pictures, a part of them when there are many. Measure
                    the training part, and give it to the others: ``test.standardised(like=train)``
        """
        found = copy.copy(self)
        if like is not None:
            given = like.preprocessor if isinstance(like, ImageData) else like
            mean, std = given.mean, given.std
        else:
            mean, std = self._measured()
        config = {**self.preprocessor.config(), "mean": mean, "std": std}
        found.preprocessor = ImagePreprocessor(**config)
        found.preprocessor.validate()
        return found

    def labelled(self, labels: ClassLabels, y: Any = None) -> Self:
        """The same pictures with their classes numbered as by ``labels``, such as those of another part: ``train.labels``.

        Parameters  y : the classes (N,), where the pictures had none or others
        Raises      DataError when a class is not one of them
        """
        if y is None:
            if self.labels is None or self.targets is None:
                raise DataError("ImageData.labelled: these pictures have no classes. Give them as y.")
            y = self.labels.decode(self.targets)
        check_lengths(X=self.rows, y=y)
        found = copy.copy(self)
        found._all_targets = np.zeros(self._source.n, np.int32)
        found._all_targets[self.rows] = labels.encode(y, name="y")
        found.labels = labels
        return found

    def check(self) -> Self:
        """Reads every picture once, so that one that cannot be read stops now rather than in the middle of training.

        Raises      ImageError naming the first file that cannot be read
        """
        for _ in self._fetched(self.rows):
            pass
        return self

    def arrays(self) -> tuple[Floats, Array | None]:
        """All of it in memory, without random changes: X (N, H, W, C) and the targets."""
        parts = list(self.batches(min(256, self.n_samples)))
        X = np.concatenate([part.inputs[0] for part in parts])
        return X, np.concatenate([part.targets[0] for part in parts]) if parts[0].targets else None

    # ------------------------------------------------------------ batches

    def batches(self, batch_size: int, rng: np.random.Generator | None = None, *, shuffle: bool = True) -> Iterator[Batch]:
        """One epoch, made by other threads ahead of time.

        Parameters
            batch_size : pictures in each but the last ; rng : None for evaluation, in the given order and without random
            changes ; else their source, and that of the order ; shuffle : False keeps the order in training too
        """
        if batch_size < 1:
            raise ParameterError(f"batch_size must be at least 1, got {batch_size}.")
        order = self.rows if rng is None or not shuffle else self.rows[rng.permutation(self.n_samples)]
        # A generator for each batch, so that what is drawn does not depend on which thread is first.
        seed = None if rng is None or self.augmentation is None else int(rng.integers(2**63))

        def task(number: int) -> Callable[[], Batch]:
            rows = order[number * batch_size : (number + 1) * batch_size]
            return lambda: self._batch(rows, None if seed is None else np.random.default_rng([seed, number]))

        prepare()
        count = math.ceil(self.n_samples / batch_size)
        # Batches from memory are made faster than they are used: more threads would only take processors from training.
        workers = self.workers if self.paths is not None else min(1, self.workers)
        return in_background(map(task, range(count)), workers=workers)

    def _batch(self, rows: Rows, rng: np.random.Generator | None) -> Batch:
        array, places = self._source.fetch(rows)
        draw = None
        if rng is not None and self.augmentation is not None:
            draw = self.augmentation.draw(len(rows), self.shape[0], self.shape[1], rng)
        mean, std = (
            np.broadcast_to(np.asarray(value, np.float32), (self.shape[2],))
            for value in (self.preprocessor.mean, self.preprocessor.std)
        )
        x = resample(array, places, draw, mean, std)
        if self._masks is not None:
            classes, where = self._masks.fetch(rows)
            return Batch((x,), (resample_classes(classes, where, draw).astype(np.int32),))
        if self._all_targets is None:
            return Batch((x,), ())
        return Batch((x,), (self._mixed(self._all_targets[rows], draw),))

    def _mixed(self, y: Array, draw: Draw | None) -> Array:
        """Targets mixed as the pictures were: class numbers become distributions."""
        if draw is None or draw.partner is None or draw.share is None:
            return y
        if self.labels is not None:
            y = np.eye(self.labels.n_classes, dtype=np.float32)[y]
        share = draw.share.reshape(-1, *(1,) * (y.ndim - 1))
        return np.asarray(share * y + (1 - share) * y[draw.partner], np.float32)

    # ------------------------------------------------------------ making

    def _shape_of_files(self, paths: list[Path], size: Any, channels: Any) -> tuple[int, int, int]:
        if channels is None:
            # Some from all over the set: one class may be grey alone.
            looked = [paths[i] for i in sorted({int(i) for i in np.linspace(0, len(paths) - 1, _LOOKED_AT)})]
            grey = []
            for path in looked:
                try:
                    grey.append(read_header(path).grey)
                except ImageError:  # said, or skipped, when it is read
                    continue
            channels = 1 if grey and all(grey) else 3
        if channels not in (1, 3):
            raise ParameterError(f"ImageData: channels must be 1, 3 or None. Got {channels!r}.")
        if size is not None:
            return (*size_of(size), int(channels))
        for path in paths:
            try:
                header = read_header(path)
            except ImageError:
                continue
            return header.height, header.width, int(channels)
        read_header(paths[0])
        raise AssertionError("a picture could be read after all")

    def _take_targets(self, y: Any) -> None:
        targets = as_targets(y)
        if targets.ndim == 3 or (targets.ndim == 4 and targets.shape[-1] == 1):
            self._take_masks(targets, "stretch", False, 0)
            return
        check_lengths(X=self.rows, y=targets)
        if targets.ndim == 1 and targets.dtype.kind != "f":
            self.labels = ClassLabels.fit(targets)
            self._all_targets = self.labels.encode(targets)
        elif targets.dtype.kind in "biuf" and targets.ndim <= 2:
            self._all_targets = as_targets(targets, dtype=np.float32)
        else:
            raise ShapeError(f"ImageData: y must be labels (N,) or numbers (N, K). Got shape {targets.shape}.")

    def _take_masks(self, masks: Any, fit: str, resize: bool, keep_bytes: int) -> None:
        if _is_files(masks):
            check_lengths(X=self.rows, masks=masks)
            self._masks = FileSource(
                [Path(path) for path in masks], self.shape[:2], resize=resize, fit=fit, keep_bytes=keep_bytes // 3,
                masks_of=self.paths,
            )  # fmt: skip
            return
        classes = as_targets(masks, name="masks")
        if classes.ndim == 4 and classes.shape[-1] == 1:
            classes = classes[..., 0]
        check_lengths(X=self.rows, masks=classes)
        if classes.ndim != 3 or classes.shape[1:] != self.shape[:2]:
            raise ShapeError(
                f"ImageData: masks must have the size of the pictures, shape (N, {self.shape[0]}, {self.shape[1]}). "
                f"Got shape {classes.shape}."
            )
        if classes.dtype.kind not in "biu":
            raise DtypeError(f"ImageData: masks must hold class numbers (ints). Got {classes.dtype}.")
        if classes.dtype.kind == "b":
            classes = classes.astype(np.uint8)
        elif classes.max() == 255 and bool(((classes == 0) | (classes == 255)).all()):
            classes = (classes > 0).astype(np.uint8)  # black and white, as in files
        self._masks = ArraySource(classes, dtype=classes.dtype)

    def _augment(self, augmentation: Augmentation | None) -> None:
        if augmentation is not None:
            if not isinstance(augmentation, Augmentation):
                raise ParameterError(f"ImageData: augmentation must be an Augmentation or None. Got {augmentation!r}.")
            augmentation.validate()
            if augmentation.mixup and self._masks is not None:
                raise ParameterError("ImageData: mixup mixes targets of whole pictures and cannot be used with masks.")
        self.augmentation = augmentation

    def _leave_out_broken(self) -> None:
        """Reads every file once and keeps those that can be."""

        def attempt(row: int) -> Callable[[], str | None]:
            def read() -> str | None:
                try:
                    for source in (self._source, self._masks):
                        if source is not None:
                            source.fetch(np.array([row]))
                except ImageError as error:
                    return str(error)
                return None

            return read

        assert self.paths is not None
        reasons = list(in_background((attempt(row) for row in self.rows.tolist()), workers=self.workers))
        self.skipped = [(self.paths[row], why) for row, why in enumerate(reasons) if why is not None]
        if not self.skipped:
            return
        kept = np.array([why is None for why in reasons])
        first = self.skipped[0][1]
        if not kept.any():
            raise ImageError(f"None of the {len(kept):,} pictures can be read. The first: {first}")
        if self.labels is not None and self._all_targets is not None:
            gone = sorted(set(self._all_targets.tolist()) - set(self._all_targets[kept].tolist()))
            if gone:
                raise ImageError(f"No picture of class {self.classes[gone[0]]!r} can be read. The first: {first}")
        self.rows = self.rows[kept]
        warnings.warn(
            f"{len(self.skipped):,} of {len(kept):,} pictures cannot be read and are left out. The first: {first}",
            UserWarning,
            stacklevel=3,
        )

    def _fetched(self, rows: Rows) -> Iterator[tuple[Array, Rows]]:
        """Stored pictures in parts, read by the threads."""

        def task(part: Rows) -> Callable[[], tuple[Array, Rows]]:
            return lambda: self._source.fetch(part)

        parts = (rows[start : start + _READ_AT_ONCE] for start in range(0, len(rows), _READ_AT_ONCE))
        return in_background(map(task, parts), workers=self.workers)

    def _measured(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel, over at most 2,000 pictures from all over the set."""
        chosen = self.rows[np.unique(np.linspace(0, self.n_samples - 1, _MEASURED).astype(np.int64))]
        count, total, squares = 0, np.zeros(self.shape[2]), np.zeros(self.shape[2])
        for array, places in self._fetched(chosen):
            unit = resample(array, places, None, np.zeros(self.shape[2], np.float32), np.ones(self.shape[2], np.float32))
            values = unit.reshape(-1, self.shape[2]).astype(np.float64)
            count, total, squares = count + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return [float(v) for v in mean], [float(v) if v > 1e-6 else 1.0 for v in deviation]


# ---------------------------------------------------------------- what users pass


def _is_files(X: Any) -> bool:
    if not isinstance(X, (list, tuple)) and not (isinstance(X, np.ndarray) and X.dtype.kind in "UO"):
        return False
    return len(X) > 0 and isinstance(X[0], (str, os.PathLike))


def _pixels(X: Any) -> Array:
    """(N, H, W, C) of uint8, uint16 or float32; a memory map stays one."""
    if isinstance(X, (list, tuple)) and X and all(hasattr(x, "shape") for x in X):
        shapes = sorted({tuple(x.shape) for x in X})
        if len(shapes) > 1:
            raise ShapeError(
                f"ImageData: the pictures have {len(shapes)} different shapes, such as {shapes[0]} and {shapes[1]}. "
                "Bring them to one size first, or pass their files with size=."
            )
    if isinstance(X, (str, os.PathLike)):
        raise ParameterError(
            f"ImageData: expected pictures, got the path {os.fspath(X)!r}. Use ImageData.from_folder for a folder of class "
            "folders, ImageData.from_npz for an .npz file, and a list of paths for files."
        )
    given = np.asarray(X) if isinstance(X, (list, tuple)) else X
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    ready = kind == "f" if isinstance(given, np.memmap) else False
    if isinstance(given, np.ndarray) and (ready or given.dtype in (np.uint8, np.uint16)):
        pixels: Array = given
    elif isinstance(given, np.ndarray) and kind in "iu" and given.size and given.min() >= 0 and given.max() <= 255:
        pixels = given.astype(np.uint8)  # bytes in a wider dtype, as a list of numbers gives them
    else:
        pixels = as_features(given, ndim=(3, 4))
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4:
        raise ShapeError(f"ImageData: pictures must have shape (N, H, W, C) or (N, H, W). Got {pixels.shape}.")
    if 0 in pixels.shape:
        raise DataError(f"ImageData: there is nothing in pictures of shape {pixels.shape}.")
    return pixels


def _npz_arrays(path: Path, limit: int | None) -> tuple[Array, Array]:
    arrays = read_npz(path, limit)
    names = list(arrays)
    lower = {name.lower(): name for name in names}
    images = [lower[n] for n in ("images", "image", "x", "pixels", "data", "x_train") if n in lower]
    images = images or [n for n in names if arrays[n].ndim in (3, 4) and arrays[n].dtype.kind in "biuf"]
    labels = [lower[n] for n in ("labels", "label", "y", "targets", "target", "classes", "y_train") if n in lower]
    labels = labels or [n for n in names if arrays[n].ndim == 1]
    if not images or not labels or (len(images) > 1 and "images" not in lower and "x" not in lower):
        listed = ", ".join(f"{name} {arrays[name].shape}" for name in names) or "nothing"
        raise ImageError(
            f"{path}: expected pictures under the name 'images' (N, H, W, C), labels under 'labels' (N,); it has {listed}."
        )
    return arrays[images[0]], arrays[labels[0]]
