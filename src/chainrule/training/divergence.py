"""What happens when a number stops being finite: the last good weights are restored, and the bad step is located.

Checking every number of every step would cost more than the step. So the trainer only looks at the losses of many steps at
once, and this module keeps what is needed to find out more: a copy of the arenas and the pieces that were run since. A step
gives the same numbers whenever it is run again, so the first bad step can be found afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine.base import Executable
from ..engine.reference import ReferenceEngine
from ..network import NetworkGraph
from ..network.parameters import block_of, kind_of
from ..ops import Node
from .distributed import Ranks
from .feeds import Piece

Array = NDArray[Any]
#: The most bytes of samples from the disk or an iterator that are kept so that steps can be run again.
KEEP_BYTES = 128 * 2**20
#: The place that is named when the reference engine stays finite in a step in which the fast engine did not.
_ROUNDING = "this engine's rounding alone; the reference engine stays finite in this step"


class Run(NamedTuple):
    """A piece as it was run. Parameters  step : number of its first step in the fit ; epoch, within : that step's place ;
    ranks : that it was run with ; share : of its samples in their batches
    """

    executable: Executable
    piece: Piece
    scalars: Mapping[str, NDArray[np.float64]]
    step: int
    seed: int
    epoch: int
    within: int
    ranks: Ranks | None = None
    share: float = 1.0

    def again(self, start: int, stop: int) -> NDArray[np.float64]:
        """Runs the steps from ``start`` to ``stop`` of the piece; returns their losses."""
        batch, piece = self.piece.batch, self.piece
        rows = slice(start * batch, stop * batch)
        data = piece.data if piece.order is not None else {n: a[rows] for n, a in piece.data.items()}
        order = None if piece.order is None else piece.order[rows]
        scalars = {n: v[start:stop] for n, v in self.scalars.items()}
        at = self.step + start
        with np.errstate(all="ignore"):
            found = self.executable.run_steps(data, order, scalars, steps=stop - start, step=at, seed=self.seed)
        return found["loss"] if self.ranks is None else self.ranks.joined({"loss": found["loss"]}, self.share)["loss"]

    def inputs(self, i: int) -> dict[str, Array]:
        """The arrays that step ``i`` of the piece reads."""
        rows: Any = slice(i * self.piece.batch, (i + 1) * self.piece.batch)
        if self.piece.order is not None:
            rows = self.piece.order[rows]
        return {name: self.piece.data[name][rows] for name in self.executable.plan.inputs}


class Culprit(NamedTuple):
    """The first bad step.

    Parameters
        run, step : which ; place : in words ; last_loss : the last finite one or None ;
        kept : number (from 0) of the step in the fit that the restored weights are the start of
    """

    run: Run
    step: int
    place: str
    last_loss: float | None
    kept: int


class Recorder:
    """Keeps a copy of the arenas and the pieces that were run since, so that the steps can be run again.

    Parameters  network : whose training it is ; arenas : what training changes ;
                interval : seconds of work between copies, at least ; ranks : that train together, and so decide together
    """

    def __init__(
        self, network: NetworkGraph, arenas: Mapping[str, Array], *, interval: float = 0.2, ranks: Ranks | None = None
    ) -> None:
        self.network, self.ranks = network, ranks
        self.arenas = {name: a for name, a in arenas.items() if kind_of(name) != "gradients"}
        self.copies = {name: np.empty_like(a) for name, a in self.arenas.items()}
        #: Parameters and states at the copy before the last one, and the step they belong to; a finite loss followed.
        self.older = {name: np.empty_like(a) for name, a in self.arenas.items() if not name.startswith("slot.")}
        #: The names of what the steps change: flat arrays that only frozen layers have are neither copied nor looked at.
        self.changing = self._changing()
        self.older_step: int | None = None
        self._copied_step: int | None = None
        self.shortest = self.interval = interval
        self.runs: list[Run] = []
        self.seconds = 0.0
        self.owned = 0
        self.last_loss: float | None = None
        self._loss_before: float | None = None

    def forget(self) -> None:
        """Forgets the copy, because the arenas may have been changed from outside; the next piece makes a new one."""
        self.runs.clear()

    def before(self, run: Run) -> None:
        """To be called before a piece is run."""
        due = not self.runs or self.seconds > self.interval or self.owned > KEEP_BYTES
        if due if self.ranks is None else self.ranks.any(due):
            started = time.perf_counter()
            self._look()
            if self._copied_step is not None and run.step > self._copied_step:
                for name in self.older.keys() & self.changing:
                    self.older[name], self.copies[name] = self.copies[name], self.older[name]
                self.older_step = self._copied_step
            self._copy(self.arenas, self.copies)
            self._copied_step = run.step
            # Copies take at most a fiftieth of the time of the steps.
            self.interval = max(self.shortest, 50 * (time.perf_counter() - started))
            self.runs.clear()
            self.seconds, self.owned = 0.0, 0
            self._loss_before = self.last_loss
        self.runs.append(run)
        self.owned += run.piece.owned

    def after(self, seconds: float, last_loss: float) -> None:
        """To be called after a piece with finite losses."""
        self.seconds += seconds
        self.last_loss = last_loss

    def finite(self) -> bool:
        """Whether parameters, states and the optimizer's slots are finite. A slot that has overflowed holds its
        weight for ever, though all weights stay finite."""
        good = all(finite(array) for name, array in self.arenas.items() if name in self.changing)
        return good if self.ranks is None else not self.ranks.any(not good)

    def rewind(self) -> Culprit | None:
        """Finds the first bad step and where it went wrong, and restores the last weights that a finite loss belongs to.

        When the loss of a step is not finite, that is the fault of the update before it; so the arenas are restored as they
        were before that update, where the copies reach back so far. When only the new weights are not finite, as they
        were before the step itself.

        Returns     None when the steps, run again, were all good; then the arenas are as they were at the last copy
        """
        self._copy(self.copies, self.arenas)
        now = {name: np.empty_like(a) for name, a in self.arenas.items()}
        before = {name: np.empty_like(a) for name, a in self.arenas.items()}
        last, earlier = self._loss_before, False
        for run in self.runs:
            self._copy(self.arenas, now)
            losses = run.again(0, run.piece.steps)
            if run is not self.runs[-1] and np.isfinite(losses).all() and self.finite():
                self._copy(now, self.arenas)
                if run.piece.steps > 1:
                    run.again(0, run.piece.steps - 1)
                self._copy(self.arenas, before)
                run.again(run.piece.steps - 1, run.piece.steps)
                last, earlier = float(losses[-1]), True
                continue
            self._copy(now, self.arenas)
            for i in range(run.piece.steps):
                self._copy(self.arenas, now)
                loss = float(run.again(i, i + 1)[0])
                if np.isfinite(loss) and self.finite():
                    now, before = before, now
                    last, earlier = loss, True
                    continue
                self._copy(now, self.arenas)
                place, kept = self.place(run, i) or _ROUNDING, run.step + i
                if not np.isfinite(loss) and earlier:
                    self._copy(before, self.arenas)
                    kept -= 1
                elif not np.isfinite(loss) and self.older_step is not None:
                    self._copy(self.older, self.arenas)
                    kept = self.older_step
                return Culprit(run, i, place, last, kept)
        self._copy(self.copies, self.arenas)
        return None

    def place(self, run: Run, i: int) -> str | None:
        """Where the first number that is not finite comes from when NumPy runs the step on copies of the arenas.

        Returns     in words, None when all are finite
        """
        arenas = {name: np.array(a) for name, a in self.arenas.items()}
        arenas |= self.network.parameters.like("gradients")
        executable = ReferenceEngine(self.network.dtype).compile(run.executable.plan, arenas)
        first: list[Node] = []

        def watch(node: Node, results: tuple[Array, ...]) -> None:
            if not first and not all(np.isfinite(r).all() for r in results if r.dtype.kind == "f"):
                first.append(node)

        executable.watch = watch
        scalars = {name: float(v[i]) for name, v in run.scalars.items()}
        with np.errstate(all="ignore"):
            executable.run(run.inputs(i), scalars, step=run.step + i, seed=run.seed)
        if first:
            where = first[0].where
            if where.layer:
                return f"the {where.phase} pass of layer {where.layer!r} (op {first[0].op!r})"
            if where.phase == "update":
                entries = self.network.parameters.entries
                changed = ((name, a) for name, a in arenas.items() if kind_of(name).startswith(("parameters", "slot.")))
                for arena, array in sorted(changed):
                    for name in (n for n, e in entries.items() if e.block == block_of(arena)):
                        if not np.isfinite(self.network.parameters.view(array, name)).all():
                            layer = name.rpartition(".")[0]
                            return f"the update of layer {layer!r} (parameter {name!r}, op {first[0].op!r})"
            return f"the {where.phase} (op {first[0].op!r})"
        return None

    def _copy(self, source: Mapping[str, Array], target: Mapping[str, Array]) -> None:
        for name, array in source.items():
            if name in self.changing:
                np.copyto(target[name], array)

    def _look(self) -> None:
        """Finds out anew what the steps change, where layers were frozen or unfrozen."""
        found = self._changing()
        if found - self.changing:
            self.older_step = self._copied_step = None  # of these arrays there are no copies of before
        self.changing = found

    def _changing(self) -> set[str]:
        parameters = self.network.parameters
        learning = {entry.block for name, entry in parameters.entries.items() if self.network.trainable(name)}
        return {
            name
            for name in self.arenas
            if block_of(name) in learning or not kind_of(name).startswith(("parameters", "slot."))
        }


def finite(array: Array) -> bool:
    """Whether every number is finite. A finite sum proves it with one pass over the array and no mask."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
