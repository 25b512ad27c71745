"""A detector: from pictures of any size to boxes in their pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...boxes import (
    AveragePrecision,
    BoxData,
    Detections,
    Letterbox,
    Objects,
    average_precision,
    decoded,
    read_annotations,
)
from ...boxes.annotations import Annotations, is_annotated
from ...boxes.checking import checked_boxes, said
from ...constraints import Boolean, Interval, OneOf
from ...errors import DataError, ImageError, ModelFileError, NotFittedError, ParameterError
from ...images import ImagePreprocessor, picture_files, read_picture
from ...losses import BoxGIoU, HeatMapFocal
from ...model import Network
from ...training.interrupt import sigterm_at_end
from ..scores import Prediction, Scores
from ..task_model import Samples, TaskModel
from ..words import some
from .calibration import calibrated, fitted_calibration, matched

if TYPE_CHECKING:
    from ...training import Callback

__all__ = ["Detector", "raw_detections"]

Array = NDArray[Any]
_FORMAT = 1
#: Score from which a box counts as found where one threshold decides; calibrated scores are probabilities.
_THRESHOLD = 0.5
_BATCH = 8


def raw_detections(network: Network, data: BoxData, *, mirrored: bool = False) -> list[Detections]:
    """The boxes that a network finds in pictures, in the pixels of the pictures as they came, with its own scores.

    Parameters  mirrored : whether the outputs are the mean of those for the picture and, mirrored back, its mirror image
    """
    found: list[Detections] = []
    sizes = [data.sizes[row] for row in data.rows.tolist()]
    for batch in data.batches(_BATCH):
        heat, sides = _outputs(network, batch.inputs[0])
        if mirrored:
            other, other_sides = _outputs(network, np.ascontiguousarray(batch.inputs[0][:, :, ::-1]))
            # In a mirror left and right are exchanged.
            heat = (heat + other[:, :, ::-1]) / 2
            sides = (sides + other_sides[:, :, ::-1][..., [2, 1, 0, 3]]) / 2
        found += decoded(heat, sides, data.stride)
    return [
        Detections(Letterbox(size, data.shape[:2]).back(one.boxes), one.scores, one.classes)
        for one, size in zip(found, sizes, strict=True)
    ]


def _outputs(network: Network, x: Array) -> tuple[Array, Array]:
    """Probabilities of objects at each place, and the distances to the sides of their boxes."""
    heat, sides = network.predict(x)
    return HeatMapFocal().prediction(heat), BoxGIoU().prediction(sides)


class Detector(TaskModel):
    """Finds objects in pictures: a network with its preprocessing, its training and its metrics.

    ``chainrule train FOLDER --task detect`` writes such a model, and ``chainrule.load`` gives it.

    Parameters
        body : "residual", "efficientnet_lite0", "mobilenet_small", "resnet20" or "vgg_small"; None for the residual one,
            or for that of ``pretrained``
        size : (height, width) that pictures are put into, multiples of 32; None chooses by the size of the objects
        width : channels at a quarter of that size = 32 ; pretrained : "efficientnet_lite0" lets the body begin with
            weights of ImageNet, as does True. Its layers down to a quarter of the picture's size stay as they
            are, the others learn at a tenth of the rate
        augment : random changes, as on the command line = "light" ; balanced : whether rare classes are shown more often
        epochs, batch_size, learning_rate : None chooses ; threshold : score from which a box counts as found = 0.5
        mirrored : whether each picture's mirror image is looked at, too, and the mean of both is taken = False; boxes become
            better, and take twice as long
        wrong_boxes : what boxes that cannot be right do = "clip" (see ``read_annotations``)
        random_state, threads
    Data        what ``fit``, ``evaluate`` and ``predict`` take: a folder or file of annotations (COCO, VOC, YOLO) ;
                Annotations ; a pair (pictures, objects) with an array (N, H, W, C) or paths, and for each picture an
                ``Objects`` or a pair (boxes, names of classes).
               ``predict`` also takes pictures alone: a path, a folder, paths, or an array
    Attributes  classes : names ; network ; preprocessor ; history_ : of the last fit ; calibration (K, 2)

    Example
        >>> import numpy as np
        >>> pictures = np.zeros((8, 32, 32, 1), np.uint8)
        >>> pictures[:, 8:20, 10:24] = 255
        >>> truth = [([[10, 8, 24, 20]], ["spot"])] * 8
        >>> detector = Detector(width=8, epochs=1, size=(32, 32)).fit((pictures, truth), verbose=0)
        >>> detector.classes, len(detector.predict(pictures))
        (['spot'], 8)
    """

    file_key: ClassVar[str] = "detection"
    noun: ClassVar[tuple[str, str]] = ("picture", "pictures")

    def __init__(
        self,
        body: str | None = None,
        *,
        size: tuple[int, int] | None = None,
        width: int = 32,
        pretrained: bool | str = False,
        augment: str = "light",
        balanced: bool = False,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        threshold: float = _THRESHOLD,
        mirrored: bool = False,
        wrong_boxes: str = "clip",
        random_state: int = 0,
        threads: int | None = None,
    ) -> None:
        self.body, self.size, self.width, self.pretrained = body, size, width, pretrained
        self.augment, self.balanced = augment, balanced
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.threshold = Interval(float, 0, 1).check("Detector", "threshold", threshold)
        self.wrong_boxes = OneOf("stop", "clip", "skip").check("Detector", "wrong_boxes", wrong_boxes)
        self.mirrored = Boolean().check("Detector", "mirrored", mirrored)
        self.random_state, self.threads = random_state, threads
        self._network: Network | None = None
        self.class_names: list[str] = []
        self.preprocessor: ImagePreprocessor | None = None
        self.stride = 4
        self.calibration: Array = np.zeros((0, 2))
        self.facts: dict[str, Any] = {}

    # ------------------------------------------------------------ training

    @sigterm_at_end()
    def fit(
        self, data: Any, y: Any = None, *, validation_data: Any = None, callbacks: Sequence[Callback] = (), verbose: int = 1
    ) -> Self:
        """Trains the detector; what was learned before is forgotten.

        Parameters
            data, y : see Data in the class; (data, y) is the same as the pair
            validation_data : likewise; its average precision is shown after every epoch, and it calibrates the scores. None
                takes the part of the data that says so ("val"), else one picture in six
            callbacks : of the fit ; verbose : 0, or 1 for a line after every epoch
        Raises      DataError when there are no boxes, or they are wrong ; ParameterError
        """
        from .training import fit_detector

        fit_detector(self, self._pair(data, y), validation_data, callbacks, verbose)
        return self

    @property
    def ready_body(self) -> str | None:
        """The name of the body that has learned before, None for one that begins anew."""
        if not self.pretrained:
            return None
        return "efficientnet_lite0" if self.pretrained is True else self.pretrained

    @property
    def named_body(self) -> str:
        """The name of the body."""
        return self.body or self.ready_body or "residual"

    @staticmethod
    def _pair(data: Any, y: Any) -> Any:
        return data if y is None else (data, y)

    @property
    def network(self) -> Network:
        if self._network is None:
            raise NotFittedError("This Detector is not fitted. Call fit, or load one with chainrule.load.")
        return self._network

    @property
    def history_(self) -> Any:
        """The History of the last fit."""
        return self.network.history_

    @property
    def target(self) -> str:
        return "boxes"

    @property
    def labels(self) -> Array | None:
        return np.array(self.class_names)

    @property
    def compared_by(self) -> str:
        return "AP50"

    # ------------------------------------------------------------ reading

    def read(
        self, data: Any, y: Any = None, *, wrong_boxes: str | None = None, broken: str = "stop", **reading: Any
    ) -> Samples:
        if reading:
            raise ParameterError(f"{next(iter(reading))} is not for pictures with boxes. Leave it out.")
        self.network  # noqa: B018  # an error before anything is read
        wrong = wrong_boxes or self.wrong_boxes
        OneOf("stop", "skip").check("Detector", "broken", broken)
        pictures, objects, names, notes, numbers = self._read(self._pair(data, y), wrong, broken)
        assert self.preprocessor is not None
        p, known = self.preprocessor, objects is not None
        boxes = objects if objects is not None else [Objects(np.zeros((0, 4)), np.zeros(0, np.int64))] * len(pictures)
        found = BoxData(
            pictures,
            boxes,
            self.class_names,
            size=p.shape[:2],
            channels=p.channels,
            stride=self.stride,
            mean=p.mean,
            std=p.std,
        )
        return Samples(
            found, len(names), lambda: {"picture": names}, objects, None, "the annotations" if known else "",
            "" if known else "the pictures have no annotations.", names=names, notes=notes, numbers=numbers,
        )  # fmt: skip

    def _read(
        self, data: Any, wrong: str, broken: str
    ) -> tuple[Any, list[Objects] | None, list[str], list[str], list[int] | None]:
        if isinstance(data, BoxData):
            if data.classes != self.class_names:
                raise DataError(f"The data have the classes {data.classes}, the model has {self.class_names}.")
            pictures: Any = data.pictures() if data.paths is None else [data.paths[row] for row in data.rows.tolist()]
            names = [str(i) for i in range(data.n_samples)] if data.paths is None else [str(path) for path in pictures]
            return pictures, data.truth(), names, [], None
        if isinstance(data, (str, os.PathLike)) and is_annotated(Path(data)):
            data = read_annotations(data, wrong=wrong, broken=broken)
        if isinstance(data, Annotations):
            data = data.classed(self.class_names, "The annotations")
            notes = [*said(data.wrong), *left_out(data.unreadable)]
            return data.pictures, data.objects, [str(p) for p in data.pictures], notes, data.numbers or None
        if isinstance(data, tuple) and len(data) == 2:
            pictures, given = data
            objects, _, notes = objects_of(given, sizes_of(pictures), wrong, self.class_names)
            return pictures, objects, [str(i) for i in range(len(objects))], notes, None
        if isinstance(data, (str, os.PathLike)):
            data = [data]
        if isinstance(data, (list, tuple)) and all(isinstance(one, (str, os.PathLike)) for one in data):
            files = [file for one in data for file in (picture_files(one) if Path(one).is_dir() else [Path(one)])]
            if not files:
                raise ImageError(f"{', '.join(map(str, data))}: there is no picture in it.")
            notes = []
            if broken == "skip":
                files, unreadable = readable(files)
                notes = left_out(unreadable)
            return files, None, [str(file) for file in files], notes, None
        pixels = np.asarray(data)
        channels = 1 if self.preprocessor is None else self.preprocessor.channels
        if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[-1] == channels and channels == 3):
            pixels = pixels[None]
        return pixels, None, [str(i) for i in range(len(pixels))], [], None

    # ------------------------------------------------------------ predicting and scoring

    def prediction(self, samples: Samples) -> Prediction:
        found = [calibrated(one, self.calibration) for one in self._raw(samples.data)]
        return Prediction(found)  # type: ignore[arg-type]

    def to_plain(self, prediction: Prediction) -> dict[str, Any]:
        """For each picture a list of {"class", "score", "box": [left, top, right, bottom]}, the surest first."""
        found = []
        for one in prediction.values:
            sure = one.above(self.threshold)
            rows = zip(sure.classes.tolist(), sure.scores.tolist(), sure.boxes.tolist(), strict=True)
            found.append([{"class": self.class_names[c], "score": score, "box": box} for c, score, box in rows])
        return {"classes": list(self.class_names), "predictions": found}

    def predict(self, data: Any, **reading: Any) -> list[Detections]:  # type: ignore[override]
        """The objects of each picture with a score of at least ``threshold``, the surest first, in the picture's pixels.

        Parameters  data : see Data in the class
        Raises      DataError, ImageError when the data cannot be read ; NotFittedError before fit
        """
        found = self.prediction(self.read(data, **reading)).values
        return [one.above(self.threshold) for one in found]

    def _raw(self, data: BoxData) -> list[Detections]:
        return raw_detections(self.network, data, mirrored=self.mirrored)

    @property
    def channels(self) -> int:
        """3 for colours, 1 for grey, as the pictures of the training were."""
        self.network  # noqa: B018
        return 3 if self.preprocessor is None else self.preprocessor.channels

    def followed(
        self, frames: Iterable[NDArray[np.uint8]], *, vectors: bool = False
    ) -> Iterator[tuple[Detections, NDArray[np.float64] | None]]:
        """All boxes of successive frames, also those of low score, and their looks, for a tracker; a few frames at a time.

        Parameters  frames : (H, W, C) uint8 each, of one size ; vectors : whether the looks are wanted, the features of the
                    network at an eighth of the picture's size
        """
        from ...tracking.appearance import appearance_vectors

        body = self._features() if vectors else None
        waiting = iter(frames)
        while part := list(islice(waiting, _BATCH)):
            samples = self.read(np.stack(part))
            found = self.prediction(samples).values
            if body is None:
                yield from ((one, None) for one in found)
                continue
            features = body.predict(next(samples.data.batches(len(part))).inputs[0])
            inside = samples.data.shape[:2]
            for one, feature, size in zip(found, features, samples.data.sizes, strict=True):
                boxes = Letterbox(size, inside).forward(one.boxes)
                yield one, appearance_vectors(feature, boxes, inside)

    def _features(self) -> Network:
        """The part of the network that gives the body's last features at an eighth of the picture's size."""
        network = self.network
        height, width, _ = network.input_shapes[0]  # type: ignore[index]
        names = [
            call.name for call in network.calls
            if (shape := network.sample_shape(call.output)) is not None and shape[:2] == (height // 8, width // 8)
        ]  # fmt: skip
        first_back = next((i for i, call in enumerate(network.calls) if call.layer.kind().startswith("up_sampling")), None)
        before = {call.name for call in network.calls[:first_back]}
        return network.cut([name for name in names if name in before][-1])

    def predict_proba(self, data: Any, **reading: Any) -> Array:
        raise AttributeError("A Detector has no table of probabilities; each box has its score: predict(data)[i].scores.")

    def evaluate(self, data: Any, y: Any = None, **reading: Any) -> dict[str, float]:
        """{"ap50", "ap", "ap75", "ap_small", "ap_medium", "ap_large", "precision", "recall"}, see ``average_precision``.

        Precision and recall are those of the boxes with a score of at least ``threshold``, at an overlap of 0.5.
        """
        samples = self.read(data, y, **reading)
        if samples.truth is None:
            raise DataError(
                "Detector.evaluate: the pictures have no annotations. Give a folder of annotations, or boxes as y."
            )
        found = self.prediction(samples).values
        result = average_precision(samples.truth, list(found), len(self.class_names))
        scores = self.scores(samples, Prediction(found))
        named = {"ap50": result.ap50, "ap": result.ap, "ap75": result.ap75}
        named |= {f"ap_{area}": value for area, value in result.by_area.items()}
        return named | {"precision": scores.values["precision"], "recall": scores.values["recall"]}

    def score(self, data: Any, y: Any = None, **reading: Any) -> float:
        """The average precision at an overlap of 0.5, mean over the classes."""
        return self.evaluate(data, y, **reading)["ap50"]

    def average_precision(self, data: Any, y: Any = None, **reading: Any) -> AveragePrecision:
        """All of COCO's numbers, also by class. Parameters  as ``evaluate``"""
        samples = self.read(data, y, **reading)
        if samples.truth is None:
            raise DataError("Detector.average_precision: the pictures have no annotations.")
        return average_precision(samples.truth, list(self.prediction(samples).values), len(self.class_names))

    def scores(self, samples: Samples, prediction: Prediction) -> Scores:
        assert samples.truth is not None
        true, found = list(samples.truth), list(prediction.values)
        result = average_precision(true, found, len(self.class_names))
        hits, claims, objects = (np.zeros(len(self.class_names), int) for _ in range(3))
        for t, f in zip(true, found, strict=True):
            sure = f.above(self.threshold)
            right, _ = matched(t, sure)
            hits += np.bincount(sure.classes[right], minlength=len(hits))
            claims += np.bincount(sure.classes, minlength=len(hits))
            objects += np.bincount(t.classes[~t.crowd], minlength=len(hits))
        by_class = []
        for c, name in enumerate(self.class_names):
            p, r = hits[c] / max(claims[c], 1), hits[c] / max(objects[c], 1)
            by_class.append((name, float(p), float(r), float(2 * p * r / max(p + r, 1e-12)), int(objects[c])))
        values = {
            "AP50": result.ap50, "AP50:95": result.ap, "AP75": result.ap75,
            "precision": float(hits.sum() / max(claims.sum(), 1)), "recall": float(hits.sum() / max(objects.sum(), 1)),
        }  # fmt: skip
        more = {"AP50": [ap50 for _, ap50 in result.by_class], "AP50:95": [ap for ap, _ in result.by_class]}
        return Scores(values, by_class, len(true), "boxes", more)

    # ------------------------------------------------------------ files

    def _settings(self) -> dict[str, Any]:
        names = (
            "body", "size", "width", "pretrained", "augment", "balanced", "epochs", "batch_size", "learning_rate",
            "threshold", "mirrored", "wrong_boxes", "random_state",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def _trained(self, network: Network, data: BoxData, calibrate_on: BoxData | None, facts: Mapping[str, Any]) -> Self:
        """Takes up a network that was trained on these data."""
        self._network, self.class_names, self.preprocessor = network, list(data.classes), data.preprocessor
        self.stride, self.facts = data.stride, dict(facts)
        self.calibration = np.tile([1.0, 0.0], (len(self.class_names), 1))
        if calibrate_on is not None:
            found = self._raw(calibrate_on)
            self.calibration = fitted_calibration(calibrate_on.truth(), found, len(self.class_names))
        return self

    def state(self) -> dict[str, Any]:
        network = self.network
        assert network is not None and self.preprocessor is not None
        held = {
            "format": _FORMAT,
            "preprocessing": self.preprocessor.config(),
            "classes": self.class_names,
            "stride": self.stride,
            "calibration": self.calibration.tolist(),
            "settings": self._settings(),
            "facts": self.facts,
        }
        return {self.file_key: held}

    @classmethod
    def from_state(cls, network: Network, extra: Mapping[str, Any], place: Any) -> Self:
        held = extra[cls.file_key]
        if held["format"] > _FORMAT:
            raise ModelFileError(
                f"it was written by a newer chainrule (detection format {held['format']}). Upgrade chainrule."
            )
        settings = dict(held["settings"])
        settings["size"] = None if settings["size"] is None else tuple(settings["size"])
        self = cls(**settings)
        preprocessor = ImagePreprocessor(**held["preprocessing"])
        preprocessor.validate()
        self._network, self.preprocessor = network, preprocessor
        self.class_names, self.stride = [str(name) for name in held["classes"]], int(held["stride"])
        self.calibration, self.facts = np.asarray(held["calibration"], np.float64), dict(held["facts"])
        height, width, _ = preprocessor.shape
        places = (height // self.stride, width // self.stride)
        wanted = [(*places, len(self.class_names)), (*places, 4)]
        if network.input_shapes != [preprocessor.shape] or network.output_shapes != wanted:
            raise ModelFileError("its network and its preprocessing do not belong together.")
        if self.calibration.shape != (len(self.class_names), 2):
            raise ModelFileError("its calibration does not fit its classes.")
        return self

    # ------------------------------------------------------------ words

    def description(self) -> list[tuple[str, list[tuple[str, str]]]]:
        assert self.preprocessor is not None
        height, width, channels = self.preprocessor.shape
        rows = [("Classes", some(self.class_names, 12)), *self.trained_on()]
        pixels = f"put into {height} × {width} pixels (height × width) with black borders"
        colours = {1: "grey", 3: "red, green, blue"}.get(channels, str(channels))
        return [("", rows), ("Preprocessing", [("Pixels", pixels), ("Channels", colours)])]

    def __repr__(self) -> str:
        if self._network is None:
            return f"Detector({self.named_body!r}, not fitted)"
        return f"Detector({self.named_body!r}: {some(self.class_names, 5)}; {self.network.parameters.count:,} parameters)"


def readable(files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The pictures that can be read, and why the others cannot. Raises  ImageError when none can"""
    kept, unreadable = [], []
    for file in files:
        try:
            read_picture(file)
            kept.append(file)
        except ImageError as error:
            unreadable.append(str(error))
    if not kept:
        raise ImageError(f"None of the {len(files):,} pictures can be read. {unreadable[0]}")
    return kept, unreadable


def left_out(unreadable: Sequence[str], most: int = 3) -> list[str]:
    """Sentences about pictures that could not be read."""
    notes = [f"Left out: {why}" for why in unreadable[:most]]
    return notes + [f"{len(unreadable):,} pictures in all cannot be read and are left out."] * (len(unreadable) > most)


def sizes_of(pictures: Any) -> list[tuple[int, int]]:
    """(height, width) of each picture of an array or a list of files."""
    from ...images.picture import read_header

    if isinstance(pictures, np.ndarray):
        return [(int(pictures.shape[1]), int(pictures.shape[2]))] * len(pictures)
    return [read_header(path)[:2] for path in pictures]


def objects_of(
    given: Any, sizes: Sequence[tuple[int, int]], wrong: str, classes: Sequence[str] | None = None
) -> tuple[list[Objects], list[str], list[str]]:
    """Boxes as they come in Python, checked: of each picture, the classes, and sentences about wrong boxes.

    Parameters  given : for each picture an Objects, whose classes are numbers, or a pair (boxes, names of their classes) ;
                classes : names that are known, None finds them
    """
    given = list(given)
    if len(given) != len(sizes):
        raise DataError(
            f"Got {len(sizes):,} pictures and the boxes of {len(given):,}. Give boxes for every picture, [] for none."
        )
    labels: list[list[str]] = []
    boxes: list[Any] = []
    for one in given:
        if isinstance(one, Objects):
            boxes.append(one.boxes)
            labels.append([str(c) if classes is None else classes[int(c)] for c in one.classes])
        else:
            if not isinstance(one, (list, tuple)) or len(one) != 2 or len(one[0]) != len(one[1]):
                raise DataError(
                    f"The boxes of a picture are a pair (boxes, classes) of equal lengths, or an Objects. Got {one!r:.80}."
                )
            boxes.append(one[0])
            labels.append([str(c) for c in one[1]])
    names = list(classes) if classes is not None else sorted({label for some_ in labels for label in some_})
    out, faults = [], []
    for i, (box, label, size) in enumerate(zip(boxes, labels, sizes, strict=True)):
        kept, rows, bad = checked_boxes(box, size, f"picture {i}", wrong=wrong)
        unknown = next((one for one in label if one not in names), None)
        if unknown is not None:
            raise DataError(f"picture {i}: the class {unknown!r} is not one of those known: {', '.join(names)}.")
        out.append(Objects(kept, np.array([names.index(label[row]) for row in rows.tolist()], np.int64)))
        faults += bad
    return out, names, said(faults)
