"""CSVLogger, TensorBoard and WeightAveraging."""

from __future__ import annotations

import csv
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import BatchNorm, Dense, Network, ReLU
from chainrule.errors import DataError, DivergenceError, ParameterError
from chainrule.training import Checkpoint, CSVLogger, LambdaCallback, TensorBoard, WeightAveraging

QUIET: dict[str, Any] = {"verbose": 0, "engine": "reference"}
X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
y = (X[:, 0] > 0).astype(int)


def network() -> Network:
    return Network([Dense(4), BatchNorm(), ReLU(), Dense(2)], random_state=0)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- CSV


def test_a_row_for_every_epoch_as_soon_as_it_is_over(tmp_path: Path) -> None:
    path, seen = tmp_path / "log.csv", list[int]()
    look = LambdaCallback(on_epoch_end=lambda state, epoch, logs: seen.append(len(rows(path))))
    net = network().fit(X, y, epochs=3, validation_split=0.25, callbacks=[CSVLogger(path), look], **QUIET)
    found = rows(path)
    assert seen == [1, 2, 3] and [row["epoch"] for row in found] == ["1", "2", "3"]
    assert set(found[0]) == {"epoch", *net.history_}
    for name in ("loss", "accuracy", "val_loss", "learning_rate"):
        assert [float(row[name]) for row in found] == net.history_[name]


def test_a_file_is_written_anew_or_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for append, expected in ((False, 2), (True, 4), (False, 2)):
        network().fit(X, y, epochs=2, callbacks=CSVLogger(path, append=append), **QUIET)
        assert len(rows(path)) == expected
    with pytest.raises(ParameterError, match=r"the columns of .* are epoch, loss"):
        network().fit(X, y, epochs=1, validation_split=0.5, callbacks=CSVLogger(path, append=True), **QUIET)
    assert len(rows(path)) == 2


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="does not exist"):
        network().fit(X, y, callbacks=CSVLogger(tmp_path / "none" / "log.csv"), **QUIET)
    with pytest.raises(DataError, match="cannot be written"):
        network().fit(X, y, callbacks=CSVLogger(tmp_path), **QUIET)


def test_the_file_is_closed_after_an_error(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path / "log.csv")
    with pytest.raises(DivergenceError):
        network().fit(1e3 * X, 1e30 * X[:, :2], optimizer="sgd", learning_rate=1e8, epochs=3, callbacks=logger, **QUIET)
    assert logger._file is None


# ---------------------------------------------------------------- TensorBoard


def events(folder: Path) -> dict[str, dict[int, float]]:
    """{name: {epoch: value}} of the event files in a folder: length (8 bytes), checksum (4), event, checksum (4)."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = {}
    for path in folder.iterdir():
        blob = path.read_bytes()
        while blob:
            (length,) = struct.unpack("<Q", blob[:8])
            event = Event.FromString(blob[12 : 12 + length])
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
            blob = blob[16 + length :]
    return found


def test_events_hold_the_history(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    callback = TensorBoard(tmp_path / "run", every=2)
    net = network().fit(X, y, epochs=3, validation_split=0.25, callbacks=callback, **QUIET)
    training, validation = events(tmp_path / "run" / "training"), events(tmp_path / "run" / "validation")
    for name in ("loss", "accuracy"):
        assert [training[name][i] for i in (1, 2, 3)] == pytest.approx(net.history_[name], rel=1e-6)
        assert [validation[name][i] for i in (1, 2, 3)] == pytest.approx(net.history_[f"val_{name}"], rel=1e-6)
    assert list(training["0.dense.weight"]) == [2] and "0.dense.weight" not in validation
    with pytest.raises(ParameterError, match="TensorBoard: every must be an int of at least 0"):
        network().fit(X, y, callbacks=TensorBoard(tmp_path / "run", every=-1), **QUIET)


# ---------------------------------------------------------------- weight averaging


def ends_of_epochs(net: Network, callback: WeightAveraging, **options: Any) -> list[np.ndarray]:
    seen: list[np.ndarray] = []
    watch = LambdaCallback(on_epoch_end=lambda state, epoch, logs: seen.append(net.parameters.flat.astype(np.float64)))
    net.fit(X, y, callbacks=[watch, callback], **(QUIET | options))
    return seen


def test_the_mean_of_the_last_epochs() -> None:
    net, averaging = network(), WeightAveraging(start=3)
    seen = ends_of_epochs(net, averaging, epochs=6)
    assert averaging.count_ == 4
    np.testing.assert_allclose(net.parameters.flat, np.mean(seen[2:], axis=0), rtol=1e-6, atol=1e-8)
    states = network()
    own = list[np.ndarray]()
    keep = LambdaCallback(on_epoch_end=lambda state, epoch, logs: own.append(states.states.flat.copy()))
    states.fit(X, y, epochs=4, callbacks=[keep, WeightAveraging(start=2)], **QUIET)
    np.testing.assert_allclose(states.states.flat, np.mean(own[1:], axis=0), rtol=1e-6)


def test_an_exponential_moving_average() -> None:
    net = network()
    seen = ends_of_epochs(net, WeightAveraging(start=2, decay=0.7), epochs=5)
    expected = seen[1]
    for one in seen[2:]:
        expected = 0.7 * expected + 0.3 * one
    np.testing.assert_allclose(net.parameters.flat, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("start", "epochs", "count"), [(0.75, 8, 2), (0.0, 3, 3), (0, 3, 3), (0.5, 3, 2), (9, 3, 0), (1, 1, 1)]
)
def test_where_averaging_starts(start: float, epochs: int, count: int) -> None:
    net, averaging = network(), WeightAveraging(start=start)
    seen = ends_of_epochs(net, averaging, epochs=epochs)
    assert averaging.count_ == count
    if not count:
        np.testing.assert_array_equal(net.parameters.flat, seen[-1])


def test_the_average_is_given_after_an_error_and_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    def rate(t: np.ndarray) -> np.ndarray:
        return np.where(t <= 9, 0.05, 1e30)

    net, averaging = network(), WeightAveraging(start=1)
    with pytest.raises(DivergenceError) as caught:
        net.fit(X, y, epochs=9, optimizer="sgd", learning_rate=rate, callbacks=averaging, **QUIET)
    assert averaging.count_ >= 2 and any("average of" in note for note in caught.value.__notes__)
    assert np.isfinite(net.parameters.flat).all()
    whole = network().fit(X, y, epochs=6, callbacks=WeightAveraging(start=2), **QUIET)
    part = [WeightAveraging(start=2), Checkpoint(tmp_path / "c")]

    def stop(state: Any, epoch: int, logs: Any) -> None:
        state.stop = epoch == 4

    network().fit(X, y, epochs=6, callbacks=[*part, LambdaCallback(on_epoch_end=stop)], **QUIET)
    again = network().fit(X, y, epochs=6, callbacks=[WeightAveraging(start=2)], resume=tmp_path / "c", **QUIET)
    np.testing.assert_array_equal(again.parameters.flat, whole.parameters.flat)
    np.testing.assert_array_equal(again.predict(X), whole.predict(X))


@pytest.mark.parametrize("options", [{"start": -1}, {"start": -0.1}, {"start": 1.0}, {"decay": 0.0}, {"decay": 1}])
def test_bad_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"WeightAveraging: (start|decay) must be"):
        network().fit(X, y, callbacks=WeightAveraging(**options), **QUIET)
