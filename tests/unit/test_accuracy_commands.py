"""The commands of benchmarks/accuracy on the data sets, where these are there."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
ROOT = Path(__file__).resolve().parents[2]


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, *arguments: str) -> list[dict[str, float]]:
    found = tmp_path / "found.json"
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "argv", [name, "--data", str(FOLDER), "--json", str(found), *arguments])
    importlib.import_module(f"benchmarks.accuracy.{name}").main()
    return json.loads(found.read_text())


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not (FOLDER / "planetoid").is_dir(), reason="the data set Cora is not there")
def test_graph_convolution_reaches_its_accuracy_on_cora(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, "cora")
    assert len(found) == 10 and sum(one["test"] for one in found) / 10 >= 0.81


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not (FOLDER / "nuclei").is_dir(), reason="the data set of nuclei is not there")
def test_unet_learns_from_a_few_nuclei(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = run(monkeypatch, tmp_path, "nuclei", "--seeds", "0", "--few", "32", "--epochs", "3")
    assert found[0]["dice"] > 0.6
