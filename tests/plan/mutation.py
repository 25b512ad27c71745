"""Changes the conditions of the plan's passes, memory and lowering one at a time: a test must fail each time.

    python tests/plan/mutation.py                     all of them; exits with 1 when one survives that is not listed here
    python tests/plan/mutation.py fuse.py memory.py   those of some files ; --list only names them ; --jobs 2

A condition becomes True and False, a comparison its neighbour (< becomes <=, == becomes !=, is becomes is not), and ``any``
and ``all`` become True and False. Each mutant is run by a process of its own that finds it in the place of the module.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "src" / "chainrule" / "plan"
FILES = [*sorted((PLAN / "passes").glob("*.py")), PLAN / "memory.py", PLAN / "lower.py"]
#: The quick ones first; those of lowering and of memory before all others for mutants of these.
TESTS = [
    "test_passes.py", "test_memory.py", "test_lower.py", "test_random_graphs.py", "test_identity.py",
    "test_random_networks.py",
]  # fmt: skip
#: Seconds after which a mutant that makes the tests run on and on counts as found.
PATIENCE = 300

_NEIGHBOURS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip

#: Mutants that no test can tell from the original, as "file function: original -> mutant", with the reason.
EQUIVALENT: dict[str, str] = {}


@dataclass
class Mutant:
    path: Path
    line: int
    name: str
    source: str


def _conditions(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.expr]]:
    """Every place of a condition or comparison: (parent, field, index in the field, expression)."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.expr):
                    continue
                tested = field == "test" or (isinstance(parent, ast.comprehension) and field == "ifs")
                operand = isinstance(parent, ast.BoolOp) or (
                    isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)
                )
                known = isinstance(child, (ast.Compare, ast.BoolOp)) or (
                    isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in ("any", "all")
                )
                if (tested or operand or known) and not isinstance(parent, ast.Assert):
                    yield parent, field, index, child


def _put(parent: ast.AST, field: str, index: int | None, child: ast.expr) -> None:
    if index is None:
        setattr(parent, field, child)
    else:
        getattr(parent, field)[index] = child


def _function(tree: ast.AST, line: int) -> str:
    inner = [
        n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.lineno <= line <= n.end_lineno
    ]
    return ".".join(n.name for n in sorted(inner, key=lambda n: n.lineno))


def mutants(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen: set[str] = set()
    for parent, field, index, child in _conditions(tree):
        others: list[ast.expr] = [ast.Constant(True), ast.Constant(False)]
        if isinstance(child, ast.Compare):
            for i, op in enumerate(child.ops):
                changed = copy.deepcopy(child)
                changed.ops[i] = _NEIGHBOURS[type(op)]()
                others.append(changed)
        for other in others:
            _put(parent, field, index, other)
            source = ast.unparse(tree)
            name = f"{path.name} {_function(tree, child.lineno)}: {ast.unparse(child)} -> {ast.unparse(other)}"
            _put(parent, field, index, child)
            if name not in seen and source != ast.unparse(tree):
                seen.add(name)
                yield Mutant(path, child.lineno, name, source)


# ------------------------------------------------------------ running one


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Gives one module the source of a mutant."""

    def __init__(self, mutant: Mutant) -> None:
        parts = mutant.path.relative_to(ROOT / "src").with_suffix("").parts
        self.package = parts[-1] == "__init__"
        self.module, self.mutant = ".".join(parts[:-1] if self.package else parts), mutant

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=str(self.mutant.path), is_package=self.package)

    def get_filename(self, name: str) -> str:
        return str(self.mutant.path)

    def get_data(self, path: str | bytes) -> bytes:
        return self.mutant.source.encode()


def _child(mutant: Mutant | None) -> None:
    """In the child: runs the tests with the mutant in place and ends with their exit status."""
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    if mutant is not None:
        sys.meta_path.insert(0, _Finder(mutant))
    first = "" if mutant is None else f"test_{mutant.path.name}"
    for name in sorted(TESTS, key=lambda name: name != first):
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), str(ROOT / "tests/plan" / name)])
        if status:
            os._exit(int(status))
    os._exit(0)


def run(mutants: list[Mutant | None], jobs: int) -> Iterator[tuple[Mutant | None, bool]]:
    """Every mutant with whether a test failed."""
    waiting, running = mutants[::-1], {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            pid = os.fork()
            if pid == 0:
                os.setpgid(0, 0)
                _child(mutant)
            running[pid] = (mutant, time.monotonic())
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            mutant, _ = running.pop(pid)
            yield mutant, status != 0
            continue
        for pid, (_, started) in running.items():
            if time.monotonic() - started > PATIENCE:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="", help="mutants whose name holds this text")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    found = [
        m for path in FILES if not given.files or path.name in given.files for m in mutants(path) if given.only in m.name
    ]
    if given.list:
        print("\n".join(f"{m.path.relative_to(ROOT)}:{m.line}  {m.name}" for m in found))
        return 0
    os.environ["CI"] = "1"  # hypothesis tries the same examples every time
    sys.path.insert(0, str(ROOT / "src"))
    import numpy  # noqa: F401  (what every child needs and no mutant touches)
    import pytest  # noqa: F401

    import chainrule.layers
    import chainrule.losses
    import chainrule.network
    import chainrule.optimizers  # noqa: F401

    ((_, broken),) = run([None], 1)
    if broken:
        print("the tests fail without any mutant; put them right first")
        return 2
    started, survivors = time.monotonic(), []
    listed = [m for m in found if m.name in EQUIVALENT]
    for number, (mutant, failed) in enumerate(run([m for m in found if m.name not in EQUIVALENT], given.jobs), 1):
        assert mutant is not None
        if not failed:
            survivors.append(mutant)
            print(f"{mutant.path.relative_to(ROOT)}:{mutant.line}  SURVIVED  {mutant.name}", flush=True)
        if number % 25 == 0:
            print(f"{number} of {len(found) - len(listed)}, {time.monotonic() - started:.0f} s", flush=True)
    gone = [] if given.files or given.only else sorted(set(EQUIVALENT) - {m.name for m in found})
    for name in gone:
        print(f"LISTED BUT GONE  {name}")
    killed = len(found) - len(listed) - len(survivors)
    print(f"{len(found)} mutants: {killed} found by a test, {len(listed)} equivalent, {len(survivors)} survived")
    return 1 if survivors or gone else 0


if __name__ == "__main__":
    sys.exit(main())
