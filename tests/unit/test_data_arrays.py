"""chainrule.data.arrays: whatever users hold becomes checked arrays, and bad data is named and placed."""

from __future__ import annotations

import decimal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from chainrule.data import arrays
from chainrule.data.arrays import as_features, as_targets, check_features, check_lengths, feature_names
from chainrule.errors import DataError, DtypeError, ShapeError


class Tensor:
    """Speaks only DLPack, as tensors of other libraries do."""

    def __init__(self, array: np.ndarray, fails: bool = False) -> None:
        self.array = array
        self.fails = fails

    def __dlpack__(self, **options: Any) -> Any:
        if self.fails:
            raise BufferError("requires grad")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


class Sparse:
    nnz = 1

    def toarray(self) -> np.ndarray:
        return np.ones((1, 1))


EXPECTED = np.array([[1, 2], [3, 4]], dtype=np.float32)


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [3, 4]],
        [(1.0, 2.0), (3.0, 4.0)],
        [[decimal.Decimal(1), 2], [3, 4.0]],
        EXPECTED.astype(np.int8),
        EXPECTED.astype(np.float16),
        EXPECTED.astype(">f8"),
        EXPECTED.astype(object),
        np.asfortranarray(EXPECTED),
        np.repeat(EXPECTED, 2, axis=1)[:, ::2],
        np.ma.masked_array(EXPECTED, mask=False),
        Tensor(EXPECTED),
        Tensor(EXPECTED.astype(np.int64)),
        pd.DataFrame(EXPECTED),
        pd.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}),
        pd.DataFrame({"a": pd.array([1, 3], dtype="Int64"), "b": [2.0, 4.0]}),
        pd.DataFrame({"a": [1, 3], "b": [2, 4]}, dtype=object),
        pl.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}),
        pl.DataFrame(EXPECTED, orient="row"),
        pl.DataFrame({"a": [1, 3], "b": [2, 4]}, schema={"a": pl.Decimal(10, 2), "b": pl.UInt8}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_features_of_any_container(X: Any) -> None:
    out = as_features(X)
    assert out.dtype == np.float32 and out.dtype.isnative and out.flags.c_contiguous
    np.testing.assert_array_equal(out, EXPECTED)


def test_no_copy_when_none_is_needed() -> None:
    assert np.shares_memory(as_features(EXPECTED), EXPECTED)


def test_bools_and_images_and_tokens() -> None:
    assert as_features([[True, False]]).tolist() == [[1.0, 0.0]]
    assert as_features(np.zeros((2, 4, 4, 3), np.uint8)).shape == (2, 4, 4, 3)
    assert as_features([[1.0, 2.0]], dtype=np.int32).dtype == np.int32
    with pytest.raises(DataError, match=r"whole numbers.*got 1\.5 at row 0, column 1"):
        as_features([[1.0, 1.5]], dtype=np.int32)
    with pytest.raises(DataError, match="got -1"):
        as_features([[-1]], dtype=np.uint8)
    with pytest.raises(DataError, match="whole numbers"):
        as_features([[np.nan]], dtype=np.int32)


def test_memmap_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.memmap(tmp_path / "x.bin", dtype=np.float32, mode="w+", shape=(50, 4))
    assert as_features(X) is X
    X[37, 2] = np.inf
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 64)  # four rows at a time
    with pytest.raises(DataError, match=r"infinity.*1 of 200 values.*row 37, column 2"):
        as_features(X)
    assert not isinstance(as_features(X[:10], dtype=np.float64), np.memmap)


