"""The user's folder of compiled kernels: one file for each group, source and processor; nobody else may write to it."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir

from ...errors import EngineError
from ...files import locked, write_whole

__all__ = ["alone", "cache_folder", "find", "keep"]

_MAGIC = b"chainrule-kernels-2\n"
#: Seconds after which a process no longer waits for another that compiles the same kernels: that one may have been stopped.
_PATIENCE = 300.0


def cache_folder() -> Path:
    """Where compiled kernels are kept: CHAINRULE_CACHE where it is set, or else chainrule under the user's cache folder.

    Machines with different processors may share the folder. A user without a home (a container's number without a name)
    has a folder of their own among the temporary files.
    """
    if chosen := os.environ.get("CHAINRULE_CACHE"):
        return Path(chosen)
    try:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "chainrule" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "chainrule"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chainrule"
    except RuntimeError:
        return _among_temporary_files()


def find(name: str) -> tuple[bytes, Path] | None:
    """The object code kept under a name, and its file; None when there is none that can be trusted."""
    for folder in _folders():
        if (code := _read(folder / name)) is not None:
            return code, folder / name
    return None


def keep(name: str, code: bytes) -> Path:
    """Keeps object code under a name, in the first folder that can be written to; returns the file.

    Where none can, the next process compiles again, and a line on standard error says so and what helps.
    """
    reasons = []
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(
                folder / name, _MAGIC + _digest(name, code) + code, what="keep the kernels", error=EngineError, mode=0o600
            )
            return folder / name
        except (OSError, EngineError) as error:
            reasons.append(f"{folder}: {error}")
    print(
        f"chainrule: the compiled kernels cannot be kept, so every process compiles them again ({'; '.join(reasons)}). "
        f"Set the variable CHAINRULE_CACHE to a folder that can be written to.",
        file=sys.stderr,
    )
    return cache_folder() / name


@contextmanager
def alone(name: str) -> Iterator[None]:
    """In its block no other process compiles the kernels of this name: ranks and workers that begin together wait for one.

    The system takes the lock away with the process. Where there are no locks, and from a process that holds one for more
    than five minutes, nobody waits; then two processes do the same work, which harms neither.
    """
    path = cache_folder() / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        begun, told = time.monotonic(), False
        while locked(handle) is False and time.monotonic() - begun < _PATIENCE:
            if not told and sys.stderr is not None:
                print(
                    "chainrule: waiting for another process that compiles the same kernels ...", file=sys.stderr, flush=True
                )
                told = True
            time.sleep(0.1)
        yield
    finally:
        with suppress(OSError):  # who waits for it has it open, and looks for the kernels once more
            os.unlink(path)
        os.close(handle)


def _folders() -> Iterator[Path]:
    """Where kernels are looked for and kept: a home that is read-only is replaced by a folder among the temporary files."""
    first, second = cache_folder(), _among_temporary_files()
    yield first
    if first != second:
        yield second


def _among_temporary_files() -> Path:
    return Path(gettempdir()) / f"chainrule-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _digest(name: str, code: bytes) -> bytes:
    """Of the content and its name, so that a file which was moved to another's place is not loaded."""
    return hashlib.sha256(name.encode() + b"\0" + code).digest()


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
                return None
            data = file.read()
    except OSError:
        return None
    head = len(_MAGIC) + 32
    if not data.startswith(_MAGIC) or _digest(path.name, data[head:]) != data[len(_MAGIC) : head]:
        return None
    return data[head:]
