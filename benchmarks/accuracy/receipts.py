"""Text on scanned receipts: lines that are read (``train --task read``), and lines that are found (``--task detect-text``).

    python -m benchmarks.accuracy.receipts lines      # 466 receipts to learn from, characters wrong on 100 others
    python -m benchmarks.accuracy.receipts pages      # 55 receipts to learn from, F1 of the lines of 20 others

The data are written to a folder in the form that users have them in, and the task reads them from there, with its own
settings for whatever is not given here.
"""

from __future__ import annotations

import csv
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.tasks.lines import TASK as LINES
from chainrule.tasks.pages import TASK as PAGES
from chainrule.training import Callback, Checkpoint
from chainrule.training.settings import FitSettings

from . import data

PARTS = {"train": 0, "val": 1, "test": 2}
#: Receipts of which the lines are to be found and that nothing is learned from.
HELD_OUT = 20


def write_lines(z: Any, place: Path, few: int | None) -> None:
    """Pictures of lines with a file labels.csv in a folder for each part."""
    at, part_of = z["offsets"], z["split"]
    for part, number in PARTS.items():
        folder = place / part
        folder.mkdir(parents=True)
        with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            for i in np.flatnonzero(part_of == number)[:few].tolist():
                (folder / f"{i}.jpg").write_bytes(z["jpeg"][at[i] : at[i + 1]].tobytes())
                rows.writerow([f"{i}.jpg", z["text"][i].decode()])


def write_pages(z: Any, place: Path, few: int | None) -> None:
    """Pictures of receipts, each with a text file of corners and texts beside it."""
    at, page_of = z["offsets"], z["boxes"][:, 0].astype(int)
    order = np.random.default_rng(0).permutation(len(z["ids"]))
    for part, pages in (("test", order[:HELD_OUT]), ("train", order[HELD_OUT:])):
        folder = place / part
        folder.mkdir(parents=True)
        for i in pages[:few].tolist():
            (folder / f"{z['ids'][i]}.jpg").write_bytes(z["jpeg"][at[i] : at[i + 1]].tobytes())
            rows = []
            for j in np.flatnonzero(page_of == i).tolist():
                left, top, right, bottom = z["boxes"][j, 1:].astype(int).tolist()
                corners = (left, top, right, top, right, bottom, left, bottom)
                rows.append(f"{','.join(map(str, corners))},{z['text'][j].decode()}\n")
            (folder / f"{z['ids'][i]}.txt").write_text("".join(rows), encoding="utf-8")


class Told(Callback):
    """Prints the losses of each epoch."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()

    def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
        losses = "  ".join(f"{name} {value:.4f}" for name, value in logs.items() if isinstance(value, float))
        print(f"epoch {epoch}  {losses}  {time.perf_counter() - self.begun:.0f} s", flush=True)


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("what", choices=["lines", "pages"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--few", type=int, help="only so many lines or pages of each part, to try the command")
    parser.add_argument("--reader", type=Path, help="model of lines that a model of pages reads with")
    parser.add_argument("--model", type=Path, help="file to write the model to")
    parser.add_argument("--checkpoint", type=Path, help="file that keeps the last epoch; a training goes on from it")
    args = parser.parse_args()
    lines = args.what == "lines"
    z = data.load(args.data, "sroie/sroie_lines_h32.npz" if lines else "sroie/sroie_pages.npz")
    task: Any = LINES if lines else PAGES

    def run(seed: int) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / args.what
            (write_lines if lines else write_pages)(z, folder, args.few)
            given: dict[str, Any] = {"data": folder, "seed": seed, "epochs": args.epochs or (20 if lines else 30)}
            if lines or args.batch_size:
                given["batch_size"] = args.batch_size or 16
            if args.reader is not None:
                given["reader"] = args.reader
            settings = task.settings(**given)
            prepared = task.prepare(task.read(settings), settings)
            callbacks: list[Callback] = [Told()] if args.verbose else []
            if args.checkpoint is not None:
                callbacks.append(Checkpoint(args.checkpoint))
                if args.checkpoint.exists():
                    given = {name: getattr(prepared.settings, name) for name in prepared.settings.given}
                    prepared = replace(prepared, settings=FitSettings.of({**given, "resume": args.checkpoint}))
            begun, used = time.perf_counter(), time.process_time()
            model = prepared.train(callbacks).model
            found = {"training_seconds": time.perf_counter() - begun, "processor_seconds": time.process_time() - used}
            samples = model.read(prepared.test)
            found |= model.scores(samples, model.prediction(samples)).values
            if args.model is not None:
                model.save(args.model)
        return {name.replace(" ", "_"): value for name, value in found.items()}

    data.each_seed(args, run, "character_error_rate" if lines else "F1")


if __name__ == "__main__":
    main()
