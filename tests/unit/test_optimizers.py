"""chainrule.optimizers: updates against formulas, penalties, decay, clipping, L-BFGS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.engine.reference import ReferenceEngine
from chainrule.errors import DivergenceError, ModelFileError, ParameterError, ShapeError, UnknownNameError
from chainrule.layers import Dense, Input, Tanh
from chainrule.losses import SquaredError
from chainrule.network import NetworkGraph
from chainrule.ops.memory import aligned_zeros
from chainrule.optimizers import (
    LBFGS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Cosine,
    LBFGSResult,
    Lion,
    Nadam,
    Optimizer,
    RAdam,
    RMSprop,
    Schedule,
    WarmUp,
    get_optimizer,
)
from chainrule.plan import lower_training, optimise
from chainrule.registry import from_config, to_config
from chainrule.testing import check_optimizer

Array = NDArray[Any]
Reference = Callable[[Array, Array, int, float, dict[str, Any]], Array]

# ------------------------------------------------------------ the updates as textbooks have them


def sgd(momentum: float = 0.0, nesterov: bool = False) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        v = memory["v"] = momentum * memory.get("v", 0.0) + g
        return w - lr * (g + momentum * v if nesterov else v)

    return step


def adagrad(epsilon: float, start: float) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        s = memory["s"] = memory.get("s", start) + g**2
        return w - lr * g / (np.sqrt(s) + epsilon)

    return step


def adadelta(rho: float, epsilon: float) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        s = memory["s"] = rho * memory.get("s", 0.0) + (1 - rho) * g**2
        u = memory.get("u", 0.0)
        delta = np.sqrt(u + epsilon) / np.sqrt(s + epsilon) * g
        memory["u"] = rho * u + (1 - rho) * delta**2
        return w - lr * delta

    return step


def rmsprop(rho: float, epsilon: float, momentum: float = 0.0, centered: bool = False) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        v = memory["v"] = rho * memory.get("v", 0.0) + (1 - rho) * g**2
        a = memory["a"] = rho * memory.get("a", 0.0) + (1 - rho) * g
        d = g / (np.sqrt(np.maximum(v - a**2, 0) if centered else v) + epsilon)
        b = memory["b"] = momentum * memory.get("b", 0.0) + d
        return w - lr * b

    return step


def adam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, decay: float = 0.0) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        m = memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        v = memory["v"] = beta2 * memory.get("v", 0.0) + (1 - beta2) * g**2
        return w - lr * decay * w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)

    return step


def nadam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, decay: float = 0.004) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        m = memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        v = memory["v"] = beta2 * memory.get("v", 0.0) + (1 - beta2) * g**2
        mu, ahead = (beta1 * (1 - 0.5 * 0.96 ** (i * decay)) for i in (t, t + 1))
        product = memory["product"] = memory.get("product", 1.0) * mu
        top = ahead * m / (1 - product * ahead) + (1 - mu) * g / (1 - product)
        return w - lr * top / (np.sqrt(v / (1 - beta2**t)) + epsilon)

    return step


def adamax(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        m = memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        u = memory["u"] = np.maximum(beta2 * memory.get("u", 0.0), np.abs(g) + epsilon)
        return w - lr / (1 - beta1**t) * m / u

    return step


def radam(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        m = memory["m"] = beta1 * memory.get("m", 0.0) + (1 - beta1) * g
        v = memory["v"] = beta2 * memory.get("v", 0.0) + (1 - beta2) * g**2
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        direction = m / (1 - beta1**t)
        if length <= 5:
            return w - lr * direction
        r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        return w - lr * direction * r * np.sqrt(1 - beta2**t) / (np.sqrt(v) + epsilon)

    return step


def lion(beta1: float = 0.9, beta2: float = 0.99) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        m = memory.get("m", 0.0)
        memory["m"] = beta2 * m + (1 - beta2) * g
        return w - lr * np.sign(beta1 * m + (1 - beta1) * g)

    return step


def adafactor(decay: float = -0.8, clip: float = 1.0, epsilon1: float = 2.0**-23, epsilon2: float = 1e-3) -> Reference:
    def step(w: Array, g: Array, t: int, lr: float, memory: dict[str, Any]) -> Array:
        new = t**decay

        def mean(name: str, values: Array) -> Array:
            memory[name] = (1 - new) * memory.get(name, 0.0) + new * values
            return memory[name]

        if g.ndim > 1 and min(g.shape) > 1:
            rows, columns = mean("r", (g**2).mean(axis=1)), mean("c", (g**2).mean(axis=0))
            v = np.outer(rows, columns) / max(rows.mean(), epsilon1)
        else:
            v = mean("v", g**2)
        u = g / np.maximum(np.sqrt(v), epsilon1)
        rate = max(epsilon2, np.sqrt((w**2).mean())) * min(lr, 1 / np.sqrt(t))
        return w - rate * u / max(1.0, np.sqrt((u**2).mean()) / clip)

    return step


CASES: list[tuple[Optimizer, Reference]] = [
    (Adafactor(0.1), adafactor()),
    (Adafactor(0.5, decay=-0.5, clip=0.5, epsilon1=1e-3, epsilon2=0.2), adafactor(-0.5, 0.5, 1e-3, 0.2)),
    (Adamax(0.01), adamax()),
    (Adamax(0.01, beta1=0.5, beta2=0.9, epsilon=1e-2), adamax(0.5, 0.9, 1e-2)),
    (RAdam(0.01), radam()),
    (RAdam(0.01, beta1=0.8, beta2=0.9, epsilon=1e-3), radam(0.8, 0.9, 1e-3)),
    (RAdam(0.01, beta2=0.5), radam(beta2=0.5)),
    (Lion(0.01), lion()),
    (Lion(0.01, beta1=0.5, beta2=0.9), lion(0.5, 0.9)),
    (SGD(0.1), sgd()),
    (SGD(0.1, momentum=0.9), sgd(0.9)),
    (SGD(0.1, momentum=0.8, nesterov=True), sgd(0.8, True)),
    (Adagrad(0.1), adagrad(1e-10, 0.0)),
    (Adagrad(0.1, initial_accumulator=0.5, epsilon=1e-3), adagrad(1e-3, 0.5)),
    (Adadelta(), adadelta(0.9, 1e-6)),
    (Adadelta(0.5, rho=0.95, epsilon=1e-4), adadelta(0.95, 1e-4)),
    (RMSprop(0.01), rmsprop(0.9, 1e-8)),
    (RMSprop(0.01, rho=0.99, epsilon=1e-4, momentum=0.9), rmsprop(0.99, 1e-4, 0.9)),
    # With one gradient seen, v − a² is ρ (1−ρ) g²: far from 0, where √ would show every rounding error.
    (RMSprop(0.01, centered=True, epsilon=1e-3), rmsprop(0.9, 1e-3, centered=True)),
    (RMSprop(0.01, centered=True, momentum=0.5, epsilon=1e-3), rmsprop(0.9, 1e-3, 0.5, True)),
    (Adam(0.01), adam()),
    (Adam(0.01, beta1=0.0, beta2=0.9, epsilon=1e-3), adam(0.0, 0.9, 1e-3)),
    (Adam(0.01, weight_decay=0.1), adam(decay=0.1)),
    (AdamW(0.01), adam(decay=0.01)),
    (AdamW(0.01, weight_decay=0.3, beta1=0.8), adam(0.8, decay=0.3)),
    (Nadam(0.01), nadam()),
    (Nadam(0.01, beta1=0.95, beta2=0.99, epsilon=1e-4, momentum_decay=0.1), nadam(0.95, 0.99, 1e-4, 0.1)),
]


@pytest.mark.parametrize(("optimizer", "reference"), CASES, ids=[repr(o) for o, _ in CASES])
def test_ten_steps(optimizer: Optimizer, reference: Reference) -> None:
    check_optimizer(optimizer, reference, steps=10)


def test_every_optimizer_is_checked() -> None:
    own = {o for o in Optimizer.registry.values() if o.__module__.startswith("chainrule.optimizers")}
    assert own - {LBFGS} == {type(o) for o, _ in CASES}


@pytest.mark.parametrize(("optimizer", "reference"), CASES[::3], ids=[repr(o) for o, _ in CASES[::3]])
def test_rates_that_change(optimizer: Optimizer, reference: Reference) -> None:
    check_optimizer(optimizer, reference, learning_rates=[0.1, 0.05, 0.0, 0.2])


def test_centered_rmsprop_survives_a_variance_of_zero() -> None:
    """A gradient that never changes has v = a² at last, and rounding makes the difference negative."""
    network = network_of(1)
    run = Run(network, RMSprop(1e-6, rho=0.5, centered=True))
    for _ in range(60):
        run.step(np.ones((2, 3)), np.zeros((2, 2)))
    assert np.isfinite(network.parameters.flat).all()


def test_nadam_scalars_do_not_depend_on_where_the_steps_begin() -> None:
    optimizer = Nadam(0.1, beta1=0.99)
    t = np.arange(1.0, 6001)
    whole = optimizer.scalars(t, np.full(6000, 0.1))
    for steps in ([5000, 17, 1], [4321], [2, 1]):
        part = optimizer.scalars(np.array(steps, float), np.full(len(steps), 0.1))
        for name, values in part.items():
            np.testing.assert_array_equal(values, whole[name][np.array(steps) - 1], err_msg=name)
    mu = 0.99 * (1 - 0.5 * 0.96 ** (np.arange(1, 6002) * 0.004))
    product = np.cumprod(mu)
    np.testing.assert_allclose(whole["ahead"], 0.1 * (1 - mu[:-1]) / (1 - product[:-1]), rtol=1e-14)
    np.testing.assert_allclose(whole["step"], 0.1 * mu[1:] / (1 - product[1:]), rtol=1e-14)
    assert optimizer.scalars(np.array([1e12]), np.array([0.1]))["ahead"][0] == pytest.approx(0.1 * 0.01, rel=1e-9)


# ------------------------------------------------------------ what the plan adds: penalties, decay, clipping


def network_of(seed: int) -> NetworkGraph:
    network = NetworkGraph([Input((3,)), Dense(4), Tanh(), Dense(2)], random_state=seed, dtype="float64").build()
    rng = np.random.default_rng(seed)
    for name in network.parameters:
        network.parameters[name][...] = rng.normal(size=network.parameters[name].shape)
    return network


class Run:
    """One optimizer on one network, in float64 on the reference engine."""

    def __init__(self, network: NetworkGraph, optimizer: Optimizer | None, batch: int = 2) -> None:
        plan = lower_training(network, [SquaredError()], optimizer, batch)
        self.arenas = {name: aligned_zeros(v.size, "float64") for name, v in plan.arenas.items()}
        self.arenas["parameters"] = network.parameters.flat
        for slot, start in (optimizer.slot_start() if optimizer else {}).items():
            self.arenas[f"slot.{slot}"][...] = start
        self.plan, self.optimizer, self.t = optimise(plan), optimizer, 0
        self.executable = ReferenceEngine("float64").compile(self.plan, self.arenas)

    def step(self, x: Array, y: Array) -> float:
        self.t += 1
        t = np.array([float(self.t)])
        numbers = self.optimizer.scalars(t, self.optimizer.rates(t)) if self.optimizer else {}
        scalars = {name: float(values[0]) for name, values in numbers.items()}
        return float(self.executable.run({"x0": x, "y0": y}, scalars)["loss"])


X, Y = np.random.default_rng(7).normal(size=(2, 3)), np.random.default_rng(8).normal(size=(2, 2))


def plain() -> tuple[float, dict[str, Array], dict[str, Array]]:
    """J, gradients and start weights of the network without any penalty."""
    network = network_of(5)
    run = Run(network, None)
    loss = run.step(X, Y)
    gradients = {n: network.parameters.view(run.arenas["gradients"], n).copy() for n in network.parameters}
    return loss, gradients, {n: network.parameters[n].copy() for n in network.parameters}


def after(optimizer: Optimizer) -> tuple[float, NetworkGraph]:
    network = network_of(5)
    return Run(network, optimizer).step(X, Y), network


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
def test_penalties_are_in_the_loss_and_spare_biases(l1: float, l2: float) -> None:
    j, g, w = plain()
    loss, network = after(SGD(0.1, l1=l1, l2=l2))
    weights = [n for n in w if n.endswith("weight")]
    penalty = sum(l1 * abs(w[n]).sum() + 0.5 * l2 * (w[n] ** 2).sum() for n in weights)
    assert loss == pytest.approx(j + penalty, rel=1e-12)
    for n in w:
        extra = l2 * w[n] + l1 * np.sign(w[n]) if n in weights else 0
        np.testing.assert_allclose(network.parameters[n], w[n] - 0.1 * (g[n] + extra), rtol=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(0.1, weight_decay=0.5), SGD(0.1, momentum=0.9, weight_decay=0.5)])
def test_decay_is_decoupled_and_spares_biases(optimizer: Optimizer) -> None:
    j, g, w = plain()
    loss, network = after(optimizer)
    assert loss == pytest.approx(j, rel=1e-12)
    for n in w:
        kept = 1 - 0.1 * 0.5 if n.endswith("weight") else 1
        np.testing.assert_allclose(network.parameters[n], w[n] * kept - 0.1 * g[n], rtol=1e-12)


def test_clipping_by_norm_is_global() -> None:
    _, g, w = plain()
    norm = np.sqrt(sum((v**2).sum() for v in g.values()))
    for clip in (norm / 3, norm * 3):
        # The decay parts the arena into stretches; the norm is still that of all of them.
        for extra in ({}, {"weight_decay": 1e-300}):
            _, network = after(SGD(0.1, clip_norm=clip, **extra))
            for n in w:
                wanted = w[n] - 0.1 * g[n] * min(1.0, clip / norm)
                np.testing.assert_allclose(network.parameters[n], wanted, rtol=1e-12)


def test_clipping_comes_after_penalties_norm_before_value() -> None:
    _, g, w = plain()
    full = {n: g[n] + (0.2 * w[n] if n.endswith("weight") else 0) for n in g}
    norm = np.sqrt(sum((v**2).sum() for v in full.values()))
    _, network = after(SGD(0.1, l2=0.2, clip_norm=norm / 2, clip_value=0.05))
    for n in w:
        np.testing.assert_allclose(network.parameters[n], w[n] - 0.1 * np.clip(full[n] / 2, -0.05, 0.05), rtol=1e-12)


@pytest.mark.parametrize("optimizer", [o for o, _ in CASES], ids=[repr(o) for o, _ in CASES])
def test_frozen_layers_stay_and_padding_stays_zero(optimizer: Optimizer) -> None:
    network = network_of(5)
    before = {n: network.parameters[n].copy() for n in network.parameters}
    network.freeze("0.dense")
    run = Run(network, optimizer)
    for _ in range(3):
        run.step(X, Y)
    for n, value in before.items():
        assert np.array_equal(network.parameters[n], value) == n.startswith("0.dense")
    covered = np.zeros(network.parameters.flat.size, bool)
    for entry in network.parameters.entries.values():
        covered[entry.offset : entry.offset + entry.size] = True
    assert not network.parameters.flat[~covered].any()


@pytest.mark.parametrize("optimizer", [o for o, _ in CASES if not o.by_variable], ids=repr)
def test_the_update_is_elementwise_only(optimizer: Optimizer) -> None:
    from chainrule.ops.table import OPS

    plan = lower_training(network_of(5), [SquaredError()], optimizer, 2)
    assert all(OPS[node.op].kind == "elementwise" for node in plan.nodes if node.where.phase == "update")


@pytest.mark.parametrize("engine", ["reference", "onednn"])
@pytest.mark.parametrize("shape", [(4, 3), (5, 1), (2, 2), (7, 9)])
def test_adafactor_of_matrices(engine: str, shape: tuple[int, int]) -> None:
    """Every step against the formula in NumPy, for a weight (I, O) and a bias (O,)."""
    from chainrule.engine import get_engine

    dtype = "float64" if engine == "reference" else "float32"
    network = NetworkGraph([Dense(shape[1])], random_state=0, dtype=dtype).build((shape[0],))
    optimizer, step = Adafactor(0.3), adafactor()
    plan = optimise(lower_training(network, [SquaredError()], optimizer, 6))
    flat = network.parameters.flat
    arenas = {name: np.zeros_like(flat) for name in ("gradients", "slot.r", "slot.q")} | {"parameters": flat}
    executable = get_engine(engine, dtype=dtype).compile(plan, arenas)
    rng = np.random.default_rng(1)
    wanted = {name: np.array(network.parameters[name], np.float64) for name in network.parameters}
    memory: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    for t in range(1, 9):
        x, y = rng.normal(size=(6, shape[0])).astype(dtype), rng.normal(size=(6, shape[1])).astype(dtype)
        w, b = wanted["0.dense.weight"], wanted["0.dense.bias"]
        dz = 2 * (x @ w + b - y) / (6 * shape[1])
        for name, g in (("0.dense.weight", x.T @ dz), ("0.dense.bias", dz.sum(axis=0))):
            wanted[name] = step(wanted[name], g, t, 0.3, memory[name])
        rates = optimizer.scalars(np.array([float(t)]), np.array([0.3]))
        executable.run({"x0": x, "y0": y}, {n: float(v[0]) for n, v in rates.items()}, step=t - 1)
        for name, value in wanted.items():
            exact = dtype == "float64"
            np.testing.assert_allclose(
                network.parameters[name], value, rtol=1e-9 if exact else 2e-3, atol=1e-12 if exact else 1e-4
            )


@pytest.mark.peer
def test_adafactor_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    network = NetworkGraph([Dense(5), Tanh(), Dense(3)], random_state=0, dtype="float64").build((4,))
    tensors = {n: torch.nn.Parameter(torch.tensor(network.parameters[n].copy())) for n in network.parameters}
    peer = torch.optim.Adafactor(list(tensors.values()), lr=0.2, weight_decay=0.0, eps=(2.0**-23, 1e-3))
    run = Run(network, Adafactor(0.2))
    for _ in range(6):
        x, y = rng.normal(size=(2, 4)), rng.normal(size=(2, 3))
        run.step(x, y)
        w1, b1, w2, b2 = (tensors[n] for n in ("0.dense.weight", "0.dense.bias", "2.dense.weight", "2.dense.bias"))
        loss = ((torch.tanh(torch.tensor(x) @ w1 + b1) @ w2 + b2 - torch.tensor(y)) ** 2).mean()
        peer.zero_grad()
        loss.backward()
        peer.step()
        for name, tensor in tensors.items():
            np.testing.assert_allclose(network.parameters[name], tensor.detach().numpy(), rtol=1e-8, atol=1e-10)


def test_adafactor_of_convolutions_and_embeddings() -> None:
    from chainrule import Conv2D, Embedding, Flatten, Network

    images = np.random.default_rng(0).normal(size=(32, 5, 5, 2)).astype(np.float32)
    y = images.mean(axis=(1, 2, 3))[:, None] * 10
    net = Network([Conv2D(4, 3), Tanh(), Flatten(), Dense(1)], random_state=0)
    losses = net.fit(images, y, optimizer=Adafactor(0.1), epochs=60, verbose=0).history_["loss"]
    assert losses[-1] < 0.1 * losses[0]
    words = np.random.default_rng(0).integers(0, 6, (64, 3))
    net = Network([Embedding(6, 4, sparse=True), Flatten(), Dense(1)], random_state=0)
    losses = net.fit(words, (words == 2).sum(axis=1)[:, None] * 1.0, optimizer=Adafactor(0.1), epochs=80, verbose=0)
    assert losses.history_["loss"][-1] < 0.1 * losses.history_["loss"][0]


# ------------------------------------------------------------ L-BFGS


def rosenbrock(w: Array) -> tuple[float, Array]:
    a, b = w[1:] - w[:-1] ** 2, 1 - w[:-1]
    g = np.zeros_like(w)
    g[1:] += 200 * a
    g[:-1] += -400 * a * w[:-1] - 2 * b
    return float((100 * a**2 + b**2).sum()), g


@pytest.mark.parametrize("size", [2, 10, 30])
def test_rosenbrock(size: int) -> None:
    start = np.full(size, -1.2)
    result = LBFGS().minimise(rosenbrock, start, max_iterations=500, tolerance_gradient=1e-8, tolerance_change=0)
    assert result.converged and "gradient" in result.message
    np.testing.assert_allclose(result.w, 1, atol=1e-6)
    assert result.evaluations < 1.6 * result.iterations + 20
    assert (start == -1.2).all()


def logistic(dtype: type) -> Callable[[Array], tuple[float, Array]]:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 8)) * 10 ** rng.uniform(-1, 1, 8)).astype(dtype)
    y = (x @ rng.normal(size=8) + 5 * rng.normal(size=300) > 0).astype(dtype)

    def function(w: Array) -> tuple[float, Array]:
        w = w.astype(dtype)
        z = x @ w
        loss = (np.maximum(z, 0) - y * z + np.log1p(np.exp(-abs(z)))).mean() + dtype(0.005) * (w @ w)
        return float(loss), x.T @ (1 / (1 + np.exp(-z)) - y) / dtype(300) + dtype(0.01) * w

    return function


def test_logistic_regression_against_scipy() -> None:
    scipy = pytest.importorskip("scipy.optimize")
    f = logistic(np.float64)
    result = LBFGS(history=5).minimise(f, np.zeros(8), tolerance_gradient=1e-7, tolerance_change=0)
    peer = scipy.minimize(f, np.zeros(8), jac=True, method="L-BFGS-B", options={"gtol": 1e-7, "ftol": 0})
    assert result.loss == pytest.approx(peer.fun, rel=1e-10)
    np.testing.assert_allclose(result.w, peer.x, atol=1e-4)
    assert result.evaluations < 2 * peer.nfev + 10


def test_a_loss_in_float32_ends_at_its_precision() -> None:
    exact = LBFGS().minimise(logistic(np.float64), np.zeros(8), tolerance_gradient=1e-8, tolerance_change=0)
    rough = LBFGS().minimise(
        logistic(np.float32), np.zeros(8), tolerance_gradient=0.0, tolerance_change=0.0, max_iterations=1000
    )
    assert rough.iterations < 300
    assert rough.loss == pytest.approx(exact.loss, rel=1e-5)


def test_a_start_at_the_minimum_ends_at_once() -> None:
    result = LBFGS().minimise(rosenbrock, np.ones(4))
    assert result.converged and result.iterations == 0 and result.evaluations == 1


def test_walls_of_infinity_are_stepped_back_from() -> None:
    def barrier(w: Array) -> tuple[float, Array]:
        with np.errstate(all="ignore"):
            return float((w - np.log(w)).sum()), 1 - 1 / w

    result = LBFGS(learning_rate=1.0).minimise(barrier, np.array([0.01, 30.0]))
    assert result.converged
    np.testing.assert_allclose(result.w, 1, atol=1e-4)


def test_the_callback_sees_every_step_and_can_end_the_search() -> None:
    losses: list[float] = []

    def callback(found: LBFGSResult) -> bool:
        losses.append(found.loss)
        return found.iterations == 5

    result = LBFGS().minimise(rosenbrock, np.full(4, -1.0), callback=callback)
    assert result.iterations == 5 and len(losses) == 5 and not result.converged and "callback" in result.message
    assert losses == sorted(losses, reverse=True)


def test_a_bounded_number_of_iterations() -> None:
    result = LBFGS().minimise(rosenbrock, np.full(4, -1.0), max_iterations=3)
    assert result.iterations == 3 and not result.converged and "max_iterations" in result.message


def test_bad_functions_are_refused() -> None:
    with pytest.raises(DivergenceError, match="not finite at the start"):
        LBFGS().minimise(lambda w: (float("nan"), w), np.ones(2))
    with pytest.raises(ShapeError, match=r"gradient of shape \(2,\). Got \(3,\)"):
        LBFGS().minimise(lambda w: (1.0, np.ones(3)), np.ones(2))
    with pytest.raises(ShapeError, match="flat"):
        LBFGS().minimise(rosenbrock, np.ones((2, 2)))


def test_lbfgs_goes_on_from_its_state_to_the_bit() -> None:
    optimizer, start = LBFGS(history=4), np.array([-1.2, 1.0, -1.2, 1.0])
    options = {"tolerance_gradient": 1e-9, "tolerance_change": 0.0}
    whole = optimizer.minimise(rosenbrock, start, **options)
    for steps in (0, 1, 3, 12, whole.iterations):
        part = optimizer.minimise(rosenbrock, start, max_iterations=steps, **options)
        went_on = optimizer.minimise(rosenbrock, np.zeros(4), state=part.state, **options)
        np.testing.assert_array_equal(went_on.w, whole.w)
        assert went_on.iterations == whole.iterations and went_on.evaluations == whole.evaluations and went_on.converged
    with pytest.raises(ShapeError, match=r"'w' of the state must have the shape of w0, \(3,\)"):
        optimizer.minimise(rosenbrock, np.zeros(3), state=whole.state)
    with pytest.raises(ParameterError, match="lacks iterations"):
        optimizer.minimise(rosenbrock, start, state={k: v for k, v in whole.state.items() if k != "iterations"})


def test_a_plan_with_lbfgs_gives_the_penalised_gradient_and_moves_nothing() -> None:
    j, g, w = plain()
    network = network_of(5)
    run = Run(network, LBFGS(l2=0.3))
    loss = run.step(X, Y)
    assert loss == pytest.approx(j + sum(0.15 * (w[n] ** 2).sum() for n in w if n.endswith("weight")))
    for n in w:
        np.testing.assert_array_equal(network.parameters[n], w[n])
        found = network.parameters.view(run.arenas["slot.gradient"], n)
        np.testing.assert_allclose(found, g[n] + (0.3 * w[n] if n.endswith("weight") else 0), rtol=1e-12)


def test_a_network_trained_by_lbfgs() -> None:
    network, optimizer = network_of(5), LBFGS(l2=1e-4)
    run = Run(network, optimizer, batch=20)
    x = np.random.default_rng(0).normal(size=(20, 3))
    y = np.tanh(x[:, :2] - x[:, 1:])
    flat = network.parameters.flat

    def function(w: Array) -> tuple[float, Array]:
        flat[...] = w
        return run.step(x, y), run.arenas["slot.gradient"]

    start = function(flat.copy())[0]
    result = optimizer.minimise(function, flat.copy())
    assert result.loss < 0.05 * start


# ------------------------------------------------------------ arguments, names, configurations


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (SGD(0.0), "learning_rate must be a finite number above 0, a Schedule or a function"),
        (SGD(-1.0), "Got -1.0"),
        (SGD(float("inf")), "learning_rate"),
        (SGD("fast"), "a Schedule or a function. Got 'fast'"),
        (SGD(True), "learning_rate"),
        (SGD(momentum=1.0), "momentum must be a number from 0 to below 1"),
        (SGD(nesterov=True), "needs a momentum"),
        (SGD(l2=-1), "l2 must be a finite number of at least 0"),
        (SGD(clip_norm=0), "clip_norm must be None or a finite number above 0"),
        (SGD(clip_value=float("nan")), "clip_value"),
        (SGD(weight_decay=float("inf")), "weight_decay"),
        (Adam(beta1=1.0), "Adam: beta1 must be a number from 0 to below 1"),
        (AdamW(beta2=-0.1), "AdamW: beta2"),
        (Nadam(momentum_decay=-1), "momentum_decay"),
        (Adam(epsilon=0), "epsilon must be a finite number above 0"),
        (Adagrad(initial_accumulator=-1), "initial_accumulator"),
        (Adagrad(epsilon=0), "epsilon"),
        (Adadelta(rho=1), "rho"),
        (RMSprop(rho="a"), "rho"),  # type: ignore[arg-type]
        (LBFGS(history=0), "history must be an int of at least 1"),
        (LBFGS(clip_norm=1.0), "clip_norm must be None. Got 1.0. A line search needs a smooth loss"),
        (LBFGS(Cosine(1.0, total=5)), "takes no schedule"),
        (SGD(Cosine(0.1, total=0)), "Cosine: total must be a finite number above 0"),
    ],
)
def test_bad_arguments(optimizer: Optimizer, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        optimizer.validate()


def test_rates_come_from_numbers_schedules_and_functions() -> None:
    t = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(SGD(0.5).rates(t), [0.5, 0.5, 0.5])
    np.testing.assert_allclose(SGD(WarmUp(0.4, steps=4)).rates(t), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(SGD(lambda t: 1 / t).rates(t), 1 / t)
    with pytest.raises(ParameterError, match="one finite rate of at least 0 for each of 3 steps"):
        SGD(lambda t: -t).rates(t)
    with pytest.raises(ParameterError, match=r"Got shape \(\)"):
        SGD(lambda t: 0.1).rates(t)


def test_slots_follow_the_arguments() -> None:
    optimizer = SGD()
    assert optimizer.slots == () and optimizer.slot_start() == {}
    optimizer.momentum = 0.9
    assert optimizer.slots == ("velocity",)
    assert RMSprop(momentum=0.5, centered=True).slots == ("v", "a", "velocity")
    assert Adagrad(initial_accumulator=0.1).slot_start() == {"s": 0.1}


def test_names() -> None:
    assert get_optimizer("adamw") == AdamW() == get_optimizer("AdamW")
    assert get_optimizer("sgd") == SGD()
    optimizer = Adam(0.5)
    assert get_optimizer(optimizer) is optimizer
    with pytest.raises(UnknownNameError, match="Did you mean 'rmsprop'"):
        get_optimizer("rmspropp")
    with pytest.raises(ParameterError, match="name or an Optimizer"):
        get_optimizer(0.1)  # type: ignore[arg-type]
    assert LBFGS.full_batch and not Adam.full_batch


EXAMPLES = [o for o, _ in CASES] + [LBFGS(history=3), Adam(WarmUp(Cosine(0.1, total=30, unit="epochs"), steps=5), l2=0.1)]


@pytest.mark.parametrize("optimizer", EXAMPLES, ids=map(repr, EXAMPLES))
def test_configurations_survive_json(optimizer: Optimizer) -> None:
    again = from_config(json.loads(json.dumps(to_config(optimizer))), Optimizer.registry, Schedule.registry)
    assert again == optimizer and again is not optimizer
    assert set(optimizer.config()) >= {"learning_rate", "l1", "l2", "weight_decay", "clip_norm", "clip_value"}
    names = {c.__name__: c for c in (*Optimizer.registry.values(), *Schedule.registry.values())}
    assert eval(repr(optimizer), names) == optimizer


def test_functions_as_rates_cannot_be_saved() -> None:
    with pytest.raises(ParameterError, match=r"Adam\.learning_rate cannot be saved.*subclass of Schedule"):
        to_config(Adam(lambda t: 1 / t))
    with pytest.raises(ModelFileError, match="Unknown class 'Cosine'"):
        from_config(to_config(Adam(Cosine(0.1, total=3))), Optimizer.registry)


# ------------------------------------------------------------ PyTorch


@pytest.mark.peer
def test_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    optim = torch.optim
    cases: list[tuple[Optimizer, Any]] = [
        (SGD(0.1, momentum=0.9, l2=0.1), lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1)),
        (SGD(0.1, momentum=0.9, nesterov=True), lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
        (Adagrad(0.1, l2=0.1), lambda p: optim.Adagrad(p, lr=0.1, weight_decay=0.1)),
        (Adadelta(0.7), lambda p: optim.Adadelta(p, lr=0.7)),
        (Adadelta(0.7, l2=0.1), lambda p: optim.Adadelta(p, lr=0.7, weight_decay=0.1)),
        (
            RMSprop(0.01, rho=0.99, momentum=0.5, centered=True, l2=0.1),
            lambda p: optim.RMSprop(p, lr=0.01, alpha=0.99, momentum=0.5, centered=True, weight_decay=0.1),
        ),
        (RMSprop(0.01), lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9)),
        (Adam(0.01, l2=0.1), lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1)),
        (AdamW(0.01), lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.01)),
        (Nadam(0.01), lambda p: optim.NAdam(p, lr=0.01)),
        (Nadam(0.01, l2=0.1, beta1=0.8), lambda p: optim.NAdam(p, lr=0.01, betas=(0.8, 0.999), weight_decay=0.1)),
        (Adamax(0.01, l2=0.1), lambda p: optim.Adamax(p, lr=0.01, weight_decay=0.1)),
        (RAdam(0.01), lambda p: optim.RAdam(p, lr=0.01)),
        (RAdam(0.01, beta2=0.9, l2=0.1), lambda p: optim.RAdam(p, lr=0.01, betas=(0.9, 0.9), weight_decay=0.1)),
        (
            Nadam(0.01, weight_decay=0.1),
            lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
        ),
    ]
    for optimizer, make in cases:
        parameter = torch.nn.Parameter(torch.zeros(9, dtype=torch.float64))
        peer = make([parameter])

        def reference(
            w: Array, g: Array, t: int, lr: float, memory: dict[str, Any], peer: Any = peer, parameter: Any = parameter
        ) -> Array:
            with torch.no_grad():
                parameter.copy_(torch.tensor(w))
            parameter.grad = torch.tensor(g)
            peer.step()
            return parameter.detach().numpy().copy()

        # PyTorch keeps Nadam's running product in float32.
        rtol = 1e-6 if isinstance(optimizer, Nadam) else 1e-9
        check_optimizer(optimizer, reference, steps=10, rtol=rtol, engines=("reference",))


@pytest.mark.peer
def test_clipping_against_pytorch() -> None:
    torch = pytest.importorskip("torch")
    _, g, w = plain()
    tensors = [torch.nn.Parameter(torch.tensor(w[n])) for n in w]
    for tensor, n in zip(tensors, w, strict=True):
        tensor.grad = torch.tensor(g[n])
    torch.nn.utils.clip_grad_norm_(tensors, 0.5)
    torch.optim.SGD(tensors, lr=0.1).step()
    _, network = after(SGD(0.1, clip_norm=0.5))
    for tensor, n in zip(tensors, w, strict=True):
        np.testing.assert_allclose(network.parameters[n], tensor.detach().numpy(), rtol=1e-5)
