"""How good restored pictures are: networks trained on the photographs of BSDS, by the task of ``chainrule train``.

    denoise    Set12 with noise of sigma 25; the strength of the noise in training is unknown, from 0 to 55 (BM3D 29.97 dB)
    enlarge    Set5 at twice the size, PSNR of the luminance (bicubic 33.66 dB, SRCNN 36.28)
    colour     the part "val" of BSDS, beside the grey pictures and the mean colour
    cifar      the same for pictures of CIFAR-10

Denoising and enlarging learn from the parts "train" and "test", since "val" holds pictures that are usual tests.
"""

from __future__ import annotations

import io
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.tasks.restoration import TASK, RestorationSettings
from chainrule.tasks.restoration.training import divided
from chainrule.training import Callback

from . import data

_SIGMA = 25


class Lines(Callback):
    """Prints a line for every epoch."""

    def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
        print(f"{epoch:4}  " + "  ".join(f"{name} {value:.5g}" for name, value in logs.items()), flush=True)


def opened(z: Any, key: str, offsets: str, count: int | None = None) -> list[np.ndarray]:
    """Pictures of bytes from files that stand one after the other in an array."""
    from PIL import Image

    at = z[offsets][: None if count is None else count + 1]
    files = (z[key][a:b].tobytes() for a, b in pairwise(at.tolist()))
    return [np.asarray(Image.open(io.BytesIO(file))) for file in files]


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("what", choices=("denoise", "enlarge", "colour", "cifar"))
    parser.add_argument("--epochs", type=int, help="in place of those of the task")
    parser.add_argument("--width", type=int, help="in place of that of the task")
    parser.add_argument("--depth", type=int, help="in place of that of the task")
    parser.add_argument("--patches", type=int, help="of an epoch, in place of those of the task")
    parser.add_argument("--patch", type=int, help="pixels of a side of a patch, in place of that of the task")
    parser.add_argument("--colours", default="classes", help="classes or mean")
    parser.add_argument("--few", type=int, default=2000, help="pictures of CIFAR-10 to learn from")
    parser.add_argument("--grid", type=Path, help="picture of some results")
    parser.add_argument("--save", type=Path, help="file for the model")
    args = parser.parse_args()

    def pictures() -> tuple[list[np.ndarray], list[np.ndarray]]:
        """(those to learn from, those of the test)."""
        if args.what == "cifar":
            (train, _), (test, _) = data.cifar10(args.data, [("train", args.few), ("test", 200)])
            return list(train), list(test)
        z = data.load(args.data, "bsds500_half/bsds500_half.npz")
        parts = {part: opened(z, f"{part}_jpeg", f"{part}_offsets") for part in ("train", "val", "test")}
        if args.what == "colour":
            return parts["train"] + parts["test"], parts["val"]
        name = {"denoise": "set12_grey", "enlarge": "set5_rgb"}[args.what]
        tests = data.load(args.data, f"restoration_tests/{name}.npz")
        return parts["train"] + parts["test"], opened(tests, "png", "offsets")

    def run(seed: int) -> dict[str, Any]:
        names = ("width", "depth", "patches", "patch")
        chosen: dict[str, Any] = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
        task = "colour" if args.what == "cifar" else args.what
        if task == "denoise":
            chosen["channels"] = 1
        if task == "colour":
            chosen["colours"] = args.colours
        settings = RestorationSettings(
            data=args.data, task=task, epochs=args.epochs, seed=seed, test_fraction=0, validation_fraction=0, **chosen
        )
        train, test = pictures()
        prepared = TASK.prepare(divided({"train": train}, settings, []), settings)
        begin, used = time.perf_counter(), time.process_time()
        callbacks: list[Callback] = []
        if args.verbose:
            print("\n".join(f"{key}: {value}" for key, value in prepared.description), flush=True)
            callbacks = [Lines()]
        model: Any = prepared.train(callbacks).model
        seconds, processor = time.perf_counter() - begin, time.process_time() - used
        if args.save is not None:
            model.save(args.save)
        how = {"sigma": _SIGMA} if task == "denoise" else {}
        samples = model.read(test, spoil=True, **how)
        prediction = model.prediction(samples)
        scores = model.scores(samples, prediction).named()
        if args.grid is not None:
            TASK.draw(args.grid, model, samples, prediction, title=f"{args.what}, PSNR {scores['psnr']:.2f} dB")
        return {**scores, "training seconds": round(seconds, 1), "processor seconds": round(processor, 1)}

    data.each_seed(args, run, "psnr")


if __name__ == "__main__":
    main()
