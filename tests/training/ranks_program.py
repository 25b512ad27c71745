"""What each rank runs in the tests of distributed training: ``mpirun -n 2 python ranks_program.py CASE FOLDER``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import BatchNorm, Dense, Dropout, Embedding, Network, ReLU
from chainrule.layers import LSTM, Input
from chainrule.training import Checkpoint, LambdaCallback


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(203, 6)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def perceptron(seed: Any = 0) -> Network:
    return Network([Dense(16), ReLU(), Dense(2)], random_state=seed)


COMMON: dict[str, Any] = {"batch_size": 20, "epochs": 3, "verbose": 0, "learning_rate": 0.01}


def equal(distributed: bool, folder: Path) -> Network:
    """Several kinds of networks; the last batch has 3 samples."""
    X, y = data()
    net = perceptron()
    net.fit(
        X,
        y,
        validation_split=0.2,
        optimizer="adam",
        early_stopping=2,
        metrics=["accuracy"],
        distributed=distributed,
        **COMMON,
    )
    rng = np.random.default_rng(1)
    words = rng.integers(1, 9, (61, 5))
    reader = Network([Input((5,), dtype="int"), Embedding(9, 4), LSTM(5), Dense(1)], random_state=1)
    weight = rng.uniform(0.5, 2, 61)
    reader.fit(
        words,
        words.mean(axis=1),
        optimizer="sgd",
        sample_weight=weight,
        distributed=distributed,
        **{**COMMON, "batch_size": 12},
    )
    for name, array in reader.parameters.items():
        net.extra = getattr(net, "extra", {}) | {f"reader.{name}": array}  # type: ignore[attr-defined]
    return net


def save(net: Network, place: Path) -> None:
    found = {name: np.array(array) for name, array in net.parameters.items()} | getattr(net, "extra", {})
    losses = {name: net.history_[name] for name in ("loss", "val_loss") if name in net.history_}
    np.savez(place, **found, **losses)


def main(case: str, folder: Path) -> None:
    from chainrule.training.distributed import Ranks

    ranks = Ranks.world()
    rank, X, y = ranks.rank, *data()
    if case == "equal":
        save(equal(True, folder), folder / f"rank{rank}.npz")
    elif case == "states":
        net = Network([Dense(8), BatchNorm(), ReLU(), Dropout(0.2), Dense(2)], random_state=None)
        net.fit(X, y, validation_split=0.2, distributed=True, **COMMON)
        np.savez(folder / f"rank{rank}.npz", **net.parameters, **net.states, loss=net.history_["val_loss"])
    elif case == "diverges":
        rows = X.copy()
        rows[150] = 3e38  # in the part of one rank alone
        try:
            perceptron().fit(rows, y, distributed=True, **COMMON)
        except ArithmeticError as error:
            (folder / f"rank{rank}.txt").write_text(str(error))
    elif case == "other data":
        try:
            perceptron().fit(X[: 200 + rank], y[: 200 + rank], distributed=True, **COMMON)
        except ValueError as error:
            (folder / f"rank{rank}.txt").write_text(str(error))
    elif case == "small batch":
        try:
            perceptron().fit(X, y, distributed=True, **{**COMMON, "batch_size": 1})
        except ValueError as error:
            (folder / f"rank{rank}.txt").write_text(str(error))
    elif case in ("fails", "killed", "stops"):

        def act(state: Any, epoch: int, logs: Any) -> None:
            if epoch == 2 and rank == 1:
                if case == "fails":
                    raise ValueError("rank 1 has had enough")
                if case == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                state.stop = True

        net = perceptron()
        net.fit(X, y, distributed=True, callbacks=LambdaCallback(on_epoch_end=act), **{**COMMON, "epochs": 100_000})
        (folder / f"rank{rank}.txt").write_text(str(len(net.history_.epochs)))
    elif case == "checkpoint":
        net = perceptron()
        net.fit(X, y, distributed=True, callbacks=Checkpoint(folder / "c.checkpoint"), **{**COMMON, "epochs": 2})
    elif case == "resume":
        net = perceptron()
        net.fit(X, y, distributed=True, resume=folder / "c.checkpoint", **{**COMMON, "epochs": 4})
        save(net, folder / f"rank{rank}.npz")
    else:
        raise SystemExit(f"unknown case {case}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
