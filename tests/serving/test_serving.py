"""A served model answers as the model itself does, whatever else is asked at the same time, and refuses with a reason."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import Dense, NeuralClassifier, NeuralRegressor, ReLU
from chainrule.errors import DataError, ParameterError
from chainrule.model import Network
from chainrule.tasks import TableSettings, TextSettings, all_tasks
from chainrule.tasks.tables import TASK as TABLES

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from chainrule.serving import Limits, create_app
from chainrule.serving.batching import Batcher, QueueFull
from chainrule.serving.served_model import Work, served_model

ROWS = [{"age": 70.0, "town": "Rome"}, {"age": 20, "town": "Oslo"}, {"age": None, "town": "Rome"}]
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="module")
def table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    place = folder / "people.csv"
    lines = ["age,town,bought"]
    for i in range(160):
        age = rng.uniform(18, 80)
        lines.append(f"{'' if i % 20 == 3 else round(age, 1)},{['Rome', 'Oslo'][i % 2]},{'yes' if age > 50 else 'no'}")
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = TableSettings(data=place, target="bought", hidden=(16,), epochs=40, learning_rate=0.02)
    TABLES.prepare(TABLES.read(settings), settings).train().model.save(place.with_suffix(".chainrule"))
    return place.with_suffix(".chainrule")


@pytest.fixture(scope="module")
def client(table: Path) -> Iterator[TestClient]:
    with TestClient(create_app(table, Limits(request_bytes=100_000, samples=500))) as client:
        yield client


# ---------------------------------------------------------------- every kind of model, every form of a request


def test_rows_are_answered_as_the_model_answers_them(client: TestClient, table: Path) -> None:
    model = chainrule.load(table)
    answer = client.post("/predict", json={"data": ROWS}).json()
    assert answer["predictions"] == model.predict(ROWS).tolist() and answer["target"] == "bought"
    assert answer["classes"] == ["no", "yes"] and "notes" not in answer
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(ROWS), atol=1e-6)
    assert client.post("/predict", json=ROWS).json() == answer, "a list without an object around it"
    alone = client.post("/predict", json={"data": ROWS[0]}).json()
    assert alone["predictions"] == answer["predictions"][:1]


def test_a_table_comes_as_a_form_or_as_the_body(client: TestClient, table: Path) -> None:
    file = table.with_suffix(".csv").read_bytes()
    expected = chainrule.load(table).predict(table.with_suffix(".csv")).tolist()
    for answer in (
        client.post("/predict", files={"file": ("new rows.csv", file, "text/csv")}),
        client.post("/predict", content=file, headers={"content-type": "text/csv"}),
        client.post("/predict?filename=x.csv", content=file, headers={"content-type": "application/octet-stream"}),
    ):
        assert answer.status_code == 200 and answer.json()["predictions"] == expected


def test_what_training_never_saw_is_noted(client: TestClient) -> None:
    answer = client.post("/predict", json={"data": [{"age": 30, "town": "Bern"}]}).json()
    assert "Bern" in answer["notes"][0] and len(answer["predictions"]) == 1


def test_what_the_page_needs_to_know(client: TestClient) -> None:
    model = client.get("/model").json()
    assert model["target"] == "bought" and model["takes_files"] is True
    assert [(field["name"], field["kind"]) for field in model["fields"]] == [("age", "number"), ("town", "category")]
    assert model["fields"][1]["categories"] == ["Oslo", "Rome"]
    page = client.get("/")
    assert "<form" in page.text and "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text and "https://" not in page.text, "the page loads nothing from elsewhere"


def test_texts(folder: Path) -> None:
    place = folder / "reviews.csv"
    words = [("good fine great", "up"), ("bad poor awful", "down")]
    rows = [f"{words[i % 2][0].split()[i % 3]} film number {i % 7},{words[i % 2][1]}" for i in range(60)]
    place.write_text("text,mood\n" + "\n".join(rows) + "\n")
    settings = TextSettings(data=place, text="text", target="mood", hidden=(), epochs=8)
    task = next(one for one in all_tasks() if one.name == "texts")
    model = task.prepare(task.read(settings), settings).train().model
    model.save(folder / "reviews.chainrule")
    texts = ["good film", "awful film number 3", "never seen word"]
    with TestClient(create_app(folder / "reviews.chainrule")) as client:
        assert client.get("/model").json()["fields"] == [{"name": "text", "kind": "text"}]
        for data in (texts, [{"text": text} for text in texts]):
            answer = client.post("/predict", json={"data": data}).json()
            assert answer["predictions"] == model.predict(texts).tolist()
        assert client.post("/predict", json={"data": [1, 2]}).status_code == 422


def test_pictures(folder: Path) -> None:
    Image = pytest.importorskip("PIL.Image")
    from chainrule.tasks import PictureSettings

    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = (rng.uniform(0, 100, (40, 10, 10, 3)) + 150 * y[:, None, None, None]).astype(np.uint8)
    np.savez(folder / "spots.npz", images=X, labels=np.array(["dark", "light"])[y])
    settings = PictureSettings(data=folder / "spots.npz", epochs=4, test_fraction=0.0, validation_fraction=0.0)
    task = next(one for one in all_tasks() if one.name == "pictures")
    model = task.prepare(task.read(settings), settings).train().model
    model.save(folder / "spots.chainrule")
    for i in range(2):
        Image.fromarray(X[i]).save(folder / f"{i}.png")
    expected = model.predict([folder / "0.png", folder / "1.png"]).tolist()
    with TestClient(create_app(folder / "spots.chainrule")) as client:
        files = [("file", (f"{i} x.png", (folder / f"{i}.png").read_bytes(), "image/png")) for i in range(2)]
        answer = client.post("/predict", files=files).json()
        assert answer["predictions"] == expected and answer["names"] == ["0 x.png", "1 x.png"]
        raw = client.post("/predict", content=(folder / "1.png").read_bytes(), headers={"content-type": "image/png"})
        assert raw.json()["predictions"] == expected[1:]
        assert client.post("/predict", json={"data": X[:2].tolist()}).json()["predictions"] == expected
        cut = client.post("/predict", files={"file": ("a.png", (folder / "1.png").read_bytes()[:60], "image/png")})
        assert cut.status_code == 422 and "a.png" in cut.json()["error"]["message"] and "/tmp" not in cut.text
        path = client.post("/predict", json={"data": [str(folder / "1.png")]})
        assert path.status_code == 422, "a path in JSON is never opened"


def test_networks_and_estimators(folder: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = (X[:, 0] > 0).astype(int)
    net = Network([Dense(4), ReLU(), Dense(2)], random_state=0)
    net.fit(X, y, epochs=2, verbose=0)
    made: dict[str, Any] = {
        "network": net,
        "classifier": NeuralClassifier([4], epochs=3, random_state=0).fit(X, y),
        "regressor": NeuralRegressor([4], epochs=3, random_state=0).fit(X, X[:, 0]),
    }
    for name, model in made.items():
        model.save(folder / f"{name}.chainrule")
        with TestClient(create_app(folder / f"{name}.chainrule", Limits(batch=16))) as client:
            answer = client.post("/predict", json={"data": X[:37].tolist()}).json()
            found = np.array(answer["outputs" if name == "network" else "predictions"])
            np.testing.assert_allclose(found, model.predict(X[:37]), rtol=1e-5, atol=1e-6)
            for bad in (
                [[1, 2]],
                [["a", 1, 2]],
                [[1, 2, 3], [1]],
                [],
                [[1e39, 0, 0]] if name == "network" else [[None, 1, 2]],
            ):
                refused = client.post("/predict", json={"data": bad})
                assert refused.status_code == 422 and len(refused.json()["error"]["message"]) > 20, bad


def test_what_cannot_be_served_says_so() -> None:
    with pytest.raises(ParameterError, match="cannot be served"):
        served_model(object())


# ---------------------------------------------------------------- requests that are refused

REFUSED = {
    "no JSON": (b"hello", 400, "no JSON"),
    "cut off": (b'{"data": [{"age": 1, "town": "Ro', 400, "ends too early|Unterminated"),
    "NaN": (b'{"data": [{"age": NaN, "town": "Rome"}]}', 400, "null for a missing value"),
    "infinite": (b'{"data": [{"age": 1e999, "town": "Rome"}]}', 422, "not finite"),
    "another key": (b'{"rows": []}', 400, '"data"'),
    "no rows": (b'{"data": []}', 422, "empty list"),
    "another form": (b'{"data": "people.csv"}', 422, "a text"),
    "a list in a cell": (b'{"data": [{"age": [1], "town": "Rome"}]}', 422, "a list"),
    "a missing column": (b'{"data": [{"age": 1}]}', 422, "'town'"),
    "a word for a number": (b'{"data": [{"age": "old", "town": "Rome"}]}', 422, "'old'"),
    "bytes": (b"\xff\xfe", 400, "no JSON"),
    "deep": (b"[" * 50_000, 400, "nested too deeply"),
    "nothing": (b"", 400, "no body"),
    "too many samples": (json.dumps([{"age": 1, "town": "x"}] * 501).encode(), 413, "500 samples"),
    "too many bytes": (b" " * 100_001, 413, "100,000 bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_requests_get_one_clear_error_and_others_go_on(client: TestClient, name: str) -> None:
    body, status, pattern = REFUSED[name]
    answer = client.post("/predict", content=body, headers=JSON)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert re.search(pattern, error["message"]), error
    assert client.post("/predict", json={"data": ROWS}).status_code == 200


def test_other_bad_requests(client: TestClient) -> None:
    assert client.get("/predict").status_code == 405 and client.get("/nothing").status_code == 404
    assert client.post("/predict", content=b"abc", headers={"content-type": "video/x"}).status_code == 415
    form = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\nContent-Disposition: form-data; na", b"garbage", b"--x--\r\n"):
        assert client.post("/predict", content=body, headers=form).status_code == 400, body
    two = [("file", (f"{i}.csv", b"age,town\n1,Rome\n", "text/csv")) for i in range(2)]
    assert client.post("/predict", files=two).status_code == 422
    bomb = gzip.compress(b"age,town\n" + b"1,Rome\n" * 200_000)
    answer = client.post("/predict", content=bomb, headers={"content-type": "application/gzip"})
    assert answer.status_code == 422 and "memory" in answer.json()["error"]["message"]


# ---------------------------------------------------------------- batches


class Slow:
    """A model that adds one, and waits to be let go; it fails for negative numbers."""

    kind = "slow"

    def __init__(self) -> None:
        self.go, self.began, self.batches = threading.Event(), threading.Event(), list[int]()

    def predict(self, arrays: Any, batch: int) -> Any:
        self.batches.append(len(arrays[0]))
        self.began.set()
        assert self.go.wait(10)
        if (arrays[0] < 0).any():
            raise DataError("a negative number")
        return Found(arrays[0] + 1)

    def answer(self, work: Work, found: Any) -> Any:
        return found.tolist()


class Found:
    def __init__(self, values: Any) -> None:
        self.values = values

    def part(self, rows: slice) -> Any:
        return self.values[rows]


def test_all_that_waits_is_one_batch_and_one_bad_request_fails_alone() -> None:
    model, seen = Slow(), list[int]()
    batcher = Batcher(batch=8, waiting=100, on_batch=lambda samples, seconds: seen.append(samples))
    first = batcher.submit(model, Work(1, [np.array([0.0])]))  # type: ignore[arg-type]
    assert model.began.wait(10)
    others = [batcher.submit(model, Work(2, [np.array([float(i), -1.0 if i == 2 else i])])) for i in range(1, 6)]  # type: ignore[arg-type]
    wide = batcher.submit(model, Work(1, [np.zeros((1, 3))]))  # type: ignore[arg-type]
    model.go.set()
    assert first.result(10) == [1.0]
    for i, answer in enumerate(others, 1):
        if i == 2:
            with pytest.raises(DataError, match="negative"):
                answer.result(10)
        else:
            assert answer.result(10) == [i + 1.0, i + 1.0]
    assert wide.result(10) == [[1.0, 1.0, 1.0]]
    assert model.batches[:2] == [1, 8], "four requests of two samples are as many as fit into a batch of eight"
    assert model.batches[2:] == [2, 2, 2, 2, 2, 1], "that batch failed and each of its requests was tried alone"
    batcher.close()
    assert sum(seen) == 12
    with pytest.raises(QueueFull):
        batcher.submit(model, Work(1, [np.array([0.0])]))  # type: ignore[arg-type]


def test_a_full_queue_is_refused_and_empties_again(table: Path) -> None:
    app = create_app(table, Limits(waiting=2))
    with TestClient(app) as client:
        service, model = app.state.service, Slow()
        busy = [service.batcher.submit(model, Work(1, [np.array([0.0])]))]
        assert model.began.wait(10)
        busy += [service.batcher.submit(model, Work(1, [np.array([0.0])])) for _ in range(2)]
        answer = client.post("/predict", json={"data": ROWS})
        assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
        assert client.get("/health").json()["waiting"] == 2, "the others are answered meanwhile"
        model.go.set()
        assert [one.result(10) for one in busy] == [[1.0]] * 3
        assert client.post("/predict", json={"data": ROWS}).status_code == 200
        assert 'chainrule_requests_total{status="503"} 1.0' in client.get("/metrics").text


def test_a_prediction_that_takes_too_long_is_given_up(table: Path) -> None:
    app = create_app(table, Limits(seconds=0.1))
    with TestClient(app) as client:
        model = Slow()
        app.state.service.batcher.submit(model, Work(1, [np.array([0.0])]))
        assert model.began.wait(10)
        answer = client.post("/predict", json={"data": ROWS})
        assert answer.status_code == 503 and "0.1 seconds" in answer.json()["error"]["message"]
        model.go.set()


def test_requests_at_the_same_time_do_not_change_each_other(client: TestClient) -> None:
    rows = [{"age": age, "town": town} for age in (None, 20, 33.5, "44", 70) for town in ("Rome", "Oslo", None, "Bern", 7)]
    alone = [client.post("/predict", json=[row]).json()["probabilities"][0] for row in rows]
    found: list[Any] = [None] * len(rows)

    def ask(i: int) -> None:
        found[i] = client.post("/predict", json=[rows[i]]).json()["probabilities"][0]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(found, alone, atol=1e-6)


# ---------------------------------------------------------------- the file is replaced


def _until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _replace(place: Path, content: bytes) -> None:
    new = place.with_suffix(".new")
    new.write_bytes(content)
    new.replace(place)


def test_a_replaced_file_is_served_and_a_broken_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.serving.model_file._LOOK_SECONDS", 0.0)
    place = tmp_path / "n.chainrule"
    nets = [Network([Dense(1)], random_state=seed) for seed in (0, 1)]
    for net in nets:
        net.build(2)
    nets[1].save(tmp_path / "other.chainrule")
    nets[0].save(place)
    x = [[1.0, 2.0]]
    kept = place.read_bytes()
    with TestClient(create_app(place)) as client, TestClient(create_app(place, reload=False)) as fixed:

        def outputs(of: TestClient = client) -> Any:
            return pytest.approx(of.post("/predict", json=x).json()["outputs"][0])

        assert outputs() == nets[0].predict(np.array(x)).tolist()[0]
        for broken in (b"", kept[:100], b"\0" * 500):
            _replace(place, broken)
            _until(lambda: "error" in client.get("/health").json())
            health = client.get("/health").json()
            assert health["status"] == "ok" and "before" in health["file"]
            assert outputs() == nets[0].predict(np.array(x)).tolist()[0]
        _replace(place, (tmp_path / "other.chainrule").read_bytes())
        _until(lambda: "file" not in client.get("/health").json())
        assert outputs() == nets[1].predict(np.array(x)).tolist()[0]
        assert "replaced" in fixed.get("/health").json()["file"]
        assert outputs(fixed) == nets[0].predict(np.array(x)).tolist()[0]
        place.unlink()
        _until(lambda: "error" in client.get("/health").json())
        assert outputs() == nets[1].predict(np.array(x)).tolist()[0]


# ---------------------------------------------------------------- the command


@pytest.mark.slow
def test_the_command_serves_survives_a_request_that_is_cut_off_and_ends_when_told(table: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(chainrule.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "serve", str(table), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        line = process.stdout.readline()  # type: ignore[union-attr]
        address = line.split(" at ")[1].split()[0]
        host, port = address.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), 10) as broken:
            broken.sendall(b'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"data": [')
        with socket.create_connection((host, int(port)), 10) as garbage:
            garbage.sendall(b"\0\1\2 no HTTP\r\n\r\n")
            garbage.recv(1000)
        request = urllib.request.Request(address + "predict", json.dumps({"data": ROWS}).encode(), JSON)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert len(json.load(answer)["predictions"]) == 3
        taken = subprocess.run(
            [sys.executable, "-m", "chainrule", "serve", str(table), "--port", port],
            capture_output=True, text=True, env=environment, timeout=60,
        )  # fmt: skip
        assert taken.returncode == 2 and "port is taken" in taken.stderr and "Traceback" not in taken.stderr
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 143 and "Traceback" not in errors, errors
    finally:
        process.kill()


def test_a_compressed_network_is_served_packed() -> None:
    from chainrule import BatchNorm, BinaryDense, Dense, Network, Sign

    net = Network([BinaryDense(16), BatchNorm(), Sign(), BinaryDense(3)], random_state=0).build((4,))
    wanted = net.predict(np.ones((2, 4), np.float32))
    served = served_model(net)
    assert net._packed is not None
    found = served.predict([np.ones((2, 4), np.float32)], 2)
    np.testing.assert_array_equal(found.arrays[0], wanted)
    dense = Network([Dense(3)], random_state=0).build((4,))
    served_model(dense)
    assert getattr(dense, "_packed", None) is None
