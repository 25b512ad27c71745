"""The data sets, from a folder beside the checkout or one that is named; and what the commands have in common."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Where the data sets are looked for: a folder "shared" beside that of the checkout.
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"


def options(description: str | None, *, seeds: int) -> argparse.ArgumentParser:
    """The arguments of every command."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(seeds)), help="seeds to run, one after the other")
    parser.add_argument("--verbose", action="store_true", help="one line an epoch")
    parser.add_argument("--json", type=Path, help="file that each seed's result is added to; the mean is over all in it")
    return parser


def each_seed(args: argparse.Namespace, run: Callable[[int], dict[str, Any]], measure: str) -> None:
    """Runs every seed, prints its result and at the end the mean; seeds that are in the file already are not run again."""
    found: list[dict[str, Any]] = []
    if args.json is not None and args.json.exists():
        found = json.loads(args.json.read_text())
    for seed in args.seeds:
        if any(one["seed"] == seed for one in found):
            continue
        start = time.perf_counter()
        found.append({"seed": seed, **run(seed), "seconds": round(time.perf_counter() - start, 1)})
        print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in found[-1].items()), flush=True)
        if args.json is not None:
            args.json.write_text(json.dumps(found, indent=1))
    values = [one[measure] for one in found]
    print(f"{measure}: mean {np.mean(values):.4f} of {len(values)} seed(s), from {min(values):.4f} to {max(values):.4f}")


def load(folder: Path, name: str) -> Any:
    """An npz file of the data sets, or the end of the command with what is missing."""
    path = folder / name
    if not path.exists():
        sys.exit(f"{path} is not there. Name the folder of the data sets: --data FOLDER")
    return np.load(path)


def mnist(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(60000, 28, 28, 1) pictures in [0, 1] with their labels, then 10000 for the test."""
    found = []
    for part in ("train", "t10k"):
        path = folder / "mnist" / f"{part}-images-idx3-ubyte.gz"
        if not path.exists():
            sys.exit(f"{path} is not there. Name the folder of the data sets: --data FOLDER")
        pixels = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28, 1)
        path = folder / "mnist" / f"{part}-labels-idx1-ubyte.gz"
        labels = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=8)
        found += [pixels.astype(np.float32) / 255, labels.astype(np.int64)]
    return tuple(found)  # type: ignore[return-value]


def cifar10(folder: Path, parts: Sequence[tuple[str, int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each part ("train" or "test", how many) pictures (N, 32, 32, 3) in [0, 1] and their labels."""
    from PIL import Image

    z = load(folder, "cifar10/cifar10_jpeg.npz")
    found = []
    for part, count in parts:
        jpeg, at = z[f"{part}_jpeg"], z[f"{part}_offsets"]
        pictures = [np.asarray(Image.open(io.BytesIO(jpeg[at[i] : at[i + 1]].tobytes()))) for i in range(count)]
        found.append((np.stack(pictures).astype(np.float32) / 255, z[f"{part}_labels"][:count].astype(np.int64)))
    return found


def lines(folder: Path, name: str) -> list[str]:
    """The lines of a gzipped text in UTF-8, or the end of the command with what is missing."""
    path = folder / name
    if not path.exists():
        sys.exit(f"{path} is not there. Name the folder of the data sets: --data FOLDER")
    return gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
