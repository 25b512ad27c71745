"""Which parameters of a network can be pruned, and what a sparsity is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constraints import Interval
from ..errors import DataError, ParameterError, ShapeError
from ..network import Masked, NetworkGraph

__all__ = ["check_network", "check_sparsity", "kept_mask", "named", "prunable"]


def prunable(network: NetworkGraph, layers: Iterable[str] | None = None) -> list[str]:
    """The parameters that pruning may take elements from: the matrices and kernels of layers that learn.

    Biases, and the factors of normalisations, have one dimension and are so few that they stay whole; rows of embeddings are
    looked up, not multiplied. Layers that are frozen keep their weights.

    Parameters  layers : names; None: all
    Raises      UnknownNameError when there is no such layer ; ParameterError when nothing can be pruned, or a parameter that
                could be is held in another way, as signs for example ; DataError when a weight is not finite
    """
    check_network("prune", network)
    chosen = named(network, layers)
    found = []
    for name, entry in network.parameters.entries.items():
        layer = name.rpartition(".")[0]
        if len(entry.shape) < 2 or not entry.decay or (chosen is not None and layer not in chosen):
            continue
        if network.layer(layer).index_limit() is not None or not network.trainable(name) or not entry.size:
            continue
        how = network.representation(name)
        if how is not None and not isinstance(how, Masked):
            raise ParameterError(
                f"prune: {name!r} is held as {how!r}, and only what is held as it is, or masked, can be pruned. Leave its "
                f"layer out by layers=[...], or hold it as it is: network.represent({name!r}, None)."
            )
        if not np.isfinite(network.parameters[name]).all():
            raise DataError(f"prune: {name!r} has weights that are not finite, so none of them is known to be the smallest.")
        found.append(name)
    if not found:
        which = "the network" if layers is None else f"layers={sorted(chosen or ())}"
        raise ParameterError(
            f"prune: {which} has no weights that can be pruned: no matrix or kernel of a layer that learns. Frozen layers, "
            f"biases, normalisations and embeddings are left as they are."
        )
    return found


def check_network(what: str, given: Any, *, built: bool = True) -> None:
    """ParameterError unless it is a Network ; NotFittedError unless its shapes are known, where it is to be ``built``"""
    if not isinstance(given, NetworkGraph):
        own = " An estimator holds its network as network_." if hasattr(given, "network_") else ""
        raise ParameterError(f"{what}: expected a Network. Got {given!r:.60} of type {type(given).__name__}.{own}")
    if built:
        given.require_built(what)


def named(network: NetworkGraph, layers: Iterable[str] | None) -> set[str] | None:
    """The names of layers; UnknownNameError when there is no such layer. None: all."""
    if layers is None:
        return None
    found = {layers} if isinstance(layers, str) else set(layers)
    for name in found:
        network.layer(name)
    return found


def check_sparsity(value: Any, what: str = "sparsity") -> float:
    """The share of zeros as a float. ParameterError unless it is a number in [0, 1)."""
    return float(Interval(float, 0, 1, hint="It is the share of weights that become zero.").check("", what, value))


def kept_mask(network: NetworkGraph, name: str) -> NDArray[np.bool_]:
    """True where an element is not pruned yet."""
    how = network.representation(name)
    shape = network.parameters.entries[name].shape
    if how is None:
        return np.ones(shape, bool)
    if not isinstance(how, Masked):
        raise ShapeError(f"{name!r} is held as {how!r} and has no mask.")
    return np.asarray(how.mask != 0)
