"""The outputs of a network for any number of samples, and the gradient of its loss by the inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.batches import Batches
from ..data.sequences import Sequences
from ..errors import ParameterError
from ..network import NetworkGraph
from ..network.origins import Origins, narrowed
from ..network.parameters import kind_of
from ..network.store import changes
from ..ops.value import FREE, Shape
from ..plan import Plan, lower_prediction
from .batch_intake import DataSetIntake
from .feeds import ArrayFeed, SequenceFeed
from .intake import Intake, dense_and_constant, input_arrays, input_dtypes, read_sparse
from .objective import Objective
from .runtime import Repeated, Runtime

__all__ = ["loss_and_input_gradient", "predict", "predict_repeated", "predict_sequences", "samples_at_once"]

Array = NDArray[Any]
#: Parameters of networks that are kept in a second order for predictions, too: a quarter of a gigabyte.
_MOST_LAID_OUT = 1 << 26


def predict_repeated(network: NetworkGraph, runtime: Runtime, X: Any, batch_size: Any) -> Array | None:
    """The outputs where X is of the same kind as in the last prediction; None where it has to be looked at closely.

    A small network answers in microseconds, so little is checked here: the type, the shape, and that all numbers are finite.
    """
    repeated = runtime.repeated
    if repeated is None or type(X) is not np.ndarray or X.shape != repeated.shape or X.dtype != network.dtype:
        return None
    parameters = network.parameters
    same = repeated.arena is parameters.blocks[0] and repeated.changes == changes() and X.flags.c_contiguous
    enough = batch_size is None or (type(batch_size) is int and len(X) <= batch_size)
    if not (same and enough and _all_finite(X)):
        return None
    compiled = repeated.compiled
    with compiled.lock:
        compiled.follow(parameters.stamp())
        found: Array = compiled.executable.predict(X)
        return found


def predict(network: NetworkGraph, runtime: Runtime, X: Any, batch_size: int | None) -> list[Any]:
    """One array, or Sequences, for each output. Parameters  as of ``Network.predict``"""
    if isinstance(X, Batches):
        return _predict_batches(network, runtime, DataSetIntake(X, network), batch_size)
    quick = needs_no_conversion(network, X)
    xs = [X] if quick else input_arrays(network, X)
    executables = runtime.predictors(network)
    origins = Origins.of(network)
    if any(isinstance(x, Sequences) for x in xs):

        def run(batch: int, shapes: Any, data: Mapping[str, Array]) -> Mapping[str, Array]:
            made = executables.get(
                ("predict", batch, shapes, *origins.states),
                lambda: _steady(lower_prediction(network, batch, shapes=shapes, taken_out=origins.states)),
            )
            with made.lock:
                made.follow(network.parameters.stamp())
                found: Mapping[str, Array] = made.executable.run(data)
            return found

        def expect(plans: int) -> None:
            executables.limit = max(executables.limit, plans)

        return predict_sequences(network, xs, batch_size, run, expect, origins)
    dense, constants = dense_and_constant(xs)
    # Whether rows are read as sparse ones depends on the network alone, so that no row's digits depend on the others.
    sparse = tuple(i for i, x in dense.items() if read_sparse(network, i, x))
    n, dtypes = len(xs[0]), input_dtypes(network)
    shapes = tuple(x.shape[1:] for x in xs)
    batch_size = network.samples or batch_size or network.samples_at_once(shapes)
    outputs = [f"output{i}" for i in range(len(network.output_ids))]
    whole: list[Array] = []
    for start in range(0, n, batch_size):
        stop = min(start + batch_size, n)
        batch = stop - start
        inputs = {}
        for i, x in dense.items():
            part = x if batch == n else x[start:stop]
            inputs[f"x{i}"] = part if i in sparse else narrowed(part, dtypes[i], origins.arrays.get(f"x{i}"))

        def lower(batch: int = batch) -> Plan:
            return _steady(
                lower_prediction(network, batch, shapes=shapes, constants=constants, taken_out=origins.states, sparse=sparse)
            )

        key = ("predict", batch, shapes, *(m.digest for m in constants.values()), *origins.states, sparse)
        compiled = executables.get(key, lower)
        with compiled.lock:
            compiled.follow(network.parameters.stamp())
            found = compiled.executable.run(inputs)
        found = {name: origins.restored(i, found[name]) for i, name in enumerate(outputs)}
        if batch == n:
            if quick and len(outputs) == 1 and not origins:
                runtime.repeated = Repeated(X.shape, network.parameters.blocks[0], compiled, changes())
            return [found[name] for name in outputs]
        if not whole:
            whole = [np.empty((n, *found[name].shape[1:]), found[name].dtype) for name in outputs]
        for array, name in zip(whole, outputs, strict=True):
            array[start:stop] = found[name]
    return whole


def _steady(plan: Plan) -> Plan:
    """The plan of a prediction, in which weights are laid out once and again only when they may have changed."""
    weights = {name: value for name, value in plan.arenas.items() if kind_of(name) == "parameters"}
    few = sum(value.size for value in weights.values()) <= _MOST_LAID_OUT
    return replace(plan, steady=frozenset(weights)) if few else plan


def needs_no_conversion(network: NetworkGraph, X: Any) -> bool:
    """Whether X is already what plans read: an array of the right dtype, shape and order, with finite numbers only."""
    if type(X) is not np.ndarray or network.input_shapes is None or len(network.input_shapes) != 1:
        return False
    right = X.dtype == network.dtype and X.flags.c_contiguous and X.shape[1:] == network.input_shapes[0] and len(X) > 0
    right = right and network.input_dtypes[0] == "float" and network.samples in (None, len(X))
    return right and _all_finite(X)


def _all_finite(X: Array) -> bool:
    """Whether a sum finds no infinity and no NaN; large numbers whose sum overflows are looked at more closely elsewhere."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(np.add.reduce(X, axis=None))


