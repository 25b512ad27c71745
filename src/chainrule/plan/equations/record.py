"""Lowers a network for printing and notes which value is which letter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ...errors import ShapeError
from ...layers import Layer
from ...losses import Loss
from ...network import NetworkGraph
from ...network.graph import Call
from ...network.parameters import block_of, kind_of
from ...ops import Builder, Node, Value
from ...ops.value import FREE, Shape
from ...optimizers import Optimizer
from ..lower import Run, _Lowering
from ..passes import needed
from .symbols import LETTERS, SUBSCRIPTS, Names, Symbol, word
from .terms import BATCH, LENGTHS, SHORT_LENGTHS, dimension, lengths_written


@dataclass(frozen=True)
class Target:
    """A value that is printed as an equation: ``symbol relation expression``.

    Parameters  section : number of the section it is printed in ; increment : for "+=", the value that is added
    """

    symbol: Symbol
    section: int
    relation: str = "="
    increment: Value | None = None


@dataclass
class Section:
    """The equations of one use of a layer, of the loss, or of the update.

    Parameters  phase : as in Where ; call : number of the call, None for none ; shown : symbols whose shapes are shown
                unchanged : what the layer hands on, instead of an equation
                alias : letters that values have here only, by id
    """

    phase: str
    layer: str
    call: int | None = None
    shown: list[tuple[Symbol, tuple[int, ...], str]] = field(default_factory=list)
    unchanged: Symbol | None = None
    alias: dict[int, Symbol] = field(default_factory=dict)


class _Recorder(Builder):
    """A Builder that remembers in which section every node was emitted, and every gradient given to it."""

    def __init__(self, low: _Lowering, training: bool) -> None:
        super().__init__(training=training, parameter=low.parameter, state=low.state, gradient=low.gradient)
        self.sections = [Section("forward", "")]
        self.section_of: dict[int, int] = {}
        self.given: list[tuple[str, str, Value, Value, int]] = []

    @contextmanager
    def at(self, phase: str, layer: str = "") -> Iterator[None]:
        self.sections.append(Section(phase, layer))
        with super().at(phase, layer):
            yield

    def emit(self, op: str, *inputs: Any, **attrs: Any) -> tuple[Value, ...]:
        outputs = super().emit(op, *inputs, **attrs)
        self.section_of[id(self.nodes[-1])] = len(self.sections) - 1
        return outputs

    def channel_moments(self, x: Value) -> tuple[Value, Value]:
        """By definition, which says more than a name."""
        axes = tuple(range(x.ndim - 1))
        mean = self.mean(x, axes)
        return mean, self.sum(self.square(self.subtract(x, mean)), axes)

    def grad(self, name: str, value: Value, *, sparse: bool = False) -> None:
        super().grad(name, value)  # the equation of an update by rows is that of all rows

    def _accumulate(self, key: tuple[str, str], value: Value) -> None:
        super()._accumulate(key, value)
        self.given.append((*key, value, self.gradients[key], len(self.sections) - 1))


class _Spy(Optimizer):
    """Passes everything to the optimizer and remembers between what and what its update stands."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._real = optimizer
        self.seen: list[tuple[Value, Value]] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("_real", "seen", "update", "__class__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_real"), name)

    def update(self, k: Builder, w: Value, g: Value, slot: dict[str, Value]) -> None:
        self.seen.append((w, g))
        self._real.update(k, w, g, slot)


def written_shapes(network: NetworkGraph) -> tuple[list[Shape], dict[int, str]]:
    """The shapes of one sample of each input for which a network is printed, and the letters of their lengths."""
    assert network.input_shapes is not None
    free = [i for i, shape in enumerate(network.input_shapes) if FREE in shape]
    if not free:
        return network.concrete(), {}
    used = {size for arena in (network.parameters, network.states) for array in arena.values() for size in array.shape}
    used |= {size for shape in network.input_shapes for size in shape}
    options: list[tuple[int, ...]] = []
    if 1 < len(free) <= len(LENGTHS):
        options.append(LENGTHS[: len(free)])
    short = [n for n in SHORT_LENGTHS if not any(size % n == 0 for size in used if size > 0)]
    options.extend((n,) * len(free) for n in (LENGTHS[0], *short))
    for lengths in options:
        by_input = dict(zip(free, lengths, strict=True))
        shapes = [tuple(by_input[i] if s == FREE else s for s in shape) for i, shape in enumerate(network.input_shapes)]
        try:
            network._declare(shapes)
        except ShapeError:
            continue
        several = len(set(lengths)) > 1
        return shapes, {n: f"T{str(i).translate(SUBSCRIPTS)}" if several else "T" for i, n in by_input.items()}
    return network.concrete(), {}


