"""ONNX in and out: every layer against ONNX Runtime, round trips, and files that are damaged or made to harm."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import chainrule
from chainrule import (
    GRU,
    LSTM,
    Bidirectional,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePool,
    Input,
    MaxPool2D,
    Network,
    ReLU,
    TransformerEncoderBlock,
)
from chainrule import layers as L
from chainrule.architectures import get_architecture
from chainrule.errors import ChainruleError, ModelFileError, NotFittedError
from chainrule.layers import BinaryConv2D, BinaryDense, Layer, Sign, StopGradient
from chainrule.plan import lower_prediction
from chainrule.sparsity import prune

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

_spec = importlib.util.spec_from_file_location("layers_table", Path(__file__).parents[1] / "unit" / "test_layers_all.py")
assert _spec is not None and _spec.loader is not None
_table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_table)


def run(path: Path, *xs: np.ndarray) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: x for i, x in zip(session.get_inputs(), xs, strict=True)})


def close(a: np.ndarray, b: np.ndarray, tolerance: float = 2e-5) -> bool:
    return a.shape == b.shape and float(np.abs(a - b).max()) <= tolerance * max(1e-6, float(np.abs(b).max()))


def filled(network: Network) -> Network:
    rng = np.random.default_rng(1)
    for array in network.parameters.values():
        array[...] = rng.normal(0.1, 0.4, array.shape)
    for array in network.states.values():
        array[...] = rng.uniform(0.5, 1.5, array.shape)
    return network


# ---------------------------------------------------------------- out


@pytest.mark.parametrize(
    ("layer", "shapes"), [*_table.CASES, *_table.AWAY_FROM_ZERO], ids=lambda v: repr(v).replace(" ", "")
)
def test_every_layer_is_written_as_it_computes(layer: Layer, shapes: tuple, tmp_path: Path) -> None:
    layer = copy.deepcopy(layer)
    limit, rng = layer.index_limit(), np.random.default_rng(0)
    tensors = [Input(s, dtype="float" if limit is None else "int") for s in shapes]
    network = filled(Network(inputs=tensors, outputs=layer(*tensors)).build())
    if limit is None:
        positive = (layer, shapes) in _table.AWAY_FROM_ZERO or type(layer).__name__ in {
            type(one).__name__ for one, _ in _table.AWAY_FROM_ZERO
        }
        xs = [(rng.uniform(0.4, 1.8, (5, *s)) * (1 if positive else rng.choice([-1, 1], (5, *s)))).astype(np.float32)
              for s in shapes]  # fmt: skip
    else:
        xs = [rng.integers(0, limit, (5, *s)).astype(np.int32) for s in shapes]
    compare_with_the_runtime(network, xs, tmp_path / "layer.onnx", layer)


#: Layers that cannot be written, and why.
NOT_WRITTEN = {
    "Noise": "it draws numbers anew at each prediction",
    "GraphConv": "its samples are the rows of one graph; a fixed number of samples is tested below",
}
#: Layers that are written and cannot be read again, and why.
NOT_READ_AGAIN = {
    "TimeDistributed": "a convolution of every step works on samples and steps that are joined",
    "ConvLSTM2D": "a convolution of every step works on samples and steps that are joined",
    "ConvGRU2D": "a convolution of every step works on samples and steps that are joined",
    "LearnedArray": "an output that no input changes is a constant of the file",
    "GaussianSample": "its prediction is its first input alone, so the file needs no second one",
}


def compare_with_the_runtime(network: Network, xs: list[np.ndarray], path: Path, layer: Layer) -> None:
    """The file computes what the network does, in ONNX Runtime and when it is read again."""
    name = type(layer).__name__
    if name in NOT_WRITTEN:
        with pytest.raises(ModelFileError, match="to_onnx"):
            network.to_onnx(path)
        return
    network.to_onnx(path)
    expected = network.predict(xs if len(xs) > 1 else xs[0])
    assert close(run(path, *xs)[0], expected)
    if name in NOT_READ_AGAIN:
        return
    again = chainrule.load_onnx(path)
    assert close(again.predict(xs if len(xs) > 1 else xs[0]), expected)


def kinds() -> dict[str, list[tuple[Layer, tuple]]]:
    """Some layers of every kind, with shapes that suit them, by the names of their classes."""
    found: dict[str, list[tuple[Layer, tuple]]] = {}
    for layer, shapes in [*_table.CASES, *_table.AWAY_FROM_ZERO]:
        found.setdefault(type(layer).__name__, []).append((layer, shapes))
    found |= {
        "BinaryDense": [(BinaryDense(3), ((4,),))],
        "BinaryConv2D": [(BinaryConv2D(3, 2), ((4, 3, 2),))],
        "Sign": [(Sign(), ((5,),))],
        "StopGradient": [(StopGradient(), ((3, 2),))],
    }
    return found


ELSEWHERE = {"GraphConv", "SpectralNorm", "Masking"}  # see the next tests but one


def test_every_layer_of_the_registry_is_compared() -> None:
    public = {n for n in L.__all__ if isinstance(getattr(L, n), type) and issubclass(getattr(L, n), Layer)}
    assert public - {"Layer", "Activation"} - ELSEWHERE == set(kinds())


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds())
@settings(
    max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)  # fmt: skip
@given(data=st.data())
def test_layers_of_random_shapes(kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Sizes that are equal in a layer's case stay equal, so that inputs still fit; 1 stays 1 where several inputs join."""
    layer, shapes = data.draw(st.sampled_from(kinds()[kind]))
    layer = copy.deepcopy(layer)
    single = len(shapes) == 1
    old = sorted({s for shape in shapes for s in shape if s > 1 or single})
    new = {s: data.draw(st.integers(1, 9)) for s in old} | ({} if single else {1: 1})
    drawn = tuple(tuple(new[s] for s in shape) for shape in shapes)
    batch, rng = data.draw(st.integers(1, 4)), np.random.default_rng(data.draw(st.integers(0, 99)))

    def built(shapes: tuple) -> Network:
        own = copy.deepcopy(layer)
        dtype = "float" if own.index_limit() is None else "int"
        tensors = [Input(s, dtype=dtype) for s in shapes]
        return filled(Network(inputs=tensors, outputs=own(*tensors)).build())

    try:
        network = built(drawn)
        lower_prediction(network, 2)
    except ChainruleError:  # the layer does not take these sizes
        drawn = shapes
        network = built(shapes)
    limit = layer.index_limit()
    if limit is None:
        xs = [rng.uniform(0.4, 1.8, (batch, *s)).astype(np.float32) for s in drawn]
    else:
        xs = [rng.integers(min(1, limit - 1), limit, (batch, *s)).astype(np.int32) for s in drawn]
    compare_with_the_runtime(network, xs, tmp_path_factory.mktemp("layer") / "layer.onnx", layer)


