"""``chainrule info``: what chainrule runs on here."""

from __future__ import annotations

__all__ = ["info"]

#: Libraries that are used when they are there, and for what.
OPTIONAL = (
    ("scikit-learn", "NeuralClassifier, NeuralRegressor, the digits of the demonstration"),
    ("matplotlib", "pictures of the learning curves"),
    ("pyarrow", "Parquet tables"),
    ("pandas", "DataFrames"),
    ("polars", "DataFrames"),
)


def info() -> None:
    """Show the versions, the engine and why it was chosen, oneDNN, instruction set, threads, and optional libraries."""
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
    heading("Optional libraries")
    facts([(name, f"{installed(name)} ({what})") for name, what in OPTIONAL])


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
