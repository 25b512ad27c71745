"""The rectifiers against the sigmoid."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..constraints import POSITIVE, Accepted, EachOf
from ..layers import Dense, get_activation
from ..model import Network
from ..optimizers import SGD
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, Run, map_all, train
from .words import percent

__all__ = ["Rectifiers"]

_FAMILY = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus")
_BASE, _REACHED = "sigmoid", 0.9


class Rectifiers(Experiment):
    """The family of ReLU against the sigmoid: speed of learning, cost of a step, dead units, sparsity.

    Parameters  activations : names ; rates : learning rates tried for each, the best one is reported ; depth, units : hidden
                layers ; seeds : networks a rate ; epochs ; seed
    References  Glorot, Bordes, Bengio, Deep sparse rectifier neural networks, AISTATS 2011
    """

    name = "relu"
    title = "The family of ReLU against the sigmoid"
    question = "Which activation learns fastest, what does its step cost, and how many of its units are silent or dead?"
    method = (
        "Three hidden layers of 64 units, start weights by the law that fits the activation, SGD in batches of 32, each "
        "activation at the best of the rates tried. A unit is dead when it puts out 0 for every training digit. The cost of "
        "a step is that of training alone on one thread, the activations in turn."
    )
    references = ("Glorot, Bordes, Bengio, Deep sparse rectifier neural networks, AISTATS 2011",)
    quick: ClassVar[dict[str, Any]] = {
        "activations": ("sigmoid", "relu", "leaky_relu"),
        "rates": (0.03, 0.3),
        "seeds": 2,
        "epochs": 6,
    }
    hyperparameters = {
        "activations": EachOf(Accepted(get_activation, "an activation or its name"), fewest=1),
        "rates": EachOf(POSITIVE, fewest=1),
    }

    def __init__(
        self,
        *,
        activations: Sequence[str] = _FAMILY,
        rates: Sequence[float] = (0.01, 0.03, 0.1, 0.3, 1.0),
        depth: int = 3,
        units: int = 64,
        seeds: int = 3,
        epochs: int = 25,
        seed: int = 0,
    ) -> None:
        self.activations, self.rates, self.depth, self.units = activations, rates, depth, units
        self.seeds, self.epochs, self.seed = seeds, epochs, seed

    def _network(self, activation: str, seed: int) -> Network:
        hidden = [layer for _ in range(self.depth) for layer in (Dense(self.units), get_activation(activation))]
        return Network([*hidden, Dense(10)], random_state=seed)

    def measure(self, progress: Progress) -> dict[str, Any]:
        digits = Digits.split(self.seed)
        jobs = [(a, r, s) for a in self.activations for r in self.rates for s in range(self.seeds)]

        def one(activation: str, rate: float, seed: int) -> Run:
            return train(self._network(activation, self.seed + seed), digits, epochs=self.epochs, optimizer=SGD(rate))

        runs = map_all([lambda j=j: one(*j) for j in jobs], progress)  # type: ignore[misc]
        costs: dict[str, list[float]] = {a: [] for a in self.activations}
        for _ in range(5):
            for a in self.activations:
                costs[a].append(train(self._network(a, 0), digits, epochs=3, optimizer=SGD(0.01)).seconds_per_step)
        found = []
        for a in self.activations:
            by_rate = {r: [run for j, run in zip(jobs, runs, strict=True) if j[:2] == (a, r)] for r in self.rates}
            # The area under the curve: fast and good.
            best = max(by_rate, key=lambda r: np.mean([sum(run.accuracies) for run in by_rate[r]]))
            own = by_rate[best]
            units = [self._units(run.network, digits) for run in own if not run.diverged] or [(0.0, 1.0)]
            found.append(
                {
                    "activation": a,
                    "rate": best,
                    "reached": [run.epochs_to(_REACHED) for run in own],
                    "curve": np.mean([run.accuracies for run in own if not run.diverged], axis=0).tolist(),
                    "accuracy": [run.accuracy for run in own],
                    "microseconds": 1e6 * statistics.median(costs[a]),
                    "zero": float(np.mean([u[0] for u in units])),
                    "dead": float(np.mean([u[1] for u in units])),
                }
            )
        return {"activations": found, "reached": _REACHED, "epochs": self.epochs}

    @staticmethod
    def _units(network: Network, digits: Digits) -> tuple[float, float]:
        """(share of activations that are 0, share of units that are 0 for every training digit) of the hidden layers."""
        layers = [layer for layer in network.trace(digits.X).layers.values() if layer.symbol == "a"]
        zero = float(np.mean([np.mean(layer.output == 0) for layer in layers]))
        return zero, float(np.mean([np.mean((layer.output == 0).all(axis=0)) for layer in layers]))

    @staticmethod
    def _epochs(row: dict[str, Any], limit: int) -> float:
        return float(np.median([limit + 1 if e is None else e for e in row["reached"]]))

    def tables(self, data: dict[str, Any]) -> list[Table]:
        rows = []
        for a in data["activations"]:
            epochs = self._epochs(a, data["epochs"])
            shown = f"{epochs:.0f}" if epochs <= data["epochs"] else "not reached"
            rows.append(
                (
                    a["activation"],
                    f"{a['rate']:g}",
                    shown,
                    percent(np.mean(a["accuracy"])),
                    f"{a['microseconds']:.1f}",
                    percent(a["zero"]),
                    percent(a["dead"]),
                )
            )
        to = f"epochs to {percent(data['reached'])}"
        columns = ("activation", "best rate", to, "test accuracy", "µs a step", "zeros", "dead units")
        return [Table("After training at each activation's best rate", columns, rows)]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        rows = {a["activation"]: a for a in data["activations"]}
        claims = []
        base, relu = rows.get(_BASE), rows.get("relu")
        if base is not None and len(rows) > 1:
            others = [a for name, a in rows.items() if name not in (_BASE, "tanh")]
            limit = data["epochs"]
            slow = self._epochs(base, limit)
            times = {a["activation"]: self._epochs(a, limit) for a in others}
            claims.append(
                Claim(
                    f"Every rectifier learns faster than the {_BASE}",
                    all(t < slow for t in times.values()),
                    f"epochs to {percent(data['reached'])}: {_BASE} {slow:.0f}, "
                    + ", ".join(f"{n} {t:.0f}" for n, t in times.items())
                    + (f" ({limit + 1} stands for not reached)" if max(slow, *times.values()) > limit else ""),
                )
            )
        if base is not None and relu is not None:
            claims.append(
                Claim(
                    f"A step with ReLU costs less than one with the {_BASE}",
                    relu["microseconds"] < base["microseconds"],
                    f"{relu['microseconds']:.1f} µs against {base['microseconds']:.1f} µs",
                )
            )
        if relu is not None:
            dense = [a for name, a in rows.items() if name != "relu"]
            claims.append(
                Claim(
                    "Only ReLU makes sparse activations: many exact zeros",
                    relu["zero"] > 0.2 and all(a["zero"] < 0.2 for a in dense),
                    f"{percent(relu['zero'])} of ReLU's are 0, of the others at most "
                    f"{percent(max((a['zero'] for a in dense), default=0.0))}",
                )
            )
            claims.append(
                Claim(
                    "Some ReLU units are dead after training at this rate",
                    relu["dead"] > 0,
                    f"{percent(relu['dead'])} of them are 0 for every training digit"
                    + (f", {percent(rows['leaky_relu']['dead'])} with leaky ReLU" if "leaky_relu" in rows else ""),
                )
            )
        return claims

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, middle, right = figure.subplots(1, 3)
        names = [a["activation"] for a in data["activations"]]
        for a, colour in zip(data["activations"], PALETTE, strict=False):
            left.plot(range(1, len(a["curve"]) + 1), a["curve"], color=colour, linewidth=2, label=a["activation"])
            middle.barh(a["activation"], a["microseconds"], color=colour)
        tidy(left, "epoch", "test accuracy", "Learning (colours as in the middle)")
        left.set_ylim(0.5, 1)
        tidy(middle, "µs a step", "", "Cost of a step")
        middle.invert_yaxis()
        places = np.arange(len(names))
        right.barh(places - 0.2, [100 * a["zero"] for a in data["activations"]], 0.4, color=PALETTE[5], label="zeros")
        right.barh(places + 0.2, [100 * a["dead"] for a in data["activations"]], 0.4, color=PALETTE[8], label="dead units")
        right.set_yticks(places, names)
        right.invert_yaxis()
        right.set_xlim(0, 100)
        tidy(right, "per cent", "", "Silence after training")
        right.legend(frameon=False, fontsize=9)
