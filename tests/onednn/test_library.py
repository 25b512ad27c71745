"""oneDNN missing, too old, of another thread library, or without OpenMP: a reason, and OpenBLAS or the reference engine."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chainrule import engine
from chainrule.engine import choose, get_engine
from chainrule.engine.onednn import library
from chainrule.errors import EngineError


@pytest.fixture(autouse=True)
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not looked for oneDNN yet; afterwards everything is as it was."""
    monkeypatch.setattr(library, "_open", None)
    monkeypatch.setattr(engine, "fallback_reason", None)
    monkeypatch.setattr(library, "find_spec", lambda name: None)  # and no OpenBLAS
    monkeypatch.delenv("CHAINRULE_LIBRARY", raising=False)


def pretend(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], runtime: int) -> None:
    """One libdnnl is found, and it says that it is of this version and thread library."""
    found = library._Version(*version, b"", runtime, 0)
    monkeypatch.setattr(library, "_candidates", lambda: ["/opt/libdnnl.so.3"])
    monkeypatch.setattr(ctypes, "CDLL", lambda path: SimpleNamespace(path=path))
    monkeypatch.setattr(library, "_version_of", lambda dnnl: found)


def expect(words: str) -> None:
    with pytest.raises(EngineError, match=words) as raised:
        get_engine("onednn")
    assert "pip install" in str(raised.value) or "apt-get install" in str(raised.value)
    chosen, why = choose()
    assert chosen.name == "reference"
    assert str(raised.value) in why


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_candidates", lambda: ["/nowhere/libdnnl.so.3"])
    expect(r"no usable oneDNN.*nowhere/libdnnl")


@pytest.mark.parametrize("version", [(2, 7, 0), (4, 0, 0)])
def test_of_another_version(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]) -> None:
    pretend(monkeypatch, version, 2)
    expect(f"version {version[0]}.{version[1]}.0, chainrule needs 3.x")


def test_of_another_thread_library(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, (3, 2, 0), 4)
    expect("built for another thread library than OpenMP")


def test_not_a_oneDNN_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    path = tmp_path / "libdnnl.so.3"
    path.write_bytes(b"no library")
    monkeypatch.setattr(library, "_candidates", lambda: [str(path)])
    expect("no usable oneDNN")


def test_without_libgomp(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: str) -> Any:
        if "gomp" in path:
            raise OSError("libgomp.so.1: cannot open shared object file")
        return SimpleNamespace(path=path)

    pretend(monkeypatch, (3, 2, 0), 2)
    monkeypatch.setattr(ctypes, "CDLL", opened)
    expect("libgomp.*is missing")


needs_openblas = pytest.mark.skipif(find_spec("scipy_openblas32") is None, reason="scipy-openblas32 is not installed")


@needs_openblas
def test_openblas_takes_the_place_of_a_oneDNN_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_candidates", lambda: ["/nowhere/libdnnl.so.3"])
    monkeypatch.setattr(library, "find_spec", find_spec)
    chosen, why = choose()
    assert chosen.name == "onednn" and why.startswith("OpenBLAS")
    assert "/nowhere/libdnnl.so.3" in chosen.describe()["no oneDNN, because"]
    with pytest.raises(EngineError, match="no bfloat16"):
        get_engine("onednn", dtype="bfloat16")


def test_the_library_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_LIBRARY", "mkl")
    with pytest.raises(EngineError, match=r"CHAINRULE_LIBRARY must be onednn or openblas\. Got 'mkl'"):
        get_engine("onednn")
    monkeypatch.setattr(library, "_open", None)
    monkeypatch.setenv("CHAINRULE_LIBRARY", "openblas")
    with pytest.raises(EngineError, match="pip install scipy-openblas32"):
        get_engine("onednn")


def test_threads_without_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = library.Library(ctypes.CDLL(None), "", (0,), "", blas=object())
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert alone.max_threads() == (3 if library.threads_can_wait() else 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert alone.max_threads() >= 1
    monkeypatch.setattr(library.sys, "platform", "darwin")
    assert alone.max_threads() == 1


def engine_tests_on_openblas(*chosen: str) -> None:
    """These tests of the fast engine pass in a process from which oneDNN is hidden."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *chosen],
        cwd=root, env=os.environ | {"CHAINRULE_LIBRARY": "openblas"}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@needs_openblas
def test_networks_on_openblas() -> None:
    engine_tests_on_openblas("tests/onednn/test_engine.py", "-k", "attention or sgemm or convolution or thread")


@needs_openblas
@pytest.mark.slow
def test_the_fast_engine_on_openblas() -> None:
    names = (
        "test_engine",
        "test_images",
        "test_recurrent_kernels",
        "test_convolution_kernels",
        "test_compressed",
        "test_int8",
    )
    engine_tests_on_openblas(*(f"tests/onednn/{name}.py" for name in names))
