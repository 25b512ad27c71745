"""A search finds good parameters, ends weak trials, survives failures, and goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, NeuralClassifier, ReLU
from chainrule.cli.main import main
from chainrule.errors import DivergenceError, ParameterError
from chainrule.model import Network

optuna = pytest.importorskip("optuna")
pytest.importorskip("joblib")
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

from chainrule.tuning import EstimatorTrials, NetworkTrials, Tuner  # noqa: E402
from chainrule.tuning.space import typed_range  # noqa: E402


class Bowl:
    """A score that is least at x = 2 and the kind "b"; it tells of it in three epochs. x > 4.5 diverges."""

    metric, higher = "score", False

    def __init__(self, log: Path | None = None) -> None:
        self.log = log

    def __call__(self, parameters: Any, report: Any) -> float:
        if parameters["x"] > 4.5:
            raise DivergenceError("too far")
        value = (parameters["x"] - 2) ** 2 + (parameters["kind"] != "b")
        for epoch in (1, 2, 3):
            report(epoch, value)
        if self.log is not None:
            import os

            with self.log.open("a") as file:
                file.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        return value


SPACE = {"x": (0.0, 5.0), "kind": ["a", "b"]}


def test_the_best_is_found_weak_trials_are_ended_and_failures_are_noted(tmp_path: Path) -> None:
    tuner = Tuner(Bowl(), SPACE, trials=60).search()
    found = tuner.results_
    assert abs(tuner.best_parameters_["x"] - 2) < 0.6 and tuner.best_parameters_["kind"] == "b"
    states = [trial.state for trial in found.trials]
    assert len(states) == 60 and "pruned" in states and "failed" in states
    pruned = next(trial for trial in found.trials if trial.state == "pruned")
    assert 0 < pruned.epochs < 3 and np.isfinite(pruned.score)
    failed = next(trial for trial in found.trials if trial.state == "failed")
    assert failed.reason == "DivergenceError: too far" and failed.parameters["x"] > 4.5
    rows = found.table()
    assert rows[0]["score"] == tuner.best_score_ == min(trial.score for trial in found.trials if trial.state == "complete")
    pytest.importorskip("matplotlib")
    assert found.picture(tmp_path / "a.png").stat().st_size > 1000


def test_equal_seeds_search_alike() -> None:
    runs = [Tuner(Bowl(), SPACE, trials=12, random_state=seed).search().results_.table() for seed in (1, 1, 2)]
    without_time = [[{k: str(v) for k, v in row.items() if k != "seconds"} for row in rows] for rows in runs]
    assert without_time[0] == without_time[1] != without_time[2]


@pytest.mark.parametrize("name", ["study.log", pytest.param("study.db", marks=pytest.mark.slow)])
def test_a_search_goes_on_where_it_was(tmp_path: Path, name: str) -> None:
    if name.endswith(".db"):
        pytest.importorskip("sqlalchemy")
    log = tmp_path / "log"
    first = Tuner(Bowl(log), SPACE, trials=5, storage=tmp_path / name, pruner="none").search()
    assert len(first.results_.trials) == 5
    second = Tuner(Bowl(log), SPACE, trials=8, storage=tmp_path / name, pruner="none").search()
    assert second.results_.trials[:5] == first.results_.trials and len(second.results_.trials) == 8
    with pytest.raises(ParameterError, match="another space"):
        Tuner(Bowl(), {"y": (0, 5)}, trials=9, storage=tmp_path / name).search()
    with pytest.raises(ParameterError, match=r"lowest score|direction|cannot be opened"):
        Tuner(Bowl(), SPACE, trials=9, storage=tmp_path / name, higher=True).search()


@pytest.mark.slow
def test_workers_are_processes_with_one_processor_each(tmp_path: Path) -> None:
    tuner = Tuner(Bowl(tmp_path / "log"), {"x": (0.0, 4.0), "kind": ["b"]}, trials=12, workers=2, pruner="none").search()
    assert 12 <= len(tuner.results_.trials) <= 13
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert {threads for _, threads in lines} == {"1"}
    import os

    assert str(os.getpid()) not in {process for process, _ in lines}


@pytest.mark.slow
def test_dask_runs_the_trials() -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        tuner = Tuner(Bowl(), SPACE, trials=6, workers=2, backend="dask").search()
    assert len(tuner.results_.trials) >= 6


def test_dask_without_a_client_says_how_to_connect() -> None:
    with pytest.raises(ParameterError, match="connect to the cluster first"):
        Tuner(Bowl(), SPACE, trials=2, workers=2, backend="dask").search()


def test_an_interrupted_search_keeps_what_is_done() -> None:
    calls = []

    def train(parameters: Any, report: Any) -> float:
        calls.append(parameters)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return float(parameters["x"])

    tuner = Tuner(train, {"x": (0.0, 1.0)}, trials=10)
    with pytest.raises(KeyboardInterrupt):
        tuner.search()
    assert [trial.state for trial in tuner.results_.trials] == ["complete"] * 3 + ["failed"]


def test_networks_and_estimators() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)

    def make(units: int, activation: Any) -> Network:
        return Network([Dense(units), activation, Dense(2)], random_state=0)

    train = NetworkTrials(make, X, y, epochs=3, validation_split=0.25)
    space = {"units": (2, 8), "activation": [ReLU()], "learning_rate": (1e-3, 1e-1, "log")}
    tuner = Tuner(train, space, trials=3).search()
    assert isinstance(tuner.best_parameters_["activation"], ReLU) and 2 <= tuner.best_parameters_["units"] <= 8
    again = train.train(tuner.best_parameters_, [])
    assert min(again.history_["val_loss"]) == pytest.approx(tuner.best_score_, rel=1e-5)
    estimators = EstimatorTrials(NeuralClassifier(epochs=3, random_state=0), X, y)
    found = Tuner(estimators, {"hidden": [(4,), (8, 4)], "learning_rate": (1e-3, 1e-1, "log")}, trials=2).search()
    assert found.best_parameters_["hidden"] in [(4,), (8, 4)] and estimators.estimator.hidden == (100,)
    with pytest.raises(ParameterError, match="val_losss"):
        Tuner(NetworkTrials(make, X, y, epochs=1, metric="val_losss"), space, trials=1).search()


def test_what_cannot_be_searched_says_so(tmp_path: Path) -> None:
    for space in ({}, {"x": (1, 0)}, {"x": (0, 1, "log")}, {"x": []}, {"x": 3}, {"x": ("a", "b")}, [1]):
        with pytest.raises(ParameterError, match="space"):
            Tuner(Bowl(), space)  # type: ignore[arg-type]
    for name, value in {
        "trials": 0,
        "sampler": "tpee",
        "pruner": 3,
        "workers": -1,
        "storage": "a.txt",
        "seconds": 0,
    }.items():
        with pytest.raises(ParameterError, match=name):
            Tuner(Bowl(), SPACE, **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="grid"):
        Tuner(Bowl(), SPACE, sampler="grid")
    with pytest.raises(ParameterError, match="too far"):
        Tuner(Bowl(), {"x": (4.6, 5.0), "kind": ["a"]}, trials=2).search()
    (tmp_path / "bad.log").write_text("no study")
    with pytest.raises(ParameterError, match="cannot be opened"):
        Tuner(Bowl(), SPACE, storage=tmp_path / "bad.log").search()


def test_a_grid_is_searched_once() -> None:
    tuner = Tuner(Bowl(), {"x": [1.0, 2.0, 3.0], "kind": ["a", "b"]}, sampler="grid", pruner="none", trials=50).search()
    assert sorted((t.parameters["x"], t.parameters["kind"]) for t in tuner.results_.trials) == [
        (x, kind) for x in (1.0, 2.0, 3.0) for kind in "ab"
    ]


def test_ranges_as_they_are_typed() -> None:
    assert typed_range("learning-rate=1e-4..1e-1:log") == ("learning_rate", (1e-4, 1e-1, "log"))
    assert typed_range("batch_size=16..256") == ("batch_size", (16, 256))
    assert typed_range("hidden=64;128,64;none") == ("hidden", ["64", "128,64", "none"])
    assert typed_range("optimizer=adam,sgd") == ("optimizer", ["adam", "sgd"])
    for bad in ("x", "x=", "=1..2", "x=1..b", "x=..2"):
        with pytest.raises(ParameterError, match="--search"):
            typed_range(bad)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(120, 2))]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    search = ["--search", "hidden=4;8,4", "--search", "learning_rate=1e-3..1e-1:log"]
    command = [
        "tune",
        "t.csv",
        "-t",
        "y",
        "--epochs",
        "3",
        *search,
        "--storage",
        "s.log",
        "--results",
        "r.csv",
        "-m",
        "m.chainrule",
    ]
    assert main([*command, "--trials", "3"]) == 0
    text = capsys.readouterr().out
    assert "3 trials" in text and "test part" in text and (tmp_path / "m.chainrule").exists()
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 4
    assert main([*command, "--trials", "4", "-q"]) == 0
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 5
    for wrong, message in (
        (["--search", "hiden=4;8"], "hidden"),
        (["--search", "epochs=3..5"], "fixes it"),
        (["--search", "batch_size=a;b"], "whole number"),
    ):
        assert main(["tune", "t.csv", "-t", "y", "--epochs", "3", *wrong]) == 2
        assert message in capsys.readouterr().err
