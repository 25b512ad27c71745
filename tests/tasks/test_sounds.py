"""Sounds from files to a saved model: classes, texts by CTC, the commands, and what cannot be learned from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import chainrule
from chainrule.architectures.sound_networks import sound_transcriber
from chainrule.cli.main import app
from chainrule.data import RaggedData, Sequences
from chainrule.errors import DataError, ModelFileError, ParameterError, SoundError
from chainrule.tasks.sounds.settings import SoundSettings
from chainrule.tasks.sounds.training import SoundParts, _shortening, prepare, read
from chainrule.tasks.transcription import Units, score_texts

soundfile = pytest.importorskip("soundfile")
TONES = {"high": 1500, "low": 300}


def tone(hertz: float, seconds: float, rng: np.random.Generator, rate: int = 4000) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * hertz * t) + 0.01 * rng.normal(size=len(t))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """Tones of two heights and of several lengths; one file is in stereo and of another rate."""
    place, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for name, hertz in TONES.items():
        (place / name).mkdir()
        for i in range(10):
            soundfile.write(place / name / f"{i}.wav", tone(hertz, rng.uniform(0.1, 0.3), rng), 4000, subtype="PCM_24")
    both = np.stack([tone(300, 0.2, rng, 8000)] * 2, axis=1)
    soundfile.write(place / "low" / "stereo.flac", both, 8000)
    return place


@pytest.fixture(scope="module")
def strings(tmp_path_factory: Any) -> Path:
    """Tones in a row, and a file of their names."""
    place, rng = tmp_path_factory.mktemp("strings"), np.random.default_rng(0)
    rows = []
    for i in range(30):
        words = rng.choice(sorted(TONES), rng.integers(1, 4)).tolist()
        parts = [np.concatenate([tone(TONES[w], 0.12, rng), 0.01 * rng.normal(size=200)]) for w in words]
        soundfile.write(place / f"{i}.wav", np.concatenate(parts), 4000)
        rows.append((f"{i}.wav", " ".join(words)))
    with (place / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "text"), *rows])
    return place


def trained(folder: Path, **settings: Any) -> Any:
    chosen = SoundSettings(data=folder, width=8, mels=16, seed=0, **settings)
    return prepare(read(chosen), chosen).train()


def test_classes_of_sounds(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trained(folder, epochs=8, augment="gain=3,noise=0.05").model
    assert made.evaluate(folder)["accuracy"] > 0.9
    made.save(tmp_path / "m.chainrule")
    loaded = chainrule.load(tmp_path / "m.chainrule")
    rng = np.random.default_rng(1)
    sounds = [tone(1500, 0.2, rng), tone(300, 0.25, rng), tone(1500, 0.2, rng, 8000)]
    assert loaded.predict(sounds[:2]).tolist() == ["high", "low"]
    assert loaded.predict([sounds[2]], rate=8000).tolist() == ["high"]
    np.testing.assert_allclose(loaded.predict_proba(sounds[:2]), made.predict_proba(sounds[:2]), atol=1e-6)
    assert loaded.predict(folder / "low" / "stereo.flac").tolist() == ["low"]
    assert np.isfinite(loaded.predict_proba([np.zeros(1), np.zeros(5000)])).all()  # silence, and one sample
    windows = loaded.read([np.concatenate([tone(300, 1, rng), tone(1500, 1, rng)])], window=0.5)
    assert windows.columns()["seconds"] == [0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
    found = loaded.prediction(windows).values.tolist()
    assert found[:3] == ["low"] * 3 and found[-3:] == ["high"] * 3
    monkeypatch.setattr("chainrule.tasks.sounds.sound_model._SAMPLES", 2000)
    files = [folder / "low" / "0.wav", folder / "high" / "0.wav"]
    whole, parts = loaded.read(files, window=0.1), list(loaded.parts(files, window=0.1))  # heard piece by piece
    assert len(parts) > 1 and [at for part in parts for at in part.columns()["seconds"]] == whole.columns()["seconds"]
    p = np.concatenate([loaded.prediction(part).probabilities for part in parts])
    np.testing.assert_allclose(p, loaded.prediction(whole).probabilities, atol=1e-5)
    with pytest.raises(DataError, match="not finite"):
        loaded.predict([np.array([0.0, np.nan])])
    with pytest.raises(ParameterError, match="no option of sounds"):
        loaded.predict(sounds, delimiter=",")
    assert "sounds" in repr(loaded.description()) or "Classes" in repr(loaded.description())


@pytest.mark.slow
def test_texts_of_sounds(strings: Path, tmp_path: Path) -> None:
    made = trained(strings, epochs=24, test_fraction=0.2, batch_size=6, augment="none").model
    assert made.units is not None and made.units.kind == "words" and made.target == "text"
    assert made.evaluate(strings)["word_error_rate"] < 0.3
    made.save(tmp_path / "m.chainrule")
    loaded = chainrule.load(tmp_path / "m.chainrule")
    files = [strings / f"{i}.wav" for i in range(3)]
    assert loaded.predict(files).tolist() == made.predict(files).tolist()
    with pytest.raises(AttributeError, match="texts"):
        loaded.predict_proba(files)


def test_the_commands(folder: Path, strings: Path, tmp_path: Path) -> None:
    run = CliRunner()
    model, out = tmp_path / "m.chainrule", tmp_path / "out.csv"
    done = run.invoke(app, ["train", str(folder), "--epochs", "1", "--width", "4", "--mels", "16", "-m", str(model)])
    assert done.exit_code == 0, done.output
    assert "21 sounds, 2 classes" in done.output
    done = run.invoke(app, ["predict", str(model), str(folder / "low" / "0.wav")])
    assert done.exit_code == 0 and "%" in done.output
    done = run.invoke(app, ["predict", str(model), str(folder), "-o", str(out)])
    assert done.exit_code == 0 and len(out.read_text().splitlines()) == 22
    done = run.invoke(app, ["predict", str(model), str(folder / "low"), "--window", "0.1"])
    assert done.exit_code == 0 and "seconds" in done.output
    assert run.invoke(app, ["show", str(model)]).exit_code == 0
    done = run.invoke(app, ["train", str(strings), "--epochs", "1", "--width", "4", "--mels", "16", "-m", str(model)])
    assert done.exit_code == 0 and "word error rate" in done.output, done.output
    done = run.invoke(app, ["predict", str(model), str(strings), "-o", str(out)])
    assert done.exit_code == 0 and out.read_text().startswith("sound,text,probability")


def test_sounds_of_several_rates_are_brought_to_one(folder: Path) -> None:
    parts = read(SoundSettings(data=folder, test_fraction=0.0, validation_fraction=0.0))
    assert parts.rate == 4000 and "2 sampling rates, from 4000 to 8000 Hz" in parts.notes[0] and parts.test is None
    assert 790 <= parts.train.samples.lengths[-1] <= 810  # 0.2 s of what was 8,000 samples a second


def test_data_that_cannot_be_learned_from(folder: Path, tmp_path: Path) -> None:
    def reading(place: Path, **settings: Any) -> Any:
        return read(SoundSettings(data=place, **settings))

    one = tmp_path / "one"
    (one / "only").mkdir(parents=True)
    soundfile.write(one / "only" / "a.wav", np.zeros(100), 8000)
    with pytest.raises(DataError, match="one class only"):
        reading(one)
    (one / "other").mkdir()
    with pytest.raises(SoundError, match="holds no sound"):
        reading(one)
    soundfile.write(one / "other" / "a.wav", np.zeros(100), 8000)
    (one / "other" / "b.wav").write_bytes(b"no sound at all, but long enough")
    with pytest.raises(SoundError, match=r"b\.wav.*cannot be read"):
        reading(one, test_fraction=0.0, validation_fraction=0.0)
    texts = tmp_path / "texts"
    texts.mkdir()
    soundfile.write(texts / "a.wav", np.zeros(100), 8000)
    (texts / "labels.csv").write_text("file,text\na.wav,yes\nb.wav,no\n")
    with pytest.raises(SoundError, match=r"line 3: there is no sound 'b\.wav'"):
        reading(texts)
    (texts / "labels.csv").write_text("a.wav,yes\na,no\n")
    with pytest.raises(DataError, match=r"line 2.*has a text already, in line 1"):
        reading(texts)
    (texts / "labels.csv").write_text("a.wav\n")
    with pytest.raises(DataError, match="line 1: expected the name"):
        reading(texts)
    (texts / "labels.csv").write_text("a.wav,\n")
    with pytest.raises(DataError, match="every text is empty"):
        reading(texts, test_fraction=0.0, validation_fraction=0.0)
    for wrong, match in (({"mels": 30}, "multiple of 4"), ({"augment": "loud"}, "loud"), ({"rate": 10.0}, "rate")):
        with pytest.raises(ParameterError, match=match):
            SoundSettings(data=folder, **wrong)


def test_units_of_texts() -> None:
    words = Units.of(["yes no"] * 5 + ["no yes"] * 5)
    assert words.kind == "words" and words.names == ("no", "yes")
    letters = Units.of(["a  b", "ba"])
    assert letters.kind == "characters" and letters.encode([" a b"], name="y") == [[2, 1, 3]]
    assert Units.from_state(letters.state()) == letters and letters.decode([2, 1, 3]) == "a b"
    with pytest.raises(DataError, match=r"y\[0\].*'c'"):
        letters.encode(["abc"], name="y")
    with pytest.raises(ModelFileError):
        Units.from_state({"names": ["a", "a"], "kind": "characters"})
    with pytest.raises(ParameterError, match="units"):
        Units.of(["a"], "letters")
    scores = score_texts(["a b", "c"], ["a b", "d"]).named()
    assert scores == {"character_error_rate": 0.25, "word_error_rate": pytest.approx(1 / 3), "exact": 0.5}


@pytest.mark.parametrize(
    ("seconds", "units", "expected"),
    [(6.0, 8, 8), (2.0, 14, 4), (1.0, 14, 2), (0.3, 14, 1)],
)
def test_steps_of_texts_are_as_long_as_their_units_allow(seconds: float, units: int, expected: int) -> None:
    targets = np.tile([1, 2], (4, units // 2))
    data = RaggedData([np.zeros(int(seconds * 8000), np.float32)] * 4, targets)
    known = Units(("no", "yes"), "words")
    assert _shortening(SoundParts(data, None, None, 8000.0, known, ["no yes"], [])) == expected


def test_a_repeated_unit_takes_a_step_of_its_own() -> None:
    rows = [[1, 2, 1, 2, 1, 2, 1, 2], [1] * 8]
    found = [
        _shortening(SoundParts(RaggedData([np.zeros(8000, np.float32)], [row]), None, None, 8000.0, None, [""], []))  # type: ignore[arg-type]
        for row in rows
    ]
    assert found == [4, 4]
    short = RaggedData([np.zeros(2400, np.float32), np.zeros(16000, np.float32)], [[1] * 8, [1, 2, 0, 0, 0, 0, 0, 0]])
    assert _shortening(SoundParts(short, None, None, 8000.0, None, [""], [])) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("shorten", [1, 2, 4, 8])
def test_a_transcriber_has_as_many_steps_as_were_asked_for(shorten: int) -> None:
    net = sound_transcriber(3, rate=4000.0, mels=16, width=4, units=4, shorten=shorten, random_state=0)
    x = Sequences([np.random.default_rng(0).normal(size=3200).astype(np.float32)])
    steps = len(net.predict([x, x.lengths])[0])
    assert abs(steps - 81 / shorten) < 1
    with pytest.raises(ParameterError, match="shorten"):
        sound_transcriber(3, rate=4000.0, shorten=3)
