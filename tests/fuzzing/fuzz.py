"""Damages files of every kind that chainrule reads, and reads them: each must be read, or refused by one error of chainrule.

    python tests/fuzzing/fuzz.py                         2,000 damaged files of every kind; exits with 1 when one is a fault
    python tests/fuzzing/fuzz.py csv png --rounds 50000  those of some kinds ; --seed 7 other damage ; --list names the kinds
    python tests/fuzzing/fuzz.py csv --seed 0 --only 123 reads one damaged file again, and shows the error with its traceback
    python tests/fuzzing/fuzz.py csv --keep FOLDER       keeps the files that were faults
    python tests/fuzzing/fuzz.py kill-model              a tenth as many processes that are killed while they save

A fault is an error of another library or of Python, a crash of the process, a file that takes more than some seconds or some
gigabytes, and, where a file has a checksum, damage that is not noticed. What else is tried, kills and signals at moments
that are drawn, stands in ``interrupts.py``, and calls of commands in ``arguments.py``.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule.errors import ChainruleError

TESTS = Path(__file__).resolve().parents[1]
#: The most seconds of computing and of waiting, and the most additional bytes of address space, that a file may take.
SECONDS, WAITING, BYTES = 5.0, 60.0, 3 * 2**30

Bytes = bytearray
Rng = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A kind of file, or of several files that belong together.

    Parameters
        make : writes undamaged ones into a folder ; read : reads them
        needs : the packages without which they cannot be read
        checked : whether a checksum finds every change
    """

    name: str
    make: Callable[[Path], None]
    read: Callable[[Path], Any]
    needs: tuple[str, ...] = ()
    checked: bool = False

    @property
    def available(self) -> bool:
        return all(importlib.util.find_spec(name) is not None for name in self.needs)


@dataclass(frozen=True)
class Fault:
    """A damaged file that was not read as it should be. Parameters  kind, seed, number : make it again ; what : happened"""

    kind: str
    seed: int
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.kind} --seed {self.seed} --only {self.number}: {self.what}"


# ---------------------------------------------------------------- damage


def _cut(data: Bytes, rng: Rng) -> Bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _flip(data: Bytes, rng: Rng) -> Bytes:
    for _ in range(1 << int(rng.integers(5))):
        bit = int(rng.integers(8 * len(data)))
        data[bit // 8] ^= 1 << (bit % 8)
    return data


def _overwrite(data: Bytes, rng: Rng) -> Bytes:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 17))
    filler = rng.choice([0, 255, 32, 48]) if rng.random() < 0.5 else None
    data[at : at + size] = rng.bytes(size) if filler is None else bytes([int(filler)]) * size
    return data


def _remove(data: Bytes, rng: Rng) -> Bytes:
    at = int(rng.integers(len(data)))
    del data[at : at + (1 << int(rng.integers(8)))]
    return data


def _repeat(data: Bytes, rng: Rng) -> Bytes:
    at, size = int(rng.integers(len(data))), 1 << int(rng.integers(10))
    return data[: at + size] + data[at : at + size] * int(rng.integers(1, 4)) + data[at + size :]


def _move(data: Bytes, rng: Rng) -> Bytes:
    at, to, size = int(rng.integers(len(data))), int(rng.integers(len(data))), 1 << int(rng.integers(8))
    part = data[at : at + size]
    data[to : to + len(part)] = part
    return data


_SIZES = [
    0,
    1,
    127,
    128,
    255,
    256,
    2**15 - 1,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
]


def _lie(data: Bytes, rng: Rng) -> Bytes:
    """Puts an extreme number where one may stand, in either order of bytes."""
    size = int(rng.choice([1, 2, 4, 8]))
    at = int(rng.integers(max(1, len(data) - size + 1)))
    number = _SIZES[int(rng.integers(len(_SIZES)))] % (1 << (8 * size))
    data[at : at + size] = number.to_bytes(size, "little" if rng.random() < 0.7 else "big")
    return data


_WORDS = [
    b"0", b"-1", b"1e999", b"-1e999", b"nan", b"Infinity", b"NaN", b"99999999999999999999", b"1.5", b"true", b"null", b"[]",
    b"{}", b'""', b"2147483648", b"9223372036854775807", b"1" * 400, b"[" * 2000, b'"\\ud800"', b"'", b'"', b"\\",
    b"\x00", b"\r", b"\n", b",", b";", b"\t", b"\xff\xfe", b"\xef\xbb\xbf", "٣".encode(), "\u202e".encode(),
    "\u2028".encode(), b"\x1b[2J",
]  # fmt: skip


