"""Elementary functions on float32 that LLVM can vectorise: polynomials and bit tricks, no library calls.

Errors are a few units in the last place; limits and NaN are exact (the tests compare with float64).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .intrinsics import bits_float, copysign, fabs, float_bits, fma, rint, to_int

f32, i32 = np.float32, np.int32
_LOG2E = f32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = f32(0.693359375), f32(-2.12194440e-4)
_INF = f32(np.inf)
_NAN = f32(np.nan)
ONE, ZERO, HALF = f32(1.0), f32(0.0), f32(0.5)


@njit(forceinline=True, error_model="numpy")
def exp(x):
    """eˣ by x = n ln 2 + r, a polynomial in r, and 2ⁿ put into the exponent in two steps (for results below 2⁻¹²⁶)."""
    n = rint(x * _LOG2E)
    r = fma(n, -_LN2_HIGH, x)
    r = fma(n, -_LN2_LOW, r)
    # Taylor's series to r⁷/7!: |r| <= 0.35, remainder under 6e-9.
    p = fma(r, f32(1 / 5040), f32(1 / 720))
    p = fma(p, r, f32(1 / 120))
    p = fma(p, r, f32(1 / 24))
    p = fma(p, r, f32(1 / 6))
    p = fma(p, r, HALF)
    p = fma(p, r * r, r) + ONE
    k = to_int(n)
    half = k >> i32(1)
    low = bits_float((half + i32(127)) << i32(23))
    high = bits_float((k - half + i32(127)) << i32(23))
    y = p * low * high
    y = _INF if x > f32(88.72284) else y
    return ZERO if x < f32(-103.97208) else y


@njit(forceinline=True, error_model="numpy")
def log(x):
    """The natural logarithm by x = 2ᵉ m with m in [√½, √2) and a polynomial in (m − 1)."""
    tiny = x < f32(1.17549435e-38)
    scaled = x * f32(8388608.0) if tiny else x
    bits = float_bits(scaled)
    e = (bits >> i32(23)) - i32(126)
    m = bits_float((bits & i32(0x007FFFFF)) | i32(0x3F000000))
    low = m < f32(0.70710678)
    e = e - i32(1) if low else e
    e = e - i32(23) if tiny else e
    m = m + m - ONE if low else m - ONE
    # atanh series: log(1 + m) = 2 s (1 + s²/3 + s⁴/5 + ...) with s = m / (2 + m), |s| <= 0.172; remainder under 1e-9.
    s = m / (f32(2.0) + m)
    z = s * s
    p = fma(z, f32(1 / 11), f32(1 / 9))
    p = fma(p, z, f32(1 / 7))
    p = fma(p, z, f32(1 / 5))
    p = fma(p, z, f32(1 / 3))
    # log(1+m) = m − m²/2 + s (m²/2 + 2 z p ...) written so that the leading term m is exact.
    h = HALF * m * m
    t = s * (h + f32(2.0) * z * p)
    fe = f32(e)
    y = fma(fe, _LN2_LOW, t) - h + m
    y = fma(fe, _LN2_HIGH, y)
    y = y if x < _INF else x
    y = y if x > ZERO else (-_INF if x == ZERO else _NAN)
    return y


@njit(forceinline=True, error_model="numpy")
def log1p(x):
    """log(1 + x): the rounding of 1 + x is made good by the factor x / ((1 + x) − 1) (Kahan)."""
    u = ONE + x
    d = u - ONE
    y = log(u)
    y = y if d == ZERO else y * (x / d)
    y = x if d == ZERO else y
    return x if x == _INF else y


@njit(forceinline=True, error_model="numpy")
def expm1(x):
    """eˣ − 1: its series near 0, where the difference would cancel."""
    p = fma(x, f32(1 / 40320), f32(1 / 5040))
    p = fma(p, x, f32(1 / 720))
    p = fma(p, x, f32(1 / 120))
    p = fma(p, x, f32(1 / 24))
    p = fma(p, x, f32(1 / 6))
    p = fma(p, x, HALF)
    p = fma(p, x * x, x)
    return p if fabs(x) < f32(0.5) else exp(x) - ONE


@njit(forceinline=True, error_model="numpy")
def tanh(x):
    """(1 − e) / (1 + e) with e = exp(−2|x|), by expm1 so that small x keep their digits."""
    t = expm1(f32(-2.0) * fabs(x))
    return copysign(-t / (t + f32(2.0)), x)


@njit(forceinline=True, error_model="numpy")
def sigmoid(x):
    """1 / (1 + e⁻ˣ) from e = exp(−|x|), which cannot overflow."""
    e = exp(-fabs(x))
    r = ONE / (ONE + e)
    return r if x >= ZERO else e * r


@njit(forceinline=True, error_model="numpy")
def softplus(x):
    """max(x, 0) + log(1 + exp(−|x|))"""
    y = log1p(exp(-fabs(x)))
    return y + x if x > ZERO else (y if x == x else x)


@njit(forceinline=True, error_model="numpy")
def _erf_near(a):
    """erf(a) for 0 <= a <= 0.46875, by W. J. Cody's rational forms (Mathematics of Computation 23, 1969)."""
    z = a * a
    top = f32(1.85777706184603153e-1) * z
    top = (top + f32(3.16112374387056560)) * z
    top = (top + f32(1.13864154151050156e2)) * z
    top = (top + f32(3.77485237685302021e2)) * z
    bottom = (z + f32(2.36012909523441209e1)) * z
    bottom = (bottom + f32(2.44024637934444173e2)) * z
    bottom = (bottom + f32(1.28261652607737228e3)) * z
    return a * (top + f32(3.20937758913846947e3)) / (bottom + f32(2.84423683343917062e3))


