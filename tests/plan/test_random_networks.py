"""Random networks of layers: no pass changes a number of a training step, a prediction or a probe."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.engine.reference import ReferenceEngine
from chainrule.layers import (
    GELU,
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GroupNorm,
    Identity,
    LayerNorm,
    MaxPool2D,
    ReLU,
    SimpleRNN,
    Softmax,
    Tanh,
)  # fmt: skip
from chainrule.losses import get_loss
from chainrule.network import NetworkGraph, Residual
from chainrule.optimizers import SGD, Adadelta, Adam, AdamW, Nadam, RMSprop
from chainrule.plan import Plan, lower_prediction, lower_statistics, lower_trace, lower_training, optimise
from chainrule.plan.passes import PASSES

N = 4
FLAT = st.sampled_from(
    [
        lambda: Dense(3), lambda: Dense(5, bias=False), lambda: BatchNorm(), lambda: LayerNorm(), lambda: ReLU(),
        lambda: GELU(), lambda: Tanh(),
        lambda: Dropout(0.4), lambda: Identity(), lambda: Softmax(), lambda: Residual([BatchNorm(), ReLU()]),
    ]
)  # fmt: skip
IMAGES = st.sampled_from(
    [
        lambda: Conv2D(2, 3, padding="same"), lambda: Conv2D(4, 1, bias=False), lambda: BatchNorm(), lambda: ReLU(),
        lambda: MaxPool2D(2), lambda: AveragePool2D(2), lambda: GroupNorm(2), lambda: Dropout(0.3),
        lambda: Residual([ReLU(), Conv2D(2, 1)], shortcut=[Conv2D(2, 1)]),
    ]
)  # fmt: skip
SEQUENCES = st.sampled_from(
    [lambda: SimpleRNN(3, return_sequences=True), lambda: GRU(3, return_sequences=True), lambda: LayerNorm(), lambda: Tanh()]
)
OPTIMIZERS = st.sampled_from(
    [
        lambda: SGD(0.1, momentum=0.9), lambda: SGD(0.1, l1=0.1, l2=0.2), lambda: Adam(), lambda: AdamW(weight_decay=0.1),
        lambda: Nadam(clip_norm=0.5), lambda: RMSprop(clip_value=0.1, weight_decay=0.1), lambda: Adadelta(l2=0.1),
        lambda: Adam(clip_norm=1.0, clip_value=0.2, l1=0.01),
    ]
)  # fmt: skip


def _layers(draw) -> tuple[tuple, list]:
    """The shape of a sample, and layers that fit it."""
    kind = draw(st.sampled_from(["flat", "images", "words", "sequences"]), label="kind")
    some = draw(st.lists({"images": IMAGES, "sequences": SEQUENCES}.get(kind, FLAT), max_size=4), label="first")
    rest = [make() for make in draw(st.lists(FLAT, max_size=3), label="then")]
    some = [make() for make in some]
    if kind == "flat":
        return (4,), [*some, *rest]
    if kind == "images":
        # GroupNorm and MaxPool2D need two channels and some places.
        return (8, 8, 2), [Conv2D(2, 3), *some[:2], draw(st.sampled_from([Flatten, GlobalAveragePool]))(), *rest]
    if kind == "words":
        return (3,), [Embedding(7, 2, sparse=draw(st.booleans())), Flatten(), *rest]
    return (5, 2), [*some, LSTM(2), *rest]


def _run(plan: Plan, network: NetworkGraph, optimizer, seed: int) -> list[np.ndarray]:
    """Outputs and arenas of two steps, in float64."""
    rng = np.random.default_rng(seed)
    known = {**network.parameters.arenas("parameters"), **network.states.arenas("states")}
    arenas = {n: np.array(known[n], np.float64) if n in known else np.zeros(v.size) for n, v in plan.arenas.items()}
    starts = {} if optimizer is None else optimizer.slot_start()
    for name, start in starts.items():
        if f"slot.{name}" in arenas:
            arenas[f"slot.{name}"][...] = start
    given = {
        n: rng.integers(0, 3, v.shape) if v.dtype == "int" else rng.normal(size=v.shape) for n, v in plan.inputs.items()
    }
    executable = ReferenceEngine("float64").compile(plan, arenas)
    found = []
    for step in range(2):
        scalars = {n: 0.01 for n in plan.scalars}
        found += [a for _, a in sorted(executable.run(given, scalars, step=step, seed=seed).items())]
        found += [a.copy() for _, a in sorted(arenas.items())]
    return found


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_passes_change_no_number_of_a_network(data) -> None:
    shape, layers = _layers(data.draw)
    network = NetworkGraph([*layers, Dense(3)], random_state=0)
    integers = isinstance(layers[0], Embedding) if layers else False
    network.build(shape)
    assert network.input_dtypes == (["int"] if integers else ["float"])
    optimizer = data.draw(OPTIMIZERS, label="optimizer")()
    loss = data.draw(st.sampled_from(["softmax_cross_entropy", "squared_error"]), label="loss")
    names = list(network.layers)
    frozen = data.draw(st.lists(st.sampled_from(names), max_size=2), label="frozen")
    network.frozen.update(frozen)
    weights = data.draw(st.sampled_from([None, "sample", "element"]), label="weights")
    plans = {
        "training": lambda: lower_training(network, [get_loss(loss)], optimizer, N, weights=[weights], outputs=True,
                                           input_gradients=not integers),
        "prediction": lambda: lower_prediction(network, N, every_layer=True),
        "statistics": lambda: lower_statistics(network, [get_loss(loss)], optimizer, N),
        "trace": lambda: lower_trace(network, [get_loss(loss)], N),
    }  # fmt: skip
    name = data.draw(st.sampled_from([*plans, "training", "training"]), label="plan")
    with np.errstate(all="ignore"):
        plan = plans[name]()
        wanted = _run(plan, network, optimizer, 0)
        for one in dict.fromkeys((*PASSES, optimise)):
            for a, b in zip(_run(one(plan), network, optimizer, 0), wanted, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{name} after {one.__name__}")
