"""A network is never ``Any`` below ``model.py``: what works on networks says which of their sides it needs.

An attribute or a parameter that is Any hides a dependency upwards, from the mathematics to the class that users see.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule

#: Names that stand for a network, or for what trains and computes with one.
NAMES = {"network", "net", "twin", "probe", "session", "trainer"}
#: What stands above ``model.py`` in the layout, and ``model.py`` itself.
ABOVE = {"model.py", "cli", "web", "tasks", "recipes", "laboratory", "estimators", "architectures", "adversarial"}


def untyped(source: str) -> Iterator[tuple[int, str]]:
    """The lines and names of parameters, attributes and variables of a network that are annotated as Any, or not at all."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.arg in NAMES and (node.annotation is None or _is_any(node.annotation)):
            yield node.lineno, node.arg
        elif isinstance(node, ast.AnnAssign) and _is_any(node.annotation):
            target = node.target
            name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
            if name in NAMES:
                yield node.lineno, name


def _is_any(annotation: ast.expr) -> bool:
    """Whether an annotation is Any, or a union with it."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp):
        return _is_any(annotation.left) or _is_any(annotation.right)
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        return any(_is_any(one) for one in (inner.elts if isinstance(inner, ast.Tuple) else [inner]))
    return (isinstance(annotation, ast.Name) and annotation.id == "Any") or (
        isinstance(annotation, ast.Attribute) and annotation.attr == "Any"
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(network: Any): ...", ["network"]),
        ("def f(*, net: Any | None = None): ...", ["net"]),
        ("def f(twin): ...", ["twin"]),
        ("class A:\n    probe: Optional[Any]", ["probe"]),
        ("class A:\n    def __init__(self):\n        self.trainer: 'Any' = None", ["trainer"]),
        ("def f(session: Session, X: Any): ...", []),
        ("def f(network: dict[str, NetworkGraph]): ...", []),
    ],
)
def test_what_counts_as_untyped(source: str, found: list[str]) -> None:
    assert [name for _, name in untyped(source)] == found


def test_no_network_is_any_below_the_model() -> None:
    root = Path(chainrule.__file__).parent
    below = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in ABOVE | {"__main__.py"}]
    assert len(below) > 100
    found = [
        f"{path.relative_to(root)}:{line} {name}"
        for path in below
        for line, name in untyped(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)