def _word(data: Bytes, rng: Rng) -> Bytes:
    """Puts a word in place of a number or a name in the text, or between two of them."""
    places = [m.span() for m in re.finditer(rb"-?\d+(?:\.\d+)?|\"[^\"]{0,40}\"|[A-Za-z_]\w{0,40}", data[:200_000])]
    word = _WORDS[int(rng.integers(len(_WORDS)))]
    start, stop = places[int(rng.integers(len(places)))] if places else (0, 0)
    data[start : stop if rng.random() < 0.7 else start] = word
    return data


DAMAGE = [_cut, _flip, _flip, _overwrite, _remove, _repeat, _move, _lie, _lie, _word, _word]


def damaged(data: bytes, rng: Rng) -> bytes:
    """The content of a file with one to three kinds of damage; of an archive or a model sometimes inside, with checksums
    that fit."""
    inner = _INNER.get(bytes(data[:2])) or (_in_description if data[8:9] == b"{" else None)
    if inner is not None and rng.random() < 0.6:
        with suppress(ValueError, KeyError, zipfile.BadZipFile, struct.error, zlib.error, EOFError):
            return inner(data, rng)
    return _plainly(data, rng)


def _plainly(data: bytes, rng: Rng) -> bytes:
    found = Bytes(data)
    for _ in range(int(rng.integers(1, 4))):
        if found:
            found = DAMAGE[int(rng.integers(len(DAMAGE)))](found, rng)
    return bytes(found)


def _in_zip(data: bytes, rng: Rng) -> bytes:
    """A zip archive of which one part is damaged, missing, there twice or huge."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    at = int(rng.integers(len(parts)))
    name, content = parts[at]
    what = rng.random()
    if what < 0.7:
        parts[at] = name, _plainly(content, rng) if content else b"x"
    elif what < 0.8:
        del parts[at]
    elif what < 0.9:
        parts[at] = _plainly(name.encode(), rng).decode("utf-8", "replace").split("\0")[0][:60] or "x", content
    else:
        parts[at] = name, content + bytes(1 << 22)
    made = io.BytesIO()
    with zipfile.ZipFile(
        made, "w", zipfile.ZIP_DEFLATED if what >= 0.9 or rng.random() < 0.3 else zipfile.ZIP_STORED
    ) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return made.getvalue()


def _in_gzip(data: bytes, rng: Rng) -> bytes:
    return gzip.compress(_plainly(gzip.decompress(data), rng))


def _in_description(data: bytes, rng: Rng) -> bytes:
    """A safetensors file with damage in the JSON of its header or of its metadata, of a length that fits."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.get("__metadata__", {})
    keys = [key for key, text in metadata.items() if text[:1] == "{"]
    if keys and rng.random() < 0.8:
        text = _plainly(metadata[keys[0]].encode(), rng)
        metadata[keys[0]] = text.decode("utf-8", "replace")
        encoded = json.dumps(header).encode()
    else:
        encoded = _plainly(data[8 : 8 + length], rng)
    return struct.pack("<Q", len(encoded)) + encoded + data[8 + length :]


_INNER: dict[bytes, Callable[[bytes, Rng], bytes]] = {b"PK": _in_zip, b"\x1f\x8b": _in_gzip}

# ---------------------------------------------------------------- the kinds of files


def _module(path: str) -> Any:
    """A file of tests as a module."""
    name = "fuzzed_" + Path(path).stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TESTS / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def _write(name: str, content: bytes | str) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data) and None


def _old_model(name: str) -> Kind:
    """A model file of a format that has no checksum, so that its parts meet the damage."""

    def make(folder: Path) -> None:
        shutil.copy(TESTS / "data" / "models" / f"{name}.chainrule", folder / "m.chainrule")

    return Kind(f"model-{name}", make, lambda folder: chainrule.load(folder / "m.chainrule"))


def _network() -> Any:
    from chainrule import Dense, Dropout, Network, ReLU
    from chainrule.optimizers import Adam

    X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    net = Network([Dense(4), ReLU(), Dropout(0.1), Dense(2)], random_state=0)
    return net, X, X[:, :2], {"optimizer": Adam(0.01), "epochs": 2, "engine": "reference", "verbose": 0}


