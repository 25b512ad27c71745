"""Pruning beside dropout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..constraints import EachOf, Interval
from ..layers import Dense, Dropout, ReLU
from ..model import Network
from ..optimizers import Adam
from ..report.figures import PALETTE, tidy
from ..sparsity import GradualPruning, prune
from ..training import Callback
from ..training.timing import best_times
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, Run, map_all, train
from .words import percent, times

__all__ = ["Sparsity"]

Array = NDArray[Any]
_PLAIN, _DROPOUT, _PRUNED, _RANDOM, _ONE_SHOT = "plain", "dropout", "pruned", "pruned at random", "pruned, not trained on"
#: Samples of which the predictions are timed.
_TIMED = 256


class _Zeros(Callback):
    """Which weights are zero at the end of the last epochs."""

    def __init__(self) -> None:
        self.seen: list[Array] = []

    def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
        weights = [array for name, array in state.network.parameters.items() if name.endswith("weight")]
        self.seen = [*self.seen[-1:], np.concatenate([(w == 0).reshape(-1) for w in weights])]


class Sparsity(Experiment):
    """Pruning beside dropout at the same shares of zeros: which zeros stay, and what accuracy and speed they bring.

    Parameters
        shares : of zeros, of activations by dropout and of weights by pruning ; units : of the two hidden layers
        samples : digits to learn from, so few that a network can learn them by heart ; seeds : networks a share
        epochs ; seed
    References  Srivastava et al., Dropout, JMLR 2014 ; Zhu and Gupta, To prune, or not to prune, 2017
    """

    name = "sparsity"
    title = "Pruning beside dropout"
    question = "Both put zeros into a network. Is pruning like dropout?"
    method = (
        "Two hidden layers of ReLU units on few digits, Adam, batches of 32. Dropout zeroes a share of the hidden "
        "activations in every step; pruning zeroes the same share of the weights, the smallest or any, rising over the "
        "first half of the epochs, or at once after the training. The time is that of packed predictions of 256 digits on "
        "one thread, by turns."
    )
    references = (
        "Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout, JMLR 2014",
        "Zhu and Gupta, To prune, or not to prune, 2017",
    )
    size: ClassVar[tuple[float, float]] = (14.0, 4.2)
    quick: ClassVar[dict[str, Any]] = {"shares": (0.5, 0.9), "units": 128, "seeds": 2, "epochs": 10}

    hyperparameters = {"shares": EachOf(Interval(float, 0, 1, closed="neither"), fewest=1)}

    def __init__(
        self,
        *,
        shares: Sequence[float] = (0.2, 0.5, 0.8, 0.9, 0.95),
        units: int = 256,
        samples: int = 300,
        seeds: int = 5,
        epochs: int = 40,
        seed: int = 0,
    ) -> None:
        self.shares, self.units, self.samples = shares, units, samples
        self.seeds, self.epochs, self.seed = seeds, epochs, seed

    def _network(self, dropout: float, seed: int) -> Network:
        hidden: list[Any] = []
        for _ in range(2):
            hidden += [Dense(self.units), ReLU(), *([Dropout(dropout)] if dropout else [])]
        return Network([*hidden, Dense(10)], random_state=seed)

    def _one(self, kind: str, share: float, seed: int, digits: Digits) -> dict[str, Any]:
        network, zeros = self._network(share if kind == _DROPOUT else 0.0, self.seed + seed), _Zeros()
        callbacks: list[Callback] = [zeros]
        if kind in (_PRUNED, _RANDOM):
            method = "magnitude" if kind == _PRUNED else "random"
            callbacks.insert(0, GradualPruning(share, end=self.epochs / 2, every=5, method=method, random_state=self.seed))
        run: Run = train(network, digits, epochs=self.epochs, optimizer=Adam(0.003), callbacks=callbacks)
        accuracy = run.accuracy
        if kind == _ONE_SHOT:
            network = prune(network, share)
            accuracy = float((network.predict(digits.X_test).argmax(axis=1) == digits.y_test).mean())
        layers = [layer for layer in network.trace(digits.X_test, training=False).layers.values() if layer.symbol == "a"]
        return {
            "network": network,
            "accuracy": accuracy,
            "loss": run.losses[-1] if run.losses else float("inf"),
            "weights": network.sparsity().sparsity,
            "activations": [float(np.mean(layer.output == 0)) for layer in layers[:2]],
            "stay": self._staying(network, zeros, digits) if kind in (_DROPOUT, _PRUNED) else None,
        }

    @staticmethod
    def _staying(network: Network, zeros: _Zeros, digits: Digits) -> float:
        """Of what is zero in one step, the share that is zero in another, too: dropped activations, or pruned weights."""
        if any(isinstance(layer, Dropout) for layer in network.layers.values()):
            some = digits.X[:64]
            traces = [network.trace(some, training=training, seed=seed) for training, seed in ((True, 1), (True, 2))]
            name = next(n for n, layer in network.layers.items() if isinstance(layer, Dropout))
            before = next(n for n, layer in network.layers.items() if isinstance(layer, ReLU))
            # Only what ReLU let through can be seen to be dropped.
            passed = traces[0].layers[before].output != 0
            first, second = ((t.layers[name].output == 0)[passed] for t in traces)
        elif len(zeros.seen) > 1:
            first, second = zeros.seen
        else:
            return 1.0
        return float(second[first].mean()) if first.any() else 1.0

    def measure(self, progress: Progress) -> dict[str, Any]:
        digits = Digits.split(self.seed)
        few = Digits(digits.X[: self.samples], digits.y[: self.samples], digits.X_test, digits.y_test)
        jobs = [(_PLAIN, 0.0, s) for s in range(self.seeds)]
        kinds = (_DROPOUT, _PRUNED, _RANDOM, _ONE_SHOT)
        jobs += [(kind, share, s) for kind in kinds for share in self.shares for s in range(self.seeds)]
        found = map_all([partial(self._one, *job, few) for job in jobs], progress)
        rows = []
        for kind, share in dict.fromkeys((kind, share) for kind, share, _ in jobs):
            own = [one for job, one in zip(jobs, found, strict=True) if job[:2] == (kind, share)]
            rows.append(
                {
                    "kind": kind,
                    "share": share,
                    "accuracy": [one["accuracy"] for one in own],
                    "loss": [one["loss"] for one in own],
                    "weights": float(np.mean([one["weights"] for one in own])),
                    "activations": np.mean([one["activations"] for one in own], axis=0).tolist(),
                    "stay": None if own[0]["stay"] is None else float(np.mean([one["stay"] for one in own])),
                    "packed": own[0]["network"],
                }
            )
        sample = np.resize(digits.X_test, (_TIMED, digits.X_test.shape[1])).astype(np.float32)
        for row in rows:
            row["packed"].predict(sample[:1])
        packed = [row.pop("packed").pack() for row in rows]
        for row, seconds in zip(rows, best_times([partial(p.predict, sample) for p in packed], seconds=3.0), strict=True):
            row["microseconds"] = 1e6 * seconds
        return {"rows": rows}

    @staticmethod
    def _rows(data: dict[str, Any], kind: str) -> list[dict[str, Any]]:
        return [row for row in data["rows"] if row["kind"] == kind]

    @staticmethod
    def _mean(row: dict[str, Any]) -> float:
        return float(np.mean(row["accuracy"]))

    @staticmethod
    def _spread(row: dict[str, Any]) -> float:
        return float(np.std(row["accuracy"]))

    def _shown(self, row: dict[str, Any]) -> str:
        return f"{percent(self._mean(row))} ± {percent(self._spread(row))}"

    def tables(self, data: dict[str, Any]) -> list[Table]:
        plain = self._rows(data, _PLAIN)[0]
        rows = [
            (
                row["kind"],
                "" if row is plain else percent(row["share"]),
                percent(self._mean(row)),
                percent(self._spread(row)),
                f"{float(np.mean(row['loss'])):.4f}",
                percent(row["weights"]),
                " and ".join(percent(a) for a in row["activations"]),
                "" if row["stay"] is None else percent(row["stay"]),
                times(plain["microseconds"] / row["microseconds"]),
            )
            for row in data["rows"]
        ]
        columns = (
            "network", "share", "test accuracy", "± seeds", "training loss", "weights 0", "ReLU's zeros by layer",
            "zeros that stay", "speed",
        )  # fmt: skip
        return [Table("Zeros by dropout and by pruning", columns, rows)]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        plain, dropped = self._rows(data, _PLAIN)[0], self._rows(data, _DROPOUT)
        pruned, drawn, at_once = (self._rows(data, kind) for kind in (_PRUNED, _RANDOM, _ONE_SHOT))
        base, spread = self._mean(plain), self._spread(plain)
        best_dropout, best_pruned = max(dropped, key=self._mean), max(pruned, key=self._mean)
        stay = [float(np.mean([row["stay"] for row in rows])) for rows in (dropped, pruned)]
        expected = float(np.mean([row["share"] for row in dropped]))
        speeds = {kind: [plain["microseconds"] / r["microseconds"] for r in rows] for kind, rows in
                  ((_DROPOUT, dropped), (_PRUNED, pruned))}  # fmt: skip
        most, least = max(pruned, key=lambda r: r["share"]), max(drawn, key=lambda r: r["share"])
        shot = max(at_once, key=lambda r: r["share"])
        zeros = [float(np.mean(row["activations"])) for row in (plain, best_dropout)]
        share = percent(most["share"])
        return [
            Claim(
                "Pruning's zeros stay where they are, dropout's are drawn anew in each step",
                stay[1] > 0.99 and abs(stay[0] - expected) < 0.1,
                f"of the zeros of one step {percent(stay[1])} of the pruned weights are zero in another, and "
                f"{percent(stay[0])} of the dropped activations, where chance gives {percent(expected)}",
            ),
            Claim(
                "Dropout makes a network that has few samples more accurate",
                self._mean(best_dropout) > base + spread,
                f"test accuracy {self._shown(plain)} plain, {self._shown(best_dropout)} with the best dropout, "
                f"{percent(best_dropout['share'])}",
            ),
            Claim(
                "Pruning does so, too: it is like dropout",
                self._mean(best_pruned) > base + spread,
                f"test accuracy {self._shown(plain)} plain, {self._shown(best_pruned)} with the best pruning, "
                f"{percent(best_pruned['share'])}",
            ),
            Claim(
                "Only pruning makes predictions faster, since dropout's zeros are gone when a network predicts",
                max(speeds[_PRUNED]) > 1.2 and max(speeds[_DROPOUT]) < 1.2,
                f"at best {times(max(speeds[_PRUNED]))} the plain network's speed by pruning and "
                f"{times(max(speeds[_DROPOUT]))} by dropout",
            ),
            Claim(
                f"Which weights go matters: at {share} the smallest are better to lose than any",
                self._mean(most) > self._mean(least) + max(self._spread(most), self._spread(least)),
                f"test accuracy {self._shown(most)} by magnitude, {self._shown(least)} at random",
            ),
            Claim(
                f"A network that trains while it is pruned to {share} loses less than one that is pruned at once",
                self._mean(most) > self._mean(shot) + self._spread(shot),
                f"test accuracy {self._shown(most)} gradually, {self._shown(shot)} at once, {percent(base)} without pruning",
            ),
            Claim(
                "ReLU puts out zeros by itself, and dropout changes how many",
                zeros[0] > 0.2 and abs(zeros[1] - zeros[0]) > 0.02,
                f"{percent(zeros[0])} of the hidden activations are 0 in the plain network, and {percent(zeros[1])} after "
                f"training with dropout of {percent(best_dropout['share'])}",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, middle, right = figure.subplots(1, 3)
        plain = self._rows(data, _PLAIN)[0]
        for colour, kind in zip(PALETTE, (_DROPOUT, _PRUNED, _RANDOM, _ONE_SHOT), strict=False):
            rows = self._rows(data, kind)
            x = [100 * row["share"] for row in rows]
            means, spreads = [self._mean(r) for r in rows], [self._spread(r) for r in rows]
            left.errorbar(x, means, yerr=spreads, fmt="o-", color=colour, capsize=3, label=kind)
            speed = [plain["microseconds"] / row["microseconds"] for row in rows]
            middle.plot(x, speed, "o-", color=colour, label=kind)
            right.plot(x, [100 * float(np.mean(row["activations"])) for row in rows], "o-", color=colour, label=kind)
        left.axhline(self._mean(plain), color="0.5", linestyle="--", label=_PLAIN)
        middle.axhline(1, color="0.5", linestyle="--")
        right.axhline(100 * float(np.mean(plain["activations"])), color="0.5", linestyle="--")
        left.legend(frameon=False, fontsize=8)
        tidy(left, "share of zeros (%)", "test accuracy", "Accuracy, mean and spread of the seeds")
        tidy(middle, "share of zeros (%)", "times as fast as plain", "A prediction of 256 digits")
        tidy(right, "share of zeros (%)", "activations that are 0 (%)", "ReLU's own zeros")
