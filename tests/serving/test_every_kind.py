"""Every kind of model that ``chainrule.load`` gives is served, and refuses what it cannot read with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Autoencoder, NeuralForecaster
from chainrule.tasks import Detector, TextGenerator, Translator, all_tasks

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from chainrule.serving import Limits, create_app

STEPS = np.arange(72)
SERIES = 10 + np.sin(2 * np.pi * STEPS / 12)
FURTHER = np.stack([STEPS % 2, STEPS % 3], axis=1).astype(float)


@pytest.fixture
def served(tmp_path: Path) -> Callable[[Any], TestClient]:
    def serve(model: Any, **limits: Any) -> TestClient:
        model.save(tmp_path / "m.chainrule")
        return TestClient(create_app(tmp_path / "m.chainrule", Limits(**limits)))

    return serve


def refused(client: TestClient, data: Any, pattern: str, status: int = 422) -> None:
    answer = client.post("/predict", json={"data": data})
    assert answer.status_code == status and pattern in answer.json()["error"]["message"], answer.text


def test_a_translator(served: Any) -> None:
    model = Translator(epochs=1, units=8, random_state=0).fit(["a b", "b c", "c a"] * 6, ["x y", "y z", "z x"] * 6)
    with served(model, samples=3) as client:
        answer = client.post("/predict", json={"data": ["a b", "c"]})
        assert answer.json()["predictions"] == model.translate(["a b", "c"])
        assert client.post("/predict", json={"data": [{"text": "b"}]}).json()["predictions"] == model.translate(["b"])
        refused(client, [""], "empty text")
        refused(client, [1], "list of texts")
        refused(client, ["a"] * 4, "3 samples", 413)


def test_a_text_generator(served: Any) -> None:
    model = TextGenerator(epochs=1, units=8, random_state=0).fit("the cat sat on the mat. " * 20)
    asked = {"prompt": "the", "length": 7, "random_state": 3}
    with served(model, samples=1000) as client:
        expected = [model.generate(**asked)]
        for data in (asked, [asked]):
            assert client.post("/predict", json={"data": data}).json()["predictions"] == expected
        assert client.post("/predict", json={"data": "the"}).json()["predictions"][0].startswith("the")
        refused(client, {"length": -1}, "length")
        refused(client, {"length": 10**9}, "1,000 samples", 413)
        refused(client, {"temperature": "hot"}, "temperature")
        refused(client, {"colour": "red"}, "Unknown option 'colour'")
        refused(client, ["a", "b"], "one text")


@pytest.mark.filterwarnings("ignore:NeuralForecaster")
def test_forecasters(served: Any) -> None:
    options = {"window": 12, "horizon": 2, "hidden": (), "epochs": 2, "random_state": 0}
    alone = NeuralForecaster(season=12, **options).fit(SERIES)
    given = SERIES[:30].tolist()
    with served(alone) as client:
        answer = client.post("/predict", json={"data": given}).json()
        expected = alone.predict_interval(y=given, level=0.9)
        np.testing.assert_allclose(answer["predictions"], expected.mean)
        np.testing.assert_allclose(answer["lower"], expected.lower)
        assert answer["horizons"] == [1, 2] and len(answer["seasonal_naive"]) == 2
        np.testing.assert_allclose(client.post("/predict", json={"data": {}}).json()["predictions"], alone.predict())
        refused(client, [None, *given], "gap")
        refused(client, given[:3], "3 steps")
        refused(client, ["1"] * 30, "lists of numbers")
        refused(client, {"y": given, "level": 2}, "level")
        refused(client, {"z": given}, "Unknown option 'z'")
        refused(client, {"X": [[1, 2]]}, "series under")
        example = client.get("/model").json()["example"]
        assert client.post("/predict", json={"data": example}).status_code == 200
    both = NeuralForecaster(**options).fit(FURTHER, SERIES)
    with served(both) as client:
        data = {"y": given, "X": FURTHER[:30].tolist()}
        answer = client.post("/predict", json={"data": data}).json()
        np.testing.assert_allclose(answer["predictions"], both.predict(FURTHER[:30], SERIES[:30]))
        refused(client, given, "features")
        refused(client, {**data, "X": data["X"][1:]}, "29 steps")


def test_an_autoencoder(served: Any) -> None:
    X = np.random.default_rng(0).normal(size=(40, 4))
    model = Autoencoder(code=2, hidden=(), epochs=2, random_state=0).fit(X)
    with served(model, batch=4) as client:
        answer = client.post("/predict", json={"data": X[:7].tolist()}).json()
        np.testing.assert_allclose(answer["codes"], model.transform(X[:7]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(answer["predictions"], model.reconstruct(X[:7]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(answer["errors"], -model.score_samples(X[:7]), rtol=1e-4, atol=1e-5)
        refused(client, [[1, 2, 3]], "(4,)")
        refused(client, [[1, 2, 3, None]], "lists of numbers")


@pytest.fixture(scope="module")
def picture() -> tuple[np.ndarray, bytes]:
    Image = pytest.importorskip("PIL.Image")
    from io import BytesIO

    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[8:20, 10:24] = 255
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return pixels, out.getvalue()


def test_a_detector_reads_files_when_it_predicts(served: Any, picture: tuple[np.ndarray, bytes]) -> None:
    pixels, png = picture
    truth = [([[10, 8, 24, 20]], ["spot"])] * 8
    model = Detector(width=8, epochs=1, size=(32, 32), threshold=0.0).fit((np.stack([pixels] * 8), truth), verbose=0)
    with served(model) as client:
        files = [("file", (f"{name}.png", png, "image/png")) for name in "ab"]
        answer = client.post("/predict", files=files)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["names"] == ["a.png", "b.png"] and found["predictions"][0] == found["predictions"][1]
        (expected,) = model.predict(pixels)
        assert len(found["predictions"][0]) == len(expected) > 0
        first = found["predictions"][0][0]
        assert first["class"] == "spot" and first["score"] == pytest.approx(expected.scores[0], abs=1e-4)
        np.testing.assert_allclose(first["box"], expected.boxes[0], atol=0.05)
        cut = client.post("/predict", files={"file": ("a.png", png[:60], "image/png")})
        assert cut.status_code == 422 and "a.png" in cut.text and "/tmp" not in cut.text
        refused(client, [[1]], "takes files")


def test_sounds_as_files(tmp_path: Path, served: Any) -> None:
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for i in range(12):
        place = tmp_path / "sounds" / ("low" if i % 2 else "high") / f"{i}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        wave = np.sin(2 * np.pi * (300 if i % 2 else 1500) * np.arange(2000) / 8000)
        soundfile.write(place, (0.5 * wave + 0.01 * rng.normal(size=2000)).astype(np.float32), 8000)
    task = next(one for one in all_tasks() if one.name == "sounds")
    settings = task.settings(data=tmp_path / "sounds", epochs=1, test_fraction=0.0, validation_fraction=0.0)
    model = task.prepare(task.read(settings), settings).train().model
    wav = (tmp_path / "sounds" / "low" / "1.wav").read_bytes()
    with served(model) as client:
        expected = model.predict([tmp_path / "sounds" / "low" / "1.wav"]).tolist()
        answer = client.post("/predict", files={"file": ("one.wav", wav, "audio/wav")}).json()
        assert answer["predictions"] == expected and answer["names"] == ["one.wav"]
        assert client.post("/predict", content=wav, headers={"content-type": "audio/wav"}).json()["predictions"] == expected
        cut = client.post("/predict", files={"file": ("one.wav", wav[:30], "audio/wav")})
        assert cut.status_code == 422 and "one.wav" in cut.text and "/tmp" not in cut.text


def test_what_load_cannot_give_is_not_served(tmp_path: Path) -> None:
    place = tmp_path / "no.chainrule"
    place.write_text(json.dumps({"no": "model"}))
    with pytest.raises(chainrule.errors.ModelFileError):
        create_app(place)
