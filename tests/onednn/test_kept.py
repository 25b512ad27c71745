"""Products with the kept weights of a mask on the fast engine, against the reference engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.engine.onednn import engine, kept
from chainrule.ops import Builder, SparseMatrix, Value

from .test_compressed import compare, normal


@pytest.fixture(autouse=True, scope="module")
def _every_product_is_divided() -> Iterator[None]:
    """Also those that are too small for it to pay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_WORTH_DIVIDING", 0)
        patch.setattr(kept, "_SMALL", 0)
        yield


def places(inputs: int, outputs: int, share: float) -> SparseMatrix:
    rng = np.random.default_rng((inputs, outputs))
    mask = rng.random((inputs, outputs)) < share
    mask[rng.random(inputs) < 0.2] = False
    mask[rng.integers(inputs), rng.integers(outputs)] = True
    return SparseMatrix.of(mask)


@settings(max_examples=25, deadline=None)
@given(
    samples=st.sampled_from([1, 2, 3, 7, 8, 9, 16, 31, 33, 64, 65, 127, 128, 129, 300]),
    inputs=st.integers(1, 200),
    outputs=st.integers(1, 90),
    share=st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]),
    transpose=st.booleans(),
    following=st.booleans(),
)
def test_products(samples: int, inputs: int, outputs: int, share: float, transpose: bool, following: bool) -> None:
    which = places(inputs, outputs, share)
    width, out = (outputs, inputs) if transpose else (inputs, outputs)

    def emit(k: Builder, x: Value, values: Value, bias: Value) -> Any:
        y = k.kept_matmul(x, values, kept=which, transpose=transpose)
        return k.relu(k.add(y, bias)) if following else y

    compare(emit, {"x": normal(samples, width), "v": normal(which.entries), "b": normal(out)})
    compare(
        lambda k, x, d: k.kept_outer(x, d, kept=which), {"x": normal(samples, inputs), "d": normal(samples, outputs, seed=1)}
    )


@pytest.mark.parametrize(("inputs", "outputs", "share"), [(1, 1, 1.0), (70, 33, 0.1), (200, 300, 0.5)])
def test_moves(inputs: int, outputs: int, share: float) -> None:
    which = places(inputs, outputs, share)
    compare(lambda k, table: k.take_kept(table, kept=which), {"t": normal(inputs, outputs)}, exact=True)
    compare(lambda k, values: k.spread_kept(values, kept=which), {"v": normal(which.entries)}, exact=True)


def test_one_value_on_both_sides() -> None:
    which = places(20, 20, 0.3)
    compare(lambda k, x: k.kept_outer(x, x, kept=which), {"x": normal(9, 20)})
