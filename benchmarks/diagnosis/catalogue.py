"""The catalogue: every fault on several tasks, each with its repaired version, and healthy set-ups.

A set-up belongs to the part to tune on or to the part to judge on by a hash of its name, so the parts were fixed before any
was run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .setups import Setup

__all__ = ["Item", "drawn", "faulty", "healthy", "part"]


@dataclass(frozen=True)
class Item:
    """A set-up with its truth.

    Parameters  name : unique ; setup : it ; causes : right names of the first finding, empty when healthy ;
                repaired : the same without the fault
    """

    name: str
    setup: Any
    causes: frozenset[str] = frozenset()
    repaired: Any = None

    @property
    def group(self) -> str:
        """ "healthy"; "data" when what the fault took is in no sample any more, so that only other data can cure it; else
        "curable"."""
        if not self.causes:
            return "healthy"
        if isinstance(self.setup, Setup):
            kinds = {change.partition(":")[0] for change in (*self.setup.X, *self.setup.y)}
            return "data" if kinds & _TAKEN or self.setup.validation == "leak" else "curable"
        return "data" if self.causes <= _OF_DATA else "curable"


#: Changes to the data that leave no answer in it: labels of other samples, one target for all, inputs that are all 0 or NaN
#: (in nearly every sample), and a fraction of the samples.
_OF_DATA = frozenset(
    {"uninformative-labels", "constant-targets", "constant-inputs", "data-leakage", "too-few-samples", "data-error"}
)
_TAKEN = frozenset({"shuffle", "one_class", "constant", "zero", "log", "few"})


def part(name: str) -> str:
    """ "tune" or "judge", by a hash of the name."""
    return "judge" if hashlib.sha256(name.encode()).digest()[0] % 2 else "tune"


#: Good set-ups that faults are put into.
BASES: dict[str, Setup] = {
    "digits": Setup("digits"),
    "wine": Setup("wine", batch=16),
    "iris": Setup("iris", batch=16, epochs=60),
    "cancer": Setup("cancer", batch=16),
    "moons": Setup("moons"),
    "circles": Setup("circles"),
    "blobs": Setup("blobs"),
    "informative": Setup("informative"),
    "friedman": Setup("friedman", epochs=60),
    "sine": Setup("sine", epochs=80, learning_rate=0.005),
    "plane": Setup("plane", epochs=60),
    "diabetes": Setup("diabetes", hidden=(16,), epochs=40),
    "images": Setup("images", kind="cnn", hidden=(32,), epochs=15),
    "waves": Setup("waves", kind="simple_rnn", hidden=(24,), epochs=20, learning_rate=0.003),
    "sums": Setup("sums", kind="gru", hidden=(24,), epochs=40, learning_rate=0.01),
    "waves-lstm": Setup("waves", kind="lstm", hidden=(24,), epochs=20, learning_rate=0.01),
    "recall-lstm": Setup(
        "recall", kind="lstm", hidden=(24,), epochs=20, learning_rate=0.01, recurrent=(("forget_bias", 3.0),)
    ),
    "recall-rnn": Setup("recall", kind="simple_rnn", hidden=(24,), epochs=20, learning_rate=0.003),
    "cancer-bce": Setup("cancer", units=1, loss="binary_cross_entropy", batch=16),
    "moons-bce": Setup("moons", units=1, loss="binary_cross_entropy"),
    "circles-tanh": Setup("circles", activation="tanh"),
    "digits-tanh": Setup("digits", activation="tanh"),
    "digits-sgd": Setup("digits", optimizer="sgd", learning_rate=0.1),
    "blobs-sgd": Setup("blobs", optimizer="sgd", learning_rate=0.05),
    "friedman-sgd": Setup("friedman", optimizer="sgd", learning_rate=0.02, epochs=60),
    "digits-deep": Setup("digits", hidden=(32,) * 8),
    "wine-deep": Setup("wine", hidden=(32,) * 6, batch=16),
    "blobs-deep": Setup("blobs", hidden=(32,) * 10),
}  # fmt: skip

CLASSES = ("digits", "wine", "cancer", "moons", "blobs", "informative")
NUMBERS = ("friedman", "sine", "plane")


def _faults() -> Iterator[tuple[str, set[str], tuple[str, ...], dict[str, Any]]]:
    """(fault, right causes, bases, changes of the set-up)"""
    large, small = {"learning-rate-too-large"}, {"learning-rate-too-small"}
    yield "adam-rate-10", large, ("digits", "moons", "blobs", "images", "friedman"), {"learning_rate": 10.0}
    yield "adam-rate-1", large, ("digits", "wine", "waves-lstm", "sine"), {"learning_rate": 1.0}
    yield "adam-rate-0.3", large, ("digits", "images", "waves"), {"learning_rate": 0.3}
    yield "sgd-rate-20", large, ("digits", "cancer", "blobs", "plane"), {"optimizer": "sgd", "learning_rate": 20.0}
    yield "sgd-rate-3", large, ("friedman", "digits-deep"), {"optimizer": "sgd", "learning_rate": 3.0}
    yield "adam-rate-1e-7", small, ("digits", "moons", "friedman", "images", "waves"), {"learning_rate": 1e-7}
    yield "adam-rate-1e-5", small, ("digits", "wine", "plane"), {"learning_rate": 1e-5}
    yield "sgd-rate-1e-6", small, ("digits", "cancer", "sine"), {"optimizer": "sgd", "learning_rate": 1e-6}
    yield "sgd-rate-1e-4", small, ("digits", "blobs"), {"optimizer": "sgd", "learning_rate": 1e-4}
    constant = {"constant-initialisation"}
    yield "zeros", constant, ("digits", "moons", "friedman", "images"), {"weight_init": "zeros"}
    yield "constant-0.5", constant, ("digits", "wine", "plane"), {"weight_init": 0.5}
    yield "ones-tanh", constant, ("circles-tanh", "digits-tanh"), {"weight_init": "ones"}
    wide, narrow = {"initialisation-too-large"}, {"initialisation-too-small"}
    yield "normal-5", wide, ("digits", "friedman", "images", "digits-sgd"), {"weight_init": "normal:5"}
    yield "normal-10-sigmoid", wide, ("blobs", "circles", "digits"), {"weight_init": "normal:10", "activation": "sigmoid"}
    yield "normal-3-tanh-deep", wide, ("digits-deep", "wine-deep"), {"weight_init": "normal:3", "activation": "tanh"}
    yield "normal-100", wide, ("wine", "informative"), {"weight_init": "normal:100"}
    yield "normal-1e-3-deep", narrow, ("digits-deep", "wine-deep", "blobs-deep"), {"weight_init": "normal:0.001"}
    yield (
        "normal-0.01-deep-tanh",
        narrow,
        ("digits-deep", "blobs-deep"),
        {"weight_init": "normal:0.01", "activation": "tanh"},
    )
    vanishing = {"vanishing-gradients"}
    sgd = {"optimizer": "sgd", "learning_rate": 0.1}
    yield "sigmoid-8", vanishing, ("digits-deep",), {"activation": "sigmoid", **sgd}
    yield "sigmoid-10", vanishing, ("blobs-deep",), {"activation": "sigmoid", **sgd}
    yield "sigmoid-6", vanishing, ("wine-deep",), {"activation": "sigmoid", **sgd}
    yield "sigmoid-8-adam", vanishing, ("moons", "digits", "cancer"), {"activation": "sigmoid", "hidden": (24,) * 9}
    yield "sigmoid-7-regression", vanishing, ("friedman", "sine"), {"activation": "sigmoid", "hidden": (32,) * 7, **sgd}
    forgets, explodes = {"vanishing-through-time"}, {"exploding-through-time"}
    yield "forgetful", forgets, ("recall-lstm",), {"recurrent": (("forget_bias", -3.0),)}
    yield "relu-through-time", forgets, ("recall-rnn",), {"recurrent": (("activation", "relu"),)}
    yield "truncated", forgets, ("recall-lstm", "recall-rnn"), {"recurrent": (("truncate", 10),)}
    yield "short-memory", forgets, ("recall-rnn",), {"recurrent": (("recurrent_init", "orthogonal:0.6"),)}
    weak, strong = narrow | forgets, wide | explodes
    yield "recurrent-normal-0.02", weak, ("recall-rnn", "recall-lstm"), {"recurrent": (("recurrent_init", "normal:0.02"),)}
    yield "recurrent-normal-2", strong, ("recall-rnn", "waves"), {"recurrent": (("recurrent_init", "normal:2"),)}
    relu = ("activation", "relu")
    yield "recurrent-too-large-relu", strong, ("recall-rnn",), {
        "recurrent": (relu, ("recurrent_init", "orthogonal:3")), "optimizer": "sgd", "learning_rate": 0.01,
    }  # fmt: skip
    yield "recurrent-orthogonal-2", strong, ("recall-rnn",), {"recurrent": (("recurrent_init", "orthogonal:2"),)}
    dead = {"dead-units"}
    yield "bias-minus-20", dead, ("digits", "moons", "friedman"), {"bias_init": -20.0}
    yield "bias-minus-50", dead, ("wine", "blobs", "plane"), {"bias_init": -50.0}
    inputs = {"unscaled-inputs"}
    yield "inputs-times-1000", inputs, ("wine", "cancer", "blobs"), {"X": ("times:1000",), "optimizer": "sgd"}
    yield "inputs-times-300", inputs, ("friedman", "informative"), {"X": ("times:300",)}
    yield "inputs-plus-2000", inputs, ("moons", "digits", "sine"), {"X": ("plus:2000",)}
    yield "columns-times-5000", inputs, ("informative", "cancer", "blobs"), {"X": ("wide:5000",)}
    yield "pixels", inputs, ("images",), {"X": ("pixels",), "optimizer": "sgd", "learning_rate": 0.01}
    yield "inputs-times-200-tanh", inputs, ("circles-tanh", "digits-tanh"), {"X": ("times:200",)}
    targets = {"unscaled-targets"}
    yield "targets-times-1000", targets, ("friedman", "sine", "plane", "diabetes"), {"y": ("times:1000",)}
    yield "targets-plus-500", targets, ("friedman", "plane"), {"y": ("plus:500",)}
    yield "targets-times-1e5-sgd", targets, ("friedman-sgd",), {"y": ("times:100000",)}
    yield "softmax-of-one", {"softmax-one-unit"}, ("cancer-bce", "moons-bce"), {"output": "softmax"}
    yield "softmax-loss-of-one", {"softmax-one-unit"}, ("moons", "cancer"), {
        "units": 1, "loss": "softmax_cross_entropy", "y": ("one_class:0",), "extra": {"skip": True},
    }  # fmt: skip
    output = {"output-activation"}
    yield "relu-before-softmax", output, ("digits", "wine", "images"), {"output": "relu"}
    yield "sigmoid-before-softmax", output, ("digits", "blobs", "waves"), {"output": "sigmoid"}
    yield "tanh-before-softmax", output, ("digits", "informative"), {"output": "tanh"}
    yield "softmax-twice", output, ("digits", "wine", "iris"), {"output": "softmax", "loss": "logits:softmax"}
    yield "sigmoid-twice", output, ("cancer-bce", "moons-bce"), {"output": "sigmoid", "loss": "logits:binary"}
    yield "relu-before-sigmoid", output, ("cancer-bce", "moons-bce"), {"output": "relu", "loss": "logits:binary"}
    yield "logits-as-probabilities", output, ("digits", "blobs"), {"loss": "probabilities:softmax"}
    yield "linear-as-probability", output, ("cancer-bce", "moons-bce"), {"loss": "probabilities:binary"}
    reach = {"output-range"}
    yield "sigmoid-regression", reach, ("friedman", "sine", "plane"), {"output": "sigmoid"}
    yield "relu-regression", reach, ("friedman", "sine", "sums"), {"output": "relu"}
    yield "tanh-regression", reach, ("friedman", "plane"), {"output": "tanh"}
    yield "softmax-regression", {"output-range", "softmax-one-unit"}, ("sine", "friedman"), {"output": "softmax"}
    loss = {"wrong-loss"}
    yield "squared-error-on-numbers", loss, ("digits", "wine", "blobs"), {"units": 1, "loss": "squared_error"}
    yield "squared-error-on-one-hot", loss, ("digits", "informative"), {
        "output": "softmax", "loss": "squared_error", "y": ("one_hot",), "optimizer": "sgd",
    }  # fmt: skip
    yield "absolute-error-on-classes", loss, ("moons", "cancer"), {"units": 1, "loss": "absolute_error", "y": ("float",)}
    linear = {"missing-nonlinearity"}
    yield "no-activation", linear, ("moons", "circles", "sine", "friedman"), {"activation": None}
    yield "no-activation-deep", linear, ("circles", "digits"), {"activation": None, "hidden": (32, 32, 32)}
    cut = {"gradient-cut-off", "no-parameters"}
    yield "first-layers-frozen", cut, ("digits", "friedman", "circles"), {"frozen": (0, 1), "hidden": (6, 6)}
    yield "all-frozen", cut, ("moons", "wine"), {"frozen": (0, 1, 2)}
    thin = {"bottleneck", "too-little-capacity"}
    yield "one-unit-between", thin, ("digits", "blobs", "images"), {"hidden": (64, 1, 64)}
    yield "two-units-between", thin, ("digits",), {"hidden": (64, 2, 32)}
    yield "one-hidden-unit", thin, ("digits", "circles", "friedman"), {"hidden": (1,)}
    yield "two-hidden-units", thin, ("circles", "sine"), {"hidden": (2,)}
    yield "dropout-0.95", {"too-much-dropout"}, ("digits", "wine", "friedman", "blobs"), {"dropout": 0.95}
    yield "dropout-0.9", {"too-much-dropout"}, ("moons", "informative"), {"dropout": 0.9}
    decay = {"too-much-weight-decay"}
    yield "l2-1", decay, ("digits", "moons", "friedman", "blobs"), {"options": (("l2", 1.0),)}
    yield "l1-0.3", decay, ("wine", "plane"), {"options": (("l1", 0.3),)}
    yield "decay-100", decay, ("digits", "friedman"), {"optimizer": "adamw", "options": (("weight_decay", 100.0),)}
    yield "labels-shuffled", {"uninformative-labels"}, ("digits", "moons", "friedman", "informative"), {"y": ("shuffle",)}
    yield "one-class", {"constant-targets"}, ("digits", "moons", "wine"), {"y": ("one_class:1",)}
    yield "constant-target", {"constant-targets"}, ("friedman", "sine"), {"y": ("constant:3",)}
    nan = {"non-finite-data"}
    yield "nan-input", nan, ("digits", "friedman", "images"), {"X": ("nan",)}
    yield "infinite-input", nan, ("wine", "sine"), {"X": ("inf",)}
    yield "logarithm-of-negative", nan, ("blobs", "plane"), {"X": ("log",)}
    yield "nan-target", nan, ("friedman", "sine"), {"y": ("nan",)}
    yield "zero-inputs", {"constant-inputs"}, ("digits", "friedman", "moons"), {"X": ("zero",)}
    yield "leak", {"data-leakage"}, ("digits", "moons", "friedman"), {"validation": "leak"}
    over = {"over-fitting", "too-much-capacity"}
    huge = {"hidden": (256, 256, 128), "epochs": 150, "validation": "test"}
    yield "few-noisy-samples", over, ("moons", "informative", "circles"), {"y": ("few:60", "noise:0.3"), **huge}
    yield "few-samples", over, ("friedman", "diabetes"), {"y": ("few:50",), **huge}
    yield "one-epoch", {"under-training"}, ("digits", "friedman", "circles"), {"epochs": 1}
    yield "three-epochs", {"under-training"}, ("sine", "circles-tanh"), {"epochs": 3, "learning_rate": 0.001}
    batch = {"batch-too-large", "learning-rate-too-small"}
    yield (
        "whole-batch-sgd",
        batch,
        ("digits", "blobs", "friedman"),
        {"batch": 10000, "optimizer": "sgd", "learning_rate": 0.01},
    )
    yield "whole-batch-adam", batch, ("circles", "digits"), {"batch": 10000, "epochs": 15}
    yield "rare-class", {"imbalanced-classes"}, ("moons", "circles"), {"y": ("rare:0.02",), "epochs": 8}
    yield "sorted-classes", {"unshuffled-data"}, ("digits", "blobs"), {"y": ("sort",), "shuffle": False}


def faulty() -> list[Item]:
    """All faulty set-ups."""
    found = []
    for fault, causes, bases, changes in _faults():
        if changes.get("extra", {}).get("skip"):
            continue
        for base in bases:
            setup = BASES[base]
            found.append(Item(f"{fault} / {base}", replace(setup, **changes), frozenset(causes), setup))
    return found


def healthy() -> list[Item]:
    """Healthy set-ups: the bases, and other good networks and optimizers for them."""
    found = [Item(f"healthy / {name}", setup) for name, setup in BASES.items()]
    for name in ("digits", "wine", "moons", "friedman", "images"):
        found.append(Item(f"healthy batch-norm / {name}", replace(BASES[name], norm="batch_norm")))
    for name in ("digits", "cancer", "informative"):
        found.append(Item(f"healthy dropout / {name}", replace(BASES[name], dropout=0.2, epochs=60)))
    for name in ("digits", "moons", "plane"):
        changes: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.05, "options": (("momentum", 0.9),)}
        found.append(Item(f"healthy momentum / {name}", replace(BASES[name], **changes)))
    for name in ("digits", "blobs", "circles"):
        found.append(Item(f"healthy elu / {name}", replace(BASES[name], activation="elu")))
    for name in ("wine", "moons", "sine"):
        found.append(Item(f"healthy gelu / {name}", replace(BASES[name], activation="gelu")))
    for name in ("digits", "circles", "iris"):
        changed = replace(BASES[name], activation="sigmoid", hidden=(48,), learning_rate=0.02)
        found.append(Item(f"healthy sigmoid / {name}", changed))
    for name in ("digits", "cancer", "moons"):
        found.append(Item(f"healthy validated / {name}", replace(BASES[name], validation="test", epochs=25)))
    for name in ("digits", "friedman"):
        deep = replace(BASES[name], hidden=(48,) * 5, norm="batch_norm", residual=True)
        found.append(Item(f"healthy residual / {name}", deep))
    for name in ("digits", "informative"):
        decayed = replace(BASES[name], optimizer="adamw", options=(("weight_decay", 0.01),))
        found.append(Item(f"healthy decay / {name}", decayed))
    for name in ("moons", "cancer"):
        ends = replace(BASES[f"{name}-bce"], output="sigmoid")
        found.append(Item(f"healthy probability / {name}", ends))
    for kind in ("bi-lstm", "bi-gru", "bi-simple_rnn"):
        found.append(Item(f"healthy {kind} / recall", replace(BASES["recall-lstm"], kind=kind, hidden=(16,), recurrent=())))
    found.append(Item("healthy gru / waves", replace(BASES["waves-lstm"], kind="gru")))
    found.append(Item("healthy bi-gru / sums", replace(BASES["sums"], kind="bi-gru", hidden=(16,))))
    found.append(Item("healthy softmax / digits", replace(BASES["digits"], output="softmax")))
    return found


def drawn(count: int, seed: int) -> list[Item]:
    """Set-ups drawn at random: half of them good networks of any shape, half with a fault of the catalogue put into one.

    They show what fixed bases hide: other depths, widths, activations, optimizers, batches and lengths of training.
    """
    rng = np.random.default_rng(seed)
    faults = [f for f in _faults() if not f[3].get("extra", {}).get("skip")]
    found = []
    for i in range(count):
        fault, causes, bases, changes = faults[rng.integers(len(faults))]
        name = str(rng.choice(bases)) if i % 2 else str(rng.choice(list(BASES)))
        base = _varied(BASES[name], rng, keep=set(changes) if i % 2 else set())
        shown = (
            f"{base.kind} {base.hidden} {base.activation} {base.optimizer} {base.learning_rate} {base.batch} {base.epochs}"
        )
        if i % 2:
            found.append(Item(f"{fault} / {name} {shown} #{i}", replace(base, **changes), frozenset(causes), base))
        else:
            found.append(Item(f"good / {name} {shown} #{i}", base))
    return found


def _varied(base: Setup, rng: np.random.Generator, keep: set[str]) -> Setup:
    """Another network for the task of a base, as good; what a fault changes itself is kept as it is."""
    changes: dict[str, Any] = {}
    if base.kind == "mlp" and len(base.hidden) < 5 and "hidden" not in keep:
        changes["hidden"] = tuple(int(rng.choice([24, 32, 64, 100, 128])) for _ in range(rng.integers(1, 4)))
    if base.kind in ("mlp", "cnn") and "activation" not in keep and base.activation == "relu":
        changes["activation"] = str(rng.choice(["relu", "relu", "leaky_relu", "elu", "gelu", "silu", "tanh"]))
    if "optimizer" not in keep and "learning_rate" not in keep and "options" not in keep and base.optimizer == "adam":
        name, rate = [
            ("adam", 0.001),
            ("adam", 0.003),
            ("adam", 0.01),
            ("rmsprop", 0.001),
            ("adamw", 0.003),
            ("nadam", 0.002),
        ][rng.integers(6)]
        if base.learning_rate is not None:
            rate = max(rate, base.learning_rate)
        changes |= {"optimizer": name, "learning_rate": rate}
    if "batch" not in keep:
        changes["batch"] = int(rng.choice([8, 16, 32, 64]))
    if "epochs" not in keep:
        changes["epochs"] = int(base.epochs * rng.choice([1, 1.5, 2]) * max(1, changes.get("batch", 32) / 32))
    if "norm" not in keep and base.kind in ("mlp", "cnn") and rng.random() < 0.2 and base.weight_init is None:
        changes["norm"] = "batch_norm"
    return replace(base, **changes)
