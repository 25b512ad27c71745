"""An op of one's own is one entry in one file, and its kernel in another: done in a copy of the package as the page says."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import chainrule
from chainrule.ops import OPS

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "src" / "chainrule" / "plan"
_BLOCK = re.compile(r"^ *```py\n *# (\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)

PROGRAM = """
import numpy as np
import chainrule
from chainrule import Dense, Network
from chainrule.engine import get_engine
from chainrule.layers import Activation
from chainrule.ops import Saved
from chainrule.testing import check_layer

class Sine(Activation):
    activation_name = "sine"

    def apply(self, k, z):
        return k.sin(z), Saved(z=z)

    def derivative(self, k, saved):
        return k.sin(k.add(saved.z, np.pi / 2))

assert check_layer(Sine(), (5,)).largest_error < 1e-6
rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4)).astype(np.float32)
y = np.sin(X.sum(axis=1, keepdims=True))
found = []
for engine in ("reference", "auto"):
    net = Network([Dense(8), Sine(), Dense(1)], random_state=0)
    net.fit(X, y, epochs=3, batch_size=16, engine=engine, verbose=0)
    found.append(net.predict(X))
np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)
assert "a¹ = sin(z¹)" in str(net.equations()), net.equations()
assert r"\\sin(" in net.equations().latex()
assert "sin" in net.plan(16).show()
print("done", chainrule.__file__)
"""


@pytest.mark.slow
def test_the_page_names_all_files_that_a_new_op_needs(tmp_path: Path) -> None:
    blocks = _BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    assert len(blocks) == 2
    copy = tmp_path / "chainrule"
    shutil.copytree(Path(chainrule.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, code in blocks:
        path = tmp_path / name.removeprefix("src/")
        text, code = path.read_text(encoding="utf-8"), textwrap.indent(textwrap.dedent(code), "    ")
        if name.startswith("src/chainrule/ops/"):
            text = f"{text.rstrip()}\n\n{code}"  # the class of a family stands last in its file
        else:
            start = re.search(r"^ELEMENTWISE\b.*\{\n", text, re.MULTILINE)
            assert start is not None
            text = text[: start.end()] + code + text[start.end() :]
        path.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "done" and str(tmp_path) in done.stdout


def test_no_pass_knows_an_op_by_its_name() -> None:
    """What a pass wants to know of an op is said by the op's entry, so that it holds for a new op, too."""
    for path in [*(PLAN / "passes").glob("*.py"), PLAN / "memory.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)} & set(OPS)
        assert not named, f"{path.name} names the ops {sorted(named)}"
