"""Activations, sums and products element by element, and what is computed along one axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import (
    ELU,
    GELU,
    SELU,
    Absolute,
    Add,
    ArgMax,
    Average,
    Clip,
    Compare,
    Concat,
    Conv1D,
    Conv2D,
    Conv3D,
    Cosine,
    CumulativeSum,
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
    Permute,
    Power,
    PReLU,
    Reciprocal,
    ReduceMax,
    ReduceMean,
    ReduceSum,
    ReLU,
    ReLU6,
    Rescale,
    Reshape,
    RMSNorm,
    Round,
    Scale,
    Sigmoid,
    Sign,
    SiLU,
    Sine,
    Slice,
    Softmax,
    Softplus,
    Softsign,
    Square,
    SquareRoot,
    Subtract,
    Tanh,
    Where,
)
from ..foreign import Array, ForeignNode, Size
from ..translate import Traced, Translator, operator, plain_sizes
from .moving import MOST_PLACES, cut_axis

#: Layers that take a bias which a file may hold as an addition after them.
_WITH_BIAS = (Dense, Conv1D, Conv2D, Conv3D)
#: In place of ∞ in masks.
_LARGEST = 3.0e38
_PLAIN: dict[str, Callable[[], Layer]] = {
    "Relu": ReLU, "Sigmoid": Sigmoid, "Tanh": Tanh, "Exp": Exponential, "Log": Logarithm,
    "Sqrt": SquareRoot, "Abs": Absolute,
    "Reciprocal": Reciprocal, "Neg": lambda: Rescale(-1.0), "Softplus": Softplus,
    "Softsign": Softsign, "HardSwish": HardSwish,
    "Mish": Mish, "Erf": ErrorFunction, "Sin": Sine, "Cos": Cosine,
    "Floor": lambda: Round("down"), "Ceil": lambda: Round("up"), "Round": Round,
}  # fmt: skip


@operator(*_PLAIN)
def plain(t: Translator, node: ForeignNode) -> None:
    t.put(t.elementwise(_PLAIN[node.op](), t.get(0)))


@operator("Sign")
def sign(t: Translator, node: ForeignNode) -> None:
    x = t.get(0)
    before = x.tensor.inputs if x.tensor is not None else ()
    shifted, source = x.made_by, t.signed.get(id(before[0])) if before else None
    if isinstance(shifted, Rescale) and shifted.scale == 1 and 0 < shifted.offset < 1 and source is not None:
        t.put(t.elementwise(Sign(), source))  # sign(sign x + 1/2) is 1 where x ≥ 0
        return
    # Here the sign of 0 is 1, and there it is 0.
    both = t.apply(Subtract(), t.elementwise(Sign(), x), t.elementwise(Sign(), t.elementwise(Rescale(-1.0), x)),
                   shape=x.shape, order=x.order)  # fmt: skip
    made = replace(t.elementwise(Rescale(0.5), both), whole=x.whole)
    t.signed[id(made.tensor)] = x
    t.put(made)


@operator("Identity", "Dropout", "Cast")
def passed_on(t: Translator, node: ForeignNode) -> None:
    x = t.get(0)
    if node.op == "Cast" and node.attributes.get("to") == 9 and not _is_condition(x):
        x = t.elementwise(Rescale(-1.0, 1.0), t.elementwise(Compare("equal", 0.0), x))
    elif (
        node.op == "Cast"
        and node.attributes.get("to") not in (None, 1, 10, 11, 16)
        and not (_is_condition(x) or _is_whole(x) or (x.tensor is not None and x.tensor.caller is None))
    ):
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
    elif node.op == "ThresholdedRelu":
        gate = t.elementwise(Compare("greater", float(a.get("alpha", 1.0))), x)
        t.put(t.apply(Multiply(), x, gate, shape=x.shape, order=x.order))
    else:  # Celu: α ELU(z / α)
        alpha = float(a.get("alpha", 1.0))
        t.put(t.elementwise(Rescale(alpha), t.elementwise(ELU(1.0), t.elementwise(Rescale(1 / alpha), x))))


@operator("Sinh", "Cosh")
def hyperbolic(t: Translator, node: ForeignNode) -> None:
    x = t.get(0)
    up, down = t.elementwise(Exponential(), x), t.elementwise(Exponential(), t.elementwise(Rescale(-1.0), x))
    layer = Subtract() if node.op == "Sinh" else Add()
    t.put(replace(t.elementwise(Rescale(0.5), t.apply(layer, up, down, shape=x.shape, order=x.order)), whole=x.whole))


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


# ---------------------------------------------------------------- conditions

_COMPARED = {
    "Greater": "greater", "GreaterOrEqual": "greater_equal", "Less": "less", "LessOrEqual": "less_equal", "Equal": "equal",
}  # fmt: skip
_TURNED = {
    "greater": "less",
    "greater_equal": "less_equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "equal": "equal",
}


def _is_condition(x: Traced) -> bool:
    """Whether a tensor holds 0 and 1 only."""
    tensor = x.tensor
    while tensor is not None and isinstance(tensor.caller, (Reshape, Permute, Concat, Slice)) and tensor.inputs:
        tensor = tensor.inputs[0]
    if tensor is None:
        return False
    caller = tensor.caller
    if isinstance(caller, (Multiply, Maximum)):
        return all(_is_condition(Traced(x.shape, tensor=one)) for one in tensor.inputs)
    if isinstance(caller, Rescale):
        return (caller.scale, caller.offset) == (-1, 1) and _is_condition(Traced(x.shape, tensor=tensor.inputs[0]))
    return isinstance(caller, Compare)


def _is_whole(x: Traced) -> bool:
    """Whether a tensor holds whole numbers that no gradient passes."""
    return x.tensor is not None and isinstance(x.tensor.caller, (ArgMax, Round))


@operator(*_COMPARED)
def compared(t: Translator, node: ForeignNode) -> None:
    xs, op = [t.get(0), t.get(1)], _COMPARED[node.op]
    if not any(x.constant for x in xs):
        _tensors(t, node, xs)
        return
    if xs[0].constant:
        xs, op = xs[::-1], _TURNED[op]
    x, value = xs[0], np.asarray(xs[1].array, np.float32)
    if value.size == 1:
        t.put(t.elementwise(Compare(op, float(value.reshape(()))), x))
    else:
        t.put(t.elementwise(Compare(op, 0.0), _scaled(t, node, x, -value, factor=False, place=0, fixed=True)))


@operator("Not")
def negated(t: Translator, node: ForeignNode) -> None:
    t.put(t.elementwise(Rescale(-1.0, 1.0), t.get(0)))


@operator("And", "Or")
def both(t: Translator, node: ForeignNode) -> None:
    xs = [t.get(0), t.get(1)]
    fixed = next((x for x in xs if x.constant), None)
    if fixed is None:
        _tensors(t, node, xs)
        return
    x, value = next(one for one in xs if not one.constant), np.asarray(fixed.array, np.float32)
    if node.op == "Or":  # a or b = 1 − (1 − a) (1 − b)
        x, value = t.elementwise(Rescale(-1.0, 1.0), x), 1 - value
    made = t.elementwise(Rescale(float(value.reshape(()))), x) if value.size == 1 else _scaled(
        t, node, x, value, factor=True, place=0, fixed=True)  # fmt: skip
    t.put(t.elementwise(Rescale(-1.0, 1.0), made) if node.op == "Or" else made)


@operator("Where")
def where(t: Translator, node: ForeignNode) -> None:
    condition, a, b = (t.get(i) for i in range(3))
    if condition.constant:
        mask = np.asarray(condition.array, np.float32)
        parts = [_kept(t, node, x, m) for x, m in ((a, mask), (b, 1 - mask))]
        tensors, arrays = [p for p in parts if isinstance(p, Traced)], [p for p in parts if not isinstance(p, Traced)]
        if len(tensors) == 2:
            _tensors(t, ForeignNode("Add", node.name, node.inputs, node.outputs), tensors)
        else:
            t.put(_offset(t, node, tensors[0], arrays[0]))
        return
    zero = t.elementwise(Rescale(0.0), condition)
    xs = []
    for x in (a, b):
        if not x.constant:
            xs.append(x)
            continue
        value = _finite(np.asarray(x.array, np.float32))
        if value.size == 1:
            xs.append(t.elementwise(Rescale(0.0, float(value.reshape(()))), condition))
        else:
            xs.append(_offset(t, node, zero, value))
    rank = max(x.rank for x in (condition, *xs))
    given = [x if x.rank == rank else t.reshape(x, _lifted(x.shape, rank)) for x in (condition, *xs)]
    leader = max(given, key=lambda x: sum(s != 1 for s in x.shape))
    order = t.settled(leader).order
    same = [t.ordered(x, order) for x in given]
    shape = tuple(_broadcast([x.shape[i] for x in same]) for i in range(rank))
    t.put(t.apply(Where(), *same, shape=shape, order=order))


def _finite(value: Array) -> Array:
    """Masks hold −∞, of which 0 · ∞ would be NaN."""
    return np.nan_to_num(value, nan=np.nan, posinf=_LARGEST, neginf=-_LARGEST)


def _is_mask(value: Array) -> bool:
    """Whether an offset takes elements out, by numbers that are far below all others, or not at all."""
    return value.size > 1 and bool(((value == 0) | (value <= -1e4)).all()) and bool((value <= -1e4).any())


def _kept(t: Translator, node: ForeignNode, x: Traced, mask: Array) -> Traced | Array:
    """x where a mask of constants is 1, else 0."""
    if x.array is not None:
        return np.where(mask != 0, _finite(np.asarray(x.array, np.float32)), np.float32(0))
    return t.elementwise(Rescale(float(mask.reshape(()))), x) if mask.size == 1 else _scaled(
        t, node, x, mask, factor=True, place=0, fixed=True)  # fmt: skip


def _offset(t: Translator, node: ForeignNode, x: Traced, value: Array) -> Traced:
    if value.size == 1:
        return t.elementwise(Rescale(1.0, float(value.reshape(()))), x)
    return _scaled(t, node, x, value, factor=False, place=0, fixed=True)


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
        "Min": Minimum, "Mean": Average, "And": Multiply, "Or": Maximum,
        **{name: partial(Compare, op) for name, op in _COMPARED.items()},
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
    value = _finite(np.asarray(given, np.float32))
    if node.op == "Pow":
        _power(t, x, value, base=first == 1)
        return
    if node.op in ("Max", "Min", "Mean"):
        if value.size != 1:
            _with_array(t, node, x, value)
            return
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


def _with_array(t: Translator, node: ForeignNode, x: Traced, value: Array) -> None:
    """The larger, the smaller or the mean of x and an array: max(x, c) = c + relu(x − c), min(x, c) = −max(−x, −c)."""
    if node.op == "Mean":
        t.put(_scaled(t, node, t.elementwise(Rescale(0.5), x), 0.5 * value, factor=False, place=0))
        return
    sign = 1.0 if node.op == "Max" else -1.0
    turned = x if sign > 0 else t.elementwise(Rescale(-1.0), x)
    off = _scaled(t, node, turned, -sign * value, factor=False, place=0, fixed=True)
    made = _scaled(t, node, t.elementwise(ReLU(), off), sign * value, factor=False, place=0, fixed=True)
    t.put(made if sign > 0 else t.elementwise(Rescale(-1.0), made))


def _lifted(shape: tuple[Any, ...], rank: int) -> tuple[Any, ...]:
    return (shape[0], *[1] * (rank - len(shape)), *shape[1:])


def _scaled(
    t: Translator, node: ForeignNode, x: Traced, value: Array, *, factor: bool, place: int, fixed: bool = False
) -> Traced:
    """A factor or offset of the constant's shape, learned unless it is a mask."""
    fixed = fixed or (not factor and _is_mask(value))
    value = value.reshape((1,) * (x.rank - value.ndim) + value.shape)
    if value.ndim != x.rank or value.shape[0] != 1:
        raise ModelFileError(f"a constant of shape {value.shape} gives each sample of {x.shape} another number.")
    x = t.settled(x)
    if any(v != 1 and v != s for v, s in zip(value.shape, x.shape, strict=True)):
        raise ModelFileError(f"a constant of shape {value.shape} would enlarge a tensor of shape {x.shape}.")
    long = [i for i, s in enumerate(value.shape) if s > 1]
    channel = long == [x.order[-1]]
    if (
        channel
        and not factor
        and not fixed
        and t.only_use(place)
        and isinstance(x.made_by, _WITH_BIAS)
        and not x.made_by.bias
    ):
        # A bias that the file adds by itself.
        x.made_by.bias = True
        t.weights[id(x.made_by)].arrays["bias"] = value.reshape(-1)
        return x
    arranged = value.transpose(x.order)[0]
    while arranged.ndim > 1 and arranged.shape[0] == 1:
        arranged = arranged[0]
    shape = None if channel and arranged.ndim == 1 else arranged.shape
    layer = Scale(shape, weight=factor, bias=not factor, fixed=fixed)
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


