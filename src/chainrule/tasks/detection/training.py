"""From annotated pictures and settings to a training of a detector that can begin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...architectures.center_net import center_net
from ...boxes import Annotations, BoxData, Objects, average_precision, read_annotations
from ...boxes.checking import said
from ...errors import DataError, ParameterError
from ...images.picture import read_header
from ...losses import BoxGIoU, HeatMapFocal
from ...model import Network
from ...optimizers import OneCycle
from ...pretrained import BODY_RATE, Body, load_body
from ...training import Callback, WeightAveraging
from ...training.settings import FitSettings
from ..task import PreparedNetwork
from ..words import some
from . import TASK
from .detector import Detector, left_out, objects_of, raw_detections, sizes_of
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ...training import FitState

__all__ = ["BoxParts", "ShowAveragePrecision", "fit_detector", "prepare", "read", "resume"]

#: Steps that a training has by default, and the bounds of the epochs that they are made of.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 4000, 10, 120
#: The longer side of pictures: bounds, and the pixels that the smaller side of nearly all objects must have.
_SHORTEST, _LONGEST, _SEEN = 256, 512, 12.0
_MULTIPLE = 32
#: The peak of the learning rate, the share of the training in which it rises, and the decay of weights.
_RATE, _WARM, _DECAY = 0.0015, 0.1, 0.02
#: How much the loss of the boxes counts beside that of the heat map.
_BOXES = 5.0
#: The average of the weights, over the last part of the epochs.
_AVERAGE_FROM, _AVERAGE = 0.7, 0.9


class BoxParts(NamedTuple):
    """Pictures to train on, to validate on and to test on; None for a part that there is not.

    Parameters  notes : sentences about the pictures ; body : that has learned before and takes these pictures, or None
    """

    train: BoxData
    validation: BoxData | None
    test: BoxData | None
    notes: list[str]
    body: Body | None = None


class ShowAveragePrecision(Callback):
    """Adds "val_ap50", the average precision on validation pictures, to the numbers of an epoch.

    Parameters  data : to measure on ; every : epochs from one measurement to the next; the number stays between them
    """

    def __init__(self, data: BoxData, *, every: int = 1) -> None:
        self.data, self.every = data, every
        self._last = 0.0

    def measure(self, state: FitState, epoch: int) -> Mapping[str, float]:
        if (epoch - 1) % self.every == 0 or epoch == state.epochs:
            assert isinstance(state.network, Network)
            found = raw_detections(state.network, self.data)
            ap50 = average_precision(self.data.truth(), found, len(self.data.classes)).ap50
            self._last = 0.0 if math.isnan(ap50) else ap50
        return {"val_ap50": self._last}


# ---------------------------------------------------------------- reading


def read(settings: DetectionSettings) -> BoxParts:
    """The pictures in parts. Raises  DataError, ImageError that name the file"""
    how: dict[str, Any] = {"wrong": settings.wrong_boxes or "clip", "broken": settings.broken or "stop"}
    whole = read_annotations(settings.data, **how)
    parts: dict[str, Annotations] = {}
    for part in ("validation", "test"):
        named: Path | None = getattr(settings, part)
        if named is not None:
            parts[part] = read_annotations(named, classes=whole.classes, **how)
    return divided(whole, parts, settings)


def divided(whole: Annotations, parts: Mapping[str, Annotations], settings: DetectionSettings) -> BoxParts:
    """Annotations in parts, as the data say, else at random. Parameters  parts : those that are data of their own"""
    rng, found = np.random.default_rng(settings.random_state), dict(parts)
    rows = np.arange(len(whole))
    if whole.part and "train" in whole.part:
        part = np.array(whole.part)
        for name in ("validation", "test"):
            if name not in found and (part == name).any():
                found[name] = whole.take(np.flatnonzero(part == name).tolist())
        rows = np.flatnonzero((part == "train") | (part == ""))
    test, validation = settings.shares
    for name, share in (("test", test), ("validation", validation)):
        if name in found or not share:
            continue
        held = round(share * len(rows))
        if not held or held >= len(rows):
            raise DataError(
                f"{settings.data}: {len(rows)} pictures cannot be divided with --{name}-fraction {share:g}. Give more "
                f"pictures, or --{name}-fraction 0."
            )
        order = rng.permutation(rows)
        found[name], rows = whole.take(np.sort(order[:held]).tolist()), np.sort(order[held:])
    train = whole.take(rows.tolist())
    boxes = sum(len(one.boxes) for one in train.objects)
    if not boxes:
        raise DataError(
            f"{settings.data}: none of the {len(train):,} pictures to train on has a box. There is nothing to learn."
            f"{''.join(f' {fault}' for fault in whole.wrong[:1])}"
        )
    size, channels = _layout(train, settings)
    notes = [*said(whole.wrong), *left_out(whole.unreadable)]

    def made(part: Annotations) -> BoxData:
        return BoxData(part.pictures, part.objects, whole.classes, size=size, channels=channels, stride=4).check()

    others = {name: made(part) for name, part in found.items()}
    return _scaled(BoxParts(made(train), others.get("validation"), others.get("test"), notes), settings)


def _scaled(parts: BoxParts, settings: DetectionSettings) -> BoxParts:
    """The same parts with what the settings say of the training: augmentation, and channels as the body takes them."""
    body = None
    if settings.pretrained is not None:
        if parts.train.shape[2] != 3:
            raise DataError(
                f"{settings.pretrained} takes pictures of 3 channels. These have {parts.train.shape[2]}. Repeat the channel "
                "of grey arrays three times, or leave the pretrained body out."
            )
        body = load_body(settings.pretrained, "pictures", size=parts.train.shape[:2], dtype=settings.dtype)
    if body is not None and body.preprocessor is not None:
        train = parts.train.standardised(like=body.preprocessor)
    else:
        train = parts.train.standardised()
    train.augmentation, train.balanced = settings.augmentation(), settings.balanced
    validation, test = (None if part is None else part.standardised(like=train) for part in (parts.validation, parts.test))
    return BoxParts(train, validation, test, parts.notes, body)


def _layout(data: Annotations, settings: DetectionSettings) -> tuple[tuple[int, int], int]:
    """The size that pictures are put into, and their channels."""
    headers = [read_header(path) for path in data.pictures]
    channels = 1 if all(one.grey for one in headers) and settings.body != "efficientnet_lite0" else 3
    if settings.size is not None:
        return settings.size, channels
    return fitting_size(data.objects, [one[:2] for one in headers]), channels


def fitting_size(objects: Sequence[Objects], sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The smallest size, in multiples of 32, at which nearly all objects are large enough to be found.

    Nine of ten objects get at least 12 pixels on their smaller side, where 512 pixels on the longer side of the pictures
    allow it; 256 pixels are always taken, where the pictures have them.
    """
    tall, wide = (float(np.median([size[axis] for size in sizes])) for axis in (0, 1))
    longest = max(tall, wide)
    smallest = np.concatenate(
        [np.minimum(one.boxes[:, 2] - one.boxes[:, 0], one.boxes[:, 3] - one.boxes[:, 1]) for one in objects]
    )
    wanted = longest * _SEEN / max(1.0, float(np.quantile(smallest, 0.1)) if len(smallest) else longest)
    side = min(max(wanted, _SHORTEST), _LONGEST, max(_MULTIPLE, longest))

    def multiple(value: float) -> int:
        return max(_MULTIPLE, _MULTIPLE * math.ceil(value / _MULTIPLE - 1e-9))

    side = multiple(side)
    return multiple(side * tall / longest), multiple(side * wide / longest)


