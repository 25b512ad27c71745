"""Memory over many steps: which recurrent layers learn it, and how much of the gradient reaches the steps it is about.

    python -m benchmarks.through_time                      # the adding problem of length 200, three seeds
    python -m benchmarks.through_time --norms norms.png    # ‖dhₜ‖ at the start and after a short training, as a picture
    python -m benchmarks.through_time --clipping           # an exploding gradient, with and without clip_norm

Adding problem: of T numbers from U(0, 1) two are marked, one in each half; their sum is asked for at the end. Always
answering 1 has a squared error of 0.167. Copy memory: 8 symbols, a long silence, and then the first of
them is asked for.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from chainrule import GRU, LSTM, Dense, Network, SimpleRNN
from chainrule.errors import DivergenceError
from chainrule.initializers import Orthogonal
from chainrule.optimizers import SGD, Adam
from chainrule.training import gradient_through_time

CELLS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
#: Adam's learning rate for each cell on the adding problem.
RATES = {"SimpleRNN": 0.001, "LSTM": 0.003, "GRU": 0.003}


def adding(n: int, steps: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Sequences (n, steps, 2) of numbers and marks, and the sum of the two marked numbers (n, 1)."""
    numbers, marks, row = rng.uniform(size=(n, steps)), np.zeros((n, steps)), np.arange(n)
    marks[row, rng.integers(0, steps // 2, n)] = 1
    marks[row, rng.integers(steps // 2, steps, n)] = 1
    return np.stack([numbers, marks], axis=2).astype(np.float32), (numbers * marks).sum(1, keepdims=True).astype(np.float32)


def copy_memory(n: int, steps: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """8 symbols of 0 to 7 as one-hot, blanks (8), and at the end a sign (9) that asks for the first symbol."""
    x = np.full((n, steps), 8)
    x[:, :8] = rng.integers(0, 8, (n, 8))
    x[:, -1] = 9
    return np.eye(10, dtype=np.float32)[x], x[:, 0]


def solve_adding(kind: str, steps: int, seed: int, epochs: int) -> tuple[float, int, float]:
    """Squared error on new data, epochs and seconds used."""
    rng = np.random.default_rng(seed)
    (X, y), test = adding(20000, steps, rng), adding(2000, steps, rng)
    net = Network([CELLS[kind](64), Dense(1)], random_state=seed)
    optimizer, start, used = Adam(RATES[kind], clip_norm=1.0), time.perf_counter(), 0
    error = np.inf
    while used < epochs and error > 0.005:
        net.fit(X, y, epochs=1, batch_size=50, optimizer=optimizer, verbose=0)
        error, used = net.evaluate(*test)["loss"], used + 1
    return error, used, time.perf_counter() - start


def norms(path: str, steps: int, updates: int) -> None:
    """‖dhₜ‖ of the three cells on both tasks, before and after some updates, printed and drawn."""
    from chainrule.report import gradient_through_time_picture

    panels: dict[str, dict[str, Any]] = {}
    tasks = {"adding problem": (adding, "squared_error", 1), "copy memory": (copy_memory, "softmax_cross_entropy", 8)}
    for name, (make, loss, outputs) in tasks.items():
        task = f"{name}, {steps} steps"
        X, y = make(50 * updates, steps, np.random.default_rng(0))
        for when in ("at the start", f"after {updates} updates"):
            panels[f"{task}, {when}"] = {}
        for kind, cell in CELLS.items():
            net = Network([cell(64), Dense(outputs)], random_state=0).build(X.shape[1:])
            for when in ("at the start", f"after {updates} updates"):
                if when != "at the start":
                    net.fit(X, y, epochs=1, batch_size=50, loss=loss, optimizer=Adam(RATES[kind], clip_norm=1.0), verbose=0)
                found = next(iter(gradient_through_time(net, X[:100], y[:100], loss=loss).values()))
                panels[f"{task}, {when}"][kind] = found
                first, last = float(found[0]), float(found[-1])
                print(f"{task:32} {when:18} {kind:10} ‖dh₁‖ = {first:.2e}   ‖dh_T‖ = {last:.2e}   ratio {first / last:.1e}")
    print(f"drawn to {gradient_through_time_picture(panels, path)}")


def clipping(steps: int) -> None:
    """A SimpleRNN whose recurrent weight stretches by 1.8 at each step: the gradient explodes; clip_norm cures it."""
    X, y = adding(2000, steps, np.random.default_rng(0))
    for clip in (None, 1.0):
        cell = SimpleRNN(32, activation="relu", recurrent_init=Orthogonal(gain=1.8))
        net = Network([cell, Dense(1)], random_state=0).build(X.shape[1:])
        found = next(iter(gradient_through_time(net, X[:100], y[:100], loss="squared_error").values()))
        try:
            net.fit(X, y, epochs=20, batch_size=50, optimizer=SGD(0.01, clip_norm=clip), verbose=0)
            losses = net.history_["loss"]
            result = f"loss {losses[0]:.3g} in the first epoch, {losses[-1]:.3g} in the last"
        except DivergenceError as error:
            result = f"diverged: {str(error).splitlines()[0][:90]} ..."
        print(f"clip_norm={clip}: ‖dh₁‖ / ‖dh_T‖ = {found[0] / found[-1]:.1e} at the start; {result}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=16, help="of 400 updates each, at most")
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--norms", metavar="PICTURE")
    parser.add_argument("--updates", type=int, default=1000, help="before the second look at the norms")
    parser.add_argument("--clipping", action="store_true")
    args = parser.parse_args()
    if args.norms:
        norms(args.norms, args.steps, args.updates)
    if args.clipping:
        clipping(min(args.steps, 50))
    if args.norms or args.clipping:
        return
    for kind in args.cells.split(","):
        for seed in range(args.seeds):
            error, used, seconds = solve_adding(kind, args.steps, seed, args.epochs)
            print(f"{kind:10} seed {seed}: squared error {error:.4f} after {used} epochs, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
