"""Rain radar: from six frames of five minutes the next six, beside copying the last frame and moving it along.

Learned from two events of Switzerland and one of Finland, judged on another event of each at half an hour ahead. "Moving"
carries the last frame along the optical flow of the last two (advection), as radar forecasts usually do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.registration import optical_flow_ilk

from chainrule.architectures import conv_lstm_forecaster, simvp
from chainrule.optimizers import Adam, OneCycle

from . import data

SEEN, AHEAD = 6, 6


def windows(film: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All (frames seen, frames that follow) of a film (T, H, W), (n, T, H, W, 1) in [0, 1]."""
    frames = film[..., None].astype(np.float32) / 255
    starts = range(len(film) - SEEN - AHEAD + 1)
    return (
        np.stack([frames[s : s + SEEN] for s in starts]),
        np.stack([frames[s + SEEN : s + SEEN + AHEAD] for s in starts]),
    )


def moved(seen: np.ndarray) -> np.ndarray:
    """The last frame of each window (n, T, H, W, 1), carried on along the optical flow of the last two."""
    found = []
    for before, last in zip(seen[:, -2, ..., 0], seen[:, -1, ..., 0], strict=True):
        # Where a pixel of the last frame was in the one before: what comes has come as far once more.
        down, right = optical_flow_ilk(last, before, radius=15)
        y, x = np.indices(last.shape)
        found.append([
            map_coordinates(last, [y + step * down, x + step * right], order=1, mode="nearest")
            for step in range(1, AHEAD + 1)
        ])  # fmt: skip
    return np.asarray(found, np.float32)[..., None]


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("--network", choices=["simvp", "conv_lstm"], default="simvp")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--picture", type=Path, help="file for a strip of frames: seen, true, foreseen, moved along")
    args = parser.parse_args()
    z = data.load(args.data, "radar/radar_128.npz")
    learned = [windows(film) for film in (z["mch"][0], z["mch"][1], z["fmi"][0])]
    X, Y = (np.concatenate(parts) for parts in zip(*learned, strict=True))
    tests = {name: windows(z[name][-1]) for name in ("mch", "fmi")}

    def last_error(found: np.ndarray, later: np.ndarray) -> float:
        return float(np.square(255 * (found[:, -1] - later[:, -1])).mean())

    baselines = {}
    for name, (seen, later) in tests.items():
        baselines[name] = (last_error(seen[:, -1:], later), last_error(moved(seen), later))

    def run(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)

        def epoch() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            order = rng.permutation(len(X))
            for start in range(0, len(X) - 3, 4):
                rows = order[start : start + 4]
                # Weather has no preferred direction: quarter turns and mirror images are as good.
                turn, mirror = int(rng.integers(4)), 1 - 2 * int(rng.integers(2))
                x, y = (np.rot90(part[rows], turn, axes=(2, 3))[:, :, ::mirror] for part in (X, Y))
                yield np.ascontiguousarray(x), np.ascontiguousarray(y)

        make = simvp if args.network == "simvp" else conv_lstm_forecaster
        net = make(AHEAD, input_shape=X.shape[1:], random_state=seed)
        steps = args.epochs * len(range(0, len(X) - 3, 4))
        begun = time.perf_counter()
        net.fit(
            epoch, loss="squared_error", optimizer=Adam(OneCycle(0.002, total=steps)), epochs=args.epochs, metrics=(),
            verbose=2 if args.verbose else 0,
        )  # fmt: skip
        found: dict[str, Any] = {"training_seconds": time.perf_counter() - begun}
        for name, (seen, later) in tests.items():
            foreseen = np.clip(net.predict(seen, batch_size=4), 0, 1)
            error = last_error(foreseen, later)
            if args.picture is not None and name == "mch":
                from chainrule.report import frames_picture

                one = int(later[:, -1].mean(axis=(1, 2, 3)).argmax())  # where it rains most
                rows = {"seen": seen[one], "true": later[one], "foreseen": foreseen[one], "moving": moved(seen[one:][:1])[0]}
                frames_picture(rows, args.picture, first={n: SEEN + 1 for n in rows if n != "seen"}, limits=(0, 0.6))
            copying, moving = baselines[name]
            found |= {
                name: error,
                f"{name}_copying": copying,
                f"{name}_moving": moving,
                f"{name}_of_copying": error / copying,
            }
        found["of_copying"] = float(np.mean([found[f"{name}_of_copying"] for name in tests]))
        return found

    data.each_seed(args, run, "of_copying")


if __name__ == "__main__":
    main()
