"""Matrix products."""

from __future__ import annotations

import numpy as np

from ...errors import ModelFileError
from ...layers import Dense, MatMul, Rescale
from ..foreign import Array, ForeignNode
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
        raise ModelFileError(f"its constant has shape {weight.shape}, and only matrices are supported.")
    if a.constant or a.rank != b.rank or a.rank < 3:
        raise ModelFileError(f"the product of {a.shape} and {b.shape} is not supported.")
    first, second = (t.ordered(x, tuple(range(x.rank))) for x in (a, b))
    shape = (*a.shape[:-1], b.shape[-1])
    t.put(t.apply(MatMul(), first, second, shape=shape, order=first.order))


@operator("Einsum")
def einsum(t: Translator, node: ForeignNode) -> None:
    equation = str(node.attributes.get("equation", ""))
    raise ModelFileError(f"the sum {equation!r} is not supported; export it as MatMul and Transpose.")


@operator("ScaleBy")
def scale_by(t: Translator, node: ForeignNode) -> None:
    """Of readers of other files: all numbers times one."""
    t.put(t.elementwise(Rescale(float(node.attributes["by"])), t.get(0)))
