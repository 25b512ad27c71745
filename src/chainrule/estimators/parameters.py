"""The parameters of the neural estimators: what each may be, by which names they are set, and the objects they stand for."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np

from ..constraints import Accepted, AnyOf, Anything, Boolean, Constraint, Instance, Interval, Maybe, OneOf
from ..data.text import get_tokenizer
from ..errors import ParameterError, UnknownNameError
from ..initializers.registry import get as get_initializer
from ..layers import get_activation
from ..losses import get_loss
from ..optimizers import Optimizer, get_optimizer
from ..registry import Configurable
from ..training.settings import FitSettings
from ._contract import BaseEstimator

__all__ = ["Parameters", "check_names", "is_integer", "units_of"]

#: Names that other libraries, or earlier versions of this one, have for a parameter.
_OTHER_NAMES = {
    "alpha": "l2",
    "alphas": "l2",
    "dropout_rate": "dropout",
    "hidden_layer_sizes": "hidden",
    "hidden_layers": "hidden",
    "hidden_units": "hidden",
    "kernel_initializer": "weight_init",
    "learning_rate_init": "learning_rate",
    "lookback": "window",
    "lr": "learning_rate",
    "max_epochs": "epochs",
    "max_iter": "epochs",
    "module": "layers",
    "n_iter_no_change": "patience",
    "n_jobs": "threads",
    "nonlinearity": "activation",
    "period": "season",
    "seed": "random_state",
    "solver": "optimizer",
    "tol": "tolerance",
    "transform": "transformation",
    "units": "hidden",
    "weight_decay": "l2",
}


def check_names(owner: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises UnknownNameError for the first given name that is not known, with the name that was probably meant.

    Example
        >>> check_names("NeuralClassifier", ["max_iter"], ["epochs", "hidden"])
        Traceback (most recent call last):
        ...
        chainrule.errors.UnknownNameError: Unknown parameter of NeuralClassifier 'max_iter'. Here it is called 'epochs'. ...
    """
    known = list(known)
    for name in given:
        if name not in known:
            ours = _OTHER_NAMES.get(name)
            hint = f" Here it is called {ours!r}." if ours in known else None
            raise UnknownNameError(f"parameter of {owner}", name, known, hint)


