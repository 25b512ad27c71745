"""Reading the weights of PyTorch: ``.safetensors``, and state dicts in ``.pt`` and ``.pth`` files, without running their
code.

A ``.pt`` file is a pickle, and a pickle may call any function while it is read. Here it is read by an unpickler of our own
that knows tensors, numbers, texts and containers, and refuses everything else by name.
"""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

__all__ = ["load_torch"]

Array = NDArray[Any]
#: The kinds of storage by the names that PyTorch gives them; bfloat16 is widened to float32.
_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?", "BFloat16Storage": "bfloat16",
}  # fmt: skip
#: What reading a damaged archive or pickle may raise.
_DAMAGE = (
    pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError, OSError, zipfile.BadZipFile,
    RuntimeError, ArithmeticError, MemoryError,
)  # fmt: skip
#: What a file of the older kind begins with.
_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_RATIO = 200


def load_torch(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The tensors of a PyTorch file by name, as NumPy arrays; ``Network.load_weights`` puts them into a network.

    Parameters  path : a ``.safetensors`` file, or a state dict that torch.save wrote, of any version ; a dict around it,
                    such as {"state_dict": ...}, is looked through
    Raises      ModelFileError when the file is damaged or foreign, or holds more than tensors: a whole module (save its
                state_dict()), TorchScript (export it to ONNX), or calls of functions, none of which is run
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ModelFileError(f"{place}: the file cannot be read: {error.strerror or error}.") from error
    if place.suffix == ".safetensors" or head[8:9] == b"{":
        return _safetensors(place)
    try:
        found = _zipped(place) if head[:2] == b"PK" else _legacy(place)
    except ModelFileError:
        raise
    except _DAMAGE as error:
        raise ModelFileError(
            f"{place}: this is no file of PyTorch's weights, or it is damaged or cut off ({error})."
        ) from error
    return _tensors(place, found)


def _safetensors(place: Path) -> dict[str, Array]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(place, framework="numpy") as file:
            return {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{place}: this is no .safetensors file, or it is damaged or cut off ({error}).") from error


class _Storage:
    """The numbers of one or more tensors: read when the whole pickle was."""

    def __init__(self, kind: str, key: str, size: int) -> None:
        self.kind, self.key, self.size = kind, key, size
        self.values: Array = np.zeros(0, np.float32)


class _Tensor:
    """A view of a storage."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *others: Any) -> None:
        if not isinstance(storage, _Storage):
            raise ModelFileError("a tensor without numbers")
        self.storage, self.offset = storage, int(offset)
        self.size, self.stride = tuple(int(s) for s in size), tuple(int(s) for s in stride)

    def array(self) -> Array:
        values = self.storage.values
        if not all(s >= 0 for s in (*self.size, *self.stride, self.offset)) or len(self.size) != len(self.stride):
            raise ModelFileError("a tensor of impossible sizes")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        if 0 in self.size:
            return np.zeros(self.size, values.dtype)
        if last >= values.size:
            raise ModelFileError(f"a tensor of the sizes {self.size} claims more numbers than are in the file")
        strides = tuple(s * values.itemsize for s in self.stride)
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.size, strides, writeable=False)
        if view.size > 4 * values.size + 16:
            raise ModelFileError(f"a tensor of the sizes {self.size} repeats the few numbers that are in the file")
        return np.array(view)


def _parameter(data: Any, *others: Any) -> Any:
    return data


def _nothing(*arguments: Any, **named: Any) -> None:
    return None


class _Kind:
    """The name of a storage's class."""

    def __init__(self, name: str) -> None:
        self.name = name


#: Everything that a file may name, and what stands for it here.
_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("torch", "device"): _nothing,
    ("torch.serialization", "_get_layout"): _nothing,
    ("numpy.core.multiarray", "scalar"): _nothing,
    ("numpy._core.multiarray", "scalar"): _nothing,
    ("numpy", "dtype"): _nothing,
    ("argparse", "Namespace"): _nothing,
}


class _Unpickler(pickle.Unpickler):
    """Reads tensors and containers, and nothing that runs code."""

    def __init__(self, file: Any, place: Path) -> None:
        super().__init__(file, encoding="latin1")
        self.place = place
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in (*_STORAGES, "UntypedStorage", "TypedStorage"):
            return _Kind(name)
        if module == "torch" and name in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"):
            return _Kind(name)
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module.startswith("__torch__"):
            raise ModelFileError(
                f"{self.place}: this is TorchScript, which holds code. Export the module to ONNX and load that."
            )
        raise ModelFileError(
            f"{self.place}: the file holds more than tensors: it names {module}.{name}, which is not run or loaded. "
            f"Save the weights "
            f"alone: torch.save(module.state_dict(), path)."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], _Kind):
            raise ModelFileError(f"{self.place}: the file is damaged: it names a storage in an unknown way.")
        kind, key, size = pid[1].name, str(pid[2]), int(pid[4])
        found = self.storages.setdefault(key, _Storage(kind, key, size))
        return found


