"""Every compiled kernel by name. Importing this module imports Numba and compiles; only ``library.py`` does so."""

from __future__ import annotations

from typing import Any

from .elementwise import elementwise
from .moments import moments
from .move import copy_blocks, feed, feed_scalars, gather, keep_scalar, one_hot, permute, scatter_add, to_bfloat16
from .pictures import resample
from .product import primitive, row_product, sgemm
from .reduce import reduce
from .rows import argmax, softmax, softmax_cross_entropy
from .runner import run_job, work_forever
from .sparse import sparse_product

KERNELS: dict[str, Any] = {
    f.__name__: f
    for f in (
        elementwise, copy_blocks, feed, feed_scalars, gather, keep_scalar, one_hot, permute, primitive, scatter_add,
        row_product, sgemm, to_bfloat16, moments,
        reduce, argmax, softmax, softmax_cross_entropy, run_job, work_forever, sparse_product,
        resample,
    )
}  # fmt: skip