def _with_checked_names(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor, which refuses unknown names as ``check_names`` does. Its signature stays as it is."""
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        check_names(type(self).__name__, kwargs, known)
        init(self, *args, **kwargs)

    return checked


def is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def units_of(hidden: Any) -> list[int]:
    """The numbers of units of the hidden layers, from an int or a sequence of them.

    Raises      ParameterError for anything else
    """
    given = [hidden] if isinstance(hidden, Integral) else hidden
    try:
        units = None if isinstance(given, (str, bytes, Mapping)) else list(given)
    except TypeError:
        units = None
    if units is None or any(not is_integer(u) or u < 1 for u in units):
        raise ParameterError(
            "hidden must be the numbers of units of the hidden layers, each an int of at least 1, such as [128, 64]. "
            f"Got {hidden!r}."
        )
    return [int(u) for u in units]


_FIT = FitSettings.constraints()

#: What the parameters that all estimators share may be. Those of a fit are what FitSettings says.
SHARED: dict[str, Constraint] = {
    "hidden": Accepted(units_of, "the numbers of units of the hidden layers"),
    "layers": Anything("None, a list of layers, a Network, the name of an architecture, or a function that returns one"),
    "architecture": Maybe(Instance(str, words="the name of an architecture")),
    "pretrained": AnyOf(Boolean(), Instance(str, os.PathLike, words="the name of a pretrained body, or the path of a file")),
    "fine_tune": Boolean(),
    "activation": Accepted(get_activation, "an activation or its name"),
    "dropout": Interval(float, 0, 1),
    "weight_init": Maybe(Accepted(get_initializer, "an initializer or its name")),
    "loss": Maybe(Accepted(lambda loss: get_loss(loss).validate(), "a loss or its name")),
    "optimizer": Accepted(lambda optimizer: get_optimizer(optimizer).validate(), "an Optimizer or its name"),
    "learning_rate": _FIT["learning_rate"],
    "l2": Interval(float, 0),
    "epochs": _FIT["epochs"],
    "batch_size": AnyOf(Interval(int, 1), OneOf("auto")),
    "shuffle": Boolean(),
    "scale_inputs": AnyOf(Boolean(), OneOf("auto")),
    "tokenizer": Accepted(lambda tokenizer: get_tokenizer(tokenizer).validate(), "a tokenizer or its name"),
    "embedding": Interval(int, 1),
    "warm_start": Boolean(),
    "early_stopping": Boolean(),
    "validation_fraction": Interval(float, 0, 1, closed="neither"),
    "patience": Interval(int, 1),
    "tolerance": Maybe(Interval(float, 0)),
    "metrics": _FIT["metrics"],
    "callbacks": _FIT["callbacks"],
    "verbose": AnyOf(_FIT["verbose"], Boolean()),
    "random_state": AnyOf(
        Maybe(Interval(int, 0)),
        Instance(np.random.Generator, np.random.RandomState, words="a numpy Generator"),
    ),
    "engine": _FIT["engine"],
    "threads": _FIT["threads"],
    "precision": OneOf("float32", "float64", "bfloat16"),
}
#: How a parameter that is given by its name becomes an object, for ``name__argument``.
_MADE_BY: dict[str, Callable[[Any], Any]] = {
    "activation": get_activation,
    "loss": get_loss,
    "optimizer": get_optimizer,
    "tokenizer": get_tokenizer,
    "weight_init": get_initializer,
}


class Parameters(BaseEstimator):
    """Parameters by name, with what each may be.

    A parameter that is an object of chainrule, or the name of one, has its arguments as ``name__argument``:
    ``set_params(optimizer__momentum=0.9)`` makes an optimizer of the same class with that momentum.
    """

    #: What each parameter may be; a subclass adds its own.
    _constraints: ClassVar[dict[str, Constraint]] = SHARED

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = _with_checked_names(cls.__init__)  # type: ignore[method-assign]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with ``deep`` also the arguments of those that are objects, as ``name__argument``."""
        found: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            for name, value in list(found.items()):
                if isinstance(value, Configurable):
                    found |= {f"{name}__{key}": inner for key, inner in value.config().items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Changes parameters by name, arguments of a parameter that is an object by ``name__argument``. Returns self.

        Raises      UnknownNameError for a name that is not a parameter or an argument of one

        Example
            >>> from chainrule import NeuralClassifier
            >>> NeuralClassifier(optimizer="sgd").set_params(optimizer__momentum=0.9).optimizer
            SGD(momentum=0.9)
        """
        check_names(type(self).__name__, (name.partition("__")[0] for name in params), super().get_params(deep=False))
        nested: dict[str, dict[str, Any]] = {}
        whole: dict[str, Any] = {}
        for key, value in params.items():
            name, _, inner = key.partition("__")
            (nested.setdefault(name, {}) if inner else whole)[inner or name] = value
        super().set_params(**whole)
        for name, arguments in nested.items():
            setattr(self, name, self._with_arguments(name, arguments))
        return self

    def _with_arguments(self, name: str, arguments: dict[str, Any]) -> Any:
        """The object that the parameter is or names, with other arguments."""
        value = getattr(self, name)
        made = _MADE_BY[name](value) if name in _MADE_BY and value is not None else value
        owner = f"{type(self).__name__}.{name}"
        if not isinstance(made, Configurable):
            raise ParameterError(
                f"{owner} has no argument {next(iter(arguments))!r} to set: it is {value!r}. Set {name} to an object first."
            )
        check_names(owner, arguments, made.argument_names())
        return type(made)(**{**made.config(), **arguments})

    def _check_parameters(self) -> None:
        """ParameterError (or UnknownNameError) for parameters that no data can make good."""
        owner = type(self).__name__
        if self.layers is not None and (getattr(self, "architecture", None) is not None or self._is_pretrained):
            raise ParameterError(
                f"{owner}: layers are the whole network, so architecture and pretrained do not go with them. Leave one out."
            )
        for name in self.get_params(deep=False):
            if name in ("hidden", "activation") and self._given_layers is not None:
                continue  # layers take their place
            if name == "dropout" and self._given_layers is not None and not self._is_pretrained:
                continue
            self._constraints[name].check(owner, name, getattr(self, name))
        self._make_optimizer()

    @property
    def _is_pretrained(self) -> bool:
        """Whether the network begins with a body that has learned before."""
        return getattr(self, "pretrained", False) is not False

    @property
    def _given_layers(self) -> Any:
        """What stands in place of hidden layers: ``layers``, or what ``architecture`` or ``pretrained`` names; else None."""
        if self.layers is not None:
            return self.layers
        if getattr(self, "architecture", None) is not None:
            return self.architecture
        return str(self.pretrained) if self._is_pretrained else None

    def _make_optimizer(self) -> Optimizer:
        optimizer = copy.deepcopy(get_optimizer(self.optimizer))
        if self.learning_rate is not None:
            optimizer.learning_rate = copy.deepcopy(self.learning_rate)
        if self.l2:
            optimizer.l2 = float(self.l2)
        optimizer.validate()
        return optimizer

    def _generator(self) -> np.random.Generator:
        state = self.random_state
        if isinstance(state, np.random.Generator):
            return state
        if isinstance(state, np.random.RandomState):
            return np.random.default_rng(state.randint(2**31, size=4))
        return np.random.default_rng(None if state is None else int(state))
