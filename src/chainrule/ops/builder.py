"""The Builder ``k``: layers, losses and optimizers write their equations with it.

Every method of an op emits one node and returns its value. Python numbers become constants. The Builder computes
nothing: shapes are checked, arrays never seen.

    z = k.add(k.matmul(x, w), b)          # z = x W + b
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from types import SimpleNamespace
from typing import Any

from ..errors import ShapeError
from .sparse import SparseMatrix
from .table import OPS, normalise_axes
from .value import Node, Shape, Value, Where

Operand = Value | float | int


class Saved(SimpleNamespace):
    """What a forward pass keeps for its backward pass: ``Saved(x=x, w=w)``."""


class Builder:
    """Emits nodes into ``nodes``.

    Parameters
        training : whether layers that differ between training and prediction (Dropout) should train
        parameter : called with (layer name, parameter name), returns the parameter's Value; this is
            where a mask or a sign is inserted, so that no layer knows that it is compressed
        state : the same for running statistics and other values that are kept but not learned
    """

    def __init__(
        self,
        *,
        training: bool = True,
        parameter: Callable[[str, str], Value] | None = None,
        state: Callable[[str, str], Value] | None = None,
    ) -> None:
        self.training = training
        self.nodes: list[Node] = []
        self.where = Where()
        self.gradients: dict[tuple[str, str], Value] = {}
        #: Parameters whose gradient is one scatter_add that the layer wants applied row by row.
        self.sparse: set[tuple[str, str]] = set()
        self.scalars: dict[str, Value] = {}
        self.random_count = 0
        self.watched: list[tuple[str, str, Value]] = []
        self._parameter = parameter
        self._state = state
        self._places: dict[int, Value] = {}
        self._rows: dict[int, tuple[Value, Value, Value]] = {}
        self._masks: dict[int, Value] = {}
        self._masked: list[Value] = []  # keeps their ids from being given to other values

    # ------------------------------------------------------------ context

    @contextmanager
    def at(self, phase: str, layer: str = "") -> Iterator[None]:
        """Nodes emitted inside are marked with this phase and layer."""
        before, self.where = self.where, Where(phase, layer)
        try:
            yield
        finally:
            self.where = before

    def param(self, name: str) -> Value:
        """The current layer's parameter ``name``."""
        assert self._parameter is not None
        return self._parameter(self.where.layer, name)

    def grad(self, name: str, value: Value, *, sparse: bool = False) -> None:
        """Adds ``value`` to the gradient of the current layer's parameter ``name``.

        Parameters  sparse : ``value`` is a scatter_add, and an update should touch only the rows that occur in it
        """
        key = (self.where.layer, name)
        wanted = self.param(name).shape
        if value.shape != wanted:
            raise ShapeError(
                f"layer {key[0]!r}: the gradient of {name!r} has shape {value.shape}, the parameter has {wanted}."
            )
        if sparse and key not in self.gradients:
            self.sparse.add(key)
        elif key in self.gradients:
            self.sparse.discard(key)  # used twice, or by another layer too: rows of a sum are not known
        self.gradients[key] = self.add(self.gradients[key], value) if key in self.gradients else value

    def state(self, name: str) -> Value:
        """The current layer's state ``name`` (kept between steps, not learned), as it was before this step."""
        assert self._state is not None
        return self._state(self.where.layer, name)

    def set_state(self, name: str, value: Value) -> None:
        """Makes ``value`` the current layer's state ``name`` for the next step."""
        self.assign(self.state(name), value)

    def scalar(self, name: str) -> Value:
        """A number that changes from step to step, such as the learning rate; set by the training loop."""
        if name not in self.scalars:
            self.scalars[name] = Value((), role="scalar", name=name)
        return self.scalars[name]

    # ------------------------------------------------------------ emission

    def emit(self, op: str, *inputs: Operand, **attrs: Any) -> tuple[Value, ...]:
        """Emits one node of the closed set and returns its outputs."""
        values = tuple(self.constant(v) if isinstance(v, (int, float)) else v for v in inputs)
        if any(v.sparse is not None for v in values):
            raise ShapeError(
                f"{op}: the input is a sparse matrix, which only products with weights (GraphConv, Dense) and Dropout take. "
                f"Give the network X.toarray(), or one of these layers first."
            )
        outputs = tuple(Value(shape, dtype) for shape, dtype in OPS[op].rule(values, attrs))
        node = Node(op, values, outputs, attrs, self.where)
        for v in outputs:
            v.producer = node
        self.nodes.append(node)
        return outputs

    def constant(self, value: float) -> Value:
        """A number written in the equation."""
        return Value((), role="constant", constant=float(value))

    def assign(self, target: Value, value: Operand) -> Value:
        """Stores ``value`` in ``target`` (a parameter, slot or state). Values read before keep their meaning."""
        target = self._places.get(id(target), target)
        if id(target) in self._rows:
            table, rows, _ = self._rows[id(target)]
            (out,) = self.emit("put_rows", table, rows, value)
            target = table
        else:
            (out,) = self.emit("copy", value)
        if out.shape != target.shape:
            raise ShapeError(f"assign: a value of shape {out.shape} does not fit a target of shape {target.shape}.")
        out.base, out.offset = (target.base, target.offset) if target.base is not None else (target, 0)
        return out

    def stand_in(self, value: Value, place: Value) -> None:
        """From now on an assignment to ``value`` goes to ``place``, for a value computed from what is stored there."""
        self._places[id(value)] = place

    # ------------------------------------------------------------ elementwise

    def add(self, a: Operand, b: Operand) -> Value:
        """a + b"""
        return self.emit("add", a, b)[0]

    def subtract(self, a: Operand, b: Operand) -> Value:
        """a - b"""
        return self.emit("subtract", a, b)[0]

    def multiply(self, a: Operand, b: Operand) -> Value:
        """a * b, element by element"""
        return self.emit("multiply", a, b)[0]

    def divide(self, a: Operand, b: Operand) -> Value:
        """a / b"""
        return self.emit("divide", a, b)[0]

    def maximum(self, a: Operand, b: Operand) -> Value:
        """The larger of a and b; NaN where either is NaN"""
        return self.emit("maximum", a, b)[0]

    def minimum(self, a: Operand, b: Operand) -> Value:
        """The smaller of a and b; NaN where either is NaN"""
        return self.emit("minimum", a, b)[0]

    def greater(self, a: Operand, b: Operand) -> Value:
        """1.0 where a > b, else 0.0"""
        return self.emit("greater", a, b)[0]

    def greater_equal(self, a: Operand, b: Operand) -> Value:
        """1.0 where a >= b, else 0.0"""
        return self.emit("greater_equal", a, b)[0]

    def equal(self, a: Operand, b: Operand) -> Value:
        """1.0 where a == b, else 0.0"""
        return self.emit("equal", a, b)[0]

    def where_(self, condition: Value, a: Operand, b: Operand) -> Value:
        """a where condition is not 0, else b"""
        return self.emit("where", condition, a, b)[0]

    def negative(self, x: Value) -> Value:
        """-x"""
        return self.emit("negative", x)[0]

    def absolute(self, x: Value) -> Value:
        """|x|"""
        return self.emit("absolute", x)[0]

    def sign(self, x: Value) -> Value:
        """-1, 0 or 1"""
        return self.emit("sign", x)[0]

    def square(self, x: Value) -> Value:
        """x²"""
        return self.emit("square", x)[0]

    def sqrt(self, x: Value) -> Value:
        """√x"""
        return self.emit("sqrt", x)[0]

    def exp(self, x: Value) -> Value:
        """eˣ"""
        return self.emit("exp", x)[0]

    def expm1(self, x: Value) -> Value:
        """eˣ - 1, exact near 0"""
        return self.emit("expm1", x)[0]

    def log(self, x: Value) -> Value:
        """The natural logarithm"""
        return self.emit("log", x)[0]

    def log1p(self, x: Value) -> Value:
        """log(1 + x), exact near 0"""
        return self.emit("log1p", x)[0]

    def tanh(self, x: Value) -> Value:
        """(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)"""
        return self.emit("tanh", x)[0]

    def sigmoid(self, x: Value) -> Value:
        """1 / (1 + e⁻ˣ), without overflow"""
        return self.emit("sigmoid", x)[0]

    def softplus(self, x: Value) -> Value:
        """log(1 + eˣ), without overflow"""
        return self.emit("softplus", x)[0]

    def erf(self, x: Value) -> Value:
        """The error function"""
        return self.emit("erf", x)[0]

    def relu(self, x: Value) -> Value:
        """max(0, x)"""
        return self.emit("relu", x)[0]

    def random_uniform(self, shape: Shape) -> Value:
        """Numbers in [0, 1), new at every step, from the plan's seed: the same on every engine and thread count."""
        self.random_count += 1
        return self.emit("random_uniform", shape=tuple(shape), stream=self.random_count)[0]

    # ------------------------------------------------------------ products and reductions

    def matmul(self, a: Value, b: Value, *, transpose_a: bool = False, transpose_b: bool = False) -> Value:
        """a b for matrices, either one transposed first"""
        if a.sparse is not None and not transpose_b:
            return self.sparse_matmul(a.sparse, b, transpose=transpose_a, scale=a.scale, text="x")
        return self.emit("matmul", a, b, transpose_a=transpose_a, transpose_b=transpose_b)[0]

    def sparse_matmul(
        self,
        matrix: SparseMatrix,
        x: Value,
        *,
        transpose: bool = False,
        scale: Value | None = None,
        text: str = "A",
        latex: str | None = None,
    ) -> Value:
        """A x or Aᵀ x for a constant sparse matrix A

        Parameters  scale : (entries,), factors of the entries of A ; text, latex : how equations call A
        """
        turned = ("ᵀ", "^T") if transpose else ("", "")
        named = {"text": text + turned[0], "latex": (latex or text) + turned[1]}
        factors = () if scale is None else (scale,)
        return self.emit("sparse_matmul", x, *factors, matrix=matrix, transpose=transpose, **named)[0]

    def scale_entries(self, x: Value, factors: Value) -> Value:
        """The sparse matrix x with its entries times the factors (entries,), in the order of its rows"""
        scale = factors if x.scale is None else self.multiply(x.scale, factors)
        return Value(x.shape, role="constant", name=x.name, sparse=x.sparse, scale=scale)

    def sum(self, x: Value, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Value:
        """Σ x over the axes (all by default)"""
        return self.emit("sum", x, axis=normalise_axes(axis, x.ndim), keepdims=keepdims)[0]

    def mean(self, x: Value, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Value:
        """The mean over the axes (all by default)"""
        axes = normalise_axes(axis, x.ndim)
        return self.multiply(self.sum(x, axes, keepdims=keepdims), 1.0 / max(1, prod(x.shape[a] for a in axes)))

    def channel_moments(self, x: Value) -> tuple[Value, Value]:
        """Of each channel (the last axis) over all other axes: the mean, and the sum of squared deviations from it.

        The deviations are from the mean itself; Σ x² / m − μ² would lose all digits where μ is large beside them.
        """
        mean, squares = self.emit("channel_moments", x)
        return mean, squares

    def max(self, x: Value, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Value:
        """The largest over the axes (all by default)"""
        return self.emit("max", x, axis=normalise_axes(axis, x.ndim), keepdims=keepdims)[0]

    def moments(self, x: Value) -> Value:
        """(5, C) for x (..., C): Σ x, Σ x², the least, the largest and the number of zeros over all axes but the last"""
        return self.emit("moments", x)[0]

    def sum_to(self, x: Value, shape: Shape) -> Value:
        """Sums x over the axes along which ``shape`` was broadcast to it: the backward pass of broadcasting."""
        lead = x.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(lead + i for i, s in enumerate(shape) if s == 1 and x.shape[lead + i] != 1)
        if not axes:
            return x
        return self.reshape(self.sum(x, axes), shape)

    # ------------------------------------------------------------ images (N, *spatial, C): 1, 2 or 3 spatial axes

    def conv(
        self,
        x: Value,
        w: Value,
        *,
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """y[n, p, o] = Σ x[n, stride p + dilation k − before, c] w[k, c, o]: convolution as networks mean it, not flipped.

        Parameters
            x : (N, *spatial, C) ; w : (*kernel, C / groups, O) ; stride, dilation : of each spatial axis
            padding : (before, after) of each spatial axis, of zeros
            groups : the channels of x and of y are split into so many groups that do not see each other
        """
        attrs = {"stride": tuple(stride), "padding": tuple(map(tuple, padding)), "dilation": tuple(dilation)}
        return self.emit("conv", x, w, **attrs, groups=groups)[0]

    def conv_backward_data(
        self,
        dy: Value,
        w: Value,
        *,
        spatial: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """dx of ``conv`` for an x of these spatial sizes: also the transposed convolution of dy"""
        attrs = {"stride": tuple(stride), "padding": tuple(map(tuple, padding)), "dilation": tuple(dilation)}
        return self.emit("conv_backward_data", dy, w, spatial=tuple(spatial), **attrs, groups=groups)[0]

    def conv_backward_weights(
        self,
        x: Value,
        dy: Value,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Value:
        """dw of ``conv`` for a kernel of these sizes"""
        attrs = {"stride": tuple(stride), "padding": tuple(map(tuple, padding)), "dilation": tuple(dilation)}
        return self.emit("conv_backward_weights", x, dy, kernel=tuple(kernel), **attrs, groups=groups)[0]

    def max_pool(
        self, x: Value, *, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[tuple[int, int]]
    ) -> tuple[Value, Value]:
        """The largest element of each window, and which of the window's elements it is, for ``max_pool_backward``.

        The number is of the first largest one, counted along the last spatial axis first. Padding is never the largest.
        Nobody needs the numbers in prediction: an engine that sees them unused need not compute them.
        """
        attrs = {"kernel": tuple(kernel), "stride": tuple(stride), "padding": tuple(map(tuple, padding))}
        y, index = self.emit("max_pool", x, **attrs)
        return y, index

    def max_pool_backward(
        self,
        dy: Value,
        index: Value,
        *,
        spatial: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
    ) -> Value:
        """dx of ``max_pool`` for an x of these spatial sizes: each dy is added where its window's largest element was"""
        attrs = {"kernel": tuple(kernel), "stride": tuple(stride), "padding": tuple(map(tuple, padding))}
        return self.emit("max_pool_backward", dy, index, spatial=tuple(spatial), **attrs)[0]

    def average_pool(
        self,
        x: Value,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        count_padding: bool = False,
    ) -> Value:
        """The mean of each window; padding counts as zeros (count_padding) or not at all"""
        attrs = {"kernel": tuple(kernel), "stride": tuple(stride), "padding": tuple(map(tuple, padding))}
        return self.emit("average_pool", x, **attrs, count_padding=count_padding)[0]

    def average_pool_backward(
        self,
        dy: Value,
        *,
        spatial: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[tuple[int, int]],
        count_padding: bool = False,
    ) -> Value:
        """dx of ``average_pool`` for an x of these spatial sizes: each dy is spread evenly over its window"""
        attrs = {"kernel": tuple(kernel), "stride": tuple(stride), "padding": tuple(map(tuple, padding))}
        return self.emit("average_pool_backward", dy, spatial=tuple(spatial), **attrs, count_padding=count_padding)[0]

    def resample(self, x: Value, *, size: Sequence[int], method: str) -> Value:
        """x with other spatial sizes. Output p of O on an axis of I elements lies at s of the input.

        Parameters
            size : of each spatial axis of the output
            method : "nearest" takes element floor(s + ½); "linear" mixes the two elements around s by their distance
                (bilinear, trilinear), at the borders the outermost alone; "cubic" mixes four (Keys 1981, a = −3/4); "area"
                is the mean of elements floor(p I / O) to ceil((p + 1) I / O) − 1. After a "/" may stand where outputs lie:
                "half_pixel", s = (p + ½) I / O − ½, "align_corners", s = p (I − 1) / (O − 1), or "asymmetric", s = p I / O;
                after another how "nearest" rounds: "round_up", floor(s + ½), "round_down", ceil(s − ½), "floor" or "ceil"
        """
        return self.emit("resample", x, size=tuple(size), method=method)[0]

    def resample_backward(self, dy: Value, *, spatial: Sequence[int], method: str) -> Value:
        """dx of ``resample`` for an x of these spatial sizes"""
        return self.emit("resample_backward", dy, spatial=tuple(spatial), method=method)[0]

    def pad(self, x: Value, padding: Sequence[tuple[int, int]]) -> Value:
        """x with (before, after) zeros on each axis, also the first; its backward pass is a ``slice`` of each axis"""
        pairs = tuple((int(before), int(after)) for before, after in padding)
        return self.emit("pad", x, padding=pairs)[0] if any(map(any, pairs)) else x

    # ------------------------------------------------------------ rows (the last axis)

    def softmax(self, x: Value) -> Value:
        """eˣ / Σ eˣ over the last axis, without overflow"""
        return self.emit("softmax", x)[0]

    def log_softmax(self, x: Value) -> Value:
        """x - log Σ eˣ over the last axis"""
        return self.emit("log_softmax", x)[0]

    def log_sum_exp(self, x: Value) -> Value:
        """log Σ eˣ over the last axis, which disappears"""
        return self.emit("log_sum_exp", x)[0]

    def argmax(self, x: Value) -> Value:
        """Index of the first largest element of each row, as int"""
        return self.emit("argmax", x)[0]

    def softmax_cross_entropy(self, z: Value, y: Value, *, label_smoothing: float = 0.0) -> tuple[Value, Value]:
        """Per row (ℓ, dℓ/dz) with ℓ = log Σ eᶻ - Σ t z and dℓ/dz = softmax(z) - t.

        t is y as one-hot (int) or as a distribution (float), smoothed to (1 - s) t + s / K.
        """
        loss, dz = self.emit("softmax_cross_entropy", z, y, label_smoothing=float(label_smoothing))
        return loss, dz

    # ------------------------------------------------------------ sequences (N, T, ...); see ops/recurrent.py

    def watch(self, name: str, value: Value) -> None:
        """Notes a value inside the current layer for whoever traces the network; nothing is computed for it otherwise"""
        self.watched.append((self.where.layer, name, value))

    def mask_of(self, x: Value) -> Value | None:
        """The mask (N, T) of a value (N, T, ...), 1 where a step counts and 0 where it is padding; None: all count"""
        return self._masks.get(id(x))

    def set_mask(self, x: Value, mask: Value | None) -> None:
        """Says which steps of x count, for the layers that x goes to"""
        if mask is not None:
            if mask.shape != x.shape[:2]:
                raise ShapeError(f"a mask of shape {mask.shape} does not fit sequences of shape {x.shape}.")
            self._masks[id(x)] = mask
            self._masked.append(x)

    def _sequence(self, op: str, fixed: Sequence[Value], given: dict[str, Value | None], **attrs: Any) -> tuple[Value, ...]:
        present = {name: v for name, v in given.items() if v is not None}
        return self.emit(op, *fixed, *present.values(), given=tuple(present), **attrs)

    def simple_rnn(
        self,
        a: Value,
        u: Value,
        *,
        activation: str,
        h0: Value | None = None,
        mask: Value | None = None,
        reverse: bool = False,
    ) -> Value:
        """h (N, T, H) with hₜ = activation(aₜ + hₜ₋₁ U); activation is "tanh" or "relu"."""
        return self._sequence("simple_rnn", (a, u), {"h0": h0, "mask": mask}, activation=activation, reverse=reverse)[0]

    def simple_rnn_backward(
        self,
        h: Value,
        u: Value,
        *,
        activation: str,
        reverse: bool = False,
        truncate: int = 0,
        **given: Value | None,
    ) -> tuple[Value, Value, Value]:
        """(da, dh₀, dhₜ for every step); given: h0, mask, dh, dh_last"""
        attrs = {"activation": activation, "reverse": reverse, "truncate": truncate}
        da, dh0, dh = self._sequence("simple_rnn_backward", (h, u), given, **attrs)
        return da, dh0, dh

    def lstm(
        self,
        a: Value,
        u: Value,
        *,
        h0: Value | None = None,
        c0: Value | None = None,
        mask: Value | None = None,
        reverse: bool = False,
    ) -> tuple[Value, Value, Value]:
        """(h, c, gates) of all steps; gates hold [i f g o] after their activations, (N, T, 4H)"""
        h, c, gates = self._sequence("lstm", (a, u), {"h0": h0, "c0": c0, "mask": mask}, reverse=reverse)
        return h, c, gates

    def lstm_backward(
        self, c: Value, u: Value, gates: Value, *, reverse: bool = False, truncate: int = 0, **given: Value | None
    ) -> tuple[Value, Value, Value, Value]:
        """(da, dh₀, dc₀, dhₜ for every step); given: c0, mask, dh, dh_last, dc_last"""
        da, dh0, dc0, dh = self._sequence("lstm_backward", (c, u, gates), given, reverse=reverse, truncate=truncate)
        return da, dh0, dc0, dh

    def gru(
        self,
        a: Value,
        u: Value,
        *,
        reset: str,
        bias: Value | None = None,
        h0: Value | None = None,
        mask: Value | None = None,
        reverse: bool = False,
    ) -> tuple[Value, Value]:
        """(h, gates); gates hold [r z n q], (N, T, 4H), with q = h U + b for reset="after", else r ⊙ h."""
        given = {"bias": bias, "h0": h0, "mask": mask}
        h, gates = self._sequence("gru", (a, u), given, reset=reset, reverse=reverse)
        return h, gates

    def gru_backward(
        self,
        h: Value,
        u: Value,
        gates: Value,
        *,
        reset: str,
        reverse: bool = False,
        truncate: int = 0,
        **given: Value | None,
    ) -> tuple[Value, Value, Value, Value]:
        """(da, gradient of the recurrent product, dh₀, dhₜ for every step); given: bias, h0, mask, dh, dh_last"""
        attrs = {"reset": reset, "reverse": reverse, "truncate": truncate}
        da, du, dh0, dh = self._sequence("gru_backward", (h, u, gates), given, **attrs)
        return da, du, dh0, dh

    def previous(self, h: Value, *, h0: Value | None = None, reverse: bool = False) -> Value:
        """The states one step before: hₜ₋₁ at t (hₜ₊₁ with reverse), h0 or 0 at the first"""
        return self._sequence("previous", (h,), {"h0": h0}, reverse=reverse)[0]

    def sequence_mask(self, lengths: Value, steps: int) -> Value:
        """(N, T): 1 at the first ``lengths[n]`` of T steps, else 0"""
        return self.emit("sequence_mask", lengths, steps=steps)[0]

    def attention(
        self,
        q: Value,
        k: Value,
        v: Value,
        *,
        scale: float,
        causal: bool = False,
        mask: Value | None = None,
        keep: Value | None = None,
    ) -> tuple[Value, Value]:
        """(Y, P) with P = softmax(scale Q Kᵀ) over the keys and Y = (P ⊙ keep) V, for each sample and head.

        q (N, T, heads, D), k (N, S, heads, D), v (N, S, heads, E) give Y (N, T, heads, E), P (N, heads, T, S).
        Keys where the mask (N, S) is 0 get probability 0, and with ``causal`` those with s − S > t − T; a query that may
        look
        at no key gets Y = 0. keep (N, heads, T, S) is dropout's.
        """
        y, p = self._sequence("attention", (q, k, v), {"mask": mask, "keep": keep}, scale=float(scale), causal=causal)
        return y, p

    def attention_backward(
        self, dy: Value, q: Value, k: Value, v: Value, p: Value, *, scale: float, keep: Value | None = None
    ) -> tuple[Value, Value, Value]:
        """(dQ, dK, dV) of ``attention``"""
        dq, dk, dv = self._sequence("attention_backward", (dy, q, k, v, p), {"keep": keep}, scale=float(scale))
        return dq, dk, dv

    # ------------------------------------------------------------ moving elements

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The same elements in another shape; one size may be -1"""
        sizes = list(shape)
        if -1 in sizes:
            known = prod(s for s in sizes if s != -1)
            sizes[sizes.index(-1)] = x.size // known if known else 0
        return x if tuple(sizes) == x.shape else self.emit("reshape", x, shape=tuple(sizes))[0]

    def transpose(self, x: Value, axes: Sequence[int] | None = None) -> Value:
        """The axes in another order (reversed by default)"""
        return self.emit("transpose", x, axes=tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))[0]

    def concat(self, xs: Sequence[Value], axis: int = -1) -> Value:
        """The arrays one after the other along an axis"""
        return self.emit("concat", *xs, axis=axis % xs[0].ndim)[0]

    def slice(self, x: Value, axis: int, start: int, stop: int) -> Value:
        """x[..., start:stop, ...] along an axis"""
        return self.emit("slice", x, axis=axis % x.ndim, start=start, stop=stop)[0]

    def gather(self, table: Value, index: Value) -> Value:
        """Rows of the table: table[index]"""
        return self.emit("gather", table, index)[0]

    def scatter_add(self, index: Value, x: Value, *, rows: int) -> Value:
        """A (rows, width) matrix with each row of x added at its index: the backward pass of gather"""
        return self.emit("scatter_add", index, x, rows=rows)[0]

    def unique_rows(self, index: Value, rows: int) -> tuple[Value, Value]:
        """The rows that occur among the indices, each once, and at which place of these each index is.

        There are min(size of index, rows) places; those that are left over hold −1. Indices outside 0, ..., rows − 1 have
        place −1.
        """
        found, place = self.emit("unique_rows", index, rows=rows)
        return found, place

    def take_rows(self, table: Value, rows: Value) -> Value:
        """table[rows], with zeros where a row is −1"""
        return self.emit("take_rows", table, rows)[0]

    def by_rows(self, table: Value, rows: Value) -> Value:
        """These rows of a parameter or slot; what is assigned to them goes back to their places, and no other row is
        touched"""
        taken = self.take_rows(table, rows)
        taken.name = table.name
        self._rows[id(taken)] = (table, rows, taken)
        return taken

    def one_hot(self, index: Value, classes: int) -> Value:
        """1.0 at each index, else 0.0, on a new last axis"""
        return self.emit("one_hot", index, classes=classes)[0]
