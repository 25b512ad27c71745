"""Convolutions, pooling, resampling, sums of chains and tasks that take turns, on the fast engine against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainrule import Network
from chainrule.engine import get_engine
from chainrule.engine.onednn import images, schedule
from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import EngineError
from chainrule.layers import (
    Add,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    Input,
    MaxPool2D,
    ReLU,
    Tanh,
    UpSampling2D,
    ZeroPadding2D,
)
from chainrule.losses import SoftmaxCrossEntropy, SquaredError
from chainrule.network import NetworkGraph
from chainrule.ops import Builder, Value
from chainrule.optimizers import SGD, Adam
from chainrule.plan import Plan, lower_prediction, lower_training, optimise

try:
    get_engine("onednn")
except EngineError as error:
    pytest.skip(f"the onednn engine cannot be used here: {error}", allow_module_level=True)


def plan_of(emit, arrays):
    k = Builder()
    inputs = {n: Value(a.shape, "int" if a.dtype.kind == "i" else "float", "input", n) for n, a in arrays.items()}
    outputs = emit(k, *inputs.values())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return optimise(Plan(k.nodes, inputs, {f"o{i}": v for i, v in enumerate(outputs)}, {}, k.scalars, 1))


def compare(emit, arrays, *, threads=(1, 2, 3), rtol=2e-5, atol=2e-5, fallbacks=False):
    wanted = ReferenceEngine("float64").compile(plan_of(emit, arrays), {}).run(arrays)
    for count in threads:
        executable = get_engine("onednn", threads=count).compile(plan_of(emit, arrays), {})
        if not fallbacks:
            assert executable.native, [
                t.node.op for s in executable.segments for g in s.groups for t in g.tasks if t.fallback
            ]
        for _ in range(2):  # what a run leaves behind must not matter to the next
            executable.temporaries.view(np.float32)[...] = np.nan
            found = executable.run(arrays)
            for name, w in wanted.items():
                # Where terms cancel, their rounding errors stay.
                least = atol * max(1.0, float(np.abs(w[np.isfinite(w)]).max(initial=0)) / 10)
                np.testing.assert_allclose(found[name], w, rtol=rtol, atol=least, err_msg=f"{name}, {count} threads")


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


@st.composite
def convolutions(draw):
    axes = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 1, 2, 4]))
    inputs, outputs = groups * draw(st.sampled_from([1, 2, 3, 8, 16])), groups * draw(st.sampled_from([1, 3, 8, 16, 20]))
    limit = {1: 40, 2: 14, 3: 7}[axes]
    spatial = tuple(draw(st.integers(1, limit)) for _ in range(axes))
    kernel = tuple(draw(st.integers(1, 5)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    dilation = tuple(draw(st.sampled_from([1, 1, 2])) for _ in range(axes))
    padding = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(axes))
    for s, k, d, (a, b) in zip(spatial, kernel, dilation, padding, strict=True):
        assume(d * (k - 1) + 1 <= s + a + b)
    samples = draw(st.integers(1, 7))
    x, w = (samples, *spatial, inputs), (*kernel, inputs // groups, outputs)
    return x, w, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


@settings(max_examples=70, deadline=None)
@given(convolutions(), st.booleans())
def test_convolutions(case, following):
    x_shape, w_shape, window = case
    kernel, spatial = w_shape[:-2], x_shape[1:-1]

    def emit(k, a, b):
        y = k.conv(a, b, **window)
        dy = k.relu(k.add(y, 0.5)) if following else y
        dx = k.conv_backward_data(dy, b, spatial=spatial, **window)
        if following:
            dx = k.tanh(dx)
        return dy, dx, k.conv_backward_weights(a, dy, kernel=kernel, **window)

    # A product with few channels and a large kernel adds up many terms in another order.
    compare(emit, {"x": normal(*x_shape), "w": normal(*w_shape)}, rtol=1e-4, atol=2e-4, fallbacks=True)


def test_ordinary_convolutions_use_kernels_of_oneDNN():
    cases = [(1, 32, 1, 3, 1), (32, 64, 1, 3, 1), (6, 16, 1, 5, 1), (64, 64, 64, 3, 1), (16, 32, 1, 3, 2), (16, 32, 1, 1, 2)]
    for inputs, outputs, groups, kernel, stride in [*cases, (3, 20, 1, 7, 2), (64, 32, 1, 3, 2)]:
        x, w = normal(4, 14, 14, inputs), normal(kernel, kernel, inputs // groups, outputs)
        pads = ((kernel // 2, kernel // 2),) * 2
        window = {"stride": (stride,) * 2, "padding": pads, "dilation": (1, 1), "groups": groups}

        def emit(k, a, b, window=window, w=w):
            y = k.conv(a, b, **window)
            dx = k.conv_backward_data(y, b, spatial=(14, 14), **window)
            return y, dx, k.conv_backward_weights(a, y, kernel=w.shape[:2], **window)

        compare(emit, {"x": x, "w": w}, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 28])
@pytest.mark.parametrize(
    "stride,before,after,kernel", [(1, 1, 1, 3), (2, 1, 0, 3), (3, 2, 2, 5), (1, 0, 0, 1), (1, 4, 4, 5)]
)
def test_a_single_image_is_divided_by_rows(rows, stride, before, after, kernel):
    if rows + before + after < kernel:
        pytest.skip("no window fits")
    x, w, b = normal(1, rows, 9, 8), normal(kernel, 3, 8, 16), normal(16)
    window = {"stride": (stride, 1), "padding": ((before, after), (1, 1)), "dilation": (1, 1), "groups": 1}
    compare(lambda k, x, w, b: k.relu(k.add(k.conv(x, w, **window), b)), {"x": x, "w": w, "b": b}, threads=(1, 2, 3, 4))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_pooling(data):
    axes = data.draw(st.integers(1, 3))
    spatial = tuple(data.draw(st.integers(1, 9)) for _ in range(axes))
    kernel = tuple(data.draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(data.draw(st.integers(1, 4)) for _ in range(axes))
    padding = tuple((data.draw(st.integers(0, k - 1)), data.draw(st.integers(0, k - 1))) for k in kernel)
    for s, k, (a, b) in zip(spatial, kernel, padding, strict=True):
        assume(k <= s + a + b)
    channels = data.draw(st.sampled_from([1, 3, 16, 17]))
    x = normal(data.draw(st.integers(1, 5)), *spatial, channels)
    x = np.round(x * data.draw(st.sampled_from([1, 2, 1000]))).astype(np.float32)  # equal elements, too
    window = {"kernel": kernel, "stride": stride, "padding": padding}
    count = data.draw(st.booleans())

    def emit(k, a):
        y, index = k.max_pool(a, **window)
        m = k.average_pool(a, **window, count_padding=count)
        back = k.max_pool_backward(k.square(y), index, spatial=spatial, **window)
        return y, index, m, back, k.average_pool_backward(k.square(m), spatial=spatial, **window, count_padding=count)

    compare(emit, {"x": x}, rtol=1e-5, atol=1e-3)


def test_the_largest_of_a_window_with_nan_or_only_minus_infinity():
    x = normal(2, 4, 4, 3)
    x[0, 0, 1, 0], x[0, 1, 0, 0], x[1, :2, :2, 1] = np.nan, np.nan, -np.inf
    window = {"kernel": (3, 3), "stride": (1, 1), "padding": ((1, 1), (1, 1))}
    compare(lambda k, a: k.max_pool(a, **window), {"x": x})


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_resampling(data):
    axes = data.draw(st.integers(1, 3))
    spatial = tuple(data.draw(st.integers(1, 7)) for _ in range(axes))
    size = tuple(data.draw(st.integers(1, 12)) for _ in range(axes))
    method = data.draw(st.sampled_from(["nearest", "linear", "area"]))
    x = normal(data.draw(st.integers(1, 4)), *spatial, data.draw(st.sampled_from([1, 5, 16])))

    def emit(k, a):
        y = k.resample(a, size=size, method=method)
        return y, k.resample_backward(k.square(y), spatial=spatial, method=method)

    compare(emit, {"x": x}, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "padding",
    [
        ((0, 0), (1, 2), (0, 0)),
        ((0, 0), (0, 3), (2, 0), (0, 0)),
        ((1, 2), (0, 0), (0, 1), (2, 2)),
        ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2)),
    ],
)
def test_padding(padding):
    x = normal(*(3, 4, 5, 2, 3)[: len(padding)])
    compare(lambda k, a: k.pad(k.relu(a), padding), {"x": x})


@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 3), (64, 1), (300, 7), (5, 4, 3), (9, 8, 8, 16), (2, 3, 4, 5, 600), (1, 30, 30, 3)]
)
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_channel_moments(shape, shift):
    x = normal(*shape) + np.float32(shift)
    compare(lambda k, a: k.channel_moments(a), {"x": x}, rtol=1e-4, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_chains_take_along_their_sums(data):
    columns = data.draw(st.sampled_from([1, 3, 16, 40, 513, 1100]))
    lead = data.draw(st.sampled_from([(1,), (3,), (64,), (1, 9), (6, 5), (4, 3, 3), (2, 2, 2, 2)]))
    x, y, c = normal(*lead, columns), normal(*lead, columns, seed=1), normal(columns)
    axes = tuple(range(len(lead)))

    def emit(k, a, b, v):
        p = k.multiply(a, k.greater(b, 0.0))
        q = k.subtract(p, v)
        total, along = k.sum(p, axes), k.sum(k.multiply(q, b), axes, keepdims=True)
        return k.tanh(q), total, along, k.multiply(q, total)

    compare(emit, {"x": x, "y": y, "v": c}, rtol=1e-4, atol=1e-3)


def test_a_sum_joins_the_chain_it_is_of():
    def emit(k, a, b):
        p = k.multiply(a, k.greater(b, 0.0))
        w = k.matmul(a, p, transpose_a=True)  # closes the chain; the sum needs nothing but the chain
        return p, w, k.sum(p, 0)

    plan = plan_of(emit, {"x": normal(64, 32), "y": normal(64, 32)})
    assert [len(n.attrs.get("nodes", [])) for n in plan.nodes] == [3, 0]


def test_cheap_values_are_computed_again_instead_of_kept():
    net = NetworkGraph([Conv2D(16, 3), BatchNorm(), ReLU(), Flatten(), Dense(2)]).build((8, 8, 3))
    plan = optimise(lower_training(net, [SquaredError()], SGD(), 4))
    wide = [v for n in plan.nodes if n.op != "reshape" for v in n.outputs if v.shape == (4, 6, 6, 16)]
    # The convolution's output, y, dz and dx of the normalisation; neither x − μ nor the mask of ReLU.
    assert len(wide) == 4


# ---------------------------------------------------------------- whole networks


def _graph(layers, shape):
    return NetworkGraph(layers).build(shape)


def _residual():
    x = Input((8, 8, 3))
    h = ReLU()(BatchNorm()(Conv2D(16, 3, padding="same", bias=False)(x)))
    a = BatchNorm()(Conv2D(16, 3, padding="same", bias=False)(ReLU()(BatchNorm()(Conv2D(16, 3, padding="same")(h)))))
    h = ReLU()(Add()(a, h))
    b = BatchNorm()(Conv2D(24, 3, padding="same", stride=2, bias=False)(h))
    h = ReLU()(Add()(b, BatchNorm()(Conv2D(24, 1, stride=2, bias=False)(h))))
    return NetworkGraph(inputs=x, outputs=Dense(5)(GlobalAveragePool()(h))).build()


NETWORKS = {
    "lenet": lambda: _graph(
        [Conv2D(6, 5, padding=2), Tanh(), AveragePool2D(), Conv2D(16, 3), Tanh(), Flatten(), Dense(12), Tanh(), Dense(5)],
        (12, 12, 1),
    ),
    "vgg": lambda: _graph(
        [Conv2D(32, 3, padding="same"), ReLU(), Conv2D(16, 3), BatchNorm(), ReLU(), MaxPool2D(), Flatten(), Dense(5)],
        (9, 9, 3),
    ),
    "residual": _residual,
    "depthwise": lambda: _graph(
        [
            Conv2D(16, 3, stride=2),
            BatchNorm(),
            DepthwiseConv2D(3, padding="same"),
            ReLU(),
            Conv2D(32, 1),
            GlobalAveragePool(),
            Dense(5),
        ],
        (11, 11, 3),
    ),
    "upward": lambda: _graph(
        [
            Conv2D(8, 4, stride=2, padding=1),
            ReLU(),
            ConvTranspose2D(4, 4, stride=2, padding=1),
            ReLU(),
            UpSampling2D(2, method="bilinear"),
            ZeroPadding2D(1),
            Conv2D(2, 3),
            MaxPool2D(3, stride=2),
            Flatten(),
            Dense(5),
        ],
        (6, 6, 2),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 2, 5, 16])
def test_gradients_of_networks(name, batch, monkeypatch):
    net = NETWORKS[name]()
    shape = net.input_shapes[0]
    data = {"x0": normal(batch, *shape), "y0": np.random.default_rng(0).integers(0, 5, batch).astype(np.int32)}

    def gradients(engine, dtype):
        plan = optimise(lower_training(net, [SoftmaxCrossEntropy()], None, batch, input_gradients=True))
        arenas = {n: np.zeros(v.size, dtype) for n, v in plan.arenas.items()}
        arenas["parameters"][...] = net.parameters.flat
        arenas["states"] = net.states.flat.astype(dtype)
        executable = engine.compile(plan, arenas)
        if engine.name == "onednn":
            assert executable.native
            executable.temporaries.view(np.float32)[...] = np.nan
        found = executable.run(data)
        return found["loss"], found["dx0"], arenas["gradients"], arenas["states"]

    wanted = gradients(ReferenceEngine("float64"), np.float64)
    for cached in (images.CACHED, 512):  # one sample a turn
        monkeypatch.setattr(images, "CACHED", cached)
        monkeypatch.setattr(schedule, "CACHED", cached)
        for threads in (1, 2, 3):
            for a, b in zip(gradients(get_engine("onednn", threads=threads), np.float32), wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4 * max(1e-3, np.abs(b).max(initial=0)))


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_do_not_depend_on_batch_or_threads(name):
    net = NETWORKS[name]()
    x = normal(7, *net.input_shapes[0])
    states = np.abs(normal(net.states.flat.size)) + 0.5

    def predict(x, engine, dtype):
        plan = optimise(lower_prediction(net, len(x)))
        arenas = {"parameters": net.parameters.flat.astype(dtype), "states": states.astype(dtype)}
        return engine.compile(plan, arenas).run({"x0": x})["output0"]

    wanted = predict(x, ReferenceEngine("float64"), np.float64)
    for threads in (1, 2, 3):
        engine = get_engine("onednn", threads=threads)
        np.testing.assert_allclose(predict(x, engine, np.float32), wanted, rtol=1e-3, atol=1e-4)
        alone = np.concatenate([predict(x[i : i + 1], engine, np.float32) for i in range(7)])
        np.testing.assert_allclose(alone, wanted, rtol=1e-3, atol=1e-4)


def test_training_gives_the_same_bits_again():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(70, 12, 12, 3)).astype(np.float32), rng.integers(0, 4, 70)

    def weights():
        layers = [
            Conv2D(16, 3, padding="same"),
            BatchNorm(),
            ReLU(),
            MaxPool2D(),
            Conv2D(32, 3),
            ReLU(),
            Flatten(),
            Dense(4),
        ]
        net = Network(layers, random_state=3)
        net.fit(x, y, epochs=3, batch_size=16, optimizer=Adam(), verbose=0, engine="onednn")
        return net.parameters.flat.copy()

    first = weights()
    for _ in range(3):
        np.testing.assert_array_equal(weights(), first)


def test_a_weight_changed_in_place_changes_the_next_prediction():
    net = Network([Conv2D(16, 3), ReLU(), Flatten(), Dense(3)], random_state=0).build((8, 8, 16))
    x = normal(1, 8, 8, 16)
    before = net.predict(x)
    net.parameters["0.conv2d.weight"][...] *= 2
    after = net.predict(x)
    net.parameters["0.conv2d.weight"][...] /= 2
    assert not np.allclose(before, after)
    np.testing.assert_array_equal(net.predict(x), before)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [(16, 32), (48, 20)])
def test_convolutions_in_bfloat16_round_their_inputs_only(channels, stride):
    try:
        engines = [get_engine("onednn", dtype="bfloat16", threads=t) for t in (1, 2)]
    except EngineError as error:
        pytest.skip(str(error))
    inputs, outputs = channels
    x, w = normal(8, 16, 16, inputs), normal(3, 3, inputs, outputs)
    window = {"stride": (stride, stride), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}

    def emit(k, a, b, dy):
        dx = k.conv_backward_data(dy, b, spatial=(16, 16), **window)
        return k.tanh(k.conv(a, b, **window)), dx, k.conv_backward_weights(a, dy, kernel=(3, 3), **window)

    def rounded(v):
        bits = v.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)

    arrays = {"x": x, "w": w, "dy": normal(8, 16 // stride, 16 // stride, outputs)}
    close = {n: rounded(a) for n, a in arrays.items()}
    wanted = ReferenceEngine("float64").compile(plan_of(emit, arrays), {}).run(close)
    for engine in engines:
        found = engine.compile(plan_of(emit, arrays), {}).run(arrays)
        for name, v in wanted.items():
            np.testing.assert_allclose(found[name], v, rtol=1e-4, atol=1e-3)


def test_a_plan_says_which_kernels_it_uses_and_why_weights_are_reordered():
    layers = [Conv2D(32, 3), ReLU(), Conv2D(64, 3), ReLU(), Conv2D(4, 3, dilation=2), GlobalAveragePool(), Dense(3)]
    net = Network(layers, random_state=0).build((16, 16, 3))
    text = net.plan(8).show()
    assert "  2.conv2d: " in text  # which kernel, and how weights lie, is the processor's
    reasons = ("reordered once a step into blocks of", "NumPy", "copied windows, since")
    assert "2.conv2d dx: " in text and any(reason in text for reason in reasons)
    assert "0.conv2d dW: " in text and "0.conv2d dx" not in text  # nobody wants dx of the input
    assert "dx" not in net.plan(8, training=False).show()
    assert "engine" not in Network([Dense(3)]).build(2).plan().show()
