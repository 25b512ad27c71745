"""Finds and opens oneDNN and the OpenMP library it runs on, or OpenBLAS where there is no oneDNN."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import platform
import re
import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import EngineError
from ..kernels.target import best, flags

#: The number of the system call by which threads wait for each other, by the processor.
FUTEX = {"x86_64": 202, "AMD64": 202, "aarch64": 98, "arm64": 98}
#: The C API that chainrule speaks.
MAJOR = 3
_OPENMP_RUNTIME = 2
_ISA = {
    0x0: "default", 0x1: "SSE4.1", 0x3: "AVX", 0x7: "AVX2", 0xF: "AVX2-VNNI", 0x1F: "AVX2-VNNI-2", 0x27: "AVX-512",
    0x67: "AVX-512-VNNI", 0xE7: "AVX-512-BF16", 0x1EF: "AVX-512-FP16", 0xFEF: "AMX", 0x1FEF: "AMX-FP16",
}  # fmt: skip


class _Version(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
        ("patch", ctypes.c_int),
        ("hash", ctypes.c_char_p),
        ("cpu_runtime", ctypes.c_uint),
        ("gpu_runtime", ctypes.c_uint),
    ]


@dataclass(frozen=True)
class Library:
    """What the fast engine calls beside its own kernels: oneDNN with OpenMP, or else OpenBLAS for matrix products alone.

    Parameters  c : the C library with threads ; path, version : of oneDNN or OpenBLAS ; isa : instruction set in use ;
                dnnl, gomp : oneDNN and its OpenMP, or None ; blas : OpenBLAS, or None ; instead : why it is not oneDNN
    """

    c: ctypes.CDLL
    path: str
    version: tuple[int, ...]
    isa: str
    dnnl: Any = None
    gomp: Any = None
    blas: Any = None
    instead: str = ""

    @property
    def name(self) -> str:
        """The library's name and version."""
        return f"{'oneDNN' if self.dnnl else 'OpenBLAS'} {'.'.join(map(str, self.version))}"

    def address(self, name: str) -> int:
        """The address of a C function of oneDNN, OpenMP or the C library; "sgemm" is the product of float32 matrices.

        A product of the C interface of BLAS is told by a negative address: see ``call_sgemm`` of the kernels. OpenBLAS has
        one thread from the start, so where there is no OpenMP a function of the C library that does nothing takes its place.
        """
        if name == "sgemm" and self.blas is not None:
            return -_pointer(self.blas, "scipy_cblas_sgemm")
        if name == "sgemm" or name.startswith("dnnl_"):
            return _pointer(self.dnnl, "dnnl_sgemm" if name == "sgemm" else name)
        if name.startswith("omp_"):
            return _pointer(self.c, "abs") if self.gomp is None else _pointer(self.gomp, name)
        return _pointer(self.c, name)

    @property
    def has_bfloat16(self) -> bool:
        """Whether the processor multiplies bfloat16 numbers itself, and the library lets it."""
        return self.dnnl is not None and any(kind in self.isa for kind in ("BF16", "FP16", "AMX"))

    def max_threads(self) -> int:
        """Threads to use now: OMP_NUM_THREADS and the processors allowed count, with OpenMP threadpoolctl, too.

        One on systems where the pool's workers cannot sleep.
        """
        if not threads_can_wait():
            return 1
        if self.gomp is not None:
            return int(self.gomp.omp_get_max_threads())
        asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
        if asked.isdigit() and int(asked) > 0:
            return int(asked)
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_can_wait() -> bool:
    """Whether idle threads can sleep until there is work: by Linux's futex, whose number is known for these processors."""
    return sys.platform.startswith("linux") and platform.machine() in FUTEX


