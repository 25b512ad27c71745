"""Every block of Python in the pages for users runs, top to bottom, and prints what stands below it.

A block of ``text`` right after one of ``python`` is what it prints, with ``...`` for what may differ. Commands in a block of
``sh`` that begin with ``chainrule`` run too. Each page has a process of its own, since it defines layers of its own.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(p for p in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")) if p.is_file())
RUNNABLE = [p for p in PAGES if "```python" in p.read_text(encoding="utf-8")]


def run_page(page: Path) -> None:
    """Runs the blocks of a page; AssertionError when one prints something else than the page says."""
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__page__"}
    printed: str | None = None
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for block in _BLOCK.finditer(text):
        kind, code = block.group(1), block.group(2)
        line = text[: block.start(2)].count("\n")
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                # The padding makes a traceback name the line of the page.
                exec(compile("\n" * line + code, str(page), "exec"), namespace)
            printed = out.getvalue()
        elif kind == "text" and printed is not None:
            assert checker.check_output(code, printed, flags), (
                f"{page.name}, line {line}: the page says\n{code}\nand Python printed\n{printed}"
            )
            printed = None
        elif kind == "sh":
            _run_commands(code, f"{page.name}, line {line}")


def _run_commands(code: str, where: str) -> None:
    from chainrule.cli.main import main

    for command in code.splitlines():
        words = shlex.split(command, comments=True)
        if words[:1] == ["chainrule"] and words[1] != "demo":
            with contextlib.redirect_stdout(io.StringIO()):
                assert main(words[1:]) == 0, f"{where}: {command} failed"


#: Pages that run each time; the others are among the slow tests.
FIRST = {"README.md", "getting-started.md", "extending.md", "training.md", "tables.md", "mathematics.md"}


@pytest.mark.parametrize(
    "page", [pytest.param(p, id=p.name, marks=[] if p.name in FIRST else pytest.mark.slow) for p in RUNNABLE]
)
def test_page_runs(page: Path, tmp_path: Path) -> None:
    for name in ("sklearn", "typer"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"the pages use {name}, which is not installed")
    import chainrule

    path = os.pathsep.join([str(Path(chainrule.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(page)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_page_of_layers_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    wanted = generate.render()
    assert generate.PAGE.read_text(encoding="utf-8") == wanted, "run: python docs/generate.py"


if __name__ == "__main__":
    warnings.filterwarnings("ignore", ".*epochs ran out")  # pages train for few epochs on purpose
    run_page(Path(sys.argv[1]))
