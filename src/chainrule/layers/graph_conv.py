"""Graph convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constraints import Boolean, Interval
from ..errors import DtypeError, ParameterError
from ..ops import SparseMatrix
from ..ops.value import Shape
from .base import Builder, Layer, Parameter, Saved, ShapeError, Value
from .regularizers import MAYBE_REGULARIZER, Regularizer
from .weight_constraints import MAYBE_WEIGHT_CONSTRAINT, WeightConstraint


class GraphConv(Layer):
    """Graph convolution ``z = Â x W + b`` with ``Â = D^(−½) (A + I) D^(−½)``: every node mixes the features of its
    neighbours and its own, then all nodes go through one affine map.

    The graph is given once, with the layer, and the samples are its nodes: X has one row a node, and a batch is the whole
    graph, in training and prediction alike. A is the adjacency, D holds the sums of the rows of A + I. The smaller product
    comes first: Â (x W) where O ≤ I, else (Â x) W.

    Parameters
        units : int >= 1, number of outputs O
        adjacency : A of the nodes (nodes, nodes): a SparseMatrix (``SparseMatrix.from_edges(edges, nodes=...)``), a
        matrix of
            scipy.sparse, a square array, or an array of edges (edges, 2), each counted in both directions
        normalise : bool = True ; False takes Â = A as it is, or A + I
        self_loops : bool = True, whether I is added
        bias : bool = True ; weight_init : Initializer or its name = "glorot_uniform", as in the paper ; bias_init = "zeros"
                weight_regularizer, weight_constraint : a Regularizer and a WeightConstraint of the weights, or None
    Shapes      x (nodes, I) ; weight W (I, O) ; bias b (O,) ; z (nodes, O)
    Backward    du = Âᵀ dz ; dW = xᵀ du ; dx = du Wᵀ ; db = Σₙ dz
    Raises      ShapeError when the adjacency is not square or has not one row for each row of x ; ParameterError, DataError
                when it is none of these, or an argument is out of range
    References  Kipf and Welling, Semi-supervised classification with graph convolutional networks, ICLR 2017

    Example
        >>> ring = SparseMatrix.from_edges([(0, 1), (1, 2), (2, 3), (3, 0)])
        >>> GraphConv(16, ring)
        GraphConv(16, adjacency=SparseMatrix(4×4, 8 entries))
    """

    linear = True
    width_argument = "units"
    channel_map = "dense"
    hyperparameters = {
        "units": Interval(int, 1),
        "normalise": Boolean(),
        "self_loops": Boolean(),
        "bias": Boolean(),
        "weight_regularizer": MAYBE_REGULARIZER,
        "weight_constraint": MAYBE_WEIGHT_CONSTRAINT,
    }

    def __init__(
        self,
        units: int,
        adjacency: Any,
        *,
        normalise: bool = True,
        self_loops: bool = True,
        bias: bool = True,
        weight_init: Any = "glorot_uniform",
        bias_init: Any = "zeros",
        weight_regularizer: Regularizer | None = None,
        weight_constraint: WeightConstraint | None = None,
    ):
        self.units, self.adjacency, self.normalise, self.self_loops = units, adjacency, normalise, self_loops
        self.bias, self.weight_init, self.bias_init = bias, weight_init, bias_init
        self.weight_regularizer, self.weight_constraint = weight_regularizer, weight_constraint

    def validate(self) -> None:
        super().validate()
        _ = self.matrix

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, the adjacency as a SparseMatrix."""
        return {**super().config(), "adjacency": self._adjacency()}

    def _adjacency(self) -> SparseMatrix:
        """A, made once from what was given."""
        kept = self.__dict__.get("_made")
        if kept is None or kept[0] is not self.adjacency:
            kept = self.__dict__["_made"] = (self.adjacency, _read(self.adjacency))
        found: SparseMatrix = kept[1]
        return found

    @property
    def matrix(self) -> SparseMatrix:
        """Â, by which features are multiplied."""
        return self._adjacency().propagation(normalise=self.normalise, self_loops=self.self_loops)

    def samples(self) -> int:
        return self._adjacency().shape[0]

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        if len(shapes[0]) != 2:
            raise ShapeError(f"GraphConv: expected input (nodes, I), got {shapes[0]}; give each node a row of features.")
        inputs, units = shapes[0][1], int(self.units)
        rules: dict[str, Any] = {"regularizer": self.weight_regularizer, "constraint": self.weight_constraint}
        found = {"weight": Parameter((inputs, units), self.weight_init, fan_in=inputs, fan_out=units, **rules)}
        if self.bias:
            found["bias"] = Parameter((units,), self.bias_init, fan_in=inputs, fan_out=units, decay=False)
        return found

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        x, w, nodes = xs[0], k.param("weight"), self.samples()
        if x.shape[0] != nodes:
            raise ShapeError(
                f"GraphConv: the adjacency has {nodes} nodes, X has {x.shape[0]} rows. Give one row for each node, and all "
                f"nodes at once; edges that leave out the last nodes need SparseMatrix.from_edges(edges, "
                f"nodes={x.shape[0]})."
            )
        first = w.shape[1] <= w.shape[0] or x.sparse is not None
        mixed = None if first else self._mix(k, x)
        z = self._mix(k, k.matmul(x, w)) if mixed is None else k.matmul(mixed, w)
        if self.bias:
            z = k.add(z, k.param("bias"))
        return z, Saved(x=x, w=w, mixed=mixed)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value | None:
        x, w = saved.x, saved.w
        if self.bias:
            k.grad("bias", k.sum(dy, axis=0))
        if saved.mixed is not None:
            k.grad("weight", k.matmul(saved.mixed, dy, transpose_a=True))
            return self._mix(k, k.matmul(dy, w, transpose_b=True), transpose=True)
        du = self._mix(k, dy, transpose=True)
        k.grad("weight", k.matmul(x, du, transpose_a=True))
        return None if x.sparse is not None else k.matmul(du, w, transpose_b=True)

    def _mix(self, k: Builder, x: Value, *, transpose: bool = False) -> Value:
        return k.sparse_matmul(self.matrix, x, transpose=transpose, text="Â", latex=r"\hat{A}")


def _read(adjacency: Any) -> SparseMatrix:
    """The adjacency from what users hold."""
    matrix = adjacency
    if not isinstance(adjacency, SparseMatrix) and not hasattr(adjacency, "tocsr"):
        array = np.asarray(adjacency)
        if array.dtype.kind not in "biuf":
            raise DtypeError(f"GraphConv: adjacency must hold numbers. Got {type(adjacency).__name__} of {array.dtype}.")
        if array.shape == (2, 2) and array.dtype.kind in "iu":
            raise ParameterError(
                "GraphConv: an adjacency of shape (2, 2) may be a matrix or two edges. Say which: "
                "SparseMatrix.of(matrix) or SparseMatrix.from_edges(edges)."
            )
        if array.ndim == 2 and array.shape[1] == 2 and array.shape[0] != 2 and array.dtype.kind in "iu":
            return SparseMatrix.from_edges(array)
        matrix = array
    found = SparseMatrix.of(matrix, name="GraphConv: adjacency")
    if found.shape[0] != found.shape[1]:
        raise ShapeError(
            f"GraphConv: the adjacency must be square, one row and one column for each node. Got {found.shape[0]}×"
            f"{found.shape[1]}. A list of edges is an array of whole numbers (edges, 2)."
        )
    return found
