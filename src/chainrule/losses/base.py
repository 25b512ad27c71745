"""What a loss is.

A loss compares the network's output z with the target y and says how wrong each part of it is:

    forward(k, z, y)             ℓ and what backward needs ; ℓ has the shape of z, or of z without its last axis
    backward(k, saved, dl)       dz = dℓ ⊙ ∂ℓ/∂z ; dl has a shape that broadcasts to ℓ's

The plan makes the number that is minimised from it, J = Σ c ℓ, with c = w / m for a batch of m samples with weights w
(w = 1 where none are given), divided further by ``entries``: how many entries of ℓ a sample has, or, where ``reduction`` is
"sum", how many places (pixels, steps) whose outputs are summed. So dl is c itself, and no loss knows about weights or batch
sizes.

Outside a plan, in NumPy, a loss also says what targets it takes (``target``, ``target_form``, ``validate_targets``) and
what a raw output means (``prediction``). What diagnosis, cures and tasks need to know about a loss it states itself: the
``kind`` of its targets, its ``degree``, the activation that it applies (``own_activation``), and how small a constant output
can make it (``of_best_constant``). So a loss of your own counts there like ours. Losses for classes sum over the outputs of
a sample (of a place, where it has several), losses for numbers take their mean.
"""

from __future__ import annotations

from math import nan, prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError, ShapeError
from ..ops import Builder, Saved, Value
from ..ops.value import Shape
from ..registry import Configurable, named, register

__all__ = ["ALIASES", "Array", "Builder", "ElementwiseLoss", "Loss", "Saved", "Value", "get_loss"]

Array = NDArray[Any]

#: Other names under which users know a loss.
ALIASES = {
    "bce": "binary_cross_entropy",
    "binary_focal_crossentropy": "binary_focal",
    "binary_crossentropy": "binary_cross_entropy",
    "categorical_crossentropy": "softmax_cross_entropy",
    "categorical_focal_crossentropy": "softmax_focal",
    "categorical_hinge": "multi_class_hinge",
    "connectionist_temporal_classification": "ctc",
    "cross_entropy": "softmax_cross_entropy",
    "kl": "kl_divergence",
    "l1": "absolute_error",
    "mae": "absolute_error",
    "mean_absolute_error": "absolute_error",
    "mean_squared_error": "squared_error",
    "mse": "squared_error",
    "sparse_categorical_crossentropy": "softmax_cross_entropy",
}


