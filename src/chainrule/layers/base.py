"""What a layer is: equations written with a Builder, and the parameters they need.

A layer never computes, never holds arrays and never knows an engine. It answers three questions:

    parameters(*shapes)          which parameters it needs for inputs of these shapes
    forward(k, *xs)              its forward equations: (y, saved)
    backward(k, saved, dy)       its backward equations: dx, or a tuple with one entry for each input

and states what its hyperparameters may be (``hyperparameters``); a network checks them when it takes the layer in. What else
is to know about a layer it states itself: its ``role``, whether it is ``linear``, whether it ``passes_scale`` on, and, of an
activation, its ``curve()``. Diagnosis, cures and initialisation ask these facts and know no layer by name, so a layer of
your own counts there like ours.

Shapes include the batch dimension N first. A user's own layer is a subclass with these methods; see
``chainrule.testing.check_layer``.
"""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..constraints import AnyOf, Constrained, Constraint, EachOf, Interval, Maybe, OneOf, OneOrMore
from ..errors import ParameterError, ShapeError, UnknownNameError
from ..ops import Builder, Saved, Value
from ..ops.value import FREE, Shape
from ..registry import named
from .curve import Curve, measure
from .regularizers import Regularizer
from .weight_constraints import WeightConstraint

__all__ = [
    "CHANNEL_MAPS",
    "ROLES",
    "SIZES",
    "Activation",
    "Builder",
    "Curve",
    "Input",
    "Layer",
    "Parameter",
    "Saved",
    "ShapeError",
    "State",
    "Tensor",
    "Value",
    "get_activation",
    "sizes_of",
]


#: What an argument may be that is the shape of one sample; see ``sizes_of``.
SIZES = OneOrMore(Interval(int, 1), hint="Give the sizes of one sample, such as 64 or (32, 32, 3).")
#: What a layer can be for a signal that passes it; see ``Layer.role``.
ROLES = (
    "weight", "activation", "softmax", "normalisation", "pooling", "reshaping", "regularisation", "join", "other",
)  # fmt: skip
#: What ``Layer.channel_map`` can be, besides None.
CHANNEL_MAPS = ("dense", "each", "concat")
#: Roles of layers that treat every channel by itself.
_CHANNELWISE = ("activation", "normalisation", "pooling", "regularisation")
#: Roles of layers that leave a signal at the order of size that it has.
_PASSING = ("normalisation", "pooling", "reshaping", "regularisation")


@dataclass(frozen=True)
class Parameter:
    """A learned array that a layer asks for.

    Parameters
        shape : its shape
        init : an initializer, its name, a number (the same everywhere), or None for the default that follows the next
            activation; a tuple of them draws as many arrays side by side on the last axis, such as the gates of a cell
        fan_in, fan_out : number of inputs and outputs of one unit, for the initializers that scale by them
        decay : whether L1, L2 and weight decay of the optimizer apply (weights yes, biases no)
        regularizer : a Regularizer, a penalty of its own, or None
        constraint : a WeightConstraint, which every update goes through, or None
        representation : how it is held from the start, see ``network.representation``, or (name, arguments) of it;
            None: as it is
    """

    shape: Shape
    init: Any = None
    fan_in: int = 1
    fan_out: int = 1
    decay: bool = True
    regularizer: Regularizer | None = None
    constraint: WeightConstraint | None = None
    representation: Any = None


@dataclass(frozen=True)
class State:
    """An array that a layer keeps between steps and that is not learned, such as a running mean.

    Parameters  shape : its shape ; value : what it begins with, a number or an array ; optional : whether a file may lack
                it, which then stands for that value: a state that the layer did not always have
    """

    shape: Shape
    value: Any = 0.0
    optional: bool = False


