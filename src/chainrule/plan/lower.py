"""From a network, a loss and an optimizer to a plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from functools import partial, reduce
from math import log2
from typing import NamedTuple

from ..errors import ParameterError, ShapeError
from ..layers import Parameter
from ..losses import Loss
from ..network import Arena, Call, NetworkGraph
from ..network.parameters import arena_name
from ..network.representation import Held
from ..ops import Builder, Node, Saved, SparseMatrix, Value
from ..ops.communication import Summing
from ..ops.memory import round_up
from ..ops.table import OPS
from ..ops.value import Shape
from ..optimizers import Optimizer
from .frozen import Frozen
from .memory import is_view
from .plan import Plan


class Run(NamedTuple):
    """A stretch of the parameters' block number ``block`` that one update covers, and whether it decays.

    Its learning rate is ``factor`` times the optimizer's. A parameter with a representation has one for itself, with its
    name.
    """

    start: int
    stop: int
    decay: bool
    block: int
    name: str = ""
    factor: float = 1.0


class Update(NamedTuple):
    """What one update works on: the weights, their gradient and slots, whether they decay, the factor of the rate."""

    w: Value
    g: Value
    slots: dict[str, Value]
    decay: bool
    factor: float


class _Lowering:
    """The state shared by the phases of one lowering: the Builder, the arenas, the tensors of the network."""

    def __init__(
        self,
        network: NetworkGraph,
        batch: int,
        training: bool,
        shapes: Sequence[Shape] | None = None,
        constants: Mapping[int, SparseMatrix] | None = None,
        frozen: Frozen | None = None,
        start: Sequence[int] = (),
        taken_out: Collection[str] = (),
        sparse: Collection[int] = (),
    ) -> None:
        network.require_built("lowering")
        self.frozen, self.taken_out = frozen, taken_out
        self.network, self.batch, self.training = network, batch, training
        self.arenas: dict[str, Value] = {}
        self._rules: dict[str, Parameter] | None = None
        self._views: dict[str, Value] = {}
        #: Whether people will read the equations: then an update is that of any gradient g.
        self.to_be_read = False
        #: Whether updates must read the gradients from their arena, since these are no longer what the backward pass made.
        self.gradients_in_arena = False
        #: Whether masks may be part of the equations: of a training step whose updates are compiled with it.
        self.skips_zeros = False
        self._held: dict[str, Held] = {}
        self._values: dict[str, Value] = {}
        self.k = Builder(training=training, parameter=self.parameter, state=self.state, gradient=self.gradient)
        self.inputs: dict[str, Value] = {}
        self.tensors: dict[int, Value] = {}
        self.saved: list[Saved] = []
        #: Every dx that a layer passed back: (number of the call, number of its input, dx, sum with earlier ones).
        self.passed: list[tuple[int, int, Value, Value]] = []
        #: What layers have inside that is worth looking at: (number of the call, name, value).
        self.inside: list[tuple[int, str, Value]] = []
        #: The calls whose outputs are made elsewhere, or needed by nobody once the start is given.
        self.skipped = _before(network, start) if start else frozenset()
        if start:
            assert shapes is not None
            dtypes = dict(zip(network.input_ids, network.input_dtypes, strict=True))
            for i, (number, shape) in enumerate(zip(start, shapes, strict=True)):
                x = Value((batch, *shape), dtypes.get(number, "float"), "input", f"x{i}")
                self.inputs[x.name] = self.tensors[number] = x
            return
        for i, shape in enumerate(network.concrete(None if constants else shapes)):
            matrix = (constants or {}).get(i)
            if matrix is not None:
                self.tensors[network.input_ids[i]] = Value((batch, *shape), role="constant", name=f"x{i}", sparse=matrix)
                continue
            dtype = "sparse" if i in sparse else network.input_dtypes[i]
            x = Value((batch, *shape), dtype, "input", f"x{i}")
            self.inputs[x.name] = self.tensors[network.input_ids[i]] = x

    def arena(self, kind: str, block: int = 0) -> Value:
        """The flat array of this kind that goes with a block of the network's parameters, or of its states."""
        name = arena_name(kind, block)
        if name not in self.arenas:
            layout = self.network.states if kind == "states" else self.network.parameters
            self.arenas[name] = Value((layout.blocks[block].size,), role="arena", name=name)
        return self.arenas[name]

    def _view(self, kind: str, entries: Arena, name: str, role: str) -> Value:
        if name not in self._views:
            e = entries.entries[name]
            base = self.arena(kind, e.block)
            self._views[name] = Value(e.shape, role=role, name=name, base=base, offset=e.offset)
        return self._views[name]

    def parameter(self, layer: str, name: str) -> Value:
        """What the layer computes with: the stored array, or what its representation makes of it."""
        full = f"{layer}.{name}"
        if self.frozen is not None:
            return self._frozen(full)
        held = self.held(full)
        if held is None:
            return self.stored(full)
        if full not in self._values:
            self._values[full] = value = held.representation.value(self.k, held)
            if value.shape != held.stored.shape:
                raise ShapeError(
                    f"{type(held.representation).__name__}.value gave shape {value.shape} for {full!r} of shape "
                    f"{held.stored.shape}."
                )
            value.held = held
        return self._values[full]

    def stored(self, full: str) -> Value:
        """The array of a parameter that optimizers change."""
        return self._view("parameters", self.network.parameters, full, "parameter")

    def held(self, full: str) -> Held | None:
        """The parameter as its representation sees it; None for one that is held as it is."""
        representation = self.network.parameters.variables[full].representation
        if representation is None:
            return None
        if full not in self._held:
            arrays = {}
            for name, array in representation.arrays().items():
                key = f"{full}:{name}"
                base = self.arenas.setdefault(key, Value((array.size,), role="arena", name=key))
                arrays[name] = Value(array.shape, role="state", name=name, base=base)
            self._held[full] = Held(representation, self.stored(full), arrays, self.training, self.skips_zeros)
        return self._held[full]

    def gradient(self, layer: str, name: str, value: Value) -> Value:
        """The gradient of a parameter's stored array, from that of what the layer computes with."""
        held = self.held(f"{layer}.{name}")
        return value if held is None else held.representation.gradient(self.k, held, value)

    def _frozen(self, full: str) -> Value:
        """A parameter or state that does not change any more."""
        assert self.frozen is not None
        if full not in self._values:
            self._values[full] = value = self.frozen.value(full)
            assert value.base is not None
            self.arenas[value.base.name] = value.base
        return self._values[full]

    def state(self, layer: str, name: str) -> Value:
        if f"{layer}.{name}" in self.taken_out:
            return self.k.constant(0.0)
        if self.frozen is not None:
            return self._frozen(f"{layer}.{name}")
        return self._view("states", self.network.states, f"{layer}.{name}", "state")

    # ------------------------------------------------------------ phases

    def forward(self) -> list[Value]:
        """Emits every layer's forward equations; returns the outputs."""
        self._keeping = {name.rpartition(".")[0] for name in self.network.states}
        for number, call in enumerate(self.network.calls):
            if number in self.skipped:
                self.saved.append(Saved())
                continue
            self.begin(call)
            with self.k.at("forward", call.name):
                try:
                    self.saved.append(call.emit(self.k, self.tensors))
                except ShapeError as error:
                    raise ShapeError(f"layer {call.name!r}: {error}") from None
        self.k.training = self.training
        return [self.tensors[i] for i in self.network.output_ids]

    def begin(self, call: Call) -> None:
        """Sets how the layer of a call is to act: a frozen one keeps its running statistics and computes with them."""
        self.k.training = self.training and not (call.name in self.network.frozen and call.name in self._keeping)

    def backward(self, gradients: Mapping[int, Value]) -> dict[int, Value]:
        """Emits every layer's backward equations in reverse: the chain rule. Returns dx of each input, by tensor number."""
        d: dict[int, Value] = dict(gradients)
        k = self.k
        for number in reversed(range(len(self.network.calls))):
            call, saved = self.network.calls[number], self.saved[number]
            dys = tuple(d.get(i) for i in call.outputs)
            if number in self.skipped or all(dy is None for dy in dys):
                continue
            with k.at("backward", call.name):
                watched = len(k.watched)
                dxs = call.layer.backward(k, saved, dys if call.more else dys[0])
                self.inside += [(number, name, value) for _, name, value in k.watched[watched:]]
                dxs = dxs if isinstance(dxs, tuple) else (dxs,)
                if len(dxs) != len(call.inputs):
                    raise ShapeError(
                        f"layer {call.name!r}: backward returned {len(dxs)} gradient(s) for {len(call.inputs)} input(s)."
                    )
                for place, (i, dx) in enumerate(zip(call.inputs, dxs, strict=True)):
                    if dx is None:
                        continue
                    if dx.shape != self.tensors[i].shape:
                        raise ShapeError(
                            f"layer {call.name!r}: backward returned dx of shape {dx.shape} "
                            f"for an input of shape {self.tensors[i].shape}."
                        )
                    d[i] = k.add(d[i], dx) if i in d else dx
                    self.passed.append((number, place, dx, d[i]))
        return d

    def loss(
        self,
        outputs: Sequence[Value],
        losses: Sequence[Loss],
        loss_weights: Sequence[float],
        targets: Sequence[int | Value],
        weights: Sequence[str | Value | None],
    ) -> tuple[Value, dict[int, Value], list[Value]]:
        """Emits J = Σ c ℓ for every output and the first gradients dz; returns J, {tensor: dz} and the targets.

        Parameters  targets : for each output the target itself, or the number of its form (``Loss.target``), for an input of
                    the plan ; weights : the same, or None for weights of 1
        """
        k, ys = self.k, []
        total: Value | None = None
        first: dict[int, Value] = {}
        backward = []
        for i, (z, loss) in enumerate(zip(outputs, losses, strict=True)):
            y, w = targets[i], weights[i]
            if not isinstance(y, Value):
                shape, dtype = loss.target(z.shape)[y]
                y = self.inputs[f"y{i}"] = Value(shape, dtype, "input", f"y{i}")
            ys.append(y)
            with k.at("loss"):
                ell, saved = loss.forward(k, z, y)
                entries = loss.entries(ell.shape)
                scale = loss_weights[i] / (self.batch * entries)
                if w is None:
                    c = k.constant(scale)
                    j = k.multiply(k.sum(ell), c)
                else:
                    if not isinstance(w, Value):
                        wanted = (self.batch,) if w == "sample" else ell.shape
                        w = self.inputs[f"w{i}"] = Value(wanted, "float", "input", f"w{i}")
                    w = k.reshape(w, (*w.shape, *(1,) * (ell.ndim - w.ndim)))
                    c = k.multiply(w, scale)
                    j = k.sum(k.multiply(ell, c))
                total = j if total is None else k.add(total, j)
            backward.append((i, loss, saved, c))
        for i, loss, saved, c in backward:
            with k.at("backward"):
                dz = loss.backward(k, saved, c)
            at = self.network.output_ids[i]
            first[at] = k.add(first[at], dz) if at in first else dz
        assert total is not None
        return total, first, ys

    def sparse(self, optimizer: Optimizer | None) -> set[str]:
        """Parameters of which an update touches only the rows that occur in the batch.

        With l1, l2 or weight decay every row changes at every step, so then there are none, and so it is of a parameter that
        has a penalty or a constraint of its own.
        """
        if optimizer is None or optimizer.by_variable or optimizer.l1 or optimizer.l2 or optimizer.weight_decay:
            return set()
        found = {f"{layer}.{name}" for layer, name in self.k.sparse}
        return {full for full in found - self.rules().keys() if self.network.trainable(full)}

    def kept(self, optimizer: Optimizer | None) -> dict[str, Node]:
        """Parameters under a mask of which an update touches the kept elements alone, and the nodes that spread their
        gradients. An optimizer that looks at whole parameters, and a constraint or penalty of a parameter's own, need all.
        """
        if optimizer is None or optimizer.by_variable:
            return {}
        found = {f"{layer}.{name}": g.producer for (layer, name), g in self.k.gradients.items()}
        return {
            full: node
            for full, node in found.items()
            if node is not None and node.op == "spread_kept" and full not in self.rules() and self.network.trainable(full)
        }

    def rules(self) -> dict[str, Parameter]:
        """The parameters that have a penalty or a constraint of their own."""
        if self._rules is None:
            self._rules = {
                f"{call.name}.{name}": parameter
                for number, call in enumerate(self.network.calls)
                if number not in self.skipped
                for name, parameter in call.layer.parameters(*(self.tensors[i].shape for i in call.inputs)).items()
                if parameter.regularizer is not None or parameter.constraint is not None
            }
        return self._rules

    def place_gradients(self, sparse: Container[str] = ()) -> None:
        """Makes every parameter's gradient lie in the arena of gradients, at its parameter's place; but for those by
        rows."""
        parameters = self.network.parameters
        for block in range(len(parameters.blocks)):
            self.arena("gradients", block)
        for (layer, name), g in self.k.gradients.items():
            full = f"{layer}.{name}"
            if not self.network.trainable(full) or full in sparse:
                continue
            if g.base is not None or g.producer is None or is_view(g.producer):
                with self.k.at("backward", layer):
                    (g,) = self.k.emit("copy", g)
            e = parameters.entries[full]
            g.base, g.offset, g.name = self.arena("gradients", e.block), e.offset, full

    def add_up_gradients(self, ranks: Summing) -> None:
        """Makes the gradients those of the samples of all ranks: one sum for each arena, in its place."""
        self.gradients_in_arena = True
        for block in range(len(self.network.parameters.blocks)):
            arena = self.arena("gradients", block)
            with self.k.at("backward"):
                total = self.k.all_reduce(Value(arena.shape, name="gradients", base=arena, offset=0), ranks)
            total.base, total.offset, total.name = arena, 0, "gradients"

    def runs(self, optimizer: Optimizer, sparse: Container[str] = ()) -> list[Run]:
        """Stretches of the arenas that one update may cover; without parameters updated by rows, and without what belongs
        to other networks.
        """
        by_decay, each = bool(optimizer.l1 or optimizer.l2 or optimizer.weight_decay), optimizer.each_variable
        factors = self.rate_factors(optimizer)
        runs: list[Run] = []
        for e in sorted(self.network.parameters.entries.values(), key=lambda e: (e.block, e.offset)):
            if not self.network.trainable(e.name) or e.name in sparse:
                continue
            stop, decay = e.offset + round_up(e.size), e.decay and by_decay
            factor = factors.get(e.name.rpartition(".")[0], 1.0)
            if each or self.held(e.name) is not None or e.name in self.rules():
                runs.append(Run(e.offset, stop, decay, e.block, e.name, factor))
            elif runs and runs[-1][2:] == (decay, e.block, "", factor) and runs[-1].stop == e.offset:
                runs[-1] = runs[-1]._replace(stop=stop)
            else:
                runs.append(Run(e.offset, stop, decay, e.block, factor=factor))
        return runs

    def rate_factors(self, optimizer: Optimizer) -> dict[str, float]:
        """The factor of the learning rate of each layer that has one of its own."""
        return {
            layer: float(factor)
            for name, factor in (optimizer.learning_rate_factors or {}).items()
            for layer in self.network.named(name)
        }

    def update(
        self,
        optimizer: Optimizer,
        penalty: Value,
        sparse: Collection[str] = (),
        kept: Mapping[str, Node] | None = None,
    ) -> Value:
        """Emits penalties, clipping, decay and the optimizer's update; returns the loss with its penalty.

        Parameters  sparse : parameters of which only the rows that occur in the batch are read and written
                    kept : parameters of which only the kept elements are, with the nodes that spread their gradients
        """
        k = self.k

        def part(kind: str, run: Run) -> Value:
            arena = self.arena(kind, run.block)
            shape = self.network.parameters.entries[run.name].shape if run.name else (run.stop - run.start,)
            return Value(shape, name=kind, base=arena, offset=run.start)

        parts: list[Update] = []
        for run in self.runs(optimizer, sparse):
            w, g, decay = part("parameters", run), part("gradients", run), run.decay
            slots = {n: part(f"slot.{n}", run) for n in optimizer.slots}
            own = self.rules().get(run.name)
            spread = (kept or {}).get(run.name)
            if spread is None:
                self._constrain(w, run.name, own, optimizer)
            else:
                # What is not kept is zero already, and stays so.
                with k.at("update"):
                    w, g = k.by_kept(w, spread.attrs["kept"]), spread.inputs[0]
                    slots = {n: k.by_kept(slot, spread.attrs["kept"]) for n, slot in slots.items()}
            held = self.held(run.name) if run.name and spread is None else None
            if held is not None and not (self.to_be_read or self.gradients_in_arena):
                # What the representation made of the gradient is part of the chain that updates, not a pass of its own.
                layer, _, name = run.name.rpartition(".")
                g = k.gradients.get((layer, name), g)
            if own is not None and own.regularizer is not None:
                with k.at("loss"):
                    penalty = k.add(penalty, own.regularizer.penalty(k, w))
                with k.at("update"):
                    g = k.add(g, own.regularizer.gradient(k, w))
            if decay and (optimizer.l1 or optimizer.l2):
                with k.at("loss"):
                    if optimizer.l2:
                        penalty = k.add(penalty, k.multiply(k.sum(k.square(w)), 0.5 * optimizer.l2))
                    if optimizer.l1:
                        penalty = k.add(penalty, k.multiply(k.sum(k.absolute(w)), optimizer.l1))
                with k.at("update"):
                    if optimizer.l2:
                        g = k.add(g, k.multiply(w, optimizer.l2))
                    if optimizer.l1:
                        g = k.add(g, k.multiply(k.sign(w), optimizer.l1))
            parts.append(Update(w, g, slots, decay, run.factor))
        factors = self.rate_factors(optimizer)
        for full in sorted(sparse):
            with k.at("update"):
                parts.append(self._rows(full, optimizer.slots, factors.get(full.rpartition(".")[0], 1.0)))
        with k.at("update"):
            if optimizer.clip_variable_norm is not None:
                limit = optimizer.clip_variable_norm
                parts = [one._replace(g=k.multiply(one.g, self._shrink([one.g], limit))) for one in parts]
            shrunk = None
            if optimizer.clip_norm is not None and parts:
                shrunk = self._shrink([one.g for one in parts], optimizer.clip_norm)
            for w, g, slot, decay, factor in parts:
                k.rate_factor = factor
                if shrunk is not None:
                    g = k.multiply(g, shrunk)
                if optimizer.clip_value is not None:
                    g = k.minimum(k.maximum(g, -optimizer.clip_value), optimizer.clip_value)
                new = w
                if decay and optimizer.weight_decay:
                    new = k.subtract(w, k.multiply(w, k.multiply(k.scalar("lr"), optimizer.weight_decay)))
                    # The optimizer reads the decayed weights; what it assigns to them goes to w's place.
                    new.name = w.name
                    k.stand_in(new, w)
                optimizer.update(k, new, g, slot)
            k.rate_factor = 1.0
        return penalty

    def _constrain(self, w: Value, name: str, own: Parameter | None, optimizer: Optimizer) -> None:
        """Lets what an update assigns to a parameter go through its own constraint, and then through its representation."""
        steps: list[Callable[[Value], Value]] = []
        if own is not None and own.constraint is not None:
            if optimizer.full_batch:
                raise ParameterError(
                    f"{type(optimizer).__name__} changes all weights along one line and cannot keep the constraint "
                    f"{own.constraint!r} of {name!r}. Use another optimizer, or no constraint."
                )
            steps.append(partial(own.constraint.apply, self.k))
        if name and (held := self.held(name)) is not None:
            steps.append(partial(held.representation.constrain, self.k, held))
        if steps:
            self.k.constrain(w, lambda value: reduce(lambda found, step: step(found), steps, value))

    def _shrink(self, gradients: Sequence[Value], limit: float) -> Value:
        """``min(1, limit / ‖g‖)``, ‖g‖ the norm of these gradients together."""
        k = self.k
        # Scaled by a power of two before squaring, so that a gradient of 1e31 times the limit can be measured: what
        # underflows then is far below the limit. One that is larger still makes the factor no number, not 0.
        scale = 2.0 ** -(40 + max(-60, min(60, round(log2(limit)))))
        squares = [k.sum(k.square(k.multiply(g, scale))) for g in gradients]
        total = k.maximum(reduce(k.add, squares), 1e-36)
        return k.minimum(k.divide(k.multiply(k.sqrt(total), limit * scale), total), 1.0)

    def _rows(self, full: str, slots: Sequence[str], factor: float) -> Update:
        """The rows of a parameter that occur in the batch, with their gradient and slots.

        Rows that do not occur keep their weights and their slots: moments of Adam do not decay meanwhile ("lazy").
        """
        k, e = self.k, self.network.parameters.entries[full]
        layer, _, name = full.rpartition(".")
        node = self.k.gradients[layer, name].producer
        assert node is not None
        index, dy = node.inputs
        rows, place = k.unique_rows(index, e.shape[0])
        g = k.scatter_add(place, dy, rows=rows.size)

        def taken(kind: str) -> Value:
            view = Value(e.shape, name=kind, base=self.arena(kind, e.block), offset=e.offset)
            return k.by_rows(view, rows)

        w = taken("parameters")
        return Update(w, g, {n: taken(f"slot.{n}") for n in slots}, False, factor)

    def plan(self, outputs: dict[str, Value]) -> Plan:
        return Plan(self.k.nodes, self.inputs, outputs, self.arenas, self.k.scalars, self.batch)


