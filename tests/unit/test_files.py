"""Model files: exact round trips, saves that happen fully or not at all, and a loader that nothing can surprise."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import ModelFileError, NotFittedError, ParameterError
from chainrule.files import checksum
from chainrule.initializers import HeNormal
from chainrule.layers import Add, Dense, Dropout, Embedding, Flatten, Input, Layer, PReLU, ReLU, Reshape
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.network import NetworkGraph, files
from chainrule.ops import Saved
from chainrule.optimizers import SGD, Adam, Cosine
from chainrule.plan import lower_prediction, optimise

RNG = np.random.default_rng(0)


def predict(network: NetworkGraph, *xs: np.ndarray) -> list[np.ndarray]:
    plan = optimise(lower_prediction(network, len(xs[0])))
    arenas = {"parameters": network.parameters.flat, "states": network.states.flat}
    executable = ReferenceEngine(network.dtype).compile(plan, arenas)
    found = executable.run({f"x{i}": x for i, x in enumerate(xs)})
    return [found[f"output{i}"] for i in range(len(network.output_ids))]


def mlp(**kwargs: Any) -> NetworkGraph:
    layers = [Dense(7, weight_init=HeNormal()), ReLU(), Dropout(0.25), PReLU(), Dense(3, bias=False)]
    return NetworkGraph(layers, **{"random_state": 3, **kwargs}).build((4,))


def parts(path: Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, description and tensor bytes of a file."""
    blob = path.read_bytes()
    (length,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + length])
    description = json.loads(header["__metadata__"]["chainrule"])
    assert description.pop("checksum")
    return header, description, blob[8 + length :]


def checksum_of(header: dict[str, Any], data: bytes, text: str) -> str:
    """The checksum that fits a file, so that what its description says is looked at; any text for tensors that are none."""
    arrays = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            start, stop = tensor["data_offsets"]
            kind = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}.get(tensor["dtype"])
            if kind is None or stop > len(data):
                return "none"
            arrays[name] = np.frombuffer(data[start:stop], kind)
            if arrays[name].size != np.prod(tensor["shape"]):
                return "none"
            arrays[name] = arrays[name].reshape(tensor["shape"])
    return checksum(arrays, text.encode(errors="replace").decode())


def assemble(path: Path, header: dict[str, Any], description: Any, data: bytes) -> Path:
    if description is not None:
        text = description if isinstance(description, str) else json.dumps(description)
        sealed = f'{text[:-1]}, "checksum": "{checksum_of(header, data, text)}"}}' if text.endswith("}") else text
        header = header | {"__metadata__": {"chainrule": sealed}}
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    files.save(mlp(), tmp_path / "net.chainrule")
    return tmp_path / "net.chainrule"


# ------------------------------------------------------------ round trips


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_names_and_arguments_come_back_exactly(tmp_path: Path, dtype: str) -> None:
    net = mlp(dtype=dtype).freeze("0.dense")
    net.parameters.flat[...] += RNG.normal(size=net.parameters.flat.size)
    files.save(net, tmp_path / "a")
    again, extra = files.load(tmp_path / "a")
    x = RNG.normal(size=(5, 4)).astype(dtype)
    np.testing.assert_array_equal(predict(net, x)[0], predict(again, x)[0])
    assert list(again.layers) == list(net.layers) and list(again.parameters) == list(net.parameters)
    assert [repr(a) for a in again.layers.values()] == [repr(a) for a in net.layers.values()]
    assert again.dtype == dtype and again.frozen == {"0.dense"} and again.random_state == 3 and extra == {}
    assert again.input_shapes == [(4,)] and again.output_shapes == net.output_shapes and again.built
    assert {n: e.decay for n, e in again.parameters.entries.items()} == {
        n: e.decay for n, e in net.parameters.entries.items()
    }


