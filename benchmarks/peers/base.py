"""What a library must offer to be measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..workloads import FitTask, Workload

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Predict = Callable[[Floats], Any]

#: glibc gives freed memory back at once, and each new page costs a fault: a loop that frees and takes back its
#: activations is faster with these. Set for the libraries that gain from it, so that their times are their best.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "1000000000000"}


class Training:
    """A network in training.

    ``losses(n)``  makes the first n steps on the batches in order, and returns the loss of each
    ``run(n)``     makes n further steps, and waits for the last
    """

    def losses(self, n: int) -> list[float]:
        raise NotImplementedError

    def run(self, n: int) -> None:
        raise NotImplementedError


class Peer:
    """A library in a process of its own: its import belongs into ``__init__``.

    Parameters  threads : it may use ; variant : one of ``variants``
    """

    #: What pip calls it, and what it needs here besides; the first gives version and installed size.
    distributions: ClassVar[tuple[str, ...]] = ()
    #: The statement with which a program that trains begins.
    import_statement: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("training", "prediction", "fit", "footprint")
    environment: ClassVar[dict[str, str]] = {}
    note: ClassVar[str] = ""
    #: Whether ``predictor`` gives probabilities instead of logits.
    probabilities: ClassVar[bool] = False

    def __init__(self, threads: int, variant: str = "") -> None:
        self.threads, self.variant = threads, variant

    @classmethod
    def variants(cls, kind: str, workload: Workload | None = None) -> tuple[str, ...]:
        """Ways in which the library is measured; "" is the usual one."""
        return ("",)

    def training(self, workload: Workload) -> Training:
        """Training from ``workloads.parameters`` on ``workloads.batches``."""
        raise NotImplementedError

    def predictor(self, workload: Workload) -> Predict:
        """From a NumPy array to a NumPy array."""
        raise NotImplementedError

    def fit(self, task: FitTask, x: Floats, y: Ints) -> Predict:
        """Trains from new weights; returns a function that predicts classes."""
        raise NotImplementedError
