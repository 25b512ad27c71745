"""oneDNN's primitives through its C API: created once, then executed by the compiled loop.

A primitive is made for one thread, and works in memory that it is given, so that each thread of a step runs its own part of
a product. Arrays are described as they lie: oneDNN chooses the layout only of what is described by ``strides=None``.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ...ops.memory import aligned_zeros
from .library import Library

_CPU, _IN_ORDER, _USER_SCRATCHPAD = 1, 1, 1
_ANY = 1
_TRAINING, _INFERENCE, _DIRECT = 64, 96, 1
_IMPLEMENTATION, _SCRATCHPAD_DESCRIPTOR = 8, 136
_STRIDES, _INNER_COUNT, _INNER_BLOCKS, _INNER_AXES = 14, 263, 264, 265
_MAX_DIMS = 12
#: oneDNN's numbers of a primitive's arguments.
SRC, WEIGHTS, DST, DIFF_SRC, DIFF_DST, DIFF_WEIGHTS, SCRATCHPAD = 1, 33, 17, 129, 145, 161, 80
BIAS, WEIGHT_SCALES = 41, 4096 | WEIGHTS
#: ... and of the descriptors of these arguments.
_QUERY = {SRC: 129, DIFF_SRC: 130, WEIGHTS: 131, DIFF_WEIGHTS: 132, DST: 133, DIFF_DST: 134}
#: oneDNN's numbers of data types, and bytes of an element.
DTYPES = {"float": (3, 4), "bfloat16": (2, 2), "int8": (5, 1), "uint8": (6, 1)}

_Dims = ctypes.c_int64 * _MAX_DIMS
_Handle = ctypes.c_void_p


class _Argument(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_int), ("memory", _Handle)]


@dataclass(frozen=True)
class Tensor:
    """An array in memory: sizes of its axes, elements between neighbours on each, "float" or "bfloat16".

    strides=None leaves the layout to oneDNN.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...] | None
    dtype: str = "float"


@dataclass(frozen=True)
class Matrix:
    """A matrix in memory: rows × columns, elements between rows and between columns, "float" or "bfloat16"."""

    rows: int
    columns: int
    row_stride: int
    column_stride: int
    dtype: str = "float"

    @property
    def tensor(self) -> Tensor:
        return Tensor((self.rows, self.columns), (self.row_stride, self.column_stride), self.dtype)


@dataclass(frozen=True)
class Blocking:
    """The layout that oneDNN chose: elements between neighbours (blocks, where an axis is blocked) on each axis, and
    (axis, size) of the blocks inside, the innermost last."""

    strides: tuple[int, ...]
    blocks: tuple[tuple[int, int], ...]


class Descriptor:
    """A memory descriptor, destroyed with the object.

    Attributes  handle ; bytes : of an array of this layout
    """

    def __init__(self, library: Library, handle: Any, axes: int) -> None:
        self.library, self.handle, self.axes = library, handle, axes
        self.bytes = int(library.dnnl.dnnl_memory_desc_get_size(handle))

    @classmethod
    def of(cls, library: Library, tensor: Tensor) -> Descriptor:
        dnnl, handle = library.dnnl, _Handle()
        axes, dtype = len(tensor.sizes), DTYPES[tensor.dtype][0]
        if tensor.strides is None:
            status = dnnl.dnnl_memory_desc_create_with_tag(ctypes.byref(handle), axes, _Dims(*tensor.sizes), dtype, _ANY)
        else:
            status = dnnl.dnnl_memory_desc_create_with_strides(
                ctypes.byref(handle), axes, _Dims(*tensor.sizes), dtype, _Dims(*tensor.strides)
            )
        _check(status, f"memory descriptor of {tensor}")
        return cls(library, handle, axes)

    @classmethod
    def copy(cls, library: Library, found: int | None, axes: int) -> Descriptor:
        """A descriptor of its own from one that belongs to a primitive's description."""
        handle = _Handle()
        _check(library.dnnl.dnnl_memory_desc_clone(ctypes.byref(handle), _Handle(found)), "memory descriptor")
        return cls(library, handle, axes)

    def blocking(self) -> Blocking:
        dnnl, count, numbers = self.library.dnnl, ctypes.c_int32(), ctypes.POINTER(ctypes.c_int64)()

        def read(what: int, n: int) -> tuple[int, ...]:
            dnnl.dnnl_memory_desc_query(self.handle, what, ctypes.byref(numbers))
            return tuple(int(numbers[i]) for i in range(n))

        strides = read(_STRIDES, self.axes)
        dnnl.dnnl_memory_desc_query(self.handle, _INNER_COUNT, ctypes.byref(count))
        axes, sizes = read(_INNER_AXES, count.value), read(_INNER_BLOCKS, count.value)
        return Blocking(strides, tuple(zip(axes, sizes, strict=True)))

    def __del__(self) -> None:
        self.library.dnnl.dnnl_memory_desc_destroy(self.handle)


