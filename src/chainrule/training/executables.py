"""A cache of compiled plans, so that the plan of a batch size is compiled only once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from numpy.typing import NDArray

from ..engine.base import Engine, Executable
from ..errors import EngineError
from ..plan import Plan, optimise


class Compiled:
    """An executable and the lock that keeps other threads out while it runs.

    ``pace`` is how many seconds a step was measured to take, 0 when none was measured; ``stamp`` is that of the parameters
    (``Arena.stamp``) when they were laid out.
    """

    __slots__ = ("executable", "lock", "pace", "stamp")

    def __init__(self, executable: Executable, stamp: int | None = None) -> None:
        self.executable, self.stamp = executable, stamp
        self.lock = threading.Lock()
        self.pace = 0.0

    def follow(self, stamp: int | None) -> None:
        """Lays the parameters out again if they may have changed since. Parameters  stamp : theirs now"""
        if stamp is None or stamp != self.stamp:
            self.executable.lay_out()
            self.stamp = stamp


class Executables:
    """A bounded cache of executables over the same arenas. The least recently used one is dropped first.

    Parameters  engine : compiles ; arenas : {name: flat array} that all plans work on ; limit : how many are kept
                signature : of the network's representations that the plans are for
    """

    def __init__(
        self, engine: Engine, arenas: Mapping[str, NDArray[Any]], *, limit: int = 16, signature: tuple[int, ...] = ()
    ) -> None:
        self.engine, self.arenas, self.limit, self.signature = engine, dict(arenas), limit, signature
        self._kept: OrderedDict[Hashable, Compiled] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, lower: Callable[[], Plan]) -> Compiled:
        """The executable kept under ``key``, else the plan of ``lower()``, optimised and compiled."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                plan = optimise(lower())
                missing = [name for name in plan.arenas if name not in self.arenas]
                if missing:
                    raise EngineError(f"the plan {key!r} needs the arenas {missing}; there are {sorted(self.arenas)}.")
                found = self._kept[key] = Compiled(self.engine.compile(plan, self.arenas))
                if len(self._kept) > self.limit:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
            return found

    def __len__(self) -> int:
        return len(self._kept)


def total(name: str, values: NDArray[Any], terms: int) -> float:
    """The sum over the samples of several steps of a scalar output of their plan.

    A plan gives its loss as a mean over the ``terms`` of a step and its metrics as sums, so that a share of whole samples
    stays exact.
    """
    return float(values.sum()) * (1 if name.startswith("metric.") else terms)
