"""oneDNN's primitives through its C API: created once, then executed by the compiled loop.

Only matrix products so far. A primitive is made for one thread, with memory of its own for scratch, so that each thread of
a step runs its own part of a product.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ...ops.memory import aligned_zeros
from .library import Library

_CPU, _IN_ORDER, _USER_SCRATCHPAD, _ANY = 1, 1, 1, 1
_SRC, _WEIGHTS, _DST, _SCRATCHPAD = 1, 33, 17, 80
_IMPLEMENTATION, _SCRATCHPAD_DESCRIPTOR = 8, 136
_MAX_DIMS = 12
#: oneDNN's numbers of data types, and bytes of an element.
DTYPES = {"float": (3, 4), "bfloat16": (2, 2)}

_Dims = ctypes.c_int64 * _MAX_DIMS
_Handle = ctypes.c_void_p


class _Argument(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_int), ("memory", _Handle)]


@dataclass(frozen=True)
class Matrix:
    """A matrix in memory: rows × columns, elements between rows and between columns, "float" or "bfloat16"."""

    rows: int
    columns: int
    row_stride: int
    column_stride: int
    dtype: str = "float"


class _Descriptor:
    """A memory descriptor, destroyed with the object."""

    def __init__(self, library: Library, matrix: Matrix) -> None:
        self.library, self.handle = library, _Handle()
        dims, strides = _Dims(matrix.rows, matrix.columns), _Dims(matrix.row_stride, matrix.column_stride)
        _check(
            library.dnnl.dnnl_memory_desc_create_with_strides(
                ctypes.byref(self.handle), 2, dims, DTYPES[matrix.dtype][0], strides
            ),
            "memory descriptor",
        )

    def __del__(self) -> None:
        self.library.dnnl.dnnl_memory_desc_destroy(self.handle)


class Product:
    """A matrix product C = A B of oneDNN, for one thread.

    Attributes  implementation : oneDNN's name of the kernel it chose ; scratch : bytes of working memory
    """

    def __init__(self, library: Library, a: Matrix, b: Matrix, c: Matrix) -> None:
        self.library, dnnl = library, library.dnnl
        self.descriptors = [_Descriptor(library, m) for m in (a, b, c)]
        attributes, description, self.handle = _Handle(), _Handle(), _Handle()
        _check(dnnl.dnnl_primitive_attr_create(ctypes.byref(attributes)), "attributes")
        before = library.gomp.omp_get_max_threads()
        library.gomp.omp_set_num_threads(1)
        try:
            dnnl.dnnl_primitive_attr_set_scratchpad_mode(attributes, _USER_SCRATCHPAD)
            handles = [d.handle for d in self.descriptors]
            _check(
                dnnl.dnnl_matmul_primitive_desc_create(
                    ctypes.byref(description), engine(library), handles[0], handles[1], None, handles[2], attributes
                ),
                f"matmul of {a} and {b}",
            )
            name = ctypes.c_char_p()
            dnnl.dnnl_primitive_desc_query(description, _IMPLEMENTATION, 0, ctypes.byref(name))
            self.implementation = (name.value or b"").decode()
            _check(dnnl.dnnl_primitive_create(ctypes.byref(self.handle), description), "matmul")
            scratch = dnnl.dnnl_primitive_desc_query_md(description, _SCRATCHPAD_DESCRIPTOR, 0)
            self.scratch_descriptor = _Handle()
            _check(dnnl.dnnl_memory_desc_clone(ctypes.byref(self.scratch_descriptor), _Handle(scratch)), "descriptor")
            self.scratch = int(dnnl.dnnl_memory_desc_get_size(self.scratch_descriptor))
        finally:
            library.gomp.omp_set_num_threads(before)
            dnnl.dnnl_primitive_attr_destroy(attributes)
            if description.value:
                dnnl.dnnl_primitive_desc_destroy(description)

    def __del__(self) -> None:
        dnnl = self.library.dnnl
        if getattr(self, "handle", None):
            dnnl.dnnl_primitive_destroy(self.handle)
        if getattr(self, "scratch_descriptor", None):
            dnnl.dnnl_memory_desc_destroy(self.scratch_descriptor)


class BoundProduct:
    """A product bound to addresses: the argument array that ``dnnl_primitive_execute`` takes, and what keeps it alive.

    Attributes  memories : handles of the memories of A, B and C, whose addresses can be set anew
    """

    def __init__(self, product: Product, addresses: tuple[int, int, int]) -> None:
        self.product = product
        self.scratch: NDArray[Any] = aligned_zeros(max(product.scratch, 64), np.uint8)
        descriptors = [*(d.handle for d in product.descriptors), product.scratch_descriptor]
        self.memories = [
            self._memory(d, at) for d, at in zip(descriptors, (*addresses, int(self.scratch.ctypes.data)), strict=True)
        ]
        pairs = list(zip((_SRC, _WEIGHTS, _DST, _SCRATCHPAD), self.memories, strict=True))
        self.count = len(pairs)
        self.arguments = (_Argument * self.count)(*(_Argument(n, m) for n, m in pairs))

    def _memory(self, descriptor: Any, address: int) -> Any:
        memory, library = _Handle(), self.product.library
        status = library.dnnl.dnnl_memory_create(ctypes.byref(memory), descriptor, engine(library), _Handle(address))
        _check(status, "memory")
        return memory

    def __del__(self) -> None:
        for memory in getattr(self, "memories", []):
            self.product.library.dnnl.dnnl_memory_destroy(memory)


_engine: Any = None
_making = threading.Lock()
_products: dict[tuple[Matrix, Matrix, Matrix], Product] = {}


def engine(library: Library) -> Any:
    """oneDNN's engine object of this process's CPU."""
    global _engine
    with _making:
        if _engine is None:
            dnnl, made = library.dnnl, _Handle()
            dnnl.dnnl_primitive_desc_query_md.restype = _Handle
            dnnl.dnnl_primitive_desc_query_md.argtypes = [_Handle, ctypes.c_int, ctypes.c_int]
            dnnl.dnnl_memory_desc_get_size.restype = ctypes.c_size_t
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


def product(library: Library, a: Matrix, b: Matrix, c: Matrix) -> Product:
    """The product of these matrices, made once in the process."""
    key = (a, b, c)
    if key not in _products:
        engine(library)
        if len(_products) > 512:
            _products.clear()
        _products[key] = Product(library, *key)
    return _products[key]


def _check(status: int, what: str) -> None:
    if status:
        raise EngineError(f"oneDNN refused to make a {what} (status {status}).")
