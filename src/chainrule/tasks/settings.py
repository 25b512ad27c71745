"""The settings that every task has, and those of tasks that learn from a table. Checked when they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .option import ALSO_LATER, LEARNING, READING, TESTING, Use, flag, option, options_of

if TYPE_CHECKING:
    from ..constraints import Constraint

__all__ = [
    "TabularSettings",
    "TrainingSettings",
    "distributed_training",
    "format_of",
    "hidden_layers",
    "list_of_names",
    "list_of_units",
    "size_of_text",
    "task_option",
]


def list_of_units(typed: str) -> tuple[int, ...]:
    """``"128,64"`` as (128, 64); ``"none"`` as (), a linear model."""
    from ..errors import ParameterError

    if typed.strip().lower() in ("none", "0", ""):
        return ()
    try:
        units = tuple(int(part) for part in typed.replace(" ", "").split(","))
    except ValueError:
        units = (0,)
    if min(units) < 1:
        raise ParameterError(
            f"--hidden must be whole numbers of at least 1 with commas between them, such as 128,64, or none. Got {typed!r}."
        )
    return units


def list_of_names(typed: Iterable[str]) -> tuple[str, ...]:
    """``["a,b", "c"]`` as ("a", "b", "c")."""
    return tuple(name.strip() for text in typed for name in text.split(",") if name.strip())


def delimiter_of(typed: str) -> str:
    """The character; "tab" and "\\t" are the tab, which is hard to type."""
    from ..errors import ParameterError

    if len(typed) != 1 and typed.lower() not in ("tab", "\\t"):
        raise ParameterError(f"--delimiter must be one character, such as ; or the word tab. Got {typed!r}.")
    return typed if len(typed) == 1 else "\t"


def thousands_of(typed: str) -> str:
    """The sign; "none" is no sign at all, and "space" is hard to see."""
    return {"none": "", "space": " "}.get(typed.lower(), typed)


def yes_or_no(typed: str) -> bool:
    """``"yes"`` and ``"no"`` as True and False."""
    from ..errors import ParameterError

    known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if typed.lower() not in known:
        raise ParameterError(f"--day-first must be yes or no. Got {typed!r}.")
    return known[typed.lower()]


def bytes_of(typed: str, option: str = "--max-memory") -> int:
    """``"500MB"`` as 500,000,000; B, kB, MB, GB and KiB, MiB, GiB are known, and a bare number is in bytes.

    Parameters  option : that it was typed for, for the error message
    """
    import re

    from ..errors import ParameterError

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?\s*", typed.lower())
    size = float(found[1]) * (1024 if found[3] else 1000) ** " kmg".index(found[2] or " ") if found else 0
    if size < 1 or size > 2**62:
        raise ParameterError(f"{option} must be a size such as 500MB or 2GB. Got {typed!r}.")
    return int(size)


def size_of_text(typed: str) -> tuple[int, int]:
    """``"64"`` as (64, 64), ``"48x64"`` as (48, 64): height and width."""
    from ..errors import ParameterError

    numbers = typed.lower().replace("×", "x").split("x")
    if len(numbers) > 2 or not all(number.strip().isdecimal() and int(number) for number in numbers):
        raise ParameterError(f"--size must be pixels, such as 64, or height and width, such as 48x64. Got {typed!r}.")
    return int(numbers[0]), int(numbers[-1])


def task_option(default: str, *known: str) -> Any:
    """The setting that says what is learned. Parameters  default ; known : what it may be for this task"""
    text = (
        "What is learned: classification or regression of a column, detect for boxes around objects in pictures, clips "
        "for what a video shows, read for the text of lines in pictures, listen for sounds; denoise, colour or enlarge to "
        "restore pictures; auto finds out."
    )
    return option(default, str, text, metavar="TASK", known=lambda: known)


def hidden_layers(*units: int) -> Any:
    """The setting of the hidden layers. Parameters  units : of the default"""
    shown = ",".join(map(str, units))
    return option(units, str, "Units of the hidden layers, or none.", metavar="UNITS", shown=shown, parse=list_of_units)


def pretrained_body(kind: str, *, own: bool = True) -> Any:
    """The setting of a body that has learned before.

    Parameters  kind : of samples, "pictures" or "texts" ; own : whether a file of the user's own may take its place
    """

    def known() -> Iterable[str]:
        from ..pretrained import BODIES

        return [name.replace("_", "-") for name, (samples, _) in BODIES.items() if samples == kind]

    ready = {"pictures": "efficientnet-lite0", "texts": "minilm"}[kind]
    return option(
        None,
        str,
        f"Body that has learned before: {ready}{', or a file of your own' * own}.",
        metavar="NAME|FILE",
        known=known,
    )


def fine_tuning() -> Any:
    """The setting that says whether a pretrained body learns along."""
    return option(False, bool, "Let the pretrained body learn along, at a tenth of the rate, and not only the last layer.")


def check_fine_tuning(settings: Any) -> None:
    """ParameterError where a body is to learn along and there is none."""
    from ..errors import ParameterError

    if settings.fine_tune and settings.pretrained is None:
        raise ParameterError("--fine-tune is for a body that has learned before. Name one by --pretrained, or leave it out.")


def distributed_training() -> Any:
    """The setting of a training over the processes of ``mpirun``."""
    return option(
        False,
        bool,
        "Train over all processes that mpirun started, each with its part of every batch.",
        uses=frozenset({Use.TRAIN}),
    )


def _activations() -> Iterable[str]:
    from ..layers import Layer

    return sorted(kind.activation_name for kind in Layer.registry.values() if kind.activation_name)


def _optimizers() -> Iterable[str]:
    from ..optimizers import Optimizer

    return sorted(Optimizer.registry)


def _losses() -> Iterable[str]:
    from ..losses import Loss

    return sorted(Loss.registry)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What every task is told about a training; each task derives its own settings from these.

    None leaves the choice to the task, or, where a model is trained further, to the model. Settings are checked when they
    are made and never changed.

    Parameters  data : the file or folder with the samples ; the others are described at their fields
    Raises      ParameterError for a value out of its range ; UnknownNameError for an unknown name
    """

    data: Path
    validation: Path | None = option(
        None, Path, "Data that decide when to stop, instead of a part of DATA.", metavar="FILE", uses=LEARNING
    )
    test: Path | None = option(
        None, Path, "Data for the final metrics, instead of a part of DATA.", metavar="FILE", uses=TESTING
    )
    epochs: int | None = option(
        None,
        int,
        "Passes over the training data at most.",
        metavar="N",
        shown="by the number of samples",
        uses=ALSO_LATER,
    )
    batch_size: int | None = option(
        None, int, "Samples in a training step.", metavar="N", shown="by the number of samples", uses=ALSO_LATER
    )
    learning_rate: float | None = option(
        None, float, "Step size of the optimizer.", metavar="RATE", shown="the optimizer's", uses=ALSO_LATER
    )
    optimizer: str | None = option(
        None, str, "How the weights are updated.", metavar="NAME", shown="adamw", uses=ALSO_LATER, known=_optimizers
    )
    weight_decay: float | None = option(
        None, float, "Decoupled weight decay.", metavar="RATE", shown="the optimizer's", uses=ALSO_LATER
    )
    test_fraction: float | None = option(
        None,
        float,
        "Share of DATA that is kept apart for the final metrics.",
        metavar="SHARE",
        shown="0.25",
        uses=LEARNING | TESTING,
    )
    validation_fraction: float | None = option(
        None, float, "Share of the training data that decides when to stop.", metavar="SHARE", shown="0.15"
    )
    patience: int | None = option(
        None,
        int,
        "Epochs without a better validation loss after which the training stops.",
        metavar="N",
        shown="by the number of epochs",
    )
    seed: int | None = option(None, int, "Seed of all random numbers.", metavar="N", shown="0", uses=ALSO_LATER)
    engine: str = option(
        "auto",
        str,
        "Engine that computes: auto, onednn or reference.",
        metavar="NAME",
        uses=ALSO_LATER,
        known=lambda: ("auto", "onednn", "reference"),
    )
    threads: int | None = option(
        None, int, "Threads that compute.", metavar="N", shown="all that there are", uses=ALSO_LATER
    )
    precision: str = option(
        "float32",
        str,
        "Number format: float32, float64 or bfloat16.",
        metavar="NAME",
        known=lambda: ("float32", "float64", "bfloat16"),
    )

    # ------------------------------------------------------------ making and checking

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", Path(self.data))
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, str) and one.name in ("validation", "test"):
                object.__setattr__(self, one.name, Path(value))
        self._check({name: getattr(self, name) for name in self.constraints()}, lambda name: name)
        self.check_together()

    @classmethod
    def typed(cls, data: Path, given: Mapping[str, Any]) -> Self:
        """The settings that somebody typed as options, whose spelling the errors then use.

        Parameters  given : the typed values by the names of the settings, without those that nobody typed
        """
        return cls(data=data, **cls.parsed(given))

    @classmethod
    def parsed(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Typed values as the settings have them, checked one by one; errors name the options."""
        options = options_of(cls)
        values: dict[str, Any] = {}
        for name, value in given.items():
            parse = options[name].parse
            values[name] = value if parse is None else parse(value)
        cls._check(values, flag)
        return values

    @classmethod
    def _check(cls, values: Mapping[str, Any], spelling: Any) -> None:
        for name, constraint in cls.constraints().items():
            if values.get(name) is not None:
                constraint.check("", spelling(name), values[name])

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """What each setting that is not None may be."""
        from ..constraints import Accepted, Interval, OneOf
        from ..optimizers import get_optimizer

        count = Interval(int, 1)
        return {
            "epochs": count,
            "batch_size": count,
            "learning_rate": Interval(float, 0, closed="neither"),
            "optimizer": Accepted(get_optimizer, "the name of an optimizer"),
            "weight_decay": Interval(float, 0),
            "test_fraction": Interval(float, 0, 1, hint="A quarter of the data is 0.25."),
            "validation_fraction": Interval(float, 0, 1, hint="A quarter of the data is 0.25."),
            "patience": count,
            "seed": Interval(int, 0),
            "engine": OneOf("auto", "onednn", "reference"),
            "threads": count,
            "precision": OneOf("float32", "float64", "bfloat16"),
        }

    def check_together(self) -> None:
        """Raises ParameterError for settings that contradict each other."""
        from ..engine import get_engine
        from ..errors import ParameterError

        for part in ("validation", "test"):
            if getattr(self, part) is not None and getattr(self, f"{part}_fraction") is not None:
                raise ParameterError(
                    f"--{part} names the data to use, and --{part}-fraction takes them from DATA. Give one of the two."
                )
        if self.patience is not None and self.validation is None and self.validation_fraction == 0:
            raise ParameterError(
                "--patience counts epochs without a better validation loss, and --validation-fraction 0 leaves no "
                "validation data. Give one without the other."
            )
        get_engine(self.engine, dtype=self.precision, threads=self.threads)

    # ------------------------------------------------------------ what follows from them

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of the data for the test part and, of the rest, for the validation part."""
        test = 0.25 if self.test_fraction is None else self.test_fraction
        validation = 0.15 if self.validation_fraction is None else self.validation_fraction
        return 0.0 if self.test is not None else test, 0.0 if self.validation is not None else validation

    @property
    def keeps_test_part(self) -> bool:
        """Whether a part to test on was asked for, where a model is trained further; a new model always has one."""
        return self.test is not None or bool(self.test_fraction)

    @property
    def random_state(self) -> int:
        """The seed; 0 where none is set."""
        return 0 if self.seed is None else self.seed

    @property
    def dtype(self) -> str:
        """The type of the network's numbers; bfloat16 is for its products alone."""
        return "float64" if self.precision == "float64" else "float32"

    def make_optimizer(self) -> Any:
        """The optimizer with its weight decay; adamw where none is set."""
        from ..optimizers import get_optimizer

        made = get_optimizer(self.optimizer or "adamw")
        if self.weight_decay is not None:
            made.weight_decay = self.weight_decay
        return made

    def resumed(self, network: Any, **more: Any) -> Any:
        """The FitSettings of more training of a network: what is None here stays as in its last fit.

        Parameters  network : its seed becomes the one set here, or 0 where it has none
                    more : arguments of the fit that the task chooses, None for none
        """
        import copy

        import numpy as np

        from ..training.settings import FitSettings

        if self.seed is not None or not isinstance(network.random_state, int):
            network.random_state, network.rng = self.random_state, np.random.default_rng(self.random_state)
        chosen = {**{name: getattr(self, name) for name in ("epochs", "batch_size", "learning_rate")}, **more}
        if self.optimizer is not None:
            chosen["optimizer"] = self.make_optimizer()
        elif self.weight_decay is not None:
            chosen["optimizer"] = copy.deepcopy(getattr(network, "optimizer_", None)) or self.make_optimizer()
            chosen["optimizer"].weight_decay = self.weight_decay
        return FitSettings.of({**{name: v for name, v in chosen.items() if v is not None}, **self.machine()})

    def machine(self) -> dict[str, Any]:
        """The arguments of a fit that say how it is computed."""
        precision = "bfloat16" if self.precision == "bfloat16" else "float32"
        together = {"distributed": True} if getattr(self, "distributed", False) else {}
        return {"engine": self.engine, "threads": self.threads, "precision": precision, **together}


@dataclass(frozen=True, kw_only=True)
class TabularSettings(TrainingSettings):
    """The settings of tasks that learn from the columns of a table. Parameters  see the fields"""

    target: str | None = option(None, str, "Column to predict.", metavar="COLUMN", short="-t", uses=ALSO_LATER)
    hidden: tuple[int, ...] = hidden_layers(128, 64)
    activation: str = option("relu", str, "Activation of the hidden layers.", metavar="NAME", known=_activations)
    loss: str | None = option(
        None, str, "Loss that is minimised.", metavar="NAME", shown="by the target", uses=ALSO_LATER, known=_losses
    )
    task: str = task_option("auto", "auto", "classification", "regression")
    delimiter: str | None = option(
        None,
        str,
        "Character between the fields of a text file, or the word tab.",
        metavar="CHAR",
        shown="found out",
        uses=READING,
        parse=delimiter_of,
    )
    encoding: str | None = option(None, str, "Encoding of a text file.", metavar="NAME", shown="found out", uses=READING)
    decimal: str | None = option(
        None, str, "Decimal sign: a point or a comma.", metavar="CHAR", shown="found out", uses=READING
    )
    thousands: str | None = option(
        None,
        str,
        "Sign between groups of three digits, or the word none.",
        metavar="CHAR",
        shown="found out",
        uses=READING,
        parse=thousands_of,
    )
    na_values: tuple[str, ...] = option(
        (), list, "Further texts that stand for a missing value.", metavar="TEXT,...", uses=READING, parse=list_of_names
    )
    no_default_na: bool = option(
        False, bool, "Take texts such as NA and None for values, not for missing ones.", uses=READING
    )
    no_header: bool = option(False, bool, "The file has no line that names the columns.", uses=READING)
    comment: str | None = option(
        None, str, "Character that lines outside the table begin with.", metavar="CHAR", uses=READING
    )
    day_first: bool | None = option(
        None,
        str,
        "Whether 3/4/2020 is the 3rd of April: yes or no.",
        metavar="YES/NO",
        shown="found out",
        uses=READING,
        parse=yes_or_no,
    )
    max_memory: int | None = option(
        None,
        str,
        "Most memory that the text of a file may take, such as 500MB or 2GB.",
        metavar="SIZE",
        shown="a quarter of the machine's",
        uses=READING,
        parse=bytes_of,
    )

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        from ..constraints import Accepted, EachOf, Interval, OneOf
        from ..layers.base import get_activation
        from ..losses import get_loss

        return {
            **super().constraints(),
            "hidden": EachOf(Interval(int, 1)),
            "activation": Accepted(get_activation, "the name of an activation"),
            "loss": Accepted(get_loss, "the name of a loss"),
            "task": OneOf("auto", "classification", "regression"),
            "decimal": OneOf(".", ","),
            "thousands": OneOf(",", ".", " ", "'", "", hint="The word none stands for no sign."),
        }

    def check_together(self) -> None:
        from ..errors import ParameterError

        super().check_together()
        self.format()
        if self.data.suffix.lower() == ".parquet":
            for name in self.reading():
                if name != "max_memory":
                    raise ParameterError(f"{flag(name)} is for text files; a Parquet file says it itself. Leave it out.")

    def reading(self) -> dict[str, Any]:
        """The settings that say how a file is read, without those that are as they are by default."""
        return {name: value for name in READING_NAMES if (value := getattr(self, name)) not in (None, (), False)} | (
            {} if self.day_first is None else {"day_first": self.day_first}
        )

    def format(self) -> Any:
        """How text files are written, as far as these settings say it. Raises  ParameterError"""
        return format_of(self.reading())


#: The settings of a table that say how its file is read.
READING_NAMES = (
    "delimiter", "encoding", "decimal", "thousands", "na_values", "no_default_na", "no_header", "comment", "day_first",
    "max_memory",
)  # fmt: skip


def format_of(reading: Mapping[str, Any]) -> Any:
    """The ``TableFormat`` of settings that say how a file is read.

    Raises      ParameterError for a value that cannot be ; UnknownNameError for a name that says no such thing
    """
    from ..data.table_format import TableFormat
    from ..errors import UnknownNameError

    for name in reading:
        if name not in READING_NAMES:
            raise UnknownNameError("way of reading a file", name, READING_NAMES)
    given = {name: value for name, value in reading.items() if name not in ("no_default_na", "no_header")}
    return TableFormat(
        **given, keep_default_na=not reading.get("no_default_na", False), header=not reading.get("no_header", False)
    )
