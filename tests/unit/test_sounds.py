"""Sound files and arrays: what is read, what is refused with its name, random changes, batches of different lengths."""

from __future__ import annotations

import builtins
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data import RaggedData, Sequences
from chainrule.errors import (
    DataError,
    DtypeError,
    MissingDependencyError,
    ParameterError,
    ShapeError,
    SoundError,
    UnknownNameError,
)
from chainrule.sounds import SoundAugmentation, as_waves, read_sound, resample, sound_blocks, windows_in, windows_of
from chainrule.sounds.sound_file import rate_of

RNG = np.random.default_rng(0)


def write_wav(place: Path, samples: np.ndarray, rate: int = 8000, width: int = 2, channels: int = 1) -> Path:
    """A WAV file of whole numbers from samples in −1 ... 1."""
    whole = np.round(np.clip(samples, -1, 1) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        data = (whole + 128).astype(np.uint8).tobytes()
    else:
        data = b"".join(int(v).to_bytes(width, "little", signed=True) for v in whole.ravel())
    with wave.open(str(place), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return place


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an import fail."""
    real = builtins.__import__

    def hide(*names: str) -> None:
        def importing(name: str, *args: Any, **kwargs: Any) -> Any:
            if name in names:
                raise ImportError(f"No module named {name!r}")
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", importing)

    return hide


@pytest.mark.parametrize("library", [True, False], ids=["soundfile", "standard library"])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_all_widths(tmp_path: Path, without: Any, width: int, channels: int, library: bool) -> None:
    if library:
        pytest.importorskip("soundfile")
    else:
        without("soundfile")
    samples = RNG.uniform(-1, 1, (50, channels))
    place = write_wav(tmp_path / "a.wav", samples, width=width, channels=channels)
    found, rate = read_sound(place)
    assert rate == rate_of(place) == 8000 and found.dtype == np.float32 and found.shape == (50,)
    np.testing.assert_allclose(found, samples.mean(axis=1), atol=2.0 ** (2 - 8 * width) + 1e-6)


def test_rates_are_brought_to_one(tmp_path: Path, without: Any) -> None:
    pytest.importorskip("soxr")
    t = np.arange(16000) / 16000
    place = write_wav(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * t), rate=16000)
    found, rate = read_sound(place, rate=8000)
    assert rate == 8000 and abs(len(found) - 8000) <= 1
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(found)) / 8000)
    np.testing.assert_allclose(found[100:-100], wanted[100:-100], atol=2e-3)
    assert len(resample(np.zeros(1), 48000, 8000)) == 1
    without("soxr")
    with pytest.raises(MissingDependencyError, match="sound"):
        read_sound(place, rate=8000)
    with pytest.raises(ParameterError, match="rate"):
        read_sound(place, rate=0)


def test_files_that_are_no_sound(tmp_path: Path, without: Any) -> None:
    soundfile = pytest.importorskip("soundfile")
    empty, text, short = tmp_path / "empty.wav", tmp_path / "text.wav", tmp_path / "short.wav"
    empty.write_bytes(b"")
    text.write_bytes(b"this is no sound, whatever its name says")
    whole = write_wav(tmp_path / "whole.wav", np.zeros(400)).read_bytes()
    short.write_bytes(whole[:300])
    none = write_wav(tmp_path / "none.wav", np.zeros(0))
    lost = tmp_path / "nan.wav"
    soundfile.write(lost, np.array([0.0, np.nan, np.inf], np.float32), 8000, subtype="FLOAT")
    cases = [
        (tmp_path / "missing.wav", "no such file"), (tmp_path, "got a folder"), (empty, "empty"),
        (text, "cannot be read as sound"),
        (short, "cut short: it has 300 of the 844 bytes"), (none, "0 samples"), (lost, r"sample 1 is nan.*\(2 such"),
    ]  # fmt: skip
    for place, match in cases:
        with pytest.raises(SoundError, match=match) as caught:
            read_sound(place)
        assert str(place) in str(caught.value)
    without("soundfile")
    for place, match in [(text, "cannot be read"), (none, "0 samples")]:
        with pytest.raises(SoundError, match=match):
            read_sound(place)
    with pytest.raises(MissingDependencyError, match="sound"):
        read_sound(lost)  # floats
    (tmp_path / "a.flac").write_bytes(b"fLaC")
    with pytest.raises(MissingDependencyError, match="sound"):
        read_sound(tmp_path / "a.flac")


@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_compressed_files(tmp_path: Path, kind: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples = 0.5 * np.sin(np.arange(8000) / 20)
    soundfile.write(tmp_path / f"a.{kind.lower()}", samples, 8000, format=kind)
    found, rate = read_sound(tmp_path / f"a.{kind.lower()}")
    assert rate == 8000
    np.testing.assert_allclose(found[:8000], samples, atol=1e-4 if kind == "FLAC" else 0.1)


def test_arrays_as_sound() -> None:
    whole = np.array([-32768, 0, 16384], np.int16)
    for one, wanted in [
        (whole, [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.stack([whole, whole * 0], axis=1), [-0.5, 0, 0.25]),
        ([0.5, -0.5], [0.5, -0.5]),
        (np.ones(4)[::2], [1, 1]),
    ]:
        np.testing.assert_allclose(as_waves([one], 8000)[0], wanted)
    assert len(as_waves(np.zeros((3, 10)), 8000)) == len(as_waves(Sequences([[0.0], [0.0, 1.0], [0.5]]), 8000)) == 3
    bad: list[tuple[Any, type[Exception], str]] = [
        ("a.wav", DtypeError, "list of files"), ([], DataError, "0 sounds"), ([np.zeros(0)], SoundError, r"sounds\[0\]"),
        ([[0.0], [0.0, np.nan]], DataError, r"sounds\[1\].*at 1"), ([np.zeros((2, 100))], ShapeError, "32 channels"),
        ([np.array(["a"])], DtypeError, "numbers"), ([np.array([0.0, 2e4])], DataError, "32768"),
        ([np.zeros((2, 3, 4))], ShapeError, r"\(T,\)"),
    ]  # fmt: skip
    for given, error, match in bad:
        with pytest.raises(error, match=match):
            as_waves(given, 8000)


def test_windows_cover_a_sound() -> None:
    x = np.arange(10, dtype=np.float32)
    parts, starts = windows_of(x, 4, 3)
    assert starts.tolist() == [0, 3, 6] and [part.tolist() for part in parts][-1] == [6, 7, 8, 9]
    assert windows_of(x, 4, 4)[1].tolist() == [0, 4, 6]
    parts, starts = windows_of(x, 20, 3)
    assert starts.tolist() == [0] and len(parts[0]) == 10
    with pytest.raises(ParameterError):
        windows_of(x, 0, 1)


@pytest.mark.parametrize("length", [1, 3, 7, 8, 9, 12, 13, 40, 41])
@pytest.mark.parametrize(("size", "step"), [(8, 4), (8, 3), (1, 1), (5, 7)])
def test_windows_of_a_stream_are_those_of_the_whole(length: int, size: int, step: int) -> None:
    wave = RNG.normal(size=length).astype(np.float32)
    whole, starts = windows_of(wave, size, step)
    for cut in ([], [length // 2], [1, 2, 3]):
        found = list(windows_in(np.split(wave, [at for at in cut if at < length]), size, step))
        assert [start for _, start in found] == starts.tolist()
        for (part, _), window in zip(found, whole, strict=True):
            np.testing.assert_array_equal(part, window)


def test_a_long_file_comes_in_blocks_at_another_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    monkeypatch.setattr("chainrule.sounds.sound_file._BLOCK", 1000)
    t = np.arange(30_000) / 16_000
    soundfile.write(tmp_path / "a.flac", np.stack([0.5 * np.sin(2 * np.pi * 440 * t)] * 2, axis=1), 16_000)
    blocks = list(sound_blocks(tmp_path / "a.flac", rate=8000))
    whole, _ = read_sound(tmp_path / "a.flac", rate=8000)
    assert len(blocks) > 20 and abs(sum(map(len, blocks)) - len(whole)) <= 1
    joined = np.concatenate(blocks)[: len(whole)]
    np.testing.assert_allclose(joined, whole[: len(joined)], atol=1e-4)
    soundfile.write(tmp_path / "b.wav", np.full(1, 0.25), 48_000)
    assert sum(map(len, sound_blocks(tmp_path / "b.wav", rate=8000))) == 1
    with pytest.raises(SoundError, match="more than 1,000 bytes"):
        read_sound(tmp_path / "a.flac", max_memory=1000)


def test_random_changes() -> None:
    x = RNG.normal(size=800).astype(np.float32)
    for text, check in [
        ("gain=6", lambda y: len(y) == 800 and 0.5 <= np.abs(y).max() / np.abs(x).max() <= 2),
        ("speed=0.2", lambda y: 660 <= len(y) <= 1000),
        ("shift=0.02", lambda y: 640 <= len(y) <= 960),
        ("noise=0.5", lambda y: 0 < np.std(y - x) < 0.5 * np.std(x) * 1.1),
    ]:
        change = SoundAugmentation.from_text(text, rate=8000.0)
        for seed in range(5):
            first, again = (change(x, np.random.default_rng(seed)) for _ in range(2))
            assert check(first) and np.array_equal(first, again) and first.dtype == np.float32, text
    light = SoundAugmentation.from_text("light", rate=8000.0)
    assert np.isfinite(light(np.zeros(1, np.float32), RNG)).all()  # silence of one sample
    with pytest.raises(UnknownNameError, match="gian"):
        SoundAugmentation.from_text("gian=3")
    with pytest.raises(ParameterError, match="a name and a number"):
        SoundAugmentation.from_text("gain")
    with pytest.raises(ParameterError, match="speed"):
        SoundAugmentation(speed=1.5)


def test_batches_of_about_one_length() -> None:
    samples = [np.full(n, n, np.float32) for n in (3, 50, 4, 49, 5, 3)]
    data = RaggedData(samples, np.arange(6))
    seen: list[int] = []
    for batch in data.batches(3, np.random.default_rng(0)):
        (x, lengths), (y,) = batch.inputs, batch.targets
        assert x.shape[1] in (5, 50) and (x.sum(axis=1) == lengths.astype(float) ** 2).all()
        seen += y.tolist()
    assert sorted(seen) == list(range(6))
    rest, part = data.split(0.5, 0)
    assert sorted([*rest.rows, *part.rows]) == list(range(6))
    x, y = part.arrays()
    assert x.lengths.tolist() == [len(samples[i]) for i in y]
    longer = RaggedData(samples, np.arange(6), change=lambda s, rng: np.repeat(s, 3))
    for batch in longer.batches(6, np.random.default_rng(0)):
        assert batch.inputs[1].max() == batch.inputs[0].shape[1] == 50  # cut to the longest that there was
    with pytest.raises(DataError, match="sample"):
        next(RaggedData(samples, np.arange(6), change=lambda s, rng: s[:0]).batches(2, RNG))
    with pytest.raises(DataError):
        RaggedData(samples, np.arange(5))
