"""A training on made-up rows that are larger than the memory it may take: seconds, rows, and the memory as it goes.

    python -m benchmarks.large_table --gigabytes 2 --kind parquet

The memory is measured, not limited. The rows have --columns numbers, 2 columns of categories and a target.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ROWS = 200_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of all files together")
    parser.add_argument("--kind", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--columns", type=int, default=12, help="of numbers, at least 3")
    parser.add_argument("--train-only", action="store_true", help="without predictions of all rows, which take longer")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the rows are made; a temporary folder by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        data = Path(folder) / "data"
        data.mkdir()
        size, files = _make(data, given.kind, given.gigabytes, given.columns)
        print(f"{files * ROWS:,} rows in {files} files of {size / 1e9:.2f} GB together", flush=True)
        model = Path(folder) / "m.chainrule"
        train = ["train", f"{data}/*.{given.kind}", "-t", "y", "--epochs", str(given.epochs), "-m", str(model), "-q"]
        train += ["--hidden", "32", "--threads", "1"]
        ok = _run(train, size, folder)
        return (
            ok
            or given.train_only
            or _run(["predict", str(model), f"{data}/*.{given.kind}", "-o", f"{folder}/out.csv", "-q"], size, folder)
        )


def _make(folder: Path, kind: str, gigabytes: float, columns: int) -> tuple[int, int]:
    """The bytes of all files, and how many there are."""
    import pandas

    size = files = 0
    while size < gigabytes * 1e9:
        rng = np.random.default_rng(files)
        X = rng.normal(size=(ROWS, columns))
        frame = pandas.DataFrame({f"x{i}": X[:, i] for i in range(columns)})
        frame["town"] = np.array(["Rome", "Oslo", "Bern"])[rng.integers(0, 3, ROWS)]
        frame["shop"] = np.char.add("shop ", rng.integers(0, 500, ROWS).astype(str))
        frame["y"] = np.where(X[:, 0] * X[:, 1] + 0.3 * X[:, 2] > 0, "yes", "no")
        place = folder / f"{files:05d}.{kind}"
        if kind == "csv":
            frame.round(6).to_csv(place, index=False)
        else:
            frame.to_parquet(place, index=False)
        size += place.stat().st_size
        files += 1
    return size, files


def _run(arguments: list[str], size: int, folder: str) -> int:
    begun = time.perf_counter()

    process = subprocess.Popen([sys.executable, "-m", "chainrule", *arguments], env={**os.environ, "TMPDIR": folder})
    memory: list[tuple[float, float]] = []
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            memory.append((time.perf_counter() - begun, watched.memory_info().rss / 2**20))
        except psutil.Error:
            break
        time.sleep(0.25)
    seconds = time.perf_counter() - begun
    most = max(m for _, m in memory)
    tenths = [memory[min(len(memory) - 1, i * len(memory) // 10)][1] for i in range(1, 11)]
    speed = size / 1e6 / seconds
    print(f"{arguments[0]}: exit {process.returncode}, {seconds:.0f} s, {speed:.1f} MB/s, most memory {most:.0f} MiB")
    print("  MiB at each tenth of the time: " + " ".join(f"{m:.0f}" for m in tenths), flush=True)
    return process.returncode or 0


if __name__ == "__main__":
    sys.exit(main())