def _values(place: Path, storage: _Storage, data: bytes) -> Array:
    kind = _STORAGES.get(storage.kind)
    if kind is None:
        raise ModelFileError(f"{place}: numbers of the kind {storage.kind} are not supported.")
    width = 2 if kind == "bfloat16" else np.dtype(kind).itemsize
    if storage.size < 0 or len(data) < storage.size * width:
        raise ModelFileError(f"{place}: a storage claims {storage.size:,} numbers and has {len(data) // width:,}.")
    if kind == "bfloat16":
        return (np.frombuffer(data, "<u2", storage.size).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, kind, storage.size)


def _zipped(place: Path) -> Any:
    """A file of PyTorch 1.6 or newer: a zip archive of a pickle and one part for each storage."""
    with zipfile.ZipFile(place) as archive:
        names = archive.namelist()
        if any("/code/" in n for n in names) or any(n.endswith("constants.pkl") for n in names):
            raise ModelFileError(f"{place}: this is TorchScript, which holds code. Export the module to ONNX and load that.")
        pickles = [n for n in names if n.endswith("data.pkl")]
        if len(pickles) != 1:
            raise ModelFileError(f"{place}: this is no file of PyTorch's weights: it is a zip archive without data.pkl.")
        folder = pickles[0].removesuffix("data.pkl")
        reader = _Unpickler(io.BytesIO(_part(place, archive, pickles[0])), place)
        found = reader.load()
        if f"{folder}byteorder" in names and _part(place, archive, f"{folder}byteorder").strip() != b"little":
            raise ModelFileError(f"{place}: the numbers are big-endian, which is not supported.")
        for key, storage in reader.storages.items():
            name = f"{folder}data/{key}"
            if name not in names:
                raise ModelFileError(f"{place}: the numbers of a tensor are missing ({name}).")
            storage.values = _values(place, storage, _part(place, archive, name))
    return found


def _part(place: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > _MOST_RATIO * max(info.compress_size, 1 << 16):
        raise ModelFileError(f"{place}: the part {name!r} claims {info.file_size:,} bytes from {info.compress_size:,}.")
    return archive.read(info)


def _legacy(place: Path) -> Any:
    """A file of PyTorch before 1.6: some pickles one after the other, and the storages behind them."""
    with place.open("rb") as file:
        if _Unpickler(file, place).load() != _MAGIC:
            raise ModelFileError(f"{place}: this is no file of PyTorch's weights.")
        _Unpickler(file, place).load()  # the version of the format
        _Unpickler(file, place).load()  # the machine that wrote it
        reader = _Unpickler(file, place)
        found = reader.load()
        keys = _Unpickler(file, place).load()
        for key in keys:
            storage = reader.storages.get(str(key))
            count = int.from_bytes(file.read(8), "little", signed=True)
            if storage is None or count < 0 or count != storage.size:
                raise ModelFileError(f"{place}: the numbers do not belong to the tensors. The file is damaged or cut off.")
            width = 2 if storage.kind == "BFloat16Storage" else np.dtype(_STORAGES.get(storage.kind, "<f4")).itemsize
            left = place.stat().st_size - file.tell()
            if count * width > left:
                raise ModelFileError(
                    f"{place}: the file is cut off: a storage of {count:,} numbers has {left:,} bytes left."
                )
            storage.values = _values(place, storage, file.read(count * width))
    return found


def _tensors(place: Path, found: Any) -> dict[str, Array]:
    """The tensors by name, looked for in the dicts around them; names of dicts that hold more than one such stand in
    front.
    """
    if isinstance(found, _Tensor):
        found = {"tensor": found}
    if not isinstance(found, Mapping):
        raise ModelFileError(f"{place}: the file holds a {type(found).__name__}, and no state dict.")
    own = {str(name): value for name, value in found.items() if isinstance(value, _Tensor)}
    if not own:
        inner = {
            str(n): v for n, v in found.items() if isinstance(v, Mapping) and any(isinstance(x, _Tensor) for x in v.values())
        }
        for name in ("state_dict", "model_state_dict", "model", "net", "ema", "module", "weights"):
            if name in inner:
                return _tensors(place, inner[name])
        if len(inner) != 1:
            raise ModelFileError(
                f"{place}: the file holds no state dict"
                + (f", but several: {', '.join(map(repr, inner))}. Save the one that you mean by itself." if inner else ".")
            )
        return _tensors(place, next(iter(inner.values())))
    try:
        return {name: tensor.array() for name, tensor in own.items()}
    except ModelFileError as error:
        raise ModelFileError(f"{place}: {error}. The file is damaged.") from error
