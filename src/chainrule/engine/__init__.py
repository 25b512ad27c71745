"""Engines run plans: ``reference`` is NumPy and the oracle, ``onednn`` is the fast one."""

from __future__ import annotations

from ..constraints import Interval, Maybe
from ..errors import EngineError, UnknownNameError
from .base import Engine, Executable

__all__ = ["Engine", "Executable", "choose", "get_engine"]

#: Why the automatic choice fell back to the reference engine; None while it did not.
fallback_reason: str | None = None


def get_engine(name: str = "auto", *, dtype: str = "float32", threads: int | None = None) -> Engine:
    """An engine.

    Parameters
        name : "onednn", "reference", or "auto": onednn where it can be used, else reference (``chainrule info`` says why)
        dtype : "float32", "float64" (reference only) or "bfloat16" (onednn only: products in bfloat16, float32 weights)
        threads : None takes OMP_NUM_THREADS, threadpoolctl's limit, or the processors allowed
    Raises  UnknownNameError, ParameterError ; EngineError when the engine asked for by name cannot be used
    """
    global fallback_reason
    if name not in ("auto", "reference", "onednn"):
        raise UnknownNameError("engine", name, ("auto", "onednn", "reference"))
    if dtype not in ("float32", "float64", "bfloat16"):
        raise UnknownNameError("precision", dtype, ("float32", "float64", "bfloat16"))
    threads = Maybe(Interval(int, 1)).check("", "threads", threads)
    if name == "onednn" and dtype == "float64":
        raise EngineError("the onednn engine has no float64; use engine='reference' for it.")
    if name == "reference" and dtype == "bfloat16":
        raise EngineError("the reference engine has no bfloat16; use engine='onednn' on a processor that has it.")
    if name != "reference" and dtype != "float64":
        try:
            from .onednn import OneDNNEngine

            return OneDNNEngine(threads=threads, dtype=dtype)
        except EngineError as error:
            if name == "onednn" or dtype == "bfloat16":
                raise
            fallback_reason = str(error)
    from .reference import ReferenceEngine

    return ReferenceEngine(dtype)


def choose() -> tuple[Engine, str]:
    """The engine that "auto" takes here, and why."""
    engine = get_engine()
    if engine.name == "onednn":
        library = engine.describe()["library"].split(" (")[0]
        return engine, f"{library} and the compiled kernels are available"
    return engine, f"the fast engine cannot be used: {fallback_reason}"
