"""A network that takes sound, and what its outputs mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import Interval
from ...data import ClassLabels, Sequences
from ...errors import DataError, ModelFileError, ParameterError, SoundError
from ...images.folder import files_of_kind
from ...losses.numeric import softmax
from ...model import Network
from ...sounds import SOUNDS, as_waves, sound_blocks, windows_in, windows_of
from ..labels_file import find_labels_file, read_labels_file
from ..scores import Prediction, Scores
from ..task_model import Samples, TaskModel
from ..transcription import Units, score_texts
from ..words import some

__all__ = ["SoundModel"]

Array = NDArray[Any]
_FORMAT = 1
#: Samples of sound that windows of long recordings take at a time.
_SAMPLES = 1 << 24


class SoundModel(TaskModel):
    """A network that takes sound of any length, and the classes, or the units of texts, that its outputs stand for.

    ``chainrule.load`` gives one for a model file that ``chainrule train`` wrote for sounds.

    Parameters
        network : from samples and lengths to one logit a class, or, for texts, to logits of CTC for every step
        rate : samples a second of what the network takes
        labels : ClassLabels of the classes, or Units of texts ; facts : plain data about the training
    Data        what ``predict`` and the others take: the path of a sound or of a folder of sounds; a list of paths and of
                arrays of samples; an array (T,) or (N, T). Files are brought to the rate of the model and to one channel;
                arrays have that rate, or ``rate=...``. ``window=...`` seconds cuts each sound into windows, half a window
                apart. The truth is known from folders named like the classes, and from a file labels.csv
    """

    file_key: ClassVar[str] = "sounds"
    noun: ClassVar[tuple[str, str]] = ("sound", "sounds")

    def __init__(
        self, network: Network, rate: float, labels: ClassLabels | Units, facts: Mapping[str, Any] | None = None
    ) -> None:
        self._network, self.rate, self._labels = network, float(rate), labels
        self.facts = dict(facts or {})

    @property
    def network(self) -> Network:
        return self._network

    @property
    def target(self) -> str:
        return "text" if self.units is not None else "class"

    @property
    def units(self) -> Units | None:
        """The units of the texts that are written, None where there are classes."""
        return self._labels if isinstance(self._labels, Units) else None

    @property
    def class_labels(self) -> ClassLabels | None:
        return self._labels if isinstance(self._labels, ClassLabels) else None

    @property
    def labels(self) -> Array | None:
        return None if self.class_labels is None else self.class_labels.classes

    @property
    def compared_by(self) -> str:
        return "accuracy" if self.units is None else "exact"

    # ------------------------------------------------------------ reading

    def read(
        self, data: Any, y: Any = None, *, rate: float | None = None, window: float | None = None, **reading: Any
    ) -> Samples:
        if reading:
            raise ParameterError(f"{next(iter(reading))} is no option of sounds. Leave it out.")
        if isinstance(data, Samples):
            return data
        given, names, texts, against = self._given(data)
        waves = as_waves(given, self.rate, given_rate=rate)
        begins: list[float] | None = None
        if window is not None:
            waves, names, begins = self._windows(waves, names, window)
            texts = None
        truth, missing, refused = self._truth(texts if y is None else y, len(waves))
        if y is not None:
            against = "y"

        def columns() -> Mapping[str, Sequence[Any]]:
            return {"sound": names} if begins is None else {"sound": names, "seconds": begins}

        return Samples(Sequences(waves), len(waves), columns, truth, None, against, missing, refused, names=names)

    def parts(self, data: Any, **reading: Any) -> Iterator[Samples]:
        """With ``window=...`` files are read and heard piece by piece, so that a recording may be longer than the memory."""
        window = reading.get("window")
        given, names, _, _ = ([], [], None, "") if isinstance(data, Samples) or window is None else self._given(data)
        if not given or not all(isinstance(one, (str, os.PathLike)) for one in given):
            yield self.read(data, **reading)
            return
        size = self._window_size(window)
        many = max(1, _SAMPLES // size)
        held: list[tuple[Any, str, float]] = []
        for file, name in zip(given, names, strict=True):
            for part, start in windows_in(sound_blocks(file, rate=self.rate), size, max(1, size // 2)):
                held.append((part, name, round(start / self.rate, 3)))
                if len(held) == many:
                    yield self._windowed(held)
                    held = []
        if held:
            yield self._windowed(held)

    def _windowed(self, held: list[tuple[Any, str, float]]) -> Samples:
        waves, names, begins = [wave for wave, _, _ in held], [name for _, name, _ in held], [at for _, _, at in held]
        missing = self._truth(None, 0)[1]
        return Samples(
            Sequences(waves), len(waves), lambda: {"sound": names, "seconds": begins}, missing=missing, names=names
        )

    def _given(self, data: Any) -> tuple[Any, list[str], list[str] | None, str]:
        """(files and arrays, their names, their texts or classes where they are known, against what)."""
        if isinstance(data, np.ndarray) and data.ndim == 1 and data.dtype.kind in "iuf":
            data = [data]
        if isinstance(data, Sequences) or not isinstance(data, (str, os.PathLike, list, tuple)):
            return data, [str(i) for i in range(len(data))], None, ""
        parts = [data] if isinstance(data, (str, os.PathLike)) else list(data)
        given: list[Any] = []
        names: list[str] = []
        texts: list[str] | None = []
        for i, part in enumerate(parts):
            if not isinstance(part, (str, os.PathLike)):
                given.append(part)
                names.append(str(i))
                texts = None
                continue
            place = Path(part)
            files, known = self._files(place) if place.is_dir() else ([place], None)
            given += files
            names += [str(file) for file in files]
            texts = None if texts is None or known is None else texts + known
        return given, names, texts, "the names of the folders" if self.units is None else "the file of labels"

    def _files(self, folder: Path) -> tuple[list[Path], list[str] | None]:
        place = find_labels_file(folder)
        if place is not None and self.units is not None:
            return read_labels_file(place, SOUNDS)
        files = files_of_kind(folder, SOUNDS)
        if not files:
            raise SoundError(f"{folder}: there is no sound in it ({SOUNDS.formats}).")
        folders = [file.parent.name for file in files]
        known = self.units is None and all(name in (self.classes or []) for name in folders)
        return files, folders if known else None

    def _window_size(self, seconds: Any) -> int:
        """The samples of a window. Raises  ParameterError"""
        Interval(float, 0, closed="neither").check("", "window", seconds)
        return max(1, round(float(seconds) * self.rate))

    def _windows(self, waves: list[Any], names: list[str], seconds: float) -> tuple[list[Any], list[str], list[float]]:
        size = self._window_size(seconds)
        parts: list[Any] = []
        of: list[str] = []
        begins: list[float] = []
        for wave, name in zip(waves, names, strict=True):
            found, starts = windows_of(wave, size, max(1, size // 2))
            parts += list(found)
            of += [name] * len(found)
            begins += [round(float(start) / self.rate, 3) for start in starts]
        return parts, of, begins

    def _truth(self, known: Any, count: int) -> tuple[Any, str, str]:
        """(the truth, why there is none, why it cannot be used)."""
        if known is None:
            return None, "the sounds have no classes." if self.units is None else "the sounds have no texts.", ""
        if len(known) != count:
            raise DataError(f"y has {len(known)} entries for {count} sounds. Give one for each.")
        if self.units is not None:
            return [str(text) for text in known], "", ""
        assert self.class_labels is not None
        names = {str(label): i for i, label in enumerate(self.class_labels.classes.tolist())}
        unknown = sorted({str(label) for label in known} - set(names))
        if unknown:
            return None, "", f"the class {unknown[0]!r} was not there in training. Known: {some(self.classes or [])}."
        return np.array([names[str(label)] for label in known], np.int64), "", ""

    # ------------------------------------------------------------ predicting

    def prediction(self, samples: Samples) -> Prediction:
        x: Sequences = samples.data
        z = self.network.predict([x, x.lengths.astype(np.int32)])
        if self.units is None:
            assert self.class_labels is not None
            p = softmax(np.asarray(z, np.float64))
            return Prediction(self.class_labels.decode(p.argmax(axis=1)), p)
        texts, sure = self.units.read(z, beams=8)
        return Prediction(np.array(texts, dtype=object), sure[:, None])

    def scores(self, samples: Samples, prediction: Prediction) -> Scores:
        if self.units is None:
            return super().scores(samples, prediction)
        return score_texts(samples.truth, prediction.values.tolist())

    def score(self, data: Any, y: Any = None, **reading: Any) -> float:
        """The accuracy of classes, or the share of texts without an error. Parameters and errors as in ``evaluate``"""
        return self.evaluate(data, y, **reading)["accuracy" if self.units is None else "exact"]

    def predict_proba(self, data: Any, **reading: Any) -> Array:
        if self.units is not None:
            raise AttributeError("This SoundModel writes texts, which are not classes. Use predict.")
        return super().predict_proba(data, **reading)

    # ------------------------------------------------------------ files

    def state(self) -> dict[str, Any]:
        held: dict[str, Any] = {"format": _FORMAT, "rate": self.rate, "facts": self.facts}
        if self.units is not None:
            held["units"] = self.units.state()
        elif self.class_labels is not None:
            held["labels"] = self.class_labels.to_config()
        return {self.file_key: held}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(f"it was written by a newer chainrule (sound format {held['format']}). Upgrade chainrule.")
        units = "units" in held
        labels: Any = Units.from_state(held["units"]) if units else ClassLabels.from_config(held["labels"])
        self = cls(network, held["rate"], labels, held["facts"])
        outputs = len(labels) + 1 if units else labels.n_classes
        if not self.rate >= 1 or len(network.input_ids) != 2 or network.output_shapes[0][-1] != outputs:
            raise ModelFileError("its network and its preprocessing do not belong together.")
        return self

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        rows: list[tuple[str, str]] = []
        if self.units is not None:
            rows.append(("Texts", f"of {len(self.units)} {self.units.kind}: {some(self.units.names, 20)}"))
        else:
            rows.append(("Classes", some(self.classes or [], 12)))
        rows += self.trained_on()
        if "augmentation" in self.facts:
            rows.append(("Augmentation", str(self.facts["augmentation"])))
        sound = f"one channel at {self.rate:g} samples a second, of any length"
        return [("", rows), ("Preprocessing", [("Sound", sound), ("Spectrogram", "the first layers of the network")])]

    def __repr__(self) -> str:
        what = (
            f"texts of {len(self.units)} {self.units.kind}"
            if self.units is not None
            else f"{len(self.classes or [])} classes"
        )
        return f"SoundModel({what}; {self.rate:g} Hz; {self.network.parameters.count:,} parameters)"
