"""chainrule.data.batches: batches from arrays and iterators, and the split for validation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.batches import ArrayData, Batch, Batches, IteratorData, shuffled_order, split_validation
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_an_epoch_has_every_sample_once() -> None:
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    data: Batches = ArrayData(x, y, np.arange(1.0, 11.0))
    assert data.n_samples == 10
    for source in (None, rng()):
        got = list(data.batches(4, source))
        assert [batch.n_samples for batch in got] == [4, 4, 2]
        targets = np.concatenate([batch.targets[0] for batch in got])
        assert sorted(targets.tolist()) == list(range(10))
        for batch in got:
            np.testing.assert_array_equal(batch.inputs[0][:, 0], batch.targets[0] * 2)
            np.testing.assert_array_equal(batch.sample_weight, batch.targets[0] + 1)
    assert np.shares_memory(next(iter(data.batches(4))).inputs[0], x)


def test_same_generator_state_same_order() -> None:
    data = ArrayData(np.arange(9.0)[:, None])
    first, second = ([b.inputs[0].ravel().tolist() for b in data.batches(2, rng())] for _ in range(2))
    assert first == second


def test_take_into_buffers() -> None:
    x = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    data = ArrayData((x, np.arange(4)[:, None]), np.arange(4), np.ones(4))
    out = Batch((np.empty((2, 3)), np.empty((2, 1), np.int64)), (np.empty(2, np.int64),), np.empty(2, np.float32))
    assert data.take(np.array([3, 1]), out) is out
    np.testing.assert_array_equal(out.inputs[0], x[[3, 1]])
    assert out.targets[0].tolist() == [3, 1] and out.inputs[1].ravel().tolist() == [3, 1]
    np.testing.assert_array_equal(data.take(np.array([2])).inputs[0], x[[2]])


def test_memmap(tmp_path: Path) -> None:
    x = np.memmap(tmp_path / "x.bin", dtype=np.float32, mode="w+", shape=(6, 2))
    x[:] = np.arange(12).reshape(6, 2)
    taken = ArrayData(x).take(np.array([5, 0])).inputs[0]
    assert not isinstance(taken, np.memmap) and taken.tolist() == [[10.0, 11.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((3, 1)), np.ones(2)), DataError, r"inputs\[0\] has 3 samples but targets\[0\] has 2"),
        ((np.ones((3, 1)), np.ones(3), np.ones(2)), DataError, "sample_weight has 2"),
        ((np.ones((3, 1)), np.ones(3), [-1, 1, 1]), DataError, "negative.*row 0"),
        ((np.ones((3, 1)), np.ones(3), [0, 0, 0]), DataError, "zero for every"),
        ((np.ones((3, 1)), np.ones(3), [1, np.nan, 1]), DataError, "NaN"),
        ((np.ones((3, 1)), np.ones(3), np.ones((3, 1))), ShapeError, "sample_weight"),
        ((np.ones((0, 1)), np.ones(0)), DataError, "at least one sample"),
        (((), ()), DataError, "at least one input"),
        (([[1.0]],), DtypeError, "NumPy array"),
        ((np.float64(1),), DtypeError, "NumPy array"),
    ],
)
def test_bad_array_data(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ArrayData(*arguments)


def test_bad_indices_and_batch_size() -> None:
    data = ArrayData(np.ones((3, 1)))
    for indices in ([3], [-1]):
        with pytest.raises(DataError, match="from 0 to 2"):
            data.take(np.array(indices))
    with pytest.raises(ParameterError, match="batch_size"):
        next(data.batches(0))


def test_shuffled_order() -> None:
    order = shuffled_order(100, rng())
    assert order.dtype == np.int64 and sorted(order.tolist()) == list(range(100)) and order[0:5].tolist() != [0, 1, 2, 3, 4]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(1, 5), st.booleans())
def test_split_is_a_partition(n: int, fraction: float, k: int, stratify: bool) -> None:
    labels = np.arange(n) % k if stratify else None
    try:
        train, val = split_validation(n, fraction, rng(), labels)
    except DataError as error:
        assert "none to train" in str(error) or "No label" in str(error)
        return
    assert len(train) and len(val)
    assert sorted(np.concatenate([train, val]).tolist()) == list(range(n))
    assert len(val) <= np.ceil(n * fraction)
    if labels is not None:
        assert set(labels[train]) == set(labels)


def test_stratified_split_keeps_proportions() -> None:
    labels = np.array(["a"] * 80 + ["b"] * 15 + ["c"] * 4 + ["d"])
    _, val = split_validation(100, 0.2, rng(), labels)
    names, counts = np.unique(labels[val], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"a": 16, "b": 3, "c": 1}


def test_split_counts() -> None:
    for n, fraction, expected in [(10, 0.1, 1), (10, 0.3, 3), (11, 0.1, 2), (2, 0.5, 1), (1000, 0.1, 100)]:
        assert len(split_validation(n, fraction, rng())[1]) == expected


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "half", None, True])
def test_bad_fraction(fraction: Any) -> None:
    with pytest.raises(ParameterError, match="validation fraction must be a number above 0 and below 1"):
        split_validation(10, fraction, rng())


def test_too_few_to_split() -> None:
    with pytest.raises(DataError, match="at least 2 samples, got 1"):
        split_validation(1, 0.5, rng())
    with pytest.raises(DataError, match="none to train"):
        split_validation(5, 0.9, rng())
    with pytest.raises(DataError, match="No label has 2"):
        split_validation(3, 0.3, rng(), np.arange(3))
    with pytest.raises(DataError, match="shape"):
        split_validation(3, 0.3, rng(), np.arange(2))


def pairs(n: int = 3) -> list[Any]:
    return [(np.ones((2, 4)), np.zeros(2)) for _ in range(n)]


def test_iterator_forms() -> None:
    assert len(list(IteratorData(pairs()).batches())) == 3
    made = IteratorData(lambda: iter(pairs()))
    assert [len(list(made.batches(32, rng()))) for _ in range(2)] == [3, 3]
    endless = IteratorData(lambda: itertools.repeat(pairs()[0]), steps_per_epoch=5)
    assert len(list(endless.batches())) == 5 and endless.n_samples is None
    once = IteratorData(iter(pairs(4)), steps_per_epoch=2)
    assert [len(list(once.batches())) for _ in range(2)] == [2, 2]
    several = IteratorData([((np.ones((2, 4)), np.ones((2, 1))), ["a", "b"], [1, 2])])
    batch = next(several.batches())
    assert len(batch.inputs) == 2 and batch.targets[0].tolist() == ["a", "b"] and batch.sample_weight is not None


def test_iterator_goes_through_once() -> None:
    def generator() -> Iterator[Any]:
        yield from pairs()

    data = IteratorData(generator())
    assert len(list(data.batches())) == 3
    with pytest.raises(DataError, match="only once: pass a function"):
        list(data.batches())
    with pytest.raises(DataError, match="yielded no batch"):
        list(IteratorData([]).batches())


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        ((np.ones((2, 5)), np.zeros(2)), ShapeError, r"Batch 1 .*x has samples of shape \(5,\).*first batch.*\(4,\)"),
        ((np.ones((2, 4)), np.zeros((2, 3))), ShapeError, "Batch 1 .*y has"),
        ((np.ones((2, 4)), np.zeros(3)), DataError, "Batch 1 .*x has 2 samples but y has 3"),
        ((np.ones((2, 4)), np.zeros(2), np.ones(1)), DataError, "Batch 1 .*sample_weight has 1"),
        ((np.full((2, 4), np.nan), np.zeros(2)), DataError, "Batch 1 .*NaN"),
        (([["a"] * 4], [0]), DtypeError, "Batch 1 .*text"),
        (((np.ones((2, 4)), np.ones((2, 4))), np.zeros(2)), ShapeError, "3 arrays"),
        (np.ones((2, 4)), DataError, r"Batch 1 .*\(x, y\).*ndarray"),
        ((np.ones((2, 4)),), DataError, "of length 1"),
    ],
)
def test_bad_batches(second: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(IteratorData([*pairs(1), second]).batches())


def test_bad_sources() -> None:
    with pytest.raises(DtypeError, match="iterable or a function"):
        IteratorData(3)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="steps_per_epoch"):
        IteratorData([], steps_per_epoch=0)
