"""The same network from many starting points."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..constraints import Accepted
from ..initializers import Normal
from ..initializers import get as get_initializer
from ..layers import Dense, get_activation
from ..model import Network
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, map_all, train
from .words import percent

__all__ = ["Initialisation"]

#: Laws by what the table calls them.
_LAWS: dict[str, Any] = {
    "all 0": "zeros",
    "all 0.1": 0.1,
    "normal, 0.01": Normal(0.01),
    "normal, 1": Normal(1.0),
    "LeCun": "lecun_normal",
    "Glorot": "glorot_normal",
    "He": "he_normal",
    "orthogonal": "orthogonal",
    "LSUV": "lsuv",
}
_SCALED = ("LeCun", "Glorot", "He", "orthogonal", "LSUV")
_CONSTANT = ("all 0", "all 0.1")


class Initialisation(Experiment):
    """The same network from many starting points: the distribution of results by the law of the start weights.

    Parameters  activation : name of the hidden one ; depth, units : hidden layers ; starts : networks a law ; epochs ; seed
    References  Glorot and Bengio, AISTATS 2010 ; He et al., Delving deep into rectifiers, ICCV 2015 ; Mishkin and Matas, All
                you need is a good init, ICLR 2016
    """

    name = "initialisation"
    title = "Start weights: the same network from many starting points"
    question = "How much does the result depend on the law of the start weights, and on the luck of the draw?"
    method = (
        "Five hidden layers of 30 ReLU units, SGD at rate 0.05 in batches of 32, biases 0. Only the start weights change: "
        "their law, and the seed of the draw."
    )
    references = (
        "Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010",
        "He, Zhang, Ren, Sun, Delving deep into rectifiers, ICCV 2015",
        "Mishkin and Matas, All you need is a good init, ICLR 2016",
    )
    quick: ClassVar[dict[str, Any]] = {"starts": 4, "epochs": 4}
    size = (11.0, 4.8)
    hyperparameters = {"activation": Accepted(get_activation, "an activation or its name")}

    def __init__(
        self,
        *,
        activation: str = "relu",
        depth: int = 5,
        units: int = 30,
        starts: int = 40,
        epochs: int = 15,
        seed: int = 0,
    ) -> None:
        self.activation, self.depth, self.units = activation, depth, units
        self.starts, self.epochs, self.seed = starts, epochs, seed

    def measure(self, progress: Progress) -> dict[str, Any]:
        digits = Digits.split(self.seed)

        def one(law: Any, start: int) -> dict[str, float]:
            init = law if isinstance(law, float) else get_initializer(law)
            hidden = [
                layer
                for _ in range(self.depth)
                for layer in (Dense(self.units, weight_init=init), get_activation(self.activation))
            ]
            network = Network([*hidden, Dense(10, weight_init=init)], random_state=self.seed + start)
            run = train(network, digits, epochs=self.epochs, optimizer="sgd", learning_rate=0.05)
            return {"accuracy": run.accuracy, "diverged": float(run.diverged)}

        jobs = [(name, s) for name in _LAWS for s in range(self.starts)]
        runs = map_all([lambda j=j: one(_LAWS[j[0]], j[1]) for j in jobs], progress)  # type: ignore[misc]
        found = []
        for name in _LAWS:
            own = [r for j, r in zip(jobs, runs, strict=True) if j[0] == name]
            found.append(
                {"law": name, "accuracy": [r["accuracy"] for r in own], "diverged": int(sum(r["diverged"] for r in own))}
            )
        return {"laws": found}

    def tables(self, data: dict[str, Any]) -> list[Table]:
        rows = []
        for law in data["laws"]:
            a = np.asarray(law["accuracy"])
            cells = (percent(q) for q in (a.min(), np.median(a), a.max()))
            rows.append((law["law"], *cells, f"{100 * a.std():.1f}", f"{law['diverged']} of {len(a)}"))
        columns = ("start weights", "worst", "median", "best", "spread (points)", "diverged")
        return [Table("Test accuracy over all starting points", columns, rows)]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        accuracy = {law["law"]: np.asarray(law["accuracy"]) for law in data["laws"]}
        median = {name: float(np.median(a)) for name, a in accuracy.items()}
        constant = [n for n in _CONSTANT if n in accuracy]
        scaled = [n for n in _SCALED if n in accuracy]
        unscaled = [n for n in accuracy if n not in _SCALED]
        low, high = max(median[n] for n in constant), min(median[n] for n in scaled)
        best = max(scaled, key=lambda n: median[n])
        widest = max(accuracy, key=lambda n: float(accuracy[n].std()))
        return [
            Claim(
                "Equal start weights keep all units of a layer equal, and the network learns little",
                low < 0.5,
                ", ".join(f"{n}: median {percent(median[n])}" for n in constant),
            ),
            Claim(
                "Every law that scales by the number of inputs beats every fixed one",
                high > max(median[n] for n in unscaled),
                f"medians from {percent(high)} up with them (best: {best}, {percent(median[best])}), at most "
                f"{percent(max(median[n] for n in unscaled))} without",
            ),
            Claim(
                "The luck of the draw matters less than the law",
                bool(float(np.mean([accuracy[n].std() for n in scaled])) < float(np.std(list(median.values())))),
                f"the spread over starts is {100 * np.mean([accuracy[n].std() for n in scaled]):.1f} points within a scaled "
                f"law, that of the laws' medians {100 * np.std(list(median.values())):.1f}; the widest is {widest}, "
                f"{percent(accuracy[widest].min())} to {percent(accuracy[widest].max())}",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        axes = figure.subplots()
        rng = np.random.default_rng(0)
        for i, law in enumerate(data["laws"]):
            a = np.asarray(law["accuracy"])
            colour = PALETTE[0] if law["law"] in _SCALED else PALETTE[1]
            axes.plot(i + rng.uniform(-0.18, 0.18, len(a)), a, "o", color=colour, alpha=0.45, markersize=5)
            axes.plot([i - 0.3, i + 0.3], [np.median(a)] * 2, color="black", linewidth=2)
        axes.set_xticks(range(len(data["laws"])), [law["law"] for law in data["laws"]])
        axes.set_ylim(-0.03, 1.03)
        tidy(
            axes,
            "",
            "test accuracy (0: diverged)",
            "One dot a network; the line is the median; blue laws scale by the inputs",
        )