def _make_model(folder: Path) -> None:
    net, X, y, settings = _network()
    net.fit(X, y, **settings)
    net.save(folder / "m.chainrule")


def _make_checkpoint(folder: Path) -> None:
    from chainrule.training import Checkpoint

    net, X, y, settings = _network()
    net.fit(X, y, callbacks=[Checkpoint(folder / "c.checkpoint")], **settings)


def _read_checkpoint(folder: Path) -> None:
    net, X, y, settings = _network()
    net.build((3,))
    before = net.parameters.flat.copy()
    try:
        net.fit(X, y, resume=folder / "c.checkpoint", **(settings | {"epochs": 3}))
    except ChainruleError:
        assert np.array_equal(before, net.parameters.flat), "a damaged checkpoint changed the weights"
        raise


_CSV = 'id;name;"price, old";share;when;flag\n' + "".join(
    f'{i};"n{i % 3} ""x""";{i},{i % 100:02d};{i % 7}%;0{i % 9 + 1}.03.2024;{"yes" if i % 2 else "no"}\n' for i in range(40)
)
_TSV = "# a comment\na\tb\tc\n" + "".join(f"{i}\t{i / 7:.3f}\t{'-' if i % 5 == 0 else i}\n" for i in range(30))


def _read_table(name: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> None:
        from chainrule.data import TableFormat, TablePreprocessor, read_table

        table = read_table(folder / name, format=TableFormat(max_memory=2**28))
        preprocessor = TablePreprocessor(table.names[-1], task=None).fit(table)
        preprocessor.training_arrays(table)

    return read


def _make_parquet(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"a": list(range(50)), "b": [None, 0.5] * 25, "c": ["x", "y"] * 25, "d": [True, False] * 25}
    parquet.write_table(pa.table(columns), folder / "t.parquet")


def _make_npz(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(folder / "p.npz", x=rng.integers(0, 255, (6, 5, 4, 3), dtype=np.uint8), y=np.array(["a", "b"] * 3))


def _make_compressed_npz(folder: Path) -> None:
    np.savez_compressed(folder / "p.npz", x=np.zeros((6, 5, 4, 3), np.uint8), y=np.arange(6))


def _read_npz(folder: Path) -> None:
    from chainrule.images import ImageData

    for batch in ImageData.from_npz(folder / "p.npz", max_memory=2**28).batches(4):
        assert batch.n_samples


def _picture(suffix: str, mode: str = "RGB", **options: Any) -> Kind:
    name = f"p.{suffix}"

    def make(folder: Path) -> None:
        from PIL import Image

        rng = np.random.default_rng(0)
        shape = (24, 20, 3) if mode == "RGB" else (24, 20)
        picture = Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8).astype(np.uint8), None).convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.save(folder / name, **({"exif": exif} if suffix in ("jpg", "png", "webp", "tif") else {}), **options)

    def read(folder: Path) -> None:
        from chainrule.images.picture import read_header, read_mask, read_picture

        read_header(folder / name)
        read_picture(folder / name, size=(16, 16), channels=3)
        if mode != "RGB":
            read_mask(folder / name)

    label = f"{suffix}-{mode.lower()}" if mode != "RGB" else suffix
    return Kind(label + "".join(f"-{value}" for value in options.values()), make, read, ("PIL",))


def _sound(suffix: str, **options: Any) -> Kind:
    """Sound of two channels, read whole at another rate and in windows."""

    def make(folder: Path) -> None:
        import soundfile

        samples = 0.3 * np.random.default_rng(0).standard_normal((900, 2))
        soundfile.write(folder / f"s.{suffix}", samples, 8000, **options)

    def read(folder: Path) -> None:
        from chainrule.sounds import read_sound, sound_blocks, windows_in
        from chainrule.sounds.sound_file import rate_of

        place = folder / f"s.{suffix}"
        rate_of(place)
        read_sound(place, rate=4000, max_memory=2**26)
        for window, _ in windows_in(sound_blocks(place, rate=4000), 200, 100):
            assert len(window)

    return Kind(suffix + "".join(f"-{v.lower()}" for v in options.values()), make, read, ("soundfile", "soxr"))


