"""What normalisation and residual joins change in deep networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..constraints import POSITIVE, EachOf, Interval
from ..layers import BatchNorm, Dense, LayerNorm, ReLU, Sigmoid
from ..model import Network
from ..network import Residual
from ..optimizers import SGD
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, Run, map_all, train
from .words import geometric_mean, percent, scientific

__all__ = ["Depth"]

_ARMS = ("plain sigmoid", "plain ReLU", "batch norm", "layer norm", "residual", "residual + batch norm")


class Depth(Experiment):
    """Deep networks: plain, with normalisation, with residual joins, and with both.

    Parameters  depths : numbers of hidden layers ; units : in each ; rates : learning rates tried, the best is reported ;
                seeds : networks a rate ; epochs ; seed
    References  Ioffe and Szegedy, Batch normalization, ICML 2015 ; He et al., Deep residual learning, CVPR 2016
    """

    name = "depth"
    title = "Depth: what normalisation and residual joins change"
    question = "How deep can a network be and still learn: plain, normalised, with residual joins?"
    method = (
        "Hidden layers of 32 units, SGD in batches of 32, each kind of network at the best of the rates tried. The kinds "
        "differ in nothing but their activation, a normalisation before it, or a join around each layer."
    )
    references = (
        "Ioffe and Szegedy, Batch normalization, ICML 2015",
        "He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016",
    )
    quick: ClassVar[dict[str, Any]] = {"depths": (2, 12), "rates": (0.1,), "seeds": 1, "epochs": 4}
    hyperparameters = {
        "depths": EachOf(Interval(int, 1), fewest=1),
        "rates": EachOf(POSITIVE, fewest=1),
    }

    def __init__(
        self,
        *,
        depths: Sequence[int] = (2, 8, 16, 32),
        units: int = 32,
        rates: Sequence[float] = (0.003, 0.02, 0.1),
        seeds: int = 2,
        epochs: int = 15,
        seed: int = 0,
    ) -> None:
        self.depths, self.units, self.rates, self.seeds, self.epochs = depths, units, rates, seeds, epochs
        self.seed = seed

    def _network(self, arm: str, depth: int, seed: int) -> Network:
        def block() -> list[Any]:
            dense = Dense(self.units)
            if arm == "plain sigmoid":
                return [dense, Sigmoid()]
            if arm == "plain ReLU":
                return [dense, ReLU()]
            if arm == "layer norm":
                return [dense, LayerNorm(), ReLU()]
            if arm == "residual":
                return [Residual([dense, ReLU()])]
            normalised = [Dense(self.units, bias=False), BatchNorm(), ReLU()]
            return normalised if arm == "batch norm" else [Residual(normalised)]

        # The first layer brings the 64 pixels to the width of the joins; it counts as one.
        layers = [Dense(self.units), *(layer for _ in range(depth - 1) for layer in block()), Dense(10)]
        return Network(layers, random_state=seed)

    def measure(self, progress: Progress) -> dict[str, Any]:
        digits = Digits.split(self.seed)
        probe = digits.X[:256], digits.y[:256]

        def one(arm: str, depth: int, rate: float, seed: int) -> tuple[list[float], Run]:
            network = self._network(arm, depth, self.seed + seed)
            network.build((64,))
            trace = network.trace(*probe, loss="softmax_cross_entropy")
            sizes = [float(np.linalg.norm(t.gradients["weight"])) for t in trace.layers.values() if "weight" in t.gradients]
            return sizes, train(network, digits, epochs=self.epochs, optimizer=SGD(rate))

        jobs = [
            (a, d, r, s)
            for d in sorted(self.depths, reverse=True)
            for a in _ARMS
            for r in self.rates
            for s in range(self.seeds)
        ]
        runs = map_all([lambda j=j: one(*j) for j in jobs], progress)  # type: ignore[misc]
        found = []
        for arm in _ARMS:
            for depth in self.depths:
                own = {r: [x for j, x in zip(jobs, runs, strict=True) if j[:3] == (arm, depth, r)] for r in self.rates}
                best = max(own, key=lambda r: np.mean([run.accuracy for _, run in own[r]]))
                found.append(
                    {
                        "arm": arm,
                        "depth": depth,
                        "rate": best,
                        "accuracy": [run.accuracy for _, run in own[best]],
                        "dW": geometric_mean([sizes for sizes, _ in own[best]]),
                        "microseconds": 1e6 * float(np.median([run.seconds_per_step for _, run in own[best]])),
                    }
                )
        return {"networks": found}

    def tables(self, data: dict[str, Any]) -> list[Table]:
        depths = sorted({n["depth"] for n in data["networks"]})
        get = {(n["arm"], n["depth"]): n for n in data["networks"]}
        arms = [a for a in _ARMS if (a, depths[0]) in get]
        learned = [(arm, *(percent(np.mean(get[arm, d]["accuracy"])) for d in depths)) for arm in arms]
        sizes = [(arm, *(scientific(get[arm, d]["dW"][0] / get[arm, d]["dW"][-1]) for d in depths)) for arm in arms]
        columns = ("network", *(f"{d} layers" for d in depths))
        return [
            Table("Test accuracy", columns, learned),
            Table(
                "Size of the first layer's gradient over the last one's, ‖dW¹‖/‖dWᴸ‖, before the first step", columns, sizes
            ),
        ]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        deep = max(n["depth"] for n in data["networks"])
        at = {n["arm"]: n for n in data["networks"] if n["depth"] == deep}
        mean = {arm: float(np.mean(n["accuracy"])) for arm, n in at.items()}
        ratio = {arm: n["dW"][0] / n["dW"][-1] for arm, n in at.items()}
        aided = [a for a in at if not a.startswith("plain")]
        best = max(aided, key=lambda a: mean[a])
        distance = {arm: abs(float(np.log(max(r, 1e-300)))) for arm, r in ratio.items()}
        flattest = min(distance, key=lambda a: distance[a])
        return [
            Claim(
                f"With {deep} layers a plain sigmoid network learns nothing",
                mean["plain sigmoid"] < 0.2,
                f"accuracy {percent(mean['plain sigmoid'])}, where guessing gives 10 %; ‖dW¹‖/‖dWᴸ‖ is "
                f"{scientific(ratio['plain sigmoid'])}",
            ),
            Claim(
                f"The network that learns best at {deep} layers has normalisation or joins",
                mean[best] > mean["plain ReLU"] + 0.01,
                f"{best} reaches {percent(mean[best])}, plain ReLU {percent(mean['plain ReLU'])}",
            ),
            Claim(
                "Each of them alone is enough",
                all(mean[a] > mean["plain ReLU"] + 0.01 for a in aided),
                ", ".join(f"{a} {percent(mean[a])}" for a in aided),
            ),
            Claim(
                "With joins the gradient of the first layer is within a factor of 10 of the last one's",
                all(distance[a] < np.log(10) for a in ("residual", "residual + batch norm")),
                f"‖dW¹‖/‖dWᴸ‖ is {scientific(ratio['residual'])} with joins alone and "
                f"{scientific(ratio['residual + batch norm'])} with both; nearest to 1 is {flattest}",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, right = figure.subplots(1, 2)
        deep = max(n["depth"] for n in data["networks"])
        for arm, colour in zip(_ARMS, PALETTE, strict=False):
            own = sorted((n for n in data["networks"] if n["arm"] == arm), key=lambda n: n["depth"])
            if not own:
                continue
            left.plot([n["depth"] for n in own], [np.mean(n["accuracy"]) for n in own], "o-", color=colour, label=arm)
            sizes = np.maximum(own[-1]["dW"], 1e-30)
            right.semilogy(range(1, len(sizes) + 1), sizes, color=colour, linewidth=2, label=arm)
        tidy(left, "hidden layers", "test accuracy", "After training")
        left.set_ylim(0, 1)
        tidy(right, "layer", "‖dW‖ before the first step", f"The gradient by layer, {deep} layers")
        left.legend(frameon=False, fontsize=9)
