"""How products with compressed weights (sparse, or signs of one bit) are divided among threads.

Their weights are constants of the plan, laid out once when it is compiled in the order in which the kernels read them.
Activations of sparse products are turned into planes first (see ``kernels/sparse_weights.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ops import Node, SignMatrix, SparseMatrix, Value
from ...ops.sign_matrix import BLOCK, words_of
from ...ops.sign_matrix import pack_signs as bits_of
from ...ops.spatial import covered
from ..kernels.sizes import MOST_ROWS, OUTPUTS, PANEL, SIGNED_ROWS
from .calls import (
    Access,
    Address,
    AnyCall,
    Call,
    Data,
    Memory,
    Part,
    Scratch,
    Task,
    Within,
    access,
    bounds,
    memory_access,
)
from .chain import Chain, home_of
from .images import three
from .library import open_library
from .program import Unsupported

Array = NDArray[Any]
#: Fewer multiplications than this are not worth dividing.
_SMALL = 30_000
#: Bytes of planes that stay in the first-level cache while all outputs of a chunk go by ...
_CACHED_PLANES = 16 * 1024
#: ... unless an output then has fewer weights than this at a time, which costs more than it gains.
_WEIGHTS_AT_A_TIME = 24
#: Bytes of planes that are made at a time, so that they stay in the second-level cache.
_PLANES = 256 * 1024
#: Outputs whose sums are held at a time.
_CHUNK = 256


# ---------------------------------------------------------------- what follows a product


@dataclass
class Product:
    """A product with compressed weights, and the elementwise chain that follows it in the same node, if any."""

    node: Node
    product: Node
    chain: Chain | None
    out: Value
    aliases: dict[int, Value]

    @classmethod
    def of(cls, node: Node) -> Product:
        product, *following = node.attrs.get("nodes", [node])
        if not following:
            return cls(node, product, None, product.outputs[0], {})
        out = home_of(product, following, node.outputs)
        aliases = {id(product.outputs[0]): out}
        return cls(node, product, Chain.of(node, following, aliases), out, aliases)

    def by_rows(
        self, cuts: list[int], make: Callable[[int, int, int], list[AnyCall]], read: Sequence[Access] = ()
    ) -> list[Task]:
        """Tasks of which each thread makes whole rows (positions) of the output.

        ``make(thread, first, end)`` gives its calls, which read x and what ``read`` says. What follows the product is done
        where the rows are.
        """
        width = self.out.shape[-1]
        used = sum(b > a for a, b in pairwise(cuts))
        if self.chain is not None:
            self.chain.divide_sums(1 if used == 1 else len(cuts) - 1)
        parts: list[Part | None] = []
        x = self.product.inputs[0]
        for t, (a, b) in enumerate(pairwise(cuts)):
            if b <= a:
                parts.append(None)
                continue
            part = Part(make(t, a, b), [access(x), *read], [access(self.out, a * width, b * width)])
            if self.chain is not None:
                more = self.chain.part(t, a * width, b * width, True)
                part.calls += more.calls
                part.reads += more.reads
                part.writes += more.writes
            parts.append(part)
        return self.chain.tasks(parts) if self.chain is not None else [Task(self.node, parts)]

    def alone(self) -> tuple[Node, list[Node]]:
        """The product, and what follows it as a node of its own."""
        if self.chain is None:
            return self.product, []
        chain = self.node.attrs["nodes"][1:]
        made = {id(self.product.outputs[0]), *(id(m.outputs[0]) for m in chain)}
        outside = [v for m in chain for v in m.inputs if id(v) not in made]
        rest = Node("fused", (self.product.outputs[0], *outside), self.node.outputs, {"nodes": chain}, self.node.where)
        return self.product, [rest]


# ---------------------------------------------------------------- sparse weights in the order of the kernel


@dataclass(frozen=True)
class _Window:
    """The windows of a sparse convolution of images (H, W, C); one line without padding for a dense layer's samples."""

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    before: tuple[int, int] = (0, 0)
    groups: int = 1

    def phases(self, axis: int) -> dict[int, int]:
        """{remainder of padded positions by the stride: how far taps of it reach, in steps of the stride}"""
        found: dict[int, int] = {}
        for k in range(self.kernel[axis]):
            at, phase = divmod(k * self.dilation[axis], self.stride[axis])
            found[phase] = max(found.get(phase, 0), at)
        return found

    @property
    def reach(self) -> tuple[int, int]:
        """Lines and positions that windows reach beyond their own."""
        return max(self.phases(0).values()), max(self.phases(1).values())

    @property
    def line(self) -> int:
        """Positions of a line of the planes."""
        return self.out_width + self.reach[1]

    def plane(self, lines: int) -> int:
        """Positions of a plane for so many lines of the output."""
        return (lines + self.reach[0]) * self.line


