"""Activations, sums and products element by element, and what is computed along one axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import (
    ELU,
    GELU,
    SELU,
    Absolute,
    Add,
    Average,
    Clip,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Divide,
    ErrorFunction,
    Exponential,
    HardSigmoid,
    HardSwish,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Logarithm,
    LogSoftmax,
    Maximum,
    Minimum,
    Mish,
    Multiply,
    Power,
    PReLU,
    Reciprocal,
    ReduceMax,
    ReduceMean,
    ReduceSum,
    ReLU,
    ReLU6,
    Rescale,
    Scale,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Square,
    SquareRoot,
    Subtract,
    Tanh,
)
from ..foreign import Array, ForeignNode, Size
from ..translate import Traced, Translator, operator

#: Layers that take a bias which a file may hold as an addition after them.
_WITH_BIAS = (Dense, Conv1D, Conv2D, Conv3D)
_PLAIN: dict[str, Callable[[], Layer]] = {
    "Relu": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh, "Exp": Exponential, "Log": Logarithm,
    "Sqrt": SquareRoot, "Abs": Absolute,
    "Reciprocal": Reciprocal, "Neg": lambda: Rescale(-1.0), "Softplus": Softplus,
    "Softsign": Softsign, "HardSwish": HardSwish,
    "Mish": Mish, "Erf": ErrorFunction,
}  # fmt: skip


@operator(*_PLAIN)
def plain(t: Translator, node: ForeignNode) -> None:
    t.put(t.elementwise(_PLAIN[node.op](), t.get(0)))


@operator("Identity", "Dropout", "Cast")
def passed_on(t: Translator, node: ForeignNode) -> None:
    x = t.get(0)
    if node.op == "Cast" and node.attributes.get("to") not in (None, 1, 10, 11, 16):
        raise ModelFileError("numbers that are computed from data are cast to integers, which has no gradient.")
    t.put(x)


@operator("Elu", "LeakyRelu", "Selu", "Gelu", "HardSigmoid", "ThresholdedRelu", "Celu")
def with_numbers(t: Translator, node: ForeignNode) -> None:
    a, x = node.attributes, t.get(0)
    if node.op == "Elu":
        t.put(t.elementwise(ELU(float(a.get("alpha", 1.0))), x))
    elif node.op == "LeakyRelu":
        slope = float(a.get("alpha", 0.01))
        t.put(t.elementwise(LeakyReLU(slope) if slope >= 0 else PReLU(shared=True, init=slope), x))
    elif node.op == "Selu":
        if abs(float(a.get("alpha", 1.67326)) - 1.67326) > 1e-3 or abs(float(a.get("gamma", 1.0507)) - 1.0507) > 1e-3:
            raise ModelFileError(f"Selu has other numbers than alpha = 1.67326 and gamma = 1.0507: {a}.")
        t.put(t.elementwise(SELU(), x))
    elif node.op == "Gelu":
        if a.get("approximate", "none") == "none":
            t.put(t.elementwise(GELU(), x))
            return
        # z/2 (1 + tanh(√(2/π) (z + 0.044715 z³)))
        cube = t.apply(Multiply(), x, t.elementwise(Square(), x), shape=x.shape, order=x.order)
        inner = t.apply(Add(), x, t.elementwise(Rescale(0.044715), cube), shape=x.shape, order=x.order)
        gate = t.elementwise(Tanh(), t.elementwise(Rescale(float(np.sqrt(2 / np.pi))), inner))
        t.put(t.apply(Multiply(), x, t.elementwise(Rescale(0.5, 0.5), gate), shape=x.shape, order=x.order))
    elif node.op == "HardSigmoid":
        alpha, beta = float(a.get("alpha", 0.2)), float(a.get("beta", 0.5))
        if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
            t.put(t.elementwise(HardSigmoid(), x))
        else:
            t.put(t.elementwise(Clip(0.0, 1.0), t.elementwise(Rescale(alpha, beta), x)))
    else:
        raise ModelFileError(f"{node.op} has no counterpart in chainrule.")


@operator("Clip")
def clip(t: Translator, node: ForeignNode) -> None:
    bounds = []
    for place, name in ((1, "min"), (2, "max")):
        found = node.attributes.get(name) if node.version < 11 else t.array(place)
        value = None if found is None else float(np.asarray(found).reshape(()))
        bounds.append(None if value is None or abs(value) > 1e38 else value)
    low, high = bounds
    x = t.get(0)
    if low is None and high is None:
        t.put(x)
    elif (low, high) == (0.0, 6.0):
        t.put(t.elementwise(ReLU6(), x))
    elif (low, high) == (0.0, None):
        t.put(t.elementwise(ReLU(), x))
    else:
        t.put(t.elementwise(Clip(low, high), x))


@operator("PRelu")
def prelu(t: Translator, node: ForeignNode) -> None:
    x, slope = t.settled(t.get(0)), t.numbers(1)
    assert slope is not None
    if slope.size == 1:
        t.put(t.apply(PReLU(shared=True), x, shape=x.shape, order=x.order, weights={"slope": slope.reshape(1)}))
        return
    long = [i for i, s in enumerate(slope.shape) if s > 1]
    axis = long[0] - slope.ndim + x.rank
    if slope.size == x.shape[1] and (slope.ndim > x.rank or (slope.ndim == 1 and x.rank > 2)):
        axis = 1  # some files leave the axes of the places out, or have them where there are no places
    if len(long) != 1 or x.shape[axis] != slope.size:
        raise ModelFileError(f"its slopes have the shape {slope.shape}, where one for each channel was expected.")
    x = t.ordered(x, (*(i for i in x.order if i != axis), axis))
    t.put(t.apply(PReLU(), x, shape=x.shape, order=x.order, weights={"slope": slope.reshape(-1)}, called=node.name))


# ---------------------------------------------------------------- two inputs and more


@operator("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean")
def joined(t: Translator, node: ForeignNode) -> None:
    xs = [t.get(i) for i in range(len(node.inputs))]
    if len(xs) == 1:
        t.put(xs[0])
    elif len(xs) == 2 and any(x.constant for x in xs):
        _with_constant(t, node, xs)
    elif any(x.constant for x in xs):
        raise ModelFileError("it joins constants with more than one tensor.")
    else:
        _tensors(t, node, xs)


def _tensors(t: Translator, node: ForeignNode, xs: list[Traced]) -> None:
    if node.op == "Mul" and len(xs) == 2 and (made := _gated(xs)) is not None:
        t.put(t.elementwise(*made))
        return
    layers: dict[str, Callable[[], Layer]] = {
        "Add": Add, "Sum": Add, "Mul": Multiply, "Sub": Subtract, "Div": Divide, "Max": Maximum,
        "Min": Minimum, "Mean": Average,
    }  # fmt: skip
    if node.op not in layers:
        raise ModelFileError(f"{node.op} of two tensors has no counterpart in chainrule.")
    rank = max(x.rank for x in xs)
    if any(x.rank != rank for x in xs):
        raise ModelFileError(f"it joins tensors of different numbers of axes: {', '.join(str(x.shape) for x in xs)}.")
    leader = max(xs, key=lambda x: sum(s != 1 for s in x.shape))
    order = t.settled(leader).order
    same = [t.ordered(x, order) for x in xs]
    shape = tuple(_broadcast([x.shape[i] for x in same]) for i in range(rank))
    t.put(t.apply(layers[node.op](), *same, shape=shape, order=order))


def _broadcast(sizes: list[Any]) -> Any:
    long = [s for s in sizes if s != 1]
    if not long:
        return 1
    known = [s for s in long if not isinstance(s, Size)]
    if len(set(known)) > 1:
        raise ModelFileError(f"sizes {sizes} do not fit each other.")
    return known[0] if known else long[0]


def _gated(xs: list[Traced]) -> tuple[Layer, Traced] | None:
    """SiLU and HardSwish, which files hold as the product of a tensor and its sigmoid."""
    gates = {Sigmoid: SiLU, HardSigmoid: HardSwish}
    for x, gate in (xs, xs[::-1]):
        made = gates.get(type(gate.made_by))  # type: ignore[arg-type]
        if made is not None and gate.tensor is not None and gate.tensor.inputs[0] is x.tensor:
            return made(), x
    return None


def _with_constant(t: Translator, node: ForeignNode, xs: list[Traced]) -> None:
    first = 1 if xs[0].constant else 0  # the tensor
    x, given = xs[first], xs[1 - first].array
    assert given is not None
    if given.dtype == object:
        raise ModelFileError("it computes with a size that is not known before data comes.")
    value = np.asarray(given, np.float32)
    if node.op == "Pow":
        _power(t, x, value, base=first == 1)
        return
    if node.op in ("Max", "Min", "Mean"):
        if value.size != 1:
            raise ModelFileError(f"{node.op} with an array of constants has no counterpart in chainrule.")
        number = float(value.reshape(()))
        layer = {"Max": Clip(number), "Min": Clip(None, number), "Mean": Rescale(0.5, 0.5 * number)}[node.op]
        t.put(t.elementwise(layer, x))
        return
    reverse = first == 1
    if node.op == "Div" and reverse:
        x, node_op = t.elementwise(Reciprocal(), x), "Mul"
    elif node.op == "Div":
        value, node_op = (1 / value).astype(np.float32), "Mul"
    elif node.op == "Sub" and reverse:
        x, node_op = t.elementwise(Rescale(-1.0), x), "Add"
    elif node.op == "Sub":
        value, node_op = -value, "Add"
    else:
        node_op = {"Sum": "Add"}.get(node.op, node.op)
    if value.size == 1:
        number = float(value.reshape(()))
        if (node_op, number) in (("Add", 0.0), ("Mul", 1.0)):
            made = x
        else:
            made = t.elementwise(Rescale(number) if node_op == "Mul" else Rescale(1.0, number), x)
        t.put(t.reshape(made, _lifted(made.shape, value.ndim)) if value.ndim > x.rank else made)
        return
    t.put(_scaled(t, node, x, value, factor=node_op == "Mul", place=first))


def _lifted(shape: tuple[Any, ...], rank: int) -> tuple[Any, ...]:
    return (shape[0], *[1] * (rank - len(shape)), *shape[1:])


def _scaled(t: Translator, node: ForeignNode, x: Traced, value: Array, *, factor: bool, place: int) -> Traced:
    """A learned factor or offset of the constant's shape."""
    value = value.reshape((1,) * (x.rank - value.ndim) + value.shape)
    if value.ndim != x.rank or value.shape[0] != 1:
        raise ModelFileError(f"a constant of shape {value.shape} gives each sample of {x.shape} another number.")
    x = t.settled(x)
    if any(v != 1 and v != s for v, s in zip(value.shape, x.shape, strict=True)):
        raise ModelFileError(f"a constant of shape {value.shape} would enlarge a tensor of shape {x.shape}.")
    long = [i for i, s in enumerate(value.shape) if s > 1]
    channel = long == [x.order[-1]]
    if channel and not factor and t.only_use(place) and isinstance(x.made_by, _WITH_BIAS) and not x.made_by.bias:
        # A bias that the file adds by itself.
        x.made_by.bias = True
        t.weights[id(x.made_by)].arrays["bias"] = value.reshape(-1)
        return x
    arranged = value.transpose(x.order)[0]
    while arranged.ndim > 1 and arranged.shape[0] == 1:
        arranged = arranged[0]
    shape = None if channel and arranged.ndim == 1 else arranged.shape
    layer = Scale(shape, weight=factor, bias=not factor)
    weights = {"weight" if factor else "bias": arranged}
    return t.apply(layer, x, shape=x.shape, order=x.order, weights=weights, called=node.name)