# ---------------------------------------------------------------- preparing


def prepare(data: BoxParts, settings: DetectionSettings) -> PreparedNetwork:
    """A new network for the pictures, and its training."""
    train = data.train
    body = data.body
    network = center_net(
        len(train.classes), input_shape=train.shape, body=settings.body if body is None else body.network,
        width=settings.width, random_state=settings.random_state, dtype=settings.dtype,
    )  # fmt: skip
    fit = _fit_settings(settings, data)
    if body is not None:
        fit = fit.replace(learning_rate_factors=_careful(network, body.network))

    def make(trained: Network, facts: Mapping[str, Any]) -> Detector:
        detector = Detector(
            settings.body, size=train.shape[:2], width=settings.width, pretrained=settings.pretrained is not None,
            augment=settings.augment, balanced=settings.balanced, epochs=fit.epochs, batch_size=fit.batch_size,
            mirrored=settings.mirrored, wrong_boxes=settings.wrong_boxes or "clip", random_state=settings.random_state,
        )  # fmt: skip
        return detector._trained(trained, train, data.validation, facts)

    return PreparedNetwork(
        TASK,
        f"{settings.data}: {train.n_samples:,} pictures, {len(train.classes)} classes",
        network,
        (train,),
        fit,
        make,
        settings.data.resolve().name,
        train.n_samples,
        description=_description(settings, data, network, fit),
        facts={"augmentation": settings.augment},
        test=data.test,
        units={"loss": "focal loss and 5 times 1 − GIoU", "ap50": "average precision"},
    )


