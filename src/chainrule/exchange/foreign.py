"""A network of another library as data: nodes, arrays, inputs and outputs, in the terms of ONNX.

Every reader of a file (``onnx_file``, ``caffe_file``, ``mxnet_file``) makes one of these, and ``translate`` makes a Network
of it. Arrays and axes are as ONNX has them: images with channels first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

__all__ = ["BATCH", "ForeignGraph", "ForeignNode", "Size", "same_size"]

Array = NDArray[Any]


class Size:
    """A size that is not known before data comes, such as the number of samples: a name, times a whole number.

    Sums and quotients of it are new sizes that nothing else is known of.

    Example
        >>> Size("N") * 2 == Size("N", 2), Size("T") + 1 == Size("T")
        (True, False)
    """

    def __init__(self, name: str, factor: int = 1) -> None:
        self.name, self.factor = name, factor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and (self.name, self.factor) == (other.name, other.factor)

    def __hash__(self) -> int:
        return hash((self.name, self.factor))

    def __repr__(self) -> str:
        return self.name if self.factor == 1 else f"{self.factor} {self.name}"

    def __mul__(self, other: Any) -> Size:
        whole = isinstance(other, (int, np.integer))
        return Size(self.name, self.factor * int(other)) if whole else self._other("*", other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Size | int:
        if isinstance(other, Size) and other.name == self.name and self.factor % other.factor == 0:
            return self.factor // other.factor
        if isinstance(other, (int, np.integer)) and other and self.factor % int(other) == 0:
            return Size(self.name, self.factor // int(other))
        return self._other("//", other)

    __truediv__ = __floordiv__

    def __add__(self, other: Any) -> Size:
        return self if other == 0 else self._other("+", other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Size:
        return self if other == 0 else self._other("-", other)

    def __rsub__(self, other: Any) -> Size:
        return Size(f"({other} - {self!r})")

    def __neg__(self) -> Size:
        return Size(f"(-{self!r})")

    def __rfloordiv__(self, other: Any) -> Size:
        return Size(f"({other} // {self!r})")

    __rtruediv__ = __rfloordiv__

    def _other(self, sign: str, other: Any) -> Size:
        return Size(f"({self!r} {sign} {other!r})")


#: The number of samples.
BATCH = Size("N")


def same_size(a: Any, b: Any) -> bool:
    """Whether two sizes are known to be the same."""
    return bool(a == b)


@dataclass
class ForeignNode:
    """One operation.

    Attributes
        op : its name in ONNX ; name : in the file, "" where it has none ; inputs, outputs : names of tensors, "" for one
        that is left out ; attributes : plain values and arrays ; version : of ONNX's operator set
    """

    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    version: int = 13

    def shown(self) -> str:
        """The node as an error names it."""
        return f"node {self.name!r} ({self.op})" if self.name else f"the node {self.op} that makes {self.outputs[0]!r}"

    def given(self, place: int) -> bool:
        """Whether the node has an input at this place."""
        return place < len(self.inputs) and bool(self.inputs[place])


@dataclass
class ForeignGraph:
    """A whole network.

    Attributes
        source : the file's name, for messages ; nodes : in an order in which each comes after those it needs ;
        arrays : the weights and constants by name ; inputs : {name: (sizes with the batch, "float" or "int")}, where a size
        is an int or a Size ; outputs : names of tensors ; channels_last : whether images go in and come out with channels
        last, so that the axes at both ends are those of the file
    """

    source: str
    nodes: list[ForeignNode]
    arrays: dict[str, Array]
    inputs: dict[str, tuple[tuple[Any, ...], str]]
    outputs: list[str]
    channels_last: bool = False

    def __post_init__(self) -> None:
        self._check_names()
        self.nodes = self._sorted()

    def _check_names(self) -> None:
        makers: dict[str, str] = {name: "an input" for name in self.inputs}
        for node in self.nodes:
            for name in node.outputs:
                if name and name in makers:
                    raise ModelFileError(
                        f"{self.source}: the tensor {name!r} is made twice, by {makers[name]} and by "
                        f"{node.shown()}. The file is "
                        f"damaged, or it was not written by an exporter of ONNX."
                    )
                if name:
                    makers[name] = node.shown()
        for name in self.outputs:
            if name not in makers and name not in self.arrays:
                raise ModelFileError(f"{self.source}: nothing makes the output {name!r}. The file is damaged.")

    def _sorted(self) -> list[ForeignNode]:
        """The nodes that the outputs need, each after those it needs; ModelFileError for one that is missing or a cycle."""
        maker = {name: node for node in self.nodes for name in node.outputs if name}
        done: set[int] = set()
        open_nodes: set[int] = set()
        found: list[ForeignNode] = []
        stack: list[tuple[ForeignNode, bool]] = [(maker[n], False) for n in reversed(self.outputs) if n in maker]
        while stack:
            node, ready = stack.pop()
            if id(node) in done:
                continue
            if ready:
                done.add(id(node))
                open_nodes.discard(id(node))
                found.append(node)
                continue
            open_nodes.add(id(node))
            stack.append((node, True))
            for name in node.inputs:
                if not name or name in self.inputs or name in self.arrays:
                    continue
                if name not in maker:
                    raise ModelFileError(f"{self.source}: {node.shown()} reads {name!r}, which nothing makes.")
                if id(maker[name]) in open_nodes:
                    raise ModelFileError(f"{self.source}: {node.shown()} is part of a cycle: {name!r} depends on itself.")
                if id(maker[name]) not in done:
                    stack.append((maker[name], False))
        return found

    def uses(self) -> dict[str, int]:
        """How often each tensor is read."""
        found: dict[str, int] = {}
        for name in self.outputs:
            found[name] = found.get(name, 0) + 1
        for node in self.nodes:
            for name in node.inputs:
                found[name] = found.get(name, 0) + 1
        return found

    def require(self, known: Iterable[str], computed: set[str] | None = None) -> None:
        """ModelFileError that names every kind of node that is not known, and how often it is there.

        Parameters  computed : tensors that depend on data; other nodes need not be known. None for all
        """
        have = set(known)
        missing: dict[str, list[str]] = {}
        for node in self.nodes:
            if node.op not in have and (computed is None or any(name in computed for name in node.outputs)):
                missing.setdefault(node.op, []).append(node.name or node.outputs[0])
        if missing:
            lines = [f"  {op}: {len(names)} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
                     for op, names in sorted(missing.items())]  # fmt: skip
            raise ModelFileError(
                f"{self.source}: these nodes have no counterpart in chainrule:\n" + "\n".join(lines) + "\n"
                "Cut the network before them when you export it, or replace them by nodes that are known."
            )
