"""From what users pass to fit, evaluate and predict to the arrays that a network's plans read."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import as_features, check_lengths, check_range
from ..data.batches import Batches
from ..data.resolution import in_words, lost_resolution
from ..data.sequences import Sequences
from ..data.series import overlaps
from ..data.sparse import SparseRows, is_sparse, sparse_rows
from ..errors import DataError, ParameterError, ShapeError
from ..layers import Layer
from ..losses import ElementwiseLoss, Loss, get_loss
from ..network import NetworkGraph
from ..network.graph import fits, shown
from ..network.origins import Origins, concerned
from ..ops import SparseMatrix
from ..ops.value import FREE, Shape
from ..plan.lower import takes_sparse
from .feeds import ArrayFeed, DataSetFeed, SequenceFeed, StreamFeed
from .objective import Objective
from .targets import element_weights, fit_target, pick_loss, sample_weights, target_array, weigh

Array = NDArray[Any]
#: Networks of fewer inputs get dense batches of a sparse matrix: their first product is quick in any case.
_FEWEST_SPARSE = 256
#: The largest share of entries of a sparse matrix that are not zero for which steps on sparse rows are the faster ones.
_DENSITY = 0.15
#: How many bytes of a memory map are checked at a time.
_CHECK_BYTES = 32 * 2**20


class Intake(NamedTuple):
    """Data ready for training or evaluation.

    Parameters
        feed : where steps read from
        objective : the losses, and how targets and weights are read; without factors of the losses and without metrics
        exact : {"y0": targets in float64} of outputs whose targets the feed merges, since its dtype cannot tell them apart
        inputs : as they were given, where some targets are exact ; origins : what the feed has subtracted
    """

    feed: ArrayFeed | SequenceFeed | StreamFeed | DataSetFeed
    objective: Objective
    exact: Mapping[str, Array] = MappingProxyType({})
    inputs: Sequence[Any] = ()
    origins: Origins = Origins()

    @property
    def losses(self) -> list[Loss]:
        """The losses, one for each output of the network."""
        return list(self.objective.losses)

    @property
    def masked(self) -> bool:
        """Whether no metric in a plan may count all targets of the first output: some are padding, or have no label."""
        unlabelled = self.losses[0].ignore_label is not None and self.objective.weights[0] == "element"
        return unlabelled or (isinstance(self.feed, SequenceFeed) and "w0" in self.feed.masks)


# ---------------------------------------------------------------- inputs


def input_dtypes(network: NetworkGraph) -> list[np.dtype[Any]]:
    """What each input becomes: the network's precision, or 32-bit indices."""
    return [np.dtype(np.int32 if d == "int" else network.dtype) for d in network.input_dtypes]


def reading_dtypes(network: NetworkGraph) -> list[np.dtype[Any]]:
    """What each input is read as: float64 where an offset may have to be taken out first, else what it becomes."""
    wide = concerned(network)
    return [np.dtype(np.float64) if f"x{i}" in wide else dtype for i, dtype in enumerate(input_dtypes(network))]


def input_arrays(network: NetworkGraph, X: Any, *, check: bool = True) -> list[Any]:
    """X as one checked array for each input of the network; memory maps stay on disk, Sequences stay as long as they are.

    Where offsets may have to be taken out, numbers keep the digits that they have (``Origins``).

    A sparse matrix becomes SparseRows; for a network of a graph, whose every batch is all of X, a SparseMatrix.

    Parameters  check : compare with the shapes that the network was built for
    Raises      ShapeError, DtypeError, DataError, each naming the array
    """
    dtypes = reading_dtypes(network)
    given = several(X, len(dtypes), "X", "input")
    found = []
    for i, (x, dtype) in enumerate(zip(given, dtypes, strict=True)):
        name = f"X[{i}]" if len(dtypes) > 1 else "X"
        own = getattr(x, "dtype", None)
        if dtype == np.float64 and isinstance(own, np.dtype) and np.can_cast(own, network.dtype):
            dtype = np.dtype(network.dtype)  # it has no more digits than that
        if network.samples is not None and (isinstance(x, (SparseMatrix, SparseRows)) or is_sparse(x)):
            array: Any = SparseMatrix.of(x.matrix if isinstance(x, SparseRows) else x, name=name)
        elif isinstance(x, SparseRows) or is_sparse(x):
            array = _sparse(x, dtype, name)
        else:
            ndim = 1 if network.input_is_scalar(i) else None
            array = _sequences(x, dtype, name) if isinstance(x, Sequences) else _input(x, dtype, name, ndim)
        if network.samples not in (None, len(array)):
            raise ShapeError(
                f"{name} has {len(array)} rows, but the graph of the network has {network.samples} nodes. Give one row for "
                f"each "
                f"node, all of them at once; labels of -1 leave nodes out of the loss."
            )
        if dtype == np.float64 and not isinstance(array, SparseMatrix):
            numbers = array.values if isinstance(array, Sequences) else array
            check_range(array.matrix.data if isinstance(array, SparseRows) else numbers, np.dtype(network.dtype), name)
        if check and network.input_shapes is not None:
            check_sample_shape(array, network.input_shapes[i], name)
        found.append(array)
    shapes = [array.shape[1:] for array in found]
    for i, array in enumerate(found):
        network.check_data(i, array, f"X[{i}]" if len(dtypes) > 1 else "X", shapes)
    check_lengths(**{f"X[{i}]" if len(found) > 1 else "X": a for i, a in enumerate(found)})
    return found