def _read_text(folder: Path) -> None:
    from chainrule.data.text import CharacterTokenizer, WordTokenizer
    from chainrule.data.text_file import read_text

    lines = read_text(folder / "t.txt", limit=2**28).text.splitlines() or [""]
    for tokenizer in (WordTokenizer(), CharacterTokenizer()):
        tokenizer.fit(lines).encode(lines)


def _texts_of_pictures(name: str, content: str) -> Kind:
    """A file with the texts of pictures, and the letters that a reader of lines learns from it."""

    def make(folder: Path) -> None:
        for i in range(3):
            (folder / f"{i}.png").touch()
        (folder / name).write_text(content, encoding="utf-8")

    def read(folder: Path) -> None:
        from chainrule.images.folder import PICTURES
        from chainrule.tasks.labels_file import read_labels_file
        from chainrule.tasks.transcription import Units

        for i in range(3):  # of the pictures only the names count here
            (folder / f"{i}.png").touch()
        _, texts = read_labels_file(folder / name, PICTURES)
        units = Units.of(texts, "characters")
        assert len(units.encode(texts, name=name)) == len(texts)

    return Kind(f"texts-of-pictures-{Path(name).suffix[1:]}", make, read)


def _make_page(folder: Path) -> None:
    from PIL import Image

    Image.new("L", (64, 48), 255).save(folder / "p.png")
    (folder / "p.txt").write_text(
        "1,2,30,2,30,12,1,12,TOTAL, 12.30\n5,20,40,32,Café\n1,35,9,35,9,40,1,40,###\n" * 4, "utf-8"
    )


def _read_page(folder: Path) -> None:
    from chainrule.pages import encoded_lines, read_text_pages

    for page in read_text_pages(folder):
        assert np.isfinite(encoded_lines(page.lines, (48, 64), unread=page.unread)).all()


def _film(suffix: str, *needs: str) -> Kind:
    """Frames of a video or an animation."""

    def make(folder: Path) -> None:
        from chainrule.video import write_frames

        write_frames(folder / f"v.{suffix}", np.random.default_rng(0).integers(0, 255, (6, 16, 24, 3), np.uint8), rate=5)

    def read(folder: Path) -> None:
        from chainrule.video import frames

        for _ in zip(frames(folder / f"v.{suffix}"), range(1000), strict=False):
            pass

    return Kind(f"video-{suffix}", make, read, needs)


def _make_onnx(folder: Path) -> None:
    from chainrule import BatchNorm, Conv2D, Dense, Flatten, Input, MaxPool2D, Network, ReLU

    layers = [Input((6, 6, 2)), Conv2D(3, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(3)]
    Network(layers, random_state=0).build().to_onnx(folder / "m.onnx")


def _make_torch(folder: Path) -> None:
    """What torch.save writes, without PyTorch: a pickle of tensors that name their storages, and these beside it."""
    parts = {"0.weight": np.ones((3, 2), np.float32), "0.bias": np.zeros(3, np.float32), "1.count": np.array([3])}
    calls = []
    for i, (name, array) in enumerate(parts.items()):
        kind = "FloatStorage" if array.dtype.kind == "f" else "LongStorage"
        strides = "".join(f"I{stride // array.itemsize}\n" for stride in array.strides)
        sizes = "".join(f"I{size}\n" for size in array.shape)
        calls.append(
            f"V{name}\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\n{kind}\nV{i}\nVcpu\nI{array.size}\n"
            f"tQI0\n({sizes}t({strides}tI00\nccollections\nOrderedDict\n(tRtRs"
        )
    pickled = "ccollections\nOrderedDict\n(tR" + "".join(calls) + "."
    with zipfile.ZipFile(folder / "w.pt", "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/version", "3\n")
        for i, array in enumerate(parts.values()):
            archive.writestr(f"w/data/{i}", array.tobytes())


def _make_legacy_torch(folder: Path) -> None:
    # torch.save({"a": tensor (2, 2), "b": tensor (2,)}, ..., _use_new_zipfile_serialization=False)
    (folder / "w.pt").write_bytes(zlib.decompress(base64.b64decode(_LEGACY)))


_LEGACY = (
    b"eNptULtOwzAUTZy0BUNLeQ1sjGGp+kadWFAXi1dZvKAoTazGyIp7HacSSJW6tKJ8Ax/Ar/EJSAw4rZBA9Eq25eN7z8Mz9IrF11v/8/Tx/fakNk"
    b"NXH47Zp2B5tGpZ1lhJLUMp/AlTKZcJ2KaBls2L4FoL5rMk4kEC6IViA+qnMfNT/sxScKbgerRgwDSWSkOBIOqYG080FIlL3ZxDJiMoETfLfjRt"
    b"gwZgh1qqMK75meYixb5iw4yLyNcsSaXyJ00MyPNoKSc3ncGIgbMewX0hA32/BjG4tGJ6eu12u1s/bzXqjVavCYWVj3Cc5T6uNZTuiEUQQQvYMo"
    b"e9gO1laCILFmqTOMU3KmKKRZc81Bjw2QB2NOwOoLwyO4RKbLzETvxPq9Pqwl5cJMhoVFcac9gn9hwOlnFOc6jhaADHefaHPPsGq/YmTsRq+eet"
    b"a3bxeyHrb30DDJ95zQ=="
)


def _make_safetensors(folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"0.weight": np.ones((3, 2), np.float32), "0.bias": np.zeros(3, np.float16)}, folder / "w.safetensors")


