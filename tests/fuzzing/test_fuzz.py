"""A short run of the fuzzer over every kind of file that is read, and files that claim to be larger than they are."""

from __future__ import annotations

import gzip
import importlib.util
import json
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.data import TableFormat, read_table
from chainrule.errors import ChainruleError
from chainrule.images import ImageData

_SPEC = importlib.util.spec_from_file_location("chainrule_fuzz", Path(__file__).with_name("fuzz.py"))
assert _SPEC is not None and _SPEC.loader is not None
fuzz = sys.modules["chainrule_fuzz"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fuzz)

#: Damaged files of each kind in this run; ``python tests/fuzzing/fuzz.py`` makes many more.
ROUNDS = 20


@pytest.mark.parametrize("kind", fuzz.KINDS.values(), ids=fuzz.KINDS)
def test_damaged_files_are_read_or_refused_by_one_error(kind: Any, tmp_path: Path) -> None:
    if not kind.available:
        pytest.skip(f"needs {', '.join(kind.needs)}")
    trials = fuzz.Trials(kind, 0, tmp_path)
    assert [str(fault) for number in range(ROUNDS) if (fault := trials.run(number)) is not None] == []


def _fails(error: BaseException) -> Callable[[Path], Any]:
    def read(folder: Path) -> None:
        if (folder / "x").read_bytes() != b"good good good":
            raise error

    return read