def test_graphs_are_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    joined = rng.random((6, 6)) < 0.4
    network = filled(Network([Input((4,)), L.GraphConv(3, (joined | joined.T).astype(float))], random_state=0).build())
    x = rng.normal(size=(6, 4)).astype(np.float32)
    network.to_onnx(tmp_path / "graph.onnx")
    assert close(run(tmp_path / "graph.onnx", x)[0], network.predict(x))


def test_masks_and_spectral_norms_are_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, lengths = Input((5, 3)), Input((), dtype="int")
    network = filled(Network(inputs=[x, lengths], outputs=LSTM(4)(L.Masking()(x, lengths))).build())
    given = [rng.normal(size=(4, 5, 3)).astype(np.float32), np.array([5, 2, 1, 4], np.int32)]
    network.to_onnx(tmp_path / "masks.onnx")
    assert close(run(tmp_path / "masks.onnx", *given)[0], network.predict(given))
    network = filled(Network([L.SpectralNorm(Conv2D(4, 3)), L.Flatten(), L.SpectralNorm(Dense(2))]).build((5, 5, 2)))
    image = rng.normal(size=(3, 5, 5, 2)).astype(np.float32)
    network.to_onnx(tmp_path / "norms.onnx")
    assert close(run(tmp_path / "norms.onnx", image)[0], network.predict(image))