def _pointer(library: Any, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


_open: Library | EngineError | None = None
_opening = threading.Lock()


def open_library() -> Library:
    """The newest usable oneDNN: of the environment's wheel or conda package, or of the system. Without one, OpenBLAS.

    The variable CHAINRULE_LIBRARY asks for one of them: "onednn" or "openblas".

    Raises  EngineError when there is none, or only versions that chainrule cannot use; it says what was found where
    """
    global _open
    with _opening:
        if _open is None:
            try:
                _open = _choose()
            except EngineError as error:
                _open = error
    if isinstance(_open, EngineError):
        raise _open
    return _open


def _choose() -> Library:
    asked = os.environ.get("CHAINRULE_LIBRARY", "").lower()
    if asked not in ("", "onednn", "openblas"):
        raise EngineError(f"CHAINRULE_LIBRARY must be onednn or openblas. Got {asked!r}.")
    if asked == "openblas":
        return _find_openblas("CHAINRULE_LIBRARY asks for OpenBLAS")
    try:
        return _find()
    except EngineError as error:
        if asked:
            raise
        try:
            return _find_openblas(str(error))
        except EngineError as other:
            raise EngineError(f"{error} In its place, {other}") from None


def _find_openblas(why: str) -> Library:
    """OpenBLAS as the package scipy-openblas32 brings it: for the systems and processors that have no oneDNN."""
    spec = find_spec("scipy_openblas32")
    folders = [Path(p) / "lib" for p in (spec.submodule_search_locations or [] if spec else [])]
    found = sorted(
        path for folder in folders for path in folder.glob("libscipy_openblas*") if path.suffix in (".so", ".dylib")
    )
    if not found:
        raise EngineError("OpenBLAS would do for matrix products: pip install scipy-openblas32")
    try:
        blas, c = ctypes.CDLL(str(found[0])), ctypes.CDLL(None)
        for name in ("scipy_openblas_get_config", "scipy_openblas_get_corename"):
            getattr(blas, name).restype = ctypes.c_char_p
        config, core = blas.scipy_openblas_get_config().decode(), blas.scipy_openblas_get_corename().decode()
        # Products are divided by the plan, not again by OpenBLAS.
        blas.scipy_openblas_set_num_threads(1)
        _ = c.pthread_create, blas.scipy_cblas_sgemm
    except (OSError, AttributeError, TypeError) as error:
        raise EngineError(f"OpenBLAS cannot be used: {found[0]}: {error}") from None
    version = tuple(int(n) for n in re.findall(r"OpenBLAS (\d+)\.(\d+)\.(\d+)", config)[0])
    own = best(flags())
    return Library(c, str(found[0]), version, f"{own.shown if own else platform.machine()} ({core})", blas=blas, instead=why)


def _candidates() -> list[str]:
    if sys.platform == "darwin":
        name = "libdnnl.3.dylib"
    elif sys.platform == "win32":
        name = "dnnl.dll"
    else:
        name = "libdnnl.so.3"
    folders = [Path(p) / d for p in dict.fromkeys([sys.prefix, sys.base_prefix]) for d in ("lib", "lib64", "Library/bin")]
    found = [str(f / name) for f in folders if (f / name).exists()]
    if not found:
        # A wheel installed elsewhere (pip --user, --target) still says where its files are.
        from importlib.metadata import PackageNotFoundError, files

        try:
            found = [str(f.locate()) for f in files("onednn-cpu-gomp") or [] if f.name == name]
        except PackageNotFoundError:
            found = []
    return [*found, name]


def _version_of(dnnl: ctypes.CDLL) -> _Version:
    dnnl.dnnl_version.restype = ctypes.POINTER(_Version)
    version: _Version = dnnl.dnnl_version().contents
    return version


def _find() -> Library:
    refused: list[str] = []
    best: tuple[tuple[int, int, int], ctypes.CDLL, str] | None = None
    for path in _candidates():
        try:
            dnnl = ctypes.CDLL(path)
            found = _version_of(dnnl)
        except (OSError, AttributeError) as error:
            refused.append(f"{path}: {error}")
            continue
        version = (found.major, found.minor, found.patch)
        if version[0] != MAJOR:
            refused.append(f"{path}: version {'.'.join(map(str, version))}, chainrule needs {MAJOR}.x")
        elif found.cpu_runtime != _OPENMP_RUNTIME:
            refused.append(f"{path}: built for another thread library than OpenMP")
        elif best is None or version > best[0]:
            best = (version, dnnl, path)
    if best is None:
        raise EngineError(
            f"no usable oneDNN (libdnnl {MAJOR}.x with OpenMP) was found: {'; '.join(refused)}. "
            f"Install it with: pip install onednn-cpu-gomp"
        )
    try:
        gomp = ctypes.CDLL("libgomp.so.1")
    except OSError as error:
        raise EngineError(
            f"libgomp, the OpenMP library of GCC that oneDNN runs on, is missing ({error}). "
            f"Install it with: apt-get install libgomp1 (or the package libgomp of your system)"
        ) from None
    version, dnnl, path = best
    dnnl.dnnl_get_effective_cpu_isa.restype = ctypes.c_int
    code = dnnl.dnnl_get_effective_cpu_isa()
    place = os.path.realpath(path) if os.path.sep in path else path
    return Library(gomp, place, version, _ISA.get(code, hex(code)), dnnl=dnnl, gomp=gomp)
