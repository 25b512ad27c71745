"""Outputs that are not numbers although the inputs are, such as those of a normalisation whose squares overflow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.batches import Batches
from ..data.sequences import Sequences
from ..data.sparse import SparseRows
from ..engine.reference import ReferenceEngine
from ..errors import ChainruleError, DataError
from ..network import NetworkGraph
from ..network.origins import Origins, narrowed
from ..ops import Node, SparseMatrix
from ..plan import lower_prediction
from .intake import input_arrays, input_dtypes

__all__ = ["require_numbers", "source_of"]

Array = NDArray[Any]


def require_numbers(network: NetworkGraph | None, X: Any, outputs: Any) -> None:
    """DataError, with the layer that it comes from, where an output for X is not a number; infinities are let through.

    Parameters  network : that is asked where the first NaN comes from; None for one whose layers are not kept
                outputs : an array or Sequences, or a tuple of them for several outputs
    """
    for output in outputs if isinstance(outputs, tuple) else (outputs,):
        values = output.values if isinstance(output, Sequences) else output
        with np.errstate(over="ignore", invalid="ignore"):
            # One sum finds every NaN; where infinities meet it is one itself.
            if values.dtype.kind != "f" or not math.isnan(np.add.reduce(values, axis=None)):
                continue
        bad = np.asarray(np.isnan(values.reshape(len(values), -1)).any(axis=1))
        if not bad.any():
            continue
        if isinstance(output, Sequences):
            bad = np.array([bad[a:b].any() for a, b in zip(output.offsets[:-1], output.offsets[1:], strict=True)])
        row = int(bad.argmax())
        source = "" if network is None else source_of(network, X, row)
        raise DataError(
            f"predict: the outputs of the network are not numbers (NaN) for {int(bad.sum())} of {len(bad)} samples, first "
            f"for X[{row}]{largest_value(X, row)}. {source}Look for wrong values in X there, or scale X as it was scaled in "
            "training."
        )


def largest_value(X: Any, row: int) -> str:
    """ ", whose largest value is 3e+20", where X is one array of numbers."""
    sample = X[row : row + 1].dense() if isinstance(X, SparseRows) else X[row] if isinstance(X, np.ndarray) else None
    if sample is None or not sample.size or sample.dtype.kind != "f":
        return ""
    return f", whose largest value is {float(np.abs(sample).max()):.3g}"


def source_of(network: NetworkGraph, X: Any, row: int) -> str:
    """A sentence on where the first number that is not finite comes from in the outputs for a sample; "" when that cannot be
    found out."""
    for name, array in network.parameters.items():
        if not np.isfinite(array).all():
            return f"The parameter {name!r} of the network itself is not finite. "
    if isinstance(X, Batches):
        return ""
    try:
        xs = input_arrays(network, X)
        if network.samples is not None or any(isinstance(x, SparseMatrix) for x in xs):
            return ""
        several = [np.asarray(x[row])[None] if isinstance(x, Sequences) else x[row : row + 1] for x in xs]
        origins = Origins.of(network)
        pairs = zip(several, input_dtypes(network), strict=True)
        inputs = {f"x{i}": narrowed(x, d, origins.arrays.get(f"x{i}")) for i, (x, d) in enumerate(pairs)}
        shapes = [x.shape[1:] for x in inputs.values()]
        plan = lower_prediction(network, 1, shapes=shapes, taken_out=origins.states)
        executable = ReferenceEngine(network.dtype).compile(plan, network.arenas())
        first: list[tuple[Node, bool]] = []

        def watch(node: Node, results: tuple[Array, ...]) -> None:
            if not first and not all(np.isfinite(r).all() for r in results if r.dtype.kind == "f"):
                first.append((node, any(np.isinf(r).any() for r in results if r.dtype.kind == "f")))

        executable.watch = watch
        with np.errstate(all="ignore"):
            executable.run(inputs)
    except ChainruleError:
        return ""
    if not first or not first[0][0].where.layer:
        return ""
    node, overflowed = first[0]
    why = f", whose numbers become larger than {network.dtype} can hold" if overflowed else ""
    return f"The first number that is not finite comes from layer {node.where.layer!r} (op {node.op!r}){why}. "
