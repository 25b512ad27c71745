"""Networks for predictions alone: weights are fixed, and held in the form that is smallest and fastest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval, Maybe
from ..data.batches import Batches
from ..data.sequences import Sequences
from ..engine.base import Engine, Executable
from ..engine.reference import ReferenceEngine
from ..errors import DataError, ParameterError
from ..network import NetworkGraph
from ..network.origins import Origins, narrowed
from ..network.representation import Held, Int8, Representation
from ..ops import Builder, SparseMatrix, Value
from ..ops.memory import aligned_copy
from ..ops.value import Shape
from ..plan import Plan, lower_prediction, optimise
from ..plan.frozen import Frozen, FrozenWeight, Inputs, arenas_in_use
from ..plan.signs import Limits, fold_signs, limits_by_bisection
from .batch_intake import DataSetIntake
from .compressed_choice import CompressedChoice
from .finite_outputs import require_numbers
from .intake import input_arrays, input_dtypes
from .prediction import needs_no_conversion, predict_sequences

__all__ = ["PackedNetwork", "value_of"]

Array = NDArray[Any]
#: Compiled plans that are kept, where a prediction does not need more.
_KEPT = 8


class PackedNetwork:
    """A network for predictions alone, whose weights do not change any more; ``net.pack()`` makes it.

    Weights of which most are zero are kept as sparse matrices, signs as one bit each, and those that are held as ``Int8`` as
    whole numbers. Which layers use the kernels for sparse weights, or for whole numbers, is measured here for each batch
    size: first of each layer by itself, then of the whole prediction beside that with dense kernels alone, so a packed
    network is not slower than a dense one. A layer of signs behind a sign activation multiplies bits, and gives what the
    network gives to the bit: normalisation and sign between two such layers are a limit for each channel with which the
    sums are compared. Only a number that overflows to NaN before a sign counts as −1 or 1 there.

    Attributes  nbytes : of all weights and states as they are kept ; dense_nbytes : of the same as arrays

    Example
        >>> from chainrule import Dense, Network, ReLU
        >>> net = Network([Dense(64), ReLU(), Dense(3)], random_state=0).build((8,))
        >>> packed = net.pack()
        >>> X = np.ones((2, 8), np.float32)
        >>> bool(np.array_equal(packed.predict(X), net.predict(X)))
        True
    """

    def __init__(self, network: NetworkGraph, engine: Engine) -> None:
        network.require_built("pack")
        self._engine: Engine | None = engine
        self._choice = CompressedChoice()
        self._limits: dict[int, Limits | None] = {}
        weights = {
            full: FrozenWeight(value_of(network, full), self._choice.prefers, _inputs_of(network.representation(full)))
            for full in network.parameters
        }
        for full in weights:
            if not np.isfinite(network.parameters[full]).all():
                raise DataError(
                    f"pack: the parameter {full!r} is not finite. Train the network again, or restore its weights."
                )
        self._frozen = Frozen(weights, {full: np.array(network.states[full]) for full in network.states})
        self._graph = _structure(network)
        self.dense_nbytes = sum(a.nbytes for a in (*network.parameters.values(), *network.states.values()))
        self._origins = Origins.of(network)
        self._ready()

    def _ready(self) -> None:
        self._lock = threading.RLock()
        self._compiled: OrderedDict[Any, Executable] = OrderedDict()
        self._most_plans = _KEPT

    def __getstate__(self) -> dict[str, Any]:
        left_out = ("_lock", "_compiled", "_engine", "_limits")
        return {name: value for name, value in self.__dict__.items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._engine, self._limits = None, {}
        self._ready()

    # ------------------------------------------------------------ what it holds

    @property
    def nbytes(self) -> int:
        weights, states = self._frozen.weights.values(), self._frozen.states.values()
        return sum(w.nbytes for w in weights) + sum(a.nbytes for a in states)

    def forms(self) -> dict[str, str]:
        """How each parameter is kept: "dense", "sparse", "signs" or "int8"."""
        return {full: weight.form for full, weight in self._frozen.weights.items()}

    def kernels(self) -> list[str]:
        """In words, which kernels multiply its weights here: of signs that of this processor, or the dense fallback."""
        forms, found = list(self.forms().values()), []
        native = self.engine.name != "reference"
        if "signs" in forms:
            how = self.engine.describe().get("products of signs") if native else None
            found.append(f"signs: {how or 'NumPy, of the reference engine'}")
        for kind, words in (("sparse", "sparse weights"), ("int8", "whole numbers of 8 bits")):
            if kind in forms:
                how = "where they are measured to be faster here" if native else "dense, of the reference engine"
                found.append(f"{words}: {how}")
        return found or ["dense weights alone"]

    def __repr__(self) -> str:
        forms = list(self.forms().values())
        kinds = ", ".join(f"{forms.count(kind)} {kind}" for kind in ("dense", "sparse", "signs", "int8") if kind in forms)
        return f"PackedNetwork({kinds}; {self.nbytes:,} of {self.dense_nbytes:,} bytes)"

    # ------------------------------------------------------------ predictions

    def predict(self, X: Any, *, batch_size: int | None = None) -> Any:
        """The raw outputs, as ``Network.predict`` gives them. Parameters  as there

        Raises      ShapeError, DtypeError, DataError, ParameterError when X or batch_size does not fit ; DataError where an
                    output is not a number (NaN)
        """
        found = self.raw_outputs(X, batch_size)
        require_numbers(None, X, found)
        return found

    def raw_outputs(self, X: Any, batch_size: int | None = None) -> Any:
        """What ``predict`` gives, whether it is numbers or not."""
        graph = self._graph
        quick = batch_size is None and not self._origins and needs_no_conversion(graph, X)
        if quick and len(X) <= graph.samples_at_once((X.shape[1:],)):
            with self._lock:
                executable = self._executable(len(X), (X.shape[1:],))
                if len(graph.output_ids) == 1:
                    return executable.predict(X)
        batch_size = Maybe(Interval(int, 1)).check("predict", "batch_size", batch_size)
        if isinstance(X, Batches):
            return self._predict_batches(X, batch_size)
        xs = input_arrays(graph, X)
        if any(isinstance(x, SparseMatrix) for x in xs):
            raise ParameterError("predict: a packed network of a graph takes no sparse matrix. Give X.toarray().")
        if any(isinstance(x, Sequences) for x in xs):
            several = predict_sequences(graph, xs, batch_size, self._run, self._expect, self._origins)
            return several[0] if len(several) == 1 else tuple(several)
        n, dtypes, shapes = len(xs[0]), input_dtypes(graph), tuple(x.shape[1:] for x in xs)
        size = graph.samples or batch_size or graph.samples_at_once(shapes)
        outputs = [f"output{i}" for i in range(len(graph.output_ids))]
        whole: list[Array] = []
        for start in range(0, n, size):
            stop = min(start + size, n)
            inputs = {
                f"x{i}": narrowed(x[start:stop], t, self._origins.arrays.get(f"x{i}"))
                for i, (x, t) in enumerate(zip(xs, dtypes, strict=True))
            }
            with self._lock:
                found = self._executable(stop - start, shapes).run(inputs)
            found = {name: self._origins.restored(i, found[name]) for i, name in enumerate(outputs)}
            if stop - start == n:
                whole = [found[name] for name in outputs]
                break
            whole = whole or [np.empty((n, *found[name].shape[1:]), found[name].dtype) for name in outputs]
            for array, name in zip(whole, outputs, strict=True):
                array[start:stop] = found[name]
        return whole[0] if len(whole) == 1 else tuple(whole)

    def _predict_batches(self, data: Batches, batch_size: int | None) -> Any:
        parts = []
        for batch in DataSetIntake(data, self._graph).batches(batch_size or self._graph.samples_at_once()):
            found = self.predict(batch.inputs[0] if len(batch.inputs) == 1 else list(batch.inputs), batch_size=batch_size)
            parts.append(found if isinstance(found, tuple) else (found,))
        whole = tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        return whole[0] if len(whole) == 1 else whole

    def _run(self, batch: int, shapes: tuple[Shape, ...], data: Mapping[str, Array]) -> Mapping[str, Array]:
        with self._lock:
            found: Mapping[str, Array] = self._executable(batch, shapes).run(data)
        return found

    def _expect(self, plans: int) -> None:
        self._most_plans = max(self._most_plans, plans)

    def plan(self, batch: int = 1) -> Plan:
        """The plan of a prediction of so many samples; ``plan().show()`` prints it."""
        return self._chosen(batch, None)[0]

    def _chosen(self, batch: int, shapes: tuple[Shape, ...] | None) -> tuple[Plan, Executable | None]:
        """The plan with the kernels that are the fastest together, and its executable where it was measured."""
        with self._lock:
            key = batch, tuple(self._graph.concrete(shapes))
            return self._choice.fastest(key, self.engine, partial(self._lowered, batch, shapes), self._compile)

    def _compile(self, plan: Plan) -> Executable:
        return self.engine.compile(plan, {name: aligned_copy(self._frozen.arena(name)) for name in plan.arenas})

    def _lowered(self, batch: int, shapes: tuple[Shape, ...] | None) -> Plan:
        origins = self._origins.states
        plan = lower_prediction(self._graph, batch, shapes=shapes, frozen=self._frozen, taken_out=origins)
        if self.engine.name != "reference":
            plan = fold_signs(plan, self._limits_of)
        plan = optimise(plan)
        used = arenas_in_use(plan.nodes, plan.outputs)
        return replace(plan, arenas=used, constants=frozenset(used))

    def _limits_of(self, number: int, chain: Callable[[], Plan]) -> Limits | None:
        """Where the sign behind a chain of a plan turns; it is the same in the plans of all batch sizes."""
        if number not in self._limits:
            plan = chain()
            executable = self._compile(optimise(plan))
            self._limits[number] = limits_by_bisection(plan.inputs["x0"].shape, lambda x: executable.run({"x0": x})["z"])
        return self._limits[number]

    def _executable(self, batch: int, shapes: tuple[Shape, ...]) -> Executable:
        found = self._compiled.get((batch, shapes))
        if found is None:
            plan, measured = self._chosen(batch, shapes)
            found = measured or self._compile(plan)
            self._compiled[batch, shapes] = found
            if len(self._compiled) > self._most_plans:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end((batch, shapes))
        return found

    @property
    def engine(self) -> Engine:
        """The engine that computes the predictions."""
        if self._engine is None:
            from ..engine import get_engine

            dtype = self._graph.dtype
            self._engine = get_engine("reference" if dtype == "float64" else "auto", dtype=dtype)
        return self._engine


def _inputs_of(representation: Representation | None) -> Inputs | None:
    return Inputs(representation.scale, representation.zero) if isinstance(representation, Int8) else None


def value_of(network: NetworkGraph, full: str) -> Array:
    """What a layer computes with: the stored array, or what its representation makes of it."""
    stored = np.asarray(network.parameters[full])
    representation: Representation | None = network.representation(full)
    if representation is None:
        return stored
    k = Builder(training=False)
    arenas = {"stored": stored.reshape(-1), **{name: a.reshape(-1) for name, a in representation.arrays().items()}}
    bases = {name: Value((a.size,), role="arena", name=name) for name, a in arenas.items()}
    shapes = {name: a.shape for name, a in representation.arrays().items()}
    held = {name: Value(shape, role="state", name=name, base=bases[name]) for name, shape in shapes.items()}
    w = Value(stored.shape, role="parameter", name=full, base=bases["stored"])
    value = representation.value(k, Held(representation, w, held, False))
    plan = Plan(k.nodes, {}, {"value": value}, bases, k.scalars, 1)
    return np.asarray(ReferenceEngine(network.dtype).compile(plan, arenas).run({})["value"], stored.dtype)


class _Shapes(SimpleNamespace):
    """What lowering asks of a network's arrays, without the arrays."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)


class _Structure(NetworkGraph):
    """A network without arrays."""

    def _adopt(self) -> None:
        """There are no arrays that layers could share."""


def _structure(network: NetworkGraph) -> NetworkGraph:
    """The network without its arrays, and without what it has on this machine."""
    found = object.__new__(_Structure)
    found.__dict__.update({name: value for name, value in network.__dict__.items() if name != "_runtime"})
    for kind in ("parameters", "states"):
        setattr(found, kind, _Shapes(entries=dict.fromkeys(getattr(network, kind))))
    return found
