"""Set-ups: a task, a network and how it is trained, as data that a fault changes in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import Bidirectional, Network, layers
from chainrule.initializers import Constant, Normal, Orthogonal
from chainrule.losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from chainrule.optimizers import get_optimizer

from .tasks import Task, task

__all__ = ["Setup", "evaluate"]

Array = NDArray[Any]
RECURRENT: dict[str, Any] = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


@dataclass(frozen=True)
class Setup:
    """One training.

    Parameters
        task : name in TASKS ; kind : "mlp", "cnn", or "simple_rnn", "lstm" or "gru", with "bi-" in front for both
            directions ; hidden : units of the hidden layers
        activation : of them, None for none ; output : the last activation ; loss : its name, or None ; units : of the output
        weight_init, bias_init : names or numbers, "normal:0.01" for a normal law of that deviation ; recurrent : more
            arguments of the recurrent layer
        dropout : rate after each hidden layer ; norm : "batch_norm" after each ; residual : joins over hidden layers
        optimizer, options, learning_rate, batch, epochs, shuffle : of the training ; validation : none, "test", "leak"
        frozen : numbers of hidden layers to freeze ; X, y : names of changes to the data
        extra : what else
    """

    task: str
    kind: str = "mlp"
    hidden: tuple[int, ...] = (64, 32)
    activation: str | None = "relu"
    output: str | None = None
    loss: Any = None
    units: int | None = None
    weight_init: Any = None
    bias_init: Any = "zeros"
    recurrent: tuple[tuple[str, Any], ...] = ()
    dropout: float = 0.0
    norm: str | None = None
    residual: bool = False
    optimizer: str = "adam"
    options: tuple[tuple[str, Any], ...] = ()
    learning_rate: float | None = None
    batch: int = 32
    epochs: int = 40
    shuffle: bool = True
    validation: str = ""
    frozen: tuple[int, ...] = ()
    X: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict, hash=False)

    #: Whether its data is at hand.
    here = True

    # ------------------------------------------------------------ data

    def data(self) -> tuple[Array, Array, Array, Array]:
        """(X, y, X_test, y_test) after the changes."""
        t = task(self.task)
        X, y, X_test, y_test = t.X.copy(), t.y.copy(), t.X_test.copy(), t.y_test.copy()
        for change in self.X:
            X, X_test = _change_inputs(change, X), _change_inputs(change, X_test)
        for change in self.y:
            X, y = _change_targets(change, X, y, t, train=True)
            X_test, y_test = _change_targets(change, X_test, y_test, t, train=False)
        return X, y, X_test, y_test

    # ------------------------------------------------------------ network

    def network(self, seed: int = 0) -> Network:
        """The network, not built."""
        t = task(self.task)
        w, b = _law(self.weight_init), _law(self.bias_init)
        stack: list[Any] = []
        hidden = list(self.hidden)
        if self.kind == "cnn":
            for channels in (8, 16):
                stack += [layers.Conv2D(channels, 3, padding="same", weight_init=w, bias_init=b)]
                stack += [*self._after(), layers.MaxPool2D(2)]
            stack.append(layers.Flatten())
        elif self.kind.removeprefix("bi-") in RECURRENT:
            options = {} if w is None else {"weight_init": w, "recurrent_init": w}
            options |= {key: _law(value) if key.endswith("_init") else value for key, value in self.recurrent}
            layer = RECURRENT[self.kind.removeprefix("bi-")](hidden.pop(0), **options)
            stack.append(Bidirectional(layer) if self.kind.startswith("bi-") else layer)
        for units in hidden:
            dense = layers.Dense(units, weight_init=w, bias_init=b)
            if self.residual and stack:
                from chainrule import Residual

                stack.append(Residual([dense, *self._after()]))
            else:
                stack += [dense, *self._after()]
        outputs = self.units or (t.classes if t.classes > 2 or self.kind != "mlp" or not self._binary() else 1) or 1
        stack.append(layers.Dense(outputs, weight_init=w if self.extra.get("init_all", True) else None))
        if self.output:
            stack.append(layers.get_activation(self.output) if self.output != "softmax" else layers.Softmax())
        return Network(stack, random_state=seed)

    def _binary(self) -> bool:
        name = self.loss if isinstance(self.loss, str) else getattr(self.loss, "name", "")
        return task(self.task).classes == 2 and name.startswith(("binary", "bce", "probabilities:binary", "logits:binary"))

    def _after(self) -> list[Any]:
        found: list[Any] = []
        if self.norm == "batch_norm":
            found.append(layers.BatchNorm())
        if self.activation:
            found.append(layers.get_activation(self.activation))
        if self.dropout:
            found.append(layers.Dropout(self.dropout))
        return found

    @property
    def classes(self) -> int:
        """How many, 0 for numbers."""
        return task(self.task).classes

    def arguments(self) -> dict[str, Any]:
        """Those of ``fit`` but for the data."""
        loss: Any = self.loss
        if isinstance(loss, str) and ":" in loss:
            how, _, name = loss.partition(":")
            cls = SoftmaxCrossEntropy if "softmax" in name else BinaryCrossEntropy
            loss = cls(from_probabilities=how == "probabilities")
        optimizer = get_optimizer(self.optimizer)
        for name, value in self.options:
            setattr(optimizer, name, value)
        found: dict[str, Any] = {
            "loss": loss, "optimizer": optimizer, "learning_rate": self.learning_rate, "batch_size": self.batch,
            "epochs": self.epochs, "shuffle": self.shuffle, "verbose": 0,
        }  # fmt: skip
        if self.validation:
            X, y, X_test, y_test = self.data()
            if self.validation == "leak":
                X_test, y_test = X[::4], y[::4]
            found["validation_data"] = (X_test, y_test)
        return found

    def prepare(self, seed: int = 0) -> Network:
        """The network, built and with its layers frozen where the set-up says so."""
        net = self.network(seed)
        if self.frozen:
            net.build(self.data()[0].shape[1:])
            weighted = [c.name for c in net.calls if any(p.startswith(c.name + ".") for p in net.parameters)]
            net.freeze(*(name for i, name in enumerate(weighted) if i in self.frozen))
        return net


def evaluate(setup: Any, net: Any) -> float:
    """The score on the test part as the task means it: accuracy, or R². What the fault did to the data is not undone."""
    _, _, X, y = setup.data()
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and isinstance(y, np.ndarray):
        # Of samples that no network takes nobody can tell how well it does.
        whole = np.isfinite(X).reshape(len(X), -1).all(axis=1)
        X, y = X[whole], y[whole]
    net = getattr(net, "network_", net)  # of an estimator
    if not len(X):
        return float("nan")
    try:
        z = np.asarray(net.predict(X), np.float64)
    except Exception:
        return float("nan")
    if not np.isfinite(z).all():
        return float("nan")
    if setup.classes:
        middle = getattr(getattr(net, "loss_", None), "threshold", None)
        middle = 0.5 if middle is None else middle
        if y.ndim == 2 and y.shape == z.shape and setup.classes == 2:  # several answers, yes or no
            return float(((z > middle) == (y > 0.5)).mean())
        labels = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
        if z.ndim == 2 and z.shape[1] > 1:
            return float((z.argmax(axis=1) == labels).mean())
        if setup.classes == 2:
            return float(((z.reshape(-1) > middle) == (labels > 0.5)).mean())
        return float((np.rint(z.reshape(-1)) == labels).mean())
    loss = getattr(net, "loss_", None)
    z = z if loss is None else loss.prediction(z)
    y = y.reshape(z.shape)
    return float(1 - ((z - y) ** 2).mean() / max(float(y.var()), 1e-30))


def _law(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("normal:"):
        return Normal(std=float(value.partition(":")[2]))
    if isinstance(value, str) and value.startswith("orthogonal:"):
        return Orthogonal(gain=float(value.partition(":")[2]))
    if isinstance(value, (int, float)):
        return Constant(float(value))
    return value


def _change_inputs(name: str, X: Array) -> Array:
    kind, _, amount = name.partition(":")
    value = float(amount or 0)
    if kind == "times":
        return X * np.float32(value)
    if kind == "plus":
        return X + np.float32(value)
    if kind == "wide":  # some columns in other units
        Z = X.copy()
        Z[:, ::2] *= np.float32(value)
        return Z
    if kind == "pixels":
        return ((X + 1) * 90).clip(0, 255).astype(np.float32)
    if kind == "nan":
        Z = X.copy()
        Z.reshape(len(Z), -1)[3, 0] = np.nan
        return Z
    if kind == "inf":
        Z = X.copy()
        Z.reshape(len(Z), -1)[3, 0] = np.inf
        return Z
    if kind == "zero":
        return np.zeros_like(X)
    if kind == "log":
        with np.errstate(all="ignore"):
            return np.log(X).astype(np.float32)
    raise ValueError(name)


def _change_targets(name: str, X: Array, y: Array, t: Task, *, train: bool) -> tuple[Array, Array]:
    kind, _, amount = name.partition(":")
    value = float(amount or 0)
    if kind == "shuffle":
        return X, np.random.default_rng(5).permutation(y) if train else y
    if kind == "times":
        return X, (y * np.float32(value)).astype(np.float32)
    if kind == "plus":
        return X, (y + np.float32(value)).astype(np.float32)
    if kind == "one_class":
        return X, np.full_like(y, int(value)) if train else y
    if kind == "constant":
        return X, np.full_like(y, value) if train else y
    if kind == "nan":
        z = y.copy()
        if train:
            z[5] = np.nan
        return X, z
    if kind == "one_hot":
        return X, np.eye(t.classes, dtype=np.float32)[y]
    if kind == "float":
        return X, y.astype(np.float32).reshape(-1, 1)
    if kind == "sort":
        order = np.argsort(y, kind="stable")
        return (X[order], y[order]) if train else (X, y)
    if kind == "rare":  # nearly all of one class
        if not train:
            return X, y
        keep = np.flatnonzero(y == 0)
        other = np.flatnonzero(y != 0)[: max(3, int(value * len(keep)))]
        rows = np.sort(np.concatenate([keep, other]))
        return X[rows], y[rows]
    if kind == "few":
        return (X[: int(value)], y[: int(value)]) if train else (X, y)
    if kind == "noise":  # some labels are wrong
        rng = np.random.default_rng(7)
        wrong = rng.random(len(y)) < value
        return (X, np.where(wrong, rng.integers(0, max(2, t.classes), len(y)), y)) if train else (X, y)
    raise ValueError(name)