def test_graphs_with_joins_shared_layers_indices_and_own_names(tmp_path: Path) -> None:
    a, b = Input((2,), dtype="int"), Input((6,))
    shared = Dense(6).named("twice")
    h = shared(Flatten()(Embedding(5, 3)(a)))
    g = shared(b)
    s = Add()(h, g, h)
    net = NetworkGraph(inputs=[a, b], outputs=[Reshape((2, 3))(s), Dense(1)(s), g], random_state=0).build()
    files.save(net, tmp_path / "a")
    again, _ = files.load(tmp_path / "a")
    xs = np.array([[0, 4], [1, 2]], np.int32), RNG.normal(size=(2, 6)).astype(np.float32)
    for one, other in zip(predict(net, *xs), predict(again, *xs), strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(again.layers) == list(net.layers) and [c.inputs for c in again.calls] == [c.inputs for c in net.calls]
    assert repr(again.layer("4.reshape" if "4.reshape" in again.layers else next(n for n in again.layers if "reshape" in n)))
    assert again.layers["twice"].name == "twice" and next(iter(again.layers.values())).name is None
    files.save(again, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tuples_stay_tuples(tmp_path: Path) -> None:
    files.save(NetworkGraph([Reshape((2, 2))]).build((4,)), tmp_path / "a")
    assert files.load(tmp_path / "a")[0].layer("0.reshape").config() == {"shape": (2, 2)}


def test_extra_comes_back(tmp_path: Path) -> None:
    extra = {
        "loss": SoftmaxCrossEntropy(label_smoothing=0.1),
        "optimizer": Adam(0.002, l2=1e-4),
        "schedule": SGD(Cosine(0.1, total=100)),
        "mean": RNG.normal(size=(2, 3)),
        "counts": np.arange(3),
        "swapped": np.arange(3, dtype=">f8"),
        "flag": np.bool_(True),
        "scalar": np.array(2.5),
        "classes": np.array(["röd", "grün"]),
        "mixed": np.array(["a", None, 1], dtype=object),
        "columns": {"name": ["a", "b"], "limits": (0.1, float("inf")), "none": None},
        "empty": np.zeros((0, 3)),
    }
    files.save(mlp(), tmp_path / "a", extra)
    found = files.load(tmp_path / "a")[1]
    assert list(found) == list(extra)
    assert repr(found["loss"]) == repr(extra["loss"]) and repr(found["optimizer"]) == repr(extra["optimizer"])
    assert repr(found["schedule"]) == repr(extra["schedule"])
    for name in ("mean", "counts", "scalar", "classes", "mixed", "swapped", "empty"):
        np.testing.assert_array_equal(found[name], extra[name])
        assert found[name].dtype == extra[name].dtype.newbyteorder("="), name
    assert found["flag"] is True and found["columns"] == {"name": ["a", "b"], "limits": [0.1, float("inf")], "none": None}


def test_not_a_number_among_the_weights_is_kept(tmp_path: Path) -> None:
    net = mlp()
    net.parameters["0.dense.bias"][0] = np.nan
    files.save(net, tmp_path / "a")
    assert np.isnan(files.load(tmp_path / "a")[0].parameters["0.dense.bias"][0])


@pytest.mark.parametrize("state", [None, np.random.default_rng(0), np.int64(5)])
def test_only_numbers_are_kept_as_random_state(tmp_path: Path, state: Any) -> None:
    files.save(mlp(random_state=state), tmp_path / "a")
    assert files.load(tmp_path / "a")[0].random_state == (5 if isinstance(state, np.int64) else None)


def test_the_file_is_one_that_safetensors_reads(saved: Path) -> None:
    from safetensors.numpy import load_file

    net, _ = files.load(saved)
    found = load_file(saved)
    assert set(found) == set(net.parameters)
    for name, array in found.items():
        np.testing.assert_array_equal(array, net.parameters[name])


def test_a_subclass_of_the_network_is_made_on_request(saved: Path) -> None:
    class Mine(NetworkGraph):
        pass

    assert type(files.load(saved, Mine)[0]) is Mine


class Twist(Layer):
    """A user's own layer."""

    def __init__(self, factor: float = 2.0):
        self.factor = factor

    def forward(self, k: Any, *xs: Any) -> Any:
        return k.multiply(xs[0], float(self.factor)), Saved()

    def backward(self, k: Any, saved: Any, dy: Any) -> Any:
        return k.multiply(dy, float(self.factor))


def test_own_layers_come_from_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.save(NetworkGraph([Twist(3.0)]).build((2,)), tmp_path / "a")
    assert repr(files.load(tmp_path / "a")[0].layer("0.twist")) == "Twist(3.0)"
    monkeypatch.delitem(Layer.registry, "Twist")
    with pytest.raises(ModelFileError, match=r"'Twist'.*import the module.*test_files"):
        files.load(tmp_path / "a")
    with pytest.raises(ParameterError, match="could not be found again"):
        files.save(NetworkGraph([Twist(3.0)]).build((2,)), tmp_path / "b")


# ------------------------------------------------------------ saving


def test_what_cannot_be_saved_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        files.save(NetworkGraph([Dense(2)]), tmp_path / "a")
    with pytest.raises(ParameterError, match=r"extra\['f'\]"):
        files.save(mlp(), tmp_path / "a", {"f": len})
    with pytest.raises(ParameterError, match="keys"):
        files.save(mlp(), tmp_path / "a", {"f": {1: 2}})
    with pytest.raises(ParameterError, match="factor"):
        files.save(_with_function(), tmp_path / "a")
    with pytest.raises(ParameterError, match="path"):
        files.save(mlp(), 3.5)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def _with_function() -> NetworkGraph:
    net = NetworkGraph([Twist(2.0)]).build((2,))
    net.layer("0.twist").factor = lambda: 2.0  # type: ignore[attr-defined]
    return net


@pytest.mark.parametrize("when", ["write", "fsync", "replace"])
@pytest.mark.parametrize("what", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch, when: str, what: BaseException
) -> None:
    before = saved.read_bytes()

    def fail(*args: Any) -> None:
        raise what

    if when == "write":
        real = open

        class Half:
            """A file on which half of what is written arrives."""

            def __init__(self, *args: Any) -> None:
                self.file = real(*args)

            def __enter__(self) -> Half:
                return self

            def __exit__(self, *args: Any) -> None:
                self.close()

            def close(self) -> None:
                self.file.close()

            def fileno(self) -> int:
                return int(self.file.fileno())

            def write(self, blob: bytes) -> None:
                self.file.write(blob[: len(blob) // 2])
                self.file.flush()
                assert len(list(saved.parent.iterdir())) == 2
                raise what

        monkeypatch.setattr("chainrule.files.open", Half, raising=False)
    else:
        monkeypatch.setattr(os, when, fail)
    with pytest.raises(ModelFileError if isinstance(what, OSError) else KeyboardInterrupt) as caught:
        files.save(mlp(random_state=9), saved)
    if isinstance(what, OSError):
        assert "No space left on device" in str(caught.value) and "unchanged" in str(caught.value)
    assert saved.read_bytes() == before and list(saved.parent.iterdir()) == [saved]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file or directory"):
        files.save(mlp(), tmp_path / "nowhere" / "a")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match="cannot be written"):
        files.save(mlp(), tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as on POSIX")
def test_links_and_permissions_are_kept(saved: Path) -> None:
    saved.chmod(0o640)
    link = saved.parent / "link"
    link.symlink_to(saved.name)
    files.save(mlp(random_state=9), link)
    assert link.is_symlink() and stat.S_IMODE(saved.stat().st_mode) == 0o640
    assert files.load(saved)[0].random_state == 9


# ------------------------------------------------------------ loading


def refused(path: Path, words: str) -> None:
    with pytest.raises(ModelFileError, match=words) as caught:
        files.load(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_models(tmp_path: Path, saved: Path) -> None:
    refused(tmp_path / "missing", "No such file")
    refused(tmp_path, "cannot be read")
    path = tmp_path / "a"
    for blob, words in [
        (b"", "empty"),
        (b"abc", "truncated"),
        (RNG.bytes(1000), "damaged"),
        (pickle.dumps(list(range(100))), "pickle"),
        (b"\x93NUMPY" + bytes(100), "NumPy"),
        (struct.pack("<Q", 2**60) + b"{}" * 50, "damaged"),
        (struct.pack("<Q", 90_000_000) + b"{" * 100, "damaged"),
        (saved.read_bytes()[:-1], "truncated"),
        (saved.read_bytes() + b"0", "damaged"),
        (b'{"format": 1}' + bytes(50), "damaged"),
    ]:
        path.write_bytes(blob)
        refused(path, words)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", "x" * 100)
    refused(path, "zip")
    with pytest.raises(ParameterError, match="path"):
        files.load(None)  # type: ignore[arg-type]


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "a").write_bytes(pickle.dumps(Bomb()))
    refused(tmp_path / "a", "pickle")
    assert not (tmp_path / "ran").exists()


def test_safetensors_of_others(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3)}, tmp_path / "a")
    refused(tmp_path / "a", "not one of chainrule")


def changed(**values: Any) -> Any:
    return lambda d: d.update(values)


def layer(which: str, /, **values: Any) -> Any:
    return lambda d: d["layers"][which].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(format=99, version="9.0"), "format 99, of chainrule 9.0.*Upgrade"),
        (changed(format="1"), "version of the format"),
        (changed(format=True), "version of the format"),
        (changed(layers=[]), "no layers"),
        (changed(layers={}), "it lacks"),
        (changed(calls=[]), "damaged"),
        (changed(calls=3), "list of dict"),
        (changed(inputs=[]), "before anything makes it"),
        (changed(inputs=[{"tensor": 0, "shape": [-4], "dtype": "float"}]), "shape"),
        (changed(inputs=[{"tensor": 0, "shape": [4.0], "dtype": "float"}]), "list of int"),
        (changed(inputs=[{"tensor": 0, "shape": [5], "dtype": "float"}]), "should be"),
        (changed(inputs=[{"tensor": 0, "shape": [10**15], "dtype": "float"}]), "should be"),
        (changed(outputs=[77]), "before anything makes it"),
        (changed(outputs=[]), "outputs"),
        (changed(outputs=[1]), "order of their connections"),
        (changed(dtype="float64"), "should be F64"),
        (changed(dtype="object"), "dtype"),
        (changed(frozen=["nothing"]), "Unknown layer"),
        (changed(frozen="all"), "list of str"),
        (changed(random_state="os.system"), "random_state"),
        (changed(random_state=-1), "random_state"),
        (changed(extra=[1]), "no dict"),
        (changed(extra={"a": {"class": "ndarray", "args": {"tensor": "0.dense.weight"}}}), "lacks the array"),
        (changed(extra={"a": {"class": "os.system", "args": {"command": "true"}}}), "Unknown class"),
        (changed(extra={"a": {"class": "ndarray", "args": {"values": ["x" * 10**4] + [""] * 10**4, "text": True}}}), "text"),
        (layer("0.dense", **{"class": "system"}), "'system', which is not known"),
        (layer("0.dense", **{"class": "os.system"}), "not known"),
        (layer("0.dense", **{"class": "Layer"}), "not known"),
        (layer("0.dense", **{"class": "Activation"}), "damaged|takes no"),
        (layer("0.dense", **{"class": None}), "description of layer"),
        (layer("0.dense", args={"units": 7, "hook": "os.system"}), "takes no argument 'hook'"),
        (layer("0.dense", args={}), "units"),
        (layer("0.dense", args=[7]), "description of layer"),
        (layer("0.dense", args={"units": "os.system"}), "units must be"),
        (layer("0.dense", args={"units": 10**15}), "should be"),
        (layer("0.dense", args={"units": 10**400}), "should be"),
        (layer("0.dense", args={"units": True}), "units must be"),
        (layer("0.dense", args={"units": [7]}), "units must be"),
        (layer("0.dense", args={"units": 7, "weight_init": {"class": "Popen", "args": {"args": "true"}}}), "Unknown class"),
        (layer("0.dense", args={"units": 7, "bias": False}), "belongs to no layer"),
        (layer("0.dense", name=5), ""),
        (lambda d: d["layers"].update(more=d["layers"]["0.dense"]), "damaged"),
        (lambda d: d["calls"][0].update(inputs=[0, 0]), "takes 1 input"),
        (lambda d: d["calls"][0].update(output=0), "no new number"),
        (lambda d: d["calls"][0].update(inputs=[5]), "before anything"),
        (lambda d: d["calls"].reverse(), "before anything"),
        (lambda d: d["calls"][0].update(inputs=[True]), "list of int"),
    ],
)
def test_descriptions_that_do_not_fit(saved: Path, change: Any, words: str) -> None:
    header, description, data = parts(saved)
    change(description)
    assemble(saved, header, description, data)
    if words:
        refused(saved, words)
    else:
        files.load(saved)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "[" * 100_000, '{"a":' * 100_000, '{"format": ' + "1" * 5000 + "}", "\ud800"],
    ids=["empty", "open", "list", "null", "nested-lists", "nested-dicts", "long-number", "surrogate"],
)
def test_descriptions_that_are_no_json(saved: Path, text: str) -> None:
    header, _, data = parts(saved)
    refused(assemble(saved, header, text, data), "damaged|JSON|version")


