"""Everything a network computes for given samples: z, a, dz, da, dW, db of every layer, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import as_features, as_targets, check_lengths
from ..engine.reference import ReferenceEngine
from ..errors import ParameterError, ShapeError, UnknownNameError
from ..losses import Loss, get_loss
from ..network import NetworkGraph
from ..network.graph import fits
from ..plan import lower_trace
from ..plan.passes import eliminate_dead_code
from .targets import weigh, without_unlabelled

__all__ = ["LayerTrace", "Trace", "trace"]

Array = NDArray[Any]


@dataclass(frozen=True)
class LayerTrace:
    """What one use of a layer computed. Gradients are those of the loss J; None where there is none.

    Attributes
        name : of the layer ; kind : the name of its class ; symbol : of its output, "a" for activations, else "z"
        inputs, output : arrays ; d_output : dJ/d(output), from all layers that use the output
        d_inputs : what this layer passes back to each of its inputs, None for an input without gradient (indices)
        parameters, gradients : by the parameter's name ("weight"); the gradient of a shared parameter sums over its uses
        inside : what the layer shows of its inside, by name: of recurrent layers "dh", dJ/dhₜ of every step (N, T, H), with
            "above", the part of it that the layers above pass to hₜ itself (where return_sequences) ; the states "h" and
            "c" ; "gates" of LSTM (i f g o) and GRU (r z n, and hₜ₋₁ Uⁿ + v or r ⊙ hₜ₋₁) side by side ; "mask"
    """

    name: str
    kind: str
    symbol: str
    inputs: tuple[Array, ...]
    output: Array
    d_output: Array | None
    d_inputs: tuple[Array | None, ...]
    parameters: dict[str, Array]
    gradients: dict[str, Array]
    inside: dict[str, Array] = field(default_factory=dict)


class _Layers(dict[str, LayerTrace]):
    """Layers by name; an unknown one is answered with the known ones."""

    def __missing__(self, name: str) -> LayerTrace:
        raise UnknownNameError("layer", name, self)


@dataclass(frozen=True, repr=False)
class Trace(Mapping[str, Array]):
    """All arrays of one forward and backward pass, in float64.

    A mapping from textbook names to arrays, in the order of computation:

        "x", "dx"                        the input and its gradient ("x0", "x1", ... where there are several)
        "0.dense.z", "0.dense.dz"        a layer's output and its gradient
        "1.relu.a", "1.relu.da"          the same of an activation
        "0.dense.weight", "0.dense.dweight"   a parameter and its gradient
        "0.lstm.dh"                      the gradient of the state of a recurrent layer at every step

    The second use of a layer that is used twice is "0.dense#2". ``layers`` holds the same by layer; ``print(trace)`` shows a
    table with the shape, mean, standard deviation, least and largest value and share of zeros of every array.

    Attributes
        layers : {name: LayerTrace} in the order of computation ; loss : J (mean over the samples), None without targets
        inputs, d_inputs : of the network ; outputs : of the network
    Raises      UnknownNameError for a name that is not there, with those that are
    """

    layers: dict[str, LayerTrace]
    loss: float | None
    inputs: tuple[Array, ...]
    d_inputs: tuple[Array | None, ...]
    outputs: tuple[Array, ...]
    _arrays: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, Array | None] = {}
        several = len(self.inputs) > 1
        for i, (x, dx) in enumerate(zip(self.inputs, self.d_inputs, strict=True)):
            name = f"x{i}" if several else "x"
            found |= {name: x, f"d{name}": dx}
        for name, layer in self.layers.items():
            found |= {f"{name}.{layer.symbol}": layer.output, f"{name}.d{layer.symbol}": layer.d_output}
            for key, value in layer.parameters.items():
                found |= {f"{name}.{key}": value, f"{name}.d{key}": layer.gradients.get(key)}
            found |= {f"{name}.{key}": value for key, value in layer.inside.items()}
        object.__setattr__(self, "_arrays", {name: a for name, a in found.items() if a is not None})

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            raise UnknownNameError("array of the trace", name, self._arrays)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def get(self, name: str, default: Any = None) -> Any:
        """The array of this name, or the default."""
        return self._arrays.get(name, default)

    def statistics(self) -> dict[str, dict[str, float]]:
        """For every array by name: "mean", "std", "min", "max" and "zero" (the share of entries that are exactly 0)."""
        return {name: _statistics(a) for name, a in self._arrays.items()}

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("array", "shape", *_COLUMNS)]
        for name, a in self._arrays.items():
            numbers = _statistics(a)
            shown = [f"{numbers[c]:.3g}" for c in _COLUMNS[:-1]]
            rows.append((name, str(a.shape), *shown, f"{100 * numbers['zero']:.3g}%"))
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True)))
            for r in rows
        ]
        lines.insert(1, "-" * len(lines[0]))
        return "\n".join([line.rstrip() for line in lines] + ([] if self.loss is None else [f"loss J = {self.loss:.6g}"]))

    def __repr__(self) -> str:
        loss = "" if self.loss is None else f", loss={self.loss:.6g}"
        return f"<Trace of {len(self.layers)} layers, {len(self)} arrays{loss}>"


_COLUMNS = ("mean", "std", "min", "max", "zero")


def _statistics(a: Array) -> dict[str, float]:
    if not a.size:
        return dict.fromkeys(_COLUMNS, float("nan"))
    with np.errstate(all="ignore"):  # arrays with infinities are shown, not warned of
        values = (a.mean(), a.std(), a.min(), a.max(), np.mean(a == 0))
    return {name: float(v) for name, v in zip(_COLUMNS, values, strict=True)}


def trace(
    network: NetworkGraph,
    X: Any,
    y: Any = None,
    *,
    loss: str | Loss | Sequence[str | Loss] | None = None,
    training: bool = True,
    seed: int = 0,
) -> Trace:
    """Runs samples through a network and back, and returns everything on the way. Nothing is learned or changed.

    Computed by the reference engine in float64 whatever the network's precision, from the network's parameters as they are.

    Parameters
        network : built ; X : samples (N, ...), or a list of one array an input
            where the network has several
        y : targets, or a list of one an output where there are several; None leaves out the loss and all gradients
        loss : a loss or its name, or a list of one an output; needed where y is given
        training : whether Dropout and the like act as in training ; seed : of their random numbers
    Raises      NotFittedError before the network is built ; ShapeError, DtypeError, DataError when X or y do not fit ;
                ParameterError when y is given without a loss ; UnknownNameError for an unknown loss

    Example
        >>> from chainrule.layers import Dense, ReLU
        >>> from chainrule.network import NetworkGraph
        >>> net = NetworkGraph([Dense(3, weight_init="ones"), ReLU(), Dense(1, weight_init="ones")]).build((2,))
        >>> t = trace(net, [[1.0, 2.0]], [[10.0]], loss="squared_error")
        >>> t["1.relu.a"], t["2.dense.dz"], t.layers["0.dense"].gradients["weight"][1], t.loss
        (array([[3., 3., 3.]]), array([[-2.]]), array([-4., -4., -4.]), 1.0)
    """
    network.require_built("trace")
    losses = _losses(loss, len(network.output_ids)) if y is not None else None
    arrays = _inputs(network, X)
    batch = check_lengths(**{f"X[{i}]" if len(arrays) > 1 else "X": x for i, x in enumerate(arrays)})
    targets: list[int] = []
    weights: list[str | None] = []
    given = {f"x{i}": x for i, x in enumerate(arrays)}
    shapes = [x.shape[1:] for x in arrays]
    outputs = network.outputs_for(shapes)
    if losses is not None:
        for i, (target, one) in enumerate(zip(_several(y, len(losses), "y", "output"), losses, strict=True)):
            name = f"y[{i}]" if len(losses) > 1 else "y"
            values = as_targets(target, name=name)
            check_lengths(**{"X": arrays[0], name: values})
            shape = (batch, *outputs[i])
            form = one.target_form(values, shape)
            values, labelled = without_unlabelled(one, values, form, shape, name=name)
            one.validate_targets(values, shape)
            targets.append(form)
            kind, weight = weigh(one, values, form, outputs[i], None, None, labelled)
            weights.append(kind)
            given[f"y{i}"] = values
            if weight is not None:
                given[f"w{i}"] = weight
    plan = lower_trace(
        network, losses, batch, shapes=shapes, targets=targets or None, weights=weights or None, training=training
    )
    plan = eliminate_dead_code(plan)
    # The float64 arenas are copies, so that running statistics of the network stay as they are.
    kept = network.arenas()
    arenas = {name: kept[name].astype(np.float64) for name in plan.arenas}
    found = ReferenceEngine("float64").compile(plan, arenas).run(given, seed=seed)
    return _collect(network, arrays, found)


def _several(values: Any, count: int, name: str, what: str) -> list[Any]:
    """One array for each input or output of the network."""
    if count == 1:
        return [values]
    if not isinstance(values, (list, tuple)) or len(values) != count:
        raise ShapeError(f"trace: the network has {count} {what}s; give {name} as a list of {count} arrays, one for each.")
    return list(values)


def _losses(loss: Any, count: int) -> list[Loss]:
    if loss is None:
        raise ParameterError('trace: targets need a loss, such as loss="softmax_cross_entropy".')
    given = list(loss) if isinstance(loss, (list, tuple)) else [loss] * count
    if len(given) != count:
        raise ShapeError(f"trace: the network has {count} output(s), got {len(given)} loss(es).")
    found = [get_loss(one) for one in given]
    for one in found:
        one.validate()
    return found


def _inputs(network: NetworkGraph, X: Any) -> list[Array]:
    assert network.input_shapes is not None
    shapes, found = network.input_shapes, []
    dtypes = network.input_dtypes
    for i, x in enumerate(_several(X, len(shapes), "X", "input")):
        name = f"X[{i}]" if len(shapes) > 1 else "X"
        ndim = 1 if network.input_is_scalar(i) else None
        array = as_features(x, name=name, dtype=np.int32 if dtypes[i] == "int" else np.float64, ndim=ndim)
        if not fits(array.shape[1:], shapes[i]):
            wanted = ", ".join(["N", *map(str, shapes[i])])
            raise ShapeError(f"trace: {name} must have shape ({wanted}), as the network was built. Got {array.shape}.")
        network.check_data(i, array, name)
        found.append(array)
    return found


def _collect(network: NetworkGraph, arrays: list[Array], found: dict[str, Array]) -> Trace:
    tensors = dict(zip(network.input_ids, arrays, strict=True))
    layers, uses = _Layers(), dict[str, int]()
    for n, call in enumerate(network.calls):
        uses[call.name] = nth = uses.get(call.name, 0) + 1
        tensors[call.output] = found[f"y.{n}"]
        tensors.update((i, found[f"y.{n}.{j}"]) for j, i in enumerate(call.more, 1))
        prefix = call.name + "."
        own = [p for p in network.parameters if p.startswith(prefix) and "." not in p[len(prefix) :]]
        layers[call.name if nth == 1 else f"{call.name}#{nth}"] = LayerTrace(
            name=call.name,
            kind=type(call.layer).__name__,
            symbol="a" if call.layer.role in ("activation", "softmax") else "z",
            inputs=tuple(tensors[i] for i in call.inputs),
            output=found[f"y.{n}"],
            d_output=found.get(f"dy.{n}"),
            d_inputs=tuple(found.get(f"dx.{n}.{i}") for i in range(len(call.inputs))),
            parameters={p[len(prefix) :]: network.parameters[p].astype(np.float64) for p in own},
            gradients={p[len(prefix) :]: found[f"d.{p}"] for p in own if f"d.{p}" in found},
            inside={key.split(".", 2)[2]: value for key, value in found.items() if key.startswith(f"inside.{n}.")},
        )
    return Trace(
        layers=layers,
        loss=float(found["loss"]) if "loss" in found else None,
        inputs=tuple(arrays),
        d_inputs=tuple(found.get(f"dx{i}") for i in range(len(arrays))),
        outputs=tuple(tensors[i] for i in network.output_ids),
    )
