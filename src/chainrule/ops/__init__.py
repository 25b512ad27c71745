"""The closed set of operations that layers, losses and optimizers are written in, and the Builder that emits them.

table.py                what is known of an op, and the table of all ops
value.py                values and nodes: what a plan is made of
emitter.py              how a node is emitted
elementwise.py, product.py, sparse.py, reduction.py, row.py, move.py, spatial.py (the geometry of images) with
convolution.py, pooling.py and resampling.py, recurrent.py, attention.py, alignment.py
                        the families: each op's entry, its shape rule, its FLOPs, its equation and the Builder's method
builder.py              the Builder: all families, and what layers know beside ops
compressed.py           products with constant sparse weights, with signs of one bit, and with weights of 8 bits
kept.py                 products with the kept weights of a mask, in training
sparse_matrix.py, sign_matrix.py, int8_weights.py
                        a constant sparse matrix; a constant matrix of signs; constant weights of 8 bits
memory.py               aligned arrays
"""

from .builder import Builder, Saved
from .int8_weights import Int8Weights
from .memory import aligned_zeros, round_up
from .sign_matrix import SignMatrix
from .sparse_matrix import SparseMatrix
from .table import OPS, OpSpec, node_bytes, node_flops
from .value import FREE, Node, Shape, Value, Where

__all__ = [
    "FREE",
    "OPS",
    "Builder",
    "Int8Weights",
    "Node",
    "OpSpec",
    "Saved",
    "Shape",
    "SignMatrix",
    "SparseMatrix",
    "Value",
    "Where",
    "aligned_zeros",
    "node_bytes",
    "node_flops",
    "round_up",
]
