"""What moves numbers and computes nothing: shapes, orders of axes, parts, tables."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ...layers import Concat, Embedding, Reshape, Slice
from ..foreign import BATCH, ForeignNode, Size
from ..translate import Traced, Translator, known_count, operator, plain_sizes

#: Places of an axis that may be taken or repeated one by one.
MOST_PLACES = 512


@operator("Transpose")
def transpose(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    axes = [int(a) for a in node.attributes.get("perm", reversed(range(x.rank)))]
    if sorted(axes) != list(range(x.rank)):
        raise ModelFileError(f"its order of axes {axes} does not fit a tensor of {x.rank} axes.")
    t.put(replace(x, shape=tuple(x.shape[a] for a in axes), order=tuple(axes.index(i) for i in x.order)))


@operator("Flatten")
def flatten(t: Translator, node: ForeignNode) -> None:
    x = t.apart(t.get(0))
    axis = int(node.attributes.get("axis", 1)) % (x.rank + 1)
    if axis != 1:
        raise ModelFileError(f"it flattens from axis {axis}, which joins samples with each other.")
    count = known_count(x.shape[1:])
    t.put(t.reshape(x, (x.shape[0], Size("flat") if count is None else count)))


@operator("Reshape")
def reshape(t: Translator, node: ForeignNode) -> None:
    x, wanted = t.get(0), t.array(1) if node.given(1) else np.asarray(node.attributes.get("shape"))
    assert wanted is not None
    if x.constant:
        raise ModelFileError("it reshapes a constant by sizes that are not known.")
    x, sizes = t.apart(x), list(wanted.reshape(-1))
    keep_zero = not node.attributes.get("allowzero", 0)
    rows = x.rank - len(sizes) + 1
    if _joins(x, sizes, rows):
        t.put(t.joined(t.ordered(x, tuple(range(x.rank))), x.shape[:rows]))
        return
    if (count := _rows_of(x, sizes)) is not None:
        # Groups of each sample as rows of a matrix, such as those of a group normalisation.
        whole = t.ordered(x, tuple(range(x.rank)))
        t.put(t.joined(t.reshape(whole, (BATCH, count, *(int(s) for s in sizes[1:]))), (BATCH, count)))
        return
    if BATCH in x.shape[1:] and x.shape[0] != BATCH and (made := regrouped(t, x, sizes, keep_zero=keep_zero)) is not None:
        t.put(made)
        return
    t.put(t.reshape(x, _target(x, sizes, keep_zero=keep_zero)))


def _over(whole: Any, part: Any) -> Any:
    """The quotient of two sizes where it is a whole number or a size that is known, else None."""
    if isinstance(part, Size):
        same = isinstance(whole, Size) and whole.name == part.name and whole.factor % part.factor == 0
        return whole // part if same else None
    factor = whole.factor if isinstance(whole, Size) else whole
    return whole // part if part and factor % part == 0 else None


def _refined(old: list[Any], new: list[Any]) -> tuple[list[Any], list[list[int]], list[list[int]]] | None:
    """The largest sizes of which both shapes are products: (sizes, those of each old axis, those of each new axis)."""
    atoms: list[Any] = []
    places: tuple[list[list[int]], list[list[int]]] = ([[] for _ in old], [[] for _ in new])
    i = j = 0
    a, b = (old[0] if old else 1), (new[0] if new else 1)
    while i < len(old) or j < len(new):
        if i < len(old) and a == 1:
            i += 1
            a = old[i] if i < len(old) else 1
            continue
        if j < len(new) and b == 1:
            j += 1
            b = new[j] if j < len(new) else 1
            continue
        if i >= len(old) or j >= len(new):
            return None
        atom = a if _over(b, a) is not None else b if _over(a, b) is not None else None
        if atom is None:
            return None
        places[0][i].append(len(atoms))
        places[1][j].append(len(atoms))
        atoms.append(atom)
        a, b = _over(a, atom), _over(b, atom)
    return atoms, *places


def regrouped(t: Translator, x: Traced, sizes: list[Any], *, keep_zero: bool) -> Traced | None:
    """A Reshape of a tensor whose samples lie on any axis: axes are cut and joined, but for samples, which are kept apart.

    So attention may count the heads of all samples on one axis. Returns  None where the sizes do not fit so
    """
    x = t.settled(x)
    wanted: list[Any] = [x.shape[i] if not isinstance(s, Size) and s == 0 and keep_zero and i < x.rank else s
                         for i, s in enumerate(sizes)]  # fmt: skip
    wanted = [s if isinstance(s, Size) else int(s) for s in wanted]
    if -1 in wanted:
        left, free = list(x.shape), wanted.index(-1)
        others = [s for i, s in enumerate(wanted) if i != free]
        for s in [s for s in others if isinstance(s, Size)]:
            if s in left:
                left.remove(s)
                others.remove(s)
        symbols = [s for s in left if isinstance(s, Size)]
        count, known = prod(s for s in left if not isinstance(s, Size)), known_count(others)
        if len(symbols) > 1 or known is None:
            return None
        rest = _over(symbols[0] * count if symbols else count, known)
        if rest is None:
            return None
        wanted[free] = rest
    found = _refined(list(x.shape), wanted)
    if found is None:
        return None
    atoms, old, new = found
    ours = [k for axis in x.order for k in old[axis]]
    mixed = [i for i, group in enumerate(new) if len(group) > 1 and any(atoms[k] == BATCH for k in group)]
    if not ours or atoms[ours[0]] != BATCH or len(mixed) > 1:
        return None
    every = tuple(range(len(atoms)))
    if len(atoms) != x.rank:
        cut = Reshape(plain_sizes([atoms[k] for k in ours[1:]]))
        x = t.apply(cut, x, shape=tuple(atoms), order=tuple(ours))
    else:
        x = replace(x, shape=tuple(atoms), order=tuple(ours))
    groups = [group for i, group in enumerate(new) if i not in mixed and len(group) > 1]
    if any(ours[ours.index(g[0]) : ours.index(g[0]) + len(g)] != g for g in groups):
        ours = [ours[0], *(k for k in every if k != ours[0])]
        x = t.ordered(x, tuple(ours))
    # The file's axes, of which the joined one is still several.
    parts: list[tuple[list[int], Any]] = []
    for i, group in enumerate(new):
        parts += [([k], atoms[k]) for k in group] if i in mixed else [(group, wanted[i])]
    shape = tuple(size for _, size in parts)
    long = sorted((i for i, (group, _) in enumerate(parts) if group), key=lambda i: ours.index(parts[i][0][0]))
    order = [*long, *(i for i, (group, _) in enumerate(parts) if not group)]
    if [shape[i] for i in order] != [x.shape[i] for i in x.order]:
        x = t.apply(Reshape(plain_sizes([shape[i] for i in order[1:]])), x, shape=shape, order=tuple(order))
    else:
        x = replace(x, shape=shape, order=tuple(order))
    if not mixed:
        return x
    at = mixed[0]
    return t.joined(x, tuple(atoms[k] for k in new[at]), at)


def _rows_of(x: Traced, sizes: list[Any]) -> int | None:
    """How many rows of these sizes a sample has, where a Reshape makes one axis of samples and rows; else None."""
    if not x.rank or x.shape[0] != BATCH or x.rows or len(sizes) < 2 or any(isinstance(s, Size) for s in sizes):
        return None
    own, each = known_count(x.shape[1:]), known_count(sizes[1:])
    if int(sizes[0]) != -1 or own is None or each is None or each < 1 or own % each or own == each:
        return None
    return own // each


def _joins(x: Traced, sizes: list[Any], rows: int) -> bool:
    """Whether a Reshape makes one axis of the samples and the axes after them, and leaves the others as they are."""
    if rows < 2 or len(sizes) < 2 or x.shape[0] != BATCH or all(s == 1 for s in x.shape[1:rows]):
        return False
    free = isinstance(sizes[0], Size) or int(sizes[0]) == -1
    return free and all(a == b for a, b in zip(sizes[1:], x.shape[rows:], strict=True))


def _target(x: Traced, wanted: list[Any], *, keep_zero: bool) -> tuple[Any, ...]:
    """The shape that a Reshape asks for: 0 keeps a size, −1 takes what is left, and the samples come first."""
    sizes: list[Any] = [x.shape[i] if not isinstance(s, Size) and s == 0 and keep_zero else s for i, s in enumerate(wanted)]
    sizes = [s if isinstance(s, Size) else int(s) for s in sizes]
    free = [i for i, s in enumerate(sizes) if not isinstance(s, Size) and s == -1]
    if free:
        others = [s for i, s in enumerate(sizes) if i != free[0]]
        left = [*x.shape]
        for s in list(others):
            if isinstance(s, Size) and s in left:
                left.remove(s)
                others.remove(s)
        known, own = known_count(others), known_count([s for s in left if s != BATCH])
        if known is not None and own is not None and known and own % known == 0:
            rest = own // known
            sizes[free[0]] = BATCH if BATCH in left and rest == 1 else rest
            if BATCH in left and rest != 1:
                # What was exported for one sample has 1 where the samples are.
                if sizes[0] != 1 or free[0] == 0:
                    raise ModelFileError(f"it joins samples with each other: {x.shape} becomes {wanted}.")
                sizes[0] = BATCH
        else:
            sizes[free[0]] = Size("rest")
    if not sizes or sizes[0] == BATCH:
        pass
    elif sizes[0] == 1 or free == [0]:
        sizes[0] = BATCH
    elif BATCH in x.shape:
        raise ModelFileError(f"it joins samples with each other: {x.shape} becomes {wanted}.")
    own, made = known_count(x.shape[1:]), known_count(sizes[1:])
    if own is not None and made is not None and own != made:
        raise ModelFileError(f"a sample of shape {x.shape[1:]} has {own} numbers, and {sizes[1:]} would have {made}.")
    return tuple(sizes)


@operator("Squeeze")
def squeeze(t: Translator, node: ForeignNode) -> None:
    x = t.get(0)
    given = t.array(1) if node.given(1) else node.attributes.get("axes")
    axes = [i for i, s in enumerate(x.shape) if s == 1] if given is None else [int(a) % x.rank for a in np.atleast_1d(given)]
    if any(x.shape[a] != 1 for a in axes):
        raise ModelFileError(f"it takes away the axes {axes} of {x.shape}, which are not all 1.")
    t.put(t.reshape(x, tuple(s for i, s in enumerate(x.shape) if i not in axes)))


@operator("Unsqueeze")
def unsqueeze(t: Translator, node: ForeignNode) -> None:
    x = t.get(0)
    axes = np.atleast_1d(np.asarray(t.array(1) if node.given(1) else node.attributes["axes"]))
    rank, shape = x.rank + len(axes), list(x.shape)
    for axis in sorted(int(a) % rank for a in axes):
        shape.insert(axis, 1)
    t.put(t.reshape(x, tuple(shape)))


@operator("Concat")
def concat(t: Translator, node: ForeignNode) -> None:
    xs = [t.settled(t.get(i)) for i in range(len(node.inputs))]
    leader = next(x for x in xs if not x.constant)
    xs = [t.same_for_all(x.array, leader) if x.array is not None else x for x in xs]
    axis = int(node.attributes.get("axis", 1)) % xs[0].rank
    order = xs[0].order
    same = [t.ordered(x, order) for x in xs]
    sizes = [x.shape[axis] for x in same]
    whole = Size("sum") if any(isinstance(s, Size) for s in sizes) else sum(sizes)
    shape = tuple(whole if i == axis else s for i, s in enumerate(xs[0].shape))
    if len(same) == 1:
        t.put(same[0])
        return
    ours = order.index(axis)
    t.put(t.apply(Concat(-1 if ours == len(order) - 1 else ours), *same, shape=shape, order=order))


def cut_axis(t: Translator, x: Traced, axis: int, start: int, stop: int) -> Traced:
    """A stretch of an axis."""
    size = x.shape[axis]
    if isinstance(size, Size):
        length: Any = Size("part")
        if start == 0 and stop >= 2**31 - 1:
            return x
        stop_given = None if stop >= 2**31 - 1 else stop
        if stop_given is None and start < 0:
            length = -start
        elif stop_given is not None and (start >= 0) == (stop_given >= 0):
            length = stop_given - start
    else:
        start, stop, _ = slice(start, stop).indices(size)
        length, stop_given = stop - start, stop
        if length == size:
            return x
    shape = tuple(length if i == axis else s for i, s in enumerate(x.shape))
    return t.apply(Slice(t.axis(x, axis), start, stop_given), x, shape=shape, order=x.order)


@operator("Slice")
def cut(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    starts: Any
    steps: Any
    if node.version < 10:
        starts, stops = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes", range(len(starts))), [1] * len(starts)
    else:
        starts, stops = t.array(1), t.array(2)
        axes = t.array(3) if node.given(3) else range(len(starts))
        steps = t.array(4) if node.given(4) else np.ones(len(starts), np.int64)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        if int(axis) % x.rank == x.order[0]:
            if int(step) == 1 and int(start) == 0 and int(stop) >= 2**31 - 1:
                continue
            raise ModelFileError("it leaves samples out.")
        if int(step) != 1:
            size = x.shape[int(axis) % x.rank]
            if isinstance(size, Size):
                raise ModelFileError(f"it takes every {int(step)}th element of a size that is not known: shapes=...")
            limit = 2**31 - 1
            places = range(int(size))[slice(int(start) if abs(int(start)) < limit else None,
                                            int(stop) if abs(int(stop)) < limit else None, int(step))]  # fmt: skip
            x = _taken(t, x, int(axis) % x.rank, list(places))
            continue
        x = cut_axis(t, x, int(axis) % x.rank, int(start), int(min(int(stop), 2**31 - 1)))
    t.put(x)


def _taken(t: Translator, x: Traced, axis: int, places: list[int]) -> Traced:
    """Several places of an axis side by side."""
    if not 1 <= len(places) <= MOST_PLACES:
        raise ModelFileError(f"it takes {len(places)} places of an axis, which is supported from 1 to {MOST_PLACES}.")
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1][1] = place + 1
        else:
            runs.append([place, place + 1])
    parts = [cut_axis(t, x, axis, start, stop) for start, stop in runs]
    shape = tuple(len(places) if i == axis else s for i, s in enumerate(x.shape))
    ours = t.axis(x, axis)
    if len(parts) == 1:
        return parts[0]
    return t.apply(Concat(-1 if ours == x.rank - 1 else ours), *parts, shape=shape, order=x.order)


@operator("Tile", "Expand")
def repeated(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    wanted = t.array(1)
    assert wanted is not None
    sizes = list(wanted.reshape(-1))
    if node.op == "Tile":
        counts = [1 if isinstance(s, Size) else int(s) for s in sizes]
        if any(isinstance(s, Size) for s in sizes) or len(counts) != x.rank:
            raise ModelFileError("it repeats by numbers that are not known, or for other axes than there are.")
    else:
        while len(sizes) < x.rank:
            sizes.insert(0, 1)
        if len(sizes) > x.rank:
            x = t.reshape(x, (x.shape[0], *[1] * (len(sizes) - x.rank), *x.shape[1:]))
        # What is joined to other tensors later is repeated there; an unknown size is left to that.
        counts = [
            1 if isinstance(s, Size) or isinstance(own, Size) or own != 1 else max(int(s), 1)
            for s, own in zip(sizes, x.shape, strict=True)
        ]
    if counts[x.order[0]] != 1:
        raise ModelFileError("it repeats samples.")
    for axis, count in enumerate(counts):
        if count > MOST_PLACES:
            raise ModelFileError(f"it repeats an axis {count} times, which is supported up to {MOST_PLACES} times.")
        if count > 1:
            ours, size = t.axis(x, axis), x.shape[axis]
            shape = tuple((size * count) if i == axis else s for i, s in enumerate(x.shape))
            x = t.apply(Concat(-1 if ours == x.rank - 1 else ours), *[x] * count, shape=shape, order=x.order)
    t.put(x)


@operator("Split")
def split(t: Translator, node: ForeignNode) -> None:
    x = t.settled(t.get(0))
    axis = int(node.attributes.get("axis", 0)) % x.rank
    given = t.array(1) if node.given(1) else node.attributes.get("split")
    count = len(node.outputs)
    if isinstance(x.shape[axis], Size):
        raise ModelFileError("it splits the samples, or an axis of a size that is not known.")
    size = int(x.shape[axis])
    sizes = [-(-size // count)] * count if given is None else [int(s) for s in np.atleast_1d(given)]
    start = 0
    for place, length in enumerate(sizes):
        t.put(cut_axis(t, x, axis, start, min(start + length, size)), place)
        start += length


@operator("Gather")
def gather(t: Translator, node: ForeignNode) -> None:
    table, index = t.get(0), t.get(1)
    if table.constant and not index.constant:
        _embed(t, node, table, index)
        return
    axis = int(node.attributes.get("axis", 0)) % table.rank
    number, x = t.array(1), t.settled(table)
    assert number is not None
    if axis == x.order[0]:
        raise ModelFileError("it takes some of the samples.")
    if number.size != 1:
        size = x.shape[axis]
        if number.ndim != 1 or isinstance(size, Size):
            raise ModelFileError("it takes places of an axis by a matrix, or of an axis of a size that is not known.")
        t.put(_taken(t, x, axis, [int(i) % int(size) for i in number]))
        return
    i = int(number.reshape(()))
    size = x.shape[axis]
    if not isinstance(size, Size):
        i %= int(size)
    x = cut_axis(t, x, axis, i, i + 1 if i != -1 else 2**31 - 1)
    x = replace(x, shape=tuple(1 if k == axis else s for k, s in enumerate(x.shape)))
    t.put(t.reshape(x, tuple(s for k, s in enumerate(x.shape) if k != axis)) if number.ndim == 0 else x)


def _embed(t: Translator, node: ForeignNode, table: Traced, index: Traced) -> None:
    rows = table.array
    if rows is None or rows.ndim != 2 or int(node.attributes.get("axis", 0)) != 0:
        raise ModelFileError("it looks numbers up in a table that is no matrix.")
    index = t.settled(index)
    shape = (*index.shape, rows.shape[1])
    layer = Embedding(rows.shape[0], rows.shape[1])
    order = (*index.order, index.rank)
    t.put(t.apply(layer, index, shape=shape, order=order, weights={"weight": rows}, called=node.name))
