"""Models with their preprocessing as ONNX files: what they give for columns and pixels is what the model gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.cli.main import main

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def trained(folder: Path, lines: list[str], target: str, *more: str) -> Any:
    (folder / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    model = folder / "t.chainrule"
    assert main(["train", str(folder / "t.csv"), "-t", target, "--epochs", "2", "-q", "-m", str(model), *more]) == 0
    return chainrule.load(model)


def run(path: Path, **inputs: Any) -> Any:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session, session.run(None, inputs)[0]


@pytest.mark.parametrize("target", ["kind", "price"])
def test_a_table_goes_in_column_by_column(tmp_path: Path, target: str) -> None:
    towns = [f"town{i}" for i in range(70)]
    lines = ["size,colour,town,kind,price"]
    for i in range(240):
        size = "" if i % 11 == 0 else f"{RNG.normal(50, 9):.3f}"
        colour = ["red", "blue", "green", ""][i % 4]
        lines.append(f"{size},{colour},{towns[i % 70]},{['a', 'b', 'c'][i % 3]},{RNG.normal(1000, 90):.2f}")
    model = trained(tmp_path, lines, target)
    names = [encoder.name for encoder in model.preprocessor.encoders_]
    kinds = {type(encoder).__name__ for encoder in model.preprocessor.encoders_}
    assert kinds == {"Numeric", "OneHot", "Embedded"}
    out = tmp_path / "t.onnx"
    assert main(["export", str(tmp_path / "t.chainrule"), str(out)]) == 0
    rows: dict[str, list[Any]] = {
        "size": [41.5, np.nan, 1e6], "colour": ["red", "", "purple"], "town": ["town3", "nowhere", "town69"],
        "price": [900.0, 1100.0, 1000.0], "kind": ["a", "b", "c"],
    }  # fmt: skip
    given = {name: np.array(rows[name], np.float64 if name in ("size", "price") else object)[:, None] for name in names}
    session, found = run(out, **given)
    assert {i.name: i.type for i in session.get_inputs()} == {
        name: "tensor(double)" if name in ("size", "price") else "tensor(string)" for name in names
    }
    table = {name: [None if v == "" or v != v else v for v in rows[name]] for name in names}
    wanted = model.predict_proba(table) if target == "kind" else np.asarray(model.predict(table))[:, None]
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert main(["export", str(tmp_path / "t.chainrule"), str(out), "--bare"]) == 0
    assert len(ort.InferenceSession(str(out)).get_inputs()) == 2


def test_dates_are_refused_by_the_name_of_their_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["when,kind", *(f"2024-{1 + i % 12:02d}-{1 + i % 28:02d},{'ab'[i % 2]}" for i in range(60))]
    trained(tmp_path, lines, "kind")
    assert main(["export", str(tmp_path / "t.chainrule"), str(tmp_path / "t.onnx")]) == 2
    assert "the column 'when' holds dates, which ONNX cannot read" in capsys.readouterr().err
    assert not (tmp_path / "t.onnx").exists()
    assert main(["export", str(tmp_path / "t.chainrule"), str(tmp_path / "t.onnx"), "--bare"]) == 0


@pytest.mark.parametrize("channels_first", [False, True])
def test_pictures_go_in_as_pixels_of_any_size(tmp_path: Path, channels_first: bool) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, light in (("dark", 60), ("light", 190)):
        (tmp_path / "p" / name).mkdir(parents=True)
        for i in range(12):
            pixels = RNG.normal(light, 40, (12, 12, 3)).clip(0, 255).astype(np.uint8)
            image.fromarray(pixels).save(tmp_path / "p" / name / f"{i}.png")
    model, out = tmp_path / "p.chainrule", tmp_path / "p.onnx"
    assert main(["train", str(tmp_path / "p"), "--epochs", "2", "-q", "-m", str(model)]) == 0
    flags = ["--channels-first"] if channels_first else []
    assert main(["export", str(model), str(out), *flags]) == 0
    loaded = chainrule.load(model)
    x = RNG.integers(0, 256, (3, 12, 12, 3)).astype(np.uint8)
    session, found = run(out, pictures=x.transpose(0, 3, 1, 2) if channels_first else x)
    assert np.allclose(found, loaded.predict_proba(x), atol=1e-4)
    assert session.get_modelmeta().custom_metadata_map["classes"] == "dark,light"
    # Another size is stretched; the model's own way rounds to whole pixels in between.
    large = RNG.integers(0, 256, (3, 25, 31, 3)).astype(np.uint8)
    files = [tmp_path / f"large{i}.png" for i in range(3)]
    for file, pixels in zip(files, large, strict=True):
        image.fromarray(pixels).save(file)
    _, resized = run(out, pictures=large.transpose(0, 3, 1, 2) if channels_first else large)
    assert np.allclose(resized, loaded.predict_proba(files), atol=0.01)
