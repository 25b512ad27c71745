"""The compiled kernels on machines where something is missing: a clear reason, never a crash, and asked for once only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from chainrule.engine import get_engine
from chainrule.engine.kernels import library
from chainrule.errors import EngineError

pytest.importorskip("llvmlite")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A process that has not loaded the kernels yet, with an empty cache."""
    monkeypatch.setattr(library, "_library", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


class Refuses:
    """An import of this module, or of a part of it, fails."""

    def __init__(self, module: str, error: Exception) -> None:
        self.module, self.error = module, error

    def find_spec(self, name: str, *_: Any) -> None:
        if name == self.module or name.startswith(self.module + "."):
            raise self.error


@pytest.mark.parametrize(
    ("module", "error"),
    [("llvmlite", ImportError("not there")), ("llvmlite", OSError("no libllvmlite.so")), ("numba", ImportError("gone"))],
)
def test_a_library_is_missing(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], module: str, error: Exception
) -> None:
    for name in [n for n in sys.modules if n == module or n.startswith(module + ".")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Refuses(module, error), *sys.meta_path])
    for _ in range(2):
        with pytest.raises(EngineError, match=str(error)):
            library.kernels()
    assert get_engine("auto").name == "reference"
    assert "compiling" not in capfd.readouterr().err


def test_a_compilation_that_fails_is_tried_once(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("numba")

    def fail(llvm: Any, group: str) -> bytes:
        raise TypeError("another Numba")

    monkeypatch.setattr(library, "_object_code", fail)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"cannot compile the kernels \(TypeError: another Numba\)"):
            library.kernels()
    assert capfd.readouterr().err.count("compiling") == 1


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(library.Path, "home", no_home)
    monkeypatch.setattr(library.tempfile, "gettempdir", lambda: str(tmp_path))
    assert library.cache_folder().parent == tmp_path


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions as on POSIX")
@pytest.mark.parametrize("before", [None, 0o666])
def test_the_cache_is_read_again_whatever_files_are_made_with(tmp_path: Path, before: int | None) -> None:
    """Code that others may write to is not trusted, so without a mode of its own it would be compiled in every process."""
    path = tmp_path / "folder" / "kernels-x.bin"
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(b"damaged")
        path.chmod(before)
    old = os.umask(0o002)
    try:
        library._write(path, b"machine code")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert library._read(path) == b"machine code"
    path.chmod(0o620)
    assert library._read(path) is None


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("no folder")
    library._write(tmp_path / "file" / "kernels-x.bin", b"machine code")
    assert "cannot be kept" in capfd.readouterr().err