class Loss(Configurable):
    """Base of every loss. Constructors only store what they are given."""

    registry: ClassVar[dict[str, type[Loss]]] = {}
    #: Name by which users ask for the loss.
    name: ClassVar[str] = ""
    #: Over the entries of ℓ within one sample: "mean", or "sum" over the outputs (the last axis) and the mean over places.
    reduction: ClassVar[str] = "mean"
    #: n of J → cⁿ J where outputs and targets are multiplied by a factor c > 0, exactly or nearly; None where that does not
    #: describe the loss.
    degree: ClassVar[int | None] = None
    #: Whether ``prediction`` gives probabilities, so that ``predict_proba`` makes sense.
    probabilities: ClassVar[bool] = False
    #: Whether z are numbers without bounds that the loss itself turns into what they mean (logits, log-rates, margins): an
    #: activation before it would bend them a second time.
    reads_logits: bool = False
    #: Whether ℓ depends on z − y alone, so that the same number may be subtracted from both.
    of_differences: bool = False
    #: The numbers that stand for no and yes in targets, for a loss of independent answers.
    no_and_yes: ClassVar[tuple[int, int]] = (0, 1)
    #: The class index that stands for no label, where a loss has one: such entries have no part in J, which is the mean over
    #: the others. They come to ``forward`` as class 0 with weight 0.
    ignore_label: int | None = None
    #: Whether ``forward`` reads a target; False for a term of the objective that stands by itself, such as a penalty.
    needs_target: ClassVar[bool] = True
    #: Whether targets have a length of their own, which is not that of the output: y (N, L) for z (N, T, K). Such a loss has
    #: ``blank``, the label that fills up shorter targets, and ``steps_needed``.
    own_length: ClassVar[bool] = False
    blank: int

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        register(Loss.registry, cls)

    # ------------------------------------------------------------ in a plan

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        """The (shape, dtype) that targets may have for an output of this shape; the first is the usual one."""
        return [(output_shape, "float")]

    def entries(self, shape: Shape) -> int:
        """Over how many entries of one sample J is a mean, for ℓ of this shape (batch first)."""
        return prod(shape[1:] if self.reduction == "mean" else shape[1:-1])

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        """Emits ℓ; returns it and what backward needs."""
        raise NotImplementedError

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        """Emits dz from dl, which is c of J = Σ c ℓ."""
        raise NotImplementedError

    # ------------------------------------------------------------ outside, in NumPy

    def steps_needed(self, y: Array) -> Array:
        """For targets of a length of their own: (N,) the fewest steps of the output that each can belong to."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """What its targets are: "numbers" of any unit and size, "counts" from 0 on, "exclusive" classes, of which each
        sample (or place) has one, "independent" answers, a yes or no for each output, or "sequences" of labels.

        A loss that does not state it (``kind = "counts"`` in its class) is one of independent answers where it has a
        threshold, one of exclusive classes where it takes class indices or predicts probabilities, and else one of numbers.
        """
        if self.threshold is not None:
            return "independent"
        return "exclusive" if self.probabilities or self.takes_indices else "numbers"

    @property
    def takes_indices(self) -> bool:
        """Whether targets of a plain output (N, K) may be whole numbers, such as class indices."""
        try:
            return any(dtype == "int" for _, dtype in self.target((2, 2)))
        except ShapeError:  # it is a loss of outputs of another form
            return False

    @property
    def threshold(self) -> float | None:
        """The raw output above which an output means "yes"; None where outputs are no yes or no."""
        return None

    def prediction(self, z: Array) -> Array:
        """What the raw output z predicts: probabilities, rates, or z itself (the inverse link)."""
        return z

    @property
    def predicts_raw(self) -> bool:
        """Whether ``prediction(z)`` is z itself."""
        return type(self).prediction is Loss.prediction

    @property
    def reads_probabilities(self) -> bool:
        """Whether z are probabilities that the network has made, not logits."""
        return self.probabilities and self.predicts_raw

    def of_probabilities(self) -> Loss | None:
        """The same loss of outputs that are probabilities already; None where there is none."""
        return None

    def own_activation(self, outputs: int) -> str | None:
        """The activation that the loss itself puts on z: "softmax", "sigmoid", "exp", or None where it takes z as it is.

        Parameters  outputs : the last axis of z
        """
        return None

    def of_best_constant(self, y: Array, outputs: int) -> float:
        """The least J that a network can have whose output is the same for all samples.

        Parameters  y : finite targets (N, ...), at least one ; outputs : the last axis of the network's output
        Returns     NaN where the class knows no closed form of it
        """
        return nan

    def target_form(self, y: Array, output_shape: Shape) -> int:
        """Which of ``target(output_shape)`` the array y is; the number of samples may differ from the output's.

        Raises      ShapeError, with the shapes that fit, when it is none of them
        """
        forms = self.target(output_shape)
        fits = [i for i, (shape, _) in enumerate(forms) if y.ndim == len(shape) and y.shape[1:] == shape[1:]]
        for i in fits:
            if (forms[i][1] == "int") == (y.dtype.kind in "iub"):
                return i
        if fits:
            return fits[0]
        expected = " or ".join(f"(N{''.join(f', {s}' for s in shape[1:])}) {dtype}" for shape, dtype in forms)
        raise ShapeError(
            f"{type(self).__name__}: an output of shape (N{''.join(f', {s}' for s in output_shape[1:])}) needs targets "
            f"of shape {expected}. Got y of shape {y.shape}, {y.dtype}."
        )

    def validate_targets(self, y: Array, output_shape: Shape) -> None:
        """Checks targets where data comes in.

        Parameters  y : array (N, ...) ; output_shape : of the network's output, batch first
        Raises      ShapeError when the shape does not fit ; DataError when a value has no meaning for this loss
        """
        self.target_form(y, output_shape)
        self._require(np.isfinite(y), y, "finite numbers", "Remove or fill in the missing values.")

    def _require(self, good: Any, y: Array, expected: str, cure: str) -> None:
        """DataError with the place and value of the first entry of y where ``good`` is False."""
        bad = ~np.asarray(good, bool)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            place = f"y[{', '.join(map(str, at))}]"
            raise DataError(
                f"{type(self).__name__}: targets must be {expected}. Got {place} = {y[at]} "
                f"({int(bad.sum())} of {bad.size} are wrong). {cure}"
            )

    def _require_classes(self, y: Array, classes: int) -> None:
        """DataError unless y holds class indices 0 .. classes − 1 (as ints, or as floats without a fraction)."""
        good = (y >= 0) & (y < classes)
        if y.dtype.kind == "f":
            good &= y == np.floor(y)
        found = f" Labels that came: {_some(np.unique(y))}." if not good.all() else ""
        cure = f"Encode the labels as 0, 1, ..., or give the network as many outputs as there are classes.{found}"
        self._require(good, y, f"class indices from 0 to {classes - 1}, for {classes} outputs", cure)

    def _require_distributions(self, y: Array) -> None:
        """DataError unless every row of y is a probability distribution."""
        cure = "Give each class its probability; for several labels at once use BinaryCrossEntropy."
        self._require(y >= 0, y, "probability distributions over the last axis, with nothing below 0", cure)
        total = y.sum(axis=-1, dtype=np.float64)
        bad = ~(np.abs(total - 1) <= 1e-3)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"{type(self).__name__}: each row of y must be a probability distribution, with sum 1. "
                f"Got y[{', '.join(map(str, at))}] with sum {total[at]:.6g} ({int(bad.sum())} rows are wrong). {cure}"
            )


def _some(values: Array, most: int = 10) -> str:
    shown = ", ".join(str(v) for v in values[:most])
    return shown if len(values) <= most else f"{shown}, ... ({len(values)} in all)"


class ElementwiseLoss(Loss):
    """Base of losses in which entry i of ℓ depends on entry i of z and y only.

    A subclass states ``apply(k, z, y) -> (ℓ, saved)`` and ``derivative(k, saved) -> ∂ℓ/∂z``. A single output (N, ..., 1)
    may have targets without its last axis.
    """

    def target(self, output_shape: Shape) -> list[tuple[Shape, str]]:
        forms = [(output_shape, "float")]
        if len(output_shape) > 1 and output_shape[-1] == 1:
            forms.append((output_shape[:-1], "float"))
        return forms

    def apply(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        """Emits ℓ for y of z's shape, or a constant that stands for y everywhere."""
        raise NotImplementedError

    def derivative(self, k: Builder, saved: Saved) -> Value:
        """Emits ∂ℓ/∂z."""
        raise NotImplementedError

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        self.validate()
        return self.apply(k, z, y if y.role == "constant" else k.reshape(y, z.shape))

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        return k.multiply(self.derivative(k, saved), dl)


def get_loss(loss: str | Loss) -> Loss:
    """The loss of this name (or another name of it, such as "mse"), or the loss itself.

    Raises  UnknownNameError, with the names ; ParameterError for what is neither a name nor a Loss

    Example
        >>> get_loss("mse")
        SquaredError()
        >>> get_loss("hubr")
        Traceback (most recent call last):
        ...
        chainrule.errors.UnknownNameError: Unknown loss 'hubr'. Did you mean 'huber'? Known: ...
    """
    if isinstance(loss, Loss):
        return loss
    if not isinstance(loss, str):
        raise ParameterError(f"A loss must be a name or a Loss, such as SquaredError(). Got {loss!r}.")
    return named("loss", loss, Loss.registry, ALIASES)()