@njit(forceinline=True, error_model="numpy")
def _erfc_far(a):
    """erfc(a) for a >= 0.46875. Cody's form for numbers up to 4 is good to 4e-10 up to 10.3, where float32 ends."""
    b = f32(10.3) if a > f32(10.3) else a
    top = f32(2.15311535474403846e-8) * b
    top = (top + f32(5.64188496988670089e-1)) * b
    top = (top + f32(8.88314979438837594)) * b
    top = (top + f32(6.61191906371416295e1)) * b
    top = (top + f32(2.98635138197400131e2)) * b
    top = (top + f32(8.81952221241769090e2)) * b
    top = (top + f32(1.71204761263407058e3)) * b
    top = (top + f32(2.05107837782607147e3)) * b
    bottom = (b + f32(1.57449261107098347e1)) * b
    bottom = (bottom + f32(1.17693950891312499e2)) * b
    bottom = (bottom + f32(5.37181101862009858e2)) * b
    bottom = (bottom + f32(1.62138957456669019e3)) * b
    bottom = (bottom + f32(3.29079923573345963e3)) * b
    bottom = (bottom + f32(4.36261909014324716e3)) * b
    bottom = (bottom + f32(3.43936767414372164e3)) * b
    # b² = h − l exactly, so that e^(−b²) keeps its digits where b² is large.
    h = b * b
    e = exp(-h)
    e = fma(fma(b, b, -h), -e, e)
    return e * ((top + f32(1.23033935479799725e3)) / (bottom + f32(1.23033935480374942e3)))


@njit(forceinline=True, error_model="numpy")
def erf(x):
    """The error function."""
    a = fabs(x)
    y = _erf_near(a) if a <= f32(0.46875) else ONE - _erfc_far(a)
    y = y if a == a else x
    return copysign(y, x)


@njit(forceinline=True, error_model="numpy")
def erfc(x):
    """1 − erf(x), without cancellation where x is positive."""
    a = fabs(x)
    far = _erfc_far(a)
    y = ONE - copysign(_erf_near(a), x) if a <= f32(0.46875) else (far if x > ZERO else f32(2.0) - far)
    return y if a == a else x


@njit(forceinline=True, error_model="numpy")
def quick_tanh(x):
    """tanh by x P(x²) / Q(x²), fitted on [−9, 9] for the least relative error (2e-8 before rounding): 6 ulp.

    For cells of recurrent layers, where five functions of every unit and step are half of the time.
    """
    x = f32(9.01) if x > f32(9.01) else x
    x = f32(-9.01) if x < f32(-9.01) else x
    s = x * x
    p = fma(s, f32(1.3336853399437132e-08), f32(2.0596278773155063e-05))
    p = fma(p, s, f32(0.003494811477139592))
    p = fma(p, s, f32(0.13380372524261475))
    p = fma(p, s, ONE)
    q = fma(s, f32(7.769285730319098e-07), f32(0.00032843637745827436))
    q = fma(q, s, f32(0.025874027982354164))
    q = fma(q, s, f32(0.46713685989379883))
    q = fma(q, s, ONE)
    y = x * p / q
    y = ONE if y > ONE else y
    return -ONE if y < -ONE else y


@njit(forceinline=True, error_model="numpy")
def quick_sigmoid(x):
    """1 / (1 + e⁻ˣ) with e⁻ˣ between e⁻⁸⁷ and e⁸⁷, which needs no care for overflow. For cells of recurrent layers."""
    x = f32(87.0) if x > f32(87.0) else x
    x = f32(-87.0) if x < f32(-87.0) else x
    n = rint(x * -_LOG2E)
    r = fma(n, -_LN2_HIGH, -x)
    r = fma(n, -_LN2_LOW, r)
    p = fma(r, f32(1 / 5040), f32(1 / 720))
    p = fma(p, r, f32(1 / 120))
    p = fma(p, r, f32(1 / 24))
    p = fma(p, r, f32(1 / 6))
    p = fma(p, r, HALF)
    p = fma(p, r * r, r) + ONE
    return ONE / (ONE + p * bits_float((to_int(n) + i32(127)) << i32(23)))