def _predict_batches(
    network: NetworkGraph, runtime: Runtime, intake: DataSetIntake, batch_size: int | None
) -> list[Any]:  # fmt: skip
    parts = []
    for batch in intake.batches(batch_size or network.samples_at_once()):
        inputs = batch.inputs[0] if len(batch.inputs) == 1 else list(batch.inputs)
        parts.append(predict(network, runtime, inputs, batch_size))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def loss_and_input_gradient(
    network: NetworkGraph, runtime: Runtime, intake: Intake, loss_weights: Sequence[float] | None, batch_size: int | None
) -> tuple[float, list[Array]]:
    """(J, dJ/dX of every input), for the mean J over all samples. Parameters  batch_size : samples computed at a time

    Raises      ParameterError when an input has no gradient (indices, a sparse matrix), or has samples of several lengths
    """
    if not isinstance(intake.feed, ArrayFeed):
        raise ParameterError("input_gradient: give arrays of one length, such as X.padded() of Sequences.")
    given = intake.objective
    if "int" in network.input_dtypes:
        raise ParameterError("input_gradient: an input of indices has no gradient.")
    if given.constants or given.sparse:
        raise ParameterError("input_gradient: the gradient of a sparse matrix would be dense. Give X.toarray().")
    objective = Objective(given.losses, given.forms, given.weights, loss_weights, taken_out=given.taken_out)
    executables = runtime.differentiators(network)
    n = intake.feed.n_samples
    parts: list[list[Array]] = [[] for _ in network.input_ids]
    loss = 0.0
    batch_size = network.samples or batch_size or network.samples_at_once(intake.feed.shapes)
    for piece in intake.feed.pieces(batch_size, lambda batch, shapes: 1):

        def lower(batch: int = piece.batch, shapes: Any = piece.shapes) -> Plan:
            return objective.lower(
                network, None, batch, shapes, training=False, input_gradients=True, parameter_gradients=False
            )

        compiled = executables.get((piece.batch, piece.shapes, *objective.full_key), lower)
        with compiled.lock:
            found = compiled.executable.run({name: piece.data[name] for name in compiled.executable.plan.inputs})
        loss += float(found["loss"]) * piece.batch / n
        for i, part in enumerate(parts):
            dx = found.get(f"dx{i}", np.zeros((piece.batch, *piece.shapes[i]), network.dtype))
            part.append(dx * dx.dtype.type(piece.batch / n))
    return loss, [np.concatenate(part) for part in parts]


