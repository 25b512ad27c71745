"""Sigmoid networks of growing depth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ..constraints import EachOf, Interval
from ..layers import Dense, Sigmoid
from ..model import Network
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, gain_chain, map_all, train
from .words import geometric_mean, percent, scientific, times

__all__ = ["Vanishing"]


class Vanishing(Experiment):
    """How the gradient of the early layers shrinks as sigmoid layers are added: ``dzˡ = σ'(zˡ) ⊙ (Wˡ⁺¹ dzˡ⁺¹)``, σ' ≤ 1/4.

    Parameters  depths : numbers of hidden layers ; units : in each ; seeds : networks a depth ; epochs ; seed
    References  Hochreiter, 1991 ; Bengio, Simard, Frasconi, Learning long-term dependencies with gradient descent is
                difficult, IEEE Transactions on Neural Networks 1994
    """

    name = "vanishing"
    title = "Vanishing gradients: sigmoid networks of growing depth"
    question = "What happens to the gradient of the first layer, and to learning, when sigmoid layers are added?"
    method = (
        "Hidden layers of 30 sigmoid units, Glorot's start weights, SGD at rate 0.5 in batches of 32. Only the number of "
        "layers changes. The gradient is that of the loss over 256 training digits before the first step."
    )
    references = (
        "Bengio, Simard, Frasconi, Learning long-term dependencies with gradient descent is difficult, 1994",
        "Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010",
    )
    quick: ClassVar[dict[str, Any]] = {"depths": (1, 3, 5), "seeds": 2, "epochs": 5}
    hyperparameters = {"depths": EachOf(Interval(int, 1), fewest=1)}

    def __init__(
        self, *, depths: Sequence[int] = (1, 2, 3, 5, 8), units: int = 30, seeds: int = 5, epochs: int = 20, seed: int = 0
    ) -> None:
        self.depths, self.units, self.seeds, self.epochs, self.seed = depths, units, seeds, epochs, seed

    def measure(self, progress: Progress) -> dict[str, Any]:
        digits = Digits.split(self.seed)
        probe = digits.X[:256], digits.y[:256]

        def one(depth: int, seed: int) -> dict[str, Any]:
            hidden = [layer for _ in range(depth) for layer in (Dense(self.units), Sigmoid())]
            network = Network([*hidden, Dense(10)], random_state=seed)
            network.build((64,))
            chain = gain_chain(network, *probe)
            run = train(network, digits, epochs=self.epochs, optimizer="sgd", learning_rate=0.5)
            return {"depth": depth, **chain, "losses": run.losses, "accuracies": run.accuracies}

        jobs = [(d, self.seed + s) for d in self.depths for s in range(self.seeds)]
        found = map_all([lambda d=d, s=s: one(d, s) for d, s in jobs], progress)  # type: ignore[misc]
        groups = []
        for depth in self.depths:
            runs = [r for r in found if r["depth"] == depth]
            groups.append(
                {
                    "depth": depth,
                    "dz": geometric_mean([r["dz"] for r in runs]),
                    "weights": geometric_mean([r["weights"] for r in runs]),
                    "activation": geometric_mean([r["activation"] for r in runs]),
                    "losses": np.mean([r["losses"] for r in runs], axis=0).tolist(),
                    "accuracies": np.mean([r["accuracies"] for r in runs], axis=0).tolist(),
                    "accuracy": [r["accuracies"][-1] for r in runs],
                }
            )
        return {"groups": groups}

    def tables(self, data: dict[str, Any]) -> list[Table]:
        rows = []
        for g in data["groups"]:
            first, last = g["dz"][0], g["dz"][-1]
            rows.append(
                (
                    str(g["depth"]),
                    scientific(first),
                    scientific(last),
                    times(last / first),
                    f"{geometric_mean(g['weights']):.3f}",
                    f"{geometric_mean(g['activation']):.3f}",
                    percent(np.mean(g["accuracy"])),
                )
            )
        columns = ("hidden layers", "‖dz¹‖", "‖dzᴸ‖ (output)", "shrinks", "W a layer", "σ' a layer", "test accuracy")
        return [Table("Before the first step, and after training", columns, rows)]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        groups = sorted(data["groups"], key=lambda g: g["depth"])
        firsts = [g["dz"][0] for g in groups]
        deepest, shallow = groups[-1], groups[0]
        falling = all(b < a for a, b in pairwise(firsts))
        ordered = all(a < b for g in groups for a, b in pairwise(g["dz"]))
        slopes = [f for g in groups for f in g["activation"]]
        sigmoid = float(-np.sum(np.log(deepest["activation"])))
        weights = float(-np.sum(np.log(deepest["weights"])))
        best, worst = np.mean(shallow["accuracy"]), np.mean(deepest["accuracy"])
        noise = max(float(np.std(shallow["accuracy"])), float(np.std(deepest["accuracy"])), 0.01)
        return [
            Claim(
                "In every network the gradient is smaller the earlier the layer",
                ordered,
                f"with {deepest['depth']} hidden layers ‖dz‖ goes from {scientific(deepest['dz'][-1])} at the output to "
                f"{scientific(deepest['dz'][0])} at the first layer",
            ),
            Claim(
                "The gradient of the first layer falls as layers are added",
                falling,
                "‖dz¹‖ is " + ", ".join(f"{scientific(f)} at {g['depth']}" for f, g in zip(firsts, groups, strict=True)),
            ),
            Claim(
                "The cause is σ', which is at most 1/4",
                sigmoid > weights and max(slopes) <= 0.25 + 1e-9,
                f"its factors lie between {min(slopes):.3f} and {max(slopes):.3f}; in the deepest network σ' shrinks the "
                f"gradient {times(np.exp(sigmoid))}, and the weights change it {times(np.exp(-weights))}",
            ),
            Claim(
                "Deep sigmoid networks learn worse",
                bool(best - worst > noise),
                f"test accuracy {percent(best)} with {shallow['depth']} hidden layer(s), {percent(worst)} with "
                f"{deepest['depth']}, after {len(deepest['losses'])} epochs",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, right = figure.subplots(1, 2)
        for g, colour in zip(data["groups"], PALETTE * 9, strict=False):
            label = f"{g['depth']} hidden"
            left.semilogy(range(1, len(g["dz"]) + 1), g["dz"], "o-", color=colour, label=label)
            right.plot(range(1, len(g["accuracies"]) + 1), g["accuracies"], color=colour, linewidth=2, label=label)
        tidy(left, "layer l (the last is the output)", "‖dzˡ‖ before the first step", "The gradient by layer")
        tidy(right, "epoch", "test accuracy", "Learning")
        right.set_ylim(0, 1)
        left.legend(frameon=False, fontsize=9)
        right.legend(frameon=False, fontsize=9)