def _sparse(x: Any, dtype: np.dtype[Any], name: str) -> SparseRows | Array:
    """Sparse rows of numbers; indices of an embedding, which are few in each row, as an array."""
    if dtype.kind == "i":
        return _input((x.matrix if isinstance(x, SparseRows) else x).toarray(), dtype, name)
    return x.astype(dtype) if isinstance(x, SparseRows) else sparse_rows(x, name=name, dtype=dtype)


def read_sparse(network: NetworkGraph, place: int, rows: Any, *, density: float = 1.0) -> bool:
    """Whether the batches of an input are sparse rows to the network: where it takes them, and they are worth it.

    A network that has few inputs, or inputs that are not very sparse, is faster on dense batches.

    Parameters  rows : what ``input_arrays`` found ; density : the largest share of entries that is not zero
    """
    if not isinstance(rows, SparseRows) or rows.shape[1] < _FEWEST_SPARSE or rows.dtype != network.dtype:
        return False
    return rows.entries <= density * rows.shape[0] * rows.shape[1] and takes_sparse(network, place)


def dense_and_constant(xs: Sequence[Any]) -> tuple[dict[int, Any], dict[int, SparseMatrix]]:
    """What ``input_arrays`` found, by number: arrays, which are given at every run, and sparse matrices, which are not."""
    constants = {i: x for i, x in enumerate(xs) if isinstance(x, SparseMatrix)}
    return {i: x for i, x in enumerate(xs) if i not in constants}, constants


def _sequences(x: Sequences, dtype: np.dtype[Any], name: str) -> Sequences:
    if dtype.kind == "i" and x.dtype.kind not in "iub":
        good = x.values == np.rint(x.values)
        if not good.all():
            i = int(np.searchsorted(x.offsets, np.flatnonzero(~good.reshape(len(good), -1).all(axis=1))[0], "right")) - 1
            raise DataError(f"{name} must hold whole numbers, indices of an embedding. Got another in {name}[{i}].")
    check_range(x.values, dtype, name)
    return x.astype(dtype)