def test_nan_says_where_and_how_many() -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0], "height": [1.0, np.nan, np.nan]})
    with pytest.raises(DataError, match=r"NaN: 2 of 6 values.*row 1, column 1 \('height'\)"):
        as_features(frame)
    with pytest.raises(DataError, match=r"column 0 \('a'\)"):
        as_features(pl.DataFrame({"a": [1, None]}))
    with pytest.raises(DataError, match=r"at index \(1, 0, 1\)"):
        as_features(np.array([[[1.0, 1.0]], [[1.0, np.nan]]]))
    assert np.isnan(as_features(frame, allow_nan=True)).sum() == 2
    with_null = pl.DataFrame({"b": [True, None]})
    np.testing.assert_array_equal(as_features(with_null, allow_nan=True), [[1], [np.nan]])
    assert np.isnan(as_features([[1, None]], allow_nan=True)).sum() == 1
    assert np.isnan(as_features(pd.DataFrame({"a": pd.array([1, pd.NA], dtype="Int64")}), allow_nan=True)).sum() == 1
    with pytest.raises(DataError, match="infinity"):
        as_features([[np.nan, -np.inf]], allow_nan=True)


def test_opposite_infinities_do_not_cancel() -> None:
    with pytest.raises(DataError, match="infinity"):
        as_features([[np.inf, -np.inf]])


def test_large_finite_values_are_accepted_when_only_their_sum_overflows() -> None:
    X = np.full((4, 4), 3e38, dtype=np.float32)
    assert as_features(X) is not None


@pytest.mark.parametrize(("X", "dtype"), [([[1.0, 1e39]], np.float32), ([[1.0, 70000]], np.float16)])
def test_overflow(X: Any, dtype: Any) -> None:
    with pytest.raises(DataError, match=r"too large for float.*column 1"):
        as_features(X, dtype=dtype)


def test_whole_number_beyond_any_float() -> None:
    with pytest.raises(DataError, match="too large"):
        as_features([[10**400]])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([["a", "b"]], "text.*row 0, column 0"),
        ([[1, "b"]], "text at row 0, column 1: 'b'"),
        (np.array([["1", "2"]]), "text"),
        (np.array([[b"1"]]), "text"),
        (np.array([[{}, 1]], dtype=object), "a dict at row 0"),
        (pd.DataFrame({"n": [1, 2], "city": ["x", "y"]}), r"column 1 \('city'\): 'x'"),
        (pl.DataFrame({"n": [1, 2], "city": ["x", "y"]}), r"column 1 \('city'\): 'x'"),
        (pd.DataFrame({"c": pd.Categorical(["u", "v"])}), "'c'"),
        (pd.DataFrame({"when": pd.to_datetime(["2020-01-01"])}), "'when'"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "dates"),
        (np.zeros((2, 2), dtype=[("a", "f4")]), "records"),
        (Sparse(), r"X\.toarray\(\)"),
        (Tensor(EXPECTED, fails=True), "detach"),
        (None, "None"),
        ("abc", "a str"),
        ({"a": [1]}, "a dict"),
        ({1, 2}, "a set"),
        (iter([[1]]), "list first"),
        (object(), "a object"),
    ],
)
def test_not_numbers(X: Any, message: str) -> None:
    with pytest.raises(DtypeError, match=message):
        as_features(X)


def test_type_error_reads_as_users_of_scikit_learn_expect() -> None:
    X = np.ones((3, 2), dtype=object)
    X[0, 0] = {"foo": "bar"}
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        as_features(X)


@pytest.mark.parametrize("X", [[[1j]], np.array([[1j]], dtype=object)])
def test_complex(X: Any) -> None:
    with pytest.raises(ValueError, match="Complex data not supported"):
        as_features(X)


@pytest.mark.parametrize("X", [[[1, 2], [3]], [[1, 2], 3], [[[1], [2, 3]]], np.array([[1, 2], [3]], dtype=object)])
def test_ragged(X: Any) -> None:
    with pytest.raises(ShapeError):
        as_features(X)
    with pytest.raises(ShapeError, match="row 0 has length 2, row 1 has length 1"):
        as_features([[1, 2], [3]])


def test_empty() -> None:
    for X in ([], np.empty((0, 3)), pd.DataFrame({"a": []})):
        with pytest.raises(DataError, match=r"0 sample\(s\)"):
            as_features(X)
    for X in (np.empty((12, 0)), pd.DataFrame(index=range(12)), [[], []]):
        with pytest.raises(DataError, match=r"0 feature\(s\) \(shape=\(\d*, 0\)\) while a minimum of \d* is required."):
            as_features(X)
    with pytest.raises(DataError, match=r"1 sample\(s\).*minimum of 2"):
        as_features([[1, 2]], min_samples=2)


