"""The checks find what is wrong: each kind of mistake a layer, loss or optimizer can have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import ChainruleError, CheckFailed, EngineError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import Add, Dense, Dropout, Embedding, Flatten, HardSigmoid, Input, Layer, Parameter, ReLU, State, Tanh
from chainrule.losses import SoftmaxCrossEntropy, SquaredError
from chainrule.losses.base import Loss
from chainrule.network import NetworkGraph
from chainrule.ops import OPS, Builder, Saved, Value
from chainrule.optimizers import SGD, Adam
from chainrule.testing import check_layer, check_loss, check_optimizer


class _Square(Layer):
    """y = w x², with room for mistakes."""

    mistake = ""

    def __init__(self, mistake: str = ""):
        self.mistake = mistake

    def parameters(self, *shapes: Any) -> dict[str, Parameter]:
        return {"w": Parameter(shapes[0][1:], "ones")}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        w = k.param("w")
        return k.multiply(w, k.square(xs[0])), Saved(x=xs[0], w=w)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Any:
        dw = k.sum(k.multiply(dy, k.square(saved.x)), axis=0)
        dx = k.multiply(dy, k.multiply(saved.w, k.multiply(saved.x, 2.0)))
        if self.mistake == "factor":
            dx = k.multiply(dx, 1.001)
        if self.mistake == "none":
            dx = None  # type: ignore[assignment]
        if self.mistake == "two":
            return dx, dx
        if self.mistake == "shape":
            dx = k.sum(dx, axis=0)
        if self.mistake == "dw":
            dw = k.multiply(dw, 0.5)
        if self.mistake == "dw shape":
            dw = k.sum(dw)
        if self.mistake != "no dw":
            k.grad("w", dw)
        return dx


def test_a_right_layer_passes_and_says_what_was_compared() -> None:
    report = check_layer(_Square(), (3,), batches=(2, 3), training=True)
    assert report.compared == (2 + 3) * 3 + 2 * 3
    assert report.skipped == 0 and report.largest_error < 1e-8
    assert report.engines[0] == "reference"


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("factor", r"dx0 against finite differences +\[0, \d\]"),
        ("none", r"dx0 against finite differences .*None \(no gradient\)"),
        ("two", r"backward returned 2 gradient\(s\) for 1 input"),
        ("shape", r"backward returned dx of shape \(3,\) for an input of shape \(1, 3\)"),
        ("dw", r"gradient of 0._square.w against finite differences"),
        ("dw shape", r"the gradient of 'w' has shape \(\), the parameter has \(3,\)"),
        ("no dw", r"gradient of parameter '0._square.w' +none +k.grad\(\.\.\.\) in backward"),
    ],
)
def test_mistakes_in_backward(mistake: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=message) as caught:
        check_layer(_Square(mistake), (3,), engines=["reference"])
    assert isinstance(caught.value, ChainruleError) and isinstance(caught.value, AssertionError)
    assert "check_layer(_Square" in str(caught.value)
    assert "batch 1, training" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 15


def test_the_table_is_short_and_counts_the_rest() -> None:
    with pytest.raises(CheckFailed, match=r"\.\.\. and \d+ more rows"):
        check_layer(_Square("factor"), (20,), engines=["reference"])


class _Switch(Layer):
    """y = x in training, 2 x in prediction; backward always as in training."""

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return (xs[0] if k.training else k.multiply(xs[0], 2.0)), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


def test_both_modes_are_checked() -> None:
    check_layer(_Switch(), (3,), training=True)
    for mode in (None, False):
        with pytest.raises(CheckFailed, match="batch 1, prediction"):
            check_layer(_Switch(), (3,), training=mode)


class _Remask(Layer):
    """Dropout that draws its mask again in backward."""

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        m = k.greater_equal(k.random_uniform(xs[0].shape), 0.5)
        return k.multiply(xs[0], m), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return k.multiply(dy, k.greater_equal(k.random_uniform(dy.shape), 0.5))


def test_a_mask_drawn_twice_is_found() -> None:
    with pytest.raises(CheckFailed, match="dx0 against finite differences"):
        check_layer(_Remask(), (10,))


class _BatchBound(Layer):
    """Its output has one feature more for each sample of the batch."""

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return k.reshape(k.concat([xs[0]] * xs[0].shape[0], 1), (xs[0].shape[0], -1)), Saved(x=xs[0])

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        size = saved.x.shape[1]
        parts = [k.slice(dy, 1, i * size, (i + 1) * size) for i in range(saved.x.shape[0])]
        total = parts[0]
        for p in parts[1:]:
            total = k.add(total, p)
        return total


def test_a_shape_that_depends_on_the_batch_is_found() -> None:
    check_layer(_BatchBound(), (3,), batches=[2])
    with pytest.raises(CheckFailed, match=r"shape of the output +\(1, 3\) +\(1, 6\)"):
        check_layer(_BatchBound(), (3,))


def test_a_shape_rule_that_does_not_tell_the_truth_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.engine.reference.kernels import KERNELS

    # The same number of elements, so that everything after it still computes.
    monkeypatch.setitem(KERNELS, "tanh", lambda attrs, x: np.tanh(x).reshape(1, *x.shape))
    assert "tanh" in OPS
    with pytest.raises(CheckFailed, match=r"shape of the op tanh \(forward 0.tanh\)"):
        check_layer(Tanh(), (3,))


class _Rounding(Layer):
    """y = (x + 1e6) − 1e6: right in float64, hopeless in float32."""

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return k.subtract(k.add(xs[0], 1e6), 1e6), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


def test_equations_that_lose_digits_in_float32_are_found() -> None:
    with pytest.raises(CheckFailed, match="output0 on reference in float32"):
        check_layer(_Rounding(), (3,))


class _Steps(Layer):
    """y = x + [x > 0]: a jump, where no derivative exists."""

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        return k.add(xs[0], k.greater(xs[0], 0.0)), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


def some_zeros(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    x = rng.standard_normal(shape)
    x.flat[0] = 0
    return x


def all_zeros(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    return np.zeros(shape)


@pytest.mark.parametrize("layer", [ReLU(), _Steps()])
def test_kinks_are_left_out_when_they_are_few(layer: Layer) -> None:
    report = check_layer(layer, (20,), draw=some_zeros, training=True, max_elements=100)
    assert report.skipped == 3  # one in each batch
    with pytest.raises(CheckFailed, match=r"elements at kinks +100 of 100 +≤ 10%"):
        check_layer(layer, (20,), draw=all_zeros, training=True, engines=["reference"])
    check_layer(layer, (20,), draw=all_zeros, training=True, engines=["reference"], max_skipped=1.0)


def test_corners_of_a_piecewise_function_are_few() -> None:
    assert check_layer(HardSigmoid(), (50,), draw=lambda rng, shape, dtype: rng.uniform(-4, 4, shape)).skipped == 0


class _Counter(Layer):
    """y = x + running, with running ← running + 1."""

    def states(self, *shapes: Any) -> dict[str, State]:
        return {"running": State((1,), 3.0)}

    def forward(self, k: Builder, *xs: Value) -> tuple[Value, Saved]:
        running = k.state("running")
        k.set_state("running", k.add(running, 1.0))
        return k.add(xs[0], running), Saved()

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        return dy


def test_states_start_again_at_every_evaluation() -> None:
    check_layer(_Counter(), (3,))


def test_several_inputs_indices_and_whole_networks() -> None:
    assert check_layer(Add(), (2, 3), (1, 3)).compared > 0
    assert check_layer(Embedding(4, 2), 3).compared > 0
    ids, x = Input((2,), dtype="int"), Input((3,))
    joined = Add()(Flatten()(Embedding(6, 2)(ids)), Dense(4)(Tanh()(x)))
    net = NetworkGraph(inputs=[ids, x], outputs=Dropout(0.3)(Dense(2)(joined)), dtype="float64")
    assert check_layer(net, (2,), (3,), dtypes=("int", "float")).largest_error < 1e-8


def test_what_the_caller_has_wrong() -> None:
    with pytest.raises(ShapeError, match=r"layer '0\.dense'"):
        check_layer(Dense(3), ())
    with pytest.raises(ParameterError, match="rate"):
        check_layer(Dropout(2.0), (3,))
    with pytest.raises(ShapeError, match=r"draw gave input 0 of shape \(5,\), expected \(1, 3\)"):
        check_layer(Tanh(), (3,), draw=lambda rng, shape, dtype: np.zeros(5))
    with pytest.raises(UnknownNameError, match="Unknown engine 'abacus'"):
        check_layer(Tanh(), (3,), engines=["abacus"])


class _BrokenEngine(ReferenceEngine):
    def compile(self, plan: Any, arenas: Any) -> Any:
        found = super().compile(plan, arenas)
        run = found.run

        def wrong(*args: Any, **kwargs: Any) -> Any:
            result = run(*args, **kwargs)
            found.arenas["gradients"][:] = 0
            return {n: v * np.float32(1.001) for n, v in result.items()}

        found.run = wrong  # type: ignore[method-assign]
        return found


def test_an_engine_that_computes_wrongly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import chainrule.engine

    monkeypatch.setattr(chainrule.engine, "get_engine", lambda name: _BrokenEngine("float32"))
    with pytest.raises(CheckFailed) as caught:
        check_layer(Dense(2), (3,), engines=["broken"])
    for what in ("output0 on broken in float32", "dx0 on broken", "gradient of 0.dense.weight on broken"):
        assert what in str(caught.value)


def test_without_the_fast_engine_the_reference_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    import chainrule.engine

    def absent(name: str) -> Any:
        raise EngineError("no libdnnl")

    monkeypatch.setattr(chainrule.engine, "get_engine", absent)
    assert check_layer(Tanh(), (3,)).engines == ("reference",)
    with pytest.raises(EngineError, match="the engine 'onednn' does not work here: no libdnnl"):
        check_layer(Tanh(), (3,), engines=["onednn"])


# ---------------------------------------------------------------- losses


class _Cubic(Loss):
    """ℓ = |z − y|³, with room for mistakes."""

    def __init__(self, mistake: str = ""):
        self.mistake = mistake

    def forward(self, k: Builder, z: Value, y: Value) -> tuple[Value, Saved]:
        d = k.subtract(z, y)
        ell = k.multiply(k.square(d), k.absolute(d))
        return (k.multiply(ell, 2.0) if self.mistake == "value" else ell), Saved(d=d)

    def backward(self, k: Builder, saved: Saved, dl: Value) -> Value:
        dz = k.multiply(k.multiply(saved.d, k.absolute(saved.d)), 6.0 if self.mistake in ("value", "factor") else 3.0)
        return dz if self.mistake == "weights" else k.multiply(dz, dl)


def cubic(z: Any, y: Any) -> Any:
    return np.abs(z - y) ** 3


def test_losses() -> None:
    assert check_loss(_Cubic(), (3, 2), reference=cubic).largest_error < 1e-7
    check_loss(SquaredError(), 1, reference=lambda z, y: (z - y) ** 2)

    def cross_entropy(z: Any, y: Any) -> Any:
        t = np.eye(z.shape[-1])[y] if y.dtype.kind == "i" else y
        t = 0.8 * t + 0.2 / z.shape[-1]
        return -(t * (z - np.log(np.exp(z).sum(-1, keepdims=True)))).sum(-1)

    for shape in ((4,), (2, 3)):
        check_loss(SoftmaxCrossEntropy(label_smoothing=0.2), shape, reference=cross_entropy)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("value", "loss against the reference formula"),
        ("factor", "dx0 against finite differences"),
        ("weights", "dx0 against finite differences"),
    ],
)
def test_mistakes_in_a_loss(mistake: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        check_loss(_Cubic(mistake), (2,), reference=cubic, engines=["reference"])


# ---------------------------------------------------------------- optimizers


def adam(w: Any, g: Any, t: int, lr: float, memory: dict[str, Any]) -> Any:
    m = memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    v = memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    return w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def momentum(w: Any, g: Any, t: int, lr: float, memory: dict[str, Any]) -> Any:
    memory["v"] = 0.9 * memory.get("v", 0) + g
    return w - lr * memory["v"]


def test_optimizers() -> None:
    check_optimizer(Adam(0.01), adam)
    check_optimizer(SGD(0.1, momentum=0.9), momentum)
    check_optimizer(SGD(0.1, momentum=0.9), momentum, learning_rates=[0.1, 0.05, 0.2, 0.01, 0.3])


def test_mistakes_in_an_optimizer() -> None:
    class _Wrong(Adam):
        name = ""

        def scalars(self, t: Any, lr: Any) -> Any:
            return super().scalars(t + 1, lr)

    with pytest.raises(CheckFailed, match=r"step 1 on reference float64 +weight +\[\d\]"):
        check_optimizer(_Wrong(0.01), adam, engines=["reference"])
    with pytest.raises(ParameterError, match="learning_rate must be a finite number above 0"):
        check_optimizer(SGD(-1.0), momentum)
