"""Lottery tickets: sparse networks that learn from the weights they had early in the training."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import ParameterError
from ..training.callbacks import Callback, Logs
from ..training.history import History
from ..training.session import Session
from ..training.settings import FitSettings
from .prune import prune
from .table import sparsity as table_of
from .weights import check_network, check_sparsity

if TYPE_CHECKING:
    from ..training.state import FitState
    from ..training.trainable import Trainable

__all__ = ["Ticket", "lottery_ticket"]


@dataclass(frozen=True)
class Ticket:
    """A lottery ticket. Attributes
    network : sparse and trained ; start : sparse, with the weights of the moment that was rewound to
    rounds : of each fit the sparsity and the last numbers of its history, the dense fit first
    """

    network: Trainable
    start: Trainable
    rounds: list[dict[str, float]]


class _Keep(Callback):
    """Copies the weights at the end of an epoch; 0: before the first."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.kept: dict[str, NDArray[Any]] = {}

    def on_fit_begin(self, state: FitState) -> None:
        if self.epoch == 0:
            self._keep(state)

    def on_epoch_end(self, state: FitState, epoch: int, logs: Logs) -> None:
        if epoch == self.epoch:
            self._keep(state)

    def _keep(self, state: FitState) -> None:
        self.kept = {"parameters": state.network.parameters.packed(), "states": state.network.states.packed()}

    def give(self, network: Trainable) -> None:
        network.parameters.unpack(self.kept["parameters"])
        network.states.unpack(self.kept["states"])


def lottery_ticket(
    network: Trainable,
    X: Any,
    y: Any = None,
    *,
    sparsity: float,
    rounds: int = 5,
    rewind: int = 0,
    scope: str = "global",
    structure: str | None = None,
    layers: Iterable[str] | None = None,
    **fit: Any,
) -> Ticket:
    """Finds a sparse network that learns from its early weights: train, prune the smallest, rewind the rest, and again.

    In each round the weights that are left become fewer by the same factor, until ``sparsity`` is reached in the last. The
    network itself stays as it is.

    Parameters
        X, y, fit : as of ``fit`` ; sparsity : in [0, 1) ; rounds : int >= 1 = 5
        rewind : the epoch to whose end the weights go back = 0, the start; deep networks need a few epochs
        scope, structure, layers : as of ``prune``, but for structure="units"
    Raises      as ``prune`` and ``fit``

    References  Frankle and Carbin, The lottery ticket hypothesis, ICLR 2019 ; Frankle, Dziugaite, Roy, Carbin, Linear mode
                connectivity and the lottery ticket hypothesis, ICML 2020
    """
    share = check_sparsity(sparsity)
    settings = FitSettings.of({"verbose": 0, **fit})
    rounds = Interval(int, 1).check("lottery_ticket", "rounds", rounds)
    rewind = Interval(int, 0).check("lottery_ticket", "rewind", rewind)
    if rewind >= settings.epochs:
        raise ParameterError(
            f"lottery_ticket: rewind={rewind} leaves nothing to train of {settings.epochs} epochs. Give an earlier epoch."
        )
    if structure == "units":
        raise ParameterError('lottery_ticket: structure="units" changes shapes, so no weights can be rewound.')
    check_network("lottery_ticket", network, built=False)
    found, keep = copy.deepcopy(network), _Keep(int(rewind))
    names = None if layers is None else list(layers)
    history = Session(found).fit(X, y, settings.replace(callbacks=[*settings.own_callbacks, keep]))
    seen = [_last(found, history)]
    for n in range(1, rounds + 1):
        prune(found, 1 - (1 - share) ** (n / rounds), scope=scope, structure=structure, layers=names, in_place=True)
        keep.give(found)
        start = copy.deepcopy(found)
        history = Session(found).fit(X, y, settings.replace(epochs=settings.epochs - rewind))
        seen.append(_last(found, history))
    return Ticket(found, start, seen)


def _last(network: Trainable, history: History) -> dict[str, float]:
    """The sparsity, and the last numbers of a history."""
    return {"sparsity": table_of(network).sparsity, **{name: history[name][-1] for name in history}}
