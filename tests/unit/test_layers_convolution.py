"""The layers on images: equations in many geometries, sizes, start weights, bad input, PyTorch, a network that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Network, load
from chainrule.errors import ParameterError, ShapeError
from chainrule.initializers import HeNormal
from chainrule.layers import (
    AdaptiveAveragePool2D,
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Cropping1D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    Input,
    Layer,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    ReLU,
    SpatialDropout,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from chainrule.layers.base import Parameter
from chainrule.network import NetworkGraph
from chainrule.optimizers import Adam
from chainrule.testing import check_layer

RNG = np.random.default_rng(0)

#: layer, shape of a sample, shape of its output
GEOMETRIES: list[tuple[Layer, tuple[int, ...], tuple[int, ...]]] = [
    (Conv1D(3, 3), (7, 2), (5, 3)),
    (Conv1D(2, 4, stride=3, padding="same"), (7, 2), (3, 2)),
    (Conv1D(2, 3, padding=2, dilation=2), (5, 1), (5, 2)),
    (Conv1D(4, (3,), padding=((2, 0),), groups=2, bias=False), (6, 4), (6, 4)),
    (Conv1D(1, 1), (1, 1), (1, 1)),
    (Conv2D(3, 3), (5, 4, 2), (3, 2, 3)),
    (Conv2D(2, 3, padding="same"), (3, 4, 2), (3, 4, 2)),
    (Conv2D(2, 3, stride=2, padding="same"), (5, 4, 1), (3, 2, 2)),
    (Conv2D(2, 2, stride=3, padding="same"), (7, 4, 1), (3, 2, 2)),
    (Conv2D(2, (1, 3), stride=(2, 1), padding=(0, 1)), (5, 3, 2), (3, 3, 2)),
    (Conv2D(2, 3, padding=((2, 0), (1, 2)), dilation=(1, 2)), (4, 5, 1), (4, 4, 2)),
    (Conv2D(6, 2, groups=3), (3, 3, 3), (2, 2, 6)),
    (Conv2D(4, 3, stride=2, padding=1, groups=2, bias=False), (5, 5, 2), (3, 3, 4)),
    (Conv2D(2, 1, stride=2), (5, 4, 3), (3, 2, 2)),
    (Conv3D(2, 2), (3, 2, 3, 2), (2, 1, 2, 2)),
    (Conv3D(2, (1, 2, 3), stride=(1, 2, 2), padding="same"), (2, 3, 3, 1), (2, 2, 2, 2)),
    (DepthwiseConv2D(3, padding="same"), (4, 3, 3), (4, 3, 3)),
    (DepthwiseConv2D((2, 3), multiplier=2, stride=2, padding=1, bias=False), (4, 5, 2), (3, 3, 4)),
    (DepthwiseConv2D(2, dilation=2), (4, 3, 1), (2, 1, 1)),
    (ConvTranspose1D(3, 3), (4, 2), (6, 3)),
    (ConvTranspose1D(2, 4, stride=2, padding="same"), (3, 2), (6, 2)),
    (ConvTranspose1D(2, 2, stride=3, padding="same"), (3, 1), (9, 2)),
    (ConvTranspose1D(2, 3, stride=3, padding=1, output_padding=2), (3, 1), (9, 2)),
    (ConvTranspose2D(2, 3), (2, 3, 2), (4, 5, 2)),
    (ConvTranspose2D(2, 3, stride=2, padding="same"), (2, 3, 1), (4, 6, 2)),
    (ConvTranspose2D(4, (2, 3), stride=(2, 1), padding=((0, 1), (1, 0)), groups=2), (2, 3, 2), (3, 4, 4)),
    (ConvTranspose2D(2, 2, dilation=2, output_padding=0, bias=False), (2, 2, 1), (4, 4, 2)),
    (MaxPool1D(), (5, 2), (2, 2)),
    (MaxPool1D(3, stride=2, padding="same"), (6, 2), (3, 2)),
    (MaxPool2D(), (4, 5, 2), (2, 2, 2)),
    (MaxPool2D(3, stride=2, padding=1), (5, 4, 2), (3, 2, 2)),
    (MaxPool2D((2, 3), stride=1, padding=((1, 0), (0, 2))), (3, 4, 1), (3, 4, 1)),
    (MaxPool3D(2), (2, 4, 3, 2), (1, 2, 1, 2)),
    (AveragePool1D(3, stride=1, padding="same"), (4, 2), (4, 2)),
    (AveragePool2D(), (4, 5, 2), (2, 2, 2)),
    (AveragePool2D(3, stride=2, padding=1), (5, 4, 1), (3, 2, 1)),
    (AveragePool2D(3, stride=2, padding=1, count_padding=True), (5, 4, 1), (3, 2, 1)),
    (AveragePool3D((1, 2, 2)), (2, 2, 4, 1), (2, 1, 2, 1)),
    *((layer, (*(2, 3, 2, 2)[:n], 3), (3,)) for layer in (GlobalMaxPool(), GlobalAveragePool()) for n in (1, 2, 3, 4)),
    (AdaptiveAveragePool2D(2), (4, 6, 2), (2, 2, 2)),
    (AdaptiveAveragePool2D((3, 2)), (7, 5, 2), (3, 2, 2)),
    (AdaptiveAveragePool2D((4, 3)), (2, 3, 1), (4, 3, 1)),
    (UpSampling1D(), (3, 2), (6, 2)),
    (UpSampling1D(3, method="linear"), (4, 2), (12, 2)),
    (UpSampling2D((2, 3)), (2, 3, 2), (4, 9, 2)),
    (UpSampling2D(2, method="bilinear"), (3, 2, 2), (6, 4, 2)),
    (UpSampling2D((1, 4), method="bilinear"), (1, 1, 2), (1, 4, 2)),
    (ZeroPadding1D(((1, 2),)), (3, 2), (6, 2)),
    (ZeroPadding2D((0, (2, 1))), (2, 3, 2), (2, 6, 2)),
    (ZeroPadding2D(0), (2, 3, 2), (2, 3, 2)),
    (Cropping1D(1), (4, 2), (2, 2)),
    (Cropping2D(((1, 0), (0, 2))), (3, 4, 2), (2, 2, 2)),
    (Cropping2D(0), (2, 3, 2), (2, 3, 2)),
    (SpatialDropout(0.5), (3, 2, 4), (3, 2, 4)),
    (SpatialDropout(0.3), (5, 6), (5, 6)),
]


@pytest.mark.parametrize(("layer", "shape", "output"), GEOMETRIES, ids=lambda v: repr(v).replace(" ", ""))
def test_equations_sizes_and_engines(layer: Layer, shape: tuple[int, ...], output: tuple[int, ...]) -> None:
    # Random layers differ between training and prediction, the others do not.
    training = None if isinstance(layer, SpatialDropout) else True
    report = check_layer(layer, shape, training=training, batches=(1, 3), max_elements=30)
    assert report.largest_error < 1e-8
    assert NetworkGraph([layer]).build(shape).output_shapes == [output]


def test_a_large_batch_and_odd_sizes_on_every_engine() -> None:
    net = NetworkGraph([Conv2D(5, 3, padding="same"), ReLU(), MaxPool2D(3, stride=2), Conv2D(7, 3), AveragePool2D()])
    inputs = Input((13, 11, 3))
    check_layer(NetworkGraph(inputs=inputs, outputs=net(inputs)), (13, 11, 3), training=True, batches=(17,), max_elements=10)


# ---------------------------------------------------------------- values that are known


def values(layer: Layer, x: np.ndarray, **parameters: Any) -> np.ndarray:
    net = Network([layer], random_state=0, dtype="float64").build(x.shape[1:])
    for name, array in parameters.items():
        net.parameters[f"{next(iter(net.layers))}.{name}"][...] = array
    return net.predict(x)


def test_a_kernel_is_not_flipped() -> None:
    x = np.arange(6.0).reshape(1, 6, 1)
    y = values(Conv1D(1, 2), x, weight=np.reshape([1.0, 10.0], (2, 1, 1)), bias=0.5)
    np.testing.assert_allclose(y[0, :, 0], [10.5, 21.5, 32.5, 43.5, 54.5])


def test_same_puts_the_odd_element_of_padding_at_the_end() -> None:
    # 4 elements with stride 2 and kernel 3 need one element of padding: windows begin at 0 and 2.
    x = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)
    y = values(Conv1D(1, 3, stride=2, padding="same", bias=False), x, weight=1.0)
    np.testing.assert_allclose(y[0, :, 0], [1 + 2 + 3, 3 + 4])


def test_a_convolution_of_one_is_a_dense() -> None:
    x, w, b = RNG.standard_normal((3, 4, 5, 2)), RNG.standard_normal((2, 6)), RNG.standard_normal(6)
    np.testing.assert_allclose(values(Conv2D(6, 1), x, weight=w, bias=b), x @ w + b, rtol=1e-12)


def test_depthwise_is_a_convolution_with_a_group_for_each_channel() -> None:
    x, w = RNG.standard_normal((2, 5, 5, 3)), RNG.standard_normal((3, 3, 1, 6))
    found = values(DepthwiseConv2D(3, multiplier=2, padding="same"), x, weight=w, bias=0)
    np.testing.assert_array_equal(found, values(Conv2D(6, 3, padding="same", groups=3), x, weight=w, bias=0))
    for c in range(6):
        alone = values(Conv2D(1, 3, padding="same"), x[..., c // 2, None], weight=w[..., c, None], bias=0)
        np.testing.assert_allclose(found[..., c], alone[..., 0], atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1}, {"padding": "same", "stride": 2}, {"dilation": 2}])
def test_a_transposed_convolution_is_the_transpose(settings: dict[str, Any]) -> None:
    """⟨x ∗ W, y⟩ = ⟨x, y ∗ᵀ W⟩."""
    x = RNG.standard_normal((2, 8, 6, 3))
    w = RNG.standard_normal((3, 3, 3, 4))
    z = values(Conv2D(4, 3, bias=False, **settings), x, weight=w)
    y = RNG.standard_normal(z.shape)
    extra = 1 if settings.get("padding") == 1 else 0
    back = values(ConvTranspose2D(3, 3, bias=False, output_padding=extra, **settings), y, weight=w)
    assert back.shape == x.shape
    np.testing.assert_allclose((z * y).sum(), (x * back).sum(), rtol=1e-10)


def test_global_and_adaptive_pooling_are_means_and_maxima() -> None:
    x = RNG.standard_normal((3, 7, 5, 2))
    np.testing.assert_allclose(values(GlobalAveragePool(), x), x.mean(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_array_equal(values(GlobalMaxPool(), x), x.max(axis=(1, 2)))
    np.testing.assert_allclose(values(AdaptiveAveragePool2D(1), x)[:, 0, 0], x.mean(axis=(1, 2)), rtol=1e-12)
    rows = [x[:, a:b].mean(axis=(1, 2)) for a, b in ((0, 3), (2, 5), (4, 7))]
    np.testing.assert_allclose(values(AdaptiveAveragePool2D((3, 1)), x)[:, :, 0], np.stack(rows, 1), rtol=1e-12)


def test_upsampling() -> None:
    x = np.array([0.0, 4.0]).reshape(1, 2, 1)
    np.testing.assert_array_equal(values(UpSampling1D(2), x)[0, :, 0], [0, 0, 4, 4])
    np.testing.assert_array_equal(values(UpSampling1D(2, method="linear"), x)[0, :, 0], [0, 1, 3, 4])


def test_padding_and_cropping_undo_each_other() -> None:
    x = RNG.standard_normal((2, 3, 4, 2))
    border = ((1, 0), (2, 3))
    padded = values(ZeroPadding2D(border), x)
    assert np.abs(padded).sum() == pytest.approx(np.abs(x).sum())
    np.testing.assert_array_equal(values(Cropping2D(border), padded), x)


def test_spatial_dropout_drops_whole_channels() -> None:
    x = np.ones((40, 3, 2, 50))
    y = Network([SpatialDropout(0.4)], random_state=0).build(x.shape[1:]).trace(x).outputs[0]
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], x.shape))
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.6], rtol=1e-6)
    assert abs((y == 0).mean() - 0.4) < 0.04
    np.testing.assert_array_equal(values(SpatialDropout(0.4), x), x)


# ---------------------------------------------------------------- start weights


@pytest.mark.parametrize(
    ("layer", "shape", "weight", "fans"),
    [
        (Conv1D(6, 5), (9, 4), (5, 4, 6), (20, 30)),
        (Conv2D(6, (3, 2), groups=2), (9, 9, 4), (3, 2, 2, 6), (12, 18)),
        (Conv3D(6, 2), (3, 3, 3, 4), (2, 2, 2, 4, 6), (32, 48)),
        (DepthwiseConv2D(3, multiplier=2), (9, 9, 4), (3, 3, 1, 8), (9, 18)),
        (ConvTranspose2D(6, 4, stride=2), (9, 9, 4), (4, 4, 6, 4), (16, 96)),
    ],
    ids=repr,
)
def test_fans(layer: Layer, shape: tuple[int, ...], weight: tuple[int, ...], fans: tuple[int, int]) -> None:
    found = layer.parameters((2, *shape))
    assert found["weight"] == Parameter(weight, None, *fans)
    assert found["bias"] == Parameter((weight[-1] if "Transpose" not in repr(layer) else 6,), "zeros", *fans, decay=False)


def test_the_activation_after_a_pool_chooses_the_start() -> None:
    net = NetworkGraph([Conv2D(64, 3), MaxPool2D(), ReLU(), Conv2D(4, 3)], random_state=0).build((16, 16, 32))
    wanted = HeNormal()((3, 3, 32, 64), np.random.default_rng(0), fan_in=288, fan_out=576, dtype=np.dtype("float32"))
    np.testing.assert_array_equal(net.parameters["0.conv2d.weight"], wanted)


def test_signals_keep_their_size_through_convolutions() -> None:
    x = RNG.standard_normal((8, 16, 16, 8))
    for layer in (Conv2D(64, 3), ConvTranspose2D(64, 4, stride=2), Conv2D(64, 3, groups=4)):
        y = Network([layer, ReLU()], random_state=0, dtype="float64").build(x.shape[1:]).predict(x)
        inside = y[:, 3:-3, 3:-3]
        assert 0.7 < (inside**2).mean() / (x**2).mean() < 1.4, layer  # He: half of twice the variance


# ---------------------------------------------------------------- bad input

BAD_SHAPES = [
    (
        Conv2D(4, 3),
        (8, 8),
        r"layer '0.conv2d': Conv2D: expected input \(N, H, W, C\), got \(2, 8, 8\). Reshape\(\(..., ..., 1\)\)",
    ),
    (Conv2D(4, 3), (64,), r"expected input \(N, H, W, C\), got \(2, 64\)"),
    (Conv2D(4, 9), (8, 8, 1), "layer '0.conv2d': conv: on spatial axis 0 the kernel covers 9 elements and the image has 8"),
    (
        Conv2D(4, 3, dilation=4, padding=((0, 0), (1, 2))),
        (9, 5, 1),
        r"axis 1 the kernel covers 9 .* has 8 \(5 with padding 1 \+ 2\)",
    ),
    (Conv2D(4, 3, groups=2), (8, 8, 3), r"groups=2 does not divide the 3 channels of the input \(2, 8, 8, 3\)"),
    (ConvTranspose2D(4, 3, groups=2), (8, 8, 3), "groups=2 does not divide the 3 channels"),
    (
        ConvTranspose1D(4, 3, padding=4),
        (3, 2),
        r"would have -3 elements: \(3 − 1\) · stride 1 \+ 3 covered .* padding 4 − 4",
    ),
    (MaxPool2D(9), (8, 8, 1), "max_pool: on spatial axis 0 the kernel covers 9 elements and the image has 8"),
    (AveragePool2D(2, padding=2), (8, 8, 1), r"padding \(2, 2\) on spatial axis 0 must be less than the window of 2"),
    (MaxPool1D(), (8, 8, 1), r"MaxPool1D: expected input \(N, T, C\), got \(2, 8, 8, 1\)"),
    (GlobalMaxPool(), (8,), r"expected input \(N, \*spatial, C\) such as \(N, H, W, C\), got \(2, 8\)"),
    (SpatialDropout(0.5), (8,), r"expected input \(N, \*spatial, C\)"),
    (AdaptiveAveragePool2D(2), (8, 8), "AdaptiveAveragePool2D: expected input"),
    (UpSampling2D(), (8, 8), "UpSampling2D: expected input"),
    (ZeroPadding1D(), (8,), "ZeroPadding1D: expected input"),
    (Cropping2D((1, (3, 2))), (8, 5, 1), r"cutting 3 \+ 2 elements leaves nothing of the 5 on spatial axis 1"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), BAD_SHAPES, ids=lambda v: repr(v)[:50])
def test_images_that_do_not_fit(layer: Layer, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        NetworkGraph([layer]).build(shape)


BAD_ARGUMENTS = [
    (Conv2D(0, 3), "channels must be an int of at least 1. Got 0"),
    (Conv2D(4, 0), "kernel must be an int of at least 1 or a list of 2 of them. Got 0"),
    (Conv2D(4, (3, 3, 3)), r"or a list of 2 of them. Got \(3, 3, 3\)"),
    (Conv2D(4, 3.0), "Got 3.0"),
    (Conv2D(4, True), "Got True"),
    (Conv2D(4, "33"), "Got '33'"),
    (Conv2D(4, 3, stride=0), "stride must be"),
    (Conv2D(4, 3, dilation=(1, 0)), r"dilation\[1\] must be an int of at least 1. Got 0"),
    (
        Conv2D(4, 3, padding="full"),
        r'padding must be "valid", "same", an int of at least 0.*\(\(1, 2\), \(1, 2\)\). Got \'full\'',
    ),
    (Conv2D(4, 3, padding=-1), "Got -1"),
    (Conv2D(4, 3, padding=((1, 2, 3), 1)), "padding must be"),
    (
        Conv1D(4, 3, padding=(1, 2)),
        r"or 1 of them, .* an int or a \(before, after\) pair, such as \(\(1, 2\),\). Got \(1, 2\)",
    ),
    (Conv2D(4, 3, groups=3), "groups=3 does not divide channels=4"),
    (Conv2D(4, 3, groups=0), "groups must be an int"),
    (Conv2D(4, 3, bias="no"), "bias must be True or False"),
    (DepthwiseConv2D(3, multiplier=0), "multiplier must be an int"),
    (DepthwiseConv2D(0), "kernel must be"),
    (ConvTranspose2D(4, 3, stride=2, output_padding=2), "output_padding must be less than the stride 2.* Got 2"),
    (ConvTranspose2D(4, 3, stride=2, padding="same", output_padding=1), 'padding="same" fixes the output'),
    (MaxPool2D(0), "kernel must be"),
    (MaxPool2D(2, stride=0), "stride must be"),
    (MaxPool2D(2, padding="half"), "padding must be"),
    (AveragePool2D(2, count_padding=1), "count_padding must be True or False. Got 1"),
    (AdaptiveAveragePool2D((2, 0)), r"size\[1\] must be an int of at least 1. Got 0"),
    (UpSampling2D(0), "scale must be"),
    (ZeroPadding2D("same"), "padding must be an int of at least 0"),
    (Cropping1D(-1), "cropping must be"),
    (SpatialDropout(1.0), "rate must be a number from 0 to below 1"),
]


@pytest.mark.parametrize(("layer", "message"), BAD_ARGUMENTS, ids=[m[:40] for _, m in BAD_ARGUMENTS])
def test_bad_arguments(layer: Layer, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        NetworkGraph([layer])


def test_an_unknown_method_of_upsampling() -> None:
    with pytest.raises(ParameterError, match=r"UpSampling2D: method must be .*Got 'bilinaer'\. Did you mean 'bilinear'"):
        NetworkGraph([UpSampling2D(method="bilinaer")])


# ---------------------------------------------------------------- networks


def test_equations_are_printed() -> None:
    net = Network([Conv2D(4, 3), ReLU(), MaxPool2D(), Conv2D(2, 2), GlobalAveragePool()]).build((8, 8, 1))
    text = str(net.equations(loss="squared_error"))
    for line in (
        "z¹ = x ∗ W¹ + b¹",
        "h¹ = maxpool(a¹)",
        "h² = avgpool(z²)",
        "dz² = avgpoolᵀ(dh²)",
        "dW² = h¹ ⋆ dz²",
        "db² = Σₙᵢⱼ dz²",
        "dh¹ = dz² ∗ᵀ W²",
        "da¹ = scatter(dh¹ at argmaxpool(a¹))",
    ):
        assert line in text, line
    latex = net.equations(loss="squared_error").latex()
    assert r"x \ast W^{1}" in latex and r"\operatorname{maxpool}(a^{1})" in latex


def lenet() -> list[Layer]:
    """The network of LeCun et al. (1998), for images of 8 by 8."""
    return [
        Conv2D(8, 3, padding="same"),
        ReLU(),
        MaxPool2D(),
        Conv2D(16, 3),
        ReLU(),
        Flatten(),
        Dense(32),
        ReLU(),
        Dense(10),
    ]


def test_a_network_of_convolutions_learns_digits(tmp_path: Path) -> None:
    from chainrule.data.datasets import load_digits

    X, y = load_digits()
    X = X.reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:1400], order[1400:]
    net = Network(lenet(), random_state=0)
    net.fit(X[train], y[train], loss="softmax_cross_entropy", optimizer=Adam(0.003), epochs=15, batch_size=32, verbose=0)
    logits = net.predict(X[test])
    assert (logits.argmax(axis=1) == y[test]).mean() > 0.95
    net.save(tmp_path / "digits")
    np.testing.assert_array_equal(load(tmp_path / "digits").predict(X[test]), logits)


# ---------------------------------------------------------------- PyTorch


@pytest.mark.peer
def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional

    def outside(x: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))

    def compare(layer: Layer, x: np.ndarray, peer: Any, weight: tuple[int, ...] | None = None) -> None:
        w = np.zeros(0) if weight is None else RNG.standard_normal(weight)
        found = values(layer, x, **({} if weight is None else {"weight": w}))
        wanted = peer(
            outside(x), torch.from_numpy(w) if weight is None else torch.from_numpy(w).permute(-1, -2, *range(w.ndim - 2))
        )
        np.testing.assert_allclose(found, np.moveaxis(wanted.numpy(), 1, -1), rtol=1e-10, atol=1e-10, err_msg=repr(layer))

    x = RNG.standard_normal((2, 9, 7, 4))
    line, volume = x[:, :, 0], RNG.standard_normal((2, 4, 5, 6, 4))
    plain = {"bias": False}
    compare(
        Conv2D(6, 3, stride=2, padding=1, groups=2, **plain), x,
        lambda x, w: F.conv2d(x, w, stride=2, padding=1, groups=2), (3, 3, 2, 6),
    )  # fmt: skip
    compare(Conv2D(5, (3, 2), dilation=2, **plain), x, lambda x, w: F.conv2d(x, w, dilation=2), (3, 2, 4, 5))
    compare(Conv1D(5, 4, stride=3, **plain), line, lambda x, w: F.conv1d(x, w, stride=3), (4, 4, 5))
    compare(Conv3D(3, 2, padding=1, **plain), volume, lambda x, w: F.conv3d(x, w, padding=1), (2, 2, 2, 4, 3))
    compare(
        ConvTranspose2D(6, 3, stride=2, padding=1, output_padding=1, groups=2, **plain), x,
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1, groups=2), (3, 3, 3, 4),
    )  # fmt: skip
    compare(
        ConvTranspose1D(5, 4, stride=2, dilation=2, **plain), line,
        lambda x, w: F.conv_transpose1d(x, w, stride=2, dilation=2), (4, 5, 4),
    )  # fmt: skip
    compare(MaxPool2D(3, stride=2, padding=1), x, lambda x, w: F.max_pool2d(x, 3, 2, 1))
    compare(MaxPool3D(2), volume, lambda x, w: F.max_pool3d(x, 2))
    compare(AveragePool2D(3, stride=2, padding=1, count_padding=True), x, lambda x, w: F.avg_pool2d(x, 3, 2, 1))
    compare(AveragePool2D(3, stride=2, padding=1), x, lambda x, w: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))
    compare(AdaptiveAveragePool2D((4, 3)), x, lambda x, w: F.adaptive_avg_pool2d(x, (4, 3)))
    compare(UpSampling2D((2, 3)), x, lambda x, w: F.interpolate(x, scale_factor=(2, 3)))
    compare(UpSampling2D(2, method="bilinear"), x, lambda x, w: F.interpolate(x, scale_factor=2, mode="bilinear"))
    compare(UpSampling1D(3, method="linear"), line, lambda x, w: F.interpolate(x, scale_factor=3, mode="linear"))
