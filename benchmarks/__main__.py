"""``python -m benchmarks``, from the folder of the checkout; see benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .machine import usable_cpus
from .peers import PEERS, installed
from .report import markdown, show
from .run import run

KINDS = ("training", "prediction", "fit", "footprint")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    others = [name for name in PEERS if name != "chainrule"]
    asked = others if options.peers is None else _names(options.peers)
    missing = [name for name in asked if installed(name) is None]
    for name in missing:
        print(f"{name} is left out: not installed here.", file=sys.stderr)

    def log(text: str) -> None:
        if not options.quiet:
            print(f"  {text} ...", file=sys.stderr, flush=True)

    results = run(
        [name for name in asked if name not in missing],
        options.only,
        budget=options.budget,
        threads=options.threads,
        match=options.match,
        log=log,
    )
    results["left_out"] = missing
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(markdown(results)) if options.markdown else show(results)
    cells = [*results["cells"], *results["fit"], *results["footprint"]]
    wrong = any(not cell.get("agrees", True) or "error" in cell for cell in cells if cell.get("peer") == "chainrule")
    return 1 if wrong else 0


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name not in ("", "none", "chainrule")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures chainrule beside other libraries on this machine, in one run. Exit code 1: chainrule failed a "
        "cell, or computed something else than the mathematics says.",
    )

    def peers(text: str) -> str:
        unknown = [name for name in _names(text) if name not in PEERS]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown {unknown[0]!r}; known: {', '.join(PEERS)}, none")
        return text

    def kinds(text: str) -> list[str]:
        unknown = [kind for kind in text.split(",") if kind not in KINDS]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown {unknown[0]!r}; known: {', '.join(KINDS)}")
        return text.split(",")

    def seconds(text: str) -> float:
        if not 0 < float(text) <= 600:
            raise argparse.ArgumentTypeError("must be more than 0 and at most 600 seconds")
        return float(text)

    def threads(text: str) -> int:
        if not 1 <= int(text) <= usable_cpus():
            raise argparse.ArgumentTypeError(f"must be from 1 to {usable_cpus()}, the processors that may be used")
        return int(text)

    parser.add_argument("--peers", type=peers, help="torch,jax,sklearn,onnxruntime or none; by default those installed")
    parser.add_argument("--only", type=kinds, default=list(KINDS), help=f"some of {','.join(KINDS)}; by default all")
    parser.add_argument("--match", default="", metavar="TEXT", help="only workloads whose name contains this text")
    parser.add_argument("--budget", type=seconds, default=1.0, help="seconds of timing for each cell (default 1)")
    parser.add_argument("--threads", type=threads, default=usable_cpus(), help="for each library (default: all processors)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of tables for a terminal")
    parser.add_argument("--quiet", action="store_true", help="do not say what is being measured")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
