"""A network as a graph of layers: sequential, or with several inputs, outputs and joins."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..data.memory import machine_memory
from ..data.sequences import Sequences
from ..errors import NotFittedError, ParameterError, ShapeError, UnknownNameError
from ..initializers import Constant, default_for
from ..initializers import get as get_initializer
from ..layers import Layer, Tensor, check_indices
from ..layers.base import Parameter, State
from ..ops import Builder, Saved, Value
from ..ops.value import FREE, Shape
from .parameters import Arena
from .representation import Representation, representation_of
from .store import LOCK, LayerVariables, Variable, keep, variables_of


@dataclass(frozen=True)
class Call:
    """One use of a layer: ``output = layer(*inputs)``, tensors by number; ``more`` are further outputs, where it has any."""

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    output: int
    more: tuple[int, ...] = ()

    @property
    def outputs(self) -> tuple[int, ...]:
        """All its outputs."""
        return (self.output, *self.more)

    def emit(self, k: Builder, tensors: dict[int, Value]) -> Saved:
        """Emits the layer's forward equations, puts its outputs among the tensors, and returns what backward needs.

        A mask of its first input goes on to the output of a layer that works step by step.
        """
        xs = [tensors[i] for i in self.inputs]
        y, saved = self.layer.forward(k, *xs)
        made = y if isinstance(y, tuple) else (y,)
        if len(made) != len(self.outputs):
            raise ShapeError(f"forward returned {len(made)} output(s), the layer has {len(self.outputs)}.")
        tensors.update(zip(self.outputs, made, strict=True))
        mask = k.mask_of(xs[0])
        if self.layer.stepwise and mask is not None and made[0].shape[:2] == mask.shape and k.mask_of(made[0]) is None:
            k.set_mask(made[0], mask)
        return saved


class NetworkGraph:
    """Layers, how they are connected, and their parameters.

    Parameters
        layers : a list of layers and networks applied one after the other; or None
        inputs, outputs : the functional form instead: Tensors made by Input and by calling layers
        random_state : int, numpy Generator or None; draws the start weights and all later randomness
        dtype : "float32" or "float64"; float64 runs on the reference engine

    A size of an input that is None (Input((None,))) is free: it may differ from batch to batch, and no parameter may depend
    on it. In ``input_shapes`` and ``output_shapes`` it is FREE = −1.

    A network used inside another, or called on Tensors, contributes its layers. Two uses of one layer object, in one network
    or in several, share its parameters and states: a network inside another keeps its weights, a change of them is seen in
    both, and so several networks can share a body and be fitted in turn (see ``network.store``). A network of its own begins
    with a copy, ``copy.deepcopy(network)``. Layers that are frozen in a network are frozen in the networks that are made of
    it later.

    Shapes are those of one sample; parameters exist once the network is built, which the first fit does. The networks inside
    it are built with it.
    """

    def __init__(
        self,
        layers: Sequence[Any] | None = None,
        *,
        inputs: Tensor | Sequence[Tensor] | None = None,
        outputs: Tensor | Sequence[Tensor] | None = None,
        random_state: Any = None,
        dtype: str = "float32",
    ):
        if (layers is None) == (inputs is None or outputs is None):
            raise ParameterError("Network: give either a list of layers, or inputs= and outputs= (the functional form).")
        if dtype not in ("float32", "float64"):
            raise ParameterError(f'Network: dtype must be "float32" or "float64". Got {dtype!r}.')
        self.random_state = random_state
        self.dtype = dtype
        if layers is not None:
            x = Tensor()
            self._tensors = ([x], [self._chain(x, layers)])
        else:
            self._tensors = (_as_list(inputs), _as_list(outputs))
        self.calls: list[Call] = []
        self.input_ids: list[int] = []
        self.output_ids: list[int] = []
        self.frozen: set[str] = set()
        #: Networks that stand inside this one, each with the numbers of the tensors that it is given.
        self._inside: list[tuple[NetworkGraph, tuple[int, ...]]] = []
        #: Representations asked for before the parameters exist.
        self._wanted: dict[str, Representation | None] = {}
        self._connect()
        if layers is not None and not any(isinstance(item, Tensor) for item in layers):
            first = [call.layer.index_limit() for call in self.calls if self.input_ids[0] in call.inputs]
            if any(limit is not None for limit in first):
                x.dtype = "int"  # what an Embedding takes
        self.input_shapes: list[Shape] | None = None
        self.output_shapes: list[Shape] = []
        #: The shape of one sample of every tensor, by number, once the network is built; empty where sizes are free.
        self._sample_shapes: dict[int, Shape] = {}
        #: The same for the shapes that were declared last.
        self._declared: dict[int, Shape] = {}
        self.parameters = Arena({}, dtype)
        self.states = Arena({}, dtype)
        try:
            self.rng = np.random.default_rng(random_state)
        except (TypeError, ValueError):
            raise ParameterError(
                f"Network: random_state must be an int of at least 0, a NumPy Generator or None. Got {random_state!r}."
            ) from None

    def __repr__(self) -> str:
        chain_of = [c.layer for c in self.calls]
        sequential = len(self.input_ids) == len(self.output_ids) == 1 and all(len(c.inputs) == 1 for c in self.calls)
        if sequential and len(chain_of) <= 12:
            inside = f"[{', '.join(map(repr, chain_of))}]"
        else:
            inside = f"{len(self.layers)} layers, {len(self.input_ids)} input(s), {len(self.output_ids)} output(s)"
        known = f"{self.parameters.count:,} parameters" if self.built else "not built"
        return f"{type(self).__name__}({inside}, {known})"

    # ------------------------------------------------------------ structure

    def _chain(self, x: Tensor, layers: Sequence[Any]) -> Tensor:
        if isinstance(layers, (Layer, NetworkGraph)) or not isinstance(layers, Sequence) or isinstance(layers, str):
            raise ParameterError(f"Network: expected a list of layers, such as Network([Dense(10)]). Got {layers!r}.")
        for i, item in enumerate(layers):
            if isinstance(item, Tensor) and item.caller is None:
                if i:
                    raise ParameterError("Network: Input(...) may only come first in a list of layers.")
                x.shape, x.dtype = item.shape, item.dtype
            elif isinstance(item, (Layer, NetworkGraph)):
                made = item(x)
                if isinstance(made, tuple):
                    raise ParameterError(
                        f"Network: item {i}, {item!r}, has {len(made)} outputs, and in a list each layer takes one. Connect "
                        f"it in the functional form, y, *states = layer(x), or leave its further outputs out."
                    )
                x = made
            else:
                raise ParameterError(f"Network: item {i} must be a layer or a network, such as Dense(10). Got {item!r}.")
        return x

    def __call__(self, *inputs: Tensor) -> Any:
        """The network as a layer of another network: the two share its layers, and so their parameters.

        Returns  a Tensor, or a tuple of them for a network of several outputs
        """
        own, outputs = self._tensors
        if len(inputs) != len(own):
            raise ShapeError(
                f"a network used as a layer needs as many inputs as it has; this one has {len(own)} input(s), got "
                f"{len(inputs)}."
            )
        copies: dict[int, Tensor] = {id(t): given for t, given in zip(own, inputs, strict=True)}

        layers = self.layers
        frozen = {id(layers[name]) for name in self.frozen}

        def copy(t: Tensor) -> Tensor:
            if id(t) not in copies:
                made = Tensor.several(t.caller, tuple(copy(s) for s in t.inputs), len(t.outputs))
                for tensor in made:
                    tensor.frozen = t.frozen or id(t.caller) in frozen
                    tensor.inside = [(part, tuple(copy(s) for s in given)) for part, given in t.inside]
                copies.update(zip(map(id, t.outputs), made, strict=True))
            return copies[id(t)]

        found = tuple(copy(output) for output in outputs)
        for made in dict.fromkeys(found):
            if made not in inputs:
                made.inside = [*made.inside, (self, inputs)]
        return found[0] if len(found) == 1 else found

    def _connect(self) -> None:
        """Orders the calls so that each comes after those it needs, and names the layers."""
        inputs, outputs = self._tensors
        ids: dict[int, int] = {id(t): i for i, t in enumerate(inputs)}
        names: dict[int, str] = {}
        taken: set[str] = set()
        stack: list[tuple[Tensor, bool]] = [(t, False) for t in reversed(outputs)]
        while stack:
            t, ready = stack.pop()
            if id(t) in ids:
                continue
            if t.caller is None:
                raise ParameterError("Network: an output depends on an Input that is not among inputs=.")
            if not ready:
                stack.append((t, True))
                stack.extend((s, False) for s in reversed(t.inputs))
                continue
            layer = t.caller
            if id(layer) not in names:
                layer.validate()
                names[id(layer)] = layer.name or f"{len(names)}.{layer.kind()}"
                if names[id(layer)] in taken:
                    raise ParameterError(f"Network: two different layers are named {names[id(layer)]!r}.")
                taken.add(names[id(layer)])
            given = tuple(ids[id(s)] for s in t.inputs)
            for output in t.outputs:
                ids[id(output)] = len(ids)
            first, *more = (ids[id(output)] for output in t.outputs)
            self.calls.append(Call(names[id(layer)], layer, given, first, tuple(more)))
            for tensor in t.outputs:
                if tensor.frozen:
                    self.frozen.add(names[id(layer)])
                known = [(part, given) for part, given in tensor.inside if all(id(s) in ids for s in given)]
                self._inside += [(part, tuple(ids[id(s)] for s in given)) for part, given in known]
        self.input_ids = [ids[id(t)] for t in inputs]
        self.output_ids = [ids[id(t)] for t in outputs]

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers by name, in the order of their first use."""
        return {call.name: call.layer for call in self.calls}

    def layer(self, name: str) -> Layer:
        """The layer of this name."""
        if name not in self.layers:
            raise UnknownNameError("layer", name, self.layers)
        return self.layers[name]

    def input_is_scalar(self, i: int) -> bool:
        """Whether a sample of input i is one number, such as a length: then the samples are (N,)."""
        shape = self._tensors[0][i].shape if self.input_shapes is None else self.input_shapes[i]
        return shape == ()

    def check_data(self, i: int, values: NDArray[Any] | Sequences, name: str, given: Sequence[Shape] | None = None) -> None:
        """DataError when the samples of input i cannot be used by a layer that takes them; ``name`` stands in the message.

        Indices must be below the limit of the embeddings they reach; each layer may ask for more (`Layer.check_data`).

        Parameters  given : the shapes of one sample of all inputs, for a network with free sizes
        """
        limit = self.index_limits()[i]
        if limit is not None:
            _check_indices(values, limit, name)
        for call in self.calls:
            for place, at in enumerate(call.inputs):
                if at == self.input_ids[i]:
                    known = self._sample_shapes
                    if not known and given is not None and len(call.inputs) > 1:
                        known = self._shapes_for(tuple(given))
                    shapes = tuple(known.get(n, ()) for n in call.inputs)
                    if isinstance(values, Sequences):
                        # Sequences of one length at a time: what a layer asks for is asked of each.
                        for length in np.unique(values.lengths):
                            rows = np.flatnonzero(values.lengths == length)
                            call.layer.check_data(place, values.padded(rows), shapes, name)
                    else:
                        call.layer.check_data(place, values, shapes, name)

    def _shapes_for(self, given: tuple[Shape, ...]) -> dict[int, Shape]:
        """The shape of one sample of every tensor for inputs of these shapes, none of them free."""
        if any(FREE in shape for shape in given):
            return {}
        cache: dict[tuple[Shape, ...], dict[int, Shape]] = self.__dict__.setdefault("_shapes_by_input", {})
        if given not in cache:
            if len(cache) > 64:
                cache.clear()
            self._declare(list(given))
            cache[given] = self._declared
        return cache[given]

    def index_limits(self) -> list[int | None]:
        """For each input, how many indices its embeddings know: data must be in 0, ..., limit − 1. None: no indices."""
        limits: dict[int, int] = {}
        for call in reversed(self.calls):
            own, passed_on = call.layer.index_limit(), limits.get(call.output)
            for i in call.inputs:
                known = [n for n in (own, passed_on, limits.get(i)) if n is not None]
                if known:
                    limits[i] = min(known)
        return [limits.get(i) for i in self.input_ids]

    def reads_padding(self) -> list[bool]:
        """For each input, whether the outputs would depend on padding after the last step of a sequence.

        It is so unless layers that find out what is padding, or work step by step, or from the past alone, take it.
        """
        found: dict[int, bool] = {}
        for call in reversed(self.calls):
            passed_on = any(found.get(i, False) for i in call.outputs)
            for place, i in enumerate(call.inputs):
                reads = not call.layer.masks(place) and (call.layer.looks_ahead(place) or passed_on)
                found[i] = found.get(i, False) or reads
        return [found.get(i, False) for i in self.input_ids]

    @property
    def samples(self) -> int | None:
        """How many samples every batch has, in a network of a graph: one for each node. None for any other network.

        Raises  ShapeError, naming both layers, when two were given graphs of different sizes
        """
        found = [(call.name, n) for call in self.calls if (n := call.layer.samples()) is not None]
        for name, n in found[1:]:
            if n != found[0][1]:
                raise ShapeError(
                    f"layer {found[0][0]!r} has a graph of {found[0][1]} nodes and layer {name!r} one of {n}. All layers "
                    f"of a "
                    f"network work on the same nodes."
                )
        return found[0][1] if found else None

    def sample_shape(self, tensor: int) -> Shape | None:
        """The shape of one sample of a tensor by its number, None where it is not known before data comes."""
        return self._sample_shapes.get(tensor)

    def samples_at_once(self, shapes: Sequence[Shape] | None = None) -> int:
        """How many samples are computed at a time where nothing is learned and no number is asked for.

        A power of two from 16 to 1,024, so many that no tensor between two layers takes more than 16 MB: more are no faster,
        but take longer to prepare, and memory. All nodes, in a network of a graph.

        Parameters  shapes : of one sample of each input, where sizes are free
        """
        if (nodes := self.samples) is not None:
            return nodes
        sizes = (self._sample_shapes or self._shapes_for(tuple(self.concrete(shapes)))).values()
        largest = max((math.prod(shape) for shape in sizes), default=1)
        fitting = _AT_ONCE // max(1, largest * np.dtype(self.dtype).itemsize)
        return min(max(1 << max(0, fitting.bit_length() - 1), 16), 1024)

    @property
    def input_dtypes(self) -> list[str]:
        return [t.dtype for t in self._tensors[0]]

    # ------------------------------------------------------------ shapes and parameters

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the parameters exist."""
        return self.input_shapes is not None

    def require_built(self, what: str) -> None:
        """NotFittedError when the network has no parameters yet."""
        if not self.built:
            raise NotFittedError(
                f"{what}: the network's shapes are not known yet. Call fit(X, y) or build((features,)) first, "
                f"or begin the list of layers with Input((features,))."
            )

    @property
    def buildable_shapes(self) -> list[tuple[int | None, ...]]:
        """The shapes of one sample of each input as ``build`` takes them: None for a free size."""
        self.require_built("buildable_shapes")
        return [tuple(None if s == FREE else s for s in shape) for shape in self.input_shapes or []]

    def declared_input_shapes(self) -> list[Shape] | None:
        """The shapes given by Input, or None when one is missing."""
        shapes = [t.shape for t in self._tensors[0]]
        return None if any(s is None for s in shapes) else [s for s in shapes if s is not None]

    def build(self, *input_shapes: tuple[int | None, ...] | int) -> NetworkGraph:
        """Fixes the shapes (of one sample each) and draws the start weights. Building twice with the same shapes keeps them.

        Without shapes they are those that it was built for, or those of its Input layers.

        Raises  ShapeError when shapes do not fit the layers, naming the layer
        """
        if not input_shapes and self.built:
            return self
        declared_shapes = [t.shape for t in self._tensors[0]]
        given = [_sample_shape(s) for s in input_shapes] or self.declared_input_shapes()
        if given is None:
            raise ShapeError("build: give the shape of one sample, such as build((64,)).")
        if len(given) != len(self.input_ids):
            raise ShapeError(f"build: the network has {len(self.input_ids)} input(s), got {len(given)} shape(s).")
        for i, (declared, shape) in enumerate(zip(declared_shapes, given, strict=True)):
            if declared is not None and not fits(shape, declared):
                raise ShapeError(
                    f"input {i}: the network was made for samples of shape {shown(declared)}, got {shown(shape)}."
                )
        if self.input_shapes is not None:
            if not all(fits(shape, built) for shape, built in zip(given, self.input_shapes, strict=True)):
                raise ShapeError(f"the network was built for samples of shape {self.input_shapes}, got {given}.")
            return self
        given = [shape if declared is None else declared for shape, declared in zip(given, declared_shapes, strict=True)]
        parameters, states, self.output_shapes = self._declare_free(given)
        with LOCK:
            self._make_variables(parameters, states)
        self.input_shapes = given
        self._build_inside()
        return self

    def _make_variables(self, parameters: dict[str, Parameter], states: dict[str, State]) -> None:
        """Finds the arrays of layers that other networks have, too, and makes and fills those that are new."""
        owners = self._owners([*parameters, *states])
        new: dict[str, LayerVariables] = {}
        held: dict[str, LayerVariables] = {}
        shapes: dict[str, tuple[dict[str, Shape], dict[str, Shape]]] = {name: ({}, {}) for name in self.layers}
        kinds: tuple[Mapping[str, Parameter | State], ...] = (parameters, states)
        for i, arrays in enumerate(kinds):
            for full, array in arrays.items():
                shapes[owners[full]][i][full[len(owners[full]) + 1 :]] = array.shape
        for name, layer in self.layers.items():
            known = variables_of(layer)
            if known is not None:
                known.check(name, *shapes[name], self.dtype)
            else:
                new[name] = LayerVariables(self.dtype)
            held[name] = known or new[name]
        self._check_size({**parameters, **states}, owners, new)
        fresh = {full: (p.shape, p.decay) for full, p in parameters.items() if owners[full] in new}
        made = Arena(fresh, self.dtype)
        made_states = Arena({full: (s.shape, False) for full, s in states.items() if owners[full] in new}, self.dtype)
        self._draw(made, parameters)
        for full, filled in made_states.items():
            filled[...] = states[full].value
        found: dict[str, dict[str, Variable]] = {"parameters": {}, "states": {}}
        for kind, wanted, arena in (("parameters", parameters, made), ("states", states, made_states)):
            for full in wanted:
                owner, name = owners[full], full[len(owners[full]) + 1 :]
                own_variables: dict[str, Variable] = getattr(held[owner], kind)
                if full in arena:
                    own_variables[name] = arena.variables[full]
                found[kind][full] = own_variables[name]
        self.parameters = Arena.over(found["parameters"], self.dtype) if held.keys() - new.keys() else made
        self.states = Arena.over(found["states"], self.dtype) if held.keys() - new.keys() else made_states
        layers = self.layers
        for name, variables in new.items():
            if variables.parameters or variables.states:
                keep(layers[name], variables)
        for full, p in parameters.items():
            if full in made and p.representation is not None:
                self._wanted.setdefault(full, representation_of(p.representation))
        for full, representation in self._wanted.items():
            self._represent(full, representation)
        self._wanted = {}

    def _check_size(
        self, arrays: Mapping[str, Parameter | State], owners: Mapping[str, str], new: Container[str]
    ) -> None:  # fmt: skip
        """ParameterError, before any memory is taken, when the new arrays need more than this machine has."""
        width, memory = np.dtype(self.dtype).itemsize, machine_memory()
        sizes = {full: width * math.prod(int(s) for s in a.shape) for full, a in arrays.items() if owners[full] in new}
        if sum(sizes.values()) > memory:
            largest = max(sizes, key=sizes.__getitem__)
            layer = self.layers[owners[largest]]
            raise ParameterError(
                f"the arrays of this network need {sum(sizes.values()) / 2**30:,.1f} GiB, and this machine has "
                f"{memory / 2**30:,.1f} GiB of memory. The largest is {largest!r} of the layer {layer!r}: shape "
                f"{tuple(arrays[largest].shape)}, {sizes[largest] / 2**30:,.1f} GiB. Make that layer smaller, or what comes "
                "before it."
            )

    # ------------------------------------------------------------ how parameters are held

    def represent(self, name: str, representation: Representation | None) -> NetworkGraph:
        """Holds a parameter in this way: with a mask, as signs, or as a Representation of your own says; None: as it is.

        What is stored becomes what may be stored so: the elements under a mask become zero. All networks that share the
        parameter see it. In a network that is not built yet the parameter begins like this.

        Parameters  name : of a parameter, such as "0.dense.weight" ; representation : see ``network.representation``
        Raises      UnknownNameError when there is no such parameter ; ShapeError, ParameterError when it cannot be held so

        Example
            >>> from chainrule.layers import Dense
            >>> from chainrule.network import Masked
            >>> net = NetworkGraph([Dense(2)], random_state=0).build((2,))
            >>> _ = net.represent("0.dense.weight", Masked([[1, 0], [0, 1]]))
            >>> net.parameters["0.dense.weight"][0, 1]
            np.float32(0.0)
        """
        if representation is not None and not isinstance(representation, Representation):
            raise ParameterError(
                f"represent: expected a Representation such as Masked(mask), or None. Got {representation!r}."
            )
        if not self.built:
            self.layer(name.rpartition(".")[0])
            self._wanted[name] = representation
        else:
            self._represent(name, representation)
        return self

    def representation(self, name: str) -> Representation | None:
        """How a parameter is held; None: as it is."""
        if not self.built:
            return self._wanted.get(name)
        return self._variable(name).representation

    def representations(self) -> dict[str, Representation]:
        """The parameters that are held in another way than as they are."""
        if not self.built:
            return {name: r for name, r in self._wanted.items() if r is not None}
        return {n: v.representation for n, v in self.parameters.variables.items() if v.representation is not None}

    def _variable(self, name: str) -> Variable:
        if name not in self.parameters.variables:
            raise UnknownNameError("parameter", name, self.parameters)
        return self.parameters.variables[name]

    def _represent(self, name: str, representation: Representation | None) -> None:
        variable = self._variable(name)
        if representation is not None:
            representation.check(name, variable.shape)
        variable.represent(representation)

    def project(self) -> None:
        """Makes of every parameter what its representation may store, after somebody has written into it."""
        for variable in self.parameters.variables.values():
            variable.project()

    def signature(self, *, contents: bool = False) -> tuple[int, ...]:
        """Changes when the equations of a representation do; with ``contents`` also when its arrays do."""
        return tuple(v.contents if contents else v.version for v in self.parameters.variables.values())

    def held_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of all representations, flat, by their names in plans: "0.dense.weight:mask"."""
        variables = self.parameters.variables.items()
        return {f"{full}:{name}": array for full, v in variables for name, array in v.held.items()}

    def _owners(self, names: Iterable[str]) -> dict[str, str]:
        """The layer of each parameter or state."""
        layers, found = self.layers, {}
        for full in names:
            owner = full
            while owner not in layers:  # the longest name that fits, as a layer's name may hold another's
                owner = owner[: owner.rindex(".")]
            found[full] = owner
        return found

    def _draw(self, arena: Arena, parameters: dict[str, Parameter]) -> None:
        """Gives the arrays of an arena their start weights."""
        for name, whole in arena.items():
            p = parameters[name]
            parts = p.init if isinstance(p.init, tuple) else (p.init,)
            targets = np.split(whole, len(parts), axis=-1) if len(parts) > 1 else [whole]
            for part, target in zip(parts, targets, strict=True):
                if part is None:
                    following = self._next_activation(name)
                    init = default_for(None if following is None else following.curve().start_variance)
                else:
                    init = Constant(part) if isinstance(part, (int, float)) else get_initializer(part)
                fans = {"fan_in": p.fan_in, "fan_out": p.fan_out}
                target[...] = init(target.shape, self.rng, **fans, dtype=np.dtype(self.dtype))

    def restart(self) -> NetworkGraph:
        """Draws all start weights anew and resets all states, in place; layers that are frozen keep what they have."""
        self.require_built("restart")
        parameters, states, _ = self._declare(self.concrete())
        kept = {
            (i, name): np.array(array)
            for i, arena in enumerate((self.parameters, self.states))
            for name, owner in self._owners(arena).items()
            if owner in self.frozen and (array := arena[name]) is not None
        }
        self._draw(self.parameters, parameters)
        self.project()
        for name, array in self.states.items():
            array[...] = states[name].value
        for i, arena in enumerate((self.parameters, self.states)):
            for name, variable in arena.variables.items():
                if (i, name) in kept:
                    variable.array[...] = kept[i, name]
                else:
                    variable.started = False
        return self

    def _adopt(self) -> None:
        """Makes the arrays of this network those of its layers, after the network was copied or loaded."""
        found: dict[str, LayerVariables] = {}
        for kind, arena in (("parameters", self.parameters), ("states", self.states)):
            for full, owner in self._owners(arena).items():
                own = found.setdefault(owner, LayerVariables(self.dtype))
                getattr(own, kind)[full[len(owner) + 1 :]] = arena.variables[full]
        layers = self.layers
        with LOCK:
            for name, variables in found.items():
                if variables_of(layers[name]) is None:
                    keep(layers[name], variables)

    def arenas(self) -> dict[str, NDArray[Any]]:
        """The flat arrays that the network's numbers lie in, by their names in plans."""
        return {**self.parameters.arenas("parameters"), **self.states.arenas("states"), **self.held_arrays()}

    def _build_inside(self) -> None:
        """Builds the networks that stand inside this one, all of whose variables exist now."""
        for part, given in self._inside:
            if part.built or part.dtype != self.dtype:
                continue
            shapes = part.declared_input_shapes()
            if shapes is None and self._sample_shapes:
                shapes = [self._sample_shapes[i] for i in given]
            if shapes is not None:
                # One that says itself that it is for other samples stays as it is, and says so when it is asked for more.
                with suppress(ShapeError):
                    part.build(*(tuple(None if s == FREE else s for s in shape) for shape in shapes))
        self._inside = []

    # ------------------------------------------------------------ copies

    #: Attributes that copies and pickles leave out: what belongs to this object alone, or is made again when it is needed.
    _not_copied: ClassVar[tuple[str, ...]] = ("_tensors", "_inside", "_shapes_by_input")

    def __getstate__(self) -> dict[str, Any]:
        # The graph is rebuilt from the calls, so that a deep network does not nest as deep in the pickle.
        state = {name: value for name, value in vars(self).items() if name not in self._not_copied}
        state["inputs"] = [(t.shape, t.dtype) for t in self._tensors[0]]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        inputs = [Tensor(shape=shape, dtype=dtype) for shape, dtype in state.pop("inputs")]
        vars(self).update(state)
        tensors = dict(zip(self.input_ids, inputs, strict=True))
        for call in self.calls:
            made = Tensor.several(call.layer, tuple(tensors[i] for i in call.inputs), len(call.outputs))
            tensors.update(zip(call.outputs, made, strict=True))
        self._tensors = (inputs, [tensors[i] for i in self.output_ids])
        self._inside = []
        self._adopt()

    def _declare_free(self, shapes: list[Shape]) -> tuple[dict[str, Parameter], dict[str, State], list[Shape]]:
        """``_declare`` for shapes with free sizes: what changes with them is found by declaring for two lengths."""
        if not any(FREE in shape for shape in shapes):
            self._stand_in = list(shapes)
            found = self._declare(shapes)
            self._sample_shapes = self._declared
            return found
        first: ShapeError | None = None
        for size in _STAND_INS:
            try:
                self._stand_in = [tuple(size if s == FREE else s for s in shape) for shape in shapes]
                half = [tuple(size // 2 if s == FREE else s for s in shape) for shape in shapes]
                (parameters, states, outputs), (others, more, changed) = self._declare(self._stand_in), self._declare(half)
                break
            except ShapeError as error:
                first = first or error
                if size == _STAND_INS[-1]:
                    raise first from None
        # Frames of sound are hundreds of steps apart, so their number is the same for lengths as short as these.
        with suppress(ShapeError):
            of_long = self._declare([tuple(_LONG if s == FREE else s for s in shape) for shape in shapes])
            if any(
                a.shape != b.shape
                for a, b in zip((parameters | states).values(), (of_long[0] | of_long[1]).values(), strict=True)
            ):
                others, more = of_long[:2]
            changed = [
                tuple(b if a != b else c for a, b, c in zip(one, of_half, of_whole, strict=True))
                for one, of_half, of_whole in zip(outputs, changed, of_long[2], strict=True)
            ]
        for name, p in (parameters | states).items():
            if p.shape != (others | more)[name].shape:
                raise ShapeError(
                    f"{name!r} would have another shape for sequences of another length, {p.shape} or "
                    f"{(others | more)[name].shape}. Use a layer that does not depend on the length, such as a recurrent "
                    f"one or GlobalAveragePool, or sequences of one length."
                )
        self._sample_shapes = {}  # they depend on the lengths
        free = [
            tuple(a if a == b else FREE for a, b in zip(x, y, strict=True)) for x, y in zip(outputs, changed, strict=True)
        ]
        return parameters, states, free

    def concrete(self, shapes: Sequence[Shape] | None = None) -> list[Shape]:
        """Shapes of one sample of each input without free sizes: those given, else with stand-ins for free sizes."""
        self.require_built("concrete")
        return list(self._stand_in if shapes is None else shapes)

    def declared(self) -> dict[str, Parameter]:
        """What the layers ask for: every parameter with its start law, its fans, and whether it decays, by name."""
        return self._declare(self.concrete())[0]

    def sample_shapes(self, shapes: Sequence[Shape] | None = None) -> dict[int, Shape]:
        """The shape of one sample of every tensor, by number. Parameters  shapes : of the inputs, where sizes are free"""
        return self._sample_shapes or self._shapes_for(tuple(self.concrete(shapes)))

    def outputs_for(self, shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes of one sample of each output for inputs of these shapes."""
        if not any(FREE in shape for shape in self.output_shapes):
            return self.output_shapes
        return self._declare(list(shapes))[2]

    def _declare(self, shapes: list[Shape]) -> tuple[dict[str, Parameter], dict[str, State], list[Shape]]:
        """Asks every layer for its parameters, finding the shapes by emitting the forward equations for a batch."""
        parameters: dict[str, Parameter] = {}
        states: dict[str, State] = {}
        k = Builder(
            parameter=lambda layer, name: Value(parameters[f"{layer}.{name}"].shape, role="parameter"),
            state=lambda layer, name: Value(states[f"{layer}.{name}"].shape, role="state"),
        )
        batch = self.samples or 2
        tensors = {
            i: Value((batch, *shape), dtype)
            for i, shape, dtype in zip(self.input_ids, shapes, self.input_dtypes, strict=True)
        }
        before: dict[str, list[Shape]] = {}
        for call in self.calls:
            xs = [tensors[i] for i in call.inputs]
            given = [x.shape[1:] for x in xs]
            try:
                for name, p in call.layer.parameters(*(x.shape for x in xs)).items():
                    old = parameters.setdefault(f"{call.name}.{name}", p)
                    if old.shape != p.shape:
                        raise ShapeError(
                            f"it is used twice, on samples of shape {' and '.join(map(str, before[call.name]))} and then of "
                            f"{' and '.join(map(str, given))}, so its {name!r} would need the shapes {old.shape} and "
                            f"{p.shape}. Give every use of a shared layer samples of one shape, such as a discriminator "
                            f"real pictures and generated ones of one size."
                        )
                before.setdefault(call.name, given)
                for name, s in call.layer.states(*(x.shape for x in xs)).items():
                    states.setdefault(f"{call.name}.{name}", s)
                with k.at("forward", call.name):
                    call.emit(k, tensors)
            except ShapeError as error:
                raise ShapeError(f"layer {call.name!r}: {error}{self._sources(call, tensors)}") from None
        self._declared = {i: v.shape[1:] for i, v in tensors.items()}
        return parameters, states, [tensors[i].shape[1:] for i in self.output_ids]

    def _sources(self, call: Call, tensors: dict[int, Value]) -> str:
        """Where the inputs of a layer that joins several come from, for its errors."""
        if len(call.inputs) < 2:
            return ""
        makers = {o: repr(c.name) for c in self.calls for o in c.outputs} | {
            n: f"input {i}" for i, n in enumerate(self.input_ids)
        }
        found = (f"{tensors[i].shape[1:]} from {makers[i]}" for i in call.inputs)
        return f" Its inputs are, of one sample, {' and '.join(found)}."

    def _next_activation(self, parameter: str) -> Layer | None:
        """The activation that follows the layer of this parameter, through layers that leave a signal at its size."""
        at = next((c.output for c in self.calls if parameter.startswith(c.name + ".")), None)
        while at is not None:
            users = [c for c in self.calls if at in c.inputs]
            if len(users) != 1:
                return None
            layer = users[0].layer
            if layer.role == "activation":
                return layer
            if not layer.passes_scale:
                return None
            at = users[0].output
        return None

    def cut(self, layer: str | Layer) -> Self:
        """The network up to the output of a layer, for a new head: the two share their layers, and so their weights.

        ``Network([body.cut("top.norm"), GlobalAveragePool(), Dense(5)])`` begins with what the body has learned; with
        ``freeze(body)`` it keeps it. A network of its own begins with a copy, ``copy.deepcopy(network.cut(name))``.

        Parameters  layer : its name, or the layer itself; where it is used several times, its last use counts
        Raises      UnknownNameError when there is no such layer
        """
        return self.taps(layer)

    def taps(self, *layers: str | Layer) -> Self:
        """The network up to the outputs of these layers, one output for each: what it sees on the way, for objectives there.

        ``low, high = body.taps("relu1", "relu4")(picture)`` are tensors of a graph that goes on from them.

        Parameters  layers : names, or the layers themselves; where one is used several times, its last use counts
        Raises      UnknownNameError when there is no such layer ; ParameterError when none is named
        """
        if not layers:
            raise ParameterError(f"taps: name the layers whose outputs are wanted. Known layers: {', '.join(self.layers)}.")
        outputs = [self.output_of(layer) for layer in layers]
        part = type(self)(inputs=self._tensors[0], outputs=outputs, dtype=self.dtype)
        part.frozen = {name for name in self.frozen if name in part.layers}
        if self.built:
            part.build(*self.buildable_shapes)
        return part

    def part(self, tensors: Iterable[int], frozen: Iterable[str]) -> Self:
        """The calls that these tensors depend on, over the same arrays and under the same names, with these layers frozen.

        Unlike a network of its own (``cut``) it stands for one of several things that this network is trained for.

        Parameters  tensors : by number, the outputs of the part ; frozen : names of layers
        """
        wanted = list(dict.fromkeys(tensors))
        needed, calls = set(wanted), []
        for call in reversed(self.calls):
            if needed.intersection(call.outputs):
                needed.update(call.inputs)
                calls.append(call)
        found = object.__new__(type(self))
        vars(found).update(vars(self))
        found.calls, found.output_ids, found.frozen = calls[::-1], wanted, set(frozen)
        return found

    def output_of(self, layer: str | Layer) -> Tensor:
        """The Tensor that a layer makes, for further layers of the functional form; ``inputs`` are what it comes from.

        Parameters  layer : its name, or the layer itself; where it is used several times, its last use counts
        Raises      UnknownNameError when there is no such layer
        """
        wanted = self.layer(layer) if isinstance(layer, str) else layer
        waiting, seen = list(self._tensors[1]), set[int]()
        while waiting:
            tensor = waiting.pop(0)
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            if tensor.caller is wanted:
                return tensor.outputs[0]
            waiting += tensor.inputs
        raise UnknownNameError("layer", repr(layer), self.layers)

    @property
    def inputs(self) -> list[Tensor]:
        """The Tensors that the network is given, for networks in the functional form that share a part of its layers."""
        return list(self._tensors[0])

    @property
    def outputs(self) -> list[Tensor]:
        """The Tensors that the network gives, for networks in the functional form that share its layers."""
        return list(self._tensors[1])

    def freeze(self, *layers: str | Layer | NetworkGraph) -> NetworkGraph:
        """Keeps all parameters of these layers as they are in later fits of this network. ``unfreeze`` undoes it.

        Running statistics are kept as well, and computed with: a frozen BatchNorm acts in training as in prediction.
        Other networks that use the layers still train them.

        Parameters  layers : names, layers, or networks that stand inside this one, for all layers of them. A name may be
                    that of a layer, a prefix up to a dot ("block3" for "block3.expand.conv" and its like), or a pattern with
                    * and ? ("block[0-3].*")
        Raises      UnknownNameError for a name that no layer has

        Example
            >>> from chainrule import Dense, Network
            >>> net = Network([Dense(8).named("body.0"), Dense(8).named("body.1"), Dense(2).named("head")])
            >>> sorted(net.freeze("body").frozen)
            ['body.0', 'body.1']
        """
        self.frozen |= set(self.named(*layers))
        return self

    def unfreeze(self, *layers: str | Layer | NetworkGraph) -> NetworkGraph:
        """Lets the parameters of these layers (of all, when none is named) learn again. Parameters  as of ``freeze``"""
        self.frozen -= set(self.named(*layers)) if layers else set(self.frozen)
        return self

    def named(self, *wanted: str | Layer | NetworkGraph) -> list[str]:
        """The names of layers that are given by a name, a prefix or a pattern, as objects, or as networks of them.

        Parameters  wanted : as of ``freeze``
        Raises      UnknownNameError for a name that no layer has ; ParameterError for a layer of another network
        """
        found: list[str] = []
        names = {id(layer): name for name, layer in self.layers.items()}
        for one in wanted:
            if isinstance(one, (Layer, NetworkGraph)):
                parts = list(one.layers.values()) if isinstance(one, NetworkGraph) else [one]
                if any(id(part) not in names for part in parts):
                    raise ParameterError(f"{one!r} does not stand in this network. Known layers: {', '.join(self.layers)}.")
                found += [names[id(part)] for part in parts]
            elif one in self.layers:
                found.append(one)
            else:
                pattern = one if any(sign in one for sign in "*?[") else f"{escape(one.removesuffix('.'))}.*"
                fitting = [name for name in self.layers if fnmatchcase(name, pattern)]
                if not fitting:
                    raise UnknownNameError("layer", one, self.layers)
                found += fitting
        return found

    def trainable(self, parameter: str) -> bool:
        """Whether fits change this parameter."""
        variable = self.parameters.variables.get(parameter)
        if variable is not None and not variable.trainable:
            return False
        return not any(parameter.startswith(layer + ".") for layer in self.frozen)


#: Lengths for which a network with free sizes is declared; others where a layer needs longer or shorter ones.
_STAND_INS = (8, 64, 512, 4, 2)
_LONG = 1 << 14
#: Bytes that the largest tensor between two layers may take where samples are computed a part at a time.
_AT_ONCE = 1 << 24


def fits(shape: Shape, wanted: Shape) -> bool:
    """Whether samples of this shape fit a network made for ``wanted``, whose free sizes may be any."""
    return len(shape) == len(wanted) and all(w in (s, FREE) for s, w in zip(shape, wanted, strict=True))


def shown(shape: Shape) -> str:
    """The shape as text, T for a free size."""
    return f"({', '.join('T' if s == FREE else str(s) for s in shape)}{',' * (len(shape) == 1)})"


def _sample_shape(shape: Any) -> Shape:
    """The shape of one sample from what ``build`` was given; ShapeError when it is none."""
    sizes = [shape] if isinstance(shape, (Integral, str)) or not isinstance(shape, Iterable) else list(shape)
    if not all(s is None or Interval(int, 1).holds(s) for s in sizes):
        raise ShapeError(f"build: a shape must be the positive sizes of one sample, such as (64,). Got {shape!r}.")
    return tuple(FREE if s is None else int(s) for s in sizes)


def _check_indices(x: NDArray[Any] | Sequences, limit: int, name: str) -> None:
    if not isinstance(x, Sequences):
        check_indices(x, limit, name=name)
        return
    bad = np.flatnonzero((x.values < 0) | (x.values >= limit))
    if len(bad):
        i = int(np.searchsorted(x.offsets, bad[0], "right")) - 1
        check_indices(x[i], limit, name=f"{name}[{i}]")


def _as_list(tensors: Tensor | Sequence[Tensor] | None) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors or [])
