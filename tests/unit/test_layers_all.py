"""One table drives all layers: their equations, shapes and hyperparameters."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chainrule import layers
from chainrule.errors import ParameterError, ShapeError, UnknownNameError
from chainrule.layers import (
    ELU,
    GELU,
    SELU,
    Activation,
    Add,
    BatchNorm,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GroupNorm,
    HardSigmoid,
    Identity,
    InstanceNorm,
    Layer,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Multiply,
    PReLU,
    ReLU,
    Reshape,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
    get_activation,
)
from chainrule.network import NetworkGraph
from chainrule.registry import from_config, to_config
from chainrule.testing import check_layer

ELEMENTWISE = [
    Identity(),
    ReLU(),
    Sigmoid(),
    Tanh(),
    LeakyReLU(),
    LeakyReLU(0.3),
    LeakyReLU(0.0),
    PReLU(),
    PReLU(shared=True),
    PReLU(init=-0.5),
    RReLU(),
    RReLU(0.2, high=0.2),
    Softplus(),
    ELU(),
    ELU(0.5),
    ELU(0.0),
    SELU(),
    GELU(),
    SiLU(),
    Softsign(),
    HardSigmoid(),
    layers.HardSwish(),
    layers.Mish(),
    layers.ReLU6(),
    layers.Clip(-0.5, 0.7),
    layers.Clip(high=0.3),
    layers.Clip(-0.2),
    layers.Exponential(),
    layers.Square(),
    layers.ErrorFunction(),
    layers.Sine(),
    layers.Cosine(),
    layers.Absolute(),
    layers.Rescale(0.5, -2),
    layers.Rescale(offset=1),
    layers.Rescale(),
    Softmax(),
    LogSoftmax(),
    Dropout(0.0),
    Dropout(0.4),
    Flatten(),
]
CASES: list[tuple[Layer, tuple[tuple[int, ...], ...]]] = [
    *((layer, (shape,)) for layer in ELEMENTWISE for shape in ((1,), (7,), (3, 2, 5))),
    *((layer, ((),)) for layer in (Sigmoid(), Dropout(0.5), Flatten())),
    *((Dense(3), (shape,)) for shape in ((1,), (5,), (2, 4), (2, 1, 3))),
    (Dense(1, bias=False), ((6,),)),
    (Dense(4, weight_init="orthogonal", bias_init="ones"), ((3,),)),
    (Reshape(6), ((2, 3),)),
    (Reshape((3, -1)), ((2, 3),)),
    (Reshape((1, 2, 3)), ((6,),)),
    (Reshape((-1,)), ((),)),
    *((Embedding(5, 3), (shape,)) for shape in ((), (1,), (4,), (2, 3))),
    (Embedding(1, 1), ((2,),)),
    (Add(), ((3,), (3,))),
    (Add(), ((2, 3), (1, 3), (2, 1))),
    (Add(broadcast=False), ((2, 3), (2, 3))),
    (Multiply(), ((3,), (3,))),
    (Multiply(), ((2, 3), (2, 3), (1, 1), (1, 3))),
    (Multiply(), ((4,), (4,), (4,), (4,), (4,))),
    *(
        (layers.MatMul(transpose_a=a, transpose_b=b), ((3, 2) if a else (2, 3), (4, 3) if b else (3, 4)))
        for a in (False, True)
        for b in (False, True)
    ),
    (layers.MatMul(), ((2, 1, 3), (2, 3, 1))),
    (layers.Average(), ((3,), (3,), (3,))),
    (layers.Average(), ((2, 3), (1, 3))),
    (layers.Subtract(), ((2, 3), (1, 3))),
    (layers.Subtract(), ((1, 3), (2, 1))),
    (layers.Maximum(), ((2, 3), (1, 3), (2, 1))),
    (layers.Minimum(), ((4,), (4,))),
    (layers.Minimum(), ((2, 3), (2, 3), (2, 3))),
    *(
        (layers.Scale(weight=w, bias=b), (shape,))
        for w, b in ((True, True), (True, False), (False, True))
        for shape in ((5,), (2, 3))
    ),
    (layers.Scale((2, 1)), ((2, 3),)),
    *((layers.Scale(weight=w, bias=b, fixed=True), ((2, 3),)) for w, b in ((True, True), (True, False), (False, True))),
    (layers.Where(), ((2, 3), (2, 3), (2, 3))),
    (layers.Where(), ((1, 3), (2, 3), (2, 1))),
    *((layers.Compare(op, 0.2), ((5,),)) for op in ("greater", "greater_equal", "less", "less_equal", "equal")),
    *((layers.Compare(op), ((2, 3), (1, 3))) for op in ("greater", "less_equal", "equal")),
    (layers.Scale((3, 1, 1)), ((3, 2, 2),)),
    (layers.Scale((4,)), ((3, 2, 4),)),
    (layers.Permute((1,)), ((3,),)),
    (layers.Permute((2, 1)), ((3, 2),)),
    (layers.Permute((3, 1, 2)), ((3, 2, 4),)),
    (layers.Slice(1, 1, 3), ((4,),)),
    (layers.Slice(-1, -2), ((2, 3),)),
    (layers.Slice(1, 0, -1), ((3, 2, 2),)),
    *(
        (kind(axes, keepdims=keep), ((2, 3, 4),))
        for kind in (layers.ReduceSum, layers.ReduceMean, layers.ReduceMax)
        for axes, keep in ((-1, False), ((1, 2), True), ((1, 3), False))
    ),
    (layers.ReduceMean(1), ((1,),)),
    *((layers.RMSNorm(), (shape,)) for shape in ((7,), (3, 4))),
    (layers.RMSNorm(epsilon=0.1), ((2, 3, 5),)),
    (layers.LocalResponseNorm(3, alpha=0.5, beta=0.6, kappa=2.0), ((2, 2, 5),)),
    (layers.LocalResponseNorm(4, alpha=0.9), ((6,),)),
    (layers.LocalResponseNorm(5, alpha=1.0), ((2, 3),)),
    (layers.DepthToSpace(2), ((2, 3, 8),)),
    (layers.DepthToSpace(2, order="block_first"), ((1, 2, 12),)),
    (layers.Padding2D(1), ((3, 2, 2),)),
    (layers.Padding2D(((2, 0), (1, 2)), mode="replicate"), ((3, 2, 2),)),
    (layers.Padding2D((0, 1), mode="constant", value=0.5), ((2, 3, 1),)),
    (layers.Padding2D(0), ((2, 3, 1),)),
    *(
        (layers.Resize2D((4, 2), method=m, coordinates=c), ((3, 3, 2),))
        for m in ("nearest", "bilinear", "bicubic")
        for c in ("half_pixel", "align_corners", "asymmetric")
    ),
    *((layers.Resize2D((5, 2), method="nearest", rounding=r), ((2, 3, 1),)) for r in ("round_down", "floor", "ceil")),
    (layers.Resize2D(scale=(1.5, 0.5)), ((4, 4, 2),)),
    (layers.Resize2D((2, 5), method="area"), ((3, 3, 1),)),
    (Concat(), ((3,), (1,))),
    (Concat(), ((2, 3), (2, 1), (2, 4))),
    (Concat(1), ((3, 2), (1, 2))),
    (Concat(-2), ((3, 2), (1, 2), (1, 2))),
    *((BatchNorm(), (shape,)) for shape in ((1,), (7,), (3, 4), (2, 3, 5))),
    (BatchNorm(momentum=0.5, epsilon=0.1, affine=False), ((3, 4),)),
    *((LayerNorm(), (shape,)) for shape in ((7,), (3, 4), (2, 3, 5))),
    (LayerNorm(2), ((3, 2, 4),)),
    (LayerNorm(3, affine=False), ((3, 2, 4),)),
    *((GroupNorm(2), (shape,)) for shape in ((6,), (3, 4), (2, 3, 6))),
    (GroupNorm(1), ((3, 4),)),
    (GroupNorm(3, affine=False), ((2, 2, 6),)),
    *((InstanceNorm(), (shape,)) for shape in ((4, 3), (2, 3, 1))),
    (InstanceNorm(affine=False), ((4, 3),)),
    # Those on images, one of each kind; see test_layers_convolution.py for their geometries.
    (layers.Conv1D(3, 2), ((4, 2),)),
    (layers.Conv2D(2, (2, 3), stride=2, padding="same"), ((4, 3, 2),)),
    (layers.Conv3D(2, 2, padding=(0, (1, 0), 0), groups=2), ((2, 2, 3, 2),)),
    (layers.ConvTranspose1D(2, 3, stride=2, output_padding=1), ((3, 2),)),
    (layers.ConvTranspose2D(2, 2, bias=False), ((2, 3, 1),)),
    (layers.ConvTranspose3D(2, 2, stride=(1, 2, 1)), ((2, 2, 3, 2),)),
    (layers.DepthwiseConv2D(2, multiplier=2), ((3, 3, 2),)),
    (layers.MaxPool1D(2), ((4, 2),)),
    (layers.MaxPool2D((2, 1)), ((4, 3, 1),)),
    (layers.MaxPool3D(2, stride=1), ((2, 3, 2, 2),)),
    (layers.MaxPool2D(3, stride=2, ceil=True), ((6, 5, 2),)),
    (layers.MaxPool2D(2, stride=2, padding=1, ceil=True), ((4, 3, 1),)),
    (layers.AveragePool2D(3, stride=2, ceil=True), ((6, 4, 2),)),
    (layers.AveragePool2D(3, stride=2, padding=1, count_padding=True, ceil=True), ((6, 5, 2),)),
    (layers.AveragePool1D(3, stride=2, ceil=True), ((6, 2),)),
    (layers.AveragePool1D(2), ((4, 2),)),
    (layers.AveragePool2D(3, stride=1, padding=1, count_padding=True), ((3, 4, 1),)),
    (layers.AveragePool3D(2, stride=1), ((2, 3, 2, 2),)),
    (layers.GlobalMaxPool(), ((3, 2, 2),)),
    (layers.GlobalAveragePool(), ((3, 2, 2),)),
    (layers.AdaptiveAveragePool2D((2, 3)), ((5, 3, 2),)),
    (layers.UpSampling1D(3), ((2, 2),)),
    (layers.UpSampling2D((2, 1), method="bilinear"), ((2, 3, 1),)),
    (layers.UpSampling3D((1, 2, 3)), ((2, 1, 2, 2),)),
    (layers.UpSampling3D(2, method="trilinear"), ((2, 1, 3, 1),)),
    (layers.ZeroPadding3D((1, (0, 2), 0)), ((2, 1, 2, 2),)),
    (layers.Cropping3D(((1, 0), 1, 0)), ((2, 3, 2, 2),)),
    (layers.Resize2D(scale=(0.7, 1.3)), ((5, 4, 2),)),
    (layers.Resize2D(scale=(1.5, 0.6), method="bicubic", coordinates="asymmetric"), ((3, 4, 2),)),
    (layers.Resize2D(scale=0.6, method="nearest", rounding="floor"), ((4, 3, 1),)),
    (layers.CumulativeSum(1), ((3, 2),)),
    (layers.CumulativeSum(exclusive=True, reverse=True), ((3, 2),)),
    *((layers.Round(to), ((2, 3),)) for to in ("nearest", "down", "up")),
    (layers.ArgMax(), ((4,),)),
    (layers.ArgMax(1, keepdims=True), ((3, 2),)),
    *((kind(affine=a), ((3, 4),)) for kind in (BatchNorm, InstanceNorm, LayerNorm) for a in ("gamma", "beta")),
    *((GroupNorm(2, affine=a), ((3, 4),)) for a in ("gamma", "beta")),
    (layers.ZeroPadding1D(((2, 0),)), ((2, 2),)),
    (layers.ZeroPadding2D(1), ((2, 1, 2),)),
    (layers.Cropping1D(1), ((4, 2),)),
    (layers.Cropping2D(((1, 0), 1)), ((3, 4, 1),)),
    (layers.SpatialDropout(0.4), ((2, 3, 4),)),
    (layers.SpecAugment(0.6, 0.5, times=2), ((5, 4),)),
    (layers.STFT(16, hop=5, window=12), ((30,),)),
    (layers.STFT(8, output="power"), ((20,),)),
    (layers.STFT(8, output="complex"), ((20,),)),
    (layers.MelSpectrogram(8000, n_fft=32, mels=5), ((40,),)),
    (layers.MelSpectrogram(8000, n_fft=32, mels=5, scale="power"), ((40,),)),
    (layers.MFCC(8000, n_fft=32, mels=5, coefficients=4, top_decibel=5.0), ((40,),)),
    (layers.SubtractLast(), ((3, 2),)),
    (layers.SubtractLast(), ((1, 1),)),
    *((layers.Standardize(inverse=inverse), ((3, 4),)) for inverse in (False, True)),
    # On sequences; see test_layers_recurrent.py for states, masks and truncation.
    *((layers.SimpleRNN(3, activation=f), ((4, 2),)) for f in ("tanh", "relu")),
    (layers.SimpleRNN(2, return_sequences=True, reverse=True), ((3, 2),)),
    (layers.LSTM(3), ((1, 2),)),
    (layers.LSTM(3, reverse=True, forget_bias=0.5), ((4, 2),)),
    (layers.LSTM(2, return_sequences=True), ((3, 1),)),
    *((layers.GRU(3, reset=reset, reverse=reset == "after"), ((4, 2),)) for reset in ("after", "before")),
    *((layers.GRU(2, reset=reset, return_sequences=True), ((3, 2),)) for reset in ("after", "before")),
    (layers.LSTM(2, peepholes=True), ((2, 2),)),
    (layers.LSTM(2, projection=3, peepholes=True, reverse=True, bias=False), ((2, 1), (3,), (2,))),
    (layers.LSTM(3, projection=2, return_sequences=True), ((2, 2),)),
    (layers.LSTM(2, dropout=0.3, recurrent_dropout=0.4), ((2, 2),)),
    (layers.GRU(2, recurrent_dropout=0.4), ((2, 2),)),
    (layers.GRU(2, recurrent_dropout=0.3, bias=False, reverse=True), ((2, 2),)),
    (layers.SimpleRNN(3, recurrent_dropout=0.2), ((2, 3),)),
    *((layers.GRU(2, reset=reset, bias=False), ((2, 2),)) for reset in ("after", "before")),
    (layers.SimpleRNN(2, bias=False, dropout=0.2), ((2, 3),)),
    (layers.TimeDistributed(layers.Conv1D(2, 2)), ((3, 4, 2),)),
    (layers.ConvLSTM2D(2, return_sequences=True), ((3, 4, 3, 2),)),
    (layers.ConvLSTM2D(1, (2, 3), forget_bias=0.5), ((2, 3, 2, 1),)),
    (layers.ConvLSTM2D(1), ((2, 2, 2, 1), (2, 2, 1), (2, 2, 1))),
    (layers.ConvGRU2D(2, return_sequences=True), ((3, 3, 4, 1),)),
    (layers.ConvGRU2D(2, 2), ((1, 3, 3, 2),)),
    (layers.ConvGRU2D(1), ((2, 2, 2, 1), (2, 2, 1))),
    (layers.ScaledDotProductAttention(), ((3, 4), (5, 4))),
    (layers.ScaledDotProductAttention(causal=True, dropout=0.3), ((3, 4), (3, 4), (3, 2))),
    (layers.MultiHeadAttention(2), ((3, 4),)),
    (layers.MultiHeadAttention(2, causal=True, bias=False), ((4, 4),)),
    (layers.MultiHeadAttention(3, width=6, dropout=0.2), ((3, 4), (2, 5))),
    (layers.MultiHeadAttention(2, masked=True), ((2, 4), (3, 4), (2, 3))),
    (layers.ScaledDotProductAttention(masked=True, dropout=0.3), ((2, 4), (3, 4), (3, 2), (2, 3))),
    (layers.PositionalEncoding(4), ((3, 5),)),
    (layers.PositionalEncoding(4, learned=True), ((3, 5),)),
    (Embedding(5, 3, padding=0), ((4,),)),
    *((layers.Noise(s, distribution=d), ((2,),)) for s, d in ((3, "normal"), ((2, 2), "uniform"))),
    *((layers.GaussianNoise(s), ((3, 2),)) for s in (0.3, (0.1, 0.5), 0.0)),
    (layers.GaussianSample(), ((3,), (3,))),
    *((layers.GramMatrix(), (shape,)) for shape in ((4, 3), (2, 3, 2))),
    *((layers.TotalVariation(), (shape,)) for shape in ((2, 2, 1), (4, 3, 2))),
    (layers.GaussianDivergence(), ((2, 3), (2, 3))),
    *((layers.LearnedArray(s, init="normal"), ((2,),)) for s in (3, (2, 3))),
]


#: Layers that are smooth away from 0 only.
AWAY_FROM_ZERO: list[tuple[Layer, tuple[tuple[int, ...], ...]]] = [
    *((layer, (shape,)) for layer in (layers.Logarithm(), layers.SquareRoot(), layers.Reciprocal(), layers.Power(1.7),
                                      layers.Power(-0.5)) for shape in ((7,), (3, 2))),
    (layers.Divide(), ((2, 3), (1, 3))),
    (layers.Divide(), ((1, 3), (2, 1))),
]  # fmt: skip


def positive(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return rng.uniform(0.5, 2.0, size=shape)


@pytest.mark.parametrize(("layer", "shapes"), AWAY_FROM_ZERO, ids=lambda v: repr(v).replace(" ", ""))
def test_equations_of_layers_that_are_smooth_away_from_zero(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> None:
    assert check_layer(layer, *shapes, draw=positive).largest_error < 1e-8


@pytest.mark.parametrize(("layer", "shapes"), CASES, ids=lambda v: repr(v).replace(" ", ""))
def test_equations_shapes_and_engines(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> None:
    # BatchNorm of two samples without other axes gives ±1, with hardly any gradient left to compare.
    batches = (4, 7) if isinstance(layer, BatchNorm) else (1, 2, 5)
    report = check_layer(layer, *shapes, batches=batches)
    assert report.largest_error < 1e-8
    assert "reference" in report.engines


def test_the_table_holds_every_layer() -> None:
    public = {n for n in layers.__all__ if isinstance(getattr(layers, n), type) and issubclass(getattr(layers, n), Layer)}
    # A batch of GraphConv is the whole graph, and Masking takes lengths beside its sequences: see their own tables in
    # test_graph_conv.py and test_layers_recurrent.py. The gradients of binarised layers are estimates: see test_packed.py.
    # That of StopGradient is 0 on purpose, and SpectralNorm needs a network: see test_turns.py.
    elsewhere = {"GraphConv", "Masking", "BinaryDense", "BinaryConv2D", "Sign", "StopGradient", "SpectralNorm"}
    assert public - {"Layer", "Activation"} - elsewhere == {type(layer).__name__ for layer, _ in [*CASES, *AWAY_FROM_ZERO]}


def test_public_names_are_those_of_the_package() -> None:
    import chainrule

    assert set(chainrule._PUBLIC["chainrule.layers"]) <= set(layers.__all__)


@pytest.mark.parametrize("layer", {repr(layer): layer for layer, _ in [*CASES, *AWAY_FROM_ZERO]}.values(), ids=repr)
def test_config_makes_the_same_layer_again(layer: Layer) -> None:
    config = json.dumps(to_config(layer))
    again = from_config(json.loads(config), Layer.registry)
    assert json.dumps(to_config(again)) == config
    assert repr(eval(repr(layer), vars(layers))) == repr(layer)


# ---------------------------------------------------------------- hyperparameters

BAD = [
    (lambda: Dense(0), "units must be an int of at least 1"),
    (lambda: Dense(-3), "Got -3"),
    (lambda: Dense(2.0), "Got 2.0"),
    (lambda: Dense(True), "Got True"),
    (lambda: Dropout(1.0), "rate must be a number from 0 to below 1"),
    (lambda: Dropout(-0.1), "Got -0.1"),
    (lambda: Dropout(float("nan")), "Got nan"),
    (lambda: Dropout("half"), "Got 'half'"),
    (lambda: Embedding(0, 3), "rows must be an int"),
    (lambda: Embedding(3, 0), "width must be an int"),
    (lambda: LeakyReLU(-0.1), "negative_slope must be a finite number of at least 0"),
    (lambda: ELU(float("inf")), "alpha must be a finite number"),
    (lambda: RReLU(0.5, high=0.1), "low must be at most high"),
    (lambda: RReLU(-0.5), "low must be"),
    (lambda: PReLU(shared="yes"), "shared must be True or False"),
    (lambda: Reshape((2, -1, -1)), "only one size may be -1"),
    (lambda: Reshape((0, 2)), "sizes of one sample"),
    (lambda: Reshape(2.5), "Got 2.5"),
    (lambda: Reshape("ab"), "Got 'ab'"),
    (lambda: Concat(0.5), "axis must be an int"),
    (lambda: Add(broadcast=None), "broadcast must be True or False. Got None"),
    (lambda: BatchNorm(momentum=1.0), "momentum must be a number from 0 to below 1"),
    (lambda: BatchNorm(epsilon=0.0), "epsilon must be a finite number of at least 1e-30"),
    (lambda: BatchNorm(affine=1), 'affine must be True, False, "gamma" or "beta". Got 1'),
    (lambda: LayerNorm(0), "axes must be an int of at least 1"),
    (lambda: GroupNorm(0), "groups must be an int of at least 1"),
    (lambda: InstanceNorm(epsilon=-1), "Got -1"),
    (lambda: Embedding(3, 2, padding=3), r"padding must be one of the rows 0, \.\.\., 2, or None. Got 3"),
    (lambda: Embedding(3, 2, padding=-1), "padding must be None or an int of at least 0"),
    (lambda: layers.Permute((0, 1)), "axes must be the numbers 1"),
    (lambda: layers.Permute(2), "Got 2"),
    (lambda: layers.Clip(), "at least one of low and high"),
    (lambda: layers.Clip(2, 1), "low must be less than high"),
    (lambda: layers.Power("two"), "exponent must be"),
    (lambda: layers.Rescale(float("inf")), "scale must be"),
    (lambda: layers.Scale(weight=False, bias=False), "at least one of weight and bias"),
    (lambda: layers.Scale((0, 2)), "They are the sizes of a sample"),
    (lambda: layers.Slice(1, 0.5), "start must be an int"),
    (lambda: layers.ReduceMean(()), "axes must be an int"),
    (lambda: layers.ReduceMax(keepdims=1), "keepdims must be True or False"),
    (lambda: layers.LocalResponseNorm(0), "size must be an int"),
    (lambda: layers.DepthToSpace(0), "block must be an int"),
    (lambda: layers.Padding2D(-1), "padding must be"),
    (lambda: layers.Resize2D(), "give either size or scale"),
    (lambda: layers.Resize2D(scale=(0, 1)), "scale must be None, a finite number above 0 or a list of 2 of them"),
    (lambda: layers.LSTM(0), "units must be an int of at least 1"),
    (lambda: layers.LSTM(3, forget_bias=float("nan")), "forget_bias must be a finite number"),
    (lambda: layers.LSTM(3, return_sequences=1), "return_sequences must be True or False. Got 1"),
    (lambda: layers.GRU(3, reset="never"), 'reset must be "after" or "before"'),
    (lambda: layers.GRU(3, truncate=0), "truncate must be None or an int of at least 1"),
    (lambda: layers.SimpleRNN(3, activation="gelu"), 'activation must be "tanh" or "relu"'),
    (lambda: layers.Noise((2, 0)), r"shape\[1\] must be an int of at least 1"),
    (lambda: layers.Noise(2, distribution="cauchy"), 'distribution must be "normal" or "uniform"'),
    (lambda: layers.GaussianNoise(-1), "stddev must be a finite number of at least 0"),
    (lambda: layers.GaussianNoise((2, 1)), r"stddev must be \(lowest, highest\). Got \(2, 1\)"),
    (lambda: layers.LearnedArray("big"), "shape must be an int of at least 1 or a list of them"),
    (lambda: layers.MultiHeadAttention(0), "heads must be an int"),
    (lambda: layers.MultiHeadAttention(3, width=4), "width must be a multiple of heads=3"),
    (lambda: layers.MultiHeadAttention(2, dropout=1), "dropout must be a number from 0 to below 1"),
    (lambda: layers.ScaledDotProductAttention(causal=1), "causal must be True or False"),
    (lambda: layers.PositionalEncoding(0), "length must be an int"),
    (lambda: layers.TimeDistributed("dense"), "layer must be a Layer. Got 'dense'"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[m for _, m in BAD])
def test_a_bad_hyperparameter_fails_when_the_network_is_made(make, message: str) -> None:
    layer = make()  # constructors only store
    with pytest.raises(ParameterError, match=message):
        NetworkGraph([layer])


def test_numbers_of_numpy_are_taken() -> None:
    net = NetworkGraph([Dense(np.int64(3)), Dropout(np.float32(0.25)), Reshape((np.int64(3), 1))]).build((2,))
    assert net.output_shapes == [(3, 1)]


# ---------------------------------------------------------------- names


def test_every_activation_is_found_by_its_name() -> None:
    # fmt: off
    names = [
        "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "rrelu", "softplus", "elu", "selu", "gelu", "silu", "softsign",
        "hard_sigmoid", "softmax", "log_softmax", "exponential", "relu6", "hard_swish", "mish", "sign",
        "sine", "cosine",
    ]
    # fmt: on
    assert sorted(Activation.by_name) == sorted([*names, "identity"])
    for name in names:
        found = get_activation(name)
        assert found.activation_name == name == found.kind()
    assert type(get_activation("identity")) is Identity
    assert Identity.activation_name is None


def test_get_activation_takes_layers_and_classes() -> None:
    layer = LeakyReLU(0.2)
    assert get_activation(layer) is layer
    assert type(get_activation(Tanh)) is Tanh


def test_unknown_activation() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown activation 'rleu'\. Did you mean 'relu'\?"):
        get_activation("rleu")
    with pytest.raises(ParameterError, match="Got 3"):
        get_activation(3)


def test_a_subclass_does_not_take_the_name_over() -> None:
    class _Mine(ReLU):
        pass

    assert Activation.by_name["relu"] is ReLU
    assert _Mine.kind() == "_mine"


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (LeakyReLU, "leaky_relu"),
        (PReLU, "prelu"),
        (SELU, "selu"),
        (SiLU, "silu"),
        (Dense, "dense"),
        (HardSigmoid, "hard_sigmoid"),
    ],
)
def test_kind(cls: type[Layer], kind: str) -> None:
    assert cls.kind() == kind


def test_repr_shows_keyword_only_arguments_by_name() -> None:
    assert repr(PReLU(shared=True)) == "PReLU(shared=True)"
    assert repr(LeakyReLU(0.2)) == "LeakyReLU(0.2)"
    assert repr(Embedding(5, 3)) == "Embedding(5, width=3)"


def test_calling_with_the_wrong_number_of_inputs() -> None:
    a, b = layers.Input((3,)), layers.Input((3,))
    with pytest.raises(ShapeError, match="Dense takes 1 input"):
        Dense(3)(a, b)


def test_calling_with_arrays_says_what_to_do() -> None:
    with pytest.raises(ParameterError, match=r"Dense was called with ndarray.*Network\(\[\.\.\.\]\)\.predict\(X\)"):
        Dense(3)(np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [0, -1, (3, 0), (2.5,), ("a",)])
def test_an_input_needs_positive_sizes(shape: object) -> None:
    with pytest.raises(ParameterError, match="Input: shape must be None, an int of at least 1 or a list"):
        layers.Input(shape)


def test_an_input_is_of_numbers_or_indices() -> None:
    with pytest.raises(ParameterError, match=r"dtype must be \"float\" or \"int\". Got 'text'"):
        layers.Input(3, dtype="text")


def test_a_layer_of_ones_own_name() -> None:
    net = NetworkGraph([Dense(2).named("encoder"), Tanh()]).build(3)
    assert list(net.parameters) == ["encoder.weight", "encoder.bias"]
    assert list(net.layers) == ["encoder", "1.tanh"]


def test_identity_lets_the_activation_after_it_choose_the_start() -> None:
    """Weights before a ReLU spread by √(2 / I), whatever does nothing in between."""
    for between in (Identity(), Dropout(0.5), Flatten()):
        net = NetworkGraph([Dense(400), between, ReLU()], random_state=0).build(400)
        assert abs(net.parameters["0.dense.weight"].std() / np.sqrt(2 / 400) - 1) < 0.02