def test_dimensions() -> None:
    with pytest.raises(ShapeError, match=r"Reshape your data: X\.reshape\(-1, 1\)"):
        as_features([1, 2, 3])
    with pytest.raises(ShapeError, match="Reshape your data"):
        as_features(pd.Series([1, 2]))
    with pytest.raises(ShapeError, match="a single number"):
        as_features(3)
    with pytest.raises(ShapeError, match=r"must have 2 dimensions, got 3 \(shape \(2, 2, 2\)\)"):
        as_features(np.ones((2, 2, 2)), ndim=2)
    assert as_features(np.ones((2, 2, 2)), ndim=(2, 3)).ndim == 3


def test_targets_keep_their_kind() -> None:
    assert as_targets([1, 2]).dtype == np.int64
    assert as_targets([True, False]).dtype == np.bool_
    assert as_targets(np.array([1, 2], ">i4")).dtype.isnative
    assert as_targets(["a", "b"]).tolist() == ["a", "b"]
    assert as_targets(pd.Series(["a", "b"])).tolist() == ["a", "b"]
    assert as_targets(pl.Series(["a", "b"])).tolist() == ["a", "b"]
    assert as_targets(np.array([1, 2], dtype=object)).dtype == np.int64
    assert as_targets([1, 2], dtype=np.float32).dtype == np.float32
    assert as_targets([[0.5, 1], [2, 3]]).shape == (2, 2)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (None, DataError, "requires y to be passed, but the target y is None"),
        ([], DataError, r"0 sample\(s\)"),
        (["a", None], DataError, "1 missing label.*NaN.*row 1"),
        (pd.Series(["a", np.nan]), DataError, "missing"),
        (np.array(["a", np.nan], dtype=object), DataError, "missing"),
        ([1.0, np.nan], DataError, "NaN.*row 1"),
        ([1.0, np.inf], DataError, "inf"),
        (["a", 1], DtypeError, "mixes"),
        ([1j], DataError, "Complex"),
        (np.array([b"a"]), DtypeError, "text"),
        (np.array([[1], [1, 2]], dtype=object), ShapeError, "ragged"),
    ],
)
def test_bad_targets(y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_targets(y)


def test_targets_of_a_kind_and_dimension() -> None:
    with pytest.raises(DtypeError, match="text"):
        as_targets(["a"], dtype=np.float32)
    with pytest.raises(ShapeError, match="ravel"):
        as_targets([[1], [2]], ndim=1)
    assert np.isnan(as_targets([None, 1.0], allow_nan=True)).tolist() == [True, False]


def test_lengths() -> None:
    assert check_lengths(X=np.ones((3, 2)), y=[1, 2, 3], sample_weight=None) == 3
    with pytest.raises(DataError, match="X has 3 samples but sample_weight has 2"):
        check_lengths(X=np.ones((3, 2)), y=[1, 2, 3], sample_weight=[1, 2])
    with pytest.raises(DataError, match="No arrays"):
        check_lengths(X=None)


def test_features_expected() -> None:
    check_features(np.ones((1, 4)), 4)
    with pytest.raises(ShapeError, match=r"X has 1 features, but MLP is expecting 4 features as input"):
        check_features(np.ones((1, 1)), 4, owner="MLP")


def test_feature_names() -> None:
    assert feature_names(pd.DataFrame({"a": [1], "b": [2]})) == ["a", "b"]
    assert feature_names(pl.DataFrame({"a": [1]})) == ["a"]
    assert feature_names(pd.DataFrame([[1, 2]])) is None
    assert feature_names(np.ones((1, 1))) is None and feature_names(pd.Series([1])) is None


def test_import_needs_numpy_only() -> None:
    code = "import sys, chainrule.data; print([m for m in ('pandas', 'polars', 'pyarrow', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
