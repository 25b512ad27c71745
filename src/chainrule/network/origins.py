"""Offsets of inputs and targets that float32 has no digits for: they are taken out in the precision in which the data come.

A layer that takes its states from the data (``Layer.measures``) may name one that is to be subtracted, such as the mean of
Standardize. Where such a layer alone reads an input, or alone makes an output, the subtraction is done while the numbers are
narrowed for a plan, which has 0 in place of that state; what the plan gives for the output gets it back. Plans that read
the numbers as they are, such as those of exports, are not concerned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.sparse import SparseRows
from ..losses import Loss
from .graph import Call, NetworkGraph

__all__ = ["Origins", "concerned", "narrowed"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Origins:
    """What is subtracted from the arrays of a feed.

    Parameters
        arrays : {"x0": (C,), ...} by the names of a plan's inputs ; outputs : {0: (C,)}, what an output gets back
        states : the names of the states that are these offsets, for ``lower_prediction`` and its like
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    outputs: Mapping[int, Array] = field(default_factory=dict)
    states: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states)

    @classmethod
    def of(
        cls, network: NetworkGraph, losses: Sequence[Loss] | None = None, states: Mapping[str, Array] | None = None
    ) -> Origins:
        """What is to be subtracted from the data of a network that is built.

        Parameters  losses : of the outputs, since only a loss of the difference of output and target allows it for them;
                    None where there are no targets ; states : of the layers, None for those that they have now
        """
        found = concerned(network, losses)
        if not found:
            return cls()
        states = dict(network.states.items()) if states is None else states
        arrays: dict[str, Array] = {}
        names: list[str] = []
        for name, call in found.items():
            start = f"{call.name}."
            own = {full.removeprefix(start): a for full, a in states.items() if full.startswith(start)}
            if (found_origin := call.layer.origin(own)) is not None:
                state, arrays[name] = found_origin
                names.append(start + state)
        outputs = {int(name[1:]): origin for name, origin in arrays.items() if name[0] == "y"}
        return cls(arrays, outputs, tuple(names))

    def restored(self, i: int, output: Array) -> Array:
        """The output number i of a plan with what was taken out of it, in float64; others as they are."""
        origin = self.outputs.get(i)
        return output if origin is None else output + origin


def concerned(network: NetworkGraph, losses: Sequence[Loss] | None = None) -> dict[str, Call]:
    """{"x0": the only use of the input, ..., "y0": what makes the output, ...} of the arrays that may have an origin.

    Parameters  losses : as of ``Origins.of``
    """
    found: dict[str, Call] = {}
    if network.dtype == "float64" or not any(call.layer.measures for call in network.calls):
        return found
    for i, at in enumerate(network.input_ids):
        readers = [call for call in network.calls if at in call.inputs]
        if at not in network.output_ids and len(readers) == 1 and _alone(network, readers[0], "inputs"):
            found[f"x{i}"] = readers[0]
    for i, at in enumerate(network.output_ids):
        maker = next((call for call in network.calls if call.output == at), None)
        read_again = network.output_ids.count(at) > 1 or any(at in call.inputs for call in network.calls)
        of_differences = losses is None or losses[i].of_differences
        if maker is not None and not read_again and of_differences and _alone(network, maker, "targets"):
            found[f"y{i}"] = maker
    return found


def _alone(network: NetworkGraph, call: Call, measured: str) -> bool:
    """Whether the call is the only use of a layer that measures this data."""
    return call.layer.measures == measured and sum(other.name == call.name for other in network.calls) == 1


def narrowed(array: Array | SparseRows, dtype: Any, origin: Array | None = None) -> Array:
    """The array in C order and in the dtype, after its origin was subtracted in float64; sparse rows become dense ones.

    Example
        >>> narrowed(np.array([[5_300_000.05], [5_300_000.10]]), np.float32, np.array([5_300_000.0])).tolist()
        [[0.05000000074505806], [0.10000000149011612]]
    """
    if isinstance(array, SparseRows):
        array = array.dense()
    if origin is None:
        return np.ascontiguousarray(array, dtype)
    axes = np.shape(array)
    # A target (N,) belongs to an output (N, 1).
    out = np.empty(axes, dtype)
    np.subtract(
        array, origin if len(axes) > 1 or origin.size != 1 else origin[0], out=out, dtype=np.float64, casting="unsafe"
    )
    return out
