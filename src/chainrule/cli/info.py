"""``chainrule info``: what chainrule runs on here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["info"]

#: Libraries that are used when they are there, and for what.
OPTIONAL = (
    ("scikit-learn", "NeuralClassifier, NeuralRegressor, the digits of the demonstration"),
    ("matplotlib", "pictures of the learning curves"),
    ("pyarrow", "Parquet tables"),
    ("pandas", "DataFrames"),
    ("polars", "DataFrames"),
)


def info(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="[MODEL]", help="A saved model: how its weights are kept packed, and by which kernels."),
    ] = None,
) -> None:
    """Show the versions, the engine and why it was chosen, oneDNN, instruction set, threads, and optional libraries.

    With MODEL it also shows how the weights of the model are kept where it predicts, and which kernels multiply them on this
    processor.
    """
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from .._version import __version__
    from ..engine import choose
    from .console import facts, heading

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "not installed"

    heading(f"chainrule {__version__}")
    facts(
        [
            ("Python", f"{platform.python_version()} ({platform.system()} {platform.machine()})"),
            *(
                (name, installed(package))
                for name, package in (("NumPy", "numpy"), ("Numba", "numba"), ("safetensors", "safetensors"))
            ),
            ("Processor", f"{_processor() or platform.processor() or platform.machine()}, {_processors(os)} usable here"),
        ]
    )
    engine, why = choose()
    engine.prepare()  # so that one command gets a machine, or an image of one, ready
    heading("Engine")
    facts([("engine", f"{engine.name}, because {why}"), *((k, v) for k, v in engine.describe().items() if k != "engine")])
    if model is not None:
        _show_model(model)
    heading("Optional libraries")
    facts([(name, f"{installed(name)} ({what})") for name, what in OPTIONAL])


def _show_model(model: Path) -> None:
    """How a model is kept for predictions, and by which kernels its weights are multiplied here."""
    from ..tasks import load
    from .console import facts, heading, size, waiting
    from .sources import resolve

    with waiting(f"Reading {model} ..."):
        packed = load(resolve(model)).network.pack()
    forms = list(packed.forms().values())
    kept = [f"{forms.count(kind)} {kind}" for kind in ("dense", "sparse", "signs", "int8") if kind in forms]
    heading(f"{model}, packed")
    facts(
        [
            ("parameters", ", ".join(kept)),
            ("memory", f"{size(packed.nbytes)}B of {size(packed.dense_nbytes)}B as arrays"),
            *(("kernel", text) for text in packed.kernels()),
        ]
    )


def _processors(os: object) -> str:
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else (getattr(os, "cpu_count", lambda: 1)() or 1)
    return f"{count} logical processor{'s' if count != 1 else ''}"


def _processor() -> str | None:
    """The processor's name as Linux knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), None)
    except OSError:
        return None
