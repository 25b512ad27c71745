"""``python -m benchmarks.compressed_table``: all speeds of sparse and binary weights, and of their training, in one run.

It runs the parts of ``benchmarks.sparse``, ``benchmarks.binary`` and, where its data is there, ``benchmarks.squeezenet``,
one after the other, each in a process of its own. How the figures are to be read stands at the head of each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from .accuracy.data import FOLDER

#: Part by part: the module, and what it measures.
PARTS = (
    ("sparse", "layers", "unstructured sparse products, and blocks of 4 outputs"),
    ("sparse", "convolutions", "sparse convolutions"),
    ("sparse", "network", "a 90 %-pruned 784-1024-1024-10, packed"),
    ("sparse", "training", "a step of training 784-1024-1024-10 under masks"),
    ("binary", "layers", "products of signs"),
    ("binary", "convolutions", "convolutions of signs"),
    ("binary", "network", "the binarised 784-3x4096-10, packed"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[2], help="numbers of threads, one after the other")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each line")
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder of the data sets, for SqueezeNet")
    args = parser.parse_args()
    failed = []

    def run(title: str, module: str, *options: str, threads: int) -> None:
        print(f"\n{title}, {threads} thread{'s' * (threads > 1)}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{module}", *options]
        if subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": str(threads)}, check=False).returncode:
            failed.append(title)

    for threads in args.threads:
        for module, part, title in PARTS:
            options = ("--only", part, "--threads", str(threads), "--seconds", str(args.seconds))
            run(title, module, *options, threads=threads)
        if (args.data / "squeezenet_imagenet").exists():
            options = ("--data", str(args.data), "--seconds", str(40 * args.seconds))
            run("SqueezeNet by Deep Compression", "squeezenet", *options, threads=threads)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
