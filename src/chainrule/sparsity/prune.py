"""Pruning in one shot."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..network import Masked, NetworkGraph
from .allocation import masks_of
from .units import remove_units
from .weights import check_network, check_sparsity, kept_mask, prunable

__all__ = ["METHODS", "apply_masks", "prune", "scores"]

N = TypeVar("N", bound=NetworkGraph)
METHODS = ("magnitude", "random")


def prune(
    network: N,
    sparsity: float,
    *,
    method: str = "magnitude",
    scope: str | None = None,
    structure: str | None = None,
    layers: Iterable[str] | None = None,
    random_state: int = 0,
    in_place: bool = False,
) -> N:
    """A copy of the network in which a share of the weights is zero for good, or, by units, in which they are gone.

    The zeros are masked (``network.representation.Masked``): fits of the pruned network keep them exactly zero, so ``prune``
    and ``fit`` is pruning with fine-tuning. What is pruned already stays pruned. ``sparsity(network)`` says what each layer
    has.

    Parameters
        sparsity : in [0, 1), the share of zeros among the weights that can be pruned; by units, the share of units removed
        method : "magnitude" takes the smallest |w|, "random" any, as the control
        scope : "global" compares the weights of all layers; "layer" takes the same share of each; "erk" takes more of large
            layers, by the Erdős-Rényi-Kernel law; None is "global", and "layer" for units
        structure : None for single weights; "blocks4" and "blocks16" for blocks of so many neighbouring outputs of one
            input, which kernels read as one vector; "units" for whole units and channels, which are removed, so that what
            comes back is a smaller dense network (see ``remove_units``)
        layers : names of the layers to prune, None for all ; random_state : of the method "random"
        in_place : prune this very network, and with it those that share its layers, and return it; not by units
    Raises
        ParameterError : sparsity outside [0, 1), another argument out of its range, no weights that could be pruned
        DataError : a weight is not finite

    References  Han, Pool, Tran, Dally, Learning both weights and connections for efficient neural networks, NIPS 2015

    Example
        >>> from chainrule import Dense, Network
        >>> from chainrule.layers import ReLU
        >>> net = Network([Dense(100), ReLU(), Dense(10)], random_state=0).build((50,))
        >>> small = prune(net, 0.9)
        >>> small.representation("0.dense.weight")
        Masked(... of 5,000 kept)
    """
    check_network("prune", network)
    share = check_sparsity(sparsity)
    if structure == "units":
        if in_place:
            raise ParameterError("prune: units are removed in a copy; a network cannot change its shapes in place.")
        return remove_units(network, share, method=method, scope=scope or "layer", layers=layers, random_state=random_state)
    names = prunable(network, layers)
    kept = {name: kept_mask(network, name) for name in names}
    found = masks_of(scores(network, names, method, random_state), kept, share, scope or "global", structure)
    result = network if in_place else copy.deepcopy(network)
    apply_masks(result, found)
    return result


def scores(network: NetworkGraph, names: Iterable[str], method: str, random_state: int) -> dict[str, NDArray[np.floating]]:
    """A number of at least 0 for every weight; the smallest are pruned first."""
    if method not in METHODS:
        raise ParameterError(f"method must be one of {', '.join(map(repr, METHODS))}. Got {method!r}.")
    if method == "random":
        rng = np.random.default_rng(random_state)
        return {name: rng.random(network.parameters.entries[name].shape) for name in names}
    return {name: np.abs(network.parameters[name]) for name in names}


def apply_masks(network: NetworkGraph, masks: dict[str, NDArray[np.bool_]]) -> None:
    """Holds the parameters under these masks."""
    for name, mask in masks.items():
        network.represent(name, Masked(mask))
