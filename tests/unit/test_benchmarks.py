"""The benchmark runs from the checkout and says what it must; how fast anything is, is not tested."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports modules of the folder benchmarks, which is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"benchmarks.{name}")

    return module


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    import chainrule

    path = os.pathsep.join([str(Path(chainrule.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "benchmarks", *arguments]
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120)


@pytest.mark.slow
def test_one_workload_without_peers(tmp_path: Path) -> None:
    done = run(
        *("--peers", "none", "--only", "training", "--match", "64-32-10", "--budget", "0.02"),
        *("--threads", "1", "--json", str(tmp_path / "out.json"), "--markdown"),
    )
    assert done.returncode == 0, done.stderr
    assert "| 64-32-10, batch 32, SGD | **chainrule** |" in done.stdout
    results = json.loads((tmp_path / "out.json").read_text())
    (cell,) = results["cells"]
    assert cell["agrees"] and cell["off"] < 1e-4
    assert 0 < cell["best_s"] <= cell["median_s"]
    assert results["peak"]["gflops"] > 0 and results["machine"]["cpu"] and results["versions"]["chainrule"]


@pytest.mark.parametrize("arguments", [("--peers", "tensorfow"), ("--only", "speed"), ("--budget", "0"), ("--threads", "0")])
def test_wrong_options_are_refused(arguments: tuple[str, ...], benchmarks: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        benchmarks("__main__").main(list(arguments))
    assert stop.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_expected_losses_follow_their_gradients(benchmarks: Any) -> None:
    """The numbers that every library must compute, against descent along finite differences."""
    workloads = benchmarks("workloads")
    small = workloads.Workload("small", (6, 5, 3), 4, learning_rate=1e-4)
    first = workloads.expected_losses(small)[0]
    params = [a.astype(np.float64) for pair in workloads.parameters(small) for a in pair]
    x, y = workloads.batches(small)[0]

    def loss() -> float:
        z = list(workloads._forward(small, params, x))[-1]
        return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).mean())

    assert loss() == pytest.approx(first, rel=1e-12)
    gradients = []
    for p in params:
        g = np.zeros_like(p)
        for i in np.ndindex(p.shape):
            before = p[i]
            p[i] = before + 1e-6
            up = loss()
            p[i] = before - 1e-6
            g[i] = (up - loss()) / 2e-6
            p[i] = before
        gradients.append(g)
    for p, g in zip(params, gradients, strict=True):
        p -= small.learning_rate * g
    x, y = workloads.batches(small)[1]
    assert loss() == pytest.approx(workloads.expected_losses(small)[1], rel=1e-9)


def test_report_names_what_went_wrong(benchmarks: Any) -> None:
    name = benchmarks("workloads").WORKLOADS[0].name
    cell = {"workload": name, "kind": "training", "peer": "chainrule", "variant": "", "flops": 10**6}
    results = {
        "machine": {"cpu": "x", "cpus": 2, "threads": 2, "memory_gb": 8.0, "system": "s", "python": "3", "date": "d"},
        "versions": {"chainrule": "0"},
        "peak": {"gflops": 100.0, "median_gflops": 50.0, "engine": "onednn"},
        "cells": [
            {**cell, "median_s": 1e-3, "best_s": 5e-4, "off": 0.5, "agrees": False},
            {**cell, "peer": "torch", "median_s": 3e-3, "best_s": 2e-3, "off": 0.0, "agrees": True},
            {**cell, "peer": "jax", "error": "ImportError: no"},
        ],
        "fit": [],
        "footprint": [],
        "left_out": ["sklearn"],
    }
    text = benchmarks("report").markdown(results)
    assert "| **chainrule** | **1 ms** | **500 µs** | **3.00×** | **4.00×** | **2%** |" in text
    assert "off by 50.00%" in text and "ImportError: no" in text and "not calm" in text
    assert "sklearn is not installed" in text and "failed" in text
