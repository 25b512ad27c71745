"""Weights out as PyTorch and Keras have them, and in again."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Input,
    MaxPool2D,
    Network,
    PReLU,
    ReLU,
    SimpleRNN,
)
from chainrule.architectures import efficientnet_lite0, get_architecture, minilm, resnet20, squeezenet
from chainrule.errors import ModelFileError, ParameterError, ShapeError
from chainrule.layers import Layer, MultiHeadAttention

_spec = importlib.util.spec_from_file_location("layers_table", Path(__file__).parents[1] / "unit" / "test_layers_all.py")
assert _spec is not None and _spec.loader is not None
_table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_table)


def filled(network: Network, seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    for array in network.parameters.values():
        array[...] = rng.normal(0.1, 0.4, array.shape)
    for array in network.states.values():
        array[...] = rng.uniform(0.5, 1.5, array.shape)
    return network


def same(one: Network, other: Network) -> bool:
    both = [*zip(one.parameters.items(), other.parameters.items(), strict=True)]
    both += [*zip(one.states.items(), other.states.items(), strict=True)]
    return all(n == m and np.allclose(a, b, atol=1e-6) for (n, a), (m, b) in both)


WITH_WEIGHTS = [
    (layer, shapes)
    for layer, shapes in [*_table.CASES, *_table.AWAY_FROM_ZERO]
    if layer.parameters(*[(5, *s) for s in shapes]) or layer.states(*[(5, *s) for s in shapes])
]


@pytest.mark.parametrize("layout", ["torch", "keras"])
@pytest.mark.parametrize(("layer", "shapes"), WITH_WEIGHTS, ids=lambda v: repr(v).replace(" ", ""))
def test_every_layer_comes_back(layer: Layer, shapes: tuple, layout: str, tmp_path: Path) -> None:
    def made() -> Network:
        own = copy.deepcopy(layer)
        tensors = [Input(s, dtype="float" if own.index_limit() is None else "int") for s in shapes]
        return Network(inputs=tensors, outputs=own(*tensors), random_state=0).build()

    network = filled(made())
    if layout == "torch" and isinstance(layer, GRU) and layer.reset == "before":
        with pytest.raises(ModelFileError, match="resets after"):
            network.save_weights(tmp_path / "w.safetensors", layout=layout)
        return
    if isinstance(layer, LSTM) and (layer.peepholes or (layout == "keras" and layer.projection)):
        with pytest.raises(ModelFileError, match="peepholes"):
            network.save_weights(tmp_path / "w.safetensors", layout=layout)
        return
    network.save_weights(tmp_path / "w.safetensors", layout=layout)
    again = made()
    again.load_weights(tmp_path / "w.safetensors")
    assert same(network, again)


ARCHITECTURES: dict[str, Any] = {
    "lenet5": lambda: get_architecture("lenet5")(4, input_shape=(28, 28, 1)),
    "vgg_small": lambda: get_architecture("vgg_small")(4, input_shape=(8, 8, 3)),
    "resnet20": lambda: resnet20(4, input_shape=(8, 8, 3)),
    "mobilenet_small": lambda: get_architecture("mobilenet_small")(4, input_shape=(16, 16, 3)),
    "unet": lambda: get_architecture("unet")(4, input_shape=(8, 8, 3), channels=(4, 8)),
    "squeezenet": lambda: squeezenet(4, input_shape=(32, 32, 3)),
    "efficientnet_lite0": lambda: efficientnet_lite0(4, input_shape=(32, 32, 3)),
    "minilm": lambda: minilm(3, vocabulary=50, width=8, depth=2, heads=2, hidden=16, length=20),
}


LARGE = ("resnet20", "squeezenet", "efficientnet_lite0")


@pytest.mark.parametrize("layout", ["torch", "keras"])
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in ARCHITECTURES])
def test_ready_architectures_come_back(name: str, layout: str, tmp_path: Path) -> None:
    network, again = filled(ARCHITECTURES[name]()), ARCHITECTURES[name]()
    if name == "minilm":  # the vector of padding is always zero
        network.parameters["embeddings.tokens.weight"][0] = 0
    matches = network.save_weights(tmp_path / "w.safetensors", layout=layout)
    assert again.load_weights(tmp_path / "w.safetensors")
    assert same(network, again) and matches


def test_names_are_those_of_torchvision_and_hugging_face(tmp_path: Path) -> None:
    def names(name: str) -> set[str]:
        ARCHITECTURES[name]().save_weights(tmp_path / "w.safetensors")
        return set(chainrule.load_torch(tmp_path / "w.safetensors"))

    known = names("squeezenet")
    assert {"features.0.weight", "features.3.squeeze.bias", "features.12.expand3x3.weight", "classifier.1.bias"} <= known
    assert len(known) == 52
    known = names("resnet20")
    assert {"conv1.weight", "bn1.running_var", "layer1.2.bn2.weight", "layer2.0.downsample.0.weight", "fc.bias"} <= known
    assert "layer1.0.downsample.0.weight" not in known and "layer3.1.downsample.0.weight" not in known
    known = names("minilm")
    assert {"embeddings.token_type_embeddings.weight", "encoder.layer.1.attention.self.key.bias"} <= known
    known = names("efficientnet_lite0")
    assert {"_conv_stem.weight", "_blocks.15._project_conv.weight", "_fc.weight"} <= known
    assert {"0.weight", "3.weight", "11.bias"} <= names("lenet5")


@pytest.mark.peer
def test_torch_computes_the_same_with_what_was_written(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file
    from torch import nn

    layers = [
        Input((6, 6, 2)), Conv2D(3, 3, padding=1), BatchNorm(), PReLU(), DepthwiseConv2D(3, multiplier=2), ReLU(),
        MaxPool2D(2), Flatten(), Dense(5),
    ]  # fmt: skip
    network = filled(Network(layers, random_state=0).build())
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.PReLU(3), nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 5),
    ).eval()  # fmt: skip
    network.save_weights(tmp_path / "w.safetensors")
    module.load_state_dict(load_file(tmp_path / "w.safetensors"))
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    module.eval()
    assert np.allclose(network.predict(x), wanted, atol=1e-4)


@pytest.mark.peer
def test_torch_reads_recurrent_layers_and_attention(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file
    from torch import nn

    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    for ours, theirs in ((LSTM(6, return_sequences=True), nn.LSTM), (GRU(6, return_sequences=True), nn.GRU),
                         (SimpleRNN(6, return_sequences=True), nn.RNN)):  # fmt: skip
        network = filled(Network([Input((5, 4)), Bidirectional(ours)], random_state=0).build())
        names = {call.name: "rnn" for call in network.calls if call.layer.parameters((1, 5, 4))}
        network.save_weights(tmp_path / "w.safetensors", names=names)
        module = nn.ModuleDict({"rnn": theirs(4, 6, batch_first=True, bidirectional=True)})
        module.load_state_dict(load_file(tmp_path / "w.safetensors"))
        with torch.no_grad():
            wanted = module["rnn"](torch.from_numpy(x))[0].numpy()
        assert np.allclose(network.predict(x), wanted, atol=1e-5)
        again = Network([Input((5, 4)), Bidirectional(type(ours)(6, return_sequences=True))], random_state=3).build()
        again.load_weights(tmp_path / "w.safetensors", names=names)
        assert same(network, again)
    network = filled(Network([Input((5, 4)), MultiHeadAttention(2)], random_state=0).build())
    network.save_weights(tmp_path / "w.safetensors")
    module = nn.Sequential(nn.MultiheadAttention(4, 2, batch_first=True))
    module.load_state_dict(load_file(tmp_path / "w.safetensors"))
    with torch.no_grad():
        wanted = module[0](*[torch.from_numpy(x)] * 3)[0].numpy()
    assert np.allclose(network.predict(x), wanted, atol=1e-5)


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")  # of Keras's own
def test_keras_computes_the_same_with_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    inputs = keras.Input((8, 8, 2))
    h = keras.layers.Conv2D(3, 3)(inputs)
    h = keras.layers.BatchNormalization(epsilon=1e-5)(h)
    h = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(h)
    h = keras.layers.Flatten()(h)
    model = keras.Model(inputs, keras.layers.Dense(5)(h))
    layers = [Input((8, 8, 2)), Conv2D(3, 3), BatchNorm(), DepthwiseConv2D(3, multiplier=2), Flatten(), Dense(5)]
    network = filled(Network(layers, random_state=0).build())
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 2)).astype(np.float32)
    check_keras(tmp_path, network, model, x)
    for ours, theirs in ((LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU), (SimpleRNN, keras.layers.SimpleRNN)):
        inputs = keras.Input((5,))
        model = keras.Model(inputs, theirs(6)(keras.layers.Embedding(9, 4)(inputs)))
        network = filled(Network([Input((5,), dtype="int"), Embedding(9, 4), ours(6)], random_state=0).build())
        check_keras(tmp_path, network, model, np.random.default_rng(0).integers(0, 9, (3, 5)).astype(np.int32))
    inputs = keras.Input((5, 4))
    attention = keras.layers.MultiHeadAttention(2, 2)(inputs, inputs)
    model = keras.Model(
        inputs, keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization(epsilon=1e-5)(attention))
    )
    layers = [Input((5, 4)), MultiHeadAttention(2), chainrule.layers.LayerNorm(), GlobalAveragePool()]
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    check_keras(tmp_path, filled(Network(layers, random_state=0).build()), model, x)


def check_keras(tmp_path: Path, network: Network, model: Any, x: np.ndarray) -> None:
    """Keras's names end in numbers that count all models of the process, so its layers are named anew by their class."""
    network.save_weights(tmp_path / "w.safetensors", layout="keras")
    tensors = chainrule.load_torch(tmp_path / "w.safetensors")
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = type(layer).__name__
        counts[kind] = counts.get(kind, -1) + 1
        for variable in layer.weights:
            own = variable.path.split("/", 1)[1]
            base = layer.name.rstrip("0123456789").rstrip("_") if layer.name.rsplit("_", 1)[-1].isdigit() else layer.name
            name = f"{base}_{counts[kind]}" if counts[kind] else base
            variable.assign(tensors.pop(f"{name}/{own}"))
    assert not tensors
    assert np.allclose(network.predict(x), np.asarray(model.predict(x, verbose=0)), atol=1e-4)


def test_what_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    network = Network([Input((3,)), Dense(2), Dense(2)], random_state=0).build()
    path = tmp_path / "w.safetensors"
    with pytest.raises(ParameterError, match="layout must be"):
        network.save_weights(path, layout="kera")
    with pytest.raises(ParameterError, match=r"must end with \.safetensors"):
        network.save_weights(tmp_path / "w.pt")
    with pytest.raises(ParameterError, match=r"no such layer.*Did you mean"):
        network.save_weights(path, names={"0.dens": "a"})
    with pytest.raises(ParameterError, match=r"nothing for 1\.dense"):
        network.save_weights(path, names={"0.dense": "a"})
    with pytest.raises(ParameterError, match="twice"):
        network.save_weights(path, names=lambda layer: "a")
    assert not path.exists()
    network.save_weights(path, names={"0.dense": "a", "1.dense": "b"})
    with pytest.raises(ShapeError, match="do not fit"):
        network.load_weights(path, names={"0.dense": "b", "1.dense": "a"})
