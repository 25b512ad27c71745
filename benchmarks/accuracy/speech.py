"""What ``chainrule train sounds/`` reaches with its defaults: spoken digits, Arabic commands, and sentences by CTC.

The sounds are written as WAV files into folders, as users have them, and learned by the task of the command.

    official   fsdd, its own division: recordings 0 to 4 of each speaker and digit are kept apart
    speakers   fsdd, one speaker after the other left out
    commands   eight Arabic words of 30 speakers, the authors' division
    yesno      sentences of eight words, yes or no in Hebrew: learned from the first half of the files, tested on the other
    strings    three to seven digits of fsdd in a row, as words by CTC; two speakers are kept apart
"""

from __future__ import annotations

import csv
import tempfile
import wave
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.tasks.sounds import TASK, SoundSettings

from . import data

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: Sentences of digits to learn from and for the test, and the speakers of the test.
_STRINGS, _KEPT_APART = (800, 150), (4, 5)
_RATE = 8000


def write(folder: Path, waves: Iterable[np.ndarray], labels: Iterable[str], *, texts: bool) -> None:
    """WAV files of 16 bits, in a folder for each class or beside a file of their texts."""
    rows = []
    for i, (samples, label) in enumerate(zip(waves, labels, strict=True)):
        place = folder / (f"{i:05}.wav" if texts else f"{label}/{i:05}.wav")
        place.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(place), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_RATE)
            file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        rows.append((place.name, label))
    if texts:
        with (folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "text"), *rows])


def without_mu_law(codes: np.ndarray) -> np.ndarray:
    """Samples in −1 ... 1."""
    q = codes.astype(np.float32) / 255 * 2 - 1
    return np.asarray(np.sign(q) * (256 ** np.abs(q) - 1) / 255, np.float32)


def digits(folder: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """(waves, digits, speakers, numbers of the recordings) of fsdd."""
    z = data.load(folder, "fsdd/fsdd_8khz.npz")
    audio = z["audio"].astype(np.float32) / 32768
    cuts = z["offsets"]
    waves = [audio[a:b] for a, b in pairwise(cuts.tolist())]
    return waves, z["digit"].astype(int), z["speaker"].astype(int), z["index"].astype(int)


def strings(
    waves: list[np.ndarray], digit: np.ndarray, rows: np.ndarray, speaker: np.ndarray, count: int, rng: Any
) -> tuple[list[np.ndarray], list[str]]:
    """Digits of one speaker in a row, with up to 0.2 seconds of silence behind each."""
    sounds, texts = [], []
    for _ in range(count):
        one = rng.choice(np.unique(speaker[rows]))
        chosen = rng.choice(rows[speaker[rows] == one], rng.integers(3, 8))
        pauses = [np.zeros(int(rng.integers(0, _RATE // 5)), np.float32) for _ in chosen]
        sounds.append(np.concatenate([part for i, pause in zip(chosen, pauses, strict=True) for part in (waves[i], pause)]))
        texts.append(" ".join(_WORDS[digit[i]] for i in chosen))
    return sounds, texts


def main() -> None:
    parser = data.options(__doc__, seeds=1)
    parser.add_argument("what", choices=("official", "speakers", "commands", "yesno", "strings"))
    parser.add_argument("--epochs", type=int, help="in place of those of the task")
    args = parser.parse_args()

    def learned(parts: dict[str, tuple[list[np.ndarray], list[str]]], seed: int, *, texts: bool = False) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for part, (waves, labels) in parts.items():
                (folder / part).mkdir()
                write(folder / part, waves, labels, texts=texts)
            settings = SoundSettings(data=folder, seed=seed, epochs=args.epochs)
            prepared = TASK.prepare(TASK.read(settings), settings)
            if args.verbose:
                print("\n".join(f"{key}: {value}" for key, value in prepared.description), flush=True)
            model: Any = prepared.train().model
            return {name: float(value) for name, value in model.evaluate(folder / "test").items()}

    def split(train: np.ndarray, test: np.ndarray, waves: list[np.ndarray], labels: list[str]) -> dict[str, Any]:
        return {
            part: ([waves[i] for i in rows], [labels[i] for i in rows]) for part, rows in (("train", train), ("test", test))
        }

    def run(seed: int) -> dict[str, Any]:
        if args.what == "commands":
            z = data.load(args.data, "arabic_commands/arabic_commands_8khz_ulaw.npz")
            names, rows = [str(z["words"][i]) for i in z["label"]], [np.flatnonzero(z["split"] == i) for i in range(3)]
            waves = list(without_mu_law(z["ulaw"]))
            parts = split(rows[0], rows[2], waves, names)
            parts["validation"] = ([waves[i] for i in rows[1]], [names[i] for i in rows[1]])
            return learned(parts, seed)
        if args.what == "yesno":
            z = data.load(args.data, "yesno/yesno_8khz_ulaw.npz")
            audio, cuts = without_mu_law(z["ulaw"]), z["offsets"]
            waves = [audio[a:b] for a, b in pairwise(cuts.tolist())]
            texts = [" ".join(("no", "yes")[word] for word in row) for row in z["words"]]
            return learned(split(np.arange(30), np.arange(30, 60), waves, texts), seed, texts=True)
        waves, digit, speaker, number = digits(args.data)
        names = [_WORDS[i] for i in digit]
        if args.what == "official":
            return learned(split(np.flatnonzero(number >= 5), np.flatnonzero(number < 5), waves, names), seed)
        if args.what == "strings":
            rng = np.random.default_rng(seed)
            apart = np.isin(speaker, _KEPT_APART)
            made = [
                strings(waves, digit, np.flatnonzero(rows), speaker, count, rng)
                for rows, count in zip((~apart, apart), _STRINGS, strict=True)
            ]
            return learned(dict(zip(("train", "test"), made, strict=True)), seed, texts=True)
        found = {}
        for one in np.unique(speaker):
            parts = split(np.flatnonzero(speaker != one), np.flatnonzero(speaker == one), waves, names)
            found[f"speaker {one}"] = learned(parts, seed)["accuracy"]
        return {**found, "accuracy": float(np.mean(list(found.values())))}

    data.each_seed(args, run, "word_error_rate" if args.what in ("yesno", "strings") else "accuracy")


if __name__ == "__main__":
    main()
