"""The autoencoder: scikit-learn's checks, what each kind is asked for, files, pictures, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule
from chainrule import Autoencoder, Dense
from chainrule.errors import DataError, DtypeError, NotFittedError, ParameterError, ShapeError
from chainrule.layers import ReLU
from chainrule.report import code_picture


def digits() -> np.ndarray:
    return (load_digits().data / 16).astype(np.float32)


def curve(n: int = 300) -> np.ndarray:
    angle = np.random.default_rng(0).uniform(0, 6, n)
    return np.stack([np.cos(angle), np.sin(angle), angle / 3], axis=1)


@parametrize_with_checks([Autoencoder(hidden=[8], epochs=3), Autoencoder(1, hidden=[], epochs=2, kind="variational")])
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


def test_it_describes_a_curve_by_one_number_and_beats_principal_components() -> None:
    X = curve()
    model = Autoencoder(1, hidden=[32, 32], epochs=200, learning_rate=0.01, random_state=0, tolerance=None).fit(X)
    linear = PCA(1).fit(X)
    of_linear = np.square(X - linear.inverse_transform(linear.transform(X))).mean()
    assert -model.score(X) < 0.2 * of_linear
    np.testing.assert_allclose(model.score_samples(X), -np.square(X - model.reconstruct(X)).mean(axis=1), atol=1e-6)
    assert model.get_feature_names_out().tolist() == ["autoencoder0"]
    away = model.score_samples([[3.0, 3.0, 0.0]])
    assert away[0] < 10 * model.score(X)


@pytest.mark.parametrize("kind", ["denoising", "sparse", "contractive", "variational"])
def test_each_kind_learns_the_digits(kind: str) -> None:
    X = digits()
    model = Autoencoder(8, hidden=[64], kind=kind, epochs=12, learning_rate=0.005, random_state=0, noise=0.2).fit(X)
    mean = np.square(X - X.mean(axis=0)).mean()
    assert -model.score(X) < (0.75 if kind == "variational" else 0.6) * mean
    if kind == "sparse":
        assert (model.transform(X) >= 0).all()
    if kind == "variational":
        made = model.sample(50, random_state=1)
        assert made.shape == (50, 64) and made.min() >= 0 and made.max() <= 1
    else:
        with pytest.raises(ParameterError, match="variational"):
            model.sample()


def test_strength_does_what_the_kinds_are_for() -> None:
    X = digits()
    common: dict[str, Any] = {"hidden": [32], "epochs": 15, "learning_rate": 0.005, "random_state": 0, "tolerance": None}
    weak, strong = (Autoencoder(16, kind="sparse", strength=s, **common).fit(X).transform(X) for s in (0.0, 0.01))
    assert (strong == 0).mean() > (weak == 0).mean() + 0.05

    def stretch(model: Autoencoder) -> float:
        v = np.random.default_rng(0).normal(size=X.shape)
        return float(np.square((model.transform(X + 0.01 * v) - model.transform(X)) / 0.01).mean())

    weak, strong = (stretch(Autoencoder(4, kind="contractive", strength=s, **common).fit(X)) for s in (0.0, 0.03))
    assert strong < 0.5 * weak


def test_pictures_go_through_a_convolutional_body() -> None:
    X = digits()[:400].reshape(-1, 8, 8)
    model = Autoencoder(6, body="convolutional", hidden=[8, 16], epochs=8, learning_rate=0.01, random_state=0).fit(X)
    assert model.transform(X).shape == (400, 6) and model.reconstruct(X).shape == (400, 8, 8, 1)
    with pytest.raises(ShapeError, match="multiples of 4"):
        Autoencoder(2, body="convolutional", hidden=[8, 16]).fit(np.zeros((4, 10, 8)))


def test_columns_of_other_units_are_scaled_and_come_back_in_their_units() -> None:
    X = curve() * [1, 1000, 1] + [0, 5000, 0]
    model = Autoencoder(1, hidden=[32, 32], epochs=80, learning_rate=0.01, random_state=0).fit(X)
    assert model.input_scale_ is not None
    assert np.abs(model.reconstruct(X) - X)[:, 1].mean() < 300


def test_files_pickles_and_clones(tmp_path) -> None:
    X = digits()[:200]
    model = Autoencoder(3, hidden=[16], epochs=2, random_state=0, kind="variational").fit(X)
    model.save(tmp_path / "codes.chainrule")
    for again in (chainrule.load(tmp_path / "codes.chainrule"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
        assert again.get_params()["kind"] == "variational" and again.n_iter_ == 2
    own = ([Dense(16), ReLU(), Dense(2)], [Dense(16), ReLU(), Dense(64)])
    model = Autoencoder(2, layers=own, epochs=2, random_state=0).fit(X)
    model.save(tmp_path / "own.chainrule")
    again = Autoencoder.load(tmp_path / "own.chainrule")
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert clone(again).fit(X).transform(X).shape == (200, 2)


def test_the_picture_of_the_plane_of_codes(tmp_path) -> None:
    X, y = digits()[:200], load_digits().target[:200]
    model = Autoencoder(2, hidden=[16], epochs=2, random_state=0).fit(X)
    place = code_picture(model.transform(X), tmp_path / "a.png", labels=y, decode=model.inverse_transform, title="digits")
    assert place.stat().st_size > 10_000
    assert code_picture(np.random.default_rng(0).normal(size=(30, 5)), tmp_path / "b.png").is_file()
    with pytest.raises(ShapeError, match="as many labels"):
        code_picture(model.transform(X), tmp_path / "c.png", labels=[1])


def test_what_does_not_fit_is_refused() -> None:
    X = digits()[:50]
    with pytest.raises(ParameterError, match="kind"):
        Autoencoder(kind="deep").fit(X)
    with pytest.raises(ParameterError, match="code must be an int of at least 1"):
        Autoencoder(0).fit(X)
    with pytest.raises(NotFittedError):
        Autoencoder().transform(X)
    with pytest.raises(DtypeError, match="texts"):
        Autoencoder().fit(["a", "b"])
    with pytest.raises(DataError, match="needs numbers in"):
        Autoencoder(loss="binary_cross_entropy").fit(X * 3)
    with pytest.raises(DataError):
        Autoencoder().fit(np.where(X.max() == X, np.nan, X))
    with pytest.raises(ParameterError, match=r"layers must be \(encoder, decoder\)"):
        Autoencoder(layers=[Dense(2)]).fit(X)
    with pytest.raises(ShapeError, match="the encoder must end with the 3 numbers"):
        Autoencoder(3, layers=([Dense(2)], [Dense(64)])).fit(X)
    with pytest.raises(ShapeError, match="a code has 2 numbers"):
        Autoencoder(epochs=1).fit(X).inverse_transform(np.zeros((2, 3)))
