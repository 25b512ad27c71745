"""Matrix products."""

from __future__ import annotations

from math import prod

import numpy as np

from ...errors import ModelFileError
from ...layers import Concat, Dense, MatMul, Rescale
from ..foreign import Array, ForeignNode, Size
from ..translate import Traced, Translator, operator


def _dense(t: Translator, node: ForeignNode, x: Traced, weight: Array, bias: Array | None) -> Traced:
    """x W + b along the file's last axis; the rows of W are those of a flattened image in our order."""
    if weight.ndim != 2 or x.shape[-1] != weight.shape[0]:
        raise ModelFileError(f"a weight of shape {weight.shape} does not fit a tensor of shape {x.shape}.")
    if x.whole is not None:
        sample = [int(s) for s in x.whole.shape[1:]]
        rows = weight.reshape(*sample, weight.shape[1])
        weight = rows.transpose(*(i - 1 for i in x.whole.order[1:]), len(sample)).reshape(weight.shape)
        x = Traced(x.shape, tensor=x.tensor, order=x.order)
    elif x.order[-1] != x.rank - 1:
        x = t.ordered(x, (*(i for i in x.order if i != x.rank - 1), x.rank - 1))
    weights = {"weight": weight} | ({} if bias is None else {"bias": bias})
    name = t.node.name or next((n.rpartition(".")[0] for n in node.inputs[1:2] if "." in n), "")
    layer = Dense(weight.shape[1], bias=bias is not None)
    return t.apply(layer, x, shape=(*x.shape[:-1], weight.shape[1]), order=x.order, weights=weights, called=name)


@operator("Gemm")
def gemm(t: Translator, node: ForeignNode) -> None:
    a = node.attributes
    x, weight, bias = t.get(0), t.numbers(1), t.numbers(2)
    assert weight is not None
    if a.get("transA") or x.constant or x.rank < 2:
        raise ModelFileError("its first matrix must be a tensor that is not transposed.")
    if a.get("transB"):
        weight = weight.T
    weight = weight * np.float32(a.get("alpha", 1.0))
    if bias is not None:
        bias = np.broadcast_to(np.squeeze(bias * np.float32(a.get("beta", 1.0))), (weight.shape[1],))
    t.put(_dense(t, node, x, weight, bias))


@operator("MatMul")
def matmul(t: Translator, node: ForeignNode) -> None:
    a, b = t.get(0), t.get(1)
    if b.constant and not a.constant:
        weight = t.numbers(1)
        assert weight is not None
        if weight.ndim == 2:
            t.put(_dense(t, node, a, weight, None))
            return
        if weight.ndim == 1 or weight.ndim > a.rank:
            raise ModelFileError(f"its constant has shape {weight.shape}, which does not fit a tensor of {a.shape}.")
        b = t.same_for_all(weight.reshape((1,) * (a.rank - weight.ndim) + weight.shape), a)
    elif a.constant and not b.constant:
        first = t.numbers(0)
        assert first is not None
        if first.ndim == 2 and b.rank > 2:
            # (A x)ᵀ = xᵀ Aᵀ
            made = _dense(t, node, _turned(t.settled(b)), np.ascontiguousarray(first.T), None)
            t.put(_turned(made))
            return
        a = t.same_for_all(first.reshape((1,) * (b.rank - first.ndim) + first.shape), b)
    if a.constant or a.rank != b.rank or a.rank < 3:
        raise ModelFileError(f"the product of {a.shape} and {b.shape} is not supported.")
    left, right = (t.ordered(x, tuple(range(x.rank))) for x in (a, b))
    t.put(_product(t, left, right))


def _turned(x: Traced) -> Traced:
    """The same tensor with the file's last two axes exchanged: ours stay."""
    last, other = x.rank - 1, x.rank - 2
    swap = {last: other, other: last}
    shape = (*x.shape[:-2], x.shape[-1], x.shape[-2])
    return Traced(shape, tensor=x.tensor, order=tuple(swap.get(i, i) for i in x.order), made_by=x.made_by)