@pytest.mark.parametrize("sparse", [False, True])
def test_pruned_and_binarised_weights(sparse: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 20)).astype(np.float32)
    network = prune(Network([Dense(40), ReLU(), Dense(3)], random_state=0).build((20,)), 0.9)
    path = tmp_path / "pruned.onnx"
    network.to_onnx(path, sparse=sparse)
    graph = onnx.load(path).graph
    assert ("0.dense.weight" in {t.values.name for t in graph.sparse_initializer}) == sparse
    assert close(run(path, x)[0], network.predict(x))
    assert close(chainrule.load_onnx(path).predict(x), network.predict(x), 1e-6)
    network = Network([BinaryDense(8), Sign(), BinaryDense(3)], random_state=0).build((20,))
    network.to_onnx(path, sparse=sparse)
    graph = onnx.load(path).graph
    assert [t.data_type for t in graph.initializer if "signs" in t.name] == [3, 3]  # one byte for each weight
    assert [node.op_type for node in graph.node].count("Sign") >= 2
    assert close(run(path, x)[0], network.predict(x))
    again = chainrule.load_onnx(path)
    assert close(again.predict(x), network.predict(x), 1e-6)
    assert any(isinstance(layer, Sign) for layer in again.layers.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "vgg_small", "resnet20", "mobilenet_small", "unet"])
def test_architectures_out_and_in(name: str, tmp_path: Path) -> None:
    network = filled(get_architecture(name)(4, input_shape=(32, 32, 3)).build())
    x = np.random.default_rng(2).normal(size=(3, 32, 32, 3)).astype(np.float32)
    network.to_onnx(tmp_path / "net.onnx")
    assert close(run(tmp_path / "net.onnx", x)[0], network.predict(x))
    assert close(chainrule.load_onnx(tmp_path / "net.onnx").predict(x), network.predict(x), 1e-6)
    network.to_onnx(tmp_path / "first.onnx", channels_first=True)
    found = run(tmp_path / "first.onnx", np.ascontiguousarray(x.transpose(0, 3, 1, 2)))[0]
    assert close(found.transpose(0, 2, 3, 1) if found.ndim == 4 else found, network.predict(x))


