"""What a network loses and gains by weights and activations of 8 bits."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..constraints import Interval
from ..errors import ParameterError
from ..training.packed import PackedNetwork
from ..training.quantization import quantize
from ..training.trainable import Trainable
from .comparison import (
    BATCHES,
    Candidate,
    Measure,
    Unmeasured,
    as_text,
    candidates,
    cells,
    checked_batches,
    first_inputs,
    head,
)
from .weights import check_network

__all__ = ["Quantization", "quantization"]

#: A network must be so many times as fast, for one of the batch sizes, to be called faster.
_FASTER = 1.1


@dataclass(frozen=True)
class Quantization:
    """A network of float32 beside the same with 8 bits; ``print`` shows them as a table.

    Attributes
        measure : how good a network is ; tolerance : how much of it may be lost ; dense, int8 : the networks, measured
    """

    measure: Measure
    tolerance: float
    dense: Candidate
    int8: Candidate

    @property
    def within(self) -> bool:
        """Whether the network of 8 bits is as good as the tolerance asks for."""
        return self.measure.loss(self.int8.score, self.dense.score) <= self.tolerance

    @property
    def faster(self) -> bool:
        """Whether its predictions are faster on this machine for one of the batch sizes."""
        return any(self.dense.seconds[b] / s >= _FASTER for b, s in self.int8.seconds.items())

    @property
    def network(self) -> Any:
        """The network of 8 bits where it is within the tolerance, else the one of float32."""
        return self.int8.network if self.within else self.dense.network

    def conclusion(self) -> str:
        """What the measurements say, in sentences."""
        dense, int8, name = self.dense, self.int8, self.measure.name
        within = f"{self.tolerance:g}" if self.measure.higher else f"{self.tolerance:.1%}"
        change = f"its {name} is {int8.score:.4f} against {dense.score:.4f}"
        if not self.within:
            return (
                f"With 8 bits the network loses more than {within}: {change}. It stays as it is. Leave out the layers that "
                f"suffer most (layers= in Python), or allow a larger tolerance."
            )
        smaller = f"the file is {dense.file_bytes / int8.file_bytes:.1f} times smaller"
        times = " and ".join(
            f"{dense.seconds[b] / s:.2f} times as fast for {'1 sample' if b == 1 else f'{b:,} samples'}"
            for b, s in int8.seconds.items()
        )
        if self.faster:
            return f"With 8 bits {change}, {smaller}, and predictions are {times}."
        return (
            f"With 8 bits {change} and {smaller}, but predictions are not faster on this processor ({times}). Layers for "
            f"which float32 is faster are computed in float32."
        )

    def rows(self) -> list[tuple[str, ...]]:
        """The head and the rows of the table."""
        columns = head(self.measure.name, list(self.dense.seconds))
        return [columns, *(cells(one, self.dense) for one in (self.dense, self.int8))]

    def __str__(self) -> str:
        return f"{as_text(self.rows())}\n{self.conclusion()}"

    def to_dict(self) -> dict[str, Any]:
        """Everything that was measured as plain data, ready for JSON."""
        return {
            "measure": self.measure.name,
            "higher_is_better": self.measure.higher,
            "tolerance": self.tolerance,
            "float32": self.dense.to_dict(),
            "int8": self.int8.to_dict(),
            "within_tolerance": self.within,
            "faster": self.faster,
        }


def quantization(
    network: Trainable,
    X: Any,
    y: Any = None,
    *,
    calibrate: Any = None,
    layers: Iterable[str] | None = None,
    tolerance: float = 0.005,
    metric: Any = None,
    measure: Measure | None = None,
    batches: Sequence[int] = BATCHES,
) -> Quantization:
    """Quantizes a copy of a trained network to 8 bits, and measures both.

    Parameters
        X, y : samples to measure on, as of ``evaluate`` ; calibrate : samples for the scales, as of ``predict``; None: X
        layers : as of ``Network.quantize`` ; tolerance, metric, measure, batches : as of ``frontier``
    Raises      as ``Network.quantize`` and ``evaluate``

    Example
        >>> import numpy as np
        >>> from chainrule import Dense, Network
        >>> from chainrule.layers import ReLU
        >>> X = np.random.default_rng(0).normal(size=(400, 8)).astype("float32")
        >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
        >>> net = Network([Dense(64), ReLU(), Dense(2)], random_state=0)
        >>> net = net.fit(X, y, epochs=20, learning_rate=0.01, verbose=0)
        >>> quantization(net, X, y, tolerance=0.02).within
        True
    """
    lost, sizes = Interval(float, 0).check("quantization", "tolerance", tolerance), checked_batches("quantization", batches)
    check_network("quantize", network)
    if X is None and measure is None:
        raise ParameterError("quantization: give samples to measure on, or measure=.")
    own = measure or Measure.on(network, X, y, metric=metric)
    found = quantize(network, X if calibrate is None else calibrate, network._runtime.engine(), layers=layers)
    packed = copy.deepcopy(found)
    packed._packed = PackedNetwork(found, network._runtime.engine())
    scores = [own.of(network), own.of(packed)]
    names, networks = ("float32", "int8"), (network, found)
    inputs = first_inputs(network, X if calibrate is None else calibrate, y if calibrate is None else None, max(sizes))
    both = [Unmeasured(n, one, 0.0, score) for n, one, score in zip(names, networks, scores, strict=True)]
    dense, int8 = candidates(both, inputs, sizes)
    return Quantization(own, float(lost), dense, int8)
