"""Products with constant compressed weights, which are attributes of their ops: sparse ones, signs of one bit, and whole
numbers of 8 bits.

Sparse weights (*kernel, C / groups, O) are held as a SparseMatrix (O, kernel · C / groups), a row for each output. Signs are
a SignMatrix, or an "int" value of its bits that ``sign_bits`` makes of weights that change. What they are
multiplied with may be packed, too: a value of bits is an "int" value (..., 2 words), 64 channels a word, whose bit is 1 for
+1 and 0 for −1. Weights of 8 bits are Int8Weights; what they are multiplied with is an "int" value
(..., words), four channels a word, of whole numbers from 0 to 127 that stand for (number − zero) · scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, ShapeError
from .emitter import Emitter
from .int8_weights import HIGHEST, Int8Weights, words_of_bytes
from .sign_matrix import BLOCK, SignMatrix, words_of
from .sparse_matrix import SparseMatrix
from .spatial import image, match, sliding, windows
from .table import Attrs, Out, no_flops, op
from .value import Node, Shape, Value

_WINDOW = ("stride", "padding", "dilation")
_LATEX, _CONVOLVED = r"{0} \, \mathrm{{sign}}(W)", r"{0} \ast \mathrm{{sign}}(W)"
_LATEX8, _CONVOLVED8 = r"{0} \, \mathrm{{int8}}(W)", r"{0} \ast \mathrm{{int8}}(W)"


def _sparse_weight_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, (outputs, width) = inputs[0].shape, attrs["matrix"].shape
    if len(x) != 2 or x[1] != width:
        raise ShapeError(f"sparse_weight_matmul: weights of {width} inputs need x (N, {width}). Got {x}.")
    return [((x[0], outputs), "float")]


def _sparse_weight_conv(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    name, x, kernel, groups = "sparse_weight_conv", inputs[0].shape, attrs["kernel"], attrs["groups"]
    axes = image(name, x)
    match(name, axes, attrs, ("kernel", *_WINDOW))
    outputs, width = attrs["matrix"].shape
    if groups < 1 or x[-1] % groups or outputs % groups:
        raise ShapeError(f"{name}: groups={groups} does not divide the {x[-1]} channels of x or the {outputs} outputs.")
    wanted = prod(kernel) * (x[-1] // groups)
    if width != wanted:
        raise ShapeError(
            f"{name}: a kernel {kernel} on {x[-1] // groups} channels has {wanted} weights for each output, "
            f"and the matrix has {width} columns."
        )
    size = windows(name, x[1:-1], kernel, *(attrs[n] for n in _WINDOW))
    return [((x[0], *size, outputs), "float")]


def _sparse_flops(node: Node) -> int:
    entries: int = node.attrs["matrix"].entries
    return 2 * entries * prod(node.outputs[0].shape[:-1])


def _pack(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x = inputs[0].shape
    if not x or x[-1] < 1:
        raise ShapeError(f"pack_signs: x must have channels on its last axis. Got {x}.")
    for name in ("limits", "turned"):
        if attrs[name] is not None and attrs[name].shape != x[-1:]:
            raise ShapeError(
                f"pack_signs: {name} must have one number for each of {x[-1]} channels, not {attrs[name].shape}."
            )
    return [((*x[:-1], 2 * words_of(x[-1])), "int")]


def _bits(name: str, x: Value, channels: int) -> None:
    if x.dtype != "int" or x.shape[-1] != 2 * words_of(channels):
        raise ShapeError(
            f"{name}: {channels} channels are packed into an int value (..., {2 * words_of(channels)}). "
            f"Got {x.dtype} {x.shape}."
        )


def _sign_bits(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    w = inputs[0]
    if w.ndim < 2 or 0 in w.shape:
        raise ShapeError(f"sign_bits: the weights must be (*kernel, C, O), from 1 on. Got {w.shape}.")
    return [(_bits_shape(w.shape), "int")]


def _bits_shape(shape: Shape) -> Shape:
    """The shape of the bits of signs (*kernel, C, O)."""
    *kernel, channels, outputs = shape
    return (-(-outputs // BLOCK), prod(kernel) * words_of(channels), 2 * BLOCK)


def _signs(name: str, inputs: tuple[Value, ...], attrs: Attrs) -> Shape:
    """The shape (*kernel, C, O) of the signs, which are an attribute or the second of the inputs."""
    weights: SignMatrix | None = attrs["weights"]
    if (len(inputs) == 1) == (weights is None):
        raise ShapeError(f"{name}: the signs are one SignMatrix, or one value of bits.")
    shape: Shape = attrs["shape"]
    if weights is not None and weights.shape != shape:
        raise ShapeError(f"{name}: the weights must be {shape}. Got {weights.shape}.")
    if len(shape) != 2 and name != "binary_conv":
        raise ShapeError(f"{name}: the weights must be (I, O). Got {shape}.")
    wanted = _bits_shape(shape)
    if weights is None and (inputs[1].dtype != "int" or inputs[1].shape != wanted):
        raise ShapeError(f"{name}: the bits of {shape} are an int value {wanted}. Got {inputs[1].dtype} {inputs[1].shape}.")
    return shape


def _binary_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, shape = inputs[0], _signs("binary_matmul", inputs, attrs)
    _bits("binary_matmul", x, shape[0])
    if x.ndim != 2:
        raise ShapeError(f"binary_matmul: x must be (N, words). Got {x.shape}.")
    return [((x.shape[0], shape[1]), "float")]


def _binary_matmul_signs(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    (((rows, outputs), _),) = _binary_matmul(inputs, attrs)
    for name in ("limits", "turned"):
        if attrs[name].shape != (outputs,):
            raise ShapeError(f"binary_matmul_signs: {name} must be one for each of {outputs} outputs.")
    return [((rows, 2 * words_of(outputs)), "int")]


def _signed_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, shape = inputs[0], _signs("signed_matmul", inputs, attrs)
    if x.dtype != "float" or x.ndim != 2 or x.shape[1] != shape[0]:
        raise ShapeError(f"signed_matmul: weights of {shape[0]} inputs need x (N, {shape[0]}). Got {x.dtype} {x.shape}.")
    return [((x.shape[0], shape[1]), "float")]


def _binary_conv(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    name, x, shape = "binary_conv", inputs[0], _signs("binary_conv", inputs, attrs)
    *kernel, channels, outputs = shape
    _bits(name, x, channels)
    axes = image(name, x.shape)
    match(name, axes, attrs, _WINDOW)
    if len(kernel) != axes:
        raise ShapeError(f"{name}: an image with {axes} spatial axes needs weights (*kernel, C, O). Got {shape}.")
    if len(inputs) == 3 and inputs[2].shape != (prod(kernel), outputs):
        raise ShapeError(f"{name}: the sums of the signs must be {(prod(kernel), outputs)}. Got {inputs[2].shape}.")
    if len(inputs) == 2 and any(map(any, attrs["padding"])):
        raise ShapeError(f"{name}: with padding it needs the sums of the signs of each tap.")
    size = windows(name, x.shape[1:-1], shape[:-2], *(attrs[n] for n in _WINDOW))
    return [((x.shape[0], *size, outputs), "float")]


def _binary_flops(node: Node) -> int:
    *sizes, outputs = node.attrs["shape"]
    inputs = prod(sizes)
    count: int = 2 * prod(node.outputs[0].shape[:-1]) * inputs * outputs
    return count


def _quantize(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, scale, zero = inputs[0].shape, attrs["scale"], attrs["zero"]
    if not x or x[-1] < 1:
        raise ShapeError(f"quantize: x must have channels on its last axis. Got {x}.")
    if not (isinstance(scale, float) and 0 < scale < float("inf") and isinstance(zero, int) and 0 <= zero <= HIGHEST):
        raise ParameterError(
            f"quantize: scale must be a finite number above 0, and zero an int from 0 to {HIGHEST}. "
            f"Got {scale!r} and {zero!r}."
        )
    return [((*x[:-1], words_of_bytes(x[-1])), "int")]


def _bytes(name: str, x: Value, channels: int) -> None:
    if x.dtype != "int" or x.shape[-1] != words_of_bytes(channels):
        raise ShapeError(
            f"{name}: {channels} channels are an int value (..., {words_of_bytes(channels)}). Got {x.dtype} {x.shape}."
        )


def _int8_matmul(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    x, weights = inputs[0], attrs["weights"]
    _bytes("int8_matmul", x, weights.channels)
    if x.ndim != 2 or len(weights.shape) != 2:
        raise ShapeError(f"int8_matmul: x must be (N, words) and the weights (I, O). Got {x.shape} and {weights.shape}.")
    return [((x.shape[0], weights.outputs), "float")]


def _int8_conv(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    name, x, weights, groups = "int8_conv", inputs[0], attrs["weights"], attrs["groups"]
    if groups < 1 or weights.outputs % groups or (groups > 1 and weights.channels * groups % 4):
        raise ShapeError(f"{name}: groups={groups} must divide the {weights.outputs} outputs, and groups be of whole words.")
    _bytes(name, x, weights.channels * groups)
    axes = image(name, x.shape)
    match(name, axes, attrs, _WINDOW)
    if len(weights.shape) != axes + 2:
        raise ShapeError(f"{name}: an image with {axes} spatial axes needs weights (*kernel, C, O). Got {weights.shape}.")
    if attrs["zero"] and any(map(any, attrs["padding"])):
        raise ShapeError(f"{name}: what is padded stands for 0 only where zero=0. Pad x before it is quantised.")
    size = windows(name, x.shape[1:-1], weights.shape[:-2], *(attrs[n] for n in _WINDOW))
    return [((x.shape[0], *size, weights.outputs), "float")]


def _int8_flops(node: Node) -> int:
    weights: Int8Weights = node.attrs["weights"]
    return 2 * node.outputs[0].size * weights.taps * weights.channels


def _operands(x: Value, weights: SignMatrix | Value, shape: Shape | None) -> tuple[tuple[Value, ...], Attrs]:
    """The inputs and attributes of a product with signs."""
    if isinstance(weights, SignMatrix):
        return (x,), {"weights": weights, "shape": weights.shape}
    return (x, weights), {"weights": None, "shape": shape}


class Compressed(Emitter):
    """The Builder's products with compressed weights."""

    @op("product", "{0} W", r"{0} \, W", 1, rule=_sparse_weight_matmul, flops=_sparse_flops, takes_epilogue=True)
    def sparse_weight_matmul(self, x: Value, matrix: SparseMatrix) -> Value:
        """x W for constant sparse weights W, given as their transpose (O, I)"""
        return self.emit("sparse_weight_matmul", x, matrix=matrix)[0]

    @op("product", "{0} ∗ W", r"{0} \ast W", 1, rule=_sparse_weight_conv, flops=_sparse_flops, takes_epilogue=True)
    def sparse_weight_conv(
        self,
        x: Value,
        matrix: SparseMatrix,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """``conv`` with constant sparse weights (*kernel, C / groups, O), given as a matrix (O, kernel · C / groups)"""
        attrs = sliding(stride=stride, padding=padding, dilation=dilation)
        return self.emit("sparse_weight_conv", x, matrix=matrix, kernel=tuple(kernel), **attrs, groups=groups)[0]

    @op("row", "bits({0})", r"\mathrm{{bits}}({0})", rule=_pack, flops=no_flops)
    def pack_signs(
        self, x: Value, *, limits: NDArray[np.floating] | None = None, turned: NDArray[np.bool_] | None = None
    ) -> Value:
        """One bit a channel: whether x >= 0, or its channel's limit; the opposite for channels that are turned. NaN gives 0
        before it is turned.

        Parameters  limits, turned : (C,), constants
        """
        return self.emit("pack_signs", x, limits=limits, turned=turned)[0]

    @op("row", "bits({0})", r"\mathrm{{bits}}({0})", rule=_sign_bits, flops=no_flops)
    def sign_bits(self, w: Value) -> Value:
        """The bits of the signs of weights (*kernel, C, O), 1 where w >= 0, in the order of a SignMatrix, as 32-bit words"""
        return self.emit("sign_bits", w)[0]

    @op("product", "{0} sign(W)", _LATEX, 1, rule=_binary_matmul, flops=_binary_flops, takes_epilogue=True)
    def binary_matmul(self, x: Value, weights: SignMatrix | Value, *, shape: Shape | None = None) -> Value:
        """x W for bits x (N, words of I) and signs W (I, O): whole numbers from −I to I

        Parameters  weights : a constant, or what ``sign_bits`` makes of weights of this ``shape``
        """
        inputs, attrs = _operands(x, weights, shape)
        return self.emit("binary_matmul", *inputs, **attrs)[0]

    @op("product", "{0} sign(W) ≥ t", _LATEX + r" \geq t", 2, rule=_binary_matmul_signs, flops=_binary_flops)
    def binary_matmul_signs(
        self, x: Value, weights: SignMatrix, *, limits: NDArray[np.floating], turned: NDArray[np.bool_]
    ) -> Value:
        """What ``pack_signs`` makes of ``binary_matmul`` with the same limits and turned outputs (O,)"""
        inputs, attrs = _operands(x, weights, None)
        return self.emit("binary_matmul_signs", *inputs, **attrs, limits=limits, turned=turned)[0]

    @op("product", "{0} sign(W)", _LATEX, 1, rule=_signed_matmul, flops=_binary_flops)
    def signed_matmul(self, x: Value, weights: SignMatrix | Value, *, shape: Shape | None = None) -> Value:
        """x W for floats x (N, I) and signs W (I, O), as ``binary_matmul`` takes them"""
        inputs, attrs = _operands(x, weights, shape)
        return self.emit("signed_matmul", *inputs, **attrs)[0]

    @op(
        "product",
        "{0} ∗ sign(W)",
        r"{0} \ast \mathrm{{sign}}(W)",
        1,
        rule=_binary_conv,
        flops=_binary_flops,
        takes_epilogue=True,
    )
    def binary_conv(
        self,
        x: Value,
        weights: SignMatrix | Value,
        *,
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        shape: Shape | None = None,
        sums: Value | None = None,
    ) -> Value:
        """``conv`` of an image of bits (N, *spatial, words of C) with signs (*kernel, C, O); padding adds nothing

        Parameters  weights : a constant, or what ``sign_bits`` makes of weights of this ``shape``, and with padding also
                    ``sums``, those of the signs over the channels of each tap (taps, O)
        """
        inputs, found = _operands(x, weights, shape)
        attrs = sliding(stride=stride, padding=padding, dilation=dilation)
        return self.emit("binary_conv", *inputs, *([] if sums is None else [sums]), **found, **attrs)[0]

    @op("row", "int8({0})", r"\mathrm{{int8}}({0})", rule=_quantize, flops=no_flops)
    def quantize(self, x: Value, *, scale: float, zero: int) -> Value:
        """A whole number from 0 to 127 for each channel: x / scale + zero, rounded to the nearest. NaN gives 0"""
        return self.emit("quantize", x, scale=float(scale), zero=int(zero))[0]

    @op("product", "{0} int8(W)", _LATEX8, 1, rule=_int8_matmul, flops=_int8_flops, takes_epilogue=True)
    def int8_matmul(self, x: Value, weights: Int8Weights, *, scale: float, zero: int) -> Value:
        """x W for x as ``quantize`` made it with the same scale and zero (N, words of I), and weights (I, O)"""
        return self.emit("int8_matmul", x, weights=weights, scale=float(scale), zero=int(zero))[0]

    @op("product", "{0} ∗ int8(W)", _CONVOLVED8, 1, rule=_int8_conv, flops=_int8_flops, takes_epilogue=True)
    def int8_conv(
        self,
        x: Value,
        weights: Int8Weights,
        *,
        scale: float,
        zero: int,
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """``conv`` of an image as ``quantize`` made it (N, *spatial, words of C) with weights (*kernel, C / groups, O)

        Where anything is padded, zero must be 0.
        """
        attrs = sliding(stride=stride, padding=padding, dilation=dilation)
        scaled = {"scale": float(scale), "zero": int(zero)}
        return self.emit("int8_conv", x, weights=weights, **scaled, **attrs, groups=groups)[0]


def reshaped_weights(matrix: SparseMatrix, kernel: Shape) -> NDArray[np.float64]:
    """Dense weights (*kernel, C / groups, O) of a matrix (O, kernel · C / groups)."""
    outputs, width = matrix.shape
    return matrix.to_dense().T.reshape(*kernel, width // prod(kernel), outputs)


# ---------------------------------------------------------------- what is stated with numbers and computed with bits


def weights_of_signs(node: Node) -> Value | None:
    """The weights (*kernel, C, O) of which a node makes the signs, 1 where they are at least 0, else −1; None for others."""
    if node.op != "where" or [v.constant if v.role == "constant" else 0 for v in node.inputs[1:]] != [1, -1]:
        return None
    chosen, signs = node.inputs[0].producer, node.outputs[0]
    if chosen is None or chosen.op != "greater_equal" or signs.ndim < 2 or not signs.size:
        return None
    w, limit = chosen.inputs
    return w if limit.role == "constant" and limit.constant == 0 and w.shape == signs.shape else None


def product_with_signs(k: Compressed, node: Node, bits: Mapping[int, Value], is_signs: Callable[[Value], bool]) -> bool:
    """Emits a product x W, or a convolution, with bits where the node is one with signs W; whether it is.

    Parameters  bits : those of signs, by the ids of the signs ; is_signs : whether x is signs, too
    """
    if node.op == "conv" and id(node.inputs[1]) in bits:
        return _conv_with_signs(k, node, bits[id(node.inputs[1])], is_signs)
    if node.op != "matmul" or id(node.inputs[1]) not in bits or node.attrs["transpose_a"] or node.attrs["transpose_b"]:
        return False
    x, signs = node.inputs
    if is_signs(x):
        k.binary_matmul(k.pack_signs(x), bits[id(signs)], shape=signs.shape)
    else:
        k.signed_matmul(x, bits[id(signs)], shape=signs.shape)
    return True


def _conv_with_signs(k: Compressed, node: Node, bits: Value, is_signs: Callable[[Value], bool]) -> bool:
    (x, signs), attrs = node.inputs, node.attrs
    if attrs["groups"] != 1 or signs.ndim != x.ndim or not is_signs(x):
        return False
    sums = None
    if any(map(any, attrs["padding"])):
        *_, channels, outputs = signs.shape
        (taps,) = k.emit("reshape", signs, shape=(prod(signs.shape[:-2]), channels, outputs))
        (sums,) = k.emit("sum", taps, axis=(1,), keepdims=False)
    window = {name: attrs[name] for name in _WINDOW}
    k.binary_conv(k.pack_signs(x), bits, shape=signs.shape, sums=sums, **window)
    return True