class Primitive:
    """A primitive of oneDNN, for one thread.

    Attributes
        implementation : oneDNN's name of the kernel it chose ; scratch : bytes of working memory
        descriptors : {number of the argument: its descriptor}
    """

    def __init__(self, library: Library, name: str, describe: Callable[[Any, Any], int], arguments: dict[int, int]) -> None:
        """describe(place for the description, attributes) ; arguments : {number of the argument: its axes}"""
        self.library, self.name, dnnl = library, name, library.dnnl
        attributes, self.description, self.handle = _Handle(), _Handle(), _Handle()
        _check(dnnl.dnnl_primitive_attr_create(ctypes.byref(attributes)), "attributes")
        before = library.gomp.omp_get_max_threads()
        library.gomp.omp_set_num_threads(1)
        try:
            dnnl.dnnl_primitive_attr_set_scratchpad_mode(attributes, _USER_SCRATCHPAD)
            _check(describe(ctypes.byref(self.description), attributes), name)
            text = ctypes.c_char_p()
            dnnl.dnnl_primitive_desc_query(self.description, _IMPLEMENTATION, 0, ctypes.byref(text))
            self.implementation = (text.value or b"").decode()
            _check(dnnl.dnnl_primitive_create(ctypes.byref(self.handle), self.description), name)
            self.descriptors = {
                number: Descriptor.copy(library, self._query(_QUERY[number]), axes) for number, axes in arguments.items()
            }
            scratch = Descriptor.copy(library, self._query(_SCRATCHPAD_DESCRIPTOR), 1)
            self.scratch = scratch.bytes
            if self.scratch:
                self.descriptors[SCRATCHPAD] = scratch
        finally:
            library.gomp.omp_set_num_threads(before)
            dnnl.dnnl_primitive_attr_destroy(attributes)

    def _query(self, what: int) -> int | None:
        found: int | None = self.library.dnnl.dnnl_primitive_desc_query_md(self.description, what, 0)
        return found

    def __del__(self) -> None:
        for name, destroy in (("handle", "dnnl_primitive_destroy"), ("description", "dnnl_primitive_desc_destroy")):
            if getattr(self, name, None):
                getattr(self.library.dnnl, destroy)(getattr(self, name))


class Bound:
    """A primitive bound to addresses: the argument array that ``dnnl_primitive_execute`` takes, and what keeps it alive.

    Attributes  memories : {number of the argument: handle of its memory, whose address can be set anew}
    """

    def __init__(self, primitive: Primitive, addresses: dict[int, int]) -> None:
        self.primitive, library = primitive, primitive.library
        self.memories: dict[int, Any] = {}
        for number, at in addresses.items():
            memory, descriptor = _Handle(), primitive.descriptors[number]
            status = library.dnnl.dnnl_memory_create(ctypes.byref(memory), descriptor.handle, engine(library), _Handle(at))
            _check(status, "memory")
            self.memories[number] = memory
        self.count = len(self.memories)
        self.arguments = (_Argument * self.count)(*(_Argument(n, m) for n, m in self.memories.items()))

    def __del__(self) -> None:
        for memory in getattr(self, "memories", {}).values():
            self.primitive.library.dnnl.dnnl_memory_destroy(memory)


