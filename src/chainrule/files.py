"""The one way in which files are written: whole or not at all; and a checksum for what is read again.

A new file is written beside its place under a name that nobody can guess, and moved there when it is complete. So a reader
sees the old file or the new one, two writers of one path do not disturb each other, and a full disk, Ctrl-C or a power cut
leaves the old file. What killed writers have left behind is swept up by the next one: a writer holds a lock on its
unfinished file, which the system takes away with the process.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from .errors import ChainruleError, DataError, ParameterError

__all__ = ["checksum", "locked", "replacing", "write_whole"]

Path = str | os.PathLike[str]
#: Seconds after which an unfinished file that nobody touched any more is swept up where locks do not tell (Windows, some
#: file servers).
_STRAY_SECONDS = 3600.0
_UNFINISHED = ".part"
#: Letters of a file's name in that of the unfinished one, which must not be too long for the system in any script.
_NAME = 50


def write_whole(
    path: Path,
    content: bytes | str,
    *,
    what: str = "save",
    error: type[ChainruleError] = DataError,
    mode: int | None = None,
) -> None:
    """Writes a file of this content, whole or not at all. Text is written as UTF-8.

    Parameters  path : of the file, which is replaced where there is one ; what, error, mode : as of ``replacing``
    Raises      the error when the file cannot be written; a file that was there before is then unchanged

    Example
        >>> import pathlib, tempfile
        >>> place = os.path.join(tempfile.mkdtemp(), "notes.txt")
        >>> write_whole(place, "first"); write_whole(place, "second")
        >>> pathlib.Path(place).read_text(), os.listdir(os.path.dirname(place))
        ('second', ['notes.txt'])
    """
    with replacing(path, what=what, error=error, mode=mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(
    path: Path, *, what: str = "save", error: type[ChainruleError] = DataError, mode: int | None = None
) -> Iterator[BinaryIO]:
    """A file to write to; it takes the place of ``path`` when the block ends without an error.

    A link stays a link: the file that it points to is replaced. The permissions of a file that is replaced are kept.

    Parameters  what : is done, for the message ; error : the class of the error ; mode : the permissions of the file,
                whatever those of an old one were; None keeps those
    Raises      the error when the file cannot be written; ParameterError when the path is none
    """
    try:
        target = os.path.realpath(os.fsdecode(path))
    except (TypeError, ValueError):
        raise ParameterError(f"{what}: the path must be text or a Path. Got {path!r:.200}.") from None
    folder, name = os.path.split(target)
    try:
        if os.path.isdir(target):
            raise IsADirectoryError("it is a folder")
        file, unfinished = _opened(folder, name)
        with file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                with suppress(FileNotFoundError):
                    os.chmod(unfinished, stat.S_IMODE(os.stat(target).st_mode) if mode is None else mode)
                if fcntl is None:  # an open file cannot be moved there
                    file.close()
                os.replace(unfinished, target)
            except BaseException:  # also Ctrl-C: nothing half-written may stay
                file.close()
                with suppress(OSError):
                    os.unlink(unfinished)
                raise
    except OSError as reason:
        raise error(
            f"{what}: {os.fspath(path)!r} cannot be written: {reason.strerror or reason}. A file that was there before is "
            "unchanged. Give another place, or make room."
        ) from reason
    _sync_folder(folder)
    _sweep(folder, name)


def _sync_folder(folder: str) -> None:
    """Makes sure that the new name survives a power cut as well."""
    if os.name == "posix":
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _opened(folder: str, name: str) -> tuple[BinaryIO, str]:
    """A new file, locked, and its path, which nobody can guess."""
    while True:
        path = os.path.join(folder, f".{name[:_NAME]}.{secrets.token_hex(8)}{_UNFINISHED}")
        # Exclusive, so that nothing that lies there under this name, such as a planted link, is opened.
        file = open(path, "xb")  # noqa: SIM115 - handed on
        locked(file.fileno(), wait=True)
        # Another writer may have taken it for a stray before it was locked.
        if os.fstat(file.fileno()).st_nlink:
            return file, path
        file.close()


def locked(handle: int, *, wait: bool = False) -> bool | None:
    """Whether this process could lock the open file; None where there are no locks. The lock ends with the process.

    Parameters  wait : until another process has given up its lock
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sweep(folder: str, name: str) -> None:
    """Deletes what killed writers of this file have left unfinished beside it."""
    pattern = re.compile(rf"\.{re.escape(name[:_NAME])}\.[0-9a-f]{{16}}{re.escape(_UNFINISHED)}")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name):
                with suppress(OSError):
                    _sweep_file(entry.path)


def _sweep_file(path: str) -> None:
    """Deletes an unfinished file whose writer is gone."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        abandoned = locked(handle)
        if abandoned is None:
            abandoned = os.fstat(handle).st_mtime < time.time() - _STRAY_SECONDS
        if abandoned:
            os.unlink(path)
    finally:
        os.close(handle)


def checksum(arrays: Mapping[str, NDArray[Any]], text: str = "") -> str:
    """A checksum of named arrays and a text, which damage to any of them changes: BLAKE2b, about a gigabyte a second.

    Example
        >>> checksum({"a": np.zeros(3)}) == checksum({"a": np.zeros(3)}), checksum({"a": np.zeros(3)}) == checksum({})
        (True, False)
    """
    found = hashlib.blake2b(text.encode(), digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()