def _make_caffe(folder: Path) -> None:
    _module("exchange/test_other_files.py").caffe(folder)


def _make_mxnet(folder: Path) -> None:
    others = _module("exchange/test_other_files.py")
    (folder / "n-symbol.json").write_text(others.symbol())
    (folder / "n.params").write_bytes(others.params(others.MX, 2))


def _make_keras_h5(folder: Path) -> None:
    _module("exchange/test_other_files.py").keras_h5(folder / "m.h5")


def _make_keras(folder: Path) -> None:
    _module("exchange/test_other_files.py").test_keras_3(folder, "layers")
    (folder / "w.h5").unlink()


def _load(name: str, how: str, *more: str, **options: Any) -> Callable[[Path], Any]:
    return lambda folder: getattr(chainrule, how)(folder / name, *(folder / other for other in more), **options)


_VOC = """<annotation><filename>0.png</filename><size><width>12</width><height>10</height><depth>3</depth></size>
<object><name>cell</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>7</xmax><ymax>9</ymax></bndbox></object>
<object><name>dust</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>2.5</xmax><ymax>2</ymax></bndbox></object></annotation>"""
_COCO = {
    "images": [{"id": 4, "file_name": "0.png", "width": 12, "height": 10}],
    "annotations": [
        {"id": 1, "image_id": 4, "category_id": 2, "bbox": [1, 2, 6, 7], "area": 42.0, "iscrowd": 0},
        {"id": 2, "image_id": 4, "category_id": 3, "bbox": [0, 0, 2.5, 2], "iscrowd": 1},
    ],
    "categories": [{"id": 2, "name": "cell"}, {"id": 3, "name": "dust"}],
}
_YOLO = {
    "data.yaml": "train: .\nnames:\n  0: cell\n  1: dust\n",
    "0.txt": "0 0.4 0.5 0.5 0.6\n1 0.1 0.1 0.2 0.2\n1 0.1 0.1 0.5 0.1 0.5 0.6 0.2 0.7\n",
}
_MOT = "".join(f"{t},{i},{10 * i + t},{5 * i},8,12.5,{0.9 - 0.1 * i:g},-1,-1,-1\n" for t in (1, 2, 4) for i in (1, 2))


def _boxes(label: str, files: dict[str, str], *needs: str) -> Kind:
    """A picture with a file of its boxes."""
    from chainrule.boxes import read_annotations

    def make(folder: Path) -> None:
        from PIL import Image

        for name, text in files.items():
            (folder / name).write_text(text)
        Image.new("RGB", (12, 10), (90, 20, 60)).save(folder / "0.png")

    def read(folder: Path) -> None:
        for broken in ("skip", "stop"):
            read_annotations(folder, broken=broken)

    return Kind(f"boxes-{label}", make, read, ("PIL", *needs))


def _read_mot(folder: Path) -> None:
    from chainrule.tracking import read_detections, read_tracks

    first = None
    for read in (read_detections, read_tracks):
        try:
            read(folder / "t.txt")
        except ChainruleError as error:
            first = first or error
    if first is not None:
        raise first


