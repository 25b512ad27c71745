"""Makes the compiled kernels available as addresses, compiling them at most once on a machine.

The first process on a machine imports Numba, compiles the kernels for this processor and keeps the object code in the
user's cache folder. Later processes load it with llvmlite, which takes milliseconds and does not import Numba. The file's
name holds a hash of the sources of its kernels, of llvmlite's version and of the processor; its head holds a hash of the
rest, so a damaged file is compiled again. It is machine code, so it is only loaded when nobody else may write to it.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ...errors import DataError, EngineError
from ...files import write_whole
from .catalogue import GROUPS, compiled, group_of

_MAGIC = b"chainrule-kernels-1\n"
_PREFIX = "chainrule_kernel_"


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


class KernelLibrary:
    """The compiled kernels of this process. What only some networks need is loaded when it is first asked for.

    Attributes  addresses : {kernel name: address} ; origin : "disk" or "compiled" ; path : the cache file ;
                seconds : what loading or compiling took, all of what every network needs
    """

    def __init__(self) -> None:
        try:
            import llvmlite.binding as llvm
        except (ImportError, OSError) as error:  # OSError: its shared library is missing or of another system
            raise EngineError(f"the compiled kernels need llvmlite and numba, which cannot be imported: {error}") from None
        _initialise(llvm)
        self._llvm, self._keep = llvm, list[Any]()
        self.addresses: dict[str, int] = _Addresses(self)
        self.origin, self.path, self.seconds = self.load("common")

    def prepare(self, *groups: str) -> None:
        """Makes sure that the kernels of these groups, or of all, are there: before something is shown or measured."""
        for group in groups or GROUPS:
            self.addresses[next(iter(next(iter(GROUPS[group].values()))))]

    def load(self, group: str) -> tuple[str, Path, float]:
        """Makes the kernels of a group available; returns where they came from, their file, and what it took."""
        start, llvm = time.perf_counter(), self._llvm
        path = cache_folder() / f"kernels-{group.split()[0]}-{_key(llvm, group)}.bin"
        code = _read(path)
        origin = "disk" if code else "compiled"
        if code is None:
            code = _compile(llvm, group)
            _write(path, code)
        found, keep = _load(llvm, code)
        self._keep.append(keep)
        self.addresses.update(found)
        return origin, path, time.perf_counter() - start


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


def cache_folder() -> Path:
    """Where compiled kernels are kept: chainrule under the user's cache folder.

    A user without a home (a container's number without a name) has a folder of their own among the temporary files.
    """
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "chainrule" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "chainrule"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chainrule"
    except RuntimeError:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"chainrule-{user}"


def _initialise(llvm: Any) -> None:
    """Initialises LLVM; newer llvmlites do the first step themselves."""
    for step in ("initialize", "initialize_native_target", "initialize_native_asmprinter"):
        try:
            getattr(llvm, step)()
        except (RuntimeError, AttributeError):
            continue


def _sources(group: str) -> list[Path]:
    """The files that a group's object code depends on: its modules, what these import from beside them, and this one."""
    here = Path(__file__).parent
    found: list[Path] = []
    todo = [Path(__file__).stem, *GROUPS[group]]
    for name in todo:
        path = here / f"{name}.py"
        found.append(path)
        text = path.read_text()
        names = [*re.findall(r"^from \.(\w+) import", text, re.M), *re.findall(r"^from \. import (\w+)", text, re.M)]
        todo += [n for n in names if n not in todo and n != "catalogue"]
    return sorted(found)


def _key(llvm: Any, group: str) -> str:
    import llvmlite

    digest = hashlib.sha256(repr(GROUPS[group]).encode())
    for path in _sources(group):
        digest.update(path.name.encode() + path.read_bytes())
    features = llvm.get_host_cpu_features().flatten()
    digest.update(f"{llvmlite.__version__} {llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features}".encode())
    return digest.hexdigest()[:24]


def _target_machine(llvm: Any) -> Any:
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )


#: What is compiled, and about how many seconds it takes.
_WHAT = {
    "common": ("", 10),
    "images and graphs": (" for images and graphs", 9),
    "sequences": (" for sequences", 12),
    "compressed weights": (" for compressed weights", 12),
}


def _compile(llvm: Any, group: str) -> bytes:
    """Object code of a group's kernels, each under a C name of its own."""
    try:
        import numba
    except ImportError as error:
        raise EngineError(f"the kernels cannot be compiled, because Numba cannot be imported: {error}") from None
    what, seconds = _WHAT[group]
    text = f"chainrule: compiling its kernels{what} for this processor, once (about {seconds} seconds) ..."
    print(text, file=sys.stderr, flush=True)
    try:
        return _object_code(llvm, group)
    except EngineError:
        raise
    except Exception as error:  # what a Numba made for other versions raises cannot be listed
        raise EngineError(
            f"Numba {getattr(numba, '__version__', '?')} cannot compile the kernels ({type(error).__name__}: {error}). "
            f"Install versions of numba and llvmlite that fit: pip install --upgrade numba"
        ) from error


def _object_code(llvm: Any, group: str) -> bytes:
    whole = None
    for name, kernel in compiled(group).items():
        module = llvm.parse_assembly(_standalone(kernel, _PREFIX + name))
        foreign = [f.name for f in module.functions if f.is_declaration and not f.name.startswith(("llvm.", "mem"))]
        if foreign:
            raise EngineError(f"kernel {name!r} refers to functions that are not there: {foreign}")
        for value in (*module.functions, *module.global_variables):
            if not value.is_declaration and not value.name.startswith((_PREFIX, "llvm.")):
                value.linkage = "internal"
        if whole is None:
            whole = module
        else:
            whole.link_in(module)
    assert whole is not None
    whole.verify()
    code: bytes = _target_machine(llvm).emit_object(whole)
    return code


def _standalone(kernel: Any, name: str) -> str:
    """The LLVM code of a compiled kernel without Numba's wrapper, which needs Numba and Python; with one of C's shape.

    Numba's own calling convention passes a place for the result and one for an exception first; the kernels raise none.
    """
    text: str = kernel._library.get_llvm_str()
    text = re.sub(r"^define [^\n]*@\"?(?:cfunc|cpython)\.[^\n]*\{\n.*?^\}\n", "", text, flags=re.M | re.S)
    text = re.sub(r"^declare [^\n]*@(?:Py|_Py|numba_|NRT_)[^\n]*\n", "", text, flags=re.M)
    count = len(kernel._sig.args)
    parameters = ", ".join(f"i64 %a{i}" for i in range(count))
    symbol = kernel.native_name.removeprefix("cfunc.")
    result = f"i{kernel._sig.return_type.bitwidth}"
    return (
        f"{text}\ndefine {result} @{name}({parameters}) {{\n"
        f"  %result = alloca {result}\n  %exception = alloca ptr\n"
        f'  %status = call i32 @"{symbol}"(ptr %result, ptr %exception, {parameters})\n'
        f"  %value = load {result}, ptr %result\n  ret {result} %value\n}}\n"
    )


def _load(llvm: Any, code: bytes) -> tuple[dict[str, int], Any]:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine(llvm))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    names = {n.decode() for n in re.findall(rb"chainrule_kernel_\w+", code)}
    return {n.removeprefix(_PREFIX): engine.get_function_address(n) for n in sorted(names)}, engine


def _read(path: Path) -> bytes | None:
    """The object code in the cache, or None when there is none that can be trusted."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return None
            data = file.read()
    except OSError:
        return None
    head = len(_MAGIC) + 32
    if not data.startswith(_MAGIC) or hashlib.sha256(data[head:]).digest() != data[len(_MAGIC) : head]:
        return None
    return data[head:]


def _write(path: Path, code: bytes) -> None:
    """Keeps the object code; a cache that cannot be written only costs the next process its compilation."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _MAGIC + hashlib.sha256(code).digest() + code, mode=0o600)
    except (OSError, DataError) as error:
        print(f"chainrule: the compiled kernels cannot be kept in {path.parent} ({error}).", file=sys.stderr)