def test_deeply_nested_extra(saved: Path) -> None:
    header, description, data = parts(saved)
    nested = '{"class": "Dense", "args": {"units": ' * 450 + "0" + "}}" * 450
    text = json.dumps(description | {"extra": "HERE"}).replace('"HERE"', '{"a": ' + nested + "}")
    refused(assemble(saved, header, text, data), "damaged|refuses")


def test_tensors_that_do_not_fit(saved: Path) -> None:
    header, description, data = parts(saved)
    name = "0.dense.weight"

    def tensor(**values: Any) -> dict[str, Any]:
        return header | {name: header[name] | values}

    refused(assemble(saved, {k: v for k, v in header.items() if k != name}, description, data), "damaged")
    refused(assemble(saved, tensor(shape=[7, 4]), description, data), "should be F32")
    refused(assemble(saved, tensor(dtype="I32"), description, data), "should be F32")
    refused(assemble(saved, tensor(shape=[10**9, 10**9]), description, data), "damaged")
    refused(assemble(saved, tensor(data_offsets=[0, 10**12]), description, data), "damaged")
    refused(assemble(saved, tensor(dtype="PICKLE"), description, data), "damaged")
    more = header | {"evil": {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}}
    refused(assemble(saved, more, description, data + bytes(4)), "belongs to no layer")
    renamed = {("other" if k == name else k): v for k, v in header.items()}
    refused(assemble(saved, renamed, description, data), "is missing|belongs to no layer")