def _power(t: Translator, x: Traced, value: Array, *, base: bool) -> None:
    if value.size != 1:
        raise ModelFileError("powers with an array of exponents have no counterpart in chainrule.")
    number = float(value.reshape(()))
    if base:
        if number <= 0:
            raise ModelFileError(f"powers of the number {number:g} are not defined for all exponents.")
        t.put(t.elementwise(Exponential(), t.elementwise(Rescale(float(np.log(number))), x)))
        return
    known: dict[float, Callable[[], Layer]] = {
        1.0: Identity, 2.0: Square, 0.5: SquareRoot, -1.0: Reciprocal,
    }  # fmt: skip
    if number == 3.0:
        square = t.elementwise(Square(), x)
        t.put(replace(t.apply(Multiply(), x, square, shape=x.shape, order=x.order), whole=x.whole))
        return
    t.put(t.elementwise(known[number]() if number in known else Power(number), x))


# ---------------------------------------------------------------- along one axis


@operator("Softmax", "LogSoftmax")
def softmax(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    axis = int(node.attributes.get("axis", -1 if node.version >= 13 else 1)) % x.rank
    if node.version < 13 and any(s != 1 for s in x.shape[axis + 1 :]):
        # Older versions take all axes from this one on together.
        kept = x.shape
        x = t.reshape(t.ordered(x, tuple(range(x.rank))), (*x.shape[:axis], int(np.prod(x.shape[axis:]))))
        layer = Softmax() if node.op == "Softmax" else LogSoftmax()
        t.put(t.reshape(t.apply(layer, x, shape=x.shape, order=x.order), kept))
        return
    if x.order[-1] != axis:
        x = t.ordered(x, (*(i for i in x.order if i != axis), axis))
    t.put(t.apply(Softmax() if node.op == "Softmax" else LogSoftmax(), x, shape=x.shape, order=x.order))


@operator("ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2", "ReduceMin")
def reduced(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    given = t.array(1) if node.given(1) else node.attributes.get("axes")
    axes = [int(a) % x.rank for a in (range(1, x.rank) if given is None else np.atleast_1d(given))]
    keep = bool(node.attributes.get("keepdims", 1))
    if x.order[0] in axes:
        raise ModelFileError("it reduces over the samples.")
    kinds: dict[str, Any] = {
        "ReduceMean": ReduceMean, "ReduceMax": ReduceMax, "ReduceSum": ReduceSum,
        "ReduceL2": ReduceSum, "ReduceMin": ReduceMax,
    }  # fmt: skip
    if node.op == "ReduceL2":
        x = t.elementwise(Square(), x)
    elif node.op == "ReduceMin":
        x = t.elementwise(Rescale(-1.0), x)
    ours = tuple(sorted(t.axis(x, a) for a in axes))
    kept = [i for i in x.order if keep or i not in axes]
    if keep:
        shape, order = tuple(1 if i in axes else s for i, s in enumerate(x.shape)), x.order
    else:
        left = [i for i in range(x.rank) if i not in axes]
        shape, order = tuple(x.shape[i] for i in left), tuple(left.index(i) for i in kept)
    found = t.apply(kinds[node.op](ours[0] if len(ours) == 1 else ours, keepdims=keep), x, shape=shape, order=order)
    if node.op == "ReduceL2":
        found = t.elementwise(SquareRoot(), found)
    elif node.op == "ReduceMin":
        found = t.elementwise(Rescale(-1.0), found)
    t.put(found)


@operator("LayerNormalization")
def layer_normalization(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    axes = x.rank - int(node.attributes.get("axis", -1)) % x.rank
    x = t.ordered(x, tuple(range(x.rank)))
    shape = x.shape[-axes:]
    gamma, beta = t.numbers(1), t.numbers(2)
    assert gamma is not None
    weights = {"gamma": np.broadcast_to(gamma, shape), "beta": np.broadcast_to(0.0 if beta is None else beta, shape)}
    layer = LayerNorm(axes, epsilon=float(node.attributes.get("epsilon", 1e-5)))
    t.put(t.apply(layer, x, shape=x.shape, order=x.order, weights=weights, called=node.name))
