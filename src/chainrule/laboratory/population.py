"""Many small networks trained at once on the digits, and what is measured of each."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_digits, split_validation
from ..errors import DivergenceError
from ..model import Network
from ..training.parallel import map_all

__all__ = ["Digits", "Run", "gain_chain", "map_all", "train"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Digits:
    """The digits, a quarter of them kept apart as a test; each class in proportion."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array

    @classmethod
    def split(cls, seed: int) -> Digits:
        """The split of this seed."""
        X, y = load_digits()
        train, test = split_validation(len(y), 0.25, np.random.default_rng(seed), y)
        return cls(X[train], y[train], X[test], y[test])


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes
        network ; losses, accuracies : by epoch, the second on the test part ; epochs after a divergence are missing
        diverged : whether a number stopped being finite ; seconds_per_step : median over the epochs
    """

    network: Network
    losses: list[float]
    accuracies: list[float]
    diverged: bool
    seconds_per_step: float

    @property
    def accuracy(self) -> float:
        """On the test part after the last epoch; 0 when it diverged."""
        return 0.0 if self.diverged or not self.accuracies else self.accuracies[-1]

    def epochs_to(self, accuracy: float) -> int | None:
        """The first epoch after which the test accuracy was at least this, None when it never was."""
        return next((i + 1 for i, a in enumerate(self.accuracies) if a >= accuracy), None)


def train(network: Network, digits: Digits, *, epochs: int, batch_size: int = 32, **fit: Any) -> Run:
    """Trains on one thread; a diverging fit is a result, not an error."""
    started = time.perf_counter()
    with suppress(DivergenceError):
        network.fit(
            digits.X,
            digits.y,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=(digits.X_test, digits.y_test),
            verbose=0,
            threads=1,
            **fit,
        )
    seconds = network.history_["seconds"] if "seconds" in network.history_ else [time.perf_counter() - started]
    known = "loss" in network.history_
    steps = math.ceil(len(digits.X) / batch_size)
    return Run(
        network,
        list(network.history_["loss"]) if known else [],
        list(network.history_["val_accuracy"]) if known else [],
        network.history_.diverged,
        float(np.median(seconds)) / steps,
    )


def gain_chain(network: Network, X: Array, y: Array, loss: str = "softmax_cross_entropy") -> dict[str, list[float]]:
    """The size of the gradient at each hidden z of a chain of Dense layers, and what each link of the chain rule does to it.

    For z¹ ... zᴸ, where ``dzˡ = σ'(zˡ) ⊙ (Wˡ⁺¹ dzˡ⁺¹)``, the norms over all samples give two factors for each link that
    multiply to its gain: ``‖dzˡ‖/‖dzˡ⁺¹‖ = (‖daˡ‖/‖dzˡ⁺¹‖) · (‖dzˡ‖/‖daˡ‖)``, the weights' and the activation's.

    Returns     "dz" : ‖dzˡ‖ for l = 1 ... L ; "weights", "activation" : the factors of the links l = 1 ... L − 1
    """
    trace = network.trace(X, y, loss=loss)
    dz, da = [], []
    for layer in trace.layers.values():
        assert layer.d_output is not None  # there are targets
        if "weight" in layer.parameters:
            dz.append(float(np.linalg.norm(layer.d_output)))
        elif layer.symbol == "a":
            da.append(float(np.linalg.norm(layer.d_output)))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.divide(da[: len(dz) - 1], dz[1:])
        activation = np.divide(dz[:-1], da[: len(dz) - 1])
    return {"dz": dz, "weights": weights.tolist(), "activation": activation.tolist()}
