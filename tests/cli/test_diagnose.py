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
    assert main(["diagnose", str(table), *options]) == 0
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
        (["{table}", "{table}", "{table}"], "Give a table, or a model and a table"),
        (["no.csv", "--target", "kind"], "no such file"),
        (["{table}", "--target", "kind", "--epochs", "0"], "--epochs"),
        (["{table}", "--target", "kind", "--json", "/no/such/place/x.json"], "--json"),
    ],
)
def test_bad_input(table: Path, arguments: list[str], message: str, capsys: Any) -> None:
    assert main(["diagnose", *(a.replace("{table}", str(table)) for a in arguments)]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
