"""From a trained network to one whose weights are whole numbers of 8 bits: what its products read decides their scales."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.batches import Batches
from ..data.sequences import Sequences
from ..data.sparse import SparseRows
from ..engine.base import Engine
from ..errors import DataError, ParameterError
from ..network import Int8, LowPrecision, Masked, NetworkGraph
from ..network.origins import Origins, narrowed
from ..ops import SparseMatrix
from ..ops.int8_weights import HIGHEST, quantised
from ..ops.memory import aligned_copy
from ..plan import lower_prediction, optimise
from ..plan.frozen import Frozen, FrozenWeight, Inputs, arenas_in_use
from .batch_intake import DataSetIntake
from .intake import input_arrays, input_dtypes
from .packed import value_of
from .prediction import predict_sequences

__all__ = ["quantize"]

Array = NDArray[Any]
N = TypeVar("N", bound=NetworkGraph)
#: Samples that are looked at at most, and numbers of each product that are kept of each batch and in all.
_SAMPLES, _KEPT_OF_A_BATCH, _KEPT = 1024, 1 << 15, 1 << 18
#: Shares of the whole range of the inputs that are tried.
_SHARES = np.linspace(0.3, 1.0, 36)


def quantize(network: N, X: Any, engine: Engine, *, layers: Iterable[str] | None = None) -> N:
    """A copy whose weights are held as ``Int8``, with scales for the inputs of these samples. See ``Network.quantize``."""
    network.require_built("quantize")
    chosen = None if layers is None else {layers} if isinstance(layers, str) else set(layers)
    for layer in chosen or ():
        network.layer(layer)
    for full in network.parameters:
        if not np.isfinite(network.parameters[full]).all():
            raise DataError(
                f"quantize: the parameter {full!r} is not finite. Train the network again, or restore its weights."
            )
    found = {
        full: values
        for full, values in _numbers_read(network, X, engine).items()
        if (chosen is None or full.rpartition(".")[0] in chosen)
        and isinstance(network.representation(full), (type(None), Masked, LowPrecision))
    }
    if not found:
        which = "the network" if chosen is None else f"layers={sorted(chosen)}"
        raise ParameterError(
            f"quantize: {which} has no weights of 32 bits that a product reads. Dense and convolutional layers have such."
        )
    made = copy.deepcopy(network)
    for full, values in found.items():
        inputs = _inputs_for(values)
        made.represent(full, None)
        made.represent(full, Int8(inputs.scale, inputs.zero))
    return made


def _numbers_read(network: NetworkGraph, X: Any, engine: Engine) -> dict[str, Array]:
    """Maps each parameter that products read to a sample of the numbers by which it is multiplied."""
    weights = {full: FrozenWeight(value_of(network, full), lambda *_: False) for full in network.parameters}
    frozen = Frozen(weights, {full: np.array(network.states[full]) for full in network.states})
    rng, seen, origins = np.random.default_rng(0), dict[str, list[Array]](), Origins.of(network)

    def run(batch: int, shapes: Any, data: Mapping[str, Array]) -> Mapping[str, Array]:
        for weight in weights.values():
            weight.read = []
        plan = lower_prediction(network, batch, shapes=shapes, frozen=frozen, taken_out=origins.states)
        wanted = {f"read{i}:{full}": v for full, w in weights.items() for i, v in enumerate(w.read or ())}
        made = {name: v for name, v in wanted.items() if v.role != "input"}
        plan = optimise(replace(plan, outputs={**plan.outputs, **made}))
        used = arenas_in_use(plan.nodes, plan.outputs)
        plan = replace(plan, arenas=used)
        found = engine.compile(plan, {name: aligned_copy(frozen.arena(name)) for name in plan.arenas}).run(data)
        for name, value in wanted.items():
            numbers = np.asarray(found[name] if name in made else data[str(value.name)]).reshape(-1)
            # The outermost numbers are always among them.
            some = numbers if numbers.size <= _KEPT_OF_A_BATCH else rng.choice(numbers, _KEPT_OF_A_BATCH)
            ends = [numbers.min(), numbers.max()] if numbers.size else []
            seen.setdefault(name.partition(":")[2], []).append(np.concatenate([some, ends]).astype(np.float32))
        return found

    for xs in _batches(network, X):
        if any(isinstance(x, Sequences) for x in xs):
            predict_sequences(network, xs, None, run, lambda plans: None, origins)
            continue
        dtypes, shapes = input_dtypes(network), tuple(x.shape[1:] for x in xs)
        n = len(xs[0])
        step = network.samples or min(n, network.samples_at_once(shapes))
        for start in range(0, n, step):
            part = {
                f"x{i}": narrowed(x[start : start + step], t, origins.arrays.get(f"x{i}"))
                for i, (x, t) in enumerate(zip(xs, dtypes, strict=True))
            }
            run(len(part["x0"]), shapes, part)
    return {full: np.concatenate(parts)[-_KEPT:] for full, parts in seen.items()}


def _batches(network: NetworkGraph, X: Any) -> Iterable[list[Any]]:
    """The first samples, as arrays and Sequences."""
    if isinstance(X, Batches):
        left = _SAMPLES
        for batch in DataSetIntake(X, network).batches(min(256, network.samples_at_once())):
            yield [x[:left] for x in batch.inputs]
            left -= len(batch.inputs[0])
            if left <= 0:
                return
        return
    xs = input_arrays(network, X)
    if any(isinstance(x, SparseMatrix) for x in xs):
        raise ParameterError("quantize: a network of a graph takes no sparse matrix here. Give X.toarray().")
    xs = xs if network.samples is not None else [x[:_SAMPLES] for x in xs]
    yield [x.dense() if isinstance(x, SparseRows) else x for x in xs]


def _inputs_for(values: Array) -> Inputs:
    """The whole numbers that stand for these numbers with the least mean squared error."""
    low, high = min(0.0, float(values.min(initial=0))), max(0.0, float(values.max(initial=0)))
    if not np.isfinite([low, high]).all():
        raise DataError("quantize: a layer's inputs are not finite for these samples, so they have no scale.")
    if low == high:
        return Inputs(1.0, 0)
    tried = []
    for share in _SHARES:
        scale = float(np.float32(max(share * (high - low) / HIGHEST, float(np.finfo(np.float32).tiny))))
        zero = int(np.clip(np.rint(-share * low / scale), 0, HIGHEST))
        numbers = (quantised(values, scale, zero).astype(np.float32) - np.float32(zero)) * np.float32(scale)
        tried.append((float(np.mean(np.square(numbers - values, dtype=np.float64))), scale, zero))
    _, scale, zero = min(tried)
    return Inputs(scale, zero)
