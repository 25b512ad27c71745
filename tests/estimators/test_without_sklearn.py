"""The estimators where scikit-learn is not installed: in a process of its own that cannot import it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

SETUP = """
import sys
for name in ("sklearn", "scipy", "joblib", "pandas", "polars"):
    sys.modules[name] = None
import warnings
warnings.filterwarnings("ignore", ".*epochs ran out")
import numpy as np
from chainrule import NeuralClassifier, NeuralRegressor
rng = np.random.default_rng(0)
y = np.arange(150) % 3
X = rng.normal(size=(150, 4)) + 3 * np.eye(3, 4)[y]
"""


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SETUP + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_fit_and_score() -> None:
    run("""
    model = NeuralClassifier(hidden=[128, 64], random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.score(X, y, sample_weight=np.ones(150)) == model.score(X, y)
    names = np.array(["a", "b", "c"])[y]
    assert NeuralClassifier(random_state=0).fit(X, names).score(X, names) > 0.9
    labels = np.eye(3, dtype=int)[y]
    assert NeuralClassifier(random_state=0).fit(X, labels).score(X, labels) > 0.8
    assert model.predict_proba(X).shape == (150, 3)

    target = X @ [1.0, -2.0, 3.0, 0.5] + 7
    model = NeuralRegressor(random_state=0).fit(X, target)
    assert model.score(X, target) > 0.95
    error = ((model.predict(X) - target) ** 2).sum() / ((target - target.mean()) ** 2).sum()
    assert abs(model.score(X, target) - (1 - error)) < 1e-12
    assert model.partial_fit(X, target).n_iter_ > 0
    """)


def test_parameters() -> None:
    run("""
    model = NeuralClassifier(hidden=[8], random_state=0)
    assert model.get_params()["hidden"] == [8] and "class_weight" in model.get_params()
    assert repr(model) == "NeuralClassifier(hidden=[8], random_state=0)"
    assert model.set_params(epochs=3) is model and model.fit(X, y).n_iter_ == 3
    from chainrule.errors import ParameterError, NotFittedError
    for wrong, error, part in [
        (lambda: model.set_params(epoch=3), ParameterError, "Did you mean 'epochs'"),
        (lambda: NeuralClassifier().predict(X), NotFittedError, "not fitted yet"),
        (lambda: model.predict(X[:, :3]), ValueError, "expecting 4 features"),
        (lambda: model.fit(X, y[:-1]), ValueError, "150 samples but y has 149"),
    ]:
        try:
            wrong()
        except error as e:
            assert part in str(e), e
        else:
            raise AssertionError(part)
    import warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        NeuralClassifier(epochs=1).fit(X, y[:, None])
    assert "column-vector" in str(caught[0].message)
    """)


def test_save_load_and_pickle(tmp_path: pytest.TempPathFactory) -> None:
    run(f"""
    import pickle
    model = NeuralClassifier(hidden=[8], epochs=3).fit(X, y)
    model.save({str(tmp_path / "model")!r})
    for other in (NeuralClassifier.load({str(tmp_path / "model")!r}), pickle.loads(pickle.dumps(model))):
        assert (other.predict_proba(X) == model.predict_proba(X)).all()
    """)


def test_column_names() -> None:
    pytest.importorskip("polars")
    run("""
    del sys.modules["polars"]
    import polars as pl
    names = ["a", "b", "c", "d"]
    frame = pl.DataFrame(X, schema=names)
    model = NeuralClassifier(epochs=2).fit(frame, y)
    assert model.feature_names_in_.tolist() == names
    model.predict(frame)
    try:
        model.predict(frame.select("b", "a", "c", "d"))
    except ValueError as e:
        assert "in another order" in str(e), e
    else:
        raise AssertionError
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    """)
