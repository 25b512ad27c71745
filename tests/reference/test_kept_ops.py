"""Products with the kept weights of a mask, in NumPy, against sums written out; and what does not fit is named."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.engine.reference.engine import compute
from chainrule.errors import ShapeError
from chainrule.ops import Builder, SparseMatrix, Value

RNG = np.random.default_rng(0)
MASK = RNG.random((5, 4)) < 0.4
KEPT = SparseMatrix.of(MASK)
PLACES = [(i, o) for i in range(5) for o in range(4) if MASK[i, o]]


def run(op: str, *arrays: np.ndarray, **attrs: object) -> np.ndarray:
    k = Builder()
    outputs = k.emit(op, *[Value(a.shape, "float", "input", f"x{i}") for i, a in enumerate(arrays)], kept=KEPT, **attrs)
    assert outputs[0].producer is not None
    (found,) = compute(outputs[0].producer, list(arrays), dtype=np.float64, step=0, seed=0)
    assert found.shape == outputs[0].shape
    return np.asarray(found)


def test_against_sums() -> None:
    x, d, w = RNG.normal(size=(3, 5)), RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4))
    values = run("take_kept", w)
    assert values.tolist() == [w[place] for place in PLACES]
    spread = run("spread_kept", values)
    assert all(spread[i, o] == (w[i, o] if MASK[i, o] else 0) for i in range(5) for o in range(4))
    put = run("put_kept", w, -values)
    assert all(put[i, o] == (-w[i, o] if MASK[i, o] else w[i, o]) for i in range(5) for o in range(4))
    y = [[sum(x[n, i] * w[i, o] for i in range(5) if MASK[i, o]) for o in range(4)] for n in range(3)]
    np.testing.assert_allclose(run("kept_matmul", x, values, transpose=False), y, atol=1e-14)
    dx = [[sum(d[n, o] * w[i, o] for o in range(4) if MASK[i, o]) for i in range(5)] for n in range(3)]
    np.testing.assert_allclose(run("kept_matmul", d, values, transpose=True), dx, atol=1e-14)
    dw = [sum(x[n, i] * d[n, o] for n in range(3)) for i, o in PLACES]
    np.testing.assert_allclose(run("kept_outer", x, d), dw, atol=1e-14)


@pytest.mark.parametrize(
    ("op", "shapes", "attrs"),
    [
        ("take_kept", [(4, 5)], {}),
        ("put_kept", [(5, 4), (3,)], {}),
        ("spread_kept", [(21,)], {}),
        ("kept_matmul", [(3, 4), (KEPT.entries,)], {"transpose": False}),
        ("kept_matmul", [(3, 5), (1,)], {"transpose": False}),
        ("kept_outer", [(3, 5), (2, 4)], {}),
    ],
)
def test_what_does_not_fit(op: str, shapes: list[tuple[int, ...]], attrs: dict[str, object]) -> None:
    with pytest.raises(ShapeError, match=op):
        Builder().emit(op, *[Value(s, "float", "input", f"x{i}") for i, s in enumerate(shapes)], kept=KEPT, **attrs)