def test_every_flipped_bit_is_found(saved: Path) -> None:
    files.save(mlp(), saved, {"mean": np.arange(3.0), "loss": SoftmaxCrossEntropy(), "names": ["a", "b"]})
    good, rng = saved.read_bytes(), np.random.default_rng(1)
    (length,) = struct.unpack("<Q", good[:8])
    header, everything = 8 * (8 + length), 8 * len(good)
    for at in [*rng.choice(header, 500, replace=False), *rng.choice(np.arange(header, everything), 100, replace=False)]:
        blob = bytearray(good)
        blob[at // 8] ^= 1 << (at % 8)
        saved.write_bytes(blob)
        with pytest.raises(ModelFileError, match=re.escape(str(saved))):
            files.load(saved)
    saved.write_bytes(good)
    files.load(saved)


def test_a_flipped_bit_of_a_weight_is_named_as_one(saved: Path) -> None:
    blob = bytearray(saved.read_bytes())
    blob[-5] ^= 1
    saved.write_bytes(blob)
    refused(saved, "checksum does not match.*Take another copy")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_only_old_files_may_lack_the_checksum(saved: Path, version: int) -> None:
    header, description, data = parts(saved)
    header["__metadata__"] = {"chainrule": json.dumps(description | {"format": version})}
    encoded = json.dumps(header).encode()
    saved.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    if version < 3:
        files.load(saved)
    else:
        refused(saved, "checksum")


def test_any_damage_is_found(saved: Path) -> None:
    files.save(mlp(), saved, {"mean": np.arange(3.0), "loss": SoftmaxCrossEntropy(), "names": ["a", "b"]})
    good, rng = saved.read_bytes(), np.random.default_rng(1)
    (length,) = struct.unpack("<Q", good[:8])
    for trial in range(600):
        blob = bytearray(good)
        if trial % 4 == 0:
            del blob[int(rng.integers(len(blob))) :]
        else:
            # Mostly in the header, where damage is not just another number.
            end = len(blob) if trial % 4 == 1 else 8 + length
            for _ in range(int(rng.integers(1, 4))):
                at = int(rng.integers(end))
                blob[at] = int(rng.integers(256)) if trial % 2 else int(rng.choice(list(b'0123456789"[]{}:,-eE')))
        saved.write_bytes(blob)
        if bytes(blob) != good:
            refused(saved, "model file")
