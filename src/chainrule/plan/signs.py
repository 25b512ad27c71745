"""Values that are signs, and where the sign of a value changes.

A sign activation behind batch normalisation, or behind any chain of sums, products and quotients with numbers of its
channel, turns at one number of what the chain reads: a limit that can be compared with at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ops import Builder, Node, Value
from .plan import Plan

__all__ = ["Limits", "fold_signs", "is_signs", "signed_value"]

Array = NDArray[Any]
#: Ops of a chain: with numbers as their other operand they rise or fall everywhere.
_CHAIN = ("add", "subtract", "multiply", "divide")
#: Beyond ± this number limits are not looked for.
_FAR = np.float32(1e30)


def signed_value(value: Value) -> Value | None:
    """z where the value is the sign of z, as the activation states it (sign z + [z = 0]); else None."""
    node = value.producer
    if node is None or node.op != "add":
        return None
    makers = {v.producer.op: v.producer for v in node.inputs if v.producer is not None}
    if set(makers) != {"sign", "equal"}:
        return None
    z, (same, zero) = makers["sign"].inputs[0], makers["equal"].inputs
    return z if same is z and zero.role == "constant" and zero.constant == 0 else None


def is_signs(value: Value) -> bool:
    """Whether all elements are −1, 1 or NaN: the output of a sign activation, also moved about, or the largest of some."""
    node = value.producer
    if node is None:
        return False
    if node.op == "where":
        numbers = [v.constant if v.role == "constant" else 0.0 for v in node.inputs[1:]]
        return all(abs(n) == 1 for n in numbers)
    if node.op == "add":
        return signed_value(value) is not None
    if node.op in ("reshape", "transpose", "slice", "copy", "concat"):
        return all(is_signs(v) for v in node.inputs)
    # A window of padding alone would have no largest element; there is none.
    return node.op == "max_pool" and value is node.outputs[0] and is_signs(node.inputs[0])


# ---------------------------------------------------------------- limits


@dataclass(frozen=True)
class Limits:
    """For each channel the number from which on a sign is 1, or −1 where it is turned."""

    limits: Array
    turned: Array


def fold_signs(plan: Plan, limits_of: Callable[[int, Callable[[], Plan]], Limits | None]) -> Plan:
    """Bits of signs by comparing what stands before normalisation and sign with a limit for each channel.

    The plan must be one of predictions with frozen weights, which have no other operands than arenas. The bits are those of
    the chain itself, since the limits are found by its own numbers.

    Parameters
        limits_of : called with the number of the node and a function that makes the plan of its chain: input "x0"
            (1, ..., channels), output "z", the value whose sign is asked for; see ``limits_by_bisection``
    """
    varying = {id(v) for v in plan.inputs.values()}
    readers: dict[int, int] = {id(v): 1 for v in plan.outputs.values()}
    for node in plan.nodes:
        if any(id(v) in varying for v in node.inputs):
            varying.update(id(v) for v in node.outputs)
        for v in node.inputs:
            readers[id(v)] = readers.get(id(v), 0) + 1
    found: list[Node] = []
    for number, node in enumerate(plan.nodes):
        z = signed_value(node.inputs[0]) if node.op == "pack_signs" and node.attrs["limits"] is None else None
        root = None if z is None else _root(z, varying)
        if z is None or root is None:
            found.append(node)
            continue
        limits = limits_of(number, lambda root=root, z=z: _chain_plan(plan, root, z, varying))  # type: ignore[misc]
        if limits is None:
            found.append(node)
            continue
        attrs = {"limits": limits.limits, "turned": limits.turned}
        source = root.producer
        if source is not None and source.op == "binary_matmul" and readers[id(root)] == 1:
            op, inputs, attrs = "binary_matmul_signs", source.inputs, source.attrs | attrs
        else:
            op, inputs = "pack_signs", (root,)
        found.append(Node(op, inputs, node.outputs, attrs, node.where))
    return plan.replace(found)


def _root(z: Value, varying: set[int]) -> Value | None:
    """What a chain of z begins with; None where z is that itself."""
    value = z
    while (node := value.producer) is not None and node.op in _CHAIN:
        own = [v for v in node.inputs if id(v) in varying]
        if len(own) != 1 or own[0].shape != value.shape or (node.op == "divide" and node.inputs[0] is not own[0]):
            break
        if any(v.size != v.shape[-1] for v in node.inputs if v is not own[0] and v.shape):
            break  # numbers that differ between positions
        value = own[0]
    return None if value is z else value


def _chain_plan(plan: Plan, root: Value, z: Value, varying: set[int]) -> Plan:
    """The plan of a chain for one position."""
    k = Builder(training=False)
    x = Value((*[1] * (root.ndim - 1), root.shape[-1]), "float", "input", "x0")
    made: dict[int, Value] = {id(root): x}

    def again(value: Value) -> Value:
        if id(value) not in made:
            node = value.producer
            if node is None:
                made[id(value)] = value
            else:
                for old, new in zip(node.outputs, k.emit(node.op, *map(again, node.inputs), **node.attrs), strict=True):
                    made[id(old)] = new
        return made[id(value)]

    out = again(z)
    arenas = {v.base.name: v.base for node in k.nodes for v in node.inputs if v.base is not None}
    return Plan(k.nodes, {"x0": x}, {"z": out}, arenas, k.scalars, 1)


def limits_by_bisection(shape: tuple[int, ...], run: Callable[[Array], Array]) -> Limits | None:
    """Where the sign of what ``run`` makes of x (float32, of this shape) turns, by bisection among all float32 numbers.

    None where a chain does not stay finite, so that it has no sign everywhere.
    """

    def positive(keys: Array) -> Array:
        # Whole numbers in the order of the floats whose bits they are.
        bits = np.where(keys < 0, -(keys + 1) | np.int64(0x80000000), keys).astype(np.uint32)
        return run(bits.view(np.float32).reshape(shape)).reshape(-1) >= 0

    ends = [np.full(shape, far, np.float32) for far in (-_FAR, _FAR)]
    z = [run(end).reshape(-1).copy() for end in ends]
    if not all(np.isfinite(one).all() for one in z):
        return None
    falls, rises = z[0] >= 0, z[1] >= 0
    top = np.int64(np.array(_FAR).view(np.int32)[()])
    low, high = np.full(z[0].shape, -top - 1), np.full(z[0].shape, top)
    while (high - low > 1).any():
        middle = (low + high) // 2
        beyond = positive(middle) != falls
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    bits = np.where(high < 0, -(high + 1) | np.int64(0x80000000), high).astype(np.uint32)
    limits = np.where(falls == rises, np.float32(-np.inf), bits.view(np.float32))
    return Limits(limits, np.where(falls == rises, ~falls, falls))
