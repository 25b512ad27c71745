"""Makes the compiled kernels available as addresses, compiling them at most once on a machine.

A wheel may bring them along for common processors (`shipped.py`). Otherwise the first process on a machine imports Numba,
compiles the kernels for this processor and keeps the object code in the user's cache folder (`cache.py`). Later processes
load it with llvmlite, which takes milliseconds and does not import Numba. The file's name holds a hash of the sources of its
kernels, of llvmlite's version and of the processor; its head holds a hash of the rest, so a damaged file is compiled again.
It is machine code, so it is only loaded when nobody else may write to it.
"""

from __future__ import annotations

import ctypes
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import EngineError
from . import cache, shipped
from .catalogue import GROUPS, group_of
from .compiler import PREFIX, compile_group, initialise, key
from .target import best, features, flags, machine


class _Addresses(dict[str, int]):
    """{kernel name: address}; a kernel that is not there yet brings its group."""

    def __init__(self, library: KernelLibrary) -> None:
        super().__init__()
        self.library = library

    def __missing__(self, name: str) -> int:
        with _loading:
            if name not in self:
                self.library.load(group_of(name))
        return self[name]


def sign_kernel(has: Mapping[str, bool]) -> str:
    """How kernels that are compiled for a processor with these features multiply signs, in words.

    >>> sign_kernel({"avx2": True})
    'AVX2, carry-save adders and byte shuffles'
    """
    if has.get("avx512f"):
        return "AVX-512 VPOPCNTDQ" if has.get("avx512vpopcntdq") else "AVX-512, carry-save adders"
    return "AVX2, carry-save adders and byte shuffles" if has.get("avx2") else "portable, without AVX2"


class KernelLibrary:
    """The compiled kernels of this process. What only some networks need is loaded when it is first asked for.

    Attributes  addresses : {kernel name: address} ; origin : "the wheel", "disk" or "compiled" ; path : the file ;
                seconds : what loading or compiling took, all of what every network needs
    """

    def __init__(self) -> None:
        self._keep: list[Any] = []
        self.addresses: dict[str, int] = _Addresses(self)
        self.origin, self.path, self.seconds = self.load("common")

    def sign_kernel(self) -> str:
        """Which of the kernels for products of signs this process uses, in words."""
        wheel = best(flags()) if self.origin == "the wheel" else None
        return sign_kernel(features() if wheel is None else dict.fromkeys(wheel.features, True))

    def prepare(self, *groups: str) -> None:
        """Makes sure that the kernels of these groups, or of all, are there: before something is shown or measured."""
        for group in groups or GROUPS:
            self.addresses[next(iter(next(iter(GROUPS[group].values()))))]

    def load(self, group: str) -> tuple[str, Path, float]:
        """Makes the kernels of a group available; returns where they came from, their file, and what it took."""
        start = time.perf_counter()
        if (of_wheel := shipped.find(group)) is not None:
            found, kept, path = of_wheel
            origin = "the wheel"
        else:
            origin, path, found, kept = of_this_machine(group)
        self._keep.append(kept)
        self.addresses.update(found)
        return origin, path, time.perf_counter() - start


def of_this_machine(group: str) -> tuple[str, Path, dict[str, int], Any]:
    """A group's kernels from the user's cache folder, compiled where it has none: origin, file, addresses, their memory."""
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:  # OSError: its shared library is missing or of another system
        raise EngineError(
            f"the compiled kernels need llvmlite and numba, which cannot be imported: {error}. "
            f"Install them with: pip install numba"
        ) from None
    initialise(llvm)
    name = f"kernels-{group.split()[0]}-{key(llvm, group)}.bin"
    if (kept := cache.find(name)) is None:
        with cache.alone(name):
            if (kept := cache.find(name)) is None:
                code = compile_group(llvm, group)
                return "compiled", cache.keep(name, code), *_load(llvm, code)
    return "disk", kept[1], *_load(llvm, kept[0])


_library: KernelLibrary | EngineError | None = None
#: Two threads that begin their first fits together must not both load: the code of the loser would vanish under its user.
_loading = threading.RLock()


def kernels() -> KernelLibrary:
    """The process's kernels, loaded when first asked for.

    Raises      EngineError when they cannot be had here; it is found out once, not at every fit
    """
    global _library
    with _loading:
        if _library is None:
            try:
                _library = KernelLibrary()
            except EngineError as error:
                _library = error
    if isinstance(_library, EngineError):
        raise EngineError(str(_library)) from None
    return _library


_calls: dict[str, Callable[[int], int] | None] = {}


def call_of(name: str) -> Callable[[int], int] | None:
    """What calls a kernel outside of a plan, with the address of its words, while other threads run; None where none is."""
    if name not in _calls:
        try:
            function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * 4)(kernels().addresses[name])
        except (EngineError, KeyError):
            _calls[name] = None
        else:
            _calls[name] = lambda words: function(words, 0, 0, 0)
    return _calls[name]


def _load(llvm: Any, code: bytes) -> tuple[dict[str, int], Any]:
    """The addresses of the kernels in object code, and what holds the code in memory."""
    own = machine(llvm, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), own)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    names = {n.decode() for n in re.findall(PREFIX.encode() + rb"\w+", code)}
    return {n.removeprefix(PREFIX): engine.get_function_address(n) for n in sorted(names)}, engine
