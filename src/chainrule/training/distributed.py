"""Several processes that train one network together: data-parallel training over MPI.

Every process (rank) has the same network and the same data, draws the same batches, and computes with its part of each. One
sum over all ranks of the flat array of gradients, an op of the plan between backward and update, makes the gradient of the
whole batch; so all ranks make the same update, and nothing else need be sent. What depends on the clock or on one rank alone
(how many steps run at a time, Ctrl-C, a number that is not finite) is agreed on by all, so that none waits for the others.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import DataError, MissingDependencyError, ParameterError
from ..network import NetworkGraph
from ..network.store import touch
from ..optimizers import Optimizer
from .feeds import ArrayFeed, Feed, Piece

if TYPE_CHECKING:
    from .settings import FitSettings

__all__ = ["Ranks", "abort_if_distributed"]

Array = NDArray[Any]
#: Samples that are compared between the ranks before a fit.
_COMPARED = 256
#: How long mpiexec has to read what a rank has written before the rank ends all.
_SECONDS_TO_READ = 0.5
_world: Ranks | None = None


class Ranks:
    """The processes of ``mpirun``, as one of them sees them.

    Attributes  rank : number of this process, from 0 on ; size : how many there are
    """

    def __init__(self, communicator: Any) -> None:
        self._comm = communicator
        self.rank, self.size = int(communicator.Get_rank()), int(communicator.Get_size())

    @classmethod
    def world(cls) -> Ranks:
        """All processes that were started together. A process that ends with an error ends the others, too.

        Raises      MissingDependencyError without mpi4py
        """
        global _world
        if _world is None:
            try:
                from mpi4py import MPI
            except (ImportError, RuntimeError) as error:
                raise MissingDependencyError("mpi4py", "Training over several processes", extra="mpi") from error
            _world = cls(MPI.COMM_WORLD)
            if _world.size > 1:
                before = sys.excepthook

                def end_all(*error: Any) -> None:
                    before(*error)
                    _world.abort()

                sys.excepthook = end_all
        return _world

    def abort(self, code: int = 1) -> None:
        """Ends all processes, so that none waits for this one for ever."""
        sys.stdout.flush()
        print(f"Rank {self.rank} of {self.size} ended with an error, and the others with it.", file=sys.stderr, flush=True)
        # mpiexec may end without reading what this process has written; the message is what its user needs.
        time.sleep(_SECONDS_TO_READ)
        self._comm.Abort(code)

    # ------------------------------------------------------------ agreeing

    def sum_in_place(self, array: Array) -> None:
        """Puts the sum of the arrays of all ranks in the place of each; the same bits on each.

        A new array for every sum would cost three times as much as the sum, as the system makes its pages one by one.
        """
        from mpi4py import MPI

        self._comm.Allreduce(MPI.IN_PLACE, array)

    def summed(self, array: Any) -> Any:
        """The sum of the arrays of all ranks, in a new array; the same bits on each."""
        found = np.ascontiguousarray(array)
        out = np.empty_like(found)
        self._comm.Allreduce(found, out)
        return out

    def least(self, value: int) -> int:
        """The smallest of the values of all ranks."""
        return -self._most(-value)

    def any(self, flag: bool) -> bool:
        """Whether it is so on any rank."""
        return self._most(int(flag)) > 0

    def _most(self, value: int) -> int:
        from mpi4py import MPI

        return int(self._comm.allreduce(value, op=MPI.MAX))

    def of_first(self, thing: Any) -> Any:
        """Gives every rank the value that rank 0 holds."""
        return self._comm.bcast(thing, root=0)

    def require_same(self, facts: Mapping[str, Any]) -> None:
        """DataError, on all ranks, unless all have the same facts."""
        every = self._comm.allgather(dict(facts))
        for name in facts:
            for rank, other in enumerate(every):
                if other.get(name) != every[0].get(name):
                    raise DataError(
                        "fit(distributed=True): all ranks must train on the same with the same settings, and "
                        f"{name} differs: {every[0].get(name)!r:.200} on rank 0, {other.get(name)!r:.200} on rank {rank}."
                    )

    # ------------------------------------------------------------ beginning

    def check(self, settings: FitSettings, optimizer: Optimizer, network: NetworkGraph) -> None:
        """ParameterError for what cannot be divided among the ranks."""
        if optimizer.full_batch:
            raise ParameterError(
                f"fit(distributed=True): {type(optimizer).__name__} takes all samples at once. Use another optimizer, or "
                "one process."
            )
        if network.samples is not None:
            raise ParameterError("fit(distributed=True): the nodes of a graph are one batch and cannot be divided.")
        if settings.batch_size < self.size:
            raise ParameterError(
                f"fit(distributed=True): a batch of {settings.batch_size} samples cannot be divided among {self.size} "
                f"ranks. Give a batch_size of at least {self.size}, or start fewer processes."
            )

    def threads(self) -> int:
        """The threads of this rank: the processors of the machine divided among the ranks on it."""
        from mpi4py import MPI

        here = int(self._comm.Split_type(MPI.COMM_TYPE_SHARED).Get_size())
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        given = os.environ.get("OMP_NUM_THREADS", "")
        return max(1, min(processors // here, int(given) if given.isdigit() and int(given) else processors))

    def begin(self, network: NetworkGraph, feed: Feed, facts: Mapping[str, Any], seed: int) -> int:
        """Lets all ranks begin with the weights, the states and the seed of rank 0, which is given.

        Raises      DataError, on all ranks, when the ranks have other data, settings or versions
        """
        digest = 0
        if isinstance(feed, ArrayFeed):
            for array in feed.first(min(_COMPARED, feed.n_samples)).values():
                digest = zlib.crc32(np.ascontiguousarray(array).tobytes(), digest)
        self.require_same(
            {
                "the version of chainrule": __version__,
                "the version of NumPy": np.__version__.split(".")[0],
                "the number of samples": feed.n_samples,
                "the shape of the samples": getattr(feed, "shapes", None),
                "the data (a checksum of the first samples)": digest,
                "the network (the shapes of its parameters)": [(n, a.shape) for n, a in network.parameters.items()],
                **facts,
            }
        )
        for name, array in sorted(network.arenas().items()):
            if array.dtype.kind == "f" and ":" not in name:
                self._comm.Bcast(array, root=0)
        touch()
        return int(self.of_first(seed))

    # ------------------------------------------------------------ the part of a rank

    def part(self, batch: int) -> tuple[int, int, float]:
        """The first sample of this rank in a batch, the one after its last, and by what its mean is multiplied in the sum.

        A batch of fewer than two samples for each rank, such as the last one of an epoch, is not divided: all ranks compute
        the whole of it. So no rank is without a sample, and batch normalisation has always more than one.
        """
        if batch < 2 * self.size:
            return 0, batch, 1 / self.size
        size, more = divmod(batch, self.size)
        start = self.rank * size + min(self.rank, more)
        count = size + (self.rank < more)
        return start, start + count, count / batch

    def part_of(self, piece: Piece) -> tuple[Piece, float]:
        """The part of this rank of every step of a piece, and its share of each batch."""
        start, stop, share = self.part(piece.batch)
        batch = stop - start
        if piece.order is None and piece.steps == 1:
            data = {name: array[start:stop] for name, array in piece.data.items()}
            return Piece(data, None, batch, 1, piece.owned), share
        order = np.arange(piece.batch * piece.steps) if piece.order is None else piece.order
        order = np.ascontiguousarray(order.reshape(piece.steps, piece.batch)[:, start:stop]).reshape(-1)
        return Piece(piece.data, order, batch, piece.steps, piece.owned), share

    def joined(self, found: Mapping[str, Array], share: float, counted: float = 1.0) -> dict[str, NDArray[np.float64]]:
        """The loss and the metrics of the whole batches, from those of this rank's part, (steps,) each.

        Parameters  share : as of ``part`` ; counted : by what a sum over this rank's samples is multiplied
        """
        factors = [counted if name.startswith("metric.") else share for name in found]  # a metric is a sum, a loss a mean
        rows = [np.asarray(array, np.float64) * factor for array, factor in zip(found.values(), factors, strict=True)]
        return dict(zip(found, cast(Array, self.summed(np.stack(rows))), strict=True))

    def average_states(self, arenas: Mapping[str, Array]) -> None:
        """Gives every rank the mean of the running statistics, which each has from its own samples."""
        for name, array in sorted(arenas.items()):
            if name.startswith("states") and array.dtype.kind == "f" and array.size:
                array[...] = self.summed(array) / self.size


def abort_if_distributed(code: int) -> None:
    """Ends the processes that train together with this one, where there are any, as this one ends with an error."""
    if _world is not None and _world.size > 1 and code:
        _world.abort(code)
