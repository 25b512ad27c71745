"""Typical models of Keras 3 of every family, saved by Keras and read here, beside what Keras computes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch")
pytest.importorskip("h5py")
keras = pytest.importorskip("keras", exc_type=ImportError)
pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
k = keras.layers
rng = np.random.default_rng(0)


def given(*shape: int, dtype: str = "float32") -> Any:
    return keras.Input(shape, dtype=dtype)


def cnn() -> Any:
    return keras.Sequential([
        given(16, 16, 3), k.Rescaling(1 / 2), k.Conv2D(4, 3, padding="same", activation="relu"),
        k.BatchNormalization(scale=False), k.MaxPooling2D(), k.SeparableConv2D(6, 3, activation="swish"),
        k.BatchNormalization(center=False), k.GlobalAveragePooling2D(), k.Dropout(0.2), k.Dense(3, activation="softmax"),
    ])  # fmt: skip


def branches() -> Any:
    x = given(12, 12, 3)
    a, b = k.Conv2D(4, 3, padding="same")(x), k.Conv2D(4, 1)(x)
    kinds = (k.Add, k.Multiply, k.Average, k.Maximum, k.Minimum, k.Subtract)
    y = k.Concatenate()([kind()([a, b]) for kind in kinds])
    return keras.Model(x, [k.Dense(2)(k.GlobalMaxPooling2D()(y)), k.Flatten()(a)])


def shared() -> Any:
    a, b, dense = given(8), given(8), k.Dense(5, activation="tanh")
    return keras.Model([a, b], k.Dense(1)(k.Subtract()([dense(a), dense(b)])))


def nested() -> Any:
    encoder = keras.Sequential(
        [given(8), k.Dense(6, activation="relu"), k.BatchNormalization(), k.Dense(4)], name="encoder"
    )  # fmt: skip
    a, b, inner = given(8), given(8), given(4)
    two = keras.Model(inner, [k.Dense(3)(inner), k.Dense(2)(inner)], name="two")
    first, second = two(encoder(a))
    return keras.Model([a, b], [k.Concatenate()([first, encoder(b)]), second])


def nested_in_a_list() -> Any:
    return keras.Sequential([given(8), keras.Sequential([k.Dense(4), k.LayerNormalization()]), k.Dense(2)])


def recurrent() -> Any:
    return keras.Sequential([
        given(7, 3), k.LSTM(4, return_sequences=True, use_bias=False, dropout=0.1, recurrent_dropout=0.1),
        k.GRU(5, return_sequences=True), k.Bidirectional(k.LSTM(3, return_sequences=True)),
        k.SimpleRNN(4, return_sequences=True, use_bias=False), k.TimeDistributed(k.Dense(3)),
        k.GRU(2, reset_after=False, go_backwards=True),
    ])  # fmt: skip


def merged() -> Any:
    both = k.Bidirectional(k.GRU(4, return_sequences=True, use_bias=False), merge_mode="sum")
    return keras.Sequential([given(7, 3), both, k.Bidirectional(k.LSTM(4), merge_mode="ave")])


def states() -> Any:
    x, y = given(5, 3), given(4, 2)
    _, h, c = k.LSTM(4, return_state=True)(x)
    return keras.Model([x, y], k.Dense(2)(k.LSTM(4, return_sequences=True)(y, initial_state=[h, c])))


def text() -> Any:
    x = given(9, dtype="int32")
    h = k.Bidirectional(k.LSTM(4))(k.Embedding(20, 6, mask_zero=True)(x))
    return keras.Model(x, k.Dense(1, activation="sigmoid")(h))


def transformer() -> Any:
    x = given(6, dtype="int32")
    h = k.Embedding(20, 8)(x)
    h = k.LayerNormalization(epsilon=1e-6)(h + k.MultiHeadAttention(2, 4)(h, h))
    f = k.Dense(8)(k.Dense(16, activation="gelu")(h))
    return keras.Model(x, k.Dense(3)(k.GlobalAveragePooling1D()(k.LayerNormalization()(k.Add()([h, f])))))


def heads() -> Any:
    q, v, mask = given(4, 6), given(5, 7), given(4, 5)
    return keras.Model([q, v, mask], [
        k.MultiHeadAttention(3, 2, use_bias=False)(q, v), k.MultiHeadAttention(2, 3)(q, v, attention_mask=mask),
        k.MultiHeadAttention(2, 3)(q, q, use_causal_mask=True),
    ])  # fmt: skip


def attention() -> Any:
    q, v = given(4, 6), given(5, 6)
    return keras.Model([q, v], k.Attention()([q, v]))


def norms() -> Any:
    x = given(4, 6, 8)
    kinds = (k.GroupNormalization(4), k.GroupNormalization(-1, scale=False), k.LayerNormalization(center=False))
    return keras.Model(x, [norm(x) for norm in kinds])


def cubes() -> Any:
    return keras.Sequential([
        given(4, 4, 4, 2), k.ZeroPadding3D(1), k.Conv3D(3, 2, activation="elu"), k.MaxPooling3D(1), k.UpSampling3D(2),
        k.Cropping3D(1), k.Conv3DTranspose(2, 2, strides=2, padding="same"), k.SpatialDropout3D(0.1), k.AveragePooling3D(2),
        k.GlobalAveragePooling3D(),
    ])  # fmt: skip


def lines() -> Any:
    return keras.Sequential([
        given(12, 3), k.Conv1D(4, 3, padding="causal", dilation_rate=2), k.PReLU(shared_axes=[1]), k.SeparableConv1D(5, 3),
        k.DepthwiseConv1D(3, padding="same"), k.UpSampling1D(2), k.ZeroPadding1D((1, 2)), k.Cropping1D(1), k.MaxPooling1D(2),
        k.Conv1DTranspose(3, 3, strides=2), k.GlobalMaxPooling1D(), k.RepeatVector(3), k.LSTM(2, return_sequences=True),
    ])  # fmt: skip


def unet() -> Any:
    x = given(16, 16, 3)
    a = k.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = k.LeakyReLU(negative_slope=0.1)(k.Conv2D(8, 3, strides=2, padding="same")(a))
    up = [k.Conv2DTranspose(4, 2, strides=2)(b), k.UpSampling2D(2, interpolation="bilinear")(b)]
    return keras.Model(x, k.Conv2D(2, 1, activation="sigmoid")(k.Concatenate()([a, *up])))


def mobile() -> Any:
    x = given(16, 16, 4)
    h = k.ReLU(6.0)(k.BatchNormalization()(k.Conv2D(8, 1, use_bias=False)(x)))
    h = k.ReLU()(k.DepthwiseConv2D(3, strides=2)(k.ZeroPadding2D(((0, 1), (0, 1)))(h)))
    gate = k.Conv2D(8, 1, activation="hard_sigmoid")(k.Reshape((1, 1, 8))(k.GlobalAveragePooling2D()(h)))
    return keras.Model(x, k.Dense(2)(k.Flatten()(k.AveragePooling2D(2)(k.Multiply()([h, gate])))))


def operators() -> Any:
    x, y = given(5), given(5)
    return keras.Model([x, y], k.Dense(2)((x * 2.0 + 1.0 - y) / 2.0 + (1.0 - x)))


def masked() -> Any:
    return keras.Sequential([given(6, 3), k.Masking(0.0), k.GRU(4), k.Dense(2)])


def dot() -> Any:
    a, b = given(4, 5), given(4, 5)
    return keras.Model([a, b], k.Dot(axes=2)([a, b]))


QUICK = [cnn, nested, transformer, states]
SLOW = [
    branches, shared, nested_in_a_list, recurrent, merged, text, heads, attention, norms, cubes, lines, unet, mobile,
    operators, masked, dot,
]  # fmt: skip


def filled(model: Any) -> Any:
    for weight in model.weights:
        if "seed" not in weight.path:
            values = rng.normal(0.1, 0.4, weight.shape)
            weight.assign((np.abs(values) + 0.5 if "variance" in weight.path else values).astype(np.float32))
    return model


def data(model: Any) -> list[np.ndarray]:
    found = []
    for place, tensor in enumerate(model.inputs):
        shape = (3, *tensor.shape[1:])
        if "int" in tensor.dtype:
            x = rng.integers(1, 20, shape)
            x[0, 4:] = 0
        elif place == 2:  # a mask, in which each query may look somewhere
            x = (rng.random(shape) > 0.3).astype(np.float32)
            x[..., 0] = 1
        else:
            x = rng.normal(size=shape).astype(np.float32)
        found.append(x)
    return found


@pytest.mark.parametrize("make", [*QUICK, *(pytest.param(f, marks=pytest.mark.slow) for f in SLOW)])
def test_a_saved_model_computes_the_same_here(make: Any, tmp_path: Path) -> None:
    model = filled(make())
    xs = data(model)
    if make is masked:
        xs[0][0, 4:] = xs[0][1, 2:] = 0
    one = xs if len(xs) > 1 else xs[0]
    wanted = model(one)
    wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        found = chainrule.load_keras(tmp_path / name).predict(one)
        for mine, theirs in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
            theirs = theirs.detach().cpu().numpy()
            assert mine.shape == theirs.shape
            assert np.abs(mine - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_what_would_be_another_answer_is_refused(tmp_path: Path) -> None:
    backwards = keras.Sequential([given(5, 2), k.GRU(3, go_backwards=True, return_sequences=True)])
    backwards.save(tmp_path / "m.keras")
    with pytest.raises(chainrule.errors.ModelFileError, match="gives the steps in reverse"):
        chainrule.load_keras(tmp_path / "m.keras")
    x, mask = given(5, 2), given(5)
    model = keras.Model([x, mask], k.GRU(3)(x, mask=mask))
    model.save(tmp_path / "m.keras")
    with pytest.raises(chainrule.errors.ModelFileError, match="a mask that is not one of padding"):
        chainrule.load_keras(tmp_path / "m.keras")