_engine: Any = None
_making = threading.RLock()
_primitives: dict[Hashable, Primitive] = {}


def engine(library: Library) -> Any:
    """oneDNN's engine object of this process's CPU.

    Raises  EngineError where the library is not oneDNN, as it does for primitives that oneDNN does not have
    """
    global _engine
    if library.dnnl is None:
        raise EngineError("oneDNN is needed for this and is not here.")
    with _making:
        if _engine is None:
            dnnl, made = library.dnnl, _Handle()
            dnnl.dnnl_primitive_desc_query_md.restype = _Handle
            dnnl.dnnl_primitive_desc_query_md.argtypes = [_Handle, ctypes.c_int, ctypes.c_int]
            dnnl.dnnl_memory_desc_get_size.restype = ctypes.c_size_t
            dnnl.dnnl_memory_desc_query.argtypes = [_Handle, ctypes.c_int, ctypes.c_void_p]
            _check(dnnl.dnnl_engine_create(ctypes.byref(made), _CPU, ctypes.c_size_t(0)), "engine")
            _engine = made
    return _engine


class Stream:
    """A stream of oneDNN's, in which a thread's primitives run one after the other; destroyed with the object."""

    def __init__(self, library: Library) -> None:
        self.library, self.handle = library, _Handle()
        _check(library.dnnl.dnnl_stream_create(ctypes.byref(self.handle), engine(library), _IN_ORDER), "stream")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.library.dnnl.dnnl_stream_destroy(self.handle)


def _once(library: Library, key: Hashable, make: Callable[[], Primitive]) -> Primitive:
    """The primitive of this key, made once in the process."""
    engine(library)
    with _making:
        found = _primitives.get(key)
        if found is None:
            if len(_primitives) > 2048:
                _primitives.clear()
            found = _primitives[key] = make()
        return found


def product(library: Library, a: Matrix, b: Matrix, c: Matrix) -> Primitive:
    """The matrix product C = A B."""

    def make() -> Primitive:
        descriptors = [Descriptor.of(library, m.tensor) for m in (a, b, c)]

        def describe(place: Any, attributes: Any) -> int:
            x, w, y = (d.handle for d in descriptors)
            return int(library.dnnl.dnnl_matmul_primitive_desc_create(place, engine(library), x, w, None, y, attributes))

        return Primitive(library, f"matmul of {a} and {b}", describe, {SRC: 2, WEIGHTS: 2, DST: 2})

    return _once(library, (a, b, c), make)


