"""What finite numbers do to softmax, sigmoid and softplus."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..constraints import POSITIVE, EachOf
from ..layers import Dense, LogSoftmax, ReLU, Sigmoid, Softplus
from ..model import Network
from ..report.figures import PALETTE, tidy
from .experiment import Claim, Experiment, Progress, Table
from .population import Digits, train
from .words import percent, scientific

__all__ = ["Stability"]

Array = NDArray[Any]
#: Decimal digits of the exact values that all others are compared with.
_DIGITS = 60
_DTYPES = ("float32", "float64")


class Stability(Experiment):
    """float32 and float64 at their limits: ``log Σ eᶻ`` naive and by its largest term, σ(z) and log(1 + eᶻ) far out.

    Everything is compared with 60 decimal digits. On real digits: the cross-entropy of a trained network whose logits are
    multiplied by growing factors, as happens with unscaled inputs or weights.

    Parameters  limit : largest |z| of the curves ; points : z's on each ; scales : factors of the
                logits ; epochs, seed : of the network
    References  Goldberg, What every computer scientist should know about floating-point arithmetic, 1991 ; Blanchard,
                Higham, Higham, Accurately computing the log-sum-exp and softmax functions, IMA J. Numerical Analysis 2021
    """

    name = "stability"
    title = "Stability: softmax, sigmoid and softplus at the limits of float32 and float64"
    question = "Where do the formulas of the book fail in finite numbers, and what do the stable ones give there?"
    method = (
        "Each formula as the book writes it and in its stable form, in both precisions, against 60 decimal digits. The "
        "stable forms are those that chainrule's own layers compute. The cross-entropy is that of a network trained on the "
        "digits, its logits multiplied by growing factors."
    )
    references = (
        "Goldberg, What every computer scientist should know about floating-point arithmetic, 1991",
        "Blanchard, Higham, Higham, Accurately computing the log-sum-exp and softmax functions, 2021",
    )
    quick: ClassVar[dict[str, Any]] = {"points": 81, "scales": (1, 100), "epochs": 2}
    hyperparameters = {"scales": EachOf(POSITIVE, fewest=1)}

    def __init__(
        self,
        *,
        limit: int = 800,
        points: int = 1601,
        scales: Sequence[float] = (1, 3, 10, 30, 100, 1000),
        epochs: int = 10,
        seed: int = 0,
    ) -> None:
        self.limit, self.points, self.scales, self.epochs, self.seed = limit, points, scales, epochs, seed

    def measure(self, progress: Progress) -> dict[str, Any]:
        z = np.round(np.linspace(-self.limit, self.limit, self.points), 6)
        functions: dict[str, Any] = {}
        for dtype in _DTYPES:
            for name, found in self._functions(z.astype(dtype)).items():
                functions.setdefault(name, {})[dtype] = found
        progress(1, 2)
        digits = self._digits()
        progress(2, 2)
        ranges = {}
        for dtype in _DTYPES:
            info = np.finfo(dtype)
            largest = float(np.log(np.float64(info.max))) if dtype == "float64" else float(np.log(float(info.max)))
            ranges[dtype] = {
                "eps": float(info.eps),
                "tiny": float(info.smallest_subnormal),
                "max": float(info.max),
                "exp_largest": largest,
                "exp_smallest": float(np.log(float(info.smallest_subnormal))),
                "integers": int(2 ** (info.nmant + 1)),
            }
        return {"z": z.tolist(), "ranges": ranges, "functions": functions, "digits": digits}

    def _functions(self, z: Array) -> dict[str, Any]:
        """{formula: {"error": relative error at each z, None where it is not finite; "wrong": share that is wrong}}."""
        one = z.dtype.type(1)
        with np.errstate(all="ignore"):
            pair = np.stack([z, np.zeros_like(z)], axis=1)
            forms = {
                "σ(z) = 1/(1 + e⁻ᶻ)": (one / (one + np.exp(-z)), "sigmoid"),
                "σ(z) = eᶻ/(1 + eᶻ)": (np.exp(z) / (one + np.exp(z)), "sigmoid"),
                "σ(z), chainrule": (_apply(Sigmoid(), z[:, None])[:, 0], "sigmoid"),
                "1 − σ(z), as the book": (one - one / (one + np.exp(-z)), "one_minus"),
                "1 − σ(z) = σ(−z), chainrule": (_apply(Sigmoid(), -z[:, None])[:, 0], "one_minus"),
                "softplus, log(1 + eᶻ)": (np.log(one + np.exp(z)), "softplus"),
                "softplus, chainrule": (_apply(Softplus(), z[:, None])[:, 0], "softplus"),
                "log softmax, as the book": (np.log(np.exp(z) / (np.exp(z) + one)), "log_sigmoid"),
                "log softmax, log-sum-exp": (_apply(LogSoftmax(), pair)[:, 0], "log_sigmoid"),
            }
        exact = {kind: _exact(kind, z) for kind in ("sigmoid", "one_minus", "softplus", "log_sigmoid")}
        smallest = float(np.finfo(z.dtype).smallest_normal)
        found = {}
        for name, (values, kind) in forms.items():
            errors: list[float | None] = []
            for value, truth in zip(values.tolist(), exact[kind], strict=True):
                if not np.isfinite(value):
                    errors.append(None)
                elif abs(truth) < smallest and kind != "log_sigmoid":
                    # Too small for this precision: 0 is then the right answer.
                    errors.append(0.0 if abs(value) < 2 * smallest else 1.0)
                else:
                    # A loss in nats is added to others, so below 1 nat its absolute error counts.
                    size = max(abs(truth), Decimal(1)) if kind == "log_sigmoid" else abs(truth)
                    errors.append(float(abs(Decimal(value) - truth) / size))
            wrong = [e is None or e > 0.01 for e in errors]
            found[name] = {
                "error": errors,
                "wrong": float(np.mean(wrong)),
                "not_finite": float(np.mean([e is None for e in errors])),
            }
        return found

    def _digits(self) -> list[dict[str, Any]]:
        data = Digits.split(self.seed)
        network = train(Network([Dense(32), ReLU(), Dense(10)], random_state=self.seed), data, epochs=self.epochs).network
        logits = np.asarray(network.predict(data.X_test))
        rows = []
        for scale in self.scales:
            z = (logits * np.float32(scale)).astype(np.float32)
            truth = _cross_entropy(z.astype(np.float64), data.y_test)
            with np.errstate(all="ignore"):
                e = np.exp(z)
                naive = -np.log(e[np.arange(len(z)), data.y_test] / e.sum(axis=1))
            stable = _cross_entropy(z, data.y_test)
            rows.append(
                {
                    "scale": float(scale),
                    "largest": float(np.abs(z).max()),
                    "exact": float(truth.mean()),
                    "naive": float(naive.mean()) if np.isfinite(naive).all() else None,
                    "naive_not_finite": float(np.mean(~np.isfinite(naive))),
                    "stable": float(stable.mean()),
                    "stable_error": float(np.max(np.abs(stable - truth) / np.maximum(truth, 1.0))),
                }
            )
        return rows

    def tables(self, data: dict[str, Any]) -> list[Table]:
        ranges = [
            (
                dtype,
                scientific(r["eps"]),
                scientific(r["tiny"]),
                scientific(r["max"]),
                f"{r['exp_largest']:.2f}",
                f"{r['exp_smallest']:.1f}",
                f"{r['integers']:,}",
            )
            for dtype, r in data["ranges"].items()
        ]
        functions = [
            (name, *(percent(found[dtype][key]) for dtype in _DTYPES for key in ("wrong", "not_finite")))
            for name, found in data["functions"].items()
        ]
        digits = [
            (
                f"{d['scale']:g}",
                f"{d['largest']:.0f}",
                f"{d['exact']:.4g}",
                "not finite" if d["naive"] is None else f"{d['naive']:.4g}",
                percent(d["naive_not_finite"]),
                f"{d['stable']:.4g}",
            )
            for d in data["digits"]
        ]
        limit = max(abs(v) for v in data["z"])
        return [
            Table(
                "The numbers themselves",
                ("precision", "spacing at 1", "smallest", "largest", "eᶻ overflows at", "eᶻ is 0 below", "integers up to"),
                ranges,
            ),
            Table(
                f"Share of z from −{limit:g} to {limit:g} that is wrong by more than 1 % (and: not finite)",
                ("formula", "float32", "(not finite)", "float64", "(not finite)"),
                functions,
            ),
            Table(
                "Cross-entropy of real digits in float32, logits multiplied",
                ("factor", "largest |z|", "float64", "softmax, then log", "digits not finite", "log-sum-exp"),
                digits,
            ),
        ]

    def claims(self, data: dict[str, Any]) -> list[Claim]:
        f = data["functions"]
        stable = {n: d for n, d in f.items() if "chainrule" in n or "log-sum-exp" in n}
        naive = {n: d for n, d in f.items() if n not in stable}
        worst = max(d[t]["wrong"] for d in stable.values() for t in _DTYPES)
        errors = [e for d in stable.values() for t in ("float32",) for e in d[t]["error"] if e is not None]
        failing = {n: d["float32"]["wrong"] for n, d in naive.items()}
        first = next((d for d in data["digits"] if d["naive"] is None), None)
        largest = max(d["stable_error"] for d in data["digits"])
        r32, r64 = (data["ranges"][t]["exp_largest"] for t in _DTYPES)
        return [
            Claim(
                "The stable forms are right for every z, in both precisions",
                worst == 0,
                f"at most {percent(worst)} of them wrong; largest error in float32 {max(errors):.1e}",
            ),
            Claim(
                "The formulas of the book fail for large |z|",
                any(v > 0 for v in failing.values()),
                ", ".join(f"{n}: {percent(v)} wrong in float32" for n, v in failing.items() if v > 0)
                or "none of them fails",
            ),
            Claim(
                "float64 moves the limit, it does not remove it",
                r64 > r32 and any(d["float64"]["wrong"] > 0 for d in naive.values()),
                f"eᶻ overflows at {r32:.1f} in float32 and at {r64:.1f} in float64; in float64 the worst formula is "
                f"still wrong for {percent(max(d['float64']['wrong'] for d in naive.values()))} of the z",
            ),
            Claim(
                "With large logits 'softmax, then log' loses the loss of real digits; log-sum-exp does not",
                first is not None and largest < 1e-3,
                (
                    f"at factor {first['scale']:g} {percent(first['naive_not_finite'])} of the digits have no finite loss, "
                    if first
                    else "all losses were finite, "
                )
                + f"and log-sum-exp differs from float64 by at most {largest:.1e}",
            ),
        ]

    def draw(self, figure: Any, data: dict[str, Any]) -> None:
        left, right = figure.subplots(1, 2)
        z = np.asarray(data["z"])
        shown = [
            ("softplus, log(1 + eᶻ)", PALETTE[1]),
            ("log softmax, as the book", PALETTE[4]),
            ("1 − σ(z), as the book", PALETTE[3]),
            ("softplus, chainrule", PALETTE[0]),
            ("log softmax, log-sum-exp", PALETTE[2]),
        ]
        for level, (name, colour) in enumerate(shown):
            errors = data["functions"][name]["float32"]["error"]
            known = np.asarray([np.nan if e is None else max(e, 1e-9) for e in errors])
            left.semilogy(z, known, ".", color=colour, label=name, markersize=4)
            lost = np.asarray([e is None for e in errors])
            left.plot(z[lost], np.full(lost.sum(), 30.0 * 3**level), "|", color=colour, markersize=6)
        tidy(left, "z", "error in float32, relative", "Error (bars at the top: not finite)")
        left.set_xlim(-130, 130)
        left.legend(frameon=True, fontsize=8, loc="center right")
        scales = [d["scale"] for d in data["digits"]]
        right.semilogx(scales, [100 * d["naive_not_finite"] for d in data["digits"]], "o-", color=PALETTE[1],
                       label="softmax, then log")  # fmt: skip
        without = [0.0 if np.isfinite(d["stable"]) else 100.0 for d in data["digits"]]
        right.semilogx(scales, without, "o-", color=PALETTE[0], label="log-sum-exp")
        tidy(
            right, "factor of the logits", "digits without a finite loss (per cent)", "Cross-entropy of real digits, float32"
        )
        right.legend(frameon=False, fontsize=9)


def _apply(layer: Any, z: Array) -> Array:
    """What the layer computes for z, in z's precision."""
    network = Network([layer], dtype=z.dtype.name)
    network.build(z.shape[1:])
    return np.asarray(network.predict(np.ascontiguousarray(z)))


def _exact(kind: str, z: Array) -> list[Decimal]:
    with localcontext() as context:
        context.prec = _DIGITS
        context.Emin, context.Emax = -(10**6), 10**6
        found = []
        for value in z.tolist():
            e = Decimal(-value).exp()
            if kind == "sigmoid":
                found.append(1 / (1 + e))
            elif kind == "one_minus":
                found.append(e / (1 + e))
            elif kind == "log_sigmoid":
                found.append(-((1 + e).ln() if e > Decimal("1e-30") else e))
            else:
                x = Decimal(value).exp()
                found.append((1 + x).ln() if x > Decimal("1e-30") else x)
        return found


def _cross_entropy(z: Array, y: Array) -> Array:
    m = z.max(axis=1, keepdims=True)
    total: Array = m[:, 0] + np.log(np.exp(z - m).sum(axis=1)) - z[np.arange(len(z)), y]
    return total
