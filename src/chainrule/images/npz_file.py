"""The arrays of a NumPy file .npz, which may come from anywhere: nothing in it is run, and it says its size before it is
read.
"""

from __future__ import annotations

import stat
import sys
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.memory import memory_limit
from ..errors import ImageError

__all__ = ["read_npz"]

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, limit: int | None = None) -> dict[str, NDArray[Any]]:
    """{name: array} of all arrays in the file.

    Parameters  limit : the most bytes that the arrays may have together, None for a quarter of the machine's memory
    Raises      ImageError when the file is missing, damaged, encrypted, too large, no .npz file, or holds Python objects
    """
    most = memory_limit(limit)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError(f"{path}: expected an .npz file, got a folder, a pipe or a device.")
        _check_sizes(path, most)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
            for name, array in arrays.items():
                _check_text(name, array)
            return arrays
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file.") from None
    except PermissionError as error:
        raise ImageError(f"{path}: permission to read this file is denied.") from error
    except Exception as error:
        # The bytes come from anywhere: what zipfile, zlib and NumPy raise for damaged ones is not one kind of error.
        if "allow_pickle" in str(error) and zipfile.is_zipfile(path):
            raise ImageError(
                f"{path}: an array in it holds Python objects, which are not read. Write pictures of one size as numbers, "
                "and labels as numbers or as text: labels.astype(str)."
            ) from error
        # NumPy takes any other file for a pickle, and says how to read it unsafely.
        why = "" if "pickle" in str(error) else f" ({error})"
        raise ImageError(f"{path}: it is no .npz file that can be read{why}. Write it with numpy.savez.") from error


def _check_text(name: str, array: NDArray[Any]) -> None:
    """ValueError for text with numbers that stand for no character, which NumPy gives out without looking at them."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        numbers = np.ascontiguousarray(array).reshape(-1).view(array.dtype.str[0] + "u4")
        if numbers.max() > sys.maxunicode:
            raise ValueError(f"the text in {name!r} has characters that there are not")


def _check_sizes(path: Path, most: int) -> None:
    """ImageError when the arrays are encrypted or too large, by what the archive and each array's header say. The
    archive's word is kept by ``zipfile``, which reads no more than that; a header that says more would have NumPy take
    memory for it first."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.flag_bits & 1:
                raise ImageError(
                    f"{path}: {entry.filename!r} in it is encrypted. Write it with numpy.savez, without a password."
                )
            size = entry.file_size
            with archive.open(entry) as file:
                if entry.filename.endswith(".npy"):
                    header = _HEADERS.get(np.lib.format.read_magic(file))
                    if header is not None:
                        shape, _, dtype = header(file)
                        size = max(size, prod(shape) * dtype.itemsize)
            total += size
            if total > most:
                raise ImageError(
                    f"{path}: refused, because its arrays have {total:,} bytes or more, and at most {most:,} are read "
                    "on this "
                    "machine. Give fewer pictures, or raise the limit: --max-memory, in Python max_memory=."
                )
