"""What a layer is: equations written with a Builder, and the parameters they need.

A layer never computes, never holds arrays and never knows an engine. It answers three questions:

    parameters(*shapes)          which parameters it needs for inputs of these shapes
    forward(k, *xs)              its forward equations: (y, saved)
    backward(k, saved, dy)       its backward equations: dx, or a tuple with one entry for each input

Shapes include the batch dimension N first. A user's own layer is a subclass with these methods; see
``chainrule.testing.check_layer``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import ParameterError, ShapeError
from ..ops import Builder, Saved, Value
from ..ops.value import Shape

__all__ = ["Activation", "Builder", "Input", "Layer", "Parameter", "Saved", "ShapeError", "State", "Tensor", "Value"]


@dataclass(frozen=True)
class Parameter:
    """A learned array that a layer asks for.

    Parameters
        shape : its shape ; init : an initializer, its name, or None for the default that follows the next activation
        fan_in, fan_out : number of inputs and outputs of one unit, for the initializers that scale by them
        decay : whether L1, L2 and weight decay apply (weights yes, biases no)
    """

    shape: Shape
    init: Any = None
    fan_in: int = 1
    fan_out: int = 1
    decay: bool = True


@dataclass(frozen=True)
class State:
    """An array that a layer keeps between steps and that is not learned, such as a running mean."""

    shape: Shape
    value: float = 0.0


class Tensor:
    """The output of a layer in the functional form: ``h = Dense(32)(x)``.

    Parameters  caller : the layer or network that makes it, None for an Input ; inputs : its inputs ;
                shape : of one sample, for an Input
    """

    def __init__(self, caller: Any = None, inputs: tuple[Tensor, ...] = (), shape: Shape | None = None, dtype: str = "float"):
        self.caller, self.inputs, self.shape, self.dtype = caller, inputs, shape, dtype


def Input(shape: int | tuple[int, ...], *, dtype: str = "float") -> Tensor:  # noqa: N802 (reads as the layers do)
    """An input of a network in the functional form.

    Parameters  shape : of one sample, without the batch dimension ; dtype : "float" or "int" (indices for an Embedding)
    """
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(not isinstance(s, int) or s < 1 for s in shape):
        raise ParameterError(f"Input: expected positive sizes of one sample, such as Input((64,)). Got shape={shape!r}.")
    if dtype not in ("float", "int"):
        raise ParameterError(f'Input: dtype must be "float" or "int". Got {dtype!r}.')
    return Tensor(shape=shape, dtype=dtype)


class Layer:
    """Base of every layer. Constructors only store what they are given, under the same names."""

    registry: ClassVar[dict[str, type[Layer]]] = {}
    #: Name under which default initialisers know the activation, for activation layers.
    activation_name: ClassVar[str | None] = None
    #: How many inputs the layer takes; None for any number from 1.
    arity: ClassVar[int | None] = 1
    name: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            Layer.registry[cls.__name__] = cls

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Connects the layer to the outputs of others; the same layer called twice shares its parameters."""
        wrong = [t for t in inputs if not isinstance(t, Tensor)]
        if wrong:
            raise ParameterError(
                f"{type(self).__name__} was called with {type(wrong[0]).__name__}; the functional form connects layers: "
                f"h = {type(self).__name__}(...)(Input((64,))). To compute with arrays use Network([...]).predict(X)."
            )
        if self.arity is not None and len(inputs) != self.arity:
            raise ShapeError(f"{type(self).__name__} takes {self.arity} input(s), got {len(inputs)}.")
        return Tensor(self, inputs)

    def named(self, name: str) -> Layer:
        """Gives the layer a name of its own, used in parameter names and equations. Returns the layer."""
        self.name = name
        return self

    @classmethod
    def kind(cls) -> str:
        """The class's name as it stands in parameter names: ``LeakyReLU`` is ``leaky_relu``."""
        text = cls.__name__.replace("ReLU", "Relu").replace("ELU", "Elu").replace("SiLU", "Silu").replace("GELU", "Gelu")
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()

    @classmethod
    def argument_names(cls) -> list[str]:
        """Names of the constructor's arguments."""
        if cls.__init__ is object.__init__:
            return []
        return [n for n in inspect.signature(cls.__init__).parameters if n != "self"]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as they were given."""
        return {n: getattr(self, n) for n in self.argument_names()}

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__) if type(self).argument_names() else None
        shown = []
        for i, (key, value) in enumerate(self.config().items()):
            assert signature is not None
            if value != signature.parameters[key].default:
                shown.append(repr(value) if i == 0 else f"{key}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    # ------------------------------------------------------------ the three questions

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        """The parameters for inputs of these shapes (batch dimension first). None by default."""
        return {}

    def states(self, *shapes: Shape) -> dict[str, State]:
        """The states for inputs of these shapes. None by default."""
        return {}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        """Emits the forward equations; returns the output and what backward needs."""
        raise NotImplementedError

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value | tuple[Value | None, ...] | None:
        """Emits the backward equations; gives each parameter its gradient by ``k.grad``; returns dx (None: no gradient)."""
        raise NotImplementedError


class Activation(Layer):
    """Base of the elementwise activations ``a = σ(z)``, whose backward pass is ``dz = da ⊙ σ'(z)``.

    A subclass states ``apply(k, z) -> (a, saved)`` and ``derivative(k, saved) -> σ'(z)``.
    """

    by_name: ClassVar[dict[str, Callable[[], Layer]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.activation_name:
            Activation.by_name[cls.activation_name] = cls

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        raise NotImplementedError

    def derivative(self, k: Builder, saved: Saved) -> Value:
        raise NotImplementedError

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return self.apply(k, xs[0])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.multiply(dy, self.derivative(k, saved))
