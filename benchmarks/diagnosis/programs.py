"""Programs as a user would write them, with one fault each, and healthy ones, on data that the catalogue does not know.

The faults are those that studies of questions and bug reports describe: DeepLocalize and DeepDiagnosis (Wardat et al., ICSE
2021 and 2022), NeuraLint (Nikanjam et al., TOSEM 2022), DeepFD (Cao et al., ICSE 2022), AutoTrainer (Zhang et al., 2021),
UMLAUT (Schoop et al., CHI 2021), the taxonomy of real faults (Humbatova et al., ICSE 2020). The programs were written before
their author had read the rules. ``fixed`` is the same program without its fault; ``python -m benchmarks.diagnosis.programs``
trains both and shows whether that one learns better.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chainrule import (
    ELU,
    GELU,
    GRU,
    LSTM,
    Add,
    BatchNorm,
    Bidirectional,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    Input,
    LayerNorm,
    LeakyReLU,
    MaxPool1D,
    MaxPool2D,
    Network,
    NeuralClassifier,
    NeuralRegressor,
    ReLU,
    Residual,
    Sigmoid,
    SimpleRNN,
    Softmax,
    Tanh,
)
from chainrule.errors import ChainruleError
from chainrule.initializers import Constant, Normal, Uniform
from chainrule.layers import Activation
from chainrule.losses import BinaryCrossEntropy, Poisson, SoftmaxCrossEntropy
from chainrule.ops import Builder, Saved, Value
from chainrule.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Cosine, RMSprop

from . import material as data
from .catalogue import Item, part
from .material import Part
from .setups import evaluate

__all__ = [
    "Logarithm", "Program", "Step", "Trial", "dense", "fault", "few", "healthy", "inputs_changed", "mnist_cnn_layers",
    "programs", "shuffled", "small_cnn", "targets_changed",
]  # fmt: skip


@dataclass
class Trial:
    """A network (or an estimator) that is to be trained, its data, and the arguments of ``fit``."""

    net: Any
    part: Part
    fit: dict[str, Any] = field(default_factory=dict)


Made = Callable[[bool], Trial | None]


class Program:
    """A program in the form of a set-up (see ``setups.Setup``)."""

    def __init__(self, name: str, make: Made, fixed: bool) -> None:
        self.name, self.make, self.fixed = name, make, fixed
        self._trial: Trial | None = None

    @property
    def here(self) -> bool:
        """Whether its data is at hand."""
        return self.trial is not None

    @property
    def trial(self) -> Trial | None:
        if self._trial is None:
            self._trial = self.make(self.fixed)
        return self._trial

    def data(self) -> tuple[Any, Any, Any, Any]:
        assert self.trial is not None
        p = self.trial.part
        return p.X, p.y, p.X_test, p.y_test

    @property
    def classes(self) -> int:
        assert self.trial is not None
        return self.trial.part.classes

    def prepare(self, seed: int = 0) -> Any:
        trial = self.make(self.fixed)
        assert trial is not None
        return trial.net

    def arguments(self) -> dict[str, Any]:
        assert self.trial is not None
        return {"verbose": 0, **self.trial.fit}


#: What was registered: (set, name, right causes, program); "first" is this module, "second" another one.
_REGISTERED: list[tuple[str, str, frozenset[str], Made]] = []


def _set_of(make: Callable[..., Any]) -> str:
    return "second" if make.__module__.endswith("second") else "first"


def fault(*causes: str) -> Callable[[Made], Made]:
    """Registers a faulty program by the names of the findings that are right."""

    def register(make: Made) -> Made:
        _REGISTERED.append((_set_of(make), make.__name__.replace("_", "-"), frozenset(causes), make))
        return make

    return register


def healthy(make: Callable[[], Trial | None]) -> Callable[[], Trial | None]:
    """Registers a healthy program."""
    _REGISTERED.append((_set_of(make), "healthy-" + make.__name__.replace("_", "-"), frozenset(), lambda fixed: make()))
    return make


def programs(which: str = "first") -> Iterator[Item]:
    """All programs of a set, "first" or "second"; those whose data is not at hand are not ``here``."""
    from . import programs_second as _second  # noqa: F401  (registers its programs)

    for of, name, causes, make in _REGISTERED:
        if of != which:
            continue
        if causes:
            yield Item(name, Program(name, make, fixed=False), causes, Program(name, make, fixed=True))
        else:
            yield Item(name, Program(name, make, fixed=True))


def inputs_changed(p: Part, change: Callable[[Any], Any]) -> Part:
    return replace(p, X=np.asarray(change(p.X), np.float32), X_test=np.asarray(change(p.X_test), np.float32))


def targets_changed(p: Part, change: Callable[[Any], Any]) -> Part:
    return replace(p, y=np.asarray(change(p.y), np.float32), y_test=np.asarray(change(p.y_test), np.float32))


def shuffled(p: Part) -> Part:
    return replace(p, y=np.random.default_rng(3).permutation(p.y))


def few(p: Part, count: int, wrong: float = 0.0) -> Part:
    """Only so many samples, a share of them with another's label."""
    y = p.y[:count].copy()
    rng = np.random.default_rng(4)
    at = rng.random(len(y)) < wrong
    y[at] = rng.permutation(y)[at]
    return replace(p, X=p.X[:count], y=y)


# ---------------------------------------------------------------- layers of users' own


class Exponential(Activation):
    """``a = eᶻ``"""

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.exp(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return saved.a


class Logarithm(Activation):
    """``a = log z``"""

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.log(z), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.divide(1.0, saved.z)


class Root(Activation):
    """``a = √z``"""

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.sqrt(z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.divide(0.5, saved.a)


class Inverse(Activation):
    """``a = 1 / z``"""

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        a = k.divide(1.0, z)
        return a, Saved(a=a)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.negative(k.square(saved.a))


class Step(Activation):
    """``a = [z > 0]``, whose derivative is 0 wherever there is one."""

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        return k.greater(z, 0.0), Saved(z=z)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.multiply(saved.z, 0.0)


# ---------------------------------------------------------------- the last layer and the loss


@fault("softmax-one-unit")
def xor_softmax_on_one_unit(fixed: bool) -> Trial:
    net = Network([Dense(8), Tanh(), Dense(1), Sigmoid() if fixed else Softmax()], random_state=0)
    return Trial(net, data.xor(), dict(loss="binary_crossentropy", learning_rate=0.01, epochs=40))


@fault("softmax-one-unit")
def churn_softmax_on_one_unit_squared_error(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(16), ReLU(), Dense(1), Sigmoid() if fixed else Softmax()], random_state=1)
    return Trial(net, targets_changed(data.churn(), lambda y: y[:, None]), dict(loss="mse", epochs=25))


@fault("softmax-one-unit")
def lstm_softmax_on_one_unit(fixed: bool) -> Trial:
    net = Network([LSTM(12), Dense(1), Sigmoid() if fixed else Softmax()], random_state=0)
    p = data.recall(600, 8)
    return Trial(net, p, dict(loss="binary_crossentropy", optimizer="rmsprop", learning_rate=0.01, epochs=25, batch_size=64))


@fault("output-activation")
def shapes_relu_before_cross_entropy(fixed: bool) -> Trial:
    layers = [Conv2D(8, 3), ReLU(), MaxPool2D(2), Conv2D(16, 3), ReLU(), Flatten(), Dense(32), ReLU(), Dense(4)]
    net = Network([*layers, *([] if fixed else [ReLU()])], random_state=5)
    return Trial(net, data.shapes(), dict(epochs=12, learning_rate=0.003))


@fault("output-activation")
def bars_softmax_twice(fixed: bool) -> Trial:
    net = Network([Flatten(), Dense(64), ReLU(), Dense(10), *([] if fixed else [Softmax()])], random_state=0)
    return Trial(net, data.digits_of_bars(), dict(loss=SoftmaxCrossEntropy(), optimizer="sgd", learning_rate=0.1, epochs=25))


@fault("output-activation")
def bars_sigmoid_before_softmax_loss(fixed: bool) -> Trial:
    net = Network([Flatten(), Dense(64), ReLU(), Dense(10), *([] if fixed else [Sigmoid()])], random_state=2)
    return Trial(net, data.digits_of_bars(), dict(loss=SoftmaxCrossEntropy(), optimizer=SGD(0.05, momentum=0.9), epochs=12))


@fault("output-activation")
def churn_sigmoid_twice(fixed: bool) -> Trial:
    net = Network([Dense(16), ReLU(), Dense(1), *([] if fixed else [Sigmoid()])], random_state=0)
    return Trial(net, data.churn(share=0.3), dict(loss=BinaryCrossEntropy(), optimizer="sgd", learning_rate=0.1, epochs=20))


@fault("output-activation")
def tokens_linear_as_probability(fixed: bool) -> Trial:
    net = Network(
        [Input((20,), dtype="int"), Embedding(60, 8), GlobalAveragePool(), Dense(1), *([Sigmoid()] if fixed else [])],
        random_state=1,
    )
    loss = BinaryCrossEntropy(from_probabilities=True)
    return Trial(net, data.tokens(), dict(loss=loss, optimizer=SGD(0.5, momentum=0.9), epochs=20))


@fault("output-activation")
def gestures_logits_as_probabilities(fixed: bool) -> Trial:
    net = Network([Conv1D(12, 5), ReLU(), GlobalMaxPool(), Dense(3), *([Softmax()] if fixed else [])], random_state=3)
    loss = SoftmaxCrossEntropy(from_probabilities=True)
    return Trial(net, data.gestures(), dict(loss=loss, learning_rate=0.01, epochs=15))


@fault("output-activation")
def churn_relu_as_probability(fixed: bool) -> Trial:
    net = Network([Dense(20), Tanh(), Dense(1), Sigmoid() if fixed else ReLU()], random_state=4)
    loss = BinaryCrossEntropy(from_probabilities=True)
    return Trial(net, data.churn(), dict(loss=loss, optimizer="sgd", learning_rate=0.2, epochs=30))


@fault("output-activation", "wrong-loss", "data-error")
def many_answers_softmax(fixed: bool) -> Trial:
    net = Network([Dense(48), ReLU(), Dense(4), Sigmoid() if fixed else Softmax()], random_state=0)
    loss = BinaryCrossEntropy(from_probabilities=True)
    return Trial(net, data.multi_label(), dict(loss=loss, learning_rate=0.01, epochs=30))


@fault("wrong-loss", "data-error", "output-activation")
def many_answers_one_class_loss(fixed: bool) -> Trial:
    net = Network([Dense(48), ReLU(), Dense(4)], random_state=0)
    p = data.multi_label()
    loss = "binary_crossentropy" if fixed else "categorical_crossentropy"
    return Trial(net, p if fixed else targets_changed(p, lambda y: y), dict(loss=loss, learning_rate=0.01, epochs=30))


@fault("output-range")
def cubic_sigmoid_output(fixed: bool) -> Trial:
    net = Network([Dense(24), Tanh(), Dense(24), Tanh(), Dense(1), *([] if fixed else [Sigmoid()])], random_state=0)
    return Trial(net, data.polynomial(), dict(learning_rate=0.01, epochs=60))


@fault("output-range")
def houses_relu_output(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(1), *([] if fixed else [ReLU()])], random_state=0)
    return Trial(net, data.houses(), dict(optimizer="sgd", learning_rate=0.02, epochs=40))


