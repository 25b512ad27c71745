"""Files are written whole or not at all, and damage to them is seen."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from chainrule.errors import DataError, ModelFileError, ParameterError
from chainrule.files import checksum, replacing, write_whole


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_text_and_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "é")
    write_whole(str(tmp_path / "b"), b"\x00\x01")
    assert (tmp_path / "a").read_bytes() == "é".encode() and (tmp_path / "b").read_bytes() == b"\x00\x01"
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    place = tmp_path / "a"
    write_whole(place, "old")
    with (
        pytest.raises(ModelFileError if isinstance(error, OSError) else type(error)) as caught,
        replacing(place, error=ModelFileError) as file,
    ):
        file.write(b"half")
        raise error
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value) and "unchanged" in str(caught.value)
    assert place.read_text() == "old" and names(tmp_path) == ["a"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "folder", tmp_path / "none" / "a", str(tmp_path / "a\0b")):
        with pytest.raises((DataError, ParameterError), match="save: "):
            write_whole(place, "x")
    with pytest.raises(ParameterError, match="path must be"):
        write_whole(3, "x")  # type: ignore[arg-type]
    assert names(tmp_path) == ["folder"]


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, "new")
    assert link.is_symlink() and real.read_text() == "new" and real.stat().st_mode & 0o777 == 0o640


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr("chainrule.files.secrets.token_hex", lambda n: "0" * 2 * n)
    (tmp_path / ".a.0000000000000000.part").symlink_to(victim)
    with pytest.raises(DataError):
        write_whole(tmp_path / "a", "x")
    assert victim.read_text() == "precious" and not (tmp_path / "a").exists()


def test_writers_of_one_path_do_not_disturb_each_other(tmp_path: Path) -> None:
    place, failed = tmp_path / "a", list[BaseException]()

    def write(letter: str) -> None:
        try:
            for _ in range(20):
                write_whole(place, letter * 1000)
                assert place.read_text() in ("x" * 1000, "y" * 1000)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and names(tmp_path) == ["a"]


def test_what_killed_writers_left_is_swept_up(tmp_path: Path) -> None:
    stray, other = (tmp_path / n for n in (f".a.{'0' * 16}.part", f".b.{'0' * 16}.part"))
    folder, link = tmp_path / f".a.{'1' * 16}.part", tmp_path / f".a.{'2' * 16}.part"
    for place in (stray, other):
        place.write_text("half")
    folder.mkdir()
    link.symlink_to(other)
    with replacing(tmp_path / "a") as writing:  # another writer of this path
        writing.write(b"slow")
        write_whole(tmp_path / "a", "whole")
        left = names(tmp_path)
        assert stray.name not in left and {other.name, folder.name, link.name} < set(left) and len(left) == 5
    assert (tmp_path / "a").read_text() == "slow"
    assert names(tmp_path) == sorted(["a", other.name, folder.name, link.name])


@pytest.mark.parametrize("without", ["the module", "the file system"])
def test_without_locks_a_stray_is_known_by_its_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    if without == "the module":
        monkeypatch.setattr("chainrule.files.fcntl", None)
    else:

        def refuse(handle: int, how: int) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr("chainrule.files.fcntl.flock", refuse)
    stray, fresh = (tmp_path / n for n in (f".a.{'0' * 16}.part", f".a.{'1' * 16}.part"))
    for place in (stray, fresh):
        place.write_text("half")
    os.utime(stray, (time.time() - 10_000,) * 2)
    write_whole(tmp_path / "a", "whole")
    assert names(tmp_path) == sorted(["a", fresh.name]) and (tmp_path / "a").read_text() == "whole"


@pytest.mark.parametrize("name", ["{0} %s", "\U0001f600" * 60, "x" * 250, ".*"])
def test_names_that_are_long_or_look_like_patterns(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, "old")
    write_whole(tmp_path / name, "new")
    assert names(tmp_path) == [name] and (tmp_path / name).read_text() == "new"


def test_an_unfinished_file_that_another_writer_swept_up_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import chainrule.files

    lock, swept = chainrule.files.locked, list[str]()

    def late(handle: int, *, wait: bool = False) -> bool | None:
        if not swept:
            (found,) = tmp_path.glob(".a.*.part")
            swept.append(found.name)
            found.unlink()
        return lock(handle, wait=wait)

    monkeypatch.setattr("chainrule.files.locked", late)
    write_whole(tmp_path / "a", "whole")
    assert swept and names(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "whole"


def test_a_checksum_sees_every_kind_of_damage() -> None:
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    one = checksum({"a": a, "b": a[:1]}, "text")
    assert one == checksum({"b": a[:1].copy(), "a": np.asfortranarray(a)}, "text")
    changed = a.copy()
    changed.view(np.uint32)[2, 1] ^= 1
    for other in (
        checksum({"a": changed, "b": a[:1]}, "text"), checksum({"a": a, "c": a[:1]}, "text"), checksum({"a": a}, "text"),
        checksum({"a": a, "b": a[:1]}, "texT"), checksum({"a": a.reshape(4, 3), "b": a[:1]}, "text"),
        checksum({"a": a.view(np.int32), "b": a[:1]}, "text"),
    ):  # fmt: skip
        assert other != one
    assert checksum({"empty": np.zeros((0, 3))}) != checksum({"empty": np.zeros((3, 0))})
