"""Estimators on lists of texts."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import NeuralClassifier, NeuralRegressor
from chainrule.data.text import CharacterTokenizer, WordTokenizer
from chainrule.data.unknown import UnknownValuesWarning
from chainrule.errors import DataError, DtypeError, ModelFileError, ParameterError, UnknownNameError
from chainrule.layers import GRU, Dense, Embedding, GlobalMaxPool

GOOD, BAD = ["good", "great", "fine", "lovely", "superb"], ["bad", "poor", "dull", "awful", "weak"]
REST = ["the", "film", "plot", "a", "was", "and", "it", "of", "cast", "story"]


def reviews(n: int = 240, seed: int = 0) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Texts of many lengths in which one word says which class they are of."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for i in range(n):
        words = rng.choice(REST, rng.integers(1, 15)).tolist()
        words.insert(int(rng.integers(len(words) + 1)), str(rng.choice(GOOD if i % 2 else BAD)))
        texts.append(" ".join(words))
        labels.append("yes" if i % 2 else "no")
    return texts, np.array(labels)


def small(**changes: Any) -> NeuralClassifier:
    return NeuralClassifier(
        **({"hidden": [16], "embedding": 16, "epochs": 15, "learning_rate": 0.02, "random_state": 0} | changes)
    )


def test_it_learns_from_texts_and_predicts_texts() -> None:
    texts, y = reviews()
    model = small().fit(texts, y)
    new, truth = reviews(80, seed=1)
    assert model.score(new, truth) == 1.0
    p = model.predict_proba(["a good film", "a dull film"])
    assert model.classes_.tolist() == ["no", "yes"] and p[0, 1] > 0.9 and p[1, 0] > 0.9
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("container", ["array", "object array", "series", "tuple", "bytes"])
def test_containers_of_texts_give_the_same_model(container: str) -> None:
    texts, y = reviews(60)
    pandas = pytest.importorskip("pandas")
    given: Any = {
        "array": np.array(texts),
        "object array": np.array(texts, object),
        "series": pandas.Series(texts),
        "tuple": tuple(texts),
        "bytes": [t.encode() for t in texts],
    }[container]
    expected = small(epochs=2).fit(texts, y).predict_proba(texts)
    np.testing.assert_array_equal(small(epochs=2).fit(given, y).predict_proba(given), expected)


def test_a_prediction_does_not_depend_on_the_other_texts() -> None:
    texts, y = reviews()
    model = small(epochs=3).fit(texts, y)
    together = model.predict_proba(texts)
    alone = np.concatenate([model.predict_proba([t]) for t in texts[:20]])
    np.testing.assert_allclose(together[:20], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer": CharacterTokenizer(), "layers": [GRU(16), Dense(1)], "epochs": 2},
        {"layers": [Embedding(100, 8, padding=0), GlobalMaxPool(), Dense(2)]},
        {"tokenizer": WordTokenizer(min_count=1), "early_stopping": True, "dropout": 0.2, "class_weight": "balanced"},
        {"precision": "float64", "hidden": ()},
    ],
)
def test_ways_to_set_it_up(changes: dict[str, Any], tmp_path: Path) -> None:
    texts, y = reviews(100)
    model = small(**changes).fit(texts, y)
    expected = model.predict_proba(texts)
    model.save(tmp_path / "m.chainrule")
    loaded = NeuralClassifier.load(tmp_path / "m.chainrule")
    for again in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict_proba(texts), expected)
        assert again.tokenizer_.vocabulary_ == model.tokenizer_.vocabulary_
    refitted = NeuralClassifier.load(tmp_path / "m.chainrule").fit(texts, y)
    assert refitted.predict_proba(texts).shape == expected.shape


def test_byte_pairs() -> None:
    pytest.importorskip("tokenizers")
    texts, y = reviews()
    model = small(tokenizer="byte_pairs").fit(texts, y)
    assert model.score(*reviews(80, seed=1)) > 0.95


def test_a_tokenizer_with_a_vocabulary_keeps_it() -> None:
    texts, y = reviews(60)
    tokenizer = WordTokenizer(min_count=1).fit(["good bad"])
    with pytest.warns(UnknownValuesWarning, match="of 60 texts hold hardly a token"):
        model = small(tokenizer=tokenizer, epochs=1).fit(texts, y)
    assert model.tokenizer_.vocabulary_[4:] == ["bad", "good"]


def test_numbers_from_texts() -> None:
    texts, y = reviews()
    stars = np.where(y == "yes", 5.0, 1.0)
    model = NeuralRegressor(hidden=[16], embedding=16, epochs=30, learning_rate=0.02, random_state=0).fit(texts, stars)
    assert model.score(*(lambda t, v: (t, np.where(v == "yes", 5.0, 1.0)))(*reviews(80, seed=1))) > 0.9


def test_passes_over_batches_and_warm_start() -> None:
    texts, y = reviews()
    model = small()
    for _ in range(15):
        model.partial_fit(texts, y, classes=["no", "yes"])
    assert model.score(texts, y) > 0.95
    again = small(warm_start=True, epochs=3).fit(texts, y)
    before = again.loss_curve_[-1]
    assert again.fit(texts, y).loss_curve_[-1] < before


def test_it_works_in_scikit_learns_tools() -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    texts, y = reviews(120)
    scores = selection.cross_val_score(small(), np.array(texts, object), y, cv=3)
    assert scores.mean() > 0.9


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ("", DataError, r"X\[2\] is an empty text"),
        (None, DataError, r"X\[2\] is missing \(None\)"),
        (float("nan"), DataError, r"X\[2\] is missing \(nan\)"),
        (b"caf\xe9", DataError, r"X\[2\] is not UTF-8: byte 0xE9"),
        (7, DtypeError, r"X\[2\] must be a text, got int"),
    ],
)
@pytest.mark.parametrize("when", ["fit", "predict"])
def test_bad_texts_are_named(changed: Any, error: type[Exception], says: str, when: str) -> None:
    texts, y = reviews(20)
    bad: list[Any] = [*texts]
    bad[2] = changed
    with pytest.raises(error, match=says):
        small(epochs=1).fit(bad, y) if when == "fit" else small(epochs=1).fit(texts, y).predict(bad)


def test_other_bad_input(tmp_path: Path) -> None:
    texts, y = reviews(20)
    with pytest.raises(DataError, match="only 1 class"):
        small().fit(texts, ["a"] * 20)
    with pytest.raises(DataError, match="X has 20 samples but y has 19"):
        small().fit(texts, y[1:])
    with pytest.raises(UnknownNameError, match="words"):
        small(tokenizer="word").fit(texts, y)
    with pytest.raises(ParameterError, match="embedding"):
        small(embedding=0).fit(texts, y)
    model = small(epochs=1).fit(texts, y)
    with pytest.raises(DtypeError, match="list of texts, as in fit"):
        model.predict(np.zeros((2, 3)))
    with pytest.raises(DtypeError, match="fitted on 2 features"):
        small(epochs=1).fit(np.random.default_rng(0).normal(size=(20, 2)), y).predict(texts)
    with pytest.raises(DtypeError, match="text"):
        small().fit([["a", "b"]] * 20, y)


def test_a_file_whose_vocabulary_was_changed_is_refused(tmp_path: Path) -> None:
    texts, y = reviews(20)
    model = small(epochs=1).fit(texts, y)
    assert model.tokenizer_ is not None
    model.tokenizer_._set(model.tokenizer_.vocabulary_[5:])
    model.save(tmp_path / "m.chainrule")
    with pytest.raises(ModelFileError, match="vocabulary"):
        NeuralClassifier.load(tmp_path / "m.chainrule")
