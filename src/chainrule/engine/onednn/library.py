"""Finds and opens oneDNN and the OpenMP library it runs on."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from ...errors import EngineError

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
    """An open oneDNN.

    Parameters  dnnl, gomp : the libraries ; path : of libdnnl ; version : (major, minor, patch) ;
                isa : instruction set in use
    """

    dnnl: ctypes.CDLL
    gomp: ctypes.CDLL
    path: str
    version: tuple[int, int, int]
    isa: str

    def address(self, name: str) -> int:
        """The address of a C function of oneDNN, OpenMP or the C library."""
        library = self.dnnl if name.startswith("dnnl_") else self.gomp
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0

    @property
    def has_bfloat16(self) -> bool:
        """Whether the processor multiplies bfloat16 numbers itself."""
        return "BF16" in self.isa or "FP16" in self.isa or "AMX" in self.isa

    def max_threads(self) -> int:
        """Threads that OpenMP would use now: OMP_NUM_THREADS, threadpoolctl and the processors allowed all count."""
        return int(self.gomp.omp_get_max_threads())


_open: Library | EngineError | None = None
_opening = threading.Lock()


def open_library() -> Library:
    """The newest usable oneDNN: of the environment's wheel or conda package, or of the system.

    Raises  EngineError when there is none, or only versions that chainrule cannot use; it says what was found where
    """
    global _open
    with _opening:
        if _open is None:
            try:
                _open = _find()
            except EngineError as error:
                _open = error
    if isinstance(_open, EngineError):
        raise _open
    return _open


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
    return Library(dnnl, gomp, os.path.realpath(path) if os.path.sep in path else path, version, _ISA.get(code, hex(code)))
