"""Weights of 100, the product of gains, and what clipping does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..constraints import POSITIVE, EachOf
from ..initializers import Normal
from ..layers import Dense, ReLU, Sigmoid
from ..model import Network
from ..optimizers import SGD
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, gain_chain, map_all, train
from .words import geometric_mean, percent, scientific, times

__all__ = ["Exploding"]

#: (name, activation, weights, whether each bias is set to −W a, so that z = 0 and σ' = 1/4)
_ARMS = (
    ("sigmoid, usual weights", "sigmoid", None, False),
    ("sigmoid, weights of 100", "sigmoid", 100.0, False),
    ("sigmoid, weights of 100, z = 0", "sigmoid", 100.0, True),
    ("ReLU, usual weights", "relu", None, False),
    ("ReLU, weights of 100", "relu", 100.0, False),
)


class Exploding(Experiment):
    """The gradient as a product of gains: a layer multiplies it by its weights and by σ'.

    Weights of 100 make the product explode where σ' stays away from 0. In a sigmoid network they saturate the units, so
    that σ' vanishes instead, unless the biases hold z at 0, where σ' = 1/4.

    Parameters  depth : hidden layers ; units : in each ; digits : single digits measured ; scales : factors of He's start
                weights of the networks that are trained ; seeds : networks a scale ; epochs ; seed
    References  Nielsen, Neural networks and deep learning, 2015, chapter 5 ; Pascanu, Mikolov, Bengio, On the difficulty of
                training recurrent neural networks, ICML 2013
    """

    name = "exploding"
    title = "Exploding gradients: weights of 100 and the product of gains"
    question = "When do large weights make the gradient explode, and does clipping save the training?"
    method = (
        "Measured: six hidden layers of 30 units, the gradient of the loss of single digits, once with the usual start "
        "weights and once with weights drawn with standard deviation 100; with z = 0 the bias of every unit is −W a. "
        "Trained: ReLU networks whose start weights are He's times a factor, SGD at rate 0.05, with and without clipping "
        "the norm of the gradient to 1."
    )
    references = ("Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, ICML 2013",)
    quick: ClassVar[dict[str, Any]] = {"digits": 4, "scales": (1, 4), "seeds": 2, "epochs": 4}
    hyperparameters = {"scales": EachOf(POSITIVE, fewest=1)}

    def __init__(
        self,
        *,
        depth: int = 6,
        units: int = 30,
        digits: int = 20,
        scales: Sequence[float] = (1, 2, 4, 8),
        seeds: int = 5,
        epochs: int = 20,
        seed: int = 0,
    ) -> None:
        self.depth, self.units, self.digits, self.scales = depth, units, digits, scales
        self.seeds, self.epochs, self.seed = seeds, epochs, seed

    def measure(self, progress: Progress) -> dict[str, Any]:
        data = Digits.split(self.seed)
        measured = [(arm, n) for arm in _ARMS for n in range(self.digits)]
        trained = [(s, clip, n) for s in self.scales for clip in (None, 1.0) for n in range(self.seeds)]
        jobs: list[Any] = [lambda arm=arm, n=n: self._chain(arm, n, data) for arm, n in measured]
        jobs += [lambda s=s, clip=clip, n=n: self._train(s, clip, self.seed + n, data) for s, clip, n in trained]
        found = map_all(jobs, progress)
        chains, runs = found[: len(measured)], found[len(measured) :]
        arms = []
        for arm in _ARMS:
            own = [c for (a, _), c in zip(measured, chains, strict=True) if a is arm]
            arms.append({"arm": arm[0]} | {key: geometric_mean([c[key] for c in own]) for key in own[0]})
        training = []
        for s in self.scales:
            for clip in (None, 1.0):
                own = [r for (a, c, _), r in zip(trained, runs, strict=True) if (a, c) == (s, clip)]
                training.append(
                    {
                        "scale": s,
                        "clipped": clip is not None,
                        "diverged": sum(r.diverged for r in own),
                        "runs": len(own),
                        "accuracy": [r.accuracy for r in own],
                    }
                )
        return {"arms": arms, "training": training}

    def _chain(self, arm: tuple[Any, ...], n: int, data: Digits) -> dict[str, list[float]]:
        _, activation, scale, held = arm
        law = None if scale is None else Normal(scale)
        kind = Sigmoid if activation == "sigmoid" else ReLU
        hidden = [layer for _ in range(self.depth) for layer in (Dense(self.units, weight_init=law), kind())]
        network = Network([*hidden, Dense(10)], random_state=self.seed + n, dtype="float64")
        network.build((64,))
        x = data.X[n : n + 1]
        if held:
            a = x[0].astype(float)
            for i in range(self.depth):
                weight = network.parameters[f"{2 * i}.dense.weight"]
                network.parameters[f"{2 * i}.dense.bias"][...] = -(a @ weight.astype(float))
                a = np.full(self.units, 0.5)
        # With large weights a right answer has the gradient 0 exactly; a class that the network rejects starts the chain.
        return gain_chain(network, x, np.asarray(network.predict(x)).argmin(axis=1))

    def _train(self, scale: float, clip: float | None, seed: int, data: Digits) -> Any:
        hidden = [layer for _ in range(self.depth) for layer in (Dense(self.units), ReLU())]
        network = Network([*hidden, Dense(10)], random_state=seed)
        network.build((64,))
        for name, array in network.parameters.items():
            if name.endswith("weight"):
                array *= scale
        return train(network, data, epochs=self.epochs, optimizer=SGD(0.05, clip_norm=clip))

    def tables(self, data: dict[str, Any]) -> list[Table]:
        chains = []
        for a in data["arms"]:
            w, s = geometric_mean(a["weights"]), geometric_mean(a["activation"])
            product = float(np.prod(a["weights"])) * float(np.prod(a["activation"]))
            chains.append(
                (a["arm"], scientific(w), scientific(s), scientific(w * s), times(product), times(a["dz"][0] / a["dz"][-1]))
            )
        columns = ("network", "W a layer", "σ' a layer", "gain a layer", "product of gains", "‖dz¹‖/‖dzᴸ‖")
        rows = [
            (
                f"{t['scale']:g} × He",
                "norm to 1" if t["clipped"] else "no",
                f"{t['diverged']} of {t['runs']}",
                percent(np.median(t["accuracy"])),
            )
            for t in data["training"]
        ]
        return [
            Table("The gradient of single digits before the first step", columns, chains),
            Table("ReLU networks trained", ("start weights", "clipping", "diverged", "median accuracy"), rows, left=2),
        ]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        arms = {a["arm"]: a for a in data["arms"]}
        ratio = {name: a["dz"][0] / a["dz"][-1] for name, a in arms.items()}
        worst = max(abs(np.log(np.prod(a["weights"]) * np.prod(a["activation"]) / ratio[n])) for n, a in arms.items())
        usual, saturated, held = (ratio[_ARMS[i][0]] for i in range(3))
        slope = [geometric_mean(a["activation"]) for a in arms.values()]
        relu, relu_100 = ratio[_ARMS[3][0]], ratio[_ARMS[4][0]]
        most = max(t["scale"] for t in data["training"])
        free, clipped = (
            next(t for t in data["training"] if t["scale"] == most and t["clipped"] is c) for c in (False, True)
        )
        a, b = np.median(free["accuracy"]), np.median(clipped["accuracy"])
        return [
            Claim(
                "The first gradient is the last times the product of the gains",
                bool(worst < 1e-6),
                f"the two sides differ by at most {worst:.1e} (in logarithms) in {len(arms)} kinds of networks",
            ),
            Claim(
                "Weights of 100 with z = 0 make the gradient of a sigmoid network explode",
                held > 1,
                f"it grows {times(held)} over {self.depth} layers, where usual weights give {times(usual)}",
            ),
            Claim(
                "Without those biases the units saturate and the same weights do not make it grow as much",
                saturated < held,
                f"σ' falls from {slope[2]:.3f} to {scientific(slope[1])} a layer, the gradient changes {times(saturated)}",
            ),
            Claim(
                "ReLU does not saturate, so weights of 100 explode without any choice of biases",
                relu_100 > 1e3 * relu,
                f"{times(relu_100)} with weights of 100, {times(relu)} with usual ones",
            ),
            Claim(
                f"Clipping saves the training of networks with {most:g} times He's weights",
                bool(clipped["diverged"] <= free["diverged"] and b > a + 0.01),
                f"median accuracy {percent(b)} with it ({clipped['diverged']} of {clipped['runs']} diverged), {percent(a)} "
                f"without ({free['diverged']} of {free['runs']})",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, right = figure.subplots(1, 2)
        for a, colour in zip(data["arms"], PALETTE, strict=False):
            relative = np.maximum(np.asarray(a["dz"]) / a["dz"][-1], 1e-40)
            left.semilogy(range(1, len(relative) + 1), relative, "o-", color=colour, label=a["arm"])
        tidy(left, "layer l (the last is the output)", "‖dzˡ‖ / ‖dzᴸ‖", "Before the first step")
        scales = sorted({t["scale"] for t in data["training"]})
        for clipped, colour, label in ((False, PALETTE[1], "no clipping"), (True, PALETTE[0], "norm clipped to 1")):
            for i, s in enumerate(scales):
                own = next(t for t in data["training"] if t["scale"] == s and t["clipped"] is clipped)
                x = np.full(len(own["accuracy"]), i + (0.1 if clipped else -0.1))
                right.plot(x, own["accuracy"], "o", color=colour, alpha=0.7, label=label if i == 0 else None)
        right.set_xticks(range(len(scales)), [f"{s:g} × He" for s in scales])
        right.set_ylim(-0.03, 1.03)
        tidy(right, "start weights of the ReLU networks", "test accuracy (0: diverged)", "After training, one dot a network")
        left.legend(frameon=False, fontsize=9)
        right.legend(frameon=False, fontsize=9)