@fault("output-range")
def series_tanh_output(fixed: bool) -> Trial:
    net = Network([LSTM(20), Dense(1), *([] if fixed else [Tanh()])], random_state=0)
    p = targets_changed(data.series(500, 16), lambda y: 1.5 * y + 3)
    return Trial(net, p, dict(learning_rate=0.01, epochs=40))


@fault("output-range", "softmax-one-unit")
def outputs_softmax(fixed: bool) -> Trial:
    net = Network([Dense(48), ReLU(), Dense(32), ReLU(), Dense(3), *([] if fixed else [Softmax()])], random_state=0)
    return Trial(net, data.outputs(), dict(loss="mse", learning_rate=0.005, epochs=40))


@fault("output-range")
def series_sigmoid_output(fixed: bool) -> Trial:
    net = Network([Conv1D(16, 5), ReLU(), Flatten(), Dense(1), *([] if fixed else [Sigmoid()])], random_state=1)
    return Trial(net, data.series(), dict(loss="mae", learning_rate=0.005, epochs=25))


@fault("output-range")
def autoencoder_relu_output(fixed: bool) -> Trial:
    p = data.outputs()
    p = replace(p, y=p.X / 0.87, y_test=p.X_test / 0.87)
    net = Network([Dense(12), Tanh(), Dense(5), Dense(5), *([] if fixed else [ReLU()])], random_state=0)
    return Trial(net, p, dict(loss="mse", learning_rate=0.01, epochs=30))


@fault("output-range", "unscaled-targets", "unscaled-inputs")
def autoencoder_of_bytes_sigmoid(fixed: bool) -> Trial:
    p = data.shapes(size=12)
    factor = 1.0 if fixed else 255.0
    p = replace(inputs_changed(p, lambda x: factor * x.reshape(len(x), -1)), classes=0)
    p = replace(p, y=p.X, y_test=p.X_test)
    net = Network([Dense(48), ReLU(), Dense(24), ReLU(), Dense(144), Sigmoid()], random_state=0)
    return Trial(net, p, dict(loss="mse", learning_rate=0.003, epochs=30))


@fault("wrong-loss")
def shapes_number_of_class_squared_error(fixed: bool) -> Trial:
    net = Network(
        [Conv2D(8, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(32), ReLU(), Dense(6 if fixed else 1)], random_state=0
    )
    p = data.shapes(900, kinds=6)
    return Trial(
        net, p if fixed else targets_changed(p, lambda y: y[:, None]), dict(loss=None if fixed else "mse", epochs=15)
    )


@fault("wrong-loss")
def bars_squared_error_of_softmax(fixed: bool) -> Trial:
    net = Network([Flatten(), Dense(64), Tanh(), Dense(10), *([] if fixed else [Softmax()])], random_state=0)
    p = data.digits_of_bars()
    if fixed:
        return Trial(net, p, dict(optimizer=SGD(0.05), epochs=20))
    return Trial(net, targets_changed(p, lambda y: np.eye(10)[y]), dict(loss="mse", optimizer=SGD(0.05), epochs=20))


@fault("wrong-loss")
def gaussians_absolute_error_of_classes(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(5 if fixed else 1)], random_state=0)
    p = data.gaussians(distance=5.0, classes=5)
    if fixed:
        return Trial(net, p, dict(learning_rate=0.005, epochs=40))
    return Trial(net, targets_changed(p, lambda y: y[:, None]), dict(loss="mae", learning_rate=0.005, epochs=40))


@fault("wrong-loss", "data-error")
def houses_cross_entropy_of_prices(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.houses(), dict(loss="mse" if fixed else "binary_crossentropy", learning_rate=0.005, epochs=30))


@fault("data-error")
def shapes_labels_from_one(fixed: bool) -> Trial:
    net = Network([Flatten(), Dense(64), ReLU(), Dense(4)], random_state=0)
    p = data.shapes()
    p = p if fixed else replace(p, y=p.y + 1, y_test=p.y_test + 1)
    return Trial(net, p, dict(loss="sparse_categorical_crossentropy", epochs=20))