KINDS = {
    kind.name: kind
    for kind in [
        Kind("model", _make_model, lambda folder: chainrule.load(folder / "m.chainrule"), checked=True),
        *map(_old_model, ("network", "estimator", "numbers", "table", "texts", "pictures", "generator", "translator")),
        Kind("checkpoint", _make_checkpoint, _read_checkpoint),
        Kind("csv", _write("t.csv", _CSV), _read_table("t.csv")),
        Kind("csv-utf16", _write("t.csv", _CSV.encode("utf-16")), _read_table("t.csv")),
        Kind("csv-gz", _write("t.csv.gz", gzip.compress(_CSV.encode(), mtime=0)), _read_table("t.csv.gz")),
        Kind("tsv", _write("t.tsv", _TSV), _read_table("t.tsv")),
        Kind("parquet", _make_parquet, _read_table("t.parquet"), ("pyarrow",)),
        Kind("npz", _make_npz, _read_npz),
        Kind("npz-compressed", _make_compressed_npz, _read_npz),
        *(_picture(suffix) for suffix in ("png", "jpg", "bmp", "gif", "webp", "tif")),
        _picture("png", "P"),
        _picture("png", "1"),
        _picture("tif", "L", compression="tiff_lzw"),
        *(_sound(suffix) for suffix in ("wav", "flac", "ogg", "aiff", "au")),
        _sound("wav", subtype="PCM_24"),
        _boxes("voc", {"0.xml": _VOC}),
        _boxes("coco", {"a.json": json.dumps(_COCO)}),
        _boxes("yolo", _YOLO, "yaml"),
        Kind("mot", _write("t.txt", _MOT), _read_mot),
        Kind("text", _write("t.txt", "A naïve text.\nВторая строка\n第三行\n" * 9), _read_text),
        _texts_of_pictures("labels.csv", 'file,text\n0.png,"TOTAL, 12.30"\n1.png,Café\n2.png,\n'),
        _texts_of_pictures("labels.txt", "0.png TOTAL 12.30\n1 Café\n2.png,3 x 4\n"),
        Kind("text-page", _make_page, _read_page, ("PIL",)),
        _film("gif", "PIL"),
        *(_film(suffix, "av") for suffix in ("mp4", "avi", "mkv")),
        Kind("onnx", _make_onnx, _load("m.onnx", "load_onnx"), ("onnx",)),
        Kind("torch", _make_torch, _load("w.pt", "load_torch")),
        Kind("torch-legacy", _make_legacy_torch, _load("w.pt", "load_torch")),
        Kind("safetensors", _make_safetensors, _load("w.safetensors", "load_torch")),
        Kind("caffe", _make_caffe, _load("n.prototxt", "load_caffe", "n.caffemodel"), ("google.protobuf",)),
        Kind("mxnet", _make_mxnet, _load("n-symbol.json", "load_mxnet", "n.params", shape=(2, 5, 5))),
        Kind("keras-h5", _make_keras_h5, _load("m.h5", "load_keras"), ("h5py",)),
        Kind("keras", _make_keras, _load("m.keras", "load_keras"), ("h5py",)),
    ]
}

# ---------------------------------------------------------------- trying


class TookTooLong(BaseException):
    """A damaged file is read for too long."""