def _product(t: Translator, first: Traced, second: Traced) -> Traced:
    """Products of matrices, whose axes lie as in the file; axes before them that one has once are repeated."""
    shape = [*first.shape[:-1], second.shape[-1]]
    for axis in range(1, first.rank - 2):
        one, other = first.shape[axis], second.shape[axis]
        if one != other and 1 in (one, other) and not isinstance(one, Size) and not isinstance(other, Size):
            count = max(one, other)
            if one == 1:
                first = _repeated(t, first, axis, count)
            else:
                second = _repeated(t, second, axis, count)
            shape[axis] = count
    return t.apply(MatMul(), first, second, shape=tuple(shape), order=first.order)


def _repeated(t: Translator, x: Traced, axis: int, count: int) -> Traced:
    shape = tuple(count if i == axis else s for i, s in enumerate(x.shape))
    return t.apply(Concat(axis), *[x] * count, shape=shape, order=x.order)


@operator("Einsum")
def einsum(t: Translator, node: ForeignNode) -> None:
    """Of two tensors: axes that both have and the result too are those of the products' rows, and so on."""
    equation = str(node.attributes.get("equation", "")).replace(" ", "")
    sides, _, out = equation.partition("->")
    names = sides.split(",")
    if len(names) != 2 or not out or "." in equation or any(len(set(n)) != len(n) for n in (*names, out)):
        raise ModelFileError(f"the sum {equation!r} is not supported; export it as MatMul and Transpose.")
    xs = [t.get(0), t.get(1)]
    leader = next(x for x in xs if not x.constant)
    for i, x in enumerate(xs):
        if x.array is not None:
            # A constant gets the axis of the samples, which the result's first one is.
            if out[0] in names[i]:
                raise ModelFileError(f"the sum {equation!r} gives each sample another constant.")
            xs[i], names[i] = t.same_for_all(np.asarray(x.array)[None], leader), out[0] + names[i]
    a, b = names
    if a[0] != out[0] or b[0] != out[0] or (set(out) - set(a) - set(b)) or (set(a) ^ set(b)) - set(out):
        raise ModelFileError(f"the sum {equation!r} is not supported; export it as MatMul and Transpose.")
    rows = [n for n in out if n in a and n in b]
    summed = [n for n in a if n in b and n not in out]
    left, right = [n for n in out if n not in b], [n for n in out if n not in a]
    sizes = {n: s for x, own in zip(xs, names, strict=True) for n, s in zip(own, x.shape, strict=True)}
    if any(isinstance(sizes[n], Size) for n in sizes if n != out[0]):
        raise ModelFileError(f"the sum {equation!r} needs sizes that are known. Give them: shapes=...")

    def arranged(x: Traced, own: str, parts: tuple[list[str], ...]) -> Traced:
        order = tuple(own.index(n) for part in parts for n in part)
        x = t.ordered(x, order)
        x = Traced(tuple(x.shape[i] for i in order), tensor=x.tensor, order=tuple(range(x.rank)))
        counts = [prod(int(sizes[n]) for n in part) for part in parts[1:]]
        return t.reshape(x, (*x.shape[: len(parts[0])], *counts))

    made = _product(t, arranged(xs[0], a, (rows, left, summed)), arranged(xs[1], b, (rows, summed, right)))
    whole = [*rows, *left, *right]
    made = t.reshape(made, tuple(sizes[n] for n in whole))
    made = t.ordered(made, tuple(range(made.rank)))
    places = tuple(whole.index(n) for n in out)
    t.put(Traced(tuple(made.shape[i] for i in places), tensor=made.tensor, order=tuple(places.index(i) for i in made.order)))


@operator("ScaleBy")
def scale_by(t: Translator, node: ForeignNode) -> None:
    """Of readers of other files: all numbers times one."""
    t.put(t.elementwise(Rescale(float(node.attributes["by"])), t.get(0)))
