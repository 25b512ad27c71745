"""Targets and weights of a fit: which loss fits them, which form they have, how much each sample counts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..data.arrays import as_targets
from ..data.series import overlaps
from ..errors import DataError, DtypeError, ParameterError, ShapeError
from ..losses import Loss, get_loss
from ..ops import Builder, Value
from ..ops.value import Shape

Array = NDArray[Any]


def target_array(y: Any, *, name: str = "y") -> Array:
    """Targets as an array of numbers; a memory map stays one.

    Raises      DtypeError for text, which a network cannot take
    """
    if isinstance(y, np.memmap) and y.dtype.kind in "biuf" and y.ndim:
        return y
    if isinstance(y, np.ndarray) and y.dtype.kind in "biuf" and overlaps(y):
        return y
    array = as_targets(y, name=name)
    if array.dtype.kind not in "biuf":
        raise DtypeError(
            f"{name} holds text labels such as {str(array.flat[0])!r}; a Network learns numbers. Encode them with "
            f"chainrule.data.ClassLabels.fit({name}).encode({name}), or use NeuralClassifier, which does it for you."
        )
    return array


def pick_loss(y: Array, output_shape: Shape) -> Loss:
    """The loss that fits targets when the user names none.

    Parameters  y : (N, ...) ; output_shape : of one sample

    - whole numbers (int or bool dtype), one for each row of several outputs: softmax_cross_entropy
    - zeros and ones of int or bool dtype, one for each output: binary_cross_entropy
    - everything else, floats above all: squared_error

    Warns of masks of 0 and another number, such as 255, which would be learned as numbers.
    Raises      ShapeError when no loss takes y of this shape
    """
    if y.dtype.kind in "biu":
        inner = y.shape[1:-1] if y.ndim > len(output_shape) and y.shape[-1] == 1 else y.shape[1:]
        if output_shape and output_shape[-1] > 1 and inner == output_shape[:-1]:
            return get_loss("softmax_cross_entropy")
        if y.shape[1:] in (output_shape, output_shape[:-1]) and bool(((y == 0) | (y == 1)).all()):
            return get_loss("binary_cross_entropy")
    loss = get_loss("squared_error")
    _require_fit(loss, y, output_shape)
    if (
        len(output_shape) > 2
        and y.size
        and y.dtype.kind in "biu"
        and y.min() == 0
        and bool(((y == 0) | (y == y.max())).all())
    ):
        warnings.warn(
            f"y holds 0 and {y.max()} alone, in the shape of masks, and is learned as numbers by SquaredError. For masks "
            "pass y > 0, so that BinaryCrossEntropy is chosen, or name a loss.",
            UserWarning,
            stacklevel=2,
        )
    return loss


def _require_fit(loss: Loss, y: Array, output_shape: Shape) -> None:
    """ShapeError, in terms of the network and not of the loss that nobody named, when no loss takes y."""
    if _first_form(loss, y, (len(y), *output_shape)) is None:
        full, rows = (", ".join(map(str, ("N", *shape))) for shape in (output_shape, output_shape[:-1]))
        comma = "," * (len(output_shape) < 2)
        places = " A mask has the size of its picture." * (len(output_shape) > 2)
        raise ShapeError(
            f"y of shape {y.shape}, {y.dtype}, does not fit the network's output ({full}): expected numbers of shape "
            f"({full}), or classes as whole numbers of shape ({rows}{comma}).{places}"
        )


def _first_form(loss: Loss, y: Array, full: Shape) -> tuple[Array, int] | None:
    """y as the loss takes it, (N, 1) and (N,) for each other, and the number of that form; None when it takes none."""
    attempts = [y]
    if y.ndim > 1 and y.shape[-1] == 1:
        attempts.append(y[..., 0])
    attempts.append(y[..., None])
    for attempt in attempts:
        try:
            return attempt, loss.target_form(attempt, full)
        except ShapeError:
            continue
    return None


def fit_target(loss: Loss, y: Array, output_shape: Shape, *, name: str = "y") -> tuple[Array, int, Array | None]:
    """The targets in one of the forms that the loss takes, the number of that form, and which entries have a label.

    (N, 1) and (N,) are taken for each other where the loss wants the other. The dtype is left as it is. Where the loss
    has an ``ignore_label``, entries with it are 0 in what is returned, and False among the labelled; else None stands for
    all.

    Raises      ShapeError, DataError from the loss, with the name of the array
    """
    full = (len(y), *output_shape)
    found = _first_form(loss, y, full)
    if found is not None:
        attempt, form = found
        attempt, labelled = without_unlabelled(loss, attempt, form, full, name=name)
        _validate(loss, attempt, full, name)
        return attempt, form, labelled
    try:
        loss.target_form(y, full)
    except ShapeError as error:
        raise ShapeError(f"{name}: {error}") from None
    raise AssertionError("target_form changed its mind")


def without_unlabelled(loss: Loss, y: Array, form: int, full: Shape, *, name: str = "y") -> tuple[Array, Array | None]:
    """y with 0 in place of the label that stands for none, and which entries have one; None where all of them do.

    Raises      DataError when none has
    """
    if loss.ignore_label is None or loss.target(full)[form][1] != "int":
        return y, None
    labelled = y != loss.ignore_label
    if not labelled.any():
        raise DataError(f"{name}: every label is {loss.ignore_label}, which stands for no label. Nothing is left.")
    return np.where(labelled, y, 0), labelled


def _validate(loss: Loss, y: Array, full: Shape, name: str) -> None:
    try:
        loss.validate_targets(y, full)
    except (ShapeError, DataError) as error:
        raise type(error)(f"{name}: {error}") from None


def sample_weights(weight: Any, n: int, *, name: str = "sample_weight") -> Array | None:
    """Weights (N,), or (N, ...) with one for each place of a sample, as float64, checked; None when none are given."""
    if weight is None:
        return None
    array = as_targets(weight, name=name, dtype=np.float64)
    if len(array) != n:
        raise ShapeError(
            f"{name} must have one weight a sample, shape ({n},), or one for each place of a sample, shape ({n}, ...). "
            f"Got shape {array.shape}."
        )
    if array.min() < 0:
        at = np.unravel_index(int(array.argmin()), array.shape)
        place = f"row {at[0]}" if array.ndim == 1 else f"{name}[{', '.join(map(str, at))}]"
        raise DataError(f"{name} must not be negative. Got {array.min()} at {place}.")
    if not array.any():
        raise DataError(f"{name} is 0 for every sample; at least one must count.")
    return array


def loss_shape(loss: Loss, output_shape: Shape, form: int) -> Shape:
    """The shape of the loss ℓ of one sample: () for a number a sample, else that of its places, or of all its outputs."""
    full = (2, *output_shape)
    shape, dtype = loss.target(full)[form]
    return loss.forward(Builder(), Value(full), Value(shape, dtype))[0].shape[1:]


def weigh(
    loss: Loss,
    y: Array,
    form: int,
    output_shape: Shape,
    sample_weight: Array | None,
    class_weight: Any,
    labelled: Array | None = None,
) -> tuple[str | None, Array | None]:
    """The weights of an output's loss: (None, None), ("sample", (N,)) or ("element", the shape of ℓ).

    Parameters
        y, form, output_shape : as from ``fit_target``
        sample_weight : (N,), or (N, ...) with one weight for each place (pixel, step) or for each entry of ℓ, or None
        class_weight : of every place that has a class. None; "balanced" (N / (K · count of the class) over all places; for
            each of several yes-or-no outputs by itself); {class: weight}, 1 for classes not named; an array of K weights by
            class index; for K yes-or-no outputs an array of one weight an output
        labelled : which entries of y have a label; the others weigh 0, and these so much more that J is their mean
    Raises      ParameterError, ShapeError, DataError when the weights do not fit the targets
    """
    if labelled is None and class_weight is None and (sample_weight is None or sample_weight.ndim == 1):
        return (None, None) if sample_weight is None else ("sample", sample_weight)
    weight = element_weights(loss, y, form, output_shape, sample_weight, class_weight, labelled)
    one_each = weight.size == len(y)
    return ("sample", weight.reshape(len(y))) if one_each else ("element", np.ascontiguousarray(weight))


def element_weights(
    loss: Loss,
    y: Array,
    form: int,
    output_shape: Shape,
    sample_weight: Array | None,
    class_weight: Any,
    labelled: Array | None = None,
) -> Array:
    """The weights of all entries of ℓ. Parameters and errors  as of ``weigh``"""
    shape = (len(y), *loss_shape(loss, output_shape, form))
    weight = np.ones(shape)
    if class_weight is not None:
        by_class = _by_class(loss, y, form, output_shape, sample_weight, class_weight, labelled)
        weight = _on_entries(by_class, shape, f"class_weight with {type(loss).__name__}")
    if sample_weight is not None:
        weight = weight * _on_entries(sample_weight, shape, "sample_weight")
    if labelled is not None:
        weight = weight * _on_entries(labelled * (labelled.size / labelled.sum()), shape, "the labels")
    if not weight.any():
        raise DataError("class_weight and sample_weight together are 0 for every sample; at least one must count.")
    return weight


def _on_entries(weight: Array, shape: Shape, what: str) -> Array:
    """Weights of samples, of their places or of all entries of ℓ, as one for each entry."""
    if weight.size == np.prod(shape, dtype=np.int64):
        return weight.reshape(shape)
    if weight.shape != shape[: weight.ndim]:
        raise ShapeError(
            f"{what}: the weights have shape {weight.shape}, and the loss has one entry for each of {shape}. Give one "
            "weight a sample, one for each place (pixel, step) of a sample, or one for each entry."
        )
    return np.broadcast_to(weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)), shape)


def _by_class(
    loss: Loss,
    y: Array,
    form: int,
    output_shape: Shape,
    sample_weight: Array | None,
    class_weight: Any,
    labelled: Array | None,
) -> Array:
    """The factor of every place by its class, or of every output that says yes or no."""
    indices = loss.target((len(y), *output_shape))[form][1] == "int"
    one_unit = (not output_shape or output_shape[-1] == 1) and y.dtype.kind in "biuf" and loss.threshold is not None
    if not indices and not one_unit:
        yes_or_no = loss.threshold is not None and y.dtype.kind in "biuf"
        if isinstance(class_weight, Mapping) or (isinstance(class_weight, str) and not yes_or_no):
            raise ParameterError(
                f"class_weight={class_weight!r} needs targets that are class indices; y has shape {y.shape} and dtype "
                f'{y.dtype}. For several yes-or-no outputs give "balanced" or an array of one weight an output.'
            )
        return _output_weights(y, class_weight, sample_weight)
    labels = np.asarray(y)
    if (labels != np.rint(labels)).any():
        raise ParameterError("class_weight needs targets that are class indices or 0 and 1; y has other numbers.")
    # One yes-or-no output: no is class 0, also where it is written as -1.
    labels = labels.astype(np.int64) if indices else (labels > 0).astype(np.int64)
    classes = output_shape[-1] if indices else 2
    # Classes are counted where there are labels.
    counted = labels.reshape(-1) if labelled is None else labels[labelled]
    by_place: Array = _class_weights(class_weight, counted, classes)[labels]
    return by_place


def _class_weights(class_weight: Any, labels: Array, classes: int) -> NDArray[np.float64]:
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ParameterError(f'class_weight must be "balanced", a dict or an array. Got {class_weight!r}.')
        counts = np.bincount(labels, minlength=classes)
        there = counts > 0
        by_class = np.ones(classes)
        by_class[there] = len(labels) / (there.sum() * counts[there])
        return by_class
    if isinstance(class_weight, Mapping):
        by_class = np.ones(classes)
        for label, weight in class_weight.items():
            if not Interval(float, 0, classes).holds(label) or int(label) != label:
                raise ParameterError(
                    f"class_weight names the class {label!r}; the classes are the indices 0 to {classes - 1}."
                )
            by_class[int(label)] = weight if Interval(float).holds(weight) else np.nan  # refused below
    else:
        by_class = _numbers(class_weight)
        if by_class.shape != (classes,):
            raise ParameterError(f"class_weight must have one weight for each of {classes} classes. Got {class_weight!r}.")
    if not np.isfinite(by_class).all() or (by_class < 0).any():
        raise ParameterError(f"class_weight must be finite numbers of at least 0. Got {class_weight!r}.")
    return by_class


def _numbers(class_weight: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(class_weight, np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"class_weight must be finite numbers of at least 0. Got {class_weight!r}.") from None


def _balanced_outputs(y: Array, sample_weight: Array | None) -> NDArray[np.float64]:
    """Weights of the shape of y that make yes and no count alike: for each output N / (2 · count of yes) where y is yes and
    N / (2 · count of no) where y is no, counted over all samples and places; 1 where y is always the same."""
    yes = (y > 0).reshape(-1, y.shape[-1])
    counts = np.ones(len(yes))
    if sample_weight is not None:
        given = sample_weight if sample_weight.ndim < y.ndim else sample_weight.mean(axis=-1)
        counts = np.broadcast_to(given.reshape(given.shape + (1,) * (y.ndim - 1 - given.ndim)), y.shape[:-1]).reshape(-1)
    of_yes = np.tensordot(counts, yes, axes=1)
    of_no = counts.sum() - of_yes
    both = (of_yes > 0) & (of_no > 0)
    halves = [np.where(both, counts.sum() / (2 * np.where(both, one, 1.0)), 1.0) for one in (of_yes, of_no)]
    return np.where(yes, *halves).reshape(y.shape)


def _output_weights(y: Array, class_weight: Any, sample_weight: Array | None) -> Array:
    """The factors of several yes-or-no outputs, of the shape of y."""
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ParameterError(f'class_weight must be "balanced", a dict or an array. Got {class_weight!r}.')
        return _balanced_outputs(y, sample_weight)
    by_output = _numbers(class_weight)
    if by_output.shape != y.shape[-1:] or not np.isfinite(by_output).all() or (by_output < 0).any():
        raise ParameterError(
            f"class_weight must have one finite weight of at least 0 for each of the {y.shape[-1]} outputs. "
            f"Got {class_weight!r}."
        )
    return np.broadcast_to(by_output, y.shape)