def _before(network: NetworkGraph, start: Sequence[int]) -> frozenset[int]:
    """The numbers of the calls that the outputs need not, once the tensors of the start are given."""
    wanted, found = set(network.output_ids), set[int]()
    for number in reversed(range(len(network.calls))):
        call = network.calls[number]
        if wanted.isdisjoint(set(call.outputs) - set(start)):
            found.add(number)
        else:
            wanted |= set(call.inputs) - set(start)
    return frozenset(found)


def lower_features(
    network: NetworkGraph,
    batch: int,
    wanted: Sequence[int],
    *,
    shapes: Sequence[Shape],
    taken_out: Collection[str] = (),
) -> Plan:
    """The forward pass, as in prediction, up to some tensors: outputs "x0", "x1", ..., as ``start`` takes them.

    Parameters  wanted : the tensors, by number ; shapes : of one sample of each input ; taken_out : as in
                ``lower_prediction``
    """
    low = _Lowering(network, batch, False, shapes, taken_out=taken_out)
    low.forward()
    return low.plan({f"x{i}": low.tensors[number] for i, number in enumerate(wanted)})


def fixed_tensors(network: NetworkGraph, *, repeatable: bool = True) -> tuple[set[int], set[int]]:
    """The numbers of the tensors that no step of a training changes for a sample, which frozen layers make of the inputs;
    and of those among them that are plain arrays of numbers, without a mask.

    Layers without parameters count as frozen. A layer that draws random numbers, or computes with the statistics of the
    batch, makes something else at every step.

    Parameters  repeatable : False takes such layers for fixed, too, as they act in prediction
    """
    low = _Lowering(network, network.samples or 2, True)
    low.forward()
    fixed = _fixed(low, repeatable=repeatable)
    plain = {i for i in fixed if low.k.mask_of(low.tensors[i]) is None and low.tensors[i].dtype == "float"}
    return fixed, plain | set(network.input_ids)


