"""Ops that align the outputs of a network with a shorter target of which nobody knows where it lies: CTC.

Outputs z are (N, T, K): samples, steps, logits of K labels, of which one is the blank. A target is a row of labels; the
first blank in the row ends it. The optional mask (N, T) is 0 at steps that are padding; they have no part in anything.
"""

from __future__ import annotations

from ..errors import ShapeError
from .emitter import Emitter
from .recurrent import given
from .table import Attrs, Out, Step, op
from .value import Node, Shape, Value


def _sizes(op: str, inputs: tuple[Value, ...], attrs: Attrs) -> Shape:
    """N, T and K of checked inputs."""
    z, y = inputs[:2]
    if z.ndim != 3 or z.shape[2] < 2 or z.shape[1] < 1:
        raise ShapeError(f"{op}: expected logits (N, T, K) with T >= 1 steps and K >= 2 labels, one of them the blank. "
                         f"Got {z.shape}.")  # fmt: skip
    if y.ndim != 2 or y.shape[0] != z.shape[0] or y.dtype != "int":
        raise ShapeError(f"{op}: targets of logits {z.shape} must be int labels ({z.shape[0]}, L). "
                         f"Got {y.shape} of {y.dtype}.")  # fmt: skip
    if not 0 <= attrs["blank"] < z.shape[2]:
        raise ShapeError(f"{op}: the blank must be one of the {z.shape[2]} labels. Got {attrs['blank']}.")
    for name, value in given(inputs, attrs).items():
        if value.shape != z.shape[:2]:
            raise ShapeError(f"{op}: {name} must have shape {z.shape[:2]}. Got {value.shape}.")
    return z.shape


def _ctc(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    n, t, k = _sizes("ctc", inputs, attrs)
    return [((n,), "float"), ((n, t, k), "float")]


def _error_rate(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    return [(_sizes("label_error_rate", inputs, attrs)[:1], "float")]


def _ctc_flops(node: Node) -> int:
    """Softmax over all logits, and about 10 for each of the 2 L + 1 states of every step, forward and backward."""
    n, t, k = node.inputs[0].shape
    return n * t * (6 * k + 20 * (2 * node.inputs[1].shape[1] + 1))


def _errors_flops(node: Node) -> int:
    """One comparison for each logit, and about 3 for each pair of a step and a label of the target."""
    n, t, k = node.inputs[0].shape
    return n * t * (k + 3 * node.inputs[1].shape[1])


def _steps(attrs: Attrs) -> list[Step]:
    b = attrs["blank"]
    lines = [
        ("ln pₜ", "@0ₜ − log Σₖ exp(@0ₜₖ)", r"\ln p_t", r"@0_{,t} - \log\sum_k e^{@0_{,tk}}"),
        ("s", f"[∅ y₁ ∅ y₂ … y_L ∅] with y = @1, ∅ = {b}", "s",
         rf"[\varnothing \; y_1 \; \varnothing \; y_2 \dots y_L \; \varnothing], \; y = @1, \; \varnothing = {b}"),
        ("αₜ(j)", "ln pₜ(sⱼ) + log Σᵢ exp(αₜ₋₁(i)), i ∈ {j, j−1, j−2 if sⱼ ≠ ∅ and sⱼ ≠ sⱼ₋₂}", r"\alpha_t(j)",
         r"\ln p_t(s_j) + \log\sum_{i \in \{j, \, j-1, \, j-2 \text{ if } s_j \ne \varnothing, \, s_j \ne s_{j-2}\}}"
         r" e^{\alpha_{t-1}(i)}"),
        ("βₜ(j)", "log Σᵢ exp(βₜ₊₁(i) + ln pₜ₊₁(sᵢ)), i ∈ {j, j+1, j+2 if sⱼ₊₂ ≠ ∅ and sⱼ₊₂ ≠ sⱼ}", r"\beta_t(j)",
         r"\log\sum_{i \in \{j, \, j+1, \, j+2 \text{ if } s_{j+2} \ne \varnothing, \, s_{j+2} \ne s_j\}}"
         r" e^{\beta_{t+1}(i) + \ln p_{t+1}(s_i)}"),
        ("ln P(y | x)", "log(exp α_T(2L) + exp α_T(2L+1))", r"\ln P(y \mid x)",
         r"\log(e^{\alpha_T(2L)} + e^{\alpha_T(2L+1)})"),
    ]  # fmt: skip
    if "mask" in attrs["given"]:
        lines.append(
            ("mₜ", "0: αₜ = αₜ₋₁, βₜ = βₜ₊₁", "m_t", r"0 \Rightarrow \alpha_t = \alpha_{t-1}, \beta_t = \beta_{t+1}")
        )
    return lines


#: The gradient, which is the second output.
_DZ = (
    "p − Σⱼ exp(α(j) + β(j) − ln P(y | x)) [sⱼ = k]",
    r"p - \sum_j e^{{\alpha(j) + \beta(j) - \ln P(y \mid x)}} [s_j = k]",
    2,
)


class Alignment(Emitter):
    """The Builder's ops that compare outputs of every step with targets of a length of their own."""

    @op("sequence", "−ln P(y | x)", r"-\ln P(y \mid x)", 1, rule=_ctc, flops=_ctc_flops, steps=_steps, more=(_DZ,))
    def ctc(
        self, z: Value, y: Value, *, blank: int = 0, zero_infinity: bool = False, mask: Value | None = None
    ) -> tuple[Value, Value]:
        """(ℓ, dℓ/dz), ℓ (N,) = −ln P(y | x), the sum over all ways to write y with blanks and repeats in T steps.

        A target that no way writes (too few steps) has ℓ = ∞, or 0 with ``zero_infinity``, and no gradient.
        """
        options = {"blank": int(blank), "zero_infinity": bool(zero_infinity)}
        loss, dz = self.emit_given("ctc", (z, y), {"mask": mask}, **options)
        return loss, dz

    @op("sequence", "d({1}, ŷ) / |{1}|", r"d({1}, \hat y) / |{1}|", 1,
        rule=_error_rate, flops=_errors_flops)  # fmt: skip
    def label_error_rate(self, z: Value, y: Value, *, blank: int = 0, mask: Value | None = None) -> Value:
        """(N,) d(y, ŷ) / max(1, |y|): d is the Levenshtein distance, ŷ the best path without repeats and blanks"""
        return self.emit_given("label_error_rate", (z, y), {"mask": mask}, blank=int(blank))[0]