@operator(
    "ReduceMean", "ReduceMax", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceMin", "ReduceSumSquare", "ReduceLogSum",
    "ReduceLogSumExp",
)  # fmt: skip
def reduced(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    given = t.array(1) if node.given(1) else node.attributes.get("axes")
    axes = [int(a) % x.rank for a in (range(1, x.rank) if given is None else np.atleast_1d(given))]
    keep = bool(node.attributes.get("keepdims", 1))
    if x.order[0] in axes:
        raise ModelFileError("it reduces over the samples.")
    kinds: dict[str, Any] = {
        "ReduceMean": ReduceMean, "ReduceMax": ReduceMax, "ReduceSum": ReduceSum,
        "ReduceMin": ReduceMax,
    }  # fmt: skip
    kind = kinds.get(node.op, ReduceSum)
    ours = tuple(sorted(t.axis(x, a) for a in axes))
    largest = None
    if node.op in ("ReduceL2", "ReduceSumSquare"):
        x = t.elementwise(Square(), x)
    elif node.op == "ReduceL1":
        x = t.elementwise(Absolute(), x)
    elif node.op == "ReduceLogSumExp":  # less the largest, so that no exponential is too large
        single = tuple(1 if i in axes else s for i, s in enumerate(x.shape))
        largest = t.apply(ReduceMax(_one_or_all(ours), keepdims=True), x, shape=single, order=x.order)
        x = t.elementwise(Exponential(), t.apply(Subtract(), x, largest, shape=x.shape, order=x.order))
    elif node.op == "ReduceMin":
        x = t.elementwise(Rescale(-1.0), x)
    kept = [i for i in x.order if keep or i not in axes]
    if keep:
        shape, order = tuple(1 if i in axes else s for i, s in enumerate(x.shape)), x.order
    else:
        left = [i for i in range(x.rank) if i not in axes]
        shape, order = tuple(x.shape[i] for i in left), tuple(left.index(i) for i in kept)
    found = t.apply(kind(_one_or_all(ours), keepdims=keep), x, shape=shape, order=order)
    if node.op == "ReduceL2":
        found = t.elementwise(SquareRoot(), found)
    elif node.op == "ReduceLogSum":
        found = t.elementwise(Logarithm(), found)
    elif largest is not None:
        sizes = [shape[i] for i in order[1:]]
        largest = t.apply(Reshape(plain_sizes(sizes)), largest, shape=shape, order=order)
        found = t.apply(Add(), t.elementwise(Logarithm(), found), largest, shape=shape, order=order)
    elif node.op == "ReduceMin":
        found = t.elementwise(Rescale(-1.0), found)
    t.put(found)


def _one_or_all(axes: tuple[int, ...]) -> Any:
    return axes[0] if len(axes) == 1 else axes


@operator("ReduceProd")
def product(t: Translator, node: ForeignNode) -> None:
    """The product of all elements of some axes: of slices, so that its gradient is right where elements are 0."""
    x = t.settled(t.get(0))
    given = t.array(1) if node.given(1) else node.attributes.get("axes")
    axes = [int(i) % x.rank for i in (range(1, x.rank) if given is None else np.atleast_1d(given))]
    if x.order[0] in axes:
        raise ModelFileError("it reduces over the samples.")
    for axis in axes:
        size = x.shape[axis]
        if isinstance(size, Size) or not 1 <= size <= MOST_PLACES:
            raise ModelFileError(f"it multiplies {size} elements of an axis, which is supported from 1 to {MOST_PLACES}.")
        if size > 1:
            parts = [cut_axis(t, x, axis, i, i + 1) for i in range(size)]
            shape = tuple(1 if i == axis else s for i, s in enumerate(x.shape))
            x = t.apply(Multiply(), *parts, shape=shape, order=x.order)
    if not node.attributes.get("keepdims", 1):
        x = t.reshape(x, tuple(s for i, s in enumerate(x.shape) if i not in axes))
    t.put(x)


@operator("ArgMax", "ArgMin")
def place_of_the_largest(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    axis, keep = int(node.attributes.get("axis", 0)) % x.rank, bool(node.attributes.get("keepdims", 1))
    if axis == x.order[0]:
        raise ModelFileError("it looks for the largest of the samples.")
    if int(node.attributes.get("select_last_index", 0)):
        raise ModelFileError("select_last_index is not supported: of equal elements the first one is taken.")
    if node.op == "ArgMin":
        x = t.elementwise(Rescale(-1.0), x)
    left = [i for i in range(x.rank) if i != axis]
    if keep:
        shape, order = tuple(1 if i == axis else s for i, s in enumerate(x.shape)), x.order
    else:
        shape, order = tuple(x.shape[i] for i in left), tuple(left.index(i) for i in x.order if i != axis)
    t.put(t.apply(ArgMax(t.axis(x, axis), keepdims=keep), x, shape=shape, order=order))


@operator("CumSum")
def cumulative(t: Translator, node: ForeignNode) -> None:
    x, place = t.settled(t.get(0)), t.array(1)
    assert place is not None
    axis = int(place.reshape(())) % x.rank
    if axis == x.order[0]:
        raise ModelFileError("it adds up samples.")
    options = {name: bool(node.attributes.get(name, 0)) for name in ("exclusive", "reverse")}
    t.put(t.apply(CumulativeSum(t.axis(x, axis), **options), x, shape=x.shape, order=x.order))


@operator("LpNormalization")
def lp_normalization(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    axis, p = int(node.attributes.get("axis", -1)) % x.rank, int(node.attributes.get("p", 2))
    if p not in (1, 2) or axis == x.order[0]:
        raise ModelFileError(f"the norm p = {p} along axis {axis} is not supported.")
    parts = t.elementwise(Square() if p == 2 else Absolute(), x)
    shape = tuple(1 if i == axis else s for i, s in enumerate(x.shape))
    norm = t.apply(ReduceSum(t.axis(x, axis), keepdims=True), parts, shape=shape, order=x.order)
    t.put(t.apply(Divide(), x, t.elementwise(SquareRoot(), norm) if p == 2 else norm, shape=x.shape, order=x.order))


@operator("RMSNormalization")
def rms_normalization(t: Translator, node: ForeignNode) -> None:
    x, gamma = t.settled(t.get(0)), t.numbers(1)
    if int(node.attributes.get("axis", -1)) % x.rank != x.rank - 1 or gamma is None:
        raise ModelFileError("root mean squares are supported along the last axis only.")
    x = t.ordered(x, (*(i for i in x.order if i != x.rank - 1), x.rank - 1))
    weights = {"gamma": np.broadcast_to(gamma, (x.shape[-1],))}
    layer = RMSNorm(epsilon=float(node.attributes.get("epsilon", 1e-5)))
    t.put(t.apply(layer, x, shape=x.shape, order=x.order, weights=weights, called=node.name))


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