@contextmanager
def limits(*, bytes: int = BYTES) -> Iterator[None]:
    """Ends what takes too long, and has more memory refused than may be needed, where the system can do that."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        yield
        return

    def end(signal: int, frame: Any) -> None:
        raise TookTooLong

    clocks = {signal.SIGALRM: (signal.ITIMER_REAL, WAITING), signal.SIGPROF: (signal.ITIMER_PROF, SECONDS)}
    before = {number: signal.signal(number, end) for number in clocks}
    old = resource.getrlimit(resource.RLIMIT_AS)
    for clock, seconds in clocks.values():
        signal.setitimer(clock, seconds)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + bytes, old[1]))
    try:
        yield
    finally:
        for number, (clock, _) in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])
        resource.setrlimit(resource.RLIMIT_AS, old)


class Trials:
    """Reads damaged files of one kind, of which the undamaged ones are made once.

    Parameters  kind ; seed : of all damage ; folder : an empty one to work in
    """

    def __init__(self, kind: Kind, seed: int, folder: Path) -> None:
        self.kind, self.seed, self.folder = kind, seed, folder
        kind.make(folder)
        self.good = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        kind.read(folder)  # what is undamaged must be read, or the rest shows nothing

    def content(self, number: int) -> dict[str, bytes]:
        """The files of a trial, of which one is damaged."""
        rng = np.random.default_rng([self.seed, zlib.crc32(self.kind.name.encode()), number])
        name = list(self.good)[int(rng.integers(len(self.good)))]
        # Inside a file that has a checksum, damage may change no more than how its JSON is spaced.
        return self.good | {name: (_plainly if self.kind.checked else damaged)(self.good[name], rng)}

    def run(self, number: int) -> Fault | None:
        """Reads the files of a trial; returns what is wrong with the answer."""
        content = self.content(number)
        for name, data in content.items():
            (self.folder / name).write_bytes(data)
        try:
            with limits(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.kind.read(self.folder)
        except ChainruleError as error:
            found = None if str(error).strip() else "an error without a message"
        except TookTooLong:
            found = f"read for more than {SECONDS:g} seconds, or waited for more than {WAITING:g}"
        except (Exception, SystemExit) as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            found = f"{type(error).__name__}: {str(error)[:150]} ({Path(at.filename).name}:{at.lineno})"
        else:
            found = "damage that is not noticed" if self.kind.checked and content != self.good else None
        return None if found is None else Fault(self.kind.name, self.seed, number, found)


def _in_process(kind: Kind, seed: int, rounds: int, folder: Path) -> Iterator[Fault]:
    """The faults of all trials, in a process of their own that is begun again after a crash."""
    work, log, at = folder / "work", folder / "log", 0
    work.mkdir()
    trials = Trials(kind, seed, work)
    while at < rounds:
        log.write_text("")
        child = os.fork()
        if not child:
            try:
                with log.open("a", buffering=1) as file:
                    for number in range(at, rounds):
                        file.write(f"{number}\n")
                        if (fault := trials.run(number)) is not None:
                            file.write(json.dumps(fault.what) + "\n")
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        number = at
        for line in log.read_text().splitlines():
            if line.startswith('"'):
                yield Fault(kind.name, seed, number, json.loads(line))
            else:
                number = int(line)
        if status == 0:
            return
        yield Fault(kind.name, seed, number, f"the process ended with {status}")
        at = number + 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help="kinds of files; all when none is named")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    campaigns = _module("fuzzing/interrupts.py").CAMPAIGNS | _module("fuzzing/arguments.py").CAMPAIGNS
    if unknown := [name for name in given.kinds if name not in KINDS and name not in campaigns]:
        parser.error(f"there is no kind {unknown[0]!r}: {', '.join([*KINDS, *campaigns])}")
    kinds = [KINDS[name] for name in given.kinds or KINDS if name in KINDS]
    if given.list:
        print("\n".join(kind.name + ("" if kind.available else "  (a package is missing)") for kind in kinds))
        print("\n".join(campaigns))
        return 0
    count = 0
    for name in [name for name in given.kinds or campaigns if name in campaigns]:
        rounds, faults = max(1, given.rounds // 10), 0
        with tempfile.TemporaryDirectory() as place:
            for number, what in campaigns[name](name, given.seed, rounds, Path(place)):
                faults += 1
                print(Fault(name, given.seed, number, what), flush=True)
        print(f"{name}: {rounds:,} trials, {faults} faults", flush=True)
        count += faults
    for kind in kinds:
        if not kind.available:
            print(f"{kind.name}: left out, since one of these packages is missing: {', '.join(kind.needs)}")
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if given.only is not None:
                trials = Trials(kind, given.seed, folder)
                for file, data in trials.content(given.only).items():
                    (folder / file).write_bytes(data)
                kind.read(folder)
                continue
            seen: dict[str, int] = {}
            for fault in _in_process(kind, given.seed, given.rounds, folder):
                count += 1
                seen[fault.what] = seen.get(fault.what, 0) + 1
                if seen[fault.what] == 1:
                    print(fault, flush=True)
                if given.keep is not None:
                    place = given.keep / f"{kind.name}-{fault.number}"
                    place.mkdir(parents=True, exist_ok=True)
                    (folder / "again").mkdir(exist_ok=True)
                    for file, data in Trials(kind, given.seed, folder / "again").content(fault.number).items():
                        (place / file).write_bytes(data)
            print(f"{kind.name}: {given.rounds:,} damaged files, {sum(seen.values())} faults", flush=True)
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
