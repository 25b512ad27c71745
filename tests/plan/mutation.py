"""Changes the conditions of the plan's passes, memory and lowering one at a time: a test must fail each time.

    python tests/plan/mutation.py                     all of them; exits with 1 when one survives that is not listed here
    python tests/plan/mutation.py fuse.py memory.py   those of some files ; --list only names them ; --jobs 2

A condition becomes True and False, a comparison its neighbour (< becomes <=, == becomes !=, is becomes is not), and ``any``
and ``all`` become True and False. Each mutant has a process of its own, made when all tests are imported, so that it takes
no longer than the tests up to the first that fails.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "src" / "chainrule" / "plan"
FILES = [*sorted((PLAN / "passes").glob("*.py")), PLAN / "memory.py", PLAN / "lower.py"]
#: The quick ones first; the tests of a mutant's own module come before them.
TESTS = [
    "test_passes.py", "test_memory.py", "test_lower.py", "test_random_graphs.py", "test_identity.py",
    "test_random_networks.py",
]  # fmt: skip
#: Seconds after which a mutant that makes the tests run on and on counts as found.
PATIENCE = 200

_NEIGHBOURS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip

#: Mutants that no test can tell from the original, as "file function: original -> mutant", with the reason.
EQUIVALENT: dict[str, str] = {
    "fuse.py _grouped: v.base is None -> False": "what lies in no arena is filed under no arena, where nobody looks it up",
}


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


# ------------------------------------------------------------ running them


def _apply(mutant: Mutant) -> None:
    """Gives the functions of the mutant's module the code of the mutant; whoever imported them has the mutant then, too."""
    parts = mutant.path.relative_to(ROOT / "src").with_suffix("").parts
    package = parts[-1] == "__init__"
    module = importlib.import_module(".".join(parts[:-1] if package else parts))
    changed = ModuleType(module.__name__)
    changed.__dict__.update({n: getattr(module, n) for n in ("__package__", "__file__", "__path__") if hasattr(module, n)})
    exec(compile(mutant.source, str(mutant.path), "exec"), changed.__dict__)
    for name, new in list(vars(changed).items()):
        old = getattr(module, name, None)
        inside = vars(new).items() if isinstance(new, type) else ()
        for found, made in [(old, new), *((getattr(old, n, None), m) for n, m in inside)]:
            if isinstance(made, FunctionType) and isinstance(found, FunctionType) and found.__module__ == module.__name__:
                found.__code__ = made.__code__


class Mutation:
    """In the place of pytest's loop over the tests: after all are imported, a process for each mutant runs them."""

    def __init__(self, mutants: list[Mutant], jobs: int) -> None:
        # First each module as it is: the tests must pass with it, or its mutants would all seem to be found.
        same = {m.path: Mutant(m.path, 0, "", ast.unparse(ast.parse(m.path.read_text(encoding="utf-8")))) for m in mutants}
        self.waiting, self.jobs = [*mutants[::-1], *same.values()], jobs
        self.survivors: list[Mutant] = []
        self.done, self.broken = 0, False

    def pytest_sessionstart(self) -> None:
        from hypothesis import HealthCheck, Phase, settings

        # The same examples every time, however slow, and the first that fails is enough.
        settings.register_profile(
            "mutation",
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        running: dict[int, tuple[Mutant, float]] = {}
        started, total = time.monotonic(), len(self.waiting)
        while (self.waiting or running) and not self.broken:
            while self.waiting and len(running) < self.jobs:
                mutant = self.waiting.pop()
                pid = os.fork()
                if pid == 0:
                    self._child(session, mutant)
                running[pid] = (mutant, time.monotonic())
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                for pid, (_, since) in running.items():
                    if time.monotonic() - since > PATIENCE:
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
                continue
            mutant, _ = running.pop(pid)
            self.done += 1
            if not mutant.name:
                self.broken = status != 0
            elif not status:
                self.survivors.append(mutant)
                print(f"{mutant.path.relative_to(ROOT)}:{mutant.line}  SURVIVED  {mutant.name}", flush=True)
            if self.done % 50 == 0:
                print(f"{self.done} of {total}, {time.monotonic() - started:.0f} s", flush=True)
        return True

    def _child(self, session: pytest.Session, mutant: Mutant) -> None:
        """Runs the tests until one fails, those of the mutant's own module first, and ends with whether one did."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        _apply(mutant)
        items = sorted(session.items, key=lambda item: item.path.name != f"test_{mutant.path.name}")
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)
        os._exit(0)


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
    sys.path.insert(0, str(ROOT / "src"))
    tested = [m for m in found if m.name not in EQUIVALENT]
    mutation = Mutation(tested, given.jobs)
    tests = [str(ROOT / "tests" / "plan" / name) for name in TESTS]
    pytest.main(["-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *tests], plugins=[mutation])
    if mutation.broken or not mutation.done:
        print("the tests fail without any change; put them right first")
        return 2
    listed, survivors = len(found) - len(tested), mutation.survivors
    gone = [] if given.files or given.only else sorted(set(EQUIVALENT) - {m.name for m in found})
    for name in gone:
        print(f"LISTED BUT GONE  {name}")
    killed = len(found) - listed - len(survivors)
    print(f"{len(found)} mutants: {killed} found by a test, {listed} equivalent, {len(survivors)} survived")
    return 1 if survivors or gone else 0


if __name__ == "__main__":
    sys.exit(main())
