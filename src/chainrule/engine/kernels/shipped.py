"""Kernels that a wheel brings along, compiled for classes of processors when the wheel was built.

``python -m chainrule.engine.kernels.shipped`` compiles them and links a shared library for each class of processors and
group (it needs Numba, and a C compiler to link with). They are used when they were made from these very sources; a clone
whose sources were changed since compiles its own.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .catalogue import GROUPS, fingerprint
from .compiler import PREFIX, initialise, object_code
from .target import SHIPPED, Target, best, flags

__all__ = ["FOLDER", "find", "main"]

FOLDER = Path(__file__).parent / "compiled"
#: Holds what the compiled kernels were made from; it is written last.
MARK = "made-from.txt"


def find(group: str) -> tuple[dict[str, int], ctypes.CDLL, Path] | None:
    """A group's kernels from the wheel: {name: address}, the open library, its file; None where there are none to use."""
    try:
        made_from = (FOLDER / MARK).read_text()
    except OSError:
        return None
    target = best(flags())
    if target is None or made_from != fingerprint():
        return None
    path = FOLDER / _file(target, group)
    try:
        library = ctypes.CDLL(str(path))
        found = {
            name: ctypes.cast(getattr(library, PREFIX + name), ctypes.c_void_p).value or 0
            for names in GROUPS[group].values()
            for name in names
        }
    except (OSError, AttributeError):  # of another system, or not whole
        return None
    return found, library, path


def main() -> None:
    """Compiles and links the kernels of every class of processors into ``FOLDER``."""
    if len(sys.argv) == 3:  # the process that compiles for one class
        _compile(sys.argv[1], Path(sys.argv[2]))
        return
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / MARK).unlink(missing_ok=True)
    for target in SHIPPED:
        print(f"compiling the kernels for {target.name} ...", flush=True)
        with tempfile.TemporaryDirectory() as objects:
            environment = {
                **os.environ,
                "NUMBA_CPU_NAME": target.cpu,
                "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in target.features),
            }
            subprocess.run([sys.executable, "-m", __spec__.name, target.name, objects], env=environment, check=True)
            for number, group in enumerate(GROUPS):
                _link(Path(objects) / f"{number}.o", FOLDER / _file(target, group))
    (FOLDER / MARK).write_text(fingerprint())


def _compile(name: str, folder: Path) -> None:
    import llvmlite.binding as llvm

    assert name in {target.name for target in SHIPPED}
    initialise(llvm)
    for number, group in enumerate(GROUPS):
        (folder / f"{number}.o").write_bytes(object_code(llvm, group, jit=False))


def _link(code: Path, library: Path) -> None:
    subprocess.run([*_linker(), "-shared", "-Wl,--strip-debug", "-o", str(library), str(code)], check=True)


def _linker() -> list[str]:
    """A C compiler, to link with. Zig's links against a C library old enough for every Linux of the last ten years."""
    from importlib.util import find_spec

    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-gnu.2.17"]
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    raise SystemExit("a C compiler is needed to link the kernels: pip install ziglang")


def _file(target: Target, group: str) -> str:
    return f"{target.name}-{group.replace(' ', '-')}.so"


if __name__ == "__main__":
    main()
