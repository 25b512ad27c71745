"""A network's definition as data that can be edited: its layers by name and how they are connected, without parameters."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, UnknownNameError
from ..layers import Layer, Tensor
from ..ops.value import FREE
from .graph import NetworkGraph
from .representation import Representation

__all__ = ["Definition", "Use"]

N = TypeVar("N", bound=NetworkGraph)
Weights = dict[str, dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class Use:
    """One use of a layer: ``output = layer(*inputs)``, tensors by number."""

    layer: str
    inputs: tuple[int, ...]
    output: int


class Definition:
    """What a network is before it has parameters. Layers keep their names while others come and go.

    Attributes
        layers : {name: Layer} ; uses : in an order in which each comes after those it needs ; inputs : of the network,
        [(tensor, shape or None, dtype)] ; outputs : tensors ; frozen : names of layers ; dtype : of the parameters
        representations : {name of a parameter: Representation}, of those that are not held as they are

    Every edit returns a new definition. Layers are shared between definitions and never changed in place.

    Example
        >>> from chainrule.layers import Dense, ReLU, Sigmoid
        >>> made = Definition.of(NetworkGraph([Dense(4), Sigmoid(), Dense(1)])).replace("1.sigmoid", ReLU())
        >>> print(made.source())
        Network([
            Dense(4),
            ReLU(),
            Dense(1),
        ])
        >>> made.build(NetworkGraph)[0].calls[1].name
        '1.relu'
    """

    def __init__(
        self,
        layers: dict[str, Layer],
        uses: list[Use],
        inputs: list[tuple[int, tuple[int | None, ...] | None, str]],
        outputs: list[int],
        frozen: Iterable[str] = (),
        dtype: str = "float32",
        representations: Mapping[str, Representation] | None = None,
    ) -> None:
        self.layers, self.uses, self.inputs, self.outputs = layers, uses, inputs, outputs
        self.frozen, self.dtype, self.representations = set(frozen), dtype, dict(representations or {})

    @classmethod
    def of(cls, network: NetworkGraph) -> Definition:
        """The definition of a network, built or not."""
        tensors = network._tensors[0]
        return cls(
            dict(network.layers),
            [Use(call.name, call.inputs, call.output) for call in network.calls],
            [(i, t.shape, t.dtype) for i, t in zip(network.input_ids, tensors, strict=True)],
            list(network.output_ids),
            network.frozen,
            network.dtype,
            network.representations(),
        )

    def copy(self) -> Definition:
        """A definition that can be changed without changing this one."""
        return Definition(
            dict(self.layers),
            list(self.uses),
            list(self.inputs),
            list(self.outputs),
            self.frozen,
            self.dtype,
            self.representations,
        )

    # ------------------------------------------------------------ looking

    def layer(self, name: str) -> Layer:
        """The layer of this name."""
        if name not in self.layers:
            raise UnknownNameError("layer", name, self.layers)
        return self.layers[name]

    def use(self, name: str) -> Use:
        """The first use of the layer."""
        self.layer(name)
        return next(u for u in self.uses if u.layer == name)

    def users(self, tensor: int) -> list[Use]:
        """The uses that take this tensor."""
        return [u for u in self.uses if tensor in u.inputs]

    def maker(self, tensor: int) -> Use | None:
        """The use that makes this tensor, None for an input of the network."""
        return next((u for u in self.uses if u.output == tensor), None)

    def followers(self, name: str) -> list[str]:
        """The layers on the single path after a layer, in order, up to the first fork or join or the end."""
        found, at = [], self.use(name).output
        while at not in self.outputs and len(users := self.users(at)) == 1 and len(users[0].inputs) == 1:
            found.append(users[0].layer)
            at = users[0].output
        return found

    # ------------------------------------------------------------ editing

    def replace(self, name: str, layer: Layer) -> Definition:
        """The layer of this name becomes another."""
        self.layer(name)
        made = self.copy()
        made.layers[name] = layer
        # A mask is for an array of one shape, and that may be another now.
        kept = {full: r for full, r in self.representations.items() if full.rpartition(".")[0] != name or not r.arrays()}
        made.representations = kept
        return made

    def with_arguments(self, name: str, **arguments: Any) -> Definition:
        """The layer of this name gets other arguments."""
        layer = copy.copy(self.layer(name))
        for key, value in arguments.items():
            if key not in layer.argument_names():
                raise ParameterError(f"{type(layer).__name__} has no argument {key!r}.")
            setattr(layer, key, value)
        layer.validate()
        return self.replace(name, layer)

    def insert_after(self, name: str, layer: Layer) -> Definition:
        """A new layer between a layer and all that use its output."""
        self.layer(name)
        made, new = self.copy(), self._new_name(layer, name)
        made.layers[new] = layer
        for use in [u for u in self.uses if u.layer == name]:
            made._between(use.output, new)
        return made

    def insert_at_input(self, number: int, layer: Layer) -> Definition:
        """A new layer between an input of the network and all that use it."""
        made, new = self.copy(), self._new_name(layer, f"input {number}")
        made.layers[new] = layer
        made._between(self.inputs[number][0], new)
        return made

    def join(self, tensor: int, name: str, layer: Layer) -> Definition:
        """A new layer of two inputs, the output of the layer ``name`` and an earlier tensor, whose output takes the place of
        the first."""
        made, new = self.copy(), self._new_name(layer, name)
        made.layers[new] = layer
        made._between(self.use(name).output, new, tensor)
        return made

    def remove(self, name: str) -> Definition:
        """A layer of one input goes; what used its output uses its input."""
        made = self.copy()
        self.layer(name)
        for use in [u for u in self.uses if u.layer == name]:
            if len(use.inputs) != 1:
                raise ParameterError(f"The layer {name!r} joins several inputs and cannot be taken out.")
            made.uses = [u for u in made.uses if u.output != use.output]
            made._rewire(use.output, use.inputs[0])
        made.layers.pop(name)
        made.frozen.discard(name)
        made.representations = {n: r for n, r in self.representations.items() if n.rpartition(".")[0] != name}
        return made

    def _between(self, tensor: int, name: str, *others: int) -> None:
        new = 1 + max([u.output for u in self.uses] + [i for i, _, _ in self.inputs])
        at = next((i + 1 for i, u in enumerate(self.uses) if u.output == tensor), 0)
        self._rewire(tensor, new)
        self.uses.insert(at, Use(name, (tensor, *others), new))

    def _rewire(self, old: int, new: int) -> None:
        self.uses = [Use(u.layer, tuple(new if i == old else i for i in u.inputs), u.output) for u in self.uses]
        self.outputs = [new if i == old else i for i in self.outputs]

    def _new_name(self, layer: Layer, place: str) -> str:
        name = layer.name or f"{layer.kind()} after {place}"
        while name in self.layers:
            name += "′"
        return name

    # ------------------------------------------------------------ making

    def build(self, kind: type[N], *, random_state: Any = None) -> tuple[N, dict[str, str]]:
        """A network of this definition, not built, and {name here: name there}.

        Parameters  kind : NetworkGraph or a subclass ; random_state : of the network
        """
        tensors = {
            i: Tensor(shape=None if shape is None else tuple(FREE if s is None else s for s in shape), dtype=dtype)
            for i, shape, dtype in self.inputs
        }
        inputs = list(tensors.values())
        # Copies, because a layer object may stand in two networks under one name only.
        layers = {name: copy.copy(layer) for name, layer in self.layers.items()}
        for use in self.uses:
            tensors[use.output] = Tensor(layers[use.layer], tuple(tensors[i] for i in use.inputs))
        network = kind(
            inputs=inputs, outputs=[tensors[i] for i in self.outputs], random_state=random_state, dtype=self.dtype
        )
        own = {id(layer): name for name, layer in network.layers.items()}
        names = {name: own[id(layer)] for name, layer in layers.items() if id(layer) in own}
        network.freeze(*(names[name] for name in self.frozen if name in names))
        for full, representation in self.representations.items():
            layer, _, name = full.rpartition(".")
            if layer in names:
                network.represent(f"{names[layer]}.{name}", representation)
        return network, names

    @staticmethod
    def weights_of(network: NetworkGraph, layers: Iterable[str] | None = None) -> Weights:
        """Copies of the parameters and states of a built network by layer (None: of all) and name."""
        found: Weights = {}
        for arena in (network.parameters, network.states):
            for full, array in arena.items():
                layer, _, name = full.rpartition(".")
                if layers is None or layer in layers:
                    found.setdefault(layer, {})[name] = np.array(array)
        return found

    @staticmethod
    def put_weights(network: NetworkGraph, names: dict[str, str], weights: Weights) -> None:
        """Writes such copies into a built network where layer, name and shape are there."""
        for layer, arrays in weights.items():
            for name, array in arrays.items():
                full = f"{names.get(layer)}.{name}"
                for arena in (network.parameters, network.states):
                    if full in arena and arena[full].shape == array.shape:
                        arena[full][...] = array

    # ------------------------------------------------------------ showing

    @property
    def sequential(self) -> bool:
        """Whether the layers stand one after the other, each used once."""
        at = [self.inputs[0][0]]
        for use in self.uses:
            if use.inputs != (at[-1],):
                return False
            at.append(use.output)
        return len(self.inputs) == 1 and self.outputs == at[-1:] and len({u.layer for u in self.uses}) == len(self.uses)

    def source(self, *, functional: bool = False) -> str:
        """The definition as Python.

        Parameters  functional : whether to write a sequence of layers in the functional form, too
        """
        options = [f'dtype="{self.dtype}"'] if self.dtype != "float32" else []
        frozen = f".freeze({', '.join(map(repr, sorted(self.frozen)))})" if self.frozen else ""
        for full, representation in self.representations.items():
            shown = f"{type(representation).__name__}(...)" if representation.arrays() else repr(representation)
            frozen += f".represent({full!r}, {shown})"
        shapes = [
            f"Input({tuple(None if s == FREE else s for s in shape)}{', dtype=' + repr(dtype) if dtype != 'float' else ''})"
            if shape is not None
            else "Input(...)"
            for _, shape, dtype in self.inputs
        ]
        if self.sequential and not functional:
            lines = [f"    {shapes[0]},"] if self.inputs[0][1] is not None else []
            lines += [f"    {self.layers[u.layer]!r}," for u in self.uses]
            return "\n".join(["Network([", *lines, f"]{''.join(', ' + o for o in options)}){frozen}"])
        words = {i: "x" if len(self.inputs) == 1 else f"x{n}" for n, (i, _, _) in enumerate(self.inputs)}
        lines = [f"{words[i]} = {text}" for (i, _, _), text in zip(self.inputs, shapes, strict=True)]
        seen: dict[str, str] = {}
        for use in self.uses:
            word = _identifier(use.layer)
            given = ", ".join(words[i] for i in use.inputs)
            again = use.layer in seen
            words[use.output] = word if not again else f"{word}_{use.output}"
            maker = f"{seen[use.layer]}_layer" if again else repr(self.layers[use.layer])
            if not again and sum(u.layer == use.layer for u in self.uses) > 1:
                lines.append(f"{word}_layer = {maker}")
                maker = f"{word}_layer"
            lines.append(f"{words[use.output]} = {maker}({given})")
            seen.setdefault(use.layer, word)
        ends = [", ".join(words[i] for i in tensors) for tensors in ([i for i, _, _ in self.inputs], self.outputs)]
        ends = [f"[{e}]" if ", " in e else e for e in ends]
        lines.append(f"Network({', '.join([f'inputs={ends[0]}', f'outputs={ends[1]}', *options])}){frozen}")
        return "\n".join(lines)


def _identifier(name: str) -> str:
    number, _, kind = name.partition(".")
    text = f"{kind}_{number}" if number.isdigit() and kind else name
    text = "".join(c if c.isalnum() else "_" for c in text.replace("′", "_2"))
    # "batch_norm after 0.dense" is batch_norm_after_dense_0.
    head, mark, tail = text.partition("_after_")
    digits, _, rest = tail.partition("_")
    if mark and digits.isdigit() and rest:
        text = f"{head}_after_{rest}_{digits}"
    return text if text[:1].isalpha() or text[:1] == "_" else f"h_{text}"
