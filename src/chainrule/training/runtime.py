"""What a network has on this machine and not in a file: its engine, its compiled plans, and the trainer that goes on."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..engine.base import Engine
from ..errors import ParameterError
from ..network import NetworkGraph
from .continuation import Continuation
from .executables import Compiled, Executables
from .trainer import Trainer

__all__ = ["Runtime"]

Array = NDArray[Any]


class Repeated(NamedTuple):
    """The last prediction, so that one on inputs of the same shape needs few checks.

    Parameters  shape : of X ; arena : of the parameters that the plan reads ; compiled : the plan ;
                changes : of all representations when it was compiled
    """

    shape: tuple[int, ...]
    arena: Array
    compiled: Compiled
    changes: int


class Runtime:
    """The engine of a network, plans compiled for it, and the trainer of its last fit.

    Everything here can be made again, so copies, pickles and files of a network leave it out; but copies and pickles
    take along the optimizer's state, as a ``Continuation``.

    Parameters  network : that it belongs to
    Attributes
        wanted : (name of the engine, threads, precision), as the last fit asked for
        trainer : of the last fit, which ``partial_fit`` goes on with ; continuation : what it goes on with after a copy or
        a pickle, until it has a trainer again ; repeated : the last prediction
    """

    def __init__(self, network: NetworkGraph) -> None:
        self.wanted: tuple[str, int | None, str] = ("auto", None, network.dtype)
        self.continuation: Continuation | None = None
        self.forget()

    def forget(self) -> None:
        """Drops the engine and all that was compiled for it."""
        self._engine: Engine | None = None
        self._predictors: Executables | None = None
        self._differentiators: Executables | None = None
        self.repeated: Repeated | None = None
        self.trainer: Trainer | None = None
        self._lock = threading.Lock()

    def use_engine(self, network: NetworkGraph, engine: str, threads: int | None, precision: str) -> None:
        """Chooses what computes. Parameters  as of ``Network.fit``

        Raises      ParameterError, UnknownNameError ; EngineError when the engine asked for by name cannot be used
        """
        if precision not in ("float32", "bfloat16") or (precision == "bfloat16" and network.dtype == "float64"):
            raise ParameterError(
                f'precision must be "float32" or "bfloat16" (of a float32 network). Got {precision!r} for a {network.dtype} '
                f'network; a float64 network is made by Network(..., dtype="float64").'
            )
        wanted = (engine, threads, network.dtype if network.dtype == "float64" else precision)
        if wanted != self.wanted or self._engine is None:
            self.wanted = wanted
            self.forget()
            self.engine()

    def engine(self) -> Engine:
        """The engine, found when it is first needed."""
        if self._engine is None:
            from ..engine import get_engine

            name, threads, dtype = self.wanted
            self._engine = get_engine(name, dtype=dtype, threads=threads)
        return self._engine

    def trainer_to_go_on_with(self, network: NetworkGraph) -> Trainer | None:
        """The trainer of the last fit, made again after a copy or a pickle; None before a fit."""
        if self.trainer is None and self.continuation is not None:
            self.trainer = self.continuation.trainer(network, self.engine())
            self.continuation = None
        return self.trainer

    def predictors(self, network: NetworkGraph) -> Executables:
        """The plans of predictions and evaluations, over the arenas where they lie now."""
        with self._lock:
            found = self._predictors
            if found is None or not self._lie_here(found, network):
                self.repeated = None
                found = self._predictors = self._executables(network)
            return found

    def differentiators(self, network: NetworkGraph) -> Executables:
        """The plans of ``input_gradient``, over the arenas where they lie now."""
        with self._lock:
            found = self._differentiators
            if found is None or not self._lie_here(found, network):
                found = self._differentiators = self._executables(network)
            return found

    @staticmethod
    def _lie_here(executables: Executables, network: NetworkGraph) -> bool:
        arenas = network.arenas()
        if executables.signature != network.signature(contents=True):
            return False
        return arenas.keys() == executables.arenas.keys() and all(executables.arenas[n] is a for n, a in arenas.items())

    def _executables(self, network: NetworkGraph) -> Executables:
        return Executables(self.engine(), network.arenas(), signature=network.signature(contents=True))