def _input(x: Any, dtype: np.dtype[Any], name: str, ndim: int | None = None) -> Array:
    shared = isinstance(x, np.ndarray) and overlaps(x)
    on_disk = isinstance(x, np.memmap) and x.dtype != dtype
    if (on_disk or shared) and x.dtype.kind in "biuf" and x.ndim > 1 and x.size:
        # Converting would load the whole file, or copy each step as often as there are windows with it; so it is checked
        # part by part here and converted when it is read.
        if x.dtype.kind == "f" or dtype.kind == "i":
            rows = max(1, _CHECK_BYTES // max(1, x.nbytes // len(x)))
            for start in range(0, len(x), rows):
                as_features(np.asarray(x[start : start + rows]), name=f"{name}[{start}:{start + rows}]", dtype=dtype)
        return np.asanyarray(x)
    return as_features(x, name=name, dtype=dtype, ndim=ndim)


def check_sample_shape(array: Array | Sequences, shape: Shape, name: str) -> None:
    """ShapeError unless the samples have the shape that the network was built for."""
    if fits(array.shape[1:], shape):
        return
    if isinstance(array, Sequences):
        raise ShapeError(
            f"{name} holds sequences of different lengths, (N, {shown(array.shape[1:])[1:]} each; the network was built for "
            f"samples of shape {shown(shape)}. Begin it with Input((None, ...)) for a length that is free, or give "
            f"{name}.padded()."
        )
    if len(shape) == 1 and array.ndim == 2:
        raise ShapeError(
            f"{name} has {array.shape[1]} features, but the network is expecting {shape[0]} features as input. "
            f"Pass the columns it was trained on, in the same order; got shape {array.shape}."
        )
    wanted = ", ".join(["N", *("T" if s == FREE else str(s) for s in shape)])
    if FREE in shape:
        raise ShapeError(f"{name} must have shape ({wanted}), with any T. Got {array.shape}.")
    raise ShapeError(
        f"{name} must have shape ({wanted}), as the network was built for. Got {array.shape}. "
        f"If it holds the same values, reshape it: {name}.reshape(-1, {', '.join(map(str, shape))})."
    )


def several(values: Any, count: int, name: str, what: str) -> list[Any]:
    """One array for each input or output of the network."""
    if count == 1:
        return [values]
    if not isinstance(values, (list, tuple)) or len(values) != count:
        got = (
            f"{type(values).__name__} of length {len(values)}"
            if isinstance(values, (list, tuple))
            else type(values).__name__
        )
        raise ShapeError(
            f"the network has {count} {what}s: give {name} as a list of {count} arrays, one for each. Got a {got}."
        )
    return list(values)


# ---------------------------------------------------------------- losses


def choose_losses(
    loss: Any, ys: Sequence[Array | Sequences] | None, network: NetworkGraph, shapes: Sequence[Shape] | None = None
) -> list[Loss]:
    """One loss for each output: as named, or as ``pick_loss`` finds them from the targets (where there are any).

    In a network of a graph a label of -1 stands for a node without one, unless the loss is given as an object.
    A cross-entropy that is not given as an object reads an output of Softmax or Sigmoid as the probabilities they are: as
    logits they would go through the softmax twice.
    """
    ends = [_last_layer(network, i) for i in network.output_ids]
    shapes = network.output_shapes if shapes is None else shapes

    def found(one: Any, i: int) -> Loss:
        if isinstance(one, Loss):
            return one
        picked = pick_loss(*_flat(ys[i], shapes[i])) if one is None and ys is not None else get_loss(one)
        chosen = _reading(picked, ends[i])
        if network.samples is not None and "ignore_label" in chosen.argument_names():
            chosen.ignore_label = -1
        return chosen

    given = list(loss) if isinstance(loss, (list, tuple)) else [loss] * len(shapes)
    if len(given) != len(shapes):
        raise ParameterError(f"the network has {len(shapes)} output(s), got {len(given)} loss(es).")
    losses = [found(one, i) for i, one in enumerate(given)]
    for one in losses:
        one.validate()
    return losses


def _last_layer(network: NetworkGraph, output: int) -> Layer | None:
    return next((call.layer for call in network.calls if call.output == output), None)


def _reading(loss: Loss, end: Layer | None) -> Loss:
    """The loss, from probabilities where the last layer makes them."""
    made = None if end is None else end.probabilities
    return (loss.of_probabilities() or loss) if made == loss.kind else loss


# ---------------------------------------------------------------- arrays


def target_arrays(y: Any, count: int) -> list[Array | Sequences]:
    """y as one array for each output of the network; targets of each step of Sequences are Sequences, too."""
    names = ["y"] if count == 1 else [f"y[{i}]" for i in range(count)]
    return [
        one if isinstance(one, Sequences) else target_array(one, name=name)
        for one, name in zip(several(y, count, "y", "output"), names, strict=True)
    ]


def _flat(y: Array | Sequences, shape: Shape) -> tuple[Array, Shape]:
    """Targets as an array and the shape of the output for one sample, without free sizes.

    All steps of Sequences become those of one long sample: what is asked of targets is asked of each step.
    """
    if isinstance(y, Sequences):
        return y.values[None], tuple(len(y.values) if s == FREE else s for s in shape)
    return y, tuple(y.shape[i + 1] if s == FREE and i + 1 < y.ndim else s for i, s in enumerate(shape))


def take_arrays(
    network: NetworkGraph,
    xs: Sequence[Any],
    ys: Sequence[Array | Sequences],
    loss: Any,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    rows: NDArray[np.int64] | None = None,
    states: Mapping[str, Array] | None = None,
) -> Intake:
    """Arrays as a feed, and the objective of their targets.

    Parameters  rows : the samples that take part, None for all ; states : of the layers, None for those that they have now ;
                others : as in Network.fit
    """
    several_outputs = len(ys) > 1
    n = check_lengths(X=xs[0], **{f"y[{i}]" if several_outputs else "y": y for i, y in enumerate(ys)})
    losses = choose_losses(loss, ys, network)
    # Targets with a length of their own, which is not that of the output, are filled up with blanks.
    ys = [
        y.padded(padding=one.blank) if one.own_length and isinstance(y, Sequences) else y
        for y, one in zip(ys, losses, strict=True)
    ]
    by_sample = _sample_weights(sample_weight, n, len(ys))
    by_class = (
        list(class_weight) if several_outputs and isinstance(class_weight, (list, tuple)) else [class_weight] * len(ys)
    )
    if len(by_class) != len(ys):
        raise ParameterError(f"the network has {len(ys)} outputs, got {len(by_class)} class weights.")
    dense, constants = dense_and_constant(xs)
    ragged = any(isinstance(a, Sequences) for a in (*xs, *ys))
    if ragged:
        dense = {i: x.dense() if isinstance(x, SparseRows) else x for i, x in dense.items()}
    arrays: dict[str, Any] = {f"x{i}": x for i, x in dense.items()}
    shapes = network.output_shapes if ragged else network.outputs_for([x.shape[1:] for x in xs])
    masks: dict[str, tuple[str, Shape]] = {}
    dtypes: dict[str, Any] = {f"x{i}": d for i, d in enumerate(input_dtypes(network)) if i in dense}
    forms: list[int] = []
    kinds: list[str | None] = []
    kind: str | None
    weight: Any
    for i, (given, one, free) in enumerate(zip(ys, losses, shapes, strict=True)):
        name = f"y[{i}]" if several_outputs else "y"
        y, shape = _flat(given, free)
        y, form, labelled = fit_target(one, y, shape, name=name)
        if one.own_length:
            _require_steps(network, xs, one, i, y, name)
        arrays[f"y{i}"], dtypes[f"y{i}"] = y, _target_dtype(network, one, y, form, shape)
        check_range(y, dtypes[f"y{i}"], name)
        if isinstance(given, Sequences):
            if labelled is not None and not labelled.all():
                raise ParameterError("ignore_label with Sequences is not defined; leave the steps out of the sequences.")
            arrays[f"y{i}"] = Sequences.from_flat(y[0], given.offsets)
            masks[f"w{i}"] = (f"y{i}", y.shape[2:] if isinstance(one, ElementwiseLoss) else ())
            kind, weight = "element", _step_weights(one, y, form, shape, given, by_sample[i], by_class[i])
            dtypes[f"w{i}"] = np.dtype(network.dtype)
        else:
            if isinstance(by_sample[i], Sequences):
                raise ShapeError(f"sample_weight: {name} is an array, so its weights are one, too. Got Sequences.")
            kind, weight = weigh(one, y, form, shape, by_sample[i], by_class[i], labelled)
        if weight is not None:
            numbers = weight.values if isinstance(weight, Sequences) else weight
            check_range(numbers, np.dtype(network.dtype), "sample_weight")
            arrays[f"w{i}"], dtypes[f"w{i}"] = weight, np.dtype(network.dtype)
        forms.append(form)
        kinds.append(kind)
    origins = Origins.of(network, losses, states)
    sparse = tuple(i for i, x in dense.items() if not ragged and read_sparse(network, i, x, density=_DENSITY))
    objective = Objective(losses, forms, kinds, constants=constants, taken_out=origins.states, sparse=sparse)
    if not ragged:
        merged = {}
        for i in range(len(ys)):
            wide = _exact(arrays[f"y{i}"], dtypes[f"y{i}"], i in origins.outputs)
            if wide is not None:
                merged[f"y{i}"] = wide
        feed = ArrayFeed(arrays, dtypes, rows, origins=origins.arrays, sparse=[f"x{i}" for i in sparse])
        return Intake(feed, objective, merged, xs if merged else (), origins)
    exact = [f"x{i}" for i, reads in enumerate(network.reads_padding()) if reads]
    ragged_feed = SequenceFeed(arrays, dtypes, masks=masks, exact=exact, rows=rows, origins=origins.arrays)
    _check_steps(network, ragged_feed, losses, forms)
    return Intake(ragged_feed, objective, origins=origins)


def _require_steps(network: NetworkGraph, xs: Sequence[Any], loss: Loss, output: int, y: Array, name: str) -> None:
    """DataError when a target of a length of its own needs more steps than the network puts out for its sample."""
    if getattr(loss, "zero_infinity", False):
        return
    needed = loss.steps_needed(y)
    lengths = [_own_lengths(network, xs, i) for i in range(len(xs))]
    each = np.stack(lengths, axis=1)
    # Where a long sample has enough steps for what a sample needs, so have all that are longer and need no more.
    order = np.lexsort((each.sum(axis=1), -needed))
    known: dict[tuple[int, ...], int] = {}
    enough: Array | None = None
    for i in order:
        if enough is not None and (each[i] >= enough).all():
            continue
        key = tuple(map(int, each[i]))
        if key not in known:
            shapes = [(length, *x.shape[2:]) if length else x.shape[1:] for length, x in zip(key, xs, strict=True)]
            known[key] = network.outputs_for(shapes)[output][0]
        if known[key] < needed[i]:
            labels = int((y[i] != loss.blank).sum())
            raise DataError(
                f"{name}[{i}] has {labels} labels and needs {needed[i]} steps (one more between two equal labels), but for "
                f"X[{i}] the network puts out {known[key]}. Leave such samples out, or let the network shorten sequences "
                f"less (smaller strides and pooling). {type(loss).__name__}(zero_infinity=True) leaves them out of the loss."
            )
        enough = each[i] if enough is None else np.minimum(enough, each[i])


def _own_lengths(network: NetworkGraph, xs: Sequence[Any], place: int) -> NDArray[np.int64]:
    """(N,) the steps of each sample of an input: those of Sequences, or the lengths that a Masking is given for it; else 0,
    which stands for the shape of the array."""
    x = xs[place]
    if isinstance(x, Sequences):
        own: NDArray[np.int64] = x.lengths
        return own
    for call in network.calls:
        if len(call.inputs) == 2 and call.layer.masks(1) and call.inputs[0] == network.input_ids[place]:
            lengths = dict(zip(network.input_ids, xs, strict=True)).get(call.inputs[1])
            if isinstance(lengths, np.ndarray) and lengths.ndim == 1:
                return lengths.astype(np.int64)
            if isinstance(lengths, np.ndarray) and lengths.ndim == 2:
                return np.asarray(lengths.sum(axis=1), np.int64)
    return np.zeros(len(x), np.int64)


def _sample_weights(given: Any, n: int, outputs: int) -> list[Any]:
    """The weights of each output: one array for all, or a list with one for each; Sequences where steps have weights."""
    several = outputs > 1 and isinstance(given, (list, tuple)) and len(given) == outputs and n != outputs
    several = several or (outputs > 1 and isinstance(given, (list, tuple)) and any(np.ndim(one) > 0 for one in given))
    found: list[Any] = []
    for i, one in enumerate(given if several else [given]):
        name = f"sample_weight[{i}]" if several else "sample_weight"
        if isinstance(one, Sequences):
            if len(one) != n:
                raise DataError(f"{name} has {len(one)} samples but X has {n}. Every array needs one entry a sample.")
            if not np.isfinite(one.values).all() or (one.values < 0).any() or not one.values.any():
                raise DataError(f"{name} must be finite numbers of at least 0, and not all of them 0.")
            found.append(one)
        else:
            found.append(sample_weights(one, n, name=name))
    return found if several else found * outputs


def _step_weights(
    loss: Loss, y: Array, form: int, shape: Shape, steps: Sequences, by_sample: Any, class_weight: Any
) -> Array | Sequences | None:
    """The weights of targets for each step of Sequences: (N,) of whole sequences, or one for each entry of every step.

    Parameters  y, shape : of all steps one after the other ; steps : the targets themselves
    """
    of_steps = by_sample if isinstance(by_sample, Sequences) else None
    if of_steps is None and class_weight is None:
        if by_sample is not None and by_sample.ndim > 1:
            raise ShapeError(
                "sample_weight: y holds sequences, so weights of their steps are Sequences of the same lengths."
            )
        return by_sample  # type: ignore[no-any-return]
    if of_steps is not None and not np.array_equal(of_steps.lengths, steps.lengths):
        raise ShapeError("sample_weight: the sequences of weights must be as long as those of y.")
    each = None if of_steps is None else np.asarray(of_steps.values, np.float64)[None]
    weight = element_weights(loss, y, form, shape, each, class_weight)[0]
    if of_steps is None and by_sample is not None:
        weight = weight * np.repeat(by_sample, steps.lengths).reshape(-1, *(1,) * (weight.ndim - 1))
    return Sequences.from_flat(np.ascontiguousarray(weight), steps.offsets)


def _exact(y: Any, dtype: np.dtype[Any], centred: bool) -> Array | None:
    """The targets in float64, where the narrower dtype merges them, or where they are ``centred``."""
    if not centred and (isinstance(y, np.memmap) or overlaps(y) or not lost_resolution(y, dtype)):
        return None
    return np.asarray(y, np.float64)


def warn_of_lost_resolution(network: NetworkGraph, X: Any, y: Any) -> None:
    """Warns where float32 merges the user's numbers, so that nothing of them can be learned."""
    if network.dtype == "float64" or network.samples is not None or is_stream(X, y):
        return
    centred = concerned(network)
    for letter, values, count in (("X", X, len(network.input_ids)), ("y", y, len(network.output_ids))):
        for i, one in enumerate(values if count > 1 and isinstance(values, (list, tuple)) else [values]):
            plain = isinstance(one, np.ndarray) and one.ndim in (1, 2) and not isinstance(one, np.memmap)
            plain = plain and f"{letter.lower()}{i}" not in centred
            if plain and (found := lost_resolution(one)):
                name = f"{letter}[{i}]" if count > 1 else letter
                warnings.warn(
                    f"fit: {in_words(name, found, one.ndim)}. Take out the mean first, such as {name} - {name}.mean(axis=0) "
                    'in float64, or make the network with dtype="float64".',
                    UserWarning,
                    stacklevel=3,
                )


def _check_steps(network: NetworkGraph, feed: SequenceFeed, losses: Sequence[Loss], forms: Sequence[int]) -> None:
    """ShapeError unless the targets have as many steps as the network's outputs."""
    first = feed.first(2)
    inputs = [first[f"x{i}"].shape[1:] for i in range(len(network.input_ids))]
    for i, (shape, loss) in enumerate(zip(network.outputs_for(inputs), losses, strict=True)):
        if loss.own_length:
            continue
        y = first[f"y{i}"]
        wanted = loss.target((len(y), *shape))[forms[i]][0]
        if wanted != y.shape:
            raise ShapeError(
                f"y{f'[{i}]' * (len(losses) > 1)}: sequences padded to shapes {inputs} make an output of shape {shape}, "
                f"whose targets have shape {wanted[1:]}; these have {y.shape[1:]}. Give one target for each step."
            )


def _target_dtype(network: NetworkGraph, loss: Loss, y: Array, form: int, shape: tuple[int, ...]) -> np.dtype[Any]:
    wanted = loss.target((len(y), *shape))[form][1]
    return np.dtype(np.int32 if wanted == "int" else network.dtype)


# ---------------------------------------------------------------- iterators


def is_stream(X: Any, y: Any) -> bool:
    """Whether X is a data set or an iterator (or function, or sequence) of batches rather than the samples themselves."""
    if isinstance(X, Batches):
        if y is not None:
            raise ParameterError(f"y is given, but X, a data set ({type(X).__name__}), has its own targets. Leave y out.")
        return True
    if y is not None or X is None or isinstance(X, (str, bytes, Mapping, SparseRows)) or is_sparse(X):
        return False
    if any(hasattr(X, name) for name in ("__array__", "__dlpack__", "__dataframe__")):
        return False
    if isinstance(X, (list, tuple)):
        return bool(X) and all(isinstance(item, tuple) and len(item) in (2, 3) for item in X) and _is_array(X[0][0])
    return callable(X) or isinstance(X, Iterable) or hasattr(X, "__getitem__")


def _is_array(item: Any) -> bool:
    """Whether the first part of a tuple is an array of samples, and not a number in a row."""
    return hasattr(item, "__array__") or hasattr(item, "__dlpack__") or isinstance(item, (list, tuple))