def _careful(network: Network, body: Network) -> dict[str, float]:
    """Freezes the finest levels of a body that has learned before; factors of the learning rate of its other layers.

    What the layers down to a quarter of the picture's size have learned, edges and colours, suits any pictures, and these
    layers, which see the most places, take a third of a step.
    """
    height = network.input_shapes[0][0]  # type: ignore[index]
    learned = {name.rpartition(".")[0] for name in body.parameters}
    kept, rates = [], {}
    for call in network.calls:
        shape = network.sample_shape(call.output)
        if call.name in learned and shape is not None:
            if shape[0] * 4 >= height:
                kept.append(call.name)
            else:
                rates[call.name] = BODY_RATE
    network.freeze(*kept)
    return rates


def resume(model: Detector, settings: DetectionSettings) -> PreparedNetwork:
    """More training of the network of a model, with its own settings where none is set."""
    samples = model.read(settings.data, wrong_boxes=settings.wrong_boxes, broken=settings.broken or "stop")
    if samples.truth is None:
        raise DataError(f"{settings.data}: the pictures have no annotations.")
    data: BoxData = samples.data
    data.augmentation, data.balanced = settings.augmentation(), settings.balanced
    return PreparedNetwork(
        TASK,
        f"{settings.data}: {data.n_samples:,} pictures",
        model.network,
        (data,),
        settings.resumed(model.network),
        lambda network, facts: model._trained(network, data, None, {**model.facts, **facts}),
        settings.data.resolve().name,
        data.n_samples,
    )


def _fit_settings(settings: DetectionSettings, data: BoxParts) -> FitSettings:
    n = data.train.n_samples
    batch_size = settings.batch_size or (4 if n < 500 else 8 if n < 5000 else 16)
    batch_size = min(batch_size, n)
    steps = math.ceil(n / batch_size)
    epochs = settings.epochs or min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / steps)))
    optimizer = settings.make_optimizer()
    if settings.weight_decay is None and settings.optimizer is None:
        optimizer.weight_decay = _DECAY
    rate = settings.learning_rate or (_RATE if settings.optimizer is None else float(optimizer.learning_rate))
    callbacks: list[Callback] = [WeightAveraging(start=_AVERAGE_FROM, decay=_AVERAGE)] if epochs > 3 else []
    if data.validation is not None:
        # Where an epoch is short, measuring would take most of the time.
        callbacks.append(ShowAveragePrecision(data.validation, every=max(1, math.ceil(epochs / 20))))
    return FitSettings.of(
        {
            "loss": [HeatMapFocal(), BoxGIoU()],
            "loss_weights": [1.0, _BOXES],
            "optimizer": optimizer,
            "learning_rate": OneCycle(rate, total=epochs * steps, warm=_WARM),
            "epochs": epochs,
            "batch_size": batch_size,
            "metrics": [],
            "callbacks": callbacks,
            **settings.machine(),
        }
    )


def _description(settings: DetectionSettings, data: BoxParts, network: Network, fit: FitSettings) -> list[tuple[str, str]]:
    counts = [0 if part is None else part.n_samples for part in data[:3]]
    train = data.train
    height, width, channels = train.shape
    boxes = np.bincount(np.concatenate([one.classes for one in train.truth()]), minlength=len(train.classes))
    listed = some([f"{name} {n:,}" for name, n in zip(train.classes, boxes.tolist(), strict=True)], 10)
    optimizer: Any = fit.optimizer
    rate: Any = fit.learning_rate
    known = data.body is not None and data.body.preprocessor is not None
    scaled = f"scaled as {settings.body} takes them" if known else "standardised"
    return [
        ("Data", f"{settings.data}: {sum(counts):,} pictures, {len(train.classes)} classes"),
        ("Boxes", f"{listed} (to train on)"),
        ("Inputs", f"{height} × {width} pixels with borders, {'grey' if channels == 1 else 'colours'}, {scaled}"),
        ("Split", f"{counts[0]:,} pictures to train on, {counts[1]:,} to validate on, {counts[2]:,} to test on"),
        ("Augmentation", settings.augment),
        *(("Note", note) for note in data.notes),
        ("Network", f"{settings.body}{', pretrained' * (data.body is not None)}, {network.parameters.count:,} parameters"),
        (
            "Training",
            f"{optimizer.name} with weight decay {optimizer.weight_decay:g}, rate up to {rate.peak:g}, focal loss of heat "
            f"maps and GIoU of boxes, batches of {fit.batch_size}, {fit.epochs} epochs",
        ),
    ]