def _fixed(low: _Lowering, *, repeatable: bool = True) -> set[int]:
    """The first part of ``fixed_tensors``, of a network whose forward pass was lowered for training."""
    network = low.network
    changing = {
        node.where.layer for node in low.k.nodes if OPS[node.op].random or any(out.base is not None for out in node.outputs)
    }
    learns = {name.rpartition(".")[0] for name in network.parameters if network.trainable(name)}
    fixed = set(network.input_ids)
    for call in network.calls:
        if fixed.issuperset(call.inputs) and call.name not in learns and not (repeatable and call.name in changing):
            fixed.update(call.outputs)
    return fixed


def takes_sparse(network: NetworkGraph, place: int) -> bool:
    """Whether all layers that read an input take batches of sparse rows, because they only multiply it by weights."""
    low = _Lowering(network, 2, True, sparse=(place,))
    try:
        outputs = low.forward()
    except ShapeError:
        return False
    return not any(z.dtype == "sparse" for z in outputs)


def _begins_frozen(low: _Lowering) -> bool:
    """Whether layers with parameters make the same of a sample at every step."""
    with_parameters = {name.rpartition(".")[0] for name in low.network.parameters}
    fixed = _fixed(low)
    return any(call.name in with_parameters and fixed.issuperset(call.outputs) for call in low.network.calls)