@dataclass(frozen=True)
class Convolution:
    """A convolution of images that lie with channels last.

    Parameters
        samples, groups ; inputs, outputs : channels ; spatial, output : sizes of the images
        kernel, stride, dilation, before, after : of each spatial axis, padding before and after
        dtype : of the images and weights that are multiplied; sums and gradients of weights are "float"
    """

    samples: int
    groups: int
    inputs: int
    outputs: int
    spatial: tuple[int, ...]
    output: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dtype: str = "float"

    def image(self, channels: int, spatial: Sequence[int], dtype: str) -> Tensor:
        """(N, C, *spatial), as oneDNN numbers the axes, with channels last in memory."""
        steps = [channels * prod(spatial[i + 1 :]) for i in range(len(spatial))]
        return Tensor((self.samples, channels, *spatial), (channels * prod(spatial), 1, *steps), dtype)

    @property
    def weight_sizes(self) -> tuple[int, ...]:
        """(O, I, *kernel), with groups (G, O / G, I / G, *kernel)."""
        if self.groups == 1:
            return (self.outputs, self.inputs, *self.kernel)
        return (self.groups, self.outputs // self.groups, self.inputs // self.groups, *self.kernel)

    @property
    def plain_strides(self) -> tuple[int, ...]:
        """Of weights that lie as chainrule's parameters do: (*kernel, I / G, O)."""
        inner = self.inputs // self.groups
        steps = [inner * self.outputs * prod(self.kernel[i + 1 :]) for i in range(len(self.kernel))]
        lead = (1, self.outputs) if self.groups == 1 else (self.outputs // self.groups, 1, self.outputs)
        return (*lead, *steps)

    def plain_weights(self, dtype: str) -> Tensor:
        """Weights as parameters lie."""
        return Tensor(self.weight_sizes, self.plain_strides, dtype)


#: Layouts that primitives chose, so that others can be made to read the same.
_layouts: dict[tuple[Tensor, Blocking], Descriptor] = {}


def convolution(library: Library, kind: str, c: Convolution, layout: Blocking | str | None) -> Primitive:
    """A pass of a convolution: arguments SRC, WEIGHTS, DST of "forward"; DIFF_SRC, WEIGHTS, DIFF_DST of "data"; SRC,
    DIFF_WEIGHTS, DIFF_DST of "weights".

    Parameters  layout : of the weights: "plain" as parameters lie, None as oneDNN chooses, or what it chose before
    """

    def keep(w: Tensor, made: Primitive, number: int) -> Primitive:
        if layout is None:
            _layouts.setdefault((w, made.descriptors[number].blocking()), made.descriptors[number])
        return made

    def make() -> Primitive:
        float_x, float_y = kind == "data", kind == "forward"
        x = c.image(c.inputs, c.spatial, "float" if float_x else c.dtype)
        y = c.image(c.outputs, c.output, "float" if float_y else c.dtype)
        w = Tensor(c.weight_sizes, c.plain_strides if layout == "plain" else None, "float" if kind == "weights" else c.dtype)
        made = [Descriptor.of(library, t) for t in (x, w, y)]
        if isinstance(layout, Blocking):
            made[1] = _layouts[w, layout]
        src, weights, dst = (d.handle for d in made)
        dnnl, at = library.dnnl, engine(library)
        dims = [_Dims(*c.stride), _Dims(*(d - 1 for d in c.dilation)), _Dims(*c.before), _Dims(*c.after)]
        axes = {SRC: len(x.sizes), WEIGHTS: len(w.sizes), DST: len(y.sizes)}
        name = f"convolution ({kind}) {c}"
        if kind == "forward":

            def describe(place: Any, attributes: Any) -> int:
                create = dnnl.dnnl_convolution_forward_primitive_desc_create
                return int(create(place, at, _TRAINING, _DIRECT, src, weights, None, dst, *dims, attributes))

            return keep(w, Primitive(library, name, describe, axes), WEIGHTS)
        # The backward passes ask for a forward pass as a hint of its shapes.
        hint = _Handle()
        loose = Descriptor.of(library, Tensor(c.weight_sizes, None, c.dtype))
        hint_x, hint_y = (Descriptor.of(library, Tensor(t.sizes, t.strides, c.dtype if t is x else "float")) for t in (x, y))
        create = dnnl.dnnl_convolution_forward_primitive_desc_create
        status = create(
            ctypes.byref(hint), at, _TRAINING, _DIRECT, hint_x.handle, loose.handle, None, hint_y.handle, *dims, None
        )
        _check(status, name)
        try:
            if kind == "data":

                def describe(place: Any, attributes: Any) -> int:
                    create = dnnl.dnnl_convolution_backward_data_primitive_desc_create
                    return int(create(place, at, _DIRECT, src, weights, dst, *dims, hint, attributes))

                wanted = {DIFF_SRC: axes[SRC], WEIGHTS: axes[WEIGHTS], DIFF_DST: axes[DST]}
                return keep(w, Primitive(library, name, describe, wanted), WEIGHTS)

            def describe_weights(place: Any, attributes: Any) -> int:
                create = dnnl.dnnl_convolution_backward_weights_primitive_desc_create
                return int(create(place, at, _DIRECT, src, weights, None, dst, *dims, hint, attributes))

            wanted = {SRC: axes[SRC], DIFF_WEIGHTS: axes[WEIGHTS], DIFF_DST: axes[DST]}
            return keep(w, Primitive(library, name, describe_weights, wanted), DIFF_WEIGHTS)
        finally:
            dnnl.dnnl_primitive_desc_destroy(hint)

    return _once(library, (kind, c, layout), make)


def int8_convolution(library: Library, c: Convolution) -> Primitive:
    """The forward pass of a convolution of unsigned bytes with signed ones.

    Its arguments are SRC, WEIGHTS, BIAS, WEIGHT_SCALES and DST. DST is of floats: the sums of whole numbers times
    WEIGHT_SCALES (O,), plus BIAS (O,).
    """

    def make() -> Primitive:
        x, y = c.image(c.inputs, c.spatial, "uint8"), c.image(c.outputs, c.output, "float")
        made = [Descriptor.of(library, t) for t in (x, Tensor(c.weight_sizes, None, "int8"), y)]
        numbers = Descriptor.of(library, Tensor((c.outputs,), (1,)))
        src, weights, dst = (d.handle for d in made)
        dims = [_Dims(*c.stride), _Dims(*(d - 1 for d in c.dilation)), _Dims(*c.before), _Dims(*c.after)]

        def describe(place: Any, attributes: Any) -> int:
            # One scale for each output, which is the first axis of the weights, or with groups one of the first two.
            mask = 1 if c.groups == 1 else 3
            _check(library.dnnl.dnnl_primitive_attr_set_scales_mask(attributes, WEIGHTS, mask), "scales")
            create = library.dnnl.dnnl_convolution_forward_primitive_desc_create
            at = engine(library)
            return int(create(place, at, _INFERENCE, _DIRECT, src, weights, numbers.handle, dst, *dims, attributes))

        axes = {SRC: len(x.sizes), WEIGHTS: len(c.weight_sizes), DST: len(y.sizes)}
        found = Primitive(library, f"convolution of int8 {c}", describe, axes)
        found.descriptors |= {BIAS: numbers, WEIGHT_SCALES: numbers}
        return found

    return _once(library, ("int8", c), make)


def reorder(library: Library, source: Tensor | Descriptor, target: Tensor | Descriptor) -> Primitive:
    """A copy of SRC to DST in another layout or precision. Either is described, or laid out as another primitive's."""
    ends = [Descriptor.of(library, t) if isinstance(t, Tensor) else t for t in (source, target)]

    def describe(place: Any, attributes: Any) -> int:
        a, b = (d.handle for d in ends)
        at = engine(library)
        return int(library.dnnl.dnnl_reorder_primitive_desc_create(place, a, at, b, at, attributes))

    return Primitive(library, "reorder", describe, {SRC: ends[0].axes, DST: ends[1].axes})


def laid_out(library: Library, array: NDArray[Any], source: Tensor, target: Descriptor) -> NDArray[Any]:
    """The bytes of an array in the layout of a descriptor. Parameters  source : how the array lies"""
    made = aligned_zeros(target.bytes, np.uint8)
    primitive = reorder(library, source, target)
    scratch = aligned_zeros(max(1, primitive.scratch), np.uint8)
    places = {SRC: array.ctypes.data, DST: made.ctypes.data}
    bound = Bound(primitive, places | ({SCRATCHPAD: scratch.ctypes.data} if primitive.scratch else {}))
    with _making:
        stream = Stream(library)
        status = library.dnnl.dnnl_primitive_execute(primitive.handle, stream.handle, bound.count, bound.arguments)
    _check(status, "layout of weights")
    return made


def _check(status: int, what: str) -> None:
    if status:
        raise EngineError(f"oneDNN refused to make a {what} (status {status}).")