def samples_at_once(network: NetworkGraph, arrays: Mapping[str, Array | Sequences]) -> int:
    """``network.samples_at_once`` for the longest of the samples x0, x1, ..., or where none are given."""
    xs = [arrays[f"x{i}"] for i in range(len(network.input_ids)) if f"x{i}" in arrays]
    longest = [(int(x.lengths.max()), *x.values.shape[1:]) if isinstance(x, Sequences) else x.shape[1:] for x in xs]
    return network.samples_at_once(longest if len(longest) == len(network.input_ids) else None)


def predict_sequences(
    network: NetworkGraph,
    xs: Sequence[Array | Sequences],
    batch_size: int | None,
    run: Callable[[int, Any, Mapping[str, Array]], Mapping[str, Array]],
    expect: Callable[[int], None],
    origins: Origins,
) -> list[Any]:
    """The outputs for inputs of which some are Sequences, in the order of the samples.

    An output that has other steps than its sample, as behind strides, is cut to those that the sample has by itself.

    Parameters
        run : gives the outputs of a batch of samples of one length, from (samples, shapes of the inputs, arrays)
        expect : is told first how many plans ``run`` needs, so that none of them is thrown away in between
        origins : that the plans of ``run`` have taken out
    """
    dtypes = {f"x{i}": np.int32 if d == "int" else network.dtype for i, d in enumerate(network.input_dtypes)}
    exact = [f"x{i}" for i, reads in enumerate(network.reads_padding()) if reads]
    feed = SequenceFeed({f"x{i}": x for i, x in enumerate(xs)}, dtypes, exact=exact, origins=origins.arrays)
    expect(feed.plans)
    lengths = [x.lengths for x in xs if isinstance(x, Sequences)]
    free = [FREE in shape for shape in network.output_shapes]
    found: list[list[Array]] = [[] for _ in network.output_ids]
    batch_size = batch_size or samples_at_once(network, feed.arrays)
    rows = feed.batches(batch_size)
    known: dict[tuple[Shape, ...], list[Shape]] = {}

    def own_steps(output: int, sample: int, steps: int, padded: Sequence[Shape]) -> int:
        if not any(isinstance(x, Sequences) and x.lengths[sample] < shape[0] for x, shape in zip(xs, padded, strict=True)):
            return steps
        shapes = tuple(
            (int(x.lengths[sample]), *shape[1:]) if isinstance(x, Sequences) else shape
            for x, shape in zip(xs, padded, strict=True)
        )
        if shapes not in known:
            known[shapes] = network.outputs_for(shapes)
        return known[shapes][output][0]

    for piece, which in zip(feed.pieces(batch_size, lambda batch, shapes: 1), rows, strict=True):
        outputs = run(piece.batch, piece.shapes, piece.data)
        for i, parts in enumerate(found):
            z = origins.restored(i, outputs[f"output{i}"])
            if not free[i]:
                parts.append(z)
                continue
            steps: Any = next(
                (one[which] for one, shape in zip(lengths, piece.shapes, strict=False) if shape[0] == z.shape[1]), None
            )
            if steps is None:
                steps = [own_steps(i, int(n), z.shape[1], piece.shapes) for n in which]
            parts.extend(z[n, :t] for n, t in enumerate(steps))
    order = np.concatenate(rows)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    whole: list[Array | Sequences] = []
    for i, parts in enumerate(found):
        whole.append(Sequences([parts[n] for n in back]) if free[i] else np.concatenate(parts)[back])
    return whole
