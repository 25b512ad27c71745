"""The estimators on pictures: (N, H, W, C) and (N, H, W), by layers, a Network, or an architecture's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import BatchNorm, Conv1D, Conv2D, Dense, Flatten, GlobalAveragePool, Input, Network, ReLU, Residual
from chainrule.errors import DtypeError, ParameterError, ShapeError
from chainrule.estimators import NeuralClassifier, NeuralRegressor
from chainrule.images import ImageData


def bars(n: int = 90, side: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Bars that lie or stand, at random places."""
    rng = np.random.default_rng(0)
    X, y = rng.uniform(0, 0.4, (n, side, side)).astype(np.float32), rng.integers(0, 2, n)
    for x, stands, at in zip(X, y, rng.integers(2, side - 2, n), strict=True):
        x[(slice(None), at) if stands else (at, slice(None))] = 1
    return X, np.where(y == 1, "standing", "lying")


def layers(outputs: int = 1) -> list[Any]:
    return [Conv2D(8, 5, padding="same"), ReLU(), GlobalAveragePool(), Dense(outputs)]


def quick(**options: Any) -> NeuralClassifier:
    return NeuralClassifier(**{"random_state": 0, "epochs": 25, "learning_rate": 0.02, **options})


@pytest.mark.parametrize("outputs", [1, 2])
def test_grey_pictures_with_and_without_channels(outputs: int) -> None:
    X, y = bars()
    model = quick(layers=layers(outputs)).fit(X, y)
    assert model.score(X, y) > 0.95 and model.sample_shape_ == (10, 10, 1)
    same = quick(layers=layers(outputs)).fit(X[..., None], y)
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X[..., None]))
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X[..., None]))
    np.testing.assert_array_equal(model.predict(X[:1]), model.predict(X)[:1])


@pytest.mark.parametrize("make", [
    lambda: Network(layers()), lambda: Network([Input((10, 10, 1)), *layers()]),
    lambda: [Input((10, 10, 1)), *layers()], lambda: [Residual([Conv2D(1, 3, padding="same")]), Flatten(), Dense(1)],
    lambda: "lenet5_small",
])  # fmt: skip
def test_every_form_of_layers_takes_pictures_without_channels(make: Any) -> None:
    X, y = bars(40)
    given = make()
    if isinstance(given, str):
        X, given = np.repeat(np.repeat(X, 3, axis=1), 3, axis=2)[:, :28, :28], "lenet5"
    model = quick(layers=given, epochs=2).fit(X, y)
    assert model.sample_shape_[-1] == 1 and model.predict(X).shape == (40,)


def test_colours_and_other_arrays() -> None:
    X, y = bars(60)
    colours = np.stack([X, X / 2, 1 - X], axis=-1)
    assert quick(layers=layers()).fit(colours, y).score(colours, y) > 0.9
    # Sequences (N, T, C) and layers that take anything are left as they are.
    assert quick(layers=[Conv1D(4, 3), GlobalAveragePool(), Dense(1)], epochs=1).fit(X, y).sample_shape_ == (10, 10)
    assert quick(layers=[Flatten(), Dense(1)], epochs=1).fit(X, y).sample_shape_ == (10, 10)


def test_regression_and_partial_fit() -> None:
    X, _ = bars(60)
    X = X * np.random.default_rng(1).uniform(0.2, 1, (60, 1, 1)).astype(np.float32)
    y = X.mean(axis=(1, 2)) * 100
    model = NeuralRegressor(layers=layers(), random_state=0, epochs=60, learning_rate=0.02).fit(X, y)
    assert model.score(X, y) > 0.8
    model = NeuralClassifier(layers=layers(), random_state=0)
    model.partial_fit(X[:30], bars(60)[1][:30], classes=["lying", "standing"]).partial_fit(
        X[30:, ..., None], bars(60)[1][30:]
    )
    assert model.predict(X).shape == (60,)


def test_saving(tmp_path: Path) -> None:
    X, y = bars(30)
    model = quick(layers=layers(), epochs=2).fit(X, y)
    model.save(tmp_path / "m.chainrule")
    again = NeuralClassifier.load(tmp_path / "m.chainrule")
    assert again.sample_shape_ == (10, 10, 1)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.fit(X, y).score(X, y) >= 0


def test_a_large_memory_map_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.estimators import features, training

    monkeypatch.setattr(features, "_SMALL_MAP_BYTES", 0)
    monkeypatch.setattr(training, "_ORDERED_BYTES", 0)  # as for an array of the size of a large memory map
    X, y = bars(40)
    on_disk = np.memmap(tmp_path / "x.bin", dtype=np.float32, mode="w+", shape=X.shape)
    on_disk[:] = X
    found = quick(layers=layers(), epochs=2).fit(on_disk, y).predict_proba(on_disk)
    np.testing.assert_allclose(found, quick(layers=layers(), epochs=2).fit(X, y).predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(("n", "early_stopping"), [(33, False), (273, False), (37, True)])
def test_no_sample_is_left_alone_in_the_last_batch(n: int, early_stopping: bool) -> None:
    X, y = np.random.default_rng(0).normal(size=(n, 4)), np.arange(n) % 2
    own = [Dense(4), BatchNorm(), ReLU(), Dense(1)]  # batch normalisation of one sample would be an error
    model = NeuralClassifier(layers=own, epochs=1, early_stopping=early_stopping, random_state=0).fit(X, y)
    assert model.predict(X).shape == (n,)


def test_bad_input() -> None:
    X, y = bars(30)
    with pytest.raises(ShapeError, match=r"X must have 2 dimensions, got 3.*reshape.*layers"):
        quick().fit(X, y)
    model = quick(layers=layers(), epochs=1).fit(X, y)
    with pytest.raises(ShapeError, match=r"X has shape \(30, 9, 10\).*\(N, 10, 10, 1\).*resizing"):
        model.predict(X[:, 1:])
    with pytest.raises(ShapeError, match=r"X has shape \(30, 10\).*\(N, 10, 10, 1\)"):
        model.predict(X[:, 0])
    with pytest.raises(ShapeError, match=r"takes pictures.*shape \(10,\)"):
        quick(layers="lenet5").fit(X[:, 0], y)
    with pytest.raises(ParameterError, match=r"Unknown architecture 'resnt20'.*resnet20"):
        quick(layers="resnt20").fit(X, y)
    with pytest.raises(ShapeError, match=r"8 × 8 × 2.*Dense\(1\) after Flatten\(\) or GlobalAveragePool\(\)"):
        quick(layers=[Conv2D(2, 3)]).fit(X, y)
    for alone in (X[0], X[0, ..., None]):
        with pytest.raises(ShapeError, match=r"X\[None\]"):
            model.predict(alone)
    with pytest.raises(DtypeError):
        quick(layers=layers()).fit(ImageData(X, y), y)
