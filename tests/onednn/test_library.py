"""oneDNN missing, too old, of another thread library, or without OpenMP: one reason, and the reference engine instead."""

from __future__ import annotations

import ctypes
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