def _waits(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"good good good":
        time.sleep(60)


def _computes(folder: Path) -> None:
    while (folder / "x").read_bytes() != b"good good good":
        pass


def _takes(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"good good good":
        np.empty(2**40, np.uint8)


@pytest.mark.parametrize(
    ("read", "checked", "what"),
    [
        (_fails(ValueError("invalid literal")), False, "ValueError: invalid literal"),
        (_fails(chainrule.errors.DataError("")), False, "without a message"),
        (_fails(SystemExit(1)), False, "SystemExit"),
        (lambda folder: None, True, "not noticed"),
        (_waits, False, "waited for more than 0.4"),
        (_computes, False, "read for more than 0.2"),
        pytest.param(_takes, False, "MemoryError", marks=pytest.mark.skipif(sys.platform != "linux", reason="limits")),
    ],
)
def test_every_kind_of_fault_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Any, checked: bool, what: str
) -> None:
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    monkeypatch.setattr(fuzz, "WAITING", 0.4)
    kind = fuzz.Kind("fragile", lambda folder: (folder / "x").write_bytes(b"good good good"), read, checked=checked)
    trials = fuzz.Trials(kind, 0, tmp_path)
    number = next(n for n in range(99) if trials.content(n) != trials.good)
    assert what in str(trials.run(number))
    assert trials.content(number) == fuzz.Trials(kind, 0, tmp_path).content(number)


# ---------------------------------------------------------------- files that claim too much


def _archive(path: Path, name: str, content: bytes, size: int | None = None) -> Path:
    """A zip archive of one file, whose size is declared to be another one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    if size is not None:
        data = bytearray(path.read_bytes())
        for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            start = data.index(mark) + at
            data[start : start + 4] = struct.pack("<I", size)
        path.write_bytes(data)
    return path


def _npy(shape: str) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def _lying_model(path: Path, shape: list[int], end: int) -> Path:
    encoded = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(64))
    return path


def _long_header(path: Path) -> Path:
    path.write_bytes(struct.pack("<Q", 2**62) + b'{"a": 1}' * 9)
    return path


def _npz(path: Path) -> Any:
    return ImageData.from_npz(path, max_memory=2**22).arrays()


def _table(path: Path) -> Any:
    return read_table(path, format=TableFormat(max_memory=2**22))


def _gzipped(path: Path, declared: int | None = None) -> Path:
    data = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 2**21))
    if declared is not None:
        data[-4:] = struct.pack("<I", declared)
    path.write_bytes(data)
    return path


def _onnx(path: Path) -> Path:
    """A tensor of 4 numbers that claims a million million."""
    onnx = pytest.importorskip("onnx")
    fuzz._make_onnx(path.parent)
    model = onnx.load(path.parent / "m.onnx")
    model.graph.initializer[0].dims[:] = [10**6, 10**6]
    path.write_bytes(model.SerializeToString())
    return path


def _caffe(path: Path) -> Path:
    pytest.importorskip("google.protobuf")
    from chainrule.exchange.caffe_schema import net_message

    fuzz._make_caffe(path.parent)
    net = net_message()()
    net.ParseFromString((path.parent / "n.caffemodel").read_bytes())
    net.layer[0].blobs[0].shape.dim[0] = 10**12
    (path.parent / "n.caffemodel").write_bytes(net.SerializeToString())
    return path


def _h5(path: Path) -> Path:
    """A data set of a million million numbers of which none is in the file."""
    h5py = pytest.importorskip("h5py")
    fuzz._make_keras_h5(path.parent)
    with h5py.File(path.parent / "m.h5", "a") as file:
        del file["model_weights/c/c/0:0"]
        file.create_dataset("model_weights/c/c/0:0", (10**6, 10**6), "f4", chunks=(1000, 1000))
    return path


def _torch(path: Path) -> Path:
    fuzz._make_torch(path.parent)
    with zipfile.ZipFile(path.parent / "w.pt") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["w/data.pkl"] = parts["w/data.pkl"].replace(b"(I3\nI2\nt", b"(I3000000\nI2000000\nt")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


CLAIMS: dict[str, tuple[str, Callable[[Path], Path], Callable[[Path], Any]]] = {
    "npz-bomb": ("a.npz", lambda p: _archive(p, "x.npy", _npy(f"({2**24},)") + bytes(2**24)), _npz),
    "npz-bomb-of-small-size": ("a.npz", lambda p: _archive(p, "x.npy", _npy(f"({2**24},)") + bytes(2**24), 99), _npz),
    "npz-header": ("a.npz", lambda p: _archive(p, "x.npy", _npy("(1000000, 1000000, 1000000)")), _npz),
    "npz-negative": ("a.npz", lambda p: _archive(p, "x.npy", _npy("(-1000000,)") + bytes(9)), _npz),
    "csv-bomb": ("a.csv.gz", _gzipped, _table),
    "csv-bomb-of-small-size": ("a.csv.gz", lambda p: _gzipped(p, 99), _table),
    "csv-of-claimed-size": ("a.csv.gz", lambda p: _gzipped(p, 2**32 - 1), _table),
    "model-shape": ("a.chainrule", lambda p: _lying_model(p, [10**9, 10**9], 64), chainrule.load),
    "model-offsets": ("a.chainrule", lambda p: _lying_model(p, [16], 10**15), chainrule.load),
    "model-header": ("a.chainrule", _long_header, chainrule.load),
    "safetensors-shape": ("a.safetensors", lambda p: _lying_model(p, [10**9, 10**9], 64), chainrule.load_torch),
    "safetensors-header": ("a.safetensors", _long_header, chainrule.load_torch),
    "torch-tensor": ("a.pt", _torch, chainrule.load_torch),
    "torch-bomb": ("a.pt", lambda p: _archive(p, "a/data.pkl", bytes(2**24)), chainrule.load_torch),
    "keras-bomb": ("a.keras", lambda p: _archive(p, "config.json", b" " * 2**24), chainrule.load_keras),
    "keras-tensor": ("m.h5", _h5, chainrule.load_keras),
    "onnx-tensor": ("a.onnx", _onnx, chainrule.load_onnx),
    "caffe-tensor": ("n.prototxt", _caffe, lambda p: chainrule.load_caffe(p, p.with_suffix(".caffemodel"))),
}


@pytest.mark.parametrize(("name", "make", "read"), CLAIMS.values(), ids=CLAIMS)
def test_a_file_that_claims_to_be_huge_takes_neither_memory_nor_time(
    tmp_path: Path, name: str, make: Callable[[Path], Path], read: Callable[[Path], Any]
) -> None:
    path = make(tmp_path / name)
    with fuzz.limits(bytes=2**30), pytest.raises(ChainruleError) as caught:
        read(path)
    assert path.stem in str(caught.value)