# ---------------------------------------------------------------- in Python


def fit_detector(detector: Detector, data: Any, validation_data: Any, callbacks: Sequence[Callback], verbose: int) -> None:
    """What ``Detector.fit`` does."""
    annotated = isinstance(data, Annotations) or (
        isinstance(data, (str, Path)) or hasattr(data, "__fspath__")
    )  # fmt: skip
    settings = DetectionSettings(
        data=Path(data) if annotated and not isinstance(data, Annotations) else Path("the data"),
        size=detector.size, augment=detector.augment, network=detector.body, pretrained=detector.ready_body,
        width=detector.width, balanced=detector.balanced, wrong_boxes=detector.wrong_boxes, epochs=detector.epochs,
        batch_size=detector.batch_size, learning_rate=detector.learning_rate, seed=detector.random_state,
        threads=detector.threads, test_fraction=0.0, validation_fraction=0.0 if validation_data is not None else None,
    )  # fmt: skip
    if annotated:
        whole = data if isinstance(data, Annotations) else read_annotations(data, wrong=detector.wrong_boxes)
        rows = [i for i, part in enumerate(whole.part) if part != "test"] if "train" in whole.part else range(len(whole))
        others = {}
        if validation_data is not None:
            if isinstance(validation_data, tuple):
                raise ParameterError("Detector.fit: validation_data must be annotations, as the data are.")
            validation = validation_data if isinstance(validation_data, Annotations) else read_annotations(validation_data)
            others["validation"] = validation.classed(whole.classes, "validation_data")
        parts = divided(whole.take(list(rows)), others, settings)
    else:
        parts = _from_arrays(data, validation_data, settings)
    prepared = prepare(parts, settings)
    network, fit = prepared.learner, prepared.settings
    given = {name: getattr(fit, name) for name in fit.given}
    given["callbacks"] = [*given["callbacks"], *callbacks]
    network.fit(parts.train, **given, verbose=verbose)
    facts = {"data": prepared.name, "rows": prepared.samples, "epochs": len(network.history_.epochs), **prepared.facts}
    detector._trained(network, parts.train, parts.validation, facts)


def _from_arrays(data: Any, validation_data: Any, settings: DetectionSettings) -> BoxParts:
    if not isinstance(data, tuple) or len(data) != 2:
        raise ParameterError(
            "Detector.fit: expected a folder or file of annotations, Annotations, or (pictures, boxes). Got "
            f"{type(data).__name__}."
        )

    def made(pair: Any, classes: Sequence[str] | None) -> tuple[BoxData, list[str]]:
        pictures, given = pair
        pictures = pictures if isinstance(pictures, np.ndarray) else _stacked(pictures)
        sizes = sizes_of(pictures)
        objects, names, notes = objects_of(given, sizes, settings.wrong_boxes or "clip", classes)
        size = settings.size or fitting_size(objects, sizes)
        channels = int(pictures.shape[-1]) if isinstance(pictures, np.ndarray) and pictures.ndim == 4 else 1
        channels = channels if isinstance(pictures, np.ndarray) else 3
        return BoxData(pictures, objects, names, size=size, channels=channels), notes

    train, notes = made(data, None)
    if not any(len(one.boxes) for one in train.objects):
        raise DataError("Detector.fit: none of the pictures has a box. There is nothing to learn.")
    validation = None
    if validation_data is not None:
        validation, _ = made(validation_data, train.classes)
    elif train.n_samples >= 12 and settings.shares[1]:
        train, validation = train.split(settings.shares[1], settings.random_state)
    return _scaled(BoxParts(train, validation, None, notes), settings)


def _stacked(pictures: Any) -> Any:
    """A list of arrays of one size as one array; paths as they are."""
    pictures = list(pictures)
    if pictures and all(isinstance(one, np.ndarray) for one in pictures):
        shapes = {one.shape for one in pictures}
        if len(shapes) > 1:
            raise DataError(f"Detector: arrays of pictures must be of one size, files may differ. Got {sorted(shapes)[:3]}.")
        return np.stack(pictures)
    return pictures
