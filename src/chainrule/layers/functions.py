"""Elementary functions, element by element, as layers of a network."""

from __future__ import annotations

from math import pi, sqrt

from ..constraints import Interval, OneOf
from .base import Activation, Builder, Layer, Saved, Value


class Exponential(Activation):
    """The exponential function ``a = eᶻ``.

    Shapes      z, a : any
    Backward    dz = da ⊙ a

    Example
        >>> Exponential()
        Exponential()
    """

    activation_name = "exponential"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.exp(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        value: Value = saved.a
        return value


class Logarithm(Activation):
    """The natural logarithm ``a = log z``; −∞ at 0, and not a number below.

    Shapes      z, a : any
    Backward    dz = da / z

    Example
        >>> Logarithm()
        Logarithm()
    """

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.log(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.divide(1.0, saved.z)


class Square(Activation):
    """The square ``a = z²``.

    Shapes      z, a : any
    Backward    dz = 2 da ⊙ z

    Example
        >>> Square()
        Square()
    """

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.square(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(saved.z, 2.0)


class SquareRoot(Activation):
    """The square root ``a = √z``; not a number below 0.

    Shapes      z, a : any
    Backward    dz = da / (2 a)

    Example
        >>> SquareRoot()
        SquareRoot()
    """

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.sqrt(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.divide(0.5, saved.a)


class Absolute(Activation):
    """The absolute value ``a = |z|``.

    Shapes      z, a : any
    Backward    dz = da ⊙ sign z    (0 at z = 0)

    Example
        >>> Absolute()
        Absolute()
    """

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.absolute(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.sign(saved.z)


class Reciprocal(Activation):
    """The reciprocal ``a = 1 / z``; ±∞ at 0.

    Shapes      z, a : any
    Backward    dz = −da ⊙ a²

    Example
        >>> Reciprocal()
        Reciprocal()
    """

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.divide(1.0, z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.negative(k.square(saved.a))


class Power(Activation):
    """A power of positive numbers ``a = zᵖ = exp(p log z)``; not a number below 0.

    Square, SquareRoot and Reciprocal are exact for p = 2, 1/2 and −1, and Square and Reciprocal take numbers below 0, too.

    Parameters  exponent : finite number p
    Shapes      z, a : any, z > 0
    Backward    dz = p da ⊙ zᵖ⁻¹
    Raises      ParameterError when the exponent is not a finite number

    Example
        >>> Power(1.5)
        Power(1.5)
    """

    hyperparameters = {"exponent": Interval(float)}

    def __init__(self, exponent: float):
        self.exponent = exponent

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        log = k.log(z)
        return k.exp(k.multiply(log, float(self.exponent))), Saved(log=log)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        p = float(self.exponent)
        return k.multiply(k.exp(k.multiply(saved.log, p - 1)), p)


class ErrorFunction(Activation):
    """The error function ``a = erf z = 2/√π ∫₀ᶻ exp(−t²) dt``.

    Shapes      z, a : any
    Backward    dz = 2/√π da ⊙ exp(−z²)

    Example
        >>> ErrorFunction()
        ErrorFunction()
    """

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.erf(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(k.exp(k.negative(k.square(saved.z))), 2 / sqrt(pi))


class Sine(Activation):
    """The sine ``a = sin z`` of z in radians.

    Shapes      z, a : any
    Backward    dz = da ⊙ cos z
    References  Sitzmann et al., Implicit neural representations with periodic activation functions, NeurIPS 2020

    Example
        >>> Sine()
        Sine()
    """

    activation_name = "sine"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.sin(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.cos(saved.z)


class Cosine(Activation):
    """The cosine ``a = cos z`` of z in radians.

    Shapes      z, a : any
    Backward    dz = −da ⊙ sin z

    Example
        >>> Cosine()
        Cosine()
    """

    activation_name = "cosine"

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.cos(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.negative(k.sin(saved.z))


class Round(Layer):
    """Whole numbers in place of others: ``y = round(x)``, ``⌊x⌋`` or ``⌈x⌉``, element by element.

    Parameters  to : "nearest" (of two that are equally near the even one), "down" or "up" = "nearest"
    Shapes      x, y : any
    Backward    the derivative is 0 wherever there is one, so no gradient goes back
    Raises      ParameterError for another value of ``to``

    Example
        >>> Round("down")
        Round('down')
    """

    role = "other"
    stepwise = True
    channel_map = "each"
    hyperparameters = {"to": OneOf("nearest", "down", "up")}

    def __init__(self, to: str = "nearest"):
        self.to = to

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x = xs[0]
        if self.to == "up":
            return k.negative(k.floor(k.negative(x))), Saved()
        return (k.floor(x) if self.to == "down" else k.round(x)), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> None:
        return None
