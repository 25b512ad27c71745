"""From the kernels' sources to object code: Numba makes LLVM code, from which its wrappers are taken off.

What is left needs neither Numba nor Python, so it can be kept in a file, or linked into a shared library for a wheel.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from pathlib import Path
from typing import Any

from ...errors import EngineError
from .catalogue import GROUPS, compiled
from .target import machine, processor

__all__ = ["PREFIX", "compile_group", "initialise", "key", "object_code"]

#: Before the name of each kernel in the object code.
PREFIX = "chainrule_kernel_"


def initialise(llvm: Any) -> None:
    """Initialises LLVM; newer llvmlites do the first step themselves."""
    for step in ("initialize", "initialize_native_target", "initialize_native_asmprinter"):
        try:
            getattr(llvm, step)()
        except (RuntimeError, AttributeError):
            continue


def key(llvm: Any, group: str) -> str:
    """A hash of all that a group's object code depends on: sources, compiler and processor."""
    import llvmlite

    digest = hashlib.sha256(repr(GROUPS[group]).encode())
    for path in _sources(group):
        digest.update(path.name.encode() + path.read_bytes())
    features = llvm.get_host_cpu_features().flatten()
    digest.update(f"{llvmlite.__version__} {llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features}".encode())
    return digest.hexdigest()[:24]


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


def compile_group(llvm: Any, group: str) -> bytes:
    """Object code of a group's kernels for this processor, with a line on standard error that tells how far it is.

    Raises  EngineError when Numba is missing or cannot compile the kernels
    """
    try:
        import numba
    except ImportError as error:
        raise EngineError(
            f"the kernels cannot be compiled, because Numba cannot be imported: {error}. Install it with: pip install numba"
        ) from None
    progress = _Progress(group)
    try:
        code = object_code(llvm, group, progress)
    except EngineError:
        raise
    except Exception as error:  # what a Numba made for other versions raises cannot be listed
        raise EngineError(
            f"Numba {getattr(numba, '__version__', '?')} cannot compile the kernels ({type(error).__name__}: {error}). "
            f"Install versions of numba and llvmlite that fit: pip install --upgrade numba"
        ) from error
    finally:
        progress.end()
    return code


def object_code(llvm: Any, group: str, progress: Any = None, *, jit: bool = True) -> bytes:
    """Object code of a group's kernels, each under a C name of its own, for the processor that Numba compiles for.

    Parameters  progress : called with the share that is done ; jit : False makes code for a shared library
    """
    whole = None
    for name, kernel in compiled(group, progress).items():
        module = llvm.parse_assembly(_standalone(kernel, PREFIX + name))
        foreign = [f.name for f in module.functions if f.is_declaration and not f.name.startswith(("llvm.", "mem"))]
        if foreign:
            raise EngineError(f"kernel {name!r} refers to functions that are not there: {foreign}")
        for value in (*module.functions, *module.global_variables):
            if not value.is_declaration and not value.name.startswith((PREFIX, "llvm.")):
                value.linkage = "internal"
        if whole is None:
            whole = module
        else:
            whole.link_in(module)
    assert whole is not None
    whole.verify()
    cpu, features = processor(llvm)
    code: bytes = machine(llvm, cpu, features, jit=jit).emit_object(whole)
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


class _Progress:
    """One line on standard error: what is compiled, and on a terminal how far it is and how long the rest may take."""

    def __init__(self, group: str) -> None:
        self.begun = time.perf_counter()
        self.live = sys.stderr is not None and sys.stderr.isatty()
        what = "" if group == "common" else f" for {group}"
        self.text = f"chainrule: compiling its kernels{what} for this processor, once"
        self.show(f"{self.text} ...")

    def __call__(self, share: float) -> None:
        if self.live and share > 0:
            taken = time.perf_counter() - self.begun
            self.show(f"{self.text}: {share:.0%}, about {taken / share - taken:.0f} s more ")

    def show(self, text: str) -> None:
        if self.live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.live:
            self.show(f"{self.text}: {time.perf_counter() - self.begun:.0f} s\n")