@dataclass(frozen=True)
class _Arranged:
    """Weights in the order of ``sparse_planes``: by chunk of outputs, stretch of planes, block."""

    begins: Array
    offsets: Array
    values: Array
    size: int
    together: int
    blocks: int
    chunks: int
    stretches: int

    @property
    def words(self) -> list[Any]:
        """Words 5 to 12 of ``sparse_planes``; the bias comes with the chain that follows."""
        return self.words_with(Data(self.values))

    def words_with(self, values: Data | Memory) -> list[Any]:
        """The same with values that lie elsewhere."""
        arrays = [
            Data(self.begins),
            Data(self.offsets),
            values,
            Data(np.zeros(self.blocks * self.size, np.float32)),
        ]
        return [self.size, self.together, self.blocks, self.stretches, *arrays]

    def outputs(self, first: int, end: int) -> tuple[int, int]:
        """The outputs of these chunks."""
        step, last = self.together * self.size, self.blocks * self.size
        return min(last, first * step), min(last, end * step)


def _block_size(matrix: SparseMatrix, groups: int) -> int:
    """4 where each four neighbouring outputs have weights in the same places, else 1."""
    rows, ends = matrix.shape[0], matrix.indptr
    counts = np.diff(ends)
    if rows % (4 * groups) or (counts.reshape(-1, 4) != counts[::4, None]).any():
        return 1
    fours = (matrix.indices[ends[r] : ends[r + 4]].reshape(4, -1) for r in range(0, rows, 4))
    return 4 if all((f == f[0]).all() for f in fours) else 1


