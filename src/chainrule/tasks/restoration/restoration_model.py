"""A network that restores pictures, and what is done before and after it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, ImageError, ModelFileError, ParameterError, ShapeError
from ...images import picture_files, read_picture
from ...images.npz_file import read_npz
from ...images.picture import read_header
from ...images.writing import as_pixels
from ...model import Network
from ..scores import Prediction, Scores
from ..task_model import Samples, TaskModel
from .any_size import AnySize
from .degradation import Degradation
from .noise import Noise

__all__ = ["Pictures", "RestorationModel", "RestoredPictures", "as_picture", "pictures_of_npz"]

Array = NDArray[Any]
_FORMAT = 1
#: The strength of the noise that good pictures get where none is named.
_SIGMA = 25.0


def as_picture(given: Any, name: str) -> Array:
    """A picture as float32 in [0, 1], (H, W, C). Raises  ShapeError, DataError that name it"""
    array = np.asarray(given)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or array.dtype.kind not in "uif" or not array.size:
        raise ShapeError(f"{name} must be (H, W), (H, W, 1) or (H, W, 3). Got {np.shape(given)}, {array.dtype}.")
    found: Array = array.astype(np.float32) / np.float32(255 if array.dtype.kind in "ui" else 1)
    if not np.isfinite(found).all():
        raise DataError(f"{name} holds numbers that are not finite.")
    if found.min() < -1 or found.max() > 2:
        raise DataError(f"{name} must hold bytes, or numbers in [0, 1]. Got {found.min():.4g} to {found.max():.4g}.")
    return found


def pictures_of_npz(path: Path) -> Array:
    """The pictures of an .npz file (N, H, W, C). Raises  ImageError where there are none"""
    arrays = read_npz(path)
    named = next((name for name in ("images", "pictures", "X", "x") if name in arrays), None)
    found = [arrays[named]] if named else [one for one in arrays.values() if one.ndim >= 3 and one.dtype.kind in "uif"]
    if not found or found[0].ndim not in (3, 4) or not len(found[0]):
        raise ImageError(f"{path}: there is no array of pictures (N, H, W) or (N, H, W, C) in it.")
    return found[0]


@dataclass(frozen=True)
class Pictures:
    """Pictures to restore, read when they are needed.

    Parameters
        sources : paths of files, or arrays ; names : of them
        truths : what the restored ones are compared with, as sources ; spoil : makes (spoilt, truth) of a good picture
        grey : whether files are read as grey pictures
    """

    sources: Sequence[Any]
    names: Sequence[str]
    truths: Sequence[Any] | None = None
    spoil: Degradation | None = None
    grey: bool = False

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def has_truth(self) -> bool:
        return self.truths is not None or self.spoil is not None

    def read(self, i: int) -> tuple[Array, Array | None]:
        """(the picture to restore, the truth where it is known)."""
        given = self._one(self.sources[i], self.names[i])
        if self.spoil is not None:
            try:
                return self.spoil.spoilt(given, np.random.default_rng(i))
            except DataError as error:
                raise DataError(f"{self.names[i]}: {error}") from error
        if self.truths is None:
            return given, None
        return given, self._one(self.truths[i], f"the truth of {self.names[i]}")

    def _one(self, source: Any, name: str) -> Array:
        if isinstance(source, (str, os.PathLike)):
            grey = self.grey or read_header(source).grey
            return as_picture(read_picture(source, channels=1 if grey else 3), name)
        return as_picture(source, name)


@dataclass(frozen=True)
class RestoredPictures(Sequence[Array]):
    """The restored pictures, each computed when it is asked for, so that any number of them fits into the memory.

    What was measured of them on the way is kept.
    """

    model: RestorationModel
    pictures: Pictures
    measured: dict[int, dict[str, float]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        return self.compared(range(len(self))[i])[1]

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> list[Any]:
        """The pictures as nested lists of bytes, as the web service gives them."""
        return [as_pixels(picture).tolist() for picture in self]

    def compared(self, i: int) -> tuple[Array, Array, Array | None]:
        """(the picture that was given, the restored one, the truth where it is known)."""
        given, truth = self.pictures.read(i)
        restored = self.model.restored(given)
        if truth is not None and i not in self.measured:
            if truth.shape != restored.shape:
                raise ShapeError(
                    f"{self.pictures.names[i]}: its truth has shape {truth.shape}, the restored picture {restored.shape}."
                )
            self.measured[i] = self.model.degradation.scores(restored, given, truth)
        return given, restored, truth

    def scores(self) -> Scores:
        """The means of all measures over the pictures."""
        for i in range(len(self)):
            if i not in self.measured:
                self.compared(i)
        rows = [self.measured[i] for i in range(len(self))]
        names = [name for name in rows[0] if all(name in row for row in rows)]
        return Scores({name: float(np.mean([row[name] for row in rows])) for name in names}, [], len(rows))


class RestorationModel(TaskModel):
    """A network that restores pictures of any size: without their noise, with colours, or larger.

    ``chainrule.load`` gives one for a model file that ``chainrule train --task denoise`` (``colour``, ``enlarge``) wrote.

    Parameters
        network : from a patch to a patch, or to the colours of a patch
        degradation : what it undoes ; facts : plain data about the training
    Data        what ``predict`` and the others take: the path of a picture, of a folder of pictures or of an .npz file ; a
                list of paths and arrays ; one array (H, W) or (H, W, 3), or several (N, H, W, C), of bytes or of numbers in
                [0, 1]. With ``spoil=True`` they are good pictures, which are spoilt first, and the truth is known
    """

    file_key: ClassVar[str] = "restoration"
    noun: ClassVar[tuple[str, str]] = ("picture", "pictures")

    def __init__(self, network: Network, degradation: Degradation, facts: Mapping[str, Any] | None = None) -> None:
        self._network, self.degradation, self.facts = network, degradation, dict(facts or {})
        self._any_size = AnySize(network, step=degradation.step, margin=_margin(network, degradation))

    @property
    def network(self) -> Network:
        return self._network

    @property
    def target(self) -> str:
        return "picture"

    @property
    def labels(self) -> None:
        return None

    @property
    def compared_by(self) -> str:
        return "PSNR"

    # ------------------------------------------------------------ reading

    def read(
        self,
        data: Any,
        y: Any = None,
        *,
        spoil: bool = False,
        sigma: float | Sequence[float] | None = None,
        broken: str = "stop",
        **reading: Any,
    ) -> Samples:
        """Pictures to restore.

        Parameters  y : the true pictures, as data ; spoil : data are good pictures, which are spoilt first ; sigma : the
                    strength of their noise in bytes = 25, or (lowest, highest) ; broken : what a file that cannot be read
                    does, "stop" or "skip"
        """
        if reading:
            raise ParameterError(f"{next(iter(reading))} is no option of restored pictures. Leave it out.")
        if isinstance(data, Samples):
            return data
        if sigma is not None and not spoil:
            raise ParameterError("sigma is the noise that good pictures get: it is for spoil=True (--spoil).")
        if sigma is not None and not isinstance(self.degradation, Noise):
            raise ParameterError(
                f"sigma is for a model that takes noise out. This one makes {self.degradation.result} pictures."
            )
        sources, names = self._sources(data)
        notes: list[str] = []
        if broken == "skip":
            sources, names, notes = _readable(sources, names)
        pictures = Pictures(sources, names, grey=self._reads_grey)
        if y is not None:
            truths, _ = self._sources(y)
            if len(truths) != len(sources):
                raise DataError(f"y has {len(truths)} pictures for {len(sources)}. Give one for each.")
            pictures = replace(pictures, truths=truths)
        elif spoil:
            pictures = replace(pictures, spoil=self._spoiling(sigma))
        truth = pictures if pictures.has_truth else None
        against = "y" if y is not None else "the pictures before they were spoilt"
        missing = "the true pictures are not known. Good pictures are measured with spoil=True."
        return Samples(pictures, len(sources), lambda: {"picture": names}, truth, None, against, missing, names=names,
                       notes=notes)  # fmt: skip

    @property
    def _reads_grey(self) -> bool:
        return isinstance(self.degradation, Noise) and self.degradation.channels == 1

    def _spoiling(self, sigma: float | Sequence[float] | None) -> Degradation:
        if not isinstance(self.degradation, Noise):
            return self.degradation
        given = _SIGMA if sigma is None else sigma
        both = (given, given) if isinstance(given, (int, float)) else tuple(given)
        return Noise(sigma=both, channels=self.degradation.channels or 1)

    def _sources(self, data: Any) -> tuple[list[Any], list[str]]:
        """(paths and arrays, their names)."""
        if isinstance(data, np.ndarray):
            several = data.ndim == 4 or (data.ndim == 3 and data.shape[2] not in (1, 3))
            data = list(data) if several else [data]
        parts = [data] if isinstance(data, (str, os.PathLike)) else list(data)
        sources: list[Any] = []
        names: list[str] = []
        for part in parts:
            if not isinstance(part, (str, os.PathLike)):
                found, named = [part], [f"picture {len(names)}"]
            elif (place := Path(part)).is_dir():
                found = list(picture_files(place))
                named = [str(file) for file in found]
                if not found:
                    raise ImageError(f"{place}: there is no picture in it.")
            elif place.suffix.lower() == ".npz":
                found = list(pictures_of_npz(place))
                named = [f"{place.name}[{i}]" for i in range(len(found))]
            else:
                found, named = [place], [str(place)]
            sources += found
            names += named
        if not sources:
            raise DataError(f"{type(self).__name__}: there is no picture.")
        return sources, names

    # ------------------------------------------------------------ restoring

    def restored(self, picture: Array) -> Array:
        """The restored picture, numbers in [0, 1], of one (H, W, C) of such numbers."""
        return self.degradation.restored(picture, self._any_size)

    def from_plain(self, data: Any) -> Any:
        try:
            return np.asarray(data, np.float32) if np.max(data) <= 1 else np.asarray(data, np.uint8)
        except (ValueError, TypeError, OverflowError):
            raise DataError(
                "Expected a picture as nested lists of numbers, height × width × channels, or several of one size. To send "
                "files such as .png and .jpg, send them as a form, or one as the body of the request."
            ) from None

    def prediction(self, samples: Samples) -> Prediction:
        return Prediction(RestoredPictures(self, samples.data))  # type: ignore[arg-type]

    def predict(self, data: Any, **reading: Any) -> Any:
        """The restored picture of one picture, (H, W, C) in [0, 1], or a list of those of several.

        Parameters  data : see the class ; reading : as of ``read``
        """
        found = self.prediction(self.read(data, **reading)).values
        one = isinstance(data, np.ndarray) and (data.ndim == 2 or (data.ndim == 3 and data.shape[2] in (1, 3)))
        file = isinstance(data, (str, os.PathLike)) and Path(data).is_file() and Path(data).suffix.lower() != ".npz"
        return found[0] if one or file else list(found)

    def evaluate(self, data: Any, y: Any = None, **reading: Any) -> dict[str, float]:
        """How near restored pictures are to the true ones: means over the pictures, PSNR in decibels.

        Parameters  data : good pictures, which are spoilt first ; or spoilt ones, and y the true ones ; reading : as of
                    ``read``, such as sigma=25
        """
        return super().evaluate(data, y, **({"spoil": True} if y is None else {}), **reading)

    def score(self, data: Any, y: Any = None, **reading: Any) -> float:
        """The PSNR in decibels. Parameters  as of ``evaluate``"""
        return self.evaluate(data, y, **reading)["psnr"]

    def scores(self, samples: Samples, prediction: Prediction) -> Scores:
        values: Any = prediction.values
        assert isinstance(values, RestoredPictures)
        return values.scores()

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        return {self.file_key: {"format": _FORMAT, "degradation": self.degradation.state(), "facts": self.facts}}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (restoration format {held['format']}). Upgrade it.")
        degradation = Degradation.of(held["degradation"])
        shapes = (network.input_shapes, network.output_shapes)
        if not _fits(shapes, degradation):
            raise ModelFileError("its network and its preprocessing do not belong together.")
        return cls(network, degradation, held["facts"])

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return [("", [("Task", self.degradation.task), *self.degradation.description(), *self.trained_on()])]

    def __repr__(self) -> str:
        return f"RestorationModel({self.degradation.task!r}; {self.network.parameters.count:,} parameters)"


def _readable(sources: list[Any], names: list[str]) -> tuple[list[Any], list[str], list[str]]:
    """The sources without files that cannot be read, their names, and what is said about the others."""
    kept, wrong = [], []
    for i, source in enumerate(sources):
        try:
            if isinstance(source, (str, os.PathLike)):
                read_picture(source, channels=1)
            kept.append(i)
        except ImageError as error:
            wrong.append(str(error))
    if not kept:
        raise ImageError(f"None of the {len(sources)} pictures can be read. The first: {wrong[0]}")
    notes = [f"{len(wrong):,} of {len(sources):,} pictures cannot be read and are left out. {wrong[0]}"] if wrong else []
    return [sources[i] for i in kept], [names[i] for i in kept], notes


def _margin(network: Network, degradation: Degradation) -> int | None:
    """How far the output for a pixel may depend on others; None for colours, which depend on the whole picture."""
    if degradation.task == "colour":
        return None
    reach = 0.0
    size = 1.0
    for layer in network.layers.values():
        kernel, stride = getattr(layer, "kernel", None), getattr(layer, "stride", 1)
        if isinstance(kernel, int) or (isinstance(kernel, tuple) and kernel):
            side = kernel if isinstance(kernel, int) else max(kernel)
            reach += size * side / 2
            size *= stride if isinstance(stride, int) else max(stride)
    return int(reach) + 4


def _fits(shapes: Any, degradation: Degradation) -> bool:
    (inside,), (outside,) = shapes
    wanted = degradation.source_shrink / degradation.target_shrink
    pictures = len(inside) == 3 and len(outside) == 3
    return (
        pictures
        and outside[0] == inside[0] * wanted
        and inside[2] == (degradation.channels or 1 if isinstance(degradation, Noise) else 1)
    )