class Tensor:
    """The output of a layer in the functional form: ``h = Dense(32)(x)``.

    Parameters  caller : the layer or network that makes it, None for an Input ; inputs : its inputs ;
                shape : of one sample, for an Input
    Attributes  outputs : all the outputs of the call that made it, in order; most layers have one ;
                frozen : whether the layer is frozen in the network that the call comes from ;
                inside : networks whose output this is, with their inputs
    """

    def __init__(
        self, caller: Any = None, inputs: tuple[Tensor, ...] = (), shape: Shape | None = None, dtype: str = "float"
    ):
        self.caller, self.inputs, self.shape, self.dtype = caller, inputs, shape, dtype
        self.outputs: tuple[Tensor, ...] = (self,)
        self.frozen = False
        self.inside: list[tuple[Any, tuple[Tensor, ...]]] = []

    @staticmethod
    def several(caller: Any, inputs: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
        """The outputs of one call of a layer that has ``count`` of them."""
        made = tuple(Tensor(caller, inputs) for _ in range(count))
        for tensor in made:
            tensor.outputs = made
        return made


_SIZE = Maybe(Interval(int, 1))
_INPUT_SHAPE = AnyOf(_SIZE, EachOf(_SIZE), hint="Give the sizes of one sample, as in Input((64,)).")


def Input(shape: int | tuple[int | None, ...] | None, *, dtype: str = "float") -> Tensor:
    """An input of a network in the functional form.

    Parameters
        shape : of one sample, without the batch dimension. None stands for a size that may differ between samples, such as
            the length of a sequence: Input((None, 8)) takes sequences of vectors of 8 numbers
        dtype : "float" or "int" (indices for an Embedding)
    """
    _INPUT_SHAPE.check("Input", "shape", shape)
    OneOf("float", "int").check("Input", "dtype", dtype)
    sizes = list(shape) if isinstance(shape, Iterable) else [shape]
    return Tensor(shape=tuple(FREE if s is None else int(s) for s in sizes), dtype=dtype)


def sizes_of(shape: Any) -> Shape:
    """The sizes of a sample, from an int or several of them."""
    return (int(shape),) if isinstance(shape, numbers.Integral) else tuple(int(size) for size in shape)


@cache
def _parameters_of(init: Callable[..., None]) -> Mapping[str, inspect.Parameter]:
    """The arguments of a constructor by name. They are asked for whenever a layer is made, and found slowly."""
    return {name: one for name, one in inspect.signature(init).parameters.items() if name != "self"}


#: What arguments of other libraries' layers are here.
_ELSEWHERE = {
    "activation": "Activations are layers: put one behind it, such as ReLU().",
    "input_shape": "Sizes are found from the data; or begin the network with Input((...)).",
    "input_dim": "Sizes are found from the data; or begin the network with Input((...)).",
    "name": "A layer is named by its method: .named({value!r}).",
    "kernel_initializer": "Here it is called 'weight_init'.",
    "bias_initializer": "Here it is called 'bias_init'.",
    "kernel_regularizer": "Here it is called 'weight_regularizer'.",
    "kernel_constraint": "Here it is called 'weight_constraint'.",
    "use_bias": "Here it is called 'bias'.",
    "p": "Here it is called 'rate'.",
}


def _check_names(cls: type[Layer], given: Mapping[str, Any]) -> None:
    """UnknownNameError for an argument that the class does not have, with what is meant where that is known."""
    parameters = _parameters_of(cls.__init__)
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    known = list(parameters)
    for name, value in given.items():
        if name not in known:
            hint = _ELSEWHERE.get(name, "").format(value=value)
            called = hint.rpartition("'")[0].rpartition("'")[2]
            fits = hint and (not hint.startswith("Here") or called in known)
            raise UnknownNameError(f"argument of {cls.__name__}", name, known, hint=f" {hint}" if fits else None)


class Layer(Constrained):
    """Base of every layer. Constructors only store what they are given, under the same names; see ``Constrained``."""

    registry: ClassVar[dict[str, type[Layer]]] = {}
    #: Name by which an activation can be asked for: ``get_activation("relu")``.
    activation_name: ClassVar[str | None] = None
    #: How many inputs the layer takes; None for any number from 1.
    arity: ClassVar[int | None] = 1
    #: Whether step t of the output comes from step t of the inputs alone, so that a mask of theirs is one of the output's.
    stepwise: ClassVar[bool] = False
    #: The letter of its output in equations; None for z, a or h, as the layer is.
    letter: ClassVar[str | None] = None
    #: How it carries a state from step to step of a sequence: "simple" (every step passes the weights and a slope), "gated"
    #: (a gate carries it on), "cell" (a gate carries a cell state of its own); None where it carries none.
    recurrence: ClassVar[str | None] = None
    #: Whether in training it computes with statistics of the batch, so that a sample's output depends on the others.
    uses_batch_statistics: ClassVar[bool] = False
    #: The constructor's argument that is the number of its units; None where it has none.
    width_argument: ClassVar[str | None] = None
    #: What the outputs are where they are probabilities: "independent" (of each unit by itself), "exclusive" (of the units
    #: together, with sum 1), or "log" (the logarithms of exclusive ones). None where they are no probabilities.
    probabilities: str | None = None
    name: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            Layer.registry[cls.__name__] = cls

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if kwargs:
            _check_names(cls, kwargs)
        return super().__new__(cls)

    @property
    def output_count(self) -> int:
        """How many outputs the layer has. With several, ``forward`` returns and ``backward`` is given a tuple."""
        return 1

    def __call__(self, *inputs: Tensor) -> Any:
        """Connects the layer to the outputs of others; the same layer called twice shares its parameters.

        Returns  a Tensor, or a tuple of them for a layer of several outputs
        """
        wrong = [t for t in inputs if not isinstance(t, Tensor)]
        if wrong:
            raise ParameterError(
                f"{type(self).__name__} was called with {type(wrong[0]).__name__}; the functional form connects layers: "
                f"h = {type(self).__name__}(...)(Input((64,))). To compute with arrays use Network([...]).predict(X)."
            )
        if self.arity is not None and len(inputs) != self.arity:
            raise ShapeError(f"{type(self).__name__} takes {self.arity} input(s), got {len(inputs)}.")
        if self.output_count > 1:
            return Tensor.several(self, inputs, self.output_count)
        return Tensor(self, inputs)

    def masks(self, place: int) -> bool:
        """Whether the layer finds out which steps of sequences in this input are padding, for the layers after it."""
        return False

    def looks_ahead(self, place: int) -> bool:
        """Whether a step of the output may depend on later steps of this input, and so on padding after the last one."""
        return not self.stepwise

    def named(self, name: str) -> Layer:
        """Gives the layer a name of its own, used in parameter names and equations. Returns the layer."""
        self.name = name
        return self

    @classmethod
    def kind(cls) -> str:
        """The class's name as it stands in parameter names: ``LeakyReLU`` is ``leaky_relu``, ``Conv2D`` is ``conv2d``."""
        if cls.__dict__.get("activation_name"):
            return str(cls.activation_name)
        text = re.sub(r"(Re|Si|E)LU|\dD$", lambda m: m.group().capitalize(), cls.__name__)
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()

    @classmethod
    def argument_names(cls) -> list[str]:
        """Names of the constructor's arguments."""
        return [] if cls.__init__ is object.__init__ else list(_parameters_of(cls.__init__))

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given."""
        return {n: getattr(self, n) for n in self.argument_names()}

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__)
        shown = []
        for i, (key, value) in enumerate(self.config().items()):
            argument = signature.parameters[key]
            if isinstance(value, np.ndarray) or value != argument.default:
                bare = i == 0 and argument.kind is not argument.KEYWORD_ONLY
                shown.append(repr(value) if bare else f"{key}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def constraints(cls) -> dict[str, Constraint]:
        """What each argument may be, by name. What a base states about an argument that the class has not is left out."""
        names = cls.argument_names()
        return {name: constraint for name, constraint in super().constraints().items() if name in names}

    def index_limit(self) -> int | None:
        """For a layer that takes indices: they must be in 0, ..., limit − 1. None for any other layer."""
        return None

    def samples(self) -> int | None:
        """For a layer whose samples belong together, such as the nodes of a graph: how many every batch has. Else None."""
        return None

    def check_data(self, place: int, values: NDArray[Any], shapes: tuple[Shape, ...], name: str) -> None:
        """DataError when data that enters the network as the layer's input number ``place`` cannot be used.

        Parameters  values : of all samples ; shapes : of one sample, of each of the layer's inputs ; name : for messages
        """

    # ------------------------------------------------------------ facts that others ask for

    @property
    def role(self) -> str:
        """What the layer is for a signal that passes it, and for the gradient on its way back; one of ``ROLES``.

        "weight" multiplies it by learned numbers ; "activation" bends each number by itself ; "softmax" is an activation
        at an output that depends on all units of a sample ; "normalisation" shifts and scales it ; "pooling" makes one of
        several places ; "reshaping" moves numbers and does not change them ; "regularisation" changes it in training
        alone, as Dropout does ; "join" makes one of several inputs ; "other" is anything else.

        A layer that does not state its role (``role = "pooling"`` in its class) is a "weight" where it asks for parameters,
        a "join" where it takes several inputs, and else "other".
        """
        if type(self).parameters is not Layer.parameters:
            return "weight"
        return "other" if self.arity == 1 else "join"

    @property
    def linear(self) -> bool:
        """Whether, with its parameters as they are and in prediction, each output is a sum of inputs times constants, plus a
        constant. False where the layer does not state it."""
        return self.role == "reshaping"

    @property
    def passes_scale(self) -> bool:
        """Whether the weights before the layer may start by the law of the activation that comes after it, because the layer
        leaves a signal at the size that it has. By default so for the roles normalisation, pooling, reshaping and
        regularisation."""
        return self.role in _PASSING

    @property
    def channel_map(self) -> str | None:
        """How the channels of the output (its last axis) come from those of the inputs; one of ``CHANNEL_MAPS``, or None.

        "dense": each is a unit of its own, made of all channels of the input by its part of every parameter, whose last axes
        are (inputs, outputs) or (outputs,) ; "each": each is made of the channel in the same place of every input, or, where
        the layer has parameters, by neighbours that are made of the same channel ; "concat": those of the inputs, put side
        by side along the layer's ``axis`` ; None: in another way, or not known. Where whole units are pruned, those that
        reach a layer with None stay. By default "each" for the roles activation, normalisation, pooling and regularisation.
        """
        return "each" if self.role in _CHANNELWISE else None

    def curve(self) -> Curve:
        """For an activation: range, largest slope, gain and start law of a = σ(z), measured from its own equations.

        A class that knows them better returns a Curve of its own.
        """
        return measure(self)

    @property
    def measures(self) -> str | None:
        """Which data the first fit measures the layer's states on: "inputs" (the input that it is connected to), "targets"
        (those of the output that it makes), or None. Such a layer has the method ``measure``."""
        return None

    def origin(self, states: Mapping[str, NDArray[Any]]) -> tuple[str, NDArray[np.float64]] | None:
        """Of a layer that ``measures``: what is to be subtracted from that data before its numbers are narrowed to float32,
        since they lose digits otherwise, and the state in whose place the layer then has 0. None where they lose none.

        Parameters  states : of the layer, by name
        """
        return None

    def measure(self, data: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """The states of a layer that ``measures``, from all samples of that data (N, ..., C)."""
        raise NotImplementedError

    # ------------------------------------------------------------ the three questions

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """The parameters for inputs of these shapes (batch dimension first). None by default."""
        return {}

    def states(self, *shapes: Shape) -> dict[str, State]:
        """The states for inputs of these shapes. None by default."""
        return {}

    def forward(self, k: Builder, *xs: Value) -> tuple[Any, Saved]:
        """Emits the forward equations; returns the output (a tuple of several) and what backward needs."""
        raise NotImplementedError

    def backward(self, k: Builder, saved: Saved, dy: Any) -> Value | tuple[Value | None, ...] | None:
        """Emits the backward equations; gives each parameter its gradient by ``k.grad``; returns dx (None: no gradient).

        A layer of several outputs is given a tuple, with None for those that nothing depends on.
        """
        raise NotImplementedError


class Activation(Layer):
    """Base of the elementwise activations ``a = σ(z)``, whose backward pass is ``dz = da ⊙ σ'(z)``.

    A subclass states ``apply(k, z) -> (a, saved)`` and ``derivative(k, saved) -> σ'(z)``. All else that is asked about an
    activation, such as the start law of the weights before it, is found from these two (``curve()``).
    """

    role = "activation"
    stepwise = True
    #: The class of every activation by its name.
    by_name: ClassVar[dict[str, type[Layer]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("activation_name")  # its own: a subclass of ReLU does not take the name "relu" over
        if name:
            Activation.by_name[name] = cls

    @property
    def probabilities(self) -> str | None:  # type: ignore[override]  # a class may state it, and instances compute it
        curve = self.curve() if self.role == "activation" else None
        return "independent" if curve is not None and (curve.low, curve.high) == (0.0, 1.0) else None

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        """Emits a = σ(z); returns a and what the derivative needs."""
        raise NotImplementedError

    def derivative(self, k: Builder, saved: Saved) -> Value:
        """Emits σ'(z)."""
        raise NotImplementedError

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return self.apply(k, xs[0])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.multiply(dy, self.derivative(k, saved))


def get_activation(activation: str | Layer | type[Layer]) -> Layer:
    """The activation of this name with its defaults, or the layer itself.

    Parameters  activation : a name ("relu"), a layer (``LeakyReLU(0.2)``) or a layer class
    Raises      UnknownNameError for a name that is not known ; ParameterError for anything else

    Example
        >>> from chainrule.layers import get_activation
        >>> get_activation("leaky_relu")
        LeakyReLU()
    """
    if isinstance(activation, Layer):
        return activation
    if isinstance(activation, type) and issubclass(activation, Layer):
        return activation()
    if not isinstance(activation, str):
        raise ParameterError(f'An activation is a name such as "relu", or a layer such as ReLU(). Got {activation!r}.')
    return named("activation", activation, Activation.by_name)()