@fault("output-activation", "non-finite", "output-range")
def counts_rate_without_link(fixed: bool) -> Trial:
    net = Network([Dense(24), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.counts(), dict(loss=Poisson(log_input=fixed), learning_rate=0.005, epochs=30))


# ---------------------------------------------------------------- the learning rate


@fault("learning-rate-too-large", "unscaled-inputs", "unscaled-targets")
def line_of_large_numbers(fixed: bool) -> Trial:
    x = np.arange(200.0)[:, None]
    order = np.random.default_rng(0).permutation(200)
    x = x[order] / (100 if fixed else 1)
    p = Part(x[:150].astype(np.float32), 2 * x[:150].astype(np.float32), x[150:], 2 * x[150:], 0)
    return Trial(Network([Dense(1)], random_state=0), p, dict(optimizer="sgd", learning_rate=0.001, batch_size=1, epochs=20))


def _too_large(name: str, make: Callable[[], tuple[list[Any], Part]], wrong: Any, right: Any, **fit: Any) -> None:
    def program(fixed: bool) -> Trial | None:
        layers, p = make()
        return Trial(Network(layers, random_state=0), p, dict(optimizer=right if fixed else wrong, **fit))

    program.__name__ = name
    fault("learning-rate-too-large")(program)


def small_cnn(classes: int) -> list[Any]:
    layers: list[Any] = [
        Conv2D(8, 3),
        ReLU(),
        MaxPool2D(2),
        Conv2D(16, 3),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(32),
        ReLU(),
    ]
    return [*layers, Dense(classes)]


_too_large(
    "spirals_sgd_rate_5",
    lambda: ([Dense(32), Tanh(), Dense(32), Tanh(), Dense(2)], data.spirals()),
    SGD(5.0),
    SGD(0.2, momentum=0.9),
    epochs=40,
)
_too_large(
    "rings_adam_rate_half",
    lambda: ([Dense(64), ReLU(), Dense(64), ReLU(), Dense(3)], data.rings()),
    Adam(0.5),
    Adam(0.005),
    epochs=25,
)
_too_large("shapes_adam_rate_tenth", lambda: (small_cnn(4), data.shapes()), Adam(0.1), Adam(0.003), epochs=10)
_too_large(
    "rnn_momentum_rate_1",
    lambda: ([SimpleRNN(24), Dense(1)], data.series(500, 16)),
    SGD(1.0, momentum=0.9),
    SGD(0.02, momentum=0.9),
    epochs=20,
)
_too_large("lstm_adam_rate_2", lambda: ([LSTM(16), Dense(1)], data.series(500, 16)), Adam(2.0), Adam(0.01), epochs=20)
_too_large(
    "cubic_rmsprop_rate_1",
    lambda: ([Dense(32), ReLU(), Dense(32), ReLU(), Dense(1)], data.polynomial()),
    RMSprop(1.0),
    RMSprop(0.003),
    epochs=40,
)
_too_large("gru_sgd_rate_50", lambda: ([GRU(16), Dense(1)], data.series(500, 16)), SGD(50.0), SGD(0.1), epochs=20)
_too_large(
    "bars_momentum_near_one",
    lambda: ([Flatten(), Dense(64), ReLU(), Dense(10)], data.digits_of_bars()),
    SGD(0.5, momentum=0.99),
    SGD(0.05, momentum=0.9),
    epochs=15,
)
_too_large(
    "houses_adam_rate_3",
    lambda: ([Dense(48), ReLU(), Dense(24), ReLU(), Dense(1)], data.houses()),
    Adam(3.0),
    Adam(0.005),
    epochs=40,
)
_too_large(
    "tokens_sgd_rate_300",
    lambda: ([Input((20,), dtype="int"), Embedding(60, 8), Flatten(), Dense(16), ReLU(), Dense(2)], data.tokens()),
    SGD(300.0),
    SGD(0.3),
    epochs=20,
)


def _too_small(name: str, make: Callable[[], tuple[list[Any], Part] | None], wrong: Any, right: Any, **fit: Any) -> None:
    def program(fixed: bool) -> Trial | None:
        if (made := make()) is None:
            return None
        return Trial(Network(made[0], random_state=0), made[1], dict(optimizer=right if fixed else wrong, **fit))

    program.__name__ = name
    fault("learning-rate-too-small")(program)


def mnist_cnn_layers() -> tuple[list[Any], Part] | None:
    p = data.mnist_pictures()
    return None if p is None else ([Conv2D(8, 5, stride=2), ReLU(), Flatten(), Dense(32), ReLU(), Dense(10)], p)


_too_small(
    "spirals_sgd_rate_1e_5",
    lambda: ([Dense(32), ReLU(), Dense(32), ReLU(), Dense(2)], data.spirals()),
    SGD(1e-5),
    SGD(0.2, momentum=0.9),
    epochs=50,
)
_too_small("mnist_adam_rate_1e_7", mnist_cnn_layers, Adam(1e-7), Adam(0.002), epochs=8)
_too_small(
    "tokens_rmsprop_rate_1e_6",
    lambda: ([Input((20,), dtype="int"), Embedding(60, 16), LSTM(16), Dense(2)], data.tokens()),
    RMSprop(1e-6),
    RMSprop(0.003),
    epochs=10,
)
_too_small(
    "xor_sigmoid_sgd_rate_1e_3",
    lambda: ([Dense(8), Sigmoid(), Dense(1), Sigmoid()], data.xor()),
    SGD(1e-3),
    SGD(1.0, momentum=0.9),
    loss="binary_crossentropy",
    epochs=60,
)
_too_small(
    "lstm_sgd_rate_1e_4", lambda: ([LSTM(16), Dense(1)], data.series(500, 16)), SGD(1e-4), SGD(0.3, momentum=0.9), epochs=20
)
_too_small(
    "old_adadelta_rate",
    lambda: ([Flatten(), Dense(64), ReLU(), Dense(10)], data.digits_of_bars()),
    Adadelta(0.001),
    Adadelta(1.0),
    epochs=15,
)
_too_small(
    "cubic_adagrad_rate_1e_4",
    lambda: ([Dense(32), Tanh(), Dense(1)], data.polynomial()),
    Adagrad(1e-4),
    Adagrad(0.1),
    epochs=60,
)
_too_small(
    "outputs_adam_rate_1e_6",
    lambda: ([Dense(64), ELU(), Dense(64), ELU(), Dense(3)], data.outputs()),
    Adam(1e-6),
    Adam(0.003),
    epochs=40,
)


# ---------------------------------------------------------------- start weights


def _started(
    name: str, causes: tuple[str, ...], make: Callable[[Any], list[Any]], p: Callable[[], Part], law: Any, **fit: Any
) -> None:
    def program(fixed: bool) -> Trial:
        return Trial(Network(make(None if fixed else law), random_state=0), p(), dict(fit))

    program.__name__ = name
    fault(*causes)(program)


def dense(widths: tuple[int, ...], activation: Any, outputs: int) -> Callable[[Any], list[Any]]:
    def make(law: Any) -> list[Any]:
        hidden = [layer for w in widths for layer in (Dense(w, weight_init=law), activation())]
        return [*hidden, Dense(outputs, weight_init=law)]

    return make


def _deep_cnn(law: Any) -> list[Any]:
    blocks = [x for c in (8, 8, 16, 16, 16) for x in (Conv2D(c, 3, padding="same", weight_init=law), ReLU())]
    return [*blocks, MaxPool2D(4), Flatten(), Dense(4, weight_init=law)]


_CONSTANT, _WIDE, _NARROW = ("constant-initialisation",), ("initialisation-too-large",), ("initialisation-too-small",)
_started("spirals_zeros", _CONSTANT, dense((32, 32), ReLU, 2), data.spirals, "zeros", epochs=50, learning_rate=0.01)
_started(
    "shapes_ones",
    _CONSTANT,
    lambda law: [Conv2D(8, 3, weight_init=law), ReLU(), MaxPool2D(2), Flatten(), Dense(4, weight_init=law)],
    data.shapes,
    "ones",
    epochs=12,
    learning_rate=0.003,
)
_started(
    "outputs_constant_tenth",
    _CONSTANT,
    dense((32, 16), Tanh, 3),
    data.outputs,
    Constant(0.1),
    epochs=30,
    learning_rate=0.005,
)
_started("xor_half_sigmoid", _CONSTANT, dense((8,), Sigmoid, 2), data.xor, Constant(0.5), epochs=40, learning_rate=0.03)
_started(
    "bars_normal_1",
    _WIDE,
    lambda law: [Flatten(), *dense((256, 256, 256), ReLU, 10)(law)],
    data.digits_of_bars,
    Normal(std=1.0),
    epochs=10,
)
_started("rings_normal_2_deep_tanh", _WIDE, dense((48,) * 5, Tanh, 3), data.rings, Normal(std=2.0), epochs=25)
_started(
    "churn_uniform_10_sigmoid",
    _WIDE,
    dense((64, 32), Sigmoid, 2),
    data.churn,
    Uniform(-10.0, high=10.0),
    epochs=25,
    learning_rate=0.005,
)
_started("outputs_normal_3", _WIDE, dense((64, 64), ReLU, 3), data.outputs, Normal(std=3.0), epochs=30)
_started(
    "series_lstm_normal_4",
    _WIDE,
    lambda law: [LSTM(24, **({} if law is None else {"weight_init": law, "recurrent_init": law})), Dense(1)],
    lambda: data.series(500, 16),
    Normal(std=4.0),
    epochs=25,
    learning_rate=0.005,
)
_started(
    "gestures_conv_normal_5",
    _WIDE,
    lambda law: [Conv1D(16, 5, weight_init=law), Tanh(), Conv1D(16, 5, weight_init=law), Tanh(), Flatten(), Dense(3)],
    data.gestures,
    Normal(std=5.0),
    epochs=15,
)
_started(
    "gaussians_normal_1e_3_deep",
    _NARROW,
    dense((32,) * 7, ReLU, 4),
    lambda: data.gaussians(distance=4.0, classes=4),
    Normal(std=1e-3),
    epochs=15,
    optimizer="sgd",
    learning_rate=0.05,
)
_started("shapes_deep_cnn_normal_1e_3", _NARROW, _deep_cnn, data.shapes, Normal(std=1e-3), epochs=6, learning_rate=0.002)
_started(
    "houses_uniform_1e_3_deep",
    _NARROW,
    dense((32,) * 6, Tanh, 1),
    data.houses,
    Uniform(-1e-3, high=1e-3),
    epochs=20,
    optimizer=SGD(0.02, momentum=0.9),
)


@fault("dead-units", "dying-units")
def rings_bias_minus_10(fixed: bool) -> Trial:
    bias = "zeros" if fixed else Constant(-10.0)
    net = Network([Dense(32, bias_init=bias), ReLU(), Dense(16, bias_init=bias), ReLU(), Dense(3)], random_state=0)
    return Trial(net, data.rings(), dict(learning_rate=0.003, epochs=30))


@fault("dead-units", "dying-units")
def shapes_bias_minus_30(fixed: bool) -> Trial:
    bias = "zeros" if fixed else Constant(-30.0)
    net = Network([Conv2D(8, 3), ReLU(), Conv2D(8, 3, bias_init=bias), ReLU(), Flatten(), Dense(4)], random_state=0)
    return Trial(net, data.shapes(), dict(epochs=8, learning_rate=0.003))


@fault("saturated-units", "initialisation-too-large")
def rings_sigmoid_bias_30(fixed: bool) -> Trial:
    bias = "zeros" if fixed else Constant(30.0)
    net = Network([Dense(48, bias_init=bias), Sigmoid(), Dense(3)], random_state=0)
    return Trial(net, data.rings(), dict(learning_rate=0.02, epochs=60))


# ---------------------------------------------------------------- depth and time


@fault("vanishing-gradients")
def spirals_ten_sigmoid_layers(fixed: bool) -> Trial:
    layers = [x for _ in range(10) for x in (Dense(24), ELU() if fixed else Sigmoid())]
    return Trial(
        Network([*layers, Dense(2)], random_state=0), data.spirals(), dict(optimizer=SGD(0.02, momentum=0.9), epochs=60)
    )


@fault("vanishing-gradients")
def shapes_six_sigmoid_convolutions(fixed: bool) -> Trial:
    blocks = [x for c in (8, 8, 8, 8, 8, 8) for x in (Conv2D(c, 3, padding="same"), ReLU() if fixed else Sigmoid())]
    net = Network([*blocks, MaxPool2D(4), Flatten(), Dense(4)], random_state=0)
    return Trial(net, data.shapes(600), dict(epochs=10, learning_rate=0.002))


@fault("vanishing-gradients")
def houses_eight_sigmoid_layers_adam(fixed: bool) -> Trial:
    layers = [x for _ in range(8) for x in (Dense(20), ReLU() if fixed else Sigmoid())]
    return Trial(Network([*layers, Dense(1)], random_state=0), data.houses(), dict(learning_rate=0.003, epochs=8))


@fault("vanishing-gradients", "initialisation-too-small")
def recall_rnn_that_forgets(fixed: bool) -> Trial:
    start = {} if fixed else {"recurrent_init": Normal(std=0.05)}
    net = Network([SimpleRNN(24, **start), Dense(2)], random_state=0)
    return Trial(net, data.recall(600, 40), dict(learning_rate=0.003, epochs=30, batch_size=50))


@fault("vanishing-gradients")
def churn_twelve_sigmoid_layers_rmsprop(fixed: bool) -> Trial:
    layers = [x for _ in range(12) for x in (Dense(32), ELU() if fixed else Sigmoid())]
    return Trial(Network([*layers, Dense(2)], random_state=0), data.churn(), dict(optimizer="rmsprop", epochs=20))


@fault("exploding-gradients", "initialisation-too-large")
def relu_rnn_growing(fixed: bool) -> Trial:
    start = {} if fixed else {"recurrent_init": Normal(std=0.5)}
    net = Network([SimpleRNN(32, activation="relu", **start), Dense(1)], random_state=0)
    return Trial(net, data.series(500, 40), dict(optimizer="sgd", learning_rate=0.01, epochs=20))


@fault("exploding-gradients", "initialisation-too-large")
def deep_relu_growing(fixed: bool) -> Trial:
    law = None if fixed else Normal(std=0.4)
    net = Network(dense((100,) * 8, ReLU, 3)(law), random_state=0)
    return Trial(net, data.outputs(), dict(optimizer="sgd", learning_rate=0.01, epochs=25))


# ---------------------------------------------------------------- data


@fault("unscaled-inputs")
def houses_raw_columns(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(16), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.houses(raw=not fixed), dict(optimizer=SGD(0.01), epochs=40))


@fault("unscaled-inputs")
def houses_raw_columns_adam(fixed: bool) -> Trial:
    net = Network([Dense(32), Tanh(), Dense(1)], random_state=0)
    return Trial(net, data.houses(raw=not fixed), dict(learning_rate=0.005, epochs=40))


@fault("unscaled-targets")
def houses_raw_prices(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(16), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.houses(raw_price=not fixed), dict(learning_rate=0.003, epochs=40))


@fault("unscaled-targets")
def houses_raw_prices_sgd(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.houses(raw_price=not fixed), dict(optimizer="sgd", learning_rate=0.01, epochs=30))


@fault("unscaled-inputs", "unscaled-targets")
def houses_all_raw(fixed: bool) -> Trial:
    net = Network([Dense(64), ReLU(), Dense(64), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.houses(raw=not fixed, raw_price=not fixed), dict(optimizer="rmsprop", epochs=30))


@fault("unscaled-inputs")
def churn_raw_columns(fixed: bool) -> Trial:
    p = data.churn(raw=not fixed)
    if not fixed:  # the bill in cents
        p = inputs_changed(p, lambda x: x * np.array([1, 100, 1, 1, 1, 1, 1]))
    return Trial(
        Network([Dense(24), Sigmoid(), Dense(2)], random_state=0), p, dict(optimizer="sgd", learning_rate=0.2, epochs=30)
    )


@fault("unscaled-inputs")
def mnist_bytes(fixed: bool) -> Trial | None:
    p = data.mnist_pictures()
    if p is None:
        return None
    net = Network([Flatten(), Dense(64), Sigmoid(), Dense(10)], random_state=0)
    return Trial(
        net, p if fixed else inputs_changed(p, lambda x: 255 * x), dict(optimizer="sgd", learning_rate=0.5, epochs=12)
    )


@fault("unscaled-inputs")
def cifar_bytes(fixed: bool) -> Trial | None:
    p = data.cifar_pictures()
    if p is None:
        return None
    net = Network([Conv2D(12, 3, stride=2), ReLU(), Conv2D(24, 3, stride=2), ReLU(), Flatten(), Dense(3)], random_state=0)
    p = inputs_changed(p, lambda x: 2 * x - 1 if fixed else 255 * x)
    return Trial(net, p, dict(optimizer=SGD(0.01, momentum=0.9), epochs=12))


@fault("constant-inputs")
def shapes_divided_as_integers(fixed: bool) -> Trial:
    p = data.shapes()
    scale = (lambda x: x) if fixed else (lambda x: (255 * 0.99 * x).astype(np.uint8) // 255)
    net = Network([Flatten(), Dense(64), ReLU(), Dense(4)], random_state=0)
    return Trial(net, inputs_changed(p, scale), dict(epochs=15))


@fault("non-finite-data")
def houses_missing_value(fixed: bool) -> Trial:
    p = data.houses()
    if not fixed:
        p.X[17, 3] = np.nan
    return Trial(Network([Dense(16), ReLU(), Dense(1)], random_state=0), p, dict(epochs=30, learning_rate=0.005))


@fault("non-finite-data")
def churn_logarithm_of_zero_calls(fixed: bool) -> Trial:
    p = data.churn(raw=True)
    with np.errstate(divide="ignore"):
        p = inputs_changed(
            p, lambda x: np.concatenate([x[:, :1] / 40 - 1, x[:, 1:2] / 72 - 1, np.log(x[:, 2:3] + fixed), x[:, 4:]], axis=1)
        )
    return Trial(Network([Dense(16), ReLU(), Dense(2)], random_state=0), p, dict(epochs=30, learning_rate=0.005))


@fault("non-finite-data")
def series_gap_in_targets(fixed: bool) -> Trial:
    p = data.series(500, 12)
    if not fixed:
        p.y[40:43] = np.nan
    return Trial(Network([GRU(12), Dense(1)], random_state=0), p, dict(epochs=15, learning_rate=0.01))


@fault("uninformative-labels")
def tokens_labels_in_another_order(fixed: bool) -> Trial:
    net = Network(
        [Input((20,), dtype="int"), Embedding(60, 12), GlobalAveragePool(), Dense(16), ReLU(), Dense(2)], random_state=0
    )
    p = data.tokens()
    return Trial(net, p if fixed else shuffled(p), dict(epochs=15, learning_rate=0.01))


@fault("uninformative-labels")
def shapes_labels_in_another_order(fixed: bool) -> Trial:
    p = data.shapes()
    return Trial(Network(small_cnn(4), random_state=0), p if fixed else shuffled(p), dict(epochs=12, learning_rate=0.003))


@fault("uninformative-labels")
def outputs_in_another_order(fixed: bool) -> Trial:
    p = data.outputs()
    net = Network([Dense(48), ReLU(), Dense(3)], random_state=0)
    return Trial(net, p if fixed else shuffled(p), dict(epochs=40, learning_rate=0.005))


@fault("uninformative-labels")
def churn_labels_in_another_order(fixed: bool) -> Trial:
    p = data.churn()
    net = Network([Dense(32), ReLU(), BatchNorm(), Dense(2)], random_state=0)
    return Trial(net, p if fixed else shuffled(p), dict(epochs=25))


@fault("constant-targets")
def bars_label_never_true(fixed: bool) -> Trial:
    p = data.digits_of_bars()
    p = replace(p, y=(p.y > (4 if fixed else 10)).astype(int), y_test=(p.y_test > 4).astype(int), classes=2)
    net = Network([Flatten(), Dense(32), ReLU(), Dense(1)], random_state=0)
    return Trial(net, p, dict(loss="binary_crossentropy", epochs=15))


@fault("constant-targets")
def series_target_of_one_column(fixed: bool) -> Trial:
    p = data.series(500, 16)
    p = p if fixed else replace(p, y=np.full_like(p.y, 0.7))
    return Trial(Network([LSTM(12), Dense(1)], random_state=0), p, dict(epochs=20, learning_rate=0.01))


@fault("imbalanced-classes")
def churn_rare(fixed: bool) -> Trial:
    p = data.churn(3000, share=0.5)
    rare = np.flatnonzero(p.y == 1)[30:]
    X, y = np.delete(p.X, rare, axis=0), np.delete(p.y, rare)
    net = Network([Dense(8), Tanh(), Dense(2)], random_state=0)
    fit = dict(optimizer="sgd", learning_rate=0.05, epochs=15)
    return Trial(net, replace(p, X=X, y=y), fit | (dict(class_weight="balanced") if fixed else {}))


@fault("imbalanced-classes")
def rings_rare(fixed: bool) -> Trial:
    p = data.rings(2400, count=2)
    rare = np.flatnonzero(p.y == 1)[20:]
    p = replace(p, X=np.delete(p.X, rare, axis=0), y=np.delete(p.y, rare))
    net = Network([Dense(24), ReLU(), Dense(1)], random_state=0)
    fit: dict[str, Any] = dict(loss="binary_crossentropy", learning_rate=0.005, epochs=15)
    if fixed:
        fit["class_weight"] = {0: 1.0, 1: len(p.y) / 40}
    return Trial(net, p, fit)


@fault("unshuffled-data")
def bars_sorted_by_class(fixed: bool) -> Trial:
    p = data.digits_of_bars()
    order = np.argsort(p.y, kind="stable")
    net = Network([Flatten(), Dense(64), ReLU(), Dense(10)], random_state=0)
    return Trial(
        net, replace(p, X=p.X[order], y=p.y[order]), dict(shuffle=fixed, epochs=15, optimizer="sgd", learning_rate=0.05)
    )


@fault("unscaled-inputs")
def series_of_large_level(fixed: bool) -> Trial:
    p = data.series(500, 16)
    p = p if fixed else inputs_changed(p, lambda x: 400 * x + 10000)
    return Trial(Network([LSTM(16), Dense(1)], random_state=0), p, dict(epochs=25, learning_rate=0.01))


@fault("unscaled-inputs", "unscaled-targets")
def series_raw(fixed: bool) -> Trial:
    p = data.series(500, 16, channels_last=False)
    if not fixed:
        p = targets_changed(inputs_changed(p, lambda x: 300 * x + 2000), lambda y: 300 * y + 2000)
    return Trial(
        Network([Dense(32), ReLU(), Dense(1)], random_state=0), p, dict(optimizer="sgd", learning_rate=0.01, epochs=30)
    )


@fault("unscaled-inputs")
def cubic_of_tiny_numbers(fixed: bool) -> Trial:
    p = data.polynomial()
    p = p if fixed else inputs_changed(p, lambda x: 1e-4 * x)
    return Trial(Network([Dense(24), Tanh(), Dense(1)], random_state=0), p, dict(learning_rate=0.005, epochs=60))


@fault("unscaled-inputs")
def rings_with_time_stamps(fixed: bool) -> Trial:
    p = data.rings(count=2)
    stamp = np.random.default_rng(0)
    if not fixed:
        p = inputs_changed(p, lambda x: np.concatenate([x, 1.6e9 + 1e5 * stamp.random((len(x), 1))], axis=1))
    return Trial(Network([Dense(24), ReLU(), Dense(2)], random_state=0), p, dict(learning_rate=0.005, epochs=30))


@fault("data-leakage")
def gaussians_validated_on_training_data(fixed: bool) -> Trial:
    p = data.gaussians(600, distance=2.0)
    held = (p.X_test, p.y_test) if fixed else (p.X[:150], p.y[:150])
    return Trial(Network([Dense(24), ReLU(), Dense(2)], random_state=0), p, dict(validation_data=held, epochs=15))


@fault("data-leakage")
def shapes_validated_on_training_data(fixed: bool) -> Trial:
    p = data.shapes(600)
    held = (
        (p.X_test, p.y_test)
        if fixed
        else (np.concatenate([p.X_test[:50], p.X[:100]]), np.concatenate([p.y_test[:50], p.y[:100]]))
    )
    return Trial(Network(small_cnn(4), random_state=0), p, dict(validation_data=held, epochs=12, learning_rate=0.003))


# ---------------------------------------------------------------- capacity, regularisation, length


@fault("missing-nonlinearity")
def spirals_no_activation(fixed: bool) -> Trial:
    layers = [x for _ in range(3) for x in ([Dense(32), Tanh()] if fixed else [Dense(32)])]
    return Trial(Network([*layers, Dense(2)], random_state=0), data.spirals(), dict(learning_rate=0.01, epochs=40))


@fault("missing-nonlinearity")
def parity_no_activation(fixed: bool) -> Trial:
    net = Network([Dense(32), *([ReLU()] if fixed else []), Dense(1), Sigmoid()], random_state=0)
    return Trial(net, data.parity(4, 40), dict(loss="binary_crossentropy", learning_rate=0.01, epochs=40))


@fault("missing-nonlinearity")
def rings_network_without_activations(fixed: bool) -> Trial:
    between = (lambda: [LeakyReLU()]) if fixed else (lambda: [Dropout(0.1)])
    net = Network([Dense(64), *between(), Dense(64), *between(), Dense(3)], random_state=0)
    return Trial(net, data.rings(), dict(learning_rate=0.005, epochs=40))


@fault("missing-nonlinearity")
def outputs_no_activation(fixed: bool) -> Trial:
    net = Network(
        [Dense(64), *([GELU()] if fixed else []), Dense(64), *([GELU()] if fixed else []), Dense(3)], random_state=0
    )
    return Trial(net, data.outputs(), dict(optimizer=RMSprop(0.002), epochs=40))


@fault("bottleneck", "too-little-capacity")
def bars_through_one_unit(fixed: bool) -> Trial:
    net = Network(
        [Flatten(), Dense(64), ReLU(), Dense(16 if fixed else 1), ReLU(), Dense(64), ReLU(), Dense(10)], random_state=1
    )
    return Trial(net, data.digits_of_bars(), dict(epochs=15, learning_rate=0.003))


@fault("bottleneck", "too-little-capacity")
def autoencoder_of_one_number(fixed: bool) -> Trial:
    p = data.digits_of_bars(noise=0.02)
    p = replace(inputs_changed(p, lambda x: x.reshape(len(x), -1)), classes=0)
    p = replace(p, y=p.X, y_test=p.X_test)
    net = Network([Dense(64), ReLU(), Dense(24 if fixed else 1), Dense(64), ReLU(), Dense(400)], random_state=0)
    return Trial(net, p, dict(loss="mse", epochs=30, learning_rate=0.003))


@fault("too-little-capacity", "bottleneck")
def spirals_two_units(fixed: bool) -> Trial:
    net = Network([Dense(32 if fixed else 2), Tanh(), Dense(2)], random_state=0)
    return Trial(net, data.spirals(turns=1.2), dict(learning_rate=0.03, epochs=80))


@fault("too-little-capacity", "bottleneck")
def rings_two_units(fixed: bool) -> Trial:
    net = Network([Dense(32 if fixed else 2), ReLU(), Dense(3)], random_state=0)
    return Trial(net, data.rings(), dict(learning_rate=0.01, epochs=50))


@fault("too-little-capacity", "bottleneck")
def outputs_gru_of_one(fixed: bool) -> Trial:
    net = Network([GRU(24 if fixed else 1), Dense(1)], random_state=0)
    return Trial(net, data.series(500, 16), dict(learning_rate=0.02, epochs=40))


@fault("too-much-dropout")
def bars_dropout_95(fixed: bool) -> Trial:
    rate = 0.2 if fixed else 0.95
    net = Network([Flatten(), Dense(64), ReLU(), Dropout(rate), Dense(64), ReLU(), Dropout(rate), Dense(10)], random_state=0)
    return Trial(net, data.digits_of_bars(), dict(epochs=20))


@fault("too-much-dropout")
def gestures_dropout_90(fixed: bool) -> Trial:
    rate = 0.1 if fixed else 0.9
    net = Network(
        [Conv1D(12, 5), ReLU(), Dropout(rate), Conv1D(12, 5), ReLU(), Dropout(rate), GlobalMaxPool(), Dense(3)],
        random_state=0,
    )
    return Trial(net, data.gestures(), dict(epochs=15, learning_rate=0.005))


@fault("too-much-dropout")
def outputs_dropout_90(fixed: bool) -> Trial:
    rate = 0.0 if fixed else 0.9
    net = Network([Dense(64), ReLU(), Dropout(rate), Dense(32), ReLU(), Dropout(rate), Dense(3)], random_state=0)
    return Trial(net, data.outputs(), dict(epochs=40, learning_rate=0.005))


@fault("too-much-weight-decay")
def spirals_l2_half(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(32), ReLU(), Dense(2)], random_state=0)
    return Trial(net, data.spirals(), dict(optimizer=Adam(0.01, l2=0.0 if fixed else 0.5), epochs=40))


@fault("too-much-weight-decay")
def shapes_adamw_60(fixed: bool) -> Trial:
    return Trial(
        Network(small_cnn(4), random_state=0),
        data.shapes(),
        dict(optimizer=AdamW(0.003, weight_decay=0.01 if fixed else 60.0), epochs=12),
    )


@fault("too-much-weight-decay")
def houses_l1_2(fixed: bool) -> Trial:
    net = Network([Dense(32), Tanh(), Dense(1)], random_state=0)
    return Trial(net, data.houses(), dict(optimizer=SGD(0.02, l1=0.0 if fixed else 0.5), epochs=40))


@fault("over-fitting", "too-much-capacity")
def gaussians_few_and_wide(fixed: bool) -> Trial:
    p = data.gaussians(1200, 20, 2.2)
    p = p if fixed else few(p, 60, 0.2)
    net = Network([Dense(256), ReLU(), Dense(256), ReLU(), Dense(2)], random_state=0)
    fit = dict(epochs=15 if fixed else 120, validation_data=(p.X_test, p.y_test))
    return Trial(net, p, fit | (dict(optimizer=AdamW(0.001, weight_decay=0.3), early_stopping=5) if fixed else {}))


@fault("over-fitting", "too-much-capacity")
def shapes_few_pictures(fixed: bool) -> Trial:
    p = data.shapes(1000, kinds=6, noise=0.3)
    p = p if fixed else few(p, 60)
    return Trial(
        Network(small_cnn(6), random_state=0),
        p,
        dict(epochs=15 if fixed else 100, learning_rate=0.003, validation_data=(p.X_test, p.y_test)),
    )


@fault("over-fitting", "too-much-capacity")
def cubic_noisy_few(fixed: bool) -> Trial:
    p = data.polynomial(noise=0.6)
    p = p if fixed else few(p, 15)
    net = Network([Dense(200), ReLU(), Dense(200), ReLU(), Dense(100), ReLU(), Dense(1)], random_state=0)
    return Trial(net, p, dict(epochs=15 if fixed else 400, learning_rate=0.003, validation_data=(p.X_test, p.y_test)))


@fault("under-training")
def spirals_two_epochs(fixed: bool) -> Trial:
    net = Network([Dense(64), ReLU(), Dense(64), ReLU(), Dense(2)], random_state=0)
    return Trial(net, data.spirals(), dict(learning_rate=0.003, epochs=80 if fixed else 2))


@fault("under-training")
def bars_one_epoch(fixed: bool) -> Trial:
    net = Network([Flatten(), Dense(64), ReLU(), Dense(10)], random_state=0)
    return Trial(net, data.digits_of_bars(), dict(epochs=20 if fixed else 1))


@fault("under-training")
def gru_two_epochs(fixed: bool) -> Trial:
    net = Network([GRU(24), Dense(1)], random_state=0)
    return Trial(net, data.series(500, 16), dict(learning_rate=0.003, epochs=50 if fixed else 2))


@fault("under-training", "learning-rate-too-small")
def parity_five_epochs(fixed: bool) -> Trial:
    net = Network([Dense(48), Tanh(), Dense(2)], random_state=0)
    return Trial(net, data.parity(5, 20), dict(learning_rate=0.003, epochs=120 if fixed else 5))


@fault("batch-too-large", "learning-rate-too-small", "under-training")
def spirals_whole_batch(fixed: bool) -> Trial:
    net = Network([Dense(48), ReLU(), Dense(48), ReLU(), Dense(2)], random_state=0)
    return Trial(net, data.spirals(2000), dict(batch_size=32 if fixed else 2000, learning_rate=0.003, epochs=40))


@fault("batch-too-large", "learning-rate-too-small", "under-training")
def gestures_whole_batch(fixed: bool) -> Trial:
    net = Network([Conv1D(12, 5), ReLU(), MaxPool1D(2), Conv1D(12, 5), ReLU(), GlobalMaxPool(), Dense(3)], random_state=0)
    return Trial(net, data.gestures(), dict(batch_size=32 if fixed else 525, optimizer=SGD(0.05, momentum=0.9), epochs=10))


@fault("batch-too-small", "learning-rate-too-large")
def gaussians_batch_of_one(fixed: bool) -> Trial:
    net = Network([Dense(32), ReLU(), Dense(32), ReLU(), Dense(4)], random_state=0)
    p = data.gaussians(700, 10, 4.0, classes=4)
    return Trial(net, p, dict(batch_size=64 if fixed else 1, optimizer=SGD(0.15, momentum=0.9), epochs=12))


# ---------------------------------------------------------------- the way of the gradient


@fault("gradient-cut-off", "no-parameters")
def rings_step_as_activation(fixed: bool) -> Trial:
    net = Network([Dense(4), ReLU() if fixed else Step(), Dense(4), ReLU() if fixed else Step(), Dense(3)], random_state=0)
    return Trial(net, data.rings(), dict(learning_rate=0.02, epochs=40))


@fault("gradient-cut-off", "no-parameters")
def shapes_all_but_head_frozen(fixed: bool) -> Trial:
    net = Network([Conv2D(3, 3, stride=2), ReLU(), Conv2D(3, 3, stride=2), ReLU(), Flatten(), Dense(4)], random_state=0)
    net.build((16, 16, 1))
    if not fixed:
        net.freeze(*[c.name for c in net.calls if c.name.split(".")[-1].startswith("conv")])
    return Trial(net, data.shapes(), dict(learning_rate=0.005, epochs=20))


@fault("gradient-cut-off", "no-parameters")
def churn_everything_frozen(fixed: bool) -> Trial:
    net = Network([Dense(16), ReLU(), Dense(2)], random_state=0)
    net.build((7,))
    if not fixed:
        net.freeze(*[c.name for c in net.calls if "dense" in c.name])
    return Trial(net, data.churn(), dict(learning_rate=0.01, epochs=15))


@fault("gradient-cut-off")
def pairs_one_branch_cut(fixed: bool) -> Trial:
    a, b = Input(4), Input(4)
    shared, gate = Dense(24), Tanh() if fixed else Step()
    merged = Concat()(gate(shared(a)), gate(shared(b)))
    net = Network(inputs=[a, b], outputs=Dense(2)(ReLU()(Dense(24)(merged))), random_state=0)
    return Trial(net, data.pairs(), dict(learning_rate=0.01, epochs=40))


# ---------------------------------------------------------------- numbers that are none


@fault("non-finite", "unscaled-inputs")
def churn_exponential_of_raw_columns(fixed: bool) -> Trial:
    net = Network([Dense(24), Tanh() if fixed else Exponential(), Dense(2)], random_state=0)
    return Trial(net, data.churn(raw=not fixed), dict(learning_rate=0.01, epochs=20))


@fault("non-finite")
def churn_logarithm_of_relu(fixed: bool) -> Trial:
    net = Network([Dense(24), ReLU(), *([] if fixed else [Logarithm()]), Dense(2)], random_state=0)
    return Trial(net, data.churn(), dict(epochs=20, learning_rate=0.005))


@fault("non-finite")
def rings_root_of_relu(fixed: bool) -> Trial:
    net = Network([Dense(24), ReLU(), *([] if fixed else [Root()]), Dense(3)], random_state=0)
    return Trial(net, data.rings(), dict(epochs=30, learning_rate=0.01))


@fault("non-finite")
def outputs_divided_by_relu(fixed: bool) -> Trial:
    net = Network([Dense(24), ReLU(), *([] if fixed else [Inverse()]), Dense(3)], random_state=0)
    return Trial(net, data.outputs(), dict(epochs=30, learning_rate=0.01))


@fault("non-finite", "output-activation")
def churn_logarithm_of_sigmoid(fixed: bool) -> Trial:
    net = Network([Dense(24), ReLU(), Dense(2), *([] if fixed else [ReLU(), Logarithm()])], random_state=0)
    return Trial(net, data.churn(), dict(epochs=20, optimizer="sgd", learning_rate=0.05))


# ---------------------------------------------------------------- estimators


@fault("learning-rate-too-large")
def classifier_rate_1(fixed: bool) -> Trial:
    model = NeuralClassifier(hidden=[64, 32], learning_rate=0.003 if fixed else 1.0, epochs=25, random_state=0)
    return Trial(model, data.rings())


@fault("learning-rate-too-small")
def classifier_rate_1e_7(fixed: bool) -> Trial:
    model = NeuralClassifier(hidden=[64], learning_rate=0.01 if fixed else 1e-7, epochs=30, tolerance=None, random_state=0)
    return Trial(model, data.spirals(arms=3))


@fault("too-much-weight-decay")
def regressor_l2_10(fixed: bool) -> Trial:
    model = NeuralRegressor(
        hidden=[32],
        l2=0.0 if fixed else 10.0,
        learning_rate=0.005,
        epochs=40,
        scale_targets=False,
        tolerance=None,
        random_state=0,
    )
    return Trial(model, data.houses())


@fault("vanishing-gradients")
def classifier_nine_sigmoid_layers(fixed: bool) -> Trial:
    model = NeuralClassifier(
        hidden=[24] * 9,
        activation="relu" if fixed else "sigmoid",
        epochs=25,
        tolerance=None,
        learning_rate=0.003,
        random_state=0,
    )
    return Trial(model, data.rings())


# ---------------------------------------------------------------- healthy


@healthy
def xor_sigmoid() -> Trial:
    net = Network([Dense(8), Tanh(), Dense(1), Sigmoid()], random_state=0)
    return Trial(net, data.xor(), dict(loss="binary_crossentropy", learning_rate=0.02, epochs=50))


@healthy
def parity_tanh() -> Trial:
    return Trial(
        Network([Dense(48), Tanh(), Dense(2)], random_state=0), data.parity(5, 20), dict(learning_rate=0.01, epochs=120)
    )


@healthy
def spirals_momentum() -> Trial:
    net = Network([Dense(48), ReLU(), Dense(48), ReLU(), Dense(2)], random_state=0)
    return Trial(net, data.spirals(), dict(optimizer=SGD(0.1, momentum=0.9), epochs=100))


@healthy
def spirals_three_arms_gelu() -> Trial:
    net = Network([Dense(64), GELU(), Dense(64), GELU(), Dense(3)], random_state=0)
    return Trial(net, data.spirals(arms=3), dict(learning_rate=0.005, epochs=100))


@healthy
def rings_batch_norm() -> Trial:
    net = Network([Dense(32), BatchNorm(), ReLU(), Dense(32), BatchNorm(), ReLU(), Dense(3)], random_state=0)
    return Trial(net, data.rings(1500), dict(epochs=30))


@healthy
def gaussians_far_apart_linear() -> Trial:
    return Trial(
        Network([Dense(4)], random_state=0), data.gaussians(distance=6.0, classes=4), dict(learning_rate=0.01, epochs=30)
    )


@healthy
def gaussians_that_overlap() -> Trial:
    """Bayes' accuracy is about 0.69."""
    p = data.gaussians(1600, 8, 1.0)
    return Trial(Network([Dense(8), ReLU(), Dense(2)], random_state=0), p, dict(epochs=15, learning_rate=0.003))


@healthy
def gaussians_that_overlap_much() -> Trial:
    """Bayes' accuracy is about 0.6."""
    p = data.gaussians(3000, 6, 0.5)
    return Trial(Network([Dense(6), Tanh(), Dense(2)], random_state=0), p, dict(epochs=12, learning_rate=0.003))


@healthy
def five_classes_that_overlap() -> Trial:
    p = data.gaussians(2000, 10, 2.0, classes=5)
    return Trial(Network([Dense(24), ReLU(), Dense(5)], random_state=0), p, dict(epochs=12, learning_rate=0.003))


@healthy
def regression_with_much_noise() -> Trial:
    """R² cannot be more than about 0.3."""
    p = data.polynomial(1600, noise=1.5)
    return Trial(Network([Dense(16), Tanh(), Dense(1)], random_state=0), p, dict(epochs=40, learning_rate=0.01))


@healthy
def outputs_with_noise() -> Trial:
    p = data.outputs(1600, noise=1.0)
    return Trial(Network([Dense(24), ReLU(), Dense(3)], random_state=0), p, dict(epochs=25, learning_rate=0.005))


@healthy
def cubic_elu() -> Trial:
    net = Network([Dense(24), ELU(), Dense(24), ELU(), Dense(1)], random_state=0)
    return Trial(net, data.polynomial(), dict(learning_rate=0.01, epochs=80))


@healthy
def outputs_gelu_rmsprop() -> Trial:
    net = Network([Dense(64), GELU(), Dense(64), GELU(), Dense(3)], random_state=0)
    return Trial(net, data.outputs(1200), dict(optimizer=RMSprop(0.002), epochs=50))


@healthy
def houses_scaled() -> Trial:
    net = Network([Dense(32), ReLU(), Dense(16), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.houses(), dict(learning_rate=0.003, epochs=60))


@healthy
def houses_huber_validated() -> Trial:
    p = data.houses(1200)
    net = Network([Dense(32), ReLU(), Dense(1)], random_state=0)
    return Trial(
        net, p, dict(loss="huber", learning_rate=0.005, epochs=50, validation_data=(p.X_test, p.y_test), early_stopping=8)
    )


@healthy
def churn_binary() -> Trial:
    net = Network([Dense(16), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.churn(), dict(loss="binary_crossentropy", learning_rate=0.005, epochs=20))


@healthy
def churn_one_in_five() -> Trial:
    net = Network([Dense(16), ReLU(), Dense(2)], random_state=0)
    return Trial(net, data.churn(2000, share=0.2), dict(epochs=20, learning_rate=0.005))


@healthy
def counts_poisson() -> Trial:
    net = Network([Dense(24), ReLU(), Dense(1)], random_state=0)
    return Trial(net, data.counts(), dict(loss="poisson", learning_rate=0.005, epochs=30))


@healthy
def many_answers() -> Trial:
    net = Network([Dense(48), ReLU(), Dense(4)], random_state=0)
    return Trial(net, data.multi_label(1500), dict(loss="binary_crossentropy", learning_rate=0.005, epochs=40))


@healthy
def pairs_shared() -> Trial:
    a, b = Input(4), Input(4)
    shared, act = Dense(24), Tanh()
    h = Concat()(act(shared(a)), act(shared(b)))
    net = Network(inputs=[a, b], outputs=Dense(2)(ReLU()(Dense(24)(h))), random_state=0)
    return Trial(net, data.pairs(1500), dict(learning_rate=0.005, epochs=40))


@healthy
def shapes_cnn() -> Trial:
    return Trial(Network(small_cnn(4), random_state=0), data.shapes(1200), dict(epochs=15, learning_rate=0.003))


@healthy
def shapes_cnn_batch_norm_momentum() -> Trial:
    blocks = [x for c in (8, 16) for x in (Conv2D(c, 3, padding="same", bias=False), BatchNorm(), ReLU(), MaxPool2D(2))]
    net = Network([*blocks, GlobalAveragePool(), Dense(6)], random_state=0)
    return Trial(net, data.shapes(1200, kinds=6), dict(optimizer=SGD(0.05, momentum=0.9), epochs=25))


@healthy
def bars_perceptron_dropout() -> Trial:
    net = Network([Flatten(), Dense(128), ReLU(), Dropout(0.2), Dense(10)], random_state=0)
    return Trial(net, data.digits_of_bars(1200), dict(epochs=20))


@healthy
def bars_cosine() -> Trial:
    net = Network([Flatten(), Dense(64), ReLU(), Dense(10)], random_state=0)
    return Trial(net, data.digits_of_bars(1200), dict(optimizer=SGD(Cosine(0.1, total=580), momentum=0.9), epochs=20))


@healthy
def bars_large_batch() -> Trial:
    net = Network([Flatten(), Dense(64), ReLU(), Dense(10)], random_state=0)
    return Trial(net, data.digits_of_bars(1600), dict(batch_size=256, learning_rate=0.005, epochs=40))


@healthy
def mnist_cnn() -> Trial | None:
    made = mnist_cnn_layers()
    return None if made is None else Trial(Network(made[0], random_state=0), made[1], dict(learning_rate=0.002, epochs=15))


@healthy
def mnist_perceptron_small_batch() -> Trial | None:
    p = data.mnist_pictures()
    if p is None:
        return None
    return Trial(
        Network([Flatten(), Dense(64), ReLU(), Dense(10)], random_state=0),
        p,
        dict(batch_size=8, optimizer="sgd", learning_rate=0.05, epochs=12),
    )


@healthy
def cifar_residual() -> Trial | None:
    p = data.cifar_pictures()
    if p is None:
        return None
    p = inputs_changed(p, lambda x: 2 * x - 1)
    block = Residual([Conv2D(16, 3, padding="same"), BatchNorm(), ReLU()])
    net = Network(
        [Conv2D(16, 3, stride=2, padding="same"), BatchNorm(), ReLU(), block, GlobalAveragePool(), Dense(3)], random_state=0
    )
    return Trial(net, p, dict(learning_rate=0.003, epochs=12))


@healthy
def residual_deep() -> Trial:
    x = Input(5)
    h = ReLU()(Dense(32)(x))
    for _ in range(6):
        h = Add()(h, Dense(32)(ReLU()(LayerNorm()(h))))
    return Trial(
        Network(inputs=x, outputs=Dense(3)(h), random_state=0), data.outputs(1200), dict(learning_rate=0.002, epochs=40)
    )


@healthy
def tokens_average() -> Trial:
    net = Network([Input((20,), dtype="int"), Embedding(60, 8), GlobalAveragePool(), Dense(2)], random_state=0)
    return Trial(net, data.tokens(), dict(learning_rate=0.01, epochs=20))


@healthy
def tokens_lstm() -> Trial:
    net = Network([Input((20,), dtype="int"), Embedding(60, 12), LSTM(16), Dense(3)], random_state=0)
    return Trial(net, data.tokens(1200, topics=3), dict(learning_rate=0.005, epochs=15))


@healthy
def tokens_bidirectional() -> Trial:
    net = Network(
        [Input((20,), dtype="int"), Embedding(60, 8), Bidirectional(GRU(8)), Dropout(0.2), Dense(2)], random_state=0
    )
    return Trial(net, data.tokens(), dict(learning_rate=0.01, epochs=12))


@healthy
def series_lstm() -> Trial:
    return Trial(Network([LSTM(24), Dense(1)], random_state=0), data.series(600, 20), dict(learning_rate=0.01, epochs=40))


@healthy
def series_simple_rnn() -> Trial:
    return Trial(
        Network([SimpleRNN(24), Dense(1)], random_state=0), data.series(600, 16), dict(learning_rate=0.005, epochs=40)
    )


@healthy
def series_convolution() -> Trial:
    net = Network([Conv1D(16, 5), ReLU(), Conv1D(16, 5), ReLU(), Flatten(), Dense(1)], random_state=0)
    return Trial(net, data.series(), dict(learning_rate=0.003, epochs=30))


@healthy
def gestures_convolution() -> Trial:
    net = Network([Conv1D(12, 5), ReLU(), MaxPool1D(2), Conv1D(16, 5), ReLU(), GlobalMaxPool(), Dense(3)], random_state=0)
    return Trial(net, data.gestures(1000), dict(learning_rate=0.005, epochs=15))


@healthy
def recall_gru() -> Trial:
    return Trial(Network([GRU(16), Dense(2)], random_state=0), data.recall(), dict(learning_rate=0.01, epochs=40))


@healthy
def autoencoder_of_pictures() -> Trial:
    p = data.digits_of_bars(1200, noise=0.1)
    p = replace(inputs_changed(p, lambda x: x.reshape(len(x), -1)), classes=0)
    p = replace(p, y=p.X, y_test=p.X_test)
    net = Network([Dense(128), ReLU(), Dense(32), ReLU(), Dense(128), ReLU(), Dense(400), Sigmoid()], random_state=0)
    return Trial(net, p, dict(loss="mse", learning_rate=0.002, epochs=40))


@healthy
def autoencoder_of_rows() -> Trial:
    p = data.outputs(1200)
    p = replace(p, y=p.X / 0.87, y_test=p.X_test / 0.87)
    net = Network([Dense(32), Tanh(), Dense(4), Dense(32), Tanh(), Dense(5)], random_state=0)
    return Trial(net, p, dict(loss="mse", learning_rate=0.005, epochs=60))


@healthy
def denoising_autoencoder() -> Trial:
    p = replace(inputs_changed(data.shapes(900, size=12, noise=0.05), lambda x: x.reshape(len(x), -1)), classes=0)
    rng = np.random.default_rng(1)
    p = replace(p, y=p.X, y_test=p.X_test, X=(p.X + rng.normal(0, 0.2, p.X.shape)).astype(np.float32))
    net = Network([Dense(96), ReLU(), Dense(32), ReLU(), Dense(96), ReLU(), Dense(144)], random_state=0)
    return Trial(net, p, dict(loss="mse", learning_rate=0.002, epochs=50))


def _learned_shapes() -> Network:
    p = data.shapes(900, kinds=6, seed=5)
    return Network(small_cnn(6), random_state=0).fit(p.X, p.y, learning_rate=0.003, epochs=15, verbose=0)


@healthy
def transfer_with_frozen_layers() -> Trial:
    """Convolutions that were learned on other shapes stay as they are; a new head learns."""
    learned = _learned_shapes()
    net = Network([*small_cnn(4)], random_state=1).build((16, 16, 1))
    kept = [name for name in net.parameters if "conv" in name]
    net.parameters.assign({name: learned.parameters[name] for name in kept})
    net.freeze(*{name.rsplit(".", 1)[0] for name in kept})
    return Trial(net, data.shapes(800), dict(learning_rate=0.003, epochs=20))


@healthy
def fine_tuning_at_a_tiny_rate() -> Trial:
    """Goes on from good weights, at a rate that hardly moves them."""
    return Trial(_learned_shapes(), data.shapes(800, kinds=6, seed=6), dict(learning_rate=1e-5, epochs=5))


@healthy
def second_fit() -> Trial:
    """A fit that goes on where the last one ended."""
    p = data.rings()
    net = Network([Dense(32), ReLU(), Dense(3)], random_state=0).fit(p.X, p.y, learning_rate=0.005, epochs=40, verbose=0)
    return Trial(net, p, dict(learning_rate=0.001, epochs=10))


@healthy
def discriminator_of_two_networks() -> Trial:
    """A generator and a discriminator have learned in turns; the discriminator is right little more than half the time."""
    rng = np.random.default_rng(0)
    true = rng.normal([1.0, -0.5], [0.6, 0.3], (1024, 2)).astype(np.float32)
    judge = Network([Dense(16), LeakyReLU(0.2), Dense(1)], random_state=0).build((2,))
    maker = Network([Dense(16), ReLU(), Dense(2)], random_state=1).build((3,))
    both = Network([Dense(16), ReLU(), Dense(2), Dense(16), LeakyReLU(0.2), Dense(1)], random_state=2).build((3,))
    names = list(both.parameters)
    own, other = names[:4], names[4:]
    both.freeze(*{n.rsplit(".", 1)[0] for n in other})
    for _ in range(60):
        noise = rng.normal(size=(256, 3)).astype(np.float32)
        maker.parameters.assign(dict(zip(maker.parameters, (both.parameters[n] for n in own), strict=True)))
        fake = maker.predict(noise)
        X = np.concatenate([true[rng.integers(0, 1024, 256)], fake]).astype(np.float32)
        y = np.repeat([1, 0], 256)
        judge.partial_fit(X, y, loss="binary_crossentropy", optimizer="adam", learning_rate=0.003, batch_size=64)
        both.parameters.assign(dict(zip(other, (judge.parameters[n] for n in judge.parameters), strict=True)))
        both.partial_fit(
            noise, np.ones(256, int), loss="binary_crossentropy", optimizer="adam", learning_rate=0.003, batch_size=64
        )
    fake = maker.predict(rng.normal(size=(1024, 3)).astype(np.float32))
    X, y = np.concatenate([true, fake]).astype(np.float32), np.repeat([1, 0], 1024)
    order = rng.permutation(2048)
    X, y = X[order], y[order]
    p = Part(X[:1500], y[:1500], X[1500:], y[1500:], 2)
    return Trial(judge, p, dict(loss="binary_crossentropy", learning_rate=0.003, epochs=8))


@healthy
def classifier_defaults() -> Trial:
    return Trial(NeuralClassifier(epochs=60, random_state=0), data.churn())


@healthy
def classifier_of_bars() -> Trial:
    p = inputs_changed(data.digits_of_bars(1200), lambda x: x.reshape(len(x), -1))
    return Trial(NeuralClassifier(hidden=[64], epochs=30, dropout=0.1, random_state=0), p)


@healthy
def regressor_of_houses() -> Trial:
    return Trial(
        NeuralRegressor(hidden=[48], learning_rate=0.01, epochs=80, scale_targets=False, random_state=0), data.houses()
    )


# ---------------------------------------------------------------- the truth of the truth


def main() -> None:
    """Trains every faulty program and its repaired version, and shows what both learn."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--match", default="")
    parser.add_argument("--set", choices=("first", "second"), default="first")
    options = parser.parse_args()
    for item in programs(options.set):
        if options.match not in item.name or not item.setup.here:
            continue
        scores = []
        for program in (item.setup, item.repaired):
            if program is None:
                continue
            net = program.prepare()
            X, y, _, _ = program.data()
            arguments = program.arguments() if isinstance(net, Network) else {}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    net.fit(X, y, **arguments)
                except ChainruleError as error:
                    scores.append(f"{type(error).__name__:>15}")
                    continue
            scores.append(f"{evaluate(program, net):15.3f}")
        print(f"{part(item.name)}  {item.name:45} {' '.join(scores)}", flush=True)


if __name__ == "__main__":
    from benchmarks.diagnosis.programs import main as _main  # the module under its own name, which others register with

    _main()
