"""How products of 8-bit numbers are divided among threads: convolutions of oneDNN, dense layers as those of 1 × 1.

oneDNN's product of matrices would copy its weights anew in each call; its convolution of 1 × 1 reads them as they were laid
out once, when the plan is compiled, and is as fast for one row as for many.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ops import Int8Weights, Node
from ...ops.int8_weights import words_of_bytes
from .calls import Address, AnyCall, Call, Data, Float, Part, PrimitiveCall, Task, access, bounds
from .compressed import Product
from .convolution import slab_of
from .library import open_library
from .primitives import BIAS, DST, SRC, WEIGHT_SCALES, WEIGHTS, Convolution, Primitive, Tensor, int8_convolution, laid_out
from .program import Unsupported

__all__ = ["int8_product", "quantize"]

Array = NDArray[Any]
#: Fewer multiplications than this are not worth dividing.
_SMALL = 60_000


def quantize(node: Node, threads: int) -> list[Task]:
    """quantize, by rows."""
    x, out = node.inputs[0], node.outputs[0]
    channels, words = x.shape[-1], out.shape[-1]
    rows = x.size // channels
    factor, zero = Float(float(np.float32(1 / node.attrs["scale"]))), Float(float(node.attrs["zero"]))
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(rows, threads if 2 * x.size >= _SMALL else 1)):
        if b <= a:
            parts.append(None)
            continue
        # Rows of whole words are one long row.
        count = 1 if channels == 4 * words else b - a
        row = (b - a) // count
        source, target = Address(x, a * channels), Address(out, a * words)
        call = Call("quantize", [count, row * channels, source, factor, zero, target, row * 4 * words])
        reads, writes = access(x, a * channels, b * channels), access(out, a * words, b * words)
        parts.append(Part([call], [reads], [writes]))
    return [Task(node, parts + [None] * (threads - len(parts)))]


def int8_product(node: Node, threads: int) -> tuple[list[Task], list[Node]]:
    """int8_matmul or int8_conv with what follows: (tasks, nodes that are left to do after them)."""
    p = Product.of(node)
    x, attrs = p.product.inputs[0], p.product.attrs
    if p.out.dtype != "float" or open_library().dnnl is None:
        raise Unsupported
    weights: Int8Weights = attrs["weights"]
    c = _described(p.product)
    positions = p.out.size // weights.outputs
    used = 1 if positions * weights.values.size < _SMALL else threads
    width = weights.outputs

    def call(part: Convolution, read: int, written: int, of: Int8Weights = weights) -> AnyCall:
        arrays = _arranged(of, attrs["scale"], attrs["zero"], part.groups, _primitive(part))
        places: dict[int, Any] = {SRC: Address(x, read), DST: Address(p.out, written)}
        places |= {number: Data(array) for number, array in arrays.items()}
        return PrimitiveCall(partial(int8_convolution, open_library(), part), places)

    if p.product.op == "int8_matmul":
        if positions == 1 and used > 1 and width >= 8 * used:
            return _by_outputs(p, c, threads)
        rows = x.shape[-1]
        cuts = bounds(positions, used) if positions >= used else [0, positions]

        def of_rows(t: int, a: int, b: int) -> list[AnyCall]:
            return [call(replace(c, spatial=(b - a, 1), output=(b - a, 1)), a * rows, a * width)]

        return p.by_rows([*cuts, *[positions] * (threads + 1 - len(cuts))], of_rows), []
    samples, lines = x.shape[0], c.output[0]
    image, line, made = x.size // samples, prod(x.shape[2:]), positions // samples
    if samples == 1 and used > 1 and lines >= used:
        across = positions // lines

        def of_lines(t: int, a: int, b: int) -> list[AnyCall]:
            part, first, _ = slab_of(c, a // across, b // across)
            return [call(part, first * line, a * width)]

        return p.by_rows([cut * across for cut in bounds(lines, threads)], of_lines), []
    cuts = bounds(samples, used) if samples >= used else [0, samples]

    def of_samples(t: int, a: int, b: int) -> list[AnyCall]:
        return [call(replace(c, samples=(b - a) // made), a // made * image, a * width)]

    starts = [cut * made for cut in cuts]
    return p.by_rows([*starts, *[positions] * (threads + 1 - len(starts))], of_samples), []


def _by_outputs(p: Product, c: Convolution, threads: int) -> tuple[list[Task], list[Node]]:
    """One row, of which each thread makes outputs of its own."""
    alone, rest = p.alone()
    x, out, attrs = alone.inputs[0], alone.outputs[0], alone.attrs
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(c.outputs, threads, 8)):
        if b <= a:
            parts.append(None)
            continue
        some = Int8Weights(attrs["weights"].values[:, a:b], attrs["weights"].scales[a:b])
        part = replace(c, outputs=b - a)
        arrays = _arranged(some, attrs["scale"], attrs["zero"], 1, _primitive(part))
        places: dict[int, Any] = {SRC: Address(x), DST: Address(out, a)}
        places |= {number: Data(array) for number, array in arrays.items()}
        made = PrimitiveCall(partial(int8_convolution, open_library(), part), places)
        parts.append(Part([made], [access(x)], [access(out, a, b)]))
    return [Task(alone, parts)], rest


def _described(node: Node) -> Convolution:
    """The convolution of all samples; the rows of a dense layer are the lines of one image."""
    weights: Int8Weights = node.attrs["weights"]
    x, out = node.inputs[0].shape, node.outputs[0].shape
    one = (1, 1)
    if node.op == "int8_matmul":
        size = (x[0], 1)
        return Convolution(1, 1, 4 * x[-1], weights.outputs, size, size, one, one, one, (0, 0), (0, 0))
    attrs = node.attrs
    before, after = zip(*attrs["padding"], strict=True)
    return Convolution(
        x[0], attrs["groups"], 4 * x[-1], weights.outputs, x[1:-1], out[1:-1], weights.shape[:-2], attrs["stride"],
        attrs["dilation"], before, after,
    )  # fmt: skip


def _primitive(c: Convolution) -> Primitive:
    found = int8_convolution(open_library(), c)
    if "ref" in found.implementation:
        raise Unsupported
    return found


@lru_cache(maxsize=128)
def _arranged(weights: Int8Weights, scale: float, zero: int, groups: int, primitive: Primitive) -> dict[int, Array]:
    """The constant arguments of a primitive: weights in its layout, the scales, and what zero adds to each output."""
    channels = words_of_bytes(weights.channels * groups) * 4 // groups
    values = np.zeros((*weights.shape[:-2], channels, weights.outputs), np.int8)
    values[..., : weights.channels, :] = weights.values
    plain = Convolution(1, groups, channels * groups, weights.outputs, (), (), weights.shape[:-2], (), (), (), ())
    kernel = plain if len(weights.shape) > 2 else replace(plain, kernel=(1, 1))
    scales = (weights.scales.astype(np.float64) * scale).astype(np.float32)
    totals = weights.values.reshape(-1, weights.outputs).sum(axis=0, dtype=np.int64)
    added = (-zero * totals * (weights.scales.astype(np.float64) * scale)).astype(np.float32)
    source = Tensor(kernel.weight_sizes, kernel.plain_strides, "int8")
    blocked = laid_out(open_library(), values, source, primitive.descriptors[WEIGHTS])
    return {WEIGHTS: blocked, WEIGHT_SCALES: scales, BIAS: added}
