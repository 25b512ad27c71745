"""The compiled kernels on machines where something is missing: a clear reason, never a crash, and asked for once only."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chainrule.engine import get_engine
from chainrule.engine.kernels import cache, compiler, library, shipped, target
from chainrule.errors import EngineError
from chainrule.files import fcntl, locked

pytest.importorskip("llvmlite")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A process that has not loaded the kernels yet, with an empty cache."""
    monkeypatch.setattr(library, "_library", None)
    monkeypatch.setattr(cache, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "no wheel")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
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

    def fail(llvm: Any, group: str, progress: Any) -> bytes:
        raise TypeError("another Numba")

    monkeypatch.setattr(compiler, "object_code", fail)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"cannot compile the kernels \(TypeError: another Numba\)"):
            library.kernels()
    assert capfd.readouterr().err.count("compiling") == 1


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("CHAINRULE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cache.Path, "home", no_home)
    monkeypatch.setattr(cache, "gettempdir", lambda: str(tmp_path))
    assert cache.cache_folder().parent == tmp_path


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions as on POSIX")
@pytest.mark.parametrize("before", [None, 0o666])
def test_the_cache_is_read_again_whatever_files_are_made_with(fresh: Path, before: int | None) -> None:
    """Code in a file that a group may write to, as some systems make new files, would not be trusted, and compiled again."""
    path = fresh / "cache" / "kernels-x.bin"
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(b"damaged")
        path.chmod(before)
    old = os.umask(0o002)
    try:
        assert cache.keep("kernels-x.bin", b"machine code") == path
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert cache.find("kernels-x.bin") == (b"machine code", path)
    path.chmod(0o620)
    assert cache.find("kernels-x.bin") is None


def test_damaged_and_exchanged_files_are_not_loaded(fresh: Path) -> None:
    path = cache.keep("kernels-x.bin", b"machine code")
    (path.parent / "kernels-y.bin").write_bytes(path.read_bytes())
    (path.parent / "kernels-y.bin").chmod(0o600)
    assert cache.find("kernels-y.bin") is None, "a file under another's name is of other kernels"
    for damaged in (path.read_bytes()[:-1], b"", b"x" * 100, path.read_bytes() + b"more"):
        path.write_bytes(damaged)
        assert cache.find("kernels-x.bin") is None


def test_processes_that_begin_together_compile_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    if fcntl is None:
        pytest.skip("there are no locks here")
    library.of_this_machine("weights of 8 bits")
    ours = os.open(fresh / "cache" / "kernels-x.bin.lock", os.O_RDWR | os.O_CREAT, 0o600)
    assert locked(ours)
    entered: list[float] = []

    def enter() -> None:
        with cache.alone("kernels-x.bin"):
            entered.append(time.monotonic())

    other = threading.Thread(target=enter)
    other.start()
    time.sleep(0.3)
    assert not entered, "another holds the lock"
    os.close(ours)
    other.join(timeout=10)
    assert entered and not list((fresh / "cache").glob("*.lock"))
    monkeypatch.setattr(compiler, "object_code", lambda *_: pytest.fail("compiled a second time"))
    assert library.of_this_machine("weights of 8 bits")[0] == "disk"


def test_nobody_waits_for_ever_for_a_process_that_was_stopped(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if fcntl is None:
        pytest.skip("there are no locks here")
    monkeypatch.setattr(cache, "_PATIENCE", 0.2)
    (fresh / "cache").mkdir()
    ours = os.open(fresh / "cache" / "kernels-x.bin.lock", os.O_RDWR | os.O_CREAT, 0o600)
    assert locked(ours)
    with cache.alone("kernels-x.bin"):
        pass
    os.close(ours)


def test_a_read_only_home_is_replaced_by_a_folder_among_the_temporary_files(
    fresh: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (fresh / "cache").write_text("no folder")
    path = cache.keep("kernels-x.bin", b"machine code")
    assert path.is_relative_to(fresh / "temporary") and cache.find("kernels-x.bin") == (b"machine code", path)
    assert capfd.readouterr().err == ""


def test_a_cache_that_cannot_be_written_is_said(fresh: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("cache", "temporary"):
        (fresh / name).write_text("no folder")
    cache.keep("kernels-x.bin", b"machine code")
    said = capfd.readouterr().err
    assert "cannot be kept" in said and "CHAINRULE_CACHE" in said
    assert cache.find("kernels-x.bin") is None


def test_the_class_of_a_processor_is_the_most_able_that_it_can_run() -> None:
    able: set[str] = set()
    assert target.best(frozenset()) is None
    for own in target.SHIPPED:
        assert own.flags > able, "each class has all that the one before has, and more"
        able = set(own.flags)
        assert target.best(own.flags) is target.best(own.flags | {"another"}) is own
        for missing in own.flags:
            assert target.best(own.flags - {missing}) is not own


def test_kernels_of_a_wheel_made_from_other_sources_are_not_used(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if target.best(target.flags()) is None:
        pytest.skip("no class of processors is shipped for this one")
    monkeypatch.setattr(shipped, "FOLDER", fresh)
    opened: list[str] = []
    monkeypatch.setattr(shipped.ctypes, "CDLL", lambda path: opened.append(path))
    for made_from in (None, "", "0" * 64):
        if made_from is not None:
            (fresh / shipped.MARK).write_text(made_from)
        assert shipped.find("common") is None and not opened
    (fresh / shipped.MARK).write_text(shipped.fingerprint())
    assert shipped.find("common") is None and len(opened) == 1, "the file is asked for, and what is no library is not used"


def test_kernels_linked_for_a_wheel_give_the_same_addresses(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest group that has a kernel of its own file is compiled, linked and loaded as a wheel would bring it."""
    if target.best(target.flags()) is None:
        pytest.skip("no class of processors is shipped for this one")
    try:
        shipped._linker()
    except SystemExit:
        pytest.skip("no C compiler to link with")
    import llvmlite.binding as llvm

    groups = {"common": {"product": ("primitive", "row_product", "sgemm")}}
    monkeypatch.setattr(shipped, "FOLDER", fresh)
    monkeypatch.setattr(shipped, "GROUPS", groups)
    monkeypatch.setattr("chainrule.engine.kernels.catalogue.GROUPS", groups)
    compiler.initialise(llvm)
    (fresh / "code.o").write_bytes(compiler.object_code(llvm, "common", jit=False))
    own = target.best(target.flags())
    assert own is not None
    shipped._link(fresh / "code.o", fresh / shipped._file(own, "common"))
    (fresh / shipped.MARK).write_text(shipped.fingerprint())
    found = shipped.find("common")
    assert found is not None and set(found[0]) == {"primitive", "row_product", "sgemm"} and all(found[0].values())
