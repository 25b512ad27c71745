"""Runs the command line as a user does: in a process of its own, in a folder with small tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import chainrule

SOURCES = Path(chainrule.__file__).parents[1]


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the session: its models are used by several tests."""
    place = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    write(place / "flowers.csv", *flowers(rng, 90))
    write(place / "people.csv", *people(rng, 120))
    write(place / "people.tsv", *people(rng, 120), delimiter="\t")
    write(place / "shops.csv", *shops(rng, 300))
    return place


@pytest.fixture(scope="session")
def run(folder: Path) -> Run:
    """``run("train", "a.csv", ...)`` -> Result; no terminal, no colours, one thread."""

    def start(*arguments: str, cwd: Path = folder, **environment: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "chainrule", *arguments],
            cwd=cwd,
            env=process_environment(**environment),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    start("info")  # on a fresh machine the first process compiles the kernels, and says so on standard error
    return start


@pytest.fixture(scope="session")
def environment() -> Callable[..., dict[str, str]]:
    """``environment(NO_COLOR="1")`` -> this process's, in which chainrule is found from every folder and uses one thread."""
    return process_environment


def process_environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1", **more}


def write(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ",") -> None:
    """A text table; a cell with the delimiter, a quote or a newline is quoted."""

    def cell(value: object) -> str:
        text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in (delimiter, '"', "\n")) else text

    path.write_text("\n".join(delimiter.join(map(cell, row)) for row in (names, *rows)) + "\n", encoding="utf-8")


def flowers(rng: np.random.Generator, n: int) -> tuple[list[str], list[list[object]]]:
    """Numbers and three text labels that are easy to tell apart."""
    kinds = ["rose", "tulip", "lily"]
    rows = []
    for i in range(n):
        k = i % 3
        rows.append([float(rng.normal(3 * k, 0.4)), float(rng.normal(-2 * k, 0.4)), kinds[k]])
    return ["length", "width", "kind"], rows


def people(rng: np.random.Generator, n: int) -> tuple[list[str], list[list[object]]]:
    """Numbers, categories, missing values, an identifier, quoted fields; the target is yes or no."""
    rows: list[list[object]] = []
    for i in range(n):
        age, town = float(rng.uniform(18, 80)), ["Rome, Italy", 'The "Hague"', "New\nYork"][int(rng.integers(3))]
        bought = "yes" if age + 20 * (town == "Rome, Italy") > 55 else "no"
        missing = i % 10 == 3
        rows.append([f"{i:04d}x", None if missing else age, None if i % 15 == 4 else town, f"00{i % 7}", bought])
    return ["id", "age", "town", "code", "bought"], rows


def shops(rng: np.random.Generator, n: int) -> tuple[list[str], list[list[object]]]:
    """A regression in euros, with a category of 40 values that is embedded."""
    level = rng.normal(0, 300, 40)
    rows: list[list[object]] = []
    for i in range(n):
        shop, area = i % 40, float(rng.uniform(50, 150))
        rows.append([f"shop {shop:02d}", area, float(1000 + 10 * area + level[shop] + rng.normal(0, 20))])
    return ["shop", "area", "sales"], rows
