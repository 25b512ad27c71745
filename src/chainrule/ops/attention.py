"""Scaled dot-product attention, and its backward pass."""

from __future__ import annotations

from ..errors import ShapeError
from .emitter import Emitter
from .recurrent import given
from .table import Attrs, Out, Step, op
from .value import Node, Value


def _forward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    q, k, v = (x.shape for x in inputs[:3])
    if any(len(s) != 4 for s in (q, k, v)) or q[::2] != (*k[:1], k[2]) or k[:3] != v[:3] or q[3] != k[3]:
        raise ShapeError(
            f"attention: expected q (N, T, heads, D), k (N, S, heads, D) and v (N, S, heads, E). Got {q}, {k} and {v}."
        )
    if min(q[1], k[1]) < 1:
        raise ShapeError(f"attention: a sequence needs at least one step. Got q {q} and k {k}.")
    n, t, heads, s = q[0], q[1], q[2], k[1]
    wanted = {"mask": (n, s), "keep": (n, heads, t, s)}
    for name, value in given(inputs, attrs).items():
        if name in wanted and value.shape != wanted[name]:
            raise ShapeError(f"attention: {name} must have shape {wanted[name]}. Got {value.shape}.")
    return [((n, t, heads, v[3]), "float"), ((n, heads, t, s), "float")]


def _backward(inputs: tuple[Value, ...], attrs: Attrs) -> list[Out]:
    dy, q, k, v, p = (x.shape for x in inputs[:5])
    if dy != (*q[:3], v[3]) or p != (q[0], q[2], q[1], k[1]):
        raise ShapeError(f"attention_backward: dy {dy} and p {p} do not fit q {q}, k {k} and v {v}.")
    return [(q, "float"), (k, "float"), (v, "float")]


def _flops(node: Node) -> int:
    """Two products forward, five backward (P is kept, not computed again), and softmax."""
    q, k, v = (x.shape for x in node.inputs[1 if node.op == "attention_backward" else 0 :][:3])
    pairs = q[0] * q[2] * q[1] * k[1]
    each = 2 * pairs * (q[3] + v[3])
    return each + 5 * pairs if node.op == "attention" else 2 * each + 5 * pairs


def _steps(attrs: Attrs) -> list[Step]:
    scale = f"{attrs['scale']:.4g}"
    cases = [("s > t", "s > t")] * attrs["causal"] + [("mₛ = 0", "m_s = 0")] * ("mask" in attrs["given"])
    where = f", −∞ where {' or '.join(text for text, _ in cases)}" if cases else ""
    tex = r", \; -\infty \text{ where } " + r" \text{ or } ".join(t for _, t in cases) if cases else ""
    return [
        ("S", f"{scale} @0 @1ᵀ{where}", "S", rf"{scale} \, @0 \, @1^{{\top}}{tex}"),
        ("P", "softmax(S)", "P", r"\operatorname{softmax}(S)"),
    ]


def _steps_backward(attrs: Attrs) -> list[Step]:
    scale = f"{attrs['scale']:.4g}"
    drop, tex = (" ⊙ m", r" \odot m") if "keep" in attrs["given"] else ("", "")
    return [
        ("dP", f"@0 @3ᵀ{drop}", r"\mathrm{d}P", rf"@0 \, @3^{{\top}}{tex}"),
        ("dS", "P ⊙ (dP − Σₖ dP ⊙ P)", r"\mathrm{d}S", r"P \odot (\mathrm{d}P - \textstyle\sum_k \mathrm{d}P \odot P)"),
        ("dQ", f"{scale} dS @2", r"\mathrm{d}Q", rf"{scale} \, \mathrm{{d}}S \, @2"),
        ("dK", f"{scale} dSᵀ @1", r"\mathrm{d}K", rf"{scale} \, \mathrm{{d}}S^{{\top}} @1"),
    ]


#: How the outputs after the first of ``attention_backward`` are written.
_DK, _DV = ("dK", r"\mathrm{{d}}K", 0), ("Pᵀ {0}", r"P^{{\top}} {0}", 1)


class Attention(Emitter):
    """The Builder's attention, on sequences (N, T, heads, features)."""

    @op("sequence", "P {2}", r"P \, {2}", 1, rule=_forward, flops=_flops, steps=_steps, more=(("P", "P", 0),))
    def attention(
        self,
        q: Value,
        k: Value,
        v: Value,
        *,
        scale: float,
        causal: bool = False,
        mask: Value | None = None,
        keep: Value | None = None,
    ) -> tuple[Value, Value]:
        """(Y, P) with P = softmax(scale Q Kᵀ) over the keys and Y = (P ⊙ keep) V, for each sample and head.

        q (N, T, heads, D), k (N, S, heads, D), v (N, S, heads, E) give Y (N, T, heads, E), P (N, heads, T, S).
        Keys where the mask (N, S) is 0 get probability 0, and with ``causal`` those with s − S > t − T; a query that may
        look
        at no key gets Y = 0. keep (N, heads, T, S) is dropout's.
        """
        y, p = self.emit_given("attention", (q, k, v), {"mask": mask, "keep": keep}, scale=float(scale), causal=causal)
        return y, p

    @op("sequence", "dQ", r"\mathrm{{d}}Q", rule=_backward, flops=_flops, steps=_steps_backward, more=(_DK, _DV))
    def attention_backward(
        self, dy: Value, q: Value, k: Value, v: Value, p: Value, *, scale: float, keep: Value | None = None
    ) -> tuple[Value, Value, Value]:
        """(dQ, dK, dV) of ``attention``"""
        dq, dk, dv = self.emit_given("attention_backward", (dy, q, k, v, p), {"keep": keep}, scale=float(scale))
        return dq, dk, dv
