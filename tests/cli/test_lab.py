"""``chainrule lab``."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


def test_lists_the_experiments(run):
    done = run("lab")
    assert done.code == 0
    names = ("vanishing", "exploding", "relu", "initialisation", "depth", "stability", "optimizers")
    assert all(name in done.out for name in names)


def test_runs_one_and_writes_picture_and_data(run, tmp_path):
    done = run("lab", "vanishing", "--quick", "--json", "-o", str(tmp_path / "new"))
    assert done.code == 0, done.err
    assert "hidden layers" in done.out and "✓" in done.out and "lab-vanishing.png" in done.out
    assert (tmp_path / "new" / "lab-vanishing.png").stat().st_size > 10_000
    data = json.loads((tmp_path / "new" / "lab-vanishing.json").read_text(encoding="utf-8"))
    assert data["experiment"] == "vanishing" and data["claims"]


@pytest.mark.slow
def test_bad_input(run, tmp_path):
    done = run("lab", "vanishin")
    assert done.code == 2 and "Did you mean 'vanishing'" in done.err and "Traceback" not in done.err
    assert run("lab", "vanishing", "--seed", "-1").code == 2
    (tmp_path / "file").write_text("")
    done = run("lab", "stability", "--quick", "-o", str(tmp_path / "file" / "x"))
    assert done.code == 2 and "cannot be made" in done.err
