"""Every argument of a fit, once: its default, what it may be, what it means, and what it is for."""

from __future__ import annotations

import copy
import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, cast

from ..constraints import Accepted, AnyOf, Anything, Boolean, Constraint, Instance, Interval, Maybe, OneOf
from ..errors import ParameterError, UnknownNameError
from ..losses import Loss, get_loss
from ..metrics import Metric
from ..optimizers import Optimizer, get_optimizer
from ..optimizers.base import LEARNING_RATE, LEARNING_RATE_FACTORS
from .callbacks import Callback, EarlyStopping

__all__ = ["FitSettings", "Group"]

Path = str | os.PathLike[str]
#: What an argument is about: what is minimised, how, the data, when to stop, the machine, or watching the fit.
Group = Literal["objective", "learning", "data", "stopping", "machine", "watching"]


def _about(constraint: Constraint, group: Group, text: str) -> dict[str, Any]:
    return {"constraint": constraint, "group": group, "text": text}


def _check_losses(loss: Any) -> None:
    for one in loss if isinstance(loss, (list, tuple)) else [loss]:
        if one is not None:
            get_loss(one)


@dataclass(frozen=True, eq=False, kw_only=True)
class FitSettings:
    """The arguments of ``Network.fit`` other than the data themselves, checked.

    Every argument is described at its field, once: the default, the constraint, the group and the text of the documentation.
    What depends on the network or on the data (one loss for each output, one weight for each sample) is checked by the fit.
    Settings are not changed; ``replace`` makes others.

    Parameters  those of ``Network.fit``; see there
    Attributes  given : names of the arguments that somebody gave explicitly, of those that ``of`` was called with
    Raises      ParameterError for a value out of its range ; UnknownNameError for an unknown loss or optimizer

    Example
        >>> settings = FitSettings(epochs=5).replace(learning_rate=0.1)
        >>> settings.epochs, settings.learning_rate, settings.batch_size
        (5, 0.1, 32)
        >>> FitSettings.of({"epochs": 3}).given
        frozenset({'epochs'})
    """

    loss: str | Loss | Sequence[Any] | None = field(
        default=None,
        metadata=_about(
            Accepted(_check_losses, "a loss, its name, or a list of these"),
            "objective",
            "a loss or its name; for several outputs one loss for all of them, or a list with one for each. None chooses by "
            "the targets: softmax_cross_entropy for class indices (one int or bool for each row of several outputs), "
            "binary_cross_entropy for zeros and ones of int or bool dtype (one for each output), and squared_error for all "
            "others. ``loss_`` holds the choice. A cross-entropy that is chosen, or given by its name, reads the output of "
            "a Softmax or Sigmoid layer as probabilities, and all other outputs as logits",
        ),
    )
    optimizer: str | Optimizer = field(
        default="adam",
        metadata=_about(
            Accepted(get_optimizer, "an Optimizer or its name"),
            "learning",
            "an Optimizer or its name; the fit uses a copy of it",
        ),
    )
    learning_rate: Any = field(
        default=None,
        metadata=_about(
            Maybe(LEARNING_RATE),
            "learning",
            "a number above 0 or a Schedule, which takes the place of the optimizer's own learning rate",
        ),
    )
    learning_rate_factors: Mapping[str, float] | None = field(
        default=None,
        metadata=_about(
            Maybe(LEARNING_RATE_FACTORS),
            "learning",
            'factors of the learning rate by layers, such as {"body": 0.1}: a layer name, a prefix of names up to a dot, '
            "or a pattern with * (see ``freeze``). They take the place of the optimizer's own",
        ),
    )
    epochs: int = field(
        default=20,
        metadata=_about(
            Interval(int, 1),
            "learning",
            "int >= 1, the number of passes over the data. With ``resume`` the epochs before the checkpoint count, too",
        ),
    )
    batch_size: int = field(
        default=32,
        metadata=_about(
            Interval(int, 1),
            "learning",
            "int >= 1, the samples in a step. The last batch of an epoch may be smaller; its gradient is the mean over "
            "its own samples",
        ),
    )
    validation_data: Any = field(
        default=None,
        metadata=_about(
            Anything("(X, y), (X, y, sample_weight) or a data set"),
            "data",
            "(X, y), (X, y, sample_weight) or a data set, which is evaluated after every epoch; the history holds the "
            'results under names that begin with "val_"',
        ),
    )
    validation_split: float = field(
        default=0.0,
        metadata=_about(
            Interval(float, 0, 1),
            "data",
            "in [0, 1): this share of the samples is drawn at random (each class in proportion where y holds class "
            "indices), taken out of the training data, and evaluated instead of validation_data",
        ),
    )
    shuffle: bool = field(
        default=True, metadata=_about(Boolean(), "learning", "whether every epoch takes the samples in a new random order")
    )
    sample_weight: Any = field(
        default=None,
        metadata=_about(
            Anything("(N,), or one for each place, of numbers >= 0"),
            "data",
            "(N,) of numbers >= 0, factors of the loss of each sample in all outputs; or (N, ...) with one for each place "
            "(pixel, step) of a sample; or Sequences with one for each step; or, for several outputs, a list with one of "
            "these for each. They are not normalised",
        ),
    )
    class_weight: Any = field(
        default=None,
        metadata=_about(
            Anything('{class: weight}, an array by class, or "balanced"'),
            "objective",
            'for class indices {class: weight}, an array with a weight for each class, or "balanced", which is N / (K · '
            "count); for K yes-or-no outputs an array of K factors; for several outputs a list of these",
        ),
    )
    loss_weights: Sequence[float] | None = field(
        default=None,
        metadata=_about(
            Anything("one number for each output"),
            "objective",
            "factors of the losses of several outputs in the sum that is minimised",
        ),
    )
    metrics: str | Metric | Iterable[str | Metric] | None = field(
        default=None,
        metadata=_about(
            Anything("metrics or their names"),
            "watching",
            "Metrics or their names, for the first output. None takes the accuracy for losses of classes. A metric that is "
            "no mean over samples is computed on the validation data only. On the training data a metric is not weighted; "
            "it comes from the weights as they change during the epoch",
        ),
    )
    callbacks: Callback | Sequence[Callback] = field(
        default=(),
        metadata=_about(
            Anything("callbacks"),
            "watching",
            "one Callback or several, called between the epochs",
        ),
    )
    early_stopping: bool | int | EarlyStopping | None = field(
        default=None,
        metadata=_about(
            Maybe(AnyOf(Boolean(), Interval(int, 0), Instance(EarlyStopping))),
            "stopping",
            'an EarlyStopping, True for its defaults, or its patience in epochs; the last two monitor "val_loss", or "loss" '
            "where nothing is validated",
        ),
    )
    keep_features: bool | int | str = field(
        default="auto",
        metadata=_about(
            AnyOf(OneOf("auto"), Boolean(), Interval(int, 1)),
            "learning",
            "whether what the frozen layers at the beginning of the network make of the samples is computed once and kept, "
            'so that an epoch costs what the other layers cost. "auto" keeps it where no number of the fit changes, so not '
            "with random changes of the samples; True draws these once, and a number n draws them n times and takes the "
            "results by turns, one in each epoch",
        ),
    )
    verbose: int = field(
        default=1,
        metadata=_about(
            OneOf(0, 1, 2),
            "watching",
            "0 prints nothing, 1 shows live progress on a terminal, 2 prints one line for each epoch",
        ),
    )
    engine: str = field(
        default="auto",
        metadata=_about(
            OneOf("auto", "onednn", "reference"),
            "machine",
            "the engine that computes; see chainrule.engine.get_engine",
        ),
    )
    threads: int | None = field(
        default=None,
        metadata=_about(
            Maybe(Interval(int, 1)),
            "machine",
            "the number of threads; None takes all that there are",
        ),
    )
    precision: str = field(
        default="float32",
        metadata=_about(
            OneOf("float32", "bfloat16", hint='A float64 network is made by Network(..., dtype="float64").'),
            "machine",
            '"float32", or "bfloat16" for the matrix products and convolutions of a float32 network',
        ),
    )
    distributed: bool = field(
        default=False,
        metadata=_about(
            Boolean(),
            "machine",
            "whether the processes that ``mpirun`` started train the network together, each with its part of every batch. "
            "All of them call fit with the same data and arguments; batch_size is that of all together",
        ),
    )
    resume: Path | None = field(
        default=None,
        metadata=_about(
            Maybe(Instance(str, os.PathLike, words="the path of a checkpoint")),
            "watching",
            "a file that the callback Checkpoint wrote. The fit goes on to the bit as if it had never stopped, where all "
            "other arguments are the same",
        ),
    )
    given: frozenset[str] = field(default=frozenset(), init=False, repr=False)

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.init:
                value = one.metadata["constraint"].check("", one.name, getattr(self, one.name))
                object.__setattr__(self, one.name, value)
        object.__setattr__(self, "callbacks", _callbacks(self.callbacks))
        if self.validation_split and self.validation_data is not None:
            raise ParameterError("Give either validation_data or validation_split, not both.")
        if self.learning_rate is None and self.learning_rate_factors is None:
            get_optimizer(self.optimizer).validate()
        else:
            self.make_optimizer()

    # ------------------------------------------------------------ what the arguments are

    @classmethod
    def names(cls, *groups: Group) -> tuple[str, ...]:
        """Names of the arguments of these groups, of all groups when none is named."""
        return tuple(f.name for f in fields(cls) if f.init and (not groups or f.metadata["group"] in groups))

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """The constraint on each argument: its allowed types and values."""
        return {f.name: f.metadata["constraint"] for f in fields(cls) if f.init}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The default of each argument."""
        return {f.name: f.default for f in fields(cls) if f.init}

    @classmethod
    def documentation(cls, names: Iterable[str] | None = None, *, indent: int = 12, width: int = 120) -> str:
        """What each argument means, as lines of a docstring. Parameters  names : of the arguments, None for all"""
        wanted = set(cls.names() if names is None else names)
        lines: list[str] = []
        for one in fields(cls):
            if one.name in wanted:
                default = "" if one.default in (None, ()) else f" = {one.default!r}"
                text = f"{one.name}{default} : {one.metadata['text']}"
                margin = " " * indent
                lines += textwrap.wrap(text, width, initial_indent=margin, subsequent_indent=margin + " " * 4)
        return "\n".join(lines)

    # ------------------------------------------------------------ as a mapping: settings["epochs"], fit(X, y, **settings)

    def keys(self) -> tuple[str, ...]:
        """The names of all arguments."""
        return self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __getitem__(self, name: str) -> Any:
        if name not in self.names():
            raise UnknownNameError("argument of fit", name, self.names())
        return getattr(self, name)

    # ------------------------------------------------------------ other settings

    @classmethod
    def of(cls, given: Mapping[str, Any], base: FitSettings | None = None) -> Self:
        """Settings with these arguments, and all others as in ``base``, or as their defaults are.

        Raises      UnknownNameError for a name that is no argument of a fit
        """
        known = cls.names()
        for name in given:
            if name not in known:
                raise UnknownNameError("argument of fit", name, known)
        made = cls(**{**({} if base is None else base.arguments()), **given})
        object.__setattr__(made, "given", frozenset(given))
        return made

    def replace(self, **changes: Any) -> Self:
        """The same settings but for these arguments, which are checked and count as given."""
        made = type(self).of(changes, self)
        object.__setattr__(made, "given", self.given | made.given)
        return made

    def arguments(self, *groups: Group) -> dict[str, Any]:
        """The arguments of these groups by name, of all groups when none is named."""
        return {name: getattr(self, name) for name in self.names(*groups)}

    def only(self, *groups: Group) -> Self:
        """The arguments of these groups, all others as their defaults are."""
        made, kept = copy.copy(self), self.names(*groups)
        for name, default in self.defaults().items():
            if name not in kept:
                object.__setattr__(made, name, default)
        object.__setattr__(made, "given", self.given.intersection(kept))
        return made

    def differing(self, other: FitSettings) -> set[str]:
        """Names of the arguments that are another object in the other settings."""
        return {name for name in self.names() if getattr(self, name) is not getattr(other, name)}

    # ------------------------------------------------------------ objects of a fit's own

    @property
    def own_callbacks(self) -> tuple[Callback, ...]:
        """The callbacks, as a tuple however they were given."""
        return cast("tuple[Callback, ...]", self.callbacks)

    def make_optimizer(self) -> Optimizer:
        """A copy of the optimizer, checked, with the learning rate and the factors that were given.

        A fit has a copy, since schedules keep state in it and the user's object may serve another fit.
        """
        chosen = copy.deepcopy(get_optimizer(self.optimizer))
        if self.learning_rate is not None:
            chosen.learning_rate = copy.deepcopy(self.learning_rate)
        if self.learning_rate_factors is not None:
            chosen.learning_rate_factors = dict(self.learning_rate_factors)
        chosen.validate()
        return chosen

    def with_own_optimizer(self) -> Self:
        """The same settings with the optimizer as an object of their own that holds the learning rate and the factors."""
        return self.replace(optimizer=self.make_optimizer(), learning_rate=None, learning_rate_factors=None)

    def make_early_stopping(self, validated: bool) -> EarlyStopping | None:
        """The EarlyStopping that was asked for. Parameters  validated : whether the fit has validation data to follow"""
        wanted = self.early_stopping
        if wanted is None or wanted is False:
            return None
        if isinstance(wanted, EarlyStopping):
            return wanted
        monitor = "val_loss" if validated else "loss"
        return EarlyStopping(monitor) if wanted is True else EarlyStopping(monitor, patience=wanted)


def _callbacks(callbacks: Any) -> tuple[Callback, ...]:
    several = isinstance(callbacks, Iterable) and not isinstance(callbacks, Callback)
    found = tuple(callbacks) if several else () if callbacks is None else (callbacks,)
    for callback in found:
        if not isinstance(callback, Callback):
            raise ParameterError(
                f"callbacks must be instances of chainrule.training.Callback. Got {callback!r}. "
                "A function becomes one by LambdaCallback(on_epoch_end=function)."
            )
    return found
