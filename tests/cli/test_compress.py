"""``chainrule prune`` and ``chainrule quantize``: what they measure, save and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.cli.main import main

RNG = np.random.default_rng(0)
SHORT = ["--epochs", "1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of classes and one of numbers, texts, pictures, and a model of each."""
    folder = tmp_path_factory.mktemp("compress")
    x = RNG.normal(size=(200, 3))
    names = np.where(x[:, 0] * x[:, 1] > 0, "yes", "no")
    lines = [f"{a:.3f},{b:.3f},{c:.3f},{n},{a + b:.3f}" for (a, b, c), n in zip(x, names, strict=True)]
    (folder / "t.csv").write_text("\n".join(["a,b,c,kind,sum", *lines]) + "\n")
    texts = [f"{'good fine' if i % 2 else 'bad dull'} film {i % 7},{'up' if i % 2 else 'down'}" for i in range(120)]
    (folder / "r.csv").write_text("\n".join(["review,mood", *texts]) + "\n")
    light = np.arange(80) % 2
    images = (RNG.integers(0, 100, (80, 10, 10)) + 120 * light[:, None, None]).astype(np.uint8)
    np.savez(folder / "p.npz", images=images, labels=np.where(light, "light", "dark"))
    options = {"t": ["-t", "kind", "--exclude", "sum"], "n": ["-t", "sum"], "r": ["-t", "mood", "--text", "review"], "p": []}
    for name, given in options.items():
        data = folder / {"t": "t.csv", "n": "t.csv", "r": "r.csv", "p": "p.npz"}[name]
        assert main(["train", str(data), *given, "-q", "--epochs", "3", "-m", str(folder / f"{name}.chainrule")]) == 0
    return folder


@pytest.mark.parametrize(("name", "data", "structure"), [
    ("t", "t.csv", "none"), ("n", "t.csv", "units"), ("r", "r.csv", "blocks"), ("p", "p.npz", "units"),
])  # fmt: skip
def test_every_task_becomes_smaller(place: Path, tmp_path: Path, name: str, data: str, structure: str, capsys: Any) -> None:
    small, picture, found = tmp_path / "s.chainrule", tmp_path / "f.png", tmp_path / "f.json"
    command = [
        "prune",
        str(place / f"{name}.chainrule"),
        str(place / data),
        "--sparsity",
        "0.3,0.6",
        "--structure",
        structure,
    ]
    more = ["--tolerance", "5", "-o", str(small), "--plot", str(picture), "--json", str(found)]
    assert main([*command, *SHORT, *more]) == 0
    measured = json.loads(found.read_text())
    assert measured["steps"][0]["sparsity"] == 0 and len(measured["steps"]) == 3
    assert measured["measure"] == ("R²" if name == "n" else "accuracy")
    assert picture.stat().st_size > 10_000
    before, after = chainrule.load(place / f"{name}.chainrule"), chainrule.load(small)
    assert small.stat().st_size < (place / f"{name}.chainrule").stat().st_size
    assert len(after.predict(place / data)) == len(before.predict(place / data))
    score = after.facts["test"][measured["measure"]]
    assert score == pytest.approx(measured["steps"][-1]["score"])
    said = capsys.readouterr().out
    assert f"Wrote {small}" in said and "is the sparsest within 5" in said
    assert main(["show", str(small)]) == 0
    assert "Made smaller" in capsys.readouterr().out


def test_the_test_part_is_that_of_the_training(place: Path, tmp_path: Path) -> None:
    found = tmp_path / "f.json"
    more = ["--sparsity", "0.1", "--json", str(found), "-o", str(tmp_path / "s.chainrule")]
    assert main(["prune", str(place / "t.chainrule"), str(place / "t.csv"), *SHORT, *more]) == 0
    trained = chainrule.load(place / "t.chainrule").facts["test"]["accuracy"]
    assert json.loads(found.read_text())["steps"][0]["score"] == pytest.approx(trained)


def test_nothing_is_saved_where_nothing_is_good_enough(place: Path, tmp_path: Path, capsys: Any) -> None:
    small = tmp_path / "s.chainrule"
    given = ["--sparsity", "0.99", "--tolerance", "0", "--learning-rate", "1e-9", "-o", str(small)]
    assert main(["prune", str(place / "n.chainrule"), str(place / "t.csv"), *given, *SHORT]) == 0
    assert not small.exists() and "the dense network stays" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "said"), [
    (["--sparsity", "1.5"], "--sparsity"),
    (["--sparsity", "0.9,0.5"], "--sparsity"),
    (["--sparsity", "most"], "--sparsity"),
    (["--sparsity", ""], "--sparsity"),
    (["--structure", "rows"], "--structure"),
    (["--tolerance", "-1"], "--tolerance"),
    (["--tolerance", "nan"], "--tolerance"),
    (["--output", "no/such/folder/m.chainrule"], "--output"),
    (["--plot", "f.txt"], "f.txt"),
    (["--test-fraction", "0"], "--test-fraction"),
    (["--text", "a"], "--text"),
    (["--target", "b"], "--target"),
])  # fmt: skip
def test_what_is_refused(place: Path, given: list[str], said: str, capsys: Any) -> None:
    assert main(["prune", str(place / "t.chainrule"), str(place / "t.csv"), *given]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "data"), [("t", "t.csv"), ("r", "r.csv"), ("p", "p.npz")])
def test_8_bits_for_every_task(place: Path, tmp_path: Path, name: str, data: str, capsys: Any) -> None:
    small, found = tmp_path / "s.chainrule", tmp_path / "f.json"
    more = ["--tolerance", "1", "-o", str(small), "--json", str(found)]
    assert main(["quantize", str(place / f"{name}.chainrule"), str(place / data), *more]) == 0
    measured = json.loads(found.read_text())
    assert measured["within_tolerance"] and measured["int8"]["file_bytes"] < measured["float32"]["file_bytes"]
    assert small.stat().st_size < (place / f"{name}.chainrule").stat().st_size
    assert "With 8 bits" in capsys.readouterr().out
    assert main(["predict", str(small), str(place / data), "-o", str(tmp_path / "o.csv")]) == 0


def test_8_bits_that_are_not_good_enough_or_refused(place: Path, tmp_path: Path, capsys: Any) -> None:
    model, data = str(place / "t.chainrule"), str(place / "t.csv")
    for given in (["--tolerance", "-1"], ["-o", "no/such/m.chainrule"], ["--test-fraction", "0"]):
        assert main(["quantize", model, data, *given]) == 2
    assert "--test-fraction" in capsys.readouterr().err


def test_what_is_no_model_of_data(place: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["prune", str(place / "t.csv"), str(place / "t.csv")]) == 2
    network = chainrule.Network([chainrule.Dense(2)], random_state=0).build((3,))
    network.save(tmp_path / "n.chainrule")
    assert main(["prune", str(tmp_path / "n.chainrule"), str(place / "t.csv")]) == 2
    assert "frontier" in capsys.readouterr().err
