"""How many elements each parameter may keep, and which ones: masks from scores."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError

__all__ = ["SCOPES", "STRUCTURES", "block_sums", "erdos_renyi", "masks_of"]

Array = NDArray[np.floating]
Masks = dict[str, NDArray[np.bool_]]
SCOPES = ("global", "layer", "erk")
#: Neighbouring outputs that are pruned together.
STRUCTURES: dict[str | None, int] = {None: 1, "blocks4": 4, "blocks16": 16}


def erdos_renyi(shapes: Mapping[str, tuple[int, ...]], sparsity: float) -> dict[str, float]:
    """The share of zeros of each array by the Erdős-Rényi-Kernel law, with ``sparsity`` over all.

    An array keeps a share that grows with (Σ of its sizes) / (Π of its sizes), so large ones become sparser; one whose share
    would be above 1 stays dense.

    References  Evci, Gale, Menick, Castro, Elsen, Rigging the lottery, ICML 2020 ; Mocanu et al., Nature Communications 2018

    Example
        >>> found = erdos_renyi({"a": (10, 10), "b": (100, 100)}, 0.9)
        >>> round(found["a"], 3), round(found["b"], 3)
        (0.495, 0.904)
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    wanted = (1 - sparsity) * sum(sizes.values())
    raw = {name: sum(shape) / sizes[name] for name, shape in shapes.items()}
    dense: set[str] = set()
    while True:
        sparse = [name for name in shapes if name not in dense]
        left = wanted - sum(sizes[name] for name in dense)
        factor = left / sum(raw[name] * sizes[name] for name in sparse) if sparse else 0.0
        full = {name for name in sparse if factor * raw[name] > 1}
        if not full:
            break
        dense |= full
    return {name: 0.0 if name in dense else 1 - factor * raw[name] for name in shapes}


def block_sums(array: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sums of ``width`` neighbours on the last axis; the last block may have fewer."""
    return np.asarray(np.add.reduceat(array, np.arange(0, array.shape[-1], width), axis=-1))


def masks_of(
    scores: Mapping[str, Array], kept: Mapping[str, NDArray[np.bool_]], sparsity: float, scope: str, structure: str | None
) -> Masks:
    """Where elements stay: those of the largest scores.

    Parameters
        scores : of every element ; kept : False where an element is pruned already; such elements go first
        scope : "global" compares the elements of all arrays, "layer" those of each array, "erk" gives each array its share
            by ``erdos_renyi`` ; structure : None or a name in STRUCTURES, whose blocks have the mean of their scores
    Every array keeps at least one element (or block): without any the network would compute nothing.
    """
    if scope not in SCOPES:
        raise ParameterError(f"scope must be one of {', '.join(map(repr, SCOPES))}. Got {scope!r}.")
    if structure not in STRUCTURES:
        raise ParameterError(f'structure must be None, "blocks4", "blocks16" or "units". Got {structure!r}.')
    width = STRUCTURES[structure]
    values: dict[str, NDArray[np.float64]] = {}
    sizes: dict[str, NDArray[np.float64]] = {}
    for name, score in scores.items():
        pruned = np.where(kept[name], score.astype(np.float64), -1.0)
        sizes[name] = block_sums(np.ones(score.shape[-1]), width) + np.zeros((*score.shape[:-1], 1))
        values[name] = np.asarray(block_sums(pruned, width) / sizes[name], np.float64)
    if scope == "global":
        flat = np.concatenate([v.reshape(-1) for v in values.values()])
        keep = _largest(flat, np.concatenate([s.reshape(-1) for s in sizes.values()]), sparsity)
        cuts = np.cumsum([v.size for v in values.values()])[:-1]
        chosen = dict(zip(values, np.split(keep, cuts), strict=True))
    else:
        shares = dict.fromkeys(scores, sparsity)
        if scope == "erk":
            shares = erdos_renyi({name: score.shape for name, score in scores.items()}, sparsity)
        chosen = {name: _largest(v.reshape(-1), sizes[name].reshape(-1), shares[name]) for name, v in values.items()}
    masks = {}
    for name, score in scores.items():
        flags = chosen[name]
        if not flags.any():
            flags[np.argmax(values[name].reshape(-1))] = True
        whole = np.repeat(flags.reshape(values[name].shape), width, axis=-1)[..., : score.shape[-1]]
        masks[name] = whole & kept[name]
        if not masks[name].any():
            masks[name].reshape(-1)[np.argmax(np.where(kept[name], score, -1.0).reshape(-1))] = True
    return masks


def _largest(values: NDArray[np.float64], sizes: NDArray[np.float64], sparsity: float) -> NDArray[np.bool_]:
    """True for the largest values, so that the sizes of the others come nearest to ``sparsity`` of all."""
    keep = np.ones(len(values), bool)
    if (sizes == sizes[0]).all():
        count = round(sparsity * len(values))
        if count:
            keep[np.argpartition(values, count - 1)[:count]] = False
        return keep
    order = np.argsort(values, kind="stable")
    target = sparsity * float(sizes.sum())
    gone = np.cumsum(sizes[order])
    count = int(np.searchsorted(gone, target, "right"))
    if count < len(order):
        before = gone[count - 1] if count else 0.0
        count += int(abs(gone[count] - target) < abs(before - target))
    keep[order[:count]] = False
    return keep
