"""The curve of an activation: its range, its slope and its gain, measured from the equations that it states."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..ops import Builder, Value
from ..registry import identity

if TYPE_CHECKING:
    from .base import Layer

__all__ = ["Curve", "measure"]

Array = NDArray[np.float64]
#: The limit of He's law: it keeps a signal in size where half of it passes unchanged and the other half is cut off.
_HE = 2.0
#: A slope below this share of the largest one counts as 0 far away from 0.
_FLAT = 1e-4


@dataclass(frozen=True)
class Curve:
    """What a function a = σ(z) does to numbers, so that rules and laws need not know it by name.

    Parameters
        low, high : the range of a; −∞ and ∞ where it has no bound
        steepest : the largest |σ'(z)|
        gain : 1 / E[σ(z)²] for z ~ N(0, 1): the factor that keeps the second moment of a signal from layer to layer
        saturates : whether σ is steep around 0 and σ'(z) goes to 0 on both sides, so that a unit far from 0 passes hardly
            any gradient (as tanh does; a rectifier with a ceiling is flat from 0 on, and its units die)
        live : (from, to) of z where |σ'(z)| is at least a tenth of the largest

    Example
        >>> from chainrule.layers import Tanh
        >>> curve = Tanh().curve()
        >>> curve.low, curve.high, curve.steepest, curve.saturates
        (-1.0, 1.0, 1.0, True)
    """

    low: float = -math.inf
    high: float = math.inf
    steepest: float = 1.0
    gain: float = 1.0
    saturates: bool = False
    live: tuple[float, float] = (-math.inf, math.inf)

    @property
    def start_variance(self) -> float | None:
        """``fan_in Var(w)`` of the fitting start law for the weights in front of it.

        It is the gain, and at most 2, which is He's law: more would let a signal that is large already grow without end.
        None for a function that saturates: it is used where it is nearly linear, and the law of a linear layer fits.
        """
        return None if self.saturates else min(_HE, self.gain)


#: Curves that were measured, by the class and the hyperparameters of the layer.
_measured: dict[Hashable, Curve] = {}


def measure(layer: Layer) -> Curve:
    """The curve of a layer that works on each number by itself, from its own forward and backward equations.

    They are evaluated in float64 at points near 0 and far from it. A learned parameter counts with the number that it starts
    from (1 where it starts from no number), and a layer that differs between training and prediction as in prediction. A
    layer whose equations cannot be evaluated like this has the curve of a linear one.
    """
    key = identity(layer)
    if key not in _measured:
        if len(_measured) >= 256:
            _measured.clear()
        try:
            _measured[key] = _measure(layer)
        except Exception:  # a user's own equations may fail in any way, and then say nothing about themselves
            _measured[key] = Curve()
    return _measured[key]


def _measure(layer: Layer) -> Curve:
    near = np.arange(-2400, 2401) / 200  # up to ±12, 0 among them
    far = np.concatenate([np.geomspace(20, 1e6, 24), [1e15, 1e30]])
    z = np.concatenate([near, far, -far])
    a, slope = _evaluate(layer, z)
    n, m = len(near), len(far)
    sides = slice(n, n + m), slice(n + m, None)
    known = np.isfinite(a) & np.isfinite(slope)
    weight = np.exp(-0.5 * near**2)[known[:n]]
    moment = float((weight * a[:n][known[:n]] ** 2).sum() / weight.sum())
    size = np.where(known, np.abs(slope), np.where(np.isinf(slope), np.inf, np.nan))
    steepest = float(size[:n][known[:n]].max())
    # A side on which the function is not defined is not one on which it is flat.
    tails = [float(far_off.max()) if (far_off := _defined(size[side][far >= 1e5])).size else math.inf for side in sides]
    alive = near[known[:n]][size[:n][known[:n]] >= 0.1 * steepest]
    live = [float(alive[0]), float(alive[-1])]
    pole = bool(np.isinf(a[:n]).any())
    for i, (end, tail) in enumerate(zip((1, 0), tails, strict=True)):
        if tail >= 0.1 * steepest:
            live[end] = math.inf if i == 0 else -math.inf
    return Curve(
        -math.inf if pole else 0.0 - _most(-a, sides),
        math.inf if pole else _most(a, sides),
        _most(size, sides),
        float(f"{1 / moment:.12g}") if moment > 0 else 1.0,
        live[0] < 0 < live[1] and steepest > 0 and all(tail <= _FLAT * steepest for tail in tails),
        (live[0], live[1]),
    )


def _defined(values: Array) -> Array:
    """Those that are numbers."""
    return values[~np.isnan(values)]


def _most(values: Array, sides: tuple[slice, slice]) -> float:
    """The supremum of what was sampled: ∞ where the values still rise at the last point of a side."""
    if bool(np.isposinf(values).any()):
        return math.inf
    most = float(values[np.isfinite(values)].max())
    for side in sides:
        tail = _defined(values[side])
        if len(tail) > 1 and tail[-1] >= most and tail[-1] > tail[-2] + 1e-6 * max(1.0, abs(tail[-2])):
            return math.inf
    return most + 0.0  # no −0


def _evaluate(layer: Layer, z: Array) -> tuple[Array, Array]:
    """(σ(z), σ'(z)) in float64, by the kernels that define the operations."""
    from ..engine.reference.engine import compute

    shape = (len(z), 1)
    x, dy = Value(shape, role="input", name="z"), Value(shape, role="input", name="da")
    arrays: dict[int, NDArray[Any]] = {id(x): z.reshape(shape), id(dy): np.ones(shape)}
    kept = {name: _start(p.shape, p.init) for name, p in layer.parameters(shape).items()}
    kept |= {name: np.broadcast_to(np.asarray(s.value, np.float64), s.shape) for name, s in layer.states(shape).items()}
    values = {name: Value(array.shape, role="parameter", name=name) for name, array in kept.items()}
    arrays |= {id(values[name]): array for name, array in kept.items()}
    k = Builder(training=False, parameter=lambda _, name: values[name], state=lambda _, name: values[name])
    with k.at("forward", "curve"):
        y, saved = layer.forward(k, x)
    with k.at("backward", "curve"):
        dx = layer.backward(k, saved, dy)
    for node in k.nodes:
        given = [np.asarray(v.constant) if v.role == "constant" else arrays[id(v)] for v in node.inputs]
        for value, array in zip(node.outputs, compute(node, given, dtype=np.float64, step=0, seed=0), strict=True):
            arrays[id(value)] = array
    assert isinstance(dx, Value)
    return arrays[id(y)].reshape(-1), arrays[id(dx)].reshape(-1)


def _start(shape: tuple[int, ...], init: Any) -> Array:
    number = float(init) if isinstance(init, Real) else 0.0 if init == "zeros" else 1.0
    return np.full(shape, number)
