"""The optimizers on one network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..constraints import POSITIVE, EachOf
from ..layers import Dense, ReLU
from ..model import Network
from ..optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Nadam, Optimizer, RMSprop
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, Run, map_all, train
from .words import percent

__all__ = ["Optimizers"]


def _make(name: str, rate: float) -> Optimizer:
    made: dict[str, Any] = {
        "SGD": lambda: SGD(rate),
        "momentum": lambda: SGD(rate, momentum=0.9),
        "Nesterov": lambda: SGD(rate, momentum=0.9, nesterov=True),
        "Adagrad": lambda: Adagrad(rate),
        "Adadelta": lambda: Adadelta(rate),
        "RMSprop": lambda: RMSprop(rate),
        "Adam": lambda: Adam(rate),
        "AdamW": lambda: AdamW(rate),
        "Nadam": lambda: Nadam(rate),
    }
    return made[name]()  # type: ignore[no-any-return]


_NAMES = ("SGD", "momentum", "Nesterov", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Nadam")
_ADAPTIVE = ("Adagrad", "RMSprop", "Adam", "AdamW", "Nadam")
_GOOD, _REACHED = 0.9, 0.95


class Optimizers(Experiment):
    """Every optimizer over a range of learning rates: how fast it learns at its best, and how wide its good range is.

    Parameters  rates : learning rates tried ; units : of the two hidden layers ; seeds : networks a rate ; epochs ; seed
    References  Sutskever et al., ICML 2013 ; Duchi et al., JMLR 2011 ; Kingma and Ba, Adam, ICLR 2015
    """

    name = "optimizers"
    title = "Optimizers: speed at the best rate, and how wide the good range is"
    question = "Which optimizer learns fastest, and which forgives a badly chosen learning rate?"
    method = (
        "Two hidden layers of 64 ReLU units, batches of 32, the same start weights and orders of samples for all. Each "
        "optimizer at every rate; its best rate is that of the smallest mean training loss over the epochs. A rate is good "
        f"when the test accuracy ends at {percent(_GOOD)} or more."
    )
    references = ("Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015",)
    quick: ClassVar[dict[str, Any]] = {"rates": (0.001, 0.03, 1.0), "seeds": 1, "epochs": 5}
    hyperparameters = {"rates": EachOf(POSITIVE, fewest=1)}

    def __init__(
        self,
        *,
        rates: Sequence[float] = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        units: int = 64,
        seeds: int = 3,
        epochs: int = 20,
        seed: int = 0,
    ) -> None:
        self.rates, self.units, self.seeds, self.epochs, self.seed = rates, units, seeds, epochs, seed

    def measure(self, progress: Progress) -> dict[str, Any]:
        digits = Digits.split(self.seed)

        def one(name: str, rate: float, seed: int) -> Run:
            layers = [Dense(self.units), ReLU(), Dense(self.units), ReLU(), Dense(10)]
            network = Network(layers, random_state=self.seed + seed)
            return train(network, digits, epochs=self.epochs, optimizer=_make(name, rate))

        jobs = [(n, r, s) for n in _NAMES for r in self.rates for s in range(self.seeds)]
        runs = map_all([lambda j=j: one(*j) for j in jobs], progress)  # type: ignore[misc]
        found = []
        for name in _NAMES:
            own = {r: [x for j, x in zip(jobs, runs, strict=True) if j[:2] == (name, r)] for r in self.rates}
            best = min(own, key=lambda r: np.mean([np.inf if x.diverged else np.mean(x.losses) for x in own[r]]))
            good = [x for x in own[best] if not x.diverged]
            found.append(
                {
                    "optimizer": name,
                    "rate": best,
                    "losses": np.mean([x.losses for x in good], axis=0).tolist(),
                    "reached": [x.epochs_to(_REACHED) for x in own[best]],
                    "accuracy": [x.accuracy for x in own[best]],
                    "by_rate": [float(np.mean([x.accuracy for x in own[r]])) for r in self.rates],
                }
            )
        return {"optimizers": found, "rates": list(self.rates), "epochs": self.epochs}

    @staticmethod
    def _epochs(row: dict[str, Any], limit: int) -> float:
        return float(np.median([limit + 1 if e is None else e for e in row["reached"]]))

    @staticmethod
    def _good(row: dict[str, Any]) -> int:
        return sum(a >= _GOOD for a in row["by_rate"])

    def tables(self, data: dict[str, Any]) -> list[Table]:
        rows = []
        for o in data["optimizers"]:
            epochs = self._epochs(o, data["epochs"])
            loss = f"{o['losses'][-1]:.4f}" if o["losses"] else "-"
            rows.append(
                (
                    o["optimizer"],
                    f"{o['rate']:g}",
                    f"{epochs:.0f}" if epochs <= data["epochs"] else "not reached",
                    loss,
                    percent(np.mean(o["accuracy"])),
                    f"{self._good(o)} of {len(data['rates'])}",
                )
            )
        columns = (
            "optimizer",
            "best rate",
            f"epochs to {percent(_REACHED)}",
            "training loss",
            "test accuracy",
            "good rates",
        )
        return [Table("At each optimizer's best rate", columns, rows)]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        rows = {o["optimizer"]: o for o in data["optimizers"]}
        limit = data["epochs"]
        sgd, momentum = self._epochs(rows["SGD"], limit), self._epochs(rows["momentum"], limit)
        adaptive = [self._good(rows[n]) for n in _ADAPTIVE if n in rows]
        usual = min(range(len(data["rates"])), key=lambda i: abs(float(np.log(data["rates"][i] / 0.001))))
        rate = data["rates"][usual]
        at = {n: rows[n]["by_rate"][usual] for n in ("SGD", "Adam")}
        accuracies = [float(np.mean(o["accuracy"])) for o in rows.values()]
        return [
            Claim(
                "Momentum wants a smaller rate than plain gradients, as it adds up 1/(1 − 0.9) = 10 of them",
                rows["momentum"]["rate"] < rows["SGD"]["rate"],
                f"best rates {rows['momentum']['rate']:g} with momentum 0.9 and {rows['SGD']['rate']:g} without; epochs to "
                f"{percent(_REACHED)}: {momentum:.0f} and {sgd:.0f}",
            ),
            Claim(
                f"At the rate {rate:g} Adam learns where plain SGD hardly moves",
                at["Adam"] > at["SGD"] + 0.1,
                f"test accuracy {percent(at['Adam'])} against {percent(at['SGD'])}",
            ),
            Claim(
                "Adaptive optimizers forgive more rates than plain SGD",
                float(np.mean(adaptive)) > self._good(rows["SGD"]),
                f"good rates: SGD {self._good(rows['SGD'])}, "
                + ", ".join(f"{n} {self._good(rows[n])}" for n in _ADAPTIVE if n in rows)
                + f" of {len(data['rates'])}",
            ),
            Claim(
                "At its best rate every optimizer ends within 3 points of the best one",
                max(accuracies) - min(accuracies) < 0.03,
                f"test accuracies from {percent(min(accuracies))} to {percent(max(accuracies))}",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, right = figure.subplots(1, 2)
        for o, colour in zip(data["optimizers"], PALETTE, strict=False):
            left.semilogy(range(1, len(o["losses"]) + 1), o["losses"], color=colour, linewidth=2, label=o["optimizer"])
            right.semilogx(data["rates"], o["by_rate"], "o-", color=colour, label=o["optimizer"], markersize=4)
        tidy(left, "epoch", "training loss (nats)", "At the best rate")
        tidy(right, "learning rate", "test accuracy (0: diverged)", "At every rate")
        left.legend(frameon=False, fontsize=8)
        right.set_ylim(-0.03, 1.03)
