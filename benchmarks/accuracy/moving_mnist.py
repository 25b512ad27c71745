"""Moving MNIST: two digits move through pictures of 64x64; ten frames are seen, the next ten are foreseen.

The sequences are made from the digits (those of the training part for training), without an end. Beside the mean squared
error stands that of copying the last frame.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.architectures import conv_lstm_forecaster, simvp
from chainrule.losses import BinaryCrossEntropy
from chainrule.metrics import PSNR, SSIM
from chainrule.optimizers import Adam, OneCycle

from . import data

SIDE, FRAMES, SEEN = 64, 20, 10


def sequences(digits: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n sequences (n, 20, 64, 64, 1) of two digits that move at a constant speed and bounce off the edges."""
    room = SIDE - digits.shape[1]
    out = np.zeros((n, FRAMES, SIDE, SIDE, 1), np.uint8)
    for clip in out:
        for digit in digits[rng.integers(0, len(digits), 2)]:
            at, angle = rng.random(2), rng.uniform(0, 2 * np.pi)
            step = 0.1 * np.array([np.sin(angle), np.cos(angle)])
            for frame in clip:
                y, x = np.rint(at * room).astype(int)
                window = frame[y : y + len(digit), x : x + len(digit), 0]
                np.maximum(window, digit, out=window)
                at = at + step
                outside = (at < 0) | (at > 1)
                at, step = np.clip(at, 0, 1), np.where(outside, -step, step)
    return out


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("--network", choices=["simvp", "conv_lstm"], default="simvp")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--test", type=int, default=500, help="sequences to test on")
    parser.add_argument("--picture", type=Path, help="file for a strip of frames: seen, true, foreseen")
    args = parser.parse_args()
    train_pictures, _, test_pictures, _ = data.mnist(args.data)
    train, test = (np.rint(255 * pictures[..., 0]).astype(np.uint8) for pictures in (train_pictures, test_pictures))
    held = sequences(test, args.test, np.random.default_rng(10_000)).astype(np.float32) / 255
    seen, later = held[:, :SEEN], held[:, SEEN:]
    copied = np.repeat(seen[:, -1:], FRAMES - SEEN, axis=1)

    def run(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)

        def epoch() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for _ in range(100):
                made = sequences(train, 8, rng).astype(np.float32) / 255
                yield made[:, :SEEN], made[:, SEEN:]

        make = simvp if args.network == "simvp" else conv_lstm_forecaster
        net = make(FRAMES - SEEN, input_shape=(SEEN, SIDE, SIDE, 1), random_state=seed)
        start = time.perf_counter()
        net.fit(
            epoch, loss=BinaryCrossEntropy(), optimizer=Adam(OneCycle(0.003, total=args.steps)),
            epochs=max(1, args.steps // 100), metrics=(), verbose=2 if args.verbose else 0,
        )  # fmt: skip
        p = net.loss_.prediction(net.predict(seen, batch_size=20))
        if args.picture is not None:
            from chainrule.report import frames_picture

            rows = {"seen": seen[0], "true": later[0], "foreseen": p[0]}
            frames_picture(rows, args.picture, first={"true": SEEN + 1, "foreseen": SEEN + 1}, limits=(0, 1))
        error, copying = (float(((found - later) ** 2).mean() * SIDE**2) for found in (p, copied))
        return {
            "of_copying": error / copying, "mse": error, "mse_copying": copying, "psnr": PSNR()(later, p),
            "ssim": SSIM()(later, p), "ssim_copying": SSIM()(later, copied), "training_seconds": time.perf_counter() - start,
        }  # fmt: skip

    data.each_seed(args, run, "of_copying")


if __name__ == "__main__":
    main()
