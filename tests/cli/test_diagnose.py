"""``chainrule diagnose`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.cli.main import main


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    place = tmp_path / "table.csv"
    kinds = np.where(x[:, 0] + x[:, 1] > 0, "yes", "no")
    lines = ["a,b,c,kind", *(f"{a:.5f},{b:.5f},{c:.5f},{k}" for (a, b, c), k in zip(x, kinds, strict=True))]
    place.write_text("\n".join(lines) + "\n")
    return place


def test_a_healthy_table(table: Path, capsys: Any) -> None:
    assert main(["diagnose", str(table), "--target", "kind", "--hidden", "16", "--learning-rate", "0.02"]) == 0
    told = capsys.readouterr().out
    assert "Healthy" in told and "The gradient along the chain rule" in told and "Score on training samples" in told


def test_a_fault_and_its_json(table: Path, tmp_path: Path, capsys: Any) -> None:
    place = tmp_path / "found.json"
    options = ["--target", "kind", "--hidden", "16", "--learning-rate", "1e-8", "--epochs", "5", "--json", str(place)]
    assert main(["diagnose", str(table), *options]) == 1
    assert main(["diagnose", str(table), *options, "--exit-zero"]) == 0
    told = capsys.readouterr().out
    assert "CR502" in told and "find the learning rate by a range test" in told
    assert json.loads(place.read_text())["findings"][0]["name"] == "learning-rate-too-small"


def test_a_model_on_its_table(table: Path, tmp_path: Path, capsys: Any) -> None:
    model = tmp_path / "m.chainrule"
    assert (
        main(
            [
                "train",
                str(table),
                "--target",
                "kind",
                "--hidden",
                "16",
                "-q",
                "--model",
                str(model),
                "--learning-rate",
                "0.01",
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["diagnose", str(model), str(table)]) == 0
    assert "Healthy" in capsys.readouterr().out
    assert main(["diagnose", str(model), str(table), "--target", "other"]) == 2
    assert "the model predicts 'kind'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{table}"], "--target is missing"),
        (["{table}", "--target", "kin"], "Did you mean 'kind'"),
        (["{table}", "{table}"], "table.csv"),
        (["{table}", "{table}", "{table}"], "Give data, or a model and data"),
        (["{table}", "--target", "kind", "--output", "x.chainrule"], "--cure 60"),
        (["{table}", "--target", "kind", "--cure", "0"], "--cure must be a finite number above 0"),
        (["{table}", "--target", "kind", "--report", "x.pdf"], "ends with .html"),
        (["{table}", "--target", "kind", "--size", "32"], "--size is for clips and detection and pictures"),
        (["{table}", "--target", "kind", "--text", "word"], "no column 'word'"),
        (["model.chainrule"], "give data that it is judged on too"),
        (["no.csv", "--target", "kind"], "no such file"),
        (["{table}", "--target", "kind", "--epochs", "0"], "--epochs"),
        (["{table}", "--target", "kind", "--json", "/no/such/place/x.json"], "--json"),
    ],
)
def test_bad_input(table: Path, arguments: list[str], message: str, capsys: Any) -> None:
    assert main(["diagnose", *(a.replace("{table}", str(table)) for a in arguments)]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_one_class_one_row_and_no_rows(tmp_path: Path, capsys: Any) -> None:
    for name, text, message in (
        ("one.csv", "a,b\n1,x\n2,x\n3,x\n", "'b' is 'x' in every row"),
        ("row.csv", "a,b\n1,x\n", "'b' is 'x' in every row"),
        ("two.csv", "a,b\n1,x\n2,y\n", "2 rows cannot be split"),
        ("head.csv", "a,b\n", "no rows below it"),
        ("empty.csv", "", "is empty"),
    ):
        (tmp_path / name).write_text(text)
        assert main(["diagnose", str(tmp_path / name), "-t", "b"]) == 2
        assert message in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.slow
def test_a_cured_table(table: Path, tmp_path: Path, capsys: Any) -> None:
    cured, page = tmp_path / "cured.chainrule", tmp_path / "page.html"
    options = ["-t", "kind", "--hidden", "16", "--learning-rate", "1e-8", "--epochs", "20"]
    more = ["--cure", "20", "-o", str(cured), "--report", str(page)]
    assert main(["diagnose", str(table), *options, *more]) == 0
    told = capsys.readouterr().out
    assert "Cured by 1 change" in told and "find the learning rate by a range test" in told and "In Python" in told
    assert "The cure" in page.read_text(encoding="utf-8")
    assert main(["predict", str(cured), str(table)]) == 0
    assert main(["diagnose", str(cured), str(table)]) == 0
    assert main(["diagnose", str(cured), str(table), "--hidden", "4"]) == 2


def test_json_alone_on_standard_output(table: Path, capsys: Any) -> None:
    options = ["-t", "kind", "--hidden", "8", "--learning-rate", "1e-8", "--epochs", "3", "--cure", "3", "--json", "-"]
    main(["diagnose", str(table), *options])
    found = json.loads(capsys.readouterr().out)
    assert not found["healthy"] and found["cure"]["score"] == "accuracy"


def test_train_watches_itself(table: Path, tmp_path: Path, capsys: Any) -> None:
    options = [
        "-t",
        "kind",
        "--hidden",
        "16",
        "--epochs",
        "5",
        "--learning-rate",
        "1e-8",
        "-m",
        str(tmp_path / "m.chainrule"),
    ]
    assert main(["train", str(table), *options, "--diagnose"]) == 0
    told = capsys.readouterr()
    assert "CR502" in told.out and "Warning" not in told.err


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    words = {mood: [f"{mood}{i}" for i in range(30)] for mood in ("up", "down")}
    moods = ["up" if i % 2 else "down" for i in range(160)]
    lines = ["text,mood", *(f"{' '.join(rng.choice(words[mood], 5))},{mood}" for mood in moods)]
    (tmp_path / "texts.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "texts.csv"


@pytest.mark.slow
def test_texts(texts: Path, capsys: Any) -> None:
    cured = texts.with_name("cured.chainrule")
    options = ["--text", "text", "-t", "mood", "--learning-rate", "1e-7", "--epochs", "10"]
    assert main(["diagnose", str(texts), *options]) == 1
    assert "CR502" in capsys.readouterr().out
    assert main(["diagnose", str(texts), *options, "--cure", "20", "-o", str(cured)]) == 0
    assert main(["predict", str(cured), "up1 up2 up3"]) == 0
    capsys.readouterr()
    main(["diagnose", str(cured), str(texts), "--exit-zero"])
    assert "160 rows" in capsys.readouterr().out
    watched = ["train", str(texts), "--text", "text", "-t", "mood", "--epochs", "3", "--diagnose"]
    assert main([*watched, "-m", str(texts.with_name("m.chainrule"))]) == 0
    assert "Evidence" in capsys.readouterr().out


@pytest.mark.slow
def test_pictures(tmp_path: Path, capsys: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name, light in (("night", 60), ("day", 180)):
        (folder / name).mkdir(parents=True)
        for i in range(30):
            pixels = rng.normal(light, 30, (10, 10)).clip(0, 255).astype(np.uint8)
            image.fromarray(pixels).save(folder / name / f"{i}.png")
    options = ["--learning-rate", "1e-7", "--epochs", "4"]
    assert main(["diagnose", str(folder), *options]) == 1
    assert "CR502" in capsys.readouterr().out
    cured = tmp_path / "cured.chainrule"
    assert main(["diagnose", str(folder), *options, "--cure", "30", "-o", str(cured)]) == 0
    capsys.readouterr()
    main(["diagnose", str(cured), str(folder), "--exit-zero"])
    told = capsys.readouterr().out
    assert "60 pictures" in told and "Score on training samples" in told
    assert main(["diagnose", str(folder), "-t", "kind"]) == 2
    assert "--target is for tables" in capsys.readouterr().err