def lower_prediction(
    network: NetworkGraph,
    batch: int,
    *,
    shapes: Sequence[Shape] | None = None,
    every_layer: bool = False,
    constants: Mapping[int, SparseMatrix] | None = None,
    frozen: Frozen | None = None,
    taken_out: Collection[str] = (),
    sparse: Collection[int] = (),
) -> Plan:
    """The forward pass alone, as in prediction: outputs "output0", ...; with every_layer also "layer.NAME" of each call.

    Parameters  shapes : of one sample of each input, for a network that leaves sizes free
                constants : inputs, by number, that are constant sparse matrices; the others are given at every run
                frozen : the parameters and states, where they do not change any more
                taken_out : states that are subtracted from the data outside of the plan, and so are 0 in it
                sparse : inputs, by number, whose batches are sparse rows
    """
    low = _Lowering(network, batch, False, shapes, constants, frozen, taken_out=taken_out, sparse=sparse)
    outputs = {f"output{i}": v for i, v in enumerate(low.forward())}
    if every_layer:
        outputs |= {f"layer.{c.name}": low.tensors[c.output] for c in network.calls}
    return low.plan(outputs)


def lower_training(
    network: NetworkGraph,
    losses: Sequence[Loss],
    optimizer: Optimizer | None,
    batch: int,
    *,
    shapes: Sequence[Shape] | None = None,
    targets: Sequence[int] | None = None,
    weights: Sequence[str | None] | None = None,
    loss_weights: Sequence[float] | None = None,
    metrics: Sequence[object] = (),
    training: bool = True,
    backward: bool = True,
    input_gradients: bool = False,
    parameter_gradients: bool = True,
    outputs: bool = False,
    constants: Mapping[int, SparseMatrix] | None = None,
    start: Sequence[int] = (),
    taken_out: Collection[str] = (),
    sparse: Collection[int] = (),
    ranks: Summing | None = None,
    share: float = 1.0,
) -> Plan:
    """Forward, loss, backward and update of one step.

    Parameters
        shapes : of one sample of each input, for a network that leaves sizes free
        losses : one for each output ; loss_weights : factors of each in J (1 by default)
        optimizer : None leaves out the update: gradients stay in the arena "gradients"
        targets : for each output, which of the forms that its loss takes (Loss.target) ; weights : for each output None,
            "sample" (one weight a sample) or "element" (one for each entry of ℓ)
        metrics : emitters ``metric.forward(k, z, y) -> per-sample values``, for the first output; their sum over the batch
        training : whether Dropout and the like train ; backward : False computes the loss only
        input_gradients : also return dJ/dx as "dx0", ... ; parameter_gradients : False leaves out those of the
            parameters, and with them the update ; outputs : also return the network's outputs
        constants, taken_out, sparse : as in ``lower_prediction``
        start : tensors, by number, that are given as "x0", "x1", ... in place of the inputs; ``shapes`` are theirs
        ranks : processes that train together, whose gradients are added up before the update ; share : of the samples of
            this process in the whole batch
    """
    low = _Lowering(network, batch, training, shapes, constants, start=start, taken_out=taken_out, sparse=sparse)
    low.skips_zeros = training and backward and parameter_gradients and optimizer is not None
    count = len(network.output_ids)
    if len(losses) != count:
        raise ShapeError(f"the network has {count} output(s), got {len(losses)} loss(es).")
    zs = low.forward()
    rows_alike = bool(start) or (training and _begins_frozen(low))
    # With the share in J itself, its gradients need not be multiplied before they are added up.
    factors = [share * factor for factor in loss_weights or [1.0] * count]
    total, first, ys = low.loss(zs, losses, factors, targets or [0] * count, weights or [None] * count)
    if share != 1:
        with low.k.at("loss"):
            total = low.k.multiply(total, 1 / share)
    found: dict[str, Value] = {}
    if backward:
        d = low.backward(first)
        by_rows = low.sparse(optimizer) if ranks is None else set()
        if parameter_gradients:
            kept = low.kept(optimizer) if ranks is None else {}
            low.place_gradients(by_rows | kept.keys())
            if ranks is not None:
                low.add_up_gradients(ranks)
        if optimizer is not None and parameter_gradients:
            total = low.update(optimizer, total, by_rows, kept)
        if input_gradients:
            for i, at in enumerate(network.input_ids):
                if at in d:
                    found[f"dx{i}"] = d[at]
    with low.k.at("loss"):
        for metric in metrics:
            values = metric.forward(low.k, zs[0], ys[0])  # type: ignore[attr-defined]
            if losses[0].ignore_label is not None and (weights or [None])[0] == "sample":
                # What has no label has no part in the metric either: the weights leave it out and keep the mean.
                values = low.k.multiply(values, low.inputs["w0"])
            found[f"metric.{metric.name}"] = low.k.sum(values)  # type: ignore[attr-defined]
    if outputs:
        found |= {f"output{i}": z for i, z in enumerate(zs)}
    plan = low.plan({"loss": total} | found)
    plan.rows_alike = rows_alike
    return plan