@lru_cache(maxsize=64)
def _arranged(
    matrix: SparseMatrix, window: _Window, plane: int, chunk: int, stretched: bool = True, kind: Any = np.float32
) -> _Arranged:
    """The weights of a matrix in the order of ``sparse_planes``.

    Parameters
        plane : floats between planes ; chunk : outputs of a chunk ; kind : of the numbers
        stretched : whether planes are taken by stretches that stay in the first-level cache
    """
    outputs, inner = matrix.shape[0], window.channels // window.groups
    size = _block_size(matrix, window.groups)
    blocks, together = outputs // size, max(1, min(chunk, outputs) // size)
    rows = matrix.rows
    # The first row of each block has the places; its values come from all rows of the block.
    leads = rows % size == 0
    block, places = rows[leads] // size, matrix.indices[leads].astype(np.int64)
    values = matrix.values.astype(kind)[np.lexsort((rows, matrix.indices, rows // size))].reshape(-1, size)
    tap, channel = np.divmod(places, inner)
    channel = channel + block * size // (outputs // window.groups) * inner
    ky, kx = np.divmod(tap, window.kernel[1])
    shift_y, phase_y = np.divmod(ky * window.dilation[0], window.stride[0])
    shift_x, phase_x = np.divmod(kx * window.dilation[1], window.stride[1])
    down, across = sorted(window.phases(0)), sorted(window.phases(1))
    number = np.searchsorted(down, phase_y) * len(across) + np.searchsorted(across, phase_x)
    offsets = (number * window.channels + channel) * plane + shift_y * window.line + shift_x
    if len(offsets) and offsets.max() >= 2**31 - PANEL:
        raise Unsupported
    # Planes are taken some channels at a time, where enough weights of an output lie on them.
    span = min(PANEL + window.reach[0] * window.line + window.reach[1], plane) * len(down) * len(across)
    per_channel = max(matrix.entries / outputs / window.channels, 1e-9)
    step = max(_CACHED_PLANES // (4 * span), round(_WEIGHTS_AT_A_TIME / per_channel), 1)
    stretches = -(-window.channels // step) if stretched else 1
    step = -(-window.channels // stretches)
    chunks = -(-blocks // together)
    key = ((block // together) * stretches + channel // step) * together + block % together
    order = np.lexsort((offsets, key))
    begins = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=chunks * stretches * together))]).astype(np.int32)
    arrays = begins, offsets[order].astype(np.int32), np.ascontiguousarray(values[order])
    return _Arranged(*arrays, size, together, blocks, chunks, stretches)


# ---------------------------------------------------------------- sparse products


def sparse_product(node: Node, threads: int) -> tuple[list[Task], list[Node]]:
    """sparse_weight_matmul or sparse_weight_conv with what follows: (tasks, nodes that are left to do after them)."""
    p = Product.of(node)
    x, matrix = p.product.inputs[0], p.product.attrs["matrix"]
    if any(v.dtype != "float" for v in (x, p.out)):
        raise Unsupported
    window = _window_of(p.product)
    one = (1, 1)
    plain = window is None or (window.kernel == window.stride == one and window.before == (0, 0) and window.groups == 1)
    # Padding after the image makes more outputs than the image has positions.
    plain = plain and p.out.size // p.out.shape[-1] == x.size // x.shape[-1]
    positions = p.out.size // p.out.shape[-1]
    if window is None or plain:
        if positions == 1:
            return _one_sample(p, matrix, threads)
        units = _of_samples(positions, matrix.shape[1])
    else:
        units = _of_images(x.shape[0], window)
    if threads > 1 and (matrix.entries * positions < _SMALL or len(units.places) < threads):
        if matrix.entries * positions >= _SMALL:
            return _by_outputs(p, matrix, units, threads)
        return _by_units(p, matrix, units, 1, threads), []
    return _by_units(p, matrix, units, threads, threads), []


def _window_of(node: Node) -> _Window | None:
    if node.op == "sparse_weight_matmul":
        return None
    attrs, x, out = node.attrs, node.inputs[0].shape, node.outputs[0].shape
    if len(x) == 5:
        raise Unsupported

    def two(sizes: Any, fill: int) -> tuple[int, int]:
        a, b = (fill, *sizes)[-2:]
        return int(a), int(b)

    before = two([b for b, _ in attrs["padding"]], 0)
    kernel, stride, dilation = (two(attrs[name], 1) for name in ("kernel", "stride", "dilation"))
    return _Window(*two(x[1:-1], 1), x[-1], *two(out[1:-1], 1), kernel, stride, dilation, before, attrs["groups"])


#: A sample or image, and the first and last of its positions or lines of the output.
_Unit = tuple[int, int, int]


@dataclass
class _Units:
    """What planes are made of at a time: some samples of a dense layer, or some lines of an image.

    Parameters
        places : the units ; plane : floats between planes ; images : whether units are lines of images
    """

    window: _Window
    places: list[_Unit]
    plane: int
    images: bool

    @property
    def floats(self) -> int:
        w = self.window
        return self.plane * w.channels * len(w.phases(0)) * len(w.phases(1)) + PANEL

    def rows(self, unit: _Unit) -> tuple[int, int]:
        """The positions of the output that a unit makes."""
        n, a, b = unit
        if not self.images:
            return a, b
        w = self.window
        start = n * w.out_height
        return (start + a) * w.out_width, (start + b) * w.out_width

    def planes(
        self, unit: tuple[int, int, int], x: Value, target: Memory | Within, low: int = 0, high: int | None = None
    ) -> list[AnyCall]:
        """Calls that make the planes of a unit, of the channels low to high."""
        w, (n, a, b) = self.window, unit
        high = w.channels if high is None else high
        memory, at = (target.memory, target.elements) if isinstance(target, Within) else (target, 0)
        if not self.images:
            source, to = Address(x, a * w.channels + low), Within(memory, at + low * self.plane)
            return [Call("to_planes", [1, b - a, high - low, source, w.channels, 0, to, self.plane, 0, 0, 0])]
        calls: list[AnyCall] = []
        number = 0
        for phase_y in sorted(w.phases(0)):
            for phase_x in sorted(w.phases(1)):
                y, row, lines = _covered(a, b - a + w.reach[0], w.stride[0], phase_y, w.before[0], w.height)
                u, column, wide = _covered(0, w.line, w.stride[1], phase_x, w.before[1], w.width)
                whole = lines == b - a + w.reach[0] and wide == w.line
                source = Address(x, ((n * w.height + y) * w.width + u) * w.channels + low)
                to = Within(memory, at + (number * w.channels + low) * self.plane)
                between = w.stride[1] * w.channels, w.stride[0] * w.width * w.channels
                words = [lines, wide, high - low, source, *between, to, self.plane, w.line]
                calls.append(Call("to_planes", [*words, 0 if whole else self.plane, row * w.line + column]))
                number += 1
        return calls

    def product(self, unit: _Unit, planes: Any, chunks: tuple[int, int], weights: list[Any], out: Value) -> Call:
        """The call that makes a unit's outputs from its planes."""
        w, outputs = self.window, out.shape[-1]
        _, a, b = unit
        end, lines = (
            (b - a, (PANEL, PANEL)) if not self.images else ((b - a - 1) * w.line + w.out_width, (w.line, w.out_width))
        )
        sums = weights[0] * weights[1] * PANEL
        memory = Scratch(4 * (sums + PANEL * OUTPUTS))
        to = Address(out, self.rows(unit)[0] * outputs)
        return Call("sparse_planes", [planes, 0, end, *chunks, *weights, to, outputs, *lines, memory])


def _covered(first: int, count: int, stride: int, phase: int, before: int, size: int) -> tuple[int, int, int]:
    """Of ``count`` padded positions (first + i) stride + phase: the first that lies in the image, its i, and how many do."""
    start = first * stride + phase - before
    i = max(0, -(start // stride)) if start < 0 else 0
    at = start + i * stride
    inside = max(0, min(count - i, (size - 1 - at) // stride + 1)) if at < size else 0
    return (at if inside else 0), i, inside


def _panel() -> int:
    return PANEL if "512" in open_library().isa else PANEL // 2


def _of_samples(samples: int, inputs: int, most: int | None = None) -> _Units:
    panel = min(_panel(), -(-(most or samples) // 8) * 8)
    places = [(0, a, min(samples, a + panel)) for a in range(0, samples, panel)]
    return _Units(_Window(1, panel, inputs, 1, panel), places, panel, False)


def _of_images(images: int, window: _Window) -> _Units:
    phases = len(window.phases(0)) * len(window.phases(1)) * window.channels
    lines = max(1, min(window.out_height, _PLANES // (4 * phases * window.line) - window.reach[0]))
    lines = -(-window.out_height // -(-window.out_height // lines))
    places = [(n, a, min(window.out_height, a + lines)) for n in range(images) for a in range(0, window.out_height, lines)]
    # Planes do not all begin at the same place of the cache.
    plane = -(-window.plane(lines) // 8) * 8
    return _Units(window, places, plane + 8 if plane % 256 == 0 else plane, True)


def _by_units(p: Product, matrix: SparseMatrix, units: _Units, used: int, threads: int) -> list[Task]:
    """Each thread makes the planes and all outputs of units of its own."""
    arranged = _arranged(matrix, units.window, units.plane, _CHUNK)
    return _units_of_threads(p, arranged, arranged.words, units, used, threads)


def _units_of_threads(
    p: Product, arranged: _Arranged, words: list[Any], units: _Units, used: int, threads: int, read: Sequence[Access] = ()
) -> list[Task]:
    memories, x = [Memory(4 * units.floats) for _ in range(used)], p.product.inputs[0]
    ends = [units.rows(unit)[0] for unit in units.places] + [units.rows(units.places[-1])[1]]
    cuts = bounds(len(units.places), used) + [len(units.places)] * (threads - used)

    def make(t: int, a: int, b: int) -> list[AnyCall]:
        calls: list[AnyCall] = []
        for unit in units.places[cuts[t] : cuts[t + 1]]:
            calls += units.planes(unit, x, memories[t])
            calls.append(units.product(unit, memories[t], (0, arranged.chunks), words, p.out))
        return calls

    return p.by_rows([ends[c] for c in cuts], make, read)


def product_by_samples(
    p: Product, matrix: SparseMatrix, values: Memory, used: int, threads: int
) -> tuple[Array, list[Task]]:
    """The product with a matrix whose values are numbers of weights from 1 on, each thread's samples by themselves: (the
    numbers from 0 on in the order in which the weights are to lie in ``values``, tasks).
    """
    samples = p.out.shape[0]
    units = _of_samples(samples, matrix.shape[1], -(-samples // used))
    arranged = _arranged(matrix, units.window, units.plane, _CHUNK, kind=np.int64)
    words = arranged.words_with(values)
    tasks = _units_of_threads(p, arranged, words, units, used, threads, [memory_access(values)])
    return arranged.values.reshape(-1) - 1, tasks


def _by_outputs(p: Product, matrix: SparseMatrix, units: _Units, threads: int) -> tuple[list[Task], list[Node]]:
    """Fewer units than threads: all threads make planes, each of some channels, and then each its outputs."""
    product, rest = p.alone()
    x, out, channels = product.inputs[0], product.outputs[0], units.window.channels
    outputs = matrix.shape[0]
    arranged = _arranged(matrix, units.window, units.plane, -(-outputs // (threads * OUTPUTS)) * OUTPUTS)
    planes, floats, words = Memory(4 * units.floats * len(units.places)), units.floats, arranged.words
    turns: list[Part | None] = []
    for t, (a, b) in enumerate(pairwise(bounds(channels, threads, 8))):
        calls = [c for i, unit in enumerate(units.places) for c in units.planes(unit, x, Within(planes, i * floats), a, b)]
        turns.append(Part(calls, [access(x)], [(id(planes), t, t + 1)]) if b > a else None)
    products: list[Part | None] = []
    for a, b in pairwise(bounds(arranged.chunks, threads)):
        low, high = arranged.outputs(a, b)
        calls = [units.product(unit, Within(planes, i * floats), (a, b), words, out) for i, unit in enumerate(units.places)]
        writes = [access(out, r * outputs + low, r * outputs + high) for r in range(out.size // outputs)]
        products.append(Part(calls, [(id(planes), 0, threads)], writes) if b > a else None)
    return [Task(product, turns), Task(product, products)], rest


def _one_sample(p: Product, matrix: SparseMatrix, threads: int) -> tuple[list[Task], list[Node]]:
    """A single sample: each output's weights look up the inputs they meet."""
    product, rest = p.alone()
    x, out, (outputs, inputs) = product.inputs[0], product.outputs[0], matrix.shape
    arranged = _arranged(matrix, _Window(1, 1, inputs, 1, 1), 1, outputs, False)
    short = inputs <= 2**16
    size, blocks, begins = arranged.size, arranged.blocks, arranged.begins
    numbers = Data(arranged.offsets.astype(np.uint16 if short else np.int32))
    # A block costs as much as about eight weights beside its own.
    load = begins.astype(np.int64) + 8 * np.arange(blocks + 1)
    used = threads if matrix.entries >= _SMALL else 1
    cuts = [0, *np.searchsorted(load, load[-1] * np.arange(1, used) / used).tolist(), *[blocks] * (threads - used + 1)]
    arrays = [Data(begins), numbers, int(short), Data(arranged.values), Data(np.zeros(outputs, np.float32))]
    parts: list[Part | None] = []
    for a, b in pairwise(cuts):
        part = Part([Call("sparse_line", [a, b, size, *arrays, Address(x), Address(out)])])
        part.reads, part.writes = [access(x)], [access(out, a * size, b * size)]
        parts.append(part if b > a else None)
    return [Task(product, parts)], rest


# ---------------------------------------------------------------- signs


def pack(node: Node, threads: int) -> list[Task]:
    """pack_signs, by rows."""
    x, out = node.inputs[0], node.outputs[0]
    channels, limits, turned = x.shape[-1], node.attrs["limits"], node.attrs["turned"]
    words = words_of(channels)
    rows = x.size // channels
    limit: Any = 0 if limits is None else Data(np.ascontiguousarray(limits, np.float32))
    mask: Any = 0
    if turned is not None:
        mask = Data(np.ascontiguousarray(bits_of(np.where(turned, 1.0, -1.0))).view(np.int64))
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(rows, threads if x.size >= _SMALL else 1)):
        call = Call(
            "pack_signs",
            [b - a, channels, Address(x, a * channels), channels, limit, mask, Address(out, 2 * a * words), words],
        )
        reads, writes = access(x, a * channels, b * channels), access(out, 2 * a * words, 2 * b * words)
        parts.append(Part([call], [reads], [writes]) if b > a else None)
    return [Task(node, parts + [None] * (threads - len(parts)))]


def sign_product(node: Node, threads: int) -> tuple[list[Task], list[Node]]:
    """binary_matmul or binary_conv with what follows: (tasks, nodes that are left to do after them)."""
    p = Product.of(node)
    x, weights, shape = p.product.inputs[0], p.product.attrs["weights"], p.product.attrs["shape"]
    if p.product.op == "binary_matmul_signs":
        return [_sign_product_of_bits(p.product, threads)], []
    outputs, channels = shape[-1], shape[-2]
    positions, blocks = p.out.size // outputs, -(-outputs // BLOCK)
    conv = p.product.op == "binary_conv"
    inputs, number = prod(shape[:-1]), prod(shape[:-2]) * words_of(channels)
    bits, read = _bits_of(p.product)
    small = p.out.size * number < _SMALL
    used = 1 if small else threads

    def product(rows: int, first: int, last: int, source: Any, out: Address) -> Call:
        words = [rows, first, last, outputs, number, inputs, source, number, bits, out, outputs, Scratch(512)]
        return Call("sign_product", words)

    if conv:
        shapes = _image_words(p.product)
        lines = shapes.lines
        images, height = x.shape[0], shapes.output[0]
        line = prod(shapes.output[1:])
        units = [(n, a, min(height, a + lines)) for n in range(images) for a in range(0, height, lines)]
        memories = [Memory(8 * lines * line * number) for _ in range(used)]
        taken: Any = None
        if shapes.padded:
            taken = Data(_border(weights)) if weights is not None else Address(p.product.inputs[2])
            read += [] if weights is not None else [access(p.product.inputs[2])]
        cuts = bounds(len(units), used) + [len(units)] * (threads - used)

        def make(t: int, a: int, b: int) -> list[AnyCall]:
            calls: list[AnyCall] = []
            for n, low, high in units[cuts[t] : cuts[t + 1]]:
                to = Address(p.out, (n * height + low) * line * outputs)
                calls.append(Call("bit_windows", shapes.windows(x, n, low, high, memories[t])))
                calls.append(product((high - low) * line, 0, blocks, memories[t], to))
                if taken is not None:
                    calls.append(Call("without_border", shapes.borders(low, high, outputs, taken, to)))
            return calls

        starts = [(n * height + low) * line for n, low, _ in units] + [positions]
        return p.by_rows([starts[c] for c in cuts], make, read), []
    if positions < used and blocks >= used:
        # Fewer samples than threads: each thread has outputs of its own.
        alone, rest = p.alone()
        out = alone.outputs[0]
        parts: list[Part | None] = []
        for a, b in pairwise(bounds(blocks, used)):
            part = Part([product(positions, a, b, Address(x), Address(out))], [access(x), *read])
            low, high = a * BLOCK, min(outputs, b * BLOCK)
            part.writes = [access(out, r * outputs + low, r * outputs + high) for r in range(positions)]
            parts.append(part if b > a else None)
        return [Task(alone, parts)], rest

    def rows(t: int, a: int, b: int) -> list[AnyCall]:
        return [product(b - a, 0, blocks, Address(x, 2 * a * number), Address(p.out, a * outputs))]

    return p.by_rows(bounds(positions, used) + [positions] * (threads - used), rows, read), []


def _bits_of(product: Node) -> tuple[Any, list[Access]]:
    """The bits of the signs that a product is made with, as a word, and what is read of them."""
    weights: SignMatrix | None = product.attrs["weights"]
    if weights is not None:
        return Data(weights.bits), []
    return Address(product.inputs[1]), [access(product.inputs[1])]


def _rows_or_blocks(rows: int, blocks: int, threads: int, step: int) -> list[tuple[int, int, int, int]]:
    """For each thread the rows and the blocks of outputs that it makes: rows of its own where there are enough for all."""
    if rows >= threads * step or blocks < threads:
        return [(a, b, 0, blocks) for a, b in pairwise(bounds(rows, threads, step if rows >= threads * step else 1))]
    return [(0, rows, a, b) for a, b in pairwise(bounds(blocks, threads, 4))]


def _sign_product_of_bits(node: Node, threads: int) -> Task:
    """binary_matmul_signs: bits of sums of bits."""
    x, out, (inputs, outputs) = node.inputs[0], node.outputs[0], node.attrs["shape"]
    rows, blocks, number, between = x.shape[0], -(-outputs // BLOCK), words_of(inputs), words_of(outputs)
    limits, turned = np.zeros(blocks * BLOCK, np.float32), np.zeros(blocks * BLOCK, bool)
    limits[:outputs], turned[:outputs] = node.attrs["limits"], node.attrs["turned"]
    constants = Data(limits), Data(np.packbits(turned, bitorder="little"))
    bits, read = _bits_of(node)
    used = threads if rows * outputs * number >= _SMALL else 1
    parts: list[Part | None] = []
    for a, b, low, high in _rows_or_blocks(rows, blocks, used, 1):
        source, to = Address(x, 2 * a * number), Address(out, 2 * a * between)
        words = [b - a, low, high, outputs, number, inputs, source, number, bits, *constants, to, between]
        call = Call("sign_product_bits", [*words, Scratch(512 + 4 * BLOCK * MOST_ROWS)])
        # Four blocks are one element of the output.
        last = 2 * between if high == blocks else high // 4
        writes = [access(out, 2 * r * between + low // 4, 2 * r * between + last) for r in range(a, b)]
        parts.append(Part([call], [access(x), *read], writes) if b > a and high > low else None)
    return Task(node, parts + [None] * (threads - len(parts)))


def signed_product(node: Node, threads: int) -> list[Task]:
    """signed_matmul: rows of floats times signs."""
    x, out, (inputs, outputs) = node.inputs[0], node.outputs[0], node.attrs["shape"]
    rows, blocks = x.shape[0], -(-outputs // BLOCK)
    bits, read = _bits_of(node)
    used = threads if out.size * inputs >= _SMALL else 1
    parts: list[Part | None] = []
    for a, b, low, high in _rows_or_blocks(rows, blocks, used, SIGNED_ROWS):
        source, to = Address(x, a * inputs), Address(out, a * outputs)
        memory = Scratch(4 * SIGNED_ROWS * (64 + 256 + BLOCK * max(1, high - low)))
        words = [b - a, low, high, outputs, words_of(inputs), inputs, source, inputs, bits, to, outputs, memory]
        first, last = low * BLOCK, min(outputs, high * BLOCK)
        writes = [access(out, r * outputs + first, r * outputs + last) for r in range(a, b)]
        reads = [access(x, a * inputs, b * inputs), *read]
        parts.append(Part([Call("signed_product", words)], reads, writes) if b > a and high > low else None)
    return [Task(node, parts + [None] * (threads - len(parts)))]


def sign_bits(node: Node, threads: int) -> list[Task]:
    """sign_bits, by taps and words of 64 channels."""
    w, out = node.inputs[0], node.outputs[0]
    *kernel, channels, outputs = w.shape
    blocks, number, _ = out.shape
    of_tap, line = words_of(channels), 2 * BLOCK
    parts: list[Part | None] = []
    for a, b in pairwise(bounds(number, threads if w.size >= _SMALL else 1)):
        part = Part()
        for tap in range(prod(kernel)):
            low, high = max(a, tap * of_tap) - tap * of_tap, min(b, (tap + 1) * of_tap) - tap * of_tap
            if low >= high:
                continue
            source, to = Address(w, tap * channels * outputs), Address(out, tap * of_tap * line)
            words = [low, high, channels, outputs, source, to, number, Scratch(8 * BLOCK * blocks)]
            part.calls.append(Call("sign_bits", words))
            first = tap * channels * outputs
            part.reads.append(access(w, first + 64 * low * outputs, first + min(channels, 64 * high) * outputs))
        part.writes = [access(out, (o * number + a) * line, (o * number + b) * line) for o in range(blocks)]
        parts.append(part if part.calls else None)
    return [Task(node, parts + [None] * (threads - len(parts)))]


@dataclass(frozen=True)
class _ImageWords:
    """The words that describe the windows of packed images."""

    words: int
    spatial: tuple[int, ...]
    output: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def lines(self) -> int:
        """Lines of the output (of its first axis) whose windows are made at a time, so that they stay in the cache."""
        bytes_of_one = 8 * prod(self.output[1:]) * prod(self.kernel) * self.words
        return max(1, min(self.output[0], _PLANES // (2 * bytes_of_one)))

    @property
    def padded(self) -> bool:
        """Whether any window reaches out of the image."""
        axes = zip(self.spatial, self.output, self.kernel, self.stride, self.before, self.dilation, strict=True)
        return any(b > 0 or (o - 1) * s - b + covered(k, d) > n for n, o, k, s, b, d in axes)

    def _sizes(self, low: int, high: int) -> list[int]:
        """Words 2 to 16 for lines low to high of the output."""
        output = (high - low, *self.output[1:])
        before = (self.before[0] - low * self.stride[0], *self.before[1:])
        return [
            *three(self.spatial), *three(output), *three(self.kernel), *three(self.stride), *three(before, 0),
        ]  # fmt: skip

    def windows(self, x: Value, image: int, low: int, high: int, memory: Memory) -> list[Any]:
        at = Address(x, image * prod(self.spatial) * 2 * self.words)
        return [1, self.words, *self._sizes(low, high), at, memory, *three(self.dilation)]

    def borders(self, low: int, high: int, outputs: int, taken: Data | Address, out: Address) -> list[Any]:
        return [1, outputs, *self._sizes(low, high), taken, out, *three(self.dilation)]


def _border(weights: SignMatrix) -> Array:
    """What each tap outside the image is to give back (taps, O): its words are all 0, which stands for −1."""
    dense = weights.to_dense().reshape(weights.taps, weights.channels, weights.outputs)
    return np.ascontiguousarray(dense.sum(axis=1), np.float32)


def _image_words(node: Node) -> _ImageWords:
    attrs, x, out = node.attrs, node.inputs[0], node.outputs[0]
    *kernel, channels, _ = attrs["shape"]
    before, after = zip(*attrs["padding"], strict=True)
    sizes = (x.shape[1:-1], out.shape[1:-1], kernel, attrs["stride"], before, after, attrs["dilation"])
    return _ImageWords(words_of(channels), *map(tuple, sizes))
