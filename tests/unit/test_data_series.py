"""Time series: gaps, and windows that share the memory of the series."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from chainrule import Dense, Flatten, Network
from chainrule.data import as_series, windows
from chainrule.data.series import overlaps
from chainrule.errors import DataError, DtypeError, ParameterError, ShapeError, UnknownNameError

NAN = float("nan")


def test_gaps_are_refused_or_filled_as_asked() -> None:
    y = [NAN, 1.0, NAN, NAN, 4.0, NAN]
    with pytest.raises(DataError, match="4 of 6 values are NaN, the first gap at step 0"):
        as_series(y)
    with pytest.raises(DataError, match="steps 2 to 3"):
        as_series([0.0, *y[1:]])
    with pytest.raises(DataError, match="steps 1 to 2"):
        as_series([1.0, NAN, NAN])
    assert as_series(y, missing="interpolate").tolist() == [1, 1, 2, 3, 4, 4]
    assert as_series(y, missing="forward").tolist() == [1, 1, 1, 1, 4, 4]


def test_each_column_is_filled_by_itself() -> None:
    table = np.array([[1.0, NAN], [NAN, 2.0], [3.0, 4.0]])
    assert as_series(table, missing="interpolate", ndim=2).tolist() == [[1, 2], [2, 2], [3, 4]]
    with pytest.raises(DataError, match=r"y\[:, 1\] has no value"):
        as_series(np.array([[1.0, NAN], [2.0, NAN]]), missing="forward", ndim=2)
    with pytest.raises(DataError, match=r"y\[:, 0\] has a gap"):
        as_series(table, ndim=2)


def test_containers_of_series() -> None:
    pandas = pytest.importorskip("pandas")
    assert as_series(pandas.Series([1, 2])).tolist() == [1, 2]
    assert as_series(pandas.DataFrame({"a": [1.0, None]}), missing="forward").tolist() == [1, 1]
    assert as_series([1, 2], ndim=2).shape == (2, 1)


@pytest.mark.parametrize(
    ("y", "error", "says"),
    [
        ([1.0, float("inf")], DataError, "inf"),
        (["a", "b"], DtypeError, "numbers"),
        (np.zeros((2, 2)), ShapeError, "one column"),
        ([], DataError, "0 sample"),
    ],
)
def test_what_is_no_series(y: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        as_series(y)


def test_bad_windows() -> None:
    with pytest.raises(DataError, match="2 steps is shorter than a window of 3"):
        windows(np.zeros(2), 3)
    with pytest.raises(ParameterError, match="stride"):
        windows(np.zeros(2), 1, stride=0)
    with pytest.raises(UnknownNameError, match="interpolate"):
        as_series([1.0], missing="interpolated")


@pytest.mark.parametrize("shape", [(20,), (20, 3)])
@pytest.mark.parametrize("stride", [1, 4])
def test_windows_share_the_memory_of_the_series(shape: tuple[int, ...], stride: int) -> None:
    series = np.random.default_rng(0).normal(size=shape)
    found = windows(series, 5, stride=stride)
    assert np.shares_memory(found, series) and overlaps(found) == (stride == 1 or len(shape) == 2 or stride < 5)
    expected = [series[i : i + 5] for i in range(0, 16, stride)]
    np.testing.assert_array_equal(found, expected)


def test_a_network_learns_from_windows_without_a_copy_of_them() -> None:
    series = np.sin(np.arange(1_000_000) / 7).astype(np.float32)
    X, y = windows(series[:-1], 100), series[100:]
    net = Network([Dense(1)], random_state=0).build(100)
    net.fit(X[:500], y[:500], epochs=1, verbose=0)  # plans are compiled before memory is looked at
    tracemalloc.start()
    net.fit(X, y, epochs=1, batch_size=512, verbose=0)
    net.evaluate(X, y)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Read in blocks of 32 MB, of which the last few are kept to find a diverging step; all windows together are 400 MB.
    assert X.nbytes > 399e6 and most < 250e6
    copied = Network([Dense(1)], random_state=0).fit(np.array(X[:900]), y[:900], epochs=2, verbose=0)
    viewed = Network([Dense(1)], random_state=0).fit(X[:900], y[:900], epochs=2, verbose=0)
    np.testing.assert_array_equal(copied.parameters.flat, viewed.parameters.flat)


def test_a_window_with_a_number_that_is_not_finite_is_named() -> None:
    series = np.zeros((30, 2), np.float32)
    series[20, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        Network([Flatten(), Dense(1)]).fit(windows(series, 5), np.zeros(26), verbose=0)