def output_sizes(network: NetworkGraph) -> dict[int, list[str]]:
    """The shape of one sample of every tensor, by number, as text, with T for a free length."""
    shapes, letters = written_shapes(network)
    network._declare(shapes)
    with lengths_written(letters):
        return {i: list(map(dimension, shape)) for i, shape in network._declared.items()}


class Record:
    """A lowered network with the letters of its values.

    Attributes
        nodes : those that matter, in order ; section_of : number of the section by id(node) ; sections : in order
        symbols : letters of values that nothing computes, by id ; targets : equations wanted of a value, by id
        runs : stretches of the arenas that are updated ; run_names : the letters of their parameters
        batch_classes : whether a target holds class indices ; letters : those of free lengths, see terms.lengths_written
    """

    def __init__(
        self,
        network: NetworkGraph,
        losses: Sequence[Loss] | None,
        optimizer: Optimizer | None,
        targets: Sequence[int] | None,
        loss_weights: Sequence[float] | None,
    ) -> None:
        self.network, self.loss_weights = network, loss_weights
        self.names = Names()
        self.symbols: dict[int, Symbol] = {}
        self.targets: dict[int, list[Target]] = {}
        self.runs: list[Run] = []
        self.gradient_chain: dict[int, Symbol] = {}
        self.batch_classes = False
        shapes, self.letters = written_shapes(network)
        self.low = low = _Lowering(network, network.samples or BATCH, training=losses is not None, shapes=shapes)
        low.to_be_read = True
        self.k = k = _Recorder(low, losses is not None)
        low.k = k
        outputs = low.forward()
        self.sections, self.section_of = k.sections, k.section_of
        self._number(network)
        self._name_inputs(low, network)
        self._name_forward(low, network)
        asked = list(outputs)
        if losses is not None:
            asked = [self._lower_backward(low, outputs, losses, optimizer, targets)]
        self.nodes: list[Node] = needed(k.nodes, asked)
        self._assignments(low)
        for found in self.targets.values():
            found.sort(key=lambda t: t.section)

    # ------------------------------------------------------------ letters

    def _number(self, network: NetworkGraph) -> None:
        """Numbers the layers that have parameters, activations excepted."""
        owners = {name.rsplit(".", 1)[0] for name in network.parameters}
        self.numbers: dict[str, int] = {}
        for call in network.calls:
            if call.name in owners and call.layer.role not in ("activation", "softmax") and call.name not in self.numbers:
                self.numbers[call.name] = len(self.numbers) + 1
        self.levels = dict.fromkeys(network.input_ids, 0)
        self.layer_level: dict[str, int] = {}
        for call in network.calls:
            level = self.numbers.get(call.name, max((self.levels[i] for i in call.inputs), default=0))
            self.levels.update(dict.fromkeys(call.outputs, level))
            self.layer_level.setdefault(call.name, level)

    def _name_inputs(self, low: _Lowering, network: NetworkGraph) -> None:
        several = len(network.input_ids) > 1
        self.tensors: dict[int, Symbol] = {}
        for i, at in enumerate(network.input_ids):
            self.tensors[at] = self.names.new(word("x"), index=i if several else None)
            self.symbols[id(low.tensors[at])] = self.tensors[at]
        self.parameter_symbols: dict[str, Symbol] = {}
        for arena in (network.parameters, network.states):
            for full in arena:
                layer, name = full.rsplit(".", 1)
                level = self.layer_level.get(layer, 0)
                symbol = self.names.new(LETTERS.get(name) or word(name), layer=level)
                self.parameter_symbols[full] = symbol
        for full, value in low._views.items():
            self.symbols[id(value)] = self.parameter_symbols[full]
        for full, held in low._held.items():
            level = self.layer_level.get(full.rpartition(".")[0], 0)
            for name, value in held.arrays.items():
                letter = held.representation.letters.get(name, name)
                self.symbols[id(value)] = self.names.new(word(letter), layer=level)

    def _letter(self, layer: Layer, name: str) -> tuple[str, str]:
        return word(
            layer.letter or ("a" if layer.role in ("activation", "softmax") else "z" if name in self.numbers else "h")
        )

    def _name_forward(self, low: _Lowering, network: NetworkGraph) -> None:
        sections = [n for n, s in enumerate(self.sections) if s.phase == "forward" and s.layer]
        self.forward_sections = sections
        shown: set[str] = set()
        for number, (call, at) in enumerate(zip(network.calls, sections, strict=True)):
            section, value = self.sections[at], low.tensors[call.output]
            section.call = number
            self._show_operands(low, number, at, shown)
            known = self._symbol_of(value)
            if known is not None:
                # The layer hands its input on (Identity, Dropout in prediction): one value, one letter.
                self.tensors[call.output] = known
                section.unchanged = known
                continue
            symbol = self.names.new(self._letter(call.layer, call.name), layer=self.levels[call.output])
            self.tensors[call.output] = symbol
            self.target(value, Target(symbol, at))
            section.shown.append((symbol, value.shape, ""))
            for other in call.more:
                self.tensors[other] = self._symbol_of(low.tensors[other]) or self._further(call, other, at)

    def _further(self, call: Call, other: int, at: int) -> Symbol:
        """The letter of a further output of a layer."""
        value = self.low.tensors[other]
        symbol = self.names.new(LETTERS.get(value.name) or word(value.name or "h"), layer=self.levels[other])
        self.target(value, Target(symbol, at))
        self.sections[at].shown.append((symbol, value.shape, ""))
        return symbol

    def _show_operands(self, low: _Lowering, number: int, at: int, shown: set[str]) -> None:
        """The shapes of network inputs and parameters are shown where they are used first."""
        call, section = self.network.calls[number], self.sections[at]
        for i in call.inputs:
            symbol, value = self.tensors[i], low.tensors[i]
            if i in self.network.input_ids and str(symbol) not in shown:
                shown.add(str(symbol))
                section.shown.append((symbol, value.shape, " indices" if value.dtype == "int" else ""))
        for arena in (self.network.parameters, self.network.states):
            for full in arena:
                symbol = self.parameter_symbols[full]
                if full.rsplit(".", 1)[0] == call.name and str(symbol) not in shown:
                    shown.add(str(symbol))
                    frozen = arena is self.network.parameters and not self.network.trainable(full)
                    held = low.network.representation(full) if arena is self.network.parameters else None
                    how = (f" {held!r}" if held is not None else "") + (" frozen" if frozen else "")
                    section.shown.append((symbol, arena.entries[full].shape, how))

    def target(self, value: Value, target: Target) -> None:
        self.targets.setdefault(id(value), []).append(target)

    def _symbol_of(self, value: Value) -> Symbol | None:
        if id(value) in self.targets:
            return self.targets[id(value)][0].symbol
        return self.symbols.get(id(value))

    # ------------------------------------------------------------ loss, backward, update

    def _lower_backward(
        self,
        low: _Lowering,
        outputs: list[Value],
        losses: Sequence[Loss],
        optimizer: Optimizer | None,
        targets: Sequence[int] | None,
    ) -> Value:
        network, count = self.network, len(outputs)
        start = len(self.sections)
        factors = list(self.loss_weights or [1.0] * count)
        total, first, ys = low.loss(outputs, losses, factors, list(targets or [0] * count), [None] * count)
        loss_section = next(n for n in range(start, len(self.sections)) if self.sections[n].phase == "loss")
        loss_gradients = next(n for n in range(start, len(self.sections)) if self.sections[n].phase == "backward")
        for i, y in enumerate(ys):
            symbol = self.names.new(word("y"), index=i if count > 1 else None)
            self.symbols[id(y)] = symbol
            what = " labels" if losses[i].own_length else " classes, as one-hot" if y.dtype == "int" else ""
            self.sections[loss_section].shown.append((symbol, y.shape, what))
        learning = self._learning(network)
        for at, dz in first.items():
            if at in learning:
                self.target(dz, Target(self.tensors[at].d, loss_gradients))
        before = len(self.sections)
        d = low.backward(first)
        sections = [n for n in range(before, len(self.sections)) if self.sections[n].phase == "backward"]
        done = [n for n in reversed(range(len(network.calls))) if any(o in d for o in network.calls[n].outputs)]
        section_of_call = dict(zip(done, sections, strict=True))
        for number, at in section_of_call.items():
            # Where a gradient was passed on as it is, each layer still calls it by the name of its own output's.
            self.sections[at].call = number
            for output in network.calls[number].outputs:
                if output in d:
                    self.sections[at].alias[id(d[output])] = self.tensors[output].d
        low.place_gradients()
        for layer, name, value, summed, at in self.k.given:
            if network.trainable(f"{layer}.{name}"):
                self._accumulate(self.parameter_symbols[f"{layer}.{name}"].d, value, summed, at)
        for number, place, dx, summed in low.passed:
            tensor = network.calls[number].inputs[place]
            if tensor in learning:
                self._accumulate(self.tensors[tensor].d, dx, summed, section_of_call[number])
        if optimizer is not None:
            spy = _Spy(optimizer)
            self.runs = low.runs(optimizer)
            total = low.update(spy, total)
            self._name_update(spy)
        self.target(total, Target(self.names.new(word("J")), loss_section))
        return total

    def _accumulate(self, symbol: Symbol, value: Value, summed: Value, section: int) -> None:
        if summed is value:
            if self._symbol_of(value) != symbol:
                self.target(value, Target(symbol, section))
        else:
            self.target(summed, Target(symbol, section, "+=", value))

    def _learning(self, network: NetworkGraph) -> set[int]:
        """The tensors whose gradient something that learns depends on."""
        found: set[int] = set()
        for call in network.calls:
            own = any(p.rsplit(".", 1)[0] == call.name and network.trainable(p) for p in network.parameters)
            if own or any(i in found for i in call.inputs):
                found.update(call.outputs)
        return found

    def _name_update(self, spy: _Spy) -> None:
        """Penalised and clipped gradients are still called g, decayed weights still w."""
        for w, g in spy.seen:
            value: Value | None = g
            while value is not None and value.producer is not None:
                if value.producer.op != "maximum":  # one line for both bounds of a clipping
                    self.gradient_chain[id(value)] = Symbol(*word("g"))
                value = next((v for v in value.producer.inputs if v.shape == g.shape and v.role != "constant"), None)
            if w.producer is not None:
                self.gradient_chain[id(w)] = Symbol(*word("w"))

    def _assignments(self, low: _Lowering) -> None:
        """Values that are stored: in the update's slots and weights, and in a layer's state."""
        for node in self.nodes:
            base = node.outputs[0].base
            if node.op != "copy" or base is None or kind_of(base.name) == "gradients":
                continue
            if kind_of(base.name) == "states":
                at = (block_of(base.name), node.outputs[0].offset)
                name = next(n for n, e in self.network.states.entries.items() if (e.block, e.offset) == at)
                symbol = self.parameter_symbols[name]
            else:
                symbol = arena_symbol(kind_of(base.name))
            self.target(node.inputs[0], Target(symbol, self.section_of[id(node)], "←"))


def arena_symbol(name: str) -> Symbol:
    """The letter of an arena in the update: w, g, or the slot's own name."""
    if name in ("parameters", "gradients"):
        return Symbol(*word({"parameters": "w", "gradients": "g"}[name]))
    return Symbol(*word(name.removeprefix("slot.")))
