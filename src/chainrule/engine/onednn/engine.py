"""Compiles a plan to a table of calls for each thread and runs it without coming back to Python."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import weakref
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ...ops import Node, Value
from ...ops.memory import aligned_zeros
from ...plan.memory import plan_memory, root
from ...plan.plan import Plan
from ...registry import identity
from ..base import Array, Engine, Executable, arena_view
from ..kernels.library import kernels
from ..kernels.sizes import BLOCK_COLUMNS, BLOCK_DEPTH, SHEET, VECTOR
from ..reference.engine import compute
from .calls import (
    Address,
    AnyCall,
    Block,
    Call,
    Cell,
    Code,
    Data,
    Entries,
    Float,
    Function,
    Memory,
    PrimitiveCall,
    ProductCall,
    Scratch,
    Task,
    Within,
)
from .convolution import explain
from .library import open_library
from .pool import Job
from .precision import round_products
from .primitives import DST, SCRATCHPAD, SRC, WEIGHTS, Bound, Matrix, Stream, product
from .schedule import Group, barriers, epochs, take_turns
from .tasks import make_tasks

#: A step that takes one thread less than this is not divided: waiting for each other would cost more than it gains.
_WORTH_DIVIDING = 40e-6
_FLOPS_PER_SECOND, _BYTES_PER_SECOND = 150e9, 30e9


_in_child = False


def _after_fork() -> None:
    global _in_child
    _in_child = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Words:
    """64-bit words with addresses that stay: blocks are carved from chunks."""

    def __init__(self) -> None:
        self.chunks: list[NDArray[np.int64]] = []
        self.used = 0

    def block(self, words: Sequence[int]) -> int:
        if not self.chunks or self.used + len(words) > len(self.chunks[-1]):
            self.chunks.append(np.zeros(max(1 << 14, len(words)), np.int64))
            self.used = 0
        chunk = self.chunks[-1]
        chunk[self.used : self.used + len(words)] = words
        address = int(chunk.ctypes.data) + 8 * self.used
        self.used += len(words)
        return address


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _float_word(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", np.float32(value)))[0])


class _Segment:
    """A stretch of groups that the compiled loop runs as a job, or one fallback task that Python runs."""

    def __init__(self, groups: list[Group], fallback: bool) -> None:
        self.groups, self.fallback = groups, fallback
        self.job: Job | None = None


_VECTOR_TYPE = np.dtype((np.void, 4 * VECTOR))
#: Memory for a product by blocks; the rows, the least elements of the right side, and the floats of which its row stride is
#: a multiple, for which such a product is faster than sgemm of AVX2 (measured on Zen 3).
_BLOCK_BYTES = 4 * (BLOCK_DEPTH * BLOCK_COLUMNS + SHEET * VECTOR)
_BLOCK_ROWS, _LARGE_MATRIX, _SHARED_LINES = (36, 300), 1 << 17, 512


class OneDNNExecutable(Executable):
    """A plan bound to its arenas, as tables of calls."""

    def __init__(self, plan: Plan, arenas: Mapping[str, Array], threads: int, dtype: str = "float32") -> None:
        super().__init__(plan, arenas)
        self.nodes = round_products(plan.nodes) if dtype == "bfloat16" else plan.nodes
        self.lock = threading.Lock()
        self._build(threads)

    # ------------------------------------------------------------ building

    def _build(self, threads: int) -> None:
        plan = self.plan
        self.library, self.kernels = open_library(), kernels().addresses
        flops, read = plan.flops + plan.beside[0], plan.bytes + plan.beside[1]
        if threads > 1 and flops / _FLOPS_PER_SECOND + read / _BYTES_PER_SECOND < _WORTH_DIVIDING:
            threads = 1
        self.threads, self.process = threads, os.getpid()
        # A prediction for a sample must not depend on the others. Kernels of AVX-512 see to that by themselves.
        alike = plan.rows_alike or _predicts(plan)
        narrow = self.library.isa.startswith("AVX") and "512" not in self.library.isa
        self._rows_alike = alike and narrow
        # Our own products add in another order than oneDNN's, which could turn signs that the network itself has.
        of_signs = any(node.op.startswith(("binary", "signed")) for node in _members(plan))
        self._in_panels = (narrow or self.library.dnnl is None) and not of_signs
        self._by_blocks = narrow and not alike and not of_signs and self.library.dnnl is not None
        for name, value in plan.arenas.items():
            array = self.arenas[name]
            if array.dtype != np.float32 or array.size < value.size or not array.flags.c_contiguous:
                raise EngineError(f"arena {name!r} must be float32 of {value.size} elements, contiguous.")
        tasks = make_tasks(self.nodes, threads, list(plan.outputs.values()))
        once = [Group([task]) for task in tasks if _lays_out_constants(task, plan)]
        tasks = [task for task in tasks if not _lays_out_constants(task, plan)]
        groups = take_turns(tasks, barriers(tasks, threads), threads)
        nodes = [
            (task.node, epoch) for group, epoch in zip(groups, epochs(groups, threads), strict=True) for task in group.tasks
        ]
        temporaries, size = plan_memory([n for n, _ in nodes], [e for _, e in nodes], list(plan.outputs.values()))
        self.temporaries = aligned_zeros(max(size, 64), np.uint8)
        self._offsets = temporaries
        self.staging = {name: _staging(v) for name, v in plan.inputs.items()}
        self.scalar_names = list(plan.scalars)
        self.scalar_row = aligned_zeros(max(16, len(plan.scalars)), np.float32)
        self.seed = np.zeros(1, np.int64)
        self.cells = np.zeros((threads, 8), np.int64)
        self.words = _Words()
        self._scratch: list[NDArray[Any]] = []
        self._codes: dict[int, tuple[Code, Array]] = {}
        self._memories: dict[int, tuple[Memory, Array]] = {}
        self._bound_primitives: list[Bound] = []
        #: Matrices in panels, and those of them that are laid out again when they have changed; see ``_with_panels``.
        self._panels: dict[Hashable, Array] = {}
        self._steady: list[tuple[Value, int, Matrix, Array]] = []
        self._shared = self._scratch_of([*groups, *once])
        self._streams: dict[int, Stream] = {}
        self._constants: dict[Hashable, Array] = {}
        self._aliases = {k: v for t in tasks for k, v in t.aliases.items()}
        #: Words that hold the addresses of the entries of sparse rows: (input, "indices" or "values", word).
        self._entry_words: list[tuple[str, str, Any]] = []
        self.places: list[dict[str, list[tuple[int, int]]]] = [{name: [] for name in plan.inputs} for _ in range(threads)]
        self.segments = self._segments(groups)
        last = self.segments[-1] if self.segments else None
        # Words of the blocks that every run sets anew: where the data, the scalars and the kept outputs are.
        self._feed_words: dict[str, list[Any]] = {name: [] for name in plan.inputs}
        self._keep_words: dict[str, Any] = {}
        self._scalar_feed = ctypes.c_int64()
        self.native = len(self.segments) == 1 and last is not None and not last.fallback
        # The first segment last: its feeds must know every place where a later segment reads an input.
        for segment in reversed(self.segments):
            if not segment.fallback:
                self._tables(segment, first=segment is self.segments[0], last=segment is last)
        if (self.segments and self.segments[0].fallback) or not self.segments:
            front = _Segment([], False)
            self.segments.insert(0, front)
            self._tables(front, first=True, last=False)
        self._once: Job | None = None
        if once:
            front = _Segment(once, False)
            self._tables(front, first=False, last=False)
            assert front.job is not None
            front.job.run(1, 0)
            self._once = front.job
        self._bound = [self._io(v) for v in plan.outputs.values()]
        # Whether ``predict`` needs nothing but the address of its input: no scalars in or out, no fallback.
        lone = len(self._bound) == 1 and self._bound[0][0] is not None and list(plan.inputs) == ["x0"]
        self._plain = self.native and lone and not self._keep_words and not self.scalar_names

    def _segments(self, groups: list[Group]) -> list[_Segment]:
        segments: list[_Segment] = []
        for group in groups:
            fallback = group.tasks[0].fallback
            if fallback or not segments or segments[-1].fallback:
                segments.append(_Segment([], fallback))
            segments[-1].groups.append(group)
        return segments

    def _scratch_of(self, groups: list[Group]) -> list[Array]:
        """For each thread, memory as large as the call that needs most while it runs."""

        def needed(call: AnyCall) -> int:
            if isinstance(call, PrimitiveCall):
                return call.make().scratch
            if isinstance(call, ProductCall):
                if self._constant(call) is not None:
                    return 4 * SHEET * VECTOR
                if self._is_by_blocks(call):
                    return _BLOCK_BYTES
                return product(self.library, *call.matrices).scratch if self._as_primitive(call) else 0
            return max((w.bytes for w in call.words if isinstance(w, Scratch)), default=0)

        sizes = [max((needed(c) for g in groups for c in g.calls(t)), default=0) for t in range(self.threads)]
        return [aligned_zeros(max(size, 64), np.uint8) for size in sizes]

    def _base(self, value: Value) -> tuple[int, str | None]:
        """The address of a value, and the name of the input when it lies in one."""
        value = self._aliases.get(id(value), value)
        r = root(value)
        r = self._aliases.get(id(r), r)
        if r.role == "constant":
            key = identity(r.constant)
            if key not in self._constants:
                self._constants[key] = np.full(1, r.constant, np.float32)
            return int(self._constants[key].ctypes.data), None
        if r.role == "scalar":
            return int(self.scalar_row.ctypes.data) + 4 * self.scalar_names.index(r.name), None
        if r.role == "input":
            return int(self.staging[r.name].ctypes.data), r.name
        if r.base is not None or r.role == "arena":
            base = r.base if r.base is not None else r
            offset = r.offset if r.base is not None else 0
            return int(self.arenas[base.name].ctypes.data) + 4 * offset, None
        return int(self.temporaries.ctypes.data) + self._offsets[id(r)], None

    def _word(self, item: Any, thread: int) -> tuple[int, str | None, int]:
        """A word, and for addresses within an input the input's name and the offset in bytes."""
        if isinstance(item, int):
            return item, None, 0
        if isinstance(item, Entries):
            return 0, None, 0  # set by every run
        if isinstance(item, Address):
            base, name = self._base(item.value)
            return base + item.bytes, name, item.bytes
        if isinstance(item, Float):
            return _float_word(item.value), None, 0
        if isinstance(item, Memory):
            if id(item) not in self._memories:
                self._memories[id(item)] = (item, aligned_zeros(item.bytes, np.uint8))
            return _address(self._memories[id(item)][1]), None, 0
        if isinstance(item, Scratch):
            return _address(self._shared[thread]), None, 0
        if isinstance(item, Within):
            return self._word(item.memory, thread)[0] + 4 * item.elements, None, 0
        if isinstance(item, Code):
            if id(item) not in self._codes:
                self._codes[id(item)] = (item, np.array(item.words, np.int32))
            return _address(self._codes[id(item)][1]), None, 0
        if isinstance(item, Data):
            self._scratch.append(item.array)
            return _address(item.array), None, 0
        if isinstance(item, Block):
            return self._args(item.words, thread), None, 0
        if isinstance(item, Function):
            return self.library.address(item.name), None, 0
        assert isinstance(item, Cell)
        at = self.seed.ctypes.data if item.name == "seed" else self.cells.ctypes.data + 64 * thread + 8
        return int(at), None, 0

    def _args(self, words: Sequence[Any], thread: int) -> int:
        found = [self._word(w, thread) for w in words]
        at = self.words.block([w for w, _, _ in found])
        for i, (_, name, offset) in enumerate(found):
            if name is not None:
                self.places[thread][name].append((at + 8 * i, offset))
        for i, item in enumerate(words):
            if isinstance(item, Entries):
                self._entry_words.append((item.value.name, item.what, ctypes.c_int64.from_address(at + 8 * i)))
        return at

    def _as_primitive(self, call: ProductCall) -> bool:
        """Whether a primitive is better than sgemm: for bfloat16, and for large products with a transposed right side."""
        a, b, _ = call.matrices
        if "bfloat16" in (a.dtype, b.dtype):
            return True
        wide = 2 * a.rows * a.columns * b.columns >= 8e6
        return self.library.dnnl is not None and not call.add and b.column_stride != 1 and b.row_stride == 1 and wide

    def _is_by_blocks(self, call: ProductCall) -> bool:
        """Whether our own kernel multiplies, which copies the right side into panels.

        For few rows oneDNN reads the right side where it lies. Its rows share a few lines of the first-level cache when they
        are a multiple of 2 KB apart, and the product takes up to 1.7 times as long as by our kernel.
        """
        a, b, _ = call.matrices
        plain = a.column_stride == b.column_stride == 1 and a.dtype == b.dtype == "float"
        fits = _BLOCK_ROWS[0] <= a.rows <= _BLOCK_ROWS[1] and b.rows * b.columns >= _LARGE_MATRIX
        return self._by_blocks and plain and fits and b.row_stride % _SHARED_LINES == 0

    def _row(self, call: AnyCall, thread: int) -> list[int]:
        if isinstance(call, Call):
            return [self.kernels[call.kernel], self._args(call.words, thread), 0, 0, 0]
        if isinstance(call, ProductCall):
            if (w := self._constant(call)) is not None:
                return self._row(self._with_panels(call, w), thread)
            if self._is_by_blocks(call):
                return self._row(_by_blocks(call), thread)
            if not self._as_primitive(call):
                return self._row(_sgemm(call, self._rows_alike), thread)
            make = partial(product, self.library, *call.matrices)
            call = PrimitiveCall(make, dict(zip((SRC, WEIGHTS, DST), call.addresses, strict=True)))
        made = call.make()
        spots = {number: self._word(item, thread) for number, item in call.arguments.items()}
        if SCRATCHPAD in made.descriptors:
            spots[SCRATCHPAD] = _address(self._shared[thread]), None, 0
        if thread not in self._streams:
            self._streams[thread] = Stream(self.library)
        bound = Bound(made, {number: address for number, (address, _, _) in spots.items()})
        self._bound_primitives.append(bound)
        words = [
            self.library.address("dnnl_primitive_execute"),
            made.handle.value or 0,
            self._streams[thread].handle.value or 0,
            bound.count,
            ctypes.addressof(bound.arguments),
            self.library.address("dnnl_memory_set_data_handle"),
        ]
        # The input's address changes from step to step, all others stay.
        moving = [(number, spot) for number, spot in spots.items() if spot[1] is not None]
        words.append(len(moving))
        for number, (address, _, _) in moving:
            words += [bound.memories[number].value, address]
        at = self.words.block(words)
        for i, (_, (_, name, offset)) in enumerate(moving):
            assert name is not None
            self.places[thread][name].append((at + 8 * (8 + 2 * i), offset))
        return [self.kernels["primitive"], at, 0, 0, 0]

    def _constant(self, call: ProductCall) -> Value | None:
        """The right side, when it is a matrix that does not change and our own kernel is to multiply it."""
        a, b, _ = call.matrices
        spot = call.addresses[1]
        if not self._in_panels or call.add or a.column_stride != 1 or not a.dtype == b.dtype == "float":
            return None
        w = spot.value if isinstance(spot, Address) else None
        if w is None or w.ndim != 2 or w.base is None:
            return None
        # For one sample a matrix that has to be laid out again, because it has changed, would cost more than its product.
        laid_out = self.plan.constants | self.plan.steady if self.plan.batch > 1 else self.plan.constants
        return w if w.base.name in laid_out else None

    def _with_panels(self, call: ProductCall, w: Value) -> Call:
        """The product with a constant matrix, which is laid out once in the order in which it is read."""
        (a, b, c), (left, spot, out) = call.matrices, call.addresses
        assert isinstance(spot, Address) and w.base is not None
        key = (w.base.name, w.offset, spot.elements, b)
        if key not in self._panels:
            panels, steady = None, w.base.name not in self.plan.constants
            # Plans of other batch sizes over the same weights have the same panels.
            shared = (_address(self.arenas[w.base.name]), w.offset, spot.elements, b)
            if steady:
                panels = _shared_panels.get(shared)
            if panels is None:
                panels = aligned_zeros((-(-b.columns // VECTOR), b.rows, VECTOR), np.float32)
            if steady:
                self._steady.append((w, spot.elements, b, panels))
                _shared_panels[shared] = panels
            self._lay_out(w, spot.elements, b, panels)
            self._panels[key] = panels
        right, memory = Data(self._panels[key]), Scratch(4 * SHEET * VECTOR)
        words = [a.rows, b.columns, a.columns, left, a.row_stride, right, out, c.row_stride, memory]
        return Call("product_with_panels", words)

    def _lay_out(self, w: Value, elements: int, b: Matrix, panels: Array) -> None:
        """Copies a matrix into panels of 16 columns, each row after row, the last one filled up with zeros.

        No view of the matrix outlives the call, or it would seem that somebody could write to it.
        """
        flat = arena_view(self.arenas, w).reshape(-1)[elements:]
        down, right = 4 * b.row_stride, 4 * b.column_stride
        whole, rest = divmod(b.columns, VECTOR)
        view = np.lib.stride_tricks.as_strided
        if whole and b.column_stride == 1:
            # Vectors are single elements of 64 bytes, which NumPy copies up to fifteen times as fast as 16 numbers.
            first = flat[:VECTOR].view(_VECTOR_TYPE)
            panels.view(_VECTOR_TYPE)[:whole, :, 0] = view(first, (whole, b.rows), (4 * VECTOR, down), writeable=False)
        elif whole:
            panels[:whole] = view(flat, (whole, b.rows, VECTOR), (VECTOR * right, down, right), writeable=False)
        if rest:
            panels[whole, :, :rest] = view(
                flat[whole * VECTOR * b.column_stride :], (b.rows, rest), (down, right), writeable=False
            )

    def _tables(self, segment: _Segment, *, first: bool, last: bool) -> None:
        """The tables of one segment. The first segment's also feed the step its data; a lone one's keep its outputs."""
        tables = []
        for t in range(self.threads):
            phases: list[list[list[int]]] = [[]]
            for number, group in enumerate(segment.groups):
                if group.wait and number:
                    phases.append([])
                phases[-1] += [self._row(call, t) for call in group.calls(t)]
            if first:
                rows = self._feed_rows(t)
                phases = [rows, *phases] if self.threads > 1 else [rows + phases[0]]
            if last and self.native:
                if self.threads > 1:
                    phases.append([])
                if t == 0:
                    phases[-1] += self._keep_rows()
            places = []
            for rows in phases:
                table = [w for row in rows for w in row]
                places += [self.words.block(table) if table else 0, len(rows)]
            tables.append((self.words.block(places), len(phases)))
        segment.job = Job(self.library, self.kernels, self.threads, tables[0][1])
        for t, (places_at, _) in enumerate(tables):
            segment.job.set_part(t, places_at, int(self.cells.ctypes.data) + 64 * t)

    def _feed_rows(self, thread: int) -> list[list[int]]:
        """Rows that give a step its scalars and samples. Called after the rows that use them, so all places are known."""
        rows, cell = [], int(self.cells.ctypes.data) + 64 * thread
        if thread == 0 and self.scalar_names:
            at = self.words.block([0, len(self.scalar_names), int(self.scalar_row.ctypes.data), cell])
            rows.append([self.kernels["feed_scalars"], at, 0, 0, 0])
            self._scalar_feed = ctypes.c_int64.from_address(at)
        for name, value in self.plan.inputs.items():
            batch = value.shape[0] if value.shape else 1
            low, high = batch * thread // self.threads, batch * (thread + 1) // self.threads
            places = self.places[thread][name]
            block = self.words.block([w for place in places for w in place] or [0])
            width = _words_a_sample(value)
            words = [0, 0, width, batch, int(self.staging[name].ctypes.data), low, high, cell, len(places), block]
            at = self.words.block(words)
            self._feed_words[name].append((ctypes.c_int64 * 2).from_address(at))
            rows.append([self.kernels["feed"], at, 0, 0, 0])
        return rows

    def _keep_rows(self) -> list[list[int]]:
        rows = []
        for name, value in self.plan.outputs.items():
            if value.shape == () and value.dtype == "float":
                base, _ = self._base(value)
                at = self.words.block([base, 0, int(self.cells.ctypes.data)])
                self._keep_words[name] = ctypes.c_int64.from_address(at + 8)
                rows.append([self.kernels["keep_scalar"], at, 0, 0, 0])
        return rows

    def _io(self, value: Value) -> tuple[Array | None, str | None]:
        """An array over a value's memory, or the name of the input it is."""
        if value.role in ("constant", "scalar"):
            return None, None
        at, name = self._base(value)
        if name is not None:
            return None, name
        kind = {"int": ctypes.c_int32, "bfloat16": ctypes.c_uint16}.get(value.dtype, ctypes.c_float)
        raw = (kind * max(value.size, 1)).from_address(at)
        return np.ctypeslib.as_array(raw)[: value.size].reshape(value.shape), None

    # ------------------------------------------------------------ running

    def _check_process(self) -> None:
        if self.threads > 1 and self.process != os.getpid():
            # The workers did not survive the fork, and oneDNN's OpenMP may hang when it starts threads in the child.
            self._build(1)

    def _bind(self, data: Mapping[str, Array], order: NDArray[np.int64] | None) -> list[Array]:
        """Points the feeds at the data. Returns what must stay alive during the run."""
        alive: list[Array] = []
        samples = 0 if order is None else _address(order)
        for name, value in self.plan.inputs.items():
            array: Any = data[name]
            if value.dtype == "sparse":
                alive.append(array)
                for of, what, word in self._entry_words:
                    if of == name:
                        word.value = _address(getattr(array, what))
                array = array.extents
            wanted = np.int64 if value.dtype == "sparse" else np.int32 if value.dtype == "int" else np.float32
            if array.dtype != wanted or not array.flags.c_contiguous:
                array = np.ascontiguousarray(array, wanted)
            alive.append(array)
            at = _address(array)
            for words in self._feed_words[name]:
                words[0] = at
                words[1] = samples
        return alive

    def run(
        self, inputs: Mapping[str, Array], scalars: Mapping[str, float] | None = None, *, step: int = 0, seed: int = 0
    ) -> dict[str, Array]:
        with self.lock:
            self._check_process()
            for name, v in self.plan.inputs.items():
                if inputs[name].shape != v.shape:
                    raise EngineError(f"input {name!r}: the plan was made for shape {v.shape}, got {inputs[name].shape}.")
            return self._step(inputs, scalars or {}, step, seed)

    def predict(self, x: Array) -> Array:
        if not self._plain:
            return super().predict(x)
        with self.lock:
            self._check_process()
            at, job, view = _address(x), self.segments[0].job, self._bound[0][0]
            for words in self._feed_words["x0"]:
                words[0], words[1] = at, 0
            self.seed[0] = 0
            assert job is not None and view is not None
            job.run(1, 0)
            return view.copy()

    def lay_out(self) -> None:
        with self.lock:
            self._check_process()
            for steady in self._steady:
                self._lay_out(*steady)
            if self._once is not None:
                self._once.run(1, 0)

    def _step(self, inputs: Mapping[str, Array], scalars: Mapping[str, float], step: int, seed: int) -> dict[str, Array]:
        alive = self._bind(inputs, None)
        if self.scalar_names:
            row = np.array([scalars[n] for n in self.scalar_names], np.float32)
            self._scalar_feed.value = _address(row)
        if self._keep_words:
            kept = np.empty(len(self._keep_words), np.float32)
            for i, place in enumerate(self._keep_words.values()):
                place.value = _address(kept) + 4 * i
        self.seed[0] = seed
        for segment in self.segments:
            if segment.fallback:
                self._fallback(segment, inputs, scalars, step, seed)
            else:
                assert segment.job is not None
                segment.job.run(1, step)
        found: dict[str, Array] = {}
        for (name, value), (view, source) in zip(self.plan.outputs.items(), self._bound, strict=True):
            if view is not None:
                found[name] = view.copy()
            elif source is not None:
                found[name] = np.array(inputs[source], np.int32 if value.dtype == "int" else np.float32).reshape(value.shape)
            else:
                found[name] = np.asarray(scalars[value.name] if value.role == "scalar" else value.constant, np.float32)
        del alive
        return found

    def _fallback(
        self, segment: _Segment, inputs: Mapping[str, Array], scalars: Mapping[str, float], step: int, seed: int
    ) -> None:
        """Runs nodes that the kernels do not offer by the reference engine's, on the same memory."""

        def read(v: Value) -> Array:
            if v.role == "constant":
                return np.asarray(v.constant, np.float32)
            if v.role == "scalar":
                return np.asarray(scalars[v.name], np.float32)
            r = root(v)
            if r.dtype == "sparse":
                return inputs[r.name]
            if r.role == "input":
                return np.asarray(inputs[r.name], np.int32 if v.dtype == "int" else np.float32).reshape(v.shape)
            if v.base is not None:
                return arena_view(self.arenas, v)
            view, _ = self._io(v)
            assert view is not None
            return (view.astype(np.uint32) << np.uint32(16)).view(np.float32) if v.dtype == "bfloat16" else view

        for node in (task.node for group in segment.groups for task in group.tasks):
            results = compute(node, [read(v) for v in node.inputs], dtype=np.float32, step=step, seed=seed)
            for v, result in zip(node.outputs, results, strict=True):
                place = read(v)
                if _address(place) != _address(result):
                    place[...] = result

    def run_steps(
        self,
        data: Mapping[str, Array],
        order: NDArray[np.int64] | None,
        scalars: Mapping[str, NDArray[np.float64]],
        *,
        steps: int,
        step: int = 0,
        seed: int = 0,
    ) -> dict[str, NDArray[np.float64]]:
        if not self.native:
            return super().run_steps(data, order, scalars, steps=steps, step=step, seed=seed)
        with self.lock:
            self._check_process()
            self._check_data(data, order, steps)
            if order is not None:
                order = np.ascontiguousarray(order, np.int64)
            alive = self._bind(data, order)
            rows = np.empty((steps, max(1, len(self.scalar_names))), np.float32)
            for i, name in enumerate(self.scalar_names):
                rows[:, i] = scalars[name]
            if self.scalar_names:
                self._scalar_feed.value = _address(rows)
            kept = np.zeros((len(self._keep_words), steps), np.float32)
            for i, place in enumerate(self._keep_words.values()):
                place.value = _address(kept[i])
            self.seed[0] = seed
            job = self.segments[0].job
            assert job is not None
            job.run(steps, step)
            del alive
            return {name: kept[i].astype(np.float64) for i, name in enumerate(self._keep_words)}

    def _check_data(self, data: Mapping[str, Array], order: NDArray[np.int64] | None, steps: int) -> None:
        """The kernels trust what they are given, so what could read outside an array is refused here."""
        for name, v in self.plan.inputs.items():
            array, needed = data[name], steps * self.plan.batch
            if array.shape[1:] != v.shape[1:]:
                raise EngineError(f"input {name!r}: the plan was made for samples {v.shape[1:]}, got {array.shape[1:]}.")
            if order is None and len(array) < needed:
                raise EngineError(
                    f"input {name!r}: {steps} steps of {self.plan.batch} need {needed} samples, got {len(array)}."
                )
            if order is not None and (
                len(order) < needed or (needed and not 0 <= order[:needed].min() <= order[:needed].max() < len(array))
            ):
                raise EngineError(f"order: {needed} sample numbers below {len(array)} are needed.")


def _words_a_sample(value: Value) -> int:
    """Elements of 4 bytes of a sample of an input. A sparse row has two int64, which say where its entries lie."""
    return 4 if value.dtype == "sparse" else prod(value.shape[1:])


def _staging(value: Value) -> Array:
    """Memory for one batch of an input."""
    if value.dtype == "sparse":
        return aligned_zeros((value.shape[0], 2), np.int64)
    return aligned_zeros(value.shape or (1,), np.int32 if value.dtype == "int" else np.float32)


def _lays_out_constants(task: Task, plan: Plan) -> bool:
    """Whether a task reads nothing but what never changes, so that it need not be done again at every step."""
    laid_out = plan.constants | plan.steady
    return task.node.op == "reorder" and all(v.base is not None and v.base.name in laid_out for v in task.node.inputs)


def _members(plan: Plan) -> Iterator[Node]:
    """The nodes of a plan, and those within fused ones."""
    for node in plan.nodes:
        yield from node.attrs.get("nodes", [node])


def _predicts(plan: Plan) -> bool:
    return all(node.where.phase == "forward" for node in plan.nodes)


#: The panels of matrices that may change, by where the matrix lies. An executable that uses them holds the matrix, too, so
#: no other can lie there.
_shared_panels: weakref.WeakValueDictionary[Hashable, Array] = weakref.WeakValueDictionary()


def _by_blocks(call: ProductCall) -> Call:
    """A product whose right side is laid out in panels block by block."""
    (a, b, c), (left, right, out) = call.matrices, call.addresses
    words = [a.rows, b.columns, a.columns, left, a.row_stride, right, b.row_stride, out, c.row_stride, int(call.add)]
    return Call("product_by_blocks", [*words, Scratch(_BLOCK_BYTES)])


def _sgemm(call: ProductCall, rows_alike: bool) -> Call:
    """A float32 product by sgemm: with oneDNN as fast as a primitive where it is large, and a microsecond sooner to start.

    Parameters  rows_alike : whether a row of the result must not depend on where it stands
    """
    (a, b, c), spots = call.matrices, call.addresses

    def side(m: Matrix) -> tuple[int, int]:
        plain = m.column_stride == 1 and m.row_stride >= m.columns
        return (ord("N"), m.row_stride) if plain else (ord("T"), m.column_stride)

    (ta, lda), (tb, ldb) = side(a), side(b)
    words = [
        Function("sgemm"),
        ta,
        tb,
        a.rows,
        b.columns,
        a.columns,
        spots[0],
        lda,
        spots[1],
        ldb,
        Float(float(call.add)),
        spots[2],
    ]
    return Call("sgemm", [*words, c.row_stride, int(rows_alike and ta == ord("N") and not call.add)])


class OneDNNEngine(Engine):
    """oneDNN with compiled kernels.

    Parameters
        threads : None takes what OpenMP would (OMP_NUM_THREADS, threadpoolctl, the processors allowed)
        dtype : "float32", or "bfloat16" for matrix products in bfloat16 with everything else, and all sums, in float32
    Raises      EngineError when oneDNN, OpenMP or the compiled kernels cannot be used here, or the processor has no bfloat16
    """

    name = "onednn"
    dtypes = ("float32", "bfloat16")

    def __init__(self, threads: int | None = None, dtype: str = "float32") -> None:
        self.library = open_library()
        if dtype == "bfloat16" and not self.library.has_bfloat16:
            raise EngineError(
                f"this processor has no bfloat16 arithmetic (its instruction set is {self.library.isa}); "
                f"use precision='float32'."
            )
        kernels()
        self._threads, self.dtype = threads, dtype

    @property
    def threads(self) -> int:  # type: ignore[override]
        if _in_child:
            return 1
        return self._threads if self._threads is not None else self.library.max_threads()

    def compile(self, plan: Plan, arenas: Mapping[str, Array]) -> OneDNNExecutable:
        return OneDNNExecutable(plan, arenas, self.threads, self.dtype)

    def prepare(self, *groups: str) -> None:
        kernels().prepare(*groups)

    def explain(self, plan: Plan) -> list[str]:
        members = [m for node in plan.nodes for m in node.attrs.get("nodes", [node])]
        lines = [f"  {line}" for m in members if (line := explain(m, self.threads)) is not None]
        head = "on the onednn engine images lie with channels last and are not reordered; its convolutions:"
        return [head, *lines] if lines else []

    def describe(self) -> dict[str, str]:
        loaded = kernels()
        return {
            "engine": "onednn",
            "library": f"{self.library.name} ({self.library.path})",
            **({"no oneDNN, because": self.library.instead} if self.library.instead else {}),
            "instruction set": self.library.isa,
            "bfloat16": "yes" if self.library.has_bfloat16 else "no",
            "products of signs": loaded.sign_kernel(),
            "threads": str(self.threads),
            "kernels": f"{len(loaded.addresses)} loaded, from {loaded.origin} in {loaded.seconds:.2f} s ({loaded.path})",
        }