def lower_trace(
    network: NetworkGraph,
    losses: Sequence[Loss] | None,
    batch: int,
    *,
    shapes: Sequence[Shape] | None = None,
    targets: Sequence[int] | None = None,
    weights: Sequence[str | None] | None = None,
    training: bool = True,
) -> Plan:
    """Forward and, with losses, loss and backward, with everything on the way as an output; nothing is updated.

    Outputs, for each call number n: "y.n" its output ("y.n.1", ... further ones), "dy.n" the gradient of it, "dx.n.i"
    what it passes back to its
    input i; "inside.n.NAME" what it has inside (Builder.watch), such as the gradient of every state of a recurrent layer;
    "d.NAME" for each parameter, frozen ones too; "dx0", ... for each input; "loss".
    """
    low, count = _Lowering(network, batch, training, shapes), len(network.output_ids)
    zs = low.forward()
    found = {f"y.{n}": low.tensors[c.output] for n, c in enumerate(network.calls)}
    found |= {f"y.{n}.{j}": low.tensors[i] for n, c in enumerate(network.calls) for j, i in enumerate(c.more, 1)}
    if losses is not None:
        found["loss"], first, _ = low.loss(zs, losses, [1.0] * count, targets or [0] * count, weights or [None] * count)
        d = low.backward(first)
        found |= {f"dy.{n}": d[c.output] for n, c in enumerate(network.calls) if c.output in d}
        found |= {f"dx.{n}.{i}": dx for n, i, dx, _ in low.passed}
        found |= {f"inside.{n}.{name}": value for n, name, value in low.inside}
        found |= {f"d.{layer}.{name}": g for (layer, name), g in low.k.gradients.items()}
        found |= {f"dx{i}": d[at] for i, at in enumerate(network.input_ids) if at in d}
    return low.plan(found)