SEQUENCES = {
    "recurrent, free length": (
        [Input((None,), dtype="int"), Embedding(30, 8), LSTM(6, return_sequences=True), Bidirectional(GRU(5)), Dense(3)],
        lambda rng: rng.integers(0, 30, (4, 11)).astype(np.int32),
    ),
    "transformer": (
        [Input((9, 8)), TransformerEncoderBlock(8, heads=2), GlobalAveragePool(), Dense(3)],
        lambda rng: rng.normal(size=(4, 9, 8)).astype(np.float32),
    ),
    "transformer, free length": (
        [Input((None, 8)), TransformerEncoderBlock(8, heads=2), GlobalAveragePool(), Dense(3)],
        lambda rng: rng.normal(size=(4, 13, 8)).astype(np.float32),
    ),
    "pictures of any size": (
        [Input((None, None, 3)), Conv2D(4, 3, padding="same"), ReLU(), MaxPool2D(2), GlobalAveragePool(), Dense(3)],
        lambda rng: rng.normal(size=(4, 12, 10, 3)).astype(np.float32),
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_free_sizes_stay_free(name: str, tmp_path: Path) -> None:
    layers, make = SEQUENCES[name]
    network = Network(copy.deepcopy(layers), random_state=0).build()
    x = make(np.random.default_rng(0))
    network.to_onnx(tmp_path / "net.onnx")
    assert close(run(tmp_path / "net.onnx", x)[0], network.predict(x))
    assert close(chainrule.load_onnx(tmp_path / "net.onnx").predict(x), network.predict(x))


def test_padding_of_sequences_is_written(tmp_path: Path) -> None:
    layers = [Input((7,), dtype="int"), Embedding(30, 8, padding=0), LSTM(6, return_sequences=True), GRU(5), Dense(3)]
    network = Network(layers, random_state=0).build()
    rng = np.random.default_rng(0)
    x = np.where(np.arange(7) < rng.integers(2, 7, (6, 1)), rng.integers(1, 30, (6, 7)), 0).astype(np.int32)
    network.to_onnx(tmp_path / "net.onnx")
    assert close(run(tmp_path / "net.onnx", x)[0], network.predict(x))


def test_probabilities_and_metadata(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype(np.float32)
    network = Network([Dense(8), ReLU(), Dense(3)], random_state=0)
    with pytest.raises(NotFittedError, match="to_onnx"):
        network.to_onnx(tmp_path / "net.onnx")
    network.fit(X, (X[:, 0] > 0) + (X[:, 1] > 0).astype(int), epochs=2, verbose=0, engine="reference")
    network.to_onnx(tmp_path / "net.onnx", probabilities=True, metadata={"classes": "a,b,c"})
    found = run(tmp_path / "net.onnx", X)[0]
    assert np.allclose(found, network.loss_.prediction(network.predict(X)), atol=1e-6)
    model = onnx.load(tmp_path / "net.onnx")
    assert {p.key: p.value for p in model.metadata_props} == {"classes": "a,b,c"}


# ---------------------------------------------------------------- in


def model_of(nodes: list, arrays: dict[str, np.ndarray], inputs: dict[str, tuple], outputs: list[str], version: int = 13):
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(n, 1, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, 1, None) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    model.ir_version = 8
    return model


def saved(tmp_path: Path, *args, **kwargs) -> Path:
    path = tmp_path / "made.onnx"
    path.write_bytes(model_of(*args, **kwargs).SerializeToString())
    return path


def both(path: Path, x: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
    network = chainrule.load_onnx(path, **options)
    images = x.ndim == 4 and network.input_shapes[0] == (*x.shape[2:], x.shape[1])
    ours = network.predict(np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if images else x)
    theirs = run(path, x)[0]
    if ours.ndim == 4 and ours.shape != theirs.shape:
        ours = ours.transpose(0, 3, 1, 2)
    return ours, theirs


def node(op: str, inputs: list[str], outputs: list[str], **attributes):
    from onnx import helper

    return helper.make_node(op, inputs, outputs, name=f"{op}_{outputs[0]}", **attributes)


def test_a_flattened_image_meets_its_weights_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(4, 3, 3, 3)), "d": rng.normal(size=(4 * 3 * 4, 5))}
    nodes = [
        node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["r"]), node("Flatten", ["r"], ["f"]),
        node("Tanh", ["f"], ["t"]), node("MatMul", ["t", "d"], ["y"]),
    ]  # fmt: skip
    path = saved(tmp_path, nodes, {n: a.astype(np.float32) for n, a in arrays.items()}, {"x": ("N", 3, 5, 6)}, ["y"])
    ours, theirs = both(path, rng.normal(size=(2, 3, 5, 6)).astype(np.float32))
    assert close(ours, theirs)
    assert not any(type(layer).__name__ == "Permute" for layer in chainrule.load_onnx(path).layers.values())


def test_a_flattened_image_that_no_product_takes_keeps_the_file_s_order(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    path = saved(tmp_path, [node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
                            node("Flatten", ["p"], ["y"])], {}, {"x": ("N", 3, 4, 4)}, ["y"])  # fmt: skip
    ours, theirs = both(path, x)
    assert np.array_equal(ours, theirs)


def test_shape_arithmetic_is_done_at_import(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "zero": np.array(0),
        "one": np.array([-1]),
        "axes": np.array([0]),
        "w": rng.normal(size=(12, 2)).astype(np.float32),
    }
    nodes = [
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"], axis=0), node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "one"], ["target"], axis=0), node("Reshape", ["x", "target"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]  # fmt: skip
    path = saved(tmp_path, nodes, arrays, {"x": ("N", 3, 4)}, ["y"])
    ours, theirs = both(path, rng.normal(size=(5, 3, 4)).astype(np.float32))
    assert close(ours, theirs)


def test_attention_written_as_products(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {n: rng.normal(size=(8, 8)).astype(np.float32) for n in "qkv"}
    arrays |= {"split": np.array([0, 5, 2, 4]), "join": np.array([0, 5, 8]), "scale": np.array(0.5, np.float32)}
    nodes = []
    for n, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        nodes += [
            node("MatMul", ["x", n], [f"{n}0"]), node("Reshape", [f"{n}0", "split"], [f"{n}1"]),
            node("Transpose", [f"{n}1"], [f"{n}2"], perm=perm),
        ]  # fmt: skip
    nodes += [
        node("MatMul", ["q2", "k2"], ["s"]), node("Mul", ["s", "scale"], ["s1"]), node("Softmax", ["s1"], ["p"], axis=-1),
        node("MatMul", ["p", "v2"], ["o"]), node("Transpose", ["o"], ["o1"], perm=[0, 2, 1, 3]),
        node("Reshape", ["o1", "join"], ["y"]),
    ]  # fmt: skip
    path = saved(tmp_path, nodes, arrays, {"x": ("N", 5, 8)}, ["y"])
    ours, theirs = both(path, rng.normal(size=(3, 5, 8)).astype(np.float32))
    assert close(ours, theirs)


def test_what_was_read_trains_and_is_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(6, 4)).astype(np.float32), "b": np.zeros(4, np.float32)}
    arrays |= {"v": rng.normal(size=(3, 4)).astype(np.float32), "c": np.zeros(3, np.float32)}
    nodes = [
        node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["a"]), node("Relu", ["a"], ["r"]),
        node("Gemm", ["r", "v", "c"], ["y"], transB=1),
    ]  # fmt: skip
    network = chainrule.load_onnx(saved(tmp_path, nodes, arrays, {"x": (1, 6)}, ["y"]))
    assert [type(layer).__name__ for layer in network.layers.values()] == ["Dense", "ReLU", "Dense"]
    X = rng.normal(size=(80, 6)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    before = network.evaluate(X, y, loss="softmax_cross_entropy")["loss"]
    network.fit(X, y, epochs=20, learning_rate=0.05, verbose=0, engine="reference")
    assert network.evaluate(X, y)["loss"] < before
    network.save(tmp_path / "net.chainrule")
    assert close(chainrule.load(tmp_path / "net.chainrule").predict(X), network.predict(X), 1e-5)


def test_unknown_nodes_are_named_with_their_number(tmp_path: Path) -> None:
    nodes = [node("Det", ["x"], ["a"]), node("Relu", ["a"], ["b"]), node("NonZero", ["b"], ["y"])]
    path = saved(tmp_path, nodes, {}, {"x": ("N", 3, 3)}, ["y"])
    with pytest.raises(ModelFileError, match=r"(?s)no counterpart.*Det: 1 \(Det_a\).*NonZero: 1"):
        chainrule.load_onnx(path)


def test_files_that_are_damaged_or_made_to_harm(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    path = tmp_path / "x.onnx"
    with pytest.raises(ModelFileError, match="cannot be read"):
        chainrule.load_onnx(path)
    for data in (b"", b"hello", b"\x00" * 100, np.random.default_rng(0).bytes(2000)):
        path.write_bytes(data)
        with pytest.raises(ModelFileError):
            chainrule.load_onnx(path)
    relu = node("Relu", ["x"], ["y"])
    good = model_of([relu], {}, {"x": ("N", 3)}, ["y"])
    path.write_bytes(good.SerializeToString()[:-20])
    with pytest.raises(ModelFileError):
        chainrule.load_onnx(path)

    def broken(change) -> None:
        model = copy.deepcopy(good)
        change(model)
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelFileError):
            chainrule.load_onnx(path)

    broken(lambda m: m.graph.node.append(node("Relu", ["x"], ["y"])))  # made twice
    broken(lambda m: m.graph.node[0].input.__setitem__(0, "y"))  # a cycle
    broken(lambda m: m.graph.node[0].input.__setitem__(0, "nowhere"))
    broken(lambda m: m.opset_import[0].__setattr__("version", 3))
    broken(lambda m: m.opset_import[0].__setattr__("version", 999))
    broken(lambda m: (m.graph.node[0].__setattr__("domain", "foreign"), m.opset_import.add(domain="foreign", version=1)))
    twice = TensorProto(name="w", data_type=1, dims=[1, 3], float_data=[1, 2, 3])
    broken(lambda m: (m.graph.initializer.extend([twice, twice]), m.graph.node[0].CopyFrom(node("Add", ["x", "w"], ["y"]))))
    huge = TensorProto(name="w", data_type=1, dims=[10**6, 10**6])
    broken(lambda m: (m.graph.initializer.append(huge), m.graph.node[0].CopyFrom(node("Add", ["x", "w"], ["y"]))))
    away = TensorProto(name="w", data_type=1, dims=[1, 3], data_location=TensorProto.EXTERNAL)
    away.external_data.add(key="location", value="../secret")
    (tmp_path.parent / "secret").write_bytes(b"\0" * 12)
    broken(lambda m: (m.graph.initializer.append(away), m.graph.node[0].CopyFrom(node("Add", ["x", "w"], ["y"]))))
    bomb = helper.make_tensor("big", 7, [1], [10**13])
    broken(lambda m: (m.graph.initializer.append(bomb), m.graph.node.insert(0, node("ConstantOfShape", ["big"], ["w"])),
                      m.graph.node[1].CopyFrom(node("Add", ["x", "w"], ["y"]))))  # fmt: skip


def test_every_truncation_is_one_clear_error(tmp_path: Path) -> None:
    whole = model_of([node("Gemm", ["x", "w"], ["y"])], {"w": np.ones((3, 2), np.float32)}, {"x": ("N", 3)}, ["y"])
    data, path = whole.SerializeToString(), tmp_path / "cut.onnx"
    for end in range(0, len(data), 3):
        path.write_bytes(data[:end])
        try:
            chainrule.load_onnx(path)
        except ModelFileError:
            continue


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("output", [0, 1])
def test_recurrent_layers_of_other_libraries(kind: str, direction: str, output: int, tmp_path: Path) -> None:
    rng, ways, hidden = np.random.default_rng(0), 2 if direction == "bidirectional" else 1, 4
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    arrays = {
        "w": rng.normal(size=(ways, gates * hidden, 3)), "r": rng.normal(size=(ways, gates * hidden, hidden)),
        "b": rng.normal(size=(ways, 2 * gates * hidden)),
    }  # fmt: skip
    extra = {"linear_before_reset": 1} if kind == "GRU" and direction == "forward" else {}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node(kind, ["t", "w", "r", "b"], ["y0", "y1"], hidden_size=hidden, direction=direction, **extra),
        node("Transpose", [f"y{output}"], ["y"], perm=[2, 0, 1, 3] if output == 0 else [1, 0, 2]),
    ]  # fmt: skip
    path = saved(tmp_path, nodes, {n: a.astype(np.float32) for n, a in arrays.items()}, {"x": ("N", 6, 3)}, ["y"])
    ours, theirs = both(path, rng.normal(size=(5, 6, 3)).astype(np.float32))
    assert close(ours, theirs)


@pytest.mark.slow
def test_recurrent_nodes_with_lengths_first_states_and_peepholes(tmp_path: Path) -> None:
    """All outputs of both directions, of sequences that stand on the second axis."""
    from onnx import helper, numpy_helper

    rng, hidden = np.random.default_rng(0), 3
    arrays = {
        "w": rng.normal(size=(2, 12, 2)), "r": rng.normal(size=(2, 12, 3)), "b": rng.normal(size=(2, 24)),
        "p": rng.normal(size=(2, 9)),
    }  # fmt: skip
    nodes = [
        node(
            "LSTM",
            ["x", "w", "r", "b", "n", "h", "c", "p"],
            ["y", "yh", "yc"],
            hidden_size=hidden,
            direction="bidirectional",
        )
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", 1, ("T", "N", 2)), helper.make_tensor_value_info("n", 6, ("N",)),
         *(helper.make_tensor_value_info(s, 1, (2, "N", 3)) for s in "hc")],
        [helper.make_tensor_value_info(o, 1, None) for o in ("y", "yh", "yc")],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 7
    path = tmp_path / "lstm.onnx"
    path.write_bytes(model.SerializeToString())
    x, n = rng.normal(size=(5, 4, 2)).astype(np.float32), np.array([5, 2, 1, 4], np.int32)
    h, c = (rng.normal(size=(2, 4, 3)).astype(np.float32) for _ in range(2))
    wanted = run(path, x, n, h, c)
    network = chainrule.load_onnx(path)
    found = network.predict([x.swapaxes(0, 1), n, h.swapaxes(0, 1), c.swapaxes(0, 1)])
    # (steps, directions, samples, units) there, samples first here
    assert close(found[0], wanted[0].transpose(2, 0, 1, 3))
    for mine, theirs in zip(found[1:], wanted[1:], strict=True):
        assert close(mine, theirs.swapaxes(0, 1))
