"""A network and its preprocessing for clips of video."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...data import ClassLabels
from ...errors import ImageError, ModelFileError, ParameterError, ShapeError
from ...images import ImagePreprocessor
from ...losses import Loss
from ...model import Network
from ...video import ClipData, clip_folders, holds_clips, is_video
from ..scores import Prediction
from ..task_model import Samples, TaskModel
from ..words import some

__all__ = ["ClipModel"]

Array = NDArray[Any]
_FORMAT = 1
_MOST_CLIPS = 100_000


class ClipModel(TaskModel):
    """A network and its preprocessing: it takes clips of any length and size.

    ``chainrule.load`` gives one for a model file that ``chainrule train`` wrote for clips. The probabilities of a clip are
    the mean over its windows.

    Parameters
        network : from windows (frames, H, W, C) to one logit a class ; preprocessor : of each frame ; frames, every : of a
        window ; class_labels : of the classes ; facts : plain data about the training
    Data        what ``predict`` and the others take: the path of a video, of a folder of frames, or of a folder of clips by
                class ; a list of paths ; an array (N, T, H, W, C), one clip (T, H, W, C), or a ClipData
    """

    file_key: ClassVar[str] = "clips"
    noun: ClassVar[tuple[str, str]] = ("clip", "clips")

    def __init__(
        self,
        network: Network,
        preprocessor: ImagePreprocessor,
        class_labels: ClassLabels,
        *,
        frames: int,
        every: int,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._network, self.preprocessor, self.class_labels = network, preprocessor, class_labels
        self.frames, self.every, self.facts = frames, every, dict(facts or {})

    @property
    def network(self) -> Network:
        return self._network

    @property
    def target(self) -> str:
        return "class"

    @property
    def labels(self) -> Array:
        return self.class_labels.classes

    def data(self, clips: Any, **options: Any) -> ClipData:
        """Clips prepared as those of the training were. Parameters  options : of ClipData"""
        p = self.preprocessor
        files = bool(len(clips)) and all(isinstance(one, (str, os.PathLike)) for one in clips)
        how: dict[str, Any] = {"size": p.shape[:2], "channels": p.channels, "fit": p.fit} if files else {}
        return ClipData(clips, length=self.frames, step=self.every, mean=p.mean, std=p.std, **how, **options)

    def read(self, data: Any, y: Any = None, **reading: Any) -> Samples:
        if reading:
            raise ParameterError(f"{next(iter(reading))} is not for clips. Leave it out.")
        truth_of: list[str] | None = None
        if isinstance(data, ClipData):
            found, names = data, [str(i) for i in range(data.n_clips)]
            if found.paths is not None:
                names = [str(found.paths[row]) for row in found.clips.tolist()]
        else:
            several = isinstance(data, (list, tuple)) and len(data) and all(isinstance(o, (str, os.PathLike)) for o in data)
            given = [Path(o) for o in data] if several else [Path(data)] if isinstance(data, (str, os.PathLike)) else None
            if given is None:
                clips = np.asarray(data) if not isinstance(data, (list, tuple)) else data
                if isinstance(clips, np.ndarray) and clips.ndim == 4:
                    clips = clips[None]
                found = self.data(clips)
                names = [str(i) for i in range(found.n_clips)]
            else:
                paths, truth_of = _clips_in(given)
                found, names = self.data(paths), [str(path) for path in paths]
        if found.shape != (self.frames, *self.preprocessor.shape):
            raise ShapeError(
                f"The model was trained on clips of shape {(self.frames, *self.preprocessor.shape)}. Got {found.shape}."
            )
        against = "the labels"
        if y is None and truth_of is not None and set(truth_of) <= set(self.classes or []):
            # As labels, which may be numbers whose folders have them as text.
            y = self.class_labels.decode([(self.classes or []).index(name) for name in truth_of])
            against = "the names of the folders"
        if y is not None:
            found = found.labelled(self.class_labels, y)
        truth = found.targets if found.labels is not None else None
        missing = "" if truth is not None else "the clips have no classes."
        return Samples(found, found.n_clips, lambda: {"clip": names}, truth, None, against, missing, names=names)

    def prediction(self, samples: Samples) -> Prediction:
        z = np.asarray(self.network.predict(samples.data), np.float64)
        loss = self.network.loss_
        assert isinstance(loss, Loss)
        p = np.asarray(loss.prediction(z), np.float64)
        clip_of = samples.data.clip_of
        mean = np.zeros((samples.count, p.shape[1]))
        np.add.at(mean, clip_of, p)
        mean /= np.bincount(clip_of, minlength=samples.count)[:, None]
        return Prediction(self.class_labels.decode(mean.argmax(axis=1)), mean)

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held = {
            "format": _FORMAT,
            "preprocessing": self.preprocessor.config(),
            "frames": self.frames,
            "every": self.every,
            "labels": self.class_labels.to_config(),
            "facts": self.facts,
        }
        return {self.file_key: held}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (clip format {held['format']}). Upgrade chainrule.")
        preprocessor = ImagePreprocessor(**held["preprocessing"])
        preprocessor.validate()
        labels = ClassLabels.from_config(held["labels"])
        self = cls(
            network, preprocessor, labels, frames=int(held["frames"]), every=int(held["every"]), facts=held["facts"]
        )  # fmt: skip
        shapes = network.input_shapes, network.output_shapes
        if shapes != ([(self.frames, *preprocessor.shape)], [(labels.n_classes,)]) or not hasattr(network, "loss_"):
            raise ModelFileError("its network and its preprocessing do not belong together.")
        return self

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        height, width, channels = self.preprocessor.shape
        rows = [("Classes", some(self.classes or [], 12)), *self.trained_on()]
        every = "" if self.every == 1 else f", every {self.every}th one"
        frames = f"{self.frames} at a time{every}, {height} × {width} pixels (height × width)"
        colours = {1: "grey", 3: "red, green, blue"}.get(channels, str(channels))
        return [("", rows), ("Preprocessing", [("Frames", frames), ("Channels", colours)])]


def _clips_in(given: list[Path]) -> tuple[list[Path], list[str] | None]:
    """The clips of paths, and the names of the folders that they lie in where those may be classes."""
    if len(given) == 1 and given[0].is_dir() and holds_clips(given[0]):
        found = clip_folders(given[0])
        return [clip for clips in found.values() for clip in clips], [name for name, clips in found.items() for _ in clips]
    paths: list[Path] = []
    for one in given:
        videos = [file for file in sorted(one.iterdir()) if is_video(file)] if one.is_dir() else []
        paths += videos or [one]  # a folder without videos is one of frames
    if not paths or len(paths) > _MOST_CLIPS:
        raise ImageError(f"{', '.join(map(str, given[:3]))}: there is no clip in it.")
    return paths, None
